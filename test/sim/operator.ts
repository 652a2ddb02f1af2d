import { judge } from '../../policies/index.js'
import { vendors } from '../../vendors/index.js'
import { issueRootKey, issueRunKey, reissueKey, type IssueDeps, type IssuedKey } from '../../src/admin/issue.js'
import { Problem } from '../../src/admin/problem.js'
import { carriedBudgets } from '../../src/carried.js'
import { LedgerConflict, LedgerFault, type FreezeScope } from '../../src/contracts/ledger.js'
import { formatUsd, usd } from '../../src/contracts/money.js'
import type { Dice } from './dice.js'
import { drawFamily, type Family, type Plan } from './plan.js'
import type { Life } from './process.js'
import type { Trace } from './trace.js'
import { chainOf, type KeyFacts } from './limits.js'
import type { Truth } from './truth.js'

const ACTS = { revoke: 14, freeze: 18, unfreeze: 18, narrow: 14, child: 18, reissue: 18 } as const

/** Who makes keys and takes them back, through the same functions as the admin API. */
export class Operator {
  readonly #dice: Dice
  readonly #truth: Truth
  readonly #trace: Trace
  readonly #families: Family[] = []

  constructor(parts: { readonly dice: Dice; readonly truth: Truth; readonly trace: Trace }) {
    this.#dice = parts.dice
    this.#truth = parts.truth
    this.#trace = parts.trace
  }

