import { afterEach, beforeEach, expect, test } from 'vitest'
import type { World } from '../helpers/world.js'
import { callIdOf, pay, rowOf } from '../pipeline/given.js'
import { link, movementsOf, reconciled, spentByKey, toldWorld } from './told.js'
import type { Endpoint } from '../../fixtures/simulators/stripe/by-itself.js'

/** Amounts beyond what the ledger's sums can hold: whoever names them, they stop nothing else from being booked. */
let world: World
let endpoint: Endpoint
beforeEach(async () => {
  ;({ world, endpoint } = await toldWorld())
})
afterEach(() => world.close())

test('a movement of an absurd amount is named without one, and what comes after it is booked', async () => {
  const key = await world.key()
  const id = await link(world, key)
  const refund = world.stripe.byItself.refundAtDashboard('ch_A', 100)
  for (const event of world.stripe.state.events.values())
    if (event.type === 'refund.created') Object.assign(event.data.object, { amount: Number.MAX_SAFE_INTEGER })
  world.stripe.byItself.payLink(id)
  world.stripe.byItself.payLink(id)
  const told = await endpoint.deliver()
  expect(told.map(({ status }) => status).filter((status) => status !== 200)).toEqual([])
  expect(await spentByKey(world)).toEqual({ [key.id]: '18.00' })
  expect(await movementsOf(world, '?explained=false')).toMatchObject([{ id: refund.id, amount_usd: null }])
  expect((await reconciled(world)).faults).toEqual([])
  expect(await world.verified()).toEqual([])
})

test('an operator’s slip by some digits is refused, and the word can be given again', async () => {
  const key = await world.key()
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
  const id = callIdOf(await pay(world, key.key, 700))
  expect(await rowOf(world, id)).toMatchObject({ state: 'assumed' })
  const slip = { outcome: 'settled', amount_usd: '700000000000.00', reason: 'A slip.' }
  expect((await world.admin('POST', `/calls/${id}/resolve`, slip)).status).toBe(400)
  const word = { outcome: 'settled', amount_usd: '7000.00', reason: 'Invoice 77.' }
  expect((await world.admin('POST', `/calls/${id}/resolve`, word)).body).toMatchObject({ settled_usd: '7000.00' })
  expect((await world.admin('POST', `/calls/${id}/resolve`, word)).status).toBe(409)
})
