import type {
  ApprovalFilter,
  ApprovalRow,
  CallFilter,
  CallRow,
  CommitmentRow,
  EntryRow,
  Page,
  Paged,
  RunRow,
  SpendBy,
  SpendRow,
} from '../../contracts/ledger.js'
import { rowOf as approvalOf, type Row as ApprovalLine } from '../approvals.js'
import { BEFORE_RATE } from '../before-rate.js'
import { commitmentOf, type CommitmentLine } from '../commitments.js'
import { callSeq } from '../ids.js'
import {
  entryOf,
  partsOf,
  rowOf as callOf,
  runOf,
  summed,
  type EntryLine,
  type Row as CallLine,
  type RunSum,
  type Sum,
} from '../reports.js'
import type { Query, Row } from './connect.js'

/**
 * What `Reports`, `Commitments` and `Approvals` tell of an SQLite book, told of the shared one: the same answers, from
 * what is committed. Where a book of one node walks from row to row, this one asks an index.
 */
export class PostgresReports {
  readonly #query: Query

  constructor(query: Query) {
    this.#query = query
  }

  async call(seq: number): Promise<CallRow | null> {
    const [row] = await this.#lines<CallLine>('select * from calls where seq = $1', [seq])
    return row === undefined ? null : callOf(row)
  }

  async callsAfter(seq: number, limit: number): Promise<readonly CallRow[]> {
    return (await this.#lines<CallLine>('select * from calls where seq > $1 order by seq limit $2', [seq, limit])).map(
      callOf,
    )
  }

