import type { Catalogue } from '../catalogue.js'
import type { Call, DenialCode, Effect, Quote } from '../contracts/call.js'
import type { CallRow } from '../contracts/ledger.js'
import type { Allowlist, Policy, VendorPolicy } from '../contracts/policy.js'

/*
 * What a row tells of its call. A row keeps the operation, the amount and the first customer; whom else the call
 * concerned it does not keep. But what was let through had passed the lists of the policy in force, so a list that holds all
 * of those would have let it through as well.
 */

/** A list whose values a row does not keep. */
export interface List {
  readonly code: DenialCode
  /** As the document names it. */
  readonly key: string
  readonly in: (block: VendorPolicy) => Allowlist | undefined
}

export const LISTS: readonly List[] = [
  { code: 'account_not_allowed', key: 'connected_accounts', in: (block) => block.accounts },
  { code: 'customer_not_allowed', key: 'customers', in: (block) => block.customers },
  { code: 'recipient_not_allowed', key: 'recipients', in: (block) => block.recipients },
  { code: 'sender_not_allowed', key: 'senders', in: (block) => block.senders },
  { code: 'beneficiary_not_allowed', key: 'beneficiaries', in: (block) => block.beneficiaries },
  { code: 'url_not_allowed', key: 'callback_hosts', in: (block) => block.callbackHosts },
  { code: 'currency_not_allowed', key: 'currencies', in: (block) => block.currencies },
]

/** Rules in the order in which they speak (contract §6): one that spoke tells that those before it had nothing to say. */
const ORDER: readonly (DenialCode | null)[] = [
  'operation_not_allowed',
  'effect_not_permitted',
  'rate_limited',
  ...LISTS.map(({ code }) => code),
  'reason_required',
  'amount_unknown',
  'amount_over_limit',
  'run_cap_exceeded',
  'daily_cap_exceeded',
  'budget_exceeded',
  'idempotency_mismatch',
  'duplicate_call',
  'approval_required',
]

/** A recorded call, made ready to be judged again. */
export interface Evidence {
  readonly call: Call
  /** Stands whatever a policy says: it could not be read, its key was frozen, its price is unknown. */
  readonly beyondPolicy: boolean
  /** Whether price and subjects were found out before it was decided on. */
  readonly priced: boolean
}

/** What is in place of personal data that was erased. */
const ERASED = '[erased]'

export function evidenceOf(row: CallRow, catalogue: Pick<Catalogue, 'match'>): Evidence {
  const match = catalogue.match(row.method, row.path)
  const operation = match?.operation
  const effects: Effect[] = [
    ...(operation?.preview ? (['preview'] as const) : []),
    ...(operation ? [operation.effect] : []),
    ...(row.effect === null ? [] : [row.effect as Effect]),
  ]
  const priced = row.requestHash !== '' || (operation !== undefined && operation.explain === undefined)
  const known = row.customer !== null && row.customer !== ERASED
  return {
    call: {
      vendor: row.vendor,
      endpoint: `${row.method} ${row.path}`,
      aliases: match?.aliases ?? [],
      operation: row.operation ?? '',
      effects: [...new Set(effects)],
      quote: quoteOf(row),
      subjects: known ? { customers: [row.customer!] } : {},
      commits: null,
      reason: row.reason,
    },
    beyondPolicy: row.verdict === 'deny' && !spokeByPolicy(row),
    priced,
  }
}

/** Rules of a policy name it: `max-amount (support-refunds@3)`. */
const spokeByPolicy = ({ rule }: CallRow): boolean => rule !== null && /\(.+@[0-9]+\)$/.test(rule)

function quoteOf({ basis, quoted }: CallRow): Quote {
  if (basis === 'exact' || basis === 'ceiling') return { basis, amount: quoted }
  return basis === 'unpriceable'
    ? { basis, why: 'It had no price.' }
    : { basis: 'free', why: 'It was quoted at nothing.' }
}

/**
 * The call with somebody listed in the place of each subject that a policy asks for and the record does not name: rules
 * would take silence for nobody. Whether that somebody may be taken for the true one, `doubtsOf` says.
 */
export function fitted(call: Call, policy: Policy): Call {
  const block = policy.vendors.get(call.vendor)
  const missing = block === undefined ? [] : ASKED.filter((kind) => block[kind] && call.subjects[kind] === undefined)
  if (missing.length === 0) return call
  const subjects = Object.fromEntries(missing.map((kind) => [kind, block![kind]!.entries.slice(0, 1)]))
  return { ...call, subjects: { ...call.subjects, ...subjects } }
}
const ASKED = ['customers', 'recipients', 'senders'] as const

