import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Terminal } from '../cli/terminal.js'
import { clientFile, installClients } from '../helpers/clients.js'
import { REAL, type World } from '../helpers/world.js'
import { MINUTE, startWorld, travel } from '../pipeline/given.js'

/*
 * The configuration of Janee's README, taken over by the command and driven by the official MCP client with the arguments
 * Janee's agents send. What passed there by its rules passes here; where Janee 0.16.0 was seen to fail, this holds.
 */

const missing = installClients()
if (missing !== null) console.log(`Skipped: Janee's configuration driven by an MCP client. ${missing}`)

const GITHUB = 'ghp_CANARYgithub0123456789abcdefghijkl'

interface Seen {
  readonly line: string
  readonly authorization: string | undefined
  readonly type: string | undefined
  readonly accept: string | undefined
  readonly body: string
}
/** Something like GitHub that shows everything it was sent, in body and headers. */
class Mirror {
  readonly seen: Seen[] = []
  readonly #server: Server = createServer((request, response) => {
    void read(request).then((body) => {
      const { authorization, accept, 'content-type': type } = request.headers
      this.seen.push({ line: `${request.method} ${request.url}`, authorization, type, accept, body })
      response.setHeader('content-type', 'application/json')
      response.setHeader('x-request-id', `echo ${authorization}`)
      response.setHeader('etag', String(authorization))
      response.end(JSON.stringify({ path: request.url, sent: request.headers }))
    })
  })
  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
  }
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }
  close(): void {
    this.#server.close()
  }
}
async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

interface Given {
  readonly id: string
  readonly key: string
  readonly name: string
}
interface Result {
  readonly isError?: boolean
  readonly content: readonly { readonly text: string }[]
  readonly structuredContent?: any
}
interface Client {
  callTool(call: { readonly name: string; readonly arguments: object }): Promise<Result>
  listTools(): Promise<{ readonly tools: readonly { readonly name: string }[] }>
  close(): Promise<void>
}

