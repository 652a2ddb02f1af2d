import type { Json, JsonObject } from '../../src/contracts/vendor.js'
import { mailbox } from './addresses.js'
import { asObject, instantOf, isAbsent } from './answers.js'

/** Fields of an e-mail that are understood; any other is refused. As resend-node 6.38 sends them. */
export const EMAIL_FIELDS = [
  'from',
  'to',
  'cc',
  'bcc',
  'reply_to',
  'subject',
  'html',
  'text',
  'headers',
  'attachments',
  'tags',
  'template',
  'topic_id',
  'scheduled_at',
] as const
const ATTACHMENT_FIELDS = new Set(['content', 'filename', 'path', 'content_type', 'content_id'])

/** Resend's limit for `to`. */
const TO_MAX = 50
/** The specification names no limit for cc and bcc; this is ours. */
const COPIES_MAX = 200
const HEADERS_MAX = 50
const ATTACHMENTS_MAX = 50
/** Headers that would name a sender or recipients a second time. */
const ADDRESSING =
  /^(to|cc|bcc|from|sender|reply-to|return-path|resent-.*|apparently-to|errors-to|envelope-.*|x-ses-.*)$/i
const PLAIN_URL =
  /^https:\/\/([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::[0-9]{1,5})?(?:[/?#][\x21-\x5b\x5d-\x7e]*)?$/

/** What an e-mail means for money and allowlists. */
export interface Email {
  /** Null when a template may fill it in. */
  readonly sender: string | null
  /** Every address in to, cc and bcc, as often as it stands there. */
  readonly recipients: readonly string[]
  /** Addresses from which Resend fetches attachments. */
  readonly urls: readonly string[]
  readonly scheduled: boolean
  /** When it leaves, where that is said as an instant. */
  readonly dueAt: number | null
}

/** Reads one e-mail of a request body; a string is the fault, as a sentence. */
export function readEmail(json: Json | undefined): Email | string {
  const email = asObject(json)
  if (email === null) return 'An e-mail must be a JSON object.'
  const unknown = Object.keys(email).find((name) => !(EMAIL_FIELDS as readonly string[]).includes(name))
  if (unknown !== undefined) return `«${unknown.slice(0, 40)}» is no known field of an e-mail.`

  const sender = isAbsent(email.from) ? null : typeof email.from === 'string' ? mailbox(email.from) : null
  if (sender === null && (!isAbsent(email.from) || isAbsent(email.template)))
    return 'from must be one address, like billing@acme.com or Acme <billing@acme.com>.'
  const recipients = readRecipients(email)
  if (typeof recipients === 'string') return recipients
  const replies = faultOfReplies(email.reply_to)
  if (replies !== null) return replies
  if (isAbsent(email.to) || (Array.isArray(email.to) && email.to.length === 0)) return 'to is missing.'

  for (const name of ['subject', 'scheduled_at'] as const) {
    const line = faultOfLine(name, email[name])
    if (line !== null) return line
  }
  const fault = faultOfHeaders(email.headers)
  if (fault !== null) return fault
  const urls = readAttachments(email.attachments)
  if (typeof urls === 'string') return urls
  return {
    sender,
    recipients,
    urls,
    scheduled: !isAbsent(email.scheduled_at),
    dueAt: instantOf(email.scheduled_at),
  }
}

export const faultOfLine = (name: string, text: Json | undefined): string | null =>
  isAbsent(text) || (typeof text === 'string' && !/\p{Cc}/u.test(text)) ? null : `${name} must be one line of text.`

/** The addresses of to, cc and bcc as far as given; a string is the fault. */
export function readRecipients(email: JsonObject): readonly string[] | string {
  const to = readAddresses('to', email.to, TO_MAX)
  const cc = readAddresses('cc', email.cc, COPIES_MAX)
  const bcc = readAddresses('bcc', email.bcc, COPIES_MAX)
  for (const addresses of [to, cc, bcc]) if (typeof addresses === 'string') return addresses
  return [...to, ...cc, ...bcc]
}

/** Null when reply_to holds addresses only, or nothing. */
export const faultOfReplies = (value: Json | undefined): string | null => {
  const replies = readAddresses('reply_to', value, TO_MAX)
  return typeof replies === 'string' ? replies : null
}

function readAddresses(name: string, value: Json | undefined, max: number): readonly string[] | string {
  if (isAbsent(value)) return []
  const texts: readonly Json[] = Array.isArray(value) ? value : [value as Json]
  if (texts.length > max) return `${name} holds ${texts.length} addresses; at most ${max} are taken.`
  const addresses: string[] = []
  for (const text of texts) {
    const address = typeof text === 'string' ? mailbox(text) : null
    if (address === null) return `${name} must hold one address a string, like ann@acme.com or Ann <ann@acme.com>.`
    addresses.push(address)
  }
  return addresses
}

export function faultOfHeaders(value: Json | undefined): string | null {
  if (isAbsent(value)) return null
  const headers = asObject(value)
  if (headers === null) return 'headers must be a JSON object.'
  const entries = Object.entries(headers)
  if (entries.length > HEADERS_MAX) return `headers holds ${entries.length} entries; at most ${HEADERS_MAX} are taken.`
  for (const [name, text] of entries) {
    if (!/^[A-Za-z0-9-]{1,100}$/.test(name) || typeof text !== 'string' || /\p{Cc}/u.test(text))
      return 'headers must map plain names to one line of text each.'
    if (ADDRESSING.test(name))
      return `The header ${name} would address the e-mail a second time; use the fields from, to, cc, bcc and reply_to.`
  }
  return null
}

export function readAttachments(value: Json | undefined): readonly string[] | string {
  if (isAbsent(value)) return []
  if (!Array.isArray(value) || value.length > ATTACHMENTS_MAX)
    return `attachments must be a list of at most ${ATTACHMENTS_MAX}.`
  const urls: string[] = []
  for (const item of value as readonly Json[]) {
    const attachment = asObject(item)
    const unknown = attachment === null ? '' : Object.keys(attachment).find((name) => !ATTACHMENT_FIELDS.has(name))
    if (attachment === null || unknown !== undefined)
      return 'An attachment holds content or path, and filename, content_type and content_id.'
    if (isAbsent(attachment.path)) continue
    if (typeof attachment.path !== 'string' || !isPlainUrl(attachment.path))
      return 'The path of an attachment must be a plain https URL.'
    urls.push(attachment.path)
  }
  return urls
}

/** Whether every parser would find the same host in an https URL, as written. */
export function isPlainUrl(text: string): boolean {
  const host = PLAIN_URL.exec(text)?.[1]
  return (
    host !== undefined && text.length <= 4000 && URL.canParse(text) && new URL(text).hostname === host.toLowerCase()
  )
}
