import { afterAll, beforeAll, expect, test } from 'vitest'
import { stripeClient } from '../../fixtures/simulators/clients.js'
import { REAL, type World } from '../helpers/world.js'
import { MINUTE, pay, startWorld, travel } from '../pipeline/given.js'
import { Visitor, words } from './visitor.js'

/* Policies, vendors and the audit chain, as their pages tell of them. */

let world: World
let visitor: Visitor
beforeAll(async () => {
  world = await startWorld()
  visitor = await new Visitor(world).signIn()
})
afterAll(() => world.close())

const read = async (path: string): Promise<string> => words(await visitor.page(`/dashboard${path}`))
const document = {
  apiVersion: 'spendgate/v1',
  name: 'refunds',
  daily_cap_usd: '50.00',
  vendors: { stripe: { endpoints: { allow: ['POST /v1/refunds'] }, max_amount_usd: '25.00' } },
}

test('empty lists say what makes an entry', async () => {
  expect(await read('/policies')).toContain('No policy yet. spendgate policy add stores one.')
  expect(await read('/vendors')).toContain('None yet. spendgate credential add stores one.')
  expect(await read('/keys/new')).toContain('A key needs a policy and at least one credential.')
})

test('a policy is told in words, as its document, and by what changed since the version before', async () => {
  await world.must('POST', '/policies', document)
  await world.must('POST', '/policies', {
    ...document,
    daily_cap_usd: '80.00',
    rate_limit: { per_minute: 30 },
    vendors: { stripe: { endpoints: { allow: ['POST /v1/refunds', 'GET /v1/charges*'] } } },
  })
  expect(await read('/policies')).toMatch(/refunds 2 /)
  const latest = await read('/policies/refunds')
  expect(latest).toContain('At most USD 80.00 a day (UTC).')
  expect(latest).toContain('Changed since version 1')
  expect(latest).toMatch(/Wider The cap of a day .* USD 80\.00/)
  expect(latest).toMatch(/Tighter At most 30 calls a minute/)
  expect(latest).toMatch(/daily_cap_usd : 50\.00 80\.00/)
  expect(latest).toMatch(/vendors\.stripe\.max_amount_usd : 25\.00 taken out/)
  expect(latest).toMatch(/rate_limit\.per_minute : new, 30/)
  const first = await read('/policies/refunds?version=1')
  expect(first).toContain('stripe: At most USD 25.00 a call.')
  expect(first).not.toContain('Changed since')
  for (const path of ['/policies/nobody', '/policies/refunds?version=9', '/policies/refunds?version=x'])
    expect((await visitor.get(`/dashboard${path}`)).status).toBe(404)
})

test('a credential is told by its fingerprint and last four, and its secret nowhere', async () => {
  const key = await world.key()
  await pay(world, key.key, 100)
  const page = await visitor.page('/dashboard/vendors')
  const { credentials } = await world.must('GET', '/credentials')
  for (const each of credentials) {
    expect(page).toContain(each.fingerprint)
    expect(page).toContain(`…${each.last4}`)
  }
  expect(words(page)).toContain('Behind 1 key not revoked')
  expect(words(page)).toContain('The outcome of every call is known.')
  expect(words(page)).toContain('Money that no call explains None is known.')
  for (const path of ['', '/keys', '/vendors', '/audit', '/calls', `/keys/${key.id}`])
    for (const secret of Object.values(REAL))
      if (secret !== REAL.twilioAccount) expect(await visitor.page(`/dashboard${path}`)).not.toContain(secret)
})

test('a call that was cut off counts as spent and is listed until its outcome is known', async () => {
  const key = await world.key()
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  await pay(world, key.key, 700)
  const page = await read('/vendors')
  expect(page).toContain('The outcome of 1 call is not known yet; they count as spent.')
  expect(page).toContain('stripe payment_intents.create $7.00')
  expect(await read('/calls?state=assumed')).toContain('Unknown')
})

test('Reconcile now asks the vendors, books what they say and shows how far their records agree', async () => {
  const before = await read('/vendors')
  expect(before).toContain("Nothing was compared with the vendors' records since spendgate started.")
  const notice = await visitor.does('/dashboard/vendors/reconcile')
  expect(notice).toMatch(/^The vendors were asked about 1 call: 1 settled\./)
  const page = await read('/vendors')
  expect(page).toContain('The outcome of every call is known.')
  expect(page).toContain('Unexplained $0.00 Looked at 1 call Settled 1 Released 0')
  expect(await read('/calls?state=assumed')).toContain('No call fits.')
})

test('money that no call explains is a sum beside its movements', async () => {
  const elsewhere = await stripeClient(world.stripe.origin, REAL.stripe)
  await elsewhere.charges.create({ amount: 1_500, currency: 'usd', source: 'tok_visa', customer: 'cus_A' })
  // What has just happened may still be on its way, and is read by the next run.
  travel(world, 2 * MINUTE)
  expect(await visitor.does('/dashboard/vendors/reconcile')).toMatch(/\d+ movements? of money no call explains\.$/)
  const page = await read('/vendors')
  expect(page).toMatch(/Explained [\d.]+ % of what moved Unexplained \$[\d.]+ in \d+ movement/)
  expect(page).toMatch(/Money that no call explains .* stripe charge \$15\.00/)
})

test('a form without the token of its session asks no vendor', async () => {
  const seen = world.stripe.requests.length
  expect((await visitor.post('/dashboard/vendors/reconcile', {})).status).toBe(403)
  expect(world.stripe.requests.length).toBe(seen)
})

test('the book is verified by a button, and exported as the admin API does', async () => {
  expect(await visitor.does('/dashboard/audit/verify')).toMatch(/^The book is sound/)
  expect(await read('/audit')).toMatch(/Entries \d+/)
  const sheet = await visitor.get('/dashboard/audit/export?format=ndjson')
  expect(sheet.headers['content-disposition']).toContain('spendgate-audit.ndjson')
  const lines = sheet.text.trim().split('\n')
  expect(lines.length).toBe(Number(/Entries ([\d,]+)/.exec(await read('/audit'))![1]!.replace(',', '')))
  expect(JSON.parse(lines[0]!)).toMatchObject({ seq: 1 })
  expect((await visitor.get('/dashboard/audit/export?format=csv')).headers['content-type']).toMatch(/^text\/csv/)
})
