import { PERMITTED_ONLY, type Effect } from '../src/contracts/call.js'
import type { PolicyDocument } from './document.js'
import { glob } from './patterns.js'

/** A vendor's operation, as far as endpoints and effects decide on it. */
interface Opened {
  readonly routes: readonly string[]
  readonly effect: Effect
  readonly preview?: true
}

/** Whether a policy lets some call of an operation pass its endpoints and its effect, whatever its amount and subjects. */
export function opens({ vendors = {} }: PolicyDocument, vendor: string, { routes, effect, preview }: Opened): boolean {
  const block = vendors[vendor]
  if (block === undefined) return false
  const needed = [effect, ...(preview ? (['preview'] as const) : [])].filter((each) => CLOSED.has(each))
  if (needed.some((each) => !block.permit?.some((permitted) => permitted === each))) return false
  const { allow = [], deny = [] } = block.endpoints ?? {}
  const starred = routes.map((route) => route.replace(HOLES, '*'))
  // Denied on one route is denied on all; a route of which only some calls are denied is open to the others.
  if (deny.some((pattern) => starred.some((route) => matches(pattern, route)))) return false
  return allow.some((pattern) => routes.some((route) => matches(pattern, filled(route, pattern))))
}

const CLOSED: ReadonlySet<Effect> = new Set(PERMITTED_ONLY)

const HOLES = /\{[^}]*\}/g
/** An id that no vendor gives, for where a pattern names none. */
const ANY_ID = 'id_0'

const pathOf = (endpoint: string): string => endpoint.slice(endpoint.indexOf(' ') + 1)
const matches = (pattern: string, endpoint: string): boolean =>
  pattern.startsWith('* ') ? glob(pathOf(pattern))(pathOf(endpoint)) : glob(pattern)(endpoint)

/**
 * A route with ids in its placeholders: those that a pattern names in their places. What has neither digit nor underscore
 * is no id, or a pattern that ends in Messages.json would open the one call whose id is «Messages».
 */
function filled(route: string, pattern: string): string {
  const named = pathOf(pattern).split('/')
  const [method, path] = route.split(' ') as [string, string]
  const segments = path.split('/').map((segment, place) => {
    const hole = /^\{[^}]*\}(.*)$/.exec(segment)
    if (hole === null) return segment.replace(HOLES, ANY_ID)
    const given = named[place] ?? ''
    const id = given.endsWith(hole[1]!) ? given.slice(0, given.length - hole[1]!.length) : ''
    return (/^[^*]*[0-9_][^*]*$/.test(id) ? id : ANY_ID) + hole[1]!
  })
  return `${method} ${segments.join('/')}`
}
