import { createMcpHandler, Server, type McpHttpHandler } from '@modelcontextprotocol/server'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { statusOf } from '../../contracts/call.js'
import type { Json, JsonObject } from '../../contracts/vendor.js'
import type { Engine } from '../../engine.js'
import type { Fault } from '../../exchange.js'
import { identify } from '../../identify.js'
import { packageVersion } from '../../package-root.js'
import { parseJson } from '../../wire/json.js'
import { readBody } from '../body.js'
import { baseOf, labelsIn, readAuthorization } from '../head.js'
import { AgentTools } from './agent-tools.js'
import { failed, isObject, type Service, type ToolResult } from './service.js'
import type { Carrier } from './tool-exchange.js'
import { VendorTools } from './vendor-tools.js'

const BODY_BYTES_MAX = 4 * 1024 * 1024
const PATH = /^\/(?:run\/([^/?]*)\/)?mcp(?:\/([a-z0-9_-]+))?\/?(?:\?.*)?$/
const SESSION = /^([0-9a-f]{24})\.([\x21-\x7e]{1,128})$/

export interface McpListener {
  owns(url: string): boolean
  /** @param full why no call is taken at present, or null */
  handle(incoming: IncomingMessage, outgoing: ServerResponse, full: string | null): Promise<void>
}

/**
 * `/mcp/<vendor>`: the vendor's hosted MCP server, answered here; `/mcp`: spendgate's own tools for agents. Both over
 * Streamable HTTP in every revision from 2025-03-26 to 2026-07-28. Every message carries its key, so nothing is kept
 * between two of them; a session is only a name for a run, signed so that no other key can take it over.
 *
 * Under a known key a tool call is always answered with HTTP 200: bridges such as @stripe/mcp never answer their own
 * client after an HTTP error (measured, 0.3.3), and the agent would hang.
 */
export function mcpListener(engine: Engine): McpListener {
  const vendors = [...engine.vendors.values()].map((runtime) => new VendorTools(runtime, engine))
  const served = new Map(
    [...vendors, new AgentTools(engine)].map((service) => [service.vendor, { service, handler: handlerFor(service) }]),
  )

  async function answer(
    incoming: IncomingMessage,
    { headers, doubled }: Head,
    message: Message,
    full: string | null,
  ): Promise<Response> {
    const [, pathRun = null, vendor = ''] = PATH.exec(incoming.url ?? '')!
    const at = served.get(vendor)
    if (at === undefined) return plain(404, `There is no vendor ${vendor} here.`)
    const authorization = readAuthorization(headers.get('authorization'))
    const caller = identify(authorization, engine)
    const session = caller.key && sessionIn(headers.get('mcp-session-id'), caller.key.rootId, engine)
    const carrier: Carrier = {
      authorization,
      labels: [
        ...labelsIn(headers, pathRun),
        ...(session === null || session === 'foreign' ? [] : [{ source: 'session' as const, run: `mcp_${session}` }]),
      ],
      base: baseOf(headers, pathRun),
      reason: headers.get('x-agent-reason') ?? null,
      header: (name) => headers.get(name),
    }

    const origin = headers.get('origin')
    if (origin !== undefined && !LOCAL.test(origin)) {
      // Of a page in a browser, which may reach the loopback by a name of its own. No bridge sends an Origin, so the
      // HTTP error that the protocol asks for strands nobody.
      if (caller.key !== null) await at.service.unreadable(carrier, FOREIGN_PAGE)
      return plain(403, FOREIGN_PAGE.message)
    }
    if (caller.key === null) return unknownCaller(caller.denial, message, headers.get('user-agent') ?? '')
    if (incoming.method !== 'POST') return plain(405, 'This server opens no streams. Use POST.', { allow: 'POST' })
    if (full !== null) {
      engine.metrics.count('spendgate_refusals_total', `vendor="${vendor}",code="overloaded"`)
      return refused(message, { code: 'overloaded', message: full })
    }
    const fault =
      doubled ?? (session === 'foreign' ? FOREIGN_SESSION : (message.fault ?? mirrorFault(message, headers)))
    if (fault !== null) {
      // What cannot be read may have been a call.
      if (message.method !== 'tools/call' && message.method !== undefined) return refused(message, fault)
      const result = await at.service.unreadable(carrier, fault)
      return message.id === undefined ? refused(message, fault) : marked(rpc(message.id, result), result)
    }
    // Streams that would outlive a revoked key; there is nothing to be told on them either.
    if (message.method === 'subscriptions/listen') return refused(message, NO_STREAMS)
    const stands = engine.ledger.stands(caller.key, '', vendor)
    if (stands !== true && message.method !== 'tools/call') return refused(message, stands)

    const ran: Ran = { result: null }
    const reply = await at.handler.fetch(requestOf(incoming, headers), {
      parsedBody: message.value,
      // The SDK hands this through to the factory untouched; it is how a tool learns who calls.
      authInfo: { token: '', clientId: caller.key.id, scopes: [], extra: { carrier, ran } },
    })
    if (message.method === 'initialize' && reply.ok) return withSession(reply, caller.key.rootId, engine)
    if (message.method !== 'tools/call' || message.id === undefined) return reply
    // Its answer may be a stream that began before the tool ran.
    const text = await reply.text()
    if (ran.result !== null) return marked(new Response(text, reply), ran.result)
    // The SDK would not take it (a name that is no text, headers of its revision missing); it stays a tool call.
    const result = await at.service.unreadable(carrier, { code: 'request_malformed', message: saidIn(text) })
    return marked(rpc(message.id, result), result)
  }

  return {
    owns: (url) => PATH.test(url),
    handle: async (incoming, outgoing, full) => {
      let message = NOTHING
      try {
        const head = headOf(incoming)
        const body = await readBody(incoming, head.headers, BODY_BYTES_MAX, (work) => work())
        message = Buffer.isBuffer(body) ? read(body) : { ...NOTHING, fault: body }
        await write(outgoing, await answer(incoming, head, message, full))
      } catch (cause) {
        engine.log('error', 'mcp_fault', { message: (cause as Error).message, stack: (cause as Error).stack })
        engine.metrics.count('spendgate_faults_total', 'kind="internal"')
        if (!outgoing.headersSent) await write(outgoing, refused(message, INTERNAL))
        else outgoing.destroy()
      }
    },
  }
}

