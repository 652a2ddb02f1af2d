import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, codeOf, HOUR, MINUTE, pay, seenBy, startWorld, travel } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const read = (key: string): Promise<Answer> => world.call(key, 'GET', '/stripe/v1/customers/cus_A')
const token = (parent: IssuedKey, scope: object): Promise<IssuedKey & { expires_at: string; scope: any }> =>
  world.must('POST', `/keys/${parent.id}/tokens`, scope)
/** Asks on the agent port, as an agent would. */
const ask = (key: string, scope: object = {}, headers: Record<string, string> = {}): Promise<Answer> =>
  world.call(key, 'POST', '/tokens', JSON.stringify(scope), { 'content-type': 'application/json', ...headers })

const ANYTHING = { endpoints: { allow: ['* *'] } }

/** The fields as API Stronghold's articles spell them, a support agent's four hours. */
const SUPPORT = {
  allowedKeyIds: ['stripe-main'],
  allowedProviders: ['stripe'],
  allowedMethods: ['GET', 'POST'],
  allowedDomains: ['api.stripe.com'],
  rateLimitPerMinute: 30,
  expiresIn: 14_400,
}

describe('the scope of a support agent’s token', () => {
  test('is what it says and nothing else', async () => {
    const parent = await world.key({}, { vendors: ['stripe', 'twilio'], expires_in: '30d' })
    const { key, presentations, scope } = await token(parent, SUPPORT)
    expect(Object.keys(presentations)).toEqual(['stripe'])
    expect(scope).toMatchObject({ allowedProviders: ['stripe'], rateLimitPerMinute: 30 })
    expect((await read(key)).status).toBe(200)
    expect((await pay(world, key, 100)).status).toBe(200)
    const deleting = await world.call(key, 'DELETE', '/stripe/v1/customers/cus_B')
    expect(codeOf(deleting)).toBe('operation_not_allowed')
    // Uploads are served by another of the vendor's hosts.
    expect(codeOf(await world.call(key, 'POST', '/stripe/v1/files', { purpose: 'x' }))).toBe('operation_not_allowed')
    const sms = await world.call(key, 'POST', '/twilio/2010-04-01/Accounts/AC1/Messages.json', { To: '+14155550100' })
    expect(codeOf(sms)).toBe('vendor_not_granted')
  })

  test('makes thirty calls a minute, however busy its parent is', async () => {
    const parent = await world.key({ rate_limit: { per_minute: 500 } }, { expires_in: '30d' })
    const { key } = await token(parent, SUPPORT)
    await Promise.all(Array.from({ length: 40 }, () => read(parent.key)))
    const { result, requests } = await seenBy(world.stripe, () =>
      Promise.all(Array.from({ length: 60 }, () => read(key))),
    )
    expect(result.filter(({ status }) => status === 200)).toHaveLength(30)
    expect(result.filter((answer) => codeOf(answer) === 'rate_limited')).toHaveLength(30)
    expect(requests).toHaveLength(30)
    travel(world, MINUTE)
    expect((await read(key)).status).toBe(200)
  })

  test('ends after exactly four hours', async () => {
    const parent = await world.key({}, { expires_in: '30d' })
    const before = world.clock.now()
    const { key, expires_at } = await token(parent, SUPPORT)
    const endsAt = Date.parse(expires_at)
    expect(endsAt - before).toBeGreaterThanOrEqual(4 * HOUR)
    expect(endsAt - before).toBeLessThan(4 * HOUR + MINUTE)
    // Real milliseconds go by between the two, so the last call is a second early.
    travel(world, endsAt - 1_000 - world.clock.now())
    expect((await read(key)).status).toBe(200)
    travel(world, endsAt - world.clock.now())
    const late = await read(key)
    expect([late.status, codeOf(late)]).toEqual([401, 'key_expired'])
    expect((await read(parent.key)).status).toBe(200)
  })
})

test('a token ends with its parent at the latest, and after an hour when nobody says', async () => {
  const parent = await world.key({}, { expires_in: '2h' })
  const life = async (scope: object): Promise<number> =>
    Math.round((Date.parse((await token(parent, scope)).expires_at) - world.clock.now()) / MINUTE)
  expect(await life({ expiresIn: '30d' })).toBe(120)
  expect([await life({ expiresIn: '90m' }), await life({ expiresIn: '600' }), await life({})]).toEqual([90, 10, 60])
})

