import { Pool, type Dispatcher } from 'undici'
import type { Clock } from '../contracts/clock.js'
import { Together } from '../together.js'
import { AccessTokens, type Access } from './access-tokens.js'
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

const REPLY_BYTES_MAX = 8 * 1024 * 1024
const CONNECT_MS = 5_000
const CONNECTIONS_MAX = 1024

/**
 * Connections to vendors. One pool an origin, one request at a time on a connection (a pipelined charge could be
 * answered by its neighbour's reply), redirects never followed, nothing retried. A call's life is its own: the
 * client may hang up, the vendor's answer is still read and booked.
 */
export class Upstream {
  readonly #pools = new Map<string, Pool>()
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
    this.#underWay++
    return new Promise((resolve) => {
      const done = (result: UpstreamReply | UpstreamFault | Withheld<T>): void =>
        this.#together.run(() => {
          this.#underWay--
          resolve(request.clean === undefined ? result : cleaned(result, request.clean))
        }, this.#underWay)
      const handler = new Exchange(done, gate, this.#clock, reading, Math.min(timeoutMs, this.#timeoutMs))
      this.#pool(request).dispatch(
        {
          path: request.target,
          method: request.method as Dispatcher.HttpMethod,
          headers: request.headers,
          body: request.body,
          headersTimeout: Math.min(timeoutMs, this.#timeoutMs),
          bodyTimeout: Math.min(timeoutMs, this.#timeoutMs),
        },
        handler,
      )
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
      pool = new Pool(origin, {
        connections: CONNECTIONS_MAX,
        pipelining: 1,
        // The TLS handshake is part of it.
        connect: {
          timeout: Math.min(CONNECT_MS, this.#timeoutMs),
          ...(guarded === true ? { lookup: this.#reachable.lookupFor(origin) } : {}),
        },
        maxHeaderSize: 16 * 1024,
        // Below what vendors and their load balancers keep idle connections for: a request on a dying connection is a call of unknown outcome.
        keepAliveTimeout: 4_000,
        keepAliveMaxTimeout: 30_000,
      })
      this.#pools.set(name, pool)
    }
    return pool
  }

  async close(): Promise<void> {
    await Promise.all([...this.#pools.values()].map((pool) => pool.destroy()))
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

class Exchange<T> implements Dispatcher.DispatchHandler {
  readonly #resolve: (result: UpstreamReply | UpstreamFault | Withheld<T>) => void
  readonly #gate: () => T | null
  readonly #clock: Clock
  readonly #startedAt: number
  #sent = false
  #withheld: T | null = null
  #abort: ((reason?: Error) => void) | null = null
  #status = 0
  #headers: string[] = []
  #chunks: Buffer[] = []
  #bytes = 0
  readonly #reading: Reading | null
  readonly #deadline: NodeJS.Timeout | null
  #ended: 'enough' | 'late' | null = null

  constructor(
    resolve: (result: UpstreamReply | UpstreamFault | Withheld<T>) => void,
    gate: () => T | null,
    clock: Clock,
    reading: Reading | null,
    wholeMs: number,
  ) {
    this.#resolve = resolve
    this.#gate = gate
    this.#clock = clock
    this.#startedAt = clock.monotonic()
    this.#reading = reading
    this.#deadline = reading && setTimeout(() => this.#end('late'), wholeMs)
  }

  /** undici calls this in the same turn in which it then writes the request's head. */
  onConnect(abort: (reason?: Error) => void): void {
    this.#abort = abort
    if (this.#ended === 'late') return abort(new Error('too late'))
    if (this.#sent) return
    const because = this.#gate()
    if (because !== null) {
      this.#withheld = because
      abort(new Error('withheld'))
      return
    }
    this.#sent = true
  }

  onHeaders(status: number, raw: Buffer[]): boolean {
    if (status < 200) return true
    this.#status = status
    this.#headers = raw.map((part, i) =>
      i % 2 === 0 ? part.toString('latin1').toLowerCase() : part.toString('latin1'),
    )
    return true
  }

  onData(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    const bytesMax = this.#reading?.bytesMax ?? REPLY_BYTES_MAX
    if (this.#bytes > bytesMax) {
      this.#abort?.(new Error(`the reply is larger than ${bytesMax} bytes`))
      return false
    }
    this.#chunks.push(chunk)
    if (this.#reading?.enough(chunk, this.#headers) !== true) return true
    this.#end('enough')
    return false
  }

  onComplete(): void {
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    const body = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#resolve({ kind: 'reply', status: this.#status, headers: this.#headers, body, ms: this.#ms() })
  }

  onError(error: Error & { code?: string }): void {
    if (this.#ended === 'enough') return this.onComplete()
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    if (this.#withheld !== null) {
      this.#resolve({ kind: 'withheld', because: this.#withheld })
      return
    }
    const timedOut = this.#ended === 'late' || TIMEOUTS.has(error.code ?? '')
    this.#resolve({
      kind: 'fault',
      sent: this.#sent,
      timedOut,
      message: `${error.code ?? error.name}: ${error.message}`,
      ms: this.#ms(),
    })
  }

  /** Gives up what would still come. */
  #end(because: 'enough' | 'late'): void {
    this.#ended ??= because
    this.#abort?.(new Error(because))
  }

  #ms(): number {
    return Math.round(this.#clock.monotonic() - this.#startedAt)
  }
}

/** Nothing has left, and why. */
export const unsent = (message: string): UpstreamFault => ({
  kind: 'fault',
  sent: false,
  timedOut: false,
  message,
  ms: 0,
})

const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT'])
