import { describe, expect, test } from 'vitest'
import { onStage, stripe } from './stage.js'

const stage = onStage()
const intent = (amount: string, currency: string) =>
  stripe('/v1/payment_intents', `amount=${amount}&currency=${encodeURIComponent(currency)}&customer=cus_A`)

describe('a currency is three lower-case letters or malformed', () => {
  test.each(['USD', 'Usd', 'usd ', ' usd', 'us', 'usdd', '', 'u$d', 'ｕｓｄ', 'usd\n', 'usd,eur', '840', '../'])(
    '%j',
    async (currency) => {
      await stage.refuses(intent('100', currency), 'request_malformed')
    },
  )
})

describe('a currency without a rate has no known amount', () => {
  test.each(['kwd', 'jpy', 'eur', 'xyz', 'btc', 'usc', 'usn', 'xxx'])('%s', async (currency) => {
    await stage.refuses(intent('1', currency), 'amount_unknown')
  })

  test('and none at all has none either', async () => {
    await stage.refuses(stripe('/v1/payment_intents', 'amount=1&customer=cus_A'), 'amount_unknown')
  })
})

describe('with rates a currency counts by its own minor unit', () => {
  const limited = { vendors: { stripe: { max_amount_usd: '50.00' } } }
  const rates = {
    as_of: new Date().toISOString().slice(0, 10),
    usd_per: { kwd: '3.25', jpy: '0.0065', eur: '1.10', isk: '0.0072', ugx: '0.00027' },
    haircut: '0.03',
    max_age_days: 30,
  }

  test.each([
    // Three decimals: 9,999.999 dinars. Cents would have been a third of a cap of USD 100,000.
    ['kwd', '9999999', '33474.996653'],
    // No decimals: as cents it would be USD 0.65 and pass.
    ['jpy', '10000', '66.95'],
    // Two decimals on the wire although the currency has none.
    ['isk', '1000000', '74.16'],
    ['ugx', '20000000', '55.62'],
    ['eur', '5000', '56.65'],
  ])('%s %s is USD %s with the haircut, over the limit', async (currency, amount, quoted) => {
    await stage.world.must('PUT', '/rates', { ...rates, confirm: true })
    const reply = await stage.refuses(intent(amount, currency), 'amount_over_limit', { policy: limited })
    expect(reply.body).toContain('USD')
    const [row] = await stage.world.calls('&state=denied')
    expect(row.quoted_usd).toBe(quoted)
  })

  test('what is not in the table stays unknown', async () => {
    await stage.world.must('PUT', '/rates', { ...rates, confirm: true })
    await stage.refuses(intent('1', 'xyz'), 'amount_unknown', { policy: limited })
  })

  test('stale rates are no rates', async () => {
    await stage.world.must('PUT', '/rates', { ...rates, as_of: '2020-01-01', confirm: true })
    await stage.refuses(intent('1', 'eur'), 'amount_unknown', { policy: limited })
  })
})

test('a currency the policy does not list is refused before its amount is asked for', async () => {
  await stage.refuses(intent('1', 'jpy'), 'currency_not_allowed', {
    policy: { vendors: { stripe: { currencies: ['usd'] } } },
  })
})

test('a policy without the currency of the looked-up charge refuses its refund', async () => {
  stage.world.stripe.addCharge({ id: 'ch_yen', customer: 'cus_A', amount: 5000, currency: 'jpy' })
  await stage.refuses(stripe('/v1/refunds', 'charge=ch_yen'), 'currency_not_allowed', {
    policy: { vendors: { stripe: { currencies: ['usd'] } } },
    lookUps: ['GET /v1/charges/ch_yen'],
  })
  expect(stage.world.stripe.moved()).toEqual([])
})
