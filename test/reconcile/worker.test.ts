import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Reconciler, type Wish } from '../../src/reconcile/index.js'
import { Worker } from '../../src/reconcile/worker.js'
import { Terminal } from '../cli/terminal.js'
import { REAL, type World } from '../helpers/world.js'
import { basic, books, callIdOf, HOUR, pay, payment, rowOf, startWorld, travel } from '../pipeline/given.js'

let world: World | null = null
afterEach(async () => {
  await world?.close()
  world = null
})

/** Resolves when a row is as it should be; the test's own time limit ends it otherwise. */
async function become(id: string, state: object): Promise<void> {
  for (;;) {
    const row = await rowOf(world!, id)
    if (Object.entries(state).every(([name, value]) => row[name] === value)) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe('the server reconciles by itself', () => {
  test('a lost answer is settled without anybody asking', async () => {
    world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400', SPENDGATE_RECONCILE_MS: '100' })
    const key = await world.key()
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
    const answer = await pay(world, key.key, 130)
    await become(callIdOf(answer), { state: 'settled', settled_usd: '1.30' })
    // The row is settled in the middle of a run, and counted at its end.
    await vi.waitFor(async () =>
      expect((await world!.metrics()).text).toContain('spendgate_reconciled_total{outcome="settled"} 1'),
    )
    await books(world)
  })

  test('it sends nothing again, however long the doubt', async () => {
    world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400', SPENDGATE_RECONCILE_MS: '50' })
    const key = await world.key()
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
    const answer = await pay(world, key.key, 130)
    const before = world.stripe.requests.length
    travel(world, 2 * HOUR)
    while (world.stripe.requests.length < before + 3) await new Promise((resolve) => setTimeout(resolve, 20))
    expect(world.stripe.requests.slice(before).filter(({ method }) => method !== 'GET')).toEqual([])
    expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'assumed' })
  })

  test('a price that is due is asked for between two whole runs, and not before it is', async () => {
    world = await startWorld({ SPENDGATE_RECONCILE_MS: '50' })
    const key = await world.key({}, { vendors: ['twilio'] })
    const { api_key_sid: sid, api_key_secret: secret } = key.presentations.twilio!
    const answer = await world.call(
      key.key,
      'POST',
      `/twilio/2010-04-01/Accounts/${REAL.twilioAccount}/Messages.json`,
      { To: '+14155550123', From: '+14155550100', Body: 'Hi' },
      basic(sid, secret),
    )
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(world.twilio.requests.filter(({ method, path }) => method === 'GET' && path.includes('/SM'))).toEqual([])
    travel(world, 31_000)
    await become(callIdOf(answer), { settled_usd: '0.0145' })
  })

  test('a vendor that is down is left alone for a while, and the server stops at once', async () => {
    world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400', SPENDGATE_RECONCILE_MS: '30' })
    const key = await world.key()
    world.stripe.fault('GET /v1/events', { do: 'status', status: 503, applies: false, times: 1_000 })
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
    await pay(world, key.key, 130)
    const asked = (): number =>
      world!.stripe.requests.filter(({ path }) => path.startsWith('/v1/events?created')).length
    while (asked() === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    const first = asked()
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(asked()).toBe(first)
    const began = performance.now()
    await world.server.stop()
    expect(performance.now() - began).toBeLessThan(1_500)
    await world.serve()
  })
})

describe('the rhythm', () => {
  const REPORT = {
    checked: 0,
    settled: 0,
    released: 0,
    stillAssumed: 0,
    priced: 0,
    calls: [],
    unexplained: [],
    explainedPercent: null,
    faults: [],
  }
  const MINUTE = 60_000
  const clock = { monotonic: () => Date.now() }
  const runs: { at: number; whole: boolean }[] = []
  const noted = ({ pricesOnly }: Wish): void => void runs.push({ at: Date.now(), whole: pricesOnly !== true })
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 })
    runs.length = 0
  })
  afterEach(() => void vi.useRealTimers())
  const worker = (run: (wish: Wish) => Promise<typeof REPORT>, everyMs: number, log = (): void => undefined): Worker =>
    new Worker({ run, stop: async () => undefined }, everyMs, clock, log)

  test('a whole run every so often, and prices in between', async () => {
    const own = worker(async (wish) => (noted(wish), REPORT), 2 * MINUTE)
    own.start()
    await vi.advanceTimersByTimeAsync(4 * MINUTE)
    expect(runs.map(({ whole }) => whole)).toEqual([false, false, false, true, false, false, false, true])
    expect(runs.map(({ at }) => at / MINUTE)).toEqual([0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4])
    const stopping = own.stop(100)
    await vi.advanceTimersByTimeAsync(10 * MINUTE)
    await stopping
    expect(runs).toHaveLength(8)
  })

  test('the next run begins only after the one before has ended', async () => {
    const own = worker(async (wish) => {
      noted(wish)
      await new Promise((resolve) => setTimeout(resolve, 10 * MINUTE))
      return REPORT
    }, MINUTE)
    own.start()
    await vi.advanceTimersByTimeAsync(22 * MINUTE)
    expect(runs.map(({ at }) => at / MINUTE)).toEqual([0.5, 11, 21.5])
  })

  test('after a run that failed the next ones wait twice as long each', async () => {
    const logged: string[] = []
    const own = new Worker(
      {
        run: async (wish) => {
          noted(wish)
          throw new Error('the ledger is away')
        },
        stop: async () => undefined,
      },
      MINUTE,
      clock,
      (_, event) => void logged.push(event),
    )
    own.start()
    await vi.advanceTimersByTimeAsync(8 * MINUTE)
    expect(runs.map(({ at }) => at / MINUTE)).toEqual([0.5, 1.5, 3.5, 7.5])
    expect(new Set(logged)).toEqual(new Set(['reconcile_failed']))
  })

  test('an interval of zero starts nothing', async () => {
    worker(async (wish) => (noted(wish), REPORT), 0).start()
    await vi.advanceTimersByTimeAsync(60 * MINUTE)
    expect(runs).toEqual([])
  })

  test('while another node has the lease, nothing is done', async () => {
    const reconciler = new Reconciler({} as ConstructorParameters<typeof Reconciler>[0], { lease: async () => null })
    expect(await reconciler.run({ since: null, replay: false, asked: true })).toBeNull()
  })
})

