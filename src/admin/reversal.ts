import { formatUsd, usd } from '../contracts/money.js'
import type { TakeBack } from '../contracts/vendor.js'
import type { Item, Plan, Result } from '../reversal/index.js'
import type { AdminDeps } from './deps.js'
import { knownAs } from './operators.js'
import { notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { reversalReply, reversalRequest, reversalResults, runQuery } from './schemas.js'
import { instant } from './views.js'

/** What would undo a run, and the undoing of what the operator confirms. */
export function reversalRoutes(deps: AdminDeps): Route[] {
  const { ledger, reversals } = deps
  if (reversals === undefined) return []
  const known = async (run: string, key: string | undefined): Promise<void> => {
    if ((await ledger.run(run, key)) === null) throw notFound('run')
  }
  return [
    route({
      method: 'get',
      path: '/admin/v1/runs/{run}/reversal',
      needs: 'viewer',
      summary: 'What would undo a run; looks at the vendors and changes nothing',
      query: runQuery,
      status: 200,
      reply: reversalReply,
      run: async ({ param, query }) => {
        await known(param('run'), query.key)
        const plan = await reversals.plan(param('run'), query.key)
        return planView(plan, (id) => {
          const note = reversals.begun(id)
          return note && { ...note, by: knownAs(deps, note.by) }
        })
      },
    }),
    route({
      method: 'post',
      path: '/admin/v1/runs/{run}/reversal',
      needs: 'admin',
      summary: 'Do the confirmed items of the plan, each at most once, with the real credential',
      body: reversalRequest,
      status: 200,
      reply: reversalResults,
      run: async ({ param, body, actor }) => {
        await known(param('run'), body.key)
        const results = await reversals.undo(param('run'), body.key, body.items, actor)
        return { run: param('run'), results: results.map(resultView) }
      },
    }),
  ]
}

function planView({ run, items, harmless, cut }: Plan, begunOf: (id: string) => Result['note']): object {
  const open = items.flatMap((item) => (item.state === 'open' ? [item.undo.amount ?? 0n] : []))
  return {
    run,
    items: items.map((item) => itemView(item, begunOf)),
    open_usd: formatUsd(usd(open.reduce((sum, amount) => sum + amount, 0n))),
    harmless_calls: harmless,
    more: cut,
  }
}

function itemView(item: Item, begunOf: (id: string) => Result['note']): object {
  const { deed, on } = item
  const undo = item.state === 'open' ? item.undo : null
  const note = item.state === 'open' ? begunOf(item.id) : null
  return {
    id: item.state === 'open' ? item.id : null,
    state: item.state,
    vendor: deed.vendor,
    on,
    call_ids: deed.callIds,
    key_id: deed.keyId,
    at: instant(deed.at),
    operation: deed.operation,
    counted_usd: formatUsd(deed.counted),
    does: undo?.does ?? null,
    request: undo && requestView(undo.request),
    amount_usd: undo === null || undo.amount === null ? null : formatUsd(undo.amount),
    leaves: undo?.leaves ?? null,
    why: item.state === 'open' ? null : item.why,
    begun: note && { at: instant(note.at), by: note.by, state: note.state },
  }
}

const requestView = ({ method, path, params = [] }: TakeBack): object => ({
  method,
  path,
  params: Object.fromEntries(params),
})

const resultView = ({ id, state, before, why, note }: Result): object => ({
  id,
  state,
  before,
  why,
  amount_usd: state === 'done' ? (note?.amount ?? null) : null,
  outcome: state === 'done' ? (note?.outcome ?? null) : null,
})
