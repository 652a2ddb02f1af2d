import { afterEach, beforeEach, expect, test } from 'vitest'
import { allow, DAY, dollars, done, HOUR, reply } from '../ledger/book.js'
import { Desk } from './desk.js'

let desk: Desk
beforeEach(async () => {
  desk = await Desk.open()
})
afterEach(() => desk.close())

const spend = async (key: Awaited<ReturnType<Desk['key']>>, usd: string): Promise<void> => {
  await done(desk.ledger, desk.call(key, usd), reply('settled'))
  await desk.alerts.look()
}
const percents = (): number[] => desk.receiver.heard.map(({ body }) => body.data.percent)

test('below half of a cap nobody is told anything', async () => {
  await spend(await desk.key(), '49.99')
  expect(desk.told()).toEqual([])
})

test('each threshold of a cap is told once', async () => {
  const key = await desk.key()
  for (const usd of ['50.00', '10.00', '19.99', '0.01', '10.00', '9.99', '0.01', '5.00']) await spend(key, usd)
  expect(percents()).toEqual([50, 80, 100])
  expect(desk.receiver.heard[1]!.body).toEqual({
    type: 'budget.threshold',
    timestamp: '2026-11-21T12:00:00.000Z',
    data: {
      message: `80 % of USD 100.00 a day (UTC) is used: USD 80.00 is spent or held, by the rule ${desk.receiver.heard[1]!.body.data.rule}; the last call came under the key ${key.name}. It starts anew at 2026-11-22T00:00:00.000Z.`,
      percent: 80,
      cap_usd: '100.00',
      used_usd: '80.00',
      rule: expect.stringContaining('daily'),
      budget: expect.stringContaining(key.id),
      window: '2026-11-21',
      enforced: true,
      resets_at: '2026-11-22T00:00:00.000Z',
      key: key.id,
      key_name: key.name,
    },
  })
})

test('what is held counts before anybody has answered', async () => {
  const key = await desk.key()
  await desk.ledger.admit(desk.call(key, '80.00'), allow)
  await desk.alerts.look()
  expect(percents()).toEqual([80])
})

test('a leap over several thresholds is told as the highest, and the lower ones not afterwards', async () => {
  const key = await desk.key()
  await spend(key, '100.00')
  expect(percents()).toEqual([100])
  desk.hire()
  await spend(key, '0.00')
  await spend(key, '0.01')
  expect(percents()).toEqual([100])
})

test('a settlement that passes the cap says so', async () => {
  const key = await desk.key()
  await done(desk.ledger, desk.call(key, '40.00'), reply('settled', { amount: dollars('140.00') }))
  await desk.alerts.look()
  expect(desk.told()[0]).toMatch(/^budget\.threshold: More than all of USD 100\.00 a day/)
})

test('the next day begins anew', async () => {
  const key = await desk.key()
  await spend(key, '60.00')
  desk.clock.at += DAY
  await spend(key, '60.00')
  expect(desk.receiver.heard.map(({ body }) => [body.data.percent, body.data.window])).toEqual([
    [50, '2026-11-21'],
    [50, '2026-11-22'],
  ])
})

test('a restart repeats nothing, and goes on with what is new', async () => {
  const key = await desk.key()
  await spend(key, '60.00')
  await desk.alerts.stop(1_000)
  desk.hire()
  await spend(key, '1.00')
  expect(percents()).toEqual([50])
  await spend(key, '20.00')
  expect(percents()).toEqual([50, 80])
})

test('two budgets of one key are told apart', async () => {
  const key = await desk.key({ daily_cap_usd: '100.00', budgets: [{ per: 'run', cap_usd: '20.00' }] })
  await spend(key, '20.00')
  expect(desk.receiver.heard.map(({ body }) => [body.data.percent, body.data.cap_usd])).toEqual([[100, '20.00']])
  desk.clock.at += HOUR
  await spend(key, '30.00')
  expect(desk.receiver.heard.map(({ body }) => [body.data.percent, body.data.cap_usd])).toEqual([
    [100, '20.00'],
    [50, '100.00'],
  ])
})

test('the book is sound with what was told in it', async () => {
  await spend(await desk.key(), '60.00')
  expect(desk.ledger.setting('alerts.sent')).toEqual({
    [Object.keys(desk.ledger.setting('alerts.sent') as object)[0]!]: 1795392000,
  })
  expect(await desk.ledger.verify()).toEqual([])
})
