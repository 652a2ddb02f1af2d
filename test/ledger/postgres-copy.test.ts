import Database from 'better-sqlite3'
import fc from 'fast-check'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { copyToPostgres, copyToSqlite } from '../../src/ledger/copy.js'
import { connect, placeOf, queryOf, type Query } from '../../src/ledger/postgres/connect.js'
import { callSeq } from '../../src/ledger/ids.js'
import { openPostgres } from '../../src/ledger/postgres/ledger.js'
import { migrate } from '../../src/ledger/postgres/migrate.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { Terminal } from '../cli/terminal.js'
import { built, Child } from '../helpers/process.js'
import { postgresMissing, PostgresServer, until } from '../helpers/postgres.js'
import { allow, draft, reply, StandingClock } from './book.js'
import { aHistory, write, type History } from './postgres-history.js'

if (postgresMissing !== null) process.stderr.write(`skipped, test/ledger/postgres-copy: ${postgresMissing}\n`)

const [SMALL] = fc.sample(
  aHistory.filter((steps) => steps.filter((step) => step.do === 'call').length > 10),
  { seed: 7, numRuns: 1 },
)
const UNDER_WAY: History[number] = {
  do: 'call',
  key: 0,
  run: 'run_a',
  implicit: false,
  vendor: 'stripe',
  operation: null,
  direction: 'out',
  micros: 5_000_000n,
  object: null,
  commits: null,
  dueInMs: null,
  idempotency: null,
  outcome: 'open',
  status: 200,
}
const PASSWORD = 'not-a-secret'

