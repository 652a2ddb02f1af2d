import type { CredentialRecord } from '../contracts/ledger.js'
import { RecordsFault, type Reach, type Reading } from '../contracts/records.js'
import type { Engine } from '../engine.js'
import { operatorReads } from '../operator-reads.js'

/** The vendor's records are asked by people and timers, so they need not wait as long as a call may. */
const TIMEOUT_MS = 20_000

type Means = Pick<Engine, 'vendors' | 'credentials' | 'upstream' | 'tables' | 'clock'>

/**
 * How a vendor's records are reached under a credential.
 *
 * @throws SealFault when the credential does not open
 */
export function reachOf(record: CredentialRecord, means: Means): Reach {
  const { vendors, credentials, tables, clock } = means
  const read = operatorReads(means, record)
  return {
    secret: credentials.parts(record),
    account: record.account,
    apiVersion: record.apiVersion,
    origin: vendors.get(record.vendor)?.override ?? null,
    timeoutMs: TIMEOUT_MS,
    now: () => clock.now(),
    rates: tables.rates,
    prices: tables.prices(record.vendor),
    read: async (path, params = []) => {
      const answer = await read(path, params)
      if ('reply' in answer) return answer.reply
      if ('busy' in answer) throw new RecordsFault(`${record.vendor} asks to slow down.`, { busy: true })
      throw new RecordsFault(answer.why)
    },
  }
}

/** Readings of one run, one a credential, opened when the first call asks. */
export class Readings {
  readonly #means: Means
  readonly #open = new Map<string, Promise<Reading>>()

  constructor(means: Means) {
    this.#means = means
  }

  /** Null where the vendor keeps no records that we can read. */
  of(record: CredentialRecord): Promise<Reading> | null {
    const records = this.#means.vendors.get(record.vendor)?.vendor.records
    if (records === undefined) return null
    let reading = this.#open.get(record.id)
    if (reading === undefined) {
      // Async, so that a credential that does not open is a fault of its own calls and no other.
      reading = (async () => records.open(reachOf(record, this.#means)))()
      this.#open.set(record.id, reading)
    }
    return reading
  }
}
