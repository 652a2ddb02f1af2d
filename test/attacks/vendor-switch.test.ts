import { describe, expect, test } from 'vitest'
import { basic, onStage, presented, type Attack } from './stage.js'

const stage = onStage()
const post = (target: string, headers: readonly string[] = []): Attack => ({
  line: `POST ${target}`,
  headers,
  body: 'charge=ch_A&amount=100',
})

describe('a path that climbs from one vendor into another is malformed', () => {
  test.each([
    '/stripe/../twilio/2010-04-01/Accounts.json',
    '/stripe/%2e%2e/resend/emails',
    '/stripe/..%2fresend/emails',
    '/stripe/..;/resend/emails',
    '/run/run_1/stripe/../resend/emails',
    '/run/run_1/../../resend/emails',
    '/run/run_1//stripe/v1/refunds',
  ])('%s', async (target) => {
    await stage.refuses(post(target), 'request_malformed')
  })

  test.each([
    '/run/../stripe/v1/refunds',
    '/run/run%2f1/stripe/v1/refunds',
    `/run/${'x'.repeat(65)}/stripe/v1/refunds`,
    '/run/a b/stripe/v1/refunds'.replace(' ', '%20'),
  ])('a run id that is none: %s', async (target) => {
    await stage.refuses(post(target), 'request_malformed')
  })
})

describe('address and key that name different vendors are ambiguous', () => {
  test('the prefix of one and the key form of another', async () => {
    const key = await stage.key('resend')
    stage.forget()
    const reply = await stage.send(post('/stripe/v1/refunds'), presented('resend', key))
    expect(reply).toMatchObject({ status: 403, headers: { 'x-spendgate-code': 'request_ambiguous' } })
    expect(await stage.rows(key)).toMatchObject([{ state: 'denied', decision: { code: 'request_ambiguous' } }])
    expect(stage.seen()).toEqual([])
  })

  test.each([
    ['host and prefix', '/stripe/v1/refunds', ['Host: twilio.localhost']],
    ['host and key', '/v1/refunds', ['Host: resend.localhost']],
    ['root path and key', '/emails', []],
    ['root path of a product host and key', '/verify.twilio.com/v2/Services', []],
    ['host in upper case and prefix', '/stripe/v1/refunds', ['Host: TWILIO.localhost']],
  ])('%s', async (_, target, headers) => {
    const key = await stage.key()
    stage.forget()
    const reply = await stage.send(post(target, headers), presented('stripe', key))
    expect(reply).toMatchObject({ status: 403, headers: { 'x-spendgate-code': 'request_ambiguous' } })
    expect(await stage.rows(key)).toMatchObject([{ state: 'denied', decision: { code: 'request_ambiguous' } }])
    expect(stage.seen()).toEqual([])
  })

  test("the prefix wins over what stands behind it: another vendor's paths are unknown there", async () => {
    await stage.refuses(post('/stripe/2010-04-01/Accounts.json'), 'operation_unknown')
    await stage.refuses(post('/stripe/emails'), 'operation_unknown')
    await stage.refuses(post('/stripe/verify.twilio.com/v2/Services'), 'operation_unknown')
  })
})

describe('a host in the path is one of the vendor or unknown', () => {
  test.each([
    '/twilio/api.stripe.com/v1/refunds',
    '/twilio/evil.example/2010-04-01/Accounts.json',
    '/twilio/verify.twilio.com.evil.example/v2/Services',
    '/twilio/verify.twilio.com:8443/v2/Services',
    '/twilio/verify.twilio.com@evil.example/v2/Services',
    '/twilio/VERIFY.twilio.com/v2/Services',
    '/twilio/api.twilio.com/api.twilio.com/2010-04-01/Accounts.json',
    '/twilio/sms.twilio.com/v1/Services',
  ])('%s', async (target) => {
    await stage.refuses({ ...post(target), vendor: 'twilio' }, 'operation_unknown')
  })
})

describe('the Host header names nothing but a vendor of ours', () => {
  test('two of them are ambiguous, whatever they say', async () => {
    for (const second of ['127.0.0.1', 'evil.example', 'stripe.localhost']) {
      await stage.refuses(post('/stripe/v1/refunds', ['Host: 127.0.0.1', `Host: ${second}`]), 'request_ambiguous')
    }
  })

  test.each([
    'evil.example',
    'evil.example:80',
    'stripe.evil.example',
    'api.stripe.com',
    'localhost:4000/#@evil.example',
    '[::1]',
    '169.254.169.254',
  ])('the call goes where the configuration says, not to %s', async (host) => {
    const key = await stage.key()
    stage.forget()
    const reply = await stage.send(
      { line: 'GET /stripe/v1/balance', headers: [`Host: ${host}`] },
      presented('stripe', key),
    )
    expect([200, 400]).toContain(reply.status)
    for (const request of stage.world.stripe.requests) {
      expect(request.headers.host).toBe(new URL(stage.world.stripe.origin).host)
    }
    expect(await stage.rows(key)).toHaveLength(stage.seen().length)
  })

  test("none at all is refused by Node's parser", async () => {
    await stage.ignores({ ...post('/stripe/v1/refunds'), without: ['host'] }, 400)
  })

  test('none at all in HTTP/1.0 is governed like any other call', async () => {
    await stage.refuses({ ...post('/stripe/v1/refunds/'), without: ['host'], http: '1.0' }, 'request_malformed')
  })

  test.each([
    'X-Forwarded-Host: resend.localhost',
    'Forwarded: host=resend.localhost',
    'X-Original-URL: /resend/emails',
    'X-Rewrite-URL: /resend/emails',
    'X-Forwarded-Prefix: /resend',
  ])('and %s names nothing', async (header) => {
    const key = await stage.key()
    stage.forget()
    const reply = await stage.send({ line: 'GET /stripe/v1/balance', headers: [header] }, presented('stripe', key))
    expect(reply.status).toBe(200)
    expect(stage.seen()).toEqual(['GET /v1/balance'])
    const name = header.split(':')[0]!.toLowerCase()
    expect(stage.world.stripe.requests[0]!.headers).not.toHaveProperty(name)
  })
})

describe('a bare key at the root says nothing about the vendor', () => {
  test('so a path of a vendor it is not for is not granted', async () => {
    const key = await stage.key('resend')
    stage.forget()
    const reply = await stage.send(post('/v1/refunds'), `Bearer ${key.key}`)
    expect(reply).toMatchObject({ status: 403, headers: { 'x-spendgate-code': 'vendor_not_granted' } })
    expect(await stage.rows(key)).toMatchObject([{ state: 'denied', decision: { code: 'vendor_not_granted' } }])
    expect(stage.seen()).toEqual([])
  })

  test('and a prefix of a vendor it is not for is not granted either', async () => {
    const key = await stage.key('stripe')
    stage.forget()
    const reply = await stage.send(post('/resend/emails'), `Bearer ${key.key}`)
    expect(reply).toMatchObject({ status: 403, headers: { 'x-spendgate-code': 'vendor_not_granted' } })
    expect(stage.seen()).toEqual([])
  })

  test("in Twilio's form with another key's public id it is unknown", async () => {
    const [mine, other] = [await stage.key('twilio'), await stage.key('twilio')]
    const mixed = basic(other.presentations.twilio!.api_key_sid, mine.key)
    await stage.ignores({ vendor: 'twilio', line: 'GET /twilio/2010-04-01/Accounts.json' }, 401, mixed)
  })
})
