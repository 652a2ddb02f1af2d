import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { CustodyFault } from './fault.js'

/* Files that hold a secret: who may read them, and how they are written whole or not at all. */

export interface SecretFile {
  readonly path: string
  /** Permission bits that must not be set. */
  readonly refused: number
}

// Our own files are ours alone. A file the operator mounts may be readable by the group, because Kubernetes gives a
// secret to a non-root container in no other way; nobody else may read it, and only the owner may write it.
const REFUSED_OWN = 0o077
const REFUSED_MOUNTED = 0o037

const FILE_BYTES_MAX = 4096

/** A file of ours in the data directory. */
export const ownFile = (dataDir: string, name: string): SecretFile => ({
  path: join(dataDir, name),
  refused: REFUSED_OWN,
})

/** A file that the operator has put somewhere for us. */
export const mountedFile = (path: string): SecretFile => ({ path, refused: REFUSED_MOUNTED })

/** Text of a file of ours that holds a secret. Throws CustodyFault when others may read it. */
export const readOwnFile = (path: string): string => readSecret({ path, refused: REFUSED_OWN })

/** Text of a file that the operator names. Throws CustodyFault when anybody but its group may read it. */
export const readMountedFile = (path: string, bytesMax = FILE_BYTES_MAX): string =>
  readSecret(mountedFile(path), bytesMax)

/** Puts a secret into the data directory, for the owner alone; durable, and whole or not at all. */
export function replaceOwnFile(dataDir: string, name: string, text: string): void {
  privateDirectory(dataDir)
  renameSync(writeDraft(dataDir, name, text), join(dataDir, name))
  persistDirectory(dataDir)
}

/** Puts what was written under one name in place of another, durably. */
export function renameOwnFile(dataDir: string, from: string, to: string): void {
  renameSync(join(dataDir, from), join(dataDir, to))
  persistDirectory(dataDir)
}

/** Makes a file of ours unless it is there. True when it was made just now. */
export function makeOwnFile(dataDir: string, name: string, text: () => string): boolean {
  if (lstatSync(join(dataDir, name), { throwIfNoEntry: false }) !== undefined) return false
  return create(dataDir, name, text())
}

/** Throws CustodyFault when it cannot be read, or others may read it too. */
export function readSecret(file: SecretFile, bytesMax = FILE_BYTES_MAX): string {
  let descriptor: number
  try {
    // Without waiting: a pipe in the place of the file must not hold the server up.
    descriptor = openSync(file.path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new CustodyFault(`${file.path} cannot be read (${codeOf(cause)}).`, { cause })
  }
  try {
    // The opened file is judged, not the path, so that nobody can swap it in between.
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw new CustodyFault(`${file.path} is not a regular file.`)
    if (modesCount && (stat.mode & file.refused) !== 0) {
      throw new CustodyFault(
        `${file.path} is open to others (mode ${modeText(stat.mode)}). Close it: chmod 600 ${file.path}`,
      )
    }
    const bytes = Buffer.alloc(bytesMax + 1)
    const length = readSync(descriptor, bytes, 0, bytes.length, 0)
    if (length > bytesMax) throw new CustodyFault(`${file.path} is longer than ${bytesMax} bytes.`)
    const text = bytes.toString('utf8', 0, length).trim()
    bytes.fill(0)
    if (text === '') throw new CustodyFault(`${file.path} is empty.`)
    return text
  } finally {
    closeSync(descriptor)
  }
}

/** Makes the data directory with mode 0700, or checks that others are shut out. An empty one is closed, not refused. */
export function privateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    const stat = statSync(path)
    if (!stat.isDirectory()) throw new CustodyFault(`the data directory ${path} is not a directory.`)
    if (!modesCount || (stat.mode & 0o077) === 0) return
    if (readdirSync(path).length === 0) return chmodSync(path, 0o700)
    throw new CustodyFault(
      `the data directory ${path} is open to others (mode ${modeText(stat.mode)}). Close it: chmod 700 ${path}`,
    )
  } catch (cause) {
    if (cause instanceof CustodyFault) throw cause
    throw new CustodyFault(`the data directory ${path} cannot be used (${codeOf(cause)}).`, { cause })
  }
}

/** False when another process made the file first: its content holds then. A crash leaves a whole file or none. */
function create(directory: string, name: string, text: string): boolean {
  const draft = writeDraft(directory, name, text)
  try {
    linkSync(draft, join(directory, name))
    return true
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false
    throw new CustodyFault(`${join(directory, name)} cannot be written (${codeOf(cause)}).`, { cause })
  } finally {
    unlinkSync(draft)
    persistDirectory(directory)
  }
}

function writeDraft(directory: string, name: string, text: string): string {
  const draft = join(directory, `.${name}.${randomBytes(6).toString('hex')}`)
  try {
    const descriptor = openSync(draft, 'wx', 0o600)
    try {
      writeSync(descriptor, `${text}\n`)
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  } catch (cause) {
    throw new CustodyFault(`${draft} cannot be written (${codeOf(cause)}).`, { cause })
  }
  return draft
}

function persistDirectory(directory: string): void {
  if (!modesCount) return
  const descriptor = openSync(directory, constants.O_RDONLY)
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

// Windows reports modes that say nothing about who may read.
const modesCount = process.platform !== 'win32'

const modeText = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0')

const codeOf = (fault: unknown): string =>
  fault instanceof Error && 'code' in fault ? String(fault.code) : 'unknown fault'
