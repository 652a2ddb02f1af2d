import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { packageRoot } from '../src/package-root.js'

/** Other people's proxies have a manifest and a lock of their own: nobody but a bench needs them. */
const HOME = join(packageRoot(), 'bench', 'peers')
const INSTALL_MS = 180_000

/** What came of the only attempt this process makes; undefined before it. */
let attempted: string | null | undefined

/**
 * Installs them as locked, without their install scripts, unless they are there.
 *
 * @returns null, or a sentence on why they cannot be had
 */
export function installPeers(): string | null {
  if (attempted === undefined) attempted = install()
  return attempted
}

function install(): string | null {
  if (!existsSync(join(HOME, 'package-lock.json'))) return 'not part of what is installed here; a checkout has them.'
  if (peersInstalled()) return null
  const args = [
    'ci',
    '--prefix',
    HOME,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--fetch-retries=1',
    '--loglevel=error',
  ]
  const { status, stderr, error } = spawnSync('npm', args, { encoding: 'utf8', timeout: INSTALL_MS })
  if (status === 0 && peersInstalled()) return null
  // The first line says what kind of failure it is; later ones name files of this machine.
  const why = error?.message ?? /^npm (?:error|ERR!) (.+)$/m.exec(stderr)?.[1] ?? `it ended with ${status}`
  return `npm ci in bench/peers failed: ${why.slice(0, 100)}.`
}

export const peersInstalled = (): boolean =>
  Object.entries(wanted()).every(([name, version]) => existsSync(manifestOf(name)) && versionOfPeer(name) === version)

/** @throws Error when it is not installed */
export const versionOfPeer = (name: string): string =>
  (JSON.parse(readFileSync(manifestOf(name), 'utf8')) as { version: string }).version

/** Loads one of them; what it exports is for the caller to know. */
export function loadPeer<T>(name: string): T {
  return createRequire(join(HOME, 'package.json'))(name) as T
}

/** A file inside one of them. */
export const fileOfPeer = (name: string, path: string): string => join(HOME, 'node_modules', name, path)

const manifestOf = (name: string): string => fileOfPeer(name, 'package.json')

const wanted = (): Readonly<Record<string, string>> =>
  (JSON.parse(readFileSync(join(HOME, 'package.json'), 'utf8')) as { dependencies: Record<string, string> })
    .dependencies
