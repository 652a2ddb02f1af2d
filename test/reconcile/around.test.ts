import { request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { stripeClient, twilioClient } from '../../fixtures/simulators/clients.js'
import type { Endpoint } from '../../fixtures/simulators/stripe/by-itself.js'
import { REAL, type World } from '../helpers/world.js'
import { DAY_MS, link, movementsOf, reconciled, spentByKey, subscribe, toldWorld } from './told.js'

let world: World
let endpoint: Endpoint
beforeEach(async () => {
  ;({ world, endpoint } = await toldWorld())
})
afterEach(() => world.close())

describe('what went around the gate with the real key', () => {
  test('charges, refunds, transfers and payouts made elsewhere are named, and count on no key', async () => {
    const key = await world.key()
    const mine = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1000' })
    expect(mine.status).toBe(200)
    const real = await stripeClient(world.stripe.origin, REAL.stripe)
    const charge = await real.charges.create({ amount: 4_000, currency: 'usd', source: 'tok_visa', customer: 'cus_A' })
    const refund = await real.refunds.create({ charge: 'ch_B', amount: 500 }, { idempotencyKey: 'somebody-elses' })
    const transfer = await real.transfers.create({ amount: 2_000, currency: 'usd', destination: 'acct_B' })
    const payout = await real.payouts.create({ amount: 2_500, currency: 'usd' })
    const report = await reconciled(world)
    const named = Object.fromEntries(report.unexplained.map((each: any) => [each.id, [each.kind, each.amount_usd]]))
    expect(named).toEqual({
      [charge.id]: ['charge', '40.00'],
      [refund.id]: ['refund', '5.00'],
      [transfer.id]: ['transfer', '20.00'],
      [payout.id]: ['payout', '25.00'],
    })
    // Ten of a hundred went through the gate.
    expect(report.explained_percent).toBe('10.0')
    expect(report.unexplained[0]).toMatchObject({ vendor: 'stripe', credential: 'stripe-main' })
    expect(report.unexplained.every((each: any) => /^(?:No|Nothing) /.test(each.why))).toBe(true)
    expect(await spentByKey(world)).toEqual({ [key.id]: '10.00' })
    const { text } = await world.metrics()
    expect(text).toContain('spendgate_unexplained_spend_total{vendor="stripe"} 1\n')
    expect(text).toContain('spendgate_movements_total{vendor="stripe",explained="false"} 4\n')
    expect(text).toContain('spendgate_unexplained_usd_total{vendor="stripe"} 90\n')
    expect(await world.verified()).toEqual([])
  })

  test('a refund at the dashboard is reported as unexplained', async () => {
    await world.key()
    const refund = world.stripe.byItself.refundAtDashboard('ch_A', 1_500)
    const report = await reconciled(world)
    expect(report.unexplained).toMatchObject([{ id: refund.id, kind: 'refund', amount_usd: '15.00' }])
    expect(await world.verified()).toEqual([])
  })

  test('reported once is booked once: the next run finds nothing new to warn of', async () => {
    world.stripe.byItself.refundAtDashboard('ch_A', 1_500)
    expect((await reconciled(world)).unexplained).toHaveLength(1)
    await reconciled(world)
    expect(await movementsOf(world)).toHaveLength(1)
    expect((await world.metrics()).text).toContain('spendgate_unexplained_spend_total{vendor="stripe"} 1\n')
    expect(await world.verified()).toEqual([])
  })

  test('what only balance transactions tell of is found by them', async () => {
    const key = await world.key()
    const real = await stripeClient(world.stripe.origin, REAL.stripe)
    const around = await real.refunds.create({ charge: 'ch_B', amount: 500 })
    const mine = await world.call(key.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1000' })
    expect(mine.status).toBe(200)
    world.stripe.state.events.clear()
    const report = await reconciled(world)
    const ids = report.unexplained.map((each: any) => each.id)
    // Without events nothing tells which of the two was ours: both are named, none is counted twice.
    expect(ids).toEqual(expect.arrayContaining([around.id, mine.body.id]))
    expect(await spentByKey(world)).toEqual({ [key.id]: '10.00' })
    expect(await world.verified()).toEqual([])
  })
})

describe('what followed from calls is read where nothing was told', () => {
  test('a renewal that only the poll tells of counts on its key and day, and not again when it is told late', async () => {
    const key = await world.key()
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 20 * DAY_MS
    const invoice = world.stripe.byItself.renew(subscription)
    const report = await reconciled(world)
    expect(report).toMatchObject({ unexplained: [], explained_percent: '100.0', faults: [] })
    expect(await spentByKey(world)).toEqual({ [key.id]: '30.00' })
    expect(await movementsOf(world)).toMatchObject([{ id: invoice.id, kind: 'renewal', object: subscription }])
    await endpoint.deliver()
    await reconciled(world)
    expect(await spentByKey(world)).toEqual({ [key.id]: '30.00' })
    expect(await movementsOf(world, '?explained=false')).toEqual([])
    expect(await world.verified()).toEqual([])
  })

  test('the payment of a link is tied to its page by the records alone', async () => {
    const key = await world.key()
    const id = await link(world, key)
    world.stripe.byItself.payLink(id)
    world.stripe.byItself.payLink(id)
    // No event tells of the page; its payments are looked up.
    for (const event of [...world.stripe.state.events.values()])
      if (event.type.startsWith('checkout.')) world.stripe.state.events.delete(event.id)
    const report = await reconciled(world)
    expect(report).toMatchObject({ unexplained: [], explained_percent: '100.0' })
    expect(await spentByKey(world)).toEqual({ [key.id]: '18.00' })
    expect(await world.verified()).toEqual([])
  })

  test('what was unexplained is explained as soon as something tells what it belongs to', async () => {
    const key = await world.key()
    const made = await world.call(key.key, 'POST', '/stripe/v1/payment_links', {
      'line_items[0][price]': 'price_month',
      'line_items[0][quantity]': '1',
    })
    const session = world.stripe.byItself.payLink(made.body.id)
    const subscription = session['subscription'] as string
    // Stripe's records of the page cannot be read for a while.
    const kept = [...world.stripe.state.events.values()]
    for (const event of kept) if (event.type.startsWith('checkout.')) world.stripe.state.events.delete(event.id)
    world.stripe.fault('GET /v1/checkout/sessions', { do: 'status', status: 403, applies: false, times: 100 })
    world.clock.aheadMs += 20 * DAY_MS
    const invoice = world.stripe.byItself.renew(subscription)
    expect((await reconciled(world)).unexplained.map((each: any) => each.id)).toContain(invoice.id)
    expect((await spentByKey(world))[key.id]).toBe('15.00')
    for (const event of kept)
      if (event.type.startsWith('checkout.')) expect(await endpoint.post(JSON.stringify(event))).toBe(200)
    const [told] = kept.filter((event) => event.type === 'invoice.paid')
    expect(await endpoint.post(JSON.stringify(told))).toBe(200)
    const later = [...world.stripe.state.events.values()].filter((event) => event.type === 'invoice.paid').at(-1)
    expect(await endpoint.post(JSON.stringify(later))).toBe(200)
    expect((await spentByKey(world))[key.id]).toBe('30.00')
    expect(await movementsOf(world, '?explained=false')).toEqual([])
    expect(await world.verified()).toEqual([])
  })

  test('a run over the last hours leaves what moved before them to the next one', async () => {
    const key = await world.key()
    const subscription = await subscribe(world, key.key)
    await reconciled(world)
    world.clock.aheadMs += 10 * DAY_MS
    world.stripe.byItself.renew(subscription)
    world.clock.aheadMs += 5 * DAY_MS
    await world.must('POST', '/reconcile', { since: '1h' })
    expect(await spentByKey(world)).toEqual({ [key.id]: '15.00' })
    await reconciled(world)
    expect(await spentByKey(world)).toEqual({ [key.id]: '30.00' })
  })

  test('what was not read within 29 days is a fault of the report, said once', async () => {
    await subscribe(world, (await world.key()).key)
    await reconciled(world)
    world.clock.aheadMs += 60 * DAY_MS
    expect((await reconciled(world)).faults).toContain(
      'What moved at stripe between 2026-11-24 and 29 days ago was not read in time, and cannot be any more.',
    )
    expect((await reconciled(world)).faults).toEqual([])
  })

  test('a vendor that cannot be read is a fault of the report, and what it tells later is not lost', async () => {
    const key = await world.key()
    const subscription = await subscribe(world, key.key)
    world.clock.aheadMs += 20 * DAY_MS
    world.stripe.byItself.renew(subscription)
    world.stripe.fault('GET /v1/balance_transactions', { do: 'status', status: 500, applies: false, times: 1 })
    const report = await reconciled(world)
    expect(report.faults).toHaveLength(1)
    expect(report.faults[0]).toMatch(/^Stripe answered 500/)
    expect(await reconciled(world)).toMatchObject({ faults: [], unexplained: [] })
    expect(await spentByKey(world)).toEqual({ [key.id]: '30.00' })
    expect(await world.verified()).toEqual([])
  })
})

describe('vendors that tell of messages and of days', () => {
  const text = (key: string): Promise<{ status: number; body: any }> => {
    const basic = Buffer.from(`${REAL.twilioAccount}:${key}`).toString('base64')
    const form = new URLSearchParams({ To: '+14155552671', From: '+14155550100', Body: 'One of ours' })
    return world.call('', 'POST', `/twilio/2010-04-01/Accounts/${REAL.twilioAccount}/Messages.json`, form.toString(), {
      authorization: `Basic ${basic}`,
    })
  }

  test('a message sent with the real key is named; those of calls are not', async () => {
    const key = await world.key({}, { vendors: ['twilio'] })
    expect((await text(key.key)).status).toBe(201)
    const real = await twilioClient(world.twilio.origin, REAL.twilioAccount, REAL.twilioKey, REAL.twilioSecret, {
      direct: true,
    })
    const around = await real.messages.create({ to: '+14155552671', from: '+14155550100', body: 'Not one of ours' })
    world.twilio.deliver()
    const report = await reconciled(world)
    expect(report.faults).toEqual([])
    expect(report.unexplained).toMatchObject([
      { vendor: 'twilio', id: around.sid, kind: 'message', amount_usd: '0.0083' },
    ])
    expect(await world.verified()).toEqual([])
  })

  test('a day that cost more than our calls is named once it is over, less what was named one by one', async () => {
    const key = await world.key({}, { vendors: ['twilio'] })
    world.clock.aheadMs += DAY_MS
    expect((await text(key.key)).status).toBe(201)
    const real = await twilioClient(world.twilio.origin, REAL.twilioAccount, REAL.twilioKey, REAL.twilioSecret, {
      direct: true,
    })
    await real.messages.create({ to: '+14155552671', from: '+14155550100', body: 'Not one of ours' })
    world.twilio.state.charges.push({ createdAt: world.clock.now(), price: '-1.15000' })
    world.twilio.deliver()
    expect((await reconciled(world)).unexplained).toMatchObject([{ kind: 'message', amount_usd: '0.0083' }])
    world.clock.aheadMs += DAY_MS
    const report = await reconciled(world)
    const [day] = report.unexplained.filter((each: any) => each.kind === 'usage')
    expect(day).toMatchObject({ vendor: 'twilio', id: 'usage:2026-11-25' })
    // 1.15 and two messages' worth were charged; our call counts a little more than its price until that is final.
    expect(Number(day.amount_usd)).toBeGreaterThan(1.1)
    expect(Number(day.amount_usd)).toBeLessThanOrEqual(1.15)
    expect(Number(report.explained_percent)).toBeLessThan(5)
    await reconciled(world)
    expect(await movementsOf(world)).toHaveLength(2)
    expect(await world.verified()).toEqual([])
  })

  test('a day all of whose money went through the gate is explained', async () => {
    const key = await world.key({}, { vendors: ['twilio'] })
    world.clock.aheadMs += DAY_MS
    for (let i = 0; i < 3; i++) expect((await text(key.key)).status).toBe(201)
    world.twilio.deliver()
    world.clock.aheadMs += DAY_MS
    expect(await reconciled(world)).toMatchObject({ unexplained: [], explained_percent: '100.0', faults: [] })
    expect(await world.verified()).toEqual([])
  })

  test('mails beyond those of calls are named by what Resend counted today', async () => {
    const key = await world.key({}, { vendors: ['resend'] })
    const mail = { from: 'billing@acme.com', to: ['one@example.com'], subject: 'Hello', text: 'Hello' }
    const send = (token: string, url: string): Promise<any> =>
      request(`${url}/emails`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(mail),
      }).then(async (reply) => [reply.statusCode, await reply.body.json()])
    expect((await send(`re_${key.key}`, world.url))[0]).toBe(200)
    expect((await reconciled(world)).unexplained).toEqual([])
    for (let i = 0; i < 3; i++) expect((await send(REAL.resend, world.resend.origin))[0]).toBe(200)
    const report = await reconciled(world)
    expect(report.unexplained).toMatchObject([{ vendor: 'resend', kind: 'usage', amount_usd: '0.0027' }])
    expect(report.explained_percent).toBe('25.0')
    expect(await world.verified()).toEqual([])
  })
})
