import type { Stripe } from 'stripe'
import { usd, ZERO, type Usd } from '../../src/contracts/money.js'
import {
  RecordsFault,
  type Doubt,
  type Estimated,
  type Finding,
  type Price,
  type Reach,
  type Reading,
  type Records,
} from '../../src/contracts/records.js'
import type { JsonObject } from '../../src/contracts/vendor.js'
import { exponentOf } from './currencies.js'
import { idIn, integer, object, text } from './replies.js'
import { API_VERSION } from './sources.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** Keys may be pruned once they are 24 h old, and then the same key is a new request: an hour is kept clear of that. */
const REPEATABLE_MS = 23 * HOUR_MS
/** After so long no request under the key can be executed any more, and the event of one that was is not late but missing. */
const CERTAIN_MS = 25 * HOUR_MS
/** Events are kept for 30 days (docs.stripe.com/api/events, November 2026). */
const KEPT_MS = 29 * 24 * HOUR_MS

/** Stripe's clock and ours may differ, and a request may wait at Stripe. */
const BEFORE_MS = HOUR_MS
const AFTER_MS = HOUR_MS
const SKEW_MS_MAX = 10 * MINUTE_MS
/** Spans that are read begin and end on these, so that calls of one accident share what was read. */
const STEP_MS = 10 * MINUTE_MS
/** How every idempotency key of ours begins. */
const OURS = 'sg_'
const PAGE = 100
const EVENTS_MAX = 10_000

/**
 * Operations that leave an event under the key of their request whenever they are executed (docs.stripe.com/api/events/types,
 * November 2026), by the object that the reply and the event hold. Only for these does a complete list without an event
 * prove that nothing was done.
 */
const LEAVES_EVENT: Readonly<Record<string, string>> = {
  'charges.capture': 'charge',
  'charges.create': 'charge',
  'coupons.create': 'coupon',
  'credit_notes.create': 'credit_note',
  'customers.create': 'customer',
  'invoiceitems.create': 'invoiceitem',
  'invoices.create': 'invoice',
  'payment_intents.cancel': 'payment_intent',
  'payment_intents.capture': 'payment_intent',
  'payment_intents.confirm': 'payment_intent',
  'payment_intents.create': 'payment_intent',
  'payouts.create': 'payout',
  'prices.create': 'price',
  'products.create': 'product',
  'promotion_codes.create': 'promotion_code',
  'quotes.create': 'quote',
  'refunds.create': 'refund',
  'setup_intents.create': 'setup_intent',
  'subscriptions.create': 'subscription',
  'topups.create': 'topup',
  'transfers.create': 'transfer',
}

/** Objects of other operations, whose events are joined where there are any. */
const REPLIES_WITH: Readonly<Record<string, string>> = {
  'invoices.finalize': 'invoice',
  'invoices.pay': 'invoice',
  'invoices.void': 'invoice',
  'payment_intents.increment_authorization': 'payment_intent',
  'payment_intents.update': 'payment_intent',
  'payment_links.create': 'payment_link',
  'subscription_schedules.create': 'subscription_schedule',
  'subscriptions.cancel': 'subscription',
  'subscriptions.update': 'subscription',
}

/** Where an object is read that goes on changing after the event: what it says now is what the call came to. */
const READ_AGAIN: Readonly<Record<string, string>> = {
  charge: '/v1/charges',
  invoice: '/v1/invoices',
  payment_intent: '/v1/payment_intents',
  subscription: '/v1/subscriptions',
}

/** Events that say that the bank refused what the request asked for. */
const DECLINED: ReadonlySet<string> = new Set(['charge.failed', 'payment_intent.payment_failed'])

/** Stripe's own records: events by the idempotency key of their request, and balance transactions for what was really paid. */
export const records: Records = {
  open: async (reach) => new StripeReading(await clientFor(reach), reach),
  // A retry under /v2 runs what failed again, and the hosted tools know no key.
  repeatableMs: (_operation, path) => (path.startsWith('/v1/') ? REPEATABLE_MS : null),
  repeatTells,
}

