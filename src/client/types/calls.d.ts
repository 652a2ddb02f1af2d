/** Lets one call through: the same key, the same request, at most the ceiling. */
export interface Approval {
  id: string
  at: string
  state: 'open' | 'approved' | 'denied' | 'expired' | 'used'
  key_id: string
  root_id: string
  /** The refused call that asked. */
  call_id: string
  run: string
  vendor: string
  operation: string
  method: string
  path: string
  customer: string | null
  /** The agent's own words on why it wants this. */
  call_reason: string | null
  request_sha256: string
  ceiling_usd: string
  /** Open: when nobody has decided by then. Approved: when it was not used by then. */
  expires_at: string
  decided_at: string | null
  decided_by: string | null
  reason: string | null
  /** The admitted call that used it. */
  used_by: string | null
}
/** How a vendor by configuration takes its key. */
export type AuthScheme =
  | {
      scheme: 'bearer'
    }
  | {
      scheme: 'basic'
    }
  | {
      scheme: 'header'
      name: string
      /** Stands before the key, such as "Token ". */
      prefix?: string | undefined
    }
  | {
      scheme: 'query'
      name: string
    }
  | {
      scheme: 'hmac'
      algorithm?: 'sha256' | 'sha512' | undefined
      encoding?: 'hex' | 'base64' | undefined
      /** What is signed; absent: timestamp, method, target and body, a line each. */
      payload?: string | undefined
      timestamp?: 'seconds' | 'milliseconds' | 'iso' | undefined
      signature_header?: string | undefined
      timestamp_header?: string | undefined
      key_header?: string | undefined
    }
  | {
      scheme: 'oauth2'
      token_url: string
      scope?: string | undefined
      audience?: string | undefined
      client?: 'basic' | 'body' | undefined
      /** Takes the token as it is; absent: Authorization, as Bearer. */
      header?: string | undefined
    }
export interface Call {
  id: string
  at: string
  key_id: string
  run: string
  vendor: string
  surface: string
  method: string
  path: string
  operation: string | null
  effect: string | null
  direction: string
  state: 'denied' | 'reserved' | 'settled' | 'released' | 'assumed'
  basis: string
  quoted_usd: string
  reserved_usd: string
  settled_usd: string
  settled_at: string | null
  customer: string | null
  object: string | null
  reason: string | null
  replay_of: string | null
  count: number
  look_ups: number
  request_sha256: string
  decision: {
    verdict: string
    code: string | null
    rule: string | null
    message: string | null
  }
  upstream: {
    status: number | null
    request_id: string | null
    ms: number | null
  }
  /** Of one call alone: who found out what became of it, once that had not been known. */
  resolution?:
    | ({
        by: string
        at: string
        reason: string
      } | null)
    | undefined
}
export interface Checkpoint {
  /** The last entry that is signed for. */
  seq: number
  /** Entries since the checkpoint before. */
  entries: number
  /** Its hash, which seals every entry up to there. */
  head: string
  at: string
  key_id: string
  /** Ed25519, base64url, over "spendgate checkpoint v1", seq, entries, head, epoch ms and key_id by line. */
  signature: string
}
export interface Credential {
  id: string
  vendor: string
  name: string
  account: string
  test: boolean
  api_version: string | null
  fingerprint: string
  last4: string
  /** Where the secret is kept; absent where it is stored here. */
  secret_ref?:
    | (
        | string
        | {
            [name: string]: string
          }
      )
    | undefined
  created_at: string
  rotated_at: string | null
}
export interface Erasure {
  calls: number
  /** Policies, keys, approvals and freezes. */
  rows: number
  /** What still holds it, and what to do. */
  kept: string[]
}
/** What may still be lost: what caps leave to root keys that can be used, shared budgets once, what is held, and what stands, a month of it where it recurs. Null: no cap bounds it. */
export interface Exposure {
  max_loss_usd: string | null
  caps_left_usd: string | null
  held_usd: string
  /** Whom nothing bounds, and what would; null where everything is bounded. */
  why: string | null
  by_key: {
    key_id: string
    max_loss_usd: string | null
    caps_left_usd: string | null
    held_usd: string
    scheduled_usd: string
    recurring_usd: string
    open_usd: string
    /** Open things that can be completed any number of times; each counts once. */
    unlimited_open: number
  }[]
}
/** The only reply that holds a vault key. It is shown once. */
export interface IssuedKey {
  id: string
  key: string
  presentations: {
    [name: string]: unknown
  }
  expires_at: string | null
  name: string
  policy: string
  run: string | null
  parent_id: string | null
  test: boolean
}
/** A child key with a frozen scope, shown once, and the scope in force. */
export interface IssuedToken {
  id: string
  key: string
  presentations: {
    [name: string]: unknown
  }
  expires_at: string | null
  name: string
  policy: string
  run: string | null
  parent_id: string | null
  test: boolean
  scope: {
    allowedKeyIds: string[]
    allowedProviders: string[]
    allowedMethods: string[] | null
    allowedDomains: string[] | null
    endpoints: {
      allow: string[] | null
      deny: string[]
    } | null
    rateLimitPerMinute: number | null
    daily_cap_usd: string | null
    max_amount_usd: {
      [name: string]: string | null
    }
  }
}
/** Any JSON. */
export type Json =
  | string
  | number
  | boolean
  | null
  | Json[]
  | {
      [name: string]: Json
    }
