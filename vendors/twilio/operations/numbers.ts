import type { Commitment, Effect, Quote } from '../../../src/contracts/call.js'
import type {
  Explained,
  Explanation,
  Json,
  JsonObject,
  Operation,
  Outcome,
  Question,
} from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, isObject, malformed, member, refused, shown, textOf } from '../answers.js'
import { isE164, rentalOf, type Rental } from '../phone.js'
import { bill, flatPrice, minutePrice, rentPrice, smsPrice, unpriceable, type Item } from '../pricing.js'
import { flatly, names, plainly, rows, SOURCE, unpriced } from '../rows.js'

const ACCOUNT = '/2010-04-01/Accounts/{AccountSid}'
const NUMBERS = `${ACCOUNT}/IncomingPhoneNumbers`
const AVAILABLE = `${ACCOUNT}/AvailablePhoneNumbers`
const HOST = 'numbers.twilio.com'

/** Minutes a call that reads out a code can take: Twilio states no bound, so ours is generous. */
const CODE_CALL_MINUTES = 10n
const PORTED_MAX = 1000

const SETTINGS = names(`AccountSid ApiVersion FriendlyName SmsApplicationSid SmsFallbackMethod SmsFallbackUrl SmsMethod
  SmsUrl StatusCallback StatusCallbackMethod VoiceApplicationSid VoiceCallerIdLookup VoiceFallbackMethod
  VoiceFallbackUrl VoiceMethod VoiceUrl EmergencyStatus EmergencyAddressSid TrunkSid IdentitySid AddressSid
  VoiceReceiveMode BundleSid`)
/** What decides where a number's calls and messages go. */
const ROUTES = names(`SmsApplicationSid SmsFallbackUrl SmsUrl StatusCallback VoiceApplicationSid VoiceFallbackUrl
  VoiceUrl TrunkSid VoiceReceiveMode`)

const HOSTED = names(`AccountSid PhoneNumber ContactPhoneNumber AddressSid Email FriendlyName CcEmails SmsUrl SmsMethod
  SmsFallbackUrl SmsCapability SmsFallbackMethod StatusCallbackUrl StatusCallbackMethod SmsApplicationSid ContactTitle`)

