import type Database from 'better-sqlite3'
import { assert } from '../assert.js'
import type { Denial } from '../contracts/call.js'
import type { Clock } from '../contracts/clock.js'
import {
  LedgerConflict,
  LedgerFault,
  type Admission,
  type ApprovalFilter,
  type ApprovalRow,
  type CallDraft,
  type CallFilter,
  type CallRow,
  type CommitmentRow,
  type CredentialRecord,
  type EntryRow,
  type FreezeScope,
  type KeyRecord,
  type Ledger,
  type NewKey,
  type Page,
  type Paged,
  type PolicyRecord,
  type RunRow,
  type Settlement,
  type SpendBy,
  type SpendRow,
} from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import type { Budget, Decision, Usage } from '../contracts/policy.js'
import { Book, DUPLICATE_MS, IDEMPOTENCY_MS, type Asked, type Traces, type WriteName } from './book.js'
import { callSeq } from './ids.js'
import { openDatabase } from './open.js'
import { Recent } from './recent.js'
import { Reports } from './reports.js'
import { statements, type Statements, type WriteRow } from './statements.js'
import { verify } from './verify.js'

/** How long a settlement may wait for a call to share its commit with. */
const SETTLE_WAIT_MS = 5
/** From how many waiting calls on it pays to let more arrive, and for how many turns of the event loop at most. */
const GATHER_FROM = 4
const GATHER_TURNS_MAX = 4

interface AdmitJob extends Asked {
  readonly resolve: (admission: Admission) => void
  readonly reject: (fault: unknown) => void
}

/**
 * The ledger on one SQLite file. Admissions and settlements gather while the event loop reads requests and share one
 * durable commit (group commit): the fsync is paid once for however many calls arrived while the last one ran.
 * Decisions run inside that transaction, one after the other, each on totals that include the one before.
 */
export class SqliteLedger implements Ledger {
  readonly #db: Database.Database
  readonly #clock: Clock
  readonly #book: Book
  readonly #reports: Reports
  readonly #sql: Statements
  readonly #listeners = new Set<(row: CallRow) => void>()
  #admits: AdmitJob[] = []
  #settlements: { readonly seq: number; readonly settlement: Settlement }[] = []
  /** Calls whose settlement waits for a commit. */
  readonly #answered = new Set<number>()
  #scheduled = false
  #timer: NodeJS.Timeout | null = null
  #commits = 0

  constructor(db: Database.Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#sql = statements(db)
    const traces = new Remembered(
      this.#sql,
      () => this.#reports,
      (key) => this.#book.registry.descendants(key),
    )
    this.#book = new Book(db, clock, traces)
    this.#reports = new Reports(db, this.#book.threads)
    traces.fill(clock.now())
    this.#assumeStale()
  }

