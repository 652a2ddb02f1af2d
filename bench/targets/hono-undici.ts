import { Hono } from 'hono'
import { Pool } from 'undici'
import type { Role } from '../part.js'
import { served } from './hono-app.js'
import { REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'
import { versionOf } from './version.js'

/**
 * The reference: the pass-through most people would write with Hono, done well (one undici Pool, whole bodies, no
 * global fetch). It swaps the key and governs nothing.
 */
export function start({ upstream }: TargetOptions): Promise<Role<TargetFacts>> {
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
  return served(app, `undici ${versionOf('undici')}`, () => pool.destroy())
}
