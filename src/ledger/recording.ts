import type Database from 'better-sqlite3'

/** One transaction as it was recorded: what to run, in order, and texts of statements that were not sent before. */
export interface Script {
  /** Number and text of each statement that this script is the first to use. */
  readonly texts: readonly (readonly [number: number, sql: string])[]
  /** For each step the statement's number, how many values it takes, and these. */
  readonly steps: readonly unknown[]
}

type Values = readonly unknown[]
/** What a statement reads or changes, where that is less than its tables. A number is that of a call; null is nothing. */
export type Key = string | number | null
export type KeysOf = (values: Values) => readonly Key[]

/**
 * A connection whose transaction can be recorded instead of run, so that another thread runs it and waits for the disk.
 * Only writes are recorded. A read is answered from the file, which holds everything but this one transaction; when it
 * asks for what the transaction itself has changed, or somebody looks at what a write returned, the recording is given
 * up: what was recorded is run here, and everything after it too. So recording changes where the work is done, and
 * never its result.
 *
 * What a statement touches is its tables, unless `keyed` says it more narrowly.
 */
export class Recording {
  readonly #db: Database.Database
  readonly #statements: Recordable[] = []
  readonly #sent = new Set<number>()
  #steps: unknown[] | null = null
  /** Tables and keys that the recorded steps changed. */
  #changed = new Set<Key>()
  /** Counts recordings, so that a statement need not name its tables twice in one. */
  #turn = 0
  /** Whether this connection is inside a transaction that only reads: a lock a batch is cheaper than one a read. */
  #reading = false
  readonly #beginReading: Database.Statement
  readonly #endReading: Database.Statement

  constructor(db: Database.Database) {
    this.#db = db
    this.#beginReading = db.prepare('begin')
    this.#endReading = db.prepare('rollback')
  }

  /** The connection for those who prepare statements on it. Nothing but statements is recorded. */
  get db(): Database.Database {
    // What the ledger uses of a connection, and no more; the driver has no interface for it.
    return this as unknown as Database.Database
  }

