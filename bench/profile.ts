import { mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageRoot } from '../src/package-root.js'
import type { Order, Run } from './load.js'
import type { Layout } from './machine.js'
import { Part } from './part.js'
import { markdown } from './report.js'
import { PAID, type TargetFacts } from './targets/target.js'
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

/** Runs the server under load with --cpu-prof; the profile of the window, a thread at a time, as text. */
export async function profile(
  layout: Layout,
  options: { connections: number; windowMs: number; top: number; directory: string },
): Promise<string> {
  const own = mkdtempSync(join(options.directory, 'profile-'))
  const vendor = await Part.start<UpstreamFacts>('upstream', {}, layout.world)
  const load = await Part.start<null, Order, Run>('load', {}, layout.world)
  const gate = await Part.start<TargetFacts>(
    'targets/spendgate',
    { upstream: vendor.facts.port, directory: own },
    layout.proxy,
    ['--cpu-prof', `--cpu-prof-dir=${own}`, `--cpu-prof-interval=${INTERVAL_US}`],
  )
  let run: Run
  try {
    const { port, path, authorization } = gate.facts
    run = await load.ask({
      port,
      path,
      authorization,
      body: PAID,
      connections: options.connections,
      warmMs: 2_000,
      windowMs: options.windowMs,
      pids: [gate.pid],
    })
  } finally {
    for (const part of [gate, load, vendor]) await part.stop()
  }
  const files = readdirSync(own)
    .filter((name) => name.endsWith('.cpuprofile'))
    .sort()
  const threads = files.map((name, i) => {
    const recorded = JSON.parse(readFileSync(join(own, name), 'utf8')) as CpuProfile
    return `### Thread ${i + 1} of ${files.length}\n\n${spentTables(recorded, run.fromUs, run.toUs, options.top)}`
  })
  const head = `${Math.round(run.perSecond)} calls/s under the profiler at ${options.connections} connections (${layout.means}); ${run.replies} calls, a sample every ${INTERVAL_US} µs.`
  return [head, ...threads].join('\n\n')
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
  if (file.startsWith('wasm:')) return 'undici'
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
