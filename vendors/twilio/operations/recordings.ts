import type { Effect } from '../../../src/contracts/call.js'
import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { aboutCall, given, isObject, malformed, member, shown, textOf } from '../answers.js'
import { CALL_MINUTES_MAX } from '../dialling.js'
import { bill, flatPrice, unpriceable } from '../pricing.js'
import { names, plainly, rows, SOURCE } from '../rows.js'

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'
const CALL = `${ACCOUNT}/Calls/{CallSid}`
const CONFERENCE = `${ACCOUNT}/Conferences/{ConferenceSid}`
const STOPPED = 'Ends what costs by the minute.'
/** Twilio takes up to 99 name and value pairs. */
const PAIRS = Array.from({ length: 99 }, (_, at) => [`Parameter${at + 1}.Name`, `Parameter${at + 1}.Value`]).flat()

/** What runs beside a live call and is billed by the minute, and what is left of it afterwards. */
export const recordings: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'calls.recordings.create',
    routes: [`POST ${CALL}/Recordings.json`],
    effect: 'spend',
    accepts: names(`AccountSid RecordingStatusCallbackEvent RecordingStatusCallback RecordingStatusCallbackMethod Trim
      RecordingChannels RecordingTrack RecordingConfigurationId`),
    repeats: ['RecordingStatusCallbackEvent'],
    explain: beside('voice.recording', []),
  },
  {
    id: 'calls.transcriptions.create',
    routes: [`POST ${CALL}/Transcriptions.json`],
    effect: 'spend',
    accepts: names(`AccountSid Name Track StatusCallbackUrl StatusCallbackMethod InboundTrackLabel OutboundTrackLabel
      PartialResults LanguageCode TranscriptionEngine ProfanityFilter SpeechModel Hints EnableAutomaticPunctuation
      IntelligenceService ConversationConfiguration ConversationId TranscriptionConfigurationId EnableProviderData`),
    // The words go to StatusCallbackUrl while they are spoken.
    explain: beside('voice.transcription', ['routing']),
  },
  {
    id: 'calls.streams.create',
    routes: [`POST ${CALL}/Streams.json`],
    effect: 'spend',
    accepts: ['AccountSid', 'Url', 'Name', 'Track', 'StatusCallback', 'StatusCallbackMethod', ...PAIRS],
    explain: beside('voice.stream', ['routing']),
  },
  {
    id: 'calls.siprec.create',
    routes: [`POST ${CALL}/Siprec.json`],
    effect: 'spend',
    accepts: ['AccountSid', 'Name', 'ConnectorName', 'Track', 'StatusCallback', 'StatusCallbackMethod', ...PAIRS],
    explain: beside('voice.siprec', ['routing']),
  },
  {
    id: 'calls.recordings.update',
    routes: [`POST ${CALL}/Recordings/{Sid}.json`],
    effect: 'write',
    accepts: ['AccountSid', 'Status', 'PauseBehavior'],
    why: 'Pausing and stopping cost nothing; going on adds spend.',
    explain: (question) =>
      explainRecording(question, (explained) => aboutCall(question, explained), beside('voice.recording', [])),
  },
  {
    id: 'conferences.recordings.update',
    routes: [`POST ${CONFERENCE}/Recordings/{Sid}.json`],
    effect: 'write',
    accepts: ['AccountSid', 'Status', 'PauseBehavior'],
    why: 'Pausing and stopping cost nothing; going on has no bound we know.',
    explain: (question) =>
      explainRecording(
        question,
        (explained) => ({ ...explained, subjects: { recipients: null, senders: null } }),
        () => ({
          quote: unpriceable(
            'A recording of a conference lasts as long as the conference, which has no bound we know.',
          ),
          subjects: { recipients: null, senders: null },
        }),
      ),
  },
  ...rows(
    { effect: 'write', accepts: ['AccountSid', 'Status'], why: STOPPED, explain: explainStop },
    `
    calls.siprec.update POST ${CALL}/Siprec/{Sid}.json
    calls.streams.update POST ${CALL}/Streams/{Sid}.json
    calls.transcriptions.update POST ${CALL}/Transcriptions/{Sid}.json`,
  ),
  {
    id: 'voice.transcriptions.create',
    routes: ['POST voice.twilio.com/v3/Transcriptions'],
    effect: 'spend',
    body: 'json',
    accepts:
      names(`transcriptionConfigurationId transcription_configuration_id inputSource input_source sourceId source_id
      participants mediaUrl media_url audioStartedAt audio_started_at`),
    explain: explainTranscription,
  },

  {
    id: 'calls.user_defined_messages.create',
    routes: [`POST ${CALL}/UserDefinedMessages.json`],
    effect: 'write',
    accepts: ['AccountSid', 'Content', 'IdempotencyKey'],
    why: 'A message to the program at the other end of the call.',
    explain: (question) => aboutCall(question, { quote: { basis: 'free' }, subjects: {}, effects: ['routing'] }),
  },
  ...rows(
    {
      effect: 'routing',
      accepts: ['AccountSid', 'Callback', 'IdempotencyKey', 'Method'],
      why: 'Says where a call’s messages are sent.',
    },
    `calls.user_defined_message_subscriptions.create POST ${CALL}/UserDefinedMessageSubscriptions.json`,
  ),

  ...rows(
    {
      effect: 'destructive',
      explain: (question) => aboutCall(question, { quote: { basis: 'free' }, subjects: {} }),
    },
    `
    calls.recordings.delete DELETE ${CALL}/Recordings/{Sid}.json
    calls.user_defined_message_subscriptions.delete DELETE ${CALL}/UserDefinedMessageSubscriptions/{Sid}.json`,
  ),
  ...rows(
    { effect: 'destructive', people: true },
    `
    conferences.recordings.delete DELETE ${CONFERENCE}/Recordings/{Sid}.json
    recordings.delete DELETE ${ACCOUNT}/Recordings/{Sid}.json
    recordings.transcriptions.delete DELETE ${ACCOUNT}/Recordings/{RecordingSid}/Transcriptions/{Sid}.json
    recordings.add_on_results.delete DELETE ${ACCOUNT}/Recordings/{ReferenceSid}/AddOnResults/{Sid}.json
    recordings.add_on_results.payloads.delete DELETE ${ACCOUNT}/Recordings/{ReferenceSid}/AddOnResults/{AddOnResultSid}/Payloads/{Sid}.json
    transcriptions.delete DELETE ${ACCOUNT}/Transcriptions/{Sid}.json
    calls.archived.delete DELETE voice.twilio.com/v1/Archives/{Date}/Calls/{Sid}`,
  ),
  ...rows(
    { effect: 'read', explain: (question) => aboutCall(question, { quote: { basis: 'free' }, subjects: {} }) },
    `
    calls.recordings.list GET ${CALL}/Recordings.json
    calls.recordings.get GET ${CALL}/Recordings/{Sid}.json`,
  ),
  ...rows(
    { effect: 'read', people: true },
    `
    conferences.recordings.list GET ${CONFERENCE}/Recordings.json
    conferences.recordings.get GET ${CONFERENCE}/Recordings/{Sid}.json
    recordings.list GET ${ACCOUNT}/Recordings.json
    recordings.get GET ${ACCOUNT}/Recordings/{Sid}.json
    recordings.transcriptions.list GET ${ACCOUNT}/Recordings/{RecordingSid}/Transcriptions.json
    recordings.transcriptions.get GET ${ACCOUNT}/Recordings/{RecordingSid}/Transcriptions/{Sid}.json
    recordings.add_on_results.list GET ${ACCOUNT}/Recordings/{ReferenceSid}/AddOnResults.json
    recordings.add_on_results.get GET ${ACCOUNT}/Recordings/{ReferenceSid}/AddOnResults/{Sid}.json
    recordings.add_on_results.payloads.list GET ${ACCOUNT}/Recordings/{ReferenceSid}/AddOnResults/{AddOnResultSid}/Payloads.json
    recordings.add_on_results.payloads.get GET ${ACCOUNT}/Recordings/{ReferenceSid}/AddOnResults/{AddOnResultSid}/Payloads/{Sid}.json
    transcriptions.list GET ${ACCOUNT}/Transcriptions.json
    transcriptions.get GET ${ACCOUNT}/Transcriptions/{Sid}.json
    voice.transcriptions.list GET voice.twilio.com/v3/Transcriptions
    voice.transcriptions.get GET voice.twilio.com/v3/Transcriptions/{TranscriptionId}`,
  ),
  // Leads to a signed address of the file.
  ...rows(
    { effect: 'read', people: true, reveals: ['redirect_to'] },
    `recordings.add_on_results.payloads.data GET ${ACCOUNT}/Recordings/{ReferenceSid}/AddOnResults/{AddOnResultSid}/Payloads/{PayloadSid}/Data.json`,
  ),
])

