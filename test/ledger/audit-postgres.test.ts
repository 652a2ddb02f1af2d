import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { newSigningKey, PUBLIC_KEYS_SETTING, signedBy, Signer } from '../../src/ledger/checkpoints.js'
import { placeOf } from '../../src/ledger/postgres/connect.js'
import { openPostgres, type PostgresLedger } from '../../src/ledger/postgres/ledger.js'
import { PostgresServer, postgresMissing } from '../helpers/postgres.js'
import { furnish } from './audit-book.js'
import { StandingClock } from './book.js'

if (postgresMissing !== null) process.stderr.write(`skipped, test/ledger/audit-postgres: ${postgresMissing}\n`)

const DATABASE = 'audited'
const signer = new Signer(newSigningKey())

describe.runIf(postgresMissing === null)('history in PostgreSQL', () => {
  const clock = new StandingClock()
  let server: PostgresServer
  let ledger: PostgresLedger

  const sql = (text: string): Promise<unknown[]> => server.sql(`set search_path to spendgate; ${text}`, DATABASE)
  const open = async (): Promise<void> => {
    ledger = await openPostgres({ place: placeOf(server.url(DATABASE)), clock: new SystemClock(), time: clock })
  }

  beforeAll(async () => {
    server = await PostgresServer.start()
    await server.sql(`create database ${DATABASE}`)
    await open()
    await ledger.putSetting(PUBLIC_KEYS_SETTING, { [signer.keyId]: signer.publicKey }, 'start')
    await furnish({ ledger, clock, signer })
  })
  afterAll(async () => {
    await ledger?.close()
    await server?.remove()
  })

  test('is proved whole, and signed', async () => {
    expect(await ledger.verify()).toEqual([])
    const checkpoints = await ledger.checkpoints(0, 10)
    expect(checkpoints).toHaveLength(2)
    for (const checkpoint of checkpoints) expect(signedBy(signer.publicKey, checkpoint)).toBe(true)
  })

  test.each([
    ['an entry is changed', `update entries set amount = amount + 1 where seq = 3`],
    ['an entry is deleted', `delete from entries where seq = 3`],
    ['entries are truncated', `truncate entries`],
    ['a checkpoint is changed', `update checkpoints set at = at + 1`],
    ['a checkpoint is deleted', `delete from checkpoints`],
    ['a call is deleted', `delete from calls where seq = 1`],
    ['calls are truncated', `truncate calls`],
    ['a call is made cheaper', `update calls set quoted = 0 where seq = 1`],
    ['a call gets another path', `update calls set path = '/v1/other' where seq = 1`],
    ['a call gets another salt', `update calls set salt = 'x' where seq = 1`],
    ['a call leaves its list', `update calls set before_of_key = null where seq = 2`],
    ['a movement is deleted', `delete from movements`],
  ])('is refused when %s', async (_what, text) => {
    await expect(sql(text)).rejects.toThrow(/immutable|history/)
  })

  test.each([
    ['a settlement may still be booked', `update calls set state = 'settled', settled = 0 where seq = 1`],
    ['a row may be written as it is', `update calls set quoted = quoted, path = path, salt = salt where seq = 1`],
    ['personal data may be erased', `update calls set customer = '[erased]', salt = 'x' where seq = 5`],
    [
      'what is marked as pruned may go',
      `insert into marks (name, seq) values ('pruned', 3), ('pruned-calls', 1);
       delete from entries where seq <= 3; delete from calls where seq = 1`,
    ],
  ])('%s', async (_what, text) => {
    await sql(`begin; ${text}; rollback`)
  })

  test.each([
    ['a call', `update calls set message = 'other' where seq = 5`],
    ['a key', `update keys set name = 'other'`],
    ['an approval', `update approvals set reason = 'other' where state = 'used'`],
    ['an exposure', `update exposures set amount = amount + 1`],
    ['a checkpoint', `update checkpoints set at = at + 1`],
    ['a movement', `update movements set counted = counted + 1`],
  ])('is not sound any more once %s was changed past the triggers', async (_what, text) => {
    await ledger.close()
    const [table] = text.split(' ').slice(1)
    await sql(`create table kept as select * from ${table}; set session_replication_role = replica; ${text}`)
    await open()
    expect((await ledger.verify()).length).toBeGreaterThan(0)
    await ledger.close()
    await sql(
      `set session_replication_role = replica; delete from ${table}; insert into ${table} select * from kept; drop table kept`,
    )
    await open()
    expect(await ledger.verify()).toEqual([])
  })
})
