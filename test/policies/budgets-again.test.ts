import { expect, test } from 'vitest'
import type { Budget } from '../../src/contracts/policy.js'
import { judge } from '../../policies/index.js'
import { level, open, policyOf } from './given.js'

// What counters a call is held against is worked out once and asked again by the next call of the key.

const policy = policyOf(
  open(
    {},
    {
      timezone: 'America/New_York',
      daily_cap_usd: '200.00',
      budgets: [
        { per: 'run', cap_usd: '20.00' },
        { per: 'day', direction: 'in', cap_usd: '5.00' },
        { per: 'day', vendor: 'twilio', cap_usd: '4.00' },
        { per: 'month', cap_usd: '900.00', scope: 'credential' },
      ],
    },
  ),
)
const calls = ['stripe', 'twilio'].flatMap((vendor) =>
  ['cred_1', 'cred_2', null].flatMap((credentialId) =>
    (['in', 'out', 'none'] as const).map((direction) => ({ vendor, credentialId, direction })),
  ),
)
const MIDNIGHT = Date.UTC(2026, 10, 23, 5)
/** Around a day's end, a month's end in each of the two zones, and back. */
const INSTANTS = [
  MIDNIGHT - 60_000,
  MIDNIGHT - 1,
  MIDNIGHT,
  MIDNIGHT + 1,
  Date.UTC(2026, 11, 1) - 1,
  Date.UTC(2026, 11, 1),
  Date.UTC(2026, 11, 1, 5) - 1,
  Date.UTC(2026, 11, 1, 5),
  MIDNIGHT - 1,
]
const asked = (levels: Parameters<typeof judge.budgets>[0], at: number): readonly (readonly Budget[])[] =>
  calls.map((call) => judge.budgets(levels, call, at))

test('asked again, a key has the counters it would have if it were asked for the first time', () => {
  const levels = [level(policy)]
  for (const at of INSTANTS) {
    expect(asked(levels, at)).toEqual(asked([level(policy)], at))
    expect(asked(levels, at)).toEqual(asked([level(policy)], at))
  }
})

test('a window that has ended is counted on no more, from its last millisecond on', () => {
  const levels = [level(policy)]
  const day = (at: number): string =>
    judge.budgets(levels, { vendor: 'stripe', credentialId: null, direction: 'out' }, at)[0]!.window
  expect([MIDNIGHT - 1, MIDNIGHT, MIDNIGHT - 1].map(day)).toEqual(['2026-11-22', '2026-11-23', '2026-11-22'])
})

test('what one key was told is not what another one is held against', () => {
  const [one, other] = [[level(policy, { keyId: 'key_1' })], [level(policy, { keyId: 'key_2' })]]
  const counters = [one, other, one].map((levels) => judge.budgets(levels, calls[0]!, MIDNIGHT)[0]!.counter)
  expect(counters.map((counter) => counter.split('|')[0])).toEqual(['key:key_1', 'key:key_2', 'key:key_1'])
})
