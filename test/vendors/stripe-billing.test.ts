import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { operations } from '../../vendors/stripe/operations/index.js'
import { ask, explain, outcome, type Replies, type Setting } from './stripe-ask.js'

const MONTHLY = { interval: 'month', interval_count: 1, usage_type: 'licensed' }
const price = (id: string, unit: number, fields: JsonObject = {}): JsonObject => ({
  id,
  object: 'price',
  billing_scheme: 'per_unit',
  currency: 'usd',
  unit_amount: unit,
  unit_amount_decimal: String(unit),
  custom_unit_amount: null,
  recurring: MONTHLY,
  ...fields,
})
const item = (unit: number, fields: JsonObject = {}): JsonObject => ({
  id: 'si_1',
  object: 'subscription_item',
  subscription: 'sub_1',
  quantity: 2,
  price: price(`price_of_${unit}`, unit),
  ...fields,
})
const subscription = (items: readonly JsonObject[], fields: JsonObject = {}): JsonObject => ({
  id: 'sub_1',
  object: 'subscription',
  currency: 'usd',
  customer: 'cus_A',
  items: { object: 'list', has_more: false, data: items },
  ...fields,
})
const invoice = (fields: JsonObject = {}): JsonObject => ({
  id: 'in_1',
  object: 'invoice',
  amount_due: 7000,
  amount_paid: 0,
  amount_remaining: 7000,
  auto_advance: false,
  collection_method: 'charge_automatically',
  currency: 'usd',
  customer: 'cus_A',
  lines: {
    object: 'list',
    has_more: false,
    data: [
      { id: 'il_1', amount: 5000, currency: 'usd', quantity: 5, pricing: { unit_amount_decimal: '1000' } },
      { id: 'il_2', amount: -300, currency: 'usd', quantity: 1, pricing: { unit_amount_decimal: '-300' } },
    ],
  },
  status: 'draft',
  ...fields,
})
const quoteOf = (fields: JsonObject = {}): JsonObject => ({
  id: 'qt_1',
  object: 'quote',
  amount_total: 900,
  amount_subtotal: 1000,
  computed: {
    recurring: { amount_total: 1200, amount_subtotal: 1200, interval: 'year', interval_count: 1 },
    upfront: { amount_total: 900, amount_subtotal: 1000 },
  },
  currency: 'usd',
  customer: 'cus_A',
  line_items: { object: 'list', has_more: false, data: [{ id: 'li_1', quantity: 3, price: price('price_9', 400) }] },
  status: 'draft',
  ...fields,
})
const schedule = (fields: JsonObject = {}): JsonObject => ({
  id: 'sub_sched_1',
  object: 'subscription_schedule',
  customer: 'cus_A',
  subscription: 'sub_1',
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
  ...fields,
})

