import type { TimeSources } from '../../src/clock.js'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/** A machine whose time passes, whose lid is closed and whose clock is set by a test. */
export class Machine implements TimeSources {
  wallMs: number
  monotonicMs = 0
  uptimeMs = 5 * MINUTE

  constructor(
    at = Date.UTC(2026, 10, 24, 12),
    readonly machineStart: string | null = 'first',
  ) {
    this.wallMs = at
  }

  wall = (): number => this.wallMs
  monotonic = (): number => this.monotonicMs
  uptime = (): number => this.uptimeMs

  passes(ms: number): void {
    this.wallMs += ms
    this.monotonicMs += ms
    this.uptimeMs += ms
  }

  sleeps(ms: number): void {
    this.wallMs += ms
    this.uptimeMs += ms
  }

  /** Somebody sets the clock, or its server does. */
  setBy(ms: number): void {
    this.wallMs += ms
  }
}
