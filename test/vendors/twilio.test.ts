import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { sdkOperations } from '../../scripts/vendor-operations.mjs'
import type { Denial, DenialCode, Effect } from '../../src/contracts/call.js'
import { formatUsd } from '../../src/contracts/money.js'
import type { Explanation, JsonObject, LookUp, Prices } from '../../src/contracts/vendor.js'
import { parseForm } from '../../src/wire/form.js'
import { twilio } from '../../vendors/twilio/index.js'
import {
  AC,
  ask,
  explain,
  explainedBy,
  FROM,
  MG,
  operationOn,
  OTHER,
  pricesOf,
  quoteOf,
  SM,
  US,
  withFlat,
} from './twilio-ask.js'

const MESSAGES = 'POST /2010-04-01/Accounts/{AccountSid}/Messages.json'
const CALLS = 'POST /2010-04-01/Accounts/{AccountSid}/Calls.json'
const VERIFICATIONS = 'POST verify.twilio.com/v2/Services/{ServiceSid}/Verifications'

describe('a message', () => {
  // One US part: (0.0083 + 0.0062) × 1.15 = 0.016675.
  test.each<[string, Record<string, string>, string]>([
    ['one part to the US', { To: US, From: FROM, Body: 'hello' }, 'ceiling 0.016675'],
    ['two parts', { To: US, From: FROM, Body: 'a'.repeat(161) }, 'ceiling 0.03335'],
    ['one part to Canada', { To: '+14165550100', From: FROM, Body: 'hi' }, 'ceiling 0.016675'],
    ['one part to Nepal', { To: '+9779841234567', From: FROM, Body: 'hi' }, 'ceiling 0.34753'],
    ['one part to Trinidad, its own row', { To: '+18682912345', From: FROM, Body: 'hi' }, 'ceiling 0.34408'],
    ['Jamaica, which +1 does not price', { To: '+18765550100', From: FROM, Body: 'hi' }, 'unpriceable'],
    ['Antigua, which +1 does not price', { To: '+12684641234', From: FROM, Body: 'hi' }, 'unpriceable'],
    ['Puerto Rico, which +1 does not price', { To: '+17875550100', From: FROM, Body: 'hi' }, 'unpriceable'],
    ['a premium number', { To: '+19005550100', From: FROM, Body: 'hi' }, 'unpriceable'],
    ['a satellite phone', { To: '+881612345678', From: FROM, Body: 'hi' }, 'unpriceable'],
    ['an international network', { To: '+88213300655', From: FROM, Body: 'hi' }, 'unpriceable'],
    ['a country without a row', { To: '+4915112345678', From: FROM, Body: 'hi' }, 'unpriceable'],
    [
      'a picture: (0.022 + 0.0062) × 1.15',
      { To: US, From: FROM, MediaUrl: 'https://media.acme.com/a.png' },
      'ceiling 0.03243',
    ],
    ['text as MMS', { To: US, From: FROM, Body: 'hi', SendAsMms: 'true' }, 'ceiling 0.03243'],
    [
      'a picture with a long text, which may fall back to SMS',
      { To: US, From: FROM, Body: 'a'.repeat(600), MediaUrl: 'https://m.acme.com/a' },
      'ceiling 0.0667',
    ],
    [
      'a picture where there is no MMS',
      { To: '+9779841234567', From: FROM, MediaUrl: 'https://m.acme.com/a' },
      'unpriceable',
    ],
    ['a template, as 25 parts', { To: US, From: FROM, ContentSid: 'HX1' }, 'ceiling 0.416875'],
    [
      'shortened links: 25 parts and the fee',
      { To: US, From: FROM, Body: 'https://acme.com', ShortenUrls: 'true' },
      'ceiling 0.434125',
    ],
    [
      'ellipses from a service that may encode smartly',
      { To: US, MessagingServiceSid: MG, Body: '…'.repeat(70) },
      'ceiling 0.03335',
    ],
    ['WhatsApp, not in the table', { To: `whatsapp:${US}`, From: `whatsapp:${FROM}`, Body: 'hi' }, 'unpriceable'],
    ['Messenger', { To: 'messenger:123', From: 'messenger:456', Body: 'hi' }, 'unpriceable'],
    ['an RCS sender to a number', { To: US, From: 'rcs:acme_agent', Body: 'hi' }, 'unpriceable'],
    ['a number sending to WhatsApp', { To: `whatsapp:${US}`, From: FROM, Body: 'hi' }, 'unpriceable'],
  ])('%s', (_name, pairs, expected) => {
    expect(quoteOf(explain(MESSAGES, pairs))).toBe(expected)
  })

  test('to WhatsApp has the price the operator lists', () => {
    const pairs = { To: `whatsapp:${US}`, From: `whatsapp:${FROM}`, Body: 'a'.repeat(900) }
    expect(quoteOf(explain(MESSAGES, pairs, withFlat({ 'whatsapp.twilio': '0.05' })))).toBe('ceiling 0.0575')
  })

  test('a stale table prices nothing', () => {
    const stale: Prices = { prefix: () => null, flat: () => null, safety: '1', why: () => 'The table is stale.' }
    expect(explain(MESSAGES, { To: US, From: FROM, Body: 'hi' }, { prices: stale }).quote).toEqual({
      basis: 'unpriceable',
      why: 'The table is stale.',
    })
  })

  test('a row without a country or with a broken price prices nothing', () => {
    const rows = (row: Record<string, string>) => ({
      prices: pricesOf({ ...twilio.prices!, prefixes: { sms: { '+1': row } } }),
    })
    for (const row of [
      { seg: '0.01' },
      { iso: 'US' },
      { iso: 'US', seg: '-1' },
      { iso: 'US', seg: '1e9' },
      { iso: 'US', seg: '0.01', carrier: 'x' },
    ]) {
      expect(quoteOf(explain(MESSAGES, { To: US, From: FROM, Body: 'hi' }, rows(row)))).toBe('unpriceable')
    }
    expect(quoteOf(explain(MESSAGES, { To: US, From: FROM, Body: 'hi' }, rows({ iso: 'CA, US', seg: '0.01' })))).toBe(
      'ceiling 0.0115',
    )
  })

  test.each<[string, Record<string, string>, DenialCode]>([
    ['no recipient', { From: FROM, Body: 'hi' }, 'request_malformed'],
    ['a national number', { To: '4155550100', From: FROM, Body: 'hi' }, 'request_malformed'],
    ['an extension', { To: `${US};ext=9`, From: FROM, Body: 'hi' }, 'request_malformed'],
    ['an unknown scheme', { To: 'constructor:x', From: FROM, Body: 'hi' }, 'request_malformed'],
    ['two numbers in one value', { To: `${US},${FROM}`, From: FROM, Body: 'hi' }, 'request_malformed'],
    ['no sender', { To: US, Body: 'hi' }, 'request_malformed'],
    ['an impossible sender', { To: US, From: 'a sender of too many letters', Body: 'hi' }, 'request_malformed'],
    ['a service id that is none', { To: US, MessagingServiceSid: 'MG../x', Body: 'hi' }, 'request_malformed'],
    ['nothing to send', { To: US, From: FROM }, 'request_malformed'],
    ['a body too long', { To: US, From: FROM, Body: 'a'.repeat(1601) }, 'request_malformed'],
    [
      'a callback that parsers read differently',
      { To: US, From: FROM, Body: 'x', StatusCallback: 'https://evil.example\\@acme.com/' },
      'request_malformed',
    ],
    ['a relative callback', { To: US, From: FROM, Body: 'x', StatusCallback: '//evil.example/' }, 'request_malformed'],
    ['a flag that is none', { To: US, From: FROM, Body: 'x', SendAsMms: 'yes' }, 'request_malformed'],
    ['fraud protection off, in capitals', { To: US, From: FROM, Body: 'x', RiskCheck: 'DISABLE' }, 'request_malformed'],
    [
      'a time to send that is no instant',
      { To: US, MessagingServiceSid: MG, Body: 'x', SendAt: 'tomorrow' },
      'request_malformed',
    ],
  ])('is refused: %s', (_name, pairs, code) => {
    expect(explain(MESSAGES, pairs).refuse?.code).toBe(code)
  })

  test('names recipient, every sender and every URL', () => {
    const { subjects } = explain(MESSAGES, [
      ['To', US],
      ['From', FROM],
      ['FallbackFrom', '+14155550112'],
      ['MessagingServiceSid', MG],
      ['Body', 'x'],
      ['MediaUrl', 'https://m.acme.com/1'],
      ['MediaUrl', 'https://m.acme.com/2'],
      ['StatusCallback', 'https://u:p@hooks.acme.com/s#rc=5'],
    ])
    expect(subjects).toEqual({
      recipients: [US],
      senders: [FROM, '+14155550112', MG],
      urls: ['https://m.acme.com/1', 'https://m.acme.com/2', 'https://u:p@hooks.acme.com/s#rc=5'],
    })
  })

  test('with fraud protection off is a hard refusal, and only then', () => {
    expect(explain(MESSAGES, { To: US, From: FROM, Body: 'x', RiskCheck: 'disable' }).never).toContain(
      'fraud protection',
    )
    expect(explain(MESSAGES, { To: US, From: FROM, Body: 'x', RiskCheck: 'enable' }).never).toBeUndefined()
  })

  test('of a messaging service alone is sent by the service', () => {
    expect(explain(MESSAGES, { To: US, MessagingServiceSid: MG, Body: 'x' }).subjects.senders).toEqual([MG])
  })

  test('with an application has a callback nobody can see', () => {
    expect(explain(MESSAGES, { To: US, From: FROM, Body: 'x', ApplicationSid: 'AP1' }).subjects.urls).toBeNull()
  })

  test('sent later is counted now and is future spend', () => {
    const later = explain(MESSAGES, {
      To: US,
      MessagingServiceSid: MG,
      Body: 'x',
      SendAt: '2026-12-20T10:00:00Z',
      ScheduleType: 'fixed',
    })
    expect([quoteOf(later), later.effects]).toEqual(['ceiling 0.016675', ['future_spend']])
    expect(explain(MESSAGES, { To: US, From: FROM, Body: 'x' }).effects).toEqual([])
  })

  test('that took more parts than quoted costs more, never less', () => {
    const question = ask(MESSAGES, { To: US, From: FROM, Body: 'x' })
    const explanation = operationOn(MESSAGES).explain!(question) as Explanation
    const settledAt = (reply: JsonObject) =>
      formatUsd(operationOn(MESSAGES).outcome!(reply, question, explanation).amount!)
    expect(settledAt({ sid: SM, num_segments: '3', price: null })).toBe('0.050025')
    expect(settledAt({ sid: SM, num_segments: '0', price: null })).toBe('0.016675')
    expect(settledAt({ sid: SM })).toBe('0.016675')
    expect(settledAt({ sid: SM, num_segments: '-9' })).toBe('0.016675')
  })

  test('that was scheduled gives its money back when it is canceled, and only then', () => {
    const question = ask(MESSAGES, { To: US, MessagingServiceSid: MG, Body: 'x', SendAt: '2026-12-20T10:00:00Z' })
    const created = operationOn(MESSAGES).outcome!(
      { sid: SM, status: 'scheduled' },
      question,
      operationOn(MESSAGES).explain!(question) as Explanation,
    )
    expect([created.object, formatUsd(created.total!)]).toEqual([SM, '0.016675'])

    const route = 'POST /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json'
    const cancel = ask(route, { Status: 'canceled' })
    const explanation = operationOn(route).explain!(cancel) as Explanation
    expect(explanation).toMatchObject({ quote: { basis: 'free' }, effects: [] })
    expect(operationOn(route).outcome!({ status: 'canceled' }, cancel, explanation)).toEqual({
      object: SM,
      total: 0n,
      ends: SM,
    })
    expect(operationOn(route).outcome!({ status: 'delivered' }, cancel, explanation)).toEqual({})
  })

  test('can only be canceled or erased, and erasing is destructive', () => {
    const route = 'POST /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json'
    expect(explain(route, { Body: '' }).effects).toEqual(['destructive'])
    expect(explain(route, { Body: 'new words' }).refuse?.code).toBe('request_malformed')
    expect(explain(route, {}).refuse?.code).toBe('request_malformed')
    expect(explain(route, { Status: 'canceled', Body: '' }).refuse?.code).toBe('request_ambiguous')
  })
})

