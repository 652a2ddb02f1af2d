import Database from 'better-sqlite3'
import {
  copyFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LedgerFault } from '../../src/contracts/ledger.js'
import { ZERO } from '../../src/contracts/money.js'
import { digestOf } from '../../src/ledger/chain.js'
import { migrations, openDatabase } from '../../src/ledger/open.js'
import { openSqlite, SqliteLedger } from '../../src/ledger/sqlite.js'
import { packageRoot } from '../../src/package-root.js'
import { built, Child, spendgate, type Ended } from '../helpers/process.js'
import { admissionsContract } from './admissions.js'
import { approvalsContract } from './approvals.js'
import {
  admitted,
  allow,
  budget,
  counted,
  credential,
  dollars,
  done,
  draft,
  newKey,
  refuse,
  reply,
  row,
  rows,
  StandingClock,
} from './book.js'
import { changesContract } from './changes.js'
import { commitmentsContract } from './commitments.js'
import { ledgerContract } from './contract.js'
import { asBeforeSalts } from './rechain.js'
import { movementsContract } from './movements.js'
import { sqliteBook } from './sqlite-book.js'
import { outcomesContract } from './outcomes.js'
import { reconciliationContract } from './reconciliation.js'
import { registryContract } from './registry.js'

ledgerContract('SQLite', sqliteBook)
commitmentsContract('SQLite', sqliteBook)
approvalsContract('SQLite', sqliteBook)
reconciliationContract('SQLite', sqliteBook)
movementsContract('SQLite', sqliteBook)
outcomesContract('SQLite', sqliteBook)
admissionsContract('SQLite', sqliteBook)
changesContract('SQLite', sqliteBook)
registryContract('SQLite', sqliteBook)

