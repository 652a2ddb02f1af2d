import { join } from 'node:path'
import { request } from 'undici'
import { readConfig } from '../src/config.js'
import { startServer } from '../src/main.js'
import type { Order, Run } from './load.js'
import type { Layout } from './machine.js'
import { Part, type Role } from './part.js'
import { PAID, PATH, REAL_KEY, STRIPE_HEADERS, type TargetOptions } from './targets/target.js'
import type { UpstreamFacts } from './upstream.js'

/** How long the operator waits for a stop while agents keep the server busy, in µs. */
export interface Stops {
  readonly what: 'revoke' | 'freeze'
  readonly count: number
  readonly p50Us: number
  readonly p99Us: number
  readonly maxUs: number
}

export interface Revoked {
  readonly connections: number
  /** Calls a second that went on meanwhile. */
  readonly perSecond: number
  readonly stops: readonly Stops[]
}

interface Facts {
  readonly port: number
  readonly adminUrl: string
  readonly credential: string
  readonly authorization: string
}

const ADMIN_TOKEN = 'sgadmin_bench0123456789abcdef0123456789abcdef'
const HEADERS = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }

/** The server in a process of its own, with one key for the load and a policy for the keys that are stopped. */
export async function start({ upstream, directory }: TargetOptions): Promise<Role<Facts>> {
  const server = await startServer(
    readConfig({
      SPENDGATE_PORT: '0',
      SPENDGATE_ADMIN_PORT: '0',
      SPENDGATE_DATA_DIR: join(directory, 'revoke'),
      SPENDGATE_ADMIN_TOKEN: ADMIN_TOKEN,
      SPENDGATE_STRIPE_UPSTREAM: `http://127.0.0.1:${upstream}`,
      SPENDGATE_LOG_LEVEL: 'error',
      SPENDGATE_DRAIN_MS: '2000',
    }),
  )
  const { adminUrl } = server
  const secret = { api_key: REAL_KEY }
  const { id: credential } = await admin(adminUrl, '/credentials', { vendor: 'stripe', name: 'bench', secret })
  await admin(adminUrl, '/policies', {
    apiVersion: 'spendgate/v1',
    name: 'bench',
    daily_cap_usd: '900000000.00',
    vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents'] } } },
  })
  const key = await admin(adminUrl, '/keys', { name: 'load', policy: 'bench', credentials: [credential] })
  const port = Number(new URL(server.agentUrl).port)
  return {
    facts: { port, adminUrl, credential, authorization: `Bearer ${key.presentations.stripe[0]}` },
    stop: () => server.stop(),
  }
}

/** Stops keys one after the other while so many connections never pause. @param count of revokes, and of freezes */
export async function measureRevoke(
  { proxy, world }: Layout,
  {
    connections,
    windowMs,
    warmMs,
    count,
  }: Pick<Order, 'connections' | 'windowMs' | 'warmMs'> & { readonly count: number },
  directory: string,
): Promise<Revoked> {
  const vendor = await Part.start<UpstreamFacts>('upstream', null, world)
  const server = await Part.start<Facts>('revoke', { upstream: vendor.facts.port, directory }, proxy)
  const load = await Part.start<null, Order, Run>('load', null, world)
  try {
    const { port, authorization, adminUrl, credential } = server.facts
    const issued: string[] = []
    for (let i = 0; i < count; i++)
      issued.push((await admin(adminUrl, '/keys', { name: `key-${i}`, policy: 'bench', credentials: [credential] })).id)
    const running = load.ask({
      port,
      path: `/stripe${PATH}`,
      authorization,
      headers: STRIPE_HEADERS,
      body: PAID,
      connections,
      warmMs,
      windowMs,
      pids: [],
    })
    running.catch(() => {}) // Awaited below; until then a fault must not count as unhandled.
    await new Promise((resolve) => setTimeout(resolve, warmMs))
    const [revokes, freezes]: [number[], number[]] = [[], []]
    const pauseMs = windowMs / (2.5 * count)
    for (const id of issued) {
      freezes.push(await timed(() => admin(adminUrl, '/freeze', { key: id })))
      await admin(adminUrl, '/unfreeze', { key: id })
      revokes.push(await timed(() => admin(adminUrl, `/keys/${id}/revoke`, {})))
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    const { perSecond } = await running
    return { connections, perSecond, stops: [stopsOf('revoke', revokes), stopsOf('freeze', freezes)] }
  } finally {
    await load.stop()
    await server.stop()
    await vendor.stop()
  }
}

export function revokeTable({ connections, perSecond, stops }: Revoked): string {
  const ms = (us: number): string => (us / 1000).toFixed(1)
  return [
    `Stops while ${connections} connections never pause (${Math.round(perSecond)} calls a second)`,
    '',
    '| stop | times | p50, ms | p99, ms | longest, ms |',
    '|---|---|---|---|---|',
    ...stops.map(
      ({ what, count, p50Us, p99Us, maxUs }) => `| ${what} | ${count} | ${ms(p50Us)} | ${ms(p99Us)} | ${ms(maxUs)} |`,
    ),
  ].join('\n')
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begunAt = performance.now()
  await work()
  return (performance.now() - begunAt) * 1000
}

function stopsOf(what: Stops['what'], us: number[]): Stops {
  us.sort((a, b) => a - b)
  const at = (share: number): number => us[Math.min(us.length - 1, Math.floor(us.length * share))]!
  return { what, count: us.length, p50Us: at(0.5), p99Us: at(0.99), maxUs: us.at(-1)! }
}

async function admin(adminUrl: string, path: string, body: object): Promise<any> {
  const reply = await request(`${adminUrl}/admin/v1${path}`, {
    method: 'POST',
    headers: HEADERS,
    body: JSON.stringify(body),
  })
  const text = await reply.body.text()
  if (reply.statusCode >= 300) throw new Error(`POST ${path} was answered ${reply.statusCode}: ${text}`)
  return JSON.parse(text)
}
