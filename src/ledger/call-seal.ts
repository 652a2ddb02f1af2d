import type { CallDraft } from '../contracts/ledger.js'
import type { Decision } from '../contracts/policy.js'
import { digestOf, type Value } from './chain.js'

/** Columns of a call that never change, except when personal data in them is erased. */
export const FIXED = [
  'seq',
  'at',
  'key_id',
  'root_id',
  'credential_id',
  'run',
  'run_source',
  'vendor',
  'surface',
  'method',
  'path',
  'operation',
  'effect',
  'direction',
  'basis',
  'quoted',
  'reserved',
  'customer',
  'reason',
  'request_hash',
  'replay_of',
  'look_ups',
  'counters',
] as const

/** Why a call was let through or refused. A settlement changes it when a call was stopped after its admission. */
export const WHY = ['verdict', 'code', 'rule', 'message'] as const

/** What the vendor answered. */
export const OUTCOME = ['seq', 'upstream_status', 'upstream_request_id', 'upstream_ms', 'settled_at'] as const

type ValuesOf<Columns extends readonly string[]> = { readonly [column in keyof Columns]: Value }

interface Admitted {
  readonly now: number
  readonly reserved: bigint
  readonly replayOf: number | null
  readonly counters: readonly number[]
}

/** What the entry of an admission says of the row beyond what it shows: members of its detail, without braces. */
export function sealOfAdmission(
  salt: string,
  seq: number,
  draft: CallDraft,
  { verdict, denial }: Decision,
  row: Admitted,
): string {
  // In the order of FIXED. A list of its own length, because making an object of them first costs half as much again.
  const fixed: ValuesOf<typeof FIXED> = [
    seq,
    row.now,
    draft.key.id,
    draft.key.rootId,
    draft.credentialId,
    draft.run,
    draft.runSource,
    draft.vendor,
    draft.surface,
    draft.method,
    draft.path,
    draft.operation,
    draft.effect,
    draft.direction,
    draft.basis,
    row.replayOf === null ? draft.quoted : 0,
    row.reserved,
    draft.customer,
    draft.reason,
    draft.requestHash,
    row.replayOf,
    draft.lookUps,
    row.counters.join(','),
  ]
  const why = denial === null ? 'null' : `"${digestOf(salt, [verdict, denial.code, denial.rule, denial.message])}"`
  return `"row":"${digestOf(salt, fixed)}","why":${why}`
}

/** What the entry of an outcome says of the vendor's answer. Nothing personal is in it, so it needs no salt. */
export const sealOfOutcome = (values: readonly [seq: number, ...Value[]]): string => `"out":"${digestOf('', values)}"`

/** The digest of some columns of a row as it was read. */
export const sealOfColumns = (salt: string, columns: readonly string[], row: Readonly<Record<string, Value>>): string =>
  digestOf(
    salt,
    columns.map((column) => row[column] ?? null),
  )
