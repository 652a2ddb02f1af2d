import { request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { issueKey } from '../../src/custody/keys.js'
import { STRIPE_LIVE, TOKEN, World } from './world.js'

let world: World
beforeEach(async () => {
  world = await World.start({ metrics: () => '# TYPE spendgate_calls_total counter\nspendgate_calls_total 3\n' })
})
afterEach(async () => {
  world.expectNoSecrets()
  await world.close()
})

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`

describe('the admin token', () => {
  test('without it every route is closed, known or not, and reads no body', async () => {
    for (const [method, path] of [
      ['GET', '/admin/v1/credentials'],
      ['POST', '/admin/v1/keys'],
      ['GET', '/admin/v1/calls/stream'],
      ['GET', '/admin/v1/audit/export'],
      ['POST', '/admin/v1/freeze'],
      ['PUT', '/admin/v1/rates'],
      ['DELETE', '/admin/v1/credentials/cred_x'],
      ['GET', '/admin/v1/nothing'],
      ['GET', '/admin/v1/keys/%2e%2e/credentials'],
      ['GET', '/admin//v1/credentials'],
      ['PATCH', '/admin/v1/keys'],
    ] as const) {
      const reply = await world.ask(method, path, undefined, { token: null })
      expect([method, path, reply.status, reply.body.code]).toEqual([method, path, 401, 'unauthenticated'])
      expect(reply.headers['www-authenticate']).toBe('Bearer realm="spendgate admin"')
    }
    expect((await world.ask('GET', '/metrics', undefined, { token: null })).status).toBe(401)
  })

  test('a wrong one is refused, and so is the right one in any other form', async () => {
    expect((await world.get('/keys', { token: `${TOKEN}x` })).status).toBe(401)
    for (const authorization of [
      TOKEN,
      basic('admin', TOKEN),
      basic(TOKEN, ''),
      `Token ${TOKEN}`,
      `Bearer ${TOKEN} x`,
    ]) {
      const reply = await world.get('/keys', { token: null, headers: { authorization } })
      expect(reply.status).toBe(401)
    }
    expect((await world.get('/keys')).status).toBe(200)
  })

  test('two Authorization headers are refused, even if the first is right', async () => {
    const reply = await world.get('/keys', {
      token: null,
      headers: { authorization: [`Bearer ${TOKEN}`, `Bearer ${TOKEN}`] as never },
    })
    expect(reply.status).toBe(401)
  })

  test('a vault key in any skin is told that it is in the wrong place, every time', async () => {
    const { key } = issueKey(false)
    const skins = [
      `Bearer ${key}`,
      `Bearer rk_${key}`,
      `Bearer sk_${key}`,
      `Bearer re_${key}`,
      `Bearer ${key}.run_42`,
      basic(key, ''),
      basic(`rk_${key}`, ''),
      basic(`AC${'0'.repeat(32)}`, key),
      basic(`SK${'0'.repeat(32)}`, `${key}.run_1`),
    ]
    for (const authorization of skins) {
      const reply = await world.get('/keys', { token: null, headers: { authorization } })
      expect([reply.status, reply.body.code]).toEqual([401, 'vault_key_on_admin_port'])
      expect(reply.text).not.toContain(key)
    }
    // Not one of them counted as a guess.
    expect((await world.get('/keys', { token: 'wrong' })).status).toBe(401)
  })

  test('after five wrong tokens in a minute the address has to wait', async () => {
    for (let guess = 0; guess < 5; guess++)
      expect((await world.get('/keys', { token: `guess${guess}` })).status).toBe(401)
    const sixth = await world.get('/keys', { token: 'guess5' })
    expect([sixth.status, sixth.body.code, sixth.headers['retry-after']]).toEqual([429, 'too_many_failures', '60'])
    world.nowMs += 59_000
    expect((await world.get('/keys', { token: 'guess6' })).headers['retry-after']).toBe('1')
    world.nowMs += 1000
    expect((await world.get('/keys', { token: 'guess7' })).status).toBe(401)
  })

  test('an agent that fails on purpose cannot keep the operator from freezing', async () => {
    for (let guess = 0; guess < 8; guess++) await world.get('/keys', { token: 'wrong' })
    expect((await world.post('/freeze', { scope: 'all' })).status).toBe(200)
  })

  test('a short token, which might be guessed, waits like everybody else', async () => {
    world.token = 'short-token'
    for (let guess = 0; guess < 5; guess++) await world.get('/keys', { token: 'wrong' })
    expect((await world.get('/keys')).status).toBe(429)
    world.nowMs += 60_000
    expect((await world.get('/keys')).status).toBe(200)
  })
})

describe('where a request comes from', () => {
  test.each([
    'evil.example',
    'localhost.evil.example',
    'evil.example:4243',
    '127.0.0.1.nip.io',
    'localhost@evil.example',
  ])('the host %j is not served', async (host) => {
    const reply = await world.get('/keys', { headers: { host } })
    expect([reply.status, reply.body?.code]).toEqual(host.includes('@') ? [400, undefined] : [403, 'host_not_allowed'])
  })

  test.each([
    'localhost',
    'LOCALHOST:4243',
    '127.0.0.1:1',
    '[::1]:4243',
    'admin.example.test',
    'admin.example.test:443',
    '[2001:db8::1]:4243',
  ])('the host %j is served', async (host) => {
    expect((await world.get('/keys', { headers: { host } })).status).toBe(200)
  })

  test('two Host headers and a request target with a host of its own are refused', async () => {
    const raw = (head: string): Promise<string> =>
      new Promise((resolve, reject) => {
        const socket = connect(world.port, '127.0.0.1', () =>
          socket.end(`${head}\r\nauthorization: Bearer ${TOKEN}\r\nconnection: close\r\n\r\n`),
        )
        let text = ''
        socket.on('data', (chunk) => (text += chunk.toString()))
        socket.on('error', reject)
        socket.on('close', () => resolve(text))
      })
    expect(await raw('GET /admin/v1/keys HTTP/1.1\r\nhost: localhost\r\nhost: evil.example')).toMatch(
      /^HTTP\/1.1 40[03]/,
    )
    expect(await raw('GET http://evil.example/admin/v1/keys HTTP/1.1\r\nhost: localhost')).toMatch(/^HTTP\/1.1 40[03]/)
    expect(await raw('GET /admin/v1/keys HTTP/1.1\r\nhost: localhost')).toMatch(/^HTTP\/1.1 200/)
  })

  test('a page of another site is refused, even with the token', async () => {
    const own = `127.0.0.1:${world.port}`
    for (const headers of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://localhost:9999' },
      { origin: `http://${own}.evil.example` },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
    ]) {
      const reply = await world.post('/freeze', { scope: 'all' }, { headers })
      expect([reply.status, reply.body.code]).toEqual([403, 'origin_not_allowed'])
    }
    expect(world.ledger.freezes()).toEqual([])
    expect(
      (await world.get('/keys', { headers: { origin: `http://${own}`, 'sec-fetch-site': 'same-origin' } })).status,
    ).toBe(200)
  })

  test('no reply invites another site or a cache', async () => {
    const reply = await world.get('/keys')
    expect(reply.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
    expect(reply.headers['access-control-allow-origin']).toBeUndefined()
    expect((await world.ask('OPTIONS', '/admin/v1/keys', undefined, { token: null })).status).toBe(401)
  })
})

