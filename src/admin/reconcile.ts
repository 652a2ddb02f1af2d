import { LedgerFault } from '../contracts/ledger.js'
import { COUNTABLE_MAX, formatUsd, parseUsd } from '../contracts/money.js'
import type { Report, Wish } from '../reconcile/index.js'
import type { AdminDeps } from './deps.js'
import { conflict, invalid, notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { callReply, callResolution, durationMs, reconcileReply, reconcileRequest, reconcileState } from './schemas.js'
import { callView, instant } from './views.js'

const ELSEWHERE = 'Another node reconciles at present. Ask again when it is done.'

/** What became of calls whose outcome is not known: by the vendors' records, or by the operator's word. */
export function reconcileRoutes(deps: AdminDeps): Route[] {
  const { ledger, clock, reconciler } = deps
  const resolution = route({
    method: 'post',
    path: '/admin/v1/calls/{id}/resolve',
    summary: 'Say what became of a call whose outcome no record tells',
    body: callResolution,
    status: 200,
    reply: callReply,
    run: async ({ param, body, actor }) => {
      const row = await ledger.call(param('id'))
      if (row === null) throw notFound('call')
      const amount = body.amount_usd === undefined ? null : parseUsd(body.amount_usd)
      if (amount !== null && amount > COUNTABLE_MAX)
        throw invalid('amount_usd', `is more than USD ${formatUsd(COUNTABLE_MAX)}, the most that is counted here`)
      const seen = { status: row.upstreamStatus, requestId: row.upstreamRequestId, ms: row.upstreamMs }
      const settlement = { outcome: body.outcome, ...(amount === null ? {} : { amount }), ...seen }
      return callView(await ledger.resolve(row.id, settlement, { actor, reason: body.reason }))
    },
  })
  if (reconciler === undefined) return [resolution]

  let last: { run: number; report: Report | null; message: string | null; done: boolean } = {
    run: 0,
    report: null,
    message: null,
    done: true,
  }
  const follow = (run: Promise<Report | null>): void => {
    const own = (last = { run: last.run + 1, report: null, message: null, done: false })
    run
      .then((report) => Object.assign(own, report === null ? { message: ELSEWHERE } : { report }))
      .catch((fault: unknown) => {
        deps.onFault?.(fault)
        const why = fault instanceof LedgerFault ? 'The ledger could not do this.' : 'This is a fault of spendgate.'
        Object.assign(own, { message: `${why} What was found before is booked. See the server log.` })
      })
      .finally(() => Object.assign(own, { done: true }))
  }
  const state = (): object => ({
    run: last.run,
    running: !last.done,
    done: last.done ? 0 : reconciler.progress().done,
    report: last.report && reportView(last.report),
    message: last.message,
  })
  const wishOf = ({ since, replay }: { since?: string | undefined; replay?: boolean | undefined }): Wish => ({
    since: since === undefined ? null : sinceOf(since, clock.now()),
    replay: replay === true,
    asked: true,
  })

  return [
    resolution,
    route({
      method: 'post',
      path: '/admin/v1/reconcile',
      summary: 'Resolve assumed calls and estimates from the vendors’ records',
      body: reconcileRequest,
      reads: 'optional',
      status: 200,
      reply: reconcileReply.or(reconcileState),
      run: async ({ body }) => {
        const run = reconciler.run(wishOf(body))
        if (body.background === true) {
          follow(run)
          return state()
        }
        const report = await run
        if (report === null) throw conflict(ELSEWHERE)
        return reportView(report)
      },
    }),
    route({
      method: 'get',
      path: '/admin/v1/reconcile',
      needs: 'viewer',
      summary: 'The run that was last asked for in the background',
      status: 200,
      reply: reconcileState,
      run: state,
    }),
  ]
}

const sinceOf = (text: string, nowMs: number): number =>
  /^\d+[smhd]$/.test(text) ? nowMs - durationMs(text) : Date.parse(text)

const reportView = (report: Report): object => ({
  checked: report.checked,
  settled: report.settled,
  released: report.released,
  still_assumed: report.stillAssumed,
  priced: report.priced,
  calls: report.calls.map(({ id, outcome, amount, why }) => ({ id, outcome, amount_usd: formatUsd(amount), why })),
  unexplained: report.unexplained.map(({ at, amount, ...rest }) => ({
    ...rest,
    at: instant(at),
    amount_usd: amount === null ? null : formatUsd(amount),
  })),
  explained_percent: report.explainedPercent,
  faults: report.faults,
})
