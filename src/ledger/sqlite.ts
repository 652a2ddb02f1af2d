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
import { CommitThread, ThreadEnded, type Writer } from './commit-thread.js'
import { Book, DUPLICATE_MS, IDEMPOTENCY_MS, type Asked, type Traces, type WriteName } from './book.js'
import { callId, callSeq } from './ids.js'
import { nothingErased, Subject } from './erasure.js'
import { Recent } from './recent.js'
import { Recording, type Script } from './recording.js'
import { Reports } from './reports.js'
import { beginRecovery, type Begun } from './recovery.js'
import { archiveOf, KEPT_DAYS_MIN, prunable } from './retention.js'
import { statements, type Statements, type WriteRow } from './statements.js'
import { Storage, type StorageOptions } from './storage.js'
import { verify } from './verify.js'

/** How long a settlement may wait for a call to share its commit with. */
const SETTLE_WAIT_MS = 5
/** How long the vendor's ids of what calls made are kept, so that none is mistaken for one in doubt. */
const KNOWN_MS = 31 * 24 * 3_600_000
/** From how many waiting calls on it pays to let more arrive, and for how many turns of the event loop at most. */
const GATHER_FROM = 4
const GATHER_TURNS_MAX = 4

/** From how many admissions and settlements on another thread writes them. Fewer are written sooner than handed over. */
const HAND_OVER_FROM = 4

/** What one transaction is made of. */
interface Batch {
  readonly admits: readonly AdmitJob[]
  readonly settlements: readonly { readonly seq: number; readonly settlement: Settlement }[]
  readonly done: { readonly job: AdmitJob; readonly admission?: Admission; readonly bug?: unknown }[]
}

interface AdmitJob extends Asked {
  readonly resolve: (admission: Admission) => void
  readonly reject: (fault: unknown) => void
}

