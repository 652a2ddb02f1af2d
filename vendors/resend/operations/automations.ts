import type { Subjects } from '../../../src/contracts/call.js'
import type { Explained, Json, JsonObject, Operation, Question } from '../../../src/contracts/vendor.js'
import { product } from '../../table.js'
import { mailbox } from '../addresses.js'
import {
  addressesIn,
  asObject,
  free,
  isAbsent,
  isId,
  malformed,
  noId,
  operation,
  rows,
  SOURCE,
  unpriceable,
} from '../answers.js'
import { quoteFlat } from '../pricing.js'
import { ownerOf } from './contacts.js'

const FIELDS = ['name', 'status', 'steps', 'connections']
/** What spendgate allows for one call (src/resolve.ts): one for the list, one for the contact, the rest for automations. */
const AUTOMATIONS_MAX = 4
const DISABLED = 'A disabled automation mails nobody until it is enabled.'
const ENABLED =
  'An enabled automation mails whomever its events name, as often as they happen, so what it costs cannot be told. ' +
  'Send it with status disabled; the operator enables it.'

/** What mails by itself, and the events that set it going. */
export const automations: readonly Operation[] = product({ source: SOURCE }, [
  operation({
    id: 'automations.create',
    routes: ['POST /automations'],
    effect: 'routing',
    accepts: FIELDS,
    explain: ({ json }) => {
      const body = asObject(json)
      if (body === null) return malformed('The body must be a JSON object.')
      // Which status Resend takes when none is given is not documented.
      return body.status === 'disabled' ? free({ recipients: null }, DISABLED) : enabled()
    },
  }),
  operation({
    id: 'automations.update',
    routes: ['PATCH /automations/{automation_id}'],
    effect: 'routing',
    accepts: FIELDS,
    explain: (question) => {
      const body = asObject(question.json)
      if (body === null) return malformed('The body must be a JSON object.')
      if (body.status === 'disabled') return free({ recipients: null }, DISABLED)
      return isAbsent(body.status) ? ifDisabled(question, DISABLED) : enabled()
    },
  }),
  operation({
    id: 'automations.duplicate',
    routes: ['POST /automations/{automation_id}/duplicate'],
    effect: 'routing',
    accepts: [],
    // Whether a copy is enabled as its original is not documented.
    explain: (question) => ifDisabled(question, 'The copy of a disabled automation is disabled.'),
  }),
  ...rows(
    { effect: 'destructive', why: 'Mail that customers expect is not sent any more.' },
    `
    automations.stop   POST /automations/{automation_id}/stop
    automations.delete DELETE /automations/{automation_id}
    `,
  ),
  ...rows(
    { effect: 'read', why: 'It shows what the automation does, and nobody it did it to.' },
    `
    automations.list      GET /automations
    automations.get       GET /automations/{automation_id}
    automations.runs.list GET /automations/{automation_id}/runs
    `,
  ),
  ...rows({ effect: 'read', people: true }, 'automations.runs.get GET /automations/{automation_id}/runs/{run_id}'),

  operation({
    id: 'events.send',
    routes: ['POST /events/send'],
    effect: 'spend',
    accepts: ['event', 'contact_id', 'email', 'payload'],
    explain: sendingEvent,
  }),
  ...rows(
    { effect: 'read', why: 'It names kinds of events and shows none that happened.' },
    `
    events.list GET /events
    events.get  GET /events/{event}
    `,
  ),
  ...rows(
    { effect: 'write', why: 'It names a kind of event; nothing happens until one is sent.' },
    `
    events.create POST /events
    events.update PATCH /events/{event}
    `,
  ),
  ...rows({ effect: 'destructive' }, 'events.delete DELETE /events/{event}'),
])

const enabled = (): Explained => ({ ...unpriceable(ENABLED, { recipients: null }), effects: ['future_spend'] })

const ifDisabled = (question: Question, why: string): Explained => ({
  lookUp: { path: `/automations/${question.path.automation_id!}` },
  then: (automation) => (automation?.status === 'disabled' ? free({ recipients: null }, why) : enabled()),
})