export interface Key {
  id: string
  name: string
  public_id: string
  last4: string
  status: 'active' | 'frozen' | 'expired' | 'revoked'
  policy: string
  policy_id: string
  credentials: string[]
  parent_id: string | null
  root_id: string
  run: string | null
  run_cap_usd: string | null
  test: boolean
  created_at: string
  expires_at: string | null
  last_used_at: string | null
  revoked_at: string | null
  revoke_reason: string | null
}
export interface KeyDetail {
  id: string
  name: string
  public_id: string
  last4: string
  status: 'active' | 'frozen' | 'expired' | 'revoked'
  policy: string
  policy_id: string
  credentials: string[]
  parent_id: string | null
  root_id: string
  run: string | null
  run_cap_usd: string | null
  test: boolean
  created_at: string
  expires_at: string | null
  last_used_at: string | null
  revoked_at: string | null
  revoke_reason: string | null
  spent_usd: string
  held_usd: string
  calls: number
  denied: number
  budgets: {
    label: string
    direction: 'in' | 'out' | null
    measure: 'spent' | 'recurring'
    rule: string
    cap_usd: string
    spent_usd: string
    held_usd: string
    left_usd: string
    resets_at: string | null
    enforced: boolean
  }[]
  effective_policy: {
    name: string
    version: number
    mode: 'enforce' | 'observe'
    timezone: string
    rate_limit_per_minute: number | null
    approval_above_usd: string | null
    require_reason: boolean
    issue: {
      max_children: number
      max_depth: number
    } | null
    document: unknown
    narrowings: unknown[]
    vendors: {
      [name: string]: {
        permit: string[]
        max_amount_usd: string | null
        customers: string[] | null
        currencies: string[] | null
        recipients: string[] | null
        senders: string[] | null
        beneficiaries: string[]
        connected_accounts: string[]
        callback_hosts: string[]
        future: {
          quantity_max: number | null
          bounded_only: boolean
        }
      }
    }
  }
}
export interface Movement {
  /** The vendor's id of the money. */
  id: string
  at: string
  vendor: string
  credential_id: string
  kind: string
  direction: string
  /** What it followed from, which a call has made. */
  object: string | null
  call_id: string | null
  key_id: string | null
  run: string | null
  amount_usd: string | null
  /** What of it no call had counted, and the key was charged. */
  counted_usd: string
  explained: boolean
  /** Why it is not explained. */
  why: string | null
}
/** Somebody who acts on the admin port under a name of their own. */
export interface Operator {
  id: string
  kind: 'token' | 'person'
  /** Null once it was erased. */
  name: string | null
  /** Of a person: what the provider’s claims came to at the last sign-in. */
  role: 'viewer' | 'approver' | 'admin'
  status: 'active' | 'expired' | 'revoked'
  created_at: string
  created_by: string
  expires_at: string | null
  revoked_at: string | null
}
export interface Pending {
  /** The call that made it. */
  id: string
  key_id: string
  run: string
  at: string
  vendor: string
  operation: string
  /** The vendor's id; null while it is not known. */
  object: string | null
  kind: 'recurring' | 'scheduled' | 'open'
  per_month_usd: string
  counted_usd: string
  /** Null: without a limit. */
  quantity: string | null
  due_at: string | null
}
export interface Policy {
  id: string
  name: string
  version: number
  created_at: string
  document: unknown
}
export interface PolicySimulation {
  policy: string
  /** Only keys issued under this policy; null: every key. */
  keys_under: string | null
  from: string
  to: string
  complete: boolean
  message: string | null
  keys: number
  recorded: {
    admitted: {
      calls: number
      usd: string
    }
    refused: {
      calls: number
      usd: string
    }
  }
  simulated: {
    admitted: {
      calls: number
      usd: string
    }
    refused: {
      calls: number
      usd: string
    }
  }
  newly_refused: {
    calls: number
    usd: string
    by_rule: {
      rule: string
      code: string
      calls: number
      usd: string
      first: {
        call: string
        at: string
      }
    }[]
  }
  newly_allowed: {
    calls: number
    usd: string
  }
  /** On objects that a call now refused had made. */
  following: {
    calls: number
    usd: string
  }
  not_judged: {
    calls: number
    usd: string
    by_reason: {
      why: string
      calls: number
      usd: string
      first: {
        call: string
        at: string
      }
    }[]
  }
  caps: {
    rule: string
    label: string
    cap_usd: string
    most_usd: string
    /** The first call that did not fit any more. */
    first: {
      call: string
      at: string
    } | null
    refused: number
  }[]
  changes: {
    call: string
    at: string
    key_id: string
    run: string
    vendor: string
    method: string
    path: string
    operation: string | null
    customer: string | null
    usd: string
    was: {
      verdict: string
      code: string | null
      rule: string | null
    }
    becomes: {
      verdict: string
      code: string | null
      rule: string | null
      message: string | null
    }
  }[]
}
/** Who asks: as the ledger’s entries name them, and as people do. */
export interface Principal {
  actor: string
  name: string
  role: 'viewer' | 'approver' | 'admin'
}
export interface Problem {
  type: string
  title: string
  status: number
  code: string
  detail: string
  errors: {
    path: string
    message: string
    at?: string | undefined
  }[]
}
export interface Pruning {
  /** The last entry that is gone; null when nothing went. */
  pruned_to: number | null
  entries: number
  calls: number
  /** The file it was written to first. */
  archive: string | null
  /** What keeps more from going, oldest first. */
  in_the_way: string[]
}
export interface Reconciliation {
  /** Calls of unknown outcome, and estimates, that were looked at. */
  checked: number
  settled: number
  released: number
  still_assumed: number
  /** Estimates whose price the vendor has named. */
  priced: number
  calls: {
    id: string
    outcome: 'settled' | 'released' | 'still_assumed' | 'adjusted' | 'confirmed' | 'pending' | 'kept'
    amount_usd: string
    why: string
  }[]
  unexplained: {
    vendor: string
    credential: string
    id: string
    at: string
    kind: string
    object: string | null
    amount_usd: string | null
    why: string
  }[]
  explained_percent: string | null
  /** What kept the run from being complete. */
  faults: string[]
}
/** What would undo a run, and what nothing undoes. Nothing is sent by planning. */
export interface Reversal {
  run: string
  items: {
    /** What to confirm it by; null unless it is open. */
    id: string | null
    state: 'open' | 'undone' | 'impossible'
    vendor: string
    /** The vendor's id of what it acts on; null where it is not known. */
    on: string | null
    call_ids: string[]
    key_id: string
    at: string
    operation: string
    /** What the calls count for. */
    counted_usd: string
    does: string | null
    request: {
      method: string
      path: string
      params: {
        [name: string]: string
      }
    } | null
    /** What undoing it moves; null for nothing, or where no rate tells. */
    amount_usd: string | null
    /** What stays lost. */
    leaves: string | null
    /** Why there is nothing to do, or nothing that can be done. */
    why: string | null
    /** The last attempt to undo it, by whom. */
    begun: {
      at: string
      by: string
      state: 'begun' | 'refused' | 'done'
    } | null
  }[]
  /** What the open items would move. */
  open_usd: string
  /** Calls that moved no money and left nothing that acts. Not listed. */
  harmless_calls: number
  /** True where the run has more calls than are looked through. */
  more: boolean
}
export interface ReversalResults {
  run: string
  results: {
    id: string
    state: 'done' | 'refused' | 'unknown' | 'not_sent' | 'gone'
    /** True where it had been done by an earlier request. */
    before: boolean
    why: string
    amount_usd: string | null
    /** The vendor's id of the money that went back. */
    outcome: string | null
  }[]
}
export interface Run {
  run: string
  key_id: string
  spent_usd: string
  held_usd: string
  calls: number
  denied: number
  by_vendor: {
    [name: string]: string
  }
  first_at: string
  last_at: string
}
export interface Calls {
  /** A new key under another policy version; today's spend is carried over and the old key revoked. */
  'POST /keys/{id}/reissue': {
    path: {
      id: string
    }
    body: {
      policy: string
      expires_in?: string | undefined
      name?: string | undefined
    }
    reply: IssuedKey
  }
  /** A policy by name, name@version or id. */
  'GET /policies/{name}': {
    path: {
      name: string
    }
    reply: Policy
  }
  /** A vendor's price table: the operator's, or the one shipped with the vendor. */
  'GET /prices/{vendor}': {
    path: {
      vendor: string
    }
    reply: {
      as_of: string | null
      max_age_days: number
      safety: string
      prefixes: {
        [name: string]: {
          [name: string]: {
            [name: string]: string
          }
        }
      }
      flat: {
        [name: string]: string
      }
      source?: string | undefined
    }
  }
  /** Add an operator with a token of their own, which is shown once. */
  'POST /operators': {
    body: {
      name: string
      role: 'viewer' | 'approver' | 'admin'
      /** How long the token opens anything; absent: until it is revoked. */
      expires_in?: string | undefined
    }
    reply: {
      id: string
      kind: 'token' | 'person'
      /** Null once it was erased. */
      name: string | null
      /** Of a person: what the provider’s claims came to at the last sign-in. */
      role: 'viewer' | 'approver' | 'admin'
      status: 'active' | 'expired' | 'revoked'
      created_at: string
      created_by: string
      expires_at: string | null
      revoked_at: string | null
      /** Shown once; only a keyed digest of it is stored. */
      token: string
    }
  }
  /** Archive and delete old history, whole signed segments of it; what is left still proves everything. */
  'POST /audit/prune': {
    body?: {
      /** History older than so long, or before then; absent: as the retention says. */
      before?: (string | string) | undefined
    }
    reply: Pruning
  }
  /** Calls as they happen and change, as server-sent events named `call`; resumes after Last-Event-ID. */
  'GET /calls/stream': {
    query?: {
      key?: string | undefined
      run?: string | undefined
      vendor?: string | undefined
      state?: 'denied' | 'reserved' | 'settled' | 'released' | 'assumed' | undefined
    }
    reply: AsyncIterable<string>
  }
  /** Calls, newest first. */
  'GET /calls': {
    query?: {
      key?: string | undefined
      run?: string | undefined
      vendor?: string | undefined
      state?: 'denied' | 'reserved' | 'settled' | 'released' | 'assumed' | undefined
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      calls: Call[]
      next_cursor: string | null
    }
  }
  /** Do the confirmed items of the plan, each at most once, with the real credential. */
  'POST /runs/{run}/reversal': {
    path: {
      run: string
    }
    body: {
      /** Ids of the items that are confirmed. */
      items: string[]
      /** The root key, where several have a run of that name. */
      key?: string | undefined
    }
    reply: ReversalResults
  }
  /** Erase a person's e-mail address, phone number or vendor id from everything that is not in force. */
  'POST /audit/erase': {
    body: {
      /** An e-mail address, a phone number or a vendor's id of a person. */
      subject: string
    }
    reply: Erasure
  }
  /** Every entry with its hash, oldest first: one JSON object a line, or a table. */
  'GET /audit/export': {
    query?: {
      format?: 'ndjson' | 'csv' | undefined
      /** Inclusive. A part of the chain is checked with a checkpoint. */
      from?: string | undefined
      /** Exclusive. */
      to?: string | undefined
    }
    reply: AsyncIterable<string>
  }
  /** Every version of a policy, newest first. */
  'GET /policies/{name}/versions': {
    path: {
      name: string
    }
    query?: {
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      versions: Policy[]
      next_cursor: string | null
    }
  }
  /** Everybody who may act or could once, without their tokens. */
  'GET /operators': {
    query?: {
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      operators: Operator[]
      next_cursor: string | null
    }
  }
  /** How far the last reading of the prices of twilio is. */
  'GET /prices/twilio/sync': {
    reply: {
      state: 'idle' | 'running' | 'done' | 'confirm_required' | 'failed'
      /** Price lists read so far. */
      done: number
      of: number
      message: string | null
      /** Rows of the table made, by section. */
      rows: {
        [name: string]: number
      }
      /** Flat prices taken over, because the vendor lists none. */
      kept: string[]
      /** Rows of the table before that the vendor prices no more. */
      gone: number
      leaps: {
        path: string
        message: string
      }[]
      started_at: string | null
      finished_at: string | null
    }
  }
  /** How many days of history pruning leaves. */
  'GET /audit/retention': {
    reply: {
      days: number | null
    }
  }
  /** Issue a child key bound to a run. */
  'POST /keys/{id}/runs': {
    path: {
      id: string
    }
    body?: {
      run?: string | undefined
      cap_usd?: string | undefined
      expires_in?: string | undefined
      name?: string | undefined
    }
    reply: IssuedKey
  }
  /** Issue a session token: a child key with a frozen scope. */
  'POST /keys/{id}/tokens': {
    path: {
      id: string
    }
    body?: {
      /** Credentials of the key: ids, names, or vendor/name. */
      allowedKeyIds?: string[] | undefined
      /** Vendors. */
      allowedProviders?: string[] | undefined
      allowedMethods?: string[] | undefined
      /** Hosts of the vendors' APIs. */
      allowedDomains?: string[] | undefined
      rateLimitPerMinute?: number | undefined
      /** Seconds, or a span such as "4h"; at most 30 days. Absent: an hour. */
      expiresIn?: (number | string) | undefined
      /** Patterns "METHOD path" that are allowed, or {allow, deny}. */
      endpoints?:
        | (
            | string[]
            | {
                allow?: string[] | undefined
                deny?: string[] | undefined
              }
          )
        | undefined
      daily_cap_usd?: string | undefined
      max_amount_usd?: string | undefined
      name?: string | undefined
    }
    reply: IssuedToken
  }
  /** Issue a vault key. */
  'POST /keys': {
    body: {
      name: string
      /** A policy name for its latest version, or name@version. */
      policy: string
      /** Ids, names, or vendor/name; at most one a vendor. */
      credentials: string[]
      expires_in?: string | undefined
      run?: string | undefined
    }
    reply: IssuedKey
  }
  /** Let a person sign in again who was revoked. */
  'POST /operators/{id}/readmit': {
    path: {
      id: string
    }
    body?: {
      [name: string]: unknown
    }
    reply: Operator
  }
  /** Let an operator do nothing more, at once; their sessions end with it. */
  'DELETE /operators/{id}': {
    path: {
      id: string
    }
    reply: void
  }
  /** Let calls cost money again after a restore: what the ledger does not know has been looked at. */
  'POST /ledger/confirm-restore': {
    body?: {}
    reply: {
      confirmed: boolean
      unknown_since: string | null
    }
  }
  /** Let calls cost money again after the clock was set: it is right now. */
  'POST /clock/confirm': {
    body?: {}
    reply: {
      at: string
    }
  }
  /** Let the very same request through once. */
  'POST /approvals/{id}/approve': {
    path: {
      id: string
    }
    body?: {
      /** The agent is told why it was denied. */
      reason?: string | undefined
    }
    reply: Approval
  }
  /** Lift a freeze. */
  'POST /unfreeze': {
    body:
      | {
          scope: 'all'
        }
      | {
          key: string
        }
      | {
          run: string
        }
      | {
          vendor: string
        }
    reply: {
      freezes: {
        scope: 'all' | 'key' | 'run' | 'vendor'
        key?: string | undefined
        run?: string | undefined
        vendor?: string | undefined
        at: string
        reason: string | null
      }[]
      next_cursor: string | null
    }
  }
  /** List credentials, without their secrets. */
  'GET /credentials': {
    query?: {
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      credentials: Credential[]
      next_cursor: string | null
    }
  }
  /** List vault keys. */
  'GET /keys': {
    query?: {
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      keys: Key[]
      next_cursor: string | null
    }
  }
  /** Make the price table of twilio from its own price lists; a change by more than 20 % needs "confirm": true. */
  'POST /prices/twilio/sync': {
    body?: {
      /** Id or name of the credential to ask with; the only one of the vendor when absent. */
      credential?: string | undefined
      confirm?: boolean | undefined
    }
    reply: {
      state: 'idle' | 'running' | 'done' | 'confirm_required' | 'failed'
      /** Price lists read so far. */
      done: number
      of: number
      message: string | null
      /** Rows of the table made, by section. */
      rows: {
        [name: string]: number
      }
      /** Flat prices taken over, because the vendor lists none. */
      kept: string[]
      /** Rows of the table before that the vendor prices no more. */
      gone: number
      leaps: {
        path: string
        message: string
      }[]
      started_at: string | null
      finished_at: string | null
    }
  }
  /** Money that moved without a call, newest first; with explained=false, what no call and no object of one explains. */
  'GET /movements': {
    query?: {
      explained?: 'true' | 'false' | undefined
      vendor?: string | undefined
      key?: string | undefined
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      movements: Movement[]
      next_cursor: string | null
    }
  }
  /** One call. */
  'GET /calls/{id}': {
    path: {
      id: string
    }
    reply: Call
  }
  /** One credential, without its secret. */
  'GET /credentials/{id}': {
    path: {
      id: string
    }
    reply: Credential
  }
  /** One key with the policy in force, its spend and its budgets. */
  'GET /keys/{id}': {
    path: {
      id: string
    }
    reply: KeyDetail
  }
  /** One request for approval. */
  'GET /approvals/{id}': {
    path: {
      id: string
    }
    reply: Approval
  }
  /** One run; `key` tells apart runs of one name under several root keys. */
  'GET /runs/{run}': {
    path: {
      run: string
    }
    query?: {
      key?: string | undefined
    }
    reply: Run
  }
  /** Refuse it; the agent is told. */
  'POST /approvals/{id}/deny': {
    path: {
      id: string
    }
    body?: {
      /** The agent is told why it was denied. */
      reason?: string | undefined
    }
    reply: Approval
  }
  /** Remove a credential that no living key needs. */
  'DELETE /credentials/{id}': {
    path: {
      id: string
    }
    reply: void
  }
  /** Replace a vendor's price table. */
  'PUT /prices/{vendor}': {
    path: {
      vendor: string
    }
    body: {
      as_of: string
      max_age_days: number
      safety?: string | undefined
      prefixes?:
        | {
            [name: string]: {
              [name: string]: {
                [name: string]: string
              }
            }
          }
        | undefined
      flat?:
        | {
            [name: string]: string
          }
        | undefined
      source?: string | undefined
    }
    reply: {
      as_of: string | null
      max_age_days: number
      safety: string
      prefixes: {
        [name: string]: {
          [name: string]: {
            [name: string]: string
          }
        }
      }
      flat: {
        [name: string]: string
      }
      source?: string | undefined
    }
  }
  /** Replace the exchange rates; a change by more than 20 % needs "confirm": true. */
  'PUT /rates': {
    body: {
      as_of: string
      /** USD for one major unit of each ISO 4217 currency, in lower case. */
      usd_per: {
        [name: string]: string
      }
      haircut: string
      max_age_days: number
      confirm?: boolean | undefined
    }
    reply: {
      as_of: string | null
      /** USD for one major unit of each ISO 4217 currency, in lower case. */
      usd_per: {
        [name: string]: string
      }
      haircut: string
      max_age_days: number
    }
  }
  /** Replace the secret, or ask for it again where it is kept; vault keys stay as they are. */
  'POST /credentials/{id}/rotate': {
    path: {
      id: string
    }
    body?: {
      secret?:
        | {
            [name: string]: string
          }
        | undefined
      /** Where the secret is kept, in place of the secret: vault://mount/data/path#field, aws-sm://name#field or op://vault/item/field; or one for each part. */
      secret_ref?:
        | (
            | string
            | {
                [name: string]: string
              }
          )
        | undefined
      /** The vendor API version that every call under it is sent with; absent: the one the prices are for. */
      api_version?: string | undefined
    }
    reply: Credential
  }
  /** Requests for approval, newest first. */
  'GET /approvals': {
    query?: {
      state?: 'open' | 'approved' | 'denied' | 'expired' | 'used' | undefined
      /** This key, and those below it if it is a root key. */
      key?: string | undefined
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      approvals: Approval[]
      next_cursor: string | null
    }
  }
  /** Resolve assumed calls and estimates from the vendors’ records. */
  'POST /reconcile': {
    body?: {
      /** Only calls from then on, or of the last so long; absent: all whose outcome is not known. */
      since?: (string | string) | undefined
      /** Send a request once more under its idempotency key where the records do not tell; what was not executed then is. */
      replay?: boolean | undefined
      /** Answer at once with the state of the run. */
      background?: boolean | undefined
    }
    reply:
      | Reconciliation
      | {
          /** Number of the last run that was asked for here. */
          run: number
          running: boolean
          done: number
          /** Of that run, once it has ended. */
          report: Reconciliation | null
          /** Why it failed. */
          message: string | null
        }
  }
  /** Revoke a key and its children, at once and for good. */
  'POST /keys/{id}/revoke': {
    path: {
      id: string
    }
    body?: {
      reason?: string | undefined
      /** Also cancel at the vendors what still stands; repeated, what stands by then. */
      cancel_pending?: boolean | undefined
    }
    reply: {
      id: string
      revoked_at: string
      in_flight: string[]
      /** What stood when this was asked, at most 500, oldest first. */
      pending: {
        /** The call that made it. */
        id: string
        key_id: string
        run: string
        at: string
        vendor: string
        operation: string
        /** The vendor's id; null while it is not known. */
        object: string | null
        kind: 'recurring' | 'scheduled' | 'open'
        per_month_usd: string
        counted_usd: string
        /** Null: without a limit. */
        quantity: string | null
        due_at: string | null
        cancelled: boolean
        error?: string | undefined
      }[]
      pending_next_cursor: string | null
    }
  }
  /** Runs, newest first. */
  'GET /runs': {
    query?: {
      limit?: string | undefined
      cursor?: string | undefined
      key?: string | undefined
    }
    reply: {
      runs: Run[]
      next_cursor: string | null
    }
  }
  /** Say how many days of history pruning is to leave. */
  'PUT /audit/retention': {
    body: {
      /** How many days of history pruning leaves; null: it has to be told each time. */
      days: number | null
    }
    reply: {
      days: number | null
    }
  }
  /** Say what became of a call whose outcome no record tells. */
  'POST /calls/{id}/resolve': {
    path: {
      id: string
    }
    body: {
      outcome: 'settled' | 'released'
      /** What it cost, with settled; absent: what was reserved. */
      amount_usd?: string | undefined
      reason: string
    }
    reply: Call
  }
  /** Stop everything, a key with its children, a run or a vendor. */
  'POST /freeze': {
    body:
      | {
          scope: 'all'
          reason?: string | undefined
        }
      | {
          key: string
          reason?: string | undefined
        }
      | {
          run: string
          reason?: string | undefined
        }
      | {
          vendor: string
          reason?: string | undefined
        }
    reply: {
      freezes: {
        scope: 'all' | 'key' | 'run' | 'vendor'
        key?: string | undefined
        run?: string | undefined
        vendor?: string | undefined
        at: string
        reason: string | null
      }[]
      next_cursor: string | null
    }
  }
  /** Store a vendor's real key. */
  'POST /credentials': {
    body: {
      vendor: string
      name: string
      secret?:
        | {
            [name: string]: string
          }
        | undefined
      /** Where the secret is kept, in place of the secret: vault://mount/data/path#field, aws-sm://name#field or op://vault/item/field; or one for each part. */
      secret_ref?:
        | (
            | string
            | {
                [name: string]: string
              }
          )
        | undefined
      /** The vendor API version that every call under it is sent with; absent: the one the prices are for. */
      api_version?: string | undefined
      /** Where its API is, and what stands before every path. The credential goes nowhere else. */
      base_url?: string | undefined
      auth?: AuthScheme | undefined
      /** Sent with every call under the credential. No secrets: they are shown. */
      headers?:
        | {
            [name: string]: string
          }
        | undefined
    }
    reply: Credential
  }
  /** Store the next version of a policy. */
  'POST /policies': {
    body:
      | {
          [name: string]: unknown
        }
      | string
    reply: Policy
  }
  /** The exchange rates in force. */
  'GET /rates': {
    reply: {
      as_of: string | null
      /** USD for one major unit of each ISO 4217 currency, in lower case. */
      usd_per: {
        [name: string]: string
      }
      haircut: string
      max_age_days: number
    }
  }
  /** The freezes in force. */
  'GET /freezes': {
    reply: {
      freezes: {
        scope: 'all' | 'key' | 'run' | 'vendor'
        key?: string | undefined
        run?: string | undefined
        vendor?: string | undefined
        at: string
        reason: string | null
      }[]
      next_cursor: string | null
    }
  }
  /** The keys that checkpoints were signed with, the public halves. */
  'GET /audit/public-key': {
    reply: {
      keys: {
        key_id: string
        algorithm: 'Ed25519'
        public_key: string
      }[]
    }
  }
  /** The latest version of every policy. */
  'GET /policies': {
    query?: {
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      policies: {
        id: string
        name: string
        version: number
        created_at: string
        versions: number
      }[]
      next_cursor: string | null
    }
  }
  /** The least policy that would have let recorded calls through. */
  'POST /policies/suggest': {
    body: {
      /** Absent: the last 7 days; with a run, all of it. */
      since?: (string | string) | undefined
      /** Exclusive; absent: now. */
      to?: string | undefined
      run?: string | undefined
      /** This key and those below it. */
      key?: string | undefined
      /** Calls of keys whose policy only observes. */
      observed?: boolean | undefined
      name?: string | undefined
      /** Per cent over what was seen; 20 when absent. */
      headroom?: number | undefined
    }
    reply: {
      document: unknown
      yaml: string
      calls: number
      /** What was seen and is not in the policy, or not certain. */
      left_out: string[]
    }
  }
  /** The run that was last asked for in the background. */
  'GET /reconcile': {
    reply: {
      /** Number of the last run that was asked for here. */
      run: number
      running: boolean
      done: number
      /** Of that run, once it has ended. */
      report: Reconciliation | null
      /** Why it failed. */
      message: string | null
    }
  }
  /** The smallest key of each vendor that a policy needs. */
  'GET /policies/{name}/permissions': {
    path: {
      name: string
    }
    reply: {
      policy: string
      vendors: {
        vendor: string
        operations: number
        kind: string
        permissions: string[]
        /** Operations whose permission is not known here. */
        unknown: string[]
        source: string
      }[]
    }
  }
  /** Tighten a key and its children by a partial policy. */
  'POST /keys/{id}/narrow': {
    path: {
      id: string
    }
    body: {
      [name: string]: unknown
    }
    reply: Key
  }
  /** What a key and its children made that is still to come. */
  'GET /keys/{id}/pending': {
    path: {
      id: string
    }
    query?: {
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      pending: Pending[]
      next_cursor: string | null
    }
  }
  /** What a policy would have said to calls of the past, with what would change in dollars. */
  'POST /policies/simulate': {
    body: {
      /** A stored policy by name or name@version, or a document. */
      policy:
        | string
        | {
            [name: string]: unknown
          }
      /** Absent: the last 7 days; with a run, all of it. */
      since?: (string | string) | undefined
      /** Exclusive; absent: now. */
      to?: string | undefined
      run?: string | undefined
      /** This key and those below it. */
      key?: string | undefined
      /** Every key; absent: those issued under a policy of this name, or every key when there is none. */
      all_keys?: boolean | undefined
      /** Judge as if it enforced, whatever its mode. */
      enforce?: boolean | undefined
    }
    reply: PolicySimulation
  }
  /** What a policy would say to a request, or to several with what is expected of each. */
  'POST /policies/test': {
    body: {
      /** A stored policy by name or name@version, or a document. */
      policy:
        | string
        | {
            [name: string]: unknown
          }
      request?:
        | {
            vendor: string
            method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
            path: string
            form?:
              | {
                  [name: string]: Json
                }
              | undefined
            json?: Json | undefined
            headers?:
              | {
                  [name: string]: string
                }
              | undefined
            /** When it is made; now when absent. */
            at?: string | undefined
            /** What every budget has counted before it. */
            spent_usd?: (string | number) | undefined
          }
        | undefined
      tests?:
        | {
            name: string
            request: string
            form?:
              | {
                  [name: string]: Json
                }
              | undefined
            json?: Json | undefined
            headers?:
              | {
                  [name: string]: string
                }
              | undefined
            /** When it is made; now when absent. */
            at?: string | undefined
            /** What every budget has counted before it. */
            spent_usd?: (string | number) | undefined
            /** Vendor objects by path, as the vendor would reply with them; null: there is none. */
            objects?:
              | {
                  [name: string]: {
                    [name: string]: Json
                  } | null
                }
              | undefined
            expect: string
          }[]
        | undefined
      /** When it is made; now when absent. */
      at?: string | undefined
      /** Vendor objects by path, as the vendor would reply with them; null: there is none. */
      objects?:
        | {
            [name: string]: {
              [name: string]: Json
            } | null
          }
        | undefined
      /** Answers look-ups for which no object is given; absent: the only credential of the vendor. */
      credential?: string | undefined
      /** false: ask no vendor anything. */
      look_ups?: boolean | undefined
    }
    reply:
      | {
          verdict: 'allow' | 'deny' | 'would_deny' | 'unknown'
          code: string | null
          rule: string | null
          message: string | null
          operation: string | null
          effect: string | null
          quoted_usd: string | null
          /** Look-ups that could not be answered. */
          needs?: string[] | undefined
        }
      | {
          ok: boolean
          passed: number
          failed: number
          results: {
            name: string
            ok: boolean
            expect: string
            said: string
            verdict: 'allow' | 'deny' | 'would_deny' | 'unknown'
            code: string | null
            rule: string | null
            message: string | null
            operation: string | null
            effect: string | null
            quoted_usd: string | null
            /** Look-ups that could not be answered. */
            needs?: string[] | undefined
          }[]
        }
  }
  /** What may still be lost if every agent does its worst from now on. */
  'GET /exposure': {
    reply: Exposure
  }
  /** What policies that only observe let through and would have refused. */
  'GET /observed': {
    query?: {
      /** Absent: the last 7 days; with a run, all of it. */
      since?: (string | string) | undefined
      /** Exclusive; absent: now. */
      to?: string | undefined
      run?: string | undefined
      /** This key and those below it. */
      key?: string | undefined
    }
    reply: {
      from: string
      to: string
      complete: boolean
      all: {
        calls: number
        usd: string
      }
      would_deny: {
        calls: number
        usd: string
        by_rule: {
          rule: string
          code: string
          calls: number
          usd: string
          first: {
            call: string
            at: string
          }
          message: string | null
        }[]
      }
    }
  }
  /** What the ledger’s file stands on, and whether it can be trusted; the proof is at audit/verify. */
  'GET /ledger/check': {
    reply: {
      ok: boolean
      findings: {
        check: string
        status: 'ok' | 'warn' | 'fail'
        message: string
      }[]
    }
  }
  /** What was spent and is held, by run, key, vendor, operation or day. */
  'GET /spend': {
    query?: {
      by?: 'run' | 'key' | 'vendor' | 'operation' | 'day' | undefined
      /** Inclusive. */
      from?: string | undefined
      /** Exclusive. */
      to?: string | undefined
    }
    reply: {
      rows: ({
        spent_usd: string
        held_usd: string
        calls: number
        denied: number
      } & {
        [name: string]: string
      })[]
      total: {
        spent_usd: string
        held_usd: string
        calls: number
        denied: number
      }
    }
  }
  /** What would undo a run; looks at the vendors and changes nothing. */
  'GET /runs/{run}/reversal': {
    path: {
      run: string
    }
    query?: {
      key?: string | undefined
    }
    reply: Reversal
  }
  /** Where the chain stood and when, signed, oldest first. */
  'GET /audit/checkpoints': {
    query?: {
      limit?: string | undefined
      cursor?: string | undefined
    }
    reply: {
      checkpoints: Checkpoint[]
      next_cursor: string | null
    }
  }
  /** Whether the chain holds and every table follows from it. */
  'GET /audit/verify': {
    reply: {
      ok: boolean
      faults: string[]
    }
  }
  /** Who asks. */
  'GET /operators/me': {
    reply: Principal
  }
  /** Write a copy of the database; secrets stay sealed in it, and the master key is not part of it. */
  'POST /backup': {
    body?: {
      /** A file name in the backup directory, or an absolute path. It must not exist yet. */
      file?: string | undefined
    }
    reply: {
      file: string
      bytes: number
      at: string
    }
  }
}
