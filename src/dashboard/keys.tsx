import { randomUUID } from 'node:crypto'
import { issueRootKey, type IssuedKey } from '../admin/issue.js'
import { Problem, conflict, notFound } from '../admin/problem.js'
import { durationMs, faultsOf, newKey } from '../admin/schemas.js'
import { lineage, policyName, policyOf, statusOf } from '../admin/views.js'
import type { KeyRecord, PolicyRecord } from '../contracts/ledger.js'
import type { Fault } from '../contracts/policy.js'
import { usd } from '../contracts/money.js'
import { endpointsOf, sentencesOf } from '../surfaces/mcp/policy-words.js'
import { CallTable } from './call-table.js'
import type { Form } from './form.js'
import type { Html } from './html.js'
import { CapBar, capsOf, forecastCapsOf } from './caps.js'
import { policyPath } from './policies.js'
import { Revoke } from './revoke.js'
import { may, type Action, type Page, type Screen, type Visit } from './visit.js'
import { counted, dollars, Facts, Said, span, Time } from './words.js'

const KEYS_A_PAGE = 25
const CALLS_SHOWN = 10
const SENT_MAX = 50

export const keyPath = (id: string): string => `/dashboard/keys/${encodeURIComponent(id)}`

/** Who may spend, the newest first. */
export const keys: Screen = async (visit) => {
  const { deps, query, nowMs } = visit
  const { ledger } = deps
  const cursor = query.get('cursor')
  const page = await ledger.keys({ limit: KEYS_A_PAGE, ...(cursor === null ? {} : { cursor }) })
  const today = await visit.sums.today()
  const rows = await Promise.all(
    page.rows.map(async (key) => ({ key, tightest: (await capsOf(deps, key, nowMs))[0], today: today.get(key.id) })),
  )
  const body = (
    <>
      {may(visit, 'admin') ? (
        <p class="lead">
          <a class="button main" href="/dashboard/keys/new">
            Create a key
          </a>
        </p>
      ) : null}
      <section id="keys" data-part aria-label="Keys">
        {rows.length === 0 ? <p class="empty">No key yet.</p> : null}
        <ul class="keys">
          {rows.map(({ key, tightest, today: own }) => (
            <li>
              <h2>
                <a href={keyPath(key.id)}>
                  <Said text={key.name} />
                </a>{' '}
                <span class="last4">…{key.last4}</span> <KeyState of={key} visit={visit} />
              </h2>
              <p class="hint">
                {policyName(policyOf(ledger, key))}
                {key.run === null ? null : <> · run {key.run}</>}
                {' · '}
                {dollars(own?.spent ?? usd(0n))} today
                {key.lastUsedAt === null ? (
                  ' · never used'
                ) : (
                  <>
                    {' · last used '}
                    <Time at={key.lastUsedAt} form="clock" />
                  </>
                )}
                <Ending of={key} nowMs={nowMs} />
              </p>
              {tightest === undefined ? <p class="hint">No cap.</p> : <CapBar of={tightest} nowMs={nowMs} />}
            </li>
          ))}
        </ul>
        <p class="pages">
          {cursor === null ? null : <a href="/dashboard/keys">Newest keys</a>}{' '}
          {page.next === null ? null : (
            <a href={`/dashboard/keys?cursor=${encodeURIComponent(page.next)}`}>Older keys</a>
          )}
        </p>
      </section>
    </>
  )
  return { title: 'Keys', screen: 'keys', body, live: cursor === null }
}

function KeyState({ of, visit }: { of: KeyRecord; visit: Visit }): Html {
  const status = statusOf(visit.deps.ledger, of, visit.nowMs)
  return <span class={`state ${status}`}>{status}</span>
}

function Ending({ of, nowMs }: { of: KeyRecord; nowMs: number }): Html | null {
  if (of.revokedAt !== null || of.expiresAt === null) return null
  return of.expiresAt <= nowMs ? null : <> · expires in {span(of.expiresAt - nowMs)}</>
}

/** One key: what it may, what it did, and how to take some or all of it back. */
export const key: Screen = async (visit) => keyPage(visit, keyOf(visit), new Map(), [])

