import type pg from 'pg'
import { assert } from '../../assert.js'
import type { Denial } from '../../contracts/call.js'
import type { Clock } from '../../contracts/clock.js'
import {
  LedgerConflict,
  LedgerFault,
  type Admission,
  type ApprovalFilter,
  type ApprovalRow,
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
} from '../../contracts/ledger.js'
import { usd, type Usd } from '../../contracts/money.js'
import type { Budget, Decision, Usage } from '../../contracts/policy.js'
import { Book, counterBefore, IDEMPOTENCY_MS, type Asked } from '../book.js'
import { callId, callSeq } from '../ids.js'
import { Reports } from '../reports.js'
import { connect, poolOf, queryOf, type Place, type Query } from './connect.js'
import { DatabaseClock } from './clock.js'
import { Membership, PACE, type Pace } from './membership.js'
import { PostgresLookups } from './lookups.js'
import { migrate, steps } from './migrate.js'
import { PostgresReports } from './reports.js'
import { SharedTraces } from './traces.js'
import { copyFrom, verifyCopy } from './verify.js'
import { wantsOfBudgets, wantsOfDraft, wantsOfSettlement, type Wants } from './wants.js'
import { WorkingSet } from './working-set.js'
import { within, Writer, type Job } from './writer.js'

const POOL_MAX = 4
/** An implicit run that slept longer than this goes on under another name. */
const IMPLICIT_MS = 24 * 3_600_000
/** How many changes of other nodes are told to listeners at a time. */
const NEWS_MAX = 1_000

export interface PostgresOptions {
  readonly place: Place
  readonly clock: Clock
  readonly pace?: Pace
  /** Stands in for the database's clock where a test moves the time. */
  readonly time?: Clock
  /** Keeps no row in memory from one transaction to the next, as if another node wrote in between. */
  readonly forgetful?: boolean
  /** Told of faults that no caller hears of. */
  readonly onFault?: (fault: unknown) => void
}

/**
 * Opens the ledger that several nodes share, bringing its schema up to date.
 *
 * @throws LedgerFault in a sentence that says what the operator must change
 */
