import { createHash } from 'node:crypto'

export const ALERT_KINDS = [
  'budget.threshold',
  'budget.passed',
  'denials.burst',
  'call.assumed',
  'credential.refused',
  'reconciliation.drift',
  'ledger.fault',
  'table.stale',
  'disk.room',
  'approval.waiting',
] as const
export type AlertKind = (typeof ALERT_KINDS)[number]

/** One thing the operator is told. Nothing in it is an agent's own words. */
export interface Alert {
  readonly kind: AlertKind
  /** What it is told of, once: the same name is not told again before `until`. */
  readonly name: string
  /** The same for the same event whoever tells it and however often, so that a receiver can know it again. */
  readonly id: string
  readonly at: number
  /** Epoch ms. */
  readonly until: number
  /** A sentence or two for a person. */
  readonly message: string
  /** The same for a program. Amounts are decimal text in USD. */
  readonly facts: Readonly<Record<string, string | number | boolean | null>>
  /** Names of what is told with it, and needs no telling of its own. */
  readonly covers: readonly string[]
}

/** How long something lasts of which nobody says when it ends. */
const LONG_MS = 90 * 86_400_000

export interface Telling {
  readonly kind: AlertKind
  /** What it is about, unique within the kind. */
  readonly about: string
  readonly at: number
  /** For how long it is not told again. Absent: until the instant `until`, or for 90 days. */
  readonly quietMs?: number
  readonly until?: number | null
  readonly message: string
  readonly facts: Alert['facts']
  readonly covers?: readonly string[]
}

export function alertOf({ kind, about, at, quietMs, until, message, facts, covers = [] }: Telling): Alert {
  const name = nameOf(kind, about)
  const span = quietMs === undefined ? 0 : Math.floor(at / quietMs)
  return {
    kind,
    name,
    id: `msg_${createHash('sha256').update(`${name}\n${span}`).digest('base64url').slice(0, 27)}`,
    at,
    until: quietMs === undefined ? (until ?? at + LONG_MS) : at + quietMs,
    message,
    facts,
    covers,
  }
}

export const nameOf = (kind: AlertKind, about: string): string => `${kind}/${about}`
