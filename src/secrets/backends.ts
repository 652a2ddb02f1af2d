import type { Clock } from '../contracts/clock.js'
import { CustodyFault } from '../custody/fault.js'
import { readMountedFile } from '../custody/own-files.js'
import { printedBy, ProgramFault, type Environment } from '../custody/program.js'
import { SecretFault } from './fault.js'
import { HashicorpVault } from './hashicorp.js'
import { covers, isRemote, named, type Reference, type RemoteScheme } from './reference.js'
import type { SecretSettings } from './settings.js'

const FILE_BYTES_MAX = 64 * 1024
const VALUE_CHARS_MAX = 4096

/** What a reference gave: one value, or several by name where it names no field. */
export type Given = string | Readonly<Record<string, string>>

/** The places secrets are fetched from. One fetch for a reference at a time, however many ask. */
export class Backends {
  readonly #settings: SecretSettings
  readonly #environment: Environment
  readonly #vault: HashicorpVault | null
  readonly #underWay = new Map<string, Promise<Given>>()
  readonly #closing = new AbortController()

  constructor(settings: SecretSettings, clock: Clock, environment: Environment = process.env) {
    this.#settings = settings
    this.#environment = environment
    this.#vault = settings.vault && new HashicorpVault(settings.vault, clock)
  }

  /** Why the admin API may not refer to this, as a sentence; null when it may. */
  refusal(reference: Reference): string | null {
    const { scheme, text } = reference
    if (!isRemote(scheme))
      return `${scheme}: references stand in the configuration file only (SPENDGATE_CONFIG): through the API, whoever has an admin token could have this machine's own files and programs read and sent to a vendor.`
    if (!this.#isSetUp(scheme)) return `This server has no ${NAMES[scheme]}. ${SET_UP[scheme]}`
    const { allow } = this.#settings
    if (allow === null || allow.some((pattern) => covers(pattern, reference))) return null
    return `${text} is not among what this server may refer to (SPENDGATE_SECRET_REFS, or secrets.allow in the configuration file).`
  }

  /** @throws SecretFault */
  ask(reference: Reference): Promise<Given> {
    const { text } = reference
    let under = this.#underWay.get(text)
    if (under === undefined) {
      under = this.#answer(reference).finally(() => this.#underWay.delete(text))
      this.#underWay.set(text, under)
    }
    return under
  }

  /** Ends what is under way, programs among it. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#vault?.close()
    await Promise.allSettled(this.#underWay.values())
  }

  #isSetUp(scheme: RemoteScheme): boolean {
    const { vault, aws, op } = this.#settings
    return scheme === 'vault' ? vault !== null : scheme === 'aws-sm' ? aws !== null : op
  }

  async #answer(reference: Reference): Promise<Given> {
    switch (reference.scheme) {
      case 'vault': {
        if (this.#vault === null) throw new SecretFault(`${reference.text}: ${SET_UP.vault}`)
        return fieldOf(await this.#vault.fields(reference), reference)
      }
      case 'aws-sm':
        return structured(
          secretString(await this.#printed(reference, this.#awsArgv(reference.name)), reference),
          reference,
        )
      case 'op':
        return valueIn(await this.#printed(reference, ['op', 'read', '--no-newline', reference.text]), reference)
      case 'exec': {
        const shown = { ...reference, text: named(reference) }
        return structured(await this.#printed(shown, reference.argv), shown)
      }
      case 'env': {
        const value = this.#environment[reference.name]
        if (value === undefined) throw new SecretFault(`${reference.text}: there is no such variable.`)
        return structured(value, reference)
      }
      case 'file':
        return structured(fromFile(reference), reference)
    }
  }

  /** Fixed but for the name, which no option can be mistaken for. The pager and colours of a person's shell are not wanted. */
  #awsArgv(name: string): readonly string[] {
    const { region = null, profile = null } = this.#settings.aws ?? {}
    return [
      'aws',
      'secretsmanager',
      'get-secret-value',
      `--secret-id=${name}`,
      '--output=json',
      ...(region === null ? [] : [`--region=${region}`]),
      ...(profile === null ? [] : [`--profile=${profile}`]),
    ]
  }

