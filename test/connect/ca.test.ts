import 'reflect-metadata'
import {
  BasicConstraintsExtension,
  Extension,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
  type JsonGeneralNames,
} from '@peculiar/x509'
import { spawnSync } from 'node:child_process'
import { createPrivateKey, webcrypto } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type SecureContext } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemClock } from '../../src/clock.js'
import { Authority } from '../../src/connect/ca.js'

const DOMAINS = ['stripe.com', 'twilio.com', 'resend.com']
const DAY = 24 * 3_600_000

class Later extends SystemClock {
  aheadMs = 0
  override now(): number {
    return super.now() + this.aheadMs
  }
}

let dir: string
let clock: Later
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spendgate-ca-'))
  clock = new Later()
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const open = (domains = DOMAINS): Promise<Authority> => Authority.open(dir, domains, clock)
const file = (name: string): string => join(dir, name)
const pem = (): string => readFileSync(file('connect-ca.pem'), 'utf8')
const modeOf = (name: string): string => (statSync(file(name)).mode & 0o777).toString(8)

interface Forged {
  readonly cert: string
  readonly key: string
}

/** What a thief of the CA's key would make: a certificate for any name, signed by the CA or by another certificate of theirs. */
async function forge(
  names: JsonGeneralNames,
  { subject = 'CN=forged', ca = false, by }: { subject?: string; ca?: boolean; by?: Forged } = {},
): Promise<Forged> {
  const curve = { name: 'ECDSA', namedCurve: 'P-256' }
  const own = (await webcrypto.subtle.generateKey(curve, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const signer = createPrivateKey(by?.key ?? readFileSync(file('connect-ca-key.pem')))
  const leaf = await X509CertificateGenerator.create({
    subject,
    issuer: new X509Certificate(by?.cert ?? pem()).subject,
    notBefore: new Date(clock.now() - DAY),
    notAfter: new Date(clock.now() + DAY),
    publicKey: own.publicKey,
    signingKey: await webcrypto.subtle.importKey(
      'pkcs8',
      signer.export({ type: 'pkcs8', format: 'der' }),
      curve,
      false,
      ['sign'],
    ),
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
      ...(ca ? [new BasicConstraintsExtension(true, undefined, true)] : []),
    ],
  })
  const exported = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', own.privateKey))
  return {
    cert: leaf.toString('pem'),
    key: createPrivateKey({ key: exported, type: 'pkcs8', format: 'der' }).export({
      type: 'pkcs8',
      format: 'pem',
    }) as string,
  }
}

/** What a client that trusts the CA says of a server: `trusted`, or why not. */
async function judged(
  shown: { cert: string; key: string } | SecureContext,
  servername: string,
  address = servername,
): Promise<string> {
  const server = createServer(
    'cert' in shown ? { cert: shown.cert, key: shown.key } : { SNICallback: (_, done) => done(null, shown) },
    (socket) => socket.end(),
  )
  server.on('tlsClientError', () => undefined)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    return await new Promise((resolve) => {
      const { port } = server.address() as AddressInfo
      const naming = /^[\d.:]+$/.test(address) ? {} : { servername }
      const socket = connect({ port, host: '127.0.0.1', ...naming, ca: pem() }, () => {
        socket.destroy()
        resolve('trusted')
      })
      socket.on('error', (error) => resolve(error.message))
    })
  } finally {
    server.close()
  }
}

describe('the authority can vouch for nothing but names of the vendors', () => {
  test.each([
    ['a stranger', 'example.com'],
    ['a name that ends like a vendor’s', 'evilstripe.com'],
    ['a vendor’s name under another', 'api.stripe.com.example.com'],
    ['another domain of a vendor', 'stripe.dev'],
    ['localhost', 'localhost'],
  ])('a certificate for %s under its key is refused', async (_, name) => {
    await open()
    expect(await judged(await forge([{ type: 'dns', value: name }]), name)).toBe('permitted subtree violation')
  })

  test('a certificate that names a stranger beside a vendor is refused for both', async () => {
    await open()
    const both = await forge([
      { type: 'dns', value: 'api.stripe.com' },
      { type: 'dns', value: 'example.com' },
    ])
    expect(await judged(both, 'api.stripe.com')).toBe('permitted subtree violation')
  })

  test('a certificate for a stranger in its subject alone is refused', async () => {
    await open()
    expect(await judged(await forge([], { subject: 'CN=example.com' }), 'example.com')).toBe(
      'permitted subtree violation',
    )
  })

  test('a certificate for an address is refused: constraints on names say nothing of addresses', async () => {
    await open()
    for (const value of ['127.0.0.1', '::1'])
      expect(await judged(await forge([{ type: 'ip', value }]), '', '127.0.0.1')).toBe('excluded subtree violation')
  })

  test('a certificate of an authority that it made is refused', async () => {
    await open()
    const between = await forge([], { subject: 'CN=between', ca: true })
    const leaf = await forge([{ type: 'dns', value: 'api.stripe.com' }], { by: between })
    expect(await judged({ cert: `${leaf.cert}\n${between.cert}`, key: leaf.key }, 'api.stripe.com')).toBe(
      'path length constraint exceeded',
    )
  })

  test('the same forgery for a vendor’s name would be trusted, so it is the constraint that refuses', async () => {
    await open()
    expect(await judged(await forge([{ type: 'dns', value: 'api.stripe.com' }]), 'api.stripe.com')).toBe('trusted')
  })

  test('its own leaves are trusted, each for its host alone, and it makes none for others', async () => {
    const authority = await open()
    const leaf = await authority.contextFor('verify.twilio.com')
    expect(await judged(leaf, 'verify.twilio.com')).toBe('trusted')
    expect(await judged(leaf, 'api.twilio.com')).toContain('does not match certificate')
    expect(() => authority.contextFor('example.com')).toThrow(/under none of the domains/)
    expect(() => authority.contextFor('evilstripe.com')).toThrow(/under none of the domains/)
  })

  test('openssl reads the same out of it', async () => {
    await open()
    const { stdout, error } = spawnSync('openssl', ['x509', '-noout', '-text', '-in', file('connect-ca.pem')], {
      encoding: 'utf8',
    })
    if (error) return // No openssl here; the handshakes above have judged it already.
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'X509v3 Name Constraints: critical Permitted: DNS:stripe.com DNS:twilio.com DNS:resend.com Excluded: IP:0.0.0.0/0.0.0.0 IP:0:0:0:0:0:0:0:0/0:0:0:0:0:0:0:0',
    )
    expect(stdout).toMatch(/Basic Constraints: critical\s+CA:TRUE, pathlen:0/)
    expect(stdout).toMatch(/Key Usage: critical\s+Certificate Sign\n/)
  })
})