describe('reads and writes under a recipient list', () => {
  const restricted = { restricted: { customers: false, recipients: true, senders: false } }
  const route = 'GET /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json'

  test('look up whom an existing message concerns', () => {
    const asked = explainedBy(route, {}, restricted) as LookUp
    expect(asked.lookUp.path).toBe(`/2010-04-01/Accounts/${AC}/Messages/${SM}.json`)
    expect((asked.then({ to: US, from: FROM, direction: 'outbound-api' }) as Explanation).subjects).toEqual({
      recipients: [US],
      senders: [FROM],
    })
    expect((asked.then({ to: FROM, from: US, direction: 'inbound' }) as Explanation).subjects).toEqual({
      recipients: [US],
      senders: [FROM],
    })
    expect((asked.then(null) as Explanation).subjects).toEqual({ recipients: null, senders: null })
  })

  test.each([
    'DELETE /2010-04-01/Accounts/{AccountSid}/Messages/{Sid}.json',
    'GET /2010-04-01/Accounts/{AccountSid}/Messages/{MessageSid}/Media.json',
    'DELETE /2010-04-01/Accounts/{AccountSid}/Calls/{Sid}.json',
    'GET /2010-04-01/Accounts/{AccountSid}/Calls/{Sid}.json',
  ])('look up first: %s', (each) => {
    expect(explainedBy(each, {}, restricted)).toHaveProperty('lookUp')
    expect(explainedBy(each)).not.toHaveProperty('lookUp')
  })

  test('a list without a filter concerns everybody', () => {
    const list = 'GET /2010-04-01/Accounts/{AccountSid}/Messages.json'
    expect(explain(list).subjects).toEqual({ recipients: null, senders: null })
    expect(explain(list, { To: US }).subjects).toEqual({ recipients: [US], senders: null })
    expect(explain(list, { From: US }).subjects).toEqual({ recipients: [US], senders: null })
  })
})

