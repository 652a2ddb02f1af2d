import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with one line that any program can read: `spendgate: 12 passed, 0 failed, 1 skipped`. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 }
    for (const module of modules) {
      let tests = 0
      for (const test of module.children.allTests()) {
        tests++
        const { state } = test.result()
        if (state !== 'pending') counts[state]++
      }
      // A file that does not even load has no tests, and is a failure all the same.
      if (module.state() === 'failed' && tests === 0) counts.failed++
    }
    process.stdout.write(`\nspendgate: ${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
  }
}
