import type { Clock } from '../contracts/clock.js'
import { CustodyFault } from '../custody/fault.js'
import { readMountedFile } from '../custody/own-files.js'
import { Upstream } from '../wire/upstream.js'
import { SecretFault } from './fault.js'
import type { Reference } from './reference.js'
import type { VaultSettings } from './settings.js'

const REPLY_BYTES_MAX = 64 * 1024
const ASK_MS_MAX = 5_000

/**
 * The key-value store, version 2, of a HashiCorp Vault (or OpenBao) by its HTTP API: `GET /v1/<mount>/data/<path>`
 * (developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2, November 2026). Always the latest version, so that a rotation
 * there is one here.
 */
export class HashicorpVault {
  readonly #settings: VaultSettings
  readonly #upstream: Upstream

  constructor(settings: VaultSettings, clock: Clock, askMs = ASK_MS_MAX) {
    this.#settings = settings
    this.#upstream = new Upstream({ timeoutMs: askMs, clock })
  }

  /**
   * All fields of the secret.
   *
   * @throws SecretFault
   */
  async fields({ path, text }: Reference & { readonly scheme: 'vault' }): Promise<Readonly<Record<string, unknown>>> {
    const { address, namespace } = this.#settings
    const at = new URL(`${address}/v1/${path}`)
    const headers = ['host', at.host, 'x-vault-token', this.#token(), 'x-vault-request', 'true']
    if (namespace !== '') headers.push('x-vault-namespace', namespace)
    headers.push('accept-encoding', 'identity', 'user-agent', 'spendgate')
    const result = await this.#upstream.send(
      { origin: at.origin, method: 'GET', target: at.pathname, headers, body: null },
      () => null,
      undefined,
      // The time-out is for the whole reply, so that one which trickles does not hold a refresh up.
      { bytesMax: REPLY_BYTES_MAX, enough: () => false },
    )
    if (result.kind === 'withheld') throw new SecretFault(`${text}: it was not asked for.`)
    if (result.kind === 'fault')
      throw new SecretFault(
        `${text}: Vault ${result.timedOut ? 'did not answer in time' : 'gave no whole answer'} at ${at.origin} (${result.message}).`,
      )
    if (result.status !== 200) throw new SecretFault(`${text}: ${refused(result.status, at.origin)}`)
    const fields = fieldsIn(result.body)
    if (fields === null) throw new SecretFault(`${text}: Vault's answer has no fields of a KV version 2 secret in it.`)
    return fields
  }

  close(): Promise<void> {
    return this.#upstream.close()
  }

  #token(): string {
    const { token, tokenFile } = this.#settings
    try {
      const text = token?.reveal() ?? readMountedFile(tokenFile!)
      if (/^[\x21-\x7e]+$/.test(text)) return text
    } catch (cause) {
      if (cause instanceof CustodyFault) throw new SecretFault(`The token for Vault: ${cause.message}`, { cause })
      throw cause
    }
    throw new SecretFault('The token for Vault has characters that no token has.')
  }
}

/** Of a refusal only the status is told: the text may quote what was asked with. */
function refused(status: number, origin: string): string {
  if (status >= 300 && status < 400)
    return `Vault at ${origin} answered with a redirect (${status}), which is not followed: the token would go with it. Name the active node, or the load balancer before it.`
  if (status === 403) return 'Vault answered 403: its token has no policy that reads this path, or is over.'
  if (status === 404) return 'Vault answered 404: there is no such secret, or its latest version was deleted.'
  if (status === 503) return `Vault at ${origin} answered 503: it is sealed or starting.`
  return `Vault at ${origin} answered ${status}.`
}

function fieldsIn(body: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value = JSON.parse(body.toString('utf8')) as { readonly data?: { readonly data?: unknown } | null } | null
    const fields = value?.data?.data
    return typeof fields === 'object' && fields !== null && !Array.isArray(fields)
      ? (fields as Readonly<Record<string, unknown>>)
      : null
  } catch {
    return null // Not JSON: the caller says so, without quoting it.
  }
}
