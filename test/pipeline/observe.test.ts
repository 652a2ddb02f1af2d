import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { Answer, IssuedKey, World } from '../helpers/world.js'
import { books, callIdOf, codeOf, moved, pay, payment, rowOf, seenBy, spentBy, startWorld } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const observed = (policy: Record<string, unknown> = {}): Promise<IssuedKey> => world.key({ mode: 'observe', ...policy })

describe('observing, a policy’s rules decide and record, and refuse nothing', () => {
  test.each([
    { code: 'operation_not_allowed', policy: { vendors: { stripe: { endpoints: { allow: ['GET *'] } } } } },
    { code: 'customer_not_allowed', policy: { vendors: { stripe: { endpoints: { allow: ['* *'] }, customers: [] } } } },
    {
      code: 'amount_over_limit',
      policy: { vendors: { stripe: { endpoints: { allow: ['* *'] }, max_amount_usd: '0.50' } } },
    },
    { code: 'run_cap_exceeded', policy: { budgets: [{ per: 'run', cap_usd: '0.50' }] } },
    { code: 'daily_cap_exceeded', policy: { daily_cap_usd: '0.50' } },
    { code: 'reason_required', policy: { require_reason: true } },
    { code: 'approval_required', policy: { approval: { above_usd: '0.50' } } },
  ])('$code', async ({ code, policy }) => {
    const key = await observed(policy)
    const { result, requests } = await seenBy(world.stripe, () => pay(world, key.key, 100))
    expect(result.status).toBe(200)
    expect(result.headers).toMatchObject({ 'x-spendgate-decision': 'would_deny' })
    expect(requests).toHaveLength(1)
    expect(await rowOf(world, callIdOf(result))).toMatchObject({
      state: 'settled',
      settled_usd: '1.00',
      decision: { verdict: 'would_deny', code },
    })
    expect(await spentBy(world, key.id)).toBe('1.00')
    expect(await world.must('GET', `/keys/${key.id}`)).toMatchObject({ denied: 0, calls: 1 })
  })

  test('a rate limit too', async () => {
    const key = await observed({ rate_limit: { per_minute: 1 } })
    expect((await pay(world, key.key, 100)).headers['x-spendgate-decision']).toBe('allow')
    expect((await pay(world, key.key, 100)).headers['x-spendgate-decision']).toBe('would_deny')
  })

  test('what is within the policy is simply allowed', async () => {
    expect((await pay(world, (await observed()).key, 100)).headers['x-spendgate-decision']).toBe('allow')
  })
})

describe('observing waives no more than that', () => {
  const refused = async (code: string, act: () => Promise<Answer>): Promise<void> => {
    const { result, requests } = await seenBy(world.stripe, act)
    expect(codeOf(result)).toBe(code)
    expect(requests).toHaveLength(0)
    expect(await rowOf(world, callIdOf(result))).toMatchObject({ state: 'denied', decision: { verdict: 'deny', code } })
  }
  const intents = '/stripe/v1/payment_intents'

  test('standing, freeze, grammar, unknown operations and amounts, and reused idempotency keys hold', async () => {
    const key = await observed()
    await refused('operation_unknown', () =>
      world.call(key.key, 'POST', '/stripe/v1/instant_loans', { currency: 'usd' }),
    )
    await refused('request_malformed', () => world.call(key.key, 'POST', intents, payment(100, { surprise: '1' })))
    await refused('request_malformed', () => world.call(key.key, 'POST', intents, payment(100, { amount: '1e9' })))
    await refused('request_ambiguous', () => world.call(key.key, 'POST', intents, 'amount=1&amount=2&currency=usd'))
    await refused('amount_unknown', () => world.call(key.key, 'POST', intents, payment(100, { currency: 'eur' })))
    await pay(world, key.key, 100, { 'idempotency-key': 'k' })
    await refused('idempotency_mismatch', () => pay(world, key.key, 101, { 'idempotency-key': 'k' }))
    await world.must('POST', '/freeze', { key: key.id })
    await refused('key_frozen', () => pay(world, key.key, 100))
    await world.must('POST', `/keys/${key.id}/revoke`)
    await refused('key_revoked', () => pay(world, key.key, 100))
  })
})
