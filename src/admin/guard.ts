import type { IncomingMessage } from 'node:http'
import type { Clock } from '../contracts/clock.js'
import type { Principal } from '../contracts/operator.js'
import { mentionsVaultKey } from '../custody/keys.js'
import type { Operators } from '../ledger/operators.js'
import { Problem } from './problem.js'

export interface GuardDeps {
  readonly clock: Clock
  readonly adminToken: { check(token: string): boolean }
  /** Who may act beside the holder of the admin token. Absent: nobody. */
  readonly operators?: Pick<Operators, 'byToken'>
  /** Host names under which the admin port is reached, beside the loopback names. Without ports. */
  readonly allowedHosts: readonly string[]
}

/** Who acted, in the ledger's entries, where it was whoever held the admin token. */
export const ADMIN = 'admin'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']
const FAILURES_MAX = 5
const FAILURE_WINDOW_MS = 60_000
const ADDRESSES_MAX = 4096
// A token this long cannot be guessed, however often one tries.
const UNGUESSABLE_CHARS = 24

/** Who may speak to the admin port. Every route passes here first; nothing is registered around it. */
export class Guard {
  readonly #deps: GuardDeps
  readonly #hosts: ReadonlySet<string>
  /** Remote address → instants of its last wrong tokens, oldest first. */
  readonly #failures = new Map<string, number[]>()

  constructor(deps: GuardDeps) {
    this.#deps = deps
    this.#hosts = new Set([...LOOPBACK, ...deps.allowedHosts.map(asInHeader)])
  }

  /** Throws unless the request was meant for us: against DNS rebinding and requests made by other sites' pages. */
  checkOrigin(incoming: IncomingMessage): void {
    const host = this.checkHost(incoming)
    const origin = incoming.headers.origin
    if (origin !== undefined && !sameHost(origin, host)) throw foreignSite()
    const site = incoming.headers['sec-fetch-site']
    if (site !== undefined && site !== 'same-origin' && site !== 'none') throw foreignSite()
  }

  /** The host that was asked for, when it is one of ours. By itself it is enough only where another site leads back to us. */
  checkHost(incoming: IncomingMessage): string {
    const host = this.#hostOf(incoming)
    if (host !== null) return host
    throw new Problem(
      'host_not_allowed',
      'The Host header names a host that the admin port does not serve. ' +
        'Use localhost, 127.0.0.1, [::1] or the configured admin host.',
    )
  }

  /** Who asks. Throws unless the request bears the admin token or an operator's. */
  checkToken(incoming: IncomingMessage): Principal {
    const presented = presentedIn(incoming)
    // Not a guess: an agent in the wrong place gets told so every time, and cannot shut the operator out by it.
    if (presented !== null && mentionsVaultKey(presented)) {
      throw new Problem(
        'vault_key_on_admin_port',
        'This is a vault key. It is for the agent port; the admin port takes the admin token, or an operator token.',
        [],
        CHALLENGE,
      )
    }
    const token = presented === null ? null : bearerOf(presented)
    if (token === null) {
      throw new Problem('unauthenticated', 'Send the admin token: Authorization: Bearer sgadmin_….', [], CHALLENGE)
    }
    return this.recognise(incoming, token)
  }

  /** Whose token it is. @throws Problem when it is nobody's, or is theirs no more */
  recognise(incoming: IncomingMessage, token: string): Principal {
    const { adminToken, operators } = this.#deps
    const found = this.checkGuess(incoming, token, (given) =>
      adminToken.check(given) ? holderOf(() => adminToken.check(given)) : (operators?.byToken(given) ?? null),
    )
    if (found !== 'ended') return found
    throw endedToken()
  }

  /** What a token opens. Throws unless it opens something, and for a while after some wrong ones from the same address. */
  checkGuess<T>(incoming: IncomingMessage, token: string, open: (given: string) => T | null): T {
    const address = incoming.socket.remoteAddress ?? 'unknown'
    const nowMs = this.#deps.clock.monotonic()
    const recent = (this.#failures.get(address) ?? []).filter((at) => nowMs - at < FAILURE_WINDOW_MS)
    const exhausted = recent.length >= FAILURES_MAX
    // An agent often shares the operator's address. While it is shut out, a long token is still tried, so that it
    // cannot keep the operator from freezing or revoking; a short one, which might be guessed, has to wait.
    const opened = !exhausted || token.length >= UNGUESSABLE_CHARS ? open(token) : null
    if (opened !== null) return opened
    if (exhausted) {
      const waitS = Math.ceil((recent[0]! + FAILURE_WINDOW_MS - nowMs) / 1000)
      throw new Problem(
        'too_many_failures',
        `${FAILURES_MAX} wrong admin tokens came from this address within a minute. Try again in ${waitS} s.`,
        [],
        { 'retry-after': String(waitS) },
      )
    }
    this.#failures.delete(address)
    if (this.#failures.size >= ADDRESSES_MAX) this.#failures.delete(this.#failures.keys().next().value!)
    this.#failures.set(address, [...recent, nowMs])
    throw new Problem(
      'unauthenticated',
      'The admin token is wrong. Unless the environment gives it, it is in the data directory, file admin-token.',
      [],
      CHALLENGE,
    )
  }

  /** The one Host header when it names a host we serve, else null. */
  #hostOf(incoming: IncomingMessage): string | null {
    const headers = incoming.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host')
    const host = incoming.headers.host?.toLowerCase()
    // The absolute form of a request target names a host of its own.
    if (headers.length !== 1 || host === undefined || !incoming.url?.startsWith('/')) return null
    const name = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::[0-9]{1,5})?$/.exec(host)?.[1]
    return name !== undefined && this.#hosts.has(name) ? host : null
  }
}

/** In a Host header an IPv6 address stands in brackets. */
const asInHeader = (host: string): string =>
  (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host).toLowerCase()

/** @param stands whether what was shown is still the admin token */
export const holderOf = (stands: () => boolean): Principal => ({ actor: ADMIN, role: 'admin', name: ADMIN, stands })

const CHALLENGE = { 'www-authenticate': 'Bearer realm="spendgate admin"' }

export const endedToken = (): Problem =>
  new Problem('unauthenticated', 'This operator token has expired or was revoked.', [], CHALLENGE)

const foreignSite = (): Problem =>
  new Problem(
    'origin_not_allowed',
    'The request was made by a page of another site. The admin API answers its own pages and programs only.',
  )

function sameHost(origin: string, host: string): boolean {
  const found = /^https?:\/\/([^/?#@]+)$/.exec(origin.toLowerCase())
  return found !== null && found[1] === host
}

/** The Authorization header with Basic credentials decoded. Null when there is none, or more than one. */
function presentedIn(incoming: IncomingMessage): string | null {
  const count = incoming.rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'authorization').length
  const header = incoming.headers.authorization
  if (header === undefined || count !== 1) return null
  const basic = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(header)?.[1]
  return basic === undefined ? header : `Basic ${Buffer.from(basic, 'base64').toString('utf8')}`
}

const bearerOf = (presented: string): string | null => /^bearer +([\x21-\x7e]+)$/i.exec(presented)?.[1] ?? null
