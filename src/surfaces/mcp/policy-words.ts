import { PERMITTED_ONLY } from '../../contracts/call.js'
import type { KeyRecord, Ledger } from '../../contracts/ledger.js'
import { formatUsd } from '../../contracts/money.js'
import { zoneOf, type Allowlist, type BudgetRule, type Policy, type VendorPolicy } from '../../contracts/policy.js'
import type { Json, JsonObject } from '../../contracts/vendor.js'
import { isObject } from './service.js'

/** Entries of a list that are written out. */
const ENTRIES_MAX = 20

/** A policy in force, in sentences for whoever must keep to it. */
export function sentencesOf(policy: Policy): string[] {
  return [
    ...(policy.enforce ? [] : ['It only observes: what its rules would refuse is let through and recorded.']),
    ...policy.budgets.map((rule) => budgetIn(rule, policy.timeZone)),
    ...(policy.perMinute === null ? [] : [`At most ${policy.perMinute} calls a minute.`]),
    ...(policy.approvalAbove === null
      ? []
      : [
          `A call above USD ${formatUsd(policy.approvalAbove)} needs the approval of the operator${policy.approvalBy === 'client' ? ' or of the person at the client' : ''}.`,
        ]),
    ...(policy.issue === null || policy.issue.depthMax === 0
      ? []
      : [`POST /tokens issues at most ${policy.issue.childrenMax} living keys below this one.`]),
    ...(policy.requireReason ? ['Every call must give a reason.'] : []),
    ...(policy.duplicateWithinMs === null
      ? []
      : [`A write that is identical to one of the same run is refused for ${spanOf(policy.duplicateWithinMs)}.`]),
    ...[...policy.vendors.values()].flatMap(vendorIn),
  ]
}

const SPAN = { run: 'a run', day: 'a day', month: 'a month', all: 'in all' } as const
const SHARED: Readonly<Record<string, string>> = {
  key: '',
  policy: ', together with every other key under this policy',
  credential: ', together with every other key of the same credential',
}

function budgetIn({ per, cap, vendor, direction, measure, scope }: BudgetRule, zone: string): string {
  const at = vendor === null ? '' : ` at ${vendor}`
  if (measure === 'recurring') return `What recurs${at} may cost at most USD ${formatUsd(cap)} a month.`
  const way = direction === null ? '' : direction === 'in' ? ' taken in' : ' paid out'
  const clock = per === 'day' || per === 'month' ? ` (${zoneOf({ scope }, zone)})` : ''
  const shared = SHARED[scope] ?? `, together with every other key of ${scope.replace(':', ' ')}`
  return `At most USD ${formatUsd(cap)}${way} ${SPAN[per]}${clock}${at}${shared}.`
}

function vendorIn(block: VendorPolicy): string[] {
  const say = (sentence: string): string => `${block.vendor}: ${sentence}`
  const closed = PERMITTED_ONLY.filter((effect) => !block.permit.has(effect))
  return [
    ...(closed.length === 0 ? [] : [say(`Not permitted, whatever the endpoint: ${closed.join(', ')}.`)]),
    ...(block.maxAmount === undefined ? [] : [say(`At most USD ${formatUsd(block.maxAmount)} a call.`)]),
    ...listed('customers', block.customers).map(say),
    ...listed('recipients', block.recipients).map(say),
    ...listed('senders', block.senders).map(say),
    ...listed('currencies', block.currencies).map(say),
    ...listed('destinations of money', block.beneficiaries).map(say),
    ...listed('other accounts of the vendor', block.accounts).map(say),
    ...listed('hosts in addresses among the parameters', block.callbackHosts).map(say),
    ...(block.future.quantityMax === undefined
      ? []
      : [say(`One call may order or offer at most ${block.future.quantityMax}.`)]),
    ...(block.future.boundedOnly ? [say('What others can complete must be limited in number.')] : []),
  ]
}

function listed(what: string, allowed: Allowlist | undefined): string[] {
  if (allowed === undefined) return []
  const { entries } = allowed
  if (entries.length === 0) return [`No ${what}.`]
  const more = entries.length > ENTRIES_MAX ? ` and ${entries.length - ENTRIES_MAX} more` : ''
  return [`Only these ${what}: ${entries.slice(0, ENTRIES_MAX).join(', ')}${more}.`]
}

function spanOf(ms: number): string {
  const units = [
    [86_400_000, 'days'],
    [3_600_000, 'hours'],
    [60_000, 'minutes'],
  ] as const
  const [unit, name] = units.find(([size]) => ms % size === 0) ?? ([1000, 'seconds'] as const)
  return `${ms / unit} ${name}`
}

/** Endpoint patterns of one document or narrowing. */
export interface Endpoints {
  readonly of: string
  readonly allow: readonly string[]
  readonly deny: readonly string[]
}

/**
 * The endpoint patterns a key's calls must fit, every one of them: its policy's, its narrowings', its ancestors'. As
 * written, because a compiled policy only answers questions about them.
 */
export function endpointsOf(ledger: Ledger, chain: readonly KeyRecord[], vendor: string): Endpoints[] {
  const found = chain.flatMap(({ policyId, narrowings, name }) => {
    const record = ledger.policies().find((each) => each.id === policyId)
    if (record === undefined) return []
    return [
      patternsIn(`${record.name}@${record.version}`, record.document, vendor, []),
      ...narrowings.map((patch) => patternsIn(`a narrowing of ${name}`, patch, vendor, ['*'])),
    ]
  })
  // A child issued under its parent's policy says everything twice.
  return [...new Map(found.map((each) => [JSON.stringify([each.allow, each.deny]), each])).values()].filter(
    ({ allow, deny }) => deny.length > 0 || allow[0] !== '*',
  )
}

/** @param absent what it allows when it says nothing: a policy nothing, a narrowing whatever else allows */
function patternsIn(of: string, document: unknown, vendor: string, absent: readonly string[]): Endpoints {
  const at = (value: Json | undefined, name: string): Json | undefined => (isObject(value) ? value[name] : undefined)
  const endpoints = at(at(at(document as JsonObject, 'vendors'), vendor), 'endpoints')
  const texts = (value: Json | undefined, otherwise: readonly string[]): readonly string[] =>
    Array.isArray(value) ? (value as readonly Json[]).map(String) : otherwise
  return { of, allow: texts(at(endpoints, 'allow'), absent), deny: texts(at(endpoints, 'deny'), []) }
}
