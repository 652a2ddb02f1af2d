import { readdirSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { Effect } from '../../src/contracts/call.js'
import { formatUsd } from '../../src/contracts/money.js'
import type { Explained, Explanation, Json, JsonObject, LookUp, Prices, Question } from '../../src/contracts/vendor.js'
import { Catalogue, type Match } from '../../src/catalogue.js'
import { Form } from '../../src/wire/form.js'
import { twilio } from '../../vendors/twilio/index.js'
import { jsonIn } from '../../vendors/twilio/json.js'
import { products } from '../../vendors/twilio/operations/products.js'

const US = '+14155550100'
const OTHER = '+14155550101'
const FROM = '+14155550111'
const CONVERSATION = 'conversations.twilio.com/v1/Conversations/CH1'
const MESSAGES = `POST ${CONVERSATION}/Messages`

const catalogue = new Catalogue(twilio)

type Pairs = readonly (readonly [string, string])[] | Readonly<Record<string, string>>
const withFlat = (flat: Readonly<Record<string, string>>): Prices => {
  const table = twilio.prices!
  return {
    prefix: (section, key) => {
      const rows = Object.entries(table.prefixes[section] ?? {}).filter(([prefix]) => key.startsWith(prefix))
      return rows.sort((a, b) => b[0].length - a[0].length)[0]?.[1] ?? null
    },
    flat: (name) => flat[name] ?? null,
    safety: table.safety,
    why: (what) => `No price for ${what}.`,
  }
}

function found(request: string): Match {
  const [method, path] = request.split(' ') as [string, string]
  const match = catalogue.match(method, path)
  if (match === null) throw new Error(`no operation on ${request}`)
  return match
}

function ask(request: string, body: Pairs = {}, over: Partial<Question> = {}): Question {
  return {
    method: request.split(' ')[0]!,
    path: found(request).params,
    params: new Form(Array.isArray(body) ? body : Object.entries(body)),
    json: undefined,
    header: () => undefined,
    account: `AC${'a'.repeat(32)}`,
    apiVersion: '',
    nowMs: 0,
    rates: { convert: () => null, why: () => 'no rates' },
    prices: withFlat({}),
    restricted: { customers: false, recipients: false, senders: false },
    ...over,
  }
}

const explainedBy = (request: string, body: Pairs = {}, over: Partial<Question> = {}): Explained =>
  found(request).operation.explain!(ask(request, body, over))

function explain(request: string, body: Pairs = {}, over: Partial<Question> = {}): Explanation {
  const explained = explainedBy(request, body, over)
  if ('lookUp' in explained) throw new Error(`unexpected look-up of ${explained.lookUp.path}`)
  return explained
}

/** What a request comes to once the one look-up it asks for is answered. */
function answered(explained: Explained, reply: JsonObject | null): Explanation {
  const next = (explained as LookUp).then(reply)
  if ('lookUp' in next) throw new Error(`a second look-up of ${next.lookUp.path}`)
  return next
}

const quoteOf = ({ quote }: Explanation): string =>
  'amount' in quote ? `${quote.basis} ${formatUsd(quote.amount)}` : quote.basis

const sms = (address: string, proxy = FROM): Json => ({
  messaging_binding: { type: 'sms', address, proxy_address: proxy },
})
const chatUser: Json = { identity: 'jane', messaging_binding: null }
const listed = (...participants: Json[]): JsonObject => ({ participants, meta: { next_page_url: null } })

describe('a message into a conversation', () => {
  test('looks its recipients up, one page of fifty', () => {
    expect(explainedBy(MESSAGES, { Body: 'hi' })).toMatchObject({
      lookUp: { path: `${CONVERSATION}/Participants`, params: [['PageSize', '50']] },
    })
    const within = 'conversations.twilio.com/v1/Services/IS1/Conversations/CH1'
    expect(explainedBy(`POST ${within}/Messages`, { Body: 'hi' })).toMatchObject({
      lookUp: { path: `${within}/Participants` },
    })
  })

  // One US part: (0.0083 + 0.0062) × 1.15 = 0.016675; a US picture 0.03243.
  test.each<[string, Record<string, string>, Json[], string]>([
    ['one phone', { Body: 'hi' }, [sms(US), chatUser], 'ceiling 0.016675'],
    ['two phones', { Body: 'hi' }, [sms(US), sms(OTHER)], 'ceiling 0.03335'],
    ['two parts', { Body: 'a'.repeat(161) }, [sms(US)], 'ceiling 0.03335'],
    ['a picture', { MediaSid: 'ME1' }, [sms(US)], 'ceiling 0.03243'],
    ['a template, as 25 parts', { ContentSid: 'HX1' }, [sms(US)], 'ceiling 0.416875'],
    ['a country without a row', { Body: 'hi' }, [sms(US), sms('+4915112345678')], 'unpriceable'],
    ['WhatsApp', { Body: 'hi' }, [sms(`whatsapp:${US}`, `whatsapp:${FROM}`)], 'ceiling 0.0575'],
    ['e-mail, not in the table', { Body: 'hi' }, [sms('jane@acme.com', 'us@acme.com')], 'unpriceable'],
    ['a binding that names no address', { Body: 'hi' }, [{ messaging_binding: { type: 'x' } }], 'unpriceable'],
    ['chat users alone', { Body: 'hi' }, [chatUser], 'free'],
    [
      'a group, which goes out as MMS to every phone',
      { Body: 'hi' },
      [
        { messaging_binding: { type: 'sms', address: US } },
        { messaging_binding: { type: 'sms', address: OTHER } },
        { identity: 'jane', messaging_binding: { type: 'sms', projected_address: FROM } },
      ],
      'ceiling 0.06486',
    ],
  ])('to %s', (_name, body, participants, expected) => {
    const prices = withFlat({ 'whatsapp.twilio': '0.05' })
    expect(quoteOf(answered(explainedBy(MESSAGES, body, { prices }), listed(...participants)))).toBe(expected)
  })

  test('that costs nothing says why', () => {
    const { quote } = answered(explainedBy(MESSAGES, { Body: 'hi' }), listed(chatUser))
    expect(quote).toMatchObject({ basis: 'free', why: expect.stringMatching(/^Everybody .*\.$/) as string })
  })

  test('names whom it reaches and from which number', () => {
    const { subjects } = answered(explainedBy(MESSAGES, { Body: 'hi' }), listed(sms(US), sms(OTHER), chatUser))
    expect(subjects).toEqual({ recipients: [US, OTHER], senders: [FROM] })
  })

  test.each<[string, JsonObject | null]>([
    ['the conversation is not there', null],
    ['the reply has another shape', { people: [] }],
    [
      'there is a second page',
      { participants: [sms(US)], meta: { next_page_url: 'https://conversations.twilio.com/…' } },
    ],
  ])('has no price and no known recipients when %s', (_name, reply) => {
    const { quote, subjects } = answered(explainedBy(MESSAGES, { Body: 'hi' }), reply)
    expect([quote.basis, subjects]).toEqual(['unpriceable', { recipients: null, senders: null }])
  })

  test('is refused when the body is too long', () => {
    expect(explain(MESSAGES, { Body: 'a'.repeat(1601) }).refuse?.code).toBe('request_malformed')
  })
})

describe('people in a conversation', () => {
  test('are recipients as soon as they are added', () => {
    const added = explain(`POST ${CONVERSATION}/Participants`, {
      'MessagingBinding.Address': US,
      'MessagingBinding.ProxyAddress': FROM,
    })
    expect([quoteOf(added), added.subjects]).toEqual(['free', { recipients: [US], senders: [FROM] }])
  })

  test('need an address that Twilio knows', () => {
    const added = explain(`POST ${CONVERSATION}/Participants`, { 'MessagingBinding.Address': '4155550100' })
    expect(added.refuse?.code).toBe('request_malformed')
  })

  const CREATE = 'POST conversations.twilio.com/v1/ConversationWithParticipants'

  test('come with a new conversation as JSON, and nothing is sent to them yet', () => {
    const created = explain(CREATE, [
      ['Participant', JSON.stringify(sms(US))],
      ['Participant', '{"identity":"jane"}'],
    ])
    expect(created.quote).toMatchObject({ basis: 'free', why: expect.any(String) as string })
    expect(created.subjects).toEqual({ recipients: [US], senders: [FROM] })
  })

  test.each([
    ['no JSON', 'jane'],
    ['nobody', '{}'],
    ['a number twice', `{"messaging_binding":{"address":"${US}","address":"${OTHER}"}}`],
    ['no number', '{"messaging_binding":{"address":"4155550100"}}'],
  ])('are refused when the JSON names %s', (_name, participant) => {
    expect(explain(CREATE, { Participant: participant }).refuse?.code).toBe('request_malformed')
  })
})

describe('an action in Conversations v2', () => {
  const ACTIONS = 'POST conversations.twilio.com/v2/Conversations/conv_1/Actions'
  const send = (payload: JsonObject, type = 'SEND_MESSAGE'): Explanation =>
    explain(ACTIONS, {}, { json: { type, payload }, prices: withFlat({ 'whatsapp.twilio': '0.05' }) })
  const from = { address: FROM, channel: 'SMS' }
  const to = (...addresses: string[]): Json => addresses.map((address) => ({ address, channel: 'SMS' }))
  const content = { text: 'hi' }

  test('is priced as a message to every address', () => {
    const action = send({ from, to: to(US, OTHER), content })
    expect([quoteOf(action), action.subjects]).toEqual([
      'ceiling 0.03335',
      { recipients: [US, OTHER], senders: [FROM] },
    ])
  })

  test('writes WhatsApp addresses as the rest of Twilio does', () => {
    const action = send({ from, to: [{ address: US, channel: 'WHATSAPP' }], content })
    expect([quoteOf(action), action.subjects.recipients]).toEqual(['ceiling 0.0575', [`whatsapp:${US}`]])
  })

  test('shows the URLs of pictures', () => {
    const action = send({ from, to: to(US), content: { mediaUrls: ['https://m.acme.com/a.png'] } })
    expect([quoteOf(action), action.subjects.urls]).toEqual(['ceiling 0.03243', ['https://m.acme.com/a.png']])
  })

  test.each<[string, JsonObject, string?]>([
    ['another type', { from, to: to(US), content }, 'TRANSFER'],
    ['a participant’s id', { from, to: [{ participantId: 'p1' }], content }],
    ['an id beside an address', { from, to: [{ participantId: 'p1', address: US, channel: 'SMS' }], content }],
    ['a call', { from, to: [{ address: US, channel: 'VOICE' }], content }],
    ['a channel named like a property', { from, to: [{ address: US, channel: 'constructor' }], content }],
    ['settings that are not understood', { from, to: to(US), content, channelSettings: { a: 1 } }],
  ])('has no price with %s', (_name, payload, type) => {
    expect(quoteOf(send(payload, type))).toBe('unpriceable')
  })

  test.each<[string, JsonObject]>([
    ['nobody to send to', { from, to: [], content }],
    ['no content', { from, to: to(US) }],
    ['content that is not understood', { from, to: to(US), content: { text: 'hi', html: '<b>' } }],
    ['a relative picture', { from, to: to(US), content: { mediaUrls: ['/a.png'] } }],
  ])('is refused with %s', (_name, payload) => {
    expect(send(payload).refuse?.code).toBe('request_malformed')
  })
})

describe('ways round Messages and Calls', () => {
  const TASK = 'POST taskrouter.twilio.com/v1/Workspaces/WS1/Tasks/WT1/Reservations/WR1'

  test.each<[string, string, Record<string, string>]>([
    ['a Studio execution', 'POST studio.twilio.com/v2/Flows/FW1/Executions', { To: US, From: FROM }],
    ['a call by TaskRouter', TASK, { Instruction: 'call', CallTo: US, CallFrom: FROM }],
    ['a conference by TaskRouter', TASK, { Instruction: 'conference', To: US, From: FROM }],
  ])('%s has no price, and says whom it reaches', (_name, request, body) => {
    const { quote, subjects } = explain(request, body)
    expect([quote.basis, subjects.recipients, subjects.senders]).toEqual(['unpriceable', [US], [FROM]])
  })

  test('accepting a reservation is free, by task and by worker', () => {
    for (const request of [TASK, 'POST taskrouter.twilio.com/v1/Workspaces/WS1/Workers/WK1/Reservations/WR1'])
      expect(explain(request, { ReservationStatus: 'accepted' }).quote).toMatchObject({
        basis: 'free',
        why: expect.any(String) as string,
      })
  })

  test('an instruction with a URL is routing and shows it', () => {
    const { effects, subjects } = explain(TASK, { Instruction: 'redirect', RedirectUrl: 'https://evil.example/x' })
    expect([effects, subjects.urls]).toEqual([['routing'], ['https://evil.example/x']])
  })

  test.each([
    ['POST flex-api.twilio.com/v1/Interactions', { Channel: '{"type":"sms"}', Routing: '{}' }],
    ['POST flex-api.twilio.com/v1/Channels', { FlexFlowSid: 'FO1', Target: US }],
    ['POST chat.twilio.com/v2/Services/IS1/Channels/CH1/Messages', { Body: 'hi' }],
    ['POST ip-messaging.twilio.com/v1/Services/IS1/Channels/CH1/Messages', { Body: 'hi' }],
    ['POST proxy.twilio.com/v1/Services/KS1/Sessions', { UniqueName: 'x' }],
    ['POST assistants.twilio.com/v1/Assistants/a/Messages', {}],
    ['POST intelligence.twilio.com/v2/Transcripts', { ServiceSid: 'GA1' }],
    ['POST marketplace.twilio.com/v1/InstalledAddOns', { AvailableAddOnSid: 'XB1', AcceptTermsOfService: 'true' }],
    ['POST preview.twilio.com/HostedNumbers/HostedNumberOrders', { PhoneNumber: US }],
    ['POST video.twilio.com/v1/Compositions', { RoomSid: 'RM1' }],
  ])('%s is refused for want of an amount, in a sentence', (request, body: Record<string, string>) => {
    expect(explain(request, body).quote).toMatchObject({
      basis: 'unpriceable',
      why: expect.stringMatching(/^[A-Z].*\.$/) as string,
    })
  })

  const INTERACTION = 'proxy.twilio.com/v1/Services/KS1/Sessions/KC1/Participants/KP1'

  test('a Proxy message is priced for the participant it is sent to', () => {
    const prices = withFlat({ 'proxy.interaction': '0.01' })
    const asked = explainedBy(`POST ${INTERACTION}/MessageInteractions`, { Body: 'hi' }, { prices })
    expect(asked).toMatchObject({ lookUp: { path: INTERACTION } })
    const message = answered(asked, { identifier: US, proxy_identifier: FROM })
    expect([quoteOf(message), message.subjects]).toEqual(['ceiling 0.028175', { recipients: [US], senders: [FROM] }])
    expect(quoteOf(answered(asked, null))).toBe('unpriceable')
  })

  test('a Proxy message without a price of its own is not priced by its text alone', () => {
    const asked = explainedBy(`POST ${INTERACTION}/MessageInteractions`, { Body: 'hi' })
    expect(quoteOf(answered(asked, { identifier: US }))).toBe('unpriceable')
  })
})

describe('flat prices', () => {
  test.each([
    ['sync.operation', 'POST sync.twilio.com/v1/Services/IS1/Documents'],
    ['taskrouter.task', 'POST taskrouter.twilio.com/v1/Workspaces/WS1/Tasks'],
    ['supersim.sms_command', 'POST supersim.twilio.com/v1/SmsCommands'],
    ['supersim.ip_command', 'POST supersim.twilio.com/v1/IpCommands'],
    ['wireless.command', 'POST wireless.twilio.com/v1/Commands'],
    ['knowledge.search', 'POST knowledge.twilio.com/v2/KnowledgeBases/kb/Search'],
    ['memory.recall', 'POST memory.twilio.com/v1/Stores/s/Profiles/p/Recall'],
  ])('%s is what %s costs, and without it the call is refused', (price, request) => {
    expect(quoteOf(explain(request, {}, { prices: withFlat({ [price]: '1' }) }))).toMatch(/ 1\.15$/)
    expect(quoteOf(explain(request))).toBe('unpriceable')
  })
})

describe('a SIM', () => {
  const SIM = 'POST supersim.twilio.com/v1/Sims/HS1'
  const prices = withFlat({ 'supersim.sim_month': '2' })
  const update = (body: Record<string, string>): Explanation => explain(SIM, body, { prices })
  const outcome = (body: Record<string, string>) =>
    found(SIM).operation.outcome!({}, ask(SIM, body, { prices }), update(body))

  test('that is activated is billed every month from then on', () => {
    const active = update({ Status: 'active' })
    expect(quoteOf(active)).toBe('ceiling 2.30')
    expect(active.commits).toEqual({
      kind: 'recurring',
      perMonth: 2_300_000n,
      dueAt: null,
      quantity: 1n,
      object: 'HS1',
    })
    expect(found(SIM).operation.effect).toBe('future_spend')
  })

  test('has no price when the table lists none, or when its plan or owner changes', () => {
    expect(quoteOf(explain(SIM, { Status: 'active' }))).toBe('unpriceable')
    expect(quoteOf(update({ Fleet: 'HF1' }))).toBe('unpriceable')
    expect(quoteOf(update({ Status: 'active', AccountSid: `AC${'b'.repeat(32)}` }))).toBe('unpriceable')
    expect(quoteOf(update({ Status: 'active', AccountSid: `AC${'a'.repeat(32)}` }))).toBe('ceiling 2.30')
    expect(quoteOf(update({ Status: 'brand-new' }))).toBe('unpriceable')
  })

  test('that is put to rest costs nothing, says why, and ends its rent', () => {
    expect(update({ Status: 'inactive' }).quote).toMatchObject({ basis: 'free', why: expect.any(String) as string })
    expect(outcome({ Status: 'inactive' })).toEqual({ ends: 'HS1' })
    expect(outcome({ Status: 'suspended' })).toEqual({})
    expect(outcome({ Status: 'active' })).toEqual({})
  })

  test('gets no more data through its fleet or the networks of its profile', () => {
    const fleet = (body: Record<string, string>) => explain('POST supersim.twilio.com/v1/Fleets/HF1', body)
    expect([quoteOf(fleet({ DataLimit: '999999' })), fleet({ DataLimit: '999999' }).effects]).toEqual([
      'unpriceable',
      ['future_spend'],
    ])
    expect(quoteOf(fleet({ UniqueName: 'x' }))).toBe('free')
    const networks = 'POST supersim.twilio.com/v1/NetworkAccessProfiles/HA1/Networks'
    expect([quoteOf(explain(networks, { Network: 'HW1' })), found(networks).operation.effect]).toEqual([
      'unpriceable',
      'future_spend',
    ])
  })

  test('with callbacks is routing as well', () => {
    const sim = explain('POST wireless.twilio.com/v1/Sims/DE1', { SmsUrl: 'https://evil.example/sms' })
    expect([sim.effects, sim.subjects.urls, quoteOf(sim)]).toEqual([['routing'], ['https://evil.example/sms'], 'free'])
  })
})

describe('video', () => {
  const ROOMS = 'POST video.twilio.com/v1/Rooms'
  const prices = withFlat({ 'video.participant_minute': '0.004', 'video.recording_minute': '0.004' })
  const bounds = { MaxParticipants: '10', MaxParticipantDuration: '601' }

  test.each<[string, Record<string, string>, string]>([
    ['both bounds: 10 × 11 minutes', bounds, 'ceiling 0.506'],
    ['a recording as well', { ...bounds, RecordParticipantsOnConnect: 'true' }, 'ceiling 1.012'],
    ['a transcription, not in the table', { ...bounds, TranscribeParticipantsOnConnect: 'true' }, 'unpriceable'],
    ['no bound on people', { MaxParticipantDuration: '600' }, 'unpriceable'],
    ['no bound on time', { MaxParticipants: '10' }, 'unpriceable'],
    ['a bound that is no number', { ...bounds, MaxParticipants: '1e1' }, 'unpriceable'],
  ])('a room with %s', (_name, body, expected) => {
    expect(quoteOf(explain(ROOMS, body, { prices }))).toBe(expected)
  })

  test('a room without a price in the table is refused', () => {
    expect(quoteOf(explain(ROOMS, bounds))).toBe('unpriceable')
  })

  test('recording rules may stop a recording and not start one', () => {
    const rules = (text: string) => explain('POST video.twilio.com/v1/Rooms/RM1/RecordingRules', { Rules: text })
    expect(quoteOf(rules('[{"type":"exclude","all":true}]'))).toBe('free')
    const starts = rules('[{"type":"include","all":true}]')
    expect([quoteOf(starts), starts.effects]).toEqual(['unpriceable', ['spend']])
    expect(quoteOf(rules('[{"type":"include","type":"exclude"}]'))).toBe('unpriceable')
  })

  test('a transcription may be stopped and not started', () => {
    const at = 'POST video.twilio.com/v1/Rooms/RM1/Transcriptions/video_1'
    expect([quoteOf(explain(at, { Status: 'stopped' })), quoteOf(explain(at, { Status: 'started' }))]).toEqual([
      'free',
      'unpriceable',
    ])
  })
})

describe('a registration with the carriers', () => {
  const prices = withFlat({
    'a2p.brand': '4.50',
    'a2p.vetting': '41.50',
    'a2p.campaign': '10',
    'a2p.campaign_vetting': '15',
  })
  const register = (what: string): Explanation =>
    explain(`POST trusthub.twilio.com/v1/${what}`, {}, { json: { isTest: true, skipAutomaticSecVet: true }, prices })

  test('of a brand counts both fees, whatever its first form says', () => {
    const brand = register('A2PBrandRegistrations')
    expect([quoteOf(brand), brand.commits?.kind]).toEqual(['ceiling 52.90', 'open'])
  })

  test('of a campaign is billed every month from then on, under the id of the reply', () => {
    const campaign = register('A2PCampaignRegistrations')
    expect([quoteOf(campaign), campaign.commits]).toEqual([
      'ceiling 28.75',
      { kind: 'recurring', perMonth: 11_500_000n, dueAt: null, quantity: 1n },
    ])
    const at = 'POST trusthub.twilio.com/v1/A2PCampaignRegistrations'
    expect(found(at).operation.outcome!({ id: 'QE1' }, ask(at), campaign)).toEqual({ commitment: 'QE1' })
  })

  test('is refused while a fee is not in the table', () => {
    expect(quoteOf(explain('POST trusthub.twilio.com/v1/A2PCampaignRegistrations'))).toBe('unpriceable')
  })
})

test('an Intelligence service is free until it transcribes by itself', () => {
  const at = 'POST intelligence.twilio.com/v2/Services/GA1'
  expect(quoteOf(explain(at, { FriendlyName: 'x' }))).toBe('free')
  expect(quoteOf(explain(at, { AutoTranscribe: 'True' }))).toBe('unpriceable')
  expect(explain(at, { WebhookUrl: 'https://evil.example/t' })).toMatchObject({
    effects: ['routing'],
    subjects: { urls: ['https://evil.example/t'] },
  })
})

describe('where things lead', () => {
  test.each([
    ['POST events.twilio.com/v1/Sinks', { SinkConfiguration: '{"destination":"https://evil.example/e"}' }],
    ['POST video.twilio.com/v1/RecordingSettings/Default', { AwsS3Url: 'https://evil.example/e' }],
    ['POST bulkexports.twilio.com/v1/Exports/Messages/Configuration', { WebhookUrl: 'https://evil.example/e' }],
    ['POST sync.twilio.com/v1/Services', { WebhookUrl: 'https://evil.example/e' }],
    ['POST chat.twilio.com/v2/Services/IS1', { PreWebhookUrl: 'https://evil.example/e' }],
    [`POST ${CONVERSATION}/Webhooks`, { Target: 'webhook', 'Configuration.Url': 'https://evil.example/e' }],
    ['POST studio.twilio.com/v2/Flows', { Definition: '{"states":[{"properties":{"url":"https://evil.example/e"}}]}' }],
    ['POST taskrouter.twilio.com/v1/Workspaces/WS1/Workflows', { AssignmentCallbackUrl: 'https://evil.example/e' }],
    ['POST flex-api.twilio.com/v1/PluginService/Plugins/FP1/Versions', { PluginUrl: 'https://evil.example/e' }],
  ])('%s shows its URL and needs a permit', (request, body: Record<string, string>) => {
    expect(explain(request, body).subjects.urls).toEqual(['https://evil.example/e'])
    expect(['routing', 'credential']).toContain(found(request).operation.effect)
  })

  test('a sink that is no URL is one nobody can check', () => {
    const kinesis = explain('POST events.twilio.com/v1/Sinks', { SinkConfiguration: '{"arn":"arn:aws:kinesis:x"}' })
    expect(kinesis.subjects.urls).toBeNull()
  })

  test('JSON text that cannot be read in one way is refused where it holds a URL', () => {
    const sink = (text: string) => explain('POST events.twilio.com/v1/Sinks', { SinkConfiguration: text }).refuse?.code
    expect(sink('{"destination":"https://ok.example","destination":"https://evil.example"}')).toBe('request_malformed')
    expect(sink("{'destination':'https://evil.example'}")).toBe('request_malformed')
  })

  test('what an application keeps for itself is not taken for a URL', () => {
    const prices = withFlat({ 'sync.operation': '0.001' })
    const document = explain(
      'POST sync.twilio.com/v1/Services/IS1/Documents',
      { Data: '{"link":"https://a.example"}' },
      { prices },
    )
    expect(document.subjects.urls).toBeUndefined()
  })
})

test.each<[string, Json | undefined]>([
  ['{"a":[1,{"b":"x"}]}', { a: [1, { b: 'x' }] }],
  ['["\\":", "c"]', ['":', 'c']],
  ['{"a":1,"a":2}', undefined],
  ['{"a":{"b":1,"b" :2}}', undefined],
  ['{"a":1,"\\u0061":2}', undefined],
  ['{a:1}', undefined],
])('the JSON text %s is read as %j', (text, value) => {
  expect(jsonIn(text)).toEqual(value)
})

describe('secrets', () => {
  test.each([
    'POST serverless.twilio.com/v1/Services',
    'POST serverless.twilio.com/v1/Services/ZS1/Builds',
    'POST serverless.twilio.com/v1/Services/ZS1/Environments/ZE1/Deployments',
    'POST serverless.twilio.com/v1/Services/ZS1/Environments/ZE1/Variables',
    'GET serverless.twilio.com/v1/Services/ZS1/Environments/ZE1/Variables',
    'GET serverless.twilio.com/v1/Services/ZS1/Environments/ZE1/Variables/ZV1',
    'POST serverless-upload.twilio.com/v1/Services/ZS1/Functions/ZH1/Versions',
    'POST serverless-upload.twilio.com/v1/Services/ZS1/Assets/ZN1/Versions',
  ])('%s is never allowed', (request) => {
    expect(found(request).operation).toMatchObject({
      effect: 'credential',
      never: expect.stringMatching(/^[A-Z].*\.$/) as string,
    })
  })

  test.each([
    ['GET events.twilio.com/v1/Sinks', 'sink_configuration'],
    ['POST events.twilio.com/v1/Sinks/DG1', 'sink_configuration'],
    ['GET marketplace.twilio.com/v1/InstalledAddOns', 'configuration'],
    ['GET studio.twilio.com/v2/Flows/FW1', 'definition'],
    ['POST studio.twilio.com/v2/Flows/FW1', 'definition'],
    ['GET serverless.twilio.com/v1/Services/ZS1/Functions/ZH1/Versions/ZN1/Content', 'content'],
    ['POST trusthub.twilio.com/v1/A2PBrandRegistrations', 'sessionToken'],
    ['POST trusthub.twilio.com/v1/A2PBrandRegistrations/x/EmbeddedSessions', 'sessionToken'],
    ['POST trusthub.twilio.com/v1/ComplianceInquiries/Customers/Initialize', 'inquiry_session_token'],
    ['POST flex-api.twilio.com/v1/Insights/Session', 'session_id'],
    ['GET preview.twilio.com/HostedNumbers/HostedNumberOrders', 'verification_code'],
  ])('%s gives no %s away', (request, field) => {
    expect(found(request).operation.reveals).toContain(field)
  })
})

describe('reads under a recipient list', () => {
  test.each([
    `GET ${CONVERSATION}/Messages`,
    'GET chat.twilio.com/v2/Services/IS1/Channels/CH1/Members',
    'GET studio.twilio.com/v2/Flows/FW1/Executions/FN1/Context',
    'GET taskrouter.twilio.com/v1/Workspaces/WS1/Tasks',
    'GET proxy.twilio.com/v1/Services/KS1/Sessions/KC1/Interactions',
    'GET intelligence.twilio.com/v2/Transcripts/GT1/Sentences',
    'GET memory.twilio.com/v1/Stores/s/Profiles/p',
    'GET bulkexports.twilio.com/v1/Exports/Messages/Days/2026-11-20',
    'GET video.twilio.com/v1/Rooms/RM1/Participants',
    'GET trusthub.twilio.com/v1/EndUsers',
  ])('%s concerns people it does not name', (request) => {
    expect([found(request).operation.effect, explain(request).subjects]).toEqual([
      'read',
      { recipients: null, senders: null },
    ])
  })

  test('a read that shows nobody concerns nobody', () => {
    expect(explain('GET taskrouter.twilio.com/v1/Workspaces').subjects).toEqual({})
  })
})

interface Row {
  readonly host: string
  readonly method: string
  readonly path: string
  readonly effect: string
  readonly content_type: string | null
}
const lists = JSON.parse(
  readFileSync(new URL('../../fixtures/catalogues/twilio-operations.json', import.meta.url), 'utf8'),
) as readonly Row[]

/** Folders of twilio-node that belong to these products. */
const FOLDERS =
  'bulkexports chat conversations events flexApi frontlineApi intelligence ipMessaging knowledge marketplace memory preview proxy serverless studio supersim sync taskrouter trusthub video wireless'.split(
    ' ',
  )
const VERSIONS: Readonly<Record<string, string>> = { hosted_numbers: 'HostedNumbers' }

interface Sent {
  readonly request: string
  readonly names: readonly string[]
  readonly repeated: readonly string[]
}

/** Every request twilio-node's own source makes to these products, with the names it puts into a form or query. */
function* sentByClient(): Generator<Sent> {
  const rest = new URL('../../node_modules/twilio/lib/rest/', import.meta.url)
  for (const folder of FOLDERS) {
    const host = `${folder.replace(/[A-Z]/, (letter) => `-${letter.toLowerCase()}`)}.twilio.com`
    for (const file of readdirSync(new URL(folder, rest), { recursive: true, encoding: 'utf8' })) {
      const url = new URL(`${folder}/${file}`, rest)
      if (!file.endsWith('.js') || statSync(url).isDirectory() || !file.includes('/')) continue
      const version = file.split('/')[0]!
      for (const part of readFileSync(url, 'utf8').split(/\n(?=class |function )/)) {
        const uri = /_uri = `([^`]+)`/.exec(part)?.[1]?.replace(/\$\{(\w+)\}/g, '$1')
        if (uri === undefined) continue
        for (const made of part.split(/\n(?= {4}(?:instance\.)?[a-zA-Z]+(?: = function [a-zA-Z]+)?\()/)) {
          const method = /method: "(\w+)"/.exec(made)?.[1]
          if (method === undefined) continue
          const named = [...made.matchAll(/data\["([^"]+)"\]\s*=\s*([^;]*)/g)]
          yield {
            request: `${method.toUpperCase()} ${host}/${VERSIONS[version] ?? version}${uri}`,
            names: named.map(([, name]) => name!),
            repeated: named.filter(([, , value]) => value!.includes('serialize.map')).map(([, name]) => name!),
          }
        }
      }
    }
  }
}

describe('the catalogue of these products', () => {
  const hosts = new Set(products.flatMap(({ routes }) => routes.map((route) => /^\w+ ([^/]+)/.exec(route)![1]!)))
  const ours = lists.filter(({ host }) => hosts.has(host))
  const sent = [...sentByClient()]
  const WEIGHT: Readonly<Record<string, number>> = { harmless: 0, configuration: 1, spends_now: 2, spends_recurring: 2 }
  const OURS: Partial<Record<Effect, number>> = { read: 0, write: 1, spend: 2 }

  test('knows every listed operation, and none weaker than its class without saying why', () => {
    expect(ours.length).toBe(500)
    const weaker = ours.flatMap(({ method, host, path, effect }) => {
      const { operation } = found(`${method} ${host}${path.replace(/[{}]/g, '')}`)
      const stated = operation.never ?? operation.weaker
      return stated === undefined && (OURS[operation.effect] ?? 3) < (WEIGHT[effect] ?? 3) ? [operation.id] : []
    })
    expect(weaker).toEqual([])
  })

  test('reads JSON where the lists say JSON', () => {
    const sends = ours.filter(({ method, content_type }) => content_type !== null && /^P/.test(method))
    const wrong = sends.filter(({ method, host, path, content_type }) => {
      const { operation } = found(`${method} ${host}${path.replace(/[{}]/g, '')}`)
      return (operation.body === 'json') !== (content_type === 'application/json')
    })
    expect(wrong.map(({ host, path }) => host + path)).toEqual([])
  })

  test('knows every request that twilio-node makes', () => {
    expect(sent.length).toBeGreaterThan(1000)
    expect(sent.filter(({ request }) => request.split(' ').length !== 2)).toEqual([])
    for (const { request } of sent) expect(found(request).operation.id).not.toBe('')
  })

  test('takes every parameter that twilio-node sends, as often as it sends it', () => {
    const refused = sent.flatMap(({ request, names, repeated }) => {
      const { operation } = found(request)
      return [
        ...names.filter((name) => operation.accepts !== undefined && !operation.accepts.includes(name)),
        ...repeated.filter((name) => !operation.repeats?.includes(name)),
      ].map((name) => `${operation.id} ${name}`)
    })
    expect([...new Set(refused)]).toEqual([])
  })

  test('says why wherever something is spent, changed or deleted, and lists what it accepts where money can go', () => {
    for (const { id, effect, why, never, accepts, source } of products) {
      expect([id, source]).toEqual([id, expect.stringMatching(/2026-/)])
      if (effect !== 'read') expect([id, never ?? why]).toEqual([id, expect.stringMatching(/^[A-Z].*\.$/)])
      if (effect === 'spend' || effect === 'future_spend') expect([id, accepts?.length ?? 0]).not.toEqual([id, 0])
    }
  })

  test('marks what exists only in a preview', () => {
    for (const { routes, preview } of products)
      expect(preview === true).toBe(routes.some((route) => route.includes(' preview.twilio.com/')))
  })
})
