import { afterAll, beforeAll, expect, test } from 'vitest'
import { resendClient, stripeClient, twilioClient } from '../../fixtures/simulators/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, codeOf, HOUR, seenBy, startWorld, travel } from './given.js'

/* Revoking ends what an agent can still do; this ends what it has set going. */

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const stripeOf = ({ presentations }: IssuedKey) => stripeClient(world.url, presentations.stripe![0]!)
const pendingOf = async (key: IssuedKey): Promise<any[]> => (await world.must('GET', `/keys/${key.id}/pending`)).pending
const revoked = (key: IssuedKey): Promise<any> => world.must('POST', `/keys/${key.id}/revoke`, { cancel_pending: true })
const spentOf = async (key: IssuedKey): Promise<string> => (await world.must('GET', `/keys/${key.id}`)).spent_usd
const inHours = (hours: number): Date => new Date(world.clock.now() + hours * HOUR)

test('an open intent, a payment link, a message and an e-mail are cancelled, and what cannot have been used is given back', async () => {
  const key = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
  const { account_sid: account, api_key_sid: sid, api_key_secret: secret } = key.presentations.twilio!
  const [stripe, twilio, resend] = [
    await stripeOf(key),
    await twilioClient(world.url, account, sid, secret, { prefix: '/twilio' }),
    await resendClient(`${world.url}/resend`, key.presentations.resend!),
  ]
  const intent = await stripe.paymentIntents.create({ amount: 2_000, currency: 'usd', customer: 'cus_A' })
  const link = await stripe.paymentLinks.create({
    line_items: [{ price: 'price_once', quantity: 2 }],
    restrictions: { completed_sessions: { limit: 3 } },
  })
  const message = await twilio.messages.create({
    to: '+14155550123',
    messagingServiceSid: `MG${'0'.repeat(32)}`,
    body: 'Your parcel comes tomorrow.',
    scheduleType: 'fixed',
    sendAt: inHours(24),
  })
  const email = await resend.emails.send({
    from: 'billing@acme.com',
    to: 'a@customer.com',
    subject: 'Invoice',
    text: 'Due.',
    scheduledAt: inHours(24).toISOString(),
  })
  const made = [intent.id, link.id, message.sid, email.data!.id]
  expect((await pendingOf(key)).map(({ object, kind }) => [object, kind])).toEqual([
    [intent.id, 'open'],
    [link.id, 'open'],
    [message.sid, 'scheduled'],
    [email.data!.id, 'scheduled'],
  ])
  expect(Number(await spentOf(key))).toBeGreaterThan(70)

  // A restart in between: what stands is in the ledger, not in memory.
  await world.server.stop()
  await world.serve()
  const { pending } = await revoked(key)
  expect(pending.map(({ object, cancelled, error }: any) => [object, cancelled, error])).toEqual(
    made.map((object) => [object, true, undefined]),
  )
  expect(world.stripe.state.payment_intents.get(intent.id)!.status).toBe('canceled')
  expect(world.stripe.state.payment_links.get(link.id)!['active']).toBe(false)
  expect(world.twilio.state.messages.get(message.sid)!.status).toBe('canceled')
  expect(world.resend.state.emails.get(email.data!.id)!.canceled).toBe(true)
  // Somebody may have bought through the link before it was closed, and no reply says so.
  const sold = (await world.calls(`&key=${key.id}`)).find(({ operation }) => operation === 'payment_links.create')
  expect(await spentOf(key)).toBe(sold.settled_usd)
  expect(await pendingOf(key)).toEqual([])
  travel(world, 30 * HOUR)
  expect([world.stripe, world.twilio, world.resend].flatMap((vendor) => vendor.moved())).toEqual([])
})

test('what was done meanwhile is not given back, and stays on the list with the reason', async () => {
  const key = await world.key()
  const stripe = await stripeOf(key)
  const [done, open] = [
    await stripe.paymentIntents.create({ amount: 300, currency: 'usd', customer: 'cus_A' }),
    await stripe.paymentIntents.create({ amount: 400, currency: 'usd', customer: 'cus_A' }),
  ]
  // The customer pays on a page of the vendor, past spendgate.
  world.stripe.state.payment_intents.get(done.id)!.status = 'succeeded'
  const { pending } = await revoked(key)
  expect(pending.map(({ object, cancelled }: any) => [object, cancelled])).toEqual([
    [done.id, false],
    [open.id, true],
  ])
  expect(pending[0].error).toContain(done.id)
  expect(await spentOf(key)).toBe('3.00')
  expect(await pendingOf(key)).toHaveLength(1)
})

test('a subscription counts a month against its cap from its first call to its end', async () => {
  const key = await world.key({
    vendors: {
      stripe: {
        endpoints: { allow: ['* *'] },
        permit: ['future_spend', 'destructive'],
        future: { recurring_usd_per_month: '35.00' },
      },
    },
  })
  const subscribe = (quantity: string) =>
    world.call(key.key, 'POST', '/stripe/v1/subscriptions', {
      customer: 'cus_A',
      'items[0][price]': 'price_month',
      'items[0][quantity]': quantity,
    })
  const first = await subscribe('2')
  expect(first.status, first.text).toBe(200)
  expect(await pendingOf(key)).toMatchObject([{ object: first.body.id, kind: 'recurring', per_month_usd: '30.00' }])
  const { result: refused, requests } = await seenBy(world.stripe, () => subscribe('1'))
  expect(codeOf(refused)).toBe('budget_exceeded')
  expect(refused.body.error.message).toContain('USD 30.00 standing')
  expect(requests.filter(({ method, path }) => method === 'POST' && path !== '/v1/invoices/create_preview')).toEqual([])
  const ended = await world.call(key.key, 'DELETE', `/stripe/v1/subscriptions/${first.body.id}`)
  expect(ended.status, ended.text).toBe(200)
  expect((await subscribe('1')).status).toBe(200)
  const { pending } = await revoked(key)
  expect(pending).toMatchObject([{ per_month_usd: '15.00', cancelled: true }])
  expect(world.stripe.state.subscriptions.get(pending[0].object)!.status).toBe('canceled')
})

test('a call that had left when its key was revoked is cancelled when asked again', async () => {
  const key = await world.key()
  const fault = world.stripe.fault('POST /v1/payment_intents', { do: 'hang', applies: true })
  const call = world.call(key.key, 'POST', '/stripe/v1/payment_intents', { amount: '500', currency: 'usd' })
  await fault.struck
  const reply = await revoked(key)
  expect([reply.in_flight.length, reply.pending]).toEqual([1, []])
  fault.release()
  const made = (await call).body.id
  const again = await revoked(key)
  expect(again).toMatchObject({ in_flight: reply.in_flight, pending: [{ object: made, cancelled: true }] })
  expect(await spentOf(key)).toBe('0.00')
})
