import { beforeEach, describe, expect, test, vi } from 'vitest'
import { Membership } from '../../src/ledger/postgres/membership.js'

const time = vi.hoisted(() => ({ monotonicMs: 0, uptimeMs: 0 }))
vi.mock('node:os', async (original) => ({
  ...(await original<typeof import('node:os')>()),
  // As the system tells it: in hundredths of a second.
  uptime: () => Math.floor(time.uptimeMs / 10) / 100,
}))

const LEASE_MS = 2_000
type Parts = ConstructorParameters<typeof Membership>[0]

/** A node that has joined nothing: only its own idea of its lease is looked at. */
function node(): Membership {
  const own = { now: () => 0, monotonic: () => time.monotonicMs }
  return new Membership({ own, pace: { beatMs: 400, leaseMs: LEASE_MS, graceMs: 4_000 } } as unknown as Parts)
}

const pass = (ms: number, asleepMs = 0): void => {
  time.monotonicMs += ms
  time.uptimeMs += ms + asleepMs
}

describe('what a node takes its lease for', () => {
  beforeEach(() => Object.assign(time, { monotonicMs: 50_000, uptimeMs: 900_000 }))

  test('is what it was granted, from the moment it asked', () => {
    const a = node()
    expect(a.valid).toBe(false)
    const asked = a.moment()
    pass(300)
    a.extend(asked)
    pass(LEASE_MS - 301)
    expect(a.valid).toBe(true)
    pass(1)
    expect(a.valid).toBe(false)
  })

  test('does not grow by what the machine slept, however short that was', () => {
    for (const asleepMs of [500, 1_000, LEASE_MS, 10 * LEASE_MS]) {
      const a = node()
      a.extend(a.moment())
      pass(10, asleepMs)
      expect(a.valid).toBe(asleepMs + 10 < LEASE_MS)
      pass(Math.max(0, LEASE_MS - 10 - asleepMs))
      expect(a.valid).toBe(false)
    }
  })

  test('an answer that comes late, after a sleep, gives none', () => {
    const a = node()
    const asked = a.moment()
    pass(5, LEASE_MS)
    a.extend(asked)
    expect(a.valid).toBe(false)
  })
})
