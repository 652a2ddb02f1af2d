import { statusOf, type Denial } from '../../src/contracts/call.js'
import type {
  Authorization,
  CredentialFacts,
  Presented,
  SecretParts,
  TakeBack,
  Vendor,
} from '../../src/contracts/vendor.js'
import { isId } from './answers.js'
import { operations } from './operations/index.js'
import { movements } from './movements.js'
import { prices } from './prices.js'
import { leastKey } from './permissions.js'
import { records } from './records.js'
import { reversal } from './reversal.js'
import { tools } from './tools.js'

const API_KEY = /^re_[\x21-\x7e]{4,252}$/
const VAULT = 're_vault_'

/** First segments of Resend's paths; resend-openapi fd6f395 and resend-node 6.38. */
const ROOTS: ReadonlySet<string> = new Set([
  'api-keys',
  'audiences',
  'automations',
  'broadcasts',
  'contact-properties',
  'contacts',
  'domains',
  'editor',
  'emails',
  'events',
  'inboxes',
  'logs',
  'oauth',
  'segments',
  'suppressions',
  'templates',
  'topics',
  'usage',
  'webhooks',
])

/** Statuses with which Resend says that it has done nothing. A 409 may mean that an earlier twin is still running. */
const NOTHING_DONE: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 422, 429])
/** Where Resend's own client takes an idempotency key (resend-node 6.38.0, IdempotentRequest). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  'emails.send',
  'emails.batch',
  'inboxes.drafts.create',
  'inboxes.drafts.send',
  'inboxes.threads.emails.reply',
  'inboxes.threads.emails.forward',
])

/** Resend: e-mail, domains, audiences and contacts. Sources and what is not priced: README.md here. */
export const resend: Vendor = {
  name: 'resend',
  hosts: ['api.resend.com'],
  operations,
  body: 'json',
  ownsRoot: (path) => ROOTS.has(path.split('/')[1] ?? ''),
  present,
  presentations: (key) => `re_${key}`,
  credential,
  authorize: (parts) => `Bearer ${parts.api_key ?? ''}`,
  secrets: (parts) => [parts.api_key ?? ''],
  // Not x-batch-validation: its permissive mode takes part of a batch, and the default takes all or nothing.
  requestHeaders: ['user-agent'],
  replyHeaders: [
    'retry-after',
    'ratelimit-limit',
    'ratelimit-remaining',
    'ratelimit-reset',
    'x-resend-daily-quota',
    'x-resend-monthly-quota',
  ],
  fixedHeaders: () => ({ accept: 'application/json' }),
  idempotent: (operation, method) => method === 'POST' && IDEMPOTENT.has(operation.id),
  takeBack,
  refuse,
  verdict: (status) => (NOTHING_DONE.has(status) ? 'released' : 'assumed'),
  // Resend documents no request id; the common name costs nothing where it is missing.
  requestIdHeader: 'x-request-id',
  tools,
  prices,
  leastKey,
  records,
  movements,
  reversal,
}

function present(auth: Authorization): Presented | null {
  if (auth.scheme !== 'bearer' || !auth.token.startsWith('re_')) return null
  return auth.token.startsWith(VAULT) ? { kind: 'vault', key: auth.token.slice('re_'.length) } : { kind: 'real' }
}

function credential(parts: SecretParts): CredentialFacts | string {
  const key = parts.api_key
  if (Object.keys(parts).join() !== 'api_key' || key === undefined)
    return 'A Resend credential is api_key and nothing else.'
  if (key.startsWith(VAULT)) return 'api_key is a vault key. Give the key that Resend issued.'
  if (!API_KEY.test(key)) return 'api_key must begin with re_ and hold printable characters only.'
  return { account: '', test: false, last4: key.slice(-4) }
}

/** Scheduled mail can be canceled until it leaves; contacts and domains are the operator's to remove. */
const CANCELED: ReadonlyMap<string, string> = new Map([
  ['emails.send', 'emails'],
  ['emails.update', 'emails'],
  ['broadcasts.create', 'broadcasts'],
  ['broadcasts.send', 'broadcasts'],
])

function takeBack({ operation, object }: { readonly operation: string; readonly object: string }): TakeBack | null {
  const place = CANCELED.get(operation)
  return place === undefined || !isId(object) ? null : { method: 'POST', path: `/${place}/${object}/cancel` }
}

function refuse(denial: Denial): ReturnType<Vendor['refuse']> {
  const status = statusOf(denial.code)
  return {
    status,
    headers: denial.retryAfterS === undefined ? {} : { 'retry-after': String(Math.ceil(denial.retryAfterS)) },
    body: { statusCode: status, name: denial.code, message: `${denial.code}: ${denial.message}` },
  }
}
