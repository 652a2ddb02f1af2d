import { LedgerConflict, type KeyRecord, type NewKey } from '../contracts/ledger.js'
import { earliest, issue, shownOnce } from './issue.js'
import type { IssuedKey } from './issue.js'
import { Problem, conflict, notFound } from './problem.js'
import { route } from './route.js'
import type { Route } from './route.js'
import { issuedToken, newToken } from './schemas.js'
import { policyFor, scopeShown, scopeUnder, type ScopeDeps, type TokenWish } from './token-scope.js'
import { lineage, statusOf } from './views.js'

/*
 * Session tokens: child keys whose scope is frozen when they are issued. The scope is a narrowing like any other, so
 * one pipeline judges them.
 */

const LIFE_MS_DEFAULT = 3_600_000

export function tokenRoutes(deps: ScopeDeps): Route[] {
  return [
    route({
      method: 'post',
      path: '/admin/v1/keys/{id}/tokens',
      summary: 'Issue a session token: a child key with a frozen scope',
      body: newToken,
      reads: 'optional',
      status: 201,
      reply: issuedToken,
      run: async ({ param, body, actor }) => {
        const parent = deps.ledger.key(param('id'))
        if (parent === null) throw notFound('key')
        const status = statusOf(deps.ledger, parent, deps.clock.now())
        if (status !== 'active') throw conflict(`The key ${parent.id} is ${status}, so nothing is issued under it.`)
        return tokenShown(deps, await issueToken(deps, parent, body, actor), body)
      },
    }),
  ]
}

/** The reply that holds a token: what every new key has, and the scope in force. */
export const tokenShown = (deps: ScopeDeps, issued: IssuedKey, wish: TokenWish): object => ({
  ...shownOnce(deps.ledger, issued),
  scope: scopeShown(deps, issued.record, wish),
})

/**
 * A token that an agent issues by its own key, as far as the policies of the key and of those above it allow. The bound
 * on living tokens is held in the ledger's transaction, so that no race passes it.
 *
 * @throws Problem when it may not, or when the scope names what the key does not have
 */
export async function issueOwnToken(deps: ScopeDeps, parent: KeyRecord, wish: TokenWish): Promise<IssuedKey> {
  const livingMax = lineage(deps.ledger, parent).map((key) => {
    const { name, issue: granted } = policyFor(deps, key)
    if (granted === null)
      throw new Problem(
        'issue_not_allowed',
        `Keys of the policy ${name} issue none: it says nothing of "issue". The operator can issue one.`,
      )
    if (granted.depthMax < 1)
      throw new Problem(
        'too_deep',
        `The key ${parent.id} issues none: what the policy ${name} says in issue.max_depth is reached. Ask with the key above it.`,
      )
    return { keyId: key.id, most: granted.childrenMax }
  })
  try {
    return await issueToken(deps, parent, wish, `key:${parent.id}`, livingMax)
  } catch (fault) {
    if (fault instanceof LedgerConflict) throw new Problem('too_many_children', fault.message)
    throw fault
  }
}

/** A child key with a scope. It ends with its parent at the latest; its spending counts in every key above it. */
async function issueToken(
  deps: ScopeDeps,
  parent: KeyRecord,
  wish: TokenWish,
  actor: string,
  livingMax: NonNullable<NewKey['livingMax']> = [],
): Promise<IssuedKey> {
  const { credentials, narrowings } = scopeUnder(deps, parent, wish)
  const grant = {
    name: wish.name ?? parent.name,
    parentId: parent.id,
    policyId: parent.policyId,
    narrowings: [...parent.narrowings, ...narrowings],
    credentials,
    run: parent.run,
    runCap: null,
    expiresAt: earliest(parent.expiresAt, deps.clock.now() + (wish.expiresIn ?? LIFE_MS_DEFAULT)),
    livingMax,
  }
  return issue(deps, grant, actor)
}
