import { describe, expect, test } from 'vitest'
import type { DenialCode } from '../../src/contracts/call.js'
import { onStage, presented, type Attack, type VendorName } from './stage.js'

const stage = onStage()

const careful = {
  daily_cap_usd: '5.00',
  vendors: {
    twilio: {
      endpoints: { allow: ['* *'] },
      permit: [],
      recipients: ['+1415*'],
      senders: ['+14155550100'],
      max_amount_usd: '0.30',
    },
    resend: {
      endpoints: { allow: ['* *'] },
      permit: [],
      recipients: ['*@acme.com'],
      senders: ['billing@acme.com'],
      max_amount_usd: '0.50',
    },
  },
}

async function refused(vendor: VendorName, attack: Attack, code: DenialCode): Promise<void> {
  const policy = { ...careful, vendors: { [vendor]: careful.vendors[vendor as 'twilio' | 'resend'] } }
  const key = await stage.key(vendor, policy)
  const moved = stage.world[vendor].moved().length
  stage.forget()
  const reply = await stage.send({ ...attack, vendor }, presented(vendor, key))
  expect([reply.headers['x-spendgate-code'], reply.status]).toEqual([code, 403])
  expect(stage.seen().filter((request) => !request.startsWith('GET '))).toEqual([])
  expect(stage.world[vendor].moved()).toHaveLength(moved)
  expect(await stage.rows(key)).toMatchObject([{ state: 'denied', decision: { code } }])
}

