import type { Places } from '../contracts/binding.js'
import type { Authorization } from '../contracts/vendor.js'
import type { Fault } from '../exchange.js'
import { Form, parseForm } from '../wire/form.js'
import { readAuthorization } from './head.js'

/** What a client of a vendor by configuration shows as its key. */
interface Shown {
  readonly authorization: Authorization | null
  /** The query without the key. */
  readonly query: string
  readonly fault: Fault | null
}

const VAULT = /^vault_(?:live|test)_/

/**
 * Takes the key out of wherever the vendor's own clients put theirs: the Authorization header under any scheme, and the
 * header or query parameter that its credentials name. A key in a query is taken out of it before anything else looks.
 */
export function shownKey(headers: ReadonlyMap<string, string>, query: string, places: Places): Shown {
  const inQuery = places.query.length === 0 ? { shown: [], query } : takenOut(query, places.query)
  const shown = [
    ...inAuthorization(headers.get('authorization')),
    ...places.headers.flatMap((name) => lastWord(headers.get(name)) ?? []),
    ...inQuery.shown,
  ]
  const keys = [...new Set(shown.filter((text) => VAULT.test(text)))]
  const token = keys[0] ?? shown[0]
  return {
    authorization: token === undefined ? null : { scheme: 'bearer', token },
    query: inQuery.query,
    fault:
      keys.length < 2
        ? null
        : { code: 'request_ambiguous', message: 'Two vault keys stand in this request. Do not retry.' },
  }
}

/** Of user name and password either may be the key: whichever is one. */
function inAuthorization(header: string | undefined): readonly string[] {
  const read = readAuthorization(header)
  if (read === null) return lastWord(header) === null ? [] : [lastWord(header)!]
  if (read.scheme === 'bearer') return [read.token]
  return [read.password, read.user]
    .filter((text) => text !== '')
    .sort((a, b) => Number(VAULT.test(b)) - Number(VAULT.test(a)))
}

/** `token abc` and `abc` alike: schemes of vendors' own. */
const lastWord = (header: string | undefined): string | null => /([\x21-\x7e]+)$/.exec(header ?? '')?.[1] ?? null

function takenOut(
  query: string,
  names: readonly string[],
): { readonly shown: readonly string[]; readonly query: string } {
  const form = parseForm(query)
  // What cannot be read is refused later, and nothing of it goes anywhere.
  if (!(form instanceof Form)) return { shown: [], query }
  const shown = names.flatMap((name) => form.get(name) ?? [])
  if (shown.length === 0) return { shown, query }
  return { shown, query: new Form(form.entries().filter(([name]) => !names.includes(name))).serialise() }
}
