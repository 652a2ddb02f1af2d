import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { onStage, presented, readReply, stripe, written } from './stage.js'

const stage = onStage()
const body = 'charge=ch_A&amount=100'
const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
const hidden = 'POST /stripe/v1/refunds HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n'

describe('a message with two ends gets a plain 400 and no row', () => {
  test.each([
    ['Content-Length and Transfer-Encoding', ['Content-Length: 6', 'Transfer-Encoding: chunked']],
    ['Transfer-Encoding and Content-Length', ['Transfer-Encoding: chunked', 'Content-Length: 6']],
    ['two different lengths', ['Content-Length: 6', `Content-Length: ${chunks.length}`]],
    ['the same length twice', [`Content-Length: ${chunks.length}`, `Content-Length: ${chunks.length}`]],
    ['chunked, and something behind it', ['Transfer-Encoding: chunked, identity']],
    ['chunked twice', ['Transfer-Encoding: CHUNKED, chunked']],
    ['chunked over a vertical tab', ['Transfer-Encoding: \x0bchunked']],
    ['a space before the colon', ['Transfer-Encoding : chunked']],
    ['a folded header', ['X-A: b\r\n Transfer-Encoding: chunked']],
    ['a bare line feed', [`Content-Length: ${chunks.length}\nTransfer-Encoding: chunked`]],
    ['a bare carriage return', ['X-A: b\rTransfer-Encoding: chunked']],
    ['a NUL in a header', ['X-A: b\x00']],
    ['a header without a colon', ['Transfer-Encoding']],
  ])('%s', async (_, headers) => {
    const attack = { ...stripe('/v1/refunds', chunks, headers), without: ['content-length'] }
    expect((await stage.ignores(attack, 400)).body).toBe('')
  })

  /** The head of these is sound, so the key is known and a row may stand; the parser stops at the body. */
  test.each([
    ['a chunk size that is no number', 'zz\r\nx\r\n0\r\n\r\n'],
    ['a chunk size with a sign', '-1\r\nx\r\n0\r\n\r\n'],
    ['a chunk size beyond 64 bits', 'fffffffffffffffff\r\nx\r\n0\r\n\r\n'],
    ['a chunk longer than its size', `1\r\n${body}\r\n0\r\n\r\n`],
    ['a chunk ended by a bare line feed', `${body.length.toString(16)}\n${body}\n0\n\n`],
  ])('%s: nothing is sent, and nothing is counted', async (_, chunked) => {
    const key = await stage.key()
    const attack = { ...stripe('/v1/refunds', chunked, ['Transfer-Encoding: chunked']), without: ['content-length'] }
    stage.forget()
    const reply = await stage.send(attack, presented('stripe', key))
    expect(reply.status).toBe(400)
    expect(stage.seen()).toEqual([])
    for (const row of await stage.rows(key))
      expect(row).toMatchObject({ state: 'denied', decision: { code: 'request_malformed' } })
  })

  test('a coding nobody knows: nothing is sent, and nothing is counted', async () => {
    const key = await stage.key()
    const attack = {
      ...stripe('/v1/refunds', chunks, ['Transfer-Encoding: xchunked']),
      without: ['content-length'],
    }
    stage.forget()
    expect((await stage.send(attack, presented('stripe', key))).status).toBe(400)
    expect(stage.seen()).toEqual([])
    for (const row of await stage.rows(key))
      expect(row).toMatchObject({ state: 'denied', decision: { code: 'request_malformed' } })
  })
})

describe('a message with one end and an odd frame is refused with a row', () => {
  test.each(['gzip, chunked', 'identity, chunked'])('Transfer-Encoding: %s', async (coding) => {
    const attack = { ...stripe('/v1/refunds', chunks, [`Transfer-Encoding: ${coding}`]), without: ['content-length'] }
    await stage.refuses(attack, 'request_malformed')
  })

  test.each(['websocket', 'h2c', 'TLS/1.0'])('Upgrade: %s', async (protocol) => {
    await stage.refuses(
      stripe('/v1/refunds', body, ['Connection: Upgrade, close', `Upgrade: ${protocol}`]),
      'request_malformed',
    )
    await stage.refuses(stripe('/v1/refunds', body, [`Upgrade: ${protocol}`]), 'request_malformed')
  })
})

