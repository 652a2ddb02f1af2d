import { afterAll, beforeAll, expect, test } from 'vitest'
import { resendClient, stripeClient, twilioClient } from '../../fixtures/simulators/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, payment, startWorld } from './given.js'

/* The guard as the vendors' own clients meet it: an agent that asks for the same again is stopped, a retry is not. */

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startWorld()
  key = await world.key({ duplicate_guard: { within: '10m' } }, { vendors: ['stripe', 'twilio', 'resend'] })
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const stripeIn = (runId: string, maxNetworkRetries = 0) =>
  stripeClient(world.url, key.presentations.stripe![0]!, { runId, maxNetworkRetries })
const errorOf = (promise: Promise<unknown>): Promise<any> => promise.then(() => null).catch((error: unknown) => error)

test('stripe-node makes a key of its own for each call, so the same call again is a duplicate', async () => {
  const stripe = await stripeIn('asks_twice')
  const wanted = { amount: 900, currency: 'usd', customer: 'cus_A', payment_method: 'pm_card_visa', confirm: true }
  const { id } = await stripe.paymentIntents.create(wanted)
  const error = await errorOf(stripe.paymentIntents.create(wanted))
  expect(error).toMatchObject({ type: 'StripePermissionError', statusCode: 403, code: 'duplicate_call' })
  expect(error.message).toContain('duplicate_call: ')
  expect(world.stripe.moved().filter((movement) => movement.id === id || movement.amount === 900)).toHaveLength(1)
  // Reads are no writes, another amount is another wish, and another run is another piece of work.
  await stripe.paymentIntents.retrieve(id)
  await stripe.paymentIntents.retrieve(id)
  await stripe.paymentIntents.create({ ...wanted, amount: 901 })
  await (await stripeIn('another')).paymentIntents.create(wanted)
})

test('a retry under the same idempotency key is none, whether the client or the agent sends it', async () => {
  const stripe = await stripeIn('retries', 1)
  const wanted = { amount: 700, currency: 'usd', customer: 'cus_A', payment_method: 'pm_card_visa', confirm: true }
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  const paid = await stripe.paymentIntents.create(wanted)
  expect(paid.status).toBe('succeeded')
  const own = { idempotencyKey: 'order-77' }
  const first = await stripe.refunds.create({ charge: 'ch_A', amount: 250 }, own)
  expect((await stripe.refunds.create({ charge: 'ch_A', amount: 250 }, own)).id).toBe(first.id)
  const error = await errorOf(stripe.refunds.create({ charge: 'ch_A', amount: 250 }, { idempotencyKey: 'order-78' }))
  expect(error).toMatchObject({ code: 'duplicate_call' })
})

test('of many at once one passes', async () => {
  const results = await Promise.all(
    Array.from({ length: 12 }, () =>
      world.call(`rk_${key.key}`, 'POST', '/v1/payment_intents', payment(333), { 'x-agent-run-id': 'race' }),
    ),
  )
  expect(results.filter(({ status }) => status === 200)).toHaveLength(1)
  expect(new Set(results.map(({ body }) => body.error?.code ?? 'allowed'))).toEqual(
    new Set(['allowed', 'duplicate_call']),
  )
})

test('a write of unknown outcome may have happened, so the same again is a duplicate', async () => {
  const send = () =>
    world.call(`rk_${key.key}`, 'POST', '/v1/payment_intents', payment(444), { 'x-agent-run-id': 'lost' })
  world.stripe.fault('POST /v1/payment_intents', { do: 'reset', applies: true })
  expect((await send()).status).toBe(502)
  expect((await send()).body.error.code).toBe('duplicate_call')
})

test('twilio-node and resend raise their own errors for it', async () => {
  const { account_sid: account, api_key_sid: sid, api_key_secret: secret } = key.presentations.twilio!
  const twilio = await twilioClient(world.url, account, sid, secret, { prefix: '/run/sms/twilio' })
  const message = { to: '+14155550123', from: '+14155550100', body: 'Your code is 1234.' }
  await twilio.messages.create(message)
  expect(await errorOf(twilio.messages.create(message))).toMatchObject({
    status: 403,
    message: expect.stringContaining('duplicate_call: '),
  })
  const resend = await resendClient(`${world.url}/run/mail/resend`, key.presentations.resend!)
  const mail = { from: 'billing@acme.com', to: 'a@customer.com', subject: 'Invoice', text: 'Due.' }
  expect((await resend.emails.send(mail)).error).toBeNull()
  expect((await resend.emails.send(mail)).error).toMatchObject({ name: 'duplicate_call' })
  const again = { idempotencyKey: 'mail-1' }
  expect((await resend.emails.send({ ...mail, subject: 'Reminder' }, again)).error).toBeNull()
  expect((await resend.emails.send({ ...mail, subject: 'Reminder' }, again)).error).toBeNull()
})

test('a policy that only observes lets it pass and says what it would have done', async () => {
  const watched = await world.key({ mode: 'observe', duplicate_guard: { within: '10m' } })
  const send = () =>
    world.call(`rk_${watched.key}`, 'POST', '/v1/payment_intents', payment(222), { 'x-agent-run-id': 'watched' })
  expect((await send()).headers['x-spendgate-decision']).toBe('allow')
  const again = await send()
  expect([again.status, again.headers['x-spendgate-decision']]).toEqual([200, 'would_deny'])
})