describe('the SQLite file', () => {
  let dir: string
  let file: string
  const clock = new StandingClock()
  const open = (of = file): SqliteLedger => openSqlite({ file: of, clock })
  const newest = migrations().at(-1)!.version

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'spendgate-ledger-'))
    file = join(dir, 'spendgate.db')
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  /** A book with some calls in it, closed. */
  async function written(calls = 3): Promise<void> {
    const ledger = open()
    const key = await newKey(ledger)
    for (let i = 0; i < calls; i++) await done(ledger, draft(key, '1.00'), reply('settled'))
    await ledger.close()
  }

  test('is opened durable to power loss every time, not only the first', () => {
    for (let i = 0; i < 3; i++) {
      const db = openDatabase(file)
      expect(db.pragma('synchronous', { simple: true })).toBe(2)
      expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
      expect(db.pragma('locking_mode', { simple: true })).toBe('exclusive')
      expect(db.pragma('foreign_keys', { simple: true })).toBe(1)
      db.close()
    }
  })

  test('is readable by its owner only, and so is everything beside it', async () => {
    const ledger = open()
    await newKey(ledger)
    const modes = readdirSync(dir).map((name) => [name, statSync(join(dir, name)).mode & 0o077])
    expect(modes.length).toBeGreaterThan(1)
    expect(modes.filter(([, open]) => open !== 0)).toEqual([])
    await ledger.close()
  })

  test('is refused to a second server, which is told who has it', async () => {
    const ledger = open()
    expect(() => open()).toThrow(LedgerFault)
    expect(() => open()).toThrow(
      new RegExp(`Another spendgate \\(pid ${process.pid}, host .+\\) owns .+ stop it first`),
    )
    await ledger.close()
    await open().close()
  })

  test('is refused to another process too, and left as it is', async () => {
    const ledger = open()
    const key = await newKey(ledger)
    const { callId } = await ledger.admit(draft(key, '1.00'), allow)
    const ended = await spendgate(['db', 'verify', '--data-dir', dir])
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain(`pid ${process.pid}`)
    expect((await row(ledger, callId)).state).toBe('reserved')
    await ledger.close()
  })

  test('is refused when a newer spendgate wrote it, and left as it is', async () => {
    await written()
    const db = new Database(file)
    db.pragma(`user_version = ${newest + 1}`)
    db.close()
    const before = readFileSync(file)
    expect(() => open()).toThrow(LedgerFault)
    expect(() => open()).toThrow(`has schema version ${newest + 1}; this spendgate knows ${newest}`)
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test.each<[string, (file: string) => void]>([
    ['its header is overwritten', (of) => overwrite(of, 0, Buffer.alloc(100, 0x78))],
    ['it is another kind of file', (of) => writeFileSync(of, 'This is not a database at all. '.repeat(400))],
    ['pages in its middle are overwritten', (of) => overwrite(of, 8 * 4096, Buffer.alloc(24 * 4096, 0xa5))],
    ['its end is missing', (of) => truncateSync(of, Math.floor(statSync(of).size / 2 / 4096) * 4096)],
  ])('is refused when %s, and left as it is', async (_what, damage) => {
    await written(60)
    damage(file)
    const before = readFileSync(file)
    expect(() => open()).toThrow(LedgerFault)
    expect(() => open()).toThrow(/damaged/)
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  test('cut off anywhere in its log holds a whole number of commits, and a sound book', async () => {
    const ledger = open()
    const key = await newKey(ledger)
    const cap = budget('key:a', '1000.00')
    for (let i = 0; i < 12; i++) {
      const asked = Array.from({ length: 5 }, () => ledger.admit(draft(key, '1.00', { budgets: [cap] }), allow))
      for (const { callId } of await Promise.all(asked)) {
        ledger.mayLeave(callId)
        ledger.settle(callId, reply('settled'))
      }
      await ledger.flushed()
    }
    const log = readFileSync(`${file}-wal`)
    const found = new Set<number>()
    for (let cut = 0; cut < 40; cut++) {
      const copy = join(dir, `cut-${cut}.db`)
      copyFileSync(file, copy)
      writeFileSync(`${copy}-wal`, log.subarray(0, Math.floor((log.length * cut) / 39)))
      const of = open(copy)
      const calls = await rows(of)
      expect(calls.length % 5).toBe(0)
      expect(await counted(of, cap)).toEqual({ spent: dollars(`${calls.length}.00`), held: ZERO })
      expect(await of.verify()).toEqual([])
      found.add(calls.length)
      await of.close()
    }
    expect(found.size).toBeGreaterThan(5)
    expect(found.has(60)).toBe(true)
    await ledger.close()
  })

  test('is copied by a backup that another server can start from, while calls go on', async () => {
    const ledger = open()
    const key = await newKey(ledger)
    const { callId } = await ledger.admit(draft(key, '5.00'), allow)
    const copied = ledger.backup(join(dir, 'backup.db'))
    const during = await Promise.all(Array.from({ length: 10 }, () => ledger.admit(draft(key, '1.00'), allow)))
    await copied
    expect(during).toHaveLength(10)
    const copy = open(join(dir, 'backup.db'))
    expect((await row(copy, callId)).state).toBe('assumed')
    expect(await copy.verify()).toEqual([])
    expect(copy.findKey(key.digest)).not.toBeNull()
    await Promise.all([copy.close(), ledger.close()])
  })

  test('holds what a call of unknown outcome sent until the outcome is known, and nothing of any other call', async () => {
    const ledger = open()
    const key = await newKey(ledger)
    const settled = await done(ledger, draft(key, '1.00'), reply('settled', { evidence: 'of a settled call' }))
    const doubt = await done(ledger, draft(key, '1.00'), reply('assumed', { evidence: 'of a call in doubt' }))
    const kept = (): unknown => ledger.storage!.db.prepare('select call_seq, sealed from evidence').raw().all()
    expect((await row(ledger, settled)).seq).toBe(1)
    expect(kept()).toEqual([[2, 'of a call in doubt']])
    const word = { actor: 'ada', reason: 'It was done.' }
    await ledger.resolve(doubt, { outcome: 'settled', status: null, requestId: null, ms: null }, word)
    expect(kept()).toEqual([])
    await ledger.close()
  })

  test.each([
    ['with the salt of the call', false],
    ['without salt for a call of an earlier version', true],
  ])('says in the chain what a person said as a digest, %s', async (_what, unsalted) => {
    const ledger = open()
    const key = await newKey(ledger)
    const ids = [await done(ledger, draft(key, '1.00'), reply('assumed'))]
    ids.push(await done(ledger, draft(key, '1.00'), reply('assumed')))
    const { db } = ledger.storage!
    if (unsalted) {
      for (const name of db.prepare(`select name from sqlite_schema where type = 'trigger'`).pluck().all() as string[])
        db.exec(`drop trigger ${name}`)
      db.exec('update calls set salt = null')
    }
    const salts = db.prepare('select coalesce(salt, ?) from calls order by seq').pluck().all('') as string[]
    expect(new Set(salts).size).toBe(unsalted ? 1 : 2)
    const word = { actor: 'ada', reason: 'Ann says that she has it.' }
    await ledger.resolve(ids[0]!, { outcome: 'settled', status: null, requestId: null, ms: null }, word)
    const denial = { code: 'key_revoked', rule: 'standing', message: 'Revoked for Ann.' } as const
    ledger.settle(ids[1]!, { ...reply('released'), denial })
    const [first, second] = (await ledger.entries(0, 100)).slice(-2)
    expect(JSON.parse(first!.detail)).toMatchObject({
      by: 'ada',
      said: digestOf(salts[0]!, ['ada', 'Ann says that she has it.']),
    })
    expect(JSON.parse(second!.detail)).toMatchObject({
      why: digestOf(salts[1]!, ['deny', 'key_revoked', 'standing', 'Revoked for Ann.']),
    })
    await ledger.close()
  })

  test('takes credentials and a setting that were sealed anew together, in one entry that tells no secret', async () => {
    const ledger = open()
    const kept = [credential({ name: 'a' }), credential({ name: 'b' })]
    for (const each of kept) await ledger.putCredential(each, 'credential.added', 'ada')
    const anew = kept.map((each) => ({ ...each, sealed: 'sealed anew' }))
    await ledger.reseal(anew, { name: 'internal.sealed', value: 'sealed anew, too' }, 'db rotate-master-key')
    expect(ledger.credentials()).toEqual(anew)
    expect(ledger.setting('internal.sealed')).toBe('sealed anew, too')
    const entry = (await ledger.entries(0, 100)).at(-1)!
    expect(entry.kind).toBe('master-key.rotated')
    expect(JSON.parse(entry.detail)).toEqual({
      actor: 'db rotate-master-key',
      credentials: kept.map(({ id }) => id),
      name: 'internal.sealed',
      digest: expect.any(String),
      rows: Object.fromEntries(kept.map(({ id }) => [`credentials ${id}`, expect.any(String)])),
    })
    expect(entry.detail).not.toContain('sealed anew')
    expect(await ledger.verify()).toEqual([])
    await ledger.close()
  })

  test('books no outcome of a call it does not hold', async () => {
    const ledger = open()
    expect(() => ledger.settle('call_0000000zzz', reply('settled'))).toThrow(/is in the ledger/)
    await ledger.close()
  })

  describe('on a full disk', () => {
    const cap = budget('key:a', '100000.00')
    const wide = 'x'.repeat(20_000)
    let ledger: SqliteLedger
    let full: (yes: boolean) => void

    beforeEach(() => {
      const db = openDatabase(file)
      ledger = new SqliteLedger(db, clock)
      full = (yes) => {
        // SQLite then answers as it does when the file system has no room for another page.
        db.pragma(`max_page_count = ${yes ? (db.pragma('page_count', { simple: true }) as number) : 1_000_000}`)
      }
    })

    test('an admission is a fault and leaves nothing behind', async () => {
      const key = await newKey(ledger)
      await done(ledger, draft(key, '5.00', { budgets: [cap] }), reply('settled'))
      full(true)
      const asked = Array.from({ length: 5 }, (_, i) =>
        ledger.admit(draft(key, '1.00', { budgets: [cap], path: i === 3 ? wide : '/v1/refunds' }), allow),
      )
      for (const each of await Promise.allSettled(asked)) {
        expect(each).toMatchObject({ status: 'rejected', reason: expect.any(LedgerFault) })
      }
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('5.00'), held: ZERO })
      expect(await rows(ledger)).toHaveLength(1)
      expect(await ledger.run('run_1')).toMatchObject({ calls: 1, held: ZERO })
      full(false)
      const { callId } = await ledger.admit(draft(key, '1.00', { budgets: [cap], path: wide }), allow)
      expect((await row(ledger, callId)).seq).toBe(2)
      expect(await ledger.verify()).toEqual([])
      await ledger.close()
    })

    test('outcomes are kept, counted as held, and written when there is room again', async () => {
      const key = await newKey(ledger)
      const { callId } = await ledger.admit(draft(key, '5.00', { budgets: [cap] }), allow)
      ledger.mayLeave(callId)
      full(true)
      ledger.settle(callId, reply('settled', { amount: dollars('4.00'), object: wide }))
      await expect(ledger.flushed()).rejects.toThrow(LedgerFault)
      await expect(ledger.flushed()).rejects.toThrow(LedgerFault)
      expect(await counted(ledger, cap)).toEqual({ spent: ZERO, held: dollars('5.00') })
      full(false)
      await ledger.flushed()
      expect(await counted(ledger, cap)).toEqual({ spent: dollars('4.00'), held: ZERO })
      expect(await row(ledger, callId)).toMatchObject({ state: 'settled', settled: dollars('4.00') })
      expect(await ledger.verify()).toEqual([])
      await ledger.close()
    })

    test('what calls commit is kept like their outcomes, and not counted twice', async () => {
      const key = await newKey(ledger)
      const monthly = budget('key:a|recurring', '100.00', { window: 'all', measure: 'recurring' })
      const commits = { kind: 'recurring', perMonth: dollars('30.00'), dueAt: null, quantity: 1n } as const
      const call = draft(key, '0.00', { budgets: [monthly], commits })
      const { callId } = await ledger.admit(call, allow)
      ledger.mayLeave(callId)
      full(true)
      ledger.settle(callId, reply('settled', { object: wide }))
      for (let i = 0; i < 2; i++) await expect(ledger.flushed()).rejects.toThrow(LedgerFault)
      await expect(ledger.admit({ ...call, path: wide }, allow)).rejects.toThrow(LedgerFault)
      expect(await counted(ledger, monthly)).toEqual({ spent: ZERO, held: dollars('30.00') })
      full(false)
      await ledger.flushed()
      expect(await counted(ledger, monthly)).toEqual({ spent: dollars('30.00'), held: ZERO })
      full(true)
      await expect(ledger.takenBack(callId, 'a'.repeat(20_000))).rejects.toThrow(LedgerFault)
      expect(await counted(ledger, monthly)).toEqual({ spent: dollars('30.00'), held: ZERO })
      full(false)
      await ledger.takenBack(callId, 'ada')
      expect(await counted(ledger, monthly)).toEqual({ spent: ZERO, held: ZERO })
      expect(await ledger.verify()).toEqual([])
      await ledger.close()
    })

    test('an approval is neither asked for, decided nor used by what could not be written', async () => {
      const key = await newKey(ledger)
      const call = draft(key, '60.00', { approvalMs: 3_600_000, requestHash: 'request_1' })
      const listed = async (): Promise<string[]> =>
        (await ledger.approvals({}, { limit: 10 })).rows.map(({ state }) => state)
      full(true)
      await expect(ledger.admit({ ...call, path: wide }, refuse('approval_required'))).rejects.toThrow(LedgerFault)
      expect(await listed()).toEqual([])
      full(false)
      await ledger.admit(call, refuse('approval_required'))
      const { id } = (await ledger.approvalFor(key.id, 'request_1'))!
      full(true)
      await expect(ledger.decideApproval(id, 'approved', wide, 'ada')).rejects.toThrow(LedgerFault)
      expect(await listed()).toEqual(['open'])
      full(false)
      await ledger.decideApproval(id, 'approved', null, 'ada')
      full(true)
      await expect(ledger.admit({ ...call, path: wide }, allow)).rejects.toThrow(LedgerFault)
      expect(await listed()).toEqual(['approved'])
      full(false)
      const { callId } = await ledger.admit(call, allow)
      expect(await ledger.approval(id)).toMatchObject({ state: 'used', usedBy: callId })
      expect(await ledger.verify()).toEqual([])
      await ledger.close()
    })

    test('outcomes are written without being asked once there is room', async () => {
      const key = await newKey(ledger)
      const { callId } = await ledger.admit(draft(key, '5.00'), allow)
      ledger.mayLeave(callId)
      full(true)
      ledger.settle(callId, reply('settled', { object: wide }))
      await expect(ledger.flushed()).rejects.toThrow(LedgerFault)
      const settled = new Promise<string>((resolve) => ledger.onChange((each) => resolve(each.state)))
      full(false)
      expect(await settled).toBe('settled')
      await ledger.close()
    })

    test('a change by the operator is a fault, is not half in force, and can be made later', async () => {
      const root = await newKey(ledger)
      const { policyId } = root
      full(true)
      const child = newKey(ledger, { parentId: root.id, policyId, name: wide })
      await expect(child).rejects.toThrow(LedgerFault)
      // Here the key's row finds room and its entry does not.
      const other = newKey(ledger, { parentId: root.id, policyId, actor: wide })
      await expect(other).rejects.toThrow(LedgerFault)
      await expect(ledger.freeze({ kind: 'run', value: wide }, null, 'operator')).rejects.toThrow(LedgerFault)
      await expect(ledger.revoke(root.id, wide, 'operator')).rejects.toThrow(LedgerFault)
      await expect(ledger.putSetting('rates', wide, 'operator')).rejects.toThrow(LedgerFault)
      expect((await ledger.keys({ limit: 10 })).rows).toEqual([root])
      expect(ledger.freezes()).toEqual([])
      expect(ledger.setting('rates')).toBeUndefined()
      expect(ledger.stands(root, 'run_1', 'stripe')).toBe(true)
      full(false)
      await ledger.revoke(root.id, 'misbehaved', 'operator')
      expect(ledger.stands(root, 'run_1', 'stripe')).toMatchObject({ code: 'key_revoked' })
      expect(await ledger.verify()).toEqual([])
      await ledger.close()
    })

    test('an idempotency key taken by a call that could not be written is free again', async () => {
      const key = await newKey(ledger)
      const keyed = { idempotencyHash: 'idem_1', requestHash: 'request_1' }
      full(true)
      await expect(ledger.admit(draft(key, '5.00', { ...keyed, path: wide }), allow)).rejects.toThrow(LedgerFault)
      full(false)
      await ledger.admit(draft(key, '1.00'), refuse('amount_unknown'))
      const again = await admitted(ledger, draft(key, '5.00', keyed))
      expect(again).toMatchObject({ replayOf: null, reserved: dollars('5.00'), usage: { earlier: null } })
      await ledger.close()
    })
  })

  test('of version 1 comes up with what it holds, open calls among it, and takes commitments from then on', async () => {
    const ledger = open()
    const key = await newKey(ledger)
    const kept = credential()
    const cap = budget('key:a', '100.00')
    await ledger.putCredential(kept, 'credential.added', 'ada')
    const id = await done(ledger, draft(key, '5.00', { budgets: [cap] }), reply('settled'))
    const lost = await ledger.admit(draft(key, '7.00', { budgets: [cap] }), allow)
    await ledger.close()
    asVersion(1, file, join(dir, 'first.db'))

    const now = open()
    expect(now.credential(kept.id)).toEqual(kept)
    expect((await row(now, id)).settled).toBe(dollars('5.00'))
    expect((await row(now, lost.callId)).state).toBe('assumed')
    expect(await counted(now, cap)).toEqual({ spent: dollars('12.00'), held: ZERO })
    expect((await now.commitments(null, { limit: 10 })).rows).toEqual([])
    const commits = { kind: 'open', perMonth: ZERO, dueAt: null, quantity: 1n } as const
    await done(now, draft(key, '1.00', { commits }), reply('settled', { object: 'pi_1' }))
    await now.putCredential({ ...kept, apiVersion: '2026-10-28.endive' }, 'credential.rotated', 'ada')
    expect((await now.commitments(key.id, { limit: 10 })).rows).toMatchObject([{ object: 'pi_1' }])
    expect(await now.verify()).toEqual([])
    await now.close()
    const again = open()
    expect(again.credential(kept.id)!.apiVersion).toBe('2026-10-28.endive')
    await again.close()
    expect(statSync(join(dir, `spendgate.db.before-${newest}`)).size).toBeGreaterThan(0)
  })

  describe('moved to a newer schema', () => {
    /** The built ledger in a package of its own that knows one migration more. */
    function newer(sql: string): { openIt(): Promise<Ended>; readonly version: number } {
      const root = join(dir, 'newer')
      cpSync(join(dirname(built('src/main.js'))), join(root, 'dist/src'), { recursive: true })
      const schema = join(root, 'src/ledger/schema')
      cpSync(join(packageRoot(), 'src/ledger/schema'), schema, { recursive: true })
      writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'spendgate', version: '9.0.0', type: 'module' }))
      symlinkSync(join(packageRoot(), 'node_modules'), join(root, 'node_modules'))
      const version = newest + 1
      writeFileSync(join(schema, `sqlite/${String(version).padStart(4, '0')}-next.sql`), sql)
      const script = join(root, 'open.js')
      const module = JSON.stringify(pathToFileURL(join(root, 'dist/src/ledger/open.js')).href)
      writeFileSync(script, `import { openDatabase } from ${module}\nopenDatabase(process.argv[2]).close()\n`)
      return { openIt: () => new Child([script, file]).ended, version }
    }
    const versionOf = (of: string): unknown => {
      const db = new Database(of)
      const version = db.pragma('user_version', { simple: true })
      db.close()
      return version
    }

    test('keeps a copy from before, which the version before can open', async () => {
      await written()
      const { openIt, version } = newer('alter table settings add column note text;')
      expect(await openIt()).toMatchObject({ code: 0, stderr: '' })
      expect(versionOf(file)).toBe(version)
      expect(() => open()).toThrow(`has schema version ${version}`)
      const copy = join(dir, `spendgate.db.before-${version}`)
      expect(statSync(copy).mode & 0o077).toBe(0)
      const before = open(copy)
      expect(await rows(before)).toHaveLength(3)
      expect(await before.verify()).toEqual([])
      await before.close()
    })

    test('is not stopped by what a killed attempt left behind', async () => {
      await written()
      const { openIt, version } = newer('alter table settings add column note text;')
      writeFileSync(join(dir, `spendgate.db.before-${version}`), 'half a copy')
      expect(await openIt()).toMatchObject({ code: 0, stderr: '' })
      expect(versionOf(file)).toBe(version)
      const before = open(join(dir, `spendgate.db.before-${version}`))
      expect(await rows(before)).toHaveLength(3)
      await before.close()
    })

    test('stays as it was when a step fails', async () => {
      await written()
      const { openIt } = newer('alter table settings add column note text; insert into nowhere values (1);')
      const ended = await openIt()
      expect(ended.code).not.toBe(0)
      expect(ended.stderr).toContain('nowhere')
      expect(versionOf(file)).toBe(newest)
      const ledger = open()
      expect(await ledger.verify()).toEqual([])
      await ledger.close()
    })
  })
})

/** Bytes in the middle of a file, as a bad disk would change them. */
function overwrite(file: string, at: number, bytes: Buffer): void {
  const whole = readFileSync(file)
  bytes.copy(whole, at)
  writeFileSync(file, whole)
}

/** Puts in a ledger's place what an earlier version would have written: its tables, and of the rows what they have room for. */
function asVersion(version: number, file: string, old: string): void {
  const db = new Database(old)
  for (const step of migrations()) if (step.version <= version) db.exec(step.sql)
  db.pragma(`user_version = ${version}`)
  db.exec(`attach '${file}' as present`)
  const tables = db.prepare(`select name from main.sqlite_schema where type = 'table'`).pluck().all() as string[]
  for (const table of tables) {
    const columns = (db.pragma(`main.table_info(${table})`) as { name: string }[]).map(({ name }) => name).join(', ')
    db.exec(`insert into main.${table} (${columns}) select ${columns} from present.${table}`)
  }
  if (version < 5) asBeforeSalts(db)
  if (version < 6) db.exec(`delete from marks where name = 'keys-kept'`)
  db.close()
  copyFileSync(old, file)
}
