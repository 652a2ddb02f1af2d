import { request } from 'undici'
import { test } from 'vitest'
import type { Endpoint } from '../../fixtures/simulators/stripe/by-itself.js'
import { REAL, World, type IssuedKey } from '../helpers/world.js'

export const SIGNING = 'whsec_CANARYsigningSecret0123456789'
export const DAY_MS = 86_400_000

/** Where the ledger is a file that a test may open. What several nodes share is opened by hand in test/ledger. */
export const onFile = test.runIf(process.env.SPENDGATE_TEST_POSTGRES === undefined)

/** A world whose Stripe credential has a secret for webhooks, and the endpoint that Stripe posts to. */
export async function toldWorld(): Promise<{ readonly world: World; readonly endpoint: Endpoint }> {
  const world = await World.start()
  // What the account already had is live, and older than the credential.
  const seen = await request(`${world.stripe.origin}/v1/balance`, {
    headers: { authorization: `Bearer ${REAL.stripe}` },
  })
  await seen.body.dump()
  world.clock.aheadMs -= 7 * DAY_MS
  world.stripe.seed()
  world.clock.aheadMs += 7 * DAY_MS
  await world.must('POST', '/credentials', {
    vendor: 'stripe',
    name: 'stripe-main',
    secret: { api_key: REAL.stripe, webhook_secret: SIGNING },
  })
  return { world, endpoint: world.stripe.endpoint(`${world.url}/webhooks/stripe`, SIGNING) }
}

/** A subscription to price_month (15.00 a month), made through the gate. */
export async function subscribe(world: World, key: string, path = '/stripe'): Promise<string> {
  const made = await world.call(key, 'POST', `${path}/v1/subscriptions`, {
    customer: 'cus_A',
    'items[0][price]': 'price_month',
  })
  if (made.status !== 200) throw new Error(`${made.status} ${made.text}`)
  return made.body.id
}

/** A link that sells one price_once (9.00), without a limit, made through the gate. */
export async function link(world: World, key: IssuedKey): Promise<string> {
  const made = await world.call(key.key, 'POST', '/stripe/v1/payment_links', {
    'line_items[0][price]': 'price_once',
    'line_items[0][quantity]': '1',
  })
  if (made.status !== 200) throw new Error(`${made.status} ${made.text}`)
  return made.body.id
}

export const movementsOf = async (world: World, query = ''): Promise<any[]> =>
  (await world.must('GET', `/movements${query}`)).movements

/** Reconciles once what happened so far is old enough to be read, and gives the report. */
export async function reconciled(world: World): Promise<any> {
  world.clock.aheadMs += 2 * 60_000
  return world.must('POST', '/reconcile', {})
}

/** What keys count for, by id. */
export async function spentByKey(world: World, query = ''): Promise<Record<string, string>> {
  const { rows } = await world.must('GET', `/spend?by=key${query}`)
  return Object.fromEntries(rows.map((row: { key: string; spent_usd: string }) => [row.key, row.spent_usd]))
}
