import { priced } from '../../src/contracts/money.js'
import type { DaySum, Movements } from '../../src/contracts/records.js'
import type { Json, JsonObject } from '../../src/contracts/vendor.js'

const DAY_MS = 86_400_000

/**
 * Resend tells no money, and of the past only this day's and this month's counts (GET /usage, resend-openapi, November
 * 2026). What is used of the day, at the price of a mail, is held against what calls count for since it began.
 */
export const movements: Movements = {
  async days(_range, reach): Promise<readonly DaySum[]> {
    const usage = await reach.read('/usage')
    const daily = object(object(usage.emails)?.daily)
    const resets = typeof daily?.resets_at === 'string' ? Date.parse(daily.resets_at) : Number.NaN
    const sent = daily?.sent ?? daily?.used
    const price = reach.prices.flat('email')
    if (!Number.isFinite(resets) || typeof sent !== 'number' || !Number.isSafeInteger(sent) || price === null) return []
    const from = resets - DAY_MS
    return [
      {
        day: new Date(from).toISOString().slice(0, 10),
        from,
        to: reach.now(),
        amount: priced(BigInt(sent), price),
      },
    ]
  },
}

const object = (value: Json | undefined): JsonObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
