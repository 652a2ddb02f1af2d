import type Database from 'better-sqlite3'

type Statement = Database.Statement

/**
 * A statement that is compiled when it is first used. A process prepares some two hundred and a schedule uses a third
 * of them; compiling the rest took longer than everything else in a schedule (measured 2026-11).
 */
export class LateStatement {
  readonly #compile: () => Statement
  readonly #modes: ((statement: Statement) => void)[] = []
  #compiled: Statement | null = null

  constructor(compile: () => Statement) {
    this.#compile = compile
  }

  get #statement(): Statement {
    if (this.#compiled === null) {
      this.#compiled = this.#compile()
      for (const mode of this.#modes) mode(this.#compiled)
    }
    return this.#compiled
  }

  run(...values: unknown[]): Database.RunResult {
    return this.#statement.run(...values)
  }
  get(...values: unknown[]): unknown {
    return this.#statement.get(...values)
  }
  all(...values: unknown[]): unknown[] {
    return this.#statement.all(...values)
  }
  iterate(...values: unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...values)
  }
  columns(): Database.ColumnDefinition[] {
    return this.#statement.columns()
  }

  pluck(on = true): this {
    return this.#mode((statement) => void statement.pluck(on))
  }
  raw(on = true): this {
    return this.#mode((statement) => void statement.raw(on))
  }
  safeIntegers(on = true): this {
    return this.#mode((statement) => void statement.safeIntegers(on))
  }

  #mode(set: (statement: Statement) => void): this {
    if (this.#compiled === null) this.#modes.push(set)
    else set(this.#compiled)
    return this
  }
}
