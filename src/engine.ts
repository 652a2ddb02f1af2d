import { Catalogue } from './catalogue.js'
import type { Bindings, Places } from './contracts/binding.js'
import type { Clock } from './contracts/clock.js'
import type { CredentialRecord, KeyRecord, Ledger } from './contracts/ledger.js'
import type { Rates } from './contracts/money.js'
import type { Judge, Level, Policy } from './contracts/policy.js'
import type { Prices, Question, SecretParts, Vendor } from './contracts/vendor.js'
import type { KeyDigest } from './custody/keys.js'
import { SealFault, type Vault } from './custody/seal.js'
import type { Fault } from './exchange.js'
import type { Metrics } from './metrics.js'
import { SecretFault } from './secrets/fault.js'
import type { Keeper } from './secrets/keeper.js'
import { REFERENCE_PART } from './secrets/referred.js'
import { REFUSED } from './secrets/renewing.js'
import type { Traces } from './traces.js'
import { boundTo, type Bound } from './wire/bound.js'
import { Scrubber } from './wire/scrub.js'
import type { Upstream } from './wire/upstream.js'

/** A vendor made ready to serve. */
export interface VendorRuntime {
  readonly vendor: Vendor
  readonly catalogue: Pick<Catalogue, 'match'>
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
): VendorRuntime => {
  let catalogue: VendorRuntime['catalogue'] | null = null
  return {
    vendor,
    /** Made with the first call: of most installations most vendors are never asked. */
    get catalogue() {
      return (catalogue ??= vendor.bindings === undefined ? new Catalogue(vendor) : anything(vendor.bindings))
    },
    override,
    mcpOverride,
  }
}

