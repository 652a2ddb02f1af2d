import type { Effect } from '../src/contracts/call.js'
import { parseUsd } from '../src/contracts/money.js'
import type { Usd } from '../src/contracts/money.js'
import type { Allowlist, BudgetRule, Policy, VendorPolicy } from '../src/contracts/policy.js'
import { conditionsIn, costsOf, inAnyCase, WITH_CATALOGUE } from './configured.js'
import { checkDocument, checkNarrowing, durationMs } from './document.js'
import type { Narrowing, PolicyDocument } from './document.js'
import { allowlist, both, denyMatcher, endpointMatcher } from './patterns.js'

/**
 * The policy in force: a stored document and the narrowings of a key, oldest first. Each narrowing can only tighten:
 * every part is a minimum, an intersection or, for what is forbidden, a union, so their order does not matter.
 * Equal input gives the same object. Throws on what `parse` and `parseNarrowing` refuse.
 */
export function compile(document: unknown, version: number, narrowings: readonly unknown[]): Policy {
  const key = [version, identity(document), ...narrowings.map(identity)].join()
  const known = compiled.get(key)
  if (known !== undefined) return known
  const base = checkDocument(document)
  if (!base.ok)
    throw new Error(
      `policy document: ${base.findings.map((finding) => `${finding.path}: ${finding.message}`).join('; ')}`,
    )
  const layers = narrowings.map((patch) => {
    const checked = checkNarrowing(patch)
    if (!checked.ok)
      throw new Error(
        `narrowing: ${checked.findings.map((finding) => `${finding.path}: ${finding.message}`).join('; ')}`,
      )
    return checked.value
  })
  const policy = assemble(base.value, version, layers)
  if (compiled.size >= KEPT_MAX) forget()
  compiled.set(key, policy)
  return policy
}

// Stored documents never change, so an object's text is worked out once and then known by number. Numbers are not
// reused: forgetting costs a recompilation, never a mix-up.
const KEPT_MAX = 20_000
const compiled = new Map<string, Policy>()
const numbers = new Map<string, number>()
let numbered = new WeakMap<object, number>()
let count = 0

function identity(value: unknown): number {
  const isObject = typeof value === 'object' && value !== null
  const known = isObject ? numbered.get(value) : undefined
  if (known !== undefined) return known
  const text = JSON.stringify(value) ?? ''
  const number = numbers.get(text) ?? ++count
  numbers.set(text, number)
  if (isObject) numbered.set(value, number)
  if (numbers.size > KEPT_MAX) forget()
  return number
}

function forget(): void {
  compiled.clear()
  numbers.clear()
  numbered = new WeakMap()
}

function assemble(base: PolicyDocument, version: number, layers: readonly Narrowing[]): Policy {
  const all: readonly (PolicyDocument | Narrowing)[] = [base, ...layers]
  return Object.freeze({
    name: base.name,
    version,
    enforce: all.some((layer, index) => (index === 0 ? layer.mode !== 'observe' : layer.mode === 'enforce')),
    timeZone: base.timezone ?? 'UTC',
    expiresInMs:
      smallest(all.map((layer) => (layer.expires_in === undefined ? undefined : durationMs(layer.expires_in)))) ?? null,
    perMinute: smallest(all.map((layer) => layer.rate_limit?.per_minute)) ?? null,
    budgets: all.flatMap((layer, index) => budgetsOf(layer, index === 0 ? '' : `narrowings[${index - 1}].`)),
    approvalAbove: smallest(all.map((layer) => amountOf(layer.approval?.above_usd))) ?? null,
    approvalMs: smallest(all.map(({ approval }) => approval && durationMs(approval.expires_in ?? '1h'))) ?? 0,
    approvalBy: approverOf(all.flatMap(({ approval }) => approval ?? [])),
    duplicateWithinMs:
      largest(all.map((layer) => layer.duplicate_guard && durationMs(layer.duplicate_guard.within))) ?? null,
    requireReason: all.some((layer) => layer.require_reason === true),
    issue: issueOf(base, layers),
    vendors: new Map(Object.keys(base.vendors ?? {}).map((vendor) => [vendor, vendorPolicy(vendor, all)])),
  })
}

/** The operator, unless every part that speaks of approvals names the client. */
const approverOf = (said: readonly NonNullable<Narrowing['approval']>[]): Policy['approvalBy'] =>
  said.length > 0 && said.every(({ by }) => by === 'client') ? 'client' : 'operator'

/** A narrowing bounds what the document grants and grants nothing itself. */
function issueOf(base: PolicyDocument, layers: readonly Narrowing[]): Policy['issue'] {
  if (base.issue === undefined) return null
  const said = [base, ...layers].flatMap(({ issue }) => issue ?? [])
  return {
    childrenMax: smallest(said.map(({ max_children }) => max_children))!,
    depthMax: smallest(said.map(({ max_depth }, index) => (index === 0 ? (max_depth ?? 1) : max_depth)))!,
  }
}

