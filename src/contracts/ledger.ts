import type { CallState, Commitment, Denial, Direction, Effect } from './call.js'
import type { Usd } from './money.js'
import type { Budget, Decision, Usage } from './policy.js'

/**
 * The book of record: who may call, what was decided, what it cost.
 *
 * Promises, whatever the concurrency or crash:
 * - `admit` decides on usage no other call can change before the decision is on disk; when it resolves, the row is
 *   durable (it survives loss of power, not only of the process).
 * - For every budget and window, spent + held never passes the cap by an admission.
 * - A reservation without an outcome is never given back by time: start-up turns it into `assumed`, which counts as spent.
 * - Entries are immutable and chained by hash; every other table can be rebuilt from them or is proved against them by `verify`.
 * - After `revoke` or `freeze` resolves, `mayLeave` refuses every call they cover.
 *
 * A fault (disk full, database locked or damaged) rejects with LedgerFault and leaves nothing half-written.
 */
export interface Ledger {
  // Keys and custody rows
  /** The key whose keyed digest this is, or null. Memory only; safe on the hot path. */
  findKey(digest: string): KeyRecord | null
  key(id: string): KeyRecord | null
  /** The key that answers for a key now: itself, or the last one that it or one above it was reissued as. */
  successor(id: string): KeyRecord | null
  keys(page: Page): Promise<Paged<KeyRecord>>
  addKey(key: NewKey): Promise<KeyRecord>
  /** Appends a narrowing (a partial policy document) to a key. */
  narrowKey(id: string, patch: unknown, actor: string): Promise<KeyRecord>
  /** Counts what a key, those it was reissued from and their descendants have spent or hold, since each budget's window began, on these budgets as well. */
  carryOver(fromKey: string, budgets: readonly Budget[], actor: string): Promise<void>
  /** Revokes the key and every descendant. Repeated: the first reply. `inFlight` names calls whose bytes had already left. */
  revoke(
    id: string,
    reason: string | null,
    actor: string,
  ): Promise<{ readonly revokedAt: number; readonly inFlight: readonly string[] }>
  freeze(scope: FreezeScope, reason: string | null, actor: string): Promise<void>
  unfreeze(scope: FreezeScope, actor: string): Promise<void>
  freezes(): readonly { readonly scope: FreezeScope; readonly at: number; readonly reason: string | null }[]

  credentials(): readonly CredentialRecord[]
  credential(id: string): CredentialRecord | null
  putCredential(
    record: CredentialRecord,
    action: 'credential.added' | 'credential.rotated',
    actor: string,
  ): Promise<void>
  /** Refuses (LedgerConflict) while an unexpired, unrevoked key needs it. */
  removeCredential(id: string, actor: string): Promise<void>

  policies(): readonly PolicyRecord[]
  /** Stores the next version under the document's name. Storing the same text again gives the version that has it. */
  addPolicy(name: string, document: unknown, actor: string): Promise<PolicyRecord>

