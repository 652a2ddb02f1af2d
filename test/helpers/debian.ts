import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/**
 * Debian packages a suite needs beside npm's. Installs what is missing where that is possible (as root, with apt-get).
 *
 * @returns null when they are there, or one sentence on why not, for the reason of the skip
 */
export function debianPackages(probe: readonly [string, ...string[]], packages: readonly string[]): string | null {
  const works = (): boolean => spawnSync(probe[0], probe.slice(1), { stdio: 'ignore' }).status === 0
  if (works()) return null
  const names = packages.join(' ')
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    return `${names} cannot be installed here (that needs root and apt-get).`
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const install = (): void => {
    spawnSync('apt-get', ['install', '-y', '--no-install-recommends', ...packages], {
      stdio: 'ignore',
      env,
      timeout: 180_000,
    })
  }
  install()
  if (works()) return null
  spawnSync('apt-get', ['update'], { stdio: 'ignore', env, timeout: 60_000 })
  install()
  return works() ? null : `${names} could not be installed with apt-get.`
}
