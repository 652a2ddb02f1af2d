import { setTimeout as pause } from 'node:timers/promises'
import type pg from 'pg'
import { LedgerFault, type CallRow } from '../../contracts/ledger.js'
import type { Book } from '../book.js'
import type { OpenCall } from '../open-calls.js'
import type { Moment } from './membership.js'
import { askCopying } from './copying.js'
import { connect, faultOf, type Patience, type Place } from './connect.js'
import type { SharedTraces } from './traces.js'
import { advance, preparing, written, type Underway } from './ship.js'
import { fetching, preparingFetch, Wants, type Found } from './wants.js'
import { REGISTRY, type Lists, type WorkingSet } from './working-set.js'

/** Work on the book, done in a transaction that it may share with other work. */
export interface Job {
  /** Names the rows it will read. Asked again when the book has moved on. */
  wants(wants: Wants): void
  /** Does it. Synchronous: nobody else sees the rows meanwhile. */
  run(): void
  /** It is durable. */
  done(): void
  /** It is not in the book, and will not be. */
  failed(cause: Error): void
  /** Nobody knows for now whether it is in the book. What comes after is `done` or `failed`. */
  doubted?(cause: Error): void
  /** Shares its transaction with no other: a refusal takes it back whole. */
  readonly alone?: boolean
  /** Goes before what waits: it may forbid it. */
  readonly urgent?: boolean
  /** Comes after all of its kind that came before it, as outcomes do: what one made another may end. */
  readonly inTurn?: boolean
  /** Only waits for its turn between two transactions. */
  readonly local?: boolean
}

/** Calls of one transaction at most. A batch grows with what arrived while the last one was written. */
const JOBS_MAX = 256
/** The database answers each `copy` before it reads its rows, which costs more than JSON where they are few. */
const COPIED_FROM = 16
/** How long what was settled may wait for a call to share its commit with. */
const SETTLE_WAIT_MS = 5
/** Rows in memory are dropped when a node has asked for this many. */
const KNOWN_MAX = 20_000
/** A database that does not answer for this long is as good as cut off. Longer than it may wait for a lock. */
const ANSWER_MS = 3_000
/** How long callers wait on for the answer to a commit whose reply was lost. */
const DOUBT_MS = 1_500
const RETRY_MS = 250
/** Plans are made anew after this many writes: they go by how large tables were, and nobody may ever have analysed those. */
const PLANNED_FOR = 5_000
/** How long a node that stops waits for a database that does not answer. */
const CLOSE_MS = 3_000
const PATIENCE: Patience = { statementMs: 2_500, lockMs: 2_000, idleInTransactionMs: 2_000 }

/**
 * What a batch reads is found by keys, a few rows of large tables. The planner cannot see how many a JSON list names, reads
 * whole tables instead, makes room for thousands where there is one, and compiles the question besides (two nodes on one
 * key, PostgreSQL 15, 2026-11: 200 admissions a second, and 1,500 with this). For the same reason it has nothing to
 * learn from the values of a batch: what is prepared is planned once. A backslash in a text is a backslash.
 */
const PLANS = `set standard_conforming_strings = on; set jit = off; set plan_cache_mode = force_generic_plan;
  set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; set enable_hashagg = off`

const MOVED = 'SG001'
const GONE = 'SG002'

/** Work that shares a transaction. */
interface Batch {
  readonly jobs: Job[]
  /** The node that writes it. */
  readonly node: string
  /** Whether it is decided under the lock, in a transaction that the database has begun. */
  readonly locked: boolean
  /** Names that it takes for new. */
  readonly supposed: Wants
  /** The first number that a call of it can have. */
  readonly firstNew: number
  /** Calls whose outcome it books. */
  over: ReadonlySet<number>
  /** Its write; null before it is on its way, and when there is nothing to write. */
  write: Write | null
  /** What it changed, once the working set holds it as if it were durable; null while it can be taken back by itself. */
  kept: readonly CallRow[] | null
}

