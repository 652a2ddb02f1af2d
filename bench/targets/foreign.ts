import { spawn } from 'node:child_process'
import { connect, createServer, type AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

/** A program that is not ours, running. */
export interface Foreign {
  readonly pid: number
  stop(): Promise<void>
}

const READY_MS = 15_000
const STOP_MS = 5_000

/**
 * Runs a program until it listens. However this process ends, the program does not outlive it.
 *
 * @throws Error when it ends instead, or does not listen in time
 */
export async function runForeign(
  line: readonly [string, ...string[]],
  port: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Foreign> {
  const [command, ...args] = line
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = `${said}${text}`.slice(-2_000)))
  process.once('exit', () => child.kill('SIGTERM'))
  const gone = new Promise<void>((resolve) => {
    child.once('error', (cause) => {
      said = cause.message
      resolve()
    })
    child.once('exit', () => resolve())
  })
  const ended = gone.then(() => {
    throw new Error(`${command} ended instead of listening: ${said.trim()}`)
  })
  ended.catch(() => {}) // Once it listens its end is awaited by `stop`.
  try {
    await Promise.race([listening(port, command), ended])
  } catch (cause) {
    child.kill('SIGKILL')
    throw cause
  }
  return {
    pid: child.pid!,
    stop: async () => {
      child.kill('SIGTERM')
      const patience = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await gone
      clearTimeout(patience)
    },
  }
}

/** A port that was free a moment ago, for programs that cannot be asked which one they took. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

async function listening(port: number, name: string): Promise<void> {
  const deadline = performance.now() + READY_MS
  while (performance.now() < deadline) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    })
    if (open) return
    await pause(50)
  }
  throw new Error(`${name} does not listen after ${READY_MS / 1000} seconds.`)
}
