import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, codeOf, DAY, HOUR, moved, pay, seenBy, startWorld, travel, travelTo } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect((await books(world)).held).toBe('0.00')
  expect((await world.must('GET', '/spend?by=vendor')).rows.find((row: any) => row.vendor === 'stripe').spent_usd).toBe(
    formatUsd(moved(world)),
  )
  await world.close()
})

const MAIL = JSON.stringify({ from: 'billing@acme.com', to: 'ann@acme.com', subject: 'Hello', text: 'Hello' })
const mail = (key: IssuedKey): Promise<Answer> =>
  world.call(key.key, 'POST', '/resend/emails', MAIL, { 'content-type': 'application/json' })

// Time only goes forward, from test to test.
test.each([
  { zone: 'UTC', from: '2026-11-25T12:00:00.000Z', midnight: '2026-11-26T00:00:00.000Z' },
  { zone: 'America/New_York', from: '2026-11-27T12:00:00.000Z', midnight: '2026-11-28T05:00:00.000Z' },
  { zone: 'Asia/Kolkata', from: '2026-11-29T12:00:00.000Z', midnight: '2026-11-29T18:30:00.000Z' },
  { zone: 'Pacific/Kiritimati', from: '2026-11-30T12:00:00.000Z', midnight: '2026-12-01T10:00:00.000Z' },
])('a day’s cap ends at midnight in the policy’s time zone: $zone', async ({ zone, from, midnight }) => {
  travelTo(world, Date.parse(from))
  const key = await world.key({ daily_cap_usd: '2.00', timezone: zone })
  expect((await pay(world, key.key, 150)).status).toBe(200)
  travelTo(world, Date.parse(midnight) - 5_000)
  const refused = await pay(world, key.key, 51)
  expect(codeOf(refused)).toBe('daily_cap_exceeded')
  expect(refused.body.error.message).toContain(`resets ${midnight}`)
  travelTo(world, Date.parse(midnight))
  expect((await pay(world, key.key, 200)).status).toBe(200)
  expect(codeOf(await pay(world, key.key, 1))).toBe('daily_cap_exceeded')
})

test('a vendor’s budget binds that vendor alone, and the day’s cap binds them together', async () => {
  const key = await world.key(
    {
      daily_cap_usd: '1.01',
      budgets: [
        { per: 'day', vendor: 'resend', cap_usd: '0.0018' },
        { per: 'day', vendor: 'stripe', cap_usd: '1.00' },
      ],
    },
    { vendors: ['stripe', 'resend'] },
  )
  expect((await mail(key)).status).toBe(200)
  expect((await mail(key)).status).toBe(200)
  expect(codeOf(await mail(key))).toBe('budget_exceeded')
  expect((await pay(world, key.key, 100)).status).toBe(200)
  expect(codeOf(await pay(world, key.key, 1))).toBe('daily_cap_exceeded')
  travel(world, DAY)
  expect((await pay(world, key.key, 100)).status).toBe(200)
  expect(codeOf(await pay(world, key.key, 1))).toBe('budget_exceeded')
})

test('a month’s budget ends with the month, and the day’s with each day', async () => {
  travelTo(world, Date.parse('2026-12-24T12:00:00.000Z'))
  const key = await world.key({
    daily_cap_usd: '3.00',
    timezone: 'Europe/Berlin',
    budgets: [{ per: 'month', cap_usd: '5.00' }],
  })
  expect((await pay(world, key.key, 300)).status).toBe(200)
  travel(world, DAY)
  expect(codeOf(await pay(world, key.key, 201))).toBe('budget_exceeded')
  expect((await pay(world, key.key, 200)).status).toBe(200)
  travelTo(world, Date.parse('2026-12-31T22:59:00.000Z'))
  const refused = await pay(world, key.key, 1)
  expect(codeOf(refused)).toBe('budget_exceeded')
  expect(refused.body.error.message).toContain('resets 2026-12-31T23:00:00.000Z')
  travelTo(world, Date.parse('2026-12-31T23:00:00.000Z'))
  expect((await pay(world, key.key, 300)).status).toBe(200)
  expect(codeOf(await pay(world, key.key, 1))).toBe('daily_cap_exceeded')
})

test('a run’s budget does not end', async () => {
  const key = await world.key({ budgets: [{ per: 'run', cap_usd: '1.00' }] })
  expect((await pay(world, key.key, 100)).status).toBe(200)
  travel(world, 40 * DAY)
  const refused = await pay(world, key.key, 1)
  expect(codeOf(refused)).toBe('run_cap_exceeded')
  expect(refused.body.error.message).toContain('does not reset')
})

test('what was held over midnight counts on the day it was admitted', async () => {
  travelTo(world, Date.parse('2027-03-01T23:59:50.000Z'))
  const key = await world.key({ daily_cap_usd: '1.00' })
  const fault = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
  const late = pay(world, key.key, 100)
  await fault.struck
  travel(world, HOUR)
  fault.release()
  expect((await late).status).toBe(200)
  expect((await pay(world, key.key, 100)).status).toBe(200)
  expect(codeOf(await pay(world, key.key, 1))).toBe('daily_cap_exceeded')
})

test('a call whose look-up ends on the next day counts on the next day', async () => {
  travelTo(world, Date.parse('2027-03-03T23:59:50.000Z'))
  const key = await world.key({ daily_cap_usd: '1.00' })
  const refund = (): Promise<Answer> =>
    world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '100' })
  const fault = world.stripe.fault('GET /v1/charges', { do: 'hang', applies: true })
  const { result } = await seenBy(world.stripe, async () => {
    const late = refund()
    await fault.struck
    travel(world, HOUR)
    fault.release()
    return late
  })
  expect(result.status).toBe(200)
  expect(codeOf(await refund())).toBe('daily_cap_exceeded')
})
