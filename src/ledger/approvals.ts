import type Database from 'better-sqlite3'
import { assert } from '../assert.js'
import {
  LedgerConflict,
  type ApprovalFilter,
  type ApprovalRow,
  type ApprovalState,
  type CallDraft,
  type Page,
  type Paged,
} from '../contracts/ledger.js'
import { usd } from '../contracts/money.js'
import type { Approval, Decision, Usage } from '../contracts/policy.js'
import { callId, newId } from './ids.js'
import { SealedRows } from './sealed-rows.js'

/** Requests one key may have open at a time: an operator reads no more, and a looping agent would ask for ever. */
const OPEN_MAX = 100

type Entry = (kind: string, seq: number | null, amount: bigint, detail: string) => void
type Seen = Pick<Usage, 'approval' | 'approvalsFull'>

const NOTHING: Seen = { approval: null, approvalsFull: false }

/**
 * Requests for approval and what became of them. Each is bound to one key, one exact request and the amount quoted for
 * it, and lets one call through at most.
 *
 * Nothing is kept in memory: few calls ask, and the file decides. Every method that changes something expects to run
 * inside the ledger's transaction.
 */
export class Approvals {
  readonly #entry: Entry
  readonly #rows: SealedRows
  readonly #sql: ReturnType<typeof statements>

  constructor(db: Database.Database, entry: Entry) {
    this.#entry = entry
    this.#rows = new SealedRows(db)
    this.#sql = statements(db)
  }

  /** What stands for a call at the moment of deciding. Nothing is read where no policy wants approvals, or nothing is paid. */
  seen(draft: CallDraft, nowMs: number): Seen {
    if (draft.approvalMs == null || draft.quoted === 0n) return NOTHING
    const { key, vendor, quoted } = draft
    const requestHash = approvalHashOf(draft)
    const client = draft.clientApproves === true ? 1 : 0
    const row = this.#sql.live.get(key.id, requestHash, vendor, nowMs, client, quoted) as Row | undefined
    const open = this.#sql.countOpen.get(draft.key.id, nowMs, OPEN_MAX) as number
    return { approval: row === undefined ? null : approvalOf(row), approvalsFull: open >= OPEN_MAX }
  }

  /** The request that a refusal is to open; null when it opens none. Nothing is written yet. */
  toOpen(draft: CallDraft, { verdict, denial }: Decision, { approval, approvalsFull, nowMs }: Usage): Approval | null {
    if (verdict !== 'deny' || denial?.code !== 'approval_required' || draft.approvalMs == null) return null
    if (approvalsFull || approval?.state === 'denied') return null
    if (approval?.state === 'open' && draft.quoted <= approval.ceiling) return null
    const expiresAt = nowMs + draft.approvalMs
    return { id: newId('appr'), state: 'open', ceiling: draft.quoted, expiresAt, reason: null }
  }