/** An event is mailed about by every enabled automation at most as often as it has steps that send. */
function sendingEvent(question: Question): Explained {
  const body = asObject(question.json)
  if (body === null || typeof body.event !== 'string') return malformed('event must be the name of an event.')
  const { email, contact_id: contact } = body
  if (isAbsent(email) === isAbsent(contact)) return malformed('Name either email or contact_id.')
  if (!isAbsent(email)) {
    const address = typeof email === 'string' ? mailbox(email) : null
    if (address === null) return malformed('email must be one address, like ann@acme.com.')
    return listing(question, { recipients: [address] })
  }
  if (typeof contact !== 'string' || !isId(contact)) return noId(String(contact))
  if (!question.restricted.recipients) return listing(question, {})
  return { lookUp: { path: `/contacts/${contact}` }, then: (found) => listing(question, ownerOf(found)) }
}

function listing(question: Question, subjects: Subjects): Explained {
  return {
    lookUp: { path: '/automations', params: [['limit', '100']] },
    then: (page) => {
      const all = Array.isArray(page?.data) ? (page.data as readonly Json[]).map(asObject) : null
      if (all === null || page!.has_more !== false)
        return unpriceable('The automations could not all be read, so how many e-mails the event sends is unknown.', {
          ...subjects,
          senders: null,
        })
      const ids = all.filter((each) => each?.status !== 'disabled').map((each) => each?.id)
      if (ids.length === 0)
        return free({ ...subjects, senders: null }, 'No automation is enabled, so nobody is mailed.')
      if (ids.length > AUTOMATIONS_MAX || !ids.every((id) => typeof id === 'string' && isId(id)))
        return unpriceable(
          `${ids.length} automations are enabled, and those of at most ${AUTOMATIONS_MAX} can be looked through for one ` +
            'call, so how many e-mails the event sends is unknown.',
          { ...subjects, senders: null },
        )
      return adding(question, subjects, ids as readonly string[], [])
    },
  }
}

/** @param steps what was found in the automations before */
function adding(
  question: Question,
  subjects: Subjects,
  ids: readonly string[],
  steps: readonly JsonObject[],
): Explained {
  const [id, ...rest] = ids
  if (id === undefined) {
    const senders = steps.map((step) => addressesIn(asObject(step.config)?.from))
    const known = senders.every((each) => each !== null && each.length > 0)
    const found = {
      ...subjects,
      senders: known && steps.length > 0 ? [...new Set(senders.flatMap((each) => each!))] : null,
    }
    if (steps.length === 0) return free(found, 'No enabled automation has a step that sends mail.')
    return {
      direction: 'out',
      quote: quoteFlat(question.prices, 'email', steps.length, 'ceiling'),
      // Most automations wait before they send.
      effects: ['future_spend'],
      subjects: found,
    }
  }
  return {
    lookUp: { path: `/automations/${id}` },
    then: (automation) => {
      const own = Array.isArray(automation?.steps) ? (automation.steps as readonly Json[]).map(asObject) : null
      if (own === null || own.includes(null) || leadsBack(automation!.connections))
        return unpriceable(
          `What the automation ${id} sends cannot be counted, so how many e-mails the event sends is unknown.`,
          { ...subjects, senders: null },
        )
      const sending = (own as readonly JsonObject[]).filter((step) => step.type === 'send_email')
      return adding(question, subjects, rest, [...steps, ...sending])
    },
  }
}

/** Whether a step can be reached from itself, or nobody can tell: then it may send any number of times. */
function leadsBack(connections: Json | undefined): boolean {
  if (!Array.isArray(connections)) return true
  const next = new Map<string, string[]>()
  for (const each of connections as readonly Json[]) {
    const { from, to } = asObject(each) ?? {}
    if (typeof from !== 'string' || typeof to !== 'string') return true
    next.set(from, [...(next.get(from) ?? []), to])
  }
  // Steps that lead nowhere are taken away until none is left, or only circles.
  for (let before = -1; before !== next.size;) {
    before = next.size
    for (const [from, tos] of next) if (!tos.some((to) => next.has(to))) next.delete(from)
  }
  return next.size > 0
}