  /** Newest first. */
  async calls(filter: CallFilter, page: Page): Promise<Paged<CallRow>> {
    const where = new Conditions()
    if (page.cursor !== undefined) where.add('seq <', Number(page.cursor))
    if (filter.key !== undefined) where.add('key_id =', filter.key)
    if (filter.run !== undefined) where.add('run =', filter.run)
    if (filter.vendor !== undefined) where.add('vendor =', filter.vendor)
    if (filter.state !== undefined) where.add('state =', filter.state)
    const rows = await this.#lines<CallLine>(
      `select * from calls ${where.text} order by seq desc limit ${where.value(page.limit + 1)}`,
      where.values,
    )
    return paged(rows.map(callOf), page, ({ seq }) => String(seq))
  }

  /** Sums over calls that began in [from, to): whole UTC days from the daily sums, the edges from the rows themselves. */
  async spend(by: SpendBy, range: { readonly from?: number; readonly to?: number }): Promise<readonly SpendRow[]> {
    const { days, edges } = partsOf(range)
    const sums: Sum[] = []
    if (days !== null) {
      const column = { run: 'run', key: 'key_id', vendor: 'vendor', operation: 'operation', day: 'day' }[by]
      sums.push(
        ...(await this.#lines<Sum>(
          `select ${column} as "by", sum(spent) as spent, sum(held) as held, sum(calls) as calls, sum(denied) as denied
           from tallies where day >= $1 and day < $2 group by 1`,
          [days.first, days.last],
        )),
      )
    }
    for (const [from, to] of edges) sums.push(...(await this.#edge(by, from, to)))
    return summed(sums)
  }

  #edge(by: SpendBy, from: number, to: number): Promise<Sum[]> {
    const column = {
      run: 'run',
      key: 'key_id',
      vendor: 'vendor',
      operation: `coalesce(operation, '')`,
      day: `to_char(to_timestamp(at / 1000) at time zone 'UTC', 'YYYY-MM-DD')`,
    }[by]
    return this.#lines<Sum>(
      `select ${column} as "by", sum(settled) as spent, sum(case when state = 'reserved' then reserved else 0 end) as held,
         sum(count) as calls, sum(case when state = 'denied' then count else 0 end) as denied
       from calls where at >= $1 and at < $2 group by 1
       union all
       select ${column}, sum(counted), 0, 0, 0 from movements where key_id is not null and at >= $1 and at < $2 group by 1`,
      [from, to],
    )
  }

  /** The first row that began at or after an instant. */
  async seqAt(at: number): Promise<number> {
    const [row] = await this.#query(
      'select coalesce((select min(seq) from calls where at >= $1), (select max(seq) + 1 from calls), 0) as seq',
      [at],
    )
    return Number(row!.seq)
  }

  /** Latest use first. */
  async runs(page: Page, rootId?: string): Promise<Paged<RunRow>> {
    const [lastAt, run, root] = page.cursor === undefined ? [Number.MAX_SAFE_INTEGER, '', ''] : page.cursor.split(' ')
    const rows = await this.#lines<RunLine>(
      `select run, root_id, sum(calls) as calls, sum(denied) as denied, sum(spent) as spent, sum(held) as held,
         min(first_at) as first_at, max(last_at) as last_at, ${VENDORS('part.run = used.run and part.root_id = used.root_id')}
       from (select * from runs where $1::text is null or root_id = $1) as used group by run, root_id
       having (max(last_at), run, root_id) < ($2::bigint, $3::text, $4::text)
       order by max(last_at) desc, run desc, root_id desc limit $5`,
      [rootId ?? null, Number(lastAt), run, root, page.limit + 1],
    )
    return paged(rows.map(lineOfRun), page, (last) => `${last.lastAt} ${last.run} ${last.keyId}`)
  }

  /** One run; over every root key that used the label when none is named. */
  async run(run: string, rootId?: string): Promise<RunRow | null> {
    const [row] = await this.#lines<RunLine>(
      `select run, min(root_id) as root_id, sum(calls) as calls, sum(denied) as denied, sum(spent) as spent, sum(held) as held,
         min(first_at) as first_at, max(last_at) as last_at, ${VENDORS('part.run = used.run and ($2::text is null or part.root_id = $2)')}
       from (select * from runs where run = $1 and ($2::text is null or root_id = $2)) as used group by run`,
      [run, rootId ?? null],
    )
    return row === undefined ? null : lineOfRun(row)
  }

  /** Spent and held by calls of these keys that began at or after an instant. */
  async counted(
    keys: readonly string[],
    since: number,
    { vendor, direction }: { readonly vendor: string | null; readonly direction: string | null },
  ): Promise<bigint> {
    const [row] = await this.#query(
      `select coalesce(sum(settled + case when state = 'reserved' then reserved else 0 end), 0)::bigint as counted from calls
       where key_id = any($1::text[]) and at >= $2 and ($3::text is null or vendor = $3)
         and ($4::text is null or direction in ('none', $4))`,
      [keys, since, vendor, direction],
    )
    return BigInt(row!.counted as string)
  }

  /** The implicit run a key's last call was in, if that was its latest kind of run. */
  async lastImplicitRun(keyId: string): Promise<{ run: string; at: number } | null> {
    const [row] = await this.#query(
      'select run, run_source, at from calls where key_id = $1 order by seq desc limit 1',
      [keyId],
    )
    return row?.run_source === 'implicit' ? { run: row.run as string, at: Number(row.at) } : null
  }

  /** When calls of these keys that reached the rate rule began, after an instant; oldest first. */
  async rateInstants(keys: readonly string[], since: number): Promise<number[]> {
    const rows = await this.#query(
      `select at, count from calls
       where key_id = any($1::text[]) and at > $2 and (verdict <> 'deny' or code is null or code <> all($3::text[])) order by at`,
      [keys, since, [...BEFORE_RATE]],
    )
    return rows.flatMap((row) => Array<number>(Number(row.count)).fill(Number(row.at)))
  }

  async entries(afterSeq: number, limit: number): Promise<readonly EntryRow[]> {
    return (
      await this.#lines<EntryLine>('select * from entries where seq > $1 order by seq limit $2', [afterSeq, limit])
    ).map(entryOf)
  }

  /** Standing commitments of some keys (null: of all), oldest first. What fell due is not to come any more. */
  async commitments(keys: ReadonlySet<string> | null, nowMs: number, page: Page): Promise<Paged<CommitmentRow>> {
    const after = page.cursor === undefined ? 0 : (callSeq(page.cursor) ?? 0)
    const rows = await this.#lines<CommitmentLine>(COMMITMENTS, [
      after,
      keys === null ? null : [...keys],
      nowMs,
      page.limit + 1,
    ])
    return paged(rows.map(commitmentOf), page, ({ id }) => id)
  }

  /** Newest first. */
  async approvals({ state, key }: ApprovalFilter, page: Page, nowMs: number): Promise<Paged<ApprovalRow>> {
    const where = new Conditions()
    if (page.cursor !== undefined) {
      const [before] = await this.#query('select seq from approvals where id = $1', [page.cursor])
      if (before === undefined) return { rows: [], next: null }
      where.add('seq <', before.seq)
    }
    if (key !== undefined) where.add(`${where.value(key)} in (key_id, root_id)`)
    if (state === 'open') where.add(`state = 'open' and expires_at >`, nowMs)
    else if (state !== undefined) where.add(`${stateAt(where.value(nowMs))} =`, state)
    const rows = await this.#lines<ApprovalLine>(
      `select * from approvals ${where.text} order by seq desc limit ${where.value(page.limit + 1)}`,
      where.values,
    )
    const found = rows.map((row) => approvalOf(row, nowMs))
    return paged(found, page, ({ id }) => id)
  }

  async approval(id: string, nowMs: number): Promise<ApprovalRow | null> {
    const [row] = await this.#lines<ApprovalLine>('select * from approvals where id = $1', [id])
    return row === undefined ? null : approvalOf(row, nowMs)
  }

  async newestApproval(keyId: string, requestHash: string, nowMs: number): Promise<ApprovalRow | null> {
    const [row] = await this.#lines<ApprovalLine>(
      'select * from approvals where key_id = $1 and request_hash = $2 order by seq desc limit 1',
      [keyId, requestHash],
    )
    return row === undefined ? null : approvalOf(row, nowMs)
  }

  async #lines<T>(text: string, values: readonly unknown[]): Promise<T[]> {
    return (await this.#query(text, values)).map((row) => exact(row) as T)
  }
}

