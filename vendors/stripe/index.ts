import { statusOf } from '../../src/contracts/call.js'
import type { Authorization, Presented, Question, Vendor } from '../../src/contracts/vendor.js'
import { namedAccounts } from './operation.js'
import { operations } from './operations/index.js'

/**
 * The API version the catalogue and its prices were written for (that of stripe-node 23.1.0). Sent with every call
 * that pins none: another version has other defaults, such as taking up pending items on a new invoice.
 */
const API_VERSION = '2026-10-28.endive'

export const stripe: Vendor = {
  name: 'stripe',
  hosts: ['api.stripe.com'],
  operations,
  body: 'form',
  ownsRoot: (path) => /^\/(v1|v2|oauth)\//.test(path),

  present,
  presentations: (key) => [`rk_${key}`, `sk_${key}`],
  credential: ({ api_key: key = '' }) => {
    if (!/^(sk|rk)_(live|test)_[A-Za-z0-9_-]{1,240}$/.test(key)) {
      return 'api_key must be a Stripe secret or restricted key: sk_live_…, rk_live_…, sk_test_… or rk_test_….'
    }
    return { account: '', test: /^(sk|rk)_test_/.test(key), last4: key.slice(-4) }
  },
  authorize: ({ api_key: key }) => `Bearer ${key}`,
  secrets: ({ api_key: key }) => (key ? [key] : []),

  // stripe-version is missing: the version we price by is the one that is sent.
  requestHeaders: ['accept', 'stripe-account', 'stripe-context', 'user-agent'],
  replyHeaders: ['idempotent-replayed', 'request-id', 'retry-after', 'stripe-should-retry', 'stripe-version'],
  fixedHeaders: (apiVersion) => ({ 'Stripe-Version': apiVersion || API_VERSION }),
  idempotent: (_operation, method) => method === 'POST',
  common,

  refuse: ({ code, message, retryAfterS, retrySafe }) => ({
    status: statusOf(code),
    headers: {
      'content-type': 'application/json',
      // Without it the SDKs send a refused call again (measured: 5xx and 429 in node, python and go). After a broken
      // connection their own retry, under the same idempotency key, is the safest next step there is.
      ...(!retrySafe && { 'stripe-should-retry': 'false' }),
      ...(retryAfterS !== undefined && { 'retry-after': String(Math.ceil(retryAfterS)) }),
    },
    body: { error: { type: 'invalid_request_error', code, message: `${code}: ${message}` } },
  }),
  verdict: (status) => (NOTHING_HAPPENED.has(status) ? 'released' : 'assumed'),
  requestIdHeader: 'request-id',
}

/**
 * Statuses by which Stripe says that nothing was executed. 409 is not among them: another request under the same
 * idempotency key may still be running. Neither are redirects and 5xx, after which anything may be true.
 */
const NOTHING_HAPPENED: ReadonlySet<number> = new Set([400, 401, 402, 403, 404, 429])

/** Stripe's SDKs present the key as a bearer token, curl users as the user name of Basic. */
function present(auth: Authorization): Presented | null {
  const shown = auth.scheme === 'bearer' ? auth.token : auth.user
  const skinned = /^(?:rk|sk)_(vault_(?:live|test)_.+)$/s.exec(shown)
  if (skinned) return { kind: 'vault', key: skinned[1]! }
  if (auth.scheme === 'basic' && /^vault_(live|test)_./s.test(shown)) return { kind: 'vault', key: shown }
  return /^(sk|rk)_(live|test|org)_/.test(shown) ? { kind: 'real' } : null
}

/** Stripe.js puts these beside a form to stand for the key, the account and the version; nothing else has them. */
const STAND_INS = ['key', '_stripe_account', '_stripe_version', '_stripe_context', '_method'] as const

/** Which account a call acts on: its own, unless a header names another one. */
function common(question: Question): ReturnType<NonNullable<Vendor['common']>> {
  const accounts = namedAccounts(question)
  const standIn = STAND_INS.find((name) => question.params.has(name))
  return {
    subjects: accounts.length > 0 ? { accounts } : {},
    ...(standIn && {
      refuse: {
        code: 'request_malformed',
        message: `The parameter ${standIn} would change the key, account or version of the call. Do not retry.`,
      },
    }),
  }
}
