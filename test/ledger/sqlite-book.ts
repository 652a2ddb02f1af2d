import Database from 'better-sqlite3'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommitThread } from '../../src/ledger/commit-thread.js'
import { openSqlite, SqliteLedger } from '../../src/ledger/sqlite.js'
import { Storage } from '../../src/ledger/storage.js'
import { StandingClock } from './book.js'
import type { Book } from './contract.js'

/** What is written, is written on the thread that decides. */
export const sqliteBook = async (): Promise<SqliteBook> => new SqliteBook(false)

/** Whatever is admitted and settled, is written by the ledger's thread. */
export async function threadedBook(): Promise<SqliteBook> {
  const book = new SqliteBook(true)
  await book.thread!.ready
  return book
}

/** A ledger on a file in a directory of its own. */
class SqliteBook implements Book {
  readonly dir = mkdtempSync(join(tmpdir(), 'spendgate-ledger-'))
  readonly clock = new StandingClock()
  ledger: SqliteLedger
  thread: CommitThread | null = null
  #file = join(this.dir, 'spendgate.db')
  #copies = 0

  readonly #threaded: boolean

  constructor(threaded: boolean) {
    this.#threaded = threaded
    this.ledger = this.#open()
  }

  async reopen(): Promise<SqliteLedger> {
    await this.ledger.close()
    return this.#opened()
  }

  /** The lock keeps any second connection out, so what is durable is looked at in a copy of the file and its log. */
  async crash(): Promise<SqliteLedger> {
    const copy = join(this.dir, `copy-${++this.#copies}.db`)
    for (const tail of ['', '-wal']) if (existsSync(this.#file + tail)) copyFileSync(this.#file + tail, copy + tail)
    await this.ledger.close()
    this.#file = copy
    return this.#opened()
  }

  async alter(sql: string): Promise<SqliteLedger> {
    await this.ledger.close()
    const db = new Database(this.#file)
    for (const name of db.prepare(`select name from sqlite_schema where type = 'trigger'`).pluck().all() as string[])
      db.exec(`drop trigger ${name}`)
    db.exec(sql)
    db.close()
    return this.#opened()
  }

  async close(): Promise<void> {
    await this.ledger.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  async #opened(): Promise<SqliteLedger> {
    this.ledger = this.#open()
    await this.thread?.ready
    return this.ledger
  }

  #open(): SqliteLedger {
    if (!this.#threaded) return openSqlite({ file: this.#file, clock: this.clock })
    const storage = new Storage(this.#file, { shared: true })
    const ledger = new SqliteLedger(storage.db, this.clock, storage)
    this.thread = new CommitThread(this.#file)
    // Even a single call.
    ledger.useThread(this.thread, 1)
    return ledger
  }
}
