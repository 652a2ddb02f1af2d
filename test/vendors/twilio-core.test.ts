import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { DenialCode, Effect } from '../../src/contracts/call.js'
import { formatUsd, priced, ZERO, type Rates } from '../../src/contracts/money.js'
import type { Explanation, Json, JsonObject, LookUp, Question } from '../../src/contracts/vendor.js'
import { twilio } from '../../vendors/twilio/index.js'
import { instantOf } from '../../vendors/twilio/operations/messages.js'
import {
  AC,
  ask,
  CA,
  explain,
  explainedBy,
  FROM,
  MG,
  operationOn,
  OTHER,
  quoteOf,
  SM,
  US,
  withFlat,
  type Pairs,
} from './twilio-ask.js'

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'
const PN = `PN${'4'.repeat(32)}`
const NOW = Date.parse('2026-11-20T12:00:00Z')

const perMonthOf = ({ commits }: Explanation): string | null => (commits ? formatUsd(commits.perMonth) : null)
const withJson = (json: Json, over: Partial<Question> = {}): Partial<Question> => ({ json, ...over })
const outcomeOf = (route: string, reply: JsonObject, pairs: Pairs = {}, over: Partial<Question> = {}) => {
  const question = ask(route, pairs, over)
  return operationOn(route).outcome!(reply, question, operationOn(route).explain?.(question) as Explanation)
}
const whyOf = (explanation: Explanation): string =>
  explanation.quote.basis === 'unpriceable' ? explanation.quote.why : `not refused: ${quoteOf(explanation)}`

describe('what is still to come', () => {
  const MESSAGES = `POST ${ACCOUNT}/Messages.json`
  const later = { To: US, MessagingServiceSid: MG, Body: 'x', ScheduleType: 'fixed', SendAt: '2026-12-20T10:00:00Z' }

  test('a message with a time to send falls due then', () => {
    expect(explain(MESSAGES, later).commits).toEqual({
      kind: 'scheduled',
      perMonth: ZERO,
      dueAt: Date.parse('2026-12-20T10:00:00Z'),
      quantity: 1n,
    })
    expect(outcomeOf(MESSAGES, { sid: SM, status: 'scheduled' }, later)).toMatchObject({ object: SM })
  })

  test('without a messaging service it is sent at once and nothing is to come', () => {
    const { MessagingServiceSid: _, ...now } = { ...later, From: FROM }
    expect(explain(MESSAGES, now).commits).toBeUndefined()
  })

  test('a message sent at once although it named a time leaves nothing behind', () => {
    expect(outcomeOf(MESSAGES, { sid: SM, status: 'accepted' }, later)).toMatchObject({ commitment: SM, ends: SM })
  })

  test.each<[string, number | null]>([
    ['2026-12-20T10:00:00Z', Date.UTC(2026, 11, 20, 10)],
    ['2026-12-20T10:00:00.5Z', Date.UTC(2026, 11, 20, 10, 0, 0, 500)],
    ['2026-12-20T10:00:00.123456Z', Date.UTC(2026, 11, 20, 10, 0, 0, 123)],
    ['2026-12-20T10:00:00+01:00', Date.UTC(2026, 11, 20, 9)],
    ['2026-02-28T23:59:59-05:00', Date.UTC(2026, 2, 1, 4, 59, 59)],
    ['2026-12-20T10:00:00', null],
    ['2026-12-20', null],
    ['2026-06-31T10:00:00Z', null],
    ['2026-12-20T24:00:00Z', null],
    ['2026-12-20T10:00:00+99:00', null],
    ['1797760800', null],
    ['Sun, 20 Dec 2026 10:00:00 GMT', null],
    ['2026-12-20T10:00:00Z ', null],
  ])('%s is the instant %s', (text, expected) => {
    expect(instantOf(text)).toBe(expected)
  })

  test('a call is over when its time limit is, and sooner for whoever sees its end', () => {
    const route = `POST ${ACCOUNT}/Calls.json`
    const call = { To: US, From: FROM, Url: 'https://acme.com/twiml', TimeLimit: '60' }
    expect(explain(route, call, { nowMs: NOW }).commits).toMatchObject({ kind: 'scheduled', dueAt: NOW + 660_000 })
    expect(outcomeOf(route, { sid: CA, status: 'queued' }, call)).toEqual({ commitment: CA, estimate: CA })
    // What recording costs is not in the price Twilio names later, so the ceiling stays.
    expect(outcomeOf(route, { sid: CA }, { ...call, Record: 'true' })).toEqual({ commitment: CA, made: CA })
    expect(outcomeOf(`GET ${ACCOUNT}/Calls/{Sid}.json`, { sid: CA, status: 'completed' })).toEqual({ ends: CA })
    expect(outcomeOf(`GET ${ACCOUNT}/Calls/{Sid}.json`, { sid: CA, status: 'in-progress' })).toEqual({})
  })

  test.each([
    ['messages.create', SM, `/2010-04-01/Accounts/${AC}/Messages/${SM}.json`, [['Status', 'canceled']]],
    ['calls.create', CA, `/2010-04-01/Accounts/${AC}/Calls/${CA}.json`, [['Status', 'completed']]],
    ['conferences.participants.create', CA, `/2010-04-01/Accounts/${AC}/Calls/${CA}.json`, [['Status', 'completed']]],
  ])('%s is taken back', (operation, object, path, params) => {
    // A call may have lasted a while before it is hung up; a message has not been sent.
    const keepsCounted = operation === 'messages.create' ? {} : { keepsCounted: true }
    expect(twilio.takeBack!({ operation, object, account: AC })).toEqual({
      method: 'POST',
      path,
      params,
      ...keepsCounted,
    })
    expect(twilio.operations.map(({ id }) => id)).toContain(operation)
  })

  test('a rented number is not given up by itself, and no id leads elsewhere', () => {
    expect(twilio.takeBack!({ operation: 'numbers.rent', object: PN, account: AC })).toBeNull()
    expect(twilio.takeBack!({ operation: 'calls.create', object: '../../x', account: AC })).toBeNull()
  })
})

