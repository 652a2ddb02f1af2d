import type { Usd } from './money.js'

/**
 * What a call can do to the world. `read` and `write` cost nothing by themselves; `spend` moves or commits money
 * now; the others are never granted by an endpoint pattern alone, only together with `permit`. `preview` stands
 * beside another effect: the vendor may change the operation under us.
 */
export type Effect = 'read' | 'write' | 'spend' | 'future_spend' | 'credential' | 'routing' | 'destructive' | 'preview'
export const PERMITTED_ONLY = ['future_spend', 'credential', 'routing', 'destructive', 'preview'] as const

/** in: the customer pays us; out: we pay. Both count against caps at absolute value. */
export type Direction = 'in' | 'out' | 'none'

/**
 * What a call will cost. `exact` and `ceiling` differ for reports only: both are reserved in full.
 * `amount` is what the call brings its object to in total (see Explanation.object), or simply its cost.
 */
export type Quote =
  /** `why`: one sentence on why an operation that can move money moves none this time. Mandatory for `spend`. */
  | { readonly basis: 'free'; readonly why?: string }
  | { readonly basis: 'exact' | 'ceiling'; readonly amount: Usd }
  | { readonly basis: 'unpriceable'; readonly why: string }

/**
 * Whom and what a call concerns. For each kind: a list is what was found; null means the operation has such a
 * subject but it could not be found out; absent means the operation has no such subject.
 */
export interface Subjects {
  /** Vendor customer ids. A list read without the customer filter is null. */
  readonly customers?: readonly string[] | null
  /** Phone numbers (E.164) or e-mail addresses that will be contacted, every to, cc and bcc. */
  readonly recipients?: readonly string[] | null
  readonly senders?: readonly string[] | null
  /** Where money goes: connected accounts, bank accounts, cards. */
  readonly beneficiaries?: readonly string[] | null
  /** Accounts of the vendor the call acts on other than the credential's own. */
  readonly accounts?: readonly string[] | null
  /** Absolute URLs among the parameters. */
  readonly urls?: readonly string[] | null
  /** ISO 4217, lower case. */
  readonly currencies?: readonly string[] | null
  /** What the call says in its body or query, of a vendor whose parameters nobody here knows; for conditions. */
  readonly said?: Said
}

/** Parameters as conditions of a policy see them. */
export interface Said {
  /**
   * Every value at a place such as `labels[*].name`, numbers and words as text; null among them where the place has none.
   * Null alone when what is there cannot be compared: a map where a value should be, or a name beside another spelling of it.
   */
  at(place: readonly string[]): readonly (string | null)[] | null
}

/** What a call makes happen later, when nobody calls any more. */
export interface Commitment {
  /** recurring: again and again until ended (a subscription, a rented number). scheduled: once, at `dueAt`. open: when somebody else completes it (a payment link, an unconfirmed intent). */
  readonly kind: 'recurring' | 'scheduled' | 'open'
  /** What it costs a month from now on, rounded up; zero unless recurring. A year counts a twelfth, a week 53/12 fold, a day 31 fold. */
  readonly perMonth: Usd
  /** Epoch ms at which it falls due; null where nobody knows. */
  readonly dueAt: number | null
  /** How many are ordered or can be sold: seats, numbers, completed sessions. Null: without limit. */
  readonly quantity: bigint | null
  /** The vendor's id of what exists already and is changed by the call (`sub_…`). Absent: the call makes a new one, and Outcome names it. */
  readonly object?: string
}

/** All that a rule can see of a call, in vendor-neutral words. */
export interface Call {
  readonly vendor: string
  /** `METHOD path` on the canonical path, as endpoint patterns match it. */
  readonly endpoint: string
  /** The same operation on every other route it has, ids filled in where they are known. */
  readonly aliases: readonly string[]
  readonly operation: string
  readonly effects: readonly Effect[]
  readonly quote: Quote
  readonly subjects: Subjects
  readonly commits: Commitment | null
  readonly reason: string | null
}

export type DenialCode =
  | 'key_unknown'
  | 'key_revoked'
  | 'key_expired'
  | 'real_key_presented'
  | 'key_frozen'
  | 'vendor_not_granted'
  | 'request_malformed'
  | 'request_ambiguous'
  | 'operation_unknown'
  | 'operation_not_allowed'
  | 'effect_not_permitted'
  | 'account_not_allowed'
  | 'customer_not_allowed'
  | 'recipient_not_allowed'
  | 'sender_not_allowed'
  | 'beneficiary_not_allowed'
  | 'url_not_allowed'
  | 'currency_not_allowed'
  | 'amount_unknown'
  | 'amount_over_limit'
  | 'run_cap_exceeded'
  | 'daily_cap_exceeded'
  | 'budget_exceeded'
  | 'duplicate_call'
  | 'idempotency_mismatch'
  | 'reason_required'
  | 'approval_required'
  | 'body_too_large'
  | 'rate_limited'
  | 'ledger_unavailable'
  | 'overloaded'
  | 'clock_suspect'
  | 'upstream_unavailable'
  | 'upstream_timeout'

/** Why a call was not let through. A value, never thrown. */
export interface Denial {
  readonly code: DenialCode
  /** One or two sentences for the person or model that must act: value seen, limit, what is left, when it resets. No code prefix, no secrets. */
  readonly message: string
  /** Which rule spoke, e.g. `max-amount`; with the policy's name and version where one did. */
  readonly rule: string
  /** Seconds after which a repetition may pass, for Retry-After. */
  readonly retryAfterS?: number
  /** The approval request that waits for the operator because of this call. */
  readonly approval?: string
  /** True where a client may repeat the very same request without a risk: nothing was sent, or the vendor will know it by its idempotency key. */
  readonly retrySafe?: boolean
}

const STATUS: Partial<Record<DenialCode, number>> = {
  key_unknown: 401,
  key_revoked: 401,
  key_expired: 401,
  real_key_presented: 401,
  body_too_large: 413,
  rate_limited: 429,
  ledger_unavailable: 503,
  overloaded: 503,
  clock_suspect: 503,
  upstream_unavailable: 502,
  upstream_timeout: 504,
}

/** HTTP status of a denial (contract §6). 403 unless the table says otherwise; a vendor may need another (Twilio and 429). */
export const statusOf = (code: DenialCode): number => STATUS[code] ?? 403

export type CallState = 'denied' | 'reserved' | 'settled' | 'released' | 'assumed'
