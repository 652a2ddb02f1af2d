import { median, paired, type Comparison, type Series } from './compare.js'
import type { Grown } from './growth.js'
import type { Run } from './load.js'

const LABELS = {
  direct: 'direct, no proxy',
  nginx: 'nginx proxy_pass',
  raw: 'node:http + Pool.dispatch',
  hono: 'Hono + undici Pool (reference)',
  spendgate: 'spendgate: governed, durable',
  'spendgate-open': 'spendgate: an intent left open',
} as const

/** What every target did in one layout: medians over the rounds, ratios within a round first. */
export function targetTable(comparison: Comparison): string {
  const rows = comparison.series.map((series) => {
    const pair = (
      at: 'many' | 'one',
      against: 'hono' | 'raw' | 'direct',
      figure: (a: Run, b: Run) => number,
    ): number | null => paired(comparison, series.name, against, at, figure)
    return [
      LABELS[series.name],
      whole(over(series, 'many', (run) => run.perSecond)),
      ratio(pair('many', 'hono', (a, b) => a.perSecond / b.perSecond)),
      ms(over(series, 'many', (run) => run.p50Us)),
      ms(over(series, 'many', (run) => run.p99Us)),
      fixed(
        over(series, 'many', (run) => run.cpuPer10k),
        2,
      ),
      whole(over(series, 'one', (run) => run.p50Us)),
      whole(pair('one', 'direct', (a, b) => a.p50Us - b.p50Us)),
      whole(series.rss?.now ?? null),
    ]
  })
  const { connections } = comparison.plan
  return markdown(
    [
      'Target',
      `req/s, ${connections} conn.`,
      '× Hono',
      'p50 ms',
      'p99 ms',
      'CPU s / 10k',
      'p50 µs, 1 conn.',
      'added µs',
      'RSS MiB',
    ],
    rows,
  )
}

export interface Figure {
  readonly what: string
  readonly value: string
  readonly goal: string
  readonly met: boolean | null
}

const ADDED_MAX_US = 250
const RSS_MAX_MIB = 200

/** The figures that goals are set for. */
export function figures(comparison: Comparison): Figure[] {
  const { series, durability, plan, layout } = comparison
  const gate = series.find(({ name }) => name === 'spendgate')!
  const throughput = paired(comparison, 'spendgate', 'hono', 'many', (a, b) => a.perSecond / b.perSecond)!
  const cpu = paired(comparison, 'spendgate', 'hono', 'many', (a, b) =>
    a.cpuPer10k === null || b.cpuPer10k === null ? null : a.cpuPer10k / b.cpuPer10k,
  )
  const fsyncs = durability.map((each) => each.fsyncUs)
  const fsyncUs = median(fsyncs)
  const added = (against: 'raw' | 'direct' | 'nginx'): number | null =>
    paired(comparison, 'spendgate', against, 'one', (a, b) => a.p50Us - b.p50Us)
  const beyond = median(
    gate.one.map(
      (run, i) => run.p50Us - series.find(({ name }) => name === 'raw')!.one[i]!.p50Us - durability[i]!.fsyncUs,
    ),
  )
  const nginx = added('nginx')
  return [
    {
      what: `governed, durable throughput ÷ Hono + undici, ${plan.connections} connections (${layout.name})`,
      value: ratio(throughput),
      goal: layout.name === 'one-cpu' ? 'reported' : '≥ 1.00',
      met: layout.name === 'one-cpu' ? null : throughput >= 1,
    },
    { what: 'CPU a call ÷ Hono + undici', value: ratio(cpu), goal: 'reported', met: null },
    {
      what: 'one fsync of a 4 KiB append, p50',
      value: `${whole(fsyncUs)} µs (rounds: ${whole(Math.min(...fsyncs))} to ${whole(Math.max(...fsyncs))})`,
      goal: 'measured beside',
      met: null,
    },
    {
      what: 'added p50 over raw node:http + undici, 1 connection',
      value: `${whole(added('raw'))} µs (one fsync ${beyond < 0 ? '−' : '+'} ${whole(Math.abs(beyond))})`,
      goal: `≤ one fsync + ${ADDED_MAX_US} µs`,
      met: beyond <= ADDED_MAX_US,
    },
    { what: 'added p50 over direct, 1 connection', value: `${whole(added('direct'))} µs`, goal: 'reported', met: null },
    ...(nginx === null
      ? []
      : [{ what: 'added p50 over nginx, 1 connection', value: `${whole(nginx)} µs`, goal: 'reported', met: null }]),
    {
      what: 'resident memory after the load, highest',
      value: gate.rss === null ? 'not measured' : `${whole(gate.rss.now)} MiB, ${whole(gate.rss.highest)} MiB`,
      goal: `≤ ${RSS_MAX_MIB} MiB`,
      met: gate.rss === null ? null : gate.rss.highest <= RSS_MAX_MIB,
    },
    {
      what: 'calls answered = rows in the ledger; faults found by verify',
      value: `${comparison.answered} = ${comparison.book.calls}; ${comparison.book.faults.length}`,
      goal: 'equal; 0',
      met: comparison.answered === comparison.book.calls && comparison.book.faults.length === 0,
    },
  ]
}

export const figureTable = (rows: readonly Figure[]): string =>
  markdown(
    ['Figure', 'Measured', 'Goal', ''],
    rows.map(({ what, value, goal, met }) => [what, value, goal, met === null ? '' : met ? 'met' : '**missed**']),
  )

/** The ledger at each size, and how much dearer a call is there than at the smallest. */
export function growthTable(growth: readonly Grown[]): string {
  const smallest = growth[0]!
  return markdown(
    ['Rows', '64 at a time µs', 'CPU µs', '× smallest', 'alone µs', '× smallest', 'file MiB', 'open ms'],
    growth.map((each) => [
      each.rows.toLocaleString('en-US'),
      fixed(each.batchUs, 1),
      fixed(each.batchCpuUs, 1),
      ratio(each.batchUs / smallest.batchUs),
      whole(each.aloneUs),
      ratio(each.aloneUs / smallest.aloneUs),
      fixed(each.fileMib, 1),
      whole(each.openMs),
    ]),
  )
}

function over(series: Series, at: 'many' | 'one', figure: (run: Run) => number | null): number | null {
  const values = series[at].map(figure)
  return values.some((value) => value === null) ? null : median(values as number[])
}

/** A table that reads well as text and is Markdown. */
export function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i]!.length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? `${'-'.repeat(width + 2)}` : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(head), rule, ...rows.map(line)].join('\n')
}

const fixed = (value: number | null, digits: number): string =>
  value === null || Number.isNaN(value) ? '–' : value.toFixed(digits)
const whole = (value: number | null): string => fixed(value, 0)
const ratio = (value: number | null): string => fixed(value, 2)
const ms = (us: number | null): string => fixed(us === null ? null : us / 1000, 2)
