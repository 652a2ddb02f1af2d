import type Database from 'better-sqlite3'
import { assert } from '../assert.js'
import type { CallState, Denial } from '../contracts/call.js'
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
import { usd, ZERO, type Usd } from '../contracts/money.js'
import type { Approval, Budget, Decision, Usage } from '../contracts/policy.js'
import { Approvals } from './approvals.js'
import { Commitments } from './commitments.js'
import { Counters, type Counter } from './counters.js'
import { BEFORE_RATE } from './before-rate.js'
import { Bursts } from './bursts.js'
import { callId, callSeq } from './ids.js'
import { Journal } from './journal.js'
import { OpenCalls } from './open-calls.js'
import { openDatabase } from './open.js'
import { RateWindows } from './rate.js'
import { Recent } from './recent.js'
import { Registry, scopeText } from './registry.js'
import { Reports } from './reports.js'
import { Settling } from './settling.js'
import { statements, type IdempotencyRow, type Statements, type WriteRow } from './statements.js'
import { Tallies, type Tally } from './tallies.js'
import { threadOfKey, threadOfRun, Threads } from './threads.js'
import { verify } from './verify.js'

/** How long a settlement may wait for a call to share its commit with. */
const SETTLE_WAIT_MS = 5
/** A vendor forgets an idempotency key after 24 h at the earliest; an hour before that we stop trusting it. */
const IDEMPOTENCY_MS = 23 * 3_600_000
/** From how many waiting calls on it pays to let more arrive, and for how many turns of the event loop at most. */
const GATHER_FROM = 4
const GATHER_TURNS_MAX = 4
/** How far back a policy may look for an identical write. */
const DUPLICATE_MS = 24 * 3_600_000

interface AdmitJob {
  readonly draft: CallDraft
  readonly decide: (usage: Usage) => Decision
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
  readonly #registry: Registry
  readonly #counters: Counters
  readonly #tallies: Tallies
  readonly #threads: Threads
  readonly #rates: RateWindows
  readonly #recent: Recent
  #writes: Recent | null = null
  readonly #reports: Reports
  readonly #sql: Statements
  readonly #journal: Journal
  readonly #approvals: Approvals
  readonly #commitments: Commitments
  readonly #settling: Settling
  readonly #open = new OpenCalls()
  readonly #implicit = new Map<string, { run: string; at: number }>()
  readonly #bursts = new Bursts()
  readonly #listeners = new Set<(row: CallRow) => void>()
  #admits: AdmitJob[] = []
  #settlements: { readonly seq: number; readonly settlement: Settlement }[] = []
  /** Calls whose settlement waits for a commit. */
  readonly #answered = new Set<number>()
  #scheduled = false
  #timer: NodeJS.Timeout | null = null
  #touched: number[] = []
  #nextCall: number
  #commits = 0