/** A write that is on its way. */
interface Write {
  readonly client: pg.Client
  readonly sentAt: Moment
  /** Where the chain of entries ends with it. */
  readonly end: Book['end']
  readonly reply: Promise<pg.QueryResult | pg.QueryResult[]>
}

interface Head {
  readonly version: string
  readonly entry_seq: string
  readonly entry_hash: string
  readonly registry: string
}

interface Parts {
  readonly place: Place
  readonly book: Book
  readonly working: WorkingSet
  readonly traces: SharedTraces
  readonly forgetful: boolean
  /** The node that writes; another one after it was declared gone. */
  readonly node: () => string
  /** Resolves when there is a node again whose writes count. */
  readonly rejoin: () => Promise<void>
  readonly now: () => number
  /** Keys, policies, freezes or settings are now as another node has made them. */
  readonly adopted: () => void
  readonly leaseMs: number
  /** An instant from which a lease may be counted, once the database has answered. */
  readonly moment: () => Moment
  readonly extend: (from: Moment) => void
  /** Rows as the working set has them, for whoever is told of changes. */
  readonly rowsOf: (touched: ReadonlySet<number>) => readonly CallRow[]
  /** Told of rows that were changed here, once they are durable. */
  readonly announce: (rows: readonly CallRow[]) => void
}

/**
 * Takes work in batches through the book and into the database.
 *
 * A batch is decided on rows that are locked or known to be unchanged. When no other node has written since our last
 * batch and all rows it reads are here, it takes one question: the write itself, which fails if the book has moved on.
 * A name that this node first hears of is taken for new then, and the write fails too if it is not.
 * Else it takes two: lock the head and fetch the rows; write and commit. The database holds the lock for as long as the
 * batch takes us, a few milliseconds, and for two seconds at most if we stand still.
 *
 * While a batch is on its way, work that comes is run as the batch after it, on what that one leaves, so that node and
 * database work at the same time. It is sent when the one before it is durable. If that one fails, it was decided on
 * what never was: it is taken back, and decided anew.
 */
export class Writer {
  readonly #parts: Parts
  /** What a session is told before anything else. */
  readonly #opening: string
  readonly #known = new Wants()
  readonly #underway = new Map<number, OpenCall>()
  #queue: Job[] = []
  #client: pg.Client | null = null
  #busy = false
  #closed = false
  #timer: NodeJS.Timeout | null = null
  #deferred = false
  /** The batch whose answer is awaited, and what is run after it meanwhile. */
  #sent: Batch | null = null
  #ahead: Batch | null = null
  #turn: NodeJS.Immediate | null = null
  /** Whether nothing is run ahead for now: it would fail as it has failed. */
  #halted = false
  /** Whether nobody else has written lately, as far as we know. Else what is run ahead would be for nothing. */
  #quiet = false
  #batch = 0
  /** The write before which plans were made anew. */
  #planned = 0
  /** The version of the book that the rows in memory belong to. */
  #version = -1
  #registry = -1
  /** Whether that version was the last one when we last looked. */
  #trusted = false
  #down: LedgerFault | null = null
  /** Set while it is not known what became of a write, and callers were told so. */
  #doubtful: LedgerFault | null = null
  /** Whether names that this node first hears of are taken for new. Not after that has turned out to be wrong. */
  #supposing = true
  /** Where the chain of entries ends in the database, as far as we know. */
  #end: Book['end']
  readonly #idle: (() => void)[] = []

  constructor(parts: Parts) {
    this.#parts = parts
    const { working, book } = parts
    this.#end = book.end
    this.#opening = [PLANS, preparingFetch(working.hanging()), preparing(working.tables)].join(';\n')
  }

  /** The registry version that this node acts on. */
  get registry(): number {
    return this.#registry
  }

  get version(): number {
    return this.#version
  }

  /** The last entry that is known to be durable. */
  get end(): Book['end'] {
    return this.#end
  }

  /** Why the book cannot be written at present; null when nothing is known to be wrong. */
  get down(): LedgerFault | null {
    return this.#down
  }

