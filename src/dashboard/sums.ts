import type { AdminDeps } from '../admin/deps.js'
import type { SpendRow } from '../contracts/ledger.js'
import { usd } from '../contracts/money.js'
import { exposureOf, type Exposure } from '../exposure/index.js'
import { remembered } from './remembered.js'

const DAY_MS = 86_400_000

/** When the present UTC day began. */
export const midnight = (nowMs: number): number => Math.floor(nowMs / DAY_MS) * DAY_MS

/** Sums that several screens show. They come from tables the admissions keep; no call is read for them. */
export interface Sums {
  /** Since 00:00 UTC, by key id. */
  today(): Promise<ReadonlyMap<string, SpendRow>>
  exposure(): Promise<Exposure>
}

export function sumsOf(deps: AdminDeps): Sums {
  const { ledger, clock } = deps
  return {
    today: remembered(clock, async () => {
      const rows = await ledger.spend('key', { from: midnight(clock.now()) })
      return new Map(rows.map((row) => [row.by, row]))
    }),
    exposure: remembered(clock, () => exposureOf(deps)),
  }
}

/** All keys together. */
export function together(rows: Iterable<SpendRow>): SpendRow {
  let [spent, held, calls, denied] = [0n, 0n, 0, 0]
  for (const row of rows) {
    spent += row.spent
    held += row.held
    calls += row.calls
    denied += row.denied
  }
  return { by: '', spent: usd(spent), held: usd(held), calls, denied }
}
