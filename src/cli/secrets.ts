import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { SecretParts } from '../contracts/vendor.js'
import type { Context } from './context.js'
import { CliFault, Exit, notFound, usage } from './exit.js'

/** Where a secret comes from. Never the command line: that is in the shell history and in every process list. */
export interface SecretOptions {
  readonly secretStdin?: boolean
  readonly secretEnv?: string
  readonly secretFile?: string
}

/** Where the secret comes from that a vendor signs its webhooks with. Absent: there is none, or it stays as it is. */
export interface WebhookOptions {
  readonly webhookSecretStdin?: boolean
  readonly webhookSecretEnv?: string
  readonly webhookSecretFile?: string
}

/** Identifiers that go with a Twilio secret. They are no secrets themselves. */
export interface AccountOptions {
  readonly accountSid?: string
  readonly apiKeySid?: string
}

/** Vendors whose credentials the command knows how to ask for. */
export const VENDORS = ['stripe', 'twilio', 'resend'] as const
export type VendorName = (typeof VENDORS)[number]

export function vendorNamed(text: string): VendorName {
  const found = VENDORS.find((vendor) => vendor === text.toLowerCase())
  if (found !== undefined) return found
  throw usage(`spendgate knows no vendor "${text}". Vendors: ${VENDORS.join(', ')}.`)
}

/** Whether a credential of this vendor is one that the command knows how to ask for; null for a vendor by configuration. */
export const catalogued = (text: string): VendorName | null =>
  VENDORS.find((vendor) => vendor === text.toLowerCase()) ?? null

/** The parts of a vendor's credential, by the names the admin API takes. */
export async function credentialParts(
  context: Context,
  vendor: VendorName,
  options: SecretOptions & AccountOptions,
): Promise<SecretParts> {
  const given = await givenSecret(context, options)
  if (given?.startsWith('{')) return partsFromJson(given)
  if (vendor !== 'twilio') {
    const question =
      vendor === 'stripe' ? 'Stripe key (hidden; a restricted key rk_… is best): ' : 'Resend key (hidden): '
    return { api_key: given ?? (await askedFor(context, question, true)) }
  }
  const account = options.accountSid ?? (await askedFor(context, 'Twilio account SID (AC…): ', false))
  const apiKey =
    options.apiKeySid ??
    (given === null ? await answered(context, "API key SID (SK…; empty: use the account's auth token): ", false) : '')
  const secret =
    given ?? (await askedFor(context, apiKey === '' ? 'Auth token (hidden): ' : 'API key secret (hidden): ', true))
  return apiKey === ''
    ? { account_sid: account, auth_token: secret }
    : { account_sid: account, api_key_sid: apiKey, api_key_secret: secret }
}

/** The part that webhooks are signed with, if a source is named for it. */
export async function webhookParts(
  context: Context,
  { webhookSecretStdin, webhookSecretEnv, webhookSecretFile }: WebhookOptions,
  of: SecretOptions,
): Promise<SecretParts> {
  if (webhookSecretStdin === true && of.secretStdin === true)
    throw usage('Standard input holds one secret: take the other from a file or an environment variable.')
  const secret = await givenSecret(context, {
    ...(webhookSecretStdin !== undefined && { secretStdin: webhookSecretStdin }),
    ...(webhookSecretEnv !== undefined && { secretEnv: webhookSecretEnv }),
    ...(webhookSecretFile !== undefined && { secretFile: webhookSecretFile }),
  })
  return secret === null ? {} : { webhook_secret: secret }
}

/** True when the options name a source, so that nobody has to be asked. */
export const namesSource = (options: SecretOptions): boolean =>
  options.secretStdin === true || options.secretEnv !== undefined || options.secretFile !== undefined

