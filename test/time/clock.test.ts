import fc from 'fast-check'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { DAY, HOUR, Machine, MINUTE } from './sources.js'

let machine: Machine
let clock: SystemClock
beforeEach(() => {
  machine = new Machine()
  clock = new SystemClock(machine)
})

test('time that passes is believed, and so is a laptop that slept for a week', () => {
  for (const [ms, how] of [
    [3 * DAY, 'passes'],
    [7 * DAY, 'sleeps'],
    [HOUR, 'passes'],
  ] as const) {
    machine[how](ms)
    expect(clock.now()).toBe(machine.wallMs)
    expect(clock.suspect()).toBeNull()
  }
})

describe('a clock set forward', () => {
  test('by no more than the longest day is believed', () => {
    machine.setBy(26 * HOUR)
    expect([clock.suspect(), clock.now()]).toEqual([null, machine.wallMs])
  })

  test('by more is not, and time goes on as it passes', () => {
    const before = clock.now()
    machine.setBy(26 * HOUR + 1)
    expect(clock.suspect()).toBe(
      'The clock was set forward: it says 2026-11-25T14:00:00.001Z, 26 hours more than have passed.',
    )
    machine.passes(MINUTE)
    expect(clock.now()).toBe(before + MINUTE)
  })

  test('in steps that are each small is found by their sum', () => {
    for (let step = 0; step < 13; step++) {
      machine.setBy(2 * HOUR)
      machine.passes(MINUTE)
      expect(clock.suspect()).toBeNull()
    }
    machine.setBy(2 * HOUR)
    expect(clock.suspect()).toContain('28 hours more than have passed')
  })

  test('while the machine slept is told from the sleep', () => {
    machine.sleeps(3 * DAY)
    machine.setBy(2 * DAY)
    expect(clock.suspect()).toContain('48 hours more than have passed')
  })

  test('ends what ends by then, though nothing else believes it', () => {
    machine.setBy(30 * DAY)
    expect(clock.latest()).toBe(machine.wallMs)
    expect(clock.now()).toBe(machine.wallMs - 30 * DAY)
  })

  test('is believed once it was confirmed', () => {
    machine.setBy(30 * DAY)
    expect(clock.suspect()).not.toBeNull()
    clock.confirm()
    expect([clock.suspect(), clock.now()]).toEqual([null, machine.wallMs])
    machine.setBy(27 * HOUR)
    expect(clock.suspect()).not.toBeNull()
  })

  test('and set right again needs nobody', () => {
    machine.setBy(30 * DAY)
    expect(clock.suspect()).not.toBeNull()
    machine.setBy(-30 * DAY)
    expect([clock.suspect(), clock.now()]).toEqual([null, machine.wallMs])
  })
})

describe('a clock set back', () => {
  test('by a few minutes never shows an earlier time, and is met half-way', () => {
    const before = clock.now()
    machine.setBy(-4 * MINUTE)
    expect([clock.now(), clock.suspect()]).toEqual([before, null])
    machine.passes(2 * MINUTE)
    expect(clock.now()).toBe(before + MINUTE)
    machine.passes(6 * MINUTE)
    expect(clock.now()).toBe(machine.wallMs)
  })

  test('by more stops money, and no key lives longer by it', () => {
    const before = clock.now()
    machine.setBy(-6 * MINUTE)
    expect(clock.suspect()).toBe(
      'The clock was set back: it says 2026-11-24T11:54:00.000Z, after 2026-11-24T12:00:00.000Z was reached.',
    )
    machine.passes(HOUR)
    expect(clock.now()).toBe(before + HOUR)
    machine.sleeps(HOUR)
    expect(clock.now()).toBe(before + 2 * HOUR)
  })

  test('is believed once it was confirmed', () => {
    machine.setBy(-3 * HOUR)
    clock.confirm()
    expect([clock.suspect(), clock.now()]).toEqual([null, machine.wallMs])
  })

  test('across a restart is known by the ledger’s last row', () => {
    clock.notBefore(machine.wallMs + 2 * MINUTE)
    expect([clock.now(), clock.suspect()]).toEqual([machine.wallMs + 2 * MINUTE, null])
    clock.notBefore(machine.wallMs + 6 * MINUTE)
    expect(clock.suspect()).toContain('The clock was set back')
  })
})

test('whatever happens to the wall clock, time never goes back and never outruns both clocks', () => {
  const ms = fc.integer({ min: 0, max: 3 * DAY })
  const step = fc.oneof(
    fc.record({ how: fc.constantFrom('passes' as const, 'sleeps' as const), ms }),
    fc.record({ how: fc.constant('setBy' as const), ms: fc.integer({ min: -3 * DAY, max: 3 * DAY }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const here = new Machine()
      const of = new SystemClock(here)
      let last = of.now()
      for (const { how, ms: by } of steps) {
        const highest = Math.max(here.wallMs, last)
        here[how](by)
        const now = of.now()
        expect(now).toBeGreaterThanOrEqual(last)
        // A sleep of less than a second is seen when uptime is next read.
        expect(now).toBeLessThanOrEqual(Math.max(here.wallMs, highest + (how === 'setBy' ? 0 : by) + 1_000))
        expect(of.latest()).toBeGreaterThanOrEqual(here.wallMs)
        last = now
      }
    }),
    { numRuns: 500 },
  )
})

describe('a restart', () => {
  let dir: string
  let file: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'spendgate-clock-'))
    file = join(dir, 'clock.json')
    clock.keep(file)
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))
  const restarted = (of = machine): SystemClock => {
    const next = new SystemClock(of)
    next.keep(file)
    return next
  }

  test('does not make a clock that was set forward believed', () => {
    machine.passes(DAY)
    machine.setBy(2 * DAY)
    const next = restarted()
    expect(next.suspect()).toContain('48 hours more than have passed')
    expect(next.now()).toBe(machine.wallMs - 2 * DAY)
    next.confirm()
    expect(restarted().suspect()).toBeNull()
  })

  test('adds up what was set before it and after it', () => {
    machine.setBy(20 * HOUR)
    const next = restarted()
    expect(next.suspect()).toBeNull()
    machine.setBy(20 * HOUR)
    expect(next.suspect()).not.toBeNull()
  })

  test('of the machine itself begins anew: what its clock did meanwhile nobody knows', () => {
    const after = new Machine(machine.wallMs + 20 * DAY, 'second')
    expect(restarted(after).suspect()).toBeNull()
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ machineStart: 'second', at: after.wallMs })
  })

  test('after half a file was left begins anew', () => {
    writeFileSync(file, '{"at":1')
    machine.setBy(40 * DAY)
    expect(restarted().suspect()).toBeNull()
  })
})
