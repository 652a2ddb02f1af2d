import type { Subjects } from '../../../src/contracts/call.js'
import type { Explained, Explanation, Json, JsonObject, Question } from '../../../src/contracts/vendor.js'
import { isEmail, recipientChannel } from '../addresses.js'
import { given, malformed, shown, textOf } from '../answers.js'
import { jsonIn } from '../json.js'
import { unpriceable } from '../pricing.js'
import { BODY_CHARS_MAX } from '../segments.js'
import { isPlainUrl } from '../urls.js'
import { quoteEach, type Content } from './fan-out.js'

/** A page; whoever has more participants than that has no price. */
const PARTICIPANTS_MAX = 50
const CHAT_ONLY = 'Everybody in the conversation is a chat user, and a message to those is not billed by itself.'
const SENDS_NOTHING = 'It sends nothing: what is written into the conversation later is counted then.'

/** Whom a message reaches stands in the conversation, not in the request. */
export function explainMessage(question: Question): Explained {
  const { params, path } = question
  const text = params.get('Body') ?? ''
  if (Array.from(text).length > BODY_CHARS_MAX) return malformed(`Body is longer than ${BODY_CHARS_MAX} characters.`)
  const content: Content = {
    text,
    media: given(params, 'MediaSid') !== undefined,
    template: given(params, 'ContentSid') !== undefined,
  }
  const service = path.ChatServiceSid === undefined ? '' : `/Services/${path.ChatServiceSid}`
  return {
    lookUp: {
      path: `conversations.twilio.com/v1${service}/Conversations/${path.ConversationSid!}/Participants`,
      params: [['PageSize', String(PARTICIPANTS_MAX)]],
    },
    then: (reply) => toParticipants(question, reply, content),
  }
}

function toParticipants({ prices }: Question, reply: JsonObject | null, content: Content): Explanation {
  const listed = reply?.participants
  if (!Array.isArray(listed))
    return unknown('The conversation’s participants cannot be read, so what it sends is not known.')
  if (textOf(objectOf(reply?.meta)?.next_page_url) !== undefined)
    return unknown(`The conversation has more than ${PARTICIPANTS_MAX} participants, too many to price a message to.`)
  const bindings = listed.map((each) => objectOf(objectOf(each)?.messaging_binding)).filter((each) => each !== null)
  const reached = bindings.filter((binding) => textOf(binding.address) !== undefined)
  const addresses = reached.map((binding) => textOf(binding.address)!)
  // A phone without a proxy number, or a chat user with a projected one, makes it a group that Twilio sends as MMS.
  const group = bindings.some(
    (binding) => textOf(binding.projected_address) !== undefined || textOf(binding.proxy_address) === undefined,
  )
  const nameless = bindings.find(
    (binding) => textOf(binding.address) === undefined && textOf(binding.projected_address) === undefined,
  )
  if (nameless !== undefined)
    return unknown('A participant has a binding without an address, so whom it reaches is not known.')
  if (addresses.length === 0)
    return { quote: { basis: 'free', why: CHAT_ONLY }, subjects: { recipients: [], senders: [] } }
  return {
    direction: 'out',
    quote: quoteEach(prices, addresses, group ? { ...content, media: true } : content),
    subjects: { recipients: addresses.map(asListed), senders: sendersIn(bindings) },
  }
}

const unknown = (why: string): Explanation => ({
  quote: unpriceable(why),
  subjects: { recipients: null, senders: null },
})

const sendersIn = (bindings: readonly JsonObject[]): string[] => [
  ...new Set(bindings.flatMap((each) => textOf(each.proxy_address) ?? textOf(each.projected_address) ?? [])),
]

/** Nothing is sent yet, but whoever is added is reached by every later message, those of others included. */
export function explainParticipant(question: Question): Explained {
  const { params } = question
  const address = given(params, 'MessagingBinding.Address')
  if (address !== undefined && !isReachable(address))
    return malformed(`MessagingBinding.Address is ${shown(address)}, which is no address Twilio knows.`)
  const senders = ['MessagingBinding.ProxyAddress', 'MessagingBinding.ProjectedAddress'].flatMap(
    (name) => given(params, name) ?? [],
  )
  const reached = address !== undefined || senders.length > 0
  return {
    quote: { basis: 'free' },
    effects: reached ? ['future_spend'] : [],
    subjects: partiesOf(address === undefined ? [] : [address], senders),
  }
}

