import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { CliFault, Exit } from './exit.js'

/**
 * Turns what would be a crash into a sentence, before a database is opened. better-sqlite3 13 is built for Node-API 10
 * and ends the process with a segmentation fault on a Node that stops at 9 (WiseLibs/better-sqlite3 issue 1514,
 * measured 2026-11); its `engines` field does not say so. For what ends it on Node 24 see `collectionFault`.
 */
export function requireSqlite(): void {
  const node = process.versions.node
  const fault = sqliteFault(installedSqlite(), node) ?? collectionFault(node, hasCleanupHooks) ?? bindingFault()
  if (fault !== null) throw new CliFault(Exit.failure, fault, { code: 'sqlite' })
}

const require = createRequire(import.meta.url)

/** Version of better-sqlite3 in node_modules; null when there is none. */
function installedSqlite(): string | null {
  try {
    return (require('better-sqlite3/package.json') as { version: string }).version
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'MODULE_NOT_FOUND') return null
    throw error
  }
}

/** Why this pair of versions cannot work, as a sentence. */
export function sqliteFault(sqlite: string | null, node: string): string | null {
  if (sqlite === null) return 'better-sqlite3 is not installed. Fix: npm install.'
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const nodeApi10 = major > 22 || (major === 22 && minor >= 14)
  if (Number.parseInt(sqlite, 10) < 13 || nodeApi10) return null
  const here = `this is ${node}, Node-API ${process.versions.napi ?? 'unknown'}`
  const fix = 'Fix: npm i better-sqlite3@^12.11.1, or use a newer Node.'
  return `better-sqlite3 ${sqlite} needs Node ≥ 22.14 (${here}) and would crash. ${fix}`
}

/**
 * Why a statement that nobody holds any more would end the process, as a sentence. From Node 24.19 on an object of an addon
 * takes itself off a list when it is collected, which Node 24 answers with an abort wherever no JavaScript runs at that
 * moment (nodejs/node issue 65446, measured with 24.21.0, 2026-11-22: within a second of dropping statements). What counts are
 * the headers that the addon was compiled with. Node 26.4 and later can do it, and Node 22 does not have it.
 */
export function collectionFault(node: string, hooked: () => boolean): string | null {
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const aborts = major === 24 || (major === 26 && minor < 4)
  if (!aborts || !hooked()) return null
  return (
    `better-sqlite3 was compiled with headers whose objects end Node ${node} when they are collected (nodejs/node issue 65446). ` +
    'Fix: use Node 22 or 26, or npm_config_build_from_source=true npm_config_target=24.18.1 npm rebuild better-sqlite3.'
  )
}

/** Whether the native part was compiled with such headers: only they make it ask for this function. */
function hasCleanupHooks(): boolean {
  const file = join(dirname(require.resolve('better-sqlite3/package.json')), 'build', 'Release', 'better_sqlite3.node')
  return existsSync(file) && readFileSync(file).includes('RemoveEnvironmentCleanupHook')
}

/** Whether the native part is there and of this Node; a sentence when it is not. */
function bindingFault(): string | null {
  try {
    const Database = require('better-sqlite3') as new (file: string) => { close(): void }
    new Database(':memory:').close()
    return null
  } catch (error) {
    const [first] = (error as Error).message.split('\n')
    const fix = 'Fix: npm rebuild better-sqlite3 (without a prebuilt binding it needs Python 3 and a C++ compiler).'
    return `The native part of better-sqlite3 cannot be loaded by Node ${process.versions.node} (${first}). ${fix}`
  }
}
