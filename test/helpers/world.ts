import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { request } from 'undici'
import { startResend, startStripe, startTwilio } from '../../fixtures/simulators/index.js'
import type { ResendSimulator, StripeSimulator, TwilioSimulator } from '../../fixtures/simulators/index.js'
import { SystemClock } from '../../src/clock.js'
import { readConfig } from '../../src/config.js'
import { startServer, type Running } from '../../src/main.js'

export const REAL = {
  stripe: 'sk_live_CANARY51stripeRealKey0123456789abcdef',
  stripeTest: 'sk_test_CANARY51stripeTestKey0123456789abcd',
  twilioAccount: `AC${'5e1f0a7742c9d3b8'.repeat(2)}`,
  twilioKey: `SK${'fedcba9876543210'.repeat(2)}`,
  twilioSecret: 'CANARYtwilioSecret0123456789abcd',
  resend: 're_CANARY_resendRealKey0123456789',
  admin: 'sgadmin_CANARYadminToken0123456789abcdef',
  master: Buffer.from('CANARYmasterKey0123456789abcdef!').toString('base64'),
} as const

/** A Tuesday far from every midnight, while the shipped price tables are fresh. Tests move on from here. */
export const NOON = Date.parse('2026-11-24T12:00:00.000Z')

/** Where a world keeps its ledger: a database of its own where there is a server for it, else a file. */
async function ownDatabase(): Promise<Record<string, string>> {
  const server = process.env.SPENDGATE_TEST_POSTGRES
  if (server === undefined) return {}
  const name = `world_${randomBytes(8).toString('hex')}`
  const client = new pg.Client({ connectionString: server })
  await client.connect()
  await client.query(`create database ${name}`)
  await client.end()
  return { DATABASE_URL: server.replace(/[^/]*$/, name) }
}

/** A wall clock that tests can move. */
export class TestClock extends SystemClock {
  aheadMs = 0
  override now(): number {
    return super.now() + this.aheadMs
  }
  override suspect(): string | null {
    return null
  }
}

export interface IssuedKey {
  readonly id: string
  readonly key: string
  readonly presentations: {
    readonly stripe?: readonly string[]
    readonly twilio?: { account_sid: string; api_key_sid: string; api_key_secret: string }
    readonly resend?: string
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
  readonly body: any
}

/** The whole product on real sockets between vendor simulators and whoever calls, in a directory of its own. */
export class World {
  readonly dir: string
  readonly clock = new TestClock()
  stripe!: StripeSimulator
  twilio!: TwilioSimulator
  resend!: ResendSimulator
  server!: Running
  readonly #env: Record<string, string>

  private constructor(env: Record<string, string>) {
    this.dir = mkdtempSync(join(tmpdir(), 'spendgate-test-'))
    // The same day whenever the tests run: shipped price tables have a date and grow stale.
    this.clock.aheadMs = NOON - this.clock.now()
    this.#env = env
  }

  static async start(env: Record<string, string> = {}): Promise<World> {
    const world = new World({ ...(await ownDatabase()), ...env })
    const now = (): number => world.clock.now()
    ;[world.stripe, world.twilio, world.resend] = await Promise.all([
      startStripe({ keys: [REAL.stripe, REAL.stripeTest], now }),
      startTwilio({ now, accountSid: REAL.twilioAccount, keys: { [REAL.twilioKey]: REAL.twilioSecret } }),
      startResend({ now }),
    ])
    await world.serve()
    return world
  }

  /** Starts the server on the world's directory; again after `server.stop()`. */
  async serve(): Promise<void> {
    this.server = await startServer(
      readConfig({
        SPENDGATE_PORT: '0',
        SPENDGATE_ADMIN_PORT: '0',
        SPENDGATE_DATA_DIR: join(this.dir, 'data'),
        SPENDGATE_ADMIN_TOKEN: REAL.admin,
        SPENDGATE_MASTER_KEY: REAL.master,
        SPENDGATE_STRIPE_UPSTREAM: this.stripe.origin,
        SPENDGATE_TWILIO_UPSTREAM: this.twilio.origin,
        SPENDGATE_RESEND_UPSTREAM: this.resend.origin,
        SPENDGATE_LOG_LEVEL: 'silent',
        SPENDGATE_DRAIN_MS: '2000',
        // Only tests of reconciliation want reads of the vendors that nobody asked for.
        SPENDGATE_RECONCILE_MS: '0',
        ...this.#env,
      }),
      this.clock,
      // The days of tests go by the clock that they move, wherever the ledger is.
      true,
    )
  }

  async close(): Promise<void> {
    await this.server.stop()
    await Promise.all([this.stripe.close(), this.twilio.close(), this.resend.close()])
    rmSync(this.dir, { recursive: true, force: true })
  }

  get url(): string {
    return this.server.agentUrl
  }

