import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { isUtf8 } from 'node:buffer'
import { Hono } from 'hono'
import type { Match } from '../catalogue.js'
import { LedgerFault } from '../contracts/ledger.js'
import type { Denial } from '../contracts/call.js'
import type { Authorization, Vendor } from '../contracts/vendor.js'
import type { Engine, VendorRuntime } from '../engine.js'
import type { Answer, Content, Exchange, Fault } from '../exchange.js'
import { govern, refusal } from '../pipeline.js'
import { identify, shapeFor } from '../identify.js'
import { Together } from '../together.js'
import { EMPTY, Form, parseForm } from '../wire/form.js'
import { parseJson } from '../wire/json.js'
import { parseTarget } from '../wire/target.js'

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
export function agentListener(engine: Engine): AgentListener {
  let inFlight = 0
  let draining = false
  const queue = new Together()
  const together = (work: () => void): void => queue.run(work, inFlight)
  const answering = new WeakMap<Socket, IncomingMessage>()
  const serve = (
    incoming: IncomingMessage,
    outgoing: ServerResponse,
    named: Exchange['named'],
    rest: string,
    pathRun: string | null,
  ): void => {
    inFlight++
    answering.set(incoming.socket, incoming)
    const exchange = new RestExchange(incoming, named, rest, pathRun, together)
    if (draining) outgoing.setHeader('connection', 'close')
    const full = draining ? STOPPING : inFlight > IN_FLIGHT_MAX ? BUSY : null
    const under = full === null ? govern(exchange, engine) : Promise.resolve(overloaded(full, exchange, engine))
    under
      .catch((cause: unknown) => internalFault(cause, exchange, engine))
      .then((answer) => write(outgoing, answer))
      .finally(() => {
        inFlight--
        answering.delete(incoming.socket)
      })
  }

  const routes = (): Hono<NodeEnv> => new Hono<NodeEnv>({ getPath: (request) => request.url })
  const byPrefix = routes()
  const names = [...engine.vendors.keys()]
  const prefixed = new RegExp(`^/(?:run/[^/]*/)?(?:${names.join('|')})(?:/|$)`)
  for (const name of names) {
    const none = { prefix: name, host: null, root: null }
    byPrefix.all(`/${name}/*`, (c) => {
      const target = c.req.raw.url
      serve(c.env.incoming, c.env.outgoing, withHost(none, c.env.incoming, names), target.slice(name.length + 1), null)
      return SENT
    })
    byPrefix.all(`/run/:run/${name}/*`, (c) => {
      const target = c.req.raw.url
      const runEnds = target.indexOf('/', 5)
      serve(
        c.env.incoming,
        c.env.outgoing,
        withHost(none, c.env.incoming, names),
        target.slice(runEnds + 1 + name.length),
        target.slice(5, runEnds),
      )
      return SENT
    })
  }
  // An app of its own: beside a vendor's route a second match would make Hono compose the two on every call.
  const byRoot = routes()
  byRoot.all('*', (c) => {
    const { incoming, outgoing } = c.env
    const target = c.req.raw.url
    const named = withHost({ prefix: null, host: null, root: rootOwner(target, engine) }, incoming, names)
    // An absolute-form target is ours to refuse with a row when the key is known; a path of no vendor is nobody's.
    if (named.host === null && named.root === null && target.startsWith('/') && !odd(target)) notFound(outgoing)
    else serve(incoming, outgoing, named, target, null)
    return SENT
  })

  return {
    inFlight: () => inFlight,
    drain: () => {
      draining = true
    },
    busy: (socket) => answering.get(socket)?.complete === true,
    handle: (incoming, outgoing) => {
      // Routing needs the target and nothing else; a Request object would cost more than the route.
      const url = incoming.url ?? ''
      const app = prefixed.test(url) ? byPrefix : byRoot
      together(() => void app.fetch({ method: 'POST', url } as Request, { incoming, outgoing }))
    },
  }
}

/** Hono wants a Response from a handler; the answer goes out through node's own. */
const SENT = new Response(null)

const odd = (target: string): boolean => /\/\/|\/\.|%|[^\x21-\x7e]/.test(target)

function rootOwner(target: string, engine: Engine): string | null {
  for (const { vendor } of engine.vendors.values()) {
    if (vendor.ownsRoot(target) || vendor.hosts.some((host) => target.startsWith(`/${host}/`))) return vendor.name
  }
  return null
}

