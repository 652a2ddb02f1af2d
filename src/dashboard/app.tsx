import { Hono, type Context } from 'hono'
import { deleteCookie, getCookie, setCookie } from 'hono/cookie'
import type { AdminDeps } from '../admin/deps.js'
import { ADMIN, holderOf, type Guard } from '../admin/guard.js'
import { Problem } from '../admin/problem.js'
import { declared, requireRole, type Declared } from '../admin/roles.js'
import type { Env } from '../admin/route.js'
import { LedgerConflict, LedgerFault } from '../contracts/ledger.js'
import type { Principal } from '../contracts/operator.js'
import { mentionsVaultKey } from '../custody/keys.js'
import { approval, approvals, decide } from './approvals.js'
import { loadAssets } from './assets.js'
import { audit, exported, verify } from './audit.js'
import { call, calls } from './calls.js'
import { Curve } from './curve.js'
import { sameToken, type Door, type Session } from './door.js'
import { formOf } from './form.js'
import { Crossing, Framed, SignIn, Trouble } from './frame.js'
import type { Html } from './html.js'
import { createKey, key, keys, narrow, newKeyForm } from './keys.js'
import { freezeAll, now, unfreezeAll } from './now.js'
import { SignIns } from './oidc.js'
import { RETURN_PATH } from './oidc-settings.js'
import { policies, policy } from './policies.js'
import { AskedRuns, reconcileNow } from './reconciliation.js'
import { backTest, tryRequest } from './rehearsal.js'
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
  const signIns =
    deps.oidc === undefined || deps.operators === undefined ? null : new SignIns(deps.oidc, deps.clock, deps.onFault)
  const provider = signIns?.name ?? null
  const asked = new AskedRuns(deps)
  const screens: Readonly<Record<string, Declared<Screen>>> = {
    '/dashboard': ['viewer', now(curve)],
    '/dashboard/runs': ['viewer', runs],
    '/dashboard/runs/:param': ['viewer', run],
    '/dashboard/calls': ['viewer', calls],
    '/dashboard/calls/:param': ['viewer', call],
    '/dashboard/approvals': ['viewer', approvals],
    '/dashboard/approvals/:param': ['viewer', approval],
    '/dashboard/keys': ['viewer', keys],
    '/dashboard/keys/new': ['admin', newKeyForm],
    '/dashboard/keys/:param': ['viewer', key],
    '/dashboard/policies': ['viewer', policies],
    '/dashboard/policies/:param': ['viewer', policy],
    '/dashboard/vendors': ['viewer', vendors(asked)],
    '/dashboard/audit': ['viewer', audit],
  }
  const actions: Readonly<Record<string, Declared<Action>>> = {
    '/dashboard/freeze': ['approver', freezeAll],
    '/dashboard/unfreeze': ['admin', unfreezeAll],
    '/dashboard/runs/:param/freeze': ['approver', freezeRun],
    '/dashboard/runs/:param/unfreeze': ['admin', unfreezeRun],
    '/dashboard/keys/new': ['admin', createKey],
    '/dashboard/keys/:param/revoke': ['approver', revoke],
    '/dashboard/keys/:param/narrow': ['admin', narrow],
    '/dashboard/approvals/:param': ['approver', decide],
    '/dashboard/policies/:param/try': ['viewer', tryRequest],
    '/dashboard/policies/:param/simulate': ['viewer', backTest],
    '/dashboard/audit/verify': ['viewer', verify],
    '/dashboard/vendors/reconcile': ['admin', reconcileNow(asked)],
  }
  const app = new Hono<Env>()

  app.use(async (context, next) => {
    // The provider's page sends people back, so there the request is another site's; what it brings is checked instead.
    if (new URL(context.req.url).pathname === RETURN_PATH && context.req.method === 'GET')
      guard.checkHost(context.env.incoming)
    else guard.checkOrigin(context.env.incoming)
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
    const { token, to, over } = context.req.query()
    const fault = over === undefined ? null : 'The session is over. If you sent a form, nothing was done.'
    // A link that is only looked at, as previews do, is not used up.
    if (token === undefined || context.req.method === 'HEAD')
      return html(<SignIn around={around} to={ownPath(to)} fault={fault} provider={provider} />)
    guard.checkGuess(context.env.incoming, token, (given) => door.takeLink(given) || null)
    enter(
      context,
      holderOf(() => true),
    )
    return moved(context, '/dashboard')
  })
  app.post('/dashboard/sign-in', async (context) => {
    const form = await formOf(context)
    const token = form.text('token')
    if (mentionsVaultKey(token)) throw vaultKeyHere()
    const by = guard.recognise(context.env.incoming, token)
    // The door itself knows whether the admin token has changed; nothing keeps the token.
    enter(context, by.actor === ADMIN ? holderOf(() => true) : by)
    return moved(context, ownPath(form.text('to')))
  })
  if (signIns !== null) {
    app.get('/dashboard/oidc/begin', async (context) => {
      const { location, attempt } = await signIns.begin(ownPath(context.req.query('to')))
      // Lax: it has to come along when the provider's page leads back.
      setCookie(context, attemptOf(context), attempt, { ...cookieFor(context), sameSite: 'Lax', maxAge: 600 })
      return moved(context, location)
    })
    app.get(RETURN_PATH, async (context) => {
      // A look at the head would use the attempt up.
      if (context.req.method === 'HEAD') return new Response(null, { headers: GUARDED })
      const attempt = getCookie(context, attemptOf(context))
      deleteCookie(context, attemptOf(context), cookieFor(context))
      const { person, to } = await signIns.finish(attempt, new URL(context.req.url).search)
      const by = await deps.operators!.enter(person)
      if (by === null)
        throw new Problem('role_needed', `${person.name} was shut out here by an admin. Nobody was signed in.`)
      enter(context, by)
      const page = await html(<Crossing around={around} to={to} name={by.name} />)
      for (const cookie of context.res.headers.getSetCookie()) page.headers.append('set-cookie', cookie)
      return page
    })
  }
  app.post('/dashboard/sign-out', async (context) => {
    const session = sessionOf(context)
    const form = await formOf(context)
    if (session !== null && sameToken(form.text('csrf'), session.csrf)) door.end(getCookie(context, cookieOf(context))!)
    deleteCookie(context, cookieOf(context), cookieFor(context))
    return moved(context, '/dashboard/sign-in')
  })

  app.get('/dashboard/stream', (context) => {
    const stands = standsOf(context)
    if (!stands()) throw new Problem('unauthenticated', 'The session is over. Sign in again.')
    const response = pulse.open(context.req.raw.signal, stands)
    for (const [name, value] of Object.entries(GUARDED)) response.headers.set(name, value)
    return response
  })

  app.get('/dashboard/audit/export', async (context) => {
    const session = sessionOf(context)
    if (session === null) return toSignIn(context)
    const response = await exported(visitOf(context, session), standsOf(context))
    for (const [name, value] of Object.entries(GUARDED)) response.headers.set(name, value)
    return response
  })

  // Where the link in a refusal leads.
  app.get('/approvals/:id', (context) =>
    moved(context, `/dashboard/approvals/${encodeURIComponent(context.req.param('id'))}`),
  )

  for (const [path, each] of Object.entries(screens)) {
    const [needed, screen] = declared(each)
    app.get(path, async (context) => {
      const session = sessionOf(context)
      if (session === null) return toSignIn(context)
      requireRole(session.by, needed)
      return shown(context, await screen(visitOf(context, session)), session)
    })
  }
  for (const [path, each] of Object.entries(actions)) {
    const [needed, action] = declared(each)
    app.post(path, async (context) => {
      const session = sessionOf(context)
      if (session === null) return toSignIn(context)
      requireRole(session.by, needed)
      const form = await formOf(context)
      if (!sameToken(form.text('csrf'), session.csrf)) throw strayForm()
      // While the form came the session may have ended, or who opened it may have been revoked.
      if (!standsOf(context)()) return toSignIn(context)
      const done = await action(visitOf(context, session), form)
      deps.onAction?.(session.by.actor, `POST ${new URL(context.req.url).pathname}`)
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

  /** Whether the session of a request still stands, for what takes a while. */
  function standsOf(context: Context<Env>): () => boolean {
    const token = getCookie(context, cookieOf(context)) ?? ''
    return () => door.find(token, false) !== null
  }

  async function shown(context: Context<Env>, page: Page, session: Session): Promise<Response> {
    const frozen = deps.ledger.freezes().find(({ scope }) => scope.kind === 'all') ?? null
    const waiting = (await deps.ledger.approvals({ state: 'open' }, { limit: WAITING_COUNTED })).rows.length
    // What a page asks for by itself is no page that anybody reads a notice on.
    const notices = refreshing(context) ? [] : session.notices.splice(0)
    const standing = { session: { ...session, notices }, frozen, waiting, nowMs: deps.clock.now() }
    return html(<Framed page={page} around={around} standing={standing} />, page.status ?? 200)
  }

  function enter(context: Context<Env>, by: Principal): void {
    setCookie(context, cookieOf(context), door.open(by), { ...cookieFor(context), sameSite: 'Strict' })
  }

  function toSignIn(context: Context<Env>): Response {
    if (refreshing(context)) return new Response('The session is over.', { status: 401, headers: GUARDED })
    const ended = getCookie(context, cookieOf(context)) === undefined ? [] : ['over=yes']
    const from = context.req.method === 'GET' ? [`to=${encodeURIComponent(pathOf(context))}`] : []
    const query = [...from, ...ended].join('&')
    return moved(context, query === '' ? '/dashboard/sign-in' : `/dashboard/sign-in?${query}`)
  }

  function refused(context: Context<Env>, problem: Problem): Promise<Response> {
    const { pathname } = new URL(context.req.url)
    const atDoor = pathname === '/dashboard/sign-in' || pathname.startsWith('/dashboard/oidc/')
    if (atDoor && AT_THE_DOOR.includes(problem.code)) {
      const byLink =
        pathname === '/dashboard/sign-in' && context.req.method === 'GET' && problem.code === 'unauthenticated'
      const fault = byLink
        ? 'This link was used before, or is older than ten minutes. Sign in with the admin token.'
        : problem.detail
      return html(
        <SignIn around={around} to="/dashboard" fault={fault} provider={provider} />,
        problem.status,
        problem.headers,
      )
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

/** What is said in the form for signing in, so that one can try otherwise. */
const AT_THE_DOOR: readonly Problem['code'][] = [
  'unauthenticated',
  'too_many_failures',
  'vault_key_on_admin_port',
  'role_needed',
  'provider_unavailable',
]

const TITLES: Partial<Record<Problem['code'], string>> = {
  not_found: 'Not found',
  host_not_allowed: 'This host name is not served',
  origin_not_allowed: 'Refused',
  vault_key_on_admin_port: 'A vault key opens nothing here',
  invalid: 'Something is not as expected',
  role_needed: 'This needs another role',
}

/** Where to go after a form that could not be carried out. */
const wayBack = (context: Context<Env>): readonly [string, string] => {
  const parent = new URL(context.req.url).pathname.split('/').slice(0, 3).join('/')
  const known = [
    '/dashboard/runs',
    '/dashboard/calls',
    '/dashboard/approvals',
    '/dashboard/keys',
    '/dashboard/vendors',
    '/dashboard/audit',
  ]
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

/** The cookie of somebody who is at the provider's. */
const attemptOf = (context: Context<Env>): string => `${cookieOf(context)}_oidc`

const cookieFor = (context: Context<Env>) => ({ httpOnly: true, path: '/', secure: isTls(context) }) as const

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
