import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { createServer as createTls, type TLSSocket } from 'node:tls'
import { isRunId } from '../custody/keys.js'
import type { Log } from '../log.js'
import type { Authority } from './ca.js'

const TUNNELS_MAX = 1024
const HEAD_BYTES_MAX = 8 * 1024
const HEAD_MS = 10_000
const HANDSHAKE_MS = 10_000
/** More than the longest wait for a vendor that can be configured; what is quieter than this is dead. */
const IDLE_MS = 11 * 60_000

/** Stripe's hosted MCP has a host of its own; here it is a path of the agent port. */
const MCP_HOST = 'mcp.stripe.com'
const MCP_PATH = '/mcp/stripe'

interface Tunnel {
  readonly host: string
  readonly run: string | null
}

interface Refusal {
  readonly status: '400 Bad Request' | '403 Forbidden' | '503 Service Unavailable'
  readonly why: string
}

/**
 * CONNECT mode: an HTTP proxy for clients that can be led in no other way. A tunnel to a vendor's host ends here, under
 * a certificate of our own, and what is inside is a connection to the agent port like any other: the same handler, the
 * same keys, the same refusals. Nothing else can be reached through it, and no connection to a vendor is made for it.
 */
export class Tunnels {
  readonly #authority: Authority
  readonly #hosts: ReadonlySet<string>
  readonly #log: Log
  readonly #open = new Set<Socket>()
  readonly #inside = new WeakMap<Socket, Tunnel>()

  constructor(authority: Authority, vendorHosts: readonly string[], log: Log) {
    this.#authority = authority
    this.#hosts = new Set([...vendorHosts, MCP_HOST])
    this.#log = log
  }

  /** The server to listen with. What comes through its tunnels goes to `agent`, whose limits on time and size hold. */
  proxy(agent: Server): Server {
    const refused = new WeakSet<Socket>()
    const server = createServer(
      { maxHeaderSize: HEAD_BYTES_MAX, headersTimeout: HEAD_MS, requestTimeout: HEAD_MS, keepAliveTimeout: HEAD_MS },
      (incoming, outgoing) => {
        refused.add(incoming.socket)
        outgoing.writeHead(405, { 'content-type': 'text/plain; charset=utf-8', allow: 'CONNECT', connection: 'close' })
        outgoing.end('This port takes CONNECT and nothing else. Set HTTPS_PROXY to it, and leave HTTP_PROXY unset.\n')
      },
    )
    server.maxConnections = 2 * TUNNELS_MAX
    server.on('connect', (head: IncomingMessage, _stream, early: Buffer) => {
      const { socket } = head
      socket.on('error', () => socket.destroy())
      // The answer to what came before on this connection may still be on its way, and nobody could tell the two apart.
      if (refused.has(socket)) return void socket.destroy()
      const tunnel = this.#admit(head)
      if ('why' in tunnel) return this.#refuse(socket, tunnel)
      this.#open.add(socket)
      socket.once('close', () => this.#open.delete(socket))
      socket.setTimeout(IDLE_MS, () => socket.destroy())
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      if (early.length > 0) socket.unshift(early)
      this.#unwrap(socket, tunnel, agent)
    })
    return server
  }

  /**
   * Says in a request what only its tunnel knows, in the one place where the agent port reads: the raw headers. A Host
   * that is not the tunnel's becomes the second of two, which is `request_ambiguous` there, with a row.
   */
  enter(incoming: IncomingMessage): void {
    const tunnel = this.#inside.get(incoming.socket)
    if (tunnel === undefined) return
    const { rawHeaders: raw, url = '' } = incoming
    const kept: string[] = []
    let agreed = false
    let labelled = false
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!.toLowerCase()
      if (name === 'x-forwarded-proto') continue
      if (name === 'host' && !agreed && names(raw[i + 1]!, tunnel.host)) {
        agreed = true
        continue
      }
      labelled ||= name === 'x-agent-run-id'
      kept.push(raw[i]!, raw[i + 1]!)
    }
    const label = tunnel.run === null || labelled ? [] : ['x-agent-run-id', tunnel.run]
    incoming.rawHeaders = ['host', tunnel.host, 'x-forwarded-proto', 'https', ...label, ...kept]
    if (tunnel.host === MCP_HOST) incoming.url = MCP_PATH + (url === '/' ? '' : url)
  }

