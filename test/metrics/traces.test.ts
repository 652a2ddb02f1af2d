import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Metrics } from '../../src/metrics.js'
import { parentIn, Traces } from '../../src/traces.js'
import { Receiver } from '../alerts/receiver.js'
import { StandingClock } from '../ledger/book.js'
import { REAL, World, type IssuedKey } from '../helpers/world.js'
import { callIdOf, codeOf, pay, startWorld } from '../pipeline/given.js'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const PARENT = `00-${TRACE}-${SPAN}-01`

interface Span {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { key: string; value: { stringValue?: string; intValue?: string } }[]
  readonly status: { code?: number }
}
const spansIn = (body: any): Span[] => body.resourceSpans[0].scopeSpans[0].spans
const attribute = (span: Span, key: string): string | undefined =>
  span.attributes.find((each) => each.key === key)?.value.stringValue

describe('a call that is traced', () => {
  let collector: Receiver
  let world: World
  let key: IssuedKey
  beforeAll(async () => {
    collector = await Receiver.start()
    world = await startWorld({
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.origin}/otel/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20CANARYcollector, x-tenant=acme',
    })
    key = await world.key({ daily_cap_usd: '100.00', vendors: { resend: { endpoints: { allow: ['* *'] } } } })
  })
  afterAll(async () => {
    await world.close()
    await collector.close()
  })

  /** The spans of one call, as soon as they have been exported. */
  async function spansOf(callId: string): Promise<Span[]> {
    const of = (body: any): Span[] => spansIn(body).filter((span) => attribute(span, 'spendgate.call_id') === callId)
    const { body, path, headers } = await collector.first((heard) => of(heard.body).length > 0)
    expect([path, headers.authorization, headers['x-tenant']]).toEqual([
      '/otel/v1/traces',
      'Bearer CANARYcollector',
      'acme',
    ])
    const [root] = of(body)
    return [root!, ...spansIn(body).filter(({ parentSpanId }) => parentSpanId === root!.spanId)]
  }

  test('is one span with a child for each step, one after the other', async () => {
    const paid = await pay(world, key.key, 1_000, { traceparent: PARENT })
    expect(paid.status).toBe(200)
    const [root, ...steps] = await spansOf(callIdOf(paid))
    expect(root).toMatchObject({ traceId: TRACE, parentSpanId: SPAN, kind: 2, status: {} })
    expect(Object.fromEntries(root!.attributes.map(({ key: name, value }) => [name, value.stringValue]))).toEqual({
      'spendgate.call_id': callIdOf(paid),
      'spendgate.key_id': key.id,
      'spendgate.run': TRACE,
      'spendgate.vendor': 'stripe',
      'spendgate.surface': 'rest',
      'spendgate.operation': root!.name,
      'spendgate.decision': 'allow',
      'spendgate.state': 'settled',
    })
    expect(steps.map(({ name, kind }) => [name, kind])).toEqual([
      ['decide', 1],
      ['reserve', 1],
      ['vendor', 3],
      ['settle', 1],
    ])
    expect(steps[2]!.attributes).toEqual([{ key: 'http.response.status_code', value: { intValue: '200' } }])
    let at = BigInt(root!.startTimeUnixNano)
    for (const step of steps) {
      expect(BigInt(step.startTimeUnixNano)).toBe(at)
      expect(BigInt(step.endTimeUnixNano)).toBeGreaterThanOrEqual(at)
      at = BigInt(step.endTimeUnixNano)
    }
    expect(BigInt(root!.endTimeUnixNano)).toBe(at)
    expect(new Set([root!, ...steps].map(({ spanId }) => spanId)).size).toBe(5)
  })

  test('tells the vendor the span it is called in', async () => {
    const paid = await pay(world, key.key, 100, { traceparent: PARENT })
    const [, , , vendor] = await spansOf(callIdOf(paid))
    expect(world.stripe.requests.at(-1)!.headers.traceparent).toBe(`00-${TRACE}-${vendor!.spanId}-01`)
  })

  test('begins a trace of its own where nobody has', async () => {
    const paid = await pay(world, key.key, 100)
    const [root] = await spansOf(callIdOf(paid))
    expect(root!.traceId).toMatch(/^(?!0+$)[0-9a-f]{32}$/)
    expect(root!.parentSpanId).toBeUndefined()
    expect(world.stripe.requests.at(-1)!.headers.traceparent).toMatch(
      new RegExp(`^00-${root!.traceId}-[0-9a-f]{16}-01$`),
    )
  })

  test('that is refused ends with its decision on disk', async () => {
    const refused = await pay(world, key.key, 1_000_000)
    expect(codeOf(refused)).toBe('daily_cap_exceeded')
    const [root, ...steps] = await spansOf(callIdOf(refused))
    expect([attribute(root!, 'spendgate.state'), attribute(root!, 'spendgate.code')]).toEqual([
      'denied',
      'daily_cap_exceeded',
    ])
    expect(steps.map(({ name }) => name)).toEqual(['decide', 'reserve'])
  })

  test('of unknown outcome is marked as a fault', async () => {
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true, times: 1 })
    const [root, , , vendor] = await spansOf(callIdOf(await pay(world, key.key, 100)))
    expect([attribute(root!, 'spendgate.state'), root!.status.code, vendor!.status.code]).toEqual(['assumed', 2, 2])
  })

  test('is not told of when whoever calls says so, and the vendor hears what it would have heard', async () => {
    const unsampled = `00-${'a'.repeat(32)}-${SPAN}-00`
    await pay(world, key.key, 100, { traceparent: unsampled })
    expect(world.stripe.requests.at(-1)!.headers.traceparent).toBe(unsampled)
    await spansOf(callIdOf(await pay(world, key.key, 100)))
    expect(collector.heard.some(({ text }) => text.includes('a'.repeat(32)))).toBe(false)
  })

  test('tells no secret, no amount and no word of an agent', async () => {
    const paid = await world.call(
      key.key,
      'POST',
      '/stripe/v1/payment_intents',
      { amount: '4242', currency: 'usd', customer: 'cus_A', receipt_email: 'person@example.com' },
      { 'x-agent-reason': 'CANARY reason', 'idempotency-key': 'CANARY-idempotency' },
    )
    await spansOf(callIdOf(paid))
    const all = collector.heard.map(({ text }) => text).join()
    for (const secret of [key.key, ...Object.values(REAL), 'CANARY', 'person@example.com', '42.42', 'cus_A'])
      expect(all).not.toContain(secret)
  })

  test('is counted when it was exported', async () => {
    await spansOf(callIdOf(await pay(world, key.key, 100)))
    expect((await world.metrics()).text).toMatch(/^spendgate_traces_total\{outcome="exported"\} [1-9]/m)
  })
})

