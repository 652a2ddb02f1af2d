import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { SystemClock } from '../clock.js'
import type { Config } from '../config.js'
import type { Clock } from '../contracts/clock.js'
import type { Ledger } from '../contracts/ledger.js'
import type { Log } from '../log.js'
import type { Metrics } from '../metrics.js'
import { reached } from '../reached.js'
import { storageFindings, type Finding } from './check.js'
import { openSqlite } from './sqlite.js'

/** The ledger of a server, wherever it is kept, and the clock that its days go by. */
export interface OpenLedger {
  readonly ledger: Ledger
  readonly clock: Clock & { suspect(): string | null }
  /** Why nothing can be written at present, as a sentence; null when nothing is known to be wrong. */
  fault(): string | null
  findings(): readonly Finding[]
  /** The operator says that the time is right. */
  confirmClock(): void
  /** Called when another server has changed keys, policies, freezes or settings. Absent: there is no other. */
  readonly onAdopted?: (listener: () => void) => void
  /** Whether this server may do what only one may do at a time; null while another one does. Absent: it is alone. */
  readonly turn?: (name: string, forMs: number) => Promise<{ release(): Promise<void> } | null>
  /** Where it is, for the operator. No password. */
  readonly place: string
}

/**
 * @param alone whether this clock counts even where the database has one of its own: tests move it
 * @throws LedgerFault when it cannot be opened
 */
export function openLedger(
  config: Config,
  clock: SystemClock,
  alone: boolean,
  log: Log,
  metrics: Metrics,
): Promise<OpenLedger> {
  return config.databaseUrl === null
    ? inFile(config, clock, log, metrics)
    : inDatabase(config.databaseUrl, clock, alone, log, metrics)
}

async function inFile(config: Config, clock: SystemClock, log: Log, metrics: Metrics): Promise<OpenLedger> {
  const file = join(config.dataDir, 'spendgate.db')
  const ledger = openSqlite({
    file,
    clock,
    allowNetworkFileSystem: config.allowNetworkFilesystem,
    // On one processor a second thread would only wait for this one. On the network the log's index cannot be shared.
    shared: availableParallelism() > 1 && !config.allowNetworkFilesystem,
    onFault: (fault, first) => {
      metrics.count('spendgate_ledger_faults_total', `kind="${fault.kind}"`)
      if (first) log('error', 'ledger_fault', { kind: fault.kind, message: fault.message, cause: causeOf(fault) })
    },
    onChecked: (checked) => log(checked.verdict === 'damaged' ? 'error' : 'info', 'ledger_checked', checked),
  })
  try {
    clock.keep(join(config.dataDir, 'clock.json'))
    clock.notBefore(await reached(ledger))
  } catch (cause) {
    await ledger.close()
    throw cause
  }
  return {
    ledger,
    clock,
    fault: () => ledger.storage?.fault?.message ?? null,
    findings: () => storageFindings(ledger.storage!),
    confirmClock: () => clock.confirm(),
    place: file,
  }
}

/** The driver is loaded only where it is needed. */
async function inDatabase(
  url: string,
  own: SystemClock,
  alone: boolean,
  log: Log,
  metrics: Metrics,
): Promise<OpenLedger> {
  const { placeOf } = await import('./postgres/connect.js')
  const { openPostgres } = await import('./postgres/ledger.js')
  const place = placeOf(url, process.env)
  const ledger = await openPostgres({
    place,
    clock: own,
    ...(alone ? { time: own } : {}),
    onFault: (fault) => {
      metrics.count('spendgate_ledger_faults_total', 'kind="database"')
      log('error', 'ledger_fault', { kind: 'database', message: (fault as Error).message })
    },
  })
  return {
    ledger,
    clock: alone ? own : ledger.clock,
    fault: () => ledger.fault(),
    findings: () => {
      const fault = ledger.fault()
      return [
        fault === null
          ? {
              check: 'database',
              status: 'ok',
              message: `${place.shown} answers, and this node (${ledger.node}) is in touch`,
            }
          : { check: 'database', status: 'fail', message: fault },
      ]
    },
    confirmClock: () => ledger.clock.confirm(),
    onAdopted: (listener) => ledger.onAdopted(listener),
    turn: (name, forMs) => ledger.turn(name, forMs),
    place: place.shown,
  }
}

const causeOf = ({ cause }: Error): string | undefined => (cause instanceof Error ? cause.message : undefined)
