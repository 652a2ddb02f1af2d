import type { AuthScheme, Binding, Bindings, BindingWish, Entry, Grant, Places } from '../../src/contracts/binding.js'
import type { CredentialFacts, SecretParts } from '../../src/contracts/vendor.js'
import { operationFor } from './operations.js'
import { presetOf } from './presets.js'

/** Names of secret parts by scheme. The first is the secret itself. */
const PARTS: Readonly<
  Record<AuthScheme['scheme'], { readonly needs: readonly string[]; readonly may: readonly string[] }>
> = {
  bearer: { needs: ['token'], may: [] },
  header: { needs: ['token'], may: [] },
  query: { needs: ['token'], may: [] },
  basic: { needs: ['password', 'username'], may: [] },
  hmac: { needs: ['token'], may: ['key_id'] },
  oauth2: { needs: ['client_secret', 'client_id'], may: [] },
}
const SETTINGS = ['base_url', 'auth', 'headers'] as const

/** Headers that frame a request, say who sends it, or are written from what was judged. */
const OURS =
  /^(?:accept-encoding|connection|content-.*|cookie|expect|forwarded|host|idempotency-key|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|via|x-forwarded-.*|x-http-method.*|x-method-override|x-spendgate-.*)$/
const PRINTABLE = /^[\x20-\x7e]*$/

type Fault = { readonly path: string; readonly message: string }

export const bindings = (vendor: string): Bindings => ({
  operation: (method) => operationFor(vendor, method),
  settings: (wish) => settings(vendor, wish),
  settingNames: SETTINGS,
  of: bindingOf,
  addresses,
  places,
})

function settings(vendor: string, wish: BindingWish): SecretParts | Fault {
  const preset = presetOf(vendor)
  const baseUrl = wish.base_url ?? preset?.baseUrl
  if (baseUrl === undefined)
    return { path: 'base_url', message: `${vendor} has no address that is known. Say where its API is.` }
  const auth = wish.auth ?? preset?.auth
  if (auth === undefined)
    return { path: 'auth', message: `Say how ${vendor} takes its key: bearer, basic, header, query, hmac or oauth2.` }
  const headers = lowered(wish.headers ?? preset?.headers ?? {})
  const taken = [...Object.keys(headers), ...namesOf(auth)]
  const ours = taken.find((name) => OURS.test(name))
  if (ours !== undefined) return { path: 'headers', message: `${ours} is written here and cannot be set.` }
  if (new Set(taken).size < taken.length)
    return { path: 'headers', message: 'One header stands twice, or stands where the key does.' }
  return { base_url: plainUrl(baseUrl), auth: JSON.stringify(auth), headers: JSON.stringify(headers) }
}

/** Names of headers that a scheme writes. */
function namesOf(auth: AuthScheme): string[] {
  switch (auth.scheme) {
    case 'header':
      return [auth.name.toLowerCase()]
    case 'query':
      return []
    case 'hmac': {
      const { signatureHeader, timestampHeader, keyHeader } = signingHeaders(auth)
      return [signatureHeader, timestampHeader, keyHeader]
    }
    case 'oauth2':
      return [auth.header?.toLowerCase() ?? 'authorization']
    default:
      return ['authorization']
  }
}

export function credentialFacts(parts: SecretParts): CredentialFacts | string {
  const auth = authIn(parts)
  const { needs, may } = PARTS[auth.scheme]
  const given = Object.keys(parts).filter((name) => !SETTINGS.some((setting) => setting === name))
  const missing = needs.filter((name) => parts[name] === undefined)
  const stranger = given.find((name) => !needs.includes(name) && !may.includes(name))
  if (missing.length > 0 || stranger !== undefined)
    return `A credential for ${auth.scheme} is ${needs.toReversed().join(' and ')}${may.length > 0 ? `, with ${may.join(', ')} where there is one,` : ''} and nothing else.`
  const secret = parts[needs[0]!]!
  if (/^vault_(?:live|test)_/.test(secret)) return 'This is a vault key. Give the key that the vendor issued.'
  const odd = given.find((name) => !PRINTABLE.test(parts[name]!) || parts[name] !== parts[name]!.trim())
  if (odd !== undefined) return `${odd} must be printable characters without spaces around them.`
  if (auth.scheme === 'basic' && parts.username!.includes(':')) return 'username must not have a colon in it.'
  return { account: parts.base_url!, test: false, last4: secret.slice(-4) }
}

