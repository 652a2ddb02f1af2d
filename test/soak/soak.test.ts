import Database from 'better-sqlite3'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool, request } from 'undici'
import { afterAll, expect, test } from 'vitest'
import { formatUsd, usd } from '../../src/contracts/money.js'
import { startServer } from '../helpers/process.js'
import { mannerOf, shortened, TerseVendor } from './vendor.js'

/*
 * Many calls through one server that is never restarted: its memory stays what it was, nothing stays held, and the ledger
 * and the vendor tell the same story to the last call.
 */

/** `npm run test:soak` says a million. */
const CALLS = Number(process.env.SPENDGATE_SOAK_CALLS ?? 2_000)
const CLIENTS = 32
/** After so many calls caches are full and the heap has found its size. */
const WARM = Math.min(20_000, CALLS / 4)
const GROWTH_MIB_MAX = 64
/** Below it the growth says nothing but how far the heap had been filled. */
const MEASURED_FROM = 50_000
/** Of twenty calls one is dearer than the policy lets through, and one only reads. */
const isDear = (n: number): boolean => n % 20 === 5
const isRead = (n: number): boolean => n % 20 === 11
const centsOf = (n: number): number => (isDear(n) ? 100_000 : 100 + (n % 900))

const ADMIN_TOKEN = 'sgadmin_soakTest0123456789abcdef0123456789'
const dir = mkdtempSync(join(tmpdir(), 'spendgate-soak-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

test(
  `${CALLS} calls leave no more memory taken, nothing held, and a ledger that is what the vendor did`,
  async () => {
    const vendor = await TerseVendor.open()
    const { child, ready } = startServer({
      SPENDGATE_DATA_DIR: join(dir, 'data'),
      SPENDGATE_ADMIN_TOKEN: ADMIN_TOKEN,
      SPENDGATE_MASTER_KEY: randomBytes(32).toString('base64'),
      SPENDGATE_STRIPE_UPSTREAM: vendor.origin,
    })
    try {
      const at = await ready
      const admin = async (method: 'GET' | 'POST', path: string, body?: object): Promise<any> => {
        const reply = await request(`${at.admin}${path}`, {
          method,
          headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
          body: body === undefined ? null : JSON.stringify(body),
        })
        const text = await reply.body.text()
        if (reply.statusCode >= 300) throw new Error(`${method} ${path}: ${reply.statusCode} ${text}`)
        return text.startsWith('{') ? JSON.parse(text) : text
      }
      const rssMib = async (): Promise<number> =>
        Number(/^spendgate_rss_bytes (\S+)$/m.exec(await admin('GET', '/metrics'))![1]) / 1024 / 1024

      const secret = { api_key: 'sk_live_soakTestKey0123456789abcdef01' }
      const { id } = await admin('POST', '/admin/v1/credentials', { vendor: 'stripe', name: 'main', secret })
      await admin('POST', '/admin/v1/policies', {
        apiVersion: 'spendgate/v1',
        name: 'soak',
        daily_cap_usd: '900000000.00',
        vendors: { stripe: { endpoints: { allow: ['* *'] }, max_amount_usd: '500.00' } },
      })
      const { key } = await admin('POST', '/admin/v1/keys', { name: 'soak', policy: 'soak', credentials: [id] })

      const pool = new Pool(at.agent, { connections: CLIENTS })
      const statuses = new Map<number, number>()
      let next = 0
      const clients = async (until: number): Promise<void> => {
        const client = async (): Promise<void> => {
          for (let n = next++; n < until; n = next++) {
            const status = await ask(pool, key, n)
            statuses.set(status, (statuses.get(status) ?? 0) + 1)
          }
        }
        next = Math.min(next, until)
        await Promise.all(Array.from({ length: CLIENTS }, client))
        next = until
      }
      await clients(WARM)
      const warm = await rssMib()
      const begunAt = performance.now()
      await clients(CALLS)
      const seconds = (performance.now() - begunAt) / 1000
      const grown = (await rssMib()) - warm
      await pool.destroy()

      const { total } = await admin('GET', '/admin/v1/spend?by=key')
      expect(total.held_usd).toBe('0.00')
      expect((await admin('GET', '/admin/v1/audit/verify')).faults).toEqual([])
      expect((await child.stop()).code).toBe(0)
      const { executed, phantoms, spent } = compared(vendor)
      expect(total.spent_usd).toBe(formatUsd(usd(spent)))
      expect(statuses.get(200)).toBeGreaterThan(CALLS * 0.7)
      expect(phantoms).toBe(0)
      console.log(
        `${CALLS} calls, ${Math.round((CALLS - WARM) / seconds)} a second, ${executed} executed; ` +
          `RSS ${warm.toFixed(0)} MiB after ${WARM} calls, ${grown >= 0 ? '+' : ''}${grown.toFixed(1)} MiB at the end`,
      )
      if (CALLS >= MEASURED_FROM) expect(grown).toBeLessThan(GROWTH_MIB_MAX)
    } finally {
      await child.kill()
      await vendor.close()
    }
  },
  120_000 + CALLS * 20,
)

async function ask(pool: Pool, key: string, n: number): Promise<number> {
  const { statusCode, body } = await pool.request({
    path: isRead(n) ? `/stripe/v1/customers/cus_${n}` : '/stripe/v1/payment_intents',
    method: isRead(n) ? 'GET' : 'POST',
    headers: {
      authorization: `Bearer rk_${key}`,
      ...(isRead(n) ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
    },
    body: isRead(n)
      ? null
      : `amount=${centsOf(n)}&currency=usd&customer=cus_A&payment_method=pm_A&confirm=true&metadata[n]=${n}`,
  })
  await body.dump()
  return statusCode
}

/** Holds every row of the file against what the vendor remembers, both ways. */
function compared(vendor: TerseVendor): { executed: number; phantoms: number; spent: bigint } {
  const db = new Database(join(dir, 'data', 'spendgate.db'), { readonly: true })
  const left = new Map(vendor.executed)
  let [phantoms, spent] = [0, 0n]
  const states = new Map<string, number>()
  try {
    const rows = db
      .prepare('select request_hash, state, method, settled, count from calls order by seq')
      .safeIntegers()
      .iterate() as Iterable<{ request_hash: string; state: string; method: string; settled: bigint; count: bigint }>
    for (const { request_hash: hash, state, method, settled, count } of rows) {
      states.set(state, (states.get(state) ?? 0) + Number(count))
      if (method === 'GET' || state === 'denied') continue
      const cents = left.get(shortened(hash))
      if (state === 'released') expect(cents, 'a released call that the vendor has executed').toBeUndefined()
      else if (cents === undefined) phantoms++
      else {
        expect(settled).toBe(BigInt(cents) * 10_000n)
        spent += settled
        left.delete(shortened(hash))
      }
    }
  } finally {
    db.close()
  }
  expect([...left.keys()], 'payments that no row counts').toEqual([])
  const numbers = Array.from({ length: CALLS }, (_, n) => n)
  const denied = numbers.filter((n) => !isRead(n) && isDear(n)).length
  const asked = numbers.filter((n) => !isRead(n) && !isDear(n))
  expect(states.get('denied')).toBe(denied)
  expect(states.get('released')).toBe(asked.filter((n) => mannerOf(n) === 'declines').length)
  expect(states.get('assumed')).toBe(
    asked.filter((n) => ['resets', 'breaks off', 'fails'].includes(mannerOf(n))).length,
  )
  expect(states.has('reserved')).toBe(false)
  return { executed: vendor.executed.size, phantoms, spent }
}
