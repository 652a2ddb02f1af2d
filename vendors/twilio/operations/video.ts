import type { Explained, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given } from '../answers.js'
import { jsonIn } from '../json.js'
import { bill, flatPrice, unpriceable } from '../pricing.js'
import { names, plainly, SOURCE } from '../rows.js'
import { tables, unknownCost } from './tables.js'

const table = tables({ v1: ['video.twilio.com/v1'] })

const BY_THE_MINUTE = 'It is billed by the minutes of a recording or a meeting, which are not in the request.'

export const video: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'video.rooms.create',
    routes: ['POST video.twilio.com/v1/Rooms'],
    effect: 'spend',
    why: 'Bounded by MaxParticipants × MaxParticipantDuration minutes at the flat price video.participant_minute.',
    accepts: names(`
      AudioOnly EmptyRoomTimeout EnableTurn LargeRoom MaxParticipantDuration MaxParticipants MediaRegion
      RecordParticipantsOnConnect RecordingRules StatusCallback StatusCallbackMethod
      TranscribeParticipantsOnConnect TranscriptionsConfiguration Type UniqueName UnusedRoomTimeout VideoCodecs
    `),
    repeats: ['VideoCodecs'],
    explain: explainRoom,
  },
  {
    id: 'video.rooms.transcriptions.update',
    routes: ['POST video.twilio.com/v1/Rooms/{RoomSid}/Transcriptions/{Ttid}'],
    effect: 'spend',
    why: BY_THE_MINUTE,
    accepts: ['Status', 'Configuration'],
    explain: explainTranscription,
  },
  {
    id: 'video.rooms.recording_rules.update',
    routes: ['POST video.twilio.com/v1/Rooms/{RoomSid}/RecordingRules'],
    effect: 'write',
    why: 'Rules that only exclude stop a recording; others start one and are refused.',
    accepts: ['Rules'],
    explain: explainRules,
  },
  ...table({
    effect: 'future_spend',
    ...unknownCost(
      'A hook composes every room that ends from then on, and a composition is billed by its minutes.',
      `
      AudioSources AudioSourcesExcluded Enabled Format FriendlyName Resolution StatusCallback
      StatusCallbackMethod Trim VideoLayout
    `,
    ),
    repeats: ['AudioSources', 'AudioSourcesExcluded'],
  })(`
    video.composition_hooks.create POST v1/CompositionHooks
    video.composition_hooks.update POST v1/CompositionHooks/{Sid}
  `),
  ...table({
    effect: 'spend',
    ...unknownCost(
      BY_THE_MINUTE,
      `
      AudioSources AudioSourcesExcluded Configuration Format Resolution RoomSid StatusCallback
      StatusCallbackMethod Trim VideoLayout
    `,
    ),
    repeats: ['AudioSources', 'AudioSourcesExcluded'],
  })(`
    video.compositions.create POST v1/Compositions
    video.rooms.transcriptions.create POST v1/Rooms/{RoomSid}/Transcriptions
  `),
  ...table({ effect: 'routing', why: 'Recordings of every room go to the storage that is named here.' })(`
    video.composition_settings.update POST v1/CompositionSettings/Default
    video.recording_settings.update POST v1/RecordingSettings/Default
  `),
  ...table({ effect: 'destructive', why: 'Ends a room, removes people from it, or deletes what was recorded.' })(`
    video.composition_hooks.delete DELETE v1/CompositionHooks/{Sid}
    video.compositions.delete DELETE v1/Compositions/{Sid}
    video.recordings.delete DELETE v1/Recordings/{Sid}
    video.rooms.participants.update POST v1/Rooms/{RoomSid}/Participants/{Sid}
    video.rooms.participants.anonymize POST v1/Rooms/{RoomSid}/Participants/{Sid}/Anonymize
    video.rooms.recordings.delete DELETE v1/Rooms/{RoomSid}/Recordings/{Sid}
    video.rooms.update POST v1/Rooms/{Sid}
  `),
  ...table({ effect: 'write', why: 'Which tracks somebody receives.' })(`
    video.rooms.participants.subscribe_rules.update POST v1/Rooms/{RoomSid}/Participants/{ParticipantSid}/SubscribeRules
  `),
  ...table({
    effect: 'read',
    people: true,
    why: 'Shows who was in a room and what was said.',
    repeats: ['GroupingSid'],
  })(`
    video.compositions.list GET v1/Compositions
    video.compositions.get GET v1/Compositions/{Sid}
    video.recordings.list GET v1/Recordings
    video.recordings.get GET v1/Recordings/{Sid}
    video.recordings.media.get GET v1/Recordings/{Sid}/Media
    video.rooms.participants.list GET v1/Rooms/{RoomSid}/Participants
    video.rooms.participants.get GET v1/Rooms/{RoomSid}/Participants/{Sid}
    video.rooms.recordings.list GET v1/Rooms/{RoomSid}/Recordings
    video.rooms.recordings.get GET v1/Rooms/{RoomSid}/Recordings/{Sid}
    video.rooms.transcriptions.list GET v1/Rooms/{RoomSid}/Transcriptions
    video.rooms.transcriptions.get GET v1/Rooms/{RoomSid}/Transcriptions/{Ttid}
  `),
  ...table({ effect: 'read' })(`
    video.composition_hooks.list GET v1/CompositionHooks
    video.composition_hooks.get GET v1/CompositionHooks/{Sid}
    video.composition_settings.get GET v1/CompositionSettings/Default
    video.recording_settings.get GET v1/RecordingSettings/Default
    video.rooms.list GET v1/Rooms
    video.rooms.participants.published_tracks.list GET v1/Rooms/{RoomSid}/Participants/{ParticipantSid}/PublishedTracks
    video.rooms.participants.published_tracks.get GET v1/Rooms/{RoomSid}/Participants/{ParticipantSid}/PublishedTracks/{Sid}
    video.rooms.participants.subscribe_rules.get GET v1/Rooms/{RoomSid}/Participants/{ParticipantSid}/SubscribeRules
    video.rooms.participants.subscribed_tracks.list GET v1/Rooms/{RoomSid}/Participants/{ParticipantSid}/SubscribedTracks
    video.rooms.participants.subscribed_tracks.get GET v1/Rooms/{RoomSid}/Participants/{ParticipantSid}/SubscribedTracks/{Sid}
    video.rooms.recording_rules.get GET v1/Rooms/{RoomSid}/RecordingRules
    video.rooms.get GET v1/Rooms/{Sid}
  `),
])

