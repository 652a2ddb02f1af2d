import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { contentionSection, costsIn, withContention, type Contention } from '../../bench/contention.js'
import { lineThrough, simulate, type Costs, type World } from '../../bench/contention-model.js'
import { built } from '../helpers/process.js'
import { postgresMissing } from '../helpers/postgres.js'

if (postgresMissing !== null) process.stderr.write(`skipped, test/ledger/postgres-contention: ${postgresMissing}\n`)

const COSTS: Costs = {
  node: { still: { base: 100, perCall: 200 }, moved: { base: 400, perCall: 400 } },
  database: { still: { base: 300, perCall: 80 }, moved: { base: 900, perCall: 120 } },
}
const ALONE: World = {
  nodes: 1,
  callers: 1,
  partitions: 1,
  cores: 2,
  together: false,
  roundTripUs: 100,
  fsyncUs: 200,
}

describe('the model of nodes that contend', () => {
  test('one caller on one node waits for each part of a call, one after the other', () => {
    const callUs = 100 + 200 + 300 + 80 + 100 + 200
    const { admitsPerSecond, p50Ms, callsPerCommit } = simulate(ALONE, COSTS)
    expect(admitsPerSecond).toBeGreaterThan(0.99 * (1e6 / callUs))
    expect(admitsPerSecond).toBeLessThan(1.01 * (1e6 / callUs))
    expect(p50Ms).toBeCloseTo(callUs / 1000, 6)
    expect(callsPerCommit).toBe(1)
  })

  test('callers share a commit, and no caller is lost', () => {
    const { admitsPerSecond, callsPerCommit } = simulate({ ...ALONE, callers: 64 }, COSTS)
    expect(callsPerCommit).toBeGreaterThan(60)
    expect(admitsPerSecond).toBeGreaterThan(3 * simulate(ALONE, COSTS).admitsPerSecond)
  })

  test('a node that takes turns with another is slower, with books of their own they are not', () => {
    const one = simulate({ ...ALONE, callers: 64 }, COSTS).admitsPerSecond
    const two = simulate({ ...ALONE, nodes: 2, callers: 128 }, COSTS).admitsPerSecond
    const many = { ...ALONE, nodes: 4, callers: 256, cores: 32 }
    const oneBook = simulate(many, COSTS).admitsPerSecond
    const books = simulate({ ...many, partitions: 16 }, COSTS).admitsPerSecond
    expect(two).toBeLessThan(one)
    expect(books).toBeGreaterThan(2.5 * oneBook)
    // No node can do more than its thread.
    expect(books).toBeLessThan((4 * 1e6) / 200)
  })

  test('never promises more than its processors could do, and says the same each time', () => {
    const world = fc.record({
      nodes: fc.integer({ min: 1, max: 8 }),
      callers: fc.integer({ min: 8, max: 200 }),
      partitions: fc.integer({ min: 1, max: 8 }),
      cores: fc.integer({ min: 1, max: 4 }),
      together: fc.boolean(),
      roundTripUs: fc.constantFrom(0, 100, 1_000),
      fsyncUs: fc.constantFrom(0, 500, 5_000),
    })
    fc.assert(
      fc.property(world, (each) => {
        const said = simulate(each, COSTS)
        expect(simulate(each, COSTS)).toEqual(said)
        const perCallUs = 80 + (each.together ? 200 : 0)
        expect(said.admitsPerSecond).toBeLessThanOrEqual((each.cores * 1e6 * 1.02) / perCallUs)
        expect(said.admitsPerSecond).toBeGreaterThan(0)
      }),
      { numRuns: 15 },
    )
  }, 60_000)

  test('takes its costs from batches of several sizes', () => {
    const line = lineThrough([1, 10, 100].map((calls) => ({ calls, us: 50 + 7 * calls })))
    expect(line.base).toBeCloseTo(50, 6)
    expect(line.perCall).toBeCloseTo(7, 6)
    expect(lineThrough([{ calls: 10, us: 70 }])).toEqual({ base: 0, perCall: 7 })
  })
})

const run = (nodes: number, callers: number, callsPerCommit: number): Contention['runs'][number] => ({
  nodes,
  keys: 1,
  callers,
  admitsPerSecond: 1_000,
  p50Ms: 1,
  p99Ms: 2,
  nodeUs: 300,
  databaseUs: nodes * 100,
  callsPerCommit,
})
const MEASURED: Contention = {
  runs: [run(1, 8, 8), run(1, 64, 60), run(2, 8, 4), run(2, 64, 25)],
  fsyncUs: 200,
  loadBefore: 0.1,
  version: '15',
}

describe('the page on several nodes', () => {
  test('has its figures replaced, and nothing else', () => {
    const page = '# Several nodes\n\n## How far one PostgreSQL carries\n\nold\n\n## Failover\n\nstays\n'
    const written = withContention(page, contentionSection(MEASURED, 'here'))
    expect(written).toMatch(/^# Several nodes\n\n## How far one PostgreSQL carries\n\nMeasured by/)
    expect(written).toMatch(/\n\n## Failover\n\nstays\n$/)
    expect(written).not.toContain('old\n')
    expect(written.match(/^## /gm)).toHaveLength(2)
    expect(() => withContention('# Other\n', 'x')).toThrow('has no section')
  })

  test('has no model where the system does not tell of CPU time', () => {
    const blind: Contention = { ...MEASURED, runs: MEASURED.runs.map((each) => ({ ...each, nodeUs: null })) }
    expect(costsIn(blind)).toBeNull()
    expect(contentionSection(blind, 'here')).toContain('so there is no model of this run')
  })
})

test.runIf(postgresMissing === null)(
  'nodes of the bench, as built, contend on one database',
  async () => {
    const { measureContention } = (await import(
      built('bench/contention.js')
    )) as typeof import('../../bench/contention.js')
    const said: string[] = []
    const settings = [{ nodes: 2, keys: 2, callers: 8 }]
    const { runs, fsyncUs } = await measureContention({ rounds: 1, windowMs: 500, settings }, (text) => said.push(text))
    expect(said).toHaveLength(1)
    expect(fsyncUs).toBeGreaterThan(0)
    expect(runs).toMatchObject([{ nodes: 2, keys: 2, callers: 8 }])
    for (const { admitsPerSecond, p99Ms, callsPerCommit } of runs)
      expect(Math.min(admitsPerSecond, p99Ms, callsPerCommit)).toBeGreaterThan(0)
  },
  60_000,
)
