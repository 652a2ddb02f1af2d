import type { CountryCode } from 'libphonenumber-js/max'
import type { Json, JsonObject, PriceTable } from '../../src/contracts/vendor.js'
import { numberingPlans } from './numbering.js'

type Row = Readonly<Record<string, string>>
type Rows = Record<string, Record<string, string>>

/** One read of the Pricing API: the reply's object, or a sentence on why there is none. */
export type Read = (
  path: string,
  params: readonly (readonly [string, string])[],
) => Promise<{ readonly reply: JsonObject } | { readonly busy: true } | { readonly why: string }>

export interface Walk {
  readonly read: Read
  /** Waits between reads, so that the account's own traffic is not throttled for it. */
  readonly pause: (ms: number) => Promise<void>
  /** The table in force: what the API does not price is taken over from it. */
  readonly inForce: PriceTable
  /** `2026-11-20` */
  readonly asOf: string
  /** Told after every read how many of how many are done. */
  readonly walked: (done: number, of: number) => void
}

/** A table, or a sentence on why none was made. */
export type Synced = { readonly table: PriceTable } | { readonly why: string }

const HOST = 'pricing.twilio.com'
const PRODUCTS = { sms: '/v1/Messaging/Countries', voice: '/v2/Voice/Countries', numbers: '/v1/PhoneNumbers/Countries' }
type Product = keyof typeof PRODUCTS

const COUNTRIES_MAX = 250
const PAGES_MAX = 10
const PAUSE_MS = 50
/** Waits after a 429, one after the other. */
const BUSY_MS = [1_000, 5_000, 20_000]
const ROWS_MAX = 20_000
const DECIMAL = /^(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,12})?$/

/**
 * Walks Twilio's Pricing API country by country and makes the price table of it. The prices are the account's own.
 * Every reply must be understood: one that is not leaves the table in force as it is.
 * Facts: twilio-node 6.2.0 (rest/pricing) and Twilio's reference of the Pricing API, 2026-11.
 */
export async function syncPrices(walk: Walk): Promise<Synced> {
  const lists: Partial<Record<Product, readonly string[]>> = {}
  for (const product of products) {
    const countries = await countriesOf(product, walk)
    if ('why' in countries) return countries
    lists[product] = countries.isos
  }
  const of = products.reduce((sum, product) => sum + lists[product]!.length, 0)
  const found: Record<Product, Map<string, JsonObject>> = { sms: new Map(), voice: new Map(), numbers: new Map() }
  let done = 0
  for (const product of products) {
    for (const iso of lists[product]!) {
      const answer = await patiently(`${HOST}${PRODUCTS[product]}/${iso}`, [], walk)
      if ('why' in answer) return answer
      const currency = answer.reply.price_unit
      if (typeof currency !== 'string' || currency.toUpperCase() !== 'USD')
        return {
          why: `Twilio bills this account in ${String(currency).slice(0, 10)} (${iso}), and the price table is in USD. Import a table that you have converted (spendgate prices import).`,
        }
      found[product].set(iso, answer.reply)
      walk.walked(++done, of)
    }
  }
  return tableOf(found, walk)
}

const products = Object.keys(PRODUCTS) as Product[]

async function countriesOf(
  product: Product,
  walk: Walk,
): Promise<{ readonly isos: readonly string[] } | { readonly why: string }> {
  const isos = new Set<string>()
  let params: readonly (readonly [string, string])[] = [['PageSize', '1000']]
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer = await patiently(HOST + PRODUCTS[product], params, walk)
    if ('why' in answer) return answer
    const { countries, meta } = answer.reply
    if (!Array.isArray(countries)) return { why: `Twilio’s list of countries (${product}) could not be read.` }
    for (const country of countries as readonly Json[]) {
      const iso = asObject(country)?.iso_country
      if (typeof iso !== 'string' || !/^[A-Z]{2}$/.test(iso))
        return { why: `Twilio’s list of countries (${product}) holds one without its two letters.` }
      isos.add(iso)
    }
    if (isos.size > COUNTRIES_MAX)
      return { why: `Twilio’s list of countries (${product}) holds more than ${COUNTRIES_MAX}.` }
    const next = asObject(meta)?.next_page_url
    if (next === null || next === undefined) return { isos: [...isos] }
    if (typeof next !== 'string' || !URL.canParse(next))
      return { why: `A page of Twilio’s list (${product}) leads nowhere.` }
    // Only what is asked is taken from the link, never where.
    params = [...new URL(next).searchParams]
  }
  return { why: `Twilio’s list of countries (${product}) has more than ${PAGES_MAX} pages.` }
}

