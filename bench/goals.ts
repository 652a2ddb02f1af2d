import { median, paired, type Comparison } from './compare.js'
import type { Grown } from './growth.js'
import type { LayoutName } from './machine.js'
import type { Batched } from './postgres.js'
import { REASONS } from './reasons.js'
import { markdown } from './report.js'
import type { Startup } from './startup.js'

/** A figure with what it should be, and what it is. */
export interface Goal {
  readonly name: GoalName
  readonly what: string
  /** Of the prototype that the goals were set by. */
  readonly prototype: string
  readonly goal: string
  readonly result: string
  /** Null when it was not measured in this run. */
  readonly met: boolean | null
}

export const GOALS = [
  'times-hono',
  'times-hono-one-cpu',
  'times-nginx',
  'times-portkey',
  'ledger-share',
  'added-over-nginx',
  'slow-disk',
  'cap-check',
  'commit-growth',
  'postgres-batching',
  'postgres-exact',
  'resident',
  'start-empty',
  'start-keys',
  'keys-memory',
  'rows-of-requests',
] as const
export type GoalName = (typeof GOALS)[number]

export interface Measured {
  readonly comparisons: readonly Comparison[]
  readonly growth: readonly Grown[]
  readonly postgres: Batched | string | null
  readonly startup: Startup | null
}

const NOT = 'not measured in this run'

/** Every goal, in the order of the page, held against what was measured. */
export function goals({ comparisons, growth, postgres, startup }: Measured): Goal[] {
  const at = (name: LayoutName): Comparison | null => comparisons.find(({ layout }) => layout.name === name) ?? null
  // Where a server with threads may use both processors it is one of the two; a run has either.
  const two = at('two-cores') ?? at('shared')
  const one = at('one-cpu')
  const times = (
    comparison: Comparison | null,
    other: Parameters<typeof paired>[2],
    of: Parameters<typeof paired>[1] = 'spendgate',
  ) => comparison && paired(comparison, of, other, 'many', (a, b) => a.perSecond / b.perSecond)
  const added = two && paired(two, 'spendgate', 'nginx', 'one', (a, b) => a.p50Us - b.p50Us)
  const beyond = added === null ? null : beyondFsync(two!)
  const least = growth[0]
  const most = growth.at(-1)
  const cap = growth.length === 0 ? null : Math.max(...growth.map(({ capUs }) => capUs))
  const commit = least === undefined || least === most ? null : most!.aloneUs / least.aloneUs
  const rss = two?.series.find(({ name }) => name === 'spendgate')?.rss ?? null
  const batched = postgres === null || typeof postgres === 'string' ? null : postgres
  const more = startup === null || startup.keysMib === null ? null : startup.keysMib - startup.emptyMib!
  const perKeys = more === null ? null : (more / startup!.keys) * 100_000
  const books = comparisons.flatMap(({ books: each }) => each)
  const ratio = (value: number | null): string => (value === null ? NOT : value.toFixed(2))
  const atLeast = (value: number | null, bound: number): boolean | null => (value === null ? null : value >= bound)
  const atMost = (value: number | null, bound: number): boolean | null => (value === null ? null : value <= bound)
  const seconds = (ms: number | undefined): string => (ms === undefined ? NOT : `${(ms / 1000).toFixed(2)} s`)
  const ofNames = {
    'times-hono': {
      what: 'durable governed throughput ÷ Hono + undici pass-through, two cores',
      prototype: '2.2 (3.5 with a lean upstream client)',
      goal: '≥ 2.2',
      result: ratio(times(two, 'hono')),
      met: atLeast(times(two, 'hono'), 2.2),
    },
    'times-hono-one-cpu': {
      what: 'durable governed throughput ÷ Hono + undici pass-through, everything on one CPU',
      prototype: '1.29 (1.65)',
      goal: '≥ 1.4',
      result: ratio(times(one, 'hono')),
      met: atLeast(times(one, 'hono'), 1.4),
    },
    'times-nginx': {
      what: 'durable governed throughput ÷ nginx, two cores',
      prototype: '0.195 (0.325)',
      goal: '≥ 0.22',
      result: ratio(times(two, 'nginx')),
      met: atLeast(times(two, 'nginx'), 0.22),
    },
    'times-portkey': {
      what: 'durable governed throughput ÷ Portkey gateway’s main route, two cores (unlike for like)',
      prototype: '23 to 59',
      goal: '≥ 40',
      result: ratio(times(two, 'portkey')),
      met: atLeast(times(two, 'portkey'), 40),
    },
    'ledger-share': {
      what: 'share of its own ledger-off throughput, two cores',
      prototype: '0.93',
      goal: '≥ 0.90',
      result: ratio(times(two, 'spendgate-off')),
      met: atLeast(times(two, 'spendgate-off'), 0.9),
    },
    'added-over-nginx': {
      what: 'median added over nginx at 1 connection, power-safe, two cores',
      prototype: 'one fsync + 200 µs',
      goal: '≤ one fsync + 120 µs',
      result:
        added === null
          ? NOT
          : `${added.toFixed(0)} µs: one fsync ${beyond! < 0 ? '−' : '+'} ${Math.abs(beyond!).toFixed(0)} µs`,
      met: atMost(beyond, 120),
    },
    'slow-disk': {
      what: 'throughput kept when every fsync takes 2 ms longer, two cores',
      prototype: '0.53',
      goal: '≥ 0.5',
      result: ratio(times(two, 'spendgate', 'spendgate-slow')),
      met: atLeast(times(two, 'spendgate', 'spendgate-slow'), 0.5),
    },
    'cap-check': {
      what: `cap check, ${span(growth)} rows, slowest`,
      prototype: '1.1 to 1.3 µs',
      goal: '≤ 2 µs',
      result: cap === null ? NOT : `${cap.toFixed(2)} µs`,
      met: atMost(cap, 2),
    },
    'commit-growth': {
      what: `one call and its commit, ${span(growth)} rows`,
      prototype: '1.2 to 1.5 ×',
      goal: '≤ 1.1 ×',
      result: commit === null ? NOT : `${commit.toFixed(2)} ×`,
      met: atMost(commit, 1.1),
    },
    'postgres-batching': {
      what: 'PostgreSQL, hot budget row: micro-batched ÷ one call a transaction',
      prototype: '38',
      goal: '≥ 25',
      result:
        batched === null
          ? typeof postgres === 'string'
            ? `not measured: ${postgres}`
            : NOT
          : batched.overAlone.toFixed(1),
      met: atLeast(batched?.overAlone ?? null, 25),
    },
    'postgres-exact': {
      what: 'PostgreSQL: grants of a cap that many callers ask for at once',
      prototype: 'exact',
      goal: 'floor(cap ÷ amount)',
      result:
        batched === null ? NOT : `${batched.exact.granted} of ${batched.exact.due} due, ${batched.exact.asked} asked`,
      met: batched === null ? null : batched.exact.granted === batched.exact.due,
    },
    resident: {
      what: `resident memory at ${two?.plan.connections ?? 64} connections, two cores`,
      prototype: '135 MB',
      goal: '≤ 140 MB',
      result:
        rss === null
          ? NOT
          : `${megabytes(median(rss.many)).toFixed(0)} MB (highest ${megabytes(rss.highest).toFixed(0)})`,
      met: atMost(rss === null ? null : megabytes(median(rss.many)), 140),
    },
    'start-empty': {
      what: 'start-up in an empty directory, to the first reply',
      prototype: '0.15 s',
      goal: '≤ 0.25 s',
      result: seconds(startup?.emptyMs),
      met: atMost(startup?.emptyMs ?? null, 250),
    },
    'start-keys': {
      what: `start-up with ${(startup?.keys ?? 100_000).toLocaleString('en-US')} vault keys`,
      prototype: '0.55 s',
      goal: '≤ 0.7 s',
      result: seconds(startup?.keysMs),
      met: atMost(startup?.keysMs ?? null, 700),
    },
    'keys-memory': {
      what: 'resident memory a 100,000 vault keys',
      prototype: '74 MB',
      goal: '≤ 75 MB',
      result: perKeys === null ? NOT : `${megabytes(perKeys).toFixed(0)} MB`,
      met: atMost(perKeys === null ? null : megabytes(perKeys), 75),
    },
    'rows-of-requests': {
      what: 'one row a request answered, proved by verify and `spendgate db check`',
      prototype: '',
      goal: 'equal; no fault',
      result: books.length === 0 ? NOT : books.map(({ answered, book }) => `${answered} = ${book.calls}`).join(', '),
      met:
        books.length === 0
          ? null
          : books.every(
              ({ answered, book, checked }) =>
                answered === book.calls && book.faults.length === 0 && (checked === null || checked.code === 0),
            ),
    },
  } satisfies Record<GoalName, Omit<Goal, 'name'>>
  return GOALS.map((name) => ({ name, ...ofNames[name] }))
}