describe('a conference participant', () => {
  const route = `POST ${ACCOUNT}/Conferences/{ConferenceSid}/Participants.json`
  const added = { To: US, From: FROM }
  const flat = withFlat({ 'voice.conference': '0.0018', 'voice.recording': '0.0025' })

  test.each<[string, Record<string, string>, string]>([
    // 10 × (0.014 + 0.0018) × 1.15
    ['ten minutes of a call and of the conference', added, 'ceiling 0.1817'],
    ['at most four hours', { ...added, TimeLimit: '999999' }, 'ceiling 4.3608'],
    ['recorded', { ...added, TimeLimit: '60', Record: 'true' }, 'ceiling 0.021045'],
    ['with the conference recorded', { ...added, ConferenceRecord: 'true' }, 'unpriceable'],
    ['in Antigua', { ...added, To: '+12684641234' }, 'unpriceable'],
    ['on a satellite phone', { ...added, To: '+881612345678' }, 'unpriceable'],
    ['over a carrier of one’s own', { ...added, Byoc: 'BY1' }, 'unpriceable'],
  ])('%s', (_name, pairs, expected) => {
    expect(quoteOf(explain(route, pairs, flat))).toBe(expected)
  })

  test('has no price until the operator lists the conference’s minutes', () => {
    expect(whyOf(explain(route, added))).toBe('No price for voice.conference.')
  })

  test('is called: recipients, callers, callbacks and a time limit', () => {
    const call = explain(route, { ...added, CallerId: '+14155550113', WaitUrl: 'https://w.acme.com/' }, flat)
    expect(call.subjects).toEqual({
      recipients: [US],
      senders: [FROM, '+14155550113'],
      urls: ['https://w.acme.com/'],
    })
    expect(call.set).toEqual({ TimeLimit: '600' })
    expect(outcomeOf(route, { call_sid: CA }, added, flat)).toEqual({ commitment: CA, made: CA })
  })

  test('who listens in, or brings orders, is routing', () => {
    expect(explain(route, { ...added, Coaching: 'true', CallSidToCoach: CA }, flat).effects).toEqual(['routing'])
    const update = `POST ${ACCOUNT}/Conferences/{ConferenceSid}/Participants/{CallSid}.json`
    expect(explain(update, { Muted: 'true' }).effects).toEqual([])
    for (const pairs of [{ HoldUrl: 'https://acme.com/' }, { Coaching: 'true' }, { CallSidToCoach: CA }])
      expect(explain(update, pairs as Pairs).effects).toEqual(['routing'])
  })
})

describe('what runs beside a live call', () => {
  const CALL = `POST ${ACCOUNT}/Calls/{CallSid}`

  test.each<[string, string, readonly Effect[]]>([
    ['Recordings', 'voice.recording', []],
    ['Transcriptions', 'voice.transcription', ['routing']],
    ['Streams', 'voice.stream', ['routing']],
    ['Siprec', 'voice.siprec', ['routing']],
  ])('%s count for the longest call there is, or have no price', (what, name, effects) => {
    expect(whyOf(explain(`${CALL}/${what}.json`))).toBe(`No price for ${name}.`)
    const counted = explain(`${CALL}/${what}.json`, {}, withFlat({ [name]: '0.001' }))
    expect([quoteOf(counted), counted.effects]).toEqual(['ceiling 1.656', effects])
  })

  test('a stream shows where the words go', () => {
    expect(explain(`${CALL}/Streams.json`, { Url: 'wss://evil.example/a' }).subjects.urls).toEqual([
      'wss://evil.example/a',
    ])
  })

  test.each<[string, Record<string, string>, string, readonly Effect[] | undefined]>([
    ['stopping a recording', { Status: 'stopped' }, 'free', undefined],
    ['going on with it', { Status: 'in-progress' }, 'unpriceable', ['spend']],
  ])('%s', (_name, pairs, expected, effects) => {
    for (const route of [
      `${CALL}/Recordings/{Sid}.json`,
      `POST ${ACCOUNT}/Conferences/{ConferenceSid}/Recordings/{Sid}.json`,
    ]) {
      const explanation = explain(route, pairs)
      expect([quoteOf(explanation), explanation.effects]).toEqual([expected, effects])
    }
  })

  test('the call’s parties are looked up where a policy restricts them', () => {
    const restricted = { restricted: { customers: false, recipients: true, senders: false } }
    const path = { AccountSid: AC, CallSid: CA, Sid: 'RE1' }
    const asked = explainedBy(`${CALL}/Recordings/{Sid}.json`, { Status: 'in-progress' }, { ...restricted, path })
    expect((asked as LookUp).lookUp.path).toBe(`/2010-04-01/Accounts/${AC}/Calls/${CA}.json`)
    expect((asked as LookUp).then({ to: US, from: FROM, direction: 'outbound-api' })).toMatchObject({
      effects: ['spend'],
      subjects: { recipients: [US], senders: [FROM] },
    })
  })

  test.each<[string, JsonObject | null, string]>([
    ['61 seconds are two minutes', { duration: '61', status: 'completed' }, 'ceiling 0.023'],
    ['no second is one minute', { duration: '0', status: 'completed' }, 'ceiling 0.0115'],
    ['a recording that goes on', { duration: '61', status: 'processing' }, 'unpriceable'],
    ['a recording without a length', { status: 'completed' }, 'unpriceable'],
    ['a recording that is none', null, 'unpriceable'],
  ])('a transcription is priced by its recording: %s', (_name, recording, expected) => {
    const over = { ...withFlat({ 'voice.transcription': '0.01' }), json: { sourceId: `RE${'5'.repeat(32)}` } }
    const asked = explainedBy('POST voice.twilio.com/v3/Transcriptions', {}, over) as LookUp
    expect(asked.lookUp.path).toBe(`/2010-04-01/Accounts/${AC}/Recordings/RE${'5'.repeat(32)}.json`)
    expect(quoteOf(asked.then(recording) as Explanation)).toBe(expected)
  })

  test('a transcription of a file elsewhere has no price', () => {
    const json = { sourceId: `RE${'5'.repeat(32)}`, mediaUrl: 'https://m.acme.com/a' }
    const explanation = explain('POST voice.twilio.com/v3/Transcriptions', {}, { json })
    expect([quoteOf(explanation), explanation.subjects.urls]).toEqual(['unpriceable', ['https://m.acme.com/a']])
  })
})