  /** Calls that were under way when the last process ended: nobody knows whether the vendor acted, so they count as spent. */
  #assumeStale(): void {
    const stale = this.#db
      .prepare(
        `select seq from calls where seq >= coalesce((select seq from marks where name = 'oldest-open'), 0) and state = 'reserved' order by seq`,
      )
      .all() as { seq: number }[]
    if (stale.length === 0) return
    this.#transaction(() => {
      for (const { seq } of stale)
        this.#book.settle(seq, { outcome: 'assumed', status: null, requestId: null, ms: null })
    })
  }

  // Keys and what they rest on

  findKey = (digest: string): KeyRecord | null => this.#book.registry.findKey(digest)
  key = (id: string): KeyRecord | null => this.#book.registry.key(id)
  keys = async (page: Page): Promise<Paged<KeyRecord>> => this.#book.registry.keys(page)
  credentials = (): readonly CredentialRecord[] => this.#book.registry.credentials()
  credential = (id: string): CredentialRecord | null => this.#book.registry.credential(id)
  policies = (): readonly PolicyRecord[] => this.#book.registry.policies()
  freezes = (): ReturnType<Ledger['freezes']> => this.#book.registry.freezes()
  setting = (name: string): unknown => this.#book.registry.setting(name)

  async addKey(key: NewKey): Promise<KeyRecord> {
    return this.#change(() => this.#book.addKey(key))
  }

  async narrowKey(id: string, patch: unknown, actor: string): Promise<KeyRecord> {
    return this.#change(() => this.#book.narrowKey(id, patch, actor))
  }

  async carryOver(fromKey: string, budgets: readonly Budget[], actor: string): Promise<void> {
    await this.flushed()
    const keys = this.#book.registry.descendants(fromKey)
    this.#change(() =>
      this.#book.carryOver(fromKey, budgets, actor, (budget) => this.#reports.counted(keys, budget.since ?? 0, budget)),
    )
  }

  async revoke(
    id: string,
    reason: string | null,
    actor: string,
  ): Promise<{ readonly revokedAt: number; readonly inFlight: readonly string[] }> {
    const { registry } = this.#book
    const key = registry.key(id)
    if (!key) throw new LedgerConflict(`There is no key ${id}.`)
    if (key.revokedAt !== null) return { revokedAt: key.revokedAt, inFlight: registry.inFlightAtRevoke(id) }
    const inFlight = this.#book.inFlight(new Set(registry.descendants(id)))
    const revokedAt = this.#clock.now()
    this.#change(() => this.#book.revoke(id, reason, actor, revokedAt, inFlight))
    return { revokedAt, inFlight }
  }

  async freeze(scope: FreezeScope, reason: string | null, actor: string): Promise<void> {
    this.#change(() => this.#book.freeze(scope, reason, actor))
  }

  async unfreeze(scope: FreezeScope, actor: string): Promise<void> {
    this.#change(() => this.#book.unfreeze(scope, actor))
  }

  async putCredential(
    record: CredentialRecord,
    action: Parameters<Ledger['putCredential']>[1],
    actor: string,
  ): Promise<void> {
    this.#change(() => this.#book.putCredential(record, action, actor))
  }

  async removeCredential(id: string, actor: string): Promise<void> {
    this.#change(() => this.#book.removeCredential(id, actor))
  }

  /** Credentials and one setting sealed anew under another master key: all or none. */
  async reseal(...change: Parameters<Book['reseal']>): Promise<void> {
    this.#change(() => this.#book.reseal(...change))
  }

  async addPolicy(name: string, document: unknown, actor: string): Promise<PolicyRecord> {
    return (
      this.#book.registry.findPolicy(name, document) ?? this.#change(() => this.#book.addPolicy(name, document, actor))
    )
  }

  async putSetting(name: string, value: unknown, actor: string): Promise<void> {
    this.#change(() => this.#book.putSetting(name, value, actor))
  }

  // The life of one call

  async clear(draft: CallDraft, decide: (usage: Usage) => Denial | null): Promise<Denial | null> {
    return this.#book.clear(draft, decide)
  }

  async preview(draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Decision> {
    await this.flushed()
    return decide(this.#book.seen(draft))
  }

  admit(draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Admission> {
    return new Promise((resolve, reject) => {
      this.#admits.push({ draft, decide, resolve, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(this.#gather, 0, 0)
    })
  }

  /**
   * Commits, or under load waits one more turn of the event loop while calls keep arriving: what is read in that turn
   * shares the fsync. A call that comes alone is committed at once.
   */
  readonly #gather = (seen: number, turns: number): void => {
    const waiting = this.#admits.length
    if (waiting >= GATHER_FROM && waiting > seen && turns < GATHER_TURNS_MAX)
      setImmediate(this.#gather, waiting, turns + 1)
    else this.#commit()
  }

  mayLeave(id: string): Denial | true {
    return this.#book.mayLeave(id)
  }

  stands(key: KeyRecord, run: string, vendor: string): Denial | true {
    return this.#book.stands(key, run, vendor)
  }

  settle(id: string, settlement: Settlement): void {
    const seq = callSeq(id)
    assert(seq !== null, 'a settlement names a call')
    assert(!this.#answered.has(seq) && this.#book.awaitsOutcome(seq), `${id} has an outcome to book`)
    this.#answered.add(seq)
    this.#settlements.push({ seq, settlement })
    this.#timer ??= setTimeout(this.#commit, SETTLE_WAIT_MS)
  }

  async flushed(): Promise<void> {
    if (this.#settlements.length > 0) this.#commit()
    if (this.#settlements.length > 0) throw new LedgerFault('The ledger could not write what was settled.')
  }

  readonly #commit = (): void => {
    this.#scheduled = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const admits = this.#admits
    const settlements = this.#settlements
    this.#admits = []
    this.#settlements = []
    const done: { readonly job: AdmitJob; readonly admission?: Admission; readonly bug?: unknown }[] = []
    const { open } = this.#book
    let touched: ReadonlySet<number>
    try {
      touched = this.#transaction(() => {
        for (const { seq, settlement } of settlements) this.#book.settle(seq, settlement)
        for (const job of admits) {
          const admission = this.#book.admit(job)
          done.push(admission instanceof Error ? { job, bug: admission } : { job, admission })
        }
        if (++this.#commits % 256 === 0) this.#sql.mark.run(open.oldest() ?? this.#book.nextCall)
        if (this.#commits % 1024 === 0)
          this.#sql.forgetIdempotency.run(this.#reports.seqAt(this.#clock.now() - 2 * IDEMPOTENCY_MS))
      })
    } catch (cause) {
      // Nothing of this batch is on disk. Outcomes are kept for the next commit; callers learn that they are not admitted.
      for (const { admission } of done) if (admission) open.delete(callSeq(admission.callId)!)
      for (const { seq } of settlements) {
        const call = open.get(seq)
        if (call) call.state = 'reserved'
      }
      this.#settlements = [...settlements, ...this.#settlements]
      this.#timer ??= setTimeout(this.#commit, 200)
      for (const job of admits) job.reject(cause)
      return
    }
    for (const { seq } of settlements) {
      this.#answered.delete(seq)
      open.delete(seq)
    }
    for (const { job, admission, bug } of done) {
      if (admission) job.resolve(admission)
      else job.reject(bug)
    }
    this.#announce(touched)
  }

  /** Runs one durable transaction; the rows it changed. Faults roll back the file and what memory holds of it, and leave as LedgerFault. */
  #transaction(work: () => void): ReadonlySet<number> {
    try {
      this.#book.begin()
      work()
      this.#book.finish()
      return this.#book.commit()
    } catch (cause) {
      this.#book.undo()
      if (cause instanceof LedgerConflict) throw cause
      throw new LedgerFault(`The ledger could not write: ${(cause as Error).message}`, { cause })
    }
  }

  /** An administrator's change, in a transaction of its own. */
  #change<T>(work: () => T): T {
    let result: T
    try {
      this.#announce(
        this.#transaction(() => {
          result = work()
        }),
      )
    } catch (cause) {
      this.#book.registry.reload()
      throw cause
    }
    return result!
  }

  #announce(touched: ReadonlySet<number>): void {
    if (this.#listeners.size === 0) return
    for (const seq of touched) {
      const row = this.#reports.call(seq)
      if (row) for (const listener of this.#listeners) listener(row)
    }
  }

  // Approvals

  async approvals(filter: ApprovalFilter, page: Page): Promise<Paged<ApprovalRow>> {
    return this.#book.approvals.list(filter, page, this.#clock.now())
  }

  async approval(id: string): Promise<ApprovalRow | null> {
    return this.#book.approvals.find(id, this.#clock.now())
  }

  async approvalFor(keyId: string, requestHash: string): Promise<ApprovalRow | null> {
    return this.#book.approvals.newest(keyId, requestHash, this.#clock.now())
  }

  async decideApproval(...decision: Parameters<Ledger['decideApproval']>): Promise<ApprovalRow | null> {
    return this.#change(() => this.#book.decideApproval(...decision))
  }

  // What is still to come

  async commitments(key: string | null, page: Page): Promise<Paged<CommitmentRow>> {
    await this.flushed()
    const keys = key === null ? null : new Set(this.#book.registry.descendants(key))
    return this.#book.commitments.list(keys, this.#clock.now(), page)
  }

  async takenBack(id: string, actor: string, keepsCounted = false): Promise<void> {
    await this.flushed()
    this.#change(() => this.#book.takenBack(id, actor, keepsCounted))
  }

  // Reports

  onChange(listener: (row: CallRow) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  implicitRun(rootId: string, idleMs: number): string {
    return this.#book.implicitRun(rootId, idleMs, () => this.#reports.lastImplicitRun(rootId))
  }

  async usage(budgets: readonly Budget[]): Promise<readonly { readonly spent: Usd; readonly held: Usd }[]> {
    return budgets.map((budget) => {
      const counter = this.#book.counters.peek(budget)
      return { spent: usd(counter?.spent ?? 0n), held: usd(counter?.held ?? 0n) }
    })
  }

  async call(id: string): Promise<CallRow | null> {
    await this.flushed()
    const seq = callSeq(id)
    return seq === null ? null : this.#reports.call(seq)
  }

  async calls(filter: CallFilter, page: Page): Promise<Paged<CallRow>> {
    await this.flushed()
    return this.#reports.calls(filter, page)
  }

  async callsAfter(seq: number, limit: number): Promise<readonly CallRow[]> {
    await this.flushed()
    return this.#reports.callsAfter(seq, limit)
  }

  async spend(by: SpendBy, range: { readonly from?: number; readonly to?: number }): Promise<readonly SpendRow[]> {
    await this.flushed()
    return this.#reports.spend(by, range)
  }

  async runs(page: Page, key?: string): Promise<Paged<RunRow>> {
    await this.flushed()
    return this.#reports.runs(page, key === undefined ? undefined : (this.#book.registry.key(key)?.rootId ?? key))
  }

  async run(run: string, key?: string): Promise<RunRow | null> {
    await this.flushed()
    return this.#reports.run(run, key === undefined ? undefined : (this.#book.registry.key(key)?.rootId ?? key))
  }

  async entries(afterSeq: number, limit: number): Promise<readonly EntryRow[]> {
    await this.flushed()
    return this.#reports.entries(afterSeq, limit)
  }

  async verify(): Promise<readonly string[]> {
    await this.flushed()
    return verify(this.#db)
  }

  async backup(file: string): Promise<void> {
    await this.flushed()
    await this.#db.backup(file)
  }

  async close(): Promise<void> {
    await this.flushed()
    this.#db.pragma('wal_checkpoint(TRUNCATE)')
    this.#db.close()
  }
}

/** @throws LedgerFault as `openDatabase` does */
export function openSqlite(options: { readonly file: string; readonly clock: Clock }): SqliteLedger {
  return new SqliteLedger(openDatabase(options.file), options.clock)
}

/** What came before, held in memory: an index in the file would cost every call (src/ledger/recent.ts). */
class Remembered implements Traces {
  readonly #sql: Statements
  readonly #reports: () => Reports
  readonly #descendants: (key: string) => readonly string[]
  #keys!: Recent
  #writes: Recent | null = null

  constructor(sql: Statements, reports: () => Reports, descendants: (key: string) => readonly string[]) {
    this.#sql = sql
    this.#reports = reports
    this.#descendants = descendants
  }

  /** Reads the idempotency keys that still count. */
  fill(nowMs: number): void {
    this.#keys = new Recent(IDEMPOTENCY_MS, nowMs)
    const since = this.#reports().seqAt(nowMs - IDEMPOTENCY_MS)
    for (const { hash, call_seq } of this.#sql.recentKeys.iterate(since) as Iterable<{
      hash: string
      call_seq: number
    }>)
      this.#keys.put(hash, call_seq, nowMs)
  }

  key = (hash: string): number | null => this.#keys.find(hash)
  putKey = (hash: string, seq: number, nowMs: number): void => this.#keys.put(hash, seq, nowMs)

  /** Filled when the first policy asks for it: most never do. */
  write(name: WriteName, nowMs: number): number | null {
    if (this.#writes === null) {
      this.#writes = new Recent(DUPLICATE_MS, nowMs)
      const rows = this.#sql.recentWrites.iterate(this.#reports().seqAt(nowMs - DUPLICATE_MS)) as Iterable<WriteRow>
      for (const row of rows) this.#writes.put(textOf(row), row.seq, nowMs)
    }
    return this.#writes.find(textOf(name))
  }

  putWrite = (name: WriteName, seq: number, nowMs: number): void => this.#writes?.put(textOf(name), seq, nowMs)
  rate = (key: string, since: number): number[] => this.#reports().rateInstants(this.#descendants(key), since)
  /** The rows of calls tell it after a restart. */
  putRate(): void {}
}

const textOf = ({ root_id, run, request_hash }: WriteName): string => `${root_id}\n${run}\n${request_hash}`
