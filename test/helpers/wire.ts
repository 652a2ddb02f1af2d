import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

/** A line to a server that tests can cut, block, or make lose what comes back. */
export class Wire {
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #blocked = false
  #lose: ((sent: Buffer) => boolean) | null = null
  #lost: () => void = () => undefined

  private constructor(server: Server) {
    this.#server = server
  }

  static async to(port: number, host = '127.0.0.1'): Promise<Wire> {
    const server = createServer()
    const wire = new Wire(server)
    server.on('connection', (near) => wire.#join(near, connect(port, host)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return wire
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  #join(near: Socket, far: Socket): void {
    const pair = [near, far] as const
    this.#pairs.add(pair)
    let deaf = false
    near.on('data', (sent) => {
      if (this.#lose?.(sent)) {
        // It arrives, and the answer to it never does: the line breaks when it comes.
        deaf = true
        this.#lose = null
      }
      if (!this.#blocked) far.write(sent)
    })
    far.on('data', (answer) => {
      if (deaf) {
        near.destroy()
        this.#lost()
      } else if (!this.#blocked) near.write(answer)
    })
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => undefined)
      socket.on('close', () => {
        if (!this.#blocked) other.destroy()
        this.#pairs.delete(pair)
      })
    }
  }

  /** Nothing passes any more, and nobody is told, as behind a firewall that drops. New connections hang too. */
  block(): void {
    this.#blocked = true
  }

  /** What was held up is gone: the connections of before break. */
  unblock(): void {
    this.#blocked = false
    this.cut()
  }

  /** Breaks every connection. */
  cut(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy()
      far.destroy()
    }
    this.#pairs.clear()
  }

  /** Loses the answer to the next thing sent that fits, and the connection with it. Resolves when that has happened. */
  loseAnswerTo(fits: (sent: Buffer) => boolean): Promise<void> {
    this.#lose = fits
    return new Promise((resolve) => (this.#lost = resolve))
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
