import type { Call, Calls, Problem } from './calls.js'
export type * from './calls.js'
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
  [Of in Reading]: Reply<Of> extends {
    next_cursor: string | null
  }
    ? Of
    : never
}[Reading]
type Reading = Name & `GET ${string}`
type RowOf<Page> = {
  [Field in keyof Page]: Page[Field] extends readonly (infer Row)[] ? Row : never
}[keyof Page]
/** Calls that answer with text as it comes, without end or longer than memory should hold. */
export type Streaming = {
  [Of in Name]: Reply<Of> extends AsyncIterable<string> ? Of : never
}[Name]
/** The admin API refused, with the problem document that says why (RFC 9457). Nothing was done. */
export declare class Refused extends Error {
  readonly name = 'Refused'
  readonly status: number
  readonly code: string
  /** Field by field what was expected, where the request was at fault. */
  readonly errors: Problem['errors']
  constructor(problem: Problem)
}
/** No answer, or none of the admin API's. What was asked for may still have been done. */
export declare class NoAnswer extends Error {
  readonly name = 'NoAnswer'
}
export interface Address {
  /** Default: http://127.0.0.1:4243. Plain http goes to this machine only, because the token goes there. */
  readonly url?: string
  readonly token: string
}
export declare class Spendgate {
  #private
  /** @throws TypeError for an address that the token must not be sent to */
  constructor({ url, token }: Address)
  /**
   * @example await gate.ask('POST /keys', { body: { name: 'support', policy: 'support-refunds', credentials: ['main'] } })
   * @throws Refused, NoAnswer
   */
  ask<Of extends Exclude<Name, Streaming>>(name: Of, ...[asked, wish]: Given<Of>): Promise<Reply<Of>>
  /**
   * Every row of a list, page after page; leaving the loop asks for no further page.
   *
   * @throws Refused, NoAnswer
   */
  rows<Of extends Listing>(name: Of, ...[asked, wish]: Given<Of>): AsyncGenerator<RowOf<Reply<Of>>>
  /**
   * A reply line by line as it comes: an export, or the stream of calls as server-sent events.
   *
   * @throws Refused, NoAnswer
   */
  lines<Of extends Streaming>(name: Of, ...[asked, wish]: Given<Of>): AsyncGenerator<string>
  /**
   * Calls as they happen, and again whenever the state of one changes. A stream that breaks is taken up again where it
   * was, so a call may come twice and is not missed. Ends when the signal is aborted.
   *
   * @throws Refused, and NoAnswer when the server stays away
   */
  live(query?: Asked<'GET /calls/stream'>['query'], { signal }?: Pick<Wish, 'signal'>): AsyncGenerator<Call>
}
interface Loose {
  readonly path?: Readonly<Record<string, string>> | undefined
  readonly query?: Readonly<Record<string, string | undefined>> | undefined
  readonly body?: unknown
}
/**
 * Method and target of a call, `/admin/v1` and query included.
 *
 * @throws TypeError for a path parameter that is missing, empty, or would lead elsewhere
 */
export declare function targetOf(
  name: string,
  { path, query }: Loose,
): {
  readonly method: string
  readonly target: string
}
