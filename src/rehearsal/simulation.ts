import type { CallRow, KeyRecord, Ledger } from '../contracts/ledger.js'
import { usd, ZERO, type Usd } from '../contracts/money.js'
import type { Decision, Judge, Level, Policy, Usage } from '../contracts/policy.js'
import type { Direction } from '../contracts/call.js'
import type { VendorRuntime } from '../engine.js'
import { BEFORE_RATE } from '../ledger/before-rate.js'
import { RateWindows } from '../ledger/rate.js'
import { doubtsOf, evidenceOf, fitted, surelyRefused, type Evidence, type InForce } from './evidence.js'
import { callsBetween } from './past.js'
import { Counted, usageOf, type Held } from './counted.js'
import type { TriedPolicy } from './trial.js'

/** Calls that are read; more takes too long to wait for. */
const CALLS_MAX = 1_000_000
const CHANGES_SHOWN = 50
/** Objects whose calls are followed; beyond, a later call on one counts in full. */
const OBJECTS_MAX = 100_000

export interface SimulationMeans {
  readonly ledger: Ledger
  readonly judge: Judge
  readonly vendors: ReadonlyMap<string, Pick<VendorRuntime, 'vendor' | 'catalogue'>>
}

/** Which recorded calls are played again, and under what. */
export interface Wish {
  readonly policy: TriedPolicy
  /** Epoch ms, of when calls began. */
  readonly from: number
  readonly to: number
  readonly run: string | null
  /** This key and those below it. */
  readonly key: string | null
  /** Keys issued under the policy of this name. */
  readonly under: string | null
}

export interface Sum {
  readonly calls: number
  readonly amount: Usd
}

export interface Simulation {
  readonly from: number
  /** Up to here calls were read. */
  readonly to: number
  /** False when there were too many. */
  readonly complete: boolean
  readonly keys: number
  readonly recorded: { readonly admitted: Sum; readonly refused: Sum }
  readonly simulated: { readonly admitted: Sum; readonly refused: Sum }
  readonly newlyRefused: Sum & { readonly byRule: readonly RuleSum[] }
  readonly newlyAllowed: Sum
  /** On objects that a call now refused had made: they would have had nothing to act on. */
  readonly following: Sum
  readonly notJudged: Sum & { readonly byReason: readonly (Sum & { readonly why: string; readonly first: Place })[] }
  readonly caps: readonly CapReached[]
  /** The largest first. */
  readonly changes: readonly Change[]
}

export interface Place {
  readonly call: string
  readonly at: number
}

export interface RuleSum extends Sum {
  readonly rule: string
  readonly code: string
  readonly first: Place
}

export interface CapReached {
  readonly rule: string
  readonly label: string
  readonly cap: Usd
  /** The most that any of its windows has counted. */
  readonly most: Usd
  /** The first call that did not fit any more; null when all did. */
  readonly first: Place | null
  readonly refused: number
}

export interface Change {
  readonly row: CallRow
  readonly becomes: Decision['verdict']
  readonly code: string | null
  readonly rule: string | null
  readonly message: string | null
  readonly amount: Usd
}

/**
 * Plays recorded calls again under another policy, as if their keys had been issued under it: budgets count along the
 * time of the calls, rates too. Narrowings of root keys are left out, as a reissue leaves them out. What a row does not tell
 * is not guessed: such calls are counted apart.
 */
export async function simulate(wish: Wish, means: SimulationMeans): Promise<Simulation> {
  const play = new Play(wish, means)
  const begin = play.countsFrom(wish.from)
  let read = 0
  for await (const rows of callsBetween(means.ledger, begin, wish.to)) {
    for (const row of rows) {
      if (row.at < wish.from) play.recall(row)
      else play.next(row)
    }
    read += rows.length
    if (read >= CALLS_MAX) return play.result(rows.at(-1)?.at ?? wish.to, false)
  }
  return play.result(wish.to, true)
}

/** A key as the new policy sees it, and what was in force for it. */
interface Standing {
  readonly wanted: boolean
  readonly levels: readonly Level[]
  readonly policies: readonly Policy[]
  readonly before: InForce
  readonly credentials: ReadonlyMap<string, string>
  /** Whether any of the policies limits the rate, or refuses identical writes. */
  readonly rated: boolean
  readonly guarded: boolean
  /** What its calls are held against, by vendor and direction. */
  readonly held: Map<string, Held>
}

class Play {
  readonly #wish: Wish
  readonly #means: SimulationMeans
  readonly #standings = new Map<string, Standing | null>()
  readonly #counted = new Counted()
  readonly #rates = new RateWindows(() => [])
  readonly #objects = new Map<string, Usd>()
  readonly #lost = new Set<string>()
  readonly #writes = new Map<string, Place>()
  readonly #keys = new Set<string>()
  readonly #tally = new Tally()

