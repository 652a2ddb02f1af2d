import type { Clock } from '../contracts/clock.js'
import type { CallRow, Ledger } from '../contracts/ledger.js'
import { LedgerFault } from '../contracts/ledger.js'
import type { Secret } from '../custody/secret.js'
import type { Log } from '../log.js'
import type { Gauges, Metrics } from '../metrics.js'
import { Upstream } from '../wire/upstream.js'
import type { Alert } from './alert.js'
import { alertOfEvent } from './events.js'
import { requestFor, type Receiver } from './receivers.js'
import { Sent } from './sent.js'
import { Watch, type WatchMeans } from './watch.js'

/** Alerts that wait at most; the oldest are dropped for new ones, and counted. */
const WAITING_MAX = 200
const EVERY_MS = 1_000
const TIMEOUT_MS = 10_000
const REPLY_BYTES_MAX = 64 * 1024
/** Deliveries under way at a time. */
const ABREAST = 10
/** Waits after an attempt that failed. Then the receiver is given up for this alert. */
const WAITS_MS = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000] as const

export interface AlertsParts {
  readonly receivers: readonly Receiver[]
  /** What deliveries in the standard shape are signed with. */
  readonly signingKey: Secret | null
  readonly means: WatchMeans
  readonly metrics: Metrics
  readonly log: Log
  /** Whether this server may tell, where several share a ledger; null while another one does. Absent: it is alone. */
  readonly turn?: () => Promise<{ release(): Promise<void> } | null>
}

interface Delivery {
  readonly receiver: Receiver
  tries: number
  /** On the monotonic clock. */
  dueAt: number
  end: 'taken' | 'given_up' | null
}
interface Waiting {
  readonly alert: Alert
  readonly deliveries: readonly Delivery[]
}

/**
 * Tells the operator's receivers what they should know, each thing once a window. All of it is beside the calls: rows are
 * noted when they change, and looked at once a second. What a receiver did not take is told again, more and more seldom.
 */
export class Alerts {
  readonly #parts: AlertsParts
  readonly #ledger: Ledger
  readonly #clock: Clock
  readonly #sent: Sent
  readonly #watch: Watch
  readonly #upstream: Upstream
  /** By name, in the order they came. */
  readonly #waiting = new Map<string, Waiting>()
  #unsubscribe = (): void => {}
  #timer: NodeJS.Timeout | null = null
  #work: Promise<void> | null = null
  #failing = false
  #stopped = false

  constructor(parts: AlertsParts) {
    this.#parts = parts
    this.#ledger = parts.means.ledger
    this.#clock = parts.means.clock
    this.#sent = new Sent(this.#ledger, this.#clock)
    this.#watch = new Watch(parts.means, (alert) => this.tell(alert))
    this.#upstream = new Upstream({ timeoutMs: TIMEOUT_MS, clock: this.#clock })
  }

  start(): void {
    this.watch()
    this.#timer = setInterval(() => void this.look(), EVERY_MS)
    this.#timer.unref()
  }

  /** From now on what happens to calls is noted. */
  watch(): void {
    this.#unsubscribe = this.#ledger.onChange((row: CallRow) => this.#watch.see(row))
    this.#watch.begin().catch((fault: unknown) => this.#failed(fault))
  }

