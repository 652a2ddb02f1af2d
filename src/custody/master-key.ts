import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
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
import { randomBase62 } from './base62.js'
import { mentionsVaultKey } from './keys.js'
import { MASTER_BYTES } from './seal.js'
import { Secret } from './secret.js'

/** The master key or the admin token cannot be had safely. The message is for the operator and holds no secret. */
export class CustodyFault extends Error {
  override readonly name = 'CustodyFault'
}

type Variables<Name extends string> = { readonly [key in Name | `${Name}_FILE`]?: string | undefined }
export type MasterKeyEnv = Variables<'SPENDGATE_MASTER_KEY'>
export type AdminTokenEnv = Variables<'SPENDGATE_ADMIN_TOKEN'>

export interface MasterKey {
  readonly key: Buffer
  /** The variable or the file it came from, for messages. */
  readonly source: string
  /** True when it was generated just now. */
  readonly created: boolean
}

export interface AdminToken {
  /** Constant-time. A token that came from a file is read again when that file changes. */
  check(presented: string): boolean
  /** The token as it stands, for a first print or a command on the same machine. */
  current(): Secret
  readonly source: string
  readonly created: boolean
}

const MASTER_FILE = 'master-key'
const TOKEN_FILE = 'admin-token'
const TOKEN_PREFIX = 'sgadmin_'
const FILE_BYTES_MAX = 4096
// The admin port slows guessing to a few tries a minute, but eight characters are the least that leaves it hopeless.
const TOKEN_CHARS_MIN = 8
const TOKEN_CHARS_MAX = 512

/**
 * 32 bytes from SPENDGATE_MASTER_KEY, from SPENDGATE_MASTER_KEY_FILE, or from `master-key` in the data directory,
 * where it is generated at the first start. Throws CustodyFault when two sources speak, when a file or the directory
 * is open to others, or when the key is not 32 bytes in base64.
 */
export function loadMasterKey(env: MasterKeyEnv, dataDir: string): MasterKey {
  const found = load(env, 'SPENDGATE_MASTER_KEY', dataDir, MASTER_FILE, () =>
    randomBytes(MASTER_BYTES).toString('base64'),
  )
  return { key: masterBytes(found), source: found.source, created: found.created }
}

function masterBytes(found: Found): Buffer {
  const text = found.text
  const bytes = Buffer.from(text, 'base64')
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || bytes.toString('base64').replace(/=+$/, '') !== text.replace(/=+$/, '')) {
    throw new CustodyFault(`the master key in ${found.source} is not base64. Make one with: openssl rand -base64 32`)
  }
  if (bytes.length !== MASTER_BYTES) {
    throw new CustodyFault(
      `the master key in ${found.source} has ${bytes.length} bytes and must have ${MASTER_BYTES}. ` +
        'Make one with: openssl rand -base64 32',
    )
  }
  return bytes
}

/**
 * The admin token from SPENDGATE_ADMIN_TOKEN, SPENDGATE_ADMIN_TOKEN_FILE or `admin-token` in the data directory.
 * Throws like loadMasterKey.
 */
export function loadAdminToken(env: AdminTokenEnv, dataDir: string): AdminToken {
  const found = load(env, 'SPENDGATE_ADMIN_TOKEN', dataDir, TOKEN_FILE, newToken)
  checkToken(found)
  return found.file === null ? fixedToken(found) : watchedToken(found, found.file)
}

/** Replaces the token file of a data directory. A server that took its token from that file notices by itself. */
export function resetAdminToken(dataDir: string): Secret {
  const token = newToken()
  replace(dataDir, TOKEN_FILE, token)
  return new Secret(token)
}

/** Text of a file of ours that holds a secret. Throws CustodyFault when others may read it. */
export const readOwnFile = (path: string): string => readSecret({ path, refused: REFUSED_OWN })

/** Puts a secret into the data directory, for the owner alone; durable, and whole or not at all. */
export const replaceOwnFile = (dataDir: string, name: string, text: string): void => replace(dataDir, name, text)

const newToken = (): string => TOKEN_PREFIX + randomBase62(43)

function checkToken(found: Found): void {
  const { text, source } = found
  if (text.length < TOKEN_CHARS_MIN || text.length > TOKEN_CHARS_MAX || !/^[\x21-\x7e]+$/.test(text)) {
    throw new CustodyFault(
      `the admin token in ${source} must be ${TOKEN_CHARS_MIN} to ${TOKEN_CHARS_MAX} visible ASCII characters ` +
        'without spaces. Leave the variable unset to have one generated.',
    )
  }
  if (mentionsVaultKey(text)) {
    throw new CustodyFault(`the admin token in ${source} is a vault key. Those are for agents and open nothing here.`)
  }
}

function fixedToken(found: Found): AdminToken {
  const secret = new Secret(found.text)
  const expected = sha256(found.text)
  return {
    check: (presented) => timingSafeEqual(sha256(presented), expected),
    current: () => secret,
    source: found.source,
    created: found.created,
  }
}

