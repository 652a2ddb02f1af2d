import type Database from 'better-sqlite3'
import type { CallState } from '../contracts/call.js'
import { keyed, type Key } from './recording.js'

export interface IdempotencyRow {
  hash: string
  call_seq: number
  request_hash: string
  at: number
  state: CallState
}
export interface WriteRow {
  seq: number
  at: number
  root_id: string
  run: string
  request_hash: string
  state: CallState
}
export interface OpenRow {
  at: bigint
  key_id: string
  root_id: string
  run: string
  vendor: string
  operation: string | null
  reserved: bigint
  counters: string
  credential_id: string | null
  object: string | null
  replay_of: bigint | null
  state: CallState
}

export type Statements = ReturnType<typeof statements>

const SETTLE = `update calls set state = ?, settled = ?, object = ?, upstream_status = ?, upstream_request_id = ?, upstream_ms = ?, settled_at = ?,
   verdict = coalesce(?, verdict), code = coalesce(?, code), rule = coalesce(?, rule), message = coalesce(?, message) where seq = ?`

// What statements touch, where they are recorded (src/ledger/recording.ts).
const call = (seq: unknown): Key => Number(seq)
const repeats = (seq: unknown): string | null => (seq === null ? null : `repeats ${String(seq)}`)
/** What an object counts for: that changes with its exposures only, and no outcome is booked without writing them. */
const counts = (credential: unknown, object: unknown): string => `counts ${String(credential)}\n${String(object)}`

/** What an admission and a settlement run, prepared once. */
export function statements(db: Database.Database) {
  return {
    begin: db.prepare('begin immediate'),
    commit: db.prepare('commit'),
    rollback: db.prepare('rollback'),
    insertCall: keyed(
      db.prepare(
        `insert into calls (seq, at, key_id, root_id, credential_id, run, run_source, vendor, surface, method, path, operation, effect, direction,
         state, basis, quoted, reserved, settled, customer, object, reason, request_hash, replay_of, count, look_ups, verdict, code, rule, message, counters, before_of_key, before_of_run, salt)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ),
      (values) => [call(values[0]), repeats(values[22])],
    ),
    mark: db.prepare(
      `insert into marks (name, seq) values ('oldest-open', ?) on conflict (name) do update set seq = excluded.seq`,
    ),
    countDenial: keyed(db.prepare('update calls set count = count + 1 where seq = ?'), ([seq]) => [call(seq)]),
    settle: keyed(db.prepare(SETTLE), (values) => [call(values[11])]),
    // What became of a repetition is asked for by the call it repeats, which this does not name.
    settleRepeat: db.prepare(SETTLE),
    saltOf: keyed(db.prepare('select salt from calls where seq = ?').pluck(), ([seq]) => [call(seq)]),
    returned: keyed(db.prepare('update calls set settled = settled - ? where seq = ?'), ([, seq]) => [call(seq)]),
    settledOf: keyed(db.prepare('select settled from calls where seq = ?').pluck().safeIntegers(), ([seq]) => [
      call(seq),
    ]),
    adjusted: keyed(db.prepare('update calls set settled = ? where seq = ?'), ([, seq]) => [call(seq)]),
    open: keyed(
      db
        .prepare(
          'select at, key_id, root_id, run, vendor, operation, reserved, counters, credential_id, object, replay_of, state from calls where seq = ?',
        )
        .safeIntegers(),
      ([seq]) => [call(seq)],
    ),
    findIdempotency: keyed(
      db.prepare(
        'select i.hash, i.call_seq, c.request_hash, c.at, c.state from idempotency i join calls c on c.seq = i.call_seq where i.call_seq = ?',
      ),
      ([seq]) => [call(seq)],
    ),
    putIdempotency: keyed(db.prepare('insert into idempotency (call_seq, hash) values (?, ?)'), ([seq]) => [call(seq)]),
    recentWrites: db.prepare(
      `select seq, at, root_id, run, request_hash, state from calls where seq >= ? and effect <> 'read' and replay_of is null
         and state not in ('denied', 'released') order by seq`,
    ),
    // The mark stands where numbers were given out that no row tells of any more (src/ledger/recovery.ts).
    lastCall: db.prepare(
      `select max(seq) as seq from (select max(seq) as seq from calls union all select seq from marks where name = 'calls-from')`,
    ),
    replayed: keyed(
      db.prepare(`select 1 from calls where replay_of = ? and state in ('reserved', 'settled', 'assumed') limit 1`),
      ([seq]) => [repeats(seq)],
    ),
    write: keyed(db.prepare('select seq, at, root_id, run, request_hash, state from calls where seq = ?'), ([seq]) => [
      call(seq),
    ]),
    recentKeys: db.prepare('select call_seq, hash from idempotency where call_seq >= ? order by call_seq'),
    // Bounded, so that a ledger that slept for a month does not stop to forget it. The key of a call in doubt is what it
    // is looked for by.
    forgetIdempotency: db.prepare(
      `delete from idempotency where call_seq in (
         select i.call_seq from idempotency i join calls c on c.seq = i.call_seq
         where i.call_seq < ? and c.state <> 'assumed'
           and not exists (select 1 from calls r where r.replay_of = i.call_seq and r.state = 'assumed')
         order by i.call_seq limit 4096)`,
    ),
    // What a call under way or in doubt counts is lent to no other: it may yet turn out not to have happened.
    settledOn: keyed(
      db
        .prepare(
          `select coalesce(sum(e.amount), 0) from exposures e join calls c on c.seq = e.call_seq
       where e.credential_id = ? and e.object = ? and c.state = 'settled'`,
        )
        .pluck()
        .safeIntegers(),
      ([credential, object]) => [counts(credential, object)],
    ),
    doubtOn: keyed(
      db.prepare(
        `select 1 from exposures e join calls c on c.seq = e.call_seq
       where e.credential_id = ? and e.object = ? and e.call_seq <> ? and c.state = 'assumed' limit 1`,
      ),
      ([credential, object]) => [counts(credential, object)],
    ),
    exposures: keyed(
      db
        .prepare(
          `select e.call_seq, e.amount from exposures e join calls c on c.seq = e.call_seq
       where e.credential_id = ? and e.object = ? and e.amount > 0 and c.state = 'settled' order by e.call_seq desc`,
        )
        .safeIntegers(),
      ([credential, object]) => [counts(credential, object)],
    ),
    expose: keyed(
      db.prepare(
        'insert into exposures (credential_id, object, call_seq, amount) values (?, ?, ?, ?) on conflict do update set amount = excluded.amount',
      ),
      ([credential, object]) => [counts(credential, object)],
    ),
    originate: db.prepare(
      'insert into origins (credential_id, object, call_seq, key_id, run) values (?, ?, ?, ?, ?) on conflict do nothing',
    ),
    unexpose: keyed(
      db.prepare('delete from exposures where credential_id = ? and object = ? and call_seq = ?'),
      ([credential, object]) => [counts(credential, object)],
    ),
  }
}
