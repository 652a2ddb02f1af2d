import { randomBytes } from 'node:crypto'
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { packageRoot } from '../../package-root.js'
import { agentUrl } from '../agent-url.js'
import { childEnv } from '../child-env.js'
import type { Context } from '../context.js'
import { CliFault, notFound } from '../exit.js'
import { handedOn, probeAddress, ProbeFault, probeProgram } from '../mcp-probe.js'
import type { VendorName } from '../secrets.js'
import type { Entry } from './entry.js'
import { textOf, understood } from './files.js'
import { userNodeOptions, type Grant } from './governed.js'
import { CLIENTS, filesOf, type Client } from './index.js'
import { Sentinel } from './sentinel.js'
import { disarmed, SENTINEL, shortened } from './shapes.js'
import { clientNamed, surroundingsOf } from './surroundings.js'
import {
  governedVendor,
  harmlessOf,
  realKeysIn,
  SERVERS,
  starterOf,
  startsNode,
  vendorServed,
} from './vendor-servers.js'

/** Which way one configured server goes. */
export interface Routed {
  readonly check: string
  readonly status: 'ok' | 'warn' | 'fail'
  readonly message: string
}

/** Tries out every vendor's server that a client on this machine is configured with, without a key that is worth anything. */
export async function routesOf(
  context: Context,
  { client: id, file }: { readonly client?: string; readonly file?: string },
): Promise<readonly Routed[]> {
  const at = surroundingsOf(context)
  const clients = id === undefined ? (file === undefined ? CLIENTS : [clientOf(file, context)]) : [clientNamed(id)]
  const found: Routed[] = []
  for (const client of clients) {
    const files = file === undefined ? filesOf(client, at) : [resolve(at.cwd, file)]
    const present = files.filter((each) => existsSync(each))
    if (present.length === 0 && (id !== undefined || file !== undefined))
      throw notFound(`${client.title} has no configuration file here (looked for ${files.join(' and ')}).`)
    // A folder that came from elsewhere may name any program; being asked about it is leave to start that.
    const asked = id !== undefined || file !== undefined
    for (const each of present)
      found.push(...(await routesIn(context, client, each, asked || each === client.file(at))))
  }
  return found
}

/** By its own looks, when nobody says whose file it is. */
function clientOf(file: string, context: Context): Client {
  if (/\.toml$/i.test(file)) return clientNamed('codex')
  const text = textOf(resolve(context.io.cwd, file)) ?? ''
  return clientNamed(/"servers"\s*:/.test(text) && !/"mcpServers"\s*:/.test(text) ? 'vscode' : 'cursor')
}

async function routesIn(context: Context, client: Client, file: string, mayStart: boolean): Promise<Routed[]> {
  const entries = readEntries(context, client, file)
  if ('message' in entries) return [{ check: client.id, status: 'warn', message: entries.message }]
  const agent = agentUrl(context)
  const routes: Routed[] = []
  for (const entry of entries) {
    const vendor = vendorServed(entry, agent)
    if (vendor === null) continue
    const held = entry.enabled && entry.url === null && !mayStart
    const { status, message } = held
      ? unknown(`programs that a project names are started only when asked for: spendgate doctor --client ${client.id}`)
      : await routeOf(context, client, entry, vendor, agent)
    routes.push({ check: `${client.id}: ${entry.name}`, status, message: `${message} (${file})` })
  }
  return routes
}

function readEntries(context: Context, client: Client, file: string): readonly Entry[] | CliFault {
  try {
    const text = textOf(file) ?? ''
    return understood(file, () => client.format.entries(text, client.lists(surroundingsOf(context))))
  } catch (error) {
    if (error instanceof CliFault) return error
    throw error
  }
}

type Verdict = Omit<Routed, 'check'>
const ok = (message: string): Verdict => ({ status: 'ok', message })
const unknown = (why: string): Verdict => ({ status: 'warn', message: `cannot be told: ${why}` })
const past = (how: string): Verdict => ({ status: 'fail', message: `goes past spendgate to the vendor: ${how}` })

function routeOf(context: Context, client: Client, entry: Entry, vendor: VendorName, agent: URL): Promise<Verdict> {
  if (!entry.enabled) return Promise.resolve(ok('is switched off'))
  if (entry.url !== null) return routeOfAddress(client, entry, entry.url, agent)
  if (entry.command === null) return Promise.resolve(unknown('the entry names neither a program nor an address'))
  return routeOfProgram(context, client, entry, vendor, agent)
}