describe('calls that no record tells of', () => {
  const HOUR_MS = 3_600_000
  const own: Wish = { since: null, replay: false, asked: false }
  let now = 0
  /** A reconciler over that many of them, all made at the instant 0. Their credential is gone, so nothing is read. */
  const over = (count: number): Reconciler => {
    const rows = Array.from({ length: count }, (_, i) => ({ id: `call_${i}`, seq: i + 1, at: 0, credentialId: null }))
    const doubts = async (_since: number | null, { limit, cursor = '0' }: { limit: number; cursor?: string }) => {
      const page = rows.slice(Number(cursor), Number(cursor) + limit)
      const end = Number(cursor) + page.length
      return { rows: page, next: end < rows.length ? String(end) : null }
    }
    const means = {
      ledger: { doubts, estimates: async () => [] },
      vendors: new Map(),
      clock: { now: () => now, monotonic: () => 0 },
      metrics: { count: () => undefined },
    }
    return new Reconciler(means as unknown as ConstructorParameters<typeof Reconciler>[0])
  }
  beforeEach(() => {
    now = 0
  })

  test('are looked at again after an eighth of their age, and whenever somebody asks', async () => {
    const reconciler = over(1)
    const looks = async (at: number, wish = own): Promise<number> => {
      now = at
      return (await reconciler.run(wish))!.checked
    }
    expect([await looks(0), await looks(59_999), await looks(60_000)]).toEqual([1, 0, 1])
    expect([await looks(8 * HOUR_MS), await looks(9 * HOUR_MS - 1), await looks(9 * HOUR_MS)]).toEqual([1, 0, 1])
    expect(await looks(9 * HOUR_MS + 1, { ...own, asked: true })).toBe(1)
    // Once a day at last.
    expect([await looks(999 * HOUR_MS), await looks(1_022 * HOUR_MS), await looks(1_023 * HOUR_MS)]).toEqual([1, 0, 1])
  })

  test('do not keep what comes after them from being looked at', async () => {
    const reconciler = over(2_500)
    const asked = { ...own, asked: true }
    const checked = [await reconciler.run(asked), await reconciler.run(asked), await reconciler.run(asked)].map(
      (report) => [report!.checked, report!.calls[0]!.id],
    )
    expect(checked).toEqual([
      [2_000, 'call_0'],
      [500, 'call_2000'],
      [2_000, 'call_0'],
    ])
  })
})

describe('spendgate reconcile', () => {
  test('prints what was found, tells what to do with the rest, and --json gives the report', async () => {
    world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '400' })
    const terminal = new Terminal({ SPENDGATE_URL: world.server.adminUrl, SPENDGATE_ADMIN_TOKEN: REAL.admin })
    const key = await world.key()
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
    const [made, not] = [await pay(world, key.key, 130), await pay(world, key.key, 140)]
    const first = await terminal.run('reconcile', '--since', '7d')
    expect(first.exit).toBe(0)
    expect(first.out).toMatch(/settled +1\n/)
    expect(first.out).toContain(callIdOf(made))
    expect(first.err).toContain(`spendgate calls resolve ${callIdOf(not)} --outcome released`)
    const second = await terminal.run('reconcile', '--json')
    expect(second.json).toMatchObject({ checked: 1, still_assumed: 1, calls: [{ id: callIdOf(not) }] })
    const replayed = await terminal.run('reconcile', '--replay', '--json')
    expect(replayed.json).toMatchObject({ settled: 1, still_assumed: 0 })

    world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: false })
    const third = callIdOf(await world.call(key.key, 'POST', '/stripe/v1/payment_intents', payment(150)))
    expect((await terminal.run('calls', 'resolve', third)).exit).toBe(2)
    const resolved = await terminal.run(
      'calls',
      'resolve',
      third,
      '--outcome',
      'settled',
      '--amount',
      '1.25',
      '--reason',
      'Seen.',
    )
    expect(resolved.out).toBe(`${third} is settled and counts for $1.25.\n`)
    expect((await terminal.run('explain', third)).out).toMatch(/found out +2026-11-24 .+ UTC by admin: Seen\.\n/)
    expect((await terminal.run('calls', 'resolve', third, '--outcome', 'released', '--reason', 'x')).exit).toBe(1)
    expect((await terminal.run('calls', '--state', 'settled', '--json')).json.calls).toHaveLength(3)
    terminal.close()
  })
})
