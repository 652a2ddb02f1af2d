const TICK_MS = 250

/**
 * Time for time-outs, in steps of a quarter of a second: one timer for all connections, and a number a connection. It
 * counts turns of its timer and not the clock, so that a process that stood still finds what arrived meanwhile before it
 * takes it for late.
 */
export class Ticks {
  now = 0
  readonly #each: () => void
  #timer: NodeJS.Timeout | null = null
  #users = 0

  /** @param each called on every tick while somebody uses them */
  constructor(each: () => void) {
    this.#each = each
  }

  use(): void {
    if (this.#users++ > 0) return
    this.#timer = setInterval(() => {
      this.now++
      this.#each()
    }, TICK_MS)
    // Who waits for something has a connection that keeps the process alive.
    this.#timer.unref()
  }

  release(): void {
    if (--this.#users > 0) return
    clearInterval(this.#timer!)
    this.#timer = null
  }

  /** The tick at which so many milliseconds have certainly passed. */
  after(ms: number): number {
    return this.now + Math.ceil(ms / TICK_MS) + 1
  }
}
