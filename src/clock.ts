import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { Clock } from './contracts/clock.js'
import { machineStart } from './machine-start.js'

/**
 * How far the wall clock may be ahead of the time that has passed since it was last believed. The longest calendar day
 * has 25 hours, so this opens at most one day's window too early, and what is counted there stays counted. Less would
 * be wrong too often: a virtual machine that its host held over night wakes up like one whose clock was set.
 */
const JUMP_MS = 26 * 3_600_000
/** Back by more than this and money waits; a correction of less is waited for. */
const BACK_MS = 5 * 60_000
/** How long the machine's uptime is carried on from its last reading: reading it takes 5 µs. */
const UPTIME_MS = 1_000

/** Where time comes from, all in milliseconds. */
export interface TimeSources {
  /** Epoch; can be set by anyone who may. */
  wall(): number
  /** Never set; stands still while the machine sleeps. */
  monotonic(): number
  /** Never set; goes on while the machine sleeps. */
  uptime(): number
  /** Which start of the machine uptime counts from; null when the system does not say. */
  readonly machineStart: string | null
}

/** An instant that was believed, and the uptime at that moment. */
interface Anchor {
  readonly at: number
  readonly uptimeMs: number
}

/**
 * The system's clock, as far as it can be believed. It never goes back, says when the wall clock was set, and goes on
 * by the time that really passes until somebody has looked: a day that is spent is not opened again, and no key lives
 * longer, by setting a clock. A laptop that slept is told from one whose clock was set by its uptime, which counts
 * sleep.
 */
export class SystemClock implements Clock {
  readonly #sources: TimeSources
  #anchor: Anchor
  #last: number
  #lastUptime: number
  #read: { readonly uptimeMs: number; readonly monotonic: number; readonly wall: number }
  #file: string | null = null

  constructor(sources: TimeSources = SYSTEM) {
    this.#sources = sources
    const [wall, uptimeMs] = [sources.wall(), sources.uptime()]
    this.#read = { uptimeMs, monotonic: sources.monotonic(), wall }
    this.#anchor = { at: wall, uptimeMs }
    this.#last = wall
    this.#lastUptime = uptimeMs
  }

  now(): number {
    const wall = this.#sources.wall()
    const uptimeMs = this.#uptime(wall)
    const passed = Math.max(0, uptimeMs - this.#lastUptime)
    this.#lastUptime += passed
    const expected = this.#last + passed
    if (this.#ahead(wall, uptimeMs) > JUMP_MS || expected - wall > BACK_MS) this.#last = expected
    // A small correction is met half-way, so that neither rates nor spans stand still while it is waited for.
    else this.#last = Math.max(wall, this.#last + passed / 2)
    return Math.floor(this.#last)
  }

  /** The latest it may be, a wall clock that is not believed included: whatever ends by then has ended. */
  latest(): number {
    const now = this.now()
    return now + Math.max(0, this.#sources.wall() - Math.floor(this.#last))
  }

  monotonic(): number {
    return this.#sources.monotonic()
  }

  /** The instant of the newest row in the ledger: time goes on from there, whatever the wall clock says. */
  notBefore(at: number): void {
    if (at > this.now()) this.#last = at
  }

  /** Why the wall clock is not to be trusted with a daily cap, as a sentence; null when it is. */
  suspect(): string | null {
    const now = this.now()
    const wall = this.#sources.wall()
    if (now - wall > BACK_MS)
      return `The clock was set back: it says ${instant(wall)}, after ${instant(now)} was reached.`
    const aheadMs = this.#ahead(wall, this.#uptime(wall))
    if (aheadMs > JUMP_MS)
      return `The clock was set forward: it says ${instant(wall)}, ${Math.round(aheadMs / 3_600_000)} hours more than have passed.`
    return null
  }

  /** The operator says that the wall clock is right. */
  confirm(): void {
    const wall = this.#sources.wall()
    this.#anchor = { at: wall, uptimeMs: this.#uptime(wall) }
    this.#last = wall
    this.#write()
  }

  /**
   * Remembers in a file since when the wall clock is believed, so that a restart is no way to have another time
   * believed. It holds for one start of the machine: what its clock did while it was off nobody knows.
   */
  keep(file: string): void {
    this.#file = file
    const { machineStart: start } = this.#sources
    if (start === null) return
    const kept = anchorIn(file, start)
    if (kept === null) return this.#write()
    this.#anchor = kept
    const wall = this.#sources.wall()
    const aheadMs = this.#ahead(wall, this.#uptime(wall))
    // As far as this process has come the wall clock was believed; it is no more.
    if (aheadMs > JUMP_MS) this.#last -= aheadMs
  }

  /** By how much the wall clock is ahead of the time that passed since it was believed. */
  #ahead(wall: number, uptimeMs: number): number {
    return wall - (this.#anchor.at + uptimeMs - this.#anchor.uptimeMs)
  }

  #uptime(wall: number): number {
    const monotonic = this.#sources.monotonic()
    const passed = monotonic - this.#read.monotonic
    // A wall clock that went another way was set, or the machine slept: uptime tells which.
    if (passed >= UPTIME_MS || Math.abs(wall - this.#read.wall - passed) > UPTIME_MS)
      this.#read = { uptimeMs: this.#sources.uptime(), monotonic, wall }
    return this.#read.uptimeMs + monotonic - this.#read.monotonic
  }

  #write(): void {
    if (this.#file === null || this.#sources.machineStart === null) return
    const next = `${this.#file}.next`
    writeFileSync(next, JSON.stringify({ ...this.#anchor, machineStart: this.#sources.machineStart }), { mode: 0o600 })
    renameSync(next, this.#file)
  }
}

const SYSTEM: TimeSources = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
  uptime: () => {
    try {
      return uptime() * 1_000
    } catch {
      return performance.now() // A sandbox may hide it; then sleep looks like a clock that was set.
    }
  },
  machineStart: machineStart(),
}

const instant = (ms: number): string => new Date(ms).toISOString()

/** Null when there is none, it cannot be read, or it is of another start of the machine. */
function anchorIn(file: string, start: string): Anchor | null {
  try {
    const found = JSON.parse(readFileSync(file, 'utf8')) as Partial<Anchor & { machineStart: string }> | null
    const { at, uptimeMs, machineStart: of } = found ?? {}
    return of === start && Number.isFinite(at) && Number.isFinite(uptimeMs)
      ? { at: at as number, uptimeMs: uptimeMs as number }
      : null
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
