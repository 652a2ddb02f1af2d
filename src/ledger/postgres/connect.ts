import pg from 'pg'
import { LedgerFault } from '../../contracts/ledger.js'

/** Where a database is, and how to speak of it: `shown` has neither the password nor the parameters of the URL. */
export interface Place {
  readonly url: string
  readonly shown: string
}

/** A row as the driver gives it: bigint columns are text, so that no amount becomes a float on the way. */
export type Row = Readonly<Record<string, unknown>>
export type Query = (text: string, values?: readonly unknown[]) => Promise<Row[]>

/** How long the database waits for us, and we for it, in milliseconds; 0 is for ever. */
export interface Patience {
  readonly statementMs: number
  readonly lockMs: number
  /** A transaction that its node has left standing is rolled back after this long, so that its locks are free again. */
  readonly idleInTransactionMs: number
}
export const PATIENCE: Patience = { statementMs: 30_000, lockMs: 10_000, idleInTransactionMs: 10_000 }

const CONNECT_MS = 5_000
/** The oldest that its project supported a year before this was written; 12 has ended in November 2024. */
const VERSION_MIN = 13

/**
 * @param env PGPASSWORD stands in for a password that the URL leaves out
 * @param name what the operator calls the URL, for messages
 * @throws LedgerFault when it is no PostgreSQL URL; the URL itself is not repeated
 */
export function placeOf(
  text: string,
  env: Readonly<Record<string, string | undefined>> = {},
  name = 'DATABASE_URL',
): Place {
  const url = parsed(text)
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol) || !decodes(url))
    throw new LedgerFault(`${name} must be a URL such as postgres://user@host:5432/database.`)
  if (url.password === '' && !url.searchParams.has('password') && env.PGPASSWORD) url.password = env.PGPASSWORD
  const host = url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
  const port = url.searchParams.get('port') ?? url.port
  const database = decodeURIComponent(url.pathname.slice(1))
  return { url: url.href, shown: `${host || 'localhost'}${port === '' ? '' : `:${port}`}/${database}` }
}

/** The driver would decode these itself, and fail with the URL in its message. */
function decodes({ username, password, hostname, pathname }: URL): boolean {
  try {
    decodeURIComponent(`${username}${password}${hostname}${pathname}`)
    return true
  } catch {
    return false
  }
}

/** Whether a URL brings a password along, in either of the two places where it may stand. */
export function hasPassword(text: string): boolean {
  const url = parsed(text)
  return url !== null && (url.password !== '' || url.searchParams.has('password'))
}

/** A socket directory may be given as `?host=/run/postgresql` with no host before it, which a URL alone does not allow. */
function parsed(text: string): URL | null {
  for (const candidate of [text, text.replace('@/', '@localhost/')])
    if (URL.canParse(candidate)) return new URL(candidate)
  return null
}

/**
 * One connection, ready for the ledger: see `prepare`.
 *
 * @throws LedgerFault in a sentence that says what the operator must change
 */
export async function connect(place: Place, patience: Patience = PATIENCE): Promise<pg.Client> {
  const client = new pg.Client(optionsOf(place))
  // A connection that breaks while nothing is asked of it says so here; the next question fails, and is answered for.
  client.on('error', () => undefined)
  try {
    await client.connect()
    await prepare(client, place, patience)
    return client
  } catch (cause) {
    await client.end().catch(() => undefined)
    throw faultOf(cause, place)
  }
}

/** Connections for questions that may be asked at once. None is opened before the first question. */
export function poolOf(place: Place, max: number, patience: Patience = PATIENCE): pg.Pool {
  const pool = new pg.Pool({
    ...optionsOf(place),
    max,
    idleTimeoutMillis: 60_000,
    onConnect: (client) => prepare(client as pg.Client, place, patience),
  })
  pool.on('error', () => undefined)
  return pool
}

/** The driver's way of asking, in the form in which reports and copies ask. */
export const queryOf =
  (client: Pick<pg.Client, 'query'>): Query =>
  async (text, values = []) =>
    (await client.query(text, [...values])).rows as Row[]

function optionsOf({ url }: Place): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: 'spendgate',
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
  }
}

/**
 * Settings of a session, in one question. A commit is durable before we hear of it: `synchronous_commit` is set and read
 * back, because a pooler between us may drop what it does not know. The rest lets the database notice that a node has gone
 * (killed, cut off, stopped by its machine) and free what it held, in seconds and not in TCP's two hours.
 */
const SESSION = `
  with wanted (name, value) as (values
    ('search_path', 'spendgate'), ('timezone', 'UTC'), ('client_min_messages', 'warning'),
    ('default_transaction_isolation', 'read committed'),
    ('synchronous_commit', case current_setting('synchronous_commit') when 'remote_apply' then 'remote_apply' else 'on' end),
    ('statement_timeout', $1), ('lock_timeout', $2), ('idle_in_transaction_session_timeout', $3),
    ('tcp_keepalives_idle', '5'), ('tcp_keepalives_interval', '2'), ('tcp_keepalives_count', '3'), ('tcp_user_timeout', '10000'),
    ('client_connection_check_interval', case when version() like '%linux%' then '1000' else '0' end))
  select set_config(name, value, false) from wanted join pg_settings using (name)`

const STATE = `
  select current_setting('server_version_num')::int / 10000 as version, pg_is_in_recovery() as standby,
    current_setting('synchronous_commit') as commits, current_setting('fsync') as fsync,
    current_setting('server_encoding') as encoding, current_setting('search_path') as path`

interface State {
  version: number
  standby: boolean
  commits: string
  fsync: string
  encoding: string
  path: string
}

