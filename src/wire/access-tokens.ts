import type { Clock } from '../contracts/clock.js'
import type { Grant } from '../contracts/binding.js'
import { Form } from './form.js'
import {
  unsent,
  type Upstream,
  type UpstreamFault,
  type UpstreamReply,
  type UpstreamRequest,
  type Withheld,
} from './upstream.js'

/** An access token that a request goes with, and where from. */
export interface Access {
  /** Names the credential as it stands: one that was rotated asks anew. */
  readonly id: string
  readonly grant: Grant
  /** Told of every token before it is used, so that no reply shows it. */
  learn(token: string): void
}

type Result<T> = UpstreamReply | UpstreamFault | Withheld<T>
interface Token {
  readonly token: string
  /** On the monotonic clock. */
  readonly until: number
}

const ASK_MS = 10_000
/** Of a vendor that does not say how long its token lives; RFC 6749 §5.1 leaves it to the documentation. */
const LIFE_S = 300
const LIFE_S_MAX = 30 * 86_400
/** A token is renewed so long before it ends, or when a tenth of its life is left, whichever is less. */
const EARLY_MS = 60_000
const REPLY_BYTES_MAX = 64 * 1024
const TOKENS_MAX = 1_000

/**
 * Tokens of OAuth 2 client credentials (RFC 6749 §4.4): asked for through the same guarded connections as the calls,
 * when a call is about to leave and not before, by one request however many calls wait, and kept in memory until
 * shortly before they end or the vendor refuses one. No agent, log or row sees them.
 */
export class AccessTokens {
  readonly #upstream: Pick<Upstream, 'send'>
  readonly #clock: Clock
  readonly #kept = new Map<string, Token>()
  readonly #asked = new Map<string, Promise<Token | Result<unknown>>>()

  constructor(upstream: Pick<Upstream, 'send'>, clock: Clock) {
    this.#upstream = upstream
    this.#clock = clock
  }

  /** Sends a request with its token. Without one nothing of the call leaves. */
  async send<T>(request: UpstreamRequest, access: Access, gate: () => T | null): Promise<Result<T>> {
    const token = await this.#token(access, gate)
    if ('kind' in token) return token
    access.learn(token.token)
    const { access: _, ...plain } = request
    const { header, prefix } = access.grant
    const headers = [...request.headers, header, prefix + token.token]
    const result = await this.#upstream.send({ ...plain, headers }, gate)
    // Taken back before its time: the next call asks for another one. This one is not repeated.
    if (result.kind === 'reply' && result.status === 401 && this.#kept.get(access.id) === token)
      this.#kept.delete(access.id)
    return result
  }

  async #token<T>(access: Access, gate: () => T | null): Promise<Token | UpstreamFault | Withheld<T>> {
    for (;;) {
      const kept = this.#kept.get(access.id)
      if (kept !== undefined && kept.until > this.#clock.monotonic()) return kept
      const under = this.#asked.get(access.id)
      if (under === undefined) return this.#ask(access, gate)
      const token = await under
      // Withheld is the word on the call that asked, not on those that waited.
      if ('kind' in token && token.kind === 'withheld') continue
      return token as Token | UpstreamFault
    }
  }

  async #ask<T>(access: Access, gate: () => T | null): Promise<Token | UpstreamFault | Withheld<T>> {
    const asking = this.#request(access, gate)
    this.#asked.set(access.id, asking)
    try {
      const token = await asking
      if ('kind' in token) return token
      if (this.#kept.size >= TOKENS_MAX) this.#kept.clear()
      this.#kept.set(access.id, token)
      return token
    } finally {
      this.#asked.delete(access.id)
    }
  }

  async #request<T>({ grant }: Access, gate: () => T | null): Promise<Token | UpstreamFault | Withheld<T>> {
    const url = new URL(grant.tokenUrl)
    const reply = await this.#upstream.send(
      {
        origin: url.origin,
        method: 'POST',
        target: url.pathname,
        headers: [
          'host',
          url.host,
          'accept',
          'application/json',
          'accept-encoding',
          'identity',
          'user-agent',
          'spendgate',
          'content-type',
          'application/x-www-form-urlencoded',
          ...grant.headers,
        ],
        body: new Form(grant.form).serialise(),
        guarded: true,
      },
      gate,
      ASK_MS,
    )
    if (reply.kind === 'withheld') return reply
    // What failed is the way to a token: of the call itself nothing has left.
    if (reply.kind === 'fault') return { ...unsent(`no access token: ${reply.message}`), timedOut: reply.timedOut }
    if (reply.status !== 200) return unsent(`no access token: ${url.host} answered ${reply.status}`)
    return (
      tokenIn(reply.body, this.#clock.monotonic()) ?? unsent(`no access token: ${url.host} gave none that can be used`)
    )
  }
}

function tokenIn(body: Buffer, now: number): Token | null {
  if (body.length > REPLY_BYTES_MAX) return null
  let reply: unknown
  try {
    reply = JSON.parse(body.toString('utf8'))
  } catch {
    return null // Its text may hold a secret and is told to nobody.
  }
  if (typeof reply !== 'object' || reply === null) return null
  const {
    access_token: token,
    token_type: type = 'bearer',
    expires_in: life = LIFE_S,
  } = reply as Record<string, unknown>
  if (typeof token !== 'string' || !/^[\x21-\x7e]{1,8192}$/.test(token)) return null
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer') return null
  const seconds = Number(life)
  if (!Number.isFinite(seconds) || seconds <= 0) return null
  const lifeMs = Math.min(seconds, LIFE_S_MAX) * 1000
  return { token, until: now + lifeMs - Math.min(EARLY_MS, lifeMs / 10) }
}
