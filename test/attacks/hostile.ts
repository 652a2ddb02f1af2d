import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, beforeAll } from 'vitest'

/** A vendor that answers whatever a test wants, byte for byte. */
export class Hostile {
  readonly port: number
  /** `METHOD target` of everything that arrived. */
  readonly seen: string[] = []
  /** The Authorization header of the latest request: what the vendor knows of our credential. */
  authorization = ''
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => void response.end('{}')

  private constructor(
    port: number,
    readonly close: () => Promise<void>,
  ) {
    this.port = port
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`
  }

  static async open(): Promise<Hostile> {
    const sockets = new Set<Socket>()
    const server = createServer((request, response) => {
      hostile.seen.push(`${request.method} ${request.url}`)
      hostile.authorization = request.headers.authorization ?? ''
      request.resume().on('end', () => hostile.answer(request, response))
    })
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => socket.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const close = async (): Promise<void> => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    }
    const hostile = new Hostile((server.address() as AddressInfo).port, close)
    return hostile
  }
}

/** One hostile vendor for all tests of a file. */
export function onHostile(): { readonly vendor: Hostile } {
  const holder = { vendor: undefined as unknown as Hostile }
  beforeAll(async () => {
    holder.vendor = await Hostile.open()
  })
  afterAll(() => holder.vendor.close())
  return holder
}
