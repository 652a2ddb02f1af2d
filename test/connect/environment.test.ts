import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { X509Certificate } from 'node:crypto'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { childEnv } from '../../src/cli/child-env.js'
import { connectEnv } from '../../src/cli/connect-env.js'
import { SystemClock } from '../../src/clock.js'
import { Authority } from '../../src/connect/ca.js'

let dir: string
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'spendgate-env-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const withCa = async (): Promise<string> => {
  await Authority.open(dir, ['stripe.com', 'twilio.com', 'resend.com'], new SystemClock())
  return readFileSync(join(dir, 'connect-ca.pem'), 'utf8').trim()
}
const certificates = (text: string): readonly string[] =>
  text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []

test('without a CA it says how to get one, and changes nothing', () => {
  expect(() => connectEnv({}, dir, '4244')).toThrow(/never been on here.*--connect-port 4244/)
})

test('names the proxy and the CA in each form that clients read, and leaves the rest', async () => {
  const ca = await withCa()
  const bundle = join(dir, 'connect-bundle.pem')
  const given = { PATH: '/bin', HTTP_PROXY: 'http://corp:3128', NODE_OPTIONS: '--require x' }
  expect(connectEnv(given, dir, '5000')).toEqual({
    ...given,
    HTTPS_PROXY: 'http://127.0.0.1:5000',
    https_proxy: 'http://127.0.0.1:5000',
    NO_PROXY: 'localhost,127.0.0.1,::1',
    no_proxy: 'localhost,127.0.0.1,::1',
    NODE_USE_ENV_PROXY: '1',
    NODE_EXTRA_CA_CERTS: join(dir, 'connect-ca.pem'),
    SSL_CERT_FILE: bundle,
    REQUESTS_CA_BUNDLE: bundle,
    CURL_CA_BUNDLE: bundle,
  })
  expect(connectEnv({}, dir).HTTPS_PROXY).toBe('http://127.0.0.1:4244')
  expect(readFileSync(bundle, 'utf8')).toContain(ca)
  expect(statSync(bundle).mode & 0o777).toBe(0o600)
})

test('the bundle keeps every root there was, each whole, and the caller’s own', async () => {
  const ca = await withCa()
  const own = certificates(readFileSync(join(dir, 'connect-ca.pem'), 'utf8'))[0]!
  const [roots, extra] = [join(dir, 'roots.pem'), join(dir, 'extra.pem')]
  // Without a line break at the end, as some are.
  writeFileSync(roots, own)
  writeFileSync(extra, `${own}\n`)
  const env = connectEnv({ SSL_CERT_FILE: roots, NODE_EXTRA_CA_CERTS: extra }, dir)
  const found = certificates(readFileSync(env.SSL_CERT_FILE!, 'utf8'))
  expect(found).toEqual([own, own, ca])
  for (const each of found) expect(new X509Certificate(each).ca).toBe(true)
  expect(env.NODE_EXTRA_CA_CERTS).toBe(env.SSL_CERT_FILE)
})

test('exceptions of the caller stay, but none leads a vendor past the proxy', async () => {
  await withCa()
  const past = ['*', '.stripe.com', 'stripe.com', '*.twilio.com', 'api.resend.com', 'api.stripe.com:443', '.com', 'com']
  const kept = ['registry.npmjs.org', '.corp.example', '10.0.0.0/8', 'notstripe.com']
  const env = connectEnv({ no_proxy: [...past, ...kept].join(', ') }, dir)
  expect(env.NO_PROXY).toBe(['localhost,127.0.0.1,::1', ...kept].join(','))
  expect(env.no_proxy).toBe(env.NO_PROXY)
})

test('of the preloads Node’s stays and Python’s goes, which would leave TLS out inside the tunnel too', async () => {
  await withCa()
  const made = { key: 'vault_live_x', presentations: {} }
  const beside = childEnv({ PYTHONPATH: '/somewhere' }, made, 'http://127.0.0.1:4242', 'marker')
  expect(beside.PYTHONPATH).toMatch(/python:\/somewhere$/)
  const env = connectEnv(beside, dir)
  expect(env.PYTHONPATH).toBe('/somewhere')
  expect(env.NODE_OPTIONS).toBe(beside.NODE_OPTIONS)
  expect(connectEnv(childEnv({}, made, 'http://127.0.0.1:4242', 'marker'), dir)).not.toHaveProperty('PYTHONPATH')
})
