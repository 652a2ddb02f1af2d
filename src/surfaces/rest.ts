import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isUtf8 } from 'node:buffer'
import { Hono } from 'hono'
import type { Match } from '../catalogue.js'
import type { Places } from '../contracts/binding.js'
import type { Authorization, Vendor } from '../contracts/vendor.js'
import type { Engine, VendorRuntime } from '../engine.js'
import type { Answer, Content, Exchange, Fault } from '../exchange.js'
import { govern } from '../pipeline.js'
import { Together } from '../together.js'
import { EMPTY, Form, parseForm } from '../wire/form.js'
import { parseJson } from '../wire/json.js'
import { parseTarget } from '../wire/target.js'
import { anyContent } from './any-content.js'
import { readBody } from './body.js'
import { BUSY, internalFault, overloaded, STOPPING } from './faults.js'
import { baseOf, labelsIn, readAuthorization } from './head.js'
import { MCP_PATH } from './mcp/address.js'
import type { McpListener } from './mcp/listener.js'
import { shownKey } from './shown-key.js'
import type { TokenListener } from './tokens.js'
import { TOKENS_PATH } from './tokens-path.js'
import { WebhookListener, type WebhookMeans } from './webhooks.js'

const BODY_BYTES_MAX = 256 * 1024
const IN_FLIGHT_MAX = 4096
const REASON_CHARS_MAX = 500

interface NodeEnv {
  readonly Bindings: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse }
}

export interface AgentListener {
  readonly handle: (incoming: IncomingMessage, outgoing: ServerResponse) => void
  inFlight(): number
  /** From now on new calls are refused as `overloaded` and their connections closed; those under way go on. */
  drain(): void
  /** Whether a request that arrived whole on this connection is still to be answered. */
  busy(socket: Socket): boolean
}

/**
 * The agent port: one Hono route a vendor, by prefix, under a run, and at the root. Handlers work on node's own
 * request and response, because the raw target, the raw headers and the exact bytes are what is judged; Hono's view
 * of a path is already decoded and normalised.
 */
