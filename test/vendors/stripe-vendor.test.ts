import { describe, expect, test } from 'vitest'
import type { Authorization } from '../../src/contracts/vendor.js'
import { stripe } from '../../vendors/stripe/index.js'
import { ask } from './stripe-ask.js'

const bearer = (token: string): Authorization => ({ scheme: 'bearer', token })
const basic = (user: string): Authorization => ({ scheme: 'basic', user, password: '' })

describe('keys', () => {
  test.each([
    ['a restricted skin', bearer('rk_vault_live_X'), { kind: 'vault', key: 'vault_live_X' }],
    ['a secret skin', bearer('sk_vault_test_X'), { kind: 'vault', key: 'vault_test_X' }],
    ['a run suffix', bearer('rk_vault_live_X.run_42'), { kind: 'vault', key: 'vault_live_X.run_42' }],
    ['a skin as a Basic user', basic('sk_vault_live_X'), { kind: 'vault', key: 'vault_live_X' }],
    ['a bare key as a Basic user', basic('vault_live_X'), { kind: 'vault', key: 'vault_live_X' }],
    ['a bare bearer is nobody’s', bearer('vault_live_X'), null],
    ['a real secret key', bearer('sk_live_abc'), { kind: 'real' }],
    ['a real restricted key', bearer('rk_test_abc'), { kind: 'real' }],
    ['an organisation key', basic('sk_org_live_abc'), { kind: 'real' }],
    ['another vendor’s key', bearer('re_vault_live_X'), null],
    ['a Twilio user', basic('AC00000000000000000000000000000000'), null],
  ])('%s', (_name, auth, expected) => {
    expect(stripe.present(auth)).toEqual(expected)
  })

  test('a vault key is shown in the two skins the clients check for', () => {
    expect(stripe.presentations('vault_live_X', '', '')).toEqual(['rk_vault_live_X', 'sk_vault_live_X'])
    for (const shown of stripe.presentations('vault_live_X', '', '') as string[]) {
      expect(stripe.present(bearer(shown))).toEqual({ kind: 'vault', key: 'vault_live_X' })
    }
  })

  test('a credential says whether its money is play money', () => {
    expect(stripe.credential({ api_key: 'rk_live_abcd1234' })).toEqual({ account: '', test: false, last4: '1234' })
    expect(stripe.credential({ api_key: 'sk_test_abcd1234' })).toEqual({ account: '', test: true, last4: '1234' })
  })

  test.each(['', 'pk_live_abc', 'sk_vault_live_abc', 'sk_org_live_abc', 'sk_live_', 'sk_live_a\r\nX: y'])(
    'the credential %j is refused without repeating it',
    (api_key) => {
      const fault = stripe.credential({ api_key })
      expect(fault).toBeTypeOf('string')
      if (api_key.length > 'sk_live_'.length) expect(fault).not.toContain(api_key)
    },
  )

  test('the real key is sent as a bearer token and is the secret to hide', () => {
    expect(stripe.authorize({ api_key: 'sk_live_abc' })).toBe('Bearer sk_live_abc')
    expect(stripe.secrets({ api_key: 'sk_live_abc' })).toEqual(['sk_live_abc'])
  })
})

describe('refusals', () => {
  test('have Stripe’s shape, the code in the message, and forbid a retry', () => {
    const refusal = stripe.refuse({ code: 'amount_over_limit', message: 'Too much.', rule: 'max-amount' })
    expect(refusal).toEqual({
      status: 403,
      headers: { 'content-type': 'application/json', 'stripe-should-retry': 'false' },
      body: {
        error: { type: 'invalid_request_error', code: 'amount_over_limit', message: 'amount_over_limit: Too much.' },
      },
    })
  })

  test('a rate limit says when to come back', () => {
    const refusal = stripe.refuse({ code: 'rate_limited', message: 'Slow down.', rule: 'rate', retryAfterS: 12 })
    expect(refusal.status).toBe(429)
    expect(refusal.headers['retry-after']).toBe('12')
  })
})

describe('replies', () => {
  test.each([[400], [401], [402], [403], [404], [429]])('%i says that nothing happened', (status) => {
    expect(stripe.verdict(status)).toBe('released')
  })
  test.each([[301], [409], [424], [500], [502], [503], [504]])('%i leaves the outcome open', (status) => {
    expect(stripe.verdict(status)).toBe('assumed')
  })
})

