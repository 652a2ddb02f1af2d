import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { callIdOf, codeOf, payment } from './given.js'

/** One request on its way to a vendor: its place among everything that happened, and whose it is. */
export interface Sent {
  readonly order: number
  /** The victim it is for. */
  readonly victim: Victim
  readonly vendor: 'stripe' | 'resend'
  /** The call it is; null for a look-up. */
  readonly tag: string | null
  /** Whether it is the child's, whose calls are under its run; look-ups do not tell. */
  readonly byChild: boolean
}

/** A root key with a child, under both of which calls are made until somebody stops them. */
export interface Victim {
  readonly number: number
  readonly root: IssuedKey
  readonly child: IssuedKey
  readonly run: string
  /** A charge that only its refunds look up. */
  readonly charge: string
}

/** What became of one call. */
export interface Made {
  readonly victim: Victim
  readonly tag: string
  readonly callId: string
  readonly code: string | null
}

interface Slot {
  victim: Victim
  /** Resolves when the stop that was met is over: there is another victim, or the freeze is lifted. */
  goOn: Promise<void>
}

/** How long the vendors take over most requests, and over every fourth. In it a call is in flight. */
const SLOW_MS = 250
const FAST_MS = 10
const STOPPED = new Set(['key_revoked', 'key_expired', 'key_frozen'])

/**
 * Clients that never pause, on several keys at once, so that a stop of one of them always meets calls in every state:
 * being read, waiting for a look-up, being admitted, about to leave, at the vendor, on their way back. Everything runs in
 * one process, so that what happened has one order: the first byte of each request to a vendor is noted in the turn in
 * which it is written, by the client that writes it and not by what decides.
 */
export class Storm {
  readonly sent: Sent[] = []
  readonly made: Made[] = []
  readonly #world: World
  readonly #clientsASlot: number
  readonly #slots: Slot[] = []
  readonly #victims: Victim[] = []
  readonly #byCharge = new Map<string, Victim>()
  #clients: Promise<void>[] = []
  #order = 0
  #tags = 0
  #under = 0
  #over = false

  constructor(world: World, clients: number, slots: number) {
    this.#world = world
    this.#clientsASlot = Math.ceil(clients / slots)
    this.#slots.length = slots
  }

