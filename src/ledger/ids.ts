import { randomBytes } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** An opaque id: prefix and 20 base62 characters (119 bits). */
export function newId(prefix: string): string {
  let text = ''
  while (text.length < 20)
    for (const byte of randomBytes(32)) if (byte < 248 && text.length < 20) text += ALPHABET[byte % 62]
  return `${prefix}_${text}`
}

/** A call's id names its row: `call_` and the row's number in base 36, so that no index over ids is needed. */
export const callId = (seq: number): string => `call_${seq.toString(36).padStart(10, '0')}`

/** The row number of a call id; null when it is none. */
export function callSeq(id: string): number | null {
  const found = /^call_([0-9a-z]{10})$/.exec(id)
  if (!found) return null
  const seq = Number.parseInt(found[1]!, 36)
  return Number.isSafeInteger(seq) && seq > 0 ? seq : null
}

/** A label for an answer that has no row because no key was named. Has the form of a call id, and is found nowhere. */
export const newCallLabel = (): string => newId('call')
