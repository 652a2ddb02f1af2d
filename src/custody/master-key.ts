import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { lstatSync, statSync } from 'node:fs'
import { randomBase62 } from './base62.js'
import { CustodyFault } from './fault.js'
import { mentionsVaultKey } from './keys.js'
import { namedSource, type SourceVariables } from './master-source.js'
import {
  makeOwnFile,
  mountedFile,
  ownFile,
  privateDirectory,
  readSecret,
  renameOwnFile,
  replaceOwnFile,
  type SecretFile,
} from './own-files.js'
import type { Environment } from './program.js'
import { MASTER_BYTES, SealFault } from './seal.js'
import { Secret } from './secret.js'

export { CustodyFault } from './fault.js'
export { readOwnFile, replaceOwnFile } from './own-files.js'

export type MasterKeyEnv = SourceVariables<'SPENDGATE_MASTER_KEY'>
export type AdminTokenEnv = {
  readonly [key in 'SPENDGATE_ADMIN_TOKEN' | 'SPENDGATE_ADMIN_TOKEN_FILE']?: string | undefined
}

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
// The admin port slows guessing to a few tries a minute, but eight characters are the least that leaves it hopeless.
const TOKEN_CHARS_MIN = 8
const TOKEN_CHARS_MAX = 512

/**
 * 32 bytes from the one source that is named: SPENDGATE_MASTER_KEY, …_FILE, …_KEYCHAIN or …_COMMAND. Where none is, from
 * `master-key` in the data directory, where it is generated at the first start. Throws CustodyFault when two sources are
 * named, when one gives nothing, when a file or the directory is open to others, or when the key is not 32 bytes in base64;
 * SealFault when another key lies in the data directory.
 */
export function loadMasterKey(env: MasterKeyEnv, dataDir: string, environment?: Environment): MasterKey {
  const named = namedSource(env, 'SPENDGATE_MASTER_KEY', environment)
  if (named === null) {
    const found = inDataDir(dataDir, MASTER_FILE, newMasterKey)
    return { key: masterBytes(found), source: found.source, created: found.created }
  }
  const key = masterBytes({ text: named.read(), source: named.shown })
  refuseAnother(key, named.shown, ownFile(dataDir, MASTER_FILE))
  return { key, source: named.shown, created: false }
}

const newMasterKey = (): string => randomBytes(MASTER_BYTES).toString('base64')

/** A key that lies in the data directory and is not the one in force will be taken for it on the day the variable is forgotten. */
function refuseAnother(key: Buffer, source: string, file: SecretFile): void {
  if (lstatSync(file.path, { throwIfNoEntry: false }) === undefined) return
  const other = masterBytes({ text: readSecret(file), source: file.path })
  if (timingSafeEqual(key, other)) return
  throw new SealFault(
    `${source} and ${file.path} hold different master keys. Only one can open the vault: unset the one, or move the other away.`,
  )
}

/**
 * Where the master key would be taken from, for whoever wants to know without taking it: nothing is read, started or made.
 *
 * @throws CustodyFault when the environment names no source that could be used
 */
export function masterKeySource(env: MasterKeyEnv, dataDir: string): string {
  return namedSource(env, 'SPENDGATE_MASTER_KEY')?.shown ?? ownFile(dataDir, MASTER_FILE).path
}

function masterBytes(found: Pick<Found, 'text' | 'source'>): Buffer {
  const { text } = found
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
  const found = givenToken(env) ?? inDataDir(dataDir, TOKEN_FILE, newToken)
  checkToken(found)
  return found.file === null ? fixedToken(found) : watchedToken(found, found.file)
}

/** Replaces the token file of a data directory. A server that took its token from that file notices by itself. */
export function resetAdminToken(dataDir: string): Secret {
  const token = newToken()
  replaceOwnFile(dataDir, TOKEN_FILE, token)
  return new Secret(token)
}

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

interface Found {
  readonly text: string
  readonly source: string
  readonly file: SecretFile | null
  readonly created: boolean
}

function givenToken(env: AdminTokenEnv): Found | null {
  const value = env.SPENDGATE_ADMIN_TOKEN?.trim() || null
  const mounted = env.SPENDGATE_ADMIN_TOKEN_FILE?.trim() || null
  if (value !== null && mounted !== null)
    throw new CustodyFault(
      'both SPENDGATE_ADMIN_TOKEN and SPENDGATE_ADMIN_TOKEN_FILE are set. Unset one, so that it is clear which of them holds.',
    )
  if (value !== null) return { text: value, source: 'SPENDGATE_ADMIN_TOKEN', file: null, created: false }
  if (mounted === null) return null
  const file = mountedFile(mounted)
  return { text: readSecret(file), source: `SPENDGATE_ADMIN_TOKEN_FILE (${mounted})`, file, created: false }
}

function inDataDir(dataDir: string, name: string, generate: () => string): Found {
  privateDirectory(dataDir)
  const file = ownFile(dataDir, name)
  const created = makeOwnFile(dataDir, name, generate)
  return { text: readSecret(file), source: file.path, file, created }
}

/** A master key that will replace the present one: durable already, in force after `install`. */
export interface StagedMasterKey {
  readonly key: Buffer
  /** What the operator has to do before the next start, or null when `install` does it all. */
  readonly remains: string | null
  install(): void
}

/**
 * The next master key. From the file of the data directory: a new one, kept as `master-key.next` until installed, and
 * found there again when a rotation was cut short. From any other source: what SPENDGATE_NEW_MASTER_KEY (or its _FILE,
 * _KEYCHAIN or _COMMAND) says, which the operator then puts in the place of the old one. Throws CustodyFault when that is
 * missing or unusable.
 */
export function stageMasterKey(
  env: MasterKeyEnv & SourceVariables<'SPENDGATE_NEW_MASTER_KEY'>,
  dataDir: string,
  environment?: Environment,
): StagedMasterKey {
  const present = namedSource(env, 'SPENDGATE_MASTER_KEY', environment)
  const next = namedSource(env, 'SPENDGATE_NEW_MASTER_KEY', environment)
  if (present !== null) {
    if (next === null)
      throw new CustodyFault(
        `the master key comes from ${present.shown}: put the new one in SPENDGATE_NEW_MASTER_KEY ` +
          '(openssl rand -base64 32), or name where it is with SPENDGATE_NEW_MASTER_KEY_FILE, _KEYCHAIN or _COMMAND.',
      )
    return {
      key: masterBytes({ text: next.read(), source: next.shown }),
      remains: `Start the server with the new key, the one of ${next.variable}, in the place of the old one: ${present.shown}.`,
      install: () => undefined,
    }
  }
  if (next !== null)
    throw new CustodyFault(
      `${next.variable} is set, but the master key comes from the data directory, ` +
        'where a new one is generated. Unset it.',
    )
  const name = `${MASTER_FILE}.next`
  makeOwnFile(dataDir, name, newMasterKey)
  const file = ownFile(dataDir, name)
  return {
    key: masterBytes({ text: readSecret(file), source: file.path }),
    remains: null,
    install: () => renameOwnFile(dataDir, name, MASTER_FILE),
  }
}
