import Database from 'better-sqlite3'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openSqlite, type SqliteLedger } from '../../src/ledger/sqlite.js'
import { StandingClock } from './book.js'
import { ledgerContract, type Book } from './contract.js'

/** A ledger on a file in a directory of its own. */
class SqliteBook implements Book {
  readonly dir = mkdtempSync(join(tmpdir(), 'spendgate-ledger-'))
  readonly clock = new StandingClock()
  ledger: SqliteLedger
  #file = join(this.dir, 'spendgate.db')
  #copies = 0

  constructor() {
    this.ledger = this.#open()
  }

  async reopen(): Promise<SqliteLedger> {
    await this.ledger.close()
    return (this.ledger = this.#open())
  }

  /** The lock keeps any second connection out, so what is durable is looked at in a copy of the file and its log. */
  async crash(): Promise<SqliteLedger> {
    const copy = join(this.dir, `copy-${++this.#copies}.db`)
    for (const tail of ['', '-wal']) if (existsSync(this.#file + tail)) copyFileSync(this.#file + tail, copy + tail)
    await this.ledger.close()
    this.#file = copy
    return (this.ledger = this.#open())
  }

  async alter(sql: string): Promise<SqliteLedger> {
    await this.ledger.close()
    const db = new Database(this.#file)
    db.exec('drop trigger entries_stay; drop trigger entries_remain')
    db.exec(sql)
    db.close()
    return (this.ledger = this.#open())
  }

  async close(): Promise<void> {
    await this.ledger.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  #open(): SqliteLedger {
    return openSqlite({ file: this.#file, clock: this.clock })
  }
}

ledgerContract('SQLite', async () => new SqliteBook())
