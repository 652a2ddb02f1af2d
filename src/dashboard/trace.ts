import type { CallRow, EntryRow, Ledger } from '../contracts/ledger.js'

const ENTRIES_A_PAGE = 250
const PAGES_MAX = 4
/** Entries are in the order of time; those of one instant are looked for on both sides of it. */
const AROUND_MS = 1_000

/** What the audit chain has about a call: around the instants its row names, since entries have no index but their order. */
export async function entriesOf(ledger: Ledger, row: CallRow): Promise<readonly EntryRow[]> {
  const found = new Map<number, EntryRow>()
  for (const at of [row.at, row.settledAt]) {
    if (at === null) continue
    if (at !== row.at && [...found.values()].some((entry) => entry.at >= at)) continue
    for (const entry of await around(ledger, row.id, at)) found.set(entry.seq, entry)
  }
  return [...found.values()].sort((a, b) => a.seq - b.seq)
}

async function around(ledger: Ledger, id: string, at: number): Promise<readonly EntryRow[]> {
  const found: EntryRow[] = []
  let after = await firstAt(ledger, at - AROUND_MS)
  for (let page = 0; page < PAGES_MAX; page++) {
    const entries = await ledger.entries(after, ENTRIES_A_PAGE)
    found.push(...entries.filter((entry) => entry.callId === id))
    if (entries.length < ENTRIES_A_PAGE || entries.at(-1)!.at > at + AROUND_MS) break
    after = entries.at(-1)!.seq
  }
  return found
}

/** The number before the first entry of an instant, by halving. */
async function firstAt(ledger: Ledger, at: number): Promise<number> {
  let low = 0
  let high = ledger.lastEntry()
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const [entry] = await ledger.entries(middle, 1)
    if (entry === undefined || entry.at >= at) high = middle
    else low = middle + 1
  }
  return low
}