  /** Keys for every slot, and all clients at work. @param life how long keys last; without it they do not expire */
  async start(life?: string): Promise<void> {
    const { stripe } = this.#world
    await this.#world.must('POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name: 'storm',
      daily_cap_usd: '1000000.00',
      vendors: {
        stripe: { endpoints: { allow: ['* *'] } },
        resend: { endpoints: { allow: ['* *'] } },
      },
    })
    for (let at = 0; at < this.#slots.length; at++)
      this.#slots[at] = { victim: await this.victim(life), goOn: Promise.resolve() }
    for (const vendor of [stripe, this.#world.resend]) {
      const times = Number.MAX_SAFE_INTEGER
      vendor.fault(({ at }) => at % 4 === 0, { do: 'late', ms: FAST_MS, times })
      vendor.fault('', { do: 'late', ms: SLOW_MS, times })
    }
    subscribe(CHANNEL, this.#leaves)
    this.#clients = this.#slots.flatMap((slot) =>
      Array.from({ length: this.#clientsASlot }, (_, n) => this.#client(slot, n)),
    )
  }

  /** Lets every client finish the call it is in. */
  async end(): Promise<void> {
    this.#over = true
    await Promise.all(this.#clients)
    unsubscribe(CHANNEL, this.#leaves)
    for (const vendor of [this.#world.stripe, this.#world.resend]) vendor.faults.length = 0
  }

  /** Calls that were made and are not answered. */
  get underWay(): number {
    return this.#under
  }

  get slots(): readonly Slot[] {
    return this.#slots
  }

  /** The present place in the order of everything. */
  now(): number {
    return ++this.#order
  }

  async victim(life?: string): Promise<Victim> {
    const number = this.#victims.length
    const ids = await this.#world.credentials()
    const root: IssuedKey = await this.#world.must('POST', '/keys', {
      name: `victim-${number}`,
      policy: 'storm',
      credentials: [ids.stripe, ids.resend],
      ...(life === undefined ? {} : { expires_in: life }),
    })
    const run = `run_${number}`
    const child: IssuedKey = await this.#world.must('POST', `/keys/${root.id}/runs`, { run })
    const { id: charge } = this.#world.stripe.addCharge({ customer: 'cus_A', amount: 100_000_000 })
    const victim = { number, root, child, run, charge }
    this.#victims.push(victim)
    this.#byCharge.set(charge, victim)
    return victim
  }

  /**
   * Many calls at once for one victim, and as many turns of the event loop: from stop to stop the stop meets them a
   * little further on their way.
   */
  async burst(victim: Victim, turns: number): Promise<void> {
    for (let call = 0; call < BURST; call++) this.#clients.push(this.call(victim, call).then(() => undefined))
    for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate)
  }

  /** While it is stopped the clients of these slots wait: a refused client that asked on would only heat the room. */
  hold(slots: readonly Slot[]): () => void {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => (release = resolve))
    for (const slot of slots) slot.goOn = held
    return release
  }

  /** One call in a kind's turn: a payment, a refund that looks its charge up first, or an e-mail. */
  async call(victim: Victim, turn: number): Promise<Answer> {
    const byChild = turn % 2 === 1
    const tag = `v${victim.number}-${++this.#tags}${byChild ? 'c' : ''}`
    const { key } = byChild ? victim.child : victim.root
    this.#under++
    try {
      const answer = await this.#ask(key, victim, tag, turn)
      this.made.push({ victim, tag, callId: callIdOf(answer), code: codeOf(answer) })
      return answer
    } finally {
      this.#under--
    }
  }

  #ask(key: string, victim: Victim, tag: string, turn: number): Promise<Answer> {
    const kind = Math.floor(turn / 2) % 4
    if (kind === 3)
      return this.#world.call(
        key,
        'POST',
        '/resend/emails',
        JSON.stringify({ from: 'a@acme.com', to: 'b@acme.com', subject: tag, text: 'x' }),
        { 'content-type': 'application/json' },
      )
    if (kind === 2) {
      const refund = { charge: victim.charge, amount: '1', 'metadata[n]': tag }
      return this.#world.call(key, 'POST', '/stripe/v1/refunds', refund)
    }
    return this.#world.call(key, 'POST', '/stripe/v1/payment_intents', payment(1, { 'metadata[n]': tag }))
  }

  async #client(slot: Slot, first: number): Promise<void> {
    for (let turn = first; !this.#over; turn++) {
      const answer = await this.call(slot.victim, turn)
      if (STOPPED.has(codeOf(answer) ?? '')) await slot.goOn
    }
  }

  readonly #leaves = (message: unknown): void => {
    const { request } = message as { request: { origin: unknown; path: string; body: unknown } }
    const origin = String(request.origin)
    if (origin !== this.#world.stripe.origin && origin !== this.#world.resend.origin) return
    const body = request.body === null ? '' : Buffer.from(request.body as Uint8Array).toString('utf8')
    const tag = TAG.exec(body)
    const charge = /^\/v1\/charges\/(\w+)/.exec(request.path)?.[1]
    const victim = tag === null ? this.#byCharge.get(charge ?? '') : this.#victims[Number(tag[1])]
    if (victim === undefined) throw new Error(`a request of nobody's left: ${request.path}`)
    this.sent.push({
      order: ++this.#order,
      victim,
      vendor: origin === this.#world.stripe.origin ? 'stripe' : 'resend',
      tag: tag?.[0] ?? null,
      byChild: tag?.[2] === 'c',
    })
  }
}

const BURST = 16
/** What marks a call in its body: its victim, its number, and whether the child made it. */
export const TAG = /\bv(\d+)-\d+(c?)\b/
/** A connection tells of each request right before it writes it to its socket. */
const CHANNEL = 'spendgate:vendor:request'
