import type { Call, Denial, DenialCode, Direction, Effect } from './call.js'
import type { Usd } from './money.js'

/** One vendor's block of a policy, compiled. Undefined lists mean «any», empty ones «none». */
export interface VendorPolicy {
  readonly vendor: string
  /** Tests a `METHOD path`. */
  allows(endpoint: string): boolean
  denies(endpoint: string): boolean
  readonly permit: ReadonlySet<Effect>
  readonly maxAmount: Usd | undefined
  readonly customers: Allowlist | undefined
  readonly currencies: Allowlist | undefined
  readonly recipients: Allowlist | undefined
  readonly senders: Allowlist | undefined
  readonly beneficiaries: Allowlist
  readonly accounts: Allowlist
  readonly callbackHosts: Allowlist
  /** What must hold of the fields of a call. Only vendors without a catalogue say what a call holds. */
  readonly conditions: readonly Condition[]
  readonly costs: Costs
  /** Bounds on what `permit: [future_spend]` opens, beside the recurring budget. */
  readonly future: {
    /** Largest quantity one call may order or put up for sale; undefined for any. */
    readonly quantityMax: bigint | undefined
    /** Whether what others can complete (links, sessions) must be limited in number. */
    readonly boundedOnly: boolean
  }
}

/** What a policy asks of a field. All of it must hold, for every value that stands there. */
export interface Condition {
  /** Whether it is asked of a `METHOD path`. */
  concerns(endpoint: string): boolean
  /** `labels[*].name` as written, and its steps. */
  readonly field: string
  readonly place: readonly string[]
  /** Why these values (null where there is none) are not accepted, as a predicate («is …»); null when they are. */
  fault(values: readonly (string | null)[]): string | null
  /** Where it stands in the document: `vendors.github.conditions[0]`. */
  readonly at: string
}

/** What a policy says that calls at a vendor without prices cost. */
export interface Costs {
  /** What a call costs, the dearest of what is said of it; null when nothing is said. */
  of(endpoint: string): Usd | null
  /** Where the reply says what it cost; null when it does not. */
  readonly from: {
    concerns(endpoint: string): boolean
    readonly place: readonly string[]
    /** USD for one of what the field counts, decimal text. */
    readonly usdEach: string
  } | null
  /** `max_amount_usd`: what such a call is reserved at when nothing else is said. */
  readonly bound: Usd | null
}

/** Exact values or `*` patterns. */
export interface Allowlist {
  has(value: string): boolean
  /** The entries as written, for messages and reports. */
  readonly entries: readonly string[]
}

/** Whose spending a budget counts: one key's, or that of all keys under a policy, on a credential, or of a team or project by whatever policy. */
export type BudgetScope = 'key' | 'policy' | 'credential' | `team:${string}` | `project:${string}`

/**
 * The zone of a budget's days and months. What keys of several policies share has one calendar, or each zone would have
 * a counter, and a cap, of its own.
 */
export const zoneOf = ({ scope }: Pick<BudgetRule, 'scope'>, timeZone: string): string =>
  scope === 'credential' || scope.includes(':') ? 'UTC' : timeZone

/** One limit on money over a span, as the document states it. */
export interface BudgetRule {
  readonly per: 'run' | 'day' | 'month' | 'all'
  readonly cap: Usd
  readonly vendor: string | null
  /** Counts only what flows this way; null for both. */
  readonly direction: 'in' | 'out' | null
  /** spent: what calls cost. recurring: what standing commitments cost a month; a cap of it has no window (`per: all`). */
  readonly measure: 'spent' | 'recurring'
  readonly scope: BudgetScope
  readonly code: 'run_cap_exceeded' | 'daily_cap_exceeded' | 'budget_exceeded'
  /** Where it stands in the document, e.g. `daily_cap_usd` or `budgets[1]`. */
  readonly at: string
}

/** A policy in force for one key: a document version, narrowed or not, made ready to judge with. Immutable. */
export interface Policy {
  readonly name: string
  readonly version: number
  readonly enforce: boolean
  readonly timeZone: string
  readonly expiresInMs: number | null
  readonly perMinute: number | null
  readonly budgets: readonly BudgetRule[]
  readonly approvalAbove: Usd | null
  /** How long a request for an approval stays open, and after the decision how long that stands. */
  readonly approvalMs: number
  /** Who may approve. client: the person at the agent's MCP client too; operator: nobody else. The operator always may. */
  readonly approvalBy: 'operator' | 'client'
  readonly requireReason: boolean
  /** What an agent may issue below its own key by itself; null: nothing. */
  readonly issue: {
    /** Living keys below the key, at most. */
    readonly childrenMax: number
    /** How many generations of them. */
    readonly depthMax: number
  } | null
  /** How long an identical write in the same run counts as a duplicate; null: never. */
  readonly duplicateWithinMs: number | null
  readonly vendors: ReadonlyMap<string, VendorPolicy>
}

/** One counter a call is held against: what is counted so far and what the cap is. */
export interface Budget {
  /** Identifies the counter: same id and window, same money. */
  readonly counter: string
  /** Which span of it: `2026-11-21`, `2026-11`, a run id, or `all`. */
  readonly window: string
  readonly cap: Usd
  readonly code: BudgetRule['code']
  /** For messages: `USD 200.00 a day (UTC)`. */
  readonly label: string
  /** `daily-cap (support-refunds@3)` */
  readonly rule: string
  /** Epoch ms at which the window began and ends; null when it does not. */
  readonly since: number | null
  readonly resetsAt: number | null
  /** The one vendor it counts, or null for all. */
  readonly vendor: string | null
  readonly direction: 'in' | 'out' | null
  readonly measure: 'spent' | 'recurring'
  /** False when its policy only observes. */
  readonly enforce: boolean
}

