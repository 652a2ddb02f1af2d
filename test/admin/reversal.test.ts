import { afterAll, beforeAll, expect, test } from 'vitest'
import { resendClient, twilioClient } from '../../fixtures/simulators/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { HOUR, payment, seenBy, startWorld, travel } from '../pipeline/given.js'

/* A run is undone at the stateful simulators, each request once, whatever breaks in between. */

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  expect(await world.verified()).toEqual([])
  await world.close()
})

const POLICY = {
  vendors: {
    stripe: {
      endpoints: { allow: ['* *'] },
      permit: ['future_spend', 'destructive', 'routing', 'credential'],
      beneficiaries: ['*'],
    },
  },
}
const keyFor = (vendors?: readonly ('stripe' | 'twilio' | 'resend')[]): Promise<IssuedKey> =>
  world.key(POLICY, vendors ? { vendors } : {})
const inRun = async (key: IssuedKey, run: string, path: string, body: Record<string, string>): Promise<any> => {
  const answer = await world.call(key.key, 'POST', `/stripe${path}`, body, { 'x-agent-run-id': run })
  expect(answer.status, answer.text).toBe(200)
  return answer.body
}
const planOf = (run: string): Promise<any> => world.must('GET', `/runs/${run}/reversal`)
const undo = async (run: string, ...items: string[]): Promise<any[]> =>
  (await world.must('POST', `/runs/${run}/reversal`, { items })).results
const openIds = (plan: any): string[] => plan.items.flatMap(({ id }: any) => id ?? [])
const writesOf = async <T>(act: () => Promise<T>): Promise<{ result: T; writes: string[] }> => {
  const { result, requests } = await seenBy(world.stripe, act)
  return { result, writes: requests.flatMap(({ method, path }) => (method === 'GET' ? [] : `${method} ${path}`)) }
}
const spentOf = async (key: IssuedKey): Promise<string> => (await world.must('GET', `/keys/${key.id}`)).spent_usd

