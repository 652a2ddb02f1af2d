import type { Clock } from '../contracts/clock.js'
import type { CheckpointSigner, Ledger } from '../contracts/ledger.js'
import type { Log } from '../log.js'
import type { Metrics } from '../metrics.js'
import type { CheckpointSink } from './checkpoint-file.js'

/** The end of the chain is signed when it has grown by so many entries, or when what came last has waited so long. */
const ENTRIES = 1_000
const WAIT_MS = 60_000
/** How often it is looked at. */
const LOOK_MS = 1_000
/** After a fault, until the next attempt. */
const RETRY_MS = 10_000
/** Lines written at once. */
const LINES = 500

export interface NotaryParts {
  readonly ledger: Pick<Ledger, 'lastEntry' | 'checkpoint' | 'lastCheckpoint' | 'checkpoints'>
  readonly signer: CheckpointSigner
  readonly sink: CheckpointSink
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
}

/**
 * Signs where the chain stands, beside the calls and never in their way. Whoever holds a checkpoint can later show
 * that entries before it were cut off or rewritten, which the chain alone cannot. What the file could not take is kept
 * in the ledger and written later.
 */
export class Notary {
  readonly #parts: NotaryParts
  #timer: NodeJS.Timeout | null = null
  #work: Promise<void> | null = null
  /** Up to which entry it is signed, and written; null until it was read once. */
  #signed: number | null = null
  #written: number | null = null
  #lookedAt: number
  #notBefore = 0
  #failing = false

  constructor(parts: NotaryParts) {
    this.#parts = parts
    this.#lookedAt = parts.clock.monotonic()
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS)
    this.#timer.unref()
  }

  /** Signs and writes what is due. One look at a time. */
  look(): Promise<void> {
    if (this.#parts.clock.monotonic() < this.#notBefore) return Promise.resolve()
    return (this.#work ??= this.#sign(false).finally(() => (this.#work = null)))
  }

  /** Signs what came last, and looks no more. */
  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    await this.#work
    await this.#sign(true)
  }

  async #sign(now: boolean): Promise<void> {
    const { ledger, signer, clock } = this.#parts
    try {
      this.#signed ??= (await ledger.lastCheckpoint())?.seq ?? 0
      const grown = ledger.lastEntry() - this.#signed
      const waited = clock.monotonic() - this.#lookedAt
      if (grown <= 0) this.#lookedAt = clock.monotonic()
      else if (now || grown >= ENTRIES || waited >= WAIT_MS) {
        await ledger.checkpoint(signer)
        this.#signed = (await ledger.lastCheckpoint())?.seq ?? 0
        this.#lookedAt = clock.monotonic()
      }
      await this.#write(this.#signed)
      if (this.#failing) this.#parts.log('info', 'checkpoints_resumed', {})
      this.#failing = false
    } catch (fault) {
      // Calls go on: what is not signed now is signed with what comes next.
      this.#failing = true
      this.#notBefore = clock.monotonic() + RETRY_MS
      this.#parts.metrics.count('spendgate_checkpoint_faults_total')
      this.#parts.log('warn', 'checkpoint_failed', { message: (fault as Error).message })
    }
  }

  async #write(signed: number): Promise<void> {
    const { ledger, sink, metrics } = this.#parts
    this.#written ??= await sink.last()
    while (this.#written < signed) {
      const owed = await ledger.checkpoints(this.#written, LINES)
      if (owed.length === 0) return
      await sink.append(owed)
      this.#written = owed.at(-1)!.seq
      for (const _each of owed) metrics.count('spendgate_checkpoints_total')
    }
  }
}