describe('the files', () => {
  test('the key is the owner’s alone, and no one else may come to read it', async () => {
    await open()
    expect(modeOf('connect-ca-key.pem')).toBe('600')
    chmodSync(file('connect-ca-key.pem'), 0o640)
    await expect(open()).rejects.toThrow(/connect-ca-key\.pem is open to others/)
  })

  test('a restart keeps the authority', async () => {
    expect((await open()).created).toBe(true)
    const before = pem()
    const again = await open()
    expect(again.created).toBe(false)
    expect(pem()).toBe(before)
    expect(await judged(await again.contextFor('api.stripe.com'), 'api.stripe.com')).toBe('trusted')
  })

  test('an authority lives for a year at most and is made anew in its last month', async () => {
    await open()
    const first = new X509Certificate(pem())
    expect(first.notAfter.getTime() - first.notBefore.getTime()).toBeLessThanOrEqual(365 * DAY)
    clock.aheadMs = 334 * DAY
    expect((await open()).created).toBe(false)
    clock.aheadMs = 336 * DAY
    expect((await open()).created).toBe(true)
    expect(pem()).not.toContain(first.toString('pem'))
  })

  test('a server that runs for a year makes a new one before a leaf could outlive it', async () => {
    const authority = await open()
    const first = pem()
    clock.aheadMs = 363 * DAY
    await authority.contextFor('api.stripe.com')
    expect(pem()).toBe(first)
    clock.aheadMs = 364.5 * DAY
    await Promise.all([authority.contextFor('api.stripe.com'), authority.contextFor('api.resend.com')])
    expect(pem()).not.toBe(first)
    expect((await open()).created).toBe(false)
  })

  test('a leaf is used for half a day and then made anew', async () => {
    const authority = await open()
    const leaf = await authority.contextFor('api.stripe.com')
    clock.aheadMs = 11 * 3_600_000
    expect(await authority.contextFor('api.stripe.com')).toBe(leaf)
    clock.aheadMs = 13 * 3_600_000
    expect(await authority.contextFor('api.stripe.com')).not.toBe(leaf)
  })

  test('an authority for other domains, or without its constraints, is not taken over', async () => {
    await open(['stripe.com'])
    expect((await open()).created).toBe(true)
    const pair = (await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair
    for (const constraints of [[], [new Extension('2.5.29.30', false, Buffer.from('3000', 'hex'))]]) {
      const wide = await X509CertificateGenerator.createSelfSigned({
        name: 'CN=wide',
        notAfter: new Date(clock.now() + 300 * DAY),
        keys: pair,
        signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
        extensions: [new BasicConstraintsExtension(true, undefined, true), ...constraints],
      })
      const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', pair.privateKey))
      const text = createPrivateKey({ key, type: 'pkcs8', format: 'der' }).export({ type: 'pkcs8', format: 'pem' })
      writeFileSync(file('connect-ca-key.pem'), text)
      writeFileSync(file('connect-ca.pem'), wide.toString('pem'))
      expect((await open()).created).toBe(true)
      expect(pem()).not.toBe(wide.toString('pem'))
    }
  })

  test('a crash between key and certificate leads to a new pair', async () => {
    await open()
    const before = pem()
    const other = mkdtempSync(join(tmpdir(), 'spendgate-ca-'))
    await Authority.open(other, DOMAINS, clock)
    writeFileSync(file('connect-ca-key.pem'), readFileSync(join(other, 'connect-ca-key.pem')))
    rmSync(other, { recursive: true })
    expect((await open()).created).toBe(true)
    expect(pem()).not.toBe(before)
  })
})
