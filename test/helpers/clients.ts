import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { alone } from './alone.js'

const FOLDER = fileURLToPath(new URL('../../fixtures/clients', import.meta.url))
const STAMP = join(FOLDER, 'node_modules', '.spendgate-installed')

/**
 * The programs of others that run unmodified under test (fixtures/clients/package.json): MCP servers, MCP clients, older
 * SDKs, other versions of Node. Installed beside the project, once, because nobody needs them to run it.
 *
 * @returns null when they are there, or one sentence on why not, for the reason of the skip
 */
export const installClients = (): string | null => alone('clients', install)

function install(): string | null {
  const lock = createHash('sha256')
    .update(readFileSync(join(FOLDER, 'package-lock.json')))
    .digest('hex')
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === lock) return null
  const { status, stderr, error } = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'],
    { cwd: FOLDER, encoding: 'utf8', timeout: 240_000 },
  )
  if (status === 0) {
    writeFileSync(STAMP, lock)
    return null
  }
  return `The clients under test could not be installed: ${(error?.message ?? stderr).trim().split('\n')[0]}`
}

/** A file of an installed client. */
export const clientFile = (...path: string[]): string => join(FOLDER, 'node_modules', ...path)

/** Other versions of Node by major number, as far as this machine can run them. */
export function nodeVersions(): readonly (readonly [string, string])[] {
  const found: [string, string][] = [[process.versions.node.split('.')[0]!, process.execPath]]
  for (const major of ['20', '22', '24']) {
    const file = clientFile(`node-${major}`, 'bin', 'node')
    if (major !== found[0]![0] && existsSync(file)) found.push([major, file])
  }
  return found
}
