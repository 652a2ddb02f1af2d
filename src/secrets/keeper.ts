import type { Clock } from '../contracts/clock.js'
import { LedgerFault, type CredentialRecord, type Ledger } from '../contracts/ledger.js'
import type { SecretParts, Vendor } from '../contracts/vendor.js'
import { SealFault, type Vault } from '../custody/seal.js'
import type { Log } from '../log.js'
import type { Backends, Given } from './backends.js'
import { configuredId, factsOf, ofTheKey, settingsOf } from './configured.js'
import { SecretFault } from './fault.js'
import type { Reference } from './reference.js'
import { assembled, referredIn, sealedParts, type Referred } from './referred.js'
import type { ConfiguredCredential, References, SecretSettings } from './settings.js'

/** A look at what is due this often; it costs a comparison a credential. */
const LOOK_MS = 5_000
/** After a backend failed: first this long, then twice as long each time, up to the refresh interval. */
const AGAIN_MS = 5_000
/** A vendor that goes on refusing a key has us ask for a newer one at most so often. */
const REFUSED_MS = 10_000
/** A reference that was replaced is remembered so long for calls that had begun: they read a body meanwhile, no more. */
const GONE_MS = 60_000
/** Before the server listens it waits for backends so long, and then goes on without what has not come. */
const START_MS = 10_000
/** Who rotated, in the audit trail, when a backend had another value; and who added what the configuration file names. */
const BACKEND = 'secret backend'
const CONFIGURATION = 'configuration file'

/** A fetched secret as it is used. */
interface Kept {
  readonly parts: SecretParts
  /** As a record would have it. Another in the record: another node has a newer value, or ours could not be noted. */
  readonly fingerprint: string
  readonly at: number
}

interface Means {
  readonly ledger: Pick<Ledger, 'credential' | 'credentials' | 'putCredential'>
  readonly vault: Vault
  readonly backends: Backends
  readonly settings: SecretSettings
  /** A vendor that is known, or can be made for its name; a string is why there is none. */
  readonly vendor: (name: string) => Vendor | string
  /** Why an address of a vendor by configuration may not be called; null when it may. */
  readonly addressFault: (address: string) => Promise<string | null>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Holds the secrets that are kept elsewhere: fetched before they are needed, asked for again when they grow old or the
 * vendor refuses them, and used while their backend is away for as long as the operator allows. No call waits for a backend.
 */
export class Keeper {
  readonly #means: Means
  /** By the sealed reference, so that one which takes the place of another never leaves a call without either. */
  readonly #kept = new Map<string, Kept>()
  readonly #opened = new Map<string, Referred | null>()
  /** Since when a sealed reference is in no credential any more; calls may have begun with it. */
  readonly #goneAt = new Map<string, number>()
  readonly #failing = new Map<string, { readonly why: string; readonly times: number; readonly nextAt: number }>()
  readonly #underWay = new Map<string, Promise<CredentialRecord>>()
  readonly #refusedAt = new Map<string, number>()
  #changed: ((id: string) => void) | null = null
  #looking: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null

  constructor(means: Means) {
    this.#means = means
  }

  /** Called when a credential has another value than before. */
  onChanged(listener: (id: string) => void): void {
    this.#changed = listener
  }