describe('a payment over the telephone', () => {
  const route = `POST ${ACCOUNT}/Calls/{CallSid}/Payments.json`
  const rates: Rates = {
    convert: (minor, exponent, currency) =>
      exponent === 0 && currency === 'usd'
        ? { reserve: priced(minor, '1'), settle: priced(minor, '1') }
        : exponent === 0 && currency === 'eur'
          ? { reserve: priced(minor, '1.2'), settle: priced(minor, '1.1') }
          : null,
    why: (currency) => `No rate for ${currency}.`,
  }
  const over = { ...withFlat({ 'voice.pay': '0.10' }), rates }
  const payment = { IdempotencyKey: 'a', ChargeAmount: '12.50', PaymentConnector: 'Default' }

  test('charges the caller: money in, to a processor, with Twilio’s fee', () => {
    const explanation = explain(route, payment, over)
    expect(explanation).toMatchObject({
      direction: 'in',
      subjects: { currencies: ['usd'], beneficiaries: ['Default'] },
    })
    expect(quoteOf(explanation)).toBe('ceiling 12.615')
  })

  test('in another currency reserves with the haircut and settles without', () => {
    const explanation = explain(route, { ...payment, Currency: 'EUR' }, over)
    expect([quoteOf(explanation), formatUsd(explanation.settle!)]).toEqual(['ceiling 15.115', '13.865'])
  })

  test.each<[string, Record<string, string>, Partial<Question>]>([
    ['no processor', { IdempotencyKey: 'a', ChargeAmount: '1' }, over],
    ['no amount', { IdempotencyKey: 'a', PaymentConnector: 'x' }, over],
    ['no rate', { ...payment, Currency: 'jpy' }, over],
    ['no fee in the table', payment, { rates }],
  ])('has no price: %s', (_name, pairs, question) => {
    expect(quoteOf(explain(route, pairs, question))).toBe('unpriceable')
  })

  test.each(['1e3', '-1', '01', '1,50', '.5', '1.00000'])('is refused with an amount of %s', (ChargeAmount) => {
    expect(explain(route, { ...payment, ChargeAmount }, over).refuse?.code).toBe('request_malformed')
  })

  test('is completed for an amount nobody can look up, and given up for nothing', () => {
    const update = `POST ${ACCOUNT}/Calls/{CallSid}/Payments/{Sid}.json`
    expect(quoteOf(explain(update, { IdempotencyKey: 'b', Status: 'complete' }))).toBe('unpriceable')
    expect(explain(update, { IdempotencyKey: 'b', Status: 'cancel' }).quote).toEqual({
      basis: 'free',
      why: expect.any(String),
    })
    expect(explain(update, { Status: 'cancel', Capture: 'postal-code' }).refuse?.code).toBe('request_ambiguous')
    expect(explain(update, { Status: 'Complete' }).refuse?.code).toBe('request_malformed')
  })
})

describe('a code that proves a caller', () => {
  const classic = `POST ${ACCOUNT}/OutgoingCallerIds.json`
  const voice = 'POST numbers.twilio.com/v1/CallerIds/VoiceVerifications'
  const sms = 'POST numbers.twilio.com/v1/CallerIds/SmsVerifications'

  test.each<[string, string, Pairs, Json | undefined, string]>([
    ['a call of ten minutes', classic, { PhoneNumber: US }, undefined, 'ceiling 0.161'],
    ['the same in the newer product', voice, {}, { phoneNumber: US }, 'ceiling 0.161'],
    ['a text', sms, {}, { to: US }, 'ceiling 0.016675'],
    ['a country without a row', classic, { PhoneNumber: '+37259123456' }, undefined, 'unpriceable'],
  ])('%s', (_name, route, pairs, json, expected) => {
    const explanation = explain(route, pairs, { json })
    expect([quoteOf(explanation), explanation.effects]).toEqual([expected, ['credential']])
  })

  test('names whom it rings', () => {
    expect(explain(classic, { PhoneNumber: US }).subjects.recipients).toEqual([US])
    expect(explain(voice, {}, { json: { phone_number: US } }).subjects.recipients).toEqual([US])
  })

  test.each<[string, string, Pairs, Json | undefined]>([
    ['nobody', classic, {}, undefined],
    ['a national number', classic, { PhoneNumber: '4155550100' }, undefined],
    ['two spellings', voice, {}, { phoneNumber: US, phone_number: '+88213300655' }],
    ['two names', voice, {}, { to: US, phoneNumber: '+88213300655' }],
    ['a list', sms, {}, { to: [US] }],
  ])('is refused for %s', (_name, route, pairs, json) => {
    expect(explain(route, pairs, { json }).refuse?.code).toBe('request_malformed')
  })
})

