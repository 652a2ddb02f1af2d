import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { childEnv } from '../../src/cli/child-env.js'
import { connectEnv } from '../../src/cli/connect-env.js'
import { connect } from '../clients/stdio.js'
import { clientFile, installClients, nodeVersions } from '../helpers/clients.js'
import { DEBIAN_CLIENTS, debianPackages } from '../helpers/debian.js'
import { built } from '../helpers/process.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { dataDir, startConnectWorld } from './given.js'

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const PYTHON = '/usr/bin/python3'

let world: World
let generous: IssuedKey
let small: IssuedKey
let revoked: IssuedKey
beforeAll(async () => {
  world = await startConnectWorld()
  generous = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
  small = await world.key({ daily_cap_usd: '0.50' })
  revoked = await world.key()
  await world.must('POST', `/keys/${revoked.id}/revoke`)
})
afterAll(() => world.close())

/** The environment that `spendgate run --via connect` adds, and vendor keys where clients look for them. No preload. */
const environment = ({ presentations: { stripe, twilio, resend } }: IssuedKey): Record<string, string> =>
  connectEnv(
    {
      PATH: process.env.PATH!,
      HOME: world.dir,
      STRIPE_SECRET_KEY: stripe![0]!,
      STRIPE_API_KEY: stripe![0]!,
      ...(twilio && {
        TWILIO_ACCOUNT_SID: twilio.account_sid,
        TWILIO_API_KEY: twilio.api_key_sid,
        TWILIO_API_SECRET: twilio.api_key_secret,
      }),
      ...(resend && { RESEND_API_KEY: resend }),
    },
    dataDir(world),
    new URL(world.server.connectUrl!).port,
  ) as Record<string, string>

function run(command: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
    let [out, err] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
    child.once('error', reject)
    child.once('close', () => resolve(out === '' ? err : out))
  })
}

interface Told {
  readonly results: readonly any[]
  readonly looked: readonly string[]
}
const told = async (command: string, file: string, key: IssuedKey, ...acts: string[]): Promise<Told> =>
  JSON.parse(await run(command, [here(file), ...acts], environment(key))) as Told

const served = (): number => world.stripe.requests.length

const noCurl = debianPackages(DEBIAN_CLIENTS.curl)
if (noCurl !== null) console.log(`Skipped: curl. ${noCurl}`)

describe.skipIf(noCurl !== null)('curl', () => {
  const curl = async (key: string, ...args: string[]): Promise<{ status: number; body: any }> => {
    const common = ['--silent', '--show-error', '--write-out', '\n%{http_code}', '--user', `${key}:`]
    const lines = (await run('curl', [...common, ...args], environment(generous))).trim().split('\n')
    return { status: Number(lines.pop()), body: JSON.parse(lines.join('\n')) }
  }
  const refund = ['https://api.stripe.com/v1/refunds', '-d', 'charge=ch_A', '-d', 'amount=100']

  test('is refused over its cap and with a real key, and reads and spends with a vault key', async () => {
    expect(await curl(small.key, ...refund)).toMatchObject({
      status: 403,
      body: { error: { code: 'daily_cap_exceeded' } },
    })
    expect(await curl(revoked.key, ...refund)).toMatchObject({ status: 401, body: { error: { code: 'key_revoked' } } })
    const before = served()
    expect(await curl(REAL.stripe, ...refund)).toMatchObject({
      status: 401,
      body: { error: { code: 'real_key_presented' } },
    })
    expect(served()).toBe(before)
    expect(await curl(generous.key, ...refund)).toMatchObject({ status: 200, body: { status: 'succeeded' } })
    expect(await curl(generous.key, 'https://api.stripe.com/v1/balance')).toMatchObject({ status: 200 })
  })

  test('without the CA takes nothing from the proxy and tells it nothing', async () => {
    const env = { PATH: process.env.PATH!, HTTPS_PROXY: world.server.connectUrl! }
    const said = await run('curl', ['--silent', '--show-error', 'https://api.stripe.com/v1/balance'], env)
    expect(said).toMatch(/curl: \(60\).*certificate/)
  })

  test('reaches no other host', async () => {
    expect(await run('curl', ['--silent', '--show-error', 'https://example.com/'], environment(generous))).toMatch(
      /403/,
    )
  })
})

const noClients = installClients()
if (noClients !== null) console.log(`Skipped: other versions of Node. ${noClients}`)

describe.each(nodeVersions().map(([major, node]) => ({ major: Number(major), node })))(
  'Node $major',
  ({ major, node }) => {
    test.runIf(major >= 22)(
      'fetch is governed: spent, refused over the cap, refused when revoked, and no other host',
      async () => {
        const good = await told(node, 'client.mjs', generous, 'read', 'refund', 'stripe-fetch', 'resend', 'elsewhere')
        expect(good.results.slice(0, 4)).toEqual([
          { status: 200, code: null },
          { status: 200, code: null },
          { status: 200 },
          { status: 200 },
        ])
        expect(good.results[4].failed).toBeDefined()
        expect(good.looked).toEqual([])
        expect((await told(node, 'client.mjs', small, 'refund', 'stripe-fetch')).results).toEqual([
          { status: 403, code: 'daily_cap_exceeded' },
          { status: 403, code: 'daily_cap_exceeded', type: 'StripePermissionError' },
        ])
        expect((await told(node, 'client.mjs', revoked, 'refund', 'stripe-fetch')).results).toEqual([
          { status: 401, code: 'key_revoked' },
          { status: 401, code: 'key_revoked', type: 'StripeAuthenticationError' },
        ])
      },
    )

    // docs/connect.md says so; when one of these turns, the page has to.
    test('stripe-node’s and twilio-node’s own agents ask no environment for a proxy', async () => {
      const { results, looked } = await told(node, 'client.mjs', generous, 'stripe', 'twilio')
      expect(results.every(({ status }) => status !== 200)).toBe(true)
      expect([...new Set(looked)]).toEqual(['api.stripe.com', 'api.twilio.com'])
    })

    test.runIf(major < 22)('fetch does not know the variable', async () => {
      const { results, looked } = await told(node, 'client.mjs', generous, 'read')
      expect([results, looked]).toEqual([[{ failed: 'ENOTFOUND' }], ['api.stripe.com']])
    })
  },
)