export async function openPostgres(options: PostgresOptions): Promise<PostgresLedger> {
  const client = await connect(options.place)
  try {
    await migrate(client, options.place)
    return await PostgresLedger.start(options, client)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/**
 * The ledger in PostgreSQL, for any number of nodes. Each runs the same book as on SQLite, on a working set in memory,
 * under the lock of one row: decisions of all nodes stand in one order, which is also the order of the audit chain.
 */
export class PostgresLedger implements Ledger {
  /** The database's clock, for everything that asks what time or day it is. */
  readonly clock: DatabaseClock
  readonly #now: Clock
  readonly #onFault: (fault: unknown) => void
  readonly #place: Place
  readonly #pool: pg.Pool
  readonly #reports: PostgresReports
  readonly #lookups: PostgresLookups
  readonly #local: Reports
  readonly #book: Book
  readonly #writer: Writer
  readonly #members: Membership
  readonly #listeners = new Set<(row: CallRow) => void>()
  readonly #answered = new Map<number, SettleJob>()
  /** The last ones that have their outcome: another one for them is a bug. */
  readonly #booked = new Set<number>()
  /** Calls of this node that others gave up while it was out of touch. */
  readonly #givenUp = new Set<number>()
  readonly #query: Query
  /** The last entry whose call listeners were told of, whoever wrote it. */
  #told = 0
  #telling = false
  #tidying: NodeJS.Timeout | undefined
  #adopted: () => void = () => undefined

  private constructor({
    place,
    clock,
    pace = PACE,
    time,
    forgetful = false,
    onFault = () => undefined,
  }: PostgresOptions) {
    this.#place = place
    this.clock = new DatabaseClock(clock)
    this.#now = time ?? this.clock
    this.#onFault = onFault
    this.#pool = poolOf(place, POOL_MAX)
    this.#query = queryOf(this.#pool as unknown as pg.Client)
    this.#reports = new PostgresReports(this.#query)
    this.#lookups = new PostgresLookups(this.#query)
    const working = new WorkingSet()
    const traces = new SharedTraces(working.db, clock.now(), (call) => this.#writer.noteUnderway(call))
    this.#book = new Book(working.db, this.#now, traces)
    this.#local = new Reports(working.db, this.#book.threads)
    this.#members = new Membership({
      place,
      pace,
      schema: steps().at(-1)!.version,
      own: clock,
      clock: this.clock,
      now: () => this.#now.now(),
      writer: () => this.#writer,
      inFlight: () => [
        ...[...this.#book.open.all()]
          .filter((call) => call.dispatched && !call.elsewhere)
          .map(({ seq }) => callId(seq)),
        ...this.#book.again.keys(),
      ],
      onGone: () => {
        for (const { seq, elsewhere } of [...this.#book.open.all()]) {
          this.#book.open.delete(seq)
          if (!elsewhere) this.#givenUp.add(seq)
        }
      },
      onMoved: () => void this.#tellNews(),
      onOrphans: (seqs) => this.#giveUp(seqs),
      onFault,
    })
    this.#writer = new Writer({
      place,
      book: this.#book,
      working,
      traces,
      forgetful,
      node: () => this.#members.id,
      rejoin: () => this.#members.rejoin(),
      now: () => this.#now.now(),
      adopted: () => this.#adopted(),
      leaseMs: pace.leaseMs,
      moment: () => this.#members.moment(),
      extend: (from) => this.#members.extend(from),
      rowsOf: (touched) => this.#rowsOf(touched),
      announce: (rows) => this.#announce(rows),
    })
    this.#traces = traces
  }
  readonly #traces: SharedTraces

  static async start(options: PostgresOptions, client: pg.Client): Promise<PostgresLedger> {
    const ledger = new PostgresLedger(options)
    try {
      await ledger.#begin(queryOf(client))
    } catch (cause) {
      await ledger.#end()
      throw cause
    }
    return ledger
  }

  async #begin(query: Query): Promise<void> {
    await this.#members.join()
    const now = this.#now.now()
    // Asked first: a key that is used meanwhile comes after it.
    const [last] = await query('select coalesce(max(call_seq), 0) as seq from idempotency')
    const keys = await query(
      'select i.call_seq, i.hash from idempotency i join calls c on c.seq = i.call_seq where c.at > $1 order by i.call_seq',
      [now - IDEMPOTENCY_MS],
    )
    for (const { call_seq, hash } of keys) this.#traces.hear(hash as string, Number(call_seq), now)
    this.#traces.skipTo(Number(last!.seq))
    const runs = await query(
      `select distinct on (key_id) key_id, run, at from calls where at > $1 and run_source = 'implicit' and key_id = root_id
       order by key_id, seq desc`,
      [now - IMPLICIT_MS],
    )
    for (const { key_id, run, at } of runs) this.#book.rememberImplicit(key_id as string, run as string, Number(at))
    const [end] = await query('select entry_seq from head')
    this.#told = Number(end!.entry_seq)
    await this.#members.reap()
    await this.flushed()
    this.#tidying = setInterval(() => void this.#tidy(), TIDY_MS)
    this.#tidying.unref()
  }

  /** Forgets what no decision can ask for any more. Any node does it, and twice does no harm. */
  async #tidy(): Promise<void> {
    const now = this.#now.now()
    try {
      await this.#lookups.forgetKeys(now - 2 * IDEMPOTENCY_MS)
      await this.#lookups.forgetNodes()
    } catch (fault) {
      this.#onFault(fault)
    }
  }

  /** Calls whose node is gone: nobody knows whether the vendor acted, so they count as spent. */
  #giveUp(seqs: readonly number[]): void {
    for (const seq of seqs) {
      if (this.#answered.has(seq)) continue
      this.#outcome(seq, OUTCOME_UNKNOWN, true)
    }
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

  addKey(key: NewKey): Promise<KeyRecord> {
    return this.#change(() => this.#book.addKey(key))
  }

  narrowKey(id: string, patch: unknown, actor: string): Promise<KeyRecord> {
    return this.#change(() => this.#book.narrowKey(id, patch, actor))
  }

  async carryOver(fromKey: string, budgets: readonly Budget[], actor: string): Promise<void> {
    await this.flushed()
    const keys = this.#book.registry.lineage(fromKey)
    const counted = new Map<Budget, bigint>()
    // Read before the change: what is admitted in between counts under the key before, as if it had come first.
    for (const budget of budgets)
      if (budget.measure !== 'recurring')
        counted.set(
          budget,
          (await this.#reports.counted(keys, budget.since ?? 0, budget)) +
            (await this.#lookups.counted(keys, budget.since ?? 0, budget)),
        )
    await this.#writer.change(
      (wants) => {
        wantsOfBudgets(wants, budgets)
        wantsOfBudgets(
          wants,
          budgets.map((budget) => counterBefore(budget, fromKey)),
        )
        for (const key of keys) wants.add('carried', key)
      },
      () => this.#book.carryOver(fromKey, budgets, actor, (budget) => counted.get(budget)!),
    )
  }

  /** Over when no node lets anything leave under the key any more, whether or not that node answers. */
  async revoke(
    id: string,
    reason: string | null,
    actor: string,
  ): Promise<{ readonly revokedAt: number; readonly inFlight: readonly string[] }> {
    const { registry } = this.#book
    const covered = new Set(registry.descendants(id))
    const known = await this.#writer.change(
      nothing,
      () => {
        const key = registry.key(id)
        if (!key) throw new LedgerConflict(`There is no key ${id}.`)
        if (key.revokedAt !== null)
          return { revokedAt: key.revokedAt, inFlight: registry.inFlightAtRevoke(id), first: false }
        const revokedAt = this.#now.now()
        const inFlight = this.#book.inFlight(covered)
        this.#book.revoke(id, reason, actor, revokedAt, inFlight)
        return { revokedAt, inFlight, first: true }
      },
      true,
    )
    const { revokedAt, inFlight: own, first } = known
    const elsewhere = await this.#members.acknowledged(this.#writer.registry)
    if (!first) return { revokedAt, inFlight: own }
    const others: string[] = []
    for (const each of elsewhere) {
      if (own.includes(each)) continue
      const row = await this.#reports.call(callSeq(each)!)
      if (row !== null && covered.has(row.keyId)) others.push(each)
    }
    if (others.length === 0) return { revokedAt, inFlight: own }
    const inFlight = [...own, ...others]
    await this.#writer.change(nothing, () => this.#book.nameInFlight(id, inFlight, actor))
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

  addPolicy(name: string, document: unknown, actor: string): Promise<PolicyRecord> {
    return this.#change(() => this.#book.addPolicy(name, document, actor))
  }

  async putSetting(name: string, value: unknown, actor: string): Promise<void> {
    await this.#change(() => this.#book.putSetting(name, value, actor))
  }

  settingOnce(name: string, value: unknown, actor: string): Promise<unknown> {
    return this.#change(() => this.#book.settingOnce(name, value, actor))
  }

  /** An administrator's change: done when it is durable and every node acts on it. */
  async #change<T>(work: () => T): Promise<T> {
    const result = await this.#writer.change(nothing, work, true)
    await this.#members.acknowledged(this.#writer.registry)
    return result
  }

  // The life of one call

  clear(draft: CallDraft, decide: (usage: Usage) => Denial | null): Promise<Denial | null> {
    return this.#look(draft, () => this.#book.clear(draft, decide))
  }

  async preview(draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Decision> {
    await this.flushed()
    return this.#look(draft, () => decide(this.#book.seen(draft)))
  }

  #look<T>(draft: CallDraft, work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: { readonly value: T } | { readonly bug: unknown }
      this.#writer.enqueue({
        wants: (wants) => this.#wantsOf(wants, draft),
        run: () => {
          try {
            result = { value: work() }
          } catch (bug) {
            result = { bug }
          }
        },
        done: () => ('bug' in result ? reject(result.bug as Error) : resolve(result.value)),
        failed: reject,
      })
    })
  }

  admit(draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Admission> {
    return new Promise((resolve, reject) => {
      this.#writer.enqueue(
        new AdmitJob({ draft, decide }, this.#book, (wants) => this.#wantsOf(wants, draft), {
          resolve,
          reject,
          // The caller was told that nothing was admitted, and sent nothing.
          unsent: (id) => this.#outcome(callSeq(id)!, UNSENT, true),
        }),
      )
    })
  }

  #wantsOf(wants: Wants, draft: CallDraft): void {
    const earlier = draft.idempotencyHash === null ? null : this.#traces.key(draft.idempotencyHash)
    const chain = this.#book.registry.chain(draft.key.id).map(({ id }) => id)
    wantsOfDraft(wants, draft, earlier, chain)
  }

  mayLeave(id: string): Denial | true {
    return this.#members.valid && !this.#givenUp.has(callSeq(id) ?? 0) ? this.#book.mayLeave(id) : CUT_OFF
  }

  mayLeaveAgain(call: Parameters<Ledger['mayLeaveAgain']>[0]): Denial | true {
    return this.#members.valid ? this.#book.mayLeaveAgain(call) : CUT_OFF
  }

  cameBack(id: string): void {
    this.#book.again.delete(id)
  }

  stands(key: KeyRecord, run: string, vendor: string): Denial | true {
    return this.#members.valid ? this.#book.stands(key, run, vendor) : CUT_OFF
  }

  settle(id: string, settlement: Settlement): void {
    const seq = callSeq(id)
    assert(seq !== null && !this.#answered.has(seq) && !this.#booked.has(seq), `${id} has an outcome to book`)
    this.#outcome(seq, settlement, false)
  }

  #outcome(seq: number, settlement: Settlement, onlyReserved: boolean): void {
    const job = new SettleJob(seq, settlement, onlyReserved, this.#book, {
      over: () => {
        this.#answered.delete(seq)
        this.#givenUp.delete(seq)
        if (settlement.outcome === 'settled') this.#booked.add(seq)
        if (this.#booked.size > BOOKED_MAX) this.#booked.delete(this.#booked.values().next().value!)
      },
      bug: (cause) => this.#onFault(cause),
      again: (again) => setTimeout(() => this.#writer.enqueue(again, false), RETRY_SETTLE_MS).unref(),
    })
    this.#answered.set(seq, job)
    this.#writer.enqueue(job, false)
  }

  async flushed(): Promise<void> {
    const waiting = [...this.#answered.values()].map((job) => job.settled)
    // Work that comes after them in the queue is done after them.
    await this.#writer.between(() => undefined)
    const left = waiting.some((settled) => !settled.over)
    if (left) throw new LedgerFault('The ledger could not write what was settled.')
  }

  // What is not known yet

  async doubts(since: number | null, page: Page): Promise<Paged<DoubtRow>> {
    await this.flushed()
    return this.#lookups.doubts(since, page)
  }

  resolve(id: string, settlement: Parameters<Ledger['resolve']>[1], word: Word): Promise<CallRow> {
    return this.#correct(
      id,
      (wants, seq) => wantsOfSettlement(wants, seq, settlement),
      (seq) => this.#book.resolve(seq, settlement, word),
    )
  }

  adjust(id: string, amount: Usd, word: Word): Promise<CallRow> {
    return this.#correct(
      id,
      (wants, seq) => wants.add('calls', seq),
      (seq) => this.#book.adjust(seq, amount, word),
    )
  }

  async wordOn(id: string): ReturnType<Ledger['wordOn']> {
    await this.flushed()
    const seq = callSeq(id)
    return seq === null ? null : this.#lookups.word(seq)
  }

  async estimates(dueBy: number, limit: number): Promise<readonly EstimateRow[]> {
    await this.flushed()
    return this.#lookups.due(dueBy, limit)
  }

  async putOff(id: string, dueAt: number | null): Promise<void> {
    const seq = callSeq(id)!
    await this.#writer.change(
      (wants) => wants.add('calls', seq),
      () => this.#book.estimates.putOff(seq, dueAt),
    )
  }

  async knownObjects(credentialId: string, objects: readonly string[]): Promise<ReadonlySet<string>> {
    await this.flushed()
    return this.#lookups.known(credentialId, objects)
  }

  async #correct(
    id: string,
    wantsOf: (wants: Wants, seq: number) => void,
    work: (seq: number) => void,
  ): Promise<CallRow> {
    await this.flushed()
    const seq = callSeq(id)
    if (seq === null || (await this.#reports.call(seq)) === null) throw new LedgerConflict(`There is no call ${id}.`)
    await this.#writer.change(
      (wants) => wantsOf(wants, seq),
      () => work(seq),
    )
    return (await this.#reports.call(seq))!
  }

  // Approvals

  approvals(filter: ApprovalFilter, page: Page): Promise<Paged<ApprovalRow>> {
    return this.#reports.approvals(filter, page, this.#now.now())
  }

  approval(id: string): Promise<ApprovalRow | null> {
    return this.#reports.approval(id, this.#now.now())
  }

  approvalFor(keyId: string, requestHash: string): Promise<ApprovalRow | null> {
    return this.#reports.newestApproval(keyId, requestHash, this.#now.now())
  }

  decideApproval(...decision: Parameters<Ledger['decideApproval']>): Promise<ApprovalRow | null> {
    return this.#writer.change(
      (wants) => wants.add('approval_ids', decision[0]),
      () => this.#book.decideApproval(...decision),
    )
  }

  // What is still to come

  async commitments(key: string | null, page: Page): Promise<Paged<CommitmentRow>> {
    await this.flushed()
    const keys = key === null ? null : new Set(this.#book.registry.descendants(key))
    return this.#reports.commitments(keys, this.#now.now(), page)
  }

  async takenBack(id: string, actor: string, keepsCounted = false): Promise<void> {
    await this.flushed()
    const seq = callSeq(id)
    assert(seq !== null, 'a commitment is known by the call that made it')
    await this.#writer.change(
      (wants) => wants.add('calls', seq),
      () => this.#book.takenBack(id, actor, keepsCounted),
    )
  }

  // Money that moved without a call

  async moved(movement: NewMovement, budgets: readonly Budget[]): Promise<BookedMovement> {
    await this.flushed()
    const { credentialId, externalId, origin, makes } = movement
    return this.#writer.change(
      (wants) => {
        wantsOfBudgets(wants, budgets)
        wants.add('movements', [credentialId, externalId])
        for (const object of [...makes, origin?.object ?? null])
          if (object !== null) wants.add('objects', [credentialId, object])
        if (origin !== null) wants.add('calls', callSeq(origin.callId)!)
      },
      () => this.#book.moved(movement, budgets),
    )
  }

  movements(filter: MovementFilter, page: Page): Promise<Paged<MovementRow>> {
    return this.#lookups.movements(filter, page)
  }

  async originOf(credentialIds: readonly string[], objects: readonly string[]): Promise<Origin | null> {
    await this.flushed()
    return this.#lookups.originOf(credentialIds, objects)
  }

  async countedUnder(
    ...asked: Parameters<Ledger['countedUnder']>
  ): Promise<{ readonly calls: Usd; readonly unexplained: Usd }> {
    await this.flushed()
    return this.#lookups.countedUnder(...asked)
  }

  async sent(...asked: Parameters<Ledger['sent']>): Promise<readonly SentCall[]> {
    await this.flushed()
    return this.#lookups.sent(...asked)
  }

  // Reports

  onChange(listener: (row: CallRow) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #rowsOf(touched: ReadonlySet<number>): readonly CallRow[] {
    if (this.#listeners.size === 0) return []
    return [...touched].map((seq) => this.#local.call(seq)).filter((row) => row !== null)
  }

  #announce(rows: readonly CallRow[]): void {
    for (const row of rows) for (const listener of this.#listeners) listener(row)
  }

  /** Tells of rows that other nodes changed. One that this node changed may be told of twice. */
  async #tellNews(): Promise<void> {
    if (this.#telling) return
    this.#telling = true
    try {
      const [end] = await this.#query('select entry_seq from head')
      const to = Number(end!.entry_seq)
      const from = this.#told
      this.#told = to
      if (this.#listeners.size === 0 || to === from) return
      const rows = await this.#query(
        'select distinct call_seq from entries where seq > $1 and seq <= $2 and call_seq is not null order by 1 limit $3',
        [from, to, NEWS_MAX],
      )
      for (const { call_seq } of rows) {
        const row = await this.#reports.call(Number(call_seq))
        if (row) for (const listener of this.#listeners) listener(row)
      }
    } catch {
      // The next beat asks again; what is shown live is a courtesy, and lists have it all.
    } finally {
      this.#telling = false
    }
  }

  /** As this node knows it: a key that is used on two nodes in turn may have two implicit runs. */
  implicitRun(rootId: string, idleMs: number): string {
    return this.#book.implicitRun(rootId, idleMs, () => null)
  }

  async usage(budgets: readonly Budget[]): Promise<readonly { readonly spent: Usd; readonly held: Usd }[]> {
    const rows = await this.#query(
      `select n.ordinality, c.spent, c.held from json_array_elements($1::json) with ordinality n
       left join counters c on c.counter = n.value ->> 0 and c."window" = n.value ->> 1 order by n.ordinality`,
      [JSON.stringify(budgets.map(({ counter, window }) => [counter, window]))],
    )
    return rows.map(({ spent, held }) => ({
      spent: usd(BigInt((spent as string | null) ?? 0)),
      held: usd(BigInt((held as string | null) ?? 0)),
    }))
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
    return this.#reports.runs(page, this.#rootOf(key))
  }

  async run(run: string, key?: string): Promise<RunRow | null> {
    await this.flushed()
    return this.#reports.run(run, this.#rootOf(key))
  }

  #rootOf(key: string | undefined): string | undefined {
    return key === undefined ? undefined : (this.#book.registry.key(key)?.rootId ?? key)
  }

  async entries(afterSeq: number, limit: number): Promise<readonly EntryRow[]> {
    await this.flushed()
    return this.#reports.entries(afterSeq, limit)
  }

  /** Why nothing can be written or leave at present; null when nothing is known to be wrong. */
  fault(): string | null {
    return (this.#members.outdated ?? this.#writer.down)?.message ?? (this.#members.valid ? null : CUT_OFF.message)
  }

  /** The name of this node among the others. */
  get node(): string {
    return this.#members.id
  }

  lastEntry = (): number => this.#writer.end.seq
  lastCheckpoint = (): Promise<Checkpoint | null> => this.#lookups.lastCheckpoint()

  checkpoint(signer: CheckpointSigner): Promise<Checkpoint | null> {
    return this.#writer.change(nothing, () => this.#book.checkpoint(signer))
  }

  checkpoints(afterSeq: number, limit: number): Promise<readonly Checkpoint[]> {
    return this.#lookups.checkpoints(afterSeq, limit)
  }

  prune(): Promise<Pruning> {
    return Promise.reject(new LedgerConflict(NOT_HERE))
  }

  erase(): Promise<Erased> {
    return Promise.reject(new LedgerConflict(NOT_HERE))
  }

  async verify(): Promise<readonly string[]> {
    await this.flushed()
    return verifyCopy(this.#place)
  }

  /** As a ledger on SQLite, which `spendgate db copy` takes back into a database. */
  async backup(file: string): Promise<void> {
    await this.flushed()
    await copyFrom(this.#place, file)
  }

  /** Called when another node has changed keys, policies, freezes or settings, and this one goes by them. */
  onAdopted(listener: () => void): void {
    this.#adopted = listener
  }

  /** Whether this node may do what only one may do at a time; null while another one does. */
  turn(name: string, forMs: number): Promise<{ release(): Promise<void> } | null> {
    return this.#members.turn(name, forMs)
  }

  /** How many other nodes there are. */
  async others(): Promise<number> {
    const [row] = await this.#query(
      'select count(*)::int as others from nodes where not gone and id <> $1 and lease_until > now_ms()',
      [this.#members.id],
    )
    return row!.others as number
  }

  /** What is still under way counts as spent from now on: nobody will hear of its outcome. */
  async close(): Promise<void> {
    for (const { seq, elsewhere } of this.#book.open.all())
      if (!elsewhere && !this.#answered.has(seq)) this.#outcome(seq, OUTCOME_UNKNOWN, true)
    await this.flushed().catch(() => undefined)
    await this.#end()
  }

  async #end(): Promise<void> {
    clearInterval(this.#tidying)
    await this.#members.leave()
    await this.#writer.close()
    await within(CLOSE_MS, this.#pool.end())
  }

  /** Breaks off as a killed process would: nothing is flushed, nobody is told. For tests. */
  async abandon(): Promise<void> {
    clearInterval(this.#tidying)
    this.#members.abandon()
    this.#writer.abandon()
    await this.#pool.end()
  }
}

const nothing = (): void => undefined
const NOT_HERE =
  'History in PostgreSQL is not pruned or erased by this version. Copy it to a file (spendgate db copy) and do it there, or with SQL of your own.'
const CLOSE_MS = 3_000
const RETRY_SETTLE_MS = 200
const TIDY_MS = 600_000
const BOOKED_MAX = 1_000

/** Nobody may know what another node was told meanwhile. */
const CUT_OFF: Denial = {
  code: 'ledger_unavailable',
  rule: 'lease',
  message:
    'This node has lost touch with the ledger, so it lets nothing leave. Nothing was sent; try again in a moment.',
}
const OUTCOME_UNKNOWN: Settlement = { outcome: 'assumed', status: null, requestId: null, ms: null }
const UNSENT: Settlement = { outcome: 'released', status: null, requestId: null, ms: null, denial: CUT_OFF }

interface Admitting {
  resolve(admission: Admission): void
  reject(cause: Error): void
  /** The call was admitted after its caller had been told that it was not. */
  unsent(callId: string): void
}

class AdmitJob implements Job {
  readonly wants: (wants: Wants) => void
  readonly #asked: Asked
  readonly #book: Book
  readonly #caller: Admitting
  #admission: Admission | Error | null = null
  #told = false

  constructor(asked: Asked, book: Book, wants: (wants: Wants) => void, caller: Admitting) {
    this.#asked = asked
    this.#book = book
    this.wants = wants
    this.#caller = caller
  }

  run(): void {
    this.#admission = this.#book.admit(this.#asked)
  }

  done(): void {
    const admission = this.#admission!
    if (admission instanceof Error) this.#caller.reject(admission)
    else if (!this.#told) this.#caller.resolve(admission)
    else if (admission.decision.verdict !== 'deny') this.#caller.unsent(admission.callId)
  }

  doubted(cause: Error): void {
    this.#told = true
    this.#caller.reject(cause)
  }

  failed(cause: Error): void {
    if (!this.#told) this.#caller.reject(cause)
  }
}

interface Settled {
  over(): void
  again(job: SettleJob): void
  bug(cause: Error): void
}

class SettleJob implements Job {
  readonly inTurn = true
  readonly settled = { over: false }
  readonly #seq: number
  readonly #settlement: Settlement
  readonly #onlyReserved: boolean
  readonly #book: Book
  readonly #ledger: Settled

  constructor(seq: number, settlement: Settlement, onlyReserved: boolean, book: Book, ledger: Settled) {
    this.#seq = seq
    this.#settlement = settlement
    this.#onlyReserved = onlyReserved
    this.#book = book
    this.#ledger = ledger
  }

  wants = (wants: Wants): void => wantsOfSettlement(wants, this.#seq, this.#settlement, this.#book.open.get(this.#seq))

  /** Another node may have booked an outcome meanwhile; the first one stands, unless it was only assumed. */
  run(): void {
    const state = this.#book.stateOf(this.#seq)
    if (state === 'reserved' || (state === 'assumed' && !this.#onlyReserved))
      this.#book.settle(this.#seq, this.#settlement)
  }

  done(): void {
    this.settled.over = true
    this.#ledger.over()
  }

  /** What happened at the vendor happened: it is booked when the ledger can be written again. After a bug it stays reserved. */
  failed(cause: Error): void {
    if (cause instanceof LedgerFault) return this.#ledger.again(this)
    this.#ledger.bug(cause)
    this.done()
  }
}
