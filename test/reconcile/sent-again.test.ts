import { afterEach, beforeEach, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, HOUR, moved, pay, rowOf, seenBy, startWorld } from '../pipeline/given.js'

/** Sending again may execute what the vendor never got: whatever stops a call now stops that too. */
let world: World
let key: IssuedKey
beforeEach(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '2000' })
  key = await world.key({ daily_cap_usd: '50.00' })
})
afterEach(() => world.close())

async function lost(minor: number): Promise<string> {
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
  const id = callIdOf(await pay(world, key.key, minor))
  expect(await rowOf(world, id)).toMatchObject({ state: 'assumed' })
  return id
}

test('while the clock is in doubt nothing is sent again: nobody knows how old the key is', async () => {
  await lost(700)
  world.clock.suspect = () => 'The clock jumped.'
  const { result, requests } = await seenBy(world.stripe, () => world.must('POST', '/reconcile', { replay: true }))
  expect(requests.filter(({ method }) => method === 'POST')).toEqual([])
  expect(result.calls).toMatchObject([{ outcome: 'still_assumed', why: expect.stringMatching(/The clock jumped/) }])
  expect(moved(world)).toBe(0n)
})

test('what the operator has released while others were sent again is not sent any more', async () => {
  const first = await lost(700)
  const second = await lost(800)
  world.stripe.lateEvents(HOUR)
  const hang = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
  const running = world.must('POST', '/reconcile', { replay: true })
  await hang.struck
  await world.must('POST', `/calls/${second}/resolve`, { outcome: 'released', reason: 'Not in the dashboard.' })
  hang.release()
  await running
  expect(moved(world)).toBe(7_000_000n)
  expect(await rowOf(world, second)).toMatchObject({ state: 'released' })
  world.stripe.lateEvents(0)
  await world.must('POST', '/reconcile')
  expect(await rowOf(world, first)).toMatchObject({ state: 'settled', settled_usd: '7.00' })
  expect(await books(world)).toEqual({ spent: '7.00', held: '0.00' })
})
