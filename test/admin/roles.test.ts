import type { Readable } from 'node:stream'
import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { AdminDeps } from '../../src/admin/deps.js'
import type { Guard } from '../../src/admin/guard.js'
import { covers, declared, requireRole } from '../../src/admin/roles.js'
import { ROLES, type Role } from '../../src/contracts/operator.js'
import { dashboard } from '../../src/dashboard/app.js'
import type { Door } from '../../src/dashboard/door.js'
import { Visitor } from '../dashboard/visitor.js'
import { World } from '../helpers/world.js'

// Whatever can be asked for on the admin port, with the least role that may. What is new has to be given a line here.

const CALLS: Readonly<Record<string, Role>> = {
  'GET /approvals': 'viewer',
  'GET /approvals/{id}': 'viewer',
  'GET /audit/checkpoints': 'viewer',
  'GET /audit/export': 'viewer',
  'GET /audit/public-key': 'viewer',
  'GET /audit/retention': 'viewer',
  'GET /audit/verify': 'viewer',
  'GET /calls': 'viewer',
  'GET /calls/stream': 'viewer',
  'GET /calls/{id}': 'viewer',
  'GET /credentials': 'viewer',
  'GET /credentials/{id}': 'viewer',
  'GET /exposure': 'viewer',
  'GET /freezes': 'viewer',
  'GET /keys': 'viewer',
  'GET /keys/{id}': 'viewer',
  'GET /keys/{id}/pending': 'viewer',
  'GET /ledger/check': 'viewer',
  'GET /movements': 'viewer',
  'GET /observed': 'viewer',
  'GET /operators': 'viewer',
  'GET /operators/me': 'viewer',
  'GET /policies': 'viewer',
  'GET /policies/{name}': 'viewer',
  'GET /policies/{name}/permissions': 'viewer',
  'GET /policies/{name}/versions': 'viewer',
  'GET /prices/twilio/sync': 'viewer',
  'GET /prices/{vendor}': 'viewer',
  'GET /rates': 'viewer',
  'GET /reconcile': 'viewer',
  'GET /runs': 'viewer',
  'GET /runs/{run}': 'viewer',
  'GET /runs/{run}/reversal': 'viewer',
  'GET /spend': 'viewer',
  'POST /policies/simulate': 'viewer',
  'POST /policies/suggest': 'viewer',
  'POST /policies/test': 'viewer',
  'POST /approvals/{id}/approve': 'approver',
  'POST /approvals/{id}/deny': 'approver',
  'POST /freeze': 'approver',
  'POST /keys/{id}/revoke': 'approver',
  'DELETE /credentials/{id}': 'admin',
  'DELETE /operators/{id}': 'admin',
  'POST /audit/erase': 'admin',
  'POST /audit/prune': 'admin',
  'POST /backup': 'admin',
  'POST /calls/{id}/resolve': 'admin',
  'POST /clock/confirm': 'admin',
  'POST /credentials': 'admin',
  'POST /credentials/{id}/rotate': 'admin',
  'POST /keys': 'admin',
  'POST /keys/{id}/narrow': 'admin',
  'POST /keys/{id}/reissue': 'admin',
  'POST /keys/{id}/runs': 'admin',
  'POST /keys/{id}/tokens': 'admin',
  'POST /ledger/confirm-restore': 'admin',
  'POST /operators': 'admin',
  'POST /operators/{id}/readmit': 'admin',
  'POST /policies': 'admin',
  'POST /prices/twilio/sync': 'admin',
  'POST /reconcile': 'admin',
  'POST /runs/{run}/reversal': 'admin',
  'POST /unfreeze': 'admin',
  'PUT /audit/retention': 'admin',
  'PUT /prices/{vendor}': 'admin',
  'PUT /rates': 'admin',
}