  /** An event of the log. */
  heard(event: string, fields: Readonly<Record<string, unknown>>): void {
    const alert = alertOfEvent(event, fields, this.#clock.now())
    if (alert !== null) this.tell(alert)
  }

  tell(alert: Alert): void {
    if (this.#waiting.has(alert.name) || this.#sent.has(alert.name)) return
    if (this.#waiting.size >= WAITING_MAX) {
      const [oldest, { alert: dropped }] = this.#waiting.entries().next().value!
      this.#waiting.delete(oldest)
      this.#count(dropped, 'dropped')
    }
    const now = this.#clock.monotonic()
    const deliveries = this.#parts.receivers.map((receiver) => ({ receiver, tries: 0, dueAt: now, end: null }))
    this.#waiting.set(alert.name, { alert, deliveries })
  }

  gauges(): Gauges {
    return { spendgate_alerts_waiting: this.#waiting.size }
  }

  /** Looks at what was noted, and tells what is due. One look at a time. */
  look(): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return (this.#work ??= this.#once().finally(() => (this.#work = null)))
  }

  /** Tells what it can in so many ms and goes. */
  async stop(withinMs: number): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    let late: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => (late = setTimeout(resolve, withinMs)))
    const last = (this.#work ?? Promise.resolve()).then(() => this.look())
    await Promise.race([last, limit])
    clearTimeout(late)
    this.#stopped = true
    this.#unsubscribe()
    await this.#upstream.close()
    await this.#work
  }

  async #once(): Promise<void> {
    try {
      await this.#watch.look()
      this.#failing = false
    } catch (fault) {
      this.#failed(fault)
    }
    try {
      await this.#deliver()
    } catch (fault) {
      this.#failed(fault)
    }
  }

  async #deliver(): Promise<void> {
    if (this.#due().length === 0) return
    const turn = await this.#turn()
    if (turn === null) return
    try {
      // Another server may have told it meanwhile.
      for (const { alert } of this.#waiting.values()) if (this.#sent.has(alert.name)) this.#waiting.delete(alert.name)
      const due = this.#due().slice(0, ABREAST)
      await Promise.all(due.map(([waiting, delivery]) => this.#attempt(waiting.alert, delivery)))
      await this.#settle()
    } finally {
      await turn.release()
    }
  }

  /** A ledger that cannot be reached keeps nobody from telling that. */
  async #turn(): Promise<{ release(): Promise<void> } | null> {
    try {
      return await (this.#parts.turn?.() ?? ALONE)
    } catch (fault) {
      this.#failed(fault)
      return ALONE
    }
  }

  #due(): [Waiting, Delivery][] {
    const now = this.#clock.monotonic()
    return [...this.#waiting.values()].flatMap((waiting) =>
      waiting.deliveries
        .filter(({ end, dueAt }) => end === null && dueAt <= now)
        .map((delivery): [Waiting, Delivery] => [waiting, delivery]),
    )
  }

  async #attempt(alert: Alert, delivery: Delivery): Promise<void> {
    const { signingKey, log } = this.#parts
    const { receiver } = delivery
    const sent = await this.#upstream.send(
      requestFor(alert, receiver, signingKey, this.#clock.now()),
      () => null,
      TIMEOUT_MS,
      { bytesMax: REPLY_BYTES_MAX, enough: () => false },
    )
    const status = sent.kind === 'reply' ? sent.status : null
    if (status !== null && status >= 200 && status < 300) return void (delivery.end = 'taken')
    const waitMs = WAITS_MS[delivery.tries++]
    // 410: the receiver wants to hear no more (Standard Webhooks 1.0.0).
    if (waitMs === undefined || status === 410) delivery.end = 'given_up'
    else delivery.dueAt = this.#clock.monotonic() + waitMs
    if (delivery.tries === 1 || delivery.end !== null)
      log('warn', delivery.end === null ? 'alert_not_taken' : 'alert_given_up', {
        kind: alert.kind,
        receiver: receiver.host,
        status,
        tries: delivery.tries,
      })
  }

  /** What every receiver took or was given up for is remembered as told, and waits no more. */
  async #settle(): Promise<void> {
    const over = [...this.#waiting.values()].filter(({ deliveries }) => deliveries.every(({ end }) => end !== null))
    for (const { alert, deliveries } of over) {
      this.#waiting.delete(alert.name)
      this.#count(alert, deliveries.some(({ end }) => end === 'given_up') ? 'given_up' : 'sent')
    }
    if (over.length > 0) await this.#sent.add(over.map(({ alert }) => alert))
  }

  #count({ kind }: Alert, outcome: 'sent' | 'given_up' | 'dropped'): void {
    this.#parts.metrics.count('spendgate_alerts_total', `kind="${kind}",outcome="${outcome}"`)
  }

  /** Said once until it works again. That a ledger fails is told by itself. */
  #failed(fault: unknown): void {
    if (!this.#failing)
      this.#parts.log('warn', fault instanceof LedgerFault ? 'alerts_wait_for_ledger' : 'alerts_failed', {
        message: (fault as Error).message,
      })
    this.#failing = true
  }
}

const ALONE = { release: () => Promise.resolve() }
