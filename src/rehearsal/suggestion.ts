import type { CallRow, KeyRecord } from '../contracts/ledger.js'
import { formatUsd, larger, usd, ZERO, type Usd } from '../contracts/money.js'
import type { Policy } from '../contracts/policy.js'
import { BEFORE_RATE } from '../ledger/before-rate.js'
import { RateWindows } from '../ledger/rate.js'
import { callsBetween } from './past.js'
import { simulate, type SimulationMeans } from './simulation.js'
import { writtenOut, type Reasoned } from './suggestion-text.js'
import { VendorSeen } from './vendor-seen.js'

/** Calls that are read; more takes too long to wait for. */
const CALLS_MAX = 1_000_000
const DAY_MS = 86_400_000
const CENT = 10_000n

export interface SuggestionWish {
  /** Epoch ms, of when calls began. */
  readonly from: number
  readonly to: number
  readonly run: string | null
  /** This key and those below it. */
  readonly key: string | null
  /** Only keys whose policy observes. */
  readonly observed: boolean
  readonly name: string
  /** Per cent over what was seen, for caps and rates. */
  readonly headroom: number
}

export interface Suggested {
  readonly document: unknown
  /** The same with a comment on why each line is there. */
  readonly yaml: string
  /** How many calls it covers. */
  readonly calls: number
  /** What was seen and is not in it, or could not be made certain of: sentences. */
  readonly leftOut: readonly string[]
}

/**
 * The least policy under which these calls would have been let through: their endpoints, their customers, their largest
 * amount, and caps a stated share above what they came to. What the record does not keep, such as whom a message went to,
 * is taken over from the policy that was in force.
 */
export async function suggest(wish: SuggestionWish, means: SimulationMeans): Promise<Suggested> {
  const seen = new Seen(means)
  let read = 0
  for await (const rows of callsBetween(means.ledger, wish.from, wish.to)) {
    for (const row of rows) if (seen.concerns(row, wish)) seen.add(row)
    read += rows.length
    if (read >= CALLS_MAX) break
  }
  const leftOut = [...(read >= CALLS_MAX ? [`Only the first ${CALLS_MAX} calls were read.`] : []), ...seen.remarks()]
  const yaml = writtenOut(wish.name, seen.reasoned(wish.headroom))
  const parsed = means.judge.parse(yaml, null)
  if (!parsed.ok) throw new Error(`a suggestion that is no policy: ${parsed.faults[0]?.message}`)
  const { document } = parsed
  if (!wish.observed && seen.calls > 0) {
    const play = { policy: { document, version: 0 }, from: wish.from, to: wish.to, under: null }
    const { newlyRefused, notJudged } = await simulate({ ...play, run: wish.run, key: wish.key }, means)
    for (const { rule, code, calls } of newlyRefused.byRule)
      leftOut.push(`${calls} of the calls would be refused all the same (${code || rule}).`)
    for (const { why, calls } of notJudged.byReason)
      leftOut.push(`For ${calls} of the calls the record does not tell whether they would pass: ${why}.`)
  }
  return { document, yaml, calls: seen.calls, leftOut }
}

/** What calls came to, as far as a policy can say it. */
class Seen {
  calls = 0
  refused = 0
  readonly #means: SimulationMeans
  readonly #vendors = new Map<string, VendorSeen>()
  readonly #days = new Map<string, bigint>()
  readonly #keys = new Map<string, { readonly chain: readonly KeyRecord[]; readonly policy: Policy } | null>()
  readonly #policies = new Set<Policy>()
  readonly #rates = new RateWindows(() => [])
  #perMinute = 0
  #reasons = true
  #firstAt = Number.POSITIVE_INFINITY
  #lastAt = 0

  constructor(means: SimulationMeans) {
    this.#means = means
  }

  concerns(row: CallRow, { run, key, observed }: SuggestionWish): boolean {
    if (run !== null && row.run !== run) return false
    const known = this.#keyOf(row.keyId)
    if (known === null || (key !== null && known.chain.every(({ id }) => id !== key))) return false
    return !observed || !known.policy.enforce
  }