  /** Ends every tunnel. */
  close(): void {
    for (const socket of this.#open) socket.destroy()
  }

  #admit(head: IncomingMessage): Tunnel | Refusal {
    if (this.#open.size >= TUNNELS_MAX)
      return { status: '503 Service Unavailable', why: `There are ${TUNNELS_MAX} tunnels open, and no more are taken.` }
    const { rawHeaders: raw, url = '' } = head
    const headers = new Map<string, string>()
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!.toLowerCase()
      if (headers.has(name) && SINGLE.has(name)) return bad(`The header ${name} stands more than once.`)
      headers.set(name, raw[i + 1]!)
    }
    if (headers.has('content-length') || headers.has('transfer-encoding'))
      return bad('A CONNECT has no body: neither Content-Length nor Transfer-Encoding.')
    // One spelling a host. Whatever else a name could mean to somebody (another case, a dot at the end) is not asked.
    const host = url.endsWith(':443') ? url.slice(0, -':443'.length) : ''
    if (!this.#hosts.has(host))
      return {
        status: '403 Forbidden',
        why: `This proxy leads to the known hosts of Stripe, Twilio and Resend on port 443 and nowhere else; «${printable(url)}» is not one of them. Hosts that are none of its business belong into NO_PROXY.`,
      }
    const named = headers.get('host')
    if (named === undefined ? head.httpVersion !== '1.0' : !names(named, host))
      return bad('The Host of a CONNECT must be its target.')
    const run = runIn(headers.get('proxy-authorization'))
    if (run === undefined)
      return bad(
        'Proxy-Authorization may name a run and nothing else: HTTPS_PROXY=http://run:<run id>@… The vault key belongs into the request itself.',
      )
    return { host, run }
  }

  #refuse(socket: Socket, { status, why }: Refusal): void {
    this.#log('debug', 'tunnel_refused', { why })
    const body = `${why}\n`
    socket.end(
      `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    )
    // What follows a refused CONNECT was meant for a tunnel. It is read away, or the client would see a reset instead of the reason.
    socket.setTimeout(HEAD_MS, () => socket.destroy())
    socket.resume()
  }

  /** A TLS server for one tunnel, so that it can know its host, and so that no session of another is ever resumed. */
  #unwrap(socket: Socket, tunnel: Tunnel, agent: Server): void {
    const server = createTls({
      handshakeTimeout: HANDSHAKE_MS,
      minVersion: 'TLSv1.2',
      // A client that speaks HTTP/2 only is told so by the handshake.
      ALPNProtocols: ['http/1.1'],
      SNICallback: (name, done) => {
        // Without a certificate the handshake ends in an alert; an error here would only cut the line.
        if (name !== tunnel.host) return done(null)
        this.#authority.contextFor(name).then(
          (context) => done(null, context),
          (cause: Error) => {
            this.#log('error', 'connect_certificate', { host: name, message: cause.message })
            done(cause)
          },
        )
      },
    })
    server.once('tlsClientError', () => socket.destroy())
    server.once('secureConnection', (inside: TLSSocket) => {
      // Without a name there was no certificate either; this only says what must hold.
      if (inside.servername !== tunnel.host) return void inside.destroy()
      this.#inside.set(inside, tunnel)
      agent.emit('connection', inside)
    })
    // Else a client that leaves during the handshake would hold its place until the handshake's time is over.
    socket.allowHalfOpen = false
    server.emit('connection', socket)
  }
}

const SINGLE = new Set(['host', 'proxy-authorization', 'content-length', 'transfer-encoding'])

const bad = (why: string): Refusal => ({ status: '400 Bad Request', why })

/** Whether a Host header means this host, with or without the port that goes without saying. */
const names = (header: string, host: string): boolean => {
  const given = header.toLowerCase()
  return given === host || given === `${host}:443`
}

/** The run that a proxy URL names (`http://run:<run id>@…`), null when it names none, undefined when it says something else. */
function runIn(header: string | undefined): string | null | undefined {
  if (header === undefined) return null
  const [, encoded] = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header) ?? []
  if (encoded === undefined) return undefined
  const [, run] = /^run:(.*)$/.exec(Buffer.from(encoded, 'base64').toString('latin1')) ?? []
  return run !== undefined && isRunId(run) ? run : undefined
}

const printable = (text: string): string => text.slice(0, 100).replace(/[^\x21-\x7e]/g, '?')
