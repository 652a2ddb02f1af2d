import Database from 'better-sqlite3'
import { createHash } from 'node:crypto'
import { existsSync, rmSync, statSync } from 'node:fs'
import type pg from 'pg'
import { LedgerFault } from '../contracts/ledger.js'
import { migrations, openDatabase } from './open.js'
import { connect, faultOf, queryOf, type Patience, type Place, type Query } from './postgres/connect.js'
import { knownVersionOf, migrate, requireVersion } from './postgres/migrate.js'

/** Rows that are in memory at a time. */
const BATCH = 2_000

/** Columns of whole micro-USD, whatever the table. */
const MONEY = new Set(['quoted', 'reserved', 'settled', 'spent', 'held', 'amount', 'counted', 'per_month', 'ceiling'])

type Value = bigint | string | null
type Line = readonly Value[]

interface Table {
  readonly name: string
  readonly columns: readonly { readonly name: string; readonly whole: boolean }[]
  /** Columns of its primary key: both sides are read in its order. */
  readonly key: readonly string[]
}

/** What one side has of a table: how many rows, the sum of all money in them, and a hash over every value. */
interface Total {
  readonly rows: number
  readonly money: bigint
  readonly sha256: string
}
export interface CopiedTable extends Total {
  readonly table: string
}
/** What was copied. `entries` is where the chain ends, null for a ledger in which nothing ever happened. */
export interface Copied {
  readonly tables: readonly CopiedTable[]
  readonly entries: { readonly seq: number; readonly hash: string } | null
}

/**
 * Copies a book into an empty PostgreSQL schema of the same version, in one transaction that locks its head: nobody writes
 * meanwhile, and killed or refused at any moment it leaves the schema as empty as before. Every table is read back before
 * the commit, and compared by rows, money and hash. Calls under way go along as they are.
 *
 * @param query asks on one connection, the same for all
 * @throws LedgerFault when the target holds something, or a table has not arrived as it left
 */
export async function copyToPostgres(db: Database.Database, query: Query): Promise<Copied> {
  const tables = tablesOf(db)
  await query('begin')
  try {
    await query('select 1 from head for update')
    await requireEmpty(query)
    const done: CopiedTable[] = []
    for (const table of tables) {
      await query(`delete from ${table.name}`)
      const left = new Sum()
      for (const lines of inSqlite(db, table)) {
        left.add(table, lines)
        await insertInPostgres(query, table, lines)
      }
      const arrived = new Sum()
      for await (const lines of inPostgres(query, table)) arrived.add(table, lines)
      done.push(compared(table, left, arrived))
    }
    const entries = endIn(db)
    if (entries !== null)
      await query('update head set version = version + 1, registry = registry + 1, entry_seq = $1, entry_hash = $2', [
        entries.seq,
        entries.hash,
      ])
    await query('commit')
    return { tables: done, entries }
  } catch (cause) {
    await query('rollback').catch(() => undefined)
    throw cause
  }
}

/**
 * Copies a book out of PostgreSQL into a new file, as it stood at one instant; nodes may go on writing. The file has
 * everything, in one transaction, or it is removed.
 *
 * @param query asks on one connection that is in no transaction, the same for all
 * @throws LedgerFault when the file has something in it, or a table has not arrived as it left
 */
export async function copyToSqlite(query: Query, file: string): Promise<Copied> {
  // An empty one was made by the caller, closed to others.
  if (existsSync(file) && statSync(file).size > 0) throw existsFault(file)
  await query('begin isolation level repeatable read read only')
  let done: Copied | null = null
  try {
    const db = openDatabase(file)
    try {
      done = await fill(db, query)
    } finally {
      db.close()
    }
    return done
  } finally {
    // Nothing was written: committed or not is the same, and a broken connection has told already.
    await query('rollback').catch(() => undefined)
    // A note on who owns the file, which nobody does.
    rmSync(`${file}.owner`, { force: true })
    if (done === null) for (const part of ['', '-wal', '-shm']) rmSync(`${file}${part}`, { force: true })
  }
}

const existsFault = (file: string): LedgerFault => new LedgerFault(`${file} exists. Name a file that does not.`)

