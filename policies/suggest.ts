/**
 * The candidate a misspelt word was most likely meant to be, or null when none is near. Case, separators and the
 * unit at the end do not count, so that `dailyCap` finds `daily_cap_usd`.
 */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  const bare = essence(word)
  if (bare.length > WORD_MAX) return null
  let best: string | null = null
  let bestDistance = Math.max(2, Math.floor(bare.length / 3)) + 1
  for (const candidate of candidates) {
    const distance = editDistance(bare, essence(candidate), bestDistance)
    if (distance >= bestDistance) continue
    best = candidate
    bestDistance = distance
  }
  return best
}

const WORD_MAX = 64

const essence = (word: string): string =>
  word
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
    .replace(/usd$/, '')

/** Insertions, deletions and substitutions that lead from a to b; `limit` when there are that many or more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(same, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return Math.min(row[b.length]!, limit)
}
