import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageRoot } from '../src/package-root.js'
import { askedOf, type Order, type Run } from './load.js'
import type { Layout } from './machine.js'
import { Part } from './part.js'
import { markdown } from './report.js'
import type { TargetFacts } from './targets/target.js'
import type { UpstreamFacts } from './upstream.js'

interface Frame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

/** A V8 CPU profile as far as it is read here. Times in µs by CLOCK_MONOTONIC. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: Frame
    readonly children?: readonly number[]
  }[]
  readonly startTime: number
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

export interface Spent {
  readonly name: string
  readonly selfUs: number
  /** With everything it called; once for a recursive function. */
  readonly totalUs: number
}

const INTERVAL_US = 200

/** What a part of the server takes of its busy time, in %; the main thread's and all others' together. */
export interface Share {
  readonly group: Group
  readonly percent: number
  /** µs of processor a call. */
  readonly us: number
}

export interface Shares {
  readonly perSecond: number
  readonly calls: number
  readonly connections: number
  /** Of the window, by all threads together. */
  readonly busyMs: number
  readonly idleMs: number
  readonly groups: readonly Share[]
}

export interface Profiled {
  readonly shares: Shares
  /** Tables by part and function, a thread at a time. */
  text(top: number): string
}

/** Runs the server under load with --cpu-prof and reads the profile of the window. */
export async function profileServer(
  layout: Layout,
  options: { readonly connections: number; readonly windowMs: number; readonly directory: string },
): Promise<Profiled> {
  const own = mkdtempSync(join(options.directory, 'profile-'))
  const vendor = await Part.start<UpstreamFacts>('upstream', {}, layout.world)
  const load = await Part.start<null, Order, Run>('load', {}, layout.world)
  const gate = await Part.start<TargetFacts>(
    'targets/spendgate',
    { upstream: vendor.facts.port, directory: own },
    layout.own,
    ['--cpu-prof', `--cpu-prof-dir=${own}`, `--cpu-prof-interval=${INTERVAL_US}`],
  )
  let run: Run
  try {
    run = await load.ask({
      ...askedOf(gate.facts),
      connections: options.connections,
      warmMs: Math.min(2_000, options.windowMs),
      windowMs: options.windowMs,
      pids: [gate.pid],
    })
  } finally {
    for (const part of [gate, load, vendor]) await part.stop()
  }
  const threads = readdirSync(own)
    .filter((name) => name.endsWith('.cpuprofile'))
    .sort()
    .map((name) => JSON.parse(readFileSync(join(own, name), 'utf8')) as CpuProfile)
  return {
    shares: sharesOf(threads, run, options.connections),
    text: (top) =>
      [
        `${Math.round(run.perSecond)} calls/s under the profiler at ${options.connections} connections (${layout.means}); ${run.replies} calls, a sample every ${INTERVAL_US} µs.`,
        ...threads.map(
          (thread, i) =>
            `### Thread ${i + 1} of ${threads.length}\n\n${spentTables(thread, run.fromUs, run.toUs, top)}`,
        ),
      ].join('\n\n'),
  }
}

/** Parts of the server that people think in. */
export const GROUPS = [
  'http server',
  'routing',
  'wire',
  'vendor',
  'policy',
  'pipeline',
  'ledger',
  'hashing',
  'vendor client',
  'gc',
  'timers and loop',
  'other',
] as const
export type Group = (typeof GROUPS)[number]

/** Which code belongs to which; the first that fits. Files as `fileOf` names them. */
const BELONGS: readonly (readonly [Group, RegExp])[] = [
  ['hashing', /^node:internal\/crypto|^node:crypto|^src\/ledger\/(?:chain|call-seal)|^src\/custody\/keys/],
  ['vendor client', /^src\/wire\/(?:upstream|client)/],
  ['ledger', /^src\/ledger|^better-sqlite3|^bindings/],
  ['wire', /^src\/wire/],
  ['vendor', /^vendors|^src\/catalogue|^libphonenumber/],
  ['policy', /^policies|^src\/contracts\/policy/],
  ['routing', /^hono|^@hono|^src\/(?:identify|surfaces|together|exchange)/],
  ['pipeline', /^src/],
  [
    'http server',
    /^node:(?:_http|http|net|internal\/http|_stream|stream|internal\/stream|internal\/js_stream|events|buffer|internal\/buffer)/,
  ],
  ['timers and loop', /^node:/],
]

/** By whom native code was called counts: a hash that SQLite's binding does not make is the caller's. */
export function groupOf(frame: Frame): Group | '(idle)' | null {
  const { functionName } = frame
  if (functionName === '(idle)') return '(idle)'
  if (functionName === '(garbage collector)') return 'gc'
  if (functionName === '(program)') return 'timers and loop'
  const file = fileOf(frame)
  if (file === '')
    return /hash|hmac|digest/i.test(functionName) ? 'hashing' : functionName === '(root)' ? 'other' : null
  return BELONGS.find(([, files]) => files.test(file))?.[0] ?? 'other'
}

