import type { Allowlist } from '../src/contracts/policy.js'

/** Matches all of `text` from an offset on. */
export type Matcher = (text: string, from?: number) => boolean

/**
 * A pattern in which `*` stands for any run of characters, none and slashes included. Searches from left to right
 * without going back, so no pattern makes a long text costly.
 */
export function glob(pattern: string): Matcher {
  const pieces = pattern.split('*')
  const first = pieces[0]!
  if (pieces.length === 1)
    return (text, from = 0) => text.length - from === first.length && text.startsWith(first, from)
  const last = pieces.at(-1)!
  const between = pieces.slice(1, -1)
  return (text, from = 0) => {
    if (!text.startsWith(first, from)) return false
    let at = from + first.length
    for (const piece of between) {
      const found = text.indexOf(piece, at)
      if (found === -1) return false
      at = found + piece.length
    }
    return text.length - last.length >= at && text.endsWith(last)
  }
}

/** Whether some text matches both patterns. */
export function overlap(a: string, b: string): boolean {
  // row[j]: whether the first i characters of a and the first j of b can stand for the same text. A star may stand
  // for nothing or swallow whatever the other side has next. In bytes, because agents write patterns too: every call
  // over a denied route's aliases walks these rows.
  let row = new Uint8Array(b.length + 1)
  let next = new Uint8Array(b.length + 1)
  row[0] = 1
  for (let j = 0; j < b.length && b[j] === '*'; j++) row[j + 1] = 1
  for (let i = 0; i < a.length; i++) {
    const letter = a.charCodeAt(i)
    next[0] = letter === STAR ? row[0]! : 0
    for (let j = 0; j < b.length; j++) {
      const other = b.charCodeAt(j)
      next[j + 1] = letter === STAR || other === STAR ? row[j + 1]! | next[j]! : letter === other ? row[j]! : 0
    }
    ;[row, next] = [next, row]
  }
  return row[b.length] === 1
}
const STAR = '*'.charCodeAt(0)

/** Tests `METHOD path` against patterns of that form, whose method may be `*`. */
export function endpointMatcher(patterns: readonly string[]): (endpoint: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const anyMethod = anyOf(patterns.filter((pattern) => pattern.startsWith('* ')).map((pattern) => pattern.slice(2)))
  const wild = anyOf(patterns.filter((pattern) => pattern.includes('*') && !pattern.startsWith('* ')))
  return (endpoint) => exact.has(endpoint) || anyMethod(endpoint, endpoint.indexOf(' ') + 1) || wild(endpoint)
}

/**
 * Whether any of the patterns matches. They are kept by their whole segments before the first star, so that an endpoint is
 * held against those that begin like it, and not against hundreds.
 */
function anyOf(patterns: readonly string[]): Matcher {
  const known = new Map<string, Matcher[]>()
  for (const pattern of patterns) {
    const fixed = pattern.split('*')[0]!
    const segments = fixed.slice(0, fixed.lastIndexOf('/') + 1)
    const like = known.get(segments)
    if (like === undefined) known.set(segments, [glob(pattern)])
    else like.push(glob(pattern))
  }
  if (known.size === 0) return () => false
  return (text, from = 0) => {
    for (let end = from; ;) {
      if (known.get(text.slice(from, end))?.some((matches) => matches(text, from)) === true) return true
      end = text.indexOf('/', end) + 1
      if (end === 0) return false
    }
  }
}

/**
 * The same for what is forbidden. A `{name}` in the endpoint, an id that an alias leaves open, matches when some value
 * of it would: what may be a denied route is one.
 */
export function denyMatcher(patterns: readonly string[]): (endpoint: string) => boolean {
  if (patterns.length === 0) return () => false
  const matches = endpointMatcher(patterns)
  // Aliases come again and again with the same places open.
  const known = new Map<string, boolean>()
  return (endpoint) => {
    if (matches(endpoint)) return true
    if (!endpoint.includes('{')) return false
    let denied = known.get(endpoint)
    if (denied === undefined) {
      const open = endpoint.replace(/\{[^{}]*\}/g, '*')
      denied = patterns.some((pattern) => overlapsEndpoint(pattern, open))
      if (known.size >= KNOWN_MAX) known.clear()
      known.set(endpoint, denied)
    }
    return denied
  }
}
const KNOWN_MAX = 256

const overlapsEndpoint = (pattern: string, endpoint: string): boolean =>
  pattern.startsWith('* ')
    ? mayOverlap(pattern.slice(2), endpoint.slice(endpoint.indexOf(' ') + 1))
    : mayOverlap(pattern, endpoint)

/** What begins otherwise overlaps nowhere, which is cheap to see. */
function mayOverlap(a: string, b: string): boolean {
  const [start, other] = [a.split('*', 1)[0]!, b.split('*', 1)[0]!]
  return (start.startsWith(other) || other.startsWith(start)) && overlap(a, b)
}

/** One plain address. A list, a display name or a second @ would let the end of the text speak for all of it. */
const MAILBOX = /^[^\s,;<>"()@\\]+@[^\s,;<>"()@\\]+$/

/** Entries are exact values or `*` patterns; those with an @ are e-mail addresses, compared without regard to case. */
export function allowlist(entries: readonly string[]): Allowlist {
  const mails = entries.filter((entry) => entry.includes('@')).map((entry) => entry.toLowerCase())
  const others = entries.filter((entry) => !entry.includes('@'))
  const holdsMail = oneOf(mails)
  const holdsOther = oneOf(others)
  return {
    entries,
    has: (value) => holdsOther(value) || (mails.length > 0 && MAILBOX.test(value) && holdsMail(value.toLowerCase())),
  }
}

function oneOf(entries: readonly string[]): (value: string) => boolean {
  const exact = new Set(entries.filter((entry) => !entry.includes('*')))
  const wild = entries.filter((entry) => entry.includes('*')).map((entry) => glob(entry))
  return (value) => exact.has(value) || wild.some((matches) => matches(value))
}

/** What both lists hold. */
export function both(a: Allowlist, b: Allowlist): Allowlist {
  let entries: readonly string[] | null = null
  return {
    has: (value) => a.has(value) && b.has(value),
    // Reports read this, the hot path never does.
    get entries() {
      entries ??= commonEntries(a, b)
      return entries
    },
  }
}

/** The narrower of each pair; of two patterns that merely overlap, both, joined by `&`. */
function commonEntries(a: Allowlist, b: Allowlist): readonly string[] {
  const wild = (entry: string): boolean => entry.includes('*')
  const plain = [...a.entries, ...b.entries].filter((entry) => !wild(entry) && a.has(entry) && b.has(entry))
  const patterns = a.entries.filter(wild).flatMap((p) =>
    b.entries.filter(wild).flatMap((q) => {
      // Addresses are compared without regard to case, as when one is looked for.
      const [one, other] = p.includes('@') && q.includes('@') ? [p.toLowerCase(), q.toLowerCase()] : [p, q]
      // A star that matches as an ordinary character is inside the other pattern's own star.
      if (glob(other)(one)) return [p]
      if (glob(one)(other)) return [q]
      return overlap(one, other) ? [`${p} & ${q}`] : []
    }),
  )
  return [...new Set([...plain, ...patterns])]
}
