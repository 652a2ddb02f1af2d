import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { LedgerFault } from '../../src/contracts/ledger.js'
import { parseUsd } from '../../src/contracts/money.js'
import { World } from './world.js'

let world: World
let key: string
beforeEach(async () => {
  world = await World.start()
  key = (await world.key()).id
})
afterEach(async () => {
  world.expectNoSecrets()
  await world.close()
})

test('the export holds every entry in order, over many pages, and nothing is lost on the way', async () => {
  for (let each = 0; each < 300; each++) await world.call(key, 1_000_000n)
  const entries = await world.ledger.entries(0, 10_000)
  expect(entries.length).toBeGreaterThan(600)
  const reply = await world.get('/audit/export')
  expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/x-ndjson'])
  const lines = reply.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  const restored = lines.map((line) => ({
    seq: line.seq,
    at: Date.parse(line.at),
    kind: line.kind,
    callId: line.call_id,
    amount: amountOf(line.amount_usd),
    detail: line.detail,
    hash: line.hash,
  }))
  expect(restored).toEqual(entries)
})

const amountOf = (text: string): bigint => (text.startsWith('-') ? -parseUsd(text.slice(1))! : parseUsd(text)!)

test('a sound book is proved so, and a faulty one names its faults', async () => {
  await world.call(key, 1_000_000n)
  expect((await world.get('/audit/verify')).body).toEqual({ ok: true, faults: [] })
  vi.spyOn(world.ledger, 'verify').mockResolvedValue(['Entry 3 does not match its hash.'])
  expect((await world.get('/audit/verify')).body).toEqual({ ok: false, faults: ['Entry 3 does not match its hash.'] })
})

test('a backup is a whole database, closed to others, without a secret in it', async () => {
  await world.call(key, 1_000_000n)
  const reply = await world.post('/backup')
  expect(reply.status).toBe(201)
  const file = join(world.dir, 'backups', 'spendgate-2026-11-21T12-00-00-000Z.db')
  expect(reply.body).toEqual({ file, bytes: statSync(file).size, at: '2026-11-21T12:00:00.000Z' })
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readFileSync(file).includes('CANARY')).toBe(false)
  const copy = new Database(file, { readonly: true })
  expect(copy.prepare('select count(*) as count from calls').get()).toEqual({ count: 1 })
  copy.close()
})

test('a backup goes where it is told to, and never over anything', async () => {
  const file = join(world.dir, 'copy.db')
  expect((await world.post('/backup', { file })).body.file).toBe(file)
  const again = await world.post('/backup', { file })
  expect([again.status, again.body.code]).toEqual([409, 'conflict'])
  const precious = join(world.dir, 'master-key')
  writeFileSync(precious, 'precious')
  expect((await world.post('/backup', { file: precious })).status).toBe(409)
  expect(readFileSync(precious, 'utf8')).toBe('precious')
  for (const name of ['../copy.db', 'a/b.db', '.hidden', '', 'a\u0000b', join(world.dir, 'absent', 'copy.db')]) {
    expect((await world.post('/backup', { file: name })).status).toBe(400)
  }
})

test('a failed backup leaves no file behind, and says so without details', async () => {
  vi.spyOn(world.ledger, 'backup').mockRejectedValue(new LedgerFault('CANARY: disk full'))
  const file = join(world.dir, 'copy.db')
  const reply = await world.post('/backup', { file })
  expect([reply.status, reply.body.code]).toEqual([503, 'ledger_unavailable'])
  expect(existsSync(file)).toBe(false)
  expect(world.faults).toHaveLength(1)
})
