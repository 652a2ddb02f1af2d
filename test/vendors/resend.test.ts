import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { DenialCode, Effect } from '../../src/contracts/call.js'
import type { Explanation, Json, JsonObject, LookUp, Question } from '../../src/contracts/vendor.js'
import { resend } from '../../vendors/resend/index.js'
import { ask, explain, explainedBy, FROM, ID, operationOn, quoteOf } from './resend-ask.js'

const send = (fields: JsonObject, over: Partial<Question> = {}) =>
  explain('POST /emails', { from: FROM, to: 'ann@acme.com', subject: 'Hi', text: 'x', ...fields }, over)
const restricted = { restricted: { customers: false, recipients: true, senders: false } }
const addresses = (count: number, at = 'acme.com') => Array.from({ length: count }, (_, i) => `a${i}@${at}`)

describe('an e-mail', () => {
  test.each<[string, JsonObject, string]>([
    ['to one address', {}, 'exact 0.0009'],
    [
      'counts to, cc and bcc',
      { to: ['ann@acme.com', 'bob@acme.com'], cc: 'cy@acme.com', bcc: ['di@acme.com'] },
      'exact 0.0036',
    ],
    [
      'counts an address as often as it stands there',
      { to: ['ann@acme.com', 'Ann <ANN@acme.com>'], cc: 'ann@acme.com' },
      'exact 0.0027',
    ],
    ['to fifty', { to: addresses(50) }, 'exact 0.045'],
  ])('%s', (_name, fields, expected) => {
    expect(quoteOf(send(fields))).toBe(expected)
  })

  test('names bare addresses in lower case, each once', () => {
    const { subjects } = send({
      from: 'Acme Billing <Billing@Acme.com>',
      to: ['"Ann" <Ann@Acme.com>', 'ann@acme.com'],
      bcc: 'Émile Zola <ez@acme.fr>',
    })
    expect(subjects).toEqual({ recipients: ['ann@acme.com', 'ez@acme.fr'], senders: [FROM], urls: [] })
  })

  test('from a template may have a sender nobody can see', () => {
    expect(explain('POST /emails', { to: 'ann@acme.com', template: { id: 't1' } }).subjects.senders).toBeNull()
  })

  test('shows where attachments are fetched from', () => {
    const attachments = [
      { filename: 'a.pdf', path: 'https://files.acme.com/a.pdf' },
      { filename: 'b.txt', content: 'eA==' },
    ]
    expect(send({ attachments }).subjects.urls).toEqual(['https://files.acme.com/a.pdf'])
  })

  test.each<[string, JsonObject]>([
    ['two addresses in a string', { to: 'ann@acme.com, eve@evil.example' }],
    ['two addresses with a semicolon', { to: 'ann@acme.com;eve@evil.example' }],
    ['a line break in an address', { to: 'ann@acme.com\r\nBcc: eve@evil.example' }],
    ['a line break in a name', { to: 'Ann\nBcc: eve@evil.example <ann@acme.com>' }],
    ['two angle brackets', { to: 'Ann <ann@acme.com> <eve@evil.example>' }],
    ['an address as a name', { to: 'ann@acme.com <eve@evil.example>' }],
    ['a group', { to: 'Friends: ann@acme.com' }],
    ['a comment', { to: 'ann@acme.com (eve@evil.example)' }],
    ['a comma in a quoted name', { to: '"Ann, <eve@evil.example>" <ann@acme.com>' }],
    ['a routed address', { to: 'ann%acme.com@evil.example' }],
    ['a domain without a dot', { to: 'ann@localhost' }],
    ['a domain in other letters', { to: 'ann@аcme.com' }],
    ['an address literal', { to: 'ann@[127.0.0.1]' }],
    ['spaces around', { to: ' ann@acme.com' }],
    ['a line separator', { to: 'Ann\u2028 <ann@acme.com>' }],
    ['a list in a list', { to: [['ann@acme.com']] }],
    ['a number', { cc: 7 }],
    ['an object', { bcc: { address: 'ann@acme.com' } }],
    ['nobody', { to: [] }],
    ['nobody at all', { to: null }],
    ['fifty-one', { to: addresses(51) }],
    ['copies without end', { bcc: addresses(201) }],
    ['no sender', { from: null }],
    ['two senders', { from: 'a@acme.com, b@acme.com' }],
    ['a sender list', { from: ['a@acme.com'] }],
    ['a header that adds recipients', { headers: { Bcc: 'eve@evil.example' } }],
    ['a header with a line break', { headers: { 'X-A': 'a\r\nBcc: eve@evil.example' } }],
    ['a header name with a line break', { headers: { 'X-A: b\r\nBcc': 'eve@evil.example' } }],
    ['a subject with a line break', { subject: 'Hi\r\nBcc: eve@evil.example' }],
    ['an unknown field', { recipients: ['eve@evil.example'] }],
    ['a field in other letters', { BCC: 'eve@evil.example' }],
    ['an attachment from plain http', { attachments: [{ path: 'http://files.acme.com/a' }] }],
    ['an attachment with two hosts', { attachments: [{ path: 'https://files.acme.com\\@intranet/' }] }],
    ['an attachment with a user', { attachments: [{ path: 'https://files.acme.com@intranet/' }] }],
    ['an attachment at a disguised address', { attachments: [{ path: 'https://0x7f000001/' }] }],
    ['an attachment with an unknown field', { attachments: [{ url: 'https://files.acme.com/' }] }],
    ['attachments that are no list', { attachments: { path: 'https://files.acme.com/' } }],
  ])('is refused with %s', (_name, fields) => {
    expect(send(fields).refuse?.code).toBe('request_malformed')
  })

  test.each<[string, Json | undefined]>([
    ['no body', undefined],
    ['a list', []],
    ['text', 'x'],
    ['null', null],
  ])('is refused with %s', (_name, json) => {
    expect(explain('POST /emails', json).refuse?.code).toBe('request_malformed')
  })

  test('without a price in the table is unpriceable', () => {
    const none = { prefix: () => null, flat: () => null, safety: '1', why: () => 'The table is stale.' }
    expect(send({}, { prices: none }).quote).toEqual({ basis: 'unpriceable', why: 'The table is stale.' })
  })

  test('sent later is counted now, is future spend, and gives its money back when canceled', () => {
    const operation = operationOn('POST /emails')
    const question = ask({ from: FROM, to: addresses(2), text: 'x', scheduled_at: 'in 3 days' })
    const explanation = operation.explain!(question) as Explanation
    expect([quoteOf(explanation), explanation.effects]).toEqual(['exact 0.0018', ['future_spend']])
    expect(operation.outcome!({ id: ID }, question, explanation)).toEqual({ object: ID, total: 1800n })
    expect(operation.outcome!({}, question, explanation)).toEqual({})

    const cancel = operationOn('POST /emails/{email_id}/cancel')
    expect(
      cancel.outcome!({ object: 'email', id: ID }, ask(undefined), cancel.explain!(ask(undefined)) as Explanation),
    ).toEqual({ object: ID, total: 0n, ends: ID })
  })

  test('sent now keeps no exposure', () => {
    const operation = operationOn('POST /emails')
    const question = ask({ from: FROM, to: 'ann@acme.com', text: 'x' })
    expect(operation.outcome!({ id: ID }, question, operation.explain!(question) as Explanation)).toEqual({ made: ID })
  })

  test('is moved only by scheduled_at, as future spend that was counted before', () => {
    expect(operationOn('PATCH /emails/{email_id}').effect).toBe('future_spend')
    const asked = explainedBy('PATCH /emails/{email_id}', { scheduled_at: '2026-12-01T00:00:00Z' }) as LookUp
    expect(asked.lookUp.path).toBe(`/emails/${ID}`)
    const moved = asked.then({ to: ['ann@acme.com'], cc: ['bo@acme.com'], from: FROM }) as Explanation
    expect(moved.quote).toEqual({ basis: 'free', why: expect.stringContaining('counted when it was scheduled') })
    expect(moved.subjects.recipients).toEqual(['ann@acme.com', 'bo@acme.com'])
    expect(moved.commits).toEqual({
      kind: 'scheduled',
      perMonth: 0n,
      dueAt: Date.UTC(2026, 11, 1),
      quantity: 2n,
      object: ID,
    })
    for (const json of [{}, { scheduled_at: 1 }, { scheduled_at: 'x', to: 'eve@evil.example' }, [], undefined] as (
      Json | undefined
    )[]) {
      expect(explain('PATCH /emails/{email_id}', json).refuse?.code).toBe('request_malformed')
    }
  })
})

