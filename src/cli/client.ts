import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { Pool, type Dispatcher } from 'undici'
import { CliFault, Exit, usage, type FaultLine } from './exit.js'

/**
 * The admin API (contract §5) as the command uses it. Every failure is a CliFault with the exit code of contract §1:
 * nobody home 6, not recognised 4, not there 3, anything else 1.
 */
export class Api {
  readonly #pool: Pool
  readonly #base: URL
  readonly #token: AdminToken

  constructor(url: URL, token: AdminToken) {
    this.#base = url
    this.#token = token
    this.#pool = new Pool(url.origin, { connections: 2, connect: { timeout: CONNECT_TIMEOUT_MS } })
  }

  get<Reply>(path: string, query: Query = {}, waitMs?: number): Promise<Reply> {
    return this.#json<Reply>('GET', path, query, null, waitMs)
  }

  /** @param waitMs how long the reply may take, where it is known to take long */
  post<Reply>(path: string, body: unknown, waitMs?: number): Promise<Reply> {
    return this.#json<Reply>('POST', path, {}, jsonBody(body), waitMs)
  }

  put<Reply>(path: string, body: unknown): Promise<Reply> {
    return this.#json<Reply>('PUT', path, {}, jsonBody(body))
  }

  delete<Reply>(path: string): Promise<Reply> {
    return this.#json<Reply>('DELETE', path, {}, null)
  }

  /** Posts a document as it was written, so that faults can name its lines. */
  postText<Reply>(path: string, contentType: string, text: string): Promise<Reply> {
    return this.#json<Reply>('POST', path, {}, { contentType, text })
  }

  /** Every row of a list that is short by nature and comes as one page: credentials, policies, freezes. */
  async all<Row>(path: string, plural: string): Promise<readonly Row[]> {
    return rowsOf<Row>(await this.get(path), path, plural)
  }

  /** Rows of a long list, page after page, up to `max`. `next` is the cursor to go on with when more is to be had. */
  async pages<Row>(
    path: string,
    plural: string,
    max: number,
    query: Query = {},
  ): Promise<{ readonly rows: readonly Row[]; readonly next: string | null }> {
    const rows: Row[] = []
    let cursor: string | null = query.cursor ?? null
    do {
      const limit = String(Math.min(PAGE_ROWS, max - rows.length))
      const page: Unknowns = await this.get(path, { ...query, limit, cursor: cursor ?? undefined })
      rows.push(...rowsOf<Row>(page, path, plural))
      cursor = textOf(page.next_cursor)
    } while (cursor !== null && rows.length < max)
    return { rows, next: cursor }
  }

  /** A reply to be read as it arrives: an export or the live stream. No time limit on the body. */
  async stream(
    path: string,
    query: Query,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<Readable> {
    const reply = await this.#send('GET', path, query, null, headers, { bodyTimeout: 0, ...(signal ? { signal } : {}) })
    if (reply.statusCode >= 300) throw await this.#refused('GET', path, reply)
    return reply.body
  }

  /** A page outside the API, asked without the token: `/healthz`, `/readyz`. Any status is an answer. */
  async probe(path: string): Promise<{ readonly status: number; readonly text: string; readonly date: string | null }> {
    try {
      const reply = await this.#pool.request({
        method: 'GET',
        path,
        headersTimeout: REPLY_TIMEOUT_MS,
        bodyTimeout: REPLY_TIMEOUT_MS,
      })
      const { date } = reply.headers
      return {
        status: reply.statusCode,
        text: (await this.#text(reply.body)).slice(0, PROBE_CHARS_MAX),
        date: typeof date === 'string' ? date : null,
      }
    } catch (error) {
      throw error instanceof CliFault ? error : this.#unreachable(error)
    }
  }

  get origin(): string {
    return this.#base.origin
  }

  async close(): Promise<void> {
    await this.#pool.destroy()
  }

