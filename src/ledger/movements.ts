import type Database from 'better-sqlite3'
import type { MovementFilter, MovementRow, NewMovement, Origin, Page, Paged, SentCall } from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import type { Counter, Counters } from './counters.js'
import { callId, callSeq } from './ids.js'
import type { Tallies } from './tallies.js'

/** What a movement is booked with. */
interface Parts {
  readonly counters: Counters
  readonly tallies: Tallies
  /** The number the next entry will have. */
  readonly nextEntry: () => number
  readonly entry: (kind: string, seq: number | null, amount: bigint, detail: string) => void
}

/**
 * Money that moved without a call. What followed from an object of ours counts on the key whose call made the object, on
 * the day it happened, as far as no call has counted it: a page that was paid counts from the second payment on when
 * its making counted the first. What followed from nothing of ours is kept and counts on no key.
 */
export class Movements {
  readonly #parts: Parts
  readonly #sql: ReturnType<typeof statements>

  constructor(db: Database.Database, parts: Parts) {
    this.#parts = parts
    this.#sql = statements(db)
  }

  /** The row of this very money, if it was told of before. */
  known({ credentialId, externalId }: Pick<NewMovement, 'credentialId' | 'externalId'>): MovementRow | null {
    const row = this.#sql.find.get(credentialId, externalId) as MovementLine | undefined
    return row === undefined ? null : movementOf(row)
  }

  /**
   * Books a movement that is not known, or was not explained. Inside the transaction.
   *
   * @param counterOf made only for a movement that counts on a key
   */
  book(movement: NewMovement, rootId: string | null, counterOf: () => readonly Counter[]): MovementRow {
    const { counters, tallies, entry } = this.#parts
    const { origin, amount } = movement
    const counted = origin === null || amount === null ? 0n : this.#excess(movement, amount)
    const on = origin === null ? [] : counterOf()
    for (const counter of on) counters.add(counter, counted, 0n)
    const ids = on.map(({ id }) => id)
    const seq = this.#parts.nextEntry()
    const why = movement.why
    entry('moved', null, counted, textOf(movement, rootId, ids))
    this.#sql.put.run(
      seq,
      movement.at,
      movement.vendor,
      movement.credentialId,
      movement.externalId,
      movement.kind,
      movement.direction,
      origin?.object ?? null,
      origin === null ? null : callSeq(origin.callId),
      origin?.keyId ?? null,
      rootId,
      origin?.run ?? null,
      amount,
      counted,
      ids.join(','),
      why === null ? 1 : 0,
      why,
    )
    if (origin !== null && rootId !== null) {
      const { keyId, run } = origin
      tallies.add({ at: movement.at, keyId, rootId, run, vendor: movement.vendor, operation: '' }, 0, 0, counted, 0n)
      for (const object of movement.makes)
        this.#sql.originate.run(movement.credentialId, object, callSeq(origin.callId), keyId, run)
    }
    return this.known(movement)!
  }

  /**
   * What of an amount no call and no earlier movement has counted. Calls under way are left out: they may yet be turned
   * away. Where a call has given back meanwhile, what it no longer covers is made up for.
   */
  #excess({ credentialId, origin }: NewMovement, amount: bigint): bigint {
    const object = origin?.object ?? null
    if (object === null) return amount
    const covered = this.#sql.covered.get(credentialId, object) as bigint
    const before = this.#sql.before.get(credentialId, object) as { amount: bigint; counted: bigint }
    const excess = before.amount + amount - covered - before.counted
    return excess > 0n ? excess : 0n
  }

  /** The first of these objects that a call is known to have made, and that call. */
  originOf(credentialIds: readonly string[], objects: readonly string[]): Origin | null {
    for (const object of objects) {
      for (const credentialId of credentialIds) {
        const named = { credentialId, object }
        const row = (this.#sql.origin.get(named) ?? this.#sql.cameOf.get(named)) as OriginLine | undefined
        if (row !== undefined) return originOf(row, object)
      }
    }
    return null
  }

  /** Calls that were let out under these credentials, by number, from one after `after` to one before `before`. */
  sent(
    credentialIds: readonly string[],
    { after, before, inDoubt }: { readonly after: number; readonly before: number; readonly inDoubt: boolean },
    limit: number,
  ): readonly SentCall[] {
    const sql = inDoubt ? this.#sql.inDoubt : this.#sql.sent
    const rows = sql.all(after, before, JSON.stringify(credentialIds), limit) as SentLine[]
    return rows.map(sentOf)
  }

  /** What calls count that a credential's were, by number, and what moved on it unexplained, by instant. */
  countedUnder(
    credentialId: string,
    { from, to }: { readonly from: number; readonly to: number },
    { after, before }: { readonly after: number; readonly before: number },
  ): { readonly calls: Usd; readonly unexplained: Usd } {
    const calls = this.#sql.callsUnder.get({ credentialId, after, before }) as bigint
    const unexplained = this.#sql.unexplainedUnder.get({ credentialId, from, to }) as bigint
    return { calls: usd(calls), unexplained: usd(unexplained) }
  }

  /** Newest first. */
  list(filter: MovementFilter, page: Page): Paged<MovementRow> {
    const before = page.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(page.cursor)
    const { explained, vendor = null, key = null } = filter
    const flag = explained === undefined ? null : explained ? 1 : 0
    const rows = this.#sql.list.all({ before, explained: flag, vendor, key, limit: page.limit + 1 }) as MovementLine[]
    const found = rows.slice(0, page.limit).map(movementOf)
    return { rows: found, next: rows.length > page.limit ? String(found.at(-1)!.seq) : null }
  }

  /** What of the movements since an instant was counted on these keys. */
  counted(
    keys: readonly string[],
    since: number,
    { vendor, direction }: { readonly vendor: string | null; readonly direction: string | null },
  ): bigint {
    return this.#sql.counted.get({ keys: JSON.stringify(keys), since, vendor, direction }) as bigint
  }
}

