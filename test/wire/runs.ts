/**
 * How long a property is tried. By default few runs from one seed, so that a push is quick and a failure is everybody's.
 * `SPENDGATE_FUZZ_RUNS=1000000 npx vitest run test/wire` is a campaign with a seed of its own, which a failure names.
 */
export function runs(fewest: number): {
  readonly numRuns: number
  readonly seed?: number
  readonly interruptAfterTimeLimit?: number
} {
  const campaign = Number(process.env.SPENDGATE_FUZZ_RUNS ?? 0)
  return campaign > fewest ? { numRuns: campaign } : { numRuns: fewest, seed: 20261121 }
}

/** Milliseconds a property test may take: a campaign sets its own length. */
export const LONG = process.env.SPENDGATE_FUZZ_RUNS === undefined ? 30_000 : 24 * 3600_000

/** How often hostile text repeats itself. Code that is made to count its steps, for mutation testing, gets less of it. */
export const times = (count: number): number =>
  process.env.SPENDGATE_MUTATION_GROUP === undefined ? count : Math.ceil(count / 100)
