import type { Explained, Explanation, Json, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { mailbox } from '../addresses.js'
import {
  addressesIn,
  asObject,
  bodyOf,
  free,
  isAbsent,
  isId,
  malformed,
  operation,
  rows,
  unpriceable,
} from '../answers.js'
import { faultOfHeaders, faultOfLine, readAttachments, readRecipients } from '../emails.js'
import { quoteFlat } from '../pricing.js'

const INBOX = '/inboxes/{inbox}'
const THREAD = `${INBOX}/threads/{thread_id}`
const DRAFT_FIELDS = 'to cc bcc subject text html attachments'.split(' ')
/** Attachments travel inside the body. */
const SEND_BYTES_MAX = 10 * 1024 * 1024
const AGENT =
  'The agent of an inbox answers and forwards mail by itself and spends AI credits, how many nobody can tell. ' +
  'Only an empty list of actions, which stops it, can be sent.'

/** Shared mailboxes: threads, drafts, replies, and an agent that acts by itself. In no published specification yet. */
export const inboxes: readonly Operation[] = product({ source: 'resend-node 6.38.0, 2026-11-20' }, [
  ...rows(
    { effect: 'read', why: 'It shows the mailbox and no mail.' },
    `
    inboxes.list        GET /inboxes
    inboxes.get         GET ${INBOX}
    inboxes.agent.get   GET ${INBOX}/agent
    inboxes.labels.list GET ${INBOX}/labels
    `,
  ),
  ...rows(
    {
      effect: 'routing',
      why: 'Mail to the address comes to the new mailbox from now on, copies of it elsewhere if forwarding is on.',
      accepts: ['email_address', 'name', 'forwarding', 'from_name'],
    },
    'inboxes.create POST /inboxes',
  ),
  ...rows({ effect: 'write', accepts: ['name', 'from_name'] }, `inboxes.update PATCH ${INBOX}`),
  ...rows({ effect: 'destructive' }, `inboxes.delete DELETE ${INBOX}`),
  operation({
    id: 'inboxes.agent.update',
    routes: [`PATCH ${INBOX}/agent`],
    effect: 'routing',
    accepts: ['instructions', 'tone', 'actions'],
    explain: (question) => {
      const body = asObject(question.json)
      if (body === null) return malformed('The body must be a JSON object.')
      return Array.isArray(body.actions) && body.actions.length === 0
        ? free({ recipients: null, senders: null }, 'Without an action the agent does nothing.')
        : { ...unpriceable(AGENT, { recipients: null, senders: null }), effects: ['future_spend'] }
    },
  }),
  ...rows(
    { effect: 'write' },
    `
    inboxes.labels.create POST ${INBOX}/labels
    inboxes.labels.update PATCH ${INBOX}/labels/{label_id}
    `,
  ),
  ...rows({ effect: 'destructive' }, `inboxes.labels.delete DELETE ${INBOX}/labels/{label_id}`),

  ...rows(
    { effect: 'write', bodyBytesMax: SEND_BYTES_MAX, accepts: DRAFT_FIELDS, explain: drafting },
    `inboxes.drafts.update PATCH ${INBOX}/drafts/{draft_id}`,
  ),
  ...rows(
    {
      effect: 'write',
      bodyBytesMax: SEND_BYTES_MAX,
      accepts: [...DRAFT_FIELDS, 'thread_id', 'reply_to_email_id'],
      explain: drafting,
    },
    `inboxes.drafts.create POST ${INBOX}/drafts`,
  ),
  operation({
    id: 'inboxes.drafts.send',
    routes: [`POST ${INBOX}/drafts/{draft_id}/send`],
    effect: 'spend',
    accepts: ['headers'],
    explain: sendingDraft,
  }),
  ...rows({ effect: 'destructive' }, `inboxes.drafts.delete DELETE ${INBOX}/drafts/{draft_id}`),
  ...rows(
    { effect: 'read', people: true },
    `
    inboxes.drafts.list    GET ${INBOX}/drafts
    inboxes.drafts.get     GET ${INBOX}/drafts/{draft_id}
    inboxes.threads.list   GET ${INBOX}/threads
    inboxes.threads.search GET ${INBOX}/threads/search
    inboxes.threads.get    GET ${THREAD}
    `,
  ),
  ...rows(
    {
      effect: 'read',
      why: 'Mail that came in holds reset links and one-time codes of other services, so its text is left out of the reply.',
      people: true,
      reveals: ['html', 'text'],
    },
    `
    inboxes.threads.emails.list GET ${THREAD}/emails
    inboxes.threads.emails.get  GET ${THREAD}/emails/{email_id}
    `,
  ),
  ...rows(
    { effect: 'write', why: 'It sorts mail inside the mailbox.', people: true },
    `
    inboxes.threads.update        PATCH ${THREAD}
    inboxes.threads.labels.add    POST ${THREAD}/labels
    inboxes.threads.labels.set    PUT ${THREAD}/labels
    inboxes.threads.labels.remove DELETE ${THREAD}/labels/{label_id}
    `,
  ),
  ...rows({ effect: 'destructive', people: true }, `inboxes.threads.delete DELETE ${THREAD}`),
  operation({
    id: 'inboxes.threads.emails.reply',
    routes: [`POST ${THREAD}/emails/{email_id}/reply`],
    effect: 'spend',
    bodyBytesMax: SEND_BYTES_MAX,
    accepts: ['cc', 'bcc', 'html', 'text', 'subject', 'reply_all', 'attachments', 'headers'],
    explain: replying,
  }),
  operation({
    id: 'inboxes.threads.emails.forward',
    routes: [`POST ${THREAD}/emails/{email_id}/forward`],
    effect: 'spend',
    bodyBytesMax: SEND_BYTES_MAX,
    accepts: ['to', 'cc', 'bcc', 'html', 'text', 'subject', 'attachments', 'headers'],
    explain: (question) => {
      const letter = readLetter(question)
      if (typeof letter === 'string') return malformed(letter)
      if (letter.recipients.length === 0) return malformed('to is missing.')
      return mailing(question, letter, letter.recipients)
    },
  }),
])

/** What the body of a draft, a reply or a forwarded mail says. */
interface Letter {
  readonly body: JsonObject
  readonly recipients: readonly string[]
  readonly urls: readonly string[]
}

function readLetter(question: Question): Letter | string {
  const body = bodyOf(question)
  if (body === null) return 'The body must be a JSON object.'
  const recipients = readRecipients(body)
  if (typeof recipients === 'string') return recipients
  const fault = faultOfLine('subject', body.subject) ?? faultOfHeaders(body.headers)
  if (fault !== null) return fault
  const urls = readAttachments(body.attachments)
  return typeof urls === 'string' ? urls : { body, recipients, urls }
}

function drafting(question: Question): Explained {
  const letter = readLetter(question)
  if (typeof letter === 'string') return malformed(letter)
  // A reply's draft takes its recipients from the mail it answers; they are counted when it is sent.
  const recipients = letter.recipients.length === 0 ? null : [...new Set(letter.recipients)]
  return free({ recipients, senders: null, urls: letter.urls })
}

function sendingDraft(question: Question): Explained {
  const letter = readLetter(question)
  if (typeof letter === 'string') return malformed(letter)
  const { inbox, draft_id: id } = question.path
  return {
    lookUp: { path: `/inboxes/${inbox}/drafts/${id}` },
    then: (draft) => {
      const [to, cc, bcc] = [draft?.to, draft?.cc, draft?.bcc].map(addressesIn)
      if (draft === null || !to || !cc || !bcc) return unknown(`The recipients of the draft ${id} could not be read.`)
      const named = [...to, ...cc, ...bcc]
      const words = DRAFT_FIELDS.map((name) => draft[name] ?? null)
      const { thread_id: thread, reply_to_email_id: answered } = draft
      if (isAbsent(thread) && isAbsent(answered) && draft.type !== 'reply')
        return named.length === 0
          ? unknown(`The draft ${id} names no recipient.`)
          : holding(mailing(question, letter, named), words)
      if (typeof thread !== 'string' || typeof answered !== 'string' || !isId(thread) || !isId(answered))
        return unknown(`Which mail the draft ${id} answers could not be found out.`)
      return holding(toThread(question, letter, thread, answered, named, true), words)
    },
  }
}

/** What is sent stands in the draft, which can be written anew. */
const holding = (explained: Explained, words: Json): Explained =>
  'lookUp' in explained
    ? { ...explained, then: (reply) => holding(explained.then(reply), words) }
    : { ...explained, holds: words }

function replying(question: Question): Explained {
  const letter = readLetter(question)
  if (typeof letter === 'string') return malformed(letter)
  const { reply_all: all } = letter.body
  if (!isAbsent(all) && typeof all !== 'boolean') return malformed('reply_all must be true or false.')
  const { thread_id: thread, email_id: email } = question.path
  return toThread(question, letter, thread!, email!, letter.recipients, all === true)
}

/**
 * Adds whom the answered mail names. Which of From and Reply-To gets the answer is Resend's to choose, so both count;
 * an answer to mail that was sent from here goes to whom that was sent to.
 */
function toThread(
  question: Question,
  letter: Letter,
  thread: string,
  email: string,
  named: readonly string[],
  all: boolean,
): Explained {
  return {
    lookUp: { path: `/inboxes/${question.path.inbox}/threads/${thread}/emails/${email}` },
    then: (answered) => {
      const read = (name: string): readonly string[] | null => addressesIn(answered?.[name])
      const wide = all || answered?.direction !== 'inbound'
      const names = wide ? ['from', 'reply_to', 'to', 'cc', 'bcc'] : ['from', 'reply_to']
      const lists = names.map(read)
      if (answered === null || lists.includes(null) || lists[0]!.length === 0)
        return unknown(`Whom the answered mail ${email} names could not be read.`)
      return mailing(question, letter, [...lists.flatMap((list) => list!), ...named])
    },
  }
}

const unknown = (why: string): Explanation =>
  unpriceable(`${why} So how many e-mails this sends is unknown.`, { recipients: null, senders: null })

/** The sender is the mailbox itself: its address in the path, or looked up where a policy lists senders. */
function mailing(question: Question, letter: Letter, recipients: readonly string[]): Explained {
  const explanation = (sender: string | null): Explanation => ({
    direction: 'out',
    quote: quoteFlat(question.prices, 'email', recipients.length, 'ceiling'),
    subjects: {
      recipients: [...new Set(recipients)],
      senders: sender === null ? null : [sender],
      urls: letter.urls,
    },
  })
  const inbox = question.path.inbox!
  const address = mailbox(inbox)
  if (address !== null || !question.restricted.senders) return explanation(address)
  return { lookUp: { path: `/inboxes/${inbox}` }, then: (found) => explanation(addressOf(found?.email_address)) }
}

const addressOf = (value: Json | undefined): string | null => (typeof value === 'string' ? mailbox(value) : null)