export const goalTable = (all: readonly Goal[]): string =>
  markdown(
    ['Figure', 'Prototype', 'Goal', 'Measured', ''],
    all.map(({ what, prototype, goal, result, met }) => [what, prototype, goal, result, verdict(met)]),
  )

const verdict = (met: boolean | null): string => (met === null ? '' : met ? 'met' : '**missed**')

/** A line for each goal that is missed, with the reason somebody gave for it. */
export function missed(all: readonly Goal[]): string {
  const lines = all
    .filter(({ met }) => met === false)
    .map(
      ({ name, what, result, goal }) =>
        `- **${what}**: ${result} (goal ${goal}). ${REASONS[name] ?? 'No reason is known yet.'}`,
    )
  return lines.length === 0 ? 'Every goal that was measured is met.' : lines.join('\n')
}

/** What one connection waits longer than behind nginx, less the fsync of the same round. */
function beyondFsync({ series, durability }: Comparison): number {
  const of = (wanted: string) => series.find(({ name }) => name === wanted)!.one
  return median(of('spendgate').map((run, round) => run.p50Us - of('nginx')[round]!.p50Us - durability[round]!.fsyncUs))
}

function span(growth: readonly Grown[]): string {
  const text = (rows: number | undefined): string => (rows ?? 0).toLocaleString('en-US')
  return growth.length === 0 ? '10³ → 10⁷' : `${text(growth[0]?.rows)} → ${text(growth.at(-1)?.rows)}`
}

const megabytes = (mib: number): number => (mib * 1024 ** 2) / 1e6
