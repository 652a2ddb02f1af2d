import Database from 'better-sqlite3'
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config.js'
import { LedgerFault } from '../../src/contracts/ledger.js'
import { Fence, type FenceNote } from '../../src/ledger/fence.js'
import { fileSystemOf } from '../../src/ledger/file-system.js'
import { checkedWhole } from '../../src/ledger/open.js'
import { recoveryOf } from '../../src/ledger/recovery.js'
import { openSqlite, type SqliteLedger } from '../../src/ledger/sqlite.js'
import type { StorageOptions } from '../../src/ledger/storage.js'
import { WholeCheck } from '../../src/ledger/whole-check.js'
import { machineStart } from '../../src/machine-start.js'
import { done, draft, newKey, reply, rows, StandingClock } from '../ledger/book.js'
import { within } from './disk.js'

let dir: string
let file: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spendgate-storage-'))
  file = join(dir, 'spendgate.db')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const open = (options: StorageOptions = {}): SqliteLedger =>
  openSqlite({ file, clock: new StandingClock(), ...options })

/** A ledger with so many settled calls, closed. */
async function written(calls = 3): Promise<void> {
  const ledger = open()
  const key = await newKey(ledger)
  for (let i = 0; i < calls; i++) await done(ledger, draft(key, '1.00'), reply('settled'))
  await ledger.close()
}

describe('a file system of the network', () => {
  const on = (type: number) => () => ({ type, bsize: 4096, bavail: 1_000_000 })

  test.runIf(process.platform === 'linux').each([
    [0x6969, 'NFS'],
    [0xff534d42, 'CIFS'],
    [-11317950, 'CIFS'],
    [0xfe534d42, 'SMB 2'],
    [0x65735546, 'FUSE or virtiofs'],
    [0x01021997, '9p'],
  ])('%i is %s and is refused, with the way out', (type, name) => {
    expect(fileSystemOf(dir, on(type)).networked).toBe(name)
    expect(() => open({ statfs: on(type) })).toThrow(LedgerFault)
    expect(() => open({ statfs: on(type) })).toThrow(`is on ${name}.`)
    expect(() => open({ statfs: on(type) })).toThrow(/SPENDGATE_DATA_DIR.*DATABASE_URL.*--allow-network-filesystem/)
    expect(existsSync(file)).toBe(false)
  })

  test('is used on the operator’s word', async () => {
    const said = (env: Record<string, string>, flags = {}): boolean => readConfig(env, flags).allowNetworkFilesystem
    expect(said({})).toBe(false)
    expect(said({ SPENDGATE_ALLOW_NETWORK_FILESYSTEM: 'true' })).toBe(true)
    expect(said({}, { 'allow-network-filesystem': 'true' })).toBe(true)
    await open({ statfs: on(0x6969), allowNetworkFileSystem: true }).close()
    expect(existsSync(file)).toBe(true)
  })

  test.each([
    [0xef53, 'ext4'],
    [0x01021994, 'tmpfs'],
    [0x794c7630, 'overlayfs'],
    [0x9123683e, 'Btrfs'],
    [0x58465342, 'XFS'],
  ])('%i is none (%s)', async (type) => {
    await open({ statfs: on(type) }).close()
  })
})

