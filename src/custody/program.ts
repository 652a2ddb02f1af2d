import { spawn, spawnSync } from 'node:child_process'
import type { Readable } from 'node:stream'

/** A program that should print a secret did not. The message is for the operator; it holds nothing that was printed. */
export class ProgramFault extends Error {
  override readonly name = 'ProgramFault'
}

export type Environment = Readonly<Record<string, string | undefined>>

/** One that asks a network or a person's finger takes longer than one that reads a file, and none takes longer than this. */
export const PROGRAM_MS_MAX = 10_000
/** Many times what any vendor's key or a JSON object of them has. */
export const PRINTED_BYTES_MAX = 64 * 1024
const WORDS_MAX = 64
const TEXT_CHARS_MAX = 4096

/**
 * A command line as program and arguments: a JSON array of texts, or words between spaces. There is no shell, so what only
 * one would understand is refused instead of being handed to the program as it is. A string is the fault, as a sentence
 * without its subject.
 */
export function argvIn(text: string): readonly string[] | string {
  const trimmed = text.trim()
  if (trimmed.length > TEXT_CHARS_MAX) return `is longer than ${TEXT_CHARS_MAX} characters.`
  if (trimmed.startsWith('[')) return listed(trimmed)
  if (/["'`\\$|&;<>*?(){}~]/.test(trimmed))
    return 'is not read by a shell: write it as a JSON list, such as ["op", "read", "op://vault/item/field"].'
  const words = trimmed.split(/\s+/).filter((word) => word !== '')
  return checked(words)
}

function listed(text: string): readonly string[] | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'begins like a JSON list and is none.'
  }
  if (!Array.isArray(value) || !value.every((word) => typeof word === 'string')) return 'must be a JSON list of texts.'
  return checked(value as string[])
}

function checked(words: readonly string[]): readonly string[] | string {
  if (words.length === 0 || words[0] === '') return 'names no program.'
  if (words.length > WORDS_MAX) return `has more than ${WORDS_MAX} words.`
  if (words.some((word) => word.includes('\0'))) return 'has a NUL in it.'
  return words
}

/** What a program that we start may see of our environment: everything but the secrets that are ours. */
export const childEnvironment = (environment: Environment): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(environment).filter(
      ([name, value]) => value !== undefined && !name.startsWith('SPENDGATE_') && !DATABASE.test(name),
    ),
  )
const DATABASE = /^(?:DATABASE_URL|PGPASSWORD)$/

/**
 * What a program prints, before the server serves anybody: the process waits for it.
 *
 * @throws ProgramFault
 */
export function printedAtStart(argv: readonly string[], environment: Environment, timeoutMs = PROGRAM_MS_MAX): string {
  const [file, ...words] = argv as readonly [string, ...string[]]
  const ended = spawnSync(file, words, {
    env: childEnvironment(environment),
    shell: false,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: PRINTED_BYTES_MAX,
    windowsHide: true,
  })
  const { code } = (ended.error ?? {}) as NodeJS.ErrnoException
  if (code === 'ETIMEDOUT') throw tooSlow(file, timeoutMs)
  if (code === 'ENOBUFS') throw tooMuch(file)
  if (ended.error) throw notStarted(file, ended.error)
  if (ended.status !== 0) throw endedBadly(file, ended.status, ended.signal)
  return textIn(file, ended.stdout)
}

/**
 * What a program prints, while the server goes on. It gets a process group of its own, so that none of its children
 * outlives the time limit either.
 *
 * @param givenUp nobody waits any more: it is stopped
 * @throws ProgramFault
 */
export function printedBy(
  argv: readonly string[],
  environment: Environment,
  timeoutMs = PROGRAM_MS_MAX,
  givenUp: AbortSignal | null = null,
): Promise<string> {
  const [file, ...words] = argv as readonly [string, ...string[]]
  return new Promise((resolve, reject) => {
    let child: ReturnType<typeof started>
    try {
      child = started(file, words, environment)
    } catch (cause) {
      return reject(notStarted(file, cause as Error))
    }
    // Where the process has no file descriptors left there is no pipe either, and the fault comes as an event. It may
    // come again when a program of another user (sudo) is not ours to stop; nobody waits for that one.
    const stdout = child.stdout as Readable | undefined
    child.on('error', (cause) => {
      over()
      reject(fault ?? notStarted(file, cause))
    })
    const chunks: Buffer[] = []
    let bytes = 0
    let fault: ProgramFault | null = null
    const end = (because: ProgramFault): void => {
      fault ??= because
      killed(child.pid)
      child.kill('SIGKILL')
      stdout?.destroy()
    }
    const late = setTimeout(() => end(tooSlow(file, timeoutMs)), timeoutMs)
    const stopped = (): void => end(new ProgramFault(`${file} was stopped, because the server stops.`))
    const over = (): void => {
      clearTimeout(late)
      givenUp?.removeEventListener('abort', stopped)
    }
    givenUp?.addEventListener('abort', stopped)
    if (givenUp?.aborted) stopped()
    stdout?.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > PRINTED_BYTES_MAX) end(tooMuch(file))
      else chunks.push(chunk)
    })
    child.once('close', (status, signal) => {
      over()
      if (fault !== null) return reject(fault)
      if (status !== 0) return reject(endedBadly(file, status, signal))
      try {
        resolve(textIn(file, Buffer.concat(chunks)))
      } catch (cause) {
        reject(cause as ProgramFault)
      }
    })
  })
}

const started = (file: string, words: readonly string[], environment: Environment) =>
  spawn(file, words, {
    env: childEnvironment(environment),
    shell: false,
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  })

/** The whole group; one that is gone already, or of another user, cannot be. */
function killed(pid: number | undefined): void {
  if (pid === undefined || process.platform === 'win32') return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (cause) {
    if (!UNKILLED.has((cause as NodeJS.ErrnoException).code ?? '')) throw cause
  }
}

const UNKILLED: ReadonlySet<string> = new Set(['ESRCH', 'EPERM'])

function textIn(file: string, printed: Buffer): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(printed)
  } catch (cause) {
    throw new ProgramFault(`${file} printed something that is not text.`, { cause })
  }
  const line = text.replace(/\r?\n$/, '')
  if (line === '') throw new ProgramFault(`${file} printed nothing.`)
  return line
}

const tooSlow = (file: string, timeoutMs: number): ProgramFault =>
  new ProgramFault(`${file} did not end within ${timeoutMs / 1000} s and was stopped.`)
const tooMuch = (file: string): ProgramFault =>
  new ProgramFault(`${file} printed more than ${PRINTED_BYTES_MAX} bytes and was stopped.`)
const endedBadly = (file: string, status: number | null, signal: string | null): ProgramFault =>
  new ProgramFault(
    `${file} ended with ${status === null ? `the signal ${signal}` : `code ${status}`}. What it wrote is not shown, because it may hold a secret: run it by hand, as the user of the server.`,
  )

function notStarted(file: string, cause: Error): ProgramFault {
  const { code } = cause as NodeJS.ErrnoException
  const why =
    code === 'ENOENT'
      ? `there is no program ${file} on the PATH of this process`
      : `${file} cannot be started (${code ?? 'unknown fault'})`
  return new ProgramFault(`${why}.`, { cause })
}