  async #json<Reply>(
    method: Method,
    path: string,
    query: Query,
    body: Body | null,
    waitMs = REPLY_TIMEOUT_MS,
  ): Promise<Reply> {
    const reply = await this.#send(method, path, query, body, {}, { headersTimeout: waitMs })
    if (reply.statusCode >= 300) throw await this.#refused(method, path, reply)
    const text = await this.#text(reply.body)
    if (text === '') return {} as Reply
    const value = parsed(text)
    if (value === null) throw this.#stranger()
    return value as Reply
  }

  async #send(
    method: Method,
    path: string,
    query: Query,
    body: Body | null,
    headers: Readonly<Record<string, string>>,
    more: { readonly headersTimeout?: number; readonly bodyTimeout?: number; readonly signal?: AbortSignal },
  ): Promise<Dispatcher.ResponseData> {
    const authorization = this.#token.text === null ? {} : { authorization: `Bearer ${this.#token.text}` }
    const content = body === null ? {} : { 'content-type': body.contentType }
    try {
      return await this.#pool.request({
        method,
        path: target(this.#base, path, query),
        headers: { accept: 'application/json', ...headers, ...content, ...authorization },
        body: body?.text ?? null,
        headersTimeout: REPLY_TIMEOUT_MS,
        bodyTimeout: REPLY_TIMEOUT_MS,
        ...more,
      })
    } catch (error) {
      throw this.#unreachable(error)
    }
  }

  async #text(body: Readable): Promise<string> {
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length
        if (bytes > REPLY_BYTES_MAX)
          throw new CliFault(Exit.failure, `The reply is longer than ${REPLY_BYTES_MAX} bytes.`)
        chunks.push(chunk)
      }
    } catch (error) {
      throw error instanceof CliFault ? error : this.#unreachable(error)
    }
    return Buffer.concat(chunks).toString('utf8')
  }

  #unreachable(error: unknown): unknown {
    if (error instanceof Error && error.name === 'AbortError') return error
    const code = (error as { code?: unknown } | null)?.code
    const where = this.#base.origin
    if (code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT') {
      const message = `${where} gave no answer within ${REPLY_TIMEOUT_MS / 1000} s. What was asked for may still have been done.`
      return new CliFault(Exit.unreachable, message, { code: 'timeout', cause: error })
    }
    const advice =
      'Start one with "npm start" or "spendgate serve" in another terminal, or name another with --url or SPENDGATE_URL.'
    const cause = typeof code === 'string' ? code : 'connection failed'
    const message = `No spendgate answers at ${where} (${cause}). ${advice}`
    return new CliFault(Exit.unreachable, message, { code: 'unreachable', cause: error })
  }

  #stranger(): CliFault {
    return new CliFault(
      Exit.failure,
      `${this.#base.origin} answered, but not as the admin API of spendgate. Is another program on that port?`,
    )
  }

  async #refused(method: Method, path: string, reply: Dispatcher.ResponseData): Promise<CliFault> {
    const problem = parsed(await this.#text(reply.body))
    if (problem === null) return reply.statusCode === 401 ? this.#notRecognised(null) : this.#stranger()
    const detail =
      textOf(problem.detail) ?? textOf(problem.title) ?? `${method} ${path} was answered with ${reply.statusCode}.`
    const code = textOf(problem.code)
    if (reply.statusCode === 401) return this.#notRecognised(detail)
    const exit =
      reply.statusCode === 404 ? Exit.notFound : NOT_FOR_YOU.has(reply.statusCode) ? Exit.authentication : Exit.failure
    return new CliFault(exit, detail, { ...(code === null ? {} : { code }), lines: faultLines(problem.errors) })
  }

  #notRecognised(detail: string | null): CliFault {
    const { from, looked } = this.#token
    const advice =
      this.#token.text === null
        ? `No admin token was found (looked in ${looked.join(', ')}). ` +
          "Run this as the user the server runs as, with the server's --data-dir."
        : `The admin token from ${from} is not the one of the server at ${this.#base.origin}. Does it use another --data-dir?`
    return new CliFault(Exit.authentication, detail === null ? advice : `${detail} ${advice}`, { code: 'unauthorized' })
  }
}

/** The most rows a list is asked for at once. */
const PAGE_ROWS = 200
/** Another site or host, or too many wrong tokens: who asks is the trouble, not what is asked. */
const NOT_FOR_YOU = new Set([403, 429])
const CONNECT_TIMEOUT_MS = 5_000
const REPLY_TIMEOUT_MS = 30_000
const PROBE_CHARS_MAX = 500
const REPLY_BYTES_MAX = 64 * 1024 * 1024

export type Query = Readonly<Record<string, string | undefined>>
type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'
interface Body {
  readonly contentType: string
  readonly text: string
}
type Unknowns = Readonly<Record<string, unknown>>

