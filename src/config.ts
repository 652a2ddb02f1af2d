import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { receiversIn, signingKeyIn, type Receiver } from './alerts/receivers.js'
import { NO_FILE, readConfigurationFile } from './configuration-file.js'
import { Secret } from './custody/secret.js'
import { oidcIn, type OidcSettings } from './dashboard/oidc-settings.js'
import { secretSettings } from './secrets/configuration.js'
import type { SecretSettings } from './secrets/settings.js'
import type { Collector } from './traces.js'
import { Reachable } from './wire/reachable.js'

/** What the operator chose, checked as a whole and frozen. */
export interface Config {
  readonly host: string
  readonly port: number
  readonly adminHost: string
  readonly adminPort: number
  /** Further names under which the admin port is reached, without ports. Any other Host is refused (DNS rebinding). */
  readonly adminHostNames: readonly string[]
  /** Certificate and key of the admin listener, PEM; null for plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null
  /** Where CONNECT mode listens, on loopback; null when it is off. */
  readonly connectPort: number | null
  readonly dataDir: string
  /** Vendor name → origin that stands in for all of the vendor's hosts; `stripe-mcp` → one for Stripe's hosted MCP server alone. */
  readonly upstreams: ReadonlyMap<string, string>
  readonly upstreamTimeoutMs: number
  /** The operator's word that no other machine touches a data directory that lies on the network. */
  readonly allowNetworkFilesystem: boolean
  /** PostgreSQL for several nodes; null for SQLite in the data directory. Has a password: never shown. */
  readonly databaseUrl: string | null
  readonly drainMs: number
  /** Where signed checkpoints of the audit trail are written: a file, or `-` for standard output. */
  readonly checkpoints: string
  /** Hosts and networks that vendors by configuration may be at although they are private; nothing else can open them. */
  readonly allowPrivateUpstreams: readonly string[]
  /** Between two reconciliations with the vendors' own records; 0: only when asked. */
  readonly reconcileMs: number
  /** Ids of operations whose hard refusal is lifted. Policies must still allow and permit them. */
  readonly unlock: readonly string[]
  /** Who is told when something happens; none: nobody. */
  readonly alertReceivers: readonly Receiver[]
  /** What alerts are signed with (Standard Webhooks); null where every receiver is Slack. */
  readonly alertKey: Secret | null
  /** Opens /metrics and nothing else; null: what opens the admin port does. */
  readonly metricsToken: Secret | null
  /** Who vouches for people at the dashboard; null: they show a token. */
  readonly oidc: OidcSettings | null
  /** Where spans of calls go; null: there are none. */
  readonly collector: Collector | null
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug'
  /** Secrets of vendors that are kept elsewhere, and which of them the API may refer to. */
  readonly secretSettings: SecretSettings
  /** Where secrets come from; read once at start by custody. */
  readonly secrets: Readonly<Partial<Record<SecretName, string>>>
}
type SecretName =
  | 'SPENDGATE_ADMIN_TOKEN'
  | 'SPENDGATE_ADMIN_TOKEN_FILE'
  | 'SPENDGATE_MASTER_KEY'
  | 'SPENDGATE_MASTER_KEY_FILE'
  | 'SPENDGATE_MASTER_KEY_KEYCHAIN'
  | 'SPENDGATE_MASTER_KEY_COMMAND'

/** Everything wrong with the configuration, in one message. */
export class ConfigFault extends Error {
  override readonly name = 'ConfigFault'
}

const UPSTREAMS = ['stripe', 'twilio', 'resend', 'stripe-mcp'] as const
const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/** Names of flags and variables, for help texts: `--admin-port` is SPENDGATE_ADMIN_PORT. */
export const SETTINGS = [
  'host',
  'port',
  'admin-host',
  'admin-port',
  'admin-host-names',
  'connect-port',
  'data-dir',
  'tls-cert',
  'tls-key',
  'stripe-upstream',
  'twilio-upstream',
  'resend-upstream',
  'stripe-mcp-upstream',
  'upstream-timeout-ms',
  'allow-private-upstreams',
  'allow-network-filesystem',
  'drain-ms',
  'checkpoints',
  'config',
  'secret-refs',
  'reconcile-ms',
  'unlock',
  'log-level',
] as const

/**
 * @param flags kebab-case names without dashes; a flag wins over its variable
 * @throws ConfigFault naming every fault at once
 */