/** What the entry says, so that the row can be proved against it. */
function textOf(movement: NewMovement, rootId: string | null, counters: readonly number[]): string {
  const { origin, amount } = movement
  return JSON.stringify({
    vendor: movement.vendor,
    credential: movement.credentialId,
    id: movement.externalId,
    kind: movement.kind,
    direction: movement.direction,
    at: movement.at,
    amount: amount === null ? null : String(amount),
    object: origin?.object ?? null,
    call: origin === null ? null : callSeq(origin.callId),
    key: origin?.keyId ?? null,
    root: rootId,
    run: origin?.run ?? null,
    counters,
    why: movement.why,
    ...(origin !== null && movement.makes.length > 0 && { makes: movement.makes }),
  })
}

export interface MovementLine {
  seq: bigint
  at: bigint
  vendor: string
  credential_id: string
  external_id: string
  kind: string
  direction: 'in' | 'out'
  object: string | null
  call_seq: bigint | null
  key_id: string | null
  root_id: string | null
  run: string | null
  amount: bigint | null
  counted: bigint
  counters: string
  explained: bigint
  why: string | null
}
export const movementOf = (row: MovementLine): MovementRow => ({
  seq: Number(row.seq),
  at: Number(row.at),
  vendor: row.vendor,
  credentialId: row.credential_id,
  externalId: row.external_id,
  kind: row.kind,
  direction: row.direction,
  object: row.object,
  callId: row.call_seq === null ? null : callId(Number(row.call_seq)),
  keyId: row.key_id,
  run: row.run,
  amount: row.amount === null ? null : usd(row.amount),
  counted: usd(row.counted),
  explained: row.explained === 1n,
  why: row.why,
})

export interface OriginLine {
  seq: bigint
  credential_id: string
  key_id: string
  run: string
}
export const originOf = (row: OriginLine, object: string): Origin => ({
  callId: callId(Number(row.seq)),
  credentialId: row.credential_id,
  keyId: row.key_id,
  run: row.run,
  object,
})

