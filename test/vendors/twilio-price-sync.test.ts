import { describe, expect, test } from 'vitest'
import { COUNTRIES, pricing } from '../../fixtures/simulators/twilio-pricing.js'
import type { Ledger } from '../../src/contracts/ledger.js'
import { formatUsd } from '../../src/contracts/money.js'
import type { JsonObject, PriceTable } from '../../src/contracts/vendor.js'
import { Tables } from '../../src/tables.js'
import { twilio } from '../../vendors/twilio/index.js'
import { syncPrices, type Read } from '../../vendors/twilio/price-sync.js'
import { bill, minutePrice, smsPrice } from '../../vendors/twilio/pricing.js'

const shipped = twilio.prices!
interface Change {
  readonly read?: (path: string, reply: JsonObject) => Awaited<ReturnType<Read>>
  readonly inForce?: PriceTable
}

/** The walk over the simulated lists, with everything it asked and waited for. */
async function walked(change: Change = {}) {
  const asked: string[] = []
  const waits: number[] = []
  const steps: string[] = []
  const read: Read = (path, params) => {
    asked.push(path + (params.length > 0 ? `?${new URLSearchParams(params as [string, string][]).toString()}` : ''))
    const [host, ...segments] = path.split('/')
    expect(host).toBe('pricing.twilio.com')
    const reply = pricing(segments, (name) => new Map(params).get(name), 'USD', COUNTRIES) as JsonObject
    return Promise.resolve(change.read?.(path, reply) ?? { reply })
  }
  const made = await syncPrices({
    read,
    pause: (ms) => Promise.resolve(void waits.push(ms)),
    inForce: change.inForce ?? shipped,
    asOf: '2026-11-24',
    walked: (done, of) => steps.push(`${done}/${of}`),
  })
  return { made, asked, waits, steps }
}

async function tableMade(change: Change = {}): Promise<PriceTable> {
  const { made } = await walked(change)
  if ('why' in made) throw new Error(made.why)
  return made.table
}

async function fault(change: Change): Promise<string> {
  const { made } = await walked(change)
  if ('table' in made) throw new Error('a table was made')
  return made.why
}

/** Changes the reply about one country of one product. */
const about =
  (product: string, iso: string, fields: object): NonNullable<Change['read']> =>
  (path, reply) => ({ reply: path.endsWith(`/${product}/Countries/${iso}`) ? { ...reply, ...fields } : reply })

describe('the walk', () => {
  test('reads every page of each list and every country once, with a pause before each', async () => {
    const { asked, waits, steps } = await walked()
    const lists = asked.filter((path) => !/Countries\/[A-Z]{2}$/.test(path))
    expect(lists).toEqual(
      ['v1/Messaging', 'v2/Voice', 'v1/PhoneNumbers'].flatMap((product) => [
        `pricing.twilio.com/${product}/Countries?PageSize=1000`,
        `pricing.twilio.com/${product}/Countries?PageSize=4&Page=1&PageToken=PT0`,
      ]),
    )
    expect(asked).toHaveLength(lists.length + 3 * COUNTRIES.length)
    expect(new Set(asked).size).toBe(asked.length)
    expect(waits).toEqual(asked.map(() => 50))
    expect([steps[0], steps.at(-1)]).toEqual(['1/15', '15/15'])
  })

  test('waits and asks again when Twilio is busy, and gives up in the end', async () => {
    let busy = 2
    const patient = await walked({ read: (_path, reply) => (busy-- > 0 ? { busy: true } : { reply }) })
    expect('table' in patient.made).toBe(true)
    expect(patient.waits.slice(0, 4)).toEqual([50, 1_000, 5_000, 50])
    const { made, waits } = await walked({ read: () => ({ busy: true }) })
    expect(made).toEqual({ why: expect.stringContaining('kept answering 429') })
    expect(waits).toEqual([50, 1_000, 5_000, 20_000])
  })

  test('never goes where a page of a list points, only takes what it asks for', async () => {
    const { asked } = await walked({
      read: (path, reply) => {
        const meta = { ...(reply.meta as JsonObject), next_page_url: null }
        if (path.endsWith('/v1/Messaging/Countries') && asked0++ === 0)
          return { reply: { ...reply, meta: { next_page_url: 'https://evil.example/v9/steal?Page=1' } } }
        return { reply: reply.countries === undefined ? reply : { ...reply, meta } }
      },
    })
    expect(asked.filter((path) => path.includes('evil') || path.includes('steal'))).toEqual([])
    expect(asked[1]).toBe('pricing.twilio.com/v1/Messaging/Countries?Page=1')
  })
  let asked0 = 0

  test.each<[string, NonNullable<Change['read']>, string]>([
    ['another currency', about('Voice', 'EE', { price_unit: 'EUR' }), 'bills this account in EUR (EE)'],
    ['no currency', about('Messaging', 'US', { price_unit: null }), 'the price table is in USD'],
    [
      'a reply that is no answer',
      (path: string) => ({ why: `twilio answered 500 at ${path}.` }),
      'twilio answered 500',
    ],
    [
      'a price that is a number',
      about('PhoneNumbers', 'US', { phone_number_prices: [{ number_type: 'local', current_price: 1.15 }] }),
      'prices of US hold one that is no plain decimal',
    ],
    [
      'a price in words',
      about('Messaging', 'US', { outbound_sms_prices: [{ prices: [{ current_price: '1e-3' }] }] }),
      'no plain decimal',
    ],
    [
      'a destination that is no number',
      about('Voice', 'US', {
        outbound_prefix_prices: [
          { destination_prefixes: ['1*'], origination_prefixes: ['ALL'], current_price: '0.01' },
        ],
      }),
      'a destination that is no number',
    ],
    ['a list of another shape', about('Voice', 'US', { outbound_prefix_prices: {} }), 'of another shape'],
    [
      'a country without letters',
      (_path, reply) => ({ reply: reply.countries === undefined ? reply : { ...reply, countries: [{}] } }),
      'without its two letters',
    ],
    [
      'more countries than there are',
      (_path, reply) => ({
        reply:
          reply.countries === undefined
            ? reply
            : {
                countries: Array.from({ length: 251 }, (_, i) => ({
                  iso_country: String.fromCharCode(65 + Math.floor(i / 26), 65 + (i % 26)),
                })),
              },
      }),
      'more than 250',
    ],
    [
      'pages without end',
      (_path, reply) => ({
        reply:
          reply.countries === undefined
            ? reply
            : { ...reply, meta: { next_page_url: 'https://pricing.twilio.com/v1/Messaging/Countries?Page=1' } },
      }),
      'more than 10 pages',
    ],
  ])('makes no table of %s', async (_name, read, sentence) => {
    expect(await fault({ read })).toContain(sentence)
  })
})