const advice = (client: Client, more = ''): string => `Govern it: spendgate connect ${client.id}${more} --write`
/** What to do where the preload cannot reach. */
const byAddress = (client: Client): string =>
  client.http ? advice(client, ' --mode url') : `Let npx start it: spendgate connect ${client.id} --write`

async function routeOfAddress(client: Client, entry: Entry, url: string, agent: URL): Promise<Verdict> {
  if (!URL.canParse(url)) return unknown('its address cannot be read')
  const { origin, hostname } = new URL(url)
  if (VENDOR_HOST.test(hostname)) return past(`its address is at ${hostname}. ${advice(client)}`)
  if (governedVendor(url, agent) === null)
    return unknown(`it leads to ${origin}, and this environment has spendgate's agent port at ${agent.origin}`)
  const real = realKeysIn(entry)
  if (real.length > 0)
    return {
      status: 'fail',
      message: `a real key stands in ${real.join(', ')}: spendgate refuses it (real_key_presented). ${advice(client)}`,
    }
  try {
    // Its own key stays here; that this one is refused in spendgate's words says who answers.
    await probeAddress(url, { authorization: `Bearer ${SENTINEL}` })
    return unknown(`${origin} takes any key, so it is not spendgate`)
  } catch (error) {
    if (!(error instanceof ProbeFault)) throw error
    if (error.kind === 'refused' && error.message.startsWith('key_unknown:')) return ok(`reaches the proxy at ${url}`)
    if (error.kind === 'unreachable') return unknown(`${error.message}. Start it: spendgate serve`)
    return unknown(`what answers at ${origin} is not spendgate`)
  }
}

/** Hosts that a key of the three vendors is taken at. */
const VENDOR_HOST = /(?:^|\.)(?:stripe|twilio|resend)\.com$/

const worthlessGrant: Grant = {
  key: SENTINEL,
  presentations: {
    stripe: [`rk_${SENTINEL}`],
    twilio: { account_sid: `AC${'0'.repeat(32)}`, api_key_sid: `SK${'0'.repeat(32)}`, api_key_secret: SENTINEL },
    resend: `re_${SENTINEL}`,
  },
}

/** Built beside the preload, and like it loaded by Node itself. */
const watchFile = (): string => join(packageRoot(), 'dist', 'src', 'cli', 'clients', 'watch.cjs')

async function routeOfProgram(
  context: Context,
  client: Client,
  entry: Entry,
  vendor: VendorName,
  agent: URL,
): Promise<Verdict> {
  if (!context.json) context.say(`Trying out ${client.title}: ${entry.name}`)
  const { base } = SERVERS[vendor]
  const launched = launchedBy(entry)
  const { command, args } = launched ?? { command: entry.command!, args: entry.args }
  const unreached = whyUnreached(command, args, { ...handedOn(context.io.env), ...entry.env }, client)
  if (unreached !== null) return unknown(unreached)
  if (!existsSync(watchFile())) return unknown('the hook that looks on is not built. Run: npm run build')

  const configured = entry.env[base]
  const target = configured !== undefined && URL.canParse(configured) ? new URL(configured) : null
  if (launched === null && target !== null && VENDOR_HOST.test(target.hostname))
    return past(`${base} is ${target.origin}. ${advice(client)}`)

  const inherited = handedOn(context.io.env)
  const tried = await tryOut({
    command,
    argsAt: (origin) =>
      args.map((word, i) => disarmed(word, follows(args, i, vendor)).replaceAll(agent.origin, origin)),
    envAt: (origin) => {
      const env = { ...inherited, ...bent(entry, origin) }
      // The launcher makes the environment itself; the entry's own is its ground.
      return launched === null ? env : childEnv(env, worthlessGrant, origin, randomBytes(12).toString('hex'))
    },
    cwd: entry.cwd ?? surroundingsOf(context).home,
    vendor,
  })
  if (tried.past.length > 0) {
    const cause =
      launched === null && configured === undefined
        ? `It has no ${base}. ${advice(client)}`
        : causeOf(tried, command, client)
    return past(`it calls ${tried.past.join(', ')}. ${cause}`)
  }
  const real = launched === null ? realKeysIn(entry) : []
  if (real.length > 0)
    return {
      status: 'fail',
      message: `a real key stands beside ${configured === undefined ? 'no base' : base} (${real.join(', ')}), and nothing will work with it. Roll it. ${advice(client)}`,
    }
  const [first] = tried.seen
  if (first === undefined) return unknown(whySilent(tried))
  if (launched === null && target !== null && target.origin !== agent.origin)
    return unknown(
      `it keeps to ${base}, which is ${target.origin}; this environment has spendgate's agent port at ${agent.origin}`,
    )
  const way = launched !== null ? 'spendgate run' : configured === undefined ? 'its address' : base
  return ok(`reaches the proxy by ${way} (${first} came there)`)
}

