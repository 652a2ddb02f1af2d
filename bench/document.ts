import { explainTable, MATCH_MAX_US, matchingTable, type Matching } from './catalogue.js'
import type { Comparison } from './compare.js'
import type { Grown } from './growth.js'
import { describeMachine, fileSystemOf } from './machine.js'
import { preloadSection, type Preloaded } from './preload.js'
import { figures, figureTable, growthTable, targetTable } from './report.js'

export interface Findings {
  readonly date: string
  readonly comparisons: readonly Comparison[]
  readonly growth: readonly Grown[]
  readonly matching: readonly Matching[]
  /** Null when it was not measured in this run. */
  readonly preloaded: Preloaded | null
}

/** The machine and the Node a figure comes from, for sections that are written by themselves. */
export const machineLine = (): string => `${describeMachine()}, Node ${process.versions.node}`

/** docs/performance.md, whole. Figures come from the run alone; what does not depend on one is said here once. */
export function page({ date, comparisons, growth, matching, preloaded }: Findings, directory: string): string {
  const [first] = comparisons
  const plan = first!.plan
  const fileSystem = fileSystemOf(directory)
  const versions = new Set(
    first!.series.filter(({ name }) => name !== 'direct' && name !== 'raw').map(({ version }) => version),
  )
  const absent = [...new Set(comparisons.flatMap((each) => each.absent))]
  return `# Performance

Written by \`npm run bench\` on ${date}. Run it on your machine: ratios carry over, absolute numbers do not.

- Machine: ${describeMachine()}${fileSystem === '' ? '' : `, data on ${fileSystem}`}
- Versions: Node ${process.versions.node}; ${[...versions].join('; ')}
${absent.map((reason) => `- Not in this run: ${reason}\n`).join('')}
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

All targets are alive at once and are measured in turn for ${(plan.windowMs / 1000).toFixed(1)} s, ${plan.rounds} rounds, in reverse order every second round. A
ratio or a difference is taken within a round; the tables show medians over the rounds. Read differences under 10 % as
ties. *CPU s / 10k* is what the target's process used, all threads, for 10,000 calls; it is the steadiest figure on a
machine with neighbours, and p99 the least steady. *added µs* is against no proxy at all.

${comparisons.map(section).join('\n')}
With one connection on two cores every hop also pays for waking an idle processor; on one processor that cost is absent
and only the work and the disk remain. The durable write is one \`fsync\` a commit, whose time is measured between the
rounds on the same disk: where its range is wide, somebody else used the disk, and the latencies are theirs as well.
*direct* is bounded by the load generator and the vendor, which share a processor, so ratios to it say little.
${growth.length === 0 ? '' : growthSection(growth)}${matching.length === 0 ? '' : matchingSection(matching)}${preloaded === null ? '' : `\n${preloadSection(preloaded, `${machineLine()}, ${date}`)}`}
## What is not measured

- TLS on either side, networks with delay, and vendors that take their usual hundreds of milliseconds: beside those,
  everything above disappears.
- Calls that need a look-up first (their cost is the vendor's reply), MCP, and refusals.
- Loss of power. Durability is what \`fsync\` promises; the crash tests kill the process, not the machine.
- Disks whose \`fsync\` takes milliseconds. A call waits for one, and shares it with all that wait for the same commit.
- Several nodes on PostgreSQL.
`
}

const section = (comparison: Comparison): string => `## ${comparison.layout.name}: ${comparison.layout.means}

${targetTable(comparison)}

${figureTable(figures(comparison))}
`

const growthSection = (growth: readonly Grown[]): string => `
## The ledger as it grows

What one call costs the ledger alone, admission and settlement, on calls of 100 keys over 30 days. *64 at a time* is a
call's share of a commit that 64 calls wait for; *alone* is one call and the commit it waits for.

${growthTable(growth)}
`

const matchingSection = (matching: readonly Matching[]): string => {
  const worst = Math.max(...matching.flatMap(({ knownNs, unknownNs }) => [knownNs, unknownNs])) / 1000
  return `
## The catalogues

Every call is looked up once among all operations of its vendor, whatever their number. *known* asks for every route
there is, *unknown* for the same paths under a method that none of them has, and for each path with one more segment.
The goal is ${MATCH_MAX_US} µs a call; the slowest here takes ${worst.toFixed(1)} µs (${worst <= MATCH_MAX_US ? 'met' : 'not met'}).

${matchingTable(matching)}

From parsed parameters to price, subjects and effects, without look-ups:

${explainTable(matching)}
`
}
