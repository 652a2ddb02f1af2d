import type { OperatorRecord } from '../contracts/operator.js'
import type { Operators } from '../ledger/operators.js'
import type { AdminDeps } from './deps.js'
import { ADMIN } from './guard.js'
import { pageIn } from './paging.js'
import { notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import {
  addedOperator,
  durationMs,
  newOperator,
  operatorList,
  operatorReply,
  pageQuery,
  principalReply,
} from './schemas.js'
import { instant } from './views.js'

/** Who may act, and as what. */
export function operatorRoutes({ operators, clock }: AdminDeps): Route[] {
  if (operators === undefined) return []
  return [
    route({
      method: 'post',
      path: '/admin/v1/operators',
      summary: 'Add an operator with a token of their own, which is shown once',
      body: newOperator,
      status: 201,
      reply: addedOperator,
      run: async ({ body: { name, role, expires_in: life }, actor }) => {
        const expiresAt = life === undefined ? null : clock.now() + durationMs(life)
        const { record, token } = await operators.add({ name, role, expiresAt }, actor)
        return { ...operatorView(operators, record), token: token.reveal() }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/operators',
      needs: 'viewer',
      summary: 'Everybody who may act or could once, without their tokens',
      query: pageQuery,
      status: 200,
      reply: operatorList,
      run: ({ query }) => {
        const page = pageIn(operators.list(), query)
        return { operators: page.rows.map((record) => operatorView(operators, record)), next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/operators/me',
      needs: 'viewer',
      summary: 'Who asks',
      status: 200,
      reply: principalReply,
      run: ({ actor }) => ({
        actor,
        name: operators.knownAs(actor),
        role: actor === ADMIN ? 'admin' : operators.find(actor)!.role,
      }),
    }),
    route({
      method: 'delete',
      path: '/admin/v1/operators/{id}',
      summary: 'Let an operator do nothing more, at once; their sessions end with it',
      status: 204,
      run: async ({ param, actor }) => {
        if ((await operators.revoke(param('id'), actor)) === null) throw notFound('operator')
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/operators/{id}/readmit',
      summary: 'Let a person sign in again who was revoked',
      reads: 'optional',
      status: 200,
      reply: operatorReply,
      run: async ({ param, actor }) => {
        const record = await operators.readmit(param('id'), actor)
        if (record === null) throw notFound('operator')
        return operatorView(operators, record)
      },
    }),
  ]
}

/** Never the digest. */
const operatorView = (operators: Operators, record: OperatorRecord): object => ({
  id: record.id,
  kind: record.kind,
  name: record.name,
  role: record.role,
  status: record.revokedAt !== null ? 'revoked' : operators.isLiving(record) ? 'active' : 'expired',
  created_at: instant(record.createdAt),
  created_by: operators.knownAs(record.createdBy),
  expires_at: record.expiresAt === null ? null : instant(record.expiresAt),
  revoked_at: record.revokedAt === null ? null : instant(record.revokedAt),
})

/** An actor of the ledger's entries as people know them: `operator:bob` for `opr_…`; `admin`, `reconcile` and the like as they are. */
export const knownAs = ({ operators }: Pick<AdminDeps, 'operators'>, actor: string): string =>
  operators?.knownAs(actor) ?? actor
