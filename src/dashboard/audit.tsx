import { auditExport } from '../admin/audit.js'
import type { Action, Screen, Visit } from './visit.js'
import { Facts, Time } from './words.js'

const FAULTS_TOLD = 5

/** Whether the book can be believed, and how to take it along. */
export const audit: Screen = async ({ deps, session }) => {
  const { ledger } = deps
  const last = await ledger.lastCheckpoint()
  const body = (
    <>
      <section id="chain" data-part aria-labelledby="chain-title">
        <h2 id="chain-title">The chain</h2>
        <Facts
          of={[
            ['Entries', ledger.lastEntry().toLocaleString('en-US')],
            ['Signed up to', last === null ? 'nothing is signed yet' : `entry ${last.seq.toLocaleString('en-US')}`],
            ['Signed', last === null ? null : <Time at={last.at} />],
            ['By key', last === null ? null : <code>{last.keyId}</code>],
            ['Its head', last === null ? null : <code class="hash">{last.head}</code>],
          ]}
        />
        <p class="hint">
          Every decision and every change of an amount is an entry, sealed by the one before it. A head that was written
          down elsewhere proves everything up to it.
        </p>
      </section>
      <section aria-labelledby="verify-title">
        <h2 id="verify-title">Verify</h2>
        <p>
          Proves the chain, and that every call, counter and report is what the entries say. A large book takes a while.
        </p>
        <form method="post" action="/dashboard/audit/verify">
          <input type="hidden" name="csrf" value={session.csrf} />
          <button>Verify the book</button>
        </form>
      </section>
      <section aria-labelledby="export-title">
        <h2 id="export-title">Export</h2>
        <p>
          Every entry with its hash, oldest first. <code>spendgate audit verify</code> checks a file of lines on any
          machine.
        </p>
        <p class="buttons">
          <a class="button" href="/dashboard/audit/export?format=ndjson" download>
            As lines of JSON
          </a>
          <a class="button" href="/dashboard/audit/export?format=csv" download>
            As a table (CSV)
          </a>
        </p>
      </section>
    </>
  )
  return { title: 'Audit', screen: 'audit', body, live: true }
}

export const verify: Action = async ({ deps }) => {
  const faults = await deps.ledger.verify()
  const more = faults.length > FAULTS_TOLD ? ` And ${faults.length - FAULTS_TOLD} more.` : ''
  const notice =
    faults.length === 0
      ? 'The book is sound: the chain holds, and every table follows from it.'
      : `The book is not sound. ${faults.slice(0, FAULTS_TOLD).join(' ')}${more}`
  return { to: '/dashboard/audit', notice }
}

/** The same file that the admin API gives. @param stands whether the session still does */
export const exported = ({ deps, query }: Visit, stands: () => boolean): Promise<Response> =>
  auditExport(deps.ledger, { format: query.get('format') === 'csv' ? 'csv' : 'ndjson' }, stands)
