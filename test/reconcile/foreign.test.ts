import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, DAY, payment, rowOf, spentBy, startWorld, travel } from '../pipeline/given.js'

/** What Stripe books is what the simulator's own rates say; the operator's table says more, or less. */
let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
  await world.must('PUT', '/rates', {
    as_of: new Date(world.clock.now()).toISOString().slice(0, 10),
    usd_per: { eur: '1.20', gbp: '1.00' },
    haircut: '0.03',
    max_age_days: 30,
  })
  key = await world.key({ daily_cap_usd: '100.00' })
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const reconcile = (): Promise<any> => world.must('POST', '/reconcile')
const outcomeOf = (report: any, answer: Answer): any =>
  report.calls.find(({ id }: { id: string }) => id === callIdOf(answer))
const stripe = (path: string, form: Record<string, string>): Promise<Answer> =>
  world.call(key.key, 'POST', `/stripe${path}`, form)
const settled = async (answer: Answer): Promise<string> => (await rowOf(world, callIdOf(answer))).settled_usd

test('a payment in another currency comes to what Stripe has booked, below the operator’s rate', async () => {
  const answer = await stripe('/v1/payment_intents', payment(1000, { currency: 'eur' }))
  expect(await settled(answer)).toBe('12.00')
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'adjusted',
    amount_usd: '10.90',
    why: expect.stringMatching(/balance transaction txn_/),
  })
  expect(await spentBy(world, key.id)).toBe('10.90')
})

test('and above it, though that passes the cap', async () => {
  const small = await world.key({ daily_cap_usd: '10.50' })
  const answer = await world.call(small.key, 'POST', '/stripe/v1/payment_intents', payment(1000, { currency: 'gbp' }))
  expect(await settled(answer)).toBe('10.00')
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'adjusted', amount_usd: '12.70' })
  const refused = await world.call(small.key, 'POST', '/stripe/v1/payment_intents', payment(1))
  expect(refused.headers['x-spendgate-code']).toBe('daily_cap_exceeded')
})

test('an intent that several calls counted comes to what Stripe has booked in all', async () => {
  const made = await stripe('/v1/payment_intents', payment(2000, { currency: 'eur', capture_method: 'manual' }))
  expect(await settled(made)).toBe('24.00')
  expect(outcomeOf(await reconcile(), made)).toMatchObject({ outcome: 'pending' })
  const captured = await stripe(`/v1/payment_intents/${made.body.id}/capture`, { amount_to_capture: '1500' })
  expect(captured.status).toBe(200)
  expect([await settled(made), await settled(captured)]).toEqual(['18.00', '0.00'])
  await reconcile()
  expect([await settled(made), await settled(captured)]).toEqual(['16.35', '0.00'])
})

test('a refund is priced by its own booking', async () => {
  const charge = world.stripe.addCharge({ amount: 500, currency: 'eur', customer: 'cus_A' })
  const answer = await stripe('/v1/refunds', { charge: charge.id })
  expect(await settled(answer)).toBe('6.00')
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'adjusted', amount_usd: '5.45' })
})

test('a lost answer is settled at the rate first, and then at what was booked', async () => {
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const answer = await stripe('/v1/payment_intents', payment(700, { currency: 'eur' }))
  const report = await reconcile()
  expect(report.calls.filter(({ id }: { id: string }) => id === callIdOf(answer))).toMatchObject([
    { outcome: 'settled', amount_usd: '8.40' },
    { outcome: 'adjusted', amount_usd: '7.63' },
  ])
  expect(await settled(answer)).toBe('7.63')
})

test('what is booked a day later counts on the day of the call', async () => {
  const answer = await stripe('/v1/payment_intents', payment(100, { currency: 'eur' }))
  const day = new Date(world.clock.now()).toISOString().slice(0, 10)
  travel(world, DAY)
  await reconcile()
  expect(await settled(answer)).toBe('1.09')
  const { rows } = await world.must('GET', '/spend?by=day')
  expect(rows.map((row: { day: string }) => row.day)).toEqual([day])
})

test('a price that may not be read is asked for as often as any other, and then no more', async () => {
  const answer = await stripe('/v1/payment_intents', payment(300, { currency: 'eur' }))
  const refused = (): unknown =>
    world.stripe.fault(`GET /v1/payment_intents/${answer.body.id}`, { do: 'status', status: 403, applies: false })
  refused()
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({
    outcome: 'pending',
    why: expect.stringMatching(/^Stripe answered 403/),
  })
  travel(world, DAY)
  refused()
  expect(outcomeOf(await reconcile(), answer)).toMatchObject({ outcome: 'pending', amount_usd: '3.60' })
  expect(outcomeOf(await reconcile(), answer)).toBeUndefined()
  expect(await settled(answer)).toBe('3.60')
})

test('US dollars need no second look', async () => {
  const answer = await stripe('/v1/payment_intents', payment(100))
  expect(outcomeOf(await reconcile(), answer)).toBeUndefined()
})
