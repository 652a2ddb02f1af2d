import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { flatCost, tables, unknownCost } from './tables.js'

const table = tables({ v1: ['knowledge.twilio.com/v1'], v2: ['knowledge.twilio.com/v2'] })

const CRAWLED = 'Twilio fetches and embeds the whole source, whose size is not in the request.'

export const knowledge: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'spend',
    ...flatCost('knowledge.search', 'A search has a flat price.', 'query top knowledgeIds'),
    body: 'json',
  })(`
    knowledge.bases.search POST v2/KnowledgeBases/{kbId}/Search
  `),
  ...table({
    effect: 'spend',
    ...unknownCost(
      CRAWLED,
      `
      description knowledgeSourceDetails knowledge_source_details name policy type embeddingModel
      embedding_model source tags
    `,
    ),
    body: 'json',
  })(`
    knowledge.create POST v1/Knowledge
    knowledge.update PUT v1/Knowledge/{id}
    knowledge.bases.knowledge.create POST v2/KnowledgeBases/{kbId}/Knowledge
  `),
  ...table({ effect: 'spend', body: 'json', ...unknownCost(CRAWLED, 'name description source policy tags refresh') })(`
    knowledge.bases.knowledge.update PATCH v2/KnowledgeBases/{KbId}/Knowledge/{KnowledgeId}
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back.' })(`
    knowledge.delete DELETE v1/Knowledge/{id}
    knowledge.bases.delete DELETE v2/ControlPlane/KnowledgeBases/{kbId}
    knowledge.bases.knowledge.delete DELETE v2/KnowledgeBases/{kbId}/Knowledge/{knowledgeId}
  `),
  ...table({ effect: 'write', why: 'An empty base, or its name; what is put into it is billed.', body: 'json' })(`
    knowledge.bases.create POST v2/ControlPlane/KnowledgeBases
    knowledge.bases.update PATCH v2/ControlPlane/KnowledgeBases/{kbId}
  `),
  ...table({ effect: 'read' })(`
    knowledge.list GET v1/Knowledge
    knowledge.chunks.list GET v1/Knowledge/{Id}/Chunks
    knowledge.status.get GET v1/Knowledge/{Id}/Status
    knowledge.get GET v1/Knowledge/{id}
    knowledge.bases.list GET v2/ControlPlane/KnowledgeBases
    knowledge.bases.get GET v2/ControlPlane/KnowledgeBases/{kbId}
    knowledge.operations.get GET v2/ControlPlane/Operations/{OperationId}
    knowledge.bases.knowledge.chunks.list GET v2/KnowledgeBases/{KbId}/Knowledge/{KnowledgeId}/Chunks
    knowledge.bases.knowledge.list GET v2/KnowledgeBases/{kbId}/Knowledge
    knowledge.bases.knowledge.get GET v2/KnowledgeBases/{kbId}/Knowledge/{knowledgeId}
  `),
])
