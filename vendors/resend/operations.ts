import type { Effect, Subjects } from '../../src/contracts/call.js'
import { ZERO } from '../../src/contracts/money.js'
import type {
  Explained,
  Explanation,
  Json,
  JsonObject,
  Operation,
  Outcome,
  Question,
} from '../../src/contracts/vendor.js'
import { mailbox } from './addresses.js'
import { asObject, EMAIL_FIELDS, readEmail, type Email } from './emails.js'
import { quoteFlat } from './pricing.js'

/** Attachments travel inside the body. */
const SEND_BYTES_MAX = 10 * 1024 * 1024
const BATCH_MAX = 100
const PAGING = ['limit', 'after', 'before']

export const operations: readonly Operation[] = [
  {
    id: 'emails.send',
    routes: ['POST /emails'],
    effect: 'spend',
    accepts: EMAIL_FIELDS,
    bodyBytesMax: SEND_BYTES_MAX,
    explain: (question) => {
      const email = readEmail(question.json)
      return typeof email === 'string' ? malformed(email) : sending(question, [email])
    },
    // A scheduled e-mail keeps its exposure under its id, so that cancelling it gives the money back.
    outcome: (reply, _question, explanation): Outcome => {
      const id = reply.id
      const future = explanation.effects?.includes('future_spend') === true
      if (!future || typeof id !== 'string' || id === '' || explanation.quote.basis !== 'exact') return {}
      return { object: id, total: explanation.quote.amount }
    },
  },
  {
    id: 'emails.batch',
    routes: ['POST /emails/batch'],
    effect: 'spend',
    // The body is a list; these are the fields of each element.
    accepts: EMAIL_FIELDS,
    bodyBytesMax: SEND_BYTES_MAX,
    explain: (question) => {
      const list = question.json
      if (!Array.isArray(list) || list.length === 0 || list.length > BATCH_MAX)
        return malformed(`The body must be a list of 1 to ${BATCH_MAX} e-mails.`)
      const emails = (list as readonly Json[]).map((json) => readEmail(json))
      const at = emails.findIndex((email) => typeof email === 'string')
      return at >= 0
        ? malformed(`E-mail ${at + 1} of the batch: ${String(emails[at])}`)
        : sending(question, emails as readonly Email[])
    },
  },
  {
    id: 'emails.update',
    routes: ['PATCH /emails/{email_id}'],
    // It sends nothing new, but moves a send that was counted to another day, or to now.
    effect: 'future_spend',
    accepts: ['scheduled_at'],
    explain: (question) => {
      const body = asObject(question.json)
      if (body === null || Object.keys(body).join() !== 'scheduled_at' || typeof body.scheduled_at !== 'string')
        return malformed('The body must hold scheduled_at and nothing else.')
      return aboutEmail(question)
    },
  },
  {
    id: 'emails.cancel',
    routes: ['POST /emails/{email_id}/cancel'],
    effect: 'write',
    accepts: [],
    explain: (question) => aboutEmail(question),
    // Resend refuses to cancel what is not waiting any more, so a 2xx says that nothing was sent.
    outcome: (_reply, question) => ({ object: question.path.email_id!, total: ZERO }),
  },
  {
    id: 'emails.list',
    routes: ['GET /emails'],
    effect: 'read',
    accepts: PAGING,
    explain: () => free({ recipients: null, senders: null }),
  },
  {
    id: 'emails.get',
    routes: ['GET /emails/{email_id}'],
    effect: 'read',
    accepts: [],
    explain: (question) => aboutEmail(question),
  },

  { id: 'domains.list', routes: ['GET /domains'], effect: 'read', accepts: PAGING },
  { id: 'domains.get', routes: ['GET /domains/{domain_id}'], effect: 'read', accepts: [], explain: aboutDomain },
  {
    id: 'domains.create',
    routes: ['POST /domains'],
    // May capture inbound mail, and counts towards a monthly add-on.
    effect: 'routing',
    accepts: [
      'name',
      'region',
      'custom_return_path',
      'capabilities',
      'open_tracking',
      'click_tracking',
      'tls',
      'tracking_subdomain',
    ],
    explain: (question) => ({ direction: 'out', quote: quoteFlat(question.prices, 'domain', 1), subjects: {} }),
  },
  {
    id: 'domains.verify',
    routes: ['POST /domains/{domain_id}/verify'],
    effect: 'write',
    accepts: [],
    explain: aboutDomain,
  },
  {
    id: 'domains.update',
    routes: ['PATCH /domains/{domain_id}'],
    effect: 'routing',
    accepts: ['click_tracking', 'open_tracking', 'tls', 'capabilities', 'tracking_subdomain'],
    explain: aboutDomain,
  },
  {
    id: 'domains.delete',
    routes: ['DELETE /domains/{domain_id}'],
    effect: 'destructive',
    accepts: [],
    explain: aboutDomain,
  },

  { id: 'audiences.list', routes: ['GET /audiences'], effect: 'read', accepts: PAGING },
  {
    id: 'audiences.get',
    routes: ['GET /audiences/{id}'],
    effect: 'read',
    accepts: [],
    explain: (question) => (isId(question.path.id!) ? free({}) : noId(question.path.id!)),
  },
  {
    id: 'contacts.list',
    routes: ['GET /contacts'],
    effect: 'read',
    accepts: [...PAGING, 'segment_id', 'audience_id'],
    explain: () => free({ recipients: null }),
  },
  { id: 'contacts.get', routes: ['GET /contacts/{id}'], effect: 'read', accepts: [], explain: aboutContact },

  ...closed('api_keys', 'credential', 'API keys act on the account outside spendgate.', [
    'GET /api-keys',
    'POST /api-keys',
    'PATCH /api-keys/{api_key_id}',
    'DELETE /api-keys/{api_key_id}',
  ]),
  ...closed(
    'webhooks',
    'credential',
    'Webhooks copy all mail events to an address outside, and their records hold signing secrets.',
    [
      'GET /webhooks',
      'POST /webhooks',
      'GET /webhooks/{webhook_id}',
      'PATCH /webhooks/{webhook_id}',
      'DELETE /webhooks/{webhook_id}',
      'POST /webhooks/{id}/signing-secret/rotate',
      'GET /webhooks/{id}/events',
      'GET /webhooks/{id}/events/{event_id}',
      'GET /webhooks/{id}/events/{event_id}/attempts',
      'POST /webhooks/{id}/events/{event_id}/replay',
    ],
  ),
]

