import assert from 'node:assert/strict'
import type {
  ApprovalRow,
  CallRow,
  CommitmentRow,
  CredentialRecord,
  FreezeScope,
  KeyRecord,
  Ledger,
  PolicyRecord,
  RunRow,
  SpendRow,
} from '../contracts/ledger.js'
import type { Usd } from '../contracts/money.js'
import { ZERO, formatUsd, usd } from '../contracts/money.js'
import type { Allowlist, Budget, Judge, Policy } from '../contracts/policy.js'

/* What the ledger holds, as the admin API shows it: snake_case, money as decimal text, instants as RFC 3339 in UTC. */

export const instant = (ms: number): string => new Date(ms).toISOString()
const instantOrNull = (ms: number | null): string | null => (ms === null ? null : instant(ms))
const moneyOrNull = (amount: Usd | null | undefined): string | null =>
  amount === null || amount === undefined ? null : formatUsd(amount)

/**
 * Never the sealed secret.
 *
 * @param place where the secret is, if that is elsewhere
 */
export const credentialView = (
  record: CredentialRecord,
  place: string | Readonly<Record<string, string>> | null = null,
): object => ({
  id: record.id,
  vendor: record.vendor,
  name: record.name,
  account: record.account,
  test: record.test,
  api_version: record.apiVersion || null,
  fingerprint: record.fingerprint,
  last4: record.last4,
  ...(place !== null && { secret_ref: place }),
  created_at: instant(record.createdAt),
  rotated_at: instantOrNull(record.rotatedAt),
})

export const policyHead = (record: PolicyRecord): object => ({
  id: record.id,
  name: record.name,
  version: record.version,
  created_at: instant(record.createdAt),
})
export const policyView = (record: PolicyRecord): object => ({ ...policyHead(record), document: record.document })

export const policyName = (record: PolicyRecord): string => `${record.name}@${record.version}`

export function policyOf(ledger: Ledger, key: KeyRecord): PolicyRecord {
  const found = ledger.policies().find((record) => record.id === key.policyId)
  assert(found, `the policy of ${key.id} is stored`)
  return found
}

/** Never the digest. */
export function keyView(ledger: Ledger, key: KeyRecord, nowMs: number): object {
  return {
    id: key.id,
    name: key.name,
    public_id: key.publicId,
    last4: key.last4,
    status: statusOf(ledger, key, nowMs),
    policy: policyName(policyOf(ledger, key)),
    policy_id: key.policyId,
    credentials: key.credentialIds,
    parent_id: key.parentId,
    root_id: key.rootId,
    run: key.run,
    run_cap_usd: moneyOrNull(key.runCap),
    test: key.test,
    created_at: instant(key.createdAt),
    expires_at: instantOrNull(key.expiresAt),
    last_used_at: instantOrNull(key.lastUsedAt),
    revoked_at: instantOrNull(key.revokedAt),
    revoke_reason: key.revokeReason,
  }
}

/** The key and its ancestors, the key first. */
export function lineage(ledger: Ledger, key: KeyRecord): KeyRecord[] {
  const found = [key]
  for (let parentId = key.parentId; parentId !== null; parentId = found.at(-1)!.parentId) {
    const parent = ledger.key(parentId)
    assert(parent, `the parent ${parentId} is stored`)
    found.push(parent)
  }
  return found
}

export function statusOf(ledger: Ledger, key: KeyRecord, nowMs: number): 'active' | 'frozen' | 'expired' | 'revoked' {
  const line = lineage(ledger, key)
  if (line.some((each) => each.revokedAt !== null)) return 'revoked'
  if (line.some((each) => each.expiresAt !== null && each.expiresAt <= nowMs)) return 'expired'
  const covers = (scope: FreezeScope): boolean =>
    scope.kind === 'all' ||
    (scope.kind === 'key' && line.some((each) => each.id === scope.value)) ||
    (scope.kind === 'run' && scope.value === key.run)
  return ledger.freezes().some(({ scope }) => covers(scope)) ? 'frozen' : 'active'
}

/** A key with the policy in force for it, what it has spent, and how its budgets stand. */
export async function keyDetailView(ledger: Ledger, judge: Judge, key: KeyRecord, nowMs: number): Promise<object> {
  const spend = (await ledger.spend('key', {})).find((row) => row.by === key.id)
  const record = policyOf(ledger, key)
  const policy = judge.compile(record.document, record.version, key.narrowings)
  const budgets = budgetsOf(ledger, judge, key, nowMs)
  const usage = await ledger.usage(budgets)
  return {
    ...keyView(ledger, key, nowMs),
    ...totalsView(spend ? [spend] : []),
    budgets: budgets.map((budget, place) => {
      const { spent, held } = usage[place]!
      const left = budget.cap - spent - held
      return {
        label: budget.label,
        direction: budget.direction,
        measure: budget.measure,
        rule: budget.rule,
        cap_usd: formatUsd(budget.cap),
        spent_usd: formatUsd(spent),
        held_usd: formatUsd(held),
        left_usd: formatUsd(left > 0n ? usd(left) : ZERO),
        resets_at: instantOrNull(budget.resetsAt),
        enforced: budget.enforce,
      }
    }),
    effective_policy: { ...policyInForce(policy), document: record.document, narrowings: key.narrowings },
  }
}

