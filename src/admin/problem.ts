import type { Fault } from '../contracts/policy.js'

const TITLES = {
  invalid: [400, 'The request is not valid'],
  unauthenticated: [401, 'An admin token is needed'],
  vault_key_on_admin_port: [401, 'A vault key opens nothing here'],
  host_not_allowed: [403, 'This host name is not served'],
  origin_not_allowed: [403, 'Requests from other sites are refused'],
  role_needed: [403, 'This needs another role'],
  issue_not_allowed: [403, 'This key issues no tokens'],
  too_deep: [403, 'Tokens of this key issue none'],
  too_many_children: [403, 'This key has as many tokens as it may'],
  not_found: [404, 'There is no such thing'],
  conflict: [409, 'This contradicts what is stored'],
  confirm_required: [409, 'This change needs "confirm": true'],
  body_too_large: [413, 'The body is too large'],
  media_type: [415, 'The body has the wrong media type'],
  too_many_failures: [429, 'Too many wrong tokens'],
  internal: [500, 'spendgate failed'],
  vault_unavailable: [503, 'The vault cannot be opened'],
  secret_unavailable: [503, 'The secret cannot be had from where it is kept'],
  provider_unavailable: [503, 'The identity provider cannot be reached'],
  ledger_unavailable: [503, 'The ledger cannot be reached'],
  too_many_streams: [503, 'Too many streams are open'],
} as const satisfies Record<string, readonly [number, string]>

export type ProblemCode = keyof typeof TITLES

/** Why an admin request was not carried out: an RFC 9457 problem document on its way out. Holds no secret. */
export class Problem extends Error {
  override readonly name = 'Problem'

  constructor(
    readonly code: ProblemCode,
    /** What is wrong and what to do, for the operator. */
    readonly detail: string,
    readonly errors: readonly Fault[] = [],
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail)
  }

  get status(): number {
    return TITLES[this.code][0]
  }

  response(): Response {
    const document = {
      type: `urn:spendgate:problem:${this.code}`,
      title: TITLES[this.code][1],
      status: this.status,
      code: this.code,
      detail: this.detail,
      errors: this.errors.map(({ path, at, message }) => ({ path, message, ...(at === undefined ? {} : { at }) })),
    }
    return new Response(JSON.stringify(document), {
      status: this.status,
      headers: { ...this.headers, 'content-type': 'application/problem+json' },
    })
  }
}

/** 400, with one fault at a place in the request. */
export const invalid = (path: string, message: string): Problem => new Problem('invalid', message, [{ path, message }])

/** 400, with the faults a parser found. */
export function invalidDocument(faults: readonly Fault[]): Problem {
  const [first] = faults
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more, see errors)` : ''
  return new Problem(
    'invalid',
    first ? `${first.at ? `${first.at} ` : ''}${first.message}${more}` : 'The document is not valid.',
    faults,
  )
}

export const notFound = (what: string): Problem => new Problem('not_found', `There is no such ${what}.`)
export const conflict = (detail: string): Problem => new Problem('conflict', detail)