export function readConfig(
  env: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>> = {},
): Config {
  const faults: string[] = []
  const value = (name: (typeof SETTINGS)[number]): string | undefined => flags[name] ?? env[variable(name)]
  const port = (name: 'port' | 'admin-port' | 'connect-port', fallback: number): number =>
    whole(name, fallback, 0, 65_535)
  const whole = (name: (typeof SETTINGS)[number], fallback: number, least: number, most: number): number => {
    const text = value(name)
    if (text === undefined) return fallback
    if (/^\d{1,9}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text)
    faults.push(`${variable(name)} must be a whole number from ${least} to ${most}, not «${text}».`)
    return fallback
  }
  const names = (setting: (typeof SETTINGS)[number]): string[] =>
    (value(setting) ?? '')
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '')
  const upstreams = new Map<string, string>()
  for (const name of UPSTREAMS) {
    const text = value(`${name}-upstream`)
    if (text === undefined) continue
    const fault = upstreamFault(text)
    if (fault) faults.push(`${variable(`${name}-upstream`)} ${fault}`)
    else upstreams.set(name, new URL(text).origin)
  }
  const adminHost = value('admin-host') ?? '127.0.0.1'
  const tls = readTls(value('tls-cert'), value('tls-key'), faults)
  if (!LOOPBACK.has(adminHost) && tls === null && flags['insecure-admin'] === undefined) {
    faults.push(
      `The admin listener may leave loopback (${adminHost}) only with TLS: set SPENDGATE_TLS_CERT and SPENDGATE_TLS_KEY, or accept plain HTTP with --insecure-admin.`,
    )
  }
  const { alertReceivers, alertKey } = readAlerts(env, faults)
  const logLevel = value('log-level') ?? 'info'
  if (!LOG_LEVELS.includes(logLevel as (typeof LOG_LEVELS)[number]))
    faults.push(`SPENDGATE_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}, not «${logLevel}».`)
  const dataDir = dataDirOf(env, value('data-dir'))
  const configFile = value('config')
  const file = configFile ? readConfigurationFile(resolve(configFile), faults) : NO_FILE
  const checkpoints = value('checkpoints') ?? 'checkpoints.ndjson'
  const config: Config = {
    host: value('host') ?? '127.0.0.1',
    port: port('port', 4242),
    adminHost,
    adminPort: port('admin-port', 4243),
    adminHostNames: names('admin-host-names'),
    tls,
    connectPort: value('connect-port') === undefined ? null : port('connect-port', 0),
    dataDir,
    checkpoints: checkpoints === '-' ? '-' : resolve(dataDir, checkpoints),
    upstreams,
    upstreamTimeoutMs: whole('upstream-timeout-ms', 60_000, 1, 600_000),
    allowPrivateUpstreams: privateUpstreams(names('allow-private-upstreams'), file.allowPrivateUpstreams, faults),
    unlock: names('unlock'),
    databaseUrl: env.DATABASE_URL || null,
    allowNetworkFilesystem: yes(value('allow-network-filesystem')),
    drainMs: whole('drain-ms', 25_000, 0, 600_000),
    reconcileMs: whole('reconcile-ms', 300_000, 0, 86_400_000),
    alertReceivers,
    alertKey,
    metricsToken: readMetricsToken(env, faults),
    oidc: oidcIn(
      env,
      confided(env, 'SPENDGATE_OIDC_CLIENT_SECRET', faults),
      new Set([adminHost, ...names('admin-host-names')]),
      faults,
    ),
    collector: readCollector(env, faults),
    logLevel: logLevel as Config['logLevel'],
    secretSettings: secretSettings(env, names('secret-refs'), file, faults),
    secrets: Object.freeze({
      ...pick(env, 'SPENDGATE_ADMIN_TOKEN'),
      ...pick(env, 'SPENDGATE_ADMIN_TOKEN_FILE'),
      ...pick(env, 'SPENDGATE_MASTER_KEY'),
      ...pick(env, 'SPENDGATE_MASTER_KEY_FILE'),
      ...pick(env, 'SPENDGATE_MASTER_KEY_KEYCHAIN'),
      ...pick(env, 'SPENDGATE_MASTER_KEY_COMMAND'),
    }),
  }
  if (config.port !== 0 && config.port === config.adminPort && config.host === config.adminHost) {
    faults.push(`The agent port and the admin port must differ; both are ${config.port}.`)
  }
  if (config.connectPort && [config.port, config.adminPort].includes(config.connectPort))
    faults.push(`SPENDGATE_CONNECT_PORT must be a port of its own; ${config.connectPort} is taken by another listener.`)
  if (faults.length > 0) throw new ConfigFault(faults.join('\n'))
  return Object.freeze(config)
}

/** The data directory, also for commands that run beside the server. */
export function dataDirOf(env: Readonly<Record<string, string | undefined>>, flag?: string): string {
  const given = flag ?? env.SPENDGATE_DATA_DIR
  if (given) return resolve(given)
  return join(env.XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'spendgate')
}

/** A switch: on by `true`, `1` or `yes`. */
export const yes = (text: string | undefined): boolean => /^(?:1|true|yes)$/i.test(text ?? '')

const variable = (name: string): string => `SPENDGATE_${name.toUpperCase().replaceAll('-', '_')}`
const pick = (
  env: Readonly<Record<string, string | undefined>>,
  name: SecretName,
): Partial<Record<SecretName, string>> => (env[name] ? { [name]: env[name] } : {})

