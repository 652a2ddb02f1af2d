import { Hono } from 'hono'
import type { Context } from 'hono'
import { LedgerConflict, LedgerFault } from '../contracts/ledger.js'
import { SealFault } from '../custody/seal.js'
import { mountDashboard } from '../dashboard/mount.js'
import { approvalRoutes } from './approvals.js'
import { auditRoutes } from './audit.js'
import { credentialRoutes } from './credentials.js'
import type { AdminDeps } from './deps.js'
import { exposureRoutes } from './exposure.js'
import { Guard } from './guard.js'
import { healthRoutes } from './health.js'
import { keyRoutes } from './keys.js'
import { movementRoutes } from './movements.js'
import { openApi } from './openapi.js'
import { operatorRoutes } from './operators.js'
import { pendingRoutes } from './pending.js'
import { policyRoutes } from './policies.js'
import { Problem, conflict, notFound } from './problem.js'
import { reconcileRoutes } from './reconcile.js'
import { reportRoutes } from './reports.js'
import { retentionRoutes } from './retention.js'
import { reversalRoutes } from './reversal.js'
import { requireRole, UNDECLARED } from './roles.js'
import { answer } from './route.js'
import type { Env, Route } from './route.js'
import { tableRoutes } from './tables.js'
import { tokenRoutes } from './tokens.js'

/**
 * The admin API (contract §5) with health, readiness and metrics. To be served by @hono/node-server, which hands
 * over the node:http request that the guard looks at. Every route under /admin/v1 passes the guard: routes are
 * registered in one place, from one table, and there is no middleware to forget.
 */
export function createAdmin(deps: AdminDeps): Hono<Env> {
  const guard = new Guard(deps)
  const routes: readonly Route[] = [
    ...credentialRoutes(deps),
    ...policyRoutes(deps),
    ...keyRoutes(deps),
    ...tokenRoutes(deps),
    ...approvalRoutes(deps),
    ...pendingRoutes(deps),
    ...exposureRoutes(deps),
    ...reportRoutes(deps),
    ...reconcileRoutes(deps),
    ...reversalRoutes(deps),
    ...movementRoutes(deps),
    ...tableRoutes(deps),
    ...auditRoutes(deps),
    ...retentionRoutes(deps),
    ...operatorRoutes(deps),
    ...healthRoutes(deps),
  ]
  // Describing every schema takes longer than all else here, and hardly anybody asks for it.
  let described: string | null = null
  const document = (): string => (described ??= JSON.stringify(openApi(routes, deps.version)))
  const app = new Hono<Env>()

  for (const found of routes) {
    app.on(found.method.toUpperCase(), found.path.replace(/\{(\w+)\}/g, ':$1'), async (context) => {
      guard.checkOrigin(context.env.incoming)
      const by = guard.checkToken(context.env.incoming)
      requireRole(by, found.needs ?? UNDECLARED)
      const reply = await answer(found, context, by)
      if (found.method !== 'get')
        deps.onAction?.(by.actor, `${context.req.method} ${new URL(context.req.url).pathname}`)
      return closed(reply)
    })
  }
  // Asked by load balancers under whatever name they have; neither tells anything but its own state.
  app.get('/healthz', () => closed(json({ ok: true })))
  app.get('/readyz', () => {
    const { ok, faults, warnings = [] } = deps.ready()
    return closed(json({ ok, faults, ...(warnings.length > 0 && { warnings }) }, ok ? 200 : 503))
  })
  app.get('/admin/openapi.json', (context) => {
    guard.checkOrigin(context.env.incoming)
    return closed(new Response(document(), { headers: { 'content-type': 'application/json' } }))
  })
  for (const path of ['/admin/docs', '/admin/docs.css'])
    app.get(path, async (context) => {
      guard.checkOrigin(context.env.incoming)
      const { DOCS_POLICY, docsPage, docsStyle } = await import('./docs-page.js')
      const response = closed(path === '/admin/docs' ? await docsPage(document()) : docsStyle())
      response.headers.set('content-security-policy', DOCS_POLICY)
      return response
    })
  const { metrics } = deps
  if (metrics !== undefined) {
    const { adminToken, metricsToken } = deps
    const either = (token: string): boolean => adminToken.check(token) || metricsToken?.check(token) === true
    // A guard of its own: what a scraper gets wrong does not keep the operator out.
    const scraped = new Guard({ ...deps, adminToken: { check: either } })
    app.get('/metrics', async (context) => {
      scraped.checkOrigin(context.env.incoming)
      scraped.checkToken(context.env.incoming)
      return closed(
        new Response(await metrics(), { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } }),
      )
    })
  }
  mountDashboard(app, deps, guard)
  app.notFound((context) => {
    if (context.env.incoming.url?.startsWith('/admin')) {
      try {
        guard.checkOrigin(context.env.incoming)
        guard.checkToken(context.env.incoming)
      } catch (fault) {
        return refusal(deps, fault, context)
      }
    }
    return closed(notFound('path or method').response())
  })
  app.onError((fault, context) => refusal(deps, fault, context))
  return app
}

/** The one place where a fault becomes a reply. What is not for the operator's eyes goes to `onFault` instead. */
function refusal(deps: AdminDeps, fault: unknown, context: Context<Env>): Response {
  if (fault instanceof Problem) return closed(fault.response())
  if (fault instanceof LedgerConflict) return closed(conflict(fault.message).response())
  // The reader went away in the middle of its body; nobody is left to tell.
  if (!context.req.raw.signal.aborted) deps.onFault?.(fault)
  if (fault instanceof LedgerFault) {
    return closed(
      new Problem(
        'ledger_unavailable',
        'The ledger could not do this. Nothing was half-written. See the server log.',
      ).response(),
    )
  }
  if (fault instanceof SealFault) return closed(new Problem('vault_unavailable', fault.message).response())
  return closed(new Problem('internal', 'This is a fault of spendgate. See the server log.').response())
}

const json = (value: unknown, status = 200): Response =>
  new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } })

/** Replies are for the asker alone: kept by no cache, sniffed by no browser, shown in no frame. */
function closed(response: Response): Response {
  response.headers.set('cache-control', 'no-store')
  response.headers.set('x-content-type-options', 'nosniff')
  response.headers.set('content-security-policy', "default-src 'none'; frame-ancestors 'none'")
  response.headers.set('referrer-policy', 'no-referrer')
  return response
}
