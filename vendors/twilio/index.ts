import { statusOf, type Denial } from '../../src/contracts/call.js'
import type {
  Authorization,
  CredentialFacts,
  Json,
  JsonObject,
  Presented,
  Question,
  SecretParts,
  TakeBack,
  Vendor,
} from '../../src/contracts/vendor.js'
import { access } from './operations/access.js'
import { account } from './operations/account.js'
import { calls } from './operations/calls.js'
import { conferences } from './operations/conferences.js'
import { content } from './operations/content.js'
import { insights } from './operations/insights.js'
import { lookups } from './operations/lookups.js'
import { messages } from './operations/messages.js'
import { messaging } from './operations/messaging.js'
import { monitor } from './operations/monitor.js'
import { never } from './operations/never.js'
import { notify } from './operations/notify.js'
import { numbers } from './operations/numbers.js'
import { payments } from './operations/payments.js'
import { priceLists } from './operations/price-lists.js'
import { products } from './operations/products.js'
import { recordings } from './operations/recordings.js'
import { sip } from './operations/sip.js'
import { verify } from './operations/verify.js'
import { voice } from './operations/voice.js'
import { movements } from './movements.js'
import { prices } from './prices.js'
import { leastKey } from './permissions.js'
import { records } from './records.js'
import { reversal } from './reversal.js'
import { tools } from './tools.js'

/** Products on hosts of their own, as the operation lists and twilio-node 6.2.0 name them. */
const PRODUCTS = [
  'accounts',
  'assistants',
  'bulkexports',
  'chat',
  'content',
  'conversations',
  'events',
  'flex-api',
  'frontline-api',
  'iam',
  'insights',
  'intelligence',
  'ip-messaging',
  'knowledge',
  'lookups',
  'marketplace',
  'mcs.us1',
  'memory',
  'messaging',
  'monitor',
  'notify',
  'numbers',
  'oauth',
  'preview-iam',
  'preview',
  'pricing',
  'proxy',
  'routes',
  'serverless-upload',
  'serverless',
  'studio',
  'supersim',
  'sync',
  'taskrouter',
  'trunking',
  'trusthub',
  'verify',
  'video',
  'voice',
  'wireless',
] as const

const ACCOUNT_SID = /^AC[0-9a-fA-F]{32}$/
const KEY_SID = /^SK[0-9a-fA-F]{32}$/
/** Printable ASCII without the colon that ends a Basic user name. */
const SECRET = /^[\x21-\x39\x3b-\x7e]{8,256}$/
const VAULT = /^vault_(live|test)_/

/** The few that honour an Idempotency-Key (24 h). The classic API takes none: a POST again is a second message. */
const IDEMPOTENT = /^POST (?:conversations\.twilio\.com\/v2\/|voice\.twilio\.com\/v3\/Transcriptions$)/

const SID = /^[A-Za-z0-9]{1,64}$/
const hangUp = (account: string, call: string): TakeBack => ({
  method: 'POST',
  path: `${account}/Calls/${call}.json`,
  params: [['Status', 'completed']],
  keepsCounted: true,
})

/**
 * What undoes what is still to come. A rented number, a hosted or ported one, a short code or a campaign is not among
 * them: giving it up is for good, and somebody else may have it the same day.
 */
const TAKE_BACK: Readonly<Record<string, (account: string, object: string) => TakeBack>> = {
  'messages.create': (account, message) => ({
    method: 'POST',
    path: `${account}/Messages/${message}.json`,
    params: [['Status', 'canceled']],
  }),
  'calls.create': hangUp,
  'conferences.participants.create': hangUp,
  // «suspended» would only pause a SIM of the older product; its rent goes on.
  'supersim.sims.update': (_account, sim) => ({
    method: 'POST',
    path: `supersim.twilio.com/v1/Sims/${sim}`,
    params: [['Status', 'inactive']],
    keepsCounted: true,
  }),
  'wireless.sims.update': (_account, sim) => ({
    method: 'POST',
    path: `wireless.twilio.com/v1/Sims/${sim}`,
    params: [['Status', 'deactivated']],
    keepsCounted: true,
  }),
}

/** Statuses with which Twilio says that it has done nothing. */
const NOTHING_DONE: ReadonlySet<number> = new Set([400, 401, 403, 404, 422, 429])

/** Twilio: every operation of its products. Sources and what is not priced: README.md here. */
export const twilio: Vendor = {
  name: 'twilio',
  productByHost: true,
  hosts: ['api.twilio.com', ...PRODUCTS.map((product) => `${product}.twilio.com`)],
  operations: [
    ...messages,
    ...calls,
    ...conferences,
    ...recordings,
    ...payments,
    ...numbers,
    ...sip,
    ...voice,
    ...verify,
    ...messaging,
    ...content,
    ...notify,
    ...lookups,
    ...insights,
    ...priceLists,
    ...monitor,
    ...account,
    ...access,
    ...never,
    ...products,
  ],
  body: 'form',
  ownsRoot: (path) => path.startsWith('/2010-04-01/'),
  present,
  presentations: (key, publicId, accountSid) => ({
    account_sid: accountSid,
    api_key_sid: `SK${publicId}`,
    api_key_secret: key,
  }),
  credential,
  authorize: (parts) => `Basic ${basic(parts)}`,
  secrets: (parts) => [secretOf(parts), basic(parts)],
  requestHeaders: ['user-agent'],
  replyHeaders: ['twilio-request-id', 'twilio-concurrent-requests', 'retry-after'],
  fixedHeaders: () => ({ accept: 'application/json' }),
  idempotent: ({ routes }, method) => method === 'POST' && routes.some((route) => IDEMPOTENT.test(route)),
  reveals: ['auth_token', 'authToken', 'secondary_auth_token', 'secondaryAuthToken'],
  linksBack: true,
  takeBack: ({ operation, object, account: sid }) =>
    SID.test(object) ? (TAKE_BACK[operation]?.(`/2010-04-01/Accounts/${sid}`, object) ?? null) : null,
  leastKey,
  common,
  refuse,
  verdict: (status) => (NOTHING_DONE.has(status) ? 'released' : 'assumed'),
  requestIdHeader: 'twilio-request-id',
  tools,
  prices,
  records,
  movements,
  reversal,
}

