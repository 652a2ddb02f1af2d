import { createCipheriv, createDecipheriv, createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto'
import type { CipherKey, KeyObject } from 'node:crypto'
import type { SecretParts } from '../contracts/vendor.js'

/** The row a sealed secret belongs to. It is authenticated, so a secret moved to another row does not open. */
export interface Binding {
  readonly id: string
  readonly vendor: string
}

/** The vault cannot be opened, or a sealed row was changed. The message is for the operator and holds no secret. */
export class SealFault extends Error {
  override readonly name = 'SealFault'
}

/** Bytes of the master key. */
export const MASTER_BYTES = 32
const VERSION = 'v1'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Envelope encryption of real credentials. Each has a random data key (DEK) which encrypts its parts; the DEK is
 * wrapped by a key derived from the master key (KEK). AES-256-GCM throughout, with a fresh 96-bit nonce each time.
 *
 * A sealed text is `v1.<master fingerprint>.<wrapped DEK>.<parts>`, both in base64url as nonce, ciphertext and tag.
 * The DEK's authenticated data names version, credential id, vendor and master key; that of the parts the same
 * without the master key, so that `rewrap` need not decrypt them.
 */
export class Vault {
  readonly #master: KeyObject
  readonly #kek: KeyObject
  readonly #fingerprints: KeyObject
  /** Names the master key: 16 hex characters of a keyed hash. Safe to store and print. */
  readonly fingerprint: string

  constructor(master: Buffer) {
    if (master.length !== MASTER_BYTES)
      throw new SealFault(`the master key must have ${MASTER_BYTES} bytes, not ${master.length}`)
    this.#master = createSecretKey(master)
    this.#kek = createSecretKey(this.#derive('custody:kek'))
    this.#fingerprints = createSecretKey(this.#derive('custody:credential-fingerprints'))
    this.fingerprint = createHmac('sha256', this.#derive('custody:master-fingerprint'))
      .update('spendgate master key')
      .digest('hex')
      .slice(0, 16)
  }

  seal(binding: Binding, parts: SecretParts): string {
    const dek = randomBytes(32)
    const plain = Buffer.from(JSON.stringify(parts))
    try {
      const wrapped = encrypt(this.#kek, this.#wrapping(binding), dek)
      const body = encrypt(dek, partsOf(binding), plain)
      return [VERSION, this.fingerprint, wrapped.toString('base64url'), body.toString('base64url')].join('.')
    } finally {
      dek.fill(0)
      plain.fill(0)
    }
  }

  /** Throws SealFault when the master key is another one, or when anything about the row was changed. */
  open(binding: Binding, sealed: string): SecretParts {
    const { wrapped, body } = this.#unpack(binding, sealed)
    const dek = decrypt(this.#kek, this.#wrapping(binding), wrapped) ?? alteredRow(binding)
    try {
      const plain = decrypt(dek, partsOf(binding), body) ?? alteredRow(binding)
      try {
        return JSON.parse(plain.toString('utf8')) as SecretParts
      } finally {
        plain.fill(0)
      }
    } finally {
      dek.fill(0)
    }
  }

  /** The same secret under the next master key. Only the DEK is opened; the parts stay encrypted as they are. */
  rewrap(binding: Binding, sealed: string, next: Vault): string {
    const { wrapped, body } = this.#unpack(binding, sealed)
    const dek = decrypt(this.#kek, this.#wrapping(binding), wrapped) ?? alteredRow(binding)
    try {
      const rewrapped = encrypt(next.#kek, next.#wrapping(binding), dek)
      return [VERSION, next.fingerprint, rewrapped.toString('base64url'), body.toString('base64url')].join('.')
    } finally {
      dek.fill(0)
    }
  }

  /** Throws SealFault unless this is the master key that a database was written under. */
  confirm(expected: string): void {
    if (expected === this.fingerprint) return
    throw new SealFault(
      `cannot open the vault: SPENDGATE_MASTER_KEY does not match this database (fingerprint ${this.fingerprint}, ` +
        `expected ${expected}). Vendor credentials are unreadable; the ledger is intact. Restore the master key, ` +
        'or enter the credentials again: spendgate credential rotate.',
    )
  }

  /** Names a credential's secret without telling anything of it: 12 hex characters of a keyed hash of its parts. */
  credentialFingerprint(parts: SecretParts): string {
    const named = Object.entries(parts).sort(([a], [b]) => (a < b ? -1 : 1))
    return createHmac('sha256', this.#fingerprints).update(JSON.stringify(named)).digest('hex').slice(0, 12)
  }

  #derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#master, Buffer.alloc(0), `spendgate/v1/${purpose}`, 32))
  }

  #wrapping(binding: Binding): Buffer {
    return authenticated('data-key', binding, this.fingerprint)
  }

  #unpack(binding: Binding, sealed: string): { readonly wrapped: Buffer; readonly body: Buffer } {
    const [version, fingerprint, wrapped, body, ...rest] = sealed.split('.')
    if (version !== VERSION || !fingerprint || !wrapped || !body || rest.length > 0) alteredRow(binding)
    if (!/^[0-9a-f]{16}$/.test(fingerprint)) alteredRow(binding)
    this.confirm(fingerprint)
    return { wrapped: bytesOf(wrapped, binding), body: bytesOf(body, binding) }
  }
}

function alteredRow(binding: Binding): never {
  throw new SealFault(
    `cannot open credential ${binding.id} (${binding.vendor}): its sealed secret was altered, or belongs to another ` +
      'row. Restore it from a backup, or enter it again: spendgate credential rotate.',
  )
}

const partsOf = (binding: Binding): Buffer => authenticated('parts', binding)

// JSON keeps the fields apart: no id can be chosen so that it reads like another id and vendor.
const authenticated = (what: string, binding: Binding, ...more: readonly string[]): Buffer =>
  Buffer.from(JSON.stringify(['spendgate', VERSION, what, binding.id, binding.vendor, ...more]))

function encrypt(key: CipherKey, aad: Buffer, plain: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES }).setAAD(aad)
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Null when the tag does not hold. The tag's length is fixed: without authTagLength Node 20 accepts four bytes. */
function decrypt(key: CipherKey, aad: Buffer, box: Buffer): Buffer | null {
  if (box.length < NONCE_BYTES + TAG_BYTES) return null
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(aad).setAuthTag(box.subarray(box.length - TAG_BYTES))
  const plain = decipher.update(box.subarray(NONCE_BYTES, box.length - TAG_BYTES))
  try {
    return Buffer.concat([plain, decipher.final()])
  } catch {
    return null
  } finally {
    plain.fill(0)
  }
}

/** Base64url in its one canonical spelling, so that a sealed text cannot be changed without failing to open. */
function bytesOf(text: string, binding: Binding): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) alteredRow(binding)
  return bytes
}
