import type Database from 'better-sqlite3'
import { assert } from '../../assert.js'
import { quoted } from './phrases.js'

/** A table that both databases have. */
export interface Table {
  readonly name: string
  readonly columns: readonly string[]
  readonly key: readonly string[]
  /** How its rows are written. upsert: as they are now. insert: new rows only. add: what is added to sums. */
  readonly by: 'upsert' | 'insert' | 'add'
  /** Whether new rows of it, where there are many, are copied into the database as lines of text. */
  readonly copied: boolean
  /** Where most columns never change: those that may, with their types. Of a row that was there before only they are written. */
  readonly later: ReadonlyMap<string, string> | null
}
/** What one transaction did to a table, as JSON lists. */
export interface Change {
  readonly name: string
  /** New rows that are copied, a line each. */
  readonly lines: string | null
  /** Whole rows. */
  readonly put: string | null
  /** Keys, and the columns that may change later. */
  readonly set: string | null
  /** Keys of rows that are gone. */
  readonly gone: string | null
}

/** Sums: a node adds to them without reading them, so here they hold only what a transaction adds. */
const ADDED = ['tallies', 'runs']
/** Immutable, numbered, and read by nobody who decides. */
const WRITTEN_ONCE = ['entries']
/** As many rows as there are calls, each of them new: read from JSON they cost the database a third more. */
const COPIED = ['calls', 'entries', 'idempotency']
/** A call is written when it is admitted or denied, and when its outcome is booked or corrected: half of that is known before. */
const LATER: Readonly<Record<string, readonly string[]>> = {
  calls: `state settled object count verdict code rule message upstream_status upstream_request_id upstream_ms
    settled_at`.split(/\s+/),
}

/** A table of the working set, and what of it is to be written. */
export class KeptTable {
  readonly table: Table
  /** The question whether anything is. */
  readonly changed: string
  readonly #load: Database.Statement
  readonly #clear: Database.Statement
  readonly #put: Database.Statement
  /** The same in two parts: new rows as lines, and the others. */
  readonly #lines: Database.Statement | null
  readonly #others: Database.Statement | null
  readonly #set: Database.Statement | null
  readonly #gone: Database.Statement | null
  /** Run when what changed is in the database. */
  readonly #written: readonly Database.Statement[]
  /** Run when rows came or went that are no change. */
  readonly #forget: readonly Database.Statement[]