function present(auth: Authorization): Presented | null {
  if (auth.scheme !== 'basic') return null
  const { user, password } = auth
  if (ACCOUNT_SID.test(user))
    return VAULT.test(password) ? { kind: 'vault', key: password, account: user } : { kind: 'real' }
  if (KEY_SID.test(user))
    return VAULT.test(password)
      ? { kind: 'vault', key: password, publicId: user.slice(2).toLowerCase() }
      : { kind: 'real' }
  return null
}

function credential(parts: SecretParts): CredentialFacts | string {
  const names = Object.keys(parts).sort().join(',')
  const { account_sid: sid, api_key_sid: keySid, auth_token: token, api_key_secret: keySecret } = parts
  if (names !== 'account_sid,api_key_secret,api_key_sid' && names !== 'account_sid,auth_token') {
    return 'A Twilio credential is account_sid with api_key_sid and api_key_secret, or account_sid with auth_token.'
  }
  if (!ACCOUNT_SID.test(sid ?? '')) return 'account_sid must be AC and 32 hex digits.'
  if (keySid !== undefined && !KEY_SID.test(keySid)) return 'api_key_sid must be SK and 32 hex digits.'
  const secret = keySecret ?? token ?? ''
  const name = keySecret === undefined ? 'auth_token' : 'api_key_secret'
  if (!SECRET.test(secret)) return `${name} must be 8 to 256 printable characters without a colon.`
  if (VAULT.test(secret)) return `${name} is a vault key. Give the secret that Twilio issued.`
  return { account: sid!, test: false, last4: secret.slice(-4) }
}

const secretOf = (parts: SecretParts): string => parts.api_key_secret ?? parts.auth_token ?? ''
const basic = (parts: SecretParts): string =>
  Buffer.from(`${parts.api_key_sid ?? parts.account_sid ?? ''}:${secretOf(parts)}`).toString('base64')

/**
 * A parent's credential reaches its subaccounts through the path; some clients repeat the account in the body, and some
 * parameters name another one to act on or to give something to.
 */
function common(question: Question): ReturnType<NonNullable<Vendor['common']>> {
  const named = [
    ...Object.entries(question.path),
    ...question.params.entries(),
    ...(question.json === undefined ? [] : textsIn('', question.json)),
  ].flatMap(([name, value]) => (ACCOUNT_NAME.test(name) || ACCOUNT_SID.test(value) ? [value] : []))
  const others = [...new Set(named.filter((sid) => sid !== question.account))]
  const subjects = others.length === 0 ? {} : { accounts: others }
  // Twilio repeats plain names; brackets would be a second way to write a parameter, read by us and not by Twilio.
  const bracketed = question.params.entries().find(([name]) => name.includes('['))
  if (bracketed === undefined) return { subjects }
  return {
    subjects,
    refuse: {
      code: 'request_malformed',
      message: `Twilio has no parameter «${bracketed[0].slice(0, 40)}»: names that repeat stand without brackets.`,
    },
  }
}

/** `AccountSid`, `account_sid`, `TargetAccountSid`, `SubaccountSid`: by name too, so that no malformed id slips through. */
const ACCOUNT_NAME = /^(?:target|sub)?_?account_?sid$/i

function* textsIn(name: string, json: Json): Generator<readonly [string, string]> {
  if (typeof json === 'string') yield [name, json]
  else if (Array.isArray(json)) for (const item of json as readonly Json[]) yield* textsIn(name, item)
  else if (typeof json === 'object' && json !== null)
    for (const [inner, item] of Object.entries(json as JsonObject)) yield* textsIn(inner, item ?? null)
}

/** Twilio's error codes are five-digit numbers. Ours end in the HTTP status; 20003 is its own for authentication. */
const NUMBERS: Readonly<Record<number, number>> = { 401: 20003, 413: 20413, 502: 20502, 503: 20503, 504: 20504 }

/** The classic error body. twilio-node's autoRetry sends again after a 429 (measured, 6.2.0), so that becomes a 403. */
function refuse(denial: Denial): ReturnType<Vendor['refuse']> {
  const status = denial.code === 'rate_limited' ? 403 : statusOf(denial.code)
  return {
    status,
    headers: denial.retryAfterS === undefined ? {} : { 'retry-after': String(Math.ceil(denial.retryAfterS)) },
    body: {
      code: NUMBERS[status] ?? 20403,
      message: `${denial.code}: ${denial.message}`,
      more_info: `/docs/denials#${denial.code}`,
      status,
      details: { code: denial.code },
    },
  }
}
