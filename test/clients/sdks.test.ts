import { spawnSync } from 'node:child_process'
import { createServer, connect as connectTo, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installClients } from '../helpers/clients.js'
import { DEBIAN_CLIENTS, debianPackages } from '../helpers/debian.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { allCalls, seenBy, spentBy, startWorld } from '../pipeline/given.js'
import { output, startProgram, type Program } from './program.js'

/*
 * The vendors' own SDKs, unmodified and with their own settings for retries, by every way there is to the proxy: the
 * recipe the SDK documents, the preload, and spendgate run. Each acts within its limit, is refused over it once and not
 * again, and is dead after a revoke in the middle of its run.
 */

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const built = (path: string): string => here(`../../dist/src/${path}`)
const PRELOAD = built('preload/preload.cjs')
const PYTHON = '/usr/bin/python3'

const absent = {
  'stripe-17': installClients(),
  python: debianPackages(DEBIAN_CLIENTS.python),
}
for (const [what, why] of Object.entries(absent)) if (why !== null) console.log(`Skipped: ${what}. ${why}`)

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world.close())

type VendorName = 'stripe' | 'twilio' | 'resend'
interface Sdk {
  readonly sdk: string
  readonly vendor: VendorName
  readonly language: 'node' | 'python'
  /** What the SDK throws at 403 and at 401. */
  readonly errors: readonly [string, string]
  readonly code: string
  /** What one act within the limit costs. */
  readonly usd: string
  readonly idempotent: boolean
  readonly missing?: string | null
}

const TWILIO = {
  vendor: 'twilio',
  errors: ['RestException', 'RestException'],
  code: 'recipient_not_allowed',
  usd: '0.016675',
  // Neither Twilio nor its SDKs have an idempotency key for messages.
  idempotent: false,
} as const
const STRIPE = { vendor: 'stripe', code: 'amount_over_limit', usd: '1.00', idempotent: true } as const
const NODE_ERRORS = ['StripePermissionError', 'StripeAuthenticationError'] as const

const SDKS: readonly Sdk[] = [
  { ...STRIPE, sdk: 'stripe-23', language: 'node', errors: NODE_ERRORS },
  { ...STRIPE, sdk: 'stripe-23-fetch', language: 'node', errors: NODE_ERRORS },
  { ...STRIPE, sdk: 'stripe-17', language: 'node', errors: NODE_ERRORS, missing: absent['stripe-17'] },
  { ...TWILIO, sdk: 'twilio', language: 'node' },
  {
    sdk: 'resend',
    vendor: 'resend',
    language: 'node',
    errors: ['Error', 'Error'],
    code: 'recipient_not_allowed',
    usd: '0.0009',
    idempotent: true,
  },
  {
    ...STRIPE,
    sdk: 'python-stripe',
    language: 'python',
    errors: ['PermissionError', 'AuthenticationError'],
    missing: absent.python,
  },
  {
    ...TWILIO,
    sdk: 'python-twilio',
    language: 'python',
    errors: ['TwilioRestException', 'TwilioRestException'],
    missing: absent.python,
  },
]

const WAYS = ['by its own recipe', 'by the preload', 'under spendgate run'] as const
type Way = (typeof WAYS)[number]

const LIMITS: Record<VendorName, object> = {
  stripe: { max_amount_usd: '50.00' },
  twilio: { recipients: ['+14155550100'] },
  resend: { recipients: ['*@acme.com'] },
}
const keyFor = (vendor: VendorName, more: object = {}): Promise<IssuedKey> =>
  world.key(
    { ...more, vendors: { [vendor]: { endpoints: { allow: ['* *'] }, ...LIMITS[vendor] } } },
    { vendors: [vendor] },
  )

function keysIn({ key, presentations }: IssuedKey): Record<string, string> {
  const { twilio } = presentations
  return {
    STRIPE_API_KEY: key,
    RESEND_API_KEY: key,
    ...(presentations.stripe && { STRIPE_SECRET_KEY: presentations.stripe[0]! }),
    ...(twilio && {
      TWILIO_ACCOUNT_SID: twilio.account_sid,
      TWILIO_API_KEY: twilio.api_key_sid,
      TWILIO_API_SECRET: twilio.api_key_secret,
    }),
  }
}

let runs = 0

