/** A table of rates or prices is believed for so many days after the day it is of. */
export interface Dated {
  /** `2026-11-20` */
  readonly as_of: string
  readonly max_age_days: number
}

const DAY_MS = 86_400_000

/** Epoch ms after which nothing in the table is believed any more: the end of its last day in UTC. */
export const staleAfter = (table: Dated): number =>
  Date.parse(`${table.as_of}T00:00:00.000Z`) + (table.max_age_days + 1) * DAY_MS

/** Days until a table is stale: 1 on its last day, zero or less afterwards. */
export const daysLeft = (table: Dated, nowMs: number): number =>
  // Not the negative zero that rounding up from just below gives.
  Math.ceil((staleAfter(table) - nowMs) / DAY_MS) + 0
