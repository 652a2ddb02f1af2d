import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { packageRoot } from '../src/package-root.js'
import type { Durability } from './fsync.js'
import { Part } from './part.js'

/** How much longer every fsync of a process takes that runs on the slow disk. */
export const SLOWER_US = 2_000

export interface SlowDisk {
  /** What a process must be started with. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * A library that delays fsync, compiled by the C compiler of this machine.
 *
 * @returns a sentence on why there is none
 */
export async function slowDisk(directory: string): Promise<SlowDisk | string> {
  if (process.platform !== 'linux') return 'a slow disk is played by LD_PRELOAD, which is Linux only.'
  const library = join(directory, 'slow-fsync.so')
  const source = join(packageRoot(), 'bench', 'slow-fsync.c')
  const { status, stderr, error } = spawnSync('cc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl'], {
    encoding: 'utf8',
  })
  if (error !== undefined) return 'there is no C compiler «cc» here to make it with.'
  if (status !== 0) return `it could not be compiled: ${stderr.trim().slice(0, 200)}`
  const env = { LD_PRELOAD: library, SLOW_FSYNC_US: String(SLOWER_US) }
  const disk = await Part.start<null, { times: number }, Durability>('fsync', { directory }, null, [], env)
  try {
    // Seen, not believed: a libc that is linked in would never ask us.
    const { fsyncUs } = await disk.ask({ times: 5 })
    return fsyncUs >= SLOWER_US ? { env } : `with it an fsync still took ${Math.round(fsyncUs)} µs.`
  } finally {
    await disk.stop()
  }
}
