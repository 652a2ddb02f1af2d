import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What a vendor does with a call, by the number in it: mostly what it is asked, and each fault often enough. */
export type Manner = 'pays' | 'declines' | 'resets' | 'breaks off' | 'fails'

export const mannerOf = (n: number): Manner =>
  n % 100 === 17
    ? 'resets'
    : n % 100 === 37
      ? 'breaks off'
      : n % 100 === 57
        ? 'fails'
        : n % 25 === 3
          ? 'declines'
          : 'pays'

/**
 * A vendor for millions of calls: it remembers of each payment it has executed six bytes and an amount, where the
 * simulators would keep objects and requests until memory is what is measured.
 */
export class TerseVendor {
  readonly origin: string
  /** Cents by the first six bytes of the request's hash, as spendgate hashes it. */
  readonly executed = new Map<number, number>()
  readonly #close: () => Promise<void>

  private constructor(origin: string, close: () => Promise<void>) {
    this.origin = origin
    this.#close = close
  }

  static async open(): Promise<TerseVendor> {
    const sockets = new Set<Socket>()
    const server = createServer({ keepAliveTimeout: 60_000, noDelay: true }, (request, response) => {
      let body = ''
      request.setEncoding('latin1')
      request.on('data', (text: string) => (body += text))
      request.on('end', () => {
        const form = new URLSearchParams(body)
        const n = Number(form.get('metadata[n]'))
        const manner = request.method === 'GET' ? 'pays' : mannerOf(n)
        if (request.method === 'POST' && manner !== 'declines')
          vendor.executed.set(shortHash(`POST api.stripe.com${request.url}\n\n${body}`), Number(form.get('amount')))
        const object = JSON.stringify({
          id: `pi_soak${n}`,
          object: 'payment_intent',
          amount: Number(form.get('amount')),
          amount_received: Number(form.get('amount')),
          currency: 'usd',
          customer: 'cus_A',
          status: 'succeeded',
          latest_charge: `ch_soak${n}`,
        })
        if (manner === 'resets') return void request.socket.resetAndDestroy()
        if (manner === 'breaks off') {
          response.writeHead(200, { 'content-type': 'application/json', 'content-length': object.length + 10 })
          response.write(object)
          return void response.destroy()
        }
        if (manner === 'pays')
          return void response
            .writeHead(200, { 'content-type': 'application/json', 'request-id': `req_${n}` })
            .end(object)
        const [status, type] = manner === 'fails' ? [500, 'api_error'] : [402, 'card_error']
        response.writeHead(status as number, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ error: { type, message: 'No.' } }))
      })
    })
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
      socket.on('error', () => socket.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const vendor = new TerseVendor(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, async () => {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    })
    return vendor
  }

  close(): Promise<void> {
    return this.#close()
  }
}

const shortHash = (canonical: string): number => shortened(createHash('sha256').update(canonical).digest('hex'))
/** 48 bits of it: among millions two may only just share them, and then amounts differ. */
export const shortened = (hash: string): number => Number.parseInt(hash.slice(0, 12), 16)
