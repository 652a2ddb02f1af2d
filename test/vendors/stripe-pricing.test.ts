import { describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import { exponentOf } from '../../vendors/stripe/currencies.js'
import { explain } from './stripe-ask.js'

describe('the exponent of a currency', () => {
  test.each([
    ['usd', 2],
    ['eur', 2],
    ['jpy', 0],
    ['krw', 0],
    ['clp', 0],
    ['kwd', 3],
    ['bhd', 3],
    ['omr', 3],
    ['ugx', 2],
    ['isk', 2],
    ['huf', 2],
    ['twd', 2],
    ['xxx', null],
    ['USD', null],
    ['', null],
  ] as const)('%s has %s', (currency, exponent) => {
    expect(exponentOf(currency)).toBe(exponent)
  })
})

/** What a charge of this would reserve, or the code it is refused with, or `unpriceable`. */
function charge(form: string): string {
  const { explanation } = explain('POST /v1/charges', form)
  if (explanation.refuse) return explanation.refuse.code
  return explanation.quote.basis === 'exact' || explanation.quote.basis === 'ceiling'
    ? formatUsd(explanation.quote.amount)
    : explanation.quote.basis
}

describe('an amount', () => {
  test.each([
    ['amount=1999&currency=usd', '19.99'],
    ['amount=0&currency=usd', '0.00'],
    ['amount=100000000000&currency=usd', '1000000000.00'],
    // 9,999.999 dinars, not 99,999.99; 5 kronur, not 500; yen have no minor unit at all.
    ['amount=9999999&currency=kwd', '33474.996653'],
    ['amount=500&currency=isk', '0.03708'],
    ['amount=500&currency=ugx', '0.001391'],
    ['amount=9999999&currency=jpy', '66949.993305'],
    ['amount=1000&currency=eur', '11.33'],
  ])('%s reserves USD %s', (form, expected) => {
    expect(charge(form)).toBe(expected)
  })

  test.each([
    'amount=1e7',
    'amount=0x10',
    'amount=%2B5',
    'amount=-5',
    'amount=5.0',
    'amount=1999.5',
    'amount=+5',
    'amount=1_000',
    'amount=007',
    'amount=',
    'amount=1%2C000',
    'amount=%EF%BC%95',
    'amount=1000000000000',
    'amount=NaN',
    'amount[x]=5',
    'amount[]=5',
    'amount[0]=5',
  ])('that is not a plain integer is refused: %s', (form) => {
    expect(charge(`${form}&currency=usd`)).toBe('request_malformed')
  })

  test.each(['USD', 'usd%20', 'us', 'usdt', 'u%24d', 'Usd', ''])('in the currency «%s» is refused', (currency) => {
    expect(charge(`amount=100&currency=${currency}`)).toBe('request_malformed')
  })

  test.each([
    ['no amount', 'currency=usd'],
    ['no currency', 'amount=100'],
    ['a currency Stripe does not have', 'amount=1&currency=xxx'],
    ['a currency without a rate', 'amount=1&currency=gbp'],
  ])('with %s is unpriceable', (_name, form) => {
    expect(charge(form)).toBe('unpriceable')
  })

  test('a refused value is shown short', () => {
    const { explanation } = explain('POST /v1/charges', `amount=${'9'.repeat(500)}&currency=usd`)
    expect(explanation.refuse?.message).toContain('999…')
    expect(explanation.refuse!.message.length).toBeLessThan(200)
  })

  test('in a currency with a haircut is a ceiling, and is settled without it', () => {
    const { explanation } = explain('POST /v1/charges', 'amount=1000&currency=eur')
    expect(explanation.quote.basis).toBe('ceiling')
    expect(formatUsd(explanation.settle!)).toBe('11.00')
  })
})

describe('the grammar', () => {
  test.each([
    ['booleans', 'POST /v1/invoices/in_1/pay', 'paid_out_of_band=1'],
    ['ids', 'POST /v1/refunds', 'charge=../customers/cus_1'],
    ['ids of dots', 'POST /v1/refunds', 'charge=..'],
    ['ids in maps', 'POST /v1/refunds', 'charge[id]=ch_1'],
    ['destinations in maps', 'POST /v1/payment_intents', 'amount=1&currency=usd&transfer_data[destination][x]=acct_1'],
    ['nested amounts', 'POST /v1/payment_intents', 'amount=1&currency=usd&transfer_data[amount]=1e5'],
    ['urls in maps', 'POST /v1/payment_intents', 'amount=1&currency=usd&return_url[0]=https://evil.example'],
    ['decimals', 'POST /v1/invoiceitems', 'customer=cus_1&currency=usd&unit_amount_decimal=1e3'],
  ])('holds for %s', (_name, request, form) => {
    expect(explain(request, form).explanation.refuse?.code).toBe('request_malformed')
  })

  test('leaves what people write alone', () => {
    const form = 'amount=100&currency=usd&metadata[amount]=lots&metadata[currency]=Bitcoin&metadata[return_url]=x'
    const { explanation } = explain('POST /v1/payment_intents', form)
    expect(explanation.refuse).toBeUndefined()
    expect(explanation.subjects.urls).toBeUndefined()
  })

  test('asks nothing of the vendor for a request it refuses', () => {
    expect(explain('POST /v1/refunds', 'charge=ch_1&amount=1e7').lookUps).toEqual([])
  })
})

test('signed amounts count at their absolute value where Stripe takes them', () => {
  const { explanation } = explain('POST /v1/invoiceitems', 'customer=cus_1&amount=-9999&currency=usd')
  expect(explanation.quote).toEqual({ basis: 'exact', amount: 99_990_000n })
  expect(explanation.direction).toBe('out')
})

test('a fraction of a minor unit counts as a whole one', () => {
  const form = 'customer=cus_1&currency=usd&unit_amount_decimal=0.1&quantity=5'
  expect(explain('POST /v1/invoiceitems', form).explanation.quote).toEqual({ basis: 'exact', amount: 10_000n })
})
