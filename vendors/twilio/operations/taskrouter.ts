import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, isObject, listOf, malformed, textOf } from '../answers.js'
import { jsonIn } from '../json.js'
import { unpriceable } from '../pricing.js'
import { names, plainly, SOURCE } from '../rows.js'
import { flatCost, tables } from './tables.js'

const table = tables({ v1: ['taskrouter.twilio.com/v1'] })

const UNBOUNDED =
  'TaskRouter sets no time limit for the calls an instruction places, so what they cost is not bounded. ' +
  'Place calls with Calls.json.'

/** What a reservation can be told without anybody being called. */
const QUIET: ReadonlySet<string> = new Set(['ReservationStatus', 'WorkerActivitySid', 'PostWorkActivitySid'])

export const taskrouter: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'taskrouter.reservations.update',
    routes: [
      'POST taskrouter.twilio.com/v1/Workspaces/{WorkspaceSid}/Tasks/{TaskSid}/Reservations/{Sid}',
      'POST taskrouter.twilio.com/v1/Workspaces/{WorkspaceSid}/Workers/{WorkerSid}/Reservations/{Sid}',
    ],
    effect: 'spend',
    why: UNBOUNDED,
    accepts: names(`
      Beep BeepOnCustomerEntrance CallAccept CallFrom CallRecord CallStatusCallbackUrl CallTimeout CallTo
      CallUrl ConferenceRecord ConferenceRecordingStatusCallback ConferenceRecordingStatusCallbackMethod
      ConferenceStatusCallback ConferenceStatusCallbackEvent ConferenceStatusCallbackMethod ConferenceTrim
      DequeueFrom DequeuePostWorkActivitySid DequeueRecord DequeueStatusCallbackEvent DequeueStatusCallbackUrl
      DequeueTimeout DequeueTo EarlyMedia EndConferenceOnCustomerExit EndConferenceOnExit From Instruction
      JitterBufferSize MaxParticipants Muted PostWorkActivitySid Record RecordingChannels
      RecordingStatusCallback RecordingStatusCallbackMethod RedirectAccept RedirectCallSid RedirectUrl Region
      ReservationStatus SipAuthPassword SipAuthUsername StartConferenceOnEnter StatusCallback
      StatusCallbackEvent StatusCallbackMethod Supervisor SupervisorMode Timeout To WaitMethod WaitUrl
      WorkerActivitySid
    `),
    repeats: ['ConferenceStatusCallbackEvent', 'DequeueStatusCallbackEvent', 'StatusCallbackEvent'],
    explain: explainReservation,
  },
  ...table({
    effect: 'spend',
    ...flatCost(
      'taskrouter.task',
      'A task has a flat price; what its workflow then does is up to the assignment callback, which is the ' +
        'operator’s own.',
      `
      Attributes IgnoreCapacity Priority RoutingTarget TaskChannel TaskQueueSid Timeout VirtualStartTime
      WorkflowSid
    `,
    ),
  })(`
    taskrouter.tasks.create POST v1/Workspaces/{WorkspaceSid}/Tasks
  `),
  ...table({
    effect: 'routing',
    why: 'Workflows and workspaces name the callbacks that are asked what to do with each task.',
  })(`
    taskrouter.workspaces.create POST v1/Workspaces
    taskrouter.workspaces.update POST v1/Workspaces/{Sid}
    taskrouter.workflows.create POST v1/Workspaces/{WorkspaceSid}/Workflows
    taskrouter.workflows.update POST v1/Workspaces/{WorkspaceSid}/Workflows/{Sid}
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back, and waiting tasks go with it.' })(`
    taskrouter.workspaces.delete DELETE v1/Workspaces/{Sid}
    taskrouter.activities.delete DELETE v1/Workspaces/{WorkspaceSid}/Activities/{Sid}
    taskrouter.task_channels.delete DELETE v1/Workspaces/{WorkspaceSid}/TaskChannels/{Sid}
    taskrouter.task_queues.delete DELETE v1/Workspaces/{WorkspaceSid}/TaskQueues/{Sid}
    taskrouter.tasks.delete DELETE v1/Workspaces/{WorkspaceSid}/Tasks/{Sid}
    taskrouter.workers.delete DELETE v1/Workspaces/{WorkspaceSid}/Workers/{Sid}
    taskrouter.workflows.delete DELETE v1/Workspaces/{WorkspaceSid}/Workflows/{Sid}
  `),
  ...table({
    effect: 'read',
    why: 'Counts what waits in the queues; a POST because the queues are named in a body.',
    body: 'json',
  })(`
    taskrouter.task_queues.real_time_statistics.query POST v1/Workspaces/{WorkspaceSid}/TaskQueues/RealTimeStatistics
  `),
  ...table({
    effect: 'write',
    why: 'Who works on what; attributes with a contact_uri say whom TaskRouter dials, which is routing.',
    explain: explainWorker,
  })(`
    taskrouter.workers.create POST v1/Workspaces/{WorkspaceSid}/Workers
    taskrouter.workers.update POST v1/Workspaces/{WorkspaceSid}/Workers/{Sid}
  `),
  ...table({ effect: 'write', why: 'Who works on what, and the state of a task; nobody is called.' })(`
    taskrouter.activities.create POST v1/Workspaces/{WorkspaceSid}/Activities
    taskrouter.activities.update POST v1/Workspaces/{WorkspaceSid}/Activities/{Sid}
    taskrouter.task_channels.create POST v1/Workspaces/{WorkspaceSid}/TaskChannels
    taskrouter.task_channels.update POST v1/Workspaces/{WorkspaceSid}/TaskChannels/{Sid}
    taskrouter.task_queues.create POST v1/Workspaces/{WorkspaceSid}/TaskQueues
    taskrouter.task_queues.update POST v1/Workspaces/{WorkspaceSid}/TaskQueues/{Sid}
    taskrouter.tasks.update POST v1/Workspaces/{WorkspaceSid}/Tasks/{Sid}
    taskrouter.workers.channels.update POST v1/Workspaces/{WorkspaceSid}/Workers/{WorkerSid}/Channels/{Sid}
  `),
  ...table({
    effect: 'read',
    people: true,
    why: 'Attributes of tasks and workers hold people’s numbers.',
    repeats: ['AssignmentStatus'],
  })(`
    taskrouter.events.list GET v1/Workspaces/{WorkspaceSid}/Events
    taskrouter.events.get GET v1/Workspaces/{WorkspaceSid}/Events/{Sid}
    taskrouter.tasks.list GET v1/Workspaces/{WorkspaceSid}/Tasks
    taskrouter.tasks.get GET v1/Workspaces/{WorkspaceSid}/Tasks/{Sid}
    taskrouter.tasks.reservations.list GET v1/Workspaces/{WorkspaceSid}/Tasks/{TaskSid}/Reservations
    taskrouter.tasks.reservations.get GET v1/Workspaces/{WorkspaceSid}/Tasks/{TaskSid}/Reservations/{Sid}
    taskrouter.workers.list GET v1/Workspaces/{WorkspaceSid}/Workers
    taskrouter.workers.get GET v1/Workspaces/{WorkspaceSid}/Workers/{Sid}
    taskrouter.workers.reservations.list GET v1/Workspaces/{WorkspaceSid}/Workers/{WorkerSid}/Reservations
    taskrouter.workers.reservations.get GET v1/Workspaces/{WorkspaceSid}/Workers/{WorkerSid}/Reservations/{Sid}
  `),
  ...table({ effect: 'read' })(`
    taskrouter.workspaces.list GET v1/Workspaces
    taskrouter.workspaces.get GET v1/Workspaces/{Sid}
    taskrouter.activities.list GET v1/Workspaces/{WorkspaceSid}/Activities
    taskrouter.activities.get GET v1/Workspaces/{WorkspaceSid}/Activities/{Sid}
    taskrouter.cumulative_statistics.get GET v1/Workspaces/{WorkspaceSid}/CumulativeStatistics
    taskrouter.real_time_statistics.get GET v1/Workspaces/{WorkspaceSid}/RealTimeStatistics
    taskrouter.statistics.get GET v1/Workspaces/{WorkspaceSid}/Statistics
    taskrouter.task_channels.list GET v1/Workspaces/{WorkspaceSid}/TaskChannels
    taskrouter.task_channels.get GET v1/Workspaces/{WorkspaceSid}/TaskChannels/{Sid}
    taskrouter.task_queues.list GET v1/Workspaces/{WorkspaceSid}/TaskQueues
    taskrouter.task_queues.statistics.list GET v1/Workspaces/{WorkspaceSid}/TaskQueues/Statistics
    taskrouter.task_queues.get GET v1/Workspaces/{WorkspaceSid}/TaskQueues/{Sid}
    taskrouter.task_queues.cumulative_statistics.get GET v1/Workspaces/{WorkspaceSid}/TaskQueues/{TaskQueueSid}/CumulativeStatistics
    taskrouter.task_queues.real_time_statistics.get GET v1/Workspaces/{WorkspaceSid}/TaskQueues/{TaskQueueSid}/RealTimeStatistics
    taskrouter.task_queues.statistics.get GET v1/Workspaces/{WorkspaceSid}/TaskQueues/{TaskQueueSid}/Statistics
    taskrouter.workers.cumulative_statistics.get GET v1/Workspaces/{WorkspaceSid}/Workers/CumulativeStatistics
    taskrouter.workers.real_time_statistics.get GET v1/Workspaces/{WorkspaceSid}/Workers/RealTimeStatistics
    taskrouter.workers.statistics.list GET v1/Workspaces/{WorkspaceSid}/Workers/Statistics
    taskrouter.workers.channels.list GET v1/Workspaces/{WorkspaceSid}/Workers/{WorkerSid}/Channels
    taskrouter.workers.channels.get GET v1/Workspaces/{WorkspaceSid}/Workers/{WorkerSid}/Channels/{Sid}
    taskrouter.workers.statistics.get GET v1/Workspaces/{WorkspaceSid}/Workers/{WorkerSid}/Statistics
    taskrouter.workflows.list GET v1/Workspaces/{WorkspaceSid}/Workflows
    taskrouter.workflows.get GET v1/Workspaces/{WorkspaceSid}/Workflows/{Sid}
    taskrouter.workflows.cumulative_statistics.get GET v1/Workspaces/{WorkspaceSid}/Workflows/{WorkflowSid}/CumulativeStatistics
    taskrouter.workflows.real_time_statistics.get GET v1/Workspaces/{WorkspaceSid}/Workflows/{WorkflowSid}/RealTimeStatistics
    taskrouter.workflows.statistics.get GET v1/Workspaces/{WorkspaceSid}/Workflows/{WorkflowSid}/Statistics
  `),
])

/** Calls that are given to a worker go to the contact_uri among the attributes. */
function explainWorker(question: Question): Explained {
  const explained = plainly(question, false)
  if (explained.refuse) return explained
  const attributes = given(question.params, 'Attributes')
  const read = attributes === undefined ? {} : jsonIn(attributes)
  if (!isObject(read)) return malformed('Attributes must be a JSON object that names nothing twice.')
  if (read.contact_uri === undefined) return explained
  const recipients = listOf(textOf(read.contact_uri))
  return { ...explained, effects: ['routing'], subjects: { ...explained.subjects, recipients } }
}

/** Accepting or refusing a reservation is free; with an instruction TaskRouter dials, or moves a live call. */
function explainReservation(question: Question): Explained {
  const explained = plainly(question, true)
  if (explained.refuse) return explained
  const { params } = question
  if (params.names().every((name) => QUIET.has(name)))
    return { ...explained, quote: { basis: 'free', why: 'Without an Instruction nobody is called.' } }
  const found = (...those: string[]) => {
    const values = those.flatMap((name) => given(params, name) ?? [])
    return values.length === 0 ? null : values
  }
  return {
    direction: 'out',
    quote: unpriceable(UNBOUNDED),
    effects: explained.subjects.urls === undefined ? [] : ['routing'],
    subjects: {
      ...explained.subjects,
      recipients: found('CallTo', 'DequeueTo', 'To'),
      senders: found('CallFrom', 'DequeueFrom', 'From'),
    },
  }
}
