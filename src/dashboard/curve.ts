import type { AlignedData } from 'uplot'
import type { Clock } from '../contracts/clock.js'
import type { CallRow, Ledger } from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import { midnight, together, type Sums } from './sums.js'

/** Calls that are read to draw what happened before anybody looked. */
const CALLS_READ_MAX = 10_000
const ROWS_A_PAGE = 250
const POINTS_MAX = 1_000
const SAMPLE_MS = 1_000

/** What was counted by an instant since midnight. */
export interface Point {
  readonly at: number
  readonly spent: Usd
  readonly held: Usd
  /** How many calls have been denied. */
  readonly denied: number
}

/**
 * What was spent today (UTC) as it grew. The last point is the ledger's own sum. What lies before the first look is
 * read from the latest calls, in slices; earlier than those it is a straight line, which `since` tells.
 */
export class Curve {
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #today: Sums['today']
  #day = -1
  #points: Point[] = []
  #since: number | null = null
  #sampledAt = Number.NEGATIVE_INFINITY
  #sampling: Promise<void> | null = null

  constructor(ledger: Ledger, clock: Clock, today: Sums['today']) {
    this.#ledger = ledger
    this.#clock = clock
    this.#today = today
  }

  /** Oldest first, the last one of now; begins with the first call of the day. */
  async points(): Promise<{ readonly points: readonly Point[]; readonly since: number | null }> {
    const nowMs = this.#clock.now()
    const due = this.#clock.monotonic() - this.#sampledAt >= SAMPLE_MS || midnight(nowMs) !== this.#day
    if (due) await (this.#sampling ??= this.#sample(nowMs).finally(() => (this.#sampling = null)))
    return { points: this.#points, since: this.#since }
  }

  async #sample(nowMs: number): Promise<void> {
    const { spent, held, denied } = together((await this.#today()).values())
    const total = { at: nowMs, spent, held, denied }
    this.#sampledAt = this.#clock.monotonic()
    if (midnight(nowMs) !== this.#day) {
      this.#day = midnight(nowMs)
      this.#points = []
      this.#since = null
      await this.#readBack(total)
    }
    const last = this.#points.at(-1)
    const same = last?.spent === total.spent && last.held === total.held && last.denied === total.denied
    // A line that stays level needs its two ends.
    if (same && this.#points.length > 1 && sameAs(this.#points.at(-2)!, last)) this.#points.pop()
    this.#points.push(total)
    if (this.#points.length > POINTS_MAX)
      this.#points = this.#points.filter((_, i) => i % 2 === 0 || i > POINTS_MAX / 2)
  }

  /** From the sum as it stands back through the latest calls. */
  async #readBack(total: Point): Promise<void> {
    const day = this.#day
    const found: Point[] = []
    let { spent, held, denied } = total as { spent: bigint; held: bigint; denied: number }
    let cursor: string | undefined
    let read = 0
    let reached = day
    while (read < CALLS_READ_MAX) {
      const page = await this.#ledger.calls({}, { limit: ROWS_A_PAGE, ...(cursor === undefined ? {} : { cursor }) })
      const rows = page.rows.filter((row) => row.at >= day)
      for (const row of rows) {
        found.push({ at: row.at, spent: usd(max0(spent)), held: usd(max0(held)), denied: Math.max(0, denied) })
        const counts = countsOf(row)
        spent -= counts.spent
        held -= counts.held
        denied -= counts.denied
      }
      read += rows.length
      if (rows.length < page.rows.length || page.next === null) break
      cursor = page.next
      reached = rows.at(-1)!.at
      // Agents wait for the same thread.
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (read >= CALLS_READ_MAX) this.#since = reached
    found.reverse()
    const first = found[0]
    const before = { spent: usd(max0(spent)), held: usd(0n), denied: Math.max(0, denied) }
    if (this.#since !== null) this.#points.push({ at: day, spent: usd(0n), held: usd(0n), denied: 0 })
    else if (first) this.#points.push({ ...before, at: Math.max(day, first.at - 1_000) })
    const step = Math.ceil(found.length / (POINTS_MAX / 2))
    this.#points.push(...found.filter((_, i) => i % step === step - 1 || i === found.length - 1))
  }
}

const sameAs = (a: Point, b: Point): boolean => a.spent === b.spent && a.held === b.held && a.denied === b.denied
const max0 = (amount: bigint): bigint => (amount > 0n ? amount : 0n)

function countsOf(row: CallRow): { readonly spent: bigint; readonly held: bigint; readonly denied: number } {
  if (row.state === 'denied') return { spent: 0n, held: 0n, denied: row.count }
  return { spent: row.settled, held: row.state === 'reserved' ? row.reserved : 0n, denied: 0 }
}

/**
 * Points as the plot takes them: instants in seconds; what is spent and held, where anything is held; what is spent; and a dot where calls were
 * denied. Numbers here are for drawing alone.
 */
export function drawn(points: readonly Point[]): AlignedData {
  const drawnUsd = (micro: bigint): number => Number(micro) / 1e6
  return [
    points.map(({ at }) => at / 1000),
    points.map(({ spent, held }, i) => (held > 0n || (points[i - 1]?.held ?? 0n) > 0n ? drawnUsd(spent + held) : null)),
    points.map(({ spent }) => drawnUsd(spent)),
    points.map(({ spent, denied }, i) => (denied > (points[i - 1]?.denied ?? 0) ? drawnUsd(spent) : null)),
  ]
}
