import type { Rates, Usd } from './money.js'
import type { JsonObject, Prices, SecretParts } from './vendor.js'

/**
 * What a vendor itself wrote down about our calls: whether one was executed, what it really cost, and what moved without
 * any call. Read by the operator's own wish, with the real credential, after the fact; no agent ever waits for it.
 *
 * Promises of whoever implements this:
 * - Nothing here makes money move: only reads. A call is repeated by the engine alone, and only when asked for.
 * - «Not executed» is said on proof, never because nothing was found. When in doubt the answer is `unknown`.
 * - Every read is bounded: pages, rows and time.
 */
export interface Records {
  /** Begins to read. The package of the vendor is loaded here, not with the server. */
  open(reach: Reach): Promise<Reading>
  /**
   * How long after a call the same request under the same idempotency key certainly gives the stored answer and executes
   * nothing a second time, in ms. Absent, or null for an operation: never, so it is not repeated.
   */
  repeatableMs?(operation: string, path: string): number | null
  /** Whether the answer to such a repetition tells what became of the call; some are given before the key is looked at. */
  repeatTells?(status: number, reply: JsonObject | null): boolean
}

/** How a vendor's records are reached under one credential. */
export interface Reach {
  /** The opened credential. It lives as long as the run. */
  readonly secret: SecretParts
  /** The credential's own account at the vendor, '' where it has none. */
  readonly account: string
  /** The API version pinned for the credential, '' for the vendor's default. */
  readonly apiVersion: string
  /** An origin that stands in for all of the vendor's hosts (`http://127.0.0.1:12111`), or null for the vendor itself. */
  readonly origin: string | null
  readonly timeoutMs: number
  readonly now: () => number
  readonly rates: Rates
  readonly prices: Prices
  /**
   * One GET by the engine's own means, for vendors without a package that reads: path and query as in the catalogue.
   *
   * @throws RecordsFault when the vendor does not answer with an object
   */
  read(path: string, params?: readonly (readonly [string, string])[]): Promise<JsonObject>
}

/** One run's view of a vendor's records. What was read once is kept for the calls that follow. */
export interface Reading {
  /** @throws RecordsFault when the vendor cannot be read now */
  find(doubt: Doubt): Promise<Finding>
  /** @throws RecordsFault when the vendor cannot be read now */
  price?(estimate: Estimated): Promise<Price>
}

/** A call whose outcome is not known. */
export interface Doubt {
  readonly callId: string
  /** When it was admitted, epoch ms: nothing left before. */
  readonly at: number
  /** When it was given up, epoch ms: its last byte left before. */
  readonly until: number
  readonly method: string
  readonly path: string
  readonly operation: string
  /** The vendor object it was on, where that was known before. */
  readonly object: string | null
  /** The vendor's id of the request, where a reply still brought one. */
  readonly requestId: string | null
  /** The idempotency keys it may have been sent under; none where the vendor knows none. */
  readonly upstreamKeys: readonly string[]
  /** Whether one of them is certainly the one. */
  readonly keyCertain: boolean
  /** Why the records under the credential may not be those of the call, as half a sentence; null when they are. */
  readonly elsewhere: string | null
  /** What was sent, where it was kept. */
  readonly request: KeptRequest | null
  /** Which of these ids of the vendor's are known to belong to other calls. */
  taken(ids: readonly string[]): Promise<ReadonlySet<string>>
  /** Whether a call through spendgate may have deleted something at the vendor since, and so from its lists. */
  deleted(): Promise<boolean>
}

/** A canonical request as it left, without credential. */
export interface KeptRequest {
  readonly method: string
  readonly host: string
  readonly target: string
  readonly body: string | null
  readonly contentType: string | null
  /** Names (lower case) and values of the agent's headers that went along. */
  readonly headers: readonly string[]
}

export type Finding =
  /** It was executed. `reply`: what the vendor would have answered, null where its records hold another shape. */
  | { readonly found: 'executed'; readonly reply: JsonObject | null; readonly id: string; readonly why: string }
  /** It was certainly not, and will not be. `left`: the vendor's id of what it made all the same, and others may pay yet. */
  | { readonly found: 'not_executed'; readonly why: string; readonly left?: string }
  | { readonly found: 'unknown'; readonly why: string }

/** A settled call whose price the vendor names later. */
export interface Estimated {
  readonly callId: string
  readonly at: number
  readonly operation: string
  /** The vendor's id of what is to be priced, as Outcome.estimate gave it. */
  readonly id: string
  /** What it counts for now. */
  readonly settled: Usd
}

