import type Database from 'better-sqlite3'
import { GENESIS, link } from './chain.js'

/** The end of the chain: entries are added to it inside the ledger's transaction. */
export class Journal {
  readonly #insert: Database.Statement
  readonly #last: Database.Statement
  #next = 1
  #head = GENESIS

  constructor(db: Database.Database) {
    this.#insert = db.prepare(
      'insert into entries (seq, at, kind, call_seq, amount, detail, hash) values (?, ?, ?, ?, ?, ?, ?)',
    )
    this.#last = db.prepare('select seq, hash from entries order by seq desc limit 1')
    this.reread()
  }

  /** Goes on from the last entry there is. */
  reread(): void {
    const last = this.#last.get() as { seq: number; hash: string } | undefined
    this.#next = (last?.seq ?? 0) + 1
    this.#head = last?.hash ?? GENESIS
  }

  lastInFile(): number {
    return (this.#last.get() as { seq: number } | undefined)?.seq ?? 0
  }

  /** The last entry's number and hash; 0 and GENESIS when there is none. */
  get end(): { readonly seq: number; readonly hash: string } {
    return { seq: this.#next - 1, hash: this.#head }
  }

  add(at: number, kind: string, seq: number | null, amount: bigint, detail: string): void {
    const entry = { seq: this.#next++, at, kind, callSeq: seq, amount, detail }
    this.#head = link(this.#head, entry)
    this.#insert.run(entry.seq, at, kind, seq, amount, detail, this.#head)
  }

  /** Where the chain ends now; the result takes it back there after a rollback. */
  mark(): () => void {
    const [next, head] = [this.#next, this.#head]
    return () => {
      this.#next = next
      this.#head = head
    }
  }
}
