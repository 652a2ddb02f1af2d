import type { Stripe } from 'stripe'
import { RecordsFault, type Moved, type Reach } from '../../src/contracts/records.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { EVENT_TYPES, movedIn, movedInTransaction, subscriptionOf } from './movements.js'
import { clientFor, read } from './records.js'
import { idIn, list, object, text } from './replies.js'

const PAGE = 100
/** Events and transactions of one reading, each. A span with more has to be read in parts. */
const ROWS_MAX = 5_000
/** Payments of one reading that are looked up one by one, because no event says whose they are or what they belong to. */
const LOOK_UPS_MAX = 100
/** An event is written within seconds of the request that caused it. */
const EVENT_NEAR_S = 120

/**
 * What moved in a span of time: by the events, and by the balance transactions for what no event told of. Payments that
 * name neither page nor invoice are tied to theirs by other events of the span, or else looked up.
 *
 * @throws RecordsFault
 */
export async function* readMovements(
  range: { readonly from: number; readonly to: number },
  reach: Reach,
): AsyncGenerator<Moved> {
  const stripe = await clientFor(reach)
  const created = { gte: Math.floor(range.from / 1000), lt: Math.ceil(range.to / 1000) }
  const events = await whole(
    stripe.events.list({ types: [...EVENT_TYPES], created, limit: PAGE } as Stripe.EventListParams),
    'events',
  )
  const told = new Map<string, Moved>()
  const hear = (moved: Moved | null): void => {
    if (moved === null) return
    const known = told.get(moved.id)
    told.set(moved.id, known === undefined ? moved : merged(known, moved))
  }
  const ties = tiesIn(events)
  // Oldest first, so that the first to tell of a payment dates it.
  for (const event of [...events].reverse()) hear(tied(movedIn(event, reach.rates), ties))
  const transactions = await whole(
    stripe.balanceTransactions.list({ created, limit: PAGE, expand: ['data.source'] }),
    'balance transactions',
  )
  let lookUps = LOOK_UPS_MAX
  for (const transaction of [...transactions].reverse()) {
    const moved = tied(movedInTransaction(transaction, reach.rates), ties)
    // What came about before this span was told by an event then, though it is booked only now.
    if (moved !== null && moved.at < created.gte * 1000) continue
    // A payment is told of under its invoice or intent. What an event has told needs no second word.
    if (moved !== null && !told.has(moved.id)) hear(lookUps-- > 0 ? await withRequest(stripe, moved) : moved)
  }
  for (const moved of told.values()) {
    if (moved.complete || moved.upstreamKey !== null || lookUps-- <= 0) yield moved
    else {
      const found = await lookedUp(stripe, moved)
      if (found.id === moved.id || !told.has(found.id)) yield found
    }
  }
}

/** All rows of a list, newest first. */
function whole(pages: AsyncIterable<object>, what: string): Promise<readonly JsonObject[]> {
  const rows: JsonObject[] = []
  return read(what, async () => {
    for await (const row of pages) if (rows.push(row as JsonObject) > ROWS_MAX) break
    return rows
  }).then((found) => {
    if (found.length <= ROWS_MAX) return found
    throw new RecordsFault(`Stripe has more than ${ROWS_MAX} ${what} in this span.`, { tooMuch: true })
  })
}

/** Which page or invoice a payment belongs to, by the id of its intent, and which page a subscription comes from. */
interface Tie {
  readonly id: string
  readonly objects: readonly string[]
  readonly makes: readonly string[]
}

function tiesIn(events: readonly JsonObject[]): ReadonlyMap<string, Tie> {
  const ties = new Map<string, Tie>()
  for (const event of events) {
    const thing = object(object(event.data)?.object)
    if (thing === null) continue
    if (thing.object === 'checkout.session') tiePage(ties, thing)
    else if (thing.object === 'invoice_payment') tiePayment(ties, thing)
    else if (thing.object === 'invoice') for (const each of list(object(thing.payments)?.data)) tiePayment(ties, each)
  }
  return ties
}

function tiePage(ties: Map<string, Tie>, session: JsonObject): void {
  const tie = tieOfPage(session)
  for (const id of [idIn(session.invoice), idIn(session.payment_intent)]) if (id !== null && tie) ties.set(id, tie)
}

function tieOfPage(session: JsonObject): Tie | null {
  const id = idIn(session.invoice) ?? idIn(session.payment_intent) ?? text(session.id)
  const pages = [idIn(session.payment_link), text(session.id)].filter((each) => each !== null)
  const subscription = idIn(session.subscription)
  return id === null ? null : { id, objects: pages, makes: subscription === null ? [] : [subscription] }
}

