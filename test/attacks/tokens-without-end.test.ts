import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { KeyRecord, Page, Paged } from '../../src/contracts/ledger.js'
import { Issued } from '../../src/surfaces/issued.js'
import type { Answer, World } from '../helpers/world.js'
import { books, DAY, MINUTE, startWorld, travel } from '../pipeline/given.js'

/*
 * An agent that may have twenty living tokens has them end after a second, and asks for the next, day and night: each
 * one stays in memory, and with it as many patterns as a body holds.
 */

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterEach(() => {
  vi.restoreAllMocks()
})
afterAll(async () => {
  await books(world)
  await world.close()
})

const ask = (key: string): Promise<Answer> =>
  world.call(key, 'POST', '/tokens', JSON.stringify({ expiresIn: 1 }), { 'content-type': 'application/json' })

test('the agent of a root key under which the day’s tokens were issued waits, and the operator does not', async () => {
  const parent = await world.key({ issue: { max_children: 1 } }, { expires_in: '30d' })
  const take = vi.spyOn(Issued.prototype, 'take').mockResolvedValueOnce(DAY - 1)
  const refused = await ask(parent.key)
  expect([refused.status, refused.body.code, refused.headers['retry-after']]).toEqual([429, 'rate_limited', '86400'])
  expect(refused.body.detail).toBe('1000 tokens in 24 hours may be issued under one root key. Retry after 86400 s.')
  expect(take).toHaveBeenCalledExactlyOnceWith(parent.id)
  await world.must('POST', `/keys/${parent.id}/tokens`, { expiresIn: 1 })
  travel(world, MINUTE)
  const issued = (await ask(parent.key)).body
  // The one place is taken, so this is none of the day's.
  const giveBack = vi.spyOn(Issued.prototype, 'giveBack')
  expect((await ask(parent.key)).body.code).toBe('too_many_children')
  expect(giveBack).toHaveBeenCalledExactlyOnceWith(parent.id)
  // A token counts with the key at the top.
  await ask(issued.key)
  expect(take.mock.calls.map(([rootId]) => rootId)).toEqual(Array(4).fill(parent.id))
})

test('patterns that fill more than 16 KiB are not taken, whatever their number', async () => {
  const { key } = await world.key({ issue: { max_children: 1 } })
  const deny = Array.from({ length: 45 }, (_, at) => `* *${at}${'a'.repeat(400)}*`)
  const answer = await world.call(key, 'POST', '/tokens', JSON.stringify({ endpoints: { deny } }), {
    'content-type': 'application/json',
  })
  expect([answer.status, answer.body.code]).toEqual([413, 'body_too_large'])
})

test('what the ledger had is counted once, page by page; what was refused after all gives its place back', async () => {
  const at = (id: number, createdAt: number, more: Partial<KeyRecord> = {}): KeyRecord =>
    ({ id: `key_${id}`, rootId: 'root', parentId: 'root', createdAt, ...more }) as KeyRecord
  const rows = [
    ...Array.from({ length: 1_001 }, (_, id) => at(id, 2 * DAY - id, id < 999 ? { rootId: 'other' } : {})),
    at(2_000, DAY + 1, { parentId: null }),
    at(2_001, DAY),
  ]
  let pages = 0
  const keys = async ({ limit, cursor }: Page): Promise<Paged<KeyRecord>> => {
    pages++
    const from = cursor === undefined ? 0 : rows.findIndex(({ id }) => id === cursor) + 1
    const found = rows.slice(from, from + limit)
    return { rows: found, next: from + limit < rows.length ? found.at(-1)!.id : null }
  }
  let now = 2 * DAY
  const issued = new Issued({ keys }, { now: () => now, monotonic: () => now }, 4)
  expect(await Promise.all([issued.take('root'), issued.take('root'), issued.take('root')])).toEqual([
    0,
    0,
    DAY - 1_000,
  ])
  expect(pages).toBe(2)
  await issued.giveBack('root')
  expect(await issued.take('root')).toBe(0)
  now += DAY
  expect(await issued.take('root')).toBe(0)
})
