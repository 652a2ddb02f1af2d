import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, malformed, shown } from '../answers.js'
import { unpriceable } from '../pricing.js'
import { alsoIs, plainly, rows, SOURCE } from '../rows.js'

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}/SIP'
const DOMAIN = `${ACCOUNT}/Domains/{DomainSid}`
const TRUNKS = 'trunking.twilio.com/v1/Trunks'
const TRUNK = `${TRUNKS}/{TrunkSid}`
const VOICE = 'voice.twilio.com/v1'
const OPENS = 'Whoever holds it calls at the account’s cost without passing here.'

/**
 * SIP domains, trunks and carriers of one’s own. What lets a telephone exchange dial by itself is a credential: its
 * minutes are billed to the account and never pass here.
 */
export const sip: readonly Operation[] = product({ source: SOURCE }, [
  ...rows(
    { effect: 'credential', why: OPENS },
    `
    sip.credentials.create POST ${ACCOUNT}/CredentialLists/{CredentialListSid}/Credentials.json
    sip.credentials.update POST ${ACCOUNT}/CredentialLists/{CredentialListSid}/Credentials/{Sid}.json
    sip.ip_addresses.create POST ${ACCOUNT}/IpAccessControlLists/{IpAccessControlListSid}/IpAddresses.json
    sip.ip_addresses.update POST ${ACCOUNT}/IpAccessControlLists/{IpAccessControlListSid}/IpAddresses/{Sid}.json
    sip.domains.credential_lists.create POST ${DOMAIN}/CredentialListMappings.json
    sip.domains.ip_lists.create POST ${DOMAIN}/IpAccessControlListMappings.json
    sip.domains.calls.credential_lists.create POST ${DOMAIN}/Auth/Calls/CredentialListMappings.json
    sip.domains.calls.ip_lists.create POST ${DOMAIN}/Auth/Calls/IpAccessControlListMappings.json
    sip.domains.registrations.credential_lists.create POST ${DOMAIN}/Auth/Registrations/CredentialListMappings.json
    trunks.credential_lists.create POST ${TRUNK}/CredentialLists
    trunks.ip_lists.create POST ${TRUNK}/IpAccessControlLists`,
  ),
  ...rows(
    { effect: 'routing', explain: alsoIs('credential'), why: OPENS },
    `
    byoc_trunks.create POST ${VOICE}/ByocTrunks
    byoc_trunks.update POST ${VOICE}/ByocTrunks/{Sid}
    voice.ip_records.create POST ${VOICE}/IpRecords
    voice.source_ip_mappings.create POST ${VOICE}/SourceIpMappings
    voice.source_ip_mappings.update POST ${VOICE}/SourceIpMappings/{Sid}`,
  ),
  ...rows(
    { effect: 'routing', why: 'Says where the calls of a domain or a number go.' },
    `
    sip.domains.create POST ${ACCOUNT}/Domains.json
    sip.domains.update POST ${ACCOUNT}/Domains/{Sid}.json
    trunks.numbers.create POST ${TRUNK}/PhoneNumbers`,
  ),
  ...rows(
    {
      effect: 'routing',
      explain: explainTrunk,
      why: 'Says where the calls of a trunk go; names of callers have no bound.',
    },
    `
    trunks.create POST ${TRUNKS}
    trunks.update POST ${TRUNKS}/{Sid}`,
  ),
  ...rows(
    { effect: 'routing', explain: sipTarget('SipUrl', false), why: 'Says which exchange takes the calls of a trunk.' },
    `
    trunks.origination_urls.create POST ${TRUNK}/OriginationUrls
    trunks.origination_urls.update POST ${TRUNK}/OriginationUrls/{Sid}`,
  ),
  ...rows(
    {
      effect: 'routing',
      explain: sipTarget('Target', true),
      why: 'Says which exchange takes the calls of a carrier’s trunk.',
    },
    `
    connection_policies.targets.create POST ${VOICE}/ConnectionPolicies/{ConnectionPolicySid}/Targets
    connection_policies.targets.update POST ${VOICE}/ConnectionPolicies/{ConnectionPolicySid}/Targets/{Sid}`,
  ),
  {
    id: 'trunks.recording.update',
    routes: [`POST ${TRUNK}/Recording`],
    effect: 'future_spend',
    accepts: ['Mode', 'Trim'],
    explain: explainTrunkRecording,
  },
  ...rows(
    { effect: 'write', why: 'A list’s or a policy’s name; what opens a way in stands in its entries.' },
    `
    sip.credential_lists.create POST ${ACCOUNT}/CredentialLists.json
    sip.credential_lists.update POST ${ACCOUNT}/CredentialLists/{Sid}.json
    sip.ip_lists.create POST ${ACCOUNT}/IpAccessControlLists.json
    sip.ip_lists.update POST ${ACCOUNT}/IpAccessControlLists/{Sid}.json
    connection_policies.create POST ${VOICE}/ConnectionPolicies
    connection_policies.update POST ${VOICE}/ConnectionPolicies/{Sid}
    voice.ip_records.update POST ${VOICE}/IpRecords/{Sid}`,
  ),
  ...rows(
    { effect: 'destructive' },
    `
    sip.credentials.delete DELETE ${ACCOUNT}/CredentialLists/{CredentialListSid}/Credentials/{Sid}.json
    sip.credential_lists.delete DELETE ${ACCOUNT}/CredentialLists/{Sid}.json
    sip.ip_addresses.delete DELETE ${ACCOUNT}/IpAccessControlLists/{IpAccessControlListSid}/IpAddresses/{Sid}.json
    sip.ip_lists.delete DELETE ${ACCOUNT}/IpAccessControlLists/{Sid}.json
    sip.domains.delete DELETE ${ACCOUNT}/Domains/{Sid}.json
    sip.domains.credential_lists.delete DELETE ${DOMAIN}/CredentialListMappings/{Sid}.json
    sip.domains.ip_lists.delete DELETE ${DOMAIN}/IpAccessControlListMappings/{Sid}.json
    sip.domains.calls.credential_lists.delete DELETE ${DOMAIN}/Auth/Calls/CredentialListMappings/{Sid}.json
    sip.domains.calls.ip_lists.delete DELETE ${DOMAIN}/Auth/Calls/IpAccessControlListMappings/{Sid}.json
    sip.domains.registrations.credential_lists.delete DELETE ${DOMAIN}/Auth/Registrations/CredentialListMappings/{Sid}.json
    trunks.delete DELETE ${TRUNKS}/{Sid}
    trunks.credential_lists.delete DELETE ${TRUNK}/CredentialLists/{Sid}
    trunks.ip_lists.delete DELETE ${TRUNK}/IpAccessControlLists/{Sid}
    trunks.origination_urls.delete DELETE ${TRUNK}/OriginationUrls/{Sid}
    trunks.numbers.delete DELETE ${TRUNK}/PhoneNumbers/{Sid}
    byoc_trunks.delete DELETE ${VOICE}/ByocTrunks/{Sid}
    connection_policies.delete DELETE ${VOICE}/ConnectionPolicies/{Sid}
    connection_policies.targets.delete DELETE ${VOICE}/ConnectionPolicies/{ConnectionPolicySid}/Targets/{Sid}
    voice.ip_records.delete DELETE ${VOICE}/IpRecords/{Sid}
    voice.source_ip_mappings.delete DELETE ${VOICE}/SourceIpMappings/{Sid}`,
  ),
  ...rows(
    { effect: 'read' },
    `
    sip.credential_lists.list GET ${ACCOUNT}/CredentialLists.json
    sip.credential_lists.get GET ${ACCOUNT}/CredentialLists/{Sid}.json
    sip.credentials.list GET ${ACCOUNT}/CredentialLists/{CredentialListSid}/Credentials.json
    sip.credentials.get GET ${ACCOUNT}/CredentialLists/{CredentialListSid}/Credentials/{Sid}.json
    sip.domains.list GET ${ACCOUNT}/Domains.json
    sip.domains.get GET ${ACCOUNT}/Domains/{Sid}.json
    sip.domains.credential_lists.list GET ${DOMAIN}/CredentialListMappings.json
    sip.domains.credential_lists.get GET ${DOMAIN}/CredentialListMappings/{Sid}.json
    sip.domains.ip_lists.list GET ${DOMAIN}/IpAccessControlListMappings.json
    sip.domains.ip_lists.get GET ${DOMAIN}/IpAccessControlListMappings/{Sid}.json
    sip.domains.calls.credential_lists.list GET ${DOMAIN}/Auth/Calls/CredentialListMappings.json
    sip.domains.calls.credential_lists.get GET ${DOMAIN}/Auth/Calls/CredentialListMappings/{Sid}.json
    sip.domains.calls.ip_lists.list GET ${DOMAIN}/Auth/Calls/IpAccessControlListMappings.json
    sip.domains.calls.ip_lists.get GET ${DOMAIN}/Auth/Calls/IpAccessControlListMappings/{Sid}.json
    sip.domains.registrations.credential_lists.list GET ${DOMAIN}/Auth/Registrations/CredentialListMappings.json
    sip.domains.registrations.credential_lists.get GET ${DOMAIN}/Auth/Registrations/CredentialListMappings/{Sid}.json
    sip.ip_lists.list GET ${ACCOUNT}/IpAccessControlLists.json
    sip.ip_lists.get GET ${ACCOUNT}/IpAccessControlLists/{Sid}.json
    sip.ip_addresses.list GET ${ACCOUNT}/IpAccessControlLists/{IpAccessControlListSid}/IpAddresses.json
    sip.ip_addresses.get GET ${ACCOUNT}/IpAccessControlLists/{IpAccessControlListSid}/IpAddresses/{Sid}.json
    trunks.list GET ${TRUNKS}
    trunks.get GET ${TRUNKS}/{Sid}
    trunks.credential_lists.list GET ${TRUNK}/CredentialLists
    trunks.credential_lists.get GET ${TRUNK}/CredentialLists/{Sid}
    trunks.ip_lists.list GET ${TRUNK}/IpAccessControlLists
    trunks.ip_lists.get GET ${TRUNK}/IpAccessControlLists/{Sid}
    trunks.origination_urls.list GET ${TRUNK}/OriginationUrls
    trunks.origination_urls.get GET ${TRUNK}/OriginationUrls/{Sid}
    trunks.numbers.list GET ${TRUNK}/PhoneNumbers
    trunks.numbers.get GET ${TRUNK}/PhoneNumbers/{Sid}
    trunks.recording.get GET ${TRUNK}/Recording
    byoc_trunks.list GET ${VOICE}/ByocTrunks
    byoc_trunks.get GET ${VOICE}/ByocTrunks/{Sid}
    connection_policies.list GET ${VOICE}/ConnectionPolicies
    connection_policies.get GET ${VOICE}/ConnectionPolicies/{Sid}
    connection_policies.targets.list GET ${VOICE}/ConnectionPolicies/{ConnectionPolicySid}/Targets
    connection_policies.targets.get GET ${VOICE}/ConnectionPolicies/{ConnectionPolicySid}/Targets/{Sid}
    voice.ip_records.list GET ${VOICE}/IpRecords
    voice.ip_records.get GET ${VOICE}/IpRecords/{Sid}
    voice.source_ip_mappings.list GET ${VOICE}/SourceIpMappings
    voice.source_ip_mappings.get GET ${VOICE}/SourceIpMappings/{Sid}`,
  ),
])

