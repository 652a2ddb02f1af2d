import type { Effect, Quote, Subjects } from '../../../src/contracts/call.js'
import { ZERO } from '../../../src/contracts/money.js'
import type { Explained, Explanation, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { isEmail } from '../addresses.js'
import { given, listOf, malformed, refused, shown, textOf } from '../answers.js'
import { isE164 } from '../phone.js'
import { bill, flatPrice, minutePrice, smsPrice, unpriceable, type Item } from '../pricing.js'
import { names, plainly, rows, SOURCE } from '../rows.js'
import { SEGMENTS_MAX } from '../segments.js'

const SERVICE = 'verify.twilio.com/v2/Services/{ServiceSid}'
const ENTITY = `${SERVICE}/Entities/{Identity}`

/** Parameters that put text of unknown length into the message. */
const LENGTHENS = [
  'CustomFriendlyName',
  'TemplateSid',
  'TemplateCustomSubstitutions',
  'Templates',
  'AppHash',
  'Amount',
  'Payee',
]

export const verify: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'verify.verifications.create',
    routes: [`POST ${SERVICE}/Verifications`],
    effect: 'spend',
    // Left out and so refused: CustomMessage (withdrawn by Twilio, any text under a trusted sender) and
    // ChannelConfiguration (replaces the sender of an e-mail).
    accepts: [
      'To',
      'Channel',
      'SendDigits',
      'Locale',
      'CustomCode',
      'RateLimits',
      'DeviceIp',
      'EnableSnaClientToken',
      'RiskCheck',
      'Tags',
      ...LENGTHENS,
    ],
    explain: explainCreate,
    // Sent again, it is the same verification and costs again: each sending adds to what its id holds.
    outcome: (reply) => {
      const sid = textOf(reply.sid)
      return sid === undefined ? {} : { object: sid, estimate: sid }
    },
  },
  {
    id: 'verify.check',
    routes: [`POST ${SERVICE}/VerificationCheck`],
    effect: 'spend',
    accepts: ['Code', 'To', 'VerificationSid', 'Amount', 'Payee', 'SnaClientToken'],
    explain: explainCheck,
    // A wrong code costs nothing; a right one what was reserved, which is nothing where the sending held the fee.
    outcome: (reply) => (reply.status === 'approved' ? {} : { amount: ZERO }),
  },
  {
    id: 'verify.verifications.update',
    routes: [`POST ${SERVICE}/Verifications/{Sid}`],
    effect: 'write',
    accepts: ['Status'],
    weaker: 'Canceling is harmless; approving is a hard refusal.',
    explain: explainUpdate,
  },
  {
    id: 'verify.verifications.get',
    routes: [`GET ${SERVICE}/Verifications/{Sid}`],
    effect: 'read',
    explain: (question) => aboutVerification(question, question.path.Sid!),
  },
  ...factors(),
  ...settings(),
  ...reads(),
])

function explainCreate(question: Question): Explained {
  const { params } = question
  const to = given(params, 'To')
  const channel = given(params, 'Channel')
  if (to === undefined || !(isE164(to) || isEmail(to)))
    return malformed(`To is ${shown(to)}; it must be a number like +14155550100 or an e-mail address.`)
  if (channel === undefined) return malformed('Channel is missing.')
  if ((channel === 'email') !== isEmail(to))
    return malformed(`To is ${shown(to)}, which channel ${shown(channel)} cannot reach.`)
  const risk = given(params, 'RiskCheck')
  if (risk !== undefined && risk !== 'enable' && risk !== 'disable')
    return malformed(`RiskCheck is ${shown(risk)}; it must be enable or disable.`)
  // A code the sender chooses proves nothing about the recipient: it is a way to hand out a pass.
  const effects: Effect[] = given(params, 'CustomCode') === undefined ? [] : ['credential']
  return {
    direction: 'out',
    quote: quoteVerification(question, to, channel),
    effects,
    ...(risk === 'disable' && { never: 'RiskCheck=disable turns Twilio’s fraud protection off for the verification.' }),
    subjects: { recipients: [addressOf(to)], senders: [question.path.ServiceSid!] },
  }
}