  constructor(wish: Wish, means: SimulationMeans) {
    this.#wish = wish
    this.#means = means
  }

  /** Where the widest window of the policy's budgets began: what was spent in it before counts, too. */
  countsFrom(from: number): number {
    const { judge } = this.#means
    const policy = judge.compile(this.#wish.policy.document, this.#wish.policy.version, [])
    const level: Level = { keyId: '', rootId: '', run: null, runCap: null, policy }
    const budgets = [...policy.vendors.keys()].flatMap((vendor) =>
      judge.budgets([level], { vendor, credentialId: '', direction: 'none' }, from),
    )
    return Math.min(from, ...budgets.flatMap(({ since }) => since ?? []))
  }

  /** Counts a call from before the span as it was. */
  recall(row: CallRow): void {
    const standing = this.#standing(row.keyId)
    if (standing === null || !standing.wanted || row.state === 'denied') return
    this.#counted.count(this.#held(row, standing), costOf(row))
    if (row.object !== null) this.#bring(row, row.quoted)
  }

  next(row: CallRow): void {
    const standing = this.#standing(row.keyId)
    if (standing === null || !standing.wanted) return
    // Other work of the same keys counts on their budgets, and is not judged.
    if (this.#wish.run !== null && row.run !== this.#wish.run) return this.recall(row)
    this.#keys.add(row.keyId)
    this.#tally.recorded(row)
    this.#counted.settleUntil(row.at)
    const catalogue = this.#means.vendors.get(row.vendor)?.catalogue
    if (catalogue === undefined) return this.#tally.unjudged(row, 'its vendor is not known any more')
    const evidence = evidenceOf(row, catalogue)
    if (evidence.beyondPolicy) return this.#tally.stays(row, ZERO)
    if (row.object !== null && this.#lost.has(objectOf(row))) return this.#tally.follows(row)

    const held = this.#held(row, standing)
    const added = this.#addedBy(row)
    const decision = this.#decide(row, evidence, standing, held, added)
    this.#rate(row, standing, decision)
    const again = decision.verdict === 'allow' && surelyRefused(row, standing.policies[0]!, standing.before)
    const refused = decision.verdict === 'deny' || again
    if (!refused) {
      const doubt = standing.policies.flatMap((policy) => doubtsOf(row, evidence, policy, standing.before))[0]
      // What nobody can judge counts as it was, so that what comes after it is judged on what was there.
      if (doubt !== undefined) {
        if (row.state !== 'denied') this.#admit(row, standing, held, row.reserved, costOf(row))
        return this.#tally.unjudged(row, doubt.why)
      }
      const cost = row.state === 'denied' ? added : costOf(row)
      this.#admit(row, standing, held, added, cost)
      this.#tally.passes(row, decision, cost)
      return
    }
    if (row.state !== 'denied' && row.object !== null && this.#lost.size < OBJECTS_MAX) this.#lost.add(objectOf(row))
    this.#tally.refuses(row, again ? { verdict: 'deny', denial: null } : decision, held)
  }

  result(to: number, complete: boolean): Simulation {
    return this.#tally.result({ from: this.#wish.from, to, complete, keys: this.#keys.size }, this.#counted)
  }

  #decide(row: CallRow, { call }: Evidence, standing: Standing, held: Held, added: Usd): Decision {
    const usage: Usage = {
      nowMs: row.at,
      keys: [],
      frozen: null,
      budgets: usageOf(held),
      amount: added,
      recurring: ZERO,
      earlier: row.replayOf === null ? null : { callId: row.replayOf, sameRequest: true, stands: true },
      duplicate: this.#duplicate(row, standing),
      approval: approvalOf(row, standing.before.policy),
      approvalsFull: false,
      rate: standing.rated ? standing.levels.map(({ keyId }) => this.#rates.read(keyId, row.at)) : [],
      rateCounted: false,
    }
    return this.#means.judge.decide(fitted(call, standing.policies[0]!), usage, standing.policies)
  }

  /** What was let through in the record was asked for at what it reserved; what was refused, at its whole quote. */
  #addedBy(row: CallRow): Usd {
    if (row.state !== 'denied') return row.reserved
    const known = row.object === null ? ZERO : (this.#objects.get(objectOf(row)) ?? ZERO)
    return usd((row.quoted > known ? row.quoted - known : 0n) * BigInt(row.count))
  }

  #admit(row: CallRow, { guarded }: Standing, held: Held, added: Usd, cost: Usd): void {
    this.#counted.count(held, added)
    if (cost !== added) this.#counted.later(held, cost - added, row.settledAt ?? row.at)
    if (row.object !== null) this.#bring(row, row.quoted)
    if (!guarded || row.requestHash === '' || row.replayOf !== null) return
    if (this.#writes.size >= OBJECTS_MAX) this.#writes.clear()
    this.#writes.set(`${row.run} ${row.requestHash}`, { call: row.id, at: row.at })
  }

  #bring(row: CallRow, amount: Usd): void {
    if (this.#objects.size >= OBJECTS_MAX) this.#objects.clear()
    this.#objects.set(objectOf(row), amount)
  }

  #duplicate(row: CallRow, { guarded }: Standing): Usage['duplicate'] {
    if (!guarded) return null
    const last = this.#writes.get(`${row.run} ${row.requestHash}`)
    return last === undefined ? null : { callId: last.call, at: last.at }
  }

  #rate(row: CallRow, { levels, rated }: Standing, { denial, verdict }: Decision): void {
    if (!rated) return
    if (verdict === 'deny' && denial !== null && BEFORE_RATE.has(denial.code)) return
    for (const { keyId } of levels) this.#rates.add(keyId, row.at)
  }

  #held(row: CallRow, { levels, credentials, held }: Standing): Held {
    const kind = `${row.vendor} ${row.direction}`
    const known = held.get(kind)
    if (known !== undefined && row.at >= known.since && row.at < known.until) return known
    const credentialId = credentials.get(row.vendor) ?? null
    const direction = row.direction as Direction
    const budgets = this.#means.judge.budgets(levels, { vendor: row.vendor, credentialId, direction }, row.at)
    const now = this.#counted.hold(budgets, row.at)
    held.set(kind, now)
    return now
  }

  #standing(keyId: string): Standing | null {
    let found = this.#standings.get(keyId)
    if (found === undefined) this.#standings.set(keyId, (found = this.#standingOf(keyId)))
    return found
  }

