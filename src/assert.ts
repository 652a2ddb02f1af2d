/** Stops on a bug: better no answer than a guess about someone's money. */
export function assert(truth: boolean, what: string): asserts truth {
  if (!truth) throw new Error(`invariant broken: ${what}`)
}
