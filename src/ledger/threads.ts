import type Database from 'better-sqlite3'

const KEPT_MAX = 100_000

/**
 * Lists of calls through the rows themselves: each row names the call before it of the same key and of the same run,
 * and a thread names the last one. An index over them would have one place to insert for every key and run, and cost
 * a commit as many pages as it has keys (measured 2026-11: 2.3 times the time a call at a million rows, 100 keys).
 */
export class Threads {
  readonly #known = new Map<string, Thread>()
  /** Those that this transaction, or else the last one, put a call on. */
  #changed: Thread[] = []
  readonly #find: Database.Statement
  readonly #put: Database.Statement

  constructor(db: Database.Database) {
    this.#find = db.prepare('select seq from threads where name = ?').pluck()
    this.#put = db.prepare(
      'insert into threads (name, seq) values (?, ?) on conflict (name) do update set seq = excluded.seq',
    )
  }

  /** The last call of a thread, or null when it has none. */
  head(name: string): number | null {
    return this.#known.get(name)?.head ?? this.#read(name)
  }

  /** The same without the last transaction, which may not be in the file yet. */
  headBefore(name: string): number | null {
    const thread = this.#known.get(name)
    return thread?.changed === true ? thread.before : this.head(name)
  }

  /** A transaction begins. */
  begin(): void {
    for (const thread of this.#changed) thread.changed = false
    this.#changed = []
    if (this.#known.size > KEPT_MAX) this.#known.clear()
  }

  /** Puts a call at the end of a thread; the call that was there before it, or null. */
  push(name: string, seq: number): number | null {
    let thread = this.#known.get(name)
    if (thread === undefined)
      this.#known.set(name, (thread = { name, head: this.#read(name), before: null, changed: false }))
    const before = thread.head
    if (!thread.changed) {
      thread.changed = true
      thread.before = before
      this.#changed.push(thread)
    }
    thread.head = seq
    return before
  }

  /** Writes what changed. Once a transaction. */
  write(): void {
    for (const { name, head } of this.#changed) this.#put.run(name, head)
  }

  /** After a rollback the file is right and memory is not. */
  forget(): void {
    this.#known.clear()
    this.#changed = []
  }

  #read(name: string): number | null {
    return (this.#find.get(name) as number | undefined) ?? null
  }
}

/** A list in memory: its last call, and the one before the last transaction that put a call on it. */
interface Thread {
  readonly name: string
  head: number | null
  before: number | null
  changed: boolean
}

export const threadOfKey = (keyId: string): string => `key ${keyId}`
export const threadOfRun = (run: string): string => `run ${run}`
