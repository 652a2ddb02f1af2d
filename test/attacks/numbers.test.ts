import { describe, expect, test } from 'vitest'
import { onStage, presented, resend, stripe, twilio } from './stage.js'

const stage = onStage()

/** Each is a number to some parser, and not the same one to all. */
const TRICKS = [
  '1e7',
  '1E7',
  '0x10',
  '0b11',
  '0o17',
  '010',
  '00',
  '+5',
  '-5',
  '--5',
  '-0',
  ' 5',
  '5 ',
  '5\n',
  '\t5',
  '5\u00a0',
  '5.0',
  '5.',
  '.5',
  '1_000',
  '1,000',
  '1.000,00',
  "1'000",
  '５',
  '１００',
  '٥',
  '²',
  '5n',
  '5L',
  '5f',
  '5usd',
  '$5',
  'NaN',
  'Infinity',
  'null',
  'true',
  '',
  '1999.5',
  '99999999999999999999',
  '9007199254740993',
  '1e400',
  '1000000000000',
  '5;',
  '5%',
  '(5)',
  '5-3',
  '0-5',
]

describe('an amount is a plain integer or the call is malformed', () => {
  test.each(TRICKS)('a refund of %j', async (amount) => {
    const body = `charge=ch_A&amount=${encodeURIComponent(amount)}`
    await stage.refuses(stripe('/v1/refunds', body), 'request_malformed')
  })

  test.each(TRICKS)('a charge of %j', async (amount) => {
    const body = `currency=usd&source=tok_visa&amount=${encodeURIComponent(amount)}`
    await stage.refuses(stripe('/v1/charges', body), 'request_malformed')
  })
})

describe('wherever a number is money', () => {
  test.each([
    ['the amount of an intent', '/v1/payment_intents', 'currency=usd&customer=cus_A&amount=1e7'],
    ['what is captured of one', '/v1/payment_intents/pi_Ahold/capture', 'amount_to_capture=1e7'],
    ['what one is raised to', '/v1/payment_intents/pi_Ahold/increment_authorization', 'amount=0x989680'],
    ['a fee', '/v1/payment_intents', 'currency=usd&amount=100&application_fee_amount=+1'],
    ['an item of an invoice', '/v1/invoiceitems', 'customer=cus_A&currency=usd&amount=1_000'],
    [
      'a price made up in a subscription',
      '/v1/subscriptions',
      'customer=cus_A&items[0][price_data][currency]=usd&items[0][price_data][product]=prod_A&items[0][price_data][recurring][interval]=day&items[0][price_data][unit_amount_decimal]=1e7',
    ],
    ['a quantity', '/v1/subscriptions', 'customer=cus_A&items[0][price]=price_month&items[0][quantity]=1e3'],
    ['the quantity of a link', '/v1/payment_links', 'line_items[0][price]=price_once&line_items[0][quantity]=0x10'],
    ["a customer's balance", '/v1/customers/cus_A', 'balance=-1e7'],
    ['a transfer', '/v1/transfers', 'currency=usd&destination=acct_1&amount=5.0'],
    ['a payout', '/v1/payouts', 'currency=usd&amount=%EF%BC%95'],
  ])('%s', async (_, path, body) => {
    await stage.refuses(stripe(path, body), 'request_malformed')
  })
})

describe('the largest plain numbers are counted, not wrapped', () => {
  test('twelve digits are USD 9,999,999,999.99', async () => {
    const key = await stage.key()
    const reply = await stage.send(
      stripe('/v1/charges', 'amount=999999999999&currency=usd&source=tok_visa'),
      presented('stripe', key),
    )
    expect(reply).toMatchObject({ status: 403, headers: { 'x-spendgate-code': 'daily_cap_exceeded' } })
    expect(await stage.rows(key)).toMatchObject([{ state: 'denied', quoted_usd: '9999999999.99' }])
  })

  test('and multiplied by a quantity', async () => {
    const body =
      'customer=cus_A&items[0][price_data][currency]=usd&items[0][price_data][product]=prod_A&items[0][price_data][recurring][interval]=day' +
      '&items[0][price_data][unit_amount]=999999999999&items[0][quantity]=999999999999'
    const key = await stage.key()
    const reply = await stage.send(stripe('/v1/subscriptions', body), presented('stripe', key))
    expect(reply.status).toBe(403)
    expect(['amount_unknown', 'daily_cap_exceeded']).toContain(reply.headers['x-spendgate-code'])
    expect(stage.world.stripe.moved()).toEqual([])
  })
})

describe('numbers in JSON are integers or malformed', () => {
  test.each(['1.5', '1e2', '1E400', '-0', '9007199254740993', '01', '+1', '.5', '0x10', 'NaN', 'Infinity'])(
    '%s',
    async (number) => {
      await stage.refuses(
        resend('/emails', `{"from":"a@acme.com","to":"b@acme.com","subject":"s","text":"t","tags":${number}}`),
        'request_malformed',
      )
    },
  )
})

describe("a call's time limit is a plain integer", () => {
  test('one beyond the longest that is priced is sent as the longest', async () => {
    const key = await stage.key('twilio')
    const body = `To=%2B14155550101&From=%2B14155550100&Twiml=${encodeURIComponent('<Response><Say>hi</Say></Response>')}&TimeLimit=999999999`
    stage.forget()
    expect((await stage.send(twilio(stage, '/Calls.json', body), presented('twilio', key))).status).toBe(201)
    const limit = Number(new URLSearchParams(stage.world.twilio.requests[0]!.body).get('TimeLimit'))
    expect(limit).toBeLessThanOrEqual(4 * 60 * 60)
    // A minute to this prefix is USD 0.014, times 1.15 for safety.
    const [row] = await stage.rows(key)
    expect(row.quoted_usd).toBe(((Math.ceil(limit / 60) * 14 * 115) / 100_000).toFixed(4).replace(/0{1,2}$/, ''))
  })

  test.each(['1e9', '-1', '0', '60.5', ' 60', '0x10'])('%j', async (limit) => {
    const body = `To=%2B14155550101&From=%2B14155550100&Twiml=${encodeURIComponent('<Response><Say>hi</Say></Response>')}&TimeLimit=${encodeURIComponent(limit)}`
    await stage.refuses(twilio(stage, '/Calls.json', body), 'request_malformed')
  })
})