/** In place of a table: of a vendor by configuration every path is one, and policies say which are open. */
const anything = (bindings: Bindings): Pick<Catalogue, 'match'> => ({
  match(method, path) {
    const operation = bindings.operation(method)
    return operation && { operation, params: { path }, aliases: [] }
  },
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
  /** Set where address and entry belong to the credential; `authorization` is empty then. */
  readonly bound?: Bound
  /** Where the secret is kept elsewhere: after the vendor refused it, the credential under the one of now, or null when that is the same. */
  readonly renewed?: () => Promise<OpenCredential | null>
}

const OPEN_MS = 60_000
/** A secret that another has taken the place of is looked for in replies so long: the longest call takes less. */
const OLD_MS = 15 * 60_000

/** Opens sealed credentials when a call needs them, and keeps each open for at most a minute. */
export class Credentials {
  readonly #ledger: Ledger
  readonly #vault: Vault
  readonly #vendors: ReadonlyMap<string, VendorRuntime>
  readonly #clock: Clock
  readonly #elsewhere: Keeper | null
  readonly #open = new Map<string, OpenCredential & { readonly until: number }>()
  readonly #recent = new Map<string, Map<string, number>>()
  readonly #places = new WeakMap<CredentialRecord, Places>()

  /** @param elsewhere holds the secrets that are kept elsewhere; without it none of those opens */
  constructor(
    ledger: Ledger,
    vault: Vault,
    vendors: ReadonlyMap<string, VendorRuntime>,
    clock: Clock,
    elsewhere: Keeper | null = null,
  ) {
    this.#ledger = ledger
    this.#vault = vault
    this.#vendors = vendors
    this.#clock = clock
    this.#elsewhere = elsewhere
    elsewhere?.onChanged((id) => this.#open.delete(id))
  }

  /** The key's credential for a vendor, or null when it has none. */
  of(key: KeyRecord, vendor: string): CredentialRecord | null {
    for (const id of key.credentialIds) {
      const record = this.#ledger.credential(id)
      if (record?.vendor === vendor) return record
    }
    return null
  }

  /** Why no call can go out under the key's credential, although it has one; null when one can. */
  unavailable(key: KeyRecord, vendor: string): Fault | null {
    const record = this.#elsewhere === null ? null : this.of(key, vendor)
    if (record === null || this.#elsewhere!.has(record)) return null
    return {
      code: 'upstream_unavailable',
      message: `The operator keeps the key for ${vendor} in another place, which has not given it. Nothing was sent, and nothing is counted. Retry later.`,
    }
  }

  /**
   * The parts of a credential, wherever its secret is kept.
   *
   * @throws SealFault when the master key does not open it, or it is kept elsewhere and was not had yet
   */
  parts(record: CredentialRecord): SecretParts {
    const sealed = this.#vault.open({ id: record.id, vendor: record.vendor }, record.sealed)
    const parts = this.#elsewhere?.partsOf(record, sealed) ?? sealed
    if (parts[REFERENCE_PART] === undefined) return parts
    throw new SecretFault(`The secret of credential ${record.id} is kept elsewhere, where this process does not ask.`)
  }

  /** Where clients of a vendor by configuration show their key, by whichever of its credentials. */
  places(vendor: string): Places {
    const { bindings } = this.#vendors.get(vendor)?.vendor ?? {}
    const all = this.#ledger.credentials().filter((record) => bindings !== undefined && record.vendor === vendor)
    const known = all.map((record) => {
      const kept = this.#places.get(record)
      if (kept !== undefined) return kept
      const found = this.#placesOf(record, bindings!)
      this.#places.set(record, found)
      return found
    })
    if (known.length === 1) return known[0]!
    return { headers: known.flatMap(({ headers }) => headers), query: known.flatMap(({ query }) => query) }
  }

  #placesOf(record: CredentialRecord, bindings: Bindings): Places {
    try {
      return bindings.places(this.#vault.open({ id: record.id, vendor: record.vendor }, record.sealed))
    } catch (fault) {
      // Its calls say so; those under other credentials of the vendor go on.
      if (fault instanceof SealFault) return { headers: [], query: [] }
      throw fault
    }
  }

  /** @throws SealFault as `parts` */
  open(record: CredentialRecord): OpenCredential {
    const now = this.#clock.monotonic()
    const kept = this.#open.get(record.id)
    if (kept && kept.record === record && kept.until > now) return kept
    const { vendor } = this.#vendors.get(record.vendor)!
    const parts = this.parts(record)
    const secrets = vendor.secrets(parts)
    const scrubber = new Scrubber([...secrets, ...this.#recently(record.id, secrets, now)])
    const binding = vendor.bindings?.of(parts)
    const opened: OpenCredential & { readonly until: number } = {
      record,
      authorization: vendor.authorize(parts),
      fixedHeaders: [
        ...Object.entries(vendor.fixedHeaders(record.apiVersion)).flatMap(([name, value]) => [
          name.toLowerCase(),
          value,
        ]),
        ...(binding?.headers ?? []),
      ],
      scrubber,
      ...(binding && { bound: boundTo(binding, `${record.id}/${record.sealed}`, scrubber, this.#clock) }),
      until: now + OPEN_MS,
      // Only where its refusal is the vendor's word that nothing was done.
      ...(this.#elsewhere?.whereOf(record) &&
        REFUSED.every((status) => vendor.verdict(status) === 'released') && {
          renewed: () => this.#renewed(opened, parts),
        }),
    }
    this.#open.set(record.id, opened)
    return opened
  }

  /** Secrets that were in force until lately: a vendor may still show them. */
  #recently(id: string, secrets: readonly string[], now: number): string[] {
    const recent = this.#recent.get(id) ?? new Map<string, number>()
    this.#recent.set(id, recent)
    for (const [secret, until] of recent) if (until <= now) recent.delete(secret)
    const old = [...recent.keys()].filter((secret) => !secrets.includes(secret))
    for (const secret of secrets) recent.set(secret, now + OLD_MS)
    return old
  }

  async #renewed(opened: OpenCredential, parts: SecretParts): Promise<OpenCredential | null> {
    const { record } = opened
    if (!(await this.#elsewhere!.refused(record, parts))) return null
    try {
      const next = this.open(this.#ledger.credential(record.id) ?? record)
      // The reply is searched by whoever opened the first one.
      const { vendor } = this.#vendors.get(record.vendor)!
      for (const secret of vendor.secrets(this.parts(next.record))) opened.scrubber.add(secret)
      return next
    } catch (fault) {
      if (fault instanceof SealFault) return null // There is no newer one to be used: the refusal is the answer.
      throw fault
    }
  }

  /**
   * One part of a credential that is not the key itself: what a vendor signs its webhooks with. Null when it has none, or
   * when it is kept elsewhere and was not had yet.
   *
   * @throws SealFault when the master key does not open it
   */
  part(record: CredentialRecord, name: string): string | null {
    try {
      return this.parts(record)[name] ?? null
    } catch (fault) {
      if (fault instanceof SecretFault) return null
      throw fault
    }
  }
}

/** The policies in force for a key: its own and its ancestors'. */
export interface Standing {
  readonly levels: readonly Level[]
  /** One for each level, or the only one where all have the same. */
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
    const own = levels[0]!.policy
    const policies = levels.every(({ policy }) => policy === own) ? [own] : levels.map(({ policy }) => policy)
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
        costs: blocks.flatMap((block) => block?.costs ?? []),
      }
      known.set(vendor, found)
    }
    return found
  }
}
