import type Database from 'better-sqlite3'
import { spawn, type ChildProcess } from 'node:child_process'
import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants, setPriority } from 'node:os'
import { pathToFileURL } from 'node:url'

/** `postponed`: it was ended before its end. `impossible`: the system or the driver does not let it be made. */
export type Checked =
  | { readonly verdict: 'sound' }
  | { readonly verdict: 'damaged'; readonly found: string }
  | { readonly verdict: 'postponed' | 'impossible'; readonly why: string }

/** Meanwhile nothing is moved from the log into the file, so a busy server's log grows. */
const LOG_BYTES_MAX = 256 * 1024 * 1024
const LOOK_MS = 500

/**
 * Reads the whole file for damage while calls go on. In a process of its own: it takes seconds for a large file, and
 * a second connection in this process would, when it closes, give up the lock that keeps other servers out (POSIX
 * locks belong to the process). The other process takes no lock; what it reads stands still, because nothing is moved
 * from the log into the file until it is done.
 */
export class WholeCheck {
  readonly #db: Database.Database
  readonly #log: string
  readonly #child: ChildProcess
  readonly #look: NodeJS.Timeout
  readonly done: Promise<Checked>
  #why = 'The server stopped.'

  constructor(file: string, db: Database.Database) {
    this.#db = db
    this.#log = `${file}-wal`
    db.pragma('wal_checkpoint(PASSIVE)')
    db.pragma('wal_autocheckpoint = 0')
    const sqlite = createRequire(import.meta.url).resolve('better-sqlite3')
    const child = spawn(process.execPath, ['-e', READ, sqlite, `${pathToFileURL(file).href}?immutable=1`], {
      // Addresses of databases (here: immutable) are read by better-sqlite3 only where this is set (its src/addon.cpp).
      env: { SQLITE_USE_URI: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    child.unref()
    try {
      setPriority(child.pid ?? 0, constants.priority.PRIORITY_LOW)
    } catch {
      // It is gone already, or may not be given a place behind the others; then it goes first come, first served.
    }
    let said = ''
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(0, 500)))
      ;(stream as unknown as { unref(): void }).unref()
    }
    this.#look = setInterval(() => this.#tooLong(), LOOK_MS)
    this.#look.unref()
    this.done = new Promise<Checked>((resolve) => {
      child.on('error', (error) => resolve({ verdict: 'impossible', why: error.message }))
      child.on('close', (code) =>
        resolve(
          code === null
            ? { verdict: 'postponed', why: this.#why }
            : code !== 0
              ? { verdict: 'impossible', why: said.trim() }
              : said.trim() === 'ok'
                ? { verdict: 'sound' }
                : { verdict: 'damaged', found: said.trim() },
        ),
      )
    }).finally(() => this.#release())
  }

  /** Ends it, finished or not. */
  stop(): void {
    this.#child.kill('SIGKILL')
    this.#release()
  }

  #tooLong(): void {
    const log = statSync(this.#log, { throwIfNoEntry: false })
    if (log === undefined || log.size <= LOG_BYTES_MAX) return
    this.#why = 'The server was too busy to wait for it.'
    this.#child.kill('SIGKILL')
  }

  #release(): void {
    clearInterval(this.#look)
    if (this.#db.open) this.#db.pragma('wal_autocheckpoint = 1000')
  }
}

// Any fault that reading meets is damage, not only what the check itself names.
const READ = `
  const db = new (require(process.argv[1]))(process.argv[2], { readonly: true })
  let found
  try {
    found = db.pragma('quick_check(1)', { simple: true })
  } catch (error) {
    if (!String(error.code).startsWith('SQLITE_')) throw error
    found = error.code
  }
  process.stdout.write(String(found))`