function explainUpdate(question: Question): Explained {
  const status = given(question.params, 'Status')
  if (status !== 'canceled' && status !== 'approved')
    return malformed(`Status is ${shown(status)}; a verification can only be canceled or approved.`)
  const about = aboutVerification(question, question.path.Sid!)
  if (status === 'canceled') return about
  const approved = (explanation: Explanation): Explanation => ({
    ...explanation,
    direction: 'out',
    quote: quoteSuccess(question),
    ...(question.path.Sid!.startsWith('VE') && { object: question.path.Sid! }),
    effects: ['spend'],
    never: 'Status=approved passes a verification without its code.',
  })
  return 'lookUp' in about ? { ...about, then: (reply) => approved(about.then(reply) as Explanation) } : approved(about)
}

const quoteSuccess = ({ prices }: Question): Quote =>
  bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, 'verify.approved') }])

/** Sending over the channel, and the fee that falls due if the code is entered. */
function quoteVerification({ params, prices }: Question, to: string, channel: string) {
  const sent = channelItem(params, prices, to, channel)
  if (sent === null)
    return unpriceable(`What Twilio would send over channel ${shown(channel)} cannot be told from the request.`)
  return bill(prices, 'ceiling', [sent, { units: 1n, price: flatPrice(prices, 'verify.approved') }])
}

function channelItem(params: Params, prices: Question['prices'], to: string, channel: string): Item | null {
  const long = LENGTHENS.some((name) => given(params, name) !== undefined)
  switch (channel) {
    case 'sms':
      return { units: long ? BigInt(SEGMENTS_MAX) : 1n, price: smsPrice(prices, to) }
    case 'call':
      return long ? null : { units: 1n, price: minutePrice(prices, to) }
    case 'email':
      return { units: 1n, price: flatPrice(prices, 'verify.email') }
    case 'whatsapp':
      return { units: 1n, price: flatPrice(prices, 'whatsapp.twilio') }
    case 'auto':
      return null
    default:
      return /^[a-z_]{1,20}$/.test(channel) ? { units: 1n, price: flatPrice(prices, `verify.${channel}`) } : null
  }
}

/** The fee for a success is held by the verification if it was sent through here; else it is reserved now. */
function explainCheck(question: Question): Explained {
  const { params } = question
  const to = given(params, 'To')
  const sid = given(params, 'VerificationSid')
  if (to !== undefined && sid !== undefined) return refused('request_ambiguous', 'Give either To or VerificationSid.')
  if (to === undefined && sid === undefined) return malformed('Give To or VerificationSid.')
  const about = aboutVerification(question, to ?? sid!)
  const checked = (explanation: Explanation, object: string | undefined): Explanation =>
    explanation.refuse
      ? explanation
      : {
          ...explanation,
          direction: 'out',
          quote: quoteSuccess(question),
          ...(object !== undefined && { object }),
        }
  if ('lookUp' in about) return { ...about, then: (reply) => checked(about.then(reply) as Explanation, sid) }
  if (about.refuse || to === undefined) return checked(about, sid)
  return {
    lookUp: { path: pathOf(question, to) },
    then: (verification) => checked(about, textOf(verification?.sid)),
  }
}

const pathOf = ({ path }: Question, which: string): string =>
  `verify.twilio.com/v2/Services/${path.ServiceSid!}/Verifications/${which}`

/** Verify takes the address in place of a verification's id. */
function aboutVerification(question: Question, which: string): Explained {
  const service = question.path.ServiceSid!
  const concerning = (recipients: Subjects['recipients']): Explanation => ({
    quote: { basis: 'free' },
    subjects: { recipients: recipients ?? null, senders: [service] },
  })
  if (isE164(which) || isEmail(which)) return concerning([addressOf(which)])
  if (!/^VE[0-9a-zA-Z]{1,64}$/.test(which))
    return malformed(`${shown(which)} is neither a verification’s id nor an address.`)
  if (!question.restricted.recipients) return concerning(null)
  return {
    lookUp: { path: pathOf(question, which) },
    then: (verification) => {
      const to = textOf(verification?.to)
      return concerning(listOf(to === undefined ? undefined : addressOf(to)))
    },
  }
}

