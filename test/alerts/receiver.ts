import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Heard {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: any
}

/** Somebody on loopback who takes what is posted, and answers what a test says. */
export class Receiver {
  readonly heard: Heard[] = []
  /** Given to the next requests, in turn; then 204. A string is where to: a redirect. */
  readonly answers: (number | string)[] = []
  readonly #server: Server
  #woken: (() => void)[] = []

  private constructor() {
    this.#server = createServer(async (incoming, outgoing) => {
      const chunks: Buffer[] = []
      for await (const chunk of incoming) chunks.push(chunk as Buffer)
      const text = Buffer.concat(chunks).toString('utf8')
      this.heard.push({ path: incoming.url!, headers: incoming.headers, text, body: JSON.parse(text) })
      const answer = this.answers.shift() ?? 204
      if (typeof answer === 'string') outgoing.writeHead(307, { location: answer }).end()
      else outgoing.writeHead(answer).end()
      for (const wake of this.#woken.splice(0)) wake()
    })
  }

  static async start(): Promise<Receiver> {
    const receiver = new Receiver()
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve))
    return receiver
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The first that fits, as soon as it has come. */
  async first(fits: (heard: Heard) => boolean): Promise<Heard> {
    for (;;) {
      const found = this.heard.find(fits)
      if (found !== undefined) return found
      await new Promise<void>((resolve) => this.#woken.push(resolve))
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
