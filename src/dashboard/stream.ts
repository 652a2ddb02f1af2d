import type { ReadableStreamDefaultController, UnderlyingSource } from 'node:stream/web'
import { Problem } from '../admin/problem.js'
import type { Ledger } from '../contracts/ledger.js'

const STREAMS_MAX = 64
const GAP_MS = 1_000
const HEARTBEAT_MS = 10_000
const RECONNECT_MS = 2_000

/**
 * Tells open pages that something happened, as server-sent events named `change`, at most one a second however many
 * calls there are; the page then asks for its parts anew. What nobody has read yet is one mark, so a slow reader costs
 * nothing. Each heartbeat is a `change` as well: approvals and freezes by others, and time itself, make no call.
 */
export class Pulse {
  readonly #ledger: Ledger
  #open = 0

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** @param stands asked before anything is told, and with each heartbeat: when the session is over the stream says `over` and ends */
  open(signal: AbortSignal, stands: () => boolean): Response {
    if (this.#open >= STREAMS_MAX)
      throw new Problem('too_many_streams', `${STREAMS_MAX} pages are open already. Close one, or reload by hand.`)
    this.#open++
    const source = new Beats(this.#ledger, signal, stands, () => this.#open--)
    return new Response(new ReadableStream(source, { highWaterMark: 1 }), {
      headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
    })
  }
}

class Beats implements UnderlyingSource<Uint8Array> {
  readonly #ledger: Ledger
  readonly #signal: AbortSignal
  readonly #stands: () => boolean
  readonly #ended: () => void
  readonly #encoder = new TextEncoder()
  #changed = false
  #over = false
  #closed = false
  #wake: (() => void) | null = null
  #gap: NodeJS.Timeout | null = null
  #stop = (): void => {}

  constructor(ledger: Ledger, signal: AbortSignal, stands: () => boolean, ended: () => void) {
    this.#ledger = ledger
    this.#signal = signal
    this.#stands = stands
    this.#ended = ended
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    const mark = (): void => {
      this.#changed = true
      if (this.#gap === null) this.#wake?.()
    }
    const unsubscribe = this.#ledger.onChange(mark)
    const heartbeat = setInterval(() => {
      if (!this.#stands()) this.#over = true
      mark()
      if (this.#over) this.#wake?.()
    }, HEARTBEAT_MS)
    heartbeat.unref()
    const aborted = (): void => this.#close()
    this.#signal.addEventListener('abort', aborted)
    this.#stop = () => {
      unsubscribe()
      clearInterval(heartbeat)
      if (this.#gap !== null) clearTimeout(this.#gap)
      this.#signal.removeEventListener('abort', aborted)
    }
    controller.enqueue(this.#encoder.encode(`retry: ${RECONNECT_MS}\n\n`))
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    while (!this.#closed && !this.#over && (!this.#changed || this.#gap !== null))
      await new Promise<void>((resolve) => (this.#wake = resolve))
    if (this.#closed) return controller.close()
    if (this.#over || !this.#stands()) {
      controller.enqueue(this.#encoder.encode('event: over\ndata: {}\n\n'))
      controller.close()
      return this.#close()
    }
    this.#changed = false
    this.#gap = setTimeout(() => {
      this.#gap = null
      this.#wake?.()
    }, GAP_MS)
    this.#gap.unref()
    controller.enqueue(this.#encoder.encode('event: change\ndata: {}\n\n'))
  }

  cancel(): void {
    this.#close()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#stop()
    this.#ended()
    this.#wake?.()
  }
}
