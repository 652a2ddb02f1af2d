import { createServer, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Plan, Simulator } from '../../fixtures/simulators/index.js'
import { SystemClock } from '../../src/clock.js'
import { Authority } from '../../src/connect/ca.js'
import { formatUsd, parseUsd, usd } from '../../src/contracts/money.js'
import { agrees } from '../helpers/agreement.js'
import { startServer } from '../helpers/process.js'
import { REAL, type Answer, type IssuedKey, type World } from '../helpers/world.js'
import { basic, books, callIdOf, codeOf, payment, rowOf, startWorld } from './given.js'

/*
 * Every fault at every vendor: what state the row ends in, what stays counted, and what the agent is told. Released is
 * only what left no byte, or what the vendor itself says it has not executed; everything else is assumed. After each
 * test the vendors' own lists of what they executed are held against the ledger, both ways.
 */

const TIMEOUT_MS = 250
/** Time-outs are looked at four times a second. */
const LATE_MS = 5_000
const ENV = { SPENDGATE_UPSTREAM_TIMEOUT_MS: String(TIMEOUT_MS) }
const NAMES = ['stripe', 'twilio', 'resend'] as const
type Name = (typeof NAMES)[number]

interface VendorFacts {
  /** Where its paid call goes, as the simulator's faults name it. */
  readonly match: string
  readonly costUsd: string
  /** Status of its success. */
  readonly success: number
  /** Statuses by which the vendor says that it has executed nothing. */
  readonly nothingDone: readonly number[]
  /** Whether a retry by the SDK carries a key by which the vendor recognises it. */
  readonly recognises: boolean
  ask(world: World, key: IssuedKey, n: number): Promise<Answer>
  /** Code and sentence of a refusal in the vendor's own shape. */
  said(body: any): { readonly code: unknown; readonly message: string; readonly status: unknown }
}

const FACTS: Readonly<Record<Name, VendorFacts>> = {
  stripe: {
    match: 'POST /v1/payment_intents',
    costUsd: '1.00',
    success: 200,
    nothingDone: [400, 401, 402, 403, 404, 429],
    recognises: true,
    ask: (world, { key }, n) =>
      world.call(key, 'POST', '/stripe/v1/payment_intents', payment(100, { 'metadata[n]': String(n) })),
    said: ({ error }) => ({ code: error.code, message: error.message, status: undefined }),
  },
  twilio: {
    match: 'POST /2010-04-01/',
    // One part to the United States by the shipped table: (0.0083 + 0.0062) × 1.15.
    costUsd: '0.016675',
    success: 201,
    nothingDone: [400, 401, 403, 404, 422, 429],
    recognises: false,
    ask: (world, { key }, n) =>
      world.call(
        key,
        'POST',
        `/twilio/2010-04-01/Accounts/${world.twilio.accountSid}/Messages.json`,
        { To: '+14155550123', From: '+14155550100', Body: `Parcel ${n}` },
        basic(world.twilio.accountSid, key),
      ),
    said: ({ details, message, status }) => ({ code: details.code, message, status }),
  },
  resend: {
    match: 'POST /emails',
    costUsd: '0.0009',
    success: 200,
    nothingDone: [400, 401, 403, 404, 422, 429],
    recognises: true,
    ask: (world, { key }, n) =>
      world.call(
        key,
        'POST',
        '/resend/emails',
        JSON.stringify({ from: 'a@acme.com', to: 'b@acme.com', subject: `Parcel ${n}`, text: 'On its way.' }),
        { 'content-type': 'application/json' },
      ),
    said: ({ name, message, statusCode }) => ({ code: name, message, status: statusCode }),
  },
}

/** A world, a key for all three vendors, and the calls made under it so far. */
class Stage {
  world!: World
  key!: IssuedKey
  /** Calls that count although the vendor did nothing. */
  phantoms = 0
  #asked = 0

  async open(env: Record<string, string> = {}): Promise<void> {
    this.world = await startWorld({ ...ENV, ...env })
    this.key = await this.world.key({}, { vendors: NAMES })
  }

  simulator(name: Name): Simulator {
    return this.world[name]
  }

