import { randomInt } from 'node:crypto'

export const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Characters drawn uniformly by the system's cryptographic generator: 5.95 bits each, so 43 of them hold 256 bits. */
export function randomBase62(length: number): string {
  let text = ''
  for (let drawn = 0; drawn < length; drawn++) text += BASE62[randomInt(62)]!
  return text
}

/** An identifier such as `key_8Qw…`: the prefix and 20 random base62 characters (119 bits). Not a secret. */
export const newId = (prefix: 'cred' | 'key' | 'run'): string => `${prefix}_${randomBase62(20)}`
