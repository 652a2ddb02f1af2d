const CONTEXT_LINES = 3
/** Beyond this many comparisons the changed part is shown as taken out and put in whole. */
const CELLS_MAX = 4_000_000

type Step = readonly [mark: ' ' | '-' | '+', before: number, after: number]

/**
 * A unified diff. The lines compared are those of `before` and `after`; the lines shown come from `shown`, the same
 * texts with their secrets shortened.
 */
export function unifiedDiff(
  name: string,
  before: string,
  after: string,
  shown: { readonly before: string; readonly after: string },
): string {
  if (before === after) return ''
  const [a, b] = [linesOf(before), linesOf(after)]
  const [shownA, shownB] = [linesOf(shown.before), linesOf(shown.after)]
  const steps = stepsBetween(a, b)
  const hunks = hunksOf(steps).map((hunk) => {
    const [, beforeAt, afterAt] = hunk[0]!
    const count = (mark: '-' | '+'): number => hunk.filter(([each]) => each === ' ' || each === mark).length
    const lines = hunk.map(([mark, i, j]) => `${mark}${mark === '+' ? shownB[j] : shownA[i]}`)
    return `@@ -${rangeOf(beforeAt, count('-'))} +${rangeOf(afterAt, count('+'))} @@\n${lines.join('\n')}\n`
  })
  return `--- ${before === '' ? '/dev/null' : name}\n+++ ${after === '' ? '/dev/null' : name}\n${hunks.join('')}`
}

const linesOf = (text: string): string[] => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))
const rangeOf = (at: number, count: number): string => `${count === 0 ? at : at + 1},${count}`

function stepsBetween(a: readonly string[], b: readonly string[]): readonly Step[] {
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail])
    tail += 1
  const [aEnd, bEnd] = [a.length - tail, b.length - tail]
  return [
    ...a.slice(0, head).map((_, i): Step => [' ', i, i]),
    ...middle(a, b, head, aEnd, bEnd),
    ...a.slice(aEnd).map((_, i): Step => [' ', aEnd + i, bEnd + i]),
  ]
}

/** By the longest common subsequence. */
function middle(a: readonly string[], b: readonly string[], from: number, aEnd: number, bEnd: number): Step[] {
  const [rows, columns] = [aEnd - from + 1, bEnd - from + 1]
  const small = rows * columns <= CELLS_MAX
  const common = new Uint32Array(small ? rows * columns : 0)
  if (small)
    for (let i = rows - 2; i >= 0; i -= 1)
      for (let j = columns - 2; j >= 0; j -= 1)
        common[i * columns + j] =
          a[from + i] === b[from + j]
            ? common[(i + 1) * columns + j + 1]! + 1
            : Math.max(common[(i + 1) * columns + j]!, common[i * columns + j + 1]!)
  const steps: Step[] = []
  let [i, j] = [from, from]
  while (i < aEnd || j < bEnd) {
    const below = small && i < aEnd ? common[(i + 1 - from) * columns + (j - from)]! : 0
    const right = small && j < bEnd ? common[(i - from) * columns + (j + 1 - from)]! : 0
    if (small && i < aEnd && j < bEnd && a[i] === b[j]) steps.push([' ', i++, j++])
    else if (i < aEnd && (j === bEnd || below >= right)) steps.push(['-', i++, j])
    else steps.push(['+', i, j++])
  }
  return steps
}

function hunksOf(steps: readonly Step[]): Step[][] {
  const changed = steps.flatMap(([mark], at) => (mark === ' ' ? [] : [at]))
  const ranges: [number, number][] = []
  for (const at of changed) {
    const [from, to] = [Math.max(0, at - CONTEXT_LINES), Math.min(steps.length, at + CONTEXT_LINES + 1)]
    const last = ranges.at(-1)
    if (last !== undefined && from <= last[1]) last[1] = to
    else ranges.push([from, to])
  }
  return ranges.map(([from, to]) => steps.slice(from, to))
}
