import Database from 'better-sqlite3'
import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ApprovalState, CallFilter, Page, Paged, SpendBy } from '../../src/contracts/ledger.js'
import { Approvals } from '../../src/ledger/approvals.js'
import { Commitments } from '../../src/ledger/commitments.js'
import { copyToPostgres } from '../../src/ledger/copy.js'
import { Counters } from '../../src/ledger/counters.js'
import { connect, placeOf, queryOf } from '../../src/ledger/postgres/connect.js'
import { migrate } from '../../src/ledger/postgres/migrate.js'
import { PostgresReports } from '../../src/ledger/postgres/reports.js'
import { Reports } from '../../src/ledger/reports.js'
import { Threads } from '../../src/ledger/threads.js'
import { postgresMissing, PostgresServer } from '../helpers/postgres.js'
import { DAY, HOUR } from './book.js'
import { aHistory, write, type Written } from './postgres-history.js'

if (postgresMissing !== null) process.stderr.write(`skipped, test/ledger/postgres-reports: ${postgresMissing}\n`)

/** A book twice: in SQLite as the ledger wrote it, and copied into PostgreSQL. */
interface Twin extends Written {
  readonly lite: { readonly reports: Reports; readonly commitments: Commitments; readonly approvals: Approvals }
  readonly shared: PostgresReports
}

const BY: readonly SpendBy[] = ['run', 'key', 'vendor', 'operation', 'day']
const STATES = ['denied', 'reserved', 'settled', 'released', 'assumed'] as const
const APPROVALS: readonly ApprovalState[] = ['open', 'approved', 'denied', 'expired', 'used']

