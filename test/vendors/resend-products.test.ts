import { describe, expect, test } from 'vitest'
import type { Explanation, Json, JsonObject } from '../../src/contracts/vendor.js'
import { resend } from '../../vendors/resend/index.js'
import { ask, explain, explainedBy, ID, operationOn, quoteOf, resolved } from './resend-ask.js'

const SEGMENT = '78261eea-8f8b-4381-83c6-79fa7120f1cf'
const listed = { customers: false, recipients: true, senders: true }
const priced = (flat: Readonly<Record<string, string>>) => ({
  prices: {
    prefix: () => null,
    flat: (name: string) => flat[name] ?? null,
    safety: '1',
    why: (what: string) => `No price for ${what}.`,
  },
})
/** So many contacts of a segment, as one page of Resend's. */
const page = (count: number, more = false, from = 0): JsonObject => ({
  object: 'list',
  has_more: more,
  data: Array.from({ length: count }, (_, i) => ({ id: `c-${from + i}-1`, email: `a${from + i}@acme.com` })),
})
const outcomeOn = (route: string, reply: JsonObject, explanation: Explanation) =>
  operationOn(route).outcome!(reply, ask(undefined), explanation)

describe('a broadcast', () => {
  const body: JsonObject = { segment_id: SEGMENT, from: 'Acme <news@acme.com>', subject: 'Hi', html: '<p>' }
  const now = (more: JsonObject = {}) => explainedBy('POST /broadcasts', { ...body, send: true, ...more })

  test('as a draft is free, and says why', () => {
    const { quote, subjects } = explain('POST /broadcasts', body)
    expect(quote).toEqual({ basis: 'free', why: expect.stringContaining('draft') })
    expect(subjects).toEqual({ recipients: null, senders: ['news@acme.com'] })
  })

  test('sent at once costs an e-mail for each contact of its segment, page by page', () => {
    const { explanation, asked } = resolved(now(), [page(100, true), page(100, true, 100), page(7, false, 200)])
    expect(asked).toEqual([
      `/segments/${SEGMENT}/contacts?limit=100`,
      `/segments/${SEGMENT}/contacts?limit=100&after=c-99-1`,
      `/segments/${SEGMENT}/contacts?limit=100&after=c-199-1`,
    ])
    expect(quoteOf(explanation)).toBe('ceiling 0.1863')
    expect(explanation.subjects.recipients).toHaveLength(207)
    expect(explanation.subjects.senders).toEqual(['news@acme.com'])
    expect([explanation.effects, explanation.commits]).toEqual([[], undefined])
    expect(outcomeOn('POST /broadcasts', { id: ID }, explanation)).toEqual({})
  })

  test('counts who has unsubscribed too', () => {
    const contacts = { has_more: false, data: [{ id: 'c-1', email: 'ann@acme.com', unsubscribed: true }] }
    expect(quoteOf(resolved(now(), [contacts]).explanation)).toBe('ceiling 0.0009')
  })

  test('to more contacts than six look-ups can count has no price', () => {
    const pages = Array.from({ length: 6 }, (_, i) => page(100, true, 100 * i))
    const { explanation, asked } = resolved(now(), pages)
    expect(asked).toHaveLength(6)
    expect(explanation.quote).toEqual({
      basis: 'unpriceable',
      why: expect.stringContaining('more than the 600 contacts that can be counted'),
    })
    expect(explanation.subjects.recipients).toBeNull()
  })

  test.each<[string, JsonObject | null]>([
    ['that does not exist', null],
    ['whose page has no list', { has_more: false }],
    ['whose page does not say whether there is more', { data: [] }],
    ['whose page says there is more but leads nowhere', { has_more: true, data: [] }],
  ])('to a segment %s has no price', (_name, reply) => {
    expect(quoteOf(resolved(now(), [reply]).explanation)).toBe('unpriceable')
  })

  test('to a contact whose address cannot be read has no known recipients, and counts it', () => {
    const { explanation } = resolved(now(), [{ has_more: false, data: [{ id: 'c-1', email: 'a@b.c, d@e.f' }] }])
    expect([explanation.subjects.recipients, quoteOf(explanation)]).toEqual([null, 'ceiling 0.0009'])
  })

  test('sent later is counted now, falls due, and gives its money back when canceled', () => {
    const { explanation } = resolved(now({ scheduled_at: '2026-12-01T09:00:00+01:00' }), [page(2)])
    expect(explanation.effects).toEqual(['future_spend'])
    expect(explanation.commits).toEqual({
      kind: 'scheduled',
      perMonth: 0n,
      dueAt: Date.UTC(2026, 11, 1, 8),
      quantity: 2n,
    })
    expect(outcomeOn('POST /broadcasts', { id: ID }, explanation)).toEqual({ object: ID, total: 1800n })
    expect(outcomeOn('POST /broadcasts/{broadcast_id}/cancel', {}, explanation)).toEqual({
      object: ID,
      total: 0n,
      ends: ID,
    })
    expect(outcomeOn('DELETE /broadcasts/{broadcast_id}', {}, explanation)).toEqual({ ends: ID })
  })

  test('sent at a time told in words falls due nobody knows when', () => {
    expect(resolved(now({ scheduled_at: 'in 1 hour' }), [page(1)]).explanation.commits?.dueAt).toBeNull()
  })

  test('to an empty segment mails nobody now, and cannot be priced for later', () => {
    expect(resolved(now(), [page(0)]).explanation.quote).toEqual({
      basis: 'free',
      why: expect.stringContaining('nobody is mailed'),
    })
    expect(quoteOf(resolved(now({ scheduled_at: '2026-12-01T09:00:00Z' }), [page(0)]).explanation)).toBe('unpriceable')
  })

  test.each<[string, JsonObject]>([
    ['no segment', { segment_id: null }],
    ['two segments', { audience_id: ID }],
    ['a segment that is a path', { segment_id: '../api-keys/1' }],
    ['two senders', { from: 'a@acme.com, b@acme.com' }],
    ['a time but no send', { send: false, scheduled_at: '2026-12-01T09:00:00Z' }],
    ['send as text', { send: 'true' }],
    ['a line break in its subject', { subject: 'Hi\r\nBcc: eve@evil.example' }],
    ['a reply address that is two', { reply_to: 'a@acme.com,b@acme.com' }],
  ])('with %s is refused', (_name, more) => {
    expect(explain('POST /broadcasts', { ...body, send: true, ...more }).refuse?.code).toBe('request_malformed')
  })

  test('that is a draft already is looked up before its segment is counted', () => {
    const sent = explainedBy('POST /broadcasts/{broadcast_id}/send', {})
    const { explanation, asked } = resolved(sent, [{ audience_id: SEGMENT, from: 'news@acme.com' }, page(3)])
    expect(asked).toEqual([`/broadcasts/${ID}`, `/segments/${SEGMENT}/contacts?limit=100`])
    expect([quoteOf(explanation), explanation.subjects.senders]).toEqual(['ceiling 0.0027', ['news@acme.com']])
  })

  test('that is a draft already keeps its exposure under its own id when it is scheduled', () => {
    const sent = explainedBy('POST /broadcasts/{broadcast_id}/send', { scheduled_at: '2026-12-01T09:00:00Z' })
    const { explanation } = resolved(sent, [{ segment_id: SEGMENT, from: 'news@acme.com' }, page(3)])
    expect(outcomeOn('POST /broadcasts/{broadcast_id}/send', {}, explanation)).toEqual({ object: ID, total: 2700n })
  })

  test('that is a draft already can be counted in five look-ups beside its own', () => {
    const sent = explainedBy('POST /broadcasts/{broadcast_id}/send', {})
    const pages = Array.from({ length: 5 }, (_, i) => page(100, true, 100 * i))
    const { explanation, asked } = resolved(sent, [{ segment_id: SEGMENT, from: 'news@acme.com' }, ...pages])
    expect([asked.length, quoteOf(explanation)]).toEqual([6, 'unpriceable'])
  })

  test('that cannot be found has no price', () => {
    const sent = explainedBy('POST /broadcasts/{broadcast_id}/send', {})
    expect(quoteOf(resolved(sent, [null]).explanation)).toBe('unpriceable')
  })

  test.each<[string, JsonObject | null, string]>([
    ['while it is a draft', { status: 'draft', scheduled_at: null }, 'free'],
    ['not once it is scheduled', { status: 'draft', scheduled_at: '2026-12-01T09:00:00Z' }, 'unpriceable'],
    ['not once it is queued', { status: 'queued' }, 'unpriceable'],
    ['not when it cannot be found', null, 'unpriceable'],
  ])('can be changed %s', (_name, broadcast, expected) => {
    const changed = explainedBy('PATCH /broadcasts/{broadcast_id}', { segment_id: SEGMENT })
    expect(quoteOf(resolved(changed, [broadcast]).explanation)).toBe(expected)
  })
})

