import { expect } from 'vitest'
import { Problem } from '../../src/admin/problem.js'
import { SignIns } from '../../src/dashboard/oidc.js'
import { oidcIn } from '../../src/dashboard/oidc-settings.js'
import type { Person } from '../../src/ledger/operators.js'
import { Issuer } from './issuer.js'

export const CLIENT_SECRET = 'a client secret of the test'

/** What oidcIn makes of a provider for these tests. */
export function settingsFor(issuer: Issuer): NonNullable<ReturnType<typeof oidcIn>> {
  const faults: string[] = []
  const env = {
    SPENDGATE_OIDC_ISSUER: issuer.origin,
    SPENDGATE_OIDC_CLIENT_ID: 'spendgate',
    SPENDGATE_OIDC_ROLES: 'viewer=finance,admin=platform',
  }
  const settings = oidcIn(env, CLIENT_SECRET, new Set(), faults)!
  expect(faults).toEqual([])
  return settings
}

/** Somebody who was sent to the provider: what the browser keeps, and what the address said. */
export interface Sent {
  readonly attempt: string
  readonly state: string
  readonly nonce: string
  readonly challenge: string
}

/** Signing in without a browser: the way to the provider, and whatever comes back. */
export class WayBack {
  readonly issuer: Issuer
  readonly #signIns: SignIns

  private constructor(issuer: Issuer) {
    this.issuer = issuer
    const clock = { now: () => 0, monotonic: () => performance.now() }
    const redirectUri = (): string => 'http://127.0.0.1:4243/dashboard/oidc/return'
    this.#signIns = new SignIns({ settings: settingsFor(issuer), redirectUri }, clock)
  }

  static async start(): Promise<WayBack> {
    return new WayBack(await Issuer.start())
  }

  /** Goes there; the issuer's next token is for this attempt. */
  async begin(claims: Readonly<Record<string, unknown>> = {}): Promise<Sent> {
    const { location, attempt } = await this.#signIns.begin('/dashboard')
    const query = new URL(location).searchParams
    expect(query.get('code_challenge_method')).toBe('S256')
    const nonce = query.get('nonce')!
    this.issuer.claims = { nonce, ...claims }
    return { attempt, state: query.get('state')!, nonce, challenge: query.get('code_challenge')! }
  }

  /** Comes back with a query; who that is. */
  async enter(attempt: string | undefined, query: string | Record<string, string>): Promise<Person> {
    const search = typeof query === 'string' ? query : `?${new URLSearchParams(query).toString()}`
    return (await this.#signIns.finish(attempt, search)).person
  }

  /** The same, where nobody is to come in. */
  async refuses(
    attempt: string | undefined,
    query: string | Record<string, string>,
    sentence: string,
    status = 401,
  ): Promise<void> {
    const problem = await this.enter(attempt, query).then(
      (person) => ({ signedIn: person }),
      (fault: unknown) => fault,
    )
    expect(problem).toBeInstanceOf(Problem)
    expect([(problem as Problem).status, (problem as Problem).detail]).toEqual([
      status,
      expect.stringContaining(sentence),
    ])
  }
}
