import { stringify } from 'yaml'
import type { PolicyRecord } from '../contracts/ledger.js'
import type { Fault } from '../contracts/policy.js'
import type { Simulation } from '../rehearsal/simulation.js'
import type { TrialResult } from '../rehearsal/trial.js'
import { Played, SPAN_FIELDS, SpanFields } from './back-test.js'
import type { Html } from './html.js'
import { OtherFaults } from './keys.js'
import { REQUEST_FIELDS, RequestFields, Verdict } from './try-out.js'
import type { Visit } from './visit.js'

export const REHEARSED = ['document', ...REQUEST_FIELDS, ...SPAN_FIELDS] as const

/** What came of a form, beside what was written in it. */
export interface Outcome {
  readonly given?: ReadonlyMap<string, string>
  readonly faults?: readonly Fault[]
  readonly tried?: TrialResult
  readonly played?: Simulation
}

/** What a version, or a draft made of it, would say: to a request, and to calls of the past. Nothing is sent or stored. */
export function Rehearse({
  visit,
  record,
  outcome,
}: {
  visit: Visit
  record: PolicyRecord
  outcome: Outcome
}): Html | null {
  if (visit.deps.rehearsal === undefined) return null
  const { given = new Map<string, string>(), faults = [], tried, played } = outcome
  const path = `/dashboard/policies/${encodeURIComponent(record.name)}`
  const stored = stringify(record.document)
  const text = given.get('document') || stored
  const fault = faults.find((each) => each.path === 'document')
  return (
    <section id="rehearse" aria-labelledby="rehearse-title">
      <h2 id="rehearse-title">What would it say?</h2>
      <OtherFaults faults={faults} fields={REHEARSED} />
      {tried === undefined ? null : <Verdict of={tried} />}
      {played === undefined ? null : <Played of={played} />}
      <form method="post" action={`${path}/try#rehearse`}>
        <input type="hidden" name="csrf" value={visit.session.csrf} />
        <input type="hidden" name="version" value={String(record.version)} />
        <div class="columns halves">
          <fieldset>
            <legend>To a request</legend>
            <RequestFields visit={visit} given={given} faults={faults} />
            <button class="main">Try the request</button>
          </fieldset>
          <fieldset>
            <legend>To calls of the past</legend>
            <SpanFields given={given} faults={faults} />
            <button formaction={`${path}/simulate#rehearse`}>Back-test</button>
          </fieldset>
        </div>
        <details open={text.trim() !== stored.trim()}>
          <summary>Change the document first; nothing is stored</summary>
          <label for="field-document">The document, as YAML or JSON</label>
          <textarea
            id="field-document"
            name="document"
            rows={18}
            spellcheck={false}
            aria-invalid={fault === undefined ? undefined : 'true'}
            aria-describedby={fault === undefined ? undefined : 'document-fault'}
          >
            {text}
          </textarea>
          {fault === undefined ? null : (
            <p class="error" id="document-fault">
              {fault.message}
            </p>
          )}
          <p class="hint">
            <code>spendgate policy add</code> stores a new version.
          </p>
        </details>
      </form>
    </section>
  )
}
