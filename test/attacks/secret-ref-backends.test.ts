import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Plan } from '../../fixtures/simulators/index.js'
import { startVault, type VaultSimulator } from '../../fixtures/simulators/vault.js'
import { Secret } from '../../src/custody/secret.js'
import { Backends } from '../../src/secrets/backends.js'
import { SecretFault } from '../../src/secrets/fault.js'
import { HashicorpVault } from '../../src/secrets/hashicorp.js'
import { parseReference, type Reference } from '../../src/secrets/reference.js'
import { NO_BACKENDS } from '../../src/secrets/settings.js'

// A backend that lies, leads elsewhere, floods or goes to sleep costs a refusal, and shows nothing of what it said.

const TOKEN = 'hvs.CANARYtoken0123456789'
const clock = { now: () => 0, monotonic: () => performance.now() }
const home = mkdtempSync(join(tmpdir(), 'spendgate-backends-'))
const reference = parseReference('vault://secret/data/stripe#api_key') as Reference & { readonly scheme: 'vault' }
let vault: VaultSimulator
let elsewhere: VaultSimulator
let asked: HashicorpVault

beforeAll(async () => {
  ;[vault, elsewhere] = await Promise.all([startVault({ tokens: [TOKEN] }), startVault({ tokens: [TOKEN] })])
  asked = new HashicorpVault(
    { address: vault.origin, token: new Secret(TOKEN), tokenFile: null, namespace: '' },
    clock,
    300,
  )
})
beforeEach(() => {
  vault.reset()
  vault.put('stripe', { api_key: 'CANARYsecret0123' })
  elsewhere.put('stripe', { api_key: 'CANARYelsewhere' })
})
afterAll(async () => {
  await asked.close()
  await Promise.all([vault.close(), elsewhere.close()])
  rmSync(home, { recursive: true, force: true })
})

const refusedWith = async (work: Promise<unknown>): Promise<string> => {
  const fault = await work.then(
    () => new Error('nothing was refused'),
    (cause: unknown) => cause as Error,
  )
  expect(fault).toBeInstanceOf(SecretFault)
  expect(fault.message).not.toContain('CANARY')
  return fault.message
}

describe('Vault', () => {
  test('that redirects is not followed, so the token goes nowhere else', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      vault.fault('GET', { do: 'redirect', to: `${elsewhere.origin}/v1/secret/data/stripe`, status })
      expect(await refusedWith(asked.fields(reference))).toContain(`answered with a redirect (${status})`)
    }
    expect(elsewhere.requests).toEqual([])
  })

  const plans: [string, Plan, RegExp][] = [
    ['hangs', { do: 'hang', applies: true }, /did not answer in time/],
    ['stops half-way', { do: 'stall', applies: true }, /did not answer in time/],
    ['sends eight megabytes', { do: 'oversize', mib: 8 }, /gave no whole answer .*larger than 65536 bytes/],
    ['sends them without saying so', { do: 'oversize', mib: 8, declared: false }, /gave no whole answer/],
    ['breaks off', { do: 'reset-in-body', applies: true }, /gave no whole answer/],
    ['sends half its JSON', { do: 'truncate', applies: true }, /has no fields of a KV version 2 secret/],
    ['compresses', { do: 'gzip' }, /has no fields of a KV version 2 secret/],
    [
      'sends something else',
      { do: 'raw', bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull', applies: true },
      /has no fields/,
    ],
    ['is sealed', { do: 'status', status: 503, applies: false }, /answered 503: it is sealed/],
    ['is broken', { do: 'status', status: 500, applies: false }, /answered 500/],
    ['echoes the token in a refusal', { do: 'echo', status: 403 }, /answered 403/],
  ]
  test.each(plans)('that %s is a refusal in time', async (_, plan, sentence) => {
    const fault = vault.fault('GET', plan)
    const startedAt = performance.now()
    expect(await refusedWith(asked.fields(reference))).toMatch(sentence)
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    fault.release()
  })
})

describe('a program', () => {
  const environment = { PATH: `${home}:/usr/bin:/bin` }
  const program = (name: string, body: string): void => {
    writeFileSync(join(home, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(home, name), 0o700)
  }
  const backends = new Backends({ ...NO_BACKENDS, aws: { region: null, profile: null }, op: true }, clock, environment)
  const fetched = (text: string): Promise<string> => refusedWith(backends.ask(parseReference(text) as Reference))

  test('that is under way when the server stops is stopped with it', async () => {
    program('pass', 'sleep 300')
    const stopping = new Backends(NO_BACKENDS, clock, environment)
    const asked = refusedWith(stopping.ask(parseReference('exec:pass') as Reference))
    const startedAt = performance.now()
    await stopping.close()
    expect(await asked).toMatch(/pass was stopped, because the server stops/)
    expect(performance.now() - startedAt).toBeLessThan(3_000)
  })

  test('that floods is stopped', async () => {
    program('op', 'yes CANARY')
    expect(await fetched('op://Agents/stripe/api_key')).toMatch(/op printed more than 65536 bytes and was stopped/)
  })

  test('that fails shows nothing of what it wrote', async () => {
    program('op', 'echo CANARY; echo CANARY >&2; exit 1')
    expect(await fetched('op://Agents/stripe/api_key')).toMatch(/op ended with code 1\. What it wrote is not shown/)
    program('aws', 'echo CANARY')
    expect(await fetched('aws-sm://agents/stripe#api_key')).toMatch(/has no SecretString in it/)
  })

  test('takes a reference for one word, whatever stands in it', async () => {
    program('op', `printf '%s\\n' "$#" "$3" > ${join(home, 'seen')}; exit 1`)
    await fetched('op://Agents/a b/api_key')
    const { readFileSync } = await import('node:fs')
    expect(readFileSync(join(home, 'seen'), 'utf8')).toBe('3\nop://Agents/a b/api_key\n')
  })

  test('that prints bytes or several lines is refused', async () => {
    program('op', `printf '\\377\\376'`)
    expect(await fetched('op://Agents/stripe/api_key')).toMatch(/something that is not text/)
    program('op', `printf 'CANARY\\r\\nx-other: CANARY'`)
    expect(await fetched('op://Agents/stripe/api_key')).toMatch(/control characters/)
  })
})
