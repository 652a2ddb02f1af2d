import { defineConfig } from 'vitest/config'

/**
 * Tests of a server over its sockets, which leave nothing behind in their process: they share one with what it has
 * loaded, and spare it loading the server anew for every file (half of the processor time of `test/attacks`, 2026-11).
 * One of them takes every file descriptor of its process, and has its own.
 */
const SHARING = 'test/{admin,attacks,pipeline,policies,reconcile,vendors}/**/!(secret-ref-programs).test.ts'

const each = { pool: 'forks', testTimeout: 30_000, hookTimeout: 30_000 } as const

export default defineConfig({
  test: {
    // One more than processors: a fifth of the time two of them wait, for disks, servers and clocks (2 cores, 2026-11).
    maxWorkers: 3,
    globalSetup: './test/helpers/before.ts',
    reporters: ['default', './test/helpers/closing-line.ts'],
    projects: [
      { test: { ...each, name: 'sharing', include: [SHARING], isolate: false } },
      { test: { ...each, name: 'alone', include: ['test/**/*.test.ts'], exclude: [SHARING] } },
    ],
  },
})