/** Each Participant is JSON text: an identity, or a messaging_binding with addresses. */
export function explainWithParticipants(question: Question): Explained {
  const bindings: JsonObject[] = []
  for (const text of question.params.all('Participant')) {
    const participant = objectOf(jsonIn(text))
    const binding = objectOf(participant?.messaging_binding)
    const address = textOf(binding?.address)
    if (participant === null || (binding === null && textOf(participant.identity) === undefined))
      return malformed(`Participant is ${shown(text)}; it must be JSON with an identity or a messaging_binding.`)
    if (address !== undefined && !isReachable(address))
      return malformed(`${shown(address)} is no address Twilio knows.`)
    if (binding !== null) bindings.push(binding)
  }
  const recipients = bindings.flatMap((each) => textOf(each.address) ?? [])
  return {
    quote: { basis: 'free', why: SENDS_NOTHING },
    effects: bindings.length > 0 ? ['future_spend'] : [],
    subjects: partiesOf(recipients, sendersIn(bindings)),
  }
}

const partiesOf = (recipients: readonly string[], senders: readonly string[]): Subjects => ({
  recipients: recipients.map(asListed),
  senders,
})

const isReachable = (address: string): boolean => recipientChannel(address) !== null || isEmail(address)
const asListed = (address: string): string => (isEmail(address) ? address.toLowerCase() : address)

/** Conversations v2: the only action that is understood sends one message to the addresses it names. */
export function explainAction(question: Question): Explained {
  const body = objectOf(question.json)
  const type = textOf(body?.type)
  if (type !== 'SEND_MESSAGE')
    return unknown(`An action of type ${shown(type)} is not understood, so what it costs is not known.`)
  const payload = objectOf(body?.payload)
  const stranger = Object.keys(payload ?? {}).find((name) => !['from', 'to', 'content'].includes(name))
  if (payload === null || stranger !== undefined)
    return unknown(
      `The payload of SEND_MESSAGE is priced with from, to and content alone, not with ${shown(stranger)}.`,
    )
  const media = urlsOf(objectOf(payload.content))
  const content = contentOf(objectOf(payload.content))
  if (content === null || media === null)
    return malformed(
      `payload.content must hold text of at most ${BODY_CHARS_MAX} characters, contentId, variables or plain mediaUrls.`,
    )
  if (!Array.isArray(payload.to) || payload.to.length === 0)
    return malformed('payload.to must list those it is sent to.')
  const addresses: string[] = []
  for (const party of payload.to) {
    const address = addressOf(objectOf(party))
    if (address === null)
      return unknown(
        'payload.to must give address and channel (SMS, WHATSAPP or RCS) of everybody: a participant’s id alone has no price.',
      )
    addresses.push(address)
  }
  const from = addressOf(objectOf(payload.from))
  return {
    direction: 'out',
    quote: quoteEach(question.prices, addresses, content),
    subjects: {
      recipients: addresses,
      senders: from === null ? null : [from],
      ...(media.length > 0 && { urls: media }),
    },
  }
}

function contentOf(content: JsonObject | null): Content | null {
  const { text = '', mediaUrls, contentId, variables: _, ...others } = content ?? {}
  if (content === null || typeof text !== 'string' || Object.keys(others).length > 0) return null
  if (Array.from(text).length > BODY_CHARS_MAX) return null
  return { text, media: mediaUrls !== undefined, template: contentId !== undefined }
}

function urlsOf(content: JsonObject | null): readonly string[] | null {
  const urls = content?.mediaUrls ?? []
  if (!Array.isArray(urls)) return null
  const plain = urls.filter((url) => typeof url === 'string').filter(isPlainUrl)
  return plain.length === urls.length ? plain : null
}

const SCHEMES: ReadonlyMap<string, string> = new Map([
  ['SMS', ''],
  ['WHATSAPP', 'whatsapp:'],
  ['RCS', 'rcs:'],
])

/** As the rest of Twilio writes it: a bare number, or one behind `whatsapp:` or `rcs:`. Null where it has no price. */
function addressOf(party: JsonObject | null): string | null {
  const address = textOf(party?.address)
  const scheme = SCHEMES.get(textOf(party?.channel) ?? '')
  if (address === undefined || scheme === undefined || party?.participantId !== undefined) return null
  const full = address.startsWith(scheme) ? address : scheme + address
  return recipientChannel(full) === (scheme === '' ? 'phone' : scheme.slice(0, -1)) ? full : null
}

const objectOf = (value: Json | undefined): JsonObject | null =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