function watchedToken(found: Found, file: SecretFile): AdminToken {
  let stamp = 'not compared yet'
  let secret = new Secret(found.text)
  let expected = sha256(found.text)
  const refresh = (): void => {
    const now = stampOf(file.path)
    if (now === stamp) return
    const text = readSecret(file)
    checkToken({ text, source: file.path, file, created: false })
    secret = new Secret(text)
    expected = sha256(text)
    stamp = now
  }
  return {
    check: (presented) => {
      try {
        refresh()
      } catch (fault) {
        // A token file that is gone, opened to others or damaged admits nobody until it is put right.
        if (fault instanceof CustodyFault) return false
        throw fault
      }
      return timingSafeEqual(sha256(presented), expected)
    },
    current: () => {
      refresh()
      return secret
    },
    source: found.source,
    created: found.created,
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Changes whenever the file is replaced or rewritten. */
function stampOf(path: string): string {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false })
  return stat ? `${stat.ino}:${stat.mtimeNs}:${stat.ctimeNs}:${stat.size}` : 'absent'
}

interface SecretFile {
  readonly path: string
  /** Permission bits that must not be set. */
  readonly refused: number
}
interface Found {
  readonly text: string
  readonly source: string
  readonly file: SecretFile | null
  readonly created: boolean
}

// Our own files are ours alone. A file the operator mounts may be readable by the group, because Kubernetes gives a
// secret to a non-root container in no other way; nobody else may read it, and only the owner may write it.
const REFUSED_OWN = 0o077
const REFUSED_MOUNTED = 0o037

function load(
  env: Readonly<Record<string, string | undefined>>,
  name: string,
  dataDir: string,
  fileName: string,
  generate: () => string,
): Found {
  const value = env[name]?.trim() || null
  const mounted = env[`${name}_FILE`]?.trim() || null
  if (value !== null && mounted !== null) {
    throw new CustodyFault(`both ${name} and ${name}_FILE are set. Unset one, so that it is clear which of them holds.`)
  }
  if (value !== null) return { text: value, source: name, file: null, created: false }
  if (mounted !== null) {
    const file = { path: mounted, refused: REFUSED_MOUNTED }
    return { text: readSecret(file), source: `${name}_FILE (${mounted})`, file, created: false }
  }
  privateDirectory(dataDir)
  const file = { path: join(dataDir, fileName), refused: REFUSED_OWN }
  const created = lstatSync(file.path, { throwIfNoEntry: false }) === undefined && create(dataDir, fileName, generate())
  return { text: readSecret(file), source: file.path, file, created }
}

function readSecret(file: SecretFile): string {
  let descriptor: number
  try {
    descriptor = openSync(file.path, constants.O_RDONLY)
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
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1)
    const length = readSync(descriptor, bytes, 0, bytes.length, 0)
    if (length > FILE_BYTES_MAX) throw new CustodyFault(`${file.path} is longer than ${FILE_BYTES_MAX} bytes.`)
    const text = bytes.toString('utf8', 0, length).trim()
    bytes.fill(0)
    if (text === '') throw new CustodyFault(`${file.path} is empty.`)
    return text
  } finally {
    closeSync(descriptor)
  }
}

/** Makes the data directory with mode 0700, or checks that others are shut out. An empty one is closed, not refused. */
function privateDirectory(path: string): void {
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

function replace(directory: string, name: string, text: string): void {
  privateDirectory(directory)
  renameSync(writeDraft(directory, name, text), join(directory, name))
  persistDirectory(directory)
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

/** A master key that will replace the present one: durable already, in force after `install`. */
export interface StagedMasterKey {
  readonly key: Buffer
  install(): void
}

/**
 * The next master key. From the file of the data directory: a new one, kept as `master-key.next` until installed, and
 * found there again when a rotation was cut short. From the environment: what SPENDGATE_NEW_MASTER_KEY says, which the
 * operator then sets in place of the old one. Throws CustodyFault when that is missing, equal to the old, or unusable.
 */
export function stageMasterKey(
  env: MasterKeyEnv & { readonly SPENDGATE_NEW_MASTER_KEY?: string | undefined },
  dataDir: string,
): StagedMasterKey {
  const given = env.SPENDGATE_NEW_MASTER_KEY?.trim() || null
  const fromFile = !env.SPENDGATE_MASTER_KEY?.trim() && !env.SPENDGATE_MASTER_KEY_FILE?.trim()
  if (!fromFile) {
    if (given === null) {
      throw new CustodyFault(
        'the master key comes from the environment: put the new one in SPENDGATE_NEW_MASTER_KEY ' +
          '(openssl rand -base64 32).',
      )
    }
    return {
      key: masterBytes({ text: given, source: 'SPENDGATE_NEW_MASTER_KEY', file: null, created: false }),
      install: () => undefined,
    }
  }
  if (given !== null)
    throw new CustodyFault(
      'SPENDGATE_NEW_MASTER_KEY is set, but the master key comes from the data directory, ' +
        'where a new one is generated. Unset it.',
    )
  const name = `${MASTER_FILE}.next`
  const path = join(dataDir, name)
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined)
    create(dataDir, name, randomBytes(MASTER_BYTES).toString('base64'))
  const text = readSecret({ path, refused: REFUSED_OWN })
  return {
    key: masterBytes({ text, source: path, file: null, created: false }),
    install: () => {
      renameSync(path, join(dataDir, MASTER_FILE))
      persistDirectory(dataDir)
    },
  }
}