describe('a number', () => {
  const rent = `POST ${ACCOUNT}/IncomingPhoneNumbers.json`

  test.each<[string, Record<string, string>, string, string | null]>([
    ['local: 1.15 × 1.15', { PhoneNumber: US }, 'ceiling 1.3225', '1.3225'],
    ['toll-free: 2.15 × 1.15', { PhoneNumber: '+18885550100' }, 'ceiling 2.4725', '2.4725'],
    ['by area code', { AreaCode: '415' }, 'ceiling 1.3225', '1.3225'],
    ['by a toll-free area code', { AreaCode: '888' }, 'ceiling 2.4725', '2.4725'],
    ['in Canada', { AreaCode: '416' }, 'unpriceable', null],
    ['in Jamaica', { AreaCode: '876' }, 'unpriceable', null],
    ['in no country', { AreaCode: '999' }, 'unpriceable', null],
    ['in Great Britain', { PhoneNumber: '+447400123456' }, 'unpriceable', null],
    ['with a look-up for every caller', { PhoneNumber: US, VoiceCallerIdLookup: 'true' }, 'unpriceable', null],
    ['with emergency calling', { PhoneNumber: US, EmergencyStatus: 'Active' }, 'unpriceable', null],
  ])('is rented %s', (_name, pairs, expected, perMonth) => {
    const explanation = explain(rent, pairs)
    expect([quoteOf(explanation), perMonthOf(explanation)]).toEqual([expected, perMonth])
  })

  test('recurs until it is released, by its id', () => {
    expect(explain(rent, { PhoneNumber: US }).commits).toMatchObject({ kind: 'recurring', dueAt: null, quantity: 1n })
    expect(outcomeOf(rent, { sid: PN }, { PhoneNumber: US })).toEqual({ commitment: PN })
    expect(
      outcomeOf(`DELETE ${ACCOUNT}/IncomingPhoneNumbers/{Sid}.json`, {}, {}, { path: { AccountSid: AC, Sid: PN } }),
    ).toEqual({ ends: PN })
  })

  test('a price that is missing is named', () => {
    expect(whyOf(explain(rent, { PhoneNumber: '+447400123456' }))).toBe('No price for number.GB.mobile.')
    expect(whyOf(explain(rent, { AreaCode: '416' }))).toBe('No price for number.CA.local.')
  })

  test.each<[string, Record<string, string>, DenialCode]>([
    ['nothing', {}, 'request_malformed'],
    ['both', { PhoneNumber: US, AreaCode: '415' }, 'request_ambiguous'],
    ['a national number', { PhoneNumber: '4155550100' }, 'request_malformed'],
    ['a longer area code', { AreaCode: '4155' }, 'request_malformed'],
    ['a callback without a certain host', { PhoneNumber: US, SmsUrl: '//evil.example' }, 'request_malformed'],
  ])('is refused for %s', (_name, pairs, code) => {
    expect(explain(rent, pairs).refuse?.code).toBe(code)
  })

  test('that leads somewhere is routing as well, and an application’s addresses are not seen', () => {
    const led = explain(rent, { PhoneNumber: US, SmsUrl: 'https://sms.acme.com/' })
    expect([led.effects, led.subjects.urls]).toEqual([['routing'], ['https://sms.acme.com/']])
    expect(explain(rent, { PhoneNumber: US, VoiceApplicationSid: 'AP1' }).subjects.urls).toBeNull()
    expect(explain(rent, { PhoneNumber: US, FriendlyName: 'x' }).effects).toEqual([])
  })

  test('changed is routing; given to another account it is gone', () => {
    const update = `POST ${ACCOUNT}/IncomingPhoneNumbers/{Sid}.json`
    expect(operationOn(update).effect).toBe('routing')
    expect(explain(update, { AccountSid: AC, SmsUrl: 'https://evil.example/' })).toMatchObject({
      effects: [],
      subjects: { urls: ['https://evil.example/'] },
    })
    expect(explain(update, { AccountSid: OTHER }).effects).toEqual(['destructive'])
    expect(twilio.common!(ask(update, { AccountSid: OTHER })).subjects.accounts).toEqual([OTHER])
    expect(quoteOf(explain(update, { VoiceCallerIdLookup: 'TRUE' }))).toBe('unpriceable')
  })

  test('ported in is rented, each of them, once the fee is listed', () => {
    const port = 'POST numbers.twilio.com/v1/Porting/PortIn'
    const json = { phone_numbers: [{ phone_number: US, pin: '1' }, { phone_number: '+18885550100' }] }
    expect(whyOf(explain(port, {}, { json }))).toBe('No price for number.US.port_in.')
    const ported = explain(port, {}, { ...withFlat({ 'number.US.port_in': '5' }), json })
    // (1.15 + 2.15 + 2 × 5) × 1.15
    expect([quoteOf(ported), perMonthOf(ported), ported.commits?.quantity]).toEqual(['ceiling 15.295', '3.795', 2n])
    expect(explain(port, {}, { json: { phone_numbers: [], phoneNumbers: [] } }).refuse?.code).toBe('request_malformed')
  })

  test('of few digits costs a thousand dollars a month', () => {
    const code = 'POST numbers.twilio.com/v2/ShortCodes/Applications'
    const asked = explain(code, {}, withJson({ friendly_name: 'x', iso_country: 'US', setup: { charges_apply: true } }))
    expect([quoteOf(asked), perMonthOf(asked)]).toEqual(['ceiling 1150.00', '1150.00'])
    expect(quoteOf(explain(code, {}, withJson({ iso_country: 'GB' })))).toBe('unpriceable')
    expect(explain(code, {}, withJson({ iso_country: 'us' })).refuse?.code).toBe('request_malformed')
  })

  test('of another carrier’s is called, rented and leads here', () => {
    const hosted = 'POST numbers.twilio.com/v2/HostedNumber/Orders'
    const pairs = { PhoneNumber: US, SmsUrl: 'https://acme.com/' }
    expect(whyOf(explain(hosted, pairs))).toBe('No price for number.hosted.')
    const order = explain(hosted, pairs, withFlat({ 'number.hosted': '1' }))
    expect([quoteOf(order), perMonthOf(order), order.effects, order.subjects.recipients]).toEqual([
      'ceiling 1.311',
      '1.15',
      ['routing'],
      [US],
    ])
    const twice = { PhoneNumber: US, phoneNumber: '+88213300655' }
    expect(explain('POST numbers.twilio.com/v3/HostedNumbers/HostedNumberOrders', twice).refuse?.code).toBe(
      'request_ambiguous',
    )
  })
})

