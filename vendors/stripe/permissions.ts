import type { KeyNeeds, Operation } from '../../src/contracts/vendor.js'

/*
 * Permissions of restricted keys, as docs.stripe.com/keys/permissions-reference and /stripe-apps/reference/permissions
 * name them (read November 2026); the vendor's refusals write them with `rak_` in front. A write includes the read. What is
 * not in the table is said to be unknown: a permission too many would be a gift, and one too few stops the agent.
 */
const SOURCE = 'docs.stripe.com/keys/permissions-reference, 2026-11'

/** Collection → permission without its ending. */
const RESOURCES: Readonly<Record<string, string>> = {
  account_links: 'account_link',
  account_sessions: 'account_session',
  accounts: 'connected_account',
  application_fees: 'application_fee',
  balance: 'balance',
  'billing_portal/configurations': 'customer_portal',
  'billing_portal/sessions': 'customer_portal',
  charges: 'charge',
  'checkout/sessions': 'checkout_session',
  coupons: 'coupon',
  credit_notes: 'credit_note',
  customers: 'customer',
  disputes: 'dispute',
  events: 'event',
  files: 'file',
  invoices: 'invoice',
  'issuing/authorizations': 'issuing_authorization',
  'issuing/cardholders': 'issuing_cardholder',
  'issuing/cards': 'issuing_card',
  'issuing/disputes': 'issuing_dispute',
  'issuing/transactions': 'issuing_transaction',
  mandates: 'mandate',
  payment_intents: 'payment_intent',
  payment_links: 'payment_links',
  payment_methods: 'payment_method',
  payouts: 'payout',
  plans: 'plan',
  prices: 'plan',
  products: 'product',
  promotion_codes: 'promotion_code',
  quotes: 'quote',
  // No permission of its own: «Having the 'rak_charge_write' permission …» is what a key without it is told.
  refunds: 'charge',
  reviews: 'review',
  setup_intents: 'setup_intent',
  shipping_rates: 'shipping_rate',
  sources: 'source',
  subscriptions: 'subscription',
  tax_rates: 'tax_rate',
  'terminal/configurations': 'terminal_configuration',
  'terminal/connection_tokens': 'terminal_connection_token',
  'terminal/locations': 'terminal_location',
  'terminal/readers': 'terminal_reader',
  'test_helpers/test_clocks': 'billing_clock',
  tokens: 'token',
  topups: 'top_up',
  transfers: 'transfer',
  webhook_endpoints: 'webhook',
}

/** What spendgate itself reads before such a write, to know its price and whom it concerns. */
const LOOKED_UP: Readonly<Record<string, readonly string[]>> = {
  charge: ['charge_read', 'payment_intent_read'],
  checkout_session: ['plan_read'],
  credit_note: ['invoice_read'],
  dispute: ['dispute_read', 'charge_read', 'payment_intent_read'],
  payment_links: ['plan_read'],
  quote: ['plan_read'],
  subscription: ['plan_read', 'invoice_read'],
}

export function leastKey(operations: readonly Operation[]): KeyNeeds {
  const needed = new Set<string>()
  const unknown: string[] = []
  for (const { id, routes, hostedTool } of operations) {
    if (hostedTool !== undefined) continue
    const route = routes.find((each) => resourceOf(each) !== null)
    if (route === undefined) {
      unknown.push(id)
      continue
    }
    const resource = resourceOf(route)!
    const write = !route.startsWith('GET ')
    needed.add(`${resource}_${write ? 'write' : 'read'}`)
    if (write) for (const read of LOOKED_UP[resource] ?? []) needed.add(read)
  }
  const permissions = [...needed]
    .filter((name) => !(name.endsWith('_read') && needed.has(name.replace(/_read$/, '_write'))))
    .sort()
  return { kind: 'restricted key (rk_…)', permissions, unknown, source: SOURCE }
}

/** `/v1/charges`, `/v1/charges/{id}`, `/v1/charges/{id}/capture`; what hangs below an object under a name of its own may need more. */
function resourceOf(route: string): string | null {
  const found = /^[A-Z]+ \/v1\/([a-z_]+(?:\/[a-z_]+)?)(?:\/|$)(.*)$/.exec(route)
  if (found === null) return null
  const [, collection, rest] = found as unknown as [string, string, string]
  const [first, second] = collection.split('/')
  const resource =
    RESOURCES[collection] ?? (second === undefined || !rest.includes('{') ? RESOURCES[first!] : undefined)
  const below = rest.split('/').filter((part) => part !== '' && !part.startsWith('{'))
  return resource === undefined || below.some((part) => NESTED.has(part)) ? null : resource
}

/** Collections below an object, with permissions of their own. */
const NESTED: ReadonlySet<string> = new Set([
  'balance_transactions',
  'bank_accounts',
  'capabilities',
  'cards',
  'external_accounts',
  'persons',
  'sources',
  'subscriptions',
  'tax_ids',
])
