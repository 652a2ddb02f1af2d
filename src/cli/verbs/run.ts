import { spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { agentUrl } from '../agent-url.js'
import { childEnv, MARKER, preloadFile } from '../child-env.js'
import type { Api } from '../client.js'
import { connectEnv } from '../connect-env.js'
import type { Context } from '../context.js'
import { CliFault, Exit } from '../exit.js'
import { keyId, onlyKey } from '../find.js'
import { dollars } from '../output.js'
import type { NewKeyReply, RunReply } from '../replies.js'

interface RunOptions {
  readonly key?: string
  readonly cap?: string
  readonly run?: string
  readonly expires?: string
  readonly via?: string
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
/** How long the program's processes may take to end when they are told to. */
const GRACE_MS = 2_000
const SHELL_NOT_FOUND = 127

/**
 * Starts a program whose every call to a vendor is governed under a key of its own: a child key bound to a run, which
 * dies with the program. What it has spent is said at the end; its exit code is the program's.
 */
export async function run(
  context: Context,
  options: RunOptions,
  command: string,
  args: readonly string[],
): Promise<number> {
  if (!existsSync(preloadFile()))
    throw new CliFault(Exit.failure, 'The preload is not built. Run: npm run build', { code: 'not_built' })
  const { env: own } = context.io
  const led = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
    options.via === 'connect' ? connectEnv(env, context.dataDir, own.SPENDGATE_CONNECT_PORT) : env
  // Before a key is made that nobody would use: without a CA there is no such way.
  led(own)
  const api = await context.api()
  const parent = options.key === undefined ? await onlyKey(api) : await keyId(api, options.key)
  const made = await api.post<NewKeyReply>(`/keys/${encodeURIComponent(parent)}/runs`, {
    ...(options.run === undefined ? {} : { run: options.run }),
    ...(options.cap === undefined ? {} : { cap_usd: options.cap }),
    ...(options.expires === undefined ? {} : { expires_in: options.expires }),
  })
  const label = made.run ?? options.run ?? made.id
  context.say(
    `spendgate: run ${label} under key ${made.id}${options.cap === undefined ? '' : `, at most USD ${options.cap}`}`,
  )
  const marker = randomBytes(12).toString('hex')
  try {
    return await supervise(context, command, args, led(childEnv(own, made, agentUrl(context).origin, marker)), marker)
  } finally {
    await farewell(context, api, made, label)
  }
}

function supervise(
  context: Context,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  marker: string,
): Promise<number> {
  // A group of its own can be ended as a whole. At a terminal that would take the keyboard away from the program, so
  // there it stays in ours, and what it leaves behind is found by the marker in its environment.
  const grouped = process.stdin.isTTY !== true && process.platform !== 'win32'
  const child = spawn(command, args, {
    env,
    stdio: 'inherit',
    detached: grouped,
    // npx and its like are batch files there.
    shell: process.platform === 'win32',
  })
  const undo = SIGNALS.map((signal) => {
    const pass = (): void => void send(child, grouped, signal)
    process.on(signal, pass)
    return () => process.off(signal, pass)
  })
  return new Promise<number>((resolve) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      context.say(`spendgate: ${command} could not be started (${error.code ?? error.message}).`)
      resolve(SHELL_NOT_FOUND)
    })
    child.once('exit', (code, signal) => resolve(code ?? 128 + (constants.signals[signal!] ?? 0)))
  }).then(async (code) => {
    await endRemains(context, child, grouped, marker)
    for (const each of undo) each()
    return code
  })
}

/** npx leaves the server it started behind when its own client goes away (measured, npm 11): whatever is left is ended. */
async function endRemains(context: Context, child: ChildProcess, grouped: boolean, marker: string): Promise<void> {
  const until = context.io.clock.monotonic() + GRACE_MS
  const alive = (): boolean => (grouped && send(child, true, 0)) || marked(marker).length > 0
  const tell = (signal: NodeJS.Signals): void => {
    if (grouped) send(child, true, signal)
    for (const pid of marked(marker)) signalTo(pid, signal)
  }
  if (!alive()) return
  tell('SIGTERM')
  while (alive() && context.io.clock.monotonic() < until) await context.io.pause(50, new AbortController().signal)
  if (alive()) tell('SIGKILL')
}

const send = (child: ChildProcess, grouped: boolean, signal: NodeJS.Signals | 0): boolean =>
  child.pid !== undefined && signalTo(grouped ? -child.pid : child.pid, signal)

function signalTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false // It has ended meanwhile.
  }
}

/** Processes that carry the run's marker in their environment, where the system shows environments (Linux). */
function marked(marker: string): number[] {
  if (process.platform !== 'linux') return []
  const needle = `${MARKER}=${marker}`
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map(Number)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(needle)
      } catch {
        return false // Another user's, or gone.
      }
    })
}

/** The key dies first, so that what is said of the run is final but for calls still under way. */
async function farewell(context: Context, api: Api, made: NewKeyReply, label: string): Promise<void> {
  try {
    const { in_flight: inFlight = [] } = await api.post<{ in_flight?: readonly string[] }>(
      `/keys/${encodeURIComponent(made.id)}/revoke`,
      { reason: 'its run has ended' },
    )
    const spent = await api.get<RunReply>(`/runs/${encodeURIComponent(label)}`, { key: made.id }).catch(noCalls)
    const under = inFlight.length === 0 ? '' : `, ${inFlight.length} still under way`
    context.say(
      spent === null
        ? `spendgate: run ${label} made no calls. Its key is revoked.`
        : `spendgate: run ${label} spent ${dollars(spent.spent_usd)} in ${spent.calls} calls, ${spent.denied} denied${under}. Its key is revoked.`,
    )
  } catch (error) {
    context.say(
      `spendgate: the key ${made.id} could not be revoked (${(error as Error).message}). Do it by hand: spendgate key revoke ${made.id}`,
    )
  }
}

function noCalls(error: unknown): null {
  if (error instanceof CliFault && error.exit === Exit.notFound) return null
  throw error
}
