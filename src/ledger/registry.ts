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
import { newId } from './ids.js'
import { KeyRecords } from './key-records.js'

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
  #keys = new KeyRecords()
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
    for (const map of [this.#children, this.#successors, this.#credentials, this.#policies, this.#settings]) map.clear()
    this.#keys = new KeyRecords()
    this.#keys.read(this.#db, (key) => {
      this.#relate(key)
      if (key.inFlightAtRevoke !== null) this.#inFlight.set(key.id, key.inFlightAtRevoke)
    })
    for (const row of this.#db.prepare('select * from credentials').all() as CredentialRow[])
      this.#credentials.set(row.id, credentialOf(row))
    for (const row of this.#db.prepare('select * from policies order by name, version').all() as PolicyRow[])
      this.#policies.set(row.id, policyOf(row))
    for (const row of this.#db.prepare('select * from settings').all() as { name: string; value: string }[])
      this.#settings.set(row.name, JSON.parse(row.value))
    this.#loadFreezes()
  }

  // Keys

  findKey = (digest: string): KeyRecord | null => this.#keys.byDigest(digest)
  key = (id: string): KeyRecord | null => this.#keys.byId(id)
  /** Newest first. */
  keys = (page: Page): Paged<KeyRecord> => this.#keys.newest(page)

  /** The key and its ancestors, the key first. */
  chain(id: string): readonly KeyRecord[] {
    const found: KeyRecord[] = []
    for (let at = this.key(id); at !== null; at = at.parentId === null ? null : this.key(at.parentId)) found.push(at)
    return found
  }

  /** A key and those it was reissued from, with all below them. */
  lineage(id: string): readonly string[] {
    const found: string[] = []
    for (let at = this.key(id); at !== null; at = at.replaces == null ? null : this.key(at.replaces))
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
      const { revokedAt, expiresAt } = this.key(each)!
      return each !== id && revokedAt === null && (expiresAt === null || expiresAt > now)
    }).length
  }

  addKey(key: NewKey): KeyRecord {
    if (this.key(key.id) !== null) throw new LedgerConflict(`The key ${key.id} exists.`)
    const parent = key.parentId === null ? null : this.key(key.parentId)
    if (parent === null && key.parentId !== null) throw new LedgerConflict(`There is no key ${key.parentId}.`)
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
    this.#keys.add(record)
    this.#relate(record)
    return record
  }

  narrowKey(id: string, patch: unknown): KeyRecord {
    const key = this.key(id)
    if (!key) throw new LedgerConflict(`There is no key ${id}.`)
    const narrowed = { ...key, narrowings: [...key.narrowings, patch] }
    this.#db.prepare('update keys set narrowings = ? where id = ?').run(JSON.stringify(narrowed.narrowings), id)
    this.#keys.replace(narrowed)
    return narrowed
  }

  /** Marks the key and every descendant that is not yet revoked; which these were. */
  revoke(id: string, reason: string | null, at: number, inFlight: readonly string[]): readonly string[] {
    const revoked: string[] = []
    const update = this.#db.prepare(
      'update keys set revoked_at = ?, revoke_reason = ?, revoke_in_flight = ? where id = ?',
    )
    for (const each of this.descendants(id)) {
      const key = this.key(each)!
      if (key.revokedAt !== null) continue
      update.run(at, reason, JSON.stringify(each === id ? inFlight : []), each)
      this.#inFlight.set(each, each === id ? inFlight : [])
      this.#keys.replace({ ...key, revokedAt: at, revokeReason: reason })
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
    const key = this.key(id)
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
    // Asked of the file, where a hundred thousand keys are looked through without a record of each.
    const found = this.#db
      .prepare(
        `select id from keys
       where instr(credential_ids, ?) > 0 and revoked_at is null and (expires_at is null or expires_at > ?) order by seq limit 1`,
      )
      .get(JSON.stringify(id), now) as { id: string } | undefined
    const user = found && this.key(found.id)
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

  #relate({ id, parentId, replaces }: Pick<KeyRecord, 'id' | 'parentId' | 'replaces'>): void {
    if (parentId !== null) {
      const siblings = this.#children.get(parentId)
      if (siblings) siblings.push(id)
      else this.#children.set(parentId, [id])
    }
    if (replaces != null) this.#successors.set(replaces, id)
  }
}

const revokedMessage = (key: KeyStanding): string =>
  `The key ${key.id} (${key.name}) was revoked at ${new Date(key.revokedAt!).toISOString()}${key.revokeReason ? `: ${key.revokeReason}` : ''}. Do not retry.`

export const scopeText = (scope: FreezeScope): string => (scope.kind === 'all' ? 'all' : `${scope.kind} ${scope.value}`)
const valueOf = (scope: FreezeScope): string => (scope.kind === 'all' ? '' : scope.value)
/** The row of a freeze, as entries name it. */
export const rowOfScope = (scope: FreezeScope) => ['freezes', scope.kind, valueOf(scope)] as const

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