/** The SDK's program, on its way to the proxy, and the key its calls are counted under. */
async function start(
  { sdk, vendor, language }: Sdk,
  way: Way,
  { origin = world.url, retries = '', policy = {} }: { origin?: string; retries?: string; policy?: object } = {},
): Promise<[Program, string]> {
  const key = await keyFor(vendor, policy)
  const [command, file] = language === 'python' ? [PYTHON, here('sdk.py')] : [process.execPath, here('sdk.mjs')]
  if (way === 'by its own recipe') {
    const base = { RESEND_BASE_URL: `${origin}/resend` }
    return [await startProgram(command, [file, sdk, origin, retries], { ...keysIn(key), ...base }), key.id]
  }
  if (way === 'by the preload') {
    const bases = {
      STRIPE_API_BASE: `${origin}/stripe`,
      TWILIO_API_BASE: `${origin}/twilio`,
      RESEND_BASE_URL: `${origin}/resend`,
    }
    const [load, env] =
      language === 'python' ? [[], { PYTHONPATH: here('../../src/preload/python') }] : [['--require', PRELOAD], {}]
    return [await startProgram(command, [...load, file, sdk], { ...keysIn(key), ...bases, ...env }), key.id]
  }
  const run = `sdk_${++runs}`
  const program = await startProgram(
    process.execPath,
    [built('cli/index.js'), 'run', '--key', key.id, '--run', run, '--', command, file, sdk],
    {
      HOME: world.dir,
      SPENDGATE_URL: world.server.adminUrl,
      SPENDGATE_ADMIN_TOKEN: REAL.admin,
      SPENDGATE_PORT: new URL(world.url).port,
    },
  )
  const [child] = (await world.must('GET', '/keys?limit=500')).keys.filter((each: any) => each.run === run)
  return [program, child.id]
}

/** Every call of a key, oldest first, and how many requests its rows stand for. */
async function rowsOf(id: string): Promise<{ rows: any[]; requests: number }> {
  const rows = await allCalls(world, `&key=${id}`)
  return { rows, requests: rows.reduce((sum, row) => sum + row.count, 0) }
}

describe.each(SDKS.map((each) => [each.sdk, each] as const))('%s', (_name, sdk) => {
  const simulator = (): World['stripe' | 'twilio' | 'resend'] => world[sdk.vendor]
  // The fetch client of stripe-node and the other have the same recipe; where they differ is below the preload.
  const ways = sdk.sdk === 'stripe-23-fetch' ? WAYS.slice(0, 2) : WAYS

  test.skipIf(sdk.missing).each(ways)(
    '%s: acts within its limit, is refused over it in its own error type after one request, is dead after a revoke',
    async (way) => {
      const [program, id] = await start(sdk, way)
      const within = await program.act('within')
      expect(within).toEqual({ ok: expect.stringMatching(/./) })
      expect(await spentBy(world, id)).toBe(sdk.usd)

      const before = (await rowsOf(id)).requests
      const over = await seenBy(simulator(), () => program.act('over'))
      expect(over.result).toMatchObject({ error: sdk.errors[0], status: 403 })
      expect(over.result.message).toContain(`${sdk.code}: `)
      expect(over.requests.filter(({ method }) => method === 'POST')).toEqual([])
      const refused = await rowsOf(id)
      expect(refused.requests).toBe(before + 1)
      expect(refused.rows.at(-1)).toMatchObject({ state: 'denied', decision: { code: sdk.code } })

      await world.must('POST', `/keys/${id}/revoke`)
      const dead = await seenBy(simulator(), () => program.act('within'))
      expect(dead.result).toMatchObject({ error: sdk.errors[1], status: 401 })
      expect(dead.result.message).toContain('key_revoked: ')
      expect({ requests: dead.requests, connections: dead.connections }).toEqual({ requests: [], connections: 0 })
      expect((await rowsOf(id)).requests).toBe(before + 2)
      expect(await spentBy(world, id)).toBe(sdk.usd)
      await program.end()
    },
  )

  if (!sdk.idempotent) return
  test.skipIf(sdk.missing).each(ways)(
    '%s: the same call twice under one idempotency key is counted once',
    async (way) => {
      const [program, id] = await start(sdk, way)
      const { ok } = await program.act('twice')
      await program.end()
      expect(ok).toHaveLength(2)
      expect(ok[1]).toBe(ok[0])
      expect(await spentBy(world, id)).toBe(sdk.usd)
      const { rows } = await rowsOf(id)
      expect(rows.map((row) => row.replay_of)).toEqual([null, rows[0].id])
    },
  )
})

