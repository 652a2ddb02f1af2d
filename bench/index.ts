import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/package-root.js'
import { explainTable, matchingTable, measureCatalogues } from './catalogue.js'
import { compare, type Plan } from './compare.js'
import { dashboardTable, measureDashboard } from './dashboard.js'
import {
  growthSection,
  machineLine,
  page,
  profileSection,
  stepsSection,
  workersSection,
  type Findings,
} from './document.js'
import { goals, goalTable, missed } from './goals.js'
import type { Grown } from './growth.js'
import { measureSteps, stepsTable } from './latency.js'
import { entrant, TARGETS, type TargetName } from './lineup.js'
import { isLayoutName, layout, LAYOUTS, type Layout } from './machine.js'
import { Part } from './part.js'
import { batchedTable, measurePostgres } from './postgres.js'
import { measurePreload, preloadSection, preloadTable } from './preload.js'
import { profileServer, sharesTable } from './profile.js'
import {
  figures,
  figureTable,
  growthPlot,
  growthTable,
  readsTable,
  startupTable,
  streamsTable,
  targetTable,
} from './report.js'
import { measureRehearsal, rehearsalTable } from './rehearsal.js'
import { measureRevoke, revokeTable } from './revoke.js'
import { withSection } from './section.js'
import { measureShared, sharedTable } from './shared-budgets.js'
import { measureStartup } from './startup.js'
import { measureStreams } from './streams.js'
import { measureWorkers, workersTable } from './workers.js'

const USAGE = `npm run bench                 everything below but shared, policies, contention, dashboard and revoke; rewrites docs/performance.md (a quarter of an hour)
npm run bench -- compare      the targets side by side, and the goals they are measured for
npm run bench -- latency      a call in its steps; rewrites its section of docs/performance.md
npm run bench -- profile      where the server's time goes under load; rewrites its section of docs/performance.md
npm run bench -- startup      start-up and memory, empty and with 100,000 vault keys
npm run bench -- streams      10,000 streams that wait
npm run bench -- postgres     a hot budget row of one PostgreSQL, batched and not
npm run bench -- growth       the ledger from a thousand rows on; rewrites its section and docs/growth.svg
npm run bench -- catalogue    finding an operation among all of them, and what a typical call means
npm run bench -- shared       budgets that keys share, at one level and at three
npm run bench -- policies     playing 100,000 recorded calls again, and what a long policy costs each call
npm run bench -- preload      what the preload costs a program; rewrites its section of docs/performance.md
npm run bench -- contention   several nodes on one PostgreSQL; rewrites its section of docs/scaling.md
npm run bench -- dashboard    the operator's pages on a book of a million calls of today, and while they follow
npm run bench -- revoke       how long a revoke and a freeze take while agents keep the server busy
npm run bench -- workers      what a second process brings; rewrites its section of docs/performance.md
npm run bench -- check        that the bench works: a few seconds, no figure worth reading

  --quick               short windows, few rounds, small ledgers: minutes, and no page is rewritten
  --rounds <n>          measurements of each target (5, the fewest for figures to keep)
  --window-ms <n>       length of one measurement (1000)
  --connections <n>     closed-loop connections (64; revoke: 200)
  --targets <names>     of ${TARGETS.join(', ')} (all)
  --stops <n>           revokes, and as many freezes (300)
  --layouts <names>     of ${LAYOUTS.join(', ')} (two-cores,one-cpu)
  --rows <n,n>          ledger sizes (1000,10000,100000,1000000,10000000)
  --top <n>             lines a table of the profile (20)
  --date <YYYY-MM-DD>   date on the page (today)
  --no-install          leaves out packages of bench/peers that are not installed
  --json                everything that was measured, as one JSON object

SPENDGATE_BENCH_JANEE names a checked-out, built repository of Janee, to measure it too.
`

/** Fewer give no median worth keeping. */
const ROUNDS_MIN = 5
const KEYS = 100_000

const VERBS = [
  'all',
  'compare',
  'latency',
  'profile',
  'startup',
  'streams',
  'postgres',
  'growth',
  'catalogue',
  'preload',
  'contention',
  'revoke',
  'shared',
  'policies',
  'dashboard',
  'workers',
  'check',
] as const
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
  readonly quick: boolean
  readonly json: boolean
}