/** A page says more than the payment of its invoice, so it stays. */
function tiePayment(ties: Map<string, Tie>, payment: JsonObject): void {
  const invoice = idIn(payment.invoice)
  const intent = idIn(object(payment.payment)?.payment_intent)
  if (invoice === null || intent === null || ties.has(intent)) return
  const subscription = subscriptionOf(object(payment.invoice))
  ties.set(intent, { id: invoice, objects: subscription === null ? [invoice] : [invoice, subscription], makes: [] })
}

function tied(moved: Moved | null, ties: ReadonlyMap<string, Tie>): Moved | null {
  const tie = moved && ties.get(moved.id)
  if (!moved || tie == null) return moved
  // The invoice an intent has paid may in its turn belong to a page.
  const page = tie.id === moved.id ? tie : (ties.get(tie.id) ?? tie)
  return {
    ...moved,
    id: page.id,
    objects: [...new Set([...page.objects, ...moved.objects])],
    makes: [...new Set([...page.makes, ...moved.makes])],
  }
}

/** Two records of the same money. A page or an invoice says more than the charge; the request is whoever's names one. */
function merged(a: Moved, b: Moved): Moved {
  const [first, second] = b.complete && !a.complete ? [b, a] : a.kind === 'charge' && !a.complete ? [b, a] : [a, b]
  return {
    ...first,
    at: a.at < b.at ? a.at : b.at,
    complete: first.complete || second.complete,
    objects: [...new Set([...first.objects, ...second.objects])],
    makes: [...new Set([...first.makes, ...second.makes])],
    amount: first.amount ?? second.amount,
    upstreamKey: first.upstreamKey ?? second.upstreamKey,
    requestId: first.requestId ?? second.requestId,
  }
}

/** Whose request made the source of a transaction that no event of the span has told of. */
async function withRequest(stripe: Stripe, moved: Moved): Promise<Moved> {
  const second = Math.floor(moved.at / 1000)
  const created = { gte: second - EVENT_NEAR_S, lte: second + EVENT_NEAR_S }
  const types = [...EVENT_TYPES]
  const events = await whole(
    stripe.events.list({ created, types, limit: PAGE } as Stripe.EventListParams),
    'events',
  ).catch((fault: unknown) => {
    if (fault instanceof RecordsFault && fault.tooMuch) return []
    throw fault
  })
  for (const event of events) {
    const id = text(object(object(event.data)?.object)?.id)
    const request = object(event.request)
    if (request === null || id === null || !(moved.objects.includes(id) || moved.id === id)) continue
    return { ...moved, upstreamKey: text(request.idempotency_key), requestId: text(request.id) }
  }
  return moved
}

/** The page, or else the invoice, that a payment belongs to. */
async function lookedUp(stripe: Stripe, moved: Moved): Promise<Moved> {
  const ties = new Map<string, Tie>()
  const subscription = moved.objects.find((id) => id.startsWith('sub_'))
  try {
    if (moved.id.startsWith('pi_')) {
      for (const page of await pagesOf(stripe, { payment_intent: moved.id })) tiePage(ties, page)
      if (ties.size > 0) return { ...tied(moved, ties)!, complete: true }
      const payment = { type: 'payment_intent', payment_intent: moved.id } as const
      const asked = { payment, limit: 1, expand: ['data.invoice'] }
      const payments = await read('invoice payments', () => stripe.invoicePayments.list(asked))
      for (const each of rowsOf(payments)) tiePayment(ties, each)
    } else if (subscription !== undefined) {
      const [tie] = (await pagesOf(stripe, { subscription })).map(tieOfPage)
      if (tie) ties.set(moved.id, { ...tie, id: moved.id })
    }
  } catch (fault) {
    if (!(fault instanceof RecordsFault) || fault.busy) throw fault
    // A restricted key may read events and not these: what is known so far has to do.
    return moved
  }
  return { ...tied(moved, ties)!, complete: true }
}

const pagesOf = async (
  stripe: Stripe,
  by: { readonly payment_intent: string } | { readonly subscription: string },
): Promise<readonly JsonObject[]> =>
  rowsOf(await read('checkout sessions', () => stripe.checkout.sessions.list({ ...by, limit: 1 })))

/** Past this line Stripe's objects are read without trust, whatever the package calls them. */
const rowsOf = ({ data }: { readonly data: readonly object[] }): readonly JsonObject[] => data as readonly JsonObject[]
