import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { tables, unknownCost } from './tables.js'

// ip-messaging is the older name of the same API; version 1 its older form.
const table = tables({
  all: ['chat.twilio.com/v2', 'ip-messaging.twilio.com/v2', 'chat.twilio.com/v1', 'ip-messaging.twilio.com/v1'],
  v2: ['chat.twilio.com/v2', 'ip-messaging.twilio.com/v2'],
  v3: ['chat.twilio.com/v3'],
})

/** Programmable Chat, which Conversations replaced. */
export const chat: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'spend',
    ...unknownCost(
      'Flex may have joined the channel to SMS or WhatsApp, which the chat API does not show, so nobody can ' +
        'say what a message in it costs.',
      'Attributes Body DateCreated DateUpdated From LastUpdatedBy MediaSid',
    ),
  })(`
    chat.channels.messages.create POST all/Services/{ServiceSid}/Channels/{ChannelSid}/Messages
  `),
  ...table({
    effect: 'credential',
    why: 'Holds the keys with which pushes are sent to apps, or says what chat users may do.',
    repeats: ['Permission'],
  })(`
    chat.credentials.create POST all/Credentials
    chat.credentials.update POST all/Credentials/{Sid}
    chat.roles.create POST all/Services/{ServiceSid}/Roles
    chat.roles.update POST all/Services/{ServiceSid}/Roles/{Sid}
  `),
  ...table({
    effect: 'routing',
    why: 'Webhooks hear every message and may change it; a messaging service lets a channel reach phones.',
    repeats: ['Configuration.Filters', 'Configuration.Triggers', 'WebhookFilters'],
  })(`
    chat.services.update POST all/Services/{Sid}
    chat.channels.webhooks.create POST v2/Services/{ServiceSid}/Channels/{ChannelSid}/Webhooks
    chat.channels.webhooks.update POST v2/Services/{ServiceSid}/Channels/{ChannelSid}/Webhooks/{Sid}
    chat.v3.channels.update POST v3/Services/{ServiceSid}/Channels/{Sid}
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back.' })(`
    chat.credentials.delete DELETE all/Credentials/{Sid}
    chat.channels.invites.delete DELETE all/Services/{ServiceSid}/Channels/{ChannelSid}/Invites/{Sid}
    chat.channels.members.delete DELETE all/Services/{ServiceSid}/Channels/{ChannelSid}/Members/{Sid}
    chat.channels.messages.delete DELETE all/Services/{ServiceSid}/Channels/{ChannelSid}/Messages/{Sid}
    chat.channels.delete DELETE all/Services/{ServiceSid}/Channels/{Sid}
    chat.roles.delete DELETE all/Services/{ServiceSid}/Roles/{Sid}
    chat.users.delete DELETE all/Services/{ServiceSid}/Users/{Sid}
    chat.services.delete DELETE all/Services/{Sid}
    chat.bindings.delete DELETE v2/Services/{ServiceSid}/Bindings/{Sid}
    chat.channels.webhooks.delete DELETE v2/Services/{ServiceSid}/Channels/{ChannelSid}/Webhooks/{Sid}
    chat.users.bindings.delete DELETE v2/Services/{ServiceSid}/Users/{UserSid}/Bindings/{Sid}
    chat.users.channels.delete DELETE v2/Services/{ServiceSid}/Users/{UserSid}/Channels/{ChannelSid}
  `),
  ...table({
    effect: 'write',
    why: 'Users, members and the names of things; nobody is sent anything that is billed.',
  })(`
    chat.services.create POST all/Services
    chat.channels.create POST all/Services/{ServiceSid}/Channels
    chat.channels.invites.create POST all/Services/{ServiceSid}/Channels/{ChannelSid}/Invites
    chat.channels.members.create POST all/Services/{ServiceSid}/Channels/{ChannelSid}/Members
    chat.channels.members.update POST all/Services/{ServiceSid}/Channels/{ChannelSid}/Members/{Sid}
    chat.channels.messages.update POST all/Services/{ServiceSid}/Channels/{ChannelSid}/Messages/{Sid}
    chat.channels.update POST all/Services/{ServiceSid}/Channels/{Sid}
    chat.users.create POST all/Services/{ServiceSid}/Users
    chat.users.update POST all/Services/{ServiceSid}/Users/{Sid}
    chat.users.channels.update POST v2/Services/{ServiceSid}/Users/{UserSid}/Channels/{ChannelSid}
  `),
  ...table({
    effect: 'read',
    people: true,
    why: 'Shows who writes to whom, and what.',
    repeats: ['BindingType', 'Identity', 'Type'],
  })(`
    chat.channels.list GET all/Services/{ServiceSid}/Channels
    chat.channels.invites.list GET all/Services/{ServiceSid}/Channels/{ChannelSid}/Invites
    chat.channels.invites.get GET all/Services/{ServiceSid}/Channels/{ChannelSid}/Invites/{Sid}
    chat.channels.members.list GET all/Services/{ServiceSid}/Channels/{ChannelSid}/Members
    chat.channels.members.get GET all/Services/{ServiceSid}/Channels/{ChannelSid}/Members/{Sid}
    chat.channels.messages.list GET all/Services/{ServiceSid}/Channels/{ChannelSid}/Messages
    chat.channels.messages.get GET all/Services/{ServiceSid}/Channels/{ChannelSid}/Messages/{Sid}
    chat.channels.get GET all/Services/{ServiceSid}/Channels/{Sid}
    chat.users.list GET all/Services/{ServiceSid}/Users
    chat.users.get GET all/Services/{ServiceSid}/Users/{Sid}
    chat.users.channels.list GET all/Services/{ServiceSid}/Users/{UserSid}/Channels
    chat.bindings.list GET v2/Services/{ServiceSid}/Bindings
    chat.bindings.get GET v2/Services/{ServiceSid}/Bindings/{Sid}
    chat.channels.webhooks.list GET v2/Services/{ServiceSid}/Channels/{ChannelSid}/Webhooks
    chat.channels.webhooks.get GET v2/Services/{ServiceSid}/Channels/{ChannelSid}/Webhooks/{Sid}
    chat.users.bindings.list GET v2/Services/{ServiceSid}/Users/{UserSid}/Bindings
    chat.users.bindings.get GET v2/Services/{ServiceSid}/Users/{UserSid}/Bindings/{Sid}
    chat.users.channels.get GET v2/Services/{ServiceSid}/Users/{UserSid}/Channels/{ChannelSid}
  `),
  ...table({ effect: 'read' })(`
    chat.credentials.list GET all/Credentials
    chat.credentials.get GET all/Credentials/{Sid}
    chat.services.list GET all/Services
    chat.roles.list GET all/Services/{ServiceSid}/Roles
    chat.roles.get GET all/Services/{ServiceSid}/Roles/{Sid}
    chat.services.get GET all/Services/{Sid}
  `),
])
