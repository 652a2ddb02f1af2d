import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../src/package-root.js'
import type { Durability } from './fsync.js'
import { entrant, TARGETS, type Entrant, type TargetName } from './lineup.js'
import { askedOf, type Order, type Run } from './load.js'
import { residentMib, type Layout } from './machine.js'
import { Part } from './part.js'
import { slowDisk, type SlowDisk } from './slow-disk.js'
import type { Book } from './targets/spendgate.js'
import { AGENT_KEY, PATH, type TargetFacts, type TargetOptions } from './targets/target.js'
import type { UpstreamFacts } from './upstream.js'

export interface Plan {
  readonly rounds: number
  /** Length of one measurement. */
  readonly windowMs: number
  /** The same of targets that are known to be far behind. */
  readonly slowWindowMs: number
  /** Load on each target before the first round, for its JIT and its connections. */
  readonly warmMs: number
  readonly connections: number
  /** Durable writes timed in each round. */
  readonly syncs: number
  /** Whether what is not installed may be installed. */
  readonly install: boolean
  /** Only these; null for all. */
  readonly only: readonly TargetName[] | null
}

/** All runs of one target, one a round: at many connections and at one. */
export interface Series {
  readonly name: TargetName
  readonly version: string
  readonly many: readonly Run[]
  readonly one: readonly Run[]
  /** Resident memory in MiB: right after each run at many connections, and the highest ever. */
  readonly rss: { readonly many: readonly number[]; readonly highest: number } | null
}

/** What one server answered, and what its ledger says of it. */
export interface Booked {
  readonly name: TargetName
  readonly answered: number
  readonly book: Book
  /** What `spendgate db check` said of the file after the server had stopped; null for a database. */
  readonly checked: { readonly code: number; readonly said: string } | null
}

export interface Comparison {
  readonly layout: Layout
  readonly plan: Plan
  readonly series: readonly Series[]
  readonly durability: readonly Durability[]
  readonly books: readonly Booked[]
  /** Targets that could not be measured here, and why. */
  readonly absent: readonly Absent[]
}

export interface Absent {
  readonly name: TargetName
  readonly why: string
}

interface Live {
  readonly name: TargetName
  readonly entrant: Entrant
  readonly facts: TargetFacts
  readonly pids: readonly number[]
  /** Null for the vendor itself. */
  readonly part: Part<TargetFacts, 'book', Book> | null
  readonly many: Run[]
  readonly one: Run[]
  readonly rss: number[]
}

/**
 * Measures every target in turn, round after round, all of them alive all the time and the order reversed in every
 * second round, so that what the machine does meanwhile falls on all alike and ratios within a round can be trusted
 * where absolute numbers cannot. A foreign target that fails is left out, with its reason; one of ours ends the run.
 */
