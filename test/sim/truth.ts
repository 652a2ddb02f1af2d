import type { FreezeScope } from '../../src/contracts/ledger.js'
import { formatUsd, usd } from '../../src/contracts/money.js'
import { callSeq } from '../../src/ledger/ids.js'
import { exposureOf, type Accounts } from './accounts.js'
import type { Disk } from './disk.js'
import type { Fate, Witness } from './network.js'
import { carriedFor, chainOf, countsFor, limitsOn, type Applied, type KeyFacts } from './limits.js'
import { labelOf } from './plan.js'
import type { Life } from './process.js'
import { counted, type Changing, type Reader, type Row } from './rows.js'
import { Sums } from './sums.js'
import type { Trace } from './trace.js'

/** One request of an agent. Its tag goes along as the agent's reason, so that its row can be found. */
export interface Asked {
  readonly tag: string
  readonly key: KeyFacts
  readonly vendor: string
  /** The same for requests of which the vendor executes one. */
  readonly group: string
  life: Life
  /** When the ledger was asked, and the limits in force then. */
  draftAt: number
  limits: readonly Applied[]
  left: boolean
  fate: Fate | null
  /** answered; broken: the ledger could not write; lost: the process ended. */
  state: 'open' | 'answered' | 'broken' | 'lost'
}

/** A promise of the contract that was broken. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

const HOUR_MS = 3_600_000
const JUMP_MS = 26 * HOUR_MS
const BACK_MS = 5 * 60_000
const IDEMPOTENCY_MS = 23 * HOUR_MS

const EDGES: Readonly<Record<string, readonly string[]>> = {
  denied: [],
  reserved: ['settled', 'released', 'assumed'],
  settled: [],
  released: [],
  assumed: [],
}

/**
 * What really happened, kept beside the product and asked after every commit whether the ledger says the same. It knows
 * what no part of the product knows: what the vendors did, when a revocation was acknowledged, which process is dead.
 */
export class Truth implements Witness {
  /** The first promise that was found broken. */
  violation: Violation | null = null
  readonly asked = new Map<string, Asked>()
  readonly keys = new Map<string, KeyFacts>()
  readonly freezes: FreezeScope[] = []
  /** Rows whose outcome is being looked up in the vendors' records. */
  readonly resolving = new Set<number>()
  readonly #rows = new Map<number, Row>()
  readonly #byTag = new Map<string, Row>()
  readonly #byGroup = new Map<string, Row[]>()
  readonly #sums = new Sums((promise, detail) => this.broken(promise, detail))
  readonly #accounts: Accounts
  readonly #trace: Trace
  readonly #wall: () => number
  readonly #monotonic: () => number
  readonly #decided: () => Disk['decided']
  #last = 0

  constructor(parts: {
    readonly accounts: Accounts
    readonly trace: Trace
    readonly wall: () => number
    readonly monotonic: () => number
    /** When what is being committed was decided; null when that is now. */
    readonly decided: () => Disk['decided']
  }) {
    this.#accounts = parts.accounts
    this.#trace = parts.trace
    this.#wall = parts.wall
    this.#monotonic = parts.monotonic
    this.#decided = parts.decided
  }

  get rows(): ReadonlyMap<number, Row> {
    return this.#rows
  }

  /** Notes a broken promise. The first is the one to look at; what follows may only follow from it. */
  broken(promise: string, detail: string): void {
    this.violation ??= new Violation(`${promise}: ${detail}`)
  }

  // What agents and the operator do

  ask(asked: Asked): void {
    this.asked.set(asked.tag, asked)
  }

  /** The ledger is asked to admit a call: from here on its day and its limits are fixed. */
  asking(asked: Asked): void {
    asked.draftAt = asked.life.engine.clock.now()
    asked.limits = limitsOn(asked.key, asked.vendor, asked.draftAt)
  }

  answered(asked: Asked, callId: string | undefined, decision: string | undefined): void {
    asked.state = 'answered'
    const row = this.#rows.get(callSeq(callId ?? '') ?? 0)
    if (row === undefined) return this.broken('one row a request', `${asked.tag} was answered as ${callId}, no row`)
    const shared = row.state === 'denied' && row.count > 1
    if (row.tag !== asked.tag && !shared)
      this.broken('one row a request', `${asked.tag} was answered as ${callId}, the row of ${row.tag}`)
    if (decision === 'deny' && row.state !== 'denied' && asked.fate !== 'withheld')
      this.broken('one row a request', `${asked.tag} was refused and its row is ${row.state}`)
  }

