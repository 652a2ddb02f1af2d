import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Plan } from '../../fixtures/simulators/index.js'
import { parseUsd, usd } from '../../src/contracts/money.js'
import type { IssuedKey, World } from '../helpers/world.js'
import {
  books,
  callIdOf,
  codeOf,
  DAY,
  moved,
  pay,
  payment,
  rowOf,
  seenBy,
  spentBy,
  startWorld,
  travel,
} from './given.js'
import { stripeClient } from '../../fixtures/simulators/clients.js'

let world: World
let key: IssuedKey
/** What was assumed although it had not happened, in micro-USD: the price of never guessing low. */
let phantom = 0n
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
  key = await world.key({ daily_cap_usd: '100.00' })
})
beforeEach(() => {
  world.stripe.faults.length = 0
})
afterAll(async () => {
  const { spent, held } = await books(world)
  expect(held).toBe('0.00')
  expect(parseUsd(spent)).toBe(usd(moved(world) + phantom))
  await world.close()
})

interface Lost {
  readonly what: string
  readonly plan: (applies: boolean) => Plan
  readonly status: number
  readonly code: string | null
}

const LOST: readonly Lost[] = [
  { what: 'no answer in time', plan: (applies) => ({ do: 'hang', applies }), status: 504, code: 'upstream_timeout' },
  {
    what: 'a reset before the reply',
    plan: (applies) => ({ do: 'reset', applies }),
    status: 502,
    code: 'upstream_unavailable',
  },
  {
    what: 'a reset in the middle of the reply',
    plan: (applies) => ({ do: 'reset-in-body', applies }),
    status: 502,
    code: 'upstream_unavailable',
  },
  {
    what: 'an internal error of the vendor',
    plan: (applies) => ({ do: 'status', status: 500, applies }),
    status: 500,
    code: null,
  },
  {
    what: 'a bad gateway before the vendor',
    plan: (applies) => ({ do: 'status', status: 502, applies }),
    status: 502,
    code: null,
  },
  { what: 'a conflict', plan: (applies) => ({ do: 'status', status: 409, applies }), status: 409, code: null },
  {
    what: 'a reply that is cut off but says it is whole',
    plan: (applies) => ({ do: 'truncate', applies }),
    status: 502,
    code: 'upstream_unavailable',
  },
  {
    what: 'a reply in an encoding nobody asked for',
    plan: (applies) => ({ do: 'gzip', applies }),
    status: 502,
    code: 'upstream_unavailable',
  },
  {
    what: 'a reply that is too large',
    plan: (applies) => ({ do: 'oversize', mib: 9, applies }),
    status: 502,
    code: 'upstream_unavailable',
  },
  {
    what: 'a redirect',
    plan: (applies) => ({ do: 'redirect', to: `${world.resend.origin}/emails`, applies }),
    status: 502,
    code: 'upstream_unavailable',
  },
]

describe('after it nobody knows whether the vendor acted, so it is assumed and counts', () => {
  test.each(
    LOST.flatMap((lost) =>
      [true, false].map((applies) => ({ ...lost, applies, truth: applies ? 'acted' : 'did not act' })),
    ),
  )('$what, and the vendor $truth', async ({ plan, applies, status, code }) => {
    const before = parseUsd(await spentBy(world, key.id))!
    world.stripe.fault('POST /v1/payment_intents', plan(applies))
    const others = world.resend.requests.length
    const { result, requests } = await seenBy(world.stripe, () => pay(world, key.key, 100))
    expect([result.status, codeOf(result)]).toEqual([status, code])
    expect(requests).toHaveLength(1)
    expect(world.resend.requests).toHaveLength(others)
    expect(await rowOf(world, callIdOf(result))).toMatchObject({
      state: 'assumed',
      settled_usd: '1.00',
      decision: { verdict: 'allow' },
    })
    expect(parseUsd(await spentBy(world, key.id))! - before).toBe(1_000_000n)
    if (!applies) phantom += 1_000_000n
  })
})