async function keyPage(
  visit: Visit,
  record: KeyRecord,
  given: ReadonlyMap<string, string>,
  faults: readonly Fault[],
): Promise<Page> {
  const { deps, nowMs } = visit
  const { ledger, judge } = deps
  const stored = policyOf(ledger, record)
  const policy = judge.compile(stored.document, stored.version, record.narrowings)
  const chain = lineage(ledger, record)
  const [bars, today, latest] = await Promise.all([
    forecastCapsOf(deps, record, nowMs),
    visit.sums.today(),
    ledger.calls({ key: record.id }, { limit: CALLS_SHOWN }),
  ])
  const own = today.get(record.id)
  const status = statusOf(ledger, record, nowMs)
  const parent = record.parentId === null ? null : ledger.key(record.parentId)
  const body = (
    <>
      <section id="sums" data-part aria-label="How it stands">
        <p>
          <KeyState of={record} visit={visit} /> {dollars(own?.spent ?? usd(0n))} spent today in{' '}
          {counted(own?.calls ?? 0, 'call')}, {own?.denied ?? 0} of them denied
        </p>
        {bars.map((bar) => (
          <CapBar of={bar} nowMs={nowMs} />
        ))}
        <Facts
          of={[
            ['Key', <code>{record.id}</code>],
            ['Ends in', <code>…{record.last4}</code>],
            ['Policy', <a href={policyPath(stored)}>{policyName(stored)}</a>],
            ['Money', record.test ? 'play money: test credentials only' : 'real'],
            ['Bound to run', record.run],
            [
              'Child of',
              parent === null ? null : (
                <a href={keyPath(parent.id)}>
                  <Said text={parent.name} />
                </a>
              ),
            ],
            ['Created', <Time at={record.createdAt} />],
            ['Last used', record.lastUsedAt === null ? 'never' : <Time at={record.lastUsedAt} />],
            ['Expires', record.expiresAt === null ? 'never' : <Time at={record.expiresAt} />],
            [
              'Credentials',
              record.credentialIds
                .map((id) => ledger.credential(id))
                .map((each) => (each === null ? 'removed' : `${each.vendor}/${each.name}`))
                .join(', '),
            ],
          ]}
        />
      </section>
      <section class="stop" aria-label="Stop this key">
        <Revoke visit={visit} record={record} back={keyPath(record.id)} />
      </section>
      <section aria-labelledby="may-title">
        <h2 id="may-title">What it may</h2>
        <ul class="words">
          {sentencesOf(policy).map((sentence) => (
            <li>
              <Said text={sentence} />
            </li>
          ))}
        </ul>
        {[...policy.vendors.keys()].map((vendor) => (
          <Endpoints visit={visit} chain={chain} vendor={vendor} />
        ))}
        {record.parentId === null ? null : <p class="hint">What the keys above it may not, it may not either.</p>}
      </section>
      {status === 'revoked' || !may(visit, 'admin') ? null : (
        <Narrow visit={visit} record={record} vendors={[...policy.vendors.keys()]} given={given} faults={faults} />
      )}
      <section id="latest" data-part aria-labelledby="latest-title">
        <h2 id="latest-title">Its latest calls</h2>
        {latest.rows.length === 0 ? (
          <p class="empty">None. If its agent reports an invalid key, its base URL still points at the vendor.</p>
        ) : (
          <CallTable rows={latest.rows} ledger={ledger} caption="Latest calls of the key, newest first" />
        )}
        {latest.next === null ? null : (
          <a href={`/dashboard/calls?key=${encodeURIComponent(record.id)}`}>All its calls</a>
        )}
      </section>
    </>
  )
  const title = `Key ${record.name}`
  return faults.length === 0
    ? { title, screen: 'keys', body, live: true }
    : { title, screen: 'keys', body, live: false, status: 400 }
}

function Endpoints({ visit, chain, vendor }: { visit: Visit; chain: readonly KeyRecord[]; vendor: string }): Html {
  const patterns = endpointsOf(visit.deps.ledger, chain, vendor)
  return (
    <>
      {patterns.map(({ of, allow, deny }) => (
        <p>
          <strong>{vendor}</strong> <span class="hint">({of})</span>: {allow.length === 0 ? 'nothing' : null}
          {allow.map((pattern, i) => (
            <>
              {i === 0 ? '' : ', '}
              <code>{pattern}</code>
            </>
          ))}
          {deny.length === 0 ? null : ', never '}
          {deny.map((pattern, i) => (
            <>
              {i === 0 ? '' : ', '}
              <code>{pattern}</code>
            </>
          ))}
        </p>
      ))}
    </>
  )
}

