import assert from 'node:assert/strict'
import type { FreezeScope, KeyRecord } from '../contracts/ledger.js'
import { parseUsd } from '../contracts/money.js'
import type { AdminDeps } from './deps.js'
import { issueRootKey, issueRunKey, reissueKey, shownOnce } from './issue.js'
import type { IssuedKey } from './issue.js'
import { pageOf } from './paging.js'
import { pendingOf } from './pending.js'
import { conflict, invalid, invalidDocument, notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import {
  durationMs,
  freezeList,
  freezeRequest,
  issuedKey,
  keyDetail,
  keyList,
  keyReply,
  newKey,
  newRunKey,
  pageQuery,
  reissue,
  revocation,
  revokedReply,
  unfreezeRequest,
} from './schemas.js'
import { freezesView, instant, keyDetailView, keyView, lineage, policyOf } from './views.js'

/** Vault keys and what stops them. */
export function keyRoutes(deps: AdminDeps): Route[] {
  const { ledger, judge, clock } = deps
  const recordOf = (id: string): KeyRecord => ledger.key(id) ?? notThere()
  const issuedView = (issued: IssuedKey): object => shownOnce(ledger, issued)
  const lifeMs = (duration: string | undefined): number | null => (duration === undefined ? null : durationMs(duration))

  /** A scope that names nothing would freeze nothing, while the operator believes it does. */
  const scopeOf = (body: object): FreezeScope => {
    if ('scope' in body) return { kind: 'all' }
    const kind = (['key', 'run', 'vendor'] as const).find((each) => each in body)
    assert(kind, 'the schema has let a scope through')
    const value = (body as Record<string, string>)[kind]!
    if (kind === 'key') recordOf(value)
    if (kind === 'vendor' && !deps.vendors.some((vendor) => vendor.name === value)) {
      throw invalid(
        'vendor',
        `There is no such vendor. Vendors: ${deps.vendors.map((vendor) => vendor.name).join(', ')}.`,
      )
    }
    return { kind, value }
  }

  const routes = [
    route({
      method: 'post',
      path: '/admin/v1/keys',
      summary: 'Issue a vault key',
      body: newKey,
      status: 201,
      reply: issuedKey,
      run: async ({ body, actor }) =>
        issuedView(
          await issueRootKey(
            deps,
            {
              name: body.name,
              policy: body.policy,
              credentials: body.credentials,
              lifeMs: lifeMs(body.expires_in),
              run: body.run ?? null,
            },
            actor,
          ),
        ),
    }),
    route({
      method: 'get',
      path: '/admin/v1/keys',
      needs: 'viewer',
      summary: 'List vault keys',
      query: pageQuery,
      status: 200,
      reply: keyList,
      run: async ({ query }) => {
        const page = await ledger.keys(pageOf(query))
        return { keys: page.rows.map((key) => keyView(ledger, key, clock.now())), next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/keys/{id}',
      needs: 'viewer',
      summary: 'One key with the policy in force, its spend and its budgets',
      status: 200,
      reply: keyDetail,
      run: ({ param }) => keyDetailView(ledger, judge, recordOf(param('id')), clock.now()),
    }),
    route({
      method: 'post',
      path: '/admin/v1/keys/{id}/narrow',
      summary: 'Tighten a key and its children by a partial policy',
      status: 200,
      reply: keyReply,
      run: async ({ param, body, actor }) => {
        const key = recordOf(param('id'))
        if (lineage(ledger, key).some((each) => each.revokedAt !== null))
          throw conflict(`The key ${key.id} is revoked.`)
        const parsed = judge.parseNarrowing(body)
        if (!parsed.ok) throw invalidDocument(parsed.faults)
        // What cannot be compiled must not be stored: it would stop the key for a reason nobody sees.
        const record = policyOf(ledger, key)
        judge.compile(record.document, record.version, [...key.narrowings, parsed.patch])
        return keyView(ledger, await ledger.narrowKey(key.id, parsed.patch, actor), clock.now())
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/keys/{id}/revoke',
      needs: 'approver',
      summary: 'Revoke a key and its children, at once and for good',
      body: revocation,
      reads: 'optional',
      status: 200,
      reply: revokedReply,
      run: async ({ param, body, actor }) => {
        const key = recordOf(param('id'))
        const { revokedAt, inFlight } = await ledger.revoke(key.id, body.reason ?? null, actor)
        const pending = await pendingOf(deps, key.id, body.cancel_pending === true, actor)
        return { id: key.id, revoked_at: instant(revokedAt), in_flight: inFlight, ...pending }
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/keys/{id}/runs',
      summary: 'Issue a child key bound to a run',
      body: newRunKey,
      reads: 'optional',
      status: 201,
      reply: issuedKey,
      run: async ({ param, body, actor }) =>
        issuedView(
          await issueRunKey(
            deps,
            recordOf(param('id')),
            {
              run: body.run ?? null,
              runCap: body.cap_usd === undefined ? null : parseUsd(body.cap_usd),
              lifeMs: lifeMs(body.expires_in),
              name: body.name ?? null,
            },
            actor,
          ),
        ),
    }),
    route({
      method: 'post',
      path: '/admin/v1/freeze',
      needs: 'approver',
      summary: 'Stop everything, a key with its children, a run or a vendor',
      body: freezeRequest,
      status: 200,
      reply: freezeList,
      run: async ({ body, actor }) => {
        await ledger.freeze(scopeOf(body), body.reason ?? null, actor)
        return freezesView(ledger)
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/unfreeze',
      summary: 'Lift a freeze',
      body: unfreezeRequest,
      status: 200,
      reply: freezeList,
      run: async ({ body, actor }) => {
        await ledger.unfreeze(scopeOf(body), actor)
        return freezesView(ledger)
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/freezes',
      needs: 'viewer',
      summary: 'The freezes in force',
      status: 200,
      reply: freezeList,
      run: () => freezesView(ledger),
    }),
  ]
  const { carryOver } = deps
  if (carryOver === undefined) return routes
  return [
    ...routes,
    route({
      method: 'post',
      path: '/admin/v1/keys/{id}/reissue',
      summary: "A new key under another policy version; today's spend is carried over and the old key revoked",
      body: reissue,
      status: 201,
      reply: issuedKey,
      run: async ({ param, body, actor }) =>
        issuedView(
          await reissueKey(
            { ...deps, carryOver },
            recordOf(param('id')),
            { policy: body.policy, lifeMs: lifeMs(body.expires_in), name: body.name ?? null },
            actor,
          ),
        ),
    }),
  ]
}

const notThere = (): never => {
  throw notFound('key')
}
