import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PostgresServer, postgresMissing } from '../helpers/postgres.js'
import { spendgate, startServer, startSimulators, type Child } from '../helpers/process.js'
import { VendorRecord } from './record.js'
import { postgresStore } from './store.js'

const ADMIN_TOKEN = 'sgadmin_twoNodesToken0123456789abcdefghij'
const REAL_KEY = 'sk_live_twoNodesKey0123456789abcdefghij'
const CALLS = 1_000
const CONNECTIONS = 32
/** USD 3.00 of a cap of USD 100.00: 33 calls fit. */
const CENTS = 300
const FIT = 33

interface Node {
  readonly child: Child
  readonly agent: string
  readonly admin: string
}

describe.skipIf(postgresMissing !== null)('two servers on one PostgreSQL', () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-nodes-'))
  let postgres: PostgresServer
  let vendor: { readonly child: Child; readonly stripe: string }
  let seen: VendorRecord
  let url: string
  let env: Record<string, string>
  let nodes: Node[] = []

  beforeAll(async () => {
    postgres = await PostgresServer.start()
    const record = join(dir, 'vendor.ndjson')
    vendor = await startSimulators(record)
    seen = new VendorRecord(record, vendor.stripe)
    url = postgres.url(await postgres.database())
    env = {
      DATABASE_URL: url,
      SPENDGATE_ADMIN_TOKEN: ADMIN_TOKEN,
      SPENDGATE_MASTER_KEY: randomBytes(32).toString('base64'),
      SPENDGATE_STRIPE_UPSTREAM: vendor.stripe,
      SPENDGATE_RECONCILE_MS: '0',
    }
    // Both at once on an empty database: the schema is made once, and both have the same secrets.
    nodes = await Promise.all(['a', 'b'].map((name) => start(name)))
  }, 60_000)
  afterAll(async () => {
    for (const { child } of nodes) await child.stop()
    await vendor?.child.stop()
    seen?.close()
    await postgres?.remove()
    rmSync(dir, { recursive: true, force: true })
  })

  async function start(name: string): Promise<Node> {
    const { child, ready } = startServer({ ...env, SPENDGATE_DATA_DIR: join(dir, name) })
    return { child, ...(await ready) }
  }

  async function admin(node: Node, method: 'GET' | 'POST' | 'PUT', path: string, body?: unknown): Promise<any> {
    const reply = await request(`${node.admin}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await reply.body.text()
    if (reply.statusCode >= 300) throw new Error(`${method} ${path}: ${reply.statusCode} ${text}`)
    return JSON.parse(text)
  }

  let keyId = ''
  let key = ''
  async function issue(cap: string): Promise<void> {
    const [a] = nodes as [Node, Node]
    const { credentials } = await admin(a, 'GET', '/credentials')
    const secret = { api_key: REAL_KEY }
    const credential =
      credentials[0] ?? (await admin(a, 'POST', '/credentials', { vendor: 'stripe', name: 'main', secret }))
    await admin(a, 'POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name: `cap-${cap.replace('.', '-')}`,
      daily_cap_usd: cap,
      vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents', 'GET /v1/charges*'] } } },
    })
    const issued = await admin(a, 'POST', '/keys', {
      name: 'agent',
      policy: `cap-${cap.replace('.', '-')}`,
      credentials: [credential.id],
    })
    keyId = issued.id
    key = issued.key
  }

  /** The status of a call and the id it was booked under; null when its server died. */
  async function pay(pool: Pool, id: string): Promise<{ status: number; call: string } | null> {
    try {
      const reply = await pool.request({
        path: '/stripe/v1/payment_intents',
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/x-www-form-urlencoded',
          'idempotency-key': id,
        },
        body: `amount=${CENTS}&currency=usd&confirm=true&payment_method=pm_card_visa&metadata[n]=${id}`,
      })
      await reply.body.dump()
      return { status: reply.statusCode, call: reply.headers['x-spendgate-call-id'] as string }
    } catch {
      return null
    }
  }

  test('a thousand calls race on the last dollars through both while one is killed: exactly as many as fit', async () => {
    await issue('100.00')
    const [a, b] = nodes as [Node, Node]
    const pools = [a, b].map(({ agent }) => new Pool(agent, { connections: CONNECTIONS }))
    let answered = 0
    let killed: Promise<unknown> | null = null
    const replies = await Promise.all(
      Array.from({ length: CALLS }, async (_, i) => {
        const reply = await pay(pools[i % 2]!, `race-${i}`)
        if (reply?.status === 200 && ++answered === FIT / 3) killed = b.child.kill()
        return reply
      }),
    )
    await killed
    await Promise.all(pools.map((pool) => pool.destroy()))
    expect(replies.filter((reply) => reply === null).length).toBeGreaterThan(0)
    expect(new Set(replies.flatMap((reply) => (reply === null ? [] : [reply.status])))).toEqual(new Set([200, 403]))

    const arrived = await seen.news()
    const book = await postgresStore(url).calls()
    const admitted = book.filter(({ verdict }) => verdict === 'allow')
    expect(admitted).toHaveLength(FIT)
    const hashes = new Set(admitted.map(({ hash }) => hash))
    expect(arrived.filter(({ hash }) => !hashes.has(hash))).toEqual([])
    expect(arrived.filter(({ cents }) => cents > 0).length).toBeLessThanOrEqual(FIT)
    const known = new Set(book.map(({ id }) => id))
    expect(replies.filter((reply) => reply !== null && !known.has(reply.call))).toEqual([])

    // The other node gives up what the dead one had under way, and the sum stays what was admitted.
    const deadline = performance.now() + 20_000
    let total = { spent_usd: '', held_usd: '' }
    do total = (await admin(a, 'GET', '/spend?by=key')).total
    while (total.held_usd !== '0.00' && performance.now() < deadline)
    expect(total).toMatchObject({ spent_usd: '99.00', held_usd: '0.00' })
    nodes[1] = await start('b')
    expect((await spendgate(['db', 'verify', '--json'], env)).stdout).toContain('"ok":true')
  }, 90_000)

  test('a key issued on one is good on the other at once; revoked on one, it opens nothing on the other', async () => {
    const [a, b] = nodes as [Node, Node]
    for (let i = 0; i < 10; i++) {
      await issue('1000.00')
      const pool = new Pool(b.agent, { connections: 8 })
      let revoked = false
      const after: (number | undefined)[] = []
      const load = Promise.all(
        Array.from({ length: 8 }, async (_, client) => {
          for (let n = 0; n < 20; n++) {
            const late = revoked
            const reply = await pay(pool, `revoke-${i}-${client}-${n}`)
            if (late) after.push(reply?.status)
          }
        }),
      )
      expect((await pay(pool, `first-${i}`))!.status).toBe(200)
      const before = (await seen.news()).length
      const { in_flight: inFlight } = (await admin(a, 'POST', `/keys/${keyId}/revoke`)) as { in_flight: string[] }
      revoked = true
      // Whatever reaches the vendor from now on had left before, and was named.
      const arrived = (await seen.news()).length
      await load
      expect((await seen.news()).length).toBeLessThanOrEqual(inFlight.length)
      expect(before + arrived).toBeGreaterThan(0)
      expect(new Set(after)).toEqual(new Set([401]))
      await pool.destroy()
    }
  }, 90_000)

  test('a rate set on one is the rate of the other', async () => {
    const [a, b] = nodes as [Node, Node]
    await issue('2000.00')
    const euros = async (): Promise<number> => {
      const reply = await request(`${b.agent}/stripe/v1/payment_intents`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
        body: 'amount=100&currency=eur&confirm=true&payment_method=pm_card_visa',
      })
      await reply.body.dump()
      return reply.statusCode
    }
    expect(await euros()).toBe(403)
    const as_of = new Date().toISOString().slice(0, 10)
    await admin(a, 'PUT', '/rates', { as_of, usd_per: { eur: '1.09' }, haircut: '0.03', max_age_days: 30 })
    expect(await euros()).toBe(200)
  }, 30_000)

  test('both stop in order, and the book is sound', async () => {
    for (const { child } of nodes) {
      const { code } = await child.stop()
      expect(code).toBe(0)
    }
    nodes = []
    expect((await spendgate(['db', 'verify', '--json'], env)).stdout).toContain('"ok":true')
    expect((await postgresStore(url).calls()).filter(({ state }) => state === 'reserved')).toEqual([])
  }, 60_000)
})
