import type { Json } from '../../src/contracts/vendor.js'

/**
 * JSON that stands as the text of a form parameter (`Participant`, `SinkConfiguration`), or undefined when it is none
 * or names something twice: which of the two Twilio would take is not ours to guess.
 */
export function jsonIn(text: string): Json | undefined {
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch {
    return undefined // Not JSON: the caller says so.
  }
  const written = [...text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)].filter(([, colon]) => colon !== undefined)
  return written.length === namesIn(value) ? value : undefined
}

function namesIn(value: Json | undefined): number {
  if (typeof value !== 'object' || value === null) return 0
  const inner = Object.values(value).reduce<number>((sum, each) => sum + namesIn(each as Json), 0)
  return Array.isArray(value) ? inner : inner + Object.keys(value).length
}
