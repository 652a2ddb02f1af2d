import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { flatCost, tables } from './tables.js'

const table = tables({ v1: ['memory.twilio.com/v1'] })

/** What assistants remember of people. */
export const memory: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'spend',
    ...flatCost(
      'memory.lookup',
      'A read by POST whose price is not published: the flat price memory.lookup, refused without.',
      'idType value',
    ),
    body: 'json',
  })(`
    memory.profiles.lookup POST v1/Stores/{storeId}/Profiles/Lookup
  `),
  ...table({
    effect: 'spend',
    ...flatCost(
      'memory.recall',
      'A read by POST that a model answers: the flat price memory.recall, refused without.',
      `
      conversationId query beginDate endDate communicationsLimit observationsLimit summariesLimit
      relevanceThreshold
    `,
    ),
    body: 'json',
  })(`
    memory.profiles.recall POST v1/Stores/{storeId}/Profiles/{profileId}/Recall
  `),
  ...table({ effect: 'destructive', why: 'What is forgotten does not come back.' })(`
    memory.stores.delete DELETE v1/ControlPlane/Stores/{storeId}
    memory.data_mappings.delete DELETE v1/ControlPlane/Stores/{storeId}/DataMappings/{dataMappingId}
    memory.trait_groups.delete DELETE v1/ControlPlane/Stores/{storeId}/TraitGroups/{traitGroupName}
    memory.profiles.delete DELETE v1/Stores/{storeId}/Profiles/{profileId}
    memory.profiles.conversation_summaries.delete DELETE v1/Stores/{storeId}/Profiles/{profileId}/ConversationSummaries/{summaryId}
    memory.profiles.identifiers.delete DELETE v1/Stores/{storeId}/Profiles/{profileId}/Identifiers/{idType}
    memory.profiles.observations.delete DELETE v1/Stores/{storeId}/Profiles/{profileId}/Observations/{observationId}
  `),
  ...table({ effect: 'write', why: 'Changes what is kept about people; no price is known for it.', body: 'json' })(`
    memory.stores.create POST v1/ControlPlane/Stores
    memory.stores.update PATCH v1/ControlPlane/Stores/{storeId}
    memory.data_mappings.create POST v1/ControlPlane/Stores/{storeId}/DataMappings
    memory.data_mappings.update PATCH v1/ControlPlane/Stores/{storeId}/DataMappings/{dataMappingId}
    memory.identity_resolution_settings.update PUT v1/ControlPlane/Stores/{storeId}/IdentityResolutionSettings
    memory.trait_groups.create POST v1/ControlPlane/Stores/{storeId}/TraitGroups
    memory.trait_groups.update PATCH v1/ControlPlane/Stores/{storeId}/TraitGroups/{traitGroupName}
    memory.profiles.create POST v1/Stores/{storeId}/Profiles
    memory.profiles.bulk.update PUT v1/Stores/{storeId}/Profiles/Bulk
    memory.profiles.imports.create POST v1/Stores/{storeId}/Profiles/Imports
    memory.profiles.update PATCH v1/Stores/{storeId}/Profiles/{profileId}
    memory.profiles.conversation_summaries.create POST v1/Stores/{storeId}/Profiles/{profileId}/ConversationSummaries
    memory.profiles.conversation_summaries.update PATCH v1/Stores/{storeId}/Profiles/{profileId}/ConversationSummaries/{summaryId}
    memory.profiles.identifiers.create POST v1/Stores/{storeId}/Profiles/{profileId}/Identifiers
    memory.profiles.identifiers.update PATCH v1/Stores/{storeId}/Profiles/{profileId}/Identifiers/{idType}
    memory.profiles.observations.create POST v1/Stores/{storeId}/Profiles/{profileId}/Observations
    memory.profiles.observations.update PATCH v1/Stores/{storeId}/Profiles/{profileId}/Observations/{observationId}
  `),
  ...table({ effect: 'read', people: true, why: 'Shows what is kept about people.' })(`
    memory.profiles.imports.get GET v1/Stores/{StoreId}/Profiles/Imports/{ImportId}
    memory.profiles.observations.revisions.list GET v1/Stores/{StoreId}/Profiles/{ProfileId}/Observations/{ObservationId}/Revisions
    memory.profiles.traits.list GET v1/Stores/{StoreId}/Profiles/{ProfileId}/Traits
    memory.profiles.list GET v1/Stores/{storeId}/Profiles
    memory.profiles.imports.list GET v1/Stores/{storeId}/Profiles/Imports
    memory.profiles.get GET v1/Stores/{storeId}/Profiles/{profileId}
    memory.profiles.conversation_summaries.list GET v1/Stores/{storeId}/Profiles/{profileId}/ConversationSummaries
    memory.profiles.conversation_summaries.get GET v1/Stores/{storeId}/Profiles/{profileId}/ConversationSummaries/{summaryId}
    memory.profiles.identifiers.list GET v1/Stores/{storeId}/Profiles/{profileId}/Identifiers
    memory.profiles.identifiers.get GET v1/Stores/{storeId}/Profiles/{profileId}/Identifiers/{idType}
    memory.profiles.observations.list GET v1/Stores/{storeId}/Profiles/{profileId}/Observations
    memory.profiles.observations.get GET v1/Stores/{storeId}/Profiles/{profileId}/Observations/{observationId}
  `),
  ...table({ effect: 'read' })(`
    memory.operations.get GET v1/ControlPlane/Operations/{OperationId}
    memory.stores.list GET v1/ControlPlane/Stores
    memory.stores.get GET v1/ControlPlane/Stores/{storeId}
    memory.data_mappings.list GET v1/ControlPlane/Stores/{storeId}/DataMappings
    memory.data_mappings.get GET v1/ControlPlane/Stores/{storeId}/DataMappings/{dataMappingId}
    memory.identity_resolution_settings.get GET v1/ControlPlane/Stores/{storeId}/IdentityResolutionSettings
    memory.trait_groups.list GET v1/ControlPlane/Stores/{storeId}/TraitGroups
    memory.trait_groups.get GET v1/ControlPlane/Stores/{storeId}/TraitGroups/{traitGroupName}
  `),
])