describe('a number look-up', () => {
  const v1 = 'GET lookups.twilio.com/v1/PhoneNumbers/{PhoneNumber}'
  const batch = 'POST lookups.twilio.com/v2/batch/query'

  test('of the first version is priced by type and add-on', () => {
    expect(quoteOf(explain(v1))).toBe('free')
    const both: Pairs = [
      ['Type', 'carrier'],
      ['Type', 'caller-name'],
    ]
    expect(quoteOf(explain(v1, both))).toBe('unpriceable')
    expect(
      quoteOf(explain(v1, both, withFlat({ 'lookup.v1.carrier': '0.005', 'lookup.v1.caller_name': '0.01' }))),
    ).toBe('exact 0.01725')
    expect(whyOf(explain(v1, { AddOns: 'acme_spam' }))).toBe('No price for lookup.addon.acme_spam.')
  })

  test('concerns the number it asks about', () => {
    expect(explain(v1).subjects.recipients).toEqual([US])
    expect(explain('GET lookups.twilio.com/v2/PhoneNumbers/{PhoneNumber}').subjects.recipients).toEqual([US])
    expect(
      explain('GET lookups.twilio.com/v2/PhoneNumbers/{PhoneNumber}/Overrides/{Field}').subjects.recipients,
    ).toEqual([US])
  })

  test.each<[string, Json, string]>([
    // (0.01 + 0.10 + 0.01) × 1.15
    [
      'in bulk costs every field of every number',
      [
        { phone_number: US, fields: ['caller_name', 'identity_match'] },
        { phone_number: FROM, fields: ['caller_name'] },
      ],
      'exact 0.138',
    ],
    ['with a field that is not listed', [{ phone_number: US, fields: ['caller_name', 'sim_swap'] }], 'unpriceable'],
    ['without fields is free', [{ phone_number: US }], 'free'],
  ])('%s', (_name, list, expected) => {
    expect(quoteOf(explain(batch, {}, withJson({ phone_numbers: list })))).toBe(expected)
  })

  test('in bulk names every number, and says why it is free', () => {
    const free = explain(batch, {}, withJson({ phone_numbers: [{ phone_number: US }, { phoneNumber: FROM }] }))
    expect([free.subjects.recipients, free.quote]).toEqual([[US, FROM], { basis: 'free', why: expect.any(String) }])
  })

  test.each<[string, Json]>([
    ['no list', { phone_numbers: { phone_number: US } }],
    ['two lists', { phone_numbers: [{ phone_number: US }], phoneNumbers: [{ phone_number: US }] }],
    ['an empty list', { phone_numbers: [] }],
    ['no number', { phone_numbers: [{ fields: ['caller_name'] }] }],
    ['two numbers in one element', { phone_numbers: [{ phone_number: US, phoneNumber: FROM }] }],
    ['fields of no kind', { phone_numbers: [{ phone_number: US, fields: null }] }],
    ['fields as a text', { phone_numbers: [{ phone_number: US, fields: 'caller_name' }] }],
    ['something unknown', { phone_numbers: [{ phone_number: US, Fields: ['caller_name'] }] }],
  ])('in bulk is refused with %s', (_name, json) => {
    expect(explain(batch, {}, { json }).refuse?.code).toBe('request_malformed')
  })
})

describe('a notification to many', () => {
  const route = 'POST notify.twilio.com/v1/Services/{ServiceSid}/Notifications'
  const sms = (address: string): string => JSON.stringify({ binding_type: 'sms', address })
  const send = (...bindings: string[]): Pairs => [
    ['Body', 'hi'],
    ...bindings.map((binding) => ['ToBinding', binding] as const),
  ]

  test('costs every text, and names whom each reaches', () => {
    const explanation = explain(route, send(sms(US), sms(FROM)))
    expect([quoteOf(explanation), explanation.subjects.recipients]).toEqual(['ceiling 0.03335', [US, FROM]])
  })

  test('has no price with one recipient that has none', () => {
    expect(quoteOf(explain(route, send(sms(US), sms('+18765550100'))))).toBe('unpriceable')
    expect(whyOf(explain(route, send('{"binding_type":"apn","address":"abc"}')))).toBe('No price for notify.push.')
  })

  test.each(['Identity', 'Tag', 'Segment', 'Sms', 'FacebookMessenger', 'Alexa'])(
    'has no price with %s, and nobody knows whom it reaches',
    (name) => {
      const explanation = explain(route, [...(send(sms(US)) as [string, string][]), [name, 'all']])
      expect([quoteOf(explanation), explanation.subjects.recipients]).toEqual(['unpriceable', null])
    },
  )

  test.each([
    'all',
    '{"binding_type":"sms"}',
    '{"binding_type":"sms","address":"4155550100"}',
    `{"binding_type":"sms","address":"${US}","address":"+88213300655"}`,
    `{"binding_type":"sms","address":"${US}","\\u0061ddress":"+88213300655"}`,
    `{"binding_type":"sms","address":"${US}","Address":"x"}`,
    `{"binding_type":"SMS","address":"${US}"}`,
    `[${sms(US)}]`,
  ])('is refused for %s', (binding) => {
    expect(explain(route, send(binding)).refuse?.code).toBe('request_malformed')
  })

  test('to nobody is refused', () => {
    expect(explain(route, { Body: 'x' }).refuse?.code).toBe('request_malformed')
  })
})

