import Database from 'better-sqlite3'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { resendClient, stripeClient, twilioClient } from '../../fixtures/simulators/clients.js'
import { readConfig } from '../../src/config.js'
import { parseUsd } from '../../src/contracts/money.js'
import { startServer } from '../../src/main.js'
import { agrees } from '../helpers/agreement.js'
import { REAL, type Answer, type IssuedKey, type World } from '../helpers/world.js'
import {
  allCalls,
  basic,
  books,
  callIdOf,
  codeOf,
  DAY,
  faults,
  moved,
  pay,
  payment,
  rowOf,
  seenBy,
  spentBy,
  startWorld,
  travel,
} from '../pipeline/given.js'

// What spendgate promises, in the words of the promise, shown over real sockets.

let world: World
/** Everything the server has logged. */
let logged = ''
beforeAll(async () => {
  const write = process.stderr.write.bind(process.stderr)
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk, ...rest: any[]) => {
    if (!String(chunk).startsWith('{"')) return write(chunk, ...rest)
    logged += String(chunk)
    return true
  })
  world = await startWorld({
    SPENDGATE_LOG_LEVEL: 'debug',
    SPENDGATE_DRAIN_MS: '0',
    SPENDGATE_UPSTREAM_TIMEOUT_MS: '2000',
  })
})
beforeEach(() => {
  world.stripe.faults.length = 0
})
afterAll(async () => {
  expect((await books(world)).held).toBe('0.00')
  await agrees(world)
  await world.close()
  vi.restoreAllMocks()
})

const INTENTS = 'POST /v1/payment_intents'
const lost = (): Promise<null> => Promise.resolve(null)

describe('1. Admitted spend in a window never exceeds its cap, whatever the concurrency, crash or node count.', () => {
  test('a crowd races, replies are lost, and the server is stopped in the middle and started again', async () => {
    const before = moved(world)
    const parent = await world.key({ daily_cap_usd: '10.00' })
    const child: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, { cap_usd: '4.00' })
    const crowd = (): Promise<(Answer | null)[]> =>
      Promise.all(
        Array.from({ length: 300 }, (_, i) => pay(world, i % 2 ? parent.key : child.key, 7 + (i % 13)).catch(lost)),
      )
    faults(world.stripe, INTENTS, { do: 'reset', applies: true }, 20)
    faults(world.stripe, INTENTS, { do: 'status', status: 500, applies: true }, 10)
    const hanging = world.stripe.fault(INTENTS, { do: 'hang', applies: true, times: 20 })
    const calls = crowd()
    await hanging.struck
    await world.server.stop()
    await calls
    await world.serve()
    hanging.release()
    await crowd()
    const spent = parseUsd(await spentBy(world, parent.id))! + parseUsd(await spentBy(world, child.id))!
    expect(spent).toBeLessThanOrEqual(10_000_000n)
    expect(spent).toBeGreaterThan(9_900_000n)
    expect(moved(world) - before).toBeLessThanOrEqual(spent)
    expect(parseUsd(await spentBy(world, child.id))).toBeLessThanOrEqual(4_000_000n)
  })

  test('a second server cannot serve from the same book', async () => {
    const config = readConfig({
      SPENDGATE_PORT: '0',
      SPENDGATE_ADMIN_PORT: '0',
      SPENDGATE_DATA_DIR: join(world.dir, 'data'),
      SPENDGATE_ADMIN_TOKEN: REAL.admin,
      SPENDGATE_MASTER_KEY: REAL.master,
      SPENDGATE_LOG_LEVEL: 'silent',
    })
    await expect(startServer(config, world.clock)).rejects.toThrow(/Another spendgate/)
    expect(await world.verified()).toEqual([])
  })
})

const PROMISE_2 =
  '2. Every request that names a known key leaves exactly one row, durable before the vendor sees a byte; ' +
  'a refused request sends nothing but the look-ups above.'

