import Database from 'better-sqlite3'

type Prepared = Database.Statement<unknown[], unknown>

/**
 * A disk that fails when told to: every commit of every database in this process ends with the error SQLite gives when
 * the disk under it does, before it was written or, where that can be, although it was. Undo it at the end.
 */
export class FailingDisk {
  #code: string | null = null
  #written = false
  readonly #prepare = Database.prototype.prepare
  readonly #exec = Database.prototype.exec

  constructor() {
    const { prepare, exec } = { prepare: this.#prepare, exec: this.#exec }
    const written = (): boolean => this.#written
    const strike = (): void => {
      if (this.#code !== null) throw new Database.SqliteError(`injected ${this.#code}`, this.#code)
    }
    Database.prototype.prepare = function (this: Database.Database, sql: string): Prepared {
      const statement = prepare.call(this, sql) as Prepared
      if (sql !== 'commit') return statement
      const run = statement.run.bind(statement)
      statement.run = (...values: unknown[]) => {
        if (!written()) strike()
        const done = run(...values)
        strike()
        return done
      }
      return statement
    } as typeof prepare
    Database.prototype.exec = function (this: Database.Database, sql: string) {
      if (sql === 'commit') strike()
      return exec.call(this, sql)
    }
  }

  /** @param written whether the commit is on disk although it is said to have failed */
  fails(code: string, written = false): void {
    this.#code = code
    this.#written = written
  }

  heals(): void {
    this.#code = null
  }

  undo(): void {
    this.heals()
    Database.prototype.prepare = this.#prepare
    Database.prototype.exec = this.#exec
  }
}

/** Asks until it is so, or the time is over; how long it took, in milliseconds. */
export async function within(ms: number, so: () => Promise<boolean> | boolean): Promise<number> {
  const from = performance.now()
  for (;;) {
    if (await so()) return performance.now() - from
    if (performance.now() - from > ms) throw new Error(`not within ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
