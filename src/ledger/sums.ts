import type Database from 'better-sqlite3'
import { digestOf, type Value } from './chain.js'

/** Tables of sums over calls, and what their rows are grouped by. */
export const SUMMED = {
  tallies: 'day, key_id, run, vendor, operation',
  runs: 'run, root_id, vendor',
} as const

export type Summed = keyof typeof SUMMED

/**
 * What a table of sums holds beyond the calls that are there: nothing, or what was carried on from calls that were
 * pruned. By groups, in their order.
 */
export const beyond = (db: Database.Database, table: Summed): IterableIterator<Readonly<Record<string, Value>>> =>
  db.prepare(BEYOND(table, SUMMED[table])).safeIntegers().iterate() as IterableIterator<Readonly<Record<string, Value>>>

/** A digest of what `beyond` gives, and null for nothing. */
export function carried(db: Database.Database, table: Summed): string | null {
  let digest: string | null = null
  for (const row of beyond(db, table)) digest = digestOf(digest ?? '', Object.values(row))
  return digest
}

const BEYOND = (table: string, columns: string): string => `
  with each as (
    select ${columns}, calls, denied, spent, held from ${table}
    union all
    select ${columns}, -count, case when state = 'denied' then -count else 0 end, -settled,
      case when state = 'reserved' then -reserved else 0 end
    from (
      select strftime('%Y-%m-%d', at / 1000, 'unixepoch') as day, key_id, root_id, run, vendor, coalesce(operation, '') as operation,
        state, count, settled, reserved from calls
      union all
      select strftime('%Y-%m-%d', at / 1000, 'unixepoch'), key_id, root_id, run, vendor, operation, 'moved', 0, counted, 0
      from movements where key_id is not null
    )
  )
  select ${columns}, sum(calls) as calls, sum(denied) as denied, sum(spent) as spent, sum(held) as held from each group by ${columns}
  having sum(calls) <> 0 or sum(denied) <> 0 or sum(spent) <> 0 or sum(held) <> 0 order by ${columns}`
