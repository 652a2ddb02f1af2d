import type { Usd } from '../../src/contracts/money.js'
import { labelOf, type Limit, type Plan } from './plan.js'
import type { Row } from './rows.js'

/** A key as the operator who made it knows it. */
export interface KeyFacts {
  readonly id: string
  readonly text: string
  readonly parent: KeyFacts | null
  readonly root: KeyFacts
  readonly run: string | null
  readonly runCap: Usd | null
  readonly expiresAt: number | null
  readonly plan: Plan
  /** Daily caps it was narrowed to. */
  readonly narrowed: Usd[]
  /** What it took over when it was reissued. */
  readonly carried: Carried[]
  revoked: boolean
}

/** A call that a key took over from the one in whose place it came. */
interface Carried {
  readonly seq: number
  /** What it counted for then. */
  readonly amount: bigint
}

/** A limit on one call: whose money it counts, and in which window. */
export interface Applied {
  readonly limit: Limit
  readonly key: KeyFacts
  readonly cap: Usd
  readonly label: string | null
}

/** The limits on a call under a key that is made now: its own and its ancestors'. */
export const limitsOn = (key: KeyFacts, vendor: string, at: number): Applied[] =>
  chainOf(key).flatMap((each) =>
    limitsOf(each)
      .filter((limit) => limit.vendor === null || limit.vendor === vendor)
      .map((limit) => ({ limit, key: each, cap: limit.cap, label: labelOf(each.plan, limit, at) })),
  )

/** The key and its ancestors. */
export const chainOf = (key: KeyFacts): KeyFacts[] => (key.parent === null ? [key] : [key, ...chainOf(key.parent)])

function limitsOf(key: KeyFacts): Limit[] {
  const limits = key.plan.limits.map((limit) =>
    limit.per === 'day' && limit.vendor === null && limit.scope === 'key'
      ? { ...limit, cap: key.narrowed.reduce((cap, each) => (each < cap ? each : cap), limit.cap) }
      : limit,
  )
  if (key.runCap !== null) limits.push({ per: 'run', vendor: null, cap: key.runCap, scope: 'key' })
  return limits
}

/** Whether a limit on one call counts another call's money. */
export function countsFor({ limit, key }: Applied, row: Row, otherKey: KeyFacts, other: Row): boolean {
  const others = chainOf(otherKey)
  const alike = (each: Limit): boolean =>
    each.scope === limit.scope && each.per === limit.per && each.vendor === limit.vendor
  const sharing = others.some(({ plan }) => plan.limits.some(alike))
  if (limit.scope === 'credential') return other.credentialId === row.credentialId && sharing
  if (limit.scope === 'policy') return others.some(({ plan }) => plan.name === key.plan.name && plan.limits.some(alike))
  // A run that is bound to keys has one count for all of them that are limited by the run; any other is a label, and
  // the whole key counts.
  if (limit.per === 'run' && key.run !== null)
    return others.some((each) => each.root === key.root && each.run === key.run && limitsOf(each).some(alike))
  return others.includes(key)
}

/** What a reissued key brings with it under one of its limits, by call. */
export function carriedFor({ limit, key }: Applied): ReadonlyMap<number, bigint> {
  const carried = limit.scope === 'key' ? key.carried : []
  return new Map(carried.map(({ seq, amount }) => [seq, amount]))
}
