import type { Twilio } from 'twilio'
import { larger, priced, usd, ZERO, type Usd } from '../../src/contracts/money.js'
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
import { isObject, textOf } from './answers.js'
import { isE164 } from './phone.js'

const MINUTE_MS = 60_000

/** Twilio's clock and ours may differ, and a request may wait at Twilio. */
const BEFORE_MS = 5 * MINUTE_MS
const AFTER_MS = 10 * MINUTE_MS
const SKEW_MS_MAX = MINUTE_MS
/** Lists are read again until this long after the call was given up: what was sent is in them by then. */
const CERTAIN_MS = 10 * MINUTE_MS
/** Rows with the recipient's number that are read at most, a page at a time. */
const PAGE = 1000
const PAGES_MAX = 10
/** Lists are sorted by an instant that may be hours from the creation (a message that waited). */
const DISORDER_MS = 24 * 60 * MINUTE_MS
/** Legs that TwiML dialled from one call. */
const CHILDREN_MAX = 50
/** A verification that nobody entered a code for is over after ten minutes; its price does not change any more. */
const VERIFIED_MS = 60 * MINUTE_MS

/** Nothing was delivered, and Twilio charges this for the attempt (secondary source, 2026). */
const FAILED_USD = '0.001'

/**
 * Twilio knows no idempotency keys, so a message or call is found by whom it went to, when, and what it said. Prices are
 * named later, as negative texts.
 */
export const records: Records = {
  open: async (reach) => new TwilioReading(await clientFor(reach), reach),
}

/** Twilio's client behind an httpClient that goes where the reach says. Loaded only here: it takes 300 ms. */
export async function clientFor(reach: Reach): Promise<Twilio> {
  const { default: makeClient } = await import('twilio')
  const httpClient = new makeClient.RequestClient({ timeout: reach.timeoutMs })
  const { origin } = reach
  if (origin !== null) {
    const send = httpClient.request.bind(httpClient)
    httpClient.request = (asked) => {
      const uri = new URL(asked.uri)
      asked.uri = `${origin}${uri.pathname}${uri.search}`
      // A stand-in for several products is told which one is meant.
      if (uri.origin !== origin) asked.headers = { ...asked.headers, Host: uri.host }
      return send(asked)
    }
  }
  const { account_sid: account = '', api_key_sid: key, api_key_secret: secret, auth_token: token } = reach.secret
  return makeClient(key ?? account, secret ?? token ?? '', { accountSid: account, httpClient })
}

/** @throws RecordsFault in place of the SDK's errors, whose texts may quote what was sent */
export async function read<T>(what: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (cause) {
    const { status, code } = cause as { status?: unknown; code?: unknown }
    // What is neither a refusal nor a broken connection is a bug of ours.
    if (typeof status !== 'number' && typeof code !== 'string') throw cause
    if (typeof status !== 'number')
      throw new RecordsFault(`Twilio gave no answer when asked for ${what}.`, { busy: true, cause })
    throw new RecordsFault(`Twilio answered ${status} when asked for ${what}.`, {
      busy: status === 429 || status >= 500,
      cause,
    })
  }
}

/** A message or call as a list shows it. */
interface Listed {
  readonly sid: string
  readonly from: string | null
  readonly service: string | null
  /** Null for a call. */
  readonly body: string | null
  readonly createdAt: number
  readonly reply: JsonObject
}

interface Whole {
  readonly rows: readonly Listed[]
  readonly complete: boolean
}
/** A page as Twilio's client gives it. */
interface Paged<T> {
  readonly instances: T[]
  readonly nextPageUrl?: string
  nextPage(): Promise<Paged<T>> | undefined
}

/** From the newest back to an instant. No filter by date: what has not been sent yet has no date to filter by. */
async function newest<T>(
  what: string,
  first: () => Promise<Paged<T>>,
  listed: (each: T) => Listed,
  since: number,
): Promise<Whole> {
  const rows: Listed[] = []
  let page: Paged<T> | undefined = await read(what, first)
  for (let pages = 1; page !== undefined && pages <= PAGES_MAX; pages++) {
    rows.push(...page.instances.map(listed))
    const oldest = rows.at(-1)
    const whole = page.nextPageUrl === undefined || (oldest !== undefined && oldest.createdAt < since - DISORDER_MS)
    if (whole) return { rows: rows.filter(({ createdAt }) => createdAt >= since), complete: true }
    const next: Promise<Paged<T>> | undefined = page.nextPage()
    page = next && (await read(what, () => next))
  }
  return { rows: rows.filter(({ createdAt }) => createdAt >= since), complete: false }
}

class TwilioReading implements Reading {
  readonly #client: Twilio
  readonly #reach: Reach
  /** What was found out to be some call's own in this run, before the ledger has it. */
  readonly #claimed = new Set<string>()

  constructor(client: Twilio, reach: Reach) {
    this.#client = client
    this.#reach = reach
  }

