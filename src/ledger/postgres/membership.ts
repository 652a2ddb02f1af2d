import { hostname, uptime } from 'node:os'
import type pg from 'pg'
import type { Clock } from '../../contracts/clock.js'
import { LedgerFault } from '../../contracts/ledger.js'
import { callId, newId } from '../ids.js'
import { connect, faultOf, type Patience, type Place } from './connect.js'
import type { DatabaseClock } from './clock.js'
import type { Lists } from './working-set.js'
import { cutOff, REGISTRY_TEXT, within, type Writer } from './writer.js'

/** How a node shows that it is alive, in milliseconds. */
export interface Pace {
  readonly beatMs: number
  /** How long after a beat a node may let calls leave. */
  readonly leaseMs: number
  /** How long after that its open calls are given up for `assumed`. */
  readonly graceMs: number
}
export const PACE: Pace = { beatMs: 400, leaseMs: 2_000, graceMs: 4_000 }

/** An instant by a clock that is never set, and by one that counts the sleep of the machine. */
export interface Moment {
  readonly own: number
  readonly boot: number
}

const ANSWER_MS = 2_000
const PATIENCE: Patience = { statementMs: 1_500, lockMs: 1_500, idleInTransactionMs: 2_000 }
/** Calls count for a rate a minute long. */
const RATE_KEPT_MS = 120_000
/** How often a change asks whether every node has taken note. */
const ASK_MS = 3
/** By this much clocks that are never set may differ in pace, and more. */
const DRIFT = 1.01
/** The clock that counts a machine's sleep ticks in hundredths. */
const TICK_MS = 10

/** Another node, as the database has just told of it. */
interface Other {
  readonly id: string
  readonly leaseUntil: string
  readonly seen: number
  /** Whether its lease is over, by both clocks. */
  readonly over: boolean
  /** Whether that is so long ago that it is gone. */
  readonly gone: boolean
}

interface Parts {
  readonly place: Place
  readonly pace: Pace
  /** The schema version this node knows. */
  readonly schema: number
  readonly own: Clock
  readonly clock: DatabaseClock
  /** What the book takes for the time. */
  readonly now: () => number
  readonly writer: () => Writer
  /** Ids of calls whose bytes have left and whose outcome is not booked. */
  readonly inFlight: () => readonly string[]
  /** This node was declared gone: its calls under way are `assumed` by now. */
  readonly onGone: () => void
  /** Another node wrote. */
  readonly onMoved: () => void
  /** Calls of nodes that are gone. */
  readonly onOrphans: (seqs: readonly number[]) => void
  readonly onFault: (fault: unknown) => void
}

/**
 * One node among several. Each shows itself by a beat, and acts on keys, policies and freezes as it knew them at its last
 * beat: for a lease from the moment the beat was sent, by clocks that are never set. A change of these is over when every
 * node has taken note of it, or its lease has run out: by the database's clock, and because that one may be set, also by
 * our own, counted from when we first saw the lease, which is later than the beat that it was granted to.
 */