/** Every counter that a call under one of the key's credentials is held against, each once with its smallest cap. */
export function budgetsOf(ledger: Ledger, judge: Judge, key: KeyRecord, nowMs: number): Budget[] {
  const levels = lineage(ledger, key).map((each) => {
    const record = policyOf(ledger, each)
    const policy = judge.compile(record.document, record.version, each.narrowings)
    return { keyId: each.id, rootId: each.rootId, run: each.run, runCap: each.runCap, policy }
  })
  const found = new Map<string, Budget>()
  for (const credentialId of key.credentialIds) {
    const vendor = ledger.credential(credentialId)?.vendor
    if (vendor === undefined) continue
    for (const budget of judge.budgets(levels, { vendor, credentialId, direction: 'none' }, nowMs)) {
      const place = JSON.stringify([budget.counter, budget.window])
      const known = found.get(place)
      if (!known || budget.cap < known.cap) found.set(place, budget)
    }
  }
  return [...found.values()]
}

function policyInForce(policy: Policy): object {
  const entries = (allowed: Allowlist | undefined): readonly string[] | null => allowed?.entries ?? null
  return {
    name: policy.name,
    version: policy.version,
    mode: policy.enforce ? 'enforce' : 'observe',
    timezone: policy.timeZone,
    rate_limit_per_minute: policy.perMinute,
    approval_above_usd: moneyOrNull(policy.approvalAbove),
    require_reason: policy.requireReason,
    issue: policy.issue && { max_children: policy.issue.childrenMax, max_depth: policy.issue.depthMax },
    vendors: Object.fromEntries(
      [...policy.vendors].map(([vendor, block]) => [
        vendor,
        {
          permit: [...block.permit],
          max_amount_usd: moneyOrNull(block.maxAmount),
          customers: entries(block.customers),
          currencies: entries(block.currencies),
          recipients: entries(block.recipients),
          senders: entries(block.senders),
          beneficiaries: block.beneficiaries.entries,
          connected_accounts: block.accounts.entries,
          callback_hosts: block.callbackHosts.entries,
          future: {
            quantity_max: block.future.quantityMax === undefined ? null : Number(block.future.quantityMax),
            bounded_only: block.future.boundedOnly,
          },
        },
      ]),
    ),
  }
}

/** What a key's calls make happen later. */
export const commitmentView = (row: CommitmentRow): object => ({
  id: row.id,
  key_id: row.keyId,
  run: row.run,
  at: instant(row.at),
  vendor: row.vendor,
  operation: row.operation,
  object: row.object,
  kind: row.kind,
  per_month_usd: formatUsd(row.perMonth),
  counted_usd: formatUsd(row.counted),
  quantity: row.quantity === null ? null : String(row.quantity),
  due_at: instantOrNull(row.dueAt),
})

export const approvalView = (row: ApprovalRow): object => ({
  id: row.id,
  at: instant(row.at),
  state: row.state,
  key_id: row.keyId,
  root_id: row.rootId,
  call_id: row.callId,
  run: row.run,
  vendor: row.vendor,
  operation: row.operation,
  method: row.method,
  path: row.path,
  customer: row.customer,
  call_reason: row.callReason,
  request_sha256: row.requestHash,
  ceiling_usd: formatUsd(row.ceiling),
  expires_at: instant(row.expiresAt),
  decided_at: instantOrNull(row.decidedAt),
  decided_by: row.decidedBy,
  reason: row.reason,
  used_by: row.usedBy,
})

export const freezesView = (ledger: Ledger): object => ({
  freezes: ledger.freezes().map(({ scope, at, reason }) => ({
    scope: scope.kind,
    ...(scope.kind === 'all' ? {} : { [scope.kind]: scope.value }),
    at: instant(at),
    reason,
  })),
  next_cursor: null,
})

export const runView = (row: RunRow): object => ({
  run: row.run,
  key_id: row.keyId,
  calls: row.calls,
  denied: row.denied,
  spent_usd: formatUsd(row.spent),
  held_usd: formatUsd(row.held),
  by_vendor: Object.fromEntries(Object.entries(row.byVendor).map(([vendor, spent]) => [vendor, formatUsd(spent)])),
  first_at: instant(row.firstAt),
  last_at: instant(row.lastAt),
})

export const spendView = (by: string, rows: readonly SpendRow[]): object => ({
  rows: rows.map((row) => ({ [by]: row.by, ...totalsView([row]) })),
  total: totalsView(rows),
})

function totalsView(rows: readonly SpendRow[]): object {
  return {
    spent_usd: formatUsd(usd(rows.reduce((sum, row) => sum + row.spent, 0n))),
    held_usd: formatUsd(usd(rows.reduce((sum, row) => sum + row.held, 0n))),
    calls: rows.reduce((sum, row) => sum + row.calls, 0),
    denied: rows.reduce((sum, row) => sum + row.denied, 0),
  }
}

export const callView = (row: CallRow): object => ({
  id: row.id,
  at: instant(row.at),
  key_id: row.keyId,
  run: row.run,
  vendor: row.vendor,
  surface: row.surface,
  method: row.method,
  path: row.path,
  operation: row.operation,
  effect: row.effect,
  direction: row.direction,
  state: row.state,
  basis: row.basis,
  quoted_usd: formatUsd(row.quoted),
  reserved_usd: formatUsd(row.reserved),
  settled_usd: formatUsd(row.settled),
  settled_at: instantOrNull(row.settledAt),
  customer: row.customer,
  object: row.object,
  reason: row.reason,
  replay_of: row.replayOf,
  count: row.count,
  look_ups: row.lookUps,
  request_sha256: row.requestHash,
  decision: { verdict: row.verdict, code: row.code, rule: row.rule, message: row.message },
  upstream: { status: row.upstreamStatus, request_id: row.upstreamRequestId, ms: row.upstreamMs },
})
