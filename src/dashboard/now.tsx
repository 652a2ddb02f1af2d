import { setTimeout as pause } from 'node:timers/promises'
import type { AdminDeps } from '../admin/deps.js'
import { statusOf } from '../admin/views.js'
import type { CallRow, KeyRecord, Ledger, SpendRow } from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import type { Exposure } from '../exposure/index.js'
import { CallTable } from './call-table.js'
import { CapBar, forecastCapsOf, type CapNow } from './caps.js'
import { drawn, type Curve } from './curve.js'
import { reasonIn } from './form.js'
import type { Html } from './html.js'
import { keyPath } from './keys.js'
import { searchCalls } from './search.js'
import { together } from './sums.js'
import { may, type Action, type Page, type Screen, type Visit } from './visit.js'
import { counted, dollars, roundly, Said, sum, Time } from './words.js'

const KEYS_SHOWN = 12
const KEYS_READ = 100
const CALLS_SHOWN = 8
const DENIALS_SHOWN = 5
/** How many calls are looked through for them. */
const DENIALS_AMONG = 500
/** The page does not wait longer for a line that is still being read; the next look has it. */
const LINE_WAIT_MS = 60

/** Are we safe, now? */
export const now =
  (curve: Curve): Screen =>
  async (visit) => {
    const { deps, sums, session, nowMs } = visit
    const { ledger } = deps
    const today = await sums.today()
    const { spent, calls, denied } = together(today.values())
    const [worst, line, latest, denials, waiting] = await Promise.all([
      sums.exposure(),
      Promise.race([curve.points(), pause(LINE_WAIT_MS, { points: [], since: null }, { ref: false })]),
      ledger.calls({}, { limit: CALLS_SHOWN }),
      latestDenials(ledger, denied),
      ledger.approvals({ state: 'open' }, { limit: 100 }),
    ])
    const { maxLoss, held } = worst
    const budgets = await budgetsShown(visit, today)
    const frozen = ledger.freezes().some(({ scope }) => scope.kind === 'all')

    const body = (
      <>
        <section aria-label="At a glance" class="figures" id="figures" data-part>
          <div class="figure big">
            <h2>Maximum possible loss right now</h2>
            <p class="value">{maxLoss === null ? 'No limit' : roundly(maxLoss)}</p>
            <LossParts worst={worst} deps={deps} />
          </div>
          <div class="figure">
            <h2>Spent today</h2>
            <p class="value" id="spent-today">
              {roundly(spent)}
            </p>
            <p class="hint">{counted(calls, 'call')} since 00:00 UTC</p>
          </div>
          <div class="figure">
            <h2>Held</h2>
            <p class="value">{roundly(held)}</p>
            <p class="hint">asked for and not answered yet</p>
          </div>
          <div class={denied > 0 ? 'figure warn' : 'figure'}>
            <h2>Denied today</h2>
            <p class="value">{denied.toLocaleString('en-US')}</p>
            <p class="hint">
              <a href="/dashboard/calls?state=denied">See them</a>
            </p>
          </div>
          <div class={waiting.rows.length > 0 ? 'figure warn' : 'figure'}>
            <h2>Waiting for approval</h2>
            <p class="value">{waiting.next === null ? waiting.rows.length : `${waiting.rows.length}+`}</p>
            <p class="hint">
              <a href="/dashboard/approvals">{waiting.rows.length > 0 ? 'Decide' : 'Approvals'}</a>
            </p>
          </div>
        </section>

        <section class="stop" aria-label="Stop everything">
          {frozen ? (
            <p class="hint">
              Everything is frozen.{' '}
              {may(visit, 'admin') ? 'Unfreeze it at the top of the page.' : 'An admin can unfreeze it.'}
            </p>
          ) : !may(visit, 'approver') ? null : (
            <details class="danger" id="freeze">
              <summary>Freeze all…</summary>
              <form method="post" action="/dashboard/freeze">
                <input type="hidden" name="csrf" value={session.csrf} />
                <p>
                  No call of any key reaches a vendor until you unfreeze. Calls whose bytes have left cannot be called
                  back; keys stay valid.
                </p>
                <label for="freeze-reason">Why (agents are told; may stay empty)</label>
                <input id="freeze-reason" name="reason" maxlength={500} autocomplete="off" />
                <button class="danger">Freeze everything now</button>
              </form>
            </details>
          )}
        </section>

        <section aria-labelledby="line-title">
          <h2 id="line-title">Spent today, as it grew</h2>
          <div class="plot" data-plot="line" aria-hidden="true" />
          <div id="line" data-part data-points={JSON.stringify(drawn(line.points))}>
            <p class="hint">
              {line.points.length < 2 ? (
                'No call yet today (UTC).'
              ) : (
                <>
                  <span class="key-spent">Spent</span> <span class="key-held">with what is held</span>{' '}
                  <span class="key-denied">calls denied</span>
                </>
              )}
              {line.since === null ? null : (
                <>
                  {' '}
                  Before <Time at={line.since} form="clock" /> the line is drawn straight: more calls came than are read
                  back.
                </>
              )}
            </p>
            <LineNumbers points={line.points} />
          </div>
        </section>

        <section aria-labelledby="caps-title" id="caps" data-part>
          <h2 id="caps-title">Each key against its caps</h2>
          {budgets.length === 0 ? (
            <p class="empty">
              No key yet. {may(visit, 'admin') ? <a href="/dashboard/keys/new">Create one.</a> : null}
            </p>
          ) : (
            <ul class="keys">
              {budgets.map(({ key, status, bars, today: own }) => (
                <li>
                  <h3>
                    <a href={keyPath(key.id)}>
                      <Said text={key.name} />
                    </a>{' '}
                    <span class="last4">…{key.last4}</span>{' '}
                    {status === 'active' ? null : <span class={`state ${status}`}>{status}</span>}
                  </h3>
                  {bars.length === 0 ? (
                    <p class="hint">No cap. {dollars(own?.spent ?? usd(0n))} spent today.</p>
                  ) : (
                    bars.map((bar) => <CapBar of={bar} nowMs={nowMs} />)
                  )}
                </li>
              ))}
            </ul>
          )}
        </section>

        <div class="columns">
          <section aria-labelledby="latest-title" id="latest" data-part>
            <h2 id="latest-title">Latest calls</h2>
            {latest.rows.length === 0 ? (
              <p class="empty">No call yet.</p>
            ) : (
              <CallTable rows={latest.rows} ledger={ledger} caption="The latest calls, newest first" />
            )}
            <p>
              <a href="/dashboard/calls">All calls</a>
            </p>
          </section>
          <section aria-labelledby="denials-title" id="denials" data-part>
            <h2 id="denials-title">Latest denials</h2>
            {denials.length === 0 ? <p class="empty">None among the latest calls.</p> : null}
            <ul class="denials">
              {denials.map((row) => (
                <li>
                  <p>
                    <a href={`/dashboard/calls/${row.id}`}>
                      <Time at={row.at} form="clock" /> <code>{row.code}</code>
                    </a>
                  </p>
                  <p class="hint">{row.message === null ? null : <Said text={row.message} />}</p>
                </li>
              ))}
            </ul>
          </section>
        </div>
      </>
    )
    return { title: 'Now', screen: 'now', body, live: true } satisfies Page
  }

