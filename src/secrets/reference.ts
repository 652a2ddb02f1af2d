import { isAbsolute } from 'node:path'
import { argvIn } from '../custody/program.js'

/** Where a secret is kept, in place of the secret. `text` is what the operator wrote and is no secret itself. */
export type Reference = { readonly text: string } & (
  | {
      readonly scheme: 'vault'
      /** `secret/data/stripe`, as it stands in the address of a KV v2 secret. */
      readonly path: string
      readonly field: string | null
    }
  | { readonly scheme: 'aws-sm'; readonly name: string; readonly field: string | null }
  | { readonly scheme: 'op'; readonly field: string }
  | { readonly scheme: 'env'; readonly name: string }
  | { readonly scheme: 'file'; readonly path: string; readonly field: string | null }
  | { readonly scheme: 'exec'; readonly argv: readonly string[] }
)
export type Scheme = Reference['scheme']

/** What a reference through the API may be. The others read this machine, so they stand in the configuration file alone. */
export const REMOTE = ['vault', 'aws-sm', 'op'] as const satisfies readonly Scheme[]
export type RemoteScheme = (typeof REMOTE)[number]
export const isRemote = (scheme: Scheme): scheme is RemoteScheme => (REMOTE as readonly Scheme[]).includes(scheme)

/** A reference as messages name it: of a command the program alone, because arguments may be confidential. */
export const named = (reference: Reference): string =>
  reference.scheme === 'exec' ? `exec:${reference.argv[0]}` : reference.text

export const REFERENCE_CHARS_MAX = 1024
const SEGMENTS_MAX = 16
const FIELD = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/

/**
 * Reads a reference in its one spelling: no escapes, no dot segments, no empty ones, so that what is allowed by pattern and
 * what is asked of the backend are the same text. A string is the fault, as a sentence.
 */
export function parseReference(text: string): Reference | string {
  if (text.length > REFERENCE_CHARS_MAX) return `A reference has at most ${REFERENCE_CHARS_MAX} characters.`
  if (!/^[\x20-\x7e]+$/.test(text)) return 'A reference has printable ASCII characters only.'
  const scheme = /^[a-z][a-z0-9-]*(?=:)/.exec(text)?.[0] ?? ''
  const read = READERS.get(scheme)
  if (read === undefined)
    return `This is no reference (and is not repeated, in case it is a secret): write ${FORMS.join(', ')}; in the configuration file also env:NAME, file:/path or exec:program.`
  const rest = text.slice(scheme.length + 1)
  return read(text, rest)
}

const FORMS = ['vault://mount/data/path#field', 'aws-sm://name#field', 'op://vault/item/field']

type Reader = (text: string, rest: string) => Reference | string

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ['vault', vault],
  ['aws-sm', awsSm],
  ['op', onePassword],
  ['env', variable],
  ['file', file],
  ['exec', program],
])

function vault(text: string, rest: string): Reference | string {
  const [whole, field] = apart(rest)
  const path = /^\/\/(.+)$/.exec(whole)?.[1]
  if (path === undefined || badField(field)) return badForm(text, FORMS[0]!)
  const segments = path.split('/')
  const fault = segmentFault(segments, /^[A-Za-z0-9_.-]+$/)
  if (fault !== null) return `«${shown(text)}» ${fault}`
  // GET on other engines makes credentials or reads what Vault knows of itself. A version 2 store has /data/ in its paths.
  if (segments.indexOf('data', 1) < 1 || segments.at(-1) === 'data' || NO_STORE.has(segments[0]!))
    return `«${shown(text)}» names no secret of a KV version 2 store: its path goes mount/data/name.`
  return { text, scheme: 'vault', path, field }
}
const NO_STORE = new Set(['sys', 'auth', 'identity', 'cubbyhole'])

