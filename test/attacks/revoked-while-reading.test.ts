import { afterAll, beforeAll, expect, test } from 'vitest'
import { TOKEN, World } from '../admin/world.js'
import { Door } from '../../src/dashboard/door.js'
import { Pulse } from '../../src/dashboard/stream.js'
import type { CallRow, Ledger } from '../../src/contracts/ledger.js'

/*
 * Somebody opens what goes on for long, and is shut out while it does. No heartbeat comes by in these tests.
 */

let world: World
let allowed = (token: string): boolean => token === TOKEN
beforeAll(async () => {
  world = await World.start({ adminToken: { check: (token) => allowed(token) } })
})
afterAll(() => world.close())

test('a stream of calls tells nothing of what happens after its token was reset', async () => {
  const key = (await world.key()).id
  const reply = await world.open('GET', '/admin/v1/calls/stream')
  const chunks = reply[Symbol.asyncIterator]()
  expect(String((await chunks.next()).value)).toBe('retry: 2000\n\n')
  await world.call(key, 1_000_000n)
  expect(String((await chunks.next()).value)).toContain('event: call')
  const check = allowed
  allowed = () => false
  await world.call(key, 2_000_000n)
  let rest = ''
  for (let read = await chunks.next(); !read.done; read = await chunks.next()) rest += String(read.value)
  expect(rest).not.toContain('"quoted_usd":"2.00"')
  allowed = check
})

test('an export breaks off, and says so: what came is not taken for the whole', async () => {
  const key = (await world.key()).id
  for (let each = 0; each < 260; each++) await world.call(key, 1n)
  let asked = 0
  const check = allowed
  // Before the request, after its body, before the first page and before the second.
  allowed = (token) => ++asked < 4 && check(token)
  const reply = await world.open('GET', '/admin/v1/audit/export')
  const chunks: Buffer[] = []
  for await (const chunk of reply) chunks.push(chunk as Buffer)
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n')
  expect(lines.slice(0, -1).map((line) => JSON.parse(line).seq)).toEqual(Array.from({ length: 500 }, (_, at) => at + 1))
  expect(lines.at(-1)).toBe('Broken off: the token or session that asked for this has ended.')
  expect(asked).toBe(4)
  allowed = check
})

test('an open page hears nothing more once its session is over', async () => {
  let stands = true
  const door = new Door({ now: () => 0, monotonic: () => 0 })
  const token = door.open({ actor: 'opr_1', role: 'viewer', name: 'operator:bob', stands: () => stands })
  let happen = (_row: CallRow): void => undefined
  const onChange = (listener: typeof happen): (() => void) => {
    happen = listener
    return () => undefined
  }
  const pulse = new Pulse({ onChange } as unknown as Ledger)
  const left = new AbortController()
  const reader = pulse.open(left.signal, () => door.find(token, false) !== null).body!.getReader()
  const next = async (): Promise<string> => Buffer.from((await reader.read()).value ?? '').toString()
  expect(await next()).toMatch(/^retry: /)
  stands = false
  happen({} as CallRow)
  expect(await next()).toBe('event: over\ndata: {}\n\n')
  expect((await reader.read()).done).toBe(true)
})