describe(PROMISE_2, () => {
  test('when the vendor has the request, the row is in the file', async () => {
    const key = await world.key()
    const fault = world.stripe.fault(INTENTS, { do: 'hang', applies: true })
    const call = pay(world, key.key, 123, { 'x-agent-run-id': 'run_durable' })
    await fault.struck
    const copy = join(world.dir, 'copy')
    mkdirSync(copy)
    for (const name of ['spendgate.db', 'spendgate.db-wal']) {
      if (existsSync(join(world.dir, 'data', name))) copyFileSync(join(world.dir, 'data', name), join(copy, name))
    }
    const book = new Database(join(copy, 'spendgate.db'))
    const rows = book.prepare(`select state, reserved from calls where run = 'run_durable'`).all()
    book.close()
    expect(rows).toEqual([{ state: 'reserved', reserved: 1_230_000 }])
    fault.release()
    await call
  })

  test('allowed, refused, replayed, malformed, looked up or unanswered: one row each', async () => {
    const key = await world.key({
      daily_cap_usd: '5.00',
      vendors: { stripe: { endpoints: { allow: ['* *'] }, customers: ['cus_A'] } },
    })
    const ask = (
      method: string,
      path: string,
      body?: string | Record<string, string>,
      headers?: Record<string, string>,
    ): Promise<Answer> => world.call(key.key, method, `/stripe/v1${path}`, body, headers)
    world.stripe.fault('POST /v1/charges', { do: 'reset', applies: true })
    const { result, requests } = await seenBy(world.stripe, async () => [
      await pay(world, key.key, 100, { 'idempotency-key': 'k' }),
      await pay(world, key.key, 100, { 'idempotency-key': 'k' }),
      await pay(world, key.key, 900),
      await ask('POST', '/refunds', { charge: 'ch_B', amount: '1' }),
      await ask('POST', '/refunds', 'charge=ch_A&charge=ch_B'),
      await ask('POST', '/no/such/thing', { a: '1' }),
      await ask('GET', '/customers/cus_A'),
      await ask('POST', '/charges', { amount: '50', currency: 'usd', customer: 'cus_A' }),
      await ask('GET', '/customers//cus_A'),
      await ask('POST', '/refunds', '{}', { 'content-type': 'application/json' }),
    ])
    const rows = await allCalls(world, `&key=${key.id}`)
    expect(rows.map(({ id }) => id)).toEqual(result.map(callIdOf))
    expect(rows.map(({ state }) => state)).toEqual([
      'settled',
      'settled',
      'denied',
      'denied',
      'denied',
      'denied',
      'settled',
      'assumed',
      'denied',
      'denied',
    ])
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      INTENTS,
      INTENTS,
      'GET /v1/charges/ch_B',
      'GET /v1/customers/cus_A',
      'POST /v1/charges',
    ])
  })

  test('a flood of refusals may share rows, and none is left uncounted', async () => {
    const key = await world.key({ daily_cap_usd: '0.01' })
    await Promise.all(Array.from({ length: 200 }, () => pay(world, key.key, 2)))
    const rows = await world.calls(`&key=${key.id}`)
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(200)
    expect(rows.length).toBeGreaterThanOrEqual(20)
    expect(await world.must('GET', `/keys/${key.id}`)).toMatchObject({ calls: 200, denied: 200 })
  })
})

const PROMISE_3 =
  '3. What was judged is what is sent: strict parse, refuse ambiguity, send the re-serialised canonical form.'