const addressOf = (to: string): string => (to.includes('@') ? to.toLowerCase() : to)

/** Push, TOTP and passkeys: what succeeds is billed, and it is counted when it is begun. */
function factors(): Operation[] {
  const begun = (effects: readonly Effect[]) => (question: Question) => ({
    ...plainly(question, true),
    direction: 'out' as const,
    quote: quoteSuccess(question),
    effects,
  })
  const counted = 'The fee for a success was counted when the challenge was made.'
  return [
    {
      id: 'verify.factors.create',
      routes: [`POST ${ENTITY}/Factors`],
      effect: 'spend',
      accepts: names(`FriendlyName FactorType Binding.Alg Binding.PublicKey Binding.Secret Config.AppId
        Config.NotificationPlatform Config.NotificationToken Config.SdkVersion Config.TimeStep Config.Skew
        Config.CodeLength Config.Alg Metadata`),
      // A TOTP factor's binding is the seed of its codes.
      reveals: ['binding'],
      explain: begun(['credential']),
    },
    {
      id: 'verify.passkeys.factors.create',
      routes: [`POST ${SERVICE}/Passkeys/Factors`],
      effect: 'spend',
      body: 'json',
      accepts: names('friendly_name friendlyName identity config'),
      explain: begun(['credential']),
    },
    {
      id: 'verify.challenges.create',
      routes: [`POST ${ENTITY}/Challenges`],
      effect: 'spend',
      accepts: names('FactorSid ExpirationDate Details.Message Details.Fields HiddenDetails AuthPayload'),
      repeats: ['Details.Fields'],
      explain: begun([]),
    },
    {
      id: 'verify.challenges.notifications.create',
      routes: [`POST ${ENTITY}/Challenges/{ChallengeSid}/Notifications`],
      effect: 'spend',
      accepts: ['Ttl'],
      explain: begun([]),
    },
    {
      id: 'verify.passkeys.challenges.create',
      routes: [`POST ${SERVICE}/Passkeys/Challenges`],
      effect: 'spend',
      body: 'json',
      accepts: names('identity factor_sid factorSid'),
      explain: begun([]),
    },
    ...rows(
      { effect: 'write', people: true, why: counted },
      `
      verify.factors.update POST ${ENTITY}/Factors/{Sid}
      verify.challenges.update POST ${ENTITY}/Challenges/{Sid}`,
    ),
    ...rows(
      { effect: 'write', people: true, body: 'json', why: counted },
      `
      verify.passkeys.factors.verify POST ${SERVICE}/Passkeys/VerifyFactor
      verify.passkeys.challenges.approve POST ${SERVICE}/Passkeys/ApproveChallenge`,
    ),
    ...rows(
      { effect: 'write', people: true, why: 'A name to hang factors on.' },
      `verify.entities.create POST ${SERVICE}/Entities`,
    ),
    ...rows(
      { effect: 'destructive', people: true },
      `
      verify.entities.delete DELETE ${SERVICE}/Entities/{Identity}
      verify.factors.delete DELETE ${ENTITY}/Factors/{Sid}`,
    ),
  ]
}

