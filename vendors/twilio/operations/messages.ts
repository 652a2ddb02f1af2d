import type { Effect, Quote } from '../../../src/contracts/call.js'
import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, Explanation, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { isMessagingService, recipientChannel, senderChannel } from '../addresses.js'
import { aboutExisting, given, listParties, malformed, PAGING, refused, shown, textOf } from '../answers.js'
import { bill, flatPrice, mmsPrice, smsPrice, unpriceable, type Item } from '../pricing.js'
import { SOURCE } from '../rows.js'
import { BODY_CHARS_MAX, countSegments, countSegmentsSmart, SEGMENTS_MAX } from '../segments.js'
import { urlsAmong } from '../urls.js'

const MESSAGES = '/2010-04-01/Accounts/{AccountSid}/Messages'
const MEDIA_MAX = 10
const FLAG = /^(true|false)$/i
const UNPROTECTED = 'RiskCheck=disable turns Twilio’s fraud protection off for the message.'

export const messages: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'messages.create',
    routes: [`POST ${MESSAGES}.json`],
    effect: 'spend',
    accepts: [
      'AccountSid',
      'To',
      'StatusCallback',
      'ApplicationSid',
      'MaxPrice',
      'ProvideFeedback',
      'Attempt',
      'ValidityPeriod',
      'ForceDelivery',
      'ContentRetention',
      'AddressRetention',
      'SmartEncoded',
      'PersistentAction',
      'TrafficType',
      'ShortenUrls',
      'ScheduleType',
      'SendAt',
      'SendAsMms',
      'ContentVariables',
      'MessageIntent',
      'RiskCheck',
      'From',
      'FallbackFrom',
      'MessagingServiceSid',
      'Body',
      'MediaUrl',
      'ContentSid',
    ],
    repeats: ['MediaUrl', 'PersistentAction'],
    explain: explainCreate,
    outcome: outcomeOfCreate,
  },
  {
    id: 'messages.update',
    routes: [`POST ${MESSAGES}/{Sid}.json`],
    effect: 'write',
    accepts: ['AccountSid', 'Body', 'Status'],
    explain: explainUpdate,
    weaker: 'Canceling is harmless; erasing the text adds destructive.',
    // The reply says whether the message was still scheduled; only then did its reservation come to nothing.
    outcome: (reply, question) => {
      const sid = question.path.Sid!
      return reply.status === 'canceled' ? { object: sid, total: ZERO, ends: sid } : {}
    },
  },
  {
    id: 'messages.delete',
    routes: [`DELETE ${MESSAGES}/{Sid}.json`],
    effect: 'destructive',
    accepts: ['AccountSid'],
    explain: (question) => aboutMessage(question, { quote: { basis: 'free' }, subjects: {} }),
  },
  {
    id: 'messages.list',
    routes: [`GET ${MESSAGES}.json`],
    effect: 'read',
    accepts: ['To', 'From', 'DateSent', 'DateSent<', 'DateSent>', ...PAGING],
    explain: (question) => ({ quote: { basis: 'free' }, subjects: listParties(question.params) }),
  },
  {
    id: 'messages.get',
    routes: [`GET ${MESSAGES}/{Sid}.json`],
    effect: 'read',
    explain: (question) => aboutMessage(question, { quote: { basis: 'free' }, subjects: {} }),
    outcome: (reply, question) => (LEFT.has(reply.status) ? { ends: question.path.Sid! } : {}),
  },
  {
    id: 'messages.feedback.create',
    routes: [`POST ${MESSAGES}/{MessageSid}/Feedback.json`],
    effect: 'write',
    accepts: ['AccountSid', 'Outcome'],
    why: 'Tells Twilio whether a message did its work.',
    explain: (question) => aboutMessage(question, { quote: { basis: 'free' }, subjects: {} }),
  },
  {
    id: 'messages.media.list',
    routes: [`GET ${MESSAGES}/{MessageSid}/Media.json`],
    effect: 'read',
    accepts: ['DateCreated', 'DateCreated<', 'DateCreated>', ...PAGING],
    explain: (question) => aboutMessage(question, { quote: { basis: 'free' }, subjects: {} }),
  },
  {
    id: 'messages.media.get',
    routes: [`GET ${MESSAGES}/{MessageSid}/Media/{Sid}.json`],
    effect: 'read',
    explain: (question) => aboutMessage(question, { quote: { basis: 'free' }, subjects: {} }),
  },
  {
    id: 'messages.media.download',
    routes: [`GET ${MESSAGES}/{MessageSid}/Media/{Sid}`],
    effect: 'read',
    never: 'It leads to a signed address of the file, which opens it to anyone; with .json Twilio describes the file.',
  },
  {
    id: 'messages.media.delete',
    routes: [`DELETE ${MESSAGES}/{MessageSid}/Media/{Sid}.json`],
    effect: 'destructive',
    accepts: ['AccountSid'],
    explain: (question) => aboutMessage(question, { quote: { basis: 'free' }, subjects: {} }),
  },
])

