import type { Vendor } from '../../contracts/vendor.js'

/** An operation named by id: the route it is called by, and the values of placeholders by the names the id gives them. */
export interface Named {
  readonly method: string
  /** `/v1/payment_intents/{intent}/confirm` */
  readonly path: string
  /** Other names of the route's placeholders, in their order: `PostPaymentLinksPaymentLink` calls the one of `{id}` `payment_link`. */
  readonly aliases: readonly string[]
}

interface Route {
  readonly method: string
  readonly path: string
  /** `PaymentIntents`, or null for a placeholder. */
  readonly parts: readonly (string | null)[]
}

/**
 * Finds operations by what agents call them: our own ids (`refunds.create`), and the ids of OpenAPI as Stripe derives
 * them from method and path (`PostRefunds`, `GetChargesCharge`; the rule reproduces 220 of the 224 ids of the 2022
 * specification). Placeholder names differ between sources, so any may stand in their place; where an id fits several
 * routes, the one with the most literal characters is meant.
 */
export class OperationIds {
  readonly #own = new Map<string, Route>()
  readonly #routes: readonly Route[]

  constructor({ operations }: Vendor) {
    const routes: Route[] = []
    for (const operation of operations) {
      const own = operation.routes.map(routeOf)
      this.#own.set(operation.id, own[0]!)
      routes.push(...own)
    }
    this.#routes = routes
  }

  find(id: string): Named | null {
    const own = this.#own.get(id)
    if (own !== undefined) return { method: own.method, path: own.path, aliases: [] }
    const verb = /^(Get|Post|Put|Patch|Delete)(?=[A-Z0-9])/.exec(id)?.[1]
    if (verb === undefined) return null
    let best: { route: Route; aliases: readonly string[]; literal: number } | null = null
    for (const route of this.#routes) {
      if (route.method !== verb.toUpperCase()) continue
      const words = spell(route.parts, id.slice(verb.length))
      if (words === null) continue
      const literal = route.parts.reduce((sum, part) => sum + (part?.length ?? 0), 0)
      if (best === null || literal > best.literal) best = { route, aliases: words.map(snake), literal }
    }
    return best && { method: best.route.method, path: best.route.path, aliases: best.aliases }
  }
}

function routeOf(route: string): Route {
  const [method, path] = route.split(' ') as [string, string]
  const segments = path.split('/').slice(1)
  const parts = (segments[0] === 'v1' ? segments.slice(1) : segments).map((segment) =>
    segment.startsWith('{') ? null : pascal(segment),
  )
  return { method, path, parts }
}

/** The words that stand for the placeholders when `parts` spell the text; null when they do not. */
function spell(parts: readonly (string | null)[], text: string): string[] | null {
  const [part, ...rest] = parts
  if (part === undefined) return text === '' ? [] : null
  if (part !== null) return text.startsWith(part) ? spell(rest, text.slice(part.length)) : null
  for (let end = 1; end <= text.length; end++) {
    if (end < text.length && !/[A-Z]/.test(text[end]!)) continue
    const words = spell(rest, text.slice(end))
    if (words !== null) return [text.slice(0, end), ...words]
  }
  return null
}

const pascal = (segment: string): string =>
  segment
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
const snake = (word: string): string => word.replace(/(?<!^)[A-Z]/g, '_$&').toLowerCase()
