import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { expect } from 'vitest'
import { z } from 'zod'
import { judge } from '../../policies/index.js'
import type { AdminDeps } from '../../src/admin/deps.js'
import { createAdmin } from '../../src/admin/server.js'
import { archiver } from '../../src/audit/archive.js'
import type { CallDraft, Ledger, Settlement } from '../../src/contracts/ledger.js'
import { usd } from '../../src/contracts/money.js'
import type { SecretParts, Vendor } from '../../src/contracts/vendor.js'
import { KeyDigest } from '../../src/custody/keys.js'
import { Vault } from '../../src/custody/seal.js'
import type { Reach } from '../../src/admin/take-back.js'
import { Credentials, runtimeOf } from '../../src/engine.js'
import { publicKeysOf } from '../../src/ledger/checkpoints.js'
import { openSqlite } from '../../src/ledger/sqlite.js'
import { Upstream } from '../../src/wire/upstream.js'

export const TOKEN = 'sgadmin_CANARYtokenCANARYtokenCANARYtokenCANARYtok'
export const STRIPE_LIVE = 'rk_live_CANARYlive0123456789abcdef'
export const STRIPE_TEST = 'rk_test_CANARYtest0123456789abcdef'
export const TWILIO = {
  account_sid: `AC${'a1'.repeat(16)}`,
  api_key_sid: `SK${'b2'.repeat(16)}`,
  api_key_secret: 'CANARYtwilioSecret0123456789',
}
export const RESEND = 're_CANARYresend_0123456789'
export const MASTER = Buffer.from('CANARYmasterkeyCANARYmasterkey!!')
const PEPPER = Buffer.from('CANARYpepper0123456789CANARYpepp')
export const START = Date.parse('2026-11-21T12:00:00.000Z')

export const POLICY = {
  apiVersion: 'spendgate/v1',
  name: 'support-refunds',
  daily_cap_usd: '200.00',
  expires_in: '4h',
  budgets: [{ per: 'run', cap_usd: '20.00' }],
  vendors: { stripe: { endpoints: { allow: ['GET /v1/charges*', 'POST /v1/refunds'] }, max_amount_usd: '50.00' } },
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  /** The parsed body; tests say what they expect of it. */
  readonly body: any
}

export interface Asking {
  readonly token?: string | null
  readonly headers?: OutgoingHttpHeaders
  /** Sent as it is; with `type` as its media type. */
  readonly raw?: string | Buffer
  readonly type?: string
}

/** An admin API on a real socket over a real ledger, with everything it ever said on record. */
export class World {
  nowMs = START
  readonly dir = mkdtempSync(join(tmpdir(), 'spendgate-admin-'))
  readonly ledger: Ledger
  readonly vault = new Vault(MASTER)
  readonly digest = new KeyDigest(PEPPER)
  readonly reach: Reach | null = null
  readonly faults: unknown[] = []
  readonly said: string[] = []
  /** Vault keys shown so far. */
  readonly shown: string[] = []
  token = TOKEN
  tablesChanged = 0
  readonly #server: Server
  #described: Described | null = null

  private constructor(deps: Partial<AdminDeps>, vendorOrigin: string | null) {
    const clock = { now: () => this.nowMs, monotonic: () => this.nowMs }
    this.ledger = openSqlite({ file: join(this.dir, 'spendgate.db'), clock })
    if (vendorOrigin !== null) {
      const vendors = new Map(VENDORS.map((each) => [each.name, runtimeOf(each, vendorOrigin)]))
      this.reach = {
        vendors,
        credentials: new Credentials(this.ledger, this.vault, vendors, clock),
        upstream: new Upstream({ timeoutMs: 2_000, clock }),
      }
    }
    const app = createAdmin({
      ledger: this.ledger,
      judge,
      vault: this.vault,
      digest: this.digest,
      vendors: VENDORS,
      clock,
      adminToken: { check: (token) => token === this.token },
      allowedHosts: ['admin.example.test', '2001:DB8::1'],
      ready: () => ({ ok: true, faults: [] }),
      version: '0.1.0',
      onTablesChanged: () => this.tablesChanged++,
      onFault: (fault) => this.faults.push(fault),
      backupDir: join(this.dir, 'backups'),
      history: {
        archive: archiver(join(this.dir, 'archive'), () => publicKeysOf(this.ledger)),
        subject: (text) => createHash('sha256').update(text).digest('hex'),
      },
      ...(this.reach && { reach: this.reach }),
      ...deps,
    })
    this.#server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }) as Server
  }

