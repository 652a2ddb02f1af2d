import { parseTarget } from '../../wire/target.js'
import { letsThrough, patternIn, type Pattern, type Rules } from './rules.js'

/** A request that Janee's rules refuse by its meaning and let through as it was written. */
export interface Bypass {
  /** `POST /v1/refunds/../charges` */
  readonly request: string
  /** What the vendor gets: `POST /v1/charges`. */
  readonly arrives: string
}

/** What stands for a star in an example. */
const ANY = 'x'
const ELSEWHERE = '/anything'
/** Of one capability. They show what its rules are worth, and are no list of everything. */
const BYPASSES_MAX = 20
/** Denying rules that a way is looked for to from each allowed folder. One way is shown. */
const GOALS_MAX = 20

/**
 * Ways around a capability's rules, each tried out on a copy of Janee's matching: it reads the path as the agent wrote it,
 * and then sends what the WHATWG URL parser makes of that (0.16.0, onExecute in src/cli/commands/serve-mcp.ts).
 *
 * @param baseUrl of the service; a path that climbs out of it counts as well
 */
export function bypassesOf(rules: Rules, baseUrl: URL): readonly Bypass[] {
  const allow = patternsIn(rules.allow)
  const deny = patternsIn(rules.deny)
  const found = new Map<string, Bypass>()
  /** Of each kind so many examples are enough: the kind is what is closed here. */
  const tried = (candidates: readonly (readonly [method: string, path: string])[], most: number): void => {
    let shown = 0
    for (const [method, path] of candidates) {
      if (shown === most || found.size === BYPASSES_MAX) return
      const at = arrival(path, baseUrl)
      if (at === null || !letsThrough(rules, method, path)) continue
      if (at.inside && letsThrough(rules, method, at.path)) continue
      // What is read here in the same way is no way around anything.
      if (!refusedHere(path, rules, method)) continue
      found.set(`${method} ${path}`, { request: `${method} ${path}`, arrives: `${method} ${at.whole}` })
      shown++
    }
  }
  tried([out(allow[0], baseUrl)], 1)
  for (const pattern of allow) tried(climbing(pattern, deny), 1)
  for (const pattern of deny) tried(rewritten(pattern), REWRITINGS)
  return [...found.values()]
}

const patternsIn = (texts: Rules['allow']): Pattern[] => (texts ?? []).flatMap((text) => patternIn(text) ?? [])

/** Out of the path of the service's address, which no rule speaks of. */
function out(first: Pattern | undefined, { pathname }: URL): readonly [string, string] {
  const method = first === undefined || first.method === '*' ? 'GET' : first.method
  const star = first?.path.indexOf('*') ?? -1
  const allowed = star < 1 ? '/' : first!.path.slice(0, star)
  const up = [...allowed.split('/').slice(1, -1), ...pathname.split('/').filter((part) => part !== '')]
  return [method, `${allowed}${up.map(() => '../').join('')}${ELSEWHERE.slice(1)}`]
}

/** Out of what is allowed by `..`, to what is denied or to anything that is not allowed. */
function climbing({ method, path }: Pattern, deny: readonly Pattern[]): [string, string][] {
  const star = path.indexOf('*')
  const folder = star < 0 ? '' : path.slice(0, path.lastIndexOf('/', star) + 1)
  if (folder.length < 2) return []
  const name = method === '*' ? 'POST' : method
  const denied = deny.filter((each) => each.method === '*' || method === '*' || each.method === method)
  const goals = [...new Set([...denied.slice(0, GOALS_MAX).flatMap((each) => examples(each.path)), ELSEWHERE])]
  return goals.map((goal) => {
    const [before, after] = [path.slice(0, star), path.slice(star + 1).replaceAll('*', '')]
    return [name, `${before}${wayFrom(folder, goal)}${after}`]
  })
}

/** From a folder to a path, as a link would write it: `../charges` from `/v1/refunds/` to `/v1/charges`. */
function wayFrom(folder: string, goal: string): string {
  const from = folder.split('/').slice(1, -1)
  const to = goal.split('/').slice(1)
  let shared = 0
  while (shared < from.length && shared < to.length - 1 && from[shared] === to[shared]) shared++
  return [...from.slice(shared).map(() => '..'), ...to.slice(shared)].join('/')
}

/** Ways to write a path otherwise that are tried below. */
const REWRITINGS = 3

/** What is denied, written so that the text is another and the request is the same. */
function rewritten({ method, path }: Pattern): [string, string][] {
  const name = method === '*' ? 'POST' : method
  return examples(path).flatMap((goal): [string, string][] => [
    [name, `${goal}?${ANY}=1`],
    [name, goal.slice(1)],
    [name, `/${ANY}/..${goal}`],
  ])
}

/** Paths that a pattern is about: `/v1/charges/*` is about `/v1/charges`, too. */
function examples(path: string): string[] {
  const rooted = path.startsWith('/') ? path : `/${path}`
  const end = rooted.search(/\/?\*+$/)
  if (end < 1) return [rooted.replaceAll('*', ANY)]
  const stem = rooted.slice(0, end).replaceAll('*', ANY)
  return rooted[end] === '/' ? [stem, `${stem}/${ANY}`] : [stem]
}

interface Arrival {
  /** As a rule would write it, without its query. */
  readonly path: string
  /** As the vendor sees it. */
  readonly whole: string
  /** False when it is not below the service's own address any more. */
  readonly inside: boolean
}

/** What reaches the vendor. Null where the URL is none or leads to another host, which Janee refuses. */
function arrival(path: string, baseUrl: URL): Arrival | null {
  const base = baseUrl.href.endsWith('/') ? baseUrl.href : `${baseUrl.href}/`
  const relative = path.startsWith('/') ? path.slice(1) : path
  if (!URL.canParse(relative, base)) return null
  const { origin, pathname } = new URL(relative, base)
  if (origin !== baseUrl.origin) return null
  const root = new URL(base).pathname
  const inside = pathname.startsWith(root)
  return { path: inside ? pathname.slice(root.length - 1) : pathname, whole: pathname, inside }
}

/** Whether spendgate, with the same patterns, refuses the request: for its path, or because it sees the path without the query. */
function refusedHere(path: string, rules: Rules, method: string): boolean {
  const target = parseTarget(path)
  return 'fault' in target || !letsThrough(rules, method, target.path)
}
