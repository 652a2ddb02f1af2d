import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, hasPassword, placeOf, poolOf } from '../../src/ledger/postgres/connect.js'
import { migrate, steps, versionOf, type Step } from '../../src/ledger/postgres/migrate.js'
import { built, Child } from '../helpers/process.js'
import { postgresMissing, PostgresServer, until } from '../helpers/postgres.js'

if (postgresMissing !== null) process.stderr.write(`skipped, test/ledger/postgres-migrate: ${postgresMissing}\n`)

const NEWEST = steps().at(-1)!.version
const SLOW = 'select pg_sleep(60)'

describe.runIf(postgresMissing === null)('the schema in PostgreSQL', () => {
  let server: PostgresServer
  beforeAll(async () => void (server = await PostgresServer.start()))
  afterAll(() => server.remove())

  async function up(url: string, known?: readonly Step[]): Promise<number> {
    const place = placeOf(url)
    const client = await connect(place)
    try {
      return await migrate(client, place, known)
    } finally {
      await client.end()
    }
  }
  const versionIn = async (database: string): Promise<number> => {
    const client = await connect(placeOf(server.url(database)))
    try {
      return await versionOf(client)
    } finally {
      await client.end()
    }
  }
  const tablesIn = async (database: string): Promise<string[]> =>
    (await server.sql(`select tablename from pg_tables where schemaname = 'spendgate' order by 1`, database)).map(
      ({ tablename }: { tablename: string }) => tablename,
    )

  test('comes up from nothing, in a schema of its own, and a second time nothing happens', async () => {
    const database = await server.database()
    expect(await up(server.url(database))).toBe(NEWEST)
    const applied = await server.sql('select version, name, at from spendgate.migrations order by 1', database)
    expect(applied.map(({ version }) => Number(version))).toEqual(steps().map(({ version }) => version))
    expect(await up(server.url(database))).toBe(NEWEST)
    expect(await server.sql('select version, name, at from spendgate.migrations order by 1', database)).toEqual(applied)
    expect(await server.sql(`select tablename from pg_tables where schemaname = 'public'`, database)).toEqual([])
    expect(await tablesIn(database)).toEqual(expect.arrayContaining(['calls', 'commitments', 'approvals', 'entries']))
  })

  test('takes each step once when eight nodes start together', async () => {
    const database = await server.database()
    const versions = await Promise.all(Array.from({ length: 8 }, () => up(server.url(database))))
    expect(versions).toEqual(Array<number>(8).fill(NEWEST))
    const [{ n }] = await server.sql('select count(*)::int as n from spendgate.migrations', database)
    expect(n).toBe(steps().length)
  })

  test('is used as an administrator has made it for somebody who may create nothing else', async () => {
    const database = await server.database()
    await server.sql(`create role tenant login password 'not-a-secret'`)
    await server.sql('create schema spendgate authorization tenant', database)
    expect(await up(server.url(database, { user: 'tenant' }))).toBe(NEWEST)
  })

  test('holds the step before it when its connection is ended within a step, whichever that is', async () => {
    for (const [at, broken] of steps().entries()) {
      const database = await server.database()
      const halting = steps().map((step) => (step.version === broken.version ? withSleep(step) : step))
      const running = up(server.url(database), halting).catch((fault: unknown) => fault)
      await until('the step is under way', async () => (await asleep(database)) > 0)
      expect(await server.cut(database)).toBeGreaterThan(0)
      expect(await running).toMatchObject({ name: 'LedgerFault' })
      expect(await versionIn(database)).toBe(steps()[at - 1]?.version ?? 0)
      if (at === 0) expect(await tablesIn(database)).toEqual([])
      expect(await up(server.url(database))).toBe(NEWEST)
    }
  })

  const withSleep = (step: Step): Step => ({ ...step, sql: `${step.sql}; ${SLOW}` })
  const asleep = async (database: string): Promise<number> =>
    (
      await server.sql(
        `select 1 from pg_stat_activity where datname = '${database}' and state = 'active' and wait_event = 'PgSleep'`,
      )
    ).length

  test('holds the step before it when its process is killed, and another process goes on at once', async () => {
    const database = await server.database()
    const child = new Child([
      '--input-type=module',
      '-e',
      `import { connect, placeOf } from ${JSON.stringify(built('src/ledger/postgres/connect.js'))}
       import { migrate, steps } from ${JSON.stringify(built('src/ledger/postgres/migrate.js'))}
       const place = placeOf(${JSON.stringify(server.url(database))})
       const halting = steps().map((step) => (step.version === 2 ? { ...step, sql: step.sql + '; ${SLOW}' } : step))
       await migrate(await connect(place), place, halting)`,
    ])
    await until('the step is under way', async () => (await asleep(database)) > 0)
    await child.kill()
    expect(await versionIn(database)).toBe(1)
    // The step would have slept for a minute: the database has to notice by itself that nobody waits for it.
    expect(await up(server.url(database))).toBe(NEWEST)
  })

  test('is refused when a newer spendgate wrote it, and left as it is', async () => {
    const database = await server.database()
    await up(server.url(database))
    await server.sql(`insert into spendgate.migrations values (${NEWEST + 1}, 'later', 0)`, database)
    await expect(up(server.url(database))).rejects.toThrow(
      `has schema version ${NEWEST + 1}; this spendgate knows ${NEWEST}. Run the newer version that wrote it.`,
    )
    expect(await versionIn(database)).toBe(NEWEST + 1)
  })

  test('lets nobody change what happened', async () => {
    const database = await server.database()
    await up(server.url(database))
    await server.sql(
      `insert into spendgate.entries (seq, at, kind, amount, detail, hash) values (1, 0, 'x', 0, '', '')`,
      database,
    )
    for (const change of ['update spendgate.entries set amount = 1', 'delete from spendgate.entries', TRUNCATED])
      await expect(server.sql(change, database)).rejects.toThrow('entries are immutable')
    expect(await server.sql('select seq, amount from spendgate.entries', database)).toEqual([{ seq: '1', amount: '0' }])
  })
  const TRUNCATED = 'truncate spendgate.entries'
})