/** Numbers that are rented, ported, hosted and verified. A rent is counted for its first month and recurs. */
export const numbers: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'numbers.rent',
    routes: [
      `POST ${NUMBERS}.json`,
      `POST ${NUMBERS}/Local.json`,
      `POST ${NUMBERS}/Mobile.json`,
      `POST ${NUMBERS}/TollFree.json`,
    ],
    effect: 'future_spend',
    accepts: ['PhoneNumber', 'AreaCode', ...SETTINGS],
    explain: explainRent,
    outcome: madeBy,
  },
  {
    id: 'numbers.update',
    routes: [`POST ${NUMBERS}/{Sid}.json`],
    effect: 'routing',
    accepts: SETTINGS,
    why: 'Decides where the calls and messages of a number go, one-time codes among them.',
    explain: explainUpdate,
  },
  {
    id: 'numbers.port_in.create',
    routes: [`POST ${HOST}/v1/Porting/PortIn`],
    effect: 'future_spend',
    body: 'json',
    accepts: names(`account_sid accountSid documents phone_numbers phoneNumbers losing_carrier_information
      losingCarrierInformation notification_emails notificationEmails target_port_in_date targetPortInDate
      target_port_in_time_range_start targetPortInTimeRangeStart target_port_in_time_range_end
      targetPortInTimeRangeEnd bundle_sid bundleSid portability_advance_carrier portabilityAdvanceCarrier
      auto_cancel_approval_numbers autoCancelApprovalNumbers`),
    explain: explainPortIn,
    outcome: (reply) => madeBy({ sid: reply.port_in_request_sid }),
  },
  {
    id: 'numbers.short_codes.applications.create',
    routes: [`POST ${HOST}/v2/ShortCodes/Applications`],
    effect: 'future_spend',
    body: 'json',
    accepts: names(`friendly_name friendlyName iso_country isoCountry business_information businessInformation setup`),
    explain: explainShortCode,
    outcome: madeBy,
  },
  {
    id: 'numbers.hosted_orders.create',
    routes: [`POST ${HOST}/v2/HostedNumber/Orders`],
    effect: 'future_spend',
    accepts: HOSTED,
    repeats: ['CcEmails'],
    explain: explainHosted,
    outcome: madeBy,
  },
  {
    id: 'numbers.hosted_orders.v3.create',
    routes: [`POST ${HOST}/v3/HostedNumbers/HostedNumberOrders`],
    effect: 'future_spend',
    accepts: [...HOSTED, ...HOSTED.map(lowerFirst)],
    repeats: ['CcEmails', 'ccEmails'],
    explain: explainHosted,
    outcome: madeBy,
  },
  ...rows(
    {
      effect: 'future_spend',
      body: 'json',
      accepts: [],
      explain: unpriced('The numbers of a bulk order stand in a file, not in the request. Order them one by one.', [
        'routing',
      ]),
      why: 'The numbers of a bulk order stand in a file, not in the request.',
    },
    `numbers.hosted_orders.bulk.create POST ${HOST}/v2/HostedNumber/Orders/Bulk`,
  ),
  ...rows(
    {
      effect: 'future_spend',
      accepts: ['Status', 'VerificationCallDelay', 'VerificationCallExtension'],
      explain: unpriced('Going on with a hosted number order places a call and begins a fee that stand at Twilio.', [
        'routing',
      ]),
      why: 'Going on with an order places a call and begins a fee that stand at Twilio.',
    },
    `numbers.hosted_orders.update POST ${HOST}/v2/HostedNumber/Orders/{Sid}`,
  ),
  ...rows(
    {
      effect: 'future_spend',
      accepts: ['AccountSid', 'InstalledAddOnSid'],
      explain: unpriced('An add-on costs with every later call or message of the number, at its seller’s price.'),
      why: 'An add-on costs with every later call or message of the number, at its seller’s price.',
    },
    `numbers.add_ons.create POST ${NUMBERS}/{ResourceSid}/AssignedAddOns.json`,
  ),

  {
    id: 'caller_ids.create',
    routes: [`POST ${ACCOUNT}/OutgoingCallerIds.json`],
    effect: 'spend',
    accepts: names('AccountSid PhoneNumber FriendlyName CallDelay Extension StatusCallback StatusCallbackMethod'),
    // Whoever knows the code may afterwards call as the number.
    reveals: ['validation_code'],
    explain: (question) => explainCodeCall(question, given(question.params, 'PhoneNumber')),
  },
  {
    id: 'caller_ids.voice_verifications.create',
    routes: [`POST ${HOST}/v1/CallerIds/VoiceVerifications`],
    effect: 'spend',
    body: 'json',
    accepts: names(`to phoneNumber phone_number friendlyName friendly_name customCode custom_code callDelay call_delay
      statusCallback status_callback statusCallbackMethod status_callback_method extension`),
    reveals: ['validationCode', 'validation_code', 'verificationCode', 'verification_code'],
    explain: (question) => explainCodeCall(question, oneOf(question.json, ['to', 'phone_number'])),
  },
  {
    id: 'caller_ids.sms_verifications.create',
    routes: [`POST ${HOST}/v1/CallerIds/SmsVerifications`],
    effect: 'spend',
    body: 'json',
    accepts: ['to', 'locale', 'friendlyName', 'friendly_name'],
    explain: (question) => {
      const to = oneOf(question.json, ['to'])
      return explainCode(question, to, [{ units: 1n, price: smsPrice(question.prices, to ?? '') }])
    },
  },
  ...rows(
    {
      effect: 'credential',
      body: 'json',
      people: true,
      why: 'Ends the proof that a number may be shown as caller.',
    },
    `caller_ids.sms_verification_checks.create POST ${HOST}/v1/CallerIds/SmsVerificationChecks`,
  ),
  ...rows(
    { effect: 'write', why: 'Renames a verified caller.' },
    `caller_ids.update POST ${ACCOUNT}/OutgoingCallerIds/{Sid}.json`,
  ),
  ...rows(
    {
      effect: 'spend',
      body: 'json',
      accepts: names(`regulationId regulationVersion friendlyName statusNotificationEmail statusCallbackUrl comments
        themeSetId data`),
      reveals: ['sessionToken'],
      explain: flatly('sender_id.registration', ['credential']),
      why: 'Registering a sender costs by country; the session’s token fills in the form.',
    },
    `sender_ids.registrations.create POST ${HOST}/v1/SenderIdRegistrations`,
  ),
  ...rows(
    {
      effect: 'spend',
      body: 'json',
      accepts: ['themeSetId'],
      reveals: ['sessionToken'],
      explain: flatly('sender_id.registration', ['credential']),
      why: 'The session can submit a registration, which costs by country.',
    },
    `sender_ids.sessions.create POST ${HOST}/v1/SenderIdRegistrations/{BundleSid}/EmbeddedSessions`,
  ),

  ...rows(
    { effect: 'routing', why: 'It costs nothing and says where messages and status reports go.' },
    `
    numbers.short_codes.update POST ${ACCOUNT}/SMS/ShortCodes/{Sid}.json
    numbers.bundles.create POST ${HOST}/v2/RegulatoryCompliance/Bundles
    numbers.bundles.update POST ${HOST}/v2/RegulatoryCompliance/Bundles/{Sid}`,
  ),
  ...rows(
    { effect: 'routing', body: 'json', why: 'It costs nothing and says where reports about orders go.' },
    `
    numbers.porting_webhook.create POST ${HOST}/v1/Porting/Configuration/Webhook
    numbers.signing_requests.configure POST ${HOST}/v1/SigningRequest/Configuration`,
  ),
  ...rows(
    { effect: 'write', why: 'Papers that prove who uses a number; Twilio takes nothing for them.' },
    `
    numbers.authorization_documents.create POST ${HOST}/v2/HostedNumber/AuthorizationDocuments
    numbers.bundles.clone POST ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/Clones
    numbers.bundles.copies.create POST ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/Copies
    numbers.bundles.evaluations.create POST ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/Evaluations
    numbers.bundles.items.create POST ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/ItemAssignments
    numbers.bundles.items.replace POST ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/ReplaceItems
    numbers.end_users.create POST ${HOST}/v2/RegulatoryCompliance/EndUsers
    numbers.end_users.update POST ${HOST}/v2/RegulatoryCompliance/EndUsers/{Sid}
    numbers.supporting_documents.create POST ${HOST}/v2/RegulatoryCompliance/SupportingDocuments
    numbers.supporting_documents.update POST ${HOST}/v2/RegulatoryCompliance/SupportingDocuments/{Sid}`,
  ),
  {
    id: 'numbers.release',
    routes: [`DELETE ${NUMBERS}/{Sid}.json`],
    effect: 'destructive',
    why: 'Gives a number up for good; somebody else may rent it the same day.',
    accepts: ['AccountSid'],
    outcome: (_reply, { path }) => ({ ends: path.Sid! }),
  },
  ...rows(
    { effect: 'destructive' },
    `
    numbers.add_ons.delete DELETE ${NUMBERS}/{ResourceSid}/AssignedAddOns/{Sid}.json
    caller_ids.delete DELETE ${ACCOUNT}/OutgoingCallerIds/{Sid}.json
    numbers.porting_webhook.delete DELETE ${HOST}/v1/Porting/Configuration/Webhook/{WebhookType}
    numbers.port_in.delete DELETE ${HOST}/v1/Porting/PortIn/{PortInRequestSid}
    numbers.port_in.numbers.delete DELETE ${HOST}/v1/Porting/PortIn/{PortInRequestSid}/PhoneNumber/{PhoneNumberSid}
    numbers.authorization_documents.delete DELETE ${HOST}/v2/HostedNumber/AuthorizationDocuments/{Sid}
    numbers.hosted_orders.delete DELETE ${HOST}/v2/HostedNumber/Orders/{Sid}
    numbers.bundles.delete DELETE ${HOST}/v2/RegulatoryCompliance/Bundles/{Sid}
    numbers.bundles.items.delete DELETE ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/ItemAssignments/{Sid}
    numbers.end_users.delete DELETE ${HOST}/v2/RegulatoryCompliance/EndUsers/{Sid}
    numbers.supporting_documents.delete DELETE ${HOST}/v2/RegulatoryCompliance/SupportingDocuments/{Sid}`,
  ),

  {
    id: 'numbers.port_in.numbers.get',
    routes: [`GET ${HOST}/v1/Porting/PortIn/{PortInRequestSid}/PhoneNumber/{PhoneNumberSid}`],
    effect: 'read',
    reveals: ['port_out_pin', 'pin'],
    weaker: 'The PIN that would port the number away is taken out of the reply.',
  },
  ...rows(
    { effect: 'read', body: 'json', why: 'Asks whether numbers could be hosted.' },
    `
    numbers.hosting_eligibility.check POST ${HOST}/v1/HostedNumber/Eligibility
    numbers.hosting_eligibility.bulk.create POST ${HOST}/v1/HostedNumber/Eligibility/Bulk`,
  ),
  ...rows(
    { effect: 'read', people: true, reveals: ['port_out_pin', 'pin'] },
    `
    numbers.port_in.list GET ${HOST}/v1/Porting/PortIn/PortInRequests
    numbers.port_in.get GET ${HOST}/v1/Porting/PortIn/{PortInRequestSid}`,
  ),
  ...rows(
    // Identity papers and contact data of whoever uses the numbers.
    { effect: 'read', people: true },
    `
    numbers.authorization_documents.list GET ${HOST}/v2/HostedNumber/AuthorizationDocuments
    numbers.authorization_documents.get GET ${HOST}/v2/HostedNumber/AuthorizationDocuments/{Sid}
    numbers.authorization_documents.orders.list GET ${HOST}/v2/HostedNumber/AuthorizationDocuments/{SigningDocumentSid}/DependentHostedNumberOrders
    numbers.end_users.list GET ${HOST}/v2/RegulatoryCompliance/EndUsers
    numbers.end_users.get GET ${HOST}/v2/RegulatoryCompliance/EndUsers/{Sid}
    numbers.supporting_documents.list GET ${HOST}/v2/RegulatoryCompliance/SupportingDocuments
    numbers.supporting_documents.get GET ${HOST}/v2/RegulatoryCompliance/SupportingDocuments/{Sid}`,
  ),
  ...rows(
    { effect: 'read' },
    `
    numbers.list GET ${NUMBERS}.json GET ${NUMBERS}/Local.json GET ${NUMBERS}/Mobile.json GET ${NUMBERS}/TollFree.json
    numbers.get GET ${NUMBERS}/{Sid}.json
    numbers.add_ons.list GET ${NUMBERS}/{ResourceSid}/AssignedAddOns.json
    numbers.add_ons.get GET ${NUMBERS}/{ResourceSid}/AssignedAddOns/{Sid}.json
    numbers.add_ons.extensions.list GET ${NUMBERS}/{ResourceSid}/AssignedAddOns/{AssignedAddOnSid}/Extensions.json
    numbers.add_ons.extensions.get GET ${NUMBERS}/{ResourceSid}/AssignedAddOns/{AssignedAddOnSid}/Extensions/{Sid}.json
    numbers.available.countries.list GET ${AVAILABLE}.json
    numbers.available.countries.get GET ${AVAILABLE}/{CountryCode}.json
    numbers.available.local.list GET ${AVAILABLE}/{CountryCode}/Local.json
    numbers.available.machine_to_machine.list GET ${AVAILABLE}/{CountryCode}/MachineToMachine.json
    numbers.available.mobile.list GET ${AVAILABLE}/{CountryCode}/Mobile.json
    numbers.available.national.list GET ${AVAILABLE}/{CountryCode}/National.json
    numbers.available.shared_cost.list GET ${AVAILABLE}/{CountryCode}/SharedCost.json
    numbers.available.toll_free.list GET ${AVAILABLE}/{CountryCode}/TollFree.json
    numbers.available.voip.list GET ${AVAILABLE}/{CountryCode}/Voip.json
    caller_ids.list GET ${ACCOUNT}/OutgoingCallerIds.json
    caller_ids.get GET ${ACCOUNT}/OutgoingCallerIds/{Sid}.json
    numbers.short_codes.list GET ${ACCOUNT}/SMS/ShortCodes.json
    numbers.short_codes.get GET ${ACCOUNT}/SMS/ShortCodes/{Sid}.json
    numbers.hosting_eligibility.bulk.get GET ${HOST}/v1/HostedNumber/Eligibility/Bulk/{RequestId}
    numbers.porting_webhook.get GET ${HOST}/v1/Porting/Configuration/Webhook
    numbers.portability.get GET ${HOST}/v1/Porting/Portability/PhoneNumber/{PhoneNumber}
    numbers.signing_requests.configuration.list GET ${HOST}/v1/SigningRequest/Configuration
    numbers.hosted_orders.list GET ${HOST}/v2/HostedNumber/Orders
    numbers.hosted_orders.get GET ${HOST}/v2/HostedNumber/Orders/{Sid}
    numbers.hosted_orders.bulk.get GET ${HOST}/v2/HostedNumber/Orders/Bulk/{BulkHostingSid}
    numbers.bundles.list GET ${HOST}/v2/RegulatoryCompliance/Bundles
    numbers.bundles.get GET ${HOST}/v2/RegulatoryCompliance/Bundles/{Sid}
    numbers.bundles.copies.list GET ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/Copies
    numbers.bundles.evaluations.list GET ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/Evaluations
    numbers.bundles.evaluations.get GET ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/Evaluations/{Sid}
    numbers.bundles.items.list GET ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/ItemAssignments
    numbers.bundles.items.get GET ${HOST}/v2/RegulatoryCompliance/Bundles/{BundleSid}/ItemAssignments/{Sid}
    numbers.end_user_types.list GET ${HOST}/v2/RegulatoryCompliance/EndUserTypes
    numbers.end_user_types.get GET ${HOST}/v2/RegulatoryCompliance/EndUserTypes/{Sid}
    numbers.regulations.list GET ${HOST}/v2/RegulatoryCompliance/Regulations
    numbers.regulations.get GET ${HOST}/v2/RegulatoryCompliance/Regulations/{Sid}
    numbers.supporting_document_types.list GET ${HOST}/v2/RegulatoryCompliance/SupportingDocumentTypes
    numbers.supporting_document_types.get GET ${HOST}/v2/RegulatoryCompliance/SupportingDocumentTypes/{Sid}
    numbers.short_codes.applications.list GET ${HOST}/v2/ShortCodes/Applications
    numbers.short_codes.applications.get GET ${HOST}/v2/ShortCodes/Applications/{Sid}`,
  ),
])

