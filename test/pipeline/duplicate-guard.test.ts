import { afterAll, beforeAll, expect, test } from 'vitest'
import { World } from '../helpers/world.js'

let world: World
beforeAll(async () => {
  world = await World.start()
  world.stripe.seed()
})
afterAll(() => world.close())

const refund = { charge: 'ch_A', amount: '300' }

test('an identical write within the window is a duplicate; another run, another amount and a retry under its own key are not', async () => {
  const { key } = await world.key({ duplicate_guard: { within: '10m' } })
  const send = (run: string, body: Record<string, string>, headers: Record<string, string> = {}) =>
    world.call(`rk_${key}`, 'POST', '/v1/refunds', body, { 'x-agent-run-id': run, ...headers })
  expect((await send('run_a', refund, { 'idempotency-key': 'once' })).status).toBe(200)
  const again = await send('run_a', refund)
  expect([again.status, again.body.error.code]).toEqual([403, 'duplicate_call'])
  expect((await send('run_a', refund, { 'idempotency-key': 'once' })).status).toBe(200)
  expect((await send('run_b', refund)).status).toBe(200)
  expect((await send('run_a', { ...refund, amount: '301' })).status).toBe(200)
  world.clock.aheadMs += 10 * 60_000
  expect((await send('run_a', refund)).status).toBe(200)
  expect(await world.verified()).toEqual([])
})

test('the guard remembers across a restart, and forgets what was released', async () => {
  const { key } = await world.key({ duplicate_guard: { within: '10m' } })
  const send = (body: Record<string, string>) =>
    world.call(`rk_${key}`, 'POST', '/v1/refunds', body, { 'x-agent-run-id': 'run_c' })
  expect((await send({ charge: 'ch_B', amount: '100' })).status).toBe(200)
  await world.server.stop()
  await world.serve()
  expect((await send({ charge: 'ch_B', amount: '100' })).body.error.code).toBe('duplicate_call')
  world.stripe.fault('POST /v1/refunds', { do: 'status', status: 402, applies: false })
  expect((await send({ charge: 'ch_B', amount: '101' })).status).toBe(402)
  expect((await send({ charge: 'ch_B', amount: '101' })).status).toBe(200)
})
