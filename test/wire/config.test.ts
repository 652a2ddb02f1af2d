import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ConfigFault, readConfig, SETTINGS } from '../../src/config.js'

const faults = (env: Record<string, string>, flags: Record<string, string> = {}): string[] => {
  try {
    readConfig(env, flags)
    return []
  } catch (fault) {
    expect(fault).toBeInstanceOf(ConfigFault)
    return (fault as Error).message.split('\n')
  }
}

describe('without any setting', () => {
  const config = readConfig({ XDG_STATE_HOME: '/state' })

  test('both listeners are on loopback and vendors are themselves', () => {
    expect(config).toMatchObject({
      host: '127.0.0.1',
      port: 4242,
      adminHost: '127.0.0.1',
      adminPort: 4243,
      tls: null,
      dataDir: '/state/spendgate',
      upstreamTimeoutMs: 60_000,
      drainMs: 25_000,
      logLevel: 'info',
    })
    expect([...config.upstreams]).toEqual([])
    expect(config.secrets).toEqual({})
  })

  test('and nothing can be changed afterwards', () => {
    expect(Object.isFrozen(config)).toBe(true)
    expect(Object.isFrozen(config.secrets)).toBe(true)
  })
})

describe('a flag', () => {
  test('wins over its variable', () => {
    expect(
      readConfig({ SPENDGATE_PORT: '1', SPENDGATE_LOG_LEVEL: 'debug' }, { port: '2', 'log-level': 'warn' }),
    ).toMatchObject({ port: 2, logLevel: 'warn' })
  })

  test('takes no secret', () => {
    const secret = 'sgadmin_0123456789abcdef'
    expect(readConfig({}, { 'admin-token': secret, 'master-key': secret }).secrets).toEqual({})
    // It names kinds of references to secrets.
    const harmless = ['secret-refs']
    expect(SETTINGS.filter((name) => /token|master|secret|password/.test(name))).toEqual(harmless)
  })
})

describe('another origin for a vendor', () => {
  test.each([
    'https://proxy.example',
    'https://proxy.example:8443/',
    'http://127.0.0.1:12111',
    'http://localhost:1',
    'http://[::1]:1',
  ])('%s is taken', (origin) => {
    expect(readConfig({ SPENDGATE_STRIPE_UPSTREAM: origin }).upstreams.get('stripe')).toBe(new URL(origin).origin)
  })

  test.each([
    'http://proxy.example',
    'http://127.0.0.1.evil.example',
    'http://127.0.0.2:1',
    'http://0.0.0.0:1',
    'http://localhost.evil.example',
    'https://proxy.example/path',
    'https://proxy.example/?a=b',
    'https://proxy.example/#a',
    'https://user@proxy.example',
    'https://:pass@proxy.example',
    'ftp://proxy.example',
    'file:///etc/passwd',
    'proxy.example',
    '',
    '//proxy.example',
  ])('%j is not: the real key would travel in the clear, or elsewhere', (origin) => {
    expect(faults({ SPENDGATE_STRIPE_UPSTREAM: origin })).toEqual([
      expect.stringMatching(/^SPENDGATE_STRIPE_UPSTREAM m/),
    ])
  })
})

describe('the admin listener', () => {
  test.each(['0.0.0.0', '::', '10.0.0.1', 'admin.example'])(
    'leaves loopback for %s only with TLS or by a word',
    (host) => {
      expect(faults({ SPENDGATE_ADMIN_HOST: host })).toEqual([expect.stringContaining('--insecure-admin')])
      expect(readConfig({ SPENDGATE_ADMIN_HOST: host }, { 'insecure-admin': 'true' }).adminHost).toBe(host)
    },
  )

  test('by no variable: a word in the environment would be forgotten', () => {
    expect(faults({ SPENDGATE_ADMIN_HOST: '0.0.0.0', SPENDGATE_INSECURE_ADMIN: 'true' })).toHaveLength(1)
  })

  test('has certificate and key, or neither', () => {
    const dir = mkdtempSync(join(tmpdir(), 'spendgate-config-'))
    try {
      const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(dir, name)) as [string, string]
      writeFileSync(cert, 'CERT')
      writeFileSync(key, 'KEY')
      const tls = { SPENDGATE_TLS_CERT: cert, SPENDGATE_TLS_KEY: key }
      expect(readConfig({ ...tls, SPENDGATE_ADMIN_HOST: '0.0.0.0' }).tls).toEqual({ cert: 'CERT', key: 'KEY' })
      expect(faults({ SPENDGATE_TLS_CERT: cert })).toHaveLength(1)
      expect(faults({ SPENDGATE_TLS_KEY: key })).toHaveLength(1)
      expect(faults({ ...tls, SPENDGATE_TLS_KEY: join(dir, 'none') })).toEqual([
        expect.stringContaining('cannot be read'),
      ])
    } finally {
      rmSync(dir, { recursive: true })
    }
  })

  test('is not the agent listener', () => {
    expect(faults({ SPENDGATE_PORT: '5000', SPENDGATE_ADMIN_PORT: '5000' })).toHaveLength(1)
    expect(faults({ SPENDGATE_PORT: '0', SPENDGATE_ADMIN_PORT: '0' })).toEqual([])
  })
})

