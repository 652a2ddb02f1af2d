import type { Fault } from '../contracts/policy.js'
import { parseUsd, ZERO } from '../contracts/money.js'
import type { Json, JsonObject } from '../contracts/vendor.js'
import type { Tried, TrialResult } from '../rehearsal/trial.js'
import { Field } from './keys.js'
import type { Html } from './html.js'
import type { Visit } from './visit.js'
import { dollars, Facts, Name, Said } from './words.js'

/* A request that nobody makes, to hear what a policy says to it. */

const METHODS = ['POST', 'GET', 'DELETE', 'PUT', 'PATCH'] as const
export const REQUEST_FIELDS = ['vendor', 'method', 'path', 'parameters', 'spent'] as const

export function RequestFields({
  visit,
  given,
  faults,
}: {
  visit: Visit
  given: ReadonlyMap<string, string>
  faults: readonly Fault[]
}): Html {
  const fault = faults.find(({ path }) => path === 'parameters')
  return (
    <>
      <div class="side">
        <div class="field">
          <label for="field-vendor">Vendor</label>
          <select id="field-vendor" name="vendor">
            {visit.deps.vendors.map(({ name }) => (
              <option value={name} selected={given.get('vendor') === name}>
                {name}
              </option>
            ))}
          </select>
        </div>
        <div class="field">
          <label for="field-method">Method</label>
          <select id="field-method" name="method">
            {METHODS.map((method) => (
              <option selected={given.get('method') === method}>{method}</option>
            ))}
          </select>
        </div>
      </div>
      <Field name="path" label="Path" hint="Such as /v1/refunds" given={given.get('path') ?? ''} faults={faults} />
      <div class="field">
        <label for="field-parameters">Parameters</label>
        <textarea
          id="field-parameters"
          name="parameters"
          rows={4}
          spellcheck={false}
          aria-invalid={fault === undefined ? undefined : 'true'}
          aria-describedby={fault === undefined ? 'parameters-hint' : 'parameters-fault parameters-hint'}
        >
          {given.get('parameters') ?? ''}
        </textarea>
        {fault === undefined ? null : (
          <p class="error" id="parameters-fault">
            {fault.message}
          </p>
        )}
        <p class="hint" id="parameters-hint">
          One name=value a line, such as amount=2500; or a body in JSON.
        </p>
      </div>
      <Field
        name="spent"
        label="Already spent on each of its budgets, USD"
        hint="Empty: nothing."
        given={given.get('spent') ?? ''}
        faults={faults}
      />
    </>
  )
}

/** The request that the fields describe, or what is wrong with them. */
export function requestIn(given: ReadonlyMap<string, string>): Tried | { readonly faults: readonly Fault[] } {
  const text = (name: string): string => given.get(name) ?? ''
  const faults: Fault[] = []
  if (!/^\/\S*$/.test(text('path'))) faults.push({ path: 'path', message: 'must begin with a slash and hold no space' })
  const spent = text('spent') === '' ? ZERO : parseUsd(text('spent'))
  if (spent === null) faults.push({ path: 'spent', message: 'must be an amount such as "190.00"' })
  const body = bodyIn(text('parameters'))
  if ('fault' in body) faults.push({ path: 'parameters', message: body.fault })
  if (faults.length > 0 || 'fault' in body || spent === null) return { faults }
  return { request: `${text('method')} /${text('vendor')}${text('path')}`, ...body, spent }
}

function bodyIn(text: string): { form?: JsonObject; json?: Json } | { readonly fault: string } {
  if (/^[[{]/.test(text)) {
    try {
      return { json: JSON.parse(text) as Json }
    } catch {
      return { fault: 'is not valid JSON' }
    }
  }
  const form: Record<string, string> = {}
  for (const line of text.split('\n').filter((each) => each.trim() !== '')) {
    const [, name, value] = /^\s*([^=\s]+?)\s*=\s*(.*?)\s*$/.exec(line) ?? []
    if (name === undefined) return { fault: `«${line.slice(0, 60)}» is not name=value` }
    if (Object.hasOwn(form, name)) return { fault: `${name} stands twice` }
    form[name] = value!
  }
  return Object.keys(form).length === 0 ? {} : { form }
}

/** A draft has no version yet, and is judged as version 0. */
export const ofDraft = (text: string): string => text.replace(/@0(?=[),])/g, '@draft')

const VERDICTS = {
  allow: ['settled', 'Allowed'],
  deny: ['denied', 'Denied'],
  would_deny: ['assumed', 'Would be denied, but the policy only observes'],
  unknown: ['assumed', 'Cannot be told'],
} as const

export function Verdict({ of }: { of: TrialResult }): Html {
  const [state, word] = VERDICTS[of.verdict]
  return (
    <div class={`outcome ${state}`} role="status">
      <p>
        <span class={`state ${state}`}>{word}</span> {of.code === null ? null : <Name of={of.code} />}
      </p>
      {of.message === null ? null : (
        <p class="message">
          <Said text={ofDraft(of.message)} />
        </p>
      )}
      <Facts
        of={[
          ['Price', of.quoted === null ? 'not told' : dollars(of.quoted)],
          ['The rule that spoke', of.rule === null ? null : <code>{ofDraft(of.rule)}</code>],
          ['Operation', of.operation === null ? 'not known to spendgate' : <Name of={of.operation} />],
          ['Effect', of.effect],
        ]}
      />
    </div>
  )
}
