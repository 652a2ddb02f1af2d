import type Database from 'better-sqlite3'
import { basename } from 'node:path'
import { assert } from '../assert.js'
import type { CallState, Denial } from '../contracts/call.js'
import type { Clock } from '../contracts/clock.js'
import type {
  Admission,
  ApprovalRow,
  BookedMovement,
  CallDraft,
  Checkpoint,
  CheckpointSigner,
  CredentialRecord,
  Erased,
  FreezeScope,
  KeyRecord,
  Ledger,
  NewKey,
  NewMovement,
  PolicyRecord,
  Pruning,
  Settlement,
  Word,
} from '../contracts/ledger.js'
import { usd, ZERO, type Usd } from '../contracts/money.js'
import type { Approval, Budget, Decision, Usage } from '../contracts/policy.js'
import { Approvals } from './approvals.js'
import { BEFORE_RATE } from './before-rate.js'
import { Bursts } from './bursts.js'
import { sealOfAdmission } from './call-seal.js'
import { newSalt } from './chain.js'
import { Checkpoints } from './checkpoints.js'
import { Commitments } from './commitments.js'
import { Counters, type Counter } from './counters.js'
import { Erasure, type Subject } from './erasure.js'
import { Estimates } from './estimates.js'
import { callId, callSeq } from './ids.js'
import { Journal } from './journal.js'
import { Movements } from './movements.js'
import { OpenCall, OpenCalls } from './open-calls.js'
import { RateWindows } from './rate.js'
import { Registry, rowOfScope, scopeText } from './registry.js'
import { prune, type Segment } from './retention.js'
import { resolutionsOf } from './resolution-proof.js'
import { SealedRows } from './sealed-rows.js'
import { settingText } from './setting-proof.js'
import { Settling } from './settling.js'
import { carried } from './sums.js'
import { statements, type IdempotencyRow, type Statements, type WriteRow } from './statements.js'
import { Tallies, type Tally } from './tallies.js'
import { threadOfKey, threadOfRun, Threads } from './threads.js'

/** A vendor forgets an idempotency key after 24 h at the earliest; an hour before that we stop trusting it. */
export const IDEMPOTENCY_MS = 23 * 3_600_000
/** How far back a policy may look for an identical write. */
export const DUPLICATE_MS = 24 * 3_600_000

/** Names what a duplicate is of: root key, run and request. */
export type WriteName = Pick<WriteRow, 'root_id' | 'run' | 'request_hash'>

/** Where a store looks for what came before, when looking in the book's own tables would cost a call too much. */
export interface Traces {
  /** The call that last used an idempotency key, or one that only seems to; null when none did. The row decides. */
  key(hash: string): number | null
  putKey(hash: string, seq: number, nowMs: number): void
  /** The last such write of the last 24 h, or one that only seems to be; null when there is none. */
  write(name: WriteName, nowMs: number): number | null
  putWrite(name: WriteName, seq: number, nowMs: number): void
  /** Instants of the calls of a key that counted for its rate since a time, oldest first. */
  rate(keyId: string, since: number): number[]
  putRate(keyId: string, nowMs: number): void
  /** Told of calls that come under way, and of those found to overlap with one. */
  readonly underWay?: (call: OpenCall) => void
}

/** A call that asks, and how it is to be judged. */
export interface Asked {
  readonly draft: CallDraft
  readonly decide: (usage: Usage) => Decision
}

/**
 * What the ledger does, on rows that stand in a SQLite database: all of them in the ledger's own file, or those that a
 * batch touches in the working set of a node (src/ledger/postgres). Everything happens synchronously between `begin`
 * and `commit` or `undo`; the store around it decides what shares a transaction and when that is durable.
 */
export class Book {
  readonly registry: Registry
  readonly approvals: Approvals
  readonly commitments: Commitments
  readonly movements: Movements
  readonly estimates: Estimates
  readonly checkpoints: Checkpoints
  readonly counters: Counters
  readonly threads: Threads
  readonly open: OpenCalls
  /** Calls of unknown outcome that were sent once more and are not back yet, with their keys. */
  readonly again = new Map<string, string>()
  readonly #db: Database.Database
  readonly #clock: Clock
  readonly #traces: Traces
  readonly #sql: Statements
  readonly #tallies: Tallies
  readonly #rates: RateWindows
  readonly #journal: Journal
  readonly #sealed: SealedRows
  readonly #settling: Settling
  readonly #bursts = new Bursts()
  readonly #implicit = new Map<string, { run: string; at: number }>()
  #touched = new Set<number>()
  #nextCall = 0
  #back: () => void = () => undefined