export function agentListener(engine: Engine, settle?: WebhookMeans['settle']): AgentListener {
  let inFlight = 0
  let draining = false
  const queue = new Together()
  const together = (work: () => void): void => queue.run(work, inFlight)
  // One place a connection, emptied and filled again: taking an entry out of a weak map and putting it back costs ten times that.
  const answering = new WeakMap<Socket, { request: IncomingMessage | null }>()
  const begun = (incoming: IncomingMessage): void => {
    inFlight++
    const place = answering.get(incoming.socket)
    if (place === undefined) answering.set(incoming.socket, { request: incoming })
    else place.request = incoming
  }
  const ended = (incoming: IncomingMessage): void => {
    inFlight--
    answering.get(incoming.socket)!.request = null
  }
  const serve = (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    named: Exchange['named'],
    rest: string,
    pathRun: string | null,
  ): void => {
    begun(incoming)
    const vendor = named.prefix ?? named.host
    const places = vendor !== null && isConfigured(vendor, engine) ? engine.credentials.places(vendor) : null
    const exchange = new RestExchange(incoming, named, rest, pathRun, together, places)
    if (draining) outgoing.setHeader('connection', 'close')
    const full = draining ? STOPPING : inFlight > IN_FLIGHT_MAX ? BUSY : null
    void answerTo(exchange, full, incoming, outgoing)
  }
  const answerTo = async (
    exchange: Exchange,
    full: string | null,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<void> => {
    let answer: Answer
    try {
      answer = full === null ? await govern(exchange, engine) : overloaded(full, exchange, engine)
    } catch (cause) {
      answer = internalFault(cause, exchange, engine)
    } finally {
      ended(incoming)
    }
    write(outgoing, answer)
  }

  // Loaded when the first client speaks it: its library takes memory that nobody else need have.
  let speaking: Promise<McpListener> | null = null
  const mcp = (): Promise<McpListener> =>
    (speaking ??= import('./mcp/listener.js').then(({ mcpListener }) => mcpListener(engine)))
  const serveMcp = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    begun(incoming)
    if (draining) outgoing.setHeader('connection', 'close')
    const full = draining ? STOPPING : inFlight > IN_FLIGHT_MAX ? BUSY : null
    const answered = mcp().then((listener) => listener.handle(incoming, outgoing, full))
    // It answers its own faults; what is left is that it could not be loaded, which must not end the server.
    void answered
      .catch((cause: unknown) => {
        engine.log('error', 'mcp_fault', { message: (cause as Error).message })
        outgoing.destroy()
      })
      .finally(() => ended(incoming))
  }

  const webhooks = new WebhookListener(settle === undefined ? engine : { ...engine, settle })
  const serveWebhook = (vendor: string, incoming: IncomingMessage, outgoing: ServerResponse): void => {
    begun(incoming)
    if (draining) outgoing.setHeader('connection', 'close')
    const full = draining ? STOPPING : inFlight > IN_FLIGHT_MAX ? BUSY : null
    void webhooks.handle(vendor, incoming, outgoing, full).finally(() => ended(incoming))
  }

  // Loaded when the first is asked for: what checks such a request is a good part of the admin API.
  let issuing: Promise<TokenListener> | null = null
  const tokens = (): Promise<TokenListener> =>
    (issuing ??= import('./tokens.js').then(({ TokenListener: Listener }) => new Listener(engine)))
  const serveTokens = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    begun(incoming)
    if (draining) outgoing.setHeader('connection', 'close')
    const full = draining ? STOPPING : inFlight > IN_FLIGHT_MAX ? BUSY : null
    const answered = tokens().then((listener) => listener.handle(incoming, outgoing, full))
    // It answers its own faults; what is left is that it could not be loaded, which must not end the server.
    void answered
      .catch((cause: unknown) => {
        engine.log('error', 'internal_fault', { message: (cause as Error).message })
        outgoing.destroy()
      })
      .finally(() => ended(incoming))
  }

  const routes = (): Hono<NodeEnv> => new Hono<NodeEnv>({ getPath: (request) => request.url })
  const byPrefix = routes()
  // What vendors there are by configuration changes while we listen: they are looked up call by call.
  const catalogued = [...engine.vendors.values()].filter(({ vendor }) => vendor.bindings === undefined)
  const names = catalogued.map(({ vendor }) => vendor.name)
  const hosts = new Map(
    catalogued.flatMap(({ vendor }) =>
      // What is asked of a vendor's MCP server is answered at /mcp; nothing else of it is here.
      [vendor.name, ...vendor.hosts.filter((host) => host !== vendor.mcpHost)].map(
        (host) => [host, vendor.name] as const,
      ),
    ),
  )
  const prefixed = new RegExp(`^/(?:run/[^/]*/)?(?:${names.join('|')})(?:/|$)`)
  for (const name of names) {
    const none = { prefix: name, host: null, root: null }
    byPrefix.all(`/${name}/*`, (c) => {
      const { incoming, outgoing } = c.env
      const target = incoming.url!
      serve(incoming, outgoing, withHost(none, incoming, hosts, engine), target.slice(name.length + 1), null)
      return SENT
    })
    byPrefix.all(`/run/:run/${name}/*`, (c) => {
      const { incoming, outgoing } = c.env
      const target = incoming.url!
      const runEnds = target.indexOf('/', 5)
      const rest = target.slice(runEnds + 1 + name.length)
      serve(incoming, outgoing, withHost(none, incoming, hosts, engine), rest, target.slice(5, runEnds))
      return SENT
    })
  }
  // An app of its own: beside a vendor's route a second match would make Hono compose the two on every call.
  const byRoot = routes()
  byRoot.all('*', (c) => {
    const { incoming, outgoing } = c.env
    const target = incoming.url ?? ''
    // A host of the vendor's own says all: `/v2/…` is Stripe's at our root, and verify.twilio.com's at its own.
    const exact = hosts.has(headerOf(incoming.rawHeaders, 'host')?.toLowerCase() ?? '')
    const { host } = withHost(NOBODY, incoming, hosts, engine)
    // So does one of a vendor by configuration, whose paths are its own.
    const root = exact || (host !== null && isConfigured(host, engine)) ? null : rootOwner(target, engine)
    const named = { prefix: null, host, root }
    // An absolute-form target is ours to refuse with a row when the key is known; a path of no vendor is nobody's.
    if (named.host === null && named.root === null && target.startsWith('/') && !odd(target)) notFound(outgoing)
    else serve(incoming, outgoing, named, target, null)
    return SENT
  })

  return {
    inFlight: () => inFlight,
    drain: () => {
      draining = true
      void speaking?.then((listener) => listener.drain())
    },
    busy: (socket) => answering.get(socket)?.request?.complete === true,
    handle: (incoming, outgoing) => {
      // Routing needs the target and nothing else; a Request object would cost more than the route.
      const url = incoming.url ?? ''
      if (MCP_PATH.test(url)) return serveMcp(incoming, outgoing)
      const telling = webhooks.vendorAt(url)
      if (telling !== null) return serveWebhook(telling, incoming, outgoing)
      // At a host of a vendor's all paths are the vendor's.
      if (url === TOKENS_PATH && incoming.method === 'POST' && withHost(NOBODY, incoming, hosts, engine).host === null)
        return serveTokens(incoming, outgoing)
      const known = prefixed.test(url)
      const at = known ? null : configuredAt(url, engine)
      if (at !== null) {
        const named = withHost({ ...NOBODY, prefix: at.vendor }, incoming, hosts, engine)
        return together(() => serve(incoming, outgoing, named, at.rest, at.run))
      }
      const app = known ? byPrefix : byRoot
      together(() => void app.fetch({ method: 'POST', url } as Request, { incoming, outgoing }))
    },
  }
}

