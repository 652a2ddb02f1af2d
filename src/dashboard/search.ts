import type { CallState } from '../contracts/call.js'
import type { CallRow, Ledger } from '../contracts/ledger.js'

const ROWS_A_PAGE = 250
/** Rows one page of a screen looks at. Rows have no index but their order, so a filter that fits few must end somewhere. */
const ROWS_READ_MAX = 1_500

export interface Wanted {
  readonly key: string | null
  readonly run: string | null
  readonly vendor: string | null
  readonly state: CallState | null
}

export interface Found {
  /** Newest first. */
  readonly rows: readonly CallRow[]
  /** Where to go on; null at the end. */
  readonly next: string | null
  /** False when the page is short because enough was looked at, and there may be more. */
  readonly whole: boolean
}

/**
 * Calls that fit, newest first. The ledger follows the thread of a run or a key; everything else is told from the rows,
 * of which a bounded number is read.
 */
export async function searchCalls(
  ledger: Ledger,
  { key, run, vendor, state }: Wanted,
  limit: number,
  cursor: string | null,
  readMax = ROWS_READ_MAX,
): Promise<Found> {
  const thread = run !== null ? { run } : key !== null ? { key } : {}
  const fits = (row: CallRow): boolean =>
    (key === null || row.keyId === key) &&
    (vendor === null || row.vendor === vendor) &&
    (state === null || row.state === state)
  const rows: CallRow[] = []
  let at = cursor
  for (let read = 0; read < readMax;) {
    const page = await ledger.calls(thread, { limit: ROWS_A_PAGE, ...(at === null ? {} : { cursor: at }) })
    for (const row of page.rows.filter(fits)) {
      if (rows.length === limit) return { rows, next: String(rows.at(-1)!.seq), whole: true }
      rows.push(row)
    }
    at = page.next
    if (at === null) return { rows, next: null, whole: true }
    read += page.rows.length
  }
  return { rows, next: at, whole: rows.length >= limit }
}

/** A run as it stands in its newest call. */
export interface RunAt {
  readonly run: string
  readonly rootId: string
}

/**
 * Runs by their newest calls, newest first. A run stands where its newest call does: whatever was called later under it
 * has put it on an earlier page.
 */
export async function recentRuns(
  ledger: Ledger,
  limit: number,
  cursor: string | null,
): Promise<{ readonly runs: readonly RunAt[]; readonly next: string | null }> {
  const found = new Map<string, RunAt>()
  const passed = new Set<string>()
  let at = cursor
  for (let read = 0; read < ROWS_READ_MAX;) {
    const page = await ledger.calls({}, { limit: ROWS_A_PAGE, ...(at === null ? {} : { cursor: at }) })
    for (const row of page.rows) {
      const rootId = ledger.key(row.keyId)?.rootId ?? row.keyId
      const name = `${row.run} ${rootId}`
      if (found.has(name) || passed.has(name)) continue
      const sums = cursor === null ? null : await ledger.run(row.run, rootId)
      if (sums !== null && sums.lastAt > row.at) passed.add(name)
      else if (found.size === limit) return { runs: [...found.values()], next: String(row.seq + 1) }
      else found.set(name, { run: row.run, rootId })
    }
    at = page.next
    if (at === null) break
    read += page.rows.length
  }
  return { runs: [...found.values()], next: at }
}
