import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Plan } from '../../fixtures/simulators/index.js'
import { onHostile } from './hostile.js'
import { onStage, presented, resend, Stage, stripe, twilio, type Reply } from './stage.js'

const elsewhere = onHostile()
const refund = stripe('/v1/refunds', 'charge=ch_A&amount=100')

describe('a reply that no client of the vendor expects is not passed on, and its call stays counted', () => {
  const stage = onStage()
  const sms = () => twilio(stage, '/Messages.json', 'To=%2B14155550101&From=%2B14155550100&Body=hi')

  async function refundUnder(plan: Plan): Promise<{ reply: Reply; row: any }> {
    const key = await stage.key()
    stage.world.stripe.fault('POST /v1/refunds', plan)
    const reply = await stage.send(refund, presented('stripe', key))
    const rows = await stage.rows(key)
    expect(rows).toHaveLength(1)
    return { reply, row: rows[0] }
  }

  test.each([301, 302, 303, 307, 308])('a redirect (%i) to another origin is not followed', async (status) => {
    const before = elsewhere.vendor.seen.length
    const { reply, row } = await refundUnder({
      do: 'redirect',
      status,
      to: `${elsewhere.vendor.origin}/steal`,
      applies: true,
    })
    expect(reply).toMatchObject({ status: 502, headers: { 'x-spendgate-code': 'upstream_unavailable' } })
    expect(reply.headers).not.toHaveProperty('location')
    expect(elsewhere.vendor.seen).toHaveLength(before)
    expect(row).toMatchObject({ state: 'assumed', quoted_usd: '1.00' })
  })

  test('nor one to the same origin', async () => {
    stage.forget()
    const { reply } = await refundUnder({ do: 'redirect', to: '/v1/refunds' })
    expect(reply.status).toBe(502)
    expect(stage.seen()).toEqual(['GET /v1/charges/ch_A', 'POST /v1/refunds'])
  })

  test('nor one at Twilio or Resend, whose SDKs would take it for success', async () => {
    stage.world.twilio.fault('POST', { do: 'redirect', to: `${elsewhere.vendor.origin}/`, applies: true })
    stage.world.resend.fault('POST', { do: 'redirect', to: `${elsewhere.vendor.origin}/`, applies: true })
    const before = elsewhere.vendor.seen.length
    const email = resend('/emails', '{"from":"a@acme.com","to":"b@acme.com","subject":"s","text":"t"}')
    for (const [vendor, attack] of [
      ['twilio', sms()],
      ['resend', email],
    ] as const) {
      const key = await stage.key(vendor)
      expect((await stage.send(attack, presented(vendor, key))).status).toBe(502)
      expect(await stage.rows(key)).toMatchObject([{ state: 'assumed' }])
    }
    expect(elsewhere.vendor.seen).toHaveLength(before)
  })

  test('nor one of a look-up, whose call then is not sent', async () => {
    const key = await stage.key()
    const before = elsewhere.vendor.seen.length
    stage.world.stripe.fault('GET', { do: 'redirect', to: `${elsewhere.vendor.origin}/v1/charges/ch_A` })
    stage.forget()
    const reply = await stage.send(refund, presented('stripe', key))
    expect(reply.status).toBe(403)
    expect(reply.headers['x-spendgate-code']).toBe('amount_unknown')
    expect(elsewhere.vendor.seen).toHaveLength(before)
    expect(stage.seen()).toEqual(['GET /v1/charges/ch_A'])
  })

  test('an encoded body, which could not be searched for the credential', async () => {
    const { reply, row } = await refundUnder({ do: 'gzip' })
    expect(reply).toMatchObject({ status: 502, headers: { 'x-spendgate-code': 'upstream_unavailable' } })
    expect(row).toMatchObject({ state: 'assumed', quoted_usd: '1.00' })
  })

  test.each([true, false])('a body beyond 8 MiB (its length declared: %s)', async (declared) => {
    const { reply, row } = await refundUnder({ do: 'oversize', mib: 9, declared })
    expect(reply.status).toBe(502)
    expect(reply.body.length).toBeLessThan(1000)
    expect(row).toMatchObject({ state: 'assumed', quoted_usd: '1.00' })
  })

  test('a look-up of 9 MiB, whose call then is not sent', async () => {
    const key = await stage.key()
    stage.world.stripe.fault('GET', { do: 'oversize', mib: 9 })
    stage.forget()
    expect((await stage.send(refund, presented('stripe', key))).status).toBe(502)
    expect(stage.seen()).toEqual(['GET /v1/charges/ch_A'])
    expect(await stage.rows(key)).toMatchObject([{ state: 'denied', decision: { code: 'upstream_unavailable' } }])
  })

  test.each(['reset', 'reset-in-body', 'truncate'] as const)('a reply that breaks off (%s)', async (kind) => {
    const { row } = await refundUnder({ do: kind, applies: true })
    expect(row).toMatchObject({ state: 'assumed', quoted_usd: '1.00' })
  })

  test('a lie upwards is counted as it was told', async () => {
    const { row } = await refundUnder({ do: 'lie', factor: 10 })
    expect(row).toMatchObject({ state: 'settled', settled_usd: '10.00' })
  })

  test('a lie downwards does not give back what was reserved', async () => {
    const { row } = await refundUnder({ do: 'lie', factor: 0.1 })
    expect(row).toMatchObject({ state: 'settled', settled_usd: '1.00' })
  })

  test('a lie that a refund never was is not believed either', async () => {
    const { row } = await refundUnder({ do: 'lie', factor: 0 })
    expect(row).toMatchObject({ state: 'settled', settled_usd: '1.00' })
  })
})

