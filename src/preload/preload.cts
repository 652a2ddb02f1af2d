// Loaded into somebody else's process by `node --require` (or --import): sends what it would say to Stripe, Twilio and
// Resend to spendgate instead, by the base addresses in its environment. The program itself is not touched.
//
// One file, no dependencies, CommonJS: it is copied next to the user's npm settings and read by Node 20 to 26. In a
// process whose environment names neither a base nor a vault key it does nothing at all, and even Node's own modules are
// loaded only where they are needed: every program that npx starts on this machine pays for what stands at the top level.
//
// How: TLS connections to the vendors' hosts are made to a small HTTP server inside the process, which sends each request
// on to the base. One hook, `tls.connect`, is below every client there is: node:https, fetch, undici's own agents, axios.
// A convenience for routing, no security boundary: what protects the money is that the process holds no real key.

import type http = require('node:http')
import type https = require('node:https')
import type nodeModule = require('node:module')
import type stream = require('node:stream')
import type tls = require('node:tls')

const BASES = { stripe: 'STRIPE_API_BASE', twilio: 'TWILIO_API_BASE', resend: 'RESEND_BASE_URL' } as const
type VendorName = keyof typeof BASES
const VENDORS = Object.keys(BASES) as VendorName[]
const MAIN_HOSTS: Readonly<Record<VendorName, string>> = {
  stripe: 'api.stripe.com',
  twilio: 'api.twilio.com',
  resend: 'api.resend.com',
}
const VAULT = /vault_(?:live|test)_/
const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/
/** How long the base may take to accept a connection; a loopback refuses at once. */
const CONNECT_MS = 900
/** Bodies to the hosted MCP are read whole, so that a refusal can name the call it answers. */
const MCP_BODY_BYTES_MAX = 4 * 1024 * 1024

/** Node's own modules, each loaded when it is first used. */
const node = {
  get http() {
    return require('node:http') as typeof http
  },
  get https() {
    return require('node:https') as typeof https
  },
  get module() {
    return require('node:module') as typeof nodeModule
  },
  get stream() {
    return require('node:stream') as typeof stream
  },
  get tls() {
    return require('node:tls') as typeof tls
  },
}

if (concerned()) {
  dressKeys()
  hook(basesIn(process.env))
}

/** Whether this process has anything to do with spendgate. Anything but a few string searches would be felt by every other one. */
function concerned(): boolean {
  if (VENDORS.some((vendor) => process.env[BASES[vendor]])) return true
  return process.argv.some((word) => VAULT.test(word)) || Object.values(process.env).some((value) => VAULT.test(value!))
}

/** @stripe/mcp reads STRIPE_SECRET_KEY only and takes nothing but sk_ and rk_; the proxy knows all forms. */
function dressKeys(): void {
  const { env, argv } = process
  const dressed = (key: string): string => key.replace(/^vault_(?=live_|test_)/, 'rk_vault_')
  if (env.STRIPE_API_KEY && !env.STRIPE_SECRET_KEY) env.STRIPE_SECRET_KEY = env.STRIPE_API_KEY
  for (const name of ['STRIPE_SECRET_KEY', 'STRIPE_API_KEY']) if (env[name]) env[name] = dressed(env[name])
  argv.forEach((word, at) => {
    const flag = /^--api-key=(.*)$/s.exec(word)
    if (flag) argv[at] = `--api-key=${dressed(flag[1]!)}`
    else if (argv[at - 1] === '--api-key') argv[at] = dressed(word)
  })
}

interface Base {
  readonly url: URL
  /** Why nothing may be sent there; null when it may. */
  readonly fault: string | null
}

function basesIn(env: NodeJS.ProcessEnv): ReadonlyMap<VendorName, Base> {
  const bases = new Map<VendorName, Base>()
  for (const vendor of VENDORS) {
    const text = env[BASES[vendor]]
    if (!text) continue
    const url = URL.canParse(text) ? new URL(text) : null
    const fault =
      url === null || !/^https?:$/.test(url.protocol)
        ? `${BASES[vendor]} is not an http or https address.`
        : url.username !== '' || url.search !== '' || url.hash !== ''
          ? `${BASES[vendor]} must be an address without credentials, query and fragment.`
          : url.protocol === 'http:' && !LOOPBACK.test(url.hostname)
            ? `${BASES[vendor]} is plain http to ${url.hostname}: the key would travel in the clear. Use https, or http on this machine.`
            : null
    bases.set(vendor, { url: url ?? new URL('http://127.0.0.1:1'), fault })
    if (fault) process.stderr.write(`spendgate: ${fault} Calls to ${vendor} will be refused.\n`)
  }
  return bases
}

