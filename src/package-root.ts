import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Absolute path of the directory that holds spendgate's package.json, README and policies/presets. The same code
 * runs as src/*.ts under vitest, as dist/src/*.js after a build, and inside somebody's node_modules.
 */
export function packageRoot(): string {
  let directory = dirname(fileURLToPath(import.meta.url))
  for (;;) {
    if (manifestAt(directory)?.name === 'spendgate') return directory
    const parent = dirname(directory)
    assert.notEqual(parent, directory, 'no package.json named spendgate above this file')
    directory = parent
  }
}

/** The version in spendgate's own package.json. */
export function packageVersion(): string {
  return manifestAt(packageRoot())?.version ?? '0.0.0'
}

function manifestAt(directory: string): { readonly name?: string; readonly version?: string } | null {
  const file = join(directory, 'package.json')
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as { name?: string; version?: string }) : null
}
