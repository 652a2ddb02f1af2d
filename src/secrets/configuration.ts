import type { ConfigurationFile } from '../configuration-file.js'
import { vaultAddressFault } from '../configuration-file.js'
import { Secret } from '../custody/secret.js'
import { patternFault } from './reference.js'
import { NO_BACKENDS, type SecretSettings, type VaultSettings } from './settings.js'

type Env = Readonly<Record<string, string | undefined>>

/**
 * Backends from the environment, by the names their own programs use, and from the configuration file, which wins. A
 * reference in the configuration file needs no leave, one through the API needs a backend that is set up.
 *
 * @param patterns SPENDGATE_SECRET_REFS
 * @param faults gets a sentence for each thing wrong
 */
export function secretSettings(
  env: Env,
  patterns: readonly string[],
  { secrets, credentials }: ConfigurationFile,
  faults: string[],
): SecretSettings {
  for (const pattern of patterns) {
    const fault = patternFault(pattern)
    if (fault !== null) faults.push(`SPENDGATE_SECRET_REFS: ${fault}`)
  }
  const allow = secrets.allow || patterns.length > 0 ? [...(secrets.allow ?? []), ...patterns] : null
  const named = (scheme: string): boolean => allow?.some((pattern) => pattern.startsWith(`${scheme}://`)) ?? false
  const aws = secrets.aws ?? (named('aws-sm') ? {} : null)
  const { refreshMs = NO_BACKENDS.refreshMs, keepMs = Math.max(refreshMs * 2, NO_BACKENDS.keepMs) } = secrets
  if (keepMs <= refreshMs)
    faults.push(
      'secrets.keep must be longer than secrets.refresh, or no secret could be used until it is asked for again.',
    )
  return {
    refreshMs,
    keepMs,
    vault: vaultIn(env, secrets.vault, faults),
    aws: aws && { region: aws.region ?? null, profile: aws.profile ?? null },
    op: secrets.op ?? (named('op') || OP_SIGNED_IN.some((name) => (env[name] ?? '') !== '')),
    allow,
    credentials,
  }
}

/** How a server signs in to 1Password (developer.1password.com/docs/cli/environment-variables, November 2026). */
const OP_SIGNED_IN = ['OP_SERVICE_ACCOUNT_TOKEN', 'OP_CONNECT_TOKEN']

function vaultIn(env: Env, given: ConfigurationFile['secrets']['vault'], faults: string[]): VaultSettings | null {
  const address = given?.address ?? env.VAULT_ADDR?.replace(/\/$/, '')
  if (!address) return null
  const tokenFile = given?.tokenFile ?? env.VAULT_TOKEN_FILE
  const token = given?.tokenFile === undefined ? env.VAULT_TOKEN : undefined
  // Somebody's shell may have an address alone; without a token it is no backend.
  if (!token && !tokenFile) {
    if (given !== undefined)
      faults.push('secrets.vault needs a token: token_file beside its address, or VAULT_TOKEN_FILE or VAULT_TOKEN.')
    return null
  }
  if (token && tokenFile) faults.push('Both VAULT_TOKEN and VAULT_TOKEN_FILE are set. Set one.')
  const fault = vaultAddressFault(address)
  if (fault !== null) {
    faults.push(`VAULT_ADDR ${fault}`)
    return null
  }
  return {
    address,
    token: token ? new Secret(token) : null,
    tokenFile: tokenFile || null,
    namespace: given?.namespace ?? env.VAULT_NAMESPACE ?? '',
  }
}
