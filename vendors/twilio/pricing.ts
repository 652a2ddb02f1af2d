import type { Quote } from '../../src/contracts/call.js'
import { priced, sumOfProducts, usd, type Usd } from '../../src/contracts/money.js'
import type { Prices } from '../../src/contracts/vendor.js'
import { destinationOf, type Rental } from './phone.js'

/** A price in USD as decimal text, or a sentence on why there is none. */
export type Price = { readonly each: string } | { readonly why: string }

/** One line of a bill: so many units at a price. */
export interface Item {
  readonly units: bigint
  readonly price: Price
}

/** Adds up the items with the table's safety factor. One item without a price leaves the whole call without one. */
export function bill(prices: Prices, basis: 'exact' | 'ceiling', items: readonly Item[]): Quote {
  let amount: Usd = usd(0n)
  for (const { units, price } of items) {
    if ('why' in price) return unpriceable(price.why)
    amount = usd(amount + priced(units, price.each, prices.safety))
  }
  return { basis, amount }
}

export const unpriceable = (why: string): Quote => ({ basis: 'unpriceable', why })

/** One SMS part to a number, carrier fee included. */
export const smsPrice = (prices: Prices, number: string): Price => rowPrice(prices, 'sms', number, ['seg'], ['carrier'])

/** One MMS to a number. Carriers charge their fee on it too, so the row's fee is added. */
export const mmsPrice = (prices: Prices, number: string): Price => rowPrice(prices, 'sms', number, ['mms'], ['carrier'])

/** One voice minute to a number. */
export const minutePrice = (prices: Prices, number: string): Price => rowPrice(prices, 'voice', number, ['min'], [])

export function flatPrice(prices: Prices, name: string): Price {
  const each = prices.flat(name)
  if (each === null) return { why: prices.why(name) }
  return DECIMAL.test(each) ? { each } : { why: `The price of ${name} is not a plain decimal.` }
}

/** A month of a rented number. */
export const rentPrice = (prices: Prices, { country, kind }: Rental): Price =>
  flatPrice(prices, `number.${country}.${kind}`)

const DECIMAL = /^[0-9]{1,9}(\.[0-9]{1,12})?$/

/**
 * The sum of some columns of the row for a number. The longest prefix alone would price Jamaica (+1876) as the
 * United States (+1), so the row's countries must name the one the number belongs to.
 */
function rowPrice(
  prices: Prices,
  section: 'sms' | 'voice',
  number: string,
  required: readonly string[],
  optional: readonly string[],
): Price {
  const destination = destinationOf(number)
  if ('why' in destination) return destination
  const row = prices.prefix(section, number)
  if (row === null) return { why: prices.why(`${section} to ${number} (${destination.country})`) }
  const countries = (row.iso ?? '').split(',').map((country) => country.trim())
  if (!countries.includes(destination.country)) {
    const pricedFor = row.iso ?? 'no country'
    return {
      why: `${number} is in ${destination.country}; its ${section} price row is for ${pricedFor}. Add a row for it.`,
    }
  }
  const columns = [...required, ...optional.filter((column) => row[column] !== undefined)]
  const values = columns.map((column) => row[column] ?? '')
  const missing = columns.filter((_, at) => !DECIMAL.test(values[at]!))
  if (missing.length > 0)
    return { why: `The ${section} price row for ${destination.country} has no decimal under ${missing.join(', ')}.` }
  return { each: sumOfProducts(values.map((value) => [value, '1'] as const)) }
}
