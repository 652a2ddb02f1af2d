import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config.js'
import { startServer } from '../../src/main.js'
import { REAL, World, type IssuedKey } from '../helpers/world.js'
import { ask, caOf, connectHead, dataDir, rest, shake, startConnectWorld, toProxy, tunnelTo } from './given.js'

let world: World
let key: IssuedKey
beforeAll(async () => {
  world = await startConnectWorld()
  key = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
})
afterAll(() => world.close())
beforeEach(() => {
  for (const vendor of [world.stripe, world.twilio, world.resend]) vendor.requests.length = 0
})

const seen = (): number => world.stripe.requests.length + world.twilio.requests.length + world.resend.requests.length
const rows = async (): Promise<number> => (await world.calls()).length
const bearer = (text: string): string => `Authorization: Bearer ${text}`
/** It was the server that ended the handshake, not the client. */
const ALERT = /alert/
const statusOf = (head: string): number => Number(head.slice(9, 12))

describe('the way in', () => {
  test('is closed unless a port is named for it', async () => {
    expect(readConfig({ SPENDGATE_DATA_DIR: dataDir(world) }).connectPort).toBeNull()
    const plain = await World.start()
    try {
      expect(plain.server.connectUrl).toBeNull()
      expect(plain.server.notices.join()).not.toContain('CONNECT')
      expect(() => caOf(plain)).toThrow(/ENOENT/)
      // The agent port itself takes no CONNECT either.
      expect(await plain.raw(connectHead('api.stripe.com:443'))).toBe('')
    } finally {
      await plain.close()
    }
  })

  test('is on loopback whatever host the agent port has', async () => {
    const wide = await World.start({ SPENDGATE_HOST: '0.0.0.0', SPENDGATE_CONNECT_PORT: '0' })
    try {
      expect(wide.server.agentUrl).toContain('0.0.0.0')
      expect(wide.server.connectUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    } finally {
      await wide.close()
    }
  })

  test('is a port of its own', () => {
    const of = (env: Record<string, string>) =>
      readConfig({ SPENDGATE_DATA_DIR: dataDir(world), SPENDGATE_CONNECT_PORT: '4244', ...env }).connectPort
    expect(of({})).toBe(4244)
    expect(() => of({ SPENDGATE_PORT: '4244' })).toThrow(/a port of its own/)
    expect(() => of({ SPENDGATE_ADMIN_PORT: '4244' })).toThrow(/a port of its own/)
    expect(() => of({ SPENDGATE_CONNECT_PORT: 'yes' })).toThrow(/SPENDGATE_CONNECT_PORT must be a whole number/)
  })

  test('when its port is taken nothing is left behind', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const config = (port: number) =>
      readConfig({
        SPENDGATE_DATA_DIR: join(world.dir, 'second'),
        SPENDGATE_PORT: '0',
        SPENDGATE_ADMIN_PORT: '0',
        SPENDGATE_LOG_LEVEL: 'silent',
        SPENDGATE_CONNECT_PORT: String(port),
      })
    await expect(startServer(config((taken.address() as AddressInfo).port))).rejects.toThrow(/EADDRINUSE/)
    taken.close()
    const again = await startServer(config(0))
    await again.stop()
  })

  test('is told of at the start, with the file to trust', () => {
    expect(world.server.notices.join('\n')).toContain(`HTTPS_PROXY=${world.server.connectUrl}`)
    expect(world.server.notices.join('\n')).toContain('connect-ca.pem')
  })
})

