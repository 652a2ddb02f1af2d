import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newSigningKey, PUBLIC_KEYS_SETTING, Signer } from '../../src/ledger/checkpoints.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { verify } from '../../src/ledger/verify.js'
import { AuditBook, EMAIL, PHONE } from './audit-book.js'
import { credential, done, draft, newKey, refuse, reply } from './book.js'
import { asBeforeSalts, rechain } from './rechain.js'

let book: AuditBook
beforeEach(async () => void (book = await AuditBook.begun()))
afterEach(() => book.close())

describe('history', () => {
  test.each([
    ['an entry is changed', `update entries set amount = amount + 1 where seq = 3`],
    ['an entry is deleted', `delete from entries where seq = 3`],
    ['the last entry is deleted', `delete from entries where seq = (select max(seq) from entries)`],
    ['a checkpoint is changed', `update checkpoints set at = at + 1`],
    ['a checkpoint is deleted', `delete from checkpoints`],
    ['a call is deleted', `delete from calls where seq = 1`],
    ['a call is made cheaper', `update calls set quoted = 0 where seq = 1`],
    ['a call gets another key', `update calls set key_id = 'key_x' where seq = 1`],
    ['a call gets another path', `update calls set path = '/v1/other' where seq = 1`],
    ['a call gets another salt', `update calls set salt = 'x' where seq = 1`],
    ['a call leaves its list', `update calls set before_of_key = null where seq = 2`],
    ['a movement is deleted', `delete from movements`],
  ])('is refused when %s', async (_what, sql) => {
    await book.furnish()
    await book.ledger.close()
    const db = new Database(book.file)
    expect(() => db.exec(sql)).toThrow(/immutable|history/)
    expect(verify(db)).toEqual([])
    db.close()
    await book.reopen()
  })

  test('written anew from some entry on, with every hash right, is found by the checkpoint that was signed', async () => {
    await book.furnish()
    const db = await book.copy()
    rechain(db, 2, ({ detail }) => detail.replaceAll('ada', 'bob'))
    const faults = verify(db)
    expect(faults[0]).toMatch(/^Entry \d+ is not the one that was signed at 2026-11-21T12:00:00\.000Z: history was/)
    db.close()
  })

  test('cut off behind a checkpoint is found by what stands in the tables, and before it by the checkpoint', async () => {
    await book.furnish()
    const last = book.ledger.lastEntry()
    const [, second] = await book.ledger.checkpoints(0, 10)
    expect((await book.changed(`delete from entries where seq = ${last}`)).length).toBeGreaterThan(0)
    expect((await book.changed(`delete from entries where seq >= ${second!.seq}`))[0]).toBe(
      `Entries ${second!.seq} to ${second!.seq} are missing: they were signed at 2026-11-21T12:00:00.000Z.`,
    )
  })

  test('signed by another key is not taken for ours', async () => {
    await book.furnish()
    const stranger = new Signer(newSigningKey())
    const [first] = await book.ledger.checkpoints(0, 1)
    const { signature, keyId } = stranger.sign(first!)
    const forged = `update checkpoints set signature = '${signature}', key_id = '${keyId}' where seq = ${first!.seq}`
    expect(await book.changed(forged)).toEqual([
      `The checkpoint at entry ${first!.seq} does not bear the signature of this ledger's key.`,
    ])
    const added = JSON.stringify({ ...book.publicKeys, [stranger.keyId]: stranger.publicKey })
    expect(
      await book.changed(forged, `update settings set value = '${added}' where name = '${PUBLIC_KEYS_SETTING}'`),
    ).toEqual([`The setting ${PUBLIC_KEYS_SETTING} is not what its last entry says.`])
  })

  test('keeps a checkpoint only where something came since the last one', async () => {
    const { ledger, signer } = book
    const first = await ledger.checkpoint(signer)
    expect(first).toMatchObject({ seq: 1, entries: 1, keyId: signer.keyId })
    expect(await ledger.checkpoint(signer)).toBeNull()
    const key = await newKey(ledger)
    await done(ledger, draft(key, '1.00'), reply('settled'))
    expect(await ledger.checkpoint(signer)).toMatchObject({ seq: ledger.lastEntry(), entries: 4 })
    expect(await ledger.verify()).toEqual([])
    expect(await book.changed(`delete from checkpoints where seq = 1`)).toEqual([
      `A checkpoint between entries 0 and ${ledger.lastEntry()} is missing.`,
    ])
  })
})

describe('entries', () => {
  test('hold no e-mail address, no phone number and no hash that they could be found out from', async () => {
    await book.furnish()
    const entries = await book.ledger.entries(0, 10_000)
    for (const { detail } of entries) {
      expect(detail).not.toContain(EMAIL)
      expect(detail).not.toContain(PHONE)
    }
    const calls = await book.ledger.callsAfter(0, 100)
    for (const { requestHash } of calls)
      expect(entries.filter(({ detail }) => detail.includes(`"${requestHash}"`))).toEqual([])
  })
})

describe('a ledger that an earlier version wrote', () => {
  const SALTED = ['calls', 'keys', 'credentials', 'policies', 'freezes', 'approvals']
  let db: Database.Database
  beforeEach(async () => {
    const { ledger } = book
    const kept = credential()
    await ledger.putCredential(kept, 'credential.added', 'ada')
    const key = await newKey(ledger, { credentialIds: [kept.id] })
    await ledger.freeze({ kind: 'run', value: 'run_8' }, null, 'ada')
    await done(ledger, draft(key, '5.00', { object: 'pi_1' }), reply('settled'))
    await ledger.admit(draft(key, '1.00'), refuse('amount_over_limit'))
    await ledger.revoke(key.id, null, 'ada')
    db = await book.copy()
    asBeforeSalts(db)
    for (const table of SALTED) db.exec(`update ${table} set salt = null`)
  })
  afterEach(() => void db.close())

  test('verifies, and what its entries say is compared', () => {
    expect(verify(db)).toEqual([])
    for (const sql of [
      `update keys set name = 'other'`,
      `update keys set revoked_at = null`,
      `update credentials set fingerprint = 'other'`,
      `update policies set document = '{}'`,
      `update calls set settled = 1 where seq = 1`,
      `update calls set run = 'run_2' where seq = 1`,
      `delete from freezes`,
      `delete from keys`,
      `insert into freezes (kind, value, at) values ('all', '', 0)`,
    ]) {
      db.exec('pragma foreign_keys = off; begin')
      db.exec(sql)
      expect(verify(db), sql).not.toEqual([])
      db.exec('rollback')
    }
  })

  test('is not compared with what its entries do not say', () => {
    for (const sql of [
      `update calls set path = '/other' where seq = 1`,
      `update exposures set amount = amount + 1`,
      `update keys set last4 = 'xxxx'`,
    ]) {
      db.exec('begin')
      db.exec(sql)
      expect(verify(db), sql).toEqual([])
      db.exec('rollback')
    }
  })

  test('has digests of whatever is changed from then on', async () => {
    const file = db.name
    db.close()
    const now = openSqlite({ file, clock: book.clock })
    const key = (await now.keys({ limit: 1 })).rows[0]!
    await now.narrowKey(key.id, { daily_cap_usd: '1.00' }, 'ada')
    expect(await now.verify()).toEqual([])
    await now.close()
    db = new Database(file)
    db.exec(`update keys set last4 = 'xxxx'`)
    expect(verify(db)).toEqual([`The row keys ${key.id} is not what its last entry says.`])
  })
})
