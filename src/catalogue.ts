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
  end: End | null
}

/** Where a route ends: its operation, and its placeholders' names in order, because routes name the same place differently. */
interface End {
  readonly operation: Operation
  readonly names: readonly string[]
  /** The operation's routes; empty when it has only this one. */
  readonly routes: readonly Template[]
}

/** `POST /v1/charges/{charge}/refund`, cut before and after each placeholder's name: every second piece is a name. */
type Template = readonly string[]

/** A vendor's closed table of operations as a trie over method, host and path segments. What is not in it is unknown. */
export class Catalogue {
  readonly #methods = new Map<string, Node>()

  constructor(vendor: Vendor) {
    for (const operation of vendor.operations) {
      const routes = operation.routes.length === 1 ? [] : operation.routes.map(template)
      for (const route of operation.routes) this.#add(route, operation, routes)
    }
  }

  /** @param path canonical, `/v1/refunds` or `verify.twilio.com/v2/Services` */
  match(method: string, path: string): Match | null {
    const root = this.#methods.get(method)
    if (root === undefined) return null
    const values: string[] = []
    const end = walk(root, path, 0, values)
    if (end === null) return null
    const params: Record<string, string> = {}
    for (let i = 0; i < values.length; i++) params[end.names[i]!] = values[i]!
    const aliases = end.routes.length === 0 ? NONE : aliasesOf(end.routes, `${method} ${path}`, params)
    return { operation: end.operation, params, aliases }
  }

  #add(route: string, operation: Operation, routes: readonly Template[]): void {
    const [method, path] = route.split(' ') as [string, string]
    const names: string[] = []
    let at = this.#methods.get(method)
    if (at === undefined) this.#methods.set(method, (at = node()))
    for (const segment of path.split('/')) at = step(at, segment, names)
    if (at.end !== null)
      throw new Error(`two operations have the route ${route}: ${at.end.operation.id} and ${operation.id}`)
    at.end = { operation, names, routes }
  }
}

const NONE: readonly string[] = []
const node = (): Node => ({ literals: new Map(), holes: [], end: null })
const template = (route: string): Template => route.split(/[{}]/)

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

/**
 * Literals before placeholders, so that `/v1/invoices/create_preview` is not an invoice.
 *
 * @param from where the next segment begins; beyond the path's end when there is none
 */
function walk(at: Node, path: string, from: number, values: string[]): End | null {
  if (from > path.length) return at.end
  const slash = path.indexOf('/', from)
  const to = slash < 0 ? path.length : slash
  const segment = path.slice(from, to)
  const literal = at.literals.get(segment)
  if (literal !== undefined) {
    const found = walk(literal, path, to + 1, values)
    if (found !== null) return found
  }
  for (const { suffix, node: next } of at.holes) {
    if (segment.length <= suffix.length || !segment.endsWith(suffix)) continue
    values.push(suffix === '' ? segment : segment.slice(0, -suffix.length))
    const found = walk(next, path, to + 1, values)
    if (found !== null) return found
    values.pop()
  }
  return null
}

function aliasesOf(routes: readonly Template[], self: string, params: Readonly<Record<string, string>>): string[] {
  const aliases: string[] = []
  for (const pieces of routes) {
    let route = pieces[0]!
    for (let i = 1; i < pieces.length; i += 2) {
      const name = pieces[i]!
      route += (params[name] ?? `{${name}}`) + pieces[i + 1]!
    }
    if (route !== self) aliases.push(route)
  }
  return aliases
}
