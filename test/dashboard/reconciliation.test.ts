import { expect, test } from 'vitest'
import type { AdminDeps } from '../../src/admin/deps.js'
import { LedgerFault } from '../../src/contracts/ledger.js'
import { AskedRuns } from '../../src/dashboard/reconciliation.js'
import type { Report } from '../../src/reconcile/index.js'

/* Reconciliations that an operator asks for by a click, and by another one. */

const REPORT: Report = {
  checked: 3,
  settled: 1,
  released: 1,
  stillAssumed: 1,
  priced: 0,
  calls: [],
  unexplained: [],
  explainedPercent: '100',
  faults: [],
}

function asking(run: () => Promise<Report | null>): { readonly runs: AskedRuns; readonly faults: unknown[] } {
  const faults: unknown[] = []
  const reconciler = { run, progress: () => ({ running: false, done: 0 }) }
  return {
    runs: new AskedRuns({ reconciler, onFault: (fault: unknown) => faults.push(fault) } as unknown as AdminDeps),
    faults,
  }
}

test('a second click joins the run of the first, and the next one after its end begins another', async () => {
  const ends: ((report: Report) => void)[] = []
  const { runs } = asking(() => new Promise((resolve) => ends.push(resolve)))
  const both = [runs.run(), runs.run()]
  expect([ends.length, runs.running]).toEqual([1, true])
  ends[0]!(REPORT)
  expect(new Set(await Promise.all(both))).toEqual(
    new Set(['The vendors were asked about 3 calls: 1 settled, 1 released, 1 still assumed.']),
  )
  expect(runs.running).toBe(false)
  void runs.run()
  expect(ends.length).toBe(2)
})

test('while another node reconciles nothing is begun here', async () => {
  expect(await asking(async () => null).runs.run()).toBe(
    'Another node reconciles at present. Ask again when it is done.',
  )
})

test.each([
  [new LedgerFault('disk full at /data'), /^The ledger could not do this\./],
  [new Error('cannot read property x of undefined'), /^This is a fault of spendgate\./],
])('a run that fails is a sentence without its inner words', async (fault, sentence) => {
  const { runs, faults } = asking(() => Promise.reject(fault))
  const said = await runs.run()
  expect(said).toMatch(sentence)
  expect(said).toMatch(/What was found before is booked\. See the server log\.$/)
  expect(said).not.toContain(fault.message)
  expect(faults).toEqual([fault])
  expect(runs.running).toBe(false)
})
