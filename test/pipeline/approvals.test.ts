import type { Stripe } from 'stripe'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stripeClient } from '../../fixtures/simulators/clients.js'
import { formatUsd } from '../../src/contracts/money.js'
import type { Engine } from '../../src/engine.js'
import { runtimeOf } from '../../src/engine.js'
import { Metrics } from '../../src/metrics.js'
import { refusal } from '../../src/pipeline.js'
import { vendors } from '../../vendors/index.js'
import type { IssuedKey, World } from '../helpers/world.js'
import {
  books,
  callIdOf,
  codeOf,
  HOUR,
  MINUTE,
  moved,
  pay,
  rowOf,
  seenBy,
  spentBy,
  startWorld,
  travel,
} from './given.js'

/* A person decides on one request at a time, through the real SDK against the simulated vendor. */

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const LIMIT = { approval: { above_usd: '25.00' } }
const stripeOf = ({ presentations }: IssuedKey): Promise<Stripe> => stripeClient(world.url, presentations.stripe![0]!)
const PAID = {
  amount: 6_000,
  currency: 'usd',
  customer: 'cus_A',
  payment_method: 'pm_card_visa',
  confirm: true,
} as const

/** What the SDK raises, which must be its own typed error; null when it is answered. */
async function refusedBy(stripe: Stripe, params: Stripe.PaymentIntentCreateParams = PAID): Promise<string | null> {
  const { errors } = (await import('stripe')).Stripe
  try {
    await stripe.paymentIntents.create(params)
    return null
  } catch (fault) {
    expect(fault).toBeInstanceOf(errors.StripePermissionError)
    expect(fault).toMatchObject({ code: 'approval_required', statusCode: 403 })
    return (fault as Error).message
  }
}
const idIn = (message: string | null): string => /appr_[0-9A-Za-z]{20}/.exec(message ?? '')![0]
const approvalsOf = async ({ id }: IssuedKey, state = ''): Promise<any[]> =>
  (await world.must('GET', `/approvals?key=${id}${state && `&state=${state}`}`)).approvals
const decide = (id: string, verb: 'approve' | 'deny', body: object = {}): Promise<any> =>
  world.must('POST', `/approvals/${id}/${verb}`, body)
const restart = async (): Promise<void> => {
  await world.server.stop()
  await world.serve()
}

test('above the limit a call is refused with the request that waits; approved, the very same call passes once', async () => {
  const key = await world.key(LIMIT)
  const stripe = await stripeOf(key)
  const { result: message, requests } = await seenBy(world.stripe, () => refusedBy(stripe))
  expect(requests).toEqual([])
  expect(message).toMatch(
    /^approval_required: USD 60\.00 is above USD 25\.00 \(policy policy-\d+@1, approval\.above_usd\), so a person must approve it: appr_\w{20} \(expires 2026-11-24T13:\d\d:\d\d\.\d{3}Z\)\. Ask the operator, then send the very same request again\./,
  )
  const id = idIn(message)
  expect(idIn(await refusedBy(stripe))).toBe(id)
  expect(await approvalsOf(key)).toMatchObject([
    { id, state: 'open', ceiling_usd: '60.00', operation: 'payment_intents.create', customer: 'cus_A', used_by: null },
  ])

  expect(await decide(id, 'approve')).toMatchObject({ id, state: 'approved', decided_by: 'admin' })
  expect(await refusedBy(stripe)).toBeNull()
  expect(await spentBy(world, key.id)).toBe('60.00')
  const [used] = await approvalsOf(key)
  expect(used).toMatchObject({ id, state: 'used' })
  expect(await rowOf(world, used.used_by)).toMatchObject({ state: 'settled', settled_usd: '60.00' })

  expect(idIn(await refusedBy(stripe))).not.toBe(id)
  expect(await spentBy(world, key.id)).toBe('60.00')
})

test('below the limit nothing is asked', async () => {
  const key = await world.key(LIMIT)
  expect((await pay(world, key.key, 2_500)).status).toBe(200)
  expect(await approvalsOf(key)).toEqual([])
})

test('an approval covers no other amount, customer, parameter or key', async () => {
  const key = await world.key(LIMIT)
  const [stripe, another] = [await stripeOf(key), await stripeOf(await world.key(LIMIT))]
  const child = await stripeOf(await world.must('POST', `/keys/${key.id}/runs`, {}))
  const id = idIn(await refusedBy(stripe))
  await decide(id, 'approve')
  const { requests } = await seenBy(world.stripe, async () => {
    for (const changed of [
      { amount: 6_001 },
      { amount: 5_999 },
      { customer: 'cus_B' },
      { description: 'Something else.' },
      { metadata: { order: '2' } },
    ])
      expect(idIn(await refusedBy(stripe, { ...PAID, ...changed }))).not.toBe(id)
    for (const other of [another, child]) expect(idIn(await refusedBy(other))).not.toBe(id)
  })
  expect(requests).toEqual([])
  expect(await refusedBy(stripe)).toBeNull()
})

test('of identical calls at once one passes, and one request waits for the rest', async () => {
  const key = await world.key(LIMIT)
  const stripe = await stripeOf(key)
  await decide(idIn(await refusedBy(stripe)), 'approve')
  const answers = await Promise.all(Array.from({ length: 12 }, () => refusedBy(stripe)))
  expect(answers.filter((message) => message === null)).toHaveLength(1)
  expect((await approvalsOf(key)).map(({ state }) => state)).toEqual(['open', 'used'])
  expect(await spentBy(world, key.id)).toBe('60.00')
})