describe('a tunnel leads to a vendor’s host, spelled as it is, on port 443, and nowhere else', () => {
  test.each([
    ['another host', 'example.com:443'],
    ['a host that ends in a vendor’s', 'evilstripe.com:443'],
    ['a host under a vendor’s that is not known', 'dashboard.stripe.com:443'],
    ['a vendor’s host in front of another', 'api.stripe.com.example.com:443'],
    ['the domain itself', 'stripe.com:443'],
    ['IPv4', '127.0.0.1:443'],
    ['IPv6', '[::1]:443'],
    ['a number for an address', '2130706433:443'],
    ['the cloud’s metadata', '169.254.169.254:443'],
    ['localhost', 'localhost:443'],
    ['port 80', 'api.stripe.com:80'],
    ['the admin port', 'api.stripe.com:4243'],
    ['port 443 with a zero', 'api.stripe.com:0443'],
    ['no port', 'api.stripe.com'],
    ['two ports', 'api.stripe.com:443:443'],
    ['a user', 'user@api.stripe.com:443'],
    ['a user that looks like the host', 'api.stripe.com:443@example.com:443'],
    ['upper case', 'API.STRIPE.COM:443'],
    ['a trailing dot', 'api.stripe.com.:443'],
    ['a leading dot', '.api.stripe.com:443'],
    ['a path', 'api.stripe.com:443/v1'],
    ['an absolute target', 'https://api.stripe.com:443'],
    ['percent encoding', 'api%2estripe.com:443'],
    ['a full-width dot', 'api\u00ef\u00bc\u008estripe.com:443'],
    ['a wildcard', '*.stripe.com:443'],
  ])('%s', async (_, target) => {
    const { head, socket } = await toProxy(world, connectHead(target))
    expect([400, 403]).toContain(statusOf(head))
    if (statusOf(head) === 403) expect(head).toContain('and nowhere else')
    await rest(socket)
    expect(seen()).toBe(0)
  })

  test('the sentence says what was asked for, without control characters, and where other hosts belong', async () => {
    const { head, socket } = await toProxy(world, connectHead('example.com:443'))
    expect(head + (await rest(socket))).toMatch(/«example\.com:443» is not one of them\. .* NO_PROXY\.\n$/)
  })

  test('plain http through the proxy gets 405, to vendors too, and the connection ends', async () => {
    for (const target of ['http://api.stripe.com/v1/balance', 'http://example.com/', '/', '/stripe/v1/balance']) {
      const { head, socket } = await toProxy(
        world,
        `GET ${target} HTTP/1.1\r\nHost: api.stripe.com\r\n${bearer(key.key)}\r\n\r\n`,
      )
      expect(head).toMatch(/^HTTP\/1\.1 405 /)
      expect(head.toLowerCase()).toContain('allow: connect')
      await rest(socket)
    }
    expect(seen()).toBe(0)
  })
})

