import { connect } from 'node:net'
import { describe, expect, test, vi } from 'vitest'
import { onStage, presented, resend, stripe, written } from './stage.js'

const stage = onStage()
const LIMIT = 256 * 1024

const chunked = (body: string, size: number): string => {
  const chunks = body.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
  return [...chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`), '0\r\n\r\n'].join('')
}

describe('a body over the limit is refused', () => {
  test('when its length says so', async () => {
    await stage.refuses(stripe('/v1/refunds', `metadata[a]=${'x'.repeat(LIMIT)}`), 'body_too_large')
  })

  test('when only its length says so and nothing comes', async () => {
    const attack = stripe('/v1/refunds', '', ['Content-Length: 99999999999'])
    await stage.refuses(attack, 'body_too_large')
  })

  test.each([1024, 65_536, LIMIT * 2])('when it comes in chunks of %i', async (size) => {
    const body = chunked(`metadata[a]=${'x'.repeat(LIMIT)}`, size)
    const attack = { ...stripe('/v1/refunds', body, ['Transfer-Encoding: chunked']), without: ['content-length'] }
    await stage.refuses(attack, 'body_too_large')
  })

  test('one byte under it is read to the end', async () => {
    const name = 'charge=ch_A&metadata[a]='
    const body = name + 'x'.repeat(LIMIT - name.length + 1)
    await stage.refuses(stripe('/v1/refunds', body), 'body_too_large')
    await stage.refuses(stripe('/v1/refunds', `${body.slice(0, -2)}%`), 'request_malformed')
  })
})

describe('many small things are refused', () => {
  test('more than a thousand parameters', async () => {
    const pairs = Array.from({ length: 1000 }, (_, i) => `metadata[k${i}]=1`)
    await stage.refuses(stripe('/v1/refunds', `charge=ch_A&${pairs.join('&')}`), 'request_malformed')
  })

  test.each([
    ['arrays', '['.repeat(100_000)],
    ['objects', '{"a":'.repeat(40_000)],
    ['33 arrays inside a value', `{"from":${'['.repeat(33)}1${']'.repeat(33)}}`],
  ])('JSON nested without end: %s', async (_, body) => {
    await stage.refuses(resend('/emails', body), 'request_malformed')
  })

  test('headers beyond 16 KiB get a plain 431 and no row', async () => {
    const attack = stripe('/v1/refunds', 'charge=ch_A', [`X-Long: ${'x'.repeat(20_000)}`])
    expect((await stage.ignores(attack, 431)).body).toBe('')
  })
})

describe('a length that lies', () => {
  test('too short: what is beyond it is no part of the call, and no call of its own', async () => {
    const key = await stage.key()
    const attack = stripe('/v1/refunds', 'charge=ch_A&amount=100000', ['Content-Length: 22', 'Connection: keep-alive'])
    stage.forget()
    // Node's parser gives the connection up at the bytes beyond; the call before them lives its own life.
    await stage.world.raw(written(attack, presented('stripe', key)))
    const rows = await vi.waitFor(async () => {
      const found = await stage.rows(key)
      expect(found).toMatchObject([{ state: 'settled' }])
      return found
    })
    expect(stage.world.stripe.requests.map(({ method, body }) => `${method} ${body}`)).toEqual([
      'GET ',
      'POST charge=ch_A&amount=100',
    ])
    expect(rows).toMatchObject([{ settled_usd: '1.00' }])
  })

  test('too long: a body that breaks off is malformed, and nothing is sent', async () => {
    const key = await stage.key()
    const attack = stripe('/v1/refunds', 'charge=ch_A&amount=100', ['Content-Length: 100'])
    stage.forget()
    const { hostname, port } = new URL(stage.world.url)
    const socket = connect(Number(port), hostname)
    socket.end(written(attack, presented('stripe', key)), 'latin1')
    const rows = await vi.waitFor(async () => {
      const found = await stage.rows(key)
      expect(found).toHaveLength(1)
      return found
    })
    socket.destroy()
    expect(rows).toMatchObject([{ state: 'denied', decision: { code: 'request_malformed' } }])
    expect(stage.seen()).toEqual([])
  })

  test.each(['-1', '+22', '0x16', '22, 22', '2 2', '1e2', ''])(
    'no number: %j gets a plain 400 and no row',
    async (length) => {
      await stage.ignores(stripe('/v1/refunds', 'charge=ch_A&amount=100', [`Content-Length: ${length}`]), 400)
    },
  )
})
