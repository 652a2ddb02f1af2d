import type { Quote, Subjects } from '../../../src/contracts/call.js'
import { usd, ZERO } from '../../../src/contracts/money.js'
import type { Explained, JsonObject, Operation, Outcome, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { mailbox } from '../addresses.js'
import { asObject, free, isAbsent, malformed, operation, PAGING, rows, SOURCE, unpriceable } from '../answers.js'
import { monthly, quoteFlat } from '../pricing.js'

const CONTACT = 'first_name last_name unsubscribed properties'.split(' ')
const SEGMENTS_MAX = 100
const NOTHING: Quote = { basis: 'exact', amount: ZERO }
const NO_ROWS =
  'How many contacts an imported file holds is not known before Resend has read it, so what they cost every month ' +
  'cannot be told. Create contacts one by one (POST /contacts).'

/** Who is mailed: contacts, the segments (once audiences) they are in, their topics and properties. */
export const contacts: readonly Operation[] = product({ source: SOURCE }, [
  ...rows(
    { effect: 'read', accepts: [...PAGING, 'segment_id', 'audience_id'], explain: () => free({ recipients: null }) },
    'contacts.list GET /contacts GET /segments/{segment_id}/contacts GET /audiences/{segment_id}/contacts',
  ),
  ...rows(
    { effect: 'read', accepts: [], explain: aboutContact },
    'contacts.get GET /contacts/{contact} GET /audiences/{audience_id}/contacts/{contact}',
  ),
  operation({
    id: 'contacts.create',
    routes: ['POST /contacts', 'POST /audiences/{audience_id}/contacts'],
    // The marketing plan is priced by stored contacts, month after month.
    effect: 'future_spend',
    accepts: ['email', ...CONTACT, 'segments', 'topics'],
    explain: creating,
    outcome: (reply): Outcome => (typeof reply.id === 'string' ? { commitment: reply.id } : {}),
  }),
  ...rows(
    { effect: 'write', accepts: CONTACT, explain: aboutContact },
    'contacts.update PATCH /contacts/{contact} PATCH /audiences/{audience_id}/contacts/{contact}',
  ),
  operation({
    id: 'contacts.delete',
    routes: ['DELETE /contacts/{contact}', 'DELETE /audiences/{audience_id}/contacts/{contact}'],
    effect: 'destructive',
    accepts: [],
    explain: aboutContact,
    // The reply names the id where the request named the address.
    outcome: (reply, { path }) => ({ ends: typeof reply.contact === 'string' ? reply.contact : path.contact! }),
  }),

  operation({
    id: 'contacts.imports.create',
    routes: ['POST /contacts/imports'],
    effect: 'future_spend',
    why: NO_ROWS,
    accepts: ['file', 'column_map', 'on_conflict', 'segments', 'topics'],
    explain: () => unpriceable(NO_ROWS, { recipients: null }),
  }),
  ...rows(
    { effect: 'read', why: 'It counts the rows of an import and names nobody.' },
    `
    contacts.imports.list GET /contacts/imports
    contacts.imports.get  GET /contacts/imports/{import_id}
    `,
  ),

  ...rows(
    { effect: 'read', explain: aboutContact },
    `
    contacts.segments.list GET /contacts/{contact}/segments
    contacts.topics.list   GET /contacts/{contact}/topics
    `,
  ),
  operation({
    id: 'contacts.segments.add',
    routes: ['POST /contacts/{contact}/segments/{segment_id}'],
    // A broadcast that is scheduled already goes to whoever is in its segment when it leaves.
    effect: 'future_spend',
    accepts: [],
    explain: (question) => withQuote(aboutContact(question), question),
  }),
  ...rows(
    { effect: 'destructive', accepts: [], explain: aboutContact },
    'contacts.segments.remove DELETE /contacts/{contact}/segments/{segment_id}',
  ),
  // The body is a list of topics.
  ...rows(
    { effect: 'write', accepts: ['id', 'subscription'], explain: aboutContact },
    'contacts.topics.update PATCH /contacts/{contact}/topics',
  ),

  ...rows(
    { effect: 'read', why: 'It names segments, topics and properties, and no contact.' },
    `
    segments.list GET /segments GET /audiences
    segments.get  GET /segments/{segment_id} GET /audiences/{segment_id}
    topics.list   GET /topics
    topics.get    GET /topics/{topic_id}
    contact_properties.list GET /contact-properties
    contact_properties.get  GET /contact-properties/{property_id}
    `,
  ),
  ...rows(
    { effect: 'write', why: 'It mails nobody and stores nobody.' },
    `
    segments.create POST /segments POST /audiences
    segments.update PATCH /segments/{segment_id}
    topics.create   POST /topics
    topics.update   PATCH /topics/{topic_id}
    contact_properties.create POST /contact-properties
    contact_properties.update PATCH /contact-properties/{property_id}
    `,
  ),
  ...rows(
    { effect: 'destructive' },
    `
    segments.delete DELETE /segments/{segment_id} DELETE /audiences/{segment_id}
    topics.delete   DELETE /topics/{topic_id}
    contact_properties.delete DELETE /contact-properties/{property_id}
    `,
  ),
])

function creating(question: Question): Explained {
  const body = asObject(question.json)
  const address = typeof body?.email === 'string' ? mailbox(body.email) : null
  if (body === null || address === null) return malformed('email must be one address, like ann@acme.com.')
  const { segments } = body
  if (!isAbsent(segments) && (!Array.isArray(segments) || segments.length > SEGMENTS_MAX))
    return malformed(`segments must be a list of at most ${SEGMENTS_MAX}.`)
  // One e-mail for each segment it joins: what is scheduled there already will go to it too.
  const joined = (Array.isArray(segments) ? segments.length : 0) + (question.path.audience_id === undefined ? 0 : 1)
  const stored = quoteFlat(question.prices, 'contact', 1)
  const mailed = joined === 0 ? NOTHING : quoteFlat(question.prices, 'email', joined)
  const quote: Quote = !('amount' in stored)
    ? stored
    : 'amount' in mailed
      ? { basis: 'exact', amount: usd(stored.amount + mailed.amount) }
      : mailed
  return { direction: 'out', quote, subjects: { recipients: [address] }, ...monthly(stored) }
}

/** What is known of a contact, with one e-mail to it as the price. */
function withQuote(explained: Explained, question: Question): Explained {
  if ('lookUp' in explained) return { ...explained, then: (reply) => withQuote(explained.then(reply), question) }
  return { ...explained, direction: 'out', quote: quoteFlat(question.prices, 'email', 1) }
}

/** Resend takes an address in place of a contact's id. */
function aboutContact(question: Question): Explained {
  const address = mailbox(question.path.contact!)
  if (address !== null) return free({ recipients: [address] })
  if (!question.restricted.recipients) return free({})
  return { lookUp: { path: `/contacts/${question.path.contact!}` }, then: (contact) => free(ownerOf(contact)) }
}

export function ownerOf(contact: JsonObject | null): Subjects {
  const email = typeof contact?.email === 'string' ? mailbox(contact.email) : null
  return { recipients: email === null ? null : [email] }
}
