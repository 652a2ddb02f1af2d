import { LedgerConflict, LedgerFault, type DoubtRow } from '../contracts/ledger.js'
import type { Usd } from '../contracts/money.js'
import { RecordsFault } from '../contracts/records.js'
import { SealFault, type Vault } from '../custody/seal.js'
import type { Engine } from '../engine.js'
import { resolveDoubt, type Resolved } from './doubts.js'
import { askPrice, type PriceAsked } from './prices.js'
import { Readings } from './reach.js'

/** What is to be reconciled, and how hard. */
export interface Wish {
  /** Only calls from this instant on, epoch ms; null: all whose outcome is not known. */
  readonly since: number | null
  /** Whether requests are sent once more where the records do not tell. */
  readonly replay: boolean
  /** A person waits: prices are asked for before they are due, and a busy vendor is waited for a little. */
  readonly asked: boolean
  /** Only the prices that are due: a small run between two whole ones. */
  readonly pricesOnly?: boolean
}

/** Money that moved at a vendor and that no call explains. */
export interface Unexplained {
  readonly vendor: string
  readonly credential: string
  readonly id: string
  readonly at: number
  readonly kind: string
  readonly object: string | null
  readonly amount: Usd | null
  readonly why: string
}

export interface Report {
  /** Calls of unknown outcome, and estimates, that were looked at. */
  readonly checked: number
  readonly settled: number
  readonly released: number
  readonly stillAssumed: number
  /** Estimates whose price is known now. */
  readonly priced: number
  readonly calls: readonly (Resolved | PriceAsked)[]
  readonly unexplained: readonly Unexplained[]
  /** Share of what the vendors' records hold that calls explain, decimal text; null where nothing was compared. */
  readonly explainedPercent: string | null
  /** What kept the run from being complete, as sentences. */
  readonly faults: readonly string[]
}

/** The second step of a run: what moved at the vendors without a call. */
export type MovementsStep = (wish: Wish) => Promise<Pick<Report, 'unexplained' | 'explainedPercent' | 'faults'>>

export interface Progress {
  readonly running: boolean
  /** Calls and estimates looked at so far. */
  readonly done: number
}

type Means = Engine & { readonly vault: Vault; readonly pause: (ms: number) => Promise<void> }
type Options = {
  readonly movements?: MovementsStep
  /** Taken before a run where several nodes share a ledger: null while another node has it. */
  readonly lease?: () => Promise<{ release(): Promise<void> } | null>
}

/** What one run looks at, at most. The next one goes on. */
const CALLS_MAX = 2_000
const PAGE = 100
const ALL_MS_MAX = 10 * 60_000
/** Between two looks at a call that no record tells of. */
const REST_MS = 60_000
const REST_MS_MAX = 24 * 3_600_000
const RESTING_MAX = 10_000
/** Waits for a busy vendor while a person waits for us. */
const BUSY_MS = [500, 1_500] as const
/** A busy vendor is left alone for so long, doubling. */
const LEAVE_MS = 30_000
const LEAVE_MS_MAX = 30 * 60_000

/** Reconciles the ledger with the vendors' own records: outcomes, then prices, then what moved without a call. */
export class Reconciler {
  readonly #means: Means
  readonly #options: Options
  /** Credentials whose vendor was waited for in vain in this run. */
  readonly #waitedFor = new Set<string>()
  /** Credentials whose vendor asked us to slow down. */
  readonly #busy = new Map<string, { readonly until: number; readonly ms: number }>()
  #last: Promise<unknown> = Promise.resolve()
  #progress: Progress = { running: false, done: 0 }
  #stopped = false
  /** Where the last run had to end; undefined when it came to the end. */
  #cursor: string | undefined
  /** Until when calls that no record told of are left alone, unless somebody asks. */
  readonly #resting = new Map<string, number>()

  constructor(means: Means, options: Options = {}) {
    this.#means = means
    this.#options = options
  }

  progress(): Progress {
    return this.#progress
  }

  /**
   * Runs once; runs follow each other. Null while another node reconciles.
   *
   * @throws LedgerFault when the ledger cannot be read or written; what was found before is booked
   */
  run(wish: Wish): Promise<Report | null> {
    const next = this.#last.then(() => this.#leased(wish))
    this.#last = next.catch(() => undefined)
    return next
  }