  revoked(key: KeyFacts, inFlight: readonly string[]): void {
    for (const each of this.keys.values()) if (chainOf(each).includes(key)) each.revoked = true
    const named = new Set(inFlight.map((id) => this.#rows.get(callSeq(id) ?? 0)?.tag))
    for (const asked of this.asked.values()) {
      const row = this.#byTag.get(asked.tag)
      if (row === undefined || !chainOf(asked.key).includes(key) || !asked.life.alive) continue
      const flying = asked.left && asked.fate === null
      if (flying && row.state === 'reserved' && !named.has(asked.tag))
        this.broken('in_flight names what had left', `${asked.tag} had left and is not named`)
      if (!asked.left && named.has(asked.tag))
        this.broken('in_flight names what had left', `${asked.tag} is named and had not left`)
    }
  }

  /** A key took over what another had spent. */
  carriedOver(from: KeyFacts, to: KeyFacts): void {
    for (const { seq, amount } of from.carried)
      to.carried.push({ seq, amount: least(amount, counted(this.#rows.get(seq)!)) })
    for (const row of this.#rows.values())
      if (chainOf(this.keys.get(row.keyId)!).includes(from)) to.carried.push({ seq: row.seq, amount: counted(row) })
  }

  // What the network and the vendors do

  left(by: string, lookUp: boolean): void {
    const asked = this.asked.get(by)!
    const what = lookUp ? `a look-up of ${by}` : by
    const revoked = chainOf(asked.key).find((key) => key.revoked)
    if (revoked) this.broken('after revoke nothing leaves', `${what} left under ${revoked.id}`)
    const frozen = this.#frozen(asked, this.#byTag.get(by)?.run ?? null)
    if (frozen) this.broken('after freeze nothing leaves', `${what} left, frozen by ${JSON.stringify(frozen)}`)
    const now = asked.life.engine.clock.now()
    const ended = chainOf(asked.key).find(({ expiresAt }) => expiresAt !== null && now >= expiresAt)
    if (ended) this.broken('after expiry nothing leaves', `${what} left under ${ended.id}`)
    if (lookUp) return
    if (asked.left) this.broken('a call leaves once', `${by} left again`)
    asked.left = true
    const row = this.#byTag.get(by)
    if (row === undefined) return this.broken('durable before the first byte', `${by} left without a row`)
    if (row.state !== 'reserved') this.broken('durable before the first byte', `${by} left and is ${row.state}`)
  }

  ended(by: string, fate: Fate): void {
    this.asked.get(by)!.fate = fate
  }

  /** A vendor has executed something, now or long after everybody gave up on it. */
  executed(): void {
    this.#covered()
  }

  // What the ledger says

  /** Compares the ledger with the truth, right after a commit. */
  committed(book: Reader): void {
    const known = this.#last
    for (const changing of book.changing(known)) {
      const before = this.#rows.get(changing[0])!
      if (isSame(before, changing)) continue
      const row = book.row(before.seq)
      this.#follow(before, row)
      this.#keep(row)
      if (row.state === 'settled' && before.state === 'settled') this.#trace.count('given back')
    }
    const fresh = book.after(known)
    for (const row of fresh) this.#keep(row)
    for (const row of fresh) this.#admitted(row, book)
    this.#last = fresh.at(-1)?.seq ?? known
    this.#sums.compare(this.#rows.values(), book)
    this.#covered()
  }

  /** What a new process finds is what the last commit left, and what was under way counts as spent. */
  restarted(book: Reader): void {
    this.resolving.clear()
    const found = book.changing(this.#last).length
    if (found < this.#rows.size) this.broken('nothing durable is lost', `${this.#rows.size - found} rows are gone`)
    this.committed(book)
    for (const row of this.#rows.values())
      if (row.state === 'reserved') this.broken('no phantom holds', `#${row.seq} is reserved after a restart`)
  }

  /** When nothing is left to happen. */
  quiet(): void {
    for (const row of this.#rows.values())
      if (row.state === 'reserved') this.broken('no phantom holds', `#${row.seq} (${row.tag}) is reserved for ever`)
    const states = [...this.asked.values()].map(({ state }) => state)
    const open = states.filter((state) => state === 'open').length
    if (open > 0) this.broken('every request is answered', `${open} are not`)
    const rows = [...this.#rows.values()].reduce((sum, { count }) => sum + count, 0)
    const answered = states.filter((state) => state === 'answered').length
    if (rows < answered || rows > states.length)
      this.broken('one row a request', `${answered} of ${states.length} requests were answered, ${rows} are in rows`)
  }

  /** Whether a row may have become what it is now. */
  #follow(before: Row, row: Row): void {
    this.#trace.say(`  #${row.seq} ${row.tag} ${before.state} → ${row.state}, ${formatUsd(usd(counted(row)))}`)
    if (before.state === row.state) {
      const givesBack = row.state === 'settled' && row.settled < before.settled
      if (!givesBack && (row.state !== 'denied' || row.count <= before.count))
        this.broken('states move along their edges', `#${row.seq} is ${row.state} and was changed`)
      return
    }
    this.#trace.count(row.state)
    // What the records say is right by definition; whether it was booked rightly is seen by what is counted then.
    if (before.state === 'assumed' && this.resolving.has(row.seq) && row.state !== 'reserved') return
    if (!EDGES[before.state]!.includes(row.state))
      this.broken('states move along their edges', `#${row.seq} went from ${before.state} to ${row.state}`)
    const asked = this.asked.get(row.tag)
    if (asked !== undefined) this.#outcome(asked, row)
  }

  /** An outcome is what the reply said, and doubt is never given back. */
  #outcome(asked: Asked, row: Row): void {
    const { fate } = asked
    const nothingDone = fate === 'declined' || fate === 'not sent' || fate === 'withheld'
    const atStake = row.quoted > 0n || row.object !== null || row.replayOf !== null
    if (row.state === 'released' && !nothingDone && (atStake || row.effect !== 'read'))
      this.broken('an unknown outcome is never released', `#${row.seq} (${row.tag}) was ${fate ?? 'under way'}`)
    if (row.state === 'settled' && fate !== 'done' && atStake)
      this.broken('an unknown outcome is assumed', `#${row.seq} (${row.tag}) was ${fate ?? 'under way'} and is settled`)
    const replayed = [...this.#rows.values()].some(({ replayOf }) => replayOf === row.seq)
    if (row.state === 'assumed' && nothingDone && asked.life.alive && !replayed)
      this.broken('what was not done is released', `#${row.seq} (${row.tag}) was ${fate} and is assumed`)
  }

  #keep(row: Row): void {
    const known = this.#rows.get(row.seq)
    this.#rows.set(row.seq, row)
    if (known?.tag !== undefined && known.tag !== row.tag)
      this.broken('one row a request', `#${row.seq} became the row of ${row.tag}`)
    const other = this.#byTag.get(row.tag)
    if (other !== undefined && other.seq !== row.seq)
      this.broken('one row a request', `${row.tag} has the rows #${other.seq} and #${row.seq}`)
    this.#byTag.set(row.tag, row)
    const group = this.asked.get(row.tag)?.group ?? row.tag
    const members = (this.#byGroup.get(group) ?? []).filter(({ seq }) => seq !== row.seq)
    this.#byGroup.set(group, [...members, row])
  }

  /** A row that has just become durable. */
  #admitted(row: Row, book: Reader): void {
    this.#trace.count(row.state === 'denied' ? `denied ${row.code}` : 'admitted')
    this.#trace.say(
      `  #${row.seq} ${row.tag} ${row.state} ${formatUsd(usd(row.reserved))}${row.code === null ? '' : ` ${row.code}`}${row.replayOf === null ? '' : ` replay of #${row.replayOf}`}`,
    )
    const asked = this.asked.get(row.tag)
    if (asked === undefined) return this.broken('one row a request', `#${row.seq} (${row.tag}) was never asked for`)
    if (row.state === 'denied') return
    if (row.state !== 'reserved')
      return this.broken('states move along their edges', `#${row.seq} begins as ${row.state}`)
    if (row.replayOf !== null) {
      this.#trace.count('replays')
      if (row.reserved !== 0n) this.broken('a replay counts once', `#${row.seq} reserves ${row.reserved}`)
    }
    const revoked = chainOf(asked.key).find((key) => key.revoked)
    if (revoked) this.broken('a revoked key admits nothing', `#${row.seq} under ${revoked.id}`)
    if (this.#frozen(asked, row.run)) this.broken('what is frozen admits nothing', `#${row.seq}`)
    this.#withinLimits(row, asked)
    this.#timely(row, asked)
    this.#onlyOnce(row, asked)
    this.#approved(row, asked, book)
  }

  /** Promise 1: what an admission adds stays within every limit, on top of all that was counted before it. */
  #withinLimits(row: Row, asked: Asked): void {
    if (row.reserved === 0n) return
    for (const applied of asked.limits) {
      const { limit, key, cap, label } = applied
      const carried = carriedFor(applied)
      let sum = 0n
      for (const each of this.#rows.values()) {
        if (each.seq > row.seq || counted(each) === 0n) continue
        const other = this.asked.get(each.tag)!
        if (limit.vendor !== null && each.vendor !== limit.vendor) continue
        if (labelOf(key.plan, limit, other.draftAt) !== label) continue
        if (countsFor(applied, row, other.key, each)) sum += counted(each)
        else sum += least(carried.get(each.seq) ?? 0n, counted(each))
      }
      if (sum <= cap) continue
      this.broken(
        'admitted spend never passes a cap',
        `#${row.seq} (${row.tag}) brings ${limit.scope} ${key.id} to ${formatUsd(usd(sum))} of ${formatUsd(cap)} a ${limit.per} (${label ?? 'all'}${limit.vendor === null ? '' : `, ${limit.vendor}`})`,
      )
    }
  }

  /** No money moves on a clock that cannot be right. */
  #timely(row: Row, { life }: Asked): void {
    if (row.quoted === 0n) return
    const { wall, monotonic, newestRow } = life.startedAt
    const decided = this.#decided() ?? { wall: this.#wall(), monotonic: this.#monotonic() }
    const ahead = decided.wall - (wall + decided.monotonic - monotonic)
    if (ahead > JUMP_MS)
      this.broken('a jumped clock stops money', `#${row.seq}, ${Math.round(ahead / HOUR_MS)} h ahead`)
    if (decided.wall < newestRow - BACK_MS) this.broken('a clock set back stops money', `#${row.seq}`)
  }

  /** Requests that the vendor takes for one are counted once, unless the first came to nothing. */
  #onlyOnce(row: Row, asked: Asked): void {
    if (row.reserved === 0n || row.object !== null) return
    for (const other of this.#byGroup.get(asked.group)!) {
      const stands = other.state !== 'released' && other.state !== 'denied'
      if (other.seq < row.seq && stands && other.requestHash === row.requestHash && row.at - other.at < IDEMPOTENCY_MS)
        this.broken('a replay counts once', `#${row.seq} counts what #${other.seq} counts`)
    }
    const within = Math.max(0, ...chainOf(asked.key).map(({ plan }) => plan.duplicateMs ?? 0))
    if (within === 0 || row.effect === 'read') return
    for (const other of this.#rows.values()) {
      const stands = other.state !== 'released' && other.state !== 'denied' && other.replayOf === null
      const same = other.rootId === row.rootId && other.run === row.run && other.requestHash === row.requestHash
      if (same && stands && other.seq < row.seq && row.at - other.at < within && row.at >= other.at)
        this.broken('the duplicate guard holds', `#${row.seq} is #${other.seq} again`)
    }
  }

  #approved(row: Row, asked: Asked, book: Reader): void {
    if (row.replayOf !== null) return
    const above = chainOf(asked.key).some(({ plan }) => plan.approvalAbove !== null && row.quoted > plan.approvalAbove)
    if (!above) return
    const used = book.approvalsUsedBy(row.seq)
    if (used !== 1) this.broken('what needs a yes has one', `#${row.seq} used ${used} approvals`)
    this.#trace.count('approvals used')
  }

  /** Whatever the vendors executed is counted, at once and for as long as it stands. */
  #covered(): void {
    for (const { by, micro } of this.#accounts.moved) {
      const group = this.asked.get(by)!.group
      const sum = this.#total(this.#byGroup.get(group) ?? [])
      const executed = this.#accounts.moved.filter((each) => this.asked.get(each.by)!.group === group)
      const moved = executed.reduce((all, each) => all + each.micro, 0n)
      if (sum < moved) this.broken('what moved is counted', `${by} moved ${micro}, its calls count ${sum} of ${moved}`)
    }
    for (const intent of this.#accounts.intents.values()) {
      const rows = new Set(this.#byGroup.get(this.asked.get(intent.madeBy)!.group) ?? [])
      for (const row of this.#rows.values()) if (row.object === intent.id) rows.add(row)
      const sum = this.#total([...rows])
      if (sum >= exposureOf(intent)) continue
      this.broken(
        'what moved is counted',
        `${intent.id} (${intent.status}) came to ${exposureOf(intent)}, its calls count ${sum}`,
      )
    }
  }

  #total(rows: readonly Row[]): bigint {
    return rows.reduce((sum, row) => sum + counted(row), 0n)
  }

  #frozen(asked: Asked, run: string | null): FreezeScope | undefined {
    return this.freezes.find(
      (scope) =>
        scope.kind === 'all' ||
        (scope.kind === 'vendor' && scope.value === asked.vendor) ||
        (scope.kind === 'run' && scope.value === run) ||
        (scope.kind === 'key' && chainOf(asked.key).some(({ id }) => id === scope.value)),
    )
  }
}

const isSame = (row: Row, [, state, settled, count, object]: Changing): boolean =>
  row.state === state && row.settled === BigInt(settled) && row.count === count && row.object === object

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b)
