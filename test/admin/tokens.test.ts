import { afterEach, beforeEach, expect, test } from 'vitest'
import { STRIPE_TEST, TWILIO, World } from './world.js'

let world: World
beforeEach(async () => {
  world = await World.start()
})
afterEach(async () => {
  world.expectNoSecrets()
  await world.close()
})

test('a token is shown once, like any key, with the scope in force and what it is kept as', async () => {
  const parent = await world.key()
  const reply = await world.post(`/keys/${parent.id}/tokens`, {
    allowedKeyIds: ['main'],
    allowedProviders: ['Stripe'],
    allowedMethods: ['get'],
    allowedDomains: ['API.stripe.test'],
    rateLimitPerMinute: 30,
    expiresIn: '2h',
    endpoints: { allow: ['GET /v1/charges*'], deny: ['GET /v1/charges/search'] },
    daily_cap_usd: '5',
    max_amount_usd: '1',
    name: 'reader',
  })
  expect(reply.status).toBe(201)
  expect(reply.body).toMatchObject({
    key: expect.stringMatching(/^vault_live_/),
    presentations: { stripe: [`rk_${reply.body.key}`, `sk_${reply.body.key}`] },
    expires_at: '2026-11-21T14:00:00.000Z',
    name: 'reader',
    parent_id: parent.id,
    policy: 'support-refunds@1',
    scope: {
      allowedKeyIds: world.ledger.key(parent.id)!.credentialIds,
      allowedProviders: ['stripe'],
      allowedMethods: ['GET'],
      allowedDomains: ['api.stripe.test'],
      endpoints: { allow: ['GET /v1/charges*'], deny: ['GET /v1/charges/search'] },
      rateLimitPerMinute: 30,
      daily_cap_usd: '5.00',
      max_amount_usd: { stripe: '1.00' },
    },
  })
  const kept = world.ledger.key(reply.body.id)!
  expect(kept).toMatchObject({ parentId: parent.id, rootId: parent.id, run: null })
  expect(kept.narrowings).toEqual([
    {
      mode: 'enforce',
      rate_limit: { per_minute: 30 },
      daily_cap_usd: '5.00',
      vendors: { stripe: { endpoints: { allow: ['GET /*'] }, max_amount_usd: '1.00' } },
    },
    {
      vendors: { stripe: { endpoints: { allow: ['GET /v1/charges*'], deny: ['GET /v1/charges/search'] } } },
    },
  ])
  expect(JSON.stringify(kept)).not.toContain(reply.body.key)
})

test('without a scope it has its parent’s, for an hour at most', async () => {
  const parent = await world.key()
  const { body } = await world.post(`/keys/${parent.id}/tokens`)
  expect(body.expires_at).toBe('2026-11-21T13:00:00.000Z')
  expect(body.scope).toEqual({
    allowedKeyIds: world.ledger.key(parent.id)!.credentialIds,
    allowedProviders: ['stripe'],
    allowedMethods: null,
    allowedDomains: null,
    endpoints: null,
    rateLimitPerMinute: null,
    daily_cap_usd: '200.00',
    max_amount_usd: { stripe: '50.00' },
  })
})

test('the operator may issue below a key whose policy grants nothing, and tokens of tokens', async () => {
  const parent = await world.key()
  const child = await world.post(`/keys/${parent.id}/tokens`, { allowedMethods: ['GET'] })
  const grandchild = await world.post(`/keys/${child.body.id}/tokens`, { rateLimitPerMinute: 5 })
  expect(grandchild.status).toBe(201)
  expect(world.ledger.key(grandchild.body.id)).toMatchObject({ rootId: parent.id, parentId: child.body.id })
  expect(world.ledger.key(grandchild.body.id)!.narrowings[0]).toEqual(world.ledger.key(child.body.id)!.narrowings[0])
})

test('a token of a key that is bound to a run belongs to the run', async () => {
  const parent = await world.key({ run: 'run_7' })
  expect((await world.post(`/keys/${parent.id}/tokens`, {})).body.run).toBe('run_7')
})

test('a token with play money alone is a test key, whatever its parent has', async () => {
  await world.policy()
  await world.credential('stripe', 'play', { api_key: STRIPE_TEST })
  await world.credential('twilio', 'sms', TWILIO)
  const parent = await world.post('/keys', { name: 'both', policy: 'support-refunds', credentials: ['play', 'sms'] })
  const token = await world.post(`/keys/${parent.body.id}/tokens`, { allowedKeyIds: ['stripe/play'] })
  expect(token.body).toMatchObject({ test: true, key: expect.stringMatching(/^vault_test_/) })
  const none = await world.post(`/keys/${parent.body.id}/tokens`, {
    allowedKeyIds: ['play'],
    allowedProviders: ['twilio'],
  })
  expect([none.status, none.body.errors[0].path]).toEqual([400, ''])
})

test('nothing is issued under a key that is not there, nor under one that stands no more', async () => {
  const parent = await world.key()
  expect((await world.post('/keys/key_00000000000000000000/tokens', {})).status).toBe(404)
  await world.post(`/keys/${parent.id}/revoke`)
  expect((await world.post(`/keys/${parent.id}/tokens`, {})).status).toBe(409)
})
