import { connect, type Socket } from 'node:net'
import { cpuNs } from './machine.js'
import type { Role } from './part.js'

/** One closed-loop run: every connection sends its next request when it has the reply to the last. */
export interface Order {
  readonly port: number
  readonly path: string
  readonly authorization: string
  readonly body: string
  readonly connections: number
  /** Sent but not counted, before the window. */
  readonly warmMs: number
  readonly windowMs: number
  /** Processes whose CPU time is read at both ends of the window. */
  readonly pids: readonly number[]
}

export interface Run {
  /** Replies in the window. */
  readonly replies: number
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  /** CPU seconds of `pids` per 10,000 replies; null where it cannot be read. */
  readonly cpuPer10k: number | null
  /** Replies in all, warm-up and last ones included: as many rows a governed run must have left. */
  readonly answered: number
  /** Window ends by CLOCK_MONOTONIC in µs, which CPU profiles use too. */
  readonly fromUs: number
  readonly toUs: number
}

/** A load generator on raw sockets: an HTTP client of its own would cost more than what it measures. */
export async function start(): Promise<Role<null, Order, Run>> {
  const tag = process.pid.toString(36).padStart(8, '0')
  let sent = 0
  return { facts: null, ask: (order) => run(order, tag, () => ++sent), stop: async () => {} }
}

const KEY_DIGITS = 12

async function run(order: Order, tag: string, next: () => number): Promise<Run> {
  const latencies: number[] = []
  let counting = false
  let stopping = false
  let answered = 0
  const head = [
    `POST ${order.path} HTTP/1.1`,
    `Host: 127.0.0.1:${order.port}`,
    'User-Agent: Stripe/v1 NodeBindings/23.1.0',
    'Accept: application/json',
    `Authorization: ${order.authorization}`,
    'Content-Type: application/x-www-form-urlencoded',
    'Stripe-Version: 2025-03-31.basil',
    `Idempotency-Key: bench-${tag}-${'0'.repeat(KEY_DIGITS)}`,
    `Content-Length: ${order.body.length}`,
    '\r\n',
  ].join('\r\n')
  const template = head + order.body
  const keyAt = template.indexOf(`bench-${tag}-`) + tag.length + 7

  const sockets = await Promise.all(Array.from({ length: order.connections }, () => opened(order.port)))
  const loops = sockets.map(
    (socket) =>
      new Promise<void>((resolve, reject) => {
        const request = Buffer.from(template, 'latin1')
        let sentAt = 0
        const send = (): void => {
          request.write(String(next()).padStart(KEY_DIGITS, '0'), keyAt, 'latin1')
          sentAt = performance.now()
          socket.write(request)
        }
        socket.on('error', reject)
        socket.on('close', () => reject(new Error('The connection was closed before its reply was whole.')))
        onReplies(socket, (status, text) => {
          if (status !== 200) return void reject(new Error(`A call was answered ${status}: ${text.slice(0, 400)}`))
          answered++
          if (counting) latencies.push(performance.now() - sentAt)
          if (stopping) resolve()
          else send()
        })
        send()
      }),
  )
  const all = Promise.all(loops)
  all.catch(() => {}) // Awaited below; until then a fault must not count as unhandled.
  await pause(order.warmMs)
  counting = true
  const fromUs = nowUs()
  const cpuFrom = cpuNs(order.pids)
  await pause(order.windowMs)
  counting = false
  const toUs = nowUs()
  const cpuTo = cpuNs(order.pids)
  stopping = true
  await all
  for (const socket of sockets) socket.removeAllListeners('close').destroy()

  latencies.sort((a, b) => a - b)
  const at = (share: number): number => (latencies[Math.floor(latencies.length * share)] ?? Number.NaN) * 1000
  return {
    replies: latencies.length,
    perSecond: latencies.length / ((toUs - fromUs) / 1e6),
    p50Us: at(0.5),
    p99Us: at(0.99),
    cpuPer10k: cpuFrom === null || cpuTo === null ? null : ((cpuTo - cpuFrom) / 1e9 / latencies.length) * 10_000,
    answered,
    fromUs,
    toUs,
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const nowUs = (): number => Number(process.hrtime.bigint() / 1000n)

function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}

/** Calls back for each whole reply; knows a declared length and chunks, as the targets send no other. */
function onReplies(socket: Socket, answer: (status: number, text: string) => void): void {
  let waiting = ''
  let length = -1
  socket.setEncoding('latin1')
  socket.on('data', (chunk: string) => {
    waiting = waiting === '' ? chunk : waiting + chunk
    if (length < 0) {
      const headEnd = waiting.indexOf('\r\n\r\n')
      if (headEnd < 0) return
      const declared = /\r\ncontent-length: *(\d+)/i.exec(waiting.slice(0, headEnd))
      if (declared) length = headEnd + 4 + Number(declared[1])
    }
    if (length < 0 ? !waiting.endsWith('\r\n0\r\n\r\n') : waiting.length < length) return
    const whole = waiting
    waiting = ''
    length = -1
    answer(Number(whole.slice(9, 12)), whole)
  })
}
