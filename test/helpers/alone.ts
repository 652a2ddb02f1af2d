import { mkdirSync, rmdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const STALE_MS = 300_000
const pause = new Int32Array(new SharedArrayBuffer(4))

/** Does a piece of work in one test process at a time; others wait. A lock left behind by a killed run is broken after five minutes. */
export function alone<T>(name: string, work: () => T): T {
  const lock = join(tmpdir(), `spendgate-test-${name}.lock`)
  for (;;) {
    try {
      mkdirSync(lock)
      break
    } catch {
      if (ageOf(lock) > STALE_MS) remove(lock)
      else Atomics.wait(pause, 0, 0, 100)
    }
  }
  try {
    return work()
  } finally {
    remove(lock)
  }
}

function ageOf(path: string): number {
  try {
    return performance.timeOrigin + performance.now() - statSync(path).mtimeMs
  } catch {
    return 0 // Its owner has just let go of it.
  }
}

function remove(path: string): void {
  try {
    rmdirSync(path)
  } catch {
    // Somebody else was quicker.
  }
}
