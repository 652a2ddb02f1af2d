import type { CallRow } from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import type { Budget, Counted } from '../contracts/policy.js'
import { span } from './words.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Fewer calls that cost something tell no pace, nor do calls of a moment ago. */
const CALLS_MIN = 3
const PACE_MS_MIN = MINUTE_MS
/** What is further off than this is no news. */
const AHEAD_MS_MAX = 7 * DAY_MS

/** How a cap will stand if calls go on as they did. A guess for whoever looks: no decision rests on it. */
export interface Forecast {
  /** In how long nothing is left; null when it resets before that, or when that is a week off. */
  readonly fullInMs: number | null
  /** What will be counted at the reset; null where nothing resets, or nothing is left before. */
  readonly byReset: Usd | null
  /** What the pace was taken from: `the last hour`. */
  readonly of: string
}

/** So much in so long. */
interface Pace {
  readonly amount: bigint
  readonly ms: number
  readonly of: string
}

/**
 * By the faster of two paces: that of the last hour's calls, and that of the whole span so far. Null where there is too
 * little to tell, and where nothing is left already.
 *
 * @param calls the latest of the key or run, newest first: what others spend under a shared cap is in its counter only,
 *   so that their last hour is not seen
 * @param from when the key was made: before, nothing could be spent
 */
export function forecast(
  cap: Budget & Counted,
  calls: readonly CallRow[],
  from: number,
  nowMs: number,
): Forecast | null {
  const left = cap.cap - cap.spent - cap.held
  if (cap.measure !== 'spent' || left <= 0n) return null
  const pace = faster(paceOfHour(cap, calls, nowMs), paceOfSpan(cap, from, nowMs))
  if (pace === null) return null
  const fullInMs = Number((left * BigInt(pace.ms)) / pace.amount)
  if (cap.resetsAt === null) return fullInMs > AHEAD_MS_MAX ? null : { fullInMs, byReset: null, of: pace.of }
  const resetsInMs = cap.resetsAt - nowMs
  if (fullInMs < resetsInMs) return { fullInMs, byReset: null, of: pace.of }
  const more = (pace.amount * BigInt(Math.max(0, resetsInMs))) / BigInt(pace.ms)
  return { fullInMs: null, byReset: usd(cap.spent + cap.held + more), of: pace.of }
}

/** From the first call of the last hour that cost something; what that one cost came before the span it begins. */
function paceOfHour(cap: Budget, calls: readonly CallRow[], nowMs: number): Pace | null {
  const paid = calls.filter((call) => call.at > nowMs - HOUR_MS && countedOn(cap, call) > 0n)
  const first = paid.at(-1)
  if (first === undefined || paid.length < CALLS_MIN || nowMs - first.at < PACE_MS_MIN) return null
  const ms = nowMs - first.at
  const amount = paid.slice(0, -1).reduce((sum, call) => sum + countedOn(cap, call), 0n)
  return { amount, ms, of: ms > HOUR_MS - 5 * MINUTE_MS ? 'the last hour' : `the last ${span(ms)}` }
}

function paceOfSpan(cap: Budget & Counted, from: number, nowMs: number): Pace | null {
  if (cap.since === null || cap.resetsAt === null) return null
  const ms = nowMs - Math.max(cap.since, from)
  const amount = cap.spent + cap.held
  if (ms < HOUR_MS || amount <= 0n) return null
  return { amount, ms, of: cap.resetsAt - cap.since > 2 * DAY_MS ? 'the month so far' : 'the day so far' }
}

const faster = (a: Pace | null, b: Pace | null): Pace | null =>
  a === null || b === null ? (a ?? b) : a.amount * BigInt(b.ms) >= b.amount * BigInt(a.ms) ? a : b

/** What a call counts for on a budget, as the ledger counts it. */
function countedOn({ vendor, direction }: Budget, call: CallRow): bigint {
  if (vendor !== null && call.vendor !== vendor) return 0n
  if (direction !== null && call.direction !== 'none' && call.direction !== direction) return 0n
  return call.settled + (call.state === 'reserved' ? call.reserved : 0n)
}
