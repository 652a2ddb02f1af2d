import { describe, expect, test } from 'vitest'
import type { Budget } from '../../src/contracts/policy.js'
import { judge } from '../../policies/index.js'
import { dollars, level, NOW, open, policyOf, refund, usage } from './given.js'

const stripe = { vendor: 'stripe', credentialId: 'cred_1', direction: 'out' } as const
const brief = (budgets: readonly Budget[]): unknown[] =>
  budgets.map(({ counter, window, cap }) => [counter, window, cap])

test('every span has a counter of its own', () => {
  const policy = policyOf(
    open(
      {},
      {
        name: 'refunds',
        timezone: 'America/Los_Angeles',
        daily_cap_usd: '200.00',
        budgets: [
          { per: 'run', cap_usd: '20.00' },
          { per: 'day', vendor: 'stripe', cap_usd: '5.00' },
          { per: 'day', vendor: 'twilio', cap_usd: '4.00' },
          { per: 'month', cap_usd: '1000.00', scope: 'policy' },
          { per: 'month', cap_usd: '900.00', scope: 'credential' },
        ],
      },
    ),
  )
  const budgets = judge.budgets([level(policy)], stripe, Date.UTC(2026, 11, 1, 4))
  expect(brief(budgets)).toEqual([
    ['key:key_1|day|*|America/Los_Angeles', '2026-11-30', dollars('200.00')],
    ['key:key_1:run|run|*', 'all', dollars('20.00')],
    ['key:key_1|day|stripe|America/Los_Angeles', '2026-11-30', dollars('5.00')],
    ['policy:refunds|month|*|America/Los_Angeles', '2026-11', dollars('1000.00')],
    // Keys of other policies are on it too, and there it is December.
    ['cred:cred_1|month|*|UTC', '2026-12', dollars('900.00')],
  ])
  expect(budgets.map(({ code, label, rule }) => [code, label, rule])).toEqual([
    ['daily_cap_exceeded', 'USD 200.00 a day (America/Los_Angeles)', 'daily-cap (refunds@1)'],
    ['run_cap_exceeded', 'USD 20.00 a run, counted over the whole key', 'budgets[0] (refunds@1)'],
    ['budget_exceeded', 'USD 5.00 a day (America/Los_Angeles) for stripe', 'budgets[1] (refunds@1)'],
    [
      'budget_exceeded',
      'USD 1000.00 a month (America/Los_Angeles), shared by all keys under refunds',
      'budgets[3] (refunds@1)',
    ],
    ['budget_exceeded', 'USD 900.00 a month (UTC), shared by all keys on the credential', 'budgets[4] (refunds@1)'],
  ])
  expect(budgets[0]!.resetsAt).toBe(Date.UTC(2026, 11, 1, 8))
  expect(budgets[1]!.resetsAt).toBe(null)
})

describe('a budget of one direction', () => {
  const policy = policyOf(
    open(
      {},
      {
        name: 'refunds',
        budgets: [
          { per: 'day', cap_usd: '5.00' },
          { per: 'day', direction: 'out', cap_usd: '5.00' },
          { per: 'run', direction: 'in', vendor: 'stripe', cap_usd: '9.00' },
        ],
      },
    ),
  )
  const of = (direction: 'in' | 'out' | 'none'): readonly Budget[] =>
    judge.budgets([level(policy)], { ...stripe, direction }, NOW)
  test('has a counter of its own and says so', () => {
    expect(of('out').map(({ counter, label }) => [counter, label])).toEqual([
      ['key:key_1|day|*|UTC', 'USD 5.00 a day (UTC)'],
      ['key:key_1|day|*|UTC|out', 'USD 5.00 a day (UTC) going out'],
    ])
    expect(
      of('in')
        .map(({ counter, label }) => [counter, label])
        .slice(1),
    ).toEqual([['key:key_1:run|run|stripe|in', 'USD 9.00 a run coming in for stripe, counted over the whole key']])
  })
  test('counts calls whose way is not known', () => {
    expect(of('none').map(({ direction }) => direction)).toEqual([null, 'out', 'in'])
  })
})

describe('a budget of what recurs', () => {
  const future = (cap: string) => ({ stripe: { future: { recurring_usd_per_month: cap } } })
  const base = open({ future: { recurring_usd_per_month: '100.00' } }, { name: 'bills' })
  const policy = policyOf(base)
  const [budget, ...others] = judge.budgets([level(policy)], stripe, NOW)
  test('has no window and counts one vendor of one key', () => {
    expect(others).toEqual([])
    expect(budget).toEqual({
      counter: 'key:key_1|all|stripe|recurring',
      window: 'all',
      cap: dollars('100.00'),
      code: 'budget_exceeded',
      label: 'USD 100.00 a month of what recurs for stripe',
      rule: 'vendors.stripe.future.recurring_usd_per_month (bills@1)',
      since: null,
      resetsAt: null,
      vendor: 'stripe',
      direction: null,
      measure: 'recurring',
      enforce: true,
    })
    expect(judge.budgets([level(policy)], { ...stripe, vendor: 'twilio' }, NOW)).toEqual([])
  })
  test('compares what a call adds to each month, not what it costs', () => {
    const asked = (recurring: string, spent: string) =>
      judge.decide(refund(), usage({ recurring: dollars(recurring) }, [budget!], spent), [policy])
    expect(asked('0.00', '120.00').verdict).toBe('allow')
    expect(asked('30.00', '70.00').verdict).toBe('allow')
    expect(asked('30.01', '70.00').denial).toEqual({
      code: 'budget_exceeded',
      rule: 'vendors.stripe.future.recurring_usd_per_month (bills@1)',
      message:
        'USD 30.01 a month would pass the cap of USD 100.00 a month of what recurs for stripe: USD 70.00 standing, ' +
        'USD 0.00 held, USD 30.00 left, more when something that recurs is ended. Do not retry.',
    })
  })
  test('is tightened by a narrowing, and never widened', () => {
    const capsUnder = (cap: string): unknown[] =>
      judge.budgets([level(policyOf(base, { vendors: future(cap) }))], stripe, NOW).map(({ cap: most }) => most)
    expect([capsUnder('5.00'), capsUnder('500.00')]).toEqual([[dollars('5.00')], [dollars('100.00')]])
  })
})