/** @param today how many there were: where there was none, no row is looked through for it */
async function latestDenials(ledger: Ledger, today: number): Promise<readonly CallRow[]> {
  if (today === 0) return []
  const wanted = { key: null, run: null, vendor: null, state: 'denied' } as const
  return (await searchCalls(ledger, wanted, DENIALS_SHOWN, null, DENIALS_AMONG)).rows
}

function LossParts({ worst, deps }: { worst: Exposure; deps: AdminDeps }): Html {
  const unbounded = worst.byKey.filter((line) => line.capsLeft === null)
  // Shared budgets once; where not every key has a cap, what is left of those that do.
  const capsLeft = worst.capsLeft ?? sum(worst.byKey.map((line) => line.capsLeft ?? usd(0n)))
  const part = (kind: 'scheduled' | 'recurring' | 'open'): Usd => sum(worst.byKey.map((line) => line.to[kind]))
  const parts: readonly (readonly [string, Usd, string])[] = [
    ['left of caps', capsLeft, ''],
    ['held', worst.held, ''],
    ['open', part('open'), ''],
    ['scheduled', part('scheduled'), ''],
    ['recurring', part('recurring'), ' a month'],
  ]
  return (
    <>
      <ul class="parts">
        {parts
          .filter(([name, amount]) => amount > 0n || name === 'left of caps')
          .map(([name, amount, each]) => (
            <li>
              <strong>
                {roundly(amount)}
                {each}
              </strong>{' '}
              {name}
            </li>
          ))}
      </ul>
      {unbounded.length === 0 ? null : (
        <p class="warning">
          Nothing bounds{' '}
          {unbounded.slice(0, 3).map((line, i) => (
            <>
              {i > 0 ? ', ' : ''}
              <Said text={deps.ledger.key(line.id)?.name ?? line.id} />
            </>
          ))}
          {unbounded.length > 3 ? ` and ${unbounded.length - 3} more` : ''}: give each policy a cap over everything.
        </p>
      )}
    </>
  )
}

