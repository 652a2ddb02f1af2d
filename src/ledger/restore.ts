import Database from 'better-sqlite3'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Clock } from '../contracts/clock.js'
import { LedgerFault, type FreezeScope } from '../contracts/ledger.js'
import type { OperatorRecord } from '../contracts/operator.js'
import { isHeld } from './check.js'
import { Fence, settle } from './fence.js'
import { openFault } from './open.js'
import { recoveryOf } from './recovery.js'
import { openSqlite, type SqliteLedger } from './sqlite.js'

const ACTOR = 'restore'
const TAILS = ['-wal', '-shm', ''] as const

export interface Restored {
  /** The last entry the backup knows of, epoch ms; 0 for none. What happened after it is not in the ledger any more. */
  readonly since: number
  readonly entries: number
  /** How many entries are known to have been written to the one before; null when nothing said so. */
  readonly knownEntries: number | null
  /** Where the ledger that was there lies now; null when there was none. */
  readonly aside: string | null
  /** Revocations, freezes and narrowings that the backup did not know and the ledger before it did, and changes of operators. */
  readonly carried: number
  /** Whether everything was frozen, because what was revoked since the backup could not be read. */
  readonly frozen: boolean
}

export interface RestoreOptions {
  readonly clock: Clock
  readonly allowNetworkFileSystem?: boolean
}

/**
 * Puts a backup in the place of a ledger that no server has. Nothing is deleted: the ledger that was there is renamed.
 * The backup is proved first, in a copy; what was revoked, frozen or narrowed since it was made is carried over where
 * the present file still tells; and money waits for the operator (src/ledger/recovery.ts).
 *
 * Killed at any step, either nothing has changed, or the server refuses to start until this is run again.
 *
 * @throws LedgerFault when a server has the ledger, or the backup cannot be trusted
 */
export async function restore(file: string, backup: string, options: RestoreOptions): Promise<Restored> {
  if (statSync(backup, { throwIfNoEntry: false })?.isFile() !== true)
    throw new LedgerFault(`There is no backup ${backup}.`)
  if (resolve(backup) === resolve(file)) throw new LedgerFault(`${backup} is the ledger itself.`)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const present = presentOf(file)
  const fence = new Fence(file)
  const note = fence.read()
  const staged = `${file}.restoring`
  clear(staged)
  for (const tail of TAILS)
    if (existsSync(backup + tail)) {
      copyFileSync(backup + tail, staged + tail)
      chmodSync(staged + tail, 0o600)
    }
  const ledger = openSqlite({ file: staged, ...options })
  let done: Pick<Restored, 'since' | 'carried' | 'frozen'>
  try {
    const faults = await ledger.verify()
    if (faults.length > 0) throw new LedgerFault(`${backup} does not prove: ${faults[0]!} Nothing was changed.`)
    const frozen = present === null
    ledger.beginRecovery({ how: 'restored', knownEntries: note?.entries ?? null, frozen })
    done = { since: recoveryOf(ledger)!.since, frozen, carried: frozen ? 0 : await carryOver(ledger, present) }
  } finally {
    await ledger.close()
  }

  const end = new Fence(staged).read()
  if (end?.state !== 'closed') throw new LedgerFault(`${staged} could not be written whole. Nothing was changed.`)
  fence.write({ ...(note ?? end), state: 'restoring', closed: null })
  const aside = setAside(file, options.clock.now())
  renameSync(staged, file)
  settle(dirname(file))
  fence.write({ ...end, boots: note?.boots ?? 0 })
  clear(staged)
  return { ...done, entries: end.entries, knownEntries: note?.entries ?? null, aside }
}

/** The copy of this or of a killed attempt, and whatever was made beside it. */
function clear(staged: string): void {
  for (const name of readdirSync(dirname(staged)))
    if (name.startsWith(basename(staged))) rmSync(join(dirname(staged), name), { force: true })
}

/** What the ledger that is to be replaced says that must not be forgotten. */
interface Present {
  readonly keys: readonly {
    readonly id: string
    readonly revoked_at: number | null
    readonly revoke_reason: string | null
    readonly narrowings: string
  }[]
  readonly freezes: readonly {
    readonly kind: FreezeScope['kind']
    readonly value: string
    readonly reason: string | null
  }[]
  /** Settings of operators, as JSON. */
  readonly operators: readonly { readonly name: string; readonly value: string }[]
}

