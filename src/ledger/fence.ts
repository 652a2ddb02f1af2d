import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** How far the ledger had come when this was written. */
export interface FenceNote {
  /** The last entry and its hash. The ledger holds at least this; it may hold more. */
  readonly entries: number
  readonly hash: string
  /** How often the file was opened by a server. */
  readonly boots: number
  /**
   * - `open`: a server has it, or ended without saying so.
   * - `closed`: the last server wrote everything and closed the file.
   * - `unsure`: the disk failed under it.
   * - `restoring`: a restore is being put in its place, or was killed there.
   */
  readonly state: 'open' | 'closed' | 'unsure' | 'restoring'
  /** Which start of the machine it was written in; null where the system does not say. */
  readonly machineStart: string | null
  /** The file as its server closed it: bytes, and the instant of its last change. Null while one has it. */
  readonly closed: { readonly bytes: number; readonly changedAt: number } | null
}

/**
 * A small file beside the database that says how far it had come. A database that is older than its fence was copied
 * back from somewhere: what it admitted since then is forgotten, and money must wait for a person.
 *
 * Written whole under another name and renamed. Only at start and stop is it forced to disk; in between, what a power
 * cut leaves of it may be older than the database, which merely makes it less sharp.
 */
export class Fence {
  readonly #file: string
  #writing: Promise<void> = Promise.resolve()

  constructor(database: string) {
    this.#file = fenceFile(database)
  }

  /** Null when there is none, or when it cannot be read: then nothing is known, and nothing is claimed. */
  read(): FenceNote | null {
    try {
      return noteIn(readFileSync(this.#file, 'utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  /** On disk when it returns. */
  write(note: FenceNote): void {
    const next = `${this.#file}.next`
    const descriptor = openSync(next, 'w', 0o600)
    try {
      writeFileSync(descriptor, JSON.stringify(note))
      fsyncSync(descriptor)
    } finally {
      closeSync(descriptor)
    }
    renameSync(next, this.#file)
    settle(dirname(this.#file))
  }

  /** Beside the calls: one write at a time, away from the thread that admits. */
  advance(note: FenceNote): Promise<void> {
    const next = `${this.#file}.later`
    this.#writing = this.#writing
      .then(() => writeFile(next, JSON.stringify(note), { mode: 0o600 }))
      .then(() => rename(next, this.#file))
    const written = this.#writing
    this.#writing = this.#writing.catch(() => undefined)
    return written
  }

  /** Resolves when no write is under way. */
  idle(): Promise<void> {
    return this.#writing
  }
}

export const fenceFile = (database: string): string => `${database}.fence`

/** A renamed file has its new name after a power cut only when its directory is on disk too. */
export function settle(directory: string): void {
  const descriptor = openSync(directory, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

const STATES: readonly unknown[] = ['open', 'closed', 'unsure', 'restoring']

function noteIn(text: string): FenceNote | null {
  let found: Partial<FenceNote> | null
  try {
    found = JSON.parse(text) as Partial<FenceNote> | null
  } catch {
    return null // Half a file, from a power cut.
  }
  const { entries, hash, boots, state, machineStart: start, closed = null } = found ?? {}
  const whole =
    Number.isSafeInteger(entries) &&
    Number.isSafeInteger(boots) &&
    /^[0-9a-f]{64}$/.test(String(hash)) &&
    STATES.includes(state) &&
    (start === null || typeof start === 'string') &&
    (closed === null || (typeof closed.bytes === 'number' && typeof closed.changedAt === 'number'))
  return whole ? ({ entries, hash, boots, state, machineStart: start, closed } as FenceNote) : null
}
