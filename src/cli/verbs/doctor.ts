import { statSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { routesOf } from '../clients/routing.js'
import type { Context } from '../context.js'
import { CliFault, Exit } from '../exit.js'
import { findingsTable, type Finding } from '../findings.js'
import { requireSqlite } from '../sqlite-guard.js'

interface DoctorOptions {
  readonly client?: string
  readonly file?: string
}

/**
 * Looks at everything that commonly goes wrong, and at which way the MCP servers of this machine's clients go. Fails when
 * something must be put right before spendgate can work, or when a server goes past it.
 */
export async function doctor(context: Context, options: DoctorOptions): Promise<number> {
  const server = await serverFindings(context)
  const findings = [
    nodeVersion(process.versions.node),
    sqlite(),
    ...modes(context.dataDir),
    await masterKey(context),
    ...server.findings,
    ...(server.up ? [] : await ports(context)),
    ...(await routesOf(context, options)),
    SAME_USER,
  ]
  const failed = findings.some(({ status }) => status === 'fail')
  if (context.json) context.reply({ ok: !failed, findings })
  else context.show(findingsTable(context.style, findings))
  return failed ? Exit.failure : Exit.ok
}

/** What no check can find out and every operator should know. */
const SAME_USER: Finding = {
  check: 'agents',
  status: 'warn',
  message:
    'An agent that runs as this operating-system user can read the data directory. ' +
    'Run agents as another user, in a container, or keep the keys in a key store.',
}

export function nodeVersion(node: string): Finding {
  const [major = 0, minor = 0] = node.split('.').map(Number)
  const enough = major > 20 || (major === 20 && minor >= 19)
  return {
    check: 'node',
    status: enough ? 'ok' : 'fail',
    message: enough ? node : `${node} is too old: spendgate needs Node ≥ 20.19, and Node 22 or 26 is best.`,
  }
}

function sqlite(): Finding {
  try {
    requireSqlite()
    return { check: 'sqlite', status: 'ok', message: 'the native binding loads' }
  } catch (error) {
    if (error instanceof CliFault) return { check: 'sqlite', status: 'fail', message: error.message }
    throw error
  }
}

const PRIVATE = ['spendgate.db', 'spendgate.db-wal', 'spendgate.db-shm', 'master-key', 'admin-token']

function modes(dataDir: string): Finding[] {
  const directory = modeOf(dataDir)
  if (directory === null)
    return [
      {
        check: 'data directory',
        status: 'warn',
        message: `${dataDir} is not there yet; the server makes it at its first start.`,
      },
    ]
  const open = [
    [dataDir, directory, '700'] as const,
    ...PRIVATE.map((name) => [join(dataDir, name), modeOf(join(dataDir, name)), '600'] as const),
  ]
    .filter(([, mode]) => mode !== null && (mode & 0o077) !== 0)
    .map(([path, , wanted]): Finding => ({
      check: 'data directory',
      status: 'fail',
      message: `${path} is open to other users. Fix: chmod ${wanted} ${path}`,
    }))
  return open.length > 0
    ? open
    : [{ check: 'data directory', status: 'ok', message: `${dataDir} is closed to other users` }]
}

/** Where this environment would have the master key taken from. Nothing is read for it, and no program started. */
async function masterKey({ dataDir, io }: Context): Promise<Finding> {
  const { CustodyFault, masterKeySource } = await import('../../custody/master-key.js')
  try {
    return { check: 'master key', status: 'ok', message: `comes from ${masterKeySource(io.env, dataDir)}` }
  } catch (error) {
    if (error instanceof CustodyFault) return { check: 'master key', status: 'fail', message: error.message }
    throw error
  }
}

function modeOf(path: string): number | null {
  try {
    return statSync(path).mode
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') return null
    throw error
  }
}

const CLOCK_TOLERANCE_MS = 5_000

async function serverFindings(context: Context): Promise<{ readonly up: boolean; readonly findings: Finding[] }> {
  const api = await context.api()
  const health = await asked(() => api.probe('/healthz'))
  if (health instanceof CliFault)
    return { up: false, findings: [{ check: 'server', status: 'warn', message: health.message }] }
  const ready = await asked(() => api.probe('/readyz'))
  const isReady = !(ready instanceof CliFault) && ready.status === 200
  const token = await asked(() => api.get('/keys', { limit: '1' }))
  const skewMs = health.date === null ? 0 : Math.abs(Date.parse(health.date) - context.io.clock.now())
  return {
    up: true,
    findings: [
      {
        check: 'server',
        status: health.status === 200 ? 'ok' : 'fail',
        message: `answers at ${api.origin}${health.status === 200 ? '' : ` with ${health.status}`}`,
      },
      {
        check: 'ready',
        status: isReady ? 'ok' : 'fail',
        message: isReady
          ? 'database, keys and clock are in order'
          : `is not ready: ${ready instanceof CliFault ? ready.message : ready.text}`,
      },
      ...(ready instanceof CliFault ? [] : warningsIn(ready.text)),
      token instanceof CliFault
        ? { check: 'admin token', status: 'fail', message: token.message }
        : { check: 'admin token', status: 'ok', message: 'is accepted' },
      skewMs > CLOCK_TOLERANCE_MS
        ? {
            check: 'clock',
            status: 'warn',
            message: `this machine and the server differ by ${Math.round(skewMs / 1000)} s; caps follow the server's clock`,
          }
        : { check: 'clock', status: 'ok', message: "agrees with the server's" },
    ],
  }
}

/** What a server that is ready warns of: a disk that fills. */
function warningsIn(text: string): Finding[] {
  try {
    const { warnings } = JSON.parse(text) as { readonly warnings?: readonly string[] }
    return (warnings ?? []).map((message): Finding => ({ check: 'disk', status: 'warn', message }))
  } catch {
    return [] // Another program's page; the check before this one says so.
  }
}

async function asked<T>(ask: () => Promise<T>): Promise<T | CliFault> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof CliFault) return error
    throw error
  }
}

/** Without a server: could one listen? */
async function ports(context: Context): Promise<Finding[]> {
  const { env } = context.io
  const wanted = [
    ['agent port', 'port', env.SPENDGATE_HOST ?? '127.0.0.1', env.SPENDGATE_PORT ?? '4242'],
    ['admin port', 'admin-port', env.SPENDGATE_ADMIN_HOST ?? '127.0.0.1', env.SPENDGATE_ADMIN_PORT ?? '4243'],
  ] as const
  const findings: Finding[] = []
  for (const [check, flag, host, port] of wanted) {
    const fault = await listenFault(host, Number(port))
    findings.push(
      fault === null
        ? { check, status: 'ok', message: `${host}:${port} is free` }
        : {
            check,
            status: 'fail',
            message: `${host}:${port} cannot be listened on (${fault}). Choose another with --${flag}.`,
          },
    )
  }
  return findings
}

function listenFault(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    try {
      server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)))
    } catch (error) {
      resolve((error as NodeJS.ErrnoException).code ?? 'not a port')
    }
  })
}
