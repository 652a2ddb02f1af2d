import Database from 'better-sqlite3'
import { migrations } from '../open.js'

/** Read on every call and small, so a node holds them whole. Whoever changes them tells the other nodes. */
export const REGISTRY = ['policies', 'keys', 'credentials', 'freezes', 'settings'] as const
/** Sums: a node adds to them without reading them, so here they hold only what a transaction adds. */
const ADDED = ['tallies', 'runs']
/** Immutable, and read by nobody who decides. */
const WRITTEN_ONCE = ['entries']

interface Table {
  readonly name: string
  readonly columns: readonly string[]
  readonly key: readonly string[]
}
/** What one transaction did to one table, as JSON lists of whole rows. */
export interface Change extends Table {
  readonly put: string | null
  readonly gone: string | null
  /** upsert: the rows as they are now. insert: new rows only. add: what is added to sums. */
  readonly by: 'upsert' | 'insert' | 'add'
}

/**
 * The rows of the ledger that a node's next transactions need, in a SQLite database in memory. The book reads and
 * writes them as it would those of a file; what it changed is told as JSON and written to PostgreSQL, which has the
 * same tables. Rows come and go as JSON texts from database to database: no amount passes through a float.
 *
 * What is not here is, to the book, not there at all. Whoever runs the book loads what it will ask for before.
 */
export class WorkingSet {
  readonly db = new Database(':memory:')
  readonly #tables: readonly Table[]

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
      create index calls_alike on calls (root_id, run, request_hash);
      create table touched (tbl text not null, key text not null, primary key (tbl, key)) without rowid`)
    const names = db.prepare(`select name from sqlite_schema where type = 'table' and name <> 'touched'`).pluck().all()
    this.#tables = (names as string[]).map((name) => tableOf(db, name))
    for (const { name, key } of this.#tables) {
      if (ADDED.includes(name)) continue
      for (const [event, row] of [
        ['insert', 'new'],
        ['update', 'new'],
        ['delete', 'old'],
      ] as const)
        db.exec(`create trigger ${name}_${event} after ${event} on ${name} begin
          insert or ignore into touched values ('${name}', json_array(${key.map((column) => `${row}."${column}"`).join(', ')})); end`)
    }
  }

  /** @param json an object of lists of rows, by table; other members are left alone */
  load(json: string): void {
    for (const { name, columns } of this.#tables) {
      const values = columns.map((column) => `value ->> '${column}'`).join(', ')
      this.#run(
        `insert or replace into ${name} (${quoted(columns)}) select ${values} from json_each(?, '$.${name}') where type = 'object'`,
        json,
      )
    }
    this.#forgetTouched()
  }

  /** Drops what may have changed in the database. */
  clear(): void {
    for (const { name } of this.#tables) if (!isRegistry(name)) this.#run(`delete from ${name}`)
    this.#forgetTouched()
  }

  /** Puts what the database has in place of keys, credentials, policies, freezes and settings. */
  replaceRegistry(json: string): void {
    for (const name of REGISTRY) this.#run(`delete from ${name}`)
    this.load(json)
  }

  /** Tables whose rows hang on one call, which is all that finds them. */
  hanging(): readonly string[] {
    const others = ['exposures', 'commitments', 'idempotency', 'approvals', 'entries', 'movements', 'origins']
    return this.#tables
      .filter(({ name, columns }) => columns.includes('call_seq') && !others.includes(name))
      .map(({ name }) => name)
  }

  /** What changed since the last `settled`. */
  changes(): readonly Change[] {
    const found: Change[] = []
    for (const table of this.#tables) {
      const { name } = table
      if (ADDED.includes(name)) {
        const put = this.#list(table, `${name} r`)
        if (put !== null) found.push({ ...table, put, gone: null, by: 'add' })
        continue
      }
      const same = table.key.map((column, place) => `r."${column}" = t.key ->> '$[${place}]'`).join(' and ')
      if (this.#first(`select 1 from touched where tbl = '${name}' limit 1`) === undefined) continue
      const put = this.#list(table, `touched t cross join ${name} r where t.tbl = '${name}' and ${same}`)
      const keys = table.key.map((column, place) => `'${column}', key ->> '$[${place}]'`).join(', ')
      const gone = this.#first(
        `select json_group_array(json_object(${keys})) from touched t left join ${name} r
         on ${same}
         where t.tbl = '${name}' and r."${table.key[0]!}" is null having count(*) > 0`,
      ) as string | undefined
      found.push({ ...table, put, gone: gone ?? null, by: WRITTEN_ONCE.includes(name) ? 'insert' : 'upsert' })
    }
    return found
  }

  /** What changed is in the database now. Of entries the last is kept: the next one follows it. */
  settled(): void {
    for (const name of ADDED) this.#run(`delete from ${name}`)
    this.#run('delete from entries where seq < (select max(seq) from entries)')
    this.#forgetTouched()
  }

  #list({ columns }: Table, from: string): string | null {
    const members = columns.map((column) => `'${column}', r."${column}"`).join(', ')
    const sql = `select json_group_array(json_object(${members})) from ${from} having count(*) > 0`
    return (this.#first(sql) as string | undefined) ?? null
  }

  #forgetTouched(): void {
    this.#run('delete from touched')
  }

  readonly #prepared = new Map<string, Database.Statement>()
  #prepare(sql: string): Database.Statement {
    let statement = this.#prepared.get(sql)
    if (statement === undefined) this.#prepared.set(sql, (statement = this.db.prepare(sql)))
    return statement
  }
  #run(sql: string, ...values: unknown[]): void {
    this.#prepare(sql).run(...values)
  }
  #first(sql: string): unknown {
    const row = this.#prepare(sql).get() as object | undefined
    return row === undefined ? undefined : Object.values(row)[0]
  }
}

const isRegistry = (name: string): boolean => (REGISTRY as readonly string[]).includes(name)
export const quoted = (columns: readonly string[]): string => columns.map((column) => `"${column}"`).join(', ')

function tableOf(db: Database.Database, name: string): Table {
  const columns = db.pragma(`table_info(${name})`) as { name: string; pk: number }[]
  const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
  return { name, columns: columns.map((column) => column.name), key: key.map((column) => column.name) }
}
