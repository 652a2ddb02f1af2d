import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '../../src/ledger/open.js'
import { Registry, rowOfScope } from '../../src/ledger/registry.js'

// What no ledger on one file asks of its registry. What every ledger does is in registry.ts.

let dir: string
beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'spendgate-registry-'))))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A key of a policy of its own. */
function keyIn(registry: Registry, id: string, more: { parentId?: string; replaces?: string } = {}): void {
  registry.addKey({
    id,
    publicId: `public ${id}`,
    digest: `digest ${id}`,
    last4: 'abcd',
    name: id,
    parentId: null,
    policyId: registry.addPolicy(id, {}, 1).id,
    narrowings: [],
    credentialIds: [],
    run: null,
    runCap: null,
    test: false,
    expiresAt: null,
    createdAt: 1,
    actor: 'test',
    ...more,
  })
}

test('calls that other nodes had in flight are named with the revoked key, and still are when it is read again', () => {
  const db = openDatabase(join(dir, 'spendgate.db'))
  const registry = new Registry(db)
  keyIn(registry, 'key_1')
  expect(registry.inFlightAtRevoke('key_1')).toEqual([])
  registry.revoke('key_1', null, 2, ['call_1'])
  registry.nameInFlight('key_1', ['call_1', 'call_2'])
  for (const each of [registry, new Registry(db)]) expect(each.inFlightAtRevoke('key_1')).toEqual(['call_1', 'call_2'])
  db.close()
})

test('a key comes with those it was reissued from, each with all below it, and with no other', () => {
  const db = openDatabase(join(dir, 'spendgate.db'))
  const registry = new Registry(db)
  keyIn(registry, 'key_1')
  keyIn(registry, 'key_2', { parentId: 'key_1' })
  keyIn(registry, 'key_3', { replaces: 'key_1' })
  keyIn(registry, 'key_4', { parentId: 'key_3' })
  keyIn(registry, 'key_5', { replaces: 'key_3' })
  for (const each of [registry, new Registry(db)]) {
    expect(each.lineage('key_3')).toEqual(['key_3', 'key_4', 'key_1', 'key_2'])
    expect(each.lineage('key_nobody')).toEqual([])
  }
  db.close()
})

test('the use of a key that it does not have is noted nowhere', () => {
  const db = openDatabase(join(dir, 'spendgate.db'))
  const registry = new Registry(db)
  registry.used('key_nobody', 1)
  expect([registry.key('key_nobody'), registry.chain('key_nobody')]).toEqual([null, []])
  db.close()
})

test('the freeze of everything has the row without a value', () => {
  expect(rowOfScope({ kind: 'all' })).toEqual(['freezes', 'all', ''])
  expect(rowOfScope({ kind: 'run', value: 'run_1' })).toEqual(['freezes', 'run', 'run_1'])
})
