import type Database from 'better-sqlite3'

/** A call as the file has it. Amounts are micro-USD. */
export interface Row {
  readonly seq: number
  readonly at: number
  readonly keyId: string
  readonly rootId: string
  readonly credentialId: string | null
  readonly run: string
  readonly vendor: string
  readonly effect: string | null
  readonly state: string
  readonly quoted: bigint
  readonly reserved: bigint
  readonly settled: bigint
  readonly object: string | null
  /** The agent's reason, by which the simulator knows its requests. */
  readonly tag: string
  readonly requestHash: string
  readonly replayOf: number | null
  readonly count: number
  readonly code: string | null
  /** Numbers of the counters it is counted on. */
  readonly counters: readonly number[]
}

/** What a row counts for in the windows it was counted in. */
export const counted = (row: Row): bigint =>
  row.state === 'reserved' ? row.reserved : row.state === 'settled' || row.state === 'assumed' ? row.settled : 0n

/** What a report table says in all. */
export interface Totals {
  readonly calls: number
  readonly spent: bigint
  readonly held: bigint
}

export interface CounterLine {
  readonly id: number
  readonly name: string
  readonly spent: bigint
  readonly held: bigint
}

/** Reads the book straight from the file, past all that the product holds in memory. */
export class Reader {
  readonly #sql: ReturnType<typeof statements>

  constructor(db: Database.Database) {
    this.#sql = statements(db)
  }

  /** Rows that did not exist yet, oldest first. */
  after(seq: number): Row[] {
    return (this.#sql.rows.all(seq) as Line[]).map(rowOf)
  }

  /** What can change about a row, of every row up to one. */
  changing(seq: number): readonly Changing[] {
    return this.#sql.changing.all(seq) as Changing[]
  }

  row(seq: number): Row {
    return rowOf(this.#sql.row.get(seq) as Line)
  }

  counters(): CounterLine[] {
    const lines = this.#sql.counters.all() as [number, string, number, number][]
    return lines.map(([id, name, spent, held]) => ({ id, name, spent: BigInt(spent), held: BigInt(held) }))
  }

  /** Amounts that were carried over since an entry, and the counters they were carried to. */
  carriedSince(seq: number): readonly { readonly seq: number; readonly amount: number; readonly detail: string }[] {
    return this.#sql.carried.all(seq) as { seq: number; amount: number; detail: string }[]
  }

  totals(table: 'tallies' | 'runs'): Totals {
    const [calls, spent, held] = this.#sql[table].get() as [number, number, number]
    return { calls, spent: BigInt(spent), held: BigInt(held) }
  }

  exposed(): bigint {
    return BigInt(this.#sql.exposed.get() as number)
  }

  approvalsUsedBy(seq: number): number {
    return this.#sql.approvalsUsedBy.get(seq) as number
  }
}

/** seq, state, settled, count, object */
export type Changing = readonly [number, string, number, number, string | null]

function statements(db: Database.Database) {
  const columns = `seq, at, key_id, root_id, credential_id, run, vendor, effect, state, quoted, reserved, settled, object, reason,
    request_hash, replay_of, count, code, counters`
  const sums = (table: string): Database.Statement =>
    db.prepare(`select coalesce(sum(calls), 0), coalesce(sum(spent), 0), coalesce(sum(held), 0) from ${table}`).raw()
  return {
    rows: db.prepare(`select ${columns} from calls where seq > ? order by seq`).raw(),
    row: db.prepare(`select ${columns} from calls where seq = ?`).raw(),
    changing: db.prepare('select seq, state, settled, count, object from calls where seq <= ? order by seq').raw(),
    counters: db.prepare('select id, counter, spent, held from counters').raw(),
    carried: db.prepare(`select seq, amount, detail from entries where seq > ? and kind = 'carried.to' order by seq`),
    tallies: sums('tallies'),
    runs: sums('runs'),
    exposed: db.prepare('select coalesce(sum(amount), 0) from exposures').pluck(),
    approvalsUsedBy: db.prepare('select count(*) from approvals where used_by = ?').pluck(),
  }
}

const rowOf = (line: Line): Row => ({
  seq: line[0],
  at: line[1],
  keyId: line[2],
  rootId: line[3],
  credentialId: line[4],
  run: line[5],
  vendor: line[6],
  effect: line[7],
  state: line[8],
  quoted: BigInt(line[9]),
  reserved: BigInt(line[10]),
  settled: BigInt(line[11]),
  object: line[12],
  tag: line[13] ?? '',
  requestHash: line[14],
  replayOf: line[15],
  count: line[16],
  code: line[17],
  counters: line[18] === '' ? [] : line[18].split(',').map(Number),
})

type Line = readonly [
  seq: number,
  at: number,
  keyId: string,
  rootId: string,
  credentialId: string | null,
  run: string,
  vendor: string,
  effect: string | null,
  state: string,
  quoted: number,
  reserved: number,
  settled: number,
  object: string | null,
  reason: string | null,
  requestHash: string,
  replayOf: number | null,
  count: number,
  code: string | null,
  counters: string,
]