  /** Policies and the first keys. */
  async prepare(life: Life): Promise<void> {
    for (let i = this.#dice.chance(0.4) ? 2 : 1; i > 0; i--) this.#families.push(drawFamily(this.#dice))
    for (let i = 1 + this.#dice.below(3); i > 0; i--) await this.#issue(life)
    if (this.#dice.chance(0.6)) await this.#child(life)
  }

  /** One act, drawn. */
  act(life: Life): Promise<void> {
    const act = this.#dice.weighted(ACTS)
    return this.attempt(act, life, () => this.#do(act, life))
  }

  /** Decides on an approval request, and has the agent ask again: once more than it may, sometimes. */
  decide(life: Life, id: string, again: () => void): Promise<void> {
    const decision = this.#dice.chance(0.85) ? 'approved' : 'denied'
    return this.attempt('approve', life, async () => {
      await life.engine.ledger.decideApproval(id, decision, null, 'operator')
      if (!life.alive) return
      this.#trace.say(`operator: ${decision} ${id}`)
      again()
      if (this.#dice.chance(0.4)) again()
    })
  }

  /** What the ledger cannot write or refuses is as if it had not been asked. */
  async attempt(act: string, life: Life, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#trace.count(`operator: ${act}`)
    } catch (fault) {
      // The process may have ended in the middle of it; then nobody hears of the fault.
      if (!life.alive) return
      this.#trace.say(`operator: ${act} failed: ${(fault as Error).name}`)
      this.#trace.count('operator refused')
      const expected = fault instanceof LedgerFault || fault instanceof LedgerConflict || fault instanceof Problem
      if (!expected) this.#truth.broken('no bug is thrown', `${act}: ${(fault as Error).stack}`)
    }
  }

  async #do(act: keyof typeof ACTS, life: Life): Promise<void> {
    const { ledger } = life.engine
    if (act === 'child') return this.#child(life)
    if (act === 'reissue') return this.#reissue(life)
    const key = this.#dice.pick(this.#keys())
    if (act === 'revoke') {
      const { inFlight } = await ledger.revoke(key.id, null, 'operator')
      if (!life.alive) return
      this.#trace.say(`operator: revoked ${key.id}, ${inFlight.length} in flight`)
      // Repeated, it gives the first reply, which is about another moment.
      if (!key.revoked) this.#truth.revoked(key, inFlight)
    } else if (act === 'narrow') {
      const cap = usd(BigInt(5 + this.#dice.below(30)) * 1_000_000n)
      await ledger.narrowKey(key.id, { daily_cap_usd: formatUsd(cap) }, 'operator')
      if (!life.alive) return
      this.#trace.say(`operator: narrowed ${key.id} to ${formatUsd(cap)} a day`)
      key.narrowed.push(cap)
    } else if (act === 'freeze') {
      const scope = this.#scope(key)
      await ledger.freeze(scope, null, 'operator')
      if (!life.alive) return
      this.#trace.say(`operator: froze ${JSON.stringify(scope)}`)
      this.#truth.freezes.push(scope)
    } else {
      const { freezes } = this.#truth
      const scope = freezes.length === 0 ? ({ kind: 'all' } as const) : this.#dice.pick(freezes)
      // From the moment the operator asks for it, calls may leave again.
      const same = JSON.stringify(scope)
      for (let i = freezes.length; i-- > 0;) if (JSON.stringify(freezes[i]) === same) freezes.splice(i, 1)
      this.#trace.say(`operator: unfreezes ${same}`)
      await ledger.unfreeze(scope, 'operator')
    }
  }

  #scope(key: KeyFacts): FreezeScope {
    return this.#dice.pick<FreezeScope>([
      { kind: 'all' },
      { kind: 'vendor', value: this.#dice.pick(vendors).name },
      { kind: 'run', value: this.#dice.pick(['run_a', 'run_b']) },
      { kind: 'key', value: key.id },
      { kind: 'key', value: key.root.id },
    ])
  }

  async #issue(life: Life): Promise<void> {
    const { plan, policy } = await this.#plan(life)
    const wish = {
      name: 'agent',
      policy,
      credentials: vendors.map(({ name }) => `cred_${name}`),
      lifeMs: this.#dice.chance(0.1) ? 60_000 * (1 + this.#dice.below(60)) : null,
      run: this.#dice.chance(0.15) ? this.#dice.pick(['run_a', 'run_b']) : null,
    }
    const issued = await issueRootKey(depsOf(life), wish, 'operator')
    if (life.alive) this.#learn(issued, null, plan)
  }

  async #child(life: Life): Promise<void> {
    const parent = this.#dice.pick(this.#keys())
    const wish = {
      // A child of a bound key belongs to the same run.
      run: parent.run ?? (this.#dice.chance(0.7) ? this.#dice.pick(['run_a', 'run_b']) : null),
      runCap: this.#dice.chance(0.6) ? usd(BigInt(5 + this.#dice.below(20)) * 1_000_000n) : null,
      lifeMs: this.#dice.chance(0.1) ? 600_000 : null,
      name: null,
    }
    const issued = await issueRunKey(depsOf(life), life.engine.ledger.key(parent.id)!, wish, 'operator')
    if (life.alive) this.#learn(issued, parent, parent.plan)
  }

  async #reissue(life: Life): Promise<void> {
    const roots = this.#keys().filter(({ parent }) => parent === null)
    const old = this.#dice.pick(roots)
    const { plan, policy } = await this.#plan(life, old.plan.name)
    const { ledger } = life.engine
    const issued = await reissueKey(depsOf(life), ledger.key(old.id)!, { policy, lifeMs: null, name: null }, 'operator')
    if (!life.alive) return
    for (const each of this.#keys()) if (chainOf(each).includes(old)) each.revoked = true
    const key = this.#learn(issued, null, plan)
    this.#truth.carriedOver(old, key)
    this.#trace.say(`operator: reissued ${old.id} as ${key.id}`)
  }

  /** Stores a document, under a name that has one already or not, and gives what it must mean. */
  async #plan(life: Life, name?: string): Promise<{ readonly plan: Plan; readonly policy: string }> {
    const family = this.#families.find((each) => each.name === name) ?? this.#dice.pick(this.#families)
    const plan = this.#dice.pick(family.plans)
    const { id } = await life.engine.ledger.addPolicy(plan.name, plan.document, 'operator')
    return { plan, policy: id }
  }

  #learn({ record, key: text }: IssuedKey, parent: KeyFacts | null, plan: Plan): KeyFacts {
    const { id, run, runCap, expiresAt } = record
    const facts = {
      id,
      text,
      parent,
      run,
      runCap,
      expiresAt,
      plan,
      // A child begins with its parent's narrowings.
      narrowed: parent === null ? [] : [...parent.narrowed],
      carried: [],
      revoked: parent?.revoked ?? false,
    }
    const known: KeyFacts = Object.assign(facts, { root: parent?.root ?? (facts as unknown as KeyFacts) })
    this.#truth.keys.set(id, known)
    this.#trace.say(
      `operator: ${id} under ${plan.name}${parent === null ? '' : `, child of ${parent.id}`}${run === null ? '' : `, run ${run}`}`,
    )
    return known
  }

  #keys(): KeyFacts[] {
    return [...this.#truth.keys.values()]
  }
}

/** What src/main.ts gives the admin API to make keys with. */
function depsOf({ engine }: Life): Required<IssueDeps> {
  const { ledger, clock, digest } = engine
  return {
    ledger,
    judge,
    digest,
    vendors,
    clock,
    carryOver: (oldId, newId, actor) => ledger.carryOver(oldId, carriedBudgets(engine, newId), actor),
  }
}
