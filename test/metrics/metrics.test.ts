import { describe, expect, test } from 'vitest'
import { Metrics, FAMILIES } from '../../src/metrics.js'
import { exposition, valueOf } from './exposition.js'

const clock = { at: 0, monotonic: () => clock.at }

describe('the page', () => {
  test('with nothing counted is empty', () => {
    expect(new Metrics().text({})).toBe('')
  })

  test('has HELP and TYPE for each family, once, and all its series below them', () => {
    const metrics = new Metrics()
    metrics.count('spendgate_calls_total', 'vendor="stripe",decision="allow",outcome="settled",code="none"')
    metrics.count('spendgate_calls_total', 'vendor="stripe",decision="allow",outcome="settled",code="none"', 2)
    metrics.count('spendgate_calls_total', 'vendor="resend",decision="deny",outcome="denied",code="key_frozen"')
    metrics.count('spendgate_checkpoints_total')
    const families = exposition(metrics.text({ spendgate_doubts: 3, 'spendgate_held_usd{vendor="stripe"}': 0.1 }))
    expect([...families.keys()]).toEqual([
      'spendgate_calls_total',
      'spendgate_checkpoints_total',
      'spendgate_doubts',
      'spendgate_held_usd',
    ])
    expect(valueOf(families, 'spendgate_calls_total', { vendor: 'stripe' })).toBe(3)
    expect(valueOf(families, 'spendgate_held_usd')).toBe(0.1)
  })

  test('spells what is no number as Prometheus does', () => {
    const text = new Metrics().text({ spendgate_doubts: Number.POSITIVE_INFINITY, spendgate_ready: Number.NaN })
    expect(text).toContain('spendgate_doubts +Inf\n')
    expect(text).toContain('spendgate_ready NaN\n')
  })

  test('a gauge that no table explains is a bug', () => {
    expect(() => new Metrics().text({ spendgate_invented: 1 })).toThrow('spendgate_invented stands in a table')
  })
})

describe('a histogram', () => {
  test('counts a value into the bucket whose bound it does not pass', () => {
    const metrics = new Metrics()
    for (const seconds of [0.01, 0.0100001, 60, 61])
      metrics.observe('spendgate_upstream_seconds', 'vendor="stripe"', seconds)
    const families = exposition(metrics.text({}))
    const bucket = (le: string): number | undefined => valueOf(families, 'spendgate_upstream_seconds_bucket', { le })
    expect([bucket('0.01'), bucket('0.025'), bucket('60'), bucket('+Inf')]).toEqual([1, 2, 3, 4])
    expect(valueOf(families, 'spendgate_upstream_seconds_sum')).toBeCloseTo(121.0200001)
  })

  test('keeps what has different labels apart', () => {
    const metrics = new Metrics()
    metrics.observe('spendgate_upstream_seconds', 'vendor="stripe"', 1)
    metrics.observe('spendgate_upstream_seconds', 'vendor="twilio"', 2)
    const families = exposition(metrics.text({}))
    expect(valueOf(families, 'spendgate_upstream_seconds_sum', { vendor: 'twilio' })).toBe(2)
  })
})

describe('admissions', () => {
  test('that come to disk in one commit are one batch, and each is timed for itself', async () => {
    const metrics = new Metrics()
    const resolves: ((value: number) => void)[] = []
    const admit = (): Promise<number> =>
      metrics.admission(new Promise<number>((resolve) => resolves.push(resolve)), clock)
    const all = [admit(), admit(), admit()]
    expect(metrics.waiting).toBe(3)
    clock.at += 4
    for (const resolve of resolves.splice(0, 2)) resolve(1)
    await all[0]
    await all[1]
    await new Promise((resolve) => setImmediate(resolve))
    clock.at += 4
    resolves[0]!(2)
    expect(await all[2]).toBe(2)
    await new Promise((resolve) => setImmediate(resolve))
    const families = exposition(metrics.text({}))
    expect(valueOf(families, 'spendgate_admission_batch_bucket', { le: '1' })).toBe(1)
    expect(valueOf(families, 'spendgate_admission_batch_bucket', { le: '2' })).toBe(2)
    expect(valueOf(families, 'spendgate_admission_seconds_sum')).toBeCloseTo(0.016)
    expect(metrics.waiting).toBe(0)
  })

  test('that fail reject as they did, and wait no more', async () => {
    const metrics = new Metrics()
    const fault = new Error('full')
    await expect(metrics.admission(Promise.reject(fault), clock)).rejects.toBe(fault)
    expect([metrics.waiting, metrics.text({})]).toEqual([0, ''])
  })
})

test('what is counted on the way of a call costs it about a microsecond', async () => {
  const metrics = new Metrics()
  const round = (): number => {
    const since = performance.now()
    for (let i = 0; i < 100_000; i++) {
      metrics.count('spendgate_calls_total', `vendor="${'stripe'}",decision="allow",outcome="settled",code="none"`)
      metrics.observe('spendgate_upstream_seconds', `vendor="${'stripe'}",result="2xx"`, 0.2)
    }
    return (performance.now() - since) / 100
  }
  const best = Math.min(...Array.from({ length: 5 }, round))
  // Microseconds a call. Others may have the processor at the same time, so this is the best of five, with room.
  expect(best).toBeLessThan(3)
})

test('every family has a name of ours', () => {
  expect(Object.keys(FAMILIES).filter((name) => !/^spendgate_[a-z_]+$/.test(name))).toEqual([])
})
