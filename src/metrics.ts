import { ALERT_KINDS } from './alerts/alert.js'
import { assert } from './assert.js'
import type { StorageFaultKind } from './ledger/storage-faults.js'

/** Everything that is counted, with what it means. Names are promised to whoever draws or alerts on them. */
const COUNTERS = {
  spendgate_calls_total: 'Calls under a known key, by vendor, decision, outcome and the code of the denial (none).',
  spendgate_refusals_total: 'Answers in place of a vendor reply, by vendor and code; without a known key, too.',
  spendgate_faults_total: 'Calls that ended in a fault of spendgate itself, by kind.',
  spendgate_credential_refused_total: 'Replies of a vendor that does not accept its credential (401).',
  spendgate_ledger_faults_total: 'Faults of what the ledger stands on, by kind.',
  spendgate_reconciled_total: 'Calls of unknown outcome and estimates that were looked at, by outcome.',
  spendgate_movements_total: 'Money that moved at a vendor without a call, by whether calls explain it.',
  spendgate_unexplained_usd_total: 'USD that moved at a vendor and that no call explains.',
  spendgate_unexplained_spend_total: 'Readings in which new spend beyond 5 % of what moved was unexplained.',
  spendgate_over_cap_total: 'Movements without a call that brought a budget beyond its cap.',
  spendgate_webhooks_total: 'Deliveries of vendors to our webhooks, by status answered.',
  spendgate_checkpoints_total: 'Signed checkpoints of the audit trail that were written.',
  spendgate_checkpoint_faults_total: 'Checkpoints that could not be signed or written; they are tried again.',
  spendgate_alerts_total: 'Alerts by kind: sent, given_up (a receiver took none), dropped (too many waited).',
  spendgate_traces_total: 'Traces of calls: exported, or dropped because the collector did not take them.',
  spendgate_gauge_faults_total: 'Readings for this page that failed; their series are missing then.',
} as const
export type Counter = keyof typeof COUNTERS

const GAUGES = {
  spendgate_build_info: 'Always 1; the version is in the label.',
  spendgate_ready: 'Whether new calls can be taken, as /readyz says.',
  spendgate_in_flight: 'Requests on the agent port that are not answered yet.',
  spendgate_admissions_waiting: 'Calls that wait for the ledger to have their decision on disk.',
  spendgate_spent_today_usd: 'Spent since midnight UTC, by vendor: settled and assumed.',
  spendgate_held_usd: 'Reserved by calls of today whose outcome is still awaited, by vendor.',
  spendgate_max_loss_usd:
    'What may still be lost if every agent does its worst, as GET /exposure says; +Inf without a bound.',
  spendgate_doubts: 'Calls of unknown outcome, which count as spent; at most 1000 are counted.',
  spendgate_budget_used_ratio_max:
    'The most any budget of a living key is used: 1 is the whole cap. The newest 500 keys.',
  spendgate_approvals_waiting: 'Requests for approval that nobody has decided; at most 500 are counted.',
  spendgate_freezes: 'Freezes in force.',
  spendgate_reconciled_at_seconds: 'When the last whole reconciliation with the vendors ended, in Unix time.',
  spendgate_reconcile_explained_ratio: 'Share of what moved at the vendors that calls explain, in the last reading.',
  spendgate_table_stale_in_days: 'Days until a table of rates or prices is stale; zero or less once it is.',
  spendgate_ledger_bytes: 'Size of the ledger on disk.',
  spendgate_ledger_days_left: 'Days until the disk is full at the growth of the last day.',
  spendgate_alerts_waiting: 'Alerts that are not delivered to every receiver yet.',
  spendgate_traces_waiting: 'Traces that are not exported yet.',
  spendgate_rss_bytes: 'Memory of the process.',
  spendgate_heap_used_bytes: 'JavaScript heap in use.',
  spendgate_cpu_seconds: 'Processor time used since the start, user and system.',
  spendgate_event_loop_lag_seconds: 'How late the event loop was since the last reading, by quantile.',
} as const
export type Gauge = keyof typeof GAUGES

/** Upper bounds of buckets. */
const HISTOGRAMS = {
  spendgate_upstream_seconds: {
    help: 'From sending to a vendor until its whole reply or the fault, by vendor and result: 2xx to 5xx, timeout, broken.',
    bounds: [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60],
  },
  spendgate_admission_seconds: {
    help: 'From asking the ledger until the decision is on disk: the commit and the wait for it.',
    bounds: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5],
  },
  spendgate_admission_batch: {
    help: 'Decisions that came to disk in one commit.',
    bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256],
  },
} as const
export type Histogram = keyof typeof HISTOGRAMS

const OF_VENDOR = [
  'spendgate_credential_refused_total',
  'spendgate_unexplained_spend_total',
  'spendgate_unexplained_usd_total',
  'spendgate_over_cap_total',
] as const
/** What a ledger's storage may have (src/ledger/storage-faults.ts), and the database in its place. */
const LEDGER_FAULTS: readonly (StorageFaultKind | 'database')[] = [
  'full',
  'locked',
  'read-only',
  'io',
  'fsync',
  'corrupt',
  'vanished',
  'other',
  'database',
]

/** Every family there can be on the page, for whoever checks a dashboard or a rule against it. */
export const FAMILIES: Readonly<Record<string, 'counter' | 'gauge' | 'histogram'>> = Object.fromEntries([
  ...Object.keys(COUNTERS).map((name) => [name, 'counter']),
  ...Object.keys(GAUGES).map((name) => [name, 'gauge']),
  ...Object.keys(HISTOGRAMS).map((name) => [name, 'histogram']),
])

/** Readings by name, with labels where a family has several: `spendgate_doubts`, `spendgate_held_usd{vendor="stripe"}`. */
export type Gauges = Readonly<Record<string, number>>

