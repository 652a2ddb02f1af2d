import type Database from 'better-sqlite3'
import type { Commitment } from '../contracts/call.js'
import type { CallDraft, CommitmentRow, Page, Paged, Settlement } from '../contracts/ledger.js'
import { usd } from '../contracts/money.js'
import type { Counters } from './counters.js'
import { callId, callSeq } from './ids.js'
import type { OpenCall } from './open-calls.js'
import { Passing } from './passing.js'
import { keyed } from './recording.js'

/** SQLite's integers end here. What is larger is as good as without a limit, and no cap lets it through. */
const WHOLE_MAX = 2n ** 62n
const NO_CALL = 0
const bounded = (value: bigint): bigint => (value > WHOLE_MAX ? WHOLE_MAX : value)

type Entry = (kind: string, seq: number | null, amount: bigint, detail: string) => void

/**
 * What calls make happen later: one row a call, from its admission until what it committed has ended. The rows of one
 * vendor object are one commitment, known by the first of them; each counts its share of what the object costs a
 * month, on the counters of its own key, so that whoever raised it is charged for the raise.
 *
 * Every method that changes something expects to run inside the ledger's transaction. A call that commits nothing
 * never gets here.
 */
export class Commitments {
  readonly #counters: Counters
  readonly #entry: Entry
  readonly #sql: ReturnType<typeof statements>
  /** Rows of calls under way, as they were made: nearly every outcome asks for one. */
  readonly #held = new Passing<number, Row>()

  constructor(db: Database.Database, counters: Counters, entry: Entry) {
    this.#counters = counters
    this.#entry = entry
    this.#sql = statements(db)
  }

  /** What a call adds to what recurs every month: what its object comes to less what it commits already. */
  added({ commits, credentialId }: CallDraft): bigint {
    if (commits === null) return 0n
    const perMonth = bounded(commits.perMonth)
    if (perMonth === 0n || commits.object === undefined || credentialId === null) return perMonth
    // What is in doubt may turn out not to have happened, and is lent to no other.
    const counted = this.#sql.settledSum.get(credentialId, commits.object, NO_CALL) as bigint
    return perMonth > counted ? perMonth - counted : 0n
  }

