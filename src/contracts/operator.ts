/** What somebody may do on the admin port. Each may also do what those before it may. */
export const ROLES = ['viewer', 'approver', 'admin'] as const
export type Role = (typeof ROLES)[number]

/**
 * Somebody who acts on the admin port under a name of their own: by a token, or as a person whom an OpenID provider
 * vouches for. Entries of the ledger know them by `id` alone, so that the name can be erased.
 */
export interface OperatorRecord {
  /** `opr_…` */
  readonly id: string
  readonly kind: 'token' | 'person'
  readonly role: Role
  /** A person's is their e-mail address where the provider has verified it, else the provider's own id of them. Null once it was erased. */
  readonly name: string | null
  /** Keyed digest of the token, or of who the provider says the person is. */
  readonly digest: string
  readonly createdAt: number
  /** Who added it, as entries name them; of a person their own id. */
  readonly createdBy: string
  readonly expiresAt: number | null
  readonly revokedAt: number | null
}

/** Who asks on the admin port, as the door has recognised them. */
export interface Principal {
  /** As entries of the ledger name them: `admin` for whoever holds the admin token, `opr_…` for everybody else. */
  readonly actor: string
  readonly role: Role
  /** As people know them: `admin`, `operator:bob`, `oidc:alice@example.com`. */
  readonly name: string
  /** Whether what opened the door still does; asked again by whatever lasts. */
  stands(): boolean
}
