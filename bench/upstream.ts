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
  status: 'succeeded',
  transfer_data: null,
  transfer_group: null,
}

/**
 * A vendor that costs next to nothing: every request is answered at once with the same payment intent of about 1,200
 * bytes under an id of its own. An id twice would make the ledger count two calls against one object.
 */
export async function start(): Promise<Role<UpstreamFacts>> {
  const sockets = new Set<Socket>()
  let made = 0
  const body = JSON.stringify(INTENT, null, 1)
  const head = [
    'HTTP/1.1 200 OK',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Request-Id: req_bench0123456789',
    'Stripe-Version: 2025-03-31.basil',
    'Connection: keep-alive',
    '\r\n',
  ].join('\r\n')
  const template = head + body
  const idAt = template.indexOf('pi_') + 3

  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    const reply = Buffer.from(template, 'latin1')
    // One request at a time on a connection, so the bytes of the last reply are out before they are written over.
    onRequests(socket, () => {
      reply.write(String(++made).padStart(ID_DIGITS, '0'), idAt, 'latin1')
      socket.write(reply)
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

/** Calls back for each whole request: head, and as many bytes of body as it declares. */
function onRequests(socket: Socket, answer: () => void): void {
  let waiting = ''
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    waiting = waiting === '' ? chunk : waiting + chunk
    for (;;) {
      const headEnd = waiting.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const declared = /\r\ncontent-length: *(\d+)/i.exec(waiting)
      const end = headEnd + 4 + Number(declared?.[1] ?? 0)
      if (waiting.length < end) return
      waiting = waiting.slice(end)
      answer()
    }
  })
}