  /** @param vendorOrigin who answers for all vendors; without one the admin API reaches none */
  static async start(deps: Partial<AdminDeps> = {}, vendorOrigin: string | null = null): Promise<World> {
    const world = new World(deps, vendorOrigin)
    if (!world.#server.listening) await new Promise((resolve) => world.#server.once('listening', resolve))
    return world
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await this.reach?.upstream.close()
    await new Promise((resolve) => this.#server.close(resolve))
    await this.ledger.close()
    rmSync(this.dir, { recursive: true, force: true })
  }

  /** Opens a request and gives its reply as soon as the headers are there. */
  open(method: string, path: string, body?: unknown, asking: Asking = {}): Promise<IncomingMessage> {
    const payload = asking.raw ?? (body === undefined ? undefined : JSON.stringify(body))
    const headers: OutgoingHttpHeaders = {}
    if (payload !== undefined) headers['content-type'] = asking.type ?? 'application/json'
    if (asking.token !== null) headers['authorization'] = `Bearer ${asking.token ?? this.token}`
    return new Promise((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: this.port, method, path, agent: false, headers: { ...headers, ...asking.headers } },
        resolve,
      )
      sent.on('error', reject)
      sent.end(payload)
    })
  }

  /** Asks, and holds the reply against what the OpenAPI document promises. */
  async ask(method: string, path: string, body?: unknown, asking: Asking = {}): Promise<Reply> {
    const incoming = await this.open(method, path, body, asking)
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const text = Buffer.concat(chunks).toString('latin1')
    this.said.push(JSON.stringify(incoming.headers) + text)
    const isJson = /[/+]json$/.test(incoming.headers['content-type'] ?? '')
    const reply = {
      status: incoming.statusCode!,
      headers: incoming.headers,
      text,
      body: isJson ? JSON.parse(Buffer.from(text, 'latin1').toString()) : null,
    }
    if (typeof reply.body?.key === 'string') this.shown.push(reply.body.key)
    if (isJson && path.startsWith('/admin/v1/')) await this.#holdToPromise(method, path, reply)
    return reply
  }

  get = (path: string, asking?: Asking): Promise<Reply> => this.ask('GET', `/admin/v1${path}`, undefined, asking)
  post = (path: string, body?: unknown, asking?: Asking): Promise<Reply> =>
    this.ask('POST', `/admin/v1${path}`, body, asking)
  put = (path: string, body?: unknown, asking?: Asking): Promise<Reply> =>
    this.ask('PUT', `/admin/v1${path}`, body, asking)

  /** No reply so far may hold a credential, the admin token, the master key, or a vault key other than at its issue. */
  expectNoSecrets(): void {
    const secrets = [
      'CANARY',
      ...[STRIPE_LIVE, STRIPE_TEST, TWILIO.api_key_secret, RESEND, TOKEN].flatMap((secret) => [
        encoded(secret, 'base64'),
        encoded(secret, 'hex'),
      ]),
    ]
    secrets.push(encoded(MASTER, 'base64'), encoded(MASTER, 'hex'), encoded(PEPPER, 'hex'), encoded(PEPPER, 'base64'))
    for (const secret of secrets) expect(this.said.filter((text) => text.includes(secret))).toEqual([])
    for (const key of this.shown) {
      expect(this.said.filter((text) => text.includes(key))).toHaveLength(1)
      expect(this.said.filter((text) => text.includes(this.digest.of(key)))).toEqual([])
    }
  }

  async #holdToPromise(method: string, path: string, reply: Reply): Promise<void> {
    this.#described ??= JSON.parse((await this.#plain('/admin/openapi.json')).toString()) as Described
    if (reply.status >= 400) return this.#hold({ $ref: '#/components/schemas/Problem' }, reply)
    const bare = path.split('?')[0]!
    const templates = Object.keys(this.#described.paths).filter((template) =>
      new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(bare),
    )
    const template = templates.find((each) => each === bare) ?? templates[0]
    const schema =
      this.#described.paths[template!]?.[method.toLowerCase()]?.responses[String(reply.status)]?.content?.[
        'application/json'
      ]?.schema
    expect(schema, `${method} ${path} → ${reply.status} is described`).toBeDefined()
    this.#hold(schema!, reply)
  }

  #hold(schema: object, reply: Reply): void {
    const text = JSON.stringify({ ...schema, $defs: this.#described!.components.schemas }).replaceAll(
      '#/components/schemas/',
      '#/$defs/',
    )
    const checked = z.fromJSONSchema(JSON.parse(text)).safeParse(reply.body)
    expect(checked.error?.issues ?? []).toEqual([])
  }

  async #plain(path: string): Promise<Buffer> {
    const chunks: Buffer[] = []
    for await (const chunk of await this.open('GET', path)) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks)
  }

  // What a test usually begins with

  async credential(vendor: string, name: string, secret: SecretParts): Promise<string> {
    const reply = await this.post('/credentials', { vendor, name, secret })
    expect(reply.status).toBe(201)
    return reply.body.id
  }

  async policy(changes: object = {}): Promise<void> {
    expect((await this.post('/policies', { ...POLICY, ...changes })).status).toBe(201)
  }

  /** A live Stripe key under the usual policy. */
  async key(more: object = {}): Promise<{ id: string; key: string }> {
    if (this.ledger.policies().length === 0) await this.policy()
    if (this.ledger.credentials().length === 0) await this.credential('stripe', 'main', { api_key: STRIPE_LIVE })
    const reply = await this.post('/keys', { name: 'bot', policy: 'support-refunds', credentials: ['main'], ...more })
    expect(reply.status).toBe(201)
    return reply.body
  }

  /** Books a call of a key as the pipeline would. */
  async call(
    keyId: string,
    micro: bigint,
    settlement: Settlement | null = SETTLED,
    changes: Partial<CallDraft> = {},
  ): Promise<string> {
    const key = this.ledger.key(keyId)!
    const draft: CallDraft = {
      key,
      credentialId: key.credentialIds[0]!,
      run: 'run_1',
      runSource: 'header',
      vendor: 'stripe',
      surface: 'rest',
      method: 'POST',
      path: '/v1/refunds',
      operation: 'refunds.create',
      effect: 'spend',
      direction: 'out',
      customer: 'cus_A',
      reason: null,
      quoted: usd(micro),
      basis: 'exact',
      object: null,
      commits: null,
      requestHash: 'ab'.repeat(32),
      idempotencyHash: null,
      budgets: [],
      guarded: false,
      lookUps: 0,
      rateCounted: false,
      perMinute: [],
      ...changes,
    }
    const denial = { code: 'amount_over_limit' as const, message: 'USD 60.00 is over the limit.', rule: 'max-amount' }
    const { callId } = await this.ledger.admit(draft, () =>
      settlement ? { verdict: 'allow', denial: null } : { verdict: 'deny', denial },
    )
    if (settlement) {
      expect(this.ledger.mayLeave(callId)).toBe(true)
      this.ledger.settle(callId, settlement)
      await this.ledger.flushed()
    }
    return callId
  }
}

