import { isAscii } from 'node:buffer'
import type { Json } from '../contracts/vendor.js'

/** What is changed in a vendor's reply before the agent sees it. */
export interface Rewriting {
  /** Field names, at any depth, that are taken out. */
  readonly drop: ReadonlySet<string>
  /** The address that leads to a host of the vendor through us, null for any other host; absent: links stay as they are. */
  readonly leadTo: ((host: string) => string | null) | null
}

const DEPTH_MAX = 64

/** A body as bytes, or as the text they are in every encoding: most are plain ASCII and need be decoded once for all. */
export type Body = Buffer | string

export const bodyOf = (bytes: Buffer): Body => (isAscii(bytes) ? bytes.toString('latin1') : bytes)

/** Reads a body as JSON the first time it is asked, for all who ask. Undefined where it is none. */
export function reader(body: Body): () => Json | undefined {
  let value: Json | undefined
  let isRead = false
  return () => {
    if (!isRead) value = parsed(body)
    isRead = true
    return value
  }
}

function parsed(body: Body): Json | undefined {
  try {
    return JSON.parse(typeof body === 'string' ? body : body.toString('utf8')) as Json
  } catch {
    return undefined // A vendor may answer anything.
  }
}

/**
 * The body as the agent may see it; the same when nothing had to change. Null when fields must be taken out
 * and the body is not JSON in which they could be found.
 *
 * @param read gives the body as JSON, which is changed where it stands: to be asked by nobody after this
 */
export function rewritten(body: Body, { drop, leadTo }: Rewriting, read = reader(body)): Body | null {
  if (body.length === 0 || (drop.size === 0 && (leadTo === null || !body.includes('://')))) return body
  const value = read()
  if (value === undefined) return drop.size === 0 ? body : null
  let changed = false
  const put = <Place extends string | number>(
    holder: Record<Place, Json | undefined>,
    place: Place,
    next: Json | undefined,
  ): void => {
    if (holder[place] === next) return
    holder[place] = next
    changed = true
  }
  const walk = (at: Json | undefined, depth: number): Json | undefined => {
    if (typeof at === 'string') return leadTo === null ? at : linkBack(at, leadTo)
    if (typeof at !== 'object' || at === null) return at
    // Deeper than any vendor answers: what cannot be searched is not passed on.
    if (depth === DEPTH_MAX) return null
    if (Array.isArray(at)) {
      const list = at as Json[]
      for (let place = 0; place < list.length; place++) put(list, place, walk(list[place], depth + 1))
      return at
    }
    const fields = at as Record<string, Json | undefined>
    for (const name of Object.keys(fields)) {
      const inner = fields[name]
      // A field that is undefined is left out when they are written.
      put(fields, name, drop.has(name) && !isOwnPath(inner) ? undefined : walk(inner, depth + 1))
    }
    return at
  }
  const clean = walk(value, 0)
  return changed || clean !== value ? Buffer.from(JSON.stringify(clean)) : body
}

/** A path without a host reveals nothing: Stripe's lists name themselves by one, and SDKs turn pages by it. */
const isOwnPath = (value: Json | undefined): boolean => typeof value === 'string' && /^\/v[0-9]/.test(value)

function linkBack(text: string, leadTo: (host: string) => string | null): string {
  if (!text.startsWith(HTTPS)) return text
  const end = text.indexOf('/', HTTPS.length)
  const base = end < 0 ? null : leadTo(text.slice(HTTPS.length, end))
  return base === null ? text : base + text.slice(end)
}
const HTTPS = 'https://'
