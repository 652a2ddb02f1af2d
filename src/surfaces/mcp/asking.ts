import type { Json, JsonObject, Tool } from '../../contracts/vendor.js'
import type { Fault } from '../../exchange.js'
import { isCanonicalPath } from '../../wire/target.js'
import type { Asked } from './tool-exchange.js'

/*
 * From a tool's arguments to one request at the vendor.
 */

/** A route's placeholder for the account a call acts on: the credential's own unless the caller names another. */
const ACCOUNT = 'AccountSid'
/** The place of an argument that is the client's idempotency key; no parameter of a vendor has such a name. */
const IDEMPOTENCY = 'Idempotency-Key'

/** @param account the credential's account at the vendor, '' when it has none */
export function askedBy(tool: Tool, args: JsonObject, account: string): Asked {
  const [method, path] = tool.route.split(' ') as [string, string]
  const stranger = Object.keys(args).find((name) => !Object.hasOwn(tool.properties, name))
  if (stranger !== undefined)
    return faulty(path, malformed(`«${stranger.slice(0, 40)}» is no argument of ${tool.name}.`), method)
  const missing = tool.required?.find((name) => args[name] === undefined)
  if (missing !== undefined) return faulty(path, malformed(`${missing} is missing.`), method)
  const placed = Object.entries(args).map(([name, value]): [string, Json | undefined] => [
    tool.places?.[name] ?? name,
    value,
  ])
  const along = Object.keys(args).flatMap((name) => Object.entries(tool.along?.[name] ?? {}))
  const { [IDEMPOTENCY]: once, ...parameters } = Object.fromEntries([...along, ...placed])
  if (once !== undefined && !isIdempotencyKey(once))
    return faulty(path, malformed('The idempotency key must be 1 to 255 printable characters.'), method)
  const filled = fill(path, { ...tool.fixed, ...parameters }, [], account)
  if ('code' in filled) return faulty(path, filled, method)
  return {
    method,
    path: filled.path,
    parameters: filled.rest,
    ...(once === undefined ? {} : { idempotencyKey: once }),
  }
}

export const isIdempotencyKey = (value: Json): value is string =>
  typeof value === 'string' && /^[\x21-\x7e]{1,255}$/.test(value)

/**
 * Puts parameters into a route's placeholders; the rest goes into query or body. An id under two names is two readings.
 *
 * @param aliases other names of the placeholders, in their order
 */
export function fill(
  path: string,
  parameters: JsonObject,
  aliases: readonly string[],
  account: string,
): { readonly path: string; readonly rest: JsonObject } | Fault {
  const rest: Record<string, Json | undefined> = { ...parameters }
  const holes = [...path.matchAll(/\{([^}]*)\}/g)].map((hole) => hole[1]!)
  const objects = holes.filter((hole) => hole !== ACCOUNT)
  let filled = path
  for (const [i, hole] of holes.entries()) {
    const only = objects.length === 1 && objects[0] === hole
    const names = [...new Set([hole, aliases[i], ...(only ? ['id'] : [])])].filter((name) => name !== undefined)
    const given = names.filter((name) => rest[name] !== undefined)
    if (given.length > 1)
      return {
        code: 'request_ambiguous',
        message: `${given.join(' and ')} name the same object. Give one. Do not retry.`,
      }
    const value = given.length === 0 && hole === ACCOUNT ? account : rest[given[0] ?? '']
    if (typeof value !== 'string' || value === '')
      return malformed(`The parameter ${aliases[i] ?? hole} is missing: it names the object.`)
    if (given.length > 0) delete rest[given[0]!]
    filled = filled.replace(`{${hole}}`, () => value)
  }
  const slash = filled.indexOf('/')
  if (!isCanonicalPath(filled.slice(slash)) || filled.split('/').length !== path.split('/').length)
    return malformed('An id among the parameters is not one the vendor would have given.')
  return { path: filled, rest }
}

export const malformed = (message: string): Fault => ({
  code: 'request_malformed',
  message: `${message} Do not retry.`,
})

/** What could not become a request, as one that is refused for it. */
export const faulty = (path: string, fault: Fault, method = 'POST'): Asked => ({
  method,
  path: path.startsWith('/') || path.includes('.com/') ? path : `/${path}`,
  parameters: {},
  fault,
})

/** A name of the caller's as part of a path in a row: cut short, and nothing in it that could be taken for more. */
export const printable = (name: string): string => name.slice(0, 64).replace(/[^\w.-]/g, '_')
