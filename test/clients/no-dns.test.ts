import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientFile, installClients } from '../helpers/clients.js'
import { DEBIAN_CLIENTS, debianPackages } from '../helpers/debian.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { startWorld } from '../pipeline/given.js'
import { output, startProgram } from './program.js'
import { connect } from './stdio.js'

/*
 * Under the preload no client ever asks for the address of a vendor, whatever is wrong: a second file in front of the
 * client writes down each name it looks up and each address it connects to, and none may be outside this machine.
 */

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const PRELOAD = here('../../dist/src/preload/preload.cjs')
const LOADED = ['--require', PRELOAD, '--require', here('no-dns.cjs')]
const PYTHON = '/usr/bin/python3'

const noClients = installClients()
const noPython = debianPackages(DEBIAN_CLIENTS.python)
for (const why of [noClients, noPython]) if (why !== null) console.log(`Skipped: clients on the network’s edge. ${why}`)

let world: World
let dir: string
beforeAll(async () => {
  world = await startWorld()
  dir = mkdtempSync(join(tmpdir(), 'spendgate-no-dns-'))
})
afterAll(async () => {
  await world.close()
  rmSync(dir, { recursive: true })
})

let records = 0
/** What a client under these variables looked up; its own file each time. */
function record(): { env: { NO_DNS_RECORD: string }; lines(): string[] } {
  const file = join(dir, `${++records}`)
  return {
    env: { NO_DNS_RECORD: file },
    lines: () => (existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : []),
  }
}

type VendorName = 'stripe' | 'twilio' | 'resend'
const BASE = { stripe: 'STRIPE_API_BASE', twilio: 'TWILIO_API_BASE', resend: 'RESEND_BASE_URL' } as const
const base = (vendor: VendorName, origin: string): Record<string, string> => ({ [BASE[vendor]]: `${origin}/${vendor}` })

function keysIn({ key, presentations }: IssuedKey): Record<string, string> {
  const { twilio } = presentations
  return {
    STRIPE_API_KEY: key,
    RESEND_API_KEY: key,
    ...(twilio && {
      TWILIO_ACCOUNT_SID: twilio.account_sid,
      TWILIO_API_KEY: twilio.api_key_sid,
      TWILIO_API_SECRET: twilio.api_key_secret,
    }),
  }
}

test('the record itself: without the preload a look-up and a connection are seen and refused', async () => {
  const seen = record()
  const program = `
    const told = (error) => console.log(error.cause?.code ?? error.code)
    fetch('https://api.stripe.com/').catch(told)
      .then(() => require('node:dns').promises.resolve4('api.twilio.com')).catch(told)
      .then(() => new Promise((resolve) => require('node:net').connect(443, '192.0.2.1').once('error', resolve))).then(told)`
  const said = await output(process.execPath, ['--require', here('no-dns.cjs'), '-e', program], seen.env)
  expect(said).toBe('ENOTFOUND\n'.repeat(3))
  expect(seen.lines()).toEqual(['lookup api.stripe.com', 'resolve4 api.twilio.com', 'connect 192.0.2.1'])
})

test.skipIf(noPython)('the record itself, in Python', async () => {
  const seen = record()
  const program = 'import socket\ntry: socket.create_connection(("api.stripe.com", 443))\nexcept OSError as e: print(e)'
  const said = await output(PYTHON, ['-c', program], { ...seen.env, PYTHONPATH: here('python') })
  expect(said).toContain('is not allowed here')
  expect(seen.lines()).toEqual(['socket.getaddrinfo api.stripe.com'])
})

interface Session {
  /** Acts within the policy; words on what came of it. */
  within(): Promise<string>
  end(): Promise<unknown>
}
interface Client {
  readonly name: string
  readonly vendor: VendorName
  readonly missing: string | null
  open(env: Record<string, string>, key: IssuedKey): Promise<Session>
}

/** An MCP server under a real MCP client, and the tool it is asked for. */
const server = (
  name: string,
  vendor: VendorName,
  file: readonly string[],
  tool: string,
  args: (key: IssuedKey) => Record<string, unknown>,
  words: (key: IssuedKey) => readonly string[] = () => [],
): Client => ({
  name,
  vendor,
  missing: noClients,
  async open(env, key) {
    const client = await connect({
      command: process.execPath,
      args: [...LOADED, clientFile(...file), ...words(key)],
      env,
    })
    return { within: async () => (await client.call(tool, args(key))).text, end: () => client.close() }
  },
})

const sdk = (name: string, vendor: VendorName, missing: string | null = null): Client => ({
  name,
  vendor,
  missing,
  async open(env) {
    const program = name.startsWith('python-')
      ? await startProgram(PYTHON, [here('sdk.py'), name], {
          ...env,
          PYTHONPATH: `${here('../../src/preload/python')}:${here('python')}`,
        })
      : await startProgram(process.execPath, [...LOADED, here('sdk.mjs'), name], env)
    return {
      within: async () => {
        const told = await program.act('within')
        return told.ok ?? told.message
      },
      end: () => program.end(),
    }
  },
})

