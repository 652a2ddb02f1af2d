import type { Archiver, CredentialRecord, Ledger } from '../contracts/ledger.js'
import type { PriceTable, Vendor } from '../contracts/vendor.js'
import type { Vault } from '../custody/seal.js'
import type { Door } from '../dashboard/door.js'
import type { OidcSettings } from '../dashboard/oidc-settings.js'
import type { Finding } from '../ledger/check.js'
import type { Operators } from '../ledger/operators.js'
import type { Rehearsal } from '../rehearsal/index.js'
import type { Reconciler, Report } from '../reconcile/index.js'
import type { Reversals } from '../reversal/index.js'
import type { Keeper } from '../secrets/keeper.js'
import type { GuardDeps } from './guard.js'
import type { IssueDeps } from './issue.js'
import type { Reach } from './take-back.js'

/** What the admin API is built on. What is optional leaves its calls out when absent. */
export interface AdminDeps extends GuardDeps, IssueDeps {
  readonly ledger: Ledger
  readonly vault: Vault
  /** spendgate's own version, for the OpenAPI document. */
  readonly version: string
  /** Whether new calls can be taken, and if not, why: sentences without vendors or secrets, since anyone may ask. */
  ready(): { readonly ok: boolean; readonly faults: readonly string[]; readonly warnings?: readonly string[] }
  /** What the server stands on, and the operator's word on it. */
  readonly standing?: {
    storage(): readonly Finding[]
    /** The wall clock is right, whatever it looked like. */
    confirmClock(): void
  }
  /** Prometheus text exposition. */
  readonly metrics?: () => Promise<string> | string
  /** Opens /metrics beside the admin token, and nothing else. */
  readonly metricsToken?: { check(token: string): boolean }
  /** Vendors by configuration: made for a name, or why there can be none of it; and why an address may not be called. */
  readonly configured?: {
    vendor(name: string): Vendor | string
    fault(address: string): Promise<string | null>
  }
  /** Called after rates or prices were stored. */
  onTablesChanged(): void
  /** Makes a new price table from a vendor's own price lists, by vendor name. A string is why there is none. */
  readonly priceSyncs?: Readonly<Record<string, PriceSync>>
  /** What policies would say, without spending anything. */
  readonly rehearsal?: Rehearsal
  /** How vendors are reached to cancel what is still to come. Absent: it is listed, and cancelled by hand. */
  readonly reach?: Reach
  /** Holds the secrets that are kept elsewhere. Absent: every secret is stored here. */
  readonly keeper?: Keeper
  /** Reconciles with the vendors' own records. */
  readonly reconciler?: Pick<Reconciler, 'run' | 'progress'> & {
    /** The last whole run of this node, whoever asked for it; null before the first. */
    last?(): { readonly at: number; readonly report: Report } | null
  }
  /** Plans what would undo a run, and does what the operator confirms. */
  readonly reversals?: Reversals
  /** Where pruned history goes, and how a person who was erased is named in the entry. */
  readonly history?: { readonly archive: Archiver; subject(text: string): string }
  /** Who may act beside the holder of the admin token. Absent: nobody. */
  readonly operators?: Operators
  /** The provider that vouches for people at the dashboard, and where it is to send them back to. Absent: they show a token. */
  readonly oidc?: { readonly settings: OidcSettings; redirectUri(): string }
  /** Who may see the dashboard. Absent: only who shows the admin token there. */
  readonly door?: Door
  /** Where backups without an absolute path go. */
  readonly backupDir?: string
  /**
   * Told of whatever was done in somebody's name, also where the ledger has no entry of it (a backup, a reconciliation).
   *
   * @param actor as entries name it @param what `POST /admin/v1/backup`, ids as they stood
   */
  readonly onAction?: (actor: string, what: string) => void
  /** Told of faults and bugs whose text a reply does not give. */
  readonly onFault?: (fault: unknown) => void
}

export type PriceSync = (
  credential: CredentialRecord,
  wish: {
    readonly inForce: PriceTable
    /** The day the table is of. */
    readonly asOf: string
    readonly walked: (done: number, of: number) => void
  },
) => Promise<{ readonly table: PriceTable } | { readonly why: string }>
