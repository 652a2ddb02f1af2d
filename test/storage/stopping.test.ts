import Database from 'better-sqlite3'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Plan } from '../../fixtures/simulators/harness.js'
import { startStripe, type StripeSimulator } from '../../fixtures/simulators/index.js'
import { startServer, type Child } from '../helpers/process.js'
import { REAL } from '../helpers/world.js'
import { faults, payment } from '../pipeline/given.js'

/* The server as a process of its own, ended by signals; the vendor stays here, so that a test says when it answers. */

let dir: string
let stripe: StripeSimulator
let child: Child
let agent: string
let admin: string
let key: string
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'spendgate-stopping-'))
  stripe = await startStripe({ keys: [REAL.stripe], now: () => Date.now() })
  stripe.seed()
})
afterEach(async () => {
  await child.kill()
  await stripe.close()
  rmSync(dir, { recursive: true, force: true })
})

async function serves(drainMs: number): Promise<void> {
  const started = startServer({
    SPENDGATE_DATA_DIR: join(dir, 'data'),
    SPENDGATE_ADMIN_TOKEN: REAL.admin,
    SPENDGATE_MASTER_KEY: REAL.master,
    SPENDGATE_STRIPE_UPSTREAM: stripe.origin,
    SPENDGATE_DRAIN_MS: String(drainMs),
  })
  child = started.child
  ;({ agent, admin } = await started.ready)
}

async function issues(): Promise<void> {
  const post = async (path: string, body: unknown): Promise<any> => {
    const reply = await request(`${admin}/admin/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${REAL.admin}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return reply.body.json()
  }
  const { id } = await post('/credentials', { vendor: 'stripe', name: 'main', secret: { api_key: REAL.stripe } })
  await post('/policies', {
    apiVersion: 'spendgate/v1',
    name: 'all',
    daily_cap_usd: '1000.00',
    vendors: { stripe: { endpoints: { allow: ['* *'] } } },
  })
  key = (await post('/keys', { name: 'agent', policy: 'all', credentials: [id] })).key
}

const pay = async (): Promise<number> => {
  const reply = await request(`${agent}/stripe/v1/payment_intents`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(payment(100)).toString(),
  })
  await reply.body.dump()
  return reply.statusCode
}
const HANG: Plan = { do: 'hang', applies: true }
/** States of all calls, as they stand in the file. */
const states = (): unknown[] => {
  const db = new Database(join(dir, 'data', 'spendgate.db'))
  const found = db.prepare('select state from calls order by seq').pluck().all()
  db.close()
  return found
}

test('a hundred calls under way at SIGTERM are all answered and booked, and the process ends with 0', async () => {
  await serves(20_000)
  await issues()
  const hanging = faults(stripe, 'POST /v1/payment_intents', HANG, 100)
  const asked = hanging.map(pay)
  await Promise.all(hanging.map((fault) => fault.struck))
  const ended = child.stop()
  for (const fault of hanging) fault.release()
  expect(await Promise.all(asked)).toEqual(hanging.map(() => 200))
  expect(await ended).toMatchObject({ code: 0, signal: null })
  expect(states()).toEqual(hanging.map(() => 'settled'))
  expect(stripe.moved()).toHaveLength(100)
})

test('what the vendor has not answered at the end of the drain is assumed before the process ends', async () => {
  await serves(300)
  await issues()
  const hanging = faults(stripe, 'POST /v1/payment_intents', HANG, 5)
  const asked = hanging.map(pay)
  await Promise.all(hanging.map((fault) => fault.struck))
  const from = performance.now()
  const { code } = await child.stop()
  expect(code).toBe(0)
  expect(performance.now() - from).toBeLessThan(5_000)
  expect(await Promise.all(asked)).toEqual(hanging.map(() => 502))
  expect(states()).toEqual(hanging.map(() => 'assumed'))
})

test('a second signal ends it at once, and the next start assumes what was left', async () => {
  await serves(60_000)
  await issues()
  const [hanging] = faults(stripe, 'POST /v1/payment_intents', HANG, 1)
  const asked = pay().catch(() => 'cut off')
  await hanging!.struck
  const first = child.stop()
  await hasHeard()
  const from = performance.now()
  await child.stop()
  expect((await first).code).toBe(130)
  expect(performance.now() - from).toBeLessThan(2_000)
  expect(await asked).toBe('cut off')
  expect(states()).toEqual(['reserved'])
  await serves(0)
  await child.stop()
  expect(states()).toEqual(['assumed'])
})

/** Until the first signal was heard a second one would be the first: the admin port then says so, or is closed. */
async function hasHeard(): Promise<void> {
  for (;;) {
    const status = await request(`${admin}/readyz`).then(
      async ({ statusCode, body }) => {
        await body.dump()
        return statusCode
      },
      () => 0,
    )
    if (status !== 200) return
  }
}
