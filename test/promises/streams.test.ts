import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { request } from 'undici'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { agrees } from '../helpers/agreement.js'
import { built } from '../helpers/process.js'
import { REAL, type IssuedKey, type World } from '../helpers/world.js'
import { books, callIdOf, codeOf, HOUR, pay, rowOf, seenBy, startWorld, travel } from '../pipeline/given.js'

/*
 * A stream lives no longer than its key. What waits on one ends with the refusal, its session is worth nothing any more,
 * and a call that has left is still answered.
 */

let world: World
beforeAll(async () => {
  world = await startWorld()
})
beforeEach(() => {
  world.stripe.faults.length = 0
})
afterAll(async () => {
  expect((await books(world)).held).toBe('0.00')
  expect((await agrees(world)).phantoms).toBe(0)
  await world.close()
})

/** A client's end of a connection over which questions may come before the answer. */
interface Line {
  send(message: object): Promise<void>
  /** The next message from the server; null at the end of the stream of the call. */
  next(): Promise<any>
  close(): Promise<void>
}

const VERSION = '2025-06-18'
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: VERSION, capabilities: { elicitation: {} }, clientInfo: { name: 'desk', version: '1' } },
}
const PAID = { amount: 6_000, currency: 'usd', customer: 'cus_A', payment_method: 'pm_card_visa', confirm: true }
const ASKED: Readonly<Record<string, object>> = {
  '/mcp': { name: 'execute', arguments: { method: 'POST', path: '/v1/payment_intents', params: PAID } },
  '/mcp/stripe': {
    name: 'stripe_api_write',
    arguments: { stripe_api_operation_id: 'PostPaymentIntents', parameters: PAID },
  },
}

/** Streamable HTTP: each message is a POST, and what comes back on any of them is the line. */
function overHttp(path: string, key: string): Line {
  let session: Record<string, string> = {}
  const waiting: string[] = []
  let wake = (): void => {}
  let open = 0
  const read = async (body: AsyncIterable<Buffer>, streamed: boolean): Promise<void> => {
    let text = ''
    for await (const chunk of body) {
      text += String(chunk)
      for (let end = text.indexOf('\n\n'); streamed && end >= 0; end = text.indexOf('\n\n')) {
        waiting.push(/^data: ?(.*)$/m.exec(text.slice(0, end))![1]!)
        text = text.slice(end + 2)
        wake()
      }
    }
    if (!streamed && text !== '') waiting.push(text)
  }
  return {
    async send(message) {
      const { statusCode, headers, body } = await request(`${world.url}${path}`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...session,
        },
        body: JSON.stringify(message),
      })
      const given = headers['mcp-session-id']
      if (typeof given === 'string') session = { 'mcp-session-id': given }
      open++
      const done = read(body, String(headers['content-type']).startsWith('text/event-stream')).finally(() => {
        open--
        wake()
      })
      if (statusCode !== 200 || headers['content-type'] !== 'text/event-stream') await done
    },
    async next() {
      while (waiting.length === 0) {
        if (open === 0) return null
        await new Promise<void>((resolve) => (wake = resolve))
      }
      return JSON.parse(waiting.shift()!)
    },
    close: async () => {},
  }
}