/** One read, after a pause, and again where Twilio asks to wait. */
async function patiently(
  path: string,
  params: readonly (readonly [string, string])[],
  { read, pause }: Walk,
): Promise<{ readonly reply: JsonObject } | { readonly why: string }> {
  for (const waitMs of [PAUSE_MS, ...BUSY_MS]) {
    await pause(waitMs)
    const answer = await read(path, params)
    if (!('busy' in answer)) return answer
  }
  return { why: `Twilio kept answering 429 at ${path}. Try again later.` }
}

function tableOf(found: Readonly<Record<Product, ReadonlyMap<string, JsonObject>>>, { inForce, asOf }: Walk): Synced {
  try {
    const voice: Rows = {}
    const dialled = new Map<string, string[]>()
    const everywhere = new Set<string>()
    for (const [iso, reply] of found.voice) dialled.set(iso, addVoice(voice, everywhere, iso, reply))
    raiseWhereOriginsAreLeft(voice, everywhere)
    const sms: Rows = {}
    for (const [iso, reply] of found.sms) addSms(sms, iso, reply, dialled.get(iso) ?? [], inForce)
    const numbers: Record<string, string> = {}
    for (const [iso, reply] of found.numbers) addNumbers(numbers, iso, reply)
    const prefixes = { sms, voice: withoutRepetition(voice) }
    const rows = Math.max(...Object.values(prefixes).map((section) => Object.keys(section).length))
    if (rows > ROWS_MAX) return { why: `Twilio prices ${rows} destinations; a table holds at most ${ROWS_MAX}.` }
    const others = Object.entries(inForce.flat).filter(([name]) => !isNumberPrice(name, found.numbers))
    return {
      table: {
        as_of: asOf,
        max_age_days: inForce.max_age_days,
        safety: inForce.safety,
        source: 'Twilio Pricing API; other flat prices, carrier fees and MMS as before',
        prefixes,
        flat: { ...Object.fromEntries(others), ...numbers },
      },
    }
  } catch (fault) {
    if (fault instanceof Unreadable) return { why: fault.message }
    throw fault
  }
}

/** A price that has been told in a way nobody could be sure of; never seen outside this file. */
class Unreadable extends Error {}

/**
 * The dearest origin of every prefix. Returns the prefixes.
 *
 * @param everywhere gets those that have a price from wherever a call comes
 */
function addVoice(rows: Rows, everywhere: Set<string>, iso: string, reply: JsonObject): string[] {
  const dialled: string[] = []
  for (const each of listIn(reply, 'outbound_prefix_prices', iso)) {
    const min = priceIn(each, iso)
    const origins = listOf(each.origination_prefixes, iso)
    for (const digits of listOf(each.destination_prefixes, iso)) {
      if (typeof digits !== 'string' || !/^\+?[1-9][0-9]{0,14}$/.test(digits))
        throw new Unreadable(`Twilio’s voice prices of ${iso} hold a destination that is no number.`)
      const prefix = `+${digits.replace('+', '')}`
      put(rows, prefix, iso, 'min', min)
      if (origins.includes('ALL') || origins.includes('ROW')) everywhere.add(prefix)
      dialled.push(prefix)
    }
  }
  return dialled
}

/** A prefix priced for some origins only costs from the others what the next shorter one does. */
function raiseWhereOriginsAreLeft(rows: Rows, everywhere: ReadonlySet<string>): void {
  for (const prefix of Object.keys(rows).sort((a, b) => a.length - b.length)) {
    if (everywhere.has(prefix)) continue
    const shorter = shorterRow(rows, prefix)
    if (shorter !== null) rows[prefix]!.min = dearer(rows[prefix]!.min!, shorter.min!)
  }
}

/** One row a country: the dearest carrier and sender type, as which of them serves a message is not known beforehand. */
function addSms(rows: Rows, iso: string, reply: JsonObject, dialled: readonly string[], inForce: PriceTable): void {
  const prices = listIn(reply, 'outbound_sms_prices', iso)
    .flatMap((carrier) => listIn(carrier, 'prices', iso))
    .map((each) => priceIn(each, iso))
  if (prices.length === 0) return
  const seg = prices.reduce(dearer)
  for (const prefix of prefixesOf(iso, dialled)) {
    put(rows, prefix, iso, 'seg', seg)
    // The API tells neither what carriers charge beside it nor what an MMS costs.
    const before = rowFor(inForce.prefixes.sms ?? {}, prefix, iso)
    for (const column of ['carrier', 'mms']) if (before?.[column]) put(rows, prefix, iso, column, before[column])
  }
}

