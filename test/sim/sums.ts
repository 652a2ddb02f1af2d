import { counted, type Reader, type Row } from './rows.js'

/** Counters, tallies, runs and exposures are the sums of the rows, with what was carried over. */
export class Sums {
  readonly #broken: (promise: string, detail: string) => void
  /** By counter. */
  readonly #carriedTo = new Map<number, bigint>()
  #lastEntry = 0

  constructor(broken: (promise: string, detail: string) => void) {
    this.#broken = broken
  }

  /** @param rows what the calls say; `book` is what everything else says */
  compare(rows: Iterable<Row>, book: Reader): void {
    for (const { seq, amount, detail } of book.carriedSince(this.#lastEntry)) {
      this.#lastEntry = seq
      for (const id of (JSON.parse(detail) as { counters: number[] }).counters)
        this.#carriedTo.set(id, (this.#carriedTo.get(id) ?? 0n) + BigInt(amount))
    }
    const sums = new Map([...this.#carriedTo].map(([id, spent]) => [id, { spent, held: 0n }]))
    let [spent, held, calls, exposed] = [0n, 0n, 0, 0n]
    for (const row of rows) {
      const isHeld = row.state === 'reserved'
      calls += row.count
      spent += row.settled
      if (isHeld) held += row.reserved
      if (row.object !== null && row.credentialId !== null && row.replayOf === null) exposed += counted(row)
      for (const id of row.counters) {
        const sum = sums.get(id) ?? { spent: 0n, held: 0n }
        sums.set(id, { spent: sum.spent + row.settled, held: sum.held + (isHeld ? row.reserved : 0n) })
      }
    }
    for (const counter of book.counters()) {
      const sum = sums.get(counter.id) ?? { spent: 0n, held: 0n }
      if (sum.spent !== counter.spent || sum.held !== counter.held)
        this.#broken(
          'counters are the sums of rows',
          `${counter.name} says ${counter.spent} + ${counter.held}, its rows ${sum.spent} + ${sum.held}`,
        )
    }
    for (const table of ['tallies', 'runs'] as const) {
      const totals = book.totals(table)
      if (totals.calls !== calls || totals.spent !== spent || totals.held !== held)
        this.#broken(
          `${table} are the sums of rows`,
          `${totals.calls} calls, ${totals.spent} + ${totals.held}; the rows ${calls} calls, ${spent} + ${held}`,
        )
    }
    if (book.exposed() !== exposed)
      this.#broken('exposures are the sums of rows', `${book.exposed()}, the rows ${exposed}`)
  }
}
