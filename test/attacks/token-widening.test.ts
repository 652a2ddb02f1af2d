import { afterAll, beforeAll, expect, test } from 'vitest'
import { REAL, type Answer, type IssuedKey, type World } from '../helpers/world.js'
import { books, codeOf, HOUR, pay, startWorld } from '../pipeline/given.js'

/*
 * An agent holds a key that may issue tokens below itself, and asks for ones that can do what it cannot.
 */

let world: World
/** For what is refused before it issues anything; thirty requests a minute are answered. */
let one: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  await world.credentials()
  one = await limited()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const LIMITS = {
  daily_cap_usd: '20.00',
  rate_limit: { per_minute: 60 },
  issue: { max_children: 20, max_depth: 2 },
  vendors: {
    stripe: { endpoints: { allow: ['* /v1/customers*', 'POST /v1/payment_intents'] }, max_amount_usd: '5.00' },
  },
}
const limited = (): Promise<IssuedKey> => world.key(LIMITS, { expires_in: '3h' })
const ask = (key: string, body: unknown, headers: Record<string, string> = {}, path = '/tokens'): Promise<Answer> =>
  world.call(key, 'POST', path, typeof body === 'string' ? body : JSON.stringify(body), {
    'content-type': 'application/json',
    ...headers,
  })

test.each([
  ['a credential of another vendor', { allowedKeyIds: ['twilio-main'] }, 'allowedKeyIds.0'],
  ['a credential that does not exist', { allowedKeyIds: ['stripe-main', 'cred_0'] }, 'allowedKeyIds.1'],
  ['another vendor', { allowedProviders: ['stripe', 'resend'] }, 'allowedProviders.1'],
  ['a host of another vendor', { allowedDomains: ['api.stripe.com', 'api.twilio.com'] }, 'allowedDomains.1'],
  ['a host that ends like a vendor’s', { allowedDomains: ['evil-api.stripe.com'] }, 'allowedDomains.0'],
  ['every host', { allowedDomains: ['*'] }, 'allowedDomains.0'],
  ['nothing, which is not everything', { allowedProviders: [] }, 'allowedProviders'],
  ['a method that is none', { allowedMethods: ['*'] }, 'allowedMethods.0'],
  ['an endpoint that is no pattern', { endpoints: ['GET /v1/customers', 'everything'] }, 'endpoints.allow.1'],
  ['an endless life', { expiresIn: 0 }, 'expiresIn'],
  ['a life that was over before it began', { expiresIn: -1 }, 'expiresIn'],
  ['milliseconds for seconds', { expiresIn: 14_400_000 }, 'expiresIn'],
  ['no life at all', { expiresIn: null }, 'expiresIn'],
  ['a rate without end', { rateLimitPerMinute: 0 }, 'rateLimitPerMinute'],
  ['a negative cap', { daily_cap_usd: '-5.00' }, 'daily_cap_usd'],
  ['a field that a narrowing has and a token has not', { permit: ['credential'] }, ''],
  ['a policy of its own', { policy: 'policy-1' }, ''],
  ['a mode of its own', { mode: 'observe' }, ''],
  ['a right to issue of its own', { issue: { max_children: 1000 } }, ''],
])('a token that names %s is refused by field', async (_what, scope, path) => {
  const answer = await ask(one.key, scope)
  expect([answer.status, answer.body.code, answer.body.errors[0].path]).toEqual([400, 'invalid', path])
  // The operator is told the same.
  expect((await world.admin('POST', `/keys/${one.id}/tokens`, scope)).body.errors[0].path).toBe(path)
})

test('what has a size is never larger than above, whatever a token asks for', async () => {
  const parent = await limited()
  const wish = { daily_cap_usd: '900.00', max_amount_usd: '900.00', rateLimitPerMinute: 9_000, expiresIn: '30d' }
  const { body } = await ask(parent.key, { ...wish, endpoints: ['* *'], allowedMethods: ['GET', 'POST', 'DELETE'] })
  expect(body.scope).toMatchObject({
    daily_cap_usd: '20.00',
    max_amount_usd: { stripe: '5.00' },
    rateLimitPerMinute: 60,
  })
  expect(Date.parse(body.expires_at)).toBeLessThanOrEqual(world.clock.now() + 3 * HOUR)
  expect(codeOf(await pay(world, body.key, 501))).toBe('amount_over_limit')
  expect(codeOf(await world.call(body.key, 'GET', '/stripe/v1/balance'))).toBe('operation_not_allowed')
  for (let i = 0; i < 4; i++) expect((await pay(world, body.key, 500)).status).toBe(200)
  expect(codeOf(await pay(world, body.key, 1))).toBe('daily_cap_exceeded')
  // Another token begins where the first one ended.
  const next = (await ask(parent.key, wish)).body
  expect(codeOf(await pay(world, next.key, 1))).toBe('daily_cap_exceeded')
})