describe('Twilio', () => {
  const form = (fields: Record<string, string>): string => new URLSearchParams(fields).toString().replaceAll('*', '%2A')
  const from = { From: '+14155550100' }
  const sms = { To: '+14155550101', ...from, Body: 'hi' }
  const call = { To: '+14155550101', ...from }
  const VERIFY = '/verify.twilio.com/v2/Services/VA00000000000000000000000000000000'

  test.each<[string, string, Record<string, string> | null, DenialCode]>([
    ['the account with its auth token', 'GET ~.json', null, 'operation_not_allowed'],
    ['a new subaccount', 'POST /2010-04-01/Accounts.json', { FriendlyName: 'x' }, 'operation_not_allowed'],
    ['a second auth token', 'POST /accounts.twilio.com/v1/AuthTokens/Secondary', null, 'operation_not_allowed'],
    ['a key of the newer kind', 'POST /iam.twilio.com/v1/Keys', { FriendlyName: 'x' }, 'operation_not_allowed'],
    [
      'a function that spends outside',
      'POST /serverless.twilio.com/v1/Services',
      { UniqueName: 'x' },
      'operation_unknown',
    ],
    [
      'a call with instructions from elsewhere',
      'POST ~/Calls.json',
      { ...call, Url: 'https://evil.example/twiml' },
      'url_not_allowed',
    ],
    [
      'an island that looks domestic',
      'POST ~/Calls.json',
      { ...call, To: '+12684601234', Twiml: '<Response><Say>hi</Say></Response>' },
      'recipient_not_allowed',
    ],
    [
      'dialling on from the call',
      'POST ~/Calls.json',
      { ...call, Twiml: '<Response><Dial><Number>+8825555</Number></Dial></Response>' },
      'effect_not_permitted',
    ],
    [
      'a live call taken over',
      `POST ~/Calls/CA${'a'.repeat(32)}.json`,
      { Twiml: '<Response><Dial><Number>+8825555</Number></Dial></Response>' },
      'effect_not_permitted',
    ],
    [
      'a call through a conference',
      'POST ~/Conferences/r1/Participants.json',
      { ...call, To: '+6755550100' },
      'operation_unknown',
    ],
    [
      'a call that proves a number',
      'POST ~/OutgoingCallerIds.json',
      { PhoneNumber: '+37259000000' },
      'operation_unknown',
    ],
    [
      'many recipients in one binding',
      'POST /notify.twilio.com/v1/Services/IS1/Notifications',
      { Body: 'x' },
      'operation_unknown',
    ],
    [
      'a conversation',
      'POST /conversations.twilio.com/v1/Conversations/CH1/Messages',
      { Body: 'hi' },
      'operation_unknown',
    ],
    [
      'a flow that sends',
      'POST /studio.twilio.com/v2/Flows/FW1/Executions',
      { To: '+14155550101', ...from },
      'operation_unknown',
    ],
    ['without its extension', 'POST ~/Messages', sms, 'operation_unknown'],
    ['with its extension encoded', 'POST ~/Messages%2ejson', sms, 'request_malformed'],
    ['with an empty segment', 'POST ~//Messages.json', sms, 'request_malformed'],
    ['as XML', 'POST ~/Messages.xml', sms, 'operation_unknown'],
    [
      'scheduled beyond the key',
      'POST ~/Messages.json',
      { ...sms, SendAt: '2027-01-01T00:00:00Z', ScheduleType: 'fixed' },
      'effect_not_permitted',
    ],
    [
      'scheduled without a service, which goes at once',
      'POST ~/Messages.json',
      { ...sms, ScheduleType: 'fixed' },
      'effect_not_permitted',
    ],
    ['to somebody else', 'POST ~/Messages.json', { ...sms, To: '+14165550101' }, 'recipient_not_allowed'],
    ['from somebody else', 'POST ~/Messages.json', { ...sms, From: 'BANK' }, 'sender_not_allowed'],
    [
      'through a service that chooses the sender',
      'POST ~/Messages.json',
      { To: sms.To, Body: 'hi', MessagingServiceSid: `MG${'a'.repeat(32)}` },
      'sender_not_allowed',
    ],
    ['to a number written otherwise', 'POST ~/Messages.json', { ...sms, To: '(415) 555-0101' }, 'request_malformed'],
    ['to a number with spaces', 'POST ~/Messages.json', { ...sms, To: '+1 415 555 0101' }, 'request_malformed'],
    [
      'to a number in full-width digits',
      'POST ~/Messages.json',
      { ...sms, To: '+１４１５５５５０１０１' },
      'request_malformed',
    ],
    ['to two numbers', 'POST ~/Messages.json', { ...sms, To: '+14155550101,+8825555' }, 'request_malformed'],
    [
      'with its fraud protection off',
      'POST ~/Messages.json',
      { ...sms, RiskCheck: 'disable' },
      'operation_not_allowed',
    ],
    ['a field nobody knows', 'POST ~/Messages.json', { ...sms, Tos: '+8825555' }, 'request_malformed'],
    ['a text of too many parts', 'POST ~/Messages.json', { ...sms, Body: '€'.repeat(1601) }, 'request_malformed'],
    ['a text of many parts', 'POST ~/Messages.json', { ...sms, Body: '€'.repeat(1600) }, 'amount_over_limit'],
    [
      'a list of verified numbers',
      'POST /verify.twilio.com/v2/SafeList/Numbers',
      { PhoneNumber: '+8825555' },
      'operation_unknown',
    ],
    [
      'countries opened',
      'PATCH /accounts.twilio.com/v1/Messaging/GeoPermissions',
      { CountryCode: 'XX' },
      'operation_unknown',
    ],
    [
      'a verification without its guard',
      `POST ${VERIFY}/Verifications`,
      { To: '+14155550101', Channel: 'sms', RiskCheck: 'disable' },
      'operation_not_allowed',
    ],
    [
      'a verification approved by us',
      `POST ${VERIFY}/Verifications/VE${'a'.repeat(32)}`,
      { Status: 'approved' },
      'operation_not_allowed',
    ],
    [
      'a number given away',
      `POST ~/IncomingPhoneNumbers/PN${'a'.repeat(32)}.json`,
      { AccountSid: `AC${'e'.repeat(32)}` },
      'operation_unknown',
    ],
    ['a number bought', 'POST ~/IncomingPhoneNumbers.json', { AreaCode: '415' }, 'operation_unknown'],
    [
      'a way around for calls',
      'POST ~/SIP/CredentialLists/CL1/Credentials.json',
      { Username: 'a', Password: 'b' },
      'operation_unknown',
    ],
    [
      'a live stream',
      `POST ~/Calls/CA${'a'.repeat(32)}/Streams.json`,
      { Url: 'wss://evil.example' },
      'operation_unknown',
    ],
    ['a sink of events', 'POST /events.twilio.com/v1/Sinks', { SinkType: 'webhook' }, 'operation_unknown'],
    ['evidence deleted', `DELETE ~/Messages/SM${'a'.repeat(32)}.json`, null, 'effect_not_permitted'],
    [
      'a look-up of unknown price',
      'GET /lookups.twilio.com/v2/PhoneNumbers/+14155550101?Fields=sim_swap',
      null,
      'amount_unknown',
    ],
    [
      'the same field twice in one look-up',
      'GET /lookups.twilio.com/v2/PhoneNumbers/+14155550101?Fields=caller_name,caller_name',
      null,
      'request_ambiguous',
    ],
  ])('%s', async (_, route, fields, code) => {
    const [method, path] = route.replace('~', `/2010-04-01/Accounts/${stage.world.twilio.accountSid}`).split(' ') as [
      string,
      string,
    ]
    await refused('twilio', { line: `${method} /twilio${path}`, ...(fields ? { body: form(fields) } : {}) }, code)
  })
})