  /** Holds a share for a call that is admitted. The text is what its entry says of it. */
  hold(
    seq: number,
    credentialId: string | null,
    commits: Commitment,
    counted: bigint,
    counters: readonly number[],
  ): string {
    const perMonth = bounded(commits.perMonth)
    const quantity = commits.quantity === null ? null : bounded(commits.quantity)
    const object = commits.object ?? null
    for (const id of counters) this.#counters.add(this.#counters.byId(id), 0n, counted)
    const { kind, dueAt } = commits
    const ids = counters.join(',')
    this.#sql.insert.run(seq, credentialId, object, kind, perMonth, dueAt, quantity, counted, ids)
    this.#held.set(seq, {
      call_seq: BigInt(seq),
      credential_id: credentialId,
      object,
      kind,
      per_month: perMonth,
      due_at: dueAt === null ? null : BigInt(dueAt),
      quantity,
      standing: 0n,
      counted,
      counters: ids,
    })
    return JSON.stringify({
      kind: commits.kind,
      per_month: String(perMonth),
      due_at: commits.dueAt,
      quantity: quantity === null ? null : String(quantity),
      credential: credentialId,
      object,
      counted: String(counted),
      counters,
    })
  }

  /**
   * Books what the outcome of a call makes of what it committed; null for nothing.
   *
   * @param alone whether nothing else stands on the object that the settlement says has ended
   */
  settle(call: OpenCall, settlement: Settlement, alone: boolean): Booked | null {
    const row = this.#rowOf(call.seq)
    this.#held.delete(call.seq)
    if (row === undefined) return null
    const held = call.state === 'reserved'
    const book = (counted: bigint): void =>
      this.#count(row, held ? counted : counted - row.counted, held ? -row.counted : 0n)
    if (settlement.outcome === 'released') {
      book(0n)
      this.#sql.remove.run(call.seq, row.object)
      return { text: JSON.stringify({ counted: '0' }), row: null }
    }
    const object = settlement.commitment ?? row.object ?? settlement.object ?? null
    // Made and ended by one reply, as a payment that is confirmed at once. What recurred leaves an origin behind.
    if (alone && object !== null && settlement.ends === object && row.kind !== 'recurring') {
      book(0n)
      this.#sql.remove.run(call.seq, row.object)
      return { text: JSON.stringify({ counted: '0', ended: object }), row: null }
    }
    const counted = settlement.outcome === 'assumed' ? row.counted : this.#share(call, row, object)
    book(counted)
    this.#sql.stand.run(object, counted, call.seq, row.object)
    return { text: JSON.stringify({ object, counted: String(counted) }), row: { ...row, object, counted } }
  }

  /** The answer to a replay tells what the original made, when the original's own answer was lost. */
  nameOriginal(replay: OpenCall, { commitment, object }: Settlement): void {
    const name = commitment ?? object ?? null
    if (name === null || replay.replayOf === null) return
    const row = this.#rowOf(replay.replayOf)
    if (row === undefined || row.object !== null) return
    this.#held.delete(replay.replayOf)
    this.#sql.name.run(name, replay.replayOf)
    this.#entry('commitment.named', replay.replayOf, 0n, JSON.stringify({ by: replay.seq, object: name }))
  }

  /** Whether anything stands on an object but what a call itself commits. Asked before that is booked. */
  othersOn({ seq, credentialId }: OpenCall, object: string): boolean {
    return this.#sql.other.get(credentialId, object, seq) !== undefined
  }

  /**
   * The object acts no more: it was confirmed, cancelled, sent, or it expired.
   *
   * @param own what the call itself commits, where nothing else stands on the object: then nothing is looked for
   */
  end(by: OpenCall, object: string, own: { readonly row: Row | null } | null): void {
    const alone = own?.row?.object === object ? [own.row] : []
    const rows = own === null ? (this.#sql.standing.all(by.credentialId, object) as Row[]) : alone
    for (const row of rows) this.#drop(row, 'commitment.ended', { by: by.seq, object })
  }

  /** Ends a commitment that was taken back. Its object and credential; null when it does not stand. */
  takeBack(id: string, actor: string): { readonly credentialId: string | null; readonly object: string | null } | null {
    const row = this.#rowOf(callSeq(id) ?? NO_CALL)
    if (row === undefined || row.standing === 0n) return null
    const { credential_id: credentialId, object } = row
    const rows = object === null ? [row] : (this.#sql.standing.all(credentialId, object) as Row[])
    for (const each of rows) this.#drop(each, 'commitment.taken_back', { actor, object, commitment: id })
    return { credentialId, object }
  }

  /** Counts what keys have committed on another counter too: what ends later is given back there as well. */
  carry(keys: readonly string[], vendor: string | null, counterId: number, actor: string): void {
    for (const row of this.#sql.ofKeys.all(JSON.stringify(keys), vendor, vendor) as Row[]) {
      const counters = [...countersOf(row), counterId]
      const standing = row.standing === 1n
      this.#counters.add(this.#counters.byId(counterId), standing ? row.counted : 0n, standing ? 0n : row.counted)
      this.#sql.recount.run(counters.join(','), row.call_seq)
      this.#held.delete(Number(row.call_seq))
      this.#entry(
        'commitment.carried',
        Number(row.call_seq),
        row.counted,
        JSON.stringify({ actor, counters: [counterId] }),
      )
    }
  }

  /** Standing commitments of some keys (null: of all), oldest first. What fell due is not to come any more. */
  list(keys: ReadonlySet<string> | null, nowMs: number, page: Page): Paged<CommitmentRow> {
    const found: CommitmentRow[] = []
    const after = page.cursor === undefined ? 0 : (callSeq(page.cursor) ?? 0)
    for (const row of this.#sql.leaders.iterate(after) as Iterable<LeaderRow>) {
      if (keys !== null && !keys.has(row.key_id)) continue
      const commitment = this.#lineOf(row)
      if (commitment.kind === 'scheduled' && commitment.dueAt !== null && commitment.dueAt <= nowMs) continue
      if (found.length === page.limit) return { rows: found, next: found.at(-1)!.id }
      found.push(commitment)
    }
    return { rows: found, next: null }
  }

  /** Drops what is in memory; the rows are read again. After a rollback they are right and memory is not. */
  forget(): void {
    this.#held.clear()
  }

  #rowOf(seq: number): Row | undefined {
    return this.#held.get(seq) ?? (this.#sql.row.get(seq) as Row | undefined)
  }

  #lineOf(row: LeaderRow): CommitmentRow {
    const { object, credential_id: credentialId } = row
    const last = object === null ? row : (this.#sql.last.get(credentialId, object) as Row)
    const perMonth = object === null ? row.counted : (this.#sql.standingSum.get(credentialId, object) as bigint)
    const counted = object === null ? row.settled : (this.#sql.exposure.get(credentialId, object) as bigint)
    const { kind, due_at, quantity } = last
    return commitmentOf({ ...row, kind, due_at, quantity, per_month: perMonth, counted })
  }

  /** What a call that has happened counts for, and the give-back when its object costs less a month than before. */
  #share(call: OpenCall, row: Row, object: string | null): bigint {
    if (object === null || row.credential_id === null) return row.per_month
    // Only what certainly happened, as with the amounts themselves.
    const others = this.#sql.settledSum.get(row.credential_id, object, call.seq) as bigint
    if (row.per_month >= others) return row.per_month - others
    // Two replies say different terms and nobody knows which came last: the larger count stands.
    if (call.overlapped) return 0n
    let left = others - row.per_month
    for (const other of this.#sql.settled.all(row.credential_id, object, call.seq) as Row[]) {
      if (left === 0n) break
      const part = other.counted < left ? other.counted : left
      this.#count(other, -part, 0n)
      this.#sql.stand.run(object, other.counted - part, other.call_seq, object)
      this.#entry('commitment.returned', Number(other.call_seq), part, JSON.stringify({ by: call.seq, object }))
      left -= part
    }
    return 0n
  }

  #drop(row: Row, kind: string, detail: object): void {
    // What recurred may still bill something: its last invoice is its maker's.
    if (row.kind === 'recurring' && row.object !== null && row.credential_id !== null)
      this.#sql.originate.run(row.credential_id, row.object, row.call_seq)
    this.#count(row, -row.counted, 0n)
    this.#sql.remove.run(row.call_seq, row.object)
    this.#entry(kind, Number(row.call_seq), row.counted, JSON.stringify(detail))
  }

  #count(row: Row, spent: bigint, held: bigint): void {
    for (const id of countersOf(row)) this.#counters.add(this.#counters.byId(id), spent, held)
  }
}