function lowerFirst(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1)
}

/** What a new object is known by, so that its rent ends with it. */
function madeBy(reply: JsonObject): Outcome {
  const sid = textOf(reply.sid)
  return sid === undefined ? {} : { commitment: sid }
}

/** The first month falls due now, and every later one without another call. */
function explainRent(question: Question): Explained {
  const { params } = question
  const plain = settingsOf(question)
  if (plain.refuse) return plain
  const number = given(params, 'PhoneNumber')
  const area = given(params, 'AreaCode')
  if (number !== undefined && area !== undefined)
    return refused('request_ambiguous', 'PhoneNumber and AreaCode both say which number.')
  if (number === undefined && area === undefined) return malformed('Say which number: PhoneNumber or AreaCode.')
  if (number !== undefined && !isE164(number))
    return malformed(`PhoneNumber is ${shown(number)}; it must be a number like +14155550100.`)
  if (area !== undefined && !/^[2-9][0-9]{2}$/.test(area))
    return malformed(`AreaCode is ${shown(area)}; it must be three digits like 415.`)
  // An area code is one of +1; its country and kind are those of any number in it.
  const rental = rentalOf(number ?? `+1${area}5550100`)
  if ('why' in rental) return { ...plain, quote: unpriceable(rental.why) }
  const later = laterCosts(question)
  return { ...plain, ...(later === null ? rented(question, [rental]) : { quote: unpriceable(later) }) }
}

