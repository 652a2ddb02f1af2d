import { createHmac } from 'node:crypto'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { request } from 'undici'
import { stripeClient } from '../../fixtures/simulators/clients.js'
import type { Endpoint } from '../../fixtures/simulators/stripe/by-itself.js'
import { formatUsd, parseUsd, usd } from '../../src/contracts/money.js'
import { Terminal } from '../cli/terminal.js'
import { REAL, type World } from '../helpers/world.js'
import { DAY_MS, link, movementsOf, onFile, SIGNING, spentByKey, subscribe, toldWorld } from './told.js'

let world: World
let endpoint: Endpoint
beforeEach(async () => {
  ;({ world, endpoint } = await toldWorld())
})
afterEach(() => world.close())

/** The body of the last event of a type, as Stripe would post it. */
const last = (type: string): string =>
  JSON.stringify([...world.stripe.state.events.values()].filter((event) => event.type === type).at(-1))

describe('what signed deliveries tell', () => {
  test('a renewal counts on the key that subscribed, on the day it happened', async () => {
    const key = await world.key({ daily_cap_usd: '20.00' })
    const subscription = await subscribe(world, key.key, '/run/plan/stripe')
    expect(await spentByKey(world)).toEqual({ [key.id]: '15.00' })

    world.clock.aheadMs += 30 * DAY_MS
    const invoice = world.stripe.byItself.renew(subscription)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '30.00' })
    expect(await movementsOf(world)).toMatchObject([
      {
        id: invoice.id,
        kind: 'renewal',
        key_id: key.id,
        run: 'plan',
        object: subscription,
        amount_usd: '15.00',
        counted_usd: '15.00',
        explained: true,
      },
    ])
    expect((await world.must('GET', '/spend?by=day')).rows).toMatchObject([
      { day: '2026-11-24', spent_usd: '15.00', calls: 1 },
      { day: '2026-12-24', spent_usd: '15.00', calls: 0 },
    ])
    // The day's budget knows of it: 15 of 20 are gone.
    const refused = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '501' })
    expect([refused.status, refused.headers['x-spendgate-code']]).toEqual([403, 'daily_cap_exceeded'])
    expect(await world.verified()).toEqual([])
  })

  test('a renewal told a day late counts on its own day, and leaves today as it was', async () => {
    const key = await world.key({ daily_cap_usd: '20.00' })
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(subscription)
    world.clock.aheadMs += DAY_MS
    await endpoint.deliver()
    const allowed = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '2000' })
    expect([allowed.status, allowed.headers['x-spendgate-remaining-usd']]).toEqual([200, '0.00'])
    expect(await world.verified()).toEqual([])
  })

  test('a renewal beyond the cap counts, and is warned of', async () => {
    const key = await world.key({ daily_cap_usd: '20.00' })
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 30 * DAY_MS
    const spent = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1000' })
    expect(spent.status).toBe(200)
    world.stripe.byItself.renew(subscription)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '40.00' })
    const { text } = await world.metrics()
    expect(text).toContain('spendgate_over_cap_total{vendor="stripe"} 1\n')
    expect(text).toContain('spendgate_movements_total{vendor="stripe",explained="true"} 1\n')
    const refused = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1' })
    expect(refused.headers['x-spendgate-code']).toBe('daily_cap_exceeded')
    expect(await world.verified()).toEqual([])
  })

  test('what a call of ours has paid is told and not counted again', async () => {
    const key = await world.key()
    await subscribe(world, key.key)
    const refund = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1000' })
    expect(refund.status).toBe(200)
    const told = await endpoint.deliver()
    expect(told.every(({ status }) => status === 200)).toBe(true)
    expect(told.map(({ type }) => type)).toEqual(expect.arrayContaining(['refund.created', 'invoice.paid']))
    expect(await spentByKey(world)).toEqual({ [key.id]: '25.00' })
    expect(await movementsOf(world, '?explained=false')).toEqual([])
    expect(await world.verified()).toEqual([])
  })

  test('a link made by one key and paid twice counts on that key, its making having counted one sale', async () => {
    const key = await world.key()
    const other = await world.key()
    const id = await link(world, key)
    expect(await spentByKey(world)).toEqual({ [key.id]: '9.00' })
    world.stripe.byItself.payLink(id)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '9.00' })
    world.stripe.byItself.payLink(id)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '18.00' })
    expect((await spentByKey(world))[other.id]).toBeUndefined()
    expect(await movementsOf(world)).toMatchObject([{ counted_usd: '9.00' }, { counted_usd: '0.00' }])
    expect(await world.verified()).toEqual([])
  })

  test('a page that sells a subscription is paid, and its renewals count on the key that made the page', async () => {
    const key = await world.key()
    const made = await world.call(key.key, 'POST', '/stripe/v1/payment_links', {
      'line_items[0][price]': 'price_month',
      'line_items[0][quantity]': '1',
    })
    expect([made.status, (await spentByKey(world))[key.id]]).toEqual([200, '15.00'])
    const session = world.stripe.byItself.payLink(made.body.id)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '15.00' })
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(session['subscription'] as string)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '30.00' })
    expect(await movementsOf(world, '?explained=false')).toEqual([])
    expect(await world.verified()).toEqual([])
  })

  test('a subscription that a schedule begins is its maker’s', async () => {
    const key = await world.key()
    const schedule = await world.call(key.key, 'POST', '/stripe/v1/subscription_schedules', {
      customer: 'cus_A',
      start_date: String(Math.floor(world.clock.now() / 1000) + 86_400),
      end_behavior: 'release',
      'phases[0][items][0][price]': 'price_month',
      'phases[0][items][0][quantity]': '1',
      'phases[0][duration][interval]': 'month',
      'phases[0][duration][interval_count]': '1',
    })
    expect(schedule.status).toBe(200)
    const [before] = Object.values(await spentByKey(world))
    world.clock.aheadMs += DAY_MS
    // Begun by Stripe at the time: the simulator has no schedules that act, so the subscription is made for it.
    const real = await stripeClient(world.stripe.origin, REAL.stripe)
    const begun = await real.subscriptions.create({ customer: 'cus_A', items: [{ price: 'price_month' }] })
    const event = JSON.parse(last('customer.subscription.created'))
    event.data.object.schedule = schedule.body.id
    event.request = { id: null, idempotency_key: null }
    expect(await endpoint.post(JSON.stringify(event))).toBe(200)
    const billed = world.stripe.byItself.renew(begun.id)
    expect(await endpoint.post(last('invoice.paid'))).toBe(200)
    expect(await movementsOf(world)).toMatchObject([
      { id: billed.id, key_id: key.id, object: begun.id, counted_usd: '15.00' },
      { id: begun.id, key_id: key.id, object: schedule.body.id, counted_usd: '0.00' },
    ])
    expect(Object.values(await spentByKey(world))).toEqual([formatUsd(usd(parseUsd(before!)! + parseUsd('15.00')!))])
    expect(await world.verified()).toEqual([])
  })

  test('a checkout session counts when it is made, and not again when it is paid', async () => {
    const key = await world.key()
    const made = await world.call(key.key, 'POST', '/stripe/v1/checkout/sessions', {
      mode: 'payment',
      'line_items[0][price]': 'price_once',
      'line_items[0][quantity]': '2',
    })
    expect(made.status).toBe(200)
    world.stripe.byItself.paySession(made.body.id)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '18.00' })
    expect(await movementsOf(world)).toMatchObject([{ kind: 'page', object: made.body.id, counted_usd: '0.00' }])
    expect(await world.verified()).toEqual([])
  })

  test('an intent that a customer confirms counts once; taken back by the bank, it counts on the same key', async () => {
    const key = await world.key()
    const made = await world.call(key.key, 'POST', '/stripe/v1/payment_intents', { amount: '4000', currency: 'usd' })
    expect(made.status).toBe(200)
    const intent = world.stripe.byItself.payIntent(made.body.id)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '40.00' })
    const dispute = world.stripe.byItself.dispute(intent.latest_charge!)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '80.00' })
    expect(await movementsOf(world)).toMatchObject([
      { id: dispute.id, kind: 'dispute', direction: 'out', key_id: key.id, counted_usd: '40.00' },
      { id: intent.id, kind: 'charge', direction: 'in', key_id: key.id, counted_usd: '0.00' },
    ])
    expect(await world.verified()).toEqual([])
  })

  test('an invoice that Stripe finalizes and collects by itself counts no more than the call that let it', async () => {
    const key = await world.key()
    const item = { customer: 'cus_A', amount: '2500', currency: 'usd' }
    expect((await world.call(key.key, 'POST', '/stripe/v1/invoiceitems', item)).status).toBe(200)
    const made = await world.call(key.key, 'POST', '/stripe/v1/invoices', {
      customer: 'cus_A',
      auto_advance: 'true',
      pending_invoice_items_behavior: 'include',
    })
    expect(made.status).toBe(200)
    const [before] = Object.values(await spentByKey(world))
    world.stripe.byItself.advance(made.body.id)
    await endpoint.deliver()
    expect(await movementsOf(world)).toMatchObject([{ id: made.body.id, key_id: key.id, counted_usd: '0.00' }])
    expect(Object.values(await spentByKey(world))).toEqual([before])
    expect(await world.verified()).toEqual([])
  })

  test('what a child key began counts in its ancestors', async () => {
    const parent = await world.key({ daily_cap_usd: '40.00' })
    const child = await world.must('POST', `/keys/${parent.id}/runs`, { run: 'run_1', cap_usd: '40.00' })
    const subscription = await subscribe(world, child.key)
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(subscription)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [child.id]: '30.00' })
    // Of the parent's day 15 are gone; of the run's cap 30.
    const parents = await world.call(parent.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '2501' })
    expect(parents.headers['x-spendgate-code']).toBe('daily_cap_exceeded')
    const childs = await world.call(child.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1001' })
    expect(childs.headers['x-spendgate-code']).toBe('run_cap_exceeded')
    expect(await world.spent('run_1')).toMatchObject({ spent_usd: '30.00' })
    expect(await world.verified()).toEqual([])
  })

  test('two keys on one credential: each answers for what it began', async () => {
    const [a, b] = [await world.key(), await world.key()]
    const first = await subscribe(world, a.key)
    const second = await subscribe(world, b.key)
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(first)
    world.stripe.byItself.renew(first)
    world.stripe.byItself.renew(second)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [a.id]: '45.00', [b.id]: '30.00' })
    expect(await world.verified()).toEqual([])
  })

  test('the last invoice of a subscription that was ended is still its maker’s', async () => {
    const key = await world.key()
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(subscription)
    const ended = await world.call(key.key, 'DELETE', `/stripe/v1/subscriptions/${subscription}`)
    expect(ended.status).toBe(200)
    await endpoint.deliver()
    expect(await spentByKey(world)).toEqual({ [key.id]: '30.00' })
    expect(await world.verified()).toEqual([])
  })

  test('a call whose reply was lost is settled when its money is heard of, and counts once', async () => {
    const key = await world.key()
    world.stripe.fault('POST /v1/refunds', { do: 'reset', applies: true })
    const lost = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1000' })
    expect(lost.status).toBe(502)
    expect(await world.calls('&state=assumed')).toHaveLength(1)
    await endpoint.deliver()
    await expect.poll(() => world.calls('&state=settled')).toMatchObject([{ settled_usd: '10.00' }])
    expect(await movementsOf(world)).toEqual([])
    expect(await world.verified()).toEqual([])
  })

  test('a refund at the dashboard is nobody’s, and is named at once', async () => {
    const key = await world.key()
    const refund = world.stripe.byItself.refundAtDashboard('ch_A', 1_500)
    await endpoint.deliver()
    expect(await movementsOf(world, '?explained=false')).toMatchObject([
      { id: refund.id, kind: 'refund', key_id: null, amount_usd: '15.00', counted_usd: '0.00', explained: false },
    ])
    expect(await spentByKey(world)).not.toHaveProperty(key.id)
    expect(await world.verified()).toEqual([])
  })

  test('money in a currency without a rate is named without an amount, and counts once there is one', async () => {
    const key = await world.key()
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(subscription)
    const inEuro = last('invoice.paid').replace('"currency":"usd"', '"currency":"eur"')
    expect(await endpoint.post(inEuro)).toBe(200)
    expect(await movementsOf(world)).toMatchObject([{ amount_usd: null, counted_usd: '0.00', explained: false }])
    expect(await spentByKey(world)).toEqual({ [key.id]: '15.00' })
    const rates = { as_of: '2026-12-24', usd_per: { eur: '1.10' }, haircut: '0.03', max_age_days: 30 }
    await world.must('PUT', '/rates', rates)
    expect(await endpoint.post(inEuro)).toBe(200)
    expect(await movementsOf(world)).toMatchObject([{ amount_usd: '16.50', counted_usd: '16.50', explained: true }])
    expect(await spentByKey(world)).toEqual({ [key.id]: '31.50' })
    expect(await world.verified()).toEqual([])
  })

  test('what moves on a connected account is not ours to explain', async () => {
    world.stripe.byItself.refundAtDashboard('ch_A', 1_500)
    const event = JSON.parse(last('refund.created'))
    expect(await endpoint.post(JSON.stringify({ ...event, account: 'acct_B' }))).toBe(200)
    expect(await movementsOf(world)).toEqual([])
    expect(await endpoint.post(JSON.stringify(event))).toBe(200)
    expect(await movementsOf(world)).toHaveLength(1)
  })

  test('a call that was released counts after all when its money is heard of', async () => {
    const key = await world.key()
    world.stripe.fault('POST /v1/refunds', { do: 'status', status: 400, applies: true })
    const denied = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1000' })
    expect(denied.status).toBe(400)
    expect(await world.calls('&state=released')).toHaveLength(1)
    expect((await spentByKey(world))[key.id]).toBe('0.00')
    await endpoint.deliver()
    expect((await spentByKey(world))[key.id]).toBe('10.00')
    expect(await movementsOf(world)).toMatchObject([{ kind: 'refund', key_id: key.id, counted_usd: '10.00' }])
    expect(await world.verified()).toEqual([])
  })

  test('an automatic payout carries home what was earned, and is not reported', async () => {
    world.stripe.byItself.payoutOnSchedule(50_000)
    const told = await endpoint.deliver()
    expect(told).toMatchObject([{ type: 'payout.created', status: 200 }])
    expect(await movementsOf(world)).toEqual([])
  })
})

