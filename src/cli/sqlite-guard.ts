import { createRequire } from 'node:module'
import { CliFault, Exit } from './exit.js'

/**
 * Turns what would be a crash into a sentence, before a database is opened. better-sqlite3 13 is built for Node-API 10
 * and ends the process with a segmentation fault on a Node that stops at 9 (WiseLibs/better-sqlite3 issue 1514,
 * measured 2026-11); its `engines` field does not say so.
 */
export function requireSqlite(): void {
  const fault = sqliteFault(installedSqlite(), process.versions.node) ?? bindingFault()
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
  const fix = 'Fix: npm i better-sqlite3@^12.11.1, or use Node 24.'
  return `better-sqlite3 ${sqlite} needs Node ≥ 22.14 (${here}) and would crash. ${fix}`
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