/** A commitment as its first row began it, with the terms of its last one and the sums over its object. */
export interface CommitmentLine {
  call_seq: bigint
  credential_id: string | null
  object: string | null
  kind: Commitment['kind']
  per_month: bigint
  due_at: bigint | null
  quantity: bigint | null
  counted: bigint
  key_id: string
  run: string
  vendor: string
  operation: string | null
  at: bigint
}
export const commitmentOf = (line: CommitmentLine): CommitmentRow => ({
  id: callId(Number(line.call_seq)),
  keyId: line.key_id,
  credentialId: line.credential_id ?? '',
  run: line.run,
  vendor: line.vendor,
  operation: line.operation ?? '',
  kind: line.kind,
  perMonth: usd(line.per_month),
  dueAt: line.due_at === null ? null : Number(line.due_at),
  quantity: line.quantity,
  object: line.object,
  counted: usd(line.counted),
  at: Number(line.at),
})

/** What a call committed after its outcome, null when that is nothing any more, and what its entry says of it. */
export interface Booked {
  readonly text: string
  readonly row: Row | null
}

const countersOf = ({ counters }: Row): number[] => (counters === '' ? [] : counters.split(',').map(Number))

export interface Row {
  call_seq: bigint
  credential_id: string | null
  object: string | null
  kind: Commitment['kind']
  per_month: bigint
  due_at: bigint | null
  quantity: bigint | null
  standing: bigint
  counted: bigint
  counters: string
}
interface LeaderRow extends Row {
  key_id: string
  run: string
  vendor: string
  operation: string | null
  at: bigint
  settled: bigint
}