describe('what is not believed', () => {
  const renewed = async (): Promise<{ key: string; body: string }> => {
    const key = await world.key()
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 30 * DAY_MS
    world.stripe.byItself.renew(subscription)
    return { key: key.id, body: last('invoice.paid') }
  }

  test('a delivery signed with another secret is refused and counted', async () => {
    const { key, body } = await renewed()
    expect(await endpoint.post(body, undefined, 'whsec_somebodyElsesSecret0123')).toBe(400)
    expect(await spentByKey(world)).toEqual({ [key]: '15.00' })
    expect((await world.metrics()).text).toContain('spendgate_webhooks_total{vendor="stripe",status="400"} 1\n')
  })

  test('a delivery whose bytes were changed after signing is refused', async () => {
    const { key, body } = await renewed()
    const at = Math.floor(world.clock.now() / 1000)
    const v1 = createHmac('sha256', SIGNING).update(`${at}.${body}`).digest('hex')
    const forged = await request(`${world.url}/webhooks/stripe`, {
      method: 'POST',
      headers: { 'stripe-signature': `t=${at},v1=${v1}` },
      body: body.replace('"amount_paid":1500', '"amount_paid":1'),
    })
    await forged.body.dump()
    expect(forged.statusCode).toBe(400)
    expect(await spentByKey(world)).toEqual({ [key]: '15.00' })
  })

  test('a delivery without a signature is refused', async () => {
    const { body } = await renewed()
    const bare = await request(`${world.url}/webhooks/stripe`, { method: 'POST', body })
    await bare.body.dump()
    expect(bare.statusCode).toBe(400)
  })

  test('a signature older than five minutes is refused', async () => {
    const { key, body } = await renewed()
    expect(await endpoint.post(body, world.clock.now() - 301_000)).toBe(400)
    expect(await spentByKey(world)).toEqual({ [key]: '15.00' })
    expect(await endpoint.post(body, world.clock.now() - 290_000)).toBe(200)
    expect(await spentByKey(world)).toEqual({ [key]: '30.00' })
  })

  test('an event delivered again, or another event of the same money, counts once', async () => {
    const { key, body } = await renewed()
    for (const each of [body, body, last('invoice.payment_succeeded'), last('payment_intent.succeeded'), body])
      expect(await endpoint.post(each)).toBe(200)
    expect(await spentByKey(world)).toEqual({ [key]: '30.00' })
    expect(await movementsOf(world)).toHaveLength(1)
    expect(await world.verified()).toEqual([])
  })

  test('the same event delivered many times at once counts once', async () => {
    const { key, body } = await renewed()
    const told = await Promise.all(Array.from({ length: 20 }, () => endpoint.post(body)))
    expect(new Set(told)).toEqual(new Set([200]))
    expect(await spentByKey(world)).toEqual({ [key]: '30.00' })
    expect(await world.verified()).toEqual([])
  })

  test('a body larger than a MiB is refused, declared or not, and the server goes on', async () => {
    const { key, body } = await renewed()
    const large = 'x'.repeat(1024 * 1024 + 1)
    expect(await endpoint.post(large)).toBe(413)
    const chunked = await request(`${world.url}/webhooks/stripe`, {
      method: 'POST',
      headers: { 'stripe-signature': 't=1,v1=0' },
      body: Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(64 * 1024, 'x'))),
    })
    await chunked.body.dump()
    expect(chunked.statusCode).toBe(413)
    expect(await endpoint.post(body)).toBe(200)
    expect(await spentByKey(world)).toEqual({ [key]: '30.00' })
  })

  test('an event of the other mode, or of an unknown type, is taken and changes nothing', async () => {
    const { key, body } = await renewed()
    expect(await endpoint.post(body.replace(/^(\{.*?"livemode":)true/, '$1false'))).toBe(200)
    expect(await endpoint.post(JSON.stringify({ ...JSON.parse(body), type: 'made.up' }))).toBe(200)
    expect(await endpoint.post(JSON.stringify({ ...JSON.parse(body), data: { object: null } }))).toBe(200)
    expect(await spentByKey(world)).toEqual({ [key]: '15.00' })
    expect(await movementsOf(world)).toEqual([])
  })

  test('nothing but a POST is taken at the path, and no admin path is on this port', async () => {
    const at = async (path: string, method: 'GET' | 'POST'): Promise<number> => {
      const headers = { authorization: `Bearer ${REAL.admin}` }
      const reply = await request(world.url + path, { method, headers, body: method === 'GET' ? null : '{}' })
      await reply.body.dump()
      return reply.statusCode
    }
    expect(await at('/webhooks/stripe', 'GET')).toBe(405)
    const admin = [
      '/admin/v1/movements',
      '/admin/v1/reconcile',
      '/admin/openapi.json',
      '/metrics',
      '/readyz',
      '/healthz',
    ]
    for (const path of admin) expect([path, await at(path, 'GET')]).toEqual([path, 404])
    // Resend has paths of this name at its root: they ask for a vault key, and an admin token is none.
    for (const path of ['/webhooks', '/webhooks/twilio', '/webhooks/stripe/', '/webhooks/stripe?x=1'])
      expect([path, await at(path, 'POST')]).toEqual([path, 401])
    expect(await world.calls()).toEqual([])
  })
})

