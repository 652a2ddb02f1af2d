import { describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { explain, outcome, type Replies, type Setting } from './stripe-ask.js'

const charge = (fields: JsonObject = {}): JsonObject => ({
  id: 'ch_1',
  object: 'charge',
  amount: 5000,
  amount_captured: 5000,
  amount_refunded: 1000,
  currency: 'usd',
  customer: 'cus_A',
  payment_intent: null,
  ...fields,
})
const intent = (fields: JsonObject = {}): JsonObject => ({
  id: 'pi_1',
  object: 'payment_intent',
  amount: 5000,
  amount_capturable: 0,
  amount_received: 0,
  currency: 'usd',
  customer: 'cus_A',
  status: 'requires_confirmation',
  ...fields,
})
const invoice = (fields: JsonObject = {}): JsonObject => ({
  id: 'in_1',
  object: 'invoice',
  amount_due: 7000,
  amount_paid: 0,
  amount_remaining: 7000,
  currency: 'usd',
  customer: 'cus_A',
  status: 'draft',
  auto_advance: false,
  ...fields,
})
const price = (id: string, unit: number, fields: JsonObject = {}): JsonObject => ({
  id,
  object: 'price',
  billing_scheme: 'per_unit',
  currency: 'usd',
  unit_amount: unit,
  unit_amount_decimal: String(unit),
  custom_unit_amount: null,
  recurring: null,
  ...fields,
})
const RECURRING = { recurring: { interval: 'month', interval_count: 1, usage_type: 'licensed' } }
const subscription = (items: JsonObject[], fields: JsonObject = {}): JsonObject => ({
  id: 'sub_1',
  object: 'subscription',
  currency: 'usd',
  customer: 'cus_A',
  latest_invoice: 'in_0',
  items: { object: 'list', has_more: false, data: items },
  ...fields,
})

const at = {
  charge: (fields?: JsonObject) => ({ 'GET /v1/charges/ch_1': charge(fields) }),
  intent: (fields?: JsonObject) => ({ 'GET /v1/payment_intents/pi_1': intent(fields) }),
  invoice: (fields?: JsonObject) => ({ 'GET /v1/invoices/in_1': invoice(fields) }),
  price: (unit: number, fields?: JsonObject) => ({ 'GET /v1/prices/price_1': price('price_1', unit, fields) }),
  preview: (total: number, due = total) => ({
    'POST /v1/invoices/create_preview': { object: 'invoice', total, amount_due: due, currency: 'usd' },
  }),
}

/** `USD 12.00`, `free`, or `unpriceable`. */
function quote(request: string, form = '', replies: Replies = {}, setting: Setting = {}): string {
  const { explanation } = explain(request, form, replies, setting)
  if (explanation.refuse) return explanation.refuse.code
  const basis = explanation.quote.basis
  return basis === 'free' || basis === 'unpriceable' ? basis : `USD ${formatUsd(explanation.quote.amount)}`
}

type Row = readonly [name: string, request: string, form: string, replies: Replies, expected: string]

describe('charges', () => {
  const rows: Row[] = [
    ['create', 'POST /v1/charges', 'amount=1999&currency=usd&source=tok_1', {}, 'USD 19.99'],
    ['capture all', 'POST /v1/charges/ch_1/capture', '', at.charge({ amount_captured: 0 }), 'USD 50.00'],
    ['capture a part', 'POST /v1/charges/ch_1/capture', 'amount=700', at.charge({ amount_captured: 0 }), 'USD 7.00'],
    ['capture what is not there', 'POST /v1/charges/ch_1/capture', '', {}, 'unpriceable'],
    ['update', 'POST /v1/charges/ch_1', 'metadata[a]=b', {}, 'free'],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test('an authorisation counts with its intent, by whichever id it is captured', () => {
    const replies = at.charge({ payment_intent: 'pi_1' })
    expect(explain('POST /v1/charges/ch_1/capture', '', replies).explanation.object).toBe('pi_1')
    expect(explain('POST /v1/charges/ch_1/capture', '', at.charge()).explanation.object).toBe('ch_1')
  })

  test('the reply of a charge fixes its total, and capturing less gives the rest back', () => {
    const create = 'amount=5000&currency=usd&capture=false'
    expect(outcome('POST /v1/charges', create, charge())).toEqual({ object: 'ch_1', total: 50_000_000n })
    expect(
      outcome('POST /v1/charges/ch_1/capture', 'amount=700', charge({ amount_captured: 700 }), at.charge()),
    ).toEqual({ object: 'ch_1', total: 7_000_000n, ends: 'ch_1' })
  })

  test('relabelling a charge concerns the old and the new customer', () => {
    const { explanation } = explain('POST /v1/charges/ch_1', 'customer=cus_B', at.charge(), { customers: true })
    expect(explanation.subjects.customers).toEqual(['cus_A', 'cus_B'])
  })
})

describe('payment intents', () => {
  const rows: Row[] = [
    ['create', 'POST /v1/payment_intents', 'amount=5000&currency=usd', {}, 'USD 50.00'],
    ['create, confirmed', 'POST /v1/payment_intents', 'amount=5000&currency=usd&confirm=true', {}, 'USD 50.00'],
    ['raise', 'POST /v1/payment_intents/pi_1', 'amount=9999999', at.intent(), 'USD 99999.99'],
    ['change the currency', 'POST /v1/payment_intents/pi_1', 'currency=jpy', at.intent(), 'USD 33.475'],
    ['update a description', 'POST /v1/payment_intents/pi_1', 'description=x', at.intent(), 'free'],
    ['confirm', 'POST /v1/payment_intents/pi_1/confirm', 'payment_method=pm_1', at.intent(), 'USD 50.00'],
    ['confirm more', 'POST /v1/payment_intents/pi_1/confirm', 'amount_to_confirm=6000', at.intent(), 'USD 60.00'],
    ['confirm less', 'POST /v1/payment_intents/pi_1/confirm', 'amount_to_confirm=10', at.intent(), 'USD 50.00'],
    ['confirm nothing known', 'POST /v1/payment_intents/pi_1/confirm', '', {}, 'unpriceable'],
    ['capture all', 'POST /v1/payment_intents/pi_1/capture', '', at.intent({ amount_capturable: 4000 }), 'USD 40.00'],
    ['capture a part', 'POST /v1/payment_intents/pi_1/capture', 'amount_to_capture=100', at.intent(), 'USD 1.00'],
    [
      'capture more than authorised',
      'POST /v1/payment_intents/pi_1/capture',
      'amount_to_capture=9000',
      at.intent(),
      'USD 90.00',
    ],
    [
      'capture again',
      'POST /v1/payment_intents/pi_1/capture',
      'amount_to_capture=100',
      at.intent({ amount_received: 2000 }),
      'USD 21.00',
    ],
    [
      'capture with more to follow',
      'POST /v1/payment_intents/pi_1/capture',
      'amount_to_capture=100&final_capture=false',
      at.intent(),
      'USD 50.00',
    ],
    [
      'increment to a new total',
      'POST /v1/payment_intents/pi_1/increment_authorization',
      'amount=500000',
      at.intent(),
      'USD 5000.00',
    ],
    [
      'increment without a total',
      'POST /v1/payment_intents/pi_1/increment_authorization',
      '',
      at.intent(),
      'unpriceable',
    ],
    ['cancel', 'POST /v1/payment_intents/pi_1/cancel', '', {}, 'free'],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test('every later call brings the same object to its total', () => {
    for (const call of ['confirm', 'capture', 'increment_authorization', 'cancel']) {
      const { explanation } = explain(`POST /v1/payment_intents/pi_1/${call}`, '', at.intent())
      expect([call, explanation.object, explanation.settle]).toEqual([call, 'pi_1', undefined])
    }
  })

  test.each([
    ['a created intent counts in full', {}, 50_000_000n],
    ['a larger amount in the reply counts', { amount: 9000 }, 90_000_000n],
    ['a captured one counts what was taken', { status: 'succeeded', amount_received: 1500 }, 15_000_000n],
    ['a canceled one counts nothing', { status: 'canceled' }, 0n],
    ['a canceled one counts what was taken before', { status: 'canceled', amount_received: 200 }, 2_000_000n],
    [
      'one with more captures to come counts in full',
      { status: 'requires_capture', amount_received: 1500, amount_capturable: 3500 },
      50_000_000n,
    ],
    [
      'one with an over-capture counts all of it',
      { status: 'requires_capture', amount_received: 4000, amount_capturable: 3500 },
      75_000_000n,
    ],
  ])('%s', (_name, fields, total) => {
    const over = 'status' in fields && /^(succeeded|canceled)$/.test(fields.status)
    expect(outcome('POST /v1/payment_intents/pi_1/cancel', '', intent(fields))).toEqual({
      object: 'pi_1',
      total,
      ...(over && { ends: 'pi_1' }),
    })
  })

  test('confirming an intent made elsewhere shows its customer and its destination', () => {
    const replies = at.intent({
      customer: { id: 'cus_X', object: 'customer' },
      transfer_data: { destination: 'acct_EVIL' },
      on_behalf_of: 'acct_O',
    })
    const { explanation } = explain('POST /v1/payment_intents/pi_1/confirm', 'off_session=true', replies)
    expect(explanation.subjects).toEqual({
      customers: ['cus_X'],
      currencies: ['usd'],
      beneficiaries: ['acct_O', 'acct_EVIL'],
    })
  })

  test('an intent is not another object that answers at its place', () => {
    const replies = { 'GET /v1/payment_intents/search': { object: 'search_result', data: [] } }
    expect(quote('POST /v1/payment_intents/search/confirm', '', replies)).toBe('unpriceable')
    expect(quote('POST /v1/payment_intents/pi_1/confirm', '', at.intent({ id: 'pi_2' }))).toBe('unpriceable')
  })
})

describe('refunds', () => {
  const byIntent = { 'GET /v1/payment_intents/pi_1': intent({ latest_charge: charge(), status: 'succeeded' }) }
  const rows: Row[] = [
    ['all that is left of a charge', 'POST /v1/refunds', 'charge=ch_1', at.charge(), 'USD 40.00'],
    ['a part of a charge', 'POST /v1/refunds', 'charge=ch_1&amount=300', at.charge(), 'USD 3.00'],
    ['a part in yen', 'POST /v1/refunds', 'charge=ch_1&amount=300', at.charge({ currency: 'jpy' }), 'USD 2.0085'],
    ['all that is left of an intent', 'POST /v1/refunds', 'payment_intent=pi_1', byIntent, 'USD 40.00'],
    ['by the legacy route', 'POST /v1/charges/ch_1/refund', '', at.charge(), 'USD 40.00'],
    ['by the other legacy route', 'POST /v1/charges/ch_1/refunds', 'amount=300', at.charge(), 'USD 3.00'],
    [
      'an intent whose charge is an id',
      'POST /v1/refunds',
      'payment_intent=pi_1',
      { ...at.charge(), 'GET /v1/payment_intents/pi_1': intent({ latest_charge: 'ch_1' }) },
      'USD 40.00',
    ],
    [
      'an intent that was never paid',
      'POST /v1/refunds',
      'payment_intent=pi_1',
      at.intent({ latest_charge: null }),
      'unpriceable',
    ],
    ['a charge that is not there', 'POST /v1/refunds', 'charge=ch_1&amount=1', {}, 'unpriceable'],
    [
      'of a balance',
      'POST /v1/refunds',
      'origin=customer_balance&customer=cus_A&currency=eur&amount=1000',
      {},
      'USD 11.33',
    ],
    ['of a balance without an amount', 'POST /v1/refunds', 'origin=customer_balance&customer=cus_A', {}, 'unpriceable'],
    ['named twice', 'POST /v1/refunds', 'charge=ch_1&payment_intent=pi_2', at.charge(), 'request_ambiguous'],
    ['named in path and form', 'POST /v1/charges/ch_1/refund', 'charge=ch_2', at.charge(), 'request_ambiguous'],
    ['cancel', 'POST /v1/refunds/re_1/cancel', '', {}, 'free'],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test('take customer and currency from the charge, and go out', () => {
    const { explanation, lookUps } = explain('POST /v1/refunds', 'charge=ch_1&amount=300', at.charge())
    expect(explanation.subjects).toEqual({ customers: ['cus_A'], currencies: ['usd'] })
    expect(explanation.direction).toBe('out')
    expect(lookUps).toEqual(['GET /v1/charges/ch_1'])
  })

  test('of an intent need one look-up', () => {
    expect(explain('POST /v1/refunds', 'payment_intent=pi_1', byIntent).lookUps).toEqual([
      'GET /v1/payment_intents/pi_1?expand[]=latest_charge',
    ])
  })

  test('of a charge without a customer concern nobody we know', () => {
    expect(
      explain('POST /v1/refunds', 'charge=ch_1', at.charge({ customer: null })).explanation.subjects.customers,
    ).toBeNull()
  })

  test('cost what the reply says', () => {
    const reply = { id: 're_1', object: 'refund', amount: 4100, currency: 'usd' }
    expect(outcome('POST /v1/refunds', 'charge=ch_1', reply, at.charge())).toEqual({ amount: 41_000_000n })
  })

  test('by the legacy route cost what was quoted, because the reply is the charge', () => {
    expect(outcome('POST /v1/charges/ch_1/refund', 'amount=300', charge(), at.charge())).toEqual({})
  })

  test('are tied to a customer through their charge', () => {
    const refund = { 'GET /v1/refunds/re_1': { id: 're_1', object: 'refund', charge: 'ch_1' } }
    const read = explain('GET /v1/refunds/re_1', '', { ...refund, ...at.charge() }, { customers: true })
    expect(read.explanation.subjects.customers).toEqual(['cus_A'])
    expect(read.lookUps).toEqual(['GET /v1/refunds/re_1?expand[]=charge', 'GET /v1/charges/ch_1'])
  })
})

describe('disputes', () => {
  const dispute = (fields: JsonObject = {}) => ({
    'GET /v1/disputes/dp_1': {
      id: 'dp_1',
      object: 'dispute',
      amount: 2500,
      currency: 'usd',
      charge: 'ch_1',
      ...fields,
    },
  })

  test('closing one costs what is disputed', () => {
    const { explanation, lookUps } = explain('POST /v1/disputes/dp_1/close', '', dispute())
    expect(explanation.quote).toEqual({ basis: 'exact', amount: 25_000_000n })
    expect(explanation.direction).toBe('out')
    expect(lookUps).toEqual(['GET /v1/disputes/dp_1'])
  })

  test('closing one names the customer of the charge when a policy asks', () => {
    const expanded = dispute({ charge: charge() })
    for (const replies of [expanded, { ...dispute(), ...at.charge() }]) {
      const { explanation } = explain('POST /v1/disputes/dp_1/close', '', replies, { customers: true })
      expect(explanation.subjects.customers).toEqual(['cus_A'])
    }
  })
})

describe('transfers and payouts', () => {
  const rows: Row[] = [
    ['transfer', 'POST /v1/transfers', 'amount=4900&currency=usd&destination=acct_E', {}, 'USD 49.00'],
    [
      'transfer of a whole charge',
      'POST /v1/transfers',
      'currency=usd&destination=acct_E&source_transaction=ch_1',
      at.charge(),
      'USD 50.00',
    ],
    [
      'transfer of a charge in another currency',
      'POST /v1/transfers',
      'currency=eur&destination=acct_E&source_transaction=ch_1',
      at.charge(),
      'unpriceable',
    ],
    ['transfer of nothing known', 'POST /v1/transfers', 'currency=usd&destination=acct_E', {}, 'unpriceable'],
    ['payout', 'POST /v1/payouts', 'amount=100&currency=usd', {}, 'USD 1.00'],
    ['payout without a currency', 'POST /v1/payouts', 'amount=100', {}, 'unpriceable'],
    ['payout canceled', 'POST /v1/payouts/po_1/cancel', '', {}, 'free'],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test.each([
    ['POST /v1/transfers', 'amount=1&currency=usd&destination=acct_E', ['acct_E']],
    ['POST /v1/payouts', 'amount=1&currency=usd&destination=ba_1', ['ba_1']],
    ['POST /v1/payouts', 'amount=1&currency=usd', ['default']],
    ['POST /v1/charges', 'amount=1&currency=usd&destination[account]=acct_E', ['acct_E']],
    ['POST /v1/charges', 'amount=1&currency=usd&destination=acct_E', ['acct_E']],
    [
      'POST /v1/payment_intents',
      'amount=1&currency=usd&transfer_data[destination]=acct_E&on_behalf_of=acct_O',
      ['acct_E', 'acct_O'],
    ],
    ['POST /v1/invoices', 'customer=cus_A&issuer[type]=account&issuer[account]=acct_I', ['acct_I']],
    ['POST /v1/invoices', 'customer=cus_A&automatic_tax[liability][account]=acct_L', ['acct_L']],
    ['POST /v1/checkout/sessions', 'mode=payment&payment_intent_data[transfer_data][destination]=acct_E', ['acct_E']],
  ])('%s with %s pays %j', (request, form, beneficiaries) => {
    expect(explain(request, form).explanation.subjects.beneficiaries).toEqual(beneficiaries)
  })
})

describe('customers', () => {
  const customer = (fields: JsonObject) => ({
    'GET /v1/customers/cus_A': { id: 'cus_A', object: 'customer', balance: -500, currency: 'usd', ...fields },
  })
  const account = { 'GET /v1/account': { id: 'acct_1', object: 'account', default_currency: 'eur' } }

  test.each([
    ['a gift', 'balance=-2500', customer({}), 'USD 20.00', 'out'],
    ['a debt', 'balance=1000', customer({}), 'USD 15.00', 'in'],
    ['no change', 'balance=-500', customer({}), 'USD 0.00', 'in'],
    [
      'in the currency of the account',
      'balance=-1500',
      { ...customer({ currency: null }), ...account },
      'USD 11.33',
      'out',
    ],
  ])('a balance that is %s spends the difference', (_name, form, replies, expected, direction) => {
    const { explanation } = explain('POST /v1/customers/cus_A', form, replies)
    expect(quote('POST /v1/customers/cus_A', form, replies)).toBe(expected)
    expect(explanation.effects).toEqual(['spend'])
    expect(explanation.direction).toBe(direction)
    expect(explanation.subjects.customers).toEqual(['cus_A'])
  })

  test('a new customer with a balance spends it, and a customer that cannot be read is unpriceable', () => {
    expect(quote('POST /v1/customers', 'balance=-1000', account)).toBe('USD 11.33')
    expect(explain('POST /v1/customers', 'balance=-1000', account).explanation.effects).toEqual(['spend'])
    expect(quote('POST /v1/customers/cus_A', 'balance=-1000')).toBe('unpriceable')
  })

  test('without a balance nothing is spent and nothing looked up', () => {
    const { explanation, lookUps } = explain('POST /v1/customers/cus_A', 'email=a@b.example', {}, { customers: true })
    expect(explanation).toEqual({ quote: { basis: 'free' }, subjects: { customers: ['cus_A'] } })
    expect(lookUps).toEqual([])
    expect(explain('POST /v1/customers', 'name=x').explanation.subjects.customers).toBeNull()
  })
})

describe('invoices', () => {
  const items = (data: JsonObject[], has_more = false) => ({
    'GET /v1/invoiceitems': { object: 'list', data, has_more },
  })
  const item = (amount: number, fields: JsonObject = {}): JsonObject => ({
    amount,
    currency: 'usd',
    tax_rates: [],
    ...fields,
  })
  const many = items([item(1000), item(250), item(-400)])
  const rows: Row[] = [
    ['create empty', 'POST /v1/invoices', 'customer=cus_A', {}, 'free'],
    [
      'create with pending items',
      'POST /v1/invoices',
      'customer=cus_A&pending_invoice_items_behavior=include',
      many,
      'USD 12.50',
    ],
    [
      'the dormant bomb',
      'POST /v1/invoices',
      'customer=cus_A&auto_advance=true&pending_invoice_items_behavior=include',
      many,
      'USD 12.50',
    ],
    [
      'advance what is left out',
      'POST /v1/invoices',
      'customer=cus_A&auto_advance=true&pending_invoice_items_behavior=exclude',
      many,
      'free',
    ],
    [
      'more items than a page',
      'POST /v1/invoices',
      'customer=cus_A&auto_advance=true',
      items([item(1)], true),
      'unpriceable',
    ],
    ['items without a customer', 'POST /v1/invoices', 'auto_advance=true', many, 'unpriceable'],
    [
      'advance with tax',
      'POST /v1/invoices',
      'customer=cus_A&auto_advance=true&automatic_tax[enabled]=true',
      many,
      'unpriceable',
    ],
    [
      'advance taxed items',
      'POST /v1/invoices',
      'customer=cus_A&auto_advance=true',
      items([item(1, { tax_rates: [{ id: 'txr_1' }] })]),
      'unpriceable',
    ],
    ['finalize', 'POST /v1/invoices/in_1/finalize', '', at.invoice(), 'USD 70.00'],
    ['pay', 'POST /v1/invoices/in_1/pay', '', at.invoice({ status: 'open' }), 'USD 70.00'],
    ['pay out of band', 'POST /v1/invoices/in_1/pay', 'paid_out_of_band=true', at.invoice(), 'USD 70.00'],
    ['send', 'POST /v1/invoices/in_1/send', '', at.invoice(), 'USD 70.00'],
    ['pay what is not there', 'POST /v1/invoices/in_1/pay', '', {}, 'unpriceable'],
    ['void', 'POST /v1/invoices/in_1/void', '', {}, 'free'],
    ['delete', 'DELETE /v1/invoices/in_1', '', {}, 'free'],
    ['update a footer', 'POST /v1/invoices/in_1', 'footer=x', at.invoice(), 'free'],
    ['update to advance', 'POST /v1/invoices/in_1', 'auto_advance=true', at.invoice(), 'USD 70.00'],
    [
      'add shipping to one that advances',
      'POST /v1/invoices/in_1',
      'shipping_cost[shipping_rate]=shr_1',
      at.invoice({ auto_advance: true }),
      'unpriceable',
    ],
    ['add shipping to a draft', 'POST /v1/invoices/in_1', 'shipping_cost[shipping_rate]=shr_1', at.invoice(), 'free'],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test('under an old pinned version take items up by default', () => {
    expect(quote('POST /v1/invoices', 'customer=cus_A', many, { apiVersion: '2020-08-27' })).toBe('USD 12.50')
    expect(quote('POST /v1/invoices', 'customer=cus_A', many, { apiVersion: '2025-02-24.acacia' })).toBe('free')
  })

  test('count with the invoice, so that paying a finalised one reserves nothing more', () => {
    for (const call of ['finalize', 'pay', 'send', 'void']) {
      expect(explain(`POST /v1/invoices/in_1/${call}`, '', at.invoice()).explanation.object).toBe('in_1')
    }
    const finalised = outcome('POST /v1/invoices/in_1/finalize', '', invoice({ amount_due: 7700 }), at.invoice())
    expect(finalised).toEqual({ object: 'in_1', total: 77_000_000n })
  })

  test('voided or deleted give back what was not paid', () => {
    const voided = (fields: JsonObject) =>
      outcome('POST /v1/invoices/in_1/void', '', invoice({ status: 'void', ...fields }))
    expect(voided({})).toEqual({ object: 'in_1', total: 0n, ends: 'in_1' })
    expect(voided({ amount_paid: 300 })).toEqual({ object: 'in_1', total: 3_000_000n, ends: 'in_1' })
    expect(voided({ status: 'open' })).toEqual({})
    expect(outcome('DELETE /v1/invoices/in_1', '', { id: 'in_1', deleted: true })).toEqual({
      object: 'in_1',
      total: 0n,
      ends: 'in_1',
    })
  })

  test('marked as paid elsewhere are money given away', () => {
    const direction = (form: string) => explain('POST /v1/invoices/in_1/pay', form, at.invoice()).explanation.direction
    expect([direction(''), direction('paid_out_of_band=true'), direction('forgive=true')]).toEqual(['in', 'out', 'out'])
  })

  test('that route their money show where to', () => {
    const replies = at.invoice({
      transfer_data: { destination: 'acct_D' },
      issuer: { type: 'account', account: 'acct_I' },
    })
    expect(explain('POST /v1/invoices/in_1/pay', '', replies).explanation.subjects.beneficiaries).toEqual([
      'acct_D',
      'acct_I',
    ])
  })
})

describe('invoice items', () => {
  const old = (fields: JsonObject = {}) => ({
    'GET /v1/invoiceitems/ii_1': {
      id: 'ii_1',
      object: 'invoiceitem',
      amount: 2000,
      quantity: 2,
      currency: 'usd',
      customer: 'cus_A',
      invoice: null,
      pricing: { unit_amount_decimal: '1000' },
      ...fields,
    },
  })
  const create = 'POST /v1/invoiceitems'
  const update = 'POST /v1/invoiceitems/ii_1'
  const rows: Row[] = [
    ['an amount', create, 'customer=cus_A&amount=300&currency=usd', {}, 'USD 3.00'],
    ['an amount without a currency', create, 'customer=cus_A&amount=300', {}, 'unpriceable'],
    ['unit and quantity', create, 'customer=cus_A&currency=usd&unit_amount_decimal=12.5&quantity=3', {}, 'USD 0.38'],
    ['a price', create, 'customer=cus_A&pricing[price]=price_1&quantity=3', at.price(400), 'USD 12.00'],
    [
      'a price made up',
      create,
      'customer=cus_A&price_data[currency]=usd&price_data[product]=p&price_data[unit_amount]=50',
      {},
      'USD 0.50',
    ],
    ['two prices', create, 'customer=cus_A&currency=usd&amount=1&pricing[price]=price_1', at.price(400), 'unpriceable'],
    [
      'tax on what is billed later',
      create,
      'customer=cus_A&currency=usd&amount=1&tax_rates[0]=txr_1',
      {},
      'unpriceable',
    ],
    ['on an invoice', create, 'customer=cus_A&amount=300&invoice=in_1', at.invoice(), 'USD 73.00'],
    [
      'a price on an invoice',
      create,
      'customer=cus_A&pricing[price]=price_1&invoice=in_1',
      { ...at.invoice(), ...at.price(400) },
      'USD 74.00',
    ],
    ['a new description', update, 'description=x', old(), 'free'],
    ['a new amount', update, 'amount=900', old(), 'USD 9.00'],
    ['a new quantity', update, 'quantity=1000', old(), 'USD 10000.00'],
    [
      'a new quantity on an invoice',
      update,
      'quantity=3',
      { ...old({ invoice: 'in_1' }), ...at.invoice() },
      'USD 80.00',
    ],
    ['delete', 'DELETE /v1/invoiceitems/ii_1', '', {}, 'free'],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test('on an invoice concern its customer too and count with it', () => {
    const replies = at.invoice({ customer: 'cus_B' })
    const { explanation } = explain(create, 'customer=cus_A&amount=300&invoice=in_1', replies)
    expect(explanation.subjects.customers).toEqual(['cus_B', 'cus_A'])
    expect(explanation.object).toBe('in_1')
  })

  test('that wait count by themselves until they are deleted', () => {
    const reply = { id: 'ii_1', object: 'invoiceitem', amount: -300, currency: 'usd', invoice: null }
    expect(outcome(create, 'customer=cus_A&amount=-300&currency=usd', reply)).toEqual({
      object: 'ii_1',
      total: 3_000_000n,
    })
    expect(explain(update, 'amount=900', old()).explanation.object).toBe('ii_1')
    expect(outcome('DELETE /v1/invoiceitems/ii_1', '', { id: 'ii_1', deleted: true })).toEqual({
      object: 'ii_1',
      total: 0n,
      ends: 'ii_1',
    })
  })
})

describe('subscriptions', () => {
  const create = 'POST /v1/subscriptions'
  const invented =
    'customer=cus_A&items[0][price_data][currency]=usd&items[0][price_data][product]=p' +
    '&items[0][price_data][unit_amount_decimal]=9999900' +
    '&items[0][price_data][recurring][interval]=day&items[0][quantity]=10'
  const item = (unit: number, fields: JsonObject = {}): JsonObject => ({
    id: 'si_1',
    quantity: 2,
    price: price('price_9', unit, RECURRING),
    ...fields,
  })
  const held = (items: JsonObject[], fields?: JsonObject) => ({
    'GET /v1/subscriptions/sub_1': subscription(items, fields),
  })
  const rows: Row[] = [
    [
      'a price',
      create,
      'customer=cus_A&items[0][price]=price_1&items[0][quantity]=3',
      { ...at.price(500, RECURRING), ...at.preview(1500) },
      'USD 15.00',
    ],
    [
      'a price with open debts',
      create,
      'customer=cus_A&items[0][price]=price_1',
      { ...at.price(500, RECURRING), ...at.preview(500, 4000) },
      'USD 40.00',
    ],
    [
      'a price that credit pays for',
      create,
      'customer=cus_A&items[0][price]=price_1',
      { ...at.price(500, RECURRING), ...at.preview(500, 0) },
      'USD 5.00',
    ],
    [
      'a free first period',
      create,
      'customer=cus_A&items[0][price]=price_1&trial_period_days=30',
      { ...at.price(500, RECURRING), ...at.preview(0) },
      'USD 5.00',
    ],
    ['an invented price', create, invented, at.preview(0), 'USD 999990.00'],
    [
      'a one-off item beside it',
      create,
      'customer=cus_A&items[0][price]=price_1&add_invoice_items[0][price_data][currency]=usd' +
        '&add_invoice_items[0][price_data][product]=p&add_invoice_items[0][price_data][unit_amount]=90000',
      { ...at.price(500, RECURRING), ...at.preview(0) },
      'USD 905.00',
    ],
    [
      'a tiered price whose tiers are not shown',
      create,
      'customer=cus_A&items[0][price]=price_1',
      { ...at.price(0, { ...RECURRING, billing_scheme: 'tiered', unit_amount_decimal: null }), ...at.preview(1234) },
      'USD 12.34',
    ],
    [
      'a metered price',
      create,
      'customer=cus_A&items[0][price]=price_1',
      { ...at.price(5, { recurring: { interval: 'month', usage_type: 'metered' } }), ...at.preview(0) },
      'unpriceable',
    ],
    ['a price that is not there', create, 'customer=cus_A&items[0][price]=price_1', at.preview(1), 'unpriceable'],
    ['no preview', create, 'customer=cus_A&items[0][price]=price_1', at.price(500, RECURRING), 'unpriceable'],
    ['no items', create, 'customer=cus_A', at.preview(0), 'unpriceable'],
    ['items in a map', create, 'customer=cus_A&items[a][price]=price_1', at.preview(0), 'unpriceable'],
    ['no customer', create, 'items[0][price]=price_1', at.price(500), 'unpriceable'],
    [
      'by the legacy route',
      'POST /v1/customers/cus_A/subscriptions',
      'items[0][price]=price_1',
      { ...at.price(500, RECURRING), ...at.preview(500) },
      'USD 5.00',
    ],
    [
      'by the legacy route for somebody else',
      'POST /v1/customers/cus_A/subscriptions',
      'customer=cus_B',
      {},
      'request_ambiguous',
    ],
    ['update a description', 'POST /v1/subscriptions/sub_1', 'description=x', {}, 'free'],
    [
      'proration as an instant charge',
      'POST /v1/subscriptions/sub_1',
      'items[0][id]=si_1&items[0][quantity]=1000&proration_behavior=always_invoice',
      { ...held([item(500)]), ...at.preview(480000) },
      'USD 5000.00',
    ],
    [
      'end the trial',
      'POST /v1/subscriptions/sub_1',
      'trial_end=now',
      { ...held([item(500)]), ...at.preview(0) },
      'USD 10.00',
    ],
    [
      'revive',
      'POST /v1/subscriptions/sub_1',
      'cancel_at_period_end=false',
      { ...held([item(500)]), ...at.preview(0) },
      'USD 10.00',
    ],
    [
      'a downgrade gives credit',
      'POST /v1/subscriptions/sub_1',
      'items[0][id]=si_1&items[0][quantity]=0',
      { ...held([item(500)]), ...at.preview(-9900, 0) },
      'USD 99.00',
    ],
    [
      'drop one item and add another',
      'POST /v1/subscriptions/sub_1',
      'items[0][id]=si_1&items[0][deleted]=true&items[1][price]=price_1',
      { ...held([item(99900)]), ...at.price(700, RECURRING), ...at.preview(700) },
      'USD 7.00',
    ],
    [
      'somebody else’s item',
      'POST /v1/subscriptions/sub_1',
      'items[0][id]=si_9&items[0][quantity]=2',
      { ...held([item(500)]), ...at.preview(0) },
      'unpriceable',
    ],
    [
      'beside a metered item',
      'POST /v1/subscriptions/sub_1',
      'trial_end=now',
      {
        ...held([
          item(500),
          item(1, { id: 'si_2', price: price('price_8', 1, { recurring: { usage_type: 'metered' } }) }),
        ]),
        ...at.preview(0),
      },
      'unpriceable',
    ],
    ['cancel', 'DELETE /v1/subscriptions/sub_1', '', {}, 'free'],
    [
      'cancel and bill',
      'DELETE /v1/subscriptions/sub_1',
      'invoice_now=true',
      { ...held([]), ...at.preview(3000) },
      'USD 30.00',
    ],
    [
      'cancel and pay back',
      'DELETE /v1/subscriptions/sub_1',
      'prorate=true',
      { ...held([]), ...at.preview(-2000, 0) },
      'USD 20.00',
    ],
    [
      'cancel and bill by the legacy route',
      'DELETE /v1/customers/cus_A/subscriptions/sub_1',
      'invoice_now=true',
      { ...held([]), ...at.preview(3000) },
      'USD 30.00',
    ],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test('commit money beyond the first invoice', () => {
    expect(explain(create, invented, at.preview(0)).explanation.effects).toEqual(['future_spend'])
  })

  test('ended by an update are ended', () => {
    const { explanation } = explain('POST /v1/subscriptions/sub_1', 'cancel_at_period_end=true')
    expect(explanation.effects).toEqual(['destructive'])
  })

  test('canceled with a bill or a credit spend', () => {
    const replies = { ...held([]), ...at.preview(100) }
    expect(explain('DELETE /v1/subscriptions/sub_1', 'prorate=true', replies).explanation.effects).toEqual(['spend'])
  })

  test('are previewed with their items and without what would make them look cheap', () => {
    const form =
      'customer=cus_A&items[0][price]=price_1&items[0][discounts][0][coupon]=FREE&discounts[0][coupon]=FREE' +
      '&trial_end=1900000000&add_invoice_items[0][price]=price_1&automatic_tax[enabled]=true' +
      '&billing_mode[type]=flexible'
    const { lookUps } = explain(create, form, { ...at.price(500, RECURRING), ...at.preview(500) })
    expect(lookUps).toEqual([
      'GET /v1/prices/price_1?expand[]=currency_options&expand[]=tiers',
      'POST /v1/invoices/create_preview?customer=cus_A&subscription_details[items][0][price]=price_1' +
        '&invoice_items[0][price]=price_1&automatic_tax[enabled]=true' +
        '&subscription_details[billing_mode][type]=flexible',
    ])
  })

  test('with a price that is not there still concern their customer', () => {
    const { explanation } = explain(create, 'customer=cus_A&items[0][price]=price_1')
    expect(explanation.subjects.customers).toEqual(['cus_A'])
  })

  test('never need more look-ups than one call may have', () => {
    const items = Array.from({ length: 6 }, (_, i) => `items[${i}][price]=price_${i}`).join('&')
    const { explanation, lookUps } = explain(create, `customer=cus_A&${items}`)
    expect(explanation.quote.basis).toBe('unpriceable')
    expect(lookUps).toEqual([])
  })
})

describe('payment links', () => {
  const create = 'POST /v1/payment_links'
  const link = (fields: JsonObject = {}) => ({
    'GET /v1/payment_links/plink_1': {
      id: 'plink_1',
      object: 'payment_link',
      restrictions: null,
      optional_items: [],
      shipping_options: [],
      automatic_tax: { enabled: false },
      line_items: { has_more: false, data: [{ id: 'li_1', quantity: 2, price: price('price_1', 300) }] },
      ...fields,
    },
  })
  const update = 'POST /v1/payment_links/plink_1'
  const rows: Row[] = [
    ['fan-out', create, 'line_items[0][price]=price_1&line_items[0][quantity]=999999', at.price(100), 'USD 999999.00'],
    [
      'an adjustable quantity',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1' + '&line_items[0][adjustable_quantity][enabled]=true',
      at.price(100),
      'USD 99.00',
    ],
    [
      'an adjustable quantity with a maximum',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1' +
        '&line_items[0][adjustable_quantity][enabled]=true&line_items[0][adjustable_quantity][maximum]=5',
      at.price(100),
      'USD 5.00',
    ],
    [
      'a limit of sales',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1&restrictions[completed_sessions][limit]=7',
      at.price(100),
      'USD 7.00',
    ],
    [
      'an optional item',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1&optional_items[0][price]=price_1' +
        '&optional_items[0][quantity]=2',
      at.price(100),
      'USD 3.00',
    ],
    [
      'the dearest currency',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1',
      at.price(100, { currency_options: { usd: { unit_amount: 100 }, eur: { unit_amount: 5000 } } }),
      'USD 56.65',
    ],
    [
      'a currency without a rate',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1',
      at.price(100, { currency_options: { gbp: { unit_amount: 90 } } }),
      'unpriceable',
    ],
    [
      'a chosen amount with a maximum',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1',
      at.price(0, { unit_amount: null, unit_amount_decimal: null, custom_unit_amount: { maximum: 2500 } }),
      'USD 25.00',
    ],
    [
      'a chosen amount',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1',
      at.price(0, { unit_amount: null, unit_amount_decimal: null, custom_unit_amount: { maximum: null } }),
      'unpriceable',
    ],
    [
      'shipping',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1&shipping_options[0][shipping_rate]=shr_1',
      at.price(100),
      'unpriceable',
    ],
    [
      'tax',
      create,
      'line_items[0][price]=price_1&line_items[0][quantity]=1&automatic_tax[enabled]=true',
      at.price(100),
      'unpriceable',
    ],
    ['no items', create, 'currency=usd', {}, 'unpriceable'],
    ['close', update, 'active=false', {}, 'free'],
    ['new text', update, 'inactive_message=x', {}, 'free'],
    ['re-open', update, 'active=true', link(), 'USD 6.00'],
    [
      're-open one with a limit',
      update,
      'active=true',
      link({ restrictions: { completed_sessions: { limit: 3, count: 0 } } }),
      'USD 18.00',
    ],
    ['a new quantity', update, 'line_items[0][id]=li_1&line_items[0][quantity]=100', link(), 'USD 300.00'],
    ['a line it does not have', update, 'line_items[0][id]=li_9&line_items[0][quantity]=1', link(), 'unpriceable'],
    ['re-open what is not there', update, 'active=true', {}, 'unpriceable'],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test('show where the money and the buyer go', () => {
    const form =
      'line_items[0][price]=price_1&line_items[0][quantity]=1&transfer_data[destination]=acct_EVIL' +
      '&after_completion[redirect][url]=https://evil.example/x'
    const { subjects } = explain(create, form, at.price(100)).explanation
    expect(subjects).toEqual({ beneficiaries: ['acct_EVIL'], urls: ['https://evil.example/x'], currencies: ['usd'] })
  })

  test('count from their creation', () => {
    const form = 'line_items[0][price]=price_1&line_items[0][quantity]=1'
    expect(outcome(create, form, { id: 'plink_1' }, at.price(100))).toEqual({ object: 'plink_1', total: 1_000_000n })
  })
})

describe('checkout sessions', () => {
  const create = 'POST /v1/checkout/sessions'
  const inline =
    'mode=payment&line_items[0][price_data][currency]=eur&line_items[0][price_data][unit_amount]=1000' +
    '&line_items[0][price_data][product_data][name]=x&line_items[0][quantity]=2'
  const rows: Row[] = [
    ['an inline price', create, inline, {}, 'USD 22.66'],
    [
      'a price',
      create,
      'mode=subscription&line_items[0][price]=price_1&line_items[0][quantity]=2',
      at.price(700, RECURRING),
      'USD 14.00',
    ],
    ['setup', create, 'mode=setup&customer=cus_A&currency=usd', {}, 'free'],
    ['setup with something to sell', create, `${inline.replace('payment', 'setup')}`, {}, 'USD 22.66'],
    ['no items', create, 'mode=payment', {}, 'unpriceable'],
    [
      'an item of the legacy kind',
      create,
      'mode=payment&line_items[0][amount]=100&line_items[0][currency]=usd',
      {},
      'unpriceable',
    ],
    ['two prices for one item', create, `${inline}&line_items[0][price]=price_1`, at.price(1), 'unpriceable'],
    ['expire', 'POST /v1/checkout/sessions/cs_1/expire', '', {}, 'free'],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test('show their URLs and their customer', () => {
    const form = `${inline}&customer=cus_A&success_url=https://a.example/ok&cancel_url=https://b.example`
    expect(explain(create, form).explanation.subjects).toEqual({
      customers: ['cus_A'],
      currencies: ['eur'],
      urls: ['https://a.example/ok', 'https://b.example'],
    })
  })

  test('count the larger of what was quoted and what the reply asks for, and nothing once expired', () => {
    const total = (amount_total: number) => outcome(create, inline, { id: 'cs_1', amount_total, currency: 'eur' })
    expect(total(3000)).toEqual({ object: 'cs_1', total: 33_000_000n })
    expect(total(100)).toEqual({ object: 'cs_1', total: 22_000_000n })
    const expire = 'POST /v1/checkout/sessions/cs_1/expire'
    expect(outcome(expire, '', { id: 'cs_1', status: 'expired', payment_status: 'unpaid' })).toEqual({
      object: 'cs_1',
      total: 0n,
      ends: 'cs_1',
    })
    expect(outcome(expire, '', { id: 'cs_1', status: 'complete', payment_status: 'paid' })).toEqual({})
  })
})

describe('coupons and prices', () => {
  const rows: Row[] = [
    ['a bounded coupon', 'POST /v1/coupons', 'amount_off=500&currency=usd&max_redemptions=20', {}, 'USD 100.00'],
    [
      'a coupon in two currencies',
      'POST /v1/coupons',
      'amount_off=500&currency=usd&max_redemptions=2&currency_options[eur][amount_off]=1000',
      {},
      'USD 22.66',
    ],
    ['a percentage', 'POST /v1/coupons', 'percent_off=100&max_redemptions=1', {}, 'unpriceable'],
    ['an unlimited coupon', 'POST /v1/coupons', 'amount_off=500&currency=usd', {}, 'unpriceable'],
    [
      'a coupon for ever',
      'POST /v1/coupons',
      'amount_off=5&currency=usd&max_redemptions=1&duration=forever',
      {},
      'unpriceable',
    ],
    ['a coupon’s name', 'POST /v1/coupons/X', 'name=y', {}, 'free'],
    ['a coupon in another currency', 'POST /v1/coupons/X', 'currency_options[eur][amount_off]=9', {}, 'unpriceable'],
    ['a price', 'POST /v1/prices', 'currency=usd&unit_amount=5&product=p', {}, 'free'],
    [
      'another currency for a price',
      'POST /v1/prices/price_1',
      'currency_options[eur][unit_amount]=9',
      {},
      'unpriceable',
    ],
  ]
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

  test.each([
    ['POST /v1/prices', 'currency=usd&unit_amount=5&product=p', undefined],
    ['POST /v1/prices', 'currency=usd&unit_amount=5&product=p&transfer_lookup_key=true', ['future_spend']],
    ['POST /v1/prices/price_1', 'active=true', ['future_spend']],
    ['POST /v1/prices/price_1', 'active=false', undefined],
    ['POST /v1/prices/price_1', 'currency_options[eur][unit_amount]=9', ['future_spend']],
    ['POST /v1/coupons/X', 'currency_options[eur][amount_off]=9', ['future_spend']],
  ])('%s with %s also does %j', (request, form, effects) => {
    expect(explain(request, form).explanation.effects).toEqual(effects)
  })
})

describe('whose object a call concerns', () => {
  const restricted = { customers: true }
  const subjects = (request: string, form = '', replies: Replies = {}) =>
    explain(request, form, replies, restricted).explanation.subjects

  test.each([
    ['GET /v1/charges/ch_1', at.charge()],
    ['GET /v1/payment_intents/pi_1', at.intent()],
    ['GET /v1/invoices/in_1', at.invoice()],
    ['POST /v1/payment_intents/pi_1/cancel', at.intent()],
    ['POST /v1/invoices/in_1/void', at.invoice()],
    ['GET /v1/subscriptions/sub_1', { 'GET /v1/subscriptions/sub_1': subscription([]) }],
    ['DELETE /v1/customers/cus_A/subscriptions/sub_1', { 'GET /v1/subscriptions/sub_1': subscription([]) }],
    ['GET /v1/checkout/sessions/cs_1', { 'GET /v1/checkout/sessions/cs_1': { id: 'cs_1', customer: 'cus_A' } }],
    ['GET /v1/customers/cus_A', {}],
  ])('%s is looked up when a policy lists customers', (request, replies) => {
    expect(subjects(request, '', replies).customers).toEqual(['cus_A'])
  })

  test('is not looked up when no policy asks', () => {
    for (const request of ['GET /v1/charges/ch_1', 'POST /v1/payment_intents/pi_1/cancel', 'GET /v1/refunds/re_1']) {
      expect(explain(request).lookUps).toEqual([])
    }
  })

  test('a missing object concerns nobody we know, and its sentence is that of any other', () => {
    const sentences = new Set(
      ['POST /v1/refunds', 'POST /v1/invoices/in_1/pay', 'POST /v1/payment_intents/pi_1/confirm'].map((request) => {
        const { explanation } = explain(request, request.endsWith('refunds') ? 'charge=ch_1' : '', {}, restricted)
        expect(explanation.subjects.customers).toBeNull()
        return explanation.quote.basis === 'unpriceable' ? explanation.quote.why : ''
      }),
    )
    expect(sentences.size).toBe(1)
    expect(subjects('GET /v1/charges/ch_1').customers).toBeNull()
  })

  test.each([
    ['GET /v1/charges', 'customer=cus_A', ['cus_A']],
    ['GET /v1/charges', '', null],
    ['GET /v1/charges', 'customer[]=cus_A', undefined],
    ['GET /v1/invoices', 'subscription=sub_1', null],
    ['GET /v1/invoices', 'customer=cus_A&customer_account=acct_1', null],
    ['GET /v1/customers', 'email=a@b.example', null],
    ['GET /v1/customers/search', 'query=x', null],
    ['GET /v1/payment_intents/search', 'query=x', null],
    ['GET /v1/disputes', '', null],
    ['GET /v1/refunds', 'charge=ch_1', ['cus_A']],
    ['GET /v1/products', '', undefined],
    ['GET /v1/balance', '', undefined],
    ['GET /v1/balance_transactions', '', undefined],
    ['GET /v1/balance_transactions', 'expand[]=data.source', null],
    ['POST /v1/invoices/create_preview', 'customer=cus_A', ['cus_A']],
    ['POST /v1/invoices/create_preview', 'subscription=sub_1', null],
    ['POST /v1/products', 'name=x', undefined],
  ])('%s with %j concerns %j', (request, form, customers) => {
    expect(subjects(request, form, at.charge()).customers).toEqual(customers)
  })

  test('a filter that is no single customer is refused', () => {
    expect(explain('GET /v1/charges', 'customer[]=cus_A').explanation.refuse?.code).toBe('request_malformed')
  })
})

describe('nasty requests', () => {
  test('money routed elsewhere shows every destination', () => {
    const form =
      'amount=4900&currency=usd&confirm=true&customer=cus_A&payment_method=pm_1' +
      '&transfer_data[destination]=acct_EVIL&application_fee_amount=0&on_behalf_of=acct_EVIL2'
    expect(explain('POST /v1/payment_intents', form).explanation.subjects.beneficiaries).toEqual([
      'acct_EVIL',
      'acct_EVIL2',
    ])
  })

  test('percent-encoded names are the names they stand for', () => {
    const form = '%61mount=9999999&currency=usd&transfer_data%5Bdestination%5D=acct_EVIL'
    expect(quote('POST /v1/payment_intents', form)).toBe('USD 99999.99')
    expect(explain('POST /v1/payment_intents', form).explanation.subjects.beneficiaries).toEqual(['acct_EVIL'])
  })

  test('dinars are not cents', () => {
    expect(quote('POST /v1/payment_intents', 'amount=9999999&currency=kwd&confirm=true')).toBe('USD 33474.996653')
  })

  test('an upcoming invoice is not an invoice that can be paid', () => {
    const replies = {
      'GET /v1/invoices/upcoming': { object: 'invoice', amount_due: 1, currency: 'usd', customer: 'cus_A' },
    }
    expect(quote('POST /v1/invoices/upcoming/pay', '', replies)).toBe('unpriceable')
  })
})

describe('a free update of what others made', () => {
  test.each([
    ['POST /v1/payment_intents/pi_1', 'description=x', at.intent(), intent()],
    ['POST /v1/invoices/in_1', 'footer=x', at.invoice(), invoice()],
    [
      'POST /v1/invoiceitems/ii_1',
      'description=x',
      { 'GET /v1/invoiceitems/ii_1': { id: 'ii_1', currency: 'usd', customer: 'cus_A' } },
      { id: 'ii_1', amount: 500, currency: 'usd', invoice: null },
    ],
  ])('%s counts nothing', (request, form, replies, reply) => {
    expect(quote(request, form, replies)).toBe('free')
    expect(outcome(request, form, reply, replies)).toEqual({})
  })
})

describe('in another account', () => {
  const setting = { headers: { 'stripe-account': 'acct_V' }, customers: true }

  test('an amount in the form is priced', () => {
    expect(quote('POST /v1/payment_intents', 'amount=100&currency=usd', {}, setting)).toBe('USD 1.00')
  })

  test('what would need a look-up is not, because the look-up would read our own account', () => {
    const { explanation, lookUps } = explain('POST /v1/refunds', 'charge=ch_1', at.charge(), setting)
    expect(explanation.quote.basis).toBe('unpriceable')
    expect(lookUps).toEqual([])
    expect(explain('GET /v1/charges/ch_1', '', at.charge(), setting).explanation).toEqual({
      quote: { basis: 'free' },
      subjects: { customers: null },
    })
  })
})
