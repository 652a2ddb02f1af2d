import { randomBytes } from 'node:crypto'
import type { Clock } from '../contracts/clock.js'
import type { CallDraft, CredentialRecord, KeyRecord, Ledger } from '../contracts/ledger.js'
import { ZERO, type Usd } from '../contracts/money.js'
import type { Judge, Usage } from '../contracts/policy.js'
import { issueKey, KeyDigest } from '../custody/keys.js'
import { MASTER_BYTES, Vault } from '../custody/seal.js'
import { Credentials, Standings, type Engine, type VendorRuntime } from '../engine.js'
import { Metrics } from '../metrics.js'
import { preview } from '../pipeline.js'
import { RestExchange } from '../surfaces/rest.js'
import { Tables } from '../tables.js'
import { ObjectsAtHand, type Objects } from './look-ups.js'
import { incomingOf, lineOf, type RehearsedRequest } from './request.js'

/** What requests are tried out with. */
export interface TrialMeans {
  readonly judge: Judge
  readonly vendors: ReadonlyMap<string, VendorRuntime>
  readonly clock: Clock
  readonly unlocked: ReadonlySet<string>
  /** Rates and prices as the operator keeps them, by the name of the setting. */
  setting(name: string): unknown
}

/** A policy that may not be stored yet. */
export interface TriedPolicy {
  readonly document: unknown
  /** 0 for a draft. */
  readonly version: number
}

export interface Tried extends RehearsedRequest {
  /** When it is made, epoch ms; now when absent. Prices and windows are those of that instant. */
  readonly at?: number | undefined
  /** What every budget of the policy has counted before it. */
  readonly spent?: Usd | undefined
  /** Answers to look-ups. */
  readonly objects?: Objects | undefined
}

/** A credential in store, and look-ups with it where no object is at hand. */
export interface LiveLookUps extends Pick<Engine, 'credentials'> {
  readonly record: CredentialRecord
  /** Null: no vendor is asked anything. */
  readonly upstream: Engine['upstream'] | null
}

export interface TrialResult {
  /** unknown: it hangs on an object that was not at hand. */
  readonly verdict: 'allow' | 'deny' | 'would_deny' | 'unknown'
  readonly code: string | null
  readonly rule: string | null
  readonly message: string | null
  readonly operation: string | null
  readonly effect: string | null
  /** Null when it has no price, or was refused before one was known. */
  readonly quoted: Usd | null
  /** Look-ups that could not be answered. Absent: all could. */
  readonly needs?: readonly string[]
}

/**
 * What a policy says to one request, under a key that has done nothing else. The request goes through the same pipeline as an
 * agent's, up to the decision; nothing is sent but the look-ups, if they are live, and nothing is written.
 *
 * @throws Error on a document that does not compile
 */
export async function tryOut(
  { document, version }: TriedPolicy,
  tried: Tried,
  means: TrialMeans,
  live: LiveLookUps | null = null,
): Promise<TrialResult> {
  const line = lineOf(tried, means.vendors)
  if (line === null) return noSuchVendor(tried, means)
  const runtime = means.vendors.get(line.vendor)!
  const { key } = issueKey(false)
  const clock = {
    now: () => tried.at ?? means.clock.now(),
    monotonic: () => means.clock.monotonic(),
    suspect: () => null,
  }
  const digest = new KeyDigest(randomBytes(32))
  const record = live?.record ?? anyCredential(line.vendor, line.target)
  const ledger = paperLedger({
    judge: means.judge,
    setting: (name) => means.setting(name),
    spent: tried.spent ?? ZERO,
    policy: { id: POLICY_ID, name: NAME, version, document, createdAt: 0 },
    key: paperKey(digest.of(key), record),
    record,
    now: clock.now,
  })
  const atHand = new ObjectsAtHand(runtime, tried.objects ?? {}, live?.upstream ?? null, clock)
  const engine: Engine = {
    ledger,
    judge: means.judge,
    vendors: means.vendors,
    digest,
    namespace: (principal, clientKey) => `${principal}/${clientKey}`,
    credentials: live?.credentials ?? paperCredentials(ledger, record, means.vendors, clock),
    standings: new Standings(ledger, means.judge),
    upstream: atHand,
    tables: new Tables(
      ledger,
      [...means.vendors.values()].map(({ vendor }) => vendor),
      clock,
    ),
    unlocked: means.unlocked,
    clock,
    metrics: new Metrics(),
    log: () => undefined,
  }
  const named = { prefix: line.vendor, host: null, root: null }
  const exchange = new RestExchange(incomingOf(tried, key), named, line.target, null, (work) => work())
  const seen = await preview(exchange, engine)
  if (seen === null) return authorised(exchange.authorization === null)
  const { decision, draft } = seen
  const priced = draft.requestHash !== '' && draft.basis !== 'unpriceable'
  const open = atHand.missing.length > 0 && decision.denial?.rule === 'look-up'
  return {
    verdict: open ? 'unknown' : decision.verdict,
    code: open ? null : (decision.denial?.code ?? null),
    rule: open ? null : (decision.denial?.rule ?? null),
    message: open
      ? `It hangs on ${atHand.missing.join(', ')}, which is not among the objects.`
      : (decision.denial?.message ?? null),
    operation: draft.operation,
    effect: draft.effect,
    quoted: priced ? draft.quoted : null,
    ...(open && { needs: atHand.missing }),
  }
}

