import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { rows, SOURCE } from '../rows.js'

const V1 = 'pricing.twilio.com/v1'
const V2 = 'pricing.twilio.com/v2'

/** What Twilio says its services cost. Reading it is free. */
export const priceLists: readonly Operation[] = product(
  { source: SOURCE },
  rows(
    { effect: 'read' },
    `
    pricing.messaging.countries.list GET ${V1}/Messaging/Countries
    pricing.messaging.countries.get GET ${V1}/Messaging/Countries/{IsoCountry}
    pricing.numbers.countries.list GET ${V1}/PhoneNumbers/Countries
    pricing.numbers.countries.get GET ${V1}/PhoneNumbers/Countries/{IsoCountry}
    pricing.voice.v1.countries.list GET ${V1}/Voice/Countries
    pricing.voice.v1.countries.get GET ${V1}/Voice/Countries/{IsoCountry}
    pricing.voice.v1.numbers.get GET ${V1}/Voice/Numbers/{Number}
    pricing.trunking.countries.list GET ${V2}/Trunking/Countries
    pricing.trunking.countries.get GET ${V2}/Trunking/Countries/{Country}
    pricing.trunking.numbers.get GET ${V2}/Trunking/Numbers/{DestinationNumber}
    pricing.voice.countries.list GET ${V2}/Voice/Countries
    pricing.voice.countries.get GET ${V2}/Voice/Countries/{IsoCountry}
    pricing.voice.numbers.get GET ${V2}/Voice/Numbers/{DestinationNumber}`,
  ),
)
