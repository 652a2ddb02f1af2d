import type { Operation } from '../src/contracts/vendor.js'

/**
 * Operations that differ in name and routes only, one a line: the id, then one or more `METHOD path`.
 *
 * @throws Error on a line of another shape, at start
 */
export function lines(text: string): Pick<Operation, 'id' | 'routes'>[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => {
      const [id, ...words] = line.split(/\s+/)
      const routes = words.flatMap((word, at) => (at % 2 === 0 ? [`${word} ${words[at + 1]}`] : []))
      const [first, ...others] = routes
      if (first === undefined || !routes.every((route) => /^[A-Z]+ \S*\/\S*$/.test(route)))
        throw new Error(`not an operation: ${line}`)
      return { id: id!, routes: [first, ...others] }
    })
}

/** The same source and whatever else a group of operations has in common, where they say nothing themselves. */
export const product = (shared: Partial<Operation>, operations: readonly Operation[]): Operation[] =>
  operations.map((operation) => ({ ...shared, ...operation }))
