import { explainTable, MATCH_MAX_US, matchingTable, type Matching } from './catalogue.js'
import type { Comparison } from './compare.js'
import { goals, goalTable, missed } from './goals.js'
import type { Grown } from './growth.js'
import { stepsTable, type Steps } from './latency.js'
import { entrant } from './lineup.js'
import { describeMachine, fileSystemOf } from './machine.js'
import { batchedTable, type Batched } from './postgres.js'
import { preloadSection, type Preloaded } from './preload.js'
import { sharesTable, type Shares } from './profile.js'
import { figures, figureTable, growthTable, readsTable, startupTable, streamsTable, targetTable } from './report.js'
import type { Startup } from './startup.js'
import type { Streamed } from './streams.js'
import { WORTH, workersTable, type Doubled } from './workers.js'

/** What a run has measured; null or empty: not in this run. */
export interface Findings {
  readonly date: string
  readonly comparisons: readonly Comparison[]
  readonly steps: Steps | null
  readonly shares: Shares | null
  readonly startup: Startup | null
  readonly streams: Streamed | null
  /** A sentence where there is no PostgreSQL. */
  readonly postgres: Batched | string | null
  readonly growth: readonly Grown[]
  readonly matching: readonly Matching[]
  readonly preloaded: Preloaded | null
  readonly doubled: readonly Doubled[]
}

/** The machine and the Node a figure comes from, for sections that are written by themselves. */
export const machineLine = (): string => `${describeMachine()}, Node ${process.versions.node}`

/** docs/performance.md, whole. Figures come from the run alone; what does not depend on one is said here once. */
export function page(findings: Findings, directory: string): string {
  const { date, comparisons, growth, matching, preloaded, doubled, startup, streams, postgres, steps, shares } =
    findings
  const [first] = comparisons
  const { plan } = first!
  const fileSystem = fileSystemOf(directory)
  const versions = new Set(
    comparisons
      .flatMap(({ series }) => series)
      .flatMap(({ name, version }) => (name === 'direct' || name === 'raw' ? [] : version.split(', '))),
  )
  const absent = new Set(
    comparisons
      .flatMap((each) => each.absent)
      .map(({ name, why }) => `${entrant(name).label.replace(/ [¹²]$/, '')}: ${why}`),
  )
  const held = goals(findings)
  return `# Performance

Written by \`npm run bench\` on ${date}. Run it on your machine: ratios carry over, absolute numbers do not.

- Machine: ${describeMachine()}${fileSystem === '' ? '' : `, data on ${fileSystem}`}
- Versions: Node ${process.versions.node}; ${[...versions].join(', ')}
${[...absent].map((reason) => `- Not in this run: ${reason}\n`).join('')}
## Goals

Every figure with all checks on: canonical request, policy, durable reservation, settlement, audit chain, scrubbing.
*Prototype* is what the design was tried with before the product existed; the goals were set by it.

${goalTable(held)}

${missed(held)}

## How it is measured

Real sockets on loopback, every part in a process of its own, pinned to processors as the headings say. The vendor is a
responder that answers at once with a payment intent of about 1,200 bytes. The load is ${plan.connections} keep-alive connections
(then one), each of which sends its next request when it has the reply to the last: \`POST /v1/payment_intents\` with a
form body and an idempotency key of its own. All targets get the same request, a payment confirmed at once, and all of
them swap the key; all but ours then pass it on, and govern nothing. *An intent left open* is the same call without the
confirmation, for which the ledger must also remember what the object counts for until it is paid or cancelled.

The server runs as \`spendgate serve\` does: SQLite with \`synchronous=FULL\`, a policy with a daily cap, a cap a run, a
limit a call, an allowlist of customers and one of currencies. Each call is parsed strictly, priced, decided,
reserved **on disk before the first byte goes to the vendor**, settled from the vendor's reply, and leaves a
hash-chained audit entry for each step.

All targets are alive at once and are measured in turn for ${seconds(plan.windowMs)} s (those far behind for ${seconds(plan.slowWindowMs)} s), ${plan.rounds} rounds, in
reverse order every second round. A ratio or a difference is taken within a round; the tables show medians over the
rounds. Read differences under 10 % as ties. *CPU s / 10k* is what the target's processes used, all threads, for 10,000
calls; it is the steadiest figure on a machine with neighbours, and p99 the least steady. *Added* is against no proxy at
all. Memory is read after each run at ${plan.connections} connections.

nginx has one worker and HAProxy one thread, both with keep-alive on both sides. Packages that only the bench needs are
locked in \`bench/peers\` and installed when it is run.

- ¹ Measured unlike for like. Portkey's gateway gets a small JSON body on its chat route, because its generic routes refuse
  forms or fail on Node 20, and does there what an LLM's reply needs. Janee gets JSON-RPC, and keeps sessions and a log in
  files, which makes it slower call by call; it has no book of what was spent.
- ² The same server, whose ledger decides on totals in memory and writes nothing (\`bench/targets/spendgate-off.ts\`).
- *Each fsync +2 ms* is the same server under a library that delays fsync (\`bench/slow-fsync.c\`). On PostgreSQL the
  database shares the server's processors.

${comparisons.map(section).join('\n')}
With one connection on two cores every hop also pays for waking an idle processor; on one processor that cost is absent
and only the work and the disk remain. The durable write is one \`fsync\` a commit, whose time is measured between the
rounds on the same disk: where its range is wide, somebody else used the disk, and the latencies are theirs as well.
*direct* is bounded by the load generator and the vendor, which share a processor, so ratios to it say little.

${[
  ...(steps === null ? [] : [stepsSection(steps, `${machineLine()}, ${date}`)]),
  ...(shares === null ? [] : [profileSection(shares, `${machineLine()}, ${date}`)]),
  ...(doubled.length === 0 ? [] : [workersSection(doubled, `${machineLine()}, ${date}`)]),
  ...(startup === null && streams === null ? [] : [memorySection(startup, streams)]),
  ...(postgres === null || typeof postgres === 'string' ? [] : [postgresSection(postgres)]),
  ...(growth.length === 0 ? [] : [growthSection(growth, `${machineLine()}, ${date}`)]),
  ...(matching.length === 0 ? [] : [matchingSection(matching)]),
  ...(preloaded === null ? [] : [preloadSection(preloaded, `${machineLine()}, ${date}`)]),
].join('\n')}
## What is not measured

- TLS on either side, networks with delay, and vendors that take their usual hundreds of milliseconds: beside those,
  everything above disappears.
- Calls that need a look-up first (their cost is the vendor's reply), MCP, and refusals.
- Loss of power. Durability is what \`fsync\` promises; the crash tests kill the process, not the machine.
- Several nodes on PostgreSQL: see [several nodes](scaling.md).
`
}

