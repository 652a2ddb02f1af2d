import { knownAs } from '../admin/operators.js'
import { notFound } from '../admin/problem.js'
import type { CallState } from '../contracts/call.js'
import type { ApprovalRow, CallRow, EntryRow, Ledger } from '../contracts/ledger.js'
import { CallTable, callPath, keyName, runPath } from './call-table.js'
import type { Html } from './html.js'
import { keyPath } from './keys.js'
import { searchCalls, type Wanted } from './search.js'
import { entriesOf } from './trace.js'
import type { Screen, Visit } from './visit.js'
import { dollars, Facts, Name, Said, STATES, State, Time } from './words.js'

const ROWS_A_PAGE = 50

/** What happens, as it happens. */
export const calls: Screen = async (visit) => {
  const { deps, query } = visit
  const { ledger } = deps
  const wanted = wantedIn(query)
  const cursor = /^\d{1,15}$/.test(query.get('cursor') ?? '') ? query.get('cursor') : null
  const { rows, next, whole } = await searchCalls(ledger, wanted, ROWS_A_PAGE, cursor)
  const filter = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== null)) as Record<
    string,
    string
  >
  const path = (more: Record<string, string>): string =>
    `/dashboard/calls?${new URLSearchParams({ ...filter, ...more })}`
  const body = (
    <>
      <Filter visit={visit} wanted={wanted} />
      <section id="tail" data-part aria-label="Calls">
        {rows.length === 0 ? (
          <p class="empty">
            {whole ? 'No call fits.' : 'None of the calls that were looked at fits; there are earlier ones.'}
          </p>
        ) : (
          <CallTable rows={rows} ledger={ledger} caption="Calls, newest first" />
        )}
        <p class="pages">
          {cursor === null ? null : <a href={path({})}>Latest calls</a>}{' '}
          {next === null ? null : <a href={path({ cursor: next })}>{whole ? 'Earlier calls' : 'Look further back'}</a>}
        </p>
      </section>
    </>
  )
  return { title: 'Calls', screen: 'calls', body, live: cursor === null }
}

function wantedIn(query: URLSearchParams): Wanted {
  const text = (name: string): string | null => query.get(name)?.trim() || null
  const state = text('state')
  return {
    key: text('key'),
    run: text('run'),
    vendor: text('vendor'),
    state: state !== null && state in STATES ? (state as CallState) : null,
  }
}

