import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { readConfig } from '../../src/config.js'
import { startServer } from '../../src/main.js'
import { packageVersion } from '../../src/package-root.js'
import type { Role } from '../part.js'
import { PATH, REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

/** What the book says after the load. */
export interface Book {
  readonly calls: number
  readonly denied: number
  readonly settledUsd: string
  readonly heldUsd: string
  /** What `verify` finds wrong; empty means sound. */
  readonly faults: readonly string[]
}

export interface SpendgateOptions extends TargetOptions {
  /** Name of its data directory, where several are measured at once; absent: `spendgate`. */
  readonly name?: string
  /** Absent: SQLite in its data directory. */
  readonly databaseUrl?: string
}

const ADMIN_TOKEN = 'sgadmin_bench0123456789abcdef0123456789abcdef'

/** A cap, a limit a call, an allowlist of customers and currencies; nothing the call needs a look-up for, and no rate. */
const POLICY = {
  apiVersion: 'spendgate/v1',
  name: 'bench',
  daily_cap_usd: '900000000.00',
  budgets: [{ per: 'run', cap_usd: '800000000.00' }],
  vendors: {
    stripe: {
      endpoints: { allow: ['POST /v1/payment_intents', 'GET /v1/charges*'] },
      max_amount_usd: '50.00',
      customers: ['cus_A', 'cus_B', 'cus_C'],
      currencies: ['usd', 'eur'],
    },
  },
}

/** The product itself, as `spendgate serve` starts it, with one key under one policy. */
export async function start({
  upstream,
  directory,
  name = 'spendgate',
  databaseUrl,
}: SpendgateOptions): Promise<Role<TargetFacts, 'book', Book>> {
  const server = await startServer(
    readConfig({
      SPENDGATE_PORT: '0',
      SPENDGATE_ADMIN_PORT: '0',
      SPENDGATE_DATA_DIR: join(directory, name),
      SPENDGATE_ADMIN_TOKEN: ADMIN_TOKEN,
      SPENDGATE_STRIPE_UPSTREAM: `http://127.0.0.1:${upstream}`,
      SPENDGATE_LOG_LEVEL: 'error',
      SPENDGATE_DRAIN_MS: '2000',
      ...(databaseUrl === undefined ? {} : { DATABASE_URL: databaseUrl }),
    }),
  )
  const admin = async (method: 'GET' | 'POST', path: string, body?: object): Promise<any> => {
    // By Node's own client: another library in this process would count as the product's memory.
    const asking = request(`${server.adminUrl}/admin/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    })
    asking.end(body === undefined ? undefined : JSON.stringify(body))
    const [reply] = (await once(asking, 'response')) as [IncomingMessage]
    const said = await text(reply)
    if (reply.statusCode! >= 300) throw new Error(`${method} ${path} was answered ${reply.statusCode}: ${said}`)
    return JSON.parse(said)
  }
  const credential = await admin('POST', '/credentials', {
    vendor: 'stripe',
    name: 'bench',
    secret: { api_key: REAL_KEY },
  })
  await admin('POST', '/policies', POLICY)
  const key = await admin('POST', '/keys', { name: 'bench', policy: 'bench', credentials: [credential.id] })
  const book = async (): Promise<Book> => {
    const { total } = await admin('GET', '/spend?by=key')
    const { faults } = await admin('GET', '/audit/verify')
    return { calls: total.calls, denied: total.denied, settledUsd: total.spent_usd, heldUsd: total.held_usd, faults }
  }
  return {
    facts: {
      port: Number(new URL(server.agentUrl).port),
      path: `/stripe${PATH}`,
      authorization: `Bearer ${key.presentations.stripe[0]}`,
      pids: [],
      version: `spendgate ${packageVersion()}`,
    },
    ask: book,
    stop: () => server.stop(),
  }
}
