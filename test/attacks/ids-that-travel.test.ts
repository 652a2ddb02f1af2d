import { describe, expect, test } from 'vitest'
import { onStage, presented, resend, stripe, twilio, type Attack } from './stage.js'

const stage = onStage()
const policy = { vendors: { stripe: { customers: ['cus_A'] } } }

/** An id from a body becomes part of the path of a look-up that runs with the real key. */
describe('an id that would leave its place in a look-up is malformed, and nothing is looked up', () => {
  const ids = [
    'ch_1/../../x',
    '../refunds',
    '..',
    '.',
    'ch_1/refunds',
    '/v1/account',
    'ch_1?expand[]=customer',
    'ch_1#',
    'ch_1%2f..',
    'ch_1;x',
    'ch_1 ',
    'ch_1\n',
    'ch_1\\..',
    'ch_é',
    'https://evil.example/',
    'ch_1,ch_2',
    'x'.repeat(256),
  ]
  test.each(ids)('a charge %j', async (id) => {
    await stage.refuses(stripe('/v1/refunds', `charge=${encodeURIComponent(id)}`), 'request_malformed')
  })
  test.each(ids)('an intent %j', async (id) => {
    await stage.refuses(stripe('/v1/refunds', `payment_intent=${encodeURIComponent(id)}`), 'request_malformed')
  })
  test.each(ids)('a price %j', async (id) => {
    const body = `customer=cus_A&items[0][price]=${encodeURIComponent(id)}`
    await stage.refuses(stripe('/v1/subscriptions', body), 'request_malformed')
  })
  test.each(ids)('the filter of a list %j', async (id) => {
    await stage.refuses({ line: `GET /stripe/v1/refunds?charge=${encodeURIComponent(id)}` }, 'request_malformed', {
      policy,
    })
  })
})

describe('a word of a route in the place of an id is no object', () => {
  test.each([
    ['search', '/v1/refunds', 'charge=search', 'GET /v1/charges/search'],
    ['another kind of object', '/v1/refunds', 'charge=cus_A', 'GET /v1/charges/cus_A'],
    ['an object of nobody', '/v1/refunds', 'charge=ch_none', 'GET /v1/charges/ch_none'],
  ])('%s', async (_, path, body, lookUp) => {
    await stage.refuses(stripe(path, body), 'amount_unknown', { lookUps: [lookUp] })
  })

  test('nor in the path', async () => {
    await stage.refuses(stripe('/v1/payment_intents/search/confirm', ''), 'amount_unknown', {
      lookUps: ['GET /v1/payment_intents/search'],
    })
  })

  test.each(['receiving', 'metrics', 'batch'])('at Resend: %s', async (word) => {
    await stage.refuses({ ...resend(`/emails/${word}/cancel`, '{}') }, 'request_malformed')
    await stage.refuses({ vendor: 'resend', line: `GET /resend/contacts/imports${word}` }, 'request_malformed')
  })
})

describe('a foreign object and a missing one look alike', () => {
  test.each([
    ['/v1/refunds', 'charge=ch_B', 'charge=ch_none'],
    ['/v1/refunds', 'payment_intent=pi_B', 'payment_intent=pi_none'],
  ])('%s', async (path, foreign, missing) => {
    const answers = []
    for (const body of [foreign, missing]) {
      const key = await stage.key('stripe', policy)
      stage.forget()
      const reply = await stage.send(stripe(path, body), presented('stripe', key))
      expect(stage.seen().every((request) => request.startsWith('GET /v1/'))).toBe(true)
      answers.push([reply.status, reply.headers['x-spendgate-code'], reply.body])
    }
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]![1]).toBe('customer_not_allowed')
  })
})

describe('ids of Twilio and Resend that travel', () => {
  const get = (vendor: 'twilio' | 'resend', target: string): Attack => ({ vendor, line: `GET ${target}` })
  test.each([
    '/resend/emails/../api-keys',
    '/resend/emails/%2e%2e/api-keys',
    '/resend/emails/..%2fapi-keys',
    '/resend/contacts/..%5c..%5capi-keys',
  ])('%s', async (target) => {
    await stage.refuses(get('resend', target), 'request_malformed')
  })

  test('at Twilio', async () => {
    const { accountSid } = stage.world.twilio
    for (const sid of [`../../${accountSid}`, `..%2f..%2f${accountSid}`, `%2e%2e/%2e%2e/${accountSid}`]) {
      await stage.refuses(
        get('twilio', `/twilio/2010-04-01/Accounts/${accountSid}/Messages/${sid}.json`),
        'request_malformed',
      )
    }
    await stage.refuses(twilio(stage, '/Messages/../../../../v1/Keys', 'FriendlyName=x'), 'request_malformed')
  })
})