test('a credential budget without a credential counts nothing', () => {
  const policy = policyOf(open({}, { budgets: [{ per: 'day', cap_usd: '5.00', scope: 'credential' }] }))
  expect(judge.budgets([level(policy)], { ...stripe, credentialId: null }, NOW)).toEqual([])
})

test('a child is held against its ancestors’ counters too', () => {
  const policy = policyOf(open({}, { daily_cap_usd: '50.00' }))
  const child = policyOf(open({}, { daily_cap_usd: '50.00' }), { daily_cap_usd: '5.00' })
  const levels = [level(child, { keyId: 'key_2' }), level(policy)]
  expect(brief(judge.budgets(levels, stripe, NOW))).toEqual([
    ['key:key_2|day|*|UTC', '2026-11-21', dollars('5.00')],
    ['key:key_1|day|*|UTC', '2026-11-21', dollars('50.00')],
  ])
})

describe('a run', () => {
  const policy = policyOf(open({}, { budgets: [{ per: 'run', cap_usd: '20.00' }] }))
  test('that is bound to its key counts by itself, its own cap beside the policy’s', () => {
    const bound = (runCap: string | null): unknown[] =>
      brief(
        judge.budgets(
          [level(policy, { keyId: 'key_2', run: 'run_42', runCap: runCap === null ? null : dollars(runCap) })],
          stripe,
          NOW,
        ),
      )
    const counter = 'run:key_1:run_42|run|*'
    expect(bound(null)).toEqual([[counter, 'run_42', dollars('20.00')]])
    expect(bound('3.00')).toEqual([[counter, 'run_42', dollars('3.00')]])
    expect(bound('30.00')).toEqual([[counter, 'run_42', dollars('20.00')]])
  })
  test('that is only a label counts over the whole key', () => {
    expect(brief(judge.budgets([level(policy)], stripe, NOW))).toEqual([
      ['key:key_1:run|run|*', 'all', dollars('20.00')],
    ])
  })
  test('with a cap of its own says so', () => {
    const [budget] = judge.budgets([level(policy, { run: 'run_42', runCap: dollars('3.00') })], stripe, NOW)
    expect([budget!.rule, budget!.code, budget!.label]).toEqual([
      'run-cap (test@1)',
      'run_cap_exceeded',
      'USD 3.00 a run',
    ])
  })
})

test('a vendor keeps its name in a rule, even one that reads like a field', () => {
  const vendors = { cap_usd: { future: { recurring_usd_per_month: '1.00' } } }
  const [budget] = judge.budgets([level(policyOf({ vendors }))], { ...stripe, vendor: 'cap_usd' }, NOW)
  expect(budget!.rule).toBe('vendors.cap_usd.future.recurring_usd_per_month (test@1)')
})

describe('one counter under two caps', () => {
  const shared = (mode: string, cap: string) =>
    policyOf(open({}, { mode, budgets: [{ per: 'day', cap_usd: cap, scope: 'policy' }] }))
  const kept = (...levels: [string, string][]): unknown[] =>
    judge
      .budgets(
        levels.map(([mode, cap], i) => level(shared(mode, cap), { keyId: `key_${i}` })),
        stripe,
        NOW,
      )
      .map(({ cap, enforce }) => [cap, enforce])
  test('keeps the smaller', () => {
    expect(kept(['enforce', '5.00'], ['enforce', '50.00'])).toEqual([[dollars('5.00'), true]])
    expect(kept(['enforce', '50.00'], ['enforce', '5.00'])).toEqual([[dollars('5.00'), true]])
  })
  test('names the first of two that are equal', () => {
    const twice = policyOf(open({}, { daily_cap_usd: '5.00' }), { daily_cap_usd: '5.00' })
    expect(judge.budgets([level(twice)], stripe, NOW).map(({ rule }) => rule)).toEqual(['daily-cap (test@1)'])
  })
  test('never trades an enforced cap for one that is only observed', () => {
    expect(kept(['observe', '5.00'], ['enforce', '50.00'])).toEqual([[dollars('50.00'), true]])
    expect(kept(['enforce', '50.00'], ['observe', '5.00'])).toEqual([[dollars('50.00'), true]])
  })
})

test('the sentence names limit, value, what is left and when it resets', () => {
  const policy = policyOf(open({}, { daily_cap_usd: '100.00' }))
  const budgets = judge.budgets([level(policy)], stripe, NOW)
  expect(judge.decide(refund(), usage({}, budgets, '95.00'), [policy])).toEqual({
    verdict: 'deny',
    denial: {
      code: 'daily_cap_exceeded',
      rule: 'daily-cap (test@1)',
      message:
        'USD 10.00 would pass the cap of USD 100.00 a day (UTC): USD 95.00 spent, USD 0.00 held, USD 5.00 left, ' +
        'resets 2026-11-22T00:00:00.000Z. Do not retry.',
    },
  })
})

test('past its cap a counter has nothing left, not less than nothing', () => {
  const policy = policyOf(open({}, { daily_cap_usd: '100.00' }))
  const { denial } = judge.decide(refund(), usage({}, judge.budgets([level(policy)], stripe, NOW), '120.00'), [policy])
  expect(denial?.message).toContain('USD 120.00 spent, USD 0.00 held, USD 0.00 left')
})