/** Hono wants something from a handler; the answer goes out through node's own. A real Response would load Node's fetch. */
const SENT = Object.freeze({}) as Response

const NOBODY = { prefix: null, host: null, root: null } as const

const odd = (target: string): boolean => /\/\/|\/\.|%|[^\x21-\x7e]/.test(target)

function rootOwner(target: string, engine: Engine): string | null {
  for (const { vendor } of engine.vendors.values()) {
    if (vendor.ownsRoot(target) || vendor.hosts.some((host) => target.startsWith(`/${host}/`))) return vendor.name
  }
  return null
}

/** `Host: stripe.anything` names Stripe, and so does a host of Stripe's own, from clients that were led here below HTTP. */
function withHost(
  named: Exchange['named'],
  incoming: IncomingMessage,
  hosts: ReadonlyMap<string, string>,
  engine: Engine,
): Exchange['named'] {
  const host = headerOf(incoming.rawHeaders, 'host')?.toLowerCase()
  if (host === undefined) return named
  const label = host.slice(0, Math.max(0, host.indexOf('.')))
  const vendor = hosts.get(host) ?? hosts.get(label) ?? engine.vendors.get(label)?.vendor.name
  return vendor === undefined ? named : { ...named, host: vendor }
}

const isConfigured = (vendor: string, engine: Engine): boolean =>
  engine.vendors.get(vendor)?.vendor.bindings !== undefined

/** `/github/…` and `/run/<id>/github/…`, of vendors that exist by configuration. */
function configuredAt(
  url: string,
  engine: Engine,
): { readonly vendor: string; readonly rest: string; readonly run: string | null } | null {
  const runEnds = url.startsWith('/run/') ? url.indexOf('/', 5) : 0
  const from = runEnds + 1
  const slash = url.indexOf('/', from)
  const end = slash < 0 ? url.length : slash
  const vendor = url.slice(from, end)
  if (runEnds < 0 || !isConfigured(vendor, engine)) return null
  return { vendor, rest: url.slice(end), run: runEnds === 0 ? null : url.slice(5, runEnds) }
}

function headerOf(raw: readonly string[], name: string): string | undefined {
  for (let i = 0; i < raw.length; i += 2)
    if (raw[i]!.length === name.length && raw[i]!.toLowerCase() === name) return raw[i + 1]
  return undefined
}

