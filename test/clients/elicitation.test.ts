import { request } from 'undici'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { fileURLToPath } from 'node:url'
import { formatUsd } from '../../src/contracts/money.js'
import { clientFile, installClients } from '../helpers/clients.js'
import type { IssuedKey, World } from '../helpers/world.js'
import { books, codeOf, DAY, moved, pay, seenBy, spentBy, startWorld, travel } from '../pipeline/given.js'

/*
 * The person at the agent's client decides on one request, where the policy says `by: client`: on the stream of the call
 * for clients of before 2026-07-28, in rounds for those since; never more than one call for one yes.
 */

const missing = installClients()
if (missing !== null) console.log(`Skipped: MCP clients. ${missing}`)

const PRELOAD = fileURLToPath(new URL('../../dist/src/preload/preload.cjs', import.meta.url))

let world: World
/** What the clock for durations is ahead of its own. */
let laterMs = 0
beforeAll(async () => {
  world = await startWorld()
  const { clock } = world
  const real = clock.monotonic.bind(clock)
  clock.monotonic = () => real() + laterMs
  await world.credentials()
})
afterAll(async () => {
  expect(await books(world)).toEqual({ spent: formatUsd(moved(world)), held: '0.00' })
  await world.close()
})

const BY_CLIENT = { approval: { above_usd: '25.00', by: 'client' } }
const byClient = (more: Record<string, unknown> = {}): Promise<IssuedKey> => world.key({ ...BY_CLIENT, ...more })

const PAID = { amount: 6_000, currency: 'usd', customer: 'cus_A', payment_method: 'pm_card_visa', confirm: true }
const paying = (parameters: Record<string, unknown> = PAID) => ({
  name: 'stripe_api_write',
  arguments: { stripe_api_operation_id: 'PostPaymentIntents', parameters },
})

const approvalsOf = async ({ id }: IssuedKey): Promise<any[]> =>
  (await world.must('GET', `/approvals?key=${id}`)).approvals
const codesOf = async ({ id }: IssuedKey): Promise<(string | null)[]> =>
  (await world.calls(`&key=${id}`)).map((row) => row.decision.code).reverse()
const textOf = (result: any): string => result.content.map((part: { text?: string }) => part.text ?? '').join('\n')
/** Changes that the vendor was asked for. */
const changes = async (act: () => Promise<unknown>): Promise<number> => {
  const { requests } = await seenBy(world.stripe, act)
  return requests.filter(({ method }) => method === 'POST').length
}

type Handler = (asked: any) => unknown
const yes: Handler = () => ({ action: 'accept', content: { approve: true } })

/** A client of either era, connected; without a handler it announces nothing. */
async function connected(
  era: 'v1' | 'v2',
  handler: Handler | null,
  to: { readonly bearer: string; readonly path?: string } | { readonly bridge: string },
): Promise<any> {
  const from = era === 'v1' ? '@modelcontextprotocol/sdk/dist/esm/client' : '@modelcontextprotocol/client/dist'
  const { Client } = await import(clientFile(`${from}/index.${era === 'v1' ? 'js' : 'mjs'}`))
  const client = new Client(
    { name: 'desk program', version: '1' },
    {
      capabilities: handler === null ? {} : { elicitation: {} },
      ...(era === 'v2' && { versionNegotiation: { mode: 'auto' } }),
    },
  )
  if (handler !== null) {
    const { ElicitRequestSchema } = await import(clientFile('@modelcontextprotocol/sdk/dist/esm/types.js'))
    client.setRequestHandler(era === 'v1' ? ElicitRequestSchema : 'elicitation/create', ({ params }: any) =>
      handler(params),
    )
  }
  if ('bridge' in to) {
    const { StdioClientTransport } = await import(clientFile(`${from}/stdio.js`))
    await client.connect(
      new StdioClientTransport({
        command: process.execPath,
        args: ['--require', PRELOAD, clientFile('@stripe', 'mcp', 'dist', 'index.js')],
        env: { STRIPE_API_KEY: to.bridge, STRIPE_API_BASE: `${world.url}/stripe` },
        stderr: 'ignore',
      }),
    )
    return client
  }
  const { StreamableHTTPClientTransport } = await import(
    clientFile(era === 'v1' ? `${from}/streamableHttp.js` : `${from}/index.mjs`)
  )
  const headers = { authorization: `Bearer ${to.bearer}` }
  const url = new URL(`${world.url}${to.path ?? '/mcp/stripe'}`)
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
  return client
}

