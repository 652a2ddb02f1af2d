/** A limit that still leaves so much to some ways of spending, together. */
export interface Limit {
  /** Indices of the ways it bounds, without repetition. */
  readonly ways: readonly number[]
  /** Micro-USD; never negative. */
  readonly left: bigint
  /** Whose limit it is: a key's own, or shared by those that have a policy or a credential in common. */
  readonly scope: string
  /** What it does not look at: it is for one vendor, for one direction, or for both of one. */
  readonly only: readonly ('vendor' | 'direction')[]
}

/**
 * At most so much can still be spent through all ways together, in micro-USD; null when nothing bounds one of them.
 *
 * Limits overlap (a key's day, its Twilio budget, the month of a policy that many keys share), so neither their sum nor
 * the least of them is the answer. Each attempt takes limits, smaller ones first, and puts the ways together that one
 * covers: the group is bounded by the limit or by the sum of its parts, whichever is less. What would cut through a group
 * is left out, so every attempt gives a bound that holds, and the least of them is told. Where limits contain one another
 * it is exact, and a shared limit counts once; where they cross it may be too high and is never too low.
 */
export function capsLeft(ways: number, limits: readonly Limit[]): bigint | null {
  const bySize = [...limits].sort((a, b) => a.ways.length - b.ways.length)
  const whole = attempt(ways, bySize)
  if (whole.leftOut === 0) return whole.bound
  let least = whole.bound
  for (const order of ordersOf(bySize)) {
    const { bound } = attempt(ways, order)
    if (least === null || (bound !== null && bound < least)) least = bound
  }
  return least
}

/** Those for one vendor or one direction first, because what spans them would be cut through; and one scope left out, because it may cut through another. */
function ordersOf(limits: readonly Limit[]): readonly (readonly Limit[])[] {
  const narrow = (['vendor', 'direction'] as const).filter((what) => limits.some(({ only }) => only.includes(what)))
  const scopes = [...new Set(limits.map(({ scope }) => scope))]
  const fewer = scopes.length > 2 ? scopes.map((scope) => without(limits, scope)) : []
  return [...fewer, ...[limits, ...fewer].flatMap((some) => narrow.map((what) => first(some, what)))]
}

const without = (limits: readonly Limit[], scope: string): readonly Limit[] =>
  limits.filter((limit) => limit.scope !== scope)

const first = (limits: readonly Limit[], what: 'vendor' | 'direction'): readonly Limit[] => [
  ...limits.filter(({ only }) => only.includes(what)),
  ...limits.filter(({ only }) => !only.includes(what)),
]

function attempt(count: number, limits: readonly Limit[]): { readonly bound: bigint | null; readonly leftOut: number } {
  const groups = new Groups(count)
  let leftOut = 0
  for (const { ways, left } of limits) if (!groups.bound(ways, left)) leftOut++
  return { bound: groups.total(), leftOut }
}

/** Ways that were put together, each group known by one of them. */
class Groups {
  readonly #parent: Int32Array
  readonly #size: Int32Array
  readonly #covered: Int32Array
  readonly #most: (bigint | null)[]

  constructor(count: number) {
    this.#parent = new Int32Array(count).map((_, way) => way)
    this.#size = new Int32Array(count).fill(1)
    this.#covered = new Int32Array(count)
    this.#most = new Array<bigint | null>(count).fill(null)
  }

  /** @returns false where the limit would cut through a group */
  bound(ways: readonly number[], left: bigint): boolean {
    const groups: number[] = []
    for (const way of ways) {
      const group = this.#of(way)
      if (this.#covered[group]!++ === 0) groups.push(group)
    }
    let whole = true
    let parts: bigint | null = 0n
    for (const group of groups) {
      whole &&= this.#covered[group] === this.#size[group]
      this.#covered[group] = 0
      const most = this.#most[group]!
      parts = parts === null || most === null ? null : parts + most
    }
    if (!whole) return false
    const into = groups[0]!
    for (let i = 1; i < groups.length; i++) {
      const group = groups[i]!
      this.#parent[group] = into
      this.#size[into]! += this.#size[group]!
    }
    this.#most[into] = parts === null || left < parts ? left : parts
    return true
  }

  /** Nothing bounds a sum of which nothing bounds a part. */
  total(): bigint | null {
    let total = 0n
    for (let way = 0; way < this.#most.length; way++) {
      if (this.#parent[way] !== way) continue
      const most = this.#most[way]!
      if (most === null) return null
      total += most
    }
    return total
  }

  #of(way: number): number {
    let at = way
    while (this.#parent[at] !== at) at = this.#parent[at] = this.#parent[this.#parent[at]!]!
    return at
  }
}
