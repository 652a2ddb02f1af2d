import type Database from 'better-sqlite3'
import type { CallState } from '../contracts/call.js'
import type { CallFilter, CallRow, EntryRow, Page, Paged, RunRow, SpendBy, SpendRow } from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import type { Decision } from '../contracts/policy.js'
import { BEFORE_RATE } from './before-rate.js'
import { callId } from './ids.js'
import { threadOfKey, threadOfRun, type Threads } from './threads.js'

const DAY_MS = 86_400_000
/** Rows of a thread that are read for one page. */
const STEPS_MAX = 100_000
const CLOCK_BACK_MS = 6 * 60_000
/** Daily sums that are added up in one go. */
const SLICE_ROWS = 2_000
type Before = 'before_of_key' | 'before_of_run'
/** How far rows may be out of the order of time: a start with a clock set back further admits nothing that costs money. */
const DISORDER_MS = 5 * 60_000

/** Reads for people and programs. Sums come from tables the admissions keep, so none of them grows with the ledger. */
export class Reports {
  readonly #db: Database.Database
  readonly #threads: Pick<Threads, 'head'>
  readonly #call: Database.Statement
  readonly #after: Database.Statement

  constructor(db: Database.Database, threads: Pick<Threads, 'head'>) {
    this.#db = db
    this.#threads = threads
    this.#call = db.prepare('select * from calls where seq = ?').safeIntegers()
    this.#after = db.prepare('select * from calls where seq > ? order by seq limit ?').safeIntegers()
  }

  call(seq: number): CallRow | null {
    const row = this.#call.get(seq) as Row | undefined
    return row ? rowOf(row) : null
  }

  callsAfter(seq: number, limit: number): readonly CallRow[] {
    return (this.#after.all(seq, limit) as Row[]).map(rowOf)
  }

  /** Newest first. */
  calls(filter: CallFilter, page: Page): Paged<CallRow> {
    if (filter.run !== undefined) return this.#threaded('before_of_run', threadOfRun(filter.run), filter, page)
    if (filter.key !== undefined) return this.#threaded('before_of_key', threadOfKey(filter.key), filter, page)
    const where: string[] = ['seq < ?']
    const values: unknown[] = [page.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(page.cursor)]
    for (const [column, value] of [
      ['vendor', filter.vendor],
      ['state', filter.state],
    ] as const) {
      if (value === undefined) continue
      where.push(`${column} = ?`)
      values.push(value)
    }
    const rows = this.#db
      .prepare(`select * from calls where ${where.join(' and ')} order by seq desc limit ?`)
      .safeIntegers()
      .all(...values, page.limit + 1) as Row[]
    const found = rows.slice(0, page.limit).map(rowOf)
    return { rows: found, next: rows.length > page.limit ? String(found.at(-1)!.seq) : null }
  }

  #threaded(before: Before, thread: string, filter: CallFilter, page: Page): Paged<CallRow> {
    const found: Row[] = []
    let steps = 0
    for (const row of this.#walk(before, thread, page.cursor === undefined ? null : Number(page.cursor))) {
      const fits =
        (filter.key === undefined || row.key_id === filter.key) &&
        (filter.vendor === undefined || row.vendor === filter.vendor) &&
        (filter.state === undefined || row.state === filter.state)
      if (fits && found.length === page.limit) return { rows: found.map(rowOf), next: String(found.at(-1)!.seq) }
      if (fits) found.push(row)
      // A page that would take this long to fill is handed out short, with a cursor to go on from.
      if (++steps === STEPS_MAX) return { rows: found.map(rowOf), next: String(row.seq) }
    }
    return { rows: found.map(rowOf), next: null }
  }

  /** Rows of a thread, the latest first, or those before one of its rows. */
  *#walk(before: Before, thread: string, from: number | null): Generator<Row> {
    const start = from === null ? null : (this.#call.get(from) as Row | undefined)
    let next: number | bigint | null = from === null ? this.#threads.head(thread) : (start?.[before] ?? null)
    while (next !== null) {
      const row = this.#call.get(next) as Row
      yield row
      next = row[before]
    }
  }

