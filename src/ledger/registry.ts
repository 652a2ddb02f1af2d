import type Database from 'better-sqlite3'
import {
  LedgerConflict,
  type CredentialRecord,
  type FreezeScope,
  type KeyRecord,
  type NewKey,
  type Page,
  type Paged,
  type PolicyRecord,
} from '../contracts/ledger.js'
import type { Denial } from '../contracts/call.js'
import type { KeyStanding } from '../contracts/policy.js'
import { usd } from '../contracts/money.js'
import { newId } from './ids.js'

export interface Freeze {
  readonly scope: FreezeScope
  readonly at: number
  readonly reason: string | null
}

/**
 * Keys, credentials, policies, freezes and settings: few rows, read on every call, so held in memory whole and
 * written through. Every method that changes something expects to run inside the ledger's transaction.
 */
export class Registry {
  readonly #db: Database.Database
  readonly #keys = new Map<string, KeyRecord>()
  readonly #byDigest = new Map<string, KeyRecord>()
  readonly #children = new Map<string, string[]>()
  /** By the id of a key, that of the key it was reissued as. */
  readonly #successors = new Map<string, string>()
  readonly #credentials = new Map<string, CredentialRecord>()
  readonly #policies = new Map<string, PolicyRecord>()
  #freezes: readonly Freeze[] = []
  readonly #settings = new Map<string, unknown>()
  readonly #inFlight = new Map<string, readonly string[]>()

  constructor(db: Database.Database) {
    this.#db = db
    this.reload()
  }