export const SETTLED: Settlement = { outcome: 'settled', status: 200, requestId: 'req_1', ms: 12 }

const encoded = (secret: string | Buffer, encoding: 'base64' | 'hex'): string =>
  Buffer.from(secret).toString(encoding).replace(/=+$/, '')

interface Described {
  readonly paths: Record<
    string,
    Record<string, { responses: Record<string, { content?: Record<string, { schema: object }> }> }>
  >
  readonly components: { readonly schemas: Record<string, object> }
}

/** Vendors as far as the admin API knows them: what a credential looks like, and how a key is shown. */
const vendor = (name: string, more: Pick<Vendor, 'credential' | 'presentations'> & Partial<Vendor>): Vendor => ({
  name,
  hosts: [`api.${name}.test`],
  operations: [],
  body: 'form',
  ownsRoot: () => false,
  present: () => null,
  authorize: () => '',
  secrets: (parts) => Object.values(parts),
  requestHeaders: [],
  replyHeaders: [],
  fixedHeaders: () => ({}),
  idempotent: () => false,
  refuse: () => ({ status: 403, headers: {}, body: {} }),
  verdict: () => 'assumed',
  requestIdHeader: 'x-request-id',
  ...more,
})

const VENDORS: readonly Vendor[] = [
  vendor('stripe', {
    credential: ({ api_key: key = '' }) =>
      /^rk_(live|test)_\w+$/.test(key)
        ? { account: '', test: key.startsWith('rk_test_'), last4: key.slice(-4) }
        : `api_key ${key} is no Stripe key.`,
    presentations: (key) => [`rk_${key}`, `sk_${key}`],
    authorize: ({ api_key: key = '' }) => `Bearer ${key}`,
    takeBack: ({ operation, object }) =>
      operation === 'payment_intents.create'
        ? { method: 'POST', path: `/v1/payment_intents/${object}/cancel` }
        : operation === 'payment_links.create'
          ? { method: 'POST', path: `/v1/payment_links/${object}`, params: [['active', 'false']] }
          : operation === 'subscriptions.create'
            ? { method: 'DELETE', path: `/v1/subscriptions/${object}`, params: [['prorate', 'false']] }
            : null,
  }),
  vendor('twilio', {
    credential: (parts) =>
      parts.account_sid
        ? { account: parts.account_sid, test: false, last4: (parts.api_key_secret ?? parts.auth_token ?? '').slice(-4) }
        : 'account_sid is missing.',
    presentations: (key, publicId, account) => ({
      account_sid: account,
      api_key_sid: `SK${publicId}`,
      api_key_secret: key,
    }),
    prices: {
      as_of: '2026-11-20',
      max_age_days: 90,
      safety: '1.15',
      prefixes: { sms: { '+1': { iso: 'US,CA', seg: '0.0083' } } },
      flat: { 'verify.approved': '0.05' },
      source: 'a test',
    },
  }),
  vendor('resend', {
    credential: ({ api_key: key = '' }) =>
      key.startsWith('re_') ? { account: '', test: true, last4: key.slice(-4) } : 'api_key must begin with re_.',
    presentations: (key) => `re_${key}`,
  }),
]