/**
 * The ledger on one SQLite file. Admissions and settlements gather while the event loop reads requests and share one
 * durable commit (group commit): the fsync is paid once for however many calls arrived while the last one ran.
 * Decisions run inside that transaction, one after the other, each on totals that include the one before.
 *
 * With a thread to write, a transaction of several calls is decided here and written there, while this thread goes on
 * with other calls. There is one at a time, as without: nothing else is decided or written until it is on disk.
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
  #rewriting = false
  #closed = false
  readonly #recording: Recording
  /** Writes transactions elsewhere; null until it is ready, and where there is none. */
  #thread: Writer | null = null
  #starting: Promise<void> = Promise.resolve()
  #handOverFrom = HAND_OVER_FROM
  /** The transaction that the thread is writing, to wait for; null when there is none. */
  #writing: Promise<void> | null = null
  /** How many are at work that rest on this connection being the only one to write. */
  #here = 0

  /** @param storage the file under the database; null for one that has none */
  constructor(
    db: Database.Database,
    clock: Clock,
    readonly storage: Storage | null = null,
  ) {
    this.#db = db
    this.#clock = clock
    this.#recording = new Recording(db)
    this.#sql = statements(this.#recording.db)
    const traces = new Remembered(
      this.#sql,
      () => this.#reports,
      (key) => this.#book.registry.descendants(key),
    )
    this.#book = new Book(this.#recording.db, clock, traces)
    const { threads } = this.#book
    // What is being written elsewhere is in no row yet.
    const head = (name: string): number | null =>
      this.#writing === null ? threads.head(name) : threads.headBefore(name)
    this.#reports = new Reports(this.#recording.db, { head })
    traces.fill(clock.now())
    this.#assumeStale()
    if (storage !== null && (storage.verdict === 'older' || storage.verdict === 'other')) {
      this.beginRecovery({ how: 'found', knownEntries: storage.note?.entries ?? null, frozen: true })
      storage.trusted()
    }
  }

  /**
   * From now on transactions of several calls are written by a thread on a connection of its own.
   *
   * @param from how many admissions and settlements are several
   */
  useThread(thread: Writer, from = HAND_OVER_FROM): void {
    this.#handOverFrom = from
    this.#starting = thread.ready.then(
      () => void (this.#thread = thread),
      (cause: Error) => this.#withoutThread(cause),
    )
  }

  /** From now on everything is written here, which is slower and as safe. */
  #withoutThread({ message }: Error): void {
    this.#thread = null
    process.emitWarning(`The ledger goes on without a thread to write: ${message}`)
  }

  /** Resolves when the thread is ready, or will not be. */
  get started(): Promise<void> {
    return this.#starting
  }

  /** The last entry: its number and its hash. */
  get end(): Book['end'] {
    return this.#book.end
  }

  /** What was admitted after the last entry is not known: money waits for the operator (src/ledger/recovery.ts). */
  beginRecovery(begun: Begun): void {
    this.#changeNow(() => beginRecovery(this.#book, this.#db, begun, this.#clock.now()))
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
    this.#transaction(() => {
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
    return this.#change(() => this.#book.addKey(key))
  }

  async narrowKey(id: string, patch: unknown, actor: string): Promise<KeyRecord> {
    return this.#change(() => this.#book.narrowKey(id, patch, actor))
  }

  async carryOver(fromKey: string, budgets: readonly Budget[], actor: string): Promise<void> {
    await this.flushed()
    const keys = this.#book.registry.lineage(fromKey)
    await this.#change(() =>
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
    await this.#written()
    const { registry } = this.#book
    const key = registry.key(id)
    if (!key) throw new LedgerConflict(`There is no key ${id}.`)
    if (key.revokedAt !== null) return { revokedAt: key.revokedAt, inFlight: registry.inFlightAtRevoke(id) }
    const inFlight = this.#book.inFlight(new Set(registry.descendants(id)))
    const revokedAt = this.#clock.now()
    this.#changeNow(() => this.#book.revoke(id, reason, actor, revokedAt, inFlight))
    return { revokedAt, inFlight }
  }

  async freeze(scope: FreezeScope, reason: string | null, actor: string): Promise<void> {
    await this.#change(() => this.#book.freeze(scope, reason, actor))
  }

  async unfreeze(scope: FreezeScope, actor: string): Promise<void> {
    await this.#change(() => this.#book.unfreeze(scope, actor))
  }

  async putCredential(
    record: CredentialRecord,
    action: Parameters<Ledger['putCredential']>[1],
    actor: string,
  ): Promise<void> {
    await this.#change(() => this.#book.putCredential(record, action, actor))
  }

  async removeCredential(id: string, actor: string): Promise<void> {
    await this.#change(() => this.#book.removeCredential(id, actor))
  }

  /** Credentials and one setting sealed anew under another master key: all or none. */
  async reseal(...change: Parameters<Book['reseal']>): Promise<void> {
    await this.#change(() => this.#book.reseal(...change))
  }

  async addPolicy(name: string, document: unknown, actor: string): Promise<PolicyRecord> {
    return (
      this.#book.registry.findPolicy(name, document) ??
      (await this.#change(() => this.#book.addPolicy(name, document, actor)))
    )
  }

  async putSetting(name: string, value: unknown, actor: string): Promise<void> {
    await this.#change(() => this.#book.putSetting(name, value, actor))
  }

  async settingOnce(name: string, value: unknown, actor: string): Promise<unknown> {
    return this.#change(() => this.#book.settingOnce(name, value, actor))
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
      this.#schedule()
    })
  }

  #schedule(): void {
    // What arrives while a transaction is written goes on when it is.
    if (this.#scheduled || this.#writing !== null) return
    this.#scheduled = true
    setImmediate(this.#gather, 0, 0)
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
    const state = this.#book.stateOf(seq)
    assert(!this.#answered.has(seq) && (state === 'reserved' || state === 'assumed'), `${id} has an outcome to book`)
    this.#answered.add(seq)
    this.#settlements.push({ seq, settlement })
    this.#timer ??= setTimeout(this.#commit, SETTLE_WAIT_MS)
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
    await this.#change(() => this.#book.estimates.putOff(callSeq(id)!, dueAt))
  }

  async knownObjects(credentialId: string, objects: readonly string[]): Promise<ReadonlySet<string>> {
    await this.flushed()
    return this.#book.estimates.known(credentialId, objects)
  }

  async #correct(id: string, work: (seq: number) => void): Promise<CallRow> {
    await this.flushed()
    const seq = callSeq(id)
    if (seq === null || this.#reports.call(seq) === null) throw new LedgerConflict(`There is no call ${id}.`)
    await this.#change(() => work(seq))
    return this.#reports.call(seq)!
  }

  async flushed(): Promise<void> {
    await this.#written()
    if (this.#settlements.length > 0) this.#commitHere()
    if (this.#settlements.length > 0) throw new LedgerFault('The ledger could not write what was settled.')
  }

  /** Resolves when no other thread writes. What follows in the same turn finds the file and the totals in step. */
  async #written(): Promise<void> {
    while (this.#writing !== null) await this.#writing
  }

  readonly #commit = (): void => {
    this.#scheduled = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    // Goes on with what has gathered when that is written.
    if (this.#writing !== null) return
    const thread = this.#threadFor(this.#admits.length + this.#settlements.length)
    if (thread === null) return this.#commitHere()
    const batch = this.#taken()
    let touched: ReadonlySet<number>
    let script: Script | null
    try {
      touched = this.#transaction(() => this.#bookAll(batch), true)
      script = this.#recording.end()
    } catch (cause) {
      return this.#refused(batch, cause)
    }
    if (script === null) return this.#booked(batch, touched)
    if (this.storage !== null) this.storage.busy = true
    this.#writing = thread
      .run(script)
      .catch((cause: unknown) => {
        if (!(cause instanceof ThreadEnded)) throw cause
        this.#withoutThread(cause)
        this.#recording.forgetSent()
        // A transaction is in the file whole or not at all.
        if (this.#book.endInFile() < this.#book.end.seq) throw cause
      })
      .then(
        () => {
          this.storage?.worked()
          this.#booked(batch, touched)
        },
        (cause: unknown) => {
          this.#recording.forgetSent()
          this.#book.undo()
          this.#refused(batch, this.#faultOf(cause))
        },
      )
      .finally(() => {
        this.#writing = null
        if (this.storage !== null) this.storage.busy = false
        if (this.#admits.length > 0) this.#schedule()
        else if (this.#settlements.length > 0) this.#timer ??= setTimeout(this.#commit, SETTLE_WAIT_MS)
      })
  }

  /** The thread that is to write so many, or null when they are written here. */
  #threadFor(many: number): Writer | null {
    if (many < this.#handOverFrom || this.#here > 0) return null
    const { storage } = this
    // While the file is read whole, nothing may be moved from its log into it; that is set for this connection.
    if (storage !== null && (storage.fault !== null || storage.checked === null)) return null
    return this.#thread
  }

  /** Writes what has gathered, on this connection. No other may be writing. */
  #commitHere(): void {
    const batch = this.#taken()
    let touched: ReadonlySet<number>
    try {
      touched = this.#transaction(() => this.#bookAll(batch))
    } catch (cause) {
      return this.#refused(batch, cause)
    }
    this.#booked(batch, touched)
  }

  #taken(): Batch {
    this.#scheduled = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const batch = { admits: this.#admits, settlements: this.#settlements, done: [] }
    this.#admits = []
    this.#settlements = []
    return batch
  }

  #bookAll({ admits, settlements, done }: Batch): void {
    for (const { seq, settlement } of settlements) this.#book.settle(seq, settlement)
    for (const job of admits) {
      const admission = this.#book.admit(job)
      done.push(admission instanceof Error ? { job, bug: admission } : { job, admission })
    }
    if (++this.#commits % 256 === 0) this.#sql.mark.run(this.#book.open.oldest() ?? this.#book.nextCall)
    if (this.#commits % 1024 === 0) this.#forget(this.#clock.now())
  }

  /** All of a batch is on disk. */
  #booked({ settlements, done }: Batch, touched: ReadonlySet<number>): void {
    for (const { seq } of settlements) {
      this.#answered.delete(seq)
      this.#book.open.delete(seq)
    }
    for (const { job, admission, bug } of done) {
      if (admission) job.resolve(admission)
      else job.reject(bug)
    }
    this.#announce(touched)
  }

  /** Nothing of a batch is on disk. Outcomes are kept for the next commit; callers learn that they are not admitted. */
  #refused({ admits, settlements, done }: Batch, cause: unknown): void {
    const { open } = this.#book
    for (const { admission } of done) if (admission) open.delete(callSeq(admission.callId)!)
    for (const { seq } of settlements) {
      const call = open.get(seq)
      if (call) call.state = 'reserved'
    }
    this.#settlements = [...settlements, ...this.#settlements]
    this.#timer ??= setTimeout(this.#commit, 200)
    for (const job of admits) job.reject(cause)
  }

  /** Drops what nobody asks for any more. Inside a transaction. */
  #forget(nowMs: number): void {
    this.#sql.forgetIdempotency.run(this.#reports.seqAt(nowMs - 2 * IDEMPOTENCY_MS))
    this.#book.estimates.forget(this.#reports.seqAt(nowMs - KNOWN_MS))
  }

  /**
   * Runs one durable transaction; the rows it changed. Faults roll back the file and what memory holds of it, and leave
   * as LedgerFault.
   *
   * @param recorded whether it is only recorded: it is then neither written nor durable yet
   */
  #transaction(work: () => void, recorded = false): ReadonlySet<number> {
    this.storage?.check()
    try {
      if (recorded) this.#recording.begin()
      this.#book.begin()
      work()
      this.#book.finish()
      const touched = this.#book.commit()
      if (!this.#recording.going) this.storage?.worked()
      return touched
    } catch (cause) {
      this.#recording.drop()
      this.#book.undo()
      if (cause instanceof LedgerConflict) throw cause
      throw this.#faultOf(cause)
    }
  }

  #faultOf(cause: unknown): LedgerFault {
    return (
      this.storage?.failed(cause) ??
      new LedgerFault(`The ledger could not write: ${(cause as Error).message}`, { cause })
    )
  }

  /** An administrator's change, in a transaction of its own. */
  async #change<T>(work: () => T): Promise<T> {
    await this.#written()
    return this.#changeNow(work)
  }

  /** The same in this very turn. No other thread may be writing. */
  #changeNow<T>(work: () => T): T {
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
    await this.#change(() => this.#book.takenBack(id, actor, keepsCounted))
  }

  // Money that moved without a call

  async moved(movement: NewMovement, budgets: readonly Budget[]): Promise<BookedMovement> {
    await this.flushed()
    return this.#change(() => this.#book.moved(movement, budgets))
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
    return this.#change(() => this.#book.checkpoint(signer))
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
      return this.#change(() => {
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
          const { calls, rows, kept, next } = await this.#change(() => this.#book.erase(subject, digest, actor, from))
          all.calls += calls
          all.rows += rows
          all.kept = [...all.kept, ...kept]
          after = next
          await new Promise((resolve) => setImmediate(resolve))
        }
        await this.#written()
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
    this.#here++
    try {
      await this.#db.backup(file)
    } finally {
      this.#here--
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return
    for (const { seq } of this.#book.open.all()) if (!this.#answered.has(seq)) this.settle(callId(seq), OUTCOME_UNKNOWN)
    this.#closed = true
    try {
      await this.flushed()
    } catch (cause) {
      // The rows stay `reserved`, and the next start counts them as spent.
      if (!(cause instanceof LedgerFault)) throw cause
    }
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#starting
    await this.#thread?.close()
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
