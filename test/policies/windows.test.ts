import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { knownZone, windowAt } from '../../policies/windows.js'

const HOUR = 3_600_000
const at = (text: string): number => Date.parse(text)
const iso = (ms: number): string => new Date(ms).toISOString()
const hours = (zone: string, instant: string): number => {
  const { startAt, endAt } = windowAt(zone, 'day', at(instant))
  return (endAt - startAt) / HOUR
}

test('a UTC day runs from midnight to midnight', () => {
  expect(windowAt('UTC', 'day', at('2026-11-21T23:59:59.999Z'))).toEqual({
    label: '2026-11-21',
    startAt: at('2026-11-21T00:00:00Z'),
    endAt: at('2026-11-22T00:00:00Z'),
  })
  expect(windowAt('UTC', 'day', at('2026-11-22T00:00:00Z')).label).toBe('2026-11-22')
})

test('Los Angeles has days of 23 and 25 hours', () => {
  expect(hours('America/Los_Angeles', '2026-03-08T20:00:00Z')).toBe(23)
  expect(hours('America/Los_Angeles', '2026-11-01T20:00:00Z')).toBe(25)
  expect(hours('America/Los_Angeles', '2026-11-02T20:00:00Z')).toBe(24)
})

test('a day without midnight starts at its first instant', () => {
  // Cairo went from 2024-04-25 23:59:59 straight to 2024-04-26 01:00.
  const day = windowAt('Africa/Cairo', 'day', at('2024-04-25T22:00:00Z'))
  expect([day.label, iso(day.startAt), day.endAt - day.startAt]).toEqual([
    '2024-04-26',
    '2024-04-25T22:00:00.000Z',
    23 * HOUR,
  ])
  expect(windowAt('Africa/Cairo', 'day', at('2024-04-25T21:59:59.999Z')).label).toBe('2024-04-25')
})

test('a date that a zone left out has no window', () => {
  // Apia went from 2011-12-29 to 2011-12-31.
  const before = windowAt('Pacific/Apia', 'day', at('2011-12-30T09:59:59.999Z'))
  const after = windowAt('Pacific/Apia', 'day', at('2011-12-30T10:00:00Z'))
  expect([before.label, after.label]).toEqual(['2011-12-29', '2011-12-31'])
  expect(after.startAt).toBe(before.endAt)
})

test('a new day, once begun, stays when clocks go back across midnight', () => {
  // St. John's went back at 00:01 on 2010-11-07, to 23:01 on the 6th.
  for (const instant of ['2010-11-07T02:30:30Z', '2010-11-07T02:45:00Z', '2010-11-07T03:31:00Z']) {
    // The day before comes in between, so that no answer is the last one remembered.
    expect(windowAt('America/St_Johns', 'day', at('2010-11-06T12:00:00Z')).label).toBe('2010-11-06')
    expect(windowAt('America/St_Johns', 'day', at(instant)).label).toBe('2010-11-07')
  }
  expect(hours('America/St_Johns', '2010-11-07T02:45:00Z')).toBe(25)
})

test('a month is as long as its days', () => {
  const month = windowAt('America/Los_Angeles', 'month', at('2026-11-30T12:00:00Z'))
  expect([month.label, iso(month.startAt), iso(month.endAt)]).toEqual([
    '2026-11',
    '2026-11-01T07:00:00.000Z',
    '2026-12-01T08:00:00.000Z',
  ])
})

describe('windows of every zone', () => {
  const zones = [
    'UTC',
    'America/Los_Angeles',
    'Africa/Cairo',
    'Pacific/Apia',
    'America/St_Johns',
    'Australia/Lord_Howe',
    'Asia/Kathmandu',
    'America/Havana',
  ]
  const instant = fc.integer({ min: at('2000-01-01T00:00:00Z'), max: at('2040-01-01T00:00:00Z') })
  const per = fc.constantFrom('day' as const, 'month' as const)
  test('hold their instant, follow each other and rise in label', () => {
    fc.assert(
      fc.property(fc.constantFrom(...zones), per, instant, (zone, kind, now) => {
        const window = windowAt(zone, kind, now)
        expect(window.startAt).toBeLessThanOrEqual(now)
        expect(window.endAt).toBeGreaterThan(now)
        const next = windowAt(zone, kind, window.endAt)
        expect(next.startAt).toBe(window.endAt)
        expect(next.label > window.label).toBe(true)
        // Asked again, in an order that spoils the cache, the answer is the same.
        expect(windowAt(zone, kind, window.startAt)).toEqual(window)
        expect(windowAt(zone, kind, window.endAt - 1)).toEqual(window)
      }),
      { numRuns: 300 },
    )
  })
})

test('zones are known by IANA name, in any case', () => {
  expect(knownZone('america/los_angeles')).toBe('America/Los_Angeles')
  expect([knownZone('Mars/Base'), knownZone('+02:00'), knownZone('')]).toEqual([null, null, null])
  // An instant names a zone too, to Temporal.
  expect([knownZone('2026-11-21T00:00Z'), knownZone('2026-11-21T00:00[Asia/Tokyo]')]).toEqual([null, null])
})
