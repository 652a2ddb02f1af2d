/** What the load generator must know of something that is measured. */
export interface TargetFacts {
  readonly port: number
  readonly path: string
  readonly authorization: string
  /** Processes that do its work; empty means its own. */
  readonly pids: readonly number[]
  /** Version, for the report. */
  readonly version: string
  /** Given where it cannot take the request all others get, and is measured unlike for like. */
  readonly own?: OwnRequest
}

export interface OwnRequest {
  /** Lines of the head, in place of those that only Stripe's form has. */
  readonly headers: readonly string[]
  /** May hold NUMBER, which is another in each request. */
  readonly body: string
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

/** Where it stands in a request the load generator writes a number of as many digits, never the same twice. */
export const NUMBER = '#number#0000'

/** A payment confirmed at once, which is over with the reply. */
export const PAID = 'amount=100&currency=usd&customer=cus_A&payment_method=pm_A&confirm=true&metadata[order]=6735'
/** An intent for somebody to pay later: the ledger also keeps what the object counts for. */
export const OPEN = 'amount=100&currency=usd&customer=cus_A&metadata[order]=6735'

/** What a client of Stripe sends beside authorization and framing. */
export const STRIPE_HEADERS = [
  'User-Agent: Stripe/v1 NodeBindings/23.1.0',
  'Content-Type: application/x-www-form-urlencoded',
  'Stripe-Version: 2025-03-31.basil',
  `Idempotency-Key: bench-${NUMBER}`,
] as const

/** In every reply of the vendor, and so in every reply that is one. */
export const IN_REPLY = '"pi_'
