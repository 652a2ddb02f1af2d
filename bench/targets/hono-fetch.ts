import { Hono } from 'hono'
import type { Role } from '../part.js'
import { served } from './hono-app.js'
import { REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

/** The same pass-through with the global fetch, as most examples have it. */
export function start({ upstream }: TargetOptions): Promise<Role<TargetFacts>> {
  const app = new Hono()
  app.all('/v1/*', async (c) => {
    const headers: Record<string, string> = c.req.header()
    delete headers.host
    delete headers.connection
    delete headers['content-length']
    headers.authorization = `Bearer ${REAL_KEY}`
    const reply = await fetch(`http://127.0.0.1:${upstream}${c.req.path}`, {
      method: c.req.method,
      headers,
      body: await c.req.text(),
    })
    return new Response(reply.body, { status: reply.status, headers: kept(reply.headers) })
  })
  return served(app, `Node’s own undici ${process.versions.undici}`)
}

function kept(headers: Headers): Headers {
  const all = new Headers(headers)
  all.delete('connection')
  return all
}
