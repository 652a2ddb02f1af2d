import { afterAll, beforeAll, expect, test } from 'vitest'
import { formatUsd } from '../../src/contracts/money.js'
import type { IssuedKey, World } from '../helpers/world.js'
import {
  allCalls,
  books,
  callIdOf,
  codeOf,
  faults,
  moved,
  pay,
  rowOf,
  seenBy,
  startWorld,
  travel,
  HOUR,
} from './given.js'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const INTENTS = 'POST /v1/payment_intents'

test('calls that have left are named, end as they end, and are counted; the next call is refused', async () => {
  const key = await world.key()
  const waiting = faults(world.stripe, INTENTS, { do: 'hang', applies: true }, 3)
  const calls = [110, 220, 330].map((minor) => pay(world, key.key, minor))
  await Promise.all(waiting.map((fault) => fault.struck))
  const reply = await world.must('POST', `/keys/${key.id}/revoke`, { reason: 'it went wrong' })
  const reserved = await world.calls(`&key=${key.id}&state=reserved`)
  expect([...reply.in_flight].sort()).toEqual(reserved.map(({ id }) => id).sort())
  expect(reply.in_flight).toHaveLength(3)

  const { result: next, requests, connections } = await seenBy(world.stripe, () => pay(world, key.key, 100))
  expect([next.status, codeOf(next)]).toEqual([401, 'key_revoked'])
  expect(next.body.error.message).toContain('it went wrong')
  expect({ requests: requests.length, connections }).toEqual({ requests: 0, connections: 0 })

  for (const fault of waiting) fault.release()
  expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200, 200])
  for (const id of reply.in_flight) expect(await rowOf(world, id)).toMatchObject({ state: 'settled' })

  travel(world, HOUR)
  expect(await world.must('POST', `/keys/${key.id}/revoke`, { reason: 'again' })).toEqual(reply)
  expect(await world.must('GET', `/keys/${key.id}`)).toMatchObject({
    status: 'revoked',
    revoke_reason: 'it went wrong',
    spent_usd: '6.60',
  })
})

test('the first reply is given again after a restart', async () => {
  const key = await world.key()
  const fault = world.stripe.fault(INTENTS, { do: 'hang', applies: true })
  const call = pay(world, key.key, 140)
  await fault.struck
  const reply = await world.must('POST', `/keys/${key.id}/revoke`)
  expect(reply.in_flight).toHaveLength(1)
  fault.release()
  await call
  await world.server.stop()
  await world.serve()
  expect(await world.must('POST', `/keys/${key.id}/revoke`)).toEqual(reply)
  expect(codeOf(await pay(world, key.key, 1))).toBe('key_revoked')
})

test('children die with their parent, theirs in flight are named too, and none can be made any more', async () => {
  const parent = await world.key()
  const child: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_child' })
  const grandchild: IssuedKey = await world.must('POST', `/keys/${child.id}/runs`, {})
  const fault = world.stripe.fault(INTENTS, { do: 'hang', applies: true })
  const call = pay(world, grandchild.key, 100)
  await fault.struck
  const { in_flight: inFlight } = await world.must('POST', `/keys/${parent.id}/revoke`)
  fault.release()
  expect(inFlight).toEqual([callIdOf(await call)])
  for (const { key } of [parent, child, grandchild]) expect(codeOf(await pay(world, key, 100))).toBe('key_revoked')
  expect((await world.admin('POST', `/keys/${parent.id}/runs`, {})).status).toBe(409)
})

test('revoking a child leaves its parent and its siblings alone', async () => {
  const parent = await world.key()
  const one: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, {})
  const two: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, {})
  await world.must('POST', `/keys/${one.id}/revoke`)
  expect(codeOf(await pay(world, one.key, 100))).toBe('key_revoked')
  expect((await pay(world, two.key, 100)).status).toBe(200)
  expect((await pay(world, parent.key, 100)).status).toBe(200)
})

test('a call that waits for its look-up when the key is revoked never leaves', async () => {
  const key = await world.key()
  const fault = world.stripe.fault('GET /v1/charges', { do: 'hang', applies: true })
  const { result, requests } = await seenBy(world.stripe, async () => {
    const call = world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '100' })
    await fault.struck
    const { in_flight: inFlight } = await world.must('POST', `/keys/${key.id}/revoke`)
    // A look-up only reads; no call has left.
    expect(inFlight).toEqual([])
    fault.release()
    return call
  })
  expect([result.status, codeOf(result)]).toEqual([401, 'key_revoked'])
  expect(requests.map(({ method }) => method)).toEqual(['GET'])
  expect(await rowOf(world, callIdOf(result))).toMatchObject({
    state: 'denied',
    look_ups: 1,
    decision: { code: 'key_revoked' },
  })
})

test('revoked in the middle of a crowd: what arrives had left before, and is named or was done', async () => {
  const key = await world.key()
  const { result: outcome, requests } = await seenBy(world.stripe, async () => {
    const calls = Array.from({ length: 400 }, () => pay(world, key.key, 10))
    await Promise.race(calls)
    const reply = await world.must('POST', `/keys/${key.id}/revoke`)
    return { reply, answers: await Promise.all(calls) }
  })
  const rows = await allCalls(world, `&key=${key.id}`)
  const settled = rows.filter(({ state }) => state === 'settled')
  expect(requests).toHaveLength(settled.length)
  expect(outcome.answers.filter(({ status }) => status === 200)).toHaveLength(settled.length)
  expect(outcome.answers.filter((answer) => codeOf(answer) === 'key_revoked')).toHaveLength(400 - settled.length)
  const named = new Set<string>(outcome.reply.in_flight)
  for (const { id, settled_at: at } of settled) if (at > outcome.reply.revoked_at) expect(named.has(id)).toBe(true)
  expect(
    rows.filter(({ state }) => state === 'released').every(({ decision }) => decision.code === 'key_revoked'),
  ).toBe(true)
})