describe('a contact', () => {
  const create = (body: Json, flat: Record<string, string> = { contact: '0.002', email: '0.0009' }) =>
    explain('POST /contacts', body, priced(flat))

  test('costs every month, and has no price until the operator gives one', () => {
    expect(explain('POST /contacts', { email: 'ann@acme.com' }).quote).toEqual({
      basis: 'unpriceable',
      why: 'No price for contact.',
    })
    const explanation = create({ email: 'Ann@Acme.com' })
    expect([quoteOf(explanation), explanation.subjects]).toEqual(['exact 0.002', { recipients: ['ann@acme.com'] }])
    expect(explanation.commits).toEqual({ kind: 'recurring', perMonth: 2000n, dueAt: null, quantity: 1n })
    expect(outcomeOn('POST /contacts', { id: ID }, explanation)).toEqual({ commitment: ID })
  })

  test('costs an e-mail for each segment it joins', () => {
    expect(quoteOf(create({ email: 'ann@acme.com', segments: [{ id: SEGMENT }, { id: ID }] }))).toBe('exact 0.0038')
    expect(quoteOf(explain('POST /contacts/{contact}/segments/{segment_id}', undefined))).toBe('exact 0.0009')
    const legacy = ask(
      { email: 'ann@acme.com' },
      { ...priced({ contact: '0.002', email: '0.0009' }), path: { audience_id: ID } },
    )
    expect(quoteOf(operationOn('POST /audiences/{audience_id}/contacts').explain!(legacy) as Explanation)).toBe(
      'exact 0.0029',
    )
  })

  test.each<[string, Json]>([
    ['nobody', {}],
    ['two', { email: 'a@acme.com,b@acme.com' }],
    ['segments that are no list', { email: 'a@acme.com', segments: ID }],
  ])('is refused when it names %s', (_name, body) => {
    expect(create(body).refuse?.code).toBe('request_malformed')
  })

  test('ends what it costs when it is deleted, by id or by address', () => {
    const route = 'DELETE /contacts/{contact}'
    const gone = explain(route)
    expect(outcomeOn(route, { contact: ID }, gone)).toEqual({ ends: ID })
    expect(outcomeOn(route, {}, gone)).toEqual({ ends: ID })
    expect(explain(route, undefined, { path: { contact: 'Ann@acme.com' } }).subjects.recipients).toEqual([
      'ann@acme.com',
    ])
  })

  test('added to a segment is looked up under a recipient list', () => {
    const added = explainedBy('POST /contacts/{contact}/segments/{segment_id}', undefined, { restricted: listed })
    const { explanation, asked } = resolved(added, [{ email: 'ann@acme.com' }])
    expect(asked).toEqual([`/contacts/${ID}`])
    expect([quoteOf(explanation), explanation.subjects.recipients]).toEqual(['exact 0.0009', ['ann@acme.com']])
  })

  test('of a file is refused, because nobody knows how many there are', () => {
    const { quote } = explain('POST /contacts/imports', {})
    expect(quote).toEqual({ basis: 'unpriceable', why: expect.stringContaining('imported file') })
  })
})