/**
 * Null when there is none or it cannot be read.
 *
 * @throws LedgerFault when a server has it
 */
function presentOf(file: string): Present | null {
  if (!existsSync(file)) return null
  let db: Database.Database | undefined
  try {
    db = new Database(file, { timeout: 100, fileMustExist: true })
    db.pragma('locking_mode = EXCLUSIVE')
    db.exec('begin exclusive; commit')
    return {
      keys: db.prepare('select id, revoked_at, revoke_reason, narrowings from keys').all() as Present['keys'],
      freezes: db.prepare('select kind, value, reason from freezes').all() as Present['freezes'],
      operators: db
        .prepare(`select name, value from settings where name like 'operator.%'`)
        .all() as Present['operators'],
    }
  } catch (cause) {
    const fault = openFault(file, cause as Error)
    if (isHeld(fault)) throw fault
    return null
  } finally {
    db?.close()
  }
}

/** A key that was revoked does not come back, and nothing gets wider, because an older state was put back. */
async function carryOver(ledger: SqliteLedger, present: Present): Promise<number> {
  let carried = 0
  for (const { id, revoked_at, revoke_reason, narrowings } of present.keys) {
    const key = ledger.key(id)
    if (key === null) continue
    for (const patch of (JSON.parse(narrowings) as readonly unknown[]).slice(key.narrowings.length)) {
      await ledger.narrowKey(id, patch, ACTOR)
      carried++
    }
    if (revoked_at === null || key.revokedAt !== null) continue
    await ledger.revoke(id, revoke_reason, ACTOR)
    carried++
  }
  const known = new Set(ledger.freezes().map(({ scope }) => nameOf(scope)))
  for (const { kind, value, reason } of present.freezes) {
    const scope: FreezeScope = kind === 'all' ? { kind } : { kind, value }
    if (known.has(nameOf(scope))) continue
    await ledger.freeze(scope, reason, ACTOR)
    carried++
  }
  for (const { name, value } of present.operators) {
    const known = ledger.setting(name) as { readonly id: string } | undefined
    // Who came since the backup has to be added again; of the others what was said last stands: revoked, erased.
    if (known === undefined || JSON.stringify(known) === value) continue
    const latest = JSON.parse(value) as { readonly id: string }
    if (latest.id !== known.id) continue
    await ledger.putSetting(name, latest, ACTOR)
    carried++
  }
  return carried + (await carryShutOut(ledger, present))
}

/**
 * A person adds themselves by signing in. So whoever was shut out stays so, also if the backup knows nothing of them or
 * knows them by another number and id, as it may after an earlier restore.
 */
async function carryShutOut(ledger: SqliteLedger, { operators }: Present): Promise<number> {
  const shutOut = operators
    .map(({ value }) => JSON.parse(value) as OperatorRecord)
    .filter(({ kind, revokedAt }) => kind === 'person' && revokedAt !== null)
  const known = new Map<string, readonly [name: string, record: OperatorRecord]>()
  let free = 1
  for (; ; free++) {
    const record = ledger.setting(`operator.${free}`) as OperatorRecord | undefined
    if (record === undefined) break
    known.set(record.digest, [`operator.${free}`, record])
  }
  let carried = 0
  for (const each of shutOut) {
    const [name, record] = known.get(each.digest) ?? [`operator.${free++}`, each]
    if (record !== each && record.revokedAt !== null) continue
    await ledger.putSetting(name, { ...record, revokedAt: each.revokedAt }, ACTOR)
    carried++
  }
  return carried
}

const nameOf = (scope: FreezeScope): string => (scope.kind === 'all' ? 'all' : `${scope.kind} ${scope.value}`)

/** Where the present file lies from now on; null when there was none. Its log goes first: beside another file it would be read into that. */
function setAside(file: string, nowMs: number): string | null {
  const aside = `${file}.replaced-${new Date(nowMs).toISOString().replace(/[:.]/g, '-')}`
  const there = TAILS.filter((tail) => existsSync(file + tail))
  for (const tail of there) renameSync(file + tail, aside + tail)
  settle(dirname(file))
  return there.length === 0 ? null : aside
}
