import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { alone } from './alone.js'

type Wanted = readonly [probe: readonly [string, ...string[]], packages: readonly string[]]

/** Clients in other languages that suites run: a command that ends with 0 where they are, and what brings them. */
export const DEBIAN_CLIENTS = {
  python: [
    ['/usr/bin/python3', '-c', 'import stripe, twilio, requests, httpx'],
    ['python3-stripe', 'python3-twilio', 'python3-requests', 'python3-httpx'],
  ],
  curl: [['curl', '--version'], ['curl']],
  php: [
    ['php', '-r', 'exit(function_exists("curl_init") ? 0 : 1);'],
    ['php-cli', 'php-curl'],
  ],
  ruby: [['ruby', '-e', 'require "net/http"'], ['ruby']],
} satisfies Readonly<Record<string, Wanted>>

/**
 * Debian packages a suite needs beside npm's. Installs what is missing where that is possible (as root, with apt-get).
 *
 * @returns null when they are there, or one sentence on why not, for the reason of the skip
 */
export function debianPackages([probe, packages]: Wanted): string | null {
  const works = (): boolean => spawnSync(probe[0], probe.slice(1), { stdio: 'ignore' }).status === 0
  if (works()) return null
  return alone('debian', () => install(works, packages))
}

function install(works: () => boolean, packages: readonly string[]): string | null {
  if (works()) return null
  const names = packages.join(' ')
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    return `${names} cannot be installed here (that needs root and apt-get).`
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const get = (): void => {
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], {
      stdio: 'ignore',
      env,
      timeout: 180_000,
    })
  }
  get()
  if (works()) return null
  spawnSync('apt-get', ['update'], { stdio: 'ignore', env, timeout: 60_000 })
  get()
  return works() ? null : `${names} could not be installed with apt-get.`
}