test('caps and every other rule speak first, and an approval lifts none of them', async () => {
  const key = await world.key({ ...LIMIT, daily_cap_usd: '50.00' })
  expect(codeOf(await pay(world, key.key, 6_000))).toBe('daily_cap_exceeded')
  expect(await approvalsOf(key)).toEqual([])
  const asked = await pay(world, key.key, 4_000)
  expect(codeOf(asked)).toBe('approval_required')
  await decide(idIn(asked.body.error.message), 'approve')
  expect((await pay(world, key.key, 2_000)).status).toBe(200)
  expect(codeOf(await pay(world, key.key, 4_000))).toBe('daily_cap_exceeded')
  expect(await approvalsOf(key)).toMatchObject([{ state: 'approved' }])
  await world.must('POST', `/keys/${key.id}/revoke`)
  expect(codeOf(await pay(world, key.key, 4_000))).toBe('key_revoked')
})

test('a denied one says why and is not asked again', async () => {
  const key = await world.key(LIMIT)
  const stripe = await stripeOf(key)
  const id = idIn(await refusedBy(stripe))
  await decide(id, 'deny', { reason: 'She was refunded in May.' })
  const message = await refusedBy(stripe)
  expect(message).toContain(
    `so a person must approve it, and ${id} was denied (She was refunded in May.). Do not retry.`,
  )
  expect(await approvalsOf(key)).toHaveLength(1)
})

test('an open one and an approved one expire by the policy’s time, and the next refusal asks anew', async () => {
  const key = await world.key({ approval: { above_usd: '25.00', expires_in: '10m' } })
  const stripe = await stripeOf(key)
  const first = idIn(await refusedBy(stripe))
  travel(world, 11 * MINUTE)
  expect((await world.admin('POST', `/approvals/${first}/approve`, {})).status).toBe(409)
  const second = idIn(await refusedBy(stripe))
  expect(second).not.toBe(first)
  await decide(second, 'approve')
  travel(world, 11 * MINUTE)
  expect(idIn(await refusedBy(stripe))).not.toBe(second)
  expect((await approvalsOf(key)).map(({ state }) => state)).toEqual(['open', 'expired', 'expired'])
})

test('requests and approvals stand over a restart', async () => {
  const key = await world.key(LIMIT)
  const asked = await pay(world, key.key, 6_000)
  const id = idIn(asked.body.error.message)
  await restart()
  expect(idIn((await pay(world, key.key, 6_000)).body.error.message)).toBe(id)
  await decide(id, 'approve')
  await restart()
  expect((await pay(world, key.key, 6_000)).status).toBe(200)
  expect(codeOf(await pay(world, key.key, 6_000))).toBe('approval_required')
})

test('a retry of the call that used it, under its idempotency key, needs no second one', async () => {
  const key = await world.key(LIMIT)
  const headers = { 'idempotency-key': 'approved-once' }
  await decide(idIn((await pay(world, key.key, 6_000, headers)).body.error.message), 'approve')
  const first = await pay(world, key.key, 6_000, headers)
  const again = await pay(world, key.key, 6_000, headers)
  expect([first.status, again.status, again.body.id]).toEqual([200, 200, first.body.id])
  expect(await rowOf(world, callIdOf(again))).toMatchObject({ replay_of: callIdOf(first) })
  expect(await spentBy(world, key.id)).toBe('60.00')
  expect(await approvalsOf(key)).toHaveLength(1)
})

test('a vendor that says no has used it up all the same', async () => {
  const key = await world.key(LIMIT)
  await decide(idIn((await pay(world, key.key, 6_000)).body.error.message), 'approve')
  world.stripe.fault('POST /v1/payment_intents', { do: 'status', status: 402, applies: false })
  expect((await pay(world, key.key, 6_000)).status).toBe(402)
  expect(codeOf(await pay(world, key.key, 6_000))).toBe('approval_required')
  expect(await spentBy(world, key.id)).toBe('0.00')
})

test('a key narrowed meanwhile is asked for what it passed before, and an approval under it stands no longer', async () => {
  const key = await world.key()
  await world.must('POST', `/keys/${key.id}/narrow`, { approval: { above_usd: '25.00', expires_in: '5m' } })
  const id = idIn((await pay(world, key.key, 6_000)).body.error.message)
  await decide(id, 'approve')
  travel(world, 6 * MINUTE)
  expect(codeOf(await pay(world, key.key, 6_000))).toBe('approval_required')
})

test('a policy that only observes lets through, records, and opens no request', async () => {
  const key = await world.key({ ...LIMIT, mode: 'observe' })
  const answer = await pay(world, key.key, 6_000)
  expect([answer.status, answer.headers['x-spendgate-decision']]).toEqual([200, 'would_deny'])
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({ decision: { code: 'approval_required' } })
  expect(await approvalsOf(key)).toEqual([])
  travel(world, HOUR)
})

describe('where the operator decides', () => {
  const stripe = runtimeOf(
    vendors.find(({ name }) => name === 'stripe')!,
    null,
  )
  const messageOf = (approvalLink?: (id: string) => string): string => {
    const engine = { metrics: new Metrics(), ...(approvalLink && { approvalLink }) } as unknown as Engine
    const denial = { code: 'approval_required', rule: 'approval', message: 'Ask.', approval: 'appr_1' } as const
    return JSON.parse(String(refusal(stripe, denial, null, engine).body)).error.message
  }
  test('stands inside the sentence, so that no full stop joins the address', () => {
    expect(messageOf((id) => `https://gate.test:4243/approvals/${id}`)).toBe(
      'approval_required: Ask. At https://gate.test:4243/approvals/appr_1 the operator decides.',
    )
  })
  test('is left out where nobody knows it', () => {
    expect(messageOf()).toBe('approval_required: Ask.')
  })
})