test('a token’s spending counts in its parent, and the smaller cap holds', async () => {
  const parent = await world.key({ daily_cap_usd: '10.00' })
  const one = await token(parent, { daily_cap_usd: '6.00', max_amount_usd: '5.00' })
  const other = await token(parent, { daily_cap_usd: '500.00' })
  expect(codeOf(await pay(world, one.key, 501))).toBe('amount_over_limit')
  expect((await pay(world, one.key, 500)).status).toBe(200)
  expect(codeOf(await pay(world, one.key, 200))).toBe('daily_cap_exceeded')
  expect((await pay(world, other.key, 500)).status).toBe(200)
  expect(codeOf(await pay(world, other.key, 1))).toBe('daily_cap_exceeded')
})

test('a scope holds under a policy that only observes', async () => {
  const parent = await world.key({ mode: 'observe' })
  const { key } = await token(parent, { endpoints: ['GET /v1/customers/*'], allowedMethods: ['GET'] })
  expect((await read(key)).status).toBe(200)
  expect(codeOf(await pay(world, key, 100))).toBe('operation_not_allowed')
})

test('endpoints and methods hold together', async () => {
  const parent = await world.key()
  const { key } = await token(parent, { allowedMethods: ['get'], endpoints: ['* /v1/customers*', '* /v1/charges*'] })
  expect((await read(key)).status).toBe(200)
  expect(codeOf(await world.call(key, 'POST', '/stripe/v1/customers', { name: 'x' }))).toBe('operation_not_allowed')
  expect(codeOf(await world.call(key, 'GET', '/stripe/v1/balance'))).toBe('operation_not_allowed')
  const rest = await token(parent, { endpoints: { deny: ['GET /v1/balance'] } })
  expect(codeOf(await world.call(rest.key, 'GET', '/stripe/v1/balance'))).toBe('operation_not_allowed')
  expect((await read(rest.key)).status).toBe(200)
})

test('a vendor’s products are told apart by their hosts', async () => {
  const parent = await world.key({}, { vendors: ['stripe', 'twilio'] })
  const { key, scope } = await token(parent, { allowedDomains: ['verify.twilio.com'] })
  expect(scope.allowedProviders).toEqual(['twilio'])
  const list = await world.call(key, 'GET', '/twilio/2010-04-01/Accounts/me/Messages.json')
  expect(codeOf(list)).toBe('operation_not_allowed')
  const verify = await world.call(key, 'GET', '/twilio/verify.twilio.com/v2/Services')
  expect(codeOf(verify)).not.toBe('operation_not_allowed')
})

test('a vendor by configuration has the host that its credential is bound to', async () => {
  const { stripe } = await world.credentials()
  const github = await world.must('POST', '/credentials', {
    vendor: 'github',
    name: 'gh',
    base_url: 'https://api.github.com',
    auth: { scheme: 'bearer' },
    secret: { token: 'ghp_CANARYgithub0123456789' },
  })
  const { policy } = await world.must('GET', `/keys/${(await world.key({ vendors: { github: ANYTHING } })).id}`)
  const parent: IssuedKey = await world.must('POST', '/keys', {
    name: 'both',
    policy,
    credentials: [stripe, github.id],
  })
  const { key, scope } = await token(parent, { allowedDomains: ['api.github.com'], allowedMethods: ['GET'] })
  expect(scope.allowedProviders).toEqual(['github'])
  expect(codeOf(await world.call(key, 'DELETE', '/github/repos/a/b'))).toBe('operation_not_allowed')
  expect(codeOf(await read(key))).toBe('vendor_not_granted')
  const other = await world.admin('POST', `/keys/${parent.id}/tokens`, { allowedDomains: ['github.com'] })
  expect(other.body.errors[0].path).toBe('allowedDomains.0')
})

test('revoking the parent ends its tokens at once', async () => {
  const parent = await world.key({ issue: { max_children: 5 } })
  const { key } = (await ask(parent.key)).body
  expect((await read(key)).status).toBe(200)
  await world.must('POST', `/keys/${parent.id}/revoke`, {})
  expect(codeOf(await read(key))).toBe('key_revoked')
})