describe('bodies', () => {
  test.each([
    undefined,
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/json; charset=utf-16',
    'application/yaml',
  ])('the media type %s is refused for a write', async (type) => {
    const headers = type === undefined ? {} : { 'content-type': type }
    const reply = await world.post('/freeze', undefined, { raw: '{"scope":"all"}', type: type ?? '', headers })
    expect([reply.status, reply.body.code]).toEqual([415, 'media_type'])
    expect(world.ledger.freezes()).toEqual([])
  })

  test('JSON with a charset is read', async () => {
    expect(
      (await world.post('/freeze', undefined, { raw: '{"scope":"all"}', type: 'Application/JSON; charset=UTF-8' }))
        .status,
    ).toBe(200)
  })

  test('broken JSON is refused without being quoted', async () => {
    for (const raw of [
      `{"vendor":"stripe","secret":{"api_key": ${STRIPE_LIVE}}}`,
      `${STRIPE_LIVE}`,
      '{"a":1,}',
      '[]',
      '"text"',
      'null',
    ]) {
      const reply = await world.post('/credentials', undefined, { raw })
      expect([reply.status, reply.body.code]).toEqual([400, 'invalid'])
    }
  })

  test('bytes that are no UTF-8 are refused', async () => {
    expect((await world.post('/freeze', undefined, { raw: Buffer.from([0x7b, 0xff, 0x7d]) })).status).toBe(400)
  })

  test('a body over 1 MiB is refused, announced or not', async () => {
    const large = JSON.stringify({ reason: 'x'.repeat(1024 * 1024) })
    const announced = await world.post('/freeze', undefined, { raw: large })
    expect([announced.status, announced.body.code]).toEqual([413, 'body_too_large'])
    const status = await new Promise((resolve, reject) => {
      const sent = request(
        {
          host: '127.0.0.1',
          port: world.port,
          method: 'POST',
          path: '/admin/v1/freeze',
          agent: false,
          headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
        },
        (reply) => resolve(reply.resume().statusCode),
      )
      sent.on('error', reject)
      sent.write(large.slice(0, 700_000))
      sent.end(large.slice(700_000))
    })
    expect(status).toBe(413)
  })

  test('unknown and doubled query parameters are refused', async () => {
    expect((await world.get('/keys?limt=5')).body.errors[0].message).toBe('"limt" is not known here')
    expect((await world.get('/keys?limit=5&limit=6')).body.detail).toMatch(/twice/)
    expect((await world.get('/freezes?limit=5')).status).toBe(400)
    for (const limit of ['0', '501', '-1', '1e2', '5.0', ''])
      expect((await world.get(`/keys?limit=${limit}`)).status).toBe(400)
  })

  test('a name that is not known is refused, and only plain words are repeated', async () => {
    expect((await world.post('/freeze', { scope: 'all', forever: true })).status).toBe(400)
    const wrong = await world.post('/keys', { name: 'bot', policy: 'p', credentials: ['main'], expires: '4h' })
    expect(wrong.body.errors).toEqual([{ path: '', message: '"expires" is not known here' }])
    const pasted = await world.post('/credentials', { vendor: 'stripe', name: 'main', secret: {}, [STRIPE_LIVE]: 'x' })
    expect(pasted.body.errors).toEqual([{ path: '', message: 'holds a name that is not known here' }])
    const deep = await world.post('/credentials', { vendor: 'stripe', name: 'main', secret: { [STRIPE_LIVE]: 'x' } })
    expect(deep.status).toBe(400)
  })
})

