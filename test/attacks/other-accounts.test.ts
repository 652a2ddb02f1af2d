import { describe, expect, test } from 'vitest'
import { onStage, presented, stripe, twilio } from './stage.js'

const stage = onStage()
const body = 'charge=ch_A&amount=100'
const other = `AC${'e'.repeat(32)}`

describe('a header that moves the call to another Stripe account is refused', () => {
  test.each([
    'Stripe-Account: acct_VICTIM',
    'stripe-account: acct_VICTIM',
    'Stripe-Context: acct_VICTIM',
    'Stripe-Context: acct_A/acct_VICTIM',
    'Stripe-Account: x',
  ])('%s', async (header) => {
    await stage.refuses(stripe('/v1/refunds', body, [header]), 'account_not_allowed')
    await stage.refuses({ line: 'GET /stripe/v1/charges', headers: [header] }, 'account_not_allowed')
    await stage.refuses(
      stripe('/v1/transfers', 'amount=4900&currency=usd&destination=acct_EVIL', [header]),
      'account_not_allowed',
    )
  })

  test('even one that the policy lists, beside one that it does not', async () => {
    const policy = { vendors: { stripe: { connected_accounts: ['acct_MINE'] } } }
    const headers = ['Stripe-Account: acct_MINE', 'Stripe-Context: acct_VICTIM']
    await stage.refuses(stripe('/v1/refunds', body, headers), 'account_not_allowed', { policy })
  })

  test('a listed one is sent where nothing has to be looked up', async () => {
    const key = await stage.key('stripe', { vendors: { stripe: { connected_accounts: ['acct_MINE'] } } })
    stage.forget()
    const attack = stripe('/v1/charges', 'amount=100&currency=usd&source=tok_visa', ['Stripe-Account: acct_MINE'])
    expect((await stage.send(attack, presented('stripe', key))).status).toBe(200)
    expect(stage.world.stripe.requests.map(({ headers }) => headers['stripe-account'])).toEqual(['acct_MINE'])
  })

  test("and where something has to be, our own account's object is not taken for theirs", async () => {
    const policy = { vendors: { stripe: { connected_accounts: ['acct_MINE'] } } }
    await stage.refuses(stripe('/v1/refunds', body, ['Stripe-Account: acct_MINE']), 'amount_unknown', { policy })
  })
})

describe('what Stripe.js writes beside a form is malformed', () => {
  test.each([
    '_stripe_account=acct_VICTIM',
    'key=sk_live_other',
    '_stripe_version=2020-08-27',
    '_stripe_context=acct_VICTIM',
    'key[x]=1',
  ])('%s', async (pair) => {
    await stage.refuses(stripe('/v1/refunds', `${body}&${pair}`), 'request_malformed')
    await stage.refuses(stripe('/v1/customers/cus_A', `name=Ada&${pair}`), 'request_malformed')
    await stage.refuses({ line: `GET /stripe/v1/charges?${pair}` }, 'request_malformed')
  })
})

describe('another Twilio account is refused', () => {
  test.each(['Messages.json', 'Calls.json', 'Usage/Records.json', 'Balance.json'])(
    'in the path of a read: %s',
    async (end) => {
      await stage.refuses(
        { vendor: 'twilio', line: `GET /twilio/2010-04-01/Accounts/${other}/${end}` },
        'account_not_allowed',
      )
    },
  )

  test('in the path of a message', async () => {
    const attack = {
      vendor: 'twilio',
      line: `POST /twilio/2010-04-01/Accounts/${other}/Messages.json`,
      body: 'To=%2B14155550101&From=%2B14155550100&Body=hi',
    } as const
    await stage.refuses(attack, 'account_not_allowed')
  })

  test('in the body of a message', async () => {
    await stage.refuses(
      twilio(stage, '/Messages.json', `To=%2B14155550101&From=%2B14155550100&Body=hi&AccountSid=${other}`),
      'account_not_allowed',
    )
  })

  test('in lower case or with another letter, because it is then another account', async () => {
    const sid = stage.world.twilio.accountSid
    for (const name of [sid.toLowerCase(), sid.replace('AC', 'ac'), `${sid}.json`, 'me']) {
      await stage.refuses(
        { vendor: 'twilio', line: `GET /twilio/2010-04-01/Accounts/${name}/Messages.json` },
        'account_not_allowed',
      )
    }
  })
})