describe(PROMISE_3, () => {
  test('however a request is written, the vendor gets one form of it and nothing beside it', async () => {
    const key = await world.key()
    const written = ['amount=100&currency=usd&metadata[a]=b+c', '%61mount=%31%30%30&currency=usd&metadata%5Ba%5D=b%20c']
    const { requests } = await seenBy(world.stripe, async () => {
      for (const body of written) {
        const answer = await world.call(key.key, 'POST', '/stripe/v1/payment_intents', body, {
          'x-forwarded-for': '10.0.0.1',
          cookie: 'a=b',
          'stripe-version': '2014-01-31',
          'x-stripe-client-user-agent': '{}',
          'x-anything': '1',
        })
        expect(answer.status).toBe(200)
      }
    })
    expect(new Set(requests.map(({ body }) => body)).size).toBe(1)
    expect(Object.fromEntries(new URLSearchParams(requests[0]!.body))).toEqual({
      amount: '100',
      currency: 'usd',
      'metadata[a]': 'b c',
    })
    const [one, two] = await world.calls(`&key=${key.id}`)
    expect(one!.request_sha256).toBe(two!.request_sha256)
    for (const name of ['x-forwarded-for', 'cookie', 'x-anything'])
      expect(requests[0]!.headers).not.toHaveProperty(name)
    expect(requests[0]!.headers['stripe-version']).not.toBe('2014-01-31')
  })

  test.each([
    ['one name twice', 'amount=100&amount=900&currency=usd'],
    ['a value and a map', 'amount=100&amount[x]=900&currency=usd'],
    ['an escaped twin', 'amount=100&%61mount=900&currency=usd'],
    ['an array and an index', 'expand[]=a&expand[0]=b&amount=100&currency=usd'],
  ])('two readings are refused: %s', async (_what, body) => {
    const key = await world.key()
    const { result, requests } = await seenBy(world.stripe, () =>
      world.call(key.key, 'POST', '/stripe/v1/payment_intents', body),
    )
    expect(codeOf(result)).toBe('request_ambiguous')
    expect(requests).toHaveLength(0)
  })
})

describe('4. After `revoke` returns nothing more leaves under that key.', () => {
  test('neither what waits for a look-up, nor what is on its way here, nor its children’s', async () => {
    const key = await world.key()
    const child: IssuedKey = await world.must('POST', `/keys/${key.id}/runs`, {})
    const lookUps = faults(world.stripe, 'GET /v1/charges', { do: 'hang', applies: true }, 10)
    const flying = faults(world.stripe, INTENTS, { do: 'hang', applies: true }, 5)
    const refunds = lookUps.map((_, i) =>
      world.call(i % 2 ? key.key : child.key, 'POST', '/stripe/v1/refunds', { charge: 'ch_A', amount: '1' }),
    )
    const payments = flying.map(() => pay(world, key.key, 10))
    await Promise.all([...lookUps, ...flying].map((fault) => fault.struck))
    const { in_flight: inFlight } = await world.must('POST', `/keys/${key.id}/revoke`)
    const { result, requests } = await seenBy(world.stripe, async () => {
      const later = Array.from({ length: 50 }, (_, i) => pay(world, i % 2 ? key.key : child.key, 10))
      for (const fault of [...lookUps, ...flying]) fault.release()
      return Promise.all([...refunds, ...later])
    })
    expect(requests).toEqual([])
    expect(new Set(result.map(codeOf))).toEqual(new Set(['key_revoked']))
    expect(new Set(inFlight)).toEqual(new Set((await Promise.all(payments)).map(callIdOf)))
  })
})

