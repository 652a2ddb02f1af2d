import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'
import { request } from 'undici'
import { packageVersion } from '../package-root.js'

/** A tool to call once the list is known. */
export type Choice = (tools: readonly string[]) => { readonly tool: string; readonly args: unknown } | null

/** What a server showed of itself. */
export interface Probed {
  /** The name it gives itself. */
  readonly server: string
  readonly tools: readonly string[]
  /** The tool that was called, and the beginning of what it said; null when none was chosen. */
  readonly called: { readonly tool: string; readonly failed: boolean; readonly text: string } | null
}

/** A server that cannot be spoken with. The message is a clause; `talk` is the end of what it wrote to stderr. */
export class ProbeFault extends Error {
  override readonly name = 'ProbeFault'
  constructor(
    message: string,
    readonly kind: 'start' | 'end' | 'time' | 'protocol' | 'refused' | 'unreachable',
    readonly talk = '',
    cause?: unknown,
  ) {
    super(message, { cause })
  }
}

export interface Program {
  readonly command: string
  readonly args: readonly string[]
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** npx may have to fetch the package first; five times what that took where it was measured. */
const PROBE_MS_MAX = 30_000
const GRACE_MS = 1_000
const LINE_BYTES_MAX = 4 * 1024 * 1024
const TALK_CHARS_MAX = 400
const PAGES_MAX = 20

/**
 * Variables that MCP clients hand on to the servers they start, beside those of the entry (the list of the TypeScript
 * SDK, client/stdio.js). A probe with more than that would prove too much.
 */
const HANDED_ON: Readonly<Record<'posix' | 'win32', readonly string[]>> = {
  posix: ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER'],
  win32: [
    'APPDATA',
    'HOMEDRIVE',
    'HOMEPATH',
    'LOCALAPPDATA',
    'PATH',
    'PROCESSOR_ARCHITECTURE',
    'PROGRAMFILES',
    'SYSTEMDRIVE',
    'SYSTEMROOT',
    'TEMP',
    'USERNAME',
    'USERPROFILE',
  ],
}

export const handedOn = (env: Readonly<NodeJS.ProcessEnv>): Record<string, string> =>
  Object.fromEntries(
    HANDED_ON[process.platform === 'win32' ? 'win32' : 'posix'].flatMap((name) =>
      env[name] === undefined ? [] : [[name, env[name]]],
    ),
  )

/**
 * Starts a server as a client would, asks for its tools, calls one if wanted, and ends it with all it started.
 *
 * @param enough ends the probe early, when what was to be found out is known
 * @throws ProbeFault
 */
export async function probeProgram(program: Program, choose: Choice, enough?: AbortSignal): Promise<Probed> {
  // A group of its own: npx leaves the server it started behind when only npx is told to end.
  const child = spawn(program.command, program.args, {
    env: { ...program.env },
    ...(program.cwd === undefined ? {} : { cwd: program.cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    shell: process.platform === 'win32',
    windowsHide: true,
  })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const wire = new Wire(child)
  try {
    const talk = converse(
      (method, params) => wire.ask(method, params),
      (method) => wire.tell(method),
      choose,
    )
    return await within(PROBE_MS_MAX, [talk, wire.failed, stopped(enough)])
  } catch (error) {
    throw error instanceof ProbeFault ? new ProbeFault(error.message, error.kind, wire.talk, error.cause) : error
  } finally {
    await end(child, exited)
  }
}

/** JSON-RPC, a message a line. */
class Wire {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #waiting = new Map<
    number,
    { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void }
  >()
  /** Rejects when the program cannot be started or ends; never resolves. */
  readonly failed: Promise<never>
  talk = ''
  #rest = ''
  #id = 0

  constructor(child: ChildProcessByStdio<Writable, Readable, Readable>) {
    this.#child = child
    child.stdin.on('error', () => {}) // It has ended, which is told below.
    child.stdout.setEncoding('utf8').on('data', (text: string) => this.#read(text))
    child.stderr
      .setEncoding('utf8')
      .on('data', (text: string) => (this.talk = (this.talk + text).slice(-TALK_CHARS_MAX)))
    this.failed = new Promise((_resolve, reject) => {
      child.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          new ProbeFault(
            error.code === 'ENOENT'
              ? `${child.spawnfile} is not found`
              : `${child.spawnfile} cannot be started (${error.code})`,
            'start',
          ),
        ),
      )
      // `close` comes after the last of stderr.
      child.once('close', (code, signal) => reject(new ProbeFault(`it ended by itself (${signal ?? code})`, 'end')))
    })
    this.failed.catch(() => undefined)
  }

  ask(method: string, params: unknown): Promise<unknown> {
    const id = ++this.#id
    this.#send({ jsonrpc: '2.0', id, method, params })
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }))
  }

  tell(method: string): Promise<void> {
    this.#send({ jsonrpc: '2.0', method })
    return Promise.resolve()
  }

  #send(message: unknown): void {
    this.#child.stdin.write(`${JSON.stringify(message)}\n`)
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!.slice(-LINE_BYTES_MAX)
    for (const line of lines) {
      const message = messageIn(line)
      if (message === null || typeof message.id !== 'number') continue
      // A request of the server's own: elicitation, roots. It gets no answer that could let anything happen.
      if (message.method !== undefined) continue
      const waiting = this.#waiting.get(message.id)
      this.#waiting.delete(message.id)
      if (message.error === undefined) waiting?.resolve(message.result)
      else waiting?.reject(refused(message.error))
    }
  }
}

