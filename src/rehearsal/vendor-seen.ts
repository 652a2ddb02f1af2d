import type { Match } from '../catalogue.js'
import { PERMITTED_ONLY, type Effect } from '../contracts/call.js'
import type { CallRow } from '../contracts/ledger.js'
import { formatUsd, larger, ZERO, type Usd } from '../contracts/money.js'
import type { VendorPolicy } from '../contracts/policy.js'
import type { Operation, Question, Vendor } from '../contracts/vendor.js'
import { EMPTY } from '../wire/form.js'
import { LISTS, toldToPass } from './evidence.js'
import type { ReasonedBlock, ReasonedEndpoint, ReasonedList } from './suggestion-text.js'

/** Different objects of one operation that are named one by one; more become a pattern. */
const OBJECTS_MAX = 5
/** Operations that a pattern would open as well and that are closed by name. */
const DENIED_MAX = 60
const CUSTOMERS_MAX = 200

interface Used {
  readonly operation: Operation
  readonly route: string
  readonly endpoints: Set<string>
  readonly aliases: readonly string[]
  calls: number
  /** The dearest of them. */
  most: Usd
}

/** What was done at one vendor. */
export class VendorSeen {
  readonly #vendor: Vendor
  readonly #used = new Map<string, Used>()
  readonly #blocks = new Set<VendorPolicy>()
  readonly #effects = new Set<Effect>()
  readonly #customers = new Set<string>()
  /** Lists whose values some call may have been outside of. */
  readonly #open = new Set<string>()
  #most: Usd = ZERO
  /** Calls that a list of customers would surely refuse, and reads whose customer nobody looked up. */
  #ownerless = 0
  #unread = 0
  #spends = false

  constructor(vendor: Vendor) {
    this.#vendor = vendor
  }

