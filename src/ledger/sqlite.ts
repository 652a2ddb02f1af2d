import type Database from 'better-sqlite3'
import { assert } from '../assert.js'
import { entryLine } from '../audit/lines.js'
import type { Denial } from '../contracts/call.js'
import type { Clock } from '../contracts/clock.js'
import {
  LedgerConflict,
  LedgerFault,
  type Admission,
  type ApprovalFilter,
  type ApprovalRow,
  type Archiver,
  type BookedMovement,
  type CallDraft,
  type CallFilter,
  type CallRow,
  type Checkpoint,
  type CheckpointSigner,
  type CommitmentRow,
  type CredentialRecord,
  type DoubtRow,
  type EntryRow,
  type Erased,
  type EstimateRow,
  type FreezeScope,
  type KeyRecord,
  type Ledger,
  type MovementFilter,
  type MovementRow,
  type NewKey,
  type NewMovement,
  type Origin,
  type Page,
  type Paged,
  type PolicyRecord,
  type Pruning,
  type RunRow,
  type SentCall,
  type Settlement,
  type SpendBy,
  type SpendRow,
  type Word,
} from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import type { Budget, Decision, Usage } from '../contracts/policy.js'
import { Book, DUPLICATE_MS, IDEMPOTENCY_MS, type Traces, type WriteName } from './book.js'
import { CommitThread } from './commit-thread.js'
import { nothingErased, Subject } from './erasure.js'
import { GroupCommit } from './group-commit.js'
import { callId, callSeq } from './ids.js'
import { Recent } from './recent.js'
import { Recording } from './recording.js'
import { Reports } from './reports.js'
import { beginRecovery, type Begun } from './recovery.js'
import { archiveOf, KEPT_DAYS_MIN, prunable } from './retention.js'
import { statements, type Statements, type WriteRow } from './statements.js'
import { Storage, type StorageOptions } from './storage.js'
import { verify } from './verify.js'

/**
 * The ledger on one SQLite file: what a book says and changes, in transactions that calls share (group-commit.ts), and
 * what only the whole file can be asked for.
 */
export class SqliteLedger implements Ledger {
  readonly #db: Database.Database
  readonly #clock: Clock
  readonly #book: Book
  readonly #reports: Reports
  readonly #listeners = new Set<(row: CallRow) => void>()
  readonly #commits: GroupCommit
  #rewriting = false
  #closed = false

