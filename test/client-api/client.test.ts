import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, expectTypeOf, test } from 'vitest'
import { NoAnswer, Refused, Spendgate, targetOf, type Call, type IssuedKey } from '../../src/client/index.js'
import { POLICY, STRIPE_LIVE, TOKEN, World } from '../admin/world.js'

let world: World
let gate: Spendgate
beforeEach(async () => {
  world = await World.start()
  gate = new Spendgate({ url: `http://127.0.0.1:${world.port}`, token: TOKEN })
})
afterEach(() => world.close())

const issued = async (): Promise<IssuedKey> => {
  await gate.ask('POST /credentials', { body: { vendor: 'stripe', name: 'main', secret: { api_key: STRIPE_LIVE } } })
  await gate.ask('POST /policies', { body: POLICY })
  return gate.ask('POST /keys', { body: { name: 'support', policy: 'support-refunds', credentials: ['main'] } })
}

test('a wrong token is refused under its code, and nothing but the problem is told', async () => {
  const stranger = new Spendgate({ url: `http://127.0.0.1:${world.port}`, token: 'sgadmin_wrongwrongwrongwrongwrong' })
  const refused = await stranger.ask('GET /keys').catch((fault: unknown) => fault)
  expect(refused).toBeInstanceOf(Refused)
  expect(refused).toMatchObject({ status: 401, code: 'unauthenticated' })
  expect(JSON.stringify(refused) + String((refused as Error).stack)).not.toContain('wrongwrong')
})

test('a body at fault is answered field by field', async () => {
  const body = { name: 'support', policy: 'support-refunds', credentials: [], expires_in: 'soon' }
  const refused = await gate.ask('POST /keys', { body }).catch((fault: unknown) => fault)
  expect(refused).toMatchObject({ status: 400, code: 'invalid' })
  expect((refused as Refused).errors.map(({ path }) => path)).toEqual(['credentials', 'expires_in'])
})

test('a key is made, looked at, revoked and gone, with the types of each reply', async () => {
  const key = await issued()
  expect(key.key).toMatch(/^vault_live_/)
  const detail = await gate.ask('GET /keys/{id}', { path: { id: key.id } })
  expectTypeOf(detail.spent_usd).toEqualTypeOf<string>()
  expect([detail.status, detail.spent_usd]).toEqual(['active', '0.00'])
  const revoked = await gate.ask('POST /keys/{id}/revoke', { path: { id: key.id }, body: { reason: 'over' } })
  expectTypeOf(revoked.in_flight).toEqualTypeOf<string[]>()
  expect(revoked).toMatchObject({ id: key.id, in_flight: [] })
  expect((await gate.ask('GET /keys/{id}', { path: { id: key.id } })).status).toBe('revoked')
  await expect(gate.ask('GET /keys/{id}', { path: { id: 'key_gone' } })).rejects.toMatchObject({ code: 'not_found' })
})

test('a reply without a body is undefined', async () => {
  const { id } = await gate.ask('POST /credentials', {
    body: { vendor: 'stripe', name: 'spare', secret: { api_key: STRIPE_LIVE } },
  })
  expect(await gate.ask('DELETE /credentials/{id}', { path: { id } })).toBeUndefined()
})

test('a policy in YAML is sent as it was written, and its fault names the line', async () => {
  const body = 'apiVersion: spendgate/v1\nname: p\ndaily_cap_usdd: "1.00"\nvendors: {}\n'
  const refused = (await gate.ask('POST /policies', { body }).catch((fault: unknown) => fault)) as Refused
  expect(refused).toBeInstanceOf(Refused)
  expect(refused.errors.some(({ at }) => at?.includes(':3'))).toBe(true)
})

test('rows walks every page, and asks for none that nobody wants', async () => {
  await issued()
  for (const name of ['b', 'c', 'd'])
    await gate.ask('POST /keys', { body: { name, policy: 'support-refunds', credentials: ['main'] } })
  const names: string[] = []
  for await (const key of gate.rows('GET /keys')) names.push(key.name)
  expect(names.sort()).toEqual(['b', 'c', 'd', 'support'])
  const asked = listing()
  const other = new Spendgate({ url: await asked.url, token: TOKEN })
  for await (const call of other.rows('GET /calls', { query: { limit: '2' } })) if (call.id === 'call_3') break
  asked.close()
  expect(asked.targets).toEqual(['/admin/v1/calls?limit=2', '/admin/v1/calls?limit=2&cursor=after_call_2'])
})

