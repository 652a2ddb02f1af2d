import type { Clock } from './contracts/clock.js'

/** A forward jump past this, against the clock that is never set, is no drift. The longest calendar day has 25 hours. */
const JUMP_MS = 26 * 3_600_000
/** Back by more than this, against the ledger's last row, and a spent day could be spent again. */
const BACK_MS = 5 * 60_000

/** The system's clock, which never goes back within a process, and says when it cannot be trusted. */
export class SystemClock implements Clock {
  #last = 0
  readonly #startedAt: number
  readonly #startedMonotonic: number
  #notBefore = 0

  constructor() {
    this.#startedAt = Date.now()
    this.#startedMonotonic = performance.now()
  }

  now(): number {
    const now = Date.now()
    if (now > this.#last) this.#last = now
    return this.#last
  }

  monotonic(): number {
    return performance.now()
  }

  /** The instant of the newest row in the ledger: time must not be before it. */
  notBefore(at: number): void {
    this.#notBefore = at
  }

  /** Why the wall clock is not to be trusted with a daily cap, as a sentence; null when it is. */
  suspect(): string | null {
    const now = Date.now()
    if (now < this.#notBefore - BACK_MS)
      return `The clock says ${new Date(now).toISOString()}, before the ledger's last call at ${new Date(this.#notBefore).toISOString()}.`
    const expected = this.#startedAt + performance.now() - this.#startedMonotonic
    if (now - expected > JUMP_MS)
      return `The clock jumped to ${new Date(now).toISOString()} while the server ran. Restart it to confirm the time.`
    return null
  }
}
