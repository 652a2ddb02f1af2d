import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { usd } from '../../src/contracts/money.js'
import { parseKey } from '../../src/custody/keys.js'
import { RESEND, SETTLED, STRIPE_LIVE, STRIPE_TEST, TWILIO, World } from './world.js'

let world: World
const carried: (readonly [string, string])[] = []
beforeEach(async () => {
  carried.length = 0
  world = await World.start({ carryOver: async (from, to) => void carried.push([from, to]) })
})
afterEach(async () => {
  world.expectNoSecrets()
  await world.close()
})

describe('issuing', () => {
  test('a key is shown once, in every skin its vendors want, and kept as a digest', async () => {
    await world.policy()
    const stripe = await world.credential('stripe', 'pay', { api_key: STRIPE_LIVE })
    await world.credential('twilio', 'sms', TWILIO)
    await world.credential('resend', 'mail', { api_key: RESEND })
    const reply = await world.post('/keys', {
      name: 'Refund bot',
      policy: 'support-refunds',
      credentials: [stripe, 'sms', 'resend/mail'],
      run: 'run_42',
    })
    expect(reply.status).toBe(201)
    const { id, key } = reply.body
    const record = world.ledger.key(id)!
    expect(parseKey(key)).toEqual({ key, run: null })
    expect(key).toMatch(/^vault_live_/)
    expect(reply.body).toMatchObject({
      id: expect.stringMatching(/^key_[0-9A-Za-z]{20}$/),
      presentations: {
        stripe: [`rk_${key}`, `sk_${key}`],
        twilio: { account_sid: TWILIO.account_sid, api_key_sid: `SK${record.publicId}`, api_key_secret: key },
        resend: `re_${key}`,
      },
      expires_at: '2026-11-21T16:00:00.000Z',
      policy: 'support-refunds@1',
      run: 'run_42',
      test: false,
    })
    expect(world.ledger.findKey(world.digest.of(key))?.id).toBe(id)
    expect(JSON.stringify(record)).not.toContain(key)
    expect(record.last4).toBe(key.slice(-4))
  })

  test('a test key is issued exactly when every credential is a Stripe test key', async () => {
    await world.policy()
    await world.credential('stripe', 'play', { api_key: STRIPE_TEST })
    await world.credential('stripe', 'real', { api_key: STRIPE_LIVE })
    await world.credential('resend', 'mail', { api_key: RESEND })
    const prefix = async (credentials: string[]): Promise<string> =>
      (await world.post('/keys', { name: 'k', policy: 'support-refunds', credentials })).body.key.slice(0, 11)
    expect(await prefix(['play'])).toBe('vault_test_')
    expect(await prefix(['real'])).toBe('vault_live_')
    expect(await prefix(['play', 'mail'])).toBe('vault_live_')
    expect(await prefix(['mail'])).toBe('vault_live_')
  })

  test('a wished life holds; without one the life the policy gives', async () => {
    const life = async (expires_in: string): Promise<string> => ((await world.key({ expires_in })) as any).expires_at
    expect(await life('1h')).toBe('2026-11-21T13:00:00.000Z')
    expect(await life('3d')).toBe('2026-11-24T12:00:00.000Z')
    expect(((await world.key()) as any).expires_at).toBe('2026-11-21T16:00:00.000Z')
    await world.post('/policies', {
      ...(await world.get('/policies/support-refunds')).body.document,
      name: 'endless',
      expires_in: undefined,
    })
    expect(((await world.key({ policy: 'endless' })) as any).expires_at).toBeNull()
    for (const expires_in of ['0s', '5', '1w', '-1h', '99999d', '1.5h', 4]) {
      const reply = await world.post('/keys', { name: 'k', policy: 'endless', credentials: ['main'], expires_in })
      expect([reply.status, reply.body.errors[0].path]).toEqual([400, 'expires_in'])
    }
  })

  test('a key keeps the policy version it was issued with, and may name one', async () => {
    const first = await world.key()
    await world.policy({ daily_cap_usd: '300.00' })
    const second = await world.key()
    const third = await world.key({ policy: 'support-refunds@1' })
    const policyOf = async (id: string): Promise<string> => (await world.get(`/keys/${id}`)).body.policy
    expect(await Promise.all([first, second, third].map(({ id }) => policyOf(id)))).toEqual([
      'support-refunds@1',
      'support-refunds@2',
      'support-refunds@1',
    ])
  })

  test('unknown, ambiguous and doubled credentials, and unknown policies, are refused with their place', async () => {
    await world.policy()
    await world.credential('stripe', 'main', { api_key: STRIPE_LIVE })
    await world.credential('stripe', 'other', { api_key: STRIPE_TEST })
    const refused = async (body: object): Promise<string> => {
      const reply = await world.post('/keys', { name: 'k', policy: 'support-refunds', credentials: ['main'], ...body })
      expect(reply.status).toBe(400)
      return reply.body.errors[0].path
    }
    expect(await refused({ credentials: ['main', 'none'] })).toBe('credentials.1')
    expect(await refused({ credentials: ['main', 'other'] })).toBe('credentials.1')
    expect(await refused({ credentials: ['main', 'main'] })).toBe('credentials.1')
    expect(await refused({ credentials: [] })).toBe('credentials')
    expect(await refused({ policy: 'none' })).toBe('policy')
    expect(await refused({ policy: 'support-refunds@2' })).toBe('policy')
    expect(await refused({ run: 'a run' })).toBe('run')
    expect(await refused({ name: 'two\nlines' })).toBe('name')
    expect((await world.get('/keys')).body.keys).toEqual([])
  })
})