/** Stripe's client, led to where the reach says. Loaded only here: it takes 100 ms. */
export async function clientFor(reach: Reach): Promise<Stripe> {
  const { Stripe: Client } = await import('stripe')
  const origin = reach.origin === null ? null : new URL(reach.origin)
  return new Client(reach.secret.api_key ?? '', {
    // What is read here is the same in all versions that can be pinned, and the package's types are of this one.
    apiVersion: API_VERSION,
    // What was refused for being too fast is asked again by the run, later.
    maxNetworkRetries: 0,
    timeout: reach.timeoutMs,
    telemetry: false,
    ...(origin !== null && {
      host: origin.hostname,
      port: origin.port === '' ? (origin.protocol === 'http:' ? 80 : 443) : Number(origin.port),
      protocol: origin.protocol === 'http:' ? ('http' as const) : ('https' as const),
    }),
  })
}

/** @throws RecordsFault in place of the SDK's errors, whose texts may quote what was sent */
export async function read<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    const { statusCode: status, type } = cause as { statusCode?: unknown; type?: unknown }
    // What is no error of Stripe's client is one of ours.
    if (typeof type !== 'string' || !type.startsWith('Stripe')) throw cause
    if (typeof status !== 'number')
      throw new RecordsFault(`Stripe gave no answer when asked for ${what}.`, { busy: true, cause })
    throw new RecordsFault(`Stripe answered ${status} when asked for ${what}.`, {
      busy: status === 429 || status >= 500,
      cause,
    })
  }
}

/**
 * Whether the answer to a repeated request tells what became of the first. Key and rate are checked before the stored
 * answer is looked for, a key still in use has none yet, and a mismatch says nothing of the first request.
 */
function repeatTells(status: number, reply: JsonObject | null): boolean {
  if (status === 401 || status === 403 || status === 409 || status === 429) return false
  return object(reply?.error)?.type !== 'idempotency_error'
}

/** The events of a span, by the requests that caused them. */
interface Span {
  readonly from: number
  readonly to: number
  /** How far Stripe's clock was from ours when it was read. */
  readonly skewMs: number
  readonly account: string | null
  readonly complete: boolean
  readonly byKey: ReadonlyMap<string, readonly Stripe.Event[]>
  readonly byRequest: ReadonlyMap<string, readonly Stripe.Event[]>
}

class StripeReading implements Reading {
  readonly #client: Stripe
  readonly #reach: Reach
  readonly #spans: Span[] = []
  readonly #lists = new Map<string, boolean>()

  constructor(client: Stripe, reach: Reach) {
    this.#client = client
    this.#reach = reach
  }

