import { COUNTABLE_MAX, type Rates } from '../../src/contracts/money.js'
import type { Moved } from '../../src/contracts/records.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { priceOf } from './pricing.js'
import { idIn, integer, list, object, text } from './replies.js'

/** What an event says, before its amount is priced and its request is read. */
interface Said extends Pick<Moved, 'id' | 'kind' | 'direction' | 'cause'> {
  readonly minor: string | null
  readonly currency: string | null
  /** May hold nulls, so that readers can say what they look at and no more. */
  readonly objects: readonly (string | null)[]
  readonly makes?: readonly (string | null)[]
  readonly complete?: boolean
}
type Reader = (thing: JsonObject, event: JsonObject) => Said | null

/**
 * The events that tell of money, and what each says of it (docs.stripe.com/api/events/types, November 2026). One payment
 * has several: they name the same id, that of the invoice if it pays one, else of the intent, else of the charge.
 */
const READERS: Readonly<Record<string, Reader>> = {
  'charge.captured': charge,
  'charge.succeeded': charge,
  'charge.dispute.created': dispute,
  'charge.dispute.funds_withdrawn': dispute,
  'checkout.session.async_payment_succeeded': session,
  'checkout.session.completed': session,
  'customer.subscription.created': begun,
  'invoice.paid': invoice,
  'invoice.payment_succeeded': invoice,
  'issuing_transaction.created': cardSpend,
  'payment_intent.succeeded': intent,
  'payout.created': payout,
  'refund.created': refund,
  'topup.succeeded': topup,
  'transfer.created': transfer,
  'transfer.reversed': reversal,
}

/** Types to ask Stripe for; the last tells which invoice an intent has paid, and moves nothing itself. */
export const EVENT_TYPES: readonly string[] = [...Object.keys(READERS), 'invoice_payment.paid']

/** What one event says has moved. Null for one that moved nothing, or that we do not understand. */
export function movedIn(event: JsonObject, rates: Rates): Moved | null {
  const thing = object(object(event.data)?.object)
  const said =
    thing && Object.hasOwn(READERS, text(event.type) ?? '') ? READERS[text(event.type)!]!(thing, event) : null
  const at = integer(event.created)
  if (said === null || at === null) return null
  const told = moved(said, Number(at) * 1000, rates, thing, {
    upstreamKey: text(object(event.request)?.idempotency_key),
    requestId: idIn(event.request),
  })
  // What moves on a connected account is no money of ours, unless it follows from what a call of ours has made there.
  return text(event.account) === null ? told : { ...told, cause: 'object', complete: false }
}

function moved(
  { minor, currency, objects, makes = [], complete = true, ...said }: Said,
  at: number,
  rates: Rates,
  record: JsonObject | null,
  request: Pick<Moved, 'upstreamKey' | 'requestId'>,
): Moved {
  const price = priceOf({ rates }, minor, currency)
  return {
    ...said,
    at,
    complete,
    objects: present(objects),
    makes: present(makes),
    amount: typeof price === 'string' || price.settle > COUNTABLE_MAX ? null : price.settle,
    record,
    ...request,
  }
}

const present = (ids: readonly (string | null)[]): readonly string[] => [...new Set(ids.filter((id) => id !== null))]

/** Money that a customer paid. Versions before 2025-03-31.basil name the invoice, which then tells of it itself. */
function charge(thing: JsonObject): Said | null {
  const id = idIn(thing.payment_intent) ?? text(thing.id)
  // Authorised and not captured, or failed: nothing has moved.
  if (id === null || thing.captured !== true || idIn(thing.invoice) !== null) return null
  return {
    id,
    kind: 'charge',
    direction: 'in',
    cause: 'object',
    minor: integer(thing.amount_captured) ?? integer(thing.amount),
    currency: text(thing.currency),
    objects: [id, text(thing.id)],
    complete: false,
  }
}

function intent(thing: JsonObject): Said | null {
  const id = text(thing.id)
  if (id === null || idIn(thing.invoice) !== null) return null
  return {
    id,
    kind: 'charge',
    direction: 'in',
    cause: 'object',
    minor: integer(thing.amount_received) ?? integer(thing.amount),
    currency: text(thing.currency),
    objects: [id, idIn(thing.latest_charge)],
    complete: false,
  }
}

/** What was paid outside of Stripe is no money of the account's: marking it so is a call, and counts as one. */
function invoice(thing: JsonObject): Said | null {
  const id = text(thing.id)
  const minor = integer(thing.amount_paid)
  if (id === null || minor === '0' || thing.paid_out_of_band === true) return null
  return {
    id,
    kind: text(thing.billing_reason) === 'subscription_cycle' ? 'renewal' : 'invoice',
    direction: 'in',
    cause: 'object',
    minor,
    currency: text(thing.currency),
    objects: [id, subscriptionOf(thing), idIn(object(object(thing.parent)?.quote_details)?.quote) ?? idIn(thing.quote)],
    complete: false,
  }
}

/** The subscription an invoice bills. Versions before 2025-03-31.basil name it at the top. */
export const subscriptionOf = (invoice: JsonObject | null): string | null =>
  idIn(object(object(invoice?.parent)?.subscription_details)?.subscription) ?? idIn(invoice?.subscription)

