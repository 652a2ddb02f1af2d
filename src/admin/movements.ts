import type { MovementRow } from '../contracts/ledger.js'
import { formatUsd } from '../contracts/money.js'
import type { AdminDeps } from './deps.js'
import { pageOf } from './paging.js'
import { invalid } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { movementList, movementsQuery } from './schemas.js'
import { instant } from './views.js'

/** Money that moved at a vendor without a call: what followed from one, and what went around spendgate. */
export function movementRoutes({ ledger }: AdminDeps): Route[] {
  return [
    route({
      method: 'get',
      path: '/admin/v1/movements',
      needs: 'viewer',
      summary:
        'Money that moved without a call, newest first; with explained=false, what no call and no object of one explains',
      query: movementsQuery,
      status: 200,
      reply: movementList,
      run: async ({ query }) => {
        const { explained, vendor, key } = query
        if (query.cursor !== undefined && !/^[0-9]{1,15}$/.test(query.cursor))
          throw invalid('cursor', 'is not the next_cursor of this list')
        const page = await ledger.movements(
          {
            ...(explained === undefined ? {} : { explained: explained === 'true' }),
            ...(vendor === undefined ? {} : { vendor }),
            ...(key === undefined ? {} : { key }),
          },
          pageOf(query),
        )
        return { movements: page.rows.map(movementView), next_cursor: page.next }
      },
    }),
  ]
}

const movementView = (row: MovementRow): object => ({
  id: row.externalId,
  at: instant(row.at),
  vendor: row.vendor,
  credential_id: row.credentialId,
  kind: row.kind,
  direction: row.direction,
  object: row.object,
  call_id: row.callId,
  key_id: row.keyId,
  run: row.run,
  amount_usd: row.amount === null ? null : formatUsd(row.amount),
  counted_usd: formatUsd(row.counted),
  explained: row.explained,
  why: row.why,
})
