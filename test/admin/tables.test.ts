import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { World } from './world.js'

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
