import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Ledger } from './contracts/ledger.js'
import { formatUsd, type Usd } from './contracts/money.js'
import type { Budget } from './contracts/policy.js'
import type { Engine } from './engine.js'
import type { Gauges } from './metrics.js'
import type { Report } from './reconcile/index.js'

const DAY_MS = 86_400_000
/** What is read from the ledger is kept for so long, however many ask, and for so many times as long as the reading took. */
const KEPT_MS = 5_000
const KEPT_TIMES = 200
const DOUBTS_MAX = 1_000
const APPROVALS_MAX = 500
const KEYS_MAX = 500
/** What is reckoned in one go while calls wait for the same thread. */
const SLICE_MS = 2
const BUDGETS_A_SLICE = 100
/** How often the event loop is looked at. What it is late by includes this, so it is taken off. */
const LAG_RESOLUTION_MS = 20

type Means = Pick<
  Engine,
  'ledger' | 'judge' | 'standings' | 'credentials' | 'vendors' | 'clock' | 'metrics' | 'log' | 'traces'
> & {
  readonly version: string
  /** What may still be lost; null where nothing bounds it. */
  readonly maxLoss: () => Promise<Usd | null>
}

/** How things stand, read when somebody asks for `/metrics`. A ledger that cannot be read leaves its series out. */
export class Readings {
  readonly #means: Means
  readonly #lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS })
  #kept: Promise<Gauges> | null = null
  #freshAt = 0
  #reconciled: { readonly at: number; readonly explained: number | null } | null = null

  constructor(means: Means) {
    this.#means = means
  }

  start(): void {
    this.#lag.enable()
  }

  stop(): void {
    this.#lag.disable()
  }

  /** A whole reconciliation has ended. */
  reconciled({ explainedPercent }: Pick<Report, 'explainedPercent'>): void {
    const before = this.#reconciled?.explained ?? null
    const explained = explainedPercent === null ? before : Number(explainedPercent) / 100
    this.#reconciled = { at: this.#means.clock.now(), explained }
  }

  async read(): Promise<Gauges> {
    const { ledger, metrics, traces, version } = this.#means
    const { user, system } = process.cpuUsage()
    const memory = process.memoryUsage()
    const explained = this.#reconciled?.explained ?? null
    return {
      [`spendgate_build_info{version="${version}",node="${process.versions.node}"}`]: 1,
      spendgate_admissions_waiting: metrics.waiting,
      spendgate_freezes: ledger.freezes().length,
      spendgate_rss_bytes: memory.rss,
      spendgate_heap_used_bytes: memory.heapUsed,
      spendgate_cpu_seconds: (user + system) / 1e6,
      ...this.#lateness(),
      ...(this.#reconciled && { spendgate_reconciled_at_seconds: this.#reconciled.at / 1000 }),
      ...(explained !== null && { spendgate_reconcile_explained_ratio: explained }),
      ...(traces && { spendgate_traces_waiting: traces.waiting }),
      ...(await this.#ofLedger()),
    }
  }

  #lateness(): Gauges {
    const seconds = (nanos: number): number => Math.max(0, nanos / 1e9 - LAG_RESOLUTION_MS / 1000)
    const lag = this.#lag
    const gauges =
      lag.count === 0
        ? {}
        : {
            'spendgate_event_loop_lag_seconds{quantile="0.5"}': seconds(lag.percentile(50)),
            'spendgate_event_loop_lag_seconds{quantile="0.99"}': seconds(lag.percentile(99)),
            'spendgate_event_loop_lag_seconds{quantile="1"}': seconds(lag.max),
          }
    lag.reset()
    return gauges
  }

  #ofLedger(): Promise<Gauges> {
    const { clock } = this.#means
    const since = clock.monotonic()
    if (this.#kept !== null && since < this.#freshAt) return this.#kept
    // Not while it is being read.
    this.#freshAt = Number.POSITIVE_INFINITY
    return (this.#kept = this.#fresh().finally(() => {
      const now = clock.monotonic()
      this.#freshAt = now + Math.max(KEPT_MS, (now - since) * KEPT_TIMES)
    }))
  }

  async #fresh(): Promise<Gauges> {
    const { ledger, metrics, log, maxLoss } = this.#means
    try {
      const loss = await maxLoss()
      return {
        spendgate_max_loss_usd: loss === null ? Number.POSITIVE_INFINITY : inUsd(loss),
        ...(await this.#money(ledger)),
        spendgate_budget_used_ratio_max: await this.#usedMost(ledger),
        spendgate_doubts: (await ledger.doubts(null, { limit: DOUBTS_MAX })).rows.length,
        spendgate_approvals_waiting: (await ledger.approvals({ state: 'open' }, { limit: APPROVALS_MAX })).rows.length,
      }
    } catch (fault) {
      // How the ledger fares is told by counters that need none; this page must answer all the same.
      metrics.count('spendgate_gauge_faults_total')
      log('warn', 'gauges_not_read', { message: (fault as Error).message })
      return {}
    }
  }

  async #money(ledger: Ledger): Promise<Gauges> {
    const { vendors, clock } = this.#means
    const from = Math.floor(clock.now() / DAY_MS) * DAY_MS
    const rows = new Map((await ledger.spend('vendor', { from })).map((row) => [row.by, row]))
    return Object.fromEntries(
      [...vendors.keys()].flatMap((vendor) => [
        [`spendgate_spent_today_usd{vendor="${vendor}"}`, inUsd(rows.get(vendor)?.spent)],
        [`spendgate_held_usd{vendor="${vendor}"}`, inUsd(rows.get(vendor)?.held)],
      ]),
    )
  }

  async #usedMost(ledger: Ledger): Promise<number> {
    const { judge, standings, credentials, vendors, clock } = this.#means
    const now = clock.now()
    const budgets = new Map<string, Budget>()
    let since = clock.monotonic()
    for (const key of (await ledger.keys({ limit: KEYS_MAX })).rows) {
      if (clock.monotonic() - since > SLICE_MS) {
        await new Promise((resolve) => setImmediate(resolve))
        since = clock.monotonic()
      }
      if (key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= now)) continue
      const { levels } = standings.of(key)
      for (const vendor of vendors.keys()) {
        const credential = credentials.of(key, vendor)
        if (credential === null) continue
        for (const direction of ['in', 'out'] as const)
          for (const budget of judge.budgets(levels, { vendor, credentialId: credential.id, direction }, now))
            if (budget.cap > 0n) budgets.set(`${budget.counter}\n${budget.window}`, budget)
      }
    }
    let most = 0
    const all = [...budgets.values()]
    for (let from = 0; from < all.length; from += BUDGETS_A_SLICE) {
      const some = all.slice(from, from + BUDGETS_A_SLICE)
      for (const [at, { spent, held }] of (await ledger.usage(some)).entries()) {
        // In thousandths: finer than anybody draws, and exact in whole numbers until then.
        most = Math.max(most, Number(((spent + held) * 1000n) / some[at]!.cap) / 1000)
      }
      await new Promise((resolve) => setImmediate(resolve))
    }
    return most
  }
}

/** For drawing only: no decision rests on it. */
const inUsd = (amount: Usd | undefined): number => (amount === undefined ? 0 : Number(formatUsd(amount)))
