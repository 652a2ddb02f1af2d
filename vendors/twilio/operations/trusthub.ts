import type { Quote } from '../../../src/contracts/call.js'
import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, JsonObject, Operation, Outcome, Prices, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { textOf } from '../answers.js'
import { bill, flatPrice } from '../pricing.js'
import { names, plainly, SOURCE } from '../rows.js'
import { tables } from './tables.js'

const table = tables({ v1: ['trusthub.twilio.com/v1'] })

/** Who the account is, as carriers and regulators want to know it. */
export const trusthub: readonly Operation[] = product({ source: SOURCE }, [
  ...table({
    effect: 'future_spend',
    why: 'The fees of a brand and its vetting; the token to finish it with outside spendgate is taken out.',
    accepts: names(`
      brandType themeSetId friendlyName notificationEmail businessName businessRegistrationAuthority
      businessRegistrationNumber businessIndustry businessWebsite businessType businessStockSymbol
      businessStockExchange businessTaxExemptStatus brandExternalVettingToken businessStreetAddress
      businessStreetAddress2 businessCity businessStateProvinceRegion businessPostalCode businessCountry
      businessContactFirstName businessContactLastName businessContactEmail businessContactPhone
      authorizedContactVerificationEmail authorizedContactMobilePhoneNumberE164 isTest skipAutomaticSecVet
    `),
    explain: explainBrand,
    outcome: outcomeOfRegistration,
    reveals: ['sessionId', 'sessionToken'],
    body: 'json',
  })(`
    trusthub.a2p_brand_registrations.create POST v1/A2PBrandRegistrations
  `),
  ...table({
    effect: 'future_spend',
    why: 'Its vetting and a fee every month; the token to finish it with outside spendgate is taken out.',
    accepts: names(`
      a2pBrandRegistrationSid messagingServiceSid themeSetId useCaseCategories useCaseDescription
      useCaseSampleMessage1 useCaseSampleMessage2 useCaseSampleMessage3 useCaseSampleMessage4
      useCaseSampleMessage5 useCaseOptInTypes useCaseOptInDescription hasEmbeddedLinks hasEmbeddedPhone
      embeddedUrlSample directLending ageGated privacyPolicyUrl termsAndConditionsUrl optInKeywords
      optInMessageSample optOutKeywords optOutMessageSample helpKeywords helpMessageSample
    `),
    explain: explainCampaign,
    outcome: outcomeOfRegistration,
    reveals: ['sessionId', 'sessionToken'],
    body: 'json',
  })(`
    trusthub.a2p_campaign_registrations.create POST v1/A2PCampaignRegistrations
  `),
  ...table({
    effect: 'credential',
    reveals: ['sessionId', 'sessionToken'],
    why: 'The reply holds a token with which the registration is filled in outside spendgate.',
    body: 'json',
  })(`
    trusthub.a2p_brand_registrations.embedded_sessions.create POST v1/A2PBrandRegistrations/{id}/EmbeddedSessions
    trusthub.a2p_campaign_registrations.embedded_sessions.create POST v1/A2PCampaignRegistrations/{id}/EmbeddedSessions
  `),
  ...table({
    effect: 'credential',
    reveals: ['inquiry_session_token', 'registration_id_token'],
    why: 'The reply holds a token with which the inquiry is filled in outside spendgate.',
    repeats: ['OptInImageUrls', 'OptInKeywords', 'UseCaseCategories'],
  })(`
    trusthub.compliance_inquiries.customers.initialize POST v1/ComplianceInquiries/Customers/Initialize
    trusthub.compliance_inquiries.customers.reinitialize POST v1/ComplianceInquiries/Customers/{CustomerId}/Initialize
    trusthub.compliance_inquiries.registration.regulatory_compliance.gb.initialize POST v1/ComplianceInquiries/Registration/RegulatoryCompliance/GB/Initialize
    trusthub.compliance_inquiries.registration.regulatory_compliance.gb.reinitialize POST v1/ComplianceInquiries/Registration/{RegistrationId}/RegulatoryCompliance/GB/Initialize
    trusthub.compliance_inquiries.tollfree.initialize POST v1/ComplianceInquiries/Tollfree/Initialize
  `),
  ...table({
    effect: 'routing',
    why: 'A profile names the callback that hears of its state, and whoever is written to about it.',
  })(`
    trusthub.customer_profiles.create POST v1/CustomerProfiles
    trusthub.customer_profiles.update POST v1/CustomerProfiles/{Sid}
    trusthub.trust_products.create POST v1/TrustProducts
    trusthub.trust_products.update POST v1/TrustProducts/{Sid}
  `),
  ...table({ effect: 'destructive', why: 'Numbers and campaigns that rest on what is deleted may stop working.' })(`
    trusthub.customer_profiles.channel_endpoint_assignments.delete DELETE v1/CustomerProfiles/{CustomerProfileSid}/ChannelEndpointAssignments/{Sid}
    trusthub.customer_profiles.entity_assignments.delete DELETE v1/CustomerProfiles/{CustomerProfileSid}/EntityAssignments/{Sid}
    trusthub.customer_profiles.delete DELETE v1/CustomerProfiles/{Sid}
    trusthub.end_users.delete DELETE v1/EndUsers/{Sid}
    trusthub.supporting_documents.delete DELETE v1/SupportingDocuments/{Sid}
    trusthub.trust_products.delete DELETE v1/TrustProducts/{Sid}
    trusthub.trust_products.channel_endpoint_assignments.delete DELETE v1/TrustProducts/{TrustProductSid}/ChannelEndpointAssignments/{Sid}
    trusthub.trust_products.entity_assignments.delete DELETE v1/TrustProducts/{TrustProductSid}/EntityAssignments/{Sid}
  `),
  ...table({ effect: 'write', body: 'json', why: 'A copy that is not in force.' })(`
    trusthub.customer_profiles.provisional_copy.update POST v1/CustomerProfiles/{customerProfileSid}/ProvisionalCopy
    trusthub.trust_products.provisional_copy.update POST v1/TrustProducts/{trustProductSid}/ProvisionalCopy
  `),
  ...table({ effect: 'write', why: 'Documents, people and numbers of a profile; nothing is billed for them.' })(`
    trusthub.customer_profiles.channel_endpoint_assignments.create POST v1/CustomerProfiles/{CustomerProfileSid}/ChannelEndpointAssignments
    trusthub.customer_profiles.entity_assignments.create POST v1/CustomerProfiles/{CustomerProfileSid}/EntityAssignments
    trusthub.customer_profiles.evaluations.create POST v1/CustomerProfiles/{CustomerProfileSid}/Evaluations
    trusthub.end_users.create POST v1/EndUsers
    trusthub.end_users.update POST v1/EndUsers/{Sid}
    trusthub.supporting_documents.create POST v1/SupportingDocuments
    trusthub.supporting_documents.update POST v1/SupportingDocuments/{Sid}
    trusthub.trust_products.channel_endpoint_assignments.create POST v1/TrustProducts/{TrustProductSid}/ChannelEndpointAssignments
    trusthub.trust_products.entity_assignments.create POST v1/TrustProducts/{TrustProductSid}/EntityAssignments
    trusthub.trust_products.evaluations.create POST v1/TrustProducts/{TrustProductSid}/Evaluations
  `),
  ...table({ effect: 'read', people: true, why: 'Shows names, addresses and documents of people.' })(`
    trusthub.customer_profiles.list GET v1/CustomerProfiles
    trusthub.customer_profiles.get GET v1/CustomerProfiles/{Sid}
    trusthub.customer_profiles.provisional_copy.get GET v1/CustomerProfiles/{customerProfileSid}/ProvisionalCopy
    trusthub.end_users.list GET v1/EndUsers
    trusthub.end_users.get GET v1/EndUsers/{Sid}
    trusthub.supporting_documents.list GET v1/SupportingDocuments
    trusthub.supporting_documents.get GET v1/SupportingDocuments/{Sid}
    trusthub.trust_products.list GET v1/TrustProducts
    trusthub.trust_products.get GET v1/TrustProducts/{Sid}
    trusthub.trust_products.provisional_copy.get GET v1/TrustProducts/{trustProductSid}/ProvisionalCopy
  `),
  ...table({ effect: 'read' })(`
    trusthub.customer_profiles.channel_endpoint_assignments.list GET v1/CustomerProfiles/{CustomerProfileSid}/ChannelEndpointAssignments
    trusthub.customer_profiles.channel_endpoint_assignments.get GET v1/CustomerProfiles/{CustomerProfileSid}/ChannelEndpointAssignments/{Sid}
    trusthub.customer_profiles.entity_assignments.list GET v1/CustomerProfiles/{CustomerProfileSid}/EntityAssignments
    trusthub.customer_profiles.entity_assignments.get GET v1/CustomerProfiles/{CustomerProfileSid}/EntityAssignments/{Sid}
    trusthub.customer_profiles.evaluations.list GET v1/CustomerProfiles/{CustomerProfileSid}/Evaluations
    trusthub.customer_profiles.evaluations.get GET v1/CustomerProfiles/{CustomerProfileSid}/Evaluations/{Sid}
    trusthub.end_user_types.list GET v1/EndUserTypes
    trusthub.end_user_types.get GET v1/EndUserTypes/{Sid}
    trusthub.policies.list GET v1/Policies
    trusthub.policies.get GET v1/Policies/{Sid}
    trusthub.supporting_document_types.list GET v1/SupportingDocumentTypes
    trusthub.supporting_document_types.get GET v1/SupportingDocumentTypes/{Sid}
    trusthub.trust_products.channel_endpoint_assignments.list GET v1/TrustProducts/{TrustProductSid}/ChannelEndpointAssignments
    trusthub.trust_products.channel_endpoint_assignments.get GET v1/TrustProducts/{TrustProductSid}/ChannelEndpointAssignments/{Sid}
    trusthub.trust_products.entity_assignments.list GET v1/TrustProducts/{TrustProductSid}/EntityAssignments
    trusthub.trust_products.entity_assignments.get GET v1/TrustProducts/{TrustProductSid}/EntityAssignments/{Sid}
    trusthub.trust_products.evaluations.list GET v1/TrustProducts/{TrustProductSid}/Evaluations
    trusthub.trust_products.evaluations.get GET v1/TrustProducts/{TrustProductSid}/Evaluations/{Sid}
  `),
])

