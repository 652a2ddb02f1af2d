import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/package-root.js'
import { compare } from './compare.js'
import { layout, LAYOUTS, type Layout, type LayoutName } from './machine.js'
import { profile } from './profile.js'
import { figures, figureTable, targetTable } from './report.js'

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '7' },
    'window-ms': { type: 'string', default: '1500' },
    layouts: { type: 'string', default: 'two-cores,one-cpu' },
    connections: { type: 'string', default: '64' },
    top: { type: 'string', default: '30' },
  },
})
const say = (text: string): void => void process.stderr.write(`${text}\n`)
const show = (text: string): void => void process.stdout.write(`${text}\n\n`)

// The database is measured on the disk the checkout is on: a temporary directory is often in memory, where an fsync is free.
mkdirSync(join(packageRoot(), 'dist'), { recursive: true })
const directory = mkdtempSync(join(packageRoot(), 'dist', 'bench-data-'))
try {
  const layouts = flags.layouts.split(',').flatMap((name): Layout[] => {
    const found = layout(name as LayoutName)
    if (typeof found === 'string') say(found)
    return typeof found === 'string' ? [] : [found]
  })
  const plan = { rounds: Number(flags.rounds), windowMs: Number(flags['window-ms']), warmMs: 3_000, connections: Number(flags.connections), syncs: 200 }
  if (positionals[0] === 'profile') {
    show(await profile(layouts[0]!, { connections: plan.connections, windowMs: 8_000, top: Number(flags.top), directory }))
  } else {
    for (const each of layouts) {
      const comparison = await compare(each, plan, directory)
      show(`## ${each.means}`)
      show(targetTable(comparison))
      show(figureTable(figures(comparison)))
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true })
}
void LAYOUTS
