import type { Effect, Quote } from '../../../src/contracts/call.js'
import type {
  Explained,
  Explanation,
  JsonObject,
  Operation,
  Outcome,
  Params,
  Question,
} from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { aboutCall, given, listParties, malformed, PAGING, refused, shown, textOf } from '../answers.js'
import { badTimeLimit, callersOf, faultOfParties, isAsked, quoteDialled, timeLimit, untilHungUp } from '../dialling.js'
import { unpriceable } from '../pricing.js'
import { SOURCE } from '../rows.js'
import { readTwiml, type Script } from '../twiml.js'
import { urlsAmong } from '../urls.js'

const CALLS = '/2010-04-01/Accounts/{AccountSid}/Calls'

const UNBOUNDED =
  'The Twiml holds verbs or attributes whose cost the TimeLimit does not bound. ' +
  'Say, Play, Pause, Hangup, Reject and Gather for keys are priced.'

/** Parameters that cost beside the minutes (twilio-node 6.2.0, CallInstance.price). */
const BILLED_APART = ['Record', 'RecordingConfigurationId', 'MachineDetection', 'AsyncAmd'] as const
const ORDERS = ['Url', 'Twiml', 'ApplicationSid'] as const
const CALLBACKS = [
  'Url',
  'FallbackUrl',
  'StatusCallback',
  'RecordingStatusCallback',
  'AsyncAmdStatusCallback',
  'ClientNotificationUrl',
] as const

export const calls: readonly Operation[] = product({ source: SOURCE }, [
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
    outcome: (reply, question) => {
      const sid = textOf(reply.sid)
      if (sid === undefined) return {}
      // Twilio's price of a call leaves out what these cost, so their ceiling stays.
      const beside = BILLED_APART.some((name) => isAsked(question.params, name))
      return { commitment: sid, ...(beside ? { made: sid } : { estimate: sid }) }
    },
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
    weaker: 'Hanging up costs nothing; new orders and more time add routing and spend.',
    explain: explainUpdate,
    outcome: endOf,
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
    outcome: endOf,
  },
])

const OVER: ReadonlySet<unknown> = new Set(['completed', 'busy', 'failed', 'no-answer', 'canceled'])

/** Whoever sees the end of a call ends what was kept for hanging it up. */
function endOf(reply: JsonObject): Outcome {
  const sid = textOf(reply.sid)
  return sid !== undefined && OVER.has(reply.status) ? { ends: sid } : {}
}

function explainCreate(question: Question): Explained {
  const { params } = question
  const fault = faultOfParties(params) ?? faultOfOrders(params)
  if (fault) return fault
  const limit = timeLimit(params)
  if (limit === null) return badTimeLimit(params)
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
    commits: untilHungUp(question, limit),
    subjects: {
      recipients: [params.get('To')!],
      senders: callersOf(params),
      // An application's addresses are not in the request.
      urls: application ? null : [...urls.urls, ...(script?.urls ?? [])],
    },
  }
}

function faultOfOrders(params: Params): Explanation | null {
  const orders = ORDERS.filter((name) => given(params, name) !== undefined)
  if (orders.length === 0) return malformed('Say what the call shall do: Url or Twiml.')
  if (orders.length > 1) return refused('request_ambiguous', `${orders.join(' and ')} both say what the call shall do.`)
  const digits = given(params, 'SendDigits')
  if (digits !== undefined && !/^[0-9A-Da-d#*wW,]{1,64}$/.test(digits))
    return malformed(`SendDigits is ${shown(digits)}; only keys and waits can be sent.`)
  return null
}

/** Undefined: no inline TwiML. Null: not to be read. */
function inlineScript(params: Params): Script | null | undefined {
  const twiml = given(params, 'Twiml')
  return twiml === undefined ? undefined : readTwiml(twiml)
}

/** What an application does stands at Twilio; everything else is priced as dialled. */
const quoteCall = (question: Question, limitS: bigint): Quote =>
  given(question.params, 'ApplicationSid') === undefined
    ? quoteDialled(question, limitS)
    : unpriceable('What a TwiML application does stands at Twilio, not in the request. Use Url or Twiml.')

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
