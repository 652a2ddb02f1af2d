import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../contracts/clock.js'
import type { Principal } from '../contracts/operator.js'

const LINK_MS = 10 * 60_000
const LINKS_MAX = 16
const SESSION_MS = 12 * 3_600_000
const IDLE_MS = 3_600_000
const SESSIONS_MAX = 256
/** Of one operator: nobody signs in so often that others are put out. */
const SESSIONS_EACH_MAX = 16

/** Somebody who signed in. What it was shown by is kept as a digest only. */
export interface Session {
  /** Who signed in. */
  readonly by: Principal
  /** Stands in every form of the session, so that no other page can send one. */
  readonly csrf: string
  /** Sentences for the next page, about what was done by the last form. */
  readonly notices: string[]
  /** Forms that may be sent once, by their number, and what became of them. */
  readonly sent: Map<string, string>
}

interface Kept extends Session {
  readonly since: number
  readonly mark: string
  usedAt: number
}

/**
 * Who may see the dashboard: one-time links and sessions, in memory, so that a restart ends both. Tokens carry 256
 * random bits and are found by their SHA-256: the comparison tells nothing about them, and a core dump shows none.
 */
export class Door {
  readonly #clock: Clock
  readonly #mark: () => string
  readonly #links = new Map<string, number>()
  readonly #sessions = new Map<string, Kept>()

  /** @param mark changes when the admin token does: whoever signed in before has to do it again */
  constructor(clock: Clock, mark: () => string = () => '') {
    this.#clock = clock
    this.#mark = mark
  }

  /** The secret part of a link that signs in once, within ten minutes. */
  newLink(): string {
    const token = newToken()
    if (this.#links.size >= LINKS_MAX) this.#links.delete(this.#links.keys().next().value!)
    this.#links.set(digestOf(token), this.#now() + LINK_MS)
    return token
  }

  /** Uses a link up. False when it was used, is too old, or never was one. */
  takeLink(token: string): boolean {
    const digest = digestOf(token)
    const until = this.#links.get(digest)
    this.#links.delete(digest)
    return until !== undefined && this.#now() < until
  }

  /** Begins a session of somebody's; what its cookie is to hold. Always a new one: what a browser brings is never made one. */
  open(by: Principal): string {
    const token = newToken()
    const now = this.#now()
    for (const [digest, session] of this.#sessions) if (!this.#stands(session)) this.#sessions.delete(digest)
    const own = [...this.#sessions].filter(([, session]) => session.by.actor === by.actor)
    if (own.length >= SESSIONS_EACH_MAX) this.#sessions.delete(own[0]![0])
    if (this.#sessions.size >= SESSIONS_MAX) this.#sessions.delete(this.#sessions.keys().next().value!)
    this.#sessions.set(digestOf(token), {
      by,
      csrf: newToken(),
      notices: [],
      sent: new Map(),
      since: now,
      mark: this.#mark(),
      usedAt: now,
    })
    return token
  }

  /** @param used false for what a page asks for by itself: it does not keep a session alive that nobody looks at */
  find(token: string, used = true): Session | null {
    const session = this.#sessions.get(digestOf(token))
    if (session === undefined || !this.#stands(session)) return null
    if (used) session.usedAt = this.#now()
    return session
  }

  end(token: string): void {
    this.#sessions.delete(digestOf(token))
  }

  #stands({ by, since, usedAt, mark }: Kept): boolean {
    const now = this.#now()
    return now - since < SESSION_MS && now - usedAt < IDLE_MS && mark === this.#mark() && by.stands()
  }

  /** By whatever clock is ahead: what ends in time has ended. */
  #now(): number {
    return this.#clock.latest?.() ?? this.#clock.now()
  }
}

export const sameToken = (a: string, b: string): boolean => timingSafeEqual(sha256(a), sha256(b))

const newToken = (): string => randomBytes(32).toString('base64url')
const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()
const digestOf = (token: string): string => sha256(token).toString('base64url')