export class Membership {
  readonly #parts: Parts
  #id = newId('node')
  #client: pg.Client | null = null
  #timer: NodeJS.Timeout | null = null
  #beating: Promise<void> | null = null
  #again = false
  #outdated: LedgerFault | null = null
  #asking: Promise<void> = Promise.resolve()
  #closed = false
  #beats = 0
  #validUntil = 0
  #validUntilBoot = 0
  /** Leases of others as they stand, by node, and since when they have been seen so, by our own clock. */
  #leases = new Map<string, { readonly until: string; readonly since: number }>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  get id(): string {
    return this.#id
  }

  /** Whether calls may leave: what this node knows of keys and freezes is what counts. */
  get valid(): boolean {
    return (
      this.#outdated === null &&
      this.#parts.own.monotonic() < this.#validUntil &&
      uptime() * 1000 < this.#validUntilBoot
    )
  }

  /** Why this node has stopped for good; null while it goes on. */
  get outdated(): LedgerFault | null {
    return this.#outdated
  }

  moment(): Moment {
    return { own: this.#parts.own.monotonic(), boot: uptime() * 1000 }
  }

  /** The database has answered a question of that instant, and this node acted on the registry as it stood. */
  extend({ own, boot }: Moment): void {
    const { leaseMs } = this.#parts.pace
    this.#validUntil = Math.max(this.#validUntil, own + leaseMs)
    this.#validUntilBoot = Math.max(this.#validUntilBoot, boot + leaseMs)
  }

  /** Puts the node among the others. @throws LedgerFault when the database cannot be reached */
  async join(): Promise<void> {
    await this.#enter(await this.#connected())
    // A node that has not heard the database's time has none.
    await this.#beatOnce().catch((cause: unknown) => {
      throw faultOf(cause, this.#parts.place)
    })
    this.#timer = setInterval(() => void this.beat(), this.#parts.pace.beatMs)
    this.#timer.unref()
  }

  async #enter(client: pg.Client): Promise<void> {
    await client.query(
      'insert into nodes (id, host, pid, started_at, lease_until, seen) values ($1, $2, $3, now_ms(), now_ms() + $4, -1)',
      [this.#id, hostname(), process.pid, this.#parts.pace.leaseMs],
    )
  }

  /** Comes back under another name: the old one was declared gone, and what it had under way was given up. */
  async rejoin(): Promise<void> {
    this.#validUntil = 0
    this.#validUntilBoot = 0
    this.#parts.onGone()
    this.#id = newId('node')
    await this.#enter(await this.#connected())
  }

  /** Shows that this node is alive, and takes note of what others changed. One at a time; never rejects. */
  beat(): Promise<void> {
    if (this.#beating !== null) {
      this.#again = true
      return this.#beating
    }
    this.#beating = (async () => {
      do {
        this.#again = false
        await this.#beatOnce().catch((fault: unknown) => {
          if (!this.#closed) this.#parts.onFault(fault)
          this.#drop()
        })
      } while (this.#again && !this.#closed)
      this.#beating = null
    })()
    return this.#beating
  }

  async #beatOnce(): Promise<void> {
    if (this.#closed) return
    const { pace, clock, writer, inFlight, onMoved } = this.#parts
    const client = await this.#connected()
    const sentAt = this.moment()
    const [found] = await this.#ask(
      client,
      `with alive as (update nodes set lease_until = now_ms() + $2 where id = $1 and not gone returning 1)
       select (select count(*) from alive) = 1 as alive, version, registry, now_ms() as now,
         (select max(version) from migrations) as schema from head`,
      [this.#id, pace.leaseMs],
    )
    clock.hear(Number(found!.now), sentAt.own)
    if (Number(found!.schema) > this.#parts.schema) {
      // Its rows may mean what this node does not know of. Nothing leaves until the operator starts the newer version here.
      this.#outdated = new LedgerFault(
        `Another node has brought the database to schema version ${String(found!.schema)}; this one knows ${this.#parts.schema}. Start the newer spendgate here too.`,
      )
      this.stop()
      throw this.#outdated
    }
    if (found!.alive !== true) return this.rejoin()
    if (Number(found!.registry) !== writer().registry) {
      const [rows] = await this.#ask(client, REGISTRY_TEXT, [])
      await writer().between(() => writer().adopt(rows as Lists, Number(rows!.registry)))
      // From here on nothing that the change forbids leaves; what had left before is named with it.
    }
    const [now] = await this.#ask(
      client,
      `with noted as (update nodes set seen = $2, in_flight = $3 where id = $1 and seen < $2) select registry from head`,
      [this.#id, writer().registry, JSON.stringify(inFlight())],
    )
    // Asked once the lease stands: a change that did not wait for it, because the one before was over, is seen here.
    if (Number(now!.registry) > writer().registry) this.#again = true
    else this.extend(sentAt)
    const version = Number(found!.version)
    if (version > writer().version)
      void writer()
        .between(() => {
          // Between two transactions: one of our own may have been on its way when the database was asked.
          if (version <= writer().version) return
          writer().distrust()
          onMoved()
        })
        // Closed, or in doubt: the next write looks for itself.
        .catch(() => undefined)
    if (this.#beats++ % 4 === 0) await this.reap(client)
  }

  /** Declares nodes gone that have not shown themselves, and gives up what they had under way. */
  async reap(given?: pg.Client): Promise<void> {
    const client = given ?? (await this.#connected())
    const gone = (await this.#others(client)).filter((each) => each.gone)
    // One that has shown itself since has another lease.
    if (gone.length > 0)
      await this.#ask(
        client,
        `update nodes n set gone = true from unnest($1::text[], $2::bigint[]) g (id, lease_until)
         where n.id = g.id and n.lease_until = g.lease_until`,
        [gone.map(({ id }) => id), gone.map(({ leaseUntil }) => leaseUntil)],
      )
    const rows = await this.#ask(
      client,
      'select o.seq from open_calls o join nodes n on n.id = o.node where n.gone order by o.seq limit 500',
      [],
    )
    if (rows.length > 0) this.#parts.onOrphans(rows.map(({ seq }) => Number(seq)))
    await this.#ask(client, 'delete from rate_hits where at < $1', [this.#parts.now() - RATE_KEPT_MS])
  }

  /** The other nodes that are not gone. */
  async #others(client: pg.Client): Promise<readonly Other[]> {
    const { own, pace } = this.#parts
    const rows = await this.#ask(
      client,
      `select id, lease_until, seen, lease_until < now_ms() as over, lease_until < now_ms() - $2 as gone
       from nodes where not gone and id <> $1`,
      [this.#id, pace.graceMs],
    )
    // After the answer: a lease that it tells of was granted before.
    const now = own.monotonic()
    const leases = new Map<string, { readonly until: string; readonly since: number }>()
    const others = rows.map(({ id, lease_until, seen, over, gone }) => {
      const [name, until] = [id as string, lease_until as string]
      const known = this.#leases.get(name)
      const lease = known?.until === until ? known : { until, since: now }
      leases.set(name, lease)
      const stoodMs = now - lease.since
      return {
        id: name,
        leaseUntil: until,
        seen: Number(seen),
        over: over === true && stoodMs >= pace.leaseMs * DRIFT + TICK_MS,
        gone: gone === true && stoodMs >= (pace.leaseMs + pace.graceMs) * DRIFT + TICK_MS,
      }
    })
    this.#leases = leases
    return others
  }

  /**
   * Resolves when no node acts on an older registry than this one any more. Gives the calls that other nodes had let
   * leave, or may have, when they stopped.
   */
  async acknowledged(registry: number): Promise<readonly string[]> {
    await this.beat()
    const client = await this.#connected()
    if (registry < 0) {
      // The answer to the change's commit was lost, and where it was found it has no number: what stands now is not older.
      const [head] = await this.#ask(client, 'select registry from head', [])
      registry = Number(head!.registry)
    }
    // What is granted from here on is granted to nodes that know of the change.
    while ((await this.#others(client)).some(({ seen, over }) => seen < registry && !over))
      await new Promise((resolve) => setTimeout(resolve, ASK_MS))
    const nodes = await this.#ask(
      client,
      `select in_flight, seen >= $2 as seen, (select coalesce(json_agg(o.seq), '[]') from open_calls o where o.node = n.id)::text as open
       from nodes n where not gone and id <> $1`,
      [this.#id, registry],
    )
    return nodes.flatMap(({ in_flight, seen, open }) =>
      seen ? (JSON.parse(in_flight as string) as string[]) : (JSON.parse(open as string) as number[]).map(callId),
    )
  }

  /** Whether this node may do what only one may do at a time; null while another one does. */
  async turn(name: string, forMs: number): Promise<{ release(): Promise<void> } | null> {
    const client = await this.#connected()
    const mine = await this.#ask(
      client,
      `insert into turns (name, node, until) values ($1, $2, now_ms() + $3)
       on conflict (name) do update set node = excluded.node, until = excluded.until where turns.until < now_ms() returning 1`,
      [name, this.#id, forMs],
    )
    if (mine.length === 0) return null
    const node = this.#id
    const release = async (): Promise<void> => {
      await this.#ask(await this.#connected(), 'delete from turns where name = $1 and node = $2', [name, node])
    }
    return { release }
  }

  /** Leaves the others at once: what is still under way is given up by whoever looks next. */
  async leave(): Promise<void> {
    this.stop()
    const client = this.#client
    if (client === null) return
    await this.#ask(client, 'update nodes set gone = true where id = $1', [this.#id]).catch(() => undefined)
    await within(ANSWER_MS, client.end())
  }

  /** Shows itself no more, as a killed process would. */
  stop(): void {
    this.#closed = true
    this.#validUntil = 0
    if (this.#timer !== null) clearInterval(this.#timer)
  }

  abandon(): void {
    this.stop()
    this.#drop()
  }

  /** One question at a time. */
  #ask(client: pg.Client, text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    const answer = this.#asking.then(() => this.#askNow(client, text, values))
    this.#asking = answer.then(
      () => undefined,
      () => undefined,
    )
    return answer
  }

  async #askNow(client: pg.Client, text: string, values: unknown[]): Promise<Record<string, unknown>[]> {
    const late = setTimeout(() => cutOff(client), ANSWER_MS)
    try {
      return (await client.query(text, values)).rows as Record<string, unknown>[]
    } finally {
      clearTimeout(late)
    }
  }

  #drop(): void {
    if (this.#client !== null) cutOff(this.#client)
    this.#client = null
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== null) return this.#client
    const client = await connect(this.#parts.place, PATIENCE)
    client.on('end', () => {
      if (this.#client === client) this.#client = null
    })
    client.on('notification', () => void this.beat())
    await client.query('listen spendgate')
    return (this.#client = client)
  }
}
