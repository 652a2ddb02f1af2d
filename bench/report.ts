import { median, paired, type Comparison, type Series } from './compare.js'
import type { Grown } from './growth.js'
import { entrant, type TargetName } from './lineup.js'
import type { Run } from './load.js'
import { plotted } from './plot.js'
import type { Startup } from './startup.js'
import type { Streamed } from './streams.js'

/** What every target did in one layout: medians over the rounds, ratios within a round first. */
export function targetTable(comparison: Comparison): string {
  const rows = comparison.series.map((series) => {
    const pair = (
      at: 'many' | 'one',
      against: 'hono' | 'nginx' | 'direct',
      figure: (a: Run, b: Run) => number,
    ): number | null => paired(comparison, series.name, against, at, figure)
    return [
      entrant(series.name).label,
      whole(over(series, 'many', (run) => run.perSecond)),
      ratio(pair('many', 'hono', (a, b) => a.perSecond / b.perSecond)),
      ratio(pair('many', 'nginx', (a, b) => a.perSecond / b.perSecond)),
      ms(over(series, 'many', (run) => run.p50Us)),
      ms(over(series, 'many', (run) => run.p99Us)),
      fixed(
        over(series, 'many', (run) => run.cpuPer10k),
        2,
      ),
      whole(over(series, 'one', (run) => run.p50Us)),
      whole(pair('one', 'direct', (a, b) => a.p50Us - b.p50Us)),
      whole(pair('one', 'direct', (a, b) => a.p99Us - b.p99Us)),
      series.rss === null ? '–' : whole(median(series.rss.many)),
    ]
  })
  const { connections } = comparison.plan
  return markdown(
    [
      'Target',
      `req/s, ${connections} conn.`,
      '× Hono',
      '× nginx',
      'p50 ms',
      'p99 ms',
      'CPU s / 10k',
      'p50 µs, 1 conn.',
      'added p50 µs',
      'added p99 µs',
      'RSS MiB',
    ],
    rows,
  )
}

export interface Figure {
  readonly what: string
  readonly value: string
}

/** What else a comparison says, beside the goals. */
export function figures(comparison: Comparison): Figure[] {
  const { durability, books } = comparison
  const times = (name: TargetName): number | null =>
    paired(comparison, 'spendgate', name, 'many', (a, b) => a.perSecond / b.perSecond)
  const cpu = paired(comparison, 'spendgate', 'hono', 'many', (a, b) =>
    a.cpuPer10k === null || b.cpuPer10k === null ? null : a.cpuPer10k / b.cpuPer10k,
  )
  const fsyncs = durability.map((each) => each.fsyncUs)
  const added = (name: TargetName): number | null =>
    paired(comparison, 'spendgate', name, 'one', (a, b) => a.p50Us - b.p50Us)
  const others = ['haproxy', 'raw', 'fastify', 'hono-fetch', 'hono-proxy', 'portkey', 'janee', 'spendgate-off'] as const
  return [
    ...others.flatMap((name) => {
      const value = times(name)
      return value === null
        ? []
        : [{ what: `governed, durable throughput ÷ ${entrant(name).label}`, value: ratio(value) }]
    }),
    { what: 'CPU a call ÷ Hono + undici', value: ratio(cpu) },
    {
      what: 'one fsync of a 4 KiB append, p50',
      value: `${whole(median(fsyncs))} µs (rounds: ${whole(Math.min(...fsyncs))} to ${whole(Math.max(...fsyncs))})`,
    },
    ...(['direct', 'nginx', 'haproxy', 'raw', 'hono'] as const).flatMap((name) => {
      const value = added(name)
      return value === null
        ? []
        : [{ what: `added p50 over ${entrant(name).label}, 1 connection`, value: `${whole(value)} µs` }]
    }),
    ...books.map(({ name, answered, book, checked }) => ({
      what: `${entrant(name).label}: calls answered = rows; faults found by verify${checked === null ? '' : '; `spendgate db check`'}`,
      value: `${answered} = ${book.calls}; ${book.faults.length}${checked === null ? '' : `; ${checked.code === 0 ? 'sound' : `code ${checked.code}`}`}`,
    })),
  ]
}