  /**
   * Sums over calls that began in [from, to). Whole UTC days come from the daily sums, the edges from the rows
   * themselves.
   */
  async spend(by: SpendBy, range: { readonly from?: number; readonly to?: number }): Promise<readonly SpendRow[]> {
    const { days, edges } = partsOf(range)
    return summed([
      ...(days === null ? [] : await this.#days(by, days)),
      ...edges.flatMap(([from, to]) => this.#edge(by, from, to)),
    ])
  }

  /**
   * In slices, because a day of many runs has many rows and calls wait for the same thread. A row is read once, so
   * nothing counts twice; what is booked meanwhile is in the sum or in the next one.
   */
  async #days(by: SpendBy, { first, last }: Days): Promise<Sum[]> {
    const column = { run: 'run', key: 'key_id', vendor: 'vendor', operation: 'operation', day: 'day' }[by]
    const place = '(day, key_id, run, vendor, operation)'
    const after = this.#db.prepare(
      `select day, key_id, run, vendor, operation from tallies where ${place} >= (?, ?, ?, ?, ?) and day < ?
       order by day, key_id, run, vendor, operation limit 1 offset ${SLICE_ROWS}`,
    )
    const slice = this.#db
      .prepare(
        `select ${column} as "by", sum(spent) as spent, sum(held) as held, sum(calls) as calls, sum(denied) as denied
         from tallies where ${place} >= (?, ?, ?, ?, ?) and ${place} < (?, ?, ?, ?, ?) group by 1`,
      )
      .safeIntegers()
    const found: Sum[] = []
    let from: readonly string[] = [first, '', '', '', '']
    for (;;) {
      const next = after.get(...from, last) as Place | undefined
      const to = next && [next.day, next.key_id, next.run, next.vendor, next.operation]
      found.push(...(slice.all(...from, ...(to ?? [last, '', '', '', ''])) as Sum[]))
      if (to === undefined) return found
      from = to
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  #edge(by: SpendBy, from: number, to: number): Sum[] {
    const column = {
      run: 'run',
      key: 'key_id',
      vendor: 'vendor',
      operation: `coalesce(operation, '')`,
      day: `strftime('%Y-%m-%d', at / 1000, 'unixepoch')`,
    }[by]
    const calls = this.#db
      .prepare(
        `select ${column} as "by", sum(settled) as spent, sum(case when state = 'reserved' then reserved else 0 end) as held,
           sum(count) as calls, sum(case when state = 'denied' then count else 0 end) as denied
         from calls where seq >= ? and seq < ? and at >= ? and at < ? group by 1`,
      )
      .safeIntegers()
      .all(this.seqAt(from - DISORDER_MS), this.seqAt(to + DISORDER_MS), from, to) as Sum[]
    const movements = this.#db
      .prepare(
        `select ${column} as "by", sum(counted) as spent, 0 as held, 0 as calls, 0 as denied
         from movements where key_id is not null and at >= ? and at < ? group by 1`,
      )
      .safeIntegers()
      .all(from, to) as Sum[]
    return [...calls, ...movements]
  }

  /** The first row that began at or after an instant, by halving: rows are in the order of time, and an index would cost every call. */
  seqAt(at: number): number {
    const ends = this.#db.prepare('select min(seq) as low, max(seq) as high from calls').get() as {
      low: number | null
      high: number | null
    }
    if (ends.low === null || ends.high === null) return 0
    const next = this.#db.prepare('select seq, at from calls where seq >= ? order by seq limit 1')
    let low = ends.low
    let high = ends.high + 1
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const row = next.get(middle) as { seq: number; at: number } | undefined
      if (row === undefined || row.at >= at) high = middle
      else low = row.seq + 1
    }
    return low
  }

  /** Latest use first. */
  runs(page: Page, rootId?: string): Paged<RunRow> {
    const [lastAt, run, root] = page.cursor === undefined ? [Number.MAX_SAFE_INTEGER, '', ''] : page.cursor.split(' ')
    const rows = this.#db
      .prepare(
        `select run, root_id, sum(calls) as calls, sum(denied) as denied, sum(spent) as spent, sum(held) as held, min(first_at) as first_at, max(last_at) as last_at
         from runs where ? is null or root_id = ? group by run, root_id
         having (max(last_at), run, root_id) < (?, ?, ?) order by max(last_at) desc, run desc, root_id desc limit ?`,
      )
      .safeIntegers()
      .all(rootId ?? null, rootId ?? null, Number(lastAt), run, root, page.limit + 1) as RunSum[]
    const found = rows.slice(0, page.limit)
    const last = found.at(-1)
    return {
      rows: found.map((row) => this.#runOf(row, row.root_id)),
      next: rows.length > page.limit && last ? `${last.last_at} ${last.run} ${last.root_id}` : null,
    }
  }

  /** One run; over every root key that used the label when none is named. */
  run(run: string, rootId?: string): RunRow | null {
    const row = this.#db
      .prepare(
        `select run, min(root_id) as root_id, sum(calls) as calls, sum(denied) as denied, sum(spent) as spent, sum(held) as held,
           min(first_at) as first_at, max(last_at) as last_at from runs where run = ? and (? is null or root_id = ?) group by run`,
      )
      .safeIntegers()
      .get(run, rootId ?? null, rootId ?? null) as RunSum | undefined
    return row ? this.#runOf(row, rootId) : null
  }

  #runOf(row: RunSum, rootId: string | undefined): RunRow {
    const vendors = this.#db
      .prepare(
        'select vendor, sum(spent) as spent from runs where run = ? and (? is null or root_id = ?) group by vendor order by vendor',
      )
      .safeIntegers()
      .all(row.run, rootId ?? null, rootId ?? null) as { vendor: string; spent: bigint }[]
    return runOf(row, vendors)
  }

  /** Spent and held by calls of these keys that began at or after an instant. */
  counted(
    keys: readonly string[],
    since: number,
    { vendor, direction }: { readonly vendor: string | null; readonly direction: string | null },
  ): bigint {
    let sum = 0n
    for (const row of this.#since(keys, since)) {
      if (vendor !== null && row.vendor !== vendor) continue
      if (direction !== null && row.direction !== 'none' && row.direction !== direction) continue
      sum += row.settled + (row.state === 'reserved' ? row.reserved : 0n)
    }
    return sum
  }

  /** The implicit run a key's last call was in, if that was its latest kind of run. */
  lastImplicitRun(keyId: string): { run: string; at: number } | null {
    for (const row of this.#walk('before_of_key', threadOfKey(keyId), null)) {
      return row.run_source === 'implicit' ? { run: row.run, at: Number(row.at) } : null
    }
    return null
  }

  /** When calls of these keys that reached the rate rule began, after an instant; oldest first. */
  rateInstants(keys: readonly string[], since: number): number[] {
    const found: number[] = []
    for (const row of this.#since(keys, since + 1)) {
      if (row.verdict === 'deny' && row.code !== null && BEFORE_RATE.has(row.code)) continue
      for (let i = 0n; i < row.count; i++) found.push(Number(row.at))
    }
    return found.sort((a, b) => a - b)
  }

  *#since(keys: readonly string[], since: number): Generator<Row> {
    for (const key of keys) {
      for (const row of this.#walk('before_of_key', threadOfKey(key), null)) {
        // The clock may have been set back a little between two calls, never by more than this.
        if (row.at < since - CLOCK_BACK_MS) break
        if (row.at >= since) yield row
      }
    }
  }

  entries(afterSeq: number, limit: number): readonly EntryRow[] {
    const rows = this.#db
      .prepare('select * from entries where seq > ? order by seq limit ?')
      .safeIntegers()
      .all(afterSeq, limit) as EntryLine[]
    return rows.map(entryOf)
  }
}

