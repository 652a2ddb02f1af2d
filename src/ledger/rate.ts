const SPAN_MS = 60_000

interface Window {
  times: number[]
  head: number
}

/** Calls in the last 60 seconds a key, in memory: filled again from the ledger's rows after a restart. */
export class RateWindows {
  readonly #windows = new Map<string, Window>()
  readonly #refill: (key: string, since: number) => number[]

  /** @param refill instants of a key's calls since a time, oldest first; asked once a key */
  constructor(refill: (key: string, since: number) => number[]) {
    this.#refill = refill
  }

  /** How many calls the last 60 s hold, and the instant of the oldest of them (now when there is none). */
  read(key: string, nowMs: number): { readonly count: number; readonly oldestAt: number } {
    const window = this.#current(key, nowMs)
    return { count: window.times.length - window.head, oldestAt: window.times[window.head] ?? nowMs }
  }

  add(key: string, nowMs: number): void {
    this.#current(key, nowMs).times.push(nowMs)
  }

  /** Asks for every key again. */
  forget(): void {
    this.#windows.clear()
  }

  #current(key: string, nowMs: number): Window {
    let window = this.#windows.get(key)
    if (window === undefined) this.#windows.set(key, (window = { times: this.#refill(key, nowMs - SPAN_MS), head: 0 }))
    const { times } = window
    while (window.head < times.length && times[window.head]! <= nowMs - SPAN_MS) window.head++
    // Cut rarely: removing from the front each time would make a busy window quadratic.
    if (window.head > 1024 && window.head * 2 > times.length) {
      window.times = times.slice(window.head)
      window.head = 0
    }
    return window
  }
}
