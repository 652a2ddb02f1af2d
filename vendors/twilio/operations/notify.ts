import type { Explained, Explanation, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { given, isObject, listOf, malformed, shown } from '../answers.js'
import { jsonIn } from '../json.js'
import { isE164 } from '../phone.js'
import { bill, flatPrice, smsPrice, unpriceable, type Item } from '../pricing.js'
import { names, plainly, rows, SOURCE } from '../rows.js'
import { BODY_CHARS_MAX, countSegmentsSmart } from '../segments.js'

const HOST = 'notify.twilio.com/v1'
const SERVICE = `${HOST}/Services/{ServiceSid}`
const BINDING_CHARS_MAX = 2000
const KINDS = new Set(['sms', 'apn', 'fcm', 'gcm'])

/** What names recipients by something else than their address, or puts other words in a channel’s message. */
const HIDDEN = names('Segment Identity Tag Sms FacebookMessenger Alexa')

/** Notifications to many at once over several channels. */
export const notify: readonly Operation[] = product({ source: SOURCE }, [
  {
    id: 'notify.notifications.create',
    routes: [`POST ${SERVICE}/Notifications`],
    effect: 'spend',
    accepts: [
      ...HIDDEN,
      ...names('Body Priority Ttl Title Sound Action Data Apn Gcm Fcm ToBinding DeliveryCallbackUrl'),
    ],
    repeats: ['ToBinding', 'Identity', 'Tag', 'Segment'],
    explain: explainNotification,
  },
  {
    id: 'notify.bindings.create',
    routes: [`POST ${SERVICE}/Bindings`],
    effect: 'write',
    accepts: names('Identity BindingType Address Tag NotificationProtocolVersion CredentialSid Endpoint'),
    repeats: ['Tag'],
    why: 'Lists an address; what is sent to it is counted then.',
    explain: ({ params }) => ({
      quote: { basis: 'free' },
      subjects: { recipients: listOf(given(params, 'Address')) },
    }),
  },
  ...rows(
    { effect: 'write', why: 'Settings of a service.' },
    `
    notify.services.create POST ${HOST}/Services
    notify.services.update POST ${HOST}/Services/{Sid}`,
  ),
  ...rows(
    { effect: 'credential', why: 'Keys that push messages to the account’s apps.' },
    `
    notify.credentials.create POST ${HOST}/Credentials
    notify.credentials.update POST ${HOST}/Credentials/{Sid}`,
  ),
  ...rows(
    { effect: 'destructive' },
    `
    notify.services.delete DELETE ${HOST}/Services/{Sid}
    notify.bindings.delete DELETE ${SERVICE}/Bindings/{Sid}
    notify.credentials.delete DELETE ${HOST}/Credentials/{Sid}`,
  ),
  ...rows(
    { effect: 'read', people: true },
    `
    notify.bindings.list GET ${SERVICE}/Bindings
    notify.bindings.get GET ${SERVICE}/Bindings/{Sid}`,
  ),
  ...rows(
    { effect: 'read' },
    `
    notify.services.list GET ${HOST}/Services
    notify.services.get GET ${HOST}/Services/{Sid}
    notify.credentials.list GET ${HOST}/Credentials
    notify.credentials.get GET ${HOST}/Credentials/{Sid}`,
  ),
])

/** One request reaches thousands, so it is priced only when each of them is named: `ToBinding` holds JSON. */
function explainNotification(question: Question): Explained {
  const { params, prices } = question
  const plain = plainly(question, true)
  if (plain.refuse) return plain
  const about = (quote: Explanation['quote'], recipients: readonly string[] | null): Explanation => ({
    direction: 'out',
    quote,
    subjects: { ...plain.subjects, recipients, senders: [question.path.ServiceSid!] },
  })
  const hidden = HIDDEN.find((name) => given(params, name) !== undefined)
  if (hidden !== undefined)
    return about(
      unpriceable(`With ${hidden} nobody can tell how many are reached and with what. Use ToBinding and Body.`),
      null,
    )
  const body = params.get('Body') ?? ''
  if (Array.from(body).length > BODY_CHARS_MAX) return malformed(`Body is longer than ${BODY_CHARS_MAX} characters.`)
  const bindings = params.all('ToBinding').filter((text) => text !== '')
  if (bindings.length === 0) return malformed('Name whom to reach: ToBinding.')
  const recipients: string[] = []
  const items: Item[] = []
  for (const text of bindings) {
    const binding = bindingOf(text)
    if (binding === null)
      return malformed(`ToBinding is ${shown(text)}; it must be {"binding_type":"sms","address":"+14155550100"}.`)
    recipients.push(binding.address)
    items.push(
      binding.type === 'sms'
        ? { units: BigInt(countSegmentsSmart(body)), price: smsPrice(prices, binding.address) }
        : { units: 1n, price: flatPrice(prices, 'notify.push') },
    )
  }
  return about(bill(prices, 'ceiling', items), recipients)
}

/** Null when it is not an object of just a known type and an address. */
function bindingOf(text: string): { readonly type: string; readonly address: string } | null {
  const json = text.length > BINDING_CHARS_MAX ? undefined : jsonIn(text)
  if (!isObject(json) || Object.keys(json).some((name) => name !== 'binding_type' && name !== 'address')) return null
  const { binding_type: type, address } = json
  if (typeof type !== 'string' || typeof address !== 'string' || !KINDS.has(type) || address === '') return null
  return type === 'sms' && !isE164(address) ? null : { type, address }
}
