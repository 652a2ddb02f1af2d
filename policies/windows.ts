import { Temporal } from 'temporal-polyfill'

/** A calendar day or month somewhere on Earth, as a span of instants: startAt <= t < endAt, epoch milliseconds. */
export interface Window {
  /** `2026-11-21` or `2026-11`. */
  readonly label: string
  readonly startAt: number
  readonly endAt: number
}

// One entry a zone and kind, so bounded by the number of zones. The latest window is nearly always the one asked for.
const latest = new Map<string, Window>()

/**
 * The day or month of an instant in an IANA time zone. Windows follow each other without gap or overlap whatever the
 * clocks do: a day starts at its first instant, has 23 or 25 hours when they change, and a date that a zone left out
 * has no window. Where clocks go back across midnight the new day, once begun, stays.
 */
export function windowAt(timeZone: string, per: 'day' | 'month', nowMs: number): Window {
  const key = `${per} ${timeZone}`
  const known = latest.get(key)
  if (known !== undefined && nowMs >= known.startAt && nowMs < known.endAt) return known
  const window = computed(timeZone, per, nowMs)
  latest.set(key, window)
  return window
}

function computed(timeZone: string, per: 'day' | 'month', nowMs: number): Window {
  const local = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone).toPlainDate()
  let date = per === 'day' ? local : local.with({ day: 1 })
  let startAt = startOf(date, timeZone)
  for (;;) {
    const next = date.add(per === 'day' ? { days: 1 } : { months: 1 })
    const endAt = startOf(next, timeZone)
    if (nowMs < endAt) {
      return { label: per === 'day' ? date.toString() : date.toPlainYearMonth().toString(), startAt, endAt }
    }
    date = next
    startAt = endAt
  }
}

/** The first instant of a date; for a date the zone left out, that of the next one. */
const startOf = (date: Temporal.PlainDate, timeZone: string): number => date.toZonedDateTime(timeZone).epochMilliseconds

/**
 * The zone's name in its usual spelling, or null when there is no such zone. Offsets such as `+01:00` are no zones:
 * they know no summer time.
 */
export function knownZone(name: string): string | null {
  if (!/^[A-Za-z]/.test(name)) return null
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId
  } catch (error) {
    if (error instanceof RangeError) return null
    throw error
  }
}