describe.skipIf(missing !== null)("Janee's configuration here", () => {
  const mirror = new Mirror()
  let world: World
  let terminal: Terminal
  let keys: ReadonlyMap<string, Given>
  let sent: number

  beforeAll(async () => {
    await mirror.open()
    world = await startWorld({ SPENDGATE_ALLOW_PRIVATE_UPSTREAMS: '127.0.0.1' })
    terminal = new Terminal({ SPENDGATE_URL: world.server.adminUrl, SPENDGATE_ADMIN_TOKEN: REAL.admin })
    const text = readFileSync(new URL('../../fixtures/clients/janee/readme.yaml', import.meta.url), 'utf8')
      .replace('sk_live_xxx', REAL.stripe)
      .replace('ghp_xxx', GITHUB)
      .replace('https://api.github.com', mirror.origin)
    writeFileSync(join(terminal.dir, 'config.yaml'), text)
    const { exit, err, json } = await terminal.run('import', 'janee', 'config.yaml', '--keys', '--json')
    expect(exit, err).toBe(0)
    keys = new Map(json.keys.map((key: Given) => [key.name, key]))
  })
  afterAll(async () => {
    terminal.close()
    await world.close()
    mirror.close()
  })
  beforeEach(() => {
    sent = world.stripe.requests.length
  })
  const atStripe = (): string[] => world.stripe.requests.slice(sent).map(({ method, path }) => `${method} ${path}`)

  /** What an agent of Janee's would have been connected as, once a capability. */
  async function agent(capability: string, key = keys.get(capability)!.key): Promise<Client> {
    const { Client } = await import(clientFile('@modelcontextprotocol/sdk/dist/esm/client/index.js'))
    const { StreamableHTTPClientTransport } = await import(
      clientFile('@modelcontextprotocol/sdk/dist/esm/client/streamableHttp.js')
    )
    const client = new Client({ name: 'agent-a', version: '1' })
    const headers = { authorization: `Bearer ${key}` }
    await client.connect(new StreamableHTTPClientTransport(new URL(`${world.url}/mcp`), { requestInit: { headers } }))
    return client as Client
  }
  const execute = async (capability: string, method: string, path: string, more: object = {}): Promise<Result> => {
    const client = await agent(capability)
    const result = await client.callTool({ name: 'execute', arguments: { capability, method, path, ...more } })
    await client.close()
    return result
  }
  const said = ({ content }: Result): string => content[0]!.text

  test('list_services says what a capability may, and that it wants a reason', async () => {
    const client = await agent('stripe_billing')
    const { structuredContent } = await client.callTool({ name: 'list_services', arguments: {} })
    expect(structuredContent.services).toEqual([
      expect.objectContaining({
        service: 'stripe',
        reason_required: true,
        endpoints: [
          expect.objectContaining({
            allow: ['GET /*', 'POST /v1/refunds/*', 'POST /v1/invoices/*'],
            deny: ['POST /v1/charges/*', 'DELETE /*'],
          }),
        ],
      }),
    ])
    await client.close()
  })

  test.each([
    ['stripe', 'GET', '/v1/balance', {}],
    ['stripe', 'get', 'v1/balance', {}],
    ['stripe_readonly', 'GET', '/v1/charges?limit=3', { headers: { 'Content-Type': 'application/json' } }],
    ['stripe_sensitive', 'GET', '/v1/balance', { reason: 'User asked for account balance' }],
    ['stripe_billing', 'GET', '/v1/customers', { reason: 'looking a customer up' }],
  ])('what its rules allow passes: %s %s %s', async (capability, method, path, more) => {
    const result = await execute(capability, method, path, more)
    expect(result.isError, said(result)).toBeUndefined()
    expect(result.structuredContent).toMatchObject({ status: 200, decision: 'allow' })
    expect(atStripe()).toHaveLength(1)
  })

  test('a refund by a capability without rules passes, as a form, and counts', async () => {
    const body = 'charge=ch_A&amount=250'
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    const result = await execute('stripe', 'POST', '/v1/refunds', { body, headers, reason: 'broken on arrival' })
    expect(result.structuredContent?.reply, said(result)).toMatchObject({ object: 'refund', amount: 250 })
    const [row] = await world.calls(`&key=${keys.get('stripe')!.id}`)
    expect(row).toMatchObject({ settled_usd: '2.50', reason: 'broken on arrival', surface: 'mcp' })
  })

  test.each([
    ['a climbing path', 'POST', '/v1/refunds/../charges', 'request_malformed'],
    ['one that is encoded', 'POST', '/v1/refunds/%2e%2e/charges', 'request_malformed'],
    ['one without its first slash', 'POST', 'v1/refunds/../charges', 'request_malformed'],
    ['another address altogether', 'GET', 'https://evil.example/v1/balance', 'request_malformed'],
    ['another host by slashes', 'GET', '//evil.example/v1/balance', 'request_malformed'],
    ['what is denied', 'POST', '/v1/charges/ch_A/capture', 'operation_not_allowed'],
    ['what is denied, without its first slash', 'POST', 'v1/charges/ch_A/capture', 'operation_not_allowed'],
    ['what is denied, with a slash at the end', 'POST', '/v1/charges/ch_A/capture/', 'request_malformed'],
    ['a denied method', 'DELETE', '/v1/customers/cus_A', 'operation_not_allowed'],
    ['what no rule names', 'POST', '/v1/payouts', 'operation_not_allowed'],
    ['the folder itself', 'POST', '/v1/refunds', 'operation_not_allowed'],
  ])('%s is refused before anything leaves: %s %s', async (_, method, path, code) => {
    const before = (await world.calls(`&key=${keys.get('stripe_billing')!.id}`)).length
    const result = await execute('stripe_billing', method, path, { reason: 'because' })
    expect(result.isError).toBe(true)
    expect(said(result)).toMatch(new RegExp(`^${code}: `))
    expect(atStripe()).toEqual([])
    const rows = await world.calls(`&key=${keys.get('stripe_billing')!.id}`)
    expect(rows).toHaveLength(before + 1)
    expect(rows[0]).toMatchObject({ state: 'denied', reason: 'because', decision: { code } })
  })

  test('a call without its reason is refused, and with one it is in the record', async () => {
    for (const more of [{}, { reason: '' }, { reason: '  ' }])
      expect(said(await execute('stripe_sensitive', 'GET', '/v1/balance', more))).toMatch(/^reason_required: /)
    expect(atStripe()).toEqual([])
    await execute('stripe_sensitive', 'GET', '/v1/balance', { reason: 'month end' })
    const rows = await world.calls(`&key=${keys.get('stripe_sensitive')!.id}`)
    expect(rows.slice(0, 2).map((row) => [row.state, row.reason, row.decision.code])).toEqual([
      ['settled', 'month end', null],
      ['denied', '  ', 'reason_required'],
    ])
    expect(await explained('stripe_sensitive', rows[1].id)).toContain('reason_required')
  })
  async function explained(capability: string, id: string): Promise<string> {
    const client = await agent(capability)
    const { structuredContent } = await client.callTool({ name: 'explain', arguments: { id } })
    await client.close()
    return structuredContent.explanation
  }

  test('the name of another capability opens nothing', async () => {
    const client = await agent('stripe_readonly')
    const call = { capability: 'stripe_sensitive', method: 'GET', path: '/v1/balance', reason: 'because' }
    expect(said(await client.callTool({ name: 'execute', arguments: call }))).toMatch(/^vendor_not_granted: /)
    // The service by its own name is there, under the rules of the key.
    const write = { capability: 'stripe', method: 'POST', path: '/v1/refunds', body: 'charge=ch_A' }
    expect(said(await client.callTool({ name: 'execute', arguments: write }))).toMatch(/^operation_not_allowed: /)
    expect(atStripe()).toEqual([])
    await client.close()
  })

  test('another API passes with its JSON, and what it echoes shows no key', async () => {
    const listed = await agent('github')
    const { structuredContent: services } = await listed.callTool({ name: 'list_services', arguments: {} })
    expect(services.services.map(({ service }: { service: string }) => service)).toEqual(['github'])
    const before = mirror.seen.length
    const body = '{"title":"Found a bug","labels":["bug"]}'
    const result = await execute('github', 'POST', '/repos/a/b/issues', { body, reason: 'reported by a user' })
    expect(result.structuredContent, said(result)).toMatchObject({ status: 200, decision: 'allow' })
    const read = await execute('github', 'GET', '/user?per_page=1')
    expect(read.structuredContent?.reply, said(read)).toMatchObject({ path: '/user?per_page=1' })
    expect(mirror.seen.slice(before).map(({ line, authorization, body }) => [line, authorization, body])).toEqual([
      ['POST /repos/a/b/issues', `Bearer ${GITHUB}`, body],
      ['GET /user?per_page=1', `Bearer ${GITHUB}`, ''],
    ])
    expect(result.structuredContent.reply.sent.authorization).toContain('[redacted]')
    for (const leaked of [GITHUB, Buffer.from(GITHUB).toString('base64')])
      expect(JSON.stringify([result, read])).not.toContain(leaked)
    const [, write] = await world.calls(`&key=${keys.get('github')!.id}`)
    expect(write).toMatchObject({ vendor: 'github', settled_usd: '0.00', reason: 'reported by a user' })
    await listed.close()
  })

  const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' }
  test.each<[string, string, string, object, Partial<Seen>]>([
    ['a body that is called a form', 'POST', '/a', { body: 'b=1&c=x+y', headers: FORM }, { body: 'b=1&c=x%20y' }],
    [
      'parameters of a write, as JSON',
      'PATCH',
      '/a',
      { params: { b: [1, { c: null }] } },
      { body: '{"b":[1,{"c":null}]}' },
    ],
    ['parameters of a read, as its query', 'GET', '/a', { params: { b: 'x y' } }, { line: 'GET /a?b=x%20y', body: '' }],
    ['a query of a write', 'POST', '/a?b=1', {}, { line: 'POST /a?b=1', body: '' }],
    ['a habit of naming JSON', 'GET', '/a', { headers: { 'content-type': 'application/json' } }, { body: '' }],
    ['a fraction in a text', 'POST', '/a', { body: '{"temperature":0.7}' }, { body: '{"temperature":0.7}' }],
    ['what kind of answer is wanted', 'GET', '/a', { headers: { Accept: 'text/plain' } }, { accept: 'text/plain' }],
  ])('takes %s', async (_, method, path, more, seen) => {
    const result = await execute('github', method, path, more)
    expect(result.isError, said(result)).toBeUndefined()
    expect(mirror.seen.at(-1)).toMatchObject(seen)
    const type = mirror.seen.at(-1)!.type
    expect(type?.split(';')[0]).toBe(
      seen.body === '' || seen.body === undefined
        ? undefined
        : seen.body.startsWith('{')
          ? 'application/json'
          : 'application/x-www-form-urlencoded',
    )
  })

  test.each<[string, string, string, object, string]>([
    ['query and body', 'POST', '/a?b=1', { body: '{"b":2}' }, 'request_ambiguous'],
    ['query and parameters of a write', 'POST', '/a?b=1', { params: { b: 2 } }, 'request_ambiguous'],
    ['one name twice in a read', 'GET', '/a?b=1', { params: { b: 2 } }, 'request_ambiguous'],
    ['one name twice in JSON', 'POST', '/a', { body: '{"b":1,"b":2}' }, 'request_ambiguous'],
    ['a body of a read', 'GET', '/a', { body: '{"b":1}' }, 'request_ambiguous'],
    ['text that is no JSON', 'POST', '/a', { body: 'hello' }, 'request_malformed'],
    [
      'a media type nobody reads here',
      'POST',
      '/a',
      { body: '<a/>', headers: { 'content-type': 'text/xml' } },
      'request_ambiguous',
    ],
    ['a key of its own', 'GET', '/a', { headers: { Authorization: 'Bearer x' } }, 'request_malformed'],
  ])('refuses %s', async (_, method, path, more, code) => {
    const before = mirror.seen.length
    expect(said(await execute('github', method, path, more))).toMatch(new RegExp(`^${code}: `))
    expect(mirror.seen).toHaveLength(before)
  })

  test.each(['/repos/../user', '/repos/%2e%2e/user', '//user', 'https://evil.example/user'])(
    'and %s does not reach it',
    async (path) => {
      const before = mirror.seen.length
      expect(said(await execute('github', 'GET', path))).toMatch(/^request_malformed: /)
      expect(mirror.seen).toHaveLength(before)
    },
  )

  test('a key that is revoked makes no further call, from a client that was connected before', async () => {
    const client = await agent('stripe')
    const call = { name: 'execute', arguments: { capability: 'stripe', method: 'GET', path: '/v1/balance' } }
    expect((await client.callTool(call)).isError).toBeUndefined()
    await world.must('POST', `/keys/${keys.get('stripe')!.id}/revoke`)
    expect(said(await client.callTool(call))).toMatch(/^key_revoked: /)
    expect(atStripe()).toEqual(['GET /v1/balance'])
    await client.close()
  })

  test('a key ends when its time is over, for who was connected and for who comes', async () => {
    const client = await agent('stripe_billing')
    travel(world, 16 * MINUTE)
    const call = { capability: 'stripe_billing', method: 'GET', path: '/v1/balance', reason: 'late' }
    expect(said(await client.callTool({ name: 'execute', arguments: call }))).toMatch(/^key_expired: /)
    await expect(agent('stripe_billing')).rejects.toThrow(/key_expired: /)
    expect((await execute('stripe_readonly', 'GET', '/v1/balance')).isError).toBeUndefined()
    expect(atStripe()).toEqual(['GET /v1/balance'])
    expect(await world.verified()).toEqual([])
    await client.close()
  })

  test('nothing that is kept shows a real key', () => {
    const files = world.files().toString('latin1')
    for (const secret of [REAL.stripe, GITHUB]) expect(files).not.toContain(secret)
  })
})
