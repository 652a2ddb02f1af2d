import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { packageRoot } from '../package-root.js'

export interface Asset {
  readonly type: string
  readonly body: Buffer
}

/** Scripts and styles of the pages, read once, under a path that changes with them: browsers may keep them for ever. */
export function loadAssets(): { readonly base: string; find(name: string): Asset | null } {
  const uplot = dirname(createRequire(import.meta.url).resolve('uplot/package.json'))
  const own = join(packageRoot(), 'src', 'dashboard', 'static')
  const assets = new Map<string, Asset>([
    ['style.css', { type: 'text/css; charset=utf-8', body: readFileSync(join(own, 'style.css')) }],
    ['live.js', { type: 'text/javascript; charset=utf-8', body: readFileSync(join(own, 'live.js')) }],
    ['uplot.css', { type: 'text/css; charset=utf-8', body: readFileSync(join(uplot, 'dist', 'uPlot.min.css')) }],
    [
      'uplot.js',
      { type: 'text/javascript; charset=utf-8', body: readFileSync(join(uplot, 'dist', 'uPlot.iife.min.js')) },
    ],
  ])
  const hash = createHash('sha256')
  for (const { body } of assets.values()) hash.update(body)
  return { base: `/dashboard/assets/${hash.digest('hex').slice(0, 12)}`, find: (name) => assets.get(name) ?? null }
}
