import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { allCalls, books, callIdOf, codeOf, moved, pay, rowOf, seenBy, spentBy, startWorld } from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_DRAIN_MS: '0' })
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

async function restart(): Promise<void> {
  await world.server.stop()
  await world.serve()
}

test('spend, reports and rows are what they were', async () => {
  const key = await world.key({
    daily_cap_usd: '2.00',
    budgets: [{ per: 'month', cap_usd: '9.00', scope: 'credential' }],
  })
  await pay(world, key.key, 150, { 'x-agent-run-id': 'run_before' })
  await pay(world, key.key, 51)
  const before = {
    rows: await allCalls(world),
    run: await world.spent('run_before'),
    key: await world.must('GET', `/keys/${key.id}`),
  }
  await restart()
  const { last_used_at: _, ...detail } = await world.must('GET', `/keys/${key.id}`)
  expect({ rows: await allCalls(world), run: await world.spent('run_before') }).toEqual({
    rows: before.rows,
    run: before.run,
  })
  expect(before.key).toMatchObject(detail)
  expect(codeOf(await pay(world, key.key, 51))).toBe('daily_cap_exceeded')
  expect((await pay(world, key.key, 50)).status).toBe(200)
})

test('keys, revocations, narrowings and freezes hold', async () => {
  const [live, revoked, narrowed, frozen] = [await world.key(), await world.key(), await world.key(), await world.key()]
  const child: IssuedKey = await world.must('POST', `/keys/${revoked.id}/runs`, {})
  await world.must('POST', `/keys/${revoked.id}/revoke`)
  await world.must('POST', `/keys/${narrowed.id}/narrow`, { vendors: { stripe: { max_amount_usd: '1.00' } } })
  await world.must('POST', '/freeze', { key: frozen.id })
  await restart()
  expect((await pay(world, live.key, 101)).status).toBe(200)
  expect(codeOf(await pay(world, revoked.key, 101))).toBe('key_revoked')
  expect(codeOf(await pay(world, child.key, 101))).toBe('key_revoked')
  expect(codeOf(await pay(world, narrowed.key, 101))).toBe('amount_over_limit')
  expect(codeOf(await pay(world, frozen.key, 101))).toBe('key_frozen')
  await world.must('POST', '/unfreeze', { key: frozen.id })
  expect((await pay(world, frozen.key, 101)).status).toBe(200)
})

test('idempotency keys are remembered, and the vendor sees the same one', async () => {
  const key = await world.key()
  const headers = { 'idempotency-key': 'over-the-restart' }
  const { result, requests } = await seenBy(world.stripe, async () => {
    const first = await pay(world, key.key, 100, headers)
    await restart()
    return { first, second: await pay(world, key.key, 100, headers), other: await pay(world, key.key, 101, headers) }
  })
  expect(await rowOf(world, callIdOf(result.second))).toMatchObject({
    replay_of: callIdOf(result.first),
    quoted_usd: '0.00',
  })
  expect(codeOf(result.other)).toBe('idempotency_mismatch')
  expect(new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1)
  expect(await spentBy(world, key.id)).toBe('1.00')
})

test('the rate’s window is still full', async () => {
  const key = await world.key({ rate_limit: { per_minute: 3 } })
  for (let i = 0; i < 3; i++) expect((await pay(world, key.key, 1)).status).toBe(200)
  await restart()
  expect(codeOf(await pay(world, key.key, 1))).toBe('rate_limited')
})

test('an intent opened before gives back after', async () => {
  const key = await world.key()
  const open = await world.call(key.key, 'POST', '/stripe/v1/payment_intents', {
    amount: '900',
    currency: 'usd',
    customer: 'cus_A',
  })
  await restart()
  expect(await spentBy(world, key.id)).toBe('9.00')
  await world.call(key.key, 'POST', `/stripe/v1/payment_intents/${open.body.id}/cancel`, {})
  expect(await spentBy(world, key.id)).toBe('0.00')
})

test('calls under way when the server stops without waiting are assumed, and count', async () => {
  const key = await world.key({ daily_cap_usd: '3.00' })
  const hanging = Array.from({ length: 3 }, () =>
    world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true }),
  )
  const calls = hanging.map(() => pay(world, key.key, 100).catch(() => null))
  await Promise.all(hanging.map((fault) => fault.struck))
  await restart()
  for (const fault of hanging) fault.release()
  await Promise.all(calls)
  const rows = await world.calls(`&key=${key.id}`)
  expect(rows.map(({ state, settled_usd: settled }) => [state, settled])).toEqual(Array(3).fill(['assumed', '1.00']))
  expect(codeOf(await pay(world, key.key, 1))).toBe('daily_cap_exceeded')
})
