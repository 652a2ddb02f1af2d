import type { Clock } from '../contracts/clock.js'

/** What is found out faster than this is found out anew for every asker. */
const CHEAP_MS = 10
/** What is dear may take one part in so many of the time. */
const COST_SHARE = 20

/** A question with an answer that is kept as long as it was dear to find, and found by one asker at a time. */
export function remembered<Of>(clock: Clock, find: () => Promise<Of>): () => Promise<Of> {
  let known: Promise<Of> | null = null
  let until = Number.NEGATIVE_INFINITY
  return () => {
    const began = clock.monotonic()
    if (known !== null && began < until) return known
    until = Number.POSITIVE_INFINITY
    const found = (known = find())
    found.then(
      () => {
        const costMs = clock.monotonic() - began
        until = costMs < CHEAP_MS ? began : began + costMs * COST_SHARE
      },
      () => (until = Number.NEGATIVE_INFINITY),
    )
    return found
  }
}
