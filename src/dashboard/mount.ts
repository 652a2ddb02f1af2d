import type { Context, Hono } from 'hono'
import type { AdminDeps } from '../admin/deps.js'
import type { Guard } from '../admin/guard.js'
import type { Env } from '../admin/route.js'
import { Door } from './door.js'

/** Puts the operator's pages on the admin port. They and their libraries are loaded when the first one is asked for. */
export function mountDashboard(app: Hono<Env>, deps: AdminDeps, guard: Guard): void {
  const door = deps.door ?? new Door(deps.clock)
  let pages: Promise<Hono<Env>> | null = null
  const load = (): Promise<Hono<Env>> =>
    (pages ??= import('./app.js')
      .then(({ dashboard }) => dashboard(deps, guard, door))
      .catch((fault: unknown) => {
        pages = null
        throw fault
      }))
  const hand = async (context: Context<Env>): Promise<Response> => (await load()).fetch(context.req.raw, context.env)
  for (const path of ['/dashboard', '/dashboard/*', '/approvals/*']) app.all(path, hand)
  app.get('/', (context) => {
    guard.checkOrigin(context.env.incoming)
    return context.redirect('/dashboard', 303)
  })
}
