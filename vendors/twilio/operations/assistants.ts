import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { tables, unknownCost } from './tables.js'

const table = tables({ v1: ['assistants.twilio.com/v1'] })

const CRAWLED = 'Twilio fetches and embeds the whole source, whose size is not in the request.'

/** AI Assistants: no longer in the SDK, still in the API description. */
export const assistants: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'spend',
    ...unknownCost(
      'An assistant is billed by what it reads and writes, and answers to a webhook of the request; neither ' +
        'is known before.',
      'identity session_id body webhook mode',
    ),
    body: 'json',
  })(`
    assistants.messages.create POST v1/Assistants/{id}/Messages
  `),
  ...table({
    effect: 'spend',
    ...unknownCost(CRAWLED, 'description knowledge_source_details name policy type embedding_model assistant_id'),
    body: 'json',
  })(`
    assistants.knowledge.create POST v1/Knowledge
    assistants.knowledge.update PUT v1/Knowledge/{id}
  `),
  ...table({
    effect: 'routing',
    why: 'A tool is a URL that the assistant calls with what it was told.',
    body: 'json',
  })(`
    assistants.tools.create POST v1/Tools
    assistants.tools.update PUT v1/Tools/{id}
  `),
  ...table({ effect: 'destructive', why: 'What is deleted or taken from an assistant changes what it answers.' })(`
    assistants.knowledge.detach DELETE v1/Assistants/{assistantId}/Knowledge/{id}
    assistants.tools.detach DELETE v1/Assistants/{assistantId}/Tools/{id}
    assistants.delete DELETE v1/Assistants/{id}
    assistants.knowledge.delete DELETE v1/Knowledge/{id}
    assistants.tools.delete DELETE v1/Tools/{id}
  `),
  ...table({ effect: 'write', why: 'Attaches what exists; there is no body.' })(`
    assistants.knowledge.attach POST v1/Assistants/{assistantId}/Knowledge/{id}
    assistants.tools.attach POST v1/Assistants/{assistantId}/Tools/{id}
  `),
  ...table({
    effect: 'write',
    reveals: ['segment_credential'],
    why: 'What an assistant is told to be; it is billed when somebody writes to it.',
    body: 'json',
  })(`
    assistants.create POST v1/Assistants
    assistants.update PUT v1/Assistants/{id}
    assistants.feedbacks.create POST v1/Assistants/{id}/Feedbacks
  `),
])
