import { createHash, timingSafeEqual } from 'node:crypto'
import { createServer as createHttp, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { judge } from '../policies/index.js'
import { configured, priceSyncs, vendors } from '../vendors/index.js'
import type { AdminDeps } from './admin/deps.js'
import type { adminListener } from './admin/listener.js'
import { Alerts } from './alerts/index.js'
import { archiver } from './audit/archive.js'
import { CheckpointFile, CheckpointStream } from './audit/checkpoint-file.js'
import { Growth } from './audit/growth.js'
import { Notary } from './audit/notary.js'
import { carriedBudgets } from './carried.js'
import { SystemClock } from './clock.js'
import type { Clock } from './contracts/clock.js'
import { ConfigFault, type Config } from './config.js'
import { caFile } from './connect/ca-file.js'
import { Tunnels } from './connect/proxy.js'
import type { Secret } from './custody/secret.js'
import { CustodyFault, loadAdminToken, loadMasterKey, type AdminToken } from './custody/master-key.js'
import { Vault } from './custody/seal.js'
import { Door } from './dashboard/door.js'
import { RETURN_PATH } from './dashboard/oidc-settings.js'
import { Credentials, runtimeOf, Standings, type Engine, type VendorRuntime } from './engine.js'
import { exposureOf } from './exposure/index.js'
import { Readings } from './gauges.js'
import { internalSecrets } from './internal-secrets.js'
import { KnownVendors } from './known-vendors.js'
import { publicKeysOf } from './ledger/checkpoints.js'
import { openLedger } from './ledger/open-ledger.js'
import { Operators } from './ledger/operators.js'
import { logger, type Log } from './log.js'
import { Metrics } from './metrics.js'
import { operatorReads } from './operator-reads.js'
import { packageVersion } from './package-root.js'
import { heardCalls } from './reconcile/heard-call.js'
import { Reconciler, type Report, type Wish } from './reconcile/index.js'
import { movementsStep } from './reconcile/movements.js'
import { reachOf } from './reconcile/reach.js'
import { Worker } from './reconcile/worker.js'
import { Backends } from './secrets/backends.js'
import { Keeper } from './secrets/keeper.js'
import { RenewingUpstream } from './secrets/renewing.js'
import { Reversals } from './reversal/index.js'
import type { Fixtures, Tested } from './rehearsal/fixtures.js'
import { Rehearsal } from './rehearsal/index.js'
import { leastKeys, type LeastKey } from './rehearsal/least-keys.js'
import { standstill } from './standstill.js'
import { agentListener } from './surfaces/rest.js'
import { Tables } from './tables.js'
import { Traces } from './traces.js'
import { Reachable } from './wire/reachable.js'

/** A server that answers. */
export interface Running {
  readonly agentUrl: string
  readonly adminUrl: string
  /** Makes a link that signs in at the dashboard once, within ten minutes. A secret until it is used. */
  readonly signInUrl: () => string
  /** The proxy of CONNECT mode; null when it is off. */
  readonly connectUrl: string | null
  /** What the operator should know at start: files made, an old Node, a custom upstream. */
  readonly notices: readonly string[]
  /** Takes no new calls, lets those under way finish for up to SPENDGATE_DRAIN_MS, closes the ledger. */
  stop(): Promise<void>
}

/**
 * Puts everything together: the one place that knows vendors, policies and which ledger it is.
 *
 * @param alone whether `own` counts even where the database has a clock: tests move it
 * @throws CustodyFault, SealFault or LedgerFault when the data directory cannot be used; EADDRINUSE and its like from listening
 */
export async function startServer(config: Config, own = new SystemClock(), alone = false): Promise<Running> {
  const notices: string[] = []
  const master = loadMasterKey(config.secrets, config.dataDir)
  if (master.created)
    notices.push(
      `A master key was generated in ${master.source}. Back it up: without it the stored credentials cannot be read.`,
    )
  const adminToken = loadAdminToken(config.secrets, config.dataDir)
  if (adminToken.created) notices.push(`An admin token was generated in ${adminToken.source}.`)
  for (const [name, origin] of config.upstreams)
    notices.push(`Calls for ${name} go to ${origin} instead of the vendor.`)
  if (Number(process.versions.node.split('.')[0]) < 22)
    notices.push(`Node ${process.versions.node} gets no security fixes any more; Node 22 or 26 is recommended.`)

  const unlocked = unlockedIn(config)
  for (const id of unlocked)
    notices.push(`${id} is unlocked: policies that allow and permit it open it, and nothing takes it back.`)

  const written = logger(config.logLevel, () => own.now())
  let alerts: Alerts | null = null
  const log: Log = (level, event, fields) => {
    written(level, event, fields)
    alerts?.heard(event, fields)
  }
  const metrics = new Metrics()
  metrics.begin(vendors.map(({ name }) => name))
  const opened = await openLedger(config, own, alone, log, metrics)
  const { ledger, clock } = opened
  try {
    const vault = new Vault(master.key)
    const secrets = await internalSecrets(ledger, vault)

    const catalogued = vendors.map((vendor): [string, VendorRuntime] => [
      vendor.name,
      runtimeOf(vendor, config.upstreams.get(vendor.name) ?? null, config.upstreams.get(`${vendor.name}-mcp`) ?? null),
    ])
    const runtimes = new KnownVendors(catalogued, ledger, configured)
    const reachable = new Reachable(config.allowPrivateUpstreams)
    const tables = new Tables(ledger, vendors, clock, log)
    const keeper = new Keeper({
      ledger,
      vault,
      backends: new Backends(config.secretSettings, clock),
      settings: config.secretSettings,
      vendor: (name) => runtimes.forCredential(name),
      addressFault: (address) => reachable.faultNow(address),
      clock,
      log,
    })
    opened.onAdopted?.(() => {
      tables.reload()
      void keeper.look()
    })
    const traces =
      config.collector === null
        ? undefined
        : new Traces({ collector: config.collector, version: packageVersion(), clock, metrics, log })
    // Where a person can open it: a listener on all addresses is reached by one of its names.
    const adminAddress = (): string =>
      urlOf(adminServer, config.adminHostNames[0] ?? config.adminHost, config.tls ? 'https' : 'http')
    const engine: Engine = {
      ledger,
      judge,
      vendors: runtimes,
      ...secrets,
      credentials: new Credentials(ledger, vault, runtimes, clock, keeper),
      standings: new Standings(ledger, judge),
      upstream: new RenewingUpstream({ timeoutMs: config.upstreamTimeoutMs, clock, reachable }),
      tables,
      unlocked,
      approvalLink: (id) => `${adminAddress()}/approvals/${id}`,
      clock,
      metrics,
      ...(traces && { traces }),
      log,
    }
    if (config.alertReceivers.length > 0)
      alerts = new Alerts({
        receivers: config.alertReceivers,
        signingKey: config.alertKey,
        means: engine,
        metrics,
        log,
        ...(opened.turn ? { turn: () => opened.turn!('alerts', ALERTS_TURN_MS) } : {}),
      })
    const readings = new Readings({
      ...engine,
      version: packageVersion(),
      maxLoss: async () => (await exposureOf(deps)).maxLoss,
    })
    const reconciler = new Reconciler(
      {
        ...engine,
        vault,
        pause: (ms) => pause(ms, undefined, { ref: false }),
      },
      {
        ...(opened.turn ? { lease: () => opened.turn!('reconcile', RECONCILE_TURN_MS) } : {}),
        movements: movementsStep(engine, (record) => reachOf(record, engine)),
      },
    )
    let reconciled: { readonly at: number; readonly report: Report } | null = null
    const watched = {
      run: async (wish: Wish): Promise<Report | null> => {
        const report = await reconciler.run(wish)
        if (report !== null && wish.pricesOnly !== true) {
          readings.reconciled(report)
          reconciled = { at: clock.now(), report }
        }
        return report
      },
      last: () => reconciled,
      progress: () => reconciler.progress(),
      stop: () => reconciler.stop(),
    }
    const worker = new Worker(watched, config.reconcileMs, clock, log)
    const sink =
      config.checkpoints === '-'
        ? new CheckpointStream((text) => void process.stdout.write(text), (await ledger.lastCheckpoint())?.seq ?? 0)
        : new CheckpointFile(config.checkpoints)
    const file = join(config.dataDir, 'spendgate.db')
    // What a database takes of its disk is for whoever keeps it to watch.
    const growth =
      config.databaseUrl === null
        ? new Growth({ ledger, files: [file, `${file}-wal`], directory: config.dataDir, clock, log })
        : null
    const notary = new Notary({ ledger, signer: secrets.signer, sink, clock, log, metrics })
    const door = new Door(clock, () => fingerprintOf(adminToken))
    const agent = agentListener(engine, heardCalls({ ...engine, vault }))
    let draining = false
    const ready = (): ReturnType<AdminDeps['ready']> => {
      const faults = [
        ...(draining ? ['The server is stopping.'] : []),
        ...[opened.fault(), standstill(engine)?.message].filter((each) => each != null),
      ]
      return { ok: faults.length === 0, faults, warnings: growth?.warning ? [growth.warning] : [] }
    }
    const deps: AdminDeps = {
      ledger,
      judge,
      vault,
      digest: secrets.digest,
      get vendors() {
        return [...runtimes.values()].map(({ vendor }) => vendor)
      },
      configured: {
        vendor: (name) => runtimes.forCredential(name),
        fault: (address) => reachable.faultNow(address),
      },
      clock,
      adminToken,
      operators: new Operators(ledger, secrets.digest, clock),
      ...(config.oidc && {
        oidc: { settings: config.oidc, redirectUri: () => config.oidc!.redirectUri ?? adminAddress() + RETURN_PATH },
      }),
      door,
      allowedHosts: [config.adminHost, ...config.adminHostNames],
      version: packageVersion(),
      ready,
      standing: {
        storage: () => opened.findings(),
        confirmClock: () => opened.confirmClock(),
      },
      metrics: async () =>
        metrics.text({
          spendgate_in_flight: agent.inFlight(),
          spendgate_ready: ready().ok ? 1 : 0,
          ...tables.gauges(),
          ...growth?.gauges(),
          ...alerts?.gauges(),
          ...(await readings.read()),
        }),
      ...(config.metricsToken && { metricsToken: tokenCheck(config.metricsToken) }),
      carryOver: (oldId, newId, actor) => ledger.carryOver(oldId, carriedBudgets(engine, newId), actor),
      onTablesChanged: () => tables.reload(),
      reach: engine,
      rehearsal: new Rehearsal(engine),
      keeper,
      reconciler: watched,
      reversals: new Reversals({ ...engine, vault }),
      priceSyncs: {
        twilio: (record, wish) =>
          priceSyncs.twilio({
            ...wish,
            read: operatorReads(engine, record),
            pause: (ms) => pause(ms, undefined, { ref: false }),
          }),
      },
      history: {
        archive: archiver(join(config.dataDir, 'archive'), () => publicKeysOf(ledger)),
        subject: secrets.subject,
      },
      backupDir: config.dataDir,
      onAction: (actor, what) => log('info', 'admin_action', { actor, what }),
      onFault: (fault) => log('error', 'admin_fault', { message: (fault as Error).message }),
    }

    const admin = adminRequests(deps)
    const tunnels = config.connectPort === null ? null : await connectMode(config, own, log, notices)
    const agentServer = createHttp(
      { maxHeaderSize: 16 * 1024, requestTimeout: 30_000, headersTimeout: 15_000, keepAliveTimeout: 75_000 },
      tunnels === null
        ? agent.handle
        : (incoming, outgoing) => {
            tunnels.enter(incoming)
            agent.handle(incoming, outgoing)
          },
    )
    agentServer.on('clientError', (error, socket) => {
      // Bytes after a whole request must not take away the answer to it: the vendor may have acted.
      if (!agent.busy(socket as Socket)) refuseUnreadable(error, socket as Socket)
    })
    const adminServer =
      config.tls === null ? createHttp(admin) : createHttps({ cert: config.tls.cert, key: config.tls.key }, admin)
    const connectServer = tunnels?.proxy(agentServer) ?? null
    await keeper.ready()
    await listen(agentServer, config.port, config.host)
    try {
      await listen(adminServer, config.adminPort, config.adminHost)
      if (connectServer) await listen(connectServer, config.connectPort!, CONNECT_HOST)
    } catch (cause) {
      agentServer.close()
      adminServer.close()
      throw cause
    }
    const connectUrl = connectServer && urlOf(connectServer, CONNECT_HOST, 'http')
    if (connectUrl)
      notices.push(
        `CONNECT mode is on: HTTPS_PROXY=${connectUrl}, for clients that trust ${caFile(config.dataDir)} (docs/connect.md).`,
      )
    log('info', 'started', {
      agent: urlOf(agentServer, config.host, 'http'),
      admin: urlOf(adminServer, config.adminHost, config.tls ? 'https' : 'http'),
      ...(connectUrl ? { connect: connectUrl } : {}),
    })

    keeper.start()
    worker.start()
    notary.start()
    readings.start()
    traces?.start()
    alerts?.start()
    growth?.start()

    let stopped: Promise<void> | null = null
    const stop = async (): Promise<void> => {
      draining = true
      const closed = Promise.all([agentServer, adminServer, ...(connectServer ? [connectServer] : [])].map(closing))
      agent.drain()
      const resting = worker.stop(LAST_WORDS_MS)
      await drained(agent.inFlight, config.drainMs)
      await resting
      // What the vendor has not answered by now is booked as assumed while there is still a ledger to book it in.
      await engine.upstream.close()
      await drained(agent.inFlight, LAST_WORDS_MS)
      agentServer.closeAllConnections()
      adminServer.closeAllConnections()
      connectServer?.closeAllConnections()
      tunnels?.close()
      await closed
      await drained(agent.inFlight, LAST_WORDS_MS)
      growth?.stop()
      readings.stop()
      await traces?.stop(LAST_WORDS_MS)
      await alerts?.stop(LAST_WORDS_MS)
      await notary.stop()
      await keeper.stop()
      await ledger.close()
      log('info', 'stopped', {})
    }
    return {
      agentUrl: urlOf(agentServer, config.host, 'http'),
      adminUrl: urlOf(adminServer, config.adminHost, config.tls ? 'https' : 'http'),
      signInUrl: () => `${adminAddress()}/dashboard/sign-in?token=${door.newLink()}`,
      connectUrl,
      notices,
      stop: () => (stopped ??= stop()),
    }
  } catch (cause) {
    await ledger.close()
    throw cause
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    // Node's own 511 overflows when a thousand agents connect at once: their connections then stall for a second or break.
    server.listen(port, host, 4096, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Loads the admin API and its libraries when it is first asked for anything: no call of an agent needs them. */
function adminRequests(deps: AdminDeps): (incoming: IncomingMessage, outgoing: ServerResponse) => void {
  let loading: Promise<ReturnType<typeof adminListener>> | null = null
  const load = async (): Promise<ReturnType<typeof adminListener>> =>
    (await import('./admin/listener.js')).adminListener(deps)
  return (incoming, outgoing) =>
    void (loading ??= load()).then(
      (listener) => listener(incoming, outgoing),
      (fault: unknown) => {
        loading = null
        deps.onFault?.(fault)
        outgoing.writeHead(500, { connection: 'close' }).end()
      },
    )
}

const closing = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

/** Changes with the admin token; a token file that cannot be read admits nobody, so it ends what was begun under it. */
function fingerprintOf(token: AdminToken): string {
  try {
    return token.current().fingerprint
  } catch (fault) {
    if (fault instanceof CustodyFault) return 'unreadable'
    throw fault
  }
}

/** Longer than any run of it takes: a node that dies in one is waited for, and no two run at once. */
const RECONCILE_TURN_MS = 15 * 60_000
/** Longer than a round of deliveries takes. */
const ALERTS_TURN_MS = 60_000
/** How long calls that were just cut off have for their rows. */
const LAST_WORDS_MS = 1_000

/** Resolves when nothing is under way, or when the time is over: what is left then is `assumed` at the next start. */
async function drained(inFlight: () => number, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs
  while (inFlight() > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 10))
}

function urlOf(server: Server, host: string, scheme: string): string {
  const { port } = server.address() as AddressInfo
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** What Node's parser rejects has no key we could read and gets no row. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

function tokenCheck(token: Secret): { check(presented: string): boolean } {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  const expected = digest(token.reveal())
  return { check: (presented) => timingSafeEqual(digest(presented), expected) }
}

/** Reads a policy document as the server would, for `spendgate policy check`. */
export const checkPolicy = (text: string, file: string): ReturnType<typeof judge.parse> => judge.parse(text, file)

/** Judges requests by a document, for `spendgate policy test`: no server, no rates but USD, and the prices that are shipped. */
export async function testPolicy(document: unknown, fixtures: Fixtures, clock: Clock): Promise<readonly Tested[]> {
  const { runFixtures } = await import('./rehearsal/fixtures.js')
  const runtimes = new Map(vendors.map((vendor) => [vendor.name, runtimeOf(vendor, null)]))
  const means = { judge, vendors: runtimes, clock, unlocked: new Set<string>(), setting: () => undefined }
  return runFixtures({ document, version: 0 }, fixtures, means)
}

/** What a document says otherwise than another, for `spendgate policy diff`. */
export const differencesBetween = (from: unknown, to: unknown): ReturnType<typeof judge.differences> =>
  judge.differences(from, to)

/** The smallest vendor keys a document needs, for `spendgate policy permissions`. */
export const keysNeeded = (document: unknown): readonly LeastKey[] => leastKeys(document, judge, vendors)

/** @throws ConfigFault for an id that no catalogue has: a misspelt exception must not be thought to stand */
function unlockedIn({ unlock }: Config): ReadonlySet<string> {
  if (unlock.length === 0) return new Set()
  const known = new Set(vendors.flatMap(({ operations }) => operations.map(({ id }) => id)))
  const strange = unlock.filter((id) => !known.has(id))
  if (strange.length > 0)
    throw new ConfigFault(
      `SPENDGATE_UNLOCK names no operation: ${strange.join(', ')}. The ids stand in docs/vendors and in the refusals.`,
    )
  return new Set(unlock)
}

/** Wherever the agent port is: who should trust the CA is on this machine, and a proxy on a network finds other users. */
const CONNECT_HOST = '127.0.0.1'

/** The CA and its library are loaded only where the mode is on. */
async function connectMode(config: Config, clock: SystemClock, log: Log, notices: string[]): Promise<Tunnels> {
  const { Authority } = await import('./connect/ca.js')
  const hosts = vendors.flatMap((vendor) => vendor.hosts)
  const domains = [...new Set(hosts.map((host) => host.split('.').slice(-2).join('.')))]
  const authority = await Authority.open(config.dataDir, domains, clock)
  if (authority.created)
    notices.push(
      `A certificate authority for ${domains.join(', ')} and nothing else was made in ${caFile(config.dataDir)}.`,
    )
  return new Tunnels(authority, hosts, log)
}
