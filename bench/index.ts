import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/package-root.js'
import { explainTable, matchingTable, measureCatalogues, type Matching } from './catalogue.js'
import { compare, type Comparison, type Plan } from './compare.js'
import { machineLine, page, type Findings } from './document.js'
import type { Grown } from './growth.js'
import { isLayoutName, layout, LAYOUTS, type Layout } from './machine.js'
import { Part } from './part.js'
import { measurePreload, preloadSection, preloadTable, withPreload } from './preload.js'
import { profile } from './profile.js'
import { measureRevoke, revokeTable } from './revoke.js'
import { figures, figureTable, growthTable, targetTable } from './report.js'

const USAGE = `npm run bench                 compare, grow, look up, preload, and rewrite docs/performance.md (about ten minutes)
npm run bench -- compare      the targets side by side
npm run bench -- growth       the ledger from a thousand rows to a million
npm run bench -- catalogue    finding an operation among all of them, and what a typical call means
npm run bench -- preload      what the preload costs a program; rewrites its section of docs/performance.md
npm run bench -- contention   several nodes on one PostgreSQL; rewrites its section of docs/scaling.md
npm run bench -- revoke       how long a revoke and a freeze take while agents keep the server busy
npm run bench -- profile      where the server's time goes under load
npm run bench -- check        that the bench works: a second or two, no figure worth reading

  --rounds <n>          measurements of each target (7; at least 5 for figures to keep)
  --window-ms <n>       length of one measurement (1500)
  --connections <n>     closed-loop connections (64; revoke: 200)
  --stops <n>           revokes, and as many freezes (300)
  --layouts <names>     of ${LAYOUTS.join(', ')} (two-cores,one-cpu)
  --rows <n,n>          ledger sizes (1000,10000,100000,1000000)
  --top <n>             lines a table of the profile (20)
  --date <YYYY-MM-DD>   date on the page (today)
  --json                everything that was measured, as one JSON object
`

/** Fewer give no median worth keeping. */
const ROUNDS_MIN = 5

const VERBS = ['all', 'compare', 'growth', 'catalogue', 'preload', 'contention', 'revoke', 'profile', 'check'] as const
type Verb = (typeof VERBS)[number]

async function main(args: readonly string[]): Promise<number> {
  const choice = read(args)
  if (typeof choice === 'string') {
    process.stderr.write(`${choice}\n\n${USAGE}`)
    return 2
  }
  // On the disk that holds the checkout: a temporary directory is often memory, where an fsync costs nothing.
  const built = join(packageRoot(), 'dist')
  mkdirSync(built, { recursive: true })
  const directory = mkdtempSync(join(built, 'bench-'))
  const remove = (): void => rmSync(directory, { recursive: true, force: true })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      remove()
      process.exit(130)
    })
  }
  try {
    await perform(choice, directory)
    return 0
  } catch (cause) {
    say((cause as Error).message)
    return 1
  } finally {
    remove()
  }
}

interface Choice {
  readonly verb: Verb
  readonly plan: Plan
  readonly layouts: readonly Layout[]
  readonly sizes: readonly number[]
  readonly top: number
  readonly stops: number
  readonly date: string
  readonly json: boolean
}

async function perform(choice: Choice, directory: string): Promise<void> {
  const { verb, plan, layouts, sizes, top, date, json } = choice
  if (verb === 'profile') {
    return show(await profile(layouts[0]!, { connections: plan.connections, windowMs: 8_000, top, directory }))
  }
  if (verb === 'revoke') {
    const revoked = await measureRevoke(layouts[0]!, { ...plan, count: choice.stops }, directory)
    return json ? void process.stdout.write(`${JSON.stringify(revoked)}\n`) : show(revokeTable(revoked))
  }
  if (verb === 'preload') return preloadOnly(plan.rounds, layouts[0]!, directory, date, json)
  if (verb === 'contention') return contentionOnly(plan, date, json)
  const comparisons: Comparison[] = []
  if (verb !== 'growth' && verb !== 'catalogue') {
    for (const each of layouts) {
      say(`${each.name}: ${each.means}; ${plan.rounds} rounds …`)
      const comparison = await compare(each, plan, directory)
      comparisons.push(comparison)
      if (json) continue
      show(`${each.means}\n`)
      show(targetTable(comparison))
      show(figureTable(figures(comparison)))
      for (const reason of comparison.absent) show(reason)
    }
  }
  let growth: Grown[] = []
  if (verb === 'all' || verb === 'growth') {
    say(`ledger: filling up to ${sizes.at(-1)} rows …`)
    growth = await grow(sizes, plan.rounds, layouts[0]!, directory)
    if (!json) show(growthTable(growth))
  }
  let matching: Matching[] = []
  if (verb === 'all' || verb === 'catalogue' || verb === 'check') {
    matching = measureCatalogues(verb === 'check' ? 1 : plan.rounds)
    if (!json) {
      show(matchingTable(matching))
      show(explainTable(matching))
    }
  }
  const preloaded = verb === 'all' ? await measurePreload(plan.rounds, layouts[0]!, directory) : null
  if (preloaded !== null && !json) show(preloadTable(preloaded))
  const findings: Findings = { date, comparisons, growth, matching, preloaded }
  if (json) process.stdout.write(`${JSON.stringify(findings)}\n`)
  if (verb === 'all' && plan.rounds < ROUNDS_MIN) say(`the page stays as it is: it wants ${ROUNDS_MIN} rounds.`)
  else if (verb === 'all') {
    writeFileSync(join(packageRoot(), 'docs', 'performance.md'), page(findings, directory))
    say('docs/performance.md is rewritten.')
  }
}