describe.runIf(postgresMissing === null)(
  'a database that cannot be used is told in a sentence without the password',
  () => {
    const SECRET = 'CANARY-postgres-password'
    let server: PostgresServer
    beforeAll(async () => {
      server = await PostgresServer.start()
      await server.sql(`create role reader login password '${SECRET}'`)
    })
    afterAll(() => server.remove())

    /** What is said of a URL, by a single connection and by a pool. Neither says the password, anywhere. */
    async function saidOf(url: string): Promise<string> {
      const fault = await connect(placeOf(url)).then(
        async (client) => {
          try {
            await migrate(client, placeOf(url))
          } catch (cause) {
            return cause as Error
          } finally {
            await client.end()
          }
          throw new Error('nothing was refused')
        },
        (cause: Error) => cause,
      )
      expect(fault.name).toBe('LedgerFault')
      for (const text of [fault.message, fault.stack, JSON.stringify(fault), String((fault.cause as Error)?.stack)])
        expect(text).not.toContain(SECRET)
      return fault.message
    }
    const at = (database: string, user = 'spendgate', password = 'not-a-secret'): string =>
      server.url(database, { user, password })

    test('nobody answers there', async () => {
      const said = await saidOf(`postgres://reader:${SECRET}@127.0.0.1:1/money`)
      expect(said).toMatch(/^The database 127\.0\.0\.1:1\/money cannot be reached \(ECONNREFUSED\)/)
      expect(await saidOf(`postgres://reader:${SECRET}@no-such-host.invalid/money`)).toMatch(
        /^The database no-such-host\.invalid\/money cannot be reached \((ENOTFOUND|EAI_AGAIN)\)/,
      )
      expect(await saidOf('postgres://reader@/money?host=/nowhere')).toMatch(/ENOENT\): there is no such socket/)
    })

    test('a wrong password, none at all, an unknown database', async () => {
      expect(await saidOf(at('postgres', 'reader', `${SECRET}x`))).toMatch(/\/postgres refused the password\.$/)
      const [, , port] = at('postgres').split(':')
      void port
      expect(await saidOf(server.url('postgres', { user: 'reader', password: '' }))).toMatch(/asks for a password/)
      expect(await saidOf(at('nothing'))).toMatch(/\/nothing does not exist/)
    })

    test('a user who may create nothing', async () => {
      const database = await server.database()
      const said = await saidOf(at(database, 'reader', SECRET))
      expect(said).toMatch(/does not let this user change the schema spendgate \(permission denied for database/)
      expect(said).toContain('create schema spendgate authorization')
    })

    test('a standby', async () => {
      const standby = await server.standby()
      try {
        expect(await saidOf(standby.url('postgres'))).toMatch(/is a standby, which takes no writes/)
      } finally {
        await server.sql('alter system reset synchronous_standby_names')
        await server.sql('select pg_reload_conf()')
        await standby.remove()
      }
    })

    test('one that is read-only, one in another encoding, one that writes nothing through to disk', async () => {
      const readOnly = await server.database()
      await server.sql(`alter database ${readOnly} set default_transaction_read_only = on`)
      expect(await saidOf(at(readOnly))).toMatch(/is read-only/)
      const [{ provider }] = await server.sql(
        `select case when current_setting('server_version_num')::int < 150000 then '' else 'locale_provider libc' end as provider`,
      )
      const latin = await server.database(`encoding 'LATIN1' template template0 ${provider} locale 'C'`)
      expect(await saidOf(at(latin))).toMatch(/is encoded in LATIN1\. Create one with encoding UTF8/)
      const careless = await PostgresServer.start({ fsync: 'off' })
      try {
        expect(await saidOf(careless.url())).toMatch(/runs with fsync=off; a power cut could forget money/)
      } finally {
        await careless.remove()
      }
    })

    test('commits are durable though the database, or the role, says otherwise', async () => {
      const database = await server.database()
      await server.sql(`alter database ${database} set synchronous_commit = off`)
      const pool = poolOf(placeOf(at(database)), 1)
      try {
        const { rows } = await pool.query('show synchronous_commit')
        expect(rows).toEqual([{ synchronous_commit: 'on' }])
      } finally {
        await pool.end()
      }
    })
  },
)

