import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { alive } from './process.js'

const USER = 'spendgate'
/** Known to everybody: these servers listen on loopback, for the length of a test. */
const PASSWORD = 'not-a-secret'
const READY_MS = 45_000

/** Where `postgres` and its tools are: on the PATH, or where Debian puts its newest. */
function binaries(): string | null {
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  return (
    [...versions.map((version) => join(debian, version, 'bin')), ...(process.env.PATH ?? '').split(delimiter)].find(
      (folder) => ['initdb', 'postgres', 'pg_basebackup'].every((name) => existsSync(join(folder, name))),
    ) ?? null
  )
}

/** PostgreSQL refuses to run as root; then it runs as somebody who may do little. Null: as we are. */
function servant(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null
  for (const name of ['postgres', 'nobody']) {
    const ids = spawnSync('id', ['-u', name], { encoding: 'utf8' })
    const groups = spawnSync('id', ['-g', name], { encoding: 'utf8' })
    if (ids.status === 0 && groups.status === 0) return { uid: Number(ids.stdout), gid: Number(groups.stdout) }
  }
  return null
}

const BIN = binaries()

/** Null where PostgreSQL can be run, or one sentence on why not, for the reason of the skip. */
export const postgresMissing: string | null =
  BIN === null
    ? 'PostgreSQL is not installed here (initdb, postgres and pg_basebackup, on the PATH or in /usr/lib/postgresql).'
    : process.getuid?.() === 0 && servant() === null
      ? 'PostgreSQL does not run as root, and there is neither a user postgres nor nobody.'
      : null

const running = new Set<ChildProcess>()

/**
 * However the tests end, also by SIGKILL, no server outlives them: this one's input ends with the process that started it.
 * Without its postmaster each process of a server ends by itself.
 */
function guard(pid: number, dir: string): ChildProcess {
  const script = 'read _; kill -9 "$1"; sleep 1; rm -rf "$2"'
  const child = spawn('sh', ['-c', script, 'sh', String(pid), dir], { stdio: ['pipe', 'ignore', 'ignore'] })
  child.unref()
  ;(child.stdin as Socket).unref()
  return child
}

/** A PostgreSQL server of our own in a directory of its own, durable as in production unless a test says otherwise. */
export class PostgresServer {
  readonly #dir: string
  readonly #port: number
  readonly #settings: Readonly<Record<string, string>>
  #process: ChildProcess | null = null
  #gone: Promise<void> = Promise.resolve()
  #databases = 0

  private constructor(dir: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#dir = dir
    this.#port = port
    this.#settings = settings
  }

  /** @param settings of postgresql.conf, such as `{ fsync: 'off' }` */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
    const server = new PostgresServer(emptyDirectory(), await freePort(), settings)
    writeFileSync(join(server.#dir, 'password'), PASSWORD)
    // Linguistic order by default, where it can be had: what relies on the order of bytes must say so itself.
    const order = majorVersion() >= 15 ? ['--locale-provider=icu', '--icu-locale=en-US'] : []
    const basics = ['--no-sync', `--username=${USER}`, `--pwfile=${join(server.#dir, 'password')}`]
    const access = ['--encoding=UTF8', '--locale=C', '--auth-local=trust', '--auth-host=scram-sha-256']
    tool('initdb', ['-D', server.data, ...basics, ...access, ...order])
    await server.up()
    return server
  }

  private get data(): string {
    return join(this.#dir, 'data')
  }

  /** Of the postmaster. */
  get pid(): number {
    return this.#process!.pid!
  }

  /** The URL of one of its databases, over loopback and with a password, as in production. */
  url(database = 'postgres', { user = USER, password = PASSWORD } = {}): string {
    return `postgres://${user}:${password}@127.0.0.1:${this.#port}/${database}`
  }

  /** The same over its socket, where everybody is trusted. */
  socketUrl(database = 'postgres', user = USER): string {
    return `postgres://${user}@localhost:${this.#port}/${database}?host=${encodeURIComponent(this.#dir)}`
  }

  /** Makes an empty database. Returns its name. */
  async database(options = ''): Promise<string> {
    const name = `test_${++this.#databases}`
    await this.sql(`create database ${name} ${options}`)
    return name
  }

  /** Asks one question as the superuser, on a connection of its own. */
  async sql(text: string, database = 'postgres'): Promise<any[]> {
    const client = new pg.Client({ connectionString: this.socketUrl(database), connectionTimeoutMillis: READY_MS })
    client.on('error', () => undefined)
    await client.connect()
    try {
      return (await client.query(text)).rows
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  /** Starts it, also again after `stop` or `kill`. Resolves when it answers. */
  async up(): Promise<void> {
    // After a kill, every file of every database would be flushed one by one before anybody is let in.
    const sync = majorVersion() >= 14 && process.platform === 'linux' ? { recovery_init_sync_method: 'syncfs' } : {}
    const options = {
      ...sync,
      port: this.#port,
      unix_socket_directories: this.#dir,
      listen_addresses: '127.0.0.1',
      ...MODEST,
    }
    const settings = Object.entries({ ...options, ...this.#settings }).flatMap(([name, value]) => [
      '-c',
      `${name}=${value}`,
    ])
    const deadline = performance.now() + READY_MS
    for (;;) {
      const child = spawn(join(BIN!, 'postgres'), ['-D', this.data, ...settings], {
        cwd: this.#dir,
        env: ENVIRONMENT,
        stdio: ['ignore', 'ignore', 'pipe'],
        ...servant(),
      })
      running.add(child)
      this.#process = child
      const guarding = guard(child.pid!, this.#dir)
      let said = ''
      child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-4_000)))
      this.#gone = new Promise((resolve) =>
        child.on('close', () => {
          running.delete(child)
          guarding.kill('SIGKILL')
          resolve()
        }),
      )
      if (await this.#answers(child, deadline)) return
      child.kill('SIGKILL')
      await this.#gone
      // Processes of a killed postmaster hold its memory for a moment; until they are gone the next one does not start.
      if (performance.now() > deadline || !/shared memory block|lock file/.test(said))
        throw new Error(`PostgreSQL did not start: ${said.trim()}`)
      await pause(50)
    }
  }

  async #answers(child: ChildProcess, deadline: number): Promise<boolean> {
    while (child.exitCode === null && child.signalCode === null && performance.now() < deadline) {
      const client = new pg.Client({ connectionString: this.socketUrl(), connectionTimeoutMillis: 1_000 })
      client.on('error', () => undefined)
      const answered = await client.connect().then(
        () => true,
        () => false,
      )
      await client.end().catch(() => undefined)
      if (answered) return true
      await pause(20)
    }
    return false
  }

  /** Ends it in good order, ending every connection. */
  async stop(): Promise<void> {
    this.#process?.kill('SIGINT')
    await this.#gone
  }

  /** SIGKILL to the postmaster, which nothing can prepare for; the others of its processes follow it. */
  async kill(): Promise<void> {
    this.#process!.kill('SIGKILL')
    await this.#gone
  }

  /** Stops every one of its processes where it stands: it holds its connections and answers nothing. */
  freeze(): void {
    for (const pid of [this.pid, ...children(this.pid)]) tell(pid, 'SIGSTOP')
  }

  thaw(): void {
    for (const pid of [this.pid, ...children(this.pid)]) tell(pid, 'SIGCONT')
  }

  /** Ends connections to a database, as an administrator or a failing network would. Returns how many there were. */
  async cut(database: string, where = 'true'): Promise<number> {
    const rows = await this.sql(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}' and pid <> pg_backend_pid() and ${where}`,
    )
    return rows.length
  }

