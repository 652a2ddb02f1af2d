import { createHash, randomBytes } from 'node:crypto'
import { cpus, loadavg, tmpdir } from 'node:os'
import { SystemClock } from '../src/clock.js'
import type { CallDraft, KeyRecord } from '../src/contracts/ledger.js'
import { usd } from '../src/contracts/money.js'
import type { Budget, Decision, Usage } from '../src/contracts/policy.js'
import { placeOf } from '../src/ledger/postgres/connect.js'
import { openPostgres } from '../src/ledger/postgres/ledger.js'
import { postgresMissing, PostgresServer } from '../test/helpers/postgres.js'
import { median } from './compare.js'
import { lineThrough, simulate, type Costs, type World } from './contention-model.js'
import type { Durability } from './fsync.js'
import { childrenOf, cpuNs } from './machine.js'
import { Part, type Role } from './part.js'
import { markdown } from './report.js'

/** One run: so many nodes on one database, all of them asked at once by so many callers. */
export interface Contended {
  readonly nodes: number
  /** Keys that are called under, each with a budget of its own: 1 is the hot row. */
  readonly keys: number
  /** Over all nodes; each asks again when it has its answer. */
  readonly callers: number
  readonly admitsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** CPU time a call, of all nodes and of the database with all its processes; null where /proc does not tell. */
  readonly nodeUs: number | null
  readonly databaseUs: number | null
  /** Commits of the database, which are the batches. */
  readonly callsPerCommit: number
}

export interface Contention {
  readonly runs: readonly Contended[]
  /** What an append of 4 KiB waits for the disk under the database, median. */
  readonly fsyncUs: number
  /** How many processes wanted a processor before the first run: the work of others. */
  readonly loadBefore: number
  readonly version: string
}

type Setting = Pick<Contended, 'nodes' | 'keys' | 'callers'>
export interface ContentionPlan {
  readonly rounds: number
  readonly windowMs: number
  readonly settings: readonly Setting[]
}

const WARM_MS = 1_000
const SYNCS = 200

/** One budget and a thousand; one, two and four nodes; and batches of several sizes, from which the model takes its costs. */
export const SETTINGS: readonly Setting[] = [
  ...[1, 1_000].flatMap((keys) => [1, 2, 4].map((nodes) => ({ keys, nodes, callers: 64 }))),
  ...[1, 2].flatMap((nodes) => [8, 256].map((callers) => ({ keys: 1, nodes, callers }))),
]

/**
 * Each setting in turn, in each round; medians over the rounds. Each has a database of its own, on a server that is as
 * durable as in production, and nodes that are processes of their own.
 */
export async function measureContention(
  { rounds, windowMs, settings }: ContentionPlan,
  say: (text: string) => void,
): Promise<Contention> {
  if (postgresMissing !== null) throw new Error(postgresMissing)
  const server = await PostgresServer.start({ shared_buffers: '256MB', max_wal_size: '2GB' })
  const [loadBefore] = loadavg()
  const disk = await Part.start<null, { readonly times: number }, Durability>('fsync', { directory: tmpdir() }, null)
  try {
    const runs: Contended[][] = settings.map(() => [])
    const syncs: number[] = []
    for (let round = 0; round < rounds; round++) {
      syncs.push((await disk.ask({ times: SYNCS })).fdatasyncUs)
      for (const [at, setting] of settings.entries()) {
        const run = await contend(server, setting, windowMs)
        const { nodes, keys, callers, admitsPerSecond, p50Ms } = run
        say(
          `nodes ${nodes}, keys ${keys}, callers ${callers}: ${Math.round(admitsPerSecond)} admits/s, p50 ${p50Ms.toFixed(1)} ms`,
        )
        runs[at]!.push(run)
      }
    }
    const [{ version }] = await server.sql(`select current_setting('server_version') as version`)
    return { runs: runs.map(medians), fsyncUs: median(syncs), loadBefore: loadBefore!, version: version as string }
  } finally {
    await disk.stop()
    await server.remove()
  }
}

