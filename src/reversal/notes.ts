import type { Ledger } from '../contracts/ledger.js'
import type { TakeBack } from '../contracts/vendor.js'

/**
 * What the ledger knows of something that an operator had undone: written before the request leaves, so that after a
 * crash it goes out again under the same idempotency key and no other.
 */
export interface Note {
  /** begun: nobody knows whether the vendor acted. refused: it said that it did nothing. done: it is, and booked. */
  readonly state: 'begun' | 'refused' | 'done'
  /** Counts what was asked for anew after a refusal; part of the idempotency key. */
  readonly attempt: number
  /** Epoch ms at which this attempt began. */
  readonly at: number
  readonly by: string
  readonly run: string
  readonly calls: readonly string[]
  readonly vendor: string
  readonly credential: string
  readonly on: string
  readonly request: TakeBack
  /** The call that made what still stands of it; null where nothing does. */
  readonly commitment: string | null
  /** Decimal text in USD; null where nothing moves. */
  readonly amount: string | null
  /** The vendor's id of the money that went back, or what the vendor said. */
  readonly outcome: string | null
}

const nameOf = (id: string): string => `reversal.${id}`

export const noteOf = (ledger: Ledger, id: string): Note | null =>
  (ledger.setting(nameOf(id)) as Note | undefined) ?? null

/** The note that stands afterwards: this one, or that of a node that was first. */
export const noteOnce = async (ledger: Ledger, id: string, note: Note): Promise<Note> =>
  (await ledger.settingOnce(nameOf(id), note, note.by)) as Note

export const putNote = (ledger: Ledger, id: string, note: Note): Promise<void> =>
  ledger.putSetting(nameOf(id), note, note.by)
