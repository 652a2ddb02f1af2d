import type { Connection } from './connection.js'
import type { Outgoing } from './outgoing.js'

/** All of a reply's body that was wanted has come. */
export const ENOUGH = true

/** Who has a request, and what a connection tells of it. After `onEnd` or `onFault` nothing more comes. */
export interface Asker {
  readonly outgoing: Outgoing
  /** For the head of the reply, and for each pause of its body. */
  readonly timeoutMs: number
  /** Asked in the turn in which the first byte is then written: whether it may be. Afterwards nothing more comes if not. */
  leaves(connection: Connection): boolean
  /** @param headers names (lower case) and values in turn */
  onHead(status: number, headers: string[]): void
  /**
   * @param bytes are written over when this returns
   * @returns null to go on; why the reply is refused, in a sentence
   */
  onPiece(bytes: Buffer, from: number, to: number): typeof ENOUGH | string | null
  onEnd(): void
  /** No whole reply will come. */
  onFault(message: string, timedOut: boolean): void
}
