import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool, request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Spendgate } from '../../src/client/index.js'
import { packageRoot } from '../../src/package-root.js'
import { PostgresServer, postgresMissing, until } from '../helpers/postgres.js'
import { startServer, startSimulators, type Child } from '../helpers/process.js'
import { have, run } from './programs.js'

const TOKEN = 'sgadmin_deployTwoNodes0123456789abcdefg'
const nginx = have('nginx', 'two nodes behind nginx') && have('openssl', 'two nodes behind nginx')

/** What compose would start: two nodes, PostgreSQL, and TLS by the very nginx.conf that is shipped, on other addresses. */
describe.runIf(nginx && postgresMissing === null)('two nodes behind the nginx of the compose file', () => {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-front-'))
  let postgres: PostgresServer
  let vendor: { readonly child: Child; readonly stripe: string }
  let nodes: { readonly child: Child; readonly agent: string; readonly admin: string }[]
  let front: ChildProcess
  let agents: Pool
  let key: string

  beforeAll(async () => {
    postgres = await PostgresServer.start()
    vendor = await startSimulators(join(dir, 'vendor.ndjson'))
    const env = {
      DATABASE_URL: postgres.url(await postgres.database()),
      SPENDGATE_ADMIN_TOKEN: TOKEN,
      SPENDGATE_MASTER_KEY: randomBytes(32).toString('base64'),
      SPENDGATE_STRIPE_UPSTREAM: vendor.stripe,
      SPENDGATE_RECONCILE_MS: '0',
    }
    nodes = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const { child, ready } = startServer({ ...env, SPENDGATE_DATA_DIR: join(dir, name) })
        return { child, ...(await ready) }
      }),
    )
    const gate = new Spendgate({ url: nodes[0]!.admin, token: TOKEN })
    await gate.ask('POST /credentials', {
      body: { vendor: 'stripe', name: 'main', secret: { api_key: 'sk_live_deployDeploy0123456789' } },
    })
    await gate.ask('POST /policies', {
      body: {
        apiVersion: 'spendgate/v1',
        name: 'payments',
        daily_cap_usd: '10.00',
        timezone: 'UTC',
        vendors: { stripe: { endpoints: { allow: ['POST /v1/payment_intents', 'GET /v1/charges*'] } } },
      },
    })
    const made = await gate.ask('POST /keys', { body: { name: 'agent', policy: 'payments', credentials: ['main'] } })
    key = made.key
    const port = await freePort()
    await startFront(port)
    agents = new Pool(`https://localhost:${port}`, { connect: { ca: readFileSync(join(dir, 'tls/tls.crt'), 'utf8') } })
  }, 90_000)
  afterAll(async () => {
    await agents?.destroy()
    front?.kill('SIGTERM')
    for (const { child } of nodes ?? []) await child.stop()
    await vendor?.child.stop()
    await postgres?.remove()
    rmSync(dir, { recursive: true, force: true })
  }, 60_000)

  /** The shipped configuration with the addresses of this test in the place of those of the containers. */
  async function startFront(port: number): Promise<void> {
    mkdirSync(join(dir, 'tls'))
    const certificate = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-noenc',
      '-days',
      '2',
    ]
    const named = ['-subj', '/CN=spendgate', '-addext', 'subjectAltName=DNS:localhost']
    const files = ['-keyout', join(dir, 'tls/tls.key'), '-out', join(dir, 'tls/tls.crt')]
    expect(run('openssl', [...certificate, ...named, ...files]).status).toBe(0)
    const shipped = readFileSync(join(packageRoot(), 'deploy/compose/postgres/nginx.conf'), 'utf8')
    const places: readonly (readonly [string, string])[] = [
      ['server node-a:4242', `server ${new URL(nodes[0]!.agent).host}`],
      ['server node-b:4242', `server ${new URL(nodes[1]!.agent).host}`],
      ['listen 4242 ssl', `listen 127.0.0.1:${port} ssl`],
      ['/etc/nginx/tls/tls.crt', join(dir, 'tls/tls.crt')],
      ['/etc/nginx/tls/tls.key', join(dir, 'tls/tls.key')],
      ['pid /run/nginx.pid', `pid ${join(dir, 'nginx.pid')}`],
    ]
    let text = shipped
    for (const [there, here] of places) {
      expect(text).toContain(there)
      text = text.replace(there, here)
    }
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    text = text.replace(
      'http {',
      `http {\n${temporary.map((name) => `  ${name}_temp_path ${join(dir, name)};`).join('\n')}`,
    )
    writeFileSync(join(dir, 'nginx.conf'), text)
    const given = ['-c', join(dir, 'nginx.conf'), '-e', 'stderr']
    expect(run('nginx', ['-t', ...given])).toMatchObject({ status: 0 })
    front = spawn('nginx', [...given, '-g', 'daemon off;'], {
      env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` },
      stdio: 'ignore',
    })
    // However the tests end, it does not outlive them.
    process.once('exit', () => front.kill('SIGTERM'))
    await until('nginx answers', () => reachable(port))
  }

  async function pay(cents: number): Promise<{ status: number; decision: unknown; body: any }> {
    const reply = await agents.request({
      method: 'POST',
      path: '/stripe/v1/payment_intents',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: `amount=${cents}&currency=usd&confirm=true&payment_method=pm_card_visa`,
    })
    return { status: reply.statusCode, decision: reply.headers['x-spendgate-decision'], body: await reply.body.json() }
  }

  test('calls come through TLS to both nodes, and the cap is one', async () => {
    const replies = await Promise.all(Array.from({ length: 12 }, () => pay(100)))
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(10)
    for (const { status, decision, body } of replies.filter((each) => each.status !== 200))
      expect([status, decision, body.error.code]).toEqual([403, 'deny', 'daily_cap_exceeded'])
    const counted = await Promise.all(nodes.map(({ admin }) => callsOf(admin)))
    for (const calls of counted) expect(calls).toBeGreaterThan(0)
    expect(counted[0]! + counted[1]!).toBeGreaterThanOrEqual(10)
  })

  test('the path arrives as it was written: what a proxy would tidy is refused, and never made something else', async () => {
    const reply = await agents.request({
      method: 'GET',
      path: '/stripe/v1/charges/..%2Fcustomers',
      headers: { authorization: `Bearer ${key}` },
    })
    const body = (await reply.body.json()) as { error: { code: string } }
    expect([reply.statusCode, body.error.code]).toEqual([403, 'request_malformed'])
  })

  test('with one node killed, calls go on through the other, under the same cap', async () => {
    await nodes[0]!.child.kill()
    const replies = [await pay(100), await pay(100)]
    expect(replies.map(({ body }) => body.error.code)).toEqual(['daily_cap_exceeded', 'daily_cap_exceeded'])
    const gate = new Spendgate({ url: nodes[1]!.admin, token: TOKEN })
    expect((await gate.ask('GET /spend')).total).toMatchObject({ spent_usd: '10.00', held_usd: '0.00' })
  })
})

/** How many calls a node itself has answered. */
async function callsOf(admin: string): Promise<number> {
  const reply = await request(`${admin}/metrics`, { headers: { authorization: `Bearer ${TOKEN}` } })
  const counts = [...(await reply.body.text()).matchAll(/^spendgate_calls_total(?:\{[^}]*\})? (\d+)$/gm)]
  return counts.reduce((sum, [, count]) => sum + Number(count), 0)
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

function reachable(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => (socket.destroy(), resolve(true)))
    socket.once('error', () => resolve(false))
  })
}
