import type Database from 'better-sqlite3'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LedgerConflict, type KeyRecord } from '../../src/contracts/ledger.js'
import { openDatabase } from '../../src/ledger/open.js'
import { Registry } from '../../src/ledger/registry.js'

// A key is read from what the start kept of it when it is first asked for. Nobody who asks can tell.

const COUNT = 250

let dir: string
let db: Database.Database
let registry: Registry
let policy: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'spendgate-key-records-'))
  db = openDatabase(join(dir, 'spendgate.db'))
  const written = new Registry(db)
  policy = written.addPolicy('one', {}, 1).id
  db.transaction(() => {
    for (let n = 0; n < COUNT; n++) add(written, n)
  })()
  registry = new Registry(db)
})
afterEach(() => {
  db.close()
  rmSync(dir, { recursive: true, force: true })
})

const add = (to: Registry, n: number, more: { parentId?: string; credentialIds?: readonly string[] } = {}): KeyRecord =>
  to.addKey({
    id: `key_${n}`,
    publicId: `public ${n}`,
    digest: `digest ${n}`,
    last4: 'abcd',
    name: `agent ${n}`,
    parentId: null,
    policyId: policy,
    narrowings: [],
    credentialIds: [`cred_${n}`],
    run: null,
    runCap: null,
    test: false,
    expiresAt: n === 7 ? 1_000 : null,
    createdAt: n,
    actor: 'test',
    ...more,
  })

const listed = (limit: number): readonly (readonly number[])[] => {
  const pages: number[][] = []
  for (let cursor: string | undefined; ;) {
    const { rows, next } = registry.keys({ limit, ...(cursor === undefined ? {} : { cursor }) })
    pages.push(rows.map(({ createdAt }) => createdAt))
    if (next === null) return pages
    cursor = next
  }
}

test('a key is one and the same, by whatever it is asked for and however often', () => {
  for (const n of [0, 99, 100, 249, 100]) {
    const key = registry.findKey(`digest ${n}`)!
    expect(key).toMatchObject({ id: `key_${n}`, publicId: `public ${n}` })
    expect(registry.key(`key_${n}`)).toBe(key)
    expect(registry.findKey(`digest ${n}`)).toBe(key)
    expect(registry.chain(`key_${n}`)[0]).toBe(key)
    expect(registry.keys({ limit: COUNT }).rows[COUNT - 1 - n]).toBe(key)
  }
})

test('what was changed is what is found, by id, by digest and in the list', () => {
  const before = registry.key('key_3')!
  registry.used('key_3', 5)
  const narrowed = registry.narrowKey('key_3', { daily_cap_usd: '1.00' })
  expect(narrowed).toEqual({ ...before, narrowings: [{ daily_cap_usd: '1.00' }] })
  registry.revoke('key_4', 'why', 9, [])
  for (const [n, changed] of [
    [3, { lastUsedAt: 5, narrowings: narrowed.narrowings }],
    [4, { revokedAt: 9, revokeReason: 'why' }],
  ] as const) {
    const found = registry.key(`key_${n}`)!
    expect(found).toMatchObject(changed)
    expect(registry.findKey(`digest ${n}`)).toBe(found)
    expect(registry.keys({ limit: COUNT }).rows[COUNT - 1 - n]).toBe(found)
  }
})

test('a key that nobody asked for dies with its parent', () => {
  add(registry, COUNT, { parentId: 'key_0' })
  const after = new Registry(db)
  after.revoke('key_0', null, 9, [])
  expect(after.findKey(`digest ${COUNT}`)!.revokedAt).toBe(9)
  expect(after.stops(`key_${COUNT}`, 'run', 'stripe', 10)).toMatchObject({ code: 'key_revoked' })
})

test('keys that were read and keys that were added are listed newest first, page by page', () => {
  for (let n = COUNT; n < COUNT + 3; n++) add(registry, n)
  const all = Array.from({ length: COUNT + 3 }, (_, place) => COUNT + 2 - place)
  for (const limit of [1, 2, 100, 101, COUNT + 2, COUNT + 3, COUNT + 4]) {
    const pages = listed(limit)
    expect(pages.flat()).toEqual(all)
    expect(pages.slice(0, -1).every(({ length }) => length === limit)).toBe(true)
    expect(pages.at(-1)).not.toEqual([])
  }
  expect(registry.keys({ limit: 2, cursor: 'key_nobody' }).rows.map(({ createdAt }) => createdAt)).toEqual([252, 251])
})

test('no id and no digest of one key finds another', () => {
  for (const text of ['key_250', 'digest 250', 'digest 1', '1', '']) expect(registry.key(text)).toBeNull()
  for (const text of ['digest 250', 'key_1', 'public 1', '']) expect(registry.findKey(text)).toBeNull()
  add(registry, 250)
  expect(registry.key('key_250')).toBe(registry.findKey('digest 250'))
})

test('keys of which one cannot be read stop the start', () => {
  for (const [column, broken] of [
    ['narrowings', '[{]'],
    ['credential_ids', ''],
    ['credential_ids', '[]\0'],
    ['revoke_in_flight', '['],
  ]) {
    const whole = db.prepare(`select ${column} from keys where id = 'key_120'`).pluck().get()
    const put = db.prepare(`update keys set ${column} = ? where id = 'key_120'`)
    put.run(broken)
    expect(() => new Registry(db)).toThrow(SyntaxError)
    // A reading that failed leaves no key to be found.
    expect(() => registry.reload()).toThrow(SyntaxError)
    expect([registry.key('key_120'), registry.findKey('digest 120'), registry.key('key_0')]).toEqual([null, null, null])
    put.run(whole)
    registry.reload()
    expect(registry.key('key_120')!.id).toBe('key_120')
  }
})

test('a credential stays for the first key that can use it, and for no other', () => {
  add(registry, COUNT, { credentialIds: ['cred_7', 'cred_both'] })
  add(registry, COUNT + 1, { credentialIds: ['cred_both'] })
  const remove = (id: string, now: number) => () => registry.removeCredential(id, now)
  expect(remove('cred_7', 999)).toThrow(
    new LedgerConflict('The credential cred_7 is used by the key key_7 (agent 7). Revoke that key first.'),
  )
  expect(remove('cred_7', 1_000)).toThrow('used by the key key_250')
  expect(remove('cred_both', 0)).toThrow('used by the key key_250')
  registry.revoke('key_250', null, 1, [])
  expect(remove('cred_both', 0)).toThrow('used by the key key_251')
  expect(remove('cred_7', 1_000)).not.toThrow()
  // Part of a name is no name.
  expect(remove('cred_bot', 0)).not.toThrow()
  expect(remove('red_8', 0)).not.toThrow()
})
