import { channel } from 'node:diagnostics_channel'
import { assert } from '../assert.js'
import type { Clock } from '../contracts/clock.js'
import { Together } from '../together.js'
import { AccessTokens, type Access } from './access-tokens.js'
import { ENOUGH, type Asker } from './client/asker.js'
import type { Connection, Destination } from './client/connection.js'
import { outgoing, type Outgoing } from './client/outgoing.js'
import { Pool } from './client/pool.js'
import { Ticks } from './client/ticks.js'
import { Reachable } from './reachable.js'

/** One request to a vendor, complete: nothing is added to it here but framing. */
export interface UpstreamRequest {
  /** `https://api.stripe.com`, or the operator's override. */
  readonly origin: string
  readonly method: string
  /** Path and query as they go on the wire. */
  readonly target: string
  /** Names and values in turn, `host` among them. */
  readonly headers: string[]
  readonly body: string | Buffer | null
  /** The request under a newer secret, after the vendor refused it; null when there is none. Absent: never. */
  readonly renewed?: (refused: UpstreamRequest) => Promise<UpstreamRequest | null>
  /** The address came over the admin API: what is private is dialled only where the configuration names it. */
  readonly guarded?: true
  /** Takes the credential out of the reply's headers, for a vendor that nobody here knows: one of them is kept in the call's row. */
  readonly clean?: (text: string) => string
  /** It goes with an access token, which is asked for first where none stands. */
  readonly access?: Access
}

export interface UpstreamReply {
  readonly kind: 'reply'
  readonly status: number
  /** Names (lower case) and values in turn. */
  readonly headers: readonly string[]
  readonly body: Buffer
  readonly ms: number
}

/** No whole reply. `sent` says whether any byte may have left: only when it is false did certainly nothing happen. */
export interface UpstreamFault {
  readonly kind: 'fault'
  readonly sent: boolean
  readonly timedOut: boolean
  /** For the operator; names no secret. */
  readonly message: string
  readonly ms: number
}

/** `gate` said no in the very turn in which the first byte would have been written. */
export interface Withheld<T> {
  readonly kind: 'withheld'
  readonly because: T
}

/**
 * How a reply that may be a stream is read: the time-out is for the whole of it, however often something comes. Absent: to
 * its end, with the time-out for each pause.
 */
export interface Reading {
  readonly bytesMax: number
  /** Given each piece as it comes: whether all that is wanted has come. The rest is not waited for. */
  enough(piece: Buffer, headers: readonly string[]): boolean
}

/** The head of a reply has come, for those who watch the process. */
const answering = channel('spendgate:vendor:reply')

const REPLY_BYTES_MAX = 8 * 1024 * 1024
const CONNECT_MS = 5_000

/**
 * Connections to vendors. One pool an origin, one request at a time on a connection (a pipelined charge could be
 * answered by its neighbour's reply), redirects never followed, nothing retried. A call's life is its own: the
 * client may hang up, the vendor's answer is still read and booked.
 */
export class Upstream {
  readonly #pools = new Map<string, Pool>()
  readonly #ticks = new Ticks(() => {
    for (const pool of this.#pools.values()) pool.check()
  })
  readonly #timeoutMs: number
  readonly #together = new Together()
  #underWay = 0
  readonly #clock: Clock
  readonly #reachable: Reachable
  readonly #tokens: AccessTokens

  /** @param options `reachable`: which addresses guarded requests may go to; only public ones by default */
  constructor(options: { readonly timeoutMs: number; readonly clock: Clock; readonly reachable?: Reachable }) {
    this.#timeoutMs = options.timeoutMs
    this.#clock = options.clock
    this.#reachable = options.reachable ?? new Reachable()
    this.#tokens = new AccessTokens(this, options.clock)
  }

  /**
   * @param gate asked synchronously right before the first byte is written; null lets it go
   * @param timeoutMs waits for head and body at most so long, if that is less than the general limit
   */
  send<T>(
    request: UpstreamRequest,
    gate: () => T | null,
    timeoutMs: number = this.#timeoutMs,
    reading: Reading | null = null,
  ): Promise<UpstreamReply | UpstreamFault | Withheld<T>> {
    if (request.access !== undefined) return this.#tokens.send(request, request.access, gate)
    const refused = this.#refused(request)
    if (refused !== null) return Promise.resolve(unsent(refused))
    return new Promise((resolve) => {
      const pool = this.#pool(request)
      const bytes = outgoing(request.method, request.target, request.headers, request.body, pool.host)
      if (typeof bytes === 'string') return resolve(unsent(bytes))
      this.#underWay++
      const done = (result: UpstreamReply | UpstreamFault | Withheld<T>): void =>
        this.#together.run(() => {
          this.#underWay--
          resolve(request.clean === undefined ? result : cleaned(result, request.clean))
        }, this.#underWay)
      pool.send(new Exchange(bytes, done, gate, this.#clock, reading, Math.min(timeoutMs, this.#timeoutMs)))
    })
  }

  /** Asked once an origin: the configuration does not change, and names are judged anew at each connection. */
  #refused({ origin, guarded }: UpstreamRequest): string | null {
    return guarded === true && !this.#pools.has(guardedName(origin)) ? this.#reachable.fault(origin) : null
  }

  #pool({ origin, guarded }: UpstreamRequest): Pool {
    // A connection is used again only for what could have opened it.
    const name = guarded === true ? guardedName(origin) : origin
    let pool = this.#pools.get(name)
    if (pool === undefined) {
      const lookup = guarded === true ? this.#reachable.lookupFor(origin) : null
      pool = new Pool(destinationOf(origin, lookup, Math.min(CONNECT_MS, this.#timeoutMs)), this.#ticks, this.#clock)
      this.#pools.set(name, pool)
    }
    return pool
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.close()))
  }
}