export function sharesOf(
  threads: readonly CpuProfile[],
  { fromUs, toUs, replies, perSecond }: Pick<Run, 'fromUs' | 'toUs' | 'replies' | 'perSecond'>,
  connections: number,
): Shares {
  const sums = new Map<string, number>()
  for (const thread of threads)
    for (const { name, selfUs } of timeBy(thread, groupOf, fromUs, toUs)) sums.set(name, (sums.get(name) ?? 0) + selfUs)
  const idleUs = sums.get('(idle)') ?? 0
  const busyUs = [...sums.values()].reduce((sum, us) => sum + us, 0) - idleUs
  return {
    perSecond,
    calls: replies,
    connections,
    busyMs: busyUs / 1000,
    idleMs: idleUs / 1000,
    groups: GROUPS.map((group) => ({
      group,
      percent: ((sums.get(group) ?? 0) / busyUs) * 100,
      us: (sums.get(group) ?? 0) / replies,
    })),
  }
}

export function sharesTable({ groups }: Shares): string {
  return markdown(
    ['Part', '% of busy time', 'µs a call'],
    groups.toSorted((a, b) => b.us - a.us).map(({ group, percent, us }) => [group, percent.toFixed(1), us.toFixed(1)]),
  )
}

/** Time between two instants, by what `nameOf` makes of a function; null counts it with its caller. */
export function timeBy(
  profile: CpuProfile,
  nameOf: (frame: Frame) => string | null,
  fromUs: number,
  toUs: number,
): Spent[] {
  const names = new Map(profile.nodes.map((node) => [node.id, nameOf(node.callFrame)]))
  const parents = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)),
  )
  const byNode = new Map<number, number>()
  let at = profile.startTime
  profile.samples.forEach((id, i) => {
    // A delta is the time since the sample before, so the time after a sample is the next one's.
    at += profile.timeDeltas[i]!
    if (at >= fromUs && at <= toUs) byNode.set(id, (byNode.get(id) ?? 0) + (profile.timeDeltas[i + 1] ?? 0))
  })
  const self = new Map<string, number>()
  const total = new Map<string, number>()
  for (const [id, us] of byNode) {
    const seen = new Set<string>()
    for (let each: number | undefined = id; each !== undefined; each = parents.get(each)) {
      const name = names.get(each)
      if (name == null || seen.has(name)) continue
      if (seen.size === 0) self.set(name, (self.get(name) ?? 0) + us)
      total.set(name, (total.get(name) ?? 0) + us)
      seen.add(name)
    }
  }
  return [...total].map(([name, totalUs]) => ({ name, totalUs, selfUs: self.get(name) ?? 0 }))
}

function functionOf(frame: Frame): string {
  const name = frame.functionName === '' ? '(anonymous)' : frame.functionName
  const file = fileOf(frame)
  return file === '' ? name : `${name} ${file}:${frame.lineNumber + 1}`
}

/** Folder of ours, package, or module of Node; V8's own states stand for themselves, native code for its caller. */
function partOf(frame: Frame): string | null {
  const file = fileOf(frame)
  if (file === '') return frame.functionName.startsWith('(') ? frame.functionName : null
  if (file.startsWith('node:'))
    return file.replace(/^node:(internal\/)?_?/, 'node:').replace(/^(node:[a-z0-9]+).*/, '$1')
  const ours = /(?:^|\/)((?:src|vendors|policies)\/[^/]+)/.exec(file)
  return ours?.[1] ?? /^(?:@[^/]+\/)?[^/]+/.exec(file)![0]
}

/** Path of a file below the checkout, or inside its package; '' for native code. */
function fileOf({ url }: Frame): string {
  if (!url.startsWith('file:')) return url
  const file = relative(packageRoot(), fileURLToPath(url))
  const own = /(?:^|\/)((?:src|vendors|policies|bench)\/.*)$/.exec(file)
  return file.startsWith('dist') || own?.[1] === file ? (own?.[1] ?? file) : file.replace(/^.*node_modules\//, '')
}

function spentTables(profile: CpuProfile, fromUs: number, toUs: number, top: number): string {
  const functions = timeBy(profile, functionOf, fromUs, toUs)
  const parts = timeBy(profile, partOf, fromUs, toUs)
  const idle = functions.find(({ name }) => name === '(idle)')?.selfUs ?? 0
  const busy = functions.reduce((sum, { selfUs }) => sum + selfUs, 0) - idle
  const share = (us: number): string => `${((us / busy) * 100).toFixed(1)} %`
  const table = (spent: readonly Spent[], by: 'selfUs' | 'totalUs'): string =>
    markdown(
      ['Where', 'self', 'with callees'],
      spent
        .filter(({ name }) => name !== '(idle)' && name !== '(root)')
        .sort((a, b) => b[by] - a[by])
        .slice(0, top)
        .map((each) => [each.name, share(each.selfUs), share(each.totalUs)]),
    )
  return [
    `Busy ${(busy / 1e6).toFixed(2)} s, idle ${(idle / 1e6).toFixed(2)} s. Shares are of the busy time.`,
    `By part, native code with its caller:\n\n${table(parts, 'selfUs')}`,
    `By function:\n\n${table(functions, 'selfUs')}`,
    `By function, with what it called:\n\n${table(functions, 'totalUs')}`,
  ].join('\n\n')
}
