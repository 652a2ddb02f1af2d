import type { Archiver, CredentialRecord, Ledger } from '../contracts/ledger.js'
import type { Usd } from '../contracts/money.js'
import type { Json, PriceTable } from '../contracts/vendor.js'
import type { Vault } from '../custody/seal.js'
import type { Door } from '../dashboard/door.js'
import type { Finding } from '../ledger/check.js'
import type { Reconciler } from '../reconcile/index.js'
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
  /** Called after rates or prices were stored. */
  onTablesChanged(): void
  /** Makes a new price table from a vendor's own price lists, by vendor name. A string is why there is none. */
  readonly priceSyncs?: Readonly<Record<string, PriceSync>>
  /** What a policy would say to a request, without spending anything. */
  readonly test?: (document: unknown, request: PolicyTestRequest) => Promise<PolicyTestResult>
  /** How vendors are reached to cancel what is still to come. Absent: it is listed, and cancelled by hand. */
  readonly reach?: Reach
  /** Reconciles with the vendors' own records. */
  readonly reconciler?: Pick<Reconciler, 'run' | 'progress'>
  /** Where pruned history goes, and how a person who was erased is named in the entry. */
  readonly history?: { readonly archive: Archiver; subject(text: string): string }
  /** Who may see the dashboard. Absent: only who shows the admin token there. */
  readonly door?: Door
  /** Where backups without an absolute path go. */
  readonly backupDir?: string
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

export interface PolicyTestRequest {
  readonly vendor: string
  readonly method: string
  readonly path: string
  readonly form?: Readonly<Record<string, string>> | undefined
  readonly json?: Json | undefined
}

export interface PolicyTestResult {
  readonly verdict: 'allow' | 'deny' | 'would_deny'
  readonly code: string | null
  readonly rule: string | null
  readonly message: string | null
  readonly operation: string | null
  readonly effect: string | null
  readonly quoted: Usd | null
}