/** Of a daily sum among the others. */
interface Place {
  readonly day: string
  readonly key_id: string
  readonly run: string
  readonly vendor: string
  readonly operation: string
}

const dayLabel = (day: number): string => new Date(day * DAY_MS).toISOString().slice(0, 10)

/** Labels of the first day and of the one after the last. Labels are compared as text. */
interface Days {
  readonly first: string
  readonly last: string
}

/** A span of time as the whole UTC days in it and what is left at its edges, in instants [from, to). */
export function partsOf(range: { readonly from?: number; readonly to?: number }): {
  readonly days: Days | null
  readonly edges: readonly (readonly [from: number, to: number])[]
} {
  const { from, to } = range
  const first = from === undefined ? null : Math.ceil(from / DAY_MS)
  const last = to === undefined ? null : Math.floor(to / DAY_MS)
  if (first !== null && last !== null && first > last) return { days: null, edges: [[from!, to!]] }
  const edges: (readonly [number, number])[] = []
  if (first !== null && first * DAY_MS > from!) edges.push([from!, first * DAY_MS])
  if (last !== null && last * DAY_MS < to!) edges.push([last * DAY_MS, to!])
  return {
    days: { first: first === null ? '' : dayLabel(first), last: last === null ? '9' : dayLabel(last) },
    edges,
  }
}

