import { LedgerConflict } from '../contracts/ledger.js'
import type { Means } from './means.js'
import { noteOf, type Note } from './notes.js'
import { planOf, type Plan } from './plan.js'
import { undo, type Result } from './undoing.js'

export type { Item, Plan } from './plan.js'
export type { Result } from './undoing.js'

/**
 * Plans what would undo a run and does what the operator confirms of it. One act at a time: what one operator has begun
 * another waits for. One plan at a time, so that nobody's plans keep a vendor busy; acts do not wait for them, because
 * whoever may only look must not hold up whoever undoes.
 */
export class Reversals {
  readonly #means: Means
  readonly #plans = new Turns()
  readonly #acts = new Turns()

  constructor(means: Means) {
    this.#means = means
  }

  /** @param rootId of which root key, where several have a run of that name */
  plan(run: string, rootId?: string): Promise<Plan> {
    return this.#plans.take(() => planOf(run, rootId, this.#means))
  }

  /** What is known of an earlier attempt to do an item. */
  begun(id: string): Note | null {
    return noteOf(this.#means.ledger, id)
  }

  /**
   * Does the items by these ids, planned anew first.
   *
   * @param by who confirmed them
   * @throws LedgerConflict when several root keys used the run's name and none is said: an agent chooses its label, and
   *   what another did under the same is not to be undone with it
   */
  undo(run: string, rootId: string | undefined, ids: readonly string[], by: string): Promise<readonly Result[]> {
    return this.#acts.take(async () => {
      const plan = await planOf(run, rootId, this.#means)
      if (rootId === undefined) refuseSeveral(plan, this.#means)
      return undo(plan, ids, by, this.#means)
    })
  }
}

/** One after the other, whatever became of the one before. */
class Turns {
  #last: Promise<unknown> = Promise.resolve()

  take<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#last.then(work)
    this.#last = next.catch(() => undefined)
    return next
  }
}

function refuseSeveral({ run, items }: Plan, { ledger }: Means): void {
  const roots = [...new Set(items.map(({ deed: { keyId } }) => ledger.key(keyId)?.rootId ?? keyId))]
  if (roots.length > 1)
    throw new LedgerConflict(`${roots.length} keys have a run ${run}: ${roots.join(', ')}. Say which is meant (key).`)
}