describe.runIf(postgresMissing === null)('a ledger copied', () => {
  let server: PostgresServer
  let terminal: Terminal
  let file: string
  beforeAll(async () => void (server = await PostgresServer.start()))
  afterAll(() => server.remove())
  beforeEach(() => {
    terminal = new Terminal({ PGPASSWORD: PASSWORD })
    mkdirSync(join(terminal.dir, 'data'))
    file = join(terminal.dir, 'data', 'spendgate.db')
  })
  afterEach(() => terminal.close())

  /** A ledger of a server that was stopped in good order: no call in it is without outcome. */
  async function stopped(): Promise<void> {
    await write(file, SMALL!)
    await openSqlite({ file, clock: new StandingClock() }).close()
  }
  const withoutPassword = (database: string): string => server.url(database).replace(`:${PASSWORD}@`, '@')
  const rowsIn = async (database: string): Promise<number> => {
    let rows = 0
    for (const name of ['settings', 'credentials', 'policies', 'keys', 'calls', 'entries', 'counters', 'tallies'])
      rows += Number((await server.sql(`select count(*) as n from spendgate.${name}`, database))[0].n)
    return rows
  }
  async function asking<T>(database: string, work: (query: Query) => Promise<T>): Promise<T> {
    const place = placeOf(server.url(database))
    const client = await connect(place)
    try {
      await migrate(client, place)
      return await work(queryOf(client))
    } finally {
      await client.end()
    }
  }

  test('into PostgreSQL and back is the same ledger, and sound', async () => {
    await stopped()
    const database = await server.database()
    const there = await terminal.run('db', 'copy', '--to', withoutPassword(database), '--json')
    expect(there).toMatchObject({ exit: 0, json: { dry_run: false } })
    const counts = Object.fromEntries(
      there.json.tables.map(({ table, rows }: { table: string; rows: number }) => [table, rows]),
    )
    expect(counts).toMatchObject({ keys: 3, credentials: 1 })
    expect(counts.calls).toBeGreaterThan(10)
    expect(there.json.entries.hash).toMatch(/^[0-9a-f]{64}$/)
    const head = await server.sql('select entry_seq, entry_hash from spendgate.head', database)
    expect(head).toEqual([{ entry_seq: String(there.json.entries.seq), entry_hash: there.json.entries.hash }])

    terminal.env.DATABASE_URL = server.url(database)
    const back = await terminal.run('db', 'copy', '--from', 'DATABASE_URL', '--to', 'back/spendgate.db', '--json')
    expect(back).toMatchObject({ exit: 0 })
    const { to: _there, ...sent } = there.json
    const { to: _back, ...returned } = back.json
    expect(returned).toEqual(sent)
    delete terminal.env.DATABASE_URL
    const verified = await terminal.run('db', 'verify', '--data-dir', join(terminal.dir, 'back'), '--json')
    expect(verified.json).toEqual({ ok: true, faults: [] })
  })

  test('is what a node goes on from, with the next call and the next entry', async () => {
    const { keys } = await write(file, SMALL!)
    await openSqlite({ file, clock: new StandingClock() }).close()
    const database = await server.database()
    terminal.env.DATABASE_URL = server.url(database)
    const { json } = await terminal.run('db', 'copy', '--json')
    const ledger = await openPostgres({ place: placeOf(server.url(database)), clock: new SystemClock() })
    try {
      const before = json.tables.find(({ table }: { table: string }) => table === 'calls').rows as number
      const { callId: id } = await ledger.admit(draft(ledger.key(keys[0]!.id)!, '1.00'), allow)
      ledger.mayLeave(id)
      ledger.settle(id, reply('settled'))
      await ledger.flushed()
      expect(callSeq(id)).toBe(before + 1)
      const next = await ledger.entries(json.entries.seq as number, 10)
      expect(next.map(({ kind }) => kind)).toEqual(['reserved', 'settled'])
      expect(await ledger.verify()).toEqual([])
    } finally {
      await ledger.close()
    }
  })

  test('is shown by table, with where its chain ends', async () => {
    await stopped()
    terminal.env.DATABASE_URL = server.url(await server.database())
    const { exit, out, err } = await terminal.run('db', 'copy')
    expect(exit).toBe(0)
    expect(out).toMatch(/^TABLE +ROWS +MONEY +SHA-256\n/)
    expect(out).toMatch(/^calls +\d+ +\$[\d.]+ +[0-9a-f]{16}$/m)
    expect(out).toMatch(/every table arrived as it left\. The chain ends at entry \d+, [0-9a-f]{64}\.\n$/)
    expect(err).toContain('Start no server on the old file any more')
    expect(out + err).not.toContain(PASSWORD)
  })

  test('in a dry run writes nothing on either side', async () => {
    await stopped()
    const database = await server.database()
    const there = await terminal.run('db', 'copy', '--to', withoutPassword(database), '--dry-run', '--json')
    expect(there).toMatchObject({ exit: 0, json: { dry_run: true } })
    expect(there.json.tables).toContainEqual({ table: 'keys', rows: 3 })
    expect(await server.sql(`select 1 from pg_namespace where nspname = 'spendgate'`, database)).toEqual([])
    await terminal.run('db', 'copy', '--to', withoutPassword(database))
    const back = await terminal.run(
      ...['db', 'copy', '--from', withoutPassword(database), '--to', 'x.db', '--dry-run', '--json'],
    )
    expect(back).toMatchObject({ exit: 0 })
    expect(back.json.tables).toEqual(there.json.tables)
    expect(existsSync(join(terminal.dir, 'x.db'))).toBe(false)
  })

  test('is refused where a ledger is, and that one stays as it is', async () => {
    await stopped()
    const database = await server.database()
    await terminal.run('db', 'copy', '--to', withoutPassword(database))
    const before = await rowsIn(database)
    for (const more of [[], ['--dry-run']]) {
      const { exit, err } = await terminal.run('db', 'copy', '--to', withoutPassword(database), ...more)
      expect({ exit, err }).toEqual({
        exit: 1,
        err: expect.stringMatching(/The target holds a ledger already \(rows in/),
      })
    }
    expect(await rowsIn(database)).toBe(before)
  })

  test('waits for calls without outcome to be assumed first', async () => {
    await write(file, [UNDER_WAY])
    const database = await server.database()
    const { exit, err } = await terminal.run('db', 'copy', '--to', withoutPassword(database))
    expect({ exit, err }).toEqual({
      exit: 1,
      err: expect.stringMatching(/1 call has no outcome: the last server was killed\. Start it once/),
    })
    expect(await server.sql(`select 1 from pg_namespace where nspname = 'spendgate'`, database)).toEqual([])
  })

  test('is refused while a server has the file', async () => {
    await stopped()
    const ledger = openSqlite({ file, clock: new StandingClock() })
    try {
      const { exit, err } = await terminal.run('db', 'copy', '--to', withoutPassword(await server.database()))
      expect({ exit, err }).toEqual({ exit: 1, err: expect.stringMatching(/owns .*spendgate\.db/) })
    } finally {
      await ledger.close()
    }
  })

  test('back is refused while a node serves from it, and where the file exists', async () => {
    await stopped()
    const database = await server.database()
    terminal.env.DATABASE_URL = server.url(database)
    await terminal.run('db', 'copy')
    await server.sql(
      `insert into spendgate.nodes (id, host, pid, started_at, lease_until, seen)
       values ('node_1', 'h', 1, 0, spendgate.now_ms() + 60000, 0)`,
      database,
    )
    const busy = await terminal.run('db', 'copy', '--from', 'DATABASE_URL', '--to', 'x.db')
    expect(busy).toMatchObject({ exit: 1, err: expect.stringMatching(/1 of the nodes of .* are still serving/) })
    await server.sql('update spendgate.nodes set lease_until = 0', database)
    const taken = await terminal.run('db', 'copy', '--from', 'DATABASE_URL', '--to', file)
    expect(taken).toMatchObject({ exit: 1, err: expect.stringMatching(/spendgate\.db exists\. Name a file/) })
  })

  test('takes no password from the command line, and repeats none', async () => {
    await stopped()
    const url = server.url('postgres', { user: 'u', password: 'CANARY-password' })
    for (const args of [
      ['--to', url],
      ['--from', url, '--to', 'x.db'],
      ['--to', 'postgres://h/d?password=CANARY-password'],
    ]) {
      const { exit, out, err } = await terminal.run('db', 'copy', ...args)
      expect(exit).toBe(2)
      expect(err).toContain('A database password is on the command line')
      expect(out + err).not.toContain('CANARY')
    }
  })

  test.each([
    [['--to', 'postgres://h/d', '--to-env', 'X'], 2, /Give one of --to and --to-env/],
    [['--to-env', 'NOWHERE'], 2, /There is no variable NOWHERE/],
    [[], 2, /There is no variable DATABASE_URL/],
    [['--from', 'DATABASE_URL'], 2, /name a new file with --to/],
    [['--to', 'mysql://h/d'], 1, /must be a URL such as postgres:\/\//],
  ])('%j is refused with a sentence', async (args, code, sentence) => {
    await stopped()
    const { exit, err } = await terminal.run('db', 'copy', ...args)
    expect({ exit, err }).toEqual({ exit: code, err: expect.stringMatching(sentence) })
  })

  test('without a file says where it looked', async () => {
    const { exit, err } = await terminal.run('db', 'copy', '--to', 'postgres://h/d')
    expect({ exit, err }).toEqual({ exit: 3, err: expect.stringMatching(/There is no spendgate\.db in .*data/) })
  })

  test('leaves the target empty when the connection is cut after any table', async () => {
    await stopped()
    const db = new Database(file)
    try {
      let cuts = 0
      for (let after = 1; ; after += 3) {
        const database = await server.database()
        const fault = await asking(database, async (query) => {
          let inserts = 0
          const cutting: Query = async (text, values) => {
            if (text.startsWith('insert into') && ++inserts === after) await server.cut(database)
            return query(text, values)
          }
          return copyToPostgres(db, cutting).then(
            () => null,
            (cause: unknown) => cause,
          )
        })
        if (fault === null) break
        cuts++
        expect(await rowsIn(database)).toBe(0)
        await asking(database, (query) => copyToPostgres(db, query))
        expect(await rowsIn(database)).toBeGreaterThan(0)
      }
      expect(cuts).toBeGreaterThan(3)
    } finally {
      db.close()
    }
  }, 60_000)

  test('leaves the target empty when its process is killed half-way, and goes through the next time', async () => {
    await stopped()
    const database = await server.database()
    await asking(database, async () => undefined)
    // Somebody holds the table that is copied last but few: the copy stands half-way, with most of the rows written.
    await asking(database, async (query) => {
      await query('begin')
      await query('lock table tallies in access exclusive mode')
      const child = new Child([built('src/cli/index.js'), 'db', 'copy', '--data-dir', join(terminal.dir, 'data')], {
        DATABASE_URL: server.url(database),
      })
      await until('the copy waits for the table', async () => {
        const waiting = await server.sql(
          `select 1 from pg_stat_activity where datname = '${database}' and wait_event_type = 'Lock' and query like '%tallies%'`,
        )
        return waiting.length > 0
      })
      await child.kill()
      await query('rollback')
    })
    expect(await rowsIn(database)).toBe(0)
    terminal.env.DATABASE_URL = server.url(database)
    expect(await terminal.run('db', 'copy')).toMatchObject({ exit: 0 })
  })

  test('that has not arrived as it left is not kept', async () => {
    await stopped()
    const database = await server.database()
    await asking(database, (query) =>
      query(
        `create function spendgate.shave() returns trigger language plpgsql as $$ begin new.amount := new.amount + 1; return new; end $$`,
      ).then(() =>
        query(`create trigger shave before insert on entries for each row when (new.seq = 5) execute function shave()`),
      ),
    )
    const { exit, err } = await terminal.run('db', 'copy', '--to', withoutPassword(database))
    expect({ exit, err }).toEqual({
      exit: 1,
      err: expect.stringMatching(/The table entries has not arrived as it left: .* Nothing was kept\./),
    })
    expect(await rowsIn(database)).toBe(0)
  })

  test('is one instant of a ledger in which nodes go on writing', async () => {
    await stopped()
    const database = await server.database()
    terminal.env.DATABASE_URL = server.url(database)
    await terminal.run('db', 'copy')
    mkdirSync(join(terminal.dir, 'snapshot'))
    const out = join(terminal.dir, 'snapshot', 'spendgate.db')
    const copied = await asking(database, async (query) => {
      let asked = 0
      const interrupted: Query = async (text, values) => {
        // Another node's entry arrives between any two questions.
        const found = await query(text, values)
        if (!text.startsWith('begin'))
          await server.sql(
            `insert into spendgate.entries (seq, at, kind, amount, detail, hash) values (${1_000_000 + ++asked}, 0, 'x', 0, '', '')`,
            database,
          )
        return found
      }
      return copyToSqlite(interrupted, out)
    })
    delete terminal.env.DATABASE_URL
    const verified = await terminal.run('db', 'verify', '--data-dir', join(terminal.dir, 'snapshot'), '--json')
    expect(verified.json).toEqual({ ok: true, faults: [] })
    const db = new Database(out, { readonly: true })
    try {
      expect(db.prepare('select max(seq) from entries').pluck().get()).toBe(copied.entries!.seq)
    } finally {
      db.close()
    }
  })
})

test('no file is left where a copy out of PostgreSQL failed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-copy-'))
  try {
    const file = join(dir, 'a.db')
    const failing: Query = (text) => (text.startsWith('fetch') ? Promise.reject(new Error('cut')) : Promise.resolve([]))
    await expect(copyToSqlite(failing, file)).rejects.toThrow('cut')
    expect(['', '-wal', '-shm', '.owner'].filter((part) => existsSync(`${file}${part}`))).toEqual([])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