describe('children', () => {
  test('a run key inherits policy, narrowings and credentials, and never outlives its parent', async () => {
    const parent = await world.key()
    await world.post(`/keys/${parent.id}/narrow`, { daily_cap_usd: '5.00' })
    const child = await world.post(`/keys/${parent.id}/runs`, { run: 'run_7', cap_usd: '2', expires_in: '9h' })
    expect(child.status).toBe(201)
    expect(child.body).toMatchObject({
      run: 'run_7',
      parent_id: parent.id,
      expires_at: '2026-11-21T16:00:00.000Z',
      policy: 'support-refunds@1',
    })
    const [kept, from] = [world.ledger.key(child.body.id)!, world.ledger.key(parent.id)!]
    expect(kept).toMatchObject({
      rootId: parent.id,
      narrowings: from.narrowings,
      credentialIds: from.credentialIds,
      runCap: usd(2_000_000n),
      test: from.test,
    })
    expect((await world.get(`/keys/${child.body.id}`)).body).toMatchObject({ run_cap_usd: '2.00', root_id: parent.id })
  })

  test('without a body a run is made up', async () => {
    const parent = await world.key()
    const child = await world.post(`/keys/${parent.id}/runs`)
    expect(child.body.run).toMatch(/^run_[0-9A-Za-z]{20}$/)
    expect(child.body.presentations.stripe).toHaveLength(2)
  })

  test('a child of a run-bound key belongs to the same run', async () => {
    const parent = await world.key({ run: 'run_1' })
    expect((await world.post(`/keys/${parent.id}/runs`, { run: 'run_2' })).status).toBe(409)
    expect((await world.post(`/keys/${parent.id}/runs`)).body.run).toBe('run_1')
  })

  test('a revoked or expired parent has no further children', async () => {
    const revoked = await world.key()
    await world.post(`/keys/${revoked.id}/revoke`)
    expect((await world.post(`/keys/${revoked.id}/runs`)).body).toMatchObject({
      code: 'conflict',
      detail: `The key ${revoked.id} is revoked.`,
    })
    const expired = await world.key({ expires_in: '1s' })
    world.nowMs += 1000
    expect((await world.post(`/keys/${expired.id}/runs`)).body.detail).toBe(`The key ${expired.id} is expired.`)
    for (const cap_usd of ['-1', '1.0000001', 'ten', 5])
      expect((await world.post(`/keys/${expired.id}/runs`, { cap_usd })).status).toBe(400)
  })
})

