import type { Log } from '../log.js'
import type { Reconciler, Wish } from './index.js'

/** How often prices that are due are asked for between two whole runs. */
const PRICES_MS = 30_000
/** After a run that failed the next one waits twice as long, up to so many times as long. */
const PATIENCE_MAX = 16

/** Reconciles by itself: a whole run every so often, and prices in between. One at a time; nothing of it holds a process alive. */
export class Worker {
  readonly #reconciler: Pick<Reconciler, 'run' | 'stop'>
  readonly #everyMs: number
  readonly #clock: { monotonic(): number }
  readonly #log: Log
  #timer: NodeJS.Timeout | null = null
  #wholeAt: number
  #patience = 1
  #stopped = false

  /** @param everyMs between two whole runs; 0: never */
  constructor(reconciler: Pick<Reconciler, 'run' | 'stop'>, everyMs: number, clock: { monotonic(): number }, log: Log) {
    this.#reconciler = reconciler
    this.#everyMs = everyMs
    this.#clock = clock
    this.#log = log
    this.#wholeAt = clock.monotonic() + everyMs
  }

  start(): void {
    if (this.#everyMs === 0 || this.#stopped) return
    this.#timer = setTimeout(() => void this.#tick(), Math.min(this.#everyMs, PRICES_MS) * this.#patience)
    this.#timer.unref()
  }

  /** Waits for the run under way, but not for a vendor that does not answer. */
  async stop(withinMs: number): Promise<void> {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    let late: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => {
      late = setTimeout(resolve, withinMs)
    })
    await Promise.race([this.#reconciler.stop(), limit])
    clearTimeout(late)
  }

  async #tick(): Promise<void> {
    const whole = this.#clock.monotonic() >= this.#wholeAt
    try {
      const report = await this.#reconciler.run(whole ? WHOLE : PRICES)
      if (whole && report !== null && report.checked > 0) {
        const { checked, settled, released, stillAssumed, priced } = report
        this.#log('info', 'reconciled', { checked, settled, released, still_assumed: stillAssumed, priced })
      }
      this.#patience = 1
    } catch (fault) {
      if (!this.#stopped) this.#log('error', 'reconcile_failed', { message: (fault as Error).message })
      this.#patience = Math.min(this.#patience * 2, PATIENCE_MAX)
    }
    if (whole) this.#wholeAt = this.#clock.monotonic() + this.#everyMs
    this.start()
  }
}

const WHOLE: Wish = { since: null, replay: false, asked: false }
const PRICES: Wish = { ...WHOLE, pricesOnly: true }
