import type { Params } from '../contracts/vendor.js'

/** Why a body or query was not understood. Malformed: the grammar fails. Ambiguous: two readings exist. */
export interface ParseFault {
  readonly code: 'request_malformed' | 'request_ambiguous'
  readonly message: string
}

const PAIRS_MAX = 1000
const DEPTH_MAX = 8
const SEGMENT_CHARS_MAX = 100
const PLAIN_CHARS_MAX = 4096
const NAME = /^[A-Za-z_][A-Za-z0-9_.<>-]*$/
const FORBIDDEN = new Set(['__proto__', 'prototype', 'constructor'])
/** Printable ASCII that encoders leave as it is. A raw space, `;`, `"` or anything beyond ASCII is read differently by different parsers. */
const RAW = /^[A-Za-z0-9_.~!$'()*,:@/?=\[\]+%<>-]*$/
/** The same with what stands between pairs. */
const RAW_TEXT = /^[A-Za-z0-9_.~!$'()*,:@/?=\[\]+%<>&-]*$/

/**
 * Parses an application/x-www-form-urlencoded body or a query strictly: every accepted text has one reading in every
 * parser we know of (measured against Rack, qs, URLSearchParams), and `serialise` writes exactly that reading.
 *
 * @param repeats names that may stand more than once without brackets (Twilio's `MediaUrl`)
 */
export function parseForm(text: string, repeats: readonly string[] = []): Form | ParseFault {
  if (text === '') return EMPTY
  // Where nothing is escaped every name and value is what it says, and written again it is the same text.
  const plain = text.length <= PLAIN_CHARS_MAX && PLAIN.test(text)
  // Looked through once for all; only where something stands in it that must not is each part asked whether it holds that.
  const whole = plain || RAW_TEXT.test(text)
  const pairs: [string, string][] = []
  const kinds = new Map<string, Kind>()
  let start = 0
  while (start <= text.length) {
    let end = text.indexOf('&', start)
    if (end < 0) end = text.length
    if (end === start) return malformed('An empty pair stands between two «&».')
    if (pairs.length === PAIRS_MAX) return malformed(`More than ${PAIRS_MAX} parameters.`)
    const equals = text.indexOf('=', start)
    if (equals < 0 || equals >= end) return malformed(`The parameter «${show(text.slice(start, end))}» has no «=».`)
    const rawName = text.slice(start, equals)
    const name = plain ? rawName : decode(rawName, whole)
    if (name === null) return malformed(`The name «${show(rawName)}» is not valid percent-encoded UTF-8.`)
    const rawValue = text.slice(equals + 1, end)
    const value = plain ? rawValue : decode(rawValue, whole)
    if (value === null) return malformed(`The value of «${show(name)}» is not valid percent-encoded UTF-8.`)
    const fault =
      name.includes('[') || name.includes(']') ? placeBracketed(name, kinds) : placePlain(name, kinds, repeats)
    if (fault) return fault
    pairs.push([name, value])
    start = end + 1
  }
  return new Form(pairs, plain ? text : null)
}

type Kind = 'scalar' | 'map' | 'list' | 'append'

function placePlain(name: string, kinds: Map<string, Kind>, repeats: readonly string[]): ParseFault | null {
  if (!NAME.test(name) || FORBIDDEN.has(name)) return malformed(`«${show(name)}» is not a parameter name.`)
  const earlier = kinds.get(name)
  if (earlier === undefined) {
    kinds.set(name, 'scalar')
    return null
  }
  if (earlier !== 'scalar')
    return ambiguous(`«${show(name)}» is both a value and a ${earlier === 'map' ? 'map' : 'list'}.`)
  return repeats.includes(name) ? null : ambiguous(`«${show(name)}» stands more than once.`)
}

function placeBracketed(name: string, kinds: Map<string, Kind>): ParseFault | null {
  const segments = split(name)
  if (segments === null) return malformed(`The brackets of «${show(name)}» do not balance.`)
  if (!NAME.test(segments[0]!) || FORBIDDEN.has(segments[0]!))
    return malformed(`«${show(name)}» is not a parameter name.`)
  if (segments.length > DEPTH_MAX) return malformed(`«${show(name)}» is nested deeper than ${DEPTH_MAX}.`)
  let prefix = segments[0]!
  for (let i = 1; i < segments.length; i++) {
    const segment = segments[i]!
    if (segment === '' && i < segments.length - 1)
      return ambiguous(`«${show(name)}»: «[]» may only stand last; number the elements.`)
    if (FORBIDDEN.has(segment) || segment.length > SEGMENT_CHARS_MAX || /[\u0000-\u001f\u007f]/.test(segment)) {
      return malformed(`«${show(name)}» is not a parameter name.`)
    }
    const kind: Kind = segment === '' ? 'append' : /^[0-9]+$/.test(segment) ? 'list' : 'map'
    if (kind === 'list' && !/^(0|[1-9][0-9]{0,3})$/.test(segment))
      return malformed(`«${show(name)}»: the index is not a plain number.`)
    const earlier = kinds.get(prefix)
    if (earlier === undefined) kinds.set(prefix, kind)
    else if (earlier !== kind) return ambiguous(`«${show(prefix)}» is used in two ways (value, list or map).`)
    prefix = segment === '' ? prefix : `${prefix}[${segment}]`
  }
  if (segments.at(-1) === '') return null
  const earlier = kinds.get(prefix)
  if (earlier === 'scalar') return ambiguous(`«${show(prefix)}» stands more than once.`)
  if (earlier !== undefined)
    return ambiguous(`«${show(prefix)}» is both a value and a ${earlier === 'map' ? 'map' : 'list'}.`)
  kinds.set(prefix, 'scalar')
  return null
}

/** `a[b][0]` → ['a', 'b', '0']; null when the brackets do not balance or text stands between or after them. */
function split(name: string): string[] | null {
  const first = name.indexOf('[')
  if (first <= 0 || name.slice(0, first).includes(']')) return null
  const segments = [name.slice(0, first)]
  let at = first
  while (at < name.length) {
    if (name[at] !== '[') return null
    const close = name.indexOf(']', at)
    if (close < 0) return null
    const segment = name.slice(at + 1, close)
    if (segment.includes('[')) return null
    segments.push(segment)
    at = close + 1
  }
  return segments
}

function decode(raw: string, known: boolean): string | null {
  if (!known && !RAW.test(raw)) return null
  const spaced = raw.includes('+') ? raw.replaceAll('+', ' ') : raw
  if (!spaced.includes('%')) return spaced
  if (/%(?![0-9A-Fa-f]{2})/.test(spaced)) return null
  let decoded: string
  try {
    decoded = decodeURIComponent(spaced)
  } catch {
    return null // URIError: not UTF-8, or a lone surrogate. There is no non-throwing decoder that is as strict.
  }
  return decoded.includes('\u0000') || decoded.startsWith('\ufeff') ? null : decoded
}

const malformed = (message: string): ParseFault => ({ code: 'request_malformed', message })
const ambiguous = (message: string): ParseFault => ({ code: 'request_ambiguous', message })
const show = (text: string): string => (text.length > 60 ? `${text.slice(0, 60)}…` : text).replace(/[^\x20-\x7e]/g, '?')

/** Checked pairs in the order they came. */
export class Form implements Params {
  readonly #pairs: readonly (readonly [string, string])[]
  #scalars: ReadonlyMap<string, string> | null = null
  #names: readonly string[] | null = null
  #text: string | null

  /** @param text the canonical text, where it is known already */
  constructor(pairs: readonly (readonly [string, string])[], text: string | null = null) {
    this.#pairs = pairs
    this.#text = text
  }

  get(name: string): string | undefined {
    if (this.#pairs.length > FEW) return (this.#scalars ??= firstOf(this.#pairs)).get(name)
    for (const pair of this.#pairs) if (pair[0] === name) return pair[1]
    return undefined
  }

  all(name: string): readonly string[] {
    const indexed: [number, string][] = []
    const plain: string[] = []
    const list = `${name}[`
    const appended = `${name}[]`
    for (const [key, value] of this.#pairs) {
      if (key === name || key === appended) plain.push(value)
      else if (key.startsWith(list)) {
        const index = /^\[([0-9]+)\]$/.exec(key.slice(name.length))
        if (index) indexed.push([Number(index[1]), value])
      }
    }
    return indexed.length === 0 ? plain : [...plain, ...indexed.sort((a, b) => a[0] - b[0]).map((pair) => pair[1])]
  }

  names(): readonly string[] {
    if (this.#names !== null) return this.#names
    const names: string[] = []
    for (const [key] of this.#pairs) {
      const bracket = key.indexOf('[')
      names.push(bracket < 0 ? key : key.slice(0, bracket))
    }
    return (this.#names = names.length > FEW ? [...new Set(names)] : names.filter(isFirst))
  }

  has(name: string): boolean {
    const inside = `${name}[`
    return this.#pairs.some(([key]) => key === name || key.startsWith(inside))
  }

  list(name: string): readonly Params[] {
    const elements = new Map<number, [string, string][]>()
    for (const [key, value] of this.#pairs) {
      if (!key.startsWith(`${name}[`)) continue
      const found = /^\[([0-9]+)\]\[([^\]]*)\](.*)$/s.exec(key.slice(name.length))
      if (!found) continue
      const index = Number(found[1])
      const pairs = elements.get(index) ?? []
      pairs.push([found[2]! + found[3]!, value])
      elements.set(index, pairs)
    }
    return [...elements].sort((a, b) => a[0] - b[0]).map(([, pairs]) => new Form(pairs))
  }

  map(name: string): Params {
    const pairs: [string, string][] = []
    for (const [key, value] of this.#pairs) {
      if (!key.startsWith(`${name}[`)) continue
      const found = /^\[([^\]]*)\](.*)$/s.exec(key.slice(name.length))
      if (found) pairs.push([found[1]! + found[2]!, value])
    }
    return new Form(pairs)
  }

  entries(): readonly (readonly [string, string])[] {
    return this.#pairs
  }

  /** The same form with some scalars replaced or added. */
  with(set: Readonly<Record<string, string>>): Form {
    const rest = this.#pairs.filter(([key]) => !(key in set))
    return new Form([...rest, ...Object.entries(set)])
  }

  /** The canonical text: what was understood and nothing else. Brackets in names stay as they are, as vendors' own SDKs send them. */
  serialise(): string {
    if (this.#text !== null) return this.#text
    let out = ''
    for (const [key, value] of this.#pairs) {
      if (out !== '') out += '&'
      out += encodeName(key) + '=' + encodeValue(value)
    }
    return (this.#text = out)
  }
}

export const EMPTY = new Form([])

/** So many pairs are sooner looked through than put into a map. */
const FEW = 16

function firstOf(pairs: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  const scalars = new Map<string, string>()
  for (const [key, value] of pairs) if (!scalars.has(key)) scalars.set(key, value)
  return scalars
}

const isFirst = (name: string, at: number, names: readonly string[]): boolean => names.indexOf(name) === at

/** Pairs of which neither part needs escaping. */
const PLAIN = /^[A-Za-z0-9_.~\[\]-]+=[A-Za-z0-9_.~-]*(?:&[A-Za-z0-9_.~\[\]-]+=[A-Za-z0-9_.~-]*)*$/
const SAFE = /^[A-Za-z0-9_.~-]*$/
const SAFE_NAME = /^[A-Za-z0-9_.~\[\]-]*$/
const encodeValue = (value: string): string => (SAFE.test(value) ? value : encodeURIComponent(value))
const encodeName = (name: string): string =>
  SAFE_NAME.test(name) ? name : encodeURIComponent(name).replaceAll('%5B', '[').replaceAll('%5D', ']')