/** As many minutes as any call can last, at a flat price: how long this one still lasts nobody knows. */
function beside(price: string, effects: readonly Effect[]) {
  return (question: Question): Explained => {
    const plain = plainly(question, false)
    if (plain.refuse) return plain
    const { prices } = question
    const quote = bill(prices, 'ceiling', [{ units: CALL_MINUTES_MAX, price: flatPrice(prices, price) }])
    return aboutCall(question, { ...plain, direction: 'out', effects, quote })
  }
}

function explainRecording(
  question: Question,
  about: (explanation: Explanation) => Explained,
  resumed: (question: Question) => Explained,
): Explained {
  const status = given(question.params, 'Status')
  if (status === 'paused' || status === 'stopped') return about({ quote: { basis: 'free' }, subjects: {} })
  if (status !== 'in-progress')
    return malformed(`Status is ${shown(status)}; a recording can be paused, in-progress or stopped.`)
  const spends = (explanation: Explanation): Explanation => ({
    ...explanation,
    direction: 'out',
    effects: [...(explanation.effects ?? []), 'spend'],
  })
  const explained = resumed(question)
  return 'lookUp' in explained
    ? { ...explained, then: (reply) => spends(explained.then(reply) as Explanation) }
    : spends(explained)
}

function explainStop(question: Question): Explained {
  const status = given(question.params, 'Status')
  return status === 'stopped'
    ? aboutCall(question, { quote: { basis: 'free' }, subjects: {} })
    : malformed(`Status is ${shown(status)}; it can only be stopped.`)
}

