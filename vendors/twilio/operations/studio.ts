import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, listOf } from '../answers.js'
import { unpriceable } from '../pricing.js'
import { plainly, SOURCE } from '../rows.js'
import { tables } from './tables.js'

const table = tables({
  both: ['studio.twilio.com/v2', 'studio.twilio.com/v1'],
  v2: ['studio.twilio.com/v2'],
  v1: ['studio.twilio.com/v1'],
})

const DOES_ANYTHING =
  'A flow may send and call whatever its definition says, as often as it says, so what an execution costs is not known.'

const START: Pick<Operation, 'effect' | 'accepts' | 'why' | 'explain'> = {
  effect: 'spend',
  accepts: ['To', 'From', 'Parameters'],
  why: DOES_ANYTHING,
  explain: explainStart,
}

export const studio: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'studio.executions.create',
    routes: [
      'POST studio.twilio.com/v2/Flows/{FlowSid}/Executions',
      'POST studio.twilio.com/v1/Flows/{FlowSid}/Executions',
    ],
    ...START,
  },
  { id: 'studio.engagements.create', routes: ['POST studio.twilio.com/v1/Flows/{FlowSid}/Engagements'], ...START },
  ...table({
    effect: 'routing',
    reveals: ['definition'],
    why: 'A flow says what happens to every call and message that reaches it, and may fetch any URL.',
  })(`
    studio.flows.create POST v2/Flows
    studio.flows.update POST v2/Flows/{Sid}
  `),
  ...table({ effect: 'destructive', why: 'Ends or erases what a flow is doing, or the flow.' })(`
    studio.executions.update POST both/Flows/{FlowSid}/Executions/{Sid}
    studio.executions.delete DELETE both/Flows/{FlowSid}/Executions/{Sid}
    studio.flows.delete DELETE both/Flows/{Sid}
    studio.engagements.delete DELETE v1/Flows/{FlowSid}/Engagements/{Sid}
  `),
  ...table({ effect: 'read', why: 'Checks a definition and stores nothing.' })(`
    studio.flows.validate POST v2/Flows/Validate
  `),
  ...table({ effect: 'write', why: 'Only who may try a draft of the flow.', repeats: ['TestUsers'] })(`
    studio.test_users.create POST v2/Flows/{Sid}/TestUsers
  `),
  ...table({ effect: 'read', people: true, why: 'Shows with whom a flow spoke, and what was said.' })(`
    studio.executions.list GET both/Flows/{FlowSid}/Executions
    studio.executions.context.get GET both/Flows/{FlowSid}/Executions/{ExecutionSid}/Context
    studio.executions.steps.list GET both/Flows/{FlowSid}/Executions/{ExecutionSid}/Steps
    studio.executions.steps.get GET both/Flows/{FlowSid}/Executions/{ExecutionSid}/Steps/{Sid}
    studio.executions.steps.context.get GET both/Flows/{FlowSid}/Executions/{ExecutionSid}/Steps/{StepSid}/Context
    studio.executions.get GET both/Flows/{FlowSid}/Executions/{Sid}
    studio.test_users.list GET v2/Flows/{Sid}/TestUsers
    studio.engagements.list GET v1/Flows/{FlowSid}/Engagements
    studio.engagements.context.get GET v1/Flows/{FlowSid}/Engagements/{EngagementSid}/Context
    studio.engagements.steps.list GET v1/Flows/{FlowSid}/Engagements/{EngagementSid}/Steps
    studio.engagements.steps.get GET v1/Flows/{FlowSid}/Engagements/{EngagementSid}/Steps/{Sid}
    studio.engagements.steps.context.get GET v1/Flows/{FlowSid}/Engagements/{EngagementSid}/Steps/{StepSid}/Context
    studio.engagements.get GET v1/Flows/{FlowSid}/Engagements/{Sid}
  `),
  ...table({
    effect: 'read',
    reveals: ['definition'],
    why: 'The definition is taken out: its requests to other services often hold their keys.',
  })(`
    studio.flows.list GET both/Flows
    studio.flows.get GET both/Flows/{Sid}
    studio.revisions.list GET v2/Flows/{Sid}/Revisions
    studio.revisions.get GET v2/Flows/{Sid}/Revisions/{Revision}
  `),
])

function explainStart(question: Question): Explained {
  const explained = plainly(question, true)
  if (explained.refuse) return explained
  const { params } = question
  const parties = { recipients: listOf(given(params, 'To')), senders: listOf(given(params, 'From')) }
  const subjects = { ...explained.subjects, ...parties }
  return { direction: 'out', quote: unpriceable(DOES_ANYTHING), subjects }
}
