import { getRequestListener } from '@hono/node-server'
import { createMcpHandler, Server } from '@modelcontextprotocol/server'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { request } from 'undici'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { startStripeMcp, type McpPlan, type StripeMcpSimulator } from '../../fixtures/simulators/stripe-mcp.js'
import { readConfig } from '../../src/config.js'
import { hostedOperations, hostedTools } from '../../vendors/stripe/hosted.js'
import { stripe } from '../../vendors/stripe/index.js'
import { startWorld, travel, MINUTE } from '../pipeline/given.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'

/*
 * The tools of Stripe's hosted MCP server that are passed on to it, and everything that holds for them as for any other
 * call: who may, what leaves, what comes back, and that whatever goes wrong there is a sentence here.
 */

const TIMEOUT_MS = 400
const ROUTE = 'POST mcp.stripe.com/tools/search_stripe_documentation'
const QUESTION = 'How do I refund half of a charge?'

let world: World
let hosted: StripeMcpSimulator
beforeAll(async () => {
  hosted = await startStripeMcp({ keys: [REAL.stripe] })
  world = await startWorld({
    SPENDGATE_STRIPE_MCP_UPSTREAM: hosted.origin,
    SPENDGATE_UPSTREAM_TIMEOUT_MS: String(TIMEOUT_MS),
  })
  await world.credentials()
})
afterAll(async () => {
  await world.close()
  await hosted.close()
})
afterEach(() => hosted.reset())

const keyFor = (allow: readonly string[], more: Record<string, unknown> = {}): Promise<IssuedKey> =>
  world.key({ ...more, vendors: { stripe: { endpoints: { allow } } } })

interface Reply {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  readonly text: string
  readonly result: { isError?: true; content: { type: string; text: string }[]; structuredContent?: object }
}

async function rpc(key: string, method: string, params: unknown): Promise<Reply> {
  const reply = await request(`${world.url}/mcp/stripe`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  })
  const text = await reply.body.text()
  const { result } = JSON.parse(text.replace(/^(?:event:.*\n)?data: ?/, '')) as { result: Reply['result'] }
  return { status: reply.statusCode, headers: reply.headers, text, result }
}

const ask = (key: string, args: unknown = { question: QUESTION }): Promise<Reply> =>
  rpc(key, 'tools/call', { name: 'search_stripe_documentation', arguments: args })

const rowsOf = (key: IssuedKey): Promise<any[]> => world.calls(`&key=${key.id}`)
const asked = (): string[] => hosted.requests.map(({ method }) => method)

describe('a question', () => {
  test.each(['json', 'stream', 'open stream'] as const)('is passed on, and answered as %s', async (form) => {
    hosted.form = form
    const key = await keyFor(['* *'])
    const reply = await ask(key.key, { question: QUESTION, language: 'node' })
    expect(reply.status).toBe(200)
    expect(reply.result.isError).toBeUndefined()
    expect(reply.result.content).toEqual([
      { type: 'text', text: `# Found for «${QUESTION}»\nhttps://docs.stripe.com/refunds` },
    ])
    expect(asked()).toEqual(['initialize', 'notifications/initialized', 'tools/call'])
    expect(hosted.requests[2]!.params).toEqual({
      name: 'search_stripe_documentation',
      arguments: { question: QUESTION, language: 'node' },
    })
    for (const { headers, body, path } of hosted.requests) {
      expect(path).toBe('/')
      expect(headers.authorization).toBe(`Bearer ${REAL.stripe}`)
      expect(headers.host).toBe(hosted.origin.slice('http://'.length))
      expect(JSON.stringify(headers) + body).not.toContain(key.key)
    }
  })

  test('leaves one row: a read that cost nothing', async () => {
    const key = await keyFor([ROUTE])
    const reply = await ask(key.key)
    expect(await rowsOf(key)).toMatchObject([
      {
        id: reply.headers['x-spendgate-call-id'],
        surface: 'mcp',
        method: 'POST',
        path: 'mcp.stripe.com/tools/search_stripe_documentation',
        operation: 'documentation.search',
        effect: 'read',
        state: 'settled',
        quoted_usd: '0.00',
        settled_usd: '0.00',
        decision: { verdict: 'allow', code: null },
        upstream: { status: 200 },
      },
    ])
    expect(reply.headers['x-spendgate-decision']).toBe('allow')
    expect(await world.verified()).toEqual([])
  })

  test('reaches no other vendor host, and no call of the API reaches the hosted server', async () => {
    const key = await keyFor(['* *'])
    const before = world.stripe.requests.length
    await ask(key.key)
    expect(world.stripe.requests.length).toBe(before)
    await rpc(key.key, 'tools/call', { name: 'retrieve_balance', arguments: {} })
    expect(world.stripe.requests.length).toBe(before + 1)
    expect(asked()).toHaveLength(3)
  })

  test('can be asked by the id of its operation, under the same rules', async () => {
    const open = await keyFor(['* *'])
    const closed = await keyFor(['GET /v1/*'])
    const byId = { stripe_api_operation_id: 'documentation.search', parameters: { question: QUESTION } }
    const reply = await rpc(open.key, 'tools/call', { name: 'stripe_api_write', arguments: byId })
    expect(reply.result.content[0]!.text).toContain(QUESTION)
    const refused = await rpc(closed.key, 'tools/call', { name: 'stripe_api_write', arguments: byId })
    expect(refused.headers['x-spendgate-code']).toBe('operation_not_allowed')
    expect(asked()).toHaveLength(3)
  })

  test('cannot be asked over REST', async () => {
    const key = await keyFor(['* *'])
    for (const path of ['/stripe/mcp.stripe.com/tools/search_stripe_documentation', '/stripe/tools/x']) {
      const answer = await world.call(key.key, 'POST', path, { question: QUESTION })
      expect([answer.status, answer.headers['x-spendgate-code']]).toEqual([403, 'operation_unknown'])
    }
    expect(asked()).toEqual([])
  })
})