/** What a new policy asks that the record does not answer. */
export interface Doubt {
  /** As the document names what is asked: `recipients`. */
  readonly key: string
  readonly why: string
}

/** What to hold a row against: the policy that was in force, and whether the record shows all that was. */
export interface InForce {
  readonly policy: Policy
  /** False where a narrowing or an ancestor's policy may have spoken as well. */
  readonly alone: boolean
}

/** Why nobody can say that the call would pass the lists of a policy; nothing when it surely would. */
export function doubtsOf(row: CallRow, { call, priced }: Evidence, policy: Policy, before: InForce): Doubt[] {
  const block = policy.vendors.get(row.vendor)
  const was = before.policy.vendors.get(row.vendor)
  if (block === undefined) return []
  if (!priced) return [{ key: 'price', why: 'it was refused before its price and whom it concerns were found out' }]
  const doubts = LISTS.filter((list) => list.key !== 'customers' || call.subjects.customers === undefined)
    .filter((list) => !surelyPasses(row, list, block, was))
    .map(({ key }): Doubt => ({
      key,
      why: `${key}: the record does not say whom it concerned, and the list is another`,
    }))
  if (call.effects.includes('future_spend') && !boundsHold(policy, before.policy, row.vendor))
    doubts.push({ key: 'future', why: 'future: the record does not say how many it orders or what it costs a month' })
  if (block.conditions.some((condition) => condition.concerns(call.endpoint)))
    doubts.push({ key: 'conditions', why: 'conditions: the record does not keep the fields of a call' })
  if (block.costs.of(call.endpoint) !== (was?.costs.of(call.endpoint) ?? null))
    doubts.push({ key: 'cost_usd', why: 'cost_usd: the record has what the call cost by the policy of then' })
  return doubts
}

/** Whether the call is refused again for the same reason: it was on none of the old list, which held all of the new. */
export function surelyRefused(row: CallRow, policy: Policy, before: InForce): boolean {
  const list = LISTS.find(({ code }) => code === row.code)
  if (list === undefined || row.verdict === 'allow' || !before.alone || !spokeByPolicy(row)) return false
  const [block, was] = [policy, before.policy].map((each) => each.vendors.get(row.vendor))
  if (block === undefined || was === undefined) return false
  const [now, then] = [list.in(block), list.in(was)]
  return now !== undefined && then !== undefined && holdsAll(then, now)
}

function surelyPasses(row: CallRow, list: List, block: VendorPolicy, was: VendorPolicy | undefined): boolean {
  const now = list.in(block)
  if (now === undefined) return true
  const then = was && list.in(was)
  return toldToPass(row, list.key) && then !== undefined && holdsAll(now, then)
}

/** Whether the row tells that its call passed a list of the policy in force: nothing spoke, or a rule that comes later. */
export function toldToPass({ verdict, code }: CallRow, key: string): boolean {
  const list = LISTS.find((each) => each.key === key)!
  return verdict === 'allow' || ORDER.indexOf(code as DenialCode) > ORDER.indexOf(list.code)
}

/** A star of the smaller list is read as an ordinary character, which only a star of the larger one can stand for. */
function holdsAll(larger: Allowlist, smaller: Allowlist): boolean {
  let known = compared.get(larger)
  if (known === undefined) compared.set(larger, (known = new WeakMap()))
  let all = known.get(smaller)
  if (all === undefined) {
    const entries = new Set(larger.entries)
    known.set(smaller, (all = smaller.entries.every((entry) => entries.has(entry) || larger.has(entry))))
  }
  return all
}
const compared = new WeakMap<Allowlist, WeakMap<Allowlist, boolean>>()

/** Whether the new bounds on what recurs or is ordered are no tighter than those it kept to. */
function boundsHold(policy: Policy, before: Policy, vendor: string): boolean {
  const [now, then] = [policy, before].map((each) => each.vendors.get(vendor)?.future)
  const recurring = (each: Policy): bigint | null =>
    each.budgets
      .filter((rule) => rule.measure === 'recurring' && rule.vendor === vendor)
      .reduce<bigint | null>((least, { cap }) => (least === null || cap < least ? cap : least), null)
  const [cap, was] = [recurring(policy), recurring(before)]
  const quantity = now?.quantityMax
  return (
    (quantity === undefined || (then?.quantityMax !== undefined && then.quantityMax <= quantity)) &&
    (!now?.boundedOnly || then?.boundedOnly === true) &&
    (cap === null || (was !== null && was <= cap))
  )
}
