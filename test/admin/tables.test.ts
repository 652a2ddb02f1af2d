import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { startTwilio } from '../../fixtures/simulators/index.js'
import type { PriceSync } from '../../src/admin/deps.js'
import type { PriceTable } from '../../src/contracts/vendor.js'
import { Credentials, runtimeOf } from '../../src/engine.js'
import { Metrics } from '../../src/metrics.js'
import { operatorReads } from '../../src/operator-reads.js'
import { Tables } from '../../src/tables.js'
import { Upstream } from '../../src/wire/upstream.js'
import { twilio } from '../../vendors/twilio/index.js'
import { syncPrices } from '../../vendors/twilio/price-sync.js'
import { START, TWILIO, World } from './world.js'

let world: World
beforeEach(async () => {
  world = await World.start()
})
afterEach(async () => {
  world.expectNoSecrets()
  await world.close()
})

const RATES = { as_of: '2026-11-20', usd_per: { eur: '1.09', jpy: '0.0065' }, haircut: '0.03', max_age_days: 30 }
const PRICES = {
  as_of: '2026-11-20',
  max_age_days: 90,
  safety: '1.15',
  prefixes: { sms: { '+1': { iso: 'US,CA', seg: '0.0083' } } },
  flat: { 'verify.approved': '0.05' },
}

describe('rates', () => {
  test('none ship; what is stored comes back, and the engine hears of it', async () => {
    expect((await world.get('/rates')).body).toEqual({ as_of: null, usd_per: {}, haircut: '0.03', max_age_days: 30 })
    const reply = await world.put('/rates', RATES)
    expect([reply.status, reply.body]).toEqual([200, RATES])
    expect((await world.get('/rates')).body).toEqual(RATES)
    expect(world.ledger.setting('rates')).toEqual(RATES)
    expect(world.tablesChanged).toBe(1)
  })

  test.each([
    ['1.308', 200],
    ['1.3080001', 409],
    ['0.872', 200],
    ['0.8719999', 409],
    ['109', 409],
  ])('a change of the euro from 1.09 to %s gets %i', async (eur, status) => {
    await world.put('/rates', RATES)
    const reply = await world.put('/rates', { ...RATES, usd_per: { ...RATES.usd_per, eur } })
    expect(reply.status).toBe(status)
    if (status === 409) {
      expect(reply.body).toMatchObject({
        code: 'confirm_required',
        errors: [{ path: 'usd_per.eur', message: `changes from 1.09 to ${eur}` }],
      })
      expect(world.ledger.setting('rates')).toEqual(RATES)
      expect((await world.put('/rates', { ...RATES, usd_per: { eur }, confirm: true })).body).toEqual({
        ...RATES,
        usd_per: { eur },
      })
    }
  })

  test('a currency that is new or left out needs no confirmation', async () => {
    await world.put('/rates', RATES)
    expect((await world.put('/rates', { ...RATES, usd_per: { gbp: '1.31' } })).status).toBe(200)
  })

  test.each([
    ['a float', { usd_per: { eur: 1.09 } }, 'usd_per.eur'],
    ['zero', { usd_per: { eur: '0.00' } }, 'usd_per.eur'],
    ['a negative rate', { usd_per: { eur: '-1' } }, 'usd_per.eur'],
    ['an exponent', { usd_per: { eur: '1e3' } }, 'usd_per.eur'],
    ['upper case', { usd_per: { EUR: '1.09' } }, 'usd_per.*'],
    ['the dollar', { usd_per: { usd: '1.00' } }, 'usd_per'],
    ['a haircut of 1', { haircut: '1' }, 'haircut'],
    ['a haircut as a number', { haircut: 0.03 }, 'haircut'],
    ['a date of tomorrow week', { as_of: '2026-11-28' }, 'as_of'],
    ['a date that is none', { as_of: '2026-02-30' }, 'as_of'],
    ['no days', { max_age_days: 0 }, 'max_age_days'],
    ['half a day', { max_age_days: 1.5 }, 'max_age_days'],
    ['a name not known', { base: 'usd' }, ''],
  ])('%s is refused', async (_name, change, path) => {
    const reply = await world.put('/rates', { ...RATES, ...change })
    expect([reply.status, reply.body.errors[0].path]).toEqual([400, path])
    expect(world.ledger.setting('rates')).toBeUndefined()
    expect(world.tablesChanged).toBe(0)
  })
})

