import { stopwatch } from './nature.js'
import { play, type Outcome, type Planted } from './schedule.js'

export interface Report {
  readonly schedules: number
  /** The first schedule in which a promise was broken; null when all were kept. */
  readonly broken: Outcome | null
  /** How often what happened, over all schedules. */
  readonly counts: ReadonlyMap<string, number>
  /** Real time. */
  readonly ms: number
}

/**
 * Plays schedules one after the other until one breaks a promise.
 *
 * @param first the first seed; the others follow it
 */
export async function campaign(
  first: number,
  schedules: number,
  planted: Planted | null = null,
  progress: (played: number) => void = () => {},
): Promise<Report> {
  const startedAt = stopwatch()
  const counts = new Map<string, number>()
  for (let played = 0; played < schedules; played++) {
    const outcome = await play(first + played, planted)
    for (const [what, count] of outcome.counts) counts.set(what, (counts.get(what) ?? 0) + count)
    if (outcome.violation !== null)
      return { schedules: played + 1, broken: outcome, counts, ms: stopwatch() - startedAt }
    progress(played + 1)
  }
  return { schedules, broken: null, counts, ms: stopwatch() - startedAt }
}

/** How to see a schedule again. */
export const again = (seed: number): string => `npm run test:sim -- --seed ${seed} --trace`

/** What a campaign came to, for whoever reads the output. */
export function told({ schedules, counts, ms }: Report, first: number): string {
  const lines = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([what, count]) => `  ${what.padEnd(40)} ${String(count).padStart(9)}`)
  const rate = `${(ms / schedules).toFixed(1)} ms each, ${Math.round((schedules / ms) * 1000)} a second`
  return `${schedules} schedules from seed ${first} (${rate})\n${lines.join('\n')}`
}

/** A broken promise: what, where, how to see it again, and the end of the trace. */
export function toldBroken({ seed, violation, trace }: Outcome, whole: boolean): string {
  const shown = whole ? trace : trace.slice(-25)
  return [
    `seed ${seed} broke a promise. ${violation!.message}`,
    ...(whole ? [] : [`See it again: ${again(seed)}`]),
    ...shown.map((line) => `  ${line}`),
    ...(violation!.stack === undefined || !whole ? [] : [violation!.stack]),
  ].join('\n')
}
