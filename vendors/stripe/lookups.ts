import type { Explained, Explanation, JsonObject, Question } from '../../src/contracts/vendor.js'
import { customerOf, owners } from './subjects.js'
import { idIn, object } from './replies.js'
import { FREE } from './pricing.js'

/** Objects that are looked up, by the name Stripe's replies carry in `object`. */
const PATHS = {
  charge: '/v1/charges',
  'checkout.session': '/v1/checkout/sessions',
  customer: '/v1/customers',
  dispute: '/v1/disputes',
  invoice: '/v1/invoices',
  invoiceitem: '/v1/invoiceitems',
  payment_intent: '/v1/payment_intents',
  payment_link: '/v1/payment_links',
  price: '/v1/prices',
  refund: '/v1/refunds',
  subscription: '/v1/subscriptions',
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
export function find(
  kind: Kind,
  id: string,
  then: (found: JsonObject) => Explained,
  { expand = [], missing = unpriceable }: { expand?: readonly string[]; missing?: () => Explained } = {},
): Explained {
  return {
    lookUp: { path: `${PATHS[kind]}/${id}`, params: expand.map((path) => ['expand[]', path] as const) },
    then: (reply) => {
      const found = reply?.id === id && (reply.object === undefined || reply.object === kind) ? reply : null
      return found ? then(found) : missing()
    },
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
  const options = { missing: ownerless }
  if (kind !== 'refund' && kind !== 'dispute') {
    return find(kind, id, (found) => explain(owners(customerOf(found))), options)
  }
  return find(kind, id, (found) => throughCharge(found, explain, ownerless), { expand: ['charge'], ...options })
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
