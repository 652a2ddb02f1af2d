import type { IncomingMessage } from 'node:http'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { CallRow } from '../../src/contracts/ledger.js'
import { TOKEN, World } from './world.js'

let world: World
let key: string
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  world = await World.start()
  key = (await world.key()).id
})
afterEach(async () => {
  vi.useRealTimers()
  world.expectNoSecrets()
  await world.close()
})

/** Reads a stream event by event. */
class Reader {
  #text = ''
  readonly #chunks: AsyncIterator<Buffer>

  constructor(readonly reply: IncomingMessage) {
    this.#chunks = reply[Symbol.asyncIterator]()
  }

  /** The next block of lines, or null when the stream ends. */
  async block(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end >= 0) {
        const found = this.#text.slice(0, end)
        this.#text = this.#text.slice(end + 2)
        return found
      }
      const { value, done } = await this.#chunks.next()
      if (done) return null
      this.#text += (value as Buffer).toString()
    }
  }

  async call(): Promise<{ readonly seq: number; readonly id: string; readonly state: string; readonly run: string }> {
    const block = await this.block()
    const found = /^event: call\nid: (\d+)\ndata: (.+)$/.exec(block ?? '')
    expect(found, block ?? 'the stream ended').not.toBeNull()
    return { ...JSON.parse(found![2]!), seq: Number(found![1]) }
  }
}

async function open(path = '', headers: Record<string, string> = {}): Promise<Reader> {
  const reply = await world.open('GET', `/admin/v1/calls/stream${path}`, undefined, { headers })
  expect([reply.statusCode, reply.headers['content-type']]).toEqual([200, 'text/event-stream'])
  const reader = new Reader(reply)
  expect(await reader.block()).toBe('retry: 2000')
  return reader
}

test('a call is sent when it is booked and again when it has ended', async () => {
  await world.call(key, 1_000_000n)
  const reader = await open()
  const id = await world.call(key, 2_000_000n)
  expect(await reader.call()).toMatchObject({ id, state: 'reserved' })
  expect(await reader.call()).toMatchObject({ id, state: 'settled', quoted_usd: '2.00', settled_usd: '2.00' })
  reader.reply.destroy()
})

test('after Last-Event-ID the missed calls come first, in order, then what happens', async () => {
  const made: string[] = []
  for (let each = 0; each < 3; each++) made.push(await world.call(key, 1_000_000n))
  const first = await open('', { 'last-event-id': '0' })
  const seen = [await first.call(), await first.call(), await first.call()]
  expect(seen.map((call) => call.id)).toEqual(made)
  first.reply.destroy()
  const second = await open('', { 'last-event-id': String(seen[1]!.seq) })
  expect((await second.call()).id).toBe(made[2])
  const id = await world.call(key, 1_000_000n, null)
  expect(await second.call()).toMatchObject({ id, state: 'denied' })
  second.reply.destroy()
})

test('many missed calls are replayed in full', async () => {
  for (let each = 0; each < 450; each++)
    await world.call(key, 1n, null, { path: `/v1/refunds/${each}`, run: `run_${each}` })
  const rows = await world.ledger.callsAfter(0, 1000)
  const reader = await open('', { 'last-event-id': '0' })
  const seen: number[] = []
  while (seen.length < rows.length) seen.push((await reader.call()).seq)
  expect(seen).toEqual(rows.map((row) => row.seq))
  reader.reply.destroy()
})

test('a filter holds for missed calls and live ones', async () => {
  const wanted = await world.call(key, 1_000_000n, undefined, { run: 'run_a' })
  await world.call(key, 1_000_000n, undefined, { run: 'run_b' })
  const reader = await open('?run=run_a', { 'last-event-id': '0' })
  expect((await reader.call()).id).toBe(wanted)
  await world.call(key, 1_000_000n, undefined, { run: 'run_b' })
  const next = await world.call(key, 1_000_000n, undefined, { run: 'run_a' })
  expect((await reader.call()).id).toBe(next)
  reader.reply.destroy()
})

test('a quiet stream is kept alive, and ends when the token is replaced', async () => {
  const reader = await open()
  vi.advanceTimersByTime(15_000)
  expect(await reader.block()).toBe(': still here')
  world.token = `${TOKEN}-next`
  vi.advanceTimersByTime(15_000)
  expect(await reader.block()).toBeNull()
})

test('the number of streams is bounded, and a reader that leaves makes room', async () => {
  const readers = await Promise.all(Array.from({ length: 64 }, () => open()))
  const refused = await world.get('/calls/stream')
  expect([refused.status, refused.body.code]).toEqual([503, 'too_many_streams'])
  const left = new Promise((resolve) => readers[0]!.reply.socket.once('close', resolve))
  readers[0]!.reply.destroy()
  await left
  await vi.waitFor(async () => {
    const reply = await world.open('GET', '/admin/v1/calls/stream')
    reply.destroy()
    expect(reply.statusCode).toBe(200)
  })
  for (const reader of readers) reader.reply.destroy()
})

test('a reader that falls too far behind is cut off rather than kept in memory', async () => {
  let tell: (row: CallRow) => void = () => {}
  let unsubscribed = false
  vi.spyOn(world.ledger, 'onChange').mockImplementation((listener) => {
    tell = listener
    return () => (unsubscribed = true)
  })
  await world.call(key, 1_000_000n)
  const [row] = await world.ledger.callsAfter(0, 1)
  const reader = await open()
  for (let each = 0; each < 1001; each++) tell(row!)
  expect(unsubscribed).toBe(true)
  expect(await reader.block()).toBeNull()
})

test('an id that is none is refused', async () => {
  expect((await world.get('/calls/stream', { headers: { 'last-event-id': 'call_x' } })).status).toBe(400)
  expect((await world.get('/calls/stream?after=0')).status).toBe(400)
})
