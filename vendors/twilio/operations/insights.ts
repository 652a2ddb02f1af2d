import type { Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, malformed } from '../answers.js'
import { bill, flatPrice, unpriceable } from '../pricing.js'
import { flatly, names, rows, SOURCE } from '../rows.js'

const V1 = 'insights.twilio.com/v1'
const V2 = 'insights.twilio.com/v2/Voice/Reports'
const V3 = 'insights.twilio.com/v3'
const CONVERSATIONS = `${V3}/InsightsDomains/Conversations`
const MAPPINGS = `${V3}/ControlPlane/ConversationInsights/CustomFieldMappings`

/** Figures about calls, conferences and conversations of the whole account. */
export const insights: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'insights.settings.update',
    routes: [`POST ${V1}/Voice/Settings`],
    effect: 'future_spend',
    accepts: ['AdvancedFeatures', 'VoiceTrace', 'SubaccountSid'],
    explain: explainSettings,
  },
  ...rows(
    {
      effect: 'spend',
      body: 'json',
      accepts: ['domain', 'query'],
      explain: flatly('insights.query'),
      why: 'An analysis whose price Twilio does not publish: `insights.query`.',
    },
    `
    insights.conversations.query POST ${CONVERSATIONS}/Query
    insights.conversations.query_jobs.create POST ${CONVERSATIONS}/QueryJobs`,
  ),
  {
    id: 'insights.conversations.query.page',
    routes: [`GET ${CONVERSATIONS}/Query`],
    // A read that may be billed like the query whose page it is.
    effect: 'read',
    explain: ({ prices }) => ({
      direction: 'out',
      quote: bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, 'insights.query') }]),
      subjects: { recipients: null, senders: null },
    }),
  },
  ...rows(
    {
      effect: 'read',
      people: true,
      body: 'json',
      why: 'A report on calls that were made; part of a feature that is paid for already.',
    },
    `
    insights.reports.create POST ${V2}
    insights.reports.inbound_numbers.create POST ${V2}/PhoneNumbers/Inbound
    insights.reports.outbound_numbers.create POST ${V2}/PhoneNumbers/Outbound`,
  ),
  ...rows(
    {
      effect: 'write',
      people: true,
      accepts: names('AnsweredBy ConnectivityIssue QualityIssues Spam CallScore Comment Incident'),
      why: 'A note on a call.',
    },
    `insights.calls.annotation.update POST ${V1}/Voice/{CallSid}/Annotation`,
  ),
  ...rows(
    { effect: 'write', body: 'json', why: 'Names for fields in later analyses.' },
    `
    insights.field_mappings.create POST ${MAPPINGS}
    insights.field_mappings.update PATCH ${MAPPINGS}/{MappingId}`,
  ),
  ...rows(
    { effect: 'read', people: true },
    `
    insights.calls.summaries.list GET ${V1}/Voice/Summaries
    insights.calls.get GET ${V1}/Voice/{Sid}
    insights.calls.annotation.get GET ${V1}/Voice/{CallSid}/Annotation
    insights.calls.events.list GET ${V1}/Voice/{CallSid}/Events
    insights.calls.metrics.list GET ${V1}/Voice/{CallSid}/Metrics
    insights.calls.summary.get GET ${V1}/Voice/{CallSid}/Summary
    insights.conferences.list GET ${V1}/Conferences
    insights.conferences.get GET ${V1}/Conferences/{ConferenceSid}
    insights.conferences.participants.list GET ${V1}/Conferences/{ConferenceSid}/Participants
    insights.conferences.participants.get GET ${V1}/Conferences/{ConferenceSid}/Participants/{ParticipantSid}
    insights.rooms.list GET ${V1}/Video/Rooms
    insights.rooms.get GET ${V1}/Video/Rooms/{RoomSid}
    insights.rooms.participants.list GET ${V1}/Video/Rooms/{RoomSid}/Participants
    insights.rooms.participants.get GET ${V1}/Video/Rooms/{RoomSid}/Participants/{ParticipantSid}
    insights.reports.get GET ${V2}/{ReportId}
    insights.reports.inbound_numbers.get GET ${V2}/PhoneNumbers/Inbound/{ReportId}
    insights.reports.outbound_numbers.get GET ${V2}/PhoneNumbers/Outbound/{ReportId}
    insights.conversations.query_jobs.results.get GET ${CONVERSATIONS}/QueryJobs/{OperationId}/Results`,
  ),
  ...rows(
    { effect: 'read' },
    `
    insights.settings.get GET ${V1}/Voice/Settings
    insights.field_mappings.list GET ${MAPPINGS}
    insights.field_mappings.get GET ${MAPPINGS}/{MappingId}
    insights.field_mappings.capacity.get GET ${MAPPINGS}Capacity
    insights.conversations.metadata.get GET ${CONVERSATIONS}/Metadata
    insights.conversations.query_jobs.list GET ${CONVERSATIONS}/QueryJobs
    insights.conversations.query_jobs.get GET ${CONVERSATIONS}/QueryJobs/{OperationId}`,
  ),
])

/** Advanced features and traces are billed with every minute of every call from now on. */
function explainSettings({ params }: Question): Explanation {
  const flags = ['AdvancedFeatures', 'VoiceTrace'].map((name) => given(params, name)?.toLowerCase())
  if (flags.every((flag) => flag === undefined)) return malformed('Say what to switch: AdvancedFeatures or VoiceTrace.')
  if (flags.every((flag) => flag === undefined || flag === 'false'))
    return { quote: { basis: 'free', why: 'The features are switched off.' }, subjects: {} }
  const why = 'The features cost with every later minute of every call, and how many there will be is not known.'
  return { quote: unpriceable(why), subjects: {} }
}
