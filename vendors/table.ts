import type { Operation } from '../src/contracts/vendor.js'

/**
 * Operations that differ in name and routes only, one a line: the id, then one or more `METHOD path`.
 *
 * @throws Error on a line of another shape, at start
 */
export function lines(text: string): Pick<Operation, 'id' | 'routes'>[] {
  const found: Pick<Operation, 'id' | 'routes'>[] = []
  for (const written of text.split('\n')) {
    const line = written.trim()
    if (line === '') continue
    const [id, ...words] = line.split(/\s+/) as [string, ...string[]]
    const routes: string[] = []
    for (let at = 0; at < words.length; at += 2) routes.push(`${words[at]} ${words[at + 1]}`)
    const [first, ...others] = routes
    if (first === undefined || !routes.every((route) => ROUTE.test(route))) throw new Error(`not an operation: ${line}`)
    found.push({ id, routes: [first, ...others] })
  }
  return found
}

const ROUTE = /^[A-Z]+ \S*\/\S*$/

/** The same source and whatever else a group of operations has in common, where they say nothing themselves. */
export const product = (shared: Partial<Operation>, operations: readonly Operation[]): Operation[] =>
  operations.map((operation) => ({ ...shared, ...operation }))
