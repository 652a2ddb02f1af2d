import type { Commitment, Effect, Subjects } from '../../../src/contracts/call.js'
import { ZERO } from '../../../src/contracts/money.js'
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
import { addressesIn, asObject, free, instantOf, malformed, operation, PAGING, rows, SOURCE } from '../answers.js'
import { EMAIL_FIELDS, readEmail, type Email } from '../emails.js'
import { quoteFlat } from '../pricing.js'

/** Attachments travel inside the body. */
const SEND_BYTES_MAX = 10 * 1024 * 1024
const BATCH_MAX = 100

export const emails: readonly Operation[] = product({ source: SOURCE }, [
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
      if (typeof id !== 'string' || id === '') return {}
      const future = explanation.effects?.includes('future_spend') === true
      if (!future || explanation.quote.basis !== 'exact') return { made: id }
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
      const all = (list as readonly Json[]).map((json) => readEmail(json))
      const at = all.findIndex((email) => typeof email === 'string')
      return at >= 0
        ? malformed(`E-mail ${at + 1} of the batch: ${String(all[at])}`)
        : sending(question, all as readonly Email[])
    },
  },
  operation({
    id: 'emails.update',
    routes: ['PATCH /emails/{email_id}'],
    // It sends nothing new, but moves a send that was counted to another day, or to now.
    effect: 'future_spend',
    accepts: ['scheduled_at'],
    explain: (question) => {
      const body = asObject(question.json)
      if (body === null || Object.keys(body).join() !== 'scheduled_at' || typeof body.scheduled_at !== 'string')
        return malformed('The body must hold scheduled_at and nothing else.')
      return { lookUp: { path: `/emails/${question.path.email_id}` }, then: (email) => moving(question, body, email) }
    },
  }),
  operation({
    id: 'emails.cancel',
    routes: ['POST /emails/{email_id}/cancel'],
    effect: 'write',
    weaker: 'Stopping mail that nobody has seen yet takes nothing away that was not asked for.',
    accepts: [],
    explain: aboutEmail,
    // Resend refuses to cancel what is not waiting any more, so a 2xx says that nothing was sent.
    outcome: (_reply, question) => ({
      object: question.path.email_id!,
      total: ZERO,
      ends: question.path.email_id!,
    }),
  }),
  operation({
    id: 'emails.share',
    routes: ['POST /emails/{email_id}/share'],
    effect: 'credential',
    why: 'It makes a link under which anybody can read the e-mail for up to 48 hours.',
    reveals: ['url'],
    accepts: ['expires_in'],
    explain: aboutEmail,
  }),
  {
    id: 'emails.list',
    routes: ['GET /emails'],
    effect: 'read',
    accepts: PAGING,
    explain: () => free({ recipients: null, senders: null }),
  },
  operation({
    id: 'emails.get',
    routes: ['GET /emails/{email_id}'],
    effect: 'read',
    accepts: [],
    explain: aboutEmail,
  }),
  ...rows(
    {
      effect: 'read',
      why: 'It counts deliveries and names nobody.',
    },
    'emails.metrics GET /emails/metrics',
  ),
  ...rows(
    {
      effect: 'read',
      why: 'The address a file is fetched from lets its holder read it without a key, so it is left out of the reply.',
      reveals: ['download_url'],
      explain: aboutEmail,
    },
    `
    emails.attachments.list GET /emails/{email_id}/attachments
    emails.attachments.get  GET /emails/{email_id}/attachments/{attachment_id}
    `,
  ),
  // Received mail is other people's, and whose inbox it came to is nobody's recipient we could check.
  ...rows(
    { effect: 'read', why: 'It shows mail that others sent to the team.', people: true },
    'emails.receiving.list GET /emails/receiving',
  ),
  ...rows(
    {
      effect: 'read',
      why: 'Mail that came in holds reset links and one-time codes of other services, so its text is left out of the reply.',
      people: true,
      reveals: ['html', 'text', 'raw', 'download_url'],
    },
    'emails.receiving.get GET /emails/receiving/{email_id}',
  ),
  ...rows(
    {
      effect: 'read',
      why: 'The address a file is fetched from lets its holder read it without a key, so it is left out of the reply.',
      people: true,
      reveals: ['download_url'],
    },
    `
    emails.receiving.attachments.list GET /emails/receiving/{email_id}/attachments
    emails.receiving.attachments.get  GET /emails/receiving/{email_id}/attachments/{attachment_id}
    `,
  ),
])

/** Every address costs, as often as it stands there; allowlists see each once. Scheduled mail is counted at once. */
function sending(question: Question, all: readonly Email[]): Explanation {
  const addresses = all.flatMap((email) => email.recipients)
  const later = all.filter((email) => email.scheduled)
  const effects: Effect[] = later.length > 0 ? ['future_spend'] : []
  return {
    direction: 'out',
    quote: quoteFlat(question.prices, 'email', addresses.length),
    effects,
    ...(later.length > 0 && { commits: scheduled(later) }),
    subjects: {
      recipients: [...new Set(addresses)],
      senders: sendersOf(all),
      urls: [...new Set(all.flatMap((email) => email.urls))],
    },
  }
}

/** Several e-mails of a batch are one commitment, which falls due with the last of them. */
function scheduled(later: readonly Email[]): Commitment {
  const due = later.map((email) => email.dueAt)
  return {
    kind: 'scheduled',
    perMonth: ZERO,
    dueAt: due.includes(null) ? null : Math.max(...(due as number[])),
    quantity: BigInt(later.reduce((sum, email) => sum + email.recipients.length, 0)),
  }
}

function moving(question: Question, body: JsonObject, email: JsonObject | null): Explanation {
  const subjects = partiesOf(email)
  return {
    ...free(subjects, 'It was counted when it was scheduled; moving it mails nobody else.'),
    direction: 'out',
    commits: {
      kind: 'scheduled',
      perMonth: ZERO,
      dueAt: instantOf(body.scheduled_at),
      quantity: subjects.recipients === null ? null : BigInt(subjects.recipients!.length),
      object: question.path.email_id!,
    },
  }
}

/** Null as soon as one sender is filled in by a template we cannot see. */
function sendersOf(all: readonly Email[]): readonly string[] | null {
  const senders = all.map((email) => email.sender)
  return senders.includes(null) ? null : [...new Set(senders as readonly string[])]
}

function aboutEmail(question: Question): Explained {
  if (!question.restricted.recipients && !question.restricted.senders) return free({})
  return { lookUp: { path: `/emails/${question.path.email_id!}` }, then: (email) => free(partiesOf(email)) }
}

function partiesOf(email: JsonObject | null): Subjects {
  const [to, cc, bcc, from] = [email?.to, email?.cc, email?.bcc, email?.from].map(addressesIn)
  const known = to && cc && bcc && to.length > 0
  return {
    recipients: known ? [...new Set([...to, ...cc, ...bcc])] : null,
    senders: from && from.length > 0 ? from : null,
  }
}
