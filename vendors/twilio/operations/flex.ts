import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { plainly, SOURCE } from '../rows.js'
import { tables, unknownCost } from './tables.js'

const table = tables({
  v1: ['flex-api.twilio.com/v1'],
  v2: ['flex-api.twilio.com/v2'],
  frontline: ['frontline-api.twilio.com/v1'],
})

const ENDS = 'The chat exists already: it is closed or gets other data, and nobody is sent anything.'

/** Flex, and Frontline, which was built on it. */
export const flex: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'spend',
    ...unknownCost(
      'An interaction may send a message or place a call over any channel, and what comes of it is billed ' +
        'by Flex as well.',
      'Channel InteractionContextSid MediaProperties Routing RoutingProperties Type WebhookTtid',
    ),
  })(`
    flex.interactions.create POST v1/Interactions
    flex.interactions.channels.invites.create POST v1/Interactions/{InteractionSid}/Channels/{ChannelSid}/Invites
    flex.interactions.channels.participants.create POST v1/Interactions/{InteractionSid}/Channels/{ChannelSid}/Participants
  `),
  ...table({
    effect: 'spend',
    ...unknownCost(
      'A transfer may call or write to somebody else over any channel, and the JSON that says so is not described.',
      'type from to',
    ),
    body: 'json',
  })(`
    flex.interactions.channels.transfers.create POST v1/Interactions/{InteractionSid}/Channels/{ChannelSid}/Transfers
  `),
  ...table({
    effect: 'spend',
    ...unknownCost(
      'A chat is billed by its active users, and one with a phone as its target by the message.',
      `
      AddressSid ChatFriendlyName ChatUniqueName ChatUserFriendlyName CustomerFriendlyName FlexFlowSid Identity
      LongLived PreEngagementData Target TaskAttributes TaskSid
    `,
    ),
  })(`
    flex.channels.create POST v1/Channels
    flex.web_channels.create POST v1/WebChannels
    flex.web_chats.create POST v2/WebChats
  `),
  {
    id: 'flex.web_channels.update',
    routes: ['POST flex-api.twilio.com/v1/WebChannels/{Sid}'],
    effect: 'spend',
    accepts: ['ChatStatus', 'PostEngagementData'],
    why: ENDS,
    explain: (question) => ({ ...plainly(question, true), quote: { basis: 'free', why: ENDS } }),
  },
  ...table({ effect: 'credential', reveals: ['session_id'], why: 'The reply holds a session of Flex Insights.' })(`
    flex.insights.sessions.create POST v1/Insights/Session
  `),
  ...table({
    effect: 'credential',
    why: 'A plugin is code that runs in the browser of everybody in the contact centre, with their tokens.',
    repeats: ['Plugins'],
  })(`
    flex.plugin_service.configurations.create POST v1/PluginService/Configurations
    flex.plugin_service.plugins.versions.create POST v1/PluginService/Plugins/{PluginSid}/Versions
    flex.plugin_service.releases.create POST v1/PluginService/Releases
  `),
  ...table({ effect: 'routing', why: 'Says where inbound messages and calls of Flex go.' })(`
    flex.flex_flows.create POST v1/FlexFlows
    flex.flex_flows.update POST v1/FlexFlows/{Sid}
  `),
  ...table({ effect: 'routing', why: 'Says where calls, chats and tasks of Flex go.', body: 'json' })(`
    flex.configuration.update POST v1/Configuration
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back, and a flow no longer answers.' })(`
    flex.channels.delete DELETE v1/Channels/{Sid}
    flex.flex_flows.delete DELETE v1/FlexFlows/{Sid}
    flex.insights.categories.delete DELETE v1/Insights/QualityManagement/Categories/{CategorySid}
    flex.insights.questionnaires.delete DELETE v1/Insights/QualityManagement/Questionnaires/{QuestionnaireSid}
    flex.insights.questions.delete DELETE v1/Insights/QualityManagement/Questions/{QuestionSid}
    flex.web_channels.delete DELETE v1/WebChannels/{Sid}
  `),
  ...table({ effect: 'write', why: 'The transfer exists already; only its state is set.', body: 'json' })(`
    flex.interactions.channels.transfers.update POST v1/Interactions/{InteractionSid}/Channels/{ChannelSid}/Transfers/{Sid}
  `),
  ...table({
    effect: 'write',
    why: 'State, names and assessments; nobody is sent anything.',
    repeats: ['QuestionSids'],
  })(`
    flex.insights.assessments.create POST v1/Insights/QualityManagement/Assessments
    flex.insights.assessments.comments.create POST v1/Insights/QualityManagement/Assessments/Comments
    flex.insights.assessments.update POST v1/Insights/QualityManagement/Assessments/{AssessmentSid}
    flex.insights.categories.create POST v1/Insights/QualityManagement/Categories
    flex.insights.categories.update POST v1/Insights/QualityManagement/Categories/{CategorySid}
    flex.insights.questionnaires.create POST v1/Insights/QualityManagement/Questionnaires
    flex.insights.questionnaires.update POST v1/Insights/QualityManagement/Questionnaires/{QuestionnaireSid}
    flex.insights.questions.create POST v1/Insights/QualityManagement/Questions
    flex.insights.questions.update POST v1/Insights/QualityManagement/Questions/{QuestionSid}
    flex.interactions.channels.participants.update POST v1/Interactions/{InteractionSid}/Channels/{ChannelSid}/Participants/{Sid}
    flex.interactions.channels.update POST v1/Interactions/{InteractionSid}/Channels/{Sid}
    flex.interactions.update POST v1/Interactions/{Sid}
    flex.plugin_service.configurations.archive POST v1/PluginService/Configurations/{Sid}/Archive
    flex.plugin_service.plugins.create POST v1/PluginService/Plugins
    flex.plugin_service.plugins.versions.archive POST v1/PluginService/Plugins/{PluginSid}/Versions/{Sid}/Archive
    flex.plugin_service.plugins.update POST v1/PluginService/Plugins/{Sid}
    flex.plugin_service.plugins.archive POST v1/PluginService/Plugins/{Sid}/Archive
    flex.users.update POST v2/Instances/{InstanceSid}/Users/{FlexUserSid}
    frontline.users.update POST frontline/Users/{Sid}
  `),
  ...table({
    effect: 'read',
    people: true,
    why: 'Shows customers, agents and what they said.',
    repeats: ['ReservationId'],
  })(`
    flex.channels.list GET v1/Channels
    flex.channels.get GET v1/Channels/{Sid}
    flex.insights.conversations.list GET v1/Insights/Conversations
    flex.insights.assessments.list GET v1/Insights/QualityManagement/Assessments
    flex.insights.assessments.comments.list GET v1/Insights/QualityManagement/Assessments/Comments
    flex.insights.segments.list GET v1/Insights/Segments
    flex.insights.user_roles.list GET v1/Insights/UserRoles
    flex.interactions.channels.list GET v1/Interactions/{InteractionSid}/Channels
    flex.interactions.channels.invites.list GET v1/Interactions/{InteractionSid}/Channels/{ChannelSid}/Invites
    flex.interactions.channels.participants.list GET v1/Interactions/{InteractionSid}/Channels/{ChannelSid}/Participants
    flex.interactions.channels.transfers.get GET v1/Interactions/{InteractionSid}/Channels/{ChannelSid}/Transfers/{Sid}
    flex.interactions.channels.get GET v1/Interactions/{InteractionSid}/Channels/{Sid}
    flex.interactions.get GET v1/Interactions/{Sid}
    flex.web_channels.list GET v1/WebChannels
    flex.web_channels.get GET v1/WebChannels/{Sid}
    flex.users.get GET v2/Instances/{InstanceSid}/Users/{FlexUserSid}
    frontline.users.get GET frontline/Users/{Sid}
  `),
  ...table({ effect: 'read', repeats: ['CategorySid'] })(`
    flex.configuration.get GET v1/Configuration
    flex.flex_flows.list GET v1/FlexFlows
    flex.flex_flows.get GET v1/FlexFlows/{Sid}
    flex.insights.categories.list GET v1/Insights/QualityManagement/Categories
    flex.insights.questionnaires.list GET v1/Insights/QualityManagement/Questionnaires
    flex.insights.questionnaires.get GET v1/Insights/QualityManagement/Questionnaires/{QuestionnaireSid}
    flex.insights.questions.list GET v1/Insights/QualityManagement/Questions
    flex.insights.settings.answer_sets.list GET v1/Insights/QualityManagement/Settings/AnswerSets
    flex.insights.settings.comment_tags.list GET v1/Insights/QualityManagement/Settings/CommentTags
    flex.plugin_service.configurations.list GET v1/PluginService/Configurations
    flex.plugin_service.configurations.plugins.list GET v1/PluginService/Configurations/{ConfigurationSid}/Plugins
    flex.plugin_service.configurations.plugins.get GET v1/PluginService/Configurations/{ConfigurationSid}/Plugins/{PluginSid}
    flex.plugin_service.configurations.get GET v1/PluginService/Configurations/{Sid}
    flex.plugin_service.plugins.list GET v1/PluginService/Plugins
    flex.plugin_service.plugins.versions.list GET v1/PluginService/Plugins/{PluginSid}/Versions
    flex.plugin_service.plugins.versions.get GET v1/PluginService/Plugins/{PluginSid}/Versions/{Sid}
    flex.plugin_service.plugins.get GET v1/PluginService/Plugins/{Sid}
    flex.plugin_service.releases.list GET v1/PluginService/Releases
    flex.plugin_service.releases.get GET v1/PluginService/Releases/{Sid}
    flex.account.provision.status.get GET v1/account/provision/status
  `),
])