/** A user name is none, unless the password beside it is only there to be there. */
export function secretsIn(parts: SecretParts): readonly string[] {
  const { token, password, username, client_secret: clientSecret } = parts
  return [token, password, clientSecret, password !== undefined && password.length < 8 ? username : undefined].filter(
    (secret) => secret !== undefined,
  )
}

function bindingOf(parts: SecretParts): Binding {
  const headers = Object.entries(JSON.parse(parts.headers!) as Record<string, string>).flat()
  return { baseUrl: parts.base_url!, headers, entry: entryOf(authIn(parts), parts) }
}

function entryOf(auth: AuthScheme, parts: SecretParts): Entry {
  switch (auth.scheme) {
    case 'bearer':
      return { kind: 'header', name: 'authorization', value: `Bearer ${parts.token}` }
    case 'basic':
      return { kind: 'header', name: 'authorization', value: basic(parts.username!, parts.password!) }
    case 'header':
      return { kind: 'header', name: auth.name.toLowerCase(), value: `${auth.prefix ?? ''}${parts.token}` }
    case 'query':
      return { kind: 'query', name: auth.name, value: parts.token! }
    case 'hmac':
      return {
        kind: 'signature',
        signing: {
          key: parts.token!,
          keyId: parts.key_id ?? null,
          algorithm: auth.algorithm ?? 'sha256',
          encoding: auth.encoding ?? 'hex',
          payload: auth.payload ?? '{timestamp}\n{method}\n{target}\n{body}',
          timestamp: auth.timestamp ?? 'seconds',
          ...signingHeaders(auth),
        },
      }
    case 'oauth2':
      return { kind: 'token', grant: grantOf(auth, parts.client_id!, parts.client_secret!) }
  }
}

const signingHeaders = (auth: Extract<AuthScheme, { scheme: 'hmac' }>) => ({
  signatureHeader: (auth.signature_header ?? 'x-signature').toLowerCase(),
  timestampHeader: (auth.timestamp_header ?? 'x-timestamp').toLowerCase(),
  keyHeader: (auth.key_header ?? 'x-key-id').toLowerCase(),
})

function grantOf(auth: Extract<AuthScheme, { scheme: 'oauth2' }>, id: string, secret: string): Grant {
  const form: [string, string][] = [['grant_type', 'client_credentials']]
  if (auth.scope !== undefined) form.push(['scope', auth.scope])
  if (auth.audience !== undefined) form.push(['audience', auth.audience])
  const inForm = auth.client === 'body'
  if (inForm) form.push(['client_id', id], ['client_secret', secret])
  // RFC 6749 §2.3.1: both are form-encoded before they are put together.
  const headers = inForm ? [] : ['authorization', basic(encodeURIComponent(id), encodeURIComponent(secret))]
  const own = auth.header !== undefined
  return {
    tokenUrl: auth.token_url,
    headers,
    form,
    header: own ? auth.header!.toLowerCase() : 'authorization',
    prefix: own ? '' : 'Bearer ',
  }
}

function addresses(parts: SecretParts): readonly string[] {
  const auth = authIn(parts)
  return [parts.base_url!, ...(auth.scheme === 'oauth2' ? [auth.token_url] : [])]
}

function places(parts: SecretParts): Places {
  const auth = authIn(parts)
  return {
    headers: auth.scheme === 'header' ? [auth.name.toLowerCase()] : [],
    query: auth.scheme === 'query' ? [auth.name] : [],
  }
}

const authIn = (parts: SecretParts): AuthScheme => JSON.parse(parts.auth!) as AuthScheme
const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const plainUrl = (url: string): string => url.replace(/\/+$/, '')
const lowered = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
