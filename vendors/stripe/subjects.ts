import type { Subjects } from '../../src/contracts/call.js'
import type { JsonObject, Question } from '../../src/contracts/vendor.js'
import { isUrlName, segments } from './grammar.js'
import { idIn, object } from './replies.js'

/** What an operation found out about whom it concerns; the rest is read off the parameters. */
interface Found {
  readonly customers?: readonly string[] | null
  readonly currencies?: readonly (string | null | undefined)[]
  readonly beneficiaries?: readonly (string | null | undefined)[]
}

/** Subjects of a mutating call: what was found, and every destination and URL among the parameters. */
export function subjects({ params }: Question, found: Found): Subjects {
  const destinations: (string | null | undefined)[] = []
  const addresses: string[] = []
  for (const [name, value] of params.entries()) {
    const path = segments(name)
    if (value === '' || path.includes('metadata')) continue
    if (isDestination(path)) destinations.push(value)
    if (isUrl(path)) addresses.push(value)
  }
  if (found.beneficiaries !== undefined) destinations.push(...found.beneficiaries)
  // Made up step by step: on each call of money, and a spread that may hold nothing costs more than all the rest.
  const subjects: { -readonly [kind in keyof Subjects]: Subjects[kind] } = {}
  if (found.customers !== undefined) subjects.customers = found.customers
  const beneficiaries = distinct(destinations)
  if (beneficiaries.length > 0) subjects.beneficiaries = beneficiaries
  const urls = distinct(addresses)
  if (urls.length > 0) subjects.urls = urls
  const currencies = found.currencies === undefined ? [] : distinct(found.currencies)
  if (currencies.length > 0) subjects.currencies = currencies
  return subjects
}

/** One list of customers; null as soon as one of them is unknown. */
export function owners(...ids: readonly (string | null | undefined)[]): readonly string[] | null {
  if (ids.length === 1) return ids[0] ? [ids[0]] : null
  const known = distinct(ids)
  return known.length === new Set(ids.map((id) => id || null)).size ? known : null
}

/** The customer of an object: an id, an expanded object or nothing. Payment records keep theirs among the details. */
export const customerOf = (found: JsonObject): string | null =>
  idIn(found.customer) ?? idIn(object(found.customer_details)?.customer)

/** Accounts an existing object already routes its money to. */
export function beneficiariesOf(found: JsonObject): readonly (string | null)[] {
  return [
    idIn(found.on_behalf_of),
    idIn(object(found.transfer_data)?.destination),
    idIn(object(found.issuer)?.account),
    idIn(object(object(found.invoice_settings)?.issuer)?.account),
    idIn(object(object(found.automatic_tax)?.liability)?.account),
  ]
}

function isDestination(path: readonly string[]): boolean {
  const last = path.at(-1)!
  if (last === 'destination' || last === 'on_behalf_of') return true
  return last === 'account' && /^(destination|issuer|liability)$/.test(path.at(-2) ?? '')
}

/** Names such as `return_url`, `redirect[url]` and a product's `images[]`. */
const isUrl = (path: readonly string[]): boolean =>
  isUrlName(path.at(-1)!) || (path.at(-2) === 'images' && /^\d*$/.test(path.at(-1)!))

export function distinct(values: readonly (string | null | undefined)[]): string[] {
  if (values.length < 2) return values[0] ? [values[0]] : []
  return [...new Set(values.filter((value): value is string => Boolean(value)))]
}
