import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import { readConfig } from '../src/config.js'
import type { Clock } from '../src/contracts/clock.js'
import type { CallDraft, KeyRecord } from '../src/contracts/ledger.js'
import { usd } from '../src/contracts/money.js'
import { openSqlite } from '../src/ledger/sqlite.js'
import { startServer } from '../src/main.js'
import type { Role } from './part.js'
import { multiply } from './seed.js'
import { REAL_KEY, type TargetOptions } from './targets/target.js'

export interface DashboardFacts {
  readonly adminUrl: string
  /** Opens the dashboard once. */
  readonly signInUrl: string
  readonly port: number
  readonly authorization: string
  /** A key and a run that have calls. */
  readonly key: string
  readonly run: string
}

export interface DashboardOptions extends TargetOptions {
  readonly rows: number
}

export const ADMIN_TOKEN = 'sgadmin_bench0123456789abcdef0123456789abcdef'
/** Each has a run of its own. */
const KEYS = 1_000
const DAY_MS = 86_400_000
const AMOUNT = usd(1_000_000n)

/** The server on a book whose calls were all made today, by a thousand keys in turn. */
export async function start({
  upstream,
  directory,
  rows,
}: DashboardOptions): Promise<Role<DashboardFacts, 'memory', number>> {
  const dataDir = join(directory, 'dashboard')
  mkdirSync(dataDir, { mode: 0o700 })
  const begin = (): ReturnType<typeof startServer> =>
    startServer(
      readConfig({
        SPENDGATE_PORT: '0',
        SPENDGATE_ADMIN_PORT: '0',
        SPENDGATE_DATA_DIR: dataDir,
        SPENDGATE_ADMIN_TOKEN: ADMIN_TOKEN,
        SPENDGATE_STRIPE_UPSTREAM: `http://127.0.0.1:${upstream}`,
        SPENDGATE_LOG_LEVEL: 'error',
        SPENDGATE_DRAIN_MS: '2000',
        SPENDGATE_RECONCILE_MS: '0',
      }),
    )
  const first = await begin()
  const { key, credential } = await agentOf(first.adminUrl)
  await first.stop()
  const used = await seed(join(dataDir, 'spendgate.db'), credential, rows)
  const server = await begin()
  return {
    facts: {
      adminUrl: server.adminUrl,
      signInUrl: server.signInUrl(),
      port: Number(new URL(server.agentUrl).port),
      authorization: `Bearer ${key}`,
      key: used.id,
      run: `${used.name}_${dayOf(Date.now())}`,
    },
    ask: async () => {
      global.gc?.()
      return process.memoryUsage().rss / 1024 ** 2
    },
    stop: () => server.stop(),
  }
}

/** A credential, a policy and a key for the load. */
async function agentOf(adminUrl: string): Promise<{ readonly key: string; readonly credential: string }> {
  const post = async (path: string, body: object): Promise<any> => {
    const reply = await request(`${adminUrl}/admin/v1${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await reply.body.text()
    if (reply.statusCode >= 300) throw new Error(`POST ${path} was answered ${reply.statusCode}: ${text}`)
    return JSON.parse(text)
  }
  const { id } = await post('/credentials', { vendor: 'stripe', name: 'bench', secret: { api_key: REAL_KEY } })
  await post('/policies', {
    apiVersion: 'spendgate/v1',
    name: 'bench',
    daily_cap_usd: '900000000.00',
    budgets: [{ per: 'month', cap_usd: '9000000000.00' }],
    vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents'] }, max_amount_usd: '50.00' } },
  })
  const issued = await post('/keys', { name: 'load', policy: 'bench', credentials: [id] })
  return { key: issued.presentations.stripe[0], credential: id }
}

/** @returns one of the keys */
async function seed(file: string, credential: string, rows: number): Promise<KeyRecord> {
  const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS
  const stepMs = (Date.now() - midnight - 5_000) / rows
  const clock = new FilledClock(midnight + 1_000)
  const ledger = openSqlite({ file, clock })
  const [policy] = ledger.policies()
  const keys: KeyRecord[] = []
  for (let i = 0; i < KEYS; i++)
    keys.push(
      await ledger.addKey({
        id: `key_bench${i}`,
        publicId: randomBytes(16).toString('hex'),
        digest: randomBytes(32).toString('hex'),
        last4: 'abcd',
        name: `agent${i}`,
        parentId: null,
        policyId: policy!.id,
        narrowings: [],
        credentialIds: [credential],
        run: null,
        runCap: null,
        test: true,
        expiresAt: null,
        createdAt: midnight,
        actor: 'bench',
      }),
    )
  for (let n = 0; n < KEYS; n++) {
    clock.at += stepMs
    const admission = await ledger.admit(draftOf(keys[n]!, clock.now(), n, credential), () => ({
      verdict: 'allow',
      denial: null,
    }))
    const object = `pi_${n.toString().padStart(16, '0')}`
    ledger.settle(admission.callId, { outcome: 'settled', object, status: 200, requestId: 'req_bench', ms: 1 })
  }
  await ledger.close()
  multiply({ file, made: KEYS, keys: KEYS, firstAt: midnight + 1_000, stepMs }, rows)
  return keys[0]!
}

function draftOf(key: KeyRecord, now: number, n: number, credentialId: string): CallDraft {
  const hash = createHash('sha256').update(String(n)).digest('hex')
  return {
    key,
    credentialId,
    run: `${key.name}_${dayOf(now)}`,
    runSource: 'header',
    vendor: 'stripe',
    surface: 'rest',
    method: 'POST',
    path: '/v1/payment_intents',
    operation: 'payment_intents.create',
    effect: 'spend',
    direction: 'in',
    customer: 'cus_A',
    reason: null,
    quoted: AMOUNT,
    basis: 'exact',
    object: null,
    commits: null,
    requestHash: hash,
    idempotencyHash: hash,
    budgets: [],
    guarded: false,
    lookUps: 0,
    rateCounted: false,
    perMinute: [null],
  }
}

const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)

/** Time as the calls make it pass. */
class FilledClock implements Clock {
  constructor(public at: number) {}
  now(): number {
    return Math.floor(this.at)
  }
  monotonic(): number {
    return performance.now()
  }
}