function hook(bases: ReadonlyMap<VendorName, Base>): void {
  const { tls } = node
  const direct = tls.connect
  let inside: { readonly server: http.Server; readonly wires: Wires } | null = null
  const connect = (...args: unknown[]): unknown => {
    const options = optionsOf(args)
    const host = String(options.servername || options.host || '').toLowerCase()
    const vendor = vendorOf(host)
    if (vendor === null || (options as Record<symbol, unknown>)[DIRECT] === true) return (direct as Function)(...args)
    // A tunnel through some other proxy was opened for it; nothing is said through that.
    ;(options.socket as stream.Duplex | undefined)?.destroy()
    inside ??= { server: forwarder(bases, direct), wires: wires() }
    const socket = new inside.wires.ClientSide(host)
    const offered = (options.ALPNProtocols ?? []) as readonly unknown[]
    if (Array.isArray(offered) && offered.length > 0 && !offered.some((name) => String(name) === 'http/1.1')) {
      process.nextTick(() =>
        socket.destroy(new Error(`spendgate: ${host} is reached by HTTP/1.1 here, not by HTTP/2.`)),
      )
    } else {
      inside.server.emit('connection', new inside.wires.ServerSide(socket, host))
      process.nextTick(() => socket.opened())
    }
    const listener = args.find((arg) => typeof arg === 'function') as (() => void) | undefined
    if (listener) socket.once('secureConnect', listener)
    return socket
  }
  tls.connect = connect as typeof tls.connect
  node.module.syncBuiltinESMExports()
}

/** Marks a connection of our own that must not come back to us. */
const DIRECT = Symbol('spendgate.direct')

function optionsOf(args: readonly unknown[]): tls.ConnectionOptions {
  const [first, second, third] = args
  if (typeof first === 'object' && first !== null) return first as tls.ConnectionOptions
  const host = typeof second === 'string' ? second : undefined
  const options = [second, third].find((arg) => typeof arg === 'object' && arg !== null) as tls.ConnectionOptions
  return { ...options, ...(host === undefined ? {} : { host }) }
}

function vendorOf(host: string): VendorName | null {
  const name = host.replace(/\.$/, '')
  return VENDORS.find((vendor) => isSite(name, vendor) || name.endsWith(`.${vendor}.com`)) ?? null
}

/** The vendor's bare domain is its website: resend-mcp fetches a schema there, without a key. No API answers on it. */
const isSite = (host: string, vendor: VendorName): boolean => host.replace(/\.$/, '') === `${vendor}.com`

type Wires = ReturnType<typeof wires>

/**
 * Two ends of a wire inside the process: what one writes, the other reads, no faster than it does. Made with the first
 * connection, because a class needs at once what it extends.
 */
