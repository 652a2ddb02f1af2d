import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, codeOf, MINUTE, pay, seenBy, startWorld, travel } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const read = (key: string): Promise<Answer> => world.call(key, 'GET', '/stripe/v1/customers/cus_A')
const limited = (perMinute: number): Promise<IssuedKey> => world.key({ rate_limit: { per_minute: perMinute } })

test('one call too many a minute is refused with the seconds to wait, and goes through after them', async () => {
  const key = await limited(3)
  expect((await read(key.key)).status).toBe(200)
  travel(world, 20_000)
  expect((await read(key.key)).status).toBe(200)
  expect((await read(key.key)).status).toBe(200)
  const { result, requests, connections } = await seenBy(world.stripe, () => read(key.key))
  expect([result.status, codeOf(result), result.headers['retry-after']]).toEqual([429, 'rate_limited', '40'])
  expect({ requests: requests.length, connections }).toEqual({ requests: 0, connections: 0 })
  travel(world, 38_000)
  expect(codeOf(await read(key.key))).toBe('rate_limited')
  travel(world, 2_000)
  expect((await read(key.key)).status).toBe(200)
  expect(codeOf(await read(key.key))).toBe('rate_limited')
  travel(world, MINUTE)
  for (let i = 0; i < 3; i++) expect((await read(key.key)).status).toBe(200)
})

test('of a thousand calls at once exactly as many arrive as the rate allows', async () => {
  const key = await limited(25)
  const { result, requests } = await seenBy(world.stripe, () =>
    Promise.all(Array.from({ length: 1_000 }, () => read(key.key))),
  )
  expect(result.filter(({ status }) => status === 200)).toHaveLength(25)
  expect(result.filter((answer) => codeOf(answer) === 'rate_limited')).toHaveLength(975)
  expect(requests).toHaveLength(25)
})

test('look-ups of calls that race are within the rate too', async () => {
  const key = await limited(5)
  const { requests } = await seenBy(world.stripe, () =>
    Promise.all(
      Array.from({ length: 50 }, () =>
        world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1' }),
      ),
    ),
  )
  expect(requests.filter(({ method }) => method === 'GET')).toHaveLength(5)
  expect(requests.filter(({ method }) => method === 'POST')).toHaveLength(5)
})

test('children draw on their parent’s rate', async () => {
  const parent = await limited(2)
  const child: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, {})
  expect((await read(child.key)).status).toBe(200)
  expect((await read(parent.key)).status).toBe(200)
  expect(codeOf(await read(child.key))).toBe('rate_limited')
  expect(codeOf(await read(parent.key))).toBe('rate_limited')
})

test('what is refused before the rate is asked does not use it up; what is refused after it does', async () => {
  const key = await world.key({
    rate_limit: { per_minute: 2 },
    vendors: { stripe: { endpoints: { allow: ['* *'], deny: ['POST /v1/charges'] }, max_amount_usd: '1.00' } },
  })
  for (let i = 0; i < 5; i++) {
    expect(
      codeOf(
        await world.call(key.key, 'POST', '/stripe/v1/charges', { amount: '100', currency: 'usd', customer: 'cus_A' }),
      ),
    ).toBe('operation_not_allowed')
    expect(codeOf(await world.call(key.key, 'GET', '/stripe/v1/nothing'))).toBe('operation_unknown')
  }
  expect(codeOf(await pay(world, key.key, 101))).toBe('amount_over_limit')
  expect(codeOf(await pay(world, key.key, 101))).toBe('amount_over_limit')
  expect(codeOf(await read(key.key))).toBe('rate_limited')
})