describe('an automation', () => {
  const steps = [{ key: 'a', type: 'trigger', config: { event_name: 'signup' } }]

  test.each<[string, JsonObject, string]>([
    ['disabled', { name: 'x', status: 'disabled', steps }, 'free'],
    ['enabled', { name: 'x', status: 'enabled', steps }, 'unpriceable'],
    ['without a status', { name: 'x', steps }, 'unpriceable'],
  ])('%s is %s', (_name, body, expected) => {
    expect(quoteOf(explain('POST /automations', body))).toBe(expected)
  })

  test.each<[string, JsonObject, JsonObject | null, string]>([
    ['disabled stays free', { name: 'y' }, { status: 'disabled' }, 'free'],
    ['enabled may not change', { steps }, { status: 'enabled' }, 'unpriceable'],
    ['unknown may not change', { steps }, null, 'unpriceable'],
  ])('that is %s', (_name, body, found, expected) => {
    const changed = explainedBy('PATCH /automations/{automation_id}', body)
    expect(quoteOf(resolved(changed, [found]).explanation)).toBe(expected)
    const copied = explainedBy('POST /automations/{automation_id}/duplicate')
    expect(quoteOf(resolved(copied, [found]).explanation)).toBe(expected)
  })

  test('can always be switched off, never on', () => {
    expect(quoteOf(explain('PATCH /automations/{automation_id}', { status: 'disabled' }))).toBe('free')
    expect(explain('PATCH /automations/{automation_id}', { status: 'enabled' })).toMatchObject({
      quote: { basis: 'unpriceable' },
      effects: ['future_spend'],
    })
  })
})

