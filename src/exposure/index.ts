import type { Clock } from '../contracts/clock.js'
import type { KeyRecord, Ledger } from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import type { Budget, Judge } from '../contracts/policy.js'
import { Standings } from '../engine.js'
import { capsLeft, type Limit } from './caps-left.js'

const ROWS_A_PAGE = 500
const DAY_MS = 86_400_000

/** What the sum is made from. */
interface Means {
  readonly ledger: Ledger
  readonly judge: Judge
  readonly clock: Clock
}

/**
 * What an agent could still make us lose now: what the caps leave to keys that can be used, what is held by calls under
 * way, and what stands at the vendors and acts by itself (a month of it where it recurs). Null where nothing bounds it.
 * Caps are those of the windows that run now: a day's cap is there again tomorrow.
 */
export interface Exposure {
  /** A budget that several keys share is in it once, so it may be less than the sum over the keys. */
  readonly maxLoss: Usd | null
  readonly capsLeft: Usd | null
  readonly held: Usd
  /** Root keys that can be used or left something behind; what their children can spend and hold is theirs. */
  readonly byKey: readonly ExposedKey[]
}

export interface ExposedKey {
  readonly id: string
  readonly maxLoss: Usd | null
  readonly capsLeft: Usd | null
  readonly held: Usd
  readonly to: { readonly scheduled: Usd; readonly recurring: Usd; readonly open: Usd }
  /** Open things that can be completed any number of times; each is counted as completed once. */
  readonly unlimited: number
}

export async function exposureOf(means: Means): Promise<Exposure> {
  const { ledger, clock } = means
  const [standing, held, roots] = [await standingByRoot(ledger), await heldByRoot(means), await rootKeys(ledger)]
  const usable = roots.filter((key) => isUsable(ledger, key, clock.now()))
  const caps = await capsOf(usable, means)
  const byKey = roots.flatMap((key): ExposedKey | [] => {
    const { scheduled, recurring, open, unlimited } = standing.get(key.id) ?? NOTHING
    const own = held.get(key.id) ?? 0n
    const left = caps.byKey.has(key.id) ? caps.byKey.get(key.id)! : 0n
    const pending = scheduled + recurring + open + own
    if (!caps.byKey.has(key.id) && pending === 0n) return []
    return {
      id: key.id,
      maxLoss: left === null ? null : usd(left + pending),
      capsLeft: left === null ? null : usd(left),
      held: usd(own),
      to: { scheduled: usd(scheduled), recurring: usd(recurring), open: usd(open) },
      unlimited,
    }
  })
  const pending = byKey.reduce((sum, { to, held }) => sum + to.scheduled + to.recurring + to.open + held, 0n)
  return {
    maxLoss: caps.all === null ? null : usd(caps.all + pending),
    capsLeft: caps.all === null ? null : usd(caps.all),
    held: usd(byKey.reduce((sum, line) => sum + line.held, 0n)),
    byKey,
  }
}

interface Standing {
  scheduled: bigint
  recurring: bigint
  open: bigint
  unlimited: number
}
const NOTHING: Standing = { scheduled: 0n, recurring: 0n, open: 0n, unlimited: 0 }

