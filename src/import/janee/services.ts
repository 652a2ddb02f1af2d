import type { AuthScheme } from '../../contracts/binding.js'
import { Secret } from '../../custody/secret.js'
import { parseTarget } from '../../wire/target.js'
import type { JaneeFile, Remark, Service } from './file.js'
import { unsealed, type CredentialsFile } from './sealed.js'

/** A credential as `POST /credentials` takes it. */
export interface PlannedCredential {
  /** What the service was called. */
  readonly service: string
  readonly at: string
  readonly vendor: string
  readonly name: string
  /** Of a vendor that spendgate has no catalogue of; null for one that it has. */
  readonly generic: Generic | null
  readonly secret: Readonly<Record<string, Secret>>
  /** What stands before a path in patterns: `/v1` when the service's own address ended in it. */
  readonly below: string
  readonly baseUrl: URL
}

export interface Generic {
  readonly baseUrl: string
  readonly auth: AuthScheme
  /** Sent with every call; absent where the vendor's preset may say. */
  readonly headers?: Readonly<Record<string, string>>
}

/** What Janee puts on the wire, and how it gets there. */
interface Presented {
  readonly auth: AuthScheme
  readonly secret: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
}

export interface Services {
  readonly credentials: ReadonlyMap<string, PlannedCredential>
  readonly leftOut: readonly Remark[]
  readonly changed: readonly Remark[]
}

/** Whose catalogue answers for a host. Patterns for a host that is not the main one begin with it. */
const CATALOGUED: readonly { readonly vendor: string; readonly main: string; readonly host: RegExp }[] = [
  { vendor: 'stripe', main: 'api.stripe.com', host: /^api\.stripe\.com$/ },
  { vendor: 'twilio', main: 'api.twilio.com', host: /^[a-z-]+\.twilio\.com$/ },
  { vendor: 'resend', main: 'api.resend.com', host: /^api\.resend\.com$/ },
]

const CREDENTIAL_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** Why a way of authenticating has no counterpart here. */
const NOT_HERE: Readonly<Record<string, string>> = {
  'hmac-mexc': 'puts its signature into the query, and spendgate signs in headers',
  'hmac-okx': 'sends a passphrase beside its signature, for which a credential has no place',
  'service-account': 'trades a signed assertion for a token at Google, which spendgate does not do',
  'github-app':
    'signs in as a GitHub App for an hour at a time, which spendgate does not do: store a fine-grained token with spendgate credential add',
  'oauth1a-twitter': 'signs each request with OAuth 1.0a, which spendgate does not do',
  'aws-sigv4': 'signs each request with AWS Signature 4, which spendgate does not do',
}

/** Janee has no command that prints a stored key. */
const BY_HAND = 'no command of Janee’s prints it, so enter it by hand: spendgate credential add'

/** @param stored Janee's credentials.json, or null where there is none */
export function servicesOf(file: JaneeFile, stored: CredentialsFile | null): Services {
  const credentials = new Map<string, PlannedCredential>()
  const leftOut: Remark[] = []
  const changed: Remark[] = []
  const taken = new Map<string, string>()
  for (const [name, service] of file.services) {
    const path = ['services', name]
    const notes: string[] = []
    const found = credentialFor(name, service, file, stored, (note) => void notes.push(note))
    const about = (message: string): Remark => ({ at: file.at(path), message: `services.${name} ${message}` })
    if ('fault' in found) {
      leftOut.push({
        at: file.at([...path, ...(found.part ?? [])]),
        message: `${[...path, ...(found.part ?? [])].join('.')} ${found.fault}. ${name} is left out`,
      })
      continue
    }
    const key = `${found.vendor}/${found.generic === null ? found.name : ''}`
    const other = taken.get(key)
    if (other !== undefined) {
      leftOut.push(about(`would be called ${found.vendor} like services.${other}: rename one. ${name} is left out`))
      continue
    }
    taken.set(key, name)
    credentials.set(name, { ...found, service: name, at: file.at(path) })
    changed.push(...notes.map(about))
  }
  return { credentials, leftOut, changed }
}

interface Refused {
  readonly fault: string
  readonly part?: readonly string[]
}

