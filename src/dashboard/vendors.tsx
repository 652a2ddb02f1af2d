import type { CredentialRecord } from '../contracts/ledger.js'
import { callPath } from './call-table.js'
import type { Html } from './html.js'
import { LastRun, type AskedRuns } from './reconciliation.js'
import type { Screen } from './visit.js'
import { counted, dollars, Facts, Said, Time } from './words.js'

const DOUBTS_SHOWN = 50
const MOVEMENTS_SHOWN = 25
const KEYS_READ = 500

/** What the real keys are, and what the vendors' own records have yet to tell. */
export const vendors =
  (asked: AskedRuns): Screen =>
  async (visit) => {
    const { ledger } = visit.deps
    const [doubts, movements, keys] = await Promise.all([
      ledger.doubts(null, { limit: DOUBTS_SHOWN }),
      ledger.movements({ explained: false }, { limit: MOVEMENTS_SHOWN }),
      ledger.keys({ limit: KEYS_READ }),
    ])
    const credentials = [...ledger.credentials()].sort((a, b) =>
      `${a.vendor}/${a.name}` < `${b.vendor}/${b.name}` ? -1 : 1,
    )
    const inUse = new Map<string, number>()
    for (const key of keys.rows)
      if (key.revokedAt === null) for (const id of key.credentialIds) inUse.set(id, (inUse.get(id) ?? 0) + 1)
    const body = (
      <>
        <section id="credentials" data-part aria-labelledby="credentials-title">
          <h2 id="credentials-title">Credentials</h2>
          {credentials.length === 0 ? (
            <p class="empty">
              None yet. <code>spendgate credential add</code> stores one.
            </p>
          ) : null}
          {credentials.map((record) => (
            <Credential of={record} keys={inUse.get(record.id) ?? 0} more={keys.next !== null} />
          ))}
          <p class="hint">
            The keys themselves are sealed and shown nowhere. <code>spendgate credential rotate</code> replaces one.
          </p>
        </section>
        <section id="reconciliation" data-part aria-labelledby="reconciliation-title">
          <h2 id="reconciliation-title">Against the vendors' records</h2>
          <p>
            {doubts.rows.length === 0
              ? 'The outcome of every call is known.'
              : `The outcome of ${doubts.next === null ? counted(doubts.rows.length, 'call') : `more than ${DOUBTS_SHOWN} calls`} is not known yet; they count as spent.`}
          </p>
          {doubts.rows.length === 0 ? null : (
            <ul class="words">
              {doubts.rows.map((row) => (
                <li>
                  <a href={callPath(row.id)}>
                    <Time at={row.at} />
                  </a>{' '}
                  {row.vendor} {row.operation} {dollars(row.settled)}
                </li>
              ))}
            </ul>
          )}
          <LastRun visit={visit} asked={asked} />
        </section>
        <section id="movements" data-part aria-labelledby="movements-title">
          <h2 id="movements-title">Money that no call explains</h2>
          {movements.rows.length === 0 ? (
            <p class="empty">None is known.</p>
          ) : (
            <ul class="words">
              {movements.rows.map((row) => (
                <li>
                  <Time at={row.at} /> {row.vendor} {row.kind}{' '}
                  {row.amount === null ? 'of unknown value' : dollars(row.amount)} <Said text={row.externalId} />
                  {row.why === null ? null : (
                    <>
                      : <Said text={row.why} />
                    </>
                  )}
                </li>
              ))}
            </ul>
          )}
          {movements.next === null ? null : (
            <p class="hint">There are more: spendgate shows the latest {MOVEMENTS_SHOWN}.</p>
          )}
        </section>
      </>
    )
    return { title: 'Vendors', screen: 'vendors', body, live: true }
  }

function Credential({ of, keys, more }: { of: CredentialRecord; keys: number; more: boolean }): Html {
  return (
    <article class="request" aria-labelledby={`title-${of.id}`}>
      <h3 id={`title-${of.id}`}>
        <strong>
          {of.vendor}/{of.name}
        </strong>{' '}
        {of.test ? <span class="state">test</span> : null}
      </h3>
      <Facts
        of={[
          ['Ends in', of.last4 === '' ? null : <code>…{of.last4}</code>],
          ['Fingerprint', <code class="hash">{of.fingerprint}</code>],
          ['Account', of.account === '' ? null : of.account],
          ['API version', of.apiVersion === '' ? "the vendor's default" : of.apiVersion],
          ['Stored', <Time at={of.createdAt} />],
          ['Rotated', of.rotatedAt === null ? 'never' : <Time at={of.rotatedAt} />],
          ['Behind', `${more ? 'at least ' : ''}${counted(keys, 'key')} not revoked`],
        ]}
      />
    </article>
  )
}
