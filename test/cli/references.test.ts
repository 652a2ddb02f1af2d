import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startVault, type VaultSimulator } from '../../fixtures/simulators/vault.js'
import { REAL, World } from '../helpers/world.js'
import { Terminal } from './terminal.js'

const TOKEN = 'hvs.CANARYvaultToken0123456789'
const REFERENCE = 'vault://secret/data/agents/resend#api_key'
let vault: VaultSimulator
let world: World
let terminal: Terminal

beforeAll(async () => {
  vault = await startVault({ tokens: [TOKEN] })
  vault.put('agents/resend', { api_key: REAL.resend })
  vault.put('agents/twilio', { secret: REAL.twilioSecret })
  world = await World.start({ VAULT_ADDR: vault.origin, VAULT_TOKEN: TOKEN })
  terminal = new Terminal({ SPENDGATE_URL: world.server.adminUrl, SPENDGATE_ADMIN_TOKEN: REAL.admin })
})
afterAll(async () => {
  terminal.close()
  await world.close()
  await vault.close()
})

describe('credential --secret-ref', () => {
  test('stores where the secret is and shows it, never the secret', async () => {
    const added = await terminal.run('credential', 'add', 'resend', '--name', 'main', '--secret-ref', REFERENCE)
    expect(added.err + added.out).toContain('Stored cred_')
    const shown = await terminal.run('credential', 'show', 'main')
    expect(shown.out).toContain(REFERENCE)
    expect(added.out + shown.out).not.toContain(REAL.resend)
  })

  test('takes one part of several, beside what is no secret', async () => {
    const account = ['--account-sid', REAL.twilioAccount, '--api-key-sid', REAL.twilioKey]
    const part = ['--secret-ref', 'api_key_secret=vault://secret/data/agents/twilio#secret']
    const added = await terminal.run('credential', 'add', 'twilio', ...account, ...part, '--json')
    expect(added.json).toMatchObject({
      account: REAL.twilioAccount,
      secret_ref: { api_key_secret: 'vault://secret/data/agents/twilio#secret' },
    })
  })

  test('refuses a secret beside it, several without names, and what reads the machine', async () => {
    const both = await terminal.run('credential', 'add', 'stripe', '--secret-ref', REFERENCE, '--secret-stdin')
    expect(both).toMatchObject({ exit: 2 })
    const two = await terminal.run('credential', 'add', 'stripe', '--secret-ref', REFERENCE, '--secret-ref', REFERENCE)
    expect(two.err).toContain('--secret-ref PART=REFERENCE')
    const local = await terminal.run('credential', 'add', 'stripe', '--secret-ref', 'file:/etc/passwd')
    expect(local.exit).toBe(1)
    expect(local.err).toContain('file: references stand in the configuration file only')
  })

  test('refresh says whether there is a new secret', async () => {
    expect((await terminal.run('credential', 'refresh', 'main')).out).toContain('The same secret as before')
    vault.put('agents/resend', { api_key: 're_CANARYnext_0123456789' })
    const next = await terminal.run('credential', 'refresh', 'main', '--json')
    expect(next.json).toMatchObject({ changed: true, last4: '6789' })
  })
})

describe('doctor', () => {
  const finding = async (env: NodeJS.ProcessEnv): Promise<{ status: string; message: string }> => {
    const asked = new Terminal({ SPENDGATE_URL: 'http://127.0.0.1:9', ...env })
    mkdirSync(join(asked.dir, 'data'), { mode: 0o700 })
    writeFileSync(join(asked.dir, 'data', 'master-key'), REAL.master, { mode: 0o600 })
    const { json } = await asked.run('doctor', '--json')
    asked.close()
    return json.findings.find(({ check }: { check: string }) => check === 'master key')
  }

  test('says where the master key comes from, and reads none', async () => {
    expect((await finding({})).message).toMatch(/^comes from .*data\/master-key$/)
    expect(await finding({ SPENDGATE_MASTER_KEY: REAL.master })).toEqual({
      check: 'master key',
      status: 'ok',
      message: 'comes from SPENDGATE_MASTER_KEY',
    })
    const command = await finding({ SPENDGATE_MASTER_KEY_COMMAND: 'op read op://Ops/spendgate/key' })
    expect(command.message).toBe('comes from SPENDGATE_MASTER_KEY_COMMAND (op)')
    expect(await finding({ SPENDGATE_MASTER_KEY: REAL.master, SPENDGATE_MASTER_KEY_KEYCHAIN: 'x' })).toMatchObject({
      status: 'fail',
      message: expect.stringContaining('both SPENDGATE_MASTER_KEY and SPENDGATE_MASTER_KEY_KEYCHAIN are set'),
    })
  })
})
