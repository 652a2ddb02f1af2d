import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A vendor that answers byte for byte, and knows on which of its connections what was asked. */
export class Vendor {
  /** Everything that arrived, a connection. */
  readonly heard: string[] = []
  readonly sockets: Socket[] = []
  /** Called for each whole request. @param connection counts from 0 */
  answer: (socket: Socket, connection: number, target: string) => void = (socket) => void socket.write(reply('ok'))
  readonly #server: Server

  private constructor() {
    // What is written is on its way at once, a second piece too.
    this.#server = createServer({ noDelay: true }, (socket) => this.serve(socket))
  }

  static async open(): Promise<Vendor> {
    const vendor = new Vendor()
    await new Promise<void>((resolve) => vendor.#server.listen(0, '127.0.0.1', resolve))
    return vendor
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How many connections there have been. */
  get connections(): number {
    return this.sockets.length
  }

  serve(socket: Socket): void {
    const connection = this.sockets.push(socket) - 1
    this.heard.push('')
    socket.setEncoding('latin1')
    socket.on('error', () => socket.destroy())
    let waiting = ''
    socket.on('data', (text) => {
      this.heard[connection] += String(text)
      waiting += String(text)
      for (let end = endOf(waiting); end > 0; end = endOf(waiting)) {
        const target = waiting.split(' ', 2)[1]!
        waiting = waiting.slice(end)
        this.answer(socket, connection, target)
      }
    })
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.sockets) socket.destroy()
    await closed
  }
}

export const reply = (body: string, ...fields: readonly string[]): string =>
  ['HTTP/1.1 200 OK', `Content-Length: ${body.length}`, ...fields, '', body].join('\r\n')

function endOf(text: string): number {
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return -1
  const end = head + 4 + Number(/content-length: ([0-9]+)/.exec(text)?.[1] ?? 0)
  return text.length < end ? -1 : end
}