describe('carriers’ registrations', () => {
  const brands = 'POST messaging.twilio.com/v1/a2p/BrandRegistrations'
  const campaigns = 'POST messaging.twilio.com/v1/Services/{MessagingServiceSid}/Compliance/Usa2p'

  test.each<[string, string, Record<string, string>, string]>([
    ['a brand and its vetting: (4.50 + 41.50) × 1.15', brands, {}, 'ceiling 52.90'],
    ['a brand without vetting', brands, { SkipAutomaticSecVet: 'true' }, 'ceiling 5.175'],
    ['a sole proprietor', brands, { BrandType: 'SOLE_PROPRIETOR' }, 'ceiling 5.175'],
    ['a mock', brands, { Mock: 'true' }, 'free'],
    ['a brand handed in again', `${brands}/{Sid}`, {}, 'ceiling 5.175'],
    ['a vetting', `${brands}/{BrandSid}/Vettings`, {}, 'ceiling 47.725'],
    ['a campaign and its vetting: (10 + 15) × 1.15', campaigns, {}, 'ceiling 28.75'],
    ['a campaign changed', `${campaigns}/{Sid}`, {}, 'ceiling 28.75'],
    ['a campaign from elsewhere', 'POST messaging.twilio.com/v1/Services/PreregisteredUsa2p', {}, 'ceiling 11.50'],
    ['a code to a number that is not in the request', `${brands}/{BrandRegistrationSid}/SmsOtp`, {}, 'unpriceable'],
  ])('%s', (_name, route, pairs, expected) => {
    expect(quoteOf(explain(route, pairs))).toBe(expected)
  })

  test('a campaign recurs; changed it is the same one; deleted it ends', () => {
    const path = { MessagingServiceSid: MG, Sid: 'QE1' }
    expect(explain(campaigns).commits).toMatchObject({ kind: 'recurring', quantity: 1n })
    expect(perMonthOf(explain(campaigns))).toBe('11.50')
    expect(explain(`${campaigns}/{Sid}`, {}, { path }).commits?.object).toBe('QE1')
    expect(outcomeOf(campaigns, { sid: 'QE1' })).toEqual({ commitment: 'QE1' })
    expect(outcomeOf(`DELETE ${campaigns.slice(5)}/{Sid}`, {}, {}, { path })).toEqual({ ends: 'QE1' })
  })

  test('a flag that is none is refused', () => {
    expect(explain(brands, { Mock: 'yes' }).refuse?.code).toBe('request_malformed')
  })
})

describe('settings that cost with every later use', () => {
  test.each<[string, string, Pairs, string, readonly Effect[]]>([
    [
      'a look-up with every verification',
      'POST verify.twilio.com/v2/Services/{Sid}',
      { LookupEnabled: 'true' },
      'unpriceable',
      ['future_spend'],
    ],
    [
      'codes of the caller’s choice',
      'POST verify.twilio.com/v2/Services',
      { CustomCodeEnabled: 'true' },
      'free',
      ['credential'],
    ],
    ['a service’s name', 'POST verify.twilio.com/v2/Services/{Sid}', { FriendlyName: 'x' }, 'free', []],
    [
      'names of callers on a trunk',
      'POST trunking.twilio.com/v1/Trunks/{Sid}',
      { CnamLookupEnabled: 'true' },
      'unpriceable',
      ['future_spend'],
    ],
    [
      'emergency calls on an address',
      `POST ${ACCOUNT}/Addresses.json`,
      { EmergencyEnabled: 'true' },
      'unpriceable',
      ['future_spend'],
    ],
  ])('%s', (_name, route, pairs, expected, effects) => {
    const explanation = explain(route, pairs)
    expect([quoteOf(explanation), explanation.effects]).toEqual([expected, effects])
  })

  test.each<[string, Pairs, string]>([
    ['POST trunking.twilio.com/v1/Trunks/{TrunkSid}/Recording', { Mode: 'record-from-answer' }, 'unpriceable'],
    ['POST trunking.twilio.com/v1/Trunks/{TrunkSid}/Recording', { Mode: 'do-not-record' }, 'free'],
    ['POST insights.twilio.com/v1/Voice/Settings', { AdvancedFeatures: 'true' }, 'unpriceable'],
    ['POST insights.twilio.com/v1/Voice/Settings', { AdvancedFeatures: 'false' }, 'free'],
    ['POST insights.twilio.com/v1/Voice/Settings', { AdvancedFeatures: 'false', VoiceTrace: '1' }, 'unpriceable'],
    ['POST voice.twilio.com/v2/AccountDefaultConfiguration/Recording', {}, 'unpriceable'],
    ['PUT voice.twilio.com/v2/Configurations/{Type}/{IdOrUniqueName}', {}, 'unpriceable'],
    [`POST ${ACCOUNT}/IncomingPhoneNumbers/{ResourceSid}/AssignedAddOns.json`, {}, 'unpriceable'],
    [`POST ${ACCOUNT}/Queues/{QueueSid}/Members/{CallSid}.json`, { Url: 'https://acme.com/' }, 'unpriceable'],
    ['POST insights.twilio.com/v3/InsightsDomains/Conversations/QueryJobs', {}, 'unpriceable'],
    ['GET insights.twilio.com/v3/InsightsDomains/Conversations/Query', {}, 'unpriceable'],
    ['POST numbers.twilio.com/v1/SenderIdRegistrations', {}, 'unpriceable'],
  ])('%s with %j is %s', (route, pairs, expected) => {
    expect(quoteOf(explain(route, pairs))).toBe(expected)
  })

  test('a push, a seed or a passkey counts for its success', () => {
    const SERVICE = 'POST verify.twilio.com/v2/Services/{ServiceSid}'
    for (const what of ['Entities/{Identity}/Factors', 'Entities/{Identity}/Challenges', 'Passkeys/Challenges'])
      expect(quoteOf(explain(`${SERVICE}/${what}`))).toBe('ceiling 0.0575')
    expect(explain(`${SERVICE}/Entities/{Identity}/Factors`).effects).toEqual(['credential'])
    expect(operationOn(`${SERVICE}/Entities/{Identity}/Factors`).reveals).toEqual(['binding'])
  })
})