describe('prices', () => {
  test("the vendor's own table holds until the operator's replaces it", async () => {
    const shipped = (await world.get('/prices/twilio')).body
    expect(shipped).toMatchObject({ as_of: '2026-11-20', source: 'a test' })
    // What was read can be written back.
    expect((await world.put('/prices/twilio', shipped)).body).toEqual(shipped)
    expect((await world.put('/prices/twilio', { ...PRICES, flat: {} })).body.flat).toEqual({})
    expect((await world.get('/prices/twilio')).body).toEqual({ ...PRICES, flat: {} })
    expect(world.ledger.setting('prices:twilio')).toEqual({ ...PRICES, flat: {} })
    expect(world.tablesChanged).toBe(2)
  })

  test('a vendor without a table has an empty one, and an unknown vendor none', async () => {
    expect((await world.get('/prices/resend')).body).toMatchObject({ as_of: null, flat: {} })
    expect((await world.get('/prices/paypal')).status).toBe(404)
    expect((await world.put('/prices/paypal', PRICES)).status).toBe(404)
  })

  test.each([
    ['a float', { flat: { 'verify.approved': 0.05 } }],
    ['a negative price', { flat: { 'verify.approved': '-0.05' } }],
    ['a factor below 1', { safety: '0.99' }],
    ['a price that is a word', { prefixes: { sms: { '+1': { seg: 'cheap' } } } }],
    ['a date to come', { as_of: '2027-01-01' }],
    ['a name not known', { prefix: {} }],
  ])('%s is refused', async (_name, change) => {
    expect((await world.put('/prices/twilio', { ...PRICES, ...change })).status).toBe(400)
    expect(world.ledger.setting('prices:twilio')).toBeUndefined()
  })
})

describe('a table that grows old', () => {
  const DAY_MS = 86_400_000
  /** Tables over the world's ledger, with what they log. */
  const tables = () => {
    const said: unknown[] = []
    const clock = { now: () => world.nowMs, monotonic: () => world.nowMs }
    const made = new Tables(world.ledger, [{ ...twilio, prices: PRICES }], clock, (level, event, fields) =>
      said.push([level, event, fields.table, fields.stale_in_days]),
    )
    return { made, said }
  }

  test('is announced from a week before, once a day, and again once it is stale', async () => {
    await world.put('/rates', RATES)
    const { made, said } = tables()
    expect(said).toEqual([])
    // Of 20 November and believed for 30 days: stale from 21 December on.
    world.nowMs = Date.parse('2026-12-13T23:59:59Z')
    made.prices('twilio')
    expect(said).toEqual([])
    world.nowMs = Date.parse('2026-12-14T23:59:59Z')
    made.prices('twilio')
    made.prices('twilio')
    made.gauges()
    expect(said).toEqual([['warn', 'table_goes_stale', 'rates', 7]])
    world.nowMs += DAY_MS
    made.gauges()
    expect(said.at(-1)).toEqual(['warn', 'table_goes_stale', 'rates', 6])
    world.nowMs = Date.parse('2026-12-21T00:00:01Z')
    made.prices('twilio')
    expect(said.at(-1)).toEqual(['warn', 'table_is_stale', 'rates', 0])
    expect(made.rates.convert('100', 2, 'eur')).toBeNull()
  })

  test('is announced at the start', () => {
    world.nowMs = Date.parse('2027-02-18T12:00:00Z')
    expect(tables().said).toEqual([['warn', 'table_goes_stale', 'prices_twilio', 1]])
  })

  test('is a gauge for each table that has a date, below zero once it is long stale', async () => {
    const { made } = tables()
    expect(made.gauges()).toEqual({ 'spendgate_table_stale_in_days{table="prices_twilio"}': 90 })
    await world.put('/rates', RATES)
    made.reload()
    world.nowMs = Date.parse('2026-12-20T23:59:59Z')
    const lines = new Metrics().text({ spendgate_in_flight: 0, ...made.gauges() }).split('\n')
    const from = lines.indexOf('# TYPE spendgate_table_stale_in_days gauge')
    expect(lines.slice(from, from + 3)).toEqual([
      '# TYPE spendgate_table_stale_in_days gauge',
      'spendgate_table_stale_in_days{table="prices_twilio"} 61',
      'spendgate_table_stale_in_days{table="rates"} 1',
    ])
    world.nowMs = Date.parse('2026-12-21T00:00:01Z')
    expect(made.gauges()['spendgate_table_stale_in_days{table="rates"}']).toBe(0)
    world.nowMs += 3 * DAY_MS
    expect(made.gauges()['spendgate_table_stale_in_days{table="rates"}']).toBe(-3)
  })

  test('is fresh and priced through its last day, and no longer', async () => {
    const { made } = tables()
    await world.put('/rates', RATES)
    made.reload()
    world.nowMs = Date.parse('2026-12-20T23:59:59Z')
    expect(made.rates.convert('100', 2, 'eur')).toEqual({ reserve: 1_122_700n, settle: 1_090_000n })
    world.nowMs = Date.parse('2026-12-21T00:00:01Z')
    expect(made.rates.why('eur')).toContain('The exchange rates of 2026-11-20 are older than 30 days')
  })
})