test.skipIf(absent['stripe-17'])(
  '@stripe/agent-toolkit 0.9.0, which has the hosted MCP written into it, by the preload',
  async () => {
    const key = await keyFor('stripe')
    const program = await startProgram(process.execPath, ['--require', PRELOAD, here('sdk.mjs'), 'agent-toolkit'], {
      ...keysIn(key),
      STRIPE_API_BASE: `${world.url}/stripe`,
    })
    expect((await program.act('within')).ok).toContain('"amount":100')
    expect((await program.act('over')).message).toContain('amount_over_limit: ')
    await world.must('POST', `/keys/${key.id}/revoke`)
    expect((await program.act('within')).message).toContain('key_revoked: ')
    await program.end()
    expect(await spentBy(world, key.id)).toBe('1.00')
  },
)

/** A wire to the proxy that tears the first connection when the first byte of the reply has come. */
async function tearing(): Promise<{ origin: string; connections(): number; close(): void }> {
  let connections = 0
  const open = new Set<Socket>()
  const server = createServer((agent) => {
    const first = ++connections === 1
    const gate = connectTo(Number(new URL(world.url).port), '127.0.0.1')
    for (const socket of [agent, gate]) {
      open.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => open.delete(socket))
    }
    agent.pipe(gate)
    if (first) gate.once('data', () => agent.resetAndDestroy())
    else gate.pipe(agent)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    connections: () => connections,
    close() {
      for (const socket of open) socket.destroy()
      server.close()
    },
  }
}

/*
 * A connection that is closed after the request was sent is repeated once by both versions of stripe-node, even with
 * retries switched off. What comes of it depends on whether that retry has an idempotency key: the ledger shows what
 * happened at the vendor, and nothing else.
 */
describe.each([
  { name: 'stripe-23', retries: '', moved: 1 },
  { name: 'stripe-23', retries: '0', moved: 1 },
  { name: 'stripe-17', retries: '', moved: 1 },
  // Without retries this version gives no key, and repeats the call all the same.
  { name: 'stripe-17', retries: '0', moved: 2 },
])('$name with «$retries» retries, its connection reset after the vendor has acted', ({ name, retries, moved }) => {
  const sdk = SDKS.find((each) => each.sdk === name)!

  /** The one act, what moved at the vendor meanwhile, and the rows it left. */
  async function torn(policy: object = {}): Promise<{ told: any; moved: number; usd: string; rows: any[] }> {
    const wire = await tearing()
    const [program, id] = await start(sdk, 'by its own recipe', { origin: wire.origin, retries, policy })
    const { result, requests } = await seenBy(world.stripe, () => program.act('within'))
    await program.end()
    wire.close()
    expect(wire.connections()).toBe(2)
    const at = new Set(requests.map((request) => request.at))
    return {
      told: result,
      moved: world.stripe.moved().filter(({ request }) => at.has(request)).length,
      usd: await spentBy(world, id),
      rows: (await rowsOf(id)).rows,
    }
  }

  test.skipIf(sdk.missing)(`${moved} at the vendor and ${moved} in the ledger`, async () => {
    const seen = await torn()
    expect(seen).toMatchObject({ told: { ok: expect.stringMatching(/^re_/) }, moved, usd: `${moved}.00` })
    expect(seen.rows.map((row) => row.replay_of)).toEqual([null, moved === 1 ? seen.rows[0].id : null])
    expect(seen.rows.map((row) => row.state)).toEqual(['settled', 'settled'])
  })

  test.skipIf(sdk.missing)('with duplicate_guard it happens once in every case', async () => {
    const seen = await torn({ duplicate_guard: { within: '10m' } })
    expect(seen).toMatchObject({ moved: 1, usd: '1.00' })
    if (moved === 1) expect(seen.told).toMatchObject({ ok: expect.stringMatching(/^re_/) })
    else expect(seen.told).toMatchObject({ code: 'duplicate_call', status: 403 })
  })
})

/*
 * The same between spendgate and the vendor: the proxy answers 502 and counts the call as assumed, because it may have
 * happened. A retry under the same key brings the vendor's own answer, and the truth.
 */
