import { statusOf } from '../../src/contracts/call.js'
import type {
  Authorization,
  Json,
  JsonObject,
  Presented,
  Question,
  TakeBack,
  Vendor,
} from '../../src/contracts/vendor.js'
import { segments, shown } from './grammar.js'
import { namedAccounts } from './operation.js'
import { hostedOperations, hostedTools, MCP_HOST } from './hosted.js'
import { readMovements } from './movements-read.js'
import { webhooks } from './movements-webhook.js'
import { operations } from './operations/index.js'
import { tools } from './tools.js'
import { bodyOf, textAt, urlsIn } from './operations/json.js'
import { leastKey } from './permissions.js'
import { records } from './records.js'
import { reversal } from './reversal.js'
import { API_VERSION } from './sources.js'

/** The same day's version with everything that is in preview; its defaults are the same. */
const PREVIEW_VERSION = '2026-10-28.preview'

export const stripe: Vendor = {
  name: 'stripe',
  // SDKs that are given one host send all of them there, so the path decides which one is meant.
  hosts: ['api.stripe.com', 'files.stripe.com', 'connect.stripe.com', 'meter-events.stripe.com', MCP_HOST],
  mcpHost: MCP_HOST,
  operations: [...operations, ...hostedOperations],
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
  secrets: ({ api_key: key, webhook_secret: signing }) => [key, signing].flatMap((each) => (each ? [each] : [])),

  // stripe-version is missing: the version we price by is the one that is sent.
  requestHeaders: ['accept', 'stripe-account', 'stripe-context', 'user-agent'],
  replyHeaders: ['idempotent-replayed', 'request-id', 'retry-after', 'stripe-should-retry', 'stripe-version'],
  fixedHeaders: (apiVersion) => ({ 'Stripe-Version': apiVersion || API_VERSION }),
  // /v2 knows the key of a DELETE as well (docs.stripe.com/api-v2-overview, November 2026).
  idempotent: ({ routes, hostedTool }, method) =>
    hostedTool === undefined && (method === 'POST' || (method === 'DELETE' && routes[0].startsWith('DELETE /v2/'))),
  apiVersionFault: (version) =>
    version === '' || version === API_VERSION || version === PREVIEW_VERSION
      ? null
      : `Stripe's version ${shown(version)} has other parameters and defaults than those spendgate knows: pin ${API_VERSION} or ${PREVIEW_VERSION}, or none.`,
  leastKey,
  takeBack,
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
  tools: [...tools, ...hostedTools],
  movements: { read: readMovements, webhooks },
  records,
  reversal,
}

/**
 * Statuses by which Stripe says that nothing was executed. 409 is not among them: another request under the same
 * idempotency key may still be running. Neither are redirects and 5xx, after which anything may be true.
 */
const NOTHING_HAPPENED: ReadonlySet<number> = new Set([400, 401, 402, 403, 404, 429])

/** Stripe's SDKs present the key as a bearer token, curl users as the user name of Basic. */
function present(auth: Authorization): Presented | null {
  const shown = auth.scheme === 'bearer' ? auth.token : auth.user
  if (/^(?:rk|sk)_vault_(?:live|test)_./s.test(shown)) return { kind: 'vault', key: shown.slice('rk_'.length) }
  if (auth.scheme === 'basic' && /^vault_(live|test)_./s.test(shown)) return { kind: 'vault', key: shown }
  return /^(sk|rk)_(live|test|org)_/.test(shown) ? { kind: 'real' } : null
}

/** Stripe.js puts these beside a form to stand for the key, the account and the version; nothing else has them. */
const STAND_INS: readonly string[] = ['key', '_stripe_account', '_stripe_version', '_stripe_context', '_method']

/** Which accounts a call acts on, what a JSON body sends to whom, and what no call may ask to see. */
function common(question: Question): ReturnType<NonNullable<Vendor['common']>> {
  const named = [...namedAccounts(question), ...accountsIn(question)]
  const accounts = named.length < 2 ? named : [...new Set(named)]
  const urls = urlsIn(question.json)
  const message = refusedIn(question)
  // The same object for most calls, which name neither and ask for nothing of the kind.
  if (accounts.length === 0 && urls.length === 0 && message === null) return NOTHING
  return {
    subjects: { ...(accounts.length > 0 && { accounts }), ...(urls.length > 0 && { urls }) },
    ...(message !== null && { refuse: { code: 'request_malformed', message } }),
  }
}

const NOTHING = { subjects: {} } as const

/** Why what a call names beside its operation's own parameters cannot go out; null when it can. */
function refusedIn(question: Question): string | null {
  const standIn = standInOf(question)
  if (standIn !== undefined)
    return `The parameter ${standIn} would change the key, account or version of the call. Do not retry.`
  const secret = secretAsked(question)
  return secret && `${secret} would show a secret in the reply, which no call through spendgate does. Leave it out.`
}

function standInOf({ params, json }: Question): string | undefined {
  const names = params.names()
  if (json === undefined) return STAND_INS.find((name) => names.includes(name))
  const body = bodyOf({ json })
  return STAND_INS.find((name) => names.includes(name) || name in body)
}

