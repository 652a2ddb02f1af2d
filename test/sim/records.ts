import type { JsonObject } from '../../src/contracts/vendor.js'
import type { Doubt, Finding } from '../../src/contracts/records.js'
import { callSeq } from '../../src/ledger/ids.js'
import { resolveDoubt } from '../../src/reconcile/doubts.js'
import type { Readings } from '../../src/reconcile/reach.js'
import type { Accounts } from './accounts.js'
import type { Dice } from './dice.js'
import type { Loop } from './loop.js'
import type { Network } from './network.js'
import type { Life } from './process.js'
import type { Trace } from './trace.js'
import type { Truth } from './truth.js'

/** How long reading a vendor's records takes at most, ms. What they say may be old when it is booked. */
const READ_MS_MAX = 400

export interface Around {
  readonly loop: Loop
  readonly dice: Dice
  readonly accounts: Accounts
  readonly network: Network
  readonly truth: Truth
  readonly trace: Trace
}

/** Reconciliation, by the product's own means, on records that tell the truth as far as it is out. */
export class Reconciler {
  readonly #around: Around

  constructor(around: Around) {
    this.#around = around
  }

  /** Looks up what became of one of the calls whose outcome is not known, and books it. */
  async act(life: Life): Promise<void> {
    const { dice, truth, trace } = this.#around
    const { rows } = await life.engine.ledger.doubts(null, { limit: 50 })
    if (rows.length === 0 || !life.alive) return
    const row = dice.pick(rows)
    truth.resolving.add(callSeq(row.id)!)
    const readings = { of: () => Promise.resolve({ find: (doubt: Doubt) => this.#find(doubt, life) }) }
    const resolved = await resolveDoubt(row, readings as unknown as Readings, life.engine, { replay: false })
    if (!life.alive) return
    truth.resolving.delete(callSeq(row.id)!)
    trace.say(`reconciled ${truth.rows.get(callSeq(row.id)!)!.tag}: ${resolved.outcome}`)
    trace.count(`reconciled: ${resolved.outcome}`)
  }

  /** What the vendor would have answered, if it has executed the call or one that it takes for the same. */
  #find({ callId }: Doubt, life: Life): Promise<Finding> {
    const { loop, dice, accounts, network, truth } = this.#around
    const { tag } = truth.rows.get(callSeq(callId)!)!
    const alike = [...truth.asked.values()].filter(({ group }) => group === truth.asked.get(tag)!.group)
    const replies = alike.flatMap((asked) => accounts.replies.get(asked.tag) ?? [])
    const done = replies.find(({ status }) => status < 300)
    const open = alike.some(
      (asked) => network.mayAct.has(asked.tag) || (asked.left && asked.fate === null && asked.life.alive),
    )
    const finding: Finding = open
      ? { found: 'unknown', why: 'It may still be executed.' }
      : done === undefined
        ? { found: 'not_executed', why: 'The vendor says so.' }
        : { found: 'executed', reply: done.body as JsonObject, id: tag, why: 'The vendor says so.' }
    return new Promise((resolve) =>
      loop.after(dice.below(READ_MS_MAX), `records of ${tag}`, () => resolve(finding), life),
    )
  }
}
