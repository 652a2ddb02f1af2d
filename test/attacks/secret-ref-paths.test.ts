import { afterAll, beforeAll, expect, test } from 'vitest'
import { startVault, type VaultSimulator } from '../../fixtures/simulators/vault.js'
import { Secret } from '../../src/custody/secret.js'
import { Backends } from '../../src/secrets/backends.js'
import { parseReference, type Reference } from '../../src/secrets/reference.js'
import { NO_BACKENDS } from '../../src/secrets/settings.js'

// The simulator resolves dot segments and escapes as a front end before a real one may: what gets through there is read.

const TOKEN = 'hvs.CANARYtoken'
let vault: VaultSimulator
let backends: Backends
beforeAll(async () => {
  vault = await startVault({ tokens: [TOKEN] })
  vault.put('agents/stripe', { id: 'of the agents' })
  vault.put('board/minutes', { id: 'CANARY of the board' })
  const settings = {
    ...NO_BACKENDS,
    vault: { address: `${vault.origin}`, token: new Secret(TOKEN), tokenFile: null, namespace: '' },
    allow: ['vault://secret/data/agents/*'],
  }
  backends = new Backends(settings, { now: () => 0, monotonic: () => performance.now() }, {})
})
afterAll(async () => {
  await backends.close()
  await vault.close()
})

test('the path of a reference leads nowhere but where its text says', async () => {
  const attempts = [
    'vault://secret/data/agents/../board/minutes#id',
    'vault://secret/data/agents/..%2Fboard/minutes#id',
    'vault://secret/data/agents/%2e%2e/board/minutes#id',
    'vault://secret/data/agents/./../board/minutes#id',
    'vault://secret/data/agents/..\\board/minutes#id',
    'vault://secret/data/agents/../../../auth/token/lookup-self#id',
    'vault://secret/data/agents//../board/minutes#id',
    'vault://secret/data/agents/x?list=true#id',
    'vault://secret/data/agents/x;y#id',
    'vault://secret/data/agents/ /../board/minutes#id',
    'vault://secret/data/agents/x\r\nx-vault-token: other#id',
    'vault://auth/token/data/lookup-self#id',
    'vault://@evil.example/data/x#id',
    'vault://secret/data/agents/…/x#id',
  ]
  for (const text of attempts) {
    const reference = parseReference(text)
    expect(typeof reference, text).toBe('string')
  }
  expect(vault.requests).toEqual([])
})

test('what a pattern allows is matched on the very text that is asked for', async () => {
  const outside = ['vault://secret/data/agents', 'vault://secret/data/agentsX/y', 'vault://Secret/data/agents/x']
  for (const text of outside) {
    const reference = parseReference(text) as Reference
    expect(backends.refusal(reference), text).toMatch(/is not among what this server may refer to/)
  }
  const reference = parseReference('vault://secret/data/agents/stripe#id') as Reference
  expect(backends.refusal(reference)).toBeNull()
  expect(await backends.ask(reference)).toBe('of the agents')
  expect(vault.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(['GET /v1/secret/data/agents/stripe'])
})
