import { setImmediate as turn } from 'node:timers/promises'
import type { CallRow, Ledger } from '../contracts/ledger.js'

/** Rows read at a time; between two pages the calls of agents have their turn. */
const PAGE = 250
/** How far rows may be out of the order of time. */
const DISORDER_MS = 5 * 60_000

type Read = Pick<Ledger, 'calls' | 'callsAfter'>

/** Recorded calls that began in [from, to), oldest first, page by page. */
export async function* callsBetween(ledger: Read, from: number, to: number): AsyncGenerator<readonly CallRow[]> {
  let after = await lastBefore(ledger, from - DISORDER_MS)
  for (;;) {
    const rows = await ledger.callsAfter(after, PAGE)
    if (rows.length === 0) return
    yield rows.filter(({ at }) => at >= from && at < to)
    if (rows[0]!.at >= to + DISORDER_MS) return
    after = rows.at(-1)!.seq
    await turn()
  }
}

/** The number of the last call that began before an instant, by halving: rows are in the order of time. */
async function lastBefore(ledger: Read, at: number): Promise<number> {
  const newest = (await ledger.calls({}, { limit: 1 })).rows[0]
  let low = 0
  let high = newest?.seq ?? 0
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const row = (await ledger.callsAfter(middle, 1))[0]
    if (row === undefined || row.at >= at) high = middle
    else low = row.seq
  }
  return low
}