function wires() {
  const { Duplex } = node.stream

  class Side extends Duplex {
    other: Side | null = null
    #resume: (() => void) | null = null

    override _read(): void {
      const resume = this.#resume
      this.#resume = null
      resume?.()
    }
    override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
      this.touched()
      const other = this.other!
      if (other.destroyed) return done()
      other.touched()
      if (other.push(chunk)) done()
      else other.#resume = done
    }
    override _final(done: () => void): void {
      if (this.other && !this.other.destroyed) this.other.push(null)
      done()
    }
    override _destroy(error: Error | null, done: (error: Error | null) => void): void {
      const other = this.other
      if (other && !other.destroyed) process.nextTick(() => other.destroy())
      this.#resume?.()
      done(error)
    }
    touched(): void {}
  }

  /** What the client holds: as much of a TLSSocket as HTTP clients use. */
  class ClientSide extends Side {
    readonly encrypted = true
    readonly authorized = true
    readonly alpnProtocol = false
    readonly remoteAddress = '127.0.0.1'
    readonly remotePort = 443
    readonly remoteFamily = 'IPv4'
    readonly servername: string
    connecting = true
    secureConnecting = true
    timeout = 0
    #timer: NodeJS.Timeout | null = null

    constructor(host: string) {
      super({ allowHalfOpen: true })
      this.servername = host
      this.once('close', () => this.#timer && clearTimeout(this.#timer))
    }
    opened(): void {
      if (this.destroyed) return
      this.connecting = this.secureConnecting = false
      this.emit('connect')
      this.emit('secureConnect')
      this.emit('ready')
    }
    setTimeout(ms: number, listener?: () => void): this {
      this.timeout = ms
      // As net.Socket does: node:http takes its listener back with a timeout of 0 after every call of a connection.
      if (listener && ms > 0) this.once('timeout', listener)
      else if (listener) this.removeListener('timeout', listener)
      this.touched()
      return this
    }
    override touched(): void {
      if (this.#timer) clearTimeout(this.#timer)
      this.#timer = this.timeout > 0 ? setTimeout(() => this.emit('timeout'), this.timeout).unref() : null
    }
    setNoDelay(): this {
      return this
    }
    setKeepAlive(): this {
      return this
    }
    ref(): this {
      return this
    }
    unref(): this {
      return this
    }
    getPeerCertificate(): object {
      return {}
    }
    getSession(): undefined {
      return undefined
    }
    isSessionReused(): boolean {
      return false
    }
    getProtocol(): string {
      return 'TLSv1.3'
    }
    getCipher(): object {
      return { name: 'TLS_AES_128_GCM_SHA256', version: 'TLSv1.3' }
    }
    address(): object {
      return { address: '127.0.0.1', family: 'IPv4', port: 0 }
    }
  }

  /** What the server inside the process holds. */
  class ServerSide extends Side {
    readonly vendorHost: string
    constructor(client: ClientSide, host: string) {
      super({ allowHalfOpen: true })
      this.vendorHost = host
      this.other = client
      client.other = this
    }
    setTimeout(): this {
      return this
    }
    setNoDelay(): this {
      return this
    }
    setKeepAlive(): this {
      return this
    }
  }

  return { ClientSide, ServerSide }
}

/** One request on its way: what came in, and how to say no to it. */
interface Passage {
  readonly request: http.IncomingMessage
  readonly reply: http.ServerResponse
  /** Read whole for the hosted MCP only; null: it is still to be piped. */
  readonly body: Buffer | null
  refuse(sentence: string, code: string, status: number): void
}

function forwarder(bases: ReadonlyMap<VendorName, Base>, direct: typeof tls.connect): http.Server {
  const agents = {
    'http:': new node.http.Agent({ keepAlive: true }),
    'https:': new node.https.Agent({ keepAlive: true }),
  } as const
  const past = directAgent(direct)
  const pass = (passage: Passage, host: string): void => {
    const { request } = passage
    const vendor = vendorOf(host)!
    const target = request.url ?? '/'
    const base = bases.get(vendor)
    const vault = holdsVaultKey(request.headers.authorization)
    if (isSite(host, vendor) && (base !== undefined || holdsKeyOf(vendor)))
      return passage.refuse(
        `${host} is a website, and spendgate stands before the vendor's API only. Nothing was sent.`,
        'operation_unknown',
        403,
      )
    if (base === undefined) {
      if (!vault && (request.headers.authorization !== undefined || !holdsKeyOf(vendor)))
        return forward(passage, new URL(`https://${host}`), target, past)
      return passage.refuse(
        `This vault key belongs to spendgate, and ${BASES[vendor]} does not say where that is. Nothing was sent to ${host}. Set ${BASES[vendor]}, such as http://127.0.0.1:4242/${vendor}.`,
        'vendor_not_granted',
        403,
      )
    }
    if (base.fault !== null) return passage.refuse(`${base.fault} Nothing was sent.`, 'vendor_not_granted', 403)
    if (!vault && request.headers.authorization !== undefined)
      return passage.refuse(
        `${BASES[vendor]} leads to spendgate, but the key is not one of its vault keys. Nothing was sent. Use the vault_live_… key, and keep the real one out of this program.`,
        'real_key_presented',
        401,
      )
    forward(
      passage,
      base.url,
      pathUnder(base.url, vendor, host, target),
      agents[base.url.protocol as 'http:' | 'https:'],
    )
  }
  return node.http.createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, reply) => {
    const host = (request.socket as unknown as { readonly vendorHost: string }).vendorHost
    const hosted = host === 'mcp.stripe.com'
    const begin = (body: Buffer | null): void =>
      pass(
        { request, reply, body, refuse: refusals(request, reply, vendorOf(host)!, hosted ? (body ?? NOTHING) : null) },
        host,
      )
    if (hosted) bodyOf(request).then(begin, () => reply.destroy())
    else begin(null)
  })
}

const NOTHING = Buffer.alloc(0)

/**
 * Where a request to a vendor's host goes under a base; other hosts of the vendor stand as the first segment. Text put
 * together as it is: a URL object would resolve the dots a client sent, and spendgate must get to see those.
 */
function pathUnder(base: URL, vendor: VendorName, host: string, target: string): string {
  if (host === 'mcp.stripe.com') return `/mcp/stripe${target === '/' ? '' : target}`
  return `${base.pathname.replace(/\/+$/, '')}${host === MAIN_HOSTS[vendor] ? '' : `/${host}`}${target}`
}

const directAgent = (direct: typeof tls.connect): https.Agent => {
  const agent = new node.https.Agent()
  const make = (options: object): unknown => (direct as Function)({ ...options, [DIRECT]: true })
  ;(agent as unknown as { createConnection: unknown }).createConnection = make
  return agent
}

/** Whether a variable named after the vendor holds a vault key: then what it is told goes through spendgate or nowhere. */
const holdsKeyOf = (vendor: VendorName): boolean =>
  Object.entries(process.env).some(([name, value]) => name.startsWith(`${vendor.toUpperCase()}_`) && VAULT.test(value!))

