import { afterAll, beforeAll, expect, test } from 'vitest'
import type { World } from '../helpers/world.js'
import { payment, startWorld } from '../pipeline/given.js'

// Whoever may only look plans again and again, at a vendor that does not answer.

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

test('plans that wait for a vendor do not hold up who undoes', async () => {
  const key = await world.key({ vendors: { stripe: { endpoints: { allow: ['* *'] } } } })
  const paid = await world.call(key.key, 'POST', '/stripe/v1/payment_intents', payment(600), {
    'x-agent-run-id': 'slow',
  })
  const path = '/runs/slow/reversal'
  const [item] = (await world.must('GET', path)).items
  const fault = world.stripe.fault(`GET /v1/payment_intents/${paid.body.id}`, { do: 'hang', applies: false })
  let over = false
  const looking = [world.must('GET', path), world.must('GET', path)].map((plan) => plan.finally(() => (over = true)))
  await fault.struck
  expect((await world.must('POST', path, { items: [item.id] })).results).toMatchObject([{ state: 'done' }])
  expect(over).toBe(false)
  fault.release()
  await Promise.allSettled(looking)
})