test('an export comes line by line', async () => {
  await issued()
  const lines: string[] = []
  for await (const line of gate.lines('GET /audit/export')) lines.push(line)
  expect(lines.length).toBeGreaterThan(2)
  for (const line of lines) expect(() => JSON.parse(line)).not.toThrow()
})

test('calls come as they happen, and a broken stream is taken up where it was', async () => {
  const events = streaming()
  const seen: string[] = []
  const ended = new AbortController()
  for await (const call of new Spendgate({ url: await events.url, token: TOKEN }).live({}, { signal: ended.signal })) {
    expectTypeOf(call).toEqualTypeOf<Call>()
    seen.push(call.id)
    if (seen.length === 3) ended.abort()
  }
  events.close()
  expect(seen).toEqual(['call_1', 'call_2', 'call_3'])
  expect(events.resumed).toEqual([undefined, '2'])
})

test('nobody there, or somebody else, is NoAnswer and says that it may have been done', async () => {
  const stranger = createServer((_, reply) => reply.end('<html>'))
  const url = await opened(stranger)
  const other = new Spendgate({ url, token: TOKEN })
  const strange = other.ask('POST /freeze', { body: { scope: 'all' } })
  await expect(strange).rejects.toThrow(NoAnswer)
  await expect(strange).rejects.toThrow(/may still have been done/)
  await new Promise((resolve) => stranger.close(resolve))
  await expect(other.ask('GET /keys')).rejects.toThrow(NoAnswer)
})

test('the token is not led elsewhere by a redirect', async () => {
  const heard: (string | undefined)[] = []
  const elsewhere = createServer((asked, reply) => (heard.push(asked.headers.authorization), reply.end('{}')))
  const there = await opened(elsewhere)
  const leading = createServer((_, reply) => reply.writeHead(307, { location: there }).end())
  await expect(new Spendgate({ url: await opened(leading), token: TOKEN }).ask('GET /keys')).rejects.toThrow(NoAnswer)
  leading.close()
  elsewhere.close()
  expect(heard).toEqual([])
})

test('an address the token must not be sent to, and a token that is none, are refused before anything is sent', () => {
  for (const url of ['http://gate.example', 'http://192.0.2.1:4243', 'ftp://127.0.0.1', 'http://127.0.0.1.example'])
    expect(() => new Spendgate({ url, token: TOKEN }), url).toThrow(TypeError)
  for (const url of ['https://gate.example', 'http://localhost:1', 'http://[::1]:1'])
    expect(() => new Spendgate({ url, token: TOKEN }), url).not.toThrow()
  for (const token of ['', 'a b', 'a\nb']) expect(() => new Spendgate({ token })).toThrow(TypeError)
})

test('what stands in a path stays in its place', () => {
  const target = (id: string): string => targetOf('GET /keys/{id}', { path: { id } }).target
  expect(target('a/b?c#d')).toBe('/admin/v1/keys/a%2Fb%3Fc%23d')
  for (const id of ['', '.', '..']) expect(() => target(id), id).toThrow(TypeError)
  expect(targetOf('GET /calls', { query: { run: 'a&b', key: undefined } }).target).toBe('/admin/v1/calls?run=a%26b')
})

async function opened(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Two calls a page, without end. */
function listing(): { url: Promise<string>; targets: string[]; close(): void } {
  const targets: string[] = []
  const server = createServer((asked, reply) => {
    const first = targets.push(asked.url!) * 2 - 1
    const calls = [{ id: `call_${first}` }, { id: `call_${first + 1}` }]
    reply.end(JSON.stringify({ calls, next_cursor: `after_call_${first + 1}` }))
  })
  return { url: opened(server), targets, close: () => server.close() }
}

/** Two calls, then the connection breaks; then the next. */
function streaming(): { url: Promise<string>; resumed: unknown[]; close(): void } {
  const resumed: unknown[] = []
  const event = (id: number): string => `id: ${id}\nevent: call\ndata: ${JSON.stringify({ id: `call_${id}` })}\n\n`
  const server = createServer((asked, reply) => {
    resumed.push(asked.headers['last-event-id'])
    reply.writeHead(200, { 'content-type': 'text/event-stream' })
    if (resumed.length > 1) return void reply.write(event(3))
    reply.write(`retry: 2000\n\n${event(1)}${event(2)}`, () => asked.socket.destroy())
  })
  return {
    url: opened(server),
    resumed,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
