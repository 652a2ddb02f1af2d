import { randomBytes } from 'node:crypto'
import type { CallState } from './contracts/call.js'
import type { Clock } from './contracts/clock.js'
import type { Decision } from './contracts/policy.js'
import type { Log } from './log.js'
import type { Metrics } from './metrics.js'
import { Upstream } from './wire/upstream.js'

/** Where spans go: a collector that takes OTLP over HTTP as JSON. */
export interface Collector {
  /** Of the traces alone: `http://127.0.0.1:4318/v1/traces`. */
  readonly url: string
  /** Names and values in turn, from OTEL_EXPORTER_OTLP_HEADERS. May hold a secret. */
  readonly headers: readonly string[]
}

/** Traces that wait at most; more are dropped and counted, so that a collector that is away costs no memory. */
const WAITING_MAX = 2_048
/** Traces in one request: making the text of them takes about a millisecond, in which no call goes on. */
const BATCH = 50
const EVERY_MS = 1_000
const TIMEOUT_MS = 5_000
const PATIENCE_MAX = 32
const REPLY_BYTES_MAX = 64 * 1024

/** The parts of a call, in order. */
const STEPS = ['decide', 'reserve', 'vendor', 'settle'] as const
type Step = (typeof STEPS)[number]

/** What a span says of a call: ids of ours, and words from closed sets. Never an amount, a name or a text of the agent's. */
export interface CallFacts {
  readonly callId: string
  readonly keyId: string
  readonly run: string
  readonly vendor: string
  readonly surface: string
  readonly operation: string | null
  readonly decision: Decision['verdict']
  readonly code: string | null
  readonly state: CallState
  readonly status: number | null
}

interface Parent {
  readonly traceId: string
  readonly spanId: string
  readonly flags: number
  readonly text: string
}

/** A `traceparent` of version 00 (W3C Trace Context, 2021-11); null for everything else. */
export function parentIn(text: string | undefined): Parent | null {
  if (text === undefined) return null
  const found = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(text)
  if (found === null || /^0+$/.test(found[1]!) || /^0+$/.test(found[2]!)) return null
  return { traceId: found[1]!, spanId: found[2]!, flags: parseInt(found[3]!, 16), text }
}

export interface TracesParts {
  readonly collector: Collector
  readonly version: string
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Log
}

/**
 * Spans of calls, exported as OpenTelemetry means them: one a call, with children for its steps. Nothing of it is awaited
 * by a call. While the collector does not answer, traces wait up to a bound; then new ones are dropped and counted.
 */
export class Traces {
  readonly #parts: TracesParts
  readonly #upstream: Upstream
  #waiting: Trace[] = []
  #timer: NodeJS.Timeout | null = null
  #work: Promise<void> | null = null
  #notBefore = 0
  #patience = 1
  #stopped = false

  constructor(parts: TracesParts) {
    this.#parts = parts
    this.#upstream = new Upstream({ timeoutMs: TIMEOUT_MS, clock: parts.clock })
  }

  /** Null when whoever calls has decided that this trace is not recorded. */
  begin(traceparent: string | undefined): Trace | null {
    const parent = parentIn(traceparent)
    if (parent !== null && (parent.flags & 1) === 0) return null
    return new Trace(parent, this.#parts.clock, (trace) => this.#ended(trace))
  }

  get waiting(): number {
    return this.#waiting.length
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), EVERY_MS)
    this.#timer.unref()
  }

  /** Exports what waits. One look at a time. */
  look(): Promise<void> {
    if (this.#parts.clock.monotonic() < this.#notBefore) return Promise.resolve()
    return (this.#work ??= this.#export().finally(() => (this.#work = null)))
  }

  /** Exports what it can in so many ms and goes. */
  async stop(withinMs: number): Promise<void> {
    this.#stopped = true
    if (this.#timer !== null) clearInterval(this.#timer)
    let late: NodeJS.Timeout | undefined
    const limit = new Promise<void>((resolve) => (late = setTimeout(resolve, withinMs)))
    await Promise.race([this.look(), limit])
    clearTimeout(late)
    await this.#upstream.close()
    await this.#work
    this.#count('dropped', this.#waiting.length)
    this.#waiting = []
  }

  #ended(trace: Trace): void {
    if (this.#stopped || this.#waiting.length >= WAITING_MAX) return this.#count('dropped', 1)
    this.#waiting.push(trace)
  }

  async #export(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH)
      const answered = await this.#post(batch)
      if (answered === 'later') return this.#away()
      this.#waiting = this.#waiting.slice(batch.length)
      this.#count(answered, batch.length)
      if (this.#patience > 1) this.#parts.log('info', 'traces_resumed', {})
      this.#patience = 1
    }
  }

  /** What a collector refuses for what it is, it would refuse for ever (opentelemetry.io, OTLP 1.5, «Failures»). */
  async #post(batch: readonly Trace[]): Promise<'exported' | 'dropped' | 'later'> {
    const { collector, version } = this.#parts
    const { origin, host, pathname, search } = new URL(collector.url)
    const sent = await this.#upstream.send(
      {
        origin,
        method: 'POST',
        target: pathname + search,
        headers: ['host', host, 'content-type', 'application/json', ...collector.headers],
        body: JSON.stringify(documentOf(batch, version)),
      },
      () => null,
      TIMEOUT_MS,
      { bytesMax: REPLY_BYTES_MAX, enough: () => false },
    )
    if (sent.kind !== 'reply') return 'later'
    if (sent.status >= 200 && sent.status < 300) return 'exported'
    if ([429, 502, 503, 504].includes(sent.status)) return 'later'
    this.#parts.log('warn', 'traces_refused', { status: sent.status, traces: batch.length })
    return 'dropped'
  }

  #away(): void {
    const { clock, log } = this.#parts
    if (this.#patience === 1 && !this.#stopped) log('warn', 'traces_not_exported', { waiting: this.#waiting.length })
    this.#patience = Math.min(this.#patience * 2, PATIENCE_MAX)
    this.#notBefore = clock.monotonic() + this.#patience * EVERY_MS
  }

  #count(outcome: 'exported' | 'dropped', by: number): void {
    if (by > 0) this.#parts.metrics.count('spendgate_traces_total', `outcome="${outcome}"`, by)
  }
}

