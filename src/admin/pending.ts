import type { CommitmentRow } from '../contracts/ledger.js'
import type { AdminDeps } from './deps.js'
import { pageOf } from './paging.js'
import { notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { pageQuery, pendingList } from './schemas.js'
import { TAKE_BACK_MAX, takeBackAll } from './take-back.js'
import { commitmentView } from './views.js'

/** What calls have made that still acts by itself. */
export function pendingRoutes(deps: AdminDeps): Route[] {
  const { ledger } = deps
  return [
    route({
      method: 'get',
      path: '/admin/v1/keys/{id}/pending',
      needs: 'viewer',
      summary: 'What a key and its children made that is still to come',
      query: pageQuery,
      status: 200,
      reply: pendingList,
      run: async ({ param, query }) => {
        const key = ledger.key(param('id'))
        if (key === null) throw notFound('key')
        const page = await ledger.commitments(key.id, pageOf(query))
        return { pending: page.rows.map(commitmentView), next_cursor: page.next }
      },
    }),
  ]
}

/** What still stands of a revoked key, cancelled at the vendors where the operator asks for it. */
export async function pendingOf(deps: AdminDeps, keyId: string, cancel: boolean, actor: string): Promise<object> {
  const { rows, next } = await deps.ledger.commitments(keyId, { limit: TAKE_BACK_MAX })
  const errors = cancel ? await cancelled(deps, rows, actor) : null
  return {
    pending: rows.map((row, i) => {
      const error = errors?.[i] ?? null
      return {
        ...commitmentView(row),
        cancelled: errors !== null && error === null,
        ...(error === null ? {} : { error }),
      }
    }),
    pending_next_cursor: next,
  }
}

const cancelled = async (
  deps: AdminDeps,
  rows: readonly CommitmentRow[],
  actor: string,
): Promise<readonly (string | null)[]> =>
  deps.reach === undefined
    ? rows.map(() => 'This server cannot reach vendors from here. Cancel it at the vendor by hand.')
    : takeBackAll(rows, deps.reach, deps, actor)
