import { beforeAll, expect, test } from 'vitest'
import type { DenialCode } from '../../src/contracts/call.js'
import { onStage, presented, stripe, type Attack } from './stage.js'

const stage = onStage()

/** What an operator would give a support agent who may do nearly everything for one customer. */
const careful = {
  daily_cap_usd: '200.00',
  vendors: {
    stripe: { endpoints: { allow: ['* *'] }, permit: [], customers: ['cus_A'], max_amount_usd: '50.00' },
  },
}
/** Objects of the listed customer that are too large for one call. */
beforeAll(() => {
  const { stripe: vendor } = stage.world
  vendor.addIntent({ id: 'pi_large', customer: 'cus_A', amount: 999_900 })
  const invoice = structuredClone(vendor.state.invoices.get('in_A')!)
  const large = { amount_due: 999_900, amount_remaining: 999_900, subtotal: 999_900, total: 999_900 }
  vendor.state.invoices.set('in_large', { ...invoice, ...large, id: 'in_large' })
})

const get = (path: string): Attack => ({ line: `GET /stripe${path}` })
const PRICE_DATA =
  'items[0][price_data][currency]=usd&items[0][price_data][product]=prod_A&items[0][price_data][recurring][interval]=day'

/** Requests whose harm does not show in a field called amount. Each is refused, and whatever is read is read only. */
test.each<[string, Attack, DenialCode]>([
  [
    'parameters in the query of a POST',
    stripe('/v1/payment_intents?amount=9999999&confirm=true', 'currency=usd&customer=cus_A&payment_method=pm_1'),
    'request_ambiguous',
  ],
  ['duplicate keys', stripe('/v1/refunds', 'charge=ch_A&amount=100&amount=9999900'), 'request_ambiguous'],
  [
    'percent-encoded keys',
    stripe('/v1/payment_intents', '%61mount=9999999&currency=usd&confirm=true&customer=cus_A&payment_method=pm_1'),
    'amount_over_limit',
  ],
  [
    'bracket variants',
    stripe('/v1/payment_intents', 'amount=1&currency=usd&customer=cus_A&transfer_data%5Bdestination%5D=acct_EVIL'),
    'beneficiary_not_allowed',
  ],
  ['no amount means everything that is left', stripe('/v1/refunds', 'charge=ch_A'), 'amount_over_limit'],
  ['no amount, through the intent', stripe('/v1/refunds', 'payment_intent=pi_B'), 'customer_not_allowed'],
  ['the legacy route', stripe('/v1/charges/ch_B/refund', 'amount=100'), 'customer_not_allowed'],
  ['the legacy route without an amount', stripe('/v1/charges/ch_A/refund', ''), 'amount_over_limit'],
  [
    'the legacy route of subscriptions',
    stripe('/v1/customers/cus_A/subscriptions', 'items[0][price]=price_month'),
    'effect_not_permitted',
  ],
  [
    'confirming what was made elsewhere',
    stripe('/v1/payment_intents/pi_B/confirm', 'payment_method=pm_1&off_session=true'),
    'customer_not_allowed',
  ],
  [
    'confirming what is too large',
    stripe('/v1/payment_intents/pi_large/confirm', 'payment_method=pm_1'),
    'amount_over_limit',
  ],
  ['raising after approval', stripe('/v1/payment_intents/pi_A', 'amount=9999999'), 'amount_over_limit'],
  ['capturing without an amount', stripe('/v1/payment_intents/pi_Ahold/capture', ''), 'amount_over_limit'],
  [
    'capturing more than was authorised',
    stripe('/v1/payment_intents/pi_Ahold/capture', 'amount_to_capture=500000'),
    'amount_over_limit',
  ],
  [
    'raising an authorisation',
    stripe('/v1/payment_intents/pi_Ahold/increment_authorization', 'amount=500000'),
    'amount_over_limit',
  ],
  [
    'a subscription with an invented price',
    stripe(
      '/v1/subscriptions',
      `customer=cus_A&${PRICE_DATA}&items[0][price_data][unit_amount_decimal]=9999900&items[0][quantity]=10`,
    ),
    'effect_not_permitted',
  ],
  [
    'proration as an instant charge',
    stripe('/v1/subscriptions/sub_A', 'items[0][id]=si_1&items[0][quantity]=1000&proration_behavior=always_invoice'),
    'effect_not_permitted',
  ],
  ['a trial that ends now', stripe('/v1/subscriptions/sub_A', 'trial_end=now'), 'effect_not_permitted'],
  [
    'a dormant invoice',
    stripe(
      '/v1/invoices',
      'customer=cus_A&collection_method=charge_automatically&auto_advance=true&pending_invoice_items_behavior=include',
    ),
    'effect_not_permitted',
  ],
  [
    'an item for a dormant invoice',
    stripe('/v1/invoiceitems', 'customer=cus_A&amount=5001&currency=usd'),
    'effect_not_permitted',
  ],
  ['paying an invoice out of band', stripe('/v1/invoices/in_large/pay', 'paid_out_of_band=true'), 'amount_over_limit'],
  ['forgiving an invoice', stripe('/v1/invoices/in_large/pay', 'forgive=true'), 'amount_over_limit'],
  ['writing an invoice off', stripe('/v1/invoices/in_large/mark_uncollectible', ''), 'effect_not_permitted'],
  ['voiding an invoice', stripe('/v1/invoices/in_large/void', ''), 'effect_not_permitted'],
  [
    'credit as a negative amount',
    stripe('/v1/customers/cus_A/balance_transactions', 'amount=-9999900&currency=usd'),
    'operation_unknown',
  ],
  ['credit as a balance', stripe('/v1/customers/cus_A', 'balance=-9999900'), 'amount_over_limit'],
  ['a new customer with credit', stripe('/v1/customers', 'balance=-9999900'), 'customer_not_allowed'],
  [
    'a currency of three decimals',
    stripe('/v1/payment_intents', 'amount=4999&currency=kwd&confirm=true&payment_method=pm_1&customer=cus_A'),
    'amount_unknown',
  ],
  ['number syntax', stripe('/v1/charges', 'amount=1e7&currency=usd&source=tok_1&customer=cus_A'), 'request_malformed'],
  [
    'money routed elsewhere',
    stripe(
      '/v1/payment_intents',
      'amount=4900&currency=usd&confirm=true&customer=cus_A&payment_method=pm_1&application_fee_amount=0&on_behalf_of=acct_EVIL',
    ),
    'beneficiary_not_allowed',
  ],
  [
    'where payouts go',
    stripe('/v1/accounts/acct_1/external_accounts', 'external_account[object]=bank_account&default_for_currency=true'),
    'operation_unknown',
  ],
  [
    'where payouts go, in settings',
    stripe('/v1/balance_settings', 'payments[payouts][schedule][interval]=daily'),
    'operation_unknown',
  ],
  [
    'another account',
    stripe('/v1/transfers', 'amount=4900&currency=usd&destination=acct_EVIL', ['Stripe-Account: acct_VICTIM']),
    'account_not_allowed',
  ],
  [
    'a credential outside',
    stripe('/v1/ephemeral_keys', 'issuing_card=ic_1', ['Stripe-Version: 2026-10-28.endive']),
    'operation_unknown',
  ],
  [
    'the stream of events',
    stripe('/v1/webhook_endpoints', 'url=https%3A%2F%2Fevil.example%2Fh&enabled_events[0]=*&connect=true'),
    'operation_unknown',
  ],
  ['card numbers by expansion', get('/v1/issuing/cards/ic_1?expand[]=number&expand[]=cvc'), 'operation_unknown'],
  [
    'secrets by expansion',
    get('/v1/apps/secrets/find?name=x&scope[type]=account&expand[]=payload'),
    'operation_unknown',
  ],
  [
    'raw cards to another processor',
    stripe(
      '/v1/forwarding/requests',
      'payment_method=pm_1&url=https%3A%2F%2Fother.example%2F&replacements[0]=card_number',
    ),
    'operation_unknown',
  ],
  [
    'a link as fan-out',
    stripe(
      '/v1/payment_links',
      'line_items[0][price]=price_once&line_items[0][quantity]=999999&transfer_data[destination]=acct_EVIL',
    ),
    'effect_not_permitted',
  ],
  ['a coupon of everything', stripe('/v1/coupons', 'percent_off=100&duration=forever'), 'effect_not_permitted'],
  [
    'a price that takes over a key',
    stripe('/v1/prices/price_once', 'transfer_lookup_key=true&lookup_key=x'),
    'effect_not_permitted',
  ],
  ['usage events', stripe('/v1/billing/meter_events', 'event_name=x&payload[value]=1000000000'), 'operation_unknown'],
  ['losing a dispute of nobody', stripe('/v1/disputes/du_none/close', ''), 'customer_not_allowed'],
  ['deleting a customer and all subscriptions', { line: 'DELETE /stripe/v1/customers/cus_A' }, 'effect_not_permitted'],
  [
    'a removal that invoices',
    { line: 'DELETE /stripe/v1/subscription_items/si_1?proration_behavior=always_invoice' },
    'operation_unknown',
  ],
  ['accepting a quote', stripe('/v1/quotes/qt_1/accept', ''), 'operation_unknown'],
  ['a path that climbs', stripe('/v1/customers/cus_A/../../refunds', 'charge=ch_A'), 'request_malformed'],
  ["reading another customer's charges", get('/v1/charges?customer=cus_B'), 'customer_not_allowed'],
  ["reading everybody's charges", get('/v1/charges'), 'customer_not_allowed'],
  ['reading by search', get('/v1/charges/search?query=amount%3E1'), 'customer_not_allowed'],
  [
    "reading through a transaction's expansion",
    get('/v1/balance_transactions?expand[]=data.source'),
    'customer_not_allowed',
  ],
])('%s', async (_, attack, code) => {
  const key = await stage.key('stripe', careful)
  const moved = stage.world.stripe.moved().length
  stage.forget()
  const reply = await stage.send(attack, presented('stripe', key))
  expect([reply.headers['x-spendgate-code'], reply.status]).toEqual([code, 403])
  expect(stage.world.stripe.moved()).toHaveLength(moved)
  for (const request of stage.world.stripe.requests) {
    expect(`${request.method} ${request.path}`).toMatch(/^(GET \/v1\/|POST \/v1\/invoices\/create_preview$)/)
  }
  const rows = await stage.rows(key)
  expect(rows).toHaveLength(1)
  expect(rows[0]).toMatchObject({ state: 'denied', decision: { code } })
})