  // The life of one call
  /**
   * Takes the call's place in the rate window before its look-ups run. Null when it may go on; a denial is not
   * recorded here: the caller passes it to `admit`.
   */
  clear(draft: CallDraft, decide: (usage: Usage) => Denial | null): Promise<Denial | null>
  /**
   * Admits or refuses, whichever `decide` says. A refusal with `approval_required` opens an approval request, unless one is
   * open or was denied, or the key has too many; `decide` is then asked once more, so that it can name the request. An
   * admission uses up the approval that covers it.
   */
  admit(draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Admission>
  /**
   * What `decide` says on usage as it stands now, with what was settled before. Reserves and records nothing and takes no
   * place in the rate window; the next admission may change the answer.
   */
  preview(draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Decision>
  /**
   * Asked in the very turn in which the first byte would be written. True marks the call as in flight; a denial means
   * key or freeze changed since admission and nothing may leave.
   */
  mayLeave(callId: string): Denial | true
  /**
   * The same question for a call of unknown outcome that is sent once more. True marks it as in flight until `cameBack`:
   * a revocation meanwhile names it.
   */
  mayLeaveAgain(call: Pick<CallRow, 'id' | 'keyId' | 'run' | 'vendor'>): Denial | true
  /** What was sent once more was answered and booked, or will not be. */
  cameBack(callId: string): void
  /** The same question for a look-up, before there is a call: whether key, ancestors and freezes still let it go on. */
  stands(key: KeyRecord, run: string, vendor: string): Denial | true
  /** Books the outcome. Durable with the next commit, not before the caller goes on: until then the reservation stands. */
  settle(callId: string, settlement: Settlement): void
  /** Resolves when everything settled so far is durable. */
  flushed(): Promise<void>

  // What is not known yet
  /** Calls of unknown outcome, oldest first, with what helps to find them in the vendor's records. @param since epoch ms */
  doubts(since: number | null, page: Page): Promise<Paged<DoubtRow>>
  /**
   * Books what the vendor's records or the operator say of a call of unknown outcome. Durable when it resolves. Refuses
   * (LedgerConflict) a call whose outcome is known or still under way, and to release one that was repeated: the
   * repetition stands for what the vendor did.
   */
  resolve(
    callId: string,
    settlement: Settlement & { readonly outcome: 'settled' | 'released' },
    word: Word,
  ): Promise<CallRow>
  /** Who found out what became of a call, once its outcome had not been known; null for all others. */
  wordOn(callId: string): Promise<(Word & { readonly at: number }) | null>
  /** Settled calls whose price the vendor names later and is to be asked for by now, longest due first. */
  estimates(dueBy: number, limit: number): Promise<readonly EstimateRow[]>
  /** The vendor names no price yet: it is asked again at `dueAt`, or never (null). */
  putOff(callId: string, dueAt: number | null): Promise<void>
  /**
   * Books what a settled call, or in all the object it is on, really cost, on the day it was counted on. It may pass the
   * cap: the money has moved. Nothing is asked about it any more. Durable when it resolves.
   */
  adjust(callId: string, amount: Usd, word: Word): Promise<CallRow>
  /** Which of these ids of the vendor's are known from calls under a credential. */
  knownObjects(credentialId: string, objects: readonly string[]): Promise<ReadonlySet<string>>

  // Approvals
  /** Newest first. */
  approvals(filter: ApprovalFilter, page: Page): Promise<Paged<ApprovalRow>>
  approval(id: string): Promise<ApprovalRow | null>
  /** The newest request for this very request under this very key, whatever became of it. */
  approvalFor(keyId: string, requestHash: string): Promise<ApprovalRow | null>
  /**
   * Books a person's decision on an open request: the operator's, or that of the person at the client (`client:…`). The same decision again changes nothing. Refuses (LedgerConflict)
   * what contradicts the first decision, and what has expired. Null when there is no such request.
   */
  decideApproval(
    id: string,
    decision: 'approved' | 'denied',
    reason: string | null,
    actor: string,
  ): Promise<ApprovalRow | null>

  // What is still to come
  /** Standing commitments of a key and its descendants (null: all keys), oldest first. */
  commitments(key: string | null, page: Page): Promise<Paged<CommitmentRow>>
  /**
   * Books that a commitment was taken back: it stands no more, and what its object still counts for is given back to
   * the day it was counted on, unless `keepsCounted` says that it may have been used. Durable when it resolves; again:
   * nothing happens.
   */
  takenBack(id: string, actor: string, keepsCounted?: boolean): Promise<void>

  // Money that moved without a call
  /**
   * Books money that moved at a vendor, on the day it happened and on these budgets of its origin's key. It has moved,
   * so it counts whatever the cap says; `over` names the budgets it brought beyond theirs. Durable when it resolves. The
   * same money again changes nothing, unless it was not explained before and is now.
   */
  moved(movement: NewMovement, budgets: readonly Budget[]): Promise<BookedMovement>
  /** Newest first. */
  movements(filter: MovementFilter, page: Page): Promise<Paged<MovementRow>>
  /** The first of these objects that a call under one of the credentials has made, and that call. */
  originOf(credentialIds: readonly string[], objects: readonly string[]): Promise<Origin | null>
  /**
   * What a credential counts for in [from, to): by calls that began in it, and by movements that nobody explained. To be
   * held against what the vendor says was spent.
   */
  countedUnder(
    credentialId: string,
    range: { readonly from: number; readonly to: number },
  ): Promise<{ readonly calls: Usd; readonly unexplained: Usd }>
  /**
   * Calls admitted under these credentials in [from, to), oldest first, those after a sequence number.
   *
   * @param range with `inDoubt`: only those whose outcome is or was not known
   */
  sent(
    credentialIds: readonly string[],
    range: { readonly from: number; readonly to: number; readonly after: number; readonly inDoubt: boolean },
    limit: number,
  ): Promise<readonly SentCall[]>

  // Reports; each first waits for what was settled before it
  call(id: string): Promise<CallRow | null>
  calls(filter: CallFilter, page: Page): Promise<Paged<CallRow>>
  /** Rows after a sequence number, oldest first, for the live stream. */
  callsAfter(seq: number, limit: number): Promise<readonly CallRow[]>
  /** Called with the call id each time a row is durable or changes state. Returns the undo. */
  onChange(listener: (row: CallRow) => void): () => void
  spend(by: SpendBy, range: { readonly from?: number; readonly to?: number }): Promise<readonly SpendRow[]>
  runs(page: Page, key?: string): Promise<Paged<RunRow>>
  run(run: string, key?: string): Promise<RunRow | null>
  /** The implicit run a root key is in: the last one if a call used it within `idleMs`, else a new id. */
  implicitRun(rootId: string, idleMs: number): string
  /** Counters of a key's budgets as they stand. */
  usage(budgets: readonly Budget[]): Promise<readonly { readonly spent: Usd; readonly held: Usd }[]>

  // Tables the operator keeps
  setting(name: string): unknown
  putSetting(name: string, value: unknown, actor: string): Promise<void>
  /** Puts a setting unless there is one, which another node may have put a moment ago. The one that is there afterwards. */
  settingOnce(name: string, value: unknown, actor: string): Promise<unknown>

  /** Every entry, oldest first, as the lines of an audit export. */
  entries(afterSeq: number, limit: number): Promise<readonly EntryRow[]>
  /** The number of the last entry, 0 when there is none. Memory only. */
  lastEntry(): number
  /** Signs where the chain stands, durable when it resolves; null when nothing came since it was signed last. */
  checkpoint(signer: CheckpointSigner): Promise<Checkpoint | null>
  lastCheckpoint(): Promise<Checkpoint | null>
  /** Checkpoints of entries after `seq`, oldest first. */
  checkpoints(afterSeq: number, limit: number): Promise<readonly Checkpoint[]>
  /**
   * Writes history signed before an instant to an archive and deletes it: whole segments up to a checkpoint, as far as
   * every call in them is final. In one transaction with entries that carry on what it had proved. Refuses
   * (LedgerConflict) an instant less than 35 days ago, and a book that does not verify.
   */
  prune(before: number, archive: Archiver, actor: string): Promise<Pruning>
  /**
   * Erases an e-mail address, a phone number or a vendor's id of a person wherever people's words stand, except in what
   * is in force. @param digest names the subject in the entry without telling it
   */
  erase(subject: string, digest: string, actor: string): Promise<Erased>
  /** Proves the chain and that calls, counters and reports equal what the entries say. Faults as sentences; none means sound. */
  verify(): Promise<readonly string[]>
  backup(file: string): Promise<void>
  close(): Promise<void>
}

export class LedgerFault extends Error {
  override readonly name = 'LedgerFault'
}
/** What was asked contradicts what is stored (a name taken, a credential in use). The message is for the operator. */
export class LedgerConflict extends Error {
  override readonly name = 'LedgerConflict'
}

export interface Page {
  readonly limit: number
  readonly cursor?: string
}
export interface Paged<T> {
  readonly rows: readonly T[]
  readonly next: string | null
}

export type FreezeScope = { readonly kind: 'all' } | { readonly kind: 'key' | 'run' | 'vendor'; readonly value: string }

export interface CredentialRecord {
  readonly id: string
  readonly vendor: string
  readonly name: string
  /** The vendor account it acts on, '' if unknown. */
  readonly account: string
  readonly test: boolean
  /** The vendor API version every call under it is sent with; '' for the vendor's default. */
  readonly apiVersion: string
  readonly fingerprint: string
  readonly last4: string
  /** Sealed parts: see custody/seal.ts. */
  readonly sealed: string
  readonly createdAt: number
  readonly rotatedAt: number | null
}

export interface PolicyRecord {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly document: unknown
  readonly createdAt: number
}

export interface NewKey {
  readonly id: string
  /** 32 hex characters; Twilio clients show `SK` + this as their user name. */
  readonly publicId: string
  readonly digest: string
  /** The last four characters, to recognise it by. */
  readonly last4: string
  readonly name: string
  readonly parentId: string | null
  /** The key that was reissued as this one. Absent or null: none was. */
  readonly replaces?: string | null
  readonly policyId: string
  /** Partial policy documents, oldest first. */
  readonly narrowings: readonly unknown[]
  readonly credentialIds: readonly string[]
  readonly run: string | null
  readonly runCap: Usd | null
  readonly test: boolean
  readonly expiresAt: number | null
  readonly createdAt: number
  /** How many living keys may be below each of these, this one included; one more is refused (LedgerConflict). */
  readonly livingMax?: readonly { readonly keyId: string; readonly most: number }[]
  readonly actor: string
}

export interface KeyRecord extends Omit<NewKey, 'actor' | 'livingMax'> {
  readonly rootId: string
  readonly revokedAt: number | null
  readonly revokeReason: string | null
  readonly lastUsedAt: number | null
}

export type RunSource = 'key' | 'suffix' | 'path' | 'header' | 'traceparent' | 'session' | 'implicit'

/** A call as far as it is known when it asks for admission. */
export interface CallDraft {
  readonly key: KeyRecord
  readonly credentialId: string | null
  readonly run: string
  readonly runSource: RunSource
  readonly vendor: string
  readonly surface: 'rest' | 'mcp'
  readonly method: string
  readonly path: string
  readonly operation: string | null
  readonly effect: Effect | null
  readonly direction: Direction
  readonly customer: string | null
  readonly reason: string | null
  readonly quoted: Usd
  readonly basis: 'free' | 'exact' | 'ceiling' | 'unpriceable'
  /** Object whose exposure the call brings to `quoted` in total. */
  readonly object: string | null
  /** Hex SHA-256 of the canonical request; '' when it could not be read. */
  readonly commits: Commitment | null
  readonly requestHash: string
  /** The client's idempotency key, keyed-hashed with its principal; null when it gave none. */
  readonly idempotencyHash: string | null
  /** Whether identical writes of the same run are to be looked for. */
  readonly guarded: boolean
  /** How long a request for approval stays open, and after the decision how long that stands. Absent or null: no policy wants approvals. */
  readonly approvalMs?: number | null
  /**
   * Hex SHA-256 over the canonical request and what was looked up for it: whom it concerns, and what the vendor keeps
   * and will send. An approval is for both. Absent: the request says all, and its own hash stands for it.
   */
  readonly approvalHash?: string
  /** Whether what the person at the client decided stands (`decided_by` client:…). Absent: only the operator's word does. */
  readonly clientApproves?: boolean
  readonly budgets: readonly Budget[]
  readonly lookUps: number
  readonly rateCounted: boolean
  /** Per-minute limits of key and ancestors, in the order of Usage.keys; null for none. */
  readonly perMinute: readonly (number | null)[]
}

export interface Admission {
  readonly callId: string
  readonly decision: Decision
  readonly reserved: Usd
  /** What is left of the tightest budget after this call; null when it has none. */
  readonly remaining: Usd | null
  readonly replayOf: string | null
}

export interface Settlement {
  readonly outcome: 'settled' | 'released' | 'assumed'
  /** For `settled`: what it cost; absent = what was reserved. */
  readonly amount?: Usd
  readonly object?: string
  readonly total?: Usd
  /** The vendor's id of what the call's commitment made; absent: `object`. */
  readonly commitment?: string
  /** The object whose commitment has come to its end. */
  readonly ends?: string
  /** For `settled`: the amount is an estimate, and the vendor knows what is to be priced by this id. */
  readonly estimate?: string
  /**
   * The vendor's id of what it made. For `settled`: where there is no estimate. For `released`: where it exists all the
   * same and others may pay it; what follows from it counts on the call's key.
   */
  readonly made?: string
  /** For `assumed`: what was sent, sealed, to find out later what became of it. */
  readonly evidence?: string
  readonly status: number | null
  readonly requestId: string | null
  readonly ms: number | null
  /** Set when an admitted call was stopped before its first byte (revoked meanwhile): the row then says so. */
  readonly denial?: Denial
}

/** Who says what became of a call, and what it rests on: a sentence for the operator. */
export interface Word {
  readonly actor: string
  readonly reason: string
}

/** A call of unknown outcome. */
export interface DoubtRow extends CallRow {
  readonly rootId: string
  readonly credentialId: string | null
  /** Keyed hash of the client's idempotency key, under which it went out; null when it gave none. */
  readonly idempotencyHash: string | null
  /** False for calls of earlier versions, which may have forgotten the client's key. */
  readonly keyCertain: boolean
  /** Settlement.evidence, where it was kept. */
  readonly evidence: string | null
}

/** A call that was settled at an estimate. */
export interface EstimateRow {
  readonly callId: string
  readonly at: number
  readonly vendor: string
  readonly credentialId: string
  readonly operation: string
  /** The vendor's id of what is to be priced. */
  readonly object: string
  readonly settled: Usd
}

/** What a call made that still acts by itself. */
export interface CommitmentRow extends Omit<Commitment, 'object'> {
  /** That of the call which made it. */
  readonly id: string
  readonly keyId: string
  readonly credentialId: string
  readonly run: string
  readonly vendor: string
  readonly operation: string
  /** The vendor's id; null while the outcome of the call is unknown, or where the reply named none. */
  readonly object: string | null
  /** What its object counts for at present. */
  readonly counted: Usd
  readonly at: number
}

/** Money that moved at a vendor without a call, as it is told. */
export interface NewMovement {
  readonly at: number
  readonly vendor: string
  readonly credentialId: string
  /** The vendor's id of the money. */
  readonly externalId: string
  readonly kind: string
  readonly direction: 'in' | 'out'
  /** Null where no rate tells what it is in USD. */
  readonly amount: Usd | null
  /** What it followed from; null for what followed from nothing of ours. */
  readonly origin: MovementOrigin | null
  /** Objects that came into being with it: what follows from them has the same origin. */
  readonly makes: readonly string[]
  /** Null when it is explained; else why it is not, as a sentence. */
  readonly why: string | null
}
/** `object` covers what its calls have counted for it. Null: nothing does. */
export type MovementOrigin = Pick<Origin, 'callId' | 'keyId' | 'run'> & { readonly object: string | null }

export interface MovementRow extends Omit<NewMovement, 'origin' | 'makes'> {
  readonly seq: number
  readonly object: string | null
  /** The call it followed from, and its key and run. */
  readonly callId: string | null
  readonly keyId: string | null
  readonly run: string | null
  /** What of the amount no call had counted, and the key was charged. */
  readonly counted: Usd
  readonly explained: boolean
}
export interface BookedMovement {
  readonly row: MovementRow
  /** False when this money was known. */
  readonly fresh: boolean
  /** What of it was not told before: all, or what an unexplained movement turned out to be more. */
  readonly added: Usd
  /** Budgets that stand beyond their caps now. */
  readonly over: readonly Budget[]
}
export interface MovementFilter {
  readonly explained?: boolean
  readonly vendor?: string
  readonly key?: string
}

/** The call that made a vendor's object. */
export interface Origin {
  readonly callId: string
  readonly credentialId: string
  readonly keyId: string
  readonly run: string
  readonly object: string
}

/** An admitted call, as far as it takes to find it by what it was sent under. */
export interface SentCall {
  readonly seq: number
  readonly callId: string
  readonly at: number
  readonly keyId: string
  readonly credentialId: string
  readonly run: string
  readonly state: CallState
  readonly requestHash: string
  /** The client's idempotency key, keyed-hashed; null when it gave none, or when the ledger has forgotten it. */
  readonly idempotencyHash: string | null
  /** The vendor's id of the request, from its reply. */
  readonly requestId: string | null
}

/** Expired: nobody decided in time, or what was approved was not used in time. */
export type ApprovalState = 'open' | 'approved' | 'denied' | 'expired' | 'used'
export interface ApprovalFilter {
  readonly state?: ApprovalState
  /** This key, and those below it if it is a root key. */
  readonly key?: string
}
/** A call that a person is to decide on, bound to its key, its exact request and its quote. */
export interface ApprovalRow {
  readonly id: string
  readonly at: number
  readonly state: ApprovalState
  readonly keyId: string
  readonly rootId: string
  /** The refused call that asked. */
  readonly callId: string
  readonly run: string
  readonly vendor: string
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly customer: string | null
  /** Why the agent says it wants this. Its own words. */
  readonly callReason: string | null
  readonly requestHash: string
  readonly ceiling: Usd
  readonly expiresAt: number
  readonly decidedAt: number | null
  readonly decidedBy: string | null
  readonly reason: string | null
  /** The admitted call that used it. */
  readonly usedBy: string | null
}

export interface CallRow {
  readonly seq: number
  readonly id: string
  readonly at: number
  readonly keyId: string
  readonly run: string
  readonly vendor: string
  readonly surface: string
  readonly method: string
  readonly path: string
  readonly operation: string | null
  readonly effect: string | null
  readonly direction: string
  readonly state: CallState
  readonly basis: string
  readonly quoted: Usd
  readonly reserved: Usd
  readonly settled: Usd
  readonly customer: string | null
  readonly object: string | null
  readonly reason: string | null
  readonly replayOf: string | null
  readonly count: number
  readonly lookUps: number
  readonly verdict: Decision['verdict']
  readonly code: string | null
  readonly rule: string | null
  readonly message: string | null
  readonly requestHash: string
  readonly upstreamStatus: number | null
  readonly upstreamRequestId: string | null
  readonly upstreamMs: number | null
  readonly settledAt: number | null
}

export interface CallFilter {
  readonly key?: string
  readonly run?: string
  readonly vendor?: string
  readonly state?: CallState
}

export type SpendBy = 'run' | 'key' | 'vendor' | 'operation' | 'day'
export interface SpendRow {
  readonly by: string
  readonly spent: Usd
  readonly held: Usd
  readonly calls: number
  readonly denied: number
}
export interface RunRow {
  readonly run: string
  readonly keyId: string
  readonly calls: number
  readonly denied: number
  readonly spent: Usd
  readonly held: Usd
  readonly byVendor: Readonly<Record<string, Usd>>
  readonly firstAt: number
  readonly lastAt: number
}

/** What pruning came to. */
export interface Pruning {
  /** The last entry that is gone; null when nothing went. */
  readonly to: number | null
  readonly entries: number
  readonly calls: number
  /** The file it was written to first. */
  readonly archive: string | null
  /** What keeps more from going, oldest first, as sentences; at most 10. */
  readonly inTheWay: readonly string[]
}

/** Where what is to be pruned is written to first. Resolves when it is there to stay and was read back. */
export type Archiver = (
  name: string,
  lines: Iterable<string>,
) => Promise<{ readonly file: string; readonly sha256: string }>

/** What erasing a person came to. */
export interface Erased {
  readonly calls: number
  /** Policies, keys, approvals and freezes. */
  readonly rows: number
  /** What still holds it, and why it had to stay. */
  readonly kept: readonly string[]
}

export interface CheckpointSigner {
  sign(standing: Omit<Checkpoint, 'keyId' | 'signature'>): Checkpoint
}

/** Where the chain of entries stood at an instant, signed with Ed25519. */
export interface Checkpoint {
  /** The last entry that is signed for. */
  readonly seq: number
  /** How many entries came since the checkpoint before. */
  readonly entries: number
  /** The hash of entry `seq`: it seals every entry up to there. */
  readonly head: string
  readonly at: number
  /** Which key signed: the first 16 hex characters of the public key's SHA-256. */
  readonly keyId: string
  /** base64url. */
  readonly signature: string
}

export interface EntryRow {
  readonly seq: number
  readonly at: number
  readonly kind: string
  readonly callId: string | null
  readonly amount: Usd
  readonly detail: string
  readonly hash: string
}
