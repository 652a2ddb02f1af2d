import { readFileSync } from 'node:fs'
import { connect as connectTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { World } from '../helpers/world.js'

/** A world with CONNECT mode, in real time: clients judge certificates by the clock of the machine. */
export async function startConnectWorld(): Promise<World> {
  const world = await World.start({ SPENDGATE_CONNECT_PORT: '0' })
  await world.server.stop()
  world.clock.aheadMs = 0
  await world.serve()
  world.stripe.seed()
  return world
}

export const dataDir = (world: World): string => join(world.dir, 'data')
export const caOf = (world: World): string => readFileSync(join(dataDir(world), 'connect-ca.pem'), 'utf8')

/** Writes bytes to the proxy port; what came back up to and with the first head, and the connection. */
export function toProxy(world: World, text: string): Promise<{ readonly head: string; readonly socket: Socket }> {
  const { hostname, port } = new URL(world.server.connectUrl!)
  return new Promise((resolve, reject) => {
    const socket = connectTcp(Number(port), hostname)
    let head = ''
    const read = (chunk: Buffer): void => {
      head += chunk.toString('utf8')
      if (!head.includes('\r\n\r\n')) return
      socket.off('data', read).off('end', ended)
      resolve({ head, socket })
    }
    const ended = (): void => resolve({ head, socket })
    socket.on('data', read).on('end', ended).on('error', reject)
    socket.write(text, 'latin1')
  })
}

/** Everything that still comes, until the other side closes. */
export function rest(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
    socket.on('error', () => resolve(text))
    socket.on('close', () => resolve(text))
  })
}

export const connectHead = (target: string, headers: readonly string[] = []): string =>
  [`CONNECT ${target} HTTP/1.1`, `Host: ${target}`, ...headers, '', ''].join('\r\n')

/** The TLS handshake of a client inside a tunnel. */
export function shake(socket: Socket, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const inside = connectTls({ socket, ...options })
    inside.once('secureConnect', () => resolve(inside))
    inside.once('error', reject)
    inside.once('close', () => reject(new Error('closed during the handshake')))
  })
}

/** A tunnel to a host, opened as a well-behaved client does. */
export async function tunnelTo(
  world: World,
  host: string,
  { headers = [], ...tls }: ConnectionOptions & { readonly headers?: readonly string[] } = {},
): Promise<TLSSocket> {
  const { head, socket } = await toProxy(world, connectHead(`${host}:443`, headers))
  if (!head.startsWith('HTTP/1.1 200 ')) throw new Error(head)
  return shake(socket, { servername: host, ca: caOf(world), ALPNProtocols: ['http/1.1'], ...tls })
}

export interface Reply {
  readonly status: number
  readonly head: string
  readonly body: any
}

/** One request in a tunnel, with the head as it is given, and its reply; the tunnel is closed after it. */
export async function ask(inside: TLSSocket, lines: readonly string[], body = ''): Promise<Reply> {
  inside.write([...lines, 'Connection: close', '', ''].join('\r\n') + body, 'latin1')
  const [head = '', payload = ''] = (await oneReply(inside)).split(/\r\n\r\n([\s\S]*)/)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    head,
    body: payload.startsWith('{') ? JSON.parse(payload) : payload,
  }
}

/** By its length, as clients read; what answers a stream keeps the connection. */
function oneReply(inside: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const done = (): void => {
      inside.destroy()
      resolve(text)
    }
    inside.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const headEnds = text.indexOf('\r\n\r\n')
      const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, headEnds + 2))
      if (headEnds >= 0 && length && text.length >= headEnds + 4 + Number(length[1])) done()
    })
    inside.on('error', done)
    inside.on('close', done)
  })
}