  prepare(sql: string): Recordable {
    return new Recordable(this, this.#db.prepare(sql), sql)
  }

  pragma(...asked: Parameters<Database.Database['pragma']>): unknown {
    return this.#db.pragma(...asked)
  }

  get inTransaction(): boolean {
    return this.#db.inTransaction
  }

  /** Until `end`, writes are recorded. */
  begin(): void {
    this.#steps = []
    // Not emptied: see Passing.
    this.#changed = new Set()
    this.#turn++
  }

  get going(): boolean {
    return this.#steps !== null
  }

  /** What was recorded; null when it was given up, and everything has been run here. */
  end(): Script | null {
    const steps = this.#stop()
    if (steps === null) return null
    const texts: [number, string][] = []
    for (let i = 0; i < steps.length; i += 2 + (steps[i + 1] as number)) {
      const number = steps[i] as number
      if (this.#sent.has(number)) continue
      this.#sent.add(number)
      texts.push([number, this.#statements[number]!.sql])
    }
    return { texts, steps }
  }

  /** Nothing of what was recorded is to be run. */
  drop(): void {
    this.#stop()
  }

  #stop(): unknown[] | null {
    const steps = this.#steps
    this.#steps = null
    // A read that failed may have ended it already.
    if (this.#reading && this.#db.inTransaction) this.#endReading.run()
    this.#reading = false
    return steps
  }

  /** For a thread that did not get the last texts, or has to be told anew. */
  forgetSent(): void {
    this.#sent.clear()
  }

  /** The number by which steps name a statement: only those that were ever recorded have one. @internal */
  numberOf(statement: Recordable): number {
    return this.#statements.push(statement) - 1
  }

  /** Which recording it is. @internal */
  get turn(): number {
    return this.#turn
  }

  /** One step. @internal */
  step(number: number, values: Values): void {
    this.#steps!.push(number, values.length, ...values)
  }

  /** Takes note of what a step changes. @internal */
  changes(keys: readonly Key[]): void {
    for (const key of keys) if (key !== null) this.#changed.add(key)
  }

  /** @internal */
  changed(keys: readonly Key[]): boolean {
    for (const key of keys) if (key !== null && this.#changed.has(key)) return true
    return false
  }

  /** A read is about to be answered from the file. @internal */
  read(): void {
    if (this.#reading) return
    this.#beginReading.run()
    this.#reading = true
  }

  /** Runs here what was recorded. What the last step returned. @internal */
  giveUp(): Database.RunResult | undefined {
    const steps = this.#stop()
    let last: Database.RunResult | undefined
    for (let i = 0; i < (steps?.length ?? 0);) {
      const [number, count] = [steps![i] as number, steps![i + 1] as number]
      last = this.#statements[number]!.real.run(...steps!.slice(i + 2, i + 2 + count))
      i += 2 + count
    }
    return last
  }
}

/** A statement of a recording connection: the part of the driver's that the ledger uses. */
class Recordable {
  readonly #recording: Recording
  #number: number | null = null
  #keys: KeysOf | null = null
  #found: Touched | null = null
  /** The recording that knows of its tables already. */
  #turn = 0

  constructor(
    recording: Recording,
    readonly real: Database.Statement,
    readonly sql: string,
  ) {
    this.#recording = recording
  }

  keyed(keys: KeysOf): this {
    this.#keys = keys
    return this
  }

  /**
   * What it touches by its tables. A write by keys changes these, and its tables somewhere; one without changes its
   * tables anywhere. A read by keys meets a change of these and of anywhere; one without meets every change of its tables.
   */
  get #touched(): Touched {
    if (this.#found !== null) return this.#found
    const tables = tablesIn(this.sql)
    const somewhere = tables.map((table) => `${table} somewhere`)
    const anywhere = tables.map((table) => `${table} anywhere`)
    return (this.#found =
      this.#keys === null
        ? { changes: [...somewhere, ...anywhere], meets: somewhere }
        : { changes: somewhere, meets: anywhere })
  }

  pluck(): this {
    this.real.pluck()
    return this
  }

  safeIntegers(): this {
    this.real.safeIntegers()
    return this
  }

  run(...values: unknown[]): Database.RunResult {
    const recording = this.#recording
    if (!recording.going) return this.real.run(...values)
    this.#number ??= recording.numberOf(this)
    recording.step(this.#number, values)
    if (this.#turn !== recording.turn) {
      this.#turn = recording.turn
      recording.changes(this.#touched.changes)
    }
    if (this.#keys !== null) recording.changes(this.#keys(values))
    return new Awaited(recording)
  }

  get(...values: unknown[]): unknown {
    this.#look(values)
    return this.real.get(...values)
  }

  all(...values: unknown[]): unknown[] {
    this.#look(values)
    return this.real.all(...values)
  }

  iterate(...values: unknown[]): IterableIterator<unknown> {
    this.#look(values)
    return this.real.iterate(...values)
  }

  #look(values: Values): void {
    const recording = this.#recording
    if (!recording.going) return
    const met = recording.changed(this.#touched.meets) || (this.#keys !== null && recording.changed(this.#keys(values)))
    if (met) recording.giveUp()
    else recording.read()
  }
}

interface Touched {
  readonly changes: readonly string[]
  readonly meets: readonly string[]
}

/** What a recorded write returns: looking at it gives the recording up, for only running tells. */
class Awaited implements Database.RunResult {
  readonly #recording: Recording
  #result: Database.RunResult | undefined

  constructor(recording: Recording) {
    this.#recording = recording
  }

  get changes(): number {
    return this.#now().changes
  }

  get lastInsertRowid(): number | bigint {
    return this.#now().lastInsertRowid
  }

  #now(): Database.RunResult {
    return (this.#result ??= this.#recording.giveUp()!)
  }
}

/** Says what a statement touches, where it can be recorded; elsewhere nothing is to be said. */
export function keyed<S extends Database.Statement>(statement: S, keys: KeysOf): S {
  if (statement instanceof Recordable) statement.keyed(keys)
  return statement
}

/** The tables a statement names. */
export const tablesIn = (sql: string): readonly string[] => [
  ...new Set([...sql.matchAll(/\b(?:from|join|into|update(?!\s+set\b))\s+([a-z_]+)/g)].map(([, table]) => table!)),
]