function rowsOf<Row>(reply: Unknowns, path: string, plural: string): readonly Row[] {
  const found = reply[plural]
  if (!Array.isArray(found)) throw new CliFault(Exit.failure, `GET ${path} did not reply with ${plural}.`)
  return found as readonly Row[]
}

const jsonBody = (body: unknown): Body => ({ contentType: 'application/json', text: JSON.stringify(body) })

function target(base: URL, path: string, query: Query): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, value)
  const prefix = base.pathname.replace(/\/$/, '')
  return `${prefix}/admin/v1${path}${search.size > 0 ? `?${search.toString()}` : ''}`
}

function parsed(text: string): Unknowns | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Unknowns) : null
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** `errors:[{path,message}]` of a problem document; `at` is the place in the text, where the server knows it. */
function faultLines(errors: unknown): FaultLine[] {
  if (!Array.isArray(errors)) return []
  return (errors as readonly unknown[]).slice(0, FAULT_LINES_MAX).map((error) => {
    const fault = (typeof error === 'object' && error !== null ? error : {}) as Unknowns
    return { at: textOf(fault.at) ?? textOf(fault.path) ?? '', message: textOf(fault.message) ?? 'is not valid' }
  })
}
const FAULT_LINES_MAX = 100

/** The admin bearer token and where it came from. `text` is null when none was found; the server then says 401. */
export interface AdminToken {
  readonly text: string | null
  readonly from: string
  readonly looked: readonly string[]
}

/** SPENDGATE_ADMIN_TOKEN, the file SPENDGATE_ADMIN_TOKEN_FILE names, or `admin-token` in the data directory. */
export function adminToken(env: NodeJS.ProcessEnv, dataDir: string): AdminToken {
  const given = env.SPENDGATE_ADMIN_TOKEN?.trim() ?? ''
  const named = env.SPENDGATE_ADMIN_TOKEN_FILE ?? ''
  const standard = join(dataDir, 'admin-token')
  const looked = ['SPENDGATE_ADMIN_TOKEN', 'SPENDGATE_ADMIN_TOKEN_FILE', standard]
  if (given !== '') return { text: sendable(given, 'SPENDGATE_ADMIN_TOKEN'), from: 'SPENDGATE_ADMIN_TOKEN', looked }
  if (named !== '') {
    const text = tokenIn(named)
    if (text === null)
      throw new CliFault(Exit.authentication, `SPENDGATE_ADMIN_TOKEN_FILE names ${named}, which cannot be read.`)
    return { text, from: named, looked }
  }
  return { text: tokenIn(standard), from: standard, looked }
}

function sendable(token: string, from: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token
  throw new CliFault(Exit.authentication, `The admin token in ${from} holds characters that no token has.`)
}

function tokenIn(file: string): string | null {
  try {
    const token = readFileSync(file, 'utf8').trim()
    return token === '' ? null : sendable(token, file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR' || code === 'EISDIR') return null
    throw error
  }
}

/** The address in use: --url, SPENDGATE_URL, or the admin listener as the server's own environment names it. */
export function adminAddress(flag: string | undefined, env: NodeJS.ProcessEnv): URL {
  const named = flag ?? env.SPENDGATE_URL ?? ''
  if (named !== '') return adminUrl(named)
  const url = new URL(DEFAULT_URL)
  if (/^\d{1,5}$/.test(env.SPENDGATE_ADMIN_PORT ?? '')) url.port = env.SPENDGATE_ADMIN_PORT ?? ''
  if (env.SPENDGATE_ADMIN_HOST === '::1') url.hostname = '[::1]'
  return url
}

/** The token goes there, so a plain http address must be this very machine. */
function adminUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw usage(`"${text}" is not an http or https address, such as ${DEFAULT_URL}.`)
  }
  if (url.username !== '' || url.password !== '') {
    throw usage(
      'Leave user name and password out of the address: the admin token is read from a file or the environment.',
    )
  }
  if (url.protocol === 'http:' && !LOOPBACK.test(url.hostname)) {
    throw usage(
      `The admin token is not sent over plain http to ${url.hostname}. ` +
        "Use https, or a tunnel to the server's loopback address.",
    )
  }
  return url
}
const DEFAULT_URL = 'http://127.0.0.1:4243'
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/
