import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientFile, installClients, nodeVersions } from '../helpers/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { pay, startWorld } from '../pipeline/given.js'
import { connect, connectHttp, type StdioClient } from './stdio.js'

/*
 * The vendors' own MCP servers as they are published, under a real MCP client, on every Node this machine can run:
 * they list tools, act within limits, are refused over them in words, and after a revoke in the middle of the session
 * the next call fails in words at once.
 */

const missing = installClients()
if (missing !== null) console.log(`Skipped: MCP servers. ${missing}`)

const built = (path: string): string => fileURLToPath(new URL(`../../dist/src/${path}`, import.meta.url))
const PRELOAD = built('preload/preload.cjs')

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

const ALL = { endpoints: { allow: ['* *'] } }
const stripeKey = (): Promise<IssuedKey> => world.key({ vendors: { stripe: { ...ALL, max_amount_usd: '50.00' } } })

/** What every server must show, whichever vendor it is for. */
async function proves(
  client: StdioClient,
  key: IssuedKey,
  tool: string,
  within: Record<string, unknown>,
  over: Record<string, unknown>,
  spent: string,
): Promise<void> {
  try {
    expect(client.tools).toContain(tool)
    const allowed = await client.call(tool, within)
    expect(allowed, allowed.text).toMatchObject({ error: false })
    const refused = await client.call(tool, over)
    expect(refused.text).toMatch(/(amount_over_limit|recipient_not_allowed|Failed to create refund)/)
    await world.must('POST', `/keys/${key.id}/revoke`)
    const dead = await client.call(tool, within)
    expect(dead.text).toMatch(/(key_revoked|Failed to create refund)/)
    expect(dead.ms).toBeLessThan(1000)
    const rows = await world.calls(`&key=${key.id}`)
    expect(rows.map((row) => row.decision.code)).toContain('key_revoked')
    const { rows: spend } = await world.must('GET', '/spend?by=key')
    expect(spend.find((row: any) => row.key === key.id)).toMatchObject({ spent_usd: spent, held_usd: '0.00' })
  } finally {
    await client.close()
  }
}

describe.skipIf(missing !== null)('@stripe/mcp 0.3.3', () => {
  const within = { charge: 'ch_A', amount: 100 }
  const over = { charge: 'ch_A', amount: 5001 }

  test('with exactly the configuration users have, after spendgate setup', async () => {
    const home = mkdtempSync(join(tmpdir(), 'spendgate-home-'))
    const setup = spawnSync(process.execPath, [built('cli/index.js'), 'setup'], {
      env: { PATH: process.env.PATH, HOME: home },
    })
    expect(setup.status).toBe(0)
    const key = await stripeKey()
    const client = await connect({
      command: 'npx',
      args: ['-y', '@stripe/mcp'],
      env: { HOME: home, STRIPE_API_KEY: key.key, STRIPE_API_BASE: `${world.url}/stripe` },
      // Where the package is installed, so that npx need not fetch it.
      cwd: dirname(dirname(clientFile('x'))),
    })
    await proves(client, key, 'create_refund', within, over, '1.00')
    rmSync(home, { recursive: true })
  })

  test.each(missing === null ? nodeVersions() : [])('on Node %s', async (_major, node) => {
    const key = await stripeKey()
    const client = await connect({
      command: node,
      args: ['--require', PRELOAD, clientFile('@stripe', 'mcp', 'dist', 'index.js')],
      env: { STRIPE_API_KEY: key.key, STRIPE_API_BASE: `${world.url}/stripe` },
    })
    await proves(client, key, 'create_refund', within, over, '1.00')
  })

  test('under spendgate run', async () => {
    const parent = await stripeKey()
    const client = await connect({
      command: process.execPath,
      args: [built('cli/index.js'), 'run', '--key', parent.id, '--run', 'by_run', '--', 'npx', '-y', '@stripe/mcp'],
      env: {
        SPENDGATE_URL: world.server.adminUrl,
        SPENDGATE_ADMIN_TOKEN: 'sgadmin_CANARYadminToken0123456789abcdef',
        SPENDGATE_PORT: new URL(world.url).port,
      },
      cwd: dirname(dirname(clientFile('x'))),
    })
    const [child] = (await world.must('GET', '/keys?limit=200')).keys.filter((each: any) => each.run === 'by_run')
    await proves(client, child, 'create_refund', within, over, '1.00')
  })

  test('without it: directly at /mcp/stripe', async () => {
    const key = await stripeKey()
    const client = await connectHttp(`${world.url}/mcp/stripe`, { authorization: `Bearer ${key.key}` })
    await proves(client, key, 'create_refund', within, over, '1.00')
  })

  test.each([
    ['the proxy is down', { STRIPE_API_BASE: 'http://127.0.0.1:9/stripe' }, 'does not answer'],
    ['no base is given', {}, 'STRIPE_API_BASE does not say where'],
  ])('%s: the session fails in words at once', async (_what, base, words) => {
    const from = performance.now()
    await expect(
      connect({
        command: process.execPath,
        args: ['--require', PRELOAD, clientFile('@stripe', 'mcp', 'dist', 'index.js')],
        env: { STRIPE_API_KEY: 'vault_live_x', ...base },
      }),
    ).rejects.toThrow(words)
    expect(performance.now() - from).toBeLessThan(5000)
  })

  test('a key nobody knows is refused in words, not by silence', async () => {
    await expect(
      connect({
        command: process.execPath,
        args: ['--require', PRELOAD, clientFile('@stripe', 'mcp', 'dist', 'index.js')],
        env: { STRIPE_API_KEY: 'vault_live_x', STRIPE_API_BASE: `${world.url}/stripe` },
      }),
    ).rejects.toThrow('key_unknown')
  })
})

