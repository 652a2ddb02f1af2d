import type { ApprovalRow } from '../contracts/ledger.js'
import type { AdminDeps } from './deps.js'
import { knownAs } from './operators.js'
import { pageOf } from './paging.js'
import { notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { approvalDecision, approvalList, approvalReply, approvalsQuery } from './schemas.js'
import { approvalView } from './views.js'

/** What agents ask the operator, and what the operator says. */
export function approvalRoutes(deps: AdminDeps): Route[] {
  const { ledger } = deps
  const view = (row: ApprovalRow): object =>
    approvalView({ ...row, decidedBy: row.decidedBy && knownAs(deps, row.decidedBy) })
  const deciding = (verb: 'approve' | 'deny', decision: 'approved' | 'denied', summary: string): Route =>
    route({
      method: 'post',
      path: `/admin/v1/approvals/{id}/${verb}`,
      needs: 'approver',
      summary,
      body: approvalDecision,
      reads: 'optional',
      status: 200,
      reply: approvalReply,
      run: async ({ param, body, actor }) => {
        const row = await ledger.decideApproval(param('id'), decision, body.reason ?? null, actor)
        if (row === null) throw notFound('approval')
        return view(row)
      },
    })
  return [
    route({
      method: 'get',
      path: '/admin/v1/approvals',
      needs: 'viewer',
      summary: 'Requests for approval, newest first',
      query: approvalsQuery,
      status: 200,
      reply: approvalList,
      run: async ({ query }) => {
        const { state, key } = query
        const filter = { ...(state === undefined ? {} : { state }), ...(key === undefined ? {} : { key }) }
        const page = await ledger.approvals(filter, pageOf(query))
        return { approvals: page.rows.map(view), next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/approvals/{id}',
      needs: 'viewer',
      summary: 'One request for approval',
      status: 200,
      reply: approvalReply,
      run: async ({ param }) => {
        const row = await ledger.approval(param('id'))
        if (row === null) throw notFound('approval')
        return view(row)
      },
    }),
    deciding('approve', 'approved', 'Let the very same request through once'),
    deciding('deny', 'denied', 'Refuse it; the agent is told'),
  ]
}
