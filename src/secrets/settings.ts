import type { BindingWish } from '../contracts/binding.js'
import type { SecretParts } from '../contracts/vendor.js'
import type { Secret } from '../custody/secret.js'
import type { Reference } from './reference.js'

/** What the operator has set up about secrets that are kept elsewhere. */
export interface SecretSettings {
  /** A value older than this is asked for again. */
  readonly refreshMs: number
  /** While its backend does not answer, a value is used up to this age and no longer. */
  readonly keepMs: number
  readonly vault: VaultSettings | null
  readonly aws: { readonly region: string | null; readonly profile: string | null } | null
  /** Whether 1Password may be asked. */
  readonly op: boolean
  /** Patterns of what the admin API may refer to; null: whatever the backends that are set up have. */
  readonly allow: readonly string[] | null
  readonly credentials: readonly ConfiguredCredential[]
}

export interface VaultSettings {
  /** An origin, and whatever path Vault is reached under, without a slash at the end. */
  readonly address: string
  /** Null where the token is in a file. */
  readonly token: Secret | null
  /** Read again for each request, because an agent renews it. */
  readonly tokenFile: string | null
  /** '' for none. */
  readonly namespace: string
}

/** A credential that stands in the configuration file: no secret, but where it is. */
export interface ConfiguredCredential {
  readonly vendor: string
  readonly name: string
  /** Parts that are no secrets, such as an account's id. */
  readonly parts: SecretParts
  readonly references: References
  /** How a vendor by configuration is reached; empty for one that has addresses of its own. */
  readonly wish: BindingWish
  /** '' for the vendor's default. */
  readonly apiVersion: string
}

/** References by the part they give. `*` is for one that gives all parts, or the only one a vendor's key has. */
export type References = Readonly<Record<string, Reference>>
export const ALL_PARTS = '*'

/** Nothing is set up: secrets lie sealed in the ledger. */
export const NO_BACKENDS: SecretSettings = {
  refreshMs: 5 * 60_000,
  keepMs: 60 * 60_000,
  vault: null,
  aws: null,
  op: false,
  allow: null,
  credentials: [],
}