describe('a hosted server made with the SDK', () => {
  test('understands what it is asked, and is understood', async () => {
    const handler = createMcpHandler(() => {
      const made = new Server({ name: 'hosted', version: '1' }, { capabilities: { tools: {} } })
      made.setRequestHandler('tools/call', ({ params }) => ({
        content: [{ type: 'text', text: JSON.stringify(params) }],
      }))
      return made
    })
    const server = createServer(getRequestListener((incoming) => handler.fetch(incoming)))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const other = await startWorld({
      SPENDGATE_STRIPE_MCP_UPSTREAM: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    })
    const here = world
    try {
      world = other
      const { result } = await ask((await keyFor(['* *'])).key)
      expect(result.isError, JSON.stringify(result)).toBeUndefined()
      expect(JSON.parse(result.content[0]!.text)).toMatchObject({
        name: 'search_stripe_documentation',
        arguments: { question: QUESTION },
      })
    } finally {
      world = here
      await other.close()
      server.closeAllConnections()
      server.close()
    }
  })
})

describe('the tools that are passed on', () => {
  test('are listed as reads with all their arguments, and no others are', async () => {
    const key = await keyFor(['GET /v1/*'])
    const { result } = await rpc(key.key, 'tools/list', {})
    const { tools } = result as unknown as { tools: { name: string }[] }
    expect(tools.filter(({ name }) => hostedTools.some((tool) => tool.name === name))).toMatchObject([
      {
        name: 'search_stripe_documentation',
        inputSchema: { required: ['question'], additionalProperties: false },
        annotations: { readOnlyHint: true, destructiveHint: false },
      },
    ])
    expect(asked()).toEqual([])
  })

  test('are reads that cost nothing, take known arguments only, and are named by their route', () => {
    expect(stripe.operations.filter(({ hostedTool }) => hostedTool !== undefined)).toEqual(hostedOperations)
    expect(
      hostedOperations.map(({ hostedTool, effect, routes, accepts }) => [hostedTool, effect, routes, accepts]),
    ).toEqual(hostedTools.map(({ name, route, properties }) => [name, 'read', [route], Object.keys(properties)]))
    for (const { route } of hostedTools) expect(route).toMatch(/^POST mcp\.stripe\.com\/tools\/[a-z_]+$/)
  })

  test.each(['send_stripe_mcp_feedback', 'stripe_implementation_planner', 'stripe_analytics', 'stripe_api_execute'])(
    '%s is not among them',
    async (name) => {
      const key = await keyFor(['* *'])
      const reply = await rpc(key.key, 'tools/call', { name, arguments: {} })
      expect([reply.status, reply.headers['x-spendgate-code']]).toEqual([200, 'operation_unknown'])
      expect(asked()).toEqual([])
    },
  )
})