describe('prices from the vendor', () => {
  const NEW: PriceTable = {
    ...PRICES,
    as_of: '2026-11-21',
    prefixes: { sms: { '+1': { iso: 'US,CA', seg: '0.0090' } } },
    flat: { ...PRICES.flat, 'number.US.local': '1.15' },
  }
  let made: Awaited<ReturnType<PriceSync>>
  let asked: unknown[]
  /** Lets a reading that has begun go on. */
  let goOn: () => void
  beforeEach(async () => {
    world.expectNoSecrets()
    await world.close()
    made = { table: NEW }
    asked = []
    const sync: PriceSync = async (credential, wish) => {
      asked.push([credential.name, wish.asOf, wish.inForce.as_of])
      wish.walked(1, 3)
      await new Promise<void>((resolve) => (goOn = resolve))
      return made
    }
    world = await World.start({ priceSyncs: { twilio: sync } })
    await world.credential('twilio', 'main', TWILIO)
  })

  async function over(): Promise<any> {
    goOn()
    for (let looks = 0; looks < 1000; looks++) {
      const { body } = await world.get('/prices/twilio/sync')
      if (body.state !== 'running') return body
    }
    throw new Error('the reading does not end')
  }

  test('are read in the background, stored, and told', async () => {
    expect((await world.get('/prices/twilio/sync')).body.state).toBe('idle')
    const begun = await world.post('/prices/twilio/sync')
    expect([begun.status, begun.body.state]).toEqual([202, 'running'])
    expect((await world.get('/prices/twilio/sync')).body).toMatchObject({ state: 'running', done: 1, of: 3 })
    expect((await world.post('/prices/twilio/sync')).status).toBe(409)
    expect(world.ledger.setting('prices:twilio')).toBeUndefined()
    expect(await over()).toMatchObject({
      state: 'done',
      message: null,
      rows: { sms: 1, flat: 2 },
      kept: ['verify.approved'],
      gone: 0,
      leaps: [],
      finished_at: new Date(START).toISOString(),
    })
    expect(asked).toEqual([['main', '2026-11-21', '2026-11-20']])
    expect(world.ledger.setting('prices:twilio')).toEqual(NEW)
    expect(world.tablesChanged).toBe(1)
  })

  test('that change by more than 20 % wait for the operator', async () => {
    const leaping = { ...NEW, prefixes: { sms: { '+1': { iso: 'US', seg: '0.0100' } } } }
    made = { table: leaping }
    await world.post('/prices/twilio/sync', {})
    expect(await over()).toMatchObject({
      state: 'confirm_required',
      message: expect.stringContaining('Nothing was stored'),
      leaps: [{ path: 'prefixes.sms.+1.seg', message: 'changes from 0.0083 to 0.0100' }],
    })
    expect(world.ledger.setting('prices:twilio')).toBeUndefined()
    await world.post('/prices/twilio/sync', { confirm: true })
    expect(await over()).toMatchObject({ state: 'done' })
    expect(world.ledger.setting('prices:twilio')).toEqual(leaping)
  })

  test.each<[string, Awaited<ReturnType<PriceSync>>, string]>([
    [
      'that there are none',
      { why: 'Twilio bills this account in EUR.' },
      'bills this account in EUR. Nothing was stored.',
    ],
    ['a table that could not be stored by hand', { table: { ...NEW, flat: { 'a b': '1' } } }, 'Nothing was stored.'],
    ['a table of another day', { table: { ...NEW, as_of: '20261121' } }, 'as_of'],
  ])('fail when the vendor says %s', async (_name, answer, sentence) => {
    made = answer
    await world.post('/prices/twilio/sync', { confirm: true })
    const end = await over()
    expect([end.state, world.ledger.setting('prices:twilio')]).toEqual(['failed', undefined])
    expect(end.message).toContain(sentence)
  })

  test('are asked for with the credential named, and with none that is not there', async () => {
    const refused = async (body: object) => (await world.post('/prices/twilio/sync', body)).body.errors?.[0]
    expect(await refused({ credential: 'other' })).toMatchObject({ path: 'credential' })
    await world.credential('twilio', 'second', { ...TWILIO, api_key_secret: 'CANARYsecond0123456789abcdef' })
    expect(await refused({})).toMatchObject({ message: 'There are several credentials of twilio. Name one.' })
    await world.post('/prices/twilio/sync', { credential: 'second' })
    expect(asked).toEqual([['second', '2026-11-21', '2026-11-20']])
    await over()
  })

  test('have no call where the vendor lists none', async () => {
    expect((await world.post('/prices/resend/sync', {})).status).toBe(404)
  })
})