function settings(): Operation[] {
  return [
    ...rows(
      {
        effect: 'write',
        explain: explainService,
        why: 'Settings of a service; a look-up with every code has no price.',
      },
      `
      verify.services.create POST verify.twilio.com/v2/Services
      verify.services.update POST verify.twilio.com/v2/Services/{Sid}`,
    ),
    ...rows({ effect: 'destructive' }, 'verify.services.delete DELETE verify.twilio.com/v2/Services/{Sid}'),
    ...rows(
      { effect: 'routing', why: 'Decides which sender later codes come from, or where events go.' },
      `
      verify.messaging_configurations.create POST ${SERVICE}/MessagingConfigurations
      verify.messaging_configurations.update POST ${SERVICE}/MessagingConfigurations/{Country}
      verify.webhooks.create POST ${SERVICE}/Webhooks
      verify.webhooks.update POST ${SERVICE}/Webhooks/{Sid}`,
    ),
    ...rows(
      { effect: 'destructive' },
      `
      verify.messaging_configurations.delete DELETE ${SERVICE}/MessagingConfigurations/{Country}
      verify.webhooks.delete DELETE ${SERVICE}/Webhooks/{Sid}`,
    ),
  ]
}

/** Which sender codes come from over WhatsApp, and which site may ask for passkeys. */
const ROUTES = /^(Whatsapp|Passkeys\.RelyingParty)\./

/** With LookupEnabled every later verification costs a number look-up that its price does not hold. */
function explainService(question: Question): Explanation {
  const explanation = plainly(question, false)
  const on = (name: string): boolean => /^true$/i.test(given(question.params, name) ?? '')
  const routes = question.params.names().some((name) => ROUTES.test(name))
  const effects: Effect[] = [
    ...(on('CustomCodeEnabled') ? (['credential'] as const) : []),
    ...(routes ? (['routing'] as const) : []),
  ]
  if (!on('LookupEnabled')) return { ...explanation, effects }
  const why = 'LookupEnabled adds a number look-up to every later verification, which nobody would count.'
  return { ...explanation, effects: [...effects, 'future_spend'], quote: unpriceable(why) }
}

function reads(): Operation[] {
  return [
    {
      id: 'verify.attempts.list',
      routes: ['GET verify.twilio.com/v2/Attempts'],
      effect: 'read',
      explain: (question) => ({
        quote: { basis: 'free' },
        subjects: { recipients: listOf(given(question.params, 'ChannelData.To')), senders: null },
      }),
    },
    ...rows(
      { effect: 'read', people: true },
      `
      verify.attempts.get GET verify.twilio.com/v2/Attempts/{Sid}
      verify.entities.list GET ${SERVICE}/Entities
      verify.entities.get GET ${SERVICE}/Entities/{Identity}
      verify.factors.list GET ${ENTITY}/Factors
      verify.factors.get GET ${ENTITY}/Factors/{Sid}
      verify.challenges.list GET ${ENTITY}/Challenges
      verify.challenges.get GET ${ENTITY}/Challenges/{Sid}`,
    ),
    ...rows(
      { effect: 'read' },
      `
      verify.attempts.summary GET verify.twilio.com/v2/Attempts/Summary
      verify.forms.get GET verify.twilio.com/v2/Forms/{FormType}
      verify.services.list GET verify.twilio.com/v2/Services
      verify.services.get GET verify.twilio.com/v2/Services/{Sid}
      verify.messaging_configurations.list GET ${SERVICE}/MessagingConfigurations
      verify.messaging_configurations.get GET ${SERVICE}/MessagingConfigurations/{Country}
      verify.rate_limits.list GET ${SERVICE}/RateLimits
      verify.rate_limits.get GET ${SERVICE}/RateLimits/{Sid}
      verify.rate_limits.buckets.list GET ${SERVICE}/RateLimits/{RateLimitSid}/Buckets
      verify.rate_limits.buckets.get GET ${SERVICE}/RateLimits/{RateLimitSid}/Buckets/{Sid}
      verify.webhooks.list GET ${SERVICE}/Webhooks
      verify.webhooks.get GET ${SERVICE}/Webhooks/{Sid}
      verify.templates.list GET verify.twilio.com/v2/Templates`,
    ),
    {
      id: 'verify.safe_list.get',
      routes: ['GET verify.twilio.com/v2/SafeList/Numbers/{PhoneNumber}'],
      effect: 'read',
      explain: ({ path }) => ({ quote: { basis: 'free' }, subjects: { recipients: [path.PhoneNumber!] } }),
    },
  ]
}