interface RunLine extends RunSum {
  vendors: readonly { readonly vendor: string; readonly spent: string }[]
}
const lineOfRun = (row: RunLine): RunRow =>
  runOf(
    row,
    row.vendors.map(({ vendor, spent }) => ({ vendor, spent: BigInt(spent) })),
  )

/** What each vendor had of a run, in the statement that sums it up: one state of the book, and one round trip a page. */
const VENDORS = (which: string): string => `(
  select json_agg(json_build_object('vendor', vendor, 'spent', spent::text) order by vendor) from (
    select vendor, sum(spent) as spent from runs as part where ${which} group by vendor) as parts) as vendors`

/** The first row of an object tells whose it is, the last one its terms; a row without an object stands for itself. */
const COMMITMENTS = `
  select m.call_seq, m.credential_id, m.object, m.standing, latest.kind, latest.due_at, latest.quantity,
    c.key_id, c.run, c.vendor, c.operation, c.at,
    case when m.object is null then m.counted else (
      select coalesce(sum(o.counted), 0) from commitments o
      where o.credential_id = m.credential_id and o.object = m.object and o.standing = 1) end as per_month,
    case when m.object is null then c.settled else (
      select coalesce(sum(e.amount), 0) from exposures e
      where e.credential_id = m.credential_id and e.object = m.object) end as counted
  from commitments m join calls c on c.seq = m.call_seq
  cross join lateral (
    select o.kind, o.due_at, o.quantity from commitments o
    where o.call_seq = m.call_seq or (o.credential_id = m.credential_id and o.object = m.object and o.standing = 1)
    order by o.call_seq desc limit 1) as latest
  where m.call_seq > $1 and m.standing = 1 and ($2::text[] is null or c.key_id = any($2))
    and not (latest.kind = 'scheduled' and coalesce(latest.due_at <= $3, false))
    and not exists (
      select 1 from commitments o
      where o.credential_id = m.credential_id and o.object = m.object and o.standing = 1 and o.call_seq < m.call_seq)
  order by m.call_seq limit $4`

const stateAt = (now: string): string =>
  `case when state in ('open', 'approved') and expires_at <= ${now} then 'expired' else state end`

/** Whole numbers by the names of their columns, which mean the same in every table. */
const WHOLE = new Set([
  ...['seq', 'at', 'call_seq', 'replay_of', 'before_of_key', 'before_of_run', 'used_by', 'count', 'look_ups'],
  ...['quoted', 'reserved', 'settled', 'spent', 'held', 'amount', 'counted', 'per_month', 'ceiling', 'quantity'],
  ...['calls', 'denied', 'standing', 'explained', 'keys_kept', 'upstream_status', 'upstream_ms', 'span_ms'],
  ...['settled_at', 'first_at', 'last_at', 'due_at', 'expires_at', 'decided_at'],
])

/** The driver gives a bigint, and the sum of bigints, as text. */
export function exact(row: Row): Row {
  const line: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(row))
    line[name] = WHOLE.has(name) && value !== null ? BigInt(value as string) : value
  return line
}

/** One row more than the page holds tells that there is a next one. */
function paged<T>(rows: readonly T[], { limit }: Page, cursorOf: (last: T) => string): Paged<T> {
  if (rows.length <= limit) return { rows, next: null }
  const found = rows.slice(0, limit)
  return { rows: found, next: cursorOf(found.at(-1)!) }
}

/** The conditions of a question and the values they name by place. */
class Conditions {
  readonly values: unknown[] = []
  readonly #all: string[] = []

  /** The place of a value. */
  value(value: unknown): string {
    return `$${this.values.push(value)}`
  }

  add(condition: string, ...values: readonly [unknown?]): void {
    this.#all.push(values.length === 0 ? condition : `${condition} ${this.value(values[0])}`)
  }

  get text(): string {
    return this.#all.length === 0 ? '' : `where ${this.#all.join(' and ')}`
  }
}
