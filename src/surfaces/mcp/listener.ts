import { createMcpHandler, Server, type McpHttpHandler } from '@modelcontextprotocol/server'
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { statusOf } from '../../contracts/call.js'
import type { KeyRecord } from '../../contracts/ledger.js'
import type { Json, JsonObject } from '../../contracts/vendor.js'
import type { Engine } from '../../engine.js'
import type { Fault } from '../../exchange.js'
import { identify } from '../../identify.js'
import { packageVersion } from '../../package-root.js'
import { parseJson } from '../../wire/json.js'
import { readBody } from '../body.js'
import { baseOf, labelsIn, readAuthorization } from '../head.js'
import { MCP_PATH } from './address.js'
import { AgentTools } from './agent-tools.js'
import { clientIn, Elicitations, type Conversation } from './elicitation.js'
import { failed, isObject, type Service, type ToolResult } from './service.js'
import type { Carrier } from './tool-exchange.js'
import { VendorTools } from './vendor-tools.js'

const BODY_BYTES_MAX = 4 * 1024 * 1024
/** A name; `e` and the client's own name where it can put forms before a person; the seal of both. */
const SESSION = /^([0-9a-f]{24})((?:\.e[\w-]{2,88})?)\.(sg_[\w-]{43})$/

export interface McpListener {
  /** @param full why no call is taken at present, or null */
  handle(incoming: IncomingMessage, outgoing: ServerResponse, full: string | null): Promise<void>
  /** No call waits for a person any more. */
  drain(): void
}

/**
 * `/mcp/<vendor>`: the vendor's hosted MCP server, answered here; `/mcp`: spendgate's own tools for agents. Both over
 * Streamable HTTP in every revision from 2025-03-26 to 2026-07-28. Every message carries its key, so nothing is kept
 * between two of them; a session is only a name for a run, and whom to ask at the client, signed so that no other key can
 * take it over. The one stream there is carries the question whether a call is approved, and its answer's consequence.
 *
 * Under a known key a tool call is always answered with HTTP 200: bridges such as @stripe/mcp never answer their own
 * client after an HTTP error (measured, 0.3.3), and the agent would hang.
 */
