import type { Direction } from '../src/contracts/call.js'
import type { Usd } from '../src/contracts/money.js'
import { formatUsd } from '../src/contracts/money.js'
import { zoneOf, type Budget, type BudgetRule, type Level, type Policy } from '../src/contracts/policy.js'
import { windowAt } from './windows.js'

/**
 * Every counter a call is held against, for the calling key and its ancestors. Spans that differ (day or month, one
 * vendor or all, one direction or both, another time zone) are different counters. Where two budgets share counter and window, one is left:
 * the smallest cap, and an enforced one before any that is only observed, because dropping it would lift a limit.
 */
export function budgets(levels: readonly Level[], call: Counting, nowMs: number): Budget[] {
  const known = latest.get(levels) ?? []
  const last = known.find((each) => isFor(each, call))
  if (last !== undefined && nowMs >= last.from && nowMs < last.until) return last.budgets
  const found = computed(levels, call, nowMs)
  const from = found.reduce((begin, { since }) => Math.max(begin, since ?? -Infinity), -Infinity)
  const until = found.reduce((end, { resetsAt }) => Math.min(end, resetsAt ?? Infinity), Infinity)
  if (latest.size >= LATEST_MAX) latest.clear()
  const { vendor, credentialId, direction } = call
  latest.set(levels, [
    ...known.filter((each) => each !== last),
    { vendor, credentialId, direction, budgets: found, from, until },
  ])
  return found
}

/** What of a call decides which counters it is held against. */
interface Counting {
  readonly vendor: string
  readonly credentialId: string | null
  readonly direction: Direction
}

/** What was found last, which holds until a window of it ends. Calls of a key as it stands come with the same levels. */
interface Latest extends Counting {
  readonly budgets: Budget[]
  readonly from: number
  readonly until: number
}
const latest = new Map<readonly Level[], readonly Latest[]>()
/** Keys it is kept for: some 2 KiB each. */
const LATEST_MAX = 2_048

const isFor = (a: Counting, b: Counting): boolean =>
  a.direction === b.direction && a.vendor === b.vendor && a.credentialId === b.credentialId

function computed(levels: readonly Level[], call: Counting, nowMs: number): Budget[] {
  const found: Budget[] = []
  for (const level of levels) {
    if (level.runCap !== null) keep(found, runCap(level, level.runCap))
    for (const prepared of preparedFor(level.policy)) {
      const { rule } = prepared
      if (rule.vendor !== null && rule.vendor !== call.vendor) continue
      // A call whose way is not known goes both ways: a cap must not miss what it was made for.
      if (rule.direction !== null && call.direction !== 'none' && rule.direction !== call.direction) continue
      const budget = rule.per === 'run' ? perRun(level, prepared) : perSpan(level, prepared, call.credentialId, nowMs)
      if (budget !== null) keep(found, budget)
    }
  }
  return found
}

/** One or two dozen at most, so a scan costs less than a map. */
function keep(found: Budget[], budget: Budget): void {
  const index = found.findIndex((other) => other.counter === budget.counter && other.window === budget.window)
  if (index === -1) {
    found.push(budget)
    return
  }
  const other = found[index]!
  const wins = budget.enforce === other.enforce ? budget.cap < other.cap : budget.enforce
  if (wins) found[index] = budget
}

/** A run bound to its key has a counter of its own; any other run is only a label, and the whole key counts. */
function perRun({ keyId, rootId, run, policy }: Level, { rule, label, name, suffix }: Prepared): Budget {
  return {
    counter: run === null ? `key:${keyId}:run${suffix}` : `run:${rootId}:${run}${suffix}`,
    window: run ?? 'all',
    cap: rule.cap,
    code: rule.code,
    label: run === null ? `${label}, counted over the whole key` : label,
    rule: name,
    since: null,
    resetsAt: null,
    vendor: rule.vendor,
    direction: rule.direction,
    measure: rule.measure,
    enforce: policy.enforce,
  }
}

