import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { REAL, World } from '../helpers/world.js'
import { Terminal } from './terminal.js'

/* Testing, playing, comparing and writing policies at the command line. */

const POLICY = `apiVersion: spendgate/v1
name: support-refunds
daily_cap_usd: "50.00"
vendors:
  stripe:
    endpoints: { allow: ["POST /v1/refunds", "GET /v1/charges/*"] }
    max_amount_usd: "25.00"
`

const FIXTURES = `objects:
  /v1/charges/ch_A: { id: ch_A, object: charge, amount: 10000, currency: usd, customer: cus_A }
tests:
  - name: a small refund
    request: POST /stripe/v1/refunds
    form: { charge: ch_A, amount: 1200 }
    expect: allow
  - name: a large refund
    request: POST /stripe/v1/refunds
    form: { charge: ch_A, amount: 4000 }
    expect: amount_over_limit
  - name: a payout
    request: POST /stripe/v1/payouts
    form: { amount: 100, currency: usd }
    expect: operation_not_allowed
`

let terminal: Terminal
const file = (name: string, text: string): string => {
  writeFileSync(join(terminal.dir, name), text)
  return name
}

describe('without a server', () => {
  beforeAll(() => {
    // Nobody listens there.
    terminal = new Terminal({ SPENDGATE_URL: 'http://127.0.0.1:9', SPENDGATE_ADMIN_TOKEN: REAL.admin })
    file('policy.yaml', POLICY)
  })
  afterAll(() => terminal.close())
  const tested = (fixtures: string, ...more: string[]) =>
    terminal.run('policy', 'test', 'policy.yaml', '--fixtures', file('fixtures.yaml', fixtures), ...more)

  test('expectations that hold end with 0', async () => {
    const { exit, out, err } = await tested(FIXTURES)
    expect(exit).toBe(0)
    expect(out).toMatch(/^ok +a small refund +allow +allow +\$12\.00$/m)
    expect(err).toContain('3 of 3 hold under support-refunds.')
    expect((await tested(FIXTURES, '--json')).json).toMatchObject({
      ok: true,
      passed: 3,
      failed: 0,
      results: [
        { name: 'a small refund', ok: true, said: 'allow', quoted_usd: '12.00' },
        { name: 'a large refund', ok: true, said: 'amount_over_limit', verdict: 'deny' },
        { name: 'a payout', ok: true, said: 'operation_not_allowed' },
      ],
    })
  })

  test('one that does not hold ends with 1, and its line is named', async () => {
    const wrong = FIXTURES.replace('expect: amount_over_limit', 'expect: allow')
    const { exit, out, err } = await tested(wrong)
    expect(exit).toBe(1)
    expect(out).toMatch(/^FAIL +a large refund +allow +amount_over_limit/m)
    expect(err).toMatch(
      /^fixtures\.yaml:11:5 «a large refund» expects allow, and the policy says amount_over_limit: USD 40\.00/m,
    )
    const { exit: again, json } = await tested(wrong, '--json')
    expect([again, json.ok, json.failed, json.results[1].at]).toEqual([1, false, 1, 'fixtures.yaml:11:5'])
  })

  test('what hangs on an object that nobody can look up does not hold, whatever was expected', async () => {
    const { exit, err } = await tested(
      FIXTURES.replaceAll('ch_A', 'ch_Z').replace('/v1/charges/ch_Z:', '/v1/charges/ch_Y:'),
    )
    expect(exit).toBe(1)
    expect(err).toContain('It hangs on GET /stripe/v1/charges/ch_Z')
  })

  test('faults of the fixtures are named by line, and a faulty policy is not tested', async () => {
    const { exit, err } = await tested(FIXTURES.replace('expect: allow', 'expects: allow'))
    expect(exit).toBe(1)
    expect(err).toMatch(/fixtures\.yaml:7:5 "expects" is not known here/)
    file('broken.yaml', POLICY.replace('max_amount_usd', 'max_amount'))
    const broken = await terminal.run('policy', 'test', 'broken.yaml', '--fixtures', 'fixtures.yaml')
    expect([broken.exit, broken.err]).toEqual([1, expect.stringMatching(/broken\.yaml:7:5 .*max_amount_usd/)])
    expect((await terminal.run('policy', 'test', 'policy.yaml')).exit).toBe(2)
    expect((await terminal.run('policy', 'test', 'policy.yaml', '--fixtures', 'none.yaml')).exit).toBe(3)
  })

  test('two files are compared in words', async () => {
    file('wider.yaml', POLICY.replace('"25.00"', '"60.00"').replace('daily_cap_usd: "50.00"\n', ''))
    const { exit, out } = await terminal.run('policy', 'diff', 'policy.yaml', 'wider.yaml')
    expect(exit).toBe(0)
    expect(out).toMatch(/^wider +The cap of a day is gone; it was USD 50\.00\. +daily_cap_usd$/m)
    expect(out).toMatch(/^wider +stripe: the most of one call rises from USD 25\.00 to USD 60\.00\./m)
    const { json } = await terminal.run('policy', 'diff', 'wider.yaml', 'policy.yaml', '--json')
    expect(json).toMatchObject({ from: 'wider.yaml', to: 'policy.yaml', tighter: 2, wider: 0 })
    const same = await terminal.run('policy', 'diff', 'policy.yaml', 'policy.yaml')
    expect([same.exit, same.out, same.err]).toEqual([0, '', 'policy.yaml and policy.yaml say the same.\n'])
  })

  test('the vendor keys that a policy needs are told', async () => {
    const { out } = await terminal.run('policy', 'permissions', 'policy.yaml')
    expect(out).toContain('stripe: restricted key (rk_…)\n  permissions: charge_write, payment_intent_read\n')
  })

  test('what needs recorded calls ends with 6', async () => {
    expect((await terminal.run('policy', 'simulate', 'policy.yaml')).exit).toBe(6)
    expect((await terminal.run('policy', 'suggest', '--run', 'run_1')).exit).toBe(6)
    expect((await terminal.run('policy', 'suggest')).exit).toBe(2)
  })
})

