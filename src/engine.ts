import { Catalogue } from './catalogue.js'
import type { Clock } from './contracts/clock.js'
import type { CredentialRecord, KeyRecord, Ledger } from './contracts/ledger.js'
import type { Rates } from './contracts/money.js'
import type { Judge, Level, Policy } from './contracts/policy.js'
import type { Prices, Question, Vendor } from './contracts/vendor.js'
import type { KeyDigest } from './custody/keys.js'
import type { Vault } from './custody/seal.js'
import type { Metrics } from './metrics.js'
import type { Traces } from './traces.js'
import { Scrubber } from './wire/scrub.js'
import type { Upstream } from './wire/upstream.js'

/** A vendor made ready to serve. */
export interface VendorRuntime {
  readonly vendor: Vendor
  readonly catalogue: Catalogue
  /** Origin that stands in for all of the vendor's hosts, or null. */
  readonly override: string | null
  /** Origin that stands in for the vendor's hosted MCP server, or null. */
  readonly mcpOverride: string | null
}

/**
 * @param override origin that stands in for the vendor's hosts, or null
 * @param mcpOverride another one for its hosted MCP server, or null
 */
export const runtimeOf = (
  vendor: Vendor,
  override: string | null,
  mcpOverride: string | null = null,
): VendorRuntime => ({
  vendor,
  catalogue: new Catalogue(vendor),
  override,
  mcpOverride,
})

/** Everything the pipeline works with. Made once, in main. */
export interface Engine {
  readonly ledger: Ledger
  readonly judge: Judge
  readonly vendors: ReadonlyMap<string, VendorRuntime>
  readonly digest: KeyDigest
  /** HMAC of a principal's idempotency key: what the vendor and the ledger see instead of the client's own. */
  readonly namespace: (principal: string, clientKey: string) => string
  readonly credentials: Credentials
  readonly standings: Standings
  readonly upstream: Upstream
  readonly tables: { readonly rates: Rates; prices(vendor: string): Prices }
  /** Operations whose hard refusal the operator has lifted (`--unlock`), by id. */
  readonly unlocked: ReadonlySet<string>
  /** Where the operator decides on an approval request. Absent: refusals name the request alone. */
  readonly approvalLink?: (id: string) => string
  readonly clock: Clock & { suspect(): string | null }
  readonly metrics: Metrics
  /** Absent: nobody collects spans. */
  readonly traces?: Traces
  readonly log: (
    level: 'error' | 'warn' | 'info' | 'debug',
    event: string,
    fields: Readonly<Record<string, unknown>>,
  ) => void
}

/** A credential opened for use. */
export interface OpenCredential {
  readonly record: CredentialRecord
  /** The value of the Authorization header. */
  readonly authorization: string
  /** Names (lower case) and values of the headers every call under it gets, the pinned API version among them. */
  readonly fixedHeaders: readonly string[]
  readonly scrubber: Scrubber
}

const OPEN_MS = 60_000

/** Opens sealed credentials when a call needs them, and keeps each open for at most a minute. */
export class Credentials {
  readonly #ledger: Ledger
  readonly #vault: Vault
  readonly #vendors: ReadonlyMap<string, VendorRuntime>
  readonly #clock: Clock
  readonly #open = new Map<string, OpenCredential & { readonly until: number }>()

  constructor(ledger: Ledger, vault: Vault, vendors: ReadonlyMap<string, VendorRuntime>, clock: Clock) {
    this.#ledger = ledger
    this.#vault = vault
    this.#vendors = vendors
    this.#clock = clock
  }

  /** The key's credential for a vendor, or null when it has none. */
  of(key: KeyRecord, vendor: string): CredentialRecord | null {
    for (const id of key.credentialIds) {
      const record = this.#ledger.credential(id)
      if (record?.vendor === vendor) return record
    }
    return null
  }

  /** @throws SealFault when the master key does not open it */
  open(record: CredentialRecord): OpenCredential {
    const now = this.#clock.monotonic()
    const kept = this.#open.get(record.id)
    if (kept && kept.record === record && kept.until > now) return kept
    const { vendor } = this.#vendors.get(record.vendor)!
    const parts = this.#vault.open({ id: record.id, vendor: record.vendor }, record.sealed)
    const opened = {
      record,
      authorization: vendor.authorize(parts),
      fixedHeaders: Object.entries(vendor.fixedHeaders(record.apiVersion)).flatMap(([name, value]) => [
        name.toLowerCase(),
        value,
      ]),
      scrubber: new Scrubber(vendor.secrets(parts)),
      until: now + OPEN_MS,
    }
    this.#open.set(record.id, opened)
    return opened
  }

