import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type Database from 'better-sqlite3'
import type { Checkpoint, CheckpointSigner, Ledger } from '../contracts/ledger.js'

/** The setting that holds the public halves of all keys this ledger was ever signed with, by key id. */
export const PUBLIC_KEYS_SETTING = 'audit.public-keys'

/** The public halves, by key id. */
export const publicKeysOf = (ledger: Pick<Ledger, 'setting'>): Readonly<Record<string, string>> =>
  (ledger.setting(PUBLIC_KEYS_SETTING) ?? {}) as Readonly<Record<string, string>>

/** Where the chain stood, before it is signed. */
export type Standing = Omit<Checkpoint, 'keyId' | 'signature'>

/** Signs where the chain stands. The private half never leaves it. */
export class Signer implements CheckpointSigner {
  readonly #key: KeyObject
  /** 32 bytes, base64url. */
  readonly publicKey: string
  readonly keyId: string

  /** @param secret PKCS #8, base64, as `newSigningKey` makes it */
  constructor(secret: string) {
    this.#key = createPrivateKey({ key: Buffer.from(secret, 'base64'), format: 'der', type: 'pkcs8' })
    this.publicKey = createPublicKey(this.#key).export({ format: 'jwk' }).x!
    this.keyId = keyIdOf(this.publicKey)
  }

  sign(standing: Standing): Checkpoint {
    const unsigned = { ...standing, keyId: this.keyId }
    return { ...unsigned, signature: sign(null, signedText(unsigned), this.#key).toString('base64url') }
  }
}

/** The private half of a fresh Ed25519 key: PKCS #8, base64. */
export const newSigningKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ format: 'der', type: 'pkcs8' }).toString('base64')

/** Names a public key: the first 16 hex characters of its SHA-256. */
export const keyIdOf = (publicKey: string): string =>
  createHash('sha256').update(Buffer.from(publicKey, 'base64url')).digest('hex').slice(0, 16)

/** Whether the holder of the private half said this. False also for what is no key or no signature. */
export function signedBy(publicKey: string, checkpoint: Checkpoint): boolean {
  if (keyIdOf(publicKey) !== checkpoint.keyId) return false
  // Base64 may be written in several ways; what was not written by us was changed.
  const signature = Buffer.from(checkpoint.signature, 'base64url')
  if (signature.toString('base64url') !== checkpoint.signature) return false
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: publicKey }, format: 'jwk' })
    return verify(null, signedText(checkpoint), key, signature)
  } catch {
    return false // No key at all: nothing was signed by it.
  }
}

/** What the signature is over. The first line keeps it from being taken for anything else. */
const signedText = ({ seq, entries, head, at, keyId }: Omit<Checkpoint, 'signature'>): Buffer =>
  Buffer.from(`spendgate checkpoint v1\n${seq}\n${entries}\n${head}\n${at}\n${keyId}`)

/** The table of checkpoints. What changes it expects to run inside the ledger's transaction. */
export class Checkpoints {
  readonly #last: Database.Statement
  readonly #insert: Database.Statement
  readonly #after: Database.Statement

  constructor(db: Database.Database) {
    this.#last = db.prepare('select * from checkpoints order by seq desc limit 1')
    this.#insert = db.prepare(
      'insert into checkpoints (seq, entries, head, at, key_id, signature) values (?, ?, ?, ?, ?, ?)',
    )
    this.#after = db.prepare('select * from checkpoints where seq > ? order by seq limit ?')
  }

  last(): Checkpoint | null {
    const row = this.#last.get() as CheckpointRow | undefined
    return row === undefined ? null : checkpointOf(row)
  }

  after(seq: number, limit: number): readonly Checkpoint[] {
    return (this.#after.all(seq, limit) as CheckpointRow[]).map(checkpointOf)
  }

  /** Signs the end of the chain; null when it stands where it was signed last. */
  add(end: Pick<Standing, 'seq' | 'head'>, at: number, signer: CheckpointSigner): Checkpoint | null {
    const before = this.last()?.seq ?? 0
    if (end.seq <= before) return null
    const signed = signer.sign({ ...end, entries: end.seq - before, at })
    this.#insert.run(signed.seq, signed.entries, signed.head, signed.at, signed.keyId, signed.signature)
    return signed
  }
}

export interface CheckpointRow {
  seq: number
  entries: number
  head: string
  at: number
  key_id: string
  signature: string
}

export const checkpointOf = ({ key_id: keyId, ...rest }: CheckpointRow): Checkpoint => ({ ...rest, keyId })

/** A checkpoint as a line of its file, of an archive and of the API. */
export const checkpointView = ({ keyId, at, ...rest }: Checkpoint) => ({
  seq: rest.seq,
  entries: rest.entries,
  head: rest.head,
  at: new Date(at).toISOString(),
  key_id: keyId,
  signature: rest.signature,
})

/** A checkpoint from what `checkpointView` made of it; null when it is none. */
export function readCheckpoint(value: unknown): Checkpoint | null {
  const { seq, entries, head, at, key_id: keyId, signature } = (value ?? {}) as Readonly<Record<string, unknown>>
  if (typeof seq !== 'number' || typeof entries !== 'number' || typeof head !== 'string') return null
  if (typeof at !== 'string' || typeof keyId !== 'string' || typeof signature !== 'string') return null
  return { seq, entries, head, at: Date.parse(at), keyId, signature }
}