  #standingOf(keyId: string): Standing | null {
    const { ledger, judge } = this.#means
    const { document, version } = this.#wish.policy
    const chain: KeyRecord[] = []
    for (let at = ledger.key(keyId); at !== null; at = at.parentId === null ? null : ledger.key(at.parentId))
      chain.push(at)
    const key = chain[0]
    const record = key && ledger.policies().find(({ id }) => id === key.policyId)
    if (key === undefined || record === undefined) return null
    const { key: wantedKey, under } = this.#wish
    const levels = chain.map((each): Level => ({
      keyId: each.id,
      rootId: each.rootId,
      run: each.run,
      runCap: each.runCap,
      // What a child key was given at its issue is its scope; of a root key only its policy is exchanged.
      policy: judge.compile(document, version, each.parentId === null ? [] : each.narrowings),
    }))
    const policies = [...new Set(levels.map(({ policy }) => policy))]
    return {
      wanted:
        (wantedKey === null || chain.some(({ id }) => id === wantedKey)) && (under === null || record.name === under),
      levels,
      policies,
      rated: policies.some(({ perMinute }) => perMinute !== null),
      guarded: policies.some(({ duplicateWithinMs }) => duplicateWithinMs !== null),
      held: new Map(),
      before: {
        policy: judge.compile(record.document, record.version, []),
        alone: chain.every(({ narrowings, policyId }) => narrowings.length === 0 && policyId === key.policyId),
      },
      credentials: new Map(
        key.credentialIds.flatMap((id) => {
          const vendor = ledger.credential(id)?.vendor
          return vendor === undefined ? [] : [[vendor, id] as const]
        }),
      ),
    }
  }
}

const objectOf = ({ vendor, object }: CallRow): string => `${vendor} ${object}`

/** What it came to, as far as is known. */
function costOf({ state, settled, reserved }: CallRow): Usd {
  return state === 'settled' || state === 'assumed' ? settled : state === 'reserved' ? reserved : ZERO
}

/** A call above the limit of then that was let through had been approved, and is taken for approved at that amount. */
function approvalOf(row: CallRow, { approvalAbove }: Policy): Usage['approval'] {
  if (approvalAbove === null || row.verdict !== 'allow' || row.quoted <= approvalAbove) return null
  return { id: '', state: 'approved', ceiling: row.quoted, expiresAt: Number.POSITIVE_INFINITY, reason: null }
}

interface Growing {
  calls: number
  amount: bigint
}