describe('without a collector', () => {
  let world: World
  beforeAll(async () => {
    world = await startWorld()
  })
  afterAll(() => world.close())

  test("an agent's traceparent goes on to the vendor as it is, and none is made", async () => {
    const { key } = await world.key()
    await pay(world, key, 100, { traceparent: PARENT })
    expect(world.stripe.requests.at(-1)!.headers.traceparent).toBe(PARENT)
    await pay(world, key, 100)
    expect(world.stripe.requests.at(-1)!.headers).not.toHaveProperty('traceparent')
    await pay(world, key, 100, { traceparent: `${PARENT}, ${PARENT}` })
    expect(world.stripe.requests.at(-1)!.headers).not.toHaveProperty('traceparent')
  })
})

describe('a collector that is away', () => {
  const clock = new StandingClock()
  let collector: Receiver
  let traces: Traces
  let metrics: Metrics
  let logged: string[]
  beforeEach(async () => {
    collector = await Receiver.start()
    metrics = new Metrics()
    logged = []
    traces = new Traces({
      collector: { url: `${collector.origin}/v1/traces`, headers: [] },
      version: '0.1.0',
      clock,
      metrics,
      log: (_level, event) => void logged.push(event),
    })
  })
  afterEach(async () => {
    await traces.stop(1_000)
    await collector.close()
  })
  const end = (times: number): void => {
    for (let i = 0; i < times; i++) {
      const trace = traces.begin(undefined)!
      trace.next()
      trace.end({
        callId: `call_${i}`,
        keyId: 'key_1',
        run: 'run_1',
        vendor: 'stripe',
        surface: 'rest',
        operation: null,
        decision: 'deny',
        code: 'operation_unknown',
        state: 'denied',
        status: null,
      })
    }
  }

  test('gets nothing lost while there is room, and is asked more and more seldom', async () => {
    collector.answers.push(503, 503)
    end(3)
    await traces.look()
    await traces.look()
    expect([collector.heard.length, traces.waiting]).toEqual([1, 3])
    clock.at += 2_000
    await traces.look()
    clock.at += 2_000
    await traces.look()
    expect([collector.heard.length, traces.waiting]).toEqual([2, 3])
    clock.at += 2_000
    await traces.look()
    expect([collector.heard.length, traces.waiting]).toEqual([3, 0])
    expect(logged).toEqual(['traces_not_exported', 'traces_resumed'])
    expect(metrics.text({})).toContain('spendgate_traces_total{outcome="exported"} 3')
  })

  test('costs no more memory than 2048 traces; what comes then is dropped and counted', async () => {
    end(2_050)
    expect(traces.waiting).toBe(2_048)
    expect(metrics.text({})).toContain('spendgate_traces_total{outcome="dropped"} 2')
    await traces.look()
    expect(traces.waiting).toBe(0)
    expect(collector.heard.map(({ body }) => spansIn(body).length / 3).reduce((sum, each) => sum + each)).toBe(2_048)
    expect(Math.max(...collector.heard.map(({ body }) => spansIn(body).length / 3))).toBe(50)
  })

  test('or refuses a batch for what it is keeps the next ones from no one', async () => {
    collector.answers.push(400)
    end(51)
    await traces.look()
    expect(metrics.text({})).toContain('spendgate_traces_total{outcome="dropped"} 50')
    expect(metrics.text({})).toContain('spendgate_traces_total{outcome="exported"} 1')
    expect(logged).toEqual(['traces_refused'])
  })
})

test('a traceparent is of version 00, or it is none', () => {
  expect(parentIn(PARENT)).toEqual({ traceId: TRACE, spanId: SPAN, flags: 1, text: PARENT })
  for (const text of [
    undefined,
    '',
    PARENT.toUpperCase(),
    PARENT.replace('00-', '01-'),
    `${PARENT}-extra`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `${PARENT}\r\nx: y`,
    `${PARENT}\n`,
  ])
    expect(parentIn(text)).toBeNull()
})
