import type { Ledger } from './contracts/ledger.js'
import type { Vendor } from './contracts/vendor.js'
import { runtimeOf, type VendorRuntime } from './engine.js'

const NAME = /^[a-z][a-z0-9-]{0,31}$/
/** First segments of our own addresses, and host names that name us. */
const OURS: ReadonlySet<string> = new Set([
  'admin',
  'api',
  'connect',
  'dashboard',
  'healthz',
  'keys',
  'localhost',
  'mcp',
  'metrics',
  'readyz',
  'run',
  'runs',
  'spendgate',
  'tokens',
  'v1',
  'v2',
  'vault',
  'webhooks',
  'www',
])

/**
 * The vendors with a catalogue, and beside them those that exist because a credential names them. Which these are
 * follows from the ledger, so that a restart and every other node know them without being told. One whose last
 * credential was removed is remembered until the next start: its calls are refused, by vendor.
 */
export class KnownVendors extends Map<string, VendorRuntime> {
  readonly #ledger: Pick<Ledger, 'credentials'>
  readonly #make: (name: string) => Vendor

  /** @param make a vendor by configuration, from its name */
  constructor(
    catalogued: readonly (readonly [string, VendorRuntime])[],
    ledger: Pick<Ledger, 'credentials'>,
    make: (name: string) => Vendor,
  ) {
    super()
    for (const [name, runtime] of catalogued) this.set(name, runtime)
    this.#ledger = ledger
    this.#make = make
  }

  override get(name: string): VendorRuntime | undefined {
    const known = super.get(name)
    if (known !== undefined || !NAME.test(name) || OURS.has(name)) return known
    return this.#ledger.credentials().some(({ vendor }) => vendor === name) ? this.#add(name) : undefined
  }

  /** Of all vendors; those by configuration last, so that who finds his among the others need not wait for them. */
  override *values(): MapIterator<VendorRuntime> {
    yield* super.values()
    const before = this.size
    this.#discover()
    yield* [...super.values()].slice(before)
  }

  override keys(): MapIterator<string> {
    this.#discover()
    return super.keys()
  }

  /** The vendor that a new credential is for: known, or made for it. A string is why there cannot be one of that name. */
  forCredential(name: string): Vendor | string {
    const known = this.get(name)?.vendor
    if (known !== undefined) return known
    if (!NAME.test(name))
      return 'A vendor is named with 1 to 32 lower-case letters, digits and dashes, and begins with a letter.'
    const taken = OURS.has(name) || [...super.values()].some(({ vendor }) => vendor.ownsRoot(`/${name}/`))
    if (taken) return `${name} is the beginning of another address here. Choose another name, such as ${name}-api.`
    return this.#make(name)
  }

  #discover(): void {
    for (const { vendor } of this.#ledger.credentials()) if (!this.has(vendor)) this.#add(vendor)
  }

  #add(name: string): VendorRuntime {
    const runtime = runtimeOf(this.#make(name), null)
    this.set(name, runtime)
    return runtime
  }
}
