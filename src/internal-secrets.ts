import { createHmac, randomBytes } from 'node:crypto'
import type { Ledger } from './contracts/ledger.js'
import { KeyDigest } from './custody/keys.js'
import { type Vault, SealFault } from './custody/seal.js'

export const INTERNAL = { id: 'internal', vendor: 'spendgate' } as const
export const INTERNAL_SETTING = 'internal.sealed'

/** Secrets of our own that must outlive a change of the master key, so they lie sealed in the ledger like a credential. */
export interface InternalSecrets {
  readonly digest: KeyDigest
  /** HMAC of a principal's idempotency key, `sg_` and 43 characters: the vendor never sees the client's own key. */
  readonly namespace: (principal: string, clientKey: string) => string
}

/** @throws SealFault when the master key is not the one this ledger was begun with */
export async function internalSecrets(ledger: Ledger, vault: Vault): Promise<InternalSecrets> {
  let sealed = ledger.setting(INTERNAL_SETTING)
  if (sealed === undefined) {
    const fresh = { pepper: randomBytes(32).toString('base64'), namespace: randomBytes(32).toString('base64') }
    sealed = vault.seal(INTERNAL, fresh)
    await ledger.putSetting(INTERNAL_SETTING, sealed, 'start')
  }
  if (typeof sealed !== 'string')
    throw new SealFault('the ledger holds no readable internal secrets. Restore a backup.')
  const parts = vault.open(INTERNAL, sealed)
  const namespaceKey = Buffer.from(parts.namespace!, 'base64')
  return {
    digest: new KeyDigest(Buffer.from(parts.pepper!, 'base64')),
    namespace: (principal, clientKey) =>
      `sg_${createHmac('sha256', namespaceKey).update(`${principal}\n${clientKey}`).digest('base64url')}`,
  }
}
