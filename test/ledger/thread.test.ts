import Database from 'better-sqlite3'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LedgerFault, type Admission, type KeyRecord } from '../../src/contracts/ledger.js'
import { CommitThread, ThreadEnded } from '../../src/ledger/commit-thread.js'
import type { Script } from '../../src/ledger/recording.js'
import { SqliteLedger } from '../../src/ledger/sqlite.js'
import { Storage } from '../../src/ledger/storage.js'
import { admitted, allow, budget, counted, dollars, draft, newKey, reply, row, rows, StandingClock } from './book.js'

let dir: string
let storage: Storage
let ledger: SqliteLedger
let thread: Troubled
let key: KeyRecord
const cap = budget('key:a', '1000.00')

/** A thread in front of which something happens when it is told. */
class Troubled extends CommitThread {
  scripts: Script[] = []
  before: ((script: Script) => Promise<void>) | null = null

  override async run(script: Script): Promise<void> {
    this.scripts.push(script)
    // Not in the turn that hands it over.
    await Promise.resolve()
    await this.before?.(script)
    return super.run(script)
  }
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'spendgate-thread-'))
  const file = join(dir, 'spendgate.db')
  storage = new Storage(file, { shared: true })
  ledger = new SqliteLedger(storage.db, new StandingClock(), storage)
  thread = new Troubled(file)
  ledger.useThread(thread)
  await thread.ready
  key = await newKey(ledger)
  // A counter that is new is made here: its number is asked for.
  await ledger.admit(draft(key, '0.00', { budgets: [cap] }), allow)
})
afterEach(async () => {
  await ledger.close()
  rmSync(dir, { recursive: true, force: true })
})

const eight = (): Promise<Admission>[] =>
  Array.from({ length: 8 }, () => ledger.admit(draft(key, '1.00', { budgets: [cap] }), allow))

test('one call is written here, several that wait are written there, and all are durable', async () => {
  await ledger.admit(draft(key, '1.00', { budgets: [cap] }), allow)
  expect(thread.scripts).toHaveLength(0)
  await Promise.all(eight())
  expect(thread.scripts).toHaveLength(1)
  const other = new Database(storage.file, { readonly: true })
  expect(other.prepare(`select count(*) from calls where state = 'reserved'`).pluck().get()).toBe(10)
  other.close()
  expect(await counted(ledger, cap)).toEqual({ spent: dollars('0.00'), held: dollars('9.00') })
})

