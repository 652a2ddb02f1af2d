import { createHash, randomBytes } from 'node:crypto'
import type * as Library from 'openid-client'
import { Problem } from '../admin/problem.js'
import { covers } from '../admin/roles.js'
import type { Clock } from '../contracts/clock.js'
import type { Role } from '../contracts/operator.js'
import type { Person } from '../ledger/operators.js'
import { isSafe, type OidcSettings } from './oidc-settings.js'

const ATTEMPT_MS = 10 * 60_000
const ATTEMPTS_MAX = 256
/** What the provider says of itself is asked again after this. */
const DISCOVERED_MS = 3_600_000
const ANSWER_S = 10

/** Somebody who was sent to the provider and has not come back. */
interface Attempt {
  readonly state: string
  readonly nonce: string
  readonly verifier: string
  /** The page that was wanted. */
  readonly to: string
  readonly until: number
}

interface Provider {
  readonly library: typeof Library
  readonly config: Library.Configuration
  readonly since: number
}

type Claims = Readonly<Record<string, unknown>>

/**
 * Sign-in at an OpenID provider by authorization code: with PKCE, state and nonce, each of one attempt, and an attempt is
 * of one browser and answers once. The protocol is openid-client's, loaded when the first attempt begins; attempts are in
 * memory, so that a restart ends them.
 */
export class SignIns {
  readonly #settings: OidcSettings
  readonly #redirectUri: () => string
  readonly #clock: Clock
  readonly #onFault: (fault: unknown) => void
  readonly #attempts = new Map<string, Attempt>()
  #provider: Promise<Provider> | null = null

  constructor(
    { settings, redirectUri }: { readonly settings: OidcSettings; redirectUri(): string },
    clock: Clock,
    onFault: (fault: unknown) => void = () => undefined,
  ) {
    this.#settings = settings
    this.#redirectUri = redirectUri
    this.#clock = clock
    this.#onFault = onFault
  }

  /** Where people sign in, as they know it. */
  get name(): string {
    return this.#settings.issuer.host
  }

