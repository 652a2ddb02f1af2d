import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ConfigFault, readConfig } from '../../src/config.js'
import { configurationIn } from '../../src/configuration-file.js'

const faultsOf = (text: string): string[] => {
  const faults: string[] = []
  configurationIn(text, 'spendgate.yaml', faults)
  return faults
}

describe('a configuration file', () => {
  test('says where secrets are, what the API may refer to, and which private networks are open', () => {
    const faults: string[] = []
    const file = configurationIn(
      `secrets:
  refresh: 1m
  keep: 2h
  vault: { address: "https://vault.example.com:8200/", token_file: /run/vault/token, namespace: team }
  aws: { region: eu-central-1 }
  op: true
  allow: ["vault://secret/data/agents/*", "op://Agents/*"]
credentials:
  - { vendor: stripe, name: main, secret_ref: "vault://secret/data/agents/stripe#api_key" }
  - vendor: twilio
    name: main
    secret_ref: { api_key_secret: 'exec:["pass", "show", "twilio secret"]' }
    parts: { account_sid: AC1, api_key_sid: SK1 }
  - { vendor: github, name: ci, base_url: "https://api.github.com", auth: { scheme: bearer }, secret_ref: "env:GITHUB" }
allow_private_upstreams: [10.0.0.0/8, git.corp.example]
`,
      'spendgate.yaml',
      faults,
    )
    expect(faults).toEqual([])
    expect(file).toMatchObject({
      secrets: {
        refreshMs: 60_000,
        keepMs: 7_200_000,
        vault: { address: 'https://vault.example.com:8200', tokenFile: '/run/vault/token', namespace: 'team' },
        aws: { region: 'eu-central-1' },
        op: true,
        allow: ['vault://secret/data/agents/*', 'op://Agents/*'],
      },
      credentials: [
        { vendor: 'stripe', references: { '*': { scheme: 'vault', field: 'api_key' } }, wish: {} },
        {
          vendor: 'twilio',
          parts: { account_sid: 'AC1', api_key_sid: 'SK1' },
          references: { api_key_secret: { scheme: 'exec', argv: ['pass', 'show', 'twilio secret'] } },
        },
        { vendor: 'github', wish: { base_url: 'https://api.github.com', auth: { scheme: 'bearer' } } },
      ],
      allowPrivateUpstreams: ['10.0.0.0/8', 'git.corp.example'],
    })
    expect(configurationIn('', 'empty.yaml', faults).credentials).toEqual([])
    expect(faults).toEqual([])
  })

  test.each([
    [
      'allow_private_upstream: []',
      'spendgate.yaml:1:1 Unknown key «allow_private_upstream». Did you mean allow_private_upstreams?',
    ],
    ['zzz: 1', 'spendgate.yaml:1:1 Unknown key «zzz». Known here: secrets, credentials, allow_private_upstreams.'],
    ['secrets:\n  refesh: 5m', 'spendgate.yaml:2:3 Unknown key «refesh». Did you mean refresh?'],
    ['secrets:\n  refresh: 5', 'spendgate.yaml:2:12 refresh must be text.'],
    ['secrets:\n  refresh: 1s', 'spendgate.yaml:2:12 refresh must be "10s" to "1d".'],
    [
      'secrets:\n  vault: { address: http://vault.example.com }',
      /^spendgate\.yaml:2:21 address may be plain http only on loopback/,
    ],
    ['secrets:\n  vault: { address: "https://u:p@vault.example.com" }', /must have no credentials/],
    [
      'secrets:\n  vault: { address: "https://v.example", token: hvs.x }',
      /:2:42 «token»: secrets do not stand in this file/,
    ],
    ['secrets:\n  allow: ["file:/etc/*"]', /^spendgate\.yaml:2:11 .* must be a pattern of references/],
    ['secrets:\n  aws: { region: "--endpoint-url=http://x" }', /:2:18 region must be one word/],
    ['credentials:\n  - { vendor: stripe, name: main }', 'spendgate.yaml:2:5 secret_ref is missing.'],
    [
      'credentials:\n  - vendor: stripe\n    name: main\n    secret: sk_live_x',
      /:4:5 «secret»: secrets do not stand in this file/,
    ],
    [
      'credentials:\n  - vendor: stripe\n    name: main\n    secret_ref: sk_live_x',
      /:4:17 This is no reference \(and is not repeated/,
    ],
    [
      'credentials:\n  - vendor: twilio\n    name: main\n    secret_ref: { auth_token: "vault://secret/data/../x#y" }',
      /:4:31 .*has an empty part, or one of dots/,
    ],
    [
      'credentials:\n  - vendor: twilio\n    name: m\n    secret_ref: { auth_token: "env:T" }\n    parts: { auth_token: abc }',
      /:5:14 .*may hold what is no secret/,
    ],
    ['credentials: {}', 'spendgate.yaml:1:14 credentials must be a list.'],
    ['a: 1\na: 2', 'spendgate.yaml:2:1 A key stands twice here.'],
    ['secrets: [', /^spendgate\.yaml:1:\d+ This is no YAML/],
    ['- 1', 'spendgate.yaml:1:1 the file must be a map.'],
    ['a: &x 1\nb: *x', /^spendgate\.yaml:1:1 Unknown key «a».*\nspendgate\.yaml:2:1 Unknown key «b»/],
  ])('%j is refused at its place', (text, expected) => {
    const [first, ...others] = faultsOf(text)
    if (typeof expected === 'string') expect([first, ...others]).toEqual([expected])
    else expect([first, ...others].join('\n')).toMatch(expected)
  })
})

test('the one in the documentation is accepted', () => {
  const shown = [...readFileSync('docs/secrets.md', 'utf8').matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(
    ([, text]) => text!,
  )
  expect(shown).toHaveLength(1)
  expect(faultsOf(shown[0]!)).toEqual([])
})

describe('the server reads it', () => {
  let home: string
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'spendgate-configured-'))
  })
  afterEach(() => rmSync(home, { recursive: true, force: true }))
  const written = (text: string, mode = 0o600): string => {
    const path = join(home, 'spendgate.yaml')
    writeFileSync(path, text)
    chmodSync(path, mode)
    return path
  }
  const read = (env: Record<string, string>, flags: Record<string, string> = {}) =>
    readConfig({ SPENDGATE_DATA_DIR: home, ...env }, flags)

  test('from the variable or the flag', () => {
    const path = written('secrets: { op: true }\nallow_private_upstreams: [10.1.2.3]')
    expect(read({ SPENDGATE_CONFIG: path }).secretSettings).toMatchObject({ op: true, vault: null, aws: null })
    expect(read({}, { config: path }).secretSettings.op).toBe(true)
    expect(read({ SPENDGATE_CONFIG: path }).allowPrivateUpstreams).toContain('10.1.2.3')
    expect(read({}).secretSettings).toMatchObject({ op: false, vault: null, aws: null, allow: null })
  })

  test.each([
    [
      'others may write it',
      0o666,
      /can be written by others, and whoever writes it has programs started here\. Close it: chmod go-w/,
    ],
    ['it is wrong', 0o600, /spendgate\.yaml:1:1 Unknown key/],
  ])('and does not start when %s', (_, mode, sentence) => {
    const attempt = (): unknown => read({ SPENDGATE_CONFIG: written('unknown: 1', mode) })
    expect(attempt).toThrow(ConfigFault)
    expect(attempt).toThrow(sentence)
  })

  test('and does not start without it', () => {
    expect(() => read({ SPENDGATE_CONFIG: join(home, 'absent.yaml') })).toThrow(/cannot be read \(ENOENT\)/)
  })

  test('backends without a file follow from the names that their own programs use', () => {
    const env = { VAULT_ADDR: 'https://vault.example.com', VAULT_NAMESPACE: 'team' }
    expect(read(env).secretSettings.vault).toBeNull()
    expect(read({ ...env, VAULT_TOKEN_FILE: '/run/token' }).secretSettings.vault).toEqual({
      address: 'https://vault.example.com',
      token: null,
      tokenFile: '/run/token',
      namespace: 'team',
    })
    const given = read({ ...env, VAULT_TOKEN: 'hvs.CANARY', OP_SERVICE_ACCOUNT_TOKEN: 'ops_CANARY' }).secretSettings
    expect(given).toMatchObject({ op: true, aws: null })
    expect(given.vault?.token?.reveal()).toBe('hvs.CANARY')
    expect(JSON.stringify(given)).not.toContain('CANARY')
    expect(read({ SPENDGATE_SECRET_REFS: 'aws-sm://agents/*' }).secretSettings).toMatchObject({
      aws: { region: null },
      allow: ['aws-sm://agents/*'],
    })
  })

  test.each([
    [{ VAULT_ADDR: 'http://vault.example.com', VAULT_TOKEN: 't' }, /VAULT_ADDR may be plain http only on loopback/],
    [
      { VAULT_ADDR: 'https://v', VAULT_TOKEN: 't', VAULT_TOKEN_FILE: '/t' },
      /Both VAULT_TOKEN and VAULT_TOKEN_FILE are set/,
    ],
    [{ SPENDGATE_SECRET_REFS: 'file:/etc/*' }, /SPENDGATE_SECRET_REFS: .* must be a pattern of references/],
  ])('%j is refused', (env, sentence) => expect(() => read(env as Record<string, string>)).toThrow(sentence))
})
