import type { Subjects } from '../../src/contracts/call.js'
import type { Explained, Explanation, JsonObject, Params, Question } from '../../src/contracts/vendor.js'
import { unpriceable } from './pricing.js'

/** A value as sent, or undefined when it is absent or empty: Twilio reads both alike. */
export const given = (params: Params, name: string): string | undefined => params.get(name) || undefined

export const malformed = (message: string): Explanation => refused('request_malformed', message)

export const refused = (
  code: 'request_malformed' | 'request_ambiguous' | 'operation_not_allowed',
  message: string,
): Explanation => ({ quote: unpriceable(message), subjects: {}, refuse: { code, message } })

/** Shown in a message: short, and without control characters. */
export const shown = (text: string | undefined): string =>
  text === undefined ? 'nothing' : `«${text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?')}»`

export const PAGING = ['PageSize', 'Page', 'PageToken'] as const

/**
 * A request about a message or call that exists. Whom it concerns stands in the object only, so it is looked up, but
 * only when a policy restricts recipients or senders.
 */
export function aboutExisting(question: Question, path: string, explanation: Explanation): Explained {
  if (!question.restricted.recipients && !question.restricted.senders) return explanation
  const withParties = (parties: Subjects): Explanation => ({
    ...explanation,
    subjects: { ...explanation.subjects, ...parties },
  })
  return { lookUp: { path }, then: (object) => withParties(partiesOf(object)) }
}

/** Seen from the account: the other side is the recipient, whichever way the message or call went. */
function partiesOf(object: JsonObject | null): Subjects {
  const to = textOf(object?.to)
  const from = textOf(object?.from) ?? textOf(object?.messaging_service_sid)
  const inbound = textOf(object?.direction) === 'inbound'
  return { recipients: listOf(inbound ? from : to), senders: listOf(inbound ? to : from) }
}

/** A list read concerns whom its filter names; without a filter it concerns everybody, which is null. */
export function listParties(params: Params): Subjects {
  const to = given(params, 'To')
  const from = given(params, 'From')
  return { recipients: listOf(to ?? from), senders: listOf(to === undefined ? undefined : from) }
}

export const listOf = (value: string | undefined): readonly string[] | null => (value === undefined ? null : [value])

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
