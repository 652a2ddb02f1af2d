import type { Api } from './client.js'
import { CliFault, Exit, notFound, usage } from './exit.js'
import { safe } from './output.js'
import type { CredentialReply, KeyReply } from './replies.js'

/** Rows one look-up by name reads at most; beyond that an id is needed. */
const SEARCHED_MAX = 5_000

/** A credential by id, by name, by `vendor/name`, or by vendor where it has only one. */
export async function findCredential(api: Api, text: string): Promise<CredentialReply> {
  const all = await api.all<CredentialReply>('/credentials', 'credentials')
  const ways: readonly ((credential: CredentialReply) => boolean)[] = [
    ({ id }) => id === text,
    ({ name }) => name === text,
    ({ vendor, name }) => `${vendor}/${name}` === text,
    ({ vendor }) => vendor === text,
  ]
  for (const way of ways) {
    const found = all.filter(way)
    if (found.length > 1) throw ambiguous('credentials', text, found)
    if (found[0] !== undefined) return found[0]
  }
  throw notFound(`There is no credential ${text}. "spendgate credential list" shows them.`)
}

/** The id of a key given by id or by a name that only one living key has. */
export async function keyId(api: Api, text: string): Promise<string> {
  if (text.startsWith('key_')) return text
  const { rows: all, next } = await api.pages<KeyReply>('/keys', 'keys', SEARCHED_MAX)
  const named = all.filter(({ name }) => name === text)
  const living = named.filter(({ revoked_at }) => (revoked_at ?? null) === null)
  const meant = living.length > 0 ? living : named
  // Children are called like the key they hang under, which is the one that is meant.
  const roots = meant.filter(({ parent_id }) => (parent_id ?? null) === null)
  // Agents issue children by themselves: behind so many of them may be the key that was asked for.
  if (roots.length === 0 && next !== null)
    throw usage(`There are more than ${SEARCHED_MAX} keys, and ${text} may be an older one. Name it by its id.`)
  const found = roots.length > 0 ? roots : meant
  if (found.length > 1) throw ambiguous('keys', text, found)
  if (found[0] === undefined) throw notFound(`There is no key ${text}. "spendgate key list" shows them.`)
  return found[0].id
}

/** The key that pays when none is named: the only living root key. Which of several is meant is not ours to guess. */
export async function onlyKey(api: Api): Promise<string> {
  const { rows } = await api.pages<KeyReply>('/keys', 'keys', SEARCHED_MAX)
  const living = rows.filter(({ status, parent_id: parent }) => status === 'active' && (parent ?? null) === null)
  const [only] = living
  if (only === undefined) throw notFound('There is no living key to start a run under. Make one: spendgate key create')
  if (living.length > 1) {
    const names = living.slice(0, 5).map(({ name }) => safe(name))
    throw usage(`Several keys could pay for this run (${names.join(', ')}): choose one with --key.`)
  }
  return only.id
}

/** Names of keys by id, for tables. */
export async function keyNames(api: Api): Promise<ReadonlyMap<string, string>> {
  const { rows: all } = await api.pages<KeyReply>('/keys', 'keys', SEARCHED_MAX)
  return new Map(all.map(({ id, name }) => [id, name]))
}

function ambiguous(what: string, text: string, found: readonly { readonly id: string }[]): CliFault {
  const ids = found.slice(0, 5).map(({ id }) => id)
  return new CliFault(Exit.failure, `${found.length} ${what} go by ${text}: ${ids.join(', ')}. Name one by its id.`, {
    code: 'ambiguous',
  })
}
