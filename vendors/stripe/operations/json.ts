import type { Denial } from '../../../src/contracts/call.js'
import type { Json, JsonObject, Question } from '../../../src/contracts/vendor.js'
import { isUrlName, shown } from '../grammar.js'
import { integer, object, text } from '../replies.js'

type Refusal = Pick<Denial, 'code' | 'message'>

/**
 * What every JSON body (Stripe's /v2) must look like before anything in it is believed; the counterpart of `fault` in
 * grammar.ts. The parser has already refused duplicate names, fractions and numbers beyond 2^53. After this check the
 * body is an object or absent, and whatever looks like an amount is `{value, currency}` with a whole number of minor
 * units and a lower-case currency.
 */
export function jsonFault(json: Json | undefined): Refusal | null {
  if (json === undefined) return null
  if (object(json) === null) return refusal('The JSON body must be an object.')
  const sentence = faultIn(json, '')
  return sentence === null ? null : refusal(sentence)
}

/** Text for people and ledgers, whose inner names may be anything. */
const DESCRIPTIVE: ReadonlySet<string> = new Set(['metadata', 'payload'])

function faultIn(json: Json, path: string): string | null {
  if (Array.isArray(json)) return firstOf(json as readonly Json[], (each, at) => faultIn(each, `${path}[${at}]`))
  const fields = object(json)
  if (fields === null) return null
  const isAmount = 'value' in fields && 'currency' in fields
  if (isAmount && !AMOUNT.test(String(fields.value)))
    return `${path || 'The body'} is no amount: its value must be a whole number of minor units, such as 1999 for USD 19.99.`
  if (isAmount && typeof fields.value !== 'number') return `${path}.value is text, and an amount is a number.`
  return firstOf(Object.entries(fields), ([name, value]) => {
    if (DESCRIPTIVE.has(name) || value === undefined) return null
    const at = (path === '' ? name : `${path}.${name}`).slice(0, 80)
    if (name === 'currency' && value !== null && !(typeof value === 'string' && /^[a-z]{3}$/.test(value)))
      return `${at} ${shown(String(value))} is not a currency code of three lower-case letters.`
    if (name === 'amount' && value !== null && object(value) === null && !isWhole(value))
      return `${at} ${shown(String(value))} is not an amount. Send {"value": 1999, "currency": "usd"} for USD 19.99.`
    return faultIn(value, at)
  })
}

const AMOUNT = /^(0|[1-9][0-9]{0,11})$/
const isWhole = (value: Json): boolean => typeof value === 'number' && AMOUNT.test(String(value))

function firstOf<T>(items: readonly T[], fault: (item: T, at: number) => string | null): string | null {
  for (const [at, item] of items.entries()) {
    const found = fault(item, at)
    if (found !== null) return found
  }
  return null
}

const refusal = (message: string): Refusal => ({ code: 'request_malformed', message: `${message} Do not retry.` })

/** The JSON body of a request; empty when it has none. */
export const bodyOf = ({ json }: Pick<Question, 'json'>): JsonObject => object(json) ?? {}

/** The value at a path such as `to.recipient`. */
export const at = (json: JsonObject, path: string): Json | undefined =>
  path.split('.').reduce<Json | undefined>((value, name) => object(value)?.[name], json)

/** A text at a path; null when it is missing or something else. */
export const textAt = (json: JsonObject, path: string): string | null => text(at(json, path))

/** An amount `{value, currency}` of a request or reply. Null for anything else, further fields included. */
export function amountAt(json: JsonObject, path: string): { readonly value: string; readonly currency: string } | null {
  const found = object(at(json, path))
  if (found === null || Object.keys(found).sort().join() !== 'currency,value') return null
  const value = typeof found.value === 'number' ? integer(found.value) : null
  const currency = text(found.currency)
  return value === null || value.startsWith('-') || currency === null ? null : { value, currency }
}

/** The first field of nested objects that is not among the known ones, as `to.account`. */
export function strangerIn(json: JsonObject, shape: Readonly<Record<string, readonly string[]>>): string | null {
  for (const [path, known] of Object.entries(shape)) {
    const found = at(json, path)
    if (found === undefined) continue
    const fields = object(found)
    if (fields === null) return path
    const stranger = Object.keys(fields).find((name) => !known.includes(name))
    if (stranger !== undefined) return `${path}.${stranger}`
  }
  return null
}

/** Every URL in a body: what stands under a name that takes one, wherever it stands. */
export function urlsIn(json: Json | undefined): readonly string[] {
  if (json === undefined) return []
  if (Array.isArray(json)) return (json as readonly Json[]).flatMap(urlsIn)
  return Object.entries(object(json) ?? {}).flatMap(([name, value]) => {
    if (DESCRIPTIVE.has(name)) return []
    return typeof value === 'string' ? (isUrlName(name) && value !== '' ? [value] : []) : urlsIn(value)
  })
}
