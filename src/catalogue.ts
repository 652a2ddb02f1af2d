import type { Operation, Vendor } from './contracts/vendor.js'

export interface Match {
  readonly operation: Operation
  /** Decoded values of the placeholders. */
  readonly params: Readonly<Record<string, string>>
  /** Every other route of the operation as `METHOD path`; a placeholder keeps its name where the request does not fill it. */
  readonly aliases: readonly string[]
}

interface Node {
  readonly literals: Map<string, Node>
  /** A placeholder with what follows it in its segment (`{Sid}.json`), longest suffix first. */
  readonly holes: { readonly suffix: string; readonly node: Node }[]
  /** The operation whose route ends here, and its placeholders' names in order: routes name the same place differently. */
  end: { readonly operation: Operation; readonly names: readonly string[] } | null
}

/** A vendor's closed table of operations as a trie over method, host and path segments. What is not in it is unknown. */
export class Catalogue {
  readonly #root = node()

  constructor(vendor: Vendor) {
    for (const operation of vendor.operations) for (const route of operation.routes) this.#add(route, operation)
  }

  /** @param path canonical, `/v1/refunds` or `verify.twilio.com/v2/Services` */
  match(method: string, path: string): Match | null {
    const values: string[] = []
    const end = walk(this.#root, [method, ...path.split('/')], 0, values)
    if (end === null) return null
    const params: Record<string, string> = {}
    end.names.forEach((name, i) => (params[name] = values[i]!))
    const { operation } = end
    return {
      operation,
      params,
      aliases: operation.routes.length === 1 ? NONE : aliasesOf(operation, `${method} ${path}`, params),
    }
  }

  #add(route: string, operation: Operation): void {
    const [method, path] = route.split(' ') as [string, string]
    const names: string[] = []
    let at = this.#root
    for (const segment of [method, ...path.split('/')]) at = step(at, segment, names)
    if (at.end !== null)
      throw new Error(`two operations have the route ${route}: ${at.end.operation.id} and ${operation.id}`)
    at.end = { operation, names }
  }
}

const NONE: readonly string[] = []
const node = (): Node => ({ literals: new Map(), holes: [], end: null })

function step(at: Node, segment: string, names: string[]): Node {
  const hole = /^\{([A-Za-z0-9_]+)\}(.*)$/.exec(segment)
  if (hole === null) {
    let next = at.literals.get(segment)
    if (next === undefined) at.literals.set(segment, (next = node()))
    return next
  }
  names.push(hole[1]!)
  const suffix = hole[2]!
  const known = at.holes.find((each) => each.suffix === suffix)
  if (known) return known.node
  const next = node()
  at.holes.push({ suffix, node: next })
  at.holes.sort((a, b) => b.suffix.length - a.suffix.length)
  return next
}

/** Literals before placeholders, so that `/v1/invoices/create_preview` is not an invoice. */
function walk(at: Node, segments: readonly string[], depth: number, values: string[]): Node['end'] {
  if (depth === segments.length) return at.end
  const segment = segments[depth]!
  const literal = at.literals.get(segment)
  if (literal) {
    const found = walk(literal, segments, depth + 1, values)
    if (found) return found
  }
  for (const hole of at.holes) {
    if (!segment.endsWith(hole.suffix) || segment.length === hole.suffix.length) continue
    values.push(segment.slice(0, segment.length - hole.suffix.length))
    const found = walk(hole.node, segments, depth + 1, values)
    if (found) return found
    values.pop()
  }
  return null
}

function aliasesOf(operation: Operation, self: string, params: Readonly<Record<string, string>>): string[] {
  return operation.routes
    .map((route) => route.replace(/\{([A-Za-z0-9_]+)\}/g, (hole, name: string) => params[name] ?? hole))
    .filter((route) => route !== self)
}
