import type { Rates, Usd } from './money.js'
import type { JsonObject, TakeBack } from './vendor.js'

/**
 * How a vendor undoes what calls of it have done: which request does, what that moves, and what nothing brings back.
 * Facts only; the engine looks, asks the operator and sends.
 *
 * Promises of whoever implements this:
 * - It is said from how the vendor's object stands by now, so that what was undone before is not undone twice.
 * - A request names all that it moves: what is left to be given back, never «everything» without an amount.
 * - When in doubt nothing is proposed: `impossible` says where to look.
 */
export interface Reversal {
  /**
   * What would undo a call that was executed, or what must be looked at first. Null for what leaves nothing that would
   * have to be undone.
   */
  undo(done: Done): Steps | null
  /** What a 2xx reply to a request that undoes something says. Absent: that it is done, and moved nothing. */
  read?(path: string, reply: JsonObject, rates: Rates): ReadBack
}

/** Money that went back, or a sentence on why nothing was done although the vendor said 2xx. */
export type ReadBack = { readonly moved: MovedBack | null } | { readonly failed: string }

/** A call that was executed, or money that followed from one. */
export interface Done {
  /** `refunds.create`; `movement` for money that moved without a call of its own. */
  readonly operation: string
  /** The vendor's id of what it made or acted on; null where it is not known. */
  readonly object: string | null
  /** The credential's own account at the vendor, '' where it has none. */
  readonly account: string
  readonly rates: Rates
}

/** Several where one object takes several requests: a subscription is ended, and what it billed is refunded. */
export type Steps = Step | readonly Step[]
export type Step = Undo | Look | Undone | Impossible | Unnamed

/** A request that undoes it. */
export interface Undo {
  readonly step: 'undo'
  /** The vendor's id of what it acts on. */
  readonly on: string
  /** What it does, as a sentence. */
  readonly does: string
  readonly request: TakeBack
  /** What it moves; null where it moves nothing, or where no rate tells what it is in USD. */
  readonly amount: Usd | null
  /** What stays lost, as a sentence; null for nothing. */
  readonly leaves: string | null
}

/** Money that went back, by the id under which Movements tell of it. */
export interface MovedBack {
  readonly id: string
  readonly kind: string
  readonly direction: 'in' | 'out'
  readonly amount: Usd | null
}

/** One read that decides. `decide` gets the parsed reply, or null where the vendor has no such object. */
export interface Look {
  readonly step: 'look'
  readonly path: string
  readonly params?: readonly (readonly [string, string])[]
  decide(reply: JsonObject | null): Steps
}

/** It is undone, or has come to nothing. */
export interface Undone {
  readonly step: 'undone'
  readonly on: string | null
  readonly why: string
}

export interface Impossible {
  readonly step: 'impossible'
  readonly on: string | null
  readonly why: string
  /** The vendor has no such object: where a request deletes it, that is what it looks like afterwards. */
  readonly absent?: true
}

/** It could be undone if the vendor's id of what it made were known: its records may tell. */
export interface Unnamed {
  readonly step: 'unnamed'
  readonly why: string
}
