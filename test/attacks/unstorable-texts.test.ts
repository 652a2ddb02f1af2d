import { randomBytes } from 'node:crypto'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, pay, payment, startWorld } from '../pipeline/given.js'

/** What an agent writes stands in rows. Whatever it writes, its call gets an answer and everybody else's goes on. */
let world: World
let key: IssuedKey
let other: IssuedKey
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '600' })
  key = await world.key({ daily_cap_usd: '100.00' })
  other = await world.key({ daily_cap_usd: '100.00' })
})
afterAll(async () => {
  await books(world)
  await world.close()
})

// Random, or an index would take it compressed.
const LONG = randomBytes(3_000).toString('hex')

test.each([
  ['a customer with a zero byte', 'POST', '/stripe/v1/payment_intents', payment(100, { customer: 'cus_\u0000' }), {}],
  ['a long customer', 'POST', '/stripe/v1/payment_intents', payment(100, { customer: `cus_${LONG}` }), {}],
  ['a charge with a zero byte', 'POST', '/stripe/v1/refunds', { charge: 'ch_\u0000' }, {}],
  ['a long charge', 'POST', '/stripe/v1/refunds', { charge: `ch_${LONG}`, amount: '1' }, {}],
  ['a long id in the path', 'POST', `/stripe/v1/payment_intents/pi_${LONG}/capture`, {}, {}],
  ['a long reason', 'POST', '/stripe/v1/payment_intents', payment(100), { 'x-agent-reason': LONG }],
  ['a long run', 'POST', '/stripe/v1/payment_intents', payment(100), { 'x-agent-run-id': LONG }],
  ['a parameter cut in a character', 'POST', '/stripe/v1/refunds', { [`${'x'.repeat(59)}😀`]: '1' }, {}],
  ['a long key', 'POST', '/stripe/v1/payment_intents', payment(100), { 'idempotency-key': LONG }],
])('%s stops no other call', async (_, method, path, form, headers) => {
  const told = world.call(key.key, method, path, form, headers)
  const beside = pay(world, other.key, 100)
  const [answer, next] = await Promise.all([told, beside])
  expect([next.status, answer.status === 503]).toEqual([200, false])
  expect((await pay(world, other.key, 100)).status).toBe(200)
})

test.each([
  ['a reason with a zero byte', { reason: 'because \u0000' }, {}],
  ['a reason that is cut in the middle of a character', { reason: `${'x'.repeat(499)}😀` }, {}],
  ['a reason that ends in half a character', { reason: 'because \ud83d' }, {}],
  ['a customer with a zero byte', {}, { customer: 'cus_\u0000' }],
  ['a parameter that is cut in the middle of a character', {}, { [`${'x'.repeat(59)}😀`]: '1' }],
  ['a description that is half a character', {}, { description: '\ud83d' }],
])('%s, said over MCP, stops no other call', async (_, more, params) => {
  const said = { amount: 100, currency: 'usd', customer: 'cus_A', payment_method: 'pm_card_visa', ...params }
  const told = request(`${world.url}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key.key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-06-18',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'execute', arguments: { method: 'POST', path: '/v1/payment_intents', params: said, ...more } },
    }),
  }).then(({ body }) => body.text())
  const beside = pay(world, other.key, 100)
  expect([(await beside).status, /ledger_unavailable/.test(await told)]).toEqual([200, false])
  expect((await pay(world, other.key, 100)).status).toBe(200)
})

test('a field cut in the middle of a character, which the refusal quotes, leaves the book sound', async () => {
  const mailer = await world.key({}, { vendors: ['resend'] })
  const reply = await request(`${world.url}/resend/emails`, {
    method: 'POST',
    headers: { authorization: `Bearer ${mailer.key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ from: 'a@acme.com', to: 'b@acme.com', subject: 'Hi', [`${'x'.repeat(59)}😀`]: 1 }),
  })
  expect([reply.statusCode, await reply.body.text()]).toEqual([403, expect.stringContaining('is not known')])
  expect(await world.verified()).toEqual([])
})