test('a run over three vendors is planned item by item, undone once, and then there is nothing left to do', async () => {
  const key = await keyFor(['stripe', 'twilio', 'resend'])
  const { account_sid: account, api_key_sid: sid, api_key_secret: secret } = key.presentations.twilio!
  const twilio = await twilioClient(world.url, account, sid, secret, { prefix: '/run/tour/twilio' })
  const resend = await resendClient(`${world.url}/run/tour/resend`, key.presentations.resend!)
  const paid = await inRun(key, 'tour', '/v1/payment_intents', payment(1_200))
  const waiting = await inRun(key, 'tour', '/v1/payment_intents', { amount: '700', currency: 'usd' })
  const charge = await inRun(key, 'tour', '/v1/charges', {
    amount: '900',
    currency: 'usd',
    source: 'tok_visa',
    customer: 'cus_A',
  })
  await inRun(key, 'tour', '/v1/refunds', { charge: 'ch_B', amount: '300' })
  const transfer = await inRun(key, 'tour', '/v1/transfers', { amount: '500', currency: 'usd', destination: 'acct_B' })
  const payout = await inRun(key, 'tour', '/v1/payouts', { amount: '400', currency: 'usd' })
  const subscription = await inRun(key, 'tour', '/v1/subscriptions', {
    customer: 'cus_A',
    'items[0][price]': 'price_month',
  })
  const link = await inRun(key, 'tour', '/v1/payment_links', {
    'line_items[0][price]': 'price_once',
    'line_items[0][quantity]': '1',
  })
  await inRun(key, 'tour', '/v1/customers/cus_A', { description: 'A label.' })
  const sms = { to: '+14155550123', messagingServiceSid: `MG${'0'.repeat(32)}`, body: 'Your parcel comes tomorrow.' }
  await twilio.messages.create(sms)
  const sendAt = new Date(world.clock.now() + 24 * HOUR)
  const later = await twilio.messages.create({ ...sms, scheduleType: 'fixed', sendAt })
  const number = await twilio.incomingPhoneNumbers.create({ phoneNumber: '+14155550777' })
  const mail = { from: 'billing@acme.com', to: 'a@customer.com', subject: 'Invoice', text: 'Due.' }
  await resend.emails.send(mail)
  const scheduled = await resend.emails.send({ ...mail, scheduledAt: sendAt.toISOString() })
  const spent = await spentOf(key)

  const { result: plan, writes: none } = await writesOf(() => planOf('tour'))
  expect(none).toEqual([])
  expect(plan).toMatchObject({ run: 'tour', harmless_calls: 1, more: false })
  const lines = plan.items.map(({ operation, state, on, amount_usd }: any) => [operation, state, on, amount_usd])
  const invoice = subscription.latest_invoice
  const billed = world.stripe.state.invoices.get(invoice)!.payments.data[0] as any
  expect(lines).toEqual([
    ['payment_intents.create', 'open', paid.id, '12.00'],
    ['payment_intents.create', 'open', waiting.id, null],
    ['charges.create', 'open', charge.id, '9.00'],
    ['refunds.create', 'impossible', null, null],
    ['transfers.create', 'open', transfer.id, '5.00'],
    ['payouts.create', 'open', payout.id, null],
    ['subscriptions.create', 'open', subscription.id, null],
    ['subscriptions.create', 'open', billed.payment.payment_intent, '15.00'],
    ['payment_links.create', 'open', link.id, null],
    ['messages.create', 'impossible', null, null],
    ['messages.create', 'open', later.sid, null],
    ['numbers.rent', 'open', number.sid, null],
    ['emails.send', 'impossible', null, null],
    ['emails.send', 'open', scheduled.data!.id, null],
  ])
  expect(plan.open_usd).toBe('41.00')
  expect(plan.items[0]).toMatchObject({
    does: 'Refunds what is left of the payment.',
    request: { method: 'POST', path: '/v1/refunds', params: { amount: '1200' } },
    leaves: 'Stripe keeps the fee of the payment.',
  })
  expect(plan.items.filter(({ state }: any) => state === 'impossible').map(({ why }: any) => why)).toEqual([
    expect.stringContaining('The money went back to the customer.'),
    'A message that was sent cannot be called back.',
    expect.stringContaining('Mail that was sent cannot be called back'),
  ])

  // The operator confirms one, and only that is done.
  const [first, ...others] = openIds(plan)
  const { result: one, writes } = await writesOf(() => undo('tour', first!))
  expect([one, writes]).toMatchObject([[{ state: 'done', before: false, amount_usd: '12.00' }], ['POST /v1/refunds']])
  const rest = await undo('tour', ...others)
  expect(rest.map(({ state }) => state)).toEqual(others.map(() => 'done'))
  const { state } = world.stripe
  expect(state.payment_intents.get(waiting.id)!.status).toBe('canceled')
  expect(state.charges.get(charge.id)!.amount_refunded).toBe(900)
  expect(state.transfers.get(transfer.id)!.amount_reversed).toBe(500)
  expect(state.payouts.get(payout.id)!.status).toBe('canceled')
  expect(state.subscriptions.get(subscription.id)!.status).toBe('canceled')
  expect(state.payment_links.get(link.id)!['active']).toBe(false)
  expect(world.twilio.state.messages.get(later.sid)!.status).toBe('canceled')
  expect(world.twilio.state.numbers.has(number.sid)).toBe(false)
  expect(world.resend.state.emails.get(scheduled.data!.id)!.canceled).toBe(true)

  // What went back counts on no key, and is explained; what was cancelled unused is given back to the agent's caps.
  const movements = (await world.must('GET', '/movements')).movements
  expect(
    movements.map(({ kind, amount_usd, key_id, explained }: any) => [kind, amount_usd, key_id, explained]),
  ).toEqual(
    expect.arrayContaining([
      ['refund', '12.00', null, true],
      ['refund', '9.00', null, true],
      ['refund', '15.00', null, true],
      ['transfer_reversal', '5.00', null, true],
    ]),
  )
  // The intent nobody had paid, the message and the e-mail; refunds never refill.
  expect(Number(spent) - Number(await spentOf(key))).toBeGreaterThanOrEqual(7)
  expect(Number(spent) - Number(await spentOf(key))).toBeLessThan(8)

  const after = await planOf('tour')
  expect(openIds(after)).toEqual([])
  const { result: again, writes: more } = await writesOf(() => undo('tour', first!, ...others))
  expect(again.every(({ state, before }) => state === 'done' && before)).toBe(true)
  expect(more).toEqual([])
})

