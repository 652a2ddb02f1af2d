/** What the load generator must know of something that is measured. */
export interface TargetFacts {
  readonly port: number
  readonly path: string
  readonly authorization: string
  /** Processes that do its work; empty means its own. */
  readonly pids: readonly number[]
  /** Version, for the report. */
  readonly version: string
}

export interface TargetOptions {
  readonly upstream: number
  /** A directory of its own, on the disk that is measured. */
  readonly directory: string
}

/** The key a pass-through puts in place of the one it was given: every target at least swaps the key. */
export const REAL_KEY = 'sk_test_bench0123456789abcdef'
export const AGENT_KEY = 'rk_vault_test_bench0123456789abcdef'
export const PATH = '/v1/payment_intents'

/** A payment confirmed at once, which is over with the reply. */
export const PAID = 'amount=100&currency=usd&customer=cus_A&payment_method=pm_A&confirm=true&metadata[order]=6735'
/** An intent for somebody to pay later: the ledger also keeps what the object counts for. */
export const OPEN = 'amount=100&currency=usd&customer=cus_A&metadata[order]=6735'
