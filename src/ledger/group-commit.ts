import { assert } from '../assert.js'
import type { Clock } from '../contracts/clock.js'
import { LedgerConflict, LedgerFault, type Admission, type Settlement } from '../contracts/ledger.js'
import { IDEMPOTENCY_MS, type Asked, type Book } from './book.js'
import { ThreadEnded, type Writer } from './commit-thread.js'
import { callId, callSeq } from './ids.js'
import { Passing } from './passing.js'
import type { Recording, Script } from './recording.js'
import type { Statements } from './statements.js'
import type { Storage } from './storage.js'

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
  readonly done: { readonly job: AdmitJob; readonly admission: Admission | null; readonly bug: Error | null }[]
}

interface AdmitJob {
  readonly asked: Asked
  readonly resolve: (admission: Admission) => void
  readonly reject: (fault: unknown) => void
}

/** What transactions are made of and with. */
interface Parts {
  readonly book: Book
  readonly recording: Recording
  readonly sql: Statements
  readonly clock: Clock
  /** The file underneath; null for a database that has none. */
  readonly storage: Storage | null
  /** The first call that began at or after an instant. */
  readonly seqAt: (at: number) => number
  /** Told of rows that are durable. */
  readonly announce: (touched: ReadonlySet<number>) => void
}

/**
 * What is written together. Admissions and settlements gather while the event loop reads requests and share one durable
 * commit: the fsync is paid once for however many calls arrived while the last one ran. Decisions run inside that
 * transaction, one after the other, each on totals that include the one before.
 *
 * With a thread to write, a transaction of several calls is decided here and written there, while this thread goes on
 * with other calls. There is one at a time, as without: nothing else is decided or written until it is on disk.
 */
