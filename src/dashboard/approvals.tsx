import { knownAs } from '../admin/operators.js'
import { notFound } from '../admin/problem.js'
import type { ApprovalRow } from '../contracts/ledger.js'
import { callPath, keyName, runPath } from './call-table.js'
import { reasonIn } from './form.js'
import type { Html } from './html.js'
import { may, type Action, type Screen, type Visit } from './visit.js'
import { dollars, Facts, Said, span, Time } from './words.js'

const WAITING_SHOWN = 25
const DECIDED_SHOWN = 25

/** What agents ask, the newest first, and what was said to earlier requests. */
export const approvals: Screen = async (visit) => {
  const { ledger } = visit.deps
  const cursor = visit.query.get('cursor')
  const [open, latest] = await Promise.all([
    ledger.approvals({ state: 'open' }, { limit: WAITING_SHOWN, ...(cursor === null ? {} : { cursor }) }),
    ledger.approvals({}, { limit: DECIDED_SHOWN + WAITING_SHOWN }),
  ])
  const decided = latest.rows.filter((row) => row.state !== 'open').slice(0, DECIDED_SHOWN)
  const body = (
    <>
      <section id="waiting" data-part aria-labelledby="waiting-title">
        <h2 id="waiting-title">Waiting</h2>
        {open.rows.length === 0 ? <p class="empty">Nothing waits.</p> : null}
        {open.rows.map((row) => (
          <Request row={row} visit={visit} />
        ))}
        {open.next === null ? null : (
          <p>
            <a href={`/dashboard/approvals?cursor=${encodeURIComponent(open.next)}`}>Earlier ones</a>
          </p>
        )}
      </section>
      <section id="decided" data-part aria-labelledby="decided-title">
        <h2 id="decided-title">Before</h2>
        {decided.length === 0 ? (
          <p class="empty">Nothing was decided yet.</p>
        ) : (
          <Decided rows={decided} visit={visit} />
        )}
      </section>
    </>
  )
  return { title: 'Approvals', screen: 'approvals', body, live: cursor === null }
}

/** One request, as the link in a refusal names it. */
export const approval: Screen = async (visit) => {
  const row = await visit.deps.ledger.approval(visit.param)
  if (row === null) throw notFound('request for approval')
  const body = (
    <div id="request" data-part>
      <Request row={row} visit={visit} />
      <p>
        <a href="/dashboard/approvals">All requests</a>
      </p>
    </div>
  )
  return { title: 'Request for approval', screen: 'approvals', body, live: row.state === 'open' }
}

function Request({ row, visit }: { row: ApprovalRow; visit: Visit }): Html {
  const { deps, session, nowMs } = visit
  const { ledger } = deps
  const field = `reason-${row.id}`
  return (
    <article class={`request ${row.state}`} aria-labelledby={`title-${row.id}`}>
      <h3 id={`title-${row.id}`}>
        <span class="amount">{dollars(row.ceiling)}</span> <span class="vendor">{row.vendor}</span> {row.operation}
      </h3>
      <Facts
        of={[
          ['Asked by', <Said text={keyName(ledger, row.keyId)} />],
          ['In run', <a href={runPath(row.run, row.rootId)}>{row.run}</a>],
          [
            'Request',
            <code>
              {row.method} <Said text={row.path} />
            </code>,
          ],
          ['Customer', row.customer === null ? null : <Said text={row.customer} />],
          ["The agent's own words", row.callReason === null ? null : <Said text={row.callReason} />],
          ['Asked', <Time at={row.at} />],
          [
            row.state === 'approved' ? 'To be used within' : 'Decide within',
            row.state === 'open' || row.state === 'approved' ? span(row.expiresAt - nowMs) : null,
          ],
          ['Refused call', <a href={callPath(row.callId)}>{row.callId}</a>],
          ['SHA-256 of the request', <code class="hash">{row.requestHash}</code>],
        ]}
      />
      {row.state === 'open' && may(visit, 'approver') ? (
        <form method="post" action={`/dashboard/approvals/${encodeURIComponent(row.id)}`} class="decide">
          <input type="hidden" name="csrf" value={session.csrf} />
          <label for={field}>Why (the agent is told why it was denied; may stay empty)</label>
          <input id={field} name="reason" maxlength={500} autocomplete="off" />
          <div class="buttons">
            {/* First, because the return key presses the first button of a form. */}
            <button name="decision" value="denied">
              Deny
            </button>
            <button class="main" name="decision" value="approved">
              Approve once
            </button>
          </div>
          <p class="hint">
            Approving lets this very request of this very key through once, up to {dollars(row.ceiling)}. Caps still
            hold.
          </p>
        </form>
      ) : (
        <p class="outcome">
          <Outcome row={row} visit={visit} />
        </p>
      )}
    </article>
  )
}

function Outcome({ row, visit }: { row: ApprovalRow; visit: Visit }): Html {
  return (
    <>
      <span class={`state ${row.state}`}>{OUTCOME[row.state]}</span>
      {row.decidedAt === null ? null : (
        <>
          {' '}
          <Time at={row.decidedAt} /> by <Said text={knownAs(visit.deps, row.decidedBy ?? '')} />
        </>
      )}
      {row.reason === null ? null : (
        <>
          : <Said text={row.reason} />
        </>
      )}
      {row.usedBy === null ? null : (
        <>
          {' '}
          (<a href={callPath(row.usedBy)}>the call</a>)
        </>
      )}
    </>
  )
}

const OUTCOME = {
  open: 'Waiting',
  approved: 'Approved',
  denied: 'Denied',
  expired: 'Expired',
  used: 'Approved and used',
} as const

function Decided({ rows, visit }: { rows: readonly ApprovalRow[]; visit: Visit }): Html {
  return (
    <table class="decided">
      <caption class="hidden">Requests that wait no more, newest first</caption>
      <thead>
        <tr>
          <th scope="col">Asked</th>
          <th scope="col" class="number">
            Up to
          </th>
          <th scope="col">What</th>
          <th scope="col">Key</th>
          <th scope="col">Outcome</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr>
            <td class="when">
              <a href={`/dashboard/approvals/${row.id}`}>
                <Time at={row.at} />
              </a>
            </td>
            <td class="number">{dollars(row.ceiling)}</td>
            <td>
              <span class="vendor">{row.vendor}</span> {row.operation}
            </td>
            <td class="who">
              <Said text={keyName(visit.deps.ledger, row.keyId)} />
            </td>
            <td class="outcome">
              <Outcome row={row} visit={visit} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** A second click on the same decision changes nothing; another one is answered with the first by the ledger (LedgerConflict). */
export const decide: Action = async ({ deps, param, session }, form) => {
  const decision = form.text('decision') === 'approved' ? 'approved' : 'denied'
  const row = await deps.ledger.decideApproval(param, decision, reasonIn(form), session.by.actor)
  if (row === null) throw notFound('request for approval')
  return {
    to: '/dashboard/approvals',
    notice:
      row.state === 'used'
        ? `It was approved before, and the call that it was for has passed: ${row.operation} for up to ${dollars(row.ceiling)}. Nothing passes a second time.`
        : decision === 'approved'
          ? `Approved: ${row.operation} for up to ${dollars(row.ceiling)}. The agent's very same request passes once.`
          : `Denied: ${row.operation} for ${dollars(row.ceiling)}. The agent is told.`,
  }
}
