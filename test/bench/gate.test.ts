import { describe, expect, test } from 'vitest'
import { matchingTable } from '../../bench/catalogue.js'
import { median, paired } from '../../bench/compare.js'
import type { Findings } from '../../bench/document.js'
import type { Run } from '../../bench/load.js'
import { timeBy } from '../../bench/profile.js'
import { figures, growthTable, targetTable } from '../../bench/report.js'
import { built, Child } from '../helpers/process.js'

describe('the bench, as built, for a moment', () => {
  test('every target answers, and every governed call left a row in a book that is sound', async () => {
    const { code, stdout, stderr } = await new Child([built('bench/index.js'), 'check', '--json']).ended
    expect(stderr).not.toContain('Error')
    expect(code).toBe(0)
    const { comparisons } = JSON.parse(stdout) as Findings
    expect(comparisons).toHaveLength(1)
    const { series, book, answered, absent, durability } = comparisons[0]!

    const measured = series.map(({ name }) => name)
    expect(measured).toEqual(expect.arrayContaining(['direct', 'raw', 'hono', 'spendgate', 'spendgate-open']))
    expect(measured.includes('nginx')).toBe(absent.length === 0)
    for (const { many, one } of series) {
      // Not the replies within the window: a starved machine may give none in a moment so short.
      for (const run of [...many, ...one]) expect(run.answered).toBeGreaterThan(0)
    }
    expect(durability[0]!.fsyncUs).toBeGreaterThan(0)

    expect(answered).toBeGreaterThan(0)
    expect(book).toEqual({ calls: answered, denied: 0, settledUsd: `${answered}.00`, heldUsd: '0.00', faults: [] })
    expect(targetTable(comparisons[0]!)).toContain('spendgate')
    expect(figures(comparisons[0]!).at(-1)!.met).toBe(true)
  }, 60_000)

  test('the ledger is measured at each size it was filled to', async () => {
    const args = [built('bench/index.js'), 'growth', '--json', '--rows', '200,400', '--rounds', '1']
    const { code, stdout } = await new Child(args).ended
    expect(code).toBe(0)
    const { growth } = JSON.parse(stdout) as Findings
    expect(growth.map(({ rows }) => rows)).toEqual([200, 400])
    for (const { batchUs, aloneUs, rowsAfter, rows } of growth) {
      expect(Math.min(batchUs, aloneUs)).toBeGreaterThan(0)
      expect(rowsAfter).toBeGreaterThan(rows)
    }
    expect(growthTable(growth)).toContain('400')
  }, 60_000)

  test('every route of every vendor is found, and what a typical call means is worked out', async () => {
    const { code, stdout } = await new Child([built('bench/index.js'), 'catalogue', '--json', '--rounds', '1']).ended
    expect(code).toBe(0)
    const { matching } = JSON.parse(stdout) as Findings
    expect(matching.map(({ vendor }) => vendor)).toEqual(['stripe', 'twilio', 'resend'])
    for (const { operations, routes, knownNs, unknownNs, typical } of matching) {
      expect(routes).toBeGreaterThanOrEqual(operations)
      expect(operations).toBeGreaterThan(100)
      expect(Math.min(knownNs, unknownNs, ...typical.map(({ explainNs }) => explainNs))).toBeGreaterThan(0)
    }
    expect(matchingTable(matching)).toContain('twilio')
  })

  test('what it does not understand it refuses before it measures anything', async () => {
    for (const args of [
      ['sprint'],
      ['--layouts', 'sideways'],
      ['--rounds', '0'],
      ['--rows', '9,3'],
      ['--date', 'now'],
    ]) {
      const { code, stdout, stderr } = await new Child([built('bench/index.js'), ...args]).ended
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
      expect(stderr).toContain('npm run bench')
    }
  })
})

describe('its arithmetic', () => {
  const run = (perSecond: number): Run => ({
    replies: 1,
    perSecond,
    p50Us: 1,
    p99Us: 1,
    cpuPer10k: null,
    answered: 1,
    fromUs: 0,
    toUs: 1,
  })
  const series = [
    { name: 'spendgate', version: '', many: [run(50), run(400), run(90)], one: [], rss: null },
    { name: 'hono', version: '', many: [run(100), run(200), run(100)], one: [], rss: null },
  ] as const

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

  test('a profile counts a function’s own time once, and a caller’s with it, inside the window only', () => {
    const frame = (functionName: string) => ({ functionName, url: '', lineNumber: 0 })
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
})