describe('Resend', () => {
  const mail = { from: 'billing@acme.com', to: 'ann@acme.com', subject: 's', text: 't' }

  test.each<[string, string, unknown, DenialCode]>([
    ['a key', 'POST /api-keys', { name: 'x' }, 'operation_not_allowed'],
    [
      'a webhook',
      'POST /webhooks',
      { endpoint: 'https://evil.example', events: ['email.received'] },
      'operation_not_allowed',
    ],
    ['to somebody else', 'POST /emails', { ...mail, to: 'ann@evil.com' }, 'recipient_not_allowed'],
    ['a copy to somebody else', 'POST /emails', { ...mail, cc: ['x@evil.com'] }, 'recipient_not_allowed'],
    ['a blind copy to somebody else', 'POST /emails', { ...mail, bcc: 'x@evil.com' }, 'recipient_not_allowed'],
    ['one among many', 'POST /emails', { ...mail, to: ['ann@acme.com', 'x@evil.com'] }, 'recipient_not_allowed'],
    ['two in one string', 'POST /emails', { ...mail, to: 'ann@acme.com, x@evil.com' }, 'request_malformed'],
    [
      'one hidden in a name',
      'POST /emails',
      { ...mail, to: '"x@evil.com" <ann@acme.com>, x@evil.com' },
      'request_malformed',
    ],
    ['a route in the address', 'POST /emails', { ...mail, to: '<@evil.com:ann@acme.com>' }, 'request_malformed'],
    [
      'a line end in the address',
      'POST /emails',
      { ...mail, to: 'ann@acme.com\r\nBcc: x@evil.com' },
      'request_malformed',
    ],
    ['a line end in the subject', 'POST /emails', { ...mail, subject: 'a\r\nBcc: x@evil.com' }, 'request_malformed'],
    ['a header that addresses', 'POST /emails', { ...mail, headers: { Bcc: 'x@evil.com' } }, 'request_malformed'],
    [
      'a header that addresses, with a line end',
      'POST /emails',
      { ...mail, headers: { 'X-A': 'b\r\nBcc: x@evil.com' } },
      'request_malformed',
    ],
    ['from somebody else', 'POST /emails', { ...mail, from: 'ceo@acme.com' }, 'sender_not_allowed'],
    [
      'from somebody else by name',
      'POST /emails',
      { ...mail, from: 'billing@acme.com <ceo@acme.com>' },
      'request_malformed',
    ],
    ['from whoever a template says', 'POST /emails', { to: mail.to, template: { id: 't1' } }, 'sender_not_allowed'],
    [
      'a field in camel case, which the SDK would rename',
      'POST /emails',
      { ...mail, scheduledAt: 'in 1 min' },
      'request_malformed',
    ],
    ['scheduled beyond the key', 'POST /emails', { ...mail, scheduled_at: 'in 30 days' }, 'effect_not_permitted'],
    [
      'an attachment fetched from inside',
      'POST /emails',
      { ...mail, attachments: [{ path: 'https://169.254.169.254/latest', filename: 'x' }] },
      'url_not_allowed',
    ],
    [
      'an attachment from a file',
      'POST /emails',
      { ...mail, attachments: [{ path: 'file:///etc/passwd', filename: 'x' }] },
      'request_malformed',
    ],
    [
      'a batch that costs',
      'POST /emails/batch',
      Array.from({ length: 100 }, () => ({ ...mail, to: Array.from({ length: 10 }, () => 'ann@acme.com') })),
      'amount_over_limit',
    ],
    [
      'one foreign address in a batch',
      'POST /emails/batch',
      [mail, { ...mail, to: 'x@evil.com' }],
      'recipient_not_allowed',
    ],
    ['a batch that is none', 'POST /emails/batch', mail, 'request_malformed'],
    ['an e-mail that is a batch', 'POST /emails', [mail], 'request_malformed'],
    ['a broadcast', 'POST /broadcasts', { segment_id: 's', send: true }, 'operation_unknown'],
    ['a broadcast sent', 'POST /broadcasts/b1/send', {}, 'operation_unknown'],
    ['an event that sends', 'POST /events/send', { event: 'x' }, 'operation_unknown'],
    ['a draft sent', 'POST /inboxes/i1/drafts/d1/send', {}, 'operation_unknown'],
    ['a public link', 'POST /emails/49a3999c-0ce1-4ea6-ab68-afcd6dc2e794/share', {}, 'operation_unknown'],
    ['mail of others muted', 'POST /suppressions/batch/add', { emails: ['cfo@acme.com'] }, 'operation_unknown'],
    ['mail that came in', 'GET /emails/receiving/e1', null, 'operation_unknown'],
    ['mail that came in, as a list', 'GET /emails/receiving', null, 'request_malformed'],
    ["other keys' calls", 'GET /logs/l1', null, 'operation_unknown'],
    ['all mail', 'GET /emails', null, 'recipient_not_allowed'],
    ['a domain changed', 'PATCH /domains/d1', { tls: 'opportunistic' }, 'effect_not_permitted'],
    ['a domain deleted', 'DELETE /domains/d1', null, 'effect_not_permitted'],
  ])('%s', async (_, route, json, code) => {
    const [method, path] = route.split(' ') as [string, string]
    await refused(
      'resend',
      { line: `${method} /resend${path}`, ...(json === null ? {} : { body: JSON.stringify(json) }) },
      code,
    )
  })
})