describe('the account a call acts on', () => {
  const common = (form: string, headers = {}) => {
    const { question } = ask('POST /v1/transfers', form, { headers })
    return stripe.common!(question)
  }

  test('is named by Stripe-Account and by Stripe-Context', () => {
    expect(common('', { 'stripe-account': 'acct_V' }).subjects.accounts).toEqual(['acct_V'])
    expect(common('', { 'stripe-context': 'acct_W' }).subjects.accounts).toEqual(['acct_W'])
    expect(common('').subjects.accounts).toBeUndefined()
  })

  test.each([
    ['the path', 'GET /v1/accounts/acct_V/persons', ''],
    ['the path of /v2', 'GET /v2/core/accounts/acct_V', ''],
    ['a parameter', 'POST /v1/account_links', 'account=acct_V&type=account_onboarding'],
    ['a holder', 'POST /v1/financial_connections/sessions', 'account_holder[account]=acct_V'],
  ])('is named by %s too, beside the headers', (_where, request, form) => {
    const about = (headers = {}) => stripe.common!(ask(request, form, { headers }).question).subjects.accounts
    expect(about()).toEqual(['acct_V'])
    expect(about({ 'stripe-account': 'acct_A' })).toEqual(['acct_A', 'acct_V'])
  })

  test('is no bank account that goes by the same name', () => {
    const { question } = ask('GET /v1/financial_connections/transactions', 'account=fca_1')
    expect(stripe.common!(question).subjects.accounts).toBeUndefined()
  })

  test('is forwarded as it was judged', () => {
    expect(stripe.requestHeaders).toContain('stripe-account')
    expect(stripe.requestHeaders).toContain('stripe-context')
  })

  test.each(['key=sk_live_x', '_stripe_account=acct_V', '_stripe_version=2020-08-27', 'key[x]=1', '_method=DELETE'])(
    'cannot be set by the parameter %s',
    (form) => {
      expect(common(form).refuse?.code).toBe('request_malformed')
      expect(common(form).refuse?.message).not.toContain('sk_live')
    },
  )
})

describe('what no call may ask to see', () => {
  const refused = (request: string, form: string) => stripe.common!(ask(request, form).question).refuse

  test.each([
    ['GET /v1/issuing/cards/ic_1', 'expand[]=number&expand[]=cvc'],
    ['GET /v1/issuing/cards', 'expand[0]=data.number'],
    ['GET /v1/issuing/cards/ic_1', 'expand[]=Number'],
    ['GET /v1/issuing/cards/ic_1', 'expand[x]=number'],
    ['POST /v1/issuing/cards', 'currency=usd&type=virtual&expand=number'],
    ['GET /v1/apps/secrets', 'expand[]=data.payload'],
    ['GET /v2/core/event_destinations/ed_1', 'include[0]=webhook_endpoint.signing_secret'],
  ])('%s with %s', (request, form) => {
    expect(refused(request, form)).toMatchObject({ code: 'request_malformed' })
    expect(refused(request, form)!.message).toMatch(/\.$/)
  })

  test('nor in a JSON body', () => {
    const { question } = ask('POST /v2/core/event_destinations')
    const json = { include: ['webhook_endpoint.url', 'webhook_endpoint.signing_secret'] }
    expect(stripe.common!({ ...question, json }).refuse?.code).toBe('request_malformed')
  })

  test.each([
    ['GET /v1/invoices/in_1', 'expand[]=confirmation_secret&expand[]=customer'],
    ['GET /v1/charges', 'expand[]=data.balance_transaction'],
    ['GET /v1/invoices', 'number=X-1'],
    ['GET /v2/core/accounts/acct_V', 'include[0]=configuration.customer'],
  ])('but %s with %s', (request, form) => expect(refused(request, form)).toBeUndefined())
})

test('every URL in a JSON body is a subject', () => {
  const { question } = ask('POST /v2/core/event_destinations')
  const json = {
    webhook_endpoint: { url: 'https://a.example/h' },
    use_case: { on: [{ return_url: 'https://b.example' }] },
  }
  expect(stripe.common!({ ...question, json }).subjects.urls).toEqual(['https://a.example/h', 'https://b.example'])
})