test('the SDK may ask again under its own key and is counted once; the agent is told what stays counted', async () => {
  const retrying = await world.key({ daily_cap_usd: '1.00' })
  const asked = { amount: 100, currency: 'usd', customer: 'cus_A', payment_method: 'pm_card_visa', confirm: true }
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const patient = await stripeClient(world.url, retrying.presentations.stripe![0]!, { maxNetworkRetries: 2 })
  const { result, requests } = await seenBy(world.stripe, () => patient.paymentIntents.create(asked))
  expect(result.status).toBe('succeeded')
  expect(requests.length).toBeGreaterThan(1)
  expect(new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1)
  expect(await spentBy(world, retrying.id)).toBe('1.00')

  const other = await world.key({ daily_cap_usd: '1.00' })
  world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
  const client = await stripeClient(world.url, other.presentations.stripe![0]!)
  const error = await client.paymentIntents.create(asked).catch((cause: unknown) => cause)
  expect(error).toMatchObject({ type: 'StripeAPIError', code: 'upstream_timeout', statusCode: 504 })
  expect((error as Error).message).toMatch(/stays counted until its records say otherwise/)
})

test('what is assumed takes up the cap', async () => {
  const small = await world.key({ daily_cap_usd: '1.50' })
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
  await pay(world, small.key, 100)
  phantom += 1_000_000n
  expect(codeOf(await pay(world, small.key, 51))).toBe('daily_cap_exceeded')
  expect((await pay(world, small.key, 50)).status).toBe(200)
})

test('a retry under the same idempotency key is counted once, whichever of the two was answered', async () => {
  const small = await world.key({ daily_cap_usd: '1.00' })
  const headers = { 'idempotency-key': 'one-refund' }
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const { result, requests } = await seenBy(world.stripe, async () => [
    await pay(world, small.key, 100, headers),
    await pay(world, small.key, 100, headers),
  ])
  expect(result.map(({ status }) => status)).toEqual([502, 200])
  expect(new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1)
  expect(await rowOf(world, callIdOf(result[1]!))).toMatchObject({
    replay_of: callIdOf(result[0]!),
    quoted_usd: '0.00',
    settled_usd: '0.00',
  })
  expect(await spentBy(world, small.id)).toBe('1.00')
})

test('days and restarts do not make an unknown outcome known', async () => {
  const small = await world.key({ daily_cap_usd: '5.00', budgets: [{ per: 'month', cap_usd: '5.00' }] })
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const lost = await pay(world, small.key, 450)
  travel(world, 3 * DAY)
  await world.server.stop()
  await world.serve()
  expect(await rowOf(world, callIdOf(lost))).toMatchObject({ state: 'assumed', settled_usd: '4.50' })
  expect(codeOf(await pay(world, small.key, 51))).toBe('budget_exceeded')
})

test('a read that got no answer cost nothing', async () => {
  world.stripe.fault('GET /v1/customers', { do: 'reset', applies: true })
  const answer = await world.call(key.key, 'GET', '/stripe/v1/customers/cus_A')
  expect(codeOf(answer)).toBe('upstream_unavailable')
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'released', settled_usd: '0.00' })
})

test('a look-up that fails refuses the call: nothing was sent but the read', async () => {
  world.stripe.fault('GET /v1/charges', { do: 'hang', applies: true })
  const { result, requests } = await seenBy(world.stripe, () =>
    world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '100' }),
  )
  expect(codeOf(result)).toBe('upstream_unavailable')
  expect(requests.map(({ method }) => method)).toEqual(['GET'])
  expect(await rowOf(world, callIdOf(result))).toMatchObject({ state: 'denied', settled_usd: '0.00', look_ups: 1 })
})

test('a reply that lies about the amount is booked as it says, and the book stays sound', async () => {
  const liar = await world.key({ daily_cap_usd: '2.00' })
  world.stripe.fault('POST /v1/payment_intents', { do: 'lie', factor: 3 })
  const answer = await world.call(liar.key, 'POST', '/stripe/v1/payment_intents', payment(100))
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({
    state: 'settled',
    reserved_usd: '1.00',
    settled_usd: '3.00',
  })
  phantom += 2_000_000n
  expect(codeOf(await pay(world, liar.key, 1))).toBe('daily_cap_exceeded')
})
