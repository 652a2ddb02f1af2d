import { createServer, type AddressInfo, type Socket } from 'node:net'
import type { Role } from './part.js'

export interface UpstreamFacts {
  readonly port: number
}

const ID_DIGITS = 16
const INTENT = {
  id: `pi_${'0'.repeat(ID_DIGITS)}`,
  object: 'payment_intent',
  amount: 100,
  amount_capturable: 0,
  amount_details: { tip: {} },
  amount_received: 0,
  application: null,
  application_fee_amount: null,
  automatic_payment_methods: { allow_redirects: 'always', enabled: true },
  canceled_at: null,
  cancellation_reason: null,
  capture_method: 'automatic_async',
  client_secret: 'pi_bench_secret_bench',
  confirmation_method: 'automatic',
  created: 1_763_000_000,
  currency: 'usd',
  customer: 'cus_A',
  description: null,
  last_payment_error: null,
  latest_charge: null,
  livemode: false,
  metadata: { order: '6735' },
  next_action: null,
  on_behalf_of: null,
  payment_method: null,
  payment_method_options: { card: { request_three_d_secure: 'automatic' }, link: { persistent_token: null } },
  payment_method_types: ['card', 'link'],
  processing: null,
  receipt_email: null,
  review: null,
  setup_future_usage: null,
  shipping: null,
  source: null,
  statement_descriptor: null,
  statement_descriptor_suffix: null,
  status: 'requires_payment_method',
  transfer_data: null,
  transfer_group: null,
}

const PAID = {
  ...INTENT,
  amount_received: INTENT.amount,
  latest_charge: 'ch_bench0123456789abcdef',
  payment_method: 'pm_bench0123456789abcdef',
  status: 'succeeded',
}

/**
 * A vendor that costs next to nothing: every request is answered at once with a payment intent of about 1,200 bytes,
 * paid when the request confirms it and open when not, under an id of its own. An id twice would make the ledger count
 * two calls against one object.
 */
export async function start(): Promise<Role<UpstreamFacts>> {
  const sockets = new Set<Socket>()
  let made = 0
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    const replies = { paid: new Reply(PAID), open: new Reply(INTENT) }
    // One request at a time on a connection, so the bytes of the last reply are out before they are written over.
    onRequests(socket, (request) => {
      socket.write((request.includes('confirm=true') ? replies.paid : replies.open).numbered(++made))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    facts: { port: (server.address() as AddressInfo).port },
    stop: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** A whole reply as bytes, in which only the object's number changes. */
class Reply {
  readonly #bytes: Buffer
  readonly #numberAt: number

  constructor(object: object) {
    const body = JSON.stringify(object, null, 1)
    const head = [
      'HTTP/1.1 200 OK',
      'Content-Type: application/json',
      `Content-Length: ${body.length}`,
      'Request-Id: req_bench0123456789',
      'Stripe-Version: 2025-03-31.basil',
      'Connection: keep-alive',
      '\r\n',
    ].join('\r\n')
    this.#bytes = Buffer.from(head + body, 'latin1')
    this.#numberAt = this.#bytes.indexOf('pi_') + 3
  }

  numbered(number: number): Buffer {
    this.#bytes.write(String(number).padStart(ID_DIGITS, '0'), this.#numberAt, 'latin1')
    return this.#bytes
  }
}

/** Calls back for each whole request: head, and as many bytes of body as it declares, or chunks up to the last. */
function onRequests(socket: Socket, answer: (request: string) => void): void {
  let waiting = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    waiting = waiting === '' ? chunk : waiting + chunk
    for (;;) {
      const headEnd = waiting.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const end = endOf(waiting, headEnd)
      if (end < 0 || waiting.length < end) return
      const request = waiting.slice(0, end)
      waiting = waiting.slice(end)
      answer(request)
    }
  })
}

const LAST_CHUNK = '\r\n0\r\n\r\n'

/** Where a request ends, or -1 while that cannot be told. No body here has an end of chunks in it. */
function endOf(text: string, headEnd: number): number {
  const head = text.slice(0, headEnd + 2)
  const declared = /\r\ncontent-length: *(\d+)/i.exec(head)
  if (declared !== null || !/\r\ntransfer-encoding: *chunked/i.test(head))
    return headEnd + 4 + Number(declared?.[1] ?? 0)
  const last = text.indexOf(LAST_CHUNK, headEnd + 2)
  return last < 0 ? -1 : last + LAST_CHUNK.length
}
