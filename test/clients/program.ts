import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** Enough to run. Python would leave compiled files in the folders of the sources. */
const BARE = { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1' }

/** A client's program: one act a line on its stdin, one line of JSON back. */
export interface Program {
  act(name: string): Promise<any>
  /** Closes its stdin; what it wrote to stderr. */
  end(): Promise<string>
}

/** Starts a program with these variables and no others, and waits until it says «ready». */
export async function startProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<Program> {
  const child = spawn(command, args, { env: { ...BARE, ...env }, stdio: 'pipe' })
  let err = ''
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const closed = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const line = async (): Promise<string> => {
    const next = await lines.next()
    if (next.done) throw new Error(`${command} ${args.join(' ')} has ended: ${err}`)
    return next.value
  }
  const first = await line()
  if (first !== 'ready') throw new Error(`${command} said «${first}» instead of «ready».`)
  return {
    async act(name) {
      child.stdin.write(`${name}\n`)
      return JSON.parse(await line())
    },
    async end() {
      child.stdin.end()
      await closed
      return err
    },
  }
}

/** Runs a program to its end; what it wrote to stdout. */
export async function output(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = spawn(command, args, { env: { ...BARE, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (exit) => (exit === 0 ? resolve(out) : reject(new Error(`${command}: ${err || out}`))))
  })
}
