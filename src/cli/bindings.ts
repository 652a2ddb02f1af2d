import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import type { SecretParts } from '../contracts/vendor.js'
import type { Context } from './context.js'
import { notFound, usage } from './exit.js'
import { askedFor, givenSecret, partsFromJson, type SecretOptions } from './secrets.js'

/** How a vendor by configuration is reached, as options say it. */
export interface BindingOptions {
  readonly baseUrl?: string
  /** `bearer`, `basic`, `header:<name>`, `query:<name>`, `hmac` or `oauth2`. */
  readonly auth?: string
  readonly authFile?: string
  readonly header?: readonly string[]
  readonly username?: string
  readonly keyId?: string
  readonly clientId?: string
  readonly grantUrl?: string
  readonly scope?: string
}

/** What goes to the admin API beside the secret. What is left out comes from what is known of the vendor. */
export interface BindingParts {
  readonly base_url?: string
  readonly auth?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

/** Vendors whose address and scheme the server knows. */
export const PRESETS: readonly string[] = ['anthropic', 'github', 'openai', 'postmark', 'sendgrid', 'shopify', 'slack']

/** Whether the options speak of a vendor by configuration at all. */
export const namesBinding = (options: BindingOptions): boolean =>
  [options.baseUrl, options.auth, options.authFile, options.header].some((said) => said !== undefined)

export function bindingParts(context: Context, options: BindingOptions): BindingParts {
  if (options.auth !== undefined && options.authFile !== undefined) throw usage('Give --auth or --auth-file, not both.')
  const auth = options.authFile === undefined ? authIn(options) : authFrom(context, options.authFile)
  return {
    ...(options.baseUrl === undefined ? {} : { base_url: options.baseUrl }),
    ...(auth === null ? {} : { auth }),
    ...(options.header === undefined ? {} : { headers: headersIn(options.header) }),
  }
}

function authIn({ auth, grantUrl, scope }: BindingOptions): Readonly<Record<string, unknown>> | null {
  if (auth === undefined) return null
  const [scheme = '', name] = auth.split(':', 2)
  switch (scheme) {
    case 'bearer':
    case 'basic':
    case 'hmac':
      if (name === undefined) return { scheme }
      break
    case 'header':
    case 'query':
      if (name) return { scheme, name }
      throw usage(
        `--auth ${scheme} needs the name of the ${scheme === 'header' ? 'header' : 'parameter'}: ${scheme}:NAME.`,
      )
    case 'oauth2':
      if (grantUrl === undefined) throw usage('--auth oauth2 needs --grant-url, where access tokens are asked for.')
      return { scheme, token_url: grantUrl, ...(scope === undefined ? {} : { scope }) }
  }
  throw usage('--auth must be bearer, basic, header:NAME, query:NAME, hmac or oauth2.')
}

/** The whole of it as JSON, for what has no option of its own. */
function authFrom(context: Context, file: string): Readonly<Record<string, unknown>> {
  let text: string
  try {
    text = readFileSync(resolve(context.io.cwd, file), 'utf8')
  } catch (error) {
    throw notFound(`${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown fault'}).`)
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Said below: what stands in it may be anything.
  }
  throw usage(`${file} is no JSON object such as {"scheme": "header", "name": "Authorization", "prefix": "Token "}.`)
}

function headersIn(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at <= 0) throw usage(`--header takes NAME=VALUE, not "${pair}".`)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )
}

/** The secret of a vendor by configuration: one text, or the parts its scheme has. */
export async function boundSecret(
  context: Context,
  scheme: string | null,
  options: BindingOptions & SecretOptions,
): Promise<SecretParts> {
  const given = await givenSecret(context, options)
  if (given?.startsWith('{')) return partsFromJson(given)
  const secret = async (question: string): Promise<string> => given ?? (await askedFor(context, question, true))
  switch (scheme) {
    case 'basic': {
      const username = options.username ?? (await askedFor(context, 'User name: ', false))
      return { username, password: await secret('Password (hidden): ') }
    }
    case 'oauth2': {
      const id = options.clientId ?? (await askedFor(context, 'Client id: ', false))
      return { client_id: id, client_secret: await secret('Client secret (hidden): ') }
    }
    case 'hmac': {
      const token = await secret('Signing key (hidden): ')
      return options.keyId === undefined ? { token } : { token, key_id: options.keyId }
    }
    default:
      return { token: await secret('Key (hidden): ') }
  }
}
