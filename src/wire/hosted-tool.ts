import { StringDecoder } from 'node:string_decoder'
import { z } from 'zod'
import type { Clock } from '../contracts/clock.js'
import type { Json, JsonObject } from '../contracts/vendor.js'
import { packageVersion } from '../package-root.js'
import type { Upstream, UpstreamFault, UpstreamReply, UpstreamRequest, Withheld } from './upstream.js'

/** All requests of one call together. Clients of ours give up after 60 s. */
const WHOLE_MS_MAX = 30_000
const REPLY_BYTES_MAX = 1024 * 1024
const RESULT_BYTES_MAX = 512 * 1024
const BLOCKS_MAX = 100
/** Longer sentences are left out: cut short, part of an echoed credential would no longer be found in them. */
const SENTENCE_CHARS_MAX = 300
/** The revision we ask for; the server answers with the one it speaks. */
const REVISION = '2025-06-18'
const GREETING = 1
const CALL = 2

/**
 * Runs one tool at a vendor's hosted MCP server (Streamable HTTP, revisions 2025-03-26 to 2025-11-25): says hello, and
 * asks for the tool in the session that the server may have begun. No session is kept. Each answer may be JSON or a
 * stream of events; what the server asks of its client meanwhile stays unanswered.
 *
 * The reply's body is the tool's result. A server that refuses, or answers with what is no result, makes a result of it
 * that says so (`isError`).
 *
 * @param request its body is the arguments; target and protocol headers are set here
 * @param gate asked before every request of the call
 */
export async function callHostedTool<T>(
  tool: string,
  request: UpstreamRequest,
  gate: () => T | null,
  { upstream, clock }: { readonly upstream: Upstream; readonly clock: Clock },
): Promise<UpstreamReply | UpstreamFault | Withheld<T>> {
  const startedAt = clock.monotonic()
  const post = async (id: number | null, message: string, protocol: readonly string[] = []) => {
    const leftMs = Math.max(1, Math.ceil(startedAt + WHOLE_MS_MAX - clock.monotonic()))
    const headers = [...request.headers, 'accept', 'application/json, text/event-stream', ...protocol]
    const posted: UpstreamRequest = {
      ...request,
      target: '/',
      headers: headers.includes('content-type') ? headers : [...headers, 'content-type', 'application/json'],
      body: message,
    }
    const result = await upstream.send(posted, gate, leftMs, {
      bytesMax: REPLY_BYTES_MAX,
      enough: untilAnswer(id),
    })
    return result.kind === 'withheld' ? result : { ...result, ms: Math.round(clock.monotonic() - startedAt) }
  }

  const hello = await post(GREETING, greeting())
  if (hello.kind !== 'reply') return hello
  const welcome = answerIn(hello, GREETING)
  if ('fault' in welcome) return replyOf(hello, failure(welcome.fault))
  const protocol = protocolOf(hello, welcome.result)
  const ready = await post(null, '{"jsonrpc":"2.0","method":"notifications/initialized"}', protocol)
  if (ready.kind !== 'reply') return ready
  // The arguments as they were judged: their text is not written anew.
  const params = `{"name":${JSON.stringify(tool)},"arguments":${String(request.body ?? '{}')}}`
  const called = await post(CALL, `{"jsonrpc":"2.0","id":${CALL},"method":"tools/call","params":${params}}`, protocol)
  if (called.kind !== 'reply') return called
  const answer = answerIn(called, CALL)
  return replyOf(called, 'fault' in answer ? failure(answer.fault) : resultIn(answer.result))
}

const greeting = (): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id: GREETING,
    method: 'initialize',
    params: {
      protocolVersion: REVISION,
      capabilities: {},
      clientInfo: { name: 'spendgate', version: packageVersion() },
    },
  })

/** What every further request carries: the revision agreed on, and the session if there is one. */
function protocolOf(hello: UpstreamReply, welcome: Json): string[] {
  const agreed = z.looseObject({ protocolVersion: z.string().regex(/^\d{4}-\d\d-\d\d$/) }).safeParse(welcome)
  const session = headerIn(hello, 'mcp-session-id')
  return [
    'mcp-protocol-version',
    agreed.success ? agreed.data.protocolVersion : REVISION,
    ...(session !== undefined && /^[\x21-\x7e]{1,256}$/.test(session) ? ['mcp-session-id', session] : []),
  ]
}

type Answer = { readonly result: Json } | { readonly fault: string }

