import Database from 'better-sqlite3'
import { beforeEach, describe, expect, test } from 'vitest'
import { keyed, Recording, tablesIn } from '../../src/ledger/recording.js'

let db: Database.Database
let recording: Recording
let on: Database.Database

beforeEach(() => {
  db = new Database(':memory:')
  db.exec('create table a (k integer primary key, v text); create table b (k integer primary key, v text)')
  db.exec(`insert into a values (1, 'one'); insert into b values (1, 'eins')`)
  recording = new Recording(db)
  on = recording.db
})

/** Plays what was recorded, as the thread does. */
function play(): void {
  const { texts, steps } = recording.end()!
  const statements = new Map(texts.map(([number, sql]) => [number, db.prepare(sql)]))
  for (let i = 0; i < steps.length;) {
    const end = i + 2 + (steps[i + 1] as number)
    statements.get(steps[i] as number)!.run(...steps.slice(i + 2, end))
    i = end
  }
}

test('writes are recorded and not run; what plays them finds them in their order', () => {
  const insert = on.prepare('insert into a values (?, ?)')
  const change = on.prepare('update a set v = ? where k = ?')
  recording.begin()
  insert.run(2, 'two')
  change.run('zwei', 2)
  expect(db.prepare('select count(*) from a').pluck().get()).toBe(1)
  play()
  expect(db.prepare('select * from a order by k').all()).toEqual([
    { k: 1, v: 'one' },
    { k: 2, v: 'zwei' },
  ])
})

test('a text is told once; a new thread is told all of them again', () => {
  const insert = on.prepare('insert into a values (?, ?)')
  const told = (): number => {
    recording.begin()
    insert.run(7, null)
    return recording.end()!.texts.length
  }
  expect([told(), told()]).toEqual([1, 0])
  recording.forgetSent()
  expect(told()).toBe(1)
})

test('what is dropped is never run', () => {
  const insert = on.prepare('insert into a values (?, ?)')
  recording.begin()
  insert.run(2, 'two')
  recording.drop()
  expect(recording.end()).toBeNull()
  expect(db.prepare('select count(*) from a').pluck().get()).toBe(1)
})

describe('a read', () => {
  const write = (): void => {
    on.prepare('update a set v = ? where k = 1').run('new')
  }

  test.each(['get', 'all', 'iterate'] as const)('of a table that was written gives the recording up (%s)', (how) => {
    recording.begin()
    write()
    const found = on.prepare('select v from a where k = 1')[how]()
    expect(how === 'get' ? found : [...(found as Iterable<unknown>)][0]).toEqual({ v: 'new' })
    expect(recording.end()).toBeNull()
  })

  test('of another table does not, and finds what is in the file', () => {
    recording.begin()
    write()
    expect(on.prepare('select v from b').pluck().get()).toBe('eins')
    expect(recording.going).toBe(true)
  })

  test('before the write does not', () => {
    recording.begin()
    expect(on.prepare('select v from a').pluck().get()).toBe('one')
    write()
    expect(recording.going).toBe(true)
  })

  test('of a joined table that was written does', () => {
    recording.begin()
    write()
    expect(on.prepare('select a.v from b join a on a.k = b.k').pluck().get()).toBe('new')
    expect(recording.going).toBe(false)
  })

  test('after it was given up runs here, as every write does', () => {
    recording.begin()
    write()
    on.prepare('select * from a').all()
    on.prepare('insert into b values (2, ?)').run('zwei')
    expect(db.prepare('select count(*) from b').pluck().get()).toBe(2)
    expect(recording.end()).toBeNull()
  })

  describe('by keys', () => {
    const row = (k: unknown): string => `row ${String(k)}`
    const readOne = (): Database.Statement =>
      keyed(on.prepare('select v from a where k = ?').pluck(), ([k]) => [row(k)])
    const writeOne = (): Database.Statement => keyed(on.prepare('insert into a values (?, ?)'), ([k]) => [row(k), null])

    test('of what was written by other keys is answered from the file', () => {
      recording.begin()
      writeOne().run(2, 'two')
      expect(readOne().get(1)).toBe('one')
      expect(recording.going).toBe(true)
    })

    test('of what was written by the same gives it up', () => {
      recording.begin()
      writeOne().run(2, 'two')
      expect(readOne().get(2)).toBe('two')
      expect(recording.going).toBe(false)
    })

    test('of a table that was written without keys gives it up', () => {
      recording.begin()
      write()
      expect(readOne().get(1)).toBe('new')
      expect(recording.going).toBe(false)
    })

    test('is met by none that reads the whole table', () => {
      recording.begin()
      writeOne().run(2, 'two')
      expect(on.prepare('select count(*) from a').pluck().get()).toBe(2)
      expect(recording.going).toBe(false)
    })

    test('forgets with the next recording what the last one wrote', () => {
      recording.begin()
      writeOne().run(2, 'two')
      play()
      recording.begin()
      expect(readOne().get(2)).toBe('two')
      expect(recording.going).toBe(true)
    })
  })
})

test('who looks at what a write returned gets the truth', () => {
  const insert = on.prepare('insert into a (v) values (?)')
  recording.begin()
  insert.run('two')
  const last = insert.run('three')
  expect([last.changes, Number(last.lastInsertRowid)]).toEqual([1, 3])
  expect([last.changes, Number(last.lastInsertRowid)]).toEqual([1, 3])
  expect(recording.end()).toBeNull()
})

test('a statement outside a recording is the driver’s', () => {
  expect(on.prepare('update a set v = ?').run('x').changes).toBe(1)
  expect(on.prepare('select k from a').pluck().safeIntegers().get()).toBe(1n)
})

test.each([
  ['select 1 from a join b on a.k = b.k', ['a', 'b']],
  ['insert into a (k) select k from b where true on conflict do update set v = 1', ['a', 'b']],
  ['update a set v = (select v from b)', ['a', 'b']],
  ['delete from a where k = 1', ['a']],
  ['begin immediate', []],
])('the tables of «%s»', (sql, tables) => {
  expect(tablesIn(sql)).toEqual(tables)
})
