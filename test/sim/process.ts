import { judge } from '../../policies/index.js'
import { vendors } from '../../vendors/index.js'
import { SystemClock } from '../../src/clock.js'
import type { Ledger } from '../../src/contracts/ledger.js'
import type { Clock } from '../../src/contracts/clock.js'
import { Vault } from '../../src/custody/seal.js'
import { Credentials, runtimeOf, Standings, type Engine } from '../../src/engine.js'
import { internalSecrets } from '../../src/internal-secrets.js'
import { SqliteLedger } from '../../src/ledger/sqlite.js'
import { Metrics } from '../../src/metrics.js'
import { Tables } from '../../src/tables.js'
import type { Upstream } from '../../src/wire/upstream.js'
import type { SecretParts } from '../../src/contracts/vendor.js'
import type { Disk } from './disk.js'
import { SimulatedThread } from './thread.js'
import { TWILIO_ACCOUNT } from './wishes.js'

/** Opens a ledger on what is durable. Another store has another one of these. */
export type OpenLedger = (disk: Disk, clock: Clock) => Promise<Ledger>

export const openSqliteLedger: OpenLedger = async (disk, clock) => new SqliteLedger(disk.open(), clock)

/** Everything that is admitted or settled is written a while after it was decided, and other things happen meanwhile. */
export const openThreadedLedger: OpenLedger = async (disk, clock) => {
  const db = disk.open()
  const ledger = new SqliteLedger(db, clock)
  ledger.useThread(new SimulatedThread(db, disk), 1)
  await ledger.started
  return ledger
}

const SECRETS: Readonly<Record<string, SecretParts>> = {
  stripe: { api_key: 'sk_live_simulated0123456789' },
  twilio: {
    account_sid: TWILIO_ACCOUNT,
    api_key_sid: `SK${'0'.repeat(32)}`,
    api_key_secret: 'simulatedSecret0123456789',
  },
  resend: { api_key: 're_simulated0123456789' },
}

/** Stores a credential for every vendor, as the operator of a new server does. */
export async function storeCredentials({ engine, vault }: Life): Promise<void> {
  for (const vendor of vendors) {
    const parts = SECRETS[vendor.name]!
    const facts = vendor.credential(parts)
    if (typeof facts === 'string') throw new Error(facts)
    const id = `cred_${vendor.name}`
    const record = {
      id,
      vendor: vendor.name,
      name: 'main',
      ...facts,
      apiVersion: '',
      fingerprint: vault.credentialFingerprint(parts),
      sealed: vault.seal({ id, vendor: vendor.name }, parts),
      createdAt: 0,
      rotatedAt: null,
    }
    await engine.ledger.putCredential(record, 'credential.added', 'operator')
  }
}

/** One life of the server, from its start to its end. */
export interface Life {
  readonly engine: Engine
  readonly vault: Vault
  /** Epoch ms by the wall clock and monotonic ms when it began, and the newest row it found. */
  readonly startedAt: { readonly wall: number; readonly monotonic: number; readonly newestRow: number }
  alive: boolean
}

const MASTER = Buffer.alloc(32, 7)
// Catalogues do not change, and building them takes longer than a whole schedule.
const runtimes = new Map(vendors.map((vendor) => [vendor.name, runtimeOf(vendor, null)]))

/**
 * Starts the server as src/main.ts does, without its listeners.
 *
 * @param life filled in and given back; it stands for the process in the loop from the first line on
 * @param unreachable stands where the connections are: whoever sends brings the network along
 */
export async function start(disk: Disk, open: OpenLedger, life: object, unreachable: Upstream): Promise<Life> {
  const clock = new SystemClock()
  const startedAt = { wall: Date.now(), monotonic: performance.now() }
  const ledger = await open(disk, clock)
  const vault = new Vault(MASTER)
  const secrets = await internalSecrets(ledger, vault)
  const [newest] = (await ledger.calls({}, { limit: 1 })).rows
  if (newest) clock.notBefore(newest.at)
  const engine: Engine = {
    ledger,
    judge,
    vendors: runtimes,
    ...secrets,
    credentials: new Credentials(ledger, vault, runtimes, clock),
    standings: new Standings(ledger, judge),
    upstream: unreachable,
    tables: new Tables(ledger, vendors, clock),
    unlocked: new Set(),
    clock,
    metrics: new Metrics(),
    log: () => {},
  }
  return Object.assign(life, {
    engine,
    vault,
    startedAt: { ...startedAt, newestRow: newest?.at ?? 0 },
    alive: true,
  }) as Life
}
