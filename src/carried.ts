import type { Budget } from './contracts/policy.js'
import type { Engine } from './engine.js'

const DIRECTIONS = ['none', 'in', 'out'] as const

/**
 * The budgets of a reissued key that are its own, on which what was spent before is counted as well. Those of a policy or
 * a credential go on by themselves. A key that is bound to a run has its cap under the run's name.
 */
export function carriedBudgets(
  { ledger, judge, standings, clock, vendors }: Pick<Engine, 'ledger' | 'judge' | 'standings' | 'clock' | 'vendors'>,
  newId: string,
): readonly Budget[] {
  const { levels } = standings.of(ledger.key(newId)!)
  const own = new Map<string, Budget>()
  for (const vendor of vendors.keys())
    for (const direction of DIRECTIONS)
      for (const budget of judge.budgets(levels, { vendor, credentialId: null, direction }, clock.now()))
        if (budget.counter.startsWith(`key:${newId}`) || budget.counter.startsWith(`run:${newId}:`))
          own.set(budget.counter, budget)
  return [...own.values()]
}