describe('what is wrong', () => {
  test.each(['-1', '65536', '80.5', '0x50', '1e3', ' 80', '80 ', '', 'http', '٨٠'])('a port of %j', (port) => {
    expect(faults({ SPENDGATE_PORT: port })).toEqual([expect.stringMatching(/^SPENDGATE_PORT must be a whole number/)])
  })

  test('is said all at once', () => {
    const found = faults({
      SPENDGATE_PORT: 'a',
      SPENDGATE_ADMIN_PORT: 'b',
      SPENDGATE_LOG_LEVEL: 'loud',
      SPENDGATE_DRAIN_MS: '-5',
      SPENDGATE_RESEND_UPSTREAM: 'x',
      SPENDGATE_ADMIN_HOST: '0.0.0.0',
    })
    expect(found).toHaveLength(6)
  })

  test('is said without a secret', () => {
    const secret = 'sgadmin_0123456789abcdef'
    expect(
      faults({ SPENDGATE_PORT: 'a', SPENDGATE_ADMIN_TOKEN: secret, SPENDGATE_MASTER_KEY: secret }).join(),
    ).not.toContain(secret)
  })
})

test('secrets come from the environment only, and an empty one is none', () => {
  expect(
    readConfig({ SPENDGATE_ADMIN_TOKEN: 'a', SPENDGATE_MASTER_KEY: '', SPENDGATE_MASTER_KEY_FILE: '/run/key' }).secrets,
  ).toEqual({
    SPENDGATE_ADMIN_TOKEN: 'a',
    SPENDGATE_MASTER_KEY_FILE: '/run/key',
  })
})

describe('what watches the server', () => {
  test('is off without a setting', () => {
    expect(readConfig({})).toMatchObject({ alertReceivers: [], alertKey: null, metricsToken: null, collector: null })
  })

  test('may lie in files', () => {
    const dir = mkdtempSync(join(tmpdir(), 'spendgate-config-'))
    const file = (name: string, text: string): string => {
      writeFileSync(join(dir, name), `${text}\n`)
      return join(dir, name)
    }
    const config = readConfig({
      SPENDGATE_ALERT_URLS_FILE: file('urls', 'https://ops.test/a,https://hooks.slack.com/b'),
      SPENDGATE_ALERT_SECRET_FILE: file('secret', `whsec_${'A'.repeat(32)}`),
      SPENDGATE_METRICS_TOKEN_FILE: file('token', 't'.repeat(24)),
    })
    expect(config.alertReceivers.map(({ host, shape }) => [host, shape])).toEqual([
      ['ops.test', 'standard'],
      ['hooks.slack.com', 'slack'],
    ])
    expect([config.alertKey?.reveal(), config.metricsToken?.reveal()]).toEqual([
      `whsec_${'A'.repeat(32)}`,
      't'.repeat(24),
    ])
    rmSync(dir, { recursive: true })
  })

  test('a collector is named as OpenTelemetry names it', () => {
    const collector = (endpoint: string, headers?: string): unknown =>
      readConfig({
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        ...(headers === undefined ? {} : { OTEL_EXPORTER_OTLP_HEADERS: headers }),
      }).collector
    expect(collector('http://127.0.0.1:4318')).toEqual({ url: 'http://127.0.0.1:4318/v1/traces', headers: [] })
    expect(collector('https://otel.test/in/', 'Api-Key=a%20b, x=1')).toEqual({
      url: 'https://otel.test/in/v1/traces',
      headers: ['api-key', 'a b', 'x', '1'],
    })
  })
})
