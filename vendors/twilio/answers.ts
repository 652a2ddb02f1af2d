import type { Subjects } from '../../src/contracts/call.js'
import type { Explained, Explanation, Json, JsonObject, Params, Question } from '../../src/contracts/vendor.js'
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

/** The same about the call that the path names: under `Calls` its id is `CallSid`, or `Sid` at the end. */
export const aboutCall = (question: Question, explanation: Explanation): Explained =>
  aboutExisting(
    question,
    `/2010-04-01/Accounts/${question.path.AccountSid!}/Calls/${question.path.CallSid ?? question.path.Sid!}.json`,
    explanation,
  )

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

/** A member of a JSON object by its snake_case name; Twilio's newer products also write camelCase. Both at once: null. */
export function member(json: Json | undefined, name: string): Json | undefined | null {
  const camel = name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  const object = isObject(json) ? json : {}
  const [snakeValue, camelValue] = [object[name], object[camel]]
  if (camel === name || camelValue === undefined) return snakeValue
  return snakeValue === undefined ? camelValue : null
}

export const isObject = (json: Json | undefined): json is JsonObject =>
  typeof json === 'object' && json !== null && !Array.isArray(json)

export const listOf = (value: string | undefined): readonly string[] | null => (value === undefined ? null : [value])

export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
