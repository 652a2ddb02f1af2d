import { expect, test } from 'vitest'
import { windowAt } from '../../policies/windows.js'
import { HOUR } from './sources.js'

const at = (text: string): number => Date.parse(text)
const iso = (ms: number): string => new Date(ms).toISOString().replace('.000', '')

// Start and end of the day that holds an instant, and how many hours it has. IANA 2026a rules; instants by hand.
test.each([
  ['America/Los_Angeles', '2026-03-08T20:00:00Z', '2026-03-08', '2026-03-08T08:00:00Z', '2026-03-09T07:00:00Z', 23],
  ['America/Los_Angeles', '2026-11-01T20:00:00Z', '2026-11-01', '2026-11-01T07:00:00Z', '2026-11-02T08:00:00Z', 25],
  // Lord Howe moves its clocks by half an hour: forward on the first Sunday of October, back in April.
  ['Australia/Lord_Howe', '2026-10-04T00:00:00Z', '2026-10-04', '2026-10-03T13:30:00Z', '2026-10-04T13:00:00Z', 23.5],
  ['Australia/Lord_Howe', '2026-04-05T00:00:00Z', '2026-04-05', '2026-04-04T13:00:00Z', '2026-04-05T13:30:00Z', 24.5],
  // Apia was on the other side of the date line until 2011-12-29 and had no 30th; it moves no clocks since 2021.
  ['Pacific/Apia', '2011-12-29T20:00:00Z', '2011-12-29', '2011-12-29T10:00:00Z', '2011-12-30T10:00:00Z', 24],
  ['Pacific/Apia', '2011-12-30T20:00:00Z', '2011-12-31', '2011-12-30T10:00:00Z', '2011-12-31T10:00:00Z', 24],
  ['Pacific/Apia', '2026-11-21T12:00:00Z', '2026-11-22', '2026-11-21T11:00:00Z', '2026-11-22T11:00:00Z', 24],
  ['UTC', '2028-02-29T12:00:00Z', '2028-02-29', '2028-02-29T00:00:00Z', '2028-03-01T00:00:00Z', 24],
  ['Asia/Kolkata', '2028-02-29T00:00:00Z', '2028-02-29', '2028-02-28T18:30:00Z', '2028-02-29T18:30:00Z', 24],
  // Havana goes back at one o'clock to midnight: the day begins at the first of its two midnights.
  ['America/Havana', '2026-11-01T04:30:00Z', '2026-11-01', '2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z', 25],
])('in %s the day of %s is %s', (zone, instant, label, from, to, hours) => {
  const day = windowAt(zone, 'day', at(instant))
  expect([day.label, iso(day.startAt), iso(day.endAt), (day.endAt - day.startAt) / HOUR]).toEqual([
    label,
    from,
    to,
    hours,
  ])
})

test.each([
  ['America/Los_Angeles', '2026-03-15T12:00:00Z', '2026-03', '2026-03-01T08:00:00Z', '2026-04-01T07:00:00Z', 743],
  ['America/Los_Angeles', '2026-11-15T12:00:00Z', '2026-11', '2026-11-01T07:00:00Z', '2026-12-01T08:00:00Z', 721],
  ['Australia/Lord_Howe', '2026-10-15T12:00:00Z', '2026-10', '2026-09-30T13:30:00Z', '2026-10-31T13:00:00Z', 743.5],
  ['UTC', '2028-02-10T00:00:00Z', '2028-02', '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z', 29 * 24],
  // The month that lost a day.
  ['Pacific/Apia', '2011-12-31T00:00:00Z', '2011-12', '2011-12-01T10:00:00Z', '2011-12-31T10:00:00Z', 30 * 24],
])('in %s the month of %s is %s', (zone, instant, label, from, to, hours) => {
  const month = windowAt(zone, 'month', at(instant))
  expect([month.label, iso(month.startAt), iso(month.endAt), (month.endAt - month.startAt) / HOUR]).toEqual([
    label,
    from,
    to,
    hours,
  ])
})

test('around every change of 2026, in every zone that moves its clocks, labels never go back', () => {
  const zones = Intl.supportedValuesOf('timeZone').filter((zone) => {
    const offset = (month: number): string =>
      new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' }).format(Date.UTC(2026, month, 10))
    return offset(0).slice(-6) !== offset(6).slice(-6)
  })
  expect(zones.length).toBeGreaterThan(100)
  // The days around each change, which are in March, April, September, October and November, and a few others.
  const instants = [2, 3, 8, 9, 10].flatMap((month) =>
    Array.from({ length: 31 }, (_, day) => Date.UTC(2026, month, 1) + day * 24 * HOUR),
  )
  for (const zone of zones) {
    let last = ''
    for (const from of instants) {
      const { label } = windowAt(zone, 'day', from)
      expect(label >= last, `${zone} at ${iso(from)}`).toBe(true)
      last = label
    }
  }
})
