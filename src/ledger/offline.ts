import { join } from 'node:path'
import { SystemClock } from '../clock.js'
import { yes } from '../config.js'
import { LedgerFault } from '../contracts/ledger.js'
import { loadMasterKey, stageMasterKey, type MasterKeyEnv } from '../custody/master-key.js'
import type { SourceVariables } from '../custody/master-source.js'
import { SealFault, Vault } from '../custody/seal.js'
import { INTERNAL, INTERNAL_SETTING } from '../internal-secrets.js'
import type { PostgresLedger } from './postgres/ledger.js'
import { openSqlite, type SqliteLedger } from './sqlite.js'

/** What the book proves against itself, in a file that no server has or in a database. Empty when it is sound. Throws LedgerFault when a server has the file. */
export async function verifyOffline(dataDir: string, env: OfflineEnv = {}): Promise<readonly string[]> {
  if (env.DATABASE_URL) {
    const { placeOf } = await import('./postgres/connect.js')
    const { verifyCopy } = await import('./postgres/verify.js')
    return verifyCopy(placeOf(env.DATABASE_URL, process.env))
  }
  const ledger = openFile(dataDir, env)
  try {
    return await ledger.verify()
  } finally {
    await ledger.close()
  }
}

/**
 * Puts every sealed secret under a new master key: the one that SPENDGATE_NEW_MASTER_KEY names when the environment names
 * the old one, else a generated one that replaces `master-key` in the data directory. The new key is on disk before
 * the ledger changes, and the ledger changes in one transaction; killed in between, the same command finishes.
 *
 * @throws LedgerFault when a server has the file or serves from the database, SealFault when the present master key does not open it
 */
export async function rotateMasterKey(
  dataDir: string,
  env: MasterKeyEnv & OfflineEnv & SourceVariables<'SPENDGATE_NEW_MASTER_KEY'>,
): Promise<{ readonly rewrapped: number; readonly fingerprint: string; readonly remains: string | null }> {
  const ledger = await open(dataDir, env)
  try {
    const present = new Vault(loadMasterKey(env, dataDir).key)
    const staged = stageMasterKey(env, dataDir)
    const next = new Vault(staged.key)
    const internal = ledger.setting(INTERNAL_SETTING)
    if (typeof internal !== 'string')
      throw new SealFault('this ledger has no sealed secrets yet; start the server once first.')
    if (opens(next, internal)) {
      staged.install()
      return { rewrapped: 0, fingerprint: next.fingerprint, remains: staged.remains }
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
    return { rewrapped: records.length, fingerprint: next.fingerprint, remains: staged.remains }
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

/** What a server would be told by its environment, and these are too. */
export interface OfflineEnv {
  readonly SPENDGATE_ALLOW_NETWORK_FILESYSTEM?: string | undefined
  readonly DATABASE_URL?: string | undefined
}

async function open(dataDir: string, env: OfflineEnv): Promise<SqliteLedger | PostgresLedger> {
  if (!env.DATABASE_URL) return openFile(dataDir, env)
  const { placeOf } = await import('./postgres/connect.js')
  const { openPostgres } = await import('./postgres/ledger.js')
  const ledger = await openPostgres({ place: placeOf(env.DATABASE_URL, process.env), clock: new SystemClock() })
  const others = await ledger.others()
  if (others === 0) return ledger
  await ledger.close()
  throw new LedgerFault(
    `${others} ${others === 1 ? 'server serves' : 'servers serve'} from this database. Stop them all first: each has the present master key in memory.`,
  )
}

const openFile = (dataDir: string, env: OfflineEnv): SqliteLedger =>
  openSqlite({
    file: join(dataDir, 'spendgate.db'),
    clock: new SystemClock(),
    allowNetworkFileSystem: yes(env.SPENDGATE_ALLOW_NETWORK_FILESYSTEM),
  })