/** `Host: stripe.anything` names Stripe. */
function withHost(named: Exchange['named'], incoming: IncomingMessage, names: readonly string[]): Exchange['named'] {
  const host = headerOf(incoming.rawHeaders, 'host')
  if (host === undefined) return named
  const dot = host.indexOf('.')
  const label = dot > 0 ? host.slice(0, dot).toLowerCase() : ''
  return names.includes(label) ? { ...named, host: label } : named
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

class RestExchange implements Exchange {
  readonly surface = 'rest'
  readonly authorization: Authorization | null
  readonly fault: Fault | null
  readonly named: Exchange['named']
  readonly labels: Exchange['labels']
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
    this.authorization = readAuthorization(this.#headers.get('authorization'))
    const target = parseTarget(rest === '' ? '/' : rest)
    if ('fault' in target) {
      this.#path = printable(rest)
      this.#query = ''
      fault = { code: 'request_malformed', message: `${target.fault} Do not retry.` }
    } else {
      this.#path = target.path
      this.#query = target.query
    }
    this.fault = fault ?? frameFault(this.#headers)
    this.idempotencyKey = this.#headers.get('idempotency-key') ?? null
    if (this.fault === null && this.idempotencyKey !== null && !/^[\x21-\x7e]{1,255}$/.test(this.idempotencyKey)) {
      this.fault = { code: 'request_malformed', message: 'The Idempotency-Key must be 1 to 255 printable characters.' }
    }
    this.reason = this.#headers.get('x-agent-reason')?.slice(0, REASON_CHARS_MAX) ?? null
    this.labels = this.#labels(pathRun)
  }

  #labels(pathRun: string | null): Exchange['labels'] {
    const labels: { source: 'path' | 'header' | 'traceparent'; run: string }[] = []
    if (pathRun !== null) labels.push({ source: 'path', run: pathRun })
    const header = this.#headers.get('x-agent-run-id')
    if (header !== undefined) labels.push({ source: 'header', run: header })
    // W3C Trace Context, version 00; a malformed one is ignored, as the recommendation says.
    const trace = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(this.#headers.get('traceparent') ?? '')
    if (trace && !/^0+$/.test(trace[1]!)) labels.push({ source: 'traceparent', run: trace[1]! })
    return labels
  }

  pathFor(vendor: Vendor): string {
    // `/verify.twilio.com/v2/…`: the vendor's other products stand as the first segment; its main host is left out.
    const second = this.#path.indexOf('/', 1)
    const first = second < 0 ? this.#path.slice(1) : this.#path.slice(1, second)
    if (!first.includes('.') || second < 0 || !vendor.hosts.includes(first)) return this.#path
    return first === vendor.hosts[0] ? this.#path.slice(second) : this.#path.slice(1)
  }

  header(name: string): string | undefined {
    return this.#headers.get(name)
  }

  async read({ vendor }: VendorRuntime, match: Match | null): Promise<Content | Fault> {
    const limit = match?.operation.bodyBytesMax ?? BODY_BYTES_MAX
    const body = await readBody(this.#incoming, this.#headers, limit, this.#together)
    if (!Buffer.isBuffer(body)) return body
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

function readAuthorization(header: string | undefined): Authorization | null {
  if (header === undefined) return null
  const bearer = /^bearer ([\x21-\x7e]+)$/i.exec(header)
  if (bearer) return { scheme: 'bearer', token: bearer[1]! }
  const basic = /^basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header)
  if (!basic) return null
  const text = Buffer.from(basic[1]!, 'base64').toString('latin1')
  const colon = text.indexOf(':')
  return colon < 0 ? null : { scheme: 'basic', user: text.slice(0, colon), password: text.slice(colon + 1) }
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

function readBody(
  incoming: IncomingMessage,
  headers: ReadonlyMap<string, string>,
  limit: number,
  together: (work: () => void) => void,
): Promise<Buffer | Fault> {
  const tooLarge: Fault = {
    code: 'body_too_large',
    message: `The body is larger than the ${limit} bytes this operation may have. Do not retry.`,
  }
  const declared = headers.get('content-length')
  if (declared === undefined && !headers.has('transfer-encoding')) return Promise.resolve(NOTHING)
  if (declared !== undefined && Number(declared) > limit) return Promise.resolve(tooLarge)
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > limit) resolve(tooLarge)
      else chunks.push(chunk)
    })
    let ended = false
    incoming.once('end', () => {
      ended = true
      together(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
    })
    // The server's own time limit for a request ends a body that never arrives; every way leads here.
    const broken = (): void => {
      if (!ended) resolve({ code: 'request_malformed', message: 'The body did not arrive whole.' })
    }
    if (incoming.destroyed) broken()
    incoming.once('close', broken)
    incoming.once('error', broken)
  })
}

const NOTHING = Buffer.alloc(0)
const printable = (text: string): string =>
  (text.length > 200 ? `${text.slice(0, 200)}…` : text).replace(/[^\x20-\x7e…]/g, '?')

function write(outgoing: ServerResponse, answer: Answer): void {
  if (outgoing.destroyed || outgoing.headersSent) return
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  outgoing.writeHead(answer.status, [...answer.headers, 'content-length', String(body.length)])
  outgoing.end(body)
}

function notFound(outgoing: ServerResponse): void {
  outgoing.writeHead(404, ['content-type', 'text/plain; charset=utf-8'])
  outgoing.end('This path belongs to no vendor of this proxy.\n')
}

const BUSY = 'Too many calls are under way. Retry after a second.'
const STOPPING = 'The server is stopping. Nothing was sent. Retry later.'

function overloaded(message: string, exchange: Exchange, engine: Engine): Answer {
  return refusal(
    shapeOf(exchange, engine),
    {
      code: 'overloaded',
      rule: 'overload',
      message,
      retryAfterS: 1,
      retrySafe: true,
    },
    null,
    engine,
  )
}

/** Faults of our own become an answer here and nowhere else. Before a reservation nothing was sent; after one it stands. */
function internalFault(cause: unknown, exchange: Exchange, engine: Engine): Answer {
  const ledger = cause instanceof LedgerFault
  engine.log('error', ledger ? 'ledger_fault' : 'internal_fault', {
    message: (cause as Error).message,
    stack: ledger ? undefined : (cause as Error).stack,
  })
  engine.metrics.count('spendgate_faults_total', `kind="${ledger ? 'ledger' : 'internal'}"`)
  const denial: Denial = ledger
    ? {
        code: 'ledger_unavailable',
        rule: 'ledger',
        message: 'The ledger cannot write, so nothing is sent. Retry later; the operator has been told.',
        retryAfterS: 5,
      }
    : {
        code: 'ledger_unavailable',
        rule: 'internal',
        message: 'An internal fault stopped this call. Retry later; the operator has been told.',
        retryAfterS: 5,
      }
  return refusal(shapeOf(exchange, engine), denial, null, engine)
}

const shapeOf = (exchange: Exchange, engine: Engine): VendorRuntime =>
  shapeFor(exchange.named, identify(exchange.authorization, engine).form, engine)
