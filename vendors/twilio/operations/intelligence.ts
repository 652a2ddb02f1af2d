import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given } from '../answers.js'
import { unpriceable } from '../pricing.js'
import { names, plainly, SOURCE } from '../rows.js'
import { tables, unknownCost } from './tables.js'

const table = tables({ v2: ['intelligence.twilio.com/v2'], v3: ['intelligence.twilio.com/v3'] })

const TRANSCRIBES = 'With AutoTranscribe every recording of the account is transcribed and billed from then on.'

/** Conversational Intelligence. */
export const intelligence: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'spend',
    ...unknownCost(
      'A transcript is billed by the minutes of the recording and by its operators, which are not in the request.',
      'Channel CustomerKey MediaStartTime ServiceSid',
    ),
  })(`
    intelligence.transcripts.create POST v2/Transcripts
  `),
  ...table({
    effect: 'spend',
    ...unknownCost(
      'The operators of a rule are billed by what they read, which is not in the request.',
      'intelligenceConfigurationId ruleId conversationId rule',
    ),
    body: 'json',
  })(`
    intelligence.v3.rule_executions.create POST v3/RuleExecutions
  `),
  ...table({
    effect: 'future_spend',
    why: TRANSCRIBES,
    accepts:
      names(`AutoRedaction AutoTranscribe DataLogging EncryptionCredentialSid FriendlyName LanguageCode MediaRedaction
      UniqueName WebhookHttpMethod WebhookUrl`),
    explain: explainService,
  })(`
    intelligence.services.create POST v2/Services
    intelligence.services.update POST v2/Services/{Sid}
  `),
  ...table({
    effect: 'future_spend',
    ...unknownCost(
      'Operators run on every transcript or conversation from then on, and each run is billed.',
      'Config FriendlyName OperatorType',
    ),
  })(`
    intelligence.operators.custom.create POST v2/Operators/Custom
    intelligence.operators.custom.update POST v2/Operators/Custom/{Sid}
    intelligence.services.operators.update POST v2/Services/{ServiceSid}/Operators/{OperatorSid}
  `),
  ...table({
    effect: 'future_spend',
    ...unknownCost(
      'Operators run on every transcript or conversation from then on, and each run is billed.',
      `
      displayName description rules version idempotencyToken parameters operator name prompt outputFormat
      outputSchema trainingExamples author
    `,
    ),
    body: 'json',
  })(`
    intelligence.v3.configurations.create POST v3/ControlPlane/Configurations
    intelligence.v3.configurations.update PUT v3/ControlPlane/Configurations/{id}
    intelligence.v3.operators.create POST v3/ControlPlane/Operators
    intelligence.v3.operators.update PUT v3/ControlPlane/Operators/{id}
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back.' })(`
    intelligence.operators.custom.delete DELETE v2/Operators/Custom/{Sid}
    intelligence.services.operators.delete DELETE v2/Services/{ServiceSid}/Operators/{OperatorSid}
    intelligence.services.delete DELETE v2/Services/{Sid}
    intelligence.transcripts.delete DELETE v2/Transcripts/{Sid}
    intelligence.v3.configurations.delete DELETE v3/ControlPlane/Configurations/{id}
    intelligence.v3.operators.delete DELETE v3/ControlPlane/Operators/{id}
    intelligence.v3.operator_results.delete DELETE v3/OperatorResults/{operatorResultId}
  `),
  ...table({
    effect: 'read',
    people: true,
    why: 'Shows what people said and what was made of it.',
    repeats: ['channels', 'intelligenceConfigurationIds', 'operatorIds'],
  })(`
    intelligence.transcripts.list GET v2/Transcripts
    intelligence.transcripts.get GET v2/Transcripts/{Sid}
    intelligence.transcripts.media.get GET v2/Transcripts/{Sid}/Media
    intelligence.transcripts.operator_results.list GET v2/Transcripts/{TranscriptSid}/OperatorResults
    intelligence.transcripts.operator_results.encrypted.list GET v2/Transcripts/{TranscriptSid}/OperatorResults/Encrypted
    intelligence.transcripts.operator_results.get GET v2/Transcripts/{TranscriptSid}/OperatorResults/{OperatorSid}
    intelligence.transcripts.sentences.list GET v2/Transcripts/{TranscriptSid}/Sentences
    intelligence.transcripts.sentences.encrypted.list GET v2/Transcripts/{TranscriptSid}/Sentences/Encrypted
    intelligence.v3.conversations.list GET v3/Conversations
    intelligence.v3.conversations.get GET v3/Conversations/{Id}
    intelligence.v3.operator_results.list GET v3/OperatorResults
    intelligence.v3.operator_results.get GET v3/OperatorResults/{operatorResultId}
  `),
  ...table({ effect: 'read' })(`
    intelligence.operator_types.list GET v2/OperatorTypes
    intelligence.operator_types.get GET v2/OperatorTypes/{Sid}
    intelligence.operators.list GET v2/Operators
    intelligence.operators.custom.list GET v2/Operators/Custom
    intelligence.operators.custom.get GET v2/Operators/Custom/{Sid}
    intelligence.operators.pre_built.list GET v2/Operators/PreBuilt
    intelligence.operators.pre_built.get GET v2/Operators/PreBuilt/{Sid}
    intelligence.operators.get GET v2/Operators/{Sid}
    intelligence.services.list GET v2/Services
    intelligence.services.operators.list GET v2/Services/{ServiceSid}/Operators
    intelligence.services.get GET v2/Services/{Sid}
    intelligence.v3.configurations.list GET v3/ControlPlane/Configurations
    intelligence.v3.configurations.get GET v3/ControlPlane/Configurations/{id}
    intelligence.v3.operators.list GET v3/ControlPlane/Operators
    intelligence.v3.operators.versions.list GET v3/ControlPlane/Operators/{Id}/Versions
    intelligence.v3.operators.versions.get GET v3/ControlPlane/Operators/{Id}/Versions/{VersionParam}
    intelligence.v3.operators.get GET v3/ControlPlane/Operators/{id}
  `),
])

function explainService(question: Question): Explained {
  const explained = plainly(question, true)
  if (explained.refuse) return explained
  const starts = (given(question.params, 'AutoTranscribe') ?? 'false').toLowerCase() !== 'false'
  return {
    ...explained,
    effects: explained.subjects.urls === undefined ? [] : ['routing'],
    quote: starts ? unpriceable(TRANSCRIBES) : { basis: 'free', why: 'It starts no transcription by itself.' },
  }
}