describe('a reading of Twilio’s price lists', () => {
  /** A world whose sync is the product's own, over sockets, against a simulated Twilio. */
  async function against(simulated: Parameters<typeof startTwilio>[0] = {}) {
    const simulator = await startTwilio({
      accountSid: TWILIO.account_sid,
      keys: { [TWILIO.api_key_sid]: TWILIO.api_key_secret },
      ...simulated,
    })
    const clock = { now: () => world.nowMs, monotonic: () => world.nowMs }
    const vendors = new Map([['twilio', runtimeOf(twilio, simulator.origin)]])
    const upstream = new Upstream({ timeoutMs: 5_000, clock })
    const pause = (): Promise<void> => Promise.resolve()
    await world.close()
    world = await World.start({
      priceSyncs: {
        twilio: (record, wish) => {
          const credentials = new Credentials(world.ledger, world.vault, vendors, clock)
          return syncPrices({ ...wish, pause, read: operatorReads({ vendors, credentials, upstream }, record) })
        },
      },
    })
    await world.credential('twilio', 'main', TWILIO)
    await world.post('/prices/twilio/sync', { confirm: true })
    let end = (await world.get('/prices/twilio/sync')).body
    for (let looks = 0; end.state === 'running' && looks < 5000; looks++)
      end = (await world.get('/prices/twilio/sync')).body
    const seen = simulator.requests
    await upstream.close()
    await simulator.close()
    return { end, seen }
  }

  test('asks pricing.twilio.com with the real key and makes the table in force', async () => {
    const { end, seen } = await against()
    expect(end).toMatchObject({ state: 'done', done: 15, of: 15, gone: 0 })
    expect(new Set(seen.map((request) => request.headers['host']))).toEqual(new Set(['pricing.twilio.com']))
    expect(new Set(seen.map((request) => request.method))).toEqual(new Set(['GET']))
    expect((await world.get('/prices/twilio')).body).toMatchObject({
      as_of: '2026-11-21',
      source: expect.stringContaining('Twilio Pricing API'),
      prefixes: { sms: { '+372': { iso: 'EE', seg: '0.0995' } }, voice: { '+44': { iso: 'GB', min: '0.0158' } } },
      flat: { 'verify.approved': '0.05', 'number.US.toll_free': '2.15' },
    })
  })

  test('refuses another currency', async () => {
    const { end } = await against({ priceUnit: 'EUR' })
    expect([end.state, end.message]).toEqual(['failed', expect.stringContaining('EUR')])
    expect(world.ledger.setting('prices:twilio')).toBeUndefined()
  })

  test('ends where the key is not accepted, and shows none of it', async () => {
    const { end } = await against({ keys: {} })
    expect([end.state, end.message]).toEqual(['failed', expect.stringContaining('twilio answered 401')])
  })
})
