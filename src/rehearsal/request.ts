import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Json, JsonObject } from '../contracts/vendor.js'
import { encodePath } from '../wire/target.js'
import { Form } from '../wire/form.js'

/** A request as an operator writes it down, to hear what a policy says to it. */
export interface RehearsedRequest {
  /** `POST /stripe/v1/refunds`: as the agent port takes it, the vendor first. A query may follow. */
  readonly request: string
  /** Parameters by their full names, or nested. Of a GET or DELETE they become the query. */
  readonly form?: JsonObject | undefined
  readonly json?: Json | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The same, taken apart. */
export interface Line {
  readonly method: string
  readonly vendor: string
  /** What follows the vendor, as it goes on the wire. */
  readonly target: string
}

/** Null when the line names no vendor that there is. */
export function lineOf({ request, form }: RehearsedRequest, vendors: { get(name: string): unknown }): Line | null {
  const parts = /^([A-Z]+) \/([a-z][a-z0-9_-]*)(\/\S*)$/.exec(request)
  if (parts === null || vendors.get(parts[2]!) === undefined) return null
  const [, method, vendor, target] = parts as unknown as [string, string, string, string]
  const query = inQuery(method) ? written(form) : ''
  const joined = query === '' ? '' : (target.includes('?') ? '&' : '?') + query
  return { method, vendor, target: encodePath(target) + joined }
}

/**
 * What node's server would hand over for this request, so that it is read by the very code that reads an agent's.
 *
 * @param key a vault key
 */
export function incomingOf({ form, json, headers = {}, request }: RehearsedRequest, key: string): IncomingMessage {
  const method = request.slice(0, request.indexOf(' '))
  const asForm = form === undefined || inQuery(method) ? '' : written(form)
  const body = json === undefined ? asForm : JSON.stringify(json)
  const type = json === undefined ? 'application/x-www-form-urlencoded' : 'application/json'
  const given = Object.entries(headers)
  const named = new Set(given.map(([name]) => name.toLowerCase()))
  const own = [
    ['authorization', `Bearer ${key}`],
    ...(body === '' ? [] : [['content-type', type]]),
    ['content-length', String(Buffer.byteLength(body))],
  ].filter(([name]) => !named.has(name!))
  const read = Readable.from(body === '' ? [] : [Buffer.from(body)])
  return Object.assign(read, { method, rawHeaders: [...own, ...given].flat() }) as unknown as IncomingMessage
}

const inQuery = (method: string): boolean => method === 'GET' || method === 'DELETE'

const written = (form: JsonObject | undefined): string =>
  new Form(Object.entries(form ?? {}).flatMap(([name, value]) => pairsOf(name, value))).serialise()

/** `{items: [{price: 'p'}]}` as `items[0][price]=p`; a list of plain values repeats its name, as Twilio's clients do. */
function pairsOf(name: string, value: Json | undefined): [string, string][] {
  if (value === undefined) return []
  if (value === null) return [[name, '']]
  if (Array.isArray(value))
    return (value as readonly Json[]).flatMap((each, i) =>
      typeof each === 'object' && each !== null ? pairsOf(`${name}[${i}]`, each) : pairsOf(name, each),
    )
  if (typeof value === 'object')
    return Object.entries(value).flatMap(([inner, each]) => pairsOf(`${name}[${inner}]`, each))
  return [[name, String(value)]]
}