/** Twilio's defaults are 50 participants and four hours, so both bounds must be given. */
function explainRoom(question: Question): Explained {
  const explained = plainly(question, true)
  if (explained.refuse) return explained
  const { params, prices } = question
  const people = wholeNumber(params, 'MaxParticipants')
  const seconds = wholeNumber(params, 'MaxParticipantDuration')
  const effects = explained.subjects.urls === undefined ? [] : (['routing'] as const)
  if (people === null || seconds === null) {
    const why =
      'Give MaxParticipants and MaxParticipantDuration (seconds) as whole numbers: they bound what a room costs.'
    return { ...explained, direction: 'out', effects, quote: unpriceable(why) }
  }
  const billed = [
    'video.participant_minute',
    ...(isAsked(params, 'RecordParticipantsOnConnect') || isAsked(params, 'RecordingRules')
      ? ['video.recording_minute']
      : []),
    ...(isAsked(params, 'TranscribeParticipantsOnConnect') || isAsked(params, 'TranscriptionsConfiguration')
      ? ['video.transcription_minute']
      : []),
  ]
  const minutes = people * ((seconds + 59n) / 60n)
  const items = billed.map((name) => ({ units: minutes, price: flatPrice(prices, name) }))
  return { ...explained, direction: 'out', effects, quote: bill(prices, 'ceiling', items) }
}

function wholeNumber(params: Params, name: string): bigint | null {
  const text = given(params, name) ?? ''
  return /^[1-9][0-9]{0,5}$/.test(text) ? BigInt(text) : null
}

const isAsked = (params: Params, name: string): boolean => (given(params, name) ?? 'false').toLowerCase() !== 'false'

function explainTranscription(question: Question): Explained {
  const explained = plainly(question, true)
  const stops = given(question.params, 'Status') === 'stopped' && !question.params.has('Configuration')
  return stops
    ? { ...explained, quote: { basis: 'free', why: 'It stops the transcription, which then costs no more.' } }
    : { ...explained, direction: 'out', quote: unpriceable(BY_THE_MINUTE) }
}

function explainRules(question: Question): Explained {
  const explained = plainly(question, true)
  const rules = jsonIn(given(question.params, 'Rules') ?? '')
  const stops = Array.isArray(rules) && rules.every((rule) => (rule as { type?: unknown } | null)?.type === 'exclude')
  return stops ? explained : { ...explained, direction: 'out', effects: ['spend'], quote: unpriceable(BY_THE_MINUTE) }
}