describe('the secret that webhooks are signed with', () => {
  test('without one there is no such path, and no row', async () => {
    const { stripe } = await world.credentials()
    await world.must('DELETE', `/credentials/${stripe}`)
    await world.must('POST', '/credentials', { vendor: 'stripe', name: 'bare', secret: { api_key: REAL.stripe } })
    expect(await endpoint.post('{}')).toBe(404)
    expect(await world.calls()).toEqual([])
  })

  test('it is rotated apart from the key, and stays when the key is', async () => {
    const { stripe } = await world.credentials()
    const before = await world.must('GET', `/credentials/${stripe}`)
    const next = 'whsec_CANARYnextSigningSecret0123456'
    const rotated = await world.must('POST', `/credentials/${stripe}/rotate`, { secret: { webhook_secret: next } })
    expect(rotated.fingerprint).toBe(before.fingerprint)
    expect(await endpoint.post('{"id":"evt_1"}')).toBe(400)
    expect(await endpoint.post('{"id":"evt_1"}', undefined, next)).toBe(200)
    await world.must('POST', `/credentials/${stripe}/rotate`, { secret: { api_key: REAL.stripe } })
    expect(await endpoint.post('{"id":"evt_1"}', undefined, next)).toBe(200)
    const key = await world.key()
    expect((await world.call(key.key, 'GET', '/stripe/v1/charges/ch_A')).status).toBe(200)
  })

  test('what is none is refused, and no reply shows one', async () => {
    const { stripe } = await world.credentials()
    const refused = await world.admin('POST', `/credentials/${stripe}/rotate`, {
      secret: { webhook_secret: 'nonsense' },
    })
    expect([refused.status, refused.text.includes('nonsense')]).toEqual([400, false])
    const resend = await world.admin('POST', '/credentials', {
      vendor: 'resend',
      name: 'other',
      secret: { api_key: REAL.resend, webhook_secret: SIGNING },
    })
    expect([resend.status, resend.body.detail]).toEqual([400, expect.stringContaining('takes no webhooks of resend')])
    expect((await world.admin('POST', `/credentials/${stripe}/rotate`, { secret: {} })).status).toBe(400)
    const shown = await world.admin('GET', '/credentials')
    expect(shown.text).not.toContain('CANARYsigning')
  })

  onFile('it lies sealed: no file shows it', () => {
    expect(world.files().includes('CANARYsigning')).toBe(false)
  })

  test('the command takes it like every secret: from a file, a variable or standard input, never as a word', async () => {
    const terminal = new Terminal({
      SPENDGATE_URL: world.server.adminUrl,
      SPENDGATE_ADMIN_TOKEN: REAL.admin,
      NEXT: 'whsec_CANARYfromVariable0123456789',
    })
    try {
      const { stripe } = await world.credentials()
      const rotate = (...options: string[]) => terminal.run('credential', 'rotate', stripe, ...options)
      expect((await rotate('--webhook-secret-env', 'NEXT')).exit).toBe(0)
      expect(await endpoint.post('{"id":"evt_1"}', undefined, 'whsec_CANARYfromVariable0123456789')).toBe(200)
      terminal.stdin = 'whsec_CANARYfromStdin01234567890\n'
      expect((await rotate('--webhook-secret-stdin')).exit).toBe(0)
      expect(await endpoint.post('{"id":"evt_1"}', undefined, 'whsec_CANARYfromStdin01234567890')).toBe(200)
      // The key is still there: nobody was asked for it.
      expect((await world.call((await world.key()).key, 'GET', '/stripe/v1/charges/ch_A')).status).toBe(200)
      const both = await rotate('--secret-stdin', '--webhook-secret-stdin')
      expect([both.exit, both.err]).toEqual([2, expect.stringContaining('Standard input holds one secret')])
      const word = await rotate('--webhook-secret-env=whsec_CANARYonTheCommandLine01')
      expect([word.exit, word.err.includes('CANARY')]).toEqual([2, false])
      terminal.env['KEY'] = REAL.stripe
      const added = await terminal.run(
        ...['credential', 'add', 'stripe', '--name', 'second', '--secret-env', 'KEY', '--webhook-secret-env', 'NEXT'],
      )
      expect([added.exit, added.out.includes('CANARY')]).toEqual([0, false])
      expect(await endpoint.post('{"id":"evt_1"}', undefined, 'whsec_CANARYfromVariable0123456789')).toBe(200)
    } finally {
      terminal.close()
    }
  })
})