export const figureTable = (rows: readonly Figure[]): string =>
  markdown(
    ['Figure', 'Measured'],
    rows.map(({ what, value }) => [what, value]),
  )

/** The ledger at each size: what calls cost there. */
export function growthTable(growth: readonly Grown[]): string {
  const smallest = growth[0]!
  return markdown(
    [
      'Rows',
      '64 at a time µs',
      'CPU µs',
      '× smallest',
      'alone µs',
      '× smallest',
      'cap check µs',
      'file MiB',
      'bytes a call',
      'open ms',
    ],
    growth.map((each) => [
      each.rows.toLocaleString('en-US'),
      fixed(each.batchUs, 1),
      fixed(each.batchCpuUs, 1),
      ratio(each.batchUs / smallest.batchUs),
      whole(each.aloneUs),
      ratio(each.aloneUs / smallest.aloneUs),
      ratio(each.capUs),
      fixed(each.fileMib, 1),
      whole((each.fileMib * 1024 ** 2) / each.rows),
      whole(each.openMs),
    ]),
  )
}

/** What people and programs ask of it. */
export const readsTable = (growth: readonly Grown[]): string =>
  markdown(
    [
      'Rows',
      'a call by id µs',
      '50 calls of a key µs',
      'the same, deep µs',
      'spend by day µs',
      'by key, today µs',
      '50 runs µs',
    ],
    growth.map((each) => [
      each.rows.toLocaleString('en-US'),
      fixed(each.lookUpUs, 1),
      whole(each.pageUs),
      whole(each.deepPageUs),
      whole(each.spendByDayUs),
      whole(each.spendTodayUs),
      whole(each.runsUs),
    ]),
  )

/** The same as a picture. */
export function growthPlot(growth: readonly Grown[]): string {
  const line = (label: string, us: (grown: Grown) => number) => ({ label, values: growth.map(us) })
  return plotted({
    title: 'What the ledger costs as it grows',
    xLabel: 'calls in the ledger',
    yLabel: 'µs',
    xs: growth.map(({ rows }) => rows),
    lines: [
      line('opening the ledger', ({ openMs }) => openMs * 1000),
      line('50 runs, latest use first', ({ runsUs }) => runsUs),
      line('spend by day, all of it', ({ spendByDayUs }) => spendByDayUs),
      line('a call alone, with its commit', ({ aloneUs }) => aloneUs),
      line('50 calls of a key', ({ pageUs }) => pageUs),
      line('a call, 64 at a time', ({ batchUs }) => batchUs),
      line('a call by its id', ({ lookUpUs }) => lookUpUs),
      line('cap check', ({ capUs }) => capUs),
    ],
  })
}

export function startupTable({ starts, keys, emptyMs, keysMs, emptyMib, keysMib }: Startup): string {
  return markdown(
    [`\`spendgate serve\`, ${starts} starts each`, 'first reply after ms', 'RSS MiB a second later'],
    [
      ['in an empty directory', whole(emptyMs), whole(emptyMib)],
      [`with ${keys.toLocaleString('en-US')} vault keys`, whole(keysMs), whole(keysMib)],
    ],
  )
}

export function streamsTable({ streams, kibAStream, idleCpu, toldMs, kibAConnection }: Streamed): string {
  return markdown(
    ['Open at once', 'count', 'KiB each', 'CPU % of a processor, idle', 'a change told to all, ms'],
    [
      [
        'live streams of calls',
        streams.toLocaleString('en-US'),
        fixed(kibAStream, 1),
        fixed(idleCpu, 2),
        whole(toldMs),
      ],
      ['idle connections of agents', streams.toLocaleString('en-US'), fixed(kibAConnection, 1), '', ''],
    ],
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

export const fixed = (value: number | null, digits: number): string =>
  value === null || !Number.isFinite(value) ? '–' : value.toFixed(digits)
export const whole = (value: number | null): string => fixed(value, 0)
const ratio = (value: number | null): string => fixed(value, 2)
const ms = (us: number | null): string => fixed(us === null ? null : us / 1000, 2)
