import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Stands where spendgate should be: takes what comes, answers as little as keeps a server going, and knows no key. */
export class Sentinel {
  readonly #server: Server
  /** `POST /mcp/stripe`, in the order they came. */
  readonly seen: string[] = []

  private constructor() {
    this.#server = createServer((request, reply) => void this.#answer(request, reply))
  }

  static async start(): Promise<Sentinel> {
    const sentinel = new Sentinel()
    await new Promise<void>((resolve, reject) => {
      sentinel.#server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    return sentinel
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  async #answer(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').replace(/\?.*$/s, '')
    this.seen.push(`${request.method} ${path}`)
    const body = await textOf(request).catch(() => null)
    if (body === null) return void reply.destroy()
    const send = (status: number, value: unknown): void => {
      reply.writeHead(status, { 'content-type': 'application/json' })
      reply.end(value === undefined ? '' : JSON.stringify(value))
    }
    if (!/^\/mcp\//.test(path)) return send(200, EMPTY)
    if (request.method !== 'POST') return send(405, {})
    const message = callIn(body)
    if (message.id === undefined) return send(202, undefined)
    const result = RESULTS[message.method ?? '']
    send(200, {
      jsonrpc: '2.0',
      id: message.id,
      ...(result === undefined ? { error: { code: -32601, message: 'There is no such method here.' } } : { result }),
    })
  }
}

/** A list without rows in the shape of all three vendors. */
const EMPTY = { object: 'list', data: [], has_more: false, accounts: [], available: [], pending: [] }
const TOOL = { name: 'get_stripe_account_info', description: 'Reads the account.', inputSchema: { type: 'object' } }
const RESULTS: Readonly<Record<string, unknown>> = {
  initialize: {
    protocolVersion: '2025-06-18',
    capabilities: { tools: {} },
    serverInfo: { name: 'spendgate-doctor', version: '1' },
  },
  'tools/list': { tools: [TOOL] },
  'tools/call': { content: [{ type: 'text', text: '{}' }] },
  ping: {},
}

const BODY_BYTES_MAX = 1024 * 1024
async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) {
    text += chunk as string
    if (text.length > BODY_BYTES_MAX) throw new Error('the body is too large')
  }
  return text
}

function callIn(body: string): { readonly id?: string | number; readonly method?: string } {
  try {
    const value = JSON.parse(body) as unknown
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {} // No JSON-RPC, so there is nothing to answer.
  }
}
