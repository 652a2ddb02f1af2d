import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { request } from 'undici'
import type { Role } from '../part.js'
import { freePort, runForeign } from './foreign.js'
import { NUMBER, PAID, PATH, REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

/** Where its checked-out, built repository is; nothing of it is fetched or built here. */
export const JANEE = 'SPENDGATE_BENCH_JANEE'

const entry = (home: string): string => join(home, 'dist', 'cli', 'index.js')

/** Null, or a sentence on why it cannot be measured here. */
export function janeeMissing(): string | null {
  const home = process.env[JANEE]
  if (home === undefined || home === '') return `${JANEE} names no checkout of it.`
  return existsSync(entry(home)) ? null : `there is no dist/cli/index.js in what ${JANEE} names.`
}

/**
 * Janee's `execute` over MCP and HTTP, one MCP session for all connections. It keeps sessions and a log in files, and
 * no book of what was spent; its path carries JSON-RPC where all others carry a form. Unlike for like.
 */
export async function start({ upstream, directory }: TargetOptions): Promise<Role<TargetFacts>> {
  const home = process.env[JANEE]!
  const own = join(directory, 'janee')
  mkdirSync(own, { recursive: true })
  const port = await freePort()
  writeFileSync(join(own, 'config.yaml'), configuration(port, upstream))
  // Not encrypted: it is read once, at the start.
  const credentials = { masterKey: Buffer.alloc(32, 1).toString('base64'), secrets: { bench: { key: REAL_KEY } } }
  writeFileSync(join(own, 'credentials.json'), JSON.stringify(credentials), { mode: 0o600 })
  const janee = await runForeign(
    [process.execPath, entry(home), 'serve', '-t', 'http', '-p', String(port), '--host', '127.0.0.1'],
    port,
    { JANEE_HOME: own },
  )
  const session = await openSession(port)
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }
  return {
    facts: {
      port,
      path: '/mcp',
      authorization: 'Bearer none',
      pids: [janee.pid],
      version: `Janee ${version}`,
      own: {
        headers: [...MCP_HEADERS.map((pair) => pair.join(': ')), `Mcp-Session-Id: ${session}`],
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: NUMBER,
          method: 'tools/call',
          params: {
            name: 'execute',
            arguments: {
              capability: 'bench',
              method: 'POST',
              path: PATH,
              body: PAID,
              headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
            },
          },
        }),
      },
    },
    stop: () => janee.stop(),
  }
}

const MCP_HEADERS = [
  ['Content-Type', 'application/json'],
  ['Accept', 'application/json, text/event-stream'],
] as const

async function openSession(port: number): Promise<string> {
  const post = async (body: object, session: string | null) => {
    const reply = await request(`http://127.0.0.1:${port}/mcp`, {
      method: 'POST',
      headers: { ...Object.fromEntries(MCP_HEADERS), ...(session === null ? {} : { 'mcp-session-id': session }) },
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
    })
    const text = await reply.body.text()
    if (reply.statusCode >= 300) throw new Error(`Janee answered ${reply.statusCode}: ${text.slice(0, 200)}`)
    return reply.headers['mcp-session-id']
  }
  const params = { protocolVersion: '2025-03-26', capabilities: {}, clientInfo: { name: 'bench', version: '1' } }
  const session = await post({ id: 0, method: 'initialize', params }, null)
  if (typeof session !== 'string') throw new Error('Janee opened no MCP session.')
  await post({ method: 'notifications/initialized' }, session)
  return session
}

const configuration = (port: number, upstream: number): string => `version: '0.3.0'
server:
  port: ${port}
  host: 127.0.0.1
  strictDecryption: false
  defaultAccess: open
services:
  bench:
    baseUrl: http://127.0.0.1:${upstream}
    auth:
      type: bearer
capabilities:
  bench:
    service: bench
    ttl: 1h
    autoApprove: true
`