const PAGES: Readonly<Record<string, Role>> = {
  'GET /dashboard': 'viewer',
  'GET /dashboard/approvals': 'viewer',
  'GET /dashboard/approvals/:param': 'viewer',
  'GET /dashboard/audit': 'viewer',
  'GET /dashboard/calls': 'viewer',
  'GET /dashboard/calls/:param': 'viewer',
  'GET /dashboard/keys': 'viewer',
  'GET /dashboard/keys/:param': 'viewer',
  'GET /dashboard/policies': 'viewer',
  'GET /dashboard/policies/:param': 'viewer',
  'GET /dashboard/runs': 'viewer',
  'GET /dashboard/runs/:param': 'viewer',
  'GET /dashboard/vendors': 'viewer',
  'POST /dashboard/audit/verify': 'viewer',
  'POST /dashboard/policies/:param/simulate': 'viewer',
  'POST /dashboard/policies/:param/try': 'viewer',
  'POST /dashboard/approvals/:param': 'approver',
  'POST /dashboard/freeze': 'approver',
  'POST /dashboard/keys/:param/revoke': 'approver',
  'POST /dashboard/runs/:param/freeze': 'approver',
  'GET /dashboard/keys/new': 'admin',
  'POST /dashboard/keys/:param/narrow': 'admin',
  'POST /dashboard/keys/new': 'admin',
  'POST /dashboard/runs/:param/unfreeze': 'admin',
  'POST /dashboard/unfreeze': 'admin',
  'POST /dashboard/vendors/reconcile': 'admin',
}

/** What needs no role: the door itself, files, and what every session may by being one. */
const OPEN = [
  'ALL /*',
  'GET /approvals/:id',
  'GET /dashboard/assets/:version/:name',
  'GET /dashboard/audit/export',
  'GET /dashboard/sign-in',
  'GET /dashboard/stream',
  'POST /dashboard/sign-in',
  'POST /dashboard/sign-out',
]

let world: World
const tokens = new Map<Role, string>()
const visitors = new Map<Role, Visitor>()
beforeAll(async () => {
  world = await World.start()
  for (const role of ROLES) {
    const { token } = await world.must('POST', '/operators', { name: `one-${role}`, role })
    tokens.set(role, token)
    const visitor = new Visitor(world)
    await visitor.post('/dashboard/sign-in', { token, to: '/dashboard' })
    visitors.set(role, visitor)
  }
})
afterAll(() => world.close())

/** The least role that something passes for; every role above has to pass as well. */
async function leastOf(passes: (role: Role) => Promise<boolean>): Promise<Role | 'mixed' | 'nobody'> {
  const results: boolean[] = []
  for (const role of ROLES) results.push(await passes(role))
  const first = results.indexOf(true)
  if (first < 0) return 'nobody'
  return results.slice(first).every(Boolean) ? ROLES[first]! : 'mixed'
}

/** The head was all that was asked for, and the live stream has no end. */
const hangUp = (body: Readable): void => void body.on('error', () => undefined).destroy()

test('a role may what those below it may, and what declares none is an admin’s', () => {
  expect(ROLES.map((has) => ROLES.map((needed) => covers(has, needed)))).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ])
  const what = (): void => undefined
  expect(declared(what)).toEqual(['admin', what])
  expect(declared(['viewer', what] as const)).toEqual(['viewer', what])
  expect(() => requireRole({ name: 'operator:bob', role: 'viewer' }, 'approver')).toThrow(
    'This needs the role approver, and operator:bob is viewer.',
  )
})

