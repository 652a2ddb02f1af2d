import type { AdminDeps } from '../admin/deps.js'
import { budgetsOf } from '../admin/views.js'
import type { KeyRecord } from '../contracts/ledger.js'
import type { Budget, Counted } from '../contracts/policy.js'
import { Bar, percent } from './bar.js'
import type { Html } from './html.js'
import { dollars, span } from './words.js'

const BARS_A_KEY = 4

export interface CapNow extends Budget, Counted {}

/** A key's caps as they stand, the tightest first. */
export async function capsOf({ ledger, judge }: AdminDeps, key: KeyRecord, nowMs: number): Promise<readonly CapNow[]> {
  const budgets = budgetsOf(ledger, judge, key, nowMs)
  const usage = await ledger.usage(budgets)
  return budgets
    .map((budget, i) => ({ ...budget, ...usage[i]! }))
    .sort((a, b) => (a.cap - a.spent - a.held < b.cap - b.spent - b.held ? -1 : 1))
    .slice(0, BARS_A_KEY)
}

export function CapBar({ of, nowMs }: { of: CapNow; nowMs: number }): Html {
  const { spent, held, cap } = of
  return (
    <div class="cap">
      <Bar spent={spent} held={held} cap={cap} />
      <p>
        <span>
          <strong>{dollars(spent)}</strong>
          {held > 0n ? <> + {dollars(held)} held</> : null} of {of.label.replace('USD ', '$')}
          {of.resetsAt === null ? null : <span class="hint"> · resets in {span(of.resetsAt - nowMs)}</span>}
          {of.enforce ? null : <span class="hint"> · observed only</span>}
        </span>
        <span class="share">{percent(spent + held, cap)}</span>
      </p>
    </div>
  )
}
