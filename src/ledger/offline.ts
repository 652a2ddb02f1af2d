import { join } from 'node:path'
import { SystemClock } from '../clock.js'
import { loadMasterKey, stageMasterKey, type MasterKeyEnv } from '../custody/master-key.js'
import { SealFault, Vault } from '../custody/seal.js'
import { INTERNAL, INTERNAL_SETTING } from '../internal-secrets.js'
import { openSqlite, type SqliteLedger } from './sqlite.js'

/** What the book proves against itself, with no server running. Empty when it is sound. Throws LedgerFault when a server has the file. */
export async function verifyOffline(dataDir: string): Promise<readonly string[]> {
  const ledger = open(dataDir)
  try {
    return await ledger.verify()
  } finally {
    await ledger.close()
  }
}

/**
 * Puts every sealed secret under a new master key: the one in SPENDGATE_NEW_MASTER_KEY when the old one comes from the
 * environment, else a generated one that replaces `master-key` in the data directory. The new key is on disk before
 * the ledger changes, and the ledger changes in one transaction; killed in between, the same command finishes.
 *
 * @throws LedgerFault when a server has the file, SealFault when the present master key does not open it
 */
export async function rotateMasterKey(
  dataDir: string,
  env: MasterKeyEnv & { readonly SPENDGATE_NEW_MASTER_KEY?: string | undefined },
): Promise<{ readonly rewrapped: number; readonly fingerprint: string }> {
  const ledger = open(dataDir)
  try {
    const present = new Vault(loadMasterKey(env, dataDir).key)
    const staged = stageMasterKey(env, dataDir)
    const next = new Vault(staged.key)
    const internal = ledger.setting(INTERNAL_SETTING)
    if (typeof internal !== 'string')
      throw new SealFault('this ledger has no sealed secrets yet; start the server once first.')
    if (opens(next, internal)) {
      staged.install()
      return { rewrapped: 0, fingerprint: next.fingerprint }
    }
    const records = ledger.credentials().map((record) => ({
      ...record,
      sealed: present.rewrap({ id: record.id, vendor: record.vendor }, record.sealed, next),
    }))
    await ledger.reseal(
      records,
      { name: INTERNAL_SETTING, value: present.rewrap(INTERNAL, internal, next) },
      'db rotate-master-key',
    )
    staged.install()
    return { rewrapped: records.length, fingerprint: next.fingerprint }
  } finally {
    await ledger.close()
  }
}

/** Whether an earlier, killed rotation already changed the ledger. */
function opens(vault: Vault, sealed: string): boolean {
  try {
    vault.open(INTERNAL, sealed)
    return true
  } catch (fault) {
    if (fault instanceof SealFault) return false
    throw fault
  }
}

const open = (dataDir: string): SqliteLedger =>
  openSqlite({ file: join(dataDir, 'spendgate.db'), clock: new SystemClock() })
