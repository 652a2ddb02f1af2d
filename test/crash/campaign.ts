import Database from 'better-sqlite3'
import { randomBytes, randomInt } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Pool, request } from 'undici'
import { expect } from 'vitest'
import { formatUsd, parseUsd, usd, type Usd } from '../../src/contracts/money.js'
import { callId } from '../../src/ledger/ids.js'
import { spendgate, startServer, type Child } from '../helpers/process.js'
import type { Arrived, VendorRecord } from './record.js'

const CLIENTS = 12
/** The server is killed at a random instant of this much load. */
const LOAD_MS = 400
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
}

/** One call as the agent made it. `id` is among its parameters, so no two calls are the same request. */
interface Asked {
  readonly id: string
  readonly path: string
  readonly body: string
  readonly cents: number
}

/** A call as the file has it. */
interface Kept {
  readonly id: string
  readonly hash: string
  readonly state: string
  readonly verdict: string
  /** reserved while it is under way, then what it cost. */
  readonly counted: bigint
}

interface Addresses {
  readonly agent: string
  readonly admin: string
}

/** One book and one key with a cap, killed again and again while a dozen clients spend on it. */
export class Campaign {
  readonly #dir: string
  readonly #env: Readonly<Record<string, string>>
  readonly #seen: VendorRecord
  readonly #servers: number[]
  readonly #totals: Totals
  /** Answers heard: call ids with the request's amount when the vendor's 200 came through, null for refusals. */
  readonly #heard = new Map<string, Asked | null>()
  readonly #arrived: Arrived[] = []
  readonly #charges: { readonly id: string; readonly cents: number }[] = []
  #unanswered: Asked[] = []
  #server: Child | null = null
  #serial = 0
  #keyId = ''
  #key = ''
  #cap: Usd = parseUsd('100000.00')!

  constructor(given: {
    readonly dir: string
    readonly stripe: string
    readonly seen: VendorRecord
    readonly servers: number[]
    readonly totals: Totals
  }) {
    mkdirSync(given.dir, { mode: 0o700 })
    this.#dir = given.dir
    this.#seen = given.seen
    this.#servers = given.servers
    this.#totals = given.totals
    this.#env = {
      SPENDGATE_DATA_DIR: given.dir,
      SPENDGATE_ADMIN_TOKEN: ADMIN_TOKEN,
      SPENDGATE_MASTER_KEY: randomBytes(32).toString('base64'),
      SPENDGATE_STRIPE_UPSTREAM: given.stripe,
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
      if (cycle === 6) await this.#tighten(at)
      await this.#load(at, () => child.kill())
      this.#arrived.push(...(await this.#seen.news()))
      before = this.#file()
      this.#audit(before)
    }
    await this.#proved(before)
  }

  #start(): ReturnType<typeof startServer> {
    const started = startServer(this.#env)
    this.#server = started.child
    this.#servers.push(started.child.pid)
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
    this.#cap = usd(parseUsd(total.spent_usd)! + parseUsd('150.00')!)
    await this.#admin(at, 'POST', `/keys/${this.#keyId}/narrow`, { daily_cap_usd: formatUsd(this.#cap) })
  }

  /** A start turns what was under way into `assumed`, and changes nothing else. */
  async #restarted(at: Addresses, before: readonly Kept[]): Promise<void> {
    const after = new Map<string, string>()
    let cursor = ''
    do {
      const page = await this.#admin(at, 'GET', `/calls?limit=500${cursor}`)
      for (const { id, state } of page.calls as { id: string; state: string }[]) after.set(id, state)
      cursor = page.next_cursor ? `&cursor=${page.next_cursor}` : ''
    } while (cursor !== '')
    const expected = new Map(before.map((call) => [call.id, call.state === 'reserved' ? 'assumed' : call.state]))
    const faults = [...expected].filter(([id, state]) => after.get(id) !== state)
    expect(faults, 'calls that are not what they were when the server died').toEqual([])
    expect(after.size).toBe(expected.size)
    this.#totals.assumed += before.filter((call) => call.state === 'reserved').length
    const { total } = await this.#admin(at, 'GET', '/spend?by=key')
    expect(total).toMatchObject({ spent_usd: formatUsd(countedIn(before)), held_usd: '0.00' })
  }

  /** Clients call until the server is gone. What stays unanswered they repeat, as an SDK would, once it is back. */
  async #load(at: Addresses, kill: () => Promise<unknown>): Promise<void> {
    const pool = new Pool(at.agent, { connections: CLIENTS })
    const again = this.#unanswered
    this.#unanswered = []
    let dead = false
    const client = async (): Promise<void> => {
      while (!dead) {
        const retry = again.pop()
        if (retry) this.#totals.retried++
        const asked = retry ?? this.#next()
        try {
          await this.#ask(pool, asked)
        } catch (fault) {
          if (!dead) throw fault
          this.#unanswered.push(asked)
        }
      }
    }
    const clients = Promise.all(Array.from({ length: CLIENTS }, client))
    const instant = randomInt(10, LOAD_MS)
    const killed = new Promise((resolve) => setTimeout(resolve, instant)).then(() => {
      dead = true
      return kill()
    })
    await Promise.all([clients, killed])
    this.#unanswered.push(...again)
    await pool.destroy()
  }

  #next(): Asked {
    const id = `${this.#dir.split('-').at(-1)}-${++this.#serial}`
    const charge = randomInt(3) === 0 ? this.#charges.pop() : undefined
    if (charge) {
      const cents = randomInt(1, charge.cents + 1)
      return { id, cents, path: '/stripe/v1/refunds', body: `amount=${cents}&charge=${charge.id}&metadata[n]=${id}` }
    }
    const cents = randomInt(100, 1_000)
    const body = `amount=${cents}&currency=usd&confirm=true&payment_method=pm_card_visa&metadata[n]=${id}`
    return { id, cents, path: '/stripe/v1/payment_intents', body }
  }

  async #ask(pool: Pool, asked: Asked): Promise<void> {
    const reply = await pool.request({
      path: asked.path,
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.#key}`,
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
      return
    }
    expect(body.error?.code, `${reply.statusCode} ${body.error?.message}`).toBe('daily_cap_exceeded')
    this.#totals.capped++
  }

  /** The calls in the file as the dead server left it, read in a copy so that the next start finds it untouched. */
  #file(): readonly Kept[] {
    const file = join(this.#dir, 'spendgate.db')
    const copy = `${file}.copy`
    for (const tail of ['', '-wal']) {
      rmSync(copy + tail, { force: true })
      if (existsSync(file + tail)) copyFileSync(file + tail, copy + tail)
    }
    const db = new Database(copy)
    try {
      const rows = db
        .prepare('select seq, request_hash, state, verdict, reserved, settled from calls order by seq')
        .safeIntegers()
        .all() as {
        seq: bigint
        request_hash: string
        state: string
        verdict: string
        reserved: bigint
        settled: bigint
      }[]
      return rows.map((row) => ({
        id: callId(Number(row.seq)),
        hash: row.request_hash,
        state: row.state,
        verdict: row.verdict,
        counted: row.state === 'reserved' ? row.reserved : row.settled,
      }))
    } finally {
      db.close()
    }
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
    const proof = await spendgate(['db', 'verify', '--json', '--data-dir', this.#dir], this.#env)
    expect(proof.stderr).toBe('')
    expect(JSON.parse(proof.stdout)).toEqual({ ok: true, faults: [] })
    expect(proof.code).toBe(0)
    const after = this.#file()
    expect(after.map((call) => call.state)).toEqual(
      before.map((call) => (call.state === 'reserved' ? 'assumed' : call.state)),
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
