/*
 * Janee's rules as Janee reads them (0.16.0, src/core/rules.ts, read on 2026-11-21): `METHOD PATH` with `*` for any run
 * of characters, matched against the path as the agent wrote it, query and all.
 */

export interface Rules {
  readonly allow?: readonly string[] | null | undefined
  readonly deny?: readonly string[] | null | undefined
}

export interface Pattern {
  /** In capitals, or `*`. */
  readonly method: string
  readonly path: string
}

/** Null for what Janee takes for no pattern: it warns about it and never matches it. */
export function patternIn(text: string): Pattern | null {
  const parts = text.trim().split(/\s+/)
  return parts.length === 2 ? { method: parts[0]!.toUpperCase(), path: parts[1]! } : null
}

/** Without a list everything passes; a deny speaks first; with an allow list nothing else passes. */
export function letsThrough(rules: Rules | null, method: string, path: string): boolean {
  const speaks = (texts: readonly string[]): boolean =>
    texts.some((text) => {
      const pattern = patternIn(text)
      return pattern !== null && (pattern.method === '*' || pattern.method === method) && globs(pattern.path, path)
    })
  if (speaks(rules?.deny ?? [])) return false
  const allow = rules?.allow ?? null
  return allow === null || speaks(allow)
}

/** Whether a rule restricts anything at all. */
export const isOpen = (rules: Rules | null): boolean =>
  (rules?.allow ?? null) === null && (rules?.deny ?? null) === null

function globs(pattern: string, text: string): boolean {
  const pieces = pattern.split('*')
  const first = pieces[0]!
  if (pieces.length === 1) return text === first
  if (!text.startsWith(first)) return false
  let at = first.length
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  const last = pieces.at(-1)!
  return text.length - last.length >= at && text.endsWith(last)
}

/**
 * The endpoint pattern of a policy for the same requests, or a sentence on why there is none.
 *
 * @param below what the service's address adds in front of every path: `/v1` of `https://api.stripe.com/v1`
 */
export function endpointFor(text: string, below: string): { readonly endpoint: string } | { readonly fault: string } {
  const pattern = patternIn(text)
  if (pattern === null) return { fault: 'is not "METHOD PATH", so Janee never matched it' }
  const { method, path } = pattern
  if (!/^(?:[A-Z]+|\*)$/.test(method)) return { fault: 'has a method that no request has' }
  if (/[?#]/.test(path)) return { fault: 'speaks of the query, and a policy speaks of methods and paths only' }
  if (/[{}]/.test(path)) return { fault: 'has braces, which Janee takes as they stand: write * for what varies' }
  if (/[^\x21-\x7e]/.test(path)) return { fault: 'has characters that no path has' }
  return { endpoint: `${method} ${below}/${path.replace(/^\//, '').replace(/\*{2,}/g, '*')}` }
}
