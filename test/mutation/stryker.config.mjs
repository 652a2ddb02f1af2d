import { cpus } from 'node:os'
import { join } from 'node:path'
import { chosen, REPORTS } from './groups.mjs'

const { name, mutate } = chosen()

export default {
  mutate,
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner', './test/mutation/plugins.mjs'],
  vitest: { configFile: 'test/mutation/vitest.config.mjs', related: false },
  coverageAnalysis: 'perTest',
  ignorers: ['texts'],
  // Stryker rewrites the compiler's configuration through an interface that TypeScript 7 does not have (9.6.1,
  // 2026-11), and crashes. Vitest strips the types by itself: no file of this name, nothing to rewrite.
  tsconfigFile: 'none.json',
  disableTypeChecks: false,
  concurrency: Number(process.env.SPENDGATE_MUTATION_CONCURRENCY ?? Math.min(2, cpus().length)),
  // A mutant that loops is stopped by the count of its steps. The clock is the second net, wide enough for a busy machine.
  timeoutMS: 15_000,
  timeoutFactor: 4,
  // With --reuse only what lived is tried again: quick while tests are being written. That a killing test says something
  // else under its old name is not seen then, so a score to be trusted is made without.
  incremental: true,
  force: process.env.SPENDGATE_MUTATION_REUSE === undefined,
  incrementalFile: join(REPORTS, `${name}.incremental.json`),
  // The copy that is mutated: what the tests read and nothing else, with the packages linked in.
  tempDirName: process.env.SPENDGATE_MUTATION_SANDBOX,
  ignorePatterns: [
    '/*',
    '!/package.json',
    '!/src',
    '!/policies',
    '!/vendors',
    '!/test',
    '!/fixtures',
    '/fixtures/clients',
  ],
  reporters: ['json', 'progress-append-only', 'survivors'],
  jsonReporter: { fileName: join(REPORTS, `${name}.json`) },
  thresholds: { high: 95, low: 90, break: 90 },
  warnings: { slow: false },
}