test('a token of a token has no more than the token', async () => {
  const parent = await limited()
  const reader = (await ask(parent.key, { allowedMethods: ['GET'], endpoints: ['* /v1/customers/*'], expiresIn: '1h' }))
    .body
  const child = (await ask(reader.key, { allowedMethods: ['POST', 'GET'], endpoints: ['* *'], expiresIn: '3h' })).body
  expect(Date.parse(child.expires_at)).toBeLessThanOrEqual(Date.parse(reader.expires_at))
  expect((await world.call(child.key, 'GET', '/stripe/v1/customers/cus_A')).status).toBe(200)
  expect(codeOf(await world.call(child.key, 'GET', '/stripe/v1/customers'))).toBe('operation_not_allowed')
  expect(codeOf(await pay(world, child.key, 100))).toBe('operation_not_allowed')
})

test('a token has what was allowed when it was issued: a newer policy opens nothing, a narrowed parent closes', async () => {
  const parent = await limited()
  const { key } = (await ask(parent.key, {})).body
  const { policy } = await world.must('GET', `/keys/${parent.id}`)
  const { document } = await world.must('GET', `/policies/${policy.split('@')[0]}`)
  await world.must('POST', '/policies', { ...document, vendors: { stripe: { endpoints: { allow: ['* *'] } } } })
  expect(codeOf(await world.call(key, 'GET', '/stripe/v1/balance'))).toBe('operation_not_allowed')
  expect((await world.call(key, 'GET', '/stripe/v1/customers/cus_A')).status).toBe(200)
  await world.must('POST', `/keys/${parent.id}/narrow`, { vendors: { stripe: { endpoints: { allow: ['POST *'] } } } })
  expect(codeOf(await world.call(key, 'GET', '/stripe/v1/customers/cus_A'))).toBe('operation_not_allowed')
  await world.must('POST', `/keys/${parent.id}/narrow`, { issue: { max_children: 0 } })
  expect((await ask(parent.key, {})).body.code).toBe('too_many_children')
})

test('an idempotency key of the parent’s call brings its token nothing that it may not do', async () => {
  const parent = await limited()
  const once = { 'idempotency-key': 'order-17' }
  expect((await pay(world, parent.key, 300, once)).status).toBe(200)
  const { key } = (await ask(parent.key, { max_amount_usd: '1.00' })).body
  expect(codeOf(await pay(world, key, 300, once))).toBe('amount_over_limit')
})

test('only vault keys issue tokens', async () => {
  const asked = async (authorization: string): Promise<unknown[]> => {
    const answer = await ask('', {}, { authorization })
    expect(answer.text).not.toContain('CANARY')
    return [answer.status, answer.body.code, answer.headers['content-type']]
  }
  const type = 'application/problem+json'
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`
  for (const real of [
    `Bearer ${REAL.stripe}`,
    `Bearer ${REAL.resend}`,
    basic(`${REAL.twilioKey}:${REAL.twilioSecret}`),
  ])
    expect(await asked(real)).toEqual([401, 'real_key_presented', type])
  for (const other of [`Bearer ${REAL.admin}`, 'Bearer vault_live_0', 'Digest x', basic('a:b')])
    expect((await asked(other)).slice(0, 1)).toEqual([401])
  expect((await ask('', {}, { authorization: `Bearer ${REAL.admin}` })).body.code).toBe('key_unknown')
})

test('a request that reads two ways issues nothing', async () => {
  const { key } = await limited()
  const twice = '{"allowedMethods":["GET"],"allowedMethods":["POST"]}'
  expect([(await ask(key, twice)).status, (await ask(key, '{"expiresIn":1e3}')).status]).toEqual([400, 400])
  expect((await ask(key, '[]')).status).toBe(400)
  expect((await ask(key, 'allowedMethods=GET', { 'content-type': 'application/x-www-form-urlencoded' })).status).toBe(
    400,
  )
  expect((await ask(key, JSON.stringify({ name: 'x'.repeat(70_000) }))).status).toBe(413)
  const doubled = await world.raw(
    `POST /tokens HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\nAuthorization: Bearer ${key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  )
  expect(doubled).toMatch(/^HTTP\/1\.1 4/)
  expect(doubled).toContain('request_ambiguous')
})

test('the path is no vendor’s, and a vendor’s host keeps it', async () => {
  const { key } = await limited()
  expect((await world.call(key, 'GET', '/tokens')).status).toBe(404)
  expect((await ask(key, {}, {}, '/tokens?allowedMethods=GET')).status).toBe(404)
  expect((await ask(key, {}, {}, '/tokens/')).status).toBe(404)
  const led = await world.call(key, 'POST', '/tokens', undefined, { host: 'api.stripe.com' })
  expect([led.status, codeOf(led)]).toEqual([403, 'operation_unknown'])
})
