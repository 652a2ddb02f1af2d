import type { CredentialRecord } from '../contracts/ledger.js'
import { formatUsd, usd, ZERO } from '../contracts/money.js'
import { RecordsFault, type DaySum, type Moved, type Movements, type Reach } from '../contracts/records.js'
import { SealFault } from '../custody/seal.js'
import { hear, type Means } from './hearing.js'
import type { MovementsStep, Unexplained } from './index.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** What was read is read again for so long: records may appear late. */
const OVERLAP_MS = 2 * HOUR_MS
/** Stripe keeps events for 30 days (docs.stripe.com/api/events, November 2026); the others are read no further back. */
const BACK_MAX_MS = 29 * DAY_MS
/** A call may be under way for as long: until its outcome is booked, nobody knows what it made. */
const UNDER_WAY_MS = 90_000
/** The span asked for at once, and the shortest it is cut down to when it holds too much. */
const SPAN_MS = 7 * DAY_MS
const SPAN_MIN_MS = MINUTE_MS
/** Movements of one credential in one run; the next run goes on from there. */
const MOVED_MAX = 20_000
/** Unexplained movements named in a report; the ledger has them all. */
const NAMED_MAX = 500
/** A vendor's sums of a day are complete some hours after it. */
const DAY_SETTLES_MS = 6 * HOUR_MS
const DAYS_BACK = 7
/** From this share of what moved on, in percent, what nobody explains is warned of. */
const WARN_PERCENT = 5n

const CURSORS = 'movements.read'

/** How far each credential's records were read, epoch ms. */
type Cursors = Readonly<Record<string, { readonly moved?: number; readonly days?: number }>>

/** What reading one credential's records showed. */
interface Account {
  /** Everything that moved in the span that was read, and what of it calls and their objects explain. */
  readonly moved: bigint
  readonly explained: bigint
  /** Whether something is unexplained that was not known to be. */
  readonly news: boolean
  /** Why not everything was read. Null: everything was. */
  readonly fault: string | null
}

/**
 * Reads what moved at the vendors since the last run and books what followed from our calls. What nobody explains is
 * spend that went around spendgate: it is reported, and counts on no key.
 *
 * @param reach how a credential's vendor is reached
 * @throws LedgerFault when nothing can be booked; what a vendor does not tell is among the faults of the report
 */
export function movementsStep(means: Means, reach: (record: CredentialRecord) => Reach): MovementsStep {
  const words = new Words(means)
  return async ({ since }) => {
    const accounts: Account[] = []
    const unexplained: Unexplained[] = []
    for (const record of means.ledger.credentials()) {
      const movements = means.vendors.get(record.vendor)?.vendor.movements
      if (movements?.read === undefined && movements?.days === undefined) continue
      const reader = new AccountReader(record, movements, means, since)
      const account = await reader.read(reach)
      accounts.push(account)
      unexplained.push(...reader.unexplained.slice(0, NAMED_MAX - unexplained.length))
      words.of(record, account)
    }
    const moved = accounts.reduce((sum, account) => sum + account.moved, 0n)
    const explained = accounts.reduce((sum, account) => sum + account.explained, 0n)
    const faults = accounts.flatMap(({ fault }) => (fault === null ? [] : [fault]))
    return { unexplained, explainedPercent: percentOf(explained, moved), faults }
  }
}

/** What the operator is told in the log: that records cannot be read when that changes, and of unexplained spend once a day. */
class Words {
  readonly #means: Means
  readonly #faults = new Map<string, string | null>()
  readonly #warnedOn = new Map<string, number>()

  constructor(means: Means) {
    this.#means = means
  }