function keyOf({ deps, param }: Visit): KeyRecord {
  const found = deps.ledger.key(param)
  if (found === null) throw notFound('key')
  return found
}

// Fields

/** A field with what is wrong with it, tied to it for whoever cannot see where it stands. */
export function Field({
  name,
  label,
  hint,
  given,
  faults,
  required = false,
}: {
  name: string
  label: string
  hint?: string
  given: string
  faults: readonly Fault[]
  required?: boolean
}): Html {
  const fault = faults.find((each) => each.path === name)
  const notes = [fault === undefined ? null : `${name}-fault`, hint === undefined ? null : `${name}-hint`]
  const described = notes.filter((each) => each !== null).join(' ')
  return (
    <div class="field">
      <label for={`field-${name}`}>{label}</label>
      <input
        id={`field-${name}`}
        name={name}
        value={given}
        autocomplete="off"
        spellcheck={false}
        required={required}
        aria-invalid={fault === undefined ? undefined : 'true'}
        aria-describedby={described === '' ? undefined : described}
      />
      {fault === undefined ? null : (
        <p class="error" id={`${name}-fault`}>
          {fault.message}
        </p>
      )}
      {hint === undefined ? null : (
        <p class="hint" id={`${name}-hint`}>
          {hint}
        </p>
      )}
    </div>
  )
}

/** Faults that stand at no field. */
export function OtherFaults({ faults, fields }: { faults: readonly Fault[]; fields: readonly string[] }): Html | null {
  const others = faults.filter(({ path }) => !fields.includes(path))
  if (others.length === 0) return null
  return (
    <div class="fault" role="alert">
      {others.map(({ path, message }) => (
        <p>
          {path === '' ? '' : `${path}: `}
          {message}
        </p>
      ))}
    </div>
  )
}

// Narrowing

const NARROWED = ['daily_cap_usd', 'per_minute', 'other'] as const

function Narrow({
  visit,
  record,
  vendors,
  given,
  faults,
}: {
  visit: Visit
  record: KeyRecord
  vendors: readonly string[]
  given: ReadonlyMap<string, string>
  faults: readonly Fault[]
}): Html {
  const fields = [...NARROWED, ...vendors.map((vendor) => `max-${vendor}`)]
  const common = { faults } as const
  return (
    <section aria-labelledby="narrow-title">
      <details open={faults.length > 0}>
        <summary id="narrow-title">
          <strong>Narrow it…</strong>
        </summary>
        <form method="post" action={`${keyPath(record.id)}/narrow`}>
          <input type="hidden" name="csrf" value={visit.session.csrf} />
          <p class="hint">
            A key is only ever narrowed, and so are the keys below it. What stays empty stays as it is.
          </p>
          <OtherFaults faults={faults} fields={fields} />
          <Field name="daily_cap_usd" label="At most a day, USD" given={given.get('daily_cap_usd') ?? ''} {...common} />
          <Field
            name="per_minute"
            label="At most so many calls a minute"
            given={given.get('per_minute') ?? ''}
            {...common}
          />
          {vendors.map((vendor) => (
            <Field
              name={`max-${vendor}`}
              label={`At most a call at ${vendor}, USD`}
              given={given.get(`max-${vendor}`) ?? ''}
              {...common}
            />
          ))}
          <Field
            name="other"
            label="Anything else that a policy can say, as JSON"
            hint={'For instance {"vendors":{"stripe":{"customers":["cus_A"]}}}'}
            given={given.get('other') ?? ''}
            {...common}
          />
          <button>Narrow the key</button>
        </form>
      </details>
    </section>
  )
}

