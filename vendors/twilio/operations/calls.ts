import type { Effect } from '../../../src/contracts/call.js'
import type { Explained, Explanation, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { recipientChannel, senderChannel } from '../addresses.js'
import { aboutExisting, given, listParties, malformed, PAGING, refused, shown } from '../answers.js'
import { bill, flatPrice, minutePrice, unpriceable, type Item } from '../pricing.js'
import { readTwiml, type Script } from '../twiml.js'
import { urlsAmong } from '../urls.js'

const CALLS = '/2010-04-01/Accounts/{AccountSid}/Calls'

/** Seconds a call may last when the request does not say. Twilio's own default is four hours. */
const TIME_LIMIT_DEFAULT_S = 600
/** Twilio's account default, and the most we let through. */
const TIME_LIMIT_MAX_S = 14_400

const UNBOUNDED =
  'The Twiml holds verbs or attributes whose cost the TimeLimit does not bound. ' +
  'Say, Play, Pause, Hangup, Reject and Gather for keys are priced.'

const ORDERS = ['Url', 'Twiml', 'ApplicationSid'] as const
const CALLBACKS = [
  'Url',
  'FallbackUrl',
  'StatusCallback',
  'RecordingStatusCallback',
  'AsyncAmdStatusCallback',
  'ClientNotificationUrl',
] as const

export const calls: readonly Operation[] = [
  {
    id: 'calls.create',
    routes: [`POST ${CALLS}.json`],
    effect: 'spend',
    accepts: [
      'AccountSid',
      'To',
      'From',
      'Method',
      'FallbackUrl',
      'FallbackMethod',
      'StatusCallback',
      'StatusCallbackEvent',
      'StatusCallbackMethod',
      'SendDigits',
      'Timeout',
      'Record',
      'RecordingChannels',
      'RecordingStatusCallback',
      'RecordingStatusCallbackMethod',
      'RecordingConfigurationId',
      'SipAuthUsername',
      'SipAuthPassword',
      'MachineDetection',
      'MachineDetectionTimeout',
      'RecordingStatusCallbackEvent',
      'Trim',
      'CallerId',
      'MachineDetectionSpeechThreshold',
      'MachineDetectionSpeechEndThreshold',
      'MachineDetectionSilenceTimeout',
      'AsyncAmd',
      'AsyncAmdStatusCallback',
      'AsyncAmdStatusCallbackMethod',
      'Byoc',
      'CallReason',
      'CallToken',
      'RecordingTrack',
      'TimeLimit',
      'ClientNotificationUrl',
      'Url',
      'Twiml',
      'ApplicationSid',
    ],
    repeats: ['StatusCallbackEvent', 'RecordingStatusCallbackEvent'],
    explain: explainCreate,
  },
  {
    id: 'calls.update',
    routes: [`POST ${CALLS}/{Sid}.json`],
    effect: 'write',
    accepts: [
      'AccountSid',
      'Url',
      'Method',
      'Status',
      'FallbackUrl',
      'FallbackMethod',
      'StatusCallback',
      'StatusCallbackMethod',
      'Twiml',
      'TimeLimit',
    ],
    explain: explainUpdate,
  },
  {
    id: 'calls.delete',
    routes: [`DELETE ${CALLS}/{Sid}.json`],
    effect: 'destructive',
    accepts: ['AccountSid'],
    explain: (question) => aboutCall(question, { quote: { basis: 'free' }, subjects: {} }),
  },
  {
    id: 'calls.list',
    routes: [`GET ${CALLS}.json`],
    effect: 'read',
    accepts: [
      'To',
      'From',
      'ParentCallSid',
      'Status',
      'StartTime',
      'StartTime<',
      'StartTime>',
      'EndTime',
      'EndTime<',
      'EndTime>',
      ...PAGING,
    ],
    explain: (question) => ({ quote: { basis: 'free' }, subjects: listParties(question.params) }),
  },
  {
    id: 'calls.get',
    routes: [`GET ${CALLS}/{Sid}.json`],
    effect: 'read',
    explain: (question) => aboutCall(question, { quote: { basis: 'free' }, subjects: {} }),
  },
]

function explainCreate(question: Question): Explained {
  const { params } = question
  const fault = faultOfCreate(params)
  if (fault) return fault
  const limit = timeLimit(params)
  if (limit === null)
    return malformed(`TimeLimit is ${shown(params.get('TimeLimit'))}; it must be whole seconds like 600.`)
  const urls = urlsAmong(params, CALLBACKS)
  if ('fault' in urls) return malformed(urls.fault)
  const script = inlineScript(params)
  if (script === null) return malformed('Twiml is not plain well-formed XML of at most 4000 characters.')

  const bounded = script?.bounded ?? true
  const effects: Effect[] = bounded ? [] : ['routing']
  const application = given(params, 'ApplicationSid') !== undefined
  return {
    direction: 'out',
    quote: bounded ? quoteCall(question, limit) : unpriceable(UNBOUNDED),
    effects,
    set: { TimeLimit: limit.toString() },
    subjects: {
      recipients: [params.get('To')!],
      senders: ['From', 'CallerId'].flatMap((name) => given(params, name) ?? []),
      // An application's addresses are not in the request.
      urls: application ? null : [...urls.urls, ...(script?.urls ?? [])],
    },
  }
}

function faultOfCreate(params: Params): Explanation | null {
  const to = given(params, 'To')
  if (to === undefined || recipientChannel(to) === null)
    return malformed(`To is ${shown(to)}; it must be a number like +14155550100, or a sip: or client: address.`)
  const from = given(params, 'From')
  if (from === undefined) return malformed('Name the caller: From.')
  for (const name of ['From', 'CallerId']) {
    const sender = given(params, name)
    if (sender !== undefined && senderChannel(sender) === null)
      return malformed(`${name} is ${shown(sender)}, which is no caller Twilio knows.`)
  }
  const orders = ORDERS.filter((name) => given(params, name) !== undefined)
  if (orders.length === 0) return malformed('Say what the call shall do: Url or Twiml.')
  if (orders.length > 1) return refused('request_ambiguous', `${orders.join(' and ')} both say what the call shall do.`)
  const digits = given(params, 'SendDigits')
  if (digits !== undefined && !/^[0-9A-Da-d#*wW,]{1,64}$/.test(digits))
    return malformed(`SendDigits is ${shown(digits)}; only keys and waits can be sent.`)
  return null
}

/** Seconds the call may last, never more than TIME_LIMIT_MAX_S. Null when the value is no plain whole number. */
function timeLimit(params: Params): bigint | null {
  const asked = given(params, 'TimeLimit') ?? String(TIME_LIMIT_DEFAULT_S)
  if (!/^[1-9][0-9]{0,8}$/.test(asked)) return null
  return BigInt(asked) > TIME_LIMIT_MAX_S ? BigInt(TIME_LIMIT_MAX_S) : BigInt(asked)
}

/** Undefined: no inline TwiML. Null: not to be read. */
function inlineScript(params: Params): Script | null | undefined {
  const twiml = given(params, 'Twiml')
  return twiml === undefined ? undefined : readTwiml(twiml)
}

/** Every minute that begins is billed. What Twilio bills beside the minute has a flat price, or the call has none. */
function quoteCall({ params, prices }: Question, limitS: bigint) {
  if (given(params, 'ApplicationSid') !== undefined)
    return unpriceable('What a TwiML application does stands at Twilio, not in the request. Use Url or Twiml.')
  if (given(params, 'Byoc') !== undefined) return unpriceable('Calls over a BYOC trunk are billed by another carrier.')
  const minutes = (limitS + 59n) / 60n
  const to = given(params, 'To')!
  const channel = recipientChannel(to)!
  const items: Item[] = [
    { units: minutes, price: channel === 'phone' ? minutePrice(prices, to) : flatPrice(prices, `voice.${channel}`) },
  ]
  if (isAsked(params, 'Record') || isAsked(params, 'RecordingConfigurationId'))
    items.push({ units: minutes, price: flatPrice(prices, 'voice.recording') })
  if (isAsked(params, 'MachineDetection') || isAsked(params, 'AsyncAmd'))
    items.push({ units: 1n, price: flatPrice(prices, 'voice.amd') })
  return bill(prices, 'ceiling', items)
}

const isAsked = (params: Params, name: string): boolean => (given(params, name) ?? 'false').toLowerCase() !== 'false'

/** New orders for a live call, an inbound one too, may dial anywhere; hanging up is an ordinary write. */
function explainUpdate(question: Question): Explained {
  const { params } = question
  const status = given(params, 'Status')
  if (status !== undefined && status !== 'completed' && status !== 'canceled')
    return malformed(`Status is ${shown(status)}; a call can be completed or canceled.`)
  const urls = urlsAmong(params, CALLBACKS)
  if ('fault' in urls) return malformed(urls.fault)
  const redirects = ['Url', 'Twiml', 'FallbackUrl'].some((name) => given(params, name) !== undefined)
  const prolongs = given(params, 'TimeLimit') !== undefined
  if (status !== undefined && (redirects || prolongs))
    return refused('request_ambiguous', 'Status ends the call and the other parameters continue it.')
  const effects: Effect[] = redirects ? ['routing', 'spend'] : prolongs ? ['spend'] : []
  return aboutCall(question, {
    direction: redirects || prolongs ? 'out' : 'none',
    quote:
      redirects || prolongs
        ? unpriceable('New orders or more time for a live call have no bound we know.')
        : { basis: 'free' },
    effects,
    subjects: { urls: urls.urls },
  })
}

const aboutCall = (question: Question, explanation: Explanation): Explained =>
  aboutExisting(
    question,
    `/2010-04-01/Accounts/${question.path.AccountSid!}/Calls/${question.path.Sid!}.json`,
    explanation,
  )
