import { hasKeysUnder } from '../admin/rehearsals.js'
import type { Fault } from '../contracts/policy.js'
import { usd } from '../contracts/money.js'
import type { Place, Simulation, Sum, Wish } from '../rehearsal/simulation.js'
import { Bar, percent } from './bar.js'
import { callPath } from './call-table.js'
import type { Html } from './html.js'
import { Field } from './keys.js'
import { ofDraft } from './try-out.js'
import type { Visit } from './visit.js'
import { counted, dollars, Facts, Name, Said, Time } from './words.js'

/* Calls that were made, played again under a policy. */

const HOUR_MS = 3_600_000
const SPANS = [
  ['1d', 'the last 24 hours', 24 * HOUR_MS],
  ['7d', 'the last 7 days', 7 * 24 * HOUR_MS],
  ['30d', 'the last 30 days', 30 * 24 * HOUR_MS],
] as const
const CHANGES_SHOWN = 20
const ROWS_SHOWN = 10
export const SPAN_FIELDS = ['span', 'key', 'run', 'every_key', 'enforce'] as const

export function SpanFields({ given, faults }: { given: ReadonlyMap<string, string>; faults: readonly Fault[] }): Html {
  return (
    <>
      <div class="field">
        <label for="field-span">Calls of</label>
        <select id="field-span" name="span">
          {SPANS.map(([value, label]) => (
            <option value={value} selected={(given.get('span') || '7d') === value}>
              {label}
            </option>
          ))}
        </select>
      </div>
      <Field
        name="key"
        label="Of the key"
        hint="Empty: of keys issued under a policy of this name, or of every key when there is none."
        given={given.get('key') ?? ''}
        faults={faults}
      />
      <Field name="run" label="Of the run" hint="Empty: of all." given={given.get('run') ?? ''} faults={faults} />
      <label class="check">
        <input type="checkbox" name="every_key" value="yes" checked={given.get('every_key') === 'yes'} /> Of every key,
        whatever its policy
      </label>
      <label class="check">
        <input type="checkbox" name="enforce" value="yes" checked={given.get('enforce') === 'yes'} /> As if it enforced,
        where it only observes
      </label>
    </>
  )
}

/** Which calls the fields name, or what is wrong with them. */
export async function spanIn(
  { deps, nowMs }: Visit,
  given: ReadonlyMap<string, string>,
  policy: { readonly document: unknown; readonly version: number; readonly name: string },
): Promise<Wish | { readonly faults: readonly Fault[] }> {
  const text = (name: string): string | null => given.get(name) || null
  const [key, run] = [text('key'), text('run')]
  const faults: Fault[] = []
  if (key !== null && deps.ledger.key(key) === null)
    faults.push({ path: 'key', message: 'There is no key of this id.' })
  if (run !== null && (await deps.ledger.run(run)) === null)
    faults.push({ path: 'run', message: 'There is no such run.' })
  if (faults.length > 0) return { faults }
  const [, , spanMs] = SPANS.find(([value]) => value === given.get('span')) ?? SPANS[1]
  const own = key === null && text('every_key') === null && (await hasKeysUnder(deps, policy.name))
  const document =
    text('enforce') === null ? policy.document : { ...(policy.document as object), mode: 'enforce' as const }
  return {
    policy: { document, version: policy.version },
    from: nowMs - spanMs,
    to: nowMs + 1,
    run,
    key,
    under: own ? policy.name : null,
  }
}

