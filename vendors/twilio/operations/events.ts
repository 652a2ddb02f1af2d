import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { plainly, SOURCE } from '../rows.js'
import { tables } from './tables.js'

const table = tables({ v1: ['events.twilio.com/v1'] })

const TO_SINKS = 'Events of the whole account, texts and numbers in them, go to where the sink leads.'

/** Event Streams. */
export const events: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'events.sinks.create',
    routes: ['POST events.twilio.com/v1/Sinks'],
    effect: 'routing',
    reveals: ['sink_configuration'],
    why: TO_SINKS,
    explain: explainSink,
  },
  ...table({ effect: 'routing', reveals: ['sink_configuration'], why: TO_SINKS, repeats: ['Types'] })(`
    events.sinks.update POST v1/Sinks/{Sid}
    events.sinks.test POST v1/Sinks/{Sid}/Test
    events.sinks.validate POST v1/Sinks/{Sid}/Validate
    events.subscriptions.create POST v1/Subscriptions
    events.subscriptions.update POST v1/Subscriptions/{Sid}
    events.subscriptions.subscribed_events.create POST v1/Subscriptions/{SubscriptionSid}/SubscribedEvents
    events.subscriptions.subscribed_events.update POST v1/Subscriptions/{SubscriptionSid}/SubscribedEvents/{Type}
  `),
  ...table({
    effect: 'destructive',
    why: 'Events are no longer delivered, and what happened meanwhile is not sent again.',
  })(`
    events.sinks.delete DELETE v1/Sinks/{Sid}
    events.subscriptions.delete DELETE v1/Subscriptions/{Sid}
    events.subscriptions.subscribed_events.delete DELETE v1/Subscriptions/{SubscriptionSid}/SubscribedEvents/{Type}
  `),
  ...table({
    effect: 'read',
    reveals: ['sink_configuration'],
    why: 'Says where events go; the keys of the destination are taken out.',
    weaker: 'The configuration, which holds the keys, is taken out of the reply.',
  })(`
    events.sinks.list GET v1/Sinks
    events.sinks.get GET v1/Sinks/{Sid}
  `),
  ...table({ effect: 'read' })(`
    events.schemas.get GET v1/Schemas/{Id}
    events.schemas.versions.list GET v1/Schemas/{Id}/Versions
    events.schemas.versions.get GET v1/Schemas/{Id}/Versions/{SchemaVersion}
    events.subscriptions.list GET v1/Subscriptions
    events.subscriptions.get GET v1/Subscriptions/{Sid}
    events.subscriptions.subscribed_events.list GET v1/Subscriptions/{SubscriptionSid}/SubscribedEvents
    events.subscriptions.subscribed_events.get GET v1/Subscriptions/{SubscriptionSid}/SubscribedEvents/{Type}
    events.types.list GET v1/Types
    events.types.get GET v1/Types/{Type}
  `),
])

/** A destination that is no URL (a Kinesis stream, a Segment key) is one nobody can check. */
function explainSink(question: Question): Explained {
  const explained = plainly(question, false)
  return explained.subjects.urls === undefined ? { ...explained, subjects: { urls: null } } : explained
}
