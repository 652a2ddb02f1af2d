import * as crypto from 'node:crypto'
import { BASE62, randomBase62 } from './base62.js'

/** A vault key at the only moment its text exists on our side. */
export interface FreshKey {
  /** `vault_live_…` or `vault_test_…`, 60 characters. Shown once, stored only as its digest. */
  readonly key: string
  /** 32 hex characters: what Twilio's clients show after `SK`. No secret, and not derived from the key. */
  readonly publicId: string
  readonly last4: string
}

/** What an agent presented, once it is known to be a vault key in form. */
export interface ParsedKey {
  readonly key: string
  /** The run named by a suffix (`vault_live_X.run_42`), or null. */
  readonly run: string | null
}

const LIVE = 'vault_live_'
const TEST = 'vault_test_'
const PREFIX_CHARS = 11
const SECRET_CHARS = 43
const CHECK_CHARS = 6
const BODY_END = PREFIX_CHARS + SECRET_CHARS
const KEY_CHARS = BODY_END + CHECK_CHARS
const RUN_CHARS_MAX = 64
const RUN_ID = /^[A-Za-z0-9_-]{1,64}$/

/** Makes a key: prefix, 256 random bits in base62, and a CRC-32 over both as six base62 characters. */
export function issueKey(test: boolean): FreshKey {
  const body = (test ? TEST : LIVE) + randomBase62(SECRET_CHARS)
  const key = body + checksum(body)
  return { key, publicId: crypto.randomBytes(16).toString('hex'), last4: key.slice(-4) }
}

/**
 * Recognises a vault key by prefix, alphabet and checksum, with or without a run suffix. The text is what stands
 * behind a vendor's own skin (`rk_`, `re_`, a Basic password). Null for anything else. Runs on every request before
 * anything is looked up, so the common case allocates one small object and nothing more.
 */
export function parseKey(text: string): ParsedKey | null {
  if (text.length < KEY_CHARS) return null
  let crc: number
  if (text.startsWith(LIVE)) crc = CRC_OF_LIVE
  else if (text.startsWith(TEST)) crc = CRC_OF_TEST
  else return null
  for (let at = PREFIX_CHARS; at < BODY_END; at++) {
    const code = text.charCodeAt(at)
    if (digitOf(code) < 0) return null
    crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ code) & 0xff]!
  }
  let claimed = 0
  for (let at = BODY_END; at < KEY_CHARS; at++) {
    const digit = digitOf(text.charCodeAt(at))
    if (digit < 0) return null
    claimed = claimed * 62 + digit
  }
  if (claimed !== ~crc >>> 0) return null
  if (text.length === KEY_CHARS) return { key: text, run: null }
  return withSuffix(text)
}

function withSuffix(text: string): ParsedKey | null {
  if (text[KEY_CHARS] !== '.' || text.length > KEY_CHARS + 1 + RUN_CHARS_MAX) return null
  const run = text.slice(KEY_CHARS + 1)
  return isRunId(run) ? { key: text.slice(0, KEY_CHARS), run } : null
}

/** Whether a text may name a run: 1 to 64 letters, digits, `_` and `-`. */
export const isRunId = (text: string): boolean => RUN_ID.test(text)

/** Whether a text holds something shaped like a vault key, in whatever skin and whether or not its checksum holds. */
export const mentionsVaultKey = (text: string): boolean => /vault_(?:live|test)_/.test(text)

/** Keys whose digest is kept: some 200 bytes each. */
const KEPT_MAX = 4_096

/**
 * Turns vault keys into the digests they are stored and found by: HMAC-SHA-256, 43 base64url characters. A fast
 * hash is right here, because the keys carry 256 random bits; the pepper keeps a stolen table useless for tests.
 */
export class KeyDigest {
  readonly #pepper: crypto.KeyObject
  /** By the key's own hash, so that no key is kept: the same few come with every call. */
  readonly #kept = new Map<string, string>()

  constructor(pepper: Buffer) {
    if (pepper.length < 32) throw new RangeError('the pepper of vault keys must have at least 32 bytes')
    // A KeyObject is prepared once, where a Buffer would be imported again for every request.
    this.#pepper = crypto.createSecretKey(pepper)
  }

  of(key: string): string {
    const name = crypto.hash('sha256', key, 'binary')
    const kept = this.#kept.get(name)
    if (kept !== undefined) return kept
    const digest = crypto.createHmac('sha256', this.#pepper).update(key).digest('base64url')
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear()
    this.#kept.set(name, digest)
    return digest
  }
}

/** Compares two digests in constant time. Lengths are no secret. */
export function sameDigest(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && crypto.timingSafeEqual(left, right)
}

function checksum(body: string): string {
  let rest = ~crcThrough(-1, body) >>> 0
  let text = ''
  for (let place = 0; place < CHECK_CHARS; place++) {
    text = BASE62[rest % 62]! + text
    rest = Math.floor(rest / 62)
  }
  return text
}

// CRC-32 as in zlib (reflected 0xEDB88320), by table, so that parseKey can run it in the loop that checks the alphabet.
const CRC_TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  return crc
})
const CRC_OF_LIVE = crcThrough(-1, LIVE)
const CRC_OF_TEST = crcThrough(-1, TEST)

function crcThrough(start: number, text: string): number {
  let crc = start
  for (let at = 0; at < text.length; at++) crc = (crc >>> 8) ^ CRC_TABLE[(crc ^ text.charCodeAt(at)) & 0xff]!
  return crc
}

const DIGITS = new Int8Array(128).fill(-1)
for (let value = 0; value < BASE62.length; value++) DIGITS[BASE62.charCodeAt(value)] = value

function digitOf(code: number): number {
  return code < 128 ? DIGITS[code]! : -1
}
