import { argvIn, printedAtStart, ProgramFault, type Environment } from './program.js'
import { CustodyFault } from './fault.js'
import { readMountedFile } from './own-files.js'

/** Names of the four variables that can say where a master key is: itself, a file, the system's keychain, a command. */
export type SourceVariables<Name extends string> = {
  readonly [key in Name | `${Name}_FILE` | `${Name}_KEYCHAIN` | `${Name}_COMMAND`]?: string | undefined
}

/** The place that the environment names for a key. */
export interface NamedSource {
  readonly variable: string
  /** For messages; of a command the program alone, because arguments may be confidential. */
  readonly shown: string
  /** @throws CustodyFault */
  read(): string
}

const ENDINGS = ['', '_FILE', '_KEYCHAIN', '_COMMAND'] as const

/**
 * The one source that is named, or null when none is.
 *
 * @throws CustodyFault when several are, whether or not they agree today: nobody could say which holds tomorrow
 */
export function namedSource<Name extends string>(
  env: SourceVariables<Name>,
  name: Name,
  environment: Environment = process.env,
): NamedSource | null {
  const values = env as Readonly<Record<string, string | undefined>>
  const set = ENDINGS.filter((ending) => (values[`${name}${ending}`]?.trim() ?? '') !== '')
  if (set.length === 0) return null
  if (set.length > 1) {
    const names = set.map((ending) => `${name}${ending}`)
    throw new CustodyFault(
      `both ${names.slice(0, -1).join(', ')} and ${names.at(-1)} are set. Unset all but one, so that it is clear which of them holds.`,
    )
  }
  const ending = set[0]!
  const variable = `${name}${ending}`
  const value = values[variable]!.trim()
  switch (ending) {
    case '':
      return { variable, shown: variable, read: () => value }
    case '_FILE':
      return { variable, shown: `${variable} (${value})`, read: () => readMountedFile(value) }
    case '_KEYCHAIN':
      return keychain(variable, value, environment)
    case '_COMMAND':
      return command(variable, value, environment)
  }
}

function command(variable: string, value: string, environment: Environment): NamedSource {
  const argv = argvIn(value)
  if (typeof argv === 'string') throw new CustodyFault(`${variable} ${argv}`)
  return {
    variable,
    shown: `${variable} (${argv[0]})`,
    read: () => printed(argv, environment, (why) => `the command of ${variable} gave no master key: ${why}`),
  }
}

const ACCOUNT = 'master-key'
const SERVICE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/**
 * An item of the system's own keychain, found by its service. It is never made here: a keychain that is locked looks like an
 * empty one, and a new key in place of the old would leave every credential unreadable.
 */
function keychain(variable: string, service: string, environment: Environment): NamedSource {
  if (!SERVICE.test(service))
    throw new CustodyFault(
      `${variable} must be the name of a service: 1 to 64 letters, digits, dots, hyphens and underscores, such as spendgate.`,
    )
  const tool = TOOLS[process.platform]
  if (tool === undefined)
    throw new CustodyFault(
      `${variable} is set, and spendgate knows no keychain of ${process.platform}. Use a file or a command.`,
    )
  return {
    variable,
    shown: `${variable} (${service}, ${tool.name})`,
    read: () =>
      printed(
        tool.lookUp(service),
        environment,
        (why) =>
          `the master key is not to be had from ${tool.name}, service ${service}: ${why} ` +
          `If the item is missing, store it, and keep a copy of the key: ${tool.store(service)}`,
      ),
  }
}

/** Fixed arguments; only the service varies, and it has no leading hyphen. */
const TOOLS: Readonly<Partial<Record<NodeJS.Platform, Tool>>> = {
  // security(1) of macOS: -w prints the password alone. With -w last it asks for it, so no command line holds it.
  darwin: {
    name: 'the macOS keychain (security)',
    lookUp: (service) => ['security', 'find-generic-password', '-s', service, '-a', ACCOUNT, '-w'],
    store: (service) => `security add-generic-password -s ${service} -a ${ACCOUNT} -w`,
  },
  // secret-tool(1) of libsecret: prints the secret without a line's end, and nothing with code 1 when there is none.
  linux: {
    name: 'the secret service (secret-tool)',
    lookUp: (service) => ['secret-tool', 'lookup', 'service', service, 'account', ACCOUNT],
    store: (service) =>
      `openssl rand -base64 32 | secret-tool store --label='spendgate master key' service ${service} account ${ACCOUNT}`,
  },
}
interface Tool {
  readonly name: string
  lookUp(service: string): readonly string[]
  store(service: string): string
}

function printed(argv: readonly string[], environment: Environment, say: (why: string) => string): string {
  try {
    return printedAtStart(argv, environment).trim()
  } catch (cause) {
    if (cause instanceof ProgramFault) throw new CustodyFault(say(cause.message), { cause })
    throw cause
  }
}