describe('the head of a CONNECT has one reading', () => {
  const target = 'CONNECT api.stripe.com:443 HTTP/1.1'
  const host = 'Host: api.stripe.com:443'
  test.each([
    ['no Host', [target]],
    ['the Host of another', [target, 'Host: example.com:443']],
    ['the Host of another vendor', [target, 'Host: api.twilio.com:443']],
    ['the Host with another port', [target, 'Host: api.stripe.com:80']],
    ['two Hosts', [target, host, 'Host: example.com']],
    ['the same Host twice', [target, host, host]],
    ['a length', [target, host, 'Content-Length: 5']],
    ['no length, said', [target, host, 'Content-Length: 0']],
    ['chunks', [target, host, 'Transfer-Encoding: chunked']],
    ['both', [target, host, 'Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['a space before a colon', [target, host, 'X-A : b']],
    ['a folded header', [target, host, 'X-A: b', ' Host: example.com']],
    ['a bare line feed', [target, `${host}\nHost: example.com`]],
    ['two runs', [target, host, 'Proxy-Authorization: Basic cnVuOmE=', 'Proxy-Authorization: Basic cnVuOmI=']],
  ])('%s: 400', async (_, lines) => {
    const { head, socket } = await toProxy(world, [...lines, '', ''].join('\r\n'))
    expect(head).toMatch(/^HTTP\/1\.1 400 /)
    await rest(socket)
  })

  test('a head without end or measure is cut off', async () => {
    const { head } = await toProxy(world, connectHead('api.stripe.com:443', [`X-A: ${'a'.repeat(20_000)}`]))
    expect(head).toMatch(/^HTTP\/1\.1 431 /)
  })

  test('HTTP/1.0 without Host, as older Python sends it, has one reading too', async () => {
    const { head, socket } = await toProxy(world, 'CONNECT api.stripe.com:443 HTTP/1.0\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1\.1 200 /)
    socket.destroy()
  })

  test('what follows a refused CONNECT is not acted on', async () => {
    const before = await rows()
    const hidden = `GET /stripe/v1/balance HTTP/1.1\r\nHost: api.stripe.com\r\n${bearer(key.key)}\r\n\r\n`
    const { head, socket } = await toProxy(
      world,
      connectHead('example.com:443') + connectHead('api.stripe.com:443') + hidden,
    )
    expect((head + (await rest(socket))).match(/HTTP\/1\.1/g)).toHaveLength(1)
    expect([seen(), await rows()]).toEqual([0, before])
  })

  test('a CONNECT behind a plain request on the same connection opens nothing', async () => {
    const plain = 'GET http://api.stripe.com/ HTTP/1.1\r\nHost: api.stripe.com\r\n\r\n'
    const { head, socket } = await toProxy(world, plain + connectHead('api.stripe.com:443'))
    expect(head + (await rest(socket))).not.toContain('200 Connection established')
  })

  test('a request in the clear where TLS should begin is not read', async () => {
    const before = await rows()
    const hidden = `GET /v1/balance HTTP/1.1\r\nHost: api.stripe.com\r\n${bearer(key.key)}\r\n\r\n`
    for (const [first, second] of [
      [connectHead('api.stripe.com:443') + hidden, ''],
      [connectHead('api.stripe.com:443'), hidden],
    ] as const) {
      const { head, socket } = await toProxy(world, first)
      expect(head).toMatch(/^HTTP\/1\.1 200 /)
      const after = rest(socket)
      if (second) socket.write(second)
      expect(await after).not.toContain('HTTP/1.1')
    }
    expect([seen(), await rows()]).toEqual([0, before])
  })
})

describe('inside, the name is that of the tunnel', () => {
  test.each([
    ['another vendor’s', 'api.twilio.com'],
    ['another host of the same vendor', 'files.stripe.com'],
    ['a stranger’s', 'example.com'],
  ])('%s SNI ends the handshake', async (_, servername) => {
    await expect(tunnelTo(world, 'api.stripe.com', { servername, rejectUnauthorized: false })).rejects.toThrow(ALERT)
  })

  test('no SNI ends the handshake', async () => {
    await expect(tunnelTo(world, 'api.stripe.com', { servername: '', rejectUnauthorized: false })).rejects.toThrow(
      ALERT,
    )
  })

  test.each([
    ['TLS 1.1', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const],
    ['HTTP/2 alone', { ALPNProtocols: ['h2'] }],
  ])('%s is not spoken', async (_, options) => {
    await expect(tunnelTo(world, 'api.stripe.com', options)).rejects.toThrow(ALERT)
  })

  test('HTTP/2 offered beside HTTP/1.1 becomes HTTP/1.1', async () => {
    const inside = await tunnelTo(world, 'api.stripe.com', { ALPNProtocols: ['h2', 'http/1.1'] })
    expect(inside.alpnProtocol).toBe('http/1.1')
    inside.destroy()
  })

  test('a TLS session of one tunnel is not resumed in another', async () => {
    const first = await tunnelTo(world, 'api.stripe.com')
    const session = new Promise<Buffer>((resolve) => first.once('session', resolve))
    await ask(first, ['GET /v1/balance HTTP/1.1', 'Host: api.stripe.com', bearer(key.presentations.stripe![0]!)])
    const second = await tunnelTo(world, 'files.stripe.com', { session: await session })
    expect(second.isSessionReused()).toBe(false)
    second.destroy()
  })

  test.each([
    ['another vendor', ['Host: api.twilio.com']],
    ['another host of the same vendor', ['Host: files.stripe.com']],
    ['a stranger', ['Host: example.com']],
    ['another port', ['Host: api.stripe.com:4243']],
    ['two', ['Host: api.stripe.com', 'Host: api.stripe.com']],
  ])('a Host of %s is request_ambiguous, with a row and nothing sent', async (_, hosts) => {
    const before = await rows()
    const inside = await tunnelTo(world, 'api.stripe.com')
    const reply = await ask(inside, ['GET /v1/balance HTTP/1.1', ...hosts, bearer(key.presentations.stripe![0]!)])
    expect(reply.status).toBe(403)
    expect(reply.body.error.code).toBe('request_ambiguous')
    expect([seen(), await rows()]).toEqual([0, before + 1])
  })

  test('the path of another vendor is request_ambiguous', async () => {
    const inside = await tunnelTo(world, 'api.stripe.com')
    const reply = await ask(inside, ['GET /resend/emails/x HTTP/1.1', 'Host: api.stripe.com', bearer(key.key)])
    expect(reply.status).toBe(403)
    expect(reply.head).toContain('x-spendgate-code: request_ambiguous')
    expect(seen()).toBe(0)
  })

  test('a forged forwarding header changes nothing, and a CONNECT inside opens nothing', async () => {
    const inside = await tunnelTo(world, 'api.stripe.com')
    const reply = await ask(inside, [
      'GET /v1/balance HTTP/1.1',
      'Host: API.stripe.com:443',
      'X-Forwarded-Proto: http',
      'X-Forwarded-Proto: ftp',
      'X-Forwarded-Host: example.com',
      bearer(key.presentations.stripe![0]!),
    ])
    expect(reply.status).toBe(200)
    const again = await tunnelTo(world, 'api.stripe.com')
    again.write(connectHead('example.com:443'))
    expect(await rest(again)).not.toContain('200')
  })
})

describe('inside, it is the agent port', () => {
  test('a real key gets 401 and nothing goes out', async () => {
    const before = await rows()
    const inside = await tunnelTo(world, 'api.stripe.com')
    const reply = await ask(inside, ['GET /v1/balance HTTP/1.1', 'Host: api.stripe.com', bearer(REAL.stripe)])
    expect(reply.status).toBe(401)
    expect(reply.head).toContain('x-spendgate-code: real_key_presented')
    expect(JSON.stringify(reply)).not.toContain(REAL.stripe)
    expect([seen(), await rows()]).toEqual([0, before])
    expect(world.files().includes(REAL.stripe)).toBe(false)
  })

  test('no key and an unknown key get 401, an admin token too', async () => {
    for (const headers of [[], [bearer('vault_live_nobody')], [bearer(REAL.admin)]]) {
      const inside = await tunnelTo(world, 'api.stripe.com')
      const reply = await ask(inside, ['GET /v1/balance HTTP/1.1', 'Host: api.stripe.com', ...headers])
      expect(reply.status).toBe(401)
    }
    expect(seen()).toBe(0)
  })

  test('each vendor by its host, Twilio’s other products and hosted MCP too', async () => {
    const [stripe, { account_sid: account, api_key_sid: sid, api_key_secret: secret }, resend] = [
      key.presentations.stripe![0]!,
      key.presentations.twilio!,
      key.presentations.resend!,
    ]
    const twilio = `Authorization: Basic ${Buffer.from(`${sid}:${secret}`).toString('base64')}`
    const call = async (host: string, line: string, authorization: string): Promise<number> =>
      (await ask(await tunnelTo(world, host), [`${line} HTTP/1.1`, `Host: ${host}`, authorization])).status
    expect(await call('api.stripe.com', 'GET /v1/balance', bearer(stripe))).toBe(200)
    await call('api.twilio.com', `GET /2010-04-01/Accounts/${account}/Messages.json`, twilio)
    await call('verify.twilio.com', 'GET /v2/Services', twilio)
    await call('api.resend.com', 'GET /emails/x', bearer(resend))
    const paths = (await world.calls()).slice(0, 4).map(({ vendor, path }) => `${vendor} ${path}`)
    expect(paths).toEqual([
      'resend /emails/x',
      'twilio verify.twilio.com/v2/Services',
      `twilio /2010-04-01/Accounts/${account}/Messages.json`,
      'stripe /v1/balance',
    ])
    const list = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const mcp = await ask(
      await tunnelTo(world, 'mcp.stripe.com'),
      [
        'POST / HTTP/1.1',
        'Host: mcp.stripe.com',
        bearer(stripe),
        'Content-Type: application/json',
        'Accept: application/json, text/event-stream',
        `Content-Length: ${list.length}`,
      ],
      list,
    )
    expect(mcp.status).toBe(200)
    expect(JSON.stringify(mcp.body)).toContain('stripe_api_read')
  })

  test('many requests in one tunnel, each with its own row', async () => {
    const inside = await tunnelTo(world, 'api.stripe.com')
    const before = await rows()
    const one = `GET /v1/balance HTTP/1.1\r\nHost: api.stripe.com\r\n${bearer(key.presentations.stripe![0]!)}\r\n`
    inside.write(`${one}\r\n${one}Connection: close\r\n\r\n`)
    expect((await rest(inside)).match(/HTTP\/1\.1 200/g)).toHaveLength(2)
    expect(await rows()).toBe(before + 2)
  })

  test('a revoked key is refused in a tunnel that was open before', async () => {
    const doomed = await world.key()
    const inside = await tunnelTo(world, 'api.stripe.com')
    await world.must('POST', `/keys/${doomed.id}/revoke`)
    const reply = await ask(inside, ['GET /v1/balance HTTP/1.1', 'Host: api.stripe.com', bearer(doomed.key)])
    expect([reply.status, reply.body.error.code]).toEqual([401, 'key_revoked'])
    expect(seen()).toBe(0)
  })
})

describe('the run a proxy URL names', () => {
  const proxied = (text: string): string => `Proxy-Authorization: Basic ${Buffer.from(text).toString('base64')}`
  const runOf = async (headers: readonly string[], more: readonly string[] = []): Promise<string> => {
    const inside = await tunnelTo(world, 'api.stripe.com', { headers })
    const authorization = bearer(key.presentations.stripe![0]!)
    await ask(inside, ['GET /v1/balance HTTP/1.1', 'Host: api.stripe.com', authorization, ...more])
    return (await world.calls())[0].run
  }

  test('labels every call in the tunnel, and one that a call names itself is stronger', async () => {
    expect(await runOf([proxied('run:job_7')])).toBe('job_7')
    expect(await runOf([proxied('run:job_7')], ['X-Agent-Run-Id: own_8'])).toBe('own_8')
    expect(world.stripe.requests.every(({ headers }) => !('proxy-authorization' in headers))).toBe(true)
  })

  test.each([
    ['a key', () => `job_7:${key.key}`],
    ['a key as the run', () => `run:${key.key}.x`],
    ['a run that is none', () => 'run:../x'],
    ['nothing', () => 'run:'],
  ])('%s in its place is refused in words and not repeated', async (_, text) => {
    const { head, socket } = await toProxy(world, connectHead('api.stripe.com:443', [proxied(text())]))
    const said = head + (await rest(socket))
    expect(said).toMatch(/^HTTP\/1\.1 400 /)
    expect(said).toContain('may name a run and nothing else')
    expect(said).not.toContain(key.key)
  })
})

test('beyond the number of tunnels there is a sentence, and room again when one ends', async () => {
  await world.server.stop()
  await world.serve()
  const open = () => toProxy(world, connectHead('api.stripe.com:443'))
  const all = await Promise.all(Array.from({ length: 1024 }, open))
  try {
    expect(all.filter(({ head }) => head.startsWith('HTTP/1.1 200 '))).toHaveLength(1024)
    const { head, socket } = await open()
    expect(head + (await rest(socket))).toMatch(/^HTTP\/1\.1 503 [\s\S]*There are 1024 tunnels open/)
    // One that leaves in the midst of its handshake takes nothing with it.
    await expect(shake(all.pop()!.socket, { servername: 'api.stripe.com' })).rejects.toThrow(/certificate/)
    const again = async (): Promise<string> => {
      const { head, socket } = await open()
      all.push({ head, socket })
      return head.slice(9, 12)
    }
    await expect.poll(again).toBe('200')
  } finally {
    for (const { socket } of all) socket.destroy()
  }
})

test('the end of the server ends its tunnels, and the CA outlives it', async () => {
  const inside = await tunnelTo(world, 'api.stripe.com')
  const closed = rest(inside)
  const before = caOf(world)
  await world.server.stop()
  expect(await closed).toBe('')
  await world.serve()
  expect(caOf(world)).toBe(before)
  // Who trusted it before the restart is served after it.
  const again = await tunnelTo(world, 'api.stripe.com', { ca: before })
  again.destroy()
})

test('a client that trusts other CAs only sees no secret of ours and sends none', async () => {
  const { socket } = await toProxy(world, connectHead('api.stripe.com:443'))
  await expect(shake(socket, { servername: 'api.stripe.com' })).rejects.toThrow(/certificate/)
})
