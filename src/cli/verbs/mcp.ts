import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { StringDecoder } from 'node:string_decoder'
import { Pool } from 'undici'
import { agentUrl } from '../agent-url.js'
import type { Context } from '../context.js'
import { CliFault, Exit, notFound, usage } from '../exit.js'

interface McpOptions {
  readonly vendor?: string
  readonly keyFile?: string
}

const LINE_CHARS_MAX = 4 * 1024 * 1024
const REPLY_BYTES_MAX = 16 * 1024 * 1024
const WAITING_MAX = 64

/**
 * An MCP server on standard input and output for hosts that only start programs: every line goes to the agent port, and
 * every request is answered, if only with what went wrong. It keeps nothing and decides nothing.
 */
export async function mcp(context: Context, options: McpOptions): Promise<number> {
  const { vendor } = options
  if (vendor !== undefined && !/^[a-z0-9_-]{1,32}$/.test(vendor)) throw usage('--vendor takes the name of a vendor.')
  const bridge = new Bridge(context, keyFrom(context, options), vendor === undefined ? '/mcp' : `/mcp/${vendor}`)
  const waiting = new Set<Promise<void>>()
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    if (line.trim() === '') continue
    const done = bridge.carry(line).finally(() => waiting.delete(done))
    waiting.add(done)
    // The session that later lines belong to has its name from the reply.
    if (bridge.opening) await done
    else if (waiting.size >= WAITING_MAX) await Promise.race(waiting)
    await context.io.out.drained()
  }
  await Promise.all(waiting)
  await bridge.close()
  return Exit.ok
}

function keyFrom({ io }: Context, { keyFile }: McpOptions): string {
  const key = keyFile === undefined ? io.env.SPENDGATE_VAULT_KEY : readKey(resolve(io.cwd, keyFile))
  if (key === undefined || key.trim() === '')
    throw usage('There is no vault key: set SPENDGATE_VAULT_KEY or give --key-file. The command line takes none.')
  if (!/^[\x21-\x7e]+$/.test(key.trim())) throw usage('The vault key has spaces or line breaks inside.')
  return key.trim()
}

function readKey(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw notFound(`There is no file ${file}.`)
    throw new CliFault(Exit.failure, `${file} cannot be read (${code ?? 'unknown fault'}).`, { cause: error })
  }
}

type Id = string | number

/** As much of a message as is needed to carry it and to answer in its place. */
interface Head {
  readonly id: Id | null
  readonly method: string
  /** What Mcp-Name repeats: the tool, prompt or resource. */
  readonly name: string | null
  /** The revision that a message says itself, from 2026-07-28 on. */
  readonly revision: string | null
}

class Bridge {
  /** True until the reply to `initialize` is there. */
  opening = false
  readonly #context: Context
  readonly #key: string
  readonly #origin: string
  readonly #path: string
  readonly #pool: Pool
  #session: string | null = null
  #revision: string | null = null

