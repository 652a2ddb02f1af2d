import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: './test/helpers/before.ts',
    pool: 'forks',
    // One more than processors: a fifth of the time two of them wait, for disks, servers and clocks (2 cores, 2026-11).
    maxWorkers: 3,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    reporters: ['default', './test/helpers/closing-line.ts'],
  },
})
