import { spawnSync } from 'node:child_process'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAMILIES } from '../../src/metrics.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { pay, startWorld } from '../pipeline/given.js'
import { exposition, valueOf, type Family } from './exposition.js'

const TOKEN = 'scrape_CANARY0123456789abcdef'
let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld({ SPENDGATE_METRICS_TOKEN: TOKEN })
  key = await world.key({ daily_cap_usd: '250.00', approval: { above_usd: '60.00' } })
})
afterAll(() => world.close())

async function scrape(token: string | null = TOKEN, path = '/metrics'): Promise<{ status: number; text: string }> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` }
  const reply = await request(`${world.server.adminUrl}${path}`, { headers })
  return { status: reply.statusCode, text: await reply.body.text() }
}
const page = async (): Promise<ReadonlyMap<string, Family>> => exposition((await scrape()).text)

/** Readings of the ledger are kept for five seconds of the process's own time, so each state has a test's only look at it. */
describe('after some calls', () => {
  let text: string
  let families: ReadonlyMap<string, Family>
  beforeAll(async () => {
    await pay(world, key.key, 4_000)
    await pay(world, key.key, 1_000)
    await pay(world, key.key, 6_001)
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false, times: 1 })
    await pay(world, key.key, 1_250)
    world.stripe.fault('POST /v1/payment_intents', { do: 'status', status: 401, applies: false, times: 1 })
    await pay(world, key.key, 100)
    await world.must('POST', '/freeze', { vendor: 'resend' })
    ;({ text } = await scrape())
    families = exposition(text)
  })

  test('the page is what Prometheus reads, and each family stands in the table', () => {
    expect([...families].map(([name, { type }]) => [name, type])).toEqual(
      [...families.keys()].map((name) => [name, FAMILIES[name]]),
    )
    expect(families.size).toBeGreaterThan(25)
  })

  test('calls are counted by vendor, decision, outcome and code', () => {
    const calls = (labels: Record<string, string>): number | undefined =>
      valueOf(families, 'spendgate_calls_total', { vendor: 'stripe', ...labels })
    expect(calls({ decision: 'allow', outcome: 'settled', code: 'none' })).toBe(2)
    expect(calls({ decision: 'deny', outcome: 'denied', code: 'approval_required' })).toBe(1)
    expect(calls({ decision: 'allow', outcome: 'assumed', code: 'none' })).toBe(1)
    expect(calls({ decision: 'allow', outcome: 'released', code: 'none' })).toBe(1)
  })

  test('money is in USD: spent, held, unknown, and how far the fullest budget is used', () => {
    expect(valueOf(families, 'spendgate_spent_today_usd', { vendor: 'stripe' })).toBe(62.5)
    expect(valueOf(families, 'spendgate_spent_today_usd', { vendor: 'resend' })).toBe(0)
    expect(valueOf(families, 'spendgate_held_usd', { vendor: 'stripe' })).toBe(0)
    expect(valueOf(families, 'spendgate_budget_used_ratio_max')).toBe(0.25)
    // 187.50 are left of the cap, and the intent whose outcome nobody knows may still be used.
    expect(valueOf(families, 'spendgate_max_loss_usd')).toBe(200)
    expect(valueOf(families, 'spendgate_doubts')).toBe(1)
    expect(valueOf(families, 'spendgate_approvals_waiting')).toBe(1)
    expect(valueOf(families, 'spendgate_freezes')).toBe(1)
  })

  test('the vendor and the ledger are timed', () => {
    const count = (name: string, labels = {}): number | undefined => valueOf(families, `${name}_count`, labels)
    expect(count('spendgate_upstream_seconds', { vendor: 'stripe', result: '2xx' })).toBe(2)
    expect(count('spendgate_upstream_seconds', { vendor: 'stripe', result: 'broken' })).toBe(1)
    expect(count('spendgate_upstream_seconds', { vendor: 'stripe', result: '4xx' })).toBe(1)
    expect(count('spendgate_admission_seconds')).toBe(5)
    expect(valueOf(families, 'spendgate_admission_batch_sum')).toBe(5)
    expect(valueOf(families, 'spendgate_credential_refused_total', { vendor: 'stripe' })).toBe(1)
  })

  test('what is alerted on begins at nought', () => {
    expect(valueOf(families, 'spendgate_unexplained_spend_total', { vendor: 'twilio' })).toBe(0)
    expect(valueOf(families, 'spendgate_ledger_faults_total', { kind: 'full' })).toBe(0)
    expect(valueOf(families, 'spendgate_checkpoint_faults_total')).toBe(0)
  })

  test('the process tells how it fares', () => {
    expect(valueOf(families, 'spendgate_ready')).toBe(1)
    expect(valueOf(families, 'spendgate_in_flight')).toBe(0)
    expect(valueOf(families, 'spendgate_rss_bytes')).toBeGreaterThan(10_000_000)
    expect(valueOf(families, 'spendgate_heap_used_bytes')).toBeGreaterThan(1_000_000)
    expect(valueOf(families, 'spendgate_cpu_seconds')).toBeGreaterThan(0)
    expect(valueOf(families, 'spendgate_event_loop_lag_seconds', { quantile: '0.99' })).toBeGreaterThanOrEqual(0)
  })

  test('no label holds what an agent or a vendor chose', () => {
    const names = new Set(
      [...families.values()].flatMap(({ samples }) => samples.flatMap(({ labels }) => Object.keys(labels))),
    )
    expect([...names].sort()).toEqual([
      'code',
      'decision',
      'kind',
      'le',
      'node',
      'outcome',
      'quantile',
      'result',
      'table',
      'vendor',
      'version',
    ])
    for (const secret of [key.key, key.id, TOKEN, ...Object.values(REAL)]) expect(text).not.toContain(secret)
  })

  const promtool = spawnSync('promtool', ['--version']).error === undefined
  if (!promtool)
    process.stderr.write('skipped: promtool is not on the PATH, so the parser of these tests stands alone\n')
  test.runIf(promtool)('promtool finds nothing wrong', () => {
    const { status, stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
    expect([status, stdout + stderr]).toEqual([0, expect.anything()])
  })
})

test('a call refused without a known key is a refusal, and no call', async () => {
  const before = await page()
  await pay(world, `${key.key.slice(0, -1)}${key.key.endsWith('A') ? 'B' : 'A'}`, 100)
  const after = await page()
  expect(valueOf(after, 'spendgate_refusals_total', { code: 'key_unknown' })).toBe(1)
  expect(after.get('spendgate_calls_total')).toEqual(before.get('spendgate_calls_total'))
})

describe('the token for scrapers', () => {
  test('opens the page, as the admin token does', async () => {
    expect((await scrape()).status).toBe(200)
    expect((await scrape(REAL.admin)).status).toBe(200)
  })

  test('opens nothing else', async () => {
    for (const path of ['/admin/v1/keys', '/admin/v1/freezes', '/admin/v1/calls'])
      expect((await scrape(TOKEN, path)).status).toBe(401)
  })

  test('has no stand-in: without one, with another, or with a vault key there is no page', async () => {
    for (const token of [null, 'wrong', TOKEN.slice(1), key.key]) expect((await scrape(token)).status).toBe(401)
  })

  test('that is guessed at shuts out no operator', async () => {
    for (let i = 0; i < 10; i++) await scrape(`guess-${i}`)
    expect((await scrape('guess')).status).toBe(429)
    expect((await scrape(REAL.admin, '/admin/v1/keys')).status).toBe(200)
    expect((await scrape(TOKEN)).status).toBe(200)
  })
})
