import type Database from 'better-sqlite3'
import { GENESIS } from './chain.js'
import { checkpointOf, PUBLIC_KEYS_SETTING, signedBy, type CheckpointRow } from './checkpoints.js'
import type { Start } from './replay.js'

/** Holds checkpoints against the chain while it is followed. Part of `verify`. */
export class CheckpointProof {
  readonly #rows: Iterator<CheckpointRow>
  readonly #keys: Readonly<Record<string, string>>
  readonly #fault: (text: string) => void
  readonly #start: Start
  #next: CheckpointRow | null
  #before = 0

  constructor(db: Database.Database, start: Start, fault: (text: string) => void) {
    this.#keys = publicKeys(db)
    this.#fault = fault
    this.#start = start
    this.#rows = db.prepare('select * from checkpoints order by seq').iterate() as IterableIterator<CheckpointRow>
    this.#next = this.#step()
    // The one that signs what was pruned last says what the first entry follows.
    if (start.seq > 0) this.follow(start.seq, start.hash)
  }

  /** An entry and its hash, in order. */
  follow(seq: number, hash: string): void {
    while (this.#next !== null && this.#next.seq < seq) this.#miss(this.#next)
    if (this.#next === null || this.#next.seq !== seq) return
    const row = this.#next
    if (!signedBy(this.#keys[row.key_id] ?? '', checkpointOf(row)))
      this.#fault(`The checkpoint at entry ${seq} does not bear the signature of this ledger's key.`)
    else if (row.head !== hash)
      this.#fault(`Entry ${seq} is not the one that was signed at ${instant(row.at)}: history was rewritten.`)
    // What was pruned is no longer counted.
    if (seq !== this.#start.seq && row.entries !== seq - this.#before)
      this.#fault(`A checkpoint between entries ${this.#before} and ${seq} is missing.`)
    this.#before = seq
    this.#next = this.#step()
  }

  /** Once the last entry was followed. */
  close(end: Start): void {
    while (this.#next !== null) {
      if (this.#next.seq > end.seq)
        this.#fault(
          `Entries ${end.seq + 1} to ${this.#next.seq} are missing: they were signed at ${instant(this.#next.at)}.`,
        )
      this.#miss(this.#next)
    }
  }

  #miss(row: CheckpointRow): void {
    if (!signedBy(this.#keys[row.key_id] ?? '', checkpointOf(row)))
      this.#fault(`The checkpoint at entry ${row.seq} does not bear the signature of this ledger's key.`)
    this.#before = row.seq
    this.#next = this.#step()
  }

  #step(): CheckpointRow | null {
    const { done, value } = this.#rows.next()
    return done === true ? null : value
  }
}

/** By key id. What else stands in the row is found by the proof of settings. */
function publicKeys(db: Database.Database): Readonly<Record<string, string>> {
  const value = db.prepare('select value from settings where name = ?').pluck().get(PUBLIC_KEYS_SETTING)
  try {
    const keys: unknown = JSON.parse((value as string | undefined) ?? '{}')
    return typeof keys === 'object' && keys !== null ? (keys as Record<string, string>) : {}
  } catch {
    return {}
  }
}

/** After which entry the chain of this ledger begins: the last one that was pruned. */
export function startOf(db: Database.Database): Start {
  const seq = db.prepare(`select seq from marks where name = 'pruned'`).pluck().get() as number | undefined
  if (seq === undefined) return { seq: 0, hash: GENESIS }
  const head = db.prepare('select head from checkpoints where seq = ?').pluck().get(seq) as string | undefined
  return { seq, hash: head ?? GENESIS }
}

const instant = (ms: number): string => new Date(ms).toISOString()