describe.each([
  { name: 'stripe-23', retries: '', states: ['assumed', 'settled'] },
  { name: 'stripe-17', retries: '', states: ['assumed', 'settled'] },
  { name: 'stripe-17', retries: '0', states: ['assumed'] },
])('$name with «$retries» retries, the vendor’s connection reset after it has acted', ({ name, retries, states }) => {
  const sdk = SDKS.find((each) => each.sdk === name)!
  test.skipIf(sdk.missing)(`one at the vendor, one in the ledger: ${states.join(', then ')}`, async () => {
    const [program, id] = await start(sdk, 'by its own recipe', { retries })
    world.stripe.fault('POST /v1/refunds', { do: 'reset', applies: true })
    const before = world.stripe.moved().length
    const told = await program.act('within')
    await program.end()
    const { rows } = await rowsOf(id)
    expect({ told, states: rows.map((row) => row.state) }).toMatchObject({
      told: states.length === 2 ? { ok: expect.stringMatching(/^re_/) } : { status: 502, code: 'upstream_unavailable' },
      states,
    })
    expect(world.stripe.moved().length - before).toBe(1)
    expect(await spentBy(world, id)).toBe('1.00')
  })
})

/** Languages whose plain HTTP is pointed at `GATE/stripe`: arguments are the base, the key and the amount in cents. */
const PLAIN: readonly { name: string; command: string; args: readonly string[]; missing: string | null }[] = [
  {
    name: 'curl',
    command: 'sh',
    args: [
      '-c',
      `curl -sS -w '\\n%{http_code}' "$1/v1/refunds" -H "Authorization: Bearer $2" -d charge=ch_A -d amount="$3"`,
      'sh',
    ],
    missing: debianPackages(DEBIAN_CLIENTS.curl),
  },
  {
    name: 'PHP, curl extension',
    command: 'php',
    args: [here('plain.php')],
    missing: debianPackages(DEBIAN_CLIENTS.php),
  },
  {
    name: 'Ruby, net/http',
    command: 'ruby',
    args: [here('plain.rb')],
    missing: debianPackages(DEBIAN_CLIENTS.ruby),
  },
  {
    name: 'Java, java.net.http',
    command: 'java',
    args: [here('Plain.java')],
    // Its compiler is part of a package of 200 MB: used where it is, installed nowhere.
    missing: works('javac', '--version') ? null : 'There is no Java compiler here, and it is too large to install.',
  },
  {
    name: 'Go, net/http',
    command: 'go',
    args: ['run', here('plain.go')],
    // 460 MB on disk: likewise.
    missing: works('go', 'version') ? null : 'There is no Go here, and it is too large to install.',
  },
  { name: '.NET', command: 'dotnet', args: [], missing: 'Debian has no package of it.' },
]
for (const { name, missing } of PLAIN) if (missing !== null) console.log(`Skipped: ${name}. ${missing}`)

function works(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

describe.each(PLAIN)('plain HTTP from $name', ({ command, args, missing }) => {
  test.skipIf(missing)(
    'acts within its limit, is refused over it, is dead after a revoke',
    async () => {
      const key = await keyFor('stripe')
      const refund = async (cents: number): Promise<{ status: number; body: any }> => {
        const said = await output(command, [...args, `${world.url}/stripe`, key.key, `${cents}`], { HOME: world.dir })
        const cut = said.lastIndexOf('\n')
        return { status: Number(said.slice(cut)), body: JSON.parse(said.slice(0, cut)) }
      }
      expect(await refund(100)).toMatchObject({ status: 200, body: { object: 'refund', amount: 100 } })
      const over = await seenBy(world.stripe, () => refund(5001))
      expect(over.result).toMatchObject({ status: 403, body: { error: { code: 'amount_over_limit' } } })
      expect(over.requests.filter(({ method }) => method === 'POST')).toEqual([])
      await world.must('POST', `/keys/${key.id}/revoke`)
      expect(await refund(100)).toMatchObject({ status: 401, body: { error: { code: 'key_revoked' } } })
      expect(await rowsOf(key.id)).toMatchObject({ requests: 3 })
      expect(await spentBy(world, key.id)).toBe('1.00')
    },
    60_000,
  )
})
