import { stringify } from 'yaml'
import { notFound } from '../admin/problem.js'
import type { Ledger, PolicyRecord } from '../contracts/ledger.js'
import type { Judge } from '../contracts/policy.js'
import { sentencesOf } from '../surfaces/mcp/policy-words.js'
import type { Html } from './html.js'
import { Rehearse, type Outcome } from './rehearsal-form.js'
import type { Page, Screen, Visit } from './visit.js'
import { counted, Said, Time } from './words.js'

const pathOf = (name: string): string => `/dashboard/policies/${encodeURIComponent(name)}`
export const policyPath = ({ name, version }: PolicyRecord): string => `${pathOf(name)}?version=${version}`

/** What keys are issued under: each policy with its latest version. */
export const policies: Screen = async ({ deps }) => {
  const records = deps.ledger.policies()
  const names = [...new Set(records.map((record) => record.name))].sort()
  const body = (
    <section id="policies" data-part aria-label="Policies">
      {names.length === 0 ? (
        <p class="empty">
          No policy yet. <code>spendgate policy add</code> stores one.
        </p>
      ) : (
        <table>
          <caption class="hidden">Policies and their latest versions</caption>
          <thead>
            <tr>
              <th scope="col">Policy</th>
              <th scope="col" class="number">
                Latest version
              </th>
              <th scope="col">Stored</th>
            </tr>
          </thead>
          <tbody>
            {names.map((name) => {
              const [latest] = versionsOf(records, name)
              return (
                <tr>
                  <th scope="row">
                    <a href={pathOf(name)}>{name}</a>
                  </th>
                  <td class="number">{latest!.version}</td>
                  <td>
                    <Time at={latest!.createdAt} />
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      )}
    </section>
  )
  return { title: 'Policies', screen: 'policies', body, live: true }
}

/** One version of a policy: in words, as it was stored, and what it would say. */
export const policy: Screen = async (visit) => {
  const record = versionIn(visit.deps.ledger, visit.param, visit.query.get('version'))
  if (record === null) throw notFound('policy, or it has no such version')
  return policyPage(visit, record, {})
}

/** @param wanted null for the latest */
export function versionIn(ledger: Ledger, name: string, wanted: string | null): PolicyRecord | null {
  const versions = versionsOf(ledger.policies(), name)
  return (wanted === null ? versions[0] : versions.find((each) => String(each.version) === wanted)) ?? null
}

/** @param outcome of a form that was sent from it */
export function policyPage(visit: Visit, record: PolicyRecord, outcome: Outcome): Page {
  const { deps } = visit
  const versions = versionsOf(deps.ledger.policies(), record.name)
  const before = versions.find((each) => each.version === record.version - 1)
  const body = (
    <>
      <section aria-labelledby="versions-title">
        <h2 id="versions-title">{counted(versions.length, 'version')}</h2>
        <ul class="versions">
          {versions.map((each) => (
            <li>
              <a href={policyPath(each)} aria-current={each === record ? 'true' : undefined}>
                {each.version}
              </a>{' '}
              <span class="hint">
                <Time at={each.createdAt} />
              </span>
            </li>
          ))}
        </ul>
        <p class="hint">A version never changes, and a key keeps the one it was issued with.</p>
      </section>
      <section aria-labelledby="words-title">
        <h2 id="words-title">What it says</h2>
        <ul class="words">
          {sentencesOf(deps.judge.compile(record.document, record.version, [])).map((sentence) => (
            <li>
              <Said text={sentence} />
            </li>
          ))}
        </ul>
      </section>
      <section aria-labelledby="document-title">
        <h2 id="document-title">The document</h2>
        <pre tabindex={0} aria-label={`Version ${record.version}`}>
          {stringify(record.document)}
        </pre>
      </section>
      {before === undefined ? null : <Changes from={before} to={record} judge={deps.judge} />}
      <Rehearse visit={visit} record={record} outcome={outcome} />
    </>
  )
  const page = { title: `Policy ${record.name}@${record.version}`, screen: 'policies', body, live: false } as const
  return outcome.faults === undefined ? page : { ...page, status: 400 }
}

const versionsOf = (records: readonly PolicyRecord[], name: string): readonly PolicyRecord[] =>
  records.filter((record) => record.name === name).sort((a, b) => b.version - a.version)

const DIRECTIONS = { tighter: ['settled', 'Tighter'], wider: ['assumed', 'Wider'], other: ['', 'Changed'] } as const

/** What the version before said otherwise: in sentences, and place by place. */
function Changes({ from, to, judge }: { from: PolicyRecord; to: PolicyRecord; judge: Judge }): Html {
  const [was, is] = [placesIn(from.document), placesIn(to.document)]
  const changed = [...new Set([...was.keys(), ...is.keys()])].filter((place) => was.get(place) !== is.get(place))
  return (
    <section aria-labelledby="changes-title">
      <h2 id="changes-title">Changed since version {from.version}</h2>
      {changed.length === 0 ? <p class="empty">Nothing.</p> : null}
      <ul class="differences">
        {judge.differences(from.document, to.document).map(({ direction, sentence }) => (
          <li>
            <span class={`state ${DIRECTIONS[direction][0]}`}>{DIRECTIONS[direction][1]}</span> <Said text={sentence} />
          </li>
        ))}
      </ul>
      {changed.length === 0 ? null : (
        <details>
          <summary>Place by place</summary>
          <ul class="words">
            {changed.map((place) => (
              <li>
                <code>{place}</code>: {was.has(place) ? <del>{was.get(place)}</del> : 'new,'}{' '}
                {is.has(place) ? <ins>{is.get(place)}</ins> : 'taken out'}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  )
}

/** Every value of a document under its place; a list is one value. */
function placesIn(value: unknown, at = '', found = new Map<string, string>()): ReadonlyMap<string, string> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    for (const [name, each] of Object.entries(value)) placesIn(each, at === '' ? name : `${at}.${name}`, found)
  else
    found.set(
      at,
      Array.isArray(value)
        ? value.map((each) => (typeof each === 'object' ? JSON.stringify(each) : String(each))).join(', ') || 'none'
        : String(value),
    )
  return found
}
