import { describe, expect, test } from 'vitest'
import { matchingTable } from '../../bench/catalogue.js'
import { page, type Findings } from '../../bench/document.js'
import { goals } from '../../bench/goals.js'
import { stepsTable } from '../../bench/latency.js'
import { entrant } from '../../bench/lineup.js'
import { sharesTable } from '../../bench/profile.js'
import { figures, growthPlot, growthTable, readsTable, targetTable } from '../../bench/report.js'
import { workersTable } from '../../bench/workers.js'
import { built, Child, type Ended } from '../helpers/process.js'

const LONG = 180_000
const bench = (...args: readonly string[]): Promise<Ended> => new Child([built('bench/index.js'), ...args]).ended

describe('the bench, as built, for a moment', () => {
  test(
    'every target answers, and every governed call left a row in a book that is sound',
    { timeout: LONG },
    async () => {
      const { code, stdout, stderr } = await bench('check', '--json')
      expect(stderr).not.toContain('Error')
      expect(code).toBe(0)
      const findings = JSON.parse(stdout) as Findings
      expect(findings.comparisons).toHaveLength(1)
      const [comparison] = findings.comparisons
      const { series, books, absent, durability } = comparison!

      const measured = series.map(({ name }) => name)
      const without = absent.map(({ name }) => name)
      expect(measured).toEqual(
        expect.arrayContaining(['direct', 'raw', 'hono', 'hono-fetch', 'hono-proxy', 'spendgate', 'spendgate-off']),
      )
      for (const name of ['nginx', 'haproxy', 'fastify', 'spendgate-slow'] as const)
        expect({ name, known: measured.includes(name) !== without.includes(name) }).toEqual({ name, known: true })
      for (const { why } of absent) expect(why).toMatch(/\.$/)
      for (const { many, one } of series) {
        // Not the replies within the window: a starved machine may give none in a moment so short.
        for (const run of [...many, ...one]) expect(run.answered).toBeGreaterThan(0)
      }
      expect(durability[0]!.fsyncUs).toBeGreaterThan(0)

      expect(books[0]!.name).toBe('spendgate')
      for (const { answered, book, checked } of books) {
        expect(answered).toBeGreaterThan(0)
        expect(book).toEqual({ calls: answered, denied: 0, settledUsd: `${answered}.00`, heldUsd: '0.00', faults: [] })
        expect(checked).toMatchObject({ code: 0 })
      }
      expect(targetTable(comparison!)).toContain('spendgate')
      expect(figures(comparison!).length).toBeGreaterThan(0)
      expect(goals(findings).find(({ name }) => name === 'rows-of-requests')).toMatchObject({ met: true })
      const written = page(findings, '.')
      expect(written.match(/^# .+$/gm)).toEqual(['# Performance'])
      expect(written).toContain('## Goals')
      for (const { name } of absent) expect(written).toContain(`Not in this run: ${entrant(name).label.split(' ')[0]}`)
    },
  )

  test('a call is seen in all its steps, and the processor in all its parts', { timeout: LONG }, async () => {
    const { code, stdout } = await bench('latency', '--quick', '--window-ms', '150', '--connections', '8', '--json')
    expect(code).toBe(0)
    const { steps, shares } = JSON.parse(stdout) as Findings
    expect(steps!.steps.length).toBeGreaterThanOrEqual(13)
    expect(steps!.steps.filter(({ waits }) => waits).length).toBe(2)
    for (const { us } of steps!.steps) expect(us).toBeGreaterThanOrEqual(0)
    expect(stepsTable(steps!)).toContain('fsync')
    expect(shares!.groups.reduce((sum, { percent }) => sum + percent, 0)).toBeCloseTo(100)
    expect(shares!.groups.find(({ group }) => group === 'ledger')!.us).toBeGreaterThan(0)
    expect(sharesTable(shares!)).toContain('vendor client')
  })

  test('the ledger is measured at each size it was filled to', { timeout: LONG }, async () => {
    const { code, stdout } = await bench('growth', '--quick', '--json', '--rows', '200,2000')
    expect(code).toBe(0)
    const { growth } = JSON.parse(stdout) as Findings
    expect(growth.map(({ rows }) => rows)).toEqual([200, 2000])
    for (const { batchUs, aloneUs, capUs, lookUpUs, spendByDayUs, rowsAfter, rows } of growth) {
      expect(Math.min(batchUs, aloneUs, capUs, lookUpUs, spendByDayUs)).toBeGreaterThan(0)
      expect(rowsAfter).toBeGreaterThan(rows)
    }
    expect(growthTable(growth)).toContain('2,000')
    expect(readsTable(growth)).toContain('2,000')
    expect(growthPlot(growth)).toContain('cap check')
  })

  test('one server is held against two that share nothing', { timeout: LONG }, async () => {
    const { code, stdout } = await bench('workers', '--quick', '--window-ms', '150', '--connections', '8', '--json')
    expect(code).toBe(0)
    const { doubled } = JSON.parse(stdout) as Findings
    expect(doubled.map(({ name }) => name)).toEqual(['spendgate', 'spendgate-off', 'hono', 'raw'])
    for (const { onePerSecond, twoPerSecond } of doubled)
      expect(Math.min(onePerSecond, twoPerSecond)).toBeGreaterThanOrEqual(0)
    expect(workersTable(doubled)).toContain('two ÷ one')
  })

  test('every route of every vendor is found, and what a typical call means is worked out', async () => {
    const { code, stdout } = await bench('catalogue', '--quick', '--json')
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
      ['--targets', 'squid'],
      ['--date', 'now'],
    ]) {
      const { code, stdout, stderr } = await bench(...args)
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' })
      expect(stderr).toContain('npm run bench')
    }
  })
})