  /** Where to send a browser, and what its cookie is to hold until it comes back. @throws Problem when the provider is out of reach */
  async begin(to: string): Promise<{ readonly location: string; readonly attempt: string }> {
    const { library, config } = await this.#reached()
    const state = library.randomState()
    const nonce = library.randomNonce()
    const verifier = library.randomPKCECodeVerifier()
    const location = library.buildAuthorizationUrl(config, {
      redirect_uri: this.#redirectUri(),
      response_type: 'code',
      scope: this.#settings.scope,
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    const attempt = randomBytes(32).toString('base64url')
    if (this.#attempts.size >= ATTEMPTS_MAX) this.#attempts.delete(this.#attempts.keys().next().value!)
    this.#attempts.set(digestOf(attempt), { state, nonce, verifier, to, until: this.#clock.monotonic() + ATTEMPT_MS })
    return { location: location.href, attempt }
  }

  /**
   * Whom the provider vouches for, and which page was wanted.
   *
   * @param attempt what the browser's cookie holds
   * @param search the query it came back with
   * @throws Problem when anything about it does not hold, or the person has no role here
   */
  async finish(attempt: string | undefined, search: string): Promise<{ readonly person: Person; readonly to: string }> {
    const begun = attempt === undefined ? undefined : this.#taken(attempt)
    if (begun === undefined)
      throw new Problem(
        'unauthenticated',
        'This sign-in was not begun in this browser, was used, or took longer than ten minutes. Begin again.',
      )
    const { library, config } = await this.#reached()
    // Of what came only the query is read: the rest of the address is what we registered, whatever the Host header says.
    const answer = new URL(this.#redirectUri())
    answer.search = search
    let claims: Claims
    try {
      const tokens = await library.authorizationCodeGrant(config, answer, {
        pkceCodeVerifier: begun.verifier,
        expectedState: begun.state,
        expectedNonce: begun.nonce,
        idTokenExpected: true,
      })
      claims = tokens.claims()!
      // Where a provider tells the rest (OpenID Connect Core 1.0, section 5.4). What is signed goes before it.
      const told = claims.email !== undefined && claimIn(claims, this.#settings.roleClaim) !== undefined
      if (!told && config.serverMetadata().userinfo_endpoint !== undefined)
        claims = together(claims, await library.fetchUserInfo(config, tokens.access_token, String(claims.sub)))
    } catch (fault) {
      throw this.#refused(fault)
    }
    return { person: this.#personOf(claims), to: begun.to }
  }

  #personOf(claims: Claims): Person {
    const { roleClaim, roles } = this.#settings
    const [issuer, subject] = [String(claims.iss), String(claims.sub)]
    const name = nameIn(claims) ?? subject.slice(0, NAME_CHARS_MAX).replace(/[\p{Cc}\p{Cf}]/gu, '·')
    const said = claimIn(claims, roleClaim)
    const values = (Array.isArray(said) ? said : [said]).filter((each) => typeof each === 'string')
    const role = values
      .map((value) => roles.get(value))
      .reduce<Role | undefined>((best, each) => (best && (!each || covers(best, each)) ? best : each), undefined)
    if (role === undefined)
      throw new Problem(
        'role_needed',
        `${name} has no role here: nothing in the claim ${roleClaim} gives one. Nobody was signed in.`,
      )
    return { issuer, subject, name, role }
  }

  #taken(attempt: string): Attempt | undefined {
    const digest = digestOf(attempt)
    const begun = this.#attempts.get(digest)
    this.#attempts.delete(digest)
    return begun !== undefined && this.#clock.monotonic() < begun.until ? begun : undefined
  }

  async #reached(): Promise<Provider> {
    const known = await this.#provider?.catch(() => null)
    if (known != null && this.#clock.monotonic() - known.since < DISCOVERED_MS) return known
    const asked = (this.#provider = this.#discovered())
    try {
      return await asked
    } catch (fault) {
      if (this.#provider === asked) this.#provider = null
      this.#onFault(fault)
      throw new Problem(
        'provider_unavailable',
        `${this.name} could not be asked for a sign-in. Sign in with a token meanwhile, and see the server log.`,
      )
    }
  }

  async #discovered(): Promise<Provider> {
    const { issuer, clientId, clientSecret } = this.#settings
    const library = await import('openid-client')
    const config = await library.discovery(
      issuer,
      clientId,
      undefined,
      clientSecret === null ? library.None() : library.ClientSecretBasic(clientSecret.reveal()),
      {
        timeout: ANSWER_S,
        // The library takes TLS for proof of an ID token; we have its signature checked as well.
        execute: [
          library.enableNonRepudiationChecks,
          ...(issuer.protocol === 'http:' ? [library.allowInsecureRequests] : []),
        ],
      },
    )
    const { authorization_endpoint, token_endpoint, jwks_uri, userinfo_endpoint } = config.serverMetadata()
    for (const each of [authorization_endpoint, token_endpoint, jwks_uri])
      if (each === undefined || !isSafe(new URL(each)))
        throw new Error(`${issuer.href} names an endpoint that is missing or not safe`)
    if (userinfo_endpoint !== undefined && !isSafe(new URL(userinfo_endpoint)))
      throw new Error(`${issuer.href} names an endpoint that is not safe`)
    return { library, config, since: this.#clock.monotonic() }
  }

  #refused(fault: unknown): Problem {
    const { error, code } = fault as { readonly error?: unknown; readonly code?: unknown }
    if (typeof error === 'string' && /^[a-z_]{1,40}$/.test(error))
      return new Problem('unauthenticated', `${this.name} refused the sign-in (${error}). Nobody was signed in.`)
    this.#onFault(fault)
    const why = typeof code === 'string' && /^[A-Z_]{1,60}$/.test(code) ? ` (${code})` : ''
    return new Problem(
      'unauthenticated',
      `What ${this.name} answered does not hold${why}. Nobody was signed in; begin again.`,
    )
  }
}

const NAME_CHARS_MAX = 128
const ADDRESS = /^[^\s@\p{Cc}\p{Cf}]{1,64}@[^\s@\p{Cc}\p{Cf}]{1,189}$/u

/** Whether an address is verified is said by whoever says the address: the other may mean another one. */
function together(signed: Claims, told: Claims): Claims {
  const { email, email_verified } = signed.email === undefined ? told : signed
  return { ...told, ...signed, email, email_verified }
}

/** An address that nobody has verified could be anybody's. */
function nameIn({ email, email_verified: verified }: Claims): string | null {
  return typeof email === 'string' && (verified === true || verified === 'true') && ADDRESS.test(email) ? email : null
}

/** A claim by its name, or by a path such as `realm_access.roles`. */
function claimIn(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name]
  return name
    .split('.')
    .reduce<unknown>(
      (at, part) =>
        typeof at === 'object' && at !== null && Object.hasOwn(at, part) ? (at as Claims)[part] : undefined,
      claims,
    )
}

const digestOf = (token: string): string => createHash('sha256').update(token).digest('base64url')
