import type { AdminDeps } from '../admin/deps.js'
import { budgetsOf, statusOf } from '../admin/views.js'
import type { KeyRecord } from '../contracts/ledger.js'
import type { Budget, Counted } from '../contracts/policy.js'
import { Bar, percent } from './bar.js'
import { forecast, type Forecast } from './forecast.js'
import type { Html } from './html.js'
import { dollars, roughly, span } from './words.js'

const BARS_A_KEY = 4
/** Calls of a key that are read to tell its pace. */
const CALLS_READ = 40
/** A cap that will be full by then is worth a colour. */
const SOON_MS = 4 * 3_600_000

export interface CapNow extends Budget, Counted {
  /** Null where there is too little to tell; absent where nobody asked. */
  readonly forecast?: Forecast | null
}

/** A key's caps as they stand, the tightest first. */
export async function capsOf({ ledger, judge }: AdminDeps, key: KeyRecord, nowMs: number): Promise<readonly CapNow[]> {
  const budgets = budgetsOf(ledger, judge, key, nowMs)
  const usage = await ledger.usage(budgets)
  return budgets
    .map((budget, i) => ({ ...budget, ...usage[i]! }))
    .sort((a, b) => (a.cap - a.spent - a.held < b.cap - b.spent - b.held ? -1 : 1))
    .slice(0, BARS_A_KEY)
}

/** The same, with what each will come to while the key can be used. */
export async function forecastCapsOf(deps: AdminDeps, key: KeyRecord, nowMs: number): Promise<readonly CapNow[]> {
  const caps = await capsOf(deps, key, nowMs)
  if (caps.length === 0 || statusOf(deps.ledger, key, nowMs) !== 'active') return caps
  const { rows } = await deps.ledger.calls({ key: key.id }, { limit: CALLS_READ })
  return caps.map((cap) => ({ ...cap, forecast: forecast(cap, rows, key.createdAt, nowMs) }))
}

export function CapBar({ of, nowMs }: { of: CapNow; nowMs: number }): Html {
  const { spent, held, cap } = of
  const notes = [
    of.forecast ? aheadOf(of.forecast) : null,
    of.resetsAt === null ? null : `resets in ${span(of.resetsAt - nowMs)}`,
    of.enforce ? null : 'observed only',
  ].filter((note) => note !== null)
  return (
    <div class="cap">
      <Bar spent={spent} held={held} cap={cap} />
      <p>
        <span class="share">{percent(spent + held, cap)}</span>{' '}
        <span>
          <strong>{dollars(spent)}</strong>
          {held > 0n ? <> + {dollars(held)} held</> : null} of {limitIn(of.label)}
        </span>
      </p>
      {notes.length === 0 ? null : (
        <p class={(of.forecast?.fullInMs ?? Infinity) < SOON_MS ? 'ahead soon' : 'ahead'}>{notes.join(' · ')}</p>
      )}
    </div>
  )
}

const aheadOf = ({ fullInMs, byReset, of }: Forecast): string =>
  fullInMs !== null
    ? `full in about ${span(fullInMs)} at the pace of ${of}`
    : `about ${roughly(byReset!)} at the reset, at the pace of ${of}`

/** `USD 1000.00 a month (UTC)` as amounts are written here. */
const limitIn = (label: string): string =>
  label.replace(/USD (\d+)/, (_, whole: string) => `$${whole.replace(/\B(?=(\d{3})+$)/g, ',')}`)