/** Sums of several parts put together, by name. */
export function summed(rows: readonly Sum[]): readonly SpendRow[] {
  const sums = new Map<string, Sum>()
  for (const row of rows) {
    const sum = sums.get(row.by)
    if (sum === undefined) sums.set(row.by, { ...row })
    else {
      sum.spent += row.spent
      sum.held += row.held
      sum.calls += row.calls
      sum.denied += row.denied
    }
  }
  return [...sums.values()]
    .sort((a, b) => (a.by < b.by ? -1 : 1))
    .map(({ by, spent, held, calls, denied }) => ({
      by,
      spent: usd(spent),
      held: usd(held),
      calls: Number(calls),
      denied: Number(denied),
    }))
}

export const runOf = (row: RunSum, vendors: readonly { vendor: string; spent: bigint }[]): RunRow => ({
  run: row.run,
  keyId: row.root_id,
  calls: Number(row.calls),
  denied: Number(row.denied),
  spent: usd(row.spent),
  held: usd(row.held),
  byVendor: Object.fromEntries(vendors.map(({ vendor, spent }): [string, Usd] => [vendor, usd(spent)])),
  firstAt: Number(row.first_at),
  lastAt: Number(row.last_at),
})

export interface EntryLine {
  seq: bigint
  at: bigint
  kind: string
  call_seq: bigint | null
  amount: bigint
  detail: string
  hash: string
}
export const entryOf = (row: EntryLine): EntryRow => ({
  seq: Number(row.seq),
  at: Number(row.at),
  kind: row.kind,
  callId: row.call_seq === null ? null : callId(Number(row.call_seq)),
  amount: usd(row.amount),
  detail: row.detail,
  hash: row.hash,
})

export interface Sum {
  by: string
  spent: bigint
  held: bigint
  calls: bigint
  denied: bigint
}
export interface RunSum {
  run: string
  root_id: string
  calls: bigint
  denied: bigint
  spent: bigint
  held: bigint
  first_at: bigint
  last_at: bigint
}
export interface Row {
  seq: bigint
  at: bigint
  key_id: string
  run: string
  run_source: string
  before_of_key: bigint | null
  before_of_run: bigint | null
  vendor: string
  surface: string
  method: string
  path: string
  operation: string | null
  effect: string | null
  direction: string
  state: CallState
  basis: string
  quoted: bigint
  reserved: bigint
  settled: bigint
  customer: string | null
  object: string | null
  reason: string | null
  replay_of: bigint | null
  count: bigint
  look_ups: bigint
  verdict: Decision['verdict']
  code: string | null
  rule: string | null
  message: string | null
  request_hash: string
  upstream_status: bigint | null
  upstream_request_id: string | null
  upstream_ms: bigint | null
  settled_at: bigint | null
}

const count = (value: bigint | null): number | null => (value === null ? null : Number(value))
export const rowOf = (row: Row): CallRow => ({
  seq: Number(row.seq),
  id: callId(Number(row.seq)),
  at: Number(row.at),
  keyId: row.key_id,
  run: row.run,
  vendor: row.vendor,
  surface: row.surface,
  method: row.method,
  path: row.path,
  operation: row.operation,
  effect: row.effect,
  direction: row.direction,
  state: row.state,
  basis: row.basis,
  quoted: usd(row.quoted),
  reserved: usd(row.reserved),
  settled: usd(row.settled),
  customer: row.customer,
  object: row.object,
  reason: row.reason,
  replayOf: row.replay_of === null ? null : callId(Number(row.replay_of)),
  count: Number(row.count),
  lookUps: Number(row.look_ups),
  verdict: row.verdict,
  code: row.code,
  rule: row.rule,
  message: row.message,
  requestHash: row.request_hash,
  upstreamStatus: count(row.upstream_status),
  upstreamRequestId: row.upstream_request_id,
  upstreamMs: count(row.upstream_ms),
  settledAt: count(row.settled_at),
})
