import { describe, expect, test } from 'vitest'
import { onStage, type Attack } from './stage.js'

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
  test.each<[string, string]>([
    ['POST /v1/ephemeral_keys', 'issuing_card=ic_1'],
    ['POST /v1/account_sessions', 'account=acct_1&components[payouts][enabled]=true'],
    ['POST /v1/customer_sessions', 'customer=cus_A'],
    ['POST /v1/account_links', 'account=acct_1&type=account_onboarding'],
    ['POST /v1/accounts/acct_1/login_links', ''],
    ['POST /v1/billing_portal/sessions', 'customer=cus_A'],
    ['POST /v1/terminal/connection_tokens', ''],
    ['POST /v1/webhook_endpoints', 'url=https%3A%2F%2Fevil.example%2Fh&enabled_events[0]=*'],
    ['POST /v1/webhook_endpoints/we_1', 'url=https%3A%2F%2Fevil.example%2Fh'],
    ['POST /v1/apps/secrets', 'name=a&payload=b&scope[type]=account'],
    ['POST /v1/accounts', 'type=custom'],
    ['POST /v1/accounts/acct_1/external_accounts', 'external_account=btok_1'],
    ['POST /v1/forwarding/requests', 'payment_method=pm_1&url=https%3A%2F%2Fevil.example%2F'],
    ['POST /oauth/token', 'grant_type=refresh_token&refresh_token=rt_1'],
    ['POST /v2/core/event_destinations', ''],
    ['POST /v2/billing/meter_event_session', ''],
    ['GET /v1/issuing/cards/ic_1', ''],
    ['GET /v1/apps/secrets/find', ''],
    ['GET /v1/webhook_endpoints', ''],
  ])('%s', async (route, body) => {
    const [method, path] = route.split(' ') as [string, string]
    const attack: Attack = { line: `${method} /stripe${path}`, ...(body === '' ? {} : { body }) }
    await stage.refuses(attack, 'operation_unknown')
  })
})