async function preloadOnly(
  rounds: number,
  layout: Layout,
  directory: string,
  date: string,
  json: boolean,
): Promise<void> {
  const preloaded = await measurePreload(rounds, layout, directory)
  if (json) return void process.stdout.write(`${JSON.stringify(preloaded)}\n`)
  show(preloadTable(preloaded))
  if (rounds < ROUNDS_MIN) return say(`the page stays as it is: it wants ${ROUNDS_MIN} rounds.`)
  const file = join(packageRoot(), 'docs', 'performance.md')
  writeFileSync(file, withPreload(readFileSync(file, 'utf8'), preloadSection(preloaded, `${machineLine()}, ${date}`)))
  say('the section on the preload in docs/performance.md is rewritten.')
}

async function contentionOnly({ rounds, windowMs }: Plan, date: string, json: boolean): Promise<void> {
  // Nothing else here needs PostgreSQL.
  const { contentionSection, contentionTable, measureContention, SETTINGS, withContention } =
    await import('./contention.js')
  const contention = await measureContention({ rounds, windowMs, settings: SETTINGS }, say)
  if (json) return void process.stdout.write(`${JSON.stringify(contention)}\n`)
  show(contentionTable(contention))
  if (rounds < ROUNDS_MIN) return say(`the page stays as it is: it wants ${ROUNDS_MIN} rounds.`)
  const file = join(packageRoot(), 'docs', 'scaling.md')
  writeFileSync(
    file,
    withContention(readFileSync(file, 'utf8'), contentionSection(contention, `${machineLine()}, ${date}`)),
  )
  say('the section on one PostgreSQL in docs/scaling.md is rewritten.')
}

async function grow(sizes: readonly number[], rounds: number, { proxy }: Layout, directory: string): Promise<Grown[]> {
  const ledger = await Part.start<null, 'measure', Grown[]>('growth', { directory, sizes, rounds }, proxy)
  try {
    return await ledger.ask('measure')
  } finally {
    await ledger.stop()
  }
}

/** What was asked for, or a sentence on what is wrong with it. */
function read(args: readonly string[]): Choice | string {
  let given: ReturnType<typeof parse>
  try {
    given = parse(args)
  } catch (cause) {
    return (cause as Error).message
  }
  const { values, positionals } = given
  const verb = VERBS.find((name) => name === (positionals[0] ?? 'all'))
  if (verb === undefined || positionals.length > 1) return `There is no bench «${positionals.join(' ')}».`
  const check = verb === 'check'
  const numbers = {
    rounds: Number(values.rounds ?? (check ? 1 : 7)),
    windowMs: Number(values['window-ms'] ?? (check ? 150 : verb === 'revoke' ? 15_000 : 1500)),
    connections: Number(values.connections ?? (check ? 8 : verb === 'revoke' ? 200 : 64)),
    stops: Number(values.stops ?? 300),
    top: Number(values.top ?? 20),
  }
  const sizes = (values.rows ?? '1000,10000,100000,1000000').split(',').map(Number)
  if (![...Object.values(numbers), ...sizes].every((n) => Number.isSafeInteger(n) && n > 0)) {
    return 'Rounds, windows, connections, rows and lines are whole numbers above zero.'
  }
  if (sizes.some((size, i) => size <= (sizes[i - 1] ?? 0))) return '--rows must ascend.'
  const date = values.date ?? new Date().toISOString().slice(0, 10)
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) return `--date is a day such as 2026-11-21, not «${date}».`
  const layouts: Layout[] = []
  for (const name of (
    values.layouts ?? (check || verb === 'profile' || verb === 'revoke' ? 'two-cores' : 'two-cores,one-cpu')
  ).split(',')) {
    if (!isLayoutName(name)) return `--layouts takes ${LAYOUTS.join(', ')}, not «${name}».`
    const found = layout(name)
    if (typeof found === 'string') say(found)
    else layouts.push(found)
  }
  // A gate wants to know whether it works; on a machine with one processor that is still an answer.
  if (layouts.length === 0) layouts.push(UNPINNED)
  const plan = {
    ...numbers,
    warmMs: check ? 150 : 3_000,
    syncs: check ? 10 : 200,
  }
  return { verb, plan, layouts, sizes, top: numbers.top, stops: numbers.stops, date, json: values.json === true }
}

const UNPINNED: Layout = { name: 'one-cpu', means: 'not pinned', proxy: null, world: null }

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      'window-ms': { type: 'string' },
      connections: { type: 'string' },
      stops: { type: 'string' },
      layouts: { type: 'string' },
      rows: { type: 'string' },
      top: { type: 'string' },
      date: { type: 'string' },
      json: { type: 'boolean' },
    },
  })
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`)
}

function show(text: string): void {
  process.stdout.write(`${text}\n\n`)
}

process.exitCode = await main(process.argv.slice(2))
