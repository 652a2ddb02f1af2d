import type { Effect, Subjects } from '../../../src/contracts/call.js'
import type { Explained, Explanation, Operation, Params, Question } from '../../../src/contracts/vendor.js'
import { isEmail } from '../addresses.js'
import { given, listOf, malformed, refused, shown, textOf } from '../answers.js'
import { isE164 } from '../phone.js'
import { bill, flatPrice, minutePrice, smsPrice, unpriceable, type Item } from '../pricing.js'
import { SEGMENTS_MAX } from '../segments.js'

const SERVICE = 'verify.twilio.com/v2/Services/{ServiceSid}'

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

export const verify: readonly Operation[] = [
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
  },
  {
    id: 'verify.check',
    routes: [`POST ${SERVICE}/VerificationCheck`],
    // The fee for a success was counted when the code was sent.
    effect: 'write',
    accepts: ['Code', 'To', 'VerificationSid', 'Amount', 'Payee', 'SnaClientToken'],
    explain: explainCheck,
  },
  {
    id: 'verify.verifications.update',
    routes: [`POST ${SERVICE}/Verifications/{Sid}`],
    effect: 'write',
    accepts: ['Status'],
    explain: (question) => {
      const status = given(question.params, 'Status')
      if (status === 'approved')
        return refused(
          'operation_not_allowed',
          'Status=approved passes a verification without its code. It is never forwarded.',
        )
      if (status !== 'canceled') return malformed(`Status is ${shown(status)}; a verification can only be canceled.`)
      return aboutVerification(question, question.path.Sid!)
    },
  },
  {
    id: 'verify.verifications.get',
    routes: [`GET ${SERVICE}/Verifications/{Sid}`],
    effect: 'read',
    explain: (question) => aboutVerification(question, question.path.Sid!),
  },
]

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
  if (risk !== undefined && risk !== 'enable')
    return refused(
      'operation_not_allowed',
      'RiskCheck may only be «enable»: anything else turns Twilio’s fraud protection off for the verification.',
    )
  // A code the sender chooses proves nothing about the recipient: it is a way to hand out a pass.
  const effects: Effect[] = given(params, 'CustomCode') === undefined ? [] : ['credential']
  return {
    direction: 'out',
    quote: quoteVerification(question, to, channel),
    effects,
    subjects: { recipients: [addressOf(to)], senders: [question.path.ServiceSid!] },
  }
}

/** Sending over the channel, and the fee that falls due if the code is entered. */
function quoteVerification({ params, prices }: Question, to: string, channel: string) {
  const sent = channelItem(params, prices, to, channel)
  if (sent === null) return unpriceable(`Verification channel ${shown(channel)} has no price in the table.`)
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
    default:
      return null
  }
}

function explainCheck(question: Question): Explained {
  const { params } = question
  const to = given(params, 'To')
  const sid = given(params, 'VerificationSid')
  if (to !== undefined && sid !== undefined) return refused('request_ambiguous', 'Give either To or VerificationSid.')
  if (to === undefined && sid === undefined) return malformed('Give To or VerificationSid.')
  return aboutVerification(question, to ?? sid!)
}

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
    lookUp: { path: `verify.twilio.com/v2/Services/${service}/Verifications/${which}` },
    then: (verification) => {
      const to = textOf(verification?.to)
      return concerning(listOf(to === undefined ? undefined : addressOf(to)))
    },
  }
}

const addressOf = (to: string): string => (to.includes('@') ? to.toLowerCase() : to)
