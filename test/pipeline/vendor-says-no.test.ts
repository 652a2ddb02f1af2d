import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startStripe } from '../../fixtures/simulators/index.js'
import { formatUsd } from '../../src/contracts/money.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { books, callIdOf, codeOf, moved, pay, payment, rowOf, spentBy, startWorld } from './given.js'

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  key = await world.key({ daily_cap_usd: '1.00' })
})
beforeEach(() => {
  world.stripe.faults.length = 0
})
afterAll(async () => {
  await books(world)
  await world.close()
})

describe('when it is certain that nothing happened, the whole amount is released', () => {
  test('a card is declined', async () => {
    const answer = await world.call(
      key.key,
      'POST',
      '/stripe/v1/payment_intents',
      payment(100, { payment_method: 'pm_card_chargeDeclined' }),
    )
    expect([answer.status, answer.body.error.code]).toEqual([402, 'card_declined'])
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({
      state: 'released',
      reserved_usd: '1.00',
      settled_usd: '0.00',
      upstream: { status: 402 },
    })
    expect(await spentBy(world, key.id)).toBe('0.00')
  })

  test.each([400, 401, 403, 404, 429])('the vendor answers %i', async (status) => {
    world.stripe.fault('POST /v1/payment_intents', { do: 'status', status, applies: false })
    const answer = await pay(world, key.key, 100)
    expect([answer.status, codeOf(answer)]).toEqual([status, null])
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'released', settled_usd: '0.00' })
    expect(await spentBy(world, key.id)).toBe('0.00')
  })

  test('the vendor’s own rate limit keeps its Retry-After', async () => {
    world.stripe.fault('POST /v1/payment_intents', { do: 'status', status: 429, applies: false })
    expect((await pay(world, key.key, 100)).headers['retry-after']).toBe('1')
  })

  test('nobody listens at the vendor’s address', async () => {
    const { port, origin } = world.stripe
    await world.stripe.close()
    const answers = await Promise.all([pay(world, key.key, 60), pay(world, key.key, 40)])
    for (const answer of answers) {
      expect([answer.status, codeOf(answer)]).toEqual([502, 'upstream_unavailable'])
      expect(answer.body.error.message).toMatch(/Nothing was sent/)
      expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'released', settled_usd: '0.00' })
    }
    world.stripe = await startStripe({ keys: [REAL.stripe], now: () => world.clock.now(), port })
    world.stripe.seed()
    expect(world.stripe.origin).toBe(origin)
  })
})

test('so the cap is whole again for what does happen', async () => {
  expect((await pay(world, key.key, 100)).status).toBe(200)
  expect(await spentBy(world, key.id)).toBe(formatUsd(moved(world)))
  expect(codeOf(await pay(world, key.key, 1))).toBe('daily_cap_exceeded')
})

test('what was released under an idempotency key counts when the same request comes again and is taken', async () => {
  const retrying = await world.key({ daily_cap_usd: '1.00' })
  const headers = { 'idempotency-key': 'again' }
  world.stripe.fault('POST /v1/payment_intents', { do: 'status', status: 429, applies: false })
  expect((await pay(world, retrying.key, 100, headers)).status).toBe(429)
  expect((await pay(world, retrying.key, 100, headers)).status).toBe(200)
  expect(await spentBy(world, retrying.id)).toBe('1.00')
})

test('of twins under one idempotency key that run at once, whichever the vendor takes is counted', async () => {
  const before = moved(world)
  const twins = await world.key({ daily_cap_usd: '20.00' })
  for (let i = 0; i < 20; i++) {
    const headers = { 'idempotency-key': `twin-${i}` }
    world.stripe.fault('POST /v1/payment_intents', { do: 'status', status: 429, applies: false })
    await Promise.all([pay(world, twins.key, 100, headers), pay(world, twins.key, 100, headers)])
  }
  expect(await spentBy(world, twins.id)).toBe(formatUsd((moved(world) - before) as ReturnType<typeof moved>))
})
