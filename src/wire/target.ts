/** A request target taken apart. Nothing here was normalised: what needed it was refused. */
export interface Target {
  /** Decoded path, `/v1/refunds`. Safe to match, to show in a policy and, through `encodePath`, to send. */
  readonly path: string
  /** Raw query without the question mark, '' when absent. */
  readonly query: string
}
export interface TargetFault {
  readonly fault: string
}

const TARGET_CHARS_MAX = 4096
const PLAIN = /^[A-Za-z0-9_.~:@,=/-]*$/
/** What may stand percent-encoded in a segment: sub-delimiters that clients escape. Unreserved letters may not: `%2e` and `%72efunds` have no honest use. */
const DECODED = new Set([':', '@', ',', '=', '+'])

/**
 * Reads a raw request target (RFC 9112 §3.2) in origin form. Absolute form, fragments, empty segments, dot segments,
 * a trailing slash and encoded letters, dots or slashes are faults: each is read differently by some parser between
 * us and the vendor, and a path that is judged one way and routed another is the oldest proxy bypass there is.
 */
export function parseTarget(raw: string): Target | TargetFault {
  if (raw.length > TARGET_CHARS_MAX)
    return { fault: `The request target is longer than ${TARGET_CHARS_MAX} characters.` }
  if (raw.charCodeAt(0) !== 47)
    return { fault: 'The request target must be in origin form, a path that starts with a slash.' }
  const mark = raw.indexOf('?')
  const rawPath = mark < 0 ? raw : raw.slice(0, mark)
  const query = mark < 0 ? '' : raw.slice(mark + 1)
  if (query.includes('#') || rawPath.includes('#')) return { fault: 'The request target holds a fragment.' }
  let path = rawPath
  if (!PLAIN.test(rawPath)) {
    const decoded = decodePath(rawPath)
    if (decoded === null) return { fault: 'The path holds characters or percent-escapes that no vendor route has.' }
    path = decoded
  }
  if (path.includes('//')) return { fault: 'The path holds an empty segment («//»).' }
  if (path.length > 1 && path.endsWith('/')) return { fault: 'The path ends with a slash.' }
  if (path.includes('/.') && /\/\.{1,2}(\/|$)/.test(path)) return { fault: 'The path holds a dot segment.' }
  return { path, query }
}

function decodePath(raw: string): string | null {
  let out = ''
  for (let i = 0; i < raw.length; i++) {
    const char = raw[i]!
    if (char === '%') {
      const hex = raw.slice(i + 1, i + 3)
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) return null
      const decoded = String.fromCharCode(Number.parseInt(hex, 16))
      if (!DECODED.has(decoded)) return null
      out += decoded
      i += 2
    } else if (char === '+' || PLAIN.test(char)) out += char
    else return null
  }
  return out
}

/** A decoded path as it goes on the wire. `+` is escaped: some servers read it as a space. */
export const encodePath = (path: string): string => (path.includes('+') ? path.replaceAll('+', '%2B') : path)

/** Whether a path built by a vendor's look-up, ids and all, is one that `parseTarget` would accept unchanged. */
export function isCanonicalPath(path: string): boolean {
  const parsed = parseTarget(path)
  return 'path' in parsed && parsed.path === path && parsed.query === ''
}