  constructor(db: Database.Database, clock: Clock, traces: Traces) {
    this.#db = db
    this.#clock = clock
    this.#traces = traces
    this.open = new OpenCalls(traces.underWay)
    this.#sql = statements(db)
    this.registry = new Registry(db)
    this.counters = new Counters(db)
    this.threads = new Threads(db)
    this.#tallies = new Tallies(db)
    this.#journal = new Journal(db)
    this.#sealed = new SealedRows(db)
    this.checkpoints = new Checkpoints(db)
    this.approvals = new Approvals(db, this.#entry)
    this.commitments = new Commitments(db, this.counters, this.#entry)
    this.estimates = new Estimates(db)
    this.movements = new Movements(db, {
      counters: this.counters,
      tallies: this.#tallies,
      nextEntry: () => this.#journal.end.seq + 1,
      entry: this.#entry,
    })
    this.#settling = new Settling({
      sql: this.#sql,
      counters: this.counters,
      tallies: this.#tallies,
      commitments: this.commitments,
      estimates: this.estimates,
      now: () => clock.now(),
      entry: this.#entry,
      touch: (seq) => this.#touched.add(seq),
    })
    this.#rates = new RateWindows((key, since) => this.#traces.rate(key, since))
    this.#readEnds()
  }

  /** Forgets what it holds of the tables: they have changed by another hand. Calls under way and the registry stay. */
  reread(): void {
    this.#forget()
    this.#rates.forget()
    this.#journal.reread()
    this.#readEnds()
  }

