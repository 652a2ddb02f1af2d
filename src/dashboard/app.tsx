import { Hono, type Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import type { AdminDeps } from '../admin/deps.js'
import type { Guard } from '../admin/guard.js'
import { Problem } from '../admin/problem.js'
import type { Env } from '../admin/route.js'
import { LedgerConflict, LedgerFault } from '../contracts/ledger.js'
import { mentionsVaultKey } from '../custody/keys.js'
import { approval, approvals, decide } from './approvals.js'
import { loadAssets } from './assets.js'
import { audit, exported, verify } from './audit.js'
import { call, calls } from './calls.js'
import { Curve } from './curve.js'
import { sameToken, type Door, type Session } from './door.js'
import { formOf } from './form.js'
import { Framed, SignIn, Trouble } from './frame.js'
import type { Html } from './html.js'
import { createKey, key, keys, narrow, newKeyForm } from './keys.js'
import { freezeAll, now, unfreezeAll } from './now.js'
import { policies, policy } from './policies.js'
import { revoke } from './revoke.js'
import { freezeRun, run, runs, unfreezeRun } from './runs.js'
import { Pulse } from './stream.js'
import { sumsOf } from './sums.js'
import { vendors } from './vendors.js'
import type { Action, Page, Screen, Visit } from './visit.js'

const WAITING_COUNTED = 100

/**
 * The operator's pages. Every page is whole as it is sent; the script makes it follow what happens. They call what the
 * admin API calls, in the same process.
 */
export function dashboard(deps: AdminDeps, guard: Guard, door: Door): Hono<Env> {
  const assets = loadAssets()
  const around = { assets: assets.base, version: deps.version }
  const sums = sumsOf(deps)
  const curve = new Curve(deps.ledger, deps.clock, sums.today)
  const pulse = new Pulse(deps.ledger)
  const screens: Readonly<Record<string, Screen>> = {
    '/dashboard': now(curve),
    '/dashboard/runs': runs,
    '/dashboard/runs/:param': run,
    '/dashboard/calls': calls,
    '/dashboard/calls/:param': call,
    '/dashboard/approvals': approvals,
    '/dashboard/approvals/:param': approval,
    '/dashboard/keys': keys,
    '/dashboard/keys/new': newKeyForm,
    '/dashboard/keys/:param': key,
    '/dashboard/policies': policies,
    '/dashboard/policies/:param': policy,
    '/dashboard/vendors': vendors,
    '/dashboard/audit': audit,
  }
  const actions: Readonly<Record<string, Action>> = {
    '/dashboard/freeze': freezeAll,
    '/dashboard/unfreeze': unfreezeAll,
    '/dashboard/runs/:param/freeze': freezeRun,
    '/dashboard/runs/:param/unfreeze': unfreezeRun,
    '/dashboard/keys/new': createKey,
    '/dashboard/keys/:param/revoke': revoke,
    '/dashboard/keys/:param/narrow': narrow,
    '/dashboard/approvals/:param': decide,
    '/dashboard/audit/verify': verify,
  }
  const app = new Hono<Env>()

  app.use(async (context, next) => {
    guard.checkOrigin(context.env.incoming)
    refuseVaultKeys(context)
    await next()
  })
  app.get('/dashboard/assets/:version/:name', (context) => {
    const asset = assets.find(context.req.param('name'))
    if (asset === null) throw new Problem('not_found', 'There is no such file.')
    const kept = assets.base.endsWith(`/${context.req.param('version')}`)
    return new Response(new Uint8Array(asset.body), {
      headers: {
        ...GUARDED,
        'content-type': asset.type,
        'cache-control': kept ? 'private, max-age=31536000, immutable' : 'no-store',
      },
    })
  })

  app.get('/dashboard/sign-in', (context) => {
    const { token, to } = context.req.query()
    // A link that is only looked at, as previews do, is not used up.
    if (token === undefined || context.req.method === 'HEAD')
      return html(<SignIn around={around} to={ownPath(to)} fault={null} />)
    guard.checkGuess(context.env.incoming, token, (given) => door.takeLink(given))
    return enter(context, door.open(), '/dashboard')
  })
  app.post('/dashboard/sign-in', async (context) => {
    const form = await formOf(context)
    const token = form.text('token')
    if (mentionsVaultKey(token)) throw vaultKeyHere()
    guard.checkGuess(context.env.incoming, token)
    return enter(context, door.open(), ownPath(form.text('to')))
  })
  app.post('/dashboard/sign-out', async (context) => {
    const session = sessionOf(context)
    const form = await formOf(context)
    if (session !== null && sameToken(form.text('csrf'), session.csrf)) door.end(getCookie(context, cookieOf(context))!)
    deleteCookie(context, cookieOf(context), { path: '/', secure: isTls(context) })
    return moved(context, '/dashboard/sign-in')
  })

  app.get('/dashboard/stream', (context) => {
    const token = getCookie(context, cookieOf(context)) ?? ''
    if (door.find(token, false) === null) throw new Problem('unauthenticated', 'The session is over. Sign in again.')
    const response = pulse.open(context.req.raw.signal, () => door.find(token, false) !== null)
    for (const [name, value] of Object.entries(GUARDED)) response.headers.set(name, value)
    return response
  })

  app.get('/dashboard/audit/export', async (context) => {
    const session = sessionOf(context)
    if (session === null) return toSignIn(context)
    const response = await exported(visitOf(context, session))
    for (const [name, value] of Object.entries(GUARDED)) response.headers.set(name, value)
    return response
  })

  // Where the link in a refusal leads.
  app.get('/approvals/:id', (context) =>
    moved(context, `/dashboard/approvals/${encodeURIComponent(context.req.param('id'))}`),
  )

  for (const [path, screen] of Object.entries(screens)) {
    app.get(path, async (context) => {
      const session = sessionOf(context)
      if (session === null) return toSignIn(context)
      return shown(context, await screen(visitOf(context, session)), session)
    })
  }
  for (const [path, action] of Object.entries(actions)) {
    app.post(path, async (context) => {
      const session = sessionOf(context)
      if (session === null) return toSignIn(context)
      const form = await formOf(context)
      if (!sameToken(form.text('csrf'), session.csrf)) throw strayForm()
      const done = await action(visitOf(context, session), form)
      if (!('to' in done)) return shown(context, done, session)
      session.notices.push(done.notice)
      return moved(context, done.to)
    })
  }

  app.notFound((context) => {
    if (sessionOf(context) === null) return toSignIn(context)
    return trouble(context, 404, 'Not found', 'There is no such page.')
  })
  app.onError((fault, context) => {
    if (fault instanceof Problem) return refused(context, fault)
    if (fault instanceof LedgerConflict)
      return trouble(context, 409, 'That is not how it stands', fault.message, wayBack(context))
    if (!context.req.raw.signal.aborted) deps.onFault?.(fault)
    return fault instanceof LedgerFault
      ? trouble(context, 503, 'The ledger cannot be reached', 'Nothing was half-written. See the server log.')
      : trouble(context, 500, 'spendgate failed', 'This is a fault of spendgate. See the server log.')
  })
  return app

  function visitOf(context: Context<Env>, session: Session): Visit {
    const query = new URL(context.req.url).searchParams
    return { deps, sums, session, query, param: context.req.param('param') ?? '', nowMs: deps.clock.now() }
  }

  function sessionOf(context: Context<Env>): Session | null {
    const token = getCookie(context, cookieOf(context))
    return token === undefined ? null : door.find(token, !refreshing(context))
  }

  async function shown(context: Context<Env>, page: Page, session: Session): Promise<Response> {
    const frozen = deps.ledger.freezes().find(({ scope }) => scope.kind === 'all') ?? null
    const waiting = (await deps.ledger.approvals({ state: 'open' }, { limit: WAITING_COUNTED })).rows.length
    // What a page asks for by itself is no page that anybody reads a notice on.
    const notices = refreshing(context) ? [] : session.notices.splice(0)
    const standing = { session: { ...session, notices }, frozen, waiting, nowMs: deps.clock.now() }
    return html(<Framed page={page} around={around} standing={standing} />, page.status ?? 200)
  }

  function enter(context: Context<Env>, token: string, to: string): Response {
    setCookie(context, cookieOf(context), token, {
      httpOnly: true,
      sameSite: 'Strict',
      path: '/',
      secure: isTls(context),
    })
    return moved(context, to)
  }

  function toSignIn(context: Context<Env>): Response {
    if (refreshing(context)) return new Response('The session is over.', { status: 401, headers: GUARDED })
    const from = context.req.method === 'GET' ? `?to=${encodeURIComponent(pathOf(context))}` : ''
    return moved(context, `/dashboard/sign-in${from}`)
  }

  function refused(context: Context<Env>, problem: Problem): Promise<Response> {
    const atDoor = new URL(context.req.url).pathname === '/dashboard/sign-in'
    if (atDoor && ['unauthenticated', 'too_many_failures', 'vault_key_on_admin_port'].includes(problem.code)) {
      const byLink = context.req.method === 'GET' && problem.code === 'unauthenticated'
      const fault = byLink
        ? 'This link was used before, or is older than ten minutes. Sign in with the admin token.'
        : problem.detail
      return html(<SignIn around={around} to="/dashboard" fault={fault} />, problem.status, problem.headers)
    }
    // A link on a page of another site asks with that site's name. Nothing is shown to it; a click here asks in ours.
    if (
      problem.code === 'origin_not_allowed' &&
      context.req.method === 'GET' &&
      context.req.header('sec-fetch-mode') === 'navigate'
    )
      return trouble(
        context,
        403,
        'You come from another site',
        'Nothing was done. Go on if you meant to open this page.',
        ['Go on', ownPath(pathOf(context))],
      )
    const first = problem.errors[0]
    const text = first === undefined || first.path === '' ? problem.detail : `${first.path}: ${first.message}`
    return trouble(
      context,
      problem.status,
      TITLES[problem.code] ?? 'That could not be done',
      text,
      wayBack(context),
      problem.headers,
    )
  }

  async function trouble(
    context: Context<Env>,
    status: number,
    title: string,
    text: string,
    on: readonly [string, string] = ['To the dashboard', '/dashboard'],
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    if (refreshing(context)) return new Response(text, { status, headers: GUARDED })
    return html(<Trouble around={around} title={title} text={text} on={on} />, status, headers)
  }
}

const TITLES: Partial<Record<Problem['code'], string>> = {
  not_found: 'Not found',
  host_not_allowed: 'This host name is not served',
  origin_not_allowed: 'Refused',
  vault_key_on_admin_port: 'A vault key opens nothing here',
  invalid: 'Something is not as expected',
}

/** Where to go after a form that could not be carried out. */
const wayBack = (context: Context<Env>): readonly [string, string] => {
  const parent = new URL(context.req.url).pathname.split('/').slice(0, 3).join('/')
  const known = ['/dashboard/runs', '/dashboard/calls', '/dashboard/approvals', '/dashboard/keys', '/dashboard/audit']
  return known.includes(parent) && parent !== '/dashboard/keys'
    ? ['Go back', parent]
    : ['To the dashboard', '/dashboard']
}

const strayForm = (): Problem =>
  new Problem(
    'origin_not_allowed',
    'The form was made in another session, or not by a page of spendgate. Nothing was done. Load the page again and repeat it.',
  )

const vaultKeyHere = (): Problem =>
  new Problem(
    'vault_key_on_admin_port',
    'This is a vault key. It is for the agent port; here the admin token is asked for. Nothing was done.',
  )

/** An agent in the wrong place is told so, whatever else it brings. */
function refuseVaultKeys(context: Context<Env>): void {
  const { authorization = '', cookie = '' } = context.env.incoming.headers
  const basic = /^basic +([\w+/=-]+)$/i.exec(authorization)?.[1]
  const presented = basic === undefined ? authorization : Buffer.from(basic, 'base64').toString('utf8')
  if ([presented, cookie, context.env.incoming.url ?? ''].some(mentionsVaultKey)) throw vaultKeyHere()
}

const isTls = (context: Context<Env>): boolean => 'encrypted' in context.env.incoming.socket

/** Cookies know no ports: two servers on one host must not sign each other's operators out. */
function cookieOf(context: Context<Env>): string {
  const port = /:(\d+)$/.exec(context.env.incoming.headers.host ?? '')?.[1] ?? 'default'
  return `${isTls(context) ? '__Host-' : ''}spendgate_${port}`
}

/** Whether the script asks, for the page that is open already. */
const refreshing = (context: Context<Env>): boolean => context.req.header('x-refresh') !== undefined

/** Path and query as they came. */
const pathOf = (context: Context<Env>): string => context.env.incoming.url ?? '/dashboard'

/** A path of a page of ours, or the first page: nobody is led elsewhere by signing in. */
const ownPath = (path: string | undefined): string =>
  path !== undefined && /^\/(dashboard(?!\/sign-)|approvals\/)[\w/%?=&.~-]*$/.test(path) ? path : '/dashboard'

/**
 * Nothing runs and nothing is shown but what we serve; and nobody else may frame, keep or sniff it. The referrer stays
 * within the site: with none at all, browsers would send forms with `Origin: null`.
 */
const GUARDED: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

async function html(page: Html, status = 200, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  const own = { ...GUARDED, ...headers, 'content-type': 'text/html; charset=utf-8' }
  return new Response(`<!doctype html>${(await page).toString()}`, { status, headers: own })
}

function moved(context: Context<Env>, to: string): Response {
  for (const [name, value] of Object.entries(GUARDED)) context.header(name, value)
  return context.redirect(to, 303)
}
