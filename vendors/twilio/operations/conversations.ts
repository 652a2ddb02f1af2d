import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { alsoIs, names, SOURCE } from '../rows.js'
import { explainAction, explainMessage, explainParticipant, explainWithParticipants } from './conversation-messages.js'
import { tables, unknownCost } from './tables.js'

// A conversation of the default service is reached with the service’s id and without.
const table = tables({
  both: ['conversations.twilio.com/v1', 'conversations.twilio.com/v1/Services/{ChatServiceSid}'],
  v1: ['conversations.twilio.com/v1'],
  v2: ['conversations.twilio.com/v2'],
  media: ['mcs.us1.twilio.com/v1'],
})

export const conversations: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'spend',
    why: 'One message to every participant outside the chat, at the price of its channel.',
    accepts: names(`
      Attributes Author Body ContentSid ContentVariables DateCreated DateUpdated MediaSid Subject
    `),
    explain: explainMessage,
  })(`
    conversations.messages.create POST both/Conversations/{ConversationSid}/Messages
  `),
  ...table({
    effect: 'spend',
    why: 'It sends nothing: what is written later is counted then.',
    accepts: names(`
      Attributes Bindings.Email.Address Bindings.Email.Name DateCreated DateUpdated FriendlyName
      MessagingServiceSid Participant State Timers.Closed Timers.Inactive UniqueName
    `),
    repeats: ['Participant'],
    explain: explainWithParticipants,
  })(`
    conversations.with_participants.create POST both/ConversationWithParticipants
  `),
  ...table({
    effect: 'write',
    why: 'Whoever is added by an address is reached by what others write, too, which is future_spend.',
    accepts: names(`
      Attributes DateCreated DateUpdated Identity MessagingBinding.Address MessagingBinding.ProjectedAddress
      MessagingBinding.ProxyAddress RoleSid
    `),
    explain: explainParticipant,
  })(`
    conversations.participants.create POST both/Conversations/{ConversationSid}/Participants
  `),
  ...table({
    effect: 'spend',
    why: 'SEND_MESSAGE is priced as a message to each address; other actions are not understood.',
    body: 'json',
    accepts: ['type', 'payload'],
    explain: explainAction,
  })(`
    conversations.v2.actions.create POST v2/Conversations/{ConversationId}/Actions
  `),
  ...table({
    effect: 'spend',
    body: 'json',
    ...unknownCost(
      'Whether a communication that is recorded is also sent is not described, so what it costs is not known.',
      'author content channelId resourceId recipients occurredAt',
    ),
  })(`
    conversations.v2.communications.create POST v2/Conversations/{ConversationId}/Communications
  `),
  ...table({
    effect: 'credential',
    why: 'Holds the keys with which pushes are sent to apps, or says what chat users may do.',
    repeats: ['Permission'],
  })(`
    conversations.roles.create POST both/Roles
    conversations.roles.update POST both/Roles/{Sid}
    conversations.credentials.create POST v1/Credentials
    conversations.credentials.update POST v1/Credentials/{Sid}
  `),
  ...table({
    effect: 'routing',
    why: 'Webhooks and addresses say where conversations, inbound ones too, are sent and who may change them.',
    repeats: ['AutoCreation.WebhookFilters', 'Configuration.Filters', 'Configuration.Triggers', 'Filters'],
  })(`
    conversations.webhooks.create POST both/Conversations/{ConversationSid}/Webhooks
    conversations.webhooks.update POST both/Conversations/{ConversationSid}/Webhooks/{Sid}
    conversations.configuration.addresses.create POST v1/Configuration/Addresses
    conversations.configuration.addresses.update POST v1/Configuration/Addresses/{Sid}
    conversations.configuration.webhooks.update POST v1/Configuration/Webhooks
    conversations.services.configuration.webhooks.update POST v1/Services/{ChatServiceSid}/Configuration/Webhooks
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back.' })(`
    conversations.messages.delete DELETE both/Conversations/{ConversationSid}/Messages/{Sid}
    conversations.participants.delete DELETE both/Conversations/{ConversationSid}/Participants/{Sid}
    conversations.webhooks.delete DELETE both/Conversations/{ConversationSid}/Webhooks/{Sid}
    conversations.delete DELETE both/Conversations/{Sid}
    conversations.roles.delete DELETE both/Roles/{Sid}
    conversations.users.delete DELETE both/Users/{Sid}
    conversations.users.conversations.delete DELETE both/Users/{UserSid}/Conversations/{ConversationSid}
    conversations.configuration.addresses.delete DELETE v1/Configuration/Addresses/{Sid}
    conversations.credentials.delete DELETE v1/Credentials/{Sid}
    conversations.bindings.delete DELETE v1/Services/{ChatServiceSid}/Bindings/{Sid}
    conversations.services.delete DELETE v1/Services/{Sid}
    conversations.media.delete DELETE media/Services/{ServiceSid}/Media/{Sid}
  `),
  ...table({
    effect: 'write',
    why:
      'Names, states, users and settings; nobody is sent anything. The body of a file is multipart, which ' +
      'is refused.',
  })(`
    conversations.create POST both/Conversations
    conversations.messages.update POST both/Conversations/{ConversationSid}/Messages/{Sid}
    conversations.participants.update POST both/Conversations/{ConversationSid}/Participants/{Sid}
    conversations.update POST both/Conversations/{Sid}
    conversations.users.create POST both/Users
    conversations.users.update POST both/Users/{Sid}
    conversations.users.conversations.update POST both/Users/{UserSid}/Conversations/{ConversationSid}
    conversations.configuration.update POST v1/Configuration
    conversations.services.create POST v1/Services
    conversations.services.configuration.update POST v1/Services/{ChatServiceSid}/Configuration
    conversations.services.configuration.notifications.update POST v1/Services/{ChatServiceSid}/Configuration/Notifications
    conversations.media.create POST media/Services/{ServiceSid}/Media
  `),
  ...table({
    effect: 'read',
    people: true,
    why: 'Shows who talks with whom, and what they said.',
    repeats: ['BindingType', 'Identity'],
  })(`
    conversations.list GET both/Conversations
    conversations.messages.list GET both/Conversations/{ConversationSid}/Messages
    conversations.messages.receipts.list GET both/Conversations/{ConversationSid}/Messages/{MessageSid}/Receipts
    conversations.messages.receipts.get GET both/Conversations/{ConversationSid}/Messages/{MessageSid}/Receipts/{Sid}
    conversations.messages.get GET both/Conversations/{ConversationSid}/Messages/{Sid}
    conversations.participants.list GET both/Conversations/{ConversationSid}/Participants
    conversations.participants.get GET both/Conversations/{ConversationSid}/Participants/{Sid}
    conversations.webhooks.list GET both/Conversations/{ConversationSid}/Webhooks
    conversations.webhooks.get GET both/Conversations/{ConversationSid}/Webhooks/{Sid}
    conversations.get GET both/Conversations/{Sid}
    conversations.participant_conversations.list GET both/ParticipantConversations
    conversations.users.list GET both/Users
    conversations.users.get GET both/Users/{Sid}
    conversations.users.conversations.list GET both/Users/{UserSid}/Conversations
    conversations.users.conversations.get GET both/Users/{UserSid}/Conversations/{ConversationSid}
    conversations.bindings.list GET v1/Services/{ChatServiceSid}/Bindings
    conversations.bindings.get GET v1/Services/{ChatServiceSid}/Bindings/{Sid}
  `),
  ...table({ effect: 'read' })(`
    conversations.roles.list GET both/Roles
    conversations.roles.get GET both/Roles/{Sid}
    conversations.configuration.get GET v1/Configuration
    conversations.configuration.addresses.list GET v1/Configuration/Addresses
    conversations.configuration.addresses.get GET v1/Configuration/Addresses/{Sid}
    conversations.configuration.webhooks.get GET v1/Configuration/Webhooks
    conversations.credentials.list GET v1/Credentials
    conversations.credentials.get GET v1/Credentials/{Sid}
    conversations.services.list GET v1/Services
    conversations.services.configuration.get GET v1/Services/{ChatServiceSid}/Configuration
    conversations.services.configuration.notifications.get GET v1/Services/{ChatServiceSid}/Configuration/Notifications
    conversations.services.configuration.webhooks.get GET v1/Services/{ChatServiceSid}/Configuration/Webhooks
    conversations.services.get GET v1/Services/{Sid}
  `),
  ...table({
    effect: 'routing',
    why: 'A configuration says over which channels conversations run and who hears of them.',
    body: 'json',
  })(`
    conversations.v2.configurations.create POST v2/ControlPlane/Configurations
    conversations.v2.configurations.replace PUT v2/ControlPlane/Configurations/{id}
    conversations.v2.configurations.update PATCH v2/ControlPlane/Configurations/{id}
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back.' })(`
    conversations.v2.configurations.delete DELETE v2/ControlPlane/Configurations/{id}
    conversations.v2.delete DELETE v2/Conversations/{id}
  `),
  ...table({
    effect: 'write',
    why: 'Whoever is added by an address is reached by what others write, too.',
    body: 'json',
    explain: alsoIs('future_spend'),
  })(`
    conversations.v2.participants.create POST v2/Conversations/{conversationId}/Participants
    conversations.v2.participants.update PUT v2/Conversations/{conversationId}/Participants/{id}
  `),
  ...table({ effect: 'write', why: 'Names and states; nobody is sent anything.', body: 'json' })(`
    conversations.v2.create POST v2/Conversations
    conversations.v2.replace PUT v2/Conversations/{id}
    conversations.v2.update PATCH v2/Conversations/{id}
  `),
  ...table({
    effect: 'read',
    people: true,
    why: 'Shows who talks with whom, and what they said.',
    repeats: ['status'],
  })(`
    conversations.v2.list GET v2/Conversations
    conversations.v2.actions.get GET v2/Conversations/{ConversationId}/Actions/{ActionId}
    conversations.v2.communications.get GET v2/Conversations/{ConversationId}/Communications/{Id}
    conversations.v2.communications.list GET v2/Conversations/{conversationId}/Communications
    conversations.v2.participants.list GET v2/Conversations/{conversationId}/Participants
    conversations.v2.participants.get GET v2/Conversations/{conversationId}/Participants/{id}
    conversations.v2.get GET v2/Conversations/{id}
  `),
  ...table({ effect: 'read' })(`
    conversations.v2.configurations.list GET v2/ControlPlane/Configurations
    conversations.v2.configurations.get GET v2/ControlPlane/Configurations/{id}
    conversations.v2.operations.get GET v2/ControlPlane/Operations/{Id}
  `),
])