describe('one key', () => {
  test('shows the policy in force, what was spent and held, and how its budgets stand', async () => {
    const { id } = await world.key()
    await world.call(id, 1_500_000n)
    await world.call(id, 60_000_000n, null)
    const { body } = await world.get(`/keys/${id}`)
    expect(body).toMatchObject({
      status: 'active',
      policy: 'support-refunds@1',
      spent_usd: '1.50',
      held_usd: '0.00',
      calls: 2,
      denied: 1,
    })
    expect(body.effective_policy).toMatchObject({
      mode: 'enforce',
      timezone: 'UTC',
      vendors: { stripe: { max_amount_usd: '50.00', customers: null, beneficiaries: [] } },
    })
    expect(body.effective_policy.document.name).toBe('support-refunds')
    expect(body.budgets.map((budget: any) => [budget.cap_usd, budget.left_usd])).toEqual(
      expect.arrayContaining([
        ['200.00', '200.00'],
        ['20.00', '20.00'],
      ]),
    )
  })

  test('is listed without its policy, page by page', async () => {
    const made = [await world.key(), await world.key(), await world.key()].map(({ id }) => id)
    const first = (await world.get('/keys?limit=2')).body
    const second = (await world.get(`/keys?limit=2&cursor=${first.next_cursor}`)).body
    expect([...first.keys, ...second.keys].map((key: any) => key.id).sort()).toEqual(made.sort())
    expect(second.next_cursor).toBeNull()
  })

  test('can be narrowed, and never by a document that is not understood', async () => {
    const { id } = await world.key()
    const reply = await world.post(`/keys/${id}/narrow`, {
      daily_cap_usd: '10.00',
      vendors: { stripe: { max_amount_usd: '5.00' } },
    })
    expect(reply.status).toBe(200)
    const { effective_policy: policy } = (await world.get(`/keys/${id}`)).body
    expect(policy.vendors.stripe.max_amount_usd).toBe('5.00')
    expect(policy.narrowings).toHaveLength(1)
    const faulty = await world.post(`/keys/${id}/narrow`, { daily_cap: '1.00' })
    expect([faulty.status, faulty.body.errors.length > 0]).toEqual([400, true])
    expect(world.ledger.key(id)!.narrowings).toHaveLength(1)
    await world.post(`/keys/${id}/revoke`)
    expect((await world.post(`/keys/${id}/narrow`, { daily_cap_usd: '1.00' })).status).toBe(409)
  })

  test('once revoked stays revoked, with its children, and says so the same way every time', async () => {
    const { id } = await world.key()
    const child = (await world.post(`/keys/${id}/runs`)).body
    const left = await world.ledger.admit(draftOf(id), () => ({ verdict: 'allow', denial: null }))
    world.ledger.mayLeave(left.callId)
    const reply = await world.post(`/keys/${id}/revoke`, { reason: 'loop' })
    expect(reply.body).toEqual({
      id,
      revoked_at: '2026-11-21T12:00:00.000Z',
      in_flight: [left.callId],
      pending: [],
      pending_next_cursor: null,
    })
    world.nowMs += 5000
    expect((await world.post(`/keys/${id}/revoke`)).body).toEqual(reply.body)
    expect((await world.get(`/keys/${id}`)).body).toMatchObject({ status: 'revoked', revoke_reason: 'loop' })
    expect((await world.get(`/keys/${child.id}`)).body.status).toBe('revoked')
    world.ledger.settle(left.callId, SETTLED)
  })

  test('an unknown one is not found', async () => {
    for (const reply of [
      await world.get('/keys/key_x'),
      ...(await Promise.all(['narrow', 'revoke', 'runs'].map((verb) => world.post(`/keys/key_x/${verb}`, {})))),
    ]) {
      expect([reply.status, reply.body.code]).toEqual([404, 'not_found'])
    }
  })

  const draftOf = (id: string): Parameters<typeof world.ledger.admit>[0] => ({
    key: world.ledger.key(id)!,
    credentialId: null,
    run: 'r',
    runSource: 'implicit',
    vendor: 'stripe',
    surface: 'rest',
    method: 'POST',
    path: '/v1/refunds',
    operation: 'refunds.create',
    effect: 'spend',
    direction: 'out',
    customer: null,
    reason: null,
    quoted: usd(1n),
    basis: 'exact',
    object: null,
    commits: null,
    requestHash: '',
    idempotencyHash: null,
    budgets: [],
    guarded: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: [],
  })
})