/** A connected account in the path or among the parameters. A bank account that was linked (`fca_…`) goes by the same name. */
function accountsIn({ path, params, json }: Question): readonly string[] {
  const named = [params.get('account'), params.get('account_holder[account]')]
  if (json !== undefined) {
    const body = bodyOf({ json })
    named.push(textAt(body, 'account') ?? undefined, textAt(body, 'account_details.account') ?? undefined)
  }
  const accounts = named.filter((id) => id !== undefined && id !== '' && !id.startsWith('fca_')) as string[]
  return path.account ? [path.account, ...accounts] : accounts
}

/** Fields that only `expand` (/v1) or `include` (/v2) puts into a reply, and that nobody may have who is watched. */
const NEVER_SHOWN: ReadonlySet<string> = new Set([
  'client_secret',
  'cvc',
  'encrypted_number',
  'number',
  'payload',
  'secret',
  'signing_secret',
])

function secretAsked({ params, json }: Question): string | null {
  const asking = params.entries().filter(([name]) => asks(name))
  return firstSecret(asking) ?? (json === undefined ? null : firstSecret(listedIn(bodyOf({ json }))))
}

function asks(name: string): boolean {
  if (!name.startsWith('expand') && !name.startsWith('include')) return false
  const first = segments(name)[0]
  return first === 'expand' || first === 'include'
}

const listedIn = (body: JsonObject): (readonly [string, Json | undefined])[] =>
  ['expand', 'include'].flatMap((name) => {
    const values = body[name]
    return (Array.isArray(values) ? (values as readonly Json[]) : [values]).map((value) => [name, value] as const)
  })

function firstSecret(asking: readonly (readonly [string, Json | undefined])[]): string | null {
  for (const [name, value] of asking) {
    if (typeof value !== 'string') continue
    if (
      value
        .toLowerCase()
        .split(/[^a-z0-9_]+/)
        .some((field) => NEVER_SHOWN.has(field))
    )
      return `${segments(name)[0]!} ${shown(value)}`
  }
  return null
}

/** What is made by these operations ends by a request of its own; everything else is told by the prefix of its id. */
const ENDS_BY_OPERATION: Readonly<Record<string, (id: string) => TakeBack>> = {
  'financial_connections.accounts.subscribe': (id) => ({
    method: 'POST',
    path: `/v1/financial_connections/accounts/${id}/unsubscribe`,
    params: [['features[]', 'transactions']],
  }),
  'shared_payment.issued_tokens.create': (id) => ({
    method: 'POST',
    path: `/v1/shared_payment/issued_tokens/${id}/revoke`,
  }),
  'v2.money_management.payout_intents.create': (id) => ({
    method: 'POST',
    path: `/v2/money_management/payout_intents/${id}/cancel`,
    json: {},
  }),
}

/** A finalised invoice can only be voided; a draft, or one that waits for Stripe's next attempt, is stopped. */
const FINALIZING: ReadonlySet<string> = new Set(['invoices.finalize', 'invoices.send'])

const ENDS_BY_PREFIX: readonly (readonly [prefix: string, end: (id: string, operation: string) => TakeBack])[] = [
  ['cs_', (id) => ({ method: 'POST', path: `/v1/checkout/sessions/${id}/expire` })],
  [
    'ic_',
    (id) => ({ method: 'POST', path: `/v1/issuing/cards/${id}`, params: [['status', 'inactive']], keepsCounted: true }),
  ],
  [
    'in_',
    (id, operation) =>
      FINALIZING.has(operation)
        ? { method: 'POST', path: `/v1/invoices/${id}/void` }
        : { method: 'POST', path: `/v1/invoices/${id}`, params: [['auto_advance', 'false']] },
  ],
  ['ii_', (id) => ({ method: 'DELETE', path: `/v1/invoiceitems/${id}` })],
  ['pi_', (id) => ({ method: 'POST', path: `/v1/payment_intents/${id}/cancel` })],
  [
    'plink_',
    (id) => ({ method: 'POST', path: `/v1/payment_links/${id}`, params: [['active', 'false']], keepsCounted: true }),
  ],
  ['qt_', (id) => ({ method: 'POST', path: `/v1/quotes/${id}/cancel` })],
  ['seti_', (id) => ({ method: 'POST', path: `/v1/setup_intents/${id}/cancel` })],
  ['sub_sched_', (id) => ({ method: 'POST', path: `/v1/subscription_schedules/${id}/cancel`, keepsCounted: true })],
  ['sub_', (id) => ({ method: 'DELETE', path: `/v1/subscriptions/${id}`, keepsCounted: true })],
]

/** The request that ends what a call has started, by the operation that made it and the prefix of its id. */
function takeBack({ operation, object }: { readonly operation: string; readonly object: string }): TakeBack | null {
  if (!/^[A-Za-z0-9_]{1,255}$/.test(object)) return null
  const byOperation = ENDS_BY_OPERATION[operation]
  if (byOperation) return byOperation(object)
  return ENDS_BY_PREFIX.find(([prefix]) => object.startsWith(prefix))?.[1](object, operation) ?? null
}
