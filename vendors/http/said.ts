import type { Said } from '../../src/contracts/call.js'
import type { Json, JsonObject, Params, Question } from '../../src/contracts/vendor.js'

type Values = readonly (string | null)[] | null

/** What a call says in its JSON, its form or its query. Nothing is read before a condition asks. */
export function saidIn({ params, json }: Pick<Question, 'params' | 'json'>): Said {
  let tree: Json | null = null
  return { at: (place) => valuesAt((tree ??= json ?? treeOf(params)), place) }
}

/** Every value at a place; see Said. A list at its end stands for each of its elements. */
export function valuesAt(value: Json | undefined, place: readonly string[], step = 0): Values {
  if (value === undefined) return [null]
  if (step === place.length) return atEnd(value)
  const name = place[step]!
  if (Array.isArray(value)) {
    const list = value as readonly Json[]
    if (name !== '*') return /^[0-9]+$/.test(name) ? valuesAt(list[Number(name)], place, step + 1) : null
    return together(list.map((each) => valuesAt(each, place, step + 1)))
  }
  if (typeof value !== 'object' || value === null) return null
  const map = value as JsonObject
  // Some servers read `Model` where they look for `model`, and take the last of them.
  const rival = Object.keys(map).some((other) => other !== name && folded(other) === folded(name))
  return rival ? null : valuesAt(Object.hasOwn(map, name) ? map[name] : undefined, place, step + 1)
}

function atEnd(value: Json): Values {
  if (Array.isArray(value)) {
    const list = value as readonly Json[]
    return list.length === 0 ? [null] : together(list.map((each) => (Array.isArray(each) ? null : atEnd(each))))
  }
  return typeof value === 'object' && value !== null ? null : [String(value)]
}

function together(parts: readonly Values[]): Values {
  const all: (string | null)[] = []
  for (const part of parts) {
    if (part === null) return null
    all.push(...part)
  }
  return all
}

/** As the most forgiving reader would compare names: whatever their case (`ſ` is an s), and dots as PHP reads them. */
const folded = (name: string): string => name.toUpperCase().toLowerCase().replace(/[. ]/g, '_')

/** A form with brackets as the map it means. The strict parser has seen to it that there is one meaning. */
function treeOf(params: Params): Json {
  const root = new Map<string, unknown>()
  for (const [name, value] of params.entries()) {
    const steps = name.split(/\]?\[|\]$/).filter((_, at, all) => at < all.length - 1 || !name.endsWith(']'))
    let at = root
    for (const [place, step] of steps.entries()) {
      const key = step === '' ? String(at.size) : step
      if (place === steps.length - 1) at.set(key, value)
      else {
        const inner = at.get(key) ?? new Map<string, unknown>()
        at.set(key, inner)
        at = inner as Map<string, unknown>
      }
    }
  }
  return plain(root) as Json
}

/** Maps whose names are all numbers are lists. */
function plain(at: unknown): unknown {
  if (!(at instanceof Map)) return at
  const entries = [...(at as Map<string, unknown>)].map(([name, inner]) => [name, plain(inner)] as const)
  return entries.length > 0 && entries.every(([name]) => /^[0-9]+$/.test(name))
    ? entries.toSorted(([a], [b]) => Number(a) - Number(b)).map(([, inner]) => inner)
    : Object.fromEntries(entries)
}