/** The same through `spendgate mcp`, as a host that only starts programs sees it. */
function overStdio(path: string, key: string): Line {
  const vendor = path.split('/')[2]
  const child = spawn(process.execPath, [built('src/cli/index.js'), 'mcp', ...(vendor ? ['--vendor', vendor] : [])], {
    env: { PATH: process.env.PATH, SPENDGATE_PORT: new URL(world.url).port, SPENDGATE_VAULT_KEY: key },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('close', resolve))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    send: async (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
    next: async () => {
      const line = await lines.next()
      return line.done === true ? null : JSON.parse(line.value)
    },
    close: async () => {
      child.stdin.end()
      await ended
    },
  }
}

const LINES = [
  ['Streamable HTTP at /mcp', '/mcp', overHttp],
  ['Streamable HTTP at /mcp/stripe', '/mcp/stripe', overHttp],
  ['the stdio bridge to /mcp', '/mcp', overStdio],
  ['the stdio bridge to /mcp/stripe', '/mcp/stripe', overStdio],
] as const

const STOPS: readonly {
  readonly what: string
  readonly code: string
  readonly stop: (key: IssuedKey) => Promise<unknown>
  readonly lift?: (key: IssuedKey) => Promise<unknown>
}[] = [
  { what: 'its key is revoked', code: 'key_revoked', stop: ({ id }) => world.must('POST', `/keys/${id}/revoke`) },
  {
    what: 'its key is frozen',
    code: 'key_frozen',
    stop: ({ id }) => world.must('POST', '/freeze', { key: id }),
    lift: ({ id }) => world.must('POST', '/unfreeze', { key: id }),
  },
  {
    what: 'everything is frozen',
    code: 'key_frozen',
    stop: () => world.must('POST', '/freeze', { scope: 'all' }),
    lift: () => world.must('POST', '/unfreeze', { scope: 'all' }),
  },
  { what: 'its key expires', code: 'key_expired', stop: async () => travel(world, 2 * HOUR) },
]

describe.each(LINES)('%s', (_line, path, over) => {
  test.each(STOPS.map((each) => [each.what, each] as const))(
    'a wait for a person ends when %s, and nothing is sent',
    async (_what, { code, stop, lift }) => {
      const parent = await world.key({ approval: { above_usd: '25.00', by: 'client' } }, { expires_in: '2h' })
      const child: IssuedKey = await world.must('POST', `/keys/${parent.id}/runs`, {})
      const line = over(path, child.key)
      const { requests } = await seenBy(world.stripe, async () => {
        await line.send(INITIALIZE)
        expect((await line.next()).result.protocolVersion).toBe(VERSION)
        await line.send({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: ASKED[path] })
        const question = await line.next()
        expect(question).toMatchObject({ method: 'elicitation/create' })

        // Its parent's end is its own.
        await stop(parent)
        const end = await line.next()
        expect(end).toMatchObject({ id: 7, result: { isError: true } })
        expect(end.result.content[0].text).toContain(code)
        if (over === overHttp) expect(await line.next(), 'the stream is closed').toBeNull()

        // A yes that comes now buys nothing, and the session opens nothing any more.
        await line.send({ jsonrpc: '2.0', id: question.id, result: { action: 'accept', content: { approve: true } } })
        if (over === overHttp) expect(JSON.stringify(await line.next())).toContain(code)
        await line.send({ jsonrpc: '2.0', id: 8, method: 'tools/list' })
        expect((await line.next()).error.message).toContain(code)
        await line.send({ jsonrpc: '2.0', id: 9, method: 'tools/call', params: ASKED[path] })
        const refused = await line.next()
        expect(refused).toMatchObject({ id: 9, result: { isError: true } })
        expect(JSON.stringify(refused.result)).toContain(code)
      })
      expect(requests).toEqual([])
      await line.close()
      await lift?.(parent)
    },
  )

  test('a call that has left is answered although its key is revoked while the reply comes, and no other leaves', async () => {
    const key = await world.key()
    const half = world.stripe.fault('POST /v1/payment_intents', { do: 'stall', applies: true })
    const line = over(path, key.key)
    await line.send(INITIALIZE)
    await line.next()
    const { requests } = await seenBy(world.stripe, async () => {
      const sent = line.send({ jsonrpc: '2.0', id: 7, method: 'tools/call', params: ASKED[path] })
      await half.struck
      const { in_flight: named } = await world.must('POST', `/keys/${key.id}/revoke`)
      expect(named).toHaveLength(1)
      expect(codeOf(await pay(world, key.key, 100))).toBe('key_revoked')
      half.release()
      await sent
      const { result } = await line.next()
      expect(result.isError).toBeFalsy()
      expect(await rowOf(world, named[0])).toMatchObject({ state: 'settled', settled_usd: '60.00' })
    })
    expect(requests).toHaveLength(1)
    await line.close()
  })
})

test('over REST, too, a reply that is being read when the key is revoked is passed on whole', async () => {
  const key = await world.key()
  const half = world.stripe.fault('POST /v1/payment_intents', { do: 'stall', applies: true })
  const call = pay(world, key.key, 250)
  await half.struck
  const { in_flight: named } = await world.must('POST', `/keys/${key.id}/revoke`)
  half.release()
  const answer = await call
  expect([answer.status, answer.body.amount]).toEqual([200, 250])
  expect(named).toEqual([callIdOf(answer)])
})

test('the operator’s live stream is over when the server has stopped, and does not hold it up', async () => {
  const { body, statusCode } = await request(`${world.server.adminUrl}/admin/v1/calls/stream`, {
    headers: { authorization: `Bearer ${REAL.admin}` },
  })
  expect(statusCode).toBe(200)
  const chunks = body[Symbol.asyncIterator]()
  expect(String((await chunks.next()).value)).toMatch(/^retry: /)
  const over = chunks.next().then(
    ({ done }) => done,
    ({ code }: { code: string }) => code === 'UND_ERR_SOCKET',
  )
  const begunAt = performance.now()
  await world.server.stop()
  expect(performance.now() - begunAt).toBeLessThan(2_000)
  expect(await over).toBe(true)
  await world.serve()
})