const ways: readonly (readonly [string, (handler: Handler | null, key: IssuedKey) => Promise<any>])[] = [
  ['the client of 2025', (handler, { key }) => connected('v1', handler, { bearer: key })],
  ['the client of 2025 behind @stripe/mcp 0.3.3', (handler, { key }) => connected('v1', handler, { bridge: key })],
  ['the client of 2026-07-28', (handler, { key }) => connected('v2', handler, { bearer: key })],
]

describe.skipIf(missing !== null).each(ways)('%s', (_way, connect) => {
  test.each<[string, Handler]>([
    ['a no in the form', () => ({ action: 'accept', content: { approve: false } })],
    ['a decline', () => ({ action: 'decline' })],
    ['a cancel', () => ({ action: 'cancel' })],
    ['a form without a word', () => ({ action: 'accept', content: {} })],
  ])('%s denies the request, and nothing is sent', async (_what, handler) => {
    const key = await byClient()
    const client = await connect(handler, key)
    const sent = await changes(async () => {
      const refused = await client.callTool(paying())
      expect(refused.isError).toBe(true)
      expect(textOf(refused)).toMatch(/^approval_required: client:desk_program denied appr_\w{20}\. Nothing was sent\./)
    })
    expect(sent).toBe(0)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'denied', decided_by: 'client:desk_program' }])
    await client.close()
  })

  test('a yes lets the very same call through once, and the row says whose yes it was', async () => {
    const key = await byClient()
    const asked: any[] = []
    const client = await connect((params) => (asked.push(params), yes(params)), key)
    const sent = await changes(async () => {
      const paid = await client.callTool(paying())
      expect(paid.isError, textOf(paid)).toBeFalsy()
      expect(paid.structuredContent).toMatchObject({ object: 'payment_intent', amount: 6_000 })
    })
    expect(sent).toBe(1)
    expect(asked).toHaveLength(1)
    expect(asked[0].message).toContain('payment_intents.create at stripe')
    expect(asked[0].message).toContain('USD 60.00')
    expect(asked[0].message).toContain('customer cus_A')
    expect(asked[0].message).toContain(key.id)
    expect(asked[0].requestedSchema.properties).toMatchObject({ approve: { type: 'boolean' } })
    const rows = await approvalsOf(key)
    expect(rows).toMatchObject([{ state: 'used', decided_by: 'client:desk_program' }])
    expect(rows[0].id).toBe(/appr_\w{20}/.exec(asked[0].message)![0])
    expect(await codesOf(key)).toEqual(['approval_required', null])
    expect(await spentBy(world, key.id)).toBe('60.00')
    await client.close()
  })

  test('each further call is a question of its own', async () => {
    const key = await byClient()
    let asked = 0
    const client = await connect((params) => (asked++, yes(params)), key)
    await client.callTool(paying())
    await client.callTool(paying())
    expect(asked).toBe(2)
    expect((await approvalsOf(key)).map(({ state }) => state)).toEqual(['used', 'used'])
    await client.close()
  })

  test('what costs less than the limit, or is refused for something else, is no question', async () => {
    const key = await byClient({ daily_cap_usd: '70.00' })
    const client = await connect(() => expect.unreachable('nobody is to be asked'), key)
    expect((await client.callTool(paying({ ...PAID, amount: 2_000 }))).isError).toBeFalsy()
    expect(textOf(await client.callTool(paying()))).toMatch(/^daily_cap_exceeded: /)
    await client.close()
  })

  test('caps hold for the call that was approved', async () => {
    const key = await byClient({ daily_cap_usd: '70.00' })
    const client = await connect(async (params) => {
      expect((await pay(world, key.key, 2_000)).status).toBe(200)
      return yes(params)
    }, key)
    expect(textOf(await client.callTool(paying()))).toMatch(/^daily_cap_exceeded: /)
    expect(await spentBy(world, key.id)).toBe('20.00')
    expect(await approvalsOf(key)).toMatchObject([{ state: 'approved' }])
    await client.close()
  })

  test.each<[string, (key: IssuedKey) => Promise<unknown>, string]>([
    ['revoked', ({ id }) => world.must('POST', `/keys/${id}/revoke`), 'key_revoked'],
    ['frozen', ({ id }) => world.must('POST', '/freeze', { key: id }), 'key_frozen'],
  ])('a key that is %s while the person thinks buys nothing', async (_what, stop, code) => {
    const key = await byClient()
    const client = await connect(async (params) => {
      await stop(key)
      return yes(params)
    }, key)
    const sent = await changes(async () =>
      expect(textOf(await client.callTool(paying()))).toMatch(new RegExp(`^${code}: `)),
    )
    expect(sent).toBe(0)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'open', decided_by: null }])
    await client.close()
  })

  test('a key narrowed to the operator while the person thinks waits for the operator', async () => {
    const key = await byClient()
    const client = await connect(async (params) => {
      await world.must('POST', `/keys/${key.id}/narrow`, { approval: { above_usd: '25.00' } })
      return yes(params)
    }, key)
    const sent = await changes(async () => {
      const refused = await client.callTool(paying())
      expect(refused.isError).toBe(true)
    })
    expect(sent).toBe(0)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'open', decided_by: null }])
    await client.close()
  })

  test('the operator who decides first has decided', async () => {
    const key = await byClient()
    const client = await connect(async (params) => {
      await world.must('POST', `/approvals/${/appr_\w{20}/.exec(params.message)![0]}/deny`, { reason: 'No.' })
      return yes(params)
    }, key)
    expect(await changes(() => client.callTool(paying()))).toBe(0)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'denied', decided_by: 'admin' }])
    await client.close()
  })

  test.each<[string, Record<string, unknown>, Handler | null]>([
    ['without the capability', BY_CLIENT, null],
    ['by the operator, which is the default', { approval: { above_usd: '25.00' } }, yes],
    ['by the operator in so many words', { approval: { above_usd: '25.00', by: 'operator' } }, yes],
    ['observed only', { ...BY_CLIENT, mode: 'observe' }, yes],
  ])('nobody is asked: %s', async (_what, document, handler) => {
    const key = await world.key(document)
    const client = await connect(handler && (() => expect.unreachable('nobody is to be asked')), key)
    const text = textOf(await client.callTool(paying()))
    if (document.mode === 'observe') expect(await approvalsOf(key)).toEqual([])
    else {
      expect(text).toMatch(/^approval_required: .* Ask the operator, then send the very same request again\./)
      expect(await approvalsOf(key)).toMatchObject([{ state: 'open', decided_by: null }])
    }
    await client.close()
  })
})

