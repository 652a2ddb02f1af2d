/** The head of a reply: status line, fields, and how long its body is. */
export class ReplyHead {
  constructor(
    readonly status: number,
    /** Names (lower case) and values in turn. */
    readonly headers: string[],
    readonly framing: Framing,
    /** Of a body whose framing is `length`. */
    readonly length: number,
    /** Whether another request may follow on the connection. */
    readonly staysOpen: boolean,
    /** As the server's Keep-Alive says; -1 where it says nothing. */
    readonly keepAliveMs: number,
  ) {}
}

/** `close`: the body ends with the connection. */
export type Framing = 'none' | 'length' | 'chunks' | 'close'

const STATUS = /HTTP\/1\.[01] [1-9][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/y
/** No space before the colon, no continued line, no end of line but CR LF: whatever else a proxy may read, is refused. */
const FIELDS = /(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*/y
const DIGITS = /^[0-9]{1,15}$/
const TAB = 9
const SPACE = 32

/**
 * Reads the head that a text begins with.
 *
 * @param end where its last field's line ends; an empty line follows
 * @param bodiless the reply has no body, whatever the head says
 * @returns why it is none, in a sentence
 */
export function readHead(text: string, end: number, bodiless: boolean): ReplyHead | string {
  STATUS.lastIndex = 0
  if (!STATUS.test(text)) return 'The status line is none of HTTP/1.1.'
  let at = STATUS.lastIndex
  FIELDS.lastIndex = at
  FIELDS.test(text)
  if (FIELDS.lastIndex !== end) return 'A line of its head is no header.'

  // Where they stand in every line that passed.
  const status = Number(text.slice(9, 12))
  const isOld = text[7] === '0'
  const headers: string[] = []
  let length: string | null = null
  let coding: string | null = null
  let connection = ''
  let keepAlive = ''
  while (at < end) {
    const colon = text.indexOf(':', at)
    const lineEnd = text.indexOf('\r\n', colon)
    const name = text.slice(at, colon).toLowerCase()
    const value = trimmed(text, colon + 1, lineEnd)
    headers.push(name, value)
    switch (name) {
      case 'content-length':
        if (length !== null) return 'It has two lengths.'
        length = untabbed(text.slice(colon, lineEnd), value)
        break
      case 'transfer-encoding':
        if (coding !== null) return 'It has two transfer codings.'
        coding = untabbed(text.slice(colon, lineEnd), value)
        break
      case 'connection':
        connection += connection === '' ? value : `,${value}`
        break
      case 'keep-alive':
        keepAlive += value
    }
    at = lineEnd + 2
  }

  if (length !== null && !DIGITS.test(length)) return 'Its length is no number.'
  if (coding !== null && length !== null) return 'It has a length and a transfer coding.'
  if (coding !== null && (coding.toLowerCase() !== 'chunked' || isOld))
    return 'Its transfer coding is not one that was to be expected.'
  if (status === 204 && !bodiless && length !== null && Number(length) > 0) return 'It has no content, and a length.'
  const framing = framingOf(status, bodiless, length, coding)
  // Where a coding has nothing to code, an empty chunk may still come: nobody is to take it for the next reply.
  const ends = framing === 'close' || (framing === 'none' && coding !== null)
  return new ReplyHead(
    status,
    headers,
    framing,
    length === null ? 0 : Number(length),
    !isOld && !ends && !(connection !== '' && CLOSE.test(connection)),
    keepAlive === '' ? -1 : timeoutIn(keepAlive),
  )
}

const CLOSE = /(?:^|,)[\t ]*close[\t ]*(?:,|$)/i

/** RFC 9112 §6.3. */
function framingOf(status: number, bodiless: boolean, length: string | null, coding: string | null): Framing {
  if (bodiless || status < 200 || status === 204 || status === 304) return 'none'
  if (coding !== null) return 'chunks'
  if (length === null) return 'close'
  return Number(length) === 0 ? 'none' : 'length'
}

function trimmed(text: string, from: number, to: number): string {
  while (from < to && isBlank(text.charCodeAt(from))) from++
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--
  return text.slice(from, to)
}

/** A value that a body's end hangs on; none where there is a tab, which some read as part of it. */
const untabbed = (raw: string, value: string): string => (raw.includes('\t') ? '' : value)

const isBlank = (code: number): boolean => code === SPACE || code === TAB

function timeoutIn(keepAlive: string): number {
  const seconds = /timeout=([0-9]{1,9})/.exec(keepAlive)
  return seconds === null ? -1 : Number(seconds[1]) * 1_000
}

/** How many of a text's first lines are lines of a head, as its first unread character; -1 when one of them is none. */
export function readableUntil(text: string, from: number): number {
  const end = text.lastIndexOf('\n') + 1
  if (end <= from) return from
  let at = from
  if (at === 0) {
    STATUS.lastIndex = 0
    if (!STATUS.test(text)) return -1
    at = STATUS.lastIndex
  }
  FIELDS.lastIndex = at
  FIELDS.test(text)
  return FIELDS.lastIndex === end ? end : -1
}

/** Whether a text is nothing but fields, each with its end of line, and none of them about framing. */
export function areTrailers(text: string): boolean {
  FIELDS.lastIndex = 0
  FIELDS.test(text)
  return FIELDS.lastIndex === text.length && !/^(?:content-length|transfer-encoding):/im.test(text)
}
