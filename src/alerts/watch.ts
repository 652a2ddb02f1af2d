import type { CallRow, KeyRecord } from '../contracts/ledger.js'
import { formatUsd, usd } from '../contracts/money.js'
import type { Budget, Counted } from '../contracts/policy.js'
import type { Engine } from '../engine.js'
import { alertOf, nameOf, type Alert } from './alert.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** Shares of a cap that are told, in percent, the largest first. */
const THRESHOLDS = [100n, 80n, 50n] as const
/** So many refusals of one key within a minute are a burst. */
const BURST = 20
const BURST_MS = MINUTE_MS
const BURST_QUIET_MS = 15 * MINUTE_MS
const DOUBT_QUIET_MS = 15 * MINUTE_MS
const REFUSED_QUIET_MS = HOUR_MS
/** Keys that are watched for bursts at a time. */
const BURSTS_MAX = 10_000
/** Requests for approval that are looked up in one go; each call that asks for one wakes this up. */
const APPROVALS_MAX = 50

export type WatchMeans = Pick<Engine, 'ledger' | 'judge' | 'standings' | 'credentials' | 'clock' | 'approvalLink'>

interface Burst {
  since: number
  refused: number
  readonly codes: Map<string, number>
  /** A row that many refusals share is told of with each of them: the last one, and how many it had. */
  last: { readonly seq: number; readonly count: number }
}

/**
 * Makes alerts of what happens to calls. `see` is called with every change of a row and only takes note; what takes
 * longer is done in `look`, for all that was noted since.
 */
export class Watch {
  readonly #means: WatchMeans
  readonly #tell: (alert: Alert) => void
  /** Whose budgets have moved: key, vendor and direction. */
  readonly #moved = new Map<string, Pick<CallRow, 'keyId' | 'vendor' | 'direction'>>()
  readonly #bursts = new Map<string, Burst>()
  /** Refused calls that wait for a person. */
  readonly #asking = new Map<string, CallRow>()

  constructor(means: WatchMeans, tell: (alert: Alert) => void) {
    this.#means = means
    this.#tell = tell
  }

  see(row: CallRow): void {
    if (row.state === 'denied') return this.#denied(row)
    if (row.quoted > 0n || row.reserved > 0n || row.settled > 0n)
      this.#moved.set(`${row.keyId} ${row.vendor} ${row.direction}`, row)
    if (row.state === 'assumed') this.#assumed(row)
    if (row.upstreamStatus === 401) this.#refused(row)
  }

  /** @throws LedgerFault when budgets cannot be read; what was noted is looked at again */
  async look(): Promise<void> {
    await this.#budgets()
    await this.#approvals()
  }