describe('5. A real credential, the master key and admin tokens appear in no reply, log, row, backup or error.', () => {
  test('not even when the vendor echoes what it was sent, in a success or an error', async () => {
    const key = await world.key({}, { vendors: ['stripe', 'twilio', 'resend'] })
    const secrets = [REAL.stripe, REAL.resend, REAL.admin, REAL.master, world.twilio.keySecret]
      .flatMap((secret) => [
        secret,
        Buffer.from(secret).toString('base64').replace(/=+$/, ''),
        encodeURIComponent(secret),
      ])
      .concat(
        Buffer.from(`${world.twilio.keySid}:${world.twilio.keySecret}`).toString('base64'),
        Buffer.from(REAL.master, 'base64').toString('latin1'),
      )
    const shown: string[] = []
    const keep = ({ text, headers }: Answer): void => void shown.push(text, JSON.stringify(headers))
    const vendors = [
      { vendor: world.stripe, path: '/stripe/v1/customers/cus_A', headers: {} },
      { vendor: world.resend, path: '/resend/domains', headers: {} },
      {
        vendor: world.twilio,
        path: `/twilio/2010-04-01/Accounts/${world.twilio.accountSid}/Messages.json`,
        headers: basic(world.twilio.accountSid, key.key),
      },
    ]
    for (const { vendor, path, headers } of vendors) {
      for (const status of [200, 400, 500]) {
        const fault = vendor.fault('', { do: 'echo', status })
        const answer = await world.call(key.key, 'GET', path, undefined, headers)
        expect([fault.hits, answer.status]).toEqual([1, status])
        keep(answer)
      }
    }
    keep(await pay(world, key.key, 100))
    for (const path of [
      '/credentials',
      '/keys',
      '/calls?limit=500',
      '/runs',
      '/policies',
      '/audit/export',
      '/freezes',
      '/nothing',
    ])
      keep(await world.admin('GET', path))
    keep(
      await world.admin('POST', '/credentials', {
        vendor: 'stripe',
        name: 'x',
        secret: { api_key: `${REAL.stripe} ` },
      }),
    )
    keep(await world.admin('POST', '/credentials', { vendor: 'stripe', name: REAL.stripe, [REAL.stripe]: 1 }))
    for (const path of ['/metrics', '/admin/openapi.json']) {
      const reply = await request(`${world.server.adminUrl}${path}`, {
        headers: { authorization: `Bearer ${REAL.admin}` },
      })
      shown.push(await reply.body.text())
    }
    // A key of theirs where one of ours belongs, and ours where theirs does.
    keep(await world.call(REAL.admin, 'GET', '/stripe/v1/customers/cus_A'))
    keep(await world.call(REAL.stripe, 'GET', '/stripe/v1/customers/cus_A'))
    const backup = await world.must('POST', '/backup', { file: 'promise-5.db' })
    const everything = [...shown, logged, world.files().toString('latin1'), readFileSync(backup.file, 'latin1')].join(
      '\n',
    )
    expect(logged).not.toBe('')
    expect(everything.length).toBeGreaterThan(10_000)
    for (const secret of secrets)
      expect(everything.includes(secret), `«${secret.slice(0, 6)}…» is shown somewhere`).toBe(false)
  })
})

describe('6. An unknown outcome stays counted until the vendor’s records or the operator say otherwise.', () => {
  test('neither time, nor a restart, nor a revoked key, nor a later call makes it known', async () => {
    const key = await world.key({ budgets: [{ per: 'run', cap_usd: '3.00' }] })
    const answers: Answer[] = []
    for (const plan of [
      { do: 'reset', applies: true },
      { do: 'status', status: 500, applies: false },
      { do: 'truncate', applies: true },
    ] as const) {
      world.stripe.fault(INTENTS, plan)
      answers.push(await pay(world, key.key, 100))
    }
    const unchanged = async (): Promise<void> => {
      for (const answer of answers)
        expect(await rowOf(world, callIdOf(answer))).toMatchObject({ state: 'assumed', settled_usd: '1.00' })
      expect(await spentBy(world, key.id)).toBe('3.00')
    }
    await unchanged()
    expect(codeOf(await pay(world, key.key, 1))).toBe('run_cap_exceeded')
    travel(world, 2 * DAY)
    await world.server.stop()
    await world.serve()
    await unchanged()
    expect(codeOf(await pay(world, key.key, 1))).toBe('run_cap_exceeded')
    await world.must('POST', `/keys/${key.id}/revoke`)
    await unchanged()
  })
})