async function end(child: ChildProcessByStdio<Writable, Readable, Readable>, exited: Promise<void>): Promise<void> {
  if (child.pid === undefined) return
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
  if (process.platform === 'win32') {
    const killer = spawn('taskkill', ['/pid', String(child.pid), '/t', '/f'], { stdio: 'ignore', windowsHide: true })
    await Promise.race([once(killer, 'exit'), once(killer, 'error')]).catch(() => undefined)
    return
  }
  signalGroup(child.pid, 'SIGTERM')
  await Promise.race([exited, after(GRACE_MS)])
  signalGroup(child.pid, 'SIGKILL')
  await exited
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch {
    // The whole group has ended already.
  }
}

/**
 * Asks an address for its tools as an HTTP client would.
 *
 * @throws ProbeFault
 */
export async function probeAddress(
  url: string,
  headers: Readonly<Record<string, string>>,
  choose: Choice = () => null,
): Promise<Probed> {
  let session: Record<string, string> = {}
  let id = 0
  const post = async (message: object): Promise<Message> => {
    const reply = await request(url, {
      method: 'POST',
      headers: {
        ...lowered(headers),
        ...session,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      signal: AbortSignal.timeout(PROBE_MS_MAX),
    }).catch((error: Error & { code?: string }) => {
      const { origin } = new URL(url)
      throw new ProbeFault(`nothing answers at ${origin} (${error.code ?? error.name})`, 'unreachable', '', error)
    })
    const text = (await reply.body.text()).slice(0, LINE_BYTES_MAX)
    const found = messagesIn(text).find((each) => 'result' in each || 'error' in each)
    if (reply.statusCode >= 300)
      throw found?.error ? refused(found.error) : new ProbeFault(`it answers with HTTP ${reply.statusCode}`, 'refused')
    const named = reply.headers['mcp-session-id']
    if (typeof named === 'string') session = { 'mcp-session-id': named }
    return found ?? {}
  }
  const ask = async (method: string, params: unknown): Promise<unknown> => {
    const { result, error } = await post({ id: ++id, method, params })
    if (error !== undefined) throw refused(error)
    return result
  }
  return converse(ask, async (method) => void (await post({ method })), choose)
}

const lowered = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

interface Message {
  readonly id?: unknown
  readonly method?: unknown
  readonly result?: unknown
  readonly error?: unknown
}

/** One JSON object, or the data of server-sent events. */
function messagesIn(text: string): readonly Message[] {
  const whole = messageIn(text)
  if (whole !== null) return [whole]
  return text.split(/\r?\n/).flatMap((line) => {
    const event = line.startsWith('data:') ? messageIn(line.slice(5)) : null
    return event === null ? [] : [event]
  })
}

function messageIn(text: string): Message | null {
  try {
    const value = JSON.parse(text) as unknown
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null
  } catch {
    return null // Talk on stdout; clients pass over it, too.
  }
}

function refused(error: unknown): ProbeFault {
  const { message } = (typeof error === 'object' && error !== null ? error : {}) as { message?: unknown }
  return new ProbeFault(typeof message === 'string' ? message : 'it refused without a reason', 'refused')
}

type Ask = (method: string, params: unknown) => Promise<unknown>

async function converse(ask: Ask, tell: (method: string) => Promise<void>, choose: Choice): Promise<Probed> {
  const hello = membersOf(
    await ask('initialize', {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'spendgate', version: packageVersion() },
    }),
  )
  await tell('notifications/initialized')
  const tools: string[] = []
  let cursor: unknown
  let pages = 0
  do {
    const page = membersOf(await ask('tools/list', cursor === undefined ? {} : { cursor }))
    if (!Array.isArray(page.tools)) throw new ProbeFault('its list of tools cannot be read', 'protocol')
    tools.push(...page.tools.map((tool: unknown) => String(membersOf(tool).name)))
    cursor = page.nextCursor
  } while (typeof cursor === 'string' && ++pages < PAGES_MAX)
  const chosen = choose(tools)
  const server = String(membersOf(hello.serverInfo).name ?? '')
  if (chosen === null) return { server, tools, called: null }
  const result = membersOf(
    await ask('tools/call', { name: chosen.tool, arguments: chosen.args }).catch((error: unknown) => {
      if (error instanceof ProbeFault && error.kind === 'refused')
        return { isError: true, content: [{ text: error.message }] }
      throw error
    }),
  )
  const parts = Array.isArray(result.content) ? result.content : []
  const text = parts.map((part: unknown) => String(membersOf(part).text ?? '')).join('\n')
  return {
    server,
    tools,
    called: { tool: chosen.tool, failed: result.isError === true, text: text.slice(0, TALK_CHARS_MAX) },
  }
}

const membersOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

/** The first of several to settle, or the end of patience. */
async function within<T>(ms: number, works: readonly Promise<T>[]): Promise<T> {
  const patience = new AbortController()
  const late = after(ms, patience.signal).then((): never => {
    throw new ProbeFault(`it did not answer within ${ms / 1000} s`, 'time')
  })
  // Those that lose have nobody left to tell.
  for (const work of works) work.catch(() => undefined)
  try {
    return await Promise.race([...works, late])
  } finally {
    patience.abort()
  }
}

const stopped = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_resolve, reject) => {
    const stop = (): void => reject(new ProbeFault('it was stopped', 'end'))
    if (signal?.aborted) stop()
    signal?.addEventListener('abort', stop, { once: true })
  })

const after = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal?.addEventListener('abort', () => clearTimeout(timer), { once: true })
  })