function addNumbers(flat: Record<string, string>, iso: string, reply: JsonObject): void {
  for (const each of listIn(reply, 'phone_number_prices', iso)) {
    const kind = each.number_type
    if (typeof kind !== 'string' || !/^[A-Za-z][A-Za-z _-]{0,30}$/.test(kind))
      throw new Unreadable(`Twilio’s prices of numbers in ${iso} hold one without its kind.`)
    const name = `number.${iso}.${kind.toLowerCase().replace(/[ -]/g, '_')}`
    const price = priceIn(each, iso)
    flat[name] = flat[name] === undefined ? price : dearer(flat[name], price)
  }
}

/**
 * Prefixes under which a country's numbers are priced: its calling code where it is the code's main country, else those
 * that the API dials it by. A neighbour under the same code is no danger: a row's `iso` must be the number's country.
 */
function prefixesOf(iso: string, dialled: readonly string[]): readonly string[] {
  const known = (numberingPlans().getCountries() as readonly string[]).includes(iso)
  if (known) {
    const code = `+${numberingPlans().getCountryCallingCode(iso as CountryCode)}`
    const sharing = numberingPlans()
      .getCountries()
      .filter((country) => `+${numberingPlans().getCountryCallingCode(country)}` === code)
    if (sharing.length === 1 || MAIN[code] === iso) return [code]
  }
  return dialled.filter((prefix) => !dialled.some((other) => other !== prefix && prefix.startsWith(other)))
}

/** Which country a shared calling code is called by (ITU-T E.164 assigned codes; +1 is the United States here). */
const MAIN: Readonly<Record<string, string>> = {
  '+1': 'US',
  '+7': 'RU',
  '+39': 'IT',
  '+44': 'GB',
  '+47': 'NO',
  '+61': 'AU',
  '+212': 'MA',
  '+262': 'RE',
  '+290': 'SH',
  '+358': 'FI',
  '+590': 'GP',
  '+599': 'CW',
}

/** Adds a price to a row; where there is one already the dearer stays, and both countries are named. */
function put(rows: Rows, prefix: string, iso: string, column: string, price: string): void {
  const row = (rows[prefix] ??= { iso })
  if (!row.iso!.split(',').includes(iso)) row.iso = `${row.iso},${iso}`
  row[column] = row[column] === undefined ? price : dearer(row[column], price)
}

/** The same without rows that say what the next shorter prefix says already. */
const withoutRepetition = (rows: Readonly<Rows>): Rows =>
  Object.fromEntries(
    Object.entries(rows).filter(([prefix, row]) => {
      const shorter = shorterRow(rows, prefix)
      return shorter === null || shorter.iso !== row.iso || shorter.min !== row.min
    }),
  )

/** The row a number would be priced by if the one of its prefix were not there. */
function shorterRow(rows: Readonly<Rows>, prefix: string): Row | null {
  for (let length = prefix.length - 1; length > 1; length--) {
    const row = rows[prefix.slice(0, length)]
    if (row !== undefined) return row
  }
  return null
}

function rowFor(rows: Readonly<Record<string, Row>>, prefix: string, iso: string): Row | null {
  for (let length = prefix.length; length > 1; length--) {
    const row = rows[prefix.slice(0, length)]
    if (row?.iso?.split(',').includes(iso)) return row
  }
  return null
}

/** `number.US.local` where the API was asked for the numbers of US; short codes it does not sell. */
const isNumberPrice = (name: string, countries: ReadonlyMap<string, unknown>): boolean => {
  const [, iso, kind] = /^number\.([A-Z]{2})\.(\w+)$/.exec(name) ?? []
  return iso !== undefined && kind !== 'short_code' && countries.has(iso)
}

/** What the account pays, or the list price where Twilio tells no other. */
function priceIn(each: JsonObject, iso: string): string {
  const price = each.current_price ?? each.base_price
  if (typeof price !== 'string' || !DECIMAL.test(price))
    throw new Unreadable(`Twilio’s prices of ${iso} hold one that is no plain decimal.`)
  return price
}

function listIn(reply: JsonObject, name: string, iso: string): readonly JsonObject[] {
  return listOf(reply[name], iso).map((each) => {
    const object = asObject(each)
    if (object === null) throw new Unreadable(`Twilio’s prices of ${iso} hold ${name} of another shape.`)
    return object
  })
}

function listOf(value: Json | undefined, iso: string): readonly Json[] {
  if (!Array.isArray(value)) throw new Unreadable(`Twilio’s prices of ${iso} are of another shape.`)
  return value as readonly Json[]
}

/** By digits, as decimal text: no float judges a price. */
function dearer(a: string, b: string): string {
  const digits = (text: string): bigint => {
    const [whole, fraction = ''] = text.split('.')
    return BigInt(whole! + fraction.padEnd(12, '0'))
  }
  return digits(b) > digits(a) ? b : a
}

const asObject = (value: Json | undefined): JsonObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
