import type { Commitment } from '../../../src/contracts/call.js'
import { larger, usd, ZERO, type Usd } from '../../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Params, Question } from '../../../src/contracts/vendor.js'
import { costsOf, numbered, readLine, type Line } from '../lines.js'
import { findPrices, UNKNOWN_OBJECT } from '../lookups.js'
import { costs, largerMinor, largest, lineTotal, priceOf, sum, type Priced } from '../pricing.js'
import { idIn, integer, list, object, text } from '../replies.js'

/** What is billed again and again: lines, and for an invented price how often. The interval of a price by id stands in the price. */
export interface Item extends Line {
  readonly every?: Every | null
  /** Of a schedule: the phase it belongs to. Phases follow one another, so a month costs what the dearest does. */
  readonly phase?: number
}

/** Every `count` times this interval. */
interface Every {
  readonly interval: string
  readonly count: string
}

/** What a subscription comes to. `perMonth` and `quantity` mean something only where the amount is known. */
export interface Bill {
  /** The larger of Stripe's preview and one period of everything that is sold. */
  readonly amount: Priced
  readonly perMonth: Usd
  readonly quantity: bigint
  readonly currencies: readonly string[]
}

export interface Sold {
  readonly items: readonly Item[]
  /** Sold once beside them. */
  readonly added?: readonly Line[]
  /** Prices that are already at hand. */
  readonly known?: ReadonlyMap<string, JsonObject>
  /** The currency it is certainly billed in. */
  readonly currency?: string | null
  /** Whether the preview shows a whole period of everything, so that it stands in for tiers Stripe does not show. */
  readonly whole?: boolean
}

/** Subscription items of a form, or one sentence on why they have no price. */
export function readItems(params: Params, name: string, allowed: readonly string[]): readonly Item[] | string {
  const items = numbered(params, name)
  if (typeof items === 'string') return items
  const read: Item[] = []
  for (const item of items) {
    const one = readItem(item, name, allowed)
    if (typeof one === 'string') return one
    read.push(one)
  }
  return read
}

/** @param old the item that an update changes: what it does not say stays */
export function readItem(item: Params, name: string, allowed: readonly string[], old?: Item): Item | string {
  const line = readLine(item, name, allowed, old)
  if (typeof line === 'string' || typeof line.price === 'string') return line
  const recurring = item.map('price_data').map('recurring')
  const interval = recurring.get('interval')
  return { ...line, every: interval ? { interval, count: recurring.get('interval_count') ?? '1' } : null }
}

/** The items an existing subscription bills, by their ids, or null when they cannot be read. */
export function itemsOf(subscription: JsonObject): ReadonlyMap<string, Item> | null {
  const items = new Map<string, Item>()
  for (const item of list(object(subscription.items)?.data)) {
    const id = text(item.id)
    const price = idIn(item.price)
    if (!id || !price) return null
    items.set(id, { price, quantity: integer(item.quantity) ?? '1' })
  }
  return items.size === 0 || object(subscription.items)?.has_more === true ? null : items
}

/** The prices that stand in a subscription's items; those whose tiers or currency are not shown are left to a look-up. */
export function pricesIn(subscription: JsonObject): ReadonlyMap<string, JsonObject> {
  const currency = text(subscription.currency)
  return new Map(
    list(object(subscription.items)?.data).flatMap((item) => {
      const price = object(item.price)
      const id = text(price?.id)
      const whole = price?.billing_scheme !== 'tiered' || list(price.tiers).length > 0
      return price && id && whole && (!currency || price.currency === currency) ? [[id, price] as const] : []
    }),
  )
}

/**
 * Prices what is sold: looks up the prices that are not at hand, then asks Stripe for a preview, where there is one.
 *
 * @param asked parameters of the preview; null where Stripe previews nothing of the kind
 */
export function billed(
  question: Question,
  { items, added = [], known = new Map(), currency = null, whole = false }: Sold,
  asked: readonly (readonly [string, string])[] | null,
  lookUps: number,
  then: (bill: Bill) => Explained,
): Explained {
  const unknown = (why: string): Explained => then({ amount: why, perMonth: ZERO, quantity: 0n, currencies: [] })
  const ids = new Set(
    [...items, ...added].flatMap(({ price }) => (typeof price === 'string' && !known.has(price) ? [price] : [])),
  )
  if (ids.size > lookUps) return unknown(`More than ${lookUps} different prices cannot be looked up for one call.`)
  return findPrices([...ids], ['currency_options', 'tiers'], (found) => {
    if (found === null) return unknown('A price this call names could not be found, so what it costs is unknown.')
    const prices = new Map([...known, ...found])
    if (asked === null) return then(billOf(question, items, added, prices, currency, null, false))
    return previewed(question, asked, (next, shown) =>
      then(billOf(question, items, added, prices, currency ?? shown, next, whole)),
    )
  })
}