const medians = (runs: readonly Contended[]): Contended => {
  const of = (figure: (run: Contended) => number): number => median(runs.map(figure))
  const orNull = (figure: (run: Contended) => number | null): number | null =>
    runs.some((run) => figure(run) === null) ? null : median(runs.map((run) => figure(run)!))
  return {
    ...runs[0]!,
    admitsPerSecond: of((run) => run.admitsPerSecond),
    p50Ms: of((run) => run.p50Ms),
    p99Ms: of((run) => run.p99Ms),
    nodeUs: orNull((run) => run.nodeUs),
    databaseUs: orNull((run) => run.databaseUs),
    callsPerCommit: of((run) => run.callsPerCommit),
  }
}

async function contend(
  server: PostgresServer,
  { nodes, keys, callers }: Setting,
  windowMs: number,
): Promise<Contended> {
  const database = await server.database()
  const url = server.url(database)
  const parts: Part<null, Question, Window>[] = []
  try {
    for (let i = 0; i < nodes; i++)
      parts.push(await Part.start<null, Question, Window>('contention', { url, keys }, null))
    const each = Math.max(1, Math.round(callers / nodes))
    await Promise.all(parts.map((part) => part.ask({ callers: each, ms: WARM_MS })))
    const pids = parts.map(({ pid }) => pid)
    const before = await usageOf(server, database, pids)
    const windows = await Promise.all(parts.map((part) => part.ask({ callers: each, ms: windowMs })))
    const after = await usageOf(server, database, pids)
    const admits = windows.reduce((sum, window) => sum + window.admits, 0)
    const waits = windows.flatMap((window) => window.waitsMs).sort((a, b) => a - b)
    const spentUs = (of: 'nodes' | 'database'): number | null => {
      const used = [...after[of]].map(([pid, ns]) => ns - (before[of].get(pid) ?? 0))
      return used.length === 0 ? null : used.reduce((sum, ns) => sum + ns, 0) / 1000 / admits
    }
    return {
      nodes,
      keys,
      callers: each * nodes,
      admitsPerSecond: (admits * 1000) / windowMs,
      p50Ms: waits[waits.length >> 1]!,
      p99Ms: waits[Math.floor(waits.length * 0.99)]!,
      nodeUs: spentUs('nodes'),
      databaseUs: spentUs('database'),
      callsPerCommit: admits / Math.max(1, after.versions - before.versions),
    }
  } finally {
    for (const part of parts) await part.stop()
  }
}

async function usageOf(server: PostgresServer, database: string, pids: readonly number[]) {
  const [{ version }] = await server.sql('select version from spendgate.head', database)
  return {
    versions: Number(version),
    nodes: cpuByProcess(pids),
    database: cpuByProcess([server.pid, ...childrenOf(server.pid)]),
  }
}

/** CPU time by process, in nanoseconds. A process of the database may end at any moment, and is left out. */
function cpuByProcess(pids: readonly number[]): ReadonlyMap<number, number> {
  const used = new Map<number, number>()
  for (const pid of pids) {
    const ns = cpuNs([pid])
    if (ns !== null) used.set(pid, ns)
  }
  return used
}

// A node: the role that each child process plays.

interface Question {
  readonly callers: number
  readonly ms: number
}
interface Window {
  readonly admits: number
  readonly waitsMs: readonly number[]
}

const POLICY = 'bench'
const CAP = usd(1_000_000_000_000_000n)

export async function start({
  url,
  keys: wanted,
}: {
  readonly url: string
  readonly keys: number
}): Promise<Role<null, Question, Window>> {
  const ledger = await openPostgres({ place: placeOf(url), clock: new SystemClock() })
  const found = (await ledger.keys({ limit: wanted })).rows
  const keys = found.length === wanted ? found : await issue(ledger, wanted)
  return {
    facts: null,
    ask: ({ callers, ms }) => load(ledger, keys, callers, ms),
    stop: () => ledger.close(),
  }
}

type Ledger = Awaited<ReturnType<typeof openPostgres>>

async function issue(ledger: Ledger, wanted: number): Promise<KeyRecord[]> {
  const policy = await ledger.addPolicy(POLICY, { name: POLICY }, 'bench')
  const keys: KeyRecord[] = []
  for (let i = 0; i < wanted; i++)
    keys.push(
      await ledger.addKey({
        id: `key_bench${String(i).padStart(6, '0')}`,
        publicId: randomBytes(16).toString('hex'),
        digest: randomBytes(32).toString('hex'),
        last4: 'abcd',
        name: `agent${i}`,
        parentId: null,
        policyId: policy.id,
        narrowings: [],
        credentialIds: ['cred_bench'],
        run: null,
        runCap: null,
        test: true,
        expiresAt: null,
        createdAt: 0,
        actor: 'bench',
      }),
    )
  return keys
}

