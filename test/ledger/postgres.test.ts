import { afterAll, beforeAll, describe } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import type { Ledger } from '../../src/contracts/ledger.js'
import { connect, placeOf } from '../../src/ledger/postgres/connect.js'
import { openPostgres, type PostgresLedger } from '../../src/ledger/postgres/ledger.js'
import { migrate } from '../../src/ledger/postgres/migrate.js'
import type { Pace } from '../../src/ledger/postgres/membership.js'
import { PostgresServer, postgresMissing } from '../helpers/postgres.js'
import { admissionsContract } from './admissions.js'
import { approvalsContract } from './approvals.js'
import { StandingClock } from './book.js'
import { changesContract } from './changes.js'
import { commitmentsContract } from './commitments.js'
import { ledgerContract, type Book } from './contract.js'
import { reconciliationContract } from './reconciliation.js'
import { movementsContract } from './movements.js'
import { outcomesContract } from './outcomes.js'
import { registryContract } from './registry.js'

/** A killed node is declared gone when it has been silent for long enough, which these tests do by hand. */
const PACE: Pace = { beatMs: 50, leaseMs: 5_000, graceMs: 0 }

let server: PostgresServer

/** A ledger in a database of its own. */
class PostgresBook implements Book {
  readonly clock = new StandingClock()
  ledger!: PostgresLedger
  readonly #database: string

  readonly #forgetful: boolean

  private constructor(database: string, forgetful: boolean) {
    this.#database = database
    this.#forgetful = forgetful
  }

  static async open(forgetful = false): Promise<PostgresBook> {
    const book = new PostgresBook(await server.database('template migrated'), forgetful)
    await book.#put()
    return book
  }

  async #put(): Promise<Ledger> {
    return (this.ledger = await openPostgres({
      place: placeOf(server.url(this.#database)),
      clock: new SystemClock(),
      time: this.clock,
      pace: PACE,
      forgetful: this.#forgetful,
    }))
  }

  async reopen(): Promise<Ledger> {
    await this.ledger.close()
    return this.#put()
  }

  async crash(): Promise<Ledger> {
    await this.ledger.abandon()
    await server.sql('update spendgate.nodes set gone = true', this.#database)
    return this.#put()
  }

  async alter(sql: string): Promise<Ledger> {
    await this.ledger.close()
    await server.sql(`set search_path to spendgate; set session_replication_role = replica; ${sql}`, this.#database)
    return this.#put()
  }

  async close(): Promise<void> {
    await this.ledger.close()
  }
}

describe.skipIf(postgresMissing !== null)('on PostgreSQL', () => {
  beforeAll(async () => {
    server = await PostgresServer.start({ fsync: 'on' })
    await server.sql('create database migrated')
    const client = await connect(placeOf(server.url('migrated')))
    await migrate(client, placeOf(server.url('migrated')))
    await client.end()
  })
  // A database a test: thousands of files go.
  afterAll(() => server?.remove(), 120_000)

  ledgerContract('PostgreSQL', () => PostgresBook.open(process.env.FORGETFUL === '1'))
  movementsContract('PostgreSQL', () => PostgresBook.open(true))
  outcomesContract('PostgreSQL, another node in between', () => PostgresBook.open(true))
  admissionsContract('PostgreSQL', () => PostgresBook.open())
  changesContract('PostgreSQL', () => PostgresBook.open())
  commitmentsContract('PostgreSQL, another node in between', () => PostgresBook.open(true))
  approvalsContract('PostgreSQL', () => PostgresBook.open())
  registryContract('PostgreSQL', () => PostgresBook.open())
  reconciliationContract('PostgreSQL, another node in between', () => PostgresBook.open(true))
})