function billOf(
  question: Question,
  items: readonly Item[],
  added: readonly Line[],
  prices: ReadonlyMap<string, JsonObject>,
  currency: string | null,
  next: Priced | null,
  whole: boolean,
): Bill {
  const currencies = new Set<string>(currency === null ? [] : [currency])
  const priceLine = (line: Line): Priced => {
    if (typeof line.price !== 'string') {
      currencies.add(line.price.currency)
      return priceOf(question, lineTotal(line.price.unit, line.quantity), line.price.currency)
    }
    const costs = costsOf(prices.get(line.price)!)
    if (typeof costs === 'string') return costs
    const settled = currency !== null && costs.has(currency) ? [[currency, costs.get(currency)!] as const] : [...costs]
    return largest(
      settled.map(([of, cost]) => {
        currencies.add(of)
        if (cost === null) return whole && next !== null ? next : UNREADABLE_PRICE
        return priceOf(question, cost(line), of)
      }),
    )
  }
  const months = new Map<number, Usd>()
  let quantity = 0n
  const amounts = items.map((item) => {
    const amount = priceLine(item)
    const every = item.every ?? (typeof item.price === 'string' ? everyOf(prices.get(item.price)!) : null)
    const monthly = typeof amount === 'string' || every === null ? null : aMonth(amount.reserve, every)
    if (typeof amount === 'string') return amount
    if (monthly === null) return 'How often a price of this subscription is billed could not be read.'
    months.set(item.phase ?? 0, usd((months.get(item.phase ?? 0) ?? ZERO) + monthly))
    quantity += BigInt(item.quantity)
    return amount
  })
  const period = sum([...amounts, ...added.map(priceLine)])
  const perMonth = [...months.values()].reduce(larger, ZERO)
  return { amount: largest(next === null ? [period] : [next, period]), perMonth, quantity, currencies: [...currencies] }
}

const UNREADABLE_PRICE = 'What a price comes to in the currency of this subscription could not be read.'

function everyOf(price: JsonObject): Every | null {
  const recurring = object(price.recurring)
  const interval = text(recurring?.interval)
  return interval ? { interval, count: integer(recurring?.interval_count) ?? '1' } : null
}

/** How often an interval falls into a month, as a fraction: never fewer times than in the longest month. */
const A_MONTH: Readonly<Record<string, readonly [times: bigint, of: bigint]>> = {
  day: [31n, 1n],
  week: [53n, 12n],
  month: [1n, 1n],
  year: [1n, 12n],
}

/** What something billed at such an interval costs a month, rounded up; null for an interval nobody knows. */
export function aMonth(amount: Usd, { interval, count }: Every): Usd | null {
  const found = A_MONTH[interval]
  if (found === undefined || !/^[1-9][0-9]{0,3}$/.test(count)) return null
  const [times, of] = found
  const parts = of * BigInt(count)
  return usd((amount * times + parts - 1n) / parts)
}

/**
 * The quote and the commitment of a subscription that comes to this.
 *
 * @param id the subscription that exists already and is changed
 */
export function subscribes(bill: Bill, id?: string): Pick<Explanation, 'quote' | 'settle' | 'commits'> {
  if (typeof bill.amount === 'string') return costs(bill.amount)
  return { commits: recurring(bill.perMonth, bill.quantity, id), ...costs(bill.amount, 'ceiling') }
}

export const recurring = (perMonth: Usd, quantity: bigint | null, id?: string): Commitment => ({
  kind: 'recurring',
  perMonth,
  dueAt: null,
  quantity,
  ...(id !== undefined && { object: id }),
})

/**
 * What Stripe says the next invoice would come to. The total counts beside what is due of it, because credit that
 * lowers what is due is money too; a negative total is credit we give.
 */
export function previewed(
  question: Question,
  params: readonly (readonly [string, string])[],
  then: (price: Priced, currency: string | null) => Explained,
): Explained {
  return {
    lookUp: { method: 'POST', path: '/v1/invoices/create_preview', params },
    then: (invoice) => {
      if (!invoice) return then(UNKNOWN_OBJECT, null)
      const currency = text(invoice.currency)
      const due = integer(invoice.amount_due)
      const total = integer(invoice.total)?.replace('-', '')
      return then(priceOf(question, due && total ? largerMinor(due, total) : (due ?? total), currency), currency)
    },
  }
}
