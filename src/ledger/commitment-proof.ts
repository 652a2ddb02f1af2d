import type Database from 'better-sqlite3'
import { callId } from './ids.js'

/** A row of `commitments` as entries make it. */
interface Proved {
  kind: string
  per_month: string
  due_at: number | null
  quantity: string | null
  credential: string | null
  object: string | null
  standing: boolean
  counted: bigint
  counters: number[]
}

/** Follows what entries say of commitments, and holds the table against it. Part of `verify`. */
export class CommitmentProof {
  readonly #rows = new Map<number, Proved>()
  readonly #count: (ids: readonly number[], spent: bigint, held: bigint) => void

  /** @param count adds to counters what entries count on them */
  constructor(count: (ids: readonly number[], spent: bigint, held: bigint) => void) {
    this.#count = count
  }

  /** False when the entry speaks of a commitment that none before it made. */
  follow(kind: string, seq: number, amount: bigint, detail: string): boolean {
    if (kind.startsWith('commitment.')) return this.#change(kind, seq, amount, detail)
    if (kind === 'reserved') this.#hold(seq, detail)
    else if (kind !== 'denied' && kind !== 'returned') return this.#settle(kind, seq, detail)
    return true
  }

  #hold(seq: number, detail: string): void {
    if (!detail.includes('"commits":')) return
    const commits = read<{ commits?: Omit<Proved, 'counted' | 'standing'> & { counted: string } }>(detail)?.commits
    if (commits === undefined) return
    const row = { ...commits, counted: BigInt(commits.counted), standing: false }
    this.#rows.set(seq, row)
    this.#count(row.counters, 0n, row.counted)
  }

  #settle(kind: string, seq: number, detail: string): boolean {
    if (!detail.includes('"commitment":')) return true
    const said = read<{ commitment?: { object?: string | null; counted: string; ended?: string } }>(detail)?.commitment
    if (said === undefined) return true
    const row = this.#rows.get(seq)
    if (row === undefined) return false
    const counted = BigInt(said.counted)
    this.#count(row.counters, row.standing ? counted - row.counted : counted, row.standing ? 0n : -row.counted)
    if (kind === 'released' || said.ended !== undefined) this.#rows.delete(seq)
    else Object.assign(row, { object: said.object ?? null, counted, standing: true })
    return true
  }

  #change(kind: string, seq: number, amount: bigint, detail: string): boolean {
    const row = this.#rows.get(seq)
    if (row === undefined) return false
    const said = read<{ object?: string | null; counters?: number[] }>(detail)
    if (kind === 'commitment.named') row.object = said?.object ?? null
    else if (kind === 'commitment.carried') {
      const counters = said?.counters ?? []
      row.counters = [...row.counters, ...counters]
      this.#count(counters, row.standing ? amount : 0n, row.standing ? 0n : amount)
    } else {
      this.#count(row.counters, -amount, 0n)
      if (kind === 'commitment.returned') row.counted -= amount
      else this.#rows.delete(seq)
    }
    return true
  }

  compare(db: Database.Database, fault: (text: string) => void): void {
    for (const row of db.prepare('select * from commitments').safeIntegers().iterate() as Iterable<Stored>) {
      const seq = Number(row.call_seq)
      const proved = this.#rows.get(seq)
      this.#rows.delete(seq)
      if (proved === undefined) {
        fault(`No entry says that what ${callId(seq)} committed still stands.`)
        continue
      }
      const same =
        proved.kind === row.kind &&
        proved.per_month === String(row.per_month) &&
        proved.due_at === (row.due_at === null ? null : Number(row.due_at)) &&
        proved.quantity === (row.quantity === null ? null : String(row.quantity)) &&
        proved.credential === row.credential_id &&
        proved.object === row.object &&
        proved.standing === (row.standing === 1n) &&
        proved.counted === row.counted &&
        proved.counters.join(',') === row.counters
      if (!same) fault(`What ${callId(seq)} committed is not what its entries say.`)
    }
    for (const seq of this.#rows.keys()) fault(`What ${callId(seq)} committed stands by its entries and has no row.`)
  }
}

interface Stored {
  call_seq: bigint
  credential_id: string | null
  object: string | null
  kind: string
  per_month: bigint
  due_at: bigint | null
  quantity: bigint | null
  standing: bigint
  counted: bigint
  counters: string
}

/** Null when somebody made it unreadable, which its hash has told already. */
function read<T>(detail: string): T | null {
  try {
    return JSON.parse(detail) as T
  } catch {
    return null
  }
}
