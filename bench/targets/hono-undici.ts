import { serve, type ServerType } from '@hono/node-server'
import { Hono } from 'hono'
import type { AddressInfo } from 'node:net'
import { Pool } from 'undici'
import type { Role } from '../part.js'
import { versionOf } from './version.js'
import { AGENT_KEY, PATH, REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

/**
 * The reference: the pass-through most people would write with Hono, done well (one undici Pool, whole bodies, no
 * global fetch). It swaps the key and governs nothing.
 */
export async function start({ upstream }: TargetOptions): Promise<Role<TargetFacts>> {
  const pool = new Pool(`http://127.0.0.1:${upstream}`, { connections: 128, pipelining: 1 })
  const app = new Hono()
  app.all('/v1/*', async (c) => {
    const headers: Record<string, string> = c.req.header()
    delete headers.host
    delete headers.connection
    delete headers['content-length']
    headers.authorization = `Bearer ${REAL_KEY}`
    const reply = await pool.request({ path: c.req.path, method: 'POST', headers, body: await c.req.text() })
    const { connection: _, ...kept } = reply.headers
    return c.body(await reply.body.text(), reply.statusCode as 200, kept as Record<string, string>)
  })
  const server = await new Promise<ServerType>((resolve) => {
    const made = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(made))
  })
  return {
    facts: {
      port: (server.address() as AddressInfo).port,
      path: PATH,
      authorization: `Bearer ${AGENT_KEY}`,
      pids: [],
      version: `hono ${versionOf('hono')}, @hono/node-server ${versionOf('@hono/node-server')}, undici ${versionOf('undici')}`,
    },
    stop: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await pool.destroy()
    },
  }
}