/** What came of the play, in sums. */
class Tally {
  readonly #was = { admitted: nothing(), refused: nothing() }
  readonly #is = { admitted: nothing(), refused: nothing() }
  readonly #allowed = nothing()
  readonly #following = nothing()
  readonly #rules = new Map<string, Growing & { rule: string; code: string; first: Place }>()
  readonly #reasons = new Map<string, Growing & { why: string; first: Place }>()
  readonly #caps = new Map<string, { first: Place; refused: number }>()
  #changes: Change[] = []

  recorded(row: CallRow): void {
    add(row.state === 'denied' ? this.#was.refused : this.#was.admitted, row.count, costOf(row))
  }

  /** Refused before and again. */
  stays(row: CallRow, amount: Usd): void {
    add(this.#is.refused, row.count, amount)
  }

  passes(row: CallRow, { verdict, denial }: Decision, amount: Usd): void {
    add(this.#is.admitted, row.count, amount)
    if (row.state !== 'denied') return
    add(this.#allowed, row.count, amount)
    const { code = null, rule = null, message = null } = denial ?? {}
    this.#change({ row, becomes: verdict, code, rule, message, amount })
  }

  refuses(row: CallRow, { denial }: Decision, { counters }: Held): void {
    add(this.#is.refused, row.count, ZERO)
    const place = placeOf(row)
    if (denial !== null && counters.some(({ budget }) => budget.rule === denial.rule)) {
      const cap = this.#caps.get(denial.rule)
      if (cap === undefined) this.#caps.set(denial.rule, { first: place, refused: row.count })
      else cap.refused += row.count
    }
    if (row.state === 'denied') return
    const amount = costOf(row)
    const { code = '', rule = '', message = null } = denial ?? {}
    const sum = this.#rules.get(rule)
    if (sum === undefined) this.#rules.set(rule, { rule, code, calls: row.count, amount, first: place })
    else add(sum, row.count, amount)
    this.#change({ row, becomes: 'deny', code, rule, message, amount })
  }

  follows(row: CallRow): void {
    add(this.#is.refused, row.count, ZERO)
    if (row.state !== 'denied') add(this.#following, row.count, costOf(row))
  }

  unjudged(row: CallRow, why: string): void {
    const amount = row.state === 'denied' ? row.quoted : costOf(row)
    const sum = this.#reasons.get(why)
    if (sum === undefined) this.#reasons.set(why, { why, calls: row.count, amount, first: placeOf(row) })
    else add(sum, row.count, amount)
  }

  result(span: Pick<Simulation, 'from' | 'to' | 'complete' | 'keys'>, counted: Counted): Simulation {
    const rules = [...this.#rules.values()].sort(byAmount)
    const reasons = [...this.#reasons.values()].sort(byAmount)
    return {
      ...span,
      recorded: { admitted: frozen(this.#was.admitted), refused: frozen(this.#was.refused) },
      simulated: { admitted: frozen(this.#is.admitted), refused: frozen(this.#is.refused) },
      newlyRefused: { ...sumOf(rules), byRule: rules.map((each) => ({ ...each, amount: usd(each.amount) })) },
      newlyAllowed: frozen(this.#allowed),
      following: frozen(this.#following),
      notJudged: { ...sumOf(reasons), byReason: reasons.map((each) => ({ ...each, amount: usd(each.amount) })) },
      caps: counted.peaks().map(({ budget: { rule, label, cap }, most }) => ({
        rule,
        label,
        cap,
        most,
        first: this.#caps.get(rule)?.first ?? null,
        refused: this.#caps.get(rule)?.refused ?? 0,
      })),
      changes: this.#sorted().slice(0, CHANGES_SHOWN),
    }
  }

  /** Keeps the largest: the list is cut whenever it has grown to twice what is shown. */
  #change(change: Change): void {
    this.#changes.push(change)
    if (this.#changes.length >= 2 * CHANGES_SHOWN) this.#changes = this.#sorted().slice(0, CHANGES_SHOWN)
  }

  #sorted(): Change[] {
    return this.#changes.sort((a, b) => Number(b.amount - a.amount) || a.row.seq - b.row.seq)
  }
}

const nothing = (): Growing => ({ calls: 0, amount: 0n })
const frozen = ({ calls, amount }: Growing): Sum => ({ calls, amount: usd(amount) })
const placeOf = ({ id, at }: CallRow): Place => ({ call: id, at })
const byAmount = (a: Growing, b: Growing): number => Number(b.amount - a.amount) || b.calls - a.calls

function add(sum: Growing, calls: number, amount: Usd): void {
  sum.calls += calls
  sum.amount += amount
}

function sumOf(parts: readonly Growing[]): Sum {
  const whole = nothing()
  for (const { calls, amount } of parts) add(whole, calls, usd(amount))
  return frozen(whole)
}
