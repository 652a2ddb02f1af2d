import { setTimeout as pause } from 'node:timers/promises'
import type { AdminDeps } from '../admin/deps.js'
import { Problem } from '../admin/problem.js'
import { LedgerFault } from '../contracts/ledger.js'
import { usd } from '../contracts/money.js'
import type { Report } from '../reconcile/index.js'
import type { Html } from './html.js'
import { may, type Action, type Visit } from './visit.js'
import { counted, dollars, Facts, Said, sum, Time } from './words.js'

/** Who asks is shown the result on the next page if it comes that soon; a longer run goes on behind the pages. */
const PATIENCE_MS = 3_000
const FAULTS_SHOWN = 5

/** Runs that were asked for here, one at a time, whoever clicks how often. */
export class AskedRuns {
  readonly #deps: AdminDeps
  #running: Promise<string> | null = null

  constructor(deps: AdminDeps) {
    this.#deps = deps
  }

  /** Whether one is under way: asked for here, by the API or by the clock. */
  get running(): boolean {
    return this.#running !== null || this.#deps.reconciler?.progress().running === true
  }

  /** Begins a run, or joins the one that was asked for before. What it found, as a sentence. */
  run(): Promise<string> {
    return (this.#running ??= this.#whole().finally(() => (this.#running = null)))
  }

  async #whole(): Promise<string> {
    try {
      const report = await this.#deps.reconciler!.run({ since: null, replay: false, asked: true })
      return report === null ? 'Another node reconciles at present. Ask again when it is done.' : sentenceOf(report)
    } catch (fault) {
      this.#deps.onFault?.(fault)
      const why = fault instanceof LedgerFault ? 'The ledger could not do this.' : 'This is a fault of spendgate.'
      return `${why} What was found before is booked. See the server log.`
    }
  }
}

export const reconcileNow =
  (asked: AskedRuns): Action =>
  async ({ deps }) => {
    if (deps.reconciler === undefined) throw new Problem('conflict', 'This server does not ask the vendors.')
    const found = await Promise.race([asked.run(), pause(PATIENCE_MS, null, { ref: false })])
    const notice = found ?? 'The vendors are being asked. What they say stands here as soon as it is known.'
    return { to: '/dashboard/vendors', notice }
  }

function sentenceOf({ checked, settled, released, stillAssumed, priced, unexplained }: Report): string {
  const parts = [
    settled > 0 ? `${settled} settled` : '',
    released > 0 ? `${released} released` : '',
    priced > 0 ? `${priced} priced` : '',
    stillAssumed > 0 ? `${stillAssumed} still assumed` : '',
  ].filter((part) => part !== '')
  const looked = `The vendors were asked about ${counted(checked, 'call')}${parts.length === 0 ? '' : `: ${parts.join(', ')}`}.`
  return unexplained.length === 0
    ? looked
    : `${looked} ${counted(unexplained.length, 'movement')} of money no call explains.`
}

/** How the last run ended, and the button for the next. */
export function LastRun({ visit, asked }: { visit: Visit; asked: AskedRuns }): Html {
  const { reconciler } = visit.deps
  const last = reconciler?.last?.() ?? null
  return (
    <>
      {last === null ? (
        <p class="hint">Nothing was compared with the vendors' records since spendgate started.</p>
      ) : (
        <Drift at={last.at} report={last.report} />
      )}
      {reconciler === undefined ? null : asked.running ? (
        <p role="status">
          The vendors are being asked now: {counted(reconciler.progress().done, 'call')} looked at so far.
        </p>
      ) : may(visit, 'admin') ? (
        <form method="post" action="/dashboard/vendors/reconcile">
          <input type="hidden" name="csrf" value={visit.session.csrf} />
          <button>Reconcile now</button>
        </form>
      ) : null}
    </>
  )
}

function Drift({ at, report }: { at: number; report: Report }): Html {
  const { unexplained, faults } = report
  const amount = sum(unexplained.map((each) => each.amount ?? usd(0n)))
  const unpriced = unexplained.some((each) => each.amount === null)
  return (
    <>
      <Facts
        of={[
          ['Compared', <Time at={at} />],
          [
            'Explained',
            report.explainedPercent === null ? 'nothing was compared' : `${report.explainedPercent} % of what moved`,
          ],
          [
            'Unexplained',
            unexplained.length === 0
              ? dollars(usd(0n))
              : `${dollars(amount)}${unpriced ? ' and more' : ''} in ${counted(unexplained.length, 'movement')}`,
          ],
          ['Looked at', counted(report.checked, 'call')],
          ['Settled', String(report.settled)],
          ['Released', String(report.released)],
          ['Priced', String(report.priced)],
          ['Still assumed', String(report.stillAssumed)],
        ]}
      />
      {faults.slice(0, FAULTS_SHOWN).map((fault) => (
        <p class="warning">
          <Said text={fault} />
        </p>
      ))}
    </>
  )
}