describe('POST /tokens', () => {
  test('issues under the agent’s own key, and the book says who did', async () => {
    const parent = await world.key({ issue: { max_children: 5 } })
    const made = await ask(parent.presentations.stripe![0]!, { allowedMethods: ['GET'], name: 'reader' })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({
      parent_id: parent.id,
      name: 'reader',
      key: expect.stringMatching(/^vault_live_/),
    })
    expect(made.headers).toMatchObject({ 'cache-control': 'no-store', 'x-spendgate-decision': 'allow' })
    expect((await read(made.body.key)).status).toBe(200)
    expect(codeOf(await pay(world, made.body.key, 100))).toBe('operation_not_allowed')
    const entries = (await world.admin('GET', '/audit/export')).text.split('\n').filter((line) => line !== '')
    const created = entries
      .map((line) => JSON.parse(line))
      .filter((entry) => JSON.stringify(entry).includes(made.body.id))
    expect(JSON.stringify(created)).toContain(`key:${parent.id}`)
  })

  test('without a body issues all that the key may do, for an hour', async () => {
    const parent = await world.key({ issue: { max_children: 5 } })
    const made = await world.call(parent.key, 'POST', '/tokens')
    expect(made.status).toBe(201)
    expect((await pay(world, made.body.key, 100)).status).toBe(200)
  })

  test('is refused where the policy does not grant it, with a row', async () => {
    const key = await world.key()
    const answer = await ask(key.key)
    expect(answer.headers['content-type']).toBe('application/problem+json')
    expect([answer.status, answer.body.code, codeOf(answer)]).toEqual([403, 'issue_not_allowed', 'issue_not_allowed'])
    const row = await world.must('GET', `/calls/${answer.headers['x-spendgate-call-id'] as string}`)
    expect(row).toMatchObject({ key_id: key.id, state: 'denied', path: '/tokens', method: 'POST' })
    expect(row.decision).toMatchObject({ code: 'operation_not_allowed', message: answer.body.detail })
  })

  test('is bounded in depth: at one generation a token issues none', async () => {
    const parent = await world.key({ issue: { max_children: 9 } })
    const child = (await ask(parent.key)).body
    const refused = await ask(child.key)
    expect([refused.status, refused.body.code]).toEqual([403, 'too_deep'])

    const deep = await world.key({ issue: { max_children: 9, max_depth: 2 } })
    const second = (await ask((await ask(deep.key)).body.key)).body
    expect((await read(second.key)).status).toBe(200)
    expect((await ask(second.key)).body.code).toBe('too_deep')
  })

  test('is bounded in number of living tokens, whoever races for them', async () => {
    const parent = await world.key({ issue: { max_children: 4 } })
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(parent.key, { expiresIn: '10m' })))
    const made = answers.filter(({ status }) => status === 201)
    expect(made).toHaveLength(4)
    const others = answers.filter(({ status }) => status !== 201).map(({ status, body }) => [status, body.code])
    expect(others).toEqual(Array(16).fill([403, 'too_many_children']))
    await world.must('POST', `/keys/${made[0]!.body.id}/revoke`, {})
    // A token below a token takes a place of every key above it.
    expect((await ask(parent.key, { expiresIn: '10m' })).status).toBe(201)
    expect((await ask(parent.key)).body.code).toBe('too_many_children')
    travel(world, 10 * MINUTE)
    expect((await ask(parent.key)).status).toBe(201)
  })

  test('takes as many requests a minute as it says, and then says when', async () => {
    const parent = await world.key({ issue: { max_children: 1 } })
    const answers = await Promise.all(Array.from({ length: 40 }, () => ask(parent.key)))
    const limited = answers.filter(({ status }) => status === 429)
    expect(limited).toHaveLength(10)
    expect(limited[0]!.body.code).toBe('rate_limited')
    expect(Number(limited[0]!.headers['retry-after'])).toBeGreaterThan(0)
  })

  test.each([
    ['revoked', 401, 'key_revoked'],
    ['frozen', 403, 'key_frozen'],
    ['expired', 401, 'key_expired'],
  ])('issues nothing under a key that is %s, on neither port', async (how, status, code) => {
    const parent = await world.key({ issue: { max_children: 5 } }, { expires_in: '1h' })
    if (how === 'revoked') await world.must('POST', `/keys/${parent.id}/revoke`, {})
    if (how === 'frozen') await world.must('POST', '/freeze', { key: parent.id })
    if (how === 'expired') travel(world, HOUR)
    const answer = await ask(parent.key)
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(await world.admin('POST', `/keys/${parent.id}/tokens`, {})).toMatchObject({ status: 409 })
  })
})

test('tokens stand after a restart, with their scope', async () => {
  const parent = await world.key({ issue: { max_children: 1 } })
  const { key } = (await ask(parent.key, { allowedMethods: ['GET'], expiresIn: '1d' })).body
  await world.server.stop()
  await world.serve()
  expect((await read(key)).status).toBe(200)
  expect(codeOf(await pay(world, key, 100))).toBe('operation_not_allowed')
  expect((await ask(parent.key)).body.code).toBe('too_many_children')
})