  /** Begins no more reads, and resolves when the run under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#last
  }

  async #leased(wish: Wish): Promise<Report | null> {
    const lease = await (this.#options.lease?.() ?? NO_LEASE)
    if (lease === null) return null
    this.#progress = { running: true, done: 0 }
    try {
      return await this.#whole(wish)
    } finally {
      this.#progress = { ...this.#progress, running: false }
      await lease.release()
    }
  }

  async #whole(wish: Wish): Promise<Report> {
    const { clock, metrics, ledger } = this.#means
    const until = clock.monotonic() + ALL_MS_MAX
    const readings = new Readings(this.#means)
    this.#waitedFor.clear()
    const faults: string[] = []
    const left = (): boolean => {
      if (this.#stopped) return false
      if (clock.monotonic() < until) return true
      if (faults.length === 0) faults.push('The run took longer than ten minutes; the next one goes on.')
      return false
    }

    const calls = wish.pricesOnly === true ? [] : await this.#outcomes(wish, readings, left)
    const asked: PriceAsked[] = []
    for (const row of left() ? await ledger.estimates(wish.asked ? LATEST : clock.now(), CALLS_MAX) : []) {
      if (!left()) break
      this.#step()
      const pending = (why: string): PriceAsked => ({ id: row.callId, outcome: 'pending', amount: row.settled, why })
      asked.push(await this.#one(row.credentialId, wish, () => askPrice(row, readings, this.#means), pending))
    }
    const moved = wish.pricesOnly !== true && left() ? await this.#moved(wish) : undefined
    for (const { outcome } of [...calls, ...asked]) metrics.count('spendgate_reconciled_total', `outcome="${outcome}"`)
    const count = (outcome: string): number => [...calls, ...asked].filter((each) => each.outcome === outcome).length
    return {
      checked: calls.length + asked.length,
      settled: count('settled'),
      released: count('released'),
      stillAssumed: count('still_assumed'),
      priced: count('adjusted') + count('confirmed'),
      calls: [...calls, ...asked],
      unexplained: moved?.unexplained ?? [],
      explainedPercent: moved?.explainedPercent ?? null,
      faults: [...faults, ...(moved?.faults ?? [])],
    }
  }

  /** What was found before stays found, whatever goes wrong with the second step. */
  async #moved(wish: Wish): Promise<Awaited<ReturnType<MovementsStep>> | undefined> {
    try {
      return await this.#options.movements?.(wish)
    } catch (fault) {
      if (fault instanceof LedgerFault) throw fault
      this.#means.log('error', 'reconcile_fault', { message: (fault as Error).message })
      const why = 'What moved without a call could not be read. See the server log.'
      return { unexplained: [], explainedPercent: null, faults: [why] }
    }
  }

  async #outcomes(wish: Wish, readings: Readings, left: () => boolean): Promise<readonly Resolved[]> {
    const { ledger } = this.#means
    const found = new Map<string, Resolved>()
    // Where the last run had to end the next one goes on, or what is new would wait behind what nobody can tell.
    let cursor = wish.since === null ? this.#cursor : undefined
    do {
      const page = await ledger.doubts(wish.since, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
      const again: (typeof page.rows)[number][] = []
      for (const row of page.rows) {
        if (!left()) return [...found.values()]
        if (!wish.asked && this.#restsStill(row.id)) continue
        this.#step()
        const resolved = await this.#doubt(row, wish, readings)
        found.set(row.id, resolved)
        if (resolved.refused === true) again.push(row)
        this.#rest(row, resolved)
      }
      // What was repeated is released after its repetition, which is the later row.
      for (const row of again) found.set(row.id, await this.#doubt(row, wish, readings))
      cursor = page.next ?? undefined
    } while (cursor !== undefined && found.size < CALLS_MAX)
    if (wish.since === null) this.#cursor = cursor
    return [...found.values()]
  }

  /** What could not be told is looked at again after an eighth of its age: soon at first, once a day at last. */
  #rest(row: DoubtRow, { outcome }: Resolved): void {
    if (outcome !== 'still_assumed') return void this.#resting.delete(row.id)
    if (this.#resting.size >= RESTING_MAX) this.#resting.clear()
    const now = this.#means.clock.now()
    this.#resting.set(row.id, now + Math.min(Math.max((now - row.at) / 8, REST_MS), REST_MS_MAX))
  }

  #restsStill(id: string): boolean {
    return this.#means.clock.now() < (this.#resting.get(id) ?? 0)
  }

  #doubt(row: DoubtRow, wish: Wish, readings: Readings): Promise<Resolved> {
    return this.#one(
      row.credentialId ?? '',
      wish,
      () => resolveDoubt(row, readings, this.#means, wish),
      (why) => ({
        id: row.id,
        outcome: 'still_assumed',
        amount: row.settled,
        why,
      }),
    )
  }

  /** Does one thing with a vendor's records. What goes wrong with it stays with it; only the ledger's own faults end a run. */
  async #one<T>(credentialId: string, wish: Wish, work: () => Promise<T>, not: (why: string) => T): Promise<T> {
    const { clock, log, pause } = this.#means
    const busy = this.#busy.get(credentialId)
    const resting = busy !== undefined && clock.monotonic() < busy.until
    if (wish.asked ? this.#waitedFor.has(credentialId) : resting)
      return not('The vendor is busy or down, and is left alone for a while.')
    for (let tries = 0; ; tries++) {
      try {
        const done = await work()
        this.#busy.delete(credentialId)
        return done
      } catch (fault) {
        if (fault instanceof LedgerFault) throw fault
        if (fault instanceof LedgerConflict || fault instanceof SealFault) return not(fault.message)
        if (!(fault instanceof RecordsFault)) {
          log('error', 'reconcile_fault', { message: (fault as Error).message })
          return not('Its record could not be read. See the server log.')
        }
        const waitMs = wish.asked ? BUSY_MS[tries] : undefined
        if (fault.busy && waitMs !== undefined) {
          await pause(waitMs)
          continue
        }
        if (fault.busy) this.#leave(credentialId)
        return not(fault.message)
      }
    }
  }

  #leave(credentialId: string): void {
    this.#waitedFor.add(credentialId)
    const ms = Math.min((this.#busy.get(credentialId)?.ms ?? LEAVE_MS / 2) * 2, LEAVE_MS_MAX)
    this.#busy.set(credentialId, { until: this.#means.clock.monotonic() + ms, ms })
  }

  #step(): void {
    this.#progress = { running: true, done: this.#progress.done + 1 }
  }
}

const NO_LEASE = { release: async () => undefined }
/** Later than every instant. */
const LATEST = Number.MAX_SAFE_INTEGER
