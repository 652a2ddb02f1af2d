import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/package-root.js'

/** The version of a package this project installs. */
export function versionOf(name: string): string {
  const manifest = JSON.parse(readFileSync(join(packageRoot(), 'node_modules', name, 'package.json'), 'utf8')) as {
    version: string
  }
  return manifest.version
}
