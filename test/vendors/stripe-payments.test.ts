import { describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { operations } from '../../vendors/stripe/operations/index.js'
import { ask, explain, outcome, type Replies, type Setting } from './stripe-ask.js'

/** `USD 12.00`, `free`, `unpriceable`, or the code of a refusal. */
function quote(request: string, form = '', replies: Replies = {}, setting: Setting = {}): string {
  const { explanation } = explain(request, form, replies, setting)
  if (explanation.refuse) return explanation.refuse.code
  const basis = explanation.quote.basis
  return basis === 'free' || basis === 'unpriceable' ? basis : `USD ${formatUsd(explanation.quote.amount)}`
}

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
const intentAt = (fields?: JsonObject): Replies => ({ 'GET /v1/payment_intents/pi_1': intent(fields) })
const PI = 'POST /v1/payment_intents/pi_1'

describe('an intent that others than us complete', () => {
  test.each([
    ['apply_customer_balance', '', 'USD 50.00'],
    ['apply_customer_balance', 'amount=700&currency=usd', 'USD 50.00'],
    ['verify_microdeposits', 'amounts[0]=32&amounts[1]=45', 'USD 50.00'],
    ['verify_microdeposits', 'descriptor_code=SM11AA', 'USD 50.00'],
  ])('%s with %j counts the whole intent', (call, form, expected) => {
    expect(quote(`${PI}/${call}`, form, intentAt())).toBe(expected)
    expect(quote(`${PI}/${call}`, form)).toBe('unpriceable')
  })

  test('is lowered without a cost and without giving back what was not captured yet', () => {
    expect(quote(`${PI}/decrement_authorization`, 'amount=100')).toBe('free')
    expect(outcome(`${PI}/decrement_authorization`, 'amount=100', intent({ amount: 100 }))).toBeUndefined()
  })

  test('is open from its creation until it is over', () => {
    const create = ['POST /v1/payment_intents', 'amount=5000&currency=usd'] as const
    const { commits } = explain(...create).explanation
    expect(commits).toEqual({ kind: 'open', perMonth: 0n, dueAt: null, quantity: 1n })
    expect(outcome(...create, intent())).toEqual({ object: 'pi_1', total: 50_000_000n })
    expect(outcome(...create, intent({ status: 'succeeded', amount_received: 5000 }))).toEqual({
      amount: 50_000_000n,
      commitment: 'pi_1',
      ends: 'pi_1',
    })
  })

  test.each([
    ['confirm', 'requires_action', undefined],
    ['confirm', 'requires_capture', undefined],
    ['confirm', 'processing', undefined],
    ['confirm', 'succeeded', 'pi_1'],
    ['capture', 'succeeded', 'pi_1'],
    ['capture', 'requires_capture', undefined],
    ['cancel', 'canceled', 'pi_1'],
    ['increment_authorization', 'requires_capture', undefined],
  ])('%s that leaves it %s ends %s', (call, status, ends) => {
    expect(outcome(`${PI}/${call}`, '', intent({ status }), intentAt())?.ends).toBe(ends)
  })

  test.each(['customer.subscriptions.data.latest_invoice', 'customer.default_source'])(
    'shows its own secret, and none that expand %s could bring',
    (path) => {
      expect(quote('POST /v1/payment_intents', `amount=5&currency=usd&expand[]=${path}`)).toBe('request_malformed')
      expect(quote(`${PI}/confirm`, `expand[0]=${path}`, intentAt())).toBe('request_malformed')
      expect(quote(`${PI}/confirm`, `expand=${path}`, intentAt())).toBe('request_malformed')
      expect(quote('POST /v1/checkout/sessions', `mode=setup&expand[]=${path}`)).toBe('request_malformed')
      const harmless = 'amount=500&currency=usd&expand[]=latest_charge&expand[]=customer.invoice_settings'
      expect(quote('POST /v1/payment_intents', harmless)).toBe('USD 5.00')
    },
  )

  test('stays the same commitment whoever goes on with it', () => {
    expect(explain(`${PI}/confirm`, '', intentAt()).explanation.commits?.object).toBe('pi_1')
    expect(explain(PI, 'amount=100', intentAt()).explanation.commits?.object).toBe('pi_1')
    expect(explain(PI, 'description=x', intentAt()).explanation.commits).toBeUndefined()
  })

  test('as a charge is open only where it is not captured', () => {
    const form = 'amount=5000&currency=usd&source=tok_1'
    expect(explain('POST /v1/charges', form).explanation.commits).toBeUndefined()
    expect(explain('POST /v1/charges', `${form}&capture=false`).explanation.commits?.kind).toBe('open')
    const charge = { id: 'ch_1', object: 'charge', amount: 5000, amount_captured: 5000, currency: 'usd', customer: 'c' }
    const replies = { 'GET /v1/charges/ch_1': charge }
    expect(outcome('POST /v1/charges/ch_1/capture', '', charge, replies)?.ends).toBe('ch_1')
  })
})

describe('what is free although it belongs to an operation that costs', () => {
  const rows: readonly (readonly [string, string, Replies])[] = [
    [PI, 'description=x', intentAt()],
    ['POST /v1/payment_links/plink_1', 'active=false', {}],
    ['POST /v1/payment_links/plink_1', 'metadata[a]=b', {}],
    ['POST /v1/checkout/sessions', 'mode=setup&customer=cus_A&currency=usd', {}],
    ['POST /v1/checkout/sessions/cs_1', 'metadata[a]=b', {}],
    ['POST /v1/setup_intents', 'customer=cus_A&confirm=true&usage=off_session', {}],
    ['POST /v1/setup_intents/seti_1/confirm', '', {}],
    ['POST /v1/setup_intents/seti_1/verify_microdeposits', 'amounts[0]=32', {}],
    ['POST /v1/sources', 'type=ach_credit_transfer&currency=usd', {}],
    ['POST /v1/promotion_codes/promo_1', 'active=false', {}],
    ['POST /v1/orders/or_1', 'description=x', {}],
    ['POST /v1/prices/price_1', 'active=true', {}],
  ]
  test.each(rows)('%s with %s says why', (request, form, replies) => {
    const { quote } = explain(request, form, replies).explanation
    expect(quote.basis).toBe('free')
    expect(quote).toHaveProperty('why', expect.stringMatching(/^[A-Z].{20,}\.$/))
  })
})

describe('disputes by their charge', () => {
  const dispute = { id: 'dp_1', object: 'dispute', amount: 2500, currency: 'usd', charge: 'ch_1' }
  const at = { 'GET /v1/charges/ch_1/dispute': dispute }

  test('closing one costs what is disputed', () => {
    const { explanation, lookUps } = explain('POST /v1/charges/ch_1/dispute/close', '', at)
    expect(explanation.quote).toEqual({ basis: 'exact', amount: 25_000_000n })
    expect(lookUps).toEqual(['GET /v1/charges/ch_1/dispute'])
    expect(ask('POST /v1/charges/ch_1/dispute/close').operation.id).toBe('disputes.close')
  })

  test('closing one of another charge, or of none, is refused', () => {
    const other = { 'GET /v1/charges/ch_1/dispute': { ...dispute, charge: 'ch_2' } }
    expect(quote('POST /v1/charges/ch_1/dispute/close', '', other)).toBe('unpriceable')
    expect(quote('POST /v1/charges/ch_1/dispute/close')).toBe('unpriceable')
  })

  test('concern the customer of the charge', () => {
    const expanded = { ...dispute, charge: { id: 'ch_1', object: 'charge', customer: 'cus_A' } }
    const replies = {
      'GET /v1/charges/ch_1/dispute': expanded,
      'GET /v1/charges/ch_1': { id: 'ch_1', object: 'charge', customer: 'cus_A' },
    }
    for (const request of [
      'POST /v1/charges/ch_1/dispute/close',
      'POST /v1/charges/ch_1/dispute',
      'GET /v1/charges/ch_1/dispute',
      'GET /v1/charges/ch_1/refunds',
    ]) {
      expect(explain(request, '', replies, { customers: true }).explanation.subjects.customers).toEqual(['cus_A'])
    }
  })
})

describe('the balance of a customer', () => {
  const book = 'POST /v1/customers/cus_A/balance_transactions'
  test.each([
    ['amount=-9999900&currency=usd', 'USD 99999.00', 'out'],
    ['amount=500&currency=usd', 'USD 5.00', 'in'],
    ['amount=-500&currency=jpy', 'USD 3.3475', 'out'],
    ['currency=usd', 'unpriceable', 'in'],
    ['amount=--5&currency=usd', 'request_malformed', undefined],
    ['amount=-0&currency=usd', 'request_malformed', undefined],
  ])('%s counts %s, going %s', (form, expected, direction) => {
    expect(quote(book, form)).toBe(expected)
    expect(explain(book, form).explanation.direction).toBe(direction)
  })

  test('everything below a customer concerns that customer, without a look-up', () => {
    const below = operations.flatMap(({ routes }) =>
      routes.filter(
        (route) => /\/v1\/customers\/\{customer\}\/(?!subscriptions)/.test(route) && !route.startsWith('GET'),
      ),
    )
    expect(below.length).toBeGreaterThan(15)
    for (const route of below) {
      const request = route.replace('{customer}', 'cus_A').replaceAll(/\{\w+\}/g, 'x_1')
      const { explanation, lookUps } = explain(request, '', {}, { customers: true })
      expect([request, explanation.subjects.customers, lookUps]).toEqual([request, ['cus_A'], []])
    }
  })
})

describe('tiers', () => {
  const tier = (up_to: number | null, unit: string, flat?: string): JsonObject => ({
    up_to,
    unit_amount: null,
    unit_amount_decimal: unit,
    flat_amount: null,
    flat_amount_decimal: flat ?? null,
  })
  const price = (tiers_mode: string, tiers: JsonObject[], fields: JsonObject = {}): Replies => ({
    'GET /v1/prices/price_1': {
      id: 'price_1',
      object: 'price',
      billing_scheme: 'tiered',
      currency: 'usd',
      unit_amount: null,
      unit_amount_decimal: null,
      tiers_mode,
      tiers,
      ...fields,
    },
  })
  const session = (quantity: string, more = ''): string =>
    `mode=payment&line_items[0][price]=price_1&line_items[0][quantity]=${quantity}${more}`
  const upTo = (maximum: number): string =>
    `&line_items[0][adjustable_quantity][enabled]=true&line_items[0][adjustable_quantity][maximum]=${maximum}`
  const steps = [tier(10, '100', '500'), tier(20, '80'), tier(null, '50.5', '1000')]

  test.each([
    // Ten at 1.00 and 5.00 for the first tier; then 0.80; then 0.505 and 10.00 for the third.
    ['graduated', '1', '', 'USD 6.00'],
    ['graduated', '10', '', 'USD 15.00'],
    ['graduated', '11', '', 'USD 15.80'],
    ['graduated', '20', '', 'USD 23.00'],
    ['graduated', '21', '', 'USD 33.51'],
    ['graduated', '0', '', 'USD 6.00'],
    ['volume', '10', '', 'USD 15.00'],
    ['volume', '11', '', 'USD 8.80'],
    ['volume', '20', '', 'USD 16.00'],
    ['volume', '21', '', 'USD 20.61'],
    // A buyer who may take fewer may take what costs more.
    ['volume', '1', upTo(11), 'USD 15.00'],
    ['volume', '1', upTo(21), 'USD 20.61'],
    ['graduated', '1', upTo(20), 'USD 23.00'],
  ])('%s, %s%s: %s', (mode, quantity, more, expected) => {
    expect(quote('POST /v1/checkout/sessions', session(quantity, more), price(mode, steps))).toBe(expected)
  })

  test.each([
    ['without tiers in the reply', price('graduated', [])],
    ['of an unknown mode', price('spiral', steps)],
    ['with an end', price('volume', [tier(10, '100')])],
    ['out of order', price('volume', [tier(10, '1'), tier(5, '1'), tier(null, '1')])],
    ['below zero', price('graduated', [tier(null, '-1')])],
    ['without an amount', price('graduated', [{ up_to: null }])],
    ['by usage', price('graduated', steps, { recurring: { interval: 'month', usage_type: 'metered' } })],
    ['in a currency without tiers', price('graduated', steps, { currency_options: { eur: { unit_amount: null } } })],
  ])('%s are not priced', (_name, replies) => {
    expect(quote('POST /v1/checkout/sessions', session('1'), replies)).toBe('unpriceable')
  })

  test('in the currency the request settles are', () => {
    const replies = price('graduated', steps, { currency_options: { eur: { unit_amount: null } } })
    expect(quote('POST /v1/checkout/sessions', session('1', '&currency=usd'), replies)).toBe('USD 6.00')
  })

  test('of a link count as often as it can be paid', () => {
    const form = 'line_items[0][price]=price_1&line_items[0][quantity]=1&restrictions[completed_sessions][limit]=3'
    expect(quote('POST /v1/payment_links', form, price('graduated', steps))).toBe('USD 18.00')
  })
})

describe('pages that sell', () => {
  const inline =
    'line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=100' +
    '&line_items[0][price_data][product]=p&line_items[0][quantity]=1'

  test('a link can be paid without limit unless it has one', () => {
    const quantity = (more: string) => explain('POST /v1/payment_links', inline + more).explanation.commits?.quantity
    expect(quantity('')).toBeNull()
    expect(quantity('&restrictions[completed_sessions][limit]=7')).toBe(7n)
  })

  test('a link that is re-opened says which, and one that is closed has ended', () => {
    const link = {
      id: 'plink_1',
      object: 'payment_link',
      restrictions: { completed_sessions: { limit: 3 } },
      line_items: {
        has_more: false,
        data: [{ id: 'li_1', quantity: 1, price: { id: 'price_1', currency: 'usd', unit_amount: 100 } }],
      },
    }
    const replies = { 'GET /v1/payment_links/plink_1': link }
    const { commits } = explain('POST /v1/payment_links/plink_1', 'active=true', replies).explanation
    expect(commits).toEqual({ kind: 'open', perMonth: 0n, dueAt: null, quantity: 3n, object: 'plink_1' })
    const close = ['POST /v1/payment_links/plink_1', 'active=false'] as const
    expect(outcome(...close, { id: 'plink_1', active: false })).toEqual({ ends: 'plink_1' })
  })

  test('a session can be completed once, and an expired one has ended', () => {
    expect(explain('POST /v1/checkout/sessions', `mode=payment&${inline}`).explanation.commits?.quantity).toBe(1n)
    const expired = { id: 'cs_1', status: 'expired', payment_status: 'unpaid' }
    expect(outcome('POST /v1/checkout/sessions/cs_1/expire', '', expired)?.ends).toBe('cs_1')
  })

  const session = (fields: JsonObject = {}): Replies => ({
    'GET /v1/checkout/sessions/cs_1': {
      id: 'cs_1',
      object: 'checkout.session',
      currency: 'usd',
      customer: 'cus_A',
      automatic_tax: { enabled: false },
      shipping_options: [],
      line_items: {
        has_more: false,
        data: [{ id: 'li_1', quantity: 2, price: { id: 'price_1', currency: 'usd', unit_amount: 300 } }],
      },
      ...fields,
    },
  })
  const update = 'POST /v1/checkout/sessions/cs_1'
  test.each([
    ['a line as it is', 'line_items[0][id]=li_1', session(), 'USD 6.00'],
    ['a larger quantity', 'line_items[0][id]=li_1&line_items[0][quantity]=100', session(), 'USD 300.00'],
    ['a line beside it', `${inline}&line_items[1][id]=li_1`, session(), 'USD 7.00'],
    ['a line it does not have', 'line_items[0][id]=li_9', session(), 'unpriceable'],
    ['shipping', 'shipping_options[0][shipping_rate]=shr_1', session(), 'unpriceable'],
    ['tax', 'line_items[0][id]=li_1', session({ automatic_tax: { enabled: true } }), 'unpriceable'],
    ['where the money goes', 'payment_intent_data[description]=x', session(), 'USD 6.00'],
    ['a session that is not there', 'line_items[0][id]=li_1', {}, 'unpriceable'],
  ] as const)('a session updated with %s', (_name, form, replies, expected) => {
    expect(quote(update, form, replies)).toBe(expected)
  })

  test('a session that is updated is the same object', () => {
    const { explanation } = explain(update, 'line_items[0][id]=li_1', session())
    expect(explanation.object).toBe('cs_1')
    expect(explanation.subjects.customers).toEqual(['cus_A'])
  })
})

describe('saving a payment method', () => {
  test('is open until it has succeeded', () => {
    const create = ['POST /v1/setup_intents', 'customer=cus_A'] as const
    expect(explain(...create).explanation.commits?.kind).toBe('open')
    expect(outcome(...create, { id: 'seti_1', status: 'requires_payment_method' })).toEqual({ commitment: 'seti_1' })
    expect(outcome(...create, { id: 'seti_1', status: 'succeeded' })).toEqual({ commitment: 'seti_1', ends: 'seti_1' })
    expect(outcome('POST /v1/setup_intents/seti_1/cancel', '', { id: 'seti_1', status: 'canceled' })).toEqual({
      commitment: 'seti_1',
      ends: 'seti_1',
    })
  })
})

describe('promotion codes', () => {
  const coupon = (fields: JsonObject = {}): Replies => ({
    'GET /v1/coupons/X': {
      id: 'X',
      object: 'coupon',
      amount_off: 500,
      currency: 'usd',
      duration: 'once',
      max_redemptions: null,
      percent_off: null,
      ...fields,
    },
  })
  const code = (fields: JsonObject = {}): Replies => ({
    'GET /v1/promotion_codes/promo_1': {
      id: 'promo_1',
      object: 'promotion_code',
      customer: null,
      max_redemptions: 4,
      promotion: { type: 'coupon', coupon: 'X' },
      ...fields,
    },
  })
  const create = 'promotion[type]=coupon&promotion[coupon]=X'
  test.each([
    ['as often as the code allows', `${create}&max_redemptions=3`, coupon(), 'USD 15.00'],
    ['as often as the coupon allows', create, coupon({ max_redemptions: 2 }), 'USD 10.00'],
    ['as often as both allow', `${create}&max_redemptions=3`, coupon({ max_redemptions: 2 }), 'USD 10.00'],
    [
      'in its dearest currency',
      `${create}&max_redemptions=1`,
      coupon({ currency_options: { eur: { amount_off: 1000 } } }),
      'USD 11.33',
    ],
    ['without limit', create, coupon(), 'unpriceable'],
    ['a percentage', `${create}&max_redemptions=1`, coupon({ amount_off: null, percent_off: 100 }), 'unpriceable'],
    ['again and again', `${create}&max_redemptions=1`, coupon({ duration: 'forever' }), 'unpriceable'],
    ['a coupon that is not there', `${create}&max_redemptions=1`, {}, 'unpriceable'],
    ['no coupon', 'max_redemptions=1', {}, 'unpriceable'],
  ])('give away %s', (_name, form, replies, expected) => {
    expect(quote('POST /v1/promotion_codes', form, replies)).toBe(expected)
  })

  test.each([
    ['re-opened', 'active=true', { ...code(), ...coupon() }, 'USD 20.00'],
    ['widened', 'restrictions[minimum_amount]=1', { ...code(), ...coupon() }, 'USD 20.00'],
    ['closed', 'active=false', {}, 'free'],
    ['re-opened, of an unknown coupon', 'active=true', code(), 'unpriceable'],
  ])('%s', (_name, form, replies, expected) => {
    expect(quote('POST /v1/promotion_codes/promo_1', form, replies)).toBe(expected)
  })

  test('are open, and end when they are closed', () => {
    const { commits } = explain('POST /v1/promotion_codes', `${create}&max_redemptions=3`, coupon()).explanation
    expect(commits?.quantity).toBe(3n)
    const closed = outcome('POST /v1/promotion_codes/promo_1', 'active=false', { id: 'promo_1', active: false })
    expect(closed).toEqual({ ends: 'promo_1' })
  })
})

describe('climate orders', () => {
  const product: Replies = {
    'GET /v1/climate/products/climsku_1': {
      id: 'climsku_1',
      object: 'climate.product',
      current_prices_per_metric_ton: { usd: { amount_fees: 300, amount_subtotal: 10000, amount_total: 10300 } },
    },
    'GET /v1/account': { id: 'acct_1', default_currency: 'usd' },
  }
  test.each([
    ['tons', 'product=climsku_1&metric_tons=1.5&currency=usd', 'USD 154.50'],
    ['a part of a ton', 'product=climsku_1&metric_tons=0.00001&currency=usd', 'USD 0.01'],
    ['an amount, with fees', 'product=climsku_1&amount=1000&currency=usd', 'USD 10.30'],
    ['in the account’s currency', 'product=climsku_1&metric_tons=2', 'USD 206.00'],
    ['in a currency without a price', 'product=climsku_1&amount=1000&currency=eur', 'unpriceable'],
    ['both', 'product=climsku_1&amount=1000&metric_tons=1&currency=usd', 'unpriceable'],
    ['neither', 'product=climsku_1&currency=usd', 'unpriceable'],
    ['of an unknown product', 'product=climsku_9&amount=1&currency=usd', 'unpriceable'],
    ['tons that are no number', 'product=climsku_1&metric_tons=1e9&currency=usd', 'request_malformed'],
  ])('of %s', (_name, form, expected) => {
    expect(quote('POST /v1/climate/orders', form, product)).toBe(expected)
  })

  test('go out and cost what the reply says, if it is more', () => {
    const form = 'product=climsku_1&metric_tons=1&currency=usd'
    expect(explain('POST /v1/climate/orders', form, product).explanation.direction).toBe('out')
    const reply = { id: 'climorder_1', amount_total: 10400, currency: 'usd' }
    expect(outcome('POST /v1/climate/orders', form, reply, product)).toEqual({ amount: 104_000_000n })
  })
})

describe('orders and other things of older versions', () => {
  const order = (fields: JsonObject = {}): Replies => ({
    'GET /v1/orders/or_1': { id: 'or_1', object: 'order', amount: 1500, currency: 'usd', customer: 'cus_A', ...fields },
  })
  test.each([
    ['pay', 'POST /v1/orders/or_1/pay', 'source=tok_1', order(), 'USD 15.00'],
    ['pay what is not there', 'POST /v1/orders/or_1/pay', '', {}, 'unpriceable'],
    ['submit', 'POST /v1/orders/or_1/submit', 'expected_total=1500', order({ amount_total: 1500 }), 'USD 15.00'],
    ['return all', 'POST /v1/orders/or_1/returns', '', order(), 'USD 15.00'],
    ['3-D Secure', 'POST /v1/3d_secure', 'amount=1500&currency=usd&customer=cus_A&card=card_1', {}, 'USD 15.00'],
    ['3-D Secure of nothing', 'POST /v1/3d_secure', 'card=card_1', {}, 'unpriceable'],
    [
      'an order',
      'POST /v1/orders',
      'currency=usd&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=700' +
        '&line_items[0][price_data][product]=p&line_items[0][quantity]=2',
      {},
      'USD 14.00',
    ],
    ['an order of a product', 'POST /v1/orders', 'currency=usd&line_items[0][product]=prod_1', {}, 'unpriceable'],
    ['an order of nothing', 'POST /v1/orders', 'currency=usd', {}, 'unpriceable'],
  ] as const)('%s', (_name, request, form, replies, expected) => {
    expect(quote(request, form, replies)).toBe(expected)
  })

  test('paying an order concerns its customer and the one that is named', () => {
    const { explanation } = explain('POST /v1/orders/or_1/pay', 'customer=cus_B', order())
    expect(explanation.subjects.customers).toEqual(['cus_A', 'cus_B'])
    expect(explanation.object).toBe('or_1')
  })

  test.each([
    ['bank_account=btok_1', ['btok_1']],
    ['bank_account[account_number]=1&bank_account[country]=US', ['new']],
    ['card=tok_1', ['tok_1']],
    ['name=x', undefined],
  ])('a recipient with %s is paid through %j', (form, beneficiaries) => {
    expect(explain('POST /v1/recipients', form).explanation.subjects.beneficiaries).toEqual(beneficiaries)
  })

  test('need the preview permission where Stripe has them in a preview only', () => {
    const previews = operations.filter(({ id, preview }) => preview && /^(orders|payment_intents)\./.test(id))
    expect(previews.map(({ id }) => id).sort()).toEqual([
      'orders.create',
      'orders.submit',
      'orders.update',
      'payment_intents.decrement_authorization',
    ])
  })
})

describe('whose object it is', () => {
  const replies: Replies = {
    'GET /v1/payment_methods/pm_1': { id: 'pm_1', object: 'payment_method', customer: 'cus_A' },
    'GET /v1/setup_intents/seti_1': { id: 'seti_1', object: 'setup_intent', customer: 'cus_A' },
    'GET /v1/mandates/mandate_1': { id: 'mandate_1', object: 'mandate', payment_method: 'pm_1' },
    'GET /v1/payment_records/pr_1': { id: 'pr_1', object: 'payment_record', customer_details: { customer: 'cus_A' } },
    'GET /v1/tax_ids/txi_1': { id: 'txi_1', object: 'tax_id', customer: 'cus_A' },
    'GET /v1/tax/calculations/taxcalc_1': { id: 'taxcalc_1', object: 'tax.calculation', customer: 'cus_A' },
    'GET /v1/payment_intents/pi_1': intent(),
  }
  test.each([
    ['GET /v1/payment_methods/pm_1', '', ['cus_A']],
    ['POST /v1/payment_methods/pm_1/detach', '', ['cus_A']],
    ['POST /v1/payment_methods', 'payment_method=pm_1', ['cus_A']],
    ['POST /v1/payment_methods', 'payment_method=pm_1&customer=cus_B', ['cus_A', 'cus_B']],
    ['POST /v1/payment_methods', 'type=card', null],
    ['POST /v1/payment_methods/pm_9/attach', 'customer=cus_B', ['cus_B']],
    ['POST /v1/setup_intents/seti_1/confirm', '', ['cus_A']],
    ['POST /v1/setup_intents/seti_1', 'customer=cus_B', ['cus_A', 'cus_B']],
    ['GET /v1/setup_attempts', 'setup_intent=seti_1', ['cus_A']],
    ['GET /v1/setup_attempts', '', null],
    ['GET /v1/mandates/mandate_1', '', ['cus_A']],
    ['POST /v1/payment_records/pr_1/report_refund', 'amount[value]=5&amount[currency]=usd', ['cus_A']],
    ['POST /v1/payment_records/report_payment', 'customer_details[customer]=cus_B', ['cus_B']],
    ['GET /v1/payment_attempt_records', 'payment_record=pr_1', ['cus_A']],
    ['DELETE /v1/tax_ids/txi_1', '', ['cus_A']],
    ['POST /v1/tax_ids', 'owner[type]=customer&owner[customer]=cus_B&type=eu_vat&value=DE1', ['cus_B']],
    ['POST /v1/tax_ids', 'type=eu_vat&value=DE1', undefined],
    ['GET /v1/tax_ids', 'owner[customer]=cus_B', ['cus_B']],
    ['POST /v1/tax/transactions/create_from_calculation', 'calculation=taxcalc_1&reference=x', ['cus_A']],
    ['GET /v1/tax/associations/find', 'payment_intent=pi_1', ['cus_A']],
    ['GET /v1/payment_intents/pi_1/amount_details_line_items', '', ['cus_A']],
    ['GET /v1/confirmation_tokens/ctoken_1', '', null],
    ['GET /v1/events', '', null],
    ['GET /v1/tokens/tok_1', '', null],
    ['GET /v1/plans', '', undefined],
    ['GET /v1/country_specs/DE', '', undefined],
  ])('%s with %j concerns %j', (request, form, customers) => {
    expect(explain(request, form, replies, { customers: true }).explanation.subjects.customers).toEqual(customers)
  })

  test('a reversal of tax may state what it takes back below zero', () => {
    const form = 'mode=partial&original_transaction=tax_1&reference=x&flat_amount=-499'
    expect(quote('POST /v1/tax/transactions/create_reversal', form)).toBe('free')
  })
})
