import type { CallFilter } from '../contracts/ledger.js'
import type { AdminDeps } from './deps.js'
import { knownAs } from './operators.js'
import { pageOf } from './paging.js'
import { invalid, notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import {
  callFilterQuery,
  callList,
  callReply,
  callsQuery,
  runList,
  runQuery,
  runReply,
  runsQuery,
  spendQuery,
  spendReply,
} from './schemas.js'
import { CallStreams } from './stream.js'
import { callView, instant, runView, spendView } from './views.js'

/** What has happened: runs, spend and calls. */
export function reportRoutes(deps: AdminDeps): Route[] {
  const { ledger } = deps
  const streams = new CallStreams(ledger)
  return [
    route({
      method: 'get',
      path: '/admin/v1/runs',
      needs: 'viewer',
      summary: 'Runs, newest first',
      query: runsQuery,
      status: 200,
      reply: runList,
      run: async ({ query }) => {
        const page = await ledger.runs(pageOf(query), query.key)
        return { runs: page.rows.map(runView), next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/runs/{run}',
      needs: 'viewer',
      summary: 'One run; `key` tells apart runs of one name under several root keys',
      query: runQuery,
      status: 200,
      reply: runReply,
      run: async ({ param, query }) => {
        const row = await ledger.run(param('run'), query.key)
        if (!row) throw notFound('run')
        return runView(row)
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/spend',
      needs: 'viewer',
      summary: 'What was spent and is held, by run, key, vendor, operation or day',
      query: spendQuery,
      status: 200,
      reply: spendReply,
      run: async ({ query }) => {
        const from = query.from === undefined ? {} : { from: Date.parse(query.from) }
        const to = query.to === undefined ? {} : { to: Date.parse(query.to) }
        if (from.from !== undefined && to.to !== undefined && from.from >= to.to)
          throw invalid('to', 'must be after from')
        return spendView(query.by, await ledger.spend(query.by, { ...from, ...to }))
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/calls',
      needs: 'viewer',
      summary: 'Calls, newest first',
      query: callsQuery,
      status: 200,
      reply: callList,
      run: async ({ query }) => {
        const page = await ledger.calls(filterOf(query), pageOf(query))
        return { calls: page.rows.map(callView), next_cursor: page.next }
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/calls/stream',
      needs: 'viewer',
      summary: 'Calls as they happen and change, as server-sent events named `call`; resumes after Last-Event-ID',
      query: callFilterQuery,
      status: 200,
      replyType: 'text/event-stream',
      run: ({ query, header, signal, stillAllowed }) => {
        const last = header('last-event-id')
        if (last !== undefined && !/^[0-9]{1,15}$/.test(last))
          throw invalid('Last-Event-ID', 'must be the id of an event of this stream')
        return streams.open({
          after: last === undefined ? null : Number(last),
          filter: filterOf(query),
          signal,
          stillAllowed,
        })
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/calls/{id}',
      needs: 'viewer',
      summary: 'One call',
      status: 200,
      reply: callReply,
      run: async ({ param }) => {
        const row = await ledger.call(param('id'))
        if (!row) throw notFound('call')
        const word = await ledger.wordOn(row.id)
        const resolution = word && { by: knownAs(deps, word.actor), at: instant(word.at), reason: word.reason }
        return { ...callView(row), resolution }
      },
    }),
  ]
}

function filterOf(query: { readonly [name in keyof CallFilter]?: CallFilter[name] | undefined }): CallFilter {
  return {
    ...(query.key === undefined ? {} : { key: query.key }),
    ...(query.run === undefined ? {} : { run: query.run }),
    ...(query.vendor === undefined ? {} : { vendor: query.vendor }),
    ...(query.state === undefined ? {} : { state: query.state }),
  }
}