  /** Takes note of a call that another node has under way, or has found to overlap with one of ours. */
  meet(seq: number, actsOn: readonly string[], overlapped: boolean): void {
    const known = this.open.get(seq)
    if (known) known.overlapped ||= overlapped
    else this.open.add(new OpenCall({ ...this.#settling.load(seq), actsOn, overlapped }, true))
  }

  /** The number the next call will have. */
  get nextCall(): number {
    return this.#nextCall
  }

  /** Where the chain of entries ends. */
  get end(): { readonly seq: number; readonly hash: string } {
    return this.#journal.end
  }

  /** The number of the last entry in the file, whatever memory holds; 0 when there is none. */
  endInFile(): number {
    return this.#journal.lastInFile()
  }

  // The transaction

  begin(): void {
    const backTo = this.#journal.mark()
    const call = this.#nextCall
    this.#back = () => {
      backTo()
      this.#nextCall = call
    }
    this.threads.begin()
    this.#sql.begin.run()
  }

  /** Writes what was only counted in memory. The last thing before `commit`. */
  finish(): void {
    this.counters.write()
    this.#tallies.write()
    this.threads.write()
  }

  /** The rows that changed in this transaction, in no order. */
  commit(): ReadonlySet<number> {
    this.#sql.commit.run()
    const touched = this.#touched
    this.#touched = new Set()
    return touched
  }

  /** Takes back the file and what memory holds of it. */
  undo(): void {
    if (this.#db.inTransaction) this.#sql.rollback.run()
    this.#forget()
    this.#back()
  }

  #forget(): void {
    this.counters.forget()
    this.#tallies.forget()
    this.threads.forget()
    this.commitments.forget()
    this.#bursts.clear()
    this.#touched = new Set()
  }

  #readEnds(): void {
    this.#nextCall = ((this.#sql.lastCall.get() as { seq: number | null }).seq ?? 0) + 1
  }

  // What an administrator changes, each with its entry. Inside the transaction.

  addKey(key: NewKey): KeyRecord {
    const record = this.registry.addKey(key)
    const { id, parentId: parent, policyId: policy, run } = key
    this.#change('key.created', key.actor, { key: id, parent, policy, run }, [['keys', id]])
    return record
  }

  narrowKey(id: string, patch: unknown, actor: string): KeyRecord {
    const record = this.registry.narrowKey(id, patch)
    this.#change('key.narrowed', actor, { key: id }, [['keys', id]])
    return record
  }

  /** @param countedOf what the rows say the key, those before it and their descendants spent or hold on a budget */
  carryOver(fromKey: string, budgets: readonly Budget[], actor: string, countedOf: (budget: Budget) => bigint): void {
    const keys = this.registry.lineage(fromKey)
    for (const budget of budgets) {
      const counter = this.#counterOf(budget)
      if (budget.measure === 'recurring') {
        this.commitments.carry(keys, budget.vendor, counter.id, actor)
        continue
      }
      const calls = countedOf(budget)
      // The same counter of the key before may hold more: what was carried over to that one in its turn.
      const before = this.counters.peek(counterBefore(budget, fromKey))
      const kept = before === null ? 0n : before.spent + before.held
      const spent = kept > calls ? kept : calls
      this.counters.add(counter, spent, 0n)
      this.#entry('carried.to', null, spent, JSON.stringify({ actor, from: fromKey, counters: [counter.id] }))
    }
    this.#change('carried', actor, { from: fromKey })
  }

  /** Calls under these keys whose bytes have left, for the first time or once more, and whose outcome is not booked. */
  inFlight(keys: ReadonlySet<string>): string[] {
    const first = [...this.open.all()].filter((call) => call.dispatched && keys.has(call.keyId))
    const again = [...this.again].filter(([, keyId]) => keys.has(keyId))
    return [...new Set([...first.map(({ seq }) => callId(seq)), ...again.map(([id]) => id)])]
  }

  revoke(id: string, reason: string | null, actor: string, at: number, inFlight: readonly string[]): void {
    const revoked = this.registry.revoke(id, reason, at, inFlight)
    const rows = revoked.map((each) => ['keys', each] as const)
    this.#change('key.revoked', actor, { key: id, in_flight: inFlight }, rows)
  }

  /** What other nodes had let leave when they heard of a revocation. */
  nameInFlight(id: string, inFlight: readonly string[], actor: string): void {
    this.registry.nameInFlight(id, inFlight)
    this.#change('key.in_flight', actor, { key: id, in_flight: inFlight }, [['keys', id]])
  }

  freeze(scope: FreezeScope, reason: string | null, actor: string): void {
    this.registry.freeze(scope, this.#clock.now(), reason)
    this.#change('frozen', actor, { scope: scopeText(scope) }, [rowOfScope(scope)])
  }

  unfreeze(scope: FreezeScope, actor: string): void {
    this.registry.unfreeze(scope)
    this.#change('unfrozen', actor, { scope: scopeText(scope) }, [rowOfScope(scope)])
  }

  putCredential(record: CredentialRecord, action: Parameters<Ledger['putCredential']>[1], actor: string): void {
    this.registry.putCredential(record)
    const { id, vendor, name, fingerprint, apiVersion } = record
    const said = { credential: id, vendor, name, fingerprint, api_version: apiVersion }
    this.#change(action, actor, said, [['credentials', id]])
  }

  removeCredential(id: string, actor: string): void {
    this.registry.removeCredential(id, this.#clock.now())
    this.#change('credential.removed', actor, { credential: id }, [['credentials', id]])
  }

  /** Credentials and one setting sealed anew under another master key. */
  reseal(
    records: readonly CredentialRecord[],
    setting: { readonly name: string; readonly value: unknown },
    actor: string,
  ): void {
    for (const record of records) this.registry.putCredential(record)
    this.registry.putSetting(setting.name, setting.value)
    const rows = records.map(({ id }) => ['credentials', id] as const)
    const said = { credentials: records.map(({ id }) => id), ...settingText(setting.name, setting.value) }
    this.#change('master-key.rotated', actor, said, rows)
  }

  addPolicy(name: string, document: unknown, actor: string): PolicyRecord {
    const known = this.registry.findPolicy(name, document)
    if (known) return known
    const record = this.registry.addPolicy(name, document, this.#clock.now())
    const { id, version } = record
    this.#change('policy.added', actor, { policy: id, name, version }, [['policies', id]])
    return record
  }

  /** Puts a setting unless there is one. The one that is there afterwards. */
  settingOnce(name: string, value: unknown, actor: string): unknown {
    const present = this.registry.setting(name)
    if (present !== undefined) return present
    this.putSetting(name, value, actor)
    return value
  }

  putSetting(name: string, value: unknown, actor: string): void {
    this.registry.putSetting(name, value)
    this.#change('setting.changed', actor, settingText(name, value))
  }

  /** Signs where the chain stands; null when it was signed there. */
  checkpoint(signer: CheckpointSigner): Checkpoint | null {
    const { seq, hash } = this.#journal.end
    return this.checkpoints.add({ seq, head: hash }, this.#clock.now(), signer)
  }

  /** Deletes whole segments of history, with entries that carry on what was proved by those that go. */
  prune(segment: Segment, archive: { readonly file: string; readonly sha256: string }, actor: string): Pruning {
    const { entries, calls, counters, rows, settings } = prune(this.#db, segment)
    this.threads.forget()
    const { seq, head } = segment.end
    for (const { spent, ...counter } of counters) this.#entry('counter.standing', null, spent, JSON.stringify(counter))
    for (let i = 0; i < rows.length; i += ROWS_AN_ENTRY)
      this.#change('rows.standing', actor, {}, rows.slice(i, i + ROWS_AN_ENTRY))
    for (const name of settings) this.#change('setting.standing', actor, settingText(name, this.registry.setting(name)))
    const sums = { tallies: carried(this.#db, 'tallies'), runs: carried(this.#db, 'runs') }
    this.#change('pruned', actor, {
      to: seq,
      hash: head,
      last_call: segment.lastCall,
      entries,
      calls,
      archive: basename(archive.file),
      sha256: archive.sha256,
      sums,
    })
    return { to: seq, entries, calls, archive: archive.file, inTheWay: [] }
  }

  /**
   * Erases a person from at most 500 calls after one; from everything else with the first of them.
   *
   * @returns the call to go on after, null at the end
   */
  erase(subject: Subject, digest: string, actor: string, after: number): Erased & { readonly next: number | null } {
    const erasure = new Erasure(this.#db, subject, this.#clock.now())
    const { next, calls } = erasure.calls(after)
    const { rows, resolved, kept } = after === 0 ? erasure.others() : { rows: [], resolved: [], kept: [] }
    const freezes = after === 0 ? erasure.freezes() : []
    const count = Object.keys(calls).length
    // That somebody asked is written down even where nothing was found.
    const resolutions = resolutionsOf(this.#db, [...resolved, ...Object.keys(calls).map((id) => callSeq(id)!)])
    if (after === 0 || count > 0)
      this.#change('erased', actor, { subject: digest, calls, resolutions }, [...rows, ...freezes])
    return { calls: count, rows: rows.length + freezes.length, kept, next }
  }

  decideApproval(
    id: string,
    decision: 'approved' | 'denied',
    reason: string | null,
    actor: string,
  ): ApprovalRow | null {
    return this.approvals.decide(id, decision, reason, actor, this.#clock.now())
  }

  takenBack(id: string, actor: string, keepsCounted: boolean): void {
    const seq = callSeq(id)
    assert(seq !== null, 'a commitment is known by the call that made it')
    const ended = this.commitments.takeBack(id, actor)
    if (!keepsCounted && ended !== null && ended.credentialId !== null && ended.object !== null)
      this.#settling.giveBackAll({ seq, credentialId: ended.credentialId }, ended.object)
  }

  /** Books money that moved without a call; see Ledger.moved. */
  moved(movement: NewMovement, budgets: readonly Budget[]): BookedMovement {
    const known = this.movements.known(movement)
    // What is not explained may be explained later, or turn out to be more.
    const news = movement.why === null || (movement.amount ?? 0n) > (known?.amount ?? 0n)
    if (known !== null && (known.explained || !news)) return { row: known, fresh: false, added: ZERO, over: [] }
    const counting = budgets.filter(({ measure }) => measure === 'spent')
    const { origin } = movement
    const rootId = origin === null ? null : (this.registry.key(origin.keyId)?.rootId ?? origin.keyId)
    const row = this.movements.book(movement, rootId, () => counting.map((budget) => this.#counterOf(budget)))
    const over = counting.filter((budget) => {
      const counter = this.counters.peek(budget)
      return counter !== null && counter.spent + counter.held > budget.cap
    })
    const added = usd((row.amount ?? 0n) - (known?.amount ?? 0n))
    return { row, fresh: true, added, over: row.counted > 0n ? over : [] }
  }

  /** @param rows what was changed: people's words are in them, and the entry says by a digest that they are these */
  #change(kind: string, actor: string, detail: object, rows: Parameters<SealedRows['seal']>[0] = []): void {
    const sealed = rows.length === 0 ? {} : { rows: this.#sealed.seal(rows) }
    this.#entry(kind, null, 0n, JSON.stringify({ actor, ...detail, ...sealed }))
  }

  // Whether a call may still act. Memory only.

  /** Marks the call as in flight, unless key or freeze changed since its admission. */
  mayLeave(id: string): Denial | true {
    const call = this.open.get(callSeq(id) ?? 0)
    assert(call !== undefined && !call.dispatched, 'a call leaves once, and only after its admission')
    const stop = this.registry.stops(call.keyId, call.run, call.vendor, this.#latest())
    if (stop) return stop
    call.dispatched = true
    return true
  }

  /** Marks a call of unknown outcome as in flight once more, unless key or freeze stops it. */
  mayLeaveAgain({ id, keyId, run, vendor }: Parameters<Ledger['mayLeaveAgain']>[0]): Denial | true {
    const stop = this.registry.stops(keyId, run, vendor, this.#latest())
    if (stop) return stop
    this.again.set(id, keyId)
    return true
  }

  stands(key: KeyRecord, run: string, vendor: string): Denial | true {
    return this.registry.stops(key.id, run, vendor, this.#latest()) ?? true
  }

  /** A key does not live longer because a clock is doubted. */
  #latest(): number {
    return this.#clock.latest?.() ?? this.#clock.now()
  }

  /** Takes note of the run a key's last call was in. */
  rememberImplicit(rootId: string, run: string, at: number): void {
    this.#implicit.set(rootId, { run, at })
  }

  /** The implicit run a root key is in. @param last what the rows say, asked when memory does not know */
  implicitRun(rootId: string, idleMs: number, last: () => { run: string; at: number } | null): string {
    const now = this.#clock.now()
    let known = this.#implicit.get(rootId)
    if (known === undefined) this.#implicit.set(rootId, (known = last() ?? { run: '', at: 0 }))
    if (now - known.at >= idleMs) this.#implicit.set(rootId, (known = { run: `auto_${now.toString(36)}`, at: now }))
    return known.run
  }

  // The life of one call

  /** Takes the call's place in the rate window, unless `decide` refuses it. */
  clear(draft: CallDraft, decide: (usage: Usage) => Denial | null): Denial | null {
    const denial = decide(this.#usage(draft, this.#clock.now()).usage)
    if (denial === null) this.#countRate(draft)
    return denial
  }

  /** What stands for a call now. */
  seen(draft: CallDraft): Usage {
    return this.#usage(draft, this.#clock.now()).usage
  }

  /** Asked before an outcome is booked: within a batch, one bad settlement would hold up everybody's. */
  stateOf(seq: number): CallState {
    return (this.open.get(seq) ?? this.#settling.load(seq)).state
  }

  settle(seq: number, settlement: Settlement): void {
    this.#settling.settle(this.open.get(seq) ?? this.#settling.load(seq), settlement)
  }

  /** Books what became of a call of unknown outcome. @throws LedgerConflict as Ledger.resolve does */
  resolve(seq: number, settlement: Settlement, word: Word): void {
    this.#settling.resolve(this.open.get(seq) ?? this.#settling.load(seq), settlement, word)
  }

  /** Books what a settled call really cost. */
  adjust(seq: number, amount: Usd, word: Word): void {
    this.#settling.adjust(seq, amount, word)
  }

  /** Admits or refuses. What `decide` throws is returned: a bug in one judgement stops its own call and no other. */
  admit({ draft, decide }: Asked): Admission | Error {
    const now = this.#clock.now()
    const { usage, counters, earlierSeq } = this.#usage(draft, now)
    let decision: Decision
    let opened: Approval | null
    try {
      decision = decide(usage)
      opened = this.approvals.toOpen(draft, decision, usage)
      if (opened !== null) decision = decide({ ...usage, approval: opened })
      assert(opened === null || decision.verdict === 'deny', 'a request that is open lets nothing through')
    } catch (bug) {
      return bug instanceof Error ? bug : new Error(String(bug))
    }
    // Messages quote what was sent, maybe cut in the middle of a character, which no store gives back as it was.
    const { denial } = decision
    if (denial) decision = { ...decision, denial: { ...denial, message: denial.message.toWellFormed() } }
    this.registry.used(draft.key.id, now)
    if (draft.runSource === 'implicit') this.#implicit.set(draft.key.rootId, { run: draft.run, at: now })
    // A refusal that is only observed stops nothing.
    const stopped = decision.verdict === 'deny' && decision.denial !== null && BEFORE_RATE.has(decision.denial.code)
    if (!draft.rateCounted && !stopped) this.#countRate(draft)
    return decision.verdict === 'deny'
      ? this.#deny(draft, decision, usage, opened, now)
      : this.#reserve(draft, decision, usage, counters, earlierSeq, now)
  }

  #usage(draft: CallDraft, now: number): { usage: Usage; counters: (Counter | null)[]; earlierSeq: number | null } {
    const keys = this.registry.chain(draft.key.id)
    // What recurs is no concern of a call that commits nothing, and is not read for it.
    const counters = draft.budgets.map((budget) => (concerns(budget, draft) ? this.counters.current(budget) : null))
    const budgets = draft.budgets.map((budget, i) => standingOf(budget, counters[i] ?? null))
    const earlier = draft.idempotencyHash === null ? null : this.#earlier(draft.idempotencyHash, now)
    const stands = earlier !== null && earlier.state !== 'denied' && earlier.state !== 'released'
    const sameRequest = earlier?.request_hash === draft.requestHash
    const { approval, approvalsFull } = this.approvals.seen(draft, now)
    const usage: Usage = {
      nowMs: now,
      keys,
      frozen: this.#frozen(draft),
      budgets,
      amount: stands && sameRequest ? ZERO : this.#excess(draft),
      recurring: stands && sameRequest ? ZERO : usd(this.commitments.added(draft)),
      earlier: earlier ? { callId: callId(earlier.call_seq), sameRequest, stands } : null,
      duplicate: draft.guarded ? this.#duplicate(draft) : null,
      approval,
      approvalsFull,
      rate: keys.map((key, i) => (draft.perMinute[i] == null ? NO_RATE : this.#rates.read(key.id, now))),
      rateCounted: draft.rateCounted,
    }
    return { usage, counters, earlierSeq: stands && sameRequest ? earlier.call_seq : null }
  }

  /** The call that last used an idempotency key, while the vendor can be trusted to remember it. */
  #earlier(hash: string, now: number): IdempotencyRow | null {
    const seq = this.#traces.key(hash)
    if (seq === null) return null
    const row = this.#sql.findIdempotency.get(seq) as IdempotencyRow | undefined
    return row !== undefined && row.hash === hash && now - row.at < IDEMPOTENCY_MS ? row : null
  }

  #duplicate(draft: CallDraft): Usage['duplicate'] {
    const name = writeOf(draft)
    const seq = this.#traces.write(name, this.#clock.now())
    const row = seq === null ? undefined : (this.#sql.write.get(seq) as WriteRow | undefined)
    if (row === undefined || row.state === 'released' || row.state === 'denied') return null
    const same = row.root_id === name.root_id && row.run === name.run && row.request_hash === name.request_hash
    return same ? { callId: callId(row.seq), at: row.at } : null
  }

  #frozen(draft: CallDraft): Usage['frozen'] {
    const freeze = this.registry.freezeOver(draft.key.id, draft.run, draft.vendor)
    return freeze && { scope: scopeText(freeze.scope), at: freeze.at, reason: freeze.reason }
  }

  /** What a call adds: its total less what its object already counts for. */
  #excess(draft: CallDraft): Usd {
    if (draft.object === null || draft.credentialId === null) return draft.quoted
    const counted = this.#sql.settledOn.get(draft.credentialId, draft.object) as bigint
    return draft.quoted > counted ? usd(draft.quoted - counted) : ZERO
  }

  #countRate(draft: CallDraft): void {
    const now = this.#clock.now()
    this.registry.chain(draft.key.id).forEach((key, i) => {
      if (draft.perMinute[i] == null) return
      this.#rates.add(key.id, now)
      this.#traces.putRate(key.id, now)
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
      const row = { now, state: 'denied', reserved: 0n, replayOf: null, counters: [] } as const
      const sealed = this.#insert(seq, draft, decision, row)
      this.#entry('denied', seq, 0n, entryText(draft, `"code":${JSON.stringify(denial.code)},${sealed}`))
    }
    if (opened !== null) this.approvals.open(opened, draft, seq, now)
    this.#tallies.add(tally, 1, 1, 0n, 0n)
    this.#touched.add(seq)
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
      this.counters.add(counter, 0n, reserved)
      ids.push(counter.id)
    })
    const sealed = this.#insert(seq, draft, decision, { now, state: 'reserved', reserved, replayOf, counters: ids })
    const commits =
      draft.commits === null || replayOf !== null
        ? ''
        : `,"commits":${this.commitments.hold(seq, draft.credentialId, draft.commits, usage.recurring, monthly)}`
    this.#entry(
      'reserved',
      seq,
      reserved,
      entryText(
        draft,
        `"quoted":"${draft.quoted}","counters":[${ids.join(',')}],"replay_of":${replayOf}${commits},${sealed}`,
      ),
    )
    if (replayOf === null) this.approvals.use(usage.approval, draft, seq)
    if (draft.idempotencyHash !== null && replayOf === null) {
      this.#sql.putIdempotency.run(seq, draft.idempotencyHash)
      this.#traces.putKey(draft.idempotencyHash, seq, now)
    }
    if (draft.guarded && replayOf === null && draft.effect !== 'read') {
      this.#traces.putWrite(writeOf(draft), seq, now)
    }
    if (draft.object !== null && draft.credentialId !== null && replayOf === null)
      this.#sql.expose.run(draft.credentialId, draft.object, seq, reserved)
    const call = new OpenCall({
      at: now,
      keyId: draft.key.id,
      rootId: draft.key.rootId,
      run: draft.run,
      vendor: draft.vendor,
      operation: draft.operation ?? '',
      seq,
      reserved,
      counters: ids,
      credentialId: draft.credentialId,
      object: draft.object,
      replayOf,
      commits: draft.commits !== null,
      actsOn: actsOn(draft),
      state: 'reserved',
      dispatched: false,
      overlapped: false,
    })
    this.#tallies.add(call, 1, 0, 0n, reserved)
    this.open.add(call)
    this.#touched.add(seq)
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
    const known = this.counters.peek(budget)
    if (known) return known
    const { counter, window } = budget
    const made = this.counters.make(budget)
    this.#entry('counter', null, 0n, JSON.stringify({ id: made.id, counter, window }))
    return made
  }

  /** What the row's entry says of it beyond what it shows. */
  #insert(
    seq: number,
    draft: CallDraft,
    decision: Decision,
    row: { now: number; state: CallState; reserved: bigint; replayOf: number | null; counters: readonly number[] },
  ): string {
    const { denial } = decision
    const salt = newSalt()
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
      this.threads.push(threadOfKey(draft.key.id), seq),
      this.threads.push(threadOfRun(draft.run), seq),
      salt,
    )
    return sealOfAdmission(salt, seq, draft, decision, row)
  }

  readonly #entry = (kind: string, seq: number | null, amount: bigint, detail: string): void =>
    this.#journal.add(this.#clock.now(), kind, seq, amount, detail)
}

const writeOf = ({ key, run, requestHash }: CallDraft): WriteName => ({
  root_id: key.rootId,
  run,
  request_hash: requestHash,
})

/** The same counter under the key that another one is issued in place of. */
export const counterBefore = (budget: Budget, fromKey: string): Budget => ({
  ...budget,
  counter: budget.counter.replace(/^(key|run):[^|:]+/, `$1:${fromKey}`),
})

/** An entry stays readable. */
const ROWS_AN_ENTRY = 200

/** A budget with what is counted on it. Written out, because a spread costs more than the rest of the reading. */
const standingOf = (budget: Budget, counter: Counter | null): Usage['budgets'][number] => ({
  counter: budget.counter,
  window: budget.window,
  cap: budget.cap,
  code: budget.code,
  label: budget.label,
  rule: budget.rule,
  since: budget.since,
  resetsAt: budget.resetsAt,
  vendor: budget.vendor,
  direction: budget.direction,
  measure: budget.measure,
  enforce: budget.enforce,
  spent: usd(counter?.spent ?? 0n),
  held: usd(counter?.held ?? 0n),
})

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

/** The request is in the digest of the row: a short one could be found out from a hash of it alone. */
function entryText(draft: CallDraft, rest: string): string {
  return `{"key":"${draft.key.id}","run":"${draft.run}","vendor":"${draft.vendor}","operation":"${draft.operation ?? ''}","credential":${JSON.stringify(draft.credentialId)},"object":${JSON.stringify(draft.object)},${rest}}`
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
