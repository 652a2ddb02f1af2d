import { Stripe } from 'stripe'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { stripeClient } from '../../fixtures/simulators/clients.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { books, HOUR, moved, refusals, seenBy, startWorld, travel } from '../pipeline/given.js'
import { formatUsd } from '../../src/contracts/money.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => {
  Reflect.deleteProperty(world.clock, 'suspect')
})
afterAll(async () => {
  const { spent, held } = await books(world)
  expect({ spent, held }).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const { StripeAPIError, StripeAuthenticationError, StripePermissionError, StripeRateLimitError } = Stripe.errors
const PAID = { amount: 100, currency: 'usd', customer: 'cus_A', payment_method: 'pm_card_visa', confirm: true } as const

describe('the real stripe package through the proxy', () => {
  test('an allowed call arrives once, with the real key, and its cost is on the run', async () => {
    const { presentations } = await world.key({
      vendors: {
        stripe: { endpoints: { allow: ['POST /v1/refunds'] }, customers: ['cus_A'], max_amount_usd: '50.00' },
      },
    })
    const client = await stripeClient(world.url, presentations.stripe![0]!, { runId: 'run_first' })
    const refund = await client.refunds.create({ charge: 'ch_A', amount: 1200 })
    expect(refund.amount).toBe(1200)
    const sent = world.stripe.requests.filter((each) => each.path === '/v1/refunds')
    expect(sent).toHaveLength(1)
    expect(sent[0]!.headers.authorization).toBe(`Bearer ${REAL.stripe}`)
    expect(JSON.stringify(world.stripe.requests)).not.toContain('vault_')
    expect(await world.spent('run_first')).toMatchObject({ spent_usd: '12.00', held_usd: '0.00', calls: 1, denied: 0 })
  })

  test('a whole job works: list, retrieve, create, confirm and capture', async () => {
    const { presentations } = await world.key()
    const client = await stripeClient(world.url, presentations.stripe![1]!, { runId: 'run_job' })
    const { requests } = await seenBy(world.stripe, async () => {
      expect((await client.charges.list({ customer: 'cus_A', limit: 2 })).data).toHaveLength(2)
      expect((await client.customers.retrieve('cus_A')).id).toBe('cus_A')
      const intent = await client.paymentIntents.create({
        amount: 4_000,
        currency: 'usd',
        customer: 'cus_A',
        capture_method: 'manual',
        metadata: { ticket: '42' },
      })
      const confirmed = await client.paymentIntents.confirm(intent.id, { payment_method: 'pm_card_visa' })
      expect(confirmed.status).toBe('requires_capture')
      expect((await client.paymentIntents.capture(intent.id)).amount_received).toBe(4_000)
    })
    const writes = requests.filter((each) => each.method === 'POST')
    expect(writes.map((each) => each.headers.authorization)).toEqual(Array(3).fill(`Bearer ${REAL.stripe}`))
    expect(await world.spent('run_job')).toMatchObject({ spent_usd: '40.00', held_usd: '0.00', calls: 5, denied: 0 })
  })

  test('an error of the vendor stays the vendor’s error', async () => {
    const { presentations } = await world.key()
    const client = await stripeClient(world.url, presentations.stripe![0]!, { runId: 'run_declined' })
    const declined = client.paymentIntents.create({ ...PAID, payment_method: 'pm_card_chargeDeclined' })
    await expect(declined).rejects.toBeInstanceOf(Stripe.errors.StripeCardError)
    const missing = await client.customers.retrieve('cus_nobody').catch((cause: unknown) => cause)
    expect(missing).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError)
    expect((missing as Stripe.errors.StripeError).requestId).toMatch(/^req_/)
    expect(await world.spent('run_declined')).toMatchObject({
      spent_usd: '0.00',
      held_usd: '0.00',
      calls: 2,
      denied: 0,
    })
  })
})

interface Refusal {
  readonly code: string
  /** What tells this row from another of the same code. */
  readonly when?: string
  readonly error?: new (...args: never[]) => Error
  readonly status?: number
  readonly policy?: Record<string, unknown>
  readonly vendors?: readonly 'resend'[]
  readonly expires?: string
  /** Runs before the call that is refused; what it sends is not counted. */
  before?(key: IssuedKey, client: Stripe): Promise<unknown>
  act(client: Stripe): Promise<unknown>
  /** Reads that the refusal may cause; none when absent. */
  readonly lookUps?: number
  readonly says?: RegExp
}

const create = (client: Stripe, more: Partial<Stripe.PaymentIntentCreateParams> = {}): Promise<unknown> =>
  client.paymentIntents.create({ ...PAID, ...more })
const stripe = (block: object): Record<string, unknown> => ({
  vendors: { stripe: { endpoints: { allow: ['* *'] }, permit: ['future_spend', 'destructive'], ...block } },
})

const REFUSALS: readonly Refusal[] = [
  {
    code: 'key_revoked',
    error: StripeAuthenticationError,
    status: 401,
    before: ({ id }) => world.must('POST', `/keys/${id}/revoke`),
    act: create,
  },
  {
    code: 'key_expired',
    error: StripeAuthenticationError,
    status: 401,
    expires: '1h',
    before: async () => travel(world, HOUR),
    act: create,
    says: /expired at 2026-11-24T13/,
  },
  { code: 'key_frozen', before: ({ id }) => world.must('POST', '/freeze', { key: id }), act: create },
  { code: 'vendor_not_granted', vendors: ['resend'], act: create },
  { code: 'request_malformed', when: 'the amount is no integer', act: (client) => create(client, { amount: 19.99 }) },
  {
    code: 'request_malformed',
    when: 'a parameter is not known',
    act: (client) => create(client, { surprise: 'x' } as object),
  },
  {
    code: 'request_ambiguous',
    act: (client) => client.refunds.create({ charge: 'ch_A', payment_intent: 'pi_A', amount: 1 }),
  },
  { code: 'operation_unknown', act: (client) => client.rawRequest('POST', '/v1/instant_loans', { currency: 'usd' }) },
  { code: 'operation_not_allowed', policy: stripe({ endpoints: { allow: ['GET *'] } }), act: create },
  {
    code: 'operation_not_allowed',
    when: 'deny beats allow',
    policy: stripe({ endpoints: { allow: ['* *'], deny: ['POST /v1/charges/*/refund'] } }),
    act: (client) => client.refunds.create({ charge: 'ch_A', amount: 1 }),
  },
  {
    code: 'effect_not_permitted',
    policy: stripe({ permit: [] }),
    act: (client) => client.invoices.create({ customer: 'cus_A' }),
  },
  { code: 'account_not_allowed', act: (client) => client.paymentIntents.create(PAID, { stripeAccount: 'acct_other' }) },
  {
    code: 'customer_not_allowed',
    policy: stripe({ customers: ['cus_A'] }),
    act: (client) => create(client, { customer: 'cus_B' }),
  },
  {
    code: 'customer_not_allowed',
    when: 'the charge is another customer’s',
    policy: stripe({ customers: ['cus_A'] }),
    act: (client) => client.refunds.create({ charge: 'ch_B', amount: 1 }),
    lookUps: 1,
  },
  {
    code: 'customer_not_allowed',
    when: 'a list has no customer filter',
    policy: stripe({ customers: ['cus_A'] }),
    act: (client) => client.charges.list(),
  },
  {
    code: 'beneficiary_not_allowed',
    act: (client) => client.transfers.create({ amount: 100, currency: 'usd', destination: 'acct_other' }),
  },
  { code: 'url_not_allowed', act: (client) => create(client, { return_url: 'https://elsewhere.example/done' }) },
  {
    code: 'currency_not_allowed',
    policy: stripe({ currencies: ['usd'] }),
    act: (client) => create(client, { currency: 'eur' }),
  },
  { code: 'amount_unknown', act: (client) => create(client, { currency: 'eur' }), says: /EUR/ },
  {
    code: 'amount_over_limit',
    policy: stripe({ max_amount_usd: '50.00' }),
    act: (client) => create(client, { amount: 6000 }),
    says: /^amount_over_limit: USD 60\.00 .* USD 50\.00/,
  },
  { code: 'run_cap_exceeded', policy: { budgets: [{ per: 'run', cap_usd: '0.50' }] }, act: create },
  {
    code: 'daily_cap_exceeded',
    policy: { daily_cap_usd: '0.99' },
    act: create,
    says: /USD 0\.99 left, resets 2026-11-25T00:00/,
  },
  {
    code: 'budget_exceeded',
    policy: { budgets: [{ per: 'month', cap_usd: '0.99' }] },
    act: create,
    says: /resets 2026-12-01T00:00/,
  },
  {
    code: 'idempotency_mismatch',
    before: (_key, client) => client.paymentIntents.create(PAID, { idempotencyKey: 'once' }),
    act: (client) => client.paymentIntents.create({ ...PAID, amount: 101 }, { idempotencyKey: 'once' }),
  },
  {
    code: 'duplicate_call',
    policy: { duplicate_guard: { within: '10m' } },
    before: (_key, client) => create(client),
    act: create,
  },
  { code: 'reason_required', policy: { require_reason: true }, act: create },
  { code: 'approval_required', policy: { approval: { above_usd: '0.50' } }, act: create },
  {
    code: 'body_too_large',
    error: StripeAPIError,
    status: 413,
    act: (client) => create(client, { description: 'x'.repeat(300 * 1024) }),
  },
  {
    code: 'rate_limited',
    error: StripeRateLimitError,
    status: 429,
    policy: { rate_limit: { per_minute: 1 } },
    before: (_key, client) => client.customers.retrieve('cus_A'),
    act: create,
    says: /Retry after 60 s/,
  },
  {
    code: 'clock_suspect',
    error: StripeAPIError,
    status: 503,
    before: async () => void (world.clock.suspect = () => 'The clock jumped.'),
    act: create,
  },
]

describe('a refusal is the typed error of the SDK, which does not send it again, and the vendor hears nothing', () => {
  test.each(
    REFUSALS.map((refusal) => ({ ...refusal, title: refusal.code + (refusal.when ? `: ${refusal.when}` : '') })),
  )(
    '$title',
    async ({
      code,
      error = StripePermissionError,
      status = 403,
      policy = {},
      vendors,
      expires,
      before,
      act,
      lookUps = 0,
      says,
    }) => {
      const key = await world.key(policy, { ...(vendors && { vendors }), ...(expires && { expires_in: expires }) })
      const client = await stripeClient(world.url, `rk_${key.key}`, { maxNetworkRetries: 2 })
      await before?.(key, client)
      const { result, requests, connections } = await seenBy(world.stripe, () =>
        act(client).catch((cause: unknown) => cause),
      )
      expect(result).toBeInstanceOf(error)
      const { message, statusCode, headers, code: shown, rawType } = result as Stripe.errors.StripeError
      expect({ statusCode, shown, rawType }).toEqual({
        statusCode: status,
        shown: code,
        rawType: 'invalid_request_error',
      })
      expect(message.startsWith(`${code}: `)).toBe(true)
      expect(message).toMatch(says ?? /\.$/)
      expect(headers).toMatchObject({
        'stripe-should-retry': 'false',
        'x-spendgate-code': code,
        'x-spendgate-decision': 'deny',
      })

      const rows = await world.calls(`&key=${key.id}&state=denied`)
      expect(rows).toHaveLength(1)
      expect(rows[0]).toMatchObject({
        count: 1,
        look_ups: lookUps,
        settled_usd: '0.00',
        decision: { verdict: 'deny', code },
      })
      expect(requests.map((each) => each.method)).toEqual(Array(lookUps).fill('GET'))
      if (lookUps === 0) expect(connections).toBe(0)
    },
  )

  test.each([
    { code: 'key_unknown', key: 'rk_vault_live_0000000000000000000000000000000000000000000000000' },
    { code: 'real_key_presented', key: 'sk_live_51AgentHasARealKeyOfItsOwn' },
  ])('$code: no row, because no key is known, and one request all the same', async ({ code, key }) => {
    const rows = (await world.calls()).length
    const before = await refusals(world, code)
    const client = await stripeClient(world.url, key, { maxNetworkRetries: 2 })
    const { result, requests, connections } = await seenBy(world.stripe, () =>
      create(client).catch((cause: unknown) => cause),
    )
    expect(result).toBeInstanceOf(StripeAuthenticationError)
    expect((result as Stripe.errors.StripeError).code).toBe(code)
    expect((result as Error).message.startsWith(`${code}: `)).toBe(true)
    expect((await refusals(world, code)) - before).toBe(1)
    expect(await world.calls()).toHaveLength(rows)
    expect({ requests: requests.length, connections }).toEqual({ requests: 0, connections: 0 })
    expect(world.files().includes(key)).toBe(false)
  })
})
