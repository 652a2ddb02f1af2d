import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startWorld, travel, HOUR } from '../pipeline/given.js'
import { clientFile, installClients } from '../helpers/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'

/*
 * The protocol of /mcp and /mcp/<vendor>, as clients of two eras speak it and as nobody should: whatever is wrong with a
 * tool call under a known key, it is answered with HTTP 200 and a sentence, and leaves exactly one row.
 */

const missing = installClients()
if (missing !== null) console.log(`Skipped: MCP clients. ${missing}`)

let world: World
beforeAll(async () => {
  world = await startWorld()
  await world.credentials()
})
afterAll(() => world.close())

const key = (options?: { run?: string; expires_in?: string }): Promise<IssuedKey> =>
  world.key({ vendors: { stripe: { endpoints: { allow: ['* *'] }, max_amount_usd: '50.00' } } }, options)

interface Reply {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
  readonly body: any
}

/** One POST, as raw as it is given. */
async function post(
  bearer: string,
  body: unknown,
  headers: Record<string, string> = {},
  path = '/mcp/stripe',
  method = 'POST',
): Promise<Reply> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const reply = await request(`${world.url}${path}`, {
    method: method as 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: method === 'POST' ? text : null,
  })
  const answered = await reply.body.text()
  const json = answered.replace(/^(?:event:.*\n)?data: ?/, '')
  let parsed: unknown = null
  try {
    parsed = JSON.parse(json)
  } catch {
    // Some refusals are plain text.
  }
  return { status: reply.statusCode, headers: reply.headers, text: answered, body: parsed }
}

const rpc = (method: string, params: unknown = {}, id: unknown = 1): object => ({ jsonrpc: '2.0', id, method, params })
const call = (name: unknown, args: unknown = {}, id: unknown = 1): object =>
  rpc('tools/call', { name, arguments: args }, id)
const REFUND = { charge: 'ch_A', amount: 100 }
const INITIALIZE = rpc('initialize', {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
})

const rowsOf = async (id: string): Promise<any[]> => world.calls(`&key=${id}`)

/** The one row and the sentence of a refused tool call. */
async function refusedOnce(issued: IssuedKey, reply: Reply, code: string): Promise<void> {
  expect(reply.status, reply.text).toBe(200)
  expect(reply.body).toMatchObject({ result: { isError: true } })
  expect(reply.body.result.content[0].text).toMatch(new RegExp(`^${code}: `))
  expect(reply.headers['x-spendgate-code']).toBe(code)
  const rows = await rowsOf(issued.id)
  expect(rows.map((row) => [row.state, row.decision.code, row.surface])).toEqual([['denied', code, 'mcp']])
}

