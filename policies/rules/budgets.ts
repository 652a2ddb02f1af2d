import { formatUsd, larger, usd, ZERO } from '../../src/contracts/money.js'
import type { Budget, BudgetRule, Counted, Usage } from '../../src/contracts/policy.js'
import { instant } from './rule.js'
import type { Spoken, SpokenRule } from './rule.js'

/** What is spent, held and asked for stays within each cap. The run's budget speaks first, then the day's. */
export const runBudgets = within('run-budgets', 'run_cap_exceeded')
export const dailyCap = within('daily-cap', 'daily_cap_exceeded')
export const otherBudgets = within('budgets', 'budget_exceeded')

function within(name: string, code: BudgetRule['code']): SpokenRule {
  return {
    name,
    check(_call, usage) {
      let observed: Spoken | null = null
      for (const budget of usage.budgets) {
        if (budget.code !== code || !passes(budget, usage)) continue
        if (budget.enforce) return full(budget, usage)
        observed ??= full(budget, usage)
      }
      return observed
    },
  }
}

/** A call that adds nothing goes through even where a settlement has taken a counter past its cap. */
const passes = ({ spent, held, cap }: Budget & Counted, { amount }: Usage): boolean =>
  amount > ZERO && spent + held + amount > cap

function full(budget: Budget & Counted, { amount }: Usage): Spoken {
  const { spent, held, cap, resetsAt } = budget
  const left = larger(usd(cap - spent - held), ZERO)
  const reset = resetsAt === null ? 'it does not reset' : `resets ${instant(resetsAt)}`
  return {
    code: budget.code,
    message:
      `USD ${formatUsd(amount)} would pass the cap of ${budget.label}: USD ${formatUsd(spent)} spent, ` +
      `USD ${formatUsd(held)} held, USD ${formatUsd(left)} left, ${reset}. Do not retry.`,
    speaker: budget.rule,
    enforce: budget.enforce,
  }
}