  /** @param seq the row of the refusal */
  open({ id, ceiling, expiresAt }: Approval, draft: CallDraft, seq: number, nowMs: number): void {
    const { key, run, vendor, method, path, customer, reason: callReason } = draft
    const requestHash = approvalHashOf(draft)
    const operation = draft.operation ?? ''
    const spanMs = expiresAt - nowMs
    this.#sql.insert.run(
      id,
      nowMs,
      key.id,
      key.rootId,
      seq,
      run,
      vendor,
      operation,
      method,
      path,
      customer,
      callReason,
      requestHash,
      ceiling,
      spanMs,
      expiresAt,
    )
    this.#entry(
      'approval.requested',
      seq,
      ceiling,
      JSON.stringify({
        approval: id,
        at: nowMs,
        key: key.id,
        root: key.rootId,
        run,
        vendor,
        operation,
        span_ms: spanMs,
        expires_at: expiresAt,
        ...this.#sealed(id),
      }),
    )
  }

  /** An admitted call uses up the approval that covers it, whether or not it would have passed without. */
  use(approval: Approval | null, draft: CallDraft, seq: number): void {
    if (approval?.state !== 'approved' || draft.quoted > approval.ceiling) return
    const { changes } = this.#sql.use.run(seq, approval.id)
    assert(changes === 1, `${approval.id} is approved and unused`)
    this.#entry(
      'approval.used',
      seq,
      draft.quoted,
      JSON.stringify({ approval: approval.id, ...this.#sealed(approval.id) }),
    )
  }

  /** Null when there is no such request. @throws LedgerConflict when it was decided otherwise or has expired */
  decide(
    id: string,
    decision: 'approved' | 'denied',
    reason: string | null,
    actor: string,
    nowMs: number,
  ): ApprovalRow | null {
    const row = this.#sql.byId.get(id) as Row | undefined
    if (row === undefined) return null
    const state = stateOf(row, nowMs)
    if (state === 'expired') throw new LedgerConflict(expiredMessage(row))
    if (state !== 'open') {
      const before = state === 'used' ? 'approved' : state
      if (before === decision) return rowOf(row, nowMs)
      throw new LedgerConflict(
        `${id} was ${before} at ${instant(Number(row.decided_at))}${state === 'used' ? ` and used by ${callId(Number(row.used_by))}` : ''}. The first decision stands.`,
      )
    }
    const expiresAt = nowMs + Number(row.span_ms)
    this.#sql.decide.run(decision, nowMs, actor, reason, expiresAt, id)
    this.#entry(
      `approval.${decision}`,
      null,
      row.ceiling,
      JSON.stringify({ actor, approval: id, at: nowMs, expires_at: expiresAt, ...this.#sealed(id) }),
    )
    return this.find(id, nowMs)
  }

  /** People's words are in the row; the entry says by a digest that they are these. */
  #sealed(id: string): { readonly rows: ReturnType<SealedRows['seal']> } {
    return { rows: this.#rows.seal([['approvals', id]]) }
  }

  find(id: string, nowMs: number): ApprovalRow | null {
    const row = this.#sql.byId.get(id) as Row | undefined
    return row === undefined ? null : rowOf(row, nowMs)
  }

  newest(keyId: string, requestHash: string, nowMs: number): ApprovalRow | null {
    const row = this.#sql.newest.get(keyId, requestHash) as Row | undefined
    return row === undefined ? null : rowOf(row, nowMs)
  }

  /** Newest first. */
  list({ state, key }: ApprovalFilter, page: Page, nowMs: number): Paged<ApprovalRow> {
    const found: ApprovalRow[] = []
    const before = page.cursor === undefined ? null : this.#sql.byId.get(page.cursor)
    if (before === undefined) return { rows: [], next: null }
    const at = { before: (before as Row | null)?.seq ?? null, key: key ?? null, nowMs }
    const rows =
      state === 'open' ? this.#sql.listOpen.iterate(at) : this.#sql.list.iterate({ ...at, state: state ?? null })
    for (const each of rows as Iterable<Row>) {
      const row = rowOf(each, nowMs)
      if (found.length === page.limit) return { rows: found, next: found.at(-1)!.id }
      found.push(row)
    }
    return { rows: found, next: null }
  }
}

/** What an approval of a call is bound to. */
export const approvalHashOf = ({ approvalHash, requestHash }: CallDraft): string => approvalHash ?? requestHash

/** An instant as the messages of requests show it. */
const instant = (ms: number): string => new Date(ms).toISOString()

const expiredMessage = ({ id, state, expires_at: at }: Row): string =>
  `${id} expired at ${instant(Number(at))}${state === 'approved' ? ', approved and not used' : ''}. The agent must ask again.`

/** A denial is not undone by time, it only stops standing in the way of a new request. */
function stateOf({ state, expires_at: expiresAt }: Row, nowMs: number): ApprovalState {
  return (state === 'open' || state === 'approved') && expiresAt <= nowMs ? 'expired' : state
}

const approvalOf = (row: Row): Approval => ({
  id: row.id,
  state: row.state as Approval['state'],
  ceiling: usd(row.ceiling),
  expiresAt: Number(row.expires_at),
  reason: row.reason,
})

export const rowOf = (row: Row, nowMs: number): ApprovalRow => ({
  id: row.id,
  at: Number(row.at),
  state: stateOf(row, nowMs),
  keyId: row.key_id,
  rootId: row.root_id,
  callId: callId(Number(row.call_seq)),
  run: row.run,
  vendor: row.vendor,
  operation: row.operation,
  method: row.method,
  path: row.path,
  customer: row.customer,
  callReason: row.call_reason,
  requestHash: row.request_hash,
  ceiling: usd(row.ceiling),
  expiresAt: Number(row.expires_at),
  decidedAt: row.decided_at === null ? null : Number(row.decided_at),
  decidedBy: row.decided_by,
  reason: row.reason,
  usedBy: row.used_by === null ? null : callId(Number(row.used_by)),
})

export interface Row {
  seq: bigint
  id: string
  at: bigint
  key_id: string
  root_id: string
  call_seq: bigint
  run: string
  vendor: string
  operation: string
  method: string
  path: string
  customer: string | null
  call_reason: string | null
  request_hash: string
  ceiling: bigint
  span_ms: bigint
  expires_at: bigint
  state: 'open' | 'approved' | 'denied' | 'used'
  decided_at: bigint | null
  decided_by: string | null
  reason: string | null
  used_by: bigint | null
}

const LISTED = `(:before is null or seq < :before) and (:key is null or key_id = :key or root_id = :key)`

function statements(db: Database.Database) {
  const read = (sql: string): Database.Statement => db.prepare(sql).safeIntegers()
  return {
    insert: db.prepare(
      `insert into approvals (id, at, key_id, root_id, call_seq, run, vendor, operation, method, path, customer, call_reason, request_hash,
         ceiling, span_ms, expires_at, state)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open')`,
    ),
    // An approval that covers the call goes before a newer request: a rate may have risen and fallen in between. What the
    // person at the client said stands only as long as every policy lets that person decide.
    live: read(
      `select * from approvals where key_id = ? and request_hash = ? and vendor = ? and state <> 'used' and expires_at > ?
         and (state = 'open' or ? or decided_by not like 'client:%')
       order by state = 'approved' and ceiling >= ? desc, seq desc limit 1`,
    ),
    countOpen: db
      .prepare(
        `select count(*) from (select 1 from approvals where state = 'open' and key_id = ? and expires_at > ? limit ?)`,
      )
      .pluck(),
    byId: read('select * from approvals where id = ?'),
    newest: read('select * from approvals where key_id = ? and request_hash = ? order by seq desc limit 1'),
    decide: db.prepare(
      'update approvals set state = ?, decided_at = ?, decided_by = ?, reason = ?, expires_at = ? where id = ?',
    ),
    use: db.prepare(`update approvals set state = 'used', used_by = ? where id = ? and state = 'approved'`),
    list: read(
      `select * from approvals where (:state is null or :state = iif(state in ('open', 'approved') and expires_at <= :nowMs, 'expired', state))
         and ${LISTED} order by seq desc`,
    ),
    // What is open is asked for again and again by whoever must decide, and is found among its own kind.
    listOpen: read(
      `select * from approvals where state = 'open' and expires_at > :nowMs and ${LISTED} order by seq desc`,
    ),
  }
}
