import * as crypto from 'node:crypto'

/** The hash before the first entry. */
export const GENESIS = '0'.repeat(64)

/** What is hashed, in this order, as JSON. */
export interface Sealed {
  readonly seq: number
  readonly at: number
  readonly kind: string
  readonly callSeq: number | null
  readonly amount: bigint
  readonly detail: string
}

// crypto.hash is half the cost of createHash (measured 2026-11) and exists from Node 20.12.
const sha256 = (text: string): string => crypto.hash('sha256', text, 'hex')

/** SHA-256, hex, over the previous entry's hash and this one's content. */
export function link(previous: string, entry: Sealed): string {
  return sha256(
    `${previous}\n${entry.seq}\n${entry.at}\n${entry.kind}\n${entry.callSeq ?? ''}\n${entry.amount}\n${entry.detail}`,
  )
}
