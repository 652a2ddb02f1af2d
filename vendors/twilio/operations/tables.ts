import type { Operation } from '../../../src/contracts/vendor.js'
import { flatly, names, rows, unpriced } from '../rows.js'

/**
 * Tables of a product: `table(shared)(lines)`, see `rows`. Each path in the lines begins with the name of its base
 * (`v1/Services`) and stands under all the places of that base, the first one first.
 *
 * @throws Error on a base without a name, at start
 */
export const tables =
  (bases: Readonly<Record<string, readonly string[]>>) =>
  (shared: Parameters<typeof rows>[0]) =>
  (text: string): Operation[] =>
    rows(
      shared,
      text.replace(
        /\b(GET|POST|PUT|PATCH|DELETE) (\w+)(\/\S+)/g,
        (route, method: string, name: string, path: string) => {
          const places = bases[name]
          if (places === undefined) throw new Error(`no such base: ${route}`)
          return places.map((place) => `${method} ${place}${path}`).join(' ')
        },
      ),
    )

type Cost = Pick<Operation, 'why' | 'accepts' | 'explain'>

/** What costs an amount nobody can tell beforehand; `accepts` separated by spaces. */
export const unknownCost = (why: string, accepts: string): Cost => ({
  why,
  accepts: names(accepts),
  explain: unpriced(why),
})

/** What costs one unit of a flat price, and is refused until the price table has it. */
export const flatCost = (price: string, why: string, accepts: string): Cost => ({
  why,
  accepts: names(accepts),
  explain: flatly(price),
})