describe('nothing leaves', () => {
  const refused = async (key: IssuedKey, code: string, args?: unknown): Promise<string> => {
    const reply = await ask(key.key, args)
    expect([reply.status, reply.result.isError, reply.headers['x-spendgate-code']]).toEqual([200, true, code])
    const rows = await rowsOf(key)
    expect(rows.map(({ state, decision }) => [state, decision.code])).toEqual([['denied', code]])
    expect(asked()).toEqual([])
    return reply.text
  }

  test.each([[['GET /v1/*']], [['POST /v1/*']], [['GET *']], [[]]])('where the policy allows %j', async (allow) => {
    await refused(await keyFor(allow), 'operation_not_allowed')
  })

  test('where the policy denies it', async () => {
    const key = await world.key({ vendors: { stripe: { endpoints: { allow: ['* *'], deny: [ROUTE] } } } })
    await refused(key, 'operation_not_allowed')
  })

  test('under a key for another vendor', async () => {
    await refused(await world.key({}, { vendors: ['resend'] }), 'vendor_not_granted')
  })

  test('under a frozen key', async () => {
    const key = await keyFor(['* *'])
    await world.must('POST', '/freeze', { key: key.id })
    await refused(key, 'key_frozen')
  })

  test('under a revoked key', async () => {
    const key = await keyFor(['* *'])
    await world.must('POST', `/keys/${key.id}/revoke`, {})
    await refused(key, 'key_revoked')
  })

  test('beyond the rate', async () => {
    const key = await keyFor(['* *'], { rate_limit: { per_minute: 1 } })
    await ask(key.key)
    const reply = await ask(key.key)
    expect([reply.result.isError, reply.headers['x-spendgate-code']]).toEqual([true, 'rate_limited'])
    expect(asked()).toHaveLength(3)
    travel(world, MINUTE)
  })

  test.each<[string, unknown]>([
    ['an argument nobody knows', { question: QUESTION, context: 'x' }],
    ['no question', {}],
    ['an empty question', { question: ' ' }],
    ['a question that is no text', { question: { text: QUESTION } }],
    ['a question that is too long', { question: 'why '.repeat(501) }],
    ['a language nobody knows', { question: QUESTION, language: 'cobol' }],
    ['a language that is no text', { question: QUESTION, language: ['node'] }],
  ])('with %s', async (_, args) => {
    await refused(await keyFor(['* *']), 'request_malformed', args)
  })

  test.each([
    ['a real key', REAL.stripe],
    ['a test key', REAL.stripeTest],
    ['a restricted key', 'rk_live_51Habcdefgh'],
    ['a signing secret', 'whsec_0123abcdef'],
    ['a key of Resend', REAL.resend],
    ['a secret of Twilio', REAL.twilioSecret],
    ['the admin token', REAL.admin],
    ['a key with something invisible in it', 'sk_\u200blive_51Habcdefgh'],
    ['a key in wide letters', 'ｓｋ＿ｌｉｖｅ＿51Habcdefgh'],
    ['a vault key', 'vault_test_0123456789abcdef'],
    ['a vault key in a skin', 'rk_vault_live_0123456789abcdef'],
  ])('with %s in the question, and no answer repeats it', async (_, secret) => {
    const text = await refused(await keyFor(['* *']), 'request_malformed', { question: `Is ${secret} valid?` })
    expect(text).not.toContain(secret)
    expect(world.files().includes(secret)).toBe(false)
  })

  test('with the agent’s own key in the question', async () => {
    const key = await keyFor(['* *'])
    await refused(key, 'request_malformed', { question: `Who is ${key.key}?` })
  })

  test('of a question that names ids and prefixes, nothing is held back', async () => {
    const key = await keyFor(['* *'])
    const question = 'What is an sk_live_ key, and why has re_3MtwBwLkdIwHu7ix0nVd1a2B no payment_method_details?'
    expect((await ask(key.key, { question })).result.content[0]!.text).toContain(question)
  })
})