describe('7. What we do not understand and could cost money, we refuse.', () => {
  test.each([
    ['an operation nobody described', 'POST', '/stripe/v1/instant_loans', { amount: '1' }, 'operation_unknown'],
    ['a method nobody described', 'PUT', '/stripe/v1/payment_intents', payment(1), 'operation_unknown'],
    [
      'a parameter nobody described',
      'POST',
      '/stripe/v1/payment_intents',
      payment(1, { amount_multiplier: '9' }),
      'request_malformed',
    ],
    [
      'a currency without a rate',
      'POST',
      '/stripe/v1/payment_intents',
      payment(1, { currency: 'eur' }),
      'amount_unknown',
    ],
    [
      'a currency that is none',
      'POST',
      '/stripe/v1/payment_intents',
      payment(1, { currency: 'zzz' }),
      'amount_unknown',
    ],
    ['a payment without an amount', 'POST', '/stripe/v1/payment_intents', { currency: 'usd' }, 'amount_unknown'],
    [
      'an amount in another notation',
      'POST',
      '/stripe/v1/payment_intents',
      payment(1, { amount: '1e2' }),
      'request_malformed',
    ],
    ['a negative amount', 'POST', '/stripe/v1/payment_intents', payment(1, { amount: '-100' }), 'request_malformed'],
    ['an object that cannot be found', 'POST', '/stripe/v1/refunds', { charge: 'ch_nowhere' }, 'amount_unknown'],
    [
      'a message to where no price is known',
      'POST',
      '/twilio/2010-04-01/Accounts/ACCOUNT/Messages.json',
      { To: '+447400123456', From: '+14155550100', Body: 'x' },
      'amount_unknown',
    ],
    [
      'a call whose script has no bound',
      'POST',
      '/twilio/2010-04-01/Accounts/ACCOUNT/Calls.json',
      { To: '+14155550123', From: '+14155550100', Twiml: '<Response><Dial>+14155550199</Dial></Response>' },
      'effect_not_permitted',
    ],
  ])('%s', async (_what, method, path, body, code) => {
    const key = await world.key({}, { vendors: ['stripe', 'twilio'] })
    const writes = (): number =>
      [world.stripe, world.twilio].flatMap(({ requests }) => requests).filter((each) => each.method !== 'GET').length
    const before = writes()
    const answer = await world.call(
      key.key,
      method,
      path.replace('ACCOUNT', world.twilio.accountSid),
      body as Record<string, string>,
    )
    expect([answer.status, codeOf(answer)]).toEqual([403, code])
    expect(writes()).toBe(before)
    expect(await spentBy(world, key.id)).toBe('0.00')
  })
})

describe('8. Agents see vendor-shaped answers only, and no SDK retries a policy refusal.', () => {
  const refusedBy = {
    daily_cap_exceeded: { daily_cap_usd: '0.0001' },
    rate_limited: { rate_limit: { per_minute: 1 } },
    key_frozen: {},
  }
  test.each(Object.keys(refusedBy) as (keyof typeof refusedBy)[])(
    '%s, for stripe, twilio and resend with their retries on',
    async (code) => {
      const key = await world.key(refusedBy[code], { vendors: ['stripe', 'twilio', 'resend'] })
      if (code === 'rate_limited') await world.call(key.key, 'GET', '/stripe/v1/balance')
      if (code === 'key_frozen') await world.must('POST', '/freeze', { key: key.id })
      const { account_sid: account, api_key_sid: sid } = key.presentations.twilio!
      const stripe = await stripeClient(world.url, key.presentations.stripe![0]!, { maxNetworkRetries: 3 })
      const twilio = await twilioClient(world.url, account, sid, key.key, { prefix: '/twilio', autoRetry: true })
      const resend = await resendClient(`${world.url}/resend`, key.presentations.resend!)
      await expect(stripe.paymentIntents.create({ amount: 100, currency: 'usd' })).rejects.toMatchObject({
        code,
        rawType: 'invalid_request_error',
      })
      await expect(
        twilio.messages.create({ to: '+14155550123', from: '+14155550100', body: 'x' }),
      ).rejects.toMatchObject({ status: 403, details: { code } })
      const { error } = await resend.emails.send({ from: 'a@acme.com', to: 'b@acme.com', subject: 'x', text: 'x' })
      expect(error).toMatchObject({ name: code })
      const rows = await world.calls(`&key=${key.id}&state=denied`)
      expect(rows.map(({ vendor, count, decision }) => [vendor, count, decision.code])).toEqual([
        ['resend', 1, code],
        ['twilio', 1, code],
        ['stripe', 1, code],
      ])
    },
  )
})