  add(row: CallRow): void {
    const { chain, policy } = this.#keyOf(row.keyId)!
    const root = chain.at(-1)!.id
    if (row.verdict !== 'deny' || !BEFORE_RATE.has(row.code ?? '')) {
      this.#rates.add(root, row.at)
      this.#perMinute = Math.max(this.#perMinute, this.#rates.read(root, row.at).count)
    }
    const runtime = this.#means.vendors.get(row.vendor)
    const match = runtime?.catalogue.match(row.method, row.path) ?? null
    if (row.state === 'denied' || runtime === undefined || match === null) {
      this.refused += row.count
      return
    }
    this.calls += row.count
    this.#policies.add(policy)
    this.#reasons &&= row.reason !== null
    this.#firstAt = Math.min(this.#firstAt, row.at)
    this.#lastAt = Math.max(this.#lastAt, row.at)
    const day = `${root} ${new Date(row.at).toISOString().slice(0, 10)}`
    this.#days.set(day, (this.#days.get(day) ?? 0n) + larger(row.reserved, row.settled))
    let vendor = this.#vendors.get(row.vendor)
    if (vendor === undefined) this.#vendors.set(row.vendor, (vendor = new VendorSeen(runtime.vendor)))
    vendor.add(row, match, policy.vendors.get(row.vendor))
  }

  remarks(): string[] {
    return [
      ...(this.refused === 0 ? [] : [`${this.refused} refused calls are not covered.`]),
      ...[...this.#vendors.values()].flatMap((vendor) => vendor.remarks()),
    ]
  }

  reasoned(headroom: number): Reasoned {
    const most = [...this.#days.values()].reduce((max, sum) => (sum > max ? sum : max), 0n)
    const zones = new Set([...this.#policies].map(({ timeZone }) => timeZone))
    const above = [...this.#policies].map(({ approvalAbove }) => approvalAbove)
    return {
      calls: this.calls,
      span: this.calls === 0 ? null : [new Date(this.#firstAt).toISOString(), new Date(this.#lastAt).toISOString()],
      days: Math.max(1, Math.ceil((this.#lastAt - this.#firstAt) / DAY_MS)),
      mostADay: formatUsd(usd(most)),
      dailyCap: formatUsd(withHeadroom(usd(most), headroom)),
      headroom,
      timeZone: zones.size === 1 ? [...zones][0]! : 'UTC',
      mostAMinute: this.#perMinute,
      perMinute: Math.max(1, Math.ceil((this.#perMinute * (100 + headroom)) / 100)),
      reasons: this.calls > 0 && this.#reasons,
      approvalAbove: above.length > 0 && above.every((each) => each !== null) ? formatUsd(greatest(above)) : null,
      vendors: [...this.#vendors.values()].map((vendor) => vendor.reasoned()),
    }
  }

  #keyOf(id: string): { readonly chain: readonly KeyRecord[]; readonly policy: Policy } | null {
    let known = this.#keys.get(id)
    if (known === undefined) {
      const { ledger, judge } = this.#means
      const chain: KeyRecord[] = []
      for (let at = ledger.key(id); at !== null; at = at.parentId === null ? null : ledger.key(at.parentId))
        chain.push(at)
      const record = ledger.policies().find((each) => each.id === chain[0]?.policyId)
      known = record === undefined ? null : { chain, policy: judge.compile(record.document, record.version, []) }
      this.#keys.set(id, known)
    }
    return known
  }
}

const greatest = (amounts: readonly (Usd | null)[]): Usd =>
  amounts.reduce<Usd>((most, each) => (each === null ? most : larger(most, each)), ZERO)

/** Rounded up to a whole cent. */
function withHeadroom(amount: Usd, percent: number): Usd {
  const raised = (amount * BigInt(100 + percent) + 99n) / 100n
  return usd(((raised + CENT - 1n) / CENT) * CENT)
}