  async find(doubt: Doubt): Promise<Finding> {
    const list =
      doubt.operation === 'messages.create' ? this.#messages : doubt.operation === 'calls.create' ? this.#calls : null
    if (list === null)
      return unknown(`Twilio keeps no list in which one ${doubt.operation} could be told from another.`)
    if (doubt.request === null || doubt.request.body === null)
      return unknown(
        'What was sent was not kept, because it was too large or the server ended first, so it cannot be recognised.',
      )
    if (!doubt.path.includes(`/Accounts/${this.#reach.account}/`))
      return unknown('It was made in another account than the credential’s own, whose lists are others.')
    const sent = new URLSearchParams(doubt.request.body)
    const to = sent.get('To') ?? ''
    const { rows, complete } = await list(to, doubt.at - BEFORE_MS)
    const near = rows.filter(({ createdAt }) => createdAt <= doubt.until + AFTER_MS)
    const taken = await doubt.taken(near.map(({ sid }) => sid))
    const free = near.filter(({ sid }) => !taken.has(sid) && !this.#claimed.has(sid))
    const own = free.filter((row) => says(row, sent))
    const [only] = own
    if (own.length === 1 && only !== undefined) {
      this.#claimed.add(only.sid)
      return {
        found: 'executed',
        reply: only.reply,
        id: only.sid,
        why: `Twilio lists ${only.sid}: the same recipient, sender and text, at that time, and no other call’s.`,
      }
    }
    if (own.length > 1)
      return unknown(
        `Twilio lists ${own.length} that it may be (${own
          .slice(0, 3)
          .map(({ sid }) => sid)
          .join(', ')}).`,
      )
    if (free.length > 0)
      return unknown(
        `Twilio lists ${free[0]!.sid} to the same recipient at that time, but from another sender or with another text.`,
      )
    if (!isE164(to.replace(/^whatsapp:/, '')))
      return unknown('Twilio does not list it, but may list what is no number under another spelling.')
    if (!complete)
      return unknown(`Twilio has more than ${PAGE * PAGES_MAX} for this recipient, so its list was not read whole.`)
    if (doubt.elsewhere !== null) return unknown(`Twilio does not list it, but ${doubt.elsewhere}.`)
    if (this.#skewMs() > SKEW_MS_MAX)
      return unknown('Twilio does not list it, but its clock and ours differ, so another span may have been looked at.')
    if (this.#reach.now() < doubt.until + CERTAIN_MS)
      return unknown('Twilio does not list it so far; its list is trusted ten minutes after the call.')
    if (await doubt.deleted())
      return unknown('Twilio does not list it, but since then something was deleted there, which may have been it.')
    return {
      found: 'not_executed',
      why: 'Twilio’s list of what went to this recipient is complete and does not hold it.',
    }
  }

  #messages = (to: string, since: number): Promise<Whole> =>
    newest(
      'messages',
      () => this.#client.messages.page({ to, pageSize: PAGE }),
      ({ sid, from, messagingServiceSid: service, body, dateCreated, status, numSegments }) => ({
        sid,
        from,
        service,
        body,
        createdAt: dateCreated.getTime(),
        reply: { sid, status, num_segments: numSegments },
      }),
      since,
    )

  #calls = (to: string, since: number): Promise<Whole> =>
    newest(
      'calls',
      () => this.#client.calls.page({ to, pageSize: PAGE }),
      ({ sid, from, dateCreated, status }) => ({
        sid,
        from,
        service: null,
        body: null,
        createdAt: dateCreated.getTime(),
        reply: { sid, status },
      }),
      since,
    )

  /** How far Twilio's clock is from ours, by its last answer. */
  #skewMs(): number {
    const { headers } = (this.#client.httpClient as { lastResponse?: { headers?: unknown } }).lastResponse ?? {}
    const date = Date.parse(String((headers as { date?: unknown } | undefined)?.date ?? ''))
    return Number.isNaN(date) ? Number.POSITIVE_INFINITY : Math.abs(date - this.#reach.now())
  }

  async price(estimate: Estimated): Promise<Price> {
    switch (estimate.id.slice(0, 2)) {
      case 'SM':
      case 'MM':
        return this.#priceOfMessage(estimate)
      case 'CA':
        return this.#priceOfCall(estimate)
      case 'VE':
        return this.#priceOfVerification(estimate)
      default:
        return { kept: true, why: `Twilio names no price of ${estimate.id}.` }
    }
  }

  async #priceOfMessage({ id }: Estimated): Promise<Price> {
    const message = await this.#found('a message', () => this.#client.messages(id).fetch())
    if (message === null) return { kept: true, why: `Twilio does not know ${id} any more.` }
    const { status, price, priceUnit, to, numSegments } = message
    if (status === 'canceled') return { final: ZERO, why: `${id} was canceled before it was sent.` }
    if (status === 'failed')
      return { final: priced('1', this.#reach.prices.flat('message.failed') ?? FAILED_USD), why: `${id} has failed.` }
    const charged = this.#inUsd(price, priceUnit)
    if (charged === null) return MESSAGE_OVER.has(status) && price !== null ? inOther(id, priceUnit) : PENDING
    // Whether `price` holds what carriers charge beside it is documented nowhere, so it is added where the table has it.
    const row = to.startsWith('+') ? this.#reach.prices.prefix('sms', to) : {}
    if (row === null)
      return {
        kept: true,
        why: `What carriers charge beside the price of ${id} is not known: ${this.#reach.prices.why('sms')}`,
      }
    const { carrier } = row
    const parts = /^[1-9][0-9]{0,2}$/.test(numSegments) ? numSegments : '1'
    const beside = carrier !== undefined && DECIMAL.test(carrier) ? priced(BigInt(parts), carrier) : ZERO
    return { final: usd(charged + beside), why: `Twilio’s price of ${id} is ${price} ${priceUnit}.` }
  }

  async #priceOfCall({ id }: Estimated): Promise<Price> {
    const call = await this.#found('a call', () => this.#client.calls(id).fetch())
    if (call === null) return { kept: true, why: `Twilio does not know ${id} any more.` }
    const legs = await read('the legs of a call', () =>
      this.#client.calls.list({ parentCallSid: id, limit: CHILDREN_MAX + 1 }),
    )
    // A filter that was not kept would bring the account's other calls.
    if (legs.some(({ parentCallSid }) => parentCallSid !== id))
      return { kept: true, why: `The legs of ${id} are not known.` }
    if (legs.length > CHILDREN_MAX) return { kept: true, why: `${id} has more than ${CHILDREN_MAX} legs.` }
    let sum = ZERO
    for (const { status, price, priceUnit } of [call, ...legs]) {
      if (NEVER_ANSWERED.has(status) && price === null) continue
      const charged = this.#inUsd(price, priceUnit)
      if (charged === null) return CALL_OVER.has(status) && price !== null ? inOther(id, priceUnit) : PENDING
      sum = usd(sum + charged)
    }
    return { final: sum, why: `Twilio’s price of ${id} and its ${legs.length} further legs is known.` }
  }

  /** What the sendings cost, and the fee for a success, which no record names. */
  async #priceOfVerification({ id, at }: Estimated): Promise<Price> {
    const attempts = await read('attempts of a verification', () =>
      this.#client.verify.v2.verificationAttempts.list({ verificationSid: id, limit: 100 }),
    )
    if (attempts.length === 0) return PENDING
    let sum = ZERO
    for (const { price } of attempts) {
      const { value, currency } = (isObject(price) ? price : {}) as { value?: unknown; currency?: unknown }
      const text = typeof value === 'number' ? String(value) : (textOf(value) ?? null)
      const charged = this.#inUsd(text, textOf(currency) ?? '')
      if (charged === null) return PENDING
      sum = usd(sum + charged)
    }
    const approved = attempts.some(({ conversionStatus }) => conversionStatus === 'converted')
    if (!approved && this.#reach.now() < at + VERIFIED_MS) return PENDING
    const fee = approved ? this.#reach.prices.flat('verify.approved') : '0'
    if (fee === null) return { kept: true, why: this.#reach.prices.why('verify.approved') }
    return {
      final: usd(sum + priced('1', fee)),
      why: `Twilio’s price of ${attempts.length} sendings of ${id} is known; it was ${approved ? '' : 'not '}approved.`,
    }
  }

  /** The absolute value of a price in USD; null when there is none, or no rate. */
  #inUsd(price: string | null, unit: string | null): Usd | null {
    const text = price?.replace(/^-/, '') ?? ''
    if (!DECIMAL.test(text) || unit === null) return null
    if (unit.toUpperCase() === 'USD') return larger(priced('1', text), ZERO)
    // The rate is for one major unit: as a currency without minor ones it takes the text as it is.
    return this.#reach.rates.convert(text, 0, unit.toLowerCase())?.settle ?? null
  }

  /** Null where Twilio has no such thing. */
  async #found<T>(what: string, ask: () => Promise<T>): Promise<T | null> {
    try {
      return await read(what, ask)
    } catch (fault) {
      if (fault instanceof RecordsFault && (fault.cause as { status?: unknown } | undefined)?.status === 404)
        return null
      throw fault
    }
  }
}

const PENDING: Price = { pending: true }
const DECIMAL = /^[0-9]{1,9}(?:\.[0-9]{1,12})?$/
const MESSAGE_OVER: ReadonlySet<string> = new Set(['delivered', 'undelivered', 'sent', 'read', 'received'])
const NEVER_ANSWERED: ReadonlySet<string> = new Set(['busy', 'failed', 'no-answer', 'canceled'])
const CALL_OVER: ReadonlySet<string> = new Set([...NEVER_ANSWERED, 'completed'])

const inOther = (id: string, unit: string | null): Price => ({
  kept: true,
  why: `Twilio priced ${id} in ${(unit ?? 'nothing').slice(0, 10)}, for which there is no rate.`,
})

const unknown = (why: string): Finding => ({ found: 'unknown', why })

/** Whether a listed message or call may be what was sent: all of it that both tell is the same. */
function says(row: Listed, sent: URLSearchParams): boolean {
  const service = sent.get('MessagingServiceSid')
  const from = sent.get('From')
  if (service !== null && service !== '') {
    if (row.service !== service) return false
  } else if (row.from !== from) return false
  // What a template says stands at Twilio.
  const body = sent.get('ContentSid') ? null : sent.get('Body')
  return row.body === null || body === null || row.body === body
}
