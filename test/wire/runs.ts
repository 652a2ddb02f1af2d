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
