import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Pool } from '../../../src/wire/client/pool.js'
import { Ticks } from '../../../src/wire/client/ticks.js'
import { ask } from './ask.js'
import { reply, Vendor } from './vendor.js'

/** Moved by hand; what is waited for in the pool itself goes by its ticks, which are real. */
let now = 0
const clock = { now: () => now, monotonic: () => now }
let vendor: Vendor
let pools: Pool[] = []

function poolTo(port: number, connectionsMax?: number): Pool {
  const ticks = new Ticks(() => pool.check())
  const origin = `http://127.0.0.1:${port}`
  const to = { origin, host: '127.0.0.1', named: `127.0.0.1:${port}`, port, tls: false, lookup: null, connectMs: 300 }
  const pool = new Pool(to, ticks, clock, connectionsMax)
  pools.push(pool)
  return pool
}

beforeEach(async () => {
  vendor = await Vendor.open()
  pools = []
})
afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.close()))
  await vendor.close()
})

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))

describe('a connection', () => {
  test('is used again, one request at a time', async () => {
    const pool = poolTo(vendor.port)
    for (const target of ['/1', '/2', '/3'])
      expect(await ask(pool, { target })).toEqual({ kind: 'reply', text: 'ok', sent: true, timedOut: false })
    expect(vendor.connections).toBe(1)
  })

  test.each([
    ['says that it closes', reply('ok', 'Connection: close')],
    ['says so among other things', reply('ok', 'Connection: keep-alive, Close')],
    ['speaks HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'],
    ['has no time left by its own word', reply('ok', 'Keep-Alive: timeout=2')],
    ['said more than its reply', `${reply('ok')}${reply('poison')}`],
    ['gave a coding to no content', 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n'],
  ])('that %s is not used again', async (_what, bytes) => {
    vendor.answer = (socket) => void socket.write(bytes)
    const pool = poolTo(vendor.port)
    const text = bytes.includes('ok') ? 'ok' : ''
    expect(await ask(pool)).toMatchObject({ kind: 'reply', text })
    expect(await ask(pool)).toMatchObject({ kind: 'reply', text })
    expect(vendor.connections).toBe(2)
  })

  test.each([
    ['a HEAD', { method: 'HEAD', body: '' }],
    ['a body that may have been overlooked', { method: 'DELETE' }],
  ])('is not used again after %s', async (_what, wish) => {
    vendor.answer = (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    const pool = poolTo(vendor.port)
    await ask(pool, wish)
    await ask(pool)
    expect(vendor.connections).toBe(2)
  })

  test.each<[string, (vendor: Vendor) => void]>([
    ['was closed', ({ sockets }) => void sockets[0]!.end()],
    ['was reset', ({ sockets }) => void sockets[0]!.resetAndDestroy()],
    ['said something nobody asked for', ({ sockets }) => void sockets[0]!.write(reply('poison'))],
  ])('that %s while nobody used it carries nothing more', async (_what, happens) => {
    const pool = poolTo(vendor.port)
    await ask(pool)
    happens(vendor)
    await soon()
    expect(await ask(pool)).toMatchObject({ kind: 'reply', text: 'ok' })
    expect(vendor.connections).toBe(2)
  })

  test('that closes right after its reply is not used, though it did not say so', async () => {
    vendor.answer = (socket) => void socket.end(reply('ok'))
    const pool = poolTo(vendor.port)
    for (const target of ['/1', '/2', '/3'])
      expect(await ask(pool, { target })).toMatchObject({ kind: 'reply', text: 'ok' })
  })

  test('that breaks in the turn in which it would have been used gives its request to another one', async () => {
    const pool = poolTo(vendor.port)
    await ask(pool)
    const asked: string[] = []
    vendor.sockets[0]!.write(reply('poison'))
    // The bytes are in the kernel, and nobody has looked.
    for (const until = performance.now() + 20; performance.now() < until;);
    const heard = await ask(pool, { gate: () => asked.push('gate') === 1 })
    expect(heard).toMatchObject({ kind: 'reply', text: 'ok' })
    expect(asked).toEqual(['gate'])
    expect(vendor.heard[0]!.match(/POST/g)).toHaveLength(1)
  })

  test.each([
    ['4 s', reply('ok'), 3_999, 4_000],
    ['what the server says, less what its word takes', reply('ok', 'Keep-Alive: timeout=10'), 7_999, 8_000],
    ['30 s at most', reply('ok', 'Keep-Alive: timeout=600, max=100'), 29_999, 30_000],
  ])('is used for %s after the last time', async (_what, bytes, inTimeMs, lateMs) => {
    vendor.answer = (socket) => void socket.write(bytes)
    const pool = poolTo(vendor.port)
    await ask(pool)
    now += inTimeMs
    await ask(pool)
    expect(vendor.connections).toBe(1)
    now += lateMs
    await ask(pool)
    expect(vendor.connections).toBe(2)
  })

  test('is closed when its time is over, whether or not anybody asks', async () => {
    const pool = poolTo(vendor.port)
    await ask(pool)
    const closed = new Promise((resolve) => vendor.sockets[0]!.once('close', resolve))
    now += 4_000
    await closed
  })

  test('that answered before the request had left whole carries nothing more', async () => {
    vendor.sockets.length = 0
    const pool = poolTo(vendor.port)
    const before = vendor.serve.bind(vendor)
    vendor.serve = (socket) => {
      if (vendor.connections > 0) return before(socket)
      vendor.sockets.push(socket)
      vendor.heard.push('')
      socket.pause()
      socket.on('error', () => socket.destroy())
      socket.write(reply('early'))
    }
    expect(await ask(pool, { body: 'x'.repeat(16 * 1024 * 1024) })).toMatchObject({ kind: 'reply', text: 'early' })
    expect(await ask(pool)).toMatchObject({ kind: 'reply', text: 'ok' })
    expect(vendor.connections).toBe(2)
  })

  test('on which nothing left is there for the next request', async () => {
    const pool = poolTo(vendor.port)
    expect(await ask(pool, { gate: () => false })).toMatchObject({ kind: 'withheld', sent: false })
    expect(await ask(pool)).toMatchObject({ kind: 'reply' })
    expect(vendor.heard).toHaveLength(1)
    expect(vendor.heard[0]!.match(/POST/g)).toHaveLength(1)
  })
})

test('what did not leave makes no connection last longer', async () => {
  const pool = poolTo(vendor.port)
  await ask(pool)
  now += 3_000
  await ask(pool, { gate: () => false })
  now += 1_000
  await ask(pool)
  expect(vendor.connections).toBe(2)
})

describe('as many connections as may be', () => {
  test('are not passed, and who waits goes in order', async () => {
    const pool = poolTo(vendor.port, 2)
    let open = 0
    const order: string[] = []
    vendor.answer = (socket, _connection, target) => {
      open++
      expect(open).toBeLessThanOrEqual(2)
      order.push(target)
      setTimeout(() => {
        open--
        socket.write(reply(target))
      }, 5)
    }
    const targets = Array.from({ length: 7 }, (_, n) => `/${n}`)
    const heard = await Promise.all(targets.map((target) => ask(pool, { target })))
    expect(heard.map(({ text }) => text)).toEqual(targets)
    expect(order).toEqual(targets)
    expect(vendor.connections).toBe(2)
  })

  test('make room when they close, and who waits opens the next', async () => {
    const pool = poolTo(vendor.port, 2)
    vendor.answer = (socket, _connection, target) => void socket.end(reply(target, 'Connection: close'))
    const targets = Array.from({ length: 7 }, (_, n) => `/${n}`)
    const heard = await Promise.all(targets.map((target) => ask(pool, { target })))
    expect(heard.map(({ text }) => text)).toEqual(targets)
    expect(vendor.connections).toBe(7)
  })

  test('are freed by faults too', async () => {
    const pool = poolTo(vendor.port, 1)
    vendor.answer = (socket, connection) => {
      if (connection < 2) socket.resetAndDestroy()
      else socket.write(reply('ok'))
    }
    const heard = await Promise.all([ask(pool), ask(pool), ask(pool), ask(pool)])
    expect(heard.map(({ kind, sent }) => [kind, sent])).toEqual([
      ['fault', true],
      ['fault', true],
      ['reply', true],
      ['reply', true],
    ])
  })
})

describe('a fault', () => {
  test.each<[string, string]>([
    ['is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['has a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok'],
    ['has two lengths', reply('ok', 'Content-Length: 2')],
    ['has a head that is too large', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(17_000)}`],
    ['has a line that is no header', 'HTTP/1.1 200 OK\r\nX : y\r\n'],
    ['switches protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'],
    ['tells to go on', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['has a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n'],
  ])('of unknown outcome is a reply that %s, at once and not when time is over', async (_what, bytes) => {
    vendor.answer = (socket) => void socket.write(bytes)
    expect(await ask(poolTo(vendor.port))).toMatchObject({ kind: 'fault', sent: true, timedOut: false })
    await soon()
    expect(vendor.sockets[0]!.destroyed).toBe(true)
  })

  test('is a body whose end is a reset, though it has no length', async () => {
    vendor.answer = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\nhalf', () => setTimeout(() => socket.resetAndDestroy(), 5))
    }
    expect(await ask(poolTo(vendor.port))).toMatchObject({ kind: 'fault', sent: true })
  })

  test('is none where a body ends with the connection', async () => {
    vendor.answer = (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\nwhole')
    expect(await ask(poolTo(vendor.port))).toMatchObject({ kind: 'reply', text: 'whole' })
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-'],
    ['half a body', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'],
    ['chunks without their last', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n'],
  ])('comes in time where %s came, and says so', async (_what, bytes) => {
    vendor.answer = (socket) => void socket.write(bytes)
    const startedAt = performance.now()
    expect(await ask(poolTo(vendor.port), { timeoutMs: 200 })).toMatchObject({
      kind: 'fault',
      sent: true,
      timedOut: true,
    })
    const tookMs = performance.now() - startedAt
    expect(tookMs).toBeGreaterThanOrEqual(199)
    expect(tookMs).toBeLessThan(2_000)
  })

  test('is not a body that comes slowly, as long as it comes', async () => {
    vendor.answer = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n')
      let sent = 0
      const drop = setInterval(() => {
        socket.write('x')
        if (++sent === 6) clearInterval(drop)
      }, 120)
    }
    expect(await ask(poolTo(vendor.port), { timeoutMs: 250 })).toMatchObject({ kind: 'reply', text: 'xxxxxx' })
  })

  test('before anything left is known to be one', async () => {
    const { port } = vendor
    await vendor.close()
    expect(await ask(poolTo(port))).toMatchObject({ kind: 'fault', sent: false, timedOut: false })
    vendor = await Vendor.open()
  })
})

test('who closes tells everybody, and afterwards nothing leaves', async () => {
  vendor.answer = () => {}
  const pool = poolTo(vendor.port, 1)
  const [first, second] = [ask(pool), ask(pool)]
  await soon()
  await pool.close()
  expect(await first).toMatchObject({ kind: 'fault', sent: true })
  expect(await second).toMatchObject({ kind: 'fault', sent: false })
  expect(await ask(pool)).toMatchObject({ kind: 'fault', sent: false })
  expect(vendor.connections).toBe(1)
})

test('whatever a vendor does to its connections, no reply is another request’s, and none is asked twice', async () => {
  const random = mulberry(20261122)
  const arrived = new Map<string, number>()
  const habits: readonly ((socket: Socket, target: string) => void)[] = [
    (socket, target) => void socket.write(reply(target)),
    (socket, target) => void socket.write(reply(target)),
    (socket, target) => void socket.write(reply(target, 'Connection: close')),
    (socket, target) => void socket.end(reply(target)),
    (socket, target) => void socket.write(reply(target) + reply('poison')),
    (socket, target) => {
      socket.write(reply(target))
      socket.write(reply('poison'))
    },
    (socket, target) => void socket.write(reply(target), () => socket.resetAndDestroy()),
    (socket) => void socket.resetAndDestroy(),
    (socket, target) => {
      const bytes = reply(target)
      const cut = Math.floor(random() * bytes.length)
      socket.write(bytes.slice(0, cut))
      setImmediate(() => socket.write(bytes.slice(cut)))
    },
  ]
  vendor.answer = (socket, _connection, target) => {
    arrived.set(target, (arrived.get(target) ?? 0) + 1)
    const habit = habits[Math.floor(random() * habits.length)]!
    if (random() < 0.5) habit(socket, target)
    else setTimeout(() => habit(socket, target), random() * 4)
  }
  const pool = poolTo(vendor.port, 8)
  let next = 0
  const client = async (): Promise<void> => {
    while (next < 600) {
      const target = `/${next++}`
      const { kind, text, sent } = await ask(pool, { target })
      if (kind === 'reply') expect(text).toBe(target)
      else expect(arrived.get(target) ?? 0).toBeLessThanOrEqual(sent ? 1 : 0)
      if (random() < 0.3) await soon()
    }
  }
  await Promise.all(Array.from({ length: 20 }, client))
  expect([...arrived.values()].every((times) => times === 1)).toBe(true)
  expect(arrived.size).toBeGreaterThan(500)
})

/** Numbers that look random and are the same every time. */
function mulberry(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
