import { usd, ZERO, type Usd } from '../contracts/money.js'
import type { Budget, Usage } from '../contracts/policy.js'

/** Counters that are kept; beyond, those of windows that are over are let go. */
const COUNTERS_MAX = 50_000
/** Rows are not quite in the order of time. */
const DAY_MS = 86_400_000

interface Counter {
  readonly budget: Budget
  amount: bigint
  most: bigint
}

/** What calls of one kind are held against, as long as the windows are these. */
export interface Held {
  readonly counters: readonly Counter[]
  /** The same as rules see them; brought up to date by `usageOf`. */
  readonly usage: readonly (Budget & { spent: Usd; readonly held: Usd })[]
  readonly since: number
  readonly until: number
}

interface Later {
  readonly at: number
  readonly counters: readonly Counter[]
  readonly difference: bigint
}

/** What budgets have counted in a play, along the time of its calls. */
export class Counted {
  readonly #counters = new Map<string, Counter>()
  /** What a settlement changes once it comes, the next one last. */
  readonly #later: Later[] = []
  readonly #peaks = new Map<string, { readonly budget: Budget; most: bigint }>()

  /** The counters of budgets, which stay the same until one of their windows is over. */
  hold(budgets: readonly Budget[], at: number): Held {
    if (this.#counters.size > COUNTERS_MAX) this.#letGo(at)
    return {
      counters: budgets.map((budget) => this.#counterOf(budget)),
      usage: budgets.map((budget) => ({ ...budget, spent: ZERO, held: ZERO })),
      since: Math.max(Number.NEGATIVE_INFINITY, ...budgets.flatMap(({ since }) => since ?? [])),
      until: Math.min(Number.POSITIVE_INFINITY, ...budgets.flatMap(({ resetsAt }) => resetsAt ?? [])),
    }
  }

  count({ counters }: Pick<Held, 'counters'>, amount: bigint): void {
    for (const counter of counters) {
      if (counter.budget.measure !== 'spent') continue
      counter.amount += amount
      if (counter.amount > counter.most) counter.most = counter.amount
    }
  }

  /** What the outcome of a call, once known, makes of its reservation. */
  later({ counters }: Held, difference: bigint, at: number): void {
    let place = this.#later.length
    while (place > 0 && this.#later[place - 1]!.at < at) place--
    this.#later.splice(place, 0, { at, counters, difference })
  }

  settleUntil(at: number): void {
    for (let next = this.#later.at(-1); next !== undefined && next.at <= at; next = this.#later.at(-1)) {
      this.#later.pop()
      this.count(next, next.difference)
    }
  }

  /** Each budget rule with the most that one of its windows counted, the fullest first. */
  peaks(): readonly { readonly budget: Budget; readonly most: Usd }[] {
    for (const counter of this.#counters.values()) this.#peak(counter)
    const used = ({ budget, most }: { budget: Budget; most: bigint }): number =>
      budget.cap === ZERO ? Number.POSITIVE_INFINITY : Number(most) / Number(budget.cap)
    return [...this.#peaks.values()]
      .sort((a, b) => used(b) - used(a))
      .map(({ budget, most }) => ({ budget, most: usd(most) }))
  }

  #counterOf(budget: Budget): Counter {
    const name = `${budget.counter} ${budget.window}`
    let counter = this.#counters.get(name)
    if (counter === undefined) this.#counters.set(name, (counter = { budget, amount: 0n, most: 0n }))
    return counter
  }

  #peak({ budget, most }: Counter): void {
    if (budget.measure !== 'spent') return
    const peak = this.#peaks.get(budget.rule)
    if (peak === undefined) this.#peaks.set(budget.rule, { budget, most })
    else if (most > peak.most) peak.most = most
  }

  #letGo(at: number): void {
    for (const [name, counter] of this.#counters)
      if (counter.budget.resetsAt !== null && counter.budget.resetsAt < at - DAY_MS) {
        this.#peak(counter)
        this.#counters.delete(name)
      }
  }
}

/** The counters as rules see them. The next call that is held against them finds the same objects. */
export function usageOf({ counters, usage }: Held): Usage['budgets'] {
  for (const [place, counter] of counters.entries()) usage[place]!.spent = usd(counter.amount)
  return usage
}
