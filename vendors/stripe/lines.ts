import { sumOfProducts } from '../../src/contracts/money.js'
import type { Explained, JsonObject, Params, Question } from '../../src/contracts/vendor.js'
import { findPrices, LOOK_UPS_MAX } from './lookups.js'
import { largest, largerMinor, lineTotal, priceOf, sum, type Priced } from './pricing.js'
import { decimal, integer, list, object, text } from './replies.js'

/** Something sold: a price by id, or one made up in the request, and how many of it at most. */
export interface Line {
  readonly price: string | InlinePrice
  readonly quantity: string
  /** True where a buyer may take less. */
  readonly adjustable?: boolean
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
  return { price, quantity, ...(item.get('adjustable_quantity[enabled]') === 'true' && { adjustable: true }) }
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

/** Minor units that a line costs at most, decimal text. */
type LineCost = (line: Line) => string | null

/** How a price is worked out in each currency it can be paid in (null: no bound is known), or why it has none at all. */
export function costsOf(price: JsonObject): ReadonlyMap<string, LineCost | null> | string {
  if (object(price.recurring)?.usage_type === 'metered') return METERED
  const currency = text(price.currency)
  if (!currency) return UNBOUNDED
  const options = Object.entries(object(price.currency_options) ?? {})
  return new Map([
    ...options.map(([other, option]) => [other, costOf(price, object(option ?? null) ?? {})] as const),
    [currency, costOf(price, price)],
  ])
}

function costOf(price: JsonObject, option: JsonObject): LineCost | null {
  if (isTiered(price) || list(option.tiers).length > 0) {
    const tiers = tiersOf(option)
    if (!tiers) return null
    return price.tiers_mode === 'graduated'
      ? (line) => graduated(tiers, line)
      : price.tiers_mode === 'volume'
        ? (line) => volume(tiers, line)
        : null
  }
  const chosen = object(option.custom_unit_amount)
  const unit = chosen ? integer(chosen.maximum) : (decimal(option.unit_amount_decimal) ?? integer(option.unit_amount))
  return unit === null ? null : ({ quantity }) => lineTotal(unit, quantity)
}

const isTiered = (price: JsonObject): boolean => price.billing_scheme === 'tiered'

/** `upTo` is the last unit of the tier, null for the last tier. */
interface Tier {
  readonly upTo: bigint | null
  readonly unit: string
  readonly flat: string
}

/** The tiers of a price in ascending order, the last one open, or null when they are not all readable. */
function tiersOf(option: JsonObject): readonly Tier[] | null {
  const tiers: Tier[] = []
  for (const tier of list(option.tiers)) {
    const unit = decimal(tier.unit_amount_decimal) ?? integer(tier.unit_amount)
    const flat = decimal(tier.flat_amount_decimal) ?? integer(tier.flat_amount)
    const upTo = integer(tier.up_to)
    if ((unit ?? flat) === null || unit?.startsWith('-') || flat?.startsWith('-')) return null
    const before = tiers.at(-1)
    if (before && (before.upTo === null || (upTo !== null && BigInt(upTo) <= before.upTo))) return null
    tiers.push({ upTo: upTo === null ? null : BigInt(upTo), unit: unit ?? '0', flat: flat ?? '0' })
  }
  return tiers.length > 0 && tiers.at(-1)!.upTo === null ? tiers : null
}

/** Each unit costs what its tier says, and every tier that is reached adds its flat amount. */
function graduated(tiers: readonly Tier[], { quantity }: Line): string {
  const wanted = atLeastOne(quantity)
  let below = 0n
  const parts: (readonly [string, string])[] = []
  for (const { upTo, unit, flat } of tiers) {
    if (wanted <= below) break
    const last = upTo === null || wanted < upTo ? wanted : upTo
    parts.push([unit, (last - below).toString()], [flat, '1'])
    below = last
  }
  return sumOfProducts(parts)
}

/**
 * All units cost what the tier of the last one says. Taking more can cost less, so where the buyer chooses, the dearest
 * of all reachable tiers counts.
 */
function volume(tiers: readonly Tier[], { quantity, adjustable = false }: Line): string {
  const wanted = atLeastOne(quantity)
  let below = 0n
  let most = '0'
  for (const { upTo, unit, flat } of tiers) {
    if (wanted <= below) break
    const last = upTo === null || wanted < upTo ? wanted : upTo
    const here = lineTotal(
      sumOfProducts([
        [unit, last.toString()],
        [flat, '1'],
      ]),
      '1',
    )
    most = adjustable ? largerMinor(most, here) : here
    below = last
  }
  return most
}

/** A line of none still pays the flat amount of the first tier. */
const atLeastOne = (quantity: string): bigint => {
  const whole = BigInt(lineTotal(quantity, '1'))
  return whole < 1n ? 1n : whole
}

const METERED = 'A metered price has no upper bound: its cost depends on later usage.'
const UNBOUNDED = 'A price that is freely chosen by the buyer, or that cannot be read, has no upper bound.'
const TIERED =
  'The tiers of a price could not be read in every currency it can be paid in. Name its own currency with currency=….'

/**
 * Looks up the prices of all lines and adds them up. A buyer may be shown any currency a price has, so each line
 * counts at the dearest unless the request settles the currency.
 *
 * @param known prices that are already at hand
 */
export function totalOf(
  question: Question,
  lines: readonly Line[],
  then: (total: Priced, currencies: readonly string[]) => Explained,
  {
    known = new Map(),
    lookUps = LOOK_UPS_MAX,
  }: {
    readonly known?: ReadonlyMap<string, JsonObject>
    readonly lookUps?: number
  } = {},
): Explained {
  const ids = new Set(lines.flatMap(({ price }) => (typeof price === 'string' && !known.has(price) ? [price] : [])))
  if (ids.size > lookUps) return then(`More than ${lookUps} different prices cannot be looked up for one call.`, [])
  return findPrices([...ids], ['currency_options', 'tiers'], (found) => {
    if (found === null) return then('A price this call names could not be found, so what it costs is unknown.', [])
    const prices = new Map([...known, ...found])
    const currencies = new Set<string>()
    const amounts = lines.map((line): Priced => {
      if (typeof line.price !== 'string') {
        currencies.add(line.price.currency)
        return priceOf(question, lineTotal(line.price.unit, line.quantity), line.price.currency)
      }
      const price = prices.get(line.price)!
      const costs = costsOf(price)
      if (typeof costs === 'string') return costs
      const settled = question.params.get('currency')
      const candidates = settled && costs.has(settled) ? [[settled, costs.get(settled)!] as const] : [...costs]
      return largest(
        candidates.map(([currency, cost]) => {
          if (cost === null) return isTiered(price) ? TIERED : UNBOUNDED
          currencies.add(currency)
          return priceOf(question, cost(line), currency)
        }),
      )
    })
    return then(sum(amounts), [...currencies])
  })
}
