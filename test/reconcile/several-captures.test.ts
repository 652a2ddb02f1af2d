import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { callIdOf, payment, rowOf, startWorld } from '../pipeline/given.js'

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  await world.must('PUT', '/rates', {
    as_of: new Date(world.clock.now()).toISOString().slice(0, 10),
    usd_per: { eur: '1.20' },
    haircut: '0.03',
    max_age_days: 30,
  })
  key = await world.key({ daily_cap_usd: '100.00' })
})
afterAll(() => world.close())

test('a payment that may be captured in parts keeps its estimate: each part has a booking, and the charge names one', async () => {
  const form = payment(2000, { currency: 'eur', capture_method: 'manual' })
  const made = await world.call(key.key, 'POST', '/stripe/v1/payment_intents', form)
  const path = `/stripe/v1/payment_intents/${made.body.id}/capture`
  expect((await world.call(key.key, 'POST', path, { amount_to_capture: '2000' })).status).toBe(200)
  const charge = [...world.stripe.state.charges.values()].find(
    ({ payment_intent: intent }) => intent === made.body.id,
  ) as any
  // Its first part came to 1 EUR, and its second to the other 19.
  charge.payment_method_details = { type: 'card', card: { multicapture: { status: 'available' } } }
  charge.balance_transaction = { id: 'txn_first', object: 'balance_transaction', amount: 109, currency: 'usd' }
  const report = await world.must('POST', '/reconcile')
  expect(report.calls).toMatchObject([
    { id: callIdOf(made), outcome: 'kept', why: expect.stringMatching(/captured in parts/) },
    { outcome: 'kept', amount_usd: '0.00' },
  ])
  expect(await rowOf(world, callIdOf(made))).toMatchObject({ settled_usd: '24.00' })
})