describe('an event', () => {
  const event = (over: object = {}, body: JsonObject = { event: 'signup', email: 'ann@acme.com' }) =>
    explainedBy('POST /events/send', body, over)
  const enabled = (...ids: string[]): JsonObject => ({
    has_more: false,
    data: [...ids.map((id) => ({ id, status: 'enabled' })), { id: 'd-9', status: 'disabled' }],
  })
  const automation = (sends: number, from = 'news@acme.com'): JsonObject => ({
    steps: [
      { key: 't', type: 'trigger', config: { event_name: 'signup' } },
      ...Array.from({ length: sends }, (_, i) => ({ key: `s${i}`, type: 'send_email', config: { from } })),
    ],
    connections: Array.from({ length: sends }, (_, i) => ({ from: i === 0 ? 't' : `s${i - 1}`, to: `s${i}` })),
  })

  test('costs an e-mail for each sending step of every enabled automation', () => {
    const { explanation, asked } = resolved(event(), [enabled('a-1', 'a-2'), automation(2), automation(1)])
    expect(asked).toEqual(['/automations?limit=100', '/automations/a-1', '/automations/a-2'])
    expect(quoteOf(explanation)).toBe('ceiling 0.0027')
    expect(explanation.effects).toEqual(['future_spend'])
    expect(explanation.subjects).toEqual({ recipients: ['ann@acme.com'], senders: ['news@acme.com'] })
  })

  test('is free, and says why, where nothing sends', () => {
    for (const replies of [[enabled()], [enabled('a-1'), automation(0)]])
      expect(resolved(event(), replies).explanation.quote).toEqual({ basis: 'free', why: expect.any(String) })
  })

  test.each<[string, (JsonObject | null)[]]>([
    ['more automations than can be looked through', [enabled('a-1', 'a-2', 'a-3', 'a-4', 'a-5')]],
    ['more automations than a page', [{ has_more: true, data: [] }]],
    ['no answer', [null]],
    ['an automation that is gone', [enabled('a-1'), null]],
    [
      'an automation that goes in circles',
      [
        enabled('a-1'),
        {
          ...automation(2),
          connections: [
            { from: 't', to: 's0' },
            { from: 's0', to: 's1' },
            { from: 's1', to: 's0' },
          ],
        },
      ],
    ],
    ['an automation whose connections are not told', [enabled('a-1'), { steps: [] }]],
  ])('has no price with %s', (_name, replies) => {
    expect(quoteOf(resolved(event(), replies).explanation)).toBe('unpriceable')
  })

  test('has no known sender where the template gives it', () => {
    const silent = { steps: [{ type: 'send_email', config: { template: { id: 't' } } }], connections: [] }
    expect(resolved(event(), [enabled('a-1'), silent]).explanation.subjects.senders).toBeNull()
  })

  test('for a contact is looked up under a recipient list', () => {
    const sent = event({ restricted: listed }, { event: 'signup', contact_id: ID })
    const { explanation, asked } = resolved(sent, [{ email: 'bo@acme.com' }, enabled('a-1'), automation(1)])
    expect(asked[0]).toBe(`/contacts/${ID}`)
    expect(explanation.subjects.recipients).toEqual(['bo@acme.com'])
  })

  test.each<[string, JsonObject]>([
    ['both an address and a contact', { event: 'x', email: 'a@acme.com', contact_id: ID }],
    ['neither', { event: 'x' }],
    ['two addresses', { event: 'x', email: 'a@acme.com,b@acme.com' }],
    ['no name', { email: 'a@acme.com' }],
    ['a contact that is a path', { event: 'x', contact_id: '../api-keys' }],
  ])('that names %s is refused', (_name, body) => {
    expect((event({}, body) as Explanation).refuse?.code).toBe('request_malformed')
  })
})