  /** Calls whose outcome nobody heard because the last process ended. */
  async begin(): Promise<void> {
    const { ledger, clock } = this.#means
    const since = clock.now() - DAY_MS
    const { rows } = await ledger.doubts(since, { limit: 100 })
    const last = rows.at(-1)
    if (last === undefined) return
    this.#tell(
      alertOf({
        kind: 'call.assumed',
        about: `start ${last.id}`,
        at: clock.now(),
        message: `${rows.length === 100 ? 'At least 100 calls' : many(rows.length, 'call')} of the last day have an outcome that is not known, and count as spent. The last of them is ${last.id}. Reconciliation finds out what it can.`,
        facts: { call: last.id, calls: rows.length },
      }),
    )
  }

  #denied(row: CallRow): void {
    if (row.code === 'approval_required' && this.#asking.size < APPROVALS_MAX) this.#asking.set(row.id, row)
    const now = this.#means.clock.now()
    let burst = this.#bursts.get(row.keyId)
    if (burst === undefined || now - burst.since >= BURST_MS) {
      const last = burst?.last ?? { seq: 0, count: 0 }
      if (this.#bursts.size >= BURSTS_MAX) this.#bursts.clear()
      this.#bursts.set(row.keyId, (burst = { since: now, refused: 0, codes: new Map(), last }))
    }
    const more = row.seq === burst.last.seq ? Math.max(0, row.count - burst.last.count) : row.count
    burst.last = { seq: row.seq, count: row.count }
    burst.refused += more
    const code = row.code ?? 'unknown'
    burst.codes.set(code, (burst.codes.get(code) ?? 0) + more)
    if (burst.refused < BURST) return
    const [most] = [...burst.codes].sort(([, a], [, b]) => b - a)
    const key = this.#keyName(row.keyId)
    this.#tell(
      alertOf({
        kind: 'denials.burst',
        about: row.keyId,
        at: now,
        quietMs: BURST_QUIET_MS,
        message: `${burst.refused} calls of the key ${key} were refused within a minute, most of them with ${most![0]}. If this is no mistake in a policy, revoke the key or freeze it.`,
        facts: { key: row.keyId, key_name: key, refused: burst.refused, code: most![0], vendor: row.vendor },
      }),
    )
    this.#bursts.set(row.keyId, { since: now, refused: 0, codes: new Map(), last: burst.last })
  }

  #assumed(row: CallRow): void {
    this.#tell(
      alertOf({
        kind: 'call.assumed',
        about: row.vendor,
        at: this.#means.clock.now(),
        quietMs: DOUBT_QUIET_MS,
        message: `What became of a call to ${row.vendor} is not known (${row.id}, ${row.operation ?? 'unknown operation'}): USD ${formatUsd(row.settled)} counts as spent until the vendor's records say otherwise.`,
        facts: {
          call: row.id,
          key: row.keyId,
          run: row.run,
          vendor: row.vendor,
          operation: row.operation,
          assumed_usd: formatUsd(row.settled),
        },
      }),
    )
  }

  #refused(row: CallRow): void {
    const { ledger, credentials, clock } = this.#means
    const key = ledger.key(row.keyId)
    const credential = key === null ? null : credentials.of(key, row.vendor)
    if (credential === null) return
    this.#tell(
      alertOf({
        kind: 'credential.refused',
        about: credential.id,
        at: clock.now(),
        quietMs: REFUSED_QUIET_MS,
        message: `${row.vendor} does not accept the credential ${credential.name} (401 to ${row.id}). Until it is rotated every call under it fails.`,
        facts: { credential: credential.id, credential_name: credential.name, vendor: row.vendor, call: row.id },
      }),
    )
  }

  async #budgets(): Promise<void> {
    if (this.#moved.size === 0) return
    const { ledger, judge, standings, credentials, clock } = this.#means
    const noted = [...this.#moved.values()]
    const now = clock.now()
    const found = new Map<string, { readonly budget: Budget; readonly key: KeyRecord }>()
    for (const { keyId, vendor, direction } of noted) {
      const key = ledger.key(keyId)
      if (key === null) continue
      const credentialId = credentials.of(key, vendor)?.id ?? null
      const call = { vendor, credentialId, direction: direction as 'in' | 'out' | 'none' }
      for (const budget of judge.budgets(standings.of(key).levels, call, now))
        if (budget.cap > 0n) found.set(`${budget.counter}\n${budget.window}`, { budget, key })
    }
    const all = [...found.values()]
    const used = await ledger.usage(all.map(({ budget }) => budget))
    // Noted again meanwhile, it is looked at again: what is read here may be older.
    for (const row of noted) {
      const name = `${row.keyId} ${row.vendor} ${row.direction}`
      if (this.#moved.get(name) === row) this.#moved.delete(name)
    }
    all.forEach(({ budget, key }, at) => this.#threshold(budget, used[at]!, key, now))
  }

  #threshold(budget: Budget, { spent, held }: Counted, key: KeyRecord, now: number): void {
    const used = usd(spent + held)
    const reached = THRESHOLDS.filter((percent) => used * 100n >= budget.cap * percent)
    const [highest, ...lower] = reached
    if (highest === undefined) return
    const about = (percent: bigint): string => `${budget.counter} ${budget.window} ${percent}`
    const resets = budget.resetsAt === null ? null : new Date(budget.resetsAt).toISOString()
    const share = used > budget.cap ? 'More than all' : highest === 100n ? 'All' : `${highest} %`
    this.#tell(
      alertOf({
        kind: 'budget.threshold',
        about: about(highest),
        at: now,
        // A window that is over does not come again; a day more for clocks that differ.
        until: budget.resetsAt === null ? null : budget.resetsAt + DAY_MS,
        covers: lower.map((percent) => nameOf('budget.threshold', about(percent))),
        message: `${share} of ${budget.label} is used: USD ${formatUsd(used)} is spent or held${budget.measure === 'recurring' ? ' every month' : ''}, by the rule ${budget.rule}; the last call came under the key ${key.name}.${budget.enforce ? '' : ' The rule only observes.'}${resets === null ? '' : ` It starts anew at ${resets}.`}`,
        facts: {
          percent: Number(highest),
          cap_usd: formatUsd(budget.cap),
          used_usd: formatUsd(used),
          rule: budget.rule,
          budget: budget.counter,
          window: budget.window,
          enforced: budget.enforce,
          resets_at: resets,
          key: key.id,
          key_name: key.name,
        },
      }),
    )
  }

  async #approvals(): Promise<void> {
    const { ledger, approvalLink, clock } = this.#means
    for (const row of [...this.#asking.values()]) {
      const { rows } = await ledger.approvals({ state: 'open', key: row.keyId }, { limit: APPROVALS_MAX })
      this.#asking.delete(row.id)
      // Only the call that opened the request tells of it; those that met it later do not.
      const request = rows.find(({ callId }) => callId === row.id)
      if (request === undefined) continue
      const key = this.#keyName(request.keyId)
      const link = approvalLink?.(request.id) ?? null
      this.#tell(
        alertOf({
          kind: 'approval.waiting',
          about: request.id,
          at: clock.now(),
          until: request.expiresAt,
          message:
            `A call waits for your approval: ${request.operation} at ${request.vendor} for at most USD ${formatUsd(request.ceiling)}, by the key ${key} in the run ${request.run}.${link === null ? '' : ` Decide at ${link} `}`.trimEnd(),
          facts: {
            approval: request.id,
            call: row.id,
            key: request.keyId,
            key_name: key,
            run: request.run,
            vendor: request.vendor,
            operation: request.operation,
            ceiling_usd: formatUsd(request.ceiling),
            expires_at: new Date(request.expiresAt).toISOString(),
            link,
          },
        }),
      )
    }
  }

  #keyName = (id: string): string => this.#means.ledger.key(id)?.name ?? id
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`
