import type Database from 'better-sqlite3'
import type { Writer } from '../../src/ledger/commit-thread.js'
import type { Script } from '../../src/ledger/recording.js'
import type { Disk } from './disk.js'

/**
 * What runs recorded transactions in a schedule: on the connection of the one that decides, since nothing else runs in
 * between, and after a time in which everything else may happen. Without an answer when the process ends in it.
 */
export class SimulatedThread implements Writer {
  readonly ready = Promise.resolve()
  readonly #db: Database.Database
  readonly #statements = new Map<number, Database.Statement>()
  readonly #disk: Disk
  #runs = 0

  constructor(db: Database.Database, disk: Disk) {
    this.#db = db
    this.#disk = disk
  }

  run(script: Script): Promise<void> {
    const decided = { wall: Date.now(), monotonic: performance.now() }
    return new Promise((resolve, reject) => {
      setTimeout(
        () => {
          this.#disk.decided = decided
          try {
            this.#play(script)
            resolve()
          } catch (cause) {
            if (this.#db.inTransaction) this.#db.exec('rollback')
            reject(cause as Error)
          } finally {
            this.#disk.decided = null
          }
        },
        DELAYS_MS[this.#runs++ % DELAYS_MS.length],
      )
    })
  }

  async close(): Promise<void> {}

  #play({ texts, steps }: Script): void {
    for (const [number, sql] of texts) this.#statements.set(number, this.#db.prepare(sql))
    for (let i = 0; i < steps.length;) {
      const end = i + 2 + (steps[i + 1] as number)
      this.#statements.get(steps[i] as number)!.run(...steps.slice(i + 2, end))
      i = end
    }
  }
}

/** An fsync, as disks have them. */
const DELAYS_MS = [0, 1, 0, 8, 0, 2, 0, 0, 40] as const