describe('a batch', () => {
  const email = (fields: JsonObject = {}): JsonObject => ({ from: FROM, to: 'ann@acme.com', text: 'x', ...fields })

  test('counts every address of every e-mail', () => {
    expect(quoteOf(explain('POST /emails/batch', [email(), email({ cc: addresses(3) })]))).toBe('exact 0.0045')
    const large = Array.from({ length: 100 }, () => email({ to: addresses(50), cc: addresses(50) }))
    expect(quoteOf(explain('POST /emails/batch', large))).toBe('exact 9.00')
  })

  test('names all recipients, senders and URLs', () => {
    const { subjects } = explain('POST /emails/batch', [
      email(),
      email({ from: 'news@acme.com', bcc: 'eve@evil.example', attachments: [{ path: 'https://intranet.acme.com/x' }] }),
    ])
    expect(subjects).toEqual({
      recipients: ['ann@acme.com', 'eve@evil.example'],
      senders: [FROM, 'news@acme.com'],
      urls: ['https://intranet.acme.com/x'],
    })
  })

  test('with one e-mail scheduled is future spend', () => {
    expect(explain('POST /emails/batch', [email(), email({ scheduled_at: 'in 1 min' })]).effects).toEqual([
      'future_spend',
    ])
  })

  test('with one sender unseen has no known senders', () => {
    expect(
      explain('POST /emails/batch', [email(), { to: 'ann@acme.com', template: { id: 't' } }]).subjects.senders,
    ).toBeNull()
  })

  test.each<[string, Json]>([
    ['nothing', []],
    ['101 e-mails', Array.from({ length: 101 }, () => email())],
    ['one object', email()],
    ['one bad e-mail', [email(), email({ to: 'a@acme.com,b@acme.com' })]],
    ['a null', [email(), null]],
  ])('is refused with %s', (_name, json) => {
    expect(explain('POST /emails/batch', json).refuse?.code).toBe('request_malformed')
  })
})

