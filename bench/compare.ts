import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import type { Durability } from './fsync.js'
import type { Order, Run } from './load.js'
import { residentMib, type Layout } from './machine.js'
import { Part } from './part.js'
import { nginxVersion } from './targets/nginx.js'
import type { Book } from './targets/spendgate.js'
import { AGENT_KEY, OPEN, PAID, PATH, type TargetFacts, type TargetOptions } from './targets/target.js'
import type { UpstreamFacts } from './upstream.js'

export interface Plan {
  readonly rounds: number
  /** Length of one measurement. */
  readonly windowMs: number
  /** Load on each target before the first round, for its JIT and its connections. */
  readonly warmMs: number
  readonly connections: number
  /** Durable writes timed in each round. */
  readonly syncs: number
}

export const TARGETS = ['direct', 'nginx', 'raw', 'hono', 'spendgate', 'spendgate-open'] as const
export type TargetName = (typeof TARGETS)[number]

const MODULES = {
  nginx: 'targets/nginx',
  raw: 'targets/raw-undici',
  hono: 'targets/hono-undici',
  spendgate: 'targets/spendgate',
} as const

/** All runs of one target (`spendgate-open` is spendgate asked for something that stays open), one a round: at many connections and at one. */
export interface Series {
  readonly name: TargetName
  readonly version: string
  readonly many: readonly Run[]
  readonly one: readonly Run[]
  readonly rss: { readonly now: number; readonly highest: number } | null
}

export interface Comparison {
  readonly layout: Layout
  readonly plan: Plan
  readonly series: readonly Series[]
  readonly durability: readonly Durability[]
  /** Replies spendgate gave in all, and what its ledger says of them. */
  readonly answered: number
  readonly book: Book
  /** Targets that could not be measured here, and why. */
  readonly absent: readonly string[]
}

interface Live {
  readonly name: TargetName
  readonly facts: TargetFacts
  readonly pids: readonly number[]
  readonly many: Run[]
  readonly one: Run[]
}

/**
 * Measures every target in turn, round after round, all of them alive all the time and the order reversed in every
 * second round, so that what the machine does meanwhile falls on all alike and ratios within a round can be trusted
 * where absolute numbers cannot.
 */
export async function compare(layout: Layout, plan: Plan, directory: string): Promise<Comparison> {
  const parts: { stop(): Promise<void> }[] = []
  const start = async <Facts, Question = never, Reply = never>(
    role: string,
    options: unknown,
    cpus: string | null,
  ): Promise<Part<Facts, Question, Reply>> => {
    const part = await Part.start<Facts, Question, Reply>(role, options, cpus)
    parts.push(part)
    return part
  }
  mkdirSync(directory, { recursive: true })
  const own = mkdtempSync(join(directory, `${layout.name}-`))
  try {
    const vendor = await start<UpstreamFacts>('upstream', {}, layout.world)
    const load = await start<null, Order, Run>('load', {}, layout.world)
    const disk = await start<null, { times: number }, Durability>('fsync', { directory: own }, layout.proxy)
    const options: TargetOptions = { upstream: vendor.facts.port, directory: own }
    const governed = await start<TargetFacts, 'book', Book>(MODULES.spendgate, options, layout.proxy)
    const live: Live[] = []
    const absent: string[] = []
    for (const name of TARGETS) {
      if (name === 'direct') {
        const facts = {
          port: vendor.facts.port,
          path: PATH,
          authorization: `Bearer ${AGENT_KEY}`,
          pids: [],
          version: 'no proxy',
        }
        live.push({ name, facts, pids: [], many: [], one: [] })
      } else if (name === 'nginx' && nginxVersion() === null) {
        absent.push('nginx: not installed here.')
      } else {
        const ours = name === 'spendgate' || name === 'spendgate-open'
        const part = ours ? governed : await start<TargetFacts>(MODULES[name], options, layout.proxy)
        live.push({
          name,
          facts: part.facts,
          pids: part.facts.pids.length > 0 ? part.facts.pids : [part.pid],
          many: [],
          one: [],
        })
      }
    }
    let answered = 0
    const measure = async ({ name, facts, pids }: Live, connections: number, windowMs: number): Promise<Run> => {
      const { port, path, authorization } = facts
      const body = name === 'spendgate-open' ? OPEN : PAID
      const run = await load
        .ask({ port, path, authorization, body, connections, warmMs: Math.min(windowMs, 300), windowMs, pids })
        .catch((cause: Error) => {
          throw new Error(`${name}: ${cause.message}`, { cause })
        })
      if (pids.includes(governed.pid)) answered += run.answered
      return run
    }

    for (const target of live) await measure(target, plan.connections, plan.warmMs)
    const durability: Durability[] = []
    for (let round = 0; round < plan.rounds; round++) {
      const order = round % 2 === 0 ? live : live.toReversed()
      for (const target of order) target.many.push(await measure(target, plan.connections, plan.windowMs))
      for (const target of order) target.one.push(await measure(target, 1, plan.windowMs))
      durability.push(await disk.ask({ times: plan.syncs }))
    }
    const series = live.map(({ name, facts, pids, many, one }) => ({
      name,
      version: facts.version,
      many,
      one,
      rss: pids.length === 0 ? null : residentMib(pids),
    }))
    return { layout, plan, series, durability, answered, book: await governed.ask('book'), absent }
  } finally {
    for (const part of parts.toReversed()) await part.stop()
  }
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
