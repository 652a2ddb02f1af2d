import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { KeyRecord, NewKey } from '../../src/contracts/ledger.js'
import { usd } from '../../src/contracts/money.js'
import { openDatabase } from '../../src/ledger/open.js'
import { Registry } from '../../src/ledger/registry.js'

// Keys are read from the file by the page. What was written of them and what is read are the same, on every page.

let dir: string
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'spendgate-registry-read-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const COUNT = 2_345

const keyIn = (n: number, policyId: string): NewKey => ({
  id: `key_${n}`,
  publicId: `public ${n}`,
  digest: `digest ${n}`,
  last4: 'abcd',
  name: n % 3 === 0 ? `„Anna“ said "\\${n}" — ${'\u{1f512}'}\n` : `agent ${n}`,
  parentId: n % 10 === 9 ? `key_${n - 1}` : null,
  policyId,
  narrowings: n % 7 === 0 ? [{ daily_cap_usd: `${n}.50` }] : [],
  credentialIds: n % 2 === 0 ? ['cred_a'] : ['cred_a', 'cred_b'],
  run: n % 5 === 0 ? `run_${n}` : null,
  runCap: n % 5 === 0 ? usd(BigInt(n) * 1_000_000_007n) : null,
  test: n % 4 === 0,
  expiresAt: n % 6 === 0 ? 1_800_000_000_000 + n : null,
  createdAt: 1_700_000_000_000 + n,
  actor: 'test',
  ...(n % 100 === 99 ? { replaces: `key_${n - 50}` } : {}),
})

const all = (registry: Registry): readonly KeyRecord[] => registry.keys({ limit: COUNT + 1 }).rows

test('every key of several pages is read as it was written', () => {
  const db = openDatabase(join(dir, 'spendgate.db'))
  const written = new Registry(db)
  const policies = ['one', 'two'].map((name) => written.addPolicy(name, {}, 1).id)
  db.transaction(() => {
    for (let n = 0; n < COUNT; n++) written.addKey(keyIn(n, policies[n % 2]!))
    for (let n = 0; n < COUNT; n += 200) written.revoke(`key_${n}`, n === 0 ? null : `“why” ${n}`, 5, [`call_${n}`])
  })()
  const read = new Registry(db)
  expect(all(read)).toHaveLength(COUNT)
  expect(all(read)).toEqual(all(written))
  for (let n = 0; n < COUNT; n++) {
    expect(read.findKey(`digest ${n}`)?.id).toBe(`key_${n}`)
    expect(read.inFlightAtRevoke(`key_${n}`)).toEqual(written.inFlightAtRevoke(`key_${n}`))
    expect(read.lineage(`key_${n}`)).toEqual(written.lineage(`key_${n}`))
  }
  db.close()
})

test('a page that is just full is followed by nothing', () => {
  const db = openDatabase(join(dir, 'spendgate.db'))
  const written = new Registry(db)
  const policy = written.addPolicy('one', {}, 1).id
  db.transaction(() => {
    for (let n = 0; n < 2_000; n++) written.addKey({ ...keyIn(n, policy), parentId: null, replaces: null })
  })()
  expect(all(new Registry(db)).map(({ id }) => id)).toEqual(all(written).map(({ id }) => id))
  db.close()
})