describe('the fence', () => {
  test('follows the ledger while it runs, and says so when it was closed', async () => {
    const ledger = open()
    const fence = new Fence(file)
    expect(fence.read()).toMatchObject({
      entries: 0,
      boots: 1,
      state: 'open',
      machineStart: machineStart(),
      closed: null,
    })
    const key = await newKey(ledger)
    await done(ledger, draft(key, '1.00'), reply('settled'))
    const { seq, hash } = ledger.end
    await within(3_000, () => fence.read()?.entries === seq)
    expect(fence.read()).toMatchObject({ entries: seq, hash, boots: 1, state: 'open' })
    await ledger.close()
    const { size, mtimeMs } = statSync(file)
    expect(fence.read()).toMatchObject({ entries: seq, state: 'closed', closed: { bytes: size, changedAt: mtimeMs } })
    expect(statSync(`${file}.fence`).mode & 0o077).toBe(0)
    await open().close()
    expect(fence.read()).toMatchObject({ boots: 2 })
  })

  test('of a ledger from before there was one is made at its first start', async () => {
    await written()
    rmSync(`${file}.fence`)
    const ledger = open()
    expect([ledger.storage!.verdict, recoveryOf(ledger)]).toEqual(['none', null])
    await ledger.close()
    expect(new Fence(file).read()).toMatchObject({ state: 'closed' })
  })

  test('finds out a file that was copied back from before', async () => {
    await written(3)
    copyFileSync(file, join(dir, 'old.db'))
    await written(4)
    const known = new Fence(file).read()!.entries
    copyFileSync(join(dir, 'old.db'), file)
    const ledger = open()
    expect(ledger.storage!.verdict).toBe('older')
    expect(recoveryOf(ledger)).toMatchObject({ how: 'found', knownEntries: known })
    expect(await ledger.verify()).toEqual([])
    await ledger.close()
    // It does not get better by itself, and is not found twice.
    const again = open()
    expect([again.storage!.verdict, recoveryOf(again)?.knownEntries]).toEqual(['agrees', known])
    await again.close()
  })

  test('finds out that the log of a server that died was removed', async () => {
    await written(3)
    const ledger = open()
    const key = await newKey(ledger)
    await done(ledger, draft(key, '1.00'), reply('settled'))
    await within(3_000, () => new Fence(file).read()?.entries === ledger.end.seq)
    const died = join(dir, 'died.db')
    for (const tail of ['', '.fence']) copyFileSync(file + tail, died + tail)
    await ledger.close()
    const after = openSqlite({ file: died, clock: new StandingClock() })
    expect([after.storage!.verdict, recoveryOf(after)?.how]).toEqual(['older', 'found'])
    expect(after.freezes()).toMatchObject([{ scope: { kind: 'all' } }])
    expect(await after.verify()).toEqual([])
    await after.close()
  })

  test('finds out a file of another history', async () => {
    await written(3)
    const other = join(dir, 'other.db')
    const foreign = openSqlite({ file: other, clock: new StandingClock() })
    const key = await newKey(foreign)
    for (let i = 0; i < 9; i++) await done(foreign, draft(key, '1.00'), reply('settled'))
    await foreign.close()
    copyFileSync(other, file)
    const ledger = open()
    expect([ledger.storage!.verdict, recoveryOf(ledger)?.how]).toEqual(['other', 'found'])
    await ledger.close()
  })

  test('refuses to begin an empty ledger where one was', async () => {
    await written()
    const note = new Fence(file).read()!
    renameSync(file, `${file}.elsewhere`)
    expect(() => open()).toThrow(`is gone, though ${file}.fence says that it held ${note.entries} entries`)
    writeFileSync(file, '')
    expect(() => open()).toThrow(/is gone/)
    rmSync(file)
    renameSync(`${file}.elsewhere`, file)
    await open().close()
  })

  test('that a power cut left half written claims nothing', async () => {
    await written()
    writeFileSync(`${file}.fence`, '{"entries":12,"ha')
    const ledger = open()
    expect([ledger.storage!.verdict, recoveryOf(ledger)]).toEqual(['none', null])
    await ledger.close()
  })

  test('stops every start until a restore that was killed is run again', async () => {
    await written()
    const fence = new Fence(file)
    fence.write({ ...fence.read()!, state: 'restoring' })
    expect(() => open()).toThrow(/was not finished. Run it again: spendgate restore FILE/)
  })
})

