import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { packageRoot } from '../../src/package-root.js'

/** The environment a child gets beside what a test gives it: enough to run, and no SPENDGATE_ variable of the caller's. */
const BARE = Object.fromEntries(
  ['PATH', 'HOME', 'TMPDIR', 'LANG'].flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])),
)

const running = new Set<ChildProcess>()
// Whatever ends the tests, no process they started outlives them.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** The path of a built file; every caller needs the build, so its absence is a failure and not a reason to skip. */
export function built(path: string): string {
  const file = join(packageRoot(), 'dist', path)
  if (!existsSync(file))
    throw new Error(`dist/${path} is missing: this test runs the built program. Run «npm run build» first.`)
  return file
}

/** A Node process of ours, ended by its id and never by a name. */
export class Child {
  readonly #process: ChildProcess
  readonly ended: Promise<Ended>
  readonly #lines: AsyncIterator<string>
  #stdout = ''
  #stderr = ''

  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, args, { env: { ...BARE, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = child
    running.add(child)
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.#stdout += text))
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text))
    this.#lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => {
        running.delete(child)
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr })
      })
    })
  }

  get pid(): number {
    return this.#process.pid!
  }

  /** The next line on stdout, as JSON. Rejects with what the process said instead when it ended before. */
  async json(): Promise<any> {
    const line = await this.#lines.next()
    if (line.done) {
      const { code, signal, stderr } = await this.ended
      throw new Error(`the process ended with ${signal ?? code} before it was ready: ${stderr.trim()}`)
    }
    return JSON.parse(line.value)
  }

  /** SIGKILL, which nothing can prepare for. Resolves when the process is gone. */
  kill(): Promise<Ended> {
    this.#process.kill('SIGKILL')
    return this.ended
  }

  /** SIGTERM, and the way it ended. */
  stop(): Promise<Ended> {
    this.#process.kill('SIGTERM')
    return this.ended
  }
}

/** The built command, run to its end. */
export const spendgate = (args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  new Child([built('src/cli/index.js'), ...args], env).ended

/** Vendor simulators in a process of their own, with every request they saw in `record` as NDJSON. */
export async function startSimulators(record: string): Promise<{ readonly child: Child; readonly stripe: string }> {
  const child = new Child([built('fixtures/simulators/main.js'), '--stripe', '0', '--record', record])
  const ready = (await child.json()) as { stripe: { origin: string } }
  return { child, stripe: ready.stripe.origin }
}

/** The built server on free ports. Its `ready` resolves with the addresses once it answers. */
export function startServer(env: Readonly<Record<string, string>>): {
  readonly child: Child
  readonly ready: Promise<{ readonly agent: string; readonly admin: string }>
} {
  const child = new Child(['--enable-source-maps', built('src/cli/index.js'), 'serve', '--json'], {
    SPENDGATE_PORT: '0',
    SPENDGATE_ADMIN_PORT: '0',
    SPENDGATE_LOG_LEVEL: 'error',
    ...env,
  })
  const ready = child.json().then((line: { agent_url: string; admin_url: string }) => ({
    agent: line.agent_url,
    admin: line.admin_url,
  }))
  // A process killed before it was ready never says so; whoever waits for it still hears of it.
  ready.catch(() => undefined)
  return { child, ready }
}

/** Whether a process with this id exists. */
/** A process for ever: numbers are given out again, instants of birth are not. */
export interface Known {
  readonly pid: number
  /** Ticks from the start of the machine; null where the system does not say. */
  readonly born: string | null
}

export const known = (pid: number): Known => ({ pid, born: bornAt(pid) })
export const stillAlive = ({ pid, born }: Known): boolean => alive(pid) && bornAt(pid) === born

/** The 22nd field of /proc/<pid>/stat; the second, the name, may hold spaces and ends with the last bracket. */
function bornAt(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[19]!
  } catch {
    return null
  }
}

export function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