describe('a call', () => {
  const call = { To: US, From: FROM, Twiml: '<Response><Say>Hi</Say></Response>' }

  test.each<[string, Record<string, string>, string, string]>([
    ['ten minutes unless it says otherwise', call, 'ceiling 0.161', '600'],
    ['every minute that begins', { ...call, TimeLimit: '61' }, 'ceiling 0.0322', '61'],
    ['one minute', { ...call, TimeLimit: '60' }, 'ceiling 0.0161', '60'],
    ['at most four hours', { ...call, TimeLimit: '86400' }, 'ceiling 3.864', '14400'],
    ['Alaska has its own row', { ...call, To: '+19075550100', TimeLimit: '60' }, 'ceiling 0.1035', '60'],
    ['Canada has no voice row', { ...call, To: '+14165550100' }, 'unpriceable', '600'],
    ['Antigua looks domestic', { ...call, To: '+12684641234' }, 'unpriceable', '600'],
    ['a recording without a price', { ...call, Record: 'true' }, 'unpriceable', '600'],
    ['a recording configuration', { ...call, RecordingConfigurationId: 'x' }, 'unpriceable', '600'],
    ['no recording', { ...call, Record: 'false' }, 'ceiling 0.161', '600'],
    ['answering machine detection', { ...call, MachineDetection: 'Enable' }, 'unpriceable', '600'],
    ['detection in the background', { ...call, AsyncAmd: 'true' }, 'unpriceable', '600'],
    ['another carrier', { ...call, Byoc: 'BY1' }, 'unpriceable', '600'],
    ['a SIP address', { ...call, To: 'sip:ann@acme.com' }, 'unpriceable', '600'],
    ['keys are free', { ...call, SendDigits: 'ww1234#' }, 'ceiling 0.161', '600'],
  ])('%s', (_name, pairs, quote, limit) => {
    const explanation = explain(CALLS, pairs)
    expect([quoteOf(explanation), explanation.set?.TimeLimit, explanation.refuse]).toEqual([quote, limit, undefined])
  })

  test('adds recording minutes and detection when the operator prices them', () => {
    const pairs = { ...call, TimeLimit: '120', Record: 'true', MachineDetection: 'Enable' }
    // (2 × 0.014 + 2 × 0.0025 + 0.0075) × 1.15
    expect(quoteOf(explain(CALLS, pairs, withFlat({ 'voice.recording': '0.0025', 'voice.amd': '0.0075' })))).toBe(
      'ceiling 0.046575',
    )
  })

  test.each<[string, Record<string, string>, DenialCode]>([
    ['a time limit with a fraction', { ...call, TimeLimit: '60.5' }, 'request_malformed'],
    ['a time limit of zero', { ...call, TimeLimit: '0' }, 'request_malformed'],
    ['a negative time limit', { ...call, TimeLimit: '-1' }, 'request_malformed'],
    ['a time limit in hex', { ...call, TimeLimit: '0x10' }, 'request_malformed'],
    ['no caller', { To: US, Url: 'https://acme.com/' }, 'request_malformed'],
    ['no orders', { To: US, From: FROM }, 'request_malformed'],
    ['two orders', { ...call, Url: 'https://acme.com/' }, 'request_ambiguous'],
    ['an inline document with an entity', { ...call, Twiml: '<!DOCTYPE a><Response/>' }, 'request_malformed'],
    ['orders at no plain URL', { To: US, From: FROM, Url: 'javascript:1' }, 'request_malformed'],
    ['digits that are none', { ...call, SendDigits: '1;2' }, 'request_malformed'],
  ])('is refused: %s', (_name, pairs, code) => {
    expect(explain(CALLS, pairs).refuse?.code).toBe(code)
  })

  test('with orders that dial on is routing and has no price', () => {
    const dialling = explain(CALLS, { ...call, Twiml: '<Response><Dial>+88213300655</Dial></Response>' })
    expect([dialling.effects, quoteOf(dialling)]).toEqual([['routing'], 'unpriceable'])
  })

  test('names every URL, those it plays included', () => {
    const pairs = {
      ...call,
      Twiml: '<Response><Play>https://m.acme.com/a</Play></Response>',
      StatusCallback: 'https://a.acme.com/',
      RecordingStatusCallback: 'https://b.acme.com/',
      AsyncAmdStatusCallback: 'https://c.acme.com/',
      FallbackUrl: 'https://d.acme.com/',
      ClientNotificationUrl: 'https://e.acme.com/',
      CallerId: '+14155550113',
    }
    const { subjects } = explain(CALLS, pairs)
    expect([...subjects.urls!].sort()).toEqual([
      'https://a.acme.com/',
      'https://b.acme.com/',
      'https://c.acme.com/',
      'https://d.acme.com/',
      'https://e.acme.com/',
      'https://m.acme.com/a',
    ])
    expect([subjects.recipients, subjects.senders]).toEqual([[US], [FROM, '+14155550113']])
  })

  test('run by an application shows neither URLs nor a price', () => {
    const run = explain(CALLS, { To: US, From: FROM, ApplicationSid: 'AP1' })
    expect([run.subjects.urls, quoteOf(run)]).toEqual([null, 'unpriceable'])
  })

  test('that is live may be ended, but new orders are routing and spend without a price', () => {
    const route = 'POST /2010-04-01/Accounts/{AccountSid}/Calls/{Sid}.json'
    expect(explain(route, { Status: 'completed' })).toMatchObject({ quote: { basis: 'free' }, effects: [] })
    for (const pairs of [
      { Url: 'https://acme.com/' },
      { Twiml: '<Response><Hangup/></Response>' },
      { FallbackUrl: 'https://acme.com/' },
    ]) {
      const orders = explain(route, pairs)
      expect([orders.effects, quoteOf(orders)]).toEqual([['routing', 'spend'], 'unpriceable'])
    }
    expect(explain(route, { TimeLimit: '14400' })).toMatchObject({
      quote: { basis: 'unpriceable' },
      effects: ['spend'],
    })
    expect(explain(route, { Status: 'completed', Url: 'https://acme.com/' }).refuse?.code).toBe('request_ambiguous')
    expect(explain(route, { Status: 'ringing' }).refuse?.code).toBe('request_malformed')
  })
})

