import { clientFile } from '../helpers/clients.js'

export interface Called {
  readonly error: boolean
  readonly text: string
  readonly ms: number
}

/** A real MCP client on a real server process: the official SDK over stdio, which passes on no more of the environment than desktop programs do. */
export interface StdioClient {
  readonly tools: readonly string[]
  call(name: string, args: Record<string, unknown>): Promise<Called>
  close(): Promise<void>
}

const CALL_MS_MAX = 5_000

export async function connect(server: {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
}): Promise<StdioClient> {
  const { Client } = await import(clientFile('@modelcontextprotocol/sdk/dist/esm/client/index.js'))
  const { StdioClientTransport } = await import(clientFile('@modelcontextprotocol/sdk/dist/esm/client/stdio.js'))
  const transport = new StdioClientTransport({ ...server, stderr: 'ignore' })
  return opened(new Client({ name: 'spendgate-test', version: '1' }), transport)
}

/** The same over Streamable HTTP, without any server process. */
export async function connectHttp(url: string, headers: Readonly<Record<string, string>>): Promise<StdioClient> {
  const { Client } = await import(clientFile('@modelcontextprotocol/sdk/dist/esm/client/index.js'))
  const { StreamableHTTPClientTransport } = await import(
    clientFile('@modelcontextprotocol/sdk/dist/esm/client/streamableHttp.js')
  )
  return opened(
    new Client({ name: 'spendgate-test', version: '1' }),
    new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }),
  )
}

async function opened(client: any, transport: any): Promise<StdioClient> {
  await client.connect(transport)
  const { tools } = await client.listTools()
  return {
    tools: tools.map((tool: { name: string }) => tool.name),
    async call(name, args) {
      const from = performance.now()
      const reply = await client
        .callTool({ name, arguments: args }, undefined, { timeout: CALL_MS_MAX })
        .catch((error: Error) => ({ isError: true, content: [{ type: 'text', text: error.message }] }))
      const text = reply.content.map((part: { text?: string }) => part.text ?? '').join('\n')
      return { error: reply.isError === true, text, ms: performance.now() - from }
    },
    close: () => client.close(),
  }
}
