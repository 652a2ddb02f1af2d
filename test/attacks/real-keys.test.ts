import { afterAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { REAL } from '../helpers/world.js'
import { basic, onStage, expectShape, type Attack } from './stage.js'

const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
afterAll(() => stderr.mockRestore())
beforeEach(() => stderr.mockClear())
const stage = onStage({ SPENDGATE_LOG_LEVEL: 'debug' })
const token = '0123456789abcdef0123456789abcdef'
const secret = 'PRESENTED51abcdefghijklmnop'
const email = { vendor: 'resend', line: 'POST /resend/emails', body: '{}' } as const
const refund: Attack = { line: 'POST /stripe/v1/refunds', body: 'charge=ch_A&amount=100' }
const accounts = { vendor: 'twilio', line: 'GET /twilio/2010-04-01/Accounts.json' } as const

/** What an agent might have found in an environment file. None of it is forwarded, stored or repeated. */
describe("a vendor's own key gets 401 and leaves no trace", () => {
  test.each<[string, Attack, string, string]>([
    ['a secret key', refund, `Bearer sk_live_${secret}`, secret],
    ['a test key', refund, `Bearer sk_test_${secret}`, secret],
    ['a restricted key', refund, `Bearer rk_live_${secret}`, secret],
    ['a restricted test key', refund, `Bearer rk_test_${secret}`, secret],
    ['an organisation key', refund, `Bearer sk_org_${secret}`, secret],
    ['the very key we hold', refund, `Bearer ${REAL.stripe}`, REAL.stripe],
    ['a key as the user of Basic', refund, basic(`sk_live_${secret}`, ''), secret],
    ['a key as the user of Basic with a password', refund, basic(`sk_live_${secret}`, 'x'), secret],
    ['a scheme in capitals', refund, `BEARER sk_live_${secret}`, secret],
    ['a key at the root', { ...refund, line: 'POST /v1/refunds' }, `Bearer sk_live_${secret}`, secret],
    ['a key under a run', { ...refund, line: 'POST /run/r1/stripe/v1/refunds' }, `Bearer sk_live_${secret}`, secret],
    [
      'a key on a path nobody can read',
      { ...refund, line: 'POST /stripe/v1/../x' },
      `Bearer sk_live_${secret}`,
      secret,
    ],
    ["a key at another vendor's prefix", email, `Bearer sk_live_${secret}`, secret],
    ['an auth token', accounts, basic(`AC${token}`, token), token],
    ['an API key of Twilio', accounts, basic(`SK${token}`, secret), secret],
    ['an auth token in capitals', accounts, basic(`AC${token.toUpperCase()}`, token), token],
    ['a key of Resend', email, `Bearer re_${secret}`, secret],
    ['a key of Resend with an underscore', email, `Bearer re_abcdefgh_${secret}`, secret],
    ['the very key of Resend', email, `Bearer ${REAL.resend}`, REAL.resend],
  ])('%s', async (_, attack, authorization, text) => {
    const reply = await stage.ignores(attack, 401, authorization)
    expect(reply.headers).toMatchObject({ 'x-spendgate-code': 'real_key_presented', 'x-spendgate-decision': 'deny' })
    expect(reply.headers).not.toHaveProperty('x-spendgate-remaining-usd')
    expectShape(attack.vendor ?? 'stripe', reply, 'real_key_presented')
    const logged = stderr.mock.calls.map(([line]) => String(line)).join('')
    const everything = [JSON.stringify(reply), logged, stage.world.files().toString('latin1')].join('\n')
    for (const form of [
      text,
      Buffer.from(text).toString('base64').replace(/=+$/, '').slice(0, -1),
      Buffer.from(text).toString('hex'),
    ]) {
      expect(everything.includes(form)).toBe(false)
    }
  })
})

describe('what only resembles a key is unknown', () => {
  test.each([
    ['nothing at all', ''],
    ['a publishable key', `Bearer pk_live_${secret}`],
    ['a vault prefix and nothing', 'Bearer vault_live_'],
    ['a vault key of the wrong length', `Bearer vault_live_${'a'.repeat(48)}`],
    ['a scheme nobody speaks', `Digest sk_live_${secret}`],
    ['Basic that is no base64', 'Basic !!!!'],
    ['Basic without a colon', `Basic ${Buffer.from('abc').toString('base64')}`],
    ['a bearer with a space', 'Bearer vault_live_x y'],
    ['a tab between scheme and token', `Bearer\tsk_live_${secret}`],
    ['two spaces between scheme and token', `Bearer  sk_live_${secret}`],
  ])('%s', async (_, authorization) => {
    const reply = await stage.ignores(refund, 401, authorization)
    expect(reply.headers['x-spendgate-code']).toBe('key_unknown')
    expect(reply.body).not.toContain(secret)
  })
})

test('a vault key sent straight to the vendor by mistake opens nothing there', async () => {
  const { presentations, key } = await stage.key()
  for (const shown of [key, ...presentations.stripe!]) {
    const reply = await fetch(`${stage.world.stripe.origin}/v1/balance`, {
      headers: { authorization: `Bearer ${shown}` },
    })
    expect(reply.status).toBe(401)
  }
})