const at = {
  price: (unit: number, fields?: JsonObject) => ({ 'GET /v1/prices/price_1': price('price_1', unit, fields) }),
  preview: (total: number, due = total) => ({
    'POST /v1/invoices/create_preview': { object: 'invoice', total, amount_due: due, currency: 'usd' },
  }),
  subscription: (items: readonly JsonObject[] = [item(500)], fields?: JsonObject) => ({
    'GET /v1/subscriptions/sub_1': subscription(items, fields),
  }),
  item: { 'GET /v1/subscription_items/si_1': item(500) },
  schedule: (fields?: JsonObject) => ({ 'GET /v1/subscription_schedules/sub_sched_1': schedule(fields) }),
  invoice: (fields?: JsonObject) => ({ 'GET /v1/invoices/in_1': invoice(fields) }),
  quote: (fields?: JsonObject) => ({ 'GET /v1/quotes/qt_1': quoteOf(fields) }),
  intent: (fields?: JsonObject) => ({ 'GET /v1/payment_intents/pi_1': intent(fields) }),
  note: (amount: number) => ({
    'GET /v1/credit_notes/preview': { object: 'credit_note', amount, currency: 'usd', customer: 'cus_A' },
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
const priced = (rows: readonly Row[]) =>
  test.each(rows)('%s', (_name, request, form, replies, expected) =>
    expect(quote(request, form, replies)).toBe(expected),
  )

const SUBSCRIBE = 'customer=cus_A&items[0][price]=price_1'

describe('a subscription', () => {
  const tiers = (mode: string): JsonObject => ({
    billing_scheme: 'tiered',
    tiers_mode: mode,
    unit_amount: null,
    unit_amount_decimal: null,
    tiers: [
      { up_to: 5, unit_amount: 700, unit_amount_decimal: '700', flat_amount: 100, flat_amount_decimal: '100' },
      { up_to: null, unit_amount: 400, unit_amount_decimal: '400', flat_amount: null, flat_amount_decimal: null },
    ],
  })
  const ten = `${SUBSCRIBE}&items[0][quantity]=10`
  priced([
    [
      'of graduated tiers',
      'POST /v1/subscriptions',
      ten,
      { ...at.price(0, tiers('graduated')), ...at.preview(0) },
      'USD 56.00',
    ],
    [
      'of volume tiers',
      'POST /v1/subscriptions',
      ten,
      { ...at.price(0, tiers('volume')), ...at.preview(0) },
      'USD 40.00',
    ],
    [
      'of a currency the price has beside its own',
      'POST /v1/subscriptions',
      SUBSCRIBE,
      {
        ...at.price(500, { currency_options: { usd: { unit_amount: 500 }, jpy: { unit_amount: 900 } } }),
        ...at.preview(500),
      },
      'USD 5.00',
    ],
    [
      'of an interval nobody knows',
      'POST /v1/subscriptions',
      SUBSCRIBE,
      { ...at.price(500, { recurring: { interval: 'fortnight' } }), ...at.preview(500) },
      'unpriceable',
    ],
    ['paused, with credit for unused time', 'POST /v1/subscriptions/sub_1/pause', '', at.subscription(), 'USD 10.00'],
    [
      'paused, with credit that is taxed',
      'POST /v1/subscriptions/sub_1/pause',
      '',
      at.subscription([item(500)], { automatic_tax: { enabled: true } }),
      'unpriceable',
    ],
    [
      'paused and invoiced at once',
      'POST /v1/subscriptions/sub_1/pause',
      'invoicing_behavior=invoice',
      { ...at.subscription(), ...at.preview(-800, 0) },
      'USD 8.00',
    ],
    [
      'paused without a bill',
      'POST /v1/subscriptions/sub_1/pause',
      'bill_for[unused_time_from][type]=none&bill_for[outstanding_usage_through][type]=none',
      {},
      'free',
    ],
    [
      'resumed',
      'POST /v1/subscriptions/sub_1/resume',
      'billing_cycle_anchor[type]=now',
      { ...at.subscription(), ...at.preview(300) },
      'USD 10.00',
    ],
    ['resumed without a preview', 'POST /v1/subscriptions/sub_1/resume', '', at.subscription(), 'unpriceable'],
    [
      'moved to another billing mode',
      'POST /v1/subscriptions/sub_1/migrate',
      'billing_mode[type]=flexible',
      {},
      'free',
    ],
  ])

  test.each([
    ['a day', { interval: 'day', interval_count: 1 }, '310.00'],
    ['a week', { interval: 'week', interval_count: 1 }, '44.166667'],
    ['two weeks', { interval: 'week', interval_count: 2 }, '22.083334'],
    ['a month', MONTHLY, '10.00'],
    ['a quarter', { interval: 'month', interval_count: 3 }, '3.333334'],
    ['a year', { interval: 'year', interval_count: 1 }, '0.833334'],
  ])('of USD 10.00 for %s costs so much a month, rounded up', (_name, recurring, expected) => {
    const replies = { ...at.price(1000, { recurring }), ...at.preview(0) }
    const { commits } = explain('POST /v1/subscriptions', SUBSCRIBE, replies).explanation
    expect(commits).toMatchObject({ kind: 'recurring', dueAt: null, quantity: 1n })
    expect(formatUsd(commits!.perMonth)).toBe(expected)
    expect(commits).not.toHaveProperty('object')
  })

  test('of an invented price commits what that price says, without what is sold once', () => {
    const form =
      'customer=cus_A&items[0][quantity]=3&items[0][price_data][currency]=usd&items[0][price_data][product]=p' +
      '&items[0][price_data][unit_amount]=100&items[0][price_data][recurring][interval]=month' +
      '&add_invoice_items[0][price_data][currency]=usd&add_invoice_items[0][price_data][product]=p' +
      '&add_invoice_items[0][price_data][unit_amount]=9000'
    const { commits } = explain('POST /v1/subscriptions', form, at.preview(0)).explanation
    expect([formatUsd(commits!.perMonth), commits!.quantity]).toEqual(['3.00', 3n])
  })

  test('that is changed commits what all its items come to from now on, under its own id', () => {
    const replies = { ...at.subscription([item(500), item(100, { id: 'si_2' })]), ...at.preview(0) }
    const form = 'items[0][id]=si_1&items[0][quantity]=7'
    const { commits } = explain('POST /v1/subscriptions/sub_1', form, replies).explanation
    expect(commits).toMatchObject({ object: 'sub_1', perMonth: 37_000_000n, quantity: 9n })
  })

  test('counts with its first invoice, so that paying that adds nothing', () => {
    const replies = { ...at.price(500), ...at.preview(500) }
    const reply = { id: 'sub_1', object: 'subscription', latest_invoice: 'in_1' }
    expect(outcome('POST /v1/subscriptions', SUBSCRIBE, reply, replies)).toEqual({
      commitment: 'sub_1',
      object: 'in_1',
      total: 5_000_000n,
    })
    expect(explain('POST /v1/invoices/in_1/pay', '', at.invoice()).explanation.object).toBe('in_1')
  })

  test('counts what its first invoice shows where that is more', () => {
    const replies = { ...at.price(500), ...at.preview(500) }
    const reply = { id: 'sub_1', latest_invoice: { id: 'in_1', amount_due: 9900, currency: 'usd' } }
    expect(outcome('POST /v1/subscriptions', SUBSCRIBE, reply, replies)).toMatchObject({ total: 99_000_000n })
  })

  test('gives nothing back when its invoice is smaller, voided or finalised', () => {
    const parent = { type: 'subscription_details', subscription_details: { subscription: 'sub_1' } }
    const of = (call: string, fields: JsonObject) =>
      outcome(`POST /v1/invoices/in_1/${call}`, '', invoice({ parent, ...fields }), at.invoice({ parent }))
    expect(of('pay', { status: 'paid', amount_due: 0, amount_remaining: 0 })).toEqual({ object: 'in_1', ends: 'in_1' })
    expect(of('finalize', { status: 'open', amount_due: 10 })).toEqual({ object: 'in_1' })
    expect(of('void', { status: 'void' })).toEqual({ ends: 'in_1' })
  })

  test('ends when it is cancelled, or will be at the end of its period', () => {
    const reply = (fields: JsonObject) => ({ id: 'sub_1', object: 'subscription', ...fields })
    expect(outcome('DELETE /v1/subscriptions/sub_1', '', reply({ status: 'canceled' }))).toEqual({ ends: 'sub_1' })
    expect(outcome('DELETE /v1/subscriptions/sub_1', '', reply({ status: 'active' }))).toEqual({})
    const update = 'POST /v1/subscriptions/sub_1'
    expect(outcome(update, 'cancel_at_period_end=true', reply({ cancel_at_period_end: true }))).toEqual({
      ends: 'sub_1',
    })
  })

  test('is read by its customer on the legacy routes too', () => {
    const customers = (request: string, form = '') =>
      explain(request, form, at.subscription(), { customers: true }).explanation.subjects.customers
    expect(customers('GET /v1/customers/cus_B/subscriptions')).toEqual(['cus_B'])
    expect(customers('GET /v1/customers/cus_B/subscriptions', 'customer=cus_A')).toEqual(['cus_B', 'cus_A'])
    expect(customers('GET /v1/customers/cus_B/subscriptions/sub_1')).toEqual(['cus_A', 'cus_B'])
    expect(customers('DELETE /v1/customers/cus_B/subscriptions/sub_1/discount')).toEqual(['cus_A', 'cus_B'])
  })
})

describe('an item of a subscription', () => {
  const add = 'subscription=sub_1&price=price_1&quantity=3'
  priced([
    [
      'added',
      'POST /v1/subscription_items',
      add,
      { ...at.subscription(), ...at.price(700), ...at.preview(2100) },
      'USD 31.00',
    ],
    [
      'added and billed at once',
      'POST /v1/subscription_items',
      `${add}&proration_behavior=always_invoice`,
      { ...at.subscription(), ...at.price(700), ...at.preview(50_000) },
      'USD 500.00',
    ],
    ['added to nothing', 'POST /v1/subscription_items', 'price=price_1', {}, 'unpriceable'],
    [
      'added by usage',
      'POST /v1/subscription_items',
      add,
      {
        ...at.subscription(),
        ...at.price(1, { recurring: { interval: 'month', usage_type: 'metered' } }),
        ...at.preview(0),
      },
      'unpriceable',
    ],
    [
      'in a new quantity',
      'POST /v1/subscription_items/si_1',
      'quantity=1000&proration_behavior=always_invoice',
      { ...at.item, ...at.subscription(), ...at.preview(480_000) },
      'USD 5000.00',
    ],
    ['with new metadata', 'POST /v1/subscription_items/si_1', 'metadata[a]=b', {}, 'free'],
    ['of nobody', 'POST /v1/subscription_items/si_1', 'quantity=2', {}, 'unpriceable'],
    [
      'removed, with credit the preview nets away',
      'DELETE /v1/subscription_items/si_1',
      '',
      { ...at.item, ...at.subscription([item(500), item(900, { id: 'si_2' })]), ...at.preview(100) },
      'USD 10.00',
    ],
    ['removed without credit', 'DELETE /v1/subscription_items/si_1', 'proration_behavior=none', {}, 'free'],
    [
      'removed with its usage',
      'DELETE /v1/subscription_items/si_1',
      'proration_behavior=none&clear_usage=true',
      { ...at.item, ...at.subscription() },
      'unpriceable',
    ],
    ['reported as used', 'POST /v1/subscription_items/si_1/usage_records', 'quantity=5', {}, 'unpriceable'],
  ])

  test('is previewed as a change of its subscription', () => {
    const replies = { ...at.item, ...at.subscription(), ...at.preview(0) }
    const form = 'quantity=4&proration_behavior=always_invoice&discounts[0][coupon]=FREE'
    expect(explain('POST /v1/subscription_items/si_1', form, replies).lookUps).toEqual([
      'GET /v1/subscription_items/si_1',
      'GET /v1/subscriptions/sub_1',
      'POST /v1/invoices/create_preview?subscription=sub_1&subscription_details[items][0][id]=si_1' +
        '&subscription_details[items][0][quantity]=4&subscription_details[proration_behavior]=always_invoice',
    ])
  })

  test('removed leaves what the others cost a month', () => {
    const replies = { ...at.item, ...at.subscription([item(500), item(900, { id: 'si_2' })]), ...at.preview(100) }
    const { commits, effects } = explain('DELETE /v1/subscription_items/si_1', '', replies).explanation
    expect([commits!.object, formatUsd(commits!.perMonth), effects]).toEqual(['sub_1', '18.00', ['destructive']])
  })
})

describe('a schedule', () => {
  const phase = (n: number, unit: number) =>
    `&phases[${n}][items][0][price_data][currency]=usd&phases[${n}][items][0][price_data][product]=p` +
    `&phases[${n}][items][0][price_data][unit_amount]=${unit}&phases[${n}][items][0][price_data][recurring][interval]=month`
  const create = 'POST /v1/subscription_schedules'
  const change = 'POST /v1/subscription_schedules/sub_sched_1'
  const start = 'customer=cus_A&start_date=now'
  priced([
    [
      'counts a period of every phase',
      create,
      start + phase(0, 1000) + phase(1, 900_000),
      at.preview(1000),
      'USD 9010.00',
    ],
    ['counts its preview where that is more', create, start + phase(0, 1000), at.preview(1300), 'USD 13.00'],
    [
      'whose first phase is free',
      create,
      `${start}${phase(0, 1000)}&phases[0][trial]=true`,
      at.preview(0),
      'USD 10.00',
    ],
    [
      'of several phases with tax',
      create,
      `${start}${phase(0, 1)}${phase(1, 1)}&phases[0][automatic_tax][enabled]=true`,
      at.preview(1),
      'unpriceable',
    ],
    [
      'with tax by default',
      create,
      `${start}${phase(0, 1)}&default_settings[automatic_tax][enabled]=true`,
      at.preview(1),
      'unpriceable',
    ],
    [
      'of one phase with tax',
      create,
      `${start}${phase(0, 1000)}&phases[0][automatic_tax][enabled]=true`,
      at.preview(1190),
      'USD 11.90',
    ],
    [
      'with a billing threshold',
      create,
      `${start}${phase(0, 1)}&phases[0][billing_thresholds][amount_gte]=1`,
      at.preview(1),
      'unpriceable',
    ],
    ['without phases', create, start, at.preview(1), 'unpriceable'],
    ['of nobody', create, `start_date=now${phase(0, 1)}`, at.preview(1), 'unpriceable'],
    ['that takes a subscription over', create, 'from_subscription=sub_1', {}, 'free'],
    ['with new phases', change, phase(0, 4000).slice(1), { ...at.schedule(), ...at.preview(0) }, 'USD 40.00'],
    ['with a new end', change, 'end_behavior=release', at.schedule(), 'unpriceable'],
    ['that will end', change, 'end_behavior=cancel', {}, 'free'],
    ['with new metadata', change, 'metadata[a]=b', {}, 'free'],
    [
      'cancelled, billed by default',
      `${change}/cancel`,
      '',
      { ...at.schedule(), ...at.subscription(), ...at.preview(2500) },
      'USD 25.00',
    ],
    ['cancelled without a bill', `${change}/cancel`, 'invoice_now=false&prorate=false', {}, 'free'],
    ['cancelled before it starts', `${change}/cancel`, '', at.schedule({ subscription: null }), 'free'],
    ['released', `${change}/release`, '', { ...at.schedule(), ...at.subscription() }, 'USD 10.00'],
    ['released before it starts', `${change}/release`, '', at.schedule({ subscription: null }), 'free'],
    ['amended', `${change}/amend`, '', {}, 'unpriceable'],
  ])

  test('costs a month what its dearest phase does, from its start on', () => {
    const form = `customer=cus_A&start_date=1900000000${phase(0, 1000)}${phase(1, 5000)}`
    const { commits, effects } = explain(create, form, at.preview(0)).explanation
    expect([formatUsd(commits!.perMonth), commits!.dueAt]).toEqual(['50.00', 1_900_000_000_000])
    expect(effects).toBeUndefined()
    expect(explain(create, start + phase(0, 1), at.preview(0)).explanation.effects).toEqual(['spend'])
    expect(outcome(create, form, { id: 'sub_sched_1' }, at.preview(0))).toEqual({ commitment: 'sub_sched_1' })
  })

  test('is previewed without trials and discounts', () => {
    const form = `${start}&phases[0][items][0][price]=price_1&phases[0][discounts][0][coupon]=FREE&phases[0][trial_end]=1900000000`
    expect(explain(create, form, { ...at.price(5), ...at.preview(5) }).lookUps.at(-1)).toBe(
      'POST /v1/invoices/create_preview?customer=cus_A&schedule_details[phases][0][items][0][price]=price_1',
    )
  })

  test('ends when it is cancelled or released', () => {
    const replies = { ...at.schedule({ subscription: null }) }
    expect(outcome(`${change}/cancel`, '', { status: 'canceled' }, replies)).toEqual({ ends: 'sub_sched_1' })
    expect(outcome(`${change}/release`, '', { status: 'released' }, replies)).toEqual({ ends: 'sub_sched_1' })
  })
})

describe('a quote', () => {
  priced([
    ['is free as a draft', 'POST /v1/quotes', 'customer=cus_A&line_items[0][price]=price_1', {}, 'free'],
    ['finalised counts the most it says anywhere', 'POST /v1/quotes/qt_1/finalize', '', at.quote(), 'USD 12.00'],
    ['accepted counts the same', 'POST /v1/quotes/qt_1/accept', '', at.quote(), 'USD 12.00'],
    [
      'with a metered price',
      'POST /v1/quotes/qt_1/accept',
      '',
      at.quote({
        line_items: {
          has_more: false,
          data: [{ price: price('price_9', 1, { recurring: { usage_type: 'metered' } }) }],
        },
      }),
      'unpriceable',
    ],
    [
      'with more lines than are shown',
      'POST /v1/quotes/qt_1/accept',
      '',
      at.quote({ line_items: { has_more: true, data: [] } }),
      'unpriceable',
    ],
    ['that is not there', 'POST /v1/quotes/qt_1/accept', '', {}, 'unpriceable'],
    ['cancelled', 'POST /v1/quotes/qt_1/cancel', '', {}, 'free'],
  ])

  test('accepted is one object with what was finalised, and commits its subscription', () => {
    const accept = explain('POST /v1/quotes/qt_1/accept', '', at.quote()).explanation
    expect(accept.object).toBe(explain('POST /v1/quotes/qt_1/finalize', '', at.quote()).explanation.object)
    expect(accept.commits).toMatchObject({ kind: 'recurring', perMonth: 1_000_000n, quantity: 3n })
    const reply = quoteOf({ status: 'accepted', subscription: 'sub_1' })
    expect(outcome('POST /v1/quotes/qt_1/accept', '', reply, at.quote())).toEqual({
      object: 'qt_1',
      total: 12_000_000n,
      commitment: 'sub_1',
      ends: 'qt_1',
    })
  })

  test('cancelled gives back what it counted', () => {
    const reply = quoteOf({ status: 'canceled' })
    expect(outcome('POST /v1/quotes/qt_1/cancel', '', reply)).toEqual({ object: 'qt_1', total: 0n, ends: 'qt_1' })
  })

  test('handed to another customer concerns both', () => {
    const { explanation } = explain('POST /v1/quotes/qt_1', 'customer=cus_B', at.quote(), { customers: true })
    expect(explanation.subjects.customers).toEqual(['cus_A', 'cus_B'])
  })
})

describe('the lines of an invoice', () => {
  const add = 'POST /v1/invoices/in_1/add_lines'
  const update = 'POST /v1/invoices/in_1/update_lines'
  const remove = 'POST /v1/invoices/in_1/remove_lines'
  priced([
    ['added bring it to more', add, 'lines[0][amount]=300&lines[1][amount]=200', at.invoice(), 'USD 75.00'],
    [
      'added by price',
      add,
      'lines[0][pricing][price]=price_1&lines[0][quantity]=3',
      { ...at.invoice(), ...at.price(400) },
      'USD 82.00',
    ],
    ['added with tax', add, 'lines[0][amount]=300&lines[0][tax_amounts][0][amount]=50', at.invoice(), 'USD 73.50'],
    ['that lower it are a gift', add, 'lines[0][amount]=-300', at.invoice(), 'USD 3.00'],
    ['that raise and lower it', add, 'lines[0][amount]=-300&lines[1][amount]=300', at.invoice(), 'unpriceable'],
    [
      'with rates of tax on a draft that waits',
      add,
      'lines[0][amount]=300&lines[0][tax_rates][0]=txr_1',
      at.invoice(),
      'USD 73.00',
    ],
    [
      'with rates of tax on one that advances',
      add,
      'lines[0][amount]=300&lines[0][tax_rates][0]=txr_1',
      at.invoice({ auto_advance: true }),
      'unpriceable',
    ],
    [
      'taken from pending items',
      add,
      'lines[0][invoice_item]=ii_1',
      { ...at.invoice(), 'GET /v1/invoiceitems/ii_1': { id: 'ii_1', amount: 900, currency: 'usd', customer: 'cus_A' } },
      'USD 79.00',
    ],
    [
      'without a discount on one that advances',
      update,
      'lines[0][id]=il_1&lines[0][discounts]=',
      at.invoice({ auto_advance: true }),
      'unpriceable',
    ],
    [
      'without a discount on a draft that waits',
      update,
      'lines[0][id]=il_1&lines[0][discounts]=',
      at.invoice(),
      'free',
    ],
    ['in no numbered list', add, 'lines[a][amount]=300', at.invoice(), 'unpriceable'],
    ['changed', update, 'lines[0][id]=il_1&lines[0][quantity]=7', at.invoice(), 'USD 90.00'],
    ['changed to less', update, 'lines[0][id]=il_1&lines[0][amount]=100', at.invoice(), 'USD 70.00'],
    ['described anew', update, 'lines[0][id]=il_1&lines[0][description]=x', at.invoice(), 'free'],
    ['nobody can see', update, 'lines[0][id]=il_9&lines[0][quantity]=7', at.invoice(), 'unpriceable'],
    ['changed one by one', 'POST /v1/invoices/in_1/lines/il_1', 'amount=9000', at.invoice(), 'USD 110.00'],
    ['taken off', remove, 'lines[0][id]=il_1&lines[0][behavior]=delete', at.invoice(), 'free'],
    [
      'taken off though they were credit',
      remove,
      'lines[0][id]=il_2&lines[0][behavior]=unassign',
      at.invoice(),
      'USD 73.00',
    ],
    ['taken off unseen', remove, 'lines[0][id]=il_9', at.invoice(), 'unpriceable'],
  ])

  test('taken from another customer’s items concern both', () => {
    const replies = {
      ...at.invoice(),
      'GET /v1/invoiceitems/ii_1': { id: 'ii_1', amount: 9, currency: 'usd', customer: 'cus_B' },
    }
    expect(explain(add, 'lines[0][invoice_item]=ii_1', replies).explanation.subjects.customers).toEqual([
      'cus_A',
      'cus_B',
    ])
  })
})

describe('an invoice', () => {
  priced([
    [
      'that is charged from now on',
      'POST /v1/invoices/in_1',
      'collection_method=charge_automatically',
      at.invoice({ auto_advance: true }),
      'USD 70.00',
    ],
    [
      'paid by an intent made elsewhere',
      'POST /v1/invoices/in_1/attach_payment',
      'payment_intent=pi_1',
      { ...at.invoice(), ...at.intent() },
      'USD 70.00',
    ],
    [
      'said to be paid elsewhere',
      'POST /v1/invoices/in_1/attach_payment',
      'payment_record=pr_1',
      at.invoice(),
      'USD 70.00',
    ],
    ['whose payment is taken off', 'POST /v1/invoices/in_1/detach_payment', '', {}, 'unpriceable'],
  ])

  test('that advances by itself is scheduled, and spends unless it is only sent', () => {
    const of = (form: string) =>
      explain('POST /v1/invoices', `customer=cus_A&auto_advance=true&${form}`, PENDING).explanation
    expect(of('automatically_finalizes_at=1900000000')).toMatchObject({
      commits: { kind: 'scheduled', dueAt: 1_900_000_000_000, perMonth: 0n, quantity: 1n },
      effects: ['spend'],
    })
    expect(of('collection_method=send_invoice').effects).toEqual([])
    expect(explain('POST /v1/invoices', 'customer=cus_A').explanation.commits).toBeUndefined()
  })
  const PENDING = { 'GET /v1/invoiceitems': { object: 'list', data: [], has_more: false } }

  test('that is finalised waits to be paid until it is paid, voided or deleted', () => {
    expect(explain('POST /v1/invoices/in_1/finalize', '', at.invoice()).explanation.commits).toMatchObject({
      kind: 'open',
      object: 'in_1',
    })
    expect(
      explain('POST /v1/invoices/in_1/finalize', 'auto_advance=true', at.invoice()).explanation.commits,
    ).toMatchObject({
      kind: 'scheduled',
      object: 'in_1',
    })
    expect(outcome('POST /v1/invoices/in_1/pay', '', invoice({ status: 'paid' }), at.invoice())).toMatchObject({
      ends: 'in_1',
    })
    expect(outcome('POST /v1/invoices/in_1', 'auto_advance=false', invoice(), at.invoice())).toMatchObject({
      ends: 'in_1',
    })
  })

  test('that is said to be paid elsewhere is money out', () => {
    const direction = (form: string) =>
      explain('POST /v1/invoices/in_1/attach_payment', form, { ...at.invoice(), ...at.intent() }).explanation.direction
    expect([direction('payment_record=pr_1'), direction('payment_intent=pi_1')]).toEqual(['out', 'in'])
  })
})

describe('an item on an invoice', () => {
  const placed = (amount: number) => ({
    'GET /v1/invoiceitems/ii_1': {
      id: 'ii_1',
      object: 'invoiceitem',
      amount,
      currency: 'usd',
      customer: 'cus_A',
      invoice: 'in_1',
      quantity: 1,
      unit_amount_decimal: String(amount),
    },
  })
  const remove = 'DELETE /v1/invoiceitems/ii_1'
  priced([
    [
      'without its discount, if it advances',
      'POST /v1/invoiceitems/ii_1',
      'discounts=',
      { ...placed(500), ...at.invoice({ auto_advance: true }) },
      'unpriceable',
    ],
    [
      'without its discount, if it waits',
      'POST /v1/invoiceitems/ii_1',
      'discounts=',
      { ...placed(500), ...at.invoice() },
      'USD 70.00',
    ],
    [
      'with a tax rate, if it advances',
      'POST /v1/invoiceitems',
      'amount=300&currency=usd&customer=cus_A&invoice=in_1&tax_rates[0]=txr_1',
      at.invoice({ auto_advance: true }),
      'unpriceable',
    ],
    ['taken off as a debt', remove, '', { ...placed(500), ...at.invoice() }, 'free'],
    ['taken off as a credit', remove, '', { ...placed(-500), ...at.invoice() }, 'USD 75.00'],
  ])

  test('taken off as a credit stays counted with the invoice', () => {
    const replies = { ...placed(-500), ...at.invoice() }
    expect(explain(remove, '', replies).explanation).toMatchObject({ object: 'in_1', effects: ['future_spend'] })
    expect(outcome(remove, '', { id: 'ii_1', deleted: true }, replies)).toEqual({ ends: 'ii_1' })
  })
})

describe('a credit note', () => {
  const create = 'POST /v1/credit_notes'
  priced([
    ['of an amount', create, 'invoice=in_1&amount=500', at.note(500), 'USD 5.00'],
    [
      'of lines, with tax',
      create,
      'invoice=in_1&lines[0][type]=invoice_line_item&lines[0][invoice_line_item]=il_1&lines[0][amount]=500',
      at.note(595),
      'USD 5.95',
    ],
    [
      'that splits into more than Stripe shows',
      create,
      'invoice=in_1&refund_amount=900&credit_amount=50&out_of_band_amount=50',
      at.note(500),
      'USD 10.00',
    ],
    ['that cannot be previewed', create, 'invoice=in_1&amount=500', {}, 'unpriceable'],
    ['of no invoice', create, 'amount=500', {}, 'unpriceable'],
    ['of a negative amount', create, 'invoice=in_1&amount=-500', at.note(500), 'request_malformed'],
    ['of a refund that is no number', create, 'invoice=in_1&refund_amount=1e7', at.note(500), 'request_malformed'],
    ['of a refund in a map', create, 'invoice=in_1&refund_amount[x]=1', at.note(500), 'request_malformed'],
    [
      'of a linked refund that is no number',
      create,
      'invoice=in_1&refunds[0][amount_refunded]=5.5',
      at.note(500),
      'request_malformed',
    ],
    [
      'voided',
      'POST /v1/credit_notes/cn_1/void',
      '',
      { 'GET /v1/credit_notes/cn_1': { id: 'cn_1', amount: 700, currency: 'usd' } },
      'USD 7.00',
    ],
    ['with a new memo', 'POST /v1/credit_notes/cn_1', 'memo=x', {}, 'free'],
  ])

  test('belongs to the customer of its invoice', () => {
    expect(explain(create, 'invoice=in_1&amount=1', at.note(1)).explanation.subjects.customers).toEqual(['cus_A'])
  })
})

describe('usage and credit', () => {
  const grant = 'customer=cus_A&amount[type]=monetary&amount[monetary][currency]=usd&amount[monetary][value]='
  const held = {
    'GET /v1/billing/credit_grants/credgr_1': {
      id: 'credgr_1',
      amount: { type: 'monetary', monetary: { value: 4000, currency: 'usd' } },
      customer: 'cus_A',
    },
  }
  priced([
    ['credit counts at its value', 'POST /v1/billing/credit_grants', `${grant}4000`, {}, 'USD 40.00'],
    ['credit that is no number', 'POST /v1/billing/credit_grants', `${grant}1e7`, {}, 'request_malformed'],
    ['credit of no value', 'POST /v1/billing/credit_grants', 'customer=cus_A', {}, 'unpriceable'],
    ['credit that lives longer', 'POST /v1/billing/credit_grants/credgr_1', 'expires_at=1900000000', held, 'USD 40.00'],
    ['credit with new metadata', 'POST /v1/billing/credit_grants/credgr_1', 'metadata[a]=b', {}, 'free'],
    [
      'reported usage',
      'POST /v1/billing/meter_events',
      'event_name=x&payload[value]=1&payload[stripe_customer_id]=cus_A',
      {},
      'unpriceable',
    ],
    ['cancelled usage', 'POST /v1/billing/meter_event_adjustments', 'event_name=x', {}, 'unpriceable'],
    ['usage of the second API', 'POST /v2/billing/meter_events', '', {}, 'unpriceable'],
    ['a billing cadence', 'POST /v2/billing/cadences', '', {}, 'unpriceable'],
  ])

  test('credit that lives longer is money out', () => {
    const { direction, effects } = explain('POST /v1/billing/credit_grants/credgr_1', 'expires_at=', held).explanation
    expect([direction, effects]).toEqual(['out', ['spend']])
  })

  test('usage names the customer it is reported for', () => {
    const form = 'event_name=x&payload[value]=1&payload[stripe_customer_id]=cus_A'
    expect(explain('POST /v1/billing/meter_events', form).explanation.subjects.customers).toEqual(['cus_A'])
  })

  test('a portal that lets somebody confirm an upgrade is refused', () => {
    const form =
      'customer=cus_A&flow_data[type]=subscription_update_confirm&flow_data[subscription_update_confirm][subscription]=sub_1'
    expect(quote('POST /v1/billing_portal/sessions', form)).toBe('unpriceable')
    expect(quote('POST /v1/billing_portal/sessions', 'customer=cus_A')).toBe('free')
  })

  test('a public login page is a way in', () => {
    const effects = (form: string) => explain('POST /v1/billing_portal/configurations', form).explanation.effects
    expect([effects('login_page[enabled]=true'), effects('login_page[enabled]=false')]).toEqual([
      ['credential'],
      undefined,
    ])
  })
})

describe('a card reader', () => {
  const reader = 'POST /v1/terminal/readers/tmr_1'
  const skip = 'payment_intent=pi_1&process_config[skip_tipping]=true'
  const charge = {
    id: 'ch_1',
    object: 'charge',
    amount: 5000,
    amount_refunded: 1000,
    currency: 'usd',
    customer: 'cus_A',
  }
  priced([
    ['takes an intent', `${reader}/process_payment_intent`, skip, at.intent(), 'USD 50.00'],
    [
      'takes an intent and perhaps a tip',
      `${reader}/process_payment_intent`,
      'payment_intent=pi_1',
      at.intent(),
      'unpriceable',
    ],
    [
      'collects',
      `${reader}/collect_payment_method`,
      'payment_intent=pi_1&collect_config[skip_tipping]=true',
      at.intent(),
      'USD 50.00',
    ],
    [
      'confirms',
      `${reader}/confirm_payment_intent`,
      'payment_intent=pi_1',
      at.intent({ amount_received: 4000, amount_capturable: 3500 }),
      'USD 75.00',
    ],
    ['takes nothing known', `${reader}/process_payment_intent`, skip, {}, 'unpriceable'],
    ['takes nothing named', `${reader}/process_payment_intent`, '', {}, 'unpriceable'],
    ['saves a card', `${reader}/process_setup_intent`, 'setup_intent=seti_1&allow_redisplay=always', {}, 'free'],
    [
      'gives back all that is left',
      `${reader}/refund_payment`,
      'charge=ch_1',
      { 'GET /v1/charges/ch_1': charge },
      'USD 40.00',
    ],
    [
      'gives back a part',
      `${reader}/refund_payment`,
      'payment_intent=pi_1&amount=100',
      at.intent({ latest_charge: charge }),
      'USD 1.00',
    ],
    ['gives back what nobody named', `${reader}/refund_payment`, 'amount=100', {}, 'unpriceable'],
    ['gives back two things', `${reader}/refund_payment`, 'charge=ch_1&payment_intent=pi_1', {}, 'request_ambiguous'],
    [
      'gives back by the legacy route',
      'POST /v1/terminal/refunds',
      'charge=ch_1',
      { 'GET /v1/charges/ch_1': charge },
      'USD 40.00',
    ],
    ['shows a cart', `${reader}/set_reader_display`, 'type=cart', {}, 'free'],
  ])

  test('counts with the intent it takes', () => {
    const { explanation } = explain(`${reader}/process_payment_intent`, skip, at.intent({ on_behalf_of: 'acct_O' }))
    expect(explanation.object).toBe('pi_1')
    expect(explanation.subjects).toMatchObject({ customers: ['cus_A'], beneficiaries: ['acct_O'] })
  })
})

describe('whose it is', () => {
  const rows: readonly (readonly [
    request: string,
    form: string,
    replies: Replies,
    expected: readonly string[] | null,
  ])[] = [
    ['GET /v1/subscription_items', 'subscription=sub_1', at.subscription(), ['cus_A']],
    ['GET /v1/subscription_items', '', {}, null],
    ['GET /v1/subscription_items/si_1', '', { ...at.item, ...at.subscription() }, ['cus_A']],
    ['GET /v1/invoice_payments', 'invoice=in_1', at.invoice(), ['cus_A']],
    ['GET /v1/invoices/in_1/lines', '', at.invoice(), ['cus_A']],
    ['GET /v1/credit_notes/preview', 'invoice=in_1', at.invoice(), ['cus_A']],
    ['GET /v1/quotes/qt_1/pdf', '', at.quote(), ['cus_A']],
    ['GET /v1/subscription_schedules/sub_sched_1', '', at.schedule(), ['cus_A']],
    ['GET /v1/billing/credit_grants', 'customer=cus_A', {}, ['cus_A']],
    [
      'GET /v1/billing/credit_balance_transactions/cbtxn_1',
      '',
      {
        'GET /v1/billing/credit_balance_transactions/cbtxn_1': { id: 'cbtxn_1', credit_grant: 'credgr_1' },
        'GET /v1/billing/credit_grants/credgr_1': { id: 'credgr_1', customer: 'cus_A' },
      },
      ['cus_A'],
    ],
    ['POST /v1/billing/alerts', 'title=x&usage_threshold[filters][0][customer]=cus_A', {}, ['cus_A']],
    ['GET /v1/billing/meters/mtr_1/event_summaries', 'customer=cus_A', {}, ['cus_A']],
    [
      'GET /v1/identity/verification_sessions/vs_1',
      '',
      { 'GET /v1/identity/verification_sessions/vs_1': { id: 'vs_1', related_customer: 'cus_A' } },
      ['cus_A'],
    ],
    ['GET /v1/identity/verification_sessions', 'related_customer=cus_A', {}, ['cus_A']],
    [
      'GET /v1/identity/verification_reports/vr_1',
      '',
      {
        'GET /v1/identity/verification_reports/vr_1': { id: 'vr_1', verification_session: 'vs_1' },
        'GET /v1/identity/verification_sessions/vs_1': { id: 'vs_1', related_customer: 'cus_A' },
      },
      ['cus_A'],
    ],
    [
      'POST /v1/reviews/prv_1/approve',
      '',
      {
        'GET /v1/reviews/prv_1': { id: 'prv_1', charge: null, payment_intent: 'pi_1' },
        ...at.intent(),
      },
      ['cus_A'],
    ],
    [
      'GET /v1/radar/early_fraud_warnings/issfr_1',
      '',
      {
        'GET /v1/radar/early_fraud_warnings/issfr_1': { id: 'issfr_1', charge: 'ch_1' },
        'GET /v1/charges/ch_1': { id: 'ch_1', customer: 'cus_A' },
      },
      ['cus_A'],
    ],
    ['POST /v1/radar/payment_evaluations', 'customer_details[customer]=cus_A', {}, ['cus_A']],
    ['POST /v1/test_helpers/customers/cus_A/fund_cash_balance', 'amount=1&currency=usd', {}, ['cus_A']],
    ['POST /v1/reporting/report_runs', 'report_type=x', {}, null],
    ['GET /v1/reviews', '', {}, null],
  ]
  test.each(rows)('%s %s', (request, form, replies, expected) => {
    expect(explain(request, form, replies, { customers: true }).explanation.subjects.customers).toEqual(expected)
  })
})

describe('secrets', () => {
  test.each([
    ['POST /v1/billing_portal/sessions', ['url']],
    ['POST /v1/terminal/connection_tokens', ['secret']],
    ['POST /v1/terminal/onboarding_links', ['redirect_url']],
    ['POST /v1/identity/verification_sessions', ['client_secret', 'url']],
    ['GET /v1/identity/verification_sessions', ['client_secret', 'url']],
    ['GET /v1/billing_portal/configurations/bpc_1', ['login_page']],
    ['POST /v1/invoices/in_1/finalize', ['client_secret', 'confirmation_secret']],
    ['POST /v1/subscriptions', ['client_secret', 'confirmation_secret']],
    ['POST /v1/invoices/in_1', ['client_secret', 'confirmation_secret', 'hosted_invoice_url', 'invoice_pdf']],
    ['POST /v2/billing/meter_event_session', ['authentication_token']],
    ['POST /v2/data/databases/db_1/users', ['password']],
  ])('are taken out of the reply of %s', (request, names) => {
    expect(ask(request).operation.reveals).toEqual(expect.arrayContaining(names))
  })

  test.each(['finalize', 'pay', 'send'])('leave the page of an invoice that %s counts', (call) => {
    expect(ask(`POST /v1/invoices/in_1/${call}`).operation.reveals).not.toContain('hosted_invoice_url')
  })

  test('that work past spendgate are never made', () => {
    const never = operations.filter(({ id, never: why }) => /^v2\.(billing|data)\./.test(id) && why !== undefined)
    expect(never.map(({ id }) => id)).toEqual([
      'v2.billing.meter_event_session.create',
      'v2.data.databases.create',
      'v2.data.databases.create_user',
    ])
  })
})

const MINE =
  /^\/v1\/(billing|billing_portal|credit_notes|entitlements|identity|invoice_payments|invoice_rendering_templates|invoiceitems|invoices|quotes|radar|reporting|reviews|sigma|subscription_items|subscription_schedules|subscriptions|terminal|test_helpers)(\/|$)|^\/v2\/(billing|data|test_helpers)\//

describe('every operation of billing, terminals, risk and reports', () => {
  const listed = (
    JSON.parse(readFileSync(new URL('../../fixtures/catalogues/stripe-operations.json', import.meta.url), 'utf8')) as {
      method: string
      path: string
    }[]
  ).filter(({ path }) => MINE.test(path))
  const mine = operations.filter(({ routes }) => routes.some((route) => MINE.test(route.split(' ')[1]!)))

  test('that the lists name is known', () => {
    const shape = (route: string) => route.replaceAll(/\{[^}]*\}/g, '{}')
    const known = new Set(mine.flatMap(({ routes }) => routes.map(shape)))
    expect(listed.length).toBeGreaterThan(150)
    expect(listed.map(({ method, path }) => shape(`${method} ${path}`)).filter((route) => !known.has(route))).toEqual(
      [],
    )
  })

  test('that can move money and moves none says why', () => {
    const silent = mine
      .filter(({ effect }) => effect === 'spend' || effect === 'future_spend')
      .filter(({ routes }) => {
        const [method, path] = routes[0].split(' ') as [string, string]
        const { explanation } = explain(`${method} ${path.replaceAll(/\{[^}]*\}/g, 'x_1')}`)
        return explanation.quote.basis === 'free' && !explanation.quote.why
      })
    expect(silent.map(({ id }) => id)).toEqual([])
  })

  test('that only changes or ends something says why that costs nothing', () => {
    const silent = mine.filter(
      ({ effect, why, weaker, accepts }) =>
        (effect === 'write' || effect === 'destructive') && !why && !weaker && accepts === undefined,
    )
    expect(silent.map(({ id }) => id)).toEqual([])
  })
})

/** Parameters stripe-node 23 knows and we leave out, with the reason in vendors/stripe/README.md. */
const SDK: readonly (readonly [id: string, file: string, name: string, leftOut?: readonly string[]])[] = [
  ['subscriptions.pause', 'Subscriptions', 'SubscriptionPauseParams'],
  ['subscriptions.resume', 'Subscriptions', 'SubscriptionResumeParams'],
  ['subscriptions.migrate', 'Subscriptions', 'SubscriptionMigrateParams'],
  [
    'subscription_items.create',
    'SubscriptionItems',
    'SubscriptionItemCreateParams',
    ['billing_thresholds', 'current_trial'],
  ],
  [
    'subscription_items.update',
    'SubscriptionItems',
    'SubscriptionItemUpdateParams',
    ['billing_thresholds', 'current_trial'],
  ],
  ['subscription_items.delete', 'SubscriptionItems', 'SubscriptionItemDeleteParams'],
  [
    'subscription_schedules.create',
    'SubscriptionSchedules',
    'SubscriptionScheduleCreateParams',
    ['customer_account', 'pause_schedules'],
  ],
  ['subscription_schedules.update', 'SubscriptionSchedules', 'SubscriptionScheduleUpdateParams', ['pause_schedules']],
  ['subscription_schedules.cancel', 'SubscriptionSchedules', 'SubscriptionScheduleCancelParams'],
  ['subscription_schedules.release', 'SubscriptionSchedules', 'SubscriptionScheduleReleaseParams'],
  ['quotes.create', 'Quotes', 'QuoteCreateParams', ['customer_account', 'from_quote']],
  ['quotes.update', 'Quotes', 'QuoteUpdateParams', ['customer_account']],
  ['quotes.finalize', 'Quotes', 'QuoteFinalizeQuoteParams'],
  ['quotes.accept', 'Quotes', 'QuoteAcceptParams'],
  ['invoices.add_lines', 'Invoices', 'InvoiceAddLinesParams'],
  ['invoices.update_lines', 'Invoices', 'InvoiceUpdateLinesParams'],
  ['invoices.remove_lines', 'Invoices', 'InvoiceRemoveLinesParams'],
  ['invoices.update_line_item', 'Invoices', 'InvoiceUpdateLineItemParams'],
  ['invoices.attach_payment', 'Invoices', 'InvoiceAttachPaymentParams'],
  ['credit_notes.create', 'CreditNotes', 'CreditNoteCreateParams'],
  ['billing.credit_grants.create', 'Billing/CreditGrants', 'CreditGrantCreateParams', ['customer_account']],
  ['billing.credit_grants.update', 'Billing/CreditGrants', 'CreditGrantUpdateParams'],
  ['billing.meter_events.create', 'Billing/MeterEvents', 'MeterEventCreateParams'],
  ['billing.meter_event_adjustments.create', 'Billing/MeterEventAdjustments', 'MeterEventAdjustmentCreateParams'],
  [
    'billing_portal.sessions.create',
    'BillingPortal/Sessions',
    'SessionCreateParams',
    ['after_expiration', 'customer_account'],
  ],
  ['billing_portal.configurations.update', 'BillingPortal/Configurations', 'ConfigurationUpdateParams'],
  ['terminal.readers.process_payment_intent', 'Terminal/Readers', 'ReaderProcessPaymentIntentParams'],
  ['terminal.readers.confirm_payment_intent', 'Terminal/Readers', 'ReaderConfirmPaymentIntentParams'],
  ['terminal.readers.collect_payment_method', 'Terminal/Readers', 'ReaderCollectPaymentMethodParams'],
  ['terminal.readers.process_setup_intent', 'Terminal/Readers', 'ReaderProcessSetupIntentParams'],
  ['terminal.readers.refund_payment', 'Terminal/Readers', 'ReaderRefundPaymentParams'],
  ['v2.billing.meter_events.create', 'V2/Billing/MeterEvents', 'MeterEventCreateParams'],
  ['v2.billing.meter_event_adjustments.create', 'V2/Billing/MeterEventAdjustments', 'MeterEventAdjustmentCreateParams'],
  ['v2.billing.meter_event_stream.create', 'V2/Billing/MeterEventStream', 'MeterEventStreamCreateParams'],
]

describe('the parameters', () => {
  const rows = SDK.map(([id, file, name, leftOut]) => ({ id, file, name, leftOut: leftOut ?? [] }))
  test.each(rows)('of $id are those the SDK declares, less the ones left out', ({ id, file, name, leftOut }) => {
    const accepts = new Set(operations.find((operation) => operation.id === id)!.accepts)
    const missing = declared(file, name).filter((param) => !accepts.has(param))
    expect(missing.sort()).toEqual(leftOut)
  })
})

/** Top-level fields of an interface in the SDK's declarations. */
function declared(file: string, name: string): string[] {
  const url = new URL(`../../node_modules/stripe/esm/resources/${file}.d.ts`, import.meta.url)
  const source = readFileSync(url, 'utf8').replaceAll(/\/\*[^]*?\*\//g, '')
  const [, outer, body] = new RegExp(`^( *)(?:export )?interface ${name} \\{\\n([^]*?)^\\1\\}`, 'm').exec(source)!
  return [...body!.matchAll(new RegExp(`^${outer} {4}(\\w+)\\??:`, 'gm'))].map((found) => found[1]!)
}
