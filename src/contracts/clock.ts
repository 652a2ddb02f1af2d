/** The time we were handed. Tests move it; nothing else reads the system clock. */
export interface Clock {
  /** Epoch milliseconds by the wall clock. */
  now(): number
  /** Milliseconds by a clock that is never set, for durations. */
  monotonic(): number
}
