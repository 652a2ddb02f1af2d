import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { startServer } from '../helpers/process.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { allCalls, books, HOUR, MINUTE, moved, payment, seenBy, startWorld, travel } from '../pipeline/given.js'

/** What a process leaves behind that ends in the middle of a call: the reservation, and nothing of what was sent. */
let world: World
beforeEach(async () => {
  world = await startWorld({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '2000' })
})
afterEach(() => world.close())

const reconcile = (body: object = {}): Promise<any> => world.must('POST', '/reconcile', body)

/** Makes a call, and goes on from the files as they were while the vendor had it. */
async function crashedDuring(
  key: IssuedKey,
  applies: boolean,
  headers: Record<string, string> = {},
): Promise<{ state: string; settled_usd: string }> {
  const hang = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies })
  const answer = world.call(key.key, 'POST', '/stripe/v1/payment_intents', payment(700), headers)
  await hang.struck
  const [data, left] = [join(world.dir, 'data'), join(world.dir, 'left')]
  cpSync(data, left, { recursive: true })
  hang.release()
  await answer
  await world.server.stop()
  rmSync(data, { recursive: true })
  cpSync(left, data, { recursive: true })
  await world.serve()
  const [row] = await allCalls(world)
  return row
}

test.each([
  ['with a key of ours', {}],
  ['with the client’s own key', { 'idempotency-key': 'before-the-crash' }],
])('a payment that Stripe had made is settled by its event, %s', async (_, headers) => {
  const key = await world.key({ daily_cap_usd: '20.00' })
  expect(await crashedDuring(key, true, headers)).toMatchObject({ state: 'assumed', settled_usd: '7.00' })
  expect(await reconcile()).toMatchObject({ checked: 1, settled: 1 })
  expect(await allCalls(world)).toMatchObject([{ state: 'settled', settled_usd: '7.00' }])
  expect(await books(world)).toEqual({ spent: '7.00', held: '0.00' })
})

test('one that Stripe never made is released once its key has expired', async () => {
  const key = await world.key({ daily_cap_usd: '20.00' })
  await crashedDuring(key, false)
  expect(await reconcile()).toMatchObject({ still_assumed: 1 })
  travel(world, 25 * HOUR + MINUTE)
  expect(await reconcile()).toMatchObject({ released: 1 })
  expect(await books(world)).toEqual({ spent: '0.00', held: '0.00' })
})

test('the client’s key is known two days later too', async () => {
  const key = await world.key({ daily_cap_usd: '20.00' })
  await crashedDuring(key, true, { 'idempotency-key': 'two-days-ago' })
  travel(world, 50 * HOUR)
  // Admissions forget the keys of calls that are over.
  for (let i = 0; i < 30; i++) await world.call(key.key, 'GET', '/stripe/v1/customers/cus_A')
  expect(await reconcile()).toMatchObject({ settled: 1 })
})

test('one that may have acted on a connected account is not released', async () => {
  const key = await world.key({
    daily_cap_usd: '20.00',
    vendors: { stripe: { endpoints: { allow: ['* *'] }, connected_accounts: ['acct_1'], permit: ['future_spend'] } },
  })
  await crashedDuring(key, false)
  travel(world, 26 * HOUR)
  const report = await reconcile()
  expect(report.calls).toMatchObject([{ outcome: 'still_assumed', why: expect.stringMatching(/connected account/) }])
})

test('it cannot be sent again: what was sent is not known', async () => {
  const key = await world.key({ daily_cap_usd: '20.00' })
  await crashedDuring(key, false)
  const { result, requests } = await seenBy(world.stripe, () => reconcile({ replay: true }))
  expect(result.calls).toMatchObject([{ outcome: 'still_assumed', why: expect.stringMatching(/was not kept/) }])
  expect(requests.filter(({ method }) => method === 'POST')).toEqual([])
  expect(moved(world)).toBe(0n)
})

test('what is kept of a request holds neither its words nor the real key in the clear, and goes with the doubt', async () => {
  const key = await world.key({ daily_cap_usd: '20.00' })
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const form = payment(700, { description: 'CANARYdescription', receipt_email: 'canary@acme.com' })
  await world.call(key.key, 'POST', '/stripe/v1/payment_intents', form)
  expect(await allCalls(world)).toMatchObject([{ state: 'assumed' }])
  const files = world.files().toString('latin1')
  expect(files).not.toContain('CANARYdescription')
  expect(files).not.toContain('canary@acme.com')
  expect(files).not.toContain('CANARY51stripeRealKey')
  expect(await reconcile()).toMatchObject({ settled: 1 })
  await world.server.stop()
  const { default: Database } = await import('better-sqlite3')
  const db = new Database(join(world.dir, 'data', 'spendgate.db'), { readonly: true })
  expect(db.prepare('select count(*) as n from evidence').get()).toEqual({ n: 0 })
  expect(db.prepare('select actor from resolutions').all()).toEqual([{ actor: 'reconciliation' }])
  db.close()
  await world.serve()
})

test('a server that was killed in the middle of a call settles it after its next start', async () => {
  const dir = join(world.dir, 'killed')
  const env = {
    SPENDGATE_DATA_DIR: dir,
    SPENDGATE_ADMIN_TOKEN: REAL.admin,
    SPENDGATE_MASTER_KEY: REAL.master,
    SPENDGATE_STRIPE_UPSTREAM: world.stripe.origin,
    SPENDGATE_RECONCILE_MS: '0',
  }
  const admin = async (at: string, method: 'GET' | 'POST', path: string, body?: object): Promise<any> => {
    const reply = await request(`${at}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${REAL.admin}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    })
    return reply.body.json()
  }
  const first = startServer(env)
  let at = await first.ready
  const secret = { api_key: REAL.stripeTest }
  const { id: credential } = await admin(at.admin, 'POST', '/credentials', { vendor: 'stripe', name: 'main', secret })
  await admin(at.admin, 'POST', '/policies', {
    apiVersion: 'spendgate/v1',
    name: 'p',
    daily_cap_usd: '50.00',
    vendors: { stripe: { endpoints: { allow: ['* *'] }, permit: ['future_spend'] } },
  })
  const { key } = await admin(at.admin, 'POST', '/keys', { name: 'k', policy: 'p', credentials: [credential] })
  // The child's clock is the real one, and the simulated vendor's must be the same to have events of that time.
  world.clock.aheadMs = 0
  const hang = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
  const answer = request(`${at.agent}/stripe/v1/payment_intents`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams(payment(900)).toString(),
  }).catch((fault: unknown) => fault)
  await hang.struck
  await first.child.kill()
  expect(await answer).toBeInstanceOf(Error)

  const second = startServer(env)
  at = await second.ready
  expect((await admin(at.admin, 'GET', '/calls')).calls).toMatchObject([{ state: 'assumed', settled_usd: '9.00' }])
  const report = await admin(at.admin, 'POST', '/reconcile')
  expect(report).toMatchObject({ checked: 1, settled: 1 })
  expect((await admin(at.admin, 'GET', '/calls')).calls).toMatchObject([{ state: 'settled', settled_usd: '9.00' }])
  expect((await admin(at.admin, 'GET', '/audit/verify')).faults).toEqual([])
  expect((await second.child.stop()).code).toBe(0)
})
