import { describe, expect, test } from 'vitest'
import { median, paired, type Comparison, type Series } from '../../bench/compare.js'
import { goals, missed } from '../../bench/goals.js'
import type { Grown } from '../../bench/growth.js'
import { stepsOf } from '../../bench/latency.js'
import type { Run } from '../../bench/load.js'
import { groupOf, sharesOf, timeBy } from '../../bench/profile.js'
import { MARKS, type Mark } from '../../bench/targets/spendgate-marked.js'

const run = (perSecond: number, p50Us = 1): Run => ({
  replies: 1,
  perSecond,
  p50Us,
  p99Us: 1,
  cpuPer10k: null,
  answered: 1,
  fromUs: 0,
  toUs: 1,
})
const seriesOf = (name: Series['name'], many: readonly Run[], one: readonly Run[] = []): Series => ({
  name,
  version: '',
  many,
  one,
  rss: null,
})

describe('ratios', () => {
  const series = [seriesOf('spendgate', [run(50), run(400), run(90)]), seriesOf('hono', [run(100), run(200), run(100)])]

  test('a ratio is taken within each round, and then the median', () => {
    expect(paired({ series }, 'spendgate', 'hono', 'many', (a, b) => a.perSecond / b.perSecond)).toBe(0.9)
  })

  test('what a machine cannot tell, or a target that is absent, is no figure', () => {
    expect(paired({ series }, 'spendgate', 'hono', 'many', (a) => a.cpuPer10k)).toBeNull()
    expect(paired({ series }, 'spendgate', 'nginx', 'many', (a) => a.perSecond)).toBeNull()
  })

  test('the median of an even count lies between the middle two', () => {
    expect(median([9, 1, 3, 2])).toBe(2.5)
    expect(median([9, 1, 3])).toBe(3)
  })
})

describe('goals', () => {
  const comparison = (perSecond: number, addedUs: number): Comparison => ({
    layout: { name: 'two-cores', means: '', proxy: '0', own: '0/0,1', world: '1' },
    plan: {
      rounds: 1,
      windowMs: 1,
      slowWindowMs: 1,
      warmMs: 1,
      connections: 64,
      syncs: 1,
      install: false,
      only: null,
    },
    series: [
      seriesOf('nginx', [run(1000)], [run(1, 100)]),
      seriesOf('hono', [run(100)]),
      seriesOf('spendgate', [run(perSecond)], [run(1, 100 + addedUs)]),
    ],
    durability: [{ fsyncUs: 200, fdatasyncUs: 200 }],
    books: [],
    absent: [],
  })
  const nothing = { comparisons: [], growth: [], postgres: null, startup: null }
  const verdicts = (all: ReturnType<typeof goals>) => Object.fromEntries(all.map(({ name, met }) => [name, met]))

  test('a figure that was not measured is neither met nor missed', () => {
    const all = goals(nothing)
    expect(all.every(({ met }) => met === null)).toBe(true)
    expect(missed(all)).toBe('Every goal that was measured is met.')
  })

  test('throughput is held against its ratio, and the time added against the fsync of its round', () => {
    expect(verdicts(goals({ ...nothing, comparisons: [comparison(230, 320)] }))).toMatchObject({
      'times-hono': true,
      'times-nginx': true,
      'added-over-nginx': true,
      'times-hono-one-cpu': null,
      'times-portkey': null,
    })
    const short = goals({ ...nothing, comparisons: [comparison(219, 321)] })
    expect(verdicts(short)).toMatchObject({ 'times-hono': false, 'times-nginx': false, 'added-over-nginx': false })
    expect(missed(short).split('\n')).toHaveLength(3)
    expect(missed(short)).toContain('2.19 (goal ≥ 2.2)')
  })

  test('the slowest size is held against the cap check, the largest against the smallest for a commit', () => {
    const size = (rows: number, capUs: number, aloneUs: number) => ({ rows, capUs, aloneUs }) as Grown
    const growth = [size(1000, 0.5, 300), size(10_000, 2.1, 900), size(100_000, 0.6, 330)]
    expect(verdicts(goals({ ...nothing, growth }))).toMatchObject({ 'cap-check': false, 'commit-growth': true })
    expect(verdicts(goals({ ...nothing, growth: growth.slice(0, 1) }))).toMatchObject({ 'commit-growth': null })
  })
})

describe('the steps of a call', () => {
  const call = (without: readonly Mark[] = []) =>
    Object.fromEntries(MARKS.filter((mark) => !without.includes(mark)).map((mark) => [mark, MARKS.indexOf(mark)]))

  test('together are all of it', () => {
    const steps = stepsOf([call(), call()])
    expect(steps.reduce((sum, { us }) => sum + us, 0)).toBe((MARKS.length - 1) * 1000)
  })

  test('that calls do not come by any more end the bench', () => {
    expect(() => stepsOf([call(['admit']), call(['admit'])])).toThrow(/out of date/)
  })
})

describe('profiles', () => {
  const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 0 })

  test('a function’s own time counts once, and a caller’s with it, inside the window only', () => {
    const profile = {
      nodes: [
        { id: 1, callFrame: frame('outer'), children: [2] },
        { id: 2, callFrame: frame('inner'), children: [3] },
        { id: 3, callFrame: frame('outer') },
      ],
      startTime: 100,
      samples: [2, 3, 1, 1],
      timeDeltas: [0, 10, 20, 40],
    }
    const spent = timeBy(profile, ({ functionName }) => functionName, 100, 130)
    expect(spent).toContainEqual({ name: 'inner', selfUs: 10, totalUs: 30 })
    expect(spent).toContainEqual({ name: 'outer', selfUs: 60, totalUs: 70 })
  })

  test.each([
    ['(idle)', '', '(idle)'],
    ['(garbage collector)', '', 'gc'],
    ['oneShotDigest', '', 'hashing'],
    ['writev', '', null],
    ['digest', 'node:internal/crypto/hash', 'hashing'],
    ['onRequest', 'node:_http_server', 'http server'],
    ['processTimers', 'node:internal/timers', 'timers and loop'],
    ['take', new URL('../../dist/src/wire/client/reply-reader.js', import.meta.url).href, 'vendor client'],
  ] as const)('%s %s belongs to %s', (name, url, group) => {
    expect(groupOf(frame(name, url))).toBe(group)
  })

  test('native code counts for the part that called it, and threads together', () => {
    const thread = {
      nodes: [
        { id: 1, callFrame: frame('onRequest', 'node:_http_server'), children: [2] },
        { id: 2, callFrame: frame('writev') },
        { id: 3, callFrame: frame('(idle)') },
      ],
      startTime: 0,
      samples: [1, 2, 3, 3],
      timeDeltas: [0, 10, 30, 60],
    }
    const shares = sharesOf([thread, thread], { fromUs: 0, toUs: 100, replies: 4, perSecond: 1 }, 64)
    expect(shares.groups.find(({ group }) => group === 'http server')).toEqual({
      group: 'http server',
      percent: 100,
      us: 20,
    })
    expect(shares).toMatchObject({ busyMs: 0.08, idleMs: 0.12 })
  })
})