test.skipIf(missing !== null).each(['v1', 'v2'] as const)('execute at /mcp asks the same way: %s', async (era) => {
  const key = await byClient()
  const client = await connected(era, yes, { bearer: key.key, path: '/mcp' })
  const paid = await client.callTool({
    name: 'execute',
    arguments: { method: 'POST', path: '/v1/payment_intents', params: PAID },
  })
  expect(paid.structuredContent, textOf(paid)).toMatchObject({ decision: 'allow', status: 200 })
  expect(await approvalsOf(key)).toMatchObject([{ state: 'used', decided_by: 'client:desk_program' }])
  await client.close()
})

interface Posted {
  readonly status: number
  readonly headers: Record<string, string | string[] | undefined>
  /** The next message: the JSON body, or the next event of the stream. */
  next(): Promise<any>
  leave(): void
}

/** One POST, as raw as it is given. */
async function post(bearer: string, body: unknown, headers: Record<string, string> = {}): Promise<Posted> {
  const reply = await request(`${world.url}/mcp/stripe`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${bearer}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify(body),
  })
  const streamed = reply.headers['content-type'] === 'text/event-stream'
  const chunks = reply.body[Symbol.asyncIterator]()
  let text = ''
  return {
    status: reply.statusCode,
    headers: reply.headers,
    leave: () => void reply.body.destroy(),
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (streamed && end !== -1) {
          const event = text.slice(0, end)
          text = text.slice(end + 2)
          return JSON.parse(/^data: (.*)$/m.exec(event)![1]!)
        }
        const chunk = await chunks.next()
        if (chunk.done === true) return JSON.parse(text.replace(/^(?:event:.*\n)?data: ?/, ''))
        text += String(chunk.value)
      }
    },
  }
}

const rpc = (method: string, params: unknown = {}, id: unknown = 1): object => ({ jsonrpc: '2.0', id, method, params })
const said = (id: unknown, result: unknown): object => ({ jsonrpc: '2.0', id, result })
const YES = { action: 'accept', content: { approve: true } }

async function sessionOf({ key }: IssuedKey, capabilities: object = { elicitation: {} }): Promise<string> {
  const clientInfo = { name: 'raw', version: '1' }
  const reply = await post(key, rpc('initialize', { protocolVersion: '2025-06-18', capabilities, clientInfo }))
  return reply.headers['mcp-session-id'] as string
}