function destinationOf(origin: string, lookup: Destination['lookup'], connectMs: number): Destination {
  const url = new URL(origin)
  const tls = url.protocol === 'https:'
  assert(tls || url.protocol === 'http:', 'an origin is reached by HTTP')
  return {
    origin,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    named: url.host,
    port: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
    tls,
    lookup,
    connectMs,
  }
}

function cleaned<T>(
  result: UpstreamReply | UpstreamFault | Withheld<T>,
  clean: (text: string) => string,
): UpstreamReply | UpstreamFault | Withheld<T> {
  if (result.kind !== 'reply') return result
  return { ...result, headers: result.headers.map((text, at) => (at % 2 === 0 ? text : clean(text))) }
}

const guardedName = (origin: string): string => `guarded ${origin}`

class Exchange<T> implements Asker {
  readonly outgoing: Outgoing
  readonly timeoutMs: number
  readonly #resolve: (result: UpstreamReply | UpstreamFault | Withheld<T>) => void
  readonly #gate: () => T | null
  readonly #clock: Clock
  readonly #startedAt: number
  #sent = false
  #connection: Connection | null = null
  #status = 0
  #headers: string[] = []
  #body = NOTHING
  #bytes = 0
  readonly #reading: Reading | null
  readonly #deadline: NodeJS.Timeout | null
  #late = false

  constructor(
    outgoing: Outgoing,
    resolve: (result: UpstreamReply | UpstreamFault | Withheld<T>) => void,
    gate: () => T | null,
    clock: Clock,
    reading: Reading | null,
    timeoutMs: number,
  ) {
    this.outgoing = outgoing
    this.timeoutMs = timeoutMs
    this.#resolve = resolve
    this.#gate = gate
    this.#clock = clock
    this.#startedAt = clock.monotonic()
    this.#reading = reading
    this.#deadline = reading && setTimeout(() => this.#tooLate(), timeoutMs)
  }

  leaves(connection: Connection): boolean {
    if (this.#late) {
      this.onFault(LATE, true)
      return false
    }
    let because: T | null
    try {
      because = this.#gate()
    } catch (error) {
      this.onFault(saidBy(error), false)
      return false
    }
    if (because !== null) {
      this.#end({ kind: 'withheld', because })
      return false
    }
    this.#sent = true
    this.#connection = connection
    return true
  }

  onHead(status: number, headers: string[]): void {
    if (answering.hasSubscribers) answering.publish({ status })
    this.#status = status
    this.#headers = headers
  }

  onPiece(bytes: Buffer, from: number, to: number): typeof ENOUGH | string | null {
    const at = this.#bytes
    this.#bytes += to - from
    const bytesMax = this.#reading?.bytesMax ?? REPLY_BYTES_MAX
    if (this.#bytes > bytesMax) return `It is larger than ${bytesMax} bytes.`
    this.#makeRoom()
    bytes.copy(this.#body, at, from, to)
    if (this.#reading === null) return null
    try {
      return this.#reading.enough(this.#body.subarray(at, this.#bytes), this.#headers) ? ENOUGH : null
    } catch (error) {
      return saidBy(error)
    }
  }

  /** Most replies come in one piece, which has the room it needs; what goes on is copied as often as its length doubles. */
  #makeRoom(): void {
    if (this.#bytes <= this.#body.length) return
    const roomier = Buffer.allocUnsafe(
      this.#body.length === 0 ? this.#bytes : Math.max(this.#bytes, 2 * this.#body.length),
    )
    this.#body.copy(roomier)
    this.#body = roomier
  }

  onEnd(): void {
    const body = this.#bytes === this.#body.length ? this.#body : this.#body.subarray(0, this.#bytes)
    this.#end({ kind: 'reply', status: this.#status, headers: this.#headers, body, ms: this.#ms() })
  }

  onFault(message: string, timedOut: boolean): void {
    this.#end({ kind: 'fault', sent: this.#sent, timedOut, message, ms: this.#ms() })
  }

  #end(result: UpstreamReply | UpstreamFault | Withheld<T>): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#connection = null
    this.#resolve(result)
  }

  /** One that has not left yet never will. */
  #tooLate(): void {
    this.#late = true
    if (this.#connection === null) return
    this.#connection.giveUp(this)
    this.onFault(LATE, true)
  }

  #ms(): number {
    return Math.round(this.#clock.monotonic() - this.#startedAt)
  }
}

const NOTHING = Buffer.alloc(0)
const LATE = 'The time for the whole of it was over.'
const saidBy = (error: unknown): string => (error instanceof Error ? `${error.name}: ${error.message}` : String(error))

/** Nothing has left, and why. */
export const unsent = (message: string): UpstreamFault => ({
  kind: 'fault',
  sent: false,
  timedOut: false,
  message,
  ms: 0,
})
