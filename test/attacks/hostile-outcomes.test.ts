import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, pay, rowOf, startWorld } from '../pipeline/given.js'

/** What a vendor answers is booked. Whatever it says, the next call is booked too, and nothing is lost of this one. */
let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '600' })
  key = await world.key({ daily_cap_usd: '100.00' })
})
afterAll(() => world.close())

const INTENT = {
  id: 'pi_hostile',
  object: 'payment_intent',
  amount: 700,
  amount_received: 700,
  currency: 'usd',
  status: 'succeeded',
  customer: 'cus_A',
}

describe.each([
  ['an amount that no sum can hold', { amount: Number.MAX_SAFE_INTEGER, amount_received: Number.MAX_SAFE_INTEGER }],
  ['an id with a zero byte in it', { id: 'pi_\u0000' }],
  ['an id that is half a character', { id: 'pi_\ud800' }],
  ['an id of a hundred thousand characters', { id: `pi_${'x'.repeat(100_000)}` }],
])('a success with %s', (_, change) => {
  test('counts what was reserved, and the next call is let through', async () => {
    const body = JSON.stringify({ ...INTENT, ...change })
    const head = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`
    world.stripe.fault('POST /v1/payment_intents', { do: 'raw', bytes: head + body, applies: true })
    const told = await pay(world, key.key, 700)
    expect((await pay(world, key.key, 100)).status).toBe(200)
    expect(await rowOf(world, callIdOf(told))).toMatchObject({ settled_usd: '7.00' })
    await world.must('POST', '/reconcile')
    expect(await rowOf(world, callIdOf(told))).toMatchObject({ state: 'settled', settled_usd: '7.00' })
    expect((await books(world)).held).toBe('0.00')
  })
})