/** Headers that may stand more than once, because nobody acts on them. Two of any other are two readings. */
const REPEATABLE = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'baggage',
  'cache-control',
  'connection',
  'cookie',
  'forwarded',
  'pragma',
  'tracestate',
  'via',
  'warning',
  'x-forwarded-for',
])

export class RestExchange implements Exchange {
  readonly surface = 'rest'
  readonly authorization: Authorization | null
  readonly fault: Fault | null
  readonly named: Exchange['named']
  readonly labels: Exchange['labels']
  readonly base: string | null
  readonly reason: string | null
  readonly idempotencyKey: string | null
  readonly method: string
  readonly #incoming: IncomingMessage
  readonly #together: (work: () => void) => void
  readonly #headers = new Map<string, string>()
  readonly #path: string
  readonly #query: string

  constructor(
    incoming: IncomingMessage,
    named: Exchange['named'],
    rest: string,
    pathRun: string | null,
    together: (work: () => void) => void,
    places: Places | null = null,
  ) {
    this.#together = together
    this.#incoming = incoming
    this.method = incoming.method ?? ''
    this.named = named
    let fault: Fault | null = null
    const raw = incoming.rawHeaders
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!.toLowerCase()
      if (this.#headers.has(name)) {
        if (!REPEATABLE.has(name))
          fault = { code: 'request_ambiguous', message: `The header ${name} stands more than once.` }
      } else this.#headers.set(name, raw[i + 1]!)
    }
    const target = parseTarget(rest === '' ? '/' : rest)
    if ('fault' in target) {
      this.#path = printable(rest)
      this.#query = ''
      fault = { code: 'request_malformed', message: `${target.fault} Do not retry.` }
    } else {
      this.#path = target.path
      this.#query = target.query
    }
    if (places === null) this.authorization = readAuthorization(this.#headers.get('authorization'))
    else {
      const shown = shownKey(this.#headers, this.#query, places)
      this.authorization = shown.authorization
      this.#query = shown.query
      fault ??= shown.fault
    }
    this.fault = fault ?? frameFault(this.#headers)
    this.idempotencyKey = this.#headers.get('idempotency-key') ?? null
    if (this.fault === null && this.idempotencyKey !== null && !/^[\x21-\x7e]{1,255}$/.test(this.idempotencyKey)) {
      this.fault = { code: 'request_malformed', message: 'The Idempotency-Key must be 1 to 255 printable characters.' }
    }
    this.base = baseOf(this.#headers, pathRun)
    this.reason = this.#headers.get('x-agent-reason')?.slice(0, REASON_CHARS_MAX) ?? null
    this.labels = labelsIn(this.#headers, pathRun)
  }

  pathFor(vendor: Vendor): string {
    // `/verify.twilio.com/v2/…`: the vendor's other products stand as the first segment; its main host is left out.
    const second = this.#path.indexOf('/', 1)
    const first = second < 0 ? this.#path.slice(1) : this.#path.slice(1, second)
    if (!first.includes('.') || second < 0 || !vendor.hosts.includes(first)) return this.#underHost(vendor)
    return first === vendor.hosts[0] || !vendor.productByHost ? this.#path.slice(second) : this.#path.slice(1)
  }

  /** A client that was led here below HTTP says the product by its Host header. */
  #underHost(vendor: Vendor): string {
    if (vendor.productByHost !== true) return this.#path
    const host = this.#headers.get('host')?.toLowerCase() ?? ''
    return host !== vendor.hosts[0] && vendor.hosts.includes(host) ? host + this.#path : this.#path
  }

  header(name: string): string | undefined {
    return this.#headers.get(name)
  }

  async read({ vendor }: VendorRuntime, match: Match | null): Promise<Content | Fault> {
    const limit = match?.operation.bodyBytesMax ?? BODY_BYTES_MAX
    const body = await readBody(this.#incoming, this.#headers, limit, this.#together)
    if (!Buffer.isBuffer(body)) return body
    if (vendor.bindings !== undefined)
      return anyContent(this.method, this.#query, body, this.#headers.get('content-type'))
    const repeats = match?.operation.repeats
    if (this.method === 'GET' || this.method === 'DELETE' || this.method === 'HEAD') {
      if (body.length > 0)
        return {
          code: 'request_ambiguous',
          message: `A ${this.method} has its parameters in the query; this one has a body too.`,
        }
      const form = parseForm(this.#query, repeats)
      return form instanceof Form ? { form, json: undefined, place: 'query' } : form
    }
    if (this.#query !== '')
      return {
        code: 'request_ambiguous',
        message: `The parameters of a ${this.method} belong in its body; the query would be merged with them by some parsers.`,
      }
    if (body.length === 0) return { form: EMPTY, json: undefined, place: 'none' }
    const expected = match?.operation.body ?? vendor.body
    const fault = mediaTypeFault(this.#headers.get('content-type'), expected)
    if (fault) return fault
    if (!isUtf8(body)) return { code: 'request_malformed', message: 'The body is not UTF-8.' }
    if (expected === 'json') {
      const parsed = parseJson(body.toString('utf8'))
      return 'code' in parsed ? parsed : { form: EMPTY, json: parsed.value, place: 'json' }
    }
    const form = parseForm(body.toString('utf8'), repeats)
    return form instanceof Form ? { form, json: undefined, place: 'form' } : form
  }
}

function frameFault(headers: ReadonlyMap<string, string>): Fault | null {
  const encoding = headers.get('content-encoding')
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return {
      code: 'request_malformed',
      message: `A body with Content-Encoding ${printable(encoding)} is not accepted.`,
    }
  const transfer = headers.get('transfer-encoding')
  if (transfer !== undefined && transfer.toLowerCase() !== 'chunked')
    return { code: 'request_malformed', message: `Transfer-Encoding ${printable(transfer)} is not accepted.` }
  if (headers.has('upgrade')) return { code: 'request_malformed', message: 'Protocol upgrades are not accepted.' }
  if (headers.has('x-http-method-override') || headers.has('x-http-method') || headers.has('x-method-override')) {
    return { code: 'request_ambiguous', message: 'A method-override header gives the request a second method.' }
  }
  return null
}

const MEDIA = { form: 'application/x-www-form-urlencoded', json: 'application/json' } as const

function mediaTypeFault(header: string | undefined, expected: 'form' | 'json'): Fault | null {
  if (header === MEDIA[expected]) return null
  const [type, ...parameters] = (header ?? '').split(';').map((part) => part.trim().toLowerCase())
  if (
    type === MEDIA[expected] &&
    parameters.every((parameter) => parameter === 'charset=utf-8' || parameter === 'charset="utf-8"')
  )
    return null
  return {
    code: 'request_ambiguous',
    message: `The body must be ${MEDIA[expected]} (UTF-8), not «${printable(header ?? 'no media type')}».`,
  }
}

const printable = (text: string): string =>
  (text.length > 200 ? `${text.slice(0, 200)}…` : text).replace(/[^\x20-\x7e…]/g, '?')

function write(outgoing: ServerResponse, answer: Answer): void {
  if (outgoing.destroyed || outgoing.headersSent) return
  const { status, headers } = answer
  // A text of nothing but ASCII has a character a byte already.
  const ascii = typeof answer.body === 'string' && Buffer.byteLength(answer.body) === answer.body.length
  const body = typeof answer.body === 'string' && !ascii ? Buffer.from(answer.body) : answer.body
  outgoing.writeHead(status, [...headers, 'content-length', String(body.length)])
  // As a text of as many characters, head and body go out in one write; Node writes a Buffer beside its head.
  if (typeof body === 'string') outgoing.end(body, 'latin1')
  else if (body.length <= ONE_WRITE_BYTES_MAX) outgoing.end(body.toString('latin1'), 'latin1')
  else outgoing.end(body)
}
const ONE_WRITE_BYTES_MAX = 16 * 1024

function notFound(outgoing: ServerResponse): void {
  outgoing.writeHead(404, ['content-type', 'text/plain; charset=utf-8'])
  outgoing.end('This path belongs to no vendor of this proxy.\n')
}