describe('what exists', () => {
  test.each(['GET /emails/{email_id}', 'POST /emails/{email_id}/cancel'])(
    'is looked up under a recipient list: %s',
    (route) => {
      const asked = explainedBy(route, undefined, restricted) as LookUp
      expect(asked.lookUp.path).toBe(`/emails/${ID}`)
      expect(
        (asked.then({ to: ['Ann <ann@acme.com>'], cc: null, bcc: ['bo@acme.com'], from: FROM }) as Explanation)
          .subjects,
      ).toEqual({ recipients: ['ann@acme.com', 'bo@acme.com'], senders: [FROM] })
      expect((asked.then({ to: ['not an address'], from: FROM }) as Explanation).subjects.recipients).toBeNull()
      expect((asked.then(null) as Explanation).subjects).toEqual({ recipients: null, senders: null })
      expect(explain(route).subjects).toEqual({})
    },
  )

  test('a list of all mail concerns everybody', () => {
    expect(explain('GET /emails').subjects.recipients).toBeNull()
    expect(explain('GET /contacts').subjects.recipients).toBeNull()
  })

  test('a contact is known by its address, or looked up', () => {
    expect(
      explain('GET /contacts/{contact}', undefined, { ...restricted, path: { contact: 'Ann@acme.com' } }).subjects
        .recipients,
    ).toEqual(['ann@acme.com'])
    const asked = explainedBy('GET /contacts/{contact}', undefined, restricted) as LookUp
    expect((asked.then({ email: 'ann@acme.com' }) as Explanation).subjects.recipients).toEqual(['ann@acme.com'])
    expect((asked.then({}) as Explanation).subjects.recipients).toBeNull()
  })

  test.each<[string, string, string]>([
    ['GET /emails/{email_id}', 'email_id', 'receiving'],
    ['GET /emails/{email_id}', 'email_id', 'metrics'],
    ['GET /emails/{email_id}', 'email_id', 'batch'],
    ['GET /contacts/{contact}', 'contact', 'imports'],
    ['PATCH /domains/{domain_id}', 'domain_id', 'claim'],
    ['GET /segments/{segment_id}', 'segment_id', '..'],
    ['GET /emails/{email_id}', 'email_id', '../api-keys/1'],
  ])('%s does not take another route’s word for an id (%s %s)', (route, name, word) => {
    expect(explain(route, undefined, { path: { [name]: word } }).refuse?.code).toBe('request_malformed')
  })

  test('a domain has no price until the operator gives one', () => {
    expect(quoteOf(explain('POST /domains', { name: 'acme.com' }))).toBe('unpriceable')
    const listed = { prefix: () => null, flat: () => '0.20', safety: '1', why: () => '' }
    expect(quoteOf(explain('POST /domains', { name: 'acme.com' }, { prices: listed }))).toBe('exact 0.20')
  })
})