export const narrow: Action = async (visit, form) => {
  const { deps, param } = visit
  const record = keyOf(visit)
  if (lineage(deps.ledger, record).some((each) => each.revokedAt !== null))
    throw conflict(`The key ${record.name} is revoked; nothing is left to narrow.`)
  const stored = policyOf(deps.ledger, record)
  const vendors = [...deps.judge.compile(stored.document, stored.version, record.narrowings).vendors.keys()]
  const given = new Map(
    [...NARROWED, ...vendors.map((vendor) => `max-${vendor}`)].map((name) => [name, form.text(name)]),
  )
  const read = patchIn(given, vendors)
  if ('faults' in read) return keyPage(visit, record, given, read.faults)
  const parsed = deps.judge.parseNarrowing(read.patch)
  if (!parsed.ok) return keyPage(visit, record, given, parsed.faults.map(atField))
  // What cannot be compiled must not be stored: it would stop the key for a reason nobody sees.
  deps.judge.compile(stored.document, stored.version, [...record.narrowings, parsed.patch])
  await deps.ledger.narrowKey(record.id, parsed.patch, visit.session.by.actor)
  return { to: keyPath(param), notice: `${record.name} is narrowed, and the keys below it with it.` }
}

/** The partial policy that the fields say. */
function patchIn(
  given: ReadonlyMap<string, string>,
  vendors: readonly string[],
): { readonly patch: unknown } | { readonly faults: readonly Fault[] } {
  const text = (name: string): string => given.get(name) ?? ''
  const limits = Object.fromEntries(
    vendors.flatMap((vendor) =>
      text(`max-${vendor}`) === '' ? [] : [[vendor, { max_amount_usd: text(`max-${vendor}`) }]],
    ),
  )
  const patch = {
    ...(text('daily_cap_usd') === '' ? {} : { daily_cap_usd: text('daily_cap_usd') }),
    ...(text('per_minute') === '' ? {} : { rate_limit: { per_minute: wholeOr(text('per_minute')) } }),
    ...(Object.keys(limits).length === 0 ? {} : { vendors: limits }),
  }
  if (text('other') === '')
    return Object.keys(patch).length > 0
      ? { patch }
      : { faults: [{ path: '', message: 'Say what is to be narrowed.' }] }
  if (Object.keys(patch).length > 0)
    return { faults: [{ path: 'other', message: 'fill this in alone, or the fields above it' }] }
  try {
    return { patch: JSON.parse(text('other')) as unknown }
  } catch {
    return { faults: [{ path: 'other', message: 'is not valid JSON' }] }
  }
}

/** A number where one was written, else the text, so that the schema says what it expected. */
const wholeOr = (text: string): number | string => (/^\d{1,9}$/.test(text) ? Number(text) : text)

function atField({ path, message }: Fault): Fault {
  const vendor = /^vendors\.(\w+)\.max_amount_usd$/.exec(path)?.[1]
  return {
    path: vendor === undefined ? (path === 'rate_limit.per_minute' ? 'per_minute' : path) : `max-${vendor}`,
    message,
  }
}

// Creating

export const newKeyForm: Screen = async (visit) => creation(visit, new Map(), [], [])

const CREATED = ['name', 'policy', 'credentials', 'expires_in', 'run'] as const

function creation(
  { deps, session }: Visit,
  given: ReadonlyMap<string, string>,
  chosen: readonly string[],
  faults: readonly Fault[],
): Page {
  const { ledger } = deps
  const policies = latestPolicies(ledger.policies())
  const credentials = ledger.credentials()
  const fault = (name: string): Fault | undefined => faults.find(({ path }) => path === name)
  const body =
    policies.length === 0 || credentials.length === 0 ? (
      <section>
        <p>
          A key needs a policy and at least one credential. {policies.length === 0 ? 'No policy is stored yet: ' : null}
          {policies.length === 0 ? <code>spendgate policy add</code> : null}
          {credentials.length === 0 ? ' No credential is stored yet: ' : null}
          {credentials.length === 0 ? <code>spendgate credential add</code> : null}
        </p>
      </section>
    ) : (
      <section>
        <form method="post" action="/dashboard/keys/new">
          <input type="hidden" name="csrf" value={session.csrf} />
          <input type="hidden" name="once" value={given.get('once') ?? randomUUID()} />
          <OtherFaults faults={faults} fields={CREATED} />
          <Field
            name="name"
            label="Name"
            hint="What the agent is for, as you will look for it here."
            given={given.get('name') ?? ''}
            faults={faults}
            required
          />
          <div class="field">
            <label for="field-policy">Policy</label>
            <select id="field-policy" name="policy">
              {policies.map((record) => (
                <option value={policyName(record)} selected={given.get('policy') === policyName(record)}>
                  {policyName(record)}
                </option>
              ))}
            </select>
            {fault('policy') === undefined ? null : <p class="error">{fault('policy')!.message}</p>}
          </div>
          <fieldset>
            <legend>Credentials, at most one a vendor</legend>
            {credentials.map((record) => (
              <label class="check">
                <input type="checkbox" name="credentials" value={record.id} checked={chosen.includes(record.id)} />
                {record.vendor}/{record.name} <span class="last4">…{record.last4}</span>
                {record.test ? ' (test)' : ''}
              </label>
            ))}
            {fault('credentials') === undefined ? null : <p class="error">{fault('credentials')!.message}</p>}
          </fieldset>
          <Field
            name="expires_in"
            label="Expires in"
            hint="Such as 4h or 7d; empty: as the policy says."
            given={given.get('expires_in') ?? ''}
            faults={faults}
          />
          <Field
            name="run"
            label="Bound to the run"
            hint="Empty: to none."
            given={given.get('run') ?? ''}
            faults={faults}
          />
          <button class="main">Create the key</button>
        </form>
      </section>
    )
  return { title: 'Create a key', screen: 'keys', body, live: false, ...(faults.length === 0 ? {} : { status: 400 }) }
}