function Filter({ visit, wanted }: { visit: Visit; wanted: Wanted }): Html {
  const { vendors } = visit.deps
  const any = Object.values(wanted).some((value) => value !== null)
  return (
    <form method="get" action="/dashboard/calls" class="filter" role="search" aria-label="Filter calls">
      <label>
        Decision
        <select name="state">
          <option value="">any</option>
          {Object.entries(STATES).map(([state, [label]]) => (
            <option value={state} selected={wanted.state === state}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label>
        Vendor
        <select name="vendor">
          <option value="">any</option>
          {vendors.map(({ name }) => (
            <option value={name} selected={wanted.vendor === name}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <label>
        Key
        <input name="key" value={wanted.key ?? ''} placeholder="key_…" autocomplete="off" spellcheck={false} />
      </label>
      <label>
        Run
        <input name="run" value={wanted.run ?? ''} placeholder="any" autocomplete="off" spellcheck={false} />
      </label>
      <button>Filter</button>
      {any ? <a href="/dashboard/calls">Show all</a> : null}
    </form>
  )
}

/** Everything known about one call. */
export const call: Screen = async (visit) => {
  const { deps, param } = visit
  const { ledger } = deps
  const row = await ledger.call(param)
  if (row === null) throw notFound('call')
  const [word, entries, approval] = await Promise.all([
    ledger.wordOn(row.id),
    entriesOf(ledger, row),
    requestFor(ledger, row),
  ])
  const root = ledger.key(row.keyId)?.rootId ?? row.keyId
  const body = (
    <>
      <section id="verdict" data-part class={`verdict ${row.state}`} aria-label="Decision">
        <p>
          <State of={row.state} observed={row.verdict === 'would_deny'} />{' '}
          {row.code === null ? null : <code>{row.code}</code>} {STATES[row.state][1]}
        </p>
        {row.message === null ? null : (
          <p class="message">
            {row.verdict === 'would_deny' ? 'Would be denied, but the policy only observes: ' : ''}
            <Said text={row.message} />
          </p>
        )}
        {row.rule === null ? null : (
          <p class="hint">
            The rule that spoke: <code>{row.rule}</code>
          </p>
        )}
        {approval !== null ? (
          <p>
            <a class="button" href={`/dashboard/approvals/${approval.id}`}>
              {approval.state === 'open' ? 'Decide on it' : `Its request for approval (${approval.state})`}
            </a>
          </p>
        ) : null}
        {word === null ? null : (
          <p>
            Found out <Time at={word.at} /> by <Said text={knownAs(deps, word.actor)} />: <Said text={word.reason} />
          </p>
        )}
      </section>
      <div class="columns">
        <section id="money" data-part aria-labelledby="money-title">
          <h2 id="money-title">Money</h2>
          <Facts
            of={[
              ['Quoted', row.basis === 'unpriceable' ? 'no price could be told' : dollars(row.quoted)],
              ['Known', BASIS[row.basis] ?? row.basis],
              ['Reserved', dollars(row.reserved)],
              ['Counted as spent', dollars(row.settled)],
              ['Settled', row.settledAt === null ? null : <Time at={row.settledAt} />],
              ['Direction', DIRECTION[row.direction] ?? null],
              ['Repeats', row.replayOf === null ? null : <a href={callPath(row.replayOf)}>{row.replayOf}</a>],
            ]}
          />
        </section>
        <section id="vendor" data-part aria-labelledby="vendor-title">
          <h2 id="vendor-title">At the vendor</h2>
          <Facts
            of={[
              [
                'Status',
                row.upstreamStatus === null
                  ? row.state === 'denied'
                    ? 'not asked'
                    : 'no reply'
                  : String(row.upstreamStatus),
              ],
              ['Took', row.upstreamMs === null ? null : `${row.upstreamMs} ms`],
              ['Request id', row.upstreamRequestId === null ? null : <RequestId row={row} />],
              ['Object', row.object === null ? null : <Said text={row.object} />],
              ['Customer', row.customer === null ? null : <Said text={row.customer} />],
              ['Look-ups', row.lookUps === 0 ? null : String(row.lookUps)],
            ]}
          />
        </section>
      </div>
      <section aria-labelledby="asked-title">
        <h2 id="asked-title">What was asked</h2>
        <Facts
          of={[
            ['Call', <code>{row.id}</code>],
            ['At', <Time at={row.at} />],
            [
              'Request',
              <code>
                {row.method} <Said text={row.path} />
              </code>,
            ],
            ['Vendor', `${row.vendor} (${row.surface})`],
            ['Operation', row.operation === null ? 'not known to spendgate' : <Name of={row.operation} />],
            ['Effect', row.effect],
            ['Reason given', row.reason === null ? null : <Said text={row.reason} />],
            [
              'Key',
              <a href={keyPath(row.keyId)}>
                <Said text={keyName(ledger, row.keyId)} />
              </a>,
            ],
            ['Run', <a href={runPath(row.run, root)}>{row.run}</a>],
            ['Refusals in this row', row.count > 1 ? String(row.count) : null],
            ['SHA-256 of the request', row.requestHash === '' ? null : <code class="hash">{row.requestHash}</code>],
          ]}
        />
      </section>
      <section id="entries" data-part aria-labelledby="entries-title">
        <h2 id="entries-title">In the audit chain</h2>
        <Entries of={entries} />
      </section>
    </>
  )
  return { title: `Call ${row.id}`, screen: 'calls', body, live: row.state === 'reserved' || row.state === 'assumed' }
}

/** The request for approval that a refusal named. */
async function requestFor(ledger: Ledger, row: CallRow): Promise<ApprovalRow | null> {
  const id = row.code === 'approval_required' ? /\bappr_\w+/.exec(row.message ?? '')?.[0] : undefined
  const found = id === undefined ? null : await ledger.approval(id)
  return found?.keyId === row.keyId ? found : null
}

const BASIS: Readonly<Record<string, string>> = {
  free: 'free of charge',
  exact: 'exactly, before the call',
  ceiling: 'as an upper bound, before the call',
  unpriceable: 'not at all, so it is refused',
}
const DIRECTION: Readonly<Record<string, string>> = { in: 'a customer pays us', out: 'we pay' }

/** Stripe shows its log of a request under its id. */
function RequestId({ row }: { row: CallRow }): Html {
  const id = row.upstreamRequestId!
  if (row.vendor !== 'stripe' || !/^req_\w+$/.test(id)) return <Said text={id} />
  return (
    <a href={`https://dashboard.stripe.com/logs/${id}`} rel="noreferrer">
      {id}
    </a>
  )
}

function Entries({ of }: { of: readonly EntryRow[] }): Html {
  if (of.length === 0)
    return <p class="empty">Its entries are in the archive, or too far from its row to be found here.</p>
  return (
    <table class="entries">
      <caption class="hidden">Entries of the audit chain about this call, oldest first</caption>
      <thead>
        <tr>
          <th scope="col" class="number">
            Entry
          </th>
          <th scope="col">Time</th>
          <th scope="col">Kind</th>
          <th scope="col" class="number">
            USD
          </th>
          <th scope="col">Hash</th>
        </tr>
      </thead>
      <tbody>
        {of.map((entry) => (
          <tr>
            <th scope="row" class="number">
              {entry.seq}
            </th>
            <td>
              <Time at={entry.at} form="clock" />
            </td>
            <td>
              <Name of={entry.kind} />
            </td>
            <td class="number">{dollars(entry.amount)}</td>
            <td>
              <code class="hash" title={entry.hash}>
                {entry.hash.slice(0, 16)}…
              </code>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
