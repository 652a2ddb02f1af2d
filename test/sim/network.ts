import type { Denial } from '../../src/contracts/call.js'
import type { UpstreamFault, UpstreamReply, UpstreamRequest, Withheld } from '../../src/wire/upstream.js'
import { error, type Accounts, type Arrived, type Reply } from './accounts.js'
import type { Dice } from './dice.js'
import type { Loop } from './loop.js'
import type { Trace } from './trace.js'

type Result = UpstreamReply | UpstreamFault | Withheld<Denial>

/** What became of a call, as only the network and the vendor know it. */
export type Fate = 'withheld' | 'not sent' | 'declined' | 'done' | 'unknown'

/** Whoever is told of what leaves and how it ended. */
export interface Witness {
  /** The first byte of a call, or of one of its look-ups, is on its way. */
  left(by: string, lookUp: boolean): void
  ended(by: string, fate: Fate): void
}

const TIMEOUT_MS = 60_000
/** How much later than the client's time-out a vendor may still act. */
const LATE_MS_MAX = 600_000

/** What happens to a request on its way and at the vendor, by how often it does when things are bad. */
const FATES = {
  answered: 44,
  declined: 8,
  refused: 4,
  limited: 2,
  conflict: 2,
  brokenBefore: 3,
  brokenAfter: 4,
  lostBefore: 4,
  lostAfter: 6,
  hungBefore: 3,
  hungAfter: 4,
  late: 5,
  truncated: 3,
  redirect: 1,
  inflated: 4,
  understated: 3,
} as const
const CALM = { answered: 90, declined: 3, lostAfter: 3, late: 2, inflated: 2 } as const

/** The way from spendgate to its vendors: everything that can happen to a request on it, drawn from the seed. */
export class Network {
  /** Requests that have arrived and are still to be executed. */
  readonly mayAct = new Set<string>()
  readonly #loop: Loop
  readonly #dice: Dice
  readonly #accounts: Accounts
  readonly #trace: Trace
  readonly #witness: Witness
  readonly #bad: boolean

  /** @param bad whether most of what happens is a fault */
  constructor(parts: {
    readonly loop: Loop
    readonly dice: Dice
    readonly accounts: Accounts
    readonly trace: Trace
    readonly witness: Witness
    readonly bad: boolean
  }) {
    this.#loop = parts.loop
    this.#dice = parts.dice
    this.#accounts = parts.accounts
    this.#trace = parts.trace
    this.#witness = parts.witness
    this.#bad = parts.bad
  }

  /**
   * Sends one request of a process. What a dead one sends gets nowhere.
   *
   * @param gate asked in the turn of the first byte
   * @param lookUp whether it only finds out what the call means
   */
  send(
    request: UpstreamRequest,
    gate: () => Denial | null,
    { tag: by, vendor }: { readonly tag: string; readonly vendor: string },
    lookUp: boolean,
    life: { readonly alive: boolean },
  ): Promise<Result> {
    return new Promise((resolve) => {
      if (!life.alive) return
      const startedAt = this.#loop.now
      const ms = (): number => this.#loop.now - startedAt
      const what = `${by}${lookUp ? ' look-up' : ''}`
      const answer = (after: number, result: Result, fate: Fate): void =>
        this.#loop.after(
          after,
          `${what} answered`,
          () => {
            this.#trace.say(`${what}: ${result.kind}${'status' in result ? ` ${result.status}` : ''} (${fate})`)
            if (!lookUp) this.#witness.ended(by, fate)
            resolve(result)
          },
          life,
        )
      const fault = (after: number, sent: boolean, timedOut: boolean, fate: Fate): void =>
        answer(after, { kind: 'fault', sent, timedOut, message: 'simulated', ms: ms() + after }, fate)
      const connect = (): void => {
        if (this.#dice.chance(this.#bad ? 0.05 : 0.01)) {
          this.#trace.count('connections refused')
          return fault(0, false, this.#dice.chance(0.3), 'not sent')
        }
        const because = gate()
        if (because !== null) {
          this.#trace.count('withheld')
          return answer(0, { kind: 'withheld', because }, 'withheld')
        }
        this.#trace.say(`${what}: first byte, ${request.method} ${request.target}`)
        this.#witness.left(by, lookUp)
        const arrived = arrivedOf(request, vendor)
        if (lookUp || request.method === 'GET') this.#look(arrived, answer, fault, ms)
        else this.#act(arrived, by, answer, fault, ms)
      }
      this.#loop.after(this.#dice.below(20), `${what} connects`, connect, life)
    })
  }