describe.skipIf(missing !== null)('@stripe/mcp 0.2.5, which is stripe-node 17 inside', () => {
  test.each(missing === null ? nodeVersions() : [])('on Node %s', async (_major, node) => {
    const key = await stripeKey()
    const client = await connect({
      command: node,
      args: ['--require', PRELOAD, clientFile('stripe-mcp-0-2', 'dist', 'index.js'), '--tools=all'],
      env: { STRIPE_API_KEY: key.key, STRIPE_API_BASE: `${world.url}/stripe` },
    })
    // It refunds by intent only, and there is none paid yet.
    const paid = await pay(world, (await world.key()).key, 9000)
    const refund = { payment_intent: paid.body.id }
    // It swallows Stripe's sentence and says «Failed to create refund»; the rows say why.
    await proves(client, key, 'create_refund', { ...refund, amount: 100 }, { ...refund, amount: 5001 }, '1.00')
    const codes = (await world.calls(`&key=${key.id}`)).map((row) => row.decision.code)
    expect(codes).toContain('amount_over_limit')
  })
})

describe.skipIf(missing !== null)('@twilio-alpha/mcp 0.7.0', () => {
  test.each(missing === null ? nodeVersions() : [])('on Node %s', async (_major, node) => {
    const key = await world.key(
      { vendors: { twilio: { ...ALL, recipients: ['+14155550100'] } } },
      { vendors: ['twilio'] },
    )
    const { account_sid: account, api_key_sid: sid, api_key_secret: secret } = key.presentations.twilio!
    const client = await connect({
      command: node,
      args: [
        '--require',
        PRELOAD,
        clientFile('@twilio-alpha', 'mcp', 'build', 'index.js'),
        `${account}/${sid}:${secret}`,
      ],
      env: { TWILIO_API_BASE: `${world.url}/twilio` },
    })
    const message = { From: '+14155550111', Body: 'hello', AccountSid: account }
    await proves(
      client,
      key,
      'TwilioApiV2010--CreateMessage',
      { ...message, To: '+14155550100' },
      { ...message, To: '+14155550199' },
      '0.016675',
    )
  })
})

describe.skipIf(missing !== null).each([
  ['2.22.0', 'resend-mcp'],
  ['2.6.0', 'resend-mcp-2-6'],
])('resend-mcp %s', (_version, folder) => {
  test.each(missing === null ? nodeVersions() : [])('on Node %s', async (_major, node) => {
    const key = await world.key(
      { vendors: { resend: { ...ALL, recipients: ['*@acme.com'] } } },
      { vendors: ['resend'] },
    )
    const client = await connect({
      command: node,
      args: ['--require', PRELOAD, clientFile(folder, 'dist', 'index.js')],
      env: { RESEND_API_KEY: key.key, RESEND_BASE_URL: `${world.url}/resend` },
    })
    const mail = { from: 'billing@acme.com', subject: 'hello', text: 'hello' }
    await proves(
      client,
      key,
      'send-email',
      { ...mail, to: ['ann@acme.com'] },
      { ...mail, to: ['eve@evil.example'] },
      '0.0009',
    )
  })
})

describe.skipIf(missing !== null)(
  'the editor tools of resend-mcp 2.6.0, which have the vendor’s address written into them',
  () => {
    test('reach the proxy all the same', async () => {
      const key = await world.key({}, { vendors: ['resend'] })
      const client = await connect({
        command: process.execPath,
        args: ['--require', PRELOAD, clientFile('resend-mcp-2-6', 'dist', 'index.js')],
        env: { RESEND_API_KEY: key.key, RESEND_BASE_URL: `${world.url}/resend` },
      })
      await client.call('connect-to-editor', { resource_type: 'broadcast', resource_id: 'b_1', agent_name: 'x' })
      await client.close()
      const rows = await world.calls(`&key=${key.id}`)
      expect(rows.map((row) => `${row.method} ${row.path}`)).toContain('POST /editor/connections')
    })
  },
)
