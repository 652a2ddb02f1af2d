import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { Upstream, type UpstreamRequest } from '../../src/wire/upstream.js'
import { Hostile } from '../attacks/hostile.js'

let vendor: Hostile
let upstream: Upstream
beforeAll(async () => {
  vendor = await Hostile.open()
  upstream = new Upstream({ timeoutMs: 200, clock: new SystemClock() })
})
afterEach(() => {
  vendor.seen.length = 0
})
afterAll(async () => {
  await upstream.close()
  await vendor.close()
})

const request = (overrides: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
  origin: vendor.origin,
  method: 'POST',
  target: '/v1/refunds',
  headers: ['host', 'vendor.example', 'authorization', 'Bearer real'],
  body: 'a=1',
  ...overrides,
})
const open = (): null => null

describe('a reply', () => {
  test('comes whole, with lower-case names', async () => {
    vendor.answer = (incoming, response) => {
      response.writeHead(201, { 'Request-Id': 'req_1', 'X-Two': ['a', 'b'] })
      response.end(JSON.stringify({ host: incoming.headers.host, length: incoming.headers['content-length'] }))
    }
    const reply = await upstream.send(request(), open)
    expect(reply).toMatchObject({ kind: 'reply', status: 201 })
    if (reply.kind !== 'reply') return
    expect(reply.headers.slice(0, 6)).toEqual(['request-id', 'req_1', 'x-two', 'a', 'x-two', 'b'])
    expect(JSON.parse(reply.body.toString())).toEqual({ host: 'vendor.example', length: '3' })
  })

  test('is a redirect where the vendor says so: nobody follows it', async () => {
    vendor.answer = (_, response) => void response.writeHead(307, { location: `${vendor.origin}/elsewhere` }).end()
    expect(await upstream.send(request(), open)).toMatchObject({ kind: 'reply', status: 307 })
    expect(vendor.seen).toEqual(['POST /v1/refunds'])
  })

  test('is not unpacked', async () => {
    vendor.answer = (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end('not gzip')
    const reply = await upstream.send(request(), open)
    expect(reply.kind === 'reply' && reply.body.toString()).toBe('not gzip')
  })

  test('of 8 MiB is taken, a byte more is not', async () => {
    const limit = 8 * 1024 * 1024
    for (const [bytes, kind] of [
      [limit, 'reply'],
      [limit + 1, 'fault'],
    ] as const) {
      vendor.answer = (_, response) => void response.end(Buffer.alloc(bytes))
      expect(await upstream.send(request(), open)).toMatchObject({ kind })
    }
  })

  test('of an early hint is waited on', async () => {
    vendor.answer = (_, response) => {
      response.writeEarlyHints({ link: '</x>' })
      response.end('{}')
    }
    expect(await upstream.send(request(), open)).toMatchObject({ kind: 'reply', status: 200 })
  })
})

describe('a fault says whether anything may have left', () => {
  test('nothing, where nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    expect(await upstream.send(request({ origin: `http://127.0.0.1:${port}` }), open)).toMatchObject({
      kind: 'fault',
      sent: false,
      timedOut: false,
    })
  })

  test('something, after a reset; and a write is not sent again', async () => {
    vendor.answer = (incoming) => void incoming.socket.resetAndDestroy()
    expect(await upstream.send(request(), open)).toMatchObject({ kind: 'fault', sent: true, timedOut: false })
    expect(vendor.seen).toEqual(['POST /v1/refunds'])
  })

  test('nor is a read', async () => {
    vendor.answer = (incoming) => void incoming.socket.resetAndDestroy()
    expect(await upstream.send(request({ method: 'GET', body: null }), open)).toMatchObject({
      kind: 'fault',
      sent: true,
    })
    expect(vendor.seen).toEqual(['GET /v1/refunds'])
  })

  test('something, when no answer comes in time', async () => {
    vendor.answer = () => {}
    const fault = await upstream.send(request(), open)
    expect(fault).toMatchObject({ kind: 'fault', sent: true, timedOut: true })
    expect(vendor.seen).toEqual(['POST /v1/refunds'])
  })

  test('something, when the answer breaks off', async () => {
    vendor.answer = (incoming, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('half', () => incoming.socket.resetAndDestroy())
    }
    expect(await upstream.send(request(), open)).toMatchObject({ kind: 'fault', sent: true })
  })

  test('and names no secret', async () => {
    vendor.answer = (incoming) => void incoming.socket.end('HTTP/1.1 200 OK\r\nbad header\r\n\r\n')
    const fault = await upstream.send(request(), open)
    expect(fault.kind).toBe('fault')
    expect(JSON.stringify(fault)).not.toContain('real')
  })
})

