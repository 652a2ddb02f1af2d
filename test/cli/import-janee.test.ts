import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { REAL, World } from '../helpers/world.js'
import { Terminal } from './terminal.js'

const fixture = (name: string): string =>
  readFileSync(new URL(`../../fixtures/clients/janee/${name}`, import.meta.url), 'utf8')

const GITHUB = 'ghp_CANARYgithub0123456789abcdefghijkl'

let world: World
let api: Server
const seen: IncomingMessage[] = []
let terminal: Terminal

beforeAll(async () => {
  api = createServer((request, response) => {
    seen.push(request)
    response.end('{}')
  }).listen(0, '127.0.0.1')
  world = await World.start({ SPENDGATE_ALLOW_PRIVATE_UPSTREAMS: '127.0.0.1' })
})
afterAll(async () => {
  await world.close()
  api.close()
})
beforeEach(() => {
  terminal = new Terminal({ SPENDGATE_URL: world.server.adminUrl, SPENDGATE_ADMIN_TOKEN: REAL.admin })
})
afterEach(() => terminal.close())

const origin = (): string => `http://127.0.0.1:${(api.address() as AddressInfo).port}`

/** The README's configuration with keys that could be real, and GitHub on this machine. */
function readme(): string {
  const text = fixture('readme.yaml')
    .replace('sk_live_xxx', REAL.stripe)
    .replace('ghp_xxx', GITHUB)
    .replace('https://api.github.com', origin())
  return file('config.yaml', text)
}
function file(name: string, text: string): string {
  writeFileSync(join(terminal.dir, name), text)
  return name
}
const stored = async (): Promise<[number, number]> => [
  (await world.must('GET', '/credentials')).credentials.length,
  (await world.must('GET', '/policies')).policies.length,
]