function explainTrunk(question: Question): Explanation {
  const plain = plainly(question, false)
  if (!/^true$/i.test(given(question.params, 'CnamLookupEnabled') ?? '')) return plain
  const why = 'CnamLookupEnabled costs a look-up with every call that comes in, and how many will come is not known.'
  return { ...plain, effects: ['future_spend'], quote: unpriceable(why) }
}

function explainTrunkRecording(question: Question): Explanation {
  const mode = given(question.params, 'Mode')
  if (mode === 'do-not-record') return { quote: { basis: 'free', why: 'Recording is switched off.' }, subjects: {} }
  if (mode === undefined && given(question.params, 'Trim') === undefined)
    return malformed(`Mode is ${shown(mode)}; it must be do-not-record or a way to record.`)
  return {
    quote: unpriceable('Recording costs with every call of the trunk, and how many there will be is not known.'),
    subjects: {},
  }
}

const SIP =
  /^sips?:(?:[A-Za-z0-9._~!$&'()*+,=%-]+@)?([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?)(?:;[A-Za-z0-9;=._-]{0,200})?$/

/** A SIP address names a host like a URL does, so it is held against `callback_hosts` as one. */
function sipTarget(name: string, opensTrunk: boolean) {
  return (question: Question): Explained => {
    const target = given(question.params, name)
    const host = target === undefined ? undefined : SIP.exec(target)?.[1]
    if (target !== undefined && host === undefined)
      return malformed(`${name} is ${shown(target)}; it must be an address like sip:exchange.acme.com.`)
    return {
      quote: { basis: 'free' },
      effects: opensTrunk ? ['credential'] : [],
      subjects: { urls: host === undefined ? [] : [`https://${host}/`] },
    }
  }
}
