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
  statSync,
  writeFileSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { LedgerFault } from '../contracts/ledger.js'
import { machineStart } from '../machine-start.js'
import { packageRoot } from '../package-root.js'
import { Fence, fenceFile, type FenceNote } from './fence.js'
import { fileSystemOf, type StatFs } from './file-system.js'
import { kindOf } from './storage-faults.js'

export interface OpenOptions {
  /** The operator's word that one machine alone uses the directory, whatever file system it is on. */
  readonly allowNetworkFileSystem?: boolean | undefined
  readonly statfs?: StatFs | undefined
  /** Leaves room for further connections of this process. */
  readonly shared?: boolean | undefined
}

/**
 * Opens the ledger's file: one process, one connection, durable to power loss.
 *
 * WAL with `synchronous=FULL` is set and read back each time: better-sqlite3 is compiled to fall back to NORMAL when a
 * WAL database is reopened, which may forget the last commits on power loss (measured 2026-11, better-sqlite3 12.11).
 * `locking_mode=EXCLUSIVE` keeps every other process out, so totals held in memory cannot go stale. A shared file is
 * opened just so and let go of only as far as SQLite's own lock of an open WAL database: that keeps out everybody who
 * begins like this, of whatever version (measured 2026-11). A program that does not may read the file, and must not write.
 *
 * @throws LedgerFault when another process has the file, it is damaged or gone, it was written by a newer spendgate,
 *   it cannot be written, or it is on a file system of the network
 */
export function openDatabase(file: string, options: OpenOptions = {}): Database.Database {
  let db: Database.Database | undefined
  try {
    const note = file === ':memory:' ? null : prepared(file, options)
    db = new Database(file, { timeout: 100 })
    // The mode in which a WAL database is first read decides whether its index can be shared later.
    if (options.shared === true) {
      db.pragma('journal_mode = WAL')
      db.pragma('user_version')
    }
    db.pragma('locking_mode = EXCLUSIVE')
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('foreign_keys = ON')
    db.pragma('trusted_schema = OFF')
    db.pragma('temp_store = MEMORY')
    db.pragma('cache_size = -8000')
    db.pragma('journal_size_limit = 67108864')
    // What a row is changed from does not stay in its page: an erased person is gone from the file.
    db.pragma('secure_delete = FAST')
    db.exec('begin exclusive; commit')
    if (db.pragma('synchronous', { simple: true }) !== 2)
      throw new LedgerFault('SQLite did not accept synchronous=FULL; without it a power cut could forget money.')
    const sound = db.pragma(checkedWhole(file, note) ? 'quick_check(1)' : 'quick_check(counters)', { simple: true })
    if (sound !== 'ok') throw new LedgerFault(`${file} is damaged (${String(sound)}). ${PUT_BACK}`)
    migrate(db, file)
    if (file !== ':memory:')
      writeFileSync(ownerFile(file), JSON.stringify({ pid: process.pid, host: hostname() }), { mode: 0o600 })
    if (options.shared === true) {
      db.pragma('locking_mode = NORMAL')
      // The lock is let go of with the next use.
      db.pragma('user_version')
    }
    return db
  } catch (cause) {
    db?.close()
    if (cause instanceof LedgerFault) throw cause
    throw openFault(file, cause as Error)
  }
}

const PUT_BACK = 'Nothing was changed. Put a backup in its place: spendgate restore FILE.'

/** What a failed attempt to open a file means for the operator. */
export function openFault(file: string, cause: Error): LedgerFault {
  const kind = kindOf(cause)
  const { code = '' } = cause as { code?: string }
  if (kind === 'locked')
    return new LedgerFault(
      `Another spendgate (${owner(file)}) owns ${file}. One server a file: stop it first, or give this one another SPENDGATE_DATA_DIR.`,
      { cause },
    )
  if (kind === 'corrupt')
    return new LedgerFault(`${file} is damaged or not a database (${code}). ${PUT_BACK}`, { cause })
  if (kind === 'read-only' || code === 'EACCES' || code === 'EPERM')
    return new LedgerFault(
      `${file} cannot be written (${code}): make it, its directory and its file system writable for this user, or give another SPENDGATE_DATA_DIR.`,
      { cause },
    )
  if (kind === 'full')
    return new LedgerFault(`There is no room left to open ${file} (${code}). Make some on its file system.`, { cause })
  return new LedgerFault(
    `Cannot open ${file}: ${cause.message}${kind === null ? '' : ` (${code}). «spendgate db check» looks for the cause.`}`,
    { cause },
  )
}

/** Makes the place ready, and refuses what must not even be tried. What the fence says of the file. */
function prepared(file: string, options: OpenOptions): FenceNote | null {
  const directory = dirname(file)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const { networked } = fileSystemOf(directory, options.statfs)
  if (networked !== null && options.allowNetworkFileSystem !== true)
    throw new LedgerFault(
      `${directory} is on ${networked}. A ledger there can be damaged, or be owned by two servers at once. Give a local directory (SPENDGATE_DATA_DIR; in a container a volume of its own), use PostgreSQL (DATABASE_URL), or, if you know that no other machine touches it, start with --allow-network-filesystem.`,
    )
  const note = new Fence(file).read()
  if (note?.state === 'restoring')
    throw new LedgerFault(`A restore of ${file} was not finished. Run it again: spendgate restore FILE.`)
  if (note !== null && note.entries > 0 && (!existsSync(file) || statSync(file).size === 0))
    throw new LedgerFault(
      `${file} is gone, though ${fenceFile(file)} says that it held ${note.entries} entries. Put it back, or a backup: spendgate restore FILE. To begin an empty ledger, move that note away.`,
    )
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
  return note
}

/** Up to this a file is read whole each time it is opened: it costs a quarter of a second at most. */
const WHOLE_BYTES_MAX = 128 * 1024 * 1024

/**
 * Whether the file is to be read whole before it is used. A large one is not (it is read whole beside the calls,
 * src/ledger/whole-check.ts) when nothing can have happened to it: its server closed it and it is as that left it, or
 * its server died while the machine went on, so that the kernel still had every page.
 */
export function checkedWhole(file: string, note: FenceNote | null): boolean {
  if (file === ':memory:') return false
  const { size, mtimeMs } = statSync(file)
  if (size <= WHOLE_BYTES_MAX || note === null || note.state === 'unsure') return true
  if (note.state === 'closed') return note.closed?.bytes !== size || note.closed.changedAt !== mtimeMs
  return note.machineStart === null || note.machineStart !== machineStart()
}

const ownerFile = (file: string): string => `${file}.owner`

function owner(file: string): string {
  try {
    const { pid, host } = JSON.parse(readFileSync(ownerFile(file), 'utf8')) as { pid: number; host: string }
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

/**
 * Forward only. Each step is one transaction with its version number, so a kill leaves the step before it whole. A new
 * file takes all of them in one: before it there is nothing, and each would wait for the disk.
 */
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
  const take = ({ version, sql }: Migration): void => {
    db.exec(sql)
    db.pragma(`user_version = ${version}`)
  }
  const pending = steps.filter(({ version }) => version > current)
  if (current === 0) db.transaction(() => pending.forEach(take)).exclusive()
  else for (const step of pending) db.transaction(() => take(step)).exclusive()
}

/** A killed attempt may have left half a copy. The file is still what it was then, so the copy is made anew. */
function copyTo(copy: string, db: Database.Database): void {
  rmSync(copy, { force: true })
  // SQLite fills an empty file, and leaves its mode alone.
  writeFileSync(copy, '', { mode: 0o600 })
  db.exec(`vacuum into '${copy.replaceAll("'", "''")}'`)
}
