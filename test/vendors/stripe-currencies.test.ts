import { Decimal } from 'decimal.js'
import { describe, expect, test } from 'vitest'
import { formatUsd, priced, type Rates } from '../../src/contracts/money.js'
import type { Explanation } from '../../src/contracts/vendor.js'
import { ask } from './stripe-ask.js'

/** One major unit of every currency is worth one dollar here, so that what is read off is the size of the minor unit. */
const atPar: Rates = {
  convert: (minor, exponent) => {
    const amount = priced(minor, new Decimal(1).div(new Decimal(10).pow(exponent)).toFixed())
    return { reserve: amount, settle: amount }
  },
  why: (currency) => `No rate for ${currency}.`,
}

/** What the request would reserve, in major units; `unpriceable`, or the code it is refused with. */
function reserved(request: string, form: string): string {
  const { operation, question } = ask(request, form)
  const explanation = operation.explain!({ ...question, rates: atPar }) as Explanation
  if (explanation.refuse) return explanation.refuse.code
  const { quote } = explanation
  return quote.basis === 'exact' || quote.basis === 'ceiling' ? formatUsd(quote.amount) : quote.basis
}

describe('123456 minor units', () => {
  test.each([
    // No minor unit at all.
    ['jpy', '123456.00'],
    ['krw', '123456.00'],
    ['vnd', '123456.00'],
    ['xof', '123456.00'],
    // None in life, two places on Stripe's wire.
    ['ugx', '1234.56'],
    ['isk', '1234.56'],
    // Paid out in whole units, and still two places in every amount.
    ['huf', '1234.56'],
    ['twd', '1234.56'],
    // Three places, not two.
    ['kwd', '123.456'],
    ['bhd', '123.456'],
    ['jod', '123.456'],
    ['omr', '123.456'],
    ['tnd', '123.456'],
    // The usual.
    ['usd', '1234.56'],
    ['eur', '1234.56'],
    // The ariary has fifths and no place, the ouguiya fifths and two places.
    ['mga', '123456.00'],
    ['mru', 'unpriceable'],
    // What is not in the table is not guessed.
    ['xyz', 'unpriceable'],
    ['usdc', 'request_malformed'],
    ['JPY', 'request_malformed'],
  ])('of %s are %s', (currency, expected) => {
    for (const request of ['POST /v1/payment_intents', 'POST /v1/charges', 'POST /v1/transfers']) {
      expect(reserved(request, `amount=123456&currency=${currency}`)).toBe(expected)
    }
  })

  test.each(['huf', 'twd'])('of %s cannot be paid out, because its payouts are whole units', (currency) => {
    expect(reserved('POST /v1/payouts', `amount=123456&currency=${currency}`)).not.toMatch(/^[0-9]/)
    expect(reserved('POST /v1/payouts', `amount=123400&currency=${currency}`)).toBe('1234.00')
  })
})

describe('parts of a minor unit', () => {
  const sold = (unit: string, quantity: string, currency: string): string =>
    reserved(
      'POST /v1/checkout/sessions',
      `mode=payment&line_items[0][price_data][currency]=${currency}&line_items[0][price_data][unit_amount_decimal]=${unit}` +
        `&line_items[0][price_data][product]=p&line_items[0][quantity]=${quantity}`,
    )

  test.each([
    ['0.5', '1', 'usd', '0.01'],
    ['0.5', '2', 'usd', '0.01'],
    ['0.5', '3', 'usd', '0.02'],
    ['0.000000000001', '1', 'usd', '0.01'],
    ['99.999999999999', '1', 'usd', '1.00'],
    ['0.1', '10', 'usd', '0.01'],
    ['0.1', '11', 'usd', '0.02'],
    ['0.1', '1', 'jpy', '1.00'],
    ['0.1', '1', 'kwd', '0.001'],
    ['0', '1', 'usd', '0.00'],
  ])('%s × %s %s cost %s, rounded up', (unit, quantity, currency, expected) => {
    expect(sold(unit, quantity, currency)).toBe(expected)
  })
})