describe('a verification', () => {
  test.each<[string, Record<string, string>, string]>([
    ['SMS: (0.0145 + 0.05) × 1.15', { To: US, Channel: 'sms' }, 'ceiling 0.074175'],
    ['a call: (0.014 + 0.05) × 1.15', { To: US, Channel: 'call' }, 'ceiling 0.0736'],
    ['a text of its own: 25 parts', { To: US, Channel: 'sms', TemplateSid: 'HJ1' }, 'ceiling 0.474375'],
    ['e-mail without a price', { To: 'ann@acme.com', Channel: 'email' }, 'unpriceable'],
    ['WhatsApp without a price', { To: US, Channel: 'whatsapp' }, 'unpriceable'],
    ['an unknown channel', { To: US, Channel: 'auto' }, 'unpriceable'],
    ['Jamaica', { To: '+18765550100', Channel: 'sms' }, 'unpriceable'],
  ])('%s', (_name, pairs, expected) => {
    expect(quoteOf(explain(VERIFICATIONS, pairs))).toBe(expected)
  })

  test('names whom it reaches', () => {
    expect(explain(VERIFICATIONS, { To: 'Ann@Acme.com', Channel: 'email' }).subjects).toEqual({
      recipients: ['ann@acme.com'],
      senders: ['VA1'],
    })
  })

  test('with a code of the sender’s choice is a credential', () => {
    expect(explain(VERIFICATIONS, { To: US, Channel: 'sms', CustomCode: '123456' }).effects).toEqual(['credential'])
  })

  test.each<[string, string, Record<string, string>, DenialCode]>([
    ['by e-mail to a number', VERIFICATIONS, { To: US, Channel: 'email' }, 'request_malformed'],
    ['set to anything else', `${VERIFICATIONS}/{Sid}`, { Status: 'Approved' }, 'request_malformed'],
    [
      'checked for nobody',
      'POST verify.twilio.com/v2/Services/{ServiceSid}/VerificationCheck',
      { Code: '1' },
      'request_malformed',
    ],
    [
      'checked for two',
      'POST verify.twilio.com/v2/Services/{ServiceSid}/VerificationCheck',
      { Code: '1', To: US, VerificationSid: 'VE1' },
      'request_ambiguous',
    ],
  ])('is refused: %s', (_name, route, pairs, code) => {
    expect(explain(route, pairs, { path: { ServiceSid: 'VA1', Sid: 'VE1' } }).refuse?.code).toBe(code)
  })

  test.each<[string, string, Record<string, string>]>([
    ['with fraud protection off', VERIFICATIONS, { To: US, Channel: 'sms', RiskCheck: 'disable' }],
    ['passed without its code', `${VERIFICATIONS}/{Sid}`, { Status: 'approved' }],
  ])('is a hard refusal: %s', (_name, route, pairs) => {
    expect(explain(route, pairs, { path: { ServiceSid: 'VA1', Sid: 'VE1' } }).never).toEqual(expect.any(String))
  })

  test('passed without its code costs the success fee, should the operator unlock it', () => {
    const approved = explain(
      `${VERIFICATIONS}/{Sid}`,
      { Status: 'approved' },
      { path: { ServiceSid: 'VA1', Sid: 'VE1' } },
    )
    expect([quoteOf(approved), approved.effects]).toEqual(['ceiling 0.0575', ['spend']])
  })

  test('checked holds the fee for a success unless its sending does', () => {
    const route = 'POST verify.twilio.com/v2/Services/{ServiceSid}/VerificationCheck'
    const checked = explain(route, { Code: '1', VerificationSid: 'VE1' })
    expect([quoteOf(checked), checked.object, checked.direction]).toEqual(['ceiling 0.0575', 'VE1', 'out'])

    const byAddress = explainedBy(route, { Code: '1', To: US }) as LookUp
    expect(byAddress.lookUp.path).toBe(`verify.twilio.com/v2/Services/VA1/Verifications/${US}`)
    expect(byAddress.then({ sid: 'VE1', to: US })).toMatchObject({ object: 'VE1', subjects: { recipients: [US] } })
    expect(quoteOf(byAddress.then(null) as Explanation)).toBe('ceiling 0.0575')

    const question = ask(route, { Code: '1', VerificationSid: 'VE1' })
    expect(operationOn(route).outcome!({ status: 'pending' }, question, checked)).toEqual({ amount: 0n })
    expect(operationOn(route).outcome!({ status: 'approved' }, question, checked)).toEqual({})
    const sent = ask(VERIFICATIONS, { To: US, Channel: 'sms' })
    expect(
      operationOn(VERIFICATIONS).outcome!(
        { sid: 'VE1' },
        sent,
        operationOn(VERIFICATIONS).explain!(sent) as Explanation,
      ),
    ).toEqual({ object: 'VE1', estimate: 'VE1' })
  })

  test('that exists is looked up when recipients are restricted, unless its address is named', () => {
    const restricted = { restricted: { customers: false, recipients: true, senders: false } }
    const route = 'GET verify.twilio.com/v2/Services/{ServiceSid}/Verifications/{Sid}'
    const asked = explainedBy(route, {}, { ...restricted, path: { ServiceSid: 'VA1', Sid: 'VE1' } }) as LookUp
    expect(asked.lookUp.path).toBe('verify.twilio.com/v2/Services/VA1/Verifications/VE1')
    expect((asked.then({ to: US }) as Explanation).subjects.recipients).toEqual([US])
    expect((asked.then(null) as Explanation).subjects.recipients).toBeNull()
    expect(explain(route, {}, { ...restricted, path: { ServiceSid: 'VA1', Sid: US } }).subjects.recipients).toEqual([
      US,
    ])
  })
})

