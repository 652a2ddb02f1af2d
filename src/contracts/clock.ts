/** The time we were handed. Tests move it; nothing else reads the system clock. */
export interface Clock {
  /** Epoch milliseconds by the wall clock. */
  now(): number
  /** The latest it may be: what ends in time, such as a key, has ended by then. Absent: `now`. */
  latest?(): number
  /** Milliseconds by a clock that is never set, for durations. */
  monotonic(): number
}