function credentialFor(
  name: string,
  service: Service,
  file: JaneeFile,
  stored: CredentialsFile | null,
  note: (message: string) => void,
): Omit<PlannedCredential, 'service' | 'at'> | Refused {
  const address = addressIn(service.baseUrl)
  if ('fault' in address) return { ...address, part: ['baseUrl'] }
  const { baseUrl, prefix } = address
  const secrets = secretsOf(name, service, file, stored)
  if ('fault' in secrets) return { ...secrets, part: ['auth'] }
  const presented = presentedBy(service.auth.type, secrets.parts, note)
  if ('fault' in presented) return { ...presented, part: ['auth', 'type'] }
  if (!CREDENTIAL_NAME.test(name))
    return { fault: 'has a name that no credential can have: letters, digits, dots, - and _' }

  const catalogued = CATALOGUED.find(({ host }) => baseUrl.protocol === 'https:' && host.test(baseUrl.host))
  if (catalogued !== undefined) {
    const { vendor, main } = catalogued
    const secret = partsFor(vendor, presented)
    if ('fault' in secret) return { ...(secret as Refused), part: ['auth'] }
    const below = `${baseUrl.hostname === main ? '' : baseUrl.hostname}${prefix}`
    if (below !== '')
      note(
        `adds ${below} in front of every path; agents write the whole path here, as in ${vendor}’s own documentation`,
      )
    return { vendor, name, generic: null, secret, below, baseUrl }
  }
  const vendor = name.toLowerCase().replaceAll('_', '-')
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(vendor))
    return { fault: 'has a name that no vendor can have: 1 to 32 small letters, digits and -' }
  if (CATALOGUED.some((each) => each.vendor === vendor))
    return {
      fault: `is called like a vendor that spendgate knows, and ${baseUrl.host} is another: rename it`,
      part: [],
    }
  if (vendor !== name) note(`is the vendor ${vendor} here`)
  const { auth, headers } = presented
  return {
    vendor,
    name,
    generic: { baseUrl: baseUrl.href.replace(/\/$/, ''), auth, ...(headers === undefined ? {} : { headers }) },
    secret: secretParts(presented.secret),
    below: '',
    baseUrl,
  }
}

function addressIn(text: string): { readonly baseUrl: URL; readonly prefix: string } | Refused {
  if (!URL.canParse(text) || /[<>\s]/.test(text)) return { fault: 'is no address' }
  const baseUrl = new URL(text)
  if (baseUrl.protocol !== 'https:' && baseUrl.protocol !== 'http:') return { fault: 'is not http' }
  if (baseUrl.username !== '' || baseUrl.password !== '')
    return { fault: 'has a password in it, which Janee does not send' }
  if (baseUrl.search !== '' || baseUrl.hash !== '') return { fault: 'has a query or fragment, which Janee cuts off' }
  const prefix = baseUrl.pathname.replace(/\/$/, '')
  if (prefix !== '' && 'fault' in parseTarget(prefix)) return { fault: 'has a path that can be read in two ways' }
  return { baseUrl, prefix }
}

/** Every secret part of a service in plain text: what credentials.json holds speaks before what stands in the file. */
function secretsOf(
  name: string,
  { auth }: Service,
  { masterKey, strict }: JaneeFile,
  stored: CredentialsFile | null,
): { readonly parts: Readonly<Record<string, unknown>> } | Refused {
  const sealed = stored !== null && Object.hasOwn(stored.secrets, name) ? stored.secrets[name] : undefined
  const key = sealed === undefined ? masterKey : stored!.masterKey
  const opened = (text: string): string | null =>
    key === null ? text : (unsealed(text, key) ?? (strict ? null : text))
  const parts: Record<string, unknown> = { ...auth }
  for (const [part, value] of Object.entries(sealed ?? inline(auth))) {
    const plain =
      typeof value === 'string'
        ? opened(value)
        : Object.fromEntries(Object.entries(value).map(([header, text]) => [header, opened(text)]))
    if (plain === null || (typeof plain === 'object' && Object.values(plain).includes(null)))
      return { fault: `has a secret that the master key does not open; ${BY_HAND}` }
    parts[part] = plain
  }
  return { parts }
}

/** What stands in the file itself: in the open, or sealed in files of before 0.3. */
const PUBLIC = new Set(['type', 'scopes', 'appId', 'installationId', 'region', 'awsService', 'pemFile'])
const inline = (auth: Service['auth']): Record<string, string | Record<string, string>> =>
  Object.fromEntries(
    Object.entries(auth).flatMap(([part, value]): [string, string | Record<string, string>][] => {
      if (PUBLIC.has(part)) return []
      if (typeof value === 'string') return [[part, value]]
      const isMap = typeof value === 'object' && value !== null && !Array.isArray(value)
      return isMap && Object.values(value).every((inner) => typeof inner === 'string')
        ? [[part, value as Record<string, string>]]
        : []
    }),
  )