describe('an inbox', () => {
  const THREAD = '/inboxes/{inbox}/threads/{thread_id}'
  const inbound: JsonObject = {
    direction: 'inbound',
    from: 'Eve <eve@out.example>',
    reply_to: ['desk@out.example'],
    to: ['help@acme.com'],
    cc: ['cc@out.example'],
    bcc: [],
  }

  test('forwards to whom the request names', () => {
    const explanation = explain(`POST ${THREAD}/emails/{email_id}/forward`, {
      to: 'ann@acme.com',
      cc: ['bo@acme.com'],
      attachments: [{ path: 'https://files.acme.com/a' }],
    })
    expect(quoteOf(explanation)).toBe('ceiling 0.0018')
    expect(explanation.subjects).toEqual({
      recipients: ['ann@acme.com', 'bo@acme.com'],
      senders: null,
      urls: ['https://files.acme.com/a'],
    })
    expect(explain(`POST ${THREAD}/emails/{email_id}/forward`, { cc: [] }).refuse?.code).toBe('request_malformed')
  })

  test('answers whom the mail names, and everybody on it with reply_all', () => {
    const route = `POST ${THREAD}/emails/{email_id}/reply`
    const one = resolved(explainedBy(route, { text: 'x', bcc: ['bo@acme.com'] }), [inbound])
    expect(one.asked).toEqual([`/inboxes/${ID}/threads/${ID}/emails/${ID}`])
    expect(one.explanation.subjects.recipients).toEqual(['eve@out.example', 'desk@out.example', 'bo@acme.com'])
    expect(quoteOf(one.explanation)).toBe('ceiling 0.0027')
    const all = resolved(explainedBy(route, { text: 'x', reply_all: true }), [inbound]).explanation
    expect(all.subjects.recipients).toEqual(['eve@out.example', 'desk@out.example', 'help@acme.com', 'cc@out.example'])
    const own = resolved(explainedBy(route, { text: 'x' }), [{ ...inbound, direction: 'outbound' }]).explanation
    expect(own.subjects.recipients).toContain('help@acme.com')
  })

  test('that cannot be read sends nothing', () => {
    const route = `POST ${THREAD}/emails/{email_id}/reply`
    for (const answered of [null, {}, { ...inbound, reply_to: 'a@b.c, d@e.f' }])
      expect(quoteOf(resolved(explainedBy(route, { text: 'x' }), [answered]).explanation)).toBe('unpriceable')
    expect(explain(route, { reply_all: 'yes' }).refuse?.code).toBe('request_malformed')
    expect(explain(route, { headers: { Bcc: 'eve@evil.example' } }).refuse?.code).toBe('request_malformed')
  })

  test('sends a draft to whom the draft names, from its own address', () => {
    const route = 'POST /inboxes/{inbox}/drafts/{draft_id}/send'
    const draft = { type: 'standalone', to: ['ann@acme.com'], cc: [], bcc: ['bo@acme.com'] }
    const sent = resolved(explainedBy(route, undefined, { restricted: listed }), [
      draft,
      { email_address: 'help@acme.com' },
    ])
    expect(sent.asked).toEqual([`/inboxes/${ID}/drafts/${ID}`, `/inboxes/${ID}`])
    expect(quoteOf(sent.explanation)).toBe('ceiling 0.0018')
    expect(sent.explanation.subjects).toEqual({
      recipients: ['ann@acme.com', 'bo@acme.com'],
      senders: ['help@acme.com'],
      urls: [],
    })
    const named = explainedBy(route, undefined, { path: { inbox: 'Help@acme.com', draft_id: ID }, restricted: listed })
    expect(resolved(named, [draft]).explanation.subjects.senders).toEqual(['help@acme.com'])
  })

  test('sends a reply’s draft to whom the answered mail names as well', () => {
    const route = 'POST /inboxes/{inbox}/drafts/{draft_id}/send'
    const draft = { type: 'reply', to: null, cc: [], bcc: [], thread_id: 't-1', reply_to_email_id: 'e-1' }
    const { explanation, asked } = resolved(explainedBy(route), [draft, inbound])
    expect(asked[1]).toBe(`/inboxes/${ID}/threads/t-1/emails/e-1`)
    expect(explanation.subjects.recipients).toContain('eve@out.example')
    for (const odd of [
      null,
      { ...draft, reply_to_email_id: null },
      { ...draft, thread_id: '..' },
      { to: [], cc: [], bcc: [] },
    ])
      expect(quoteOf(resolved(explainedBy(route), [odd]).explanation)).toBe('unpriceable')
  })

  test('has an agent that can only be stopped', () => {
    const route = 'PATCH /inboxes/{inbox}/agent'
    expect(quoteOf(explain(route, { actions: [] }))).toBe('free')
    for (const body of [{ actions: ['forward_thread'] }, { instructions: 'Forward all.' }, { tone: null }])
      expect(explain(route, body)).toMatchObject({ quote: { basis: 'unpriceable' }, effects: ['future_spend'] })
  })
})