export function Played({ of }: { of: Simulation }): Html {
  const { newlyRefused, newlyAllowed, following, notJudged } = of
  return (
    <div class="outcome" role="status">
      {of.complete ? null : (
        <p class="warning">
          There are too many calls: they were played up to <Time at={of.to} />. Choose a shorter span, or a run.
        </p>
      )}
      <Facts
        of={[
          ['Would be refused now', <Amount of={newlyRefused} />],
          ['Would be allowed now', <Amount of={newlyAllowed} />],
          ['Admitted then', <Amount of={of.recorded.admitted} />],
          ['Admitted now', <Amount of={of.simulated.admitted} />],
          ['Refused then', <Amount of={of.recorded.refused} />],
          ['Refused now', <Amount of={of.simulated.refused} />],
          ['Acted on what would not be there', following.calls === 0 ? null : <Amount of={following} />],
          ['Cannot be judged', notJudged.calls === 0 ? null : <Amount of={notJudged} />],
          ['Of', counted(of.keys, 'key')],
          ['Since', <Time at={of.from} />],
        ]}
      />
      <Rules of={newlyRefused.byRule} />
      <Caps of={of.caps} />
      <Changes of={of.changes} />
      {notJudged.byReason.length === 0 ? null : (
        <>
          <h3>Why some cannot be judged</h3>
          <ul class="words">
            {notJudged.byReason.slice(0, ROWS_SHOWN).map((each) => (
              <li>
                <Amount of={each} />, <First of={each.first} />: <Said text={each.why} />
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}

function Amount({ of: { calls, amount } }: { of: Sum }): Html {
  return (
    <>
      {counted(calls, 'call')}
      {amount > 0n ? `, ${dollars(amount)}` : ''}
    </>
  )
}

function First({ of: { call, at } }: { of: Place }): Html {
  return (
    <a href={callPath(call)}>
      first <Time at={at} />
    </a>
  )
}

function Rules({ of }: { of: Simulation['newlyRefused']['byRule'] }): Html | null {
  if (of.length === 0) return null
  return (
    <>
      <h3>Which rules would refuse them</h3>
      <ul class="words">
        {of.slice(0, ROWS_SHOWN).map((each) => (
          <li>
            <Name of={each.code} /> (<code>{ofDraft(each.rule)}</code>): <Amount of={each} />, <First of={each.first} />
          </li>
        ))}
      </ul>
    </>
  )
}

function Caps({ of }: { of: Simulation['caps'] }): Html | null {
  if (of.length === 0) return null
  return (
    <>
      <h3>The most that each cap would have held</h3>
      {of.slice(0, ROWS_SHOWN).map((each) => (
        <div class="cap">
          <Bar spent={each.most} held={usd(0n)} cap={each.cap} />
          <p>
            <span class="share">{percent(each.most, each.cap)}</span>{' '}
            <span>
              <strong>{dollars(each.most)}</strong> of {each.label.replace('USD ', '$')}
            </span>
          </p>
          {each.first === null ? null : (
            <p class="ahead soon">
              {counted(each.refused, 'call')} did not fit, <First of={each.first} />
            </p>
          )}
        </div>
      ))}
    </>
  )
}

function Changes({ of }: { of: Simulation['changes'] }): Html | null {
  if (of.length === 0) return null
  return (
    <>
      <h3>{of.length > CHANGES_SHOWN ? `The ${CHANGES_SHOWN} dearest calls` : 'The calls'} that would end otherwise</h3>
      <table class="changes">
        <thead>
          <tr>
            <th scope="col">Call</th>
            <th scope="col" class="number">
              USD
            </th>
            <th scope="col">Request</th>
            <th scope="col">Then</th>
            <th scope="col">Now</th>
          </tr>
        </thead>
        <tbody>
          {of.slice(0, CHANGES_SHOWN).map(({ row, becomes, code, message, amount }) => (
            <tr>
              <td class="when">
                <a href={callPath(row.id)}>
                  <Time at={row.at} />
                </a>
              </td>
              <td class="number">{dollars(amount)}</td>
              <td>
                <span class="vendor">{row.vendor}</span>{' '}
                <code>
                  {row.method} <Said text={row.path} />
                </code>
              </td>
              <td>{row.state === 'denied' ? <Name of={row.code ?? 'denied'} /> : 'allowed'}</td>
              <td>
                {becomes === 'deny' ? <Name of={code ?? 'denied'} title={ofDraft(message ?? '')} /> : 'allowed'}
                {becomes === 'would_deny' ? ' (observed)' : null}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}
