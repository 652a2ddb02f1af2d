import Database from 'better-sqlite3'
import { migrations } from '../open.js'
import { KeptTable, type Change, type Table } from './kept-table.js'

/** Read on every call and small, so a node holds them whole. Whoever changes them tells the other nodes. */
export const REGISTRY = ['policies', 'keys', 'credentials', 'freezes', 'settings'] as const

/** Rows as they come from the database: a JSON list a table, null for none. What names no table is left alone. */
export type Lists = Readonly<Record<string, string | null>>

/**
 * The rows of the ledger that a node's next transactions need, in a SQLite database in memory. The book reads and
 * writes them as it would those of a file; what it changed is told as JSON and written to PostgreSQL, which has the
 * same tables. Rows come and go as JSON texts from database to database: no amount passes through a float.
 *
 * What is not here is, to the book, not there at all. Whoever runs the book loads what it will ask for before.
 */
export class WorkingSet {
  readonly db = new Database(':memory:')
  readonly tables: readonly Table[]
  readonly #kept: readonly KeptTable[]
  /** A column a table: whether anything of it is to be written. Asked once, because most tables have nothing. */
  readonly #changed: Database.Statement

  constructor() {
    const { db } = this
    for (const step of migrations()) db.exec(step.sql)
    // History is guarded where it lies; here rows are dropped when they are not needed any more.
    for (const name of db.prepare(`select name from sqlite_schema where type = 'trigger'`).pluck().all() as string[])
      db.exec(`drop trigger ${name}`)
    db.pragma('foreign_keys = OFF')
    db.exec(`
      create table rate_hits (
        key_id text not null, at integer not null, hits integer not null, primary key (key_id, at)
      ) strict, without rowid;
      create index calls_alike on calls (root_id, run, request_hash)`)
    const names = db.prepare(`select name from sqlite_schema where type = 'table'`).pluck().all() as string[]
    this.#kept = names.map((name) => new KeptTable(db, name))
    this.tables = this.#kept.map(({ table }) => table)
    this.#changed = db.prepare(`select ${this.#kept.map(({ changed }) => `exists (${changed})`).join(', ')}`).raw()
  }

  load(lists: Lists): void {
    for (const each of this.#kept) {
      const list = lists[each.table.name]
      if (list != null) each.load(list)
    }
  }

  /** Drops what may have changed in the database. */
  clear(): void {
    for (const each of this.#kept) if (!isRegistry(each)) each.clear()
  }

  /** Puts what the database has in place of keys, credentials, policies, freezes and settings. */
  replaceRegistry(lists: Lists): void {
    for (const each of this.#kept) if (isRegistry(each)) each.clear()
    this.load(lists)
  }

  /** Tables whose rows hang on one call, which is all that finds them. */
  hanging(): readonly string[] {
    const others = ['exposures', 'commitments', 'idempotency', 'approvals', 'entries', 'movements', 'origins']
    return this.tables
      .filter(({ name, columns }) => columns.includes('call_seq') && !others.includes(name))
      .map(({ name }) => name)
  }

  /** What changed since the last `settled`. @param many whether rows may be so many that they are copied */
  changes(many: boolean): readonly Change[] {
    return this.#toWrite().map((each) => each.change(many))
  }

  /** What changed is in the database now. */
  settled(): void {
    for (const each of this.#toWrite()) each.written()
  }

  #toWrite(): readonly KeptTable[] {
    const changed = this.#changed.get() as readonly number[]
    return this.#kept.filter((_, place) => changed[place] === 1)
  }
}

const isRegistry = ({ table }: KeptTable): boolean => (REGISTRY as readonly string[]).includes(table.name)