describe('ways past the proxy', () => {
  test.each([
    `POST ${ACCOUNT}/SIP/CredentialLists/{CredentialListSid}/Credentials.json`,
    `POST ${ACCOUNT}/SIP/IpAccessControlLists/{IpAccessControlListSid}/IpAddresses.json`,
    `POST ${ACCOUNT}/SIP/Domains/{DomainSid}/Auth/Calls/CredentialListMappings.json`,
    'POST trunking.twilio.com/v1/Trunks/{TrunkSid}/CredentialLists',
    'POST trunking.twilio.com/v1/Trunks/{TrunkSid}/IpAccessControlLists',
    'POST messaging.twilio.com/v1/LinkShortening/Domains/{DomainSid}/Certificate',
    'POST notify.twilio.com/v1/Credentials',
    'POST accounts.twilio.com/v1/Credentials/AWS',
    'POST numbers.twilio.com/v1/CallerIds/SmsVerificationChecks',
  ])('%s is a credential', (route) => {
    expect([operationOn(route).effect, operationOn(route).never]).toEqual(['credential', undefined])
  })

  test.each(['byoc', 'ip', 'source'])('a carrier of one’s own is routing and a credential (%s)', (which) => {
    const path = { byoc: 'ByocTrunks', ip: 'IpRecords', source: 'SourceIpMappings' }[which]
    const route = `POST voice.twilio.com/v1/${path}`
    expect([operationOn(route).effect, explain(route).effects]).toEqual(['routing', ['credential']])
  })

  test.each<[string, string | undefined]>([
    ['sip:pbx.acme.com', 'https://pbx.acme.com/'],
    ['sip:bob@pbx.acme.com:5061;transport=tls', 'https://pbx.acme.com:5061/'],
    ['sips:pbx.acme.com', 'https://pbx.acme.com/'],
    ['https://pbx.acme.com', undefined],
    ['sip:pbx.acme.com@evil.example', 'https://evil.example/'],
    ['sip:a@b@evil.example', undefined],
    ['sip:pbx.acme.com evil.example', undefined],
  ])('the host of %s is held against the callback hosts', (SipUrl, url) => {
    const explanation = explain('POST trunking.twilio.com/v1/Trunks/{TrunkSid}/OriginationUrls', { SipUrl })
    if (url === undefined) expect(explanation.refuse?.code).toBe('request_malformed')
    else expect(explanation.subjects.urls).toEqual([url])
  })

  test.each([
    'PATCH accounts.twilio.com/v1/Messaging/GeoPermissions',
    'POST accounts.twilio.com/v1/SafeList/Numbers',
    'POST verify.twilio.com/v2/SafeList/Numbers',
    'POST voice.twilio.com/v1/DialingPermissions/BulkCountryUpdates',
    'POST voice.twilio.com/v1/Settings',
    'POST verify.twilio.com/v2/Services/{ServiceSid}/RateLimits',
    'DELETE verify.twilio.com/v2/Services/{ServiceSid}/RateLimits/{RateLimitSid}/Buckets/{Sid}',
    'PUT lookups.twilio.com/v2/RateLimits/Fields/{Field}/Bucket/{Bucket}',
    `POST ${ACCOUNT}/Usage/Triggers.json`,
    'PUT monitor.twilio.com/v2/Alarms/{Sid}/status',
    'POST oauth.twilio.com/v2/token',
    'POST iam.twilio.com/v1/token',
    'POST iam.twilio.com/v1/Account/OAuthApps',
    'PATCH preview-iam.twilio.com/Organizations/{OrganizationSid}/scim/Users/{UserSid}',
    `GET ${ACCOUNT}/Messages/{MessageSid}/Media/{Sid}`,
  ])('%s is never allowed', (route) => {
    expect(operationOn(route).never).toMatch(/\.$/)
  })

  test('the auth token reaches no agent, whatever reply it stands in', () => {
    expect(twilio.reveals).toEqual(expect.arrayContaining(['auth_token', 'secondary_auth_token']))
  })

  test.each([
    [`GET ${ACCOUNT}/Notifications/{Sid}.json`, 'response_body'],
    [`GET ${ACCOUNT}/Calls/{CallSid}/Events.json`, 'request'],
    ['GET monitor.twilio.com/v1/Alerts/{Sid}', 'request_variables'],
    ['GET numbers.twilio.com/v1/Porting/PortIn/{PortInRequestSid}/PhoneNumber/{PhoneNumberSid}', 'port_out_pin'],
    ['POST numbers.twilio.com/v1/SenderIdRegistrations', 'sessionToken'],
    [`POST ${ACCOUNT}/OutgoingCallerIds.json`, 'validation_code'],
  ])('%s keeps %s to those who may see credentials', (route, field) => {
    expect(operationOn(route).reveals).toContain(field)
  })
})

describe('another account', () => {
  const route = 'POST numbers.twilio.com/v1/Porting/PortIn'

  test.each<[string, Pairs, Json | undefined]>([
    ['in a form', { TargetAccountSid: OTHER }, undefined],
    ['in a form, spelt otherwise', { SubaccountSid: OTHER }, undefined],
    ['under a name of its own', { FriendlyName: OTHER }, undefined],
    ['in a JSON body', {}, { account_sid: OTHER }],
    ['deep in a JSON body', {}, { filters: [{ accountSid: OTHER }] }],
    ['in a list', {}, { values: [AC, OTHER] }],
  ])('is seen %s', (_name, pairs, json) => {
    expect(twilio.common!(ask(route, pairs, { json })).subjects.accounts).toEqual([OTHER])
  })

  test('one’s own is not another, and a malformed id is', () => {
    expect(twilio.common!(ask(route, { AccountSid: AC }, { json: { account_sid: AC } })).subjects).toEqual({})
    expect(twilio.common!(ask(route, {}, { json: { account_sid: 'AC../x' } })).subjects.accounts).toEqual(['AC../x'])
  })
})

