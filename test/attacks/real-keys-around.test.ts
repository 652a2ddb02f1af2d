import { expect, test } from 'vitest'
import { childEnv } from '../../src/cli/child-env.js'

// Whoever starts a program with `spendgate run` has real keys around, and not always under the vendors' own names. A
// program that finds one needs spendgate no more.

const MADE = { key: 'vault_live_x', presentations: { stripe: ['rk_vault_live_x'], resend: 're_vault_live_x' } } as const

test('a governed program finds no real key in its environment, whatever the variable is called', () => {
  const around = {
    STRIPE_LIVE_KEY: 'sk_live_51Hreal0000000000',
    BILLING_KEY: 'rk_live_51Hreal0000000000',
    MAIL_KEY: 're_AbCd1234_realrealrealrealreal',
    TWILIO_API_KEY_SECRET: 'realrealrealrealrealrealrealreal',
    TWILIO_SECRET: 'realrealrealrealrealrealrealreal',
    TWILIO_AUTH_TOKEN_PROD: 'realrealrealrealrealrealrealreal',
  }
  const harmless = {
    STRIPE_PUBLISHABLE_KEY: 'pk_live_51H',
    PRICE: 're_order_form',
    TWILIO_PHONE_NUMBER: '+14155550100',
  }
  const env = childEnv({ ...around, ...harmless }, MADE as never, 'http://127.0.0.1:4242', 'm')
  for (const [name, value] of Object.entries(around))
    expect([name, Object.values(env).includes(value)]).toEqual([name, false])
  expect(env).toMatchObject({ ...harmless, STRIPE_API_KEY: 'rk_vault_live_x', RESEND_API_KEY: 're_vault_live_x' })
})
