import { Decimal } from 'decimal.js'

/** Money inside spendgate: whole micro-US-dollars (1 USD = 1,000,000). Never a float. */
export type Usd = bigint & { readonly __unit: 'micro-usd' }

export const ZERO = 0n as Usd
const MICRO = 1_000_000n

// Its own constructor, so that nobody's global Decimal settings can change our rounding.
const Exact = Decimal.clone({ precision: 60, toExpNeg: -40, toExpPos: 60 })

/** Brands a count of micro-USD. For sums and differences of Usd; decimals enter through the functions below. */
export const usd = (micro: bigint): Usd => micro as Usd

/** USD 10 billion, the most that one amount may be: hundreds of them still fit into the ledger's 64-bit sums. */
export const COUNTABLE_MAX = usd(10n ** 16n)

/**
 * Reads an operator's decimal text ("50", "50.00", "0.000001").
 * Null when it is not a plain non-negative decimal with at most 6 fraction digits.
 */
export function parseUsd(text: string): Usd | null {
  const found = /^(0|[1-9][0-9]{0,11})(?:\.([0-9]{1,6}))?$/.exec(text)
  if (!found) return null
  return usd(BigInt(found[1]!) * MICRO + BigInt((found[2] ?? '').padEnd(6, '0')))
}

/** Decimal text with 2 to 6 fraction digits and no trailing zeros beyond 2: "50.00", "0.0083", "-1.50". */
export function formatUsd(amount: Usd): string {
  const negative = amount < 0n
  const micro = negative ? -amount : amount
  const fraction = (micro % MICRO)
    .toString()
    .padStart(6, '0')
    .replace(/0{1,4}$/, '')
  return `${negative ? '-' : ''}${micro / MICRO}.${fraction}`
}

/**
 * USD for a decimal number of units at a price: units × price × factor, rounded up to a whole micro-USD.
 * All three are decimal texts or integers; the caller has checked their grammar. Throws on anything not finite.
 */
export function priced(units: string | bigint, usdPerUnit: string, factor: string = '1'): Usd {
  const value = new Exact(units.toString()).times(usdPerUnit).times(factor).times('1000000')
  if (!value.isFinite()) throw new RangeError(`not a finite amount: ${units} × ${usdPerUnit} × ${factor}`)
  return usd(BigInt(value.toFixed(0, Decimal.ROUND_UP)))
}

/** Sum of exact decimal products a × b as decimal text, for vendor prices quoted in fractions of a minor unit. */
export function sumOfProducts(products: readonly (readonly [string, string])[]): string {
  return products.reduce((sum, [a, b]) => sum.plus(new Exact(a).times(b)), new Exact(0)).toFixed()
}

export const larger = (a: Usd, b: Usd): Usd => (a > b ? a : b)

/** An amount in USD as reserved before a call, and as settled after it. Equal when no currency was changed. */
export interface Converted {
  /** With the haircut, rounded up. */
  readonly reserve: Usd
  /** Without the haircut, rounded up. */
  readonly settle: Usd
}

/** The operator's dated exchange rates. USD needs none. */
export interface Rates {
  /**
   * USD for `minor` units (decimal text, may be fractional, non-negative) of a currency whose major unit has
   * 10^exponent minor units. Null when no rate is known or the table is stale; `why` then says which.
   */
  convert(minor: string, exponent: number, currency: string): Converted | null
  /** One sentence for the agent on why `convert` gave null for this currency. */
  why(currency: string): string
}

/** rate × (1 + share), as decimal text: a rate with its haircut. */
export const onePlus = (share: string, rate: string): string => new Exact(share).plus(1).times(rate).toFixed()
