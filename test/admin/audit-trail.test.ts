import { readFileSync, statSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkTrail, Trail } from '../../src/audit/trail.js'
import { newSigningKey, PUBLIC_KEYS_SETTING, Signer, signedBy, readCheckpoint } from '../../src/ledger/checkpoints.js'
import { World } from './world.js'

const DAY_MS = 86_400_000
let world: World
let key: string
const signer = new Signer(newSigningKey())
beforeEach(async () => {
  world = await World.start()
  key = (await world.key({ expires_in: '100d' })).id
  await world.ledger.putSetting(PUBLIC_KEYS_SETTING, { [signer.keyId]: signer.publicKey }, 'start')
})
afterEach(async () => {
  world.expectNoSecrets()
  await world.close()
})

test('checkpoints are shown page by page, and bear the signature of the key that is shown', async () => {
  for (let i = 0; i < 3; i++) {
    await world.call(key, 1_000_000n)
    await world.ledger.checkpoint(signer)
  }
  const first = (await world.get('/audit/checkpoints?limit=2')).body
  const second = (await world.get(`/audit/checkpoints?limit=2&cursor=${first.next_cursor}`)).body
  expect([first.checkpoints.length, second.checkpoints.length, second.next_cursor]).toEqual([2, 1, null])
  const { keys } = (await world.get('/audit/public-key')).body
  expect(keys).toEqual([{ key_id: signer.keyId, algorithm: 'Ed25519', public_key: signer.publicKey }])
  for (const shown of [...first.checkpoints, ...second.checkpoints]) {
    const checkpoint = readCheckpoint(shown)!
    expect(signedBy(keys[0].public_key, checkpoint)).toBe(true)
    expect(signedBy(keys[0].public_key, { ...checkpoint, at: checkpoint.at + 1 })).toBe(false)
  }
  expect((await world.get('/audit/checkpoints?cursor=x')).status).toBe(400)
})

test('the export as a table has a record an entry, and no text in it can act as a formula', async () => {
  await world.call(key, 1_000_000n, undefined, { reason: '=HYPERLINK("http://evil.test")' })
  await world.ledger.freeze({ kind: 'run', value: 'run_9' }, null, '=cmd|"/c calc"!A1')
  const reply = await world.get('/audit/export?format=csv')
  expect(reply.headers['content-type']).toBe('text/csv; charset=utf-8; header=present')
  const records = recordsOf(reply.text)
  const entries = await world.ledger.entries(0, 1_000)
  expect(records[0]).toEqual(['seq', 'at', 'kind', 'call_id', 'amount_usd', 'detail', 'hash'])
  expect(records.slice(1).map(([seq, , kind, , , detail, hash]) => ({ seq: Number(seq), kind, detail, hash }))).toEqual(
    entries.map(({ seq, kind, detail, hash }) => ({ seq, kind, detail, hash })),
  )
  for (const record of records.slice(1)) for (const field of record) expect(field).not.toMatch(/^[=+@\t\r]|^-(?!\d)/)
})

/** Reads RFC 4180: fields in quotes may hold anything, quotes in them are doubled. */
function recordsOf(text: string): string[][] {
  const records: string[][] = []
  for (const [, quoted, plain, end] of text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g)) {
    if (records.length === 0 || records.at(-1)!.at(-1) === '\n') records.push([])
    records.at(-1)!.push(quoted?.replaceAll('""', '"') ?? plain!)
    if (end === '\r\n') records.at(-1)!.push('\n')
  }
  return records.map((record) => record.slice(0, -1))
}

test.each(['ndjson', 'csv'])('an export as %s of a time holds what happened then and nothing else', async (format) => {
  for (let day = 0; day < 6; day++) {
    for (let i = 0; i < 150; i++) await world.call(key, 1_000_000n)
    world.nowMs += DAY_MS
  }
  const range = { from: '2026-11-23T12:00:00.000Z', to: '2026-11-25T12:00:00.000Z' }
  const { text } = await world.get(`/audit/export?format=${format}&from=${range.from}&to=${range.to}`)
  const lines = text
    .trimEnd()
    .split('\n')
    .slice(format === 'csv' ? 1 : 0)
  expect(lines).toHaveLength(600)
  for (const line of lines) expect(line).toMatch(/2026-11-2[34]T12:00:00\.000Z/)
  expect((await world.get(`/audit/export?from=${range.to}&to=${range.from}`)).status).toBe(400)
  expect((await world.get(`/audit/export?format=${format}&from=2027-01-01`)).text.split('\n').length).toBeLessThan(3)
})

test('history is pruned into an archive, as the retention or the request says', async () => {
  expect((await world.get('/audit/retention')).body).toEqual({ days: null })
  expect((await world.post('/audit/prune', {})).status).toBe(400)
  expect((await world.put('/audit/retention', { days: 34 })).status).toBe(400)
  for (let i = 0; i < 5; i++) await world.call(key, 1_000_000n)
  await world.ledger.checkpoint(signer)
  world.nowMs += 50 * DAY_MS
  expect((await world.post('/audit/prune', { before: '10d' })).body).toMatchObject({ code: 'conflict' })
  expect((await world.put('/audit/retention', { days: 60 })).body).toEqual({ days: 60 })
  expect((await world.post('/audit/prune')).body).toMatchObject({ pruned_to: null, archive: null, in_the_way: [] })
  const { body } = await world.post('/audit/prune', { before: '40d' })
  expect(body).toMatchObject({ calls: 5, in_the_way: [] })
  const publicKeys = { [signer.keyId]: signer.publicKey }
  expect(await checkTrail(body.archive, { name: 'archive', publicKeys })).toMatchObject({ faults: [] })
  expect((await world.get('/audit/verify')).body).toEqual({ ok: true, faults: [] })
  expect((await world.get('/calls')).body.calls).toEqual([])
  const trail = new Trail({ name: 'export', publicKeys })
  for (const line of (await world.get('/audit/export')).text.trimEnd().split('\n')) trail.add(line)
  expect(trail.close()).toMatchObject({ faults: [], first: body.pruned_to + 1 })
})

test('a person is erased from calls, and the entry tells of it without a name', async () => {
  const id = await world.call(key, 1_000_000n, undefined, { path: '/v1/customers/cus_Ann', customer: 'cus_Ann' })
  expect((await world.post('/audit/erase', { subject: 'cus_Ann' })).body).toEqual({ calls: 1, rows: 0, kept: [] })
  expect((await world.get(`/calls/${id}`)).body).toMatchObject({
    path: '/v1/customers/[erased]',
    customer: '[erased]',
  })
  expect((await world.get('/audit/export')).text).not.toContain('cus_Ann')
  expect((await world.get('/audit/verify')).body).toEqual({ ok: true, faults: [] })
  for (const subject of ['', 'a b c d e', 'charges', '/v1/charges', 'stripe', key, 'run_1', 5])
    expect((await world.post('/audit/erase', { subject })).status).toBe(400)
  for (const subject of ['ann@example.com', '+14155550123', `SM${'a1'.repeat(16)}`])
    expect((await world.post('/audit/erase', { subject })).status).toBe(200)
})

test('an archive is closed to others', async () => {
  await world.call(key, 1_000_000n)
  await world.ledger.checkpoint(signer)
  world.nowMs += 50 * DAY_MS
  const { archive } = (await world.post('/audit/prune', { before: '40d' })).body
  expect(statSync(archive).mode & 0o777).toBe(0o600)
  expect(readFileSync(archive, 'utf8').split('\n').at(-2)).toContain('"checkpoint"')
})
