import { randomBytes } from 'node:crypto'
import type { Denial } from '../../src/contracts/call.js'
import type { Clock } from '../../src/contracts/clock.js'
import type {
  Admission,
  CallDraft,
  CallRow,
  CredentialRecord,
  KeyRecord,
  Ledger,
  NewKey,
  Settlement,
} from '../../src/contracts/ledger.js'
import { parseUsd, usd, type Usd } from '../../src/contracts/money.js'
import type { Budget, Decision, Usage } from '../../src/contracts/policy.js'

/** A clock that stands until a test moves it. */
export class StandingClock implements Clock {
  at: number
  constructor(at = Date.UTC(2026, 10, 21, 12)) {
    this.at = at
  }
  now(): number {
    return this.at
  }
  monotonic(): number {
    return this.at
  }
}

export const SECOND = 1_000
export const HOUR = 3_600_000
export const DAY = 24 * HOUR

export const dollars = (text: string): Usd => {
  const amount = parseUsd(text)
  if (amount === null) throw new Error(`${text} is no amount`)
  return amount
}

let serial = 0
/** Different in every call, and in the order of calls. */
export const unique = (prefix: string): string => `${prefix}_${String(++serial).padStart(6, '0')}`

export const budget = (counter: string, cap: string, more: Partial<Budget> = {}): Budget => ({
  counter,
  window: '2026-11-21',
  cap: dollars(cap),
  code: 'daily_cap_exceeded',
  label: `USD ${cap} a day (UTC)`,
  rule: 'daily-cap',
  since: null,
  resetsAt: null,
  vendor: null,
  direction: null,
  measure: 'spent',
  enforce: true,
  ...more,
})

export const credential = (more: Partial<CredentialRecord> = {}): CredentialRecord => ({
  id: unique('cred'),
  vendor: 'stripe',
  name: unique('name'),
  account: '',
  test: false,
  apiVersion: '',
  fingerprint: 'f00d',
  last4: '1234',
  sealed: 'sealed',
  createdAt: 0,
  rotatedAt: null,
  ...more,
})

/** A key in the ledger, with a policy of its own when none is named. */
export async function newKey(ledger: Ledger, more: Partial<NewKey> = {}): Promise<KeyRecord> {
  const name = unique('agent')
  const policyId = more.policyId ?? (await ledger.addPolicy(name, { name }, 'test')).id
  return ledger.addKey({
    id: unique('key'),
    publicId: randomBytes(16).toString('hex'),
    digest: randomBytes(32).toString('hex'),
    last4: 'abcd',
    name,
    parentId: null,
    policyId,
    narrowings: [],
    credentialIds: ['cred_1'],
    run: null,
    runCap: null,
    test: false,
    expiresAt: null,
    createdAt: 0,
    actor: 'test',
    ...more,
  })
}

export const draft = (key: KeyRecord, quoted: string, more: Partial<CallDraft> = {}): CallDraft => ({
  key,
  credentialId: 'cred_1',
  run: 'run_1',
  runSource: 'header',
  vendor: 'stripe',
  surface: 'rest',
  method: 'POST',
  path: '/v1/refunds',
  operation: 'refunds.create',
  effect: 'spend',
  direction: 'out',
  customer: null,
  reason: null,
  quoted: dollars(quoted),
  basis: 'exact',
  object: null,
  commits: null,
  requestHash: unique('request'),
  idempotencyHash: null,
  budgets: [],
  guarded: false,
  lookUps: 0,
  rateCounted: false,
  perMinute: [null],
  ...more,
})

export const ALLOW: Decision = { verdict: 'allow', denial: null }
export const allow = (): Decision => ALLOW
export const refuse =
  (code: Denial['code'], message = 'No.') =>
  (): Decision => ({ verdict: 'deny', denial: { code, rule: 'test', message } })

/** What any budget rule must do: say no to what would pass a cap. */
export const capped = (usage: Usage): Decision =>
  usage.budgets.some(
    (each) => each.spent + each.held + (each.measure === 'spent' ? usage.amount : usage.recurring) > each.cap,
  )
    ? { verdict: 'deny', denial: { code: 'daily_cap_exceeded', rule: 'daily-cap', message: 'Over the cap.' } }
    : ALLOW

/** Admits on the usage of that moment, and gives that usage too. */
export async function admitted(
  ledger: Ledger,
  call: CallDraft,
  decide: (usage: Usage) => Decision = capped,
): Promise<Admission & { readonly usage: Usage }> {
  let seen: Usage | undefined
  const admission = await ledger.admit(call, (usage) => {
    seen = usage
    return decide(usage)
  })
  return { ...admission, usage: seen! }
}

export const reply = (outcome: Settlement['outcome'], more: Partial<Settlement> = {}): Settlement => ({
  outcome,
  status: outcome === 'assumed' ? null : outcome === 'settled' ? 200 : 402,
  requestId: null,
  ms: 5,
  ...more,
})

/** Admits and books the outcome in one go; the call id. */
export async function done(ledger: Ledger, call: CallDraft, settlement: Settlement): Promise<string> {
  const { callId } = await ledger.admit(call, allow)
  ledger.mayLeave(callId)
  ledger.settle(callId, settlement)
  await ledger.flushed()
  return callId
}

export async function row(ledger: Ledger, id: string): Promise<CallRow> {
  const found = await ledger.call(id)
  if (found === null) throw new Error(`${id} is not in the ledger`)
  return found
}

/** Every row, oldest first. */
export async function rows(ledger: Ledger): Promise<readonly CallRow[]> {
  return ledger.callsAfter(0, 100_000)
}

/** What a counter holds, as decimal micro-USD texts that print well. */
export async function counted(ledger: Ledger, of: Budget): Promise<{ readonly spent: Usd; readonly held: Usd }> {
  return (await ledger.usage([of]))[0]!
}

export const sum = (amounts: readonly Usd[]): Usd => usd(amounts.reduce((total, each) => total + each, 0n))

/** How often random work is tried on a store: opening a database for each takes longer than the work. */
export const runsOn = (store: string, runs: number): number =>
  store.startsWith('PostgreSQL') ? Math.ceil(runs / 6) : runs