/** Of a message that is not scheduled any more. */
const LEFT: ReadonlySet<unknown> = new Set([
  'sending',
  'sent',
  'failed',
  'delivered',
  'undelivered',
  'canceled',
  'read',
])

function explainCreate(question: Question): Explained {
  const { params } = question
  const fault = faultOfCreate(question)
  if (fault) return fault
  const urls = urlsAmong(params, ['MediaUrl', 'StatusCallback'])
  if ('fault' in urls) return malformed(urls.fault)
  // A message that is sent later is counted at once, so that it cannot outlive the key unseen. Without a messaging
  // service Twilio ignores SendAt and sends immediately, which the count at once covers as well.
  const effects: Effect[] = params.has('SendAt') || params.has('ScheduleType') ? ['future_spend'] : []
  const sendAt = given(params, 'SendAt')
  const dueAt = sendAt === undefined ? undefined : instantOf(sendAt)
  if (dueAt === null) return malformed(`SendAt is ${shown(sendAt)}; it must be an instant like 2026-12-20T10:00:00Z.`)
  const scheduled = dueAt !== undefined && given(params, 'MessagingServiceSid') !== undefined
  return {
    direction: 'out',
    quote: quoteMessage(question, 0),
    effects,
    ...(scheduled && { commits: { kind: 'scheduled', perMonth: ZERO, dueAt, quantity: 1n } }),
    ...(given(params, 'RiskCheck') === 'disable' && { never: UNPROTECTED }),
    subjects: {
      recipients: [params.get('To')!],
      senders: ['From', 'FallbackFrom', 'MessagingServiceSid'].flatMap((name) => given(params, name) ?? []),
      // An application's own callback address is not in the request.
      urls: given(params, 'ApplicationSid') === undefined ? urls.urls : null,
    },
  }
}

function faultOfCreate({ params }: Question): Explanation | null {
  const to = given(params, 'To')
  if (to === undefined || recipientChannel(to) === null) {
    return malformed(
      `To is ${shown(to)}; it must be a number like +14155550100 or an address like whatsapp:+14155550100.`,
    )
  }
  for (const name of ['From', 'FallbackFrom']) {
    const sender = given(params, name)
    if (sender !== undefined && senderChannel(sender) === null)
      return malformed(`${name} is ${shown(sender)}, which is no sender Twilio knows.`)
  }
  const service = given(params, 'MessagingServiceSid')
  if (service !== undefined && !isMessagingService(service))
    return malformed(`MessagingServiceSid is ${shown(service)}; it must be MG and 32 hex digits.`)
  if (service === undefined && given(params, 'From') === undefined)
    return malformed('Name a sender: From or MessagingServiceSid.')
  for (const name of ['SendAsMms', 'SmartEncoded', 'ShortenUrls']) {
    const flag = given(params, name)
    if (flag !== undefined && !FLAG.test(flag)) return malformed(`${name} is ${shown(flag)}; it must be true or false.`)
  }
  const risk = given(params, 'RiskCheck')
  if (risk !== undefined && risk !== 'enable' && risk !== 'disable')
    return malformed(`RiskCheck is ${shown(risk)}; it must be enable or disable.`)
  if (Array.from(params.get('Body') ?? '').length > BODY_CHARS_MAX)
    return malformed(`Body is longer than ${BODY_CHARS_MAX} characters.`)
  const media = params.all('MediaUrl').filter((url) => url !== '').length
  if (media > MEDIA_MAX) return malformed(`MediaUrl stands ${media} times; Twilio takes ${MEDIA_MAX}.`)
  if (media === 0 && given(params, 'Body') === undefined && given(params, 'ContentSid') === undefined)
    return malformed('Nothing to send: give Body, MediaUrl or ContentSid.')
  return null
}

const INSTANT = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,3})\d{0,6})?(Z|[+-]\d{2}:\d{2})$/

