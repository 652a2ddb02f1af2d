import { statusOf, type Denial } from '../../src/contracts/call.js'
import type { Authorization, Presented, Vendor } from '../../src/contracts/vendor.js'
import { bindings, credentialFacts, secretsIn } from './bindings.js'
import { operationsOf } from './operations.js'
import { PRESETS, presetOf } from './presets.js'

/** What agents may say of how they want to be answered. What names an account or a version is the operator's to fix. */
const REQUEST_HEADERS = ['accept', 'accept-language', 'prefer', 'user-agent']
const REPLY_HEADERS = [
  'content-language',
  'etag',
  'last-modified',
  'location',
  'ratelimit',
  'ratelimit-limit',
  'ratelimit-policy',
  'ratelimit-remaining',
  'ratelimit-reset',
  'request-id',
  'retry-after',
  'x-github-request-id',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'x-ratelimit-used',
  'x-request-id',
]

/**
 * Statuses with which an API says that it has done nothing. Not 409, which may mean that an earlier twin is still
 * running, nor a redirect, with which many answer a POST that they have carried out.
 */
const NOTHING_DONE: ReadonlySet<number> = new Set([
  400, 401, 402, 403, 404, 405, 406, 410, 411, 412, 413, 414, 415, 422, 426, 428, 429, 431,
])

/** Any HTTP API, under a name the operator chose. What a call costs is said by the policy; where it goes, by the credential. */
export const http = (name: string): Vendor => ({
  name,
  // Reserved for ever to mean no host (RFC 6761 §6.4): a call that missed its credential's address reaches nobody.
  hosts: [`${name}.invalid`],
  operations: operationsOf(name),
  body: 'json',
  ownsRoot: () => false,
  present: (auth) => present(name, auth),
  presentations: (key) => key,
  credential: credentialFacts,
  authorize: () => '',
  secrets: secretsIn,
  requestHeaders: REQUEST_HEADERS,
  replyHeaders: REPLY_HEADERS,
  fixedHeaders: () => ({}),
  idempotent: () => false,
  refuse,
  verdict: (status) => (NOTHING_DONE.has(status) ? 'released' : 'assumed'),
  bindings: bindings(name),
  requestIdHeader: presetOf(name)?.requestId ?? 'x-request-id',
})

/** A vault key is recognised by its form alone; a real key where it has one that is known. */
function present(name: string, auth: Authorization): Presented | null {
  const text = auth.scheme === 'bearer' ? auth.token : auth.password
  const own = presetOf(name)
  const forms = own === null ? Object.values(PRESETS) : [own]
  return forms.some(({ key }) => key?.test(text) === true) ? { kind: 'real' } : null
}

/** Worth another try by a client's own doing: nothing was sent, and time may mend it. */
const PASSING: ReadonlySet<string> = new Set(['rate_limited', 'overloaded', 'ledger_unavailable', 'clock_suspect'])

/**
 * There is no shape that every client reads. Code and message stand where most look for them: at the top (GitHub,
 * Postmark, Shopify) and under `error` (OpenAI, Anthropic and whoever copied them).
 */
function refuse(denial: Denial): ReturnType<Vendor['refuse']> {
  const status = statusOf(denial.code)
  const message = `${denial.code}: ${denial.message}`
  const passing = denial.retrySafe === true || PASSING.has(denial.code)
  return {
    status,
    headers: {
      ...(denial.retryAfterS === undefined ? {} : { 'retry-after': String(Math.ceil(denial.retryAfterS)) }),
      // What OpenAI's and Anthropic's clients ask before they repeat a call of their own accord.
      ...(passing ? {} : { 'x-should-retry': 'false' }),
    },
    body: { status, code: denial.code, message, error: { type: 'spendgate_denied', code: denial.code, message } },
  }
}