describe('with a server', () => {
  let world: World
  beforeAll(async () => {
    world = await World.start()
    world.stripe.seed()
    terminal = new Terminal({ SPENDGATE_URL: world.server.adminUrl, SPENDGATE_ADMIN_TOKEN: REAL.admin })
    // A terminal lives on another day than the world, whose calls are to be found.
    file('policy.yaml', POLICY)
    const { key } = await world.key({
      mode: 'observe',
      vendors: { stripe: { endpoints: { allow: ['* *'] }, max_amount_usd: '50.00' } },
    })
    for (const amount of ['1200', '6000'])
      await world.call(key, 'POST', '/run/run_1/stripe/v1/refunds', { charge: 'ch_A', amount })
  })
  afterAll(async () => {
    terminal.close()
    await world.close()
  })

  test('an object that the fixtures leave out is looked up there', async () => {
    const fixtures = file('fixtures.yaml', FIXTURES.slice(FIXTURES.indexOf('tests:')))
    expect((await terminal.run('policy', 'test', 'policy.yaml', '--fixtures', fixtures)).exit).toBe(0)
    expect((await terminal.run('policy', 'test', 'policy.yaml', '--fixtures', fixtures, '--server')).exit).toBe(0)
    expect((await terminal.run('policy', 'test', 'policy.yaml', '--fixtures', fixtures, '--offline')).exit).toBe(1)
  })

  test('recorded calls are played again, and the dear one is drawn', async () => {
    const { exit, out, err } = await terminal.run('policy', 'simulate', 'policy.yaml', '--run', 'run_1')
    expect(exit).toBe(0)
    expect(err).toContain('support-refunds (draft) over the calls of 1 key')
    expect(out).toMatch(/^newly refused +1 +\$60\.00$/m)
    expect(out).toMatch(/^max-amount \(support-refunds@0\) +1 +\$60\.00 +call_/m)
    expect(out).toMatch(/^call_\w+ +\$60\.00 +amount_over_limit +amount_over_limit +POST \/v1\/refunds$/m)
    const { json } = await terminal.run('policy', 'simulate', 'policy.yaml', '--run', 'run_1', '--json')
    expect(json.newly_refused).toMatchObject({ calls: 1, usd: '60.00' })
  })

  test('what an observing policy would have refused is told in dollars', async () => {
    const { exit, out, err } = await terminal.run('policy', 'observed', '--run', 'run_1')
    expect(exit).toBe(0)
    expect(err).toContain('of 2 calls ($72.00) 1 ($60.00) would have been refused.')
    expect(out).toMatch(/^max-amount \(policy-1@1\) +amount_over_limit +1 +\$60\.00/m)
  })

  test('the suggested policy can be stored as it is, and passes the run it was made of', async () => {
    const { exit, out } = await terminal.run('policy', 'suggest', '--run', 'run_1', '--name', 'least')
    expect(exit).toBe(0)
    expect(out).toContain('max_amount_usd: "60.00" # the largest of them')
    const added = await terminal.run('policy', 'add', file('least.yaml', out))
    expect([added.exit, added.err]).toEqual([
      0,
      expect.stringContaining('  permissions: charge_write, payment_intent_read\n'),
    ])
    const { json } = await terminal.run('policy', 'simulate', 'least', '--run', 'run_1', '--json')
    expect([json.newly_refused.calls, json.not_judged.calls, json.simulated.admitted.calls]).toEqual([0, 0, 2])
    const { json: compared } = await terminal.run('policy', 'diff', 'least@1', 'policy.yaml', '--json')
    expect(compared).toMatchObject({ from: 'least@1', to: 'policy.yaml' })
    expect((await terminal.run('policy', 'suggest', '--run', 'run_none')).exit).toBe(1)
  })
})