describe('what a vendor writes into its reply stays there', () => {
  const stage = new Stage()
  beforeAll(() => stage.open({ SPENDGATE_STRIPE_UPSTREAM: elsewhere.vendor.origin }))
  afterAll(() => stage.world.close())
  beforeEach(() => {
    elsewhere.vendor.seen.length = 0
  })
  const read = { line: 'GET /stripe/v1/balance' }

  async function replyTo(answer: typeof elsewhere.vendor.answer): Promise<{ reply: Reply; row: any }> {
    const key = await stage.key()
    elsewhere.vendor.answer = answer
    const reply = await stage.send(read, presented('stripe', key))
    const [row] = await stage.rows(key)
    return { reply, row }
  }

  test('headers come from a list', async () => {
    const { reply } = await replyTo((_, response) => {
      response.writeHead(200, {
        'content-type': 'application/json',
        'request-id': 'req_1',
        'set-cookie': ['a=b', 'c=d'],
        location: 'https://evil.example/',
        refresh: '0;url=https://evil.example/',
        'access-control-allow-origin': '*',
        'content-security-policy': 'none',
        link: '<https://evil.example/>; rel=preload',
        server: 'evil',
        'x-spendgate-decision': 'allow-everything',
        'x-spendgate-call-id': 'call_forged',
        'x-spendgate-remaining-usd': '1000000.00',
        'x-spendgate-code': 'none',
        'alt-svc': 'h2="evil.example:443"',
        'www-authenticate': 'Basic',
        'transfer-encoding': 'chunked',
      })
      response.end('{"object":"balance"}')
    })
    expect(Object.keys(reply.headers).sort()).toEqual([
      'connection',
      'content-length',
      'content-type',
      'date',
      'request-id',
      'x-spendgate-call-id',
      'x-spendgate-decision',
      'x-spendgate-remaining-usd',
    ])
    expect(reply.headers).toMatchObject({
      'request-id': 'req_1',
      'x-spendgate-decision': 'allow',
      'x-spendgate-remaining-usd': '1000.00',
      'x-spendgate-call-id': expect.stringMatching(/^call_(?!forged)/),
    })
  })

  test('a header that stands twice is not two replies', async () => {
    const { reply } = await replyTo((_, response) => {
      response.writeHead(
        200,
        [
          ['content-type', 'application/json'],
          ['request-id', 'req_1'],
          ['request-id', 'req_2'],
        ].flat(),
      )
      response.end('{}')
    })
    expect(reply).toMatchObject({ replies: 1, status: 200 })
  })

  test.each([
    ['a line feed', 'HTTP/1.1 200 OK\r\nrequest-id: a\nset-cookie: x=y\r\nContent-Length: 2\r\n\r\n{}'],
    ['a NUL', 'HTTP/1.1 200 OK\r\nrequest-id: a\x00b\r\nContent-Length: 2\r\n\r\n{}'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} '],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['a head of 64 KiB', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_536)}\r\nContent-Length: 2\r\n\r\n{}`],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\n{}'],
  ])('bytes that are no reply (%s) become one of ours', async (_, bytes) => {
    const { reply, row } = await replyTo((request) => void request.socket.end(bytes, 'latin1'))
    expect(reply.headers).not.toHaveProperty('set-cookie')
    expect(reply.replies).toBe(1)
    expect(row.state).not.toBe('reserved')
    if (reply.status !== 200)
      expect(reply).toMatchObject({ status: 502, headers: { 'x-spendgate-code': 'upstream_unavailable' } })
  })

  test('a second reply on the connection answers no later call', async () => {
    const both =
      'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"b":2}'
    expect((await replyTo((request) => void request.socket.write(both))).reply.body).toBe('{"a":1}')
    const { reply } = await replyTo((_, response) => void response.end('{"c":3}'))
    expect(reply.body).not.toBe('{"b":2}')
  })

  test('a switch of protocols is not made', async () => {
    const { reply } = await replyTo(
      (request) =>
        void request.socket.end(
          'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nGET / HTTP/1.1\r\n\r\n',
        ),
    )
    expect(reply).toMatchObject({ status: 502, replies: 1 })
  })

  test('an early hint is not passed on', async () => {
    const { reply } = await replyTo((_, response) => {
      response.writeEarlyHints({ link: '</x>; rel=preload' })
      response.end('{"a":1}')
    })
    expect(reply).toMatchObject({ status: 200, replies: 1, body: '{"a":1}' })
  })

  test.each(['gzip', 'deflate', 'br', 'GZIP', 'x-gzip', 'identity, gzip', 'zstd'])(
    'content-encoding: %s',
    async (coding) => {
      const { reply } = await replyTo((_, response) => {
        response.writeHead(200, { 'content-encoding': coding })
        response.end(gzipSync('{}'))
      })
      expect(reply.status).toBe(502)
    },
  )

  test('a JSON body with its own __proto__ reaches nobody else', async () => {
    await replyTo(
      (_, response) =>
        void response.end('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
    )
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test('and the book is sound after all of it', async () => {
    expect(await stage.world.verified()).toEqual([])
  })
})