describe.runIf(postgresMissing === null)('reports from PostgreSQL', () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-reports-'))
  let server: PostgresServer
  let histories = 0
  beforeAll(async () => void (server = await PostgresServer.start()))
  afterAll(async () => {
    await server.remove()
    rmSync(dir, { recursive: true, force: true })
  })

  async function twins(history: Parameters<typeof write>[1], look: (twin: Twin) => Promise<void>): Promise<void> {
    // One database for all: a new one is three hundred files.
    await server.sql('drop schema if exists spendgate cascade')
    const file = join(dir, `${++histories}.db`)
    const written = await write(file, history)
    const place = placeOf(server.url())
    const client: pg.Client = await connect(place)
    const db = new Database(file)
    try {
      await migrate(client, place)
      const query = queryOf(client)
      await copyToPostgres(db, query)
      const nothing = (): void => undefined
      const commitments = new Commitments(db, new Counters(db), nothing)
      const lite = { reports: new Reports(db, new Threads(db)), commitments, approvals: new Approvals(db, nothing) }
      await look({ ...written, lite, shared: new PostgresReports(query) })
    } finally {
      db.close()
      await client.end()
    }
  }

  /** Every page of a list, one after the other, with the cursors that led from page to page. */
  async function pages<T>(read: (page: Page) => Paged<T> | Promise<Paged<T>>, limit: number): Promise<Paged<T>[]> {
    const found: Paged<T>[] = []
    let cursor: string | undefined
    do {
      const page: Paged<T> = await read(cursor === undefined ? { limit } : { limit, cursor })
      found.push(page)
      cursor = page.next ?? undefined
    } while (cursor !== undefined && found.length < 500)
    return found
  }
  const same = async <T>(
    left: (page: Page) => Paged<T> | Promise<Paged<T>>,
    right: (page: Page) => Paged<T> | Promise<Paged<T>>,
  ): Promise<void> => {
    for (const limit of [3, 1_000]) expect(await pages(right, limit)).toEqual(await pages(left, limit))
  }

  test('are those of the same book in SQLite, whatever happened in it', async () => {
    let calls = 0
    await fc.assert(
      fc.asyncProperty(aHistory, (history) =>
        twins(history, async (twin) => {
          await sameCalls(twin)
          await sameSums(twin)
          await sameWaiting(twin)
          calls += twin.lite.reports.callsAfter(0, 10_000).length
        }),
      ),
      { numRuns: 12 },
    )
    expect(calls).toBeGreaterThan(50)
  }, 120_000)

  async function sameCalls({ lite: { reports }, shared, keys, at }: Twin): Promise<void> {
    const filters: CallFilter[] = [
      {},
      ...STATES.map((state) => ({ state })),
      ...['run_a', 'RUN_a', 'none'].map((run) => ({ run })),
      ...keys.map(({ id }) => ({ key: id })),
      { key: keys[0]!.id, vendor: 'stripe' },
      { run: 'run_a', key: keys[1]!.id, state: 'settled' },
      { vendor: 'twilio', state: 'denied' },
    ]
    for (const filter of filters)
      await same(
        (page) => reports.calls(filter, page),
        (page) => shared.calls(filter, page),
      )
    expect(await shared.callsAfter(0, 10_000)).toEqual(reports.callsAfter(0, 10_000))
    expect(await shared.callsAfter(2, 3)).toEqual(reports.callsAfter(2, 3))
    for (const seq of [1, 2, 10_000]) expect(await shared.call(seq)).toEqual(reports.call(seq))
    expect(await shared.entries(0, 10_000)).toEqual(reports.entries(0, 10_000))
    expect(await shared.entries(3, 2)).toEqual(reports.entries(3, 2))
    for (const instant of [0, at - DAY, at, at + 1]) expect(await shared.seqAt(instant)).toBe(reports.seqAt(instant))
  }

  async function sameSums({ lite: { reports }, shared, keys, at }: Twin): Promise<void> {
    const ranges = [
      {},
      { from: at - DAY },
      { to: at - HOUR },
      { from: at - 3 * DAY - 1, to: at },
      { from: at - HOUR, to: at - 2 },
      { from: at, to: at },
    ]
    for (const by of BY)
      for (const range of ranges) expect(await shared.spend(by, range)).toEqual(await reports.spend(by, range))
    for (const root of [undefined, keys[0]!.id, keys[2]!.id]) {
      await same(
        (page) => reports.runs(page, root),
        (page) => shared.runs(page, root),
      )
      for (const run of ['run_a', 'run_Ä', 'none']) expect(await shared.run(run, root)).toEqual(reports.run(run, root))
    }
    const ids = keys.map(({ id }) => id)
    for (const since of [0, at - DAY, at - HOUR])
      for (const of of [ids, [ids[1]!], []]) {
        for (const vendor of [null, 'stripe'])
          for (const direction of [null, 'in', 'out'])
            expect(await shared.counted(of, since, { vendor, direction })).toBe(
              reports.counted(of, since, { vendor, direction }),
            )
        expect(await shared.rateInstants(of, since)).toEqual(reports.rateInstants(of, since))
      }
    for (const id of [...ids, 'key_none']) expect(await shared.lastImplicitRun(id)).toEqual(reports.lastImplicitRun(id))
  }

  async function sameWaiting({ lite: { commitments, approvals }, shared, keys, at }: Twin): Promise<void> {
    const ids = keys.map(({ id }) => id)
    for (const now of [at, at + 10 * DAY]) {
      for (const of of [null, new Set(ids.slice(0, 2)), new Set<string>()])
        await same(
          (page) => commitments.list(of, now, page),
          (page) => shared.commitments(of, now, page),
        )
      for (const state of [undefined, ...APPROVALS])
        for (const key of [undefined, ids[0]!, ids[1]!]) {
          const filter = { ...(state === undefined ? {} : { state }), ...(key === undefined ? {} : { key }) }
          await same(
            (page) => approvals.list(filter, page, now),
            (page) => shared.approvals(filter, page, now),
          )
        }
      const { rows } = approvals.list({}, { limit: 1_000 }, now)
      for (const { id, keyId, requestHash } of rows) {
        expect(await shared.approval(id, now)).toEqual(approvals.find(id, now))
        expect(await shared.newestApproval(keyId, requestHash, now)).toEqual(approvals.newest(keyId, requestHash, now))
      }
      expect(await shared.approval('appr_none', now)).toBeNull()
      expect(await shared.approvals({}, { limit: 5, cursor: 'appr_none' }, now)).toEqual({ rows: [], next: null })
    }
  }
})

test('an amount beyond what a float can hold is told to the last micro-dollar', async () => {
  const reports = new PostgresReports(() => Promise.resolve([{ counted: '9007199254740993' }]))
  expect(await reports.counted(['key_1'], 0, { vendor: null, direction: null })).toBe(9_007_199_254_740_993n)
})