  ask(name: Name): Promise<Answer> {
    return FACTS[name].ask(this.world, this.key, ++this.#asked)
  }

  async spent(): Promise<bigint> {
    return parseUsd((await this.world.must('GET', `/keys/${this.key.id}`)).spent_usd)!
  }

  /** What the daily cap has left. */
  async remaining(): Promise<bigint> {
    const { budgets } = await this.world.must('GET', `/keys/${this.key.id}`)
    return parseUsd(budgets[0].left_usd)!
  }

  async agree(): Promise<void> {
    expect((await agrees(this.world)).phantoms).toBe(this.phantoms)
  }

  async close(): Promise<void> {
    expect((await books(this.world)).held).toBe('0.00')
    await this.world.close()
  }
}

interface Expected {
  readonly status: number
  /** Of our refusal; null when the vendor's own answer is passed on. */
  readonly code: string | null
  readonly state: 'assumed' | 'released' | 'settled'
}

/** Makes one call under whatever was set up, and checks every trace that it leaves. */
async function expectCall(stage: Stage, name: Name, outcome: Expected): Promise<Answer> {
  const { costUsd, recognises, said } = FACTS[name]
  const [spent, remaining] = [await stage.spent(), await stage.remaining()]
  const answer = await stage.ask(name)
  expect([answer.status, codeOf(answer)], answer.text.slice(0, 300)).toEqual([outcome.status, outcome.code])
  const counts = outcome.state !== 'released'
  const row = await rowOf(stage.world, callIdOf(answer))
  expect(row).toMatchObject({
    vendor: name,
    state: outcome.state,
    reserved_usd: costUsd,
    settled_usd: counts ? costUsd : '0.00',
    decision: { verdict: 'allow', code: null },
  })
  const cost = counts ? parseUsd(costUsd)! : 0n
  expect((await stage.spent()) - spent).toBe(cost)
  expect(remaining - (await stage.remaining())).toBe(cost)
  expect(answer.headers['x-spendgate-decision']).toBe('allow')
  // What the head says is from the admission: the amount was held then, whatever came of it.
  expect(parseUsd(answer.headers['x-spendgate-remaining-usd'] as string)).toBe(remaining - parseUsd(costUsd)!)
  if (outcome.code === null) return answer
  const { code, message, status } = said(answer.body)
  expect([code, status ?? answer.status]).toEqual([outcome.code, outcome.status])
  expect(message).toMatch(new RegExp(`^${outcome.code}: `))
  // Stripe's SDK sends again on its own unless it is told not to; under its key that is safe, and nothing else is.
  if (name === 'stripe') expect(answer.headers['stripe-should-retry']).toBe(recognises ? undefined : 'false')
  return answer
}

const LOST = { status: 502, code: 'upstream_unavailable', state: 'assumed' } as const
const LATE = { status: 504, code: 'upstream_timeout', state: 'assumed' } as const
const html = (head: string, body: string): string =>
  `HTTP/1.1 ${head}\r\nContent-Type: text/html\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
const json = (body: string): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`

interface Fault extends Expected {
  readonly what: string
  readonly plan: (applies: boolean) => Plan
}

const raw =
  (bytes: string) =>
  (applies: boolean): Plan => ({ do: 'raw', bytes, applies })

/** Faults after the request has left, whether or not the vendor executed it. */
const AFTER_IT_LEFT: readonly Fault[] = [
  { what: 'no head of a reply in time', plan: (applies) => ({ do: 'hang', applies }), ...LATE },
  { what: 'a reply whose body stops half-way', plan: (applies) => ({ do: 'stall', applies }), ...LATE },
  { what: 'a reply that comes too late', plan: (applies) => ({ do: 'late', ms: LATE_MS, applies }), ...LATE },
  { what: 'a reset before the reply', plan: (applies) => ({ do: 'reset', applies }), ...LOST },
  { what: 'a reset in the reply’s head', plan: (applies) => ({ do: 'reset-in-head', applies }), ...LOST },
  { what: 'a reset in the reply’s body', plan: (applies) => ({ do: 'reset-in-body', applies }), ...LOST },
  { what: 'half a body that is declared whole', plan: (applies) => ({ do: 'truncate', applies }), ...LOST },
  { what: 'a body shorter than declared', plan: (applies) => ({ do: 'misdeclare', by: 40, applies }), ...LOST },
  { what: 'a body longer than declared', plan: (applies) => ({ do: 'misdeclare', by: -40, applies }), ...LOST },
  { what: 'bytes that are no HTTP', plan: raw('SSH-2.0-OpenSSH_9.2\r\n'), ...LOST },
  { what: 'a connection closed without a byte', plan: raw(''), ...LOST },
  { what: 'a head of 64 KiB', plan: raw(`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`), ...LOST },
  { what: 'a page in place of JSON, as a success', plan: raw(html('200 OK', '<html>Welcome</html>')), ...LOST },
  { what: 'a success without a body', plan: raw(html('200 OK', '')), ...LOST },
  { what: 'a success that is no object', plan: raw(json('"done"')), ...LOST },
  { what: 'a success that is null', plan: raw(json('null')), ...LOST },
  { what: 'an encoded body nobody asked for', plan: (applies) => ({ do: 'gzip', applies }), ...LOST },
  { what: 'a declared body of 9 MiB', plan: (applies) => ({ do: 'oversize', mib: 9, applies }), ...LOST },
  {
    what: 'an endless body',
    plan: (applies) => ({ do: 'oversize', mib: 12, declared: false, applies }),
    ...LOST,
  },
  ...[301, 302, 303, 304, 307, 308].map((status) => ({
    what: `a redirect (${status})`,
    plan: (applies: boolean): Plan => ({ do: 'redirect', to: 'http://127.0.0.1:9/', status, applies }),
    ...LOST,
  })),
  ...[409, 500, 502, 503, 504].map((status) => ({
    what: `the vendor’s own ${status}`,
    plan: (applies: boolean): Plan => ({ do: 'status', status, applies }),
    status,
    code: null,
    state: 'assumed' as const,
  })),
]

const stage = new Stage()
beforeAll(() => stage.open())
beforeEach(() => {
  for (const name of NAMES) stage.simulator(name).faults.length = 0
})
afterEach(() => stage.agree())
afterAll(() => stage.close())

describe.each(NAMES)('%s: the request has left, so it is assumed and counts', (name) => {
  const cells = AFTER_IT_LEFT.flatMap((fault) =>
    [true, false].map(
      (applies) =>
        [`${fault.what}, and the vendor ${applies ? 'acted' : 'did not act'}`, { ...fault, applies }] as const,
    ),
  )
  test.each(cells)('%s → assumed', async (_cell, { plan, applies, status, code, state }) => {
    const fault = stage.simulator(name).fault(FACTS[name].match, plan(applies))
    if (!applies) stage.phantoms++
    await expectCall(stage, name, { status, code, state })
    expect(fault.hits).toBe(1)
    fault.release()
  })

  test('a success that arrives after the time is over changes nothing → assumed', async () => {
    const fault = stage.simulator(name).fault(FACTS[name].match, { do: 'hang', applies: true })
    const answer = await expectCall(stage, name, LATE)
    const before = await rowOf(stage.world, callIdOf(answer))
    fault.release()
    // A later call on the same server has seen the vendor's answer to the first come to nothing.
    await expectCall(stage, name, { status: FACTS[name].success, code: null, state: 'settled' })
    expect(await rowOf(stage.world, callIdOf(answer))).toEqual(before)
  })
})

describe.each(NAMES)('%s: the vendor answers with an error', (name) => {
  const { nothingDone, match } = FACTS[name]
  test.each(
    [400, 401, 402, 403, 404, 422, 429].map(
      (status) => [status, nothingDone.includes(status) ? 'released' : 'assumed'] as const,
    ),
  )('%i → %s', async (status, state) => {
    stage.simulator(name).fault(match, { do: 'status', status, applies: false })
    const answer = await expectCall(stage, name, { status, code: null, state })
    if (state === 'assumed') stage.phantoms++
    // The vendor's own word on when to come again is passed on, and none is made up.
    expect(answer.headers['retry-after']).toBe(status === 429 ? '1' : undefined)
  })
})

describe.each(NAMES)('%s: a connection reset as it is accepted', (name) => {
  test('is assumed, unless no byte had left', async () => {
    const server = createServer((socket) => socket.resetAndDestroy())
    const own = new Stage()
    await own.open(await upstreams(server, 'http'))
    const answer = await own.ask(name)
    expect([answer.status, codeOf(answer)]).toEqual([502, 'upstream_unavailable'])
    const { state } = await rowOf(own.world, callIdOf(answer))
    const untouched = FACTS[name].said(answer.body).message.includes('Nothing was sent')
    expect(state).toBe(untouched ? 'released' : 'assumed')
    if (!untouched) own.phantoms++
    await own.agree()
    await own.close()
    await closed(server)
  })
})

const REFUSED = { status: 502, code: 'upstream_unavailable', state: 'released' } as const

describe('no byte can have left, so it is released', () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-faults-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  const everywhere = (origin: string): Record<string, string> =>
    Object.fromEntries(NAMES.map((name) => [`SPENDGATE_${name.toUpperCase()}_UPSTREAM`, origin]))

  const breaking = (how: (socket: Socket) => void) => async (): Promise<{ env: Record<string, string> }> => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy())
      how(socket)
    })
    opened.push(server)
    return { env: await upstreams(server, 'https') }
  }
  const opened: ReturnType<typeof createServer>[] = []
  afterAll(() => Promise.all(opened.map(closed)))

  const WAYS: readonly {
    readonly what: string
    readonly open: () => Promise<{ env: Record<string, string> }>
    readonly outcome: Expected
  }[] = [
    {
      what: 'a host that has no address',
      // RFC 6761 keeps this name from ever having one.
      open: async () => ({ env: everywhere('https://vendor.invalid') }),
      outcome: REFUSED,
    },
    {
      what: 'a port where nobody listens',
      open: async () => {
        const server = createServer()
        const env = await upstreams(server, 'http')
        await closed(server)
        return { env }
      },
      outcome: REFUSED,
    },
    {
      what: 'a handshake answered with something else than TLS',
      open: breaking((socket) => socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))),
      outcome: REFUSED,
    },
    {
      what: 'a handshake that is cut off',
      open: breaking((socket) => socket.once('data', () => socket.resetAndDestroy())),
      outcome: REFUSED,
    },
    {
      what: 'a handshake that nobody answers in time',
      open: breaking((socket) => socket.resume()),
      outcome: { status: 504, code: 'upstream_timeout', state: 'released' },
    },
    {
      what: 'a certificate that nobody vouches for',
      open: async () => {
        const authority = await Authority.open(dir, ['stripe.com'], new SystemClock())
        const secureContext = await authority.contextFor('api.stripe.com')
        const server = createTlsServer({ SNICallback: (_name, done) => done(null, secureContext) }, (socket) => {
          throw new Error(`a request came through: ${socket.remotePort}`)
        })
        opened.push(server)
        return { env: await upstreams(server, 'https') }
      },
      outcome: REFUSED,
    },
  ]

  describe.each(WAYS.map((way) => [way.what, way] as const))('%s', (_what, { open, outcome }) => {
    const own = new Stage()
    beforeAll(async () => own.open((await open()).env))
    afterEach(() => own.agree())
    afterAll(() => own.close())

    test.each(NAMES)('%s → released', async (name) => {
      const answer = await expectCall(own, name, outcome)
      expect(FACTS[name].said(answer.body).message).toMatch(/Nothing was sent, and nothing is counted\./)
      expect(own.simulator(name).requests).toEqual([])
    })
  })
})