  async admin(method: string, path: string, body?: unknown): Promise<Answer> {
    return ask(
      `${this.server.adminUrl}/admin/v1${path}`,
      method,
      { authorization: `Bearer ${REAL.admin}`, 'content-type': 'application/json' },
      body === undefined ? undefined : JSON.stringify(body),
    )
  }

  /** An admin call that must succeed; its body. */
  async must(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await this.admin(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`)
    return answer.body
  }

  /** Credentials for all three vendors, once; their ids by vendor. */
  async credentials(): Promise<{ stripe: string; twilio: string; resend: string }> {
    const known = (await this.must('GET', '/credentials')).credentials as { id: string; vendor: string }[]
    const byVendor = Object.fromEntries(known.map((each) => [each.vendor, each.id]))
    byVendor.stripe ??= (
      await this.must('POST', '/credentials', {
        vendor: 'stripe',
        name: 'stripe-main',
        secret: { api_key: REAL.stripe },
      })
    ).id
    byVendor.twilio ??= (
      await this.must('POST', '/credentials', {
        vendor: 'twilio',
        name: 'twilio-main',
        secret: { account_sid: REAL.twilioAccount, api_key_sid: REAL.twilioKey, api_key_secret: REAL.twilioSecret },
      })
    ).id
    byVendor.resend ??= (
      await this.must('POST', '/credentials', {
        vendor: 'resend',
        name: 'resend-main',
        secret: { api_key: REAL.resend },
      })
    ).id
    return byVendor as { stripe: string; twilio: string; resend: string }
  }

  #policies = 0

  /** A key under a policy made of `document` and defaults that allow everything of the named vendors. */
  async key(
    document: Record<string, unknown> = {},
    options: { vendors?: readonly ('stripe' | 'twilio' | 'resend')[]; run?: string; expires_in?: string } = {},
  ): Promise<IssuedKey> {
    const ids = await this.credentials()
    const vendors = options.vendors ?? ['stripe']
    const name = `policy-${++this.#policies}`
    const blocks = Object.fromEntries(
      vendors.map((vendor) => [vendor, { endpoints: { allow: ['* *'] }, permit: ['future_spend', 'destructive'] }]),
    )
    await this.must('POST', '/policies', {
      apiVersion: 'spendgate/v1',
      name,
      daily_cap_usd: '1000.00',
      ...document,
      vendors: { ...blocks, ...(document.vendors as object | undefined) },
    })
    const { run, expires_in } = options
    return this.must('POST', '/keys', {
      name: `agent-${this.#policies}`,
      policy: name,
      credentials: vendors.map((vendor) => ids[vendor]),
      ...(run ? { run } : {}),
      ...(expires_in ? { expires_in } : {}),
    })
  }

  /** A raw call as an agent would make it, form-encoded unless a type is given. */
  call(
    key: string,
    method: string,
    path: string,
    body?: string | Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    const text = typeof body === 'object' ? new URLSearchParams(body).toString() : body
    return ask(
      `${this.url}${path}`,
      method,
      {
        authorization: `Bearer ${key}`,
        ...(text === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' }),
        ...headers,
      },
      text,
    )
  }

  async calls(query = ''): Promise<any[]> {
    return (await this.must('GET', `/calls?limit=500${query}`)).calls
  }

  async spent(run: string): Promise<{ spent_usd: string; held_usd: string; calls: number; denied: number }> {
    return this.must('GET', `/runs/${run}`)
  }

  metrics(): Promise<Answer> {
    return ask(`${this.server.adminUrl}/metrics`, 'GET', { authorization: `Bearer ${REAL.admin}` }, undefined)
  }

  /** Faults the book finds in itself. */
  async verified(): Promise<readonly string[]> {
    return (await this.must('GET', '/audit/verify')).faults
  }

  /** Every byte the server keeps. It writes meanwhile: where a file was renamed after it was listed, all are read again. */
  files(): Buffer {
    const data = join(this.dir, 'data')
    for (;;) {
      try {
        return Buffer.concat(readdirSync(data).map((name) => readFileSync(join(data, name))))
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
      }
    }
  }

  /** Writes bytes as they are on one connection and gives back all that came, until the server closes or `ms` of silence. */
  raw(text: string): Promise<string> {
    const { hostname, port } = new URL(this.url)
    return new Promise((resolve, reject) => {
      const socket = connect(Number(port), hostname)
      let received = ''
      socket.setEncoding('latin1')
      socket.on('data', (chunk: string) => (received += chunk))
      socket.on('close', () => resolve(received))
      socket.on('error', reject)
      socket.write(text, 'latin1')
    })
  }
}

async function ask(
  url: string,
  method: string,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<Answer> {
  const reply = await request(url, { method: method as 'GET', headers, body: body ?? null })
  const text = await reply.body.text()
  let parsed: unknown = null
  try {
    parsed = JSON.parse(text)
  } catch {
    // Not every reply is JSON; `text` has it.
  }
  return { status: reply.statusCode, headers: reply.headers, text, body: parsed }
}