  /**
   * One part of a credential that is not the key itself: what a vendor signs its webhooks with. Null when it has none.
   *
   * @throws SealFault when the master key does not open it
   */
  part(record: CredentialRecord, name: string): string | null {
    return this.#vault.open({ id: record.id, vendor: record.vendor }, record.sealed)[name] ?? null
  }
}

/** The policies in force for a key: its own and its ancestors'. */
export interface Standing {
  readonly levels: readonly Level[]
  /** The same policies without repetition. */
  readonly policies: readonly Policy[]
  readonly perMinute: readonly (number | null)[]
  /** How long requests for approval stand under the strictest of them; null when none wants approvals. */
  readonly approvalMs: number | null
  /** Whether every policy of them that wants approvals lets the person at the client decide. */
  readonly clientApproves: boolean
  /** Whether any of them refuses identical writes. */
  readonly guarded: boolean
  /** Which allowlists any of them sets for a vendor. */
  restricted(vendor: string): Question['restricted']
  /** Whether all of them permit what reveals credentials of a vendor. */
  revealing(vendor: string): boolean
}

/** Compiles policies once a key and notices when the key or an ancestor was narrowed. */
export class Standings {
  readonly #ledger: Ledger
  readonly #judge: Judge
  readonly #kept = new WeakMap<KeyRecord, { readonly chain: readonly KeyRecord[]; readonly standing: Standing }>()
  readonly #records = new Map<string, { readonly document: unknown; readonly version: number }>()

  constructor(ledger: Ledger, judge: Judge) {
    this.#ledger = ledger
    this.#judge = judge
  }

  of(key: KeyRecord): Standing {
    const kept = this.#kept.get(key)
    if (kept && kept.chain.every((each) => this.#ledger.key(each.id) === each)) return kept.standing
    const chain: KeyRecord[] = []
    for (let at: KeyRecord | null = key; at !== null; at = at.parentId === null ? null : this.#ledger.key(at.parentId))
      chain.push(at)
    const levels = chain.map((each) => ({
      keyId: each.id,
      rootId: each.rootId,
      run: each.run,
      runCap: each.runCap,
      policy: this.#policy(each),
    }))
    const policies = [...new Set(levels.map((level) => level.policy))]
    const standing = {
      levels,
      policies,
      perMinute: levels.map((level) => level.policy.perMinute),
      approvalMs: policies
        .filter(({ approvalAbove }) => approvalAbove !== null)
        .reduce<number | null>((least, { approvalMs }) => Math.min(least ?? approvalMs, approvalMs), null),
      clientApproves: policies.every(
        ({ approvalAbove, approvalBy }) => approvalAbove === null || approvalBy === 'client',
      ),
      guarded: policies.some((policy) => policy.duplicateWithinMs !== null),
      restricted: restrictions(policies),
      revealing: (vendor: string) =>
        policies.every((policy) => policy.vendors.get(vendor)?.permit.has('credential') === true),
    }
    this.#kept.set(key, { chain, standing })
    return standing
  }

  #policy(key: KeyRecord): Policy {
    let record = this.#records.get(key.policyId)
    if (record === undefined) {
      record = this.#ledger.policies().find((each) => each.id === key.policyId)
      if (record === undefined) throw new Error(`the policy ${key.policyId} of ${key.id} is gone`)
      this.#records.set(key.policyId, record)
    }
    return this.#judge.compile(record.document, record.version, key.narrowings)
  }
}

function restrictions(policies: readonly Policy[]): Standing['restricted'] {
  const known = new Map<string, Question['restricted']>()
  return (vendor) => {
    let found = known.get(vendor)
    if (found === undefined) {
      const blocks = policies.map((policy) => policy.vendors.get(vendor))
      found = {
        customers: blocks.some((block) => block?.customers !== undefined),
        recipients: blocks.some((block) => block?.recipients !== undefined),
        senders: blocks.some((block) => block?.senders !== undefined),
      }
      known.set(vendor, found)
    }
    return found
  }
}