function latestPolicies(records: readonly PolicyRecord[]): readonly PolicyRecord[] {
  const latest = new Map<string, PolicyRecord>()
  for (const record of records)
    if ((latest.get(record.name)?.version ?? 0) < record.version) latest.set(record.name, record)
  return [...latest.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Shows the new key, once. The form's own number keeps a second click, or a reload, from making a second key. */
export const createKey: Action = async (visit, form) => {
  const { deps, session } = visit
  const once = form.text('once').slice(0, 64)
  const made = session.sent.get(once)
  if (made !== undefined)
    return { to: keyPath(made), notice: 'This form was sent already. Its key was shown then, and is not shown again.' }
  const given = new Map(['name', 'policy', 'expires_in', 'run', 'once'].map((name) => [name, form.text(name)]))
  const chosen = form.all('credentials')
  const parsed = newKey.safeParse(wishIn(form))
  if (!parsed.success) return creation(visit, given, chosen, faultsOf(parsed.error))
  const { name, policy, credentials, expires_in: life, run } = parsed.data
  try {
    const lifeMs = life === undefined ? null : durationMs(life)
    const issued = await issueRootKey(deps, { name, policy, credentials, lifeMs, run: run ?? null }, session.by.actor)
    if (session.sent.size >= SENT_MAX) session.sent.delete(session.sent.keys().next().value!)
    session.sent.set(once, issued.record.id)
    return shownOnce(issued)
  } catch (fault) {
    if (!(fault instanceof Problem) || fault.code !== 'invalid') throw fault
    const faults = fault.errors.map(({ path, message }) => ({ path: path.split('.')[0]!, message }))
    return creation(visit, given, chosen, faults)
  }
}

function wishIn(form: Form): object {
  const optional = (name: string): object => (form.text(name) === '' ? {} : { [name]: form.text(name) })
  return {
    name: form.text('name'),
    policy: form.text('policy'),
    credentials: form.all('credentials'),
    ...optional('expires_in'),
    ...optional('run'),
  }
}

function shownOnce({ record, key: secret, presentations }: IssuedKey): Page {
  const forms = Object.entries(presentations)
  const body = (
    <section>
      <p>
        <strong>
          <Said text={record.name} />
        </strong>{' '}
        is made. This is its key; it is shown now and never again, and stored only as a hash.
      </p>
      <pre tabindex={0} aria-label="The key">
        {secret}
      </pre>
      {forms.map(([vendor, form]) => (
        <>
          <h2>As {vendor} clients want it</h2>
          <pre tabindex={0} aria-label={`As ${vendor} clients want it`}>
            {linesOf(form)}
          </pre>
        </>
      ))}
      <p>
        <a class="button" href={keyPath(record.id)}>
          I have it: to the key
        </a>
      </p>
    </section>
  )
  return { title: 'The new key', screen: 'keys', body, live: false }
}

function linesOf(form: unknown): string {
  if (Array.isArray(form)) return form.map(String).join('\n')
  if (typeof form !== 'object' || form === null) return String(form)
  return Object.entries(form)
    .map(([name, value]) => `${name}  ${String(value)}`)
    .join('\n')
}