export function mcpListener(engine: Engine): McpListener {
  // Only vendors with a catalogue have tools of their own; any other is called by execute.
  const vendors = [...engine.vendors.values()]
    .filter(({ vendor }) => vendor.bindings === undefined)
    .map((runtime) => new VendorTools(runtime, engine))
  const elicitations = new Elicitations(engine)
  const served = new Map(
    [...vendors, new AgentTools(engine)].map((service) => [
      service.vendor,
      { service, handler: handlerFor(service, elicitations) },
    ]),
  )

  async function answer(
    incoming: IncomingMessage,
    { headers, doubled }: Head,
    message: Message,
    full: string | null,
  ): Promise<Response | Asking> {
    const [, pathRun = null, vendor = ''] = MCP_PATH.exec(incoming.url ?? '')!
    const at = served.get(vendor)
    if (at === undefined) return plain(404, `There is no vendor ${vendor} here.`)
    const authorization = readAuthorization(headers.get('authorization'))
    const caller = identify(authorization, engine)
    const named = caller.key && sessionIn(headers.get('mcp-session-id'), caller.key.rootId, engine)
    const session = named === 'foreign' ? null : named
    const carrier: Carrier = {
      authorization,
      labels: [
        ...labelsIn(headers, pathRun),
        ...(session === null ? [] : [{ source: 'session' as const, run: `mcp_${session.name}` }]),
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
    const fault = doubled ?? (named === 'foreign' ? FOREIGN_SESSION : (message.fault ?? mirrorFault(message, headers)))
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

    const from = session === null ? null : session.name
    if (message.answer !== null) {
      const taken = elicitations.answered(message.id!, message.answer, caller.key.id, from)
      return taken ? new Response(null, { status: 202 }) : plain(400, 'Nothing of this key and session waits for that.')
    }
    if (message.method === 'notifications/cancelled') elicitations.cancelled(message.about, caller.key.id, from)

    const ran: Ran = { result: null, again: null }
    const reply = await at.handler.fetch(requestOf(incoming, headers), {
      parsedBody: message.value,
      // The SDK hands this through to the factory untouched; it is how a tool learns who calls.
      authInfo: { token: '', clientId: caller.key.id, scopes: [], extra: { key: caller.key, carrier, ran } },
    })
    if (message.method === 'initialize' && reply.ok) return withSession(reply, message, caller.key.rootId, engine)
    if (message.method !== 'tools/call' || message.id === undefined) return reply
    // Its answer may be a stream that began before the tool ran.
    const text = await reply.text()
    if (ran.result !== null && ran.again !== null && session?.client != null) {
      const question = await elicitations.questionFor(ran.result, caller.key, session.client)
      const conversation = question && elicitations.open(question, session.name, message.id, ran.again)
      if (conversation !== null) return { conversation, callId: message.id, refusal: ran.result }
    }
    if (ran.result !== null) return marked(new Response(text, reply), ran.result)
    // The SDK would not take it (a name that is no text, headers of its revision missing); it stays a tool call.
    const result = await at.service.unreadable(carrier, { code: 'request_malformed', message: saidIn(text) })
    return marked(rpc(message.id, result), result)
  }

  return {
    handle: async (incoming, outgoing, full) => {
      let message = NOTHING
      try {
        const head = headOf(incoming)
        const body = await readBody(incoming, head.headers, BODY_BYTES_MAX, (work) => work())
        message = Buffer.isBuffer(body) ? read(body) : { ...NOTHING, fault: body }
        const reply = await answer(incoming, head, message, full)
        await (reply instanceof Response ? write(outgoing, reply) : converse(outgoing, reply))
      } catch (cause) {
        engine.log('error', 'mcp_fault', { message: (cause as Error).message, stack: (cause as Error).stack })
        engine.metrics.count('spendgate_faults_total', 'kind="internal"')
        if (!outgoing.headersSent) await write(outgoing, refused(message, INTERNAL))
        else if (!outgoing.destroyed)
          outgoing.end(eventOf(resultFor(message.id!, failed(`${INTERNAL.code}: ${INTERNAL.message}`))))
      }
    },
    drain: () => elicitations.close(),
  }
}

/** What a tool answered in the course of one request; null when none was asked. */
interface Ran {
  result: Pick<ToolResult, '_meta'> | null
  /** Makes the very same call again; null where the client is asked by results instead. */
  again: (() => Promise<ToolResult>) | null
}

function handlerFor(service: Service, elicitations: Elicitations): McpHttpHandler {
  return createMcpHandler((context) => {
    const { key, carrier, ran } = context.authInfo!.extra as unknown as {
      readonly key: KeyRecord
      readonly carrier: Carrier
      readonly ran: Ran
    }
    const server = new Server(
      { name: service.name, version: packageVersion() },
      {
        capabilities: { tools: {} },
        instructions: service.instructions,
        requestState: { verify: (state, round) => elicitations.verify(state, round) },
      },
    )
    server.setRequestHandler('tools/list', () => ({ tools: service.listed as never }))
    server.setRequestHandler('tools/call', async ({ params }, round) => {
      const [name, args] = [params.name, (params.arguments ?? {}) as JsonObject]
      const call = (): Promise<ToolResult> => service.call(name, args, carrier)
      const unreadable = (fault: Fault): Promise<ToolResult> => service.unreadable(carrier, fault)
      if (context.era === 'legacy') ran.again = call
      ran.result =
        context.era === 'legacy'
          ? await call()
          : await elicitations.inRounds({ service: service.name, name, args }, key, round, call, unreadable)
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
  /** The call that a notification is about. */
  readonly about: Json | undefined
  /** Itself, when it answers a request of ours. */
  readonly answer: JsonObject | null
  /** What `initialize` says of the client. */
  readonly client: string | null
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

function partsOf(value: Json | undefined): Omit<Message, 'value' | 'fault'> {
  const { id, method, params, result, error } = isObject(value) ? value : {}
  const said = isObject(params) ? params : {}
  const known = typeof id === 'string' || typeof id === 'number'
  const answers = known && method === undefined && (result !== undefined || error !== undefined)
  return {
    id: known ? id : undefined,
    method: typeof method === 'string' ? method : undefined,
    name: said.name,
    about: said.requestId,
    answer: answers ? (value as JsonObject) : null,
    client: method === 'initialize' ? clientIn(said.capabilities, said.clientInfo) : null,
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
const NOTHING: Message = { ...partsOf(undefined), value: null, fault: null }
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

interface Session {
  readonly name: string
  /** The name of a client that can put forms before a person; null for any other. */
  readonly client: string | null
}

/** The session this key was given, null without one, `foreign` for any other. */
function sessionIn(text: string | undefined, root: string, engine: Engine): Session | 'foreign' | null {
  if (text === undefined) return null
  const [, name = '', client = '', given] = SESSION.exec(text) ?? []
  if (given === undefined || seal(name + client, root, engine) !== given) return 'foreign'
  return { name, client: client === '' ? null : Buffer.from(client.slice(2), 'base64url').toString('utf8') }
}
const seal = (said: string, root: string, engine: Engine): string => engine.namespace(`mcp-session/${root}`, said)

function withSession(reply: Response, { client }: Message, root: string, engine: Engine): Response {
  const name = randomBytes(12).toString('hex')
  const said = client === null ? name : `${name}.e${Buffer.from(client).toString('base64url')}`
  reply.headers.set('mcp-session-id', `${said}.${seal(said, root, engine)}`)
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
const resultFor = (id: string | number, result: unknown): object => ({ jsonrpc: '2.0', id, result })
const rpc = (id: string | number, result: unknown): Response =>
  new Response(JSON.stringify(resultFor(id, result)), { status: 200, headers: JSON_TYPE })

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
function marked(reply: Response, { _meta = {} }: Pick<ToolResult, '_meta'>): Response {
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

/** A call that was refused for want of an approval, while its client's person is asked for one. */
interface Asking {
  readonly conversation: Conversation
  readonly callId: string | number
  readonly refusal: Pick<ToolResult, '_meta'>
}

/** The question at once, the call's answer when there is one; the marks in the head are those of the refusal. */
async function converse(outgoing: ServerResponse, { conversation, callId, refusal }: Asking): Promise<void> {
  const gone = new AbortController()
  outgoing.once('close', () => gone.abort())
  if (outgoing.destroyed) gone.abort()
  else {
    const { headers } = marked(new Response(null, { headers: STREAM_TYPE }), refusal)
    outgoing.writeHead(200, Object.fromEntries(headers))
    outgoing.write(eventOf(conversation.message))
  }
  const result = await conversation.outcome(gone.signal)
  if (!outgoing.destroyed) outgoing.end(eventOf(resultFor(callId, result)))
}

const STREAM_TYPE = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' }
const eventOf = (message: object): string => `event: message\ndata: ${JSON.stringify(message)}\n\n`
