import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { SOURCE } from '../rows.js'
import { flatCost, tables } from './tables.js'

const table = tables({ v1: ['sync.twilio.com/v1'] })

export const sync: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'spend',
    ...flatCost(
      'sync.operation',
      'Twilio bills Sync by the operation: the flat price sync.operation, and refused while the table has none.',
      'CollectionTtl Data ItemTtl Key Ttl UniqueName',
    ),
  })(`
    sync.documents.create POST v1/Services/{ServiceSid}/Documents
    sync.documents.update POST v1/Services/{ServiceSid}/Documents/{Sid}
    sync.lists.create POST v1/Services/{ServiceSid}/Lists
    sync.lists.items.create POST v1/Services/{ServiceSid}/Lists/{ListSid}/Items
    sync.lists.items.update POST v1/Services/{ServiceSid}/Lists/{ListSid}/Items/{Index}
    sync.lists.update POST v1/Services/{ServiceSid}/Lists/{Sid}
    sync.maps.create POST v1/Services/{ServiceSid}/Maps
    sync.maps.items.create POST v1/Services/{ServiceSid}/Maps/{MapSid}/Items
    sync.maps.items.update POST v1/Services/{ServiceSid}/Maps/{MapSid}/Items/{Key}
    sync.maps.update POST v1/Services/{ServiceSid}/Maps/{Sid}
    sync.streams.create POST v1/Services/{ServiceSid}/Streams
    sync.streams.update POST v1/Services/{ServiceSid}/Streams/{Sid}
    sync.streams.messages.create POST v1/Services/{ServiceSid}/Streams/{StreamSid}/Messages
  `),
  ...table({ effect: 'credential', why: 'Says which users may read and write the object with tokens of their own.' })(`
    sync.documents.permissions.update POST v1/Services/{ServiceSid}/Documents/{DocumentSid}/Permissions/{Identity}
    sync.lists.permissions.update POST v1/Services/{ServiceSid}/Lists/{ListSid}/Permissions/{Identity}
    sync.maps.permissions.update POST v1/Services/{ServiceSid}/Maps/{MapSid}/Permissions/{Identity}
  `),
  ...table({ effect: 'routing', why: 'The webhook hears every change.' })(`
    sync.services.create POST v1/Services
    sync.services.update POST v1/Services/{Sid}
  `),
  ...table({ effect: 'destructive', why: 'What is deleted does not come back.' })(`
    sync.documents.permissions.delete DELETE v1/Services/{ServiceSid}/Documents/{DocumentSid}/Permissions/{Identity}
    sync.documents.delete DELETE v1/Services/{ServiceSid}/Documents/{Sid}
    sync.lists.items.delete DELETE v1/Services/{ServiceSid}/Lists/{ListSid}/Items/{Index}
    sync.lists.permissions.delete DELETE v1/Services/{ServiceSid}/Lists/{ListSid}/Permissions/{Identity}
    sync.lists.delete DELETE v1/Services/{ServiceSid}/Lists/{Sid}
    sync.maps.items.delete DELETE v1/Services/{ServiceSid}/Maps/{MapSid}/Items/{Key}
    sync.maps.permissions.delete DELETE v1/Services/{ServiceSid}/Maps/{MapSid}/Permissions/{Identity}
    sync.maps.delete DELETE v1/Services/{ServiceSid}/Maps/{Sid}
    sync.streams.delete DELETE v1/Services/{ServiceSid}/Streams/{Sid}
    sync.services.delete DELETE v1/Services/{Sid}
  `),
  ...table({
    effect: 'read',
    people: true,
    why: 'The data is whatever an application keeps there, people’s included.',
  })(`
    sync.documents.list GET v1/Services/{ServiceSid}/Documents
    sync.documents.permissions.list GET v1/Services/{ServiceSid}/Documents/{DocumentSid}/Permissions
    sync.documents.permissions.get GET v1/Services/{ServiceSid}/Documents/{DocumentSid}/Permissions/{Identity}
    sync.documents.get GET v1/Services/{ServiceSid}/Documents/{Sid}
    sync.lists.items.list GET v1/Services/{ServiceSid}/Lists/{ListSid}/Items
    sync.lists.items.get GET v1/Services/{ServiceSid}/Lists/{ListSid}/Items/{Index}
    sync.maps.items.list GET v1/Services/{ServiceSid}/Maps/{MapSid}/Items
    sync.maps.items.get GET v1/Services/{ServiceSid}/Maps/{MapSid}/Items/{Key}
  `),
  ...table({ effect: 'read' })(`
    sync.services.list GET v1/Services
    sync.lists.list GET v1/Services/{ServiceSid}/Lists
    sync.lists.permissions.list GET v1/Services/{ServiceSid}/Lists/{ListSid}/Permissions
    sync.lists.permissions.get GET v1/Services/{ServiceSid}/Lists/{ListSid}/Permissions/{Identity}
    sync.lists.get GET v1/Services/{ServiceSid}/Lists/{Sid}
    sync.maps.list GET v1/Services/{ServiceSid}/Maps
    sync.maps.permissions.list GET v1/Services/{ServiceSid}/Maps/{MapSid}/Permissions
    sync.maps.permissions.get GET v1/Services/{ServiceSid}/Maps/{MapSid}/Permissions/{Identity}
    sync.maps.get GET v1/Services/{ServiceSid}/Maps/{Sid}
    sync.streams.list GET v1/Services/{ServiceSid}/Streams
    sync.streams.get GET v1/Services/{ServiceSid}/Streams/{Sid}
    sync.services.get GET v1/Services/{Sid}
  `),
])
