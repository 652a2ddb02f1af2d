import type { Commitment, Quote } from '../../../src/contracts/call.js'
import type { Explained, Operation, Prices, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { recipientChannel } from '../addresses.js'
import { given, isObject, malformed, textOf } from '../answers.js'
import { bill, flatPrice } from '../pricing.js'
import { names, plainly, rows, SOURCE, unpriced } from '../rows.js'

const V1 = 'messaging.twilio.com/v1'
const V2 = 'messaging.twilio.com/v2'
const SERVICES = `${V1}/Services`
const POOL = `${SERVICES}/{ServiceSid}`
const USA2P = `${SERVICES}/{MessagingServiceSid}/Compliance/Usa2p`
const BRANDS = `${V1}/a2p/BrandRegistrations`
const LINKS = `${V1}/LinkShortening`
const CAMPAIGN = names(`Description MessageFlow MessageSamples HasEmbeddedLinks HasEmbeddedPhone AgeGated DirectLending
  PrivacyPolicyUrl TermsAndConditionsUrl`)

/** Messaging services, their senders, and the registrations that carriers ask for. */
export const messaging: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'a2p.campaigns.create',
    routes: [`POST ${USA2P}`],
    effect: 'future_spend',
    accepts: [
      ...CAMPAIGN,
      ...names(`BrandRegistrationSid UsAppToPersonUsecase OptInMessage OptOutMessage HelpMessage OptInKeywords
        OptOutKeywords HelpKeywords SubscriberOptIn`),
    ],
    repeats: ['MessageSamples', 'OptInKeywords', 'OptOutKeywords', 'HelpKeywords'],
    explain: (question) => explainCampaign(question, ['a2p.campaign_vetting']),
    outcome: (reply) => {
      const sid = textOf(reply.sid)
      return sid === undefined ? {} : { commitment: sid }
    },
  },
  {
    id: 'a2p.campaigns.update',
    routes: [`POST ${USA2P}/{Sid}`],
    effect: 'future_spend',
    accepts: CAMPAIGN,
    repeats: ['MessageSamples'],
    // Handed in again, it is vetted again.
    explain: (question) => explainCampaign(question, ['a2p.campaign_vetting'], question.path.Sid!),
  },
  {
    id: 'a2p.campaigns.preregistered.create',
    routes: [`POST ${SERVICES}/PreregisteredUsa2p`],
    effect: 'future_spend',
    accepts: ['CampaignId', 'MessagingServiceSid', 'CnpMigration'],
    explain: (question) => explainCampaign(question, []),
    outcome: (reply) => {
      const sid = textOf(reply.sid)
      return sid === undefined ? {} : { commitment: sid }
    },
  },
  {
    id: 'a2p.campaigns.delete',
    routes: [`DELETE ${USA2P}/{Sid}`],
    effect: 'destructive',
    why: 'Ends a registration and its monthly fee.',
    outcome: (_reply, { path }) => ({ ends: path.Sid! }),
  },
  {
    id: 'a2p.brands.create',
    routes: [`POST ${BRANDS}`],
    effect: 'spend',
    accepts: names('CustomerProfileBundleSid A2PProfileBundleSid BrandType Mock SkipAutomaticSecVet'),
    explain: explainBrand,
  },
  {
    id: 'a2p.brands.update',
    routes: [`POST ${BRANDS}/{Sid}`],
    effect: 'spend',
    accepts: [],
    explain: (question) => ({ direction: 'out', quote: fees(question.prices, ['a2p.brand']), subjects: {} }),
  },
  {
    id: 'a2p.vettings.create',
    routes: [`POST ${BRANDS}/{BrandSid}/Vettings`],
    effect: 'spend',
    accepts: ['VettingProvider', 'VettingId'],
    explain: (question) => ({ direction: 'out', quote: fees(question.prices, ['a2p.vetting']), subjects: {} }),
  },
  ...rows(
    {
      effect: 'spend',
      accepts: [],
      why: 'The code goes to a number that stands in the brand at Twilio.',
      explain: unpriced('The code goes to a number that stands in the brand at Twilio, not in the request.'),
    },
    `a2p.brands.otp.create POST ${BRANDS}/{BrandRegistrationSid}/SmsOtp`,
  ),

  ...rows(
    { effect: 'routing', why: 'Decides which sender a service’s messages come from and where answers go.' },
    `
    messaging.services.create POST ${SERVICES}
    messaging.services.update POST ${SERVICES}/{Sid}
    messaging.services.channel_senders.create POST ${SERVICES}/{MessagingServiceSid}/ChannelSenders
    messaging.services.alpha_senders.create POST ${POOL}/AlphaSenders
    messaging.services.destination_alpha_senders.create POST ${POOL}/DestinationAlphaSenders
    messaging.services.numbers.create POST ${POOL}/PhoneNumbers
    messaging.services.short_codes.create POST ${POOL}/ShortCodes`,
  ),
  ...rows(
    { effect: 'routing', why: 'Decides where the links in messages lead and who counts the clicks.' },
    `
    messaging.links.config.update POST ${LINKS}/Domains/{DomainSid}/Config
    messaging.links.services.create POST ${LINKS}/Domains/{DomainSid}/MessagingServices/{MessagingServiceSid}
    messaging.links.managed_certificate.create POST ${LINKS}/Domains/{DomainSid}/RequestManagedCert`,
  ),
  ...rows(
    { effect: 'credential', accepts: ['TlsCert'], why: 'The private key of a domain.' },
    `messaging.links.certificate.update POST ${LINKS}/Domains/{DomainSid}/Certificate`,
  ),
  ...rows(
    { effect: 'routing', body: 'json', why: 'A sender of WhatsApp or RCS, and where its messages go.' },
    `
    messaging.channel_senders.create POST ${V2}/Channels/Senders
    messaging.channel_senders.update POST ${V2}/Channels/Senders/{Sid}`,
  ),
  ...rows(
    { effect: 'write', why: 'A toll-free number’s registration, which Twilio takes nothing for.' },
    `
    messaging.toll_free_verifications.create POST ${V1}/Tollfree/Verifications
    messaging.toll_free_verifications.update POST ${V1}/Tollfree/Verifications/{Sid}`,
  ),
  ...rows(
    { effect: 'write', people: true, why: 'Shows that somebody is typing.' },
    `messaging.typing.create POST ${V2}/Indicators/Typing.json`,
  ),
  {
    id: 'messaging.typing.v3.create',
    routes: ['POST messaging.twilio.com/v3/Indicators/Typing.json'],
    effect: 'write',
    body: 'json',
    why: 'Shows that somebody is typing.',
    explain: explainTyping,
  },
  ...rows(
    { effect: 'destructive' },
    `
    messaging.services.delete DELETE ${SERVICES}/{Sid}
    messaging.services.channel_senders.delete DELETE ${SERVICES}/{MessagingServiceSid}/ChannelSenders/{Sid}
    messaging.services.alpha_senders.delete DELETE ${POOL}/AlphaSenders/{Sid}
    messaging.services.destination_alpha_senders.delete DELETE ${POOL}/DestinationAlphaSenders/{Sid}
    messaging.services.numbers.delete DELETE ${POOL}/PhoneNumbers/{Sid}
    messaging.services.short_codes.delete DELETE ${POOL}/ShortCodes/{Sid}
    messaging.links.certificate.delete DELETE ${LINKS}/Domains/{DomainSid}/Certificate
    messaging.links.services.delete DELETE ${LINKS}/Domains/{DomainSid}/MessagingServices/{MessagingServiceSid}
    messaging.toll_free_verifications.delete DELETE ${V1}/Tollfree/Verifications/{Sid}
    messaging.channel_senders.delete DELETE ${V2}/Channels/Senders/{Sid}`,
  ),
  ...rows(
    // Leads to a file of numbers that changed hands.
    { effect: 'read', people: true, reveals: ['redirect_to'] },
    `messaging.deactivations.get GET ${V1}/Deactivations`,
  ),
  ...rows(
    { effect: 'read' },
    `
    messaging.services.list GET ${SERVICES}
    messaging.services.get GET ${SERVICES}/{Sid}
    messaging.services.usecases.list GET ${SERVICES}/Usecases
    messaging.services.channel_senders.list GET ${SERVICES}/{MessagingServiceSid}/ChannelSenders
    messaging.services.channel_senders.get GET ${SERVICES}/{MessagingServiceSid}/ChannelSenders/{Sid}
    messaging.services.alpha_senders.list GET ${POOL}/AlphaSenders
    messaging.services.alpha_senders.get GET ${POOL}/AlphaSenders/{Sid}
    messaging.services.destination_alpha_senders.list GET ${POOL}/DestinationAlphaSenders
    messaging.services.destination_alpha_senders.get GET ${POOL}/DestinationAlphaSenders/{Sid}
    messaging.services.numbers.list GET ${POOL}/PhoneNumbers
    messaging.services.numbers.get GET ${POOL}/PhoneNumbers/{Sid}
    messaging.services.short_codes.list GET ${POOL}/ShortCodes
    messaging.services.short_codes.get GET ${POOL}/ShortCodes/{Sid}
    messaging.links.certificate.get GET ${LINKS}/Domains/{DomainSid}/Certificate GET ${V2}/LinkShortening/Domains/{DomainSid}/Certificate
    messaging.links.config.get GET ${LINKS}/Domains/{DomainSid}/Config
    messaging.links.dns.get GET ${LINKS}/Domains/{DomainSid}/ValidateDns
    messaging.links.services.config.get GET ${LINKS}/MessagingService/{MessagingServiceSid}/DomainConfig
    messaging.links.services.domain.get GET ${LINKS}/MessagingServices/{MessagingServiceSid}/Domain
    messaging.toll_free_verifications.list GET ${V1}/Tollfree/Verifications
    messaging.toll_free_verifications.get GET ${V1}/Tollfree/Verifications/{Sid}
    messaging.channel_senders.list GET ${V2}/Channels/Senders
    messaging.channel_senders.get GET ${V2}/Channels/Senders/{Sid}
    a2p.campaigns.list GET ${USA2P}
    a2p.campaigns.get GET ${USA2P}/{Sid}
    a2p.campaigns.usecases.list GET ${USA2P}/Usecases
    a2p.brands.list GET ${BRANDS}
    a2p.brands.get GET ${BRANDS}/{Sid}
    a2p.vettings.list GET ${BRANDS}/{BrandSid}/Vettings
    a2p.vettings.get GET ${BRANDS}/{BrandSid}/Vettings/{BrandVettingSid}`,
  ),
])

