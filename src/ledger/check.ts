import Database from 'better-sqlite3'
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import type { LedgerFault } from '../contracts/ledger.js'
import { Fence, type FenceNote } from './fence.js'
import { fileSystemOf, type StatFs } from './file-system.js'
import { migrations, openFault } from './open.js'
import { RECOVERY, recoverySentence, type Recovery } from './recovery.js'
import { compare, type FenceVerdict } from './fence-verdict.js'
import type { Storage } from './storage.js'
import { verify } from './verify.js'

/** One thing that was looked at: what was found, and what to do about it. */
export interface Finding {
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly message: string
}

const MIB = 1024 * 1024
const ROOM_LEAST = 64 * MIB
const ROOM_LITTLE = 1024 * MIB

/** What can be said about the file of a running server without holding it up. */
export function storageFindings({ db, file, fault, verdict, note, checked }: Storage): readonly Finding[] {
  return [
    fault === null
      ? { check: 'writing', status: 'ok', message: 'the last write succeeded' }
      : { check: 'writing', status: 'fail', message: fault.message },
    ...placeFindings(file),
    schemaFinding(db),
    fenceFinding(verdict, note),
    checked === null
      ? { check: 'file', status: 'warn', message: 'is being read whole beside the calls; ask again' }
      : checked.verdict === 'sound'
        ? { check: 'file', status: 'ok', message: 'was read whole since the start, and is sound' }
        : checked.verdict === 'damaged'
          ? { check: 'file', status: 'fail', message: `is damaged (${checked.found}). ${PUT_BACK}` }
          : { check: 'file', status: 'warn', message: `was not read whole since the start: ${checked.why}` },
    ...recoveryFinding(db),
  ]
}

/**
 * Everything that can be said about a file that no server has. Changes nothing in it.
 *
 * @throws LedgerFault when a server has it
 */
export function checkOffline(file: string, statfs?: StatFs): readonly Finding[] {
  const place = placeFindings(file, statfs)
  const note = new Fence(file).read()
  if (note?.state === 'restoring')
    return [...place, { check: 'fence', status: 'fail', message: 'a restore was not finished: run it again' }]
  if (!existsSync(file))
    return [...place, { check: 'file', status: 'fail', message: `${file} is not there. ${PUT_BACK}` }]
  let db: Database.Database | undefined
  try {
    db = new Database(file, { timeout: 100, fileMustExist: true })
    db.pragma('locking_mode = EXCLUSIVE')
    db.exec('begin exclusive; commit')
    return [...place, ...contentFindings(db, note)]
  } catch (cause) {
    const fault = openFault(file, cause as Error)
    if (isHeld(fault)) throw fault
    return [...place, { check: 'file', status: 'fail', message: fault.message }]
  } finally {
    db?.close()
  }
}

/** Whether a file could not be opened because a server has it. */
export const isHeld = ({ cause }: LedgerFault): boolean =>
  String((cause as { code?: unknown } | undefined)?.code).startsWith('SQLITE_BUSY')

const PUT_BACK = 'Put a backup in its place: spendgate restore FILE.'

function contentFindings(db: Database.Database, note: FenceNote | null): readonly Finding[] {
  const sound = db.pragma('quick_check(1)', { simple: true })
  if (sound !== 'ok') return [{ check: 'file', status: 'fail', message: `is damaged (${String(sound)}). ${PUT_BACK}` }]
  const schema = schemaFinding(db)
  const whole: Finding = { check: 'file', status: 'ok', message: 'was read whole, and is sound' }
  // Of another version's tables nothing can be said.
  if (schema.status !== 'ok') return [whole, schema]
  const faults = verify(db)
  return [
    whole,
    schema,
    fenceFinding(compare(db, note), note),
    faults.length === 0
      ? { check: 'proof', status: 'ok', message: 'every call and total follows from the entries' }
      : {
          check: 'proof',
          status: 'fail',
          message: `${faults[0]!} (${faults.length === 1 ? 'the only one' : `one of ${faults.length}`}; all of them: spendgate db verify). ${PUT_BACK}`,
        },
    ...recoveryFinding(db),
  ]
}

function placeFindings(file: string, statfs?: StatFs): readonly Finding[] {
  const directory = dirname(file)
  if (!existsSync(directory)) return [{ check: 'place', status: 'fail', message: `${directory} is not there` }]
  const { networked, freeBytes } = fileSystemOf(directory, statfs)
  const free = `${Math.floor(freeBytes / MIB)} MiB`
  const open = [directory, file].filter(
    (each) => ((statSync(each, { throwIfNoEntry: false })?.mode ?? 0) & 0o077) !== 0,
  )
  return [
    networked === null
      ? { check: 'place', status: 'ok', message: `${directory} is on this machine` }
      : {
          check: 'place',
          status: 'fail',
          message: `${directory} is on ${networked}, where a ledger can be damaged: give a local directory, or use PostgreSQL`,
        },
    freeBytes < ROOM_LEAST
      ? { check: 'room', status: 'fail', message: `only ${free} are left: make room before calls are refused` }
      : { check: 'room', status: freeBytes < ROOM_LITTLE ? 'warn' : 'ok', message: `${free} are left` },
    open.length === 0
      ? { check: 'permissions', status: 'ok', message: 'closed to other users' }
      : { check: 'permissions', status: 'warn', message: `open to other users: chmod go-rwx ${open.join(' ')}` },
  ]
}

function schemaFinding(db: Database.Database): Finding {
  const found = db.pragma('user_version', { simple: true }) as number
  const newest = migrations().at(-1)!.version
  if (found === newest) return { check: 'schema', status: 'ok', message: `version ${found}` }
  return found < newest
    ? { check: 'schema', status: 'warn', message: `version ${found}; the next start moves it to ${newest}` }
    : { check: 'schema', status: 'fail', message: `version ${found}, of a newer spendgate; this one knows ${newest}` }
}

function fenceFinding(verdict: FenceVerdict, note: FenceNote | null): Finding {
  const check = 'fence'
  if (note === null || verdict === 'none')
    return { check, status: 'warn', message: 'nothing beside the file says how far it had come; the next start does' }
  if (verdict === 'agrees')
    return { check, status: 'ok', message: `holds at least the ${note.entries} entries that were known of it` }
  const what = verdict === 'older' ? 'is older than what was here' : 'is not the one that was here'
  return {
    check,
    status: 'fail',
    message: `the file ${what} (${note.entries} entries were known): calls that cost money wait until you confirm it (spendgate db confirm-restore)`,
  }
}

function recoveryFinding(db: Database.Database): readonly Finding[] {
  const text = db.prepare('select value from settings where name = ?').pluck().get(RECOVERY) as string | undefined
  const recovery = text === undefined ? null : (JSON.parse(text) as Recovery | null)
  return recovery === null ? [] : [{ check: 'recovery', status: 'fail', message: recoverySentence(recovery) }]
}
