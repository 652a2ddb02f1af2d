import type { ReadableStreamDefaultController, UnderlyingSource } from 'node:stream/web'
import type { CallFilter, CallRow, Ledger } from '../contracts/ledger.js'
import { Problem } from './problem.js'
import { callView } from './views.js'

const STREAMS_MAX = 64
const WAITING_MAX = 1000
const REPLAY_ROWS = 200
const HEARTBEAT_MS = 15_000
const RECONNECT_MS = 2000

export interface StreamWish {
  /** Begin after this sequence number; null for what happens from now on. */
  readonly after: number | null
  readonly filter: CallFilter
  readonly signal: AbortSignal
  /** Asked before anything is told, and with each heartbeat: a token that was revoked or reset ends its streams. */
  stillAllowed(): boolean
}

/**
 * Live streams of calls as server-sent events. A row is sent when it becomes durable and again whenever its state
 * changes, at least once; its id is its sequence number. A reader that falls behind is cut off, and resumes by
 * Last-Event-ID.
 */
export class CallStreams {
  readonly #ledger: Ledger
  #open = 0

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  open(wish: StreamWish): Response {
    if (this.#open >= STREAMS_MAX)
      throw new Problem(
        'too_many_streams',
        `${STREAMS_MAX} streams are open already. Close one, or poll GET /admin/v1/calls.`,
      )
    this.#open++
    const stream = new CallStream(this.#ledger, wish, () => this.#open--)
    return new Response(new ReadableStream(stream, { highWaterMark: 1 }), {
      headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
    })
  }
}

class CallStream implements UnderlyingSource<Uint8Array> {
  readonly #ledger: Ledger
  readonly #wish: StreamWish
  readonly #ended: () => void
  readonly #encoder = new TextEncoder()
  /** Events that happened while the reader was busy. */
  #waiting: string[] = []
  #wake: (() => void) | null = null
  /** Where the replay of earlier rows stands; null once it has caught up. */
  #replayedTo: number | null
  #closed = false
  #stop = (): void => {}

  constructor(ledger: Ledger, wish: StreamWish, ended: () => void) {
    this.#ledger = ledger
    this.#wish = wish
    this.#ended = ended
    this.#replayedTo = wish.after
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    // Subscribed before the replay begins, so that no row falls between the two. A row in both is sent twice.
    const unsubscribe = this.#ledger.onChange((row) => {
      if (wanted(row, this.#wish.filter)) this.#push(eventOf(row))
    })
    const heartbeat = setInterval(() => {
      if (this.#wish.stillAllowed()) this.#push(': still here\n\n')
      else this.#close()
    }, HEARTBEAT_MS)
    heartbeat.unref()
    const aborted = (): void => this.#close()
    this.#wish.signal.addEventListener('abort', aborted)
    this.#stop = () => {
      unsubscribe()
      clearInterval(heartbeat)
      this.#wish.signal.removeEventListener('abort', aborted)
    }
    controller.enqueue(this.#encoder.encode(`retry: ${RECONNECT_MS}\n\n`))
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    const text = (await this.#replayed()) ?? (await this.#next())
    if (text !== null && !this.#wish.stillAllowed()) this.#close()
    if (text === null || this.#closed) controller.close()
    else controller.enqueue(this.#encoder.encode(text))
  }

  cancel(): void {
    this.#close()
  }

  /** The next page of earlier rows that holds a wanted one, or null when there are no more. */
  async #replayed(): Promise<string | null> {
    while (this.#replayedTo !== null && !this.#closed) {
      const rows = await this.#ledger.callsAfter(this.#replayedTo, REPLAY_ROWS)
      this.#replayedTo = rows.at(-1)?.seq ?? null
      const text = rows
        .filter((row) => wanted(row, this.#wish.filter))
        .map(eventOf)
        .join('')
      if (text !== '') return text
    }
    return null
  }

  /** What is waiting, or the next thing that happens; null at the end of the stream. */
  async #next(): Promise<string | null> {
    while (this.#waiting.length === 0) {
      if (this.#closed) return null
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    const text = this.#waiting.join('')
    this.#waiting = []
    return text
  }

  #push(text: string): void {
    if (this.#closed) return
    this.#waiting.push(text)
    if (this.#waiting.length > WAITING_MAX) {
      // Cut off without what is waiting: what was not sent is asked for again by the id of what was.
      this.#waiting = []
      this.#close()
    }
    this.#wake?.()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stop()
    this.#ended()
    this.#wake?.()
  }
}

const eventOf = (row: CallRow): string => `event: call\nid: ${row.seq}\ndata: ${JSON.stringify(callView(row))}\n\n`

const wanted = (row: CallRow, filter: CallFilter): boolean =>
  (filter.key === undefined || row.keyId === filter.key) &&
  (filter.run === undefined || row.run === filter.run) &&
  (filter.vendor === undefined || row.vendor === filter.vendor) &&
  (filter.state === undefined || row.state === filter.state)