describe('health, readiness and metrics', () => {
  test('health and readiness need no token and no host name', async () => {
    const healthy = await world.ask('GET', '/healthz', undefined, { token: null, headers: { host: '10.0.0.7' } })
    expect([healthy.status, healthy.body]).toEqual([200, { ok: true }])
    const ready = await world.ask('GET', '/readyz', undefined, { token: null })
    expect([ready.status, ready.body]).toEqual([200, { ok: true, faults: [] }])
  })

  test('one that is not ready says so', async () => {
    const draining = await World.start({ ready: () => ({ ok: false, faults: ['The server is shutting down.'] }) })
    const reply = await draining.ask('GET', '/readyz', undefined, { token: null })
    expect([reply.status, reply.body.faults]).toEqual([503, ['The server is shutting down.']])
    await draining.close()
  })

  test('metrics are text behind the token', async () => {
    const reply = await world.ask('GET', '/metrics')
    expect([reply.status, reply.headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    expect(reply.text).toContain('spendgate_calls_total 3')
  })
})

test('a fault of ours is reported inside and told outside without its text', async () => {
  const broken = await World.start({
    ready: () => {
      throw new Error('CANARY detail')
    },
  })
  const reply = await broken.ask('GET', '/readyz', undefined, { token: null })
  expect([reply.status, reply.body.code]).toEqual([500, 'internal'])
  expect(broken.faults).toHaveLength(1)
  broken.expectNoSecrets()
  await broken.close()
})
