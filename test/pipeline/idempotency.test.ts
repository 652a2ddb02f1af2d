import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { Answer, World } from '../helpers/world.js'
import {
  books,
  callIdOf,
  codeOf,
  HOUR,
  moved,
  pay,
  payment,
  rowOf,
  seenBy,
  spentBy,
  startWorld,
  travel,
} from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const once = { 'idempotency-key': 'order-1' }

test('the same request under the same key counts once, and the vendor sees one key, not the agent’s', async () => {
  const key = await world.key({ daily_cap_usd: '1.00' })
  const { result, requests } = await seenBy(world.stripe, async (): Promise<[Answer, Answer]> => [
    await pay(world, key.key, 100, once),
    await pay(world, key.key, 100, once),
  ])
  const [first, second] = result
  expect([first.status, second.status]).toEqual([200, 200])
  expect(second.body.id).toBe(first.body.id)
  expect(second.headers['idempotent-replayed']).toBe('true')
  expect(await rowOf(world, callIdOf(first))).toMatchObject({
    replay_of: null,
    quoted_usd: '1.00',
    settled_usd: '1.00',
  })
  expect(await rowOf(world, callIdOf(second))).toMatchObject({
    replay_of: callIdOf(first),
    quoted_usd: '0.00',
    settled_usd: '0.00',
    state: 'settled',
  })
  expect(await spentBy(world, key.id)).toBe('1.00')
  const seen = requests.map(({ idempotencyKey }) => idempotencyKey)
  expect(seen).toEqual([expect.stringMatching(/^[\x21-\x7e]{16,255}$/), seen[0]])
  expect(seen[0]).not.toContain('order-1')
})

test('the same request written with other escapes is the same request', async () => {
  const key = await world.key()
  const first = await world.call(key.key, 'POST', '/stripe/v1/refunds', 'charge=ch_A&amount=100', once)
  const spaced = await world.call(key.key, 'POST', '/stripe/v1/refunds', 'charge=%63h_A&amount=100', once)
  expect([first.status, spaced.status]).toEqual([200, 200])
  expect(await rowOf(world, callIdOf(spaced))).toMatchObject({ replay_of: callIdOf(first) })
  expect(await spentBy(world, key.id)).toBe('1.00')
})

test.each([
  { what: 'another amount', path: '/stripe/v1/payment_intents', body: payment(101) },
  { what: 'another path', path: '/stripe/v1/charges', body: { amount: '100', currency: 'usd', customer: 'cus_A' } },
  { what: 'another parameter', path: '/stripe/v1/payment_intents', body: payment(100, { description: 'x' }) },
])('another request under the same key is refused and not sent: $what', async ({ path, body }) => {
  const key = await world.key()
  await pay(world, key.key, 100, once)
  const { result, requests } = await seenBy(world.stripe, () => world.call(key.key, 'POST', path, body, once))
  expect([result.status, codeOf(result)]).toEqual([403, 'idempotency_mismatch'])
  expect(requests).toHaveLength(0)
  expect(await spentBy(world, key.id)).toBe('1.00')
})

test('two vault keys that use the same key do not meet', async () => {
  const [one, two] = [await world.key(), await world.key()]
  const { result, requests } = await seenBy(world.stripe, async (): Promise<Answer[]> => [
    await pay(world, one.key, 100, once),
    await pay(world, two.key, 250, once),
  ])
  expect(result.map(({ status }) => status)).toEqual([200, 200])
  expect(new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2)
  expect([await spentBy(world, one.id), await spentBy(world, two.id)]).toEqual(['1.00', '2.50'])
})

test('a call without a key gets one of its own, so that two equal calls are two payments', async () => {
  const key = await world.key()
  const { requests } = await seenBy(world.stripe, async () => {
    await pay(world, key.key, 100)
    await pay(world, key.key, 100)
  })
  expect(new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(2)
  expect(await spentBy(world, key.id)).toBe('2.00')
})

test('a refused call leaves its key free', async () => {
  const key = await world.key({ vendors: { stripe: { endpoints: { allow: ['* *'] }, max_amount_usd: '1.00' } } })
  expect(codeOf(await pay(world, key.key, 101, once))).toBe('amount_over_limit')
  expect((await pay(world, key.key, 100, once)).status).toBe(200)
})

test('a replay goes through where the cap is full, for it adds nothing', async () => {
  const key = await world.key({ daily_cap_usd: '1.00' })
  await pay(world, key.key, 100, once)
  expect(codeOf(await pay(world, key.key, 1))).toBe('daily_cap_exceeded')
  expect((await pay(world, key.key, 100, once)).status).toBe(200)
})

test('after a day the vendor has forgotten the key, and the same request is another payment', async () => {
  const key = await world.key({ daily_cap_usd: '1.00' })
  const first = await pay(world, key.key, 100, once)
  travel(world, 25 * HOUR)
  const second = await pay(world, key.key, 100, once)
  expect(second.body.id).not.toBe(first.body.id)
  expect(await rowOf(world, callIdOf(second))).toMatchObject({
    replay_of: null,
    quoted_usd: '1.00',
    settled_usd: '1.00',
  })
  expect(await spentBy(world, key.id)).toBe('2.00')
})

test('a hundred twins at once are one payment', async () => {
  const key = await world.key({ daily_cap_usd: '1.00' })
  const answers = await Promise.all(Array.from({ length: 100 }, () => pay(world, key.key, 100, once)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1)
  expect(await spentBy(world, key.id)).toBe('1.00')
})

test('what a vendor repeats from before an object was raised takes nothing off what the raise counted', async () => {
  const key = await world.key()
  const again = { 'idempotency-key': 'order-of-yesterday' }
  const draft = 'amount=100&currency=usd&customer=cus_A'
  const create = (): Promise<Answer> => world.call(key.key, 'POST', '/stripe/v1/payment_intents', draft, again)
  const made = await create()
  const raised = await world.call(key.key, 'POST', `/stripe/v1/payment_intents/${made.body.id}`, 'amount=1000')
  expect(await spentBy(world, key.id)).toBe('10.00')
  // We count on a key for 23 hours, and the vendor for 24.
  travel(world, 23.5 * HOUR)
  const repeated = await create()
  expect(repeated.headers['idempotent-replayed']).toBe('true')
  expect(repeated.body).toMatchObject({ id: made.body.id, amount: 100 })
  expect(await rowOf(world, callIdOf(repeated))).toMatchObject({ replay_of: null, settled_usd: '0.00' })
  const counted = async (): Promise<string[]> =>
    Promise.all([made, raised].map(async (each) => (await rowOf(world, callIdOf(each))).settled_usd as string))
  expect(await counted()).toEqual(['1.00', '9.00'])
  await world.call(key.key, 'POST', `/stripe/v1/payment_intents/${made.body.id}/cancel`)
  expect(await counted()).toEqual(['0.00', '0.00'])
})