describe('a number look-up', () => {
  const route = 'GET lookups.twilio.com/v2/PhoneNumbers/{PhoneNumber}'

  test.each<[string, Record<string, string>, string]>([
    ['is free without fields', {}, 'free'],
    ['is free for its validation', { Fields: 'validation' }, 'exact 0.00'],
    ['costs each field: 0.008 × 1.15', { Fields: 'line_type_intelligence' }, 'exact 0.0092'],
    ['costs the sum: (0.10 + 0.01) × 1.15', { Fields: 'identity_match,caller_name' }, 'exact 0.1265'],
    ['has no price with a field that is not listed', { Fields: 'caller_name,sim_swap' }, 'unpriceable'],
  ])('%s', (_name, pairs, expected) => {
    expect(quoteOf(explain(route, pairs))).toBe(expected)
  })

  test.each([{ Fields: 'caller_name,' }, { Fields: 'caller_name, sim_swap' }, { Fields: 'CALLER_NAME' }])(
    'refuses %j',
    (pairs) => {
      expect(explain(route, pairs).refuse?.code).toBe('request_malformed')
    },
  )

  test('refuses a field named twice, and what is no number', () => {
    expect(explain(route, { Fields: 'caller_name,caller_name' }).refuse?.code).toBe('request_ambiguous')
    expect(explain(route, {}, { path: { PhoneNumber: '4155550100' } }).refuse?.code).toBe('request_malformed')
  })
})