type Env = Readonly<Record<string, string | undefined>>
type Confided =
  'SPENDGATE_ALERT_URLS' | 'SPENDGATE_ALERT_SECRET' | 'SPENDGATE_METRICS_TOKEN' | 'SPENDGATE_OIDC_CLIENT_SECRET'

/** What may hold a secret: no flag takes it, and a file may (`…_FILE`). */
function confided(env: Env, name: Confided, faults: string[]): string | null {
  const file = env[`${name}_FILE`]
  if (!file) return env[name] || null
  if (env[name]) faults.push(`Both ${name} and ${name}_FILE are set. Set one.`)
  try {
    return readFileSync(file, 'utf8').trim() || null
  } catch (cause) {
    faults.push(`The file of ${name}_FILE cannot be read: ${(cause as Error).message}`)
    return null
  }
}

function readAlerts(env: Env, faults: string[]): Pick<Config, 'alertReceivers' | 'alertKey'> {
  const alertReceivers = receiversIn(confided(env, 'SPENDGATE_ALERT_URLS', faults) ?? '', faults)
  const text = confided(env, 'SPENDGATE_ALERT_SECRET', faults)
  const alertKey = text === null ? null : signingKeyIn(text)
  if (text !== null && alertKey === null)
    faults.push('SPENDGATE_ALERT_SECRET must be whsec_ followed by base64 of 24 to 64 random bytes.')
  else if (alertKey === null && alertReceivers.some(({ shape }) => shape === 'standard'))
    faults.push('SPENDGATE_ALERT_SECRET is needed to sign alerts: whsec_ followed by base64 of 24 to 64 random bytes.')
  return { alertReceivers, alertKey }
}

const METRICS_TOKEN_CHARS = [24, 512] as const

function readMetricsToken(env: Env, faults: string[]): Secret | null {
  const text = confided(env, 'SPENDGATE_METRICS_TOKEN', faults)
  if (text === null) return null
  const [least, most] = METRICS_TOKEN_CHARS
  if (text.length >= least && text.length <= most && /^[\x21-\x7e]+$/.test(text)) return new Secret(text)
  faults.push(`SPENDGATE_METRICS_TOKEN must be ${least} to ${most} visible ASCII characters without spaces.`)
  return null
}

/** As OpenTelemetry names them (specification, «OTLP Exporter Configuration», November 2026). */
function readCollector(env: Env, faults: string[]): Collector | null {
  const text = env.OTEL_EXPORTER_OTLP_ENDPOINT
  if (!text) return null
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.search !== '') {
    faults.push(
      'OTEL_EXPORTER_OTLP_ENDPOINT must be an http or https URL without credentials, as http://127.0.0.1:4318.',
    )
    return null
  }
  const headers: string[] = []
  for (const pair of (env.OTEL_EXPORTER_OTLP_HEADERS ?? '').split(',').filter((each) => each.trim() !== '')) {
    const [, name, value] = /^\s*([A-Za-z0-9-]+)\s*=\s*([\x20-\x7e]*?)\s*$/.exec(pair) ?? []
    if (name === undefined || !/^(?:[^%]|%[2-7][0-9A-Fa-f])*$/.test(value!))
      faults.push('OTEL_EXPORTER_OTLP_HEADERS must be name=value pairs with commas between them.')
    else headers.push(name.toLowerCase(), decodeURIComponent(value!))
  }
  return { url: `${url.href.replace(/\/$/, '')}/v1/traces`, headers }
}

/** Whoever starts the server names them: the setting, and beside it the configuration file. */
function privateUpstreams(named: readonly string[], inFile: readonly string[], faults: string[]): readonly string[] {
  const entries = [...named, ...inFile].map((entry) =>
    entry
      .toLowerCase()
      .replace(/^https?:\/\//, '')
      .replace(/\/$/, ''),
  )
  for (const entry of entries) {
    const fault = Reachable.entryFault(entry)
    if (fault !== null) faults.push(`SPENDGATE_ALLOW_PRIVATE_UPSTREAMS ${fault}`)
  }
  return entries.filter((entry) => Reachable.entryFault(entry) === null)
}

function upstreamFault(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !['http:', 'https:'].includes(url.protocol))
    return `must be an origin such as https://api.stripe.com, not «${text}».`
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '')
    return `must be an origin without path, query or credentials, not «${text}».`
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.protocol === 'http:' && !LOOPBACK.has(host))
    return `may use plain http only to loopback, not to «${url.hostname}»: the real key would travel in the clear.`
  return null
}

function readTls(cert: string | undefined, key: string | undefined, faults: string[]): Config['tls'] {
  if (cert === undefined && key === undefined) return null
  if (cert === undefined || key === undefined) {
    faults.push('SPENDGATE_TLS_CERT and SPENDGATE_TLS_KEY go together; only one is set.')
    return null
  }
  try {
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') }
  } catch (cause) {
    faults.push(`The TLS files cannot be read: ${(cause as Error).message}`)
    return null
  }
}
