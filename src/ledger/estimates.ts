import type Database from 'better-sqlite3'
import type { DoubtRow, EstimateRow } from '../contracts/ledger.js'
import { usd } from '../contracts/money.js'
import { callId } from './ids.js'
import { rowOf, type Row } from './reports.js'

/** When a vendor is asked for a price, in ms after the call: most are known within minutes, some after a day. */
const ASKED_AFTER_MS = [30_000, 120_000, 600_000, 3_600_000, 86_400_000] as const

/** The next instant at which a call's price is asked for; null when it was asked for often enough. */
export function nextAsking(at: number, nowMs: number): number | null {
  const after = ASKED_AFTER_MS.find((ms) => at + ms > nowMs)
  return after === undefined ? null : at + after
}

/**
 * What is not known yet: outcomes, with what helps to find them out, and prices. What changes something expects to run
 * inside the ledger's transaction.
 */
export class Estimates {
  readonly #sql: ReturnType<typeof statements>

  constructor(db: Database.Database) {
    this.#sql = statements(db)
  }

  /** Keeps what was sent by a call of unknown outcome. */
  keep(seq: number, sealed: string): void {
    this.#sql.keep.run(seq, sealed)
  }

  /** The outcome is known: what was sent is kept no longer, and who found it out is. */
  resolved(seq: number, at: number, actor: string, reason: string): void {
    this.#sql.drop.run(seq)
    this.#sql.resolution.run(seq, at, actor, reason)
  }

  /** Who found out what became of a call. */
  word(seq: number): { readonly at: number; readonly actor: string; readonly reason: string } | null {
    return (this.#sql.word.get(seq) as { at: number; actor: string; reason: string } | undefined) ?? null
  }

  /** What a call was booked at is an estimate. */
  expect(seq: number, at: number, credentialId: string, object: string): void {
    this.#sql.expect.run(seq, credentialId, object, at + ASKED_AFTER_MS[0])
  }

  /** What a call was booked at is final; what it made is known by this id. */
  know(seq: number, credentialId: string, object: string): void {
    this.#sql.expect.run(seq, credentialId, object, null)
  }

  putOff(seq: number, dueAt: number | null): void {
    this.#sql.putOff.run(dueAt, seq)
  }

  /** Forgets the vendor's ids of calls before this one that nobody can mistake for one in doubt any more. Bounded. */
  forget(before: number): void {
    this.#sql.forget.run(before)
  }

  /** Oldest first. @param since epoch ms */
  doubts(after: number, since: number, limit: number): readonly DoubtRow[] {
    return (this.#sql.doubts.all(after, since, limit) as DoubtLine[]).map(doubtOf)
  }

  /** Longest due first. */
  due(nowMs: number, limit: number): readonly EstimateRow[] {
    return (this.#sql.due.all(nowMs, limit) as EstimateLine[]).map(estimateOf)
  }

  /** Which of these ids of a vendor's are known from calls. */
  known(credentialId: string, objects: readonly string[]): ReadonlySet<string> {
    return new Set(
      this.#sql.known.all(credentialId, JSON.stringify(objects), credentialId, JSON.stringify(objects)) as string[],
    )
  }
}

export interface DoubtLine extends Row {
  readonly root_id: string
  readonly credential_id: string | null
  readonly hash: string | null
  readonly keys_kept: bigint
  readonly sealed: string | null
}

export const doubtOf = (row: DoubtLine): DoubtRow => ({
  ...rowOf(row),
  rootId: row.root_id,
  credentialId: row.credential_id,
  idempotencyHash: row.hash,
  keyCertain: row.hash !== null || row.keys_kept === 1n,
  evidence: row.sealed,
})

export interface EstimateLine {
  readonly call_seq: bigint
  readonly at: bigint
  readonly vendor: string
  readonly credential_id: string
  readonly operation: string | null
  readonly object: string
  readonly settled: bigint
}

export const estimateOf = (row: EstimateLine): EstimateRow => ({
  callId: callId(Number(row.call_seq)),
  at: Number(row.at),
  vendor: row.vendor,
  credentialId: row.credential_id,
  operation: row.operation ?? '',
  object: row.object,
  settled: usd(row.settled),
})

function statements(db: Database.Database) {
  return {
    keep: db.prepare(
      'insert into evidence (call_seq, sealed) values (?, ?) on conflict do update set sealed = excluded.sealed',
    ),
    drop: db.prepare('delete from evidence where call_seq = ?'),
    resolution: db.prepare(
      `insert into resolutions (call_seq, at, actor, reason) values (?, ?, ?, ?)
       on conflict do update set at = excluded.at, actor = excluded.actor, reason = excluded.reason`,
    ),
    word: db.prepare('select at, actor, reason from resolutions where call_seq = ?'),
    expect: db.prepare(
      `insert into estimates (call_seq, credential_id, object, due_at) values (?, ?, ?, ?)
       on conflict do update set object = excluded.object, due_at = excluded.due_at`,
    ),
    putOff: db.prepare('update estimates set due_at = ? where call_seq = ?'),
    forget: db.prepare(
      `delete from estimates where call_seq in (
         select call_seq from estimates where due_at is null
           and call_seq < min(?, coalesce((select min(seq) from calls where state = 'assumed'), 9223372036854775807))
         order by call_seq limit 4096)`,
    ),
    // A replay went out under the key of the call it repeats.
    doubts: db
      .prepare(
        `select c.*, i.hash, e.sealed, c.seq > coalesce((select seq from marks where name = 'keys-kept'), 0) as keys_kept
         from calls c
         left join idempotency i on i.call_seq = coalesce(c.replay_of, c.seq)
         left join evidence e on e.call_seq = c.seq
         where c.state = 'assumed' and c.seq > ? and c.at >= ? order by c.seq limit ?`,
      )
      .safeIntegers(),
    due: db
      .prepare(
        `select e.call_seq, c.at, c.vendor, e.credential_id, c.operation, e.object, c.settled
         from estimates e join calls c on c.seq = e.call_seq
         where e.due_at <= ? order by e.due_at limit ?`,
      )
      .safeIntegers(),
    known: db
      .prepare(
        `select object from estimates where credential_id = ? and object in (select value from json_each(?))
         union select object from exposures where credential_id = ? and object in (select value from json_each(?))`,
      )
      .pluck(),
  }
}