/** A call whose question has come, and how to go on from there. */
async function asking(issued: IssuedKey) {
  const session = await sessionOf(issued)
  const at = { 'mcp-session-id': session }
  const stream = await post(issued.key, rpc('tools/call', paying(), 7), at)
  const question = await stream.next()
  expect(question).toMatchObject({ jsonrpc: '2.0', method: 'elicitation/create' })
  const answer = (result: unknown, headers: Record<string, string> = at, key = issued.key): Promise<Posted> =>
    post(key, said(question.id, result), headers)
  return { session, at, stream, question, answer }
}

describe('on the stream of the call', () => {
  test('the head says that it was refused so far, and the answer what became of it', async () => {
    const key = await byClient()
    const { stream, answer } = await asking(key)
    expect(stream.status).toBe(200)
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'x-spendgate-decision': 'deny',
      'x-spendgate-code': 'approval_required',
    })
    expect((await answer(YES)).status).toBe(202)
    const { id, result } = await stream.next()
    expect(id).toBe(7)
    expect(result._meta).toMatchObject({ 'spendgate/decision': 'allow' })
  })

  test('nobody who answers within 45 s leaves the request to the operator, and nothing is held', async () => {
    const key = await byClient()
    const { stream, answer } = await asking(key)
    laterMs += 45_000
    const { result } = await stream.next()
    expect(result.isError).toBe(true)
    expect(textOf(result)).toMatch(
      /^approval_required: Nobody answered at the client within 45 s\. appr_\w{20} stays open for the operator until /,
    )
    expect((await answer(YES)).status).toBe(400)
    const [row] = await approvalsOf(key)
    expect(row).toMatchObject({ state: 'open', decided_by: null })
    await world.must('POST', `/approvals/${row.id}/approve`, {})
    expect((await pay(world, key.key, 6_000)).status).toBe(200)
  })

  test.each<[string, (at: Awaited<ReturnType<typeof asking>>, key: IssuedKey) => Promise<unknown>, RegExp]>([
    [
      'could not ask',
      ({ question, at }, { key }) =>
        post(key, { jsonrpc: '2.0', id: question.id, error: { code: -32603, message: 'No.' } }, at),
      /could not ask/,
    ],
    [
      'gave the call up',
      ({ at }, { key }) =>
        post(key, { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7 } }, at),
      /gave the call up/,
    ],
  ])('a client that %s has decided nothing', async (_what, act, why) => {
    const key = await byClient()
    const under = await asking(key)
    expect(((await act(under, key)) as Posted).status).toBe(202)
    expect(textOf((await under.stream.next()).result)).toMatch(why)
    expect((await under.answer(YES)).status).toBe(400)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'open' }])
  })

  test('a client that leaves has decided nothing and holds nothing', async () => {
    const key = await byClient()
    const { stream, answer, at } = await asking(key)
    stream.leave()
    // One question a key: the next can only come when the server has noticed.
    const { again, id } = await vi.waitFor(async () => {
      const again = await post(key.key, rpc('tools/call', paying(), 8), at)
      const { method, id } = await again.next()
      expect(method).toBe('elicitation/create')
      return { again, id }
    })
    expect((await answer(YES)).status).toBe(400)
    expect((await post(key.key, said(id, YES), at)).status).toBe(202)
    expect((await again.next()).result.isError).toBeUndefined()
    expect(await spentBy(world, key.id)).toBe('60.00')
  })

  test('an answer of another key, another session or none is refused, and the question stands', async () => {
    const [key, other] = await Promise.all([byClient(), byClient()])
    const { stream, answer } = await asking(key)
    const theirs = { 'mcp-session-id': await sessionOf(other) }
    expect((await answer(YES, theirs, other.key)).status).toBe(400)
    expect((await answer(YES, {}, other.key)).status).toBe(400)
    expect((await answer(YES, {})).status).toBe(400)
    expect((await answer(YES, { 'mcp-session-id': await sessionOf(key) })).status).toBe(400)
    // Not even the same root's: a key under it has its own questions.
    const child = await world.must('POST', `/keys/${key.id}/runs`, {})
    expect((await answer(YES, undefined, child.key)).status).toBe(400)
    expect((await post(key.key, said('elicit_guessed', YES), theirs)).status).toBe(200) // A foreign session: a row.
    expect(await approvalsOf(key)).toMatchObject([{ state: 'open' }])
    expect((await answer({ action: 'decline' })).status).toBe(202)
    expect((await answer(YES)).status).toBe(400)
    expect(textOf((await stream.next()).result)).toMatch(/client:raw denied/)
  })

  test('a second call of the key meanwhile is refused as without a client', async () => {
    const key = await byClient()
    const { stream, answer, at } = await asking(key)
    const second = await post(key.key, rpc('tools/call', paying(), 8), at)
    expect(textOf((await second.next()).result)).toMatch(/^approval_required: /)
    const sent = await changes(async () => {
      await answer(YES)
      await stream.next()
    })
    expect(sent).toBe(1)
    expect(await approvalsOf(key)).toHaveLength(1)
  })

  test('a revoked key ends the wait, though nobody answers', async () => {
    const key = await byClient()
    const { stream } = await asking(key)
    await world.must('POST', `/keys/${key.id}/revoke`)
    expect(textOf((await stream.next()).result)).toMatch(/^key_revoked: /)
  })

  test('a capability that the session did not announce cannot be written into its name', async () => {
    const key = await byClient()
    const plain = await sessionOf(key, {})
    const [name, seal] = plain.split('.')
    const forged = `${name}.e${Buffer.from('raw').toString('base64url')}.${seal}`
    for (const session of [forged, `${(await sessionOf(key)).split('.').slice(0, 2).join('.')}.${seal}`]) {
      const { result } = await (await post(key.key, rpc('tools/call', paying()), { 'mcp-session-id': session })).next()
      expect(textOf(result)).toMatch(/^request_ambiguous: /)
    }
    const urls = await sessionOf(key, { elicitation: { url: {} } })
    for (const session of [plain, urls]) {
      const reply = await post(key.key, rpc('tools/call', paying()), { 'mcp-session-id': session })
      expect(textOf((await reply.next()).result)).toMatch(/^approval_required: .*Ask the operator/)
    }
  })
})

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
}
/** One round of a call of 2026-07-28. */
async function round({ key }: IssuedKey, tool: ReturnType<typeof paying>, more: object = {}, _meta: object = META) {
  const reply = await post(key, rpc('tools/call', { ...tool, ...more, _meta }), {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': tool.name,
  })
  expect(reply.status).toBe(200)
  return (await reply.next()).result
}
const answered = (requestState: string, response: unknown = YES): object => ({
  requestState,
  inputResponses: { approve: response },
})