describe('suppressions', () => {
  test('name whom they silence', () => {
    expect(explain('POST /suppressions', { email: 'Ann@acme.com' }).subjects.recipients).toEqual(['ann@acme.com'])
    expect(explain('POST /suppressions/batch/add', { emails: ['a@acme.com', 'b@acme.com'] }).subjects).toEqual({
      recipients: ['a@acme.com', 'b@acme.com'],
    })
    expect(explain('POST /suppressions/batch/remove', { ids: [ID] }).subjects.recipients).toBeNull()
    const looked = explainedBy('DELETE /suppressions/{suppression}', undefined, { restricted: listed })
    expect(resolved(looked, [{ email: 'ann@acme.com' }]).explanation.subjects.recipients).toEqual(['ann@acme.com'])
  })

  test.each<[string, Json]>([
    ['POST /suppressions', {}],
    ['POST /suppressions', { email: 'a@acme.com,b@acme.com' }],
    ['POST /suppressions/batch/add', { emails: [] }],
    ['POST /suppressions/batch/add', { emails: Array.from({ length: 101 }, (_, i) => `a${i}@acme.com`) }],
    ['POST /suppressions/batch/remove', { ids: [ID], emails: ['a@acme.com'] }],
  ])('%s is refused with a body of another shape (row %#)', (route, body) => {
    expect(explain(route, body).refuse?.code).toBe('request_malformed')
  })
})