const fees = (prices: Prices, ...due: string[]): Quote =>
  bill(
    prices,
    'ceiling',
    due.map((name) => ({ units: 1n, price: flatPrice(prices, name) })),
  )

/** Somebody finishes it with the token, and may choose a dearer kind of brand then: both fees count. */
function explainBrand(question: Question): Explained {
  const explained = plainly(question, true)
  if (explained.refuse) return explained
  return {
    ...explained,
    direction: 'out',
    quote: fees(question.prices, 'a2p.brand', 'a2p.vetting'),
    commits: { kind: 'open', perMonth: ZERO, dueAt: null, quantity: 1n },
  }
}

function explainCampaign(question: Question): Explained {
  const explained = plainly(question, true)
  if (explained.refuse) return explained
  const monthly = fees(question.prices, 'a2p.campaign')
  return {
    ...explained,
    direction: 'out',
    quote: fees(question.prices, 'a2p.campaign', 'a2p.campaign_vetting'),
    ...('amount' in monthly && {
      commits: { kind: 'recurring', perMonth: monthly.amount, dueAt: null, quantity: 1n },
    }),
  }
}

function outcomeOfRegistration(reply: JsonObject): Outcome {
  const id = textOf(reply.id)
  return id === undefined ? {} : { commitment: id }
}