test('a lost reply is asked for again under the same key, and the money goes back once', async () => {
  const key = await keyFor()
  for (const [run, applies] of [
    ['lost', true],
    ['never_came', false],
  ] as const) {
    const { id } = await inRun(key, run, '/v1/payment_intents', payment(1_500))
    const [item] = openIds(await planOf(run))
    world.stripe.fault('POST /v1/refunds', { do: 'reset', applies })
    expect(await undo(run, item!)).toMatchObject([{ state: 'unknown' }])
    // As after a crash: what was begun is in the ledger.
    await world.server.stop()
    await world.serve()
    const plan = await planOf(run)
    expect(plan.items[0].state).toBe(applies ? 'undone' : 'open')
    const { result, writes } = await writesOf(() => undo(run, item!))
    expect([result, writes]).toMatchObject([[{ state: 'done', before: false }], ['POST /v1/refunds']])
    const charge = world.stripe.state.payment_intents.get(id)!.latest_charge as string
    expect([...world.stripe.state.refunds.values()].filter((refund) => refund.charge === charge)).toHaveLength(1)
    expect(await undo(run, item!)).toMatchObject([{ state: 'done', before: true }])
  }
  travel(world, HOUR)
  const report = await world.must('POST', '/reconcile', {})
  expect(report.unexplained.filter(({ kind }: any) => kind === 'refund')).toEqual([])
})

test('what the vendor refuses is done by a new request once it allows it', async () => {
  const key = await keyFor()
  await inRun(key, 'refused', '/v1/payment_intents', payment(800))
  const [item] = openIds(await planOf('refused'))
  world.stripe.fault('POST /v1/refunds', { do: 'status', status: 400, applies: false })
  expect(await undo('refused', item!)).toMatchObject([{ state: 'refused', why: expect.stringContaining('400') }])
  expect((await planOf('refused')).items[0]).toMatchObject({ id: item, begun: { state: 'refused', by: 'admin' } })
  expect(await undo('refused', item!)).toMatchObject([{ state: 'done' }])
})

test('two who confirm the same at once have it done once', async () => {
  const key = await keyFor()
  await inRun(key, 'both', '/v1/payment_intents', payment(600))
  const [item] = openIds(await planOf('both'))
  const { result, writes } = await writesOf(() => Promise.all([undo('both', item!), undo('both', item!)]))
  expect(result.flat().map(({ state, before }) => [state, before])).toEqual([
    ['done', false],
    ['done', true],
  ])
  expect(writes).toEqual(['POST /v1/refunds'])
})

test('what was refunded meanwhile is not refunded twice: only the rest stands, and the old plan is refused', async () => {
  const key = await keyFor()
  await inRun(key, 'partly', '/v1/payment_intents', payment(2_000))
  const [whole] = openIds(await planOf('partly'))
  const charge = [...world.stripe.state.charges.values()].at(-1)!
  world.stripe.byItself.refundAtDashboard(charge.id, 500)
  const plan = await planOf('partly')
  expect(plan.items[0]).toMatchObject({ state: 'open', amount_usd: '15.00' })
  const { result, writes } = await writesOf(() => undo('partly', whole!))
  expect([result, writes]).toMatchObject([[{ state: 'gone' }], []])
  expect(await undo('partly', plan.items[0].id)).toMatchObject([{ state: 'done', amount_usd: '15.00' }])
  expect(charge.amount_refunded).toBe(2_000)
})

