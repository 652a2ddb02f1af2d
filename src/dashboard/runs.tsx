import type { AlignedData } from 'uplot'
import { notFound } from '../admin/problem.js'
import { budgetsOf, statusOf } from '../admin/views.js'
import type { CallRow, KeyRecord, Ledger, RunRow } from '../contracts/ledger.js'
import { usd, type Usd } from '../contracts/money.js'
import { CallTable, keyName, runPath } from './call-table.js'
import { CapBar, type CapNow } from './caps.js'
import { forecast } from './forecast.js'
import { reasonIn } from './form.js'
import type { Html } from './html.js'
import { Revoke } from './revoke.js'
import { recentRuns, searchCalls } from './search.js'
import { may, type Action, type Screen, type Visit } from './visit.js'
import { counted, dollars, Facts, Said, span, Time } from './words.js'

const RUNS_A_PAGE = 25
const CALLS_SHOWN = 250

/** Pieces of agent work, the last active one first. */
export const runs: Screen = async ({ deps, query }) => {
  const { ledger } = deps
  const cursor = query.get('cursor')
  const { runs: found, next } = await recentRuns(ledger, RUNS_A_PAGE, cursor)
  const rows = (await Promise.all(found.map(({ run, rootId }) => ledger.run(run, rootId)))).filter(
    (row) => row !== null,
  )
  const body = (
    <section id="runs" data-part aria-label="Runs">
      {rows.length === 0 ? (
        <p class="empty">
          No run yet. A run begins with an agent's first call; <code>x-agent-run-id</code> names it.
        </p>
      ) : (
        <table class="runs">
          <caption class="hidden">Runs, the last active one first</caption>
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">Key</th>
              <th scope="col" class="number">
                Spent
              </th>
              <th scope="col" class="number">
                Held
              </th>
              <th scope="col" class="number">
                Calls
              </th>
              <th scope="col" class="number">
                Denied
              </th>
              <th scope="col">Last call</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr class={row.denied > 0 ? 'refused' : ''}>
                <th scope="row">
                  <a href={runPath(row.run, row.keyId)}>{row.run}</a>
                  {isFrozen(ledger, row.run) ? <span class="state frozen">frozen</span> : null}
                </th>
                <td class="who">
                  <Said text={keyName(ledger, row.keyId)} />
                </td>
                <td class="number" data-label="spent">
                  {dollars(row.spent)}
                </td>
                <td class="number" data-label="held">
                  {row.held > 0n ? dollars(row.held) : '–'}
                </td>
                <td class="number" data-label="calls">
                  {row.calls.toLocaleString('en-US')}
                </td>
                <td class="number" data-label="denied">
                  {row.denied > 0 ? <strong class="refusals">{row.denied.toLocaleString('en-US')}</strong> : '–'}
                </td>
                <td class="when">
                  <Time at={row.lastAt} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="pages">
        {cursor === null ? null : <a href="/dashboard/runs">Latest runs</a>}{' '}
        {next === null ? null : <a href={`/dashboard/runs?cursor=${encodeURIComponent(next)}`}>Earlier runs</a>}
      </p>
    </section>
  )
  return { title: 'Runs', screen: 'runs', body, live: cursor === null }
}

/** One piece of work: what it did, what that came to, and how to stop it. */
export const run: Screen = async (visit) => {
  const { deps, session, query, param, nowMs } = visit
  const { ledger } = deps
  const row = await ledger.run(param, query.get('key') ?? undefined)
  if (row === null) throw notFound('run')
  const root = ledger.key(row.keyId)
  const { rows: all, next } = await searchCalls(
    ledger,
    { key: null, run: row.run, vendor: null, state: null },
    CALLS_SHOWN,
    null,
  )
  const calls = all.filter((call) => (ledger.key(call.keyId)?.rootId ?? call.keyId) === row.keyId)
  const cap = root === null ? null : await runCap(visit, calls, root)
  // A cap that counts the key's other runs as well is no line in this one's picture.
  const own = cap !== null && cap.window === row.run ? cap : null
  const keys = [...new Set([...calls.map((call) => call.keyId), row.keyId])]
    .flatMap((id) => ledger.key(id) ?? [])
    .slice(0, 4)
  const frozen = isFrozen(ledger, row.run)
  const body = (
    <>
      <section id="sums" data-part aria-label="What it came to">
        {cap === null ? null : <CapBar of={cap} nowMs={nowMs} />}
        <Facts
          of={[
            ['Spent', dollars(row.spent)],
            ['Held', dollars(row.held)],
            ['Calls', row.calls.toLocaleString('en-US')],
            ['Denied', row.denied.toLocaleString('en-US')],
            ['By vendor', vendorsIn(row)],
            ['Key', root === null ? row.keyId : <Said text={root.name} />],
            ['Began', <Time at={row.firstAt} />],
            ['Last call', <Time at={row.lastAt} />],
            ['Took', span(row.lastAt - row.firstAt)],
          ]}
        />
      </section>
      <section class="stop" aria-label="Stop this run">
        {keys.map((key) => (
          <Revoke visit={visit} record={key} back={runPath(row.run, row.keyId)} />
        ))}
        {may(visit, frozen ? 'admin' : 'approver') ? (
          <form
            method="post"
            action={`/dashboard/runs/${encodeURIComponent(row.run)}/${frozen ? 'unfreeze' : 'freeze'}`}
          >
            <input type="hidden" name="csrf" value={session.csrf} />
            <input type="hidden" name="key" value={row.keyId} />
            <button>{frozen ? 'Unfreeze this run' : 'Freeze this run'}</button>
            <span class="hint">
              {frozen
                ? ' Frozen: no call labelled with it passes.'
                : ' Stops calls labelled with it; an agent may choose another label, a revoked key it cannot.'}
            </span>
          </form>
        ) : null}
      </section>
      <section aria-labelledby="line-title">
        <h2 id="line-title">What it came to, call by call</h2>
        <div class="plot" data-plot="steps" aria-hidden="true" />
        <div id="line" data-part data-points={JSON.stringify(stepsOf(row, calls, own?.cap ?? null))}>
          <p class="hint">
            <span class="key-spent">Spent</span> <span class="key-denied">calls denied</span>
            {own === null ? null : <span class="key-cap">cap of the run</span>}
          </p>
        </div>
      </section>
      <section aria-labelledby="timeline-title" id="timeline" data-part>
        <h2 id="timeline-title">
          {next === null ? counted(calls.length, 'call') : `The latest ${calls.length} calls`}, newest first
        </h2>
        <Timeline row={row} calls={calls} ledger={ledger} />
        {next === null ? null : (
          <a href={`/dashboard/calls?run=${encodeURIComponent(row.run)}`}>All calls of the run</a>
        )}
      </section>
    </>
  )
  return { title: `Run ${row.run}`, screen: 'runs', body, live: true }
}

/** The calls with what the run had come to after each of them. */
function Timeline({ row, calls, ledger }: { row: RunRow; calls: readonly CallRow[]; ledger: Ledger }): Html {
  if (calls.length === 0) return <p class="empty">Its calls are in the archive, or under other keys.</p>
  return (
    <CallTable
      rows={calls}
      ledger={ledger}
      caption="Calls of the run, newest first"
      withRun={false}
      totals={totals(row, calls)}
    />
  )
}

/** What the run had spent and held after each call, by call id: from its sums back through its calls. */
function totals(row: RunRow, calls: readonly CallRow[]): ReadonlyMap<string, Usd> {
  let left: bigint = row.spent + row.held
  return new Map(
    calls.map((call) => {
      const after = usd(left > 0n ? left : 0n)
      left -= countedFor(call)
      return [call.id, after]
    }),
  )
}

const countedFor = (call: CallRow): bigint => call.settled + (call.state === 'reserved' ? call.reserved : 0n)

/** For drawing alone. */
function stepsOf(row: RunRow, calls: readonly CallRow[], cap: Usd | null): AlignedData {
  const after = totals(row, calls)
  const oldestFirst = [...calls].reverse()
  const drawnUsd = (micro: bigint): number => Number(micro) / 1e6
  const at = oldestFirst.map((call) => call.at / 1000)
  const sums = oldestFirst.map((call) => drawnUsd(after.get(call.id)!))
  const first = oldestFirst[0]
  const before = first === undefined ? [] : [drawnUsd(after.get(first.id)! - countedFor(first))]
  return [
    first === undefined ? [] : [at[0]! - 1, ...at],
    [...before, ...sums],
    [...before.map(() => null), ...oldestFirst.map((call, i) => (call.state === 'denied' ? sums[i]! : null))],
    [...before, ...sums].map(() => (cap === null ? null : drawnUsd(cap))),
  ]
}

/** The cap of runs as it stands: that of the key bound to the run, or a budget per run of the whole key. */
async function runCap({ deps, nowMs }: Visit, calls: readonly CallRow[], root: KeyRecord): Promise<CapNow | null> {
  const key = deps.ledger.key(calls[0]?.keyId ?? root.id) ?? root
  const found = budgetsOf(deps.ledger, deps.judge, key, nowMs)
    .filter((budget) => budget.code === 'run_cap_exceeded' && budget.measure === 'spent')
    .sort((a, b) => (a.cap < b.cap ? -1 : 1))[0]
  if (found === undefined) return null
  const [counter] = await deps.ledger.usage([found])
  const cap = { ...found, ...counter! }
  const goesOn = statusOf(deps.ledger, key, nowMs) === 'active' && !isFrozen(deps.ledger, calls[0]?.run ?? '')
  return goesOn ? { ...cap, forecast: forecast(cap, calls, key.createdAt, nowMs) } : cap
}

const vendorsIn = (row: RunRow): string =>
  Object.entries(row.byVendor)
    .map(([vendor, spent]) => `${vendor} ${dollars(spent)}`)
    .join(', ')

const isFrozen = (ledger: Ledger, run: string): boolean =>
  ledger.freezes().some(({ scope }) => scope.kind === 'run' && scope.value === run)

const freezing =
  (frozen: boolean): Action =>
  async ({ deps, param, session }, form) => {
    const { actor } = session.by
    const row = await deps.ledger.run(param, form.text('key') || undefined)
    if (row === null) throw notFound('run')
    const scope = { kind: 'run', value: row.run } as const
    if (frozen) await deps.ledger.freeze(scope, reasonIn(form), actor)
    else await deps.ledger.unfreeze(scope, actor)
    return { to: runPath(row.run, row.keyId), notice: `The run ${row.run} is ${frozen ? 'frozen' : 'unfrozen'}.` }
  }
export const freezeRun = freezing(true)
export const unfreezeRun = freezing(false)