async function perform(choice: Choice, directory: string): Promise<void> {
  const { verb, plan, layouts, date, json } = choice
  if (verb === 'revoke') {
    const revoked = await measureRevoke(layouts[0]!, { ...plan, count: choice.stops }, directory)
    return json ? void process.stdout.write(`${JSON.stringify(revoked)}\n`) : show(revokeTable(revoked))
  }
  if (verb === 'contention') return contentionOnly(choice)
  if (verb === 'policies') {
    const rehearsed = await measureRehearsal(directory, choice.quick ? 2_000 : 100_000, plan.rounds)
    return json ? void process.stdout.write(`${JSON.stringify(rehearsed)}\n`) : show(rehearsalTable(rehearsed))
  }
  if (verb === 'shared') {
    const shared = await measureShared(plan.rounds, plan.windowMs, directory)
    return json ? void process.stdout.write(`${JSON.stringify(shared)}\n`) : show(sharedTable(shared))
  }
  if (verb === 'dashboard') {
    const rows = choice.quick ? 10_000 : 1_000_000
    const shown = await measureDashboard(layouts[0]!, { rows, seconds: choice.quick ? 5 : 60 }, directory, say)
    return json ? void process.stdout.write(`${JSON.stringify(shown)}\n`) : show(dashboardTable(shown))
  }
  const findings = await measured(choice, directory)
  if (json) process.stdout.write(`${JSON.stringify(verb === 'preload' ? findings.preloaded : findings)}\n`)
  // Whoever asks for JSON of a part wants the figures, and whoever asks for all of it the page as well.
  if (verb !== 'all' && (json || !(verb in SECTIONS))) return
  if (choice.quick || plan.rounds < ROUNDS_MIN)
    return say(`the page stays as it is: it wants ${ROUNDS_MIN} rounds, and no --quick.`)
  const file = join(packageRoot(), 'docs', 'performance.md')
  if (findings.growth.length > 1) writeFileSync(join(packageRoot(), 'docs', 'growth.svg'), growthPlot(findings.growth))
  if (verb === 'all') {
    writeFileSync(file, page(findings, directory))
    return say('docs/performance.md is rewritten.')
  }
  const section = SECTIONS[verb]?.(findings, `${machineLine()}, ${date}`) ?? null
  if (section === null) return
  writeFileSync(file, withSection(readFileSync(file, 'utf8'), section))
  say(`«${section.slice(3, section.indexOf('\n'))}» in docs/performance.md is rewritten.`)
}

/** Verbs whose section of the page can be written by itself. */
const SECTIONS: Partial<Record<Verb, (findings: Findings, machine: string) => string | null>> = {
  latency: ({ steps }, machine) => steps && stepsSection(steps, machine),
  profile: ({ shares }, machine) => shares && profileSection(shares, machine),
  growth: ({ growth }, machine) => (growth.length === 0 ? null : growthSection(growth, machine)),
  preload: ({ preloaded }, machine) => preloaded && preloadSection(preloaded, machine),
  workers: ({ doubled }, machine) => (doubled.length === 0 ? null : workersSection(doubled, machine)),
}

/** Everything the verb asks for, shown as it comes. */
async function measured(choice: Choice, directory: string): Promise<Findings> {
  const { verb, plan, layouts, sizes, top, date, quick, json } = choice
  const [first] = layouts
  const asks = (...verbs: readonly Verb[]): boolean => verbs.includes(verb)
  const tell = (text: string): void => (json ? undefined : show(text))
  const findings: { -readonly [field in keyof Findings]: Findings[field] } = {
    date,
    comparisons: [],
    steps: null,
    shares: null,
    startup: null,
    streams: null,
    postgres: null,
    growth: [],
    matching: [],
    preloaded: null,
    doubled: [],
  }
  if (asks('all', 'compare', 'check')) {
    for (const each of layouts) {
      say(`${each.name}: ${each.means}; ${plan.rounds} rounds …`)
      const comparison = await compare(each, plan, directory, say)
      findings.comparisons = [...findings.comparisons, comparison]
      tell(`${each.means}\n`)
      tell(targetTable(comparison))
      tell(figureTable(figures(comparison)))
      for (const { name, why } of comparison.absent) tell(`Without ${entrant(name).label}: ${why}`)
    }
  }
  if (asks('all', 'latency')) {
    say('the steps of a call …')
    findings.steps = await measureSteps(first!, { ...plan, windowMs: 4 * plan.windowMs }, directory)
    tell(stepsTable(findings.steps))
  }
  if (asks('all', 'latency', 'profile')) {
    say('where the processor goes …')
    const profiled = await profileServer(first!, { ...plan, windowMs: 6 * plan.windowMs, directory })
    findings.shares = profiled.shares
    if (verb === 'profile') tell(profiled.text(top))
    tell(sharesTable(profiled.shares))
  }
  if (asks('all', 'workers')) {
    say('a second process …')
    findings.doubled = await measureWorkers(plan, directory)
    tell(workersTable(findings.doubled))
  }
  if (asks('all', 'startup')) {
    say('start-up …')
    findings.startup = await measureStartup(plan.rounds, KEYS, first!, directory)
    tell(startupTable(findings.startup))
  }
  if (asks('all', 'streams')) {
    say('streams …')
    findings.streams = await measureStreams(first!, directory, quick ? 1_000 : undefined, quick ? 2_000 : undefined)
    tell(streamsTable(findings.streams))
  }
  if (asks('all', 'postgres')) {
    say('a hot row of PostgreSQL …')
    findings.postgres = await measurePostgres(plan, first!)
    tell(typeof findings.postgres === 'string' ? findings.postgres : batchedTable(findings.postgres))
  }
  if (asks('all', 'growth')) {
    say(`ledgers of up to ${sizes.at(-1)} rows …`)
    findings.growth = await grow(sizes, plan.rounds, first!, directory)
    tell(growthTable(findings.growth))
    tell(readsTable(findings.growth))
  }
  if (asks('all', 'catalogue', 'check')) {
    findings.matching = measureCatalogues(verb === 'check' ? 1 : plan.rounds)
    tell(matchingTable(findings.matching))
    tell(explainTable(findings.matching))
  }
  if (asks('all', 'preload')) {
    findings.preloaded = await measurePreload(plan.rounds, first!, directory)
    tell(preloadTable(findings.preloaded))
  }
  if (asks('all', 'compare')) {
    const held = goals(findings)
    tell(goalTable(verb === 'all' ? held : held.filter(({ met }) => met !== null)))
    tell(missed(held))
  }
  return findings
}