describe('in rounds', () => {
  async function begun(key: IssuedKey): Promise<string> {
    const result = await round(key, paying())
    expect(result).toMatchObject({
      resultType: 'input_required',
      inputRequests: { approve: { method: 'elicitation/create' } },
    })
    return result.requestState
  }

  test('the first asks, the second runs, and a third with the same answer is refused', async () => {
    const key = await byClient()
    const state = await begun(key)
    const sent = await changes(async () => {
      const paid = await round(key, paying(), answered(state))
      expect(paid.isError, JSON.stringify(paid)).toBeUndefined()
      expect(textOf(await round(key, paying(), answered(state)))).toMatch(/^request_ambiguous: /)
    })
    expect(sent).toBe(1)
    expect(await spentBy(world, key.id)).toBe('60.00')
  })

  test('of the same answer many times at once one counts', async () => {
    const key = await byClient()
    const state = await begun(key)
    const sent = await changes(() =>
      Promise.all(Array.from({ length: 8 }, () => round(key, paying(), answered(state)))),
    )
    expect(sent).toBe(1)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'used' }])
  })

  test.each<[string, (state: string) => string]>([
    ['forged', (state) => `${state.slice(0, -2)}${state.endsWith('AA') ? 'BB' : 'AA'}`],
    [
      'rewritten',
      (state) => state.replace(/\.[^.]+\./, `.${Buffer.from('{"p":{},"exp":9e9}').toString('base64url')}.`),
    ],
    ['made up', () => 'yes'],
  ])('a %s state is refused and decides nothing', async (_what, change) => {
    const key = await byClient()
    const state = change(await begun(key))
    const sent = await changes(async () =>
      expect(textOf(await round(key, paying(), answered(state)))).toMatch(/^request_malformed: .*requestState/),
    )
    expect(sent).toBe(0)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'open' }])
  })

  test('a state of another key is refused', async () => {
    const [key, other] = await Promise.all([byClient(), byClient()])
    const state = await begun(key)
    expect(textOf(await round(other, paying(), answered(state)))).toMatch(/^request_malformed: /)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'open' }])
    expect(await approvalsOf(other)).toEqual([])
  })

  test.each<[string, ReturnType<typeof paying>]>([
    ['amount', paying({ ...PAID, amount: 9_000 })],
    ['customer', paying({ ...PAID, customer: 'cus_B' })],
    ['parameter', paying({ ...PAID, description: 'x' })],
    ['tool', { name: 'stripe_api_read', arguments: paying().arguments }],
  ])('another %s than was asked about is refused and decides nothing', async (_what, changed) => {
    const key = await byClient()
    const state = await begun(key)
    const sent = await changes(async () =>
      expect(textOf(await round(key, changed, answered(state)))).toMatch(/^request_ambiguous: /),
    )
    expect(sent).toBe(0)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'open' }])
    expect((await round(key, paying(), answered(state))).isError).toBeUndefined()
  })

  test('no answer, or none in the form of one, decides nothing', async () => {
    const key = await byClient()
    const state = await begun(key)
    for (const more of [{ requestState: state }, answered(state, { approve: true }), answered(state, 'yes')]) {
      const result = await round(key, paying(), more)
      expect(result.isError, JSON.stringify(result)).toBe(true)
    }
    expect(await approvalsOf(key)).toMatchObject([{ state: 'open' }])
  })

  test('each round leaves one row, whatever was said', async () => {
    const key = await byClient()
    const state = await begun(key)
    const denied = await round(key, paying(), answered(state, { action: 'decline' }))
    expect(textOf(denied)).toMatch(/^approval_required: client:raw denied appr_/)
    expect(await codesOf(key)).toEqual(['approval_required', 'approval_required'])
    expect(await approvalsOf(key)).toMatchObject([{ state: 'denied', decided_by: 'client:raw' }])
  })

  test('an answer without a state asks again', async () => {
    const key = await byClient()
    await begun(key)
    expect(await round(key, paying(), { inputResponses: { approve: YES } })).toMatchObject({
      resultType: 'input_required',
    })
  })
})

