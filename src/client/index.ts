import type { Call, Calls, Problem } from './calls.js'

export type * from './calls.js'

/*
 * The admin API for programs, typed call by call: `import { Spendgate } from 'spendgate/client'`. It needs nothing but
 * the platform's fetch. Nothing is retried here: whether to ask again is for whoever knows what was asked.
 */

/** A call of the admin API by method and path under /admin/v1, such as `GET /keys/{id}`. */
export type Name = keyof Calls
/** What a call is asked with: `path`, `query` and `body`, as far as it has them. */
export type Asked<Of extends Name> = Omit<Calls[Of], 'reply'>
export type Reply<Of extends Name> = Calls[Of]['reply']

export interface Wish {
  readonly signal?: AbortSignal
  /** How long the reply may take; a reconciliation, a backup or a proof may need minutes. */
  readonly timeoutMs?: number
}
type Given<Of extends Name> =
  Record<never, never> extends Asked<Of> ? [asked?: Asked<Of>, wish?: Wish] : [asked: Asked<Of>, wish?: Wish]
/** Calls that answer page by page, each page with a `next_cursor`. */
export type Listing = {
  [Of in Reading]: Reply<Of> extends { next_cursor: string | null } ? Of : never
}[Reading]
type Reading = Name & `GET ${string}`
type RowOf<Page> = { [Field in keyof Page]: Page[Field] extends readonly (infer Row)[] ? Row : never }[keyof Page]
/** Calls that answer with text as it comes, without end or longer than memory should hold. */
export type Streaming = { [Of in Name]: Reply<Of> extends AsyncIterable<string> ? Of : never }[Name]

/** The admin API refused, with the problem document that says why (RFC 9457). Nothing was done. */
export class Refused extends Error {
  override readonly name = 'Refused'
  readonly status: number
  readonly code: string
  /** Field by field what was expected, where the request was at fault. */
  readonly errors: Problem['errors']

  constructor(problem: Problem) {
    super(problem.detail)
    this.status = problem.status
    this.code = problem.code
    this.errors = problem.errors
  }
}

/** No answer, or none of the admin API's. What was asked for may still have been done. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

export interface Address {
  /** Default: http://127.0.0.1:4243. Plain http goes to this machine only, because the token goes there. */
  readonly url?: string
  readonly token: string
}

export class Spendgate {
  readonly #base: URL
  readonly #token: string

  /** @throws TypeError for an address that the token must not be sent to */
  constructor({ url = 'http://127.0.0.1:4243', token }: Address) {
    this.#base = new URL(url)
    const { protocol, hostname } = this.#base
    if (protocol !== 'https:' && !(protocol === 'http:' && LOOPBACK.test(hostname)))
      throw new TypeError(
        `The admin token is sent over https, or over http to this machine, and not to ${protocol}//${hostname}.`,
      )
    if (!/^[\x21-\x7e]+$/.test(token))
      throw new TypeError('The admin token is empty or holds characters that no token has.')
    this.#token = token
  }

