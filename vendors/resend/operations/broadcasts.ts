import type { Commitment, Effect } from '../../../src/contracts/call.js'
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
import { mailbox } from '../addresses.js'
import {
  addressesIn,
  bodyOf,
  free,
  instantOf,
  isAbsent,
  isId,
  malformed,
  operation,
  rows,
  SOURCE,
  unpriceable,
} from '../answers.js'
import { faultOfLine, faultOfReplies } from '../emails.js'
import { quoteFlat } from '../pricing.js'

const CONTENT = 'name segment_id audience_id preview_text from html text subject reply_to topic_id'.split(' ')
/** Contacts a page, Resend's most. */
const PAGE = 100
/** What spendgate allows for one call (src/resolve.ts). */
const LOOK_UPS_MAX = 6
const DRAFT = 'It makes a draft, which mails nobody; sending it is a call of its own.'

export const broadcasts: readonly Operation[] = product({ source: SOURCE }, [
  operation({
    id: 'broadcasts.create',
    routes: ['POST /broadcasts'],
    effect: 'spend',
    accepts: [...CONTENT, 'send', 'scheduled_at'],
    explain: creating,
    outcome: (reply, _question, explanation) => outcomeOf(reply.id, explanation),
  }),
  operation({
    id: 'broadcasts.send',
    routes: ['POST /broadcasts/{broadcast_id}/send'],
    effect: 'spend',
    accepts: ['scheduled_at'],
    explain: sending,
    outcome: (_reply, question, explanation) => outcomeOf(question.path.broadcast_id, explanation),
  }),
  operation({
    id: 'broadcasts.update',
    routes: ['PATCH /broadcasts/{broadcast_id}'],
    effect: 'write',
    accepts: CONTENT,
    explain: updating,
  }),
  operation({
    id: 'broadcasts.cancel',
    routes: ['POST /broadcasts/{broadcast_id}/cancel'],
    effect: 'write',
    weaker: 'Stopping mail that nobody has seen yet takes nothing away that was not asked for.',
    accepts: [],
    explain: () => free({}),
    // A 2xx says that it was still waiting, so nothing was sent.
    outcome: (_reply, { path }) => ({ object: path.broadcast_id!, total: ZERO, ends: path.broadcast_id! }),
  }),
  operation({
    id: 'broadcasts.delete',
    routes: ['DELETE /broadcasts/{broadcast_id}'],
    effect: 'destructive',
    accepts: [],
    explain: () => free({}),
    // Its money is not given back: the reply does not say whether it had been sent.
    outcome: (_reply, { path }) => ({ ends: path.broadcast_id! }),
  }),
  ...rows(
    { effect: 'write', why: 'The copy is a draft, which mails nobody.' },
    'broadcasts.duplicate POST /broadcasts/{broadcast_id}/duplicate',
  ),
  ...rows(
    { effect: 'read', why: 'It shows content and counts, and no recipient.' },
    `
    broadcasts.list          GET /broadcasts
    broadcasts.get           GET /broadcasts/{broadcast_id}
    broadcasts.clicked_links GET /broadcasts/{broadcast_id}/clicked-links
    `,
  ),
  ...rows({ effect: 'read', people: true }, 'broadcasts.recipients GET /broadcasts/{broadcast_id}/recipients'),
])

/** What goes out, to whom it still has to be found out. */
interface Mailing {
  readonly question: Question
  readonly segment: string
  readonly senders: readonly string[] | null
  /** What scheduled_at says; absent when it leaves at once. */
  readonly at: string | undefined
  /** The words of a draft. */
  readonly holds?: Json
}

function creating(question: Question): Explained {
  const body = bodyOf(question)
  if (body === null) return malformed('The body must be a JSON object.')
  const { from, send, scheduled_at: at } = body
  const sender = typeof from === 'string' ? mailbox(from) : null
  if (sender === null) return malformed('from must be one address, like news@acme.com or Acme <news@acme.com>.')
  const fault = faultOfLine('subject', body.subject) ?? faultOfLine('scheduled_at', at) ?? faultOfReplies(body.reply_to)
  if (fault !== null) return malformed(fault)
  const segment = segmentOf(body)
  if (segment === null) return malformed('segment_id must be the id of one segment (audience_id is its old name).')
  if (!isAbsent(send) && typeof send !== 'boolean') return malformed('send must be true or false.')
  if (send !== true && !isAbsent(at)) return malformed('scheduled_at needs send: true.')
  return send === true
    ? counting({ question, segment, senders: [sender], at: at as string | undefined }, LOOK_UPS_MAX)
    : free({ recipients: null, senders: [sender] }, DRAFT)
}