const node24 = new Map(nodeVersions()).get('24')
test.skipIf(node24 === undefined || noClients !== null)(
  'today’s @stripe/mcp on Node 24, unmodified, by its environment alone',
  async () => {
    const file = clientFile('@stripe', 'mcp', 'dist', 'index.js')
    const open = (key: IssuedKey) => connect({ command: node24!, args: [file], env: environment(key) })
    const refund = {
      stripe_api_operation_id: 'PostRefunds',
      parameters: { charge: 'ch_A', amount: 100 },
    }
    const poor = await open(small)
    const refused = await poor.call('stripe_api_write', refund)
    await poor.close()
    expect(refused).toMatchObject({ error: true, text: expect.stringContaining('daily_cap_exceeded') })
    const rich = await open(generous)
    const done = await rich.call('stripe_api_write', refund)
    await rich.close()
    expect(done).toMatchObject({ error: false, text: expect.stringContaining('succeeded') })
  },
)

test('beside the preload, what asks no environment for a proxy is reached too', async () => {
  built('src/preload/preload.cjs')
  const port = new URL(world.server.connectUrl!).port
  const base = childEnv({ PATH: process.env.PATH, HOME: world.dir }, generous as never, world.url, 'marker')
  const env = connectEnv(base, dataDir(world), port) as Record<string, string>
  for (const [, node] of nodeVersions()) {
    const said = await run(node, [here('client.mjs'), 'read', 'stripe', 'twilio', 'resend'], env)
    const { results, looked } = JSON.parse(said) as Told
    expect([results.map(({ status }) => status), looked]).toEqual([[200, 200, 200, 200], []])
  }
})

const RUBY = `
require 'net/http'
at = URI('https://api.stripe.com/v1/refunds')
post = Net::HTTP::Post.new(at, 'Authorization' => "Bearer #{ENV['STRIPE_API_KEY']}")
post.set_form_data(charge: 'ch_A', amount: '100')
reply = Net::HTTP.start(at.host, at.port, use_ssl: true) { |http| http.request(post) }
puts reply.code, reply['x-spendgate-code']
`
const noRuby = debianPackages(DEBIAN_CLIENTS.ruby)
if (noRuby !== null) console.log(`Skipped: Ruby. ${noRuby}`)

test.skipIf(noRuby !== null)('Ruby’s Net::HTTP, which looks for http_proxy whatever the scheme', async () => {
  const ruby = (key: IssuedKey): Promise<string> => {
    const env = environment(key)
    return run('ruby', ['-e', RUBY], { ...env, http_proxy: env.https_proxy! })
  }
  expect(await ruby(small)).toBe('403\ndaily_cap_exceeded\n')
  expect(await ruby(revoked)).toBe('401\nkey_revoked\n')
  expect(await ruby(generous)).toBe('200\n\n')
})

const noPython = debianPackages(DEBIAN_CLIENTS.python)
if (noPython !== null) console.log(`Skipped: Python clients. ${noPython}`)

describe.skipIf(noPython !== null)('Python', () => {
  test('requests, httpx and urllib are governed: spent, refused over the cap, refused when revoked', async () => {
    const reads = ['by_requests', 'by_httpx', 'by_async_httpx', 'by_urllib']
    const refunds = ['by_requests_refund', 'by_httpx_refund']
    const good = await told(PYTHON, 'client.py', generous, ...reads, ...refunds)
    expect(good.results.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
    expect(good.looked).toEqual([])
    for (const { status, code } of (await told(PYTHON, 'client.py', small, ...refunds)).results)
      expect([status, code]).toEqual([403, 'daily_cap_exceeded'])
    for (const { status, code } of (await told(PYTHON, 'client.py', revoked, ...refunds)).results)
      expect([status, code]).toEqual([401, 'key_revoked'])
  })

  // docs/connect.md says so; when one of these turns, the page has to.
  test('stripe-python and twilio-python trust CAs of their own and call nobody', async () => {
    const before = served()
    const { results } = await told(PYTHON, 'client.py', generous, 'stripe', 'twilio')
    for (const { message } of results) expect(message).toContain('CERTIFICATE_VERIFY_FAILED')
    expect(served()).toBe(before)
  })

  test('stripe-python is governed when the program names it the bundle', async () => {
    const act = 'stripe_told_of_the_bundle'
    expect((await told(PYTHON, 'client.py', small, act)).results[0]).toMatchObject({ failed: 'PermissionError' })
    expect((await told(PYTHON, 'client.py', generous, act)).results[0]).toEqual({ status: 'succeeded' })
  })
})