  /** Another node has written. */
  distrust(): void {
    this.#trusted = false
  }

  /** Told of a call that came under way, or was found to overlap. */
  readonly noteUnderway = (call: OpenCall): void => void this.#underway.set(call.seq, call)

  /** @param soon false: it may wait a little for others */
  enqueue(job: Job, soon = true): void {
    if (this.#closed) return job.failed(new LedgerFault('The ledger is closed.'))
    if (this.#doubtful !== null) return job.failed(this.#down ?? this.#doubtful)
    if (job.urgent) this.#putFirst([job])
    else this.#queue.push(job)
    if (this.#busy) return this.#aheadSoon()
    if (soon) this.#start()
    else this.#timer ??= setTimeout(() => this.#start(), SETTLE_WAIT_MS)
  }

  /** Work that must be alone, as a promise. @param urgent whether it goes before what waits */
  change<T>(wants: (wants: Wants) => void, work: () => T, urgent = false): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: T
      this.enqueue({
        alone: true,
        urgent,
        wants,
        run: () => {
          result = work()
        },
        done: () => resolve(result),
        failed: reject,
      })
    })
  }

  /** Waits for a turn between two transactions. */
  between(work: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.enqueue({ local: true, alone: true, wants: () => undefined, run: work, done: resolve, failed: reject })
    })
  }

  /** Reads keys, credentials, policies, freezes and settings that another node changed. Between two transactions. */
  adopt(lists: Lists, registry: number): void {
    if (registry <= this.#registry) return
    this.#parts.working.replaceRegistry(lists)
    this.#parts.book.registry.reload()
    this.#registry = registry
    this.#parts.adopted()
  }

  async close(): Promise<void> {
    const idle = new Promise<void>((resolve) => this.#idle.push(resolve))
    // A write of which nobody knows what became may stay so: the other nodes go by what is in the book.
    if (this.#busy || this.#queue.length > 0) await within(CLOSE_MS, idle)
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#client !== null) await within(CLOSE_MS, this.#client.end())
  }

  /** Breaks off as a killed process would. For tests of what is durable. */
  abandon(): void {
    this.#closed = true
    this.#queue = []
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#client !== null) cutOff(this.#client)
  }

  /** Before all that waits, but for what is urgent and came before. */
  #putFirst(jobs: readonly Job[]): void {
    this.#queue.splice(this.#queue.findLastIndex((each) => each.urgent) + 1, 0, ...jobs)
  }

  #start(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#busy) return
    this.#busy = true
    setImmediate(() => void this.#pump())
  }

  async #pump(): Promise<void> {
    while (!this.#closed) {
      this.#halted = false
      const ahead = this.#ahead
      this.#ahead = null
      if (ahead !== null) await this.#take(ahead.jobs, ahead)
      else if (this.#queue.length > 0) await this.#take(this.#next())
      else break
    }
    this.#busy = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /**
   * What the next transaction does, in the order of arrival. Work whose rows are all here goes before work that must
   * fetch some, every other time, so that an admission does not wait for the rows of a settlement.
   */
  #next(): readonly Job[] {
    const first = this.#queue[0]!
    if (first.alone) return this.#queue.splice(0, 1)
    let end = 1
    while (end < this.#queue.length && end < JOBS_MAX && !this.#queue[end]!.alone) end++
    const jobs = this.#queue.splice(0, end)
    if (!this.#trusted || this.#deferred) {
      this.#deferred = false
      return jobs
    }
    let outOfTurn = false
    const ready = jobs.filter((job) => {
      if (job.inTurn && outOfTurn) return false
      const now = this.#ready([job]) !== null
      outOfTurn ||= job.inTurn === true && !now
      return now
    })
    if (ready.length === 0 || ready.length === jobs.length) return jobs
    this.#deferred = true
    this.#queue.unshift(...jobs.filter((job) => !ready.includes(job)))
    return ready
  }

  /**
   * What is not known of what jobs read, when they can be done all the same: nothing, or names that this node first hears
   * of. Those are taken for new, and the write fails if they are not. Null when rows must be fetched.
   */
  #ready(jobs: readonly Job[]): Wants | null {
    if (!this.#trusted) return null
    const missing = wantsOf(jobs).missing(this.#known)
    if (missing === null) return NOTHING
    return this.#supposing && missing.fresh !== null ? missing : null
  }

  /** @param decided the batch of them, where they were run ahead */
  async #take(jobs: readonly Job[], decided: Batch | null = null): Promise<void> {
    if (jobs[0]!.local) {
      try {
        jobs[0]!.run()
        jobs[0]!.done()
      } catch (cause) {
        jobs[0]!.failed(cause as Error)
      }
      return
    }
    let rows: readonly CallRow[]
    try {
      for (;;) {
        const outcome = await this.#attempt(jobs, decided)
        decided = null
        if (outcome === 'gone') await this.#parts.rejoin()
        if (typeof outcome === 'string') continue
        rows = outcome
        break
      }
    } catch (cause) {
      // What is left of it is taken in parts, one after the other.
      this.#halted = true
      if (cause instanceof Refused && jobs.length > 1) {
        // A bug in one must not hold up everybody's: the others go without it, and it goes alone.
        await this.#take(jobs.filter((job) => job !== cause.job))
        return this.#take([cause.job])
      }
      if (unwritable(cause) && jobs.length > 1) {
        // Which of them it is nobody says.
        await this.#take(jobs.slice(0, jobs.length >> 1))
        return this.#take(jobs.slice(jobs.length >> 1))
      }
      const fault = this.#reasonOf(cause)
      if (fault.message === FORGOTTEN) this.#down = fault as LedgerFault
      for (const job of jobs) job.failed(fault)
      return
    }
    // Before anybody hears of this one: the database has nothing to do.
    this.#sendAhead()
    for (const job of jobs) job.done()
    this.#parts.announce(rows)
  }

  #reasonOf(cause: unknown): Error {
    if (cause instanceof Refused) return cause.because
    const fault = faultOf(cause, this.#parts.place)
    return unwritable(cause) ? new Error(fault.message, { cause: fault }) : fault
  }

  /** The rows that changed, once they are durable; or why it must be tried again. */
  async #attempt(jobs: readonly Job[], decided: Batch | null): Promise<readonly CallRow[] | 'moved' | 'gone'> {
    const batch = decided ?? (await this.#decide(jobs))
    if (batch === 'moved') return 'moved'
    if (batch.write !== null) return this.#written(batch, batch.write)
    // Without a write nobody would look whether what was supposed is so.
    if (batch.supposed.size > 0) return this.#supposedWrongly(batch)
    this.#keep(batch)
    return batch.kept!
  }

  /** Runs the jobs on rows that are locked or known to be unchanged, and sends what they changed. */
  async #decide(jobs: readonly Job[]): Promise<Batch | 'moved'> {
    const client = await this.#connected()
    let locked = false
    let batch: Batch | null = null
    try {
      if (this.#known.size > KNOWN_MAX || this.#parts.forgetful) this.#trusted = false
      if (this.#batch - this.#planned >= PLANNED_FOR) {
        await ask(client, 'discard plans')
        this.#planned = this.#batch
      }
      const supposed = this.#ready(jobs)
      if (supposed === null) {
        locked = true
        await this.#lock(client, jobs)
      }
      batch = this.#begin(locked)
      if (supposed !== null) batch.supposed.adopt(supposed)
      for (const job of jobs) {
        batch.jobs.push(job)
        run(job)
      }
      this.#send(client, batch)
      if (locked && batch.write === null) await this.#rollBack(client)
      return batch
    } catch (cause) {
      if (batch !== null && batch.supposed.size > 0) return this.#supposedWrongly(batch)
      if (batch !== null) this.#takeBack(batch)
      if (locked) await this.#rollBack(client)
      throw cause
    }
  }

  #begin(locked: boolean): Batch {
    const { book } = this.#parts
    const firstNew = book.nextCall
    book.begin()
    const node = this.#parts.node()
    return { jobs: [], node, locked, supposed: new Wants(), firstNew, over: NOBODY, write: null, kept: null }
  }

  /** Sends what a batch changed, if it changed anything. */
  #send(client: pg.Client, batch: Batch): void {
    const { book, working, leaseMs } = this.#parts
    const { node } = batch
    book.finish()
    const many = batch.jobs.length >= COPIED_FROM
    const changes = working.changes(many)
    batch.over = this.#over()
    const underway = this.#underwayRows(node)
    const copyFrom = many ? batch.firstNew : Infinity
    const { statements, copies } = written(working.tables, changes, underway, copyFrom, [...batch.over])
    this.#underway.clear()
    if (statements.length === 0) return
    const changed = changes.some(({ name }) => (REGISTRY as readonly string[]).includes(name))
    const fresh = batch.supposed.size === 0 ? null : batch.supposed.fresh
    const text = [
      advance(node, ++this.#batch, this.#version, book.end, changed, leaseMs, fresh),
      ...statements,
      ...(changed ? [`notify spendgate`] : []),
      ...(batch.locked ? ['commit'] : []),
    ].join(';\n')
    const sentAt = this.#parts.moment()
    const reply = ask(client, text, copies)
    // Whoever awaits it hears of it; that may be a moment later.
    reply.catch(() => undefined)
    batch.write = { client, sentAt, end: book.end, reply }
  }

  /** What became of a write. */
  async #written(batch: Batch, write: Write): Promise<readonly CallRow[] | 'moved' | 'gone'> {
    const { client, sentAt, reply } = write
    const { jobs, node, locked, supposed } = batch
    let head: { version: string; registry: string }
    this.#sent = batch
    this.#aheadSoon()
    try {
      const results = await reply
      head = (Array.isArray(results) ? results[0]! : results).rows[0]
      this.#parts.extend(sentAt)
    } catch (cause) {
      this.#forsake()
      this.#sent = null
      const { code, severity } = cause as { code?: string; severity?: string }
      // A server may say the severity in its own language.
      if (severity === 'ERROR' || code === MOVED || code === GONE) {
        // Whether the book has moved on shows when it is locked.
        if (code === MOVED && supposed.size > 0) return this.#supposedWrongly(batch)
        this.#takeBack(batch)
        if (locked) await this.#rollBack(client)
        this.#trusted = false
        if (code === MOVED) return 'moved'
        if (code === GONE) return 'gone'
        throw cause
      }
      const landed = await this.#wasWritten(client, node, jobs, faultOf(cause, this.#parts.place))
      if (landed === null) {
        this.#takeBack(batch)
        throw cause
      }
      // Others may have written since, and what they changed of the registry is not here.
      head = { version: landed.version, registry: '-1' }
    }
    this.#sent = null
    this.#settled(batch, write, head)
    return batch.kept!
  }

  /** It is done again with the rows themselves. */
  #supposedWrongly(batch: Batch): 'moved' {
    this.#takeBack(batch)
    this.#supposing = false
    return 'moved'
  }

  // What is run while a batch is on its way

  #aheadSoon(): void {
    if (this.#turn !== null || this.#queue.length === 0 || !this.#mayRunAhead()) return
    this.#turn = setImmediate(() => {
      this.#turn = null
      this.#runAhead()
    })
  }

  /** Not after what changes keys or freezes, nor where it is likely to be for nothing or rows must be fetched. */
  #mayRunAhead(): boolean {
    return (
      this.#sent !== null &&
      !this.#sent.jobs[0]!.alone &&
      this.#quiet &&
      !this.#halted &&
      !this.#closed &&
      !this.#parts.forgetful &&
      this.#known.size <= KNOWN_MAX &&
      this.#batch - this.#planned < PLANNED_FOR
    )
  }

  /** In the order of arrival, up to the first job that must be alone or fetches rows. */
  #runAhead(): void {
    if (!this.#mayRunAhead()) return
    try {
      for (let job = this.#queue[0]; job !== undefined && !job.alone; job = this.#queue[0]) {
        if (this.#ahead?.jobs.length === JOBS_MAX) return
        this.#keep(this.#sent!)
        const supposed = this.#ready([job])
        if (supposed === null) return
        this.#ahead ??= this.#begin(false)
        this.#ahead.supposed.adopt(supposed)
        this.#ahead.jobs.push(this.#queue.shift()!)
        run(job)
      }
    } catch {
      // It is met again when it is its turn, and dealt with then.
      this.#halted = true
      this.#forsake()
    }
  }

  /** The batch before it is durable. */
  #sendAhead(): void {
    if (this.#ahead === null) return
    // The connection may have ended since, or the node been declared gone.
    if (this.#client === null || !this.#trusted || this.#ahead.node !== this.#parts.node()) return this.#forsake()
    try {
      this.#send(this.#client, this.#ahead)
    } catch {
      this.#forsake()
    }
  }

  /** Takes back what was run ahead. It waits again, before what came after it. */
  #forsake(): void {
    const ahead = this.#ahead
    if (ahead === null) return
    this.#ahead = null
    this.#takeBack(ahead)
    this.#putFirst(ahead.jobs)
  }

  /** Locks the book and fetches what the jobs read. */
  async #lock(client: pg.Client, jobs: readonly Job[]): Promise<void> {
    const { book, working, traces } = this.#parts
    const known = this.#trusted ? this.#known : new Wants()
    let need = wantsOf(jobs).missing(known) ?? NOTHING
    const opening = 'begin; select version, entry_seq, entry_hash, registry from head for update'
    const results = (await ask(client, `${opening};${fetching(need, traces.seen, this.#parts.now())}`)) as unknown as [
      unknown,
      { rows: [Head] },
      { rows: [Found] },
    ]
    const head = results[1].rows[0]
    let found = results[2].rows[0]
    const version = Number(head.version)
    if (version < this.#version) throw new LedgerFault(FORGOTTEN)
    if (Number(head.registry) !== this.#registry) {
      const { rows } = (await ask(client, REGISTRY_TEXT)) as pg.QueryResult
      this.adopt(rows[0] as Lists, Number(head.registry))
    }
    if (version !== this.#version) this.#quiet = false
    if (version !== this.#version || !this.#trusted) {
      working.clear()
      this.#known.clear()
      this.#version = version
      this.#trusted = false
      book.open.forgetElsewhere()
      // What was fetched for a book that stood still is not enough for one that moved on.
      const all = wantsOf(jobs)
      if (all.missing(need) !== null) found = await this.#more(client, (need = all))
      working.load(found)
      book.reread()
      this.#end = book.end
      this.#trusted = true
    } else working.load(found)
    for (;;) {
      this.#meet(found)
      this.#known.join(need)
      const more = wantsOf(jobs).missing(this.#known)
      if (more === null) return
      found = await this.#more(client, (need = more))
      working.load(found)
    }
  }

  async #more(client: pg.Client, need: Wants): Promise<Found> {
    const { rows } = (await ask(client, fetching(need, this.#parts.traces.seen, this.#parts.now()))) as pg.QueryResult
    return rows[0] as Found
  }

  /** Calls of other nodes, and idempotency keys that were used meanwhile. */
  #meet({ opened, recent }: Found): void {
    const { book, traces, node } = this.#parts
    for (const each of listIn<Underway>(opened)) {
      const own = each.node === node() && book.open.get(each.seq) === undefined
      if (!own) book.meet(each.seq, JSON.parse(each.acts_on) as string[], each.overlapped)
    }
    for (const [seq, hash] of listIn<[number, string]>(recent)) traces.hear(hash, seq, this.#parts.now())
    this.#underway.clear()
  }

  #underwayRows(node: string): Underway[] {
    return [...this.#underway.values()]
      .filter(({ state }) => state === 'reserved')
      .map((call) => ({
        seq: call.seq,
        node,
        credential_id: call.credentialId,
        acts_on: JSON.stringify(call.actsOn),
        overlapped: call.overlapped,
      }))
  }

  /** Calls whose outcome is booked and not durable yet. */
  #over(): ReadonlySet<number> {
    return new Set([...this.#parts.book.open.all()].filter(({ state }) => state !== 'reserved').map(({ seq }) => seq))
  }

  #settled(batch: Batch, { end }: Write, head: { version: string; registry: string }): void {
    const { book } = this.#parts
    this.#keep(batch)
    this.#version = Number(head.version)
    this.#registry = Number(head.registry)
    this.#end = end
    for (const seq of batch.over) book.open.delete(seq)
    this.#supposing = true
    this.#quiet ||= !batch.locked
  }

  /** Lets the working set hold what a batch changed, as if it were durable: what comes after is run on it. */
  #keep(batch: Batch): void {
    if (batch.kept !== null) return
    const { book, working, rowsOf } = this.#parts
    const touched = book.commit()
    batch.kept = rowsOf(touched)
    this.#known.join(batch.supposed)
    // Of a call that another one only gave back on, not everything that hangs on it is here.
    for (const seq of touched) if (seq >= batch.firstNew) this.#known.add('calls', seq)
    working.settled()
  }

  /** Puts what memory holds back to what the database has, or has it read anew. */
  #takeBack(batch: Batch): void {
    const { book } = this.#parts
    if (batch.kept === null) {
      book.undo()
      book.reread()
    } else {
      this.#trusted = false
      this.#known.clear()
    }
    for (const call of [...book.open.all()]) {
      if (call.seq >= batch.firstNew) book.open.delete(call.seq)
      // What is on its way may have booked its outcome.
      else if (this.#sent?.over.has(call.seq) !== true) call.state = 'reserved'
    }
    // Only work that is alone changes keys and freezes, which memory holds too.
    if (batch.jobs[0]?.alone) book.registry.reload()
    this.#underway.clear()
  }

  async #rollBack(client: pg.Client): Promise<void> {
    await ask(client, 'rollback').catch(() => this.#lose(client))
  }

  #lose(client: pg.Client): void {
    if (this.#client === client) this.#client = null
    this.#trusted = false
    cutOff(client)
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== null) return this.#client
    try {
      return await this.#connect()
    } catch (cause) {
      throw (this.#down = faultOf(cause, this.#parts.place))
    }
  }

  async #connect(): Promise<pg.Client> {
    const client = await connect(this.#parts.place, PATIENCE)
    try {
      await client.query(this.#opening)
      await this.#continues(client)
    } catch (cause) {
      cutOff(client)
      throw cause
    }
    client.once('end', () => this.#lose(client))
    this.#down = null
    return (this.#client = client)
  }

  /**
   * Whether the database still has what it had when we last wrote. A primary that was demoted and came back, or a standby
   * that was promoted without the last commits, has forgotten money: then nothing goes on.
   */
  async #continues(client: pg.Client): Promise<void> {
    if (this.#version < 0) return
    const { seq, hash } = this.#end
    const { rows } = await client.query(
      'select h.version, (select hash from entries where seq = $1) as hash from head h',
      [seq],
    )
    const { version, hash: theirs } = rows[0] as { version: string; hash: string | null }
    if (Number(version) < this.#version || (seq > 0 && theirs !== hash)) throw new LedgerFault(FORGOTTEN)
  }

  /** Whether a batch whose reply was lost is in the book. Asks until the database answers. */
  async #wasWritten(
    client: pg.Client,
    node: string,
    jobs: readonly Job[],
    fault: LedgerFault,
  ): Promise<{ version: string } | null> {
    this.#lose(client)
    this.#down = fault
    const doubt = setTimeout(() => {
      const why = (this.#doubtful = this.#down ?? fault)
      for (const job of jobs) job.doubted?.(why)
      // Nobody knows for how long: whoever waits is told at once, and asks again or not.
      for (const job of this.#queue.splice(0)) job.failed(why)
    }, DOUBT_MS)
    try {
      while (!this.#closed) {
        try {
          return await this.#lookFor(node, this.#batch)
        } catch (cause) {
          // Until it answers, nobody knows, and nothing else can be written either.
          this.#down = faultOf(cause, this.#parts.place)
          await pause(RETRY_MS)
        }
      }
      return null
    } finally {
      clearTimeout(doubt)
      this.#doubtful = null
    }
  }

  async #lookFor(node: string, batch: number): Promise<{ version: string } | null> {
    const client = await connect(this.#parts.place, PATIENCE)
    try {
      // The lock is free only when the transaction of the lost connection has ended, one way or the other. The commit of
      // this one comes after that of the other, on a synchronous standby too. A write that is still on its way, in a
      // proxy or in the buffer of a process that stood still, finds the book moved on when it comes.
      const results = (await ask(
        client,
        `begin; select version from head for update; update nodes set batch = batch where id = '${node}' returning batch;
         update head set version = version + 1
           where version >= ${this.#version} and ${batch} > (select batch from nodes where id = '${node}'); commit`,
      )) as unknown as [unknown, { rows: [{ version: string }] }, { rows: [{ batch: string }] }]
      const [head] = results[1].rows
      if (Number(head.version) < this.#version) throw new LedgerFault(FORGOTTEN)
      return Number(results[2].rows[0].batch) >= batch ? head : null
    } finally {
      cutOff(client)
    }
  }
}

export const FORGOTTEN =
  'The database has forgotten what this node wrote to it: an older primary or a standby without the last commits answers. Nothing is spent until the operator points DATABASE_URL at the right one and restarts.'

/** Keys, credentials, policies, freezes and settings, and the version they belong to, as one snapshot. */
export const REGISTRY_TEXT = `select (select registry from head) as registry, ${REGISTRY.map(
  (name) => `(select json_agg(x)::text from ${name} x) as ${name}`,
).join(', ')}`

const listIn = <T>(text: string | null): readonly T[] => (text === null ? [] : (JSON.parse(text) as T[]))

const NOTHING = new Wants()
const NOBODY: ReadonlySet<number> = new Set()

function wantsOf(jobs: readonly Job[]): Wants {
  const wants = new Wants()
  for (const job of jobs) job.wants(wants)
  return wants
}

/** What a job itself threw: a refusal of an administrator's change, or a bug. */
class Refused extends Error {
  constructor(
    readonly job: Job,
    readonly because: Error,
  ) {
    super(because.message, { cause: because })
  }
}

function run(job: Job): void {
  try {
    job.run()
  } catch (cause) {
    throw new Refused(job, cause instanceof Error ? cause : new Error(String(cause)))
  }
}

/** Whether the database, or the working set, cannot hold what was to be written: it would be the same again and again. */
const unwritable = (cause: unknown): boolean =>
  cause instanceof RangeError || /^2[23]/.test((cause as { code?: string }).code ?? '')

/** Waits for something to be over, but not for ever. Never rejects. */
export async function within(ms: number, over: Promise<unknown>): Promise<void> {
  const late = new AbortController()
  const done = over.then(
    () => late.abort(),
    () => late.abort(),
  )
  await Promise.race([done, pause(ms, undefined, { signal: late.signal }).catch(() => undefined)])
}

/** Asks one question, which may be several statements. A database that does not answer in time is cut off. */
async function ask(
  client: pg.Client,
  text: string,
  copies: readonly string[] = [],
): Promise<pg.QueryResult | pg.QueryResult[]> {
  const late = setTimeout(() => cutOff(client), ANSWER_MS)
  try {
    return await (copies.length === 0 ? client.query(text) : askCopying(client, text, copies))
  } finally {
    clearTimeout(late)
  }
}

/** Ends a connection without a word: nobody may be listening. */
export function cutOff(client: pg.Client): void {
  ;(client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy()
}