/** `final`: what it, or the object it is on, costs in all. `pending`: ask again later. `kept`: there will be none, so the estimate stays. */
export type Price =
  | { readonly final: Usd; readonly why: string }
  | { readonly pending: true }
  | { readonly kept: true; readonly why: string }

/** What moves at a vendor without a call of ours: how it is read, and how the vendor tells of it by itself. */
export interface Movements {
  /**
   * What moved in a span of time (epoch ms, `to` excluded), whoever caused it. The same money is told once, as fully as
   * the records know it.
   *
   * @throws RecordsFault when the vendor cannot be read now, or the span holds more than is read at once (`tooMuch`)
   */
  read?(range: { readonly from: number; readonly to: number }, reach: Reach): AsyncIterable<Moved>
  /** Calls of earlier versions left no note of what they made at this vendor, so a first reading begins at the present. */
  readonly beginsNow?: true
  /**
   * What the vendor's own books say of days, those that ended in a span and are complete, or the one that runs where
   * the vendor tells of no other.
   *
   * @throws RecordsFault when the vendor cannot be read now
   */
  days?(range: { readonly from: number; readonly to: number }, reach: Reach): Promise<readonly DaySum[]>
  readonly webhooks?: Webhooks
}

/** Money that moved at the vendor, seen in its records. */
export interface Moved {
  /** The vendor's id of the money, unique under a credential: whichever record tells of the same money names the same id. */
  readonly id: string
  readonly at: number
  /** `charge`, `refund`, `payout`, `message`, … in the vendor's words. */
  readonly kind: string
  readonly direction: 'in' | 'out'
  /**
   * object: it followed from an object by itself or by what a customer did (a renewal, a page that was paid, a dispute),
   * and counts on whoever made that object. request: somebody asked for it with a key, and only the call that did
   * answers for it. schedule: the account's own routine (an automatic payout), which no call causes.
   */
  readonly cause: 'object' | 'request' | 'schedule'
  /** The vendor's ids it may be known by here, the nearest first: intent, invoice, page, subscription. */
  readonly objects: readonly string[]
  /** What came into being with it and later movements will name: the subscription that a page has sold. */
  readonly makes: readonly string[]
  /** False where the record does not name what it belongs to, and others of the vendor's records may. */
  readonly complete: boolean
  /** The idempotency key of the request that caused it; null where there was none or the vendor does not say. */
  readonly upstreamKey: string | null
  /** The vendor's id of that request, likewise. */
  readonly requestId: string | null
  /** Null where it is in a currency without a rate. */
  readonly amount: Usd | null
  /** What the vendor keeps of it, in the shape of its replies: the outcome of a call can be read from it. Null where it has none. */
  readonly record: JsonObject | null
}

/** What a vendor tells by itself, as one delivery to our webhook. */
export interface Webhooks {
  /** The part of a credential's secret that its deliveries are signed with. */
  readonly part: string
  /** A sentence on why this cannot be such a secret, without it; null when it can. */
  secretFault(secret: string): string | null
  /**
   * Reads a delivery: which of the secrets signed it, and what moved. Null when none did, or too long ago.
   *
   * @param body the exact bytes
   */
  read(
    body: Buffer,
    header: (name: string) => string | undefined,
    secrets: readonly string[],
    reach: Pick<Reach, 'rates' | 'now'>,
  ): Promise<Delivery | null>
}

export interface Delivery {
  /** Place of the secret that signed it. */
  readonly signer: number
  /** The vendor's id of the delivery's event. */
  readonly id: string
  /** Whether play money moved. */
  readonly test: boolean
  /** Null: nothing moved, or nothing we understand. */
  readonly moved: Moved | null
}

/** What a vendor's own books say was spent on a day, to be held against ours. */
export interface DaySum {
  /** `2026-11-24`, as the vendor's days go. */
  readonly day: string
  /** Epoch ms at which it began, and at which it ended or the sum was taken. */
  readonly from: number
  readonly to: number
  readonly amount: Usd
}

/** A vendor's records could not be read now. The message is a sentence for the operator, without a secret. */
export class RecordsFault extends Error {
  override readonly name = 'RecordsFault'
  /** Whether the vendor asked us to slow down, or is down: worth another try a little later. */
  readonly busy: boolean
  /** Whether a shorter span of time would have been read. */
  readonly tooMuch: boolean

  constructor(
    message: string,
    options: { readonly busy?: boolean; readonly tooMuch?: boolean; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.busy = options.busy ?? false
    this.tooMuch = options.tooMuch ?? false
  }
}