describe('revoking', () => {
  test('stops a call that has only said hello', async () => {
    const key = await keyFor(['* *'])
    let go = (): void => {}
    const fault = hosted.fault('initialize', { do: 'wait', until: new Promise((resolve) => (go = resolve)) })
    const reply = ask(key.key)
    await fault.struck
    await world.must('POST', `/keys/${key.id}/revoke`, {})
    go()
    const { status, result, headers } = await reply
    expect([status, result.isError, headers['x-spendgate-code']]).toEqual([200, true, 'key_revoked'])
    expect(asked()).toEqual(['initialize'])
    expect(await rowsOf(key)).toMatchObject([{ state: 'released' }])
  })
})

describe('what the hosted server does wrong is a sentence here', () => {
  const answers: readonly (readonly [string, McpPlan, string])[] = [
    ['500', { do: 'status', status: 500, body: '<html>oops</html>' }, 'answered 500.'],
    ['401', { do: 'status', status: 401, body: '{"error":{"message":"Expired."}}' }, 'answered 401: Expired.'],
    ['429', { do: 'status', status: 429, body: '{}' }, 'answered 429.'],
    ['a redirect', { do: 'status', status: 302, body: '' }, 'upstream_unavailable: '],
    ['an error of the protocol', { do: 'error', message: 'No such tool.' }, 'refused the call: No such tool.'],
    ['no JSON', { do: 'body', body: 'hello' }, 'no answer to this call'],
    ['nothing', { do: 'body', body: '' }, 'no answer to this call'],
    ['a list', { do: 'body', body: '[{"jsonrpc":"2.0","id":2,"result":{}}]' }, 'no answer to this call'],
    ['an answer to something else', { do: 'body', body: '{"jsonrpc":"2.0","id":99,"result":{}}' }, 'no answer'],
    ['compressed', { do: 'body', body: '{}', headers: { 'content-encoding': 'gzip' } }, 'an encoded body'],
    ['too much', { do: 'body', body: `{"x":"${'x'.repeat(1024 * 1024)}"}` }, 'upstream_unavailable: '],
    ['a reset', { do: 'reset' }, 'upstream_unavailable: '],
    ['silence', { do: 'hang' }, 'upstream_timeout: '],
    ['a stream without an answer', { do: 'drip' }, 'upstream_timeout: '],
  ]
  const cases = ['initialize', 'tools/call'].flatMap((method) =>
    answers.map(([what, plan, sentence]) => [what, method, plan, sentence] as const),
  )

  test.each(cases)('%s to %s', async (_, method, plan, sentence) => {
    const key = await keyFor(['* *'])
    hosted.fault(method, plan)
    const began = performance.now()
    const reply = await ask(key.key)
    expect(performance.now() - began).toBeLessThan(5 * TIMEOUT_MS)
    expect([reply.status, reply.result.isError]).toEqual([200, true])
    expect(reply.result.content[0]!.text).toContain(sentence)
    expect(await rowsOf(key)).toHaveLength(1)
    expect((await rowsOf(key))[0].state).toMatch(/^(settled|released)$/)
  })

  test.each([
    ['no result', { content: 'text' }],
    ['nothing', null],
    ['more blocks than anybody reads', { content: Array.from({ length: 101 }, () => ({ type: 'text', text: 'x' })) }],
    ['more text than is passed on', { content: [{ type: 'text', text: 'x'.repeat(600 * 1024) }] }],
  ])('a tool that answers with %s', async (_, result) => {
    hosted.result = () => result
    const reply = await ask((await keyFor(['* *'])).key)
    expect([reply.status, reply.result.isError]).toEqual([200, true])
    expect(reply.result.content[0]!.text).toMatch(/^The MCP server of the vendor answered with /)
    expect(reply.text.length).toBeLessThan(1000)
  })

  test('a tool that fails says so in its own words', async () => {
    hosted.result = () => ({ isError: true, content: [{ type: 'text', text: 'The index is being rebuilt.' }] })
    const reply = await ask((await keyFor(['* *'])).key)
    expect(reply.result).toMatchObject({ isError: true, content: [{ text: 'The index is being rebuilt.' }] })
  })

  test('a server that is not there', async () => {
    const away = await startWorld({ SPENDGATE_STRIPE_MCP_UPSTREAM: 'http://127.0.0.1:9' })
    const here = world
    try {
      world = away
      const reply = await ask((await keyFor(['* *'])).key)
      expect([reply.status, reply.result.isError]).toEqual([200, true])
      expect(reply.result.content[0]!.text).toContain('Nothing was sent')
    } finally {
      world = here
      await away.close()
    }
  })
})

