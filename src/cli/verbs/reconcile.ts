import type { Context } from '../context.js'
import { CliFault, Exit } from '../exit.js'
import { dollars, facts, instant, safe, table, type Tone } from '../output.js'
import type { CallReply } from '../replies.js'

interface ReportReply {
  readonly checked: number
  readonly settled: number
  readonly released: number
  readonly still_assumed: number
  readonly priced: number
  readonly calls: readonly {
    readonly id: string
    readonly outcome: string
    readonly amount_usd: string
    readonly why: string
  }[]
  readonly unexplained: readonly {
    readonly vendor: string
    readonly credential: string
    readonly id: string
    readonly at: string
    readonly kind: string
    readonly object: string | null
    readonly amount_usd: string | null
    readonly why: string
  }[]
  readonly explained_percent: string | null
  readonly faults: readonly string[]
}

/** What the server says of the run under way. */
interface StateReply {
  readonly run: number
  readonly running: boolean
  readonly done: number
  readonly report: ReportReply | null
  readonly message: string | null
}

const LOOK_MS = 500
/** Twenty minutes: a run takes ten at most, and may wait for another one first. */
const LOOKS_MAX = 2_400
/** Progress is told once in so many looks. */
const TOLD_EVERY = 10

interface ReconcileOptions {
  readonly since?: string
  readonly replay?: boolean
}

export async function reconcile(context: Context, { since, replay }: ReconcileOptions): Promise<number> {
  const api = await context.api()
  const asked = await api.post<StateReply>('/reconcile', {
    background: true,
    ...(since === undefined ? {} : { since }),
    ...(replay === true ? { replay } : {}),
  })
  // An interruption ends the command; the server goes on.
  const whole = new AbortController().signal
  let state = asked
  for (let looks = 1; state.run === asked.run && state.running && looks < LOOKS_MAX; looks++) {
    await context.io.pause(LOOK_MS, whole)
    state = await api.get<StateReply>('/reconcile')
    if (looks % TOLD_EVERY === 0) context.say(`${state.done} calls looked at so far.`)
  }
  if (state.run !== asked.run)
    throw new CliFault(
      Exit.failure,
      'Somebody else has begun another reconciliation since. Its report is the newer one.',
    )
  if (state.report === null) throw new CliFault(Exit.failure, state.message ?? 'The reconciliation has not ended yet.')
  if (context.json) context.reply(state.report)
  else show(context, state.report)
  return Exit.ok
}

const TONES: Readonly<Record<string, Tone>> = {
  settled: 'good',
  released: 'good',
  adjusted: 'good',
  confirmed: 'good',
  still_assumed: 'warn',
  kept: 'warn',
}

function show(context: Context, report: ReportReply): void {
  context.show(
    facts(context.style, [
      ['looked at', String(report.checked)],
      ['settled', String(report.settled)],
      ['released', String(report.released)],
      ['still assumed', String(report.still_assumed)],
      ['priced', String(report.priced)],
      ['explained', report.explained_percent === null ? null : `${report.explained_percent} % of what moved`],
    ]),
  )
  if (report.calls.length > 0)
    context.show(
      table(
        context.style,
        [{ title: 'CALL' }, { title: 'OUTCOME' }, { title: 'COUNTS FOR', right: true }, { title: 'WHY' }],
        report.calls.map(({ id, outcome, amount_usd: amount, why }) => [
          id,
          { text: outcome.replace('_', ' '), tone: TONES[outcome] ?? 'plain' },
          dollars(amount),
          why,
        ]),
      ),
    )
  if (report.unexplained.length > 0) {
    context.say('This moved at the vendors, and no call explains it:')
    context.show(
      table(
        context.style,
        [
          { title: 'AT (UTC)' },
          { title: 'VENDOR' },
          { title: 'WHAT' },
          { title: 'ID' },
          { title: 'AMOUNT', right: true },
          { title: 'WHY' },
        ],
        report.unexplained.map((each) => [
          instant(each.at),
          each.vendor,
          each.kind,
          each.id,
          dollars(each.amount_usd),
          each.why,
        ]),
      ),
    )
  }
  for (const fault of report.faults) context.say(fault)
  const [stuck] = report.calls.filter(({ outcome }) => outcome === 'still_assumed')
  if (stuck !== undefined)
    context.say(
      `Where no record tells, look at the vendor and say so:  spendgate calls resolve ${stuck.id} --outcome released --reason '…'`,
    )
}

interface ResolveOptions {
  readonly outcome: 'settled' | 'released'
  readonly amount?: string
  readonly reason: string
}

export async function resolve(context: Context, options: ResolveOptions, id: string): Promise<number> {
  const { outcome, amount, reason } = options
  const api = await context.api()
  const row = await api.post<CallReply>(`/calls/${encodeURIComponent(id)}/resolve`, {
    outcome,
    reason,
    ...(amount === undefined ? {} : { amount_usd: amount }),
  })
  if (context.json) context.reply(row)
  else context.show(`${safe(row.id)} is ${safe(row.state)} and counts for ${safe(dollars(row.settled_usd))}.\n`)
  return Exit.ok
}