describe('the gate', () => {
  test('is asked once, and what it keeps back never arrives', async () => {
    let asked = 0
    const result = await upstream.send(request(), () => {
      asked++
      return 'revoked'
    })
    expect(result).toEqual({ kind: 'withheld', because: 'revoked' })
    expect(asked).toBe(1)
    expect(vendor.seen).toEqual([])
  })

  test('keeps back one call and not the next', async () => {
    vendor.answer = (_, response) => void response.end('{}')
    const results = await Promise.all([
      upstream.send(request(), () => 'no'),
      upstream.send(request({ target: '/v1/next' }), open),
    ])
    expect(results.map(({ kind }) => kind)).toEqual(['withheld', 'reply'])
    expect(vendor.seen).toEqual(['POST /v1/next'])
  })

  test('is not asked for a call that never gets a connection', async () => {
    let asked = 0
    await upstream.send(request({ origin: 'http://127.0.0.1:1' }), () => {
      asked++
      return null
    })
    expect(asked).toBe(0)
  })
})

describe('a reply that may be a stream', () => {
  const read = (
    enough: (piece: Buffer) => boolean,
    bytesMax = 1_000,
    timeoutMs?: number,
  ): ReturnType<Upstream['send']> => upstream.send(request(), open, timeoutMs, { bytesMax, enough })
  const trickle = (response: ServerResponse): void => {
    const drops = setInterval(() => void response.write('drop;'), 20)
    response.once('close', () => clearInterval(drops))
  }

  test('is read until there is enough, and the rest is not waited for', async () => {
    vendor.answer = (_, response) => trickle(response)
    let seen = ''
    const reply = await read((piece) => (seen += piece.toString()).length >= 10)
    expect(reply.kind === 'reply' && reply.body.toString()).toBe(seen)
    expect(seen).toMatch(/^(?:drop;){2,}$/)
  })

  test('is read to its end where that is never', async () => {
    vendor.answer = (_, response) => void response.end('all of it')
    const reply = await read(() => false)
    expect(reply.kind === 'reply' && reply.body.toString()).toBe('all of it')
  })

  test('has its time-out for the whole, however often something comes', async () => {
    vendor.answer = (_, response) => trickle(response)
    const startedAt = performance.now()
    expect(await read(() => false, 100_000)).toMatchObject({ kind: 'fault', sent: true, timedOut: true })
    expect(performance.now() - startedAt).toBeLessThan(1_500)
  })

  test('has a limit of its own', async () => {
    vendor.answer = (_, response) => void response.end('x'.repeat(100))
    expect(await read(() => false, 99)).toMatchObject({ kind: 'fault', sent: true, timedOut: false })
  })

  test('that its reader fails on is a fault of unknown outcome', async () => {
    vendor.answer = (_, response) => void response.end('x')
    const failing = read(() => {
      throw new RangeError('no such thing')
    })
    expect(await failing).toMatchObject({
      kind: 'fault',
      sent: true,
      message: expect.stringContaining('no such thing'),
    })
  })
})

test('a gate that fails lets nothing leave', async () => {
  const failing = upstream.send(request(), () => {
    throw new Error('no such call')
  })
  expect(await failing).toMatchObject({ kind: 'fault', sent: false, message: expect.stringContaining('no such call') })
  expect(vendor.seen).toEqual([])
})

test('a large reply that comes in many pieces is the same bytes', async () => {
  const body = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 31) % 251))
  vendor.answer = (_, response) => {
    for (let at = 0; at < body.length; at += 7_000) response.write(body.subarray(at, at + 7_000))
    response.end()
  }
  const reply = await upstream.send(request(), open)
  expect(reply.kind === 'reply' && reply.body.equals(body)).toBe(true)
})

test('calls at the same time do not wait for each other on one connection', async () => {
  const waiting: (() => void)[] = []
  vendor.answer = (_, response) => {
    waiting.push(() => response.end('{}'))
    if (waiting.length === 10) for (const answer of waiting) answer()
  }
  const replies = await Promise.all(
    Array.from({ length: 10 }, (_, i) => upstream.send(request({ target: `/${i}` }), open)),
  )
  expect(replies.every(({ kind }) => kind === 'reply')).toBe(true)
})

test.each(['/a b', '/a\r\nX: y', '/a\u0000'])(
  'a target that would break the head of the request (%j) never leaves',
  async (target) => {
    expect(await upstream.send(request({ target }), open)).toMatchObject({ kind: 'fault', sent: false })
    expect(vendor.seen).toEqual([])
  },
)
