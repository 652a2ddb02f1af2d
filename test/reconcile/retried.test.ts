import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Endpoint } from '../../fixtures/simulators/stripe/by-itself.js'
import type { World } from '../helpers/world.js'
import { movementsOf, spentByKey, toldWorld } from './told.js'

let world: World
let endpoint: Endpoint
beforeEach(async () => {
  ;({ world, endpoint } = await toldWorld())
})
afterEach(() => world.close())

test('what was turned away and then retried under its own key counts once, though both went out under that key', async () => {
  const key = await world.key()
  const refund = (): ReturnType<World['call']> =>
    world.call(
      key.key,
      'POST',
      '/stripe/v1/refunds',
      { charge: 'ch_A', amount: '1000' },
      { 'idempotency-key': 'retried-1' },
    )
  world.stripe.fault('POST /v1/refunds', { do: 'status', status: 429, applies: false })
  expect((await refund()).status).toBe(429)
  expect((await refund()).status).toBe(200)
  await endpoint.deliver()
  expect(await movementsOf(world)).toEqual([])
  expect(await spentByKey(world)).toEqual({ [key.id]: '10.00' })
  expect(await world.verified()).toEqual([])
})
