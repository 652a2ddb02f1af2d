import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The call in constructor and destructor, each on a line of its own; not the definitions behind them. */
const CALLS = /^\s*(?:Add|Remove)CleanupHook\(\);\r?\n/gm

/**
 * The headers an addon is compiled with. They stand beside the running Node, so that none are downloaded. Those of Node 24.19
 * and later 24s let every object of an addon end the process when it is collected (nodejs/node issue 65446): for these a
 * copy is made in which objects do what they did before. `remove` takes the copy away again.
 *
 * @param prefix directory that has `include/node`
 * @returns null when there are no headers
 */
export function headersBeside(prefix, version = process.versions.node) {
  const wrap = join(prefix, 'include', 'node', 'node_object_wrap.h')
  if (!existsSync(wrap)) return null
  const as = readFileSync(wrap, 'utf8')
  if (!version.startsWith('24.') || as.match(CALLS)?.length !== 2) return { directory: prefix, remove: () => {} }
  const directory = mkdtempSync(join(tmpdir(), 'spendgate-headers-'))
  cpSync(join(prefix, 'include', 'node'), join(directory, 'include', 'node'), { recursive: true })
  writeFileSync(join(directory, 'include', 'node', 'node_object_wrap.h'), as.replace(CALLS, ''))
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}
