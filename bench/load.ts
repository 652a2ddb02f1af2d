import { connect, type Socket } from 'node:net'
import { cpuNs } from './machine.js'
import type { Role } from './part.js'
import { IN_REPLY, NUMBER, PAID, STRIPE_HEADERS, type TargetFacts } from './targets/target.js'

/** The request of a run, as often as it is sent. */
export interface Asked {
  readonly port: number
  readonly path: string
  readonly authorization: string
  /** Lines of the head beside host, authorization and framing. */
  readonly headers: readonly string[]
  readonly body: string
}

/** What is asked of a target: its own request where it takes no other. */
export const askedOf = ({ port, path, authorization, own }: TargetFacts, body = PAID): Asked => ({
  port,
  path,
  authorization,
  headers: own?.headers ?? STRIPE_HEADERS,
  body: own?.body ?? body,
})

/** One closed-loop run: every connection sends its next request when it has the reply to the last. */
export interface Order extends Asked {
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
  const tag = process.pid.toString(36).padStart(TAG_CHARS, '0').slice(-TAG_CHARS)
  let sent = 0
  const next = (): string => tag + String(++sent).padStart(NUMBER.length - TAG_CHARS, '0')
  return { facts: null, ask: (order) => run(order, next), stop: async () => {} }
}

const TAG_CHARS = 4
/** How long the last replies of a run are waited for. */
const LAST_REPLIES_MS = 15_000

async function run(order: Order, next: () => string): Promise<Run> {
  const latencies: number[] = []
  let counting = false
  let stopping = false
  let answered = 0
  const head = [
    `POST ${order.path} HTTP/1.1`,
    `Host: 127.0.0.1:${order.port}`,
    'Accept: application/json',
    `Authorization: ${order.authorization}`,
    ...order.headers,
    `Content-Length: ${order.body.length}`,
  ]
  // The later of two lines of one name is the target's own.
  const lines = head.filter((line, at) => !head.slice(at + 1).some((later) => nameOf(later) === nameOf(line)))
  const template = `${lines.join('\r\n')}\r\n\r\n${order.body}`
  const numberAt = template.indexOf(NUMBER)

  const sockets = await Promise.all(Array.from({ length: order.connections }, () => opened(order.port)))
  const loops = sockets.map(
    (socket) =>
      new Promise<void>((resolve, reject) => {
        const request = Buffer.from(template, 'latin1')
        let sentAt = 0
        const send = (): void => {
          if (numberAt >= 0) request.write(next(), numberAt, 'latin1')
          sentAt = performance.now()
          socket.write(request)
        }
        socket.on('error', reject)
        socket.on('close', () => reject(new Error('The connection was closed before its reply was whole.')))
        onReplies(socket, (status, text) => {
          if (status !== 200 || !text.includes(IN_REPLY))
            return void reject(new Error(`A call was answered ${status}: ${text.slice(0, 400)}`))
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
  const patience = setTimeout(
    () => sockets.forEach((socket) => socket.destroy(new Error(`A reply did not come in ${LAST_REPLIES_MS} ms.`))),
    LAST_REPLIES_MS,
  )
  try {
    await all
  } finally {
    clearTimeout(patience)
    for (const socket of sockets) socket.removeAllListeners('close').destroy()
  }

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

const nameOf = (line: string): string => line.slice(0, line.indexOf(':')).toLowerCase()
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