/** A schedule that a call has made begins its subscription by itself. What that bills, its invoices tell. */
function begun(thing: JsonObject): Said | null {
  const id = text(thing.id)
  const schedule = idIn(thing.schedule)
  if (id === null || schedule === null) return null
  return {
    id,
    kind: 'subscription',
    direction: 'in',
    cause: 'object',
    minor: '0',
    currency: text(thing.currency),
    objects: [schedule],
    makes: [id],
    complete: false,
  }
}

/** A page that was paid. What it sold as a subscription goes on by itself, under an id that only this tells. */
function session(thing: JsonObject): Said | null {
  const own = text(thing.id)
  const id = idIn(thing.invoice) ?? idIn(thing.payment_intent) ?? own
  const subscription = idIn(thing.subscription)
  const minor = integer(thing.amount_total)
  if (id === null || thing.payment_status === 'unpaid' || thing.mode === 'setup') return null
  if (minor === '0' && subscription === null) return null
  return {
    id,
    kind: 'page',
    direction: 'in',
    cause: 'object',
    minor,
    currency: text(thing.currency),
    objects: [idIn(thing.payment_link), own, idIn(thing.payment_intent), id],
    makes: [subscription],
  }
}

function refund(thing: JsonObject): Said | null {
  const id = text(thing.id)
  if (id === null || thing.status === 'failed' || thing.status === 'canceled') return null
  return {
    id,
    kind: 'refund',
    direction: 'out',
    cause: 'request',
    minor: integer(thing.amount),
    currency: text(thing.currency),
    objects: [id, idIn(thing.payment_intent), idIn(thing.charge)],
  }
}

/** A payout that Stripe makes on the account's schedule only carries home what was earned. */
function payout(thing: JsonObject): Said | null {
  const id = text(thing.id)
  const minor = integer(thing.amount)
  if (id === null) return null
  return {
    id,
    kind: 'payout',
    // A negative one takes what is owed from the account's bank.
    direction: minor?.startsWith('-') ? 'in' : 'out',
    cause: thing.automatic === true ? 'schedule' : 'request',
    minor,
    currency: text(thing.currency),
    objects: [id, idIn(thing.original_payout)],
  }
}

const asked = (kind: string, direction: 'in' | 'out', thing: JsonObject, id = text(thing.id)): Said | null =>
  id === null
    ? null
    : {
        id,
        kind,
        direction,
        cause: 'request',
        minor: integer(thing.amount),
        currency: text(thing.currency),
        objects: [id, idIn(thing.transfer)],
      }

function topup(thing: JsonObject): Said | null {
  return asked('topup', 'in', thing)
}

/** A transfer that a payment brings along is a part of that payment, which is told of itself. */
function transfer(thing: JsonObject, event: JsonObject): Said | null {
  if (idIn(thing.source_transaction) !== null && idIn(event.request) === null) return null
  return asked('transfer', 'out', thing)
}

/** The event shows the transfer with its reversals, the latest first. */
function reversal(thing: JsonObject): Said | null {
  if (thing.object === 'transfer_reversal') return asked('transfer_reversal', 'in', thing)
  const latest = list(object(thing.reversals)?.data)[0]
  return latest === undefined ? null : asked('transfer_reversal', 'in', latest)
}

/** An inquiry (`warning_…`) takes nothing from the account. */
function dispute(thing: JsonObject): Said | null {
  const id = text(thing.id)
  if (id === null || text(thing.status)?.startsWith('warning_') === true) return null
  return {
    id,
    kind: 'dispute',
    direction: 'out',
    cause: 'object',
    minor: integer(thing.amount),
    currency: text(thing.currency),
    objects: [idIn(thing.payment_intent), idIn(thing.charge)],
  }
}

/** What was bought with an issued card: the amount is negative. What a shop gives back refills nothing. */
function cardSpend(thing: JsonObject): Said | null {
  const id = text(thing.id)
  const minor = integer(thing.amount)
  if (id === null || minor === null || !minor.startsWith('-')) return null
  return {
    id,
    kind: 'card_spend',
    direction: 'out',
    cause: 'object',
    minor,
    currency: text(thing.currency),
    objects: [idIn(thing.card)],
  }
}

/** Which of the readers knows the source of a balance transaction, by the kind of object it is. */
const READER_OF: Readonly<Record<string, Reader>> = {
  charge,
  dispute,
  'issuing.transaction': cardSpend,
  payout,
  refund,
  topup,
  transfer,
  transfer_reversal: reversal,
}

/**
 * What a balance transaction, its source expanded, says has moved: for what no event told of. Null for fees and reserves,
 * which are the account's with Stripe, and for what took nothing.
 */
export function movedInTransaction(transaction: JsonObject, rates: Rates): Moved | null {
  const source = object(transaction.source)
  const created = integer(source?.created) ?? integer(transaction.created)
  const reader = READER_OF[text(source?.object) ?? '']
  if (source === null || created === null || reader === undefined || TAKEN_BACK.has(text(transaction.type) ?? ''))
    return null
  const said = reader(source, {})
  return said && moved(said, Number(created) * 1000, rates, source, { upstreamKey: null, requestId: null })
}

/** Transactions on the same source that undo what an earlier one did. */
const TAKEN_BACK: ReadonlySet<string> = new Set([
  'payout_cancel',
  'payout_failure',
  'refund_failure',
  'transfer_cancel',
  'transfer_failure',
  'topup_reversal',
])