describe('the account', () => {
  test('of the credential needs no grant; another one in path or body does', () => {
    expect(twilio.common!(ask(MESSAGES, { AccountSid: AC }))).toEqual({ subjects: {} })
    expect(twilio.common!(ask(MESSAGES, {}, { path: { AccountSid: OTHER } })).subjects.accounts).toEqual([OTHER])
    expect(twilio.common!(ask(MESSAGES, { AccountSid: OTHER })).subjects.accounts).toEqual([OTHER])
    expect(twilio.common!(ask(MESSAGES, {}, { path: { AccountSid: AC.toUpperCase() } })).subjects.accounts).toEqual([
      AC.toUpperCase(),
    ])
  })

  test('a parameter in brackets is refused, since only we would read it', () => {
    expect(twilio.common!(ask(MESSAGES, { 'StatusCallback[]': 'https://evil.example' })).refuse?.code).toBe(
      'request_malformed',
    )
  })
})

interface Row {
  readonly host: string
  readonly method: string
  readonly path: string
  readonly effect: string
}
const catalogue = JSON.parse(
  readFileSync(new URL('../../fixtures/catalogues/twilio-operations.json', import.meta.url), 'utf8'),
) as readonly Row[]
const shape = (route: string) => route.replace(/\{[^}]+\}/g, '{}')
const rowOf = new Map(
  catalogue.map((row) => [shape(`${row.method} ${row.host === 'api.twilio.com' ? '' : row.host}${row.path}`), row]),
)
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

