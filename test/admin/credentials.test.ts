import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RESEND, STRIPE_LIVE, STRIPE_TEST, TWILIO, World } from './world.js'

let world: World
beforeEach(async () => {
  world = await World.start()
})
afterEach(async () => {
  world.expectNoSecrets()
  await world.close()
})

test('a stored credential shows account, fingerprint and last four characters, never its secret', async () => {
  const reply = await world.post('/credentials', { vendor: 'twilio', name: 'main', secret: TWILIO })
  expect(reply.status).toBe(201)
  expect(reply.body).toEqual({
    id: expect.stringMatching(/^cred_[0-9A-Za-z]{20}$/),
    vendor: 'twilio',
    name: 'main',
    account: TWILIO.account_sid,
    test: false,
    api_version: null,
    fingerprint: expect.stringMatching(/^[0-9a-f]{12}$/),
    last4: '6789',
    created_at: '2026-11-21T12:00:00.000Z',
    rotated_at: null,
  })
  expect((await world.get(`/credentials/${reply.body.id}`)).body).toEqual(reply.body)
  expect((await world.get('/credentials')).body).toEqual({ credentials: [reply.body], next_cursor: null })
})

test('the vault opens what was stored, and the database file holds none of it', async () => {
  const id = await world.credential('stripe', 'main', { api_key: STRIPE_LIVE })
  const record = world.ledger.credential(id)!
  expect(world.vault.open({ id, vendor: 'stripe' }, record.sealed)).toEqual({ api_key: STRIPE_LIVE })
  for (const file of ['spendgate.db', 'spendgate.db-wal']) {
    expect(readFileSync(join(world.dir, file)).includes('CANARY')).toBe(false)
  }
})

test('what is no credential of the vendor is refused without being quoted, whatever the vendor says', async () => {
  const reply = await world.post('/credentials', {
    vendor: 'stripe',
    name: 'main',
    secret: { api_key: `${STRIPE_LIVE}!` },
  })
  expect([reply.status, reply.body.errors]).toEqual([
    400,
    [{ path: 'secret', message: 'This is not a credential of stripe.' }],
  ])
  const missing = await world.post('/credentials', {
    vendor: 'twilio',
    name: 'main',
    secret: { auth_token: 'CANARY12' },
  })
  expect(missing.body.errors).toEqual([{ path: 'secret', message: 'account_sid is missing.' }])
  expect(
    (await world.post('/credentials', { vendor: 'paypal', name: 'main', secret: { api_key: 'x' } })).body.errors[0]
      .path,
  ).toBe('vendor')
  expect(
    (await world.post('/credentials', { vendor: 'stripe', name: 'a b', secret: { api_key: STRIPE_LIVE } })).body
      .errors[0].path,
  ).toBe('name')
  expect(
    (await world.post('/credentials', { vendor: 'stripe', name: 'main', secret: { api_key: 5 } })).body.errors[0].path,
  ).toBe('secret.api_key')
  expect((await world.post('/credentials', { vendor: 'stripe', name: 'main' })).body.errors).toEqual([
    { path: 'secret', message: 'is missing' },
  ])
  expect(world.ledger.credentials()).toEqual([])
})

test('a name taken for the same vendor is a conflict', async () => {
  await world.credential('stripe', 'main', { api_key: STRIPE_LIVE })
  const reply = await world.post('/credentials', { vendor: 'stripe', name: 'main', secret: { api_key: STRIPE_TEST } })
  expect([reply.status, reply.body.code]).toEqual([409, 'conflict'])
  expect(world.ledger.credentials()).toHaveLength(1)
})

test('a rotated credential keeps its id and opens to the new secret', async () => {
  const id = await world.credential('stripe', 'main', { api_key: STRIPE_LIVE })
  const before = (await world.get(`/credentials/${id}`)).body
  world.nowMs += 1000
  const reply = await world.post(`/credentials/${id}/rotate`, { secret: { api_key: 'rk_live_CANARYnext' } })
  expect(reply.status).toBe(200)
  expect(reply.body).toMatchObject({
    id,
    last4: 'next',
    created_at: before.created_at,
    rotated_at: '2026-11-21T12:00:01.000Z',
  })
  expect(reply.body.fingerprint).not.toBe(before.fingerprint)
  expect(world.vault.open({ id, vendor: 'stripe' }, world.ledger.credential(id)!.sealed)).toEqual({
    api_key: 'rk_live_CANARYnext',
  })
})

test('a rotation cannot turn test into live, nor one account into another', async () => {
  const stripe = await world.credential('stripe', 'main', { api_key: STRIPE_TEST })
  const twilio = await world.credential('twilio', 'sms', TWILIO)
  expect((await world.post(`/credentials/${stripe}/rotate`, { secret: { api_key: STRIPE_LIVE } })).status).toBe(409)
  const other = { ...TWILIO, account_sid: `AC${'c3'.repeat(16)}` }
  expect((await world.post(`/credentials/${twilio}/rotate`, { secret: other })).status).toBe(409)
  expect(world.vault.open({ id: stripe, vendor: 'stripe' }, world.ledger.credential(stripe)!.sealed)).toEqual({
    api_key: STRIPE_TEST,
  })
})

test('a credential that a living key needs stays, and goes once the key is revoked', async () => {
  const { id } = await world.key()
  const credential = world.ledger.credentials()[0]!.id
  const refused = await world.ask('DELETE', `/admin/v1/credentials/${credential}`)
  expect([refused.status, refused.body.code]).toEqual([409, 'conflict'])
  await world.post(`/keys/${id}/revoke`)
  const removed = await world.ask('DELETE', `/admin/v1/credentials/${credential}`)
  expect([removed.status, removed.text]).toEqual([204, ''])
  expect((await world.get(`/credentials/${credential}`)).status).toBe(404)
})

test('an unknown credential is not found', async () => {
  for (const reply of [
    await world.get('/credentials/cred_x'),
    await world.post('/credentials/cred_x/rotate', { secret: { api_key: RESEND } }),
    await world.ask('DELETE', '/admin/v1/credentials/cred_x'),
  ]) {
    expect([reply.status, reply.body.code]).toEqual([404, 'not_found'])
  }
})