async function prepare(client: Pick<pg.Client, 'query'>, { shown }: Place, patience: Patience): Promise<void> {
  const { statementMs, lockMs, idleInTransactionMs } = patience
  await client.query(SESSION, [statementMs, lockMs, idleInTransactionMs].map(String))
  const state = (await client.query(STATE)).rows[0] as State
  const fault = faultIn(state)
  if (fault !== null) throw new LedgerFault(`The database ${shown} ${fault}`)
}

function faultIn({ version, standby, commits, fsync, encoding, path }: State): string | null {
  if (version < VERSION_MIN) return `is PostgreSQL ${version}; ${VERSION_MIN} or newer is needed.`
  if (standby) return 'is a standby, which takes no writes. Point DATABASE_URL at the primary.'
  if (commits !== 'on' && commits !== 'remote_apply')
    return `does not accept synchronous_commit=on (it stays ${commits}); without it a power cut could forget money. Connect without a pooler that drops settings.`
  if (fsync !== 'on') return 'runs with fsync=off; a power cut could forget money. Set fsync=on there.'
  if (encoding !== 'UTF8') return `is encoded in ${encoding}. Create one with encoding UTF8.`
  if (path !== 'spendgate')
    return 'forgets settings of a session between two questions. Connect directly, or through a pooler in session mode.'
  return null
}

/** Conditions that an operator can act on, by the code of PostgreSQL (errcodes-appendix), of Node or of TLS. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'cannot be reached (ECONNREFUSED). Is PostgreSQL running, and do host and port agree with it?',
  ENOENT:
    'cannot be reached (ENOENT): there is no such socket. Is PostgreSQL running, and is this its socket directory?',
  EACCES: 'cannot be reached (EACCES): its socket may not be opened by this user.',
  ENOTFOUND: 'cannot be reached (ENOTFOUND): there is no such host.',
  EAI_AGAIN: 'cannot be reached (EAI_AGAIN): the name server does not answer.',
  ETIMEDOUT: 'cannot be reached (ETIMEDOUT): no answer. Is a firewall in between?',
  EHOSTUNREACH: 'cannot be reached (EHOSTUNREACH): no route to it.',
  ECONNRESET: 'closed the connection (ECONNRESET).',
  EPIPE: 'closed the connection (EPIPE).',
  '28P01': 'refused the password.',
  '28000': 'refused this user: it does not exist, or pg_hba.conf lets it in another way only.',
  '3D000': 'does not exist. Create it: createdb, encoding UTF8.',
  '42501': 'does not let this user do that.',
  '25006': 'is read-only: it became a standby, or was set to default_transaction_read_only.',
  '53300': 'has no connection left (max_connections).',
  '53100': 'has no disk space left. It takes no writes until there is some.',
  '57P01': 'ended the connection: it is being shut down, or an administrator ended it.',
  '57P02': 'ended the connection: one of its processes crashed, and it recovers.',
  '57P03': 'is starting up or shutting down.',
  '57014': 'took longer than it was given.',
  '55P03': 'did not get a lock in time: somebody holds it.',
  '25P03': 'ended a transaction that this node had left standing.',
  '25P02': 'had given the transaction up before.',
  '42P01': 'lacks a table of the ledger. Its schema spendgate was changed by hand.',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'shows a certificate it signed itself. Name its CA with sslrootcert in the URL.',
  SELF_SIGNED_CERT_IN_CHAIN: 'shows a certificate of an unknown CA. Name it with sslrootcert in the URL.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'shows a certificate of an unknown CA. Name it with sslrootcert in the URL.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'shows a certificate that is for another host.',
}

/** Conditions the driver tells by a text alone (pg 8.23, read 2026-11). */
const TEXTS: readonly (readonly [RegExp, string])[] = [
  [/^timeout expired$|connection timeout/i, 'did not answer in time.'],
  [/client password must be/, 'asks for a password, and none was given. Put it into the URL or PGPASSWORD.'],
  [/does not support SSL/, 'does not speak TLS, which the URL asks for (sslmode).'],
  [/^Connection terminated/, 'closed the connection.'],
  [/Query read timeout/, 'did not answer in time.'],
]

/** What went wrong with a database, as a sentence without its URL. A LedgerFault stays what it is. */
export function faultOf(cause: unknown, place: Place): LedgerFault {
  if (cause instanceof LedgerFault) return cause
  const { message, code = '' } = innermost(cause)
  const reason = REASONS[code] ?? TEXTS.find(([text]) => text.test(message))?.[1]
  const said = reason === undefined || code === '42501' ? ` (${withoutPassword(message, place)})` : ''
  return new LedgerFault(`The database ${place.shown} ${reason ?? 'failed.'}${said}`, { cause: bare(cause, place) })
}

/** Where a host has several addresses, Node wraps one failure an address. */
function innermost(cause: unknown): { readonly message: string; readonly code?: string } {
  const first = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause
  return first instanceof Error ? first : { message: String(first) }
}

function withoutPassword(text: string, { url }: Place): string {
  const parts = new URL(url)
  const secrets = [parts.password, decodeURIComponent(parts.password), parts.searchParams.get('password') ?? '']
  return [url, ...secrets].filter((each) => each !== '').reduce((left, each) => left.replaceAll(each, '…'), text)
}

/** What a log may print of a cause: an error of the driver can have the client with all its options among its properties. */
function bare(cause: unknown, place: Place): Error & { code?: string } {
  const { message, code } = innermost(cause)
  return Object.assign(new Error(withoutPassword(message, place)), code === undefined ? {} : { code })
}