describe('reissuing', () => {
  test("a new key takes the old one's place under another version, and today's spend with it", async () => {
    const old = await world.key()
    await world.post(`/keys/${old.id}/narrow`, { daily_cap_usd: '5.00' })
    await world.policy({ daily_cap_usd: '300.00' })
    const reply = await world.post(`/keys/${old.id}/reissue`, { policy: 'support-refunds' })
    expect(reply.status).toBe(201)
    expect(reply.body).toMatchObject({ policy: 'support-refunds@2', name: 'bot' })
    expect(carried).toEqual([[old.id, reply.body.id]])
    expect((await world.get(`/keys/${old.id}`)).body).toMatchObject({
      status: 'revoked',
      revoke_reason: `reissued as ${reply.body.id}`,
    })
    expect(world.ledger.key(reply.body.id)!.narrowings).toEqual([])
    expect((await world.post(`/keys/${old.id}/reissue`, { policy: 'support-refunds' })).status).toBe(409)
  })

  test('a child is not reissued', async () => {
    const root = await world.key()
    const child = (await world.post(`/keys/${root.id}/runs`)).body
    expect((await world.post(`/keys/${child.id}/reissue`, { policy: 'support-refunds' })).status).toBe(409)
    expect(carried).toEqual([])
  })

  test('when the spend cannot be carried over, neither key lives', async () => {
    const failing = await World.start({ carryOver: () => Promise.reject(new Error('disk full')) })
    const old = await failing.key()
    expect((await failing.post(`/keys/${old.id}/reissue`, { policy: 'support-refunds' })).status).toBe(500)
    const { keys } = (await failing.get('/keys')).body
    expect(keys.map((key: any) => key.status)).toEqual(['revoked', 'revoked'])
    await failing.close()
  })

  test('without a ledger that can carry over there is no such route', async () => {
    const plain = await World.start()
    const { id } = await plain.key()
    expect((await plain.post(`/keys/${id}/reissue`, { policy: 'support-refunds' })).status).toBe(404)
    await plain.close()
  })
})

describe('freezing', () => {
  test.each([
    [{ scope: 'all' }, { scope: 'all' }],
    [{ run: 'run_42' }, { scope: 'run', run: 'run_42' }],
    [{ vendor: 'stripe' }, { scope: 'vendor', vendor: 'stripe' }],
  ])('%j stops and starts again', async (scope, shown) => {
    const frozen = await world.post('/freeze', { ...scope, reason: 'alarm' })
    expect(frozen.body.freezes).toEqual([{ ...shown, at: '2026-11-21T12:00:00.000Z', reason: 'alarm' }])
    expect((await world.get('/freezes')).body).toEqual(frozen.body)
    expect((await world.post('/unfreeze', scope)).body.freezes).toEqual([])
  })

  test('a key frozen shows so, and its children too', async () => {
    const parent = await world.key()
    const child = (await world.post(`/keys/${parent.id}/runs`)).body
    await world.post('/freeze', { key: parent.id })
    expect((await world.get(`/keys/${child.id}`)).body.status).toBe('frozen')
    await world.post('/unfreeze', { key: parent.id })
    expect((await world.get(`/keys/${child.id}`)).body.status).toBe('active')
  })

  test.each([
    {},
    { scope: 'some' },
    { scope: 'all', vendor: 'stripe' },
    { key: 'a', run: 'b' },
    { vendor: 'strype' },
    { scope: 'all', until: 'x' },
  ])('%j is refused: it would stop nothing, or not what was meant', async (scope) => {
    expect((await world.post('/freeze', scope)).status).toBe(400)
    expect(world.ledger.freezes()).toEqual([])
  })

  test('an unknown key cannot be frozen', async () => {
    expect((await world.post('/freeze', { key: 'key_x' })).status).toBe(404)
  })
})