// What statements touch, where they are recorded (src/ledger/recording.ts).
const ofCall = (seq: unknown): string => `commitment ${String(seq)}`
const onObject = (object: unknown): string | null => (object === null ? null : `commitments on ${String(object)}`)

function statements(db: Database.Database) {
  const read = (sql: string): Database.Statement => db.prepare(sql).safeIntegers()
  const readOn = (sql: string): Database.Statement => keyed(read(sql), ([, object]) => [onObject(object)])
  return {
    insert: keyed(
      db.prepare(
        `insert into commitments (call_seq, credential_id, object, kind, per_month, due_at, quantity, standing, counted, counters)
       values (?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`,
      ),
      ([seq, , object]) => [ofCall(seq), onObject(object)],
    ),
    row: keyed(read('select * from commitments where call_seq = ?'), ([seq]) => [ofCall(seq)]),
    remove: keyed(db.prepare('delete from commitments where call_seq = ? and object is ?'), ([seq, object]) => [
      ofCall(seq),
      onObject(object),
    ]),
    originate: db.prepare(
      `insert into origins (credential_id, object, call_seq, key_id, run)
       select ?, ?, seq, key_id, run from calls where seq = ? on conflict do nothing`,
    ),
    stand: keyed(
      db.prepare('update commitments set object = ?, counted = ?, standing = 1 where call_seq = ? and object is ?'),
      ([object, , seq, before]) => [ofCall(seq), onObject(object), onObject(before)],
    ),
    name: keyed(db.prepare('update commitments set object = ? where call_seq = ?'), ([object, seq]) => [
      ofCall(seq),
      onObject(object),
    ]),
    recount: db.prepare('update commitments set counters = ? where call_seq = ?'),
    standing: readOn(
      'select * from commitments where credential_id = ? and object = ? and standing = 1 order by call_seq',
    ),
    other: readOn(
      'select 1 from commitments where credential_id = ? and object = ? and standing = 1 and call_seq <> ? limit 1',
    ),
    last: readOn(
      'select * from commitments where credential_id = ? and object = ? and standing = 1 order by call_seq desc limit 1',
    ),
    standingSum: readOn(
      'select coalesce(sum(counted), 0) from commitments where credential_id = ? and object = ? and standing = 1',
    ).pluck(),
    settledSum: readOn(
      `select coalesce(sum(m.counted), 0) from commitments m join calls c on c.seq = m.call_seq
       where m.credential_id = ? and m.object = ? and m.call_seq <> ? and c.state = 'settled'`,
    ).pluck(),
    settled: readOn(
      `select m.* from commitments m join calls c on c.seq = m.call_seq
       where m.credential_id = ? and m.object = ? and m.call_seq <> ? and m.counted > 0 and c.state = 'settled' order by m.call_seq desc`,
    ),
    ofKeys: read(
      `select m.* from commitments m join calls c on c.seq = m.call_seq
       where c.key_id in (select value from json_each(?)) and (? is null or c.vendor = ?) and m.kind = 'recurring' order by m.call_seq`,
    ),
    leaders: read(
      `select m.*, c.key_id, c.run, c.vendor, c.operation, c.at, c.settled from commitments m join calls c on c.seq = m.call_seq
       where m.call_seq > ? and m.standing = 1 and not exists (
         select 1 from commitments o where o.credential_id = m.credential_id and o.object = m.object and o.standing = 1 and o.call_seq < m.call_seq)
       order by m.call_seq`,
    ),
    exposure: read('select coalesce(sum(amount), 0) from exposures where credential_id = ? and object = ?').pluck(),
  }
}