  async #printed({ text }: Reference, argv: readonly string[]): Promise<string> {
    try {
      return await printedBy(argv, { ...this.#environment, AWS_PAGER: '' }, undefined, this.#closing.signal)
    } catch (cause) {
      if (cause instanceof ProgramFault) throw new SecretFault(`${text}: ${cause.message}`, { cause })
      throw cause
    }
  }
}

const NAMES: Readonly<Record<RemoteScheme, string>> = {
  vault: 'HashiCorp Vault',
  'aws-sm': 'AWS Secrets Manager',
  op: '1Password',
}
const SET_UP: Readonly<Record<RemoteScheme, string>> = {
  vault: 'Set VAULT_ADDR and VAULT_TOKEN_FILE (or VAULT_TOKEN), or secrets.vault in the configuration file.',
  'aws-sm': 'Name what may be referred to in SPENDGATE_SECRET_REFS, or set secrets.aws in the configuration file.',
  op: 'Set OP_SERVICE_ACCOUNT_TOKEN, or secrets.op in the configuration file.',
}

function fromFile({ path, text }: Reference & { readonly scheme: 'file' }): string {
  try {
    return readMountedFile(path, FILE_BYTES_MAX)
  } catch (cause) {
    if (cause instanceof CustodyFault) throw new SecretFault(`${text}: ${cause.message}`, { cause })
    throw cause
  }
}

/** The aws command prints the whole answer of GetSecretValue. A binary secret is no key of a vendor's. */
function secretString(printed: string, { text }: Reference): string {
  const answer = objectIn(printed)
  const value = answer?.SecretString
  if (typeof value === 'string') return value
  throw new SecretFault(`${text}: the answer of the aws command has no SecretString in it.`)
}

/** A text that is an object gives its fields; one that is none is the value itself. */
function structured(text: string, reference: Reference): Given {
  const fields = text.trimStart().startsWith('{') ? objectIn(text) : null
  if (fields !== null) return fieldOf(fields, reference)
  if ('field' in reference && reference.field !== null)
    throw new SecretFault(`${reference.text}: what is kept there has no fields, it is no JSON object.`)
  return valueIn(text, reference)
}

function fieldOf(fields: Readonly<Record<string, unknown>>, reference: Reference): Given {
  const field = 'field' in reference && reference.scheme !== 'op' ? reference.field : null
  if (field === null) {
    const texts = Object.entries(fields).filter(([name]) => PART.test(name))
    return Object.fromEntries(texts.map(([name, value]) => [name, valueIn(value, reference, name)]))
  }
  if (!Object.hasOwn(fields, field))
    throw new SecretFault(`${reference.text}: there is no field ${field} in what is kept there.`)
  return valueIn(fields[field], reference)
}
/** Parts of credentials have such names; what else is noted beside a secret is none of them. */
const PART = /^[a-z_]{1,40}$/

function valueIn(value: unknown, { text }: Reference, name?: string): string {
  const what = name === undefined ? 'what is kept there' : `the field ${name}`
  if (typeof value !== 'string') throw new SecretFault(`${text}: ${what} is no text.`)
  const line = value.replace(/\r?\n$/, '')
  if (line === '') throw new SecretFault(`${text}: ${what} is empty.`)
  if (line.length > VALUE_CHARS_MAX)
    throw new SecretFault(`${text}: ${what} has more than ${VALUE_CHARS_MAX} characters.`)
  // It goes into a header. A key in several lines is a certificate, or two keys.
  if (/[\p{Cc}\u2028\u2029]/u.test(line)) throw new SecretFault(`${text}: ${what} has control characters in it.`)
  return line
}

function objectIn(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null
  } catch {
    return null // Not JSON: the caller says so, without quoting it.
  }
}
