import { usage } from './exit.js'
import { namesSource, type AccountOptions, type SecretOptions } from './secrets.js'

/** Where the server finds a secret, in place of the secret. A reference is no secret, so a flag may take it. */
export interface ReferenceOptions {
  readonly secretRef?: readonly string[]
}

/** What the admin API takes for a secret that is kept elsewhere. */
export interface ReferredSecret {
  readonly secret_ref: string | Readonly<Record<string, string>>
  /** Parts that are no secrets. */
  readonly secret?: Readonly<Record<string, string>>
}

/** Null when the secret itself is to be given. */
export function referredSecret(options: ReferenceOptions & SecretOptions & AccountOptions): ReferredSecret | null {
  const given = options.secretRef ?? []
  if (given.length === 0) return null
  if (namesSource(options)) throw usage('Give the secret or --secret-ref, not both.')
  const plain = {
    ...(options.accountSid !== undefined && { account_sid: options.accountSid }),
    ...(options.apiKeySid !== undefined && { api_key_sid: options.apiKeySid }),
  }
  const named = given.map((text) => /^([a-z_]{1,40})=(.+)$/.exec(text))
  if (named.some((each) => each === null) && given.length > 1)
    throw usage('Several references need the name of their part: --secret-ref PART=REFERENCE.')
  const secret_ref =
    named[0] === null ? given[0]! : Object.fromEntries(named.map((each) => [each![1]!, each![2]!] as const))
  return { secret_ref, ...(Object.keys(plain).length > 0 && { secret: plain }) }
}