  constructor(db: Database.Database, clock: Clock) {
    this.#db = db
    this.#clock = clock
    this.#sql = statements(db)
    this.#registry = new Registry(db)
    this.#counters = new Counters(db)
    this.#tallies = new Tallies(db)
    this.#threads = new Threads(db)
    this.#reports = new Reports(db, this.#threads)
    this.#journal = new Journal(db)
    this.#approvals = new Approvals(db, this.#entry)
    this.#commitments = new Commitments(db, this.#counters, this.#entry)
    this.#settling = new Settling({
      sql: this.#sql,
      counters: this.#counters,
      tallies: this.#tallies,
      commitments: this.#commitments,
      open: this.#open,
      now: () => clock.now(),
      entry: this.#entry,
      touch: (seq) => this.#touched.push(seq),
    })
    this.#rates = new RateWindows((key, since) => this.#reports.rateInstants(this.#registry.descendants(key), since))
    this.#nextCall = ((db.prepare('select max(seq) as seq from calls').get() as { seq: number | null }).seq ?? 0) + 1
    this.#recent = new Recent(IDEMPOTENCY_MS, clock.now())
    for (const { hash, call_seq } of this.#sql.recentKeys.iterate(
      this.#reports.seqAt(clock.now() - IDEMPOTENCY_MS),
    ) as Iterable<{ hash: string; call_seq: number }>) {
      this.#recent.put(hash, call_seq, clock.now())
    }
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
        this.#settling.settle(this.#settling.load(seq), { outcome: 'assumed', status: null, requestId: null, ms: null })
    })
    this.#touched = []
  }

  // Keys and what they rest on

  findKey = (digest: string): KeyRecord | null => this.#registry.findKey(digest)
  key = (id: string): KeyRecord | null => this.#registry.key(id)
  keys = async (page: Page): Promise<Paged<KeyRecord>> => this.#registry.keys(page)
  credentials = (): readonly CredentialRecord[] => this.#registry.credentials()
  credential = (id: string): CredentialRecord | null => this.#registry.credential(id)
  policies = (): readonly PolicyRecord[] => this.#registry.policies()
  freezes = (): ReturnType<Ledger['freezes']> => this.#registry.freezes()
  setting = (name: string): unknown => this.#registry.setting(name)

  async addKey(key: NewKey): Promise<KeyRecord> {
    return this.#change(
      'key.created',
      key.actor,
      { key: key.id, name: key.name, parent: key.parentId, policy: key.policyId, run: key.run },
      () => this.#registry.addKey(key),
    )
  }

  async narrowKey(id: string, patch: unknown, actor: string): Promise<KeyRecord> {
    return this.#change('key.narrowed', actor, { key: id, patch }, () => this.#registry.narrowKey(id, patch))
  }

  async carryOver(fromKey: string, budgets: readonly Budget[], actor: string): Promise<void> {
    await this.flushed()
    const keys = this.#registry.descendants(fromKey)
    this.#change('carried', actor, { from: fromKey }, () => {
      for (const budget of budgets) {
        const counter = this.#counterOf(budget)
        if (budget.measure === 'recurring') {
          this.#commitments.carry(keys, budget.vendor, counter.id, actor)
          continue
        }
        const calls = this.#reports.counted(keys, budget.since ?? 0, budget)
        // The same counter of the key before may hold more: what was carried over to that one in its turn.
        const before = this.#counters.peek({
          ...budget,
          counter: budget.counter.replace(/^key:[^|:]+/, `key:${fromKey}`),
        })
        const kept = before === null ? 0n : before.spent + before.held
        const spent = kept > calls ? kept : calls
        this.#counters.add(counter, spent, 0n)
        this.#entry('carried.to', null, spent, JSON.stringify({ actor, from: fromKey, counters: [counter.id] }))
      }
    })
  }

  async revoke(
    id: string,
    reason: string | null,
    actor: string,
  ): Promise<{ readonly revokedAt: number; readonly inFlight: readonly string[] }> {
    const key = this.#registry.key(id)
    if (!key) throw new LedgerConflict(`There is no key ${id}.`)
    if (key.revokedAt !== null) return { revokedAt: key.revokedAt, inFlight: this.#registry.inFlightAtRevoke(id) }
    const covered = new Set(this.#registry.descendants(id))
    const inFlight = [...this.#open.all()]
      .filter((call) => call.dispatched && covered.has(call.keyId))
      .map((call) => callId(call.seq))
    const revokedAt = this.#clock.now()
    this.#change('key.revoked', actor, { key: id, reason, in_flight: inFlight }, () =>
      this.#registry.revoke(id, reason, revokedAt, inFlight),
    )
    return { revokedAt, inFlight }
  }

  async freeze(scope: FreezeScope, reason: string | null, actor: string): Promise<void> {
    this.#change('frozen', actor, { scope: scopeText(scope), reason }, () =>
      this.#registry.freeze(scope, this.#clock.now(), reason),
    )
  }

  async unfreeze(scope: FreezeScope, actor: string): Promise<void> {
    this.#change('unfrozen', actor, { scope: scopeText(scope) }, () => this.#registry.unfreeze(scope))
  }

  async putCredential(
    record: CredentialRecord,
    action: Parameters<Ledger['putCredential']>[1],
    actor: string,
  ): Promise<void> {
    this.#change(
      action,
      actor,
      {
        credential: record.id,
        vendor: record.vendor,
        name: record.name,
        fingerprint: record.fingerprint,
        api_version: record.apiVersion,
      },
      () => this.#registry.putCredential(record),
    )
  }

  async removeCredential(id: string, actor: string): Promise<void> {
    this.#change('credential.removed', actor, { credential: id }, () =>
      this.#registry.removeCredential(id, this.#clock.now()),
    )
  }

  /** Credentials and one setting sealed anew under another master key: all or none. */
  async reseal(
    records: readonly CredentialRecord[],
    setting: { readonly name: string; readonly value: unknown },
    actor: string,
  ): Promise<void> {
    this.#change('master-key.rotated', actor, { credentials: records.map((record) => record.id) }, () => {
      for (const record of records) this.#registry.putCredential(record)
      this.#registry.putSetting(setting.name, setting.value)
    })
  }

  async addPolicy(name: string, document: unknown, actor: string): Promise<PolicyRecord> {
    const known = this.#registry.findPolicy(name, document)
    if (known) return known
    return this.#change('policy.added', actor, { name, document }, () =>
      this.#registry.addPolicy(name, document, this.#clock.now()),
    )
  }

  async putSetting(name: string, value: unknown, actor: string): Promise<void> {
    this.#change('setting.changed', actor, { name, value }, () => this.#registry.putSetting(name, value))
  }

  // The life of one call

  async clear(draft: CallDraft, decide: (usage: Usage) => Denial | null): Promise<Denial | null> {
    const denial = decide(this.#usage(draft, this.#clock.now()).usage)
    if (denial === null) this.#countRate(draft)
    return denial
  }

  async preview(draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Decision> {
    await this.flushed()
    return decide(this.#usage(draft, this.#clock.now()).usage)
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
    const call = this.#open.get(callSeq(id) ?? 0)
    assert(call !== undefined && !call.dispatched, 'a call leaves once, and only after its admission')
    const stop = this.#registry.stops(call.keyId, call.run, call.vendor, this.#clock.now())
    if (stop) return stop
    call.dispatched = true
    return true
  }

  stands(key: KeyRecord, run: string, vendor: string): Denial | true {
    return this.#registry.stops(key.id, run, vendor, this.#clock.now()) ?? true
  }

  settle(id: string, settlement: Settlement): void {
    const seq = callSeq(id)
    assert(seq !== null, 'a settlement names a call')
    // Found out here and not in the commit, where one bad settlement would hold up everybody's.
    const { state } = this.#open.get(seq) ?? this.#settling.load(seq)
    assert(!this.#answered.has(seq) && (state === 'reserved' || state === 'assumed'), `${id} has an outcome to book`)
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
    try {
      this.#transaction(() => {
        for (const { seq, settlement } of settlements)
          this.#settling.settle(this.#open.get(seq) ?? this.#settling.load(seq), settlement)
        for (const job of admits) {
          const admission = this.#decideOne(job)
          done.push(admission instanceof Error ? { job, bug: admission } : { job, admission })
        }
        if (++this.#commits % 256 === 0) this.#sql.mark.run(this.#open.oldest() ?? this.#nextCall)
        if (this.#commits % 1024 === 0)
          this.#sql.forgetIdempotency.run(this.#reports.seqAt(this.#clock.now() - 2 * IDEMPOTENCY_MS))
      })
    } catch (cause) {
      // Nothing of this batch is on disk. Outcomes are kept for the next commit; callers learn that they are not admitted.
      for (const { admission } of done) if (admission) this.#open.delete(callSeq(admission.callId)!)
      for (const { seq } of settlements) {
        const call = this.#open.get(seq)
        if (call) call.state = 'reserved'
      }
      this.#settlements = [...settlements, ...this.#settlements]
      this.#timer ??= setTimeout(this.#commit, 200)
      for (const job of admits) job.reject(cause)
      return
    }
    for (const { seq } of settlements) {
      this.#answered.delete(seq)
      this.#open.delete(seq)
    }
    for (const { job, admission, bug } of done) {
      if (admission) job.resolve(admission)
      else job.reject(bug)
    }
    this.#announce()
  }

  /** Runs one durable transaction. Faults roll back the file and what memory holds of it, and leave as LedgerFault. */
  #transaction(work: () => void): void {
    const backTo = this.#journal.mark()
    const call = this.#nextCall
    try {
      this.#sql.begin.run()
      work()
      this.#counters.write()
      this.#tallies.write()
      this.#threads.write()
      this.#sql.commit.run()
    } catch (cause) {
      if (this.#db.inTransaction) this.#sql.rollback.run()
      this.#counters.forget()
      this.#tallies.forget()
      this.#threads.forget()
      this.#bursts.clear()
      this.#touched = []
      backTo()
      this.#nextCall = call
      if (cause instanceof LedgerConflict) throw cause
      throw new LedgerFault(`The ledger could not write: ${(cause as Error).message}`, { cause })
    }
  }

  /** An administrator's change and its entry, in a transaction of their own. */
  #change<T>(kind: string, actor: string, detail: object, work: () => T): T {
    let result: T
    try {
      this.#transaction(() => {
        result = work()
        this.#entry(kind, null, 0n, JSON.stringify({ actor, ...detail }))
      })
    } catch (cause) {
      this.#registry.reload()
      throw cause
    }
    return result!
  }

  #decideOne({ draft, decide }: AdmitJob): Admission | Error {
    const now = this.#clock.now()
    const { usage, counters, earlierSeq } = this.#usage(draft, now)
    let decision: Decision
    let opened: Approval | null
    try {
      decision = decide(usage)
      opened = this.#approvals.toOpen(draft, decision, usage)
      if (opened !== null) decision = decide({ ...usage, approval: opened })
      assert(opened === null || decision.verdict === 'deny', 'a request that is open lets nothing through')
    } catch (bug) {
      return bug instanceof Error ? bug : new Error(String(bug))
    }
    this.#registry.used(draft.key.id, now)
    if (draft.runSource === 'implicit') this.#implicit.set(draft.key.rootId, { run: draft.run, at: now })
    if (!draft.rateCounted && (decision.denial === null || !BEFORE_RATE.has(decision.denial.code)))
      this.#countRate(draft)
    return decision.verdict === 'deny'
      ? this.#deny(draft, decision, usage, opened, now)
      : this.#reserve(draft, decision, usage, counters, earlierSeq, now)
  }

  #usage(draft: CallDraft, now: number): { usage: Usage; counters: (Counter | null)[]; earlierSeq: number | null } {
    const keys = this.#registry.chain(draft.key.id)
    // What recurs is no concern of a call that commits nothing, and is not read for it.
    const counters = draft.budgets.map((budget) => (concerns(budget, draft) ? this.#counters.peek(budget) : null))
    const budgets = draft.budgets.map((budget, i) => ({
      ...budget,
      spent: usd(counters[i]?.spent ?? 0n),
      held: usd(counters[i]?.held ?? 0n),
    }))
    const earlier = draft.idempotencyHash === null ? null : this.#earlier(draft.idempotencyHash, now)
    const stands = earlier !== null && earlier.state !== 'denied' && earlier.state !== 'released'
    const sameRequest = earlier?.request_hash === draft.requestHash
    const usage: Usage = {
      nowMs: now,
      keys,
      frozen: this.#frozen(draft),
      budgets,
      amount: stands && sameRequest ? ZERO : this.#excess(draft),
      recurring: stands && sameRequest ? ZERO : usd(this.#commitments.added(draft)),
      earlier: earlier ? { callId: callId(earlier.call_seq), sameRequest, stands } : null,
      duplicate: draft.guarded ? this.#duplicate(draft) : null,
      ...this.#approvals.seen(draft, now),
      rate: keys.map((key, i) => (draft.perMinute[i] == null ? NO_RATE : this.#rates.read(key.id, now))),
      rateCounted: draft.rateCounted,
    }
    return { usage, counters, earlierSeq: stands && sameRequest ? earlier.call_seq : null }
  }

  /** The call that last used an idempotency key, while the vendor can be trusted to remember it. */
  #earlier(hash: string, now: number): IdempotencyRow | null {
    const seq = this.#recent.find(hash)
    if (seq === null) return null
    const row = this.#sql.findIdempotency.get(seq) as IdempotencyRow | undefined
    return row !== undefined && row.hash === hash && now - row.at < IDEMPOTENCY_MS ? row : null
  }

  #duplicate(draft: CallDraft): Usage['duplicate'] {
    const now = this.#clock.now()
    if (this.#writes === null) {
      this.#writes = new Recent(DUPLICATE_MS, now)
      const rows = this.#sql.recentWrites.iterate(this.#reports.seqAt(now - DUPLICATE_MS)) as Iterable<WriteRow>
      for (const row of rows) this.#writes.put(writeName(row.root_id, row.run, row.request_hash), row.seq, now)
    }
    const seq = this.#writes.find(writeName(draft.key.rootId, draft.run, draft.requestHash))
    const row = seq === null ? undefined : (this.#sql.write.get(seq) as WriteRow | undefined)
    if (row === undefined || row.state === 'released' || row.state === 'denied') return null
    const same = row.root_id === draft.key.rootId && row.run === draft.run && row.request_hash === draft.requestHash
    return same ? { callId: callId(row.seq), at: row.at } : null
  }

  #frozen(draft: CallDraft): Usage['frozen'] {
    const freeze = this.#registry.freezeOver(draft.key.id, draft.run, draft.vendor)
    return freeze && { scope: scopeText(freeze.scope), at: freeze.at, reason: freeze.reason }
  }

  /** What a call adds: its total less what its object already counts for. */
  #excess(draft: CallDraft): Usd {
    if (draft.object === null || draft.credentialId === null) return draft.quoted
    const counted = this.#sql.exposed.get(draft.credentialId, draft.object) as bigint
    return draft.quoted > counted ? usd(draft.quoted - counted) : ZERO
  }

  #countRate(draft: CallDraft): void {
    const now = this.#clock.now()
    this.#registry.chain(draft.key.id).forEach((key, i) => {
      if (draft.perMinute[i] != null) this.#rates.add(key.id, now)
    })
  }

  #deny(draft: CallDraft, decision: Decision, usage: Usage, opened: Approval | null, now: number): Admission {
    const denial = decision.denial!
    // In a shared row a refusal is counted under that row's run and operation: reports are sums of rows.
    const own = tallyOf(draft, now)
    const shared = this.#bursts.shared(denial.code, own, this.#nextCall)
    const { seq, tally } = shared ?? { seq: this.#nextCall++, tally: own }
    if (shared !== null) this.#sql.countDenial.run(seq)
    else {
      this.#insert(seq, draft, decision, { now, state: 'denied', reserved: 0n, replayOf: null, counters: [] })
      this.#entry('denied', seq, 0n, entryText(draft, `"code":${JSON.stringify(denial.code)}`))
    }
    if (opened !== null) this.#approvals.open(opened, draft, seq, now)
    this.#tallies.add(tally, 1, 1, 0n, 0n)
    this.#touched.push(seq)
    return { callId: callId(seq), decision, reserved: ZERO, remaining: tightest(usage, 0n), replayOf: null }
  }

  #reserve(
    draft: CallDraft,
    decision: Decision,
    usage: Usage,
    found: (Counter | null)[],
    replayOf: number | null,
    now: number,
  ): Admission {
    const seq = this.#nextCall++
    const reserved = usage.amount
    const ids: number[] = []
    const monthly: number[] = []
    draft.budgets.forEach((budget, i) => {
      if (!concerns(budget, draft)) return
      const counter = found[i] ?? this.#counterOf(budget)
      if (budget.measure === 'recurring') return void monthly.push(counter.id)
      this.#counters.add(counter, 0n, reserved)
      ids.push(counter.id)
    })
    this.#insert(seq, draft, decision, { now, state: 'reserved', reserved, replayOf, counters: ids })
    const commits =
      draft.commits === null || replayOf !== null
        ? ''
        : `,"commits":${this.#commitments.hold(seq, draft.credentialId, draft.commits, usage.recurring, monthly)}`
    this.#entry(
      'reserved',
      seq,
      reserved,
      entryText(draft, `"quoted":"${draft.quoted}","counters":[${ids.join(',')}],"replay_of":${replayOf}${commits}`),
    )
    if (replayOf === null) this.#approvals.use(usage.approval, draft, seq)
    if (draft.idempotencyHash !== null && replayOf === null) {
      this.#sql.putIdempotency.run(seq, draft.idempotencyHash)
      this.#recent.put(draft.idempotencyHash, seq, now)
    }
    if (draft.guarded && replayOf === null && draft.effect !== 'read') {
      this.#writes?.put(writeName(draft.key.rootId, draft.run, draft.requestHash), seq, now)
    }
    if (draft.object !== null && draft.credentialId !== null && replayOf === null)
      this.#sql.expose.run(draft.credentialId, draft.object, seq, reserved)
    const tally = tallyOf(draft, now)
    this.#tallies.add(tally, 1, 0, 0n, reserved)
    this.#open.add({
      ...tally,
      seq,
      reserved,
      counters: ids,
      credentialId: draft.credentialId,
      object: draft.object,
      replayOf,
      replays: null,
      commits: draft.commits !== null,
      actsOn: actsOn(draft),
      state: 'reserved',
      dispatched: false,
      overlapped: false,
    })
    const original = replayOf === null ? undefined : this.#open.get(replayOf)
    if (original) (original.replays ??= new Set()).add(seq)
    this.#touched.push(seq)
    return {
      callId: callId(seq),
      decision,
      reserved,
      remaining: tightest(usage, reserved),
      replayOf: replayOf === null ? null : callId(replayOf),
    }
  }

  /** The counter of a budget. A new one gets an entry, so that nobody can rename it unseen. */
  #counterOf(budget: Budget): Counter {
    const known = this.#counters.peek(budget)
    if (known) return known
    const { counter, window } = budget
    const made = this.#counters.make(budget)
    this.#entry('counter', null, 0n, JSON.stringify({ id: made.id, counter, window }))
    return made
  }

  #insert(
    seq: number,
    draft: CallDraft,
    decision: Decision,
    row: { now: number; state: CallState; reserved: bigint; replayOf: number | null; counters: readonly number[] },
  ): void {
    const { denial } = decision
    this.#sql.insertCall.run(
      seq,
      row.now,
      draft.key.id,
      draft.key.rootId,
      draft.credentialId,
      draft.run,
      draft.runSource,
      draft.vendor,
      draft.surface,
      draft.method,
      draft.path,
      draft.operation,
      draft.effect,
      draft.direction,
      row.state,
      draft.basis,
      row.replayOf === null ? draft.quoted : 0,
      row.reserved,
      draft.customer,
      draft.object,
      draft.reason,
      draft.requestHash,
      row.replayOf,
      draft.lookUps,
      decision.verdict,
      denial?.code ?? null,
      denial?.rule ?? null,
      denial?.message ?? null,
      row.counters.join(','),
      this.#threads.push(threadOfKey(draft.key.id), seq),
      this.#threads.push(threadOfRun(draft.run), seq),
    )
  }

  readonly #entry = (kind: string, seq: number | null, amount: bigint, detail: string): void =>
    this.#journal.add(this.#clock.now(), kind, seq, amount, detail)

  #announce(): void {
    const touched = this.#touched
    this.#touched = []
    if (this.#listeners.size === 0) return
    for (const seq of new Set(touched)) {
      const row = this.#reports.call(seq)
      if (row) for (const listener of this.#listeners) listener(row)
    }
  }

  // Approvals

  async approvals(filter: ApprovalFilter, page: Page): Promise<Paged<ApprovalRow>> {
    return this.#approvals.list(filter, page, this.#clock.now())
  }

  async approval(id: string): Promise<ApprovalRow | null> {
    return this.#approvals.find(id, this.#clock.now())
  }

  approvalFor(keyId: string, requestHash: string): ApprovalRow | null {
    return this.#approvals.newest(keyId, requestHash, this.#clock.now())
  }

  async decideApproval(
    id: string,
    decision: 'approved' | 'denied',
    reason: string | null,
    actor: string,
  ): Promise<ApprovalRow | null> {
    let row: ApprovalRow | null = null
    this.#transaction(() => {
      row = this.#approvals.decide(id, decision, reason, actor, this.#clock.now())
    })
    return row
  }

  // What is still to come

  async commitments(key: string | null, page: Page): Promise<Paged<CommitmentRow>> {
    await this.flushed()
    const keys = key === null ? null : new Set(this.#registry.descendants(key))
    return this.#commitments.list(keys, this.#clock.now(), page)
  }

  async takenBack(id: string, actor: string, keepsCounted = false): Promise<void> {
    await this.flushed()
    const seq = callSeq(id)
    assert(seq !== null, 'a commitment is known by the call that made it')
    this.#transaction(() => {
      const ended = this.#commitments.takeBack(id, actor)
      if (!keepsCounted && ended !== null && ended.credentialId !== null && ended.object !== null)
        this.#settling.giveBackAll({ seq, credentialId: ended.credentialId }, ended.object)
    })
    this.#announce()
  }

  // Reports

  onChange(listener: (row: CallRow) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  implicitRun(rootId: string, idleMs: number): string {
    const now = this.#clock.now()
    let last = this.#implicit.get(rootId)
    if (last === undefined) {
      last = this.#reports.lastImplicitRun(rootId) ?? { run: '', at: 0 }
      this.#implicit.set(rootId, last)
    }
    if (now - last.at >= idleMs) this.#implicit.set(rootId, (last = { run: `auto_${now.toString(36)}`, at: now }))
    return last.run
  }

  usage(budgets: readonly Budget[]): readonly { readonly spent: Usd; readonly held: Usd }[] {
    return budgets.map((budget) => {
      const counter = this.#counters.peek(budget)
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
    return this.#reports.runs(page, key === undefined ? undefined : (this.#registry.key(key)?.rootId ?? key))
  }

  async run(run: string, key?: string): Promise<RunRow | null> {
    await this.flushed()
    return this.#reports.run(run, key === undefined ? undefined : (this.#registry.key(key)?.rootId ?? key))
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

const writeName = (rootId: string, run: string, requestHash: string): string => `${rootId}\n${run}\n${requestHash}`
const NO_RATE = { count: 0, oldestAt: 0 }

/** Whether a budget counts anything of a call: what recurs is counted only of one that commits to it. */
const concerns = ({ measure }: Budget, { commits }: CallDraft): boolean =>
  measure === 'spent' || (commits !== null && commits.perMonth > 0n)

const NOTHING: readonly string[] = []
/** The vendor objects whose counts a call may change. */
function actsOn({ object, commits }: CallDraft): readonly string[] {
  const committed = commits?.object
  if (committed === undefined || committed === object) return object === null ? NOTHING : [object]
  return object === null ? [committed] : [object, committed]
}

const tallyOf = (draft: CallDraft, at: number): Tally => ({
  at,
  keyId: draft.key.id,
  rootId: draft.key.rootId,
  run: draft.run,
  vendor: draft.vendor,
  operation: draft.operation ?? '',
})

function entryText(draft: CallDraft, rest: string): string {
  return `{"key":"${draft.key.id}","run":"${draft.run}","vendor":"${draft.vendor}","operation":"${draft.operation ?? ''}","request":"${draft.requestHash}",${rest}}`
}

/** What is left of the tightest budget once this call is counted. */
function tightest(usage: Usage, reserved: bigint): Usd | null {
  let least: bigint | null = null
  for (const budget of usage.budgets) {
    if (budget.measure === 'recurring') continue
    const left = budget.cap - budget.spent - budget.held - reserved
    if (least === null || left < least) least = left
  }
  return least === null ? null : usd(least < 0n ? 0n : least)
}
