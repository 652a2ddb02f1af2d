import { larger, sumOfProducts, usd, ZERO, type Converted } from '../../src/contracts/money.js'
import type { Commitment, Quote } from '../../src/contracts/call.js'
import type { Explanation, Outcome, Question } from '../../src/contracts/vendor.js'
import { exponentOf } from './currencies.js'
import { shown } from './grammar.js'

/** An amount in USD, or one sentence on why it is not known. */
export type Priced = Converted | string

/** USD for minor units of a currency. Counts the absolute value and rounds parts of a minor unit up, as Stripe may. */
function toUsd(question: Pick<Question, 'rates'>, minor: string, currency: string): Priced {
  const exponent = exponentOf(currency)
  if (exponent === null)
    return `The currency ${shown(currency)} is not known, so neither is the size of its minor unit.`
  return question.rates.convert(wholeMinor(minor), exponent, currency) ?? question.rates.why(currency)
}

/** The amount and currency a request or reply names, in USD. */
export function priceOf(
  question: Pick<Question, 'rates'>,
  minor: string | null | undefined,
  currency: string | null | undefined,
): Priced {
  if (!minor) return 'No amount is given and none could be found, so what the call costs is unknown.'
  if (!currency) return 'No currency is given and none could be found, so what the amount is worth is unknown.'
  return toUsd(question, minor, currency)
}

/** unit × quantity in whole minor units, rounded up. Both are decimal texts, the unit possibly signed. */
export const lineTotal = (unit: string, quantity: string): string => wholeMinor(sumOfProducts([[unit, quantity]]))

function wholeMinor(minor: string): string {
  if (WHOLE.test(minor)) return minor
  const [whole, fraction] = minor.replace(/^-/, '').split('.') as [string, string?]
  return (BigInt(whole) + (/[1-9]/.test(fraction ?? '') ? 1n : 0n)).toString()
}

const WHOLE = /^(?:0|[1-9][0-9]{0,17})$/

/** Sum and difference of minor units of one currency, as decimal text. */
export const plus = (...minor: readonly string[]): string =>
  minor.reduce((sum, one) => sum + BigInt(one), 0n).toString()
export const minus = (a: string, b: string): string => (BigInt(a) - BigInt(b)).toString()
export const largerMinor = (a: string, b: string): string => (a === b || BigInt(a) > BigInt(b) ? a : b)

const NOTHING: Converted = { reserve: ZERO, settle: ZERO }

/** The first unknown makes the sum unknown. */
export function sum(amounts: readonly Priced[]): Priced {
  return amounts.reduce((total, one) => {
    if (typeof total === 'string') return total
    if (typeof one === 'string') return one
    return { reserve: usd(total.reserve + one.reserve), settle: usd(total.settle + one.settle) }
  }, NOTHING as Priced)
}

/** The first unknown makes the maximum unknown. */
export function largest(amounts: readonly Priced[]): Priced {
  return amounts.reduce((most, one) => {
    if (typeof most === 'string') return most
    if (typeof one === 'string') return one
    return { reserve: larger(most.reserve, one.reserve), settle: larger(most.settle, one.settle) }
  }, NOTHING as Priced)
}

export function times(amount: Priced, count: string): Priced {
  if (typeof amount === 'string') return amount
  return { reserve: usd(amount.reserve * BigInt(count)), settle: usd(amount.settle * BigInt(count)) }
}

/** For what can never move money. */
export const FREE: Quote = { basis: 'free' }

/** For an operation that can move money and moves none this time; why, in a sentence. */
export const free = (why: string): Quote => ({ basis: 'free', why })

/**
 * The commitment of what somebody else completes: a link, a session, an unconfirmed intent.
 *
 * @param quantity how many times it can be completed; null without limit
 * @param object the id of what exists already and is changed
 */
export const open = (quantity: bigint | null, object?: string): Commitment => ({
  kind: 'open',
  perMonth: ZERO,
  dueAt: null,
  quantity,
  ...(object !== undefined && { object }),
})

function quoteOf(amount: Priced, basis: 'exact' | 'ceiling'): Quote {
  if (typeof amount === 'string') return { basis: 'unpriceable', why: amount }
  return { basis: amount.reserve === amount.settle ? basis : 'ceiling', amount: amount.reserve }
}

/**
 * For a call that costs this once. Explanations spread it last: behind a spread that opens a literal, V8 looks every
 * further name up anew on each call (Node 20, 2026-11: 0.3 µs a name, and nothing the other way round).
 */
export function costs(amount: Priced, basis: 'exact' | 'ceiling' = 'exact'): Pick<Explanation, 'quote' | 'settle'> {
  const quote = quoteOf(amount, basis)
  return typeof amount === 'string' ? { quote } : { quote, settle: amount.settle }
}

/**
 * For a call that brings an object to this in total. No `settle`: what is booked is the difference to what the object
 * counts for already, and the operation's outcome names the new total.
 */
export function brings(
  object: string,
  amount: Priced,
  basis: 'exact' | 'ceiling' = 'exact',
): Pick<Explanation, 'quote' | 'object'> {
  return { quote: quoteOf(amount, basis), object }
}

/** What a created object comes to: a reply that shows less than was asked for is not believed. */
export const atLeast = (asked: string | undefined, shown: string | null): string | null =>
  asked && shown ? largerMinor(asked, shown) : shown

/** What an object counts for after a successful call, from the reply. An amount that cannot be read changes nothing. */
export function reached(
  question: Question,
  object: string | null,
  minor: string | null,
  currency: string | null,
): Outcome {
  if (!object) return {}
  if (minor === '0') return { object, total: ZERO }
  const total = priceOf(question, minor, currency)
  if (typeof total === 'string') return { object }
  const isPaid = isEstimate(currency) && PAID.test(object)
  return isPaid ? { object, total: total.settle, estimate: object } : { object, total: total.settle }
}

/** Objects that Stripe books as one payment. */
const PAID = /^(?:pi|ch|py)_/

/** What is in another currency is booked at the operator's rate until Stripe says what it came to. */
const isEstimate = (currency: string | null): boolean => currency !== null && currency !== 'usd'

/**
 * What a call cost, from the reply. An amount that cannot be read leaves what was quoted, and one below what the
 * request named is not believed: Stripe moves that much or refuses.
 *
 * @param id of what was made, where Stripe books it as one payment
 */
export function cost(
  question: Question,
  minor: string | null,
  currency: string | null,
  id: string | null = null,
): Outcome {
  const amount = priceOf(
    question,
    minor && largerMinor(minor.replace(/^-/, ''), question.params.get('amount') ?? '0'),
    currency,
  )
  if (typeof amount === 'string') return {}
  return id !== null && isEstimate(currency) ? { amount: amount.settle, estimate: id } : { amount: amount.settle }
}