  /** The parts of a credential whose sealed parts refer elsewhere; null when the secret itself was sealed. */
  partsOf(record: CredentialRecord, sealed: SecretParts): SecretParts | null {
    if (referredIn(sealed) === null) return null
    const kept = this.#kept.get(record.sealed)
    if (kept !== undefined) {
      // Calls that had begun with it may be a little late; operators' acts and reconciliation come here without asking `has`.
      if (this.#means.clock.monotonic() - kept.at <= this.#means.settings.keepMs + GONE_MS) return kept.parts
      throw new SecretFault(
        `The secret of credential ${record.id} (${record.vendor}) is kept elsewhere, and the last value is too old to be used. ${this.#failing.get(record.id)?.why ?? ''}`.trim(),
      )
    }
    throw new SecretFault(
      `The secret of credential ${record.id} (${record.vendor}) is kept elsewhere and has not been had yet. ${this.#failing.get(record.id)?.why ?? ''}`.trim(),
    )
  }

  /** Whether a call under this credential could be sent now: false when its secret is elsewhere and not had, or too old. */
  has(record: CredentialRecord): boolean {
    if (this.#referredOrNull(record) === null) return true
    const kept = this.#kept.get(record.sealed)
    return kept !== undefined && this.#means.clock.monotonic() - kept.at <= this.#means.settings.keepMs
  }

  /** Where the secret of a credential is, for the operator: references by part, `configuration`, or null. */
  whereOf(record: CredentialRecord): Referred | null {
    return this.#referredOrNull(record)
  }

  /** Why the admin API may not refer to this; null when it may. */
  refusal(reference: Reference): string | null {
    return this.#means.backends.refusal(reference)
  }

  /**
   * Asks the backends now for a credential that is about to be stored.
   *
   * @throws SecretFault
   */
  async fetched(vendor: Vendor, { plain, references }: Referred, configured?: References): Promise<SecretParts> {
    const wanted = references ?? configured ?? {}
    const given = await Promise.all(
      Object.entries(wanted).map(async ([part, reference]): Promise<[string, Given]> => {
        // The operator may have narrowed what the API may refer to since this was stored.
        const why = references === null ? null : this.#means.backends.refusal(reference)
        if (why !== null) throw new SecretFault(why)
        return [part, await this.#means.backends.ask(reference)]
      }),
    )
    return assembled(vendor, plain, wanted, Object.fromEntries(given))
  }

  /** What was fetched for a credential that is stored now. */
  keep(record: CredentialRecord, parts: SecretParts): void {
    const { fingerprint } = record
    this.#kept.set(record.sealed, { parts, fingerprint, at: this.#means.clock.monotonic() })
    this.#failing.delete(record.id)
  }

  /**
   * Asks the backends for a stored credential's secret, now. A value that differs takes the place of the old one, here and
   * in the record; calls under way finish with the one they left with.
   *
   * @returns the record as it stands then
   * @throws SecretFault when it is not to be had; the last value stays in use for as long as it may
   */
  refresh(record: CredentialRecord, actor: string): Promise<CredentialRecord> {
    const key = `${record.id} ${record.sealed}`
    let under = this.#underWay.get(key)
    if (under === undefined) {
      under = this.#refresh(record, actor).finally(() => this.#underWay.delete(key))
      this.#underWay.set(key, under)
    }
    return under
  }

  /** The vendor has refused a key. Whether there is another one now than when that call was opened. */
  async refused(record: CredentialRecord, opened: SecretParts): Promise<boolean> {
    if (this.#referred(record) === null) return false
    const { ledger, clock } = this.#means
    const now = clock.monotonic()
    const differs = (): boolean => {
      const standing = ledger.credential(record.id) ?? record
      return !same(this.#kept.get(standing.sealed)?.parts ?? opened, opened)
    }
    if (differs()) return true
    if (now - (this.#refusedAt.get(record.id) ?? -Infinity) < REFUSED_MS) {
      // Several calls are refused at once: what one of them has set going is for all.
      await this.#underWay.get(`${record.id} ${record.sealed}`)?.catch(() => undefined)
      return differs()
    }
    this.#refusedAt.set(record.id, now)
    try {
      await this.refresh(ledger.credential(record.id) ?? record, BACKEND)
    } catch (fault) {
      if (!(fault instanceof SealFault)) throw fault
    }
    return differs()
  }

  /** Before the server listens: what is referred to is had, or it is known why not. */
  async ready(): Promise<void> {
    let late: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => (late = setTimeout(resolve, START_MS)))
    await Promise.race([this.look(), limit])
    clearTimeout(late)
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), LOOK_MS).unref()
  }

  /** Fetches what is due. Never throws: each fault is logged once, when it begins. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = null)))
  }

  async #look(): Promise<void> {
    const { ledger, settings, clock } = this.#means
    const now = clock.monotonic()
    const records = ledger.credentials().filter((record) => this.#referredOrNull(record) !== null)
    this.#forget(now)
    const due = records.filter((record) => {
      const kept = this.#kept.get(record.sealed)
      if ((this.#failing.get(record.id)?.nextAt ?? 0) > now) return false
      return kept === undefined || kept.fingerprint !== record.fingerprint || now - kept.at >= settings.refreshMs
    })
    await Promise.all([
      ...due.map((record) => this.refresh(record, BACKEND).catch((fault: unknown) => this.#told(fault, record))),
      ...settings.credentials.map((each) => this.#entered(each)),
    ])
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await this.#means.backends.close()
    await Promise.allSettled(this.#underWay.values())
  }

  #forget(now: number): void {
    const records = this.#means.ledger.credentials()
    const living = new Set(records.map(({ sealed }) => sealed))
    for (const sealed of this.#opened.keys()) {
      const goneAt = this.#goneAt.get(sealed)
      if (living.has(sealed)) this.#goneAt.delete(sealed)
      else if (goneAt === undefined) this.#goneAt.set(sealed, now)
      else if (now - goneAt > GONE_MS) for (const map of [this.#kept, this.#opened, this.#goneAt]) map.delete(sealed)
    }
    const ids = new Set(records.map(({ id }) => id))
    const places = this.#means.settings.credentials.map(({ vendor, name }) => `${vendor}/${name}`)
    for (const map of [this.#failing, this.#refusedAt])
      for (const id of map.keys()) if (!ids.has(id) && !places.includes(id)) map.delete(id)
  }

  async #refresh(record: CredentialRecord, actor: string): Promise<CredentialRecord> {
    try {
      return await this.#replaced(record, actor)
    } catch (fault) {
      if (fault instanceof SealFault) this.#failed(record.id, record.vendor, fault)
      throw fault
    }
  }

  /** Told once; asked again after a while. */
  #failed(id: string, vendor: string, fault: SealFault): void {
    const { clock, settings, log } = this.#means
    const times = (this.#failing.get(id)?.times ?? 0) + 1
    const waitMs = Math.min(AGAIN_MS * 2 ** Math.min(times - 1, 10), settings.refreshMs)
    this.#failing.set(id, { why: fault.message, times, nextAt: clock.monotonic() + waitMs })
    if (times === 1) log('error', 'secret_unavailable', { credential: id, vendor, message: fault.message })
  }

  async #replaced(record: CredentialRecord, actor: string): Promise<CredentialRecord> {
    const { ledger, vault, clock, log } = this.#means
    const referred = this.#referred(record)
    if (referred === null)
      throw new SecretFault(`The secret of ${record.id} is stored here and refers to no other place.`)
    const vendor = this.#vendor(record.vendor)
    const configured = referred.references === null ? await this.#configured(record, vendor, referred.plain) : undefined
    const plain = { ...configured?.parts, ...referred.plain }
    const parts = await this.fetched(vendor, { ...referred, plain }, configured?.references)
    const facts = factsOf(vendor, parts)
    // Issued keys say which mode and account they are for, so neither can change under them.
    if (facts.test !== record.test || (record.account !== '' && facts.account !== record.account))
      throw new SecretFault(
        `What is kept elsewhere for ${record.id} is a key of another account or mode now, and is not used. Store it as a new credential.`,
      )
    // Meanwhile the operator may have rotated it to something else, which counts.
    const stands = ledger.credential(record.id)
    if (stands === null || stands.sealed !== record.sealed) return stands ?? record
    const before = this.#kept.get(record.sealed)
    const recovered = this.#failing.delete(record.id)
    const fingerprint = vault.credentialFingerprint(ofTheKey(vendor, parts))
    this.#kept.set(record.sealed, { parts, fingerprint, at: clock.monotonic() })
    if (recovered) log('info', 'secret_available', { credential: record.id, vendor: record.vendor })
    if (fingerprint === stands.fingerprint) {
      // What signs webhooks may have changed apart from the key: whoever opens it must look again.
      if (before !== undefined && !same(before.parts, parts)) this.#changed?.(record.id)
      return stands
    }
    this.#changed?.(record.id)
    const next = { ...stands, account: facts.account, fingerprint, last4: facts.last4, rotatedAt: clock.now() }
    try {
      await ledger.putCredential(next, 'credential.rotated', actor)
    } catch (fault) {
      // It is in use already; the record is put right at the next look.
      if (!(fault instanceof LedgerFault)) throw fault
      log('error', 'ledger_fault', { message: fault.message })
    }
    return next
  }

  #vendor(name: string): Vendor {
    const vendor = this.#means.vendor(name)
    if (typeof vendor === 'string') throw new SecretFault(`There is no vendor ${name}. ${vendor}`)
    return vendor
  }

  /** What the file says of a credential today. Where its calls go cannot change under the keys that were issued. */
  async #configured(record: CredentialRecord, vendor: Vendor, sealed: SecretParts): Promise<ConfiguredCredential> {
    const place = `${record.vendor}/${record.name}`
    const found = this.#means.settings.credentials.find(
      ({ vendor: of, name }) => of === record.vendor && name === record.name,
    )
    if (found === undefined)
      throw new SecretFault(
        `The reference of ${record.id} stood in the configuration file, under credentials: ${place}. It is not there any more.`,
      )
    if (same(await settingsOf(found, vendor, this.#means.addressFault), sealed)) return found
    throw new SecretFault(
      `The configuration file has another base_url, auth or headers for ${place} than ${record.id} was begun with. Give it another name, and keys of its own.`,
    )
  }

  /** Enters a credential of the configuration file into the ledger, the first time its secret is had. */
  async #entered(wanted: ConfiguredCredential): Promise<void> {
    const { ledger, vault, clock, log } = this.#means
    const { vendor: vendorName, name } = wanted
    const place = `${vendorName}/${name}`
    if ((this.#failing.get(place)?.nextAt ?? 0) > clock.monotonic()) return
    const standing = ledger.credentials().find((record) => record.vendor === vendorName && record.name === name)
    try {
      if (standing !== undefined) {
        if (this.#referredOrNull(standing)?.references === null) return
        throw new SecretFault(
          `The configuration file names ${place}, and ${standing.id} of that name was stored through the API. That one stays: remove it, or take it out of the file.`,
        )
      }
      const vendor = this.#vendor(vendorName)
      const settings = await settingsOf(wanted, vendor, this.#means.addressFault)
      const plain = { ...wanted.parts, ...settings }
      const parts = await this.fetched(vendor, { plain, references: null }, wanted.references)
      const facts = factsOf(vendor, parts)
      const id = configuredId(wanted)
      const record: CredentialRecord = {
        id,
        vendor: vendorName,
        name,
        ...facts,
        apiVersion: wanted.apiVersion,
        fingerprint: vault.credentialFingerprint(ofTheKey(vendor, parts)),
        sealed: vault.seal({ id, vendor: vendorName }, sealedParts({ plain: settings, references: null })),
        createdAt: clock.now(),
        rotatedAt: null,
      }
      await ledger.putCredential(record, 'credential.added', CONFIGURATION)
      this.keep(record, parts)
      if (this.#failing.delete(place)) log('info', 'secret_available', { credential: place, vendor: vendorName })
    } catch (fault) {
      if (fault instanceof LedgerFault) log('error', 'ledger_fault', { message: fault.message })
      else if (fault instanceof SealFault) this.#failed(place, vendorName, fault)
      else log('error', 'secret_fault', { credential: place, message: (fault as Error).message })
    }
  }

  /** @throws SealFault when the master key does not open it */
  #referred(record: CredentialRecord): Referred | null {
    const known = this.#opened.get(record.sealed)
    if (known !== undefined) return known
    const { vault } = this.#means
    const referred = referredIn(vault.open({ id: record.id, vendor: record.vendor }, record.sealed))
    this.#opened.set(record.sealed, referred)
    return referred
  }

  #referredOrNull(record: CredentialRecord): Referred | null {
    try {
      return this.#referred(record)
    } catch (fault) {
      if (fault instanceof SealFault) return null // Whoever opens it to send a call says so.
      throw fault
    }
  }

  #told(fault: unknown, { id }: CredentialRecord): void {
    if (fault instanceof SealFault) return
    this.#means.log('error', 'secret_fault', { credential: id, message: (fault as Error).message })
  }
}

const same = (a: SecretParts, b: SecretParts): boolean =>
  a === b ||
  (Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, part]) => b[name] === part))
