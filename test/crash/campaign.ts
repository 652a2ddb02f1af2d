import { randomBytes, randomInt } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Pool, request } from 'undici'
import { expect } from 'vitest'
import { formatUsd, parseUsd, usd, type Usd } from '../../src/contracts/money.js'
import { known, startServer, type Child, type Known } from '../helpers/process.js'
import type { Arrived, VendorRecord } from './record.js'
import type { Kept, Store } from './store.js'

const CLIENTS = 12
/** The server is killed after so many answers at most: work and not time, so that a slow machine is caught at work, too. */
const ANSWERS_MAX = 150
/** For a server that answers hardly anything. */
const LOAD_MS_MAX = 10_000
const MICRO_A_CENT = 10_000n

const ADMIN_TOKEN = 'sgadmin_crashCampaignToken0123456789abcdef'
const REAL_KEY = 'sk_live_crashCampaignKey0123456789abcdef'

/** What a whole campaign came to. */
export interface Totals {
  answered: number
  moved: number
  assumed: number
  retried: number
  capped: number
  killedAtStart: number
  /** Revokes that were under way when the server was killed, and those of them whose reply was heard. */
  revokes: number
  revokesHeard: number
}

/** One call as the agent made it. `id` is among its parameters, so no two calls are the same request. */
interface Asked {
  readonly id: string
  readonly path: string
  readonly body: string
  readonly cents: number
  /** Of the child that is revoked while the server dies; null for calls under the key itself. */
  readonly doomed: Doomed | null
}

/** A child key, and the first reply to its revocation if it was heard. */
interface Doomed {
  readonly id: string
  readonly key: string
  revoked: { readonly id: string; readonly revoked_at: string; readonly in_flight: readonly string[] } | null
}

/** When the server is killed: at any instant, or right after an answer, before its outcome can be on disk. */
type Way = 'at random' | 'at an answer'
const WAYS: readonly Way[] = ['at random', 'at an answer', 'at random']

interface Addresses {
  readonly agent: string
  readonly admin: string
}

/** One book and one key with a cap, killed again and again while a dozen clients spend on it. */
export class Campaign {
  readonly #dir: string
  readonly #env: Readonly<Record<string, string>>
  readonly #store: Store
  readonly #seen: VendorRecord
  readonly #servers: Known[]
  readonly #totals: Totals
  /** Answers heard: call ids with the request's amount when the vendor's 200 came through, null for refusals. */
  readonly #heard = new Map<string, Asked | null>()
  readonly #arrived: Arrived[] = []
  readonly #charges: { readonly id: string; readonly cents: number }[] = []
  #unanswered: Asked[] = []
  #doomed: Doomed | null = null
  #server: Child | null = null
  #serial = 0
  #keyId = ''
  #key = ''
  #cap: Usd = parseUsd('100000.00')!

