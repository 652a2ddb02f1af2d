import { describe, expect, test } from 'vitest'
import { onStage, presented, stripe, twilio } from './stage.js'

const stage = onStage()

describe('parameters in the query of a write are ambiguous', () => {
  test.each([
    ['hiding the amount', '/v1/payment_intents?amount=9999999&confirm=true', 'currency=usd&customer=cus_A'],
    ['beside one in the body', '/v1/refunds?amount=9999999', 'charge=ch_A&amount=1'],
    ['that are harmless', '/v1/refunds?expand[]=charge', 'charge=ch_A&amount=1'],
    ['without a value', '/v1/refunds?x', 'charge=ch_A&amount=1'],
  ])('%s', async (_, path, body) => {
    await stage.refuses(stripe(path, body), 'request_ambiguous')
  })

  test('with no body at all', async () => {
    await stage.refuses({ line: 'POST /stripe/v1/refunds?charge=ch_A' }, 'request_ambiguous')
  })

  test('at Twilio', async () => {
    await stage.refuses(
      twilio(stage, '/Messages.json?To=%2B8825555', 'From=%2B14155550100&Body=hi'),
      'request_ambiguous',
    )
  })
})

describe('a body on what has its parameters in the query is ambiguous', () => {
  test.each([
    ['GET', '/v1/charges'],
    ['GET', '/v1/charges?customer=cus_A'],
    ['DELETE', '/v1/customers/cus_A'],
    ['DELETE', '/v1/subscriptions/sub_A'],
  ])('%s %s', async (method, path) => {
    await stage.refuses({ line: `${method} /stripe${path}`, body: 'customer=cus_B' }, 'request_ambiguous')
  })

  test('in chunks', async () => {
    const attack = {
      line: 'DELETE /stripe/v1/customers/cus_A',
      headers: ['Transfer-Encoding: chunked'],
      without: ['content-length'],
      body: 'e\r\ncustomer=cus_B\r\n0\r\n\r\n',
    }
    await stage.refuses(attack, 'request_ambiguous')
  })

  test('but an empty one is none, as the real SDK sends it', async () => {
    const key = await stage.key()
    const attack = {
      line: 'GET /stripe/v1/charges',
      headers: ['Content-Length: 0', 'Content-Type: application/x-www-form-urlencoded'],
    }
    expect((await stage.send(attack, presented('stripe', key))).status).toBe(200)
  })
})
