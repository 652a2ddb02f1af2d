import type { CallRow, Ledger } from '../contracts/ledger.js'
import { usd, ZERO, type Usd } from '../contracts/money.js'
import { callsBetween } from './past.js'

/** Calls that are read; more takes too long to wait for. */
const CALLS_MAX = 1_000_000

export interface ObservedWish {
  /** Epoch ms, of when calls began. */
  readonly from: number
  readonly to: number
  readonly run: string | null
  /** This key and those below it. */
  readonly key: string | null
}

interface Sum {
  readonly calls: number
  readonly amount: Usd
}

/** What policies that only observe let through and would have refused. */
export interface Observed extends Sum {
  readonly from: number
  readonly to: number
  /** False when there were too many calls. */
  readonly complete: boolean
  /** All calls of the span, these among them. */
  readonly all: Sum
  /** The dearest first. */
  readonly byRule: readonly (Sum & { readonly rule: string; readonly code: string; readonly first: CallRow })[]
}

/** Sums up the rows that say `would_deny`, by the rule that would have spoken. Each was judged on what was spent, refused or not. */
export async function observed({ from, to, run, key }: ObservedWish, ledger: Ledger): Promise<Observed> {
  const rules = new Map<string, { rule: string; code: string; calls: number; amount: bigint; first: CallRow }>()
  const all = { calls: 0, amount: ZERO as bigint }
  const below = new Map<string, boolean>()
  let read = 0
  let last = to
  for await (const rows of callsBetween(ledger, from, to)) {
    read += rows.length
    last = rows.at(-1)?.at ?? last
    for (const row of rows) {
      if ((run !== null && row.run !== run) || (key !== null && !isBelow(row.keyId, key, ledger, below))) continue
      const amount = row.state === 'reserved' ? row.reserved : row.settled
      all.calls += row.count
      all.amount += amount
      if (row.verdict !== 'would_deny') continue
      const { rule, code } = { rule: row.rule ?? '', code: row.code ?? '' }
      const sum = rules.get(rule)
      if (sum === undefined) rules.set(rule, { rule, code, calls: row.count, amount, first: row })
      else {
        sum.calls += row.count
        sum.amount += amount
      }
    }
    if (read >= CALLS_MAX) break
  }
  const byRule = [...rules.values()]
    .map((each) => ({ ...each, amount: usd(each.amount) }))
    .sort((a, b) => Number(b.amount - a.amount) || b.calls - a.calls)
  const complete = read < CALLS_MAX
  return {
    from,
    to: complete ? to : last,
    complete,
    all: { calls: all.calls, amount: usd(all.amount) },
    calls: byRule.reduce((sum, { calls }) => sum + calls, 0),
    amount: usd(byRule.reduce((sum, { amount }) => sum + amount, 0n)),
    byRule,
  }
}

function isBelow(keyId: string, above: string, ledger: Pick<Ledger, 'key'>, known: Map<string, boolean>): boolean {
  let found = known.get(keyId)
  if (found === undefined) {
    const parent = ledger.key(keyId)?.parentId ?? null
    found = keyId === above || (parent !== null && isBelow(parent, above, ledger, known))
    known.set(keyId, found)
  }
  return found
}