/** What a tool answered in the course of one request; null when none was asked. */
interface Ran {
  result: ToolResult | null
}

function handlerFor(service: Service): McpHttpHandler {
  return createMcpHandler((context) => {
    const { carrier, ran } = context.authInfo!.extra as unknown as { readonly carrier: Carrier; readonly ran: Ran }
    const server = new Server(
      { name: service.name, version: packageVersion() },
      { capabilities: { tools: {} }, instructions: service.instructions },
    )
    server.setRequestHandler('tools/list', () => ({ tools: service.listed as never }))
    server.setRequestHandler('tools/call', async ({ params }) => {
      ran.result = await service.call(params.name, (params.arguments ?? {}) as JsonObject, carrier)
      return ran.result as never
    })
    return server
  })
}

interface Message {
  readonly value: unknown
  readonly id: string | number | undefined
  readonly method: string | undefined
  /** What `Mcp-Name` repeats. */
  readonly name: Json | undefined
  readonly fault: Fault | null
}

/** One JSON-RPC message, strictly: a batch, a name given twice or a number with two readings is none. */
function read(body: Buffer): Message {
  const text = body.toString('utf8')
  const parsed = parseJson(text)
  // Who sent it still learns why, under the id it gave; nothing else of it is believed.
  if ('code' in parsed) return { ...partsOf(loosely(text)), value: null, fault: parsed }
  const { value } = parsed
  const one = isObject(value) && value.jsonrpc === '2.0'
  return { ...partsOf(value), value, fault: one ? null : NOT_ONE }
}

function partsOf(value: Json | undefined): Pick<Message, 'id' | 'method' | 'name'> {
  if (!isObject(value)) return { id: undefined, method: undefined, name: undefined }
  const { id, method, params } = value
  return {
    id: typeof id === 'string' || typeof id === 'number' ? id : undefined,
    method: typeof method === 'string' ? method : undefined,
    name: isObject(params) ? params.name : undefined,
  }
}

function loosely(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined // Not JSON in any reading.
  }
}

/**
 * Revision 2026-07-28 repeats method and name in headers, for whatever stands in between and routes by them. We judge
 * the body; a call whose headers say something else has two readings.
 */
function mirrorFault({ method, name }: Message, headers: ReadonlyMap<string, string>): Fault | null {
  if (method !== 'tools/call') return null
  const [aMethod, aName] = [headers.get('mcp-method'), headers.get('mcp-name')]
  if ((aMethod ?? method) === method && (aName === undefined || decoded(aName) === name)) return null
  return { code: 'request_ambiguous', message: 'Mcp-Method or Mcp-Name says something else than the body.' }
}

function decoded(header: string): string {
  const found = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(header)
  return found === null ? header : Buffer.from(found[1]!, 'base64').toString('utf8')
}

const LOCAL = /^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

const NOT_ONE: Fault = {
  code: 'request_malformed',
  message: 'The body must be one JSON-RPC 2.0 message; batches are not taken.',
}
const NOTHING: Message = { value: null, id: undefined, method: undefined, name: undefined, fault: null }
const FOREIGN_PAGE: Fault = { code: 'request_malformed', message: 'Pages of other origins may not call this.' }
const FOREIGN_SESSION: Fault = {
  code: 'request_ambiguous',
  message: 'The Mcp-Session-Id was not given to this key. Initialize again. Do not retry.',
}
const NO_STREAMS: Fault = { code: 'operation_not_allowed', message: 'This server opens no streams.' }
const INTERNAL: Fault = {
  code: 'ledger_unavailable',
  message: 'An internal fault stopped this call. Retry later; the operator has been told.',
}

