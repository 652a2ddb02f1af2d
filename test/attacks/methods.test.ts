import { describe, expect, test } from 'vitest'
import { onStage, presented, stripe, twilio } from './stage.js'

const stage = onStage()
const body = 'charge=ch_A&amount=100'

describe('a second method is ambiguous', () => {
  test.each([
    'X-HTTP-Method-Override: DELETE',
    'X-HTTP-Method: DELETE',
    'X-Method-Override: GET',
    'x-http-method-override: POST',
  ])('%s', async (header) => {
    await stage.refuses(stripe('/v1/customers/cus_A', 'name=Ada', [header]), 'request_ambiguous')
    await stage.refuses({ line: 'GET /stripe/v1/customers/cus_A', headers: [header] }, 'request_ambiguous')
  })

  test('and as a parameter it is malformed', async () => {
    await stage.refuses(stripe('/v1/customers/cus_A', '_method=DELETE'), 'request_malformed')
    await stage.refuses({ line: 'GET /stripe/v1/charges?_method=POST' }, 'request_malformed')
    await stage.refuses(
      twilio(stage, '/Messages.json', 'To=%2B14155550101&From=%2B14155550100&Body=a&_method=GET'),
      'request_malformed',
    )
  })
})

describe('a method the vendor does not have there is unknown', () => {
  test.each(['PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PURGE', 'MOVE', 'LOCK', 'M-SEARCH'])(
    '%s',
    async (method) => {
      await stage.refuses({ line: `${method} /stripe/v1/refunds` }, 'operation_unknown')
    },
  )

  test('PUT with the body of a POST', async () => {
    await stage.refuses({ line: 'PUT /stripe/v1/refunds', body }, 'operation_unknown')
  })

  test('HEAD, whose refusal has no body', async () => {
    const key = await stage.key()
    stage.forget()
    const reply = await stage.send({ line: 'HEAD /stripe/v1/charges' }, presented('stripe', key))
    expect(reply).toMatchObject({ status: 403, body: '', headers: { 'x-spendgate-code': 'operation_unknown' } })
    expect(await stage.rows(key)).toHaveLength(1)
    expect(stage.seen()).toEqual([])
  })

  test('OPTIONS of the whole server', async () => {
    await stage.refuses({ line: 'OPTIONS *' }, 'request_malformed')
  })
})

describe("a method that Node's parser rejects gets a plain 400 and no row", () => {
  test.each(['post', 'Post', 'get', 'FOO', 'POST/', 'P\xd6ST'])('%s', async (method) => {
    await stage.ignores({ line: `${method} /stripe/v1/refunds`, body }, 400)
  })

  test.each(['api.stripe.com:443', '127.0.0.1:22', '/stripe/v1/refunds'])(
    'CONNECT %s opens no tunnel and leaves no row',
    async (target) => {
      const key = await stage.key()
      const before = (await stage.world.calls()).length
      stage.forget()
      const reply = await stage.send({ line: `CONNECT ${target}` }, presented('stripe', key))
      expect(reply.replies).toBe(0)
      expect(stage.seen()).toEqual([])
      expect(await stage.world.calls()).toHaveLength(before)
    },
  )
})
