import { afterEach, beforeEach, expect, test } from 'vitest'
import { Growth } from '../../src/audit/growth.js'
import { AuditBook } from './audit-book.js'
import { allow, DAY, draft, HOUR, newKey } from './book.js'

const GIB = 1024 ** 3
let book: AuditBook
let logged: string[]
let freeBytes: number
beforeEach(async () => {
  book = await AuditBook.begun()
  logged = []
  freeBytes = 100 * GIB
})
afterEach(() => book.close())

const growth = (): Growth =>
  new Growth({
    ledger: book.ledger,
    files: [book.file, `${book.file}-wal`, `${book.file}.absent`],
    directory: book.dir,
    clock: book.clock,
    log: (level, event) => void logged.push(`${level} ${event}`),
    statfs: () => ({ type: 0xef53, bsize: 4096, bavail: Math.floor(freeBytes / 4096) }),
  })

/** So many entries a day for some days. */
async function days(count: number, entries: number): Promise<void> {
  const key = await newKey(book.ledger)
  for (let day = 0; day < count; day++) {
    await Promise.all(Array.from({ length: entries }, () => book.ledger.admit(draft(key, '0.00'), allow)))
    book.clock.at += DAY
  }
}

test('a young ledger has a size and no growth to speak of', async () => {
  const of = growth()
  await of.look()
  expect(of.gauges()).toEqual({ spendgate_ledger_bytes: expect.any(Number) })
  expect(of.gauges().spendgate_ledger_bytes).toBeGreaterThan(4096)
  expect([of.warning, logged]).toEqual([null, []])
})

test('the days left follow from what the last day added', async () => {
  await days(10, 200)
  book.clock.at -= HOUR
  const of = growth()
  await of.look()
  const { spendgate_ledger_bytes: bytes, spendgate_ledger_days_left: left } = of.gauges()
  const perDay = bytes! / 10
  expect(left! / (freeBytes / perDay)).toBeGreaterThan(0.9)
  expect(left! / (freeBytes / perDay)).toBeLessThan(1.1)
  expect(of.warning).toBeNull()
})

test('less than thirty days are told of in time, by a sentence and in the log', async () => {
  await days(4, 200)
  book.clock.at -= HOUR
  const of = growth()
  await of.look()
  freeBytes = ((of.gauges().spendgate_ledger_bytes ?? 0) / 4) * 12.5
  await of.look()
  expect(of.warning).toBe(
    'The disk of the ledger has room for 12 days at its growth of the last day. Make room, or prune history.',
  )
  expect(logged).toEqual(['warn disk_little_room'])
})

test('less than a gibibyte is told of, whatever the growth is', async () => {
  freeBytes = 700 * 1024 ** 2
  const of = growth()
  await of.look()
  expect(of.warning).toBe('The disk of the ledger has 700 MiB left. Make room, or prune history.')
})

test('a disk that cannot be seen is told of and stops nothing', async () => {
  const of = new Growth({
    ledger: book.ledger,
    files: [book.file],
    directory: book.dir,
    clock: book.clock,
    log: (level, event) => void logged.push(`${level} ${event}`),
    statfs: () => {
      throw new Error('EIO')
    },
  })
  await of.look()
  expect(logged).toEqual(['warn disk_not_seen'])
})
