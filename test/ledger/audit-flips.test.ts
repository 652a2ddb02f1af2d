import { join } from 'node:path'
import type Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { archiver } from '../../src/audit/archive.js'
import { verify } from '../../src/ledger/verify.js'
import { AuditBook, EMAIL } from './audit-book.js'
import { budget, DAY, done, draft, newKey, reply } from './book.js'

/* One flipped bit anywhere in history is found, whoever flipped it: the triggers are out of the way here. */

const TABLES = [
  'entries',
  'calls',
  'counters',
  'commitments',
  'exposures',
  'keys',
  'freezes',
  'credentials',
  'policies',
  'approvals',
  'movements',
  'resolutions',
  'checkpoints',
  'settings',
  'threads',
  'tallies',
] as const
/** Of runs the first and last instant are not proved: they are shown, and nothing is decided by them. */
const PROVED_OF_RUNS = ['run', 'root_id', 'vendor', 'calls', 'denied', 'spent', 'held']

/** History that grew by itself, and one that was pruned and erased in between. */
const LIVES: Readonly<Record<string, (book: AuditBook) => Promise<unknown>>> = {
  'as it grew': (book) => book.furnish(),
  'pruned and erased': async (book) => {
    const { ledger, clock, signer } = book
    const key = await newKey(ledger)
    for (let i = 0; i < 5; i++)
      await done(ledger, draft(key, '1.00', { budgets: [budget('key:old', '9.00')], object: 'pi_0' }), reply('settled'))
    await ledger.checkpoint(signer)
    clock.at += 40 * DAY
    const archive = archiver(join(book.dir, 'archive'), () => book.publicKeys)
    expect((await ledger.prune(clock.at - 36 * DAY, archive, 'ada')).calls).toBe(5)
    await book.furnish()
    expect((await ledger.erase(EMAIL, 'd1'.repeat(32), 'ada')).calls).toBeGreaterThan(0)
    await ledger.checkpoint(signer)
  },
}

describe.each(Object.keys(LIVES))('in history %s', (life) => {
  let book: AuditBook
  let db: Database.Database
  beforeAll(async () => {
    book = await AuditBook.begun()
    await LIVES[life]!(book)
    db = await book.copy()
    db.pragma('foreign_keys = OFF')
    db.pragma('ignore_check_constraints = ON')
    db.defaultSafeIntegers(true)
  })
  afterAll(async () => {
    db.close()
    await book.close()
  })

  test('the book that bits are flipped in is sound, and has rows in every table', async () => {
    expect(verify(plain())).toEqual([])
    for (const table of [...TABLES, 'runs'])
      expect(db.prepare(`select count(*) from ${table}`).pluck().get()).toBeGreaterThan(0n)
  })

  test.each([...TABLES, 'runs'])('one flipped bit in any column of %s is found', (table) => {
    const columns = (db.pragma(`table_info(${table})`) as { name: string; type: string }[]).filter(
      ({ name }) => table !== 'runs' || PROVED_OF_RUNS.includes(name),
    )
    const rows = db.prepare(`select * from ${table}`).all() as Record<string, unknown>[]
    const unseen: string[] = []
    for (const column of columns) {
      // Every column at least once, in rows and at places that chance chooses.
      fc.assert(
        fc.property(fc.nat(rows.length - 1), fc.nat(), (at, bit) => {
          const row = rows[at]!
          const value = flipped(row[column.name], bit, column.type)
          const faults = changed(table, row, column.name, value)
          if (faults !== null && faults.length === 0)
            unseen.push(`${table}.${column.name}: ${String(row[column.name])} → ${String(value)}`)
        }),
        { numRuns: 4 },
      )
    }
    expect(unseen).toEqual([])
  })

  /** What `verify` says with one value changed; null when the database itself refuses the value. */
  function changed(
    table: string,
    row: Record<string, unknown>,
    column: string,
    value: unknown,
  ): readonly string[] | null {
    const where = Object.keys(row).map((name) => `${name} is ?`)
    db.exec('begin')
    try {
      try {
        db.prepare(`update ${table} set ${column} = ? where ${where.join(' and ')}`).run(value, ...Object.values(row))
      } catch (refusal) {
        if ((refusal as { code?: string }).code?.startsWith('SQLITE_CONSTRAINT')) return null
        throw refusal
      }
      return verify(plain())
    } finally {
      db.exec('rollback')
      db.defaultSafeIntegers(true)
    }
  }

  /** The database as `verify` is given it: numbers where it does not ask for integers. */
  const plain = (): Database.Database => db.defaultSafeIntegers(false)
})

/** A value one bit away; something in place of nothing. */
function flipped(value: unknown, bit: number, type: string): unknown {
  if (value === null) return type === 'INTEGER' ? 1n : 'x'
  if (typeof value === 'bigint') return value ^ (1n << BigInt(bit % 40))
  const text = String(value)
  if (text === '') return 'x'
  const at = bit % text.length
  return `${text.slice(0, at)}${String.fromCharCode(text.charCodeAt(at) ^ 1)}${text.slice(at + 1)}`
}