function awsSm(text: string, rest: string): Reference | string {
  const [whole, field] = apart(rest)
  // Names have letters, digits and /_+=.@-; an ARN has colons besides (AWS, CreateSecret, November 2026).
  const name = /^\/\/([A-Za-z0-9][A-Za-z0-9/_+=.@:-]{0,511})$/.exec(whole)?.[1]
  if (name === undefined || badField(field)) return badForm(text, FORMS[1]!)
  const fault = segmentFault(name.split('/'), /./)
  return fault === null ? { text, scheme: 'aws-sm', name, field } : `«${shown(text)}» ${fault}`
}

function onePassword(text: string, rest: string): Reference | string {
  const path = /^\/\/(.+)$/.exec(rest)?.[1]
  if (path === undefined) return badForm(text, FORMS[2]!)
  const segments = path.split('/')
  // Letters, digits, - _ . and spaces (1Password, «Secret reference syntax», November 2026); other names have an id.
  const fault = segmentFault(segments, /^[A-Za-z0-9_.-]+(?: [A-Za-z0-9_.-]+)*$/)
  if (fault !== null) return `«${shown(text)}» ${fault}`
  if (segments.length < 3 || segments.length > 4) return badForm(text, 'op://vault/item/[section/]field')
  return { text, scheme: 'op', field: segments.at(-1)! }
}

function variable(text: string, rest: string): Reference | string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(rest)) return badForm(text, 'env:NAME')
  if (rest.startsWith('SPENDGATE_')) return `«${shown(text)}» is a variable of spendgate's own.`
  return { text, scheme: 'env', name: rest }
}

function file(text: string, rest: string): Reference | string {
  const [path, field] = apart(rest)
  if (badField(field) || path.startsWith('//')) return badForm(text, 'file:/absolute/path')
  if (!isAbsolute(path)) return `«${shown(text)}» must name a file from the root, such as file:/run/secrets/stripe.`
  return { text, scheme: 'file', path, field }
}

function program(text: string, rest: string): Reference | string {
  const argv = argvIn(rest)
  return typeof argv === 'string' ? `«${shown(text)}» ${argv}` : { text, scheme: 'exec', argv }
}

function apart(rest: string): readonly [string, string | null] {
  const at = rest.indexOf('#')
  return at < 0 ? [rest, null] : [rest.slice(0, at), rest.slice(at + 1)]
}

const badField = (field: string | null): boolean => field !== null && !FIELD.test(field)

function segmentFault(segments: readonly string[], fitting: RegExp): string | null {
  if (segments.length > SEGMENTS_MAX) return `has more than ${SEGMENTS_MAX} parts.`
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..'))
    return 'has an empty part, or one of dots, which could lead elsewhere.'
  if (segments.some((segment) => !fitting.test(segment)))
    return 'has a character that no name may have here. Nothing is decoded: write names as they are.'
  return null
}

const shown = (text: string): string => (text.length > 100 ? `${text.slice(0, 100)}…` : text)
const badForm = (text: string, form: string): string => `«${shown(text)}» is not of the form ${form}.`

/** Whether a pattern (`vault://secret/data/agents/*`) covers a reference. Fields do not count; `*` is any run of characters. */
export function covers(pattern: string, { text }: Reference): boolean {
  const parts = pattern.split('*')
  const subject = text.split('#')[0]!
  if (parts.length === 1) return subject === pattern
  if (!subject.startsWith(parts[0]!)) return false
  let at = parts[0]!.length
  for (const part of parts.slice(1, -1)) {
    const found = subject.indexOf(part, at)
    if (found < 0) return false
    at = found + part.length
  }
  return subject.length >= at + parts.at(-1)!.length && subject.endsWith(parts.at(-1)!)
}

/** A pattern of `covers`, or why it is none. */
export const patternFault = (pattern: string): string | null =>
  REMOTE.some((scheme) => pattern.startsWith(`${scheme}://`)) &&
  /^[\x21-\x7e]{1,512}$/.test(pattern.replaceAll(' ', '_'))
    ? null
    : `«${shown(pattern)}» must be a pattern of references such as vault://secret/data/agents/*, aws-sm://agents/* or op://Agents/*.`