describe('what is still to come is taken back', () => {
  test.each([
    ['payment_intents.create', 'pi_1', 'POST /v1/payment_intents/pi_1/cancel'],
    ['checkout.sessions.create', 'cs_test_1', 'POST /v1/checkout/sessions/cs_test_1/expire'],
    ['payment_links.create', 'plink_1', 'POST /v1/payment_links/plink_1 active=false'],
    ['subscriptions.create', 'sub_1', 'DELETE /v1/subscriptions/sub_1'],
    ['subscription_schedules.create', 'sub_sched_1', 'POST /v1/subscription_schedules/sub_sched_1/cancel'],
    ['invoices.create', 'in_1', 'POST /v1/invoices/in_1 auto_advance=false'],
    ['invoices.finalize', 'in_1', 'POST /v1/invoices/in_1/void'],
    ['quotes.create', 'qt_1', 'POST /v1/quotes/qt_1/cancel'],
    ['quotes.accept', 'sub_1', 'DELETE /v1/subscriptions/sub_1'],
    ['setup_intents.create', 'seti_1', 'POST /v1/setup_intents/seti_1/cancel'],
    ['issuing.cards.create', 'ic_1', 'POST /v1/issuing/cards/ic_1 status=inactive'],
    ['shared_payment.issued_tokens.create', 'sit_1', 'POST /v1/shared_payment/issued_tokens/sit_1/revoke'],
    ['v2.money_management.payout_intents.create', 'x_1', 'POST /v2/money_management/payout_intents/x_1/cancel {}'],
    [
      'financial_connections.accounts.subscribe',
      'fca_1',
      'POST /v1/financial_connections/accounts/fca_1/unsubscribe features[]=transactions',
    ],
  ])('of %s: %s', (operation, object, expected) => {
    const request = stripe.takeBack!({ operation, object, account: '' })!
    const params = (request.params ?? []).map((pair) => pair.join('=')).join('&')
    const body = request.json === undefined ? params : JSON.stringify(request.json)
    expect(`${request.method} ${request.path} ${body}`.trim()).toBe(expected)
    expect(() => ask(`${request.method} ${request.path}`)).not.toThrow()
  })

  test.each(['ch_1', 'ich_1', '', 'pi_1/../refunds', 'pi_1?x=1'])('but not of %j', (object) => {
    expect(stripe.takeBack!({ operation: 'charges.create', object, account: '' })).toBeNull()
  })
})

test('an idempotency key is honoured on a POST, and by /v2 on a DELETE', () => {
  const honoured = (request: string) => stripe.idempotent(ask(request).operation, request.split(' ')[0]!)
  expect(honoured('POST /v1/payouts')).toBe(true)
  expect(honoured('POST /v2/core/accounts')).toBe(true)
  expect(honoured('DELETE /v2/core/event_destinations/ed_1')).toBe(true)
  expect(honoured('DELETE /v1/webhook_endpoints/we_1')).toBe(false)
  expect(honoured('GET /v1/payouts')).toBe(false)
})

test('every operation is served by a host that is called', () => {
  const hosts = stripe.operations.flatMap(({ host }) => host ?? [])
  expect([...new Set(hosts)].filter((host) => !stripe.hosts.includes(host))).toEqual([])
  expect(ask('GET /v1/files/file_1').operation.host).toBeUndefined()
  expect(ask('POST /v1/files').operation.host).toBe('files.stripe.com')
  expect(ask('POST /oauth/deauthorize').operation.host).toBe('connect.stripe.com')
})

describe('the API version', () => {
  test('is the one the prices were written for unless the credential pins another', () => {
    expect(stripe.fixedHeaders('')).toEqual({ 'Stripe-Version': '2026-10-28.endive' })
    expect(stripe.fixedHeaders('2025-02-24.acacia')).toEqual({ 'Stripe-Version': '2025-02-24.acacia' })
  })

  test('can be pinned to what the catalogue was written for, with or without its previews', () => {
    for (const version of ['', '2026-10-28.endive', '2026-10-28.preview']) {
      expect(stripe.apiVersionFault!(version)).toBeNull()
    }
    for (const version of ['2026-10-28', '2025-02-24.acacia', '2026-10-28.endive ', 'latest']) {
      expect(stripe.apiVersionFault!(version)).toMatch(/pin 2026-10-28\.endive/)
    }
  })

  test('is never the agent’s', () => {
    expect(stripe.requestHeaders).not.toContain('stripe-version')
  })
})

test.each([
  ['/v1/charges', true],
  ['/v2/core/accounts', true],
  ['/oauth/token', true],
  ['/v1', false],
  ['/emails', false],
  ['/v10/x', false],
])('the root path %s is ours: %s', (path, ours) => {
  expect(stripe.ownsRoot(path)).toBe(ours)
})
