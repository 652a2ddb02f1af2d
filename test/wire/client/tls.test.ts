import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { SystemClock } from '../../../src/clock.js'
import { Authority } from '../../../src/connect/ca.js'
import { caFile } from '../../../src/connect/ca-file.js'
import { Pool } from '../../../src/wire/client/pool.js'
import { Ticks } from '../../../src/wire/client/ticks.js'
import { ask } from './ask.js'
import { reply, Vendor } from './vendor.js'

// What the system trusts is read when a process starts; here it is what the test says, and all else is as it is.
const trusted = vi.hoisted(() => ({ ca: '' }))
vi.mock('node:tls', async (original) => {
  const tls = await original<typeof import('node:tls')>()
  const connect = (options: import('node:tls').ConnectionOptions, done: () => void): TLSSocket =>
    tls.connect(trusted.ca === '' ? options : { ...options, ca: trusted.ca }, done)
  return { ...tls, connect }
})

const dir = mkdtempSync(join(tmpdir(), 'spendgate-tls-'))
const clock = new SystemClock()
let authority: Authority
let server: Server
let vendor: Vendor
const asked: (string | false | null)[] = []
const resumed: boolean[] = []

beforeAll(async () => {
  authority = await Authority.open(dir, ['stripe.com', 'twilio.com'], clock)
  trusted.ca = readFileSync(caFile(dir), 'utf8')
  vendor = await Vendor.open()
  server = createServer(
    {
      SNICallback: (name, done) => {
        // Whoever is asked for, only these two are there.
        const known = name === 'verify.twilio.com' ? name : 'api.stripe.com'
        void authority.contextFor(known).then((context) => done(null, context))
      },
    },
    (socket) => {
      asked.push((socket as TLSSocket & { servername: string | false }).servername)
      resumed.push(socket.isSessionReused())
      vendor.serve(socket)
    },
  )
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
beforeEach(() => {
  asked.length = 0
  resumed.length = 0
  vendor.sockets.length = 0
  vendor.answer = (socket) => void socket.write(reply('ok'))
})
afterAll(async () => {
  await vendor.close()
  await new Promise((resolve) => server.close(resolve))
  rmSync(dir, { recursive: true, force: true })
})

async function through<T>(work: (pool: Pool) => Promise<T>, connectionsMax?: number): Promise<T> {
  const { port } = server.address() as AddressInfo
  const origin = `https://127.0.0.1:${port}`
  const ticks = new Ticks(() => pool.check())
  const to = { origin, host: '127.0.0.1', named: `127.0.0.1:${port}`, port, tls: true, lookup: null, connectMs: 400 }
  const pool = new Pool(to, ticks, clock, connectionsMax)
  try {
    return await work(pool)
  } finally {
    await pool.close()
  }
}

describe('over TLS', () => {
  test('a connection is used again', () =>
    through(async (pool) => {
      for (const _ of [1, 2, 3]) {
        const heard = await ask(pool, { host: 'api.stripe.com' })
        expect(heard).toMatchObject({ kind: 'reply', text: 'ok' })
      }
      expect(asked).toEqual(['api.stripe.com'])
    }))

  test('a reply of more than one record comes whole', () =>
    through(async (pool) => {
      const body = 'x'.repeat(200_000)
      vendor.answer = (socket) => void socket.write(reply(body))
      expect(await ask(pool, { host: 'api.stripe.com' })).toMatchObject({ kind: 'reply', text: body })
    }))

  test('the certificate asked for is that of the host the request names, and none is used for another', () =>
    through(async (pool) => {
      for (const host of ['api.stripe.com', 'verify.twilio.com:443', 'api.stripe.com'])
        expect(await ask(pool, { host })).toMatchObject({ kind: 'reply' })
      expect(asked).toEqual(['api.stripe.com', 'verify.twilio.com'])
    }))

  test('who waits under another name is served where there is one connection', () =>
    through(async (pool) => {
      const hosts = ['api.stripe.com', 'verify.twilio.com', 'api.stripe.com']
      expect(await Promise.all(hosts.map((host) => ask(pool, { host })))).toMatchObject(
        hosts.map(() => ({ kind: 'reply' })),
      )
      expect(asked).toEqual(hosts)
      // An idle one makes room as well.
      expect(await ask(pool, { host: 'verify.twilio.com' })).toMatchObject({ kind: 'reply' })
    }, 1))

  test('a certificate for another name is refused before a byte of the request has left', () =>
    through(async (pool) => {
      const heard = await ask(pool, { host: 'api.resend.com' })
      expect(heard).toMatchObject({ kind: 'fault', sent: false, timedOut: false })
      expect(heard.text).toContain('ERR_TLS_CERT_ALTNAME_INVALID')
      expect(vendor.heard.join('')).not.toContain('api.resend.com')
    }))

  test('a certificate that nobody vouches for is refused before a byte of the request has left', () =>
    through(async (pool) => {
      const { ca } = trusted
      trusted.ca = ''
      const heard = await ask(pool, { host: 'api.stripe.com' })
      trusted.ca = ca
      expect(heard).toMatchObject({ kind: 'fault', sent: false, timedOut: false })
    }))

  test('the next connection goes on with the session of the last', () =>
    through(async (pool) => {
      vendor.answer = (socket) => void socket.write(reply('ok', 'Connection: close'))
      await ask(pool, { host: 'api.stripe.com' })
      await ask(pool, { host: 'api.stripe.com' })
      expect(resumed).toEqual([false, true])
    }))

  test('a connection that was closed while nobody used it carries nothing more', () =>
    through(async (pool) => {
      await ask(pool, { host: 'api.stripe.com' })
      vendor.sockets[0]!.end()
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(await ask(pool, { host: 'api.stripe.com' })).toMatchObject({ kind: 'reply' })
      expect(vendor.connections).toBe(2)
    }))
})
