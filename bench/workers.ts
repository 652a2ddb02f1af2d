import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { median } from './compare.js'
import { entrant, type TargetName } from './lineup.js'
import { askedOf, type Order, type Run } from './load.js'
import { cpuNs, mainThreadNs } from './machine.js'
import { Part } from './part.js'
import { fixed, markdown, whole } from './report.js'
import type { TargetFacts } from './targets/target.js'
import type { UpstreamFacts } from './upstream.js'

/** What two processes bring over one, where load and vendor use the same processors. Medians over the rounds. */
export interface Doubled {
  readonly name: TargetName
  readonly onePerSecond: number
  readonly twoPerSecond: number
  /** Of the same round. */
  readonly ratio: number
  /** CPU seconds per 10,000 calls, all threads; null where it cannot be read. */
  readonly cpuOne: number | null
  readonly cpuTwo: number | null
  /** Of the CPU time of one process that of its main thread, 0 to 1; null where it cannot be read. */
  readonly mainShare: number | null
}

/** From how many times the calls of one process on several with one owner of the ledger are worth building. */
export const WORTH = 1.6

const SUBJECTS = ['spendgate', 'spendgate-off', 'hono', 'raw'] as const satisfies readonly TargetName[]

export interface WorkersPlan {
  readonly rounds: number
  readonly windowMs: number
  readonly warmMs: number
  /** Of one process; two have half of them each. */
  readonly connections: number
}

/**
 * One server, then two of the same that share nothing, not even a ledger: what several processes with one owner of the
 * ledger could reach at best, for these would have the same work to do and messages to each other besides. Nothing is
 * pinned, so the scheduler gives each what is free.
 */
export async function measureWorkers(plan: WorkersPlan, directory: string): Promise<readonly Doubled[]> {
  const own = mkdtempSync(join(directory, 'workers-'))
  const parts: { stop(): Promise<void> }[] = []
  const started = async <Facts, Question = never, Reply = never>(
    role: string,
    options: unknown,
  ): Promise<Part<Facts, Question, Reply>> => {
    const part = await Part.start<Facts, Question, Reply>(role, options, null)
    parts.push(part)
    return part
  }
  try {
    const vendor = await started<UpstreamFacts>('upstream', {})
    const loads = [await started<null, Order, Run>('load', {}), await started<null, Order, Run>('load', {})] as const
    const doubled: Doubled[] = []
    for (const name of SUBJECTS) {
      const server = (): Promise<Part<TargetFacts>> =>
        started<TargetFacts>(entrant(name).role!, {
          upstream: vendor.facts.port,
          directory: mkdtempSync(join(own, `${name}-`)),
        })
      const servers = [await server(), await server()] as const
      doubled.push(await measured(name, servers, loads, plan))
      for (const each of servers) await each.stop()
    }
    return doubled
  } finally {
    for (const part of parts.toReversed()) await part.stop()
  }
}

async function measured(
  name: TargetName,
  servers: readonly [Part<TargetFacts>, Part<TargetFacts>],
  loads: readonly [Part<null, Order, Run>, Part<null, Order, Run>],
  { rounds, windowMs, warmMs, connections }: WorkersPlan,
): Promise<Doubled> {
  const run = (at: 0 | 1, each: number, warm = Math.min(windowMs, 300)): Promise<Run> =>
    loads[at].ask({
      ...askedOf(servers[at].facts),
      connections: each,
      warmMs: warm,
      windowMs,
      pids: [servers[at].pid],
    })
  const half = Math.max(1, connections >> 1)
  await run(0, connections, warmMs)
  await run(1, connections, warmMs)
  const ones: Run[] = []
  const twos: (readonly [Run, Run])[] = []
  const shares: (number | null)[] = []
  for (let round = 0; round < rounds; round++) {
    const { pid } = servers[0]
    const before = [mainThreadNs(pid), cpuNs([pid])] as const
    ones.push(await run(0, connections))
    const after = [mainThreadNs(pid), cpuNs([pid])] as const
    shares.push(shareOf(before, after))
    twos.push(await Promise.all([run(0, half), run(1, half)]))
  }
  const together = twos.map(([a, b]) => a.perSecond + b.perSecond)
  return {
    name,
    onePerSecond: median(ones.map(({ perSecond }) => perSecond)),
    twoPerSecond: median(together),
    ratio: median(together.map((perSecond, round) => perSecond / ones[round]!.perSecond)),
    cpuOne: medianOrNull(ones.map(({ cpuPer10k }) => cpuPer10k)),
    cpuTwo: medianOrNull(twos.flat().map(({ cpuPer10k }) => cpuPer10k)),
    mainShare: medianOrNull(shares),
  }
}

type Times = readonly [main: number | null, all: number | null]

const shareOf = ([main, all]: Times, [mainAfter, allAfter]: Times): number | null =>
  main === null || all === null || mainAfter === null || allAfter === null
    ? null
    : (mainAfter - main) / (allAfter - all)

const medianOrNull = (values: readonly (number | null)[]): number | null =>
  values.some((value) => value === null) ? null : median(values as number[])

export const workersTable = (doubled: readonly Doubled[]): string =>
  markdown(
    [
      'Target',
      'one: req/s',
      'two: req/s',
      'two ÷ one',
      'one: CPU s / 10k',
      'two: CPU s / 10k',
      'answering thread’s share',
      'at most',
    ],
    doubled.map(({ name, onePerSecond, twoPerSecond, ratio, cpuOne, cpuTwo, mainShare }) => [
      entrant(name).label.replace(/ [¹²]$/, ''),
      whole(onePerSecond),
      whole(twoPerSecond),
      fixed(ratio, 2),
      fixed(cpuOne, 2),
      fixed(cpuTwo, 2),
      fixed(mainShare, 2),
      fixed(mainShare === null ? null : 2 * mainShare, 2),
    ]),
  )