/** A month of each rental, now and from then on, with what is paid once. */
function rented(
  { prices }: Question,
  rentals: readonly Rental[],
  once: readonly Item[] = [],
): Pick<Explanation, 'quote' | 'direction' | 'commits'> {
  const months = rentals.map((rental) => ({ units: 1n, price: rentPrice(prices, rental) }))
  const monthly = bill(prices, 'ceiling', months)
  const quote = bill(prices, 'ceiling', [...months, ...once])
  return { direction: 'out', quote, ...('amount' in monthly && { commits: recurring(monthly, rentals.length) }) }
}

const recurring = (monthly: Extract<Quote, { amount: unknown }>, quantity: number): Commitment => ({
  kind: 'recurring',
  perMonth: monthly.amount,
  dueAt: null,
  quantity: BigInt(quantity),
})

/** URLs and effects of a number's settings. What an application or a trunk does stands at Twilio. */
function settingsOf(question: Question): Explanation {
  const plain = plainly(question, false)
  const hidden = ['SmsApplicationSid', 'VoiceApplicationSid'].some((name) => given(question.params, name) !== undefined)
  const effects: Effect[] = ROUTES.some((name) => given(question.params, name) !== undefined) ? ['routing'] : []
  return { ...plain, effects, subjects: hidden ? { ...plain.subjects, urls: null } : plain.subjects }
}

