import type { Context } from '../context.js'
import { Exit } from '../exit.js'
import { findCredential } from '../find.js'
import { facts, instant, safe, table } from '../output.js'
import type { CredentialReply } from '../replies.js'
import {
  credentialParts,
  namesSource,
  vendorNamed,
  webhookParts,
  type AccountOptions,
  type SecretOptions,
  type WebhookOptions,
} from '../secrets.js'

export async function add(
  context: Context,
  options: SecretOptions & AccountOptions & WebhookOptions & VersionOption & { readonly name?: string },
  vendorText: string,
): Promise<number> {
  const vendor = vendorNamed(vendorText)
  const webhook = await webhookParts(context, options, options)
  const secret = { ...(await credentialParts(context, vendor, options)), ...webhook }
  const api = await context.api()
  const made = await api.post<CredentialReply>('/credentials', {
    vendor,
    name: options.name ?? vendor,
    secret,
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
        ['created', instant(credential.created_at)],
        ['rotated', (credential.rotated_at ?? null) === null ? null : instant(credential.rotated_at)],
      ]),
    )
  }
  return Exit.ok
}

export async function rotate(
  context: Context,
  options: SecretOptions & AccountOptions & WebhookOptions & VersionOption,
  text: string,
): Promise<number> {
  const api = await context.api()
  const credential = await findCredential(api, text)
  const account = options.accountSid ?? (credential.vendor === 'twilio' ? accountOf(credential) : undefined)
  const webhook = await webhookParts(context, options, options)
  // A new secret for webhooks alone leaves the key as it is.
  const alone = webhook.webhook_secret !== undefined && !namesSource(options)
  const key = alone
    ? {}
    : await credentialParts(context, vendorNamed(credential.vendor), {
        ...options,
        ...(account === undefined ? {} : { accountSid: account }),
      })
  const secret = { ...key, ...webhook }
  const rotated = await api.post<CredentialReply>(`/credentials/${encodeURIComponent(credential.id)}/rotate`, {
    secret,
    ...pinned(options),
  })
  if (context.json) context.reply(rotated)
  else
    context.show(
      `Rotated ${safe(credential.id)}  ${safe(credential.vendor)}/${safe(credential.name)}  …${safe(rotated.last4 ?? '')}  vault keys stay as they are\n`,
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
