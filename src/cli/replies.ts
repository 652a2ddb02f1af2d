/**
 * Replies of the admin API (contract §5) as far as the command reads them. Money is decimal text and stays so.
 * A server of another version may leave a field out: what is drawn from it is then a dash.
 */
export interface CredentialReply {
  readonly id: string
  readonly vendor: string
  readonly name: string
  readonly account?: string
  readonly test?: boolean
  readonly api_version?: string | null
  readonly fingerprint: string
  readonly last4: string
  readonly secret_ref?: string | Readonly<Record<string, string>>
  readonly created_at?: string
  readonly rotated_at?: string | null
}

export interface OperatorReply {
  readonly id: string
  readonly kind: string
  readonly name: string | null
  readonly role: string
  readonly status: string
  readonly created_at: string
  readonly created_by: string
  readonly expires_at: string | null
  readonly revoked_at: string | null
}

/** The only reply that holds an operator's token. */
export interface NewOperatorReply extends OperatorReply {
  readonly token: string
}

export interface PolicyReply {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly document?: unknown
  readonly created_at?: string
}

export interface KeyReply {
  readonly id: string
  readonly name: string
  readonly policy?: string
  readonly credentials?: readonly string[]
  readonly parent_id?: string | null
  readonly run?: string | null
  readonly run_cap_usd?: string | null
  readonly test?: boolean
  readonly last4?: string
  readonly expires_at?: string | null
  readonly revoked_at?: string | null
  readonly revoke_reason?: string | null
  readonly status?: string
  readonly last_used_at?: string | null
  readonly created_at?: string
  readonly budgets?: readonly BudgetReply[]
}

export interface BudgetReply {
  readonly label?: string
  readonly cap_usd: string
  readonly spent_usd: string
  readonly held_usd: string
  readonly resets_at?: string | null
}

/** The only reply that holds a vault key. */
export interface NewKeyReply {
  readonly id: string
  readonly key: string
  readonly presentations: {
    readonly stripe?: readonly string[]
    readonly twilio?: { readonly account_sid: string; readonly api_key_sid: string; readonly api_key_secret: string }
    readonly resend?: string
  }
  readonly run?: string | null
  readonly expires_at: string | null
}

export interface CallReply {
  readonly id: string
  readonly at: string
  readonly key_id: string
  readonly run: string
  readonly vendor: string
  readonly surface: string
  readonly method: string
  readonly path: string
  readonly operation: string | null
  readonly effect: string | null
  readonly state: string
  readonly quoted_usd: string | null
  readonly settled_usd: string | null
  readonly customer: string | null
  readonly replay_of: string | null
  readonly reason?: string | null
  readonly count?: number
  readonly look_ups?: number
  readonly decision: {
    readonly verdict: string
    readonly code: string | null
    readonly rule: string | null
    readonly message: string | null
  }
  readonly upstream: {
    readonly status: number | null
    readonly request_id: string | null
    readonly ms: number | null
  } | null
  /** Who found out what became of it, once that had not been known. */
  readonly resolution?: { readonly by: string; readonly at: string; readonly reason: string } | null
}

export interface ApprovalReply {
  readonly id: string
  readonly at: string
  readonly state: string
  readonly key_id: string
  readonly call_id: string
  readonly run: string
  readonly vendor: string
  readonly operation: string
  readonly method: string
  readonly path: string
  readonly customer: string | null
  readonly call_reason: string | null
  readonly request_sha256: string
  readonly ceiling_usd: string
  readonly expires_at: string
  readonly decided_at: string | null
  readonly decided_by: string | null
  readonly reason: string | null
  readonly used_by: string | null
}

export interface SpendReply {
  readonly rows: readonly (Totals & Readonly<Record<string, unknown>>)[]
  readonly total: Totals
}

export interface Totals {
  readonly spent_usd: string
  readonly held_usd: string
  readonly calls: number
  readonly denied: number
}

export interface RunReply extends Totals {
  readonly run: string
  readonly key_id?: string
  readonly by_vendor: Readonly<Record<string, string>>
  readonly first_at: string
  readonly last_at: string
}

export interface RatesReply {
  readonly as_of: string | null
  readonly usd_per: Readonly<Record<string, string>>
  readonly haircut: string
  readonly max_age_days: number
}
