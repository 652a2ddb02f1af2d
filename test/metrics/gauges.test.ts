import { afterEach, beforeEach, expect, test } from 'vitest'
import { judge } from '../../policies/index.js'
import { LedgerFault, type Ledger } from '../../src/contracts/ledger.js'
import { Vault } from '../../src/custody/seal.js'
import { Credentials, Standings } from '../../src/engine.js'
import { Readings } from '../../src/gauges.js'
import { Desk } from '../alerts/desk.js'
import { allow, DAY, done, HOUR, reply } from '../ledger/book.js'

let desk: Desk
let logged: string[]
beforeEach(async () => {
  desk = await Desk.open()
  logged = []
})
afterEach(() => desk.close())

/** @param broken the methods of the ledger that stand in for its own */
function readings(broken: Partial<Ledger> = {}): Readings {
  const { clock, metrics } = desk
  const ledger = new Proxy(desk.ledger, {
    get: (of, name) => {
      const own = Reflect.get(broken, name) ?? Reflect.get(of, name)
      return typeof own === 'function' ? own.bind(of) : own
    },
  })
  return new Readings({
    ledger,
    judge,
    standings: new Standings(ledger, judge),
    credentials: new Credentials(ledger, new Vault(Buffer.alloc(32, 7)), new Map(), clock),
    vendors: new Map([['stripe', null as never]]),
    clock: { now: () => clock.now(), monotonic: () => clock.monotonic(), suspect: () => null },
    metrics,
    log: (_level, event) => void logged.push(event),
    version: '0.1.0',
    maxLoss: async () => null,
  })
}

test('a budget counts what is held, and one of a key that is over counts no more', async () => {
  const [half, over, gone] = [await desk.key(), await desk.key(), await desk.key()]
  await desk.ledger.admit(desk.call(half, '50.00'), allow)
  await done(desk.ledger, desk.call(over, '120.00'), reply('settled'))
  expect(await readings().read()).toMatchObject({
    spendgate_budget_used_ratio_max: 1.2,
    spendgate_max_loss_usd: Number.POSITIVE_INFINITY,
  })
  await desk.ledger.revoke(over.id, null, 'test')
  await done(desk.ledger, desk.call(gone, '1.00'), reply('settled'))
  expect((await readings().read()).spendgate_budget_used_ratio_max).toBe(0.5)
})

test('today ends at midnight UTC', async () => {
  const key = await desk.key()
  await done(desk.ledger, desk.call(key, '30.00'), reply('settled'))
  const held = 'spendgate_held_usd{vendor="stripe"}'
  const spent = 'spendgate_spent_today_usd{vendor="stripe"}'
  await desk.ledger.admit(desk.call(key, '7.00'), allow)
  expect(await readings().read()).toMatchObject({ [spent]: 30, [held]: 7 })
  desk.clock.at += DAY
  expect(await readings().read()).toMatchObject({ [spent]: 0, [held]: 0 })
})

test('the ledger is read once in five seconds, however many ask', async () => {
  let reads = 0
  const counted = readings({ doubts: async () => (reads++, { rows: [], next: null }) })
  await Promise.all([counted.read(), counted.read()])
  desk.clock.at += 4_999
  await counted.read()
  expect(reads).toBe(1)
  desk.clock.at += 1
  await counted.read()
  expect(reads).toBe(2)
})

test('a reading that took long is kept two hundred times as long', async () => {
  let reads = 0
  const slow = readings({
    doubts: async () => {
      reads++
      desk.clock.at += 300
      return { rows: [], next: null }
    },
  })
  await slow.read()
  desk.clock.at += 59_999
  await slow.read()
  expect(reads).toBe(1)
  desk.clock.at += 1
  await slow.read()
  expect(reads).toBe(2)
})

test('a ledger that cannot be read leaves its own series out, and is read again', async () => {
  let works = false
  const broken = readings({
    spend: async () => {
      if (works) return []
      throw new LedgerFault('The disk is full.')
    },
  })
  const gauges = await broken.read()
  expect(gauges).toHaveProperty('spendgate_rss_bytes')
  expect(gauges).not.toHaveProperty('spendgate_doubts')
  expect(logged).toEqual(['gauges_not_read'])
  expect(desk.metrics.text(gauges)).toContain('spendgate_gauge_faults_total 1')
  works = true
  desk.clock.at += 5_000
  expect(await broken.read()).toMatchObject({ spendgate_doubts: 0 })
})

test('what reconciliation compared last stands until it compares again', async () => {
  const of = readings()
  expect(await of.read()).not.toHaveProperty('spendgate_reconciled_at_seconds')
  of.reconciled({ explainedPercent: '97.3' })
  desk.clock.at += HOUR
  of.reconciled({ explainedPercent: null })
  expect(await of.read()).toMatchObject({
    spendgate_reconcile_explained_ratio: expect.closeTo(0.973),
    spendgate_reconciled_at_seconds: desk.clock.at / 1000,
  })
})
