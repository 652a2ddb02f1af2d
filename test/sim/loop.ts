import type { Dice } from './dice.js'

/** One thing that can happen next. */
export interface Step {
  readonly what: string
  /** Monotonic ms from which on it can happen. */
  readonly dueAt: number
  /** The process whose end takes it along; null for what goes on without one. */
  readonly owner: object | null
  readonly run: () => void
}

interface Handle {
  ref(): Handle
  unref(): Handle
  hasRef(): boolean
  refresh(): Handle
  readonly step: Step
}

/** Largest extra delay of a step, ms: what a busy machine adds. */
const LATE_MS_MAX = 3
/** How often time goes on although something could happen now. */
const TIME_PASSES = 0.12

/**
 * The event loop of a schedule. It owns every step that waits: immediates and timers of the code under test, and what
 * the network, vendors, agents and the operator are about to do. Which comes next is drawn; immediates keep their order
 * among themselves and timers theirs, as in Node. No real time passes.
 */
export class Loop {
  /** By a clock that is never set, ms. */
  now = 0
  /** The process whose code is running; timers set without one are never run. */
  owner: object | null = null
  readonly #dice: Dice
  #immediates: Step[] = []
  #timers: Step[] = []
  #events: Step[] = []
  readonly #ended = new WeakSet<object>()

  constructor(dice: Dice) {
    this.#dice = dice
  }

  /** Lets something happen on its own account. Without an owner it survives the process. */
  after(ms: number, what: string, run: () => void, owner: object | null = null): void {
    if (owner === null || !this.#ended.has(owner)) this.#events.push({ what, dueAt: this.now + ms, owner, run })
  }

  immediate(run: () => void): Handle {
    const step = { what: 'immediate', dueAt: this.now, owner: this.owner, run }
    if (this.owner !== null) this.#immediates.push(step)
    return handleOf(step)
  }

  timer(ms: number, run: () => void): Handle {
    const step = { what: `timer ${ms}`, dueAt: this.now + Math.max(1, ms), owner: this.owner, run }
    if (this.owner !== null) this.#timers.push(step)
    return handleOf(step)
  }

  clear(handle: unknown): void {
    const step = (handle as Handle | null | undefined)?.step
    if (step === undefined) return
    this.#immediates = this.#immediates.filter((each) => each !== step)
    this.#timers = this.#timers.filter((each) => each !== step)
  }

  /** A process has ended, and with it all that waited for it or would have come to it. */
  drop(owner: object): void {
    this.#ended.add(owner)
    const others = (step: Step): boolean => step.owner !== owner
    this.#immediates = this.#immediates.filter(others)
    this.#timers = this.#timers.filter(others)
    this.#events = this.#events.filter(others)
  }

  /** What happens next, taken out of those that wait; null when nothing does. */
  take(): Step | null {
    const timer = earliest(this.#timers)
    const ready = this.#events.filter(({ dueAt }) => dueAt <= this.now)
    if (this.#immediates.length > 0) ready.push(this.#immediates[0]!)
    if (timer !== null && timer.dueAt <= this.now) ready.push(timer)
    const later = earliest([...this.#events, ...(timer ? [timer] : [])].filter(({ dueAt }) => dueAt > this.now))
    let step: Step
    if (ready.length > 0 && (later === null || !this.#dice.chance(TIME_PASSES))) step = this.#dice.pick(ready)
    else if (later !== null) {
      step = later
      this.now = later.dueAt
    } else return null
    this.now += this.#dice.below(LATE_MS_MAX)
    for (const list of [this.#immediates, this.#timers, this.#events]) {
      const at = list.indexOf(step)
      if (at >= 0) list.splice(at, 1)
    }
    return step
  }
}

function earliest(steps: readonly Step[]): Step | null {
  let first: Step | null = null
  for (const step of steps) if (first === null || step.dueAt < first.dueAt) first = step
  return first
}

function handleOf(step: Step): Handle {
  const handle: Handle = {
    step,
    ref: () => handle,
    unref: () => handle,
    hasRef: () => true,
    refresh: () => handle,
  }
  return handle
}