  of({ id, vendor, name: credential }: CredentialRecord, { moved, explained, news, fault }: Account): void {
    const { log, metrics, clock } = this.#means
    if (fault !== null && this.#faults.get(id) !== fault)
      log('warn', 'movements_not_read', { vendor, credential, message: fault })
    this.#faults.set(id, fault)
    const around = moved - explained
    if (!news || around * 100n <= moved * WARN_PERCENT) return
    metrics.count('spendgate_unexplained_spend_total', `vendor="${vendor}"`)
    const day = Math.floor(clock.now() / DAY_MS)
    if (this.#warnedOn.get(id) === day) return
    this.#warnedOn.set(id, day)
    const [moved_usd, unexplained_usd] = [formatUsd(usd(moved)), formatUsd(usd(around))]
    log('warn', 'unexplained_spend', { vendor, credential, moved_usd, unexplained_usd })
  }
}

/** `97.3`: rounded down, so that 100.0 means all of it. */
function percentOf(part: bigint, whole: bigint): string | null {
  if (whole === 0n) return null
  const tenths = (part * 1000n) / whole
  return `${tenths / 10n}.${tenths % 10n}`
}

class AccountReader {
  readonly unexplained: Unexplained[] = []
  readonly #record: CredentialRecord
  readonly #movements: Movements
  readonly #means: Means
  readonly #since: number | null
  #moved = 0n
  #explained = 0n
  #heard = 0
  #news = false

  /** @param since epoch ms to read from; null: from where the last run ended */
  constructor(record: CredentialRecord, movements: Movements, means: Means, since: number | null) {
    this.#record = record
    this.#movements = movements
    this.#means = means
    this.#since = since
  }

  async read(reach: (record: CredentialRecord) => Reach): Promise<Account> {
    let fault: string | null = null
    try {
      const reached = reach(this.#record)
      fault = await this.#readMoved(reached)
      await this.#readDays(reached)
    } catch (cause) {
      if (!(cause instanceof RecordsFault || cause instanceof SealFault)) throw cause
      fault = cause.message
    }
    return { moved: this.#moved, explained: this.#explained, news: this.#news, fault }
  }

  /** @returns why it stopped before the end; null when it did not */
  async #readMoved(reach: Reach): Promise<string | null> {
    if (this.#movements.read === undefined) return null
    const now = reach.now() - UNDER_WAY_MS
    const last = cursorsOf(this.#means)[this.#record.id]?.moved
    const begins = this.#movements.beginsNow === true ? now - OVERLAP_MS : 0
    const first = Math.max(this.#record.createdAt, begins)
    const since = this.#since ?? (last === undefined ? first : last - OVERLAP_MS)
    let from = Math.max(since, now - BACK_MAX_MS)
    const gap = this.#since === null && last !== undefined && from > since
    let span = SPAN_MS
    while (from < now) {
      const to = Math.min(from + span, now)
      try {
        for await (const moved of this.#movements.read({ from, to }, reach)) await this.#hear(moved)
      } catch (fault) {
        if (!(fault instanceof RecordsFault) || !fault.tooMuch || span <= SPAN_MIN_MS) throw fault
        span = Math.max(Math.floor(span / 4), SPAN_MIN_MS)
        continue
      }
      from = to
      await this.#keepCursor('moved', to)
      if (this.#heard >= MOVED_MAX && from < now) return `More than ${MOVED_MAX} movements: the next run goes on.`
    }
    if (!gap) return null
    const day = new Date(last).toISOString().slice(0, 10)
    return `What moved at ${this.#record.vendor} between ${day} and 29 days ago was not read in time, and cannot be any more.`
  }

  async #hear(moved: Moved): Promise<void> {
    this.#heard++
    const { verdict, fresh, why } = await hear(moved, this.#record, true, this.#means)
    if (verdict === 'routine') return
    if (verdict === 'unexplained') this.#name(moved, fresh, why)
    // Where the vendor tells its sums, these are what is explained or not.
    if (this.#movements.days !== undefined) return
    const amount = moved.amount ?? 0n
    this.#moved += amount
    if (verdict !== 'unexplained') this.#explained += amount
  }

  #name({ id, at, kind, objects, amount }: Moved, fresh: boolean, why: string | null): void {
    if (fresh) this.#news = true
    const { vendor, name } = this.#record
    const object = objects.find((each) => each !== id) ?? null
    this.unexplained.push({ vendor, credential: name, id, at, kind, object, amount, why: why ?? '' })
  }

  /** Whole days by the vendor's own sums: what it charged beyond what our calls count for. */
  async #readDays(reach: Reach): Promise<void> {
    if (this.#movements.days === undefined) return
    const now = reach.now()
    const ended = Math.floor((now - DAY_SETTLES_MS) / DAY_MS) * DAY_MS
    const since = this.#since ?? cursorsOf(this.#means)[this.#record.id]?.days ?? this.#record.createdAt
    const from = Math.max(Math.ceil(since / DAY_MS) * DAY_MS, ended - DAYS_BACK * DAY_MS)
    for (const day of await this.#movements.days({ from, to: ended }, reach)) await this.#compare(day)
    if (ended > from) await this.#keepCursor('days', ended)
  }

  async #compare({ day, from, to, amount }: DaySum): Promise<void> {
    const ours = await this.#means.ledger.countedUnder(this.#record.id, { from, to })
    this.#moved += amount
    this.#explained += amount < ours.calls ? amount : ours.calls
    // What is named one by one is not reported a second time in a sum.
    const known = ours.calls + ours.unexplained
    if (amount === ZERO || (amount - known) * 100n <= amount * WARN_PERCENT) return
    const excess: Moved = {
      id: `usage:${day}`,
      at: from,
      kind: 'usage',
      direction: 'out',
      cause: 'request',
      objects: [],
      makes: [],
      complete: true,
      upstreamKey: null,
      requestId: null,
      amount: usd(amount - known),
      record: null,
    }
    const why = `${this.#record.vendor} charged USD ${formatUsd(amount)} for ${day}; calls through spendgate count for USD ${formatUsd(ours.calls)}.`
    const { fresh } = await hear(excess, this.#record, true, this.#means)
    this.#name(excess, fresh, why)
  }

  /** A setting is an entry in the chain, so it is written when there is something to remember, and else once a day. */
  async #keepCursor(of: 'moved' | 'days', at: number): Promise<void> {
    const cursors = cursorsOf(this.#means)
    const before = cursors[this.#record.id]?.[of] ?? 0
    // A run over a later span leaves what is before it to the next one.
    if (this.#since !== null && (at <= before || this.#since > before)) return
    if (this.#heard === 0 && at - before < DAY_MS && before !== 0) return
    const own = { ...cursors[this.#record.id], [of]: at }
    const living = new Set(this.#means.ledger.credentials().map(({ id }) => id))
    const others = Object.entries(cursors).filter(([id]) => living.has(id))
    await this.#means.ledger.putSetting(CURSORS, { ...Object.fromEntries(others), [this.#record.id]: own }, 'movements')
  }
}

const cursorsOf = ({ ledger }: Means): Cursors => (ledger.setting(CURSORS) as Cursors | undefined) ?? {}
