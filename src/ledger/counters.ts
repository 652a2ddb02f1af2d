import type Database from 'better-sqlite3'
import type { Budget } from '../contracts/policy.js'

/** A running total in memory, written with the transaction that changed it. Bigints are micro-USD. */
export interface Counter {
  readonly id: number
  spent: bigint
  held: bigint
  dirty: boolean
}

const KEPT_MAX = 100_000

/** Running totals by counter and window. This process is the only writer, so what is in memory is what counts. */
export class Counters {
  readonly #kept = new Map<string, Counter>()
  readonly #byId = new Map<number, Counter>()
  #dirty: Counter[] = []
  readonly #find: Database.Statement
  readonly #findById: Database.Statement
  readonly #insert: Database.Statement
  readonly #update: Database.Statement

  constructor(db: Database.Database) {
    this.#find = db.prepare('select id, spent, held from counters where counter = ? and window = ?').safeIntegers()
    this.#findById = db.prepare('select id, spent, held from counters where id = ?').safeIntegers()
    this.#insert = db.prepare('insert into counters (counter, window, spent, held) values (?, ?, 0, 0)')
    this.#update = db.prepare('update counters set spent = ?, held = ? where id = ?')
  }

  /** What a budget's counter holds now; null when nothing was ever counted on it. */
  peek(budget: Pick<Budget, 'counter' | 'window'>): Counter | null {
    const name = `${budget.counter}\n${budget.window}`
    const kept = this.#kept.get(name)
    if (kept) return kept
    const row = this.#find.get(budget.counter, budget.window) as Row | undefined
    if (!row) return null
    return this.#keep(name, row)
  }

  /** A counter for a budget that `peek` does not find. Inside a transaction. */
  make(budget: Pick<Budget, 'counter' | 'window'>): Counter {
    const { lastInsertRowid } = this.#insert.run(budget.counter, budget.window)
    return this.#keep(`${budget.counter}\n${budget.window}`, { id: BigInt(lastInsertRowid), spent: 0n, held: 0n })
  }

  byId(id: number): Counter {
    const kept = this.#byId.get(id)
    if (kept) return kept
    const row = this.#findById.get(id) as Row | undefined
    if (!row) throw new Error(`counter ${id} is gone`)
    return this.#keep(`#${id}`, row)
  }

  add(counter: Counter, spent: bigint, held: bigint): void {
    counter.spent += spent
    counter.held += held
    if (counter.dirty) return
    counter.dirty = true
    this.#dirty.push(counter)
  }

  /** Writes what changed. Once a transaction, however many calls it holds. */
  write(): void {
    for (const counter of this.#dirty) {
      this.#update.run(counter.spent, counter.held, counter.id)
      counter.dirty = false
    }
    this.#dirty = []
    if (this.#kept.size > KEPT_MAX) this.forget()
  }

  /** Drops what is in memory; the file is read again. After a rollback the file is right and memory is not. */
  forget(): void {
    this.#kept.clear()
    this.#byId.clear()
    this.#dirty = []
  }

  #keep(name: string, row: Row): Counter {
    const id = Number(row.id)
    // A counter may be asked for by number first and by name later: both must give the same object.
    const counter = this.#byId.get(id) ?? { id, spent: row.spent, held: row.held, dirty: false }
    this.#kept.set(name, counter)
    this.#byId.set(id, counter)
    return counter
  }
}

interface Row {
  id: bigint
  spent: bigint
  held: bigint
}
