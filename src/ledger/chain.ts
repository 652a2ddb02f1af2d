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

/** What a column of a row holds. A number and its text are the same: columns do not change their type. */
export type Value = string | number | bigint | null

/**
 * SHA-256, hex, over columns of a row and its salt: what an entry says of a row without showing it. Without the salt,
 * which goes when the row is erased, nobody can try out what stood there.
 */
export function digestOf(salt: string, values: readonly Value[]): string {
  let text = salt
  // Each value is led by its length, so that no two lists of values read the same.
  for (const value of values) {
    if (value === null) text += '\n-'
    else {
      const written = typeof value === 'string' ? value : String(value)
      text += (LEADS[written.length] ?? leadOf(written.length)) + written
    }
  }
  return sha256(text)
}

const leadOf = (length: number): string => `\n${length}:`
// Numbers made into text are a fifth of what a digest costs (measured 2026-11), and most lengths are short.
const LEADS = Array.from({ length: 128 }, (_, length) => leadOf(length))

const SALT_BYTES = 12
const pool = Buffer.alloc(SALT_BYTES * 256)
let used = pool.length

/** 96 random bits, 16 characters. Taken from a pool: asking for them a call would cost ten times as much. */
export function newSalt(): string {
  if (used === pool.length) {
    crypto.randomFillSync(pool)
    used = 0
  }
  used += SALT_BYTES
  return pool.toString('base64url', used - SALT_BYTES, used)
}