/** The spans of one call while it goes on. */
export class Trace {
  readonly traceId: string
  readonly #parent: string | null
  readonly #ids: Buffer
  readonly #clock: Clock
  readonly #ended: (trace: Trace) => void
  readonly #startedAt: number
  readonly #started: number
  /** When each step began, and the last one ended, in ms since the start. */
  readonly #marks: number[] = [0]
  #facts: CallFacts | null = null

  constructor(parent: Parent | null, clock: Clock, ended: (trace: Trace) => void) {
    this.#ids = randomBytes(8 * (STEPS.length + 1) + (parent === null ? 16 : 0))
    this.traceId = parent?.traceId ?? this.#ids.toString('hex', 8 * (STEPS.length + 1))
    this.#parent = parent?.spanId ?? null
    this.#clock = clock
    this.#ended = ended
    this.#startedAt = clock.now()
    this.#started = clock.monotonic()
  }

  /** One step is over and the next begins. */
  next(): void {
    this.#marks.push(this.#clock.monotonic() - this.#started)
  }

  end(facts: CallFacts): void {
    this.next()
    this.#facts = facts
    this.#ended(this)
  }

  /** What the vendor is told: it is called in the span of that step. */
  get traceparent(): string {
    return `00-${this.traceId}-${this.#span('vendor')}-01`
  }

  #span(step: Step | null): string {
    const at = step === null ? 0 : 8 * (STEPS.indexOf(step) + 1)
    return this.#ids.toString('hex', at, at + 8)
  }

  /** As OTLP's JSON has them. */
  spans(): readonly object[] {
    const facts = this.#facts!
    const marks = this.#marks
    const root = {
      traceId: this.traceId,
      spanId: this.#span(null),
      ...(this.#parent === null ? {} : { parentSpanId: this.#parent }),
      name: facts.operation ?? `${facts.vendor} unknown`,
      kind: KIND.server,
      ...this.#times(0, marks.at(-1)!),
      attributes: attributesOf(facts),
      status: facts.state === 'assumed' ? { code: 2, message: 'outcome unknown' } : {},
    }
    const steps = STEPS.slice(0, marks.length - 1).map((step, at) => ({
      traceId: this.traceId,
      spanId: this.#span(step),
      parentSpanId: this.#span(null),
      name: step,
      kind: step === 'vendor' ? KIND.client : KIND.internal,
      ...this.#times(marks[at]!, marks[at + 1]!),
      attributes: step === 'vendor' && facts.status !== null ? [int('http.response.status_code', facts.status)] : [],
      status: step === 'vendor' && (facts.status === null || facts.status >= 400) ? { code: 2 } : {},
    }))
    return [root, ...steps]
  }

  #times(from: number, to: number): { startTimeUnixNano: string; endTimeUnixNano: string } {
    const nanos = (ms: number): string => String(BigInt(this.#startedAt) * 1_000_000n + BigInt(Math.round(ms * 1e6)))
    return { startTimeUnixNano: nanos(from), endTimeUnixNano: nanos(to) }
  }
}

/** SpanKind of opentelemetry/proto/trace/v1. */
const KIND = { internal: 1, server: 2, client: 3 } as const

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue: string } | { readonly intValue: string }
}
const text = (key: string, value: string): Attribute => ({ key, value: { stringValue: value } })
const int = (key: string, value: number): Attribute => ({ key, value: { intValue: String(value) } })

function attributesOf(facts: CallFacts): Attribute[] {
  return [
    text('spendgate.call_id', facts.callId),
    text('spendgate.key_id', facts.keyId),
    text('spendgate.run', facts.run),
    text('spendgate.vendor', facts.vendor),
    text('spendgate.surface', facts.surface),
    ...(facts.operation === null ? [] : [text('spendgate.operation', facts.operation)]),
    text('spendgate.decision', facts.decision),
    ...(facts.code === null ? [] : [text('spendgate.code', facts.code)]),
    text('spendgate.state', facts.state),
  ]
}

const documentOf = (traces: readonly Trace[], version: string): object => ({
  resourceSpans: [
    {
      resource: { attributes: [text('service.name', 'spendgate'), text('service.version', version)] },
      scopeSpans: [{ scope: { name: 'spendgate', version }, spans: traces.flatMap((trace) => trace.spans()) }],
    },
  ],
})
