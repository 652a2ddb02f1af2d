import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IssuedKey, World } from '../helpers/world.js'
import { basic, books, callIdOf, codeOf, MINUTE, pay, rowOf, startWorld, travel } from './given.js'

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  key = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`
const PATH = '/stripe/v1/customers/cus_A'

/** The run a call was booked on. */
async function runOf(token: string, path: string, headers: Record<string, string> = {}): Promise<string> {
  const answer = await world.call(token, 'GET', path, undefined, headers)
  expect(answer.status).toBe(200)
  return (await rowOf(world, callIdOf(answer))).run
}

describe('a call belongs to the run named by', () => {
  test('the key’s suffix, in each vendor’s skin', async () => {
    expect(await runOf(`${key.key}.run_42`, PATH)).toBe('run_42')
    expect(await runOf(`rk_${key.key}.run_43`, '/v1/customers/cus_A')).toBe('run_43')
    expect(await runOf(`re_${key.key}.run_44`, '/emails')).toBe('run_44')
    const { account_sid: account, api_key_sid: sid } = key.presentations.twilio!
    expect(await runOf('', `/2010-04-01/Accounts/${account}/Messages.json`, basic(sid, `${key.key}.run_45`))).toBe(
      'run_45',
    )
  })

  test('the path, the header and the trace', async () => {
    expect(await runOf(key.key, '/run/run_path/stripe/v1/customers/cus_A')).toBe('run_path')
    expect(await runOf(key.key, PATH, { 'x-agent-run-id': 'run_header' })).toBe('run_header')
    expect(await runOf(key.key, PATH, { traceparent: TRACEPARENT })).toBe(TRACE)
  })

  test('the strongest of several: key, suffix, path, header, trace', async () => {
    const bound = await world.key({}, { run: 'run_bound' })
    const weaker = { 'x-agent-run-id': 'run_header', traceparent: TRACEPARENT }
    const path = '/run/run_path/stripe/v1/customers/cus_A'
    expect(await runOf(`${bound.key}.run_suffix`, path, weaker)).toBe('run_bound')
    expect(await runOf(`${key.key}.run_suffix`, path, weaker)).toBe('run_suffix')
    expect(await runOf(key.key, path, weaker)).toBe('run_path')
    expect(await runOf(key.key, PATH, weaker)).toBe('run_header')
  })

  test('a child key, whatever the agent says', async () => {
    const child: IssuedKey = await world.must('POST', `/keys/${key.id}/runs`, { run: 'run_child' })
    expect(await runOf(child.key, PATH, { 'x-agent-run-id': 'run_escape' })).toBe('run_child')
    expect((await world.admin('GET', '/runs/run_escape')).status).toBe(404)
  })
})

describe('without any label', () => {
  test('calls less than 30 idle minutes apart share a run, and a longer pause begins another', async () => {
    const first = await runOf(key.key, PATH)
    travel(world, 29 * MINUTE)
    expect(await runOf(key.key, PATH)).toBe(first)
    travel(world, 29 * MINUTE)
    expect(await runOf(key.key, PATH)).toBe(first)
    travel(world, 30 * MINUTE)
    const second = await runOf(key.key, PATH)
    expect(second).not.toBe(first)
    expect(second).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
  })

  test('a restart does not begin another run', async () => {
    const before = await runOf(key.key, PATH)
    await world.server.stop()
    await world.serve()
    expect(await runOf(key.key, PATH)).toBe(before)
  })

  test('a malformed trace is no label', async () => {
    const implicit = await runOf(key.key, PATH)
    for (const traceparent of [
      'nonsense',
      `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
      TRACEPARENT.toUpperCase().replace('00-4B', '00-4BX'),
    ]) {
      expect(await runOf(key.key, PATH, { traceparent })).toBe(implicit)
    }
  })
})

test.each(['run 1', 'run/1', 'x'.repeat(65), 'räume', ''])('a run id «%s» is refused with a row', async (run) => {
  const answer = await world.call(key.key, 'GET', PATH, undefined, {
    'x-agent-run-id': Buffer.from(run).toString('latin1'),
  })
  expect([answer.status, codeOf(answer)]).toEqual([403, 'request_malformed'])
  expect(await rowOf(world, callIdOf(answer))).toMatchObject({
    state: 'denied',
    decision: { code: 'request_malformed' },
  })
})

test('runs of one name under two root keys are two runs, each with its own spend', async () => {
  const [one, two] = [await world.key(), await world.key()]
  await pay(world, one.key, 100, { 'x-agent-run-id': 'run_shared' })
  await pay(world, two.key, 250, { 'x-agent-run-id': 'run_shared' })
  expect(await world.must('GET', `/runs/run_shared?key=${one.id}`)).toMatchObject({ spent_usd: '1.00', key_id: one.id })
  expect(await world.must('GET', `/runs/run_shared?key=${two.id}`)).toMatchObject({ spent_usd: '2.50', key_id: two.id })
})

test('a label serves reports only: a new one gives no new run budget', async () => {
  const capped = await world.key({ budgets: [{ per: 'run', cap_usd: '1.00' }] })
  expect((await pay(world, capped.key, 100, { 'x-agent-run-id': 'run_one' })).status).toBe(200)
  expect(codeOf(await pay(world, capped.key, 1, { 'x-agent-run-id': 'run_two' }))).toBe('run_cap_exceeded')
})

test('a run a key is bound to has a budget of its own', async () => {
  const parent = await world.key({ budgets: [{ per: 'run', cap_usd: '5.00' }] })
  const [a, b]: IssuedKey[] = [
    await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_a', cap_usd: '1.00' }),
    await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_b', cap_usd: '1.00' }),
  ]
  expect((await pay(world, a!.key, 100)).status).toBe(200)
  expect(codeOf(await pay(world, a!.key, 1))).toBe('run_cap_exceeded')
  expect((await pay(world, b!.key, 100)).status).toBe(200)
})