/** Callers in a closed loop, each admission settled as soon as it stands, as a vendor would answer. */
async function load(ledger: Ledger, keys: readonly KeyRecord[], callers: number, ms: number): Promise<Window> {
  const until = performance.now() + ms
  const waitsMs: number[] = []
  let n = 0
  const caller = async (): Promise<void> => {
    for (;;) {
      const from = performance.now()
      if (from >= until) return
      const { callId } = await ledger.admit(draftOf(keys[n++ % keys.length]!, ledger.clock.now()), within)
      const now = performance.now()
      if (now < until) waitsMs.push(now - from)
      ledger.settle(callId, { outcome: 'settled', status: 200, requestId: 'req_bench', ms: 1 })
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  await ledger.flushed()
  return { admits: waitsMs.length, waitsMs }
}

const within = (usage: Usage): Decision => {
  for (const { spent, held, cap, rule } of usage.budgets)
    if (spent + held + usage.amount > cap) throw new Error(`the bench ran into its own cap ${rule}`)
  return { verdict: 'allow', denial: null }
}

function draftOf(key: KeyRecord, now: number): CallDraft {
  const day = new Date(now).toISOString().slice(0, 10)
  const hash = createHash('sha256').update(randomBytes(16)).digest('hex')
  return {
    key,
    credentialId: 'cred_bench',
    run: `${key.name}_${day}`,
    runSource: 'header',
    vendor: 'stripe',
    surface: 'rest',
    method: 'POST',
    path: '/v1/refunds',
    operation: 'refunds.create',
    effect: 'spend',
    direction: 'out',
    customer: 'cus_A',
    reason: null,
    quoted: usd(1_000_000n),
    basis: 'exact',
    object: null,
    commits: null,
    requestHash: hash,
    idempotencyHash: hash,
    budgets: [budget(`day/${key.id}`, day), budget(`run/${key.id}`, `${key.name}_${day}`)],
    guarded: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: [null],
  }
}

const budget = (counter: string, window: string): Budget => ({
  counter,
  window,
  since: 0,
  vendor: null,
  direction: null,
  measure: 'spent',
  cap: CAP,
  code: 'daily_cap_exceeded',
  label: 'USD 1000000000.00 a day (UTC)',
  rule: 'daily-cap',
  resetsAt: null,
  enforce: true,
})

export const contentionTable = ({ runs }: Contention): string =>
  markdown(
    [
      'keys',
      'nodes',
      'callers',
      'admits/s',
      'p50 ms',
      'p99 ms',
      'calls a commit',
      'node CPU µs a call',
      'database CPU µs a call',
    ],
    runs.map((run) => [
      whole(run.keys),
      whole(run.nodes),
      whole(run.callers),
      whole(run.admitsPerSecond),
      run.p50Ms.toFixed(1),
      run.p99Ms.toFixed(1),
      run.callsPerCommit.toFixed(1),
      run.nodeUs === null ? '–' : whole(run.nodeUs),
      run.databaseUs === null ? '–' : whole(run.databaseUs),
    ]),
  )

const whole = (figure: number): string => String(Math.round(figure))

/** What batches cost, from the runs on one key; null where the system does not tell of CPU time. */
export function costsIn({ runs }: Contention): Costs | null {
  const through = (nodes: number, usOf: (run: Contended) => number | null) => {
    const points = runs.flatMap((run) => {
      const us = run.keys === 1 && run.nodes === nodes ? usOf(run) : null
      return us === null ? [] : [{ calls: run.callsPerCommit, us: us * run.callsPerCommit }]
    })
    return points.length === 0 ? null : lineThrough(points)
  }
  const [nodeStill, nodeMoved] = [through(1, (run) => run.nodeUs), through(2, (run) => run.nodeUs)]
  const [still, moved] = [through(1, (run) => run.databaseUs), through(2, (run) => run.databaseUs)]
  if (nodeStill === null || nodeMoved === null || still === null || moved === null) return null
  return { node: { still: nodeStill, moved: nodeMoved }, database: { still, moved } }
}

/** Loopback, as measured between two processes of one machine. */
const HERE = { cores: cpus().length, together: true, partitions: 1, roundTripUs: 60 }
/** A database on a machine of its own, in the same zone, on a disk of a cloud. */
const APART = { cores: 8, together: false, roundTripUs: 500, fsyncUs: 1_000 }

/** The model against what was measured here: how far it may be believed. */
export function modelTable(contention: Contention, costs: Costs): string {
  const here = contention.runs.filter((run) => run.keys === 1)
  return markdown(
    ['nodes', 'callers', 'measured admits/s', 'model', 'model / measured'],
    here.map(({ nodes, callers, admitsPerSecond }) => {
      const said = simulate({ ...HERE, nodes, callers, fsyncUs: contention.fsyncUs }, costs).admitsPerSecond
      return [whole(nodes), whole(callers), whole(admitsPerSecond), whole(said), (said / admitsPerSecond).toFixed(2)]
    }),
  )
}

/** What the model says of machines that are not here: nodes by books. */
export function projectionTable(costs: Costs): string {
  const partitions = [1, 4, 16]
  return markdown(
    ['nodes', 'callers', ...partitions.map((n) => (n === 1 ? 'one book' : `${n} books`))],
    [1, 2, 4, 8, 16].map((nodes) => [
      whole(nodes),
      whole(nodes * 64),
      ...partitions.map((books) => {
        const world: World = { ...APART, nodes, callers: nodes * 64, partitions: books }
        const { admitsPerSecond, p50Ms } = simulate(world, costs)
        return `${whole(admitsPerSecond)}/s, ${p50Ms.toFixed(1)} ms`
      }),
    ]),
  )
}

const HEADING = '## How far one PostgreSQL carries'

/** The section of docs/scaling.md that holds figures, whole: they come from one run. */
export function contentionSection(contention: Contention, where: string): string {
  const costs = costsIn(contention)
  const line = ({ base, perCall }: { base: number; perCall: number }): string => `${whole(base)} + ${whole(perCall)} n`
  const model =
    costs === null
      ? 'This system does not tell what a process uses of its processors, so there is no model of this run.\n'
      : `### The model

Nodes, the head of the book, processors and the disk, played event by event (\`bench/contention-model.ts\`) with what a batch
of n calls cost in the runs on one key, in µs of CPU. *Still*: nobody else has written since this node last did. *Moved*:
somebody has, so the node locks the head and reads anew. Node and database take turns in it; a node by itself decides the next
batch while the last is written, and is faster than the model where both have much to do.

| | still | moved |
|---|---|---|
| node | ${line(costs.node.still)} | ${line(costs.node.moved)} |
| database | ${line(costs.database.still)} | ${line(costs.database.moved)} |

Against the runs above:

${modelTable(contention, costs)}

The same nodes each on a machine of its own, the database on ${APART.cores} processors, ${APART.roundTripUs} µs between them, ${APART.fsyncUs} µs a
write to its disk, ${64} callers a node. **These are the model's, not measured.** With several books every call belongs to one,
evenly:

${projectionTable(costs)}
`
  return `${HEADING}

Measured by \`npm run bench -- contention\` on ${where}, PostgreSQL ${contention.version}, with \`fsync\` and
\`synchronous_commit\` on; an append of 4 KiB and its \`fdatasync\` take ${whole(contention.fsyncUs)} µs here (median). Database and nodes share all
processors. Each node is a process with callers that ask again when they have their answer, and every call is settled too.
One key is the hot row: all calls on one daily budget. **Load average of the machine before the first run: ${contention.loadBefore.toFixed(1)}**; where
that is not near nothing, others used the processors too, and only the CPU time a call is to be read.

${contentionTable(contention)}

${model}`
}

/** The page with its figures of today in the place of the old ones. */
export function withContention(page: string, section: string): string {
  const from = page.indexOf(HEADING)
  if (from === -1) throw new Error(`docs/scaling.md has no section «${HEADING.slice(3)}».`)
  const next = page.indexOf('\n## ', from)
  return `${page.slice(0, from)}${section}${next === -1 ? '' : page.slice(next)}`
}