interface Spread {
  /** One more than there are bounds: the last has what is above them all. */
  readonly buckets: Float64Array
  sum: number
}

/**
 * Texts of labels, found by their values one after the other. Made anew for each call a text would be hashed and compared
 * anew, too; the values are from closed sets, so their texts are few.
 */
export class Labels {
  /** Whoever needs it first writes it. */
  text: string | null = null
  readonly #below = new Map<string, Labels>()

  under(value: string): Labels {
    let found = this.#below.get(value)
    if (found === undefined) this.#below.set(value, (found = new Labels()))
    return found
  }
}

/** What is counted for `/metrics`, with labels from closed sets only. */
export class Metrics {
  /** By family, then by labels. */
  readonly #counts = new Map<Counter, Map<string, number>>()
  readonly #spreads = new Map<Histogram, Map<string, Spread>>()
  #waiting = 0
  #batch = 0

  constructor() {
    for (const name of Object.keys(HISTOGRAMS) as Histogram[]) this.#spreads.set(name, new Map())
  }

  /** Puts what is alerted on at nought: of a series that begins at one, Prometheus sees no increase. */
  begin(vendors: Iterable<string>): void {
    for (const vendor of vendors) for (const name of OF_VENDOR) this.count(name, `vendor="${vendor}"`, 0)
    for (const kind of LEDGER_FAULTS) this.count('spendgate_ledger_faults_total', `kind="${kind}"`, 0)
    for (const kind of ALERT_KINDS)
      for (const outcome of ['sent', 'given_up', 'dropped'])
        this.count('spendgate_alerts_total', `kind="${kind}",outcome="${outcome}"`, 0)
    this.count('spendgate_checkpoint_faults_total', '', 0)
  }

  /**
   * @param labels already in the exposition's form: `vendor="stripe",decision="allow"`
   * @param by what is counted, where it is not one
   */
  count(name: Counter, labels = '', by = 1): void {
    let counts = this.#counts.get(name)
    if (counts === undefined) this.#counts.set(name, (counts = new Map()))
    counts.set(labels, (counts.get(labels) ?? 0) + by)
  }

  observe(name: Histogram, labels: string, value: number): void {
    const spreads = this.#spreads.get(name)!
    let spread = spreads.get(labels)
    if (spread === undefined) spreads.set(labels, (spread = { buckets: bucketsOf(name), sum: 0 }))
    const { bounds } = HISTOGRAMS[name]
    let at = 0
    while (at < bounds.length && value > bounds[at]!) at++
    spread.buckets[at]!++
    spread.sum += value
  }

  /** How many wait for their admission. */
  get waiting(): number {
    return this.#waiting
  }

  /** Watches an admission: how long it took, and how many came to disk with it. Those of one commit resolve in one turn. */
  admission<T>(admitted: Promise<T>, clock: { monotonic(): number }): Promise<T> {
    const since = clock.monotonic()
    this.#waiting++
    return admitted.then(
      (value) => {
        this.#waiting--
        this.observe('spendgate_admission_seconds', '', (clock.monotonic() - since) / 1000)
        if (this.#batch++ === 0) queueMicrotask(this.#batched)
        return value
      },
      (fault: unknown) => {
        this.#waiting--
        throw fault
      },
    )
  }

  readonly #batched = (): void => {
    this.observe('spendgate_admission_batch', '', this.#batch)
    this.#batch = 0
  }

  /** Prometheus text exposition, format 0.0.4. */
  text(gauges: Gauges): string {
    const families = new Map<string, string[]>()
    const line = (key: string, value: number): void => {
      const name = key.split('{', 1)[0]!
      const lines = families.get(name)
      if (lines === undefined) families.set(name, [`${key} ${shown(value)}`])
      else lines.push(`${key} ${shown(value)}`)
    }
    for (const [name, counts] of this.#counts)
      for (const [labels, value] of [...counts].sort(byKey)) line(labels === '' ? name : `${name}{${labels}}`, value)
    for (const [key, value] of Object.entries(gauges).sort(byKey)) line(key, value)
    for (const [name, spreads] of this.#spreads)
      if (spreads.size > 0)
        families.set(
          name,
          [...spreads].sort(byKey).flatMap((each) => linesOf(name, ...each)),
        )
    return [...families]
      .sort(byKey)
      .map(
        ([name, lines]) => `# HELP ${name} ${helpOf(name)}\n# TYPE ${name} ${FAMILIES[name]!}\n${lines.join('\n')}\n`,
      )
      .join('')
  }
}

const bucketsOf = (name: Histogram): Float64Array => new Float64Array(HISTOGRAMS[name].bounds.length + 1)

function linesOf(name: Histogram, labels: string, { buckets, sum }: Spread): string[] {
  const { bounds } = HISTOGRAMS[name]
  const before = labels === '' ? '' : `${labels},`
  const own = labels === '' ? '' : `{${labels}}`
  let count = 0
  const lines = Array.from(buckets, (in_, at) => {
    count += in_
    return `${name}_bucket{${before}le="${at === bounds.length ? '+Inf' : bounds[at]!}"} ${count}`
  })
  return [...lines, `${name}_sum${own} ${shown(sum)}`, `${name}_count${own} ${count}`]
}

function helpOf(name: string): string {
  const help: string | undefined =
    COUNTERS[name as Counter] ?? GAUGES[name as Gauge] ?? HISTOGRAMS[name as Histogram]?.help
  assert(help !== undefined, `${name} stands in a table of src/metrics.ts`)
  return help
}

/** What is infinite or no number has a spelling of its own in the exposition. */
const shown = (value: number): string =>
  Number.isFinite(value) ? String(value) : Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0)