describe('the admin API', () => {
  test('every call passes for its role and those above, and for no other', async () => {
    const document = (await (await request(`${world.server.adminUrl}/admin/openapi.json`)).body.json()) as {
      readonly paths: Readonly<Record<string, object>>
    }
    const names = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace('/admin/v1', '')}`),
    )
    const found: Record<string, string> = {}
    for (const name of names) {
      const [method, path] = name.split(' ') as [string, string]
      found[name] = await leastOf(async (role) => {
        // A body that nothing takes: whoever may is told so, and nothing is done.
        const reply = await request(`${world.server.adminUrl}/admin/v1${path.replace(/\{\w+\}/g, 'nothing')}`, {
          method: method as 'GET',
          headers: { authorization: `Bearer ${tokens.get(role)!}`, 'content-type': 'application/json' },
          body: method === 'GET' || method === 'DELETE' ? null : '{"nothing_takes_this":1}',
        })
        if (reply.statusCode !== 403) {
          hangUp(reply.body)
          return true
        }
        expect(await reply.body.json()).toMatchObject({ code: 'role_needed', title: 'This needs another role' })
        return false
      })
    }
    expect(found).toEqual(CALLS)
  })

  test('metrics are a read like others, and a refusal names the role that is needed', async () => {
    for (const role of ROLES) {
      const reply = await request(`${world.server.adminUrl}/metrics`, {
        headers: { authorization: `Bearer ${tokens.get(role)!}` },
      })
      hangUp(reply.body)
      expect(reply.statusCode).toBe(200)
    }
    const refused = await request(`${world.server.adminUrl}/admin/v1/freeze`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tokens.get('viewer')!}`, 'content-type': 'application/json' },
      body: '{"scope":"all"}',
    })
    expect(refused.statusCode).toBe(403)
    expect(((await refused.body.json()) as { detail: string }).detail).toBe(
      'This needs the role approver, and operator:one-viewer is viewer. Nothing was done. Ask somebody who has it.',
    )
    expect((await world.must('GET', '/freezes')).freezes).toEqual([])
  })
})

describe('the dashboard', () => {
  test('every page and form passes for its role and those above, and for no other', async () => {
    const none = {} as unknown
    const { routes } = dashboard({ ledger: none, clock: none } as AdminDeps, none as Guard, none as Door)
    const names = [...new Set(routes.map(({ method, path }) => `${method} ${path}`))].filter(
      (name) => !OPEN.includes(name),
    )
    const found: Record<string, string> = {}
    for (const name of names) {
      const [method, path] = name.split(' ') as [string, string]
      found[name] = await leastOf(async (role) => {
        // Without the session's own token whoever may is refused for that, and nothing is done.
        const visitor = visitors.get(role)!
        const at = path.replace(':param', 'nothing')
        const sheet = method === 'GET' ? await visitor.get(at) : await visitor.post(at, {})
        return !(sheet.status === 403 && sheet.text.includes('This needs another role'))
      })
    }
    expect(found).toEqual(PAGES)
  })

  test('what a role may not is not offered', async () => {
    const { id } = await world.key()
    const offered = async (role: Role): Promise<string[]> => {
      const visitor = visitors.get(role)!
      const pages: string[] = []
      for (const path of ['', '/keys', `/keys/${id}`, '/audit']) pages.push(await visitor.page(`/dashboard${path}`))
      const found = pages.join('').matchAll(/action="([^"]+)"|href="(\/dashboard\/keys\/new)"/g)
      return [...new Set([...found].map(([, action, link]) => action ?? link!))].sort()
    }
    expect(await offered('viewer')).toEqual(['/dashboard/audit/verify', '/dashboard/sign-out'])
    expect(await offered('approver')).toEqual([
      '/dashboard/audit/verify',
      '/dashboard/freeze',
      `/dashboard/keys/${id}/revoke`,
      '/dashboard/sign-out',
    ])
    expect(await offered('admin')).toEqual([
      '/dashboard/audit/verify',
      '/dashboard/freeze',
      `/dashboard/keys/${id}/narrow`,
      `/dashboard/keys/${id}/revoke`,
      '/dashboard/keys/new',
      '/dashboard/sign-out',
    ])
  })

  test('an approver freezes everything, and an admin alone lifts it', async () => {
    const [viewer, approver, admin] = ROLES.map((role) => visitors.get(role)!)
    await approver!.does('/dashboard/freeze', { reason: 'night' })
    expect(await viewer!.page('/dashboard')).toContain('An admin can unfreeze it.')
    expect(await viewer!.page('/dashboard')).not.toContain('action="/dashboard/unfreeze"')
    const refused = await approver!.post('/dashboard/unfreeze', { csrf: await approver!.csrf() })
    expect(refused.status).toBe(403)
    expect((await world.must('GET', '/freezes')).freezes).toHaveLength(1)
    await admin!.does('/dashboard/unfreeze')
    expect((await world.must('GET', '/freezes')).freezes).toEqual([])
  })
})
