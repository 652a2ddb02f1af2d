import { isPlainUrl } from './urls.js'

/** What an inline TwiML document does. */
export interface Script {
  /** Every verb is one whose cost ends with the call's TimeLimit and which hands control to nobody. */
  readonly bounded: boolean
  /** URLs that are played. */
  readonly urls: readonly string[]
}

/** Twilio's limit for the Twiml parameter. */
const CHARS_MAX = 4000

interface Verb {
  readonly attributes: Readonly<Record<string, RegExp>>
  readonly content: 'nothing' | 'text' | 'url' | readonly string[]
}
const COUNT = /^[0-9]{1,4}$/
const KEYS = /^[0-9#*w]{0,32}$/

// What is not listed (Dial, Redirect, Record, Pay, Start, Connect, Refer, Enqueue, Gather with an action or speech,
// Say with a voice that is billed by the character) dials further, costs beside the minute, or fetches other orders.
const VERBS: Readonly<Record<string, Verb>> = {
  Response: { attributes: {}, content: ['Say', 'Play', 'Pause', 'Hangup', 'Reject', 'Gather'] },
  Say: { attributes: { voice: /^(man|woman)$/, language: /^[A-Za-z-]{2,20}$/, loop: COUNT }, content: 'text' },
  Play: { attributes: { loop: COUNT, digits: KEYS }, content: 'url' },
  Pause: { attributes: { length: COUNT }, content: 'nothing' },
  Hangup: { attributes: {}, content: 'nothing' },
  Reject: { attributes: { reason: /^(rejected|busy)$/ }, content: 'nothing' },
  Gather: {
    attributes: { input: /^dtmf$/, timeout: COUNT, numDigits: COUNT, finishOnKey: /^[0-9#*]?$/ },
    content: ['Say', 'Play', 'Pause'],
  },
}

const TOKEN = /<(\/?)([A-Za-z][A-Za-z0-9]*)((?:\s+[A-Za-z][A-Za-z0-9]*=(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|([^<]+)/y
const ATTRIBUTE = /([A-Za-z][A-Za-z0-9]*)=(?:"([^"]*)"|'([^']*)')/g
const DECLARATION = /^<\?xml version="1\.0"(?: encoding="(?:UTF|utf)-8")?\?>/

/**
 * Reads a TwiML document, or gives null when it is not plain well-formed XML. Strict on purpose: no comments, no
 * CDATA, no DOCTYPE and no entities but the five of XML, so that Twilio's parser cannot see verbs that we do not.
 */
export function readTwiml(text: string): Script | null {
  if (text.length > CHARS_MAX) return null
  const source = text.trim().replace(DECLARATION, '').trim()
  const open: string[] = []
  const urls: string[] = []
  let bounded = true
  let content = ''
  let started = false
  let at = 0
  while (at < source.length) {
    TOKEN.lastIndex = at
    const token = TOKEN.exec(source)
    if (!token) return null
    at = TOKEN.lastIndex
    const [, closing, name, attributes, selfClosing, words] = token
    const parent = open.at(-1)
    if (words !== undefined) {
      const plain = decode(words)
      if (plain === null || parent === undefined) return null
      content += plain
    } else if (closing === '/') {
      if (attributes !== '' || selfClosing !== '' || open.pop() !== name) return null
      bounded = closeVerb(name!, content.trim(), urls) && bounded
      content = ''
    } else {
      if (parent === undefined && (started || name !== 'Response')) return null
      started = true
      bounded = opensPlainly(name!, parent, content) && attributesPlain(name!, attributes!) && bounded
      content = ''
      if (selfClosing === '/') bounded = closeVerb(name!, '', urls) && bounded
      else open.push(name!)
    }
  }
  return started && open.length === 0 ? { bounded, urls } : null
}

function opensPlainly(name: string, parent: string | undefined, textBefore: string): boolean {
  if (VERBS[name] === undefined || textBefore.trim() !== '') return false
  if (parent === undefined) return true
  const allowed = VERBS[parent]?.content
  return Array.isArray(allowed) && allowed.includes(name)
}

function attributesPlain(name: string, text: string): boolean {
  const known = VERBS[name]?.attributes ?? {}
  const seen = new Set<string>()
  return [...text.matchAll(ATTRIBUTE)].every(([, attribute, double, single]) => {
    const value = decode(double ?? single ?? '')
    const repeated = seen.has(attribute!)
    seen.add(attribute!)
    return value !== null && !repeated && Object.hasOwn(known, attribute!) && known[attribute!]!.test(value)
  })
}

/** Checks what a verb holds and notes the URL it plays. */
function closeVerb(name: string, text: string, urls: string[]): boolean {
  const content = VERBS[name]?.content
  if (content === 'text') return true
  if (content !== 'url') return text === ''
  if (text === '') return true
  urls.push(text)
  return isPlainUrl(text)
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decode(text: string): string | null {
  if (/&(?!(?:amp|lt|gt|quot|apos);)/.test(text) || /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text))
    return null
  return text.replace(/&([a-z]+);/g, (_, entity: string) => ENTITIES[entity]!)
}