describe.runIf(postgresMissing === null)('a server under test', () => {
  let server: PostgresServer
  beforeAll(async () => void (server = await PostgresServer.start()))
  afterAll(() => server.remove())
  const noted = (on: PostgresServer): Promise<unknown[]> => on.sql('select text from notes order by text')

  test('has after a kill what it had committed, and nothing else', async () => {
    await server.sql('create table notes (text text primary key)')
    await server.sql(`insert into notes values ('committed')`)
    const client = await connect(placeOf(server.url()))
    await client.query(`begin; insert into public.notes values ('not committed')`)
    await server.kill()
    await expect(client.query('commit')).rejects.toThrow()
    await client.end().catch(() => undefined)
    await server.up()
    expect(await noted(server)).toEqual([{ text: 'committed' }])
  })

  test('that is frozen answers nobody, and goes on where it was', async () => {
    const place = placeOf(server.url())
    const before = await connect(place)
    server.freeze()
    const refused = connect(place).then(
      () => null,
      (fault: Error) => fault.message,
    )
    const waiting = before.query('select 1 as one')
    expect(await refused).toMatch(/did not answer in time\.$/)
    server.thaw()
    expect((await waiting).rows).toEqual([{ one: 1 }])
    await before.end()
  })

  test('a synchronous standby has every commit that was answered, and becomes a primary of its own', async () => {
    const standby = await server.standby()
    try {
      await server.sql(`insert into notes values ('answered')`)
      await server.kill()
      expect(await noted(standby)).toContainEqual({ text: 'answered' })
      await standby.promote()
      await standby.sql(`insert into notes values ('after')`)
      expect(await noted(standby)).toContainEqual({ text: 'after' })
      // Started again, the old one knows nothing of that: two books.
      await server.up()
      expect(await noted(server)).not.toContainEqual({ text: 'after' })
    } finally {
      await standby.remove()
    }
  })

  test('whose standby is gone answers no commit until it is there again', async () => {
    await server.sql('alter system reset synchronous_standby_names')
    await server.sql('select pg_reload_conf()')
    const standby = await server.standby()
    try {
      await standby.stop()
      let answered = false
      const waiting = server.sql(`insert into notes values ('waited')`).then(() => (answered = true))
      await until('the commit waits', async () => {
        const rows = await server.sql(`select 1 from pg_stat_activity where wait_event = 'SyncRep'`)
        return rows.length > 0
      })
      expect(answered).toBe(false)
      await standby.up()
      expect(await waiting).toBe(true)
    } finally {
      await standby.remove()
    }
  })
})

describe('the URL of a database', () => {
  test('is shown without user, password and parameters', () => {
    const shown = (url: string): string => placeOf(url).shown
    expect(shown('postgres://u:secret@db.example:6432/money?sslmode=verify-full')).toBe('db.example:6432/money')
    expect(shown('postgresql://u@[::1]/money')).toBe('[::1]/money')
    expect(shown('postgres://u:secret@/money?host=/run/postgresql')).toBe('/run/postgresql/money')
    expect(shown('postgres://u@%2Frun%2Fpostgresql/money')).toBe('/run/postgresql/money')
  })

  test('may leave the password to PGPASSWORD, and says whether it has one', () => {
    expect(placeOf('postgres://u@h/d', { PGPASSWORD: 'a b' }).url).toBe('postgres://u:a%20b@h/d')
    expect(placeOf('postgres://u:own@h/d', { PGPASSWORD: 'other' }).url).toBe('postgres://u:own@h/d')
    expect(['postgres://u:p@h/d', 'postgres://u@h/d?password=p', 'postgres://u@h/d'].map(hasPassword)).toEqual([
      true,
      true,
      false,
    ])
  })

  test('is refused without being repeated when it is none', () => {
    for (const url of ['', 'money', 'mysql://u:secret@h/d', 'postgres://u:%zzsecret@h/d']) {
      expect(() => placeOf(url)).toThrow(/^DATABASE_URL must be a URL such as postgres:\/\/user@host:5432\/database\.$/)
    }
  })
})
