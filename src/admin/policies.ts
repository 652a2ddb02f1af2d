import type { PolicyRecord } from '../contracts/ledger.js'
import type { AdminDeps } from './deps.js'
import { lookUpPolicy } from './issue.js'
import { pageIn } from './paging.js'
import { invalidDocument, notFound } from './problem.js'
import { rehearsalRoutes } from './rehearsals.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { pageQuery, policyList, policyReply, policyVersions } from './schemas.js'
import { policyHead, policyView } from './views.js'

/** Policy documents: immutable versions under a name. */
export function policyRoutes(deps: AdminDeps): Route[] {
  const { ledger, judge } = deps
  const parsed = (text: string): { readonly name: string; readonly document: unknown } => {
    const found = judge.parse(text, null)
    if (!found.ok) throw invalidDocument(found.faults)
    return found
  }
  const versionsOf = (name: string): PolicyRecord[] =>
    ledger
      .policies()
      .filter((record) => record.name === name)
      .sort((a, b) => b.version - a.version)

  const routes = [
    route({
      method: 'post',
      path: '/admin/v1/policies',
      summary: 'Store the next version of a policy',
      reads: 'policy',
      status: 201,
      reply: policyReply,
      run: async ({ body, actor }) => {
        const { name, document } = parsed(body as unknown as string)
        return policyView(await ledger.addPolicy(name, document, actor))
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/policies',
      needs: 'viewer',
      summary: 'The latest version of every policy',
      query: pageQuery,
      status: 200,
      reply: policyList,
      run: ({ query }) => {
        const names = [...new Set(ledger.policies().map((record) => record.name))].sort()
        const page = pageIn(
          names.map((name) => versionsOf(name)[0]!),
          query,
        )
        const heads = page.rows.map((record) => ({ ...policyHead(record), versions: versionsOf(record.name).length }))
        return { policies: heads, next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/policies/{name}/versions',
      needs: 'viewer',
      summary: 'Every version of a policy, newest first',
      query: pageQuery,
      status: 200,
      reply: policyVersions,
      run: ({ param, query }) => {
        const versions = versionsOf(param('name'))
        if (versions.length === 0) throw notFound('policy')
        const page = pageIn(versions, query)
        return { versions: page.rows.map(policyView), next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/policies/{name}',
      needs: 'viewer',
      summary: 'A policy by name, name@version or id',
      status: 200,
      reply: policyReply,
      run: ({ param }) => {
        const found = lookUpPolicy(ledger, param('name'))
        if (!found) throw notFound('policy')
        return policyView(found)
      },
    }),
  ]
  return deps.rehearsal === undefined ? routes : [...rehearsalRoutes(deps, deps.rehearsal), ...routes]
}