  /** @param storage the file under the database; null for one that has none */
  constructor(
    db: Database.Database,
    clock: Clock,
    readonly storage: Storage | null = null,
  ) {
    this.#db = db
    this.#clock = clock
    const recording = new Recording(db)
    const sql = statements(recording.db)
    const traces = new Remembered(
      sql,
      () => this.#reports,
      (key) => this.#book.registry.descendants(key),
    )
    this.#book = new Book(recording.db, clock, traces)
    const { threads } = this.#book
    // What is being written elsewhere is in no row yet.
    const head = (name: string): number | null =>
      this.#commits.writing ? threads.headBefore(name) : threads.head(name)
    this.#reports = new Reports(recording.db, { head })
    this.#commits = new GroupCommit({
      book: this.#book,
      recording,
      sql,
      clock,
      storage,
      seqAt: (at) => this.#reports.seqAt(at),
      announce: (touched) => this.#announce(touched),
    })
    traces.fill(clock.now())
    this.#assumeStale()
    if (storage !== null && (storage.verdict === 'older' || storage.verdict === 'other')) {
      this.beginRecovery({ how: 'found', knownEntries: storage.note?.entries ?? null, frozen: true })
      storage.trusted()
    }
  }

  /** From now on transactions of several calls are written by a thread; see GroupCommit. */
  useThread(...given: Parameters<GroupCommit['useThread']>): void {
    this.#commits.useThread(...given)
  }

  /** Resolves when the thread is ready, or will not be. */
  get started(): Promise<void> {
    return this.#commits.started
  }

  /** The last entry: its number and its hash. */
  get end(): Book['end'] {
    return this.#book.end
  }

  /** What was admitted after the last entry is not known: money waits for the operator (src/ledger/recovery.ts). */
  beginRecovery(begun: Begun): void {
    this.#commits.changeNow(() => beginRecovery(this.#book, this.#db, begun, this.#clock.now()))
    this.#book.reread()
  }

  /** Calls that were under way when the last process ended: nobody knows whether the vendor acted, so they count as spent. */
  #assumeStale(): void {
    const stale = this.#db
      .prepare(
        `select seq from calls where seq >= coalesce((select seq from marks where name = 'oldest-open'), 0) and state = 'reserved' order by seq`,
      )
      .all() as { seq: number }[]
    if (stale.length === 0) return
    this.#commits.transaction(() => {
      for (const { seq } of stale) this.#book.settle(seq, OUTCOME_UNKNOWN)
    })
  }

  // Keys and what they rest on

  findKey = (digest: string): KeyRecord | null => this.#book.registry.findKey(digest)
  key = (id: string): KeyRecord | null => this.#book.registry.key(id)
  successor = (id: string): KeyRecord | null => this.#book.registry.successor(id)
  keys = async (page: Page): Promise<Paged<KeyRecord>> => this.#book.registry.keys(page)
  credentials = (): readonly CredentialRecord[] => this.#book.registry.credentials()
  credential = (id: string): CredentialRecord | null => this.#book.registry.credential(id)
  policies = (): readonly PolicyRecord[] => this.#book.registry.policies()
  freezes = (): ReturnType<Ledger['freezes']> => this.#book.registry.freezes()
  setting = (name: string): unknown => this.#book.registry.setting(name)

  async addKey(key: NewKey): Promise<KeyRecord> {
    return this.#commits.change(() => this.#book.addKey(key))
  }

  async narrowKey(id: string, patch: unknown, actor: string): Promise<KeyRecord> {
    return this.#commits.change(() => this.#book.narrowKey(id, patch, actor))
  }

  async carryOver(fromKey: string, budgets: readonly Budget[], actor: string): Promise<void> {
    await this.flushed()
    const keys = this.#book.registry.lineage(fromKey)
    await this.#commits.change(() =>
      this.#book.carryOver(
        fromKey,
        budgets,
        actor,
        (budget) =>
          this.#reports.counted(keys, budget.since ?? 0, budget) +
          this.#book.movements.counted(keys, budget.since ?? 0, budget),
      ),
    )
  }

  async revoke(
    id: string,
    reason: string | null,
    actor: string,
  ): Promise<{ readonly revokedAt: number; readonly inFlight: readonly string[] }> {
    await this.#commits.written()
    const { registry } = this.#book
    const key = registry.key(id)
    if (!key) throw new LedgerConflict(`There is no key ${id}.`)
    if (key.revokedAt !== null) return { revokedAt: key.revokedAt, inFlight: registry.inFlightAtRevoke(id) }
    const inFlight = this.#book.inFlight(new Set(registry.descendants(id)))
    const revokedAt = this.#clock.now()
    this.#commits.changeNow(() => this.#book.revoke(id, reason, actor, revokedAt, inFlight))
    return { revokedAt, inFlight }
  }

  async freeze(scope: FreezeScope, reason: string | null, actor: string): Promise<void> {
    await this.#commits.change(() => this.#book.freeze(scope, reason, actor))
  }

  async unfreeze(scope: FreezeScope, actor: string): Promise<void> {
    await this.#commits.change(() => this.#book.unfreeze(scope, actor))
  }

  async putCredential(
    record: CredentialRecord,
    action: Parameters<Ledger['putCredential']>[1],
    actor: string,
  ): Promise<void> {
    await this.#commits.change(() => this.#book.putCredential(record, action, actor))
  }

  async removeCredential(id: string, actor: string): Promise<void> {
    await this.#commits.change(() => this.#book.removeCredential(id, actor))
  }

  /** Credentials and one setting sealed anew under another master key: all or none. */
  async reseal(...change: Parameters<Book['reseal']>): Promise<void> {
    await this.#commits.change(() => this.#book.reseal(...change))
  }

  async addPolicy(name: string, document: unknown, actor: string): Promise<PolicyRecord> {
    return (
      this.#book.registry.findPolicy(name, document) ??
      (await this.#commits.change(() => this.#book.addPolicy(name, document, actor)))
    )
  }

  async putSetting(name: string, value: unknown, actor: string): Promise<void> {
    await this.#commits.change(() => this.#book.putSetting(name, value, actor))
  }

  async settingOnce(name: string, value: unknown, actor: string): Promise<unknown> {
    return this.#commits.change(() => this.#book.settingOnce(name, value, actor))
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
    return this.#commits.admit({ draft, decide })
  }

  mayLeave(id: string): Denial | true {
    return this.#book.mayLeave(id)
  }

  mayLeaveAgain(call: Parameters<Ledger['mayLeaveAgain']>[0]): Denial | true {
    return this.#book.mayLeaveAgain(call)
  }

  cameBack(id: string): void {
    this.#book.again.delete(id)
  }

  stands(key: KeyRecord, run: string, vendor: string): Denial | true {
    return this.#book.stands(key, run, vendor)
  }

  settle(id: string, settlement: Settlement): void {
    // Booked as assumed when the ledger was closed.
    if (this.#closed) return
    const seq = callSeq(id)
    assert(seq !== null, 'a settlement names a call')
    this.#commits.settle(seq, settlement)
  }

  // What is not known yet

  async doubts(since: number | null, page: Page): Promise<Paged<DoubtRow>> {
    await this.flushed()
    const after = page.cursor === undefined ? 0 : Number(page.cursor)
    const rows = this.#book.estimates.doubts(after, since ?? 0, page.limit + 1)
    const found = rows.slice(0, page.limit)
    return { rows: found, next: rows.length > page.limit ? String(found.at(-1)!.seq) : null }
  }

  async resolve(id: string, settlement: Parameters<Ledger['resolve']>[1], word: Word): Promise<CallRow> {
    return this.#correct(id, (seq) => this.#book.resolve(seq, settlement, word))
  }

  async adjust(id: string, amount: Usd, word: Word): Promise<CallRow> {
    return this.#correct(id, (seq) => this.#book.adjust(seq, amount, word))
  }

  async wordOn(id: string): ReturnType<Ledger['wordOn']> {
    await this.flushed()
    const seq = callSeq(id)
    return seq === null ? null : this.#book.estimates.word(seq)
  }

  async estimates(dueBy: number, limit: number): Promise<readonly EstimateRow[]> {
    await this.flushed()
    return this.#book.estimates.due(dueBy, limit)
  }

  async putOff(id: string, dueAt: number | null): Promise<void> {
    await this.#commits.change(() => this.#book.estimates.putOff(callSeq(id)!, dueAt))
  }

  async knownObjects(credentialId: string, objects: readonly string[]): Promise<ReadonlySet<string>> {
    await this.flushed()
    return this.#book.estimates.known(credentialId, objects)
  }

  async #correct(id: string, work: (seq: number) => void): Promise<CallRow> {
    await this.flushed()
    const seq = callSeq(id)
    if (seq === null || this.#reports.call(seq) === null) throw new LedgerConflict(`There is no call ${id}.`)
    await this.#commits.change(() => work(seq))
    return this.#reports.call(seq)!
  }

  flushed(): Promise<void> {
    return this.#commits.flushed()
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
    return this.#commits.change(() => this.#book.decideApproval(...decision))
  }

  // What is still to come

  async commitments(key: string | null, page: Page): Promise<Paged<CommitmentRow>> {
    await this.flushed()
    const keys = key === null ? null : new Set(this.#book.registry.descendants(key))
    return this.#book.commitments.list(keys, this.#clock.now(), page)
  }

  async takenBack(id: string, actor: string, keepsCounted = false): Promise<void> {
    await this.flushed()
    await this.#commits.change(() => this.#book.takenBack(id, actor, keepsCounted))
  }

  // Money that moved without a call

  async moved(movement: NewMovement, budgets: readonly Budget[]): Promise<BookedMovement> {
    await this.flushed()
    return this.#commits.change(() => this.#book.moved(movement, budgets))
  }

  async movements(filter: MovementFilter, page: Page): Promise<Paged<MovementRow>> {
    return this.#book.movements.list(filter, page)
  }

  async originOf(credentialIds: readonly string[], objects: readonly string[]): Promise<Origin | null> {
    await this.flushed()
    return this.#book.movements.originOf(credentialIds, objects)
  }

  async countedUnder(
    credentialId: string,
    range: { readonly from: number; readonly to: number },
  ): Promise<{ readonly calls: Usd; readonly unexplained: Usd }> {
    await this.flushed()
    const between = { after: this.#reports.seqAt(range.from) - 1, before: this.#reports.seqAt(range.to) }
    return this.#book.movements.countedUnder(credentialId, range, between)
  }

  async sent(
    credentialIds: readonly string[],
    range: { readonly from: number; readonly to: number; readonly after: number; readonly inDoubt: boolean },
    limit: number,
  ): Promise<readonly SentCall[]> {
    await this.flushed()
    const after = Math.max(range.after, this.#reports.seqAt(range.from) - 1)
    return this.#book.movements.sent(
      credentialIds,
      { after, before: this.#reports.seqAt(range.to), inDoubt: range.inDoubt },
      limit,
    )
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
      const counter = this.#book.counters.current(budget)
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

  lastEntry = (): number => this.#book.end.seq
  lastCheckpoint = async (): Promise<Checkpoint | null> => this.#book.checkpoints.last()

  async checkpoint(signer: CheckpointSigner): Promise<Checkpoint | null> {
    return this.#commits.change(() => this.#book.checkpoint(signer))
  }

  async checkpoints(afterSeq: number, limit: number): Promise<readonly Checkpoint[]> {
    return this.#book.checkpoints.after(afterSeq, limit)
  }

  async prune(before: number, archive: Archiver, actor: string): Promise<Pruning> {
    await this.flushed()
    return this.#alone(async () => {
      const nowMs = this.#clock.now()
      if (before > nowMs - KEPT_DAYS_MIN * DAY_MS)
        throw new LedgerConflict(`History of the last ${KEPT_DAYS_MIN} days is never pruned: it still counts.`)
      const [fault] = verify(this.#db)
      if (fault !== undefined) throw new LedgerConflict(`The book does not verify, so nothing was pruned: ${fault}`)
      const { segment, inTheWay } = prunable(this.#db, before, nowMs)
      if (segment === null) return { to: null, entries: 0, calls: 0, archive: null, inTheWay }
      const name = `audit-${segment.start.seq + 1}-${segment.end.seq}.ndjson`
      const archived = await archive(name, archiveOf(this.#db, segment, entryLine))
      await this.flushed()
      return this.#commits.change(() => {
        if (prunable(this.#db, before, nowMs).segment?.end.seq !== segment.end.seq)
          throw new LedgerConflict('A call in what was to be pruned has changed meanwhile. Ask again.')
        return { ...this.#book.prune(segment, archived, actor), inTheWay }
      })
    })
  }

  async erase(text: string, digest: string, actor: string): Promise<Erased> {
    await this.flushed()
    return this.#alone(async () => {
      const subject = new Subject(text)
      const all = nothingErased()
      // What is written over is to be gone from pages that become free, too, and from the log.
      this.#db.pragma('secure_delete = ON')
      try {
        for (let after: number | null = 0; after !== null;) {
          const from: number = after
          const { calls, rows, kept, next } = await this.#commits.change(() =>
            this.#book.erase(subject, digest, actor, from),
          )
          all.calls += calls
          all.rows += rows
          all.kept = [...all.kept, ...kept]
          after = next
          await new Promise((resolve) => setImmediate(resolve))
        }
        await this.#commits.written()
        this.#db.pragma('wal_checkpoint(TRUNCATE)')
        return all
      } finally {
        this.#db.pragma('secure_delete = FAST')
        this.#book.registry.reload()
      }
    })
  }

  /** History is rewritten by one at a time: what is being archived must not be erased under it. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    if (this.#rewriting) throw new LedgerConflict('History is being pruned or erased at the moment. Ask again.')
    this.#rewriting = true
    try {
      return await work()
    } finally {
      this.#rewriting = false
    }
  }

  async verify(): Promise<readonly string[]> {
    await this.flushed()
    return verify(this.#db)
  }

  async backup(file: string): Promise<void> {
    await this.flushed()
    // What another connection writes would make the copy begin again, for ever under load.
    await this.#commits.alone(() => this.#db.backup(file))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const { seq } of this.#book.open.all())
      if (!this.#commits.answered(seq)) this.settle(callId(seq), OUTCOME_UNKNOWN)
    this.#closed = true
    try {
      await this.flushed()
    } catch (cause) {
      // The rows stay `reserved`, and the next start counts them as spent.
      if (!(cause instanceof LedgerFault)) throw cause
    }
    await this.#commits.stop()
    if (this.storage !== null) return this.storage.close()
    this.#db.close()
  }
}

/**
 * @param options with `shared`: a thread of its own writes what several calls wait for
 * @throws LedgerFault as `openDatabase` does
 */
export function openSqlite(options: { readonly file: string; readonly clock: Clock } & StorageOptions): SqliteLedger {
  const storage = new Storage(options.file, options)
  try {
    const ledger = new SqliteLedger(storage.db, options.clock, storage)
    if (options.shared === true) ledger.useThread(new CommitThread(options.file))
    return ledger
  } catch (cause) {
    void storage.close()
    throw cause
  }
}

const DAY_MS = 86_400_000

const OUTCOME_UNKNOWN: Settlement = { outcome: 'assumed', status: null, requestId: null, ms: null }

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