function perSpan(
  { keyId, policy }: Level,
  { rule, label, name, suffix }: Prepared,
  credentialId: string | null,
  nowMs: number,
): Budget | null {
  // Without a credential nothing can be sent, so there is nothing to count under it.
  if (rule.scope === 'credential' && credentialId === null) return null
  const window =
    rule.per === 'all' ? EVER : windowAt(zoneOf(rule, policy.timeZone), rule.per === 'month' ? 'month' : 'day', nowMs)
  return {
    counter: ownerOf(rule, keyId, policy, credentialId) + suffix,
    window: window.label,
    cap: rule.cap,
    code: rule.code,
    label,
    rule: name,
    since: window.startAt,
    resetsAt: window.endAt,
    vendor: rule.vendor,
    direction: rule.direction,
    measure: rule.measure,
    enforce: policy.enforce,
  }
}

function ownerOf({ scope }: BudgetRule, keyId: string, policy: Policy, credentialId: string | null): string {
  switch (scope) {
    case 'key':
      return `key:${keyId}`
    case 'policy':
      return `policy:${policy.name}`
    case 'credential':
      return `cred:${credentialId}`
    default:
      return scope
  }
}

/** The window of what is not counted by spans: it began with the ledger and does not end. */
const EVER = { label: 'all', startAt: null, endAt: null } as const

/** The cap an operator gave a run when its key was made. */
const runCap = (level: Level, cap: Usd): Budget =>
  perRun(
    level,
    prepare(level.policy, {
      per: 'run',
      cap,
      vendor: null,
      direction: null,
      measure: 'spent',
      scope: 'key',
      code: 'run_cap_exceeded',
      at: 'cap_usd',
    }),
  )

/** The parts of a budget that depend on the policy alone. */
interface Prepared {
  readonly rule: BudgetRule
  readonly label: string
  /** As denials name it: `daily-cap (support-refunds@3)`. */
  readonly name: string
  readonly suffix: string
}

const preparedBudgets = new WeakMap<Policy, readonly Prepared[]>()

function preparedFor(policy: Policy): readonly Prepared[] {
  const known = preparedBudgets.get(policy)
  if (known !== undefined) return known
  const prepared = policy.budgets.map((rule) => prepare(policy, rule))
  preparedBudgets.set(policy, prepared)
  return prepared
}

function prepare(policy: Policy, rule: BudgetRule): Prepared {
  const vendor = rule.vendor === null ? '' : ` for ${rule.vendor}`
  const zone = zoneOf(rule, policy.timeZone)
  const span =
    rule.measure === 'recurring' ? 'a month of what recurs' : rule.per === 'run' ? 'a run' : `a ${rule.per} (${zone})`
  const way = { in: ' coming in', out: ' going out' }
  const sharing: Readonly<Record<string, string>> = {
    key: '',
    policy: `, shared by all keys under ${policy.name}`,
    credential: ', shared by all keys on the credential',
  }
  const places: Readonly<Record<string, string>> = { daily_cap_usd: 'daily-cap', cap_usd: 'run-cap' }
  const place = rule.at.replace(/(daily_cap_usd|cap_usd)$/, (key) => places[key]!)
  return {
    rule,
    label: `USD ${formatUsd(rule.cap)} ${span}${rule.direction === null ? '' : way[rule.direction]}${vendor}${sharing[rule.scope] ?? `, shared by all keys of ${rule.scope.replace(':', ' ')}`}`,
    name: `${place} (${policy.name}@${policy.version})`,
    suffix: [
      '',
      rule.per,
      rule.vendor ?? '*',
      ...(rule.per === 'run' || rule.per === 'all' ? [] : [zone]),
      ...(rule.direction === null ? [] : [rule.direction]),
      ...(rule.measure === 'spent' ? [] : [rule.measure]),
    ].join('|'),
  }
}
