/**
 * The operator's accounts at the vendors: what really happens there, whatever spendgate is told. Shares no code with the
 * product, so it cannot share its mistakes. Amounts are whole micro-USD.
 */

export interface Arrived {
  readonly vendor: string
  readonly method: string
  /** Without query. */
  readonly path: string
  readonly params: ReadonlyMap<string, string>
  readonly json: Readonly<Record<string, unknown>> | null
  readonly idempotencyKey: string | null
}

export interface Reply {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** A payment intent as Stripe has it. Amounts in cents. */
export interface Intent {
  readonly id: string
  /** The request that made it. */
  readonly madeBy: string
  readonly customer: string
  amount: number
  capturable: number
  received: number
  status: 'requires_confirmation' | 'requires_capture' | 'succeeded' | 'canceled'
  readonly manual: boolean
}

/** Money that moved at once and for good. */
export interface Moved {
  /** The request that did it. */
  readonly by: string
  readonly micro: bigint
}

export const MICRO_A_CENT = 10_000n
/** What Twilio and Resend really charge, below what spendgate reserves. */
const SMS_MICRO = 14_500n
const EMAIL_MICRO = 900n
/** How long an idempotency key is remembered, by the vendor's own clock. */
const REMEMBERED_MS = 24 * 3_600_000

interface Remembered {
  readonly request: string
  readonly at: number
  /** Null while it is being worked on. */
  reply: Reply | null
}

export class Accounts {
  readonly intents = new Map<string, Intent>()
  readonly moved: Moved[] = []
  /** What each request that was executed was answered, whether or not anybody heard it. */
  readonly replies = new Map<string, Reply>()
  /** Told of every request whose execution may have changed what has moved or can move. */
  onExecuted: (by: string) => void = () => {}
  readonly #now: () => number
  readonly #keys = new Map<string, Remembered>()
  #serial = 0

  /** @param now the vendors' own time, which nobody sets, ms */
  constructor(now: () => number) {
    this.#now = now
  }

  /**
   * Takes a request in. A reply means that the idempotency key answers for it; null that it is to be executed.
   *
   * @throws nothing; a key that is in use or was used for another request is answered as Stripe does
   */
  enter(request: Arrived): Reply | null {
    const { idempotencyKey: key } = request
    if (key === null) return null
    const known = this.#keys.get(`${request.vendor} ${key}`)
    const text = textOf(request)
    if (known === undefined || this.#now() - known.at >= REMEMBERED_MS) {
      this.#keys.set(`${request.vendor} ${key}`, { request: text, at: this.#now(), reply: null })
      return null
    }
    if (known.request !== text)
      return error(400, 'Keys for idempotent requests can only be used with the same request.')
    return known.reply ?? error(409, 'There is currently another in-progress request using this key.')
  }

  /** Remembers a reply that did not come from executing. Stripe keeps declines and 500s; refusals at the door it forgets. */
  keep(request: Arrived, reply: Reply): void {
    const name = `${request.vendor} ${request.idempotencyKey ?? ''}`
    const known = this.#keys.get(name)
    if (known === undefined) return
    if (reply.status === 402 || reply.status >= 500) known.reply = reply
    else if (known.reply === null) this.#keys.delete(name)
  }

  /** Does what a request asks for. @param by names it */
  execute(request: Arrived, by: string): Reply {
    const reply = request.vendor === 'stripe' ? this.#stripe(request, by) : this.#message(request, by)
    const known = this.#keys.get(`${request.vendor} ${request.idempotencyKey ?? ''}`)
    if (known !== undefined) known.reply = reply
    this.replies.set(by, reply)
    this.onExecuted(by)
    return reply
  }

  /** What a look-up or a read sees. */
  read({ path }: Arrived): Reply {
    const [, kind, id] = /^\/v1\/(payment_intents|charges|customers)\/([^/]+)$/.exec(path) ?? []
    if (kind === 'payment_intents') {
      const intent = this.intents.get(id!)
      return intent ? { status: 200, body: shown(intent) } : error(404, 'No such payment_intent')
    }
    if (kind === 'charges')
      return { status: 200, body: { id, object: 'charge', amount: 100_000, currency: 'usd', customer: 'cus_A' } }
    if (kind === 'customers') return { status: 200, body: { id, object: 'customer' } }
    return { status: 200, body: { object: 'list', data: [], has_more: false } }
  }

