import type { Tally } from './tallies.js'

/** Refusals of one key and code a second that get rows of their own. */
const ROWS_PER_SECOND = 20
const NAMES_MAX = 10_000

interface Burst {
  readonly second: number
  seq: number
  rows: number
  tally: Tally
}

/** Keeps an agent in a loop from filling the ledger: past 20 refusals a second of one key and code they share a row. */
export class Bursts {
  readonly #recent = new Map<string, Burst>()

  /**
   * The row a refusal is to share, and what that row was counted under; null when it gets the row `next` for its own.
   */
  shared(code: string, tally: Tally, next: number): { readonly seq: number; readonly tally: Tally } | null {
    const name = `${tally.keyId}\n${code}`
    const second = Math.floor(tally.at / 1000)
    const recent = this.#recent.get(name)
    if (recent === undefined || recent.second !== second) {
      if (this.#recent.size > NAMES_MAX) this.#recent.clear()
      this.#recent.set(name, { second, seq: next, rows: 1, tally })
      return null
    }
    if (recent.rows >= ROWS_PER_SECOND) return recent
    recent.rows++
    recent.seq = next
    recent.tally = tally
    return null
  }

  /** After a rollback: rows that were to be shared may not exist. */
  clear(): void {
    this.#recent.clear()
  }
}