function holdsVaultKey(authorization: string | undefined): boolean {
  const basic = /^basic\s+([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '')
  return VAULT.test(basic ? Buffer.from(basic[1]!, 'base64').toString('latin1') : (authorization ?? ''))
}

const HOP = new Set(['connection', 'keep-alive', 'proxy-authorization', 'proxy-connection', 'te', 'trailer', 'upgrade'])

function forward({ request, reply, body, refuse }: Passage, url: URL, path: string, agent: http.Agent): void {
  const headers: string[] = []
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const name = request.rawHeaders[i]!
    if (!HOP.has(name.toLowerCase()) && name.toLowerCase() !== 'host') headers.push(name, request.rawHeaders[i + 1]!)
  }
  const run = process.env.SPENDGATE_RUN_ID
  const labelled = request.rawHeaders.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'x-agent-run-id')
  if (run && /^[A-Za-z0-9_-]{1,64}$/.test(run) && !labelled) headers.push('x-agent-run-id', run)
  const { request: send } = url.protocol === 'https:' ? node.https : node.http
  const hostname = url.hostname.replace(/^\[|\]$/g, '')
  const outgoing = send({
    protocol: url.protocol,
    hostname,
    port: url.port || (url.protocol === 'https:' ? 443 : 80),
    method: request.method!,
    path,
    agent,
    headers: ['host', url.host, ...headers],
    setDefaultHeaders: false,
  } as https.RequestOptions)
  // Only connecting is timed: what the vendor takes is spendgate's to judge.
  outgoing.once('socket', (socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => outgoing.destroy(new Error('no connection in time')), CONNECT_MS)
    socket.once('connect', () => clearTimeout(timer))
    socket.once('close', () => clearTimeout(timer))
  })
  outgoing.once('response', (answer) => {
    const kept: string[] = []
    for (let i = 0; i < answer.rawHeaders.length; i += 2)
      if (!HOP.has(answer.rawHeaders[i]!.toLowerCase()) && answer.rawHeaders[i]!.toLowerCase() !== 'transfer-encoding')
        kept.push(answer.rawHeaders[i]!, answer.rawHeaders[i + 1]!)
    reply.writeHead(answer.statusCode!, kept)
    // A stream may begin with silence; what has a length follows at once, and head and body go in one piece.
    if (answer.headers['content-length'] === undefined) reply.flushHeaders()
    answer.once('error', () => reply.destroy())
    answer.pipe(reply)
  })
  outgoing.once('error', (error) => {
    if (reply.headersSent) reply.destroy()
    else
      refuse(
        `spendgate does not answer at ${url.origin} (${error.message}). Start it with «spendgate serve», or correct the base address.`,
        'upstream_unavailable',
        502,
      )
  })
  reply.once('close', () => outgoing.destroy())
  if (body === null) request.pipe(outgoing)
  else outgoing.end(body)
}

/** Refusals in the shape the client's vendor has; to an MCP call as a result, because bridges never answer after a 4xx. */
function refusals(
  request: http.IncomingMessage,
  reply: http.ServerResponse,
  vendor: VendorName,
  mcp: Buffer | null,
): Passage['refuse'] {
  return (sentence, code, status) => {
    const message = `${code}: ${sentence}`
    const send = (as: number, body: unknown): void => {
      if (reply.headersSent || reply.destroyed) return
      reply.writeHead(as, {
        'content-type': 'application/json',
        'stripe-should-retry': 'false',
        'x-spendgate-code': code,
      })
      reply.end(JSON.stringify(body))
    }
    if (mcp !== null) {
      const { id, method } = callIn(mcp)
      if (id === undefined) return send(request.method === 'POST' ? 202 : 405, {})
      const answer =
        method === 'tools/call'
          ? { result: { content: [{ type: 'text', text: message }], isError: true } }
          : { error: { code: -32000, message } }
      return send(200, { jsonrpc: '2.0', id, ...answer })
    }
    request.resume()
    if (vendor === 'stripe') return send(status, { error: { type: 'invalid_request_error', code, message } })
    if (vendor === 'twilio')
      return send(status, { code: 20_000 + status, message, more_info: '', status, details: { code } })
    return send(status, { statusCode: status, name: code, message })
  }
}

/** @throws Error when the client goes away or sends more than an MCP message can be */
async function bodyOf(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes > MCP_BODY_BYTES_MAX) throw new Error('the message is too large')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks)
}

/** Id and method of the JSON-RPC request in a body; nothing for notifications and what cannot be read. */
function callIn(body: Buffer): { id?: string | number; method?: string } {
  try {
    return JSON.parse(body.toString('utf8')) as { id?: string | number; method?: string }
  } catch {
    return {} // No JSON-RPC, so there is no call to answer.
  }
}