/** A recording of Twilio's says how long it is; a file elsewhere does not. */
function explainTranscription(question: Question): Explained {
  const { json, prices, account } = question
  const plain = plainly(question, true)
  if (plain.refuse) return plain
  const priced = (quote: Explanation['quote']): Explanation => ({
    ...plain,
    direction: 'out',
    effects: ['routing'],
    quote,
  })
  if (member(json, 'media_url') !== undefined)
    return priced(unpriceable('How long the file at mediaUrl is cannot be told. Use sourceId of a Twilio recording.'))
  const source = member(json, 'source_id')
  if (!isObject(json) || typeof source !== 'string' || !/^RE[0-9a-fA-F]{32}$/.test(source))
    return priced(unpriceable('sourceId is not a Twilio recording (RE and 32 hex digits), so its length is not known.'))
  return {
    lookUp: { path: `/2010-04-01/Accounts/${account}/Recordings/${source}.json` },
    then: (recording) => {
      const seconds = /^[0-9]{1,6}$/.exec(textOf(recording?.duration) ?? '')?.[0]
      if (seconds === undefined || recording?.status !== 'completed')
        return priced(unpriceable('The recording does not exist or is not completed, so its length is not known.'))
      const minutes = (BigInt(seconds) + 59n) / 60n
      const units = minutes === 0n ? 1n : minutes
      return priced(bill(prices, 'ceiling', [{ units, price: flatPrice(prices, 'voice.transcription') }]))
    },
  }
}
