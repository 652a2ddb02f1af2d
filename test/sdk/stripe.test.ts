import { Stripe } from 'stripe'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stripeClient } from '../../fixtures/simulators/clients.js'
import { REAL, World } from '../helpers/world.js'

let world: World
beforeAll(async () => {
  world = await World.start()
})
afterAll(() => world.close())

describe('the real stripe package through the proxy', () => {
  test('an allowed call arrives once, with the real key, and its cost is on the run', async () => {
    world.stripe.reset()
    world.stripe.seed()
    const { presentations } = await world.key({ vendors: { stripe: { endpoints: { allow: ['POST /v1/refunds'] }, customers: ['cus_A'], max_amount_usd: '50.00' } } })
    const client = await stripeClient(world.url, presentations.stripe![0]!, { runId: 'run_first' })
    const refund = await client.refunds.create({ charge: 'ch_A', amount: 1200 })
    expect(refund.amount).toBe(1200)
    const sent = world.stripe.requests.filter((each) => each.path === '/v1/refunds')
    expect(sent).toHaveLength(1)
    expect(sent[0]!.headers.authorization).toBe(`Bearer ${REAL.stripe}`)
    expect(JSON.stringify(world.stripe.requests)).not.toContain('vault_')
    expect(await world.spent('run_first')).toMatchObject({ spent_usd: '12.00', held_usd: '0.00', calls: 1, denied: 0 })
  })

  test('over the limit: the SDK raises its permission error with our code after one request, and no connection is opened', async () => {
    world.stripe.reset()
    world.stripe.seed()
    const { presentations } = await world.key({ vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents'] }, max_amount_usd: '50.00' } } })
    const client = await stripeClient(world.url, presentations.stripe![1]!, { maxNetworkRetries: 2 })
    const before = world.stripe.connections
    const error = await client.paymentIntents.create({ amount: 6000, currency: 'usd', customer: 'cus_A' }).catch((cause: unknown) => cause)
    expect(error).toBeInstanceOf(Stripe.errors.StripePermissionError)
    expect((error as Stripe.errors.StripePermissionError).code).toBe('amount_over_limit')
    expect((error as Error).message).toMatch(/^amount_over_limit: USD 60\.00 .* USD 50\.00/)
    expect(world.stripe.requests).toHaveLength(0)
    expect(world.stripe.connections).toBe(before)
    const [row] = await world.calls('&state=denied')
    expect(row).toMatchObject({ operation: 'payment_intents.create', state: 'denied', quoted_usd: '60.00', decision: { code: 'amount_over_limit' } })
  })
})