  /** @param block what the policy in force said of the vendor */
  add(row: CallRow, match: Match, block: VendorPolicy | undefined): void {
    const { operation } = match
    const endpoint = `${row.method} ${row.path}`
    // A vendor by configuration has no routes: what was called is named as it was.
    const route = operation.routes.find((each) => fits(each, endpoint)) ?? endpoint
    const used = this.#used.get(route)
    if (used === undefined)
      this.#used.set(route, {
        operation,
        route,
        endpoints: new Set([endpoint]),
        aliases: match.aliases,
        calls: row.count,
        most: row.quoted,
      })
    else {
      if (used.endpoints.size <= OBJECTS_MAX) used.endpoints.add(endpoint)
      used.calls += row.count
      used.most = larger(used.most, row.quoted)
    }
    if (block !== undefined) this.#blocks.add(block)
    for (const { key } of LISTS) if (block === undefined || !toldToPass(row, key)) this.#open.add(key)
    for (const effect of [operation.effect, row.effect as Effect | null, operation.preview ? 'preview' : null])
      if (effect !== null) this.#effects.add(effect as Effect)
    this.#most = larger(this.#most, row.quoted)
    this.#spends ||= row.quoted > 0n
    if (row.customer !== null && this.#customers.size <= CUSTOMERS_MAX) this.#customers.add(row.customer)
    const [ownerless, unread] = row.customer === null && !this.#configured ? ownerOf(row, match) : [false, false]
    if (ownerless) this.#ownerless += row.count
    if (unread) this.#unread += row.count
  }

  /** Whether only a policy knows what its calls cost. */
  get #configured(): boolean {
    return this.#vendor.bindings !== undefined
  }

  remarks(): string[] {
    const { name } = this.#vendor
    const unlisted = LISTS.filter(({ key }) => ['recipients', 'senders'].includes(key))
      .filter((list) => this.#spends && this.#customers.size === 0 && this.#takenOver(list.key) === null)
      .filter(() => !this.#configured)
      .map(({ key }) => key)
    return [
      ...(this.#ownerless > 0 && this.#customers.size > 0
        ? [`${name}: for ${this.#ownerless} calls no customer is on record, so customers are left open.`]
        : this.#unread > 0 && this.#customers.size > 0
          ? [
              `${name}: whose objects ${this.#unread} reads were of is not on record. They pass if it is one of the customers seen.`,
            ]
          : []),
      ...(unlisted.length === 0
        ? []
        : [`${name}: whom messages went to and came from is not kept on record. Add ${unlisted.join(' and ')}.`]),
      ...(this.#effects.has('future_spend')
        ? [`${name}: what was made to happen later is not bounded here. Add future.recurring_usd_per_month.`]
        : []),
    ]
  }

  reasoned(): ReasonedBlock {
    const allow = [...this.#used.values()].flatMap(endpointsOf).sort((a, b) => a.pattern.localeCompare(b.pattern, 'en'))
    return {
      vendor: this.#vendor.name,
      allow,
      deny: this.#alsoOpened(allow),
      permit: PERMITTED_ONLY.filter((effect) => this.#effects.has(effect)),
      mostACall: formatUsd(this.#most),
      costs: this.#configured ? [...this.#used.values()].flatMap(costsOf) : [],
      lists: [...this.#customerList(), ...LISTS.flatMap(({ key }) => this.#takenOver(key) ?? [])],
    }
  }

  #customerList(): ReasonedList[] {
    if (this.#customers.size === 0 || this.#customers.size > CUSTOMERS_MAX || this.#ownerless > 0) return []
    return [{ key: 'customers', entries: [...this.#customers].sort(), why: 'as seen' }]
  }

  /** A list of the policy in force that every call kept to. Customers are on record; the others are not. */
  #takenOver(key: string): ReasonedList | null {
    if (key === 'customers' || this.#open.has(key)) return null
    const list = LISTS.find((each) => each.key === key)!
    const lists = [...this.#blocks].map((block) => list.in(block))
    if (lists.some((each) => each === undefined)) return null
    const entries = [...new Set(lists.flatMap((each) => each!.entries))]
    const noneByDefault = ['connected_accounts', 'beneficiaries', 'callback_hosts'].includes(key)
    if (noneByDefault && entries.length === 0) return null
    return { key, entries, why: 'not kept on record; taken over from the policy that was in force' }
  }

  /** What the patterns open beside what was done, as far as the catalogue knows it. */
  #alsoOpened(allow: readonly ReasonedEndpoint[]): readonly string[] {
    const patterns = allow.filter(({ pattern }) => pattern.includes('*'))
    const used = new Set([...this.#used.values()].map(({ operation }) => operation))
    const others = this.#vendor.operations
      .filter((operation) => !used.has(operation))
      .flatMap(({ routes }) => routes.filter((route) => patterns.some(({ pattern }) => fits(pattern, sample(route)))))
      .map(starred)
    const kept = [...this.#used.values()].flatMap(({ endpoints, aliases }) => [...endpoints, ...aliases.map(sample)])
    const safe = [...new Set(others)].filter((pattern) => kept.every((endpoint) => !fits(pattern, endpoint)))
    return safe.length > DENIED_MAX ? [] : safe.sort()
  }
}

/**
 * What a list of customers would make of a call that has none on record, as far as its path tells: whether it would surely
 * be refused, and else whether it would be looked up whose it is.
 */
function ownerOf({ effect, method }: CallRow, { operation, params }: Match): [ownerless: boolean, unread: boolean] {
  if (operation.explain === undefined) return [effect !== 'read', false]
  if (effect !== 'read' || method !== 'GET') return [true, false]
  const explained = operation.explain(bareQuestion(method, params))
  if ('lookUp' in explained) return [false, true]
  return [explained.subjects.customers !== undefined, false]
}

/** Few objects are named as they were seen; many become the route with a star for each. */
function endpointsOf({ route, endpoints, calls }: Used): ReasonedEndpoint[] {
  const counted = calls === 1 ? '1 call' : `${calls} calls`
  if (endpoints.size > OBJECTS_MAX) return [{ pattern: starred(route), why: `${counted}, on many objects` }]
  return [...endpoints].sort().map((pattern, i) => ({ pattern, why: i === 0 ? counted : null }))
}

/** What calls were counted at. A read that cost nothing needs no word. */
const costsOf = (used: Used): readonly (readonly [pattern: string, usd: string])[] =>
  used.most === 0n && used.operation.effect === 'read'
    ? []
    : endpointsOf(used).map(({ pattern }) => [pattern, formatUsd(used.most)])

const starred = (route: string): string => route.replace(/\{[^}]*\}/g, '*')
const sample = (route: string): string => route.replace(/\{[^}]*\}/g, 'x')

/** Whether an endpoint is one of a route, `{id}` standing for one segment, or of a pattern, `*` standing for anything. */
function fits(written: string, endpoint: string): boolean {
  let test = tests.get(written)
  if (test === undefined) {
    const text = written
      .split(/(\{[^}]*\}|\*)/)
      .map((part) => (part === '*' ? '.*' : part.startsWith('{') ? '[^/]+' : part.replace(/[.+?^$()|[\]\\]/g, '\\$&')))
    tests.set(written, (test = new RegExp(`^${text.join('')}$`)))
  }
  return test.test(endpoint)
}
const tests = new Map<string, RegExp>()

/** A question in which nothing stands but the path. */
const bareQuestion = (method: string, path: Question['path']): Question => ({
  method,
  path,
  params: EMPTY,
  json: undefined,
  header: () => undefined,
  account: '',
  apiVersion: '',
  rates: { convert: () => null, why: () => '' },
  prices: { prefix: () => null, flat: () => null, safety: '1', why: () => '' },
  nowMs: 0,
  restricted: { customers: true, recipients: false, senders: false },
})
