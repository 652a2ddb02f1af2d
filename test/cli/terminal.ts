import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Ask, Io } from '../../src/cli/io.js'
import { run } from '../../src/cli/program.js'

export const NOW = Date.parse('2026-11-21T12:00:00.000Z')

export interface Heard {
  readonly exit: number
  readonly out: string
  readonly err: string
  /** stdout as the one object of --json. */
  readonly json: any
}

/** A person, or a script, at a terminal that is not there. */
export class Terminal {
  readonly dir = mkdtempSync(join(tmpdir(), 'spendgate-cli-'))
  readonly env: NodeJS.ProcessEnv
  tty = false
  stdin = ''
  /** Answers to questions in order; null means that nobody is there to ask. */
  answers: string[] | null = null
  readonly questions: { readonly question: string; readonly hidden: boolean }[] = []
  readonly pauses: number[] = []
  abandonedWith: number | null = null
  readonly #listeners = new Set<() => void>()
  #onOut: (text: string) => void = () => {}

  constructor(env: NodeJS.ProcessEnv = {}) {
    this.env = { HOME: this.dir, SPENDGATE_DATA_DIR: join(this.dir, 'data'), ...env }
  }

  async run(...argv: string[]): Promise<Heard> {
    let out = ''
    let err = ''
    const io: Io = {
      env: this.env,
      cwd: this.dir,
      clock: { now: () => NOW, monotonic: () => NOW },
      out: {
        tty: this.tty,
        write: (text) => {
          out += text
          this.#onOut(out)
        },
        drained: () => Promise.resolve(),
      },
      err: { tty: this.tty, write: (text) => void (err += text), drained: () => Promise.resolve() },
      ask: this.answers === null ? null : this.#ask,
      readStdin: () => Promise.resolve(this.stdin),
      onInterrupt: (listener) => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
      pause: (ms) => {
        this.pauses.push(ms)
        return Promise.resolve()
      },
      abandon: (exit) => void (this.abandonedWith = exit),
    }
    const exit = await run(argv, io)
    return {
      exit,
      out,
      err,
      get json() {
        if (out === '') throw new Error(`nothing on stdout; stderr: ${err}`)
        return JSON.parse(out)
      },
    }
  }

  readonly #ask: Ask = (question, hidden) => {
    this.questions.push({ question, hidden })
    const answer = this.answers?.shift()
    return answer === undefined ? Promise.reject(new Error(`nobody answers: ${question}`)) : Promise.resolve(answer)
  }

  /** Watches stdout as it grows. */
  onOut(listener: (text: string) => void): void {
    this.#onOut = listener
  }

  interrupt(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  close(): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}