test('an item belongs to its run, a run must be known, and a call of unknown outcome is reconciled first', async () => {
  const key = await keyFor()
  await inRun(key, 'own', '/v1/payment_intents', payment(300))
  await inRun(key, 'other', '/v1/customers/cus_A', { description: 'A label.' })
  const [item] = openIds(await planOf('own'))
  expect(await undo('other', item!)).toMatchObject([{ state: 'gone' }])
  expect((await world.admin('GET', '/runs/nobody/reversal')).status).toBe(404)
  expect((await world.admin('POST', '/runs/own/reversal', { items: ['all'] })).status).toBe(400)
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  await world.call(key.key, 'POST', '/stripe/v1/payment_intents', payment(350), { 'x-agent-run-id': 'doubt' })
  const { items } = await planOf('doubt')
  expect(items).toMatchObject([{ state: 'impossible', why: expect.stringContaining('reconcile first') }])
})

test('what customers paid through a link of the run is refunded payment by payment', async () => {
  const key = await keyFor()
  const link = await inRun(key, 'sold', '/v1/payment_links', {
    'line_items[0][price]': 'price_once',
    'line_items[0][quantity]': '1',
  })
  world.stripe.byItself.payLink(link.id)
  world.stripe.byItself.payLink(link.id)
  travel(world, HOUR)
  await world.must('POST', '/reconcile', {})
  const plan = await planOf('sold')
  expect(plan.items.map(({ operation, state, amount_usd }: any) => [operation, state, amount_usd])).toEqual([
    ['payment_links.create', 'open', null],
    ['movement', 'open', '9.00'],
    ['movement', 'open', '9.00'],
  ])
  const results = await undo('sold', ...openIds(plan))
  expect(results.map(({ state }) => state)).toEqual(['done', 'done', 'done'])
  expect(openIds(await planOf('sold'))).toEqual([])
})

test('a cancellation whose reply was lost is booked when it is asked for again, and not sent twice', async () => {
  const key = await keyFor(['twilio'])
  const { account_sid: account, api_key_sid: sid, api_key_secret: secret } = key.presentations.twilio!
  const twilio = await twilioClient(world.url, account, sid, secret, { prefix: '/run/sms_lost/twilio' })
  await twilio.messages.create({
    to: '+14155550123',
    messagingServiceSid: `MG${'0'.repeat(32)}`,
    body: 'Your parcel comes tomorrow.',
    scheduleType: 'fixed',
    sendAt: new Date(world.clock.now() + 24 * HOUR),
  })
  expect((await world.must('GET', `/keys/${key.id}/pending`)).pending).toHaveLength(1)
  const [item] = openIds(await planOf('sms_lost'))
  world.twilio.fault('POST /2010-04-01/Accounts', { do: 'reset', applies: true })
  expect(await undo('sms_lost', item!)).toMatchObject([{ state: 'unknown' }])
  const { result, requests } = await seenBy(world.twilio, () => undo('sms_lost', item!))
  expect(result).toMatchObject([{ state: 'done', why: 'The vendor shows that it is done.' }])
  expect(requests.filter(({ method }) => method !== 'GET')).toEqual([])
  expect((await world.must('GET', `/keys/${key.id}/pending`)).pending).toEqual([])
  expect(await spentOf(key)).toBe('0.00')
})

test('who undid what is in the chain', async () => {
  const entries = (await world.admin('GET', '/audit/export')).text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const notes = entries
    .filter(({ detail }) => detail.includes('"name":"reversal.undo_'))
    .map(({ detail }) => JSON.parse(detail))
  expect(new Set(notes.map(({ actor }) => actor))).toEqual(new Set(['admin']))
  const last = new Map(notes.map(({ name, value }) => [name, value.state]))
  expect(last.size).toBeGreaterThan(15)
  expect([...last.values()].filter((state) => state !== 'done')).toEqual([])
})
