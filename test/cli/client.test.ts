import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { events } from '../../src/cli/verbs/tail.js'
import { Terminal } from './terminal.js'

/* What the real admin API does not do on request: other programs on the port, broken streams, odd replies. */

let terminal: Terminal
let server: Server
let answer: (request: IncomingMessage, response: ServerResponse) => void
let asked: string[]

beforeEach(async () => {
  asked = []
  server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  terminal = new Terminal({
    SPENDGATE_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    SPENDGATE_ADMIN_TOKEN: 'sgadmin_x',
  })
})
afterEach(async () => {
  terminal.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

const reply = (status: number, body: unknown) => (_request: IncomingMessage, response: ServerResponse) => {
  response
    .writeHead(status, { 'content-type': 'application/problem+json' })
    .end(typeof body === 'string' ? body : JSON.stringify(body))
}

describe('a refusal', () => {
  test.each([
    [400, 1, { code: 'invalid', detail: 'name: is missing' }, 'name: is missing'],
    [401, 4, { code: 'unauthenticated', detail: 'The admin token is wrong.' }, 'The admin token is wrong.'],
    [401, 4, 'no JSON', 'is not the one of the server'],
    [403, 4, { code: 'host_not_allowed', detail: 'This host name is not served.' }, 'This host name is not served.'],
    [404, 3, { code: 'not_found', detail: 'There is no such call.' }, 'There is no such call.'],
    [409, 1, { code: 'conflict', title: 'This contradicts what is stored' }, 'This contradicts what is stored'],
    [429, 4, { code: 'too_many_failures', detail: 'Try again in 60 s.' }, 'Try again in 60 s.'],
    [500, 1, {}, 'was answered with 500'],
    [302, 1, '', 'not as the admin API of spendgate'],
    [404, 1, '<h1>Not found</h1>', 'not as the admin API of spendgate'],
    [200, 1, '<h1>Welcome</h1>', 'not as the admin API of spendgate'],
    [200, 1, { rows: [] }, 'did not reply with'],
  ])('%i ends with %i', async (status, exit, body, sentence) => {
    answer = reply(status, body)
    const heard = await terminal.run('key', 'list')
    expect(heard.err).toContain(sentence)
    expect({ exit: heard.exit, out: heard.out }).toEqual({ exit, out: '' })
  })

  test('lists every fault it names', async () => {
    const errors = [
      { path: 'vendors.stripe', message: 'is odd' },
      { path: '', message: 'is long' },
    ]
    answer = reply(400, { code: 'invalid', detail: 'Two faults.', errors })
    expect((await terminal.run('key', 'list')).err).toBe('spendgate: Two faults.\n  vendors.stripe is odd\n  is long\n')
    const { err } = await terminal.run('key', 'list', '--json')
    expect(JSON.parse(err)).toEqual({
      error: {
        code: 'invalid',
        message: 'Two faults.',
        exit: 1,
        errors: [
          { at: 'vendors.stripe', message: 'is odd' },
          { at: '', message: 'is long' },
        ],
      },
    })
  })

  test('a connection cut in the middle ends with 6', async () => {
    answer = (request) => request.socket.destroy()
    expect((await terminal.run('key', 'list')).exit).toBe(6)
    answer = (request, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{"keys"')
      setImmediate(() => request.socket.destroy())
    }
    expect((await terminal.run('key', 'list')).exit).toBe(6)
  })
})

test('an id cannot leave its place in the path', async () => {
  answer = reply(404, { code: 'not_found', detail: 'No.' })
  await terminal.run('explain', '../keys?x=1#y')
  expect(asked).toEqual(['GET /admin/v1/calls/..%2Fkeys%3Fx%3D1%23y'])
})

test('a list is read page after page up to the limit', async () => {
  answer = (request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://x')
    const from = Number(searchParams.get('cursor') ?? 0)
    const rows = Array.from({ length: Number(searchParams.get('limit')) }, (_, i) => ({ id: `key_${from + i}` }))
    response.end(JSON.stringify({ keys: rows, next_cursor: String(from + rows.length) }))
  }
  const { json } = await terminal.run('key', 'list', '--limit', '450', '--json')
  expect(json.keys.map(({ id }: { id: string }) => id)).toEqual(Array.from({ length: 450 }, (_, i) => `key_${i}`))
  expect(asked).toEqual(
    ['/admin/v1/keys?limit=200', '/admin/v1/keys?limit=200&cursor=200', '/admin/v1/keys?limit=50&cursor=400'].map(
      (path) => `GET ${path}`,
    ),
  )
})

describe('the live stream', () => {
  const call = (id: string) => ({
    id,
    at: '2026-11-21T12:00:00.000Z',
    key_id: 'key_1',
    state: 'settled',
    decision: { code: null, message: null },
  })

  test('is taken up again where it broke off', async () => {
    const resumed: unknown[] = []
    answer = (request, response) => {
      resumed.push(request.headers['last-event-id'])
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(`id: ${resumed.length}\nevent: call\ndata: ${JSON.stringify(call(`call_${resumed.length}`))}\n\n`)
      if (resumed.length < 3) setImmediate(() => (resumed.length === 1 ? response.end() : request.socket.destroy()))
    }
    terminal.onOut((text) => {
      if (text.includes('call_3')) terminal.interrupt()
    })
    const { exit, out, err } = await terminal.run('tail', '--json')
    expect(exit).toBe(0)
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual(['call_1', 'call_2', 'call_3'])
    expect(resumed).toEqual([undefined, '1', '2'])
    expect(terminal.pauses).toEqual([1_000, 1_000])
    expect(err).toContain('Connecting again in 1 s.')
  })

  test('a server that is gone at the beginning ends with 6, one that refuses later ends with its fault', async () => {
    let times = 0
    answer = (request, response) => {
      times += 1
      if (times === 1) response.writeHead(200, { 'content-type': 'text/event-stream' }).end(': hello\n\n')
      else reply(401, { detail: 'Reset.' })(request, response)
    }
    expect((await terminal.run('tail', '--json')).exit).toBe(4)
    expect(times).toBe(2)
    expect((await terminal.run('tail', '--json', '--url', 'http://127.0.0.1:9')).exit).toBe(6)
  })

  test('events are framed as the standard says, wherever the chunks break', async () => {
    const text =
      ': hi\nid: 1\nevent: call\ndata: {"a":\ndata: 1}\n\nretry: 5\r\n\r\ndata:x\r\nid\r\n\r\nevent: call\n\ndata: é\n\n'
    const expected = [
      { id: '1', name: 'call', data: '{"a":\n1}' },
      { id: '', name: 'message', data: 'x' },
      { id: '', name: 'message', data: 'é' },
    ]
    const bytes = Buffer.from(text)
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.subarray(i * size, (i + 1) * size),
      )
      const found = []
      for await (const event of events(Readable.from(chunks))) found.push(event)
      expect(found).toEqual(expected)
    }
  })
})