function budgetsOf(layer: PolicyDocument | Narrowing, prefix: string): BudgetRule[] {
  const daily: BudgetRule[] =
    layer.daily_cap_usd === undefined
      ? []
      : [
          {
            per: 'day',
            cap: amountOf(layer.daily_cap_usd)!,
            vendor: null,
            direction: null,
            measure: 'spent',
            scope: 'key',
            code: 'daily_cap_exceeded',
            at: `${prefix}daily_cap_usd`,
          },
        ]
  const others = (layer.budgets ?? []).map((budget, index): BudgetRule => ({
    per: budget.per,
    cap: amountOf(budget.cap_usd)!,
    vendor: budget.vendor ?? null,
    direction: budget.direction ?? null,
    measure: 'spent',
    scope: budget.scope ?? 'key',
    code: budget.per === 'run' ? 'run_cap_exceeded' : 'budget_exceeded',
    at: `${prefix}budgets[${index}]`,
  }))
  const monthly = Object.entries(layer.vendors ?? {}).flatMap(([vendor, { future }]): BudgetRule[] =>
    future?.recurring_usd_per_month === undefined
      ? []
      : [
          {
            per: 'all',
            cap: amountOf(future.recurring_usd_per_month)!,
            vendor,
            direction: null,
            measure: 'recurring',
            scope: 'key',
            code: 'budget_exceeded',
            at: `${prefix}vendors.${vendor}.future.recurring_usd_per_month`,
          },
        ],
  )
  return [...daily, ...others, ...monthly]
}

type Block = NonNullable<Narrowing['vendors']>[string]

function vendorPolicy(vendor: string, all: readonly (PolicyDocument | Narrowing)[]): VendorPolicy {
  const [base, ...patches] = all.map((layer) => layer.vendors?.[vendor] ?? {})
  const said = <T>(part: (block: Block) => T | undefined): T[] =>
    [base!, ...patches].map(part).filter((value) => value !== undefined)
  const any = (part: (block: Block) => readonly string[] | undefined): Allowlist | undefined => common(said(part))
  const none = (part: (block: Block) => readonly string[] | undefined): Allowlist =>
    common([part(base!) ?? [], ...patches.map(part).filter((value) => value !== undefined)])!

  const allows = [
    base!.endpoints?.allow ?? [],
    ...patches.map((block) => block.endpoints?.allow).filter((allow) => allow !== undefined),
  ].map(endpointMatcher)
  const denied = said((block) => block.endpoints?.deny).flat()
  const denies = WITH_CATALOGUE.has(vendor) ? denyMatcher(denied) : inAnyCase(denied, denyMatcher)
  const maxAmount = smallest(said((block) => block.max_amount_usd).map(amountOf))
  return Object.freeze({
    vendor,
    allows: (endpoint: string) => allows.every((matches) => matches(endpoint)),
    denies,
    permit: new Set<Effect>(
      (base!.permit ?? []).filter((effect) => patches.every((block) => block.permit?.includes(effect) ?? true)),
    ),
    maxAmount,
    customers: any((block) => block.customers),
    currencies: any((block) => block.currencies),
    recipients: any((block) => block.recipients),
    senders: any((block) => block.senders),
    beneficiaries: none((block) => block.beneficiaries),
    accounts: none((block) => block.connected_accounts),
    callbackHosts: none((block) => block.callback_hosts),
    conditions: all.flatMap((layer, index) =>
      conditionsIn(
        layer.vendors?.[vendor]?.conditions,
        `${index === 0 ? '' : `narrowings[${index - 1}].`}vendors.${vendor}`,
      ),
    ),
    costs: costsOf(base!, maxAmount),
    future: Object.freeze({
      quantityMax: smallest(said((block) => block.future?.quantity_max).map((most) => BigInt(most))),
      boundedOnly: said((block) => block.future?.bounded_only).includes(true),
    }),
  })
}

const common = (lists: readonly (readonly string[])[]): Allowlist | undefined =>
  lists.length === 0 ? undefined : lists.map(allowlist).reduce(both)

const amountOf = (text: string | undefined): Usd | undefined => (text === undefined ? undefined : parseUsd(text)!)

function smallest<T extends bigint | number>(values: readonly (T | undefined)[]): T | undefined {
  return values.reduce(
    (least, value) => (value === undefined || (least !== undefined && least <= value) ? least : value),
    undefined,
  )
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const given = values.filter((value) => value !== undefined)
  return given.length === 0 ? undefined : Math.max(...given)
}
