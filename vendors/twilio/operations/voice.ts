import type { Operation } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { names, rows, SOURCE, unpriced } from '../rows.js'

const V1 = 'voice.twilio.com/v1'
const V2 = 'voice.twilio.com/v2'
const ROUTES = 'routes.twilio.com'
const LATER =
  'A default that records or transcribes costs with every later call, and how many there will be is not known.'

/** Defaults of the account’s calls, and the region that handles them. */
export const voice: readonly Operation[] = product({ source: SOURCE }, [
  ...rows(
    {
      effect: 'future_spend',
      body: 'json',
      accepts: names('uniqueName unique_name description configuration'),
      why: LATER,
      explain: unpriced(LATER, ['routing']),
    },
    `
    voice.default_configurations.create POST ${V2}/AccountDefaultConfiguration/{Type}
    voice.default_configurations.update PUT ${V2}/AccountDefaultConfiguration/{Type}
    voice.default_configurations.recording.create POST ${V2}/AccountDefaultConfiguration/Recording
    voice.default_configurations.recording.update PUT ${V2}/AccountDefaultConfiguration/Recording
    voice.configurations.create POST ${V2}/Configurations/{Type}
    voice.configurations.update PUT ${V2}/Configurations/{Type}/{IdOrUniqueName}
    voice.configurations.default.create POST ${V2}/Configurations/{Type}/Default
    voice.configurations.recording.create POST ${V2}/Configurations/Recording
    voice.configurations.recording.update PUT ${V2}/Configurations/Recording/{IdOrUniqueName}
    voice.configurations.transcription.create POST ${V2}/Configurations/Transcription
    voice.configurations.transcription.update PUT ${V2}/Configurations/Transcription/{IdOrUniqueName}`,
  ),
  ...rows(
    { effect: 'destructive' },
    `
    voice.default_configurations.delete DELETE ${V2}/AccountDefaultConfiguration/{Type}
    voice.default_configurations.recording.delete DELETE ${V2}/AccountDefaultConfiguration/Recording
    voice.configurations.delete DELETE ${V2}/Configurations/{Type}/{IdOrUniqueName}
    voice.configurations.recording.delete DELETE ${V2}/Configurations/Recording/{IdOrUniqueName}
    voice.configurations.transcription.delete DELETE ${V2}/Configurations/Transcription/{IdOrUniqueName}`,
  ),
  ...rows(
    { effect: 'read' },
    `
    voice.default_configurations.get GET ${V2}/AccountDefaultConfiguration/{Type}
    voice.default_configurations.recording.get GET ${V2}/AccountDefaultConfiguration/Recording
    voice.configurations.get GET ${V2}/Configurations/{Type}/{IdOrUniqueName}
    voice.configurations.default.get GET ${V2}/Configurations/{Type}/Default
    voice.configurations.recording.get GET ${V2}/Configurations/Recording/{IdOrUniqueName}
    voice.configurations.transcription.get GET ${V2}/Configurations/Transcription/{IdOrUniqueName}
    voice.dialing_permissions.countries.list GET ${V1}/DialingPermissions/Countries
    voice.dialing_permissions.countries.get GET ${V1}/DialingPermissions/Countries/{IsoCode}
    voice.dialing_permissions.prefixes.list GET ${V1}/DialingPermissions/Countries/{IsoCode}/HighRiskSpecialPrefixes
    voice.settings.get GET ${V1}/Settings
    routes.numbers.get GET ${ROUTES}/v2/PhoneNumbers/{PhoneNumber} GET ${ROUTES}/v3/PhoneNumbers/{PhoneNumber}
    routes.sip_domains.get GET ${ROUTES}/v2/SipDomains/{SipDomain}
    routes.trunks.get GET ${ROUTES}/v2/Trunks/{SipTrunkDomain}
    routes.short_codes.get GET ${ROUTES}/v3/ShortCodes/{IsoCountryCode}/{ShortCode}`,
  ),
  ...rows(
    { effect: 'routing', why: 'Says which region handles the calls that come in.' },
    `
    routes.numbers.update POST ${ROUTES}/v2/PhoneNumbers/{PhoneNumber}
    routes.sip_domains.update POST ${ROUTES}/v2/SipDomains/{SipDomain}
    routes.trunks.update POST ${ROUTES}/v2/Trunks/{SipTrunkDomain}`,
  ),
  ...rows(
    { effect: 'routing', body: 'json', why: 'Says which region handles the calls that come in.' },
    `
    routes.numbers.v3.update POST ${ROUTES}/v3/PhoneNumbers/{PhoneNumber}
    routes.short_codes.update POST ${ROUTES}/v3/ShortCodes/{IsoCountryCode}/{ShortCode}`,
  ),
])