  constructor(given: {
    readonly dir: string
    readonly store: Store
    readonly stripe: string
    readonly seen: VendorRecord
    readonly servers: Known[]
    readonly totals: Totals
  }) {
    mkdirSync(given.dir, { mode: 0o700 })
    this.#dir = given.dir
    this.#store = given.store
    this.#seen = given.seen
    this.#servers = given.servers
    this.#totals = given.totals
    this.#env = {
      SPENDGATE_DATA_DIR: given.dir,
      SPENDGATE_ADMIN_TOKEN: ADMIN_TOKEN,
      SPENDGATE_MASTER_KEY: randomBytes(32).toString('base64'),
      SPENDGATE_STRIPE_UPSTREAM: given.stripe,
      ...given.store.env,
    }
  }

  async run(cycles: number): Promise<void> {
    try {
      await this.#cycles(cycles)
    } finally {
      await this.#server?.kill()
    }
  }

  async #cycles(cycles: number): Promise<void> {
    let before: readonly Kept[] = []
    for (let cycle = 0; cycle < cycles; cycle++) {
      if (cycle % 4 === 3) await this.#killAtStart()
      const { child, ready } = this.#start()
      const at = await ready
      if (cycle === 0) await this.#issue(at)
      await this.#restarted(at, before)
      await this.#stayedRevoked(at)
      if (cycle === 6) await this.#tighten(at)
      if (cycle % 5 === 2) await this.#doom(at)
      await this.#load(at, WAYS[cycle % WAYS.length]!, () => child.kill())
      this.#arrived.push(...(await this.#seen.news()))
      await this.#store.still()
      before = await this.#store.calls()
      this.#audit(before)
    }
    await this.#proved(before)
  }

  /** A child of the key, so that what it spends counts under the same cap. */
  async #doom(at: Addresses): Promise<void> {
    const { id, key } = await this.#admin(at, 'POST', `/keys/${this.#keyId}/runs`, {})
    this.#doomed = { id, key, revoked: null }
  }

  /** What was revoked before the server died is revoked; where the reply was lost, asking again gives one. */
  async #stayedRevoked(at: Addresses): Promise<void> {
    const doomed = this.#doomed
    if (doomed === null) return
    this.#doomed = null
    const { status } = await this.#admin(at, 'GET', `/keys/${doomed.id}`)
    if (doomed.revoked !== null) expect(status).toBe('revoked')
    const again = await this.#admin(at, 'POST', `/keys/${doomed.id}/revoke`)
    // What is still to come is listed as it stands; the rest is the first reply.
    if (doomed.revoked !== null) {
      const { id, revoked_at, in_flight } = doomed.revoked
      expect(again).toMatchObject({ id, revoked_at, in_flight })
    }
    const pool = new Pool(at.agent)
    for (let i = 0; i < 3; i++)
      expect(await this.#ask(pool, this.#next({ ...doomed, revoked: again }))).toBe('key_revoked')
    await pool.destroy()
  }

  #start(): ReturnType<typeof startServer> {
    const started = startServer(this.#env)
    this.#server = started.child
    this.#servers.push(known(started.child.pid))
    return started
  }

  /** Dies before, while or after it reads the book, and sometimes just after it began to answer. */
  async #killAtStart(): Promise<void> {
    const { child } = this.#start()
    const instant = randomInt(0, 500)
    await new Promise((resolve) => setTimeout(resolve, instant))
    await child.kill()
    this.#totals.killedAtStart++
  }

  async #issue(at: Addresses): Promise<void> {
    const secret = { api_key: REAL_KEY }
    const { id } = await this.#admin(at, 'POST', '/credentials', { vendor: 'stripe', name: 'main', secret })
    await this.#admin(at, 'POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name: 'crash',
      daily_cap_usd: formatUsd(this.#cap),
      vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents', 'POST /v1/refunds'] } } },
    })
    const key = await this.#admin(at, 'POST', '/keys', { name: 'agent', policy: 'crash', credentials: [id] })
    this.#keyId = key.id
    this.#key = key.presentations.stripe[0]
  }

  /** From here on the cap is near, so that the kills catch the server deciding at its edge. */
  async #tighten(at: Addresses): Promise<void> {
    const { total } = await this.#admin(at, 'GET', '/spend?by=key')
    this.#cap = usd(parseUsd(total.spent_usd)! + parseUsd('60.00')!)
    await this.#admin(at, 'POST', `/keys/${this.#keyId}/narrow`, { daily_cap_usd: formatUsd(this.#cap) })
  }

  /** A start turns what was under way into `assumed`, and changes nothing else. */
  async #restarted(at: Addresses, before: readonly Kept[]): Promise<void> {
    let after = await this.#states(at)
    const until = performance.now() + this.#store.assumedWithinMs
    while ([...after.values()].includes('reserved') && performance.now() < until) {
      await pause(200)
      after = await this.#states(at)
    }
    const expected = new Map(before.map((call) => [call.id, call.state === 'reserved' ? 'assumed' : call.state]))
    const faults = [...expected]
      .filter(([id, state]) => after.get(id) !== state)
      .map(([id, state]) => `${id} should be ${state} and is ${after.get(id) ?? 'not there'}`)
    expect(faults, 'calls that are not what they were when the server died').toEqual([])
    expect(after.size).toBe(expected.size)
    this.#totals.assumed += before.filter((call) => call.state === 'reserved').length
    const { total } = await this.#admin(at, 'GET', '/spend?by=key')
    expect(total).toMatchObject({ spent_usd: formatUsd(countedIn(before)), held_usd: '0.00' })
  }

  /** Every call's state as the server tells it. */
  async #states(at: Addresses): Promise<ReadonlyMap<string, string>> {
    const states = new Map<string, string>()
    let cursor = ''
    do {
      const page = await this.#admin(at, 'GET', `/calls?limit=500${cursor}`)
      for (const { id, state } of page.calls as { id: string; state: string }[]) states.set(id, state)
      cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : ''
    } while (cursor !== '')
    return states
  }

  /** Clients call until the server is gone. What stays unanswered they repeat, as an SDK would, once it is back. */
  async #load(at: Addresses, way: Way, kill: () => Promise<unknown>): Promise<void> {
    const pool = new Pool(at.agent, { connections: CLIENTS })
    const again = this.#unanswered
    this.#unanswered = []
    const doomed = this.#doomed
    let dead = false
    let answers = randomInt(1, ANSWERS_MAX)
    let struck = (): void => {}
    const answered = new Promise<void>((resolve) => (struck = resolve))
    const client = async (_: unknown, number: number): Promise<void> => {
      while (!dead) {
        const retry = again.pop()
        if (retry) this.#totals.retried++
        const asked = retry ?? this.#next(number % 2 === 0 ? doomed : null)
        try {
          const code = await this.#ask(pool, asked)
          // Its outcome waits for a commit of its own for some milliseconds yet.
          if (--answers === 0) struck()
          // A revoked key's clients have nothing left to do.
          if (code === 'key_revoked' && asked.doomed === doomed) return
        } catch (fault) {
          if (!dead) throw fault
          this.#unanswered.push(asked)
        }
      }
    }
    const clients = Promise.all(Array.from({ length: CLIENTS }, client))
    const begun = Promise.race([answered, pause(LOAD_MS_MAX, undefined, { ref: false })])
    const revoked = doomed === null ? null : begun.then(() => this.#revoke(at, doomed))
    const killed = begun
      .then((): unknown => {
        // While the revocation is being written, or right after its reply was heard.
        if (revoked !== null) return randomInt(2) === 0 ? pause(randomInt(0, 12)) : revoked
        return way === 'at an answer' ? undefined : pause(randomInt(0, 25))
      })
      .then(() => {
        dead = true
        return kill()
      })
    await Promise.all([clients, killed, revoked])
    this.#unanswered.push(...again)
    await pool.destroy()
  }

  /** Asks for the revocation that the kill may interrupt. */
  async #revoke(at: Addresses, doomed: Doomed): Promise<void> {
    this.#totals.revokes++
    try {
      doomed.revoked = await this.#admin(at, 'POST', `/keys/${doomed.id}/revoke`)
      this.#totals.revokesHeard++
    } catch (fault) {
      // The server died first; an answer that says no would be a fault of its own.
      if (!('code' in (fault as object))) throw fault
    }
  }

  #next(doomed: Doomed | null): Asked {
    const id = `${this.#dir.split('-').at(-1)}-${++this.#serial}`
    const charge = randomInt(3) === 0 ? this.#charges.pop() : undefined
    if (charge) {
      const cents = randomInt(1, charge.cents + 1)
      return {
        id,
        cents,
        doomed,
        path: '/stripe/v1/refunds',
        body: `amount=${cents}&charge=${charge.id}&metadata[n]=${id}`,
      }
    }
    const cents = randomInt(100, 1_000)
    const body = `amount=${cents}&currency=usd&confirm=true&payment_method=pm_card_visa&metadata[n]=${id}`
    return { id, cents, doomed, path: '/stripe/v1/payment_intents', body }
  }

  /** Null when it was let through, else the code of the refusal. */
  async #ask(pool: Pool, asked: Asked): Promise<string | null> {
    const reply = await pool.request({
      path: asked.path,
      method: 'POST',
      headers: {
        authorization: `Bearer ${asked.doomed?.key ?? this.#key}`,
        'content-type': 'application/x-www-form-urlencoded',
        'idempotency-key': `idem-${asked.id}`,
      },
      body: asked.body,
    })
    // The head alone is an acknowledgement: it says under which id the call was booked.
    const id = reply.headers['x-spendgate-call-id'] as string
    const allowed = reply.statusCode === 200
    this.#heard.set(id, allowed ? asked : null)
    const body = (await reply.body.json()) as { latest_charge?: string; error?: { code: string; message: string } }
    this.#totals.answered++
    if (allowed) {
      if (body.latest_charge) this.#charges.push({ id: body.latest_charge, cents: asked.cents })
      return null
    }
    const code = body.error?.code
    const expected = asked.doomed === null ? ['daily_cap_exceeded'] : ['daily_cap_exceeded', 'key_revoked']
    expect(expected, `${reply.statusCode} ${body.error?.message}`).toContain(code)
    if (code === 'daily_cap_exceeded') this.#totals.capped++
    return code!
  }

  /** Holds the book against what the agent heard and against what the vendor saw. */
  #audit(book: readonly Kept[]): void {
    const byId = new Map(book.map((call) => [call.id, call]))
    const byHash = new Map<string, { admitted: number; counted: bigint }>()
    for (const call of book) {
      if (call.verdict !== 'allow') continue
      const sum = byHash.get(call.hash) ?? { admitted: 0, counted: 0n }
      byHash.set(call.hash, { admitted: sum.admitted + 1, counted: sum.counted + call.counted })
    }
    const faults: string[] = []
    for (const [id, asked] of this.#heard) {
      const call = byId.get(id)
      if (!call) faults.push(`${id} was answered and is not in the book`)
      else if (asked && byHash.get(call.hash)!.counted !== BigInt(asked.cents) * MICRO_A_CENT) {
        faults.push(`${id} over ${asked.cents} cents counts for ${byHash.get(call.hash)!.counted} micro-USD`)
      }
    }
    const byRequest = new Map<string, { times: number; cents: number }>()
    for (const { hash, cents, complete, idempotencyKey } of this.#arrived) {
      if (idempotencyKey === null) faults.push(`a request reached the vendor without an idempotency key`)
      // The server was killed while it wrote: the vendor did nothing, and the hash is of half a body.
      if (!complete) continue
      const sum = byRequest.get(hash) ?? { times: 0, cents: 0 }
      byRequest.set(hash, { times: sum.times + 1, cents: sum.cents + cents })
      if (cents > 0) {
        if (sum.cents > 0) faults.push(`the vendor moved money twice for ${hash}`)
      }
    }
    let moved = 0n
    for (const [hash, { times, cents }] of byRequest) {
      const booked = byHash.get(hash)
      moved += BigInt(cents) * MICRO_A_CENT
      if (!booked) faults.push(`the vendor saw ${hash}, which is not in the book`)
      else if (booked.admitted < times)
        faults.push(`the vendor saw ${hash} ${times} times, admitted ${booked.admitted}`)
      else if (booked.counted < BigInt(cents) * MICRO_A_CENT) faults.push(`${hash} moved ${cents} cents, booked less`)
    }
    expect(faults).toEqual([])
    const counted = countedIn(book)
    expect(counted).toBeLessThanOrEqual(this.#cap)
    expect(moved).toBeLessThanOrEqual(counted)
  }

  /** The command an operator would use finds the book sound, straight after the last kill. */
  async #proved(before: readonly Kept[]): Promise<void> {
    expect(await this.#store.faults(this.#env)).toEqual([])
    const after = await this.#store.calls()
    expect(after.map((call) => call.state)).toEqual(
      before.map((call) =>
        // A file is assumed by whoever opens it next, a database by its next node.
        call.state === 'reserved' && this.#store.assumedWithinMs === 0 ? 'assumed' : call.state,
      ),
    )
    this.#audit(after)
    this.#totals.moved += this.#arrived.filter((each) => each.cents > 0).length
    rmSync(this.#dir, { recursive: true, force: true })
  }

  async #admin(at: Addresses, method: 'GET' | 'POST', path: string, body?: unknown): Promise<any> {
    const reply = await request(`${at.admin}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await reply.body.text()
    if (reply.statusCode >= 300) throw new Error(`${method} ${path}: ${reply.statusCode} ${text}`)
    return JSON.parse(text)
  }
}

const countedIn = (book: readonly Kept[]): Usd => usd(book.reduce((total, call) => total + call.counted, 0n))
