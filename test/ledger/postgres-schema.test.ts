import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrations } from '../../src/ledger/open.js'
import { connect, placeOf } from '../../src/ledger/postgres/connect.js'
import { migrate, steps } from '../../src/ledger/postgres/migrate.js'
import { postgresMissing, PostgresServer } from '../helpers/postgres.js'

if (postgresMissing !== null) process.stderr.write(`skipped, test/ledger/postgres-schema: ${postgresMissing}\n`)

/** What only several nodes need, and the version that SQLite keeps in its file's header. */
const SHARED_ONLY = ['head', 'migrations', 'nodes', 'open_calls', 'rate_hits', 'turns']

interface Column {
  readonly name: string
  readonly type: 'whole' | 'text'
  readonly required: boolean
}
interface Shape {
  readonly columns: readonly Column[]
  readonly key: readonly string[]
  readonly unique: readonly string[]
}

test('every step of the schema exists in both dialects', () => {
  expect(steps().map(({ version }) => version)).toEqual(migrations().map(({ version }) => version))
})

describe.runIf(postgresMissing === null)('the schema is the same in both dialects', () => {
  let server: PostgresServer
  let lite: Database.Database
  const shared: Record<string, Shape> = {}
  beforeAll(async () => {
    lite = new Database(':memory:')
    for (const { sql } of migrations()) lite.exec(sql)
    server = await PostgresServer.start()
    const place = placeOf(server.url())
    const client = await connect(place)
    await migrate(client, place)
    await client.end()
    for (const { tablename } of await server.sql(`select tablename from pg_tables where schemaname = 'spendgate'`))
      shared[tablename as string] = await shapeIn(tablename as string)
  })
  afterAll(async () => {
    lite.close()
    await server.remove()
  })

  async function shapeIn(table: string): Promise<Shape> {
    const columns = await server.sql(
      `select column_name, data_type, is_nullable from information_schema.columns
       where table_schema = 'spendgate' and table_name = '${table}' order by ordinal_position`,
    )
    const constraints = await server.sql(
      `select contype, (select string_agg(a.attname, ' ' order by k.at) from unnest(conkey) with ordinality k (attnum, at)
         join pg_attribute a on a.attrelid = conrelid and a.attnum = k.attnum) as columns
       from pg_constraint where conrelid = 'spendgate.${table}'::regclass`,
    )
    const of = (kind: string): string[] =>
      constraints.filter(({ contype }) => contype === kind).map(({ columns: names }) => names as string)
    return {
      columns: columns.map(({ column_name, data_type, is_nullable }) => ({
        name: column_name,
        type: data_type === 'bigint' ? 'whole' : data_type,
        required: is_nullable === 'NO',
      })),
      key: of('p').flatMap((names) => names.split(' ')),
      unique: of('u').sort(),
    }
  }

  function shapeInSqlite(table: string): Shape {
    const columns = lite.pragma(`table_info(${table})`) as { name: string; type: string; notnull: number; pk: number }[]
    const unique = (lite.pragma(`index_list(${table})`) as { name: string; origin: string }[])
      .filter(({ origin }) => origin === 'u')
      .map(({ name }) => (lite.pragma(`index_info(${name})`) as { name: string }[]).map((each) => each.name).join(' '))
    return {
      columns: columns.map(({ name, type, notnull, pk }) => ({
        name,
        type: type.toLowerCase() === 'integer' ? 'whole' : (type.toLowerCase() as 'text'),
        // A key is never null, whether or not SQLite says so.
        required: notnull === 1 || pk > 0,
      })),
      key: columns
        .filter(({ pk }) => pk > 0)
        .sort((a, b) => a.pk - b.pk)
        .map(({ name }) => name),
      unique: unique.sort(),
    }
  }

  test('the same tables, columns, types, keys and what must be there', () => {
    const names = lite
      .prepare(`select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\'`)
      .pluck()
      .all() as string[]
    expect(names.length).toBeGreaterThan(15)
    expect(Object.keys(shared).sort()).toEqual([...names, ...SHARED_ONLY].sort())
    for (const name of names) expect({ [name]: shared[name] }).toEqual({ [name]: shapeInSqlite(name) })
  })

  test('text that is a key is ordered byte by byte, whatever order the database has', async () => {
    const [{ order }] = await server.sql(
      `select coalesce(daticulocale, datcollate) as order from pg_database where datname = 'postgres'`,
    )
    // Where this runs on a server that orders like a dictionary, the other tests would find what depends on it too.
    expect(order).toMatch(/^(en-US|C)$/)
    const loose = await server.sql(
      `select c.conrelid::regclass::text as table, a.attname as column from pg_constraint c
       join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)
       join pg_collation o on o.oid = a.attcollation
       where c.contype = 'p' and c.connamespace = 'spendgate'::regnamespace and o.collname <> 'C'`,
    )
    expect(loose).toEqual([])
  })

  test('an amount never becomes a float, and no number is smaller than an amount', async () => {
    const types = await server.sql(
      `select distinct data_type from information_schema.columns where table_schema = 'spendgate' order by 1`,
    )
    expect(types.map(({ data_type }) => data_type as string)).toEqual(['bigint', 'boolean', 'text'])
  })
})