interface Row {
  readonly method: string
  readonly path: string
  readonly effect: string
  readonly leaks: readonly string[]
}
const catalogue = JSON.parse(
  readFileSync(new URL('../../fixtures/catalogues/resend-operations.json', import.meta.url), 'utf8'),
) as readonly Row[]
const shape = (route: string) => route.replace(/\{[^}]+\}/g, '{}')
const rowOf = new Map(catalogue.map((row) => [shape(`${row.method} ${row.path}`), row]))
const WEIGHT: Readonly<Record<string, number>> = {
  harmless: 0,
  configuration: 1,
  spends_now: 2,
  spends_recurring: 2,
  changes_routing: 3,
  grants_credential: 3,
  destructive: 3,
}
const OURS: Readonly<Record<Effect, number>> = {
  read: 0,
  write: 1,
  spend: 2,
  future_spend: 3,
  routing: 3,
  credential: 3,
  destructive: 3,
  preview: 0,
}
/** Weaker than the catalogue: stopping mail that nobody has seen yet takes nothing away that was not asked for. */
const WEAKER = ['emails.cancel', 'broadcasts.cancel']

describe('the operations', () => {
  const routes = resend.operations.flatMap((operation) => operation.routes.map((route) => ({ operation, route })))

  test('have ids and routes of their own', () => {
    expect(new Set(resend.operations.map((operation) => operation.id)).size).toBe(resend.operations.length)
    expect(new Set(routes.map(({ route }) => shape(route))).size).toBe(routes.length)
  })

  test('all stand in the published catalogue, and are no weaker there but where they say why', () => {
    expect(routes.filter(({ route }) => !rowOf.has(shape(route))).map(({ route }) => route)).toEqual([])
    const weaker = routes.filter(
      ({ operation, route }) => OURS[operation.effect] < WEIGHT[rowOf.get(shape(route))!.effect]!,
    )
    expect(weaker.map(({ operation }) => operation.id)).toEqual(WEAKER)
    expect(weaker.every(({ operation }) => operation.weaker !== undefined)).toBe(true)
  })

  test('are every operation of the catalogue', () => {
    const known = new Set(routes.map(({ route }) => shape(route)))
    expect([...rowOf.keys()].filter((route) => !known.has(route))).toEqual([])
    expect(rowOf.size).toBe(151)
  })

  test('hide every reply field that the catalogue calls a secret', () => {
    const leaking = routes.flatMap(({ operation, route }) =>
      rowOf
        .get(shape(route))!
        .leaks.map((leak) => leak.split(' ')[0]!)
        .filter((field) => !operation.reveals?.includes(field))
        .map((field) => `${route} ${field}`),
    )
    expect(leaking).toEqual([])
  })

  test('say what they understand wherever they cost, and where they are from', () => {
    for (const operation of resend.operations) {
      expect(operation.source, operation.id).toBeDefined()
      if (operation.effect === 'spend' || operation.effect === 'future_spend')
        expect(operation.accepts, operation.id).toBeDefined()
    }
  })

  test('close every route of keys and webhooks', () => {
    const theirs = catalogue
      .filter((row) => /^\/(api-keys|webhooks)(\/|$)/.test(row.path))
      .map((row) => shape(`${row.method} ${row.path}`))
    const closed = new Set(
      routes.filter(({ operation }) => operation.never !== undefined).map(({ route }) => shape(route)),
    )
    expect(theirs.filter((route) => !closed.has(route))).toEqual([])
    expect(theirs.length).toBe(closed.size)
  })

  test('own every first path segment of the catalogue', () => {
    for (const row of catalogue) expect(resend.ownsRoot(row.path)).toBe(true)
    for (const path of ['/', '/v1/charges', '/2010-04-01/Accounts.json', '/emailsx', '//emails'])
      expect(resend.ownsRoot(path)).toBe(false)
  })

  test('accept the fields that Resend’s own client sends', () => {
    const source = readFileSync(new URL('../../node_modules/resend/dist/index.mjs', import.meta.url), 'utf8')
    const body = source.slice(source.indexOf('function parseEmailToApiOptions'))
    const fields = [...body.slice(0, body.indexOf('\n}')).matchAll(/^\t\t([a-z_]+): /gm)].map((match) => match[1]!)
    expect(fields.length).toBeGreaterThan(10)
    expect([...operationOn('POST /emails').accepts!].sort()).toEqual(fields.sort())
  })

  test('are idempotent where Resend honours the key', () => {
    const honoured = resend.operations
      .filter((operation) => resend.idempotent(operation, 'POST'))
      .map((operation) => operation.id)
    expect(honoured).toEqual([
      'emails.send',
      'emails.batch',
      'inboxes.drafts.create',
      'inboxes.drafts.send',
      'inboxes.threads.emails.reply',
      'inboxes.threads.emails.forward',
    ])
  })
})

