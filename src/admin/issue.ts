import assert from 'node:assert/strict'
import type { Clock } from '../contracts/clock.js'
import type { CredentialRecord, KeyRecord, Ledger, NewKey, PolicyRecord } from '../contracts/ledger.js'
import type { Usd } from '../contracts/money.js'
import type { Judge } from '../contracts/policy.js'
import type { Vendor } from '../contracts/vendor.js'
import { newId } from '../custody/base62.js'
import type { KeyDigest } from '../custody/keys.js'
import { issueKey } from '../custody/keys.js'
import { conflict, invalid } from './problem.js'
import { instant, policyName, policyOf, statusOf } from './views.js'

export interface IssueDeps {
  readonly ledger: Ledger
  readonly judge: Judge
  readonly digest: KeyDigest
  readonly vendors: readonly Vendor[]
  readonly clock: Clock
  /** Counts what a key has spent in its open windows against another key as well. Absent: keys cannot be reissued. */
  readonly carryOver?: (oldKeyId: string, newKeyId: string, actor: string) => Promise<void>
}

/** A key at the moment it is shown, once. */
export interface IssuedKey {
  readonly record: KeyRecord
  readonly key: string
  /** How each granted vendor's clients want to see it. */
  readonly presentations: Readonly<Record<string, unknown>>
}

/** Everything a key is made of before it has a name of its own. */
export interface Grant extends Pick<NewKey, 'livingMax'> {
  readonly name: string
  readonly parentId: string | null
  readonly policyId: string
  readonly narrowings: readonly unknown[]
  readonly credentials: readonly CredentialRecord[]
  readonly run: string | null
  readonly runCap: Usd | null
  readonly expiresAt: number | null
  readonly replaces?: string
}

export interface KeyWish {
  readonly name: string
  /** `support-refunds` for its latest version, `support-refunds@3`, or a policy id. */
  readonly policy: string
  /** Ids, names, or `vendor/name`. */
  readonly credentials: readonly string[]
  readonly lifeMs: number | null
  readonly run: string | null
}

/** A root key under a policy. It lives as long as the wish says, by default as long as the policy's `expires_in`. */
export async function issueRootKey(deps: IssueDeps, wish: KeyWish, actor: string): Promise<IssuedKey> {
  const policy = findPolicy(deps.ledger, wish.policy)
  const grant: Grant = {
    name: wish.name,
    parentId: null,
    policyId: policy.id,
    narrowings: [],
    credentials: findCredentials(deps.ledger, wish.credentials),
    run: wish.run,
    runCap: null,
    expiresAt: lifeUnder(deps, policy, wish.lifeMs),
  }
  return issue(deps, grant, actor)
}

export interface RunKeyWish {
  readonly run: string | null
  readonly runCap: Usd | null
  readonly lifeMs: number | null
  readonly name: string | null
}

/**
 * A child key bound to a run: its parent's policy version, narrowings and credentials, never longer than the parent.
 * Its spend counts in every ancestor, and it dies with them.
 */
export async function issueRunKey(
  deps: IssueDeps,
  parent: KeyRecord,
  wish: RunKeyWish,
  actor: string,
): Promise<IssuedKey> {
  const nowMs = deps.clock.now()
  refuseEnded(deps, parent)
  if (parent.run !== null && wish.run !== null && wish.run !== parent.run) {
    throw conflict(`The key ${parent.id} is bound to the run ${parent.run}; its children belong to the same run.`)
  }
  const grant: Grant = {
    name: wish.name ?? parent.name,
    parentId: parent.id,
    policyId: parent.policyId,
    narrowings: parent.narrowings,
    credentials: credentialsOf(deps.ledger, parent),
    run: wish.run ?? parent.run ?? newId('run'),
    runCap: wish.runCap,
    expiresAt: earliest(parent.expiresAt, wish.lifeMs === null ? null : nowMs + wish.lifeMs),
  }
  return issue(deps, grant, actor)
}

export interface ReissueWish {
  readonly policy: string
  readonly lifeMs: number | null
  readonly name: string | null
}

/**
 * A new key under another policy version, in the place of an old one. The old key is revoked first: two keys that
 * share a carried sum but spend separately could together pass the cap. Narrowings of the old key are not taken
 * over; the new version says everything.
 */
export async function reissueKey(
  deps: Required<IssueDeps>,
  old: KeyRecord,
  wish: ReissueWish,
  actor: string,
): Promise<IssuedKey> {
  refuseEnded(deps, old)
  if (old.parentId !== null)
    throw conflict(`The key ${old.id} is a child of ${old.parentId}. Reissue the root key ${old.rootId}.`)
  const policy = findPolicy(deps.ledger, wish.policy)
  const grant: Grant = {
    name: wish.name ?? old.name,
    parentId: null,
    policyId: policy.id,
    narrowings: [],
    credentials: credentialsOf(deps.ledger, old),
    run: old.run,
    runCap: old.runCap,
    replaces: old.id,
    expiresAt: lifeUnder(deps, policy, wish.lifeMs),
  }
  const issued = await issue(deps, grant, actor)
  // Until the reply leaves, nobody knows the new key, so nothing can be spent under it before the sum is carried over.
  try {
    await deps.ledger.revoke(old.id, `reissued as ${issued.record.id}`, actor)
    await deps.carryOver(old.id, issued.record.id, actor)
  } catch (fault) {
    await deps.ledger.revoke(issued.record.id, 'the reissue failed', actor)
    throw fault
  }
  return issued
}

