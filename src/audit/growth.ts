import { statSync } from 'node:fs'
import type { Clock } from '../contracts/clock.js'
import type { Ledger } from '../contracts/ledger.js'
import { fileSystemOf, type StatFs } from '../ledger/file-system.js'
import type { Log } from '../log.js'

const DAY_MS = 86_400_000
const GIB = 1024 ** 3
/** Below one of these the operator is told, while there is time to do something. */
const DAYS_LEAST = 30
const FREE_LEAST = GIB
/** How often it is looked at, and how much of a ledger's life there must be to speak of its growth. */
const LOOK_MS = 3_600_000
const AGE_LEAST_MS = LOOK_MS

export interface GrowthParts {
  readonly ledger: Pick<Ledger, 'entries' | 'lastEntry'>
  /** The ledger's files; those that are not there count nothing. */
  readonly files: readonly string[]
  readonly directory: string
  readonly clock: Clock
  readonly log: Log
  readonly statfs?: StatFs
}

/** What the ledger takes of the disk, and for how long the rest is enough if it grows as it did on the last day. */
export class Growth {
  readonly #parts: GrowthParts
  #timer: NodeJS.Timeout | null = null
  #bytes = 0
  #daysLeft: number | null = null
  #warning: string | null = null

  constructor(parts: GrowthParts) {
    this.#parts = parts
  }

  start(): void {
    void this.look()
    this.#timer = setInterval(() => void this.look(), LOOK_MS)
    this.#timer.unref()
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  /** A sentence when there is not much room left; null otherwise. */
  get warning(): string | null {
    return this.#warning
  }

  gauges(): Readonly<Record<string, number>> {
    return {
      spendgate_ledger_bytes: this.#bytes,
      ...(this.#daysLeft === null ? {} : { spendgate_ledger_days_left: this.#daysLeft }),
    }
  }

  async look(): Promise<void> {
    const { files, directory, statfs, log } = this.#parts
    try {
      this.#bytes = files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
      const { freeBytes } = fileSystemOf(directory, statfs)
      const perDay = await this.#perDay()
      this.#daysLeft = perDay === null || perDay === 0 ? null : Math.floor(freeBytes / perDay)
      this.#warning = warningOf(freeBytes, this.#daysLeft)
      if (this.#warning !== null)
        log('warn', 'disk_little_room', { message: this.#warning, free_bytes: freeBytes, days_left: this.#daysLeft })
    } catch (fault) {
      // The ledger itself says what is wrong with it; here it is only asked.
      log('warn', 'disk_not_seen', { message: (fault as Error).message })
    }
  }

  /** Bytes the ledger grew by on the last day, from how many of its entries are that young; null while it is too young itself. */
  async #perDay(): Promise<number | null> {
    const { ledger, clock } = this.#parts
    const [first] = await ledger.entries(0, 1)
    if (first === undefined) return null
    const ageMs = clock.now() - first.at
    if (ageMs < AGE_LEAST_MS) return null
    const all = ledger.lastEntry() - first.seq + 1
    const spanMs = Math.min(ageMs, DAY_MS)
    const young = ledger.lastEntry() - (await this.#before(clock.now() - spanMs, first.seq))
    return ((this.#bytes / all) * young * DAY_MS) / spanMs
  }

  /** The last entry before an instant, by halving: an index over time would cost every call. */
  async #before(at: number, first: number): Promise<number> {
    let low = first - 1
    let high = this.#parts.ledger.lastEntry()
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      const [entry] = await this.#parts.ledger.entries(middle - 1, 1)
      if (entry !== undefined && entry.at < at) low = middle
      else high = middle - 1
    }
    return low
  }
}

/** Anyone may read this: it names no file. */
function warningOf(freeBytes: number, daysLeft: number | null): string | null {
  if (daysLeft !== null && daysLeft < DAYS_LEAST)
    return `The disk of the ledger has room for ${daysLeft} ${daysLeft === 1 ? 'day' : 'days'} at its growth of the last day. Make room, or prune history.`
  if (freeBytes < FREE_LEAST)
    return `The disk of the ledger has ${Math.floor(freeBytes / 1024 ** 2)} MiB left. Make room, or prune history.`
  return null
}