  #stripe(request: Arrived, by: string): Reply {
    const { path, params } = request
    if (path === '/v1/refunds') {
      const cents = Number(params.get('amount'))
      this.moved.push({ by, micro: BigInt(cents) * MICRO_A_CENT })
      const body = { id: this.#id('re'), object: 'refund', amount: cents, currency: 'usd', status: 'succeeded' }
      return { status: 200, body }
    }
    if (path === '/v1/payment_intents') return this.#create(params, by)
    const [, id, act] = /^\/v1\/payment_intents\/([^/]+)(?:\/([a-z_]+))?$/.exec(path) ?? []
    const intent = this.intents.get(id ?? '')
    if (intent === undefined) return error(404, 'No such payment_intent')
    return this.#act(intent, act ?? 'update', params)
  }

  #create(params: ReadonlyMap<string, string>, by: string): Reply {
    const amount = Number(params.get('amount'))
    const intent: Intent = {
      id: this.#id('pi'),
      madeBy: by,
      customer: params.get('customer') ?? '',
      amount,
      capturable: 0,
      received: 0,
      status: 'requires_confirmation',
      manual: params.get('capture_method') === 'manual',
    }
    this.intents.set(intent.id, intent)
    if (params.get('confirm') === 'true') confirm(intent)
    return { status: 200, body: shown(intent) }
  }

  #act(intent: Intent, act: string, params: ReadonlyMap<string, string>): Reply {
    const is = (...statuses: readonly Intent['status'][]): boolean => statuses.includes(intent.status)
    const cents = Number(params.get('amount') ?? params.get('amount_to_capture') ?? 0)
    if (act === 'update' && is('requires_confirmation')) intent.amount = cents || intent.amount
    else if (act === 'confirm' && is('requires_confirmation')) confirm(intent)
    else if (act === 'increment_authorization' && is('requires_capture') && cents > intent.amount) {
      intent.capturable += cents - intent.amount
      intent.amount = cents
    } else if (act === 'capture' && is('requires_capture') && cents <= intent.capturable) {
      const taken = cents || intent.capturable
      intent.received += taken
      intent.capturable -= taken
      if (params.get('final_capture') !== 'false' || intent.capturable === 0) {
        intent.capturable = 0
        intent.status = 'succeeded'
      }
    } else if (act === 'cancel' && is('requires_confirmation', 'requires_capture')) {
      intent.capturable = 0
      intent.status = 'canceled'
    } else return error(400, `This PaymentIntent's status is ${intent.status}.`)
    return { status: 200, body: shown(intent) }
  }

  #message(request: Arrived, by: string): Reply {
    if (request.vendor === 'twilio') {
      this.moved.push({ by, micro: SMS_MICRO })
      return { status: 201, body: { sid: this.#id('SM'), status: 'queued', num_segments: '1', price: null } }
    }
    const to = request.json?.to
    this.moved.push({ by, micro: EMAIL_MICRO * BigInt(Array.isArray(to) ? to.length : 1) })
    return { status: 200, body: { id: this.#id('email') } }
  }

  #id(prefix: string): string {
    return `${prefix}_${++this.#serial}`
  }
}

/** What an intent has moved, or can still move without another call. */
export const exposureOf = (intent: Intent): bigint =>
  BigInt(intent.status === 'succeeded' || intent.status === 'canceled' ? intent.received : intent.amount) * MICRO_A_CENT

function confirm(intent: Intent): void {
  if (intent.manual) {
    intent.status = 'requires_capture'
    intent.capturable = intent.amount
    return
  }
  intent.status = 'succeeded'
  intent.received = intent.amount
}

const shown = (intent: Intent): Reply['body'] => ({
  id: intent.id,
  object: 'payment_intent',
  amount: intent.amount,
  amount_capturable: intent.capturable,
  amount_received: intent.received,
  currency: 'usd',
  customer: intent.customer,
  status: intent.status,
})

export const error = (status: number, message: string): Reply => ({ status, body: { error: { message } } })

const textOf = ({ method, path, params, json }: Arrived): string => JSON.stringify([method, path, [...params], json])
