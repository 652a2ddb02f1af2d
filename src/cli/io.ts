import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../contracts/clock.js'
import { CliFault, Exit, usage } from './exit.js'

/** Everything the command touches outside the admin API, so that tests can hand it another world. */
export interface Io {
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly clock: Clock
  /** Data goes here and nothing else does. */
  readonly out: Sink
  /** Talk: progress, advice, faults. */
  readonly err: Sink
  /** Asks the person at the terminal; null when there is none. */
  readonly ask: Ask | null
  /** All of standard input as text; refuses more than `bytesMax`. */
  readStdin(bytesMax: number): Promise<string>
  /** Calls the listener at each SIGINT or SIGTERM until undone; meanwhile these signals do not end the process. */
  onInterrupt(listener: () => void): () => void
  /** Waits; rejects when the signal fires first. */
  pause(ms: number, signal: AbortSignal): Promise<void>
  /** Ends the process without waiting for anything. For the second Ctrl-C. */
  abandon(exit: number): void
}

export interface Sink {
  readonly tty: boolean
  write(text: string): void
  /** Resolves when what was written has left, so that a long export does not pile up in memory. */
  drained(): Promise<void>
}

/** Hidden answers are not echoed. */
export type Ask = (question: string, hidden: boolean) => Promise<string>

/** The real world. */
export function processIo(clock: Clock): Io {
  return {
    env: process.env,
    cwd: process.cwd(),
    clock,
    out: sink(process.stdout),
    err: sink(process.stderr),
    ask: process.stdin.isTTY && process.stderr.isTTY ? askAtTerminal : null,
    readStdin,
    onInterrupt(listener) {
      process.on('SIGINT', listener)
      process.on('SIGTERM', listener)
      return () => {
        process.off('SIGINT', listener)
        process.off('SIGTERM', listener)
      }
    },
    pause: (ms, signal) => pause(ms, undefined, { signal }),
    abandon: (exit) => process.exit(exit),
  }
}

function sink(stream: NodeJS.WriteStream): Sink {
  return {
    tty: stream.isTTY,
    write: (text) => void stream.write(text),
    drained: () =>
      stream.writableNeedDrain ? new Promise((resolve) => void stream.once('drain', resolve)) : Promise.resolve(),
  }
}

async function readStdin(bytesMax: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) throw usage(`Standard input is longer than ${bytesMax} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Reads one line from the terminal. Questions go to stderr, so that stdout stays data. */
async function askAtTerminal(question: string, hidden: boolean): Promise<string> {
  process.stderr.write(question)
  return hidden ? readHidden() : readVisible()
}

async function readVisible(): Promise<string> {
  const { createInterface } = await import('node:readline')
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: true })
  return new Promise((resolve, reject) => {
    lines.once('SIGINT', () => {
      process.stderr.write('\n')
      reject(interrupted())
      lines.close()
    })
    lines.once('line', (line) => {
      resolve(line)
      lines.close()
    })
    lines.once('close', () => reject(interrupted()))
  })
}

/**
 * Raw mode instead of readline with a muted output: readline keeps a history and redraws the line, and a secret
 * must be in neither.
 */
function readHidden(): Promise<string> {
  const { stdin } = process
  return new Promise((resolve, reject) => {
    let typed = ''
    const finish = (end: () => void): void => {
      stdin.off('data', onData)
      stdin.setRawMode(false)
      stdin.pause()
      process.stderr.write('\n')
      end()
    }
    const onData = (chunk: string): void => {
      // Bracketed paste wraps pasted text in escape sequences, and arrow keys send them: neither belongs to a secret.
      for (const character of chunk.replace(/\u001b\[[0-9;]*[A-Za-z~]/g, '')) {
        if (character === '\r' || character === '\n') return finish(() => resolve(typed))
        if (character === '\u0003' || character === '\u0004') return finish(() => reject(interrupted()))
        if (character === '\u007f' || character === '\b') typed = [...typed].slice(0, -1).join('')
        else if (character === '\u0015') typed = ''
        else if (character >= ' ') typed += character
      }
    }
    stdin.setEncoding('utf8')
    stdin.setRawMode(true)
    stdin.resume()
    stdin.on('data', onData)
  })
}

const interrupted = (): CliFault =>
  new CliFault(Exit.interrupted, 'Stopped. Nothing was sent.', { code: 'interrupted' })
