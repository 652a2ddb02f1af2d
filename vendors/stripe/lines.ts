import type { Explained, JsonObject, Params, Question } from '../../src/contracts/vendor.js'
import { findPrices, LOOK_UPS_MAX } from './lookups.js'
import { largest, largerMinor, lineTotal, NOTHING, priceOf, sum, type Priced } from './pricing.js'
import { decimal, integer, list, object, text } from './replies.js'

/** Something sold: a price by id, or one made up in the request, and how many of it at most. */
export interface Line {
  readonly price: string | InlinePrice
  readonly quantity: string
}

/** Minor units of a currency, decimal text. */
interface InlinePrice {
  readonly currency: string
  readonly unit: string
}

/** Checkout's maximum for an adjustable quantity where none is given (API reference, November 2026). */
const ADJUSTABLE_DEFAULT_MAX = '99'

const LINE_FIELDS: ReadonlySet<string> = new Set(['adjustable_quantity', 'metadata', 'price', 'price_data', 'quantity'])

/**
 * The items of a list such as `line_items`, or one sentence on why they have no upper bound.
 *
 * @param allowed fields beside the usual ones whose effect on the price the caller has taken care of
 */
export function readLines(params: Params, name: string, allowed: readonly string[] = []): readonly Line[] | string {
  const items = numbered(params, name)
  if (typeof items === 'string') return items
  const lines: Line[] = []
  for (const item of items) {
    const line = readLine(item, name, allowed)
    if (typeof line === 'string') return line
    lines.push(line)
  }
  return lines
}

/** A list whose elements all have a number and fields. */
export function numbered(params: Params, name: string): readonly Params[] | string {
  const items = params.list(name)
  const other = params.has(name) && (items.length === 0 || params.all(name).length > 0)
  return other ? `${name} is not a numbered list of items.` : items
}

/** @param old the line that an update changes: what it does not say stays */
export function readLine(item: Params, name: string, allowed: readonly string[], old?: Line): Line | string {
  const strange = item.names().find((field) => !LINE_FIELDS.has(field) && !allowed.includes(field))
  if (strange) return `What ${name}[…][${strange}] does to the price is not known.`
  const price = readPrice(item) ?? old?.price
  if (price === undefined) return `An item in ${name} has no price.`
  if (price instanceof Unreadable) return price.why
  const quantity = readQuantity(item, old?.quantity ?? '1')
  if (quantity === null) return `The largest quantity of an item in ${name} is not a plain number.`
  return { price, quantity }
}

class Unreadable {
  constructor(readonly why: string) {}
}

function readPrice(item: Params): string | InlinePrice | Unreadable | undefined {
  const ids = ['price', 'plan'].flatMap((name) => item.get(name) || [])
  if (ids.length + (item.has('price_data') ? 1 : 0) > 1) return new Unreadable('An item has more than one price.')
  if (!item.has('price_data')) return ids[0]
  const inline = readPriceData(item.map('price_data'))
  return typeof inline === 'string' ? new Unreadable(inline) : inline
}

const PRICE_DATA_FIELDS: ReadonlySet<string> = new Set([
  'currency',
  'product',
  'product_data',
  'recurring',
  'tax_behavior',
  'unit_amount',
  'unit_amount_decimal',
])

export function readPriceData(data: Params): InlinePrice | string {
  const currency = data.get('currency')
  const whole = data.get('unit_amount')
  const fine = data.get('unit_amount_decimal')
  const unit = whole ?? fine
  const strange =
    data.names().find((field) => !PRICE_DATA_FIELDS.has(field)) ??
    data
      .map('recurring')
      .names()
      .find((field) => field !== 'interval' && field !== 'interval_count')
  if (strange) return `What ${strange} in price_data does to the price is not known.`
  if (!currency || unit === undefined || (whole !== undefined && fine !== undefined)) {
    return 'price_data needs a currency and either unit_amount or unit_amount_decimal.'
  }
  return { currency, unit }
}

function readQuantity(item: Params, before: string): string | null {
  const quantity = item.get('quantity') ?? before
  if (item.get('adjustable_quantity[enabled]') !== 'true') return quantity
  const maximum = item.get('adjustable_quantity[maximum]') ?? ADJUSTABLE_DEFAULT_MAX
  return /^[1-9][0-9]{0,5}$/.test(maximum) ? largerMinor(quantity, maximum) : null
}

/** What one unit of a price costs at most in each currency it can be paid in, or why that has no bound. */
function unitsOf(price: JsonObject): ReadonlyMap<string, string> | string {
  if (object(price.recurring)?.usage_type === 'metered') return METERED
  if (price.billing_scheme === 'tiered') return TIERED
  const options = Object.entries(object(price.currency_options) ?? {}).map(
    ([currency, option]) => [currency, object(option ?? null)] as const,
  )
  const units = new Map<string, string>()
  for (const [currency, option] of [[text(price.currency), price] as const, ...options]) {
    const unit = option && unitOf(option)
    if (!currency || !unit) return 'A price that is tiered or freely chosen by the buyer has no upper bound.'
    units.set(currency, unit)
  }
  return units
}

const METERED = 'A metered price has no upper bound: its cost depends on later usage.'
const TIERED = 'What a tiered price costs depends on more than its quantity.'

function unitOf(option: JsonObject): string | null {
  if (list(option.tiers).length > 0) return null
  const chosen = object(option.custom_unit_amount)
  if (chosen) return integer(chosen.maximum)
  return decimal(option.unit_amount_decimal) ?? integer(option.unit_amount)
}

/**
 * Looks up the prices of all lines and adds them up. A buyer may be shown any currency a price has, so each line
 * counts at the dearest unless the request settles the currency.
 *
 * @param known prices that are already at hand
 * @param previewed true when Stripe itself works out what tiered prices come to; they then count as nothing here
 */
export function totalOf(
  question: Question,
  lines: readonly Line[],
  then: (total: Priced, currencies: readonly string[]) => Explained,
  {
    known = new Map(),
    lookUps = LOOK_UPS_MAX,
    previewed = false,
  }: {
    readonly known?: ReadonlyMap<string, JsonObject>
    readonly lookUps?: number
    readonly previewed?: boolean
  } = {},
): Explained {
  const ids = new Set(lines.flatMap(({ price }) => (typeof price === 'string' && !known.has(price) ? [price] : [])))
  if (ids.size > lookUps) return then(`More than ${lookUps} different prices cannot be looked up for one call.`, [])
  return findPrices([...ids], ['currency_options'], (found) => {
    if (found === null) return then('A price this call names could not be found, so what it costs is unknown.', [])
    const prices = new Map([...known, ...found])
    const currencies = new Set<string>()
    const amounts = lines.map(({ price, quantity }) => {
      const units = typeof price === 'string' ? unitsOf(prices.get(price)!) : new Map([[price.currency, price.unit]])
      if (units === TIERED && previewed) return NOTHING
      if (typeof units === 'string') return units
      const settled = question.params.get('currency')
      const candidates = settled && units.has(settled) ? [[settled, units.get(settled)!] as const] : [...units]
      return largest(
        candidates.map(([currency, unit]) => {
          currencies.add(currency)
          return priceOf(question, lineTotal(unit, quantity), currency)
        }),
      )
    })
    return then(sum(amounts), [...currencies])
  })
}