function sending(question: Question): Explained {
  const body = bodyOf(question)
  if (body === null) return malformed('The body must be a JSON object.')
  const fault = faultOfLine('scheduled_at', body.scheduled_at)
  if (fault !== null) return malformed(fault)
  const id = question.path.broadcast_id!
  return {
    lookUp: { path: `/broadcasts/${id}` },
    then: (broadcast) => {
      const segment = segmentOf(broadcast ?? {})
      if (segment === null)
        return unpriceable(`No segment of the broadcast ${id} could be found, so its recipients cannot be counted.`, {
          recipients: null,
          senders: null,
        })
      const senders = addressesIn(broadcast!.from)
      const at = isAbsent(body.scheduled_at) ? undefined : (body.scheduled_at as string)
      const known = senders !== null && senders.length > 0 ? senders : null
      const holds = CONTENT.map((name) => broadcast![name] ?? null)
      return counting({ question, segment, senders: known, at, holds }, LOOK_UPS_MAX - 1)
    },
  }
}

/** A segment changed after the count would be mailed uncounted. */
function updating(question: Question): Explained {
  const id = question.path.broadcast_id!
  return {
    lookUp: { path: `/broadcasts/${id}` },
    then: (broadcast) =>
      broadcast?.status === 'draft' && isAbsent(broadcast.scheduled_at)
        ? free({ recipients: null, senders: null })
        : unpriceable(
            `The broadcast ${id} is no draft that was looked up, so a change could mail more people than were counted. ` +
              `Cancel it first (POST /broadcasts/${id}/cancel).`,
            { recipients: null, senders: null },
          ),
  }
}

/** Legacy bodies say audience_id for segment_id; both must then say the same. */
function segmentOf(body: JsonObject): string | null {
  const named = [body.segment_id, body.audience_id].filter((id) => !isAbsent(id))
  const [id] = named
  return typeof id === 'string' && isId(id) && named.every((each) => each === id) ? id : null
}

/**
 * Counts a segment page by page, whether or not a contact has unsubscribed: too many rather than too few.
 *
 * @param left look-ups that may still be made
 */
function counting(mailing: Mailing, left: number, found: readonly Json[] = [], after?: string): Explained {
  const { segment, senders } = mailing
  if (left === 0)
    return unpriceable(
      `The segment ${segment} holds more than the ${found.length} contacts that can be counted for one call. ` +
        'Split it, or have the operator send the broadcast.',
      { recipients: null, senders },
    )
  return {
    lookUp: {
      path: `/segments/${segment}/contacts`,
      params: [['limit', String(PAGE)], ...(after === undefined ? [] : ([['after', after]] as const))],
    },
    then: (page) => {
      const rows = Array.isArray(page?.data) ? (page.data as readonly Json[]) : null
      if (rows === null || typeof page!.has_more !== 'boolean')
        return unpriceable(`The contacts of the segment ${segment} could not be read, so they cannot be counted.`, {
          recipients: null,
          senders,
        })
      const all = [...found, ...rows]
      if (!page!.has_more) return mailed(mailing, all)
      const last = (rows.at(-1) as JsonObject | undefined)?.id
      // A page that says there is more without a way to it.
      if (typeof last !== 'string' || !isId(last)) return counting(mailing, 0, all)
      return counting(mailing, left - 1, all, last)
    },
  }
}

function mailed({ question, segment, senders, at, holds }: Mailing, contacts: readonly Json[]): Explanation {
  const addresses = contacts.map((contact) => addressesIn((contact as JsonObject | null)?.email))
  const known = addresses.every((each) => each !== null && each.length === 1)
  const subjects = { recipients: known ? [...new Set(addresses.flatMap((each) => each!))] : null, senders }
  if (contacts.length === 0)
    return at === undefined
      ? free(subjects, `The segment ${segment} holds no contact, so nobody is mailed.`)
      : unpriceable(
          `The segment ${segment} holds no contact yet, so what a scheduled broadcast to it will cost cannot be told.`,
          subjects,
        )
  const later = at !== undefined
  const effects: Effect[] = later ? ['future_spend'] : []
  const commits: Commitment = {
    kind: 'scheduled',
    perMonth: ZERO,
    dueAt: instantOf(at),
    quantity: BigInt(contacts.length),
  }
  return {
    direction: 'out',
    quote: quoteFlat(question.prices, 'email', contacts.length, 'ceiling'),
    effects,
    ...(later && { commits }),
    ...(holds !== undefined && { holds }),
    subjects,
  }
}

/** A scheduled broadcast keeps its exposure under its id, so that cancelling it gives the money back. */
function outcomeOf(id: Json | undefined, explanation: Explanation): Outcome {
  const later = explanation.effects?.includes('future_spend') === true
  if (!later || typeof id !== 'string' || id === '' || !('amount' in explanation.quote)) return {}
  return { object: id, total: explanation.quote.amount }
}
