import Database from 'better-sqlite3'
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { LedgerFault } from '../contracts/ledger.js'
import { packageRoot } from '../package-root.js'

/**
 * Opens the ledger's file: one process, one connection, durable to power loss.
 *
 * WAL with `synchronous=FULL` is set and read back each time: better-sqlite3 is compiled to fall back to NORMAL when a
 * WAL database is reopened, which may forget the last commits on power loss (measured 2026-11, better-sqlite3 12.11).
 * `locking_mode=EXCLUSIVE` keeps every other process out, so totals held in memory cannot go stale.
 *
 * @throws LedgerFault when another process has the file, it is damaged, or it was written by a newer spendgate
 */
export function openDatabase(file: string): Database.Database {
  if (file !== ':memory:') {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
    chmodSync(file, 0o600)
  }
  let db: Database.Database | undefined
  try {
    db = new Database(file, { timeout: 100 })
    db.pragma('locking_mode = EXCLUSIVE')
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.pragma('trusted_schema = OFF')
    db.pragma('temp_store = MEMORY')
    db.pragma('cache_size = -8000')
    db.pragma('journal_size_limit = 67108864')
    db.exec('begin exclusive; commit')
    if (db.pragma('synchronous', { simple: true }) !== 2)
      throw new LedgerFault('SQLite did not accept synchronous=FULL; without it a power cut could forget money.')
    const sound = db.pragma('quick_check(1)', { simple: true })
    if (sound !== 'ok')
      throw new LedgerFault(`${file} is damaged (${String(sound)}). Restore a backup; nothing was changed.`)
    migrate(db, file)
    if (file !== ':memory:')
      writeFileSync(`${file}.owner`, JSON.stringify({ pid: process.pid, host: hostname() }), { mode: 0o600 })
    return db
  } catch (cause) {
    db?.close()
    if (cause instanceof LedgerFault) throw cause
    const code = (cause as { code?: string }).code ?? ''
    if (code.startsWith('SQLITE_BUSY')) {
      throw new LedgerFault(
        `Another spendgate (${owner(file)}) owns ${file}. One server a file: stop it first, or give this one another SPENDGATE_DATA_DIR.`,
        { cause },
      )
    }
    if (code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT') {
      throw new LedgerFault(`${file} is damaged or not a database (${code}). Restore a backup; nothing was changed.`, {
        cause,
      })
    }
    throw new LedgerFault(`Cannot open ${file}: ${(cause as Error).message}`, { cause })
  }
}

function owner(file: string): string {
  try {
    const { pid, host } = JSON.parse(readFileSync(`${file}.owner`, 'utf8')) as { pid: number; host: string }
    return `pid ${pid}, host ${host}`
  } catch {
    return 'its pid is not known' // The note beside the file is a courtesy; the lock itself is SQLite's.
  }
}

interface Migration {
  readonly version: number
  readonly sql: string
}

export function migrations(): Migration[] {
  const folder = join(packageRoot(), 'src/ledger/schema/sqlite')
  return readdirSync(folder)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort()
    .map((name) => ({ version: Number(name.slice(0, 4)), sql: readFileSync(join(folder, name), 'utf8') }))
}

/** Forward only. Each step is one transaction with its version number, so a kill leaves the step before it whole. */
function migrate(db: Database.Database, file: string): void {
  const steps = migrations()
  const newest = steps.at(-1)!.version
  const current = db.pragma('user_version', { simple: true }) as number
  if (current > newest) {
    throw new LedgerFault(
      `${file} has schema version ${current}; this spendgate knows ${newest}. Run the newer version that wrote it.`,
    )
  }
  if (current === newest) return
  if (current > 0 && file !== ':memory:') copyTo(`${file}.before-${newest}`, db)
  for (const step of steps) {
    if (step.version <= current) continue
    db.transaction(() => {
      db.exec(step.sql)
      db.pragma(`user_version = ${step.version}`)
    }).exclusive()
  }
}

/** A killed attempt may have left half a copy. The file is still what it was then, so the copy is made anew. */
function copyTo(copy: string, db: Database.Database): void {
  rmSync(copy, { force: true })
  // SQLite fills an empty file, and leaves its mode alone.
  writeFileSync(copy, '', { mode: 0o600 })
  db.exec(`vacuum into '${copy.replaceAll("'", "''")}'`)
}