  async find(doubt: Doubt): Promise<Finding> {
    if (!doubt.path.startsWith('/v1/'))
      return unknown('Stripe keeps events with idempotency keys for /v1 only, and a retry under /v2 may act again.')
    if (doubt.upstreamKeys.length === 0 && doubt.requestId === null)
      return unknown('The request had no idempotency key, so none of Stripe’s events can be told to be its own.')
    const now = this.#reach.now()
    if (doubt.at < now - KEPT_MS) return unknown('Stripe keeps events for 30 days, and the call is older.')
    if (headerOf(doubt, 'stripe-context') !== undefined)
      return unknown('It acted in the context of another account, whose events are others.')
    const account = headerOf(doubt, 'stripe-account') ?? null
    const span = await this.#span(doubt.at - BEFORE_MS, Math.min(doubt.until + AFTER_MS, now), account)
    const own = [
      ...doubt.upstreamKeys.flatMap((key) => span.byKey.get(key) ?? []),
      ...(doubt.requestId === null ? [] : (span.byRequest.get(doubt.requestId) ?? [])),
    ]
    if (own.length > 0) return this.#executed(doubt, own, account)
    if (!span.complete)
      return unknown(
        `Stripe has more than ${EVENTS_MAX} events around the call, and none of those that were read is its own.`,
      )
    if (LEAVES_EVENT[doubt.operation] === undefined || maybePartial(doubt))
      return unknown('No event is its own, but this operation need not leave one.')
    if (doubt.upstreamKeys.length === 0 || !doubt.keyCertain)
      return unknown('No event is its own, but the idempotency key it went out under is not known for certain.')
    if (doubt.elsewhere !== null) return unknown(`No event is its own, but ${doubt.elsewhere}.`)
    if (span.skewMs > SKEW_MS_MAX)
      return unknown(
        'No event is its own, but Stripe’s clock and ours differ, so the span that was read may be another.',
      )
    if (now < doubt.until + CERTAIN_MS)
      return unknown('No event is its own so far; Stripe may still know its idempotency key until a day has passed.')
    // A restricted key may be shown only the events of what it can read.
    if (!(await this.#readable(doubt.operation.split('.')[0]!, account)))
      return unknown('No event is its own, but the credential may not read what it would have made.')
    return {
      found: 'not_executed',
      why: 'Stripe’s list of events around the call is complete and holds none of it, and its idempotency key has expired.',
    }
  }

  /** Whether the credential may list a resource. Asked once a run. */
  async #readable(resource: string, account: string | null): Promise<boolean> {
    const name = `${account ?? ''}/${resource}`
    let readable = this.#lists.get(name)
    if (readable === undefined) {
      readable = (await this.#get(`/v1/${resource}?limit=1`, account)) !== null
      this.#lists.set(name, readable)
    }
    return readable
  }

  async #executed(doubt: Doubt, own: readonly Stripe.Event[], account: string | null): Promise<Finding> {
    const [newest] = own as [Stripe.Event]
    const declined = own.some(({ type }) => DECLINED.has(type))
    const wanted = LEAVES_EVENT[doubt.operation] ?? REPLIES_WITH[doubt.operation]
    const event = own.find((each) => plain(each.data.object).object === wanted) ?? null
    const seen = event === null ? null : plain(event.data.object)
    const why = `Stripe’s event ${(event ?? newest).id} (${(event ?? newest).type}) has its idempotency key.`
    const id = text(seen?.id) ?? newest.id
    if (seen === null) return { found: 'executed', reply: null, id, why }
    const reply = await this.#asItIsNow(seen, account)
    const status = text(reply.status)
    if (declined && (status === 'requires_payment_method' || status === 'failed'))
      return {
        found: 'not_executed',
        why: `Stripe’s event ${newest.id} (${newest.type}) says that it was declined.`,
        ...(doubt.operation === 'payment_intents.create' && { left: id }),
      }
    return { found: 'executed', reply, id, why }
  }

  /** The object as it stands; as the event has it where it cannot be read any more. */
  async #asItIsNow(seen: JsonObject, account: string | null): Promise<JsonObject> {
    const place = READ_AGAIN[text(seen.object) ?? '']
    const id = text(seen.id)
    if (place === undefined || id === null || !ID.test(id)) return seen
    return (await this.#get(`${place}/${id}`, account)) ?? seen
  }

  async #span(from: number, to: number, account: string | null): Promise<Span> {
    const known = this.#spans.find(
      (span) => span.account === account && span.from <= from && span.to >= to && span.complete,
    )
    if (known !== undefined) return known
    const now = this.#reach.now()
    const wide = {
      from: Math.floor(from / STEP_MS) * STEP_MS,
      to: Math.min(Math.ceil(to / STEP_MS) * STEP_MS, now),
    }
    const byKey = new Map<string, Stripe.Event[]>()
    const byRequest = new Map<string, Stripe.Event[]>()
    const created = { gte: Math.floor(wide.from / 1000), lte: Math.ceil(wide.to / 1000) }
    const options = account === null ? {} : { stripeAccount: account }
    let count = 0
    let skewMs = Number.POSITIVE_INFINITY
    let last: string | undefined
    let more = true
    while (more && count < EVENTS_MAX) {
      const page = await read('events', () =>
        this.#client.events.list(
          { created, limit: PAGE, ...(last === undefined ? {} : { starting_after: last }) },
          options,
        ),
      )
      const date = Date.parse(page.lastResponse.headers.date ?? '')
      skewMs = Math.min(skewMs, Number.isNaN(date) ? Number.POSITIVE_INFINITY : Math.abs(date - this.#reach.now()))
      for (const event of page.data) {
        // Only our own requests are kept: by their key, or where they had none by their id.
        const { id = null, idempotency_key: own = null } = event.request ?? {}
        if (own === null) put(byRequest, id, event)
        else if (own.startsWith(OURS)) put(byKey, own, event)
      }
      more = page.has_more
      // More that never comes is no whole list.
      if (page.data.length === 0) break
      count += page.data.length
      last = page.data.at(-1)!.id
    }
    const span = { ...wide, skewMs, account, complete: !more, byKey, byRequest }
    this.#spans.push(span)
    return span
  }