export interface SentLine {
  seq: bigint
  at: bigint
  key_id: string
  credential_id: string
  run: string
  state: SentCall['state']
  request_hash: string
  upstream_request_id: string | null
  hash: string | null
}
export const sentOf = (row: SentLine): SentCall => ({
  seq: Number(row.seq),
  callId: callId(Number(row.seq)),
  at: Number(row.at),
  keyId: row.key_id,
  credentialId: row.credential_id,
  run: row.run,
  state: row.state,
  requestHash: row.request_hash,
  idempotencyHash: row.hash,
  requestId: row.upstream_request_id,
})

const SENT = `c.seq, c.at, c.key_id, c.credential_id, c.run, c.state, c.request_hash, c.upstream_request_id, i.hash`
const SENT_WHERE = `left join idempotency i on i.call_seq = c.seq
  where c.seq > ? and c.seq < ? and c.state <> 'denied' and c.replay_of is null
    and c.credential_id in (select value from json_each(?)) order by c.seq limit ?`

function statements(db: Database.Database) {
  const read = (sql: string): Database.Statement => db.prepare(sql).safeIntegers()
  return {
    find: read('select * from movements where credential_id = ? and external_id = ?'),
    put: db.prepare(
      `insert into movements (seq, at, vendor, credential_id, external_id, kind, direction, object, call_seq, key_id, root_id, run,
         amount, counted, counters, explained, why)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (credential_id, external_id) do update set at = excluded.at, kind = excluded.kind, direction = excluded.direction, object = excluded.object, call_seq = excluded.call_seq, key_id = excluded.key_id,
         root_id = excluded.root_id, run = excluded.run, amount = excluded.amount, counted = excluded.counted,
         counters = excluded.counters, explained = excluded.explained, why = excluded.why`,
    ),
    originate: db.prepare(
      'insert into origins (credential_id, object, call_seq, key_id, run) values (?, ?, ?, ?, ?) on conflict do nothing',
    ),
    covered: read(
      `select coalesce(sum(e.amount), 0) from exposures e join calls c on c.seq = e.call_seq
       where e.credential_id = ? and e.object = ? and c.state <> 'reserved'`,
    ).pluck(),
    before: read(
      `select coalesce(sum(amount), 0) as amount, coalesce(sum(counted), 0) as counted from movements
       where credential_id = ? and object = ? and explained = 1`,
    ),
    origin: read(
      `select c.seq, c.credential_id, c.key_id, c.run from calls c where c.seq = coalesce(
         (select min(call_seq) from exposures where credential_id = :credentialId and object = :object),
         (select min(call_seq) from commitments where credential_id = :credentialId and object = :object))`,
    ),
    cameOf: read(
      `select call_seq as seq, credential_id, key_id, run from origins where credential_id = :credentialId and object = :object`,
    ),
    sent: read(`select ${SENT} from calls c ${SENT_WHERE}`),
    // From the few that were in doubt to their rows, and not the other way round.
    inDoubt: read(
      `select ${SENT} from (select seq from calls where state = 'assumed' union select call_seq from resolutions) d
       cross join calls c on c.seq = d.seq ${SENT_WHERE}`,
    ),
    callsUnder: read(
      `select coalesce(sum(settled), 0) from calls where seq > :after and seq < :before and credential_id = :credentialId`,
    ).pluck(),
    unexplainedUnder: read(
      `select coalesce(sum(amount), 0) from movements
       where credential_id = :credentialId and explained = 0 and kind <> 'usage' and at >= :from and at < :to`,
    ).pluck(),
    list: read(
      `select * from movements where seq < :before and (:explained is null or explained = :explained)
         and (:vendor is null or vendor = :vendor) and (:key is null or key_id = :key) order by seq desc limit :limit`,
    ),
    counted: read(
      `select coalesce(sum(counted), 0) from movements where at >= :since and key_id in (select value from json_each(:keys))
         and (:vendor is null or vendor = :vendor) and (:direction is null or direction = :direction)`,
    ).pluck(),
  }
}