describe.each(NAMES)('%s: our own process is killed after the request has left', (name) => {
  test.each([true, false])('and the vendor executed it: %s → assumed at the next start', async (applies) => {
    const own = new Stage()
    await own.open({ SPENDGATE_UPSTREAM_TIMEOUT_MS: '60000' })
    const { world, key } = own
    // The same book, served by a process of its own that can be killed.
    await world.server.stop()
    const { child, ready } = startServer({
      SPENDGATE_DATA_DIR: join(world.dir, 'data'),
      SPENDGATE_ADMIN_TOKEN: REAL.admin,
      SPENDGATE_MASTER_KEY: REAL.master,
      ...Object.fromEntries(
        NAMES.map((each) => [`SPENDGATE_${each.toUpperCase()}_UPSTREAM`, own.simulator(each).origin]),
      ),
    })
    const { agent } = await ready
    const hang = own.simulator(name).fault(FACTS[name].match, { do: 'hang', applies })
    const there = Object.create(world, { url: { value: agent } }) as World
    const lost = FACTS[name].ask(there, key, 1).then(
      () => 'answered',
      () => 'lost',
    )
    await hang.struck
    await child.kill()
    expect(await lost).toBe('lost')
    hang.release()
    await world.serve()
    expect(await world.calls()).toMatchObject([{ state: 'assumed', settled_usd: FACTS[name].costUsd, vendor: name }])
    expect(formatUsd(usd(await own.spent()))).toBe(FACTS[name].costUsd)
    if (!applies) own.phantoms++
    await own.agree()
    await own.close()
  })
})

/** Starts a server and leads all three vendors to it. */
async function upstreams(
  server: ReturnType<typeof createServer>,
  scheme: 'http' | 'https',
): Promise<Record<string, string>> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const origin = `${scheme}://127.0.0.1:${port}`
  return Object.fromEntries(NAMES.map((name) => [`SPENDGATE_${name.toUpperCase()}_UPSTREAM`, origin]))
}

const closed = (server: ReturnType<typeof createServer>): Promise<void> =>
  new Promise((resolve) => server.close(() => resolve()))
