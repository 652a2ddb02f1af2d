import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** What a role's module exports as `start`: one piece of the bench, in a process of its own. */
export interface Role<Facts, Question = never, Reply = never> {
  readonly facts: Facts
  ask?(question: Question): Promise<Reply>
  stop(): Promise<void>
}

/** What parent and child say to each other. */
export type ToChild = { readonly ask: unknown } | { readonly stop: true }
export type ToParent = { readonly facts: unknown } | { readonly reply: unknown } | { readonly fault: string }

/** Enough to drain, to checkpoint a large database and to write a CPU profile. */
const STOP_MS = 30_000

/** A role running in a child process, pinned to processors where that is possible. */
export class Part<Facts = unknown, Question = unknown, Reply = unknown> {
  readonly name: string
  readonly facts: Facts
  readonly pid: number
  readonly #child: ChildProcess

  private constructor(name: string, child: ChildProcess, facts: Facts) {
    this.name = name
    this.#child = child
    this.facts = facts
    this.pid = child.pid!
  }

  /**
   * @param role module under bench/ without its ending, e.g. `targets/raw-undici`
   * @param cpus as taskset takes them; null leaves the choice to the scheduler. `0/0,1`: the main thread on 0 and all others
   *   on either
   * @param env beside our own
   * @throws Error with the child's own sentence when it does not start
   */
  static async start<Facts, Question = never, Reply = never>(
    role: string,
    options: unknown,
    cpus: string | null,
    flags: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Part<Facts, Question, Reply>> {
    const child = fileURLToPath(new URL('./child.js', import.meta.url))
    const line = [process.execPath, ...flags, child, role, JSON.stringify(options)]
    const [main, all = main] = cpus?.split('/') ?? []
    const [command, ...args] = all === undefined ? line : ['taskset', '-c', all, ...line]
    // What a child prints is talk: our stdout is for the result.
    const started = spawn(command!, args, {
      stdio: ['ignore', 2, 2, 'ipc'],
      env: { ...process.env, ...env },
    })
    const first = await heard(started, role)
    if (!('facts' in first))
      throw new Error(`${role}: ${'fault' in first ? first.fault : 'it answered before it was asked'}`)
    // A process's number is its main thread's; without -a no other thread is meant.
    if (main !== all) execFileSync('taskset', ['-cp', main!, String(started.pid)], { stdio: 'ignore' })
    return new Part(role, started, first.facts as Facts)
  }

  async ask(question: Question): Promise<Reply> {
    const reply = heard(this.#child, this.name)
    this.#child.send({ ask: question } satisfies ToChild)
    const said = await reply
    if (!('reply' in said)) throw new Error(`${this.name}: ${'fault' in said ? said.fault : 'no reply'}`)
    return said.reply as Reply
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()))
    this.#child.send({ stop: true } satisfies ToChild)
    const patience = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(patience)
  }
}

/** The next message of a child; its end before that is a fault. */
function heard(child: ChildProcess, role: string): Promise<ToParent> {
  return new Promise((resolve, reject) => {
    const forget = (): void => {
      child.off('message', onMessage)
      child.off('exit', onExit)
      child.off('error', onError)
    }
    const onMessage = (message: unknown): void => {
      forget()
      resolve(message as ToParent)
    }
    const onExit = (code: number | null, signal: string | null): void => {
      forget()
      reject(new Error(`${role} ended (${signal ?? code}) before it answered.`))
    }
    const onError = (cause: Error): void => {
      forget()
      reject(new Error(`${role} could not be started.`, { cause }))
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
    child.on('error', onError)
  })
}
