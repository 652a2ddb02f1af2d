import { uptime } from 'node:os'
import type { Clock } from '../../contracts/clock.js'

/** A forward jump past this, against clocks that are never set, is no drift. The longest calendar day has 25 hours. */
const JUMP_MS = 26 * 3_600_000

/**
 * The database's clock, so that every node has the same day. Between two looks at it, time goes on by our own clock that
 * is never set. Never goes back within a process.
 */
export class DatabaseClock implements Clock {
  readonly #own: Clock
  #last = 0
  #databaseAt = 0
  #heardAt = 0
  #bootAt = 0
  #suspect: string | null = null

  constructor(own: Clock) {
    this.#own = own
  }

  /** @param nowMs what the database's clock said to a question asked at `askedAt` by our monotonic clock */
  hear(nowMs: number, askedAt: number): void {
    const boot = uptime() * 1000
    if (this.#databaseAt > 0) {
      // A machine that slept counts the time of its sleep, while what we measure durations with may stand still.
      const passed = Math.max(askedAt - this.#heardAt, boot - this.#bootAt)
      if (nowMs - this.#databaseAt - passed > JUMP_MS)
        this.#suspect = `The database's clock jumped to ${new Date(nowMs).toISOString()}.`
    }
    this.#databaseAt = nowMs
    this.#heardAt = askedAt
    this.#bootAt = boot
  }

  now(): number {
    const now = Math.floor(this.#databaseAt + this.#own.monotonic() - this.#heardAt)
    if (now > this.#last) this.#last = now
    return this.#last
  }

  monotonic(): number {
    return this.#own.monotonic()
  }

  /** Why the database's clock is not to be trusted with a daily cap, as a sentence; null when it is. */
  suspect(): string | null {
    return this.#suspect
  }

  /** The operator says that the time is right. */
  confirm(): void {
    this.#suspect = null
  }
}
