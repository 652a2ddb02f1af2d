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
  // for nothing or swallow whatever the other side has next.
  let row = Array.from({ length: b.length + 1 }, (_, j) => b.slice(0, j) === '*'.repeat(j))
  for (let i = 0; i < a.length; i++) {
    const next = [row[0]! && a[i] === '*']
    for (let j = 0; j < b.length; j++) {
      next.push(a[i] === '*' || b[j] === '*' ? row[j + 1]! || next[j]! : row[j]! && a[i] === b[j])
    }
    row = next
  }
  return row[b.length]!
}

/** Tests `METHOD path` against patterns of that form, whose method may be `*`. */
export function endpointMatcher(patterns: readonly string[]): (endpoint: string) => boolean {
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  const anyMethod = patterns.filter((pattern) => pattern.startsWith('* ')).map((pattern) => glob(pattern.slice(2)))
  const wild = patterns
    .filter((pattern) => pattern.includes('*') && !pattern.startsWith('* '))
    .map((pattern) => glob(pattern))
  return (endpoint) => {
    if (exact.has(endpoint)) return true
    const path = endpoint.indexOf(' ') + 1
    return anyMethod.some((matches) => matches(endpoint, path)) || wild.some((matches) => matches(endpoint))
  }
}

/**
 * The same for what is forbidden. A `{name}` in the endpoint, an id that an alias leaves open, matches when some value
 * of it would: what may be a denied route is one.
 */
export function denyMatcher(patterns: readonly string[]): (endpoint: string) => boolean {
  const matches = endpointMatcher(patterns)
  return (endpoint) => {
    if (patterns.length === 0) return false
    if (matches(endpoint)) return true
    if (!endpoint.includes('{')) return false
    const open = endpoint.replace(/\{[^{}]*\}/g, '*')
    return patterns.some((pattern) => overlapsEndpoint(pattern, open))
  }
}

const overlapsEndpoint = (pattern: string, endpoint: string): boolean =>
  pattern.startsWith('* ')
    ? overlap(pattern.slice(2), endpoint.slice(endpoint.indexOf(' ') + 1))
    : overlap(pattern, endpoint)

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