  constructor(db: Database.Database, name: string) {
    const { columns, key, by, copied, later } = (this.table = tableOf(db, name))
    const values = columns.map((column) => `value ->> '${column}'`).join(', ')
    this.#load = db.prepare(
      `insert or replace into ${name} (${quoted(columns)}) select ${values} from jsonb_each(?) where type = 'object'`,
    )
    this.#clear = db.prepare(`delete from ${name}`)
    const parts = by === 'add' ? sums(this.table) : by === 'insert' ? history(db, this.table) : rows(db, this.table)
    assert(!copied || parts.made !== null, `new rows of ${name} are told from others`)
    this.changed = `select 1 from ${parts.changed}`
    const listOf = (fields: readonly string[], row: string, from: string | null): Database.Statement | null =>
      from === null
        ? null
        : db.prepare(`select json_group_array(${objectOf(fields, row)}) from ${from} having count(*) > 0`).pluck()
    this.#put = listOf(columns, 'r', parts.put)!
    this.#others = copied ? listOf(columns, 'r', parts.others) : null
    this.#lines = copied
      ? db.prepare(`select group_concat(${lineOf(db, name, columns, 'r')}, char(10)) from ${parts.made}`).pluck()
      : null
    this.#set = listOf([...key, ...(later?.keys() ?? [])], 'r', parts.set)
    this.#gone = listOf(key, 't', parts.gone)
    this.#written = parts.written.map((sql) => db.prepare(sql))
    this.#forget = parts.forget.map((sql) => db.prepare(sql))
  }

  /** @param list a JSON list of rows */
  load(list: string): void {
    this.#load.run(list)
    for (const statement of this.#forget) statement.run()
  }

  clear(): void {
    this.#clear.run()
    for (const statement of this.#forget) statement.run()
  }

  /** @param many whether it is worth while to copy */
  change(many: boolean): Change {
    const copying = many && this.#lines !== null
    return {
      name: this.table.name,
      lines: copying ? textOf(this.#lines) : null,
      put: textOf(copying ? this.#others : this.#put),
      set: textOf(this.#set),
      gone: textOf(this.#gone),
    }
  }

  written(): void {
    for (const statement of this.#written) statement.run()
  }
}

const textOf = (statement: Database.Statement | null): string | null =>
  (statement?.get() as string | null | undefined) ?? null

interface Parts {
  readonly changed: string
  /** From where rows `r` come that are written whole, and rows `r` that are written in part, and keys `t` of those that are gone. */
  readonly put: string
  /** Those written whole that are new, and the others. */
  readonly made: string | null
  readonly others: string | null
  readonly set: string | null
  readonly gone: string | null
  readonly written: readonly string[]
  readonly forget: readonly string[]
}

const sums = ({ name }: Table): Parts => ({
  changed: name,
  put: `${name} r`,
  made: null,
  others: null,
  set: null,
  gone: null,
  written: [`delete from ${name}`],
  forget: [],
})

/** What comes after the last row that the database has. That one is kept: the next follows it. */
function history(db: Database.Database, { name }: Table): Parts {
  const last = `last_of_${name}`
  db.exec(`create table ${last} (seq integer not null) strict; insert into ${last} values (0)`)
  const added = `${name} r where r.seq > (select seq from ${last})`
  const forget = `update ${last} set seq = (select coalesce(max(seq), 0) from ${name})`
  return {
    changed: added,
    put: added,
    made: added,
    others: null,
    set: null,
    gone: null,
    written: [`delete from ${name} where seq < (select max(seq) from ${name})`, forget],
    forget: [forget],
  }
}

/** Triggers note the keys of rows that were touched in a table beside it, and whether they were made. */
function rows(db: Database.Database, { name, columns, key, later }: Table): Parts {
  const touched = `touched_${name}`
  const noted = key.map((column) => `"${column}" ${typeOf(db, name, column)} not null`).join(', ')
  db.exec(
    `create table ${touched} (${noted}, made integer not null, primary key (${quoted(key)})) strict, without rowid`,
  )
  for (const [event, row, made] of [
    ['insert', 'new', 1],
    ['update', 'new', 0],
    ['delete', 'old', 0],
  ] as const)
    db.exec(`create trigger ${name}_${event} after ${event} on ${name} begin
      insert into ${touched} values (${key.map((column) => `${row}."${column}"`).join(', ')}, ${made}) on conflict do nothing; end`)
  if (later !== null) {
    const fixed = columns.filter((column) => !later.has(column))
    db.exec(`create trigger ${name}_fixed before update of ${quoted(fixed)} on ${name} begin
      select raise(abort, 'this column of ${name} is written once'); end`)
  }
  const same = key.map((column) => `r."${column}" = t."${column}"`).join(' and ')
  const there = `${touched} t cross join ${name} r on ${same}`
  const forget = `delete from ${touched}`
  return {
    changed: touched,
    put: later === null ? there : `${there} where t.made = 1`,
    made: `${there} where t.made = 1`,
    others: later === null ? `${there} where t.made = 0` : null,
    set: later === null ? null : `${there} where t.made = 0`,
    gone: `${touched} t left join ${name} r on ${same} where r."${key[0]!}" is null`,
    written: [forget],
    forget: [forget],
  }
}

const objectOf = (columns: readonly string[], row: string): string =>
  `json_object(${columns.map((column) => `'${column}', ${row}."${column}"`).join(', ')})`

/** A row as `copy` reads it in the format csv: text in quotes, doubled within, numbers as they are, and nothing for null. */
function lineOf(db: Database.Database, name: string, columns: readonly string[], row: string): string {
  const fields = columns.map((column) => {
    const field = `${row}."${column}"`
    return typeOf(db, name, column) === 'INTEGER' ? field : `'"' || replace(${field}, '"', '""') || '"'`
  })
  return fields.map((field) => `coalesce(${field}, '')`).join(` || ',' || `)
}

const typeOf = (db: Database.Database, name: string, column: string): string =>
  db.prepare(`select type from pragma_table_info('${name}') where name = ?`).pluck().get(column) as string

function tableOf(db: Database.Database, name: string): Table {
  const columns = db.pragma(`table_info(${name})`) as { name: string; pk: number; type: string }[]
  const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
  const later = LATER[name]
  return {
    name,
    columns: columns.map((column) => column.name),
    key: key.map((column) => column.name),
    by: ADDED.includes(name) ? 'add' : WRITTEN_ONCE.includes(name) ? 'insert' : 'upsert',
    copied: COPIED.includes(name),
    later: later === undefined ? null : new Map(later.map((column) => [column, typeOf(db, name, column)])),
  }
}