async function contentionOnly({ plan: { rounds, windowMs }, date, json }: Choice): Promise<void> {
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
  const quick = values.quick === true
  const usual = USUAL[check ? 'check' : quick ? 'quick' : 'whole']
  const numbers = {
    rounds: Number(values.rounds ?? usual.rounds),
    windowMs: Number(values['window-ms'] ?? (verb === 'revoke' ? 15_000 : usual.windowMs)),
    connections: Number(values.connections ?? (check ? 8 : verb === 'revoke' ? 200 : 64)),
    stops: Number(values.stops ?? 300),
    top: Number(values.top ?? 20),
  }
  const sizes = (values.rows ?? usual.rows).split(',').map(Number)
  if (![...Object.values(numbers), ...sizes].every((n) => Number.isSafeInteger(n) && n > 0)) {
    return 'Rounds, windows, connections, rows and lines are whole numbers above zero.'
  }
  if (sizes.some((size, i) => size <= (sizes[i - 1] ?? 0))) return '--rows must ascend.'
  const date = values.date ?? new Date().toISOString().slice(0, 10)
  if (!/^\d{4}-\d\d-\d\d$/.test(date)) return `--date is a day such as 2026-11-21, not «${date}».`
  const only = values.targets?.split(',') ?? null
  const stranger = only?.find((name) => !(TARGETS as readonly string[]).includes(name))
  if (stranger !== undefined) return `--targets takes ${TARGETS.join(', ')}, not «${stranger}».`
  const layouts: Layout[] = []
  for (const name of (
    values.layouts ?? (verb === 'all' || verb === 'compare' ? 'two-cores,one-cpu' : 'two-cores')
  ).split(',')) {
    if (!isLayoutName(name)) return `--layouts takes ${LAYOUTS.join(', ')}, not «${name}».`
    const found = layout(name)
    if (typeof found === 'string') say(found)
    else layouts.push(found)
  }
  // A gate wants to know whether it works; on a machine with one processor that is still an answer.
  if (layouts.length === 0) layouts.push(UNPINNED)
  const plan: Plan = {
    rounds: numbers.rounds,
    windowMs: numbers.windowMs,
    slowWindowMs: Math.ceil(numbers.windowMs / 2),
    connections: numbers.connections,
    warmMs: verb === 'revoke' ? 3_000 : usual.warmMs,
    syncs: usual.syncs,
    install: !check && values['no-install'] !== true,
    only: only === null ? (check ? CHECKED : null) : withSpendgate(only as TargetName[]),
  }
  return { verb, plan, layouts, sizes, top: numbers.top, stops: numbers.stops, date, quick, json: values.json === true }
}

const USUAL = {
  whole: { rounds: 5, windowMs: 1_000, warmMs: 2_000, syncs: 200, rows: '1000,10000,100000,1000000,10000000' },
  quick: { rounds: 1, windowMs: 300, warmMs: 300, syncs: 50, rows: '1000,10000,100000' },
  check: { rounds: 1, windowMs: 150, warmMs: 150, syncs: 10, rows: '1000' },
} as const

/** A check starts nothing that takes seconds to start. */
const CHECKED = TARGETS.filter((name) => name !== 'spendgate-postgres' && name !== 'janee' && name !== 'portkey')

/** What nothing can be compared without: both ends, and the one that is held against them. */
const withSpendgate = (names: readonly TargetName[]): TargetName[] => [
  ...new Set([...names, 'direct', 'spendgate'] as const),
]

const UNPINNED: Layout = { name: 'one-cpu', means: 'not pinned', proxy: null, own: null, world: null }

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean' },
      rounds: { type: 'string' },
      'window-ms': { type: 'string' },
      connections: { type: 'string' },
      targets: { type: 'string' },
      stops: { type: 'string' },
      layouts: { type: 'string' },
      rows: { type: 'string' },
      top: { type: 'string' },
      date: { type: 'string' },
      'no-install': { type: 'boolean' },
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