describe('the table', () => {
  test('has the dearest carrier and sender type of each country, with carrier fees and MMS as they were', async () => {
    const { prefixes } = await tableMade()
    expect(prefixes.sms).toEqual({
      '+1': { iso: 'US', seg: '0.0083', carrier: '0.0062', mms: '0.0220' },
      '+1204': { iso: 'CA', seg: '0.0085', carrier: '0.0062', mms: '0.0220' },
      '+1416': { iso: 'CA', seg: '0.0085', carrier: '0.0062', mms: '0.0220' },
      '+1658': { iso: 'JM', seg: '0.2440' },
      '+1876': { iso: 'JM', seg: '0.2440' },
      '+372': { iso: 'EE', seg: '0.0995' },
      '+44': { iso: 'GB', seg: '0.0524' },
    })
  })

  test('has the dearest origin of each destination, and no row that repeats the one above it', async () => {
    const { prefixes } = await tableMade()
    expect(prefixes.voice).toEqual({
      '+1': { iso: 'US', min: '0.0140' },
      '+1907': { iso: 'US', min: '0.0900' },
      '+1204': { iso: 'CA', min: '0.0130' },
      '+1416': { iso: 'CA', min: '0.0130' },
      '+1876': { iso: 'JM', min: '0.3100' },
      '+1658': { iso: 'JM', min: '0.3100' },
      '+372': { iso: 'EE', min: '0.2500' },
      '+44': { iso: 'GB', min: '0.0158' },
    })
  })

  test('takes the price of a shorter destination where a longer one is priced for some origins only', async () => {
    // Estonian mobiles have a price from the EEA alone: from elsewhere they cost what Estonia does.
    expect((await tableMade()).prefixes.voice!['+3725']).toBeUndefined()
    const table = await tableMade({
      read: about('Voice', 'EE', {
        outbound_prefix_prices: [
          { destination_prefixes: ['372'], origination_prefixes: ['ALL'], current_price: '0.02' },
          { destination_prefixes: ['3725'], origination_prefixes: ['EEA'], current_price: '0.01' },
          { destination_prefixes: ['37258'], origination_prefixes: ['ROW'], current_price: '0.01' },
        ],
      }),
    })
    expect([table.prefixes.voice!['+3725'], table.prefixes.voice!['+37258']]).toEqual([
      undefined,
      { iso: 'EE', min: '0.01' },
    ])
  })

  test('has a month of each kind of number, and every other flat price as it was', async () => {
    const inForce = { ...shipped, flat: { ...shipped.flat, 'number.US.local': '9.99', 'number.US.mobile': '9.99' } }
    const { flat, as_of, max_age_days, safety } = await tableMade({ inForce })
    expect(flat).toMatchObject({
      'number.US.local': '1.15',
      'number.US.toll_free': '2.15',
      'number.EE.mobile': '3.00',
      'number.US.short_code': shipped.flat['number.US.short_code'],
      'verify.approved': '0.05',
    })
    // What Twilio no longer lists has no price, rather than an old one.
    expect(flat['number.US.mobile']).toBeUndefined()
    expect([as_of, max_age_days, safety]).toEqual(['2026-11-24', 90, '1.15'])
  })

  test('prices no number by its neighbour’s row', async () => {
    const table = await tableMade()
    const ledger = { setting: (name: string) => (name === 'prices:twilio' ? table : undefined) } as unknown as Ledger
    const now = Date.parse('2026-11-24T12:00:00Z')
    const prices = new Tables(ledger, [twilio], { now: () => now, monotonic: () => now }).prices('twilio')
    const cost = (price: ReturnType<typeof smsPrice>): string => {
      const quote = bill(prices, 'exact', [{ units: 1n, price }])
      return 'amount' in quote ? formatUsd(quote.amount) : quote.basis
    }
    expect(cost(smsPrice(prices, '+14155550100'))).toBe('0.016675')
    expect(cost(smsPrice(prices, '+18765550100'))).toBe('0.2806')
    // Trinidad was priced before and is in no list of the simulator's: its row is gone, and +1 is not its price.
    expect(cost(smsPrice(prices, '+18682912345'))).toBe('unpriceable')
    expect(cost(minutePrice(prices, '+16045550100'))).toBe('unpriceable')
    expect(cost(minutePrice(prices, '+37251234567'))).toBe('0.2875')
  })
})
