import type Database from 'better-sqlite3'
import type { Budget } from '../contracts/policy.js'

/** A running total in memory, written with the transaction that changed it. Bigints are micro-USD. */
export interface Counter {
  readonly id: number
  spent: bigint
  held: bigint
  dirty: boolean
  /** Its span and where that stands among the others; null while only its number is known. */
  place: { readonly window: string; readonly spans: Spans } | null
}

/** All days, or all months, of one counter. `last` is the latest that ever counted money, '' for none. */
interface Spans {
  last: string
  /** Those in memory, by window. */
  readonly kept: Map<string, Counter>
}

type Named = Pick<Budget, 'counter' | 'window'>

const KEPT_MAX = 100_000

/** Running totals by counter and window. This process is the only writer, so what is in memory is what counts. */
export class Counters {
  readonly #byId = new Map<number, Counter>()
  readonly #spans = new Map<string, Spans>()
  #dirty: Counter[] = []
  readonly #find: Database.Statement
  readonly #findById: Database.Statement
  readonly #last: Database.Statement
  readonly #insert: Database.Statement
  readonly #update: Database.Statement

  constructor(db: Database.Database) {
    this.#find = db.prepare('select id, spent, held from counters where counter = ? and window = ?').safeIntegers()
    this.#findById = db.prepare('select id, spent, held from counters where id = ?').safeIntegers()
    this.#last = db
      .prepare('select window from counters where counter = ? and (spent > 0 or held > 0) order by window desc limit 1')
      .pluck()
    this.#insert = db.prepare('insert into counters (counter, window, spent, held) values (?, ?, 0, 0)')
    this.#update = db.prepare('update counters set spent = ?, held = ? where id = ?')
  }

  /** What a budget's counter holds now; null when nothing was ever counted on it. */
  peek({ counter, window }: Named): Counter | null {
    return this.#peek(this.#spansOf(counter), counter, window)
  }

  #peek(spans: Spans, counter: string, window: string): Counter | null {
    const kept = spans.kept.get(window)
    if (kept !== undefined) return kept
    const row = this.#find.get(counter, window) as Row | undefined
    return row === undefined ? null : this.#keep(row, { window, spans })
  }

  /**
   * What a call that is made now counts on. A span that has ended stays ended: once money was counted on a later one, a
   * clock that was set back counts there too.
   */
  current(budget: Named & Pick<Budget, 'since'>): Counter | null {
    const spans = this.#spansOf(budget.counter)
    // Labels of days and months are in the order of time; other spans have none.
    const later = budget.since !== null && spans.last > budget.window
    return this.#peek(spans, budget.counter, later ? spans.last : budget.window)
  }

  /** A counter for a budget that `peek` does not find. Inside a transaction. */
  make({ counter, window }: Named): Counter {
    const { lastInsertRowid } = this.#insert.run(counter, window)
    const row = { id: BigInt(lastInsertRowid), spent: 0n, held: 0n }
    return this.#keep(row, { window, spans: this.#spansOf(counter) })
  }

  byId(id: number): Counter {
    const kept = this.#byId.get(id)
    if (kept) return kept
    const row = this.#findById.get(id) as Row | undefined
    if (!row) throw new Error(`counter ${id} is gone`)
    return this.#keep(row, null)
  }

  add(counter: Counter, spent: bigint, held: bigint): void {
    counter.spent += spent
    counter.held += held
    const { place } = counter
    if (place !== null && (spent > 0n || held > 0n) && place.window > place.spans.last) place.spans.last = place.window
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
    if (this.#byId.size > KEPT_MAX) this.forget()
  }

  /** Drops what is in memory; the file is read again. After a rollback the file is right and memory is not. */
  forget(): void {
    this.#byId.clear()
    this.#spans.clear()
    this.#dirty = []
  }

  #spansOf(counter: string): Spans {
    const known = this.#spans.get(counter)
    if (known !== undefined) return known
    const read: Spans = { last: (this.#last.get(counter) as string | undefined) ?? '', kept: new Map() }
    this.#spans.set(counter, read)
    return read
  }

  #keep(row: Row, place: Counter['place']): Counter {
    const id = Number(row.id)
    // A counter may be asked for by number first and by name later: both must give the same object.
    const counter = this.#byId.get(id) ?? { id, spent: row.spent, held: row.held, dirty: false, place }
    counter.place ??= place
    counter.place?.spans.kept.set(counter.place.window, counter)
    this.#byId.set(id, counter)
    return counter
  }
}

interface Row {
  id: bigint
  spent: bigint
  held: bigint
}