describe('a refused tool call is HTTP 200, isError and one row', () => {
  const cases: readonly (readonly [string, string, unknown, Record<string, string>?])[] = [
    ['an unknown tool', 'operation_unknown', call('make_me_rich')],
    ['an unknown operation', 'operation_unknown', call('stripe_api_write', { stripe_api_operation_id: 'PostMoon' })],
    ['the details of one', 'operation_unknown', call('stripe_api_details', { stripe_api_operation_id: 'PostMoon' })],
    [
      'a write through the read tool',
      'operation_not_allowed',
      call('stripe_api_read', { stripe_api_operation_id: 'PostRefunds', parameters: REFUND }),
    ],
    [
      'a read through the write tool',
      'operation_not_allowed',
      call('stripe_api_write', { stripe_api_operation_id: 'GetBalance' }),
    ],
    [
      'test mode under a live key',
      'request_ambiguous',
      call('stripe_api_write', { stripe_api_operation_id: 'PostRefunds', parameters: REFUND, livemode: false }),
    ],
    [
      'a context that is no account of the policy',
      'account_not_allowed',
      call('stripe_api_write', {
        stripe_api_operation_id: 'PostRefunds',
        parameters: REFUND,
        stripe_context: 'acct_B',
      }),
    ],
    ['an amount over the limit', 'amount_over_limit', call('create_refund', { charge: 'ch_A', amount: 5001 })],
    [
      'a fraction',
      'request_malformed',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_refund","arguments":{"charge":"ch_A","amount":100.5}}}',
    ],
    [
      'a whole number written as a fraction',
      'request_malformed',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_refund","arguments":{"charge":"ch_A","amount":100.0}}}',
    ],
    [
      'a name given twice',
      'request_ambiguous',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_refund","arguments":{"charge":"ch_A","amount":1,"amount":100}}}',
    ],
    ['a name that is no text', 'request_malformed', call(7)],
    ['no name', 'request_malformed', rpc('tools/call', { arguments: REFUND })],
    ['arguments that are no object', 'request_malformed', call('create_refund', [1])],
    ['an argument nobody knows', 'request_malformed', call('create_refund', { ...REFUND, currency: 'usd' })],
    [
      'Mcp-Name that says another tool',
      'request_ambiguous',
      call('create_refund', REFUND),
      { 'mcp-name': 'list_customers' },
    ],
    [
      'Mcp-Method that says another method',
      'request_ambiguous',
      call('create_refund', REFUND),
      { 'mcp-method': 'tools/list' },
    ],
    ['a forged session', 'request_ambiguous', call('create_refund', REFUND), { 'mcp-session-id': 'abc' }],
    [
      'revision 2026-07-28 without its headers',
      'request_malformed',
      rpc('tools/call', {
        name: 'create_refund',
        arguments: REFUND,
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientCapabilities': {},
          'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
        },
      }),
    ],
    ['another media type', 'request_malformed', call('create_refund', REFUND), { 'content-type': 'text/plain' }],
    ['a client that takes no answer', 'request_malformed', call('create_refund', REFUND), { accept: 'image/png' }],
    [
      'a version of the protocol that never was',
      'request_malformed',
      call('create_refund', REFUND),
      { 'mcp-protocol-version': '1999-01-01' },
    ],
  ]
  test.each(cases.map(([what, code, body, headers = {}]) => [what, code, body, headers] as const))(
    '%s: %s',
    async (_what, code, body, headers) => {
      const issued = await key()
      await refusedOnce(issued, await post(issued.key, body, headers), code)
    },
  )

  test.each<readonly [string, string, unknown]>([
    ['an unknown tool', 'operation_unknown', call('make_me_rich')],
    ['an argument nobody knows', 'request_malformed', call('list_services', { all: true })],
    ['a call of nobody’s', 'request_malformed', call('explain', { id: 'call_nobody' })],
    [
      'a service the key has not',
      'vendor_not_granted',
      call('execute', { service: 'twilio', method: 'GET', path: '/x' }),
    ],
    ['a path that climbs', 'request_malformed', call('execute', { method: 'GET', path: '/v1/charges/../refunds' })],
    [
      'a name given twice',
      'request_ambiguous',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_services","name":"end_run"}}',
    ],
  ])('at /mcp: %s: %s', async (_what, code, body) => {
    const issued = await key()
    await refusedOnce(issued, await post(issued.key, body, {}, '/mcp'), code)
  })

  test('a session that was given to another key', async () => {
    const [mine, others] = await Promise.all([key(), key()])
    const session = (await post(others.key, INITIALIZE)).headers['mcp-session-id'] as string
    expect(session).toMatch(/^[0-9a-f]{24}\./)
    const reply = await post(mine.key, call('create_refund', REFUND), { 'mcp-session-id': session })
    await refusedOnce(mine, reply, 'request_ambiguous')
    const own = await post(others.key, call('create_refund', REFUND), { 'mcp-session-id': session })
    expect(own.body.result.isError, own.text).toBeUndefined()
    const [row] = await rowsOf(others.id)
    expect(row.run).toBe(`mcp_${session.slice(0, 24)}`)
  })

  test('two Mcp-Session-Id headers', async () => {
    const issued = await key()
    const body = JSON.stringify(call('create_refund', REFUND))
    const text = await world.raw(
      `POST /mcp/stripe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${issued.key}\r\nContent-Type: application/json\r\n` +
        `Mcp-Session-Id: a\r\nMcp-Session-Id: b\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
    expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*"isError":true/)
    expect((await rowsOf(issued.id)).map((row) => row.decision.code)).toEqual(['request_ambiguous'])
  })

  test.each(['/mcp/stripe', '/mcp'])('%s: keys that are revoked, expired or frozen', async (path) => {
    const tool = path === '/mcp' ? call('get_remaining_budget') : call('create_refund', REFUND)
    const [revoked, expired, frozen] = await Promise.all([key(), key({ expires_in: '1h' }), key()])
    await world.must('POST', `/keys/${revoked.id}/revoke`)
    await world.must('POST', '/freeze', { key: frozen.id })
    travel(world, 2 * HOUR)
    for (const [issued, code] of [
      [revoked, 'key_revoked'],
      [expired, 'key_expired'],
      [frozen, 'key_frozen'],
    ] as const) {
      for (const other of [INITIALIZE, rpc('tools/list')]) {
        const reply = await post(issued.key, other, {}, path)
        expect(reply.status, reply.text).toBe(200)
        expect(reply.body.error.message).toMatch(new RegExp(`^${code}: `))
      }
      await refusedOnce(issued, await post(issued.key, tool, {}, path), code)
      if (path === '/mcp') continue
      // What calls nobody is as closed as anything else.
      const search = await post(issued.key, call('stripe_api_search', { intent: 'refund' }), {}, path)
      expect(search.body.result.content[0].text).toMatch(new RegExp(`^${code}: `))
      expect(await rowsOf(issued.id)).toHaveLength(2)
    }
    travel(world, -2 * HOUR)
  })
})

describe('what is no single tool call', () => {
  test('a batch, refused as a whole, with a row because calls may be in it', async () => {
    const issued = await key()
    const reply = await post(issued.key, [call('create_refund', REFUND), call('create_refund', REFUND, 2)])
    expect(reply.status).toBe(400)
    expect(reply.body.error.message).toMatch(/^request_malformed: .*batches/)
    expect((await rowsOf(issued.id)).map((row) => row.decision.code)).toEqual(['request_malformed'])
  })

  test('text that is no JSON', async () => {
    const issued = await key()
    expect((await post(issued.key, '{"jsonrpc"')).status).toBe(400)
    expect((await rowsOf(issued.id)).map((row) => row.decision.code)).toEqual(['request_malformed'])
  })

  test('a body too large, whose id nobody has read', async () => {
    const issued = await key()
    const reply = await post(issued.key, call('create_refund', { charge: 'x'.repeat(5 * 1024 * 1024) }))
    expect(reply.status).toBe(413)
    expect(reply.body).toMatchObject({ id: null, error: { data: { code: 'body_too_large' } } })
    expect((await rowsOf(issued.id)).map((row) => row.decision.code)).toEqual(['body_too_large'])
  })

  test.each(['GET', 'DELETE'])('%s: there are no streams and no sessions to end', async (method) => {
    const issued = await key()
    for (const path of ['/mcp', '/mcp/stripe']) {
      const reply = await post(issued.key, '', {}, path, method)
      expect([reply.status, reply.headers.allow]).toEqual([405, 'POST'])
    }
  })

  test('a page of another origin', async () => {
    const issued = await key()
    for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1.evil.example'])
      expect((await post(issued.key, call('create_refund', REFUND), { origin })).status).toBe(403)
    const rows = await rowsOf(issued.id)
    expect(rows.every((row) => row.state === 'denied')).toBe(true)
    const local = await post(issued.key, call('create_refund', REFUND), { origin: 'http://localhost:6274' })
    expect(local.body.result.isError).toBeUndefined()
  })

  test('notifications are taken, ping is answered, prompts and resources there are none', async () => {
    const issued = await key()
    const noted = await post(issued.key, { jsonrpc: '2.0', method: 'notifications/initialized' })
    expect([noted.status, noted.text]).toEqual([202, ''])
    expect((await post(issued.key, rpc('ping'))).body).toEqual({ jsonrpc: '2.0', id: 1, result: {} })
    for (const method of ['prompts/list', 'resources/list', 'no/such']) {
      const reply = await post(issued.key, rpc(method))
      expect([reply.status, reply.body.error.code], method).toEqual([200, -32601])
    }
    expect(await rowsOf(issued.id)).toEqual([])
  })

  test('a stream of changes is refused', async () => {
    const issued = await key()
    const reply = await post(issued.key, rpc('subscriptions/listen'))
    expect(reply.body.error.message).toMatch(/opens no streams/)
  })

  test('a key nobody knows: 401 for HTTP clients, words for the bridge that swallows errors', async () => {
    const reply = await post('vault_live_x', call('create_refund', REFUND))
    expect(reply.status).toBe(401)
    expect(reply.headers['www-authenticate']).toMatch(/^Bearer/)
    expect(reply.body.error.message).toMatch(/^key_unknown: /)
    const bridge = { 'user-agent': 'stripe-mcp-local/0.3.3' }
    const told = await post('vault_live_x', call('create_refund', REFUND), bridge)
    expect([told.status, told.body.result.isError]).toEqual([200, true])
    expect((await post('vault_live_x', INITIALIZE, bridge)).body.error.message).toMatch(/^key_unknown: /)
    const real = await post('sk_live_0123456789abcdefghijklmn', INITIALIZE)
    expect([real.status, real.body.error.data.code]).toEqual([401, 'real_key_presented'])
  })

  test('no vendor of that name', async () => {
    const issued = await key()
    expect((await post(issued.key, INITIALIZE, {}, '/mcp/nobody')).status).toBe(404)
  })
})

/** A client of either era, connected. */
async function connected(era: 'v1' | 'v2', path: string, bearer: string): Promise<any> {
  const from = era === 'v1' ? '@modelcontextprotocol/sdk/dist/esm/client' : '@modelcontextprotocol/client/dist'
  const { Client } = await import(clientFile(`${from}/index.${era === 'v1' ? 'js' : 'mjs'}`))
  const { StreamableHTTPClientTransport } = await import(
    clientFile(era === 'v1' ? `${from}/streamableHttp.js` : `${from}/index.mjs`)
  )
  const options = era === 'v1' ? {} : { versionNegotiation: { mode: 'auto' } }
  const client = new Client({ name: 'spendgate-test', version: '1' }, options)
  const headers = { authorization: `Bearer ${bearer}` }
  await client.connect(new StreamableHTTPClientTransport(new URL(`${world.url}${path}`), { requestInit: { headers } }))
  return client
}

describe.skipIf(missing !== null).each(['v1', 'v2'] as const)('the official client %s', (era) => {
  test('lists, acts within limits and is refused over them, at the vendor’s address', async () => {
    const issued = await key()
    const client = await connected(era, '/mcp/stripe', issued.key)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['stripe_api_read', 'stripe_api_write', 'create_refund']),
    )
    const done = await client.callTool({ name: 'create_refund', arguments: REFUND })
    expect(done.structuredContent).toMatchObject({ object: 'refund', amount: 100 })
    const refused = await client.callTool({ name: 'create_refund', arguments: { charge: 'ch_A', amount: 5001 } })
    expect(refused.content[0].text).toMatch(/^amount_over_limit: /)
    expect(client.getServerVersion().name).toBe('spendgate-stripe')
    await client.close()
    expect((await rowsOf(issued.id)).map((row) => row.state).sort()).toEqual(['denied', 'settled'])
  })

  test('checks what our own tools answer against the schemas they announce', async () => {
    const issued = await key({ run: `era_${era}` })
    const client = await connected(era, '/mcp', issued.key)
    const { tools } = await client.listTools()
    expect(tools.length).toBeLessThanOrEqual(10)
    expect(tools.every((tool: any) => tool.outputSchema?.type === 'object')).toBe(true)
    const args: Record<string, Record<string, unknown>> = {
      execute: { method: 'POST', path: '/v1/refunds', params: REFUND },
      preview_call: { method: 'POST', path: '/v1/refunds', params: REFUND },
      request_approval: { method: 'POST', path: '/v1/refunds', params: REFUND },
    }
    // end_run stands last, and explain needs a call.
    for (const { name } of tools) {
      const { calls } = (await client.callTool({ name: 'list_my_calls', arguments: {} })).structuredContent
      const given = name === 'explain' ? { id: calls[0].id } : (args[name] ?? {})
      const result = await client.callTool({ name, arguments: given })
      expect(result.isError, `${name}: ${result.content[0].text}`).toBeFalsy()
      expect(JSON.parse(result.content[0].text)).toEqual(result.structuredContent)
    }
    await client.close()
  })
})

test('the newer client speaks revision 2026-07-28', async () => {
  const issued = await key()
  const client = await connected('v2', '/mcp/stripe', issued.key)
  expect(client.getNegotiatedProtocolVersion?.() ?? client.getProtocolEra?.()).toMatch(/2026-07-28|modern/)
  await client.close()
})