/** The server's answer to the message with this id. */
function answerIn(reply: UpstreamReply, id: number): Answer {
  if (!['', 'identity'].includes(headerIn(reply, 'content-encoding') ?? ''))
    return { fault: `${SERVER} answered with an encoded body, which is not passed on.` }
  const text = reply.body.toString('utf8')
  const messages = isStream(reply.headers) ? new Events().read(`${text}\n\n`) : [text]
  const parsed = messages.flatMap(messageIn)
  const answer = parsed.find((message) => isAnswer(message, id))
  const said = sentenceOf(answer?.error ?? parsed[0]?.error)
  if (reply.status < 200 || reply.status > 299) return { fault: `${SERVER} answered ${reply.status}${said}` }
  if (answer === undefined) return { fault: `${SERVER} answered with something that is no answer to this call.` }
  return answer.result === undefined
    ? { fault: `${SERVER} refused the call${said}` }
    : { result: answer.result as Json }
}

const SERVER = 'The MCP server of the vendor'

const ERROR = z.looseObject({ message: z.string().min(1).max(SENTENCE_CHARS_MAX) })

function sentenceOf(error: unknown): string {
  const said = ERROR.safeParse(error)
  return said.success ? `: ${said.data.message}` : '.'
}

const MESSAGE = z.object({ id: z.unknown(), result: z.unknown(), error: z.unknown() }).partial()
type Message = z.infer<typeof MESSAGE>

const isAnswer = (message: Message, id: number): boolean =>
  message.id === id && (message.result ?? message.error) !== undefined

/** One message, or none where the text is no JSON object. */
function messageIn(text: string): Message[] {
  try {
    const parsed = MESSAGE.safeParse(JSON.parse(text))
    return parsed.success ? [parsed.data] : []
  } catch {
    return [] // Not JSON: no message of the protocol.
  }
}

const RESULT = z.looseObject({
  content: z
    .array(
      z.looseObject({
        type: z.string(),
        text: z.string().optional(),
        uri: z.string().optional(),
        resource: z.looseObject({ text: z.string().optional(), uri: z.string().optional() }).optional(),
      }),
    )
    .max(BLOCKS_MAX),
  structuredContent: z.record(z.string(), z.json()).optional(),
  isError: z.boolean().optional(),
})

/** Text, and what can be shown as text; pictures and sounds are left out. */
function resultIn(result: Json): JsonObject {
  const parsed = RESULT.safeParse(result)
  if (!parsed.success) return failure(`${SERVER} answered with something that is no tool's result.`)
  const { content, structuredContent, isError } = parsed.data
  return {
    content: content.map(({ type, text, uri, resource }) => ({
      type: 'text',
      text: text ?? resource?.text ?? uri ?? resource?.uri ?? `[${type} left out]`,
    })),
    ...(structuredContent !== undefined && { structuredContent: structuredContent as JsonObject }),
    ...(isError === true && { isError }),
  }
}

const failure = (sentence: string): JsonObject => ({ content: [{ type: 'text', text: sentence }], isError: true })

function replyOf(reply: UpstreamReply, result: JsonObject): UpstreamReply {
  const body = Buffer.from(JSON.stringify(result))
  const requestId = headerIn(reply, 'request-id')
  return {
    ...reply,
    headers: ['content-type', 'application/json', ...(requestId === undefined ? [] : ['request-id', requestId])],
    body: body.length <= RESULT_BYTES_MAX ? body : Buffer.from(JSON.stringify(failure(TOO_LARGE))),
  }
}

const TOO_LARGE = `${SERVER} answered with more than ${RESULT_BYTES_MAX / 1024} KiB, which is not passed on. Ask for less.`

function headerIn({ headers }: UpstreamReply, name: string): string | undefined {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]
  return undefined
}

const isStream = (headers: readonly string[]): boolean =>
  headers.some((name, i) => i % 2 === 0 && name === 'content-type' && headers[i + 1]!.startsWith('text/event-stream'))

/** A server may leave the stream open after its answer; nobody waits for its end. What answers no id is not waited for at all. */
function untilAnswer(id: number | null): (piece: Buffer, headers: readonly string[]) => boolean {
  if (id === null) return () => true
  const decoder = new StringDecoder('utf8')
  const events = new Events()
  return (piece, headers) =>
    isStream(headers) &&
    events
      .read(decoder.write(piece))
      .flatMap(messageIn)
      .some((message) => isAnswer(message, id))
}

/** Reads a stream of events (HTML, section 9.2.6) piece by piece. Only their data is of interest. */
class Events {
  #line: string[] = []
  #data: string[] = []

  /** The data of the events that end in this piece. */
  read(piece: string): string[] {
    const ended: string[] = []
    const lines = piece.split('\n')
    for (const [i, part] of lines.entries()) {
      this.#line.push(part)
      if (i === lines.length - 1) break
      const line = this.#line.join('').replace(/\r$/, '')
      this.#line = []
      if (line.startsWith('data:')) this.#data.push(line.slice('data:'.length).replace(/^ /, ''))
      else if (line === '' && this.#data.length > 0) {
        ended.push(this.#data.join('\n'))
        this.#data = []
      }
    }
    return ended
  }
}
