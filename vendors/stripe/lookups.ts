import type { Explained, Explanation, JsonObject, Question } from '../../src/contracts/vendor.js'
import { customerOf, owners } from './subjects.js'
import { idIn, object } from './replies.js'
import { FREE } from './pricing.js'

/** Objects that are looked up, by the name Stripe's replies carry in `object`. */
const PATHS = {
  application_fee: '/v1/application_fees',
  'billing.alert': '/v1/billing/alerts',
  'billing.credit_balance_transaction': '/v1/billing/credit_balance_transactions',
  'billing.credit_grant': '/v1/billing/credit_grants',
  charge: '/v1/charges',
  'checkout.session': '/v1/checkout/sessions',
  'climate.order': '/v1/climate/orders',
  'climate.product': '/v1/climate/products',
  confirmation_token: '/v1/confirmation_tokens',
  coupon: '/v1/coupons',
  credit_note: '/v1/credit_notes',
  customer: '/v1/customers',
  dispute: '/v1/disputes',
  'financial_connections.account': '/v1/financial_connections/accounts',
  'financial_connections.session': '/v1/financial_connections/sessions',
  'identity.verification_report': '/v1/identity/verification_reports',
  'identity.verification_session': '/v1/identity/verification_sessions',
  invoice: '/v1/invoices',
  invoice_payment: '/v1/invoice_payments',
  invoiceitem: '/v1/invoiceitems',
  'issuing.authorization': '/v1/issuing/authorizations',
  'issuing.card': '/v1/issuing/cards',
  'issuing.cardholder': '/v1/issuing/cardholders',
  'issuing.dispute': '/v1/issuing/disputes',
  'issuing.transaction': '/v1/issuing/transactions',
  mandate: '/v1/mandates',
  order: '/v1/orders',
  payment_attempt_record: '/v1/payment_attempt_records',
  payment_intent: '/v1/payment_intents',
  payment_link: '/v1/payment_links',
  payment_method: '/v1/payment_methods',
  payment_record: '/v1/payment_records',
  payout: '/v1/payouts',
  plan: '/v1/plans',
  price: '/v1/prices',
  product: '/v1/products',
  promotion_code: '/v1/promotion_codes',
  quote: '/v1/quotes',
  refund: '/v1/refunds',
  review: '/v1/reviews',
  setup_intent: '/v1/setup_intents',
  source: '/v1/sources',
  subscription: '/v1/subscriptions',
  subscription_item: '/v1/subscription_items',
  subscription_schedule: '/v1/subscription_schedules',
  'tax.calculation': '/v1/tax/calculations',
  'tax.transaction': '/v1/tax/transactions',
  tax_id: '/v1/tax_ids',
  'terminal.reader': '/v1/terminal/readers',
  topup: '/v1/topups',
  transfer: '/v1/transfers',
  'treasury.credit_reversal': '/v1/treasury/credit_reversals',
  'treasury.debit_reversal': '/v1/treasury/debit_reversals',
  'treasury.financial_account': '/v1/treasury/financial_accounts',
  'treasury.inbound_transfer': '/v1/treasury/inbound_transfers',
  'treasury.outbound_payment': '/v1/treasury/outbound_payments',
  'treasury.outbound_transfer': '/v1/treasury/outbound_transfers',
  'treasury.received_credit': '/v1/treasury/received_credits',
  'treasury.received_debit': '/v1/treasury/received_debits',
} as const

export type Kind = keyof typeof PATHS

/** The same for an object that does not exist and for one that is not ours to see, so that nobody can tell which. */
export const UNKNOWN_OBJECT =
  'The object this call names could not be found, so its amount and its customer are unknown.'

const unpriceable = (): Explanation => ({
  quote: { basis: 'unpriceable', why: UNKNOWN_OBJECT },
  subjects: { customers: null },
})

/** For reads and other free calls: only whose object it is stays unknown. */
const ownerless = (): Explanation => ({ quote: FREE, subjects: { customers: null } })

