import { usage } from './exit.js'

const SPAN = /^(\d{1,9})([smhd])$/
const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of a span such as `8h`; null when it is none. */
export function spanMs(text: string): number | null {
  const span = SPAN.exec(text)
  return span === null ? null : Number(span[1]) * (UNIT_MS[span[2] ?? ''] ?? 0)
}

/** An RFC 3339 instant in UTC from a date (its midnight UTC), an instant, or a span back from now such as `24h`. */
export function instantFrom(text: string, nowMs: number): string {
  const back = spanMs(text)
  if (back !== null && back <= nowMs) return new Date(nowMs - back).toISOString()
  const whole = /^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text
  const ms = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/.test(whole)
    ? Date.parse(whole)
    : Number.NaN
  // Date.parse turns 30 February into March.
  if (Number.isNaN(ms) || (whole.endsWith('Z') && !new Date(ms).toISOString().startsWith(whole.slice(0, 10)))) {
    throw usage(
      `"${text}" is no time. Give a date (2026-11-21), an instant (2026-11-21T14:00:00Z) or a span back (24h).`,
    )
  }
  return new Date(ms).toISOString()
}

/** Today's date in UTC. */
export const today = (nowMs: number): string => new Date(nowMs).toISOString().slice(0, 10)
