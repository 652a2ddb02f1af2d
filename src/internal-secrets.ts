import { createHmac, createSecretKey, randomBytes } from 'node:crypto'
import type { Ledger } from './contracts/ledger.js'
import { KeyDigest } from './custody/keys.js'
import { type Vault, SealFault } from './custody/seal.js'
import { newSigningKey, PUBLIC_KEYS_SETTING, publicKeysOf, Signer } from './ledger/checkpoints.js'

export const INTERNAL = { id: 'internal', vendor: 'spendgate' } as const
export const INTERNAL_SETTING = 'internal.sealed'

/** Secrets of our own that must outlive a change of the master key, so they lie sealed in the ledger like a credential. */
export interface InternalSecrets {
  readonly digest: KeyDigest
  /** HMAC of a principal's idempotency key, `sg_` and 43 characters: the vendor never sees the client's own key. */
  readonly namespace: (principal: string, clientKey: string) => string
  /** Signs checkpoints of the audit trail. */
  readonly signer: Signer
  /** A keyed digest of whose data was erased: entries name nobody. */
  readonly subject: (subject: string) => string
}

/** @throws SealFault when the master key is not the one this ledger was begun with */
export async function internalSecrets(ledger: Ledger, vault: Vault): Promise<InternalSecrets> {
  let sealed = ledger.setting(INTERNAL_SETTING)
  if (sealed === undefined) {
    // Another node may begin at the same moment; what both go by is what stands afterwards.
    const fresh = vault.seal(INTERNAL, { pepper: random(), namespace: random(), signing: newSigningKey() })
    sealed = await ledger.settingOnce(INTERNAL_SETTING, fresh, 'start')
  }
  if (typeof sealed !== 'string')
    throw new SealFault('the ledger holds no readable internal secrets. Restore a backup.')
  let parts = vault.open(INTERNAL, sealed)
  if (parts.signing === undefined) {
    // Begun by a version that signed nothing yet.
    parts = { ...parts, signing: newSigningKey() }
    await ledger.putSetting(INTERNAL_SETTING, vault.seal(INTERNAL, parts), 'start')
  }
  const signer = new Signer(parts.signing!)
  const known = publicKeysOf(ledger)
  if (known[signer.keyId] !== signer.publicKey)
    await ledger.putSetting(PUBLIC_KEYS_SETTING, { ...known, [signer.keyId]: signer.publicKey }, 'start')
  // Prepared once, where a Buffer would be imported again for every call.
  const namespaceKey = createSecretKey(parts.namespace!, 'base64')
  const namespaced = (text: string, encoding: 'base64url' | 'hex'): string =>
    createHmac('sha256', namespaceKey).update(text).digest(encoding)
  return {
    digest: new KeyDigest(Buffer.from(parts.pepper!, 'base64')),
    namespace: (principal, clientKey) => `sg_${namespaced(`${principal}\n${clientKey}`, 'base64url')}`,
    signer,
    subject: (subject) => namespaced(`erased\n${subject}`, 'hex'),
  }
}

const random = (): string => randomBytes(32).toString('base64')