interface KeyNow {
  readonly key: KeyRecord
  readonly status: ReturnType<typeof statusOf>
  readonly bars: readonly CapNow[]
  readonly today: SpendRow | undefined
}

/** Keys that spent or were refused today, most spent first; then other living ones, newest first. */
async function budgetsShown({ deps, nowMs }: Visit, today: ReadonlyMap<string, SpendRow>): Promise<readonly KeyNow[]> {
  const { ledger } = deps
  const used = [...today.values()]
    .sort((a, b) => (a.spent + a.held < b.spent + b.held ? 1 : -1))
    .flatMap((row) => ledger.key(row.by) ?? [])
  const { rows } = await ledger.keys({ limit: KEYS_READ })
  const living = rows.filter((key) => key.parentId === null && statusOf(ledger, key, nowMs) !== 'revoked')
  const shown = [...new Map([...used, ...living].map((key) => [key.id, key])).values()].slice(0, KEYS_SHOWN)
  return Promise.all(
    shown.map(async (key) => ({
      key,
      status: statusOf(ledger, key, nowMs),
      bars: await forecastCapsOf(deps, key, nowMs),
      today: today.get(key.id),
    })),
  )
}

const NUMBERS_SHOWN = 24

/** The line in numbers, for whoever cannot see it. */
function LineNumbers({ points }: { points: Awaited<ReturnType<Curve['points']>>['points'] }): Html | null {
  if (points.length < 2) return null
  const step = Math.ceil(points.length / NUMBERS_SHOWN)
  const shown = points.filter((_, i) => i % step === 0 || i === points.length - 1)
  return (
    <details>
      <summary>In numbers</summary>
      <table>
        <caption class="hidden">What was spent and held by an instant</caption>
        <thead>
          <tr>
            <th scope="col">By</th>
            <th scope="col" class="number">
              Spent
            </th>
            <th scope="col" class="number">
              Held
            </th>
            <th scope="col" class="number">
              Denied
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((point) => (
            <tr>
              <th scope="row">
                <Time at={point.at} form="clock" />
              </th>
              <td class="number">{dollars(point.spent)}</td>
              <td class="number">{dollars(point.held)}</td>
              <td class="number">{point.denied}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  )
}

export const freezeAll: Action = async ({ deps, session }, form) => {
  await deps.ledger.freeze({ kind: 'all' }, reasonIn(form), session.by.actor)
  return { to: '/dashboard', notice: 'Everything is frozen. No call reaches a vendor until you unfreeze.' }
}

export const unfreezeAll: Action = async ({ deps, session }) => {
  await deps.ledger.unfreeze({ kind: 'all' }, session.by.actor)
  return { to: '/dashboard', notice: 'Everything is unfrozen. Keys, runs and vendors frozen by themselves stay so.' }
}
