import { usd } from '../../../src/contracts/money.js'
import type { Explained, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, malformed, textOf } from '../answers.js'
import { bill, flatPrice, unpriceable } from '../pricing.js'
import { plainly, SOURCE } from '../rows.js'
import { BODY_CHARS_MAX } from '../segments.js'
import { quoteEach } from './fan-out.js'
import { tables, unknownCost } from './tables.js'

const LASTS =
  'Every call and message between the participants is billed as long as the session lasts, whoever writes first.'

const table = tables({ v1: ['proxy.twilio.com/v1'] })

export const proxy: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'proxy.message_interactions.create',
    routes: [
      'POST proxy.twilio.com/v1/Services/{ServiceSid}/Sessions/{SessionSid}/Participants/{ParticipantSid}/MessageInteractions',
    ],
    effect: 'spend',
    why: 'A message to the participant, who is looked up, and the flat price proxy.interaction.',
    accepts: ['Body', 'MediaUrl'],
    repeats: ['MediaUrl'],
    explain: explainMessage,
  },
  ...table({
    effect: 'spend',
    ...unknownCost(
      LASTS,
      `
      DateExpiry FriendlyName Identifier Mode Participants ProxyIdentifier ProxyIdentifierSid Status Ttl
      UniqueName
    `,
    ),
    repeats: ['Participants'],
  })(`
    proxy.sessions.create POST v1/Services/{ServiceSid}/Sessions
    proxy.sessions.participants.create POST v1/Services/{ServiceSid}/Sessions/{SessionSid}/Participants
  `),
  ...table({ effect: 'routing', why: 'Says which numbers and callbacks stand between the people of a session.' })(`
    proxy.services.create POST v1/Services
    proxy.phone_numbers.create POST v1/Services/{ServiceSid}/PhoneNumbers
    proxy.services.update POST v1/Services/{Sid}
  `),
  ...table({
    effect: 'destructive',
    why: 'What is deleted does not come back; a session that is gone connects nobody.',
  })(`
    proxy.phone_numbers.delete DELETE v1/Services/{ServiceSid}/PhoneNumbers/{Sid}
    proxy.sessions.interactions.delete DELETE v1/Services/{ServiceSid}/Sessions/{SessionSid}/Interactions/{Sid}
    proxy.sessions.participants.delete DELETE v1/Services/{ServiceSid}/Sessions/{SessionSid}/Participants/{Sid}
    proxy.sessions.delete DELETE v1/Services/{ServiceSid}/Sessions/{Sid}
    proxy.services.delete DELETE v1/Services/{Sid}
  `),
  ...table({ effect: 'write', why: 'Whether a number is kept for sessions.' })(`
    proxy.phone_numbers.update POST v1/Services/{ServiceSid}/PhoneNumbers/{Sid}
  `),
  ...table({
    effect: 'write',
    why: 'Closing a session costs nothing; opening it again or letting it last longer has no price.',
    accepts: ['DateExpiry', 'Status', 'Ttl'],
    explain: explainSession,
  })(`
    proxy.sessions.update POST v1/Services/{ServiceSid}/Sessions/{Sid}
  `),
  ...table({ effect: 'read', people: true, why: 'Shows the numbers that the session hides, and what was written.' })(`
    proxy.sessions.list GET v1/Services/{ServiceSid}/Sessions
    proxy.sessions.interactions.list GET v1/Services/{ServiceSid}/Sessions/{SessionSid}/Interactions
    proxy.sessions.interactions.get GET v1/Services/{ServiceSid}/Sessions/{SessionSid}/Interactions/{Sid}
    proxy.sessions.participants.list GET v1/Services/{ServiceSid}/Sessions/{SessionSid}/Participants
    proxy.message_interactions.list GET v1/Services/{ServiceSid}/Sessions/{SessionSid}/Participants/{ParticipantSid}/MessageInteractions
    proxy.message_interactions.get GET v1/Services/{ServiceSid}/Sessions/{SessionSid}/Participants/{ParticipantSid}/MessageInteractions/{Sid}
    proxy.sessions.participants.get GET v1/Services/{ServiceSid}/Sessions/{SessionSid}/Participants/{Sid}
    proxy.sessions.get GET v1/Services/{ServiceSid}/Sessions/{Sid}
  `),
  ...table({ effect: 'read' })(`
    proxy.services.list GET v1/Services
    proxy.phone_numbers.list GET v1/Services/{ServiceSid}/PhoneNumbers
    proxy.phone_numbers.get GET v1/Services/{ServiceSid}/PhoneNumbers/{Sid}
    proxy.services.get GET v1/Services/{Sid}
  `),
])

/** Whatever does not end a session lets its people go on at the account's cost. */
function explainSession(question: Question): Explained {
  const explained = plainly(question, false)
  const { params } = question
  const ends = params.names().every((name) => name === 'Status') && /^(closed|failed)$/.test(params.get('Status') ?? '')
  return explained.refuse || ends
    ? explained
    : { ...explained, direction: 'out', quote: unpriceable(LASTS), effects: ['future_spend'] }
}

/** The participant’s number stands in the session, so it is looked up for the price. */
function explainMessage(question: Question): Explained {
  const { params, path, prices } = question
  const explained = plainly(question, true)
  if (explained.refuse) return explained
  const text = params.get('Body') ?? ''
  if (Array.from(text).length > BODY_CHARS_MAX) return malformed(`Body is longer than ${BODY_CHARS_MAX} characters.`)
  const media = given(params, 'MediaUrl') !== undefined
  return {
    lookUp: {
      path: `proxy.twilio.com/v1/Services/${path.ServiceSid!}/Sessions/${path.SessionSid!}/Participants/${path.ParticipantSid!}`,
    },
    then: (participant) => {
      const to = textOf(participant?.identifier)
      const from = textOf(participant?.proxy_identifier)
      if (to === undefined)
        return {
          ...explained,
          quote: unpriceable('The participant cannot be read, so what a message costs is not known.'),
        }
      const message = quoteEach(prices, [to], { text, media, template: false })
      const own = bill(prices, 'ceiling', [{ units: 1n, price: flatPrice(prices, 'proxy.interaction') }])
      return {
        direction: 'out',
        quote:
          'amount' in message && 'amount' in own
            ? { basis: 'ceiling', amount: usd(message.amount + own.amount) }
            : 'amount' in message
              ? own
              : message,
        subjects: { ...explained.subjects, recipients: [to], senders: from === undefined ? null : [from] },
      }
    },
  }
}