/** Every address costs, as often as it stands there; allowlists see each once. Scheduled mail is counted at once. */
function sending(question: Question, emails: readonly Email[]): Explanation {
  const addresses = emails.flatMap((email) => email.recipients)
  const effects: Effect[] = emails.some((email) => email.scheduled) ? ['future_spend'] : []
  return {
    direction: 'out',
    quote: quoteFlat(question.prices, 'email', addresses.length),
    effects,
    subjects: {
      recipients: [...new Set(addresses)],
      senders: sendersOf(emails),
      urls: [...new Set(emails.flatMap((email) => email.urls))],
    },
  }
}

/** Null as soon as one sender is filled in by a template we cannot see. */
function sendersOf(emails: readonly Email[]): readonly string[] | null {
  const senders = emails.map((email) => email.sender)
  return senders.includes(null) ? null : [...new Set(senders as readonly string[])]
}

function aboutEmail(question: Question): Explained {
  const id = question.path.email_id!
  if (!isId(id)) return noId(id)
  if (!question.restricted.recipients && !question.restricted.senders) return free({})
  return { lookUp: { path: `/emails/${id}` }, then: (email) => free(partiesOf(email)) }
}

function partiesOf(email: JsonObject | null): Subjects {
  const read = (value: Json | undefined): string[] | null => {
    if (value === undefined || value === null) return []
    const texts: readonly Json[] = Array.isArray(value) ? value : [value as Json]
    const addresses = texts.map((text) => (typeof text === 'string' ? mailbox(text) : null))
    return addresses.includes(null) ? null : (addresses as string[])
  }
  const [to, cc, bcc, from] = [email?.to, email?.cc, email?.bcc, email?.from].map(read)
  const known = to && cc && bcc && to.length > 0
  return {
    recipients: known ? [...new Set([...to, ...cc, ...bcc])] : null,
    senders: from && from.length > 0 ? from : null,
  }
}

function aboutDomain(question: Question): Explained {
  const id = question.path.domain_id!
  return isId(id) ? free({}) : noId(id)
}

/** Resend takes an address in place of a contact's id. */
function aboutContact(question: Question): Explained {
  const id = question.path.id!
  const address = mailbox(id)
  if (address !== null) return free({ recipients: [address] })
  if (!isId(id)) return noId(id)
  if (!question.restricted.recipients) return free({})
  return {
    lookUp: { path: `/contacts/${id}` },
    then: (contact) => {
      const email = typeof contact?.email === 'string' ? mailbox(contact.email) : null
      return free({ recipients: email === null ? null : [email] })
    },
  }
}

/**
 * Ids stand where other routes have a word (`/emails/receiving`, `/emails/metrics`, `/contacts/imports`), and those
 * are operations of their own. Ids are UUIDs and hold digits; no route's word does.
 */
const isId = (text: string): boolean => /^(?=.*[0-9])[A-Za-z0-9_-]{1,100}$/.test(text)

const noId = (text: string): Explanation =>
  malformed(`«${text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?')}» is not an id.`)

const free = (subjects: Subjects): Explanation => ({ quote: { basis: 'free' }, subjects })

const malformed = (message: string): Explanation => ({
  quote: { basis: 'unpriceable', why: message },
  subjects: {},
  refuse: { code: 'request_malformed', message },
})

/** Operations no policy opens. */
function closed(subject: string, effect: Effect, why: string, routes: readonly string[]): Operation[] {
  return routes.map((route, at) => ({ id: `never.${subject}.${at + 1}`, routes: [route], effect, never: why }))
}
