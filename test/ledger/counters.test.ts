import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Counters, type Counter } from '../../src/ledger/counters.js'
import { migrations } from '../../src/ledger/open.js'

let db: Database.Database
let counters: Counters
beforeEach(() => {
  db = new Database(':memory:')
  for (const { sql } of migrations()) db.exec(sql)
  counters = new Counters(db)
})
afterEach(() => void db.close())

const day = (date: string, counter = 'key:a|day') => ({ counter, window: `2026-11-${date}`, since: 0 })
const made = (of: ReturnType<typeof day>, spent = 0n, held = 0n): Counter => {
  const counter = counters.make(of)
  counters.add(counter, spent, held)
  return counter
}
const sums = (counter: Counter | null): unknown => counter && [counter.spent, counter.held]

describe('a counter', () => {
  test('is nothing until it is made, and then one object by whatever name it is asked for', () => {
    expect(counters.peek(day('21'))).toBeNull()
    const counter = made(day('21'))
    expect(sums(counter)).toEqual([0n, 0n])
    expect(counters.peek(day('21'))).toBe(counter)
    expect(counters.byId(counter.id)).toBe(counter)
    expect(counters.peek(day('22'))).toBeNull()
    expect(counters.peek(day('21', 'key:b|day'))).toBeNull()
  })

  test('asked for by number first is the same by name', () => {
    const { id } = made(day('21'), 5n, 7n)
    counters.write()
    counters.forget()
    const counter = counters.byId(id)
    expect(sums(counter)).toEqual([5n, 7n])
    expect(counters.peek(day('21'))).toBe(counter)
    counters.add(counter, 1n, -2n)
    expect(sums(counters.peek(day('21')))).toEqual([6n, 5n])
  })

  test('known by its number alone counts too', () => {
    const { id } = made(day('21'), 5n, 7n)
    counters.write()
    counters.forget()
    counters.add(counters.byId(id), 1n, 1n)
    counters.write()
    counters.forget()
    expect(sums(counters.peek(day('21')))).toEqual([6n, 8n])
  })

  test('stays in memory over a commit, and the file is not asked again', () => {
    const counter = made(day('21'), 5n, 7n)
    counters.write()
    db.exec('delete from counters')
    expect(counters.peek(day('21'))).toBe(counter)
    expect(counters.byId(counter.id)).toBe(counter)
  })

  test('is written once a commit, however many calls it holds', () => {
    const changes = db.prepare('select total_changes()').pluck()
    const counter = made(day('21'), 1n)
    for (let i = 0; i < 3; i++) counters.add(counter, 1n, 1n)
    const before = changes.get() as number
    counters.write()
    counters.write()
    expect(changes.get()).toBe(before + 1)
  })

  test('that is not there by its number is a bug', () => {
    expect(() => counters.byId(99)).toThrow('counter 99 is gone')
  })

  test('is written with its transaction, and read again when memory was dropped', () => {
    const counter = made(day('21'), 5n, 7n)
    counters.forget()
    expect(sums(counters.peek(day('21')))).toEqual([0n, 0n])
    const again = counters.peek(day('21'))!
    expect(again).not.toBe(counter)
    counters.add(again, 3n, 4n)
    counters.add(again, 1n, 1n)
    counters.write()
    counters.add(again, 1n, 0n)
    counters.write()
    counters.forget()
    expect(sums(counters.peek(day('21')))).toEqual([5n, 5n])
  })

  test('not written before a rollback is not written after it', () => {
    made(day('21'), 5n, 0n)
    counters.write()
    counters.add(counters.peek(day('21'))!, 100n, 0n)
    counters.forget()
    counters.write()
    counters.forget()
    expect(sums(counters.peek(day('21')))).toEqual([5n, 0n])
  })
})

describe('a span that has ended', () => {
  const now = (of: ReturnType<typeof day>): string | undefined => counters.current(of)?.place?.window

  test('stays ended once money was counted on a later one, spent or held', () => {
    made(day('21'), 1n)
    expect(now(day('21'))).toBe('2026-11-21')
    made(day('22'), 0n, 1n)
    expect(now(day('21'))).toBe('2026-11-22')
    made(day('23'), 1n, 0n)
    expect([now(day('21')), now(day('22')), now(day('23'))]).toEqual(Array(3).fill('2026-11-23'))
    expect(counters.current(day('24'))).toBeNull()
  })

  test('stays ended when an earlier one counts once more', () => {
    const first = made(day('21'), 1n)
    made(day('22'), 1n)
    counters.add(first, 1n, 0n)
    expect(now(day('21'))).toBe('2026-11-22')
  })

  test('is ended by a later one that was known by its number first', () => {
    made(day('21'), 1n)
    const { id } = made(day('22'))
    counters.write()
    counters.forget()
    counters.byId(id)
    expect(now(day('21'))).toBe('2026-11-21')
    counters.add(counters.peek(day('22'))!, 1n, 0n)
    expect(now(day('21'))).toBe('2026-11-22')
  })

  test('stays ended after a restart too', () => {
    made(day('21'), 1n)
    made(day('22'), 0n, 1n)
    made(day('23'), 0n, 0n)
    counters.write()
    counters.forget()
    expect(now(day('21'))).toBe('2026-11-22')
  })

  test('is not ended by a later one that counted nothing, or only gave back', () => {
    made(day('21'), 5n)
    const later = made(day('22'), 0n, 0n)
    expect(now(day('21'))).toBe('2026-11-21')
    counters.add(later, -0n, -0n)
    expect(now(day('21'))).toBe('2026-11-21')
  })

  test('of one counter says nothing of another', () => {
    made(day('25', 'key:b|day'), 1n)
    made(day('21'), 1n)
    expect(now(day('21'))).toBe('2026-11-21')
  })

  test('is for spans in time alone: of runs none is the later', () => {
    made({ ...day('21'), window: 'run_b' }, 1n)
    made({ ...day('21'), window: 'run_a' }, 1n)
    expect(counters.current({ counter: 'key:a|day', window: 'run_a', since: null })?.place?.window).toBe('run_a')
  })
})

test('a hundred thousand counters at most stay in memory over a commit', () => {
  db.exec(`
    with recursive n (i) as (select 1 union all select i + 1 from n where i <= 100000)
    insert into counters (id, counter, window, spent, held) select i, 'key:a|run', 'run_' || i, i, 0 from n
  `)
  for (let id = 1; id <= 100_000; id++) counters.byId(id)
  const first = counters.byId(1)
  counters.write()
  expect(counters.byId(1)).toBe(first)
  counters.byId(100_001)
  counters.write()
  expect(counters.byId(1)).not.toBe(first)
  expect(sums(counters.byId(1))).toEqual([1n, 0n])
})