const REFUND = { charge: 'ch_A', amount: 100 }
const MAIL = { from: 'billing@acme.com', to: ['ann@acme.com'], subject: 'hello', text: 'hello' }
const twilioAccount = (key: IssuedKey): string => key.presentations.twilio!.account_sid
const CLIENTS: readonly Client[] = [
  server('@stripe/mcp 0.3.3', 'stripe', ['@stripe', 'mcp', 'dist', 'index.js'], 'create_refund', () => REFUND),
  server(
    '@stripe/mcp 0.2.5',
    'stripe',
    ['stripe-mcp-0-2', 'dist', 'index.js'],
    'list_customers',
    () => ({ limit: 1 }),
    () => ['--tools=all'],
  ),
  server(
    '@twilio-alpha/mcp',
    'twilio',
    ['@twilio-alpha', 'mcp', 'build', 'index.js'],
    'TwilioApiV2010--CreateMessage',
    (key) => ({ From: '+14155550111', Body: 'hello', AccountSid: twilioAccount(key), To: '+14155550100' }),
    ({ presentations: { twilio: of } }) => [`${of!.account_sid}/${of!.api_key_sid}:${of!.api_key_secret}`],
  ),
  server('resend-mcp 2.22.0', 'resend', ['resend-mcp', 'dist', 'index.js'], 'send-email', () => MAIL),
  server('resend-mcp 2.6.0', 'resend', ['resend-mcp-2-6', 'dist', 'index.js'], 'send-email', () => MAIL),
  ...(['2.22.0', '2.6.0'] as const).flatMap((version) =>
    ['get-tiptap-json-content', 'connect-to-editor'].map((tool) =>
      server(
        `${tool} of resend-mcp ${version}`,
        'resend',
        [version === '2.6.0' ? 'resend-mcp-2-6' : 'resend-mcp', 'dist', 'index.js'],
        tool,
        () => ({ resource_type: 'broadcast', resource_id: '6f1b1b1e-8a53-4f0f-9a8f-0d1c2b3a4f5e', agent_name: 'x' }),
      ),
    ),
  ),
  sdk('agent-toolkit', 'stripe', noClients),
  sdk('stripe-17', 'stripe', noClients),
  sdk('stripe-23', 'stripe'),
  sdk('stripe-23-fetch', 'stripe'),
  sdk('twilio', 'twilio'),
  sdk('resend', 'resend'),
  sdk('python-stripe', 'stripe', noPython),
  sdk('python-twilio', 'twilio', noPython),
]

describe.each(CLIENTS.map((each) => [each.name, each] as const))('%s looks up nothing', (_name, client) => {
  const { vendor, missing } = client

  test.skipIf(missing)('while it is served, and after its key is revoked', async () => {
    const seen = record()
    const key = await world.key({}, { vendors: [vendor] })
    const session = await client.open({ ...keysIn(key), ...base(vendor, world.url), ...seen.env }, key)
    await session.within()
    const rows = await world.calls(`&key=${key.id}`)
    expect(rows.length).toBeGreaterThan(0)
    await world.must('POST', `/keys/${key.id}/revoke`)
    await session.within()
    await session.end()
    expect((await world.calls(`&key=${key.id}`)).map((row) => row.decision.code)).toContain('key_revoked')
    expect(seen.lines()).toEqual([])
  })

  test.skipIf(missing).each([
    ['when the proxy is down', { [BASE[vendor]]: `http://127.0.0.1:9/${vendor}` }],
    ['when its base is missing', {}],
  ])('%s', async (_when, env) => {
    const seen = record()
    const key = await world.key({}, { vendors: [vendor] })
    // Some servers speak to the vendor before they are asked anything, and then do not start.
    const words = await client
      .open({ ...keysIn(key), ...env, ...seen.env }, key)
      .then(async (session) => {
        const said = await session.within()
        await session.end()
        return said
      })
      .catch((cause: Error) => cause.message)
    expect(words).toMatch(/(does not answer|does not say where|[Ff]ailed|Unable to fetch)/)
    expect(await world.calls(`&key=${key.id}`)).toEqual([])
    expect(seen.lines()).toEqual([])
  })
})

describe('a vendor’s website', () => {
  const LOOKS =
    "fetch('https://resend.com/api/agent/prompt').then(async (r) => console.log(r.status, await r.text()), (e) => console.log(e.cause.code))"
  const look = (env: Record<string, string>): Promise<string> => output(process.execPath, [...LOADED, '-e', LOOKS], env)

  test('is not asked by a program under spendgate, with a base or without', async () => {
    const seen = record()
    for (const env of [base('resend', world.url), { RESEND_API_KEY: 'vault_live_x' }]) {
      const said = await look({ ...env, ...seen.env })
      expect(said).toContain('403')
      expect(said).toContain('operation_unknown: resend.com is a website')
    }
    expect(seen.lines()).toEqual([])
  })

  test('stays open to a program that is under spendgate for another vendor only', async () => {
    const seen = record()
    expect(await look({ ...base('stripe', world.url), ...seen.env })).toContain('502')
    expect(seen.lines()).toEqual(['lookup resend.com'])
  })
})