export async function compare(
  layout: Layout,
  plan: Plan,
  directory: string,
  say: (text: string) => void = () => {},
): Promise<Comparison> {
  mkdirSync(directory, { recursive: true })
  const own = mkdtempSync(join(directory, `${layout.name}-`))
  const parts: { stop(): Promise<void> }[] = []
  const absent: Absent[] = []
  const started = async <P extends { stop(): Promise<void> }>(part: Promise<P>): Promise<P> => {
    parts.push(await part)
    return part
  }
  let live: Live[] = []
  const leaveOut = (name: TargetName, why: string): void => {
    if (isOurs(name)) throw new Error(`${name}: ${why}`)
    absent.push({ name, why })
    live = live.filter((each) => each.name !== name)
    say(`without ${entrant(name).label}: ${why}`)
  }
  try {
    const vendor = await started(Part.start<UpstreamFacts>('upstream', {}, layout.world))
    const load = await started(Part.start<null, Order, Run>('load', {}, layout.world))
    const disk = await started(
      Part.start<null, { times: number }, Durability>('fsync', { directory: own }, layout.proxy),
    )
    const options: TargetOptions = { upstream: vendor.facts.port, directory: own }
    let slower: SlowDisk | string | null = null

    for (const name of TARGETS) {
      const each = entrant(name)
      if (plan.only?.includes(name) === false || each.layouts?.includes(layout.name) === false) continue
      const why = each.missing?.(plan.install) ?? null
      if (why !== null) {
        absent.push({ name, why })
        continue
      }
      if (each.slowDisk) slower ??= await slowDisk(own)
      if (each.slowDisk && typeof slower === 'string') {
        absent.push({ name, why: slower })
        continue
      }
      if (each.of !== undefined) {
        const { facts, pids, part } = live.find((other) => other.name === each.of)!
        live.push({ name, entrant: each, facts, pids, part, many: [], one: [], rss: [] })
        continue
      }
      if (each.role === null) {
        live.push({
          name,
          entrant: each,
          facts: directly(vendor.facts),
          pids: [],
          part: null,
          many: [],
          one: [],
          rss: [],
        })
        continue
      }
      try {
        const env = each.slowDisk ? (slower as SlowDisk).env : {}
        const cpus = isOurs(name) ? layout.own : layout.proxy
        const part = await started(
          Part.start<TargetFacts, 'book', Book>(each.role, { ...options, ...each.options }, cpus, [], env),
        )
        const { facts } = part
        const pids = facts.pids.length > 0 ? facts.pids : [part.pid]
        live.push({ name, entrant: each, facts, pids, part, many: [], one: [], rss: [] })
      } catch (cause) {
        leaveOut(name, `it could not be started: ${(cause as Error).message}`)
      }
    }

    const answered = new Map<Part<TargetFacts, 'book', Book>, number>()
    const measure = async (target: Live, connections: number, windowMs: number): Promise<Run | null> => {
      const { name, facts, pids, part } = target
      try {
        const run = await load.ask({
          ...askedOf(facts, target.entrant.body),
          connections,
          warmMs: Math.min(windowMs, 300),
          windowMs,
          pids,
        })
        if (part !== null) answered.set(part, (answered.get(part) ?? 0) + run.answered)
        return run
      } catch (cause) {
        leaveOut(name, `it failed under load: ${(cause as Error).message}`)
        return null
      }
    }
    const windowOf = ({ slow }: Entrant): number => (slow ? plan.slowWindowMs : plan.windowMs)

    for (const target of live)
      await measure(target, plan.connections, target.entrant.slow ? plan.warmMs / 2 : plan.warmMs)
    const durability: Durability[] = []
    for (let round = 0; round < plan.rounds; round++) {
      const order = round % 2 === 0 ? live : live.toReversed()
      for (const target of order) {
        const run = await measure(target, plan.connections, windowOf(target.entrant))
        if (run !== null) target.many.push(run)
        const resident = target.pids.length === 0 ? null : residentMib(target.pids)
        if (resident !== null) target.rss.push(resident.now)
      }
      for (const target of order.filter((each) => live.includes(each))) {
        const run = await measure(target, 1, windowOf(target.entrant))
        if (run !== null) target.one.push(run)
      }
      durability.push(await disk.ask({ times: plan.syncs }))
      say(`${layout.name}: round ${round + 1} of ${plan.rounds} is done.`)
    }
    const series = live.map(({ name, facts, pids, many, one, rss }) => ({
      name,
      version: facts.version,
      many,
      one,
      rss: rss.length === 0 ? null : { many: rss, highest: residentMib(pids)?.highest ?? Math.max(...rss) },
    }))
    for (const { name, part } of live.filter((target) => target.entrant.unbooked)) {
      const { calls } = await part!.ask('book')
      if (calls > 0) throw new Error(`${name} wrote ${calls} rows: what is switched off there is no longer the ledger.`)
    }
    const books: Booked[] = []
    for (const { name, entrant: each, part } of live.filter((target) => target.entrant.booked)) {
      const book = await part!.ask('book')
      await part!.stop()
      const inFile = name !== 'spendgate-postgres'
      const checked = inFile ? checkedFile(join(own, (each.options?.name as string | undefined) ?? name)) : null
      books.push({ name, answered: answered.get(part!) ?? 0, book, checked })
    }
    return { layout, plan, series, durability, books, absent }
  } finally {
    for (const part of parts.toReversed()) await part.stop()
  }
}

const isOurs = (name: TargetName): boolean => name === 'direct' || name.startsWith('spendgate')

const directly = ({ port }: UpstreamFacts): TargetFacts => ({
  port,
  path: PATH,
  authorization: `Bearer ${AGENT_KEY}`,
  pids: [],
  version: 'no proxy',
})

/** What the command that operators have says of a ledger nobody has open. */
function checkedFile(dataDir: string): Booked['checked'] {
  const command = join(packageRoot(), 'dist', 'src', 'cli', 'index.js')
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, 'db', 'check', '--data-dir', dataDir], {
    encoding: 'utf8',
  })
  return { code: status ?? -1, said: `${stdout}${stderr}`.trim() }
}

/** The median over rounds of what `figure` says of two targets in the same round; null where one is absent. */
export function paired(
  { series }: Pick<Comparison, 'series'>,
  left: TargetName,
  right: TargetName,
  at: 'many' | 'one',
  figure: (left: Run, right: Run) => number | null,
): number | null {
  const a = series.find(({ name }) => name === left)
  const b = series.find(({ name }) => name === right)
  if (a === undefined || b === undefined) return null
  const figures = a[at].map((run, round) => figure(run, b[at][round]!))
  return figures.some((each) => each === null) ? null : median(figures as number[])
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
