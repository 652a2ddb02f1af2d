import {
  bindingParts,
  boundSecret,
  namesBinding,
  PRESETS,
  type BindingOptions,
  type BindingParts,
} from '../bindings.js'
import type { Context } from '../context.js'
import { Exit, usage } from '../exit.js'
import { findCredential } from '../find.js'
import { facts, instant, safe, table } from '../output.js'
import { referredSecret, type ReferenceOptions } from '../references.js'
import type { CredentialReply } from '../replies.js'
import {
  catalogued,
  credentialParts,
  namesSource,
  VENDORS,
  webhookParts,
  type AccountOptions,
  type SecretOptions,
  type WebhookOptions,
} from '../secrets.js'

export async function add(
  context: Context,
  options: SecretOptions &
    AccountOptions &
    WebhookOptions &
    VersionOption &
    ReferenceOptions &
    BindingOptions & { readonly name?: string },
  vendorText: string,
): Promise<number> {
  const known = catalogued(vendorText)
  if (known !== null && namesBinding(options))
    throw usage(`${known} has addresses and ways of its own: leave out --base-url, --auth and --header.`)
  if (known === null && options.baseUrl === undefined && !PRESETS.includes(vendorText))
    throw usage(
      `spendgate knows no vendor "${vendorText}". It knows ${[...VENDORS, ...PRESETS].join(', ')}; of any other HTTP API say where it is: --base-url URL --auth SCHEME.`,
    )
  const binding = known === null ? bindingParts(context, options) : {}
  const webhook = await webhookParts(context, options, options)
  const referred = referredSecret(options)
  const key =
    referred?.secret ??
    (referred !== null
      ? {}
      : known === null
        ? await boundSecret(context, schemeOf(binding), options)
        : await credentialParts(context, known, options))
  const api = await context.api()
  const made = await api.post<CredentialReply>('/credentials', {
    vendor: known ?? vendorText,
    name: options.name ?? known ?? vendorText,
    ...binding,
    secret: { ...key, ...webhook },
    ...(referred && { secret_ref: referred.secret_ref }),
    ...pinned(options),
  })
  if (context.json) context.reply(made)
  else {
    context.show(
      `Stored ${safe(made.id)}  ${safe(made.vendor)}/${safe(made.name)}  …${safe(made.last4)}  fingerprint ${safe(made.fingerprint)}\n`,
    )
    context.say(`Next:  spendgate key create NAME --policy POLICY --credential ${made.id}`)
  }
  return Exit.ok
}

/** Absent where the vendor's own is known. All that are known take one text. */
const schemeOf = ({ auth }: BindingParts): string | null => (auth === undefined ? null : String(auth.scheme))

interface VersionOption {
  readonly apiVersion?: string
}
const pinned = ({ apiVersion }: VersionOption) => (apiVersion === undefined ? {} : { api_version: apiVersion })

export async function list(context: Context): Promise<number> {
  const api = await context.api()
  const credentials = await api.all<CredentialReply>('/credentials', 'credentials')
  if (context.json) context.reply({ credentials, next_cursor: null })
  else if (credentials.length === 0)
    context.say('There are no credentials. Store one:  spendgate credential add stripe')
  else context.show(table(context.style, COLUMNS, credentials.map(row)))
  return Exit.ok
}
const COLUMNS = ['ID', 'VENDOR', 'NAME', 'ACCOUNT', 'MODE', 'LAST4', 'FINGERPRINT', 'CREATED (UTC)'].map((title) => ({
  title,
}))

const row = (c: CredentialReply): string[] => [
  c.id,
  c.vendor,
  c.name,
  c.account ?? '',
  mode(c),
  c.last4,
  c.fingerprint,
  instant(c.created_at),
]
const mode = ({ test }: CredentialReply): string => (test === undefined ? '–' : test ? 'test' : 'live')