async function fill(db: Database.Database, query: Query): Promise<Copied> {
  const tables = tablesOf(db)
  const done: CopiedTable[] = []
  db.exec('begin immediate; pragma defer_foreign_keys = on')
  for (const table of tables) {
    const insert = db.prepare(
      `insert into ${table.name} (${namesOf(table)}) values (${table.columns.map(() => '?').join(', ')})`,
    )
    db.exec(`delete from ${table.name}`)
    const left = new Sum()
    for await (const lines of inPostgres(query, table)) {
      left.add(table, lines)
      for (const line of lines) insert.run(...line)
    }
    const arrived = new Sum()
    for (const lines of inSqlite(db, table)) arrived.add(table, lines)
    done.push(compared(table, left, arrived))
  }
  const entries = endIn(db)
  db.exec('commit')
  return { tables: done, entries }
}

/** What would be copied, by a run that writes nothing. */
export interface Planned {
  readonly tables: readonly { readonly table: string; readonly rows: number }[]
}

/** An operator sits before it, and no call waits for it: only for another's lock there is a limit. */
const UNHURRIED: Patience = { statementMs: 0, lockMs: 10_000, idleInTransactionMs: 0 }

/**
 * Copies the book of a server that is stopped into an empty database, whose schema is made where there is none.
 *
 * @throws LedgerFault when a server has the file, calls in it have no outcome, or the target holds a ledger or is out of reach
 */
export async function fileToPostgres(file: string, place: Place, dryRun: boolean): Promise<Copied | Planned> {
  const db = openDatabase(file)
  try {
    refuseOpenCalls(db)
    return await asking(place, async (query, client) => {
      if (!dryRun) {
        await migrate(client, place)
        return copyToPostgres(db, query)
      }
      if ((await knownVersionOf(client, place)) > 0) await requireEmpty(query)
      const rowsOf = ({ name }: Table): number => db.prepare(`select count(*) from ${name}`).pluck().get() as number
      return { tables: tablesOf(db).map((table) => ({ table: table.name, rows: rowsOf(table) })) }
    })
  } finally {
    db.close()
  }
}

/**
 * The way back: out of a database that no node serves from, into a file for a server of its own.
 *
 * @throws LedgerFault when a node still holds its lease, the schema is of another version, or the file exists
 */
export function postgresToFile(place: Place, file: string, dryRun: boolean): Promise<Copied | Planned> {
  return asking(place, async (query, client) => {
    await requireVersion(client, place)
    const [nodes] = await query('select count(*)::int as n from nodes where not gone and lease_until > now_ms()')
    if (nodes!.n !== 0)
      throw new LedgerFault(
        `${String(nodes!.n)} of the nodes of ${place.shown} are still serving. Stop them first: what they spend from now on would be in no file.`,
      )
    if (!dryRun) return copyToSqlite(query, file)
    if (existsSync(file)) throw existsFault(file)
    const empty = new Database(':memory:')
    for (const { sql } of migrations()) empty.exec(sql)
    const tables: { table: string; rows: number }[] = []
    for (const { name } of tablesOf(empty)) {
      const [counted] = await query(`select count(*) as n from ${name}`)
      tables.push({ table: name, rows: Number(counted!.n) })
    }
    empty.close()
    return { tables }
  })
}