  #look(arrived: Arrived, answer: Answering, fault: Faulting, ms: () => number): void {
    const delay = this.#dice.below(50)
    const wrong = this.#dice.next()
    if (wrong < 0.02) return fault(TIMEOUT_MS, true, true, 'unknown')
    if (wrong < 0.04) return fault(delay, true, false, 'unknown')
    if (wrong < 0.06) return answer(delay, replyOf(error(500, 'Broken'), ms()), 'unknown')
    // What a read sees is what stands when it arrives; the answer may be old when it comes.
    answer(delay, replyOf(this.#accounts.read(arrived), ms()), 'done')
  }

  #act(arrived: Arrived, by: string, answer: Answering, fault: Faulting, ms: () => number): void {
    const fate = this.#dice.weighted<keyof typeof FATES>(this.#bad ? FATES : { ...ZEROS, ...CALM })
    this.#trace.count(`vendor: ${fate}`)
    const delay = this.#dice.below(this.#dice.chance(0.2) ? 2_000 : 100)
    if (fate === 'lostBefore') return fault(delay, true, false, 'unknown')
    if (fate === 'hungBefore') return fault(TIMEOUT_MS, true, true, 'unknown')

    const known = this.#accounts.enter(arrived)
    if (known !== null) {
      this.#trace.count('vendor answered from its memory')
      return answer(delay, replyOf(known, ms()), meaningOf(known.status))
    }
    const said = (reply: Reply): void => {
      this.#accounts.keep(arrived, reply)
      answer(delay, replyOf(reply, ms()), meaningOf(reply.status))
    }
    if (fate === 'declined') return said(error(arrived.vendor === 'stripe' ? 402 : 400, 'Declined'))
    if (fate === 'refused') return said(error(400, 'Refused'))
    if (fate === 'limited') return said(error(429, 'Too many requests'))
    if (fate === 'conflict') return said(error(409, 'Conflict'))
    if (fate === 'brokenBefore') return said(error(500, 'Broken'))
    if (fate === 'redirect') return said({ status: 302, body: {} })

    const execute = (after: number, then: (reply: Reply) => void): void => {
      this.mayAct.add(by)
      this.#loop.after(after, `${by} executed`, () => {
        this.mayAct.delete(by)
        const reply = this.#accounts.execute(arrived, by)
        this.#trace.say(`${by}: the vendor has executed it: ${reply.status}`)
        then(reply)
      })
    }
    const quiet = (): void => {}
    const rest = this.#dice.below(20)
    if (fate === 'late') {
      fault(TIMEOUT_MS, true, true, 'unknown')
      return execute(TIMEOUT_MS + this.#dice.below(LATE_MS_MAX), quiet)
    }
    if (fate === 'hungAfter') {
      fault(TIMEOUT_MS, true, true, 'unknown')
      return execute(delay, quiet)
    }
    if (fate === 'lostAfter') {
      fault(delay + rest, true, false, 'unknown')
      return execute(delay, quiet)
    }
    execute(delay, (reply) => {
      if (fate === 'brokenAfter') return answer(rest, replyOf(error(500, 'Broken'), ms()), 'unknown')
      if (fate === 'truncated') return answer(rest, cut(replyOf(reply, ms())), truncatedMeans(reply.status))
      answer(rest, replyOf(lying(reply, fate), ms()), meaningOf(reply.status))
    })
  }
}

type Answering = (after: number, result: Result, fate: Fate) => void
type Faulting = (after: number, sent: boolean, timedOut: boolean, fate: Fate) => void

const ZEROS = Object.fromEntries(Object.keys(FATES).map((name) => [name, 0])) as Record<keyof typeof FATES, number>

const meaningOf = (status: number): Fate =>
  status >= 200 && status < 300 ? 'done' : [400, 401, 402, 403, 404, 422, 429].includes(status) ? 'declined' : 'unknown'

/** The status line came through and the body did not: a refusal is one all the same. */
const truncatedMeans = (status: number): Fate => (meaningOf(status) === 'declined' ? 'declined' : 'unknown')

/** A reply that names another amount than what happened: more of anything, or less where nobody would believe it. */
function lying(reply: Reply, fate: string): Reply {
  const { amount } = reply.body
  if (typeof amount !== 'number') return reply
  if (fate === 'inflated') return { ...reply, body: { ...reply.body, amount: amount + 100 } }
  if (fate === 'understated' && reply.body.object === 'refund')
    return { ...reply, body: { ...reply.body, amount: Math.ceil(amount / 2) } }
  return reply
}

const replyOf = ({ status, body }: Reply, ms: number): UpstreamReply => ({
  kind: 'reply',
  status,
  headers: ['content-type', 'application/json', 'request-id', 'req_1'],
  body: Buffer.from(JSON.stringify(body)),
  ms,
})

const cut = (reply: UpstreamReply): UpstreamReply => ({
  ...reply,
  body: reply.body.subarray(0, Math.floor(reply.body.length / 2)),
})

function arrivedOf(request: UpstreamRequest, vendor: string): Arrived {
  const [path = '', query = ''] = request.target.split('?')
  const at = request.headers.indexOf('idempotency-key')
  const text = request.body === null ? '' : String(request.body)
  const isJson = text.startsWith('{')
  return {
    vendor,
    method: request.method,
    path,
    params: new Map(new URLSearchParams(isJson ? query : text === '' ? query : text)),
    json: isJson ? (JSON.parse(text) as Record<string, unknown>) : null,
    idempotencyKey: at < 0 ? null : request.headers[at + 1]!,
  }
}