/** What a budget counter holds. spent = settled + assumed; held = reserved. */
export interface Counted {
  readonly spent: Usd
  readonly held: Usd
}

/** What stands in the ledger at the moment of deciding. Read inside the transaction. */
export interface Usage {
  readonly nowMs: number
  /** Key and its ancestors, the calling key first. */
  readonly keys: readonly KeyStanding[]
  /** A freeze that covers the call, or null. */
  readonly frozen: { readonly scope: string; readonly at: number; readonly reason: string | null } | null
  readonly budgets: readonly (Budget & Counted)[]
  /** What this call would add: its quote less what its object already counts; zero for a replay. */
  readonly amount: Usd
  /** What this call would add to what recurs every month: its commitment less what the same object commits already. */
  readonly recurring: Usd
  /** An earlier call under the same idempotency key. */
  readonly earlier: { readonly callId: string; readonly sameRequest: boolean; readonly stands: boolean } | null
  /** The last identical write of the same run that stands, if the draft asked to look for one. */
  readonly duplicate: { readonly callId: string; readonly at: number } | null
  /** What the operator said, or is being asked, about this very request under this very key; null when there is nothing that still stands. */
  readonly approval: Approval | null
  /** True when the key has so many open approval requests that no other is opened. */
  readonly approvalsFull: boolean
  /** Calls counted against the rate limit of keys[i] in the last 60 s, and when the oldest of them leaves the window. */
  readonly rate: readonly { readonly count: number; readonly oldestAt: number }[]
  /** True when the rate was already counted for this call, before its look-ups. */
  readonly rateCounted: boolean
}

/** An approval request that has neither been used nor expired. */
export interface Approval {
  readonly id: string
  readonly state: 'open' | 'approved' | 'denied'
  /** The quote it was asked for; an approval covers no more. */
  readonly ceiling: Usd
  readonly expiresAt: number
  /** Why it was denied, if the operator said so. */
  readonly reason: string | null
}

export interface KeyStanding {
  readonly id: string
  readonly name: string
  readonly revokedAt: number | null
  readonly revokeReason: string | null
  readonly expiresAt: number | null
}

export interface Decision {
  readonly verdict: 'allow' | 'deny' | 'would_deny'
  readonly denial: Denial | null
}

/**
 * One question a policy answers. `policies` are those of the key and its ancestors, in the order of `usage.keys`, or
 * the only one where all have the same; a rule speaks for each. Rules are pure: everything they may depend on is in the arguments.
 */
export interface Rule {
  readonly name: string
  /** True for what `mode: observe` cannot waive. */
  readonly unwaivable?: true
  check(call: Call, usage: Usage, policies: readonly Policy[]): RuleDenial | null
}
export interface RuleDenial {
  readonly code: DenialCode
  readonly message: string
  readonly policy?: Policy
  readonly enforce?: boolean
  readonly retryAfterS?: number
  /** The approval request that the message names. */
  readonly approval?: string
}

/** A fault in a document: where, and a sentence with a suggestion where one is near. */
export interface Fault {
  /** `vendors.stripe.max_amount_usd` */
  readonly path: string
  /** `policies/refunds.yaml:7:3`, when the text is known. */
  readonly at?: string
  readonly message: string
}

/** A key as budgets see it, with the policy in force for it. */
export interface Level {
  readonly keyId: string
  readonly rootId: string
  /** The run the key is bound to, or null. */
  readonly run: string | null
  /** Cap of that run given when the key was made, or null. */
  readonly runCap: Usd | null
  readonly policy: Policy
}

/** Everything the engine needs of `policies/`. One implementation; an interface so that the engine knows no rule by name. */
export interface Judge {
  /** Parses and checks a document, YAML or JSON text. `document` is plain JSON, ready to store. */
  parse(
    text: string,
    file: string | null,
  ):
    | { readonly ok: true; readonly name: string; readonly document: unknown }
    | { readonly ok: false; readonly faults: readonly Fault[] }
  /** Checks a partial document used for narrowing. */
  parseNarrowing(
    patch: unknown,
  ): { readonly ok: true; readonly patch: unknown } | { readonly ok: false; readonly faults: readonly Fault[] }
  /** Compiles a stored document and its narrowings, oldest first: each can only tighten. Throws on a document `parse` would refuse. */
  compile(document: unknown, version: number, narrowings: readonly unknown[]): Policy
  /** Every counter a call is held against, for the key and its ancestors (calling key first), each once with its smallest cap. */
  budgets(
    levels: readonly Level[],
    call: { readonly vendor: string; readonly credentialId: string | null; readonly direction: Direction },
    nowMs: number,
  ): Budget[]
  /** Rules up to and including `rate`, for the moment before look-ups: what may not go on must not cause a read either. */
  screen(call: Call, usage: Usage, policies: readonly Policy[]): Denial | null
  /** All rules in the order of contract §6. */
  decide(call: Call, usage: Usage, policies: readonly Policy[]): Decision
  /** What a document says otherwise than another one, which `parse` has let through like it. */
  differences(from: unknown, to: unknown): readonly Difference[]
  /** Whether a document lets some call of an operation pass its endpoints and effects, whatever its amount and subjects. */
  opens(
    document: unknown,
    vendor: string,
    operation: { readonly routes: readonly string[]; readonly effect: Effect; readonly preview?: true },
  ): boolean
}

/** One thing that a policy says otherwise than another. */
export interface Difference {
  /** Where it stands: `vendors.stripe.max_amount_usd`. */
  readonly path: string
  /** tighter: calls that were let through may be refused. wider: the other way round. other: neither for certain. */
  readonly direction: 'tighter' | 'wider' | 'other'
  readonly sentence: string
}
