import type { Json } from '../contracts/vendor.js'

/** What is changed in a vendor's reply before the agent sees it. */
export interface Rewriting {
  /** Field names, at any depth, that are taken out. */
  readonly drop: ReadonlySet<string>
  /** The address that leads to a host of the vendor through us, null for any other host; absent: links stay as they are. */
  readonly leadTo: ((host: string) => string | null) | null
}

const DEPTH_MAX = 64

/**
 * The body as the agent may see it; the same buffer when nothing had to change. Null when fields must be taken out
 * and the body is not JSON in which they could be found.
 */
export function rewritten(body: Buffer, { drop, leadTo }: Rewriting): Buffer | null {
  if (body.length === 0 || (drop.size === 0 && (leadTo === null || !body.includes('://')))) return body
  let value: Json
  try {
    value = JSON.parse(body.toString('utf8')) as Json
  } catch {
    return drop.size === 0 ? body : null
  }
  let changed = false
  const walk = (at: Json, depth: number): Json => {
    if (typeof at === 'string') {
      const link = leadTo === null ? at : linkBack(at, leadTo)
      if (link !== at) changed = true
      return link
    }
    if (typeof at !== 'object' || at === null) return at
    // Deeper than any vendor answers: what cannot be searched is not passed on.
    if (depth === DEPTH_MAX) {
      changed = true
      return null
    }
    if (Array.isArray(at)) return (at as readonly Json[]).map((each) => walk(each, depth + 1))
    const kept: [string, Json][] = []
    for (const [name, inner] of Object.entries(at)) {
      if (drop.has(name) && !isOwnPath(inner)) changed = true
      else kept.push([name, walk(inner!, depth + 1)])
    }
    return Object.fromEntries(kept)
  }
  const clean = walk(value, 0)
  return changed ? Buffer.from(JSON.stringify(clean)) : body
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