describe('everywhere else', () => {
  test('a call over REST is refused as ever, and the operator decides', async () => {
    const key = await byClient()
    const refused = await pay(world, key.key, 6_000)
    expect(codeOf(refused)).toBe('approval_required')
    expect(refused.status).toBe(403)
    expect(Object.keys(refused.headers)).not.toContain('x-spendgate-approval')
    const [row] = await approvalsOf(key)
    await world.must('POST', `/approvals/${row.id}/approve`, {})
    expect((await pay(world, key.key, 6_000)).status).toBe(200)
    expect(await approvalsOf(key)).toMatchObject([{ state: 'used', decided_by: 'admin' }])
  })

  test('a yes of the client that is not used yet ends with the policy that allowed it', async () => {
    const key = await byClient({ daily_cap_usd: '70.00', approval: { ...BY_CLIENT.approval, expires_in: '3d' } })
    const { stream, answer } = await asking(key)
    expect((await pay(world, key.key, 2_000)).status).toBe(200)
    await answer(YES)
    expect(textOf((await stream.next()).result)).toMatch(/^daily_cap_exceeded: /)
    travel(world, DAY)
    const [row] = await approvalsOf(key)
    expect(row.state).toBe('approved')
    await world.must('POST', `/keys/${key.id}/narrow`, { approval: { above_usd: '25.00', by: 'operator' } })
    for (let i = 0; i < 2; i++) expect(codeOf(await pay(world, key.key, 6_000))).toBe('approval_required')
    expect((await approvalsOf(key)).map(({ state }) => state)).toEqual(['open', 'approved'])
    travel(world, -DAY)
  })
})

test('at most 64 calls wait at once, and a server that stops leaves all of them to the operator', async () => {
  const keys: IssuedKey[] = []
  const streams: Posted[] = []
  while (streams.length < 64) {
    const key = await byClient()
    keys.push(key)
    streams.push((await asking(key)).stream)
  }
  const late = await byClient()
  const reply = await post(late.key, rpc('tools/call', paying()), { 'mcp-session-id': await sessionOf(late) })
  expect(textOf((await reply.next()).result)).toMatch(/^approval_required: .*Ask the operator/)
  const [results] = await Promise.all([Promise.all(streams.map((stream) => stream.next())), world.server.stop()])
  for (const { result } of results) expect(textOf(result)).toMatch(/The server is stopping\. appr_\w{20} stays open/)
  await world.serve()
  for (const key of keys) expect(await approvalsOf(key)).toMatchObject([{ state: 'open' }])
})