/** Whether the word before is a flag that takes a key. */
const follows = (args: readonly string[], i: number, vendor: VendorName): boolean => {
  const before = args[i - 1] ?? ''
  return !before.includes('=') && SERVERS[vendor].keyFlag?.test(before) === true
}

/** What was seen of a server while it was tried out. */
interface Tried {
  /** Requests that came to the sentinel. */
  readonly seen: readonly string[]
  /** Hosts of vendors it tried to connect to all the same. */
  readonly past: readonly string[]
  /** Whether the preload was there when it did. */
  readonly hooked: boolean
  /** Node processes that loaded our hook. */
  readonly loaded: number
  readonly fault: ProbeFault | null
}

/** How often the report is looked into while a server runs. */
const LOOK_MS = 100

async function tryOut(program: {
  readonly command: string
  argsAt(origin: string): readonly string[]
  envAt(origin: string): NodeJS.ProcessEnv
  readonly cwd: string
  readonly vendor: VendorName
}): Promise<Tried> {
  const { command, argsAt, envAt, cwd, vendor } = program
  const sentinel = await Sentinel.start()
  const folder = mkdtempSync(join(tmpdir(), 'spendgate-doctor-'))
  const report = join(folder, 'report')
  const enough = new AbortController()
  // A bridge that gets no connection never answers its client (measured, @stripe/mcp 0.3.3), but we know by then.
  const look = setInterval(() => reportIn(report).past.length > 0 && enough.abort(), LOOK_MS)
  try {
    const env = watched(envAt(sentinel.origin), report)
    const fault = await probeProgram(
      { command, args: argsAt(sentinel.origin), env, cwd },
      harmlessOf(vendor),
      enough.signal,
    ).then(
      () => null,
      (error: unknown) => {
        if (error instanceof ProbeFault) return error
        throw error
      },
    )
    return { ...reportIn(report), seen: sentinel.seen, fault }
  } finally {
    clearInterval(look)
    await sentinel.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The program under `spendgate run`, however that is written; null for any other. */
function launchedBy({ command, args }: Entry): { readonly command: string; readonly args: readonly string[] } | null {
  const words = [command!, ...args]
  const at = words.findIndex(
    (word, i) =>
      word === 'run' && /(?:^|[/\\])(?:spendgate|cli[/\\]index\.js)$/.test((words[i - 1] ?? '').replace(/\.cmd$/, '')),
  )
  const [first, ...rest] = at < 0 ? [] : words.slice(words.indexOf('--', at) + 1)
  return first === undefined || words.indexOf('--', at) < 0 ? null : { command: first, args: rest }
}

/** The entry's own environment with worthless keys, and every base at the sentinel under the path it had. */
function bent(entry: Entry, origin: string): NodeJS.ProcessEnv {
  const names = new Set(Object.values(SERVERS).flatMap(({ keyNames }) => keyNames))
  const bases = new Set([...Object.values(SERVERS).map(({ base }) => base), 'RESEND_API_URL'])
  return Object.fromEntries(
    Object.entries(entry.env).map(([name, value]) => {
      if (!bases.has(name)) return [name, disarmed(value, names.has(name))]
      return [name, URL.canParse(value) ? origin + new URL(value).pathname : value]
    }),
  )
}

const PROXIES = /^(?:https?|all|no)_proxy$|^NODE_USE_ENV_PROXY$/i

/** The hook stands in front of the preload, so that it sees only what the preload lets through. */
function watched(env: NodeJS.ProcessEnv, report: string): Record<string, string> {
  const kept = Object.entries(env).flatMap(([name, value]) =>
    value === undefined || PROXIES.test(name) ? [] : [[name, value] as const],
  )
  const look = `--require ${JSON.stringify(watchFile())}`
  const own = env.NODE_OPTIONS ?? ''
  const home = env.HOME ?? env.USERPROFILE
  // What npx would put in the place of NODE_OPTIONS; our setting wins over the user's, so it has to repeat that.
  const npm = env.npm_config_node_options ?? (home === undefined ? null : userNodeOptions(home)) ?? own
  return {
    ...Object.fromEntries(kept),
    NODE_OPTIONS: `${look} ${own}`.trim(),
    npm_config_node_options: `${look} ${npm}`.trim(),
    SPENDGATE_DOCTOR_REPORT: report,
  }
}

function causeOf({ hooked }: Tried, command: string, client: Client): string {
  if (hooked) return `The preload does not reach that part of it. ${byAddress(client)}`
  const setup = starterOf(command) === 'node' ? '' : 'Run: spendgate setup. Or '
  return `Nothing loads the preload into it. ${setup}${advice(client)}`
}

function whySilent({ loaded, fault }: Tried): string {
  const talk = fault?.talk.trim() ? ` It said: ${shortened(fault.talk.trim().replace(/\s+/g, ' '))}` : ''
  if (fault !== null) return `${shortened(fault.message)}.${talk}`
  if (loaded === 0) return 'it runs, but not in a Node that takes NODE_OPTIONS'
  return 'it called nobody while it was tried out'
}

/** Why a program cannot be looked on at, and so is not started at all: a key, even a worthless one, could leave unseen. */
function whyUnreached(command: string, args: readonly string[], env: NodeJS.ProcessEnv, client: Client): string | null {
  const starter = starterOf(command)
  if (startsNode(command)) return null
  // What `spendgate connect --mode run` writes for a server that takes its key as an argument.
  if (starter === 'sh' && args[0] === '-c' && /^exec (?:npx|node) /.test(args[1] ?? '')) return null
  const named = OTHERS[starter]
  if (named !== undefined) return `${named} does not load the hook of Node. ${byAddress(client)}`
  const file = found(command, env)
  if (file === null) return `${command} is not found on the PATH that clients have`
  if (isNodeScript(file)) return null
  return `${command} is no program of Node's, which the hook needs (a desktop program's own Node ignores NODE_OPTIONS). ${byAddress(client)}`
}

const OTHERS: Readonly<Record<string, string>> = {
  bun: 'Bun',
  bunx: 'Bun',
  deno: 'Deno',
  docker: 'A container',
  podman: 'A container',
  uv: 'Python',
  uvx: 'Python',
  python: 'Python',
  python3: 'Python',
  electron: 'Electron',
}

function found(command: string, env: NodeJS.ProcessEnv): string | null {
  const places = isAbsolute(command)
    ? [command]
    : (env.PATH ?? '').split(delimiter).map((folder) => join(folder, command))
  return places.find((place) => existsSync(place) && statSync(place).isFile()) ?? null
}

const SHEBANG_BYTES = 128
function isNodeScript(file: string): boolean {
  const handle = openSync(realpathSync(file), 'r')
  try {
    const head = Buffer.alloc(SHEBANG_BYTES)
    const length = readSync(handle, head, 0, SHEBANG_BYTES, 0)
    return /^#!.*\bnode\b/.test(head.toString('latin1', 0, length).split('\n')[0]!)
  } finally {
    closeSync(handle)
  }
}

function reportIn(file: string): Pick<Tried, 'past' | 'hooked' | 'loaded'> {
  const lines = (existsSync(file) ? readFileSync(file, 'utf8') : '')
    .split('\n')
    // The last may be on its way.
    .filter((line) => line.endsWith('}'))
    .map(
      (line) => JSON.parse(line) as { readonly watched?: number; readonly refused?: string; readonly hooked?: boolean },
    )
  const past = lines.filter(({ refused }) => refused !== undefined && VENDOR_HOST.test(refused))
  return {
    past: [...new Set(past.map(({ refused }) => refused!))],
    hooked: past.some(({ hooked }) => hooked === true),
    loaded: lines.filter(({ watched: pid }) => pid !== undefined).length,
  }
}
