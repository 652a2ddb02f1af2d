import type { Subjects } from '../../src/contracts/call.js'
import type { Explained, Explanation, Json, JsonObject, Operation, Question } from '../../src/contracts/vendor.js'
import { lines } from '../table.js'
import { mailbox } from './addresses.js'

/** Where the facts of these files come from, unless an entry says otherwise. */
export const SOURCE = 'resend-openapi fd6f395, 2026-08-21; resend-node 6.38.0, 2026-11-20'
export const PAGING = ['limit', 'after', 'before']

/** @param why mandatory where the operation can cost money and does not this time */
export const free = (subjects: Subjects, why?: string): Explanation => ({
  quote: { basis: 'free', ...(why !== undefined && { why }) },
  subjects,
})

export const unpriceable = (why: string, subjects: Subjects): Explanation => ({
  quote: { basis: 'unpriceable', why },
  subjects,
})

export const malformed = (message: string): Explanation => ({
  quote: { basis: 'unpriceable', why: message },
  subjects: {},
  refuse: { code: 'request_malformed', message },
})

/**
 * Ids stand where other routes have a word (`/emails/receiving`, `/contacts/imports`), and a word that is not in the
 * catalogue yet would be an operation of its own. Ids are UUIDs and hold digits; no route's word does.
 */
export const isId = (text: string): boolean => /^(?=.*[0-9])[A-Za-z0-9_-]{1,100}$/.test(text)

export const noId = (text: string): Explanation =>
  malformed(`«${text.slice(0, 40).replace(/[^\x20-\x7e]/g, '?')}» is not an id.`)

/** Placeholders where Resend takes an address beside an id. */
const ADDRESSED: ReadonlySet<string> = new Set(['inbox', 'contact', 'suppression'])
/** Placeholders that hold a name the team chose; no route has a word in their place. */
const CHOSEN: ReadonlySet<string> = new Set(['template', 'event'])

/** The refusal of the first placeholder that holds no id, or null. */
export function strayId({ path }: Question): Explanation | null {
  for (const [name, value] of Object.entries(path)) {
    if (CHOSEN.has(name) || isId(value) || (ADDRESSED.has(name) && mailbox(value) !== null)) continue
    return noId(value)
  }
  return null
}

type Shared = Omit<Operation, 'id' | 'routes'> & {
  /** Whether it shows or concerns people's addresses that the request does not name. */
  readonly people?: true
}

/** Catalogue entries that share everything but name and routes (see `lines`). Without `explain` they are free. */
export const rows = ({ people, explain, ...shared }: Shared, text: string): Operation[] =>
  lines(text).map((line) => ({
    ...shared,
    ...line,
    explain: (question) =>
      strayId(question) ?? explain?.(question) ?? free(people === true ? { recipients: null, senders: null } : {}),
  }))

/** One operation whose placeholders are checked before it explains itself. */
export const operation = (declared: Operation & { explain: NonNullable<Operation['explain']> }): Operation => ({
  ...declared,
  explain: (question): Explained => strayId(question) ?? declared.explain(question),
})

/** JSON null reads as not given, as resend's own clients mean it. */
export const isAbsent = (value: Json | undefined): value is null | undefined => value === undefined || value === null

export const asObject = (json: Json | undefined): JsonObject | null =>
  typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as JsonObject) : null

/** The fields of a request's body; a request without a body has none. Null when the body is no object. */
export const bodyOf = (question: Question): JsonObject | null =>
  question.json === undefined ? {} : asObject(question.json)

/** A list of addresses in a reply, or one. Null when one of them cannot be read in one way. */
export function addressesIn(value: Json | undefined): readonly string[] | null {
  if (isAbsent(value)) return []
  const texts: readonly Json[] = Array.isArray(value) ? value : [value as Json]
  const addresses = texts.map((text) => (typeof text === 'string' ? mailbox(text) : null))
  return addresses.includes(null) ? null : (addresses as string[])
}

/** An instant Resend and we read alike, or null: it takes words like «in 1 min» too, and only it knows what they mean. */
export function instantOf(text: Json | undefined): number | null {
  const plain = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/
  if (typeof text !== 'string' || !plain.test(text)) return null
  const at = Date.parse(text)
  return Number.isNaN(at) ? null : at
}