  /**
   * A second server that follows this one by streaming replication. With `synchronous`, no commit of this one is answered
   * before the standby has it on disk.
   */
  async standby({ synchronous = true } = {}): Promise<PostgresServer> {
    const standby = new PostgresServer(emptyDirectory(), await freePort(), this.#settings)
    const from = ['-h', this.#dir, '-p', String(this.#port), '-U', USER]
    const name = 'follower'
    tool('pg_basebackup', [...from, '-D', standby.data, '-R', '--checkpoint=fast', '--no-sync', '-X', 'stream'])
    // The name by which the primary knows it goes with what -R wrote; the later line of the same name counts.
    const auto = join(standby.data, 'postgresql.auto.conf')
    const connection = `host=${this.#dir} port=${this.#port} user=${USER} application_name=${name}`
    writeFileSync(auto, `${readFileSync(auto, 'utf8')}\nprimary_conninfo = '${connection}'\n`)
    await standby.up()
    if (synchronous) {
      await this.sql(`alter system set synchronous_standby_names = '${name}'`)
      await this.sql('select pg_reload_conf()')
    }
    const wanted = synchronous ? `sync_state = 'sync'` : `state = 'streaming'`
    await until('the standby follows', async () => {
      const rows = await this.sql(`select 1 from pg_stat_replication where application_name = '${name}' and ${wanted}`)
      return rows.length > 0
    })
    return standby
  }

  /** Makes a standby a primary of its own. The one it followed is not told. */
  async promote(): Promise<void> {
    await this.sql('select pg_promote(true, 30)')
  }

  /** Stops it and removes its directory. */
  async remove(): Promise<void> {
    if (this.#process !== null && running.has(this.#process)) {
      this.thaw()
      this.#process.kill('SIGQUIT')
      await this.#gone
    }
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
  }
}

const MODEST = {
  max_connections: '60',
  shared_buffers: '32MB',
  max_wal_size: '256MB',
  wal_level: 'replica',
  fsync: 'on',
  // A standby that finds nothing to read looks again this soon, and not after five seconds.
  wal_retrieve_retry_interval: '100ms',
  log_min_messages: 'fatal',
  log_min_error_statement: 'panic',
}
const ENVIRONMENT = { PATH: process.env.PATH ?? '', LC_ALL: 'C', TZ: 'UTC' }

/** Waits until something is so, asking again and again. Fails by name after 20 seconds. */
export async function until(what: string, so: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + READY_MS
  while (!(await so())) {
    if (performance.now() > deadline) throw new Error(`waited ${READY_MS} ms in vain until ${what}`)
    await pause(10)
  }
}

function tool(name: string, args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(join(BIN!, name), args, {
    encoding: 'utf8',
    env: ENVIRONMENT,
    cwd: tmpdir(),
    ...servant(),
  })
  if (status !== 0) throw new Error(`${name} failed: ${error?.message ?? stderr.trim()}`)
}

function emptyDirectory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'spendgate-pg-'))
  const user = servant()
  mkdirSync(join(dir, 'data'), { mode: 0o700 })
  if (user !== null) for (const path of [dir, join(dir, 'data')]) chownSync(path, user.uid, user.gid)
  return dir
}

function majorVersion(): number {
  const { stdout } = spawnSync(join(BIN!, 'postgres'), ['--version'], { encoding: 'utf8' })
  return Number(/\d+/.exec(stdout)?.[0] ?? 0)
}

/** The system's choice; in the moment until PostgreSQL takes it somebody else could. Then the start fails, and says so. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Its processes come and go: one that has ended since it was listed needs no signal. */
function tell(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  try {
    process.kill(pid, signal)
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'ESRCH') throw fault
  }
}

function children(pid: number): number[] {
  const { stdout } = spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .map((line) => Number(line.trim()))
    .filter((each) => each > 0 && alive(each))
}
