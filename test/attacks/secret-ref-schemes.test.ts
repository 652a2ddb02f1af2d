import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startVault, type VaultSimulator } from '../../fixtures/simulators/vault.js'
import { REAL, World } from '../helpers/world.js'

// Whoever has an admin token may name secrets of the backends that are set up, and no file, variable or program of the machine.

const TOKEN = 'hvs.CANARYvaultToken0123456789'
const home = mkdtempSync(join(tmpdir(), 'spendgate-schemes-'))
let vault: VaultSimulator
let elsewhere: VaultSimulator
let world: World

beforeAll(async () => {
  ;[vault, elsewhere] = await Promise.all([startVault({ tokens: [TOKEN] }), startVault({ tokens: [TOKEN] })])
  vault.put('agents/stripe', { api_key: REAL.stripe })
  vault.put('board/minutes', { api_key: REAL.stripe })
  writeFileSync(join(home, 'key'), REAL.stripe, { mode: 0o600 })
  world = await World.start({
    VAULT_ADDR: vault.origin,
    VAULT_TOKEN: TOKEN,
    SPENDGATE_SECRET_REFS: 'vault://secret/data/agents/*',
    SPENDGATE_ALLOW_PRIVATE_UPSTREAMS: '127.0.0.1',
  })
})
afterAll(async () => {
  await world.close()
  await Promise.all([vault.close(), elsewhere.close()])
  rmSync(home, { recursive: true, force: true })
})

const marker = join(home, 'was-run')
const store = (secret_ref: unknown, more: object = {}) =>
  world.admin('POST', '/credentials', { vendor: 'stripe', name: 'attack', secret_ref, ...more })

describe('a reference through the API', () => {
  test.each([
    ['a file', () => `file:${join(home, 'key')}`, /^file: references stand in the configuration file only/],
    ['the master key', () => `file:${join(world.dir, 'data', 'master-key')}`, /^file: references stand/],
    ['a variable', () => 'env:PATH', /^env: references stand in the configuration file only/],
    ['a program', () => `exec:touch ${marker}`, /^exec: references stand in the configuration file only/],
    ['a program in a list', () => `exec:["touch", "${marker}"]`, /^exec: references stand/],
    ['an address', () => 'http://169.254.169.254/latest/meta-data/', /This is no reference/],
    ['capitals', () => 'FILE:/etc/passwd', /This is no reference/],
    ['a space before', () => ' file:/etc/passwd', /This is no reference/],
    ['the configuration', () => 'configuration', /This is no reference/],
    ['a backend that is not set up', () => 'op://Agents/stripe/api_key', /This server has no 1Password/],
    ['another that is not', () => 'aws-sm://agents/stripe#api_key', /This server has no AWS Secrets Manager/],
    ['another team’s secret', () => 'vault://secret/data/board/minutes#api_key', /is not among what this server may/],
  ])('to %s is refused with a sentence, and nothing is asked', async (_, text, sentence) => {
    const before = vault.requests.length
    const places: [unknown, string][] = [
      [text(), 'secret_ref'],
      [{ api_key: text() }, 'secret_ref.api_key'],
    ]
    for (const [secret_ref, path] of places) {
      const refused = await store(secret_ref)
      expect(refused).toMatchObject({ status: 400, body: { code: 'invalid', errors: [{ path }] } })
      expect(refused.body.detail).toMatch(sentence)
    }
    const within = await store(undefined, { secret: { secret_ref: text() } })
    expect(within.status).toBe(400)
    expect(vault.requests).toHaveLength(before)
    expect(existsSync(marker)).toBe(false)
  })

  test('that is the secret itself is not repeated', async () => {
    for (const secret_ref of [REAL.stripe, { api_key: REAL.stripe }]) {
      const refused = await store(secret_ref)
      expect(refused.status).toBe(400)
      expect(refused.text).not.toContain(REAL.stripe.slice(0, 20))
    }
  })

  test('nor by a rotation', async () => {
    const { stripe } = await world.credentials()
    const refused = await world.admin('POST', `/credentials/${stripe}/rotate`, { secret_ref: `exec:touch ${marker}` })
    expect(refused.status).toBe(400)
    expect(existsSync(marker)).toBe(false)
  })

  test('cannot pass for one of the configuration file', async () => {
    const refused = await store(undefined, { secret: { secret_ref: '"configuration"' } })
    expect(refused).toMatchObject({ status: 400 })
  })

  test('whose secret says where to send it is sent where the operator said', async () => {
    vault.put('agents/acme', { token: REAL.stripe, base_url: elsewhere.origin, auth: '{"scheme":"query","name":"k"}' })
    const made = await world.must('POST', '/credentials', {
      vendor: 'acme',
      name: 'main',
      base_url: world.stripe.origin,
      auth: { scheme: 'bearer' },
      secret_ref: 'vault://secret/data/agents/acme',
    })
    await world.must('POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name: 'acme',
      vendors: { acme: { endpoints: { allow: ['GET /v1/*'] } } },
    })
    const { key } = await world.must('POST', '/keys', { name: 'acme', policy: 'acme', credentials: [made.id] })
    const reply = await world.call(key, 'GET', '/acme/v1/charges')
    expect(reply.status).toBe(200)
    expect(world.stripe.requests.at(-1)).toMatchObject({
      path: '/v1/charges',
      headers: { authorization: `Bearer ${REAL.stripe}` },
    })
    expect(elsewhere.requests).toEqual([])
  })

  test('shows in no reply and no file what was read', async () => {
    const made = await store('vault://secret/data/agents/stripe#api_key')
    expect(made.status).toBe(201)
    const seen = made.text + world.files().toString('latin1')
    for (const secret of [REAL.stripe, TOKEN]) expect(seen).not.toContain(secret)
  })
})
