import type Database from 'better-sqlite3'
import { IDEMPOTENCY_MS, type Traces, type WriteName } from '../book.js'
import type { OpenCall } from '../open-calls.js'
import { Recent } from '../recent.js'

/**
 * What came before, on every node. Idempotency keys of the last day are in memory, those of other nodes among them: each
 * time the book is locked, the new ones are read. The rest is among the rows that were fetched for the call.
 */
export class SharedTraces implements Traces {
  readonly underWay: (call: OpenCall) => void
  readonly #keys: Recent
  readonly #write: Database.Statement
  readonly #rate: Database.Statement
  readonly #hit: Database.Statement
  #seen = 0

  constructor(db: Database.Database, nowMs: number, underWay: (call: OpenCall) => void) {
    this.underWay = underWay
    this.#keys = new Recent(IDEMPOTENCY_MS, nowMs)
    this.#write = db
      .prepare(
        `select seq from calls where root_id = ? and run = ? and request_hash = ? and effect <> 'read' and replay_of is null
           and state not in ('denied', 'released') order by seq desc limit 1`,
      )
      .pluck()
    this.#rate = db.prepare('select at, hits from rate_hits where key_id = ? and at > ? order by at')
    this.#hit = db.prepare(
      'insert into rate_hits (key_id, at, hits) values (?, ?, 1) on conflict do update set hits = hits + 1',
    )
  }

  /** The last call whose idempotency key is known to stand in the book. */
  get seen(): number {
    return this.#seen
  }

  /** Keys of calls up to this one are known, or too old to count. */
  skipTo(seq: number): void {
    this.#seen = Math.max(this.#seen, seq)
  }

  /** The book has it. */
  hear(hash: string, seq: number, nowMs: number): void {
    this.#keys.put(hash, seq, nowMs)
    if (seq > this.#seen) this.#seen = seq
  }

  key = (hash: string): number | null => this.#keys.find(hash)
  // Not heard yet: the transaction may be taken back, and another node's call may get this number.
  putKey = (hash: string, seq: number, nowMs: number): void => this.#keys.put(hash, seq, nowMs)

  write = ({ root_id, run, request_hash }: WriteName): number | null =>
    (this.#write.get(root_id, run, request_hash) as number | undefined) ?? null
  /** The row itself tells. */
  putWrite(): void {}

  rate(key: string, since: number): number[] {
    const rows = this.#rate.all(key, since) as { at: number; hits: number }[]
    return rows.flatMap(({ at, hits }) => new Array<number>(hits).fill(at))
  }
  putRate = (key: string, nowMs: number): void => void this.#hit.run(key, nowMs)
}
