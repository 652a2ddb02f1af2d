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

describe('the API version', () => {
  test('is the one the prices were written for unless the credential pins another', () => {
    expect(stripe.fixedHeaders('')).toEqual({ 'Stripe-Version': '2026-10-28.endive' })
    expect(stripe.fixedHeaders('2025-02-24.acacia')).toEqual({ 'Stripe-Version': '2025-02-24.acacia' })
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
