import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Effect } from '../../src/contracts/call.js'
import { operations } from '../../vendors/stripe/operations/index.js'
import { explain } from './stripe-ask.js'

interface Entry {
  readonly method: string
  readonly path: string
  readonly effect: string
  readonly effect_without_trigger: string
  readonly triggers: string | null
  readonly tier: string
}

const fixture = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../fixtures/catalogues/${name}`, import.meta.url), 'utf8')) as T

const catalogue = fixture<Entry[]>('stripe-operations.json')
const sensitive = fixture<{ method: string; path: string }[]>('stripe-sensitive-reads.json')

/** `POST /v1/refunds/{}`: placeholders are named differently in the two tables. */
const shape = (route: string): string => route.replaceAll(/\{[^}]*\}/g, '{}')
const entries = new Map(catalogue.map((entry) => [shape(`${entry.method} ${entry.path}`), entry]))

/** As clients send them: routes of another host keep it in `Operation.host`, or name it before the path. */
const mutating = operations.flatMap((operation) =>
  operation.routes.filter((route) => !route.startsWith('GET ')).map((route) => ({ operation, route })),
)
const withoutHost = (route: string): string => route.replace(/ [a-z-]+\.stripe\.com\//, ' /')
const entryOf = (route: string): Entry | undefined => entries.get(withoutHost(shape(route)))

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
  preview: 0,
  read: 0,
  write: 1,
  destructive: 2,
  future_spend: 2,
  routing: 3,
  credential: 3,
  spend: 3,
}

/** How strict an effect must be: as strict as the worst that parameters can make of the call. */
const leastOf = (entry: Entry): number =>
  Math.max(STRENGTH[CLASS[entry.effect]!], STRENGTH[CLASS[entry.effect_without_trigger]!])

/** `spend` counts what later money comes to, but `future_spend` asks for a permit as well. */
const atLeastAs = (effect: Effect, entry: Entry): boolean =>
  STRENGTH[effect] >= leastOf(entry) && !(effect === 'spend' && CLASS[entry.effect] === 'future_spend')

/** Reads that return secrets, and under which names. What else stripe-sensitive-reads.json lists is judged where it is sold or issued. */
const SENSITIVE: readonly (readonly [fields: readonly string[], route: string])[] = [
  [['client_secret'], 'GET /v1/payment_intents/{}'],
  [['client_secret'], 'GET /v1/payment_intents'],
  [['client_secret'], 'GET /v1/payment_intents/search'],
  [['client_secret'], 'GET /v1/setup_intents/{}'],
  [['client_secret'], 'GET /v1/setup_intents'],
  [['client_secret', 'url'], 'GET /v1/checkout/sessions/{}'],
  [['client_secret', 'url'], 'GET /v1/checkout/sessions'],
  [['url'], 'GET /v1/payment_links/{}'],
  [['hosted_invoice_url', 'invoice_pdf', 'client_secret'], 'GET /v1/invoices/{}'],
  [['hosted_invoice_url', 'invoice_pdf'], 'GET /v1/invoices'],
  [['client_secret', 'url', 'hosted_invoice_url', 'secret'], 'GET /v1/events'],
  [['client_secret', 'url', 'hosted_invoice_url', 'secret'], 'GET /v1/events/{}'],
  [['client_secret'], 'GET /v1/sources/{}'],
  [['number', 'cvc'], 'GET /v1/balance_transactions/{}'],
]

describe('the catalogue', () => {
  test('names every operation once and every route once', () => {
    const ids = operations.map(({ id }) => id)
    const routes = operations.flatMap((operation) => operation.routes.map(shape))
    expect(new Set(ids).size).toBe(ids.length)
    expect(new Set(routes).size).toBe(routes.length)
  })

  test('invents no route', () => {
    expect(mutating.map(({ route }) => route).filter((route) => !entryOf(route))).toEqual([])
  })

  test('judges no operation weaker than its class, or says why', () => {
    const weaker = mutating.filter(({ operation, route }) => {
      const entry = entryOf(route)
      return entry && operation.weaker === undefined && STRENGTH[operation.effect] < leastOf(entry)
    })
    expect(weaker.map(({ operation, route }) => `${operation.id}: ${operation.effect}, ${route}`)).toEqual([])
  })

  test('says why only where it is weaker', () => {
    const excused = operations.filter(
      ({ weaker, effect, routes }) =>
        weaker !== undefined && routes.every((route) => atLeastAs(effect, entryOf(route)!)),
    )
    expect(excused.map(({ id }) => id)).toEqual([])
  })

  test('knows what exists in a preview only', () => {
    const wrong = mutating.filter(
      ({ operation, route }) => operation.preview !== true && entryOf(route)?.tier === 'preview',
    )
    expect(wrong.map(({ route }) => route)).toEqual([])
  })

  test('lists the parameters wherever one of them can cost money or change what the call does', () => {
    const open = mutating.filter(({ operation: { accepts, effect, body, never }, route }) => {
      if (accepts !== undefined || body === 'json' || never !== undefined) return false
      return effect === 'spend' || effect === 'future_spend' || (effect === 'write' && entryOf(route)?.triggers != null)
    })
    expect(open.map(({ operation, route }) => `${operation.id}: ${route}`)).toEqual([])
  })

  test('takes the secret that pays an intent out of every read that could show one', () => {
    const showing = operations.filter(
      ({ routes, reveals, never, host }) =>
        /^GET \/v1\//.test(routes[0]) && !never && !host && !reveals?.includes('client_secret'),
    )
    expect(showing.map(({ id }) => id)).toEqual([])
  })

  test.each([
    ['payment_intents.create', 'client_secret', true],
    ['payment_intents.confirm', 'client_secret', true],
    ['checkout.sessions.create', 'url', true],
    ['checkout.sessions.create', 'client_secret', true],
    ['payment_links.create', 'url', true],
    // What was made elsewhere is not counted under this key, so these show nothing.
    ['payment_intents.update', 'client_secret', false],
    ['payment_intents.cancel', 'client_secret', false],
    ['checkout.sessions.update', 'url', false],
    ['payment_links.update', 'url', false],
    ['setup_intents.create', 'client_secret', false],
    ['sources.create', 'client_secret', false],
    ['refunds.create', 'client_secret', false],
  ])('the reply of %s with %s: shown %s', (id, field, shown) => {
    expect(operations.find((operation) => operation.id === id)!.reveals?.includes(field)).toBe(!shown)
  })

  test('lets nothing that can cost money go for free without a reason, asked with nothing and finding nothing', () => {
    const silent = operations
      .filter(({ effect, never }) => (effect === 'spend' || effect === 'future_spend') && never === undefined)
      .filter(({ routes }) => {
        const { quote, refuse } = explain(routes[0].replaceAll(/\{\w+\}/g, 'x_1')).explanation
        return quote.basis === 'free' && !quote.why && !refuse
      })
    expect(silent.map(({ id }) => id)).toEqual([])
  })

  test('knows every other way to refund a charge', () => {
    expect(operations.find(({ id }) => id === 'refunds.create')!.routes).toEqual([
      'POST /v1/refunds',
      'POST /v1/charges/{charge}/refund',
      'POST /v1/charges/{charge}/refunds',
    ])
  })

  test.each(SENSITIVE)('drops %s from the reply of %s', (fields, route) => {
    const operation = operations.find((one) => one.routes.some((each) => shape(each) === shape(route)))
    expect(operation?.reveals).toEqual(expect.arrayContaining([...fields]))
  })

  test('knows every read that returns a secret, and drops the secret or says why it stays', () => {
    const open = sensitive.filter(({ method, path }) => {
      const operation = operations.find(({ routes }) =>
        routes.some((route) => withoutHost(shape(route)) === shape(`${method} ${path}`)),
      )
      return !operation || (!operation.reveals?.length && !operation.why && !operation.never)
    })
    expect(open.map(({ path }) => path)).toEqual([])
  })
})

/** Parameters stripe-node 23 knows and we leave out, with the reason in vendors/stripe/README.md. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  'payment_intents.create': ['customer_account'],
  'payment_intents.update': ['customer_account'],
  'setup_intents.create': ['customer_account'],
  'payment_methods.attach': ['customer_account'],
  'promotion_codes.create': ['customer_account'],
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
  ['payment_intents.apply_customer_balance', 'PaymentIntents', 'PaymentIntentApplyCustomerBalanceParams'],
  ['payment_intents.verify_microdeposits', 'PaymentIntents', 'PaymentIntentVerifyMicrodepositsParams'],
  ['setup_intents.create', 'SetupIntents', 'SetupIntentCreateParams'],
  ['setup_intents.confirm', 'SetupIntents', 'SetupIntentConfirmParams'],
  ['setup_intents.verify_microdeposits', 'SetupIntents', 'SetupIntentVerifyMicrodepositsParams'],
  ['setup_intents.cancel', 'SetupIntents', 'SetupIntentCancelParams'],
  ['payment_methods.create', 'PaymentMethods', 'PaymentMethodCreateParams'],
  ['payment_methods.attach', 'PaymentMethods', 'PaymentMethodAttachParams'],
  ['tokens.create', 'Tokens', 'TokenCreateParams'],
  ['sources.create', 'Sources', 'SourceCreateParams'],
  ['customers.create_balance_transaction', 'Customers', 'CustomerCreateBalanceTransactionParams'],
  ['customers.update_cash_balance', 'Customers', 'CustomerUpdateCashBalanceParams'],
  ['checkout.sessions.update', 'Checkout/Sessions', 'SessionUpdateParams'],
  ['promotion_codes.create', 'PromotionCodes', 'PromotionCodeCreateParams'],
  ['promotion_codes.update', 'PromotionCodes', 'PromotionCodeUpdateParams'],
  ['plans.create', 'Plans', 'PlanCreateParams'],
  ['shipping_rates.update', 'ShippingRates', 'ShippingRateUpdateParams'],
  ['climate.orders.create', 'Climate/Orders', 'OrderCreateParams'],
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
