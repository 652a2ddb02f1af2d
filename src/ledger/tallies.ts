import type Database from 'better-sqlite3'

export interface Tally {
  readonly at: number
  readonly keyId: string
  readonly rootId: string
  readonly run: string
  readonly vendor: string
  readonly operation: string
}

interface Delta extends Tally {
  calls: number
  denied: number
  spent: bigint
  held: bigint
  lastAt: number
}

/** Sums for reports, gathered during a transaction and written once at its end. */
export class Tallies {
  #deltas = new Map<string, Delta>()
  #last: Delta | null = null
  readonly #day: Database.Statement
  readonly #run: Database.Statement
  #dayStart = Number.NaN
  #dayLabel = ''

  constructor(db: Database.Database) {
    this.#day = db.prepare(
      `insert into tallies (day, key_id, run, vendor, operation, calls, denied, spent, held) values (?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict do update set calls = calls + excluded.calls, denied = denied + excluded.denied,
         spent = spent + excluded.spent, held = held + excluded.held`,
    )
    this.#run = db.prepare(
      `insert into runs (run, root_id, vendor, calls, denied, spent, held, first_at, last_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict do update set calls = calls + excluded.calls, denied = denied + excluded.denied,
         spent = spent + excluded.spent, held = held + excluded.held,
         first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)`,
    )
  }

  /** @param tally the call's own instant and names: a later change is booked on the day of the call */
  add(tally: Tally, calls: number, denied: number, spent: bigint, held: bigint): void {
    const delta = this.#deltaOf(tally)
    delta.calls += calls
    delta.denied += denied
    delta.spent += spent
    delta.held += held
    if (tally.at > delta.lastAt) delta.lastAt = tally.at
  }

  /** Mostly calls of one key and run come together, so the last one is looked at before names are put together. */
  #deltaOf(tally: Tally): Delta {
    const { at, keyId, rootId, run, vendor, operation } = tally
    const last = this.#last
    if (
      last !== null &&
      last.keyId === keyId &&
      last.run === run &&
      last.vendor === vendor &&
      last.operation === operation &&
      this.dayOf(last.at) === this.dayOf(at)
    )
      return last
    const name = `${this.dayOf(at)}\n${keyId}\n${run}\n${vendor}\n${operation}`
    let delta = this.#deltas.get(name)
    if (delta === undefined) {
      delta = { at, keyId, rootId, run, vendor, operation, calls: 0, denied: 0, spent: 0n, held: 0n, lastAt: at }
      this.#deltas.set(name, delta)
    }
    return (this.#last = delta)
  }

  write(): void {
    for (const delta of this.#deltas.values()) {
      const { calls, denied, spent, held } = delta
      this.#day.run(
        this.dayOf(delta.at),
        delta.keyId,
        delta.run,
        delta.vendor,
        delta.operation,
        calls,
        denied,
        spent,
        held,
      )
      this.#run.run(delta.run, delta.rootId, delta.vendor, calls, denied, spent, held, delta.at, delta.lastAt)
    }
    this.forget()
  }

  forget(): void {
    // Not emptied: see Passing.
    this.#deltas = new Map()
    this.#last = null
  }

  /** UTC day label of an instant. Formatting a date a call would cost more than the rest of a tally. */
  dayOf(at: number): string {
    const start = Math.floor(at / 86_400_000) * 86_400_000
    if (start !== this.#dayStart) {
      this.#dayStart = start
      this.#dayLabel = new Date(start).toISOString().slice(0, 10)
    }
    return this.#dayLabel
  }
}