function presentedBy(
  type: string,
  parts: Readonly<Record<string, unknown>>,
  note: (message: string) => void,
): Presented | Refused {
  const absent = { fault: `has no secret for ${type}, here or in credentials.json; ${BY_HAND}` }
  switch (type) {
    case 'bearer': {
      if (typeof parts.key !== 'string' || parts.key === '') return absent
      const pair = pairIn(parts.key)
      if (pair === null) return sendable({ auth: { scheme: 'bearer' }, secret: { token: parts.key } })
      // `janee add` writes basic credentials down like this, and then sends «Bearer Basic …», which no server takes.
      note('is sent as Basic; Janee sent «Bearer Basic …»')
      return sendable(pair)
    }
    case 'basic': {
      const { username, password } = parts
      if (typeof username !== 'string' || typeof password !== 'string') return absent
      note('is sent as Basic; Janee 0.16 sent no Authorization at all')
      return sendable({ auth: { scheme: 'basic' }, secret: { username, password } })
    }
    case 'headers': {
      const headers = Object.entries((parts.headers ?? {}) as Readonly<Record<string, string>>)
      const [first] = headers
      if (first === undefined) return absent
      if (headers.length > 1)
        return {
          fault: `sends ${headers.length} headers, and which of them are secret is not said: ${headers.map(([n]) => n).join(', ')}`,
        }
      return sendable(inHeader(...first))
    }
    case 'hmac-bybit': {
      const { apiKey, apiSecret } = parts
      if (typeof apiKey !== 'string' || typeof apiSecret !== 'string') return absent
      // It stands in what is signed, where braces would name a part of the request.
      if (!/^[\w-]+$/.test(apiKey)) return { fault: 'has an apiKey with characters that no key has' }
      return sendable({ auth: bybit(apiKey), secret: { token: apiSecret, key_id: apiKey }, headers: BYBIT_WINDOW })
    }
    default:
      return {
        fault: `is ${type}, which ${Object.hasOwn(NOT_HERE, type) ? NOT_HERE[type] : 'Janee 0.16 does not know'}`,
      }
  }
}

/** What stands before the last word is how the header is read; only the word is secret. */
function inHeader(name: string, value: string): Presented {
  const lower = name.toLowerCase()
  const [, prefix = '', token = value] = /^(\S+ +)?(\S+)$/.exec(value) ?? []
  if (lower === 'authorization' && /^bearer +$/i.test(prefix)) return { auth: { scheme: 'bearer' }, secret: { token } }
  const pair = lower === 'authorization' ? pairIn(value) : null
  if (pair !== null) return pair
  return { auth: { scheme: 'header', name: lower, ...(prefix === '' ? {} : { prefix }) }, secret: { token } }
}

/** Janee signs like that (signBybit in src/core/signing.ts): the query of a read, the body of a write. */
const bybit = (apiKey: string): AuthScheme => ({
  scheme: 'hmac',
  algorithm: 'sha256',
  encoding: 'hex',
  payload: `{timestamp}${apiKey}5000{query}{body}`,
  timestamp: 'milliseconds',
  signature_header: 'x-bapi-sign',
  timestamp_header: 'x-bapi-timestamp',
  key_header: 'x-bapi-api-key',
})
const BYBIT_WINDOW = { 'x-bapi-recv-window': '5000' }

function pairIn(text: string): Presented | null {
  const encoded = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(text)?.[1]
  if (encoded === undefined) return null
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 0) return null
  return { auth: { scheme: 'basic' }, secret: { username: pair.slice(0, colon), password: pair.slice(colon + 1) } }
}

/** A secret with a line break or a space in it was cut out of something else. */
const sendable = (presented: Presented): Presented | Refused =>
  Object.values(presented.secret).every((text) => /^[\x21-\x7e]*$/.test(text))
    ? presented
    : { fault: 'has a secret with characters that no key has' }

const secretParts = (parts: Readonly<Record<string, string>>): Readonly<Record<string, Secret>> =>
  Object.fromEntries(Object.entries(parts).map(([name, text]) => [name, new Secret(text)]))

function partsFor(vendor: string, { auth, secret }: Presented): Readonly<Record<string, Secret>> | Refused {
  if (vendor !== 'twilio')
    return auth.scheme === 'bearer'
      ? secretParts({ api_key: secret.token! })
      : { fault: `is no bearer key, as ${vendor} has them` }
  if (auth.scheme !== 'basic') return { fault: 'is not Basic, as Twilio wants it' }
  if (/^AC[0-9a-f]{32}$/.test(secret.username!))
    return secretParts({ account_sid: secret.username!, auth_token: secret.password! })
  return { fault: 'does not name its account (AC…): store it with spendgate credential add twilio' }
}
