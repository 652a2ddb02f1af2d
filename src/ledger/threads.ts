import type Database from 'better-sqlite3'

const KEPT_MAX = 100_000

/**
 * Lists of calls through the rows themselves: each row names the call before it of the same key and of the same run,
 * and a thread names the last one. An index over them would have one place to insert for every key and run, and cost
 * a commit as many pages as it has keys (measured 2026-11: 2.3 times the time a call at a million rows, 100 keys).
 */
export class Threads {
  readonly #heads = new Map<string, number>()
  readonly #changed = new Map<string, number>()
  /** Ends as they were before the last transaction. */
  readonly #before = new Map<string, number | null>()
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
    return this.#heads.get(name) ?? (this.#find.get(name) as number | undefined) ?? null
  }

  /** The same without the last transaction, which may not be in the file yet. */
  headBefore(name: string): number | null {
    return this.#before.has(name) ? this.#before.get(name)! : this.head(name)
  }

  /** A transaction begins. */
  begin(): void {
    this.#before.clear()
  }

  /** Puts a call at the end of a thread; the call that was there before it, or null. */
  push(name: string, seq: number): number | null {
    const before = this.head(name)
    if (!this.#before.has(name)) this.#before.set(name, before)
    this.#heads.set(name, seq)
    this.#changed.set(name, seq)
    return before
  }

  /** Writes what changed. Once a transaction. */
  write(): void {
    for (const [name, seq] of this.#changed) this.#put.run(name, seq)
    this.#changed.clear()
    if (this.#heads.size > KEPT_MAX) this.#heads.clear()
  }

  /** After a rollback the file is right and memory is not. */
  forget(): void {
    this.#heads.clear()
    this.#changed.clear()
    this.#before.clear()
  }
}

export const threadOfKey = (keyId: string): string => `key ${keyId}`
export const threadOfRun = (run: string): string => `run ${run}`