describe.sequential('import janee', () => {
  test('--dry-run says everything and stores nothing, without a server', async () => {
    terminal.env.SPENDGATE_URL = 'http://127.0.0.1:9'
    const { exit, out, err } = await terminal.run('import', 'janee', readme(), '--dry-run')
    expect(exit, err).toBe(0)
    expect(out).toMatch(/stripe +stripe +api\.stripe\.com +its own +to be stored/)
    expect(out).toMatch(/stripe_billing +stripe +3 +2 +15m +to be stored/)
    expect(out).toContain('config.yaml:41:3  Janee let «POST /v1/refunds/../charges» through')
    expect(err).toContain('Nothing was stored.')
    expect(await stored()).toEqual([0, 0])
  })

  test('stores credentials and policies, makes keys where it is told to, and says no secret but those', async () => {
    const { exit, out, err, json } = await terminal.run(
      'import',
      'janee',
      readme(),
      '--keys',
      '--daily-cap',
      '50',
      '--json',
    )
    expect(exit, err).toBe(0)
    expect(json.credentials.map(({ vendor, auth, state }: any) => [vendor, auth, state])).toEqual([
      ['stripe', null, 'stored'],
      ['github', 'bearer', 'stored'],
    ])
    expect(json.left_out).toEqual([])
    expect(json.keys.map(({ name, policy }: any) => [name, policy])).toEqual([
      ['stripe', 'stripe@1'],
      ['stripe_sensitive', 'stripe_sensitive@1'],
      ['stripe_readonly', 'stripe_readonly@1'],
      ['stripe_billing', 'stripe_billing@1'],
      ['github', 'github@1'],
    ])
    const { document } = await world.must('GET', '/policies/stripe_billing')
    expect(document).toMatchObject({ require_reason: true, expires_in: '15m', daily_cap_usd: '50.00' })
    for (const secret of [REAL.stripe, GITHUB, REAL.admin]) expect(out + err).not.toContain(secret)
    expect(await stored()).toEqual([2, 5])
  })

  test('a second time changes nothing', async () => {
    const { exit, out, err } = await terminal.run('import', 'janee', readme(), '--daily-cap', '50')
    expect(exit, err).toBe(0)
    expect(out.match(/stands already/g)).toHaveLength(7)
    expect(err).toContain('No keys were made.')
    expect(await stored()).toEqual([2, 5])
    expect((await world.must('GET', '/policies/stripe_billing')).version).toBe(1)
  })

  test('what is there and says something else stays, and a living key is not made twice', async () => {
    const { exit, out } = await terminal.run('import', 'janee', readme(), '--keys', '--json')
    expect(exit).toBe(1)
    const { keys, left_out: leftOut } = JSON.parse(out)
    expect(keys).toEqual([])
    expect(leftOut.map(({ at, message }: any) => `${at} ${message}`)).toEqual([
      expect.stringMatching(
        /^config\.yaml:20:3 capabilities\.stripe is left out: the policy stripe@1 says something else/,
      ),
      ...Array.from({ length: 4 }, () => expect.stringContaining('says something else')),
    ])
    const again = await terminal.run('import', 'janee', readme(), '--keys', '--daily-cap', '50')
    expect(again.exit).toBe(1)
    expect(again.out).toContain('config.yaml:41:3  No key stripe_billing was made: a living key is called so.')
  })

  test('what the server refuses is left out with its line and reason, and the rest is done', async () => {
    const text = `services:
  metadata:
    baseUrl: http://169.254.169.254
    auth: { type: bearer, key: CANARYmetadata01234 }
  notes:
    baseUrl: https://notes.example.com
    auth: { type: bearer, key: CANARYnotes0123456 }
capabilities:
  metadata: { service: metadata, ttl: 1h }
  notes: { service: notes, ttl: 1h, rules: { allow: [GET *] } }
`
    const { exit, out, json } = await terminal.run('import', 'janee', file('config.yaml', text), '--json')
    expect(exit).toBe(1)
    expect(json.credentials.map(({ service, state }: any) => [service, state])).toEqual([['notes', 'stored']])
    expect(json.policies.map(({ capability, state }: any) => [capability, state])).toEqual([['notes', 'stored']])
    expect(json.left_out).toEqual([
      {
        at: 'config.yaml:2:3',
        message: expect.stringMatching(/^services\.metadata was refused: .*169\.254\.169\.254/),
      },
      { at: 'config.yaml:9:3', message: 'capabilities.metadata is left out with its service metadata' },
    ])
    expect(out).not.toContain('CANARY')
  })

  test('a span that no key can have leaves its capability out before anything is stored', async () => {
    const text = `services:
  later:
    baseUrl: https://later.example.com
    auth: { type: bearer, key: CANARYlater0123456 }
capabilities:
  never: { service: later, ttl: 0s }
`
    const { exit, json } = await terminal.run('import', 'janee', file('config.yaml', text), '--dry-run', '--json')
    expect(exit).toBe(1)
    expect(json.policies).toEqual([])
    expect(json.left_out).toEqual([{ at: 'config.yaml:6:3', message: expect.stringContaining('longer than nothing') }])
  })

  test('a call at Bybit is signed as Janee signed it', async () => {
    const text = `services:
  bybit:
    baseUrl: ${origin()}
    auth: { type: hmac-bybit, apiKey: bybit-key, apiSecret: CANARYbybit0123456 }
capabilities:
  bybit: { service: bybit, ttl: 1h }
`
    const { exit, err, json } = await terminal.run('import', 'janee', file('config.yaml', text), '--keys', '--json')
    expect(exit, err).toBe(0)
    const [{ key }] = json.keys
    const body = '{"symbol":"BTCUSDT","qty":"1"}'
    await world.call(key, 'GET', '/bybit/v5/account?accountType=UNIFIED&coin=BTC')
    await world.call(key, 'POST', '/bybit/v5/order/create', body, { 'content-type': 'application/json' })
    const signed = (at: unknown, payload: string): string =>
      createHmac('sha256', 'CANARYbybit0123456')
        .update(`${String(at)}bybit-key5000${payload}`)
        .digest('hex')
    for (const [request, payload] of [
      [seen.at(-2)!, 'accountType=UNIFIED&coin=BTC'],
      [seen.at(-1)!, body],
    ] as const) {
      const at = request.headers['x-bapi-timestamp']
      expect(at).toMatch(/^\d{13}$/)
      expect(request.headers).toMatchObject({
        'x-bapi-api-key': 'bybit-key',
        'x-bapi-recv-window': '5000',
        'x-bapi-sign': signed(at, payload),
      })
    }
  })

  test.each([
    ['no such file', ['nowhere.yaml'], 3, /There is no file nowhere\.yaml/],
    ['no such secrets', ['config.yaml', '--credentials', 'nowhere.json'], 3, /There is no file nowhere\.json/],
    ['a cap that is no amount', ['config.yaml', '--daily-cap', 'much'], 2, /Expected US dollars/],
  ])('%s', async (_, args, code, sentence) => {
    readme()
    const { exit, err } = await terminal.run('import', 'janee', ...args)
    expect(err).toMatch(sentence)
    expect(exit).toBe(code)
  })

  test('takes sealed secrets from the file beside it, and nobody sees the master key', async () => {
    const masterKey = Buffer.alloc(32, 9).toString('base64')
    file(
      'credentials.json',
      JSON.stringify({ masterKey, secrets: { calendar: { key: 'bm90IHNlYWxlZCBieSB0aGF0IGtleQ==' } } }),
    )
    const text = 'services:\n  calendar:\n    baseUrl: https://calendar.example.com\n    auth: { type: bearer }\n'
    const { exit, out, err } = await terminal.run('import', 'janee', file('config.yaml', text), '--dry-run')
    expect(exit).toBe(1)
    expect(out).toContain('config.yaml:4:5  services.calendar.auth has a secret that the master key does not open')
    expect(out + err).not.toContain(masterKey)
  })
})