const POLICY_ID = 'pol_trial'
const KEY_ID = 'key_trial'
const NAME = 'trial'

const unread = (code: string, message: string): TrialResult => ({
  verdict: 'deny',
  code,
  rule: 'address',
  message,
  operation: null,
  effect: null,
  quoted: null,
})

const noSuchVendor = ({ request }: Tried, { vendors }: TrialMeans): TrialResult =>
  unread(
    'vendor_not_granted',
    `«${request.slice(0, 100)}» names no vendor: write it as the agent port takes it, such as POST /${[...vendors.keys()][0]}/v1/refunds.`,
  )

/** A header of the request's own took the place of the vault key. */
const authorised = (none: boolean): TrialResult =>
  unread('key_unknown', none ? 'It presents no vault key.' : 'It presents credentials of its own.')

/** A credential whose account is the one that the path names. */
const anyCredential = (vendor: string, target: string): CredentialRecord => ({
  id: 'cred_trial',
  vendor,
  name: NAME,
  account: /\/Accounts\/(AC[0-9a-fA-F]{32})[/.]/.exec(target)?.[1] ?? '',
  test: false,
  apiVersion: '',
  fingerprint: '',
  last4: '',
  sealed: '',
  createdAt: 0,
  rotatedAt: null,
})

/** Look-ups that are answered here need no secret, but the pipeline writes them out with one. */
function paperCredentials(
  ledger: Ledger,
  record: CredentialRecord,
  vendors: ReadonlyMap<string, VendorRuntime>,
  clock: Clock,
): Credentials {
  const vault = new Vault(randomBytes(MASTER_BYTES))
  const parts = {
    api_key: 'trial',
    account_sid: 'trial',
    api_key_sid: 'trial',
    api_key_secret: 'trial',
    token: 'trial',
  }
  const sealed = { ...record, sealed: vault.seal({ id: record.id, vendor: record.vendor }, parts) }
  return new PaperCredentials(ledger, vault, vendors, clock, sealed)
}

class PaperCredentials extends Credentials {
  readonly #sealed: CredentialRecord

  constructor(
    ledger: Ledger,
    vault: Vault,
    vendors: ReadonlyMap<string, VendorRuntime>,
    clock: Clock,
    sealed: CredentialRecord,
  ) {
    super(ledger, vault, vendors, clock)
    this.#sealed = sealed
  }

  override of(): CredentialRecord {
    return this.#sealed
  }
}

const paperKey = (digest: string, { id }: CredentialRecord): KeyRecord => ({
  id: KEY_ID,
  rootId: KEY_ID,
  publicId: '0'.repeat(32),
  digest,
  last4: '',
  name: NAME,
  parentId: null,
  policyId: POLICY_ID,
  narrowings: [],
  credentialIds: [id],
  run: null,
  runCap: null,
  test: false,
  expiresAt: null,
  createdAt: 0,
  revokedAt: null,
  revokeReason: null,
  lastUsedAt: null,
})

interface Paper {
  readonly judge: Judge
  setting(name: string): unknown
  readonly spent: Usd
  readonly policy: ReturnType<Ledger['policies']>[number]
  readonly key: KeyRecord
  readonly record: CredentialRecord
  now(): number
}

/** As much of a ledger as a preview asks: one key under one policy, and what its budgets have counted. */
function paperLedger({ setting, spent, policy, key, record, now }: Paper): Ledger {
  const usageOf = (draft: CallDraft): Usage => ({
    nowMs: now(),
    keys: [{ id: key.id, name: key.name, revokedAt: null, revokeReason: null, expiresAt: null }],
    frozen: null,
    budgets: draft.budgets.map((budget) => ({
      ...budget,
      spent: budget.measure === 'spent' ? spent : ZERO,
      held: ZERO,
    })),
    amount: draft.quoted,
    recurring: draft.commits?.perMonth ?? ZERO,
    earlier: null,
    duplicate: null,
    approval: null,
    approvalsFull: false,
    rate: [{ count: 0, oldestAt: now() }],
    rateCounted: draft.rateCounted,
  })
  const asked: Partial<Ledger> = {
    findKey: (digest) => (digest === key.digest ? key : null),
    key: () => key,
    credential: () => record,
    policies: () => [policy],
    stands: () => true,
    implicitRun: () => NAME,
    setting,
    clear: (draft, decide) => Promise.resolve(decide(usageOf(draft))),
    preview: (draft, decide) => Promise.resolve(decide(usageOf(draft))),
  }
  return asked as Ledger
}