describe('custody', () => {
  test.each<[string, Parameters<typeof resend.present>[0], ReturnType<typeof resend.present>]>([
    [
      'a vault key in Resend’s skin',
      { scheme: 'bearer', token: 're_vault_live_x.run_1' },
      { kind: 'vault', key: 'vault_live_x.run_1' },
    ],
    ['a real key', { scheme: 'bearer', token: 're_123456789' }, { kind: 'real' }],
    ['a bare vault key', { scheme: 'bearer', token: 'vault_live_x' }, null],
    ['another vendor’s', { scheme: 'bearer', token: 'rk_vault_live_x' }, null],
    ['Basic', { scheme: 'basic', user: 're_123', password: '' }, null],
  ])('reads %s', (_name, auth, expected) => {
    expect(resend.present(auth)).toEqual(expected)
  })

  test('shows, takes and hides keys', () => {
    expect(resend.presentations('vault_live_x', 'ab', '')).toBe('re_vault_live_x')
    expect(resend.credential({ api_key: 're_realkey1234' })).toEqual({ account: '', test: false, last4: '1234' })
    expect(resend.authorize({ api_key: 're_realkey1234' })).toBe('Bearer re_realkey1234')
    expect(resend.secrets({ api_key: 're_realkey1234' })).toEqual(['re_realkey1234'])
  })

  test.each<Record<string, string>>([
    {},
    { api_key: '' },
    { api_key: 'sk_live_1' },
    { api_key: 're_vault_live_x' },
    { api_key: 're_a b c d e' },
    { api_key: 're_abcdef\n' },
    { api_key: 're_realkey1234', region: 'eu' },
  ])('refuses the credential %j without repeating it', (parts) => {
    const fault = resend.credential(parts)
    expect(fault).toEqual(expect.any(String))
    if (parts.api_key) expect(fault).not.toContain(parts.api_key)
  })
})

describe('a refusal', () => {
  test.each<[DenialCode, number]>([
    ['daily_cap_exceeded', 403],
    ['amount_unknown', 403],
    ['key_unknown', 401],
    ['rate_limited', 429],
    ['body_too_large', 413],
    ['overloaded', 503],
    ['upstream_timeout', 504],
  ])('%s has Resend’s shape with status %i', (code, status) => {
    expect(resend.refuse({ code, message: 'Why.', rule: 'r', retryAfterS: 2.5 })).toEqual({
      status,
      headers: { 'retry-after': '3' },
      body: { statusCode: status, name: code, message: `${code}: Why.` },
    })
  })

  test('has no Retry-After when a repetition cannot help', () => {
    expect(resend.refuse({ code: 'recipient_not_allowed', message: 'Why.', rule: 'r' }).headers).toEqual({})
  })
})

test('an error of Resend’s releases the money only when it says that nothing was done', () => {
  for (const status of [400, 401, 403, 404, 405, 422, 429]) expect(resend.verdict(status)).toBe('released')
  for (const status of [301, 302, 408, 409, 451, 500, 502, 503, 504]) expect(resend.verdict(status)).toBe('assumed')
})
