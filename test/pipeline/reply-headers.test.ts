import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer, World } from '../helpers/world.js'
import { basic, books, pay, rowOf, startWorld } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const own = ({ headers }: Answer): Record<string, unknown> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-spendgate-')))

test('an allowed call says which call it was and what the tightest budget still has', async () => {
  const key = await world.key({ daily_cap_usd: '10.00', budgets: [{ per: 'run', cap_usd: '3.00' }] })
  const answer = await pay(world, key.key, 125)
  const { id } = (await world.calls(`&key=${key.id}`))[0]
  expect(own(answer)).toEqual({
    'x-spendgate-call-id': id,
    'x-spendgate-decision': 'allow',
    'x-spendgate-remaining-usd': '1.75',
  })
  const read = await world.call(key.key, 'GET', '/stripe/v1/customers/cus_A')
  expect(own(read)).toMatchObject({ 'x-spendgate-decision': 'allow', 'x-spendgate-remaining-usd': '1.75' })
})

test('a refusal adds its code, and what is left is what was left before', async () => {
  const key = await world.key({ daily_cap_usd: '2.00' })
  const answer = await pay(world, key.key, 201)
  const { id } = (await world.calls(`&key=${key.id}`))[0]
  expect(own(answer)).toEqual({
    'x-spendgate-call-id': id,
    'x-spendgate-decision': 'deny',
    'x-spendgate-code': 'daily_cap_exceeded',
    'x-spendgate-remaining-usd': '2.00',
  })
})

test('what observing would have refused is said, and the call goes through', async () => {
  const key = await world.key({ mode: 'observe', daily_cap_usd: '1.00' })
  const answer = await pay(world, key.key, 150)
  expect(answer.status).toBe(200)
  expect(own(answer)).toMatchObject({ 'x-spendgate-decision': 'would_deny', 'x-spendgate-remaining-usd': '0.00' })
})

test('without a known key there is a call id to ask about, and no word of money', async () => {
  const answer = await world.call('vault_live_nonsense', 'GET', '/stripe/v1/charges')
  expect(own(answer)).toEqual({
    'x-spendgate-call-id': expect.stringMatching(/^call_/),
    'x-spendgate-decision': 'deny',
    'x-spendgate-code': 'key_unknown',
  })
})

test('a reply of the vendor keeps its request id and loses what only the vendor’s account should see', async () => {
  const key = await world.key()
  const { headers } = await world.call(key.key, 'GET', '/stripe/v1/customers/cus_A')
  expect(headers['request-id']).toMatch(/^req_/)
  const row = await rowOf(world, headers['x-spendgate-call-id'] as string)
  expect(row.upstream).toMatchObject({ status: 200, request_id: headers['request-id'] })
})

test.each([
  { vendor: 'stripe', path: '/stripe/v1/nothing', said: ({ error }: any) => [error.type, error.code, error.message] },
  {
    vendor: 'twilio',
    path: '/twilio/2010-04-01/Nothing.json',
    said: (body: any) => [body.code, body.details.code, body.message],
  },
  { vendor: 'resend', path: '/resend/nothing', said: (body: any) => [body.statusCode, body.name, body.message] },
] as const)(
  '$vendor: a refusal has the vendor’s own shape, and its status stands in it too',
  async ({ vendor, path, said }) => {
    const key = await world.key({}, { vendors: [vendor] })
    const answer = await world.call(key.key, 'GET', path)
    const first = { stripe: 'invalid_request_error', twilio: 20403, resend: 403 }[vendor]
    expect(answer.headers['content-type']).toContain('application/json')
    expect(said(answer.body)).toEqual([
      first,
      'operation_unknown',
      expect.stringMatching(/^operation_unknown: .*Do not retry\.$/),
    ])
    expect(answer.body.status ?? answer.body.statusCode ?? 403).toBe(answer.status)
  },
)

test('Retry-After stands on a rate limit, in seconds', async () => {
  for (const vendor of ['stripe', 'twilio', 'resend'] as const) {
    const key = await world.key({ rate_limit: { per_minute: 1 } }, { vendors: [vendor] })
    const path = {
      stripe: '/v1/balance',
      twilio: `/2010-04-01/Accounts/${world.twilio.accountSid}/Balance.json`,
      resend: '/domains',
    }[vendor]
    const headers = vendor === 'twilio' ? basic(world.twilio.accountSid, key.key) : {}
    expect((await world.call(key.key, 'GET', `/${vendor}${path}`, undefined, headers)).status).toBe(200)
    const answer = await world.call(key.key, 'GET', `/${vendor}${path}`, undefined, headers)
    expect([answer.status, answer.headers['retry-after']]).toEqual([vendor === 'twilio' ? 403 : 429, '60'])
  }
})