const seconds = (spanMs: number): string => (spanMs / 1000).toFixed(1)

const section = (comparison: Comparison): string => `## ${comparison.layout.name}: ${comparison.layout.means}

${targetTable(comparison)}

${figureTable(figures(comparison))}
`

export const stepsSection = (steps: Steps, machine: string): string => `## The steps of a call

One connection, so one call at a time, ${steps.calls} of them. Marks are set from outside the product, by wrapping methods of its
ledger, its upstream client and the vendor's \`explain\`, and of Node's server. A settlement is written with the next
commit, so what it costs stands in the *wait for the ledger* of the call after it. One fsync took ${steps.fsyncUs.toFixed(0)} µs.

- \`npm run bench -- latency\`: ${machine}

${stepsTable(steps)}
`

export const profileSection = (shares: Shares, machine: string): string => `## Where the processor goes

The server under V8's profiler at ${shares.connections} connections: ${shares.calls} calls at ${shares.perSecond.toFixed(0)} a second, busy for ${shares.busyMs.toFixed(0)} ms and idle for
${shares.idleMs.toFixed(0)} ms of all threads. Native code counts for the part that called it, so *ledger* has SQLite and its fsync in it and
*http server* the system calls that read and write sockets. *pipeline* is \`govern\` itself and what it asks of keys, rates
and metrics. \`npm run bench -- profile\` shows the functions.

- \`npm run bench -- profile\`: ${machine}

${sharesTable(shares)}
`

export const workersSection = (doubled: readonly Doubled[], machine: string): string => `## A second process

One server, and two of it side by side that share nothing, not even a ledger, each with half of the connections; load and
vendor beside them and nothing pinned. It bounds what several processes with one owner of the ledger could reach, which
do the same work and talk to each other besides; they are worth building from ${WORTH} × on. *At most* is what two
processors would bring if load and vendor cost nothing: a single server is full when the thread that answers is, and two
could fill both processors with all their threads, so twice that thread's share of a server's CPU time.

- \`npm run bench -- workers\`: ${machine}

${workersTable(doubled)}
`

const memorySection = (startup: Startup | null, streams: Streamed | null): string => `## Start-up, keys and streams
${
  startup === null
    ? ''
    : `
The keys are copies of one, each with an id and a digest of its own, under one policy.

${startupTable(startup)}
`
}${
  streams === null
    ? ''
    : `
Streams that wait for something to happen: the live stream of calls, without the admin port around it, which lets in 64
and answers others with a refusal (each 64 have an object of their own here). Idle means heartbeats and nothing else. MCP
opens no streams (its GET is answered 405), so what waits there are connections, which are those of the agent port.

${streamsTable(streams)}
`
}`

const postgresSection = (batched: Batched): string => `## PostgreSQL: batches

PostgreSQL ${batched.version}, durable, sharing all processors with the ledger. The two statements of the plain function insert a row
and take the amount from the budget if it is there; they keep no chain, no entries and no second budget, and are not
settled, so that comparison is against a lesser thing.

${batchedTable(batched)}
`

export const growthSection = (growth: readonly Grown[], machine: string): string => `## The ledger as it grows

What one call costs the ledger alone, admission and settlement, on calls of 100 keys over 30 days. *64 at a time* is a
call's share of a commit that 64 calls wait for; *alone* is one call and the commit it waits for; the cap check reads two
budgets. *Open* is a start after an orderly stop: it reads the idempotency keys of the last day, and as the span is the same
at every size, a larger ledger is a busier one here. The first two hundred calls are made through the ledger, the others are
copied from them in SQL with the same rows, sums and indexes (\`bench/seed.ts\`), and the file's pages are in memory.

- \`npm run bench -- growth\`: ${machine}

${growthTable(growth)}

${readsTable(growth)}

![What the ledger costs as it grows](growth.svg)
`

const matchingSection = (matching: readonly Matching[]): string => {
  const worst = Math.max(...matching.flatMap(({ knownNs, unknownNs }) => [knownNs, unknownNs])) / 1000
  return `## The catalogues

Every call is looked up once among all operations of its vendor, whatever their number. *known* asks for every route
there is, *unknown* for the same paths under a method that none of them has, and for each path with one more segment.
The goal is ${MATCH_MAX_US} µs a call; the slowest here takes ${worst.toFixed(1)} µs (${worst <= MATCH_MAX_US ? 'met' : 'not met'}).

${matchingTable(matching)}

From parsed parameters to price, subjects and effects, without look-ups:

${explainTable(matching)}
`
}