export async function givenSecret(context: Context, options: SecretOptions): Promise<string | null> {
  const sources = [options.secretStdin === true, options.secretEnv !== undefined, options.secretFile !== undefined]
  if (sources.filter(Boolean).length > 1) throw usage('Give one of --secret-stdin, --secret-env and --secret-file.')
  if (options.secretStdin === true) return cleaned(await context.io.readStdin(SECRET_BYTES_MAX), 'standard input')
  if (options.secretEnv !== undefined) {
    const text = context.io.env[options.secretEnv]
    if (text === undefined)
      throw usage(`--secret-env takes the name of an environment variable, and there is none of the name given.`)
    return cleaned(text, 'that variable')
  }
  if (options.secretFile !== undefined) return cleaned(secretFile(context, options.secretFile), options.secretFile)
  return null
}
const SECRET_BYTES_MAX = 64 * 1024

function secretFile(context: Context, file: string): string {
  try {
    return readFileSync(resolve(context.io.cwd, file), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw notFound(`There is no file ${file}.`)
    throw new CliFault(Exit.failure, `${file} cannot be read (${code ?? 'unknown fault'}).`, { cause: error })
  }
}

function cleaned(text: string, from: string): string {
  const secret = text.trim()
  if (secret === '') throw usage(`There is no secret in ${from}.`)
  if (!secret.startsWith('{') && /\s/.test(secret))
    throw usage(`What is in ${from} has spaces or line breaks inside: one secret and nothing else, please.`)
  return secret
}

/** Several parts at once, as `{"account_sid": …}`: for scripts that hold a whole Twilio credential. */
export function partsFromJson(text: string): SecretParts {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    // The parser's message would quote the secret.
    if (error instanceof SyntaxError) throw usage('The secret begins with { but is not JSON.')
    throw error
  }
  const parts = Object.entries(value as object)
  if (parts.some(([, part]) => typeof part !== 'string'))
    throw usage('Every part of a secret given as JSON must be text.')
  return Object.fromEntries(parts) as SecretParts
}

export async function askedFor(context: Context, question: string, hidden: boolean): Promise<string> {
  const answer = (await answered(context, question, hidden)).trim()
  if (answer === '') throw usage('Nothing was entered, and nothing was sent.')
  if (/\s/.test(answer)) throw usage('What was entered has spaces inside, and nothing was sent.')
  return answer
}

async function answered(context: Context, question: string, hidden: boolean): Promise<string> {
  if (context.io.ask === null) {
    throw usage(
      'There is no terminal to ask at: give the secret by --secret-stdin, --secret-env NAME or --secret-file F ' +
        '(Twilio: with --account-sid and --api-key-sid).',
    )
  }
  return (await context.io.ask(question, hidden)).trim()
}

const VENDOR_KEY =
  /(?:^|[=:,\s])(?:(?:sk|rk)_(?:live|test|org)_|whsec_|re_(?!vault_)[A-Za-z0-9]{6,}_[A-Za-z0-9]{12,}|gh[opsur]_[A-Za-z0-9]{20,}|github_pat_|sk-ant-|sk-proj-|xox[abeoprs]-|shp(?:at|ca|pa|ua)_|SG\.[\w-]{16,})/
const VAULT_KEY = /vault_(?:live|test)_[A-Za-z0-9]{16,}/

/** Refuses a command line that carries a secret, without repeating it. Null when there is none. */
export function secretOnCommandLine(argv: readonly string[]): CliFault | null {
  if (argv.some((word) => VENDOR_KEY.test(word))) {
    const message =
      'A vendor key is on the command line, where the shell history and every process can read it. It was not used. ' +
      'Roll it, then give it by prompt, --secret-stdin, --secret-env NAME or --secret-file F.'
    return new CliFault(Exit.usage, message, { code: 'secret_on_command_line' })
  }
  if (argv.some((word) => VAULT_KEY.test(word))) {
    const message =
      'A vault key is on the command line, where the shell history and every process can read it. ' +
      'Name a key by its id (key_…); "spendgate key list" shows them.'
    return new CliFault(Exit.usage, message, { code: 'secret_on_command_line' })
  }
  return null
}