describe('mail that is scheduled', () => {
  test('falls due when its instant comes', () => {
    const send = (at: string) =>
      explain('POST /emails', { from: 'a@acme.com', to: ['b@acme.com', 'c@acme.com'], text: 'x', scheduled_at: at })
    expect(send('2026-12-01T09:00:00Z').commits).toEqual({
      kind: 'scheduled',
      perMonth: 0n,
      dueAt: Date.UTC(2026, 11, 1, 9),
      quantity: 2n,
    })
    for (const words of ['in 1 min', 'tomorrow at 9am', '2026-12-01', '2026-13-01T00:00:00Z'])
      expect(send(words).commits?.dueAt).toBeNull()
  })

  test('in a batch falls due with its last', () => {
    const mail = { from: 'a@acme.com', to: 'b@acme.com', text: 'x' }
    const batch = [
      mail,
      { ...mail, scheduled_at: '2026-12-01T09:00:00Z' },
      { ...mail, scheduled_at: '2026-12-02T09:00:00Z' },
    ]
    expect(explain('POST /emails/batch', batch).commits).toMatchObject({
      dueAt: Date.UTC(2026, 11, 2, 9),
      quantity: 2n,
    })
  })

  test.each<[string, string | null]>([
    ['emails.send', `/emails/${ID}/cancel`],
    ['emails.update', `/emails/${ID}/cancel`],
    ['broadcasts.create', `/broadcasts/${ID}/cancel`],
    ['broadcasts.send', `/broadcasts/${ID}/cancel`],
    ['contacts.create', null],
    ['domains.create', null],
    ['toString', null],
  ])('by %s is taken back by %s', (operation, path) => {
    const expected = path === null ? null : { method: 'POST', path }
    expect(resend.takeBack!({ operation, object: ID, account: '' })).toEqual(expected)
    expect(resend.takeBack!({ operation, object: '../api-keys', account: '' })).toBeNull()
  })
})

describe('what shows or opens more than it says', () => {
  test.each([
    ['POST /emails/{email_id}/share', 'credential', ['url']],
    ['GET /logs/{log_id}', 'credential', ['request_body', 'response_body']],
    ['GET /emails/receiving/{email_id}', 'read', ['html', 'text', 'raw', 'download_url']],
    ['GET /inboxes/{inbox}/threads/{thread_id}/emails/{email_id}', 'read', ['html', 'text']],
    ['GET /webhooks/{webhook_id}', 'credential', ['signing_secret']],
    ['POST /api-keys', 'credential', ['token']],
  ])('%s is %s and hides %j', (route, effect, reveals) => {
    expect(operationOn(route)).toMatchObject({ effect, reveals })
  })

  test.each([
    'GET /emails/receiving',
    'GET /emails/receiving/{email_id}',
    'GET /emails/receiving/{email_id}/attachments',
    'GET /inboxes/{inbox}/threads',
    'GET /inboxes/{inbox}/drafts/{draft_id}',
    'GET /broadcasts/{broadcast_id}/recipients',
    'GET /segments/{segment_id}/contacts',
    'GET /logs',
  ])('%s concerns people nobody can list', (route) => {
    expect(explain(route).subjects.recipients).toBeNull()
  })

  test('a webhook says where it leads', () => {
    expect(explain('POST /webhooks', { endpoint: 'https://evil.example/x', events: [] })).toMatchObject({
      subjects: { urls: ['https://evil.example/x'] },
      effects: ['credential'],
    })
    expect(explain('POST /webhooks', { endpoint: 'https://evil.example\\@acme.com/' }).refuse?.code).toBe(
      'request_malformed',
    )
  })

  test('a domain is a monthly charge and a way for mail to come in', () => {
    const explanation = explain('POST /domains', { name: 'acme.com' }, priced({ domain: '0.20' }))
    expect([quoteOf(explanation), explanation.effects]).toEqual(['exact 0.20', ['routing']])
    expect(explanation.commits).toMatchObject({ kind: 'recurring', perMonth: 200_000n })
    expect(outcomeOn('POST /domains', { id: ID }, explanation)).toEqual({ commitment: ID })
    expect(outcomeOn('DELETE /domains/{domain_id}', {}, explanation)).toEqual({ ends: ID })
  })
})

test('no operation takes another route’s word for an id, names that teams choose aside', () => {
  const chosen = ['template', 'event']
  const lax = resend.operations.filter((operation) =>
    operation.routes.some((route) =>
      [...route.matchAll(/\{([a-z_]+)\}/g)].some(([, name]) => {
        const path = { [name!]: 'metrics' }
        const explained = operation.explain?.(ask(undefined, { path }))
        return !chosen.includes(name!) && (explained === undefined || 'lookUp' in explained || !explained.refuse)
      }),
    ),
  )
  expect(lax.map(({ id }) => id)).toEqual([])
})
