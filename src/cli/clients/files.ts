import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { CliFault, Exit } from '../exit.js'
import { TextFault } from './json-text.js'

/** Beyond this it is no configuration file. */
const FILE_BYTES_MAX = 16 * 1024 * 1024

/** The text of a configuration file; null when there is none. */
export function textOf(file: string): string | null {
  try {
    if (statSync(file).size > FILE_BYTES_MAX)
      throw new CliFault(Exit.failure, `${file} is too large for a configuration file.`)
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return null
    if (error instanceof CliFault) throw error
    throw new CliFault(Exit.failure, `${file} cannot be read (${code ?? 'unknown fault'}).`, { cause: error })
  }
}

export const backupOf = (file: string): string => `${real(file)}.spendgate-backup`
/** What a backup says of a file that was not there. No client's file begins so. */
const ABSENT = 'spendgate: there was no such file.\n'

/**
 * Puts a text in the place of the one that was read, so that nobody ever reads half of it. What was there goes into the
 * backup, unless `keepBackup` says that the one there is from before spendgate. Only the user may read either: both
 * hold keys.
 */
export function replaceFile(file: string, before: string | null, after: string, keepBackup: boolean): void {
  const target = real(file)
  if (textOf(target) !== before)
    throw new CliFault(
      Exit.failure,
      `${file} was changed by somebody else meanwhile, and was left as it is. Try again.`,
    )
  mkdirSync(dirname(target), { recursive: true })
  const backup = backupOf(file)
  if (!(keepBackup && existsSync(backup))) put(backup, before ?? ABSENT)
  put(target, after)
  // The same time on both says that nobody wrote to the file since.
  const { atime, mtime } = statSync(target)
  utimesSync(backup, atime, mtime)
}

/** Puts back what was there. @returns where the present text went, when somebody had changed it since; else null */
export function restoreFile(file: string): { readonly removed: boolean; readonly aside: string | null } {
  const target = real(file)
  const backup = backupOf(file)
  const before = readFileSync(backup, 'utf8')
  const changed = existsSync(target) && Math.abs(statSync(target).mtimeMs - statSync(backup).mtimeMs) > 2
  const aside = changed ? `${target}.spendgate-undone` : null
  if (aside !== null) put(aside, readFileSync(target, 'utf8'))
  if (before === ABSENT) {
    rmSync(target, { force: true })
    rmSync(backup)
  } else renameSync(backup, target)
  return { removed: before === ABSENT, aside }
}

function put(file: string, text: string): void {
  rmSync(`${file}.spendgate-new`, { force: true })
  writeFileSync(`${file}.spendgate-new`, text, { mode: 0o600 })
  renameSync(`${file}.spendgate-new`, file)
}

/** A link to a file elsewhere stays a link. */
const real = (file: string): string => (existsSync(file) ? realpathSync(file) : file)

/** Does what may find a text that cannot be understood, and says so with the file's name. */
export function understood<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof TextFault)) throw error
    throw new CliFault(
      Exit.failure,
      `${file} cannot be understood (${error.message}) and was left as it is. Correct it, or name another with --file.`,
      { code: 'config_unreadable', cause: error },
    )
  }
}