/** The name of a session this key was given, null without one, `foreign` for any other. */
function sessionIn(text: string | undefined, root: string, engine: Engine): string | null {
  if (text === undefined) return null
  const parts = SESSION.exec(text)
  return parts !== null && seal(parts[1]!, root, engine) === parts[2] ? parts[1]! : 'foreign'
}
const seal = (name: string, root: string, engine: Engine): string => engine.namespace(`mcp-session/${root}`, name)

function withSession(reply: Response, root: string, engine: Engine): Response {
  const name = randomBytes(12).toString('hex')
  reply.headers.set('mcp-session-id', `${name}.${seal(name, root, engine)}`)
  return reply
}

/**
 * Without a known key there is nobody to keep a row for. HTTP clients get their 401; the bridge @stripe/mcp would take
 * that for no answer at all, so it gets the sentence as JSON-RPC.
 */
function unknownCaller(denial: Fault, message: Message, agent: string): Response {
  if (/^stripe-(?:mcp|agent)/.test(agent) && message.id !== undefined) return refused(message, denial)
  return new Response(JSON.stringify({ jsonrpc: '2.0', id: message.id ?? null, error: errorOf(denial) }), {
    status: 401,
    headers: { ...JSON_TYPE, 'www-authenticate': 'Bearer realm="spendgate"', 'x-spendgate-code': denial.code },
  })
}

const JSON_TYPE = { 'content-type': 'application/json' }
const errorOf = ({ code, message }: Fault) => ({ code: -32000, message: `${code}: ${message}`, data: { code } })
const rpc = (id: string | number, result: unknown): Response =>
  new Response(JSON.stringify({ jsonrpc: '2.0', id, result }), { status: 200, headers: JSON_TYPE })

/** A refusal that has no row: a result for a call, an error for any other request, an HTTP status for what had no id to answer to. */
function refused({ id, method }: Message, fault: Fault): Response {
  if (id !== undefined && method === 'tools/call') return rpc(id, failed(`${fault.code}: ${fault.message}`))
  // 401 says that the key is not known, and no client may take a refusal under a known one for that.
  const status = id !== undefined ? 200 : statusOf(fault.code) <= 403 ? 400 : statusOf(fault.code)
  return new Response(JSON.stringify({ jsonrpc: '2.0', id: id ?? null, error: errorOf(fault) }), {
    status,
    headers: { ...JSON_TYPE, 'x-spendgate-code': fault.code },
  })
}

const plain = (status: number, message: string, headers: Record<string, string> = {}): Response =>
  new Response(`${message}\n`, { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } })

/** The marks of a result as the headers that every reply of ours has. */
function marked(reply: Response, { _meta = {} }: ToolResult): Response {
  for (const [name, value] of Object.entries(_meta))
    if (name.startsWith('spendgate/'))
      reply.headers.set(`x-spendgate-${name.slice('spendgate/'.length)}`, String(value))
  return reply
}

/** The sentence of an error that the SDK answered with. */
function saidIn(text: string): string {
  // Alone, or as the one event of a stream.
  const value = loosely(text.replace(/^(?:event:.*\n)?data: ?/, ''))
  const error = isObject(value) ? value.error : undefined
  return isObject(error) && typeof error.message === 'string'
    ? `${error.message.slice(0, 300)} Do not retry.`
    : 'This is no tool call of the protocol. Do not retry.'
}

interface Head {
  readonly headers: ReadonlyMap<string, string>
  readonly doubled: Fault | null
}

/** Lower-case names, the first of each; and what is wrong when one that is acted on stands twice. */
function headOf({ rawHeaders }: IncomingMessage): Head {
  const headers = new Map<string, string>()
  let doubled: Fault | null = null
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!headers.has(name)) headers.set(name, rawHeaders[i + 1]!)
    else if (/^(authorization|content-|host|mcp-|origin|x-agent|stripe-)/.test(name))
      doubled = { code: 'request_ambiguous', message: `The header ${name} stands more than once.` }
  }
  return { headers, doubled }
}

/** The SDK looks at method, media types and its own headers; the body is handed over parsed. */
const requestOf = (incoming: IncomingMessage, headers: ReadonlyMap<string, string>): Request =>
  new Request('http://spendgate/mcp', {
    method: incoming.method!,
    headers: [...headers].filter(([name]) => /^(accept|content-type|mcp-)/.test(name)),
    body: '{}',
  })

async function write(outgoing: ServerResponse, reply: Response): Promise<void> {
  const body = Buffer.from(await reply.arrayBuffer())
  if (outgoing.destroyed) return
  // Whether the connection stays open is between the client and Node.
  reply.headers.delete('connection')
  outgoing.writeHead(reply.status, { ...Object.fromEntries(reply.headers), 'content-length': body.length })
  outgoing.end(body)
}