test('what comes while a transaction is written is decided on what that came to', async () => {
  const first = eight()
  let second: Promise<Admission>[] = []
  thread.before = async () => {
    thread.before = null
    second = eight()
  }
  await Promise.all(first)
  await Promise.all(second)
  expect(thread.scripts).toHaveLength(2)
  expect((await rows(ledger)).map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(
    Array.from({ length: 17 }, (_, i) => i + 1),
  )
  expect(await ledger.verify()).toEqual([])
})

test('an administrator waits for what is being written, and what waits for room does not pass before', async () => {
  const calls = eight()
  let stopped: Promise<unknown> | null = null
  thread.before = async () => {
    thread.before = null
    stopped = ledger.revoke(key.id, null, 'operator')
  }
  const ids = (await Promise.all(calls)).map(({ callId }) => callId)
  await stopped
  // They were admitted; none of their bytes may leave any more.
  for (const id of ids) expect(ledger.mayLeave(id)).toMatchObject({ code: 'key_revoked' })
  expect(await ledger.verify()).toEqual([])
})

test.each([
  ['SQLITE_FULL', /disk under the ledger is full/],
  ['SQLITE_IOERR_WRITE', /fails to write/],
])('%s there: nobody is admitted, nothing is counted, and what was settled is kept', async (code, told) => {
  const [first] = await Promise.all(eight())
  const id = first!.callId
  ledger.mayLeave(id)
  thread.before = async () => {
    throw Object.assign(new Error('injected'), { code })
  }
  ledger.settle(id, reply('settled', { amount: dollars('0.40') }))
  for (const each of await Promise.allSettled(eight()))
    expect(each).toMatchObject({ status: 'rejected', reason: expect.any(LedgerFault) })
  expect(storage.fault?.message).toMatch(told)
  thread.before = null
  await ledger.flushed()
  expect(await counted(ledger, cap)).toEqual({ spent: dollars('0.40'), held: dollars('7.00') })
  expect((await row(ledger, id)).state).toBe('settled')
  // A number that nobody got is given out again.
  expect((await row(ledger, (await admitted(ledger, draft(key, '1.00', { budgets: [cap] }))).callId)).seq).toBe(10)
  expect(await ledger.verify()).toEqual([])
  await Promise.all(eight())
  expect(await ledger.verify()).toEqual([])
})

test('a statement that fails there takes the whole transaction back', async () => {
  await Promise.all(eight())
  // As if somebody else had given this number out.
  const intruder = new Database(storage.file)
  intruder.exec(`insert into entries (seq, at, kind, call_seq, amount, detail, hash)
    values (${ledger.end.seq + 3}, 0, 'x', null, 0, '{}', 'x')`)
  intruder.close()
  for (const each of await Promise.allSettled(eight()))
    expect(each).toMatchObject({ status: 'rejected', reason: expect.any(LedgerFault) })
  expect(await rows(ledger)).toHaveLength(9)
})

test('a thread that ends before it wrote: nobody is admitted, and the next calls are written here', async () => {
  const warned = new Promise((resolve) => process.once('warning', resolve))
  thread.before = async () => {
    throw new ThreadEnded('gone')
  }
  for (const each of await Promise.allSettled(eight()))
    expect(each).toMatchObject({ status: 'rejected', reason: expect.any(LedgerFault) })
  expect(await warned).toMatchObject({ message: expect.stringContaining('without a thread') })
  await Promise.all(eight())
  expect(thread.scripts).toHaveLength(1)
  expect(await counted(ledger, cap)).toEqual({ spent: dollars('0.00'), held: dollars('8.00') })
  expect(await ledger.verify()).toEqual([])
  await thread.close()
})

test('a thread that cannot even take a transaction back ends, says why, and leaves nothing of it in the file', async () => {
  // As if the disk had failed under both: only what stands for SQLite there is made up, in front of the real one.
  const driver = join(dir, 'driver.cjs')
  const real = createRequire(import.meta.url).resolve('better-sqlite3')
  writeFileSync(
    driver,
    `const Database = require(${JSON.stringify(real)})
     module.exports = class extends Database {
       exec(sql) { if (sql === 'rollback') throw new Error('the disk is gone'); return super.exec(sql) }
     }`,
  )
  const doomed = new CommitThread(storage.file, driver)
  await doomed.ready
  ledger.useThread(doomed)
  await doomed.ready
  await Promise.all(eight())
  const intruder = new Database(storage.file)
  intruder.exec(`insert into entries (seq, at, kind, call_seq, amount, detail, hash)
    values (${ledger.end.seq + 3}, 0, 'x', null, 0, '{}', 'x')`)
  const warned = new Promise((resolve) => process.once('warning', resolve))
  for (const each of await Promise.allSettled(eight()))
    expect(each).toMatchObject({ status: 'rejected', reason: expect.any(LedgerFault) })
  expect(await warned).toMatchObject({ message: expect.stringContaining('ended: the disk is gone') })
  expect(doomed.ended).toBe(true)
  expect(await rows(ledger)).toHaveLength(9)
  intruder.close()
})

test('a ledger that was closed asks nothing of its file any more', async () => {
  const alone = new Storage(join(dir, 'alone.db'), { shared: false })
  const closing = new SqliteLedger(alone.db, new StandingClock(), alone)
  const its = await newKey(closing)
  const { callId } = await admitted(closing, draft(its, '1.00'))
  closing.mayLeave(callId)
  // Written at once with what is settled, while a commit of it is still due.
  const late = closing.admit(draft(its, '1.00'), allow)
  closing.settle(callId, reply('settled', { amount: dollars('0.40') }))
  await closing.flushed()
  await late
  await closing.close()
  let asked = 0
  alone.check = () => void asked++
  for (let turn = 0; turn < 8; turn++) await new Promise(setImmediate)
  expect(asked).toBe(0)
})

test('a thread that ends after it wrote: everybody is admitted, for the file says so', async () => {
  const run = CommitThread.prototype.run.bind(thread)
  thread.before = async (script) => {
    await run(script)
    throw new ThreadEnded('gone')
  }
  const admissions = await Promise.all(eight())
  expect(admissions).toHaveLength(8)
  await Promise.all(eight())
  expect(await counted(ledger, cap)).toEqual({ spent: dollars('0.00'), held: dollars('16.00') })
  expect(await ledger.verify()).toEqual([])
  await thread.close()
})

test('what is asked while a transaction is written is answered without it', async () => {
  const calls = eight()
  let run: string | null = null
  thread.before = async () => {
    thread.before = null
    // The last call of this key is in no file yet.
    run = ledger.implicitRun(key.rootId, 60_000)
    expect(await ledger.usage([cap])).toEqual([{ spent: dollars('0.00'), held: dollars('8.00') }])
  }
  await Promise.all(calls)
  expect(run).toMatch(/^auto_/)
})

test('a backup under load is made, and opens', async () => {
  let going = true
  const load = (async () => {
    while (going) await Promise.all(eight())
  })()
  const file = join(dir, 'copy.db')
  await ledger.backup(file)
  going = false
  await load
  const copy = new Database(file, { readonly: true })
  expect(copy.pragma('integrity_check', { simple: true })).toBe('ok')
  copy.close()
  expect(await ledger.verify()).toEqual([])
})

test('closing waits for what is being written', async () => {
  const calls = eight()
  await new Promise((resolve) => {
    thread.before = async () => resolve(undefined)
  })
  await ledger.close()
  expect(await Promise.all(calls)).toHaveLength(8)
})
