import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Effect } from '../../src/contracts/call.js'
import { operations } from '../../vendors/stripe/operations/index.js'

interface Entry {
  readonly method: string
  readonly path: string
  readonly effect: string
  readonly effect_without_trigger: string
}

const fixture = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../fixtures/catalogues/${name}`, import.meta.url), 'utf8')) as T

const catalogue = fixture<Entry[]>('stripe-operations.json')
const sensitive = fixture<{ method: string; path: string }[]>('stripe-sensitive-reads.json')

/** `POST /v1/refunds/{}`: placeholders are named differently in the two tables. */
const shape = (route: string): string => route.replaceAll(/\{[^}]*\}/g, '{}')
const entries = new Map(catalogue.map((entry) => [shape(`${entry.method} ${entry.path}`), entry]))

const mutating = operations.flatMap((operation) =>
  operation.routes.filter((route) => !route.startsWith('GET ')).map((route) => ({ operation, route })),
)

/** The catalogue's classes as ours, and how strict they are. Equal numbers may stand for each other. */
const CLASS: Readonly<Record<string, Effect>> = {
  moves_money_now: 'spend',
  returns_money: 'spend',
  commits_future_money: 'future_spend',
  destructive: 'destructive',
  changes_money_routing: 'routing',
  grants_credential: 'credential',
  configuration: 'write',
  harmless: 'read',
}
const STRENGTH: Readonly<Record<Effect, number>> = {
  read: 0,
  write: 1,
  destructive: 2,
  future_spend: 2,
  routing: 3,
  credential: 3,
  spend: 3,
}

/** Where our effect is weaker than the catalogue's, without any trigger. */
const WEAKER: Readonly<Record<string, string>> = {
  'payment_intents.cancel': 'only lowers exposure and gives a reservation back',
  'checkout.sessions.expire': 'only lowers exposure and gives a reservation back',
  'prices.update': 'becomes future_spend with currency_options, transfer_lookup_key or active=true',
}

/** Where parameters make the catalogue's effect worse than ours; the tests of the operations show the trigger. */
const TRIGGERED: Readonly<Record<string, string>> = {
  ...WEAKER,
  'customers.create': 'balance adds spend',
  'customers.update': 'balance adds spend',
  'subscriptions.cancel': 'invoice_now and prorate add spend',
}

describe('the catalogue', () => {
  test('names every operation once and every route once', () => {
    const ids = operations.map(({ id }) => id)
    const routes = operations.flatMap((operation) => operation.routes.map(shape))
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(routes).size).toBe(routes.length)
  })

  test.each(mutating.map(({ operation, route }) => [route, operation] as const))(
    '%s is a route Stripe has',
    (route) => {
      expect(entries.has(shape(route))).toBe(true)
    },
  )

  test.each(mutating.map(({ operation, route }) => [route, operation] as const))(
    '%s is judged no weaker than its class',
    (route, { id, effect }) => {
      const entry = entries.get(shape(route))!
      const least = STRENGTH[CLASS[entry.effect_without_trigger]!]
      const worst = STRENGTH[CLASS[entry.effect]!]
      expect(id in WEAKER || STRENGTH[effect] >= least).toBe(true)
      expect(id in TRIGGERED || STRENGTH[effect] >= worst).toBe(true)
    },
  )

  test('has no exception that is none', () => {
    for (const id of Object.keys(TRIGGERED)) {
      const { operation, route } = mutating.find((one) => one.operation.id === id)!
      expect(STRENGTH[operation.effect]).toBeLessThan(STRENGTH[CLASS[entries.get(shape(route))!.effect]!])
    }
  })

  test('lists the parameters of every operation that changes something', () => {
    const open = mutating.filter(({ operation }) => operation.effect !== 'read' && !operation.accepts)
    expect(open.map(({ operation }) => operation.id)).toEqual([])
  })

  test('knows every other way to refund a charge', () => {
    expect(operations.find(({ id }) => id === 'refunds.create')!.routes).toEqual([
      'POST /v1/refunds',
      'POST /v1/charges/{charge}/refund',
      'POST /v1/charges/{charge}/refunds',
    ])
  })

  test('reads secrets only where an agent needs them to do its work', () => {
    const ours = new Set(operations.flatMap((operation) => operation.routes.map(shape)))
    const overlap = sensitive.map(({ method, path }) => shape(`${method} ${path}`)).filter((route) => ours.has(route))
    expect(overlap.sort()).toEqual([
      'GET /v1/checkout/sessions',
      'GET /v1/checkout/sessions/{}',
      'GET /v1/invoices',
      'GET /v1/invoices/{}',
      'GET /v1/payment_intents',
      'GET /v1/payment_intents/search',
      'GET /v1/payment_intents/{}',
      'GET /v1/payment_links/{}',
    ])
  })
})

/** Parameters stripe-node 23 knows and we leave out, with the reason in vendors/stripe/README.md. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  'payment_intents.create': ['customer_account'],
  'payment_intents.update': ['customer_account'],
  'invoices.create': ['customer_account', 'from_invoice'],
  'invoiceitems.create': ['customer_account'],
  'subscriptions.create': ['billing_schedules', 'billing_thresholds', 'customer_account'],
  'subscriptions.update': ['billing_schedules', 'billing_thresholds'],
  'payment_links.create': ['managed_payments'],
  'checkout.sessions.create': ['after_expiration', 'customer_account', 'managed_payments'],
}

const SDK: readonly (readonly [id: string, file: string, name: string])[] = [
  ['charges.create', 'Charges', 'ChargeCreateParams'],
  ['charges.update', 'Charges', 'ChargeUpdateParams'],
  ['charges.capture', 'Charges', 'ChargeCaptureParams'],
  ['payment_intents.create', 'PaymentIntents', 'PaymentIntentCreateParams'],
  ['payment_intents.update', 'PaymentIntents', 'PaymentIntentUpdateParams'],
  ['payment_intents.confirm', 'PaymentIntents', 'PaymentIntentConfirmParams'],
  ['payment_intents.capture', 'PaymentIntents', 'PaymentIntentCaptureParams'],
  ['payment_intents.increment_authorization', 'PaymentIntents', 'PaymentIntentIncrementAuthorizationParams'],
  ['payment_intents.cancel', 'PaymentIntents', 'PaymentIntentCancelParams'],
  ['refunds.create', 'Refunds', 'RefundCreateParams'],
  ['refunds.update', 'Refunds', 'RefundUpdateParams'],
  ['disputes.update', 'Disputes', 'DisputeUpdateParams'],
  ['customers.create', 'Customers', 'CustomerCreateParams'],
  ['customers.update', 'Customers', 'CustomerUpdateParams'],
  ['invoices.create', 'Invoices', 'InvoiceCreateParams'],
  ['invoices.update', 'Invoices', 'InvoiceUpdateParams'],
  ['invoices.finalize', 'Invoices', 'InvoiceFinalizeInvoiceParams'],
  ['invoices.pay', 'Invoices', 'InvoicePayParams'],
  ['invoiceitems.create', 'InvoiceItems', 'InvoiceItemCreateParams'],
  ['invoiceitems.update', 'InvoiceItems', 'InvoiceItemUpdateParams'],
  ['subscriptions.create', 'Subscriptions', 'SubscriptionCreateParams'],
  ['subscriptions.update', 'Subscriptions', 'SubscriptionUpdateParams'],
  ['subscriptions.cancel', 'Subscriptions', 'SubscriptionCancelParams'],
  ['payment_links.create', 'PaymentLinks', 'PaymentLinkCreateParams'],
  ['payment_links.update', 'PaymentLinks', 'PaymentLinkUpdateParams'],
  ['checkout.sessions.create', 'Checkout/Sessions', 'SessionCreateParams'],
  ['transfers.create', 'Transfers', 'TransferCreateParams'],
  ['payouts.create', 'Payouts', 'PayoutCreateParams'],
  ['products.create', 'Products', 'ProductCreateParams'],
  ['products.update', 'Products', 'ProductUpdateParams'],
  ['prices.create', 'Prices', 'PriceCreateParams'],
  ['prices.update', 'Prices', 'PriceUpdateParams'],
  ['coupons.create', 'Coupons', 'CouponCreateParams'],
  ['coupons.update', 'Coupons', 'CouponUpdateParams'],
]

describe('the parameters', () => {
  test.each(SDK)('of %s are those the SDK declares, less the ones left out on purpose', (id, file, name) => {
    const accepts = new Set(operations.find((operation) => operation.id === id)!.accepts)
    const missing = declared(file, name).filter((param) => !accepts.has(param))
    expect(missing.sort()).toEqual([...(LEFT_OUT[id] ?? [])].sort())
  })
})

/** Top-level fields of an interface in the SDK's declarations. */
function declared(file: string, name: string): string[] {
  const url = new URL(`../../node_modules/stripe/esm/resources/${file}.d.ts`, import.meta.url)
  const source = readFileSync(url, 'utf8').replaceAll(/\/\*[^]*?\*\//g, '')
  const body = new RegExp(`^( *)(?:export )?interface ${name} \\{\\n([^]*?)^\\1\\}`, 'm').exec(source)![2]!
  const indent = /^ +/.exec(body.trimStart() === body ? '' : body.replace(/^\s*\n/, ''))![0]
  return [...body.matchAll(new RegExp(`^${indent}(\\w+)\\??:`, 'gm'))].map((found) => found[1]!)
}
