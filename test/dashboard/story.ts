import type { Stripe } from 'stripe'
import { stripeClient } from '../../fixtures/simulators/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'

/** A support agent that refunds and charges, and a sender of mail; what they do stands on every screen. */
export interface Cast {
  readonly support: IssuedKey
  readonly notices: IssuedKey
  readonly stripe: Stripe
}

export const RUN = 'run_support-4711'
const MINUTE = 60_000

export async function hire(world: World): Promise<Cast> {
  const support = await world.key({
    daily_cap_usd: '600.00',
    approval: { above_usd: '50.00' },
    budgets: [{ per: 'run', cap_usd: '400.00' }],
    vendors: {
      stripe: { endpoints: { allow: ['* *'] }, customers: ['cus_A'], max_amount_usd: '90.00' },
    },
  })
  const notices = await world.key({ daily_cap_usd: '0.10' }, { vendors: ['resend', 'twilio'] })
  return {
    support,
    notices,
    stripe: await stripeClient(world.url, support.presentations.stripe![0]!, { runId: RUN }),
  }
}

export const payOf = (stripe: Stripe, minor: number, customer = 'cus_A'): Promise<unknown> =>
  stripe.paymentIntents.create({
    amount: minor,
    currency: 'usd',
    customer,
    payment_method: 'pm_card_visa',
    confirm: true,
  })

/** Whether the call passed, or the code of its refusal. */
export const outcome = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'passed',
    (error: { code?: string; message: string }) => error.code ?? error.message,
  )

/** Some hours of work, as the day's line shows it. */
export async function aMorning(world: World, { stripe, notices }: Cast): Promise<void> {
  for (const [minutes, minor, customer] of [
    [0, 1200, 'cus_A'],
    [11, 850, 'cus_A'],
    [9, 2500, 'cus_A'],
    [23, 9900, 'cus_A'],
    [2, 400, 'cus_B'],
    [14, 1999, 'cus_A'],
    [31, 640, 'cus_A'],
    [4, 3300, 'cus_A'],
    [17, 1450, 'cus_B'],
    [12, 700, 'cus_A'],
  ] as const) {
    world.clock.aheadMs += minutes * MINUTE
    await outcome(payOf(stripe, minor, customer))
  }
  for (const subject of ['Your refund', 'Your parcel', 'A question']) {
    world.clock.aheadMs += 6 * MINUTE
    await world.call(
      notices.key,
      'POST',
      '/run/run_notices/resend/emails',
      JSON.stringify({ from: 'billing@acme.com', to: ['dana@acme.com'], subject, text: 'Hello.' }),
      { 'content-type': 'application/json' },
    )
  }
}