async function standingByRoot(ledger: Ledger): Promise<ReadonlyMap<string, Standing>> {
  const found = new Map<string, Standing>()
  let cursor: string | undefined
  do {
    const page = await ledger.commitments(null, { limit: ROWS_A_PAGE, ...(cursor === undefined ? {} : { cursor }) })
    for (const row of page.rows) {
      const root = rootOf(ledger, row.keyId)
      const sums = found.get(root) ?? { ...NOTHING }
      sums[row.kind] += row.kind === 'recurring' ? row.perMonth : row.counted
      if (row.kind === 'open' && row.quantity === null) sums.unlimited++
      found.set(root, sums)
    }
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return found
}

/** Calls that began before yesterday are not under way any more. */
async function heldByRoot({ ledger, clock }: Means): Promise<ReadonlyMap<string, bigint>> {
  const from = Math.floor(clock.now() / DAY_MS) * DAY_MS - DAY_MS
  const found = new Map<string, bigint>()
  for (const { by, held } of await ledger.spend('key', { from })) {
    if (held === 0n) continue
    const root = rootOf(ledger, by)
    found.set(root, (found.get(root) ?? 0n) + held)
  }
  return found
}

const rootOf = (ledger: Ledger, keyId: string): string => ledger.key(keyId)?.rootId ?? keyId

async function rootKeys(ledger: Ledger): Promise<readonly KeyRecord[]> {
  const found: KeyRecord[] = []
  let cursor: string | undefined
  do {
    const page = await ledger.keys({ limit: ROWS_A_PAGE, ...(cursor === undefined ? {} : { cursor }) })
    found.push(...page.rows.filter(({ parentId }) => parentId === null))
    cursor = page.next ?? undefined
  } while (cursor !== undefined)
  return found
}

/** Nothing leaves under a key that is revoked, expired or frozen, so its caps are no loss to come. */
function isUsable(ledger: Ledger, { id, run, revokedAt, expiresAt }: KeyRecord, nowMs: number): boolean {
  if (revokedAt !== null || (expiresAt !== null && expiresAt <= nowMs)) return false
  return !ledger
    .freezes()
    .some(
      ({ scope }) =>
        scope.kind === 'all' ||
        (scope.kind === 'key' && scope.value === id) ||
        (scope.kind === 'run' && scope.value === run),
    )
}

/** A budget as one key meets it: what of the key it bounds. */
interface Bound {
  /** Counter and window: the same money for every key that meets it. */
  readonly id: string
  readonly budget: Budget
  /** Places among the key's own ways to spend. */
  readonly ways: readonly number[]
}

interface CapsLeft {
  readonly all: bigint | null
  readonly byKey: ReadonlyMap<string, bigint | null>
}

/** What the caps leave to each of the keys, and to all of them together. */
async function capsOf(keys: readonly KeyRecord[], means: Means): Promise<CapsLeft> {
  const met = boundsOf(keys, means)
  const known = new Map<string, Budget>()
  for (const { bounds } of met) for (const { id, budget } of bounds) known.set(id, budget)
  const used = new Map<string, bigint>()
  const usage = await means.ledger.usage([...known.values()])
  for (const [place, id] of [...known.keys()].entries()) used.set(id, usage[place]!.spent + usage[place]!.held)

  const shared = new Map<string, Step[]>()
  const byKey = new Map<string, bigint | null>()
  let ways = 0
  for (const { keyId, count, bounds } of met) {
    const limits = bounds.map(({ id, budget, ways }) => limitOf(budget, used.get(id)!, ways))
    byKey.set(keyId, capsLeft(count, limits))
    for (const [i, { id, budget }] of bounds.entries()) {
      const steps = shared.get(id) ?? []
      if (steps.length === 0) shared.set(id, steps)
      meet(steps, budget.cap, limits[i]!, ways)
    }
    ways += count
  }
  const all = capsLeft(
    ways,
    [...shared.values()].flatMap((steps) => steps.map(({ limit }) => limit)),
  )
  return { all, byKey }
}

function limitOf({ counter, cap, vendor, direction }: Budget, used: bigint, ways: readonly number[]): Limit {
  const left = cap - used
  return {
    ways,
    left: left > 0n ? left : 0n,
    // `key:key_1|day|*|UTC`: key, policy or cred.
    scope: counter.slice(0, counter.indexOf(':')),
    only: vendor !== null && direction !== null ? BOTH : vendor !== null ? VENDOR : direction !== null ? DIRECTION : [],
  }
}
const VENDOR: Limit['only'] = ['vendor']
const DIRECTION: Limit['only'] = ['direction']
const BOTH: Limit['only'] = ['vendor', 'direction']

/**
 * One counter under one cap. Keys of two versions of a policy may meet one counter under two: the larger cap bounds them
 * all, the smaller one those that meet it.
 */
interface Step {
  readonly cap: bigint
  readonly limit: Limit & { readonly ways: number[] }
}

/** @param offset where the key's own ways begin among all */
function meet(steps: Step[], cap: bigint, limit: Limit, offset: number): void {
  if (!steps.some((step) => step.cap === cap)) {
    const below = steps.filter((step) => step.cap < cap).sort((a, b) => (a.cap > b.cap ? -1 : 1))[0]
    steps.push({ cap, limit: { ...limit, ways: [...(below?.limit.ways ?? [])] } })
  }
  for (const step of steps) if (step.cap >= cap) for (const way of limit.ways) step.limit.ways.push(way + offset)
}

/**
 * The ways each key has to spend, one a vendor, or one a vendor and a direction where budgets look at that, and what of
 * them each of its budgets bounds.
 */
function boundsOf(
  keys: readonly KeyRecord[],
  means: Means,
): readonly { readonly keyId: string; readonly count: number; readonly bounds: readonly Bound[] }[] {
  const { ledger, judge, clock } = means
  const standings = standingsOf(means)
  const frozen = new Set(ledger.freezes().flatMap(({ scope }) => (scope.kind === 'vendor' ? [scope.value] : [])))
  return keys.map((key) => {
    const { levels } = standings.of(key)
    const split = levels.some(({ policy }) => policy.budgets.some(({ direction }) => direction !== null))
    const width = split ? 2 : 1
    const bounds = new Map<string, { readonly id: string; budget: Budget; readonly ways: number[] }>()
    const vendors = new Set<string>()
    for (const credentialId of key.credentialIds) {
      const vendor = ledger.credential(credentialId)?.vendor
      // Of several credentials for one vendor the first is used.
      if (vendor === undefined || vendors.has(vendor) || frozen.has(vendor)) continue
      const places = { in: vendors.size * width, out: vendors.size * width + width - 1 }
      vendors.add(vendor)
      for (const budget of judge.budgets(levels, { vendor, credentialId, direction: 'none' }, clock.now())) {
        if (budget.measure !== 'spent' || !budget.enforce) continue
        const id = `${budget.counter}\n${budget.window}`
        let bound = bounds.get(id)
        if (bound === undefined) bounds.set(id, (bound = { id, budget, ways: [] }))
        else if (budget.cap < bound.budget.cap) bound.budget = budget
        if (budget.direction !== null) bound.ways.push(places[budget.direction])
        else bound.ways.push(...(split ? [places.in, places.out] : [places.in]))
      }
    }
    return { keyId: key.id, count: vendors.size * width, bounds: [...bounds.values()] }
  })
}

/** Policies are compiled once a key, whoever asks how often. */
function standingsOf({ ledger, judge }: Means): Standings {
  let kept = keptStandings.get(ledger)
  if (kept === undefined) keptStandings.set(ledger, (kept = new Standings(ledger, judge)))
  return kept
}
const keptStandings = new WeakMap<Ledger, Standings>()