/**
 * Reads one object. `search`, `upcoming` and the like stand where an id would, so a reply that is not the object of
 * that id is taken for none.
 */
export const find = (
  kind: Kind,
  id: string,
  then: (found: JsonObject) => Explained,
  options: FindOptions = {},
): Explained =>
  findAt(
    `${PATHS[kind]}/${id}`,
    (reply) => reply.id === id && (reply.object === undefined || reply.object === kind),
    then,
    options,
  )

interface FindOptions {
  readonly expand?: readonly string[]
  /** What the call means when there is no such object. */
  readonly missing?: () => Explained
}

/** Reads what stands at a path of its own, such as `/v1/transfers/tr_1/reversals/trr_1`, if `is` says it is what was meant. */
export function findAt(
  path: string,
  is: (reply: JsonObject) => boolean,
  then: (found: JsonObject) => Explained,
  { expand = [], missing = unpriceable }: FindOptions = {},
): Explained {
  return {
    lookUp: { path, params: expand.map((one) => ['expand[]', one] as const) },
    then: (reply) => (reply && is(reply) ? then(reply) : missing()),
  }
}

/**
 * Reads several prices one after the other; ids are distinct and few (see LOOK_UPS_MAX).
 *
 * @param then gets null when one of them does not exist: prices have no owner to keep quiet about
 */
export function findPrices(
  ids: readonly string[],
  expand: readonly string[],
  then: (prices: ReadonlyMap<string, JsonObject> | null) => Explained,
): Explained {
  const found = new Map<string, JsonObject>()
  const missing = (): Explained => then(null)
  const next = (rest: readonly string[]): Explained => {
    const [id, ...others] = rest
    if (id === undefined) return then(found)
    const keep = (price: JsonObject): Explained => {
      found.set(id, price)
      return next(others)
    }
    return find('price', id, keep, { expand, missing })
  }
  return next(ids)
}

/** The engine runs at most this many look-ups for one call. */
export const LOOK_UPS_MAX = 6

/**
 * A free call on one object: whose it is matters only where a policy lists customers, so it is looked up only then.
 *
 * @param explain gets the customers, or null when nobody asked or the owner is unknown
 */
export function ofOwner(
  question: Question,
  kind: Kind,
  id: string,
  explain: (customers: readonly string[] | null) => Explanation,
): Explained {
  if (!question.restricted.customers) return explain(null)
  if (kind === 'customer') return explain([id])
  const missing = ownerless
  if (kind === 'refund' || kind === 'dispute') {
    return find(kind, id, (found) => throughCharge(found, explain, missing), { expand: ['charge'], missing })
  }
  const through = OWNED_THROUGH[kind]
  return find(
    kind,
    id,
    (found) => {
      const owner = through && idIn(found[through])
      if (!owner) return explain(owners(customerOf(found)))
      return find(through, owner, (one) => explain(owners(customerOf(one))), { missing })
    },
    { missing },
  )
}

/** Objects that name no customer themselves but another object that does, in the field of its kind. */
const OWNED_THROUGH: Partial<Record<Kind, Kind>> = {
  application_fee: 'charge',
  invoice_payment: 'invoice',
  mandate: 'payment_method',
  review: 'charge',
  subscription_item: 'subscription',
}

/** Refunds and disputes name no customer themselves: theirs is the charge's (or, without a charge, the intent's). */
export function throughCharge(
  found: JsonObject,
  explain: (customers: readonly string[] | null) => Explanation,
  missing: () => Explanation = unpriceable,
): Explained {
  const expanded = object(found.charge)
  if (expanded) return explain(owners(customerOf(expanded)))
  const charge = idIn(found.charge)
  if (charge) return find('charge', charge, (one) => explain(owners(customerOf(one))), { missing })
  const intent = idIn(found.payment_intent)
  if (intent) return find('payment_intent', intent, (one) => explain(owners(customerOf(one))), { missing })
  return explain(null)
}