describe('reads of other people’s data', () => {
  test.each([
    `GET ${ACCOUNT}/Recordings.json`,
    `GET ${ACCOUNT}/Transcriptions/{Sid}.json`,
    `GET ${ACCOUNT}/Addresses.json`,
    `GET ${ACCOUNT}/Notifications.json`,
    'GET verify.twilio.com/v2/Attempts/{Sid}',
    'GET notify.twilio.com/v1/Services/{ServiceSid}/Bindings',
    'GET insights.twilio.com/v1/Voice/Summaries',
    'GET messaging.twilio.com/v1/Deactivations',
    'GET numbers.twilio.com/v2/RegulatoryCompliance/EndUsers',
    'GET preview-iam.twilio.com/Organizations/{OrganizationSid}/scim/Users',
    'POST insights.twilio.com/v2/Voice/Reports',
  ])('%s cannot be tied to anybody', (route) => {
    expect(operationOn(route).effect).toBe('read')
    expect(explain(route).subjects.recipients).toBeNull()
  })

  test('a list of attempts is tied to the number it filters by', () => {
    const route = 'GET verify.twilio.com/v2/Attempts'
    expect(explain(route).subjects.recipients).toBeNull()
    expect(explain(route, { 'ChannelData.To': US }).subjects.recipients).toEqual([US])
  })
})

test('a key for repetition is sent where Twilio honours one', () => {
  const honoured = (route: string) => twilio.idempotent(operationOn(route), route.split(' ')[0]!)
  expect(honoured('POST voice.twilio.com/v3/Transcriptions')).toBe(true)
  expect(honoured(`POST ${ACCOUNT}/Calls.json`)).toBe(false)
  expect(honoured('GET voice.twilio.com/v3/Transcriptions')).toBe(false)
})

describe('what Twilio’s own client sends', () => {
  const sentBy = (file: string, list: string): Set<string> => {
    const source = readFileSync(new URL(`../../node_modules/twilio/lib/rest/${file}`, import.meta.url), 'utf8')
    const body = source.slice(source.indexOf(`function ${list}`))
    const create = body.slice(body.indexOf('instance.create = '), body.indexOf('method: "post"'))
    return new Set([...create.matchAll(/data\["([A-Za-z0-9.]+)"\]/g)].map((match) => match[1]!))
  }
  const CONFERENCE_LEFT_OUT = [
    'EmergencyAddress',
    'EmergencyCallerLocation',
    'EmergencyCallerPosition',
    'EmergencyCity',
    'EmergencyCountry',
    'EmergencyName',
    'EmergencyState',
    'EmergencyZipCode',
    'Passports',
  ]

  test.each<[string, string, string, readonly string[]]>([
    [
      `POST ${ACCOUNT}/IncomingPhoneNumbers.json`,
      'api/v2010/account/incomingPhoneNumber.js',
      'IncomingPhoneNumberListInstance',
      [],
    ],
    [
      `POST ${ACCOUNT}/OutgoingCallerIds.json`,
      'api/v2010/account/validationRequest.js',
      'ValidationRequestListInstance',
      [],
    ],
    [
      `POST ${ACCOUNT}/Conferences/{ConferenceSid}/Participants.json`,
      'api/v2010/account/conference/participant.js',
      'ParticipantListInstance',
      CONFERENCE_LEFT_OUT,
    ],
    [
      `POST ${ACCOUNT}/Calls/{CallSid}/Payments.json`,
      'api/v2010/account/call/payment.js',
      'PaymentListInstance',
      ['Parameter'],
    ],
    [
      `POST ${ACCOUNT}/Calls/{CallSid}/Recordings.json`,
      'api/v2010/account/call/recording.js',
      'RecordingListInstance',
      [],
    ],
    [`POST ${ACCOUNT}/Calls/{CallSid}/Streams.json`, 'api/v2010/account/call/stream.js', 'StreamListInstance', []],
    [`POST ${ACCOUNT}/Calls/{CallSid}/Siprec.json`, 'api/v2010/account/call/siprec.js', 'SiprecListInstance', []],
    [
      `POST ${ACCOUNT}/Calls/{CallSid}/Transcriptions.json`,
      'api/v2010/account/call/transcription.js',
      'TranscriptionListInstance',
      [],
    ],
    [
      'POST notify.twilio.com/v1/Services/{ServiceSid}/Notifications',
      'notify/v1/service/notification.js',
      'NotificationListInstance',
      [],
    ],
    [
      'POST messaging.twilio.com/v1/Services/{MessagingServiceSid}/Compliance/Usa2p',
      'messaging/v1/service/usAppToPerson.js',
      'UsAppToPersonListInstance',
      [],
    ],
    [
      'POST messaging.twilio.com/v1/a2p/BrandRegistrations',
      'messaging/v1/brandRegistration.js',
      'BrandRegistrationListInstance',
      [],
    ],
    [
      'POST numbers.twilio.com/v2/HostedNumber/Orders',
      'numbers/v2/hostedNumberOrder.js',
      'HostedNumberOrderListInstance',
      [],
    ],
    [
      'POST verify.twilio.com/v2/Services/{ServiceSid}/Entities/{Identity}/Challenges',
      'verify/v2/service/entity/challenge.js',
      'ChallengeListInstance',
      [],
    ],
    [
      'POST verify.twilio.com/v2/Services/{ServiceSid}/Entities/{Identity}/Factors',
      'verify/v2/service/entity/newFactor.js',
      'NewFactorListInstance',
      [],
    ],
  ])('%s is accepted, but for what is left out on purpose', (route, file, list, leftOut) => {
    const sent = sentBy(file, list)
    expect(sent.size).toBeGreaterThan(4)
    const accepted = new Set(operationOn(route).accepts)
    expect([...sent].filter((name) => !accepted.has(name)).sort()).toEqual(leftOut)
    expect([...accepted].filter((name) => !sent.has(name) && name !== 'AccountSid')).toEqual([])
  })
})