async function asking<T>(place: Place, work: (query: Query, client: pg.Client) => Promise<T>): Promise<T> {
  const client = await connect(place, UNHURRIED)
  try {
    return await work(queryOf(client), client)
  } catch (cause) {
    throw faultOf(cause, place)
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Where a row shows that something happened. What else a new schema holds was put there by the schema itself. */
const LIVED = ['settings', 'credentials', 'policies', 'keys', 'calls', 'entries']

/** @throws LedgerFault when a server, or an earlier copy, has written to the target */
async function requireEmpty(query: Query): Promise<void> {
  const full: string[] = []
  for (const name of LIVED) if ((await query(`select 1 from ${name} limit 1`)).length > 0) full.push(name)
  if (full.length > 0)
    throw new LedgerFault(
      `The target holds a ledger already (rows in ${full.join(', ')}). Copy into a database that no server was started on.`,
    )
}

/** The server that opens the file next assumes them. No node would: none of them was theirs. */
function refuseOpenCalls(db: Database.Database): void {
  const open = db.prepare(`select count(*) from calls where state = 'reserved'`).pluck().get() as number
  if (open > 0)
    throw new LedgerFault(
      `${open} ${open === 1 ? 'call has' : 'calls have'} no outcome: the last server was killed. Start it once, so that they are booked as assumed, stop it, and copy then.`,
    )
}

/** By name; what a row refers to is looked for at the end of the transaction. */
function tablesOf(db: Database.Database): readonly Table[] {
  const names = db
    .prepare(
      `select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name`,
    )
    .pluck()
    .all() as string[]
  return names.map((name) => {
    const columns = db.pragma(`table_info(${name})`) as { name: string; type: string; pk: number }[]
    const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
    return {
      name,
      columns: columns.map((column) => ({ name: column.name, whole: column.type.toLowerCase() === 'integer' })),
      key: key.map((column) => column.name),
    }
  })
}

const quoted = (name: string): string => `"${name}"`
const namesOf = ({ columns }: Table): string => columns.map(({ name }) => quoted(name)).join(', ')
const allOf = (table: Table): string =>
  `select ${namesOf(table)} from ${table.name} order by ${table.key.map(quoted).join(', ')}`

function* inSqlite(db: Database.Database, table: Table): Generator<Line[]> {
  let lines: Line[] = []
  for (const line of db.prepare(allOf(table)).raw().safeIntegers().iterate() as Iterable<Line>) {
    if (lines.push(line) < BATCH) continue
    yield lines
    lines = []
  }
  if (lines.length > 0) yield lines
}

async function* inPostgres(query: Query, table: Table): AsyncGenerator<Line[]> {
  await query(`declare copied no scroll cursor for ${allOf(table)}`)
  for (;;) {
    const rows = await query(`fetch ${BATCH} from copied`)
    if (rows.length > 0)
      yield rows.map((row) =>
        table.columns.map(({ name, whole }) => {
          const value = row[name] as string | null
          return whole && value !== null ? BigInt(value) : value
        }),
      )
    if (rows.length < BATCH) break
  }
  await query('close copied')
}

async function insertInPostgres(query: Query, table: Table, lines: readonly Line[]): Promise<void> {
  const arrays = table.columns.map(({ whole }, i) => `$${i + 1}::${whole ? 'bigint' : 'text'}[]`)
  await query(
    `insert into ${table.name} (${namesOf(table)}) select * from unnest(${arrays.join(', ')})`,
    table.columns.map((_, i) => lines.map((line) => line[i])),
  )
}

function endIn(db: Database.Database): Copied['entries'] {
  const last = db.prepare('select seq, hash from entries order by seq desc limit 1').get()
  return (last as { seq: number; hash: string } | undefined) ?? null
}

/** Sums up rows as they pass by. In memory and not in SQL: SQLite's own sum of large amounts overflows. */
class Sum {
  #rows = 0
  #money = 0n
  readonly #hash = createHash('sha256')

  add({ columns }: Table, lines: readonly Line[]): void {
    this.#rows += lines.length
    for (const line of lines) {
      let text = ''
      for (const [i, value] of line.entries()) {
        text += value === null ? 'n' : typeof value === 'bigint' ? `i${value};` : `t${value.length}:${value}`
        if (typeof value === 'bigint' && MONEY.has(columns[i]!.name)) this.#money += value
      }
      this.#hash.update(`${text}\n`)
    }
  }

  end(): Total {
    return { rows: this.#rows, money: this.#money, sha256: this.#hash.digest('hex') }
  }
}

function compared({ name }: Table, left: Sum, arrived: Sum): CopiedTable {
  const [from, to] = [left.end(), arrived.end()]
  if (from.rows !== to.rows || from.money !== to.money || from.sha256 !== to.sha256)
    throw new LedgerFault(
      `The table ${name} has not arrived as it left: ${from.rows} rows and ${from.money} micro-USD left, ${to.rows} and ${to.money} arrived. Nothing was kept.`,
    )
  return { table: name, ...to }
}
