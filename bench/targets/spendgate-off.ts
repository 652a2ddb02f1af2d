import type { Admission, CallDraft, Ledger, Settlement } from '../../src/contracts/ledger.js'
import { usd, ZERO, type Usd } from '../../src/contracts/money.js'
import type { Budget, Decision, Usage } from '../../src/contracts/policy.js'
import { callId } from '../../src/ledger/ids.js'
import { SqliteLedger } from '../../src/ledger/sqlite.js'
import type { Role } from '../part.js'
import { start as startGoverned, type Book } from './spendgate.js'
import type { TargetFacts, TargetOptions } from './target.js'

/**
 * The same server with its ledger switched off: it parses, explains, decides and sends as ever, but the calls are
 * counted in memory alone, and no row, no entry and no reservation is written. What the ledger takes of a server's
 * throughput shows against it. Keys, policies and credentials are still in its file.
 */
export async function start(options: TargetOptions): Promise<Role<TargetFacts, 'book', Book>> {
  const unbooked = new Unbooked()
  // Class and composition are the product's own; these methods are all that `govern` asks of a ledger for a call.
  const methods: Pick<Ledger, 'admit' | 'mayLeave' | 'settle'> = {
    admit: (draft, decide) => unbooked.admit(draft, decide),
    mayLeave: () => true,
    settle: (id, settlement) => unbooked.settle(id, settlement),
  }
  Object.assign(SqliteLedger.prototype, methods)
  return startGoverned({ ...options, name: 'spendgate-off' })
}

class Unbooked {
  readonly #totals = new Map<string, { spent: bigint; held: bigint }>()
  readonly #open = new Map<string, { readonly budgets: readonly Budget[]; readonly amount: Usd }>()
  #calls = 0

  async admit(draft: CallDraft, decide: (usage: Usage) => Decision): Promise<Admission> {
    const { key, budgets, quoted } = draft
    const decision = decide({
      nowMs: Date.now(),
      keys: [key],
      frozen: null,
      budgets: budgets.map((budget) => this.#standing(budget)),
      amount: quoted,
      recurring: ZERO,
      earlier: null,
      duplicate: null,
      approval: null,
      approvalsFull: false,
      rate: [{ count: 0, oldestAt: 0 }],
      rateCounted: false,
    })
    const id = callId(++this.#calls)
    let remaining: Usd | null = null
    if (decision.verdict !== 'deny') {
      for (const budget of budgets) {
        const total = this.#total(budget)
        total.held += quoted
        const left = budget.cap - total.spent - total.held
        if (remaining === null || left < remaining) remaining = usd(left)
      }
      this.#open.set(id, { budgets, amount: quoted })
    }
    return { callId: id, decision, reserved: quoted, remaining, replayOf: null }
  }

  settle(id: string, { outcome }: Settlement): void {
    const call = this.#open.get(id)
    if (call === undefined) return
    this.#open.delete(id)
    for (const budget of call.budgets) {
      const total = this.#total(budget)
      total.held -= call.amount
      if (outcome !== 'released') total.spent += call.amount
    }
  }

  /** Written out like the ledger's own: a spread would cost more than the decision, and none is measured there. */
  #standing(budget: Budget): Usage['budgets'][number] {
    const { spent, held } = this.#total(budget)
    return {
      counter: budget.counter,
      window: budget.window,
      cap: budget.cap,
      code: budget.code,
      label: budget.label,
      rule: budget.rule,
      since: budget.since,
      resetsAt: budget.resetsAt,
      vendor: budget.vendor,
      direction: budget.direction,
      measure: budget.measure,
      enforce: budget.enforce,
      spent: usd(spent),
      held: usd(held),
    }
  }

  #total({ counter, window }: Budget): { spent: bigint; held: bigint } {
    const name = `${counter} ${window}`
    let total = this.#totals.get(name)
    if (total === undefined) this.#totals.set(name, (total = { spent: 0n, held: 0n }))
    return total
  }
}