describe('the operations', () => {
  const routes = twilio.operations.flatMap((operation) => operation.routes.map((route) => ({ operation, route })))

  test('have ids and routes of their own', () => {
    expect(new Set(twilio.operations.map((operation) => operation.id)).size).toBe(twilio.operations.length)
    expect(new Set(routes.map(({ route }) => shape(route))).size).toBe(routes.length)
  })

  test('stand in the published catalogue or in Twilio’s own client, but for plain GETs', () => {
    const called = new Set(sdkOperations().twilio.map(({ method, path }) => shape(`${method} ${path}`)))
    const strange = routes.filter(
      ({ route }) => !rowOf.has(shape(route)) && !called.has(shape(route)) && !route.startsWith('GET '),
    )
    expect(strange.map(({ route }) => route)).toEqual([])
  })

  test('are no weaker than the catalogue says, unless they say why', () => {
    const weaker = routes.filter(({ operation, route }) => {
      const row = rowOf.get(shape(route))
      return operation.never === undefined && row !== undefined && OURS[operation.effect] < WEIGHT[row.effect]!
    })
    expect(weaker.filter(({ operation }) => operation.weaker === undefined).map(({ route }) => route)).toEqual([])
  })

  test('call declared hosts only, and the classic API only with .json', () => {
    for (const { operation, route } of routes) {
      if (operation.never !== undefined) continue
      const target = route.split(' ')[1]!
      if (target.startsWith('/')) expect(target).toMatch(/^\/2010-04-01\/.*\.json$/)
      else expect(twilio.hosts).toContain(target.split('/')[0])
    }
  })

  test('list what they accept wherever money can go', () => {
    for (const operation of twilio.operations)
      if (operation.effect === 'spend' || operation.effect === 'future_spend')
        expect([operation.id, operation.accepts !== undefined]).toEqual([operation.id, true])
  })

  test.each([
    [MESSAGES, 'api/v2010/account/message.js', 'MessageListInstance', []],
    [CALLS, 'api/v2010/account/call.js', 'CallListInstance', ['Passports']],
    [
      VERIFICATIONS,
      'verify/v2/service/verification.js',
      'VerificationListInstance',
      ['ChannelConfiguration', 'CustomMessage'],
    ],
  ])('accept what Twilio’s own client sends on %s', (route, file, list, leftOut) => {
    const source = readFileSync(new URL(`../../node_modules/twilio/lib/rest/${file}`, import.meta.url), 'utf8')
    const body = source.slice(source.indexOf(`function ${list}`))
    const create = body.slice(body.indexOf('instance.create = '), body.indexOf('method: "post"'))
    const sent = new Set([...create.matchAll(/data\["([A-Za-z]+)"\]/g)].map((match) => match[1]!))
    expect(sent.size).toBeGreaterThan(15)
    const accepted = new Set(operationOn(route).accepts)
    expect([...sent].filter((name) => !accepted.has(name)).sort()).toEqual(leftOut)
    expect([...accepted].filter((name) => !sent.has(name) && name !== 'AccountSid')).toEqual([])
  })
})

describe('nasty requests', () => {
  const operationAt = (method: string, target: string) =>
    twilio.operations.find((operation) =>
      operation.routes.some((route) => {
        const pattern = `${route.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(/\{[^}]+\}/g, '[^/]+')}`
        return new RegExp(`^${pattern}$`).test(`${method} ${target}`)
      }),
    )
  const account = `/2010-04-01/Accounts/${AC}`

  test.each([
    ['GET', `${account}.json`],
    ['GET', '/2010-04-01/Accounts.json'],
    ['POST', '/2010-04-01/Accounts.json'],
    ['POST', `${account}.json`],
    ['POST', 'accounts.twilio.com/v1/AuthTokens/Secondary'],
    ['POST', 'accounts.twilio.com/v1/AuthTokens/Promote'],
    ['POST', 'iam.twilio.com/v1/Keys'],
    ['POST', `${account}/Keys.json`],
    ['GET', `${account}/Keys/SK1.json`],
    ['POST', `${account}/SigningKeys.json`],
    ['POST', `${account}/Tokens.json`],
  ])('%s %s is never allowed', (method, target) => {
    const operation = operationAt(method, target)
    expect([operation?.never === undefined, operation?.effect]).toEqual([false, 'credential'])
  })

  test.each([
    ['POST', `${account}/Messages`],
    ['POST', `${account}/Messages.xml`],
    ['POST', `${account}/Messages.csv`],
    ['GET', `${account}/Recordings/RE1.mp3`],
    ['POST', 'api.twilio.com/2010-04-01/Accounts.json'],
    ['POST', 'verify.twilio.com/v9/Services'],
  ])('%s %s is no operation', (method, target) => {
    expect(operationAt(method, target)).toBeUndefined()
  })

  test('a recipient given twice has two readings', () => {
    expect(
      parseForm(`To=%2B14155550100&To=%2B88213300655&From=%2B14155550111&Body=x`, operationOn(MESSAGES).repeats),
    ).toMatchObject({ code: 'request_ambiguous' })
  })

  test('a call that looks domestic, unlimited and remote-controlled has no price and shows its URL', () => {
    const call = explain(CALLS, { To: '+12684641234', From: FROM, Url: 'https://evil.example/twiml' })
    expect([quoteOf(call), call.subjects.urls, call.set]).toEqual([
      'unpriceable',
      ['https://evil.example/twiml'],
      { TimeLimit: '600' },
    ])
  })

  test('a live call is not hijacked by an update', () => {
    const update = explain('POST /2010-04-01/Accounts/{AccountSid}/Calls/{Sid}.json', {
      Twiml: '<Response><Dial><Number>+88213300655</Number></Dial></Response>',
    })
    expect([update.effects, quoteOf(update)]).toEqual([['routing', 'spend'], 'unpriceable'])
  })
})

