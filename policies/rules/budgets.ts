import { formatUsd, larger, usd, ZERO, type Usd } from '../../src/contracts/money.js'
import type { Budget, BudgetRule, Counted, Usage } from '../../src/contracts/policy.js'
import { instant } from './rule.js'
import type { Spoken, SpokenRule } from './rule.js'

/**
 * What is spent, held and asked for stays within each cap. The run's budget speaks first, then the day's. A budget of
 * what recurs counts what the call adds to each month to come, the others what it costs.
 */
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
const passes = (budget: Budget & Counted, usage: Usage): boolean => {
  const added = addedTo(budget, usage)
  return added > ZERO && budget.spent + budget.held + added > budget.cap
}

const addedTo = ({ measure }: Budget, { amount, recurring }: Usage): Usd =>
  measure === 'recurring' ? recurring : amount

function full(budget: Budget & Counted, usage: Usage): Spoken {
  const { spent, held, cap, resetsAt, measure } = budget
  const added = formatUsd(addedTo(budget, usage))
  const left = larger(usd(cap - spent - held), ZERO)
  const reset = resetsAt === null ? 'it does not reset' : `resets ${instant(resetsAt)}`
  const [asked, verb, end] =
    measure === 'recurring'
      ? [`USD ${added} a month`, 'standing', 'more when something that recurs is ended']
      : [`USD ${added}`, 'spent', reset]
  return {
    code: budget.code,
    message:
      `${asked} would pass the cap of ${budget.label}: USD ${formatUsd(spent)} ${verb}, ` +
      `USD ${formatUsd(held)} held, USD ${formatUsd(left)} left, ${end}. Do not retry.`,
    speaker: budget.rule,
    enforce: budget.enforce,
  }
}