  constructor(context: Context, key: string, path: string) {
    this.#context = context
    this.#key = key
    this.#origin = agentUrl(context).origin
    this.#path = path
    this.#pool = new Pool(this.#origin)
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  /** Takes one line there and its answer back. Never rejects: what went wrong is the answer. */
  async carry(line: string): Promise<void> {
    const head = headOf(line)
    if (head === null) return this.#answer(failure(null, '', 'The line was no JSON-RPC message.'))
    if (line.length > LINE_CHARS_MAX)
      return this.#answer(failure(head.id, head.method, `A message may have ${LINE_CHARS_MAX} characters.`))
    this.opening = head.method === 'initialize'
    try {
      const reply = await this.#post(line, head)
      if (head.id !== null) this.#answer(reply ?? failure(head.id, head.method, 'spendgate answered nothing.'))
    } catch (error) {
      const words = unreached(this.#origin, error)
      if (head.id === null) this.#context.say(words)
      else this.#answer(failure(head.id, head.method, words))
    } finally {
      if (head.method === 'initialize') this.opening = false
    }
  }

  async #post(line: string, head: Head): Promise<string | null> {
    const revision = head.revision ?? this.#revision
    const { statusCode, headers, body } = await this.#pool.request({
      method: 'POST',
      path: this.#path,
      headers: {
        authorization: `Bearer ${this.#key}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'user-agent': 'spendgate-mcp',
        'mcp-method': head.method,
        ...(head.name === null ? {} : { 'mcp-name': inHeader(head.name) }),
        ...(revision === null ? {} : { 'mcp-protocol-version': revision }),
        ...(this.#session === null || head.revision !== null ? {} : { 'mcp-session-id': this.#session }),
      },
      body: line,
    })
    const { text, reply } = await readReply(body, String(headers['content-type']), (asked) => this.#answer(asked))
    if (head.method === 'initialize' && typeof headers['mcp-session-id'] === 'string') {
      this.#session = headers['mcp-session-id']
      this.#revision = textAt(reply, 'result', 'protocolVersion')
    }
    if (head.id === null) {
      if (statusCode >= 400) this.#context.say(textAt(reply, 'error', 'message') ?? text)
      return null
    }
    // An error of HTTP is for the model to read, too, and may come without the id; bridges that drop it let their client wait for ever.
    if (statusCode < 400 && reply?.id === head.id) return JSON.stringify(reply)
    const words = textAt(reply, 'error', 'message') ?? text.trim().slice(0, 1000)
    return failure(head.id, head.method, words === '' ? `spendgate answered ${statusCode}.` : words)
  }

  #answer(line: string): void {
    this.#context.io.out.write(`${line}\n`)
  }
}

/** What went wrong, as the answer to a request: a call's as a result, which the model reads; anything else's as an error. */
function failure(id: Id | null, method: string, words: string): string {
  if (id !== null && method === 'tools/call')
    return JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: words }], isError: true } })
  return JSON.stringify({ jsonrpc: '2.0', id, error: { code: id === null ? -32700 : -32000, message: words } })
}

type Fields = Readonly<Record<string, unknown>>
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})

function headOf(line: string): Head | null {
  const message = messageIn(line)
  if (message === null) return null
  const { id, method } = message
  const params = fieldsOf(message.params)
  const name = params.name ?? params.uri
  const revision = fieldsOf(params._meta)['io.modelcontextprotocol/protocolVersion']
  // The host's answer to a question of the server's: its id is the server's, and nothing is to be said to it.
  const answers = method === undefined && (message.result !== undefined || message.error !== undefined)
  return {
    id: !answers && (typeof id === 'string' || typeof id === 'number') ? id : null,
    method: typeof method === 'string' && /^[\x21-\x7e]{1,100}$/.test(method) ? method : '',
    name: typeof name === 'string' ? name : null,
    revision: typeof revision === 'string' && /^[\w.-]{1,40}$/.test(revision) ? revision : null,
  }
}

function messageIn(text: string): Fields | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null
  } catch {
    return null // The caller says that it was no message.
  }
}

function textAt(message: Fields | null, part: string, field: string): string | null {
  const value = fieldsOf(message?.[part])[field]
  return typeof value === 'string' ? value : null
}

/** A name as revision 2026-07-28 writes it into a header. */
const inHeader = (name: string): string =>
  /^[\x21-\x7e]{1,200}$/.test(name) ? name : `=?base64?${Buffer.from(name).toString('base64')}?=`

/**
 * A reply to its end. On a stream the server may ask something before it answers; what it asks goes to the host as it
 * comes, because the answer waits for the host's.
 */
async function readReply(
  body: AsyncIterable<Buffer>,
  mediaType: string,
  ask: (message: string) => void,
): Promise<{ readonly text: string; readonly reply: Fields | null }> {
  const decoder = new StringDecoder('utf8')
  const streamed = mediaType.startsWith('text/event-stream')
  let [text, bytes] = ['', 0]
  let reply: Fields | null = null
  const take = (event: string): void => {
    const message = messageIn(event.replace(/^(?!data:).*\n?|^data: ?/gm, ''))
    if (message !== null && typeof message.method === 'string') ask(JSON.stringify(message))
    else reply = message ?? reply
  }
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > REPLY_BYTES_MAX) throw new CliFault(Exit.failure, 'the reply is too long')
    text += decoder.write(chunk)
    for (let end = text.indexOf('\n\n'); streamed && end >= 0; end = text.indexOf('\n\n')) {
      take(text.slice(0, end))
      text = text.slice(end + 2)
    }
  }
  if (streamed && text !== '') take(text)
  return { text, reply: streamed ? reply : messageIn(text) }
}

function unreached(origin: string, error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ECONNREFUSED'
    ? `spendgate does not run at ${origin}, and nothing was sent. Start it with "spendgate serve", or set SPENDGATE_HOST and SPENDGATE_PORT.`
    : `The connection to spendgate at ${origin} failed (${code ?? message}). Whether a call was made is not known: look before repeating it.`
}