/** Epoch ms of an ISO 8601 instant with its offset; null for any other text, and for days that do not exist. */
export function instantOf(text: string): number | null {
  const [, local, fraction = '', offset] = INSTANT.exec(text) ?? []
  if (local === undefined) return null
  const there = Date.parse(`${local}Z`)
  // The standard parser turns the 31st of June into the first of July.
  if (Number.isNaN(there) || new Date(there).toISOString().slice(0, local.length) !== local) return null
  const at = Date.parse(`${local}.${fraction.padEnd(3, '0')}${offset}`)
  return Number.isNaN(at) ? null : at
}

/** @param segmentsAtLeast parts Twilio has counted, 0 before the message is sent */
function quoteMessage({ params, prices }: Question, segmentsAtLeast: number): Quote {
  const to = given(params, 'To')!
  const channel = recipientChannel(to)!
  const senders = ['From', 'FallbackFrom']
    .flatMap((name) => given(params, name) ?? [])
    .map((sender) => senderChannel(sender)!)
  if (channel !== 'phone') {
    if (senders.some((sender) => sender !== channel))
      return unpriceable(`To is a ${channel} address and the sender is not.`)
    return bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, `${channel}.twilio`) }])
  }
  const foreign = senders.find((sender) => sender !== 'phone' && sender !== 'short-code' && sender !== 'name')
  if (foreign !== undefined)
    return unpriceable(`A message from a ${foreign} sender to a phone number has no price in the table.`)

  const template = given(params, 'ContentSid') !== undefined
  const shortened = isTrue(params.get('ShortenUrls'))
  const segments = Math.max(
    template || shortened ? SEGMENTS_MAX : segmentsOf(params.get('Body') ?? '', mayBeSmart(params)),
    segmentsAtLeast,
  )
  const shortening: Item[] = shortened ? [{ units: 1n, price: flatPrice(prices, 'message.shorten_urls') }] : []
  const text = bill(prices, 'ceiling', [{ units: BigInt(segments), price: smsPrice(prices, to) }, ...shortening])
  const withMedia = params.all('MediaUrl').some((url) => url !== '') || isTrue(params.get('SendAsMms'))
  if (!withMedia && !template) return text
  // A messaging service may turn an MMS into a text with a link, and a template may hold a picture: the dearer counts.
  const media = bill(prices, 'ceiling', [{ units: 1n, price: mmsPrice(prices, to) }, ...shortening])
  if (media.basis === 'unpriceable') return media
  return text.basis === 'ceiling' && media.basis === 'ceiling' && text.amount > media.amount ? text : media
}

const isTrue = (flag: string | undefined): boolean => flag?.toLowerCase() === 'true'

/** Smart encoding is asked for, or may be switched on in the messaging service. */
const mayBeSmart = (params: Question['params']): boolean =>
  isTrue(params.get('SmartEncoded')) || given(params, 'MessagingServiceSid') !== undefined

const segmentsOf = (body: string, smart: boolean): number => (smart ? countSegmentsSmart(body) : countSegments(body))

function outcomeOfCreate(reply: JsonObject, question: Question, explanation: Explanation): Outcome {
  if (explanation.quote.basis !== 'ceiling') return {}
  const counted = /^[0-9]{1,3}$/.exec(textOf(reply.num_segments) ?? '')?.[0] ?? '0'
  const actual = quoteMessage(question, Number(counted))
  const amount =
    actual.basis === 'ceiling' && actual.amount > explanation.quote.amount ? actual.amount : explanation.quote.amount
  const sid = textOf(reply.sid)
  if (sid === undefined) return { amount }
  if (reply.status === 'scheduled') return { amount, object: sid, total: amount, estimate: sid }
  // Sent at once although it named a time: nothing is left to take back.
  return { amount, estimate: sid, ...(explanation.commits !== undefined && { commitment: sid, ends: sid }) }
}

function explainUpdate(question: Question): Explained {
  const { params } = question
  const status = params.get('Status')
  const body = params.get('Body')
  if (status !== undefined && body !== undefined) return refused('request_ambiguous', 'Give either Status or Body.')
  if (body === undefined && status !== 'canceled')
    return malformed(`Status is ${shown(status)}; a message can only be canceled.`)
  if (body !== undefined && body !== '') return malformed('Body may only be empty, which erases the text for good.')
  const effects: Effect[] = body === '' ? ['destructive'] : []
  return aboutMessage(question, { quote: { basis: 'free' }, subjects: {}, effects })
}

function aboutMessage(question: Question, explanation: Explanation): Explained {
  const sid = question.path.MessageSid ?? question.path.Sid!
  return aboutExisting(question, `/2010-04-01/Accounts/${question.path.AccountSid!}/Messages/${sid}.json`, explanation)
}