/** Settings that cost with every call or every month from now on. */
function laterCosts({ params }: Question): string | null {
  if (/^true$/i.test(given(params, 'VoiceCallerIdLookup') ?? ''))
    return 'VoiceCallerIdLookup costs a look-up with every call that comes in, and how many will come is not known.'
  if (/^active$/i.test(given(params, 'EmergencyStatus') ?? '') || given(params, 'EmergencyAddressSid') !== undefined)
    return 'What emergency calling costs a month is not known.'
  return null
}

/** Another account's id in the body gives the number away; `common` holds it against the policy. */
function explainUpdate(question: Question): Explained {
  const { params, account } = question
  const plain = settingsOf(question)
  if (plain.refuse) return plain
  const owner = given(params, 'AccountSid')
  const leaves = owner !== undefined && owner !== account
  const later = laterCosts(question)
  const effects: Effect[] = [
    ...(leaves ? (['destructive'] as const) : []),
    ...(later ? (['future_spend'] as const) : []),
  ]
  return { ...plain, effects, ...(later !== null && { quote: unpriceable(later) }) }
}

function explainPortIn(question: Question): Explained {
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  const asked = member(question.json, 'phone_numbers')
  if (!Array.isArray(asked) || asked.length === 0 || asked.length > PORTED_MAX)
    return malformed(`phone_numbers must be a list of 1 to ${PORTED_MAX} objects.`)
  const rentals: Rental[] = []
  const once: Item[] = []
  for (const each of asked as readonly Json[]) {
    const number = member(each, 'phone_number')
    if (typeof number !== 'string' || !isE164(number))
      return malformed('Every element of phone_numbers needs a phone_number like +14155550100.')
    const rental = rentalOf(number)
    if ('why' in rental) return { ...plain, quote: unpriceable(rental.why) }
    rentals.push(rental)
    once.push({ units: 1n, price: flatPrice(question.prices, `number.${rental.country}.port_in`) })
  }
  return { ...plain, ...rented(question, rentals, once) }
}

