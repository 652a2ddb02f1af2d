import { afterEach, beforeEach, expect, test } from 'vitest'
import { START, World } from './world.js'

let world: World
let key: string
beforeEach(async () => {
  world = await World.start()
  key = (await world.key()).id
})
afterEach(async () => {
  world.expectNoSecrets()
  await world.close()
})

test('a call is shown as it was decided and as it ended', async () => {
  const id = await world.call(key, 12_345_600n)
  const { body } = await world.get(`/calls/${id}`)
  expect(body).toMatchObject({
    id,
    at: '2026-11-21T12:00:00.000Z',
    key_id: key,
    run: 'run_1',
    vendor: 'stripe',
    surface: 'rest',
    method: 'POST',
    path: '/v1/refunds',
    operation: 'refunds.create',
    effect: 'spend',
    state: 'settled',
    quoted_usd: '12.3456',
    settled_usd: '12.3456',
    customer: 'cus_A',
    replay_of: null,
    decision: { verdict: 'allow', code: null, rule: null, message: null },
    upstream: { status: 200, request_id: 'req_1', ms: 12 },
  })
  const denied = await world.call(key, 60_000_000n, null)
  expect((await world.get(`/calls/${denied}`)).body).toMatchObject({
    state: 'denied',
    settled_usd: '0.00',
    decision: {
      verdict: 'deny',
      code: 'amount_over_limit',
      rule: 'max-amount',
      message: 'USD 60.00 is over the limit.',
    },
    upstream: { status: null, request_id: null, ms: null },
  })
  expect((await world.get('/calls/call_x')).status).toBe(404)
})

test('calls are listed newest first, page by page, and by state, run, vendor and key', async () => {
  const made: string[] = []
  for (let each = 0; each < 5; each++)
    made.push(await world.call(key, 1_000_000n, each === 2 ? null : undefined, { run: `run_${each % 2}` }))
  const idsOf = async (query: string): Promise<string[]> =>
    (await world.get(`/calls${query}`)).body.calls.map((call: any) => call.id)
  expect(await idsOf('')).toEqual(made.toReversed())
  const first = (await world.get('/calls?limit=2')).body
  expect(first.calls.map((call: any) => call.id)).toEqual([made[4], made[3]])
  expect(await idsOf(`?limit=3&cursor=${first.next_cursor}`)).toEqual([made[2], made[1], made[0]])
  expect(await idsOf('?state=denied')).toEqual([made[2]])
  expect(await idsOf('?run=run_1')).toEqual([made[3], made[1]])
  expect(await idsOf(`?key=${key}&vendor=stripe`)).toHaveLength(5)
  expect(await idsOf('?key=key_other')).toEqual([])
  expect(await idsOf('?vendor=twilio')).toEqual([])
  expect((await world.get('/calls?state=lost')).body.errors[0].path).toBe('state')
  expect((await world.get('/calls?limit=500')).status).toBe(200)
})

test('runs say what they cost, vendor by vendor', async () => {
  await world.call(key, 1_000_000n)
  world.nowMs += 1000
  await world.call(key, 500_000n)
  await world.call(key, 60_000_000n, null)
  const { body } = await world.get('/runs/run_1')
  expect(body).toEqual({
    run: 'run_1',
    key_id: key,
    calls: 3,
    denied: 1,
    spent_usd: '1.50',
    held_usd: '0.00',
    by_vendor: { stripe: '1.50' },
    first_at: '2026-11-21T12:00:00.000Z',
    last_at: '2026-11-21T12:00:01.000Z',
  })
  expect((await world.get('/runs')).body).toEqual({ runs: [body], next_cursor: null })
  expect((await world.get(`/runs/run_1?key=${key}`)).body).toEqual(body)
  expect((await world.get('/runs/run_9')).status).toBe(404)
  expect((await world.get('/runs/run_1?key=key_x')).status).toBe(404)
})

test.each(['run', 'key', 'vendor', 'operation', 'day'] as const)('spend by %s adds up', async (by) => {
  await world.call(key, 1_250_000n)
  await world.call(key, 60_000_000n, null)
  const values = { run: 'run_1', key, vendor: 'stripe', operation: 'refunds.create', day: '2026-11-21' }
  const totals = { spent_usd: '1.25', held_usd: '0.00', calls: 2, denied: 1 }
  expect((await world.get(`/spend?by=${by}`)).body).toEqual({ rows: [{ [by]: values[by], ...totals }], total: totals })
})

test('spend is cut by instants, from inclusive, to exclusive', async () => {
  await world.policy({ name: 'week', expires_in: '7d' })
  key = (await world.key({ policy: 'week' })).id
  await world.call(key, 1_000_000n)
  world.nowMs = START + 86_400_000
  await world.call(key, 2_000_000n)
  const spent = async (query: string): Promise<string> =>
    (await world.get(`/spend?by=key&${query}`)).body.total.spent_usd
  expect(await spent('')).toBe('3.00')
  expect(await spent('from=2026-11-22')).toBe('2.00')
  expect(await spent('to=2026-11-22')).toBe('1.00')
  expect(await spent('from=2026-11-21T12:00:00Z&to=2026-11-22T12:00:00Z')).toBe('1.00')
  expect(await spent('from=2026-11-21T13:00:00%2B01:00&to=2026-11-22T12:00:00.001Z')).toBe('3.00')
  for (const query of ['from=yesterday', 'from=2026-02-30', 'to=1732190400', 'from=2026-11-22&to=2026-11-21']) {
    expect((await world.get(`/spend?by=key&${query}`)).status).toBe(400)
  }
  expect((await world.get('/spend?by=colour')).status).toBe(400)
})