export class GroupCommit {
  readonly #book: Book
  readonly #recording: Recording
  readonly #parts: Parts
  #admits: AdmitJob[] = []
  #settlements: { readonly seq: number; readonly settlement: Settlement }[] = []
  /** Calls whose settlement waits for a commit. */
  readonly #answered = new Passing<number, true>()
  #scheduled = false
  #timer: NodeJS.Timeout | null = null
  #commits = 0
  /** Writes transactions elsewhere; null until it is ready, and where there is none. */
  #thread: Writer | null = null
  #starting: Promise<void> = Promise.resolve()
  #handOverFrom = HAND_OVER_FROM
  /** The transaction that the thread is writing, to wait for; null when there is none. */
  #writing: Promise<void> | null = null
  /** How many are at work that rest on this connection being the only one to write. */
  #here = 0
  #stopped = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#book = parts.book
    this.#recording = parts.recording
  }

  /** Whether a transaction is being written elsewhere, so that the file lacks it still. */
  get writing(): boolean {
    return this.#writing !== null
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

  admit(asked: Asked): Promise<Admission> {
    return new Promise((resolve, reject) => {
      this.#admits.push({ asked, resolve, reject })
      this.#schedule()
    })
  }

  settle(seq: number, settlement: Settlement): void {
    const state = this.#book.stateOf(seq)
    const open = this.#answered.get(seq) === undefined && (state === 'reserved' || state === 'assumed')
    assert(open, `${callId(seq)} has an outcome to book`)
    this.#answered.set(seq, true)
    this.#settlements.push({ seq, settlement })
    this.#timer ??= setTimeout(this.#commit, SETTLE_WAIT_MS)
  }

  /** Whether a call's settlement waits for a commit. */
  answered(seq: number): boolean {
    return this.#answered.get(seq) === true
  }

  /** Resolves when everything settled so far is durable. @throws LedgerFault when it cannot be written */
  async flushed(): Promise<void> {
    await this.written()
    if (this.#settlements.length > 0) this.#commitHere()
    if (this.#settlements.length > 0) throw new LedgerFault('The ledger could not write what was settled.')
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

  /** Resolves when no other thread writes. What follows in the same turn finds the file and the totals in step. */
  async written(): Promise<void> {
    while (this.#writing !== null) await this.#writing
  }

  readonly #commit = (): void => {
    this.#scheduled = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    // Goes on with what has gathered when that is written.
    if (this.#writing !== null) return
    // Somebody who could not wait has written it.
    const gathered = this.#admits.length + this.#settlements.length
    if (gathered === 0) return
    const thread = this.#threadFor(gathered)
    if (thread === null) return this.#commitHere()
    const batch = this.#taken()
    let touched: ReadonlySet<number>
    let script: Script | null
    try {
      touched = this.transaction(() => this.#bookAll(batch), true)
      script = this.#recording.end()
    } catch (cause) {
      return this.#refused(batch, cause)
    }
    if (script === null) return this.#booked(batch, touched)
    if (this.#parts.storage !== null) this.#parts.storage.busy = true
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
          this.#parts.storage?.worked()
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
        if (this.#parts.storage !== null) this.#parts.storage.busy = false
        if (this.#admits.length > 0) this.#schedule()
        else if (this.#settlements.length > 0) this.#timer ??= setTimeout(this.#commit, SETTLE_WAIT_MS)
      })
  }

  /** The thread that is to write so many, or null when they are written here. */
  #threadFor(many: number): Writer | null {
    if (many < this.#handOverFrom || this.#here > 0) return null
    const { storage } = this.#parts
    // While the file is read whole, nothing may be moved from its log into it; that is set for this connection.
    if (storage !== null && (storage.fault !== null || storage.checked === null)) return null
    return this.#thread
  }

  /** Writes what has gathered, on this connection. No other may be writing. */
  #commitHere(): void {
    const batch = this.#taken()
    let touched: ReadonlySet<number>
    try {
      touched = this.transaction(() => this.#bookAll(batch))
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
      const admission = this.#book.admit(job.asked)
      done.push(admission instanceof Error ? { job, admission: null, bug: admission } : { job, admission, bug: null })
    }
    if (++this.#commits % 256 === 0) this.#parts.sql.mark.run(this.#book.open.oldest() ?? this.#book.nextCall)
    if (this.#commits % 1024 === 0) this.#forget(this.#parts.clock.now())
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
    this.#parts.announce(touched)
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
    if (this.#settlements.length > 0 && !this.#stopped) this.#timer ??= setTimeout(this.#commit, 200)
    for (const job of admits) job.reject(cause)
  }

  /** Drops what nobody asks for any more. Inside a transaction. */
  #forget(nowMs: number): void {
    this.#parts.sql.forgetIdempotency.run(this.#parts.seqAt(nowMs - 2 * IDEMPOTENCY_MS))
    this.#book.estimates.forget(this.#parts.seqAt(nowMs - KNOWN_MS))
  }

  /**
   * Runs one durable transaction; the rows it changed. Faults roll back the file and what memory holds of it, and leave
   * as LedgerFault.
   *
   * @param recorded whether it is only recorded: it is then neither written nor durable yet
   */
  transaction(work: () => void, recorded = false): ReadonlySet<number> {
    this.#parts.storage?.check()
    try {
      if (recorded) this.#recording.begin()
      this.#book.begin()
      work()
      this.#book.finish()
      const touched = this.#book.commit()
      if (!this.#recording.going) this.#parts.storage?.worked()
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
      this.#parts.storage?.failed(cause) ??
      new LedgerFault(`The ledger could not write: ${(cause as Error).message}`, { cause })
    )
  }

  /** An administrator's change, in a transaction of its own. */
  async change<T>(work: () => T): Promise<T> {
    await this.written()
    return this.changeNow(work)
  }

  /** The same in this very turn. No other thread may be writing. */
  changeNow<T>(work: () => T): T {
    let result: T
    try {
      this.#parts.announce(
        this.transaction(() => {
          result = work()
        }),
      )
    } catch (cause) {
      this.#book.registry.reload()
      throw cause
    }
    return result!
  }

  /** Does something that rests on this connection being the only one to write. */
  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.#here++
    try {
      await this.written()
      return await work()
    } finally {
      this.#here--
    }
  }

  /** Nothing is written any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    await this.#starting
    await this.#thread?.close()
  }
}
