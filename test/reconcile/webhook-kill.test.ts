import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { request } from 'undici'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startStripe, type StripeSimulator } from '../../fixtures/simulators/index.js'
import { startServer, type Child } from '../helpers/process.js'

const ADMIN = 'sgadmin_webhookKillToken0123456789abcdef'
const REAL = 'sk_live_webhookKillKey0123456789abcdef'
const SIGNING = 'whsec_webhookKillSigning0123456789'
/** How often the server is killed while deliveries are on their way. */
const KILLS = 6
const RENEWALS_A_KILL = 10

let dir: string
let stripe: StripeSimulator
let server: { readonly child: Child; readonly agent: string; readonly admin: string }

async function serve(): Promise<void> {
  const { child, ready } = startServer({
    SPENDGATE_DATA_DIR: dir,
    SPENDGATE_ADMIN_TOKEN: ADMIN,
    SPENDGATE_STRIPE_UPSTREAM: stripe.origin,
    SPENDGATE_RECONCILE_MS: '0',
  })
  server = { child, ...(await ready) }
}

async function admin(method: 'GET' | 'POST', path: string, body?: unknown): Promise<any> {
  const reply = await request(`${server.admin}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
  })
  const answer = await reply.body.json()
  if (reply.statusCode >= 300) throw new Error(`${method} ${path}: ${reply.statusCode} ${JSON.stringify(answer)}`)
  return answer
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'spendgate-webhook-kill-'))
  stripe = await startStripe({ keys: [REAL] })
  stripe.seed()
  await serve()
})
afterAll(async () => {
  await server.child.kill()
  await stripe.close()
  rmSync(dir, { recursive: true, force: true })
})

test('the server is killed between movement and reply: Stripe delivers again, nothing is lost and nothing counted twice', async () => {
  const secret = { api_key: REAL, webhook_secret: SIGNING }
  const credential = await admin('POST', '/credentials', { vendor: 'stripe', name: 'main', secret })
  await admin('POST', '/policies', {
    apiVersion: 'spendgate/v1',
    name: 'all',
    vendors: { stripe: { endpoints: { allow: ['* *'] }, permit: ['future_spend'] } },
  })
  const key = await admin('POST', '/keys', { name: 'agent', policy: 'all', credentials: [credential.id] })
  const made = await request(`${server.agent}/stripe/v1/subscriptions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key.key}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'customer=cus_A&items[0][price]=price_month',
  })
  expect(made.statusCode).toBe(200)
  const { id: subscription } = (await made.body.json()) as { id: string }

  let unanswered = 0
  for (let kill = 0; kill < KILLS; kill++) {
    for (let i = 0; i < RENEWALS_A_KILL; i++) stripe.byItself.renew(subscription)
    const told = stripe.endpoint(`${server.agent}/webhooks/stripe`, SIGNING).deliver()
    // Somewhere among the deliveries, and at another place each time.
    await pause(20 + 25 * kill)
    await server.child.kill()
    unanswered += (await told).filter(({ status }) => status === 0).length
    await serve()
  }
  // A campaign that never caught a delivery under way would prove nothing.
  expect(unanswered).toBeGreaterThan(0)
  const last = await stripe.endpoint(`${server.agent}/webhooks/stripe`, SIGNING).deliver()
  expect(last.every(({ status }) => status === 200)).toBe(true)
  const { rows } = await admin('GET', '/spend?by=key')
  expect(rows).toMatchObject([{ key: key.id, spent_usd: `${15 * (1 + KILLS * RENEWALS_A_KILL)}.00` }])
  expect((await admin('GET', '/audit/verify')).faults).toEqual([])
}, 120_000)