/** Makes the key and what each granted vendor's clients are shown of it. */
export async function issue(deps: IssueDeps, grant: Grant, actor: string): Promise<IssuedKey> {
  // Play money only when nothing real can be reached: every credential is a Stripe test key.
  const test = grant.credentials.every((credential) => credential.vendor === 'stripe' && credential.test)
  const fresh = issueKey(test)
  const key: NewKey = {
    id: newId('key'),
    publicId: fresh.publicId,
    digest: deps.digest.of(fresh.key),
    last4: fresh.last4,
    name: grant.name,
    parentId: grant.parentId,
    policyId: grant.policyId,
    narrowings: grant.narrowings,
    credentialIds: grant.credentials.map((credential) => credential.id),
    run: grant.run,
    runCap: grant.runCap,
    test,
    expiresAt: grant.expiresAt,
    createdAt: deps.clock.now(),
    ...(grant.replaces === undefined ? {} : { replaces: grant.replaces }),
    ...(grant.livingMax === undefined ? {} : { livingMax: grant.livingMax }),
    actor,
  }
  const record = await deps.ledger.addKey(key)
  const presentations = Object.fromEntries(
    grant.credentials.map((credential) => {
      const vendor = deps.vendors.find((each) => each.name === credential.vendor)
      assert(vendor, `the vendor ${credential.vendor} of ${credential.id} is known`)
      return [vendor.name, vendor.presentations(fresh.key, fresh.publicId, credential.account)]
    }),
  )
  return { record, key: fresh.key, presentations }
}

/** The one time a vault key is shown. */
export const shownOnce = (ledger: Ledger, { record, key, presentations }: IssuedKey): object => ({
  id: record.id,
  key,
  presentations,
  expires_at: record.expiresAt === null ? null : instant(record.expiresAt),
  name: record.name,
  policy: policyName(policyOf(ledger, record)),
  run: record.run,
  parent_id: record.parentId,
  test: record.test,
})

function refuseEnded(deps: IssueDeps, key: KeyRecord): void {
  const status = statusOf(deps.ledger, key, deps.clock.now())
  if (status === 'revoked' || status === 'expired') throw conflict(`The key ${key.id} is ${status}.`)
}

const lifeUnder = (deps: IssueDeps, policy: PolicyRecord, lifeMs: number | null): number | null => {
  const nowMs = deps.clock.now()
  const { expiresInMs } = deps.judge.compile(policy.document, policy.version, [])
  const life = lifeMs ?? expiresInMs
  return life === null ? null : nowMs + life
}

export const earliest = (a: number | null, b: number | null): number | null =>
  a === null ? b : b === null ? a : Math.min(a, b)

/** The policy a request names. Throws a problem when there is none. */
export function findPolicy(ledger: Ledger, wanted: string): PolicyRecord {
  const found = lookUpPolicy(ledger, wanted)
  if (found) return found
  const known = [...new Set(ledger.policies().map((record) => record.name))].slice(0, 10)
  const choice = known.length > 0 ? `Policies: ${known.join(', ')}.` : 'None is stored yet.'
  throw invalid('policy', `There is no such policy or version. ${choice}`)
}

/** By `name`, the latest version; by `name@3`, that one; or by id. */
export function lookUpPolicy(ledger: Ledger, wanted: string): PolicyRecord | null {
  const named = /^(.+)@([1-9][0-9]{0,8})$/.exec(wanted)
  const [name, version] = named ? [named[1]!, Number(named[2])] : [wanted, null]
  let latest: PolicyRecord | null = null
  for (const record of ledger.policies()) {
    if (record.id === wanted) return record
    if (record.name !== name || (version !== null && record.version !== version)) continue
    if (latest === null || record.version > latest.version) latest = record
  }
  return latest
}

function findCredentials(ledger: Ledger, wanted: readonly string[]): CredentialRecord[] {
  const found: CredentialRecord[] = []
  for (const [place, name] of wanted.entries()) {
    const path = `credentials.${place}`
    const candidates = ledger
      .credentials()
      .filter((record) => record.id === name || record.name === name || `${record.vendor}/${record.name}` === name)
    const [credential, other] = candidates.sort((a, b) => Number(b.id === name) - Number(a.id === name))
    if (!credential) throw invalid(path, 'There is no credential of this id or name.')
    if (other && credential.id !== name)
      throw invalid(path, 'Several credentials have this name. Write vendor/name, or the id.')
    const rival = found.find((each) => each.vendor === credential.vendor)
    if (rival)
      throw invalid(path, `A key has at most one credential a vendor; ${rival.id} too is for ${credential.vendor}.`)
    found.push(credential)
  }
  return found
}

export function credentialsOf(ledger: Ledger, key: KeyRecord): CredentialRecord[] {
  return key.credentialIds.map((id) => {
    const credential = ledger.credential(id)
    if (!credential) throw conflict(`The credential ${id} of the key ${key.id} was removed.`)
    return credential
  })
}