function explainShortCode(question: Question): Explained {
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  const country = member(question.json, 'iso_country')
  if (typeof country !== 'string' || !/^[A-Z]{2}$/.test(country))
    return malformed('iso_country must be two capital letters like US.')
  const { prices } = question
  const quote = bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, `number.${country}.short_code`) }])
  return { ...plain, direction: 'out', quote, ...('amount' in quote && { commits: recurring(quote, 1) }) }
}

/** A number of another carrier's: Twilio's fee a month, and a call to it to prove whose it is. */
function explainHosted(question: Question): Explained {
  const { params, prices } = question
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  const spelled = ['PhoneNumber', 'phoneNumber'].flatMap((name) => given(params, name) ?? [])
  if (spelled.length > 1) return refused('request_ambiguous', 'PhoneNumber and phoneNumber both say which number.')
  const number = spelled[0]
  if (number === undefined || !isE164(number))
    return malformed(`PhoneNumber is ${shown(number)}; it must be a number like +14155550100.`)
  const month: Item = { units: 1n, price: flatPrice(prices, 'number.hosted') }
  const monthly = bill(prices, 'ceiling', [month])
  const quote = bill(prices, 'ceiling', [month, { units: CODE_CALL_MINUTES, price: minutePrice(prices, number) }])
  return {
    ...plain,
    direction: 'out',
    quote,
    effects: ['routing'],
    ...('amount' in monthly && { commits: recurring(monthly, 1) }),
    subjects: { ...plain.subjects, recipients: [number] },
  }
}

/** One value under any of several names of a JSON object; undefined when there is none or more than one. */
function oneOf(json: Json | undefined, wanted: readonly string[]): string | undefined {
  const found = wanted.map((name) => member(json, name)).filter((value) => value !== undefined)
  return isObject(json) && found.length === 1 && typeof found[0] === 'string' ? found[0] : undefined
}

const explainCodeCall = (question: Question, to: string | undefined): Explained =>
  explainCode(question, to, [{ units: CODE_CALL_MINUTES, price: minutePrice(question.prices, to ?? '') }])

/** Rings or texts any number there is; once its code is entered, the account may call as that number. */
function explainCode(question: Question, to: string | undefined, items: readonly Item[]): Explained {
  const plain = plainly(question, false)
  if (plain.refuse) return plain
  if (to === undefined || !isE164(to)) return malformed(`${shown(to)} is not a number like +14155550100.`)
  return {
    direction: 'out',
    quote: bill(question.prices, 'ceiling', items),
    effects: ['credential'],
    subjects: { ...plain.subjects, recipients: [to] },
  }
}
