import type Database from 'better-sqlite3'
import { callId } from './ids.js'
import type { Said } from './said.js'

/**
 * Follows what entries say of what vendor objects count for, and holds the table against it. Part of `verify`. Calls
 * that older entries admitted do not say under which credential: their exposures are not compared.
 */
export class ExposureProof {
  readonly #amounts = new Map<string, bigint>()
  /** Credentials of calls that may still come to count on an object. */
  readonly #credentials = new Map<number, string>()
  readonly #names = new Map<string, string>()
  #since = Number.POSITIVE_INFINITY

  follow(kind: string, seq: number, amount: bigint, said: Said): void {
    if (kind === 'denied') return
    if (kind === 'reserved') {
      if (said.credential === undefined) return
      this.#since = Math.min(this.#since, seq)
      if (said.credential === null || said.replay_of != null) return
      this.#credentials.set(seq, this.#once(said.credential))
      if (said.object != null) this.#amounts.set(nameOf(said.credential, said.object, seq), amount)
      return
    }
    const credential = this.#credentials.get(seq)
    if (credential === undefined || said.object == null) return
    if (said.instead_of != null) this.#amounts.delete(nameOf(credential, said.instead_of, seq))
    const name = nameOf(credential, said.object, seq)
    if (kind === 'returned') this.#amounts.set(name, (this.#amounts.get(name) ?? 0n) - amount)
    else if (kind === 'released') this.#amounts.delete(name)
    else this.#amounts.set(name, amount)
  }

  compare(db: Database.Database, fault: (text: string) => void): void {
    for (const row of db.prepare('select * from exposures').safeIntegers().iterate() as Iterable<Row>) {
      const seq = Number(row.call_seq)
      if (seq < this.#since) continue
      const name = nameOf(row.credential_id, row.object, seq)
      if (this.#amounts.get(name) !== row.amount)
        fault(`What ${callId(seq)} counts for on ${row.object} is not what its entries say.`)
      this.#amounts.delete(name)
    }
    for (const name of this.#amounts.keys()) {
      const [, object, seq] = name.split('\n')
      fault(`What ${callId(Number(seq))} counts for on ${object} stands by its entries and has no row.`)
    }
  }

  /** The same text for the same credential: a million calls share a few. */
  #once(credential: string): string {
    const known = this.#names.get(credential)
    if (known === undefined) this.#names.set(credential, credential)
    return known ?? credential
  }
}

const nameOf = (credential: string, object: string, seq: number): string => `${credential}\n${object}\n${seq}`

interface Row {
  credential_id: string
  object: string
  call_seq: bigint
  amount: bigint
}