const fees = (prices: Prices, due: readonly string[]): Quote =>
  bill(
    prices,
    'ceiling',
    due.map((name) => ({ units: 1n, price: flatPrice(prices, name) })),
  )

/** A campaign costs every month, at the dearest use case’s fee, and its vetting once. */
function explainCampaign(question: Question, once: readonly string[], object?: string): Explained {
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  const monthly = fees(question.prices, ['a2p.campaign'])
  const commits = (perMonth: Commitment['perMonth']): Commitment => ({
    kind: 'recurring',
    perMonth,
    dueAt: null,
    quantity: 1n,
    ...(object !== undefined && { object }),
  })
  return {
    ...plain,
    direction: 'out',
    quote: fees(question.prices, ['a2p.campaign', ...once]),
    ...('amount' in monthly && { commits: commits(monthly.amount) }),
  }
}

/** Carriers vet a standard brand unless told otherwise; a sole proprietor’s they do not. */
function explainBrand(question: Question): Explained {
  const { params, prices } = question
  const plain = plainly(question, false)
  const [mock, skipped] = ['Mock', 'SkipAutomaticSecVet'].map((name) => given(params, name)?.toLowerCase())
  for (const flag of [mock, skipped])
    if (flag !== undefined && flag !== 'true' && flag !== 'false')
      return malformed('Mock and SkipAutomaticSecVet must be true or false.')
  if (mock === 'true') return { ...plain, quote: { basis: 'free', why: 'A mock brand is not registered anywhere.' } }
  const vetted = skipped !== 'true' && given(params, 'BrandType') !== 'SOLE_PROPRIETOR'
  return { ...plain, direction: 'out', quote: fees(prices, ['a2p.brand', ...(vetted ? ['a2p.vetting'] : [])]) }
}

function explainTyping(question: Question): Explained {
  const plain = plainly(question, true)
  const to = isObject(question.json) ? textOf(question.json.to) : undefined
  return to === undefined || recipientChannel(to) === null
    ? plain
    : { ...plain, subjects: { ...plain.subjects, recipients: [to] } }
}
