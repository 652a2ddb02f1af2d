import { connect, type Socket } from 'node:net'
import type { Role } from './part.js'

/**
 * Opens connections until there are so many in all, each with one request, and waits for the first bytes of each reply;
 * listens from now on for a call in each; waits until all have told of it.
 */
export type Wish =
  { readonly open: number; readonly port: number; readonly path: string; readonly status: number } | 'listen' | 'heard'

const AT_ONCE = 100

/** CLOCK_MONOTONIC, which all processes share. */
export const monotonicMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000

/** Clients that wait, in a process of their own: sockets that keep nothing of what they read. */
export async function start(): Promise<Role<null, Wish, number>> {
  const sockets: Socket[] = []
  let waiting = 0
  let told = (_at: number): void => {}
  let all: Promise<number> = Promise.resolve(0)
  const open = ({ port, path, status }: Exclude<Wish, string>): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1' }, () =>
        socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n`),
      )
      sockets.push(socket)
      socket.setEncoding('latin1')
      socket.on('error', reject)
      socket.once('data', (head: string) =>
        head.startsWith(`HTTP/1.1 ${status}`)
          ? resolve()
          : reject(new Error(`A connection was answered otherwise than by ${status}: ${head.slice(0, 200)}`)),
      )
      socket.on('data', (text: string) => {
        if (waiting > 0 && text.includes('event: call') && --waiting === 0) told(monotonicMs())
      })
    })
  return {
    facts: null,
    ask: async (wish) => {
      if (wish === 'heard') return all
      if (wish === 'listen') {
        waiting = sockets.length
        all = new Promise((resolve) => (told = resolve))
        return waiting
      }
      while (sockets.length < wish.open) {
        const some = Math.min(AT_ONCE, wish.open - sockets.length)
        await Promise.all(Array.from({ length: some }, () => open(wish)))
      }
      return sockets.length
    },
    stop: async () => sockets.forEach((socket) => socket.destroy()),
  }
}