describe('the whole file', () => {
  const LARGE = 200 * 1024 * 1024
  const note = (more: Partial<FenceNote>): FenceNote => ({
    entries: 1,
    hash: 'a'.repeat(64),
    boots: 1,
    state: 'open',
    machineStart: machineStart(),
    closed: null,
    ...more,
  })
  /** Of that size and with nothing in it. */
  const sparse = (bytes: number): FenceNote['closed'] => {
    writeFileSync(file, '')
    truncateSync(file, bytes)
    const { mtimeMs } = statSync(file)
    return { bytes, changedAt: mtimeMs }
  }

  test.runIf(machineStart() !== null)('is read at the start unless nothing can have happened to it', () => {
    const closed = sparse(LARGE)
    expect(checkedWhole(file, note({ state: 'closed', closed }))).toBe(false)
    expect(checkedWhole(file, note({ state: 'open' }))).toBe(false)
    expect(checkedWhole(file, null)).toBe(true)
    expect(checkedWhole(file, note({ state: 'unsure' }))).toBe(true)
    // The machine went down with it, by a power cut perhaps.
    expect(checkedWhole(file, note({ state: 'open', machineStart: 'another' }))).toBe(true)
    expect(checkedWhole(file, note({ state: 'open', machineStart: null }))).toBe(true)
    // Another hand was at it.
    utimesSync(file, new Date(0), new Date(0))
    expect(checkedWhole(file, note({ state: 'closed', closed }))).toBe(true)
  })

  test('is always read when it is small', () => {
    const closed = sparse(1024 * 1024)
    expect(checkedWhole(file, note({ state: 'closed', closed }))).toBe(true)
  })

  /** A file of some hundred pages, with damage in its middle. */
  async function large(damaged: boolean): Promise<void> {
    await written(200)
    if (!damaged) return
    const bytes = readFileSync(file)
    bytes.fill(0xa5, bytes.length - 24 * 4096, bytes.length - 4 * 4096)
    writeFileSync(file, bytes)
  }

  test.each([
    [false, { verdict: 'sound' }],
    [true, { verdict: 'damaged', found: expect.stringMatching(/\w/) }],
  ])('is read beside the calls by a process that takes no lock (damaged: %s)', async (damaged, found) => {
    await large(damaged)
    const db = new Database(file)
    db.pragma('locking_mode = EXCLUSIVE')
    db.pragma('journal_mode = WAL')
    db.exec('begin exclusive; commit')
    const check = new WholeCheck(file, db)
    db.exec(`insert into marks (name, seq) values ('meanwhile', 1)`)
    expect(await check.done).toEqual(found)
    expect(db.pragma('wal_autocheckpoint', { simple: true })).toBe(1000)
    // The lock that keeps other servers out still does.
    expect(lockedOut()).toContain('database is locked')
    db.close()
  })

  test('is not read to its end when the server stops', async () => {
    await large(false)
    const db = new Database(file)
    const check = new WholeCheck(file, db)
    check.stop()
    expect(await check.done).toEqual({ verdict: 'postponed', why: 'The server stopped.' })
    db.close()
  })

  test.runIf(machineStart() !== null)(
    'found damaged beside the calls stops the ledger, and says how to restore',
    async () => {
      await written(200)
      const raw = new Database(file)
      const pages = raw
        .prepare(`select pageno from dbstat where name = 'entries' and pagetype = 'leaf' order by path`)
        .pluck()
        .all() as number[]
      raw.close()
      const descriptor = openSync(file, 'r+')
      writeSync(descriptor, Buffer.alloc(4096, 0xa5), 0, 4096, (pages[Math.floor(pages.length / 2)]! - 1) * 4096)
      closeSync(descriptor)
      // Large, and as its server closed it: so it is not read before the calls.
      truncateSync(file, LARGE)
      const { size, mtimeMs } = statSync(file)
      const fence = new Fence(file)
      fence.write({ ...fence.read()!, closed: { bytes: size, changedAt: mtimeMs } })
      const found: unknown[] = []
      const ledger = open({ onChecked: (checked) => found.push(checked) })
      await within(10_000, () => found.length > 0)
      expect(found).toEqual([{ verdict: 'damaged', found: expect.any(String) }])
      expect(ledger.storage!.fault).toMatchObject({ kind: 'corrupt', lasting: true })
      expect(ledger.storage!.fault!.message).toContain('spendgate restore FILE')
      await expect(newKey(ledger)).rejects.toThrow(/damaged/)
      await ledger.close()
      expect(fence.read()).toMatchObject({ state: 'unsure' })
      expect(() => open()).toThrow(/damaged/)
    },
  )

  const lockedOut = (): string => {
    const sqlite = createRequire(import.meta.url).resolve('better-sqlite3')
    const script = `const db = new (require(process.argv[1]))(process.argv[2], { timeout: 50 }); db.exec('begin exclusive')`
    return spawnSync(process.execPath, ['-e', script, sqlite, file], { encoding: 'utf8' }).stderr
  }
})

test('a call under way when the ledger is closed is assumed in it, and a late outcome changes nothing', async () => {
  const ledger = open()
  const key = await newKey(ledger)
  const { callId } = await ledger.admit(draft(key, '5.00'), () => ({ verdict: 'allow', denial: null }))
  ledger.mayLeave(callId)
  await ledger.close()
  ledger.settle(callId, reply('settled'))
  const raw = new Database(file)
  expect(raw.prepare('select state from calls').pluck().all()).toEqual(['assumed'])
  raw.close()
  const again = open()
  expect((await rows(again)).map(({ state }) => state)).toEqual(['assumed'])
  expect(await again.verify()).toEqual([])
  await again.close()
})
