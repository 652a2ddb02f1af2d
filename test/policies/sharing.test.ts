import { describe, expect, test } from 'vitest'
import { judge } from '../../policies/index.js'
import type { Budget } from '../../src/contracts/policy.js'
import { sentencesOf } from '../../src/surfaces/mcp/policy-words.js'
import { dollars, level, NOW, open, policyOf, refund, usage } from './given.js'

const stripe = { vendor: 'stripe', credentialId: 'cred_1', direction: 'out' } as const
const faultsOf = (text: string): string[] => {
  const parsed = judge.parse(`apiVersion: spendgate/v1\nname: p\n${text}`, 'p.yaml')
  return parsed.ok ? [] : parsed.faults.map(({ message }) => message)
}

describe('a budget with a name', () => {
  const of = (name: string, document: object): readonly Budget[] =>
    judge.budgets([level(policyOf(open({}, { name, ...document })))], stripe, NOW)
  const growth = { budgets: [{ per: 'day', cap_usd: '50.00', scope: 'team:growth' }] }

  test('of a credential is one counter as well, in UTC whatever the zones of the policies of its keys', () => {
    const shared = { budgets: [{ per: 'day', cap_usd: '50.00', scope: 'credential' }] }
    const [one] = of('one', { ...shared, timezone: 'Asia/Tokyo' })
    const [other] = of('other', { ...shared, timezone: 'America/Los_Angeles' })
    expect([one!.counter, one!.window]).toEqual([other!.counter, other!.window])
  })

  test('is one counter under every policy that names it, in UTC whatever their zones', () => {
    const [one] = of('one', { ...growth, timezone: 'Asia/Tokyo' })
    const [other] = of('other', { ...growth, timezone: 'America/Los_Angeles' })
    expect([one!.counter, one!.window]).toEqual(['team:growth|day|*|UTC', '2026-11-21'])
    expect([other!.counter, other!.window]).toEqual([one!.counter, one!.window])
    expect(one!.label).toBe('USD 50.00 a day (UTC), shared by all keys of team growth')
    expect(one!.code).toBe('budget_exceeded')
  })
  test('is another one for a project, a month, a vendor or one way', () => {
    const more = {
      budgets: ['team:growth', 'project:growth', 'team:ops'].map((scope) => ({ per: 'day', cap_usd: '1', scope })),
    }
    expect(new Set(of('p', more).map(({ counter }) => counter)).size).toBe(3)
    const rows = [{ per: 'month' }, { per: 'day', vendor: 'stripe' }, { per: 'day', direction: 'out' }]
    const counters = rows.map(
      (row) => of('p', { budgets: [{ cap_usd: '1', scope: 'team:growth', ...row }] })[0]!.counter,
    )
    expect(new Set([...counters, of('p', growth)[0]!.counter]).size).toBe(4)
  })
  test('cannot be mistaken for a key’s, a policy’s or a credential’s', () => {
    const all = {
      daily_cap_usd: '1',
      budgets: ['policy', 'credential', 'team:key'].map((scope) => ({ per: 'day', cap_usd: '1', scope })),
    }
    expect(of('key', all).map(({ counter }) => counter.split('|')[0])).toEqual([
      'key:key_1',
      'policy:key',
      'cred:cred_1',
      'team:key',
    ])
  })
  test('holds the smallest of the caps along a line of keys', () => {
    const narrowed = policyOf(open({}, growth), { budgets: [{ per: 'day', cap_usd: '5.00', scope: 'team:growth' }] })
    const line = [level(narrowed, { keyId: 'key_2' }), level(policyOf(open({}, growth)))]
    expect(judge.budgets(line, stripe, NOW).map(({ cap }) => cap)).toEqual([dollars('5.00')])
  })
  test.each([
    [
      'team:Growth',
      '"team:Growth" has no name that can be shared: write 1 to 64 lower-case letters, digits, dots, dashes or underscores, such as "team:growth"',
    ],
    [
      '"project:"',
      '"project:" has no name that can be shared: write 1 to 64 lower-case letters, digits, dots, dashes or underscores, such as "project:growth"',
    ],
    ['polcy', 'unknown value "polcy". Did you mean "policy"?'],
    ['everybody', 'unknown value "everybody". Write one of key, policy, credential, team:<name>, project:<name>'],
  ])('is refused as %s', (scope, message) => {
    expect(faultsOf(`budgets: [{ per: day, cap_usd: "1", scope: ${scope} }]`)).toEqual([message])
  })
  test('is not for runs', () => {
    expect(faultsOf('budgets: [{ per: run, cap_usd: "1", scope: "team:a" }]')).toEqual([
      'a run belongs to one key: leave scope out, or write per: day',
    ])
  })
})

describe('what a key may issue', () => {
  const issued = (said: object | undefined, ...patches: object[]) =>
    policyOf(said === undefined ? {} : { issue: said }, ...patches).issue
  test('is nothing unless the document says so; a narrowing grants none', () => {
    expect(issued(undefined)).toBe(null)
    expect(issued(undefined, { issue: { max_children: 9 } })).toBe(null)
  })
  test('is one generation unless it says more, and never more than any part says', () => {
    expect(issued({ max_children: 20 })).toEqual({ childrenMax: 20, depthMax: 1 })
    expect(issued({ max_children: 20, max_depth: 3 }, { issue: { max_children: 30, max_depth: 2 } })).toEqual({
      childrenMax: 20,
      depthMax: 2,
    })
    expect(issued({ max_children: 20 }, { issue: { max_children: 0, max_depth: 5 } })).toEqual({
      childrenMax: 0,
      depthMax: 1,
    })
  })
  test('is refused with its place where it is no bound', () => {
    expect(faultsOf('issue: {}')).toEqual(['missing key "max_children"'])
    expect(faultsOf('issue: { max_children: 1001 }')).toEqual(['max_children must be a whole number from 0 to 1000'])
    expect(faultsOf('issue: { max_childs: 1, max_children: 1 }')[0]).toContain('Did you mean "max_children"?')
  })
})

test('agents are told of both in words', () => {
  const words = sentencesOf(
    policyOf({
      timezone: 'Asia/Tokyo',
      budgets: [{ per: 'day', cap_usd: '50.00', scope: 'team:growth' }],
      issue: { max_children: 20 },
    }),
  )
  expect(words).toContain('At most USD 50.00 a day (UTC), together with every other key of team growth.')
  expect(words).toContain('POST /tokens issues at most 20 living keys below this one.')
})

describe('a rate', () => {
  const of = (perMinute: number) => policyOf(open({}, { rate_limit: { per_minute: perMinute } }))
  const asked = (policies: Parameters<typeof judge.decide>[2], counts: readonly number[]) =>
    judge.decide(refund(), usage({ rate: counts.map((count) => ({ count, oldestAt: NOW })) }), policies).denial?.code
  test('is held against its own key’s calls, not against those of busier keys above it', () => {
    expect(asked([of(30), of(100)], [29, 99])).toBe(undefined)
    expect(asked([of(30), of(100)], [30, 99])).toBe('rate_limited')
    expect(asked([of(30), of(100)], [3, 100])).toBe('rate_limited')
  })
  test('that one policy sets for several keys is held against the fullest', () => {
    expect(asked([of(30)], [3, 30])).toBe('rate_limited')
    expect(asked([of(30)], [3, 29])).toBe(undefined)
  })
})