describe('custody', () => {
  const parts = { account_sid: AC, api_key_sid: `SK${'c'.repeat(32)}`, api_key_secret: 'a-real-secret-1234' }

  test.each<[string, Parameters<typeof twilio.present>[0], ReturnType<typeof twilio.present>]>([
    [
      'account and vault key',
      { scheme: 'basic', user: AC, password: 'vault_live_x' },
      { kind: 'vault', key: 'vault_live_x', account: AC },
    ],
    [
      'public id and vault key with a run',
      { scheme: 'basic', user: `SK${'AB'.repeat(16)}`, password: 'vault_test_x.run_1' },
      { kind: 'vault', key: 'vault_test_x.run_1', publicId: 'ab'.repeat(16) },
    ],
    ['an auth token', { scheme: 'basic', user: AC, password: 'd'.repeat(32) }, { kind: 'real' }],
    ['an API key', { scheme: 'basic', user: parts.api_key_sid, password: 'secret' }, { kind: 'real' }],
    ['no password', { scheme: 'basic', user: AC, password: '' }, { kind: 'real' }],
    ['another vendor’s user name', { scheme: 'basic', user: 'sk_live_x', password: '' }, null],
    ['a bare vault key', { scheme: 'bearer', token: 'vault_live_x' }, null],
  ])('reads %s', (_name, auth, expected) => {
    expect(twilio.present(auth)).toEqual(expected)
  })

  test('shows a vault key as a triple that Twilio’s clients take', () => {
    expect(twilio.presentations('vault_live_x', 'ab'.repeat(16), AC)).toEqual({
      account_sid: AC,
      api_key_sid: `SK${'ab'.repeat(16)}`,
      api_key_secret: 'vault_live_x',
    })
  })

  test('takes an API key or an auth token, and nothing between', () => {
    expect(twilio.credential(parts)).toEqual({ account: AC, test: false, last4: '1234' })
    expect(twilio.credential({ account_sid: AC, auth_token: 'f'.repeat(32) })).toEqual({
      account: AC,
      test: false,
      last4: 'ffff',
    })
    for (const bad of [
      {},
      { account_sid: AC },
      { ...parts, auth_token: 'f'.repeat(32) },
      { ...parts, region: 'ie1' },
      { ...parts, account_sid: 'AC1' },
      { ...parts, api_key_sid: AC },
      { ...parts, api_key_secret: 'short' },
      { ...parts, api_key_secret: 'has:a-colon-inside' },
      { ...parts, api_key_secret: 'line\nbreak-inside' },
      { ...parts, api_key_secret: 'vault_live_abcdefgh' },
    ])
      expect(twilio.credential(bad as Record<string, string>)).toEqual(expect.any(String))
  })

  test('never repeats the secret in a fault', () => {
    expect(twilio.credential({ account_sid: AC, auth_token: 'tiny:42' })).not.toContain('tiny:42')
  })

  test('authorises with Basic and names what must not leak', () => {
    const encoded = Buffer.from(`${parts.api_key_sid}:a-real-secret-1234`).toString('base64')
    expect(twilio.authorize(parts)).toBe(`Basic ${encoded}`)
    expect(twilio.secrets(parts)).toEqual(['a-real-secret-1234', encoded])
    expect(twilio.authorize({ account_sid: AC, auth_token: 'tokentoken' })).toBe(
      `Basic ${Buffer.from(`${AC}:tokentoken`).toString('base64')}`,
    )
  })
})

describe('a refusal', () => {
  const denial = (code: DenialCode, over: Partial<Denial> = {}): Denial => ({
    code,
    message: 'Why. Do not retry.',
    rule: 'r',
    ...over,
  })

  test('has Twilio’s shape', () => {
    expect(twilio.refuse(denial('daily_cap_exceeded'))).toEqual({
      status: 403,
      headers: {},
      body: {
        code: 20403,
        message: 'daily_cap_exceeded: Why. Do not retry.',
        more_info: '/docs/denials#daily_cap_exceeded',
        status: 403,
        details: { code: 'daily_cap_exceeded' },
      },
    })
  })

  test.each<[DenialCode, number, number]>([
    ['key_unknown', 401, 20003],
    ['real_key_presented', 401, 20003],
    ['rate_limited', 403, 20403],
    ['body_too_large', 413, 20413],
    ['overloaded', 503, 20503],
    ['upstream_unavailable', 502, 20502],
    ['upstream_timeout', 504, 20504],
    ['amount_unknown', 403, 20403],
  ])('%s has status %i and number %i', (code, status, number) => {
    const refusal = twilio.refuse(denial(code))
    expect([refusal.status, refusal.body.status, refusal.body.code]).toEqual([status, status, number])
  })

  test('for the rate says when to come back, and is no 429', () => {
    expect(twilio.refuse(denial('rate_limited', { retryAfterS: 11.2 }))).toMatchObject({
      status: 403,
      headers: { 'retry-after': '12' },
    })
  })
})

test('an error of Twilio’s releases the money only when it says that nothing was done', () => {
  for (const status of [400, 401, 403, 404, 422, 429]) expect(twilio.verdict(status)).toBe('released')
  for (const status of [301, 302, 405, 408, 409, 500, 502, 503, 504]) expect(twilio.verdict(status)).toBe('assumed')
})

test('root paths and idempotency are as Twilio has them', () => {
  expect([
    twilio.ownsRoot('/2010-04-01/Accounts.json'),
    twilio.ownsRoot('/v1/charges'),
    twilio.ownsRoot('/2010-04-01x/'),
  ]).toEqual([true, false, false])
  expect(twilio.idempotent(operationOn(MESSAGES), 'POST')).toBe(false)
})
