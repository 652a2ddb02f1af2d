import { Hono } from 'hono'
import { proxy } from 'hono/proxy'
import type { Role } from '../part.js'
import { served } from './hono-app.js'
import { REAL_KEY, type TargetFacts, type TargetOptions } from './target.js'

/** Hono's own helper for proxies, used as its documentation shows it. */
export function start({ upstream }: TargetOptions): Promise<Role<TargetFacts>> {
  const app = new Hono()
  app.all('/v1/*', (c) =>
    proxy(`http://127.0.0.1:${upstream}${c.req.path}`, {
      ...c.req,
      headers: { ...c.req.header(), Authorization: `Bearer ${REAL_KEY}` },
    }),
  )
  return served(app, `Node’s own undici ${process.versions.undici}`)
}
