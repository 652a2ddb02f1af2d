import { statusOf, type Denial } from '../../src/contracts/call.js'
import type {
  Authorization,
  CredentialFacts,
  Presented,
  Question,
  SecretParts,
  Vendor,
} from '../../src/contracts/vendor.js'
import { account } from './operations/account.js'
import { calls } from './operations/calls.js'
import { messages } from './operations/messages.js'
import { never } from './operations/never.js'
import { verify } from './operations/verify.js'
import { prices } from './prices.js'

const ACCOUNT_SID = /^AC[0-9a-fA-F]{32}$/
const KEY_SID = /^SK[0-9a-fA-F]{32}$/
/** Printable ASCII without the colon that ends a Basic user name. */
const SECRET = /^[\x21-\x39\x3b-\x7e]{8,256}$/
const VAULT = /^vault_(live|test)_/

/** Statuses with which Twilio says that it has done nothing. */
const NOTHING_DONE: ReadonlySet<number> = new Set([400, 401, 403, 404, 422, 429])

/** Twilio: messages, calls, verifications and number look-ups. Sources and what is not priced: README.md here. */
export const twilio: Vendor = {
  name: 'twilio',
  hosts: ['api.twilio.com', 'verify.twilio.com', 'lookups.twilio.com', 'accounts.twilio.com', 'iam.twilio.com'],
  operations: [...messages, ...calls, ...verify, ...account, ...never],
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
  idempotent: () => false,
  common,
  refuse,
  verdict: (status) => (NOTHING_DONE.has(status) ? 'released' : 'assumed'),
  requestIdHeader: 'twilio-request-id',
  prices,
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

/** A parent's credential reaches its subaccounts through the path; some clients repeat the account in the body. */
function common(question: Question): ReturnType<NonNullable<Vendor['common']>> {
  const named = [question.path.AccountSid, ...question.params.all('AccountSid')].filter((sid) => sid !== undefined)
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
