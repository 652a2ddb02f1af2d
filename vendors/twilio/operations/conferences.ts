import type { Effect } from '../../../src/contracts/call.js'
import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { aboutCall, given, malformed, refused, shown, textOf } from '../answers.js'
import { badTimeLimit, callersOf, faultOfParties, isAsked, quoteDialled, timeLimit, untilHungUp } from '../dialling.js'
import { unpriceable } from '../pricing.js'
import { names, plainly, rows, SOURCE } from '../rows.js'

const CONFERENCES = '/2010-04-01/Accounts/{AccountSid}/Conferences'
const PARTICIPANTS = `${CONFERENCES}/{ConferenceSid}/Participants`

/** Conferences. Adding a participant places a call, and is priced as one. */
export const conferences: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'conferences.participants.create',
    routes: [`POST ${PARTICIPANTS}.json`],
    effect: 'spend',
    accepts:
      names(`AccountSid From To StatusCallback StatusCallbackMethod StatusCallbackEvent Label Timeout Record Muted
      Beep StartConferenceOnEnter EndConferenceOnExit WaitUrl WaitMethod EarlyMedia MaxParticipants ConferenceRecord
      ConferenceTrim ConferenceStatusCallback ConferenceStatusCallbackMethod ConferenceStatusCallbackEvent
      RecordingChannels RecordingStatusCallback RecordingStatusCallbackMethod SipAuthUsername SipAuthPassword Region
      ConferenceRecordingStatusCallback ConferenceRecordingStatusCallbackMethod RecordingStatusCallbackEvent
      ConferenceRecordingStatusCallbackEvent Coaching CallSidToCoach JitterBufferSize Byoc CallerId CallReason
      RecordingTrack RecordingConfigurationId TimeLimit MachineDetection MachineDetectionTimeout
      MachineDetectionSpeechThreshold MachineDetectionSpeechEndThreshold MachineDetectionSilenceTimeout
      AmdStatusCallback AmdStatusCallbackMethod Trim CallToken ClientNotificationUrl CallerDisplayName`),
    repeats: [
      'StatusCallbackEvent',
      'ConferenceStatusCallbackEvent',
      'RecordingStatusCallbackEvent',
      'ConferenceRecordingStatusCallbackEvent',
    ],
    explain: explainCreate,
    outcome: (reply) => {
      const sid = textOf(reply.call_sid)
      // The conference's own minutes are in no call's price, so the ceiling stays.
      return sid === undefined ? {} : { commitment: sid, made: sid }
    },
  },
  {
    id: 'conferences.participants.update',
    routes: [`POST ${PARTICIPANTS}/{CallSid}.json`],
    effect: 'write',
    accepts: names(`AccountSid Muted Hold HoldUrl HoldMethod AnnounceUrl AnnounceMethod WaitUrl WaitMethod BeepOnExit
      EndConferenceOnExit Coaching CallSidToCoach`),
    why: 'Mutes, holds and announces within calls that are counted already.',
    explain: explainUpdate,
  },
  {
    id: 'conferences.participants.delete',
    routes: [`DELETE ${PARTICIPANTS}/{CallSid}.json`],
    effect: 'destructive',
    accepts: ['AccountSid'],
    explain: (question) => aboutCall(question, { quote: { basis: 'free' }, subjects: {} }),
  },
  {
    id: 'conferences.participants.get',
    routes: [`GET ${PARTICIPANTS}/{CallSid}.json`],
    effect: 'read',
    explain: (question) => aboutCall(question, { quote: { basis: 'free' }, subjects: {} }),
  },
  {
    id: 'conferences.update',
    routes: [`POST ${CONFERENCES}/{Sid}.json`],
    effect: 'destructive',
    accepts: ['AccountSid', 'Status', 'AnnounceUrl', 'AnnounceMethod'],
    explain: explainConference,
  },
  ...rows({ effect: 'read', people: true }, `conferences.participants.list GET ${PARTICIPANTS}.json`),
  ...rows(
    { effect: 'read' },
    `
    conferences.list GET ${CONFERENCES}.json
    conferences.get GET ${CONFERENCES}/{Sid}.json`,
  ),
])

function explainCreate(question: Question): Explained {
  const { params } = question
  const fault = faultOfParties(params)
  if (fault) return fault
  const limit = timeLimit(params)
  if (limit === null) return badTimeLimit(params)
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  const coaches = isAsked(params, 'Coaching') || given(params, 'CallSidToCoach') !== undefined
  return {
    direction: 'out',
    // A recording of the conference goes on after this participant has left, for longer than we can bound.
    quote: isAsked(params, 'ConferenceRecord')
      ? unpriceable('ConferenceRecord lasts as long as the conference, which has no bound we know. Use Record.')
      : quoteDialled(question, limit, ['voice.conference']),
    effects: coaches ? ['routing'] : [],
    set: { TimeLimit: limit.toString() },
    commits: untilHungUp(question, limit),
    subjects: { ...plain.subjects, recipients: [params.get('To')!], senders: callersOf(params) },
  }
}

/** Whoever coaches a call hears it, and a URL brings orders of its own. */
function explainUpdate(question: Question): Explained {
  const { params } = question
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  const takesOver = ['HoldUrl', 'AnnounceUrl', 'WaitUrl', 'CallSidToCoach'].some(
    (name) => given(params, name) !== undefined,
  )
  const effects: Effect[] = takesOver || isAsked(params, 'Coaching') ? ['routing'] : []
  return aboutCall(question, { ...plain, effects })
}

function explainConference(question: Question): Explanation {
  const status = given(question.params, 'Status')
  const announces = given(question.params, 'AnnounceUrl') !== undefined
  if (status !== undefined && status !== 'completed')
    return malformed(`Status is ${shown(status)}; a conference can only be completed.`)
  if (status !== undefined && announces)
    return refused('request_ambiguous', 'Status ends the conference and AnnounceUrl continues it.')
  return { ...plainly(question, true), effects: announces ? ['routing'] : [] }
}