  /**
   * @example await gate.ask('POST /keys', { body: { name: 'support', policy: 'support-refunds', credentials: ['main'] } })
   * @throws Refused, NoAnswer
   */
  async ask<Of extends Exclude<Name, Streaming>>(name: Of, ...[asked, wish = {}]: Given<Of>): Promise<Reply<Of>> {
    const reply = await this.#send(name, asked ?? {}, wish, wish.timeoutMs ?? REPLY_TIMEOUT_MS)
    const text = await this.#whole(name, reply)
    return (text === '' ? undefined : this.#parsed(name, text)) as Reply<Of>
  }

  /**
   * Every row of a list, page after page; leaving the loop asks for no further page.
   *
   * @throws Refused, NoAnswer
   */
  async *rows<Of extends Listing>(name: Of, ...[asked, wish = {}]: Given<Of>): AsyncGenerator<RowOf<Reply<Of>>> {
    const { query = {}, ...rest } = (asked ?? {}) as Loose
    let cursor: string | null | undefined = query.cursor
    do {
      const page = (await this.#page(name, { ...rest, query: { ...query, cursor: cursor ?? undefined } }, wish)) as Page
      yield* Object.entries(page).flatMap(([field, value]) =>
        field !== 'next_cursor' && Array.isArray(value) ? value : [],
      )
      cursor = page.next_cursor
    } while (cursor != null)
  }

  /**
   * A reply line by line as it comes: an export, or the stream of calls as server-sent events.
   *
   * @throws Refused, NoAnswer
   */
  async *lines<Of extends Streaming>(name: Of, ...[asked, wish = {}]: Given<Of>): AsyncGenerator<string> {
    yield* this.#linesOf(name, await this.#send(name, asked ?? {}, wish, wish.timeoutMs ?? null))
  }

  /**
   * Calls as they happen, and again whenever the state of one changes. A stream that breaks is taken up again where it
   * was, so a call may come twice and is not missed. Ends when the signal is aborted.
   *
   * @throws Refused, and NoAnswer when the server stays away
   */
  async *live(
    query: Asked<'GET /calls/stream'>['query'] = {},
    { signal }: Pick<Wish, 'signal'> = {},
  ): AsyncGenerator<Call> {
    let after: string | null = null
    let failures = 0
    while (!signal?.aborted) {
      try {
        const headers: Record<string, string> = after === null ? {} : { 'last-event-id': after }
        const reply = await this.#send('GET /calls/stream', { query }, { ...(signal && { signal }) }, null, headers)
        for await (const line of this.#linesOf('GET /calls/stream', reply)) {
          if (line.startsWith('id: ')) after = line.slice(4)
          if (!line.startsWith('data: ')) continue
          failures = 0
          yield this.#parsed('GET /calls/stream', line.slice(6)) as Call
        }
      } catch (fault) {
        if (signal?.aborted) return
        if (!(fault instanceof NoAnswer) || ++failures >= RECONNECTS_MAX) throw fault
      }
      await paused(RECONNECT_MS, signal)
    }
  }

  async #page(name: Name, asked: Loose, wish: Wish): Promise<unknown> {
    const reply = await this.#send(name, asked, wish, wish.timeoutMs ?? REPLY_TIMEOUT_MS)
    return this.#parsed(name, await this.#whole(name, reply))
  }

  async #send(
    name: Name,
    asked: Loose,
    { signal }: Wish,
    timeoutMs: number | null,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const { method, target } = targetOf(name, asked)
    const signals = [...(signal ? [signal] : []), ...(timeoutMs === null ? [] : [AbortSignal.timeout(timeoutMs)])]
    const { body } = asked
    const content =
      body === undefined ? {} : { 'content-type': typeof body === 'string' ? 'application/yaml' : 'application/json' }
    let reply: Response
    try {
      reply = await globalThis.fetch(this.#base.href.replace(/\/$/, '') + target, {
        method,
        headers: { authorization: `Bearer ${this.#token}`, ...content, ...more },
        body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
        // Wherever a redirect leads, the token is not for there.
        redirect: 'error',
        signal: AbortSignal.any(signals),
      })
    } catch (cause) {
      throw this.#noAnswer(name, cause)
    }
    if (reply.ok) return reply
    const problem = this.#parsed(name, await this.#whole(name, reply)) as Partial<Problem>
    if (typeof problem.code !== 'string' || typeof problem.detail !== 'string') throw this.#noAnswer(name, null)
    throw new Refused({ type: 'about:blank', title: '', errors: [], ...problem, status: reply.status } as Problem)
  }

  async #whole(name: Name, reply: Response): Promise<string> {
    let text = ''
    for await (const part of this.#textOf(name, reply)) {
      text += part
      if (text.length > REPLY_CHARS_MAX)
        throw new NoAnswer(`The reply to ${name} is longer than ${REPLY_CHARS_MAX} characters.`)
    }
    return text
  }

  async *#linesOf(name: Name, reply: Response): AsyncGenerator<string> {
    let rest = ''
    for await (const part of this.#textOf(name, reply)) {
      const lines = (rest + part).split('\n')
      rest = lines.pop()!
      if (rest.length > REPLY_CHARS_MAX)
        throw new NoAnswer(`A line of the reply to ${name} is longer than ${REPLY_CHARS_MAX} characters.`)
      yield* lines
    }
    if (rest !== '') yield rest
  }

  async *#textOf(name: Name, reply: Response): AsyncGenerator<string> {
    if (reply.body === null) return
    const decoder = new TextDecoder()
    const reader = reply.body.getReader()
    try {
      for (let read = await reader.read(); !read.done; read = await reader.read())
        yield decoder.decode(read.value, { stream: true })
    } catch (cause) {
      throw this.#noAnswer(name, cause)
    } finally {
      // Whoever stops reading in the middle leaves no connection open behind him.
      await reader.cancel().catch(() => undefined)
    }
  }

  #parsed(name: Name, text: string): unknown {
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw this.#noAnswer(name, cause)
    }
  }

  #noAnswer(name: Name, cause: unknown): NoAnswer {
    return new NoAnswer(
      `${this.#base.origin} did not answer ${name} as the admin API does. What was asked for may still have been done.`,
      { cause },
    )
  }
}

const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/
const REPLY_TIMEOUT_MS = 30_000
const REPLY_CHARS_MAX = 64 * 1024 * 1024
const RECONNECT_MS = 2_000
const RECONNECTS_MAX = 30

interface Loose {
  readonly path?: Readonly<Record<string, string>> | undefined
  readonly query?: Readonly<Record<string, string | undefined>> | undefined
  readonly body?: unknown
}
type Page = Readonly<Record<string, unknown>> & { readonly next_cursor: string | null }

/**
 * Method and target of a call, `/admin/v1` and query included.
 *
 * @throws TypeError for a path parameter that is missing, empty, or would lead elsewhere
 */
export function targetOf(
  name: string,
  { path = {}, query = {} }: Loose,
): { readonly method: string; readonly target: string } {
  const [method, template] = name.split(' ') as [string, string]
  const target = template.replace(/\{(\w+)\}/g, (_, parameter: string) => {
    const value = path[parameter]
    if (value === undefined || /^\.{0,2}$/.test(value)) throw new TypeError(`${name} needs ${parameter} in its path.`)
    return encodeURIComponent(value)
  })
  const search = new URLSearchParams(
    Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined),
  )
  return { method, target: `/admin/v1${target}${search.size > 0 ? `?${search.toString()}` : ''}` }
}

function paused(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
    function done(): void {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
  })
}