  /** What a payment in another currency really came to, once Stripe has booked it in the account's own. */
  async price(estimate: Estimated): Promise<Price> {
    const place = PRICED_AT.find(([prefix]) => estimate.id.startsWith(prefix))
    if (place === undefined || !ID.test(estimate.id))
      return { kept: true, why: `Stripe books ${estimate.id} in no balance transaction of its own.` }
    const [prefix, path] = place
    const intent = prefix === 'pi_'
    const expand = intent ? 'latest_charge.balance_transaction' : 'balance_transaction'
    const found = await this.#get(`${path}/${estimate.id}?expand[]=${expand}`, null)
    if (found === null) return { kept: true, why: `Stripe does not know ${estimate.id}.` }
    if (found.status === 'canceled') return { final: ZERO, why: `${estimate.id} was canceled: nothing moved.` }
    const charge = intent ? object(found.latest_charge) : found
    const booked = object(charge?.balance_transaction)
    if (charge === null || booked === null) return { pending: true }
    // Several captures have several bookings, and the intent and the charge name only one.
    const card = object(object(charge.payment_method_details)?.card)
    if (object(card?.multicapture)?.status === 'available')
      return { kept: true, why: `${estimate.id} may be captured in parts, each with a booking of its own.` }
    if (intent && integer(found.amount_received) !== integer(charge.amount_captured))
      return { kept: true, why: `${estimate.id} was paid by more than one charge.` }
    const amount = this.#inUsd(integer(booked.amount), text(booked.currency))
    if (amount === null) return { kept: true, why: `Stripe booked ${estimate.id} in a currency without a rate.` }
    return { final: amount, why: `Stripe’s balance transaction ${idIn(charge.balance_transaction)} says so.` }
  }

  #inUsd(minor: string | null, currency: string | null): Usd | null {
    const whole = minor?.replace(/^-/, '')
    if (whole === undefined || currency === null) return null
    if (currency === 'usd') return usd(BigInt(whole) * 10_000n)
    const exponent = exponentOf(currency)
    return exponent === null ? null : (this.#reach.rates.convert(whole, exponent, currency)?.settle ?? null)
  }

  /** Null where Stripe has no such object. */
  async #get(path: string, account: string | null): Promise<JsonObject | null> {
    const options = account === null ? {} : { stripeAccount: account }
    try {
      return await read(path.split('?')[0]!, async () =>
        plain(await this.#client.rawRequest('GET', path, undefined, options)),
      )
    } catch (fault) {
      if (fault instanceof RecordsFault && (fault.cause as { statusCode?: unknown })?.statusCode === 404) return null
      throw fault
    }
  }
}

const ID = /^[A-Za-z0-9_]{1,255}$/

/** Objects with a balance transaction, by the prefix of their id. */
const PRICED_AT: readonly (readonly [prefix: string, path: string])[] = [
  ['pi_', '/v1/payment_intents'],
  ['ch_', '/v1/charges'],
  ['py_', '/v1/charges'],
  ['re_', '/v1/refunds'],
  ['pyr_', '/v1/refunds'],
  ['tr_', '/v1/transfers'],
  ['po_', '/v1/payouts'],
]

/** One of several captures of an intent: which events it leaves is documented nowhere. */
const maybePartial = ({ operation, request }: Doubt): boolean =>
  operation === 'payment_intents.capture' && (request === null || /(?:^|&)final_capture=/.test(request.body ?? ''))

const unknown = (why: string): Finding => ({ found: 'unknown', why })

function headerOf({ request }: Doubt, name: string): string | undefined {
  const headers = request?.headers ?? []
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}

function put(into: Map<string, Stripe.Event[]>, key: string | null, event: Stripe.Event): void {
  if (!key) return
  const known = into.get(key)
  if (known === undefined) into.set(key, [event])
  else known.push(event)
}

/** What the package gives as one of its types, as the JSON it came as. */
const plain = (value: unknown): JsonObject => value as JsonObject