export async function show(context: Context, _options: unknown, text: string): Promise<number> {
  const credential = await findCredential(await context.api(), text)
  if (context.json) context.reply(credential)
  else {
    context.show(`${safe(credential.id)}\n`)
    context.show(
      facts(context.style, [
        ['vendor', credential.vendor],
        ['name', credential.name],
        ['account', credential.account],
        ['mode', mode(credential)],
        ['API version', credential.api_version ?? null],
        ['last four', credential.last4],
        ['fingerprint', credential.fingerprint],
        ['kept', keptAt(credential)],
        ['created', instant(credential.created_at)],
        ['rotated', (credential.rotated_at ?? null) === null ? null : instant(credential.rotated_at)],
      ]),
    )
  }
  return Exit.ok
}

/** Where the secret is; null where it is stored here. */
function keptAt({ secret_ref: place }: CredentialReply): string | null {
  if (place === undefined) return null
  if (typeof place === 'string') return place === 'configuration' ? 'where the configuration file says' : place
  return Object.entries(place)
    .map(([part, text]) => `${part}: ${text}`)
    .join(', ')
}

export async function rotate(
  context: Context,
  options: SecretOptions & AccountOptions & WebhookOptions & VersionOption & ReferenceOptions,
  text: string,
): Promise<number> {
  const api = await context.api()
  const credential = await findCredential(api, text)
  const account = options.accountSid ?? (credential.vendor === 'twilio' ? accountOf(credential) : undefined)
  const known = catalogued(credential.vendor)
  const webhook = await webhookParts(context, options, options)
  // A new secret for webhooks alone leaves the key as it is.
  const referred = referredSecret({ ...options, ...(account === undefined ? {} : { accountSid: account }) })
  const alone = webhook.webhook_secret !== undefined && !namesSource(options)
  const key =
    referred !== null || alone
      ? (referred?.secret ?? {})
      : known === null
        ? await boundSecret(context, null, options)
        : await credentialParts(context, known, {
            ...options,
            ...(account === undefined ? {} : { accountSid: account }),
          })
  const secret = { ...key, ...webhook }
  const rotated = await api.post<CredentialReply>(`/credentials/${encodeURIComponent(credential.id)}/rotate`, {
    secret,
    ...(referred && { secret_ref: referred.secret_ref }),
    ...pinned(options),
  })
  if (context.json) context.reply(rotated)
  else
    context.show(
      `Rotated ${safe(credential.id)}  ${safe(credential.vendor)}/${safe(credential.name)}  …${safe(rotated.last4 ?? '')}  vault keys stay as they are\n`,
    )
  return Exit.ok
}

/** Asks for a secret again where it is kept: after it was exchanged there, and before five minutes are over. */
export async function refresh(context: Context, _options: unknown, text: string): Promise<number> {
  const api = await context.api()
  const credential = await findCredential(api, text)
  const now = await api.post<CredentialReply>(`/credentials/${encodeURIComponent(credential.id)}/rotate`, {})
  const same = now.fingerprint === credential.fingerprint
  if (context.json) context.reply({ ...now, changed: !same })
  else
    context.show(
      `${same ? 'The same secret as before' : 'A new secret is in force'}: ${safe(now.id)}  ${safe(now.vendor)}/${safe(now.name)}  …${safe(now.last4)}
`,
    )
  return Exit.ok
}

/** A rotation keeps the account, so it need not be typed again. */
const accountOf = ({ account }: CredentialReply): string | undefined => (account === '' ? undefined : account)

export async function remove(context: Context, _options: unknown, text: string): Promise<number> {
  const api = await context.api()
  const credential = await findCredential(api, text)
  await api.delete(`/credentials/${encodeURIComponent(credential.id)}`)
  if (context.json) context.reply({ id: credential.id, removed: true })
  else context.show(`Removed ${safe(credential.id)}  ${safe(credential.vendor)}/${safe(credential.name)}\n`)
  return Exit.ok
}
