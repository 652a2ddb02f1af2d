import { describe, expect, test } from 'vitest'
import type { CallRow } from '../../src/contracts/ledger.js'
import { formatUsd, parseUsd, usd, type Usd } from '../../src/contracts/money.js'
import type { Budget, Counted } from '../../src/contracts/policy.js'
import { forecast } from '../../src/dashboard/forecast.js'
import { DAY, HOUR, MINUTE } from '../pipeline/given.js'

/* What is said about a cap's future, by where the clock stands. */

const MIDNIGHT = Date.UTC(2026, 10, 24)
const NOON = MIDNIGHT + 12 * HOUR
const LONG_AGO = MIDNIGHT - 30 * DAY

const money = (text: string): Usd => parseUsd(text)!
const day = (spent: string, cap = '100', more: Partial<Budget & Counted> = {}): Budget & Counted => ({
  counter: 'day/key_a',
  window: '2026-11-24',
  cap: money(cap),
  code: 'daily_cap_exceeded',
  label: `USD ${cap} a day (UTC)`,
  rule: 'daily-cap',
  since: MIDNIGHT,
  resetsAt: MIDNIGHT + DAY,
  vendor: null,
  direction: null,
  measure: 'spent',
  enforce: true,
  spent: money(spent),
  held: usd(0n),
  ...more,
})

/** Calls of so many minutes ago, newest first. */
const calls = (...ago: readonly (readonly [minutes: number, amount: string, more?: Partial<CallRow>])[]): CallRow[] =>
  ago.map(
    ([minutes, amount, more]) =>
      ({
        at: NOON - minutes * MINUTE,
        vendor: 'stripe',
        direction: 'in',
        state: 'settled',
        settled: money(amount),
        reserved: money(amount),
        ...more,
      }) as CallRow,
  )
const each = (count: number, minutes: number, amount: string): CallRow[] =>
  calls(...Array.from({ length: count }, (_, i) => [i * minutes, amount] as const))

const said = (...[cap, rows, from, at]: [Budget & Counted, readonly CallRow[], number?, number?]): string | null => {
  const found = forecast(cap, rows, from ?? LONG_AGO, at ?? NOON)
  if (found === null) return null
  const { fullInMs, byReset, of } = found
  return `${fullInMs === null ? `${formatUsd(byReset!)} by the reset` : `full in ${Math.round(fullInMs / MINUTE)} min`}, ${of}`
}

describe('by the last hour', () => {
  test('a pace that fills the cap before it resets says when', () => {
    // $2 every 10 minutes from 50 minutes ago: five of them since the first, and $60 left.
    expect(said(day('40'), each(6, 10, '2'))).toBe('full in 300 min, the last 50 min')
    expect(said(day('40'), each(60, 1, '1'))).toBe('full in 60 min, the last hour')
  })

  test('a pace that does not says what will have been counted', () => {
    // A dollar every 10 minutes for the 12 hours that are left.
    expect(said(day('20'), each(6, 10, '1'))).toBe('92.00 by the reset, the last 50 min')
  })

  test('an agent that has just begun to race is seen, whatever the day was like', () => {
    expect(said(day('30'), each(4, 1, '10'))).toBe('full in 7 min, the last 3 min')
  })

  test('what is held counts, what was refused and what is older does not', () => {
    const rows = calls(
      [1, '0', { state: 'reserved', reserved: money('5') }],
      [2, '0', { state: 'denied' }],
      [10, '5'],
      [30, '5'],
      [61, '90'],
    )
    // $10 in the 30 minutes since the first; $65 left.
    expect(said(day('30', '100', { held: money('5') }), rows)).toBe('full in 195 min, the last 30 min')
  })

  test('a cap of one vendor, or of one direction, is told from its own calls', () => {
    const rows = calls(...[0, 10, 20].map((ago) => [ago, '5', { vendor: 'twilio', direction: 'out' }] as const))
    const none = { since: null, resetsAt: null } as const
    expect(said(day('15', '35', { vendor: 'twilio', ...none }), rows)).toBe('full in 40 min, the last 20 min')
    expect(said(day('15', '35', { vendor: 'stripe', ...none }), rows)).toBeNull()
    expect(said(day('15', '35', { direction: 'in', ...none }), rows)).toBeNull()
    const rests = rows.map((row) => ({ ...row, direction: 'none' }))
    expect(said(day('15', '35', { direction: 'in', ...none }), rests)).toBe('full in 40 min, the last 20 min')
  })
})

describe('by the span so far', () => {
  test('calls of hours ago still tell the pace of the day', () => {
    expect(said(day('20'), [])).toBe('40.00 by the reset, the day so far')
    expect(said(day('75'), [])).toBe('full in 240 min, the day so far')
  })

  test('a key made in the day spends since then', () => {
    expect(said(day('20'), [], NOON - 4 * HOUR)).toBe('80.00 by the reset, the day so far')
    expect(said(day('20'), [], NOON - 2 * HOUR)).toBe('full in 480 min, the day so far')
  })

  test('a month is called one', () => {
    const month = { window: '2026-11', since: Date.UTC(2026, 10, 1), resetsAt: Date.UTC(2026, 11, 1) }
    expect(said(day('47', '100', month), [])).toBe('60.00 by the reset, the month so far')
  })

  test('of two paces the faster speaks', () => {
    expect(said(day('48'), each(3, 20, '0.01'))).toBe('96.00 by the reset, the day so far')
  })
})

describe('nothing is said', () => {
  test.each([
    ['where the cap is reached', day('100'), each(6, 10, '2'), NOON],
    ['where held money reaches it', day('95', '100', { held: money('5') }), each(6, 10, '2'), NOON],
    ['of what recurs', day('40', '100', { measure: 'recurring' }), each(6, 10, '2'), NOON],
    ['where nothing was spent', day('0'), [], NOON],
    ['in the first hour of the day', day('40'), [], MIDNIGHT + 59 * MINUTE],
    ['from two calls', day('40', '100', { since: null, resetsAt: null }), each(2, 10, '2'), NOON],
    ['from calls of a moment ago', day('40', '100', { since: null, resetsAt: null }), each(9, 0.1, '2'), NOON],
    ['of a week from now', day('40', '10000', { since: null, resetsAt: null }), each(6, 10, '2'), NOON],
  ] as const)('%s', (_, cap, rows, at) => {
    expect(said(cap, rows, LONG_AGO, at)).toBeNull()
  })
})