describe('a request inside a request is none', () => {
  test('as the body of a GET', async () => {
    await stage.refuses({ line: 'GET /stripe/v1/balance', body: hidden }, 'request_ambiguous')
  })

  test('as a form', async () => {
    await stage.refuses(stripe('/v1/refunds', hidden), 'request_malformed')
  })

  test('behind the refusal of a body that was never read', async () => {
    const headers = ['Content-Length: 99999999', 'Connection: keep-alive']
    const key = await stage.key()
    stage.forget()
    const text = written(stripe('/v1/refunds', '', headers), presented('stripe', key)) + hidden
    const { hostname, port } = new URL(stage.world.url)
    const socket = connect(Number(port), hostname).setEncoding('latin1')
    socket.write(text, 'latin1')
    const first = await new Promise<string>((resolve) => socket.once('data', resolve))
    socket.destroy()
    expect(readReply(first)).toMatchObject({ status: 413, replies: 1 })
    expect(await stage.rows(key)).toHaveLength(1)
    expect(stage.seen()).toEqual([])
  })

  test('in a trailer: its headers are not those of the call', async () => {
    const key = await stage.key()
    const trailed = `${body.length.toString(16)};x=1\r\n${body}\r\n0\r\nStripe-Account: acct_evil\r\nIdempotency-Key: t\r\n\r\n`
    const attack = {
      ...stripe('/v1/refunds', trailed, ['Transfer-Encoding: chunked', 'Trailer: Stripe-Account']),
      without: ['content-length'],
    }
    stage.forget()
    expect((await stage.send(attack, presented('stripe', key))).status).toBe(200)
    const sent = stage.world.stripe.requests.find(({ method }) => method === 'POST')!
    expect(sent.body).toBe(body)
    expect(sent.headers).toMatchObject({ 'content-length': String(body.length) })
    for (const name of ['stripe-account', 'trailer', 'transfer-encoding']) expect(sent.headers).not.toHaveProperty(name)
    expect(await stage.rows(key)).toHaveLength(1)
  })
})

describe('what connects two hops ends at this one', () => {
  test('connection headers, cookies and forwarding headers never reach the vendor', async () => {
    const key = await stage.key()
    const headers = [
      'Connection: close, Authorization, Host',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Proxy-Authorization: Basic eDp5',
      'Cookie: a=b',
      'Forwarded: for=1.2.3.4',
      'X-Forwarded-For: 1.2.3.4',
      'X-Forwarded-User: admin',
      'X_Forwarded_User: admin',
      'Stripe_Account: acct_evil',
      '__proto__: x',
      'Accept-Encoding: gzip',
      'Range: bytes=0-1',
      'If-None-Match: x',
    ]
    stage.forget()
    expect((await stage.send({ line: 'GET /stripe/v1/balance', headers }, presented('stripe', key))).status).toBe(200)
    const sent = Object.keys(stage.world.stripe.requests[0]!.headers).sort()
    expect(sent).toEqual(['accept-encoding', 'authorization', 'connection', 'host', 'stripe-version', 'user-agent'])
    expect(stage.world.stripe.requests[0]!.headers).toMatchObject({
      'accept-encoding': 'identity',
      connection: 'keep-alive',
    })
  })

  test('an expectation nobody knows gets 417 and no row', async () => {
    await stage.ignores(stripe('/v1/refunds', body, ['Expect: 200-ok']), 417)
  })

  test('two calls on one connection are two rows', async () => {
    const key = await stage.key()
    const one = written(
      { line: 'GET /stripe/v1/balance', headers: ['Connection: keep-alive'] },
      presented('stripe', key),
    )
    const two = written({ line: 'GET /stripe/v1/balance' }, presented('stripe', key))
    stage.forget()
    expect(readReply(await stage.world.raw(one + two)).replies).toBe(2)
    expect(await stage.rows(key)).toHaveLength(2)
    expect(stage.seen()).toEqual(['GET /v1/balance', 'GET /v1/balance'])
  })
})