  /** Reads everything again; also the way back after a transaction failed. */
  reload(): void {
    for (const map of [
      this.#keys,
      this.#byDigest,
      this.#children,
      this.#successors,
      this.#credentials,
      this.#policies,
      this.#settings,
    ])
      map.clear()
    const same = new Same()
    const page = this.#db.prepare(KEYS)
    for (let last = -1; ;) {
      const { upTo, rows } = page.get(last, KEYS_A_PAGE) as { upTo: number | null; rows: string }
      if (upTo === null) break
      for (const row of JSON.parse(rows) as KeyRow[]) this.#keepStored(row, same)
      last = upTo
    }
    for (const row of this.#db.prepare('select * from credentials').all() as CredentialRow[])
      this.#credentials.set(row.id, credentialOf(row))
    for (const row of this.#db.prepare('select * from policies order by name, version').all() as PolicyRow[])
      this.#policies.set(row.id, policyOf(row))
    for (const row of this.#db.prepare('select * from settings').all() as { name: string; value: string }[])
      this.#settings.set(row.name, JSON.parse(row.value))
    this.#loadFreezes()
  }

  // Keys

  findKey = (digest: string): KeyRecord | null => this.#byDigest.get(digest) ?? null
  key = (id: string): KeyRecord | null => this.#keys.get(id) ?? null

  /** Newest first. */
  keys(page: Page): Paged<KeyRecord> {
    return pageOf([...this.#keys.values()].reverse(), page)
  }

  /** The key and its ancestors, the key first. */
  chain(id: string): readonly KeyRecord[] {
    const found: KeyRecord[] = []
    for (
      let at = this.#keys.get(id);
      at !== undefined;
      at = at.parentId === null ? undefined : this.#keys.get(at.parentId)
    )
      found.push(at)
    return found
  }

  /** A key and those it was reissued from, with all below them. */
  lineage(id: string): readonly string[] {
    const found: string[] = []
    for (let at = this.#keys.get(id); at !== undefined; at = this.#keys.get(at.replaces ?? ''))
      found.push(...this.descendants(at.id))
    return found
  }

  /** The key that answers for a key now: itself, or the last one that it or one above it was reissued as. */
  successor(id: string): KeyRecord | null {
    for (let at = id; ;) {
      const old = this.chain(at).find((key) => key.revokedAt !== null && this.#successors.has(key.id))
      if (old === undefined) return this.key(at)
      at = this.#successors.get(old.id)!
    }
  }

  descendants(id: string): readonly string[] {
    const found = [id]
    for (let i = 0; i < found.length; i++) found.push(...(this.#children.get(found[i]!) ?? []))
    return found
  }

  #livingBelow(id: string, now: number): number {
    return this.descendants(id).filter((each) => {
      const { revokedAt, expiresAt } = this.#keys.get(each)!
      return each !== id && revokedAt === null && (expiresAt === null || expiresAt > now)
    }).length
  }

  addKey(key: NewKey): KeyRecord {
    if (this.#keys.has(key.id)) throw new LedgerConflict(`The key ${key.id} exists.`)
    const parent = key.parentId === null ? null : this.#keys.get(key.parentId)
    if (parent === undefined) throw new LedgerConflict(`There is no key ${key.parentId}.`)
    for (const { keyId, most } of key.livingMax ?? []) {
      const living = this.#livingBelow(keyId, key.createdAt)
      if (living >= most)
        throw new LedgerConflict(
          `The key ${keyId} has ${living} living ${living === 1 ? 'key' : 'keys'} below it and may have ${most}. Revoke one, or wait until one expires.`,
        )
    }
    const rootId = parent?.rootId ?? key.id
    this.#db
      .prepare(
        `insert into keys (id, public_id, digest, last4, name, parent_id, root_id, policy_id, narrowings, credential_ids, run, run_cap, test, expires_at, created_at, replaces)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(
        key.id,
        key.publicId,
        key.digest,
        key.last4,
        key.name,
        key.parentId,
        rootId,
        key.policyId,
        JSON.stringify(key.narrowings),
        JSON.stringify(key.credentialIds),
        key.run,
        key.runCap,
        key.test ? 1 : 0,
        key.expiresAt,
        key.createdAt,
        key.replaces ?? null,
      )
    const { actor: _actor, livingMax: _livingMax, ...kept } = key
    const record: KeyRecord = { ...kept, rootId, revokedAt: null, revokeReason: null, lastUsedAt: null }
    this.#keep(record)
    return record
  }

  narrowKey(id: string, patch: unknown): KeyRecord {
    const key = this.#keys.get(id)
    if (!key) throw new LedgerConflict(`There is no key ${id}.`)
    const narrowed = { ...key, narrowings: [...key.narrowings, patch] }
    this.#db.prepare('update keys set narrowings = ? where id = ?').run(JSON.stringify(narrowed.narrowings), id)
    this.#replace(narrowed)
    return narrowed
  }

  /** Marks the key and every descendant that is not yet revoked; which these were. */
  revoke(id: string, reason: string | null, at: number, inFlight: readonly string[]): readonly string[] {
    const revoked: string[] = []
    const update = this.#db.prepare(
      'update keys set revoked_at = ?, revoke_reason = ?, revoke_in_flight = ? where id = ?',
    )
    for (const each of this.descendants(id)) {
      const key = this.#keys.get(each)!
      if (key.revokedAt !== null) continue
      update.run(at, reason, JSON.stringify(each === id ? inFlight : []), each)
      this.#inFlight.set(each, each === id ? inFlight : [])
      this.#replace({ ...key, revokedAt: at, revokeReason: reason })
      revoked.push(each)
    }
    return revoked
  }

  nameInFlight(id: string, inFlight: readonly string[]): void {
    this.#db.prepare('update keys set revoke_in_flight = ? where id = ?').run(JSON.stringify(inFlight), id)
    this.#inFlight.set(id, inFlight)
  }

  inFlightAtRevoke = (id: string): readonly string[] => this.#inFlight.get(id) ?? []

  used(id: string, at: number): void {
    const key = this.#keys.get(id)
    if (key) (key as { lastUsedAt: number | null }).lastUsedAt = at
  }

  /** Why a key may no longer act, or null. Looks at its ancestors and at every freeze that covers it. */
  stops(id: string, run: string, vendor: string, now: number): Denial | null {
    for (const key of this.chain(id)) {
      if (key.revokedAt !== null) return { code: 'key_revoked', rule: 'standing', message: revokedMessage(key) }
      if (key.expiresAt !== null && now >= key.expiresAt) {
        return {
          code: 'key_expired',
          rule: 'standing',
          message: `The key ${key.id} expired at ${new Date(key.expiresAt).toISOString()}. Do not retry.`,
        }
      }
    }
    const frozen = this.freezeOver(id, run, vendor)
    if (frozen)
      return {
        code: 'key_frozen',
        rule: 'freeze',
        message: `Calls are frozen (${scopeText(frozen.scope)}). Do not retry until the operator unfreezes them.`,
      }
    return null
  }

  // Freezes

  freezes = (): readonly Freeze[] => this.#freezes

  freezeOver(keyId: string, run: string, vendor: string): Freeze | null {
    for (const freeze of this.#freezes) {
      const { scope } = freeze
      if (
        scope.kind === 'all' ||
        (scope.kind === 'vendor' && scope.value === vendor) ||
        (scope.kind === 'run' && scope.value === run)
      )
        return freeze
      if (scope.kind === 'key' && this.chain(keyId).some((key) => key.id === scope.value)) return freeze
    }
    return null
  }

  freeze(scope: FreezeScope, at: number, reason: string | null): void {
    this.#db
      .prepare('insert into freezes (kind, value, at, reason) values (?, ?, ?, ?) on conflict do nothing')
      .run(scope.kind, valueOf(scope), at, reason)
    this.#loadFreezes()
  }

  unfreeze(scope: FreezeScope): void {
    this.#db.prepare('delete from freezes where kind = ? and value = ?').run(scope.kind, valueOf(scope))
    this.#loadFreezes()
  }

  #loadFreezes(): void {
    const rows = this.#db.prepare('select * from freezes order by at').all() as {
      kind: FreezeScope['kind']
      value: string
      at: number
      reason: string | null
    }[]
    this.#freezes = rows.map((row) => ({
      scope: row.kind === 'all' ? { kind: 'all' } : { kind: row.kind, value: row.value },
      at: row.at,
      reason: row.reason,
    }))
  }

  // Credentials

  credentials = (): readonly CredentialRecord[] => [...this.#credentials.values()]
  credential = (id: string): CredentialRecord | null => this.#credentials.get(id) ?? null

  putCredential(record: CredentialRecord): void {
    const taken = [...this.#credentials.values()].find(
      (other) => other.vendor === record.vendor && other.name === record.name && other.id !== record.id,
    )
    if (taken)
      throw new LedgerConflict(
        `A ${record.vendor} credential named ${record.name} exists (${taken.id}). Rotate it, or choose another name.`,
      )
    this.#db
      .prepare(
        `insert into credentials (id, vendor, name, account, test, api_version, fingerprint, last4, sealed, created_at, rotated_at)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (id) do update set account = excluded.account, test = excluded.test, api_version = excluded.api_version, fingerprint = excluded.fingerprint,
         last4 = excluded.last4, sealed = excluded.sealed, rotated_at = excluded.rotated_at`,
      )
      .run(
        record.id,
        record.vendor,
        record.name,
        record.account,
        record.test ? 1 : 0,
        record.apiVersion,
        record.fingerprint,
        record.last4,
        record.sealed,
        record.createdAt,
        record.rotatedAt,
      )
    this.#credentials.set(record.id, record)
  }

  removeCredential(id: string, now: number): void {
    const user = [...this.#keys.values()].find(
      (key) =>
        key.credentialIds.includes(id) && key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now),
    )
    if (user)
      throw new LedgerConflict(
        `The credential ${id} is used by the key ${user.id} (${user.name}). Revoke that key first.`,
      )
    this.#db.prepare('delete from credentials where id = ?').run(id)
    this.#credentials.delete(id)
  }

  // Policies

  policies = (): readonly PolicyRecord[] => [...this.#policies.values()]

  /** The version of a policy that has exactly this document, or null. */
  findPolicy(name: string, document: unknown): PolicyRecord | null {
    const text = JSON.stringify(document)
    for (const record of this.#policies.values())
      if (record.name === name && JSON.stringify(record.document) === text) return record
    return null
  }

  addPolicy(name: string, document: unknown, at: number): PolicyRecord {
    const version = [...this.#policies.values()].filter((record) => record.name === name).length + 1
    const record = { id: newId('pol'), name, version, document, createdAt: at }
    this.#db
      .prepare('insert into policies (id, name, version, document, created_at) values (?, ?, ?, ?, ?)')
      .run(record.id, name, version, JSON.stringify(document), at)
    this.#policies.set(record.id, record)
    return record
  }

  // Settings

  setting = (name: string): unknown => this.#settings.get(name)

  putSetting(name: string, value: unknown): void {
    this.#db
      .prepare(
        'insert into settings (name, value) values (?, ?) on conflict (name) do update set value = excluded.value',
      )
      .run(name, JSON.stringify(value))
    this.#settings.set(name, value)
  }

  #keepStored(row: KeyRow, same: Same): void {
    const key = keyOf(row, same)
    this.#keep(key)
    const [inFlight] = row
    if (inFlight !== null) this.#inFlight.set(key.id, JSON.parse(inFlight) as string[])
  }

  #keep(key: KeyRecord): void {
    this.#replace(key)
    if (key.parentId !== null) {
      const siblings = this.#children.get(key.parentId)
      if (siblings) siblings.push(key.id)
      else this.#children.set(key.parentId, [key.id])
    }
    if (key.replaces != null) this.#successors.set(key.replaces, key.id)
  }

  #replace(key: KeyRecord): void {
    this.#keys.set(key.id, key)
    this.#byDigest.set(key.digest, key)
  }
}

const revokedMessage = (key: KeyStanding): string =>
  `The key ${key.id} (${key.name}) was revoked at ${new Date(key.revokedAt!).toISOString()}${key.revokeReason ? `: ${key.revokeReason}` : ''}. Do not retry.`

export const scopeText = (scope: FreezeScope): string => (scope.kind === 'all' ? 'all' : `${scope.kind} ${scope.value}`)
const valueOf = (scope: FreezeScope): string => (scope.kind === 'all' ? '' : scope.value)
/** The row of a freeze, as entries name it. */
export const rowOfScope = (scope: FreezeScope) => ['freezes', scope.kind, valueOf(scope)] as const

/** A page of rows already in order; the cursor is the offset's row id, so rows added meanwhile shift nothing. */
function pageOf<T extends { readonly id: string }>(rows: readonly T[], page: Page): Paged<T> {
  const start = page.cursor === undefined ? 0 : rows.findIndex((row) => row.id === page.cursor) + 1
  const found = rows.slice(start, start + page.limit)
  return { rows: found, next: start + page.limit < rows.length ? found.at(-1)!.id : null }
}

// There may be a hundred thousand, and every value handed over by itself takes longer than reading it. So they come by the
// page as one text, in this order and without names, and a key that is its own root does not say so again.
const KEYS = `select max(seq) as upTo, json_group_array(json_array(revoke_in_flight, id, public_id, digest, last4, name,
    parent_id, nullif(root_id, id), policy_id, narrowings, credential_ids, run, run_cap, test, expires_at, created_at,
    revoked_at, revoke_reason, replaces) order by seq) as rows
  from (select * from keys where seq > ? order by seq limit ?)`
const KEYS_A_PAGE = 1_000
type KeyRow = readonly [
  inFlightAtRevoke: string | null,
  id: string,
  publicId: string,
  digest: string,
  last4: string,
  name: string,
  parentId: string | null,
  otherRoot: string | null,
  policyId: string,
  narrowings: string,
  credentialIds: string,
  run: string | null,
  runCap: number | null,
  test: number,
  expiresAt: number | null,
  createdAt: number,
  revokedAt: number | null,
  revokeReason: string | null,
  replaces: string | null,
]

/**
 * What many keys have in common is in memory once: by far most are issued under a few policies and for the same
 * credentials.
 */
class Same {
  readonly #texts = new Map<string, string>()
  readonly #lists = new Map<string, readonly unknown[]>()

  text(text: string): string {
    const known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, text)
    return known ?? text
  }

  list(json: string): readonly unknown[] {
    let known = this.#lists.get(json)
    if (known === undefined) this.#lists.set(json, (known = JSON.parse(json) as unknown[]))
    return known
  }
}

function keyOf(row: KeyRow, same: Same): KeyRecord {
  const [, id, publicId, digest, last4, name, parentId, otherRoot, policyId, narrowings, credentialIds, ...rest] = row
  const [run, runCap, test, expiresAt, createdAt, revokedAt, revokeReason, replaces] = rest
  return {
    id,
    publicId,
    digest,
    last4,
    name,
    parentId,
    rootId: otherRoot ?? id,
    policyId: same.text(policyId),
    narrowings: same.list(narrowings),
    credentialIds: same.list(credentialIds) as readonly string[],
    run,
    runCap: runCap === null ? null : usd(BigInt(runCap)),
    test: test === 1,
    expiresAt,
    createdAt,
    revokedAt,
    revokeReason,
    lastUsedAt: null,
    ...(replaces === null ? {} : { replaces }),
  }
}

interface CredentialRow {
  id: string
  vendor: string
  name: string
  account: string
  test: number
  api_version: string
  fingerprint: string
  last4: string
  sealed: string
  created_at: number
  rotated_at: number | null
}
const credentialOf = (row: CredentialRow): CredentialRecord => ({
  id: row.id,
  vendor: row.vendor,
  name: row.name,
  account: row.account,
  test: row.test === 1,
  apiVersion: row.api_version,
  fingerprint: row.fingerprint,
  last4: row.last4,
  sealed: row.sealed,
  createdAt: row.created_at,
  rotatedAt: row.rotated_at,
})

interface PolicyRow {
  id: string
  name: string
  version: number
  document: string
  created_at: number
}
const policyOf = (row: PolicyRow): PolicyRecord => ({
  id: row.id,
  name: row.name,
  version: row.version,
  document: JSON.parse(row.document) as unknown,
  createdAt: row.created_at,
})