describe('what comes back', () => {
  test('is text, and the shape the tool gave it', async () => {
    hosted.result = () => ({
      content: [
        { type: 'text', text: 'a', annotations: { audience: ['user'] } },
        { type: 'resource', resource: { uri: 'https://docs.stripe.com/a', text: 'b' } },
        { type: 'resource_link', uri: 'https://docs.stripe.com/c', name: 'c' },
        { type: 'image', data: 'AAAA', mimeType: 'image/png' },
      ],
      structuredContent: { found: 4 },
      _meta: { session: 'theirs' },
    })
    const { result } = await ask((await keyFor(['* *'])).key)
    expect(result.content.map(({ text }) => text)).toEqual(['a', 'b', 'https://docs.stripe.com/c', '[image left out]'])
    expect(result.structuredContent).toEqual({ found: 4 })
    expect(JSON.stringify(result)).not.toContain('theirs')
  })

  test.each(['json', 'stream'] as const)('never holds the credential, however it is written (%s)', async (form) => {
    hosted.form = form
    hosted.result = ({ headers }) => {
      const bearer = String(headers.authorization)
      return {
        content: [
          { type: 'text', text: bearer },
          { type: 'text', text: Buffer.from(REAL.stripe).toString('base64') },
          { type: 'text', text: JSON.stringify({ bearer }) },
        ],
        structuredContent: { [bearer]: bearer },
      }
    }
    const reply = await ask((await keyFor(['* *'])).key)
    expect(reply.result.content).toHaveLength(3)
    expect(reply.text).toContain('[redacted]')
    for (const form of [REAL.stripe, Buffer.from(REAL.stripe).toString('base64')])
      expect(reply.text).not.toContain(form)
  })

  test('hides a credential that is spelled in escapes, or stands in an error', async () => {
    const escaped = [...REAL.stripe]
      .map((letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join('')
    const plans: McpPlan[] = [
      {
        do: 'body',
        body: `{"jsonrpc":"2.0","id":2,"result":{"content":[{"type":"text","text":"${escaped}"}]}}`,
      },
      { do: 'error', message: `No access for ${REAL.stripe}` },
      { do: 'error', message: 'x'.repeat(280) + REAL.stripe },
      { do: 'status', status: 403, body: JSON.stringify({ error: { message: REAL.stripe } }) },
    ]
    for (const plan of plans) {
      hosted.fault('tools/call', plan)
      const reply = await ask((await keyFor(['* *'])).key)
      expect(reply.status).toBe(200)
      expect(reply.text).not.toContain('CANARY')
    }
    expect(world.files().includes(REAL.stripe)).toBe(false)
  })
})

describe('the address of the hosted server', () => {
  const faults = (origin: string): string => {
    try {
      readConfig({ SPENDGATE_STRIPE_MCP_UPSTREAM: origin })
      return ''
    } catch (fault) {
      return (fault as Error).message
    }
  }

  test('follows the rules of every other, and is told at start', () => {
    expect(readConfig({ SPENDGATE_STRIPE_MCP_UPSTREAM: 'https://a.example/' }).upstreams.get('stripe-mcp')).toBe(
      'https://a.example',
    )
    expect(readConfig({}, { 'stripe-mcp-upstream': 'http://[::1]:1' }).upstreams.get('stripe-mcp')).toBe(
      'http://[::1]:1',
    )
    for (const origin of ['http://a.example', 'https://a.example/mcp', 'https://u:p@a.example', 'ftp://a.example', ''])
      expect(faults(origin)).toMatch(/^SPENDGATE_STRIPE_MCP_UPSTREAM m/)
    expect(world.server.notices).toContainEqual(expect.stringContaining(`stripe-mcp go to ${hosted.origin}`))
  })

  test('is where the vendor is led when it has none of its own', async () => {
    const plain = await startWorld()
    const here = world
    try {
      world = plain
      const before = plain.stripe.requests.length
      const reply = await ask((await keyFor(['* *'])).key)
      expect([reply.status, reply.result.isError]).toEqual([200, true])
      expect(plain.stripe.requests.slice(before).map(({ path }) => path)).toEqual(['/'])
    } finally {
      world = here
      await plain.close()
    }
  })
})
